"""Who a mailbox is, an optional part of the groupware port: ids that outlast its address.

`service/bindings.py` binds links to them; a session without it belongs to a server that tells none.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Identified(Protocol):
    """Be a session on a mailbox that has ids of its own."""

    def identity(self) -> tuple[tuple[str, str], ...]:
        """Return the mailbox's lasting ids, each as (what it is the id of, id), the surest first.

        Empty where this principal may see none. Costs no request once the folders are known.
        """
        ...
