"""The decision table, row by row: what both sides say of a pair, and what follows from it."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from typing import Any

import pytest
from msgspec import UNSET

from accord.engine.plan import (
    WRITES_OVER,
    Create,
    Delete,
    Hold,
    Pair,
    Pairing,
    Skip,
    Step,
    Unpair,
    Unread,
    Update,
)
from accord.engine.policy import Policy
from accord.engine.reconcile import TABLE, Case, Said, reconcile, said
from accord.model.item import TaskStatus
from accord.model.kinds import Direction, Kind, Side
from accord.model.observe import Seen, Unknown
from accord.model.parts import Attendee, Body, Person, Privacy, Reminder, Reply
from accord.model.recurrence import EventStatus, Override
from accord.rules.rule import (
    Clash,
    Deletion,
    Deletions,
    FieldRule,
    Filters,
    Invitations,
    Leaving,
    Private,
    Rule,
    Window,
)
from tests.unit.engine.kit import (
    BLIND,
    BOB,
    CHANGED,
    CRM,
    EVE,
    GONE,
    GROUPWARE,
    LEFT,
    MOVED,
    OWNER,
    SAME,
    TOMORROW,
    contact,
    decide,
    event,
    found,
    invite,
    meeting,
    pairing,
    past,
    policy,
    rule_of,
    say,
    scheduling,
    series,
    snap,
    task,
    why,
    words,
)

WORDS = (SAME, CHANGED, GONE, MOVED, LEFT, BLIND)


def test_the_table_has_an_answer_for_everything_two_sides_can_say() -> None:
    assert set(TABLE) == set(itertools.product(Said, Said))
    assert len(TABLE) == 36


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("same", Said.SAME),
        ("silent", Said.SAME),
        ("changed", Said.CHANGED),
        ("gone", Said.GONE),
        ("erased", Said.GONE),
        ("trash", Said.GONE),
        ("moved", Said.MOVED),
        ("left", Said.LEFT),
        ("blind", Said.BLIND),
        ("unread", Said.BLIND),
        ("unreadable", Said.BLIND),
    ],
)
def test_every_observation_has_one_meaning_beside_the_base(word: str, meaning: Said) -> None:
    base = snap(event())
    assert said(base, say(base, word)) is meaning


def test_the_version_we_know_is_no_change_whatever_the_item_says() -> None:
    base = snap(event())
    assert said(base, Seen(snap(event("Other")))) is Said.SAME


# CRM, mailbox, steps, gist of the reasons. The CRM edits the place, the mailbox the title.
ROWS: list[tuple[str, str, list[str], str]] = [
    (SAME, SAME, [], ""),
    (SAME, CHANGED, ["update crm: title"], "changed in the mailbox"),
    (SAME, GONE, ["delete crm"], "deleted in the mailbox"),
    (SAME, MOVED, ["unpair moved"], "moved elsewhere"),
    (SAME, LEFT, ["unpair moved"], "moved elsewhere"),
    (SAME, BLIND, ["skip groupware"], "can't be read at present: no right"),
    (CHANGED, SAME, ["update groupware: location"], "changed in the CRM"),
    (
        CHANGED,
        CHANGED,
        ["update groupware: location", "update crm: title"],
        "changed in the CRM . changed in the mailbox",
    ),
    (CHANGED, GONE, ["create groupware"], "deleted in the mailbox, but location edited in the CRM"),
    (CHANGED, MOVED, ["unpair moved"], "moved elsewhere"),
    (CHANGED, LEFT, ["unpair moved"], "moved elsewhere"),
    (CHANGED, BLIND, ["skip groupware (retry)"], "can't be read at present"),
    (GONE, SAME, ["delete groupware"], "deleted in the CRM"),
    (GONE, CHANGED, ["create crm"], "deleted in the CRM, but title edited in the mailbox"),
    (GONE, GONE, ["forget"], "gone on both sides"),
    (GONE, MOVED, ["forget"], "gone on both sides"),
    (GONE, LEFT, ["forget"], "gone on both sides"),
    (GONE, BLIND, ["skip groupware (retry)"], "can't be read at present"),
    (MOVED, SAME, ["unpair moved"], "moved elsewhere"),
    (MOVED, CHANGED, ["unpair moved"], "moved elsewhere"),
    (MOVED, GONE, ["forget"], "gone on both sides"),
    (MOVED, MOVED, ["unpair moved"], "moved elsewhere"),
    (MOVED, LEFT, ["unpair moved"], "moved elsewhere"),
    (MOVED, BLIND, ["skip groupware (retry)"], "can't be read at present"),
    (LEFT, SAME, ["unpair scope"], "left the user's scope: now with Bob"),
    (LEFT, CHANGED, ["unpair scope"], "left the user's scope"),
    (LEFT, GONE, ["forget"], "gone on both sides"),
    (LEFT, MOVED, ["unpair moved"], "moved elsewhere"),
    (LEFT, LEFT, ["unpair scope"], "left the user's scope"),
    (LEFT, BLIND, ["skip groupware (retry)"], "can't be read at present"),
    (BLIND, SAME, ["skip crm"], "can't be read at present"),
    (BLIND, CHANGED, ["skip crm (retry)"], "can't be read at present"),
    (BLIND, GONE, ["skip crm (retry)"], "can't be read at present"),
    (BLIND, MOVED, ["skip crm (retry)"], "can't be read at present"),
    (BLIND, LEFT, ["skip crm (retry)"], "can't be read at present"),
    (BLIND, BLIND, ["skip crm"], "can't be read at present: no right; no right"),
]


def test_the_rows_cover_the_table() -> None:
    assert {(crm, mailbox) for crm, mailbox, _, _ in ROWS} == set(itertools.product(WORDS, WORDS))


@pytest.mark.parametrize(("crm", "mailbox", "steps", "gist"), ROWS)
def test_row(crm: str, mailbox: str, steps: list[str], gist: str) -> None:
    answer = decide(
        pairing(event()),
        crm,
        mailbox,
        crm_edit={"location": "Room 1"},
        mailbox_edit={"title": "Rehearsal"},
    )
    assert words(answer) == steps
    assert re.search(gist, why(answer))
    assert all(step.why for step in answer)


# The same table while a conflict about the title is open: only this is decided otherwise.
CONTESTED: dict[tuple[str, str], tuple[list[str], str]] = {
    (SAME, CHANGED): (["conflict title: open", "pair"], "the conflict about it is still open"),
    (SAME, GONE): (["create groupware"], "deleted in the mailbox, but title edited in the CRM"),
    (CHANGED, CHANGED): (
        ["conflict title: open", "update groupware: location"],
        "the conflict about it is still open . changed in the CRM",
    ),
    (CHANGED, GONE): (
        ["create groupware"],
        "deleted in the mailbox, but location, title edited in the CRM",
    ),
    (GONE, SAME): (["create crm"], "deleted in the CRM, but title edited in the mailbox"),
}


@pytest.mark.parametrize(("crm", "mailbox", "steps", "gist"), ROWS)
def test_row_of_a_pair_in_conflict(crm: str, mailbox: str, steps: list[str], gist: str) -> None:
    steps, gist = CONTESTED.get((crm, mailbox), (steps, gist))
    pair = pairing(event("Ours"), event("Theirs"), contested=("title",))
    answer = decide(
        pair, crm, mailbox, crm_edit={"location": "Room 1"}, mailbox_edit={"title": "Rehearsal"}
    )
    assert words(answer) == steps
    assert re.search(gist, why(answer))
    kept = [step.contested for step in answer if isinstance(step, Update | Pair)]
    assert all(contested == ("title",) for contested in kept)


# What stands against carrying a deletion over, or for it.
NO_INBOUND = rule_of(direction=Direction.OUTBOUND)
NO_OUTBOUND = rule_of(direction=Direction.INBOUND)
KEEPS = rule_of(delete=Deletions(inbound=Deletion.KEEP, outbound=Deletion.KEEP))
UNLINKS = rule_of(delete=Deletions(inbound=Deletion.UNLINK, outbound=Deletion.UNLINK))
PROPAGATES = rule_of(direction=Direction.OUTBOUND, delete=Deletions(inbound=Deletion.PROPAGATE))

DELETIONS: list[tuple[str, dict[str, Any], str, str, dict[str, Any], list[str], str]] = [
    # name, pairing, crm, mailbox, options of decide, steps, gist
    ("rule keeps", {}, SAME, GONE, {"under": policy(KEEPS)}, ["unpair unlinked"], "says keep"),
    ("rule unlinks", {}, SAME, GONE, {"under": policy(UNLINKS)}, ["unpair unlinked"], "unlink"),
    ("rule keeps", {}, GONE, SAME, {"under": policy(KEEPS)}, ["unpair unlinked"], "says keep"),
    ("rule unlinks", {}, GONE, SAME, {"under": policy(UNLINKS)}, ["unpair unlinked"], "unlink"),
    ("outbound only", {}, SAME, GONE, {"under": policy(NO_INBOUND)}, ["unpair unlinked"], "keep"),
    ("outbound only", {}, GONE, SAME, {"under": policy(NO_INBOUND)}, ["delete groupware"], ""),
    ("inbound only", {}, GONE, SAME, {"under": policy(NO_OUTBOUND)}, ["unpair unlinked"], "keep"),
    ("inbound only", {}, SAME, GONE, {"under": policy(NO_OUTBOUND)}, ["delete crm"], ""),
    ("said by rule", {}, SAME, GONE, {"under": policy(PROPAGATES)}, ["delete crm"], "deleted in"),
    ("in the trash", {}, SAME, "trash", {}, ["delete crm"], "deleted in the mailbox"),
    (
        "erasure beats what is undecided",
        {"contested": ("title",)},
        "erased",
        SAME,
        {},
        ["delete groupware"],
        "erased in the CRM",
    ),
    (
        "only personal matters are undecided",
        {"contested": ("categories",)},
        GONE,
        SAME,
        {},
        ["delete groupware"],
        "deleted in the CRM",
    ),
    (
        "what is undecided doesn't travel there",
        {"contested": ("body",)},
        GONE,
        SAME,
        {"under": policy(rule_of(fields={"body": FieldRule(direction=Direction.OUTBOUND)}))},
        ["delete groupware"],
        "deleted in the CRM",
    ),
    (
        "an undecided copy that gives no content",
        {"contested": ("title",), "content": False},
        GONE,
        SAME,
        {},
        ["delete groupware"],
        "deleted in the CRM",
    ),
    (
        "personal edit",
        {},
        CHANGED,
        GONE,
        {"crm_edit": {"categories": ("Red",), "reminders": (Reminder(minutes=5),)}},
        ["delete crm"],
        "deleted in the mailbox",
    ),
    (
        "personal edit",
        {},
        GONE,
        CHANGED,
        {"mailbox_edit": {"categories": ("Red",)}},
        ["delete groupware"],
        "deleted in the CRM",
    ),
    (
        "edit of what does not travel",
        {},
        GONE,
        CHANGED,
        {
            "mailbox_edit": {"body": Body(text="mine")},
            "under": policy(rule_of(fields={"body": FieldRule(direction=Direction.OUTBOUND)})),
        },
        ["delete groupware"],
        "deleted in the CRM",
    ),
    (
        "edit, but nothing is created there",
        {},
        GONE,
        CHANGED,
        {"mailbox_edit": {"title": "X"}, "under": policy(rule_of(creates=Direction.OUTBOUND))},
        ["unpair unlinked"],
        "title edited in the mailbox; the rule creates nothing there",
    ),
    (
        "idle new version",
        {},
        GONE,
        CHANGED,
        {"mailbox_edit": {}},
        ["delete groupware"],
        "deleted in the CRM",
    ),
    ("erased in the CRM", {}, "erased", SAME, {}, ["delete groupware"], "erased in the CRM"),
    (
        "erasure beats edits",
        {},
        "erased",
        CHANGED,
        {"mailbox_edit": {"title": "X"}},
        ["delete groupware"],
        "erased in the CRM",
    ),
    (
        "erasure beats edits",
        {},
        CHANGED,
        "erased",
        {"crm_edit": {"title": "X"}},
        ["delete crm"],
        "erased in the mailbox",
    ),
    (
        "erasure beats the rule",
        {},
        "erased",
        SAME,
        {"under": policy(KEEPS)},
        ["delete groupware"],
        "erased",
    ),
]


@pytest.mark.parametrize(
    ("pair", "crm", "mailbox", "options", "steps", "gist"),
    [row[1:] for row in DELETIONS],
    ids=[f"{row[0]}-{row[2]}-{row[3]}" for row in DELETIONS],
)
def test_deletion(
    pair: dict[str, Any],
    crm: str,
    mailbox: str,
    options: dict[str, Any],
    steps: list[str],
    gist: str,
) -> None:
    answer = decide(pairing(event(), **pair), crm, mailbox, **options)
    assert words(answer) == steps
    assert re.search(gist, why(answer))


def test_an_edit_beats_a_deletion_with_what_was_edited_and_never_mails() -> None:
    base = pairing(meeting(OWNER, OWNER, EVE))
    under = policy(invite(invitations=Invitations.ALLOW), groupware=scheduling())
    answer = decide(base, CHANGED, GONE, under, crm_edit={"title": "Moved on"})
    assert "create groupware" not in words(answer), "the organizer cancelled it"
    plain = decide(pairing(event()), CHANGED, GONE, under, crm_edit={"title": "Moved on"})
    create = found(plain, Create)
    assert (create.item.title, create.pairing, create.mails) == ("Moved on", "p1", ())


def test_a_past_entry_deleted_in_the_mailbox_leaves_the_record() -> None:
    answer = decide(pairing(past()), SAME, GONE)
    assert words(answer) == ["unpair past"]
    assert "tidied away" in why(answer)


def test_a_past_entry_that_the_crm_put_off_meanwhile_leaves_the_record_too() -> None:
    answer = decide(pairing(past()), CHANGED, GONE, crm_edit={"start": event().start})
    assert words(answer) == ["unpair past"]


def test_a_series_that_goes_on_is_not_past() -> None:
    answer = decide(pairing(series(start=past().start)), SAME, GONE)
    assert words(answer) == ["delete crm"]


@pytest.mark.parametrize(
    ("values", "steps"),
    [
        ({}, ["delete crm"]),
        ({"due": event().start}, ["delete crm"]),
        ({"due": past().start}, ["unpair past"]),
        ({"status": TaskStatus.COMPLETED, "percent": 100}, ["unpair past"]),
        ({"status": TaskStatus.CANCELLED}, ["unpair past"]),
    ],
)
def test_tasks_that_are_over_leave_their_records(values: dict[str, Any], steps: list[str]) -> None:
    under = policy(rule_of(Kind.TASK, direction=Direction.BOTH))
    assert words(decide(pairing(task(**values)), SAME, GONE, under)) == steps


def test_contacts_are_never_past() -> None:
    under = policy(rule_of(Kind.CONTACT, direction=Direction.BOTH))
    assert words(decide(pairing(contact()), SAME, GONE, under)) == ["delete crm"]


def test_a_past_record_deleted_in_the_crm_takes_its_copy_along() -> None:
    assert words(decide(pairing(past()), GONE, SAME)) == ["delete groupware"]


def test_what_may_not_be_deleted_there_is_let_go() -> None:
    answer = decide(pairing(event(), crm_readonly=True), SAME, GONE)
    assert words(answer) == ["unpair unlinked"]
    assert "may not delete it in the CRM" in why(answer)


def test_what_may_not_be_changed_there_is_said_and_waits() -> None:
    answer = decide(pairing(event(), crm_readonly=True), SAME, CHANGED, mailbox_edit={"title": "X"})
    assert words(answer) == ["skip crm (rejected)"]
    assert "may read but not change it in the CRM" in why(answer)


def test_what_one_side_may_not_take_does_not_hinder_the_other() -> None:
    answer = decide(
        pairing(event(), crm_readonly=True),
        CHANGED,
        CHANGED,
        crm_edit={"location": "Room 1"},
        mailbox_edit={"title": "X"},
    )
    assert words(answer) == ["update groupware: location", "skip crm (rejected)"]


# Outside of filter and window.


def _leaving(leaving: Leaving) -> Rule:
    return rule_of(filter=Filters(groupware="item.title != 'Out'"), leaving=leaving)


OUT = {"title": "Out"}


@pytest.mark.parametrize(
    ("leaving", "pair", "edit", "steps", "gist"),
    [
        (Leaving.KEEP, {}, OUT, ["skip groupware"], "the copy stays as it is"),
        (Leaving.UNLINK, {}, OUT, ["unpair scope"], "filter for the mailbox leaves it out"),
        (Leaving.DELETE_COPY, {"made": CRM}, OUT, ["delete crm"], "withdrawn"),
        (Leaving.DELETE_COPY, {"made": GROUPWARE}, OUT, ["unpair scope"], "was edited, so it"),
        (Leaving.DELETE_COPY, {}, OUT, ["unpair scope"], "neither item was made by Accord"),
    ],
)
def test_leaving_the_filter(
    leaving: Leaving, pair: dict[str, Any], edit: dict[str, Any], steps: list[str], gist: str
) -> None:
    answer = decide(
        pairing(event(), **pair), SAME, CHANGED, policy(_leaving(leaving)), mailbox_edit=edit
    )
    assert words(answer) == steps
    assert re.search(gist, why(answer))


@pytest.mark.parametrize(
    ("leaving", "steps"),
    [
        (Leaving.KEEP, []),
        (Leaving.UNLINK, ["unpair scope"]),
        (Leaving.DELETE_COPY, ["delete groupware"]),
    ],
)
def test_leaving_the_window_by_the_passing_of_time(leaving: Leaving, steps: list[str]) -> None:
    under = policy(rule_of(window=Window(past=0, leaving=leaving)))
    assert words(decide(pairing(past(), made=GROUPWARE), SAME, SAME, under)) == steps


def test_a_past_record_is_not_withdrawn_from_the_crm() -> None:
    under = policy(rule_of(window=Window(past=0, leaving=Leaving.DELETE_COPY)))
    answer = decide(pairing(past(), made=CRM), SAME, SAME, under)
    assert words(answer) == ["unpair scope"]
    assert "a past record stays" in why(answer)


def test_the_filter_of_the_crm_counts_for_a_pair_as_well() -> None:
    under = policy(rule_of(filter=Filters(crm="item.title != 'Out'")))
    assert words(decide(pairing(event()), CHANGED, SAME, under, crm_edit=OUT)) == ["unpair scope"]


@pytest.mark.parametrize(("crm", "mailbox"), [(GONE, SAME), (SAME, GONE)])
def test_a_deletion_outside_the_filter_does_not_travel(crm: str, mailbox: str) -> None:
    rule = rule_of(filter=Filters(crm="item.title == 'X'", groupware="item.title == 'X'"))
    answer = decide(pairing(event()), crm, mailbox, policy(rule))
    assert words(answer) == ["unpair unlinked"]
    assert "but outside" in why(answer)


# Pairs that were let go.

FROZEN: list[tuple[str, str, str, list[str]]] = [
    ("scope", SAME, SAME, ["pair"]),
    ("scope", CHANGED, SAME, ["update groupware: location"]),
    ("scope", GONE, SAME, []),
    ("scope", SAME, GONE, []),
    ("scope", CHANGED, GONE, ["skip crm"]),
    ("scope", GONE, GONE, ["forget"]),
    ("scope", LEFT, SAME, []),
    ("scope", LEFT, CHANGED, []),
    ("scope", LEFT, LEFT, []),
    ("scope", SAME, MOVED, []),
    ("moved", SAME, MOVED, []),
    ("moved", CHANGED, MOVED, []),
    ("moved", SAME, "trash", []),
    ("moved", SAME, GONE, []),
    ("moved", GONE, MOVED, []),
    ("moved", GONE, GONE, ["forget"]),
    ("moved", SAME, SAME, ["pair"]),
    ("moved", SAME, CHANGED, ["update crm: title"]),
    ("unlinked", SAME, SAME, []),
    ("unlinked", CHANGED, SAME, ["skip crm"]),
    ("unlinked", SAME, CHANGED, ["skip groupware"]),
    ("unlinked", GONE, SAME, []),
    ("unlinked", SAME, GONE, []),
    ("unlinked", GONE, GONE, ["forget"]),
    ("unlinked", BLIND, SAME, []),
    ("declined", SAME, GONE, []),
    ("declined", CHANGED, GONE, ["skip crm"]),
    ("declined", GONE, GONE, []),
    ("declined", GONE, SAME, []),
    ("past", SAME, GONE, []),
    ("past", GONE, SAME, ["forget"]),
    ("past", CHANGED, GONE, ["skip crm"]),
    ("past", GONE, GONE, ["forget"]),
    ("past", GONE, CHANGED, ["skip groupware"]),
]


@pytest.mark.parametrize(("frozen", "crm", "mailbox", "steps"), FROZEN)
def test_a_pair_that_was_let_go(frozen: str, crm: str, mailbox: str, steps: list[str]) -> None:
    answer = decide(
        pairing(event(), frozen=frozen),
        crm,
        mailbox,
        crm_edit={"location": "Room 1"},
        mailbox_edit={"title": "Rehearsal"},
    )
    assert words(answer) == steps


def test_a_declined_meeting_is_remembered_until_it_is_over() -> None:
    """Its record may be restored, and it must not come back to who declined it."""
    assert words(decide(pairing(event(), frozen="declined"), GONE, GONE)) == []
    assert words(decide(pairing(past(), frozen="declined"), GONE, GONE)) == ["forget"]
    assert words(decide(pairing(past(), frozen="declined"), GONE, SAME)) == ["forget"]


@pytest.mark.parametrize("frozen", ["scope", "moved", "unlinked", "declined", "past"])
@pytest.mark.parametrize(("crm", "mailbox"), [*itertools.product(WORDS, WORDS)])
def test_no_deletion_travels_over_a_pair_that_was_let_go(
    frozen: str, crm: str, mailbox: str
) -> None:
    answer = decide(pairing(event(), frozen=frozen), crm, mailbox, crm_edit=OUT, mailbox_edit=OUT)
    assert not any(isinstance(step, Delete | Create) for step in answer)


def test_a_pair_still_outside_stays_let_go() -> None:
    under = policy(_leaving(Leaving.UNLINK))
    out = pairing(event("Out"), frozen="scope")
    assert words(decide(out, SAME, SAME, under)) == []
    answer = decide(out, CHANGED, SAME, under, crm_edit={"location": "Room 1"})
    assert words(answer) == ["skip crm"]
    assert "still outside" in why(answer)


# Reassigned, off the list, out of the territory.


@pytest.mark.parametrize(
    ("pair", "mailbox", "edit", "steps"),
    [
        ({"made": GROUPWARE}, SAME, {}, ["delete groupware"]),
        ({"made": GROUPWARE}, CHANGED, {}, ["delete groupware"]),
        ({"made": GROUPWARE}, CHANGED, {"title": "X"}, ["unpair scope"]),
        ({"made": CRM}, SAME, {}, ["unpair scope"]),
        ({}, SAME, {}, ["unpair scope"]),
        ({"made": GROUPWARE}, LEFT, {}, ["unpair scope"]),
    ],
)
def test_a_record_that_left_the_scope(
    pair: dict[str, Any], mailbox: str, edit: dict[str, Any], steps: list[str]
) -> None:
    answer = decide(pairing(event(), **pair), LEFT, mailbox, mailbox_edit=edit)
    assert words(answer) == steps


@pytest.mark.parametrize("word", ["blind", "unread", "unreadable"])
@pytest.mark.parametrize("other", WORDS)
def test_what_can_not_be_read_writes_and_forgets_nothing(word: str, other: str) -> None:
    for crm, mailbox in ((word, other), (other, word)):
        answer = decide(pairing(event()), crm, mailbox, crm_edit=OUT, mailbox_edit=OUT)
        assert [type(step).__name__ for step in answer] == ["Skip"]


def test_what_could_not_be_read_this_once_is_asked_again() -> None:
    assert words(decide(pairing(event()), "unread", SAME)) == ["skip crm (retry)"]
    assert words(decide(pairing(event()), SAME, "unread")) == ["skip groupware (retry)"]
    assert words(decide(pairing(event()), SAME, "unreadable")) == ["skip groupware (rejected)"]
    assert words(decide(pairing(event()), "unreadable", SAME)) == ["skip crm (rejected)"]
    answer = decide(pairing(event()), SAME, "unread")
    assert found(answer, Skip).unread == Unread(), "so that it is counted as unreadable"


def unreadable(
    pair: Pairing, crm: str, under: Policy | None = None, **edit: Any
) -> tuple[Step, ...]:
    """Decide about a copy of ours in the mailbox that can't be read."""
    ours = Unknown(pair.groupware.ref, why="broken", version="2", ours=True)
    case = Case(pairing=pair, crm=say(pair.crm, crm, **edit), groupware=ours)
    return reconcile(case, under or policy())


