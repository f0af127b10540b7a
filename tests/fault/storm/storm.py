"""The storm itself: one fault after another over each house, and what came of it, as a table."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence

from msgspec import Struct

from tests.fault.reckoning import open_intents
from tests.fault.storm.houses import HOUSES, House
from tests.fault.storm.kinds import KINDS, Kind, befall

PATIENCE = 240.0
"""Seconds after a fault within which both sides must agree again."""

Tell = Callable[[str], None]


class Row(Struct, kw_only=True):
    """Be what one kind of fault did; `recovered` are the seconds until both sides agreed again.

    `missing` says why it could not be tried. `buried` are folders that are visited no more,
    `faults` what Accord logged as faults of its own.
    """

    fault: str
    houses: list[str] = []
    times: int = 0
    recovered: list[float] = []
    losses: list[str] = []
    duplicates: list[str] = []
    intents: int = 0
    mails: int = 0
    buried: list[str] = []
    faults: list[str] = []
    missing: str = ""

    @property
    def clean(self) -> bool:
        """Tell whether it did no harm, and all came to agreement each time."""
        harm = self.losses or self.duplicates or self.buried or self.faults
        return not (harm or self.intents or self.mails) and len(self.recovered) == self.times


class Figures(Struct, kw_only=True):
    """Be what a storm came to; `ends` is what went wrong when the houses were closed."""

    seed: int
    rows: list[Row]
    items: int = 0
    edits: int = 0
    ends: list[str] = []

    @property
    def clean(self) -> bool:
        """Tell whether nothing went wrong."""
        return all(row.clean for row in self.rows) and not self.ends

    @property
    def problems(self) -> list[str]:
        """Return all that went wrong, a line each."""
        found = list(self.ends)
        for row in self.rows:
            whole = [*row.duplicates, *row.losses, *row.buried, *row.faults]
            whole += [f"{row.intents} open intents"] if row.intents else []
            whole += [f"{row.mails} mails"] if row.mails else []
            found += [f"{row.fault}: {each}" for each in whole]
            if never := row.times - len(row.recovered):
                found.append(f"{row.fault}: no agreement within {PATIENCE:.0f} s, {never} times")
        return found


def storm(
    times: int = 1,
    seed: int = 1,
    houses: Sequence[str] = HOUSES,
    kinds: Sequence[str] = (),
    tell: Tell = lambda text: print(text, file=sys.stderr, flush=True),
) -> Figures:
    """Let each kind of fault befall each house so many times; return what came of it.

    A house that came to harm is left: what went wrong would be told again each time.
    """
    chosen = [kind for kind in KINDS if not kinds or kind.name in kinds]
    figures = Figures(seed=seed, rows=[Row(fault=kind.name) for kind in chosen])
    for row, kind in zip(figures.rows, chosen, strict=True):
        row.missing = kind.missing()
    rows = {row.fault: row for row in figures.rows}
    for number, name in enumerate(houses):
        possible = [kind for kind in chosen if name in kind.houses and not rows[kind.name].missing]
        if possible:
            with House(name, seed + number) as house:
                _over(house, possible * times, rows, figures, tell)
    figures.rows = [row for row in figures.rows if row.times or row.missing]
    return figures


def _over(
    house: House, kinds: list[Kind], rows: dict[str, Row], figures: Figures, tell: Tell
) -> None:
    """Let faults befall a house in any order."""
    house.edit()
    time.sleep(3)
    house.rest()
    if house.settled(PATIENCE) is None:
        figures.ends.append(f"{house.name}: no agreement before any fault; {house.reckon()}")
        tell(f"{house.name}:\n{house.plight()}")
        return
    house.dice.shuffle(kinds)
    for kind in kinds:
        row = rows[kind.name]
        if not _once(house, kind, row):
            tell(f"{house.name}: after {kind.name!r}:\n{house.plight()}")
        last = f"{row.recovered[-1]:.1f} s" if len(row.recovered) == row.times else "never"
        tell(f"{house.name}: {kind.name}: agreement after {last}, {house.items} items")
        if not row.clean:
            tell(f"{house.name}: {row.losses + row.duplicates + row.faults + row.buried}")
            break
    else:
        figures.ends += [f"{house.name}: {each}" for each in house.finish()]
    figures.items += house.items
    figures.edits += house.edits


def _once(house: House, kind: Kind, row: Row) -> bool:
    """Let one fault befall a house that is at work, and reckon when it has come to rest.

    Returns whether it did.
    """
    house.edit()
    time.sleep(house.dice.uniform(0.5, 2.0))
    befall(house, kind)
    ended = time.monotonic()
    time.sleep(house.dice.uniform(0.3, 1.0))
    house.rest()
    when = house.settled(PATIENCE)
    row.times += 1
    if house.name not in row.houses:
        row.houses.append(house.name)
    if when is not None:
        row.recovered.append(round(when - ended, 1))
    duplicates, losses = house.reckon()
    row.duplicates += duplicates
    row.losses += losses
    row.intents += open_intents(house.accord)
    row.mails += house.company.mail_count
    row.buried += house.buried()
    row.faults += house.faults()
    return when is not None


_HEAD = ("fault", "times", "p50", "max", "losses", "doubles", "intents", "mails", "own faults")


def table(figures: Figures) -> str:
    """Return the figures as a table; recoveries are in seconds."""
    lines: list[tuple[str, ...]] = [_HEAD]
    for row in figures.rows:
        if row.missing:
            lines.append((f"{row.fault}: {row.missing}", *("",) * 8))
            continue
        times = row.recovered
        counts = (len(row.losses), len(row.duplicates), row.intents, row.mails, len(row.faults))
        shown = (f"{statistics.median(times):.1f}", f"{max(times):.1f}") if times else ("-", "-")
        lines.append((row.fault, str(row.times), *shown, *(str(each) for each in counts)))
    widths = [max(len(line[at]) for line in lines if at or line[1]) for at in range(len(_HEAD))]
    return "\n".join(
        "  ".join(
            each.ljust(width) if not at else each.rjust(width)
            for at, (each, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
