"""What a session may offer beside the port: making folders of its own and taking them away again.

`accord check --mailbox` works in such folders where it can; adapters without it are fine.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from accord.model.kinds import Kind
from accord.ports.adapter import Folder


@runtime_checkable
class FolderMaker(Protocol):
    """Be a session that makes and removes folders."""

    def make_folder(self, name: str, kind: Kind) -> Folder:
        """Return the folder of that name for items of a kind, made where it isn't there yet.

        Raises Denied or Rejected where the server doesn't allow it.
        """
        ...

    def remove_folder(self, folder: str) -> None:
        """Remove a folder that `make_folder` made, if it is empty; into a trash where there is one.

        Raises Rejected where something is in it, or where it can be told that somebody else made
        it; Denied where the server doesn't allow it; ConfigError where it isn't there.
        """
        ...