def test_an_edit_in_the_crm_waits_for_approval_to_go_over_a_copy_that_can_not_be_read() -> None:
    answer = unreadable(pairing(event()), CHANGED, location="Here")
    hold = found(answer, Hold)
    assert words(answer) == ["hold update groupware: location"]
    assert hold.cause == WRITES_OVER
    before = found((hold.held,), Update).before
    assert (before.version, before.item) == ("2", event()), "what it held before"
    assert why(answer) == "changed in the CRM, over a copy that couldn't be read"
    waits = unreadable(pairing(event()), SAME)
    assert words(waits) == ["skip groupware (rejected)"]
    assert why(waits) == "can't be read at present: broken; " + OVER
    inbound = policy(rule_of(direction=Direction.INBOUND))
    assert OVER not in why(unreadable(pairing(event()), SAME, inbound))


OVER = "an edit in the CRM waits for approval to be written over it"


@pytest.mark.parametrize(
    ("pair", "edit"),
    [
        ({"frozen": "scope"}, {"location": "Here"}),
        ({"contested": ("location",)}, {"location": "Here"}),
        ({}, {}),
    ],
)
def test_only_one_sure_write_goes_over_a_copy_that_can_not_be_read(
    pair: dict[str, Any], edit: dict[str, Any]
) -> None:
    answer = unreadable(pairing(event(), **pair), CHANGED, **edit)
    assert words(answer) == ["skip groupware (retry)"]


