"""What the store's refusals mean to the rest of Accord: one table."""

from __future__ import annotations

from accord.ports.errors import Denied, Gone, ItemError, Rejected, Stale

CODES: dict[str, type[ItemError]] = {
    "changed-meanwhile": Stale,
    "not-there": Gone,
    "deleted-since": Gone,
    "cannot-restore": Gone,
    "read-only": Denied,
    "foreign-organizer": Rejected,
    "wrong-kind": Rejected,
}


class Refused(Exception):
    """Say in the store's own code why it did not do something."""

    def __init__(self, code: str, message: str) -> None:
        """Keep the `code` of the table above and the `message` for people."""
        super().__init__(message)
        self.code = code


def translate(refusal: Refused) -> ItemError:
    """Return the error by reaction for a refusal."""
    return CODES[refusal.code](str(refusal), code=refusal.code)
