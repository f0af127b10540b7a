# Every target sets up what it needs in .venv; only make, python3 and python3-venv must be there.
.DEFAULT_GOAL := help
.PHONY: setup demo test check stories split fault fuzz mutants bench scale lock docs clean help
MAKEFLAGS += --no-print-directory
# Where bytecode is not kept, each of the many processes that tests start would compile anew.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
ARGS ?=
WORKERS ?= 4
CODE = $(wildcard src tests bench)

help: ## show this list
	@echo "make TARGET [ARGS=...] [PYTHON=...]"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' Makefile

setup: ## make .venv with everything for use and development
	@tools/setup dev

demo: ## play a week against the stand-in Exchange (TARGET=dav: Radicale; TOPOLOGY=split: two machines)
	@tools/setup demo
	@$(BIN)/accord demo $(if $(TARGET),--target $(TARGET)) $(if $(TOPOLOGY),--topology $(TOPOLOGY)) $(ARGS)

# Most tests take milliseconds: handed out one by one, their processes would wait for the next one.
test: ## run all tests (ARGS="-k word" picks)
	@tools/setup dev
	@ACCORD_STORIES=alternating $(BIN)/pytest -n $(WORKERS) --dist load --maxschedchunk 3 $(ARGS)

check: ## lint, format, types and the import contract
	@tools/setup dev
	@status=0; \
	$(BIN)/ruff check --quiet --output-format concise . || status=1; \
	$(BIN)/ruff format --quiet --check --output-format concise . || status=1; \
	$(BIN)/mypy --no-error-summary $(CODE) || status=1; \
	report=$$($(BIN)/lint-imports) || { echo "$$report"; status=1; }; \
	$(BIN)/python -m tools.pure || status=1; \
	[ $$status = 0 ] && echo "check: lint, format, types and imports are in order"; \
	exit $$status

stories: ## play each story on SQLite and on PostgreSQL; `make test` plays it on one of the two
	@tools/setup dev
	@$(BIN)/pytest tests/unit/service tests/unit/cli tests/scenario -n $(WORKERS) --dist load --maxschedchunk 3 $(ARGS)

split: ## play all stories with connector and CRM on two machines, and their contract in small messages
	@tools/setup dev
	@$(BIN)/pytest tests/scenario tests/contract/test_crm_syncml.py -m "long or split" -k "sqlite-split or postgres-split or SmallMessages" -n $(WORKERS) --dist loadgroup --timeout 0 $(ARGS)

fault: ## kill single visits at every step, 500 times each way; then every fault over the running service, and a day with kills
	@tools/setup dev
	@$(BIN)/python -m tests.fault --kills 500 $(ARGS)
	@$(BIN)/python -m tests.fault --kills 500 --topology split $(ARGS)
	@$(BIN)/python -m tests.fault --kills 500 --target exchange $(ARGS)
	@$(BIN)/python -m tests.fault --kills 500 --target exchange --topology split $(ARGS)
	@$(BIN)/python -m tests.fault --service --times 5 $(ARGS)
	@$(BIN)/python -m bench.scale --only day --mailboxes 60 --changes 2000 --minutes 3 --kills 10
	@$(BIN)/python -m bench.scale --only day --mailboxes 60 --changes 2000 --minutes 3 --kills 10 --several
	@$(BIN)/pytest tests/fault tests/unit/test_scale.py -m long --timeout 0

fuzz: ## play 20,000 random histories and send 200,000 broken messages
	@tools/setup dev
	@ACCORD_FRESH=1 ACCORD_HISTORIES=$${ACCORD_HISTORIES:-20000} ACCORD_MESSAGES=$${ACCORD_MESSAGES:-200000} \
	$(BIN)/pytest tests -m fuzz -n $(WORKERS) --dist loadgroup --timeout 0 $(ARGS)

mutants: ## plant faults in the deciding code and list those no test notices
	@tools/setup dev
	@$(BIN)/python -m tests.mutants $(ARGS)

bench: ## measure against peers, in one run (ARGS="--only dav", or syncml, or exchange, picks)
	@tools/setup dev
	@$(BIN)/python -m bench $(ARGS)

scale: ## a day of 1,000 mailboxes in minutes, workers on PostgreSQL, 10,000 idle links (two hours)
	@tools/setup dev
	@$(BIN)/python -m bench.scale $(ARGS)

lock: ## resolve pyproject.toml anew into requirements/*.lock (ARGS=--upgrade renews all)
	@tools/setup dev
	@UV=$(BIN)/uv tools/lock $(ARGS)

docs: ## write the generated parts of docs/
	@tools/setup dev
	@$(BIN)/python -m tools.docs $(ARGS)

clean: ## remove all that make made
	rm -rf .venv .venv-* .setup-lock .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .cache mutants build dist
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
