"""What exchangelib writes by our properties is read back equal from a server, kind by kind."""

from __future__ import annotations

from typing import Any

import exchangelib
import msgspec
from exchangelib.properties import OccurrenceItemId

from accord.formats.outlook.events import event_pattern
from accord.formats.outlook.pattern import Unfit
from accord.groupware.exchange.codec import contact, event, series, task
from accord.model.diff import changes, diff, normalise
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.recurrence import EventStatus
from accord.testing.samples import samples
from tests.unit.exchange.post import ALICE
from tests.unit.exchange.test_codec_series import START, WEEK, moved, on, weekly

HOME = "Europe/Zurich"


def go_round(folder: Any, model: Any, codec: Any, kind: Kind) -> None:
    """Write all named items, read them, change each into another, and read them again."""
    account = folder.account
    wanted = [normalise(each, codec.traits()) for each in samples(kind, ALICE).values()]
    drafts = [
        model(account=account, folder=folder, **codec.properties(each, home=HOME))
        for each in wanted
    ]
    made = account.bulk_create(folder, drafts)
    for before, there in zip(wanted, read_all(account, made, codec), strict=True):
        assert changes(before, codec.read(there)) == ()
    others = list(reversed(wanted))
    for target, there in zip(others, read_all(account, made, codec), strict=True):
        before = codec.read(there)
        sent = codec.properties(target, before, diff(before, target), home=HOME)
        for name, value in sent.items():
            setattr(there, name, value)
        if sent:
            there.save(update_fields=list(sent), conflict_resolution="NeverOverwrite")
    for target, there in zip(others, read_all(account, made, codec), strict=True):
        assert changes(target, codec.read(there)) == ()


def read_all(account: Any, made: list[Any], codec: Any) -> list[Any]:
    return list(account.fetch(made, only_fields=codec.PROPERTIES))


def test_tasks(account: Any) -> None:
    go_round(account.tasks, exchangelib.Task, task, Kind.TASK)


def test_contacts(account: Any) -> None:
    go_round(account.contacts, exchangelib.Contact, contact, Kind.CONTACT)


# ---- events ----


def write(account: Any, after: Event, there: Any = None) -> Any:
    """Write an event, as what it was or anew, and return it as the server holds it."""
    before = None if there is None else read_event(account, there)
    fields = None if before is None else diff(before, after)
    sent = event.properties(after, before, fields, home=HOME)
    if there is None:
        there = exchangelib.CalendarItem(account=account, folder=account.calendar, **sent)
        there.save()
    elif sent:
        for name, value in sent.items():
            setattr(there, name, value)
        there.save(update_fields=list(sent), conflict_resolution="NeverOverwrite")
    for change in series.occurrences(after, before, home=HOME):
        named = OccurrenceItemId(id=there.id, changekey=None, instance_index=change.index)
        (one,) = account.fetch([exchangelib.CalendarItem(account=account, _id=named)])
        if change.properties is None:
            one.move_to_trash()
            continue
        for name, value in change.properties.items():
            setattr(one, name, value)
        one.save(update_fields=list(change.properties))
    return fetch(account, [there])[0]


def fetch(account: Any, items: list[Any]) -> list[Any]:
    return list(account.fetch([(each.id, None) for each in items], only_fields=event.PROPERTIES))


def read_event(account: Any, there: Any) -> Event:
    changed = there.modified_occurrences or ()
    return event.read(there, fetch(account, list(changed)), own=ALICE)


SAMPLES = {
    name: each
    for name, each in samples(Kind.EVENT, ALICE).items()
    if isinstance(each, Event) and not (each.recurs and isinstance(event_pattern(each), Unfit))
}


def test_events(account: Any) -> None:
    made = {}
    for name, wanted in SAMPLES.items():
        made[name] = write(account, wanted)
        assert changes(wanted, read_event(account, made[name])) == (), name
    for (name, there), wanted in zip(made.items(), reversed(SAMPLES.values()), strict=True):
        again = write(account, wanted, there)
        assert [
            each.field
            for each in changes(wanted, read_event(account, again))
            if each.field != "organizer"
        ] == [], name


def test_changed_occurrences(account: Any, exchange: Any) -> None:
    first = weekly(
        exdates=(START + 5 * WEEK,),
        overrides=(
            moved(1, 3),
            moved(2, 2, title="Special"),
            on(4, status=EventStatus.CANCELLED, title="Off"),
        ),
    )
    there = write(account, first)
    assert changes(first, read_event(account, there)) == ()
    assert len(there.modified_occurrences) == 3
    assert len(there.deleted_occurrences) == 1
    for overrides, exdates in (
        (first.overrides[:2], first.exdates),
        ((), (*first.exdates, first.overrides[0].recurrence_id)),
        (first.overrides[1:], ()),
        (tuple(reversed(first.overrides)), first.exdates),
    ):
        wanted = msgspec.structs.replace(first, overrides=overrides, exdates=exdates)
        there = write(account, wanted, there)
        assert changes(wanted, read_event(account, there)) == ()
    assert exchange.mails() == []
