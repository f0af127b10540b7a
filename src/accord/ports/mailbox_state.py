"""The states a mailbox may be in that stop all its links, each by its name, and what to do.

Adapters put the name on the error (`AccordError.state`); from none of them anything follows for
items. `service` keeps it for `accord check` and `accord explain`.
"""

from __future__ import annotations

from enum import StrEnum


class MailboxState(StrEnum):
    """Name why a whole mailbox can't be worked in."""

    MOVING = "moving"
    MOVED = "moved"
    DISABLED = "disabled"
    FULL = "over quota"
    CLOSED = "no permission"


ADVICE = {
    MailboxState.MOVING: "wait until the move is over; it goes on by itself",
    MailboxState.MOVED: "set the link's principal to the mailbox's primary address; if the mailbox "
    "was moved to another organization, give it a target of its own",
    MailboxState.DISABLED: "enable the mailbox again, or pause the person's links; "
    "their items stay",
    MailboxState.FULL: "let the person make room, or raise the quota; what waits is written then",
    MailboxState.CLOSED: "give the account its rights on this mailbox again; until then nothing "
    "follows for its items",
}
"""What an administrator does about each."""