def test_nothing_that_mails_goes_over_a_copy_that_can_not_be_read() -> None:
    under = policy(invite(), groupware=scheduling())
    answer = unreadable(pairing(meeting()), CHANGED, under, location="Here")
    assert words(answer) == ["skip groupware (retry)"]


# Meetings.


def test_an_attendee_who_deletes_the_invitation_declines() -> None:
    answer = decide(pairing(meeting(EVE, OWNER, BOB)), SAME, GONE)
    assert words(answer) == ["update crm: attendees", "unpair declined"]
    after = found(answer, Update).after
    replies = {a.address: a.reply for a in after.attendees}
    assert replies == {OWNER: Reply.DECLINED, BOB: Reply.NEEDS_ACTION}


def test_a_plain_copy_of_somebody_elses_meeting_declines_too() -> None:
    copy = event(people=(Person(address=EVE), Person(address=OWNER)))
    answer = decide(pairing(meeting(EVE, OWNER, BOB), copy), SAME, GONE)
    assert words(answer) == ["update crm: attendees", "unpair declined"]


def test_a_copy_that_gives_no_content_declines() -> None:
    answer = decide(pairing(meeting(OWNER), content=False), SAME, GONE)
    assert words(answer) == ["update crm: attendees", "unpair declined"]


def test_declining_keeps_what_the_crm_changed_meanwhile() -> None:
    answer = decide(
        pairing(meeting(EVE, OWNER, BOB)), CHANGED, GONE, crm_edit={"location": "Room 2"}
    )
    update = found(answer, Update)
    assert update.before.version == "2"
    assert update.after.location == "Room 2"


