"""Faults kept to the item that met them: what nobody expected of one leaves all others as they are.

What is asked for many at once, and fails, is asked again for each, unless the CRM is away.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from socket import gaierror
from typing import TypeVar

from accord.ports.errors import AccordError, Retry
from accord.ports.fault import contained

A = TypeVar("A")
R = TypeVar("R")

_AWAY = (ConnectionError, TimeoutError, gaierror)
_AFTER = 30

_log = logging.getLogger("accord.interface")


def each(
    call: Callable[[Sequence[A]], list[R]], asks: Sequence[A], where: str
) -> list[R | AccordError]:
    """Return the answers to a batch; a fault is the answer of the one that it met.

    Raises Retry where the CRM's adapter lets out that its connection failed, time after time.
    """
    if len(asks) > 1:
        try:
            return [*call(asks)]
        except AccordError:
            raise
        except Exception as error:  # noqa: BLE001 (whose it is shows when each is asked alone)
            _log.info("interface.batch", extra={"where": where, "error": type(error).__name__})
    return _alone(call, asks, where)


def _alone(
    call: Callable[[Sequence[A]], list[R]], asks: Sequence[A], where: str
) -> list[R | AccordError]:
    answers: list[R | AccordError] = []
    away = 0
    for ask in asks:
        try:
            answers += call([ask])
            away = 0
        except AccordError:
            raise
        except Exception as error:
            # One item may be what breaks the connection; where the next one fails, too, it is down.
            away = away + 1 if isinstance(error, _AWAY) else 0
            if away > 1:
                name = type(error).__name__
                _log.warning("interface.crm", extra={"where": where, "error": name})
                raise Retry("the CRM can't be reached", after=_AFTER, code=name) from error
            answers.append(contained(error, where))
    return answers
