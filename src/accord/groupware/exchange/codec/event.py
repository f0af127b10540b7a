"""Calendar entries and whole series: what `adapter` reads, and what it sends.

`entry` tells of one entry, `series` of the rule and of single occurrences, `kept` of what
Exchange has no place for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from exchangelib.items import CalendarItem
from msgspec.structs import replace

from accord.groupware.exchange.codec import entry, parts, quick, series
from accord.groupware.exchange.codec.kept import held_in, kept_text, with_kept
from accord.model.fields import FIELDS
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.traits import KindTraits
from accord.ports.errors import Rejected

PROPERTIES = (*entry.PROPERTIES, *series.PROPERTIES)
"""The fields of exchangelib's CalendarItem that are read, of masters and occurrences alike."""

_MODEL = quick.narrowed(CalendarItem, PROPERTIES)
_FIELDS = frozenset(FIELDS[Kind.EVENT]) - {"extras"}
_KEPT = _FIELDS - {"attachments", "body", "exdates", "overrides"}
_SERIES = ("rule", "rdates", "exdates", "overrides")
_WHEN = frozenset({*_SERIES, "start", "end", "time_zone", "end_time_zone", "all_day"})


def traits() -> KindTraits:
    """Return what Exchange carries of an event: everything, but it names the organizer itself."""
    return KindTraits(
        fields=_FIELDS,
        readonly=frozenset({"organizer", "attachments"}),
        foreign_organizer=False,
        notifies=True,
        trash=True,
        files=True,
    )


def read(
    master: Any, exceptions: Iterable[Any] = (), *, home: str | None = None, own: str = ""
) -> Event:
    """Return an entry or a series with its changed occurrences; raises Rejected.

    `exceptions` are the changed occurrences in full. `home` is the mailbox's zone, where no
    account says it; `own` its address, whose answer Exchange tells apart.
    """
    where = parts.home_of(master, home)
    plain = series.read(master, where, own)
    found = _with_kept(plain, master.accord_kept, where)
    if found.rule is None:
        return found
    changed = series.overrides(master, found, exceptions, where)
    return replace(found, overrides=tuple(changed))


def properties(
    after: Event,
    before: Event | None = None,
    changed: Collection[str] | None = None,
    *,
    home: str = "UTC",
) -> dict[str, Any]:
    """Return the fields of exchangelib's CalendarItem to send, None to clear; raises Rejected.

    Without `changed` these are all of a new entry. Single occurrences are written afterwards,
    by `series.occurrences` of the same items.
    """
    try:
        sent = series.sent(after, home)
        kept = _kept(after, home, sent)
    except Rejected:
        if changed is None or not _WHEN.isdisjoint(changed):
            raise
        # Somebody made it so in Exchange, and it stays so.
        sent, kept = entry.sent(after, home), _kept_apart(after, home)
    if changed is None:
        sent |= {"uid": after.uid or None, "accord_kept": kept}
        return {name: value for name, value in sent.items() if value is not None}
    names = {name for field in changed for name in entry.WRITTEN.get(field, ())}
    if "body" in changed and before and parts.stands_already(after.body, before.body):
        names -= {"body"}
    if sent["reminder_minutes_before_start"] is None:
        names -= {"reminder_minutes_before_start"}
    if _anew(after, before, changed):
        names |= set(series.RECURRENCE)
    if before is None or kept != _kept_then(before, home):
        sent["accord_kept"] = kept
        names |= {"accord_kept"}
    return {name: sent[name] for name in sent if name in names}


def unfit(after: Event, changed: Collection[str] | None = None, *, home: str = "UTC") -> str:
    """Return why a series, or its changed occurrences, can't be sent; empty where it can."""
    if not after.recurs or (changed is not None and _WHEN.isdisjoint(changed)):
        return ""
    try:
        series.sent(after, home)
        series.occurrences(after, home=home)
    except Rejected as error:
        return str(error)
    return ""


def _anew(after: Event, before: Event | None, changed: Collection[str]) -> bool:
    """Tell whether the recurrence has to be written."""
    if before is None or not (after.recurs or before.recurs):
        return before is None and after.recurs
    return not _WHEN.isdisjoint(changed) and series.rewritten(after, before)


def _kept(event: Event, home: str, sent: dict[str, Any] | None = None) -> str | None:
    return kept_text(event, lambda each: _seen(each, home, sent), _KEPT | {"exdates"})


def _kept_apart(event: Event, home: str) -> str | None:
    """Return what is kept of a series beside its times."""
    names = {name for name in _KEPT if name not in _WHEN}
    return kept_text(event, lambda each: _alone(each, home), names)


def _kept_then(before: Event, home: str) -> str | None:
    try:
        return _kept(before, home)
    except Rejected:
        return _kept_apart(before, home)


def _alone(event: Event, home: str) -> Event:
    found = entry.seen(event, home)
    return replace(found, organizer=event.organizer) if event.attendees else found


def _seen(event: Event, home: str, sent: dict[str, Any] | None = None) -> Event:
    """Return an event as it would be read back from Exchange alone; raises Rejected.

    `sent` is what is sent of this very event, where that is known.
    """
    found = series.read(_MODEL(**(sent or series.sent(event, home))), home)
    if event.attendees:
        found = replace(found, organizer=event.organizer)  # Exchange names it by itself
    return replace(found, exdates=series.fit_of(event).deleted) if event.recurs else found


def _with_kept(plain: Event, text: str | None, home: str) -> Event:
    """Return an event with what was kept of it.

    Days that an occurrence was deleted on, and that no kept exclusion accounts for, were
    deleted by a person.
    """
    if not text:
        return plain

    def seen(event: Event) -> Event:
        return _seen(event, home)

    if plain.rule is None:
        return with_kept(plain, text, seen, _KEPT)
    excluded = _dates(held_in(text).get("exdates"))
    if excluded is not None:
        found = with_kept(replace(plain, exdates=excluded), text, seen, _KEPT)
        more = _deleted_since(found, plain, seen(found).exdates if _fits(found, home) else None)
        if more is not None:
            return replace(found, exdates=(*excluded, *more))
    return with_kept(plain, text, seen, _KEPT)


def _fits(event: Event, home: str) -> bool:
    try:
        series.sent(event, home)
    except Rejected:
        return False
    return True


def _deleted_since(
    found: Event, plain: Event, expected: tuple[datetime, ...] | None
) -> tuple[datetime, ...] | None:
    """Return the days deleted beside those expected; None where one of these is shown."""
    if expected is None or not set(expected) <= set(plain.exdates):
        return None
    return tuple(each for each in plain.exdates if each not in expected)


def _dates(value: Any) -> tuple[datetime, ...] | None:
    if not isinstance(value, list):
        return None
    try:
        return tuple(datetime.fromisoformat(each) for each in value)
    except (TypeError, ValueError):
        return None