@pytest.mark.parametrize(
    "under",
    [
        policy(rule_of(direction=Direction.OUTBOUND)),
        policy(rule_of(fields={"attendees": FieldRule(direction=Direction.OUTBOUND)})),
    ],
)
def test_declining_writes_nothing_where_nothing_comes_in(under: Any) -> None:
    assert words(decide(pairing(meeting(EVE, OWNER, BOB)), SAME, GONE, under)) == [
        "unpair declined"
    ]


def test_declining_writes_nothing_where_the_record_may_only_be_read() -> None:
    base = pairing(meeting(EVE, OWNER, BOB), crm_readonly=True)
    assert words(decide(base, SAME, GONE)) == ["unpair declined"]


def test_one_who_declined_before_only_lets_go() -> None:
    declined = Attendee(address=OWNER, reply=Reply.DECLINED)
    item = event(organizer=Person(address=EVE), attendees=(declined,))
    assert words(decide(pairing(item), SAME, GONE)) == ["unpair declined"]


def test_the_organizers_own_deletion_deletes_the_record_even_if_edited() -> None:
    base = pairing(meeting(OWNER, OWNER, BOB))
    assert words(decide(base, SAME, GONE)) == ["delete crm"]
    edited = decide(base, CHANGED, GONE, crm_edit={"title": "Edited"})
    assert words(edited) == ["delete crm"]


