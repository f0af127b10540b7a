"""The pages are up to date with the code, their links lead somewhere, their blocks are run."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from accord.cli.commands import NAMES
from accord.rules.text import parse_rules
from accord.service import registry
from accord.service.init import TEMPLATE
from tools.docs import GENERATED
from tools.docs.pages import PAGES, ROOT, Command, anchors, blocks, commands, links

TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
LINKS = [
    pytest.param(page, link, id=f"{page.relative_to(ROOT)}-{link}")
    for page in PAGES
    for link in links(TEXTS[page])
]


@pytest.mark.parametrize("name", GENERATED)
def test_generated_page_is_what_the_code_says(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == GENERATED[name](), (
        f"{name} is stale: run `make docs`"
    )


def test_make_docs_tells_a_stale_page_and_writes_it(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, tools.docs.__main__ as docs\n"
        f"docs.ROOT = pathlib.Path({str(tmp_path)!r})\n"
        "sys.exit(docs.main(sys.argv[1:]))"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", code, *arguments]
        return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)

    (tmp_path / "docs").mkdir()
    rules = tmp_path / "docs" / "rules.md"
    rules.write_text("old", encoding="utf-8")
    assert run("--check").returncode == 1
    assert rules.read_text(encoding="utf-8") == "old"
    assert "written  docs/rules.md" in run().stdout
    assert run("--check").stdout == "docs: all generated pages are up to date\n"


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_link_leads_somewhere(page: Path, link: str) -> None:
    if re.match(r"\w+:", link):
        assert link.startswith("https://")
        return
    file, _, anchor = link.partition("#")
    target = (page.parent / file).resolve() if file else page
    assert target.exists(), f"{page.name} links to {link}"
    assert target.is_relative_to(ROOT)
    if anchor:
        assert anchor in anchors(target.read_text(encoding="utf-8"))


def test_every_page_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page in TEXTS:
            reached.add(page)
            files = (link.partition("#")[0] for link in links(TEXTS[page]))
            waiting += [(page.parent / file).resolve() for file in files if file]
    assert reached == set(PAGES)


def test_every_command_and_adapter_has_its_place() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert all(
        f"\n### accord {name}\n" in page or f"\n### accord {name} " in page for name in NAMES
    )
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in (*registry.GROUPWARE, *registry.CRM))


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_in_a_sentence_exist(page: Path) -> None:
    """`accord …` inside a sentence names a command, and `make …` a target."""
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for word, name in re.findall(r"`(accord|make) (\w+)", TEXTS[page]):
        known = NAMES if word == "accord" else targets
        assert name in known or name.isupper(), f"{word} {name}"


def test_all_that_the_settings_file_may_hold_is_named_where_it_is_described() -> None:
    page = TEXTS[ROOT / "docs" / "operations.md"]
    described = page.partition("\n## Configure\n")[2].partition("```")[0]
    for section in re.findall(r"^[# ]*(\[\w+\])$", TEMPLATE, re.MULTILINE):
        assert f"`{section}`" in described, section


def test_rules_on_the_rule_page_are_read() -> None:
    texts = [
        block.text for block in blocks(TEXTS[ROOT / "docs" / "rules.md"]) if block.kind == "toml"
    ]
    assert texts
    for text in texts:
        assert parse_rules(text)


def test_blocks_are_found() -> None:
    page = (
        "a\n```console\n$ one\nout\n\n$ two\n```\n<!-- meanwhile: x -->\n```toml f.toml\na=1\n```\n"
    )
    found = blocks(page)
    assert [(b.kind, b.name, b.line) for b in found] == [
        ("console", "", 2), ("meanwhile", "x", 8), ("toml", "f.toml", 9),
    ]  # fmt: skip
    assert commands(found[0]) == [Command("one", ("out", ""), 3), Command("two", (), 6)]
    with pytest.raises(ValueError, match="line 2"):
        commands(found[0]._replace(text="out\n", line=1))


def test_links_and_anchors_are_found() -> None:
    page = "# A b, c: `d`\n[x](y.md#z) `[no](code)`\n```text\n[no](code) \n# no\n```\n![i](p.png)\n"
    assert links(page) == ["y.md#z"]
    assert list(anchors(page)) == ["a-b-c-d"]


def _unlabelled() -> Iterator[str]:
    for page in PAGES:
        for block in blocks(TEXTS[page]):
            if not block.kind:
                yield f"{page.name}:{block.line}"


def test_every_block_says_what_it_is() -> None:
    assert list(_unlabelled()) == []
