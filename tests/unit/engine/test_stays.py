"""Changes of a record that can't travel: each is named, with the reason, and nothing else is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from accord.engine.merge import merge, shared_edits
from accord.engine.plan import Pairing, Skip, Update
from accord.engine.stays import stays
from accord.model.diff import patch
from accord.model.item import Event, Item
from accord.model.kinds import Direction, Kind, Side
from accord.model.parts import Attendee, Person, Privacy
from accord.rules.rule import Private
from tests.unit.engine.kit import (
    BOB,
    CHANGED,
    CRM,
    EVE,
    GROUPWARE,
    HOUR,
    OWNER,
    SAME,
    TOMORROW,
    decide,
    event,
    found,
    invite,
    meeting,
    pairing,
    policy,
    rule_of,
    snap,
    task,
    traits,
    words,
)

MIRROR = (
    ' of this meeting stay in the CRM: under meetings = "mirror" nobody is invited from a mailbox'
)
MORE = tuple(Attendee(address=address) for address in (OWNER, BOB, EVE))


def told(
    ours: Item, theirs: Item, edit: dict[str, Any], under: Any = None, *, mailbox: Any = None
) -> str:
    """Return what is said to stay after an edit of the record (and one of the entry)."""
    pair = pairing(ours, theirs)
    now = {side: pair.side(side) for side in Side}
    for side, values in ((CRM, edit), (GROUPWARE, mailbox or {})):
        now[side] = msgspec.structs.replace(now[side], item=patch(now[side].item, values))
    return stays(pair, now[CRM], now[GROUPWARE], under or policy())


# People of a meeting that lives in the mailbox.


@pytest.mark.parametrize(
    ("edit", "names"),
    [
        ({"attendees": MORE}, "attendees"),
        ({"organizer": Person(address=BOB)}, "organizer"),
        ({"organizer": None, "attendees": MORE}, "organizer, attendees"),
        ({"attendees": MORE, "title": "Anew"}, "attendees"),
    ],
)
def test_people_of_a_mailboxs_own_meeting_stay_and_are_named(
    edit: dict[str, Any], names: str
) -> None:
    own = meeting(OWNER, OWNER, BOB)
    assert told(own, own, edit) == names + MIRROR


def test_what_the_meeting_has_as_well_does_not_stay() -> None:
    own = meeting(OWNER, OWNER, BOB)
    both = {"attendees": MORE}
    assert told(own, own, both, mailbox=both) == ""
    assert told(own, own, {**both, "organizer": None}, mailbox=both) == "organizer" + MIRROR
    assert told(own, own, {"title": "Anew"}) == ""


@pytest.mark.parametrize(
    ("ours", "theirs", "under"),
    [
        pytest.param(event(), event(), policy(), id="a plain copy takes people as data"),
        pytest.param(
            meeting(EVE, OWNER), meeting(EVE, OWNER), policy(), id="put back for its organizer"
        ),
        pytest.param(
            meeting(OWNER), meeting(OWNER), policy(invite()), id="the server invites them"
        ),
        pytest.param(
            meeting(OWNER),
            meeting(OWNER),
            policy(rule_of(direction=Direction.INBOUND)),
            id="nothing goes out",
        ),
    ],
)
def test_nobody_is_told_of_people_where_another_reason_holds(
    ours: Event, theirs: Event, under: Any
) -> None:
    assert told(ours, theirs, {"attendees": MORE}, under) == ""


def test_tasks_have_no_such_people() -> None:
    under = policy(rule_of(Kind.TASK, direction=Direction.BOTH))
    edit = {"organizer": Person(address=BOB), "title": "Anew"}
    assert told(task(), task(), edit, under) == ""


def test_what_stays_is_said_beside_what_travels() -> None:
    pair = pairing(meeting(OWNER, OWNER, BOB))
    answer = decide(pair, CHANGED, SAME, crm_edit={"attendees": MORE, "title": "Anew"})
    assert words(answer) == ["skip crm", "update groupware: people title"]
    assert found(answer, Skip).why == "attendees" + MIRROR


# What is written onto a private entry: nothing.

BUSY = policy(rule_of(private=Private.BUSY))


def reduced_pair(ours: Event, **values: Any) -> Pairing:
    """Return a record beside an entry of which no more than its time is known."""
    entry = event("Busy", privacy=Privacy.PRIVATE)
    pair = pairing(ours, entry, **values)
    return msgspec.structs.replace(
        pair, groupware=msgspec.structs.replace(pair.groupware, readonly=True)
    )


RECORD = event("Busy", privacy=Privacy.PRIVATE)


@pytest.mark.parametrize(
    ("edit", "names"),
    [
        ({"title": "Ours"}, "title"),
        ({"location": "Here", "title": "Ours"}, "title, location"),
    ],
)
def test_what_the_crm_changes_of_a_private_entry_stays_and_is_named(
    edit: dict[str, Any], names: str
) -> None:
    answer = decide(reduced_pair(RECORD), CHANGED, SAME, BUSY, crm_edit=edit)
    assert words(answer) == ["skip crm", "pair"]
    assert found(answer, Skip).why == (
        f"{names} stays in the CRM: nothing is written onto a private entry"
    )


@pytest.mark.parametrize(
    "under",
    [
        policy(rule_of(private=Private.BUSY, direction=Direction.INBOUND)),
        policy(rule_of(private=Private.BUSY), groupware=traits(readonly=frozenset({"location"}))),
    ],
)
def test_what_would_not_travel_anyway_is_not_kept_from_a_private_entry(under: Any) -> None:
    answer = decide(reduced_pair(RECORD), CHANGED, SAME, under, crm_edit={"location": "Here"})
    assert words(answer) == ["pair"]


def test_a_private_entry_still_tells_its_time_and_takes_none() -> None:
    later, latest = TOMORROW + HOUR, TOMORROW + 2 * HOUR
    pair = reduced_pair(RECORD)
    answer = decide(
        pair, CHANGED, CHANGED, BUSY, crm_edit={"title": "Ours"}, mailbox_edit={"start": later}
    )
    assert words(answer) == ["skip crm", "update crm: start"]
    assert found(answer, Update).after.title == "Ours"
    crm = msgspec.structs.replace(pair.crm, item=patch(pair.crm.item, {"start": latest}))
    result = merge(pair, crm, pair.groupware, BUSY)
    assert (result.crm, result.groupware) == ({}, {})


def test_nothing_is_undecided_about_a_private_entry_that_stands_against_a_deletion() -> None:
    pair = reduced_pair(RECORD, contested=("title",))
    assert shared_edits(pair, CRM, pair.groupware, BUSY) == ()
    open_entry = snap(event("Theirs"), ref="g1")
    pair = pairing(event("Ours"), event("Theirs"), contested=("title",))
    assert shared_edits(pair, CRM, open_entry, BUSY) == ("title",)


def test_a_private_record_that_may_only_be_read_keeps_what_is_undecided() -> None:
    """Only entries of the mailbox are reduced; the CRM tells a record in full."""
    pair = pairing(
        event("Ours", privacy=Privacy.PRIVATE), event("Theirs"), contested=("title",),
        crm_readonly=True,
    )  # fmt: skip
    assert shared_edits(pair, GROUPWARE, pair.crm, BUSY) == ("title",)