def test_an_invitation_stays_when_the_record_is_deleted() -> None:
    answer = decide(pairing(meeting(EVE, OWNER, BOB)), GONE, SAME)
    assert words(answer) == ["unpair unlinked"]
    assert "the invitation stays" in why(answer)


def test_a_copys_edit_does_not_bring_a_deleted_meeting_back() -> None:
    base = pairing(meeting(EVE, OWNER), event(people=(Person(address=EVE),)), content=False)
    answer = decide(base, GONE, CHANGED, mailbox_edit={"title": "X"})
    assert words(answer) == ["delete groupware"]


def test_organizers_fields_edited_in_the_crm_are_put_back() -> None:
    answer = decide(
        pairing(meeting(EVE, OWNER, BOB)),
        CHANGED,
        SAME,
        crm_edit={"title": "Mine", "body": Body(text="note"), "categories": ("Red",)},
    )
    assert words(answer) == ["update groupware: categories", "update crm: title"]
    back = found(answer, Update, CRM)
    assert back.after.title == "Review"
    assert back.after.body == Body(text="note")
    assert "title put back: only the mailbox may change that" in back.why


def test_what_the_crm_puts_back_says_so_beside_what_it_brings() -> None:
    answer = decide(
        pairing(meeting(EVE, OWNER, BOB)),
        CHANGED,
        CHANGED,
        crm_edit={"title": "Mine"},
        mailbox_edit={"location": "Room 3"},
    )
    back = found(answer, Update, CRM)
    assert (back.after.title, back.after.location) == ("Review", "Room 3")
    assert "; the rest changed in the mailbox" in back.why


