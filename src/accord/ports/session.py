"""What every adapter's session has in common: it is open until it is closed.

Sessions derive from it; the calls of the port are their own.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self


class OpenSession:
    """Be open until closed; the connections belong to the adapter."""

    _open = True

    def close(self) -> None:
        """Let go, and refuse further calls."""
        self._open = False

    def __enter__(self) -> Self:
        """Return the session itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the session."""
        self.close()

    def _check_open(self) -> None:
        if not self._open:
            raise RuntimeError("the session is closed")
