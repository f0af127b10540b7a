"""Faults kept to the item that met them: what nobody expected of one leaves all others as they are.

What is asked for many at once, and fails, is asked again for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from accord.ports.errors import AccordError
from accord.ports.fault import contained

A = TypeVar("A")
R = TypeVar("R")


def each(
    call: Callable[[Sequence[A]], list[R]], asks: Sequence[A], where: str
) -> list[R | AccordError]:
    """Return the answers to a batch; a fault is the answer of the one that it met."""
    if not asks:
        return []
    try:
        return [*call(asks)]
    except AccordError:
        raise
    except Exception as error:  # noqa: BLE001 (the edge: it is reported, and logged)
        if len(asks) == 1:
            return [contained(error, where)]
    return [answer for ask in asks for answer in each(call, [ask], where)]
