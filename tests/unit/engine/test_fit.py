"""What a side can't hold is withheld: a new item stays where it is, a pair's change waits."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import UNSET

from accord.engine.first import newcomer
from accord.engine.fit import fitted
from accord.engine.guard import await_approval
from accord.engine.plan import Skip
from accord.model.item import Item
from accord.model.kinds import Side
from accord.model.parts import Privacy
from tests.unit.engine.kit import (
    CRM,
    GROUPWARE,
    decide,
    event,
    found,
    pairing,
    policy,
    snap,
    words,
)

WHY = "it has no word for that"


def unfit(side: Side, item: Item, changed: Collection[str] | None) -> str:
    """Refuse what is called "Series" in the mailbox, where its title is written."""
    title = getattr(item, "title", "")
    asked = changed is None or "title" in changed
    return WHY if side is GROUPWARE and title == "Series" and asked else ""


def test_what_is_new_stays_where_it_is() -> None:
    series = snap(event("Series"), ref="c1", version="7")
    (step,) = fitted(newcomer(CRM, series, policy()), unfit)
    assert step == Skip(side=CRM, ref="c1", version="7", parked="withheld", why=WHY, label="Series")
    assert step.name == "withheld"
    other = newcomer(CRM, snap(event("Review")), policy())
    assert fitted(other, unfit) == other
    inbound = newcomer(GROUPWARE, snap(event("Series")), policy())
    assert fitted(inbound, unfit) == inbound


def test_a_change_of_a_pair_waits_and_its_other_side_is_still_written() -> None:
    steps = decide(
        pairing(event()),
        "changed",
        "changed",
        crm_edit={"title": "Series"},
        mailbox_edit={"location": "Here"},
    )
    waiting = fitted(steps, unfit)
    assert words(waiting) == ["skip groupware (withheld)", "update crm: location"]
    assert found(waiting, Skip).pairing == "p1"
    assert words(fitted(steps, lambda *_: "")) == words(steps)


def test_a_change_of_anything_else_goes_through() -> None:
    steps = decide(pairing(event("Series")), "changed", "same", crm_edit={"location": "Here"})
    assert fitted(steps, unfit) == steps


def test_nobody_is_asked_to_approve_what_cannot_be_done() -> None:
    steps = newcomer(CRM, snap(event("Series")), policy())
    held = await_approval(steps, frozenset(), "rule change")
    assert words(held) == ["hold create groupware"]
    assert words(fitted(held, unfit)) == ["skip crm (withheld)"]


def test_no_title_of_a_private_item_is_told() -> None:
    secret = snap(event("Series", privacy=Privacy.PRIVATE))
    (step,) = fitted(newcomer(CRM, secret, policy()), unfit)
    assert isinstance(step, Skip)
    assert step.label is UNSET
