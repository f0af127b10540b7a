"""What the SyncML codecs say of a message that they can't take or can't write.

A server turns `status` into the status of the header, and answers whom `header` names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from accord.formats.errors import Refused
from accord.formats.syncml.status import StatusCode

if TYPE_CHECKING:
    from accord.formats.syncml.message import Header
    from accord.formats.syncml.node import Node


class Malformed(Refused):
    """Say why a whole message isn't taken, where, and with which status to answer.

    `prop` is the path of elements (`Sync 6/Add 7/Meta/Size`; numbers are CmdIDs). `header` is
    there as soon as it could be read; of an unknown version it names the newest we speak.
    `partial` is the root of what stood before the fault, where the text itself is faulty.
    """

    partial: Node | None = None

    def __init__(
        self,
        reason: str,
        *,
        prop: str = "",
        line: int = 0,
        status: StatusCode = StatusCode.BAD_REQUEST,
        header: Header | None = None,
    ) -> None:
        """Keep the reason, the place and the answer."""
        super().__init__(reason, prop=prop, line=line)
        self.status = status
        self.header = header

    def inside(self, place: str) -> Malformed:
        """Return the same refusal, one element further out."""
        path = f"{place}/{self.prop}" if self.prop else place
        return Malformed(
            self.reason, prop=path, line=self.line, status=self.status, header=self.header
        )