def test_the_organizers_copy_wins_against_the_crm() -> None:
    answer = decide(
        pairing(meeting(EVE, OWNER, BOB)),
        CHANGED,
        CHANGED,
        crm_edit={"title": "CRM"},
        mailbox_edit={"title": "Organizer"},
    )
    assert words(answer) == ["conflict title: groupware", "update crm: title"]


def test_the_reply_alone_comes_from_a_copy_that_gives_no_content() -> None:
    item = meeting(EVE, OWNER, BOB)
    accepted = tuple(
        Attendee(address=a.address, reply=Reply.ACCEPTED) if a.address == OWNER else a
        for a in item.attendees
    )
    answer = decide(
        pairing(item, content=False),
        SAME,
        CHANGED,
        mailbox_edit={"attendees": accepted, "title": "X", "categories": ("Mine",)},
    )
    assert words(answer) == ["update crm: attendees"]
    replies = {a.address: a.reply for a in found(answer, Update).after.attendees}
    assert replies == {OWNER: Reply.ACCEPTED, BOB: Reply.NEEDS_ACTION}


def test_a_copy_that_gives_no_content_moves_its_base_silently() -> None:
    answer = decide(
        pairing(meeting(EVE, OWNER), content=False), SAME, CHANGED, mailbox_edit={"title": "X"}
    )
    assert words(answer) == ["pair"]


