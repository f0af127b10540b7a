"""What a CRM may tell of its users as a whole, and do for those who come and go.

Optional protocols beside the adapter: `service.initialize` and `service.leavers` ask for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from msgspec import Struct

from accord.model.observe import Snapshot
from accord.ports.adapter import Outcome


class UserCard(Struct, frozen=True, kw_only=True):
    """Be what a CRM says of one user; the first address is the main one.

    `contacts` is which contacts they have, in the CRM's word; empty where it knows no such choice.
    """

    name: str
    display_name: str = ""
    addresses: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    active: bool = True
    contacts: str = ""

    @property
    def address(self) -> str:
        """Return the main address."""
        return self.addresses[0] if self.addresses else ""


@runtime_checkable
class Enrolled(Protocol):
    """Be a CRM that lists its users and groups."""

    def cards(self) -> tuple[UserCard, ...]:
        """Return all users by name, those who may no longer sign in included."""
        ...

    def group_names(self) -> frozenset[str]:
        """Return the names of all groups, those without members included."""
        ...


@runtime_checkable
class VersionsUsers(Protocol):
    """Be a CRM that can be asked all the time whether its users or groups have changed."""

    def users_version(self) -> str:
        """Return another text than before once anything has changed in what `Enrolled` tells.

        Costs the same however many users there are.
        """
        ...


@runtime_checkable
class ContactModes(Protocol):
    """Be a CRM in which is set which contacts a user has."""

    @property
    def contact_modes(self) -> tuple[str, ...]:
        """Return the words for it."""
        ...

    def choose_contacts(self, user: str, mode: str) -> None:
        """Say which contacts a user has; raises ConfigError."""
        ...


@runtime_checkable
class HandsOver(Protocol):
    """Be a CRM in which what somebody leaves can be given to a successor."""

    def ahead(self, user: str, since: datetime) -> tuple[Snapshot, ...]:
        """Return the appointments a user owns that have an occurrence after `since` (UTC).

        Also of a user who may no longer sign in.
        """
        ...

    def hand_over(self, user: str, to: str, versions: Mapping[str, str]) -> Sequence[Outcome]:
        """Give appointments of a user, by ref, to another, each only in the version given.

        Whoever organizes a meeting goes on doing so.
        """
        ...
