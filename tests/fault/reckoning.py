"""What is left of both sides, held against what the hands did: what is double, what is lost."""

from __future__ import annotations

from accord.service.accord import Accord
from accord.service.explain import explain
from tests.fault.hands import Hands
from tests.fault.mailboxes import Shown


def compare(accord: Accord, hands: Hands) -> tuple[list[str], list[str]]:
    """Return what is doubled and what is lost."""
    kept = _kept(accord)
    duplicates: list[str] = []
    losses: list[str] = []
    records, entries = hands.both()
    for name in sorted(hands.born):
        here, there = records.get(name, []), entries.get(name, [])
        if len(here) > 1 or len(there) > 1:
            duplicates.append(f"{name}: {len(here)} in the CRM, {len(there)} mailbox")
        elif bool(here) != bool(there):
            side = "CRM" if here else "mailbox"
            losses.append(f"{name}: only on the {side} side ({_told(accord, name)})")
        elif not here and name not in hands.deleted:
            losses.append(f"{name}: gone from both sides, and nobody deleted it")
        elif here:
            losses += _places(hands, name, here[0], there[0], kept)
    strangers = (records.keys() | entries.keys()) - hands.born
    duplicates += [f"{name}: nobody made it" for name in sorted(strangers)]
    if losses:
        losses.append(_standing(accord))
    return duplicates, losses


def _places(hands: Hands, name: str, here: Shown, there: Shown, kept: str) -> list[str]:
    """Both sides show the same place; the last one written shows, or lost a clash and is kept."""
    lost: list[str] = []
    written = hands.places.get(name, [""])
    if here != there:
        lost.append(f"{name}: {here} in the CRM, {there} in the mailbox")
    elif here.place not in written:
        lost.append(f"{name}: shows {here.place!r}, which nobody wrote last: {written}")
    elif here.place != written[-1] and written[-1] not in kept:
        lost.append(f"{name}: {written[-1]!r} is nowhere, {here.place!r} shows")
    for (series, day), places in hands.days.items():
        shown = here.days.get(day, "").partition(" ")[2]
        if series == name and shown != places[-1] and "" not in places and places[-1] not in kept:
            lost.append(f"{name}: {places[-1]!r} is nowhere, {shown!r} shows on {day}")
    return lost


def open_intents(accord: Accord) -> int:
    """Return how many intents nobody has settled."""
    with accord.state.read() as tx:
        return len(tx.intents.all())


def _told(accord: Accord, name: str) -> str:
    """Return what Accord knows of an item, for a loss that has to be understood."""
    found = explain(accord, name)
    said = [f"{one.outcome}, {one.why} {one.waiting} {one.error}".strip() for one in found]
    return "; ".join(said) or "Accord knows nothing of it"


def _standing(accord: Accord) -> str:
    """Return what waits and where the pulls ended, for losses that have to be understood."""
    with accord.state.read() as tx:
        pending = [f"{one.cause}: {one.why}" for one in tx.pending.all()]
        ends = list(tx.cursors.all().values())
    return f"waiting: {pending}; pulls ended at {ends}"


def _kept(accord: Accord) -> str:
    """Return every losing value that the journal kept, as one text."""
    with accord.state.read() as tx:
        entries = tx.journal.query(limit=1_000_000)
    return " ".join(str(entry.fields) for entry in entries if entry.step == "clash")
