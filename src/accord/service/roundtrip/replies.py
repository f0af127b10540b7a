"""Automatic replies' round trip: read, set for a day that is far away, put back as they were.

`mailbox` runs it. Nobody is answered by it: what is set has no day before long and no audience
outside. Replies that are on stay untouched: who writes at that moment must get them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from accord.model.html import to_text
from accord.model.replies import Replies
from accord.ports.adapter import Session
from accord.ports.errors import Denied, ItemError
from accord.ports.replies import Answering
from accord.service.check import Checked
from accord.service.replies import same
from accord.service.roundtrip.steps import Off, unseen
from accord.service.roundtrip.traces import Trace

SUBJECT = "automatic replies"
FAR = timedelta(days=3650)
_RIGHTS = "rules can set them for who acts as the person (impersonation, or their own login)"


def steps(
    session: Session, name: str, now: datetime, note: Callable[..., None], area: str
) -> Iterator[Checked]:
    """Yield the steps; what is set is called `name`, and `note` keeps first what stands there.

    Raises what concerns the whole mailbox.
    """
    if not isinstance(session, Answering):
        detail = "not offered: this kind of target has none that could be set"
        yield Checked(area=area, subject=SUBJECT, ok=True, detail=detail)
        return
    try:
        stands = session.replies()
    except ItemError as error:
        yield unseen(area, SUBJECT, error, _RIGHTS)
        return
    yield _good(area, "read", "on" if stands.on else "off")
    if stands.on:
        yield _good(area, "set", "not tried, because they are on; they stay as they are")
        return
    at, wanted = "set", _far(name, now)
    try:
        note(replies=stands)
        session.set_replies(wanted)
        _check(wanted, session.replies())
        yield _good(area, at, f"for {wanted.start:%Y-%m-%d}, so that nobody gets any")
        at = "put back"
        session.set_replies(stands)
        _check(stands, session.replies())
        yield _good(area, at, "as they were")
    except Off as off:
        yield Checked(area=area, subject=f"{SUBJECT}: {at}", ok=False, detail=str(off))
    except ItemError as error:
        hint = _RIGHTS if isinstance(error, Denied) else ""
        subject = f"{SUBJECT}: {at}"
        yield Checked(area=area, subject=subject, ok=False, detail=str(error), hint=hint)


def sweep(session: Session, trace: Trace) -> int:
    """Put back what stood there before a run, unless somebody changed it since; return 0."""
    if trace.replies is None or not isinstance(session, Answering):
        return 0
    if trace.name in to_text(session.replies().inside):
        session.set_replies(trace.replies)
    return 0


def _far(name: str, now: datetime) -> Replies:
    """Return replies that nobody gets."""
    start = (now + FAR).replace(minute=0, second=0, microsecond=0)
    return Replies(on=True, start=start, end=start + timedelta(days=1), inside=name)


def _check(wanted: Replies, there: Replies) -> None:
    if not same(wanted, there):
        raise Off("they came back otherwise")


def _good(area: str, step: str, detail: str) -> Checked:
    return Checked(area=area, subject=f"{SUBJECT}: {step}", ok=True, detail=detail)
