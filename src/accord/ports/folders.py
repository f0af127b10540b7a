"""What a session may offer beside the port: the folder that settings name, and folders of its own.

A link begins in the one that is named. `accord check --mailbox` works in folders of its own where
it can. Adapters without either are fine.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from msgspec import Struct

from accord.model.kinds import Kind
from accord.ports.adapter import Folder
from accord.ports.errors import ConfigError


class Named(Struct, frozen=True, kw_only=True):
    """Be the folder that a target's setting names; `folder` is its id.

    That is empty where there is none of that name and none is to be made; `there` says whether
    the person has it by now, or the first write makes it. `planned` is the id that it has, or had,
    while the first write was to make it, where that is another one.
    """

    setting: str
    name: str
    folder: str
    there: bool
    planned: str = ""

    def means(self, folder: Folder) -> bool:
        """Tell whether a folder is the one that is named; several may have one name."""
        return self.folder == folder.id or self.name == folder.name


@runtime_checkable
class NamesFolders(Protocol):
    """Be a session whose target's settings may name the folder for items of a kind."""

    def folder_named(self, kind: Kind) -> Named | None:
        """Return the folder that the settings name for a kind; None where they leave it open.

        Then, and only then, another one may be taken.
        """
        ...


def no_folder(
    principal: str, name: str, kind: Kind, there: Iterable[Folder], setting: str = "folder"
) -> ConfigError:
    """Return the error for a folder that a setting names and a person doesn't have."""
    names = ", ".join(each.name for each in there if kind in each.kinds) or "none"
    made = "" if setting == "folder" else "; or create_missing = true makes it"
    return ConfigError(
        f"{principal} has no folder {name!r} for {kind}s",
        field=setting,
        hint=f"folders there: {names}; name one of them in {setting!r}{made}",
    )


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
