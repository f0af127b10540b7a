"""What of a status is a person's matter, and what to do about it.

`accord status` ends with these, and its exit code goes by them.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from accord.ports.errors import Retry
from accord.service.expiries import SOON
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
    return [*_service(status), *_queue(status), *_servers(status), *_time(status)]


def _service(status: Status) -> Iterator[Matter]:
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
    return "`accord run`" if part == "all" else f"`accord run {part}`"


def _queue(status: Status) -> Iterator[Matter]:
    buried, waiting = status.queue["buried"], status.queue["waiting"]
    if buried.count:
        yield Matter(
            what=f"{_folders(buried.count)} given up",
            do="`accord queue buried` says why, `accord queue revive --all` visits again",
        )
    if waiting.oldest > LATE:
        waits = f"{_folders(waiting.count)} waiting, the first for {waiting.oldest / 60:.0f} min"
        if not status.served:
            yield Matter(what=f"{waits}, and nobody visits", do="start `accord run`")
        else:
            more = "raise `workers` in [run], or start another `accord run worker`"
            yield Matter(what=waits, do=f"where servers answer, {more}")


def _folders(count: int) -> str:
    return "1 folder is" if count == 1 else f"{count:,} folders are"


def _servers(status: Status) -> Iterator[Matter]:
    for one in status.failing:
        where = ", ".join(one.targets)
        count = "1 link" if one.links == 1 else f"{one.links:,} links"
        text, times = next(iter(one.texts.items()))
        more = f" (and {one.links - times:,} more)" if one.links > times else ""
        elsewhere = one.action == Retry.action
        yield Matter(
            what=f"{count} of {where}: {text}{more}",
            action=one.action,
            weight=Weight.ELSEWHERE if elsewhere else Weight.NOW,
        )


def _time(status: Status) -> Iterator[Matter]:
    for one in status.expiries:
        if one.at <= status.at + SOON and not one.routine:
            word = "expired" if one.at <= status.at else "expires"
            yield Matter(
                what=f"{one.kind} {one.name} {word} {one.at:%Y-%m-%d %H:%M} UTC", do=one.hint
            )
