"""Import and export: plan, places of mistakes, secrets, defaults, and what may not change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from accord.crm import memory as crm_memory
from accord.engine.plan import Pairing
from accord.model.item import Event
from accord.model.observe import Snapshot
from accord.rules.problem import Problem, RuleErrors, Severity
from accord.rules.rule import Rule
from accord.service import registry
from accord.service.accord import Accord
from accord.service.standing import pause_links, set_mode
from accord.service.transfer import Outcome, export, import_
from accord.state.records import Mode
from accord.state.state import State
from tests.databases import Databases

SECRET = "correct-horse-battery"

DAV = """
[[target]]
name = "company"
adapter = "dav"
url = "http://127.0.0.1:9/"
password = { env = "PW" }
"""

LINK = """
[[link]]
user = "alice"
target = "company"
kind = "event"
"""

MEMORY = '[[target]]\nname = "company"\nadapter = "memory"\n'


@pytest.fixture
def accord(tmp_path: Path, databases: Databases) -> Iterator[Accord]:
    state = State(databases.blank(), tmp_path / "key")
    crm = crm_memory.build({"users": {"alice": "alice@x.test", "bob": "bob@x.test", "carol": ""}})
    accord = Accord(state, crm, registry.build)
    yield accord
    accord.close()


def bring(accord: Accord, text: str, **more: Any) -> Outcome:
    more.setdefault("environ", {"PW": SECRET})
    return import_(accord, text, "c.toml", **more)


def problems(accord: Accord, text: str, **more: Any) -> tuple[Problem, ...]:
    with pytest.raises(RuleErrors) as caught:
        bring(accord, text, **more)
    with accord.state.read() as tx:
        assert not tx.targets.all()
        assert not tx.links.all()
    return caught.value.problems


def only(accord: Accord, text: str, **more: Any) -> Problem:
    (problem,) = problems(accord, text, **more)
    return problem


def line_of(text: str, words: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if words in line)


def names(outcome: Outcome) -> list[str]:
    return [f"{each.action} {each.what} {each.name}" for each in outcome.differences]


def pair(accord: Accord, link: str) -> None:
    item = Event(title="x", start=datetime(2027, 1, 1), end=datetime(2027, 1, 2))
    snapshot = Snapshot(ref="r", version="1", item=item)
    with accord.state.begin() as tx:
        tx.pairings.put(link, Pairing(id="p", crm=snapshot, groupware=snapshot))


def test_everything_of_a_text_is_stored(accord: Accord) -> None:
    outcome = bring(accord, MEMORY + LINK)
    assert names(outcome) == ["add target company", "add rule events", "add link alice-event"]
    assert outcome.observing == ("alice-event",)
    with accord.state.read() as tx:
        link = tx.links.by_name("alice-event")
        assert link is not None
        assert (link.user, link.principal, link.rule) == ("alice", "alice@x.test", "events")
        assert link.mode is Mode.OBSERVE, "nothing is written before somebody has looked"
        target = tx.targets.get(link.target)
        assert target is not None
        assert target.name == "company"
        assert tx.rules.active("events") is not None


def test_a_plan_stores_nothing(accord: Accord) -> None:
    planned = bring(accord, MEMORY + LINK, plan=True)
    assert not planned.stored
    with accord.state.read() as tx:
        assert not (tx.targets.all() or tx.links.all() or tx.rules.names())
    assert planned.differences == bring(accord, MEMORY + LINK).differences


def test_the_same_text_again_changes_nothing(accord: Accord) -> None:
    bring(accord, DAV + LINK)
    assert bring(accord, DAV + LINK).differences == ()


def test_what_the_text_leaves_out_stays(accord: Accord) -> None:
    bring(accord, MEMORY + LINK)
    bring(accord, LINK.replace("event", "task"))
    with accord.state.read() as tx:
        assert [link.name for link in tx.links.all()] == ["alice-event", "alice-task"]


def test_ids_follow_names_so_that_a_lost_state_finds_its_copies_again(accord: Accord) -> None:
    bring(accord, MEMORY + LINK)
    with accord.state.read() as tx:
        assert [link.id for link in tx.links.all()] == ["alice-event"]
        assert [target.id for target in tx.targets.all()] == ["company"]


def test_users_and_kinds_stand_for_a_link_each(accord: Accord) -> None:
    text = MEMORY + '[[link]]\nusers=["alice","bob"]\nkinds=["event","contact"]\ntarget="company"\n'
    bring(accord, text)
    with accord.state.read() as tx:
        found = {link.name: link.principal for link in tx.links.all()}
    assert found == {
        "alice-contact": "alice@x.test",
        "alice-event": "alice@x.test",
        "bob-contact": "bob@x.test",
        "bob-event": "bob@x.test",
    }


def test_changes_are_told_field_by_field(accord: Accord) -> None:
    bring(accord, MEMORY + LINK)
    text = MEMORY + "page = 7\n" + LINK + 'mode = "pilot"\n'
    outcome = bring(accord, text)
    turns = {(d.name, t.field): (t.before, t.after) for d in outcome.differences for t in d.turns}
    assert turns == {("company", "page"): (None, 7), ("alice-event", "mode"): ("observe", "pilot")}


RULE = '[[rule]]\nname = "events"\nkind = "event"\nwindow.past = 30\n'


def versions(accord: Accord, name: str = "events") -> tuple[int | None, int | None]:
    """Return how far back the rule in force and its draft reach."""
    with accord.state.read() as tx:
        active, draft = tx.rules.active(name), tx.rules.draft(name)
    assert active is not None
    return active.window.past, draft.window.past if draft else -1


def test_a_changed_rule_that_links_use_becomes_a_draft(accord: Accord) -> None:
    bring(accord, MEMORY + LINK)
    outcome = bring(accord, RULE)
    (difference,) = outcome.differences
    assert (difference.action, difference.what) == ("change", "rule")
    assert [(t.field, t.before, t.after) for t in difference.turns] == [("window.past", None, 30)]
    assert "draft" in difference.note
    assert outcome.drafts == ("events",)
    assert versions(accord) == (None, 30)
    with accord.state.read() as tx:
        assert len(tx.rules.history("events")) == 1


def test_a_draft_imported_again_is_no_change_but_still_waits(accord: Accord) -> None:
    bring(accord, MEMORY + LINK)
    bring(accord, RULE)
    again = bring(accord, RULE)
    assert (again.differences, again.drafts) == ((), ("events",))
    other = bring(accord, RULE.replace("30", "40"))
    assert [(t.before, t.after) for t in other.differences[0].turns] == [(None, 40)]
    assert versions(accord) == (None, 40)


def test_a_plan_makes_no_draft(accord: Accord) -> None:
    bring(accord, MEMORY + LINK)
    bring(accord, RULE, plan=True)
    assert versions(accord) == (None, -1)


def test_the_version_in_force_drops_the_draft_and_says_so(accord: Accord) -> None:
    bring(accord, MEMORY + LINK)
    standing = export(accord)
    bring(accord, RULE)
    (difference,) = bring(accord, standing).differences
    assert "draft is dropped" in difference.note
    assert [(t.before, t.after) for t in difference.turns] == [(30, None)]
    assert versions(accord) == (None, -1)


def test_a_changed_rule_that_no_link_uses_is_in_force_at_once(accord: Accord) -> None:
    bring(accord, RULE)
    outcome = bring(accord, RULE.replace("30", "40"))
    assert outcome.drafts == ()
    assert versions(accord) == (40, -1)


def test_a_rule_that_links_use_keeps_its_kind(accord: Accord) -> None:
    bring(accord, MEMORY + LINK)
    with pytest.raises(RuleErrors, match="has links for other kinds: alice-event") as caught:
        bring(accord, RULE.replace('"event"', '"task"'))
    assert 3 in {problem.line for problem in caught.value.problems}
    assert versions(accord) == (None, -1)


@pytest.mark.parametrize(
    "table",
    [
        '[[link]]\nuser = "alice"\nkind = "event"\nmode = "active"\nrule = "r"\n',
        '[[template]]\nname = "t"\ngroup = "crm:g"\nkinds = ["event"]\nrules.event = "r"\n',
    ],
)
def test_a_rule_with_a_fault_is_not_told_to_be_missing(accord: Accord, table: str) -> None:
    table += 'target = "company"\n'
    faulty = '\n[[rule]]\nname = "r"\nkind = "event"\nclsh = "hold"\n'
    found = {each.message: each.hint for each in problems(accord, MEMORY + table + faulty)}
    assert found["there is no key 'clsh' here"] == "did you mean clash?"
    assert "there is no rule 'r'" not in found
    missing = [each.message for each in problems(accord, MEMORY + table)]
    assert "there is no rule 'r'" in missing


def test_a_paused_link_stays_paused(accord: Accord) -> None:
    bring(accord, MEMORY + LINK)
    with accord.state.begin() as tx:
        tx.links.pause("alice-event")
    bring(accord, MEMORY + LINK + 'mode = "pilot"\n')
    with accord.state.read() as tx:
        link = tx.links.by_name("alice-event")
    assert link is not None
    assert link.paused
    assert link.mode is Mode.PILOT


@pytest.mark.parametrize("mode", Mode)
def test_a_link_goes_as_far_as_it_did_where_a_text_does_not_say(accord: Accord, mode: Mode) -> None:
    bring(accord, MEMORY + LINK + f'mode = "{mode}"\n')
    outcome = bring(accord, MEMORY + LINK)
    assert (outcome.differences, outcome.observing) == ((), ())
    with accord.state.read() as tx:
        assert [link.mode for link in tx.links.all()] == [mode]


def test_what_is_set_while_a_text_is_read_stands(
    accord: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = LINK.replace("event", "task")
    links = [LINK + 'mode = "active"\n', task, *(s.replace("alice", "bob") for s in (LINK, task))]
    bring(accord, MEMORY + "".join(links))
    set_mode(accord, ["alice", "bob"], Mode.ACTIVE)

    def meddle(*_: object) -> None:
        set_mode(accord, ["alice", "bob-event"], Mode.OBSERVE)
        pause_links(accord, ["alice-event", "bob-event"], paused=True)
        with accord.state.begin() as tx:
            tx.links.remove("bob-task")

    monkeypatch.setattr("accord.service.transfer.check_import", meddle)
    bring(accord, MEMORY + "".join(text + 'folder = "Work"\n' for text in links))
    with accord.state.read() as tx:
        found = {link.name: (link.mode, link.paused) for link in tx.links.all()}
        assert {link.folder for link in tx.links.all()} == {"Work"}
    assert found == {
        "alice-event": (Mode.ACTIVE, True),  # the text says so
        "alice-task": (Mode.OBSERVE, False),
        "bob-event": (Mode.OBSERVE, True),
        "bob-task": (Mode.OBSERVE, False),  # was removed, and is a new one
    }


@pytest.mark.parametrize("mode", Mode)
def test_an_export_brings_a_mode_back(accord: Accord, mode: Mode) -> None:
    bring(accord, MEMORY + LINK + f'mode = "{mode}"\n')
    text = export(accord)
    for other in Mode:
        set_mode(accord, ["alice"], other)
        bring(accord, text)
        assert export(accord) == text


def test_an_adapter_in_use_is_built_anew_after_a_change(accord: Accord) -> None:
    bring(accord, MEMORY)
    before = accord.adapter("company")
    bring(accord, MEMORY)
    assert accord.adapter("company") is before
    bring(accord, MEMORY + "page = 7\n")
    assert accord.adapter("company").traits.page == 7


def test_export_reads_back_as_the_same(
    accord: Accord, tmp_path: Path, databases: Databases
) -> None:
    text = (
        DAV
        + '[target.users]\n"alice@x.test" = "al"\n'
        + LINK
        + 'name = "Alice at work"\nfolder = "Büro \\"A\\""\nmode = "pilot"\nrule = "own"\n'
        + '[[rule]]\nname = "own"\nkind = "event"\nscope = "all"\n'
    )
    bring(accord, text)
    exported = export(accord)
    assert bring(accord, exported, environ={}).differences == ()
    other = State(databases.blank(), tmp_path / "key")
    again = Accord(other, accord.crm, registry.build)
    filled = exported.replace("# password is kept", 'password = { env = "PW" } #')
    bring(again, filled)
    assert export(again) == exported
    other.database.close()


# secrets


def test_a_secret_is_kept_encrypted_and_never_shown(accord: Accord, tmp_path: Path) -> None:
    outcome = bring(accord, DAV + LINK)
    with accord.state.read() as tx:
        target = tx.targets.by_name("company")
    assert target is not None
    assert target.secrets == {"password": SECRET}
    assert SECRET not in repr(outcome)
    assert SECRET not in repr(target)
    assert SECRET not in export(accord)
    accord.state.database.close()
    for file in tmp_path.iterdir():
        assert SECRET.encode() not in file.read_bytes(), file


def test_a_changed_secret_is_told_without_being_shown(accord: Accord) -> None:
    bring(accord, DAV)
    outcome = bring(accord, DAV, environ={"PW": "another"})
    (difference,) = outcome.differences
    assert [(t.field, t.before, t.after) for t in difference.turns] == [
        ("password", "(secret)", "(secret)")
    ]


def test_without_a_secret_the_stored_one_stays(accord: Accord) -> None:
    bring(accord, DAV + LINK)
    without = (DAV + LINK).replace('password = { env = "PW" }', "timeout = 5")
    bring(accord, without)
    with accord.state.read() as tx:
        target = tx.targets.by_name("company")
    assert target is not None
    assert target.secrets == {"password": SECRET}
    assert target.settings["timeout"] == 5


TWO = DAV.replace(
    'password = { env = "PW" }',
    '[target.passwords]\n"alice@x.test" = { env = "PW" }\n"bob@x.test" = { env = "PW" }\n',
)


def passwords(accord: Accord) -> dict[str, str]:
    with accord.state.read() as tx:
        target = tx.targets.by_name("company")
    assert target is not None
    return dict(target.secrets.get("passwords", {}))


def test_one_persons_password_leaves_the_others_alone(accord: Accord) -> None:
    bring(accord, TWO)
    one = TWO.replace('"bob@x.test" = { env = "PW" }\n', "")
    (difference,) = bring(accord, one, environ={"PW": "another"}).differences
    assert [t.field for t in difference.turns] == ["passwords.alice@x.test"]
    assert passwords(accord) == {"alice@x.test": "another", "bob@x.test": SECRET}


def test_what_export_says_of_passwords_can_be_followed_word_by_word(accord: Accord) -> None:
    bring(accord, TWO)
    exported = export(accord)
    told = re.search(r"^# passwords is kept .*: (passwords = .*)$", exported, re.MULTILINE)
    assert told is not None
    filled = exported.replace(told[0], told[1])
    outcome = bring(accord, filled, environ={"NAME": "another"})
    assert outcome.warnings == ()
    assert passwords(accord) == {"alice@x.test": "another", "bob@x.test": SECRET}


def test_tasks_are_given_to_users_of_the_crm_only(accord: Accord) -> None:
    rule = '[[rule]]\nname = "tasks"\nkind = "task"\n[rule.ownership]\n'
    problem = only(accord, f'{rule}"a@x.test" = "bob"\n"b@x.test" = "nobody"\n')
    assert (problem.line, problem.path) == (6, 'rule[0].ownership."b@x.test"')
    assert "nobody" in problem.message and "accord crm users add nobody" in problem.hint
    bring(accord, f'{rule}"a@x.test" = "bob"\n')


def test_an_owner_of_tasks_who_has_left_since_is_a_warning(accord: Accord) -> None:
    rule = '[[rule]]\nname = "tasks"\nkind = "task"\n[rule.ownership]\n'
    bring(accord, f'{rule}"a@x.test" = "bob"\n')
    crm: Any = accord.crm
    crm.lock_user("bob")
    (warning,) = bring(accord, f'{rule}"a@x.test" = "bob"\n').warnings
    assert (warning.severity, warning.line) == (Severity.WARNING, 5)
    found = problems(accord, f'{rule}"a@x.test" = "bob"\n"b@x.test" = "bob"\n')
    wrong = [each.path for each in found if each.severity is Severity.ERROR]
    assert wrong == ['rule[0].ownership."b@x.test"']


def test_what_is_said_of_one_field_of_a_group_is_refused_with_its_line(accord: Accord) -> None:
    rule = '[[rule]]\nname = "events"\nkind = "event"\n[rule.fields.start]\n'
    problem = only(accord, f'{rule}direction = "outbound"\n')
    assert problem.line == 5
    assert "end, time_zone" in problem.message
    assert problem.hint.endswith('fields.schedule.direction = "outbound"')
    bring(accord, rule.replace("start", "schedule") + 'direction = "outbound"\n')


def test_a_password_goes_only_where_the_text_says_false(accord: Accord) -> None:
    bring(accord, TWO)
    text = TWO.replace('"bob@x.test" = { env = "PW" }', '"bob@x.test" = false')
    (difference,) = bring(accord, text, plan=True).differences
    assert [(t.field, t.before, t.after) for t in difference.turns] == [
        ("passwords.bob@x.test", "(secret)", None)
    ]
    assert set(passwords(accord)) == {"alice@x.test", "bob@x.test"}
    bring(accord, text)
    assert passwords(accord) == {"alice@x.test": SECRET}
    assert bring(accord, text).differences == ()


def test_a_single_secret_goes_where_the_text_says_false(accord: Accord) -> None:
    bring(accord, DAV)
    bring(accord, DAV.replace('{ env = "PW" }', "false"))
    with accord.state.read() as tx:
        target = tx.targets.by_name("company")
    assert target is not None
    assert target.secrets == {}


def test_secrets_come_from_files_and_commands(accord: Accord, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("from a file\nsecond line")
    for reference, secret in (
        ('{ file = "pw" }', "from a file"),
        ('{ command = "printf from-a-command" }', "from-a-command"),
        ('{ command = ["printf", "%s", "two words"] }', "two words"),
    ):
        bring(accord, DAV.replace('{ env = "PW" }', reference), folder=tmp_path)
        with accord.state.read() as tx:
            target = tx.targets.by_name("company")
        assert target is not None
        assert target.secrets == {"password": secret}


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ('{ env = "NOT_SET" }', "NOT_SET is not set"),
        ('{ file = "nowhere" }', "can't read"),
        ('{ command = "false" }', "exit code 1"),
        ('{ command = "no-such-program-at-all" }', "could not be run"),
        ('{ command = "" }', "must name something"),
        ('{ vault = "x" }', "by reference"),
        ("7", "by reference"),
    ],
)
def test_a_missing_secret_has_its_place(
    accord: Accord, tmp_path: Path, reference: str, message: str
) -> None:
    text = DAV.replace('{ env = "PW" }', reference)
    problem = only(accord, text, folder=tmp_path)
    assert message in problem.message
    assert problem.line == line_of(text, "password")


def test_a_secret_in_plain_text_is_warned_about(accord: Accord) -> None:
    outcome = bring(accord, DAV.replace('{ env = "PW" }', f'"{SECRET}"'))
    (warning,) = outcome.warnings
    assert "others may read" in warning.message
    assert SECRET not in repr(outcome)


def test_a_certificate_that_is_not_checked_is_said_loudly(accord: Accord) -> None:
    text = DAV.replace("http:", "https:").replace("password =", "verify = false\npassword =")
    (warning,) = bring(accord, text).warnings
    assert "NOT CHECKED" in warning.message and "ca_file" in warning.hint
    assert warning.line == line_of(text, "verify")
    assert bring(accord, text.replace("verify = false", "verify = true")).warnings == ()


def test_a_person_without_any_password_is_noticed(accord: Accord) -> None:
    text = DAV.replace('password = { env = "PW" }', "") + LINK
    problem = only(accord, text)
    assert "no password for" in problem.message
    assert problem.line == line_of(text, "[[link]]")


# mistakes


@pytest.mark.parametrize(
    ("text", "at", "message", "hint"),
    [
        ('[[targte]]\nname = "x"', "targte", "no table 'targte'", "[[target]]"),
        ('[[target]]\nadapter = "memory"', "target", "name is missing", "name = "),
        ('[[target]]\nname = "x"', "target", "adapter is missing", "memory"),
        ('[[target]]\nname = "x"\nadapter = "davv"', "davv", "no adapter 'davv'", "dav"),
        ('[[target]]\nname = "a/b"\nadapter = "memory"', "name", "without /", ""),
        ('[[target]]\nname = 3\nadapter = "memory"', "name", "must be a text", ""),
        ('[target]\nname = "x"', "target", "must be tables", "[[target]]"),
        (MEMORY + "pgae = 3", "pgae", "no setting 'pgae'", "page"),
        (MEMORY + 'page = "many"', "page", "must be a number", ""),
        (MEMORY + 'instance = { env = "X" }', "instance", "is no secret", "value"),
        (DAV.replace("http:", "ftp:"), "url", "not an address", "https://"),
        (DAV.replace("{ env", "{ end"), "password", "by reference", "env ="),
        (MEMORY + LINK.replace("company", "compnay"), 'target = "comp', "no target", "company"),
        (MEMORY + LINK.replace("alice", "alcie"), "user", "alcie", "crm users add"),
        (MEMORY + LINK.replace("alice", "carol"), "[[link]]", "no address", "principal"),
        (MEMORY + LINK.replace('"event"', '"evnt"'), "kind", "no kind 'evnt'", "event"),
        (MEMORY + LINK.replace('"event"', '"mail"'), "kind", "no kind 'mail'", "event"),
        (MEMORY + LINK + 'rule = "none"', 'rule = "none"', "no rule 'none'", ""),
        (MEMORY + LINK + 'mode = "on"', "mode", "can't be 'on'", "observe"),
        (MEMORY + LINK + "foldr = 1", "foldr", "no key 'foldr'", "folder"),
        (MEMORY + LINK.replace('kind = "event"', ""), "[[link]]", "kind is missing", "kinds"),
        (MEMORY + LINK + 'kinds = ["task"]', "[[link]]", "both kind and kinds", "several"),
        (MEMORY + LINK.replace('user = "alice"', "user = 7"), "user", "must be a text", ""),
    ],
)
def test_every_mistake_has_file_line_and_hint(
    accord: Accord, text: str, at: str, message: str, hint: str
) -> None:
    found = problems(accord, text)
    assert {problem.file for problem in found} == {"c.toml"}
    fitting = [problem for problem in found if message in problem.message]
    assert fitting, found
    assert fitting[0].line == line_of(text, at)
    assert hint in fitting[0].hint


def test_all_mistakes_are_told_at_once(accord: Accord) -> None:
    text = MEMORY + "pgae = 1\n" + LINK + 'rule = "none"\n[[rule]]\nname = "r"\nknid = "event"\n'
    lines = [problem.line for problem in problems(accord, text)]
    assert lines == sorted(lines)
    assert {line_of(text, "pgae"), line_of(text, '"none"'), line_of(text, "knid")} <= set(lines)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('name = "same"\n', "name can't be the same for several links"),
        ('folder = "F"\n', "folder can't be the same for several kinds"),
        ('rule = "events"\n', "rule can't be the same for several kinds"),
    ],
)
def test_what_is_one_links_own_is_not_given_to_several(
    accord: Accord, more: str, message: str
) -> None:
    text = MEMORY + LINK.replace('kind = "event"', 'kinds = ["event", "task"]') + more
    assert message in {problem.message for problem in problems(accord, text)}


def test_two_links_of_one_name_are_refused(accord: Accord) -> None:
    problem = only(accord, MEMORY + LINK + LINK)
    assert "alice-event" in problem.message
    assert "name = " in problem.hint


def test_two_targets_of_one_name_are_refused(accord: Accord) -> None:
    assert "taken by line 2" in only(accord, MEMORY + MEMORY).message


def test_a_kind_that_the_target_does_not_carry_is_refused(
    accord: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accord.groupware import memory
    from accord.model.kinds import Kind

    server = memory.build({})
    del server.traits.kinds[Kind.TASK]
    monkeypatch.setattr(accord, "_build", lambda target: server)
    text = MEMORY + LINK.replace('"event"', '"task"')
    found = problems(accord, text)
    assert any("carries no tasks" in p.message and p.line == line_of(text, "kind") for p in found)


def test_a_rule_is_checked_beside_the_target_and_placed(accord: Accord) -> None:
    rule = '[[rule]]\nname = "events"\nkind = "event"\nfilter.crm = "item.nothing == 1"\n'
    text = MEMORY + LINK + rule
    found = problems(accord, text)
    assert found[0].line == line_of(text, "filter.crm")


def test_a_rule_for_another_kind_is_refused(accord: Accord) -> None:
    text = MEMORY + LINK + 'rule = "t"\n[[rule]]\nname = "t"\nkind = "task"\n'
    problem = only(accord, text)
    assert "is for tasks, the link for events" in problem.message
    assert problem.line == line_of(text, 'rule = "t"')


def test_a_link_that_has_synchronized_keeps_its_mailbox(accord: Accord) -> None:
    bring(accord, MEMORY + LINK)
    moved = LINK + 'principal = "other@x.test"\n'
    assert bring(accord, moved, plan=True).differences
    pair(accord, "alice-event")
    with pytest.raises(RuleErrors) as caught:
        bring(accord, moved)
    (problem,) = caught.value.problems
    assert "principal can't change" in problem.message
    assert problem.line == line_of(moved, "principal")


def test_a_target_with_links_keeps_its_adapter(accord: Accord) -> None:
    bring(accord, MEMORY + LINK)
    with pytest.raises(RuleErrors, match="is a memory with links on it"):
        bring(accord, DAV)


def test_default_rules_do_not_replace_ones_of_that_name(accord: Accord) -> None:
    bring(accord, '[[rule]]\nname = "events"\nkind = "event"\nwindow.past = 30\n')
    bring(accord, MEMORY + LINK)
    with accord.state.read() as tx:
        rule = tx.rules.active("events")
    assert isinstance(rule, Rule)
    assert rule.window.past == 30


def test_relative_files_begin_beside_the_text(accord: Accord, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    text = DAV + 'ca_file = "ca.pem"\n'
    assert "certificate" in only(accord, text, folder=tmp_path).message
    assert "No such file" in only(accord, text, folder=tmp_path / "elsewhere").message