def test_a_copy_that_gives_no_content_follows_the_record() -> None:
    copy = event(people=(Person(address=EVE), Person(address=OWNER)))
    answer = decide(
        pairing(meeting(EVE, OWNER), copy, content=False), CHANGED, SAME, crm_edit={"title": "New"}
    )
    assert words(answer) == ["update groupware: title"]


def test_visible_changes_of_a_sent_meeting_name_who_would_get_mail() -> None:
    base = pairing(meeting(OWNER, OWNER, BOB, EVE))
    under = policy(invite(), groupware=scheduling())
    for values, mails in (
        ({"title": "New"}, (BOB, EVE)),
        ({"start": event().start.replace(hour=8)}, (BOB, EVE)),
        ({"location": "Elsewhere"}, (BOB, EVE)),
        ({"categories": ("Red",)}, ()),
        ({"priority": 3}, ()),
    ):
        answer = decide(base, CHANGED, SAME, under, crm_edit=values)
        assert found(answer, Update).mails == mails, values


def test_internal_text_does_not_reach_a_meeting_with_outsiders() -> None:
    under = policy(invite(), groupware=scheduling())
    edit = {"body": Body(text="they will not like the price")}
    outside = decide(pairing(meeting(OWNER, OWNER, EVE)), CHANGED, SAME, under, crm_edit=edit)
    assert words(outside) == ["pair"]
    inside = decide(pairing(meeting(OWNER, OWNER, BOB)), CHANGED, SAME, under, crm_edit=edit)
    assert words(inside) == ["update groupware: body"]
    assert found(inside, Update).mails == ()


def test_new_and_former_attendees_would_both_get_mail() -> None:
    base = pairing(meeting(OWNER, OWNER, BOB))
    under = policy(invite(), groupware=scheduling())
    edit = {"attendees": (Attendee(address=OWNER), Attendee(address=EVE))}
    assert found(decide(base, CHANGED, SAME, under, crm_edit=edit), Update).mails == (BOB, EVE)


def test_a_copy_that_was_made_silently_mails_nobody() -> None:
    base = pairing(meeting(OWNER, OWNER, BOB), silent=True)
    under = policy(invite(), groupware=scheduling())
    answer = decide(base, CHANGED, SAME, under, crm_edit={"title": "New"})
    assert found(answer, Update).mails == ()
    assert found(decide(base, GONE, SAME, under), Delete).mails == ()


def test_a_server_that_does_not_schedule_mails_nobody() -> None:
    base = pairing(meeting(OWNER, OWNER, BOB))
    answer = decide(base, CHANGED, SAME, policy(invite()), crm_edit={"title": "New"})
    assert found(answer, Update).mails == ()


def test_deleting_a_sent_meeting_names_who_would_get_mail() -> None:
    base = pairing(meeting(OWNER, OWNER, BOB))
    answer = decide(base, GONE, SAME, policy(invite(), groupware=scheduling()))
    assert found(answer, Delete).mails == (BOB,)


# What can't be worked out.


def test_an_item_that_the_rule_can_not_treat_waits_and_says_why() -> None:
    rule = rule_of(filter=Filters(crm="item.priority / 0 == 1"))
    answer = decide(pairing(event()), CHANGED, SAME, policy(rule), crm_edit={"title": "X"})
    assert words(answer) == ["skip crm (rejected)"]
    assert "the rule can't be applied" in why(answer)
    assert found(answer, Skip).name == "failed"


