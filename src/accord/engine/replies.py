"""What becomes of a mailbox's automatic replies: set for an absence, put back, or left alone.

Pure: what stands there, what is kept of the last time and what is due go in, one decision comes
out. Replies are touched only while they are off or Accord's own, and put back only if nobody
changed them since. `service/replies.py` carries it out.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from accord.model.replies import Replies

Same: TypeAlias = Callable[[Replies, Replies], bool]
"""Tell whether two replies say the same; a server may write a text its own way."""


class Act(StrEnum):
    """Name what is done to the replies."""

    SET = "set"
    RESTORE = "restore"
    KEEP = "keep"
    LEAVE = "leave"
    NOTHING = "nothing"


class Due(Struct, frozen=True, kw_only=True):
    """Be the replies that the next absence asks for; `absence` tells it from any other.

    That is its ref in the CRM with its time, so that a moved absence is another one.
    """

    ref: str
    absence: str
    replies: Replies


class Kept(Struct, frozen=True, kw_only=True):
    """Be what is kept of a mailbox's replies between visits.

    `before` stood there before Accord's, `ours` is what Accord set last, as the server told it,
    `sent` is being set: whether it was is known at the next visit. Without these the replies are
    left alone for `absence`, `why` says why.
    """

    absence: str = ""
    ref: str = ""
    before: Replies | None = None
    ours: Replies | None = None
    sent: Replies | None = None
    why: str = ""


class Decision(Struct, frozen=True, kw_only=True):
    """Say what to do: `replies` to set (or put back), `kept` from then on, and why.

    `kept` None means that nothing need be remembered any more. `late` is what an earlier visit
    changed, from and to, without living to say so.
    """

    act: Act
    why: str = ""
    replies: Replies | None = None
    kept: Kept | None = None
    late: tuple[Replies, Replies] | None = None


NOTHING = Decision(act=Act.NOTHING)
FITTING = "they are set for this absence"
OVER = "the absence is over or gone: what stood before comes back"
OWN = "the mailbox's automatic replies are on, and not by Accord: they stay"
CHANGED = "somebody changed the automatic replies since: they stay as they are"
SWITCHED_OFF = "somebody switched the automatic replies off during this absence: they stay off"
UNDONE = "they were taken back for this absence"


def decide(
    stands: Replies, kept: Kept | None, due: Due | None, now: datetime, same: Same
) -> Decision:
    """Return what to do about replies that stand so.

    | stands     | kept      | an absence is due    | none is due          |
    |------------|-----------|----------------------|----------------------|
    | ours       | set by us | set, or keep if same | put back what was    |
    | not ours   | set by us | leave (see below)    | forget, leave        |
    | answering  | nothing   | leave                | nothing              |
    | off        | nothing   | set                  | nothing              |
    | off        | left      | set for another one  | forget               |
    """
    mine = kept is not None and _ours(stands, kept, same)
    if due is None:
        return _over(stands, kept, same, mine)
    if mine and kept is not None:
        before = kept.before or Replies()
        if same(stands, due.replies):
            settled = Kept(absence=due.absence, ref=due.ref, before=before, ours=stands)
            late = (kept.ours or before, stands) if kept.sent is not None else None
            return Decision(act=Act.KEEP, why=FITTING, kept=settled, late=late)
        return _set(due, before, kept.ours, "the absence or the rule's text changed")
    if stands.answers(now):
        touched = kept is not None and (kept.ours is not None or kept.why == CHANGED)
        return _leave(due, CHANGED if touched else OWN)
    if kept is not None and kept.absence == due.absence and _declined(stands, kept, same):
        return _leave(due, kept.why or SWITCHED_OFF)
    return _set(due, stands, None, "an absence in the CRM, by the rule")


def _ours(stands: Replies, kept: Kept, same: Same) -> bool:
    return any(each is not None and same(stands, each) for each in (kept.ours, kept.sent))


def _declined(stands: Replies, kept: Kept, same: Same) -> bool:
    """Tell whether somebody said no to Accord's replies for this absence.

    Nobody did where the first write for it never arrived: what stood before still stands.
    """
    if kept.ours is None and kept.sent is None:
        return kept.why in (SWITCHED_OFF, UNDONE)
    arrived = kept.ours is not None
    return arrived or kept.before is None or not same(stands, kept.before)


def _over(stands: Replies, kept: Kept | None, same: Same, mine: bool) -> Decision:
    if kept is None:
        return NOTHING
    if mine:
        return Decision(act=Act.RESTORE, why=OVER, replies=kept.before or Replies())
    if kept.ours is None:
        return NOTHING
    if kept.before is not None and same(stands, kept.before):
        return Decision(act=Act.NOTHING, why=OVER, late=(kept.ours, stands))
    return Decision(act=Act.LEAVE, why=CHANGED)


def _set(due: Due, before: Replies, ours: Replies | None, why: str) -> Decision:
    before = replace(before, on=False, start=None, end=None)  # it answered nobody any more
    kept = Kept(absence=due.absence, ref=due.ref, before=before, ours=ours, sent=due.replies)
    return Decision(act=Act.SET, why=why, replies=due.replies, kept=kept)


def _leave(due: Due, why: str) -> Decision:
    kept = Kept(absence=due.absence, ref=due.ref, why=why)
    return Decision(act=Act.LEAVE, why=why, kept=kept)
