"""Errors by reaction: the type says what the caller should do.

    AccordError
    ├── Retry           try again after `after` seconds; nothing is wrong with the data
    │   └── Busy        another run is at it already: leave it to that one
    ├── AuthFailed      ask the administrator or the person to sign in again
    ├── ConfigError     mend the configuration; `field` and `hint` say where and how
    ├── CursorExpired   drop the cursor and list completely
    └── ItemError       concerns one item only; the others go on
        ├── Stale       somebody changed it meanwhile: plan this item again
        ├── Gone        it isn't there any more: ask for it, then plan again
        ├── Denied      this principal may not do that: nothing follows from it
        └── Rejected    the side will never accept this item as it is: park it and say why

Adapters translate a vendor's codes in one table each (`errors.py`).
"""

from __future__ import annotations

from accord.ports.redact import clean

_HINTS = {
    "unknown-user": "`accord crm users` lists the CRM's users.",
    "inactive-user": "`accord crm users change USER --active` lets them in again; `accord withdraw "
    "USER` takes the copies of who has left away.",
}
"""What to do about a refused user, by the error's code."""


class AccordError(Exception):
    """Be the base of all expected errors; its text is fit for an administrator to read."""

    action = "error"
    state = ""
    """The state of the whole mailbox that is behind it, by its name (`ports.mailbox`)."""

    def __init__(self, message: str = "", *, code: str = "") -> None:
        """Keep the `message` for people and the vendor's own `code` for the journal.

        It may end in logs, in the database and in answers: no password gets into it.
        """
        super().__init__(clean(message) or (self.__doc__ or "").split("\n")[0])
        self.code = code


class Retry(AccordError):
    """The side asks to be left alone for a while."""

    action = "retry"
    told = False
    """Whether the side said itself how long to wait."""

    def __init__(
        self, message: str = "", *, after: float = 1.0, code: str = "", everybody: bool = False
    ) -> None:
        """Keep how many seconds to wait (`after`), and whether that concerns `everybody` there."""
        super().__init__(message, code=code)
        self.after = after
        self.everybody = everybody


class Busy(Retry):
    """Another run of Accord is at work there."""


ASK_AGAIN = 60.0
"""Seconds after which a CRM is asked again about a user it doesn't let in: no password is shown."""


class AuthFailed(AccordError):
    """The credentials were refused."""

    action = "authenticate"

    def __init__(self, message: str = "", *, after: float = 0.0, code: str = "") -> None:
        """Keep after how many seconds the same may be shown again (`after`).

        0 where each time counts, since an account is locked after some; a signed token is none.
        """
        super().__init__(message, code=code)
        self.after = after

    @property
    def hint(self) -> str:
        """Return what to do about it, where its code tells more than that it was refused."""
        return _HINTS.get(self.code, "")


class ConfigError(AccordError):
    """A setting is missing or wrong."""

    action = "configure"

    def __init__(
        self, message: str = "", *, field: str = "", hint: str = "", code: str = ""
    ) -> None:
        """Keep the setting's name and the way to mend it."""
        super().__init__(message, code=code)
        self.field = field
        self.hint = hint


class CursorExpired(AccordError):
    """The side no longer knows this cursor."""

    action = "relist"


class ItemError(AccordError):
    """Something is wrong with one item; the rest goes on."""

    action = "item"


class Stale(ItemError):
    """The item was changed since it was read."""

    action = "replan"


class Gone(ItemError):
    """The item isn't there any more."""

    action = "replan"


class Denied(ItemError):
    """This principal may not do that with this item."""

    action = "denied"


class Rejected(ItemError):
    """The side doesn't accept this item."""

    action = "reject"


def item_error(error: AccordError) -> ItemError:
    """Return the error where it concerns one item; raise it where it concerns the session."""
    if isinstance(error, ItemError):
        return error
    raise error
