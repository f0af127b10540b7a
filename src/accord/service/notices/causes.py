"""What is wrong, grouped by cause: each is told once, and again only after it was gone for long.

Jobs say what they found (`stand`); the log, the administrators' mail and the webhook are told.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from accord.ports.errors import AccordError
from accord.service.accord import Accord
from accord.service.config import Config
from accord.service.notices.mail import Mailer
from accord.service.notices.webhook import post
from accord.state.jobs import CauseRow
from accord.state.leases import LeaseLost
from accord.state.state import Tx

BACK = timedelta(hours=6)
"""What comes back within this time is the same cause, and was told."""

SHOWN = 10
_QUOTED = r"(?<!\w)'[^']*'(?!\w)|\"[^\"]*\""
_END = r"\s'\"<>(),;"
_PATH = re.compile(rf"(\w://[^/{_END}]+|(?<![\w:/+=-]))/[^{_END}]+")
"""A path, after the server that it is on, if that is said: mailboxes and folders have their own."""
_VARYING = re.compile(
    "|".join(
        [
            _QUOTED,
            rf"[^:/\\{_END}]*@[^:/\\{_END}]+",  # somebody's address, or login name
            r"[\w.-]+\\[\w.$-]+",  # DOMAIN\login
            r"(?=[\w+/=-]*[\d+/=])[\w+/=-]{20,}",  # an id: Exchange's are base64
            r"[0-9a-f-]{16,}",
            r"\w*\d\w*",
        ]
    ),
    re.IGNORECASE,
)

Fence = Callable[[], None]
"""Raise where another process tells this by now."""

_log = logging.getLogger("accord.notice")


class Cause(Struct, kw_only=True):
    """Be something wrong, with all whom it concerns: `names` are links, folders or jobs.

    `key` says what is one cause: of a text that others wrote its `shape`. `passing` says that it
    may pass by itself.
    """

    key: str
    words: str
    hint: str = ""
    names: list[str] = []
    count: int = 1
    passing: bool = False


class Told(Struct, kw_only=True):
    """Say how many causes stand, how many were told just now, and to whom none could be."""

    standing: int
    told: int = 0
    failed: list[str] = []


def stand(
    accord: Accord,
    config: Config,
    source: str,
    causes: Sequence[Cause],
    patience: timedelta,
    fence: Fence = lambda: None,
) -> Told:
    """Note what a source finds wrong now, and tell what nobody was told of yet.

    What may pass is told when it has stood for the time of `patience`. Before each telling `fence`
    is called; raises LeaseLost where that does.
    """
    now = accord.clock()
    rows = accord.state.run(lambda tx: _noted(tx, source, causes, now))
    due = [row for row in rows if not row.passing or now - row.since >= patience]
    told = Told(standing=len(rows))
    done: set[str] = set()
    with ExitStack() as stack:
        for channel, send in _channels(config, stack, fence):
            try:
                for row in due:
                    if channel not in row.told:
                        send(row)
                        done.add(row.id)
                        accord.state.run(lambda tx: _mark(tx, row.id, channel, now))  # noqa: B023
            except LeaseLost:
                raise
            except AccordError as error:
                # It is told there next time.
                told.failed.append(f"{channel}: {error}")
    told.told = len(done)
    return told


def standing(accord: Accord) -> list[CauseRow]:
    """Return what is wrong now, oldest first."""
    with accord.state.read() as tx:
        return [row for row in tx.causes.all() if row.gone is None]


def line(row: CauseRow | Cause) -> str:
    """Return a cause in one line."""
    return " ".join(row.words.split())


def shape(text: str) -> str:
    """Return what two texts have in common that differ in whom and what they concern alone.

    Numbers, ids, paths, addresses and quoted names do.
    """
    return _VARYING.sub("#", _PATH.sub(r"\1#", text))


def veiled(text: str) -> str:
    """Return a text without what it quotes, which may be somebody's words."""
    return re.sub(_QUOTED, "'…'", text)


def _noted(tx: Tx, source: str, causes: Sequence[Cause], now: datetime) -> list[CauseRow]:
    known = {row.id: row for row in tx.causes.all() if row.source == source}
    rows: dict[str, CauseRow] = {}
    for cause in causes:
        key = _id(source, cause.key)
        before = known.get(key) or CauseRow(id=key, source=source, words="", since=now)
        rows[key] = replace(
            before,
            words=cause.words,
            hint=cause.hint,
            names=cause.names[:SHOWN],
            count=cause.count,
            passing=cause.passing,
            gone=None,
        )
    away = [replace(r, gone=r.gone or now) for key, r in known.items() if key not in rows]
    over = [row.id for row in away if row.gone is not None and now - row.gone >= BACK]
    tx.causes.remove(over)
    tx.causes.put_many([*rows.values(), *(row for row in away if row.id not in over)])
    return list(rows.values())


def _id(source: str, key: str) -> str:
    return hashlib.sha256(f"{source}\0{key}".encode()).hexdigest()[:16]


def _mark(tx: Tx, id_: str, channel: str, now: datetime) -> None:
    for row in tx.causes.all():
        if row.id == id_:
            told = {**row.told, channel: now.isoformat()}
            tx.causes.put_many([replace(row, told=told)])


def _channels(
    config: Config, stack: ExitStack, fence: Fence
) -> Iterator[tuple[str, Callable[[CauseRow], None]]]:
    """Yield who is to be told, and how."""
    yield "log", _to_log
    if config.notify.mail:
        yield "mail", _by_mail(config, stack, fence)
    if config.notify.webhook or config.notify.secret_webhook:
        yield "webhook", lambda row: post(config.notify, config.folder, _json(row), fence)


def _to_log(row: CauseRow) -> None:
    _log.warning("notice", extra={"what": line(row), "hint": row.hint, "names": row.names})


def _by_mail(config: Config, stack: ExitStack, fence: Fence) -> Callable[[CauseRow], None]:
    mailer: list[Mailer] = []

    def send(row: CauseRow) -> None:
        if not mailer:
            mailer.append(stack.enter_context(Mailer(config.smtp, config.folder, fence)))
        mailer[0].send(config.notify.mail, f"Accord: {line(row)}", _text(row))

    return send


def _text(row: CauseRow) -> str:
    parts = [line(row), f"Since {row.since:%Y-%m-%d %H:%M} UTC."]
    if row.hint:
        parts.append(f"What to do: {row.hint}")
    if row.names:
        more = row.count - len(row.names)
        rest = [f"and {more} more"] if more > 0 else []
        parts.append("\n".join(f"- {name}" for name in [*row.names, *rest]))
    parts.append("This is told once while it stands; `accord jobs causes` lists what does.")
    return "\n\n".join(parts) + "\n"


def _json(row: CauseRow) -> dict[str, Any]:
    return {
        "text": f"Accord: {line(row)}" + (f"\n{row.hint}" if row.hint else ""),
        "id": row.id,
        "what": line(row),
        "hint": row.hint,
        "count": row.count,
        "names": row.names,
        "since": row.since.isoformat(),
    }
