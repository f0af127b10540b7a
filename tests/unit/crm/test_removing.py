"""Deleting softly, cancelling instead, restoring under the same ref, erasing for good."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from accord.crm.database.schema import APPOINTMENTS, CONTACT_MAILS, MARKERS, PARTICIPANTS, PERSONAL
from accord.model.item import Mailto, Task, TaskStatus
from accord.model.kinds import Kind
from accord.model.observe import Deleted
from accord.model.parts import Body, Reminder
from accord.model.recurrence import EventStatus
from accord.ports.adapter import Feed
from accord.ports.errors import Denied, Gone, Rejected
from tests.unit.crm.office import Office, absence, contact, done


def _note(office: Office, kind: Kind, ref: str) -> tuple[str, str]:
    return "note", office.admin.add_note(office.ann, kind, ref, "they agreed")


def _opportunity(office: Office, kind: Kind, ref: str) -> tuple[str, str]:
    return "opportunity", office.admin.put_opportunity(
        office.ann, title="big", amount=1000, ties=[(kind, ref)]
    )


@pytest.mark.parametrize("hang", [_note, _opportunity])
@pytest.mark.parametrize(
    ("kind", "cancelled"),
    [(Kind.EVENT, EventStatus.CANCELLED), (Kind.TASK, TaskStatus.CANCELLED)],
)
def test_what_others_hang_on_is_cancelled(
    office: Office, kind: Kind, cancelled: str, hang: object
) -> None:
    item = office.event(office.bob) if kind is Kind.EVENT else Task(title="call")
    made = office.create(office.ann, item)
    what, ref = hang(office, kind, made.ref)  # type: ignore[operator]
    written = done(office.delete(office.ann, made))
    assert written.snapshot == office.see(office.ann, kind, made.ref)
    assert written.snapshot is not None
    assert written.snapshot.item.status == cancelled  # type: ignore[union-attr]
    again = done(office.delete(office.ann, written.snapshot))
    assert again.version == written.version, "cancelling twice changes nothing"
    office.admin.remove(office.ann, what, ref)
    assert done(office.delete(office.ann, written.snapshot)).snapshot is None
    assert isinstance(office.fetch(office.ann, kind, made.ref), Deleted)


def test_what_can_not_be_cancelled_stays(office: Office) -> None:
    customer = office.create(office.ann, contact())
    lead = office.admin.put_lead(office.ann, title="web", contact_id=customer.ref)
    outcome = office.delete(office.ann, customer)
    assert isinstance(outcome, Rejected)
    assert "a lead" in str(outcome)
    office.admin.remove(office.ann, "lead", lead)
    done(office.delete(office.ann, customer))
    away = office.create(office.ann, absence())
    office.admin.add_note(office.ann, Kind.ABSENCE, away.ref, "agreed")
    assert isinstance(office.delete(office.ann, away), Rejected)


def test_cancelling_needs_the_right_to_delete(office: Office) -> None:
    made = office.create(office.ann, office.event(office.bob))
    office.admin.add_note(office.bob, Kind.EVENT, made.ref, "mine")
    assert isinstance(office.delete(office.bob, made), Denied)
    assert office.see(office.ann, Kind.EVENT, made.ref) == made


def test_a_restored_record_is_the_same_to_everybody(office: Office) -> None:
    made = office.create(office.ann, office.event(office.bob), marker="gw/1")
    cursor = office.pull(office.bob, Kind.EVENT).cursor
    done(office.delete(office.ann, made))
    gone = office.pull(office.bob, Kind.EVENT, cursor)
    assert gone.said == {made.ref: Deleted(made.ref)}
    assert isinstance(office.restore(office.bob, Kind.EVENT, made.ref), Denied)
    back = done(office.restore(office.ann, Kind.EVENT, made.ref)).snapshot
    assert back is not None
    assert (back.item, back.marker) == (made.item, "gw/1")
    assert int(back.version) > int(made.version)
    assert office.pull(office.bob, Kind.EVENT, gone.cursor).seen == {made.ref}
    again = done(office.restore(office.ann, Kind.EVENT, made.ref))
    assert again.version == back.version
    assert isinstance(office.restore(office.ann, Kind.EVENT, "nothing"), Gone)


def test_erasure_leaves_nothing_but_that_it_was(office: Office) -> None:
    secret = f"secret-{office.tag}"
    event = office.event(office.bob, title=secret, body=Body(text=secret), extras={"crm:x": secret})
    made = office.create(office.ann, event, marker=secret)
    bobs = office.see(office.bob, Kind.EVENT, made.ref)
    done(office.edit(office.bob, bobs, reminders=(Reminder(minutes=1),)))
    customer = office.create(office.ann, contact(full_name=secret, mails=(Mailto(address=secret),)))
    cursors = {kind: office.pull(office.ann, kind).cursor for kind in (Kind.EVENT, Kind.CONTACT)}
    feed = office.crm
    assert isinstance(feed, Feed)
    _, told = feed.hints("")
    for kind, ref in ((Kind.EVENT, made.ref), (Kind.CONTACT, customer.ref)):
        office.admin.erase(kind, ref)
        assert office.fetch(office.ann, kind, ref) == Deleted(ref, erased=True)
        assert office.pull(office.ann, kind, cursors[kind]).said[ref] == Deleted(ref, erased=True)
        assert isinstance(office.restore(office.ann, kind, ref), Gone)
    assert {hint.ref for hint in feed.hints(told)[0]} >= {made.ref, customer.ref}
    with office.crm.store.read() as tx:
        row = tx.execute(select(APPOINTMENTS).where(APPOINTMENTS.c.id == made.ref)).one()
        assert secret not in str(row)
        for column in (PARTICIPANTS.c.appointment_id, PERSONAL.c.appointment_id, MARKERS.c.ref):
            assert tx.execute(select(column).where(column == made.ref)).all() == []
        address = CONTACT_MAILS.c.contact_id
        assert tx.execute(select(address).where(address == customer.ref)).all() == []


def test_nothing_hangs_on_what_one_may_not_read(office: Office) -> None:
    made = office.create(office.ann, office.event())
    with pytest.raises(Gone):
        office.admin.add_note(office.bob, Kind.EVENT, made.ref, "spy")
    with pytest.raises(Gone):
        office.admin.notes(office.bob, Kind.EVENT, made.ref)
    with pytest.raises(Gone):
        office.admin.put_opportunity(office.bob, title="x", ties=[(Kind.EVENT, made.ref)])
    office.admin.add_note(office.ann, Kind.EVENT, made.ref, "one")
    office.admin.add_note(office.ann, Kind.EVENT, made.ref, "two")
    assert office.admin.notes(office.ann, Kind.EVENT, made.ref) == ("one", "two")


def test_business_records_belong_to_their_owner(office: Office) -> None:
    ref = office.admin.put_opportunity(office.ann, title="big")
    assert office.admin.put_opportunity(office.ann, ref, stage="won") == ref
    for user, error in ((office.bob, Denied), (office.dora, None)):
        if error is None:
            office.admin.put_opportunity(user, ref, stage="lost")
            office.admin.remove(user, "opportunity", ref)
        else:
            with pytest.raises(error):
                office.admin.put_opportunity(user, ref, stage="lost")
            with pytest.raises(error):
                office.admin.remove(user, "opportunity", ref)
    with pytest.raises(Gone):
        office.admin.put_opportunity(office.ann, ref, stage="won")