@pytest.mark.parametrize("private", ["crm", "mailbox", "occurrence", "base"])
def test_a_rule_that_fails_for_a_private_item_quotes_none_of_it(private: str) -> None:
    hidden = {"privacy": Privacy.PRIVATE}
    at = TOMORROW + timedelta(days=1)
    one = Override(recurrence_id=at, title="Secret op", privacy=Privacy.PRIVATE)
    edits: dict[str, Any] = {
        "crm": {"crm_edit": {"title": "Secret op", **hidden}},
        "mailbox": {"crm_edit": {"title": "Secret op"}, "mailbox_edit": hidden},
        "occurrence": {"crm_edit": {"title": "Secret op"}, "mailbox_edit": {"overrides": (one,)}},
        "base": {"crm_edit": {"title": "Secret op", "privacy": Privacy.PUBLIC}},
    }
    base = series(**hidden) if private == "base" else series()
    rule = rule_of(filter=Filters(crm="{'a': true}[item.title]"))
    answer = decide(pairing(base), CHANGED, CHANGED, policy(rule), **edits[private])
    step = found(answer, Skip)
    assert "Secret" not in step.why and "the rule can't be applied: filter.crm" in step.why
    # A series stays known by its own title where only an occurrence is private.
    assert step.label == ("Secret op" if private == "occurrence" else UNSET)
    answer = decide(pairing(series()), CHANGED, SAME, policy(rule), crm_edit={"title": "Public op"})
    assert "Public op" in found(answer, Skip).why and found(answer, Skip).label == "Public op"


def test_a_zone_nobody_knows_stops_one_item_only() -> None:
    odd = event(time_zone="Mars/Olympus")
    answer = decide(pairing(odd), CHANGED, GONE, crm_edit={"title": "X"})
    assert words(answer) == ["skip crm (rejected)"]
    assert "Mars/Olympus" in why(answer)
    assert decide(pairing(odd), SAME, GONE) == ()
    private = event(time_zone="Mars/Olympus", privacy=Privacy.PRIVATE)
    told = why(decide(pairing(private), CHANGED, GONE, crm_edit={"title": "X"}))
    assert "its times" in told and "Mars" not in told


def test_a_private_entry_of_a_pair_gives_no_more_than_its_time() -> None:
    under = policy(rule_of(private=Private.BUSY))
    answer = decide(
        pairing(event("Doctor")), SAME, CHANGED, under, mailbox_edit={"privacy": Privacy.PRIVATE}
    )
    assert words(answer) == ["update crm: privacy title"]
    assert found(answer, Update).after.title == "Busy"


def test_a_cancelled_meeting_stays_cancelled_for_its_organizer() -> None:
    answer = decide(
        pairing(meeting(OWNER, OWNER, BOB)),
        CHANGED,
        CHANGED,
        crm_edit={"status": EventStatus.TENTATIVE},
        mailbox_edit={"status": EventStatus.CANCELLED},
    )
    assert words(answer) == ["conflict status: groupware", "update crm: status"]


def test_a_clash_left_to_people_changes_neither_side() -> None:
    answer = decide(
        pairing(event()),
        CHANGED,
        CHANGED,
        policy(rule_of(clash=Clash.HOLD)),
        crm_edit={"title": "A"},
        mailbox_edit={"title": "B"},
    )
    assert words(answer) == ["conflict title: open", "pair"]


def test_an_unpair_remembers_both_refs() -> None:
    step = found(decide(pairing(event()), SAME, MOVED), Unpair)
    assert (step.pairing, step.crm, step.groupware, step.forget) == ("p1", "c1", "g1", False)


def test_items_alone_that_can_not_be_read_are_noted() -> None:
    base = snap(event())
    for word, step in (
        ("blind", "skip crm"),
        ("unread", "skip crm (retry)"),
        ("unreadable", "skip crm (rejected)"),
    ):
        answer = reconcile(Case(crm=say(base, word)), policy())
        assert words(answer) == [step]
        assert "can't be read" in why(answer)
        noted = found(answer, Skip)
        assert (noted.ref, noted.version) == ("x1", "2" if word == "unreadable" else "")
        assert noted.name == "unreadable"
    assert reconcile(Case(groupware=say(base, "gone")), policy()) == ()


def test_what_can_not_be_read_is_told_by_uid_and_title() -> None:
    unknown = Unknown("x1", "garbled", "2", "u@hand", "Weekly")
    noted = found(reconcile(Case(groupware=unknown), policy()), Skip)
    assert noted.unread == Unread(uid="u@hand", label="Weekly")


def test_what_would_not_travel_anyway_is_no_trouble() -> None:
    unknown = Unknown("x1", "garbled", "2", "u@hand", "Weekly")
    out = policy(Rule(name="r", kind=Kind.EVENT, direction=Direction.OUTBOUND))
    answer = reconcile(Case(groupware=unknown), out)
    assert words(answer) == ["skip groupware"] and found(answer, Skip).name == "skip"


@pytest.mark.parametrize("side", Side)
def test_a_meeting_brought_in_elsewhere_waits_for_that(side: Side) -> None:
    seen = Seen(snap(meeting(BOB, OWNER, BOB)))
    if side is CRM:
        assert words(reconcile(Case(crm=seen, claimed="l2"), policy())) == ["create groupware"]
    else:
        answer = reconcile(Case(groupware=seen, claimed="l2"), policy())
        assert words(answer) == ["skip groupware (retry)"]
        assert "another participant" in why(answer)
