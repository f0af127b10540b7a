"""Which template says what, where people are in several groups and choose for themselves."""

from __future__ import annotations

from typing import Any

import pytest

from accord.directory.preferences import parse_kinds
from accord.directory.wishes import Wishes, wishes_of
from accord.model.kinds import Kind
from accord.ports.users import UserCard
from accord.state.templates import Open, Template

ANNA = UserCard(name="anna", addresses=("anna@x.test",), groups=("a", "b"))


def template(name: str, **values: Any) -> Template:
    given: dict[str, Any] = {
        "name": name,
        "group": name,
        "target": "t",
        "kinds": (Kind.EVENT,),
        "rules": {str(kind): f"{kind}s" for kind in Kind},
    }
    return Template(**(given | values))


def wishes(*templates: Template, **chosen: str) -> Wishes:
    return wishes_of(templates, [ANNA], frozenset("ab"), {"anna": chosen})


def test_the_first_template_that_names_a_contact_mode_says_it() -> None:
    found = wishes(template("a", contacts="all"), template("b", contacts="list"))
    assert found.contacts == {"anna": "all"}
    found = wishes(template("a"), template("b", contacts="list"))
    assert found.contacts == {"anna": "list"}


def test_a_contact_mode_is_a_persons_own_where_it_is_open() -> None:
    closed = template("a", contacts="all")
    assert wishes(closed, contacts="list").contacts == {"anna": "all"}
    opened = template("a", contacts="all", open=(Open.CONTACTS,))
    assert wishes(opened, contacts="list").contacts == {"anna": "list"}
    assert wishes(opened).contacts == {"anna": "all"}


def test_no_kind_at_all_may_be_chosen() -> None:
    found = wishes(template("a", open=(Open.KINDS,)), kinds="none")
    assert found.links == () and found.members == {"anna"}


def test_kinds_keep_the_order_of_the_template() -> None:
    wide = template("a", kinds=(Kind.TASK, Kind.EVENT), open=(Open.KINDS,))
    found = wishes(wide, kinds="event,task,contact")
    assert [wish.kind for wish in found.links] == [Kind.TASK, Kind.EVENT]


@pytest.mark.parametrize("text", ["", ",", "mail", "event;task", "none,event"])
def test_other_words_are_no_kinds(text: str) -> None:
    with pytest.raises(ValueError, match="kind"):
        parse_kinds(text)


def test_who_may_not_sign_in_gets_nothing() -> None:
    locked = UserCard(name="anna", addresses=("a@x",), groups=("a",), active=False)
    found = wishes_of([template("a")], [locked], frozenset("a"), {})
    assert found.links == () and not found.members
    assert found.locked == {"anna"}
