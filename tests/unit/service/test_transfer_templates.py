"""Link templates in the configuration's text: read, shown, exported, and refused with a place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from accord.crm import memory as crm_memory
from accord.model.kinds import Direction, Kind
from accord.ports.errors import ConfigError
from accord.rules.problem import Problem, RuleErrors, Severity
from accord.service import registry
from accord.service.accord import Accord
from accord.service.initialize import initialize
from accord.service.removal import remove_target
from accord.service.transfer import Outcome, export, import_
from accord.service.transfer_diff import TAKEN
from accord.state.records import Mode
from accord.state.state import State
from accord.state.templates import Open, Template
from tests.databases import Databases

TARGET = '[[target]]\nname = "company"\nadapter = "memory"\n'
SALES = """
[[template]]
name = "sales"
group = "sales"
target = "company"
kinds = ["event", "contact"]
offers = ["task"]
open = ["kinds"]
mailbox = "user.address"
mode = "pilot"
order = 5
withdraw_after = 14
successor = "bob"

[template.directions]
contact = "outbound"
task = "both"

[template.aliases]
alice = "al@x.test"
"""
LEAST = '[[template]]\nname = "t"\ngroup = "sales"\ntarget = "company"\nkinds = ["event"]\n'


@pytest.fixture
def accord(tmp_path: Path, databases: Databases) -> Iterator[Accord]:
    state = State(databases.blank(), tmp_path / "key")
    crm = crm_memory.build({"users": {"alice": "alice@x.test", "bob": "bob@x.test"}})
    crm.put_group("sales", "alice", "bob")
    accord = Accord(state, crm, registry.build)
    yield accord
    accord.close()


def bring(accord: Accord, text: str, *, plan: bool = False) -> Outcome:
    return import_(accord, TARGET + text, "c.toml", plan=plan)


def problems(accord: Accord, text: str) -> tuple[Problem, ...]:
    with pytest.raises(RuleErrors) as caught:
        bring(accord, text)
    with accord.state.read() as tx:
        assert tx.templates.all() == []
    return tuple(caught.value.problems)


def test_a_template_is_read_with_the_rules_it_needs(accord: Accord) -> None:
    outcome = bring(accord, SALES)
    assert [(d.action, d.what, d.name) for d in outcome.differences] == [
        ("add", "target", "company"),
        ("add", "rule", "events"),
        ("add", "rule", "contacts"),
        ("add", "rule", "tasks-both"),
        ("add", "template", "sales"),
    ]
    with accord.state.read() as tx:
        assert tx.templates.all() == [
            Template(
                name="sales",
                group="sales",
                target="company",
                kinds=(Kind.EVENT, Kind.CONTACT),
                offers=(Kind.TASK,),
                open=(Open.KINDS,),
                rules={"event": "events", "contact": "contacts", "task": "tasks-both"},
                mailbox="user.address",
                aliases={"alice": "al@x.test"},
                mode=Mode.PILOT,
                order=5,
                withdraw_after=14,
                successor="bob",
            )
        ]
        both = tx.rules.active("tasks-both")
        assert tx.links.all() == [], "links come with the initialization"
    assert both is not None and both.direction is Direction.BOTH


def test_what_is_exported_is_read_again(accord: Accord) -> None:
    bring(accord, SALES + LEAST.replace("kinds", "withdraw_after = -1\nhold = false\nkinds"))
    text = export(accord)
    assert import_(accord, text, "again.toml").differences == ()
    with accord.state.read() as tx:
        before = tx.templates.all()
        rules = [tx.rules.active(name) for name in tx.rules.names()]
    for one in before:
        with accord.state.begin() as tx:
            tx.templates.remove(one.name)
    import_(accord, text, "again.toml")
    with accord.state.read() as tx:
        assert tx.templates.all() == before
        assert [tx.rules.active(name) for name in tx.rules.names()] == rules


@pytest.mark.parametrize("mode", [None, *Mode])
def test_links_of_a_template_go_on_as_pilots_unless_it_says_more(
    accord: Accord, mode: Mode | None
) -> None:
    said = f'mode = "{mode}"\n' if mode else ""
    bring(accord, LEAST + said)
    assert bring(accord, LEAST).differences == (), "it keeps what it said"
    with accord.state.read() as tx:
        assert [one.mode for one in tx.templates.all()] == [mode or Mode.PILOT]
    initialize(accord)
    with accord.state.read() as tx:
        assert {link.mode for link in tx.links.all()} == {Mode.OBSERVE}
    assert bring(accord, export(accord).replace(TARGET, "")).differences == ()


def test_an_export_leaves_a_templates_links_to_it(accord: Accord) -> None:
    bring(accord, LEAST)
    initialize(accord)
    text = export(accord)
    assert "[[link]]" not in text
    assert "Templates make 2 links more" in text
    assert import_(accord, text, "again.toml").differences == ()


def test_a_link_in_a_text_is_taken_from_its_template(accord: Accord) -> None:
    bring(accord, LEAST)
    initialize(accord)
    link = '[[link]]\nuser = "alice"\nkind = "event"\ntarget = "company"\nmode = "observe"\n'
    (difference,) = bring(accord, link, plan=True).differences
    assert (difference.name, difference.note, difference.turns) == ("alice-event", TAKEN, ())
    with accord.state.read() as tx:
        assert len(tx.given_links.all()) == 2
    bring(accord, link)
    with accord.state.read() as tx:
        assert [one.link for one in tx.given_links.all()] == ["bob-event"]
    assert bring(accord, link).differences == ()
    assert initialize(accord).troubles[0].why == "the link alice-event was made by hand"


def test_a_changed_template_is_shown_field_by_field(accord: Accord) -> None:
    bring(accord, SALES)
    (difference,) = bring(accord, SALES.replace('"pilot"', '"active"')).differences
    assert (difference.action, difference.what, difference.name) == ("change", "template", "sales")
    assert [(turn.field, turn.before, turn.after) for turn in difference.turns] == [
        ("mode", "pilot", "active")
    ]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (LEAST.replace('"company"', '"firm"'), 7, "there is no target 'firm'"),
        (LEAST.replace('["event"]', '["evnt"]'), 8, "there is no kind 'evnt' to link"),
        (LEAST.replace('["event"]', '["mail"]'), 8, "there is no kind 'mail' to link"),
        (LEAST.replace('["event"]', "[]"), 8, "names no kind"),
        (LEAST + 'mailbox = "user.adress +"\n', 9, ""),
        (LEAST + 'mailbox = \'user.name.matches("(") ? user.name : ""\'\n', 9, "is no pattern"),
        (LEAST + 'contacts = "all"\n', 9, "the CRM knows no contact mode 'all'"),
        (LEAST + 'successor = "zoe"\n', 9, "there is no CRM user 'zoe'"),
        (LEAST + '[template.aliases]\nzoe = "z@x"\n', 10, "there is no CRM user 'zoe'"),
        (LEAST + '[template.rules]\nevent = "none"\n', 10, "there is no rule 'none'"),
        (LEAST + '[template.folders]\ntask = "x"\n', 10, "the template has no 'task'"),
        (LEAST + LEAST, 10, "there is a template 't' already in this text"),
        (LEAST + "colour = 1\n", 9, ""),
        (
            LEAST + '[template.rules]\nevent = "x"\n[[rule]]\nname = "x"\nkind = "task"\n',
            10,
            "the rule 'x' is for tasks, not for events",
        ),
        (
            LEAST + '[template.directions]\nevent = "inbound"\n[template.rules]\nevent = "x"\n'
            '[[rule]]\nname = "x"\nkind = "event"\n',
            10,
            "the rule 'x' goes both, the template says inbound",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    accord: Accord, text: str, line: int, said: str
) -> None:
    found = problems(accord, text)
    assert line in [problem.line for problem in found], found
    assert any(said in problem.message for problem in found), found


def test_a_group_that_is_not_there_yet_is_a_warning(accord: Accord) -> None:
    outcome = bring(accord, LEAST.replace('"sales"', '"sale"'))
    (warning,) = outcome.warnings
    assert warning.severity is Severity.WARNING and "no group 'sale'" in warning.message
    assert "sales" in warning.hint


def test_a_target_with_templates_stays(accord: Accord) -> None:
    bring(accord, LEAST)
    with pytest.raises(ConfigError, match="templates still use company: t"):
        remove_target(accord, "company")
