"""The closed vocabularies of the whole house: kinds, sides, directions.

Everything else in the flow (rules, engine, adapters, state) names things with these words.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """Name what an item is."""

    EVENT = "event"
    TASK = "task"
    CONTACT = "contact"
    MAIL = "mail"
    ABSENCE = "absence"


class Side(StrEnum):
    """Name one of the two sides that are kept in agreement."""

    CRM = "crm"
    GROUPWARE = "groupware"

    @property
    def other(self) -> Side:
        """Return the opposite side."""
        return Side.GROUPWARE if self is Side.CRM else Side.CRM

    @property
    def place(self) -> str:
        """Return what people call a side."""
        return "CRM" if self is Side.CRM else "mailbox"


class Direction(StrEnum):
    """Name which way changes travel; inbound is into the CRM, outbound out of it."""

    BOTH = "both"
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    NONE = "none"

    def reaches(self, side: Side) -> bool:
        """Tell whether changes may be written to `side`."""
        return self in (Direction.BOTH, _INTO[side])


_INTO = {Side.CRM: Direction.INBOUND, Side.GROUPWARE: Direction.OUTBOUND}
