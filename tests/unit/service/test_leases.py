"""A folder's lease is given back at the end of a visit, if need be later."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from accord.ports.errors import Busy, Retry
from accord.sandbox.process import until
from accord.service import opening
from accord.service.opening import Place, take_lease
from accord.state.leases import Leases
from tests.unit.service.kit import World


def test_a_lease_is_given_back_when_the_database_is_there_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    world.sync()
    link = world.link()
    place = Place(target=link.target, principal=link.principal, folder="calendar", links=(link,))
    release, away = Leases.release, [True, True]

    def gone(leases: Leases, lease: Any) -> bool:
        if away:
            away.pop()
            raise Retry("the database went away")
        return release(leases, lease)

    def taken() -> bool:
        try:
            with ExitStack() as stack:
                take_lease(world.accord, place, stack)
        except Busy:
            return False
        return True

    monkeypatch.setattr(Leases, "release", gone)
    monkeypatch.setattr(opening, "_GIVE_BACK", 0.05)
    with pytest.raises(Retry), ExitStack() as stack:
        take_lease(world.accord, place, stack)
    assert not taken()
    assert until(taken, 10)
