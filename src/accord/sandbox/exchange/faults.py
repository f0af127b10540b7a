"""What a test may ask the server to do wrong, for some requests or some mailboxes."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal

from accord.sandbox.exchange.errors import EwsError, SoapFault

Kind = Literal[
    "busy",
    "lost",
    "unauthorized",
    "unavailable",
    "expired",
    "forgotten",
    "moving",
    "disabled",
    "full",
    "gone",
    "closed",
    "corrupt",
]
_WRITING = ("CreateItem", "UpdateItem", "MoveItem", "CopyItem", "CreateFolder", "CreateAttachment")


@dataclass(slots=True)
class Fault:
    """One thing to go wrong.

    `busy` throttles (`seconds` is the back-off), `lost` does the work and drops the answer,
    `unauthorized` is 401, `unavailable` 503, `expired` refuses every sync state and watermark,
    `forgotten` loses a subscription when it is next asked for, `moving`, `disabled`, `full`,
    `gone` (moved away) and `closed` (no permission) are states of the mailbox. What is `corrupt`
    is still listed, but can't be read or changed: the item, series or occurrence whose id is
    `item`, or all. `times` counts down; None lasts for ever.
    """

    kind: Kind
    operation: str | None = None
    mailbox: str | None = None
    times: int | None = 1
    seconds: float = 1.0
    item: str | None = None


class Faults:
    """Hold what is to go wrong, in the order in which it was asked for."""

    def __init__(self) -> None:
        self._planned: list[Fault] = []
        self._lock = threading.Lock()

    def plan(
        self,
        kind: Kind,
        *,
        operation: str | None = None,
        mailbox: str | None = None,
        times: int | None = 1,
        seconds: float = 1.0,
        item: str | None = None,
    ) -> Fault:
        """Let the next requests that fit fail so; return what `end` takes back."""
        return self.add(Fault(kind, operation, mailbox, times, seconds, item))

    def add(self, fault: Fault) -> Fault:
        """Plan what is described; `end` takes it back."""
        fault.mailbox = fault.mailbox and fault.mailbox.lower()
        with self._lock:
            self._planned.append(fault)
        return fault

    def end(self, fault: Fault) -> None:
        """Take a fault back."""
        with self._lock:
            self._planned = [each for each in self._planned if each is not fault]

    def take(
        self, kind: Kind, operation: str, mailbox: str | None, item: str | None = None
    ) -> Fault | None:
        """Return a fault of this kind that is due now, and count it."""
        with self._lock:
            for fault in self._planned:
                if (
                    fault.kind == kind
                    and fault.times != 0
                    and fault.operation in (None, operation)
                    and fault.mailbox in (None, mailbox)
                    and fault.item in (None, item)
                ):
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def has(self, kind: Kind) -> bool:
        """Tell whether anything is to fail in this way."""
        return any(fault.kind == kind for fault in self._planned)

    def throttle(self, operation: str, mailbox: str) -> None:
        """Raise SoapFault where the request is to be refused as too many."""
        if (fault := self.take("busy", operation, mailbox)) is not None:
            wait = str(int(fault.seconds * 1000))
            raise SoapFault("ErrorServerBusy", details={"BackOffMilliseconds": wait})

    def hinder(self, operation: str, mailbox: str) -> None:
        """Raise EwsError where the state of the mailbox forbids what is asked."""
        if self.take("moving", operation, mailbox) is not None:
            raise EwsError("ErrorMailboxMoveInProgress")
        if self.take("disabled", operation, mailbox) is not None:
            raise EwsError("ErrorAccountDisabled")
        if self.take("gone", operation, mailbox) is not None:
            raise EwsError("ErrorNonExistentMailbox")
        if self.take("closed", operation, mailbox) is not None:
            raise EwsError("ErrorAccessDenied")
        if operation in _WRITING and self.take("full", operation, mailbox) is not None:
            raise EwsError("ErrorQuotaExceeded")

    def spoil(self, operation: str, mailbox: str, item: str) -> None:
        """Raise EwsError where the item of that id can't be read."""
        if self.take("corrupt", operation, mailbox, item) is not None:
            raise EwsError("ErrorItemCorrupt")
