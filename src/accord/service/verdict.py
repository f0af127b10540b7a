"""What of a status is a person's matter, and what to do about it.

`accord status` ends with these, and its exit code goes by them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum

from msgspec import Struct

from accord.ports.errors import Retry
from accord.service.expiries import SOON
from accord.service.identity import MEANT
from accord.service.presence import INTERFACE
from accord.service.status import LATE, Status


class Weight(StrEnum):
    """Say who has to do something: a person here, or nobody but time and somebody else's server."""

    NOW = "now"
    ELSEWHERE = "elsewhere"


class Matter(Struct, frozen=True, kw_only=True):
    """Be what is wrong and what to do; `action` is the reaction where an error says it."""

    what: str
    do: str = ""
    action: str = ""
    weight: Weight = Weight.NOW


def matters(status: Status) -> list[Matter]:
    """Return what needs somebody, what stops most first."""
    return [
        *_service(status),
        *_queue(status),
        *_circuits(status),
        *_servers(status),
        *_items(status),
        *_time(status),
    ]


def _service(status: Status) -> Iterator[Matter]:
    if status.strange:
        yield Matter(what=f"every visit is held: {status.strange}", do=MEANT)
    if status.paused:
        yield Matter(what="everything is paused", do="`accord resume --all` lets it go on")
    for one in status.processes:
        if one.gone:
            yield Matter(
                what=f"{_part(one.part)} on {one.host} ended without a word, or hangs, since "
                f"{one.heard:%Y-%m-%d %H:%M} UTC",
                do="look into its log, and start it again; what it was at is done by others",
            )
    if status.served and not status.heard:
        yield Matter(
            what="nobody listens: changes are found on intervals only",
            do="start `accord run listener`",
        )
    elif status.heard and not status.served:
        yield Matter(what="nobody visits folders", do="start `accord run worker`")


def _part(part: str) -> str:
    if part == INTERFACE:
        return "`accord interface`"
    return "`accord run`" if part == "all" else f"`accord run {part}`"


def _queue(status: Status) -> Iterator[Matter]:
    buried = status.queue["buried"]
    if buried.count:
        yield Matter(
            what=f"{_folders(buried.count)} given up",
            do="`accord queue buried` says why, `accord queue revive --all` visits again",
        )
    # Where a target is left alone, no worker more would help.
    waiting = [one for one in status.targets if one.waiting and not (status.served and one.alone)]
    oldest = max((one.lag for one in waiting), default=0.0)
    if oldest > LATE:
        count = sum(one.waiting for one in waiting)
        waits = f"{_folders(count)} waiting, the first for {oldest / 60:.0f} min"
        if not status.served:
            yield Matter(what=f"{waits}, and nobody visits", do="start `accord run`")
        else:
            more = "raise `workers` in [run], or start another `accord run worker`"
            yield Matter(what=waits, do=f"where servers answer, {more}")


def _folders(count: int) -> str:
    return "1 folder is" if count == 1 else f"{count:,} folders are"


def _circuits(status: Status) -> Iterator[Matter]:
    """Yield the targets that are left alone, of those that would be visited."""
    visited = {one.target for one in status.each if one.state != "paused"}
    for one in status.targets if status.served else ():
        if one.circuit is None or not one.alone or one.name not in visited:
            continue
        until = status.at + timedelta(seconds=one.circuit.after)
        again = f"until {until:%Y-%m-%d %H:%M:%S} UTC" if one.circuit.after else "but for one visit"
        yield Matter(
            what=f"{one.name} is left alone {again}: {one.circuit.why}",
            do="it is tried again by itself; `accord check` says what answers",
            action=Retry.action,
            weight=Weight.ELSEWHERE,
        )


def _servers(status: Status) -> Iterator[Matter]:
    for one in status.failing:
        if one.texts.keys() == {f"held: {status.strange}"}:
            continue
        where = ", ".join(one.targets)
        count = "1 link" if one.links == 1 else f"{one.links:,} links"
        text, times = next(iter(one.texts.items()))
        more = f" (and {one.links - times:,} more)" if one.links > times else ""
        elsewhere = one.action == Retry.action
        yield Matter(
            what=f"{count} of {where}: {text}{more}",
            do=one.hint,
            action=one.action,
            weight=Weight.ELSEWHERE if elsewhere else Weight.NOW,
        )


def _items(status: Status) -> Iterator[Matter]:
    rejected, failed = status.waiting.rejected, status.waiting.failed
    if rejected:
        yield Matter(
            what=f"{_counted(rejected)} failed", do="`accord check` names them and says why"
        )
    if failed > rejected:
        yield Matter(
            what=f"{_counted(failed - rejected)} failed for now",
            do="they are tried again by themselves; `accord journal` says why",
            action=Retry.action,
            weight=Weight.ELSEWHERE,
        )


def _counted(count: int) -> str:
    return "1 item" if count == 1 else f"{count:,} items"


def _time(status: Status) -> Iterator[Matter]:
    for one in status.expiries:
        if one.at <= status.at + SOON and not one.routine:
            yield Matter(what=one.words(status.at), do=one.hint)
