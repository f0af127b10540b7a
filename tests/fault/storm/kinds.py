"""What befalls a house: each kind of fault, how it begins and how it ends."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable
from typing import NamedTuple

from accord.sandbox.process import until
from accord.sandbox.wire import Wire
from tests.fault.storm.houses import AWAY, CALENDARS, COMPANY, DATABASE, INTERFACE, House
from tests.fault.storm.keeper import ELSEWHERE, clock_library

HOUR = 3600
_LONG = (38.0, 50.0)
"""So many seconds that what a worker was in the middle of is taken over by others."""

_PATIENCE = 60.0
_MET = 4.0
_STARTED = 8.0
_NEAR = ("postgres", "sqlite", "split")
_BLOCK = b"\0" * 65_536


def _nothing(_: House) -> None:
    return


class Kind(NamedTuple):
    """Be a kind of fault: in which houses it can be, and how long it lasts, in seconds."""

    name: str
    houses: tuple[str, ...]
    begin: Callable[[House], None]
    end: Callable[[House], None] = _nothing
    lasts: tuple[float, float] = (0.0, 0.0)
    missing: Callable[[], str] = str
    """Says why it can't be tried here; empty where it can."""


def _kill(part: str) -> Callable[[House], None]:
    def kill(house: House) -> None:
        some = [keeper for keeper in house.keepers if keeper.part == part]
        house.dice.choice(some).kill()

    return kill


def _kill_database(house: House) -> None:
    assert house.postgres is not None
    # A hand that is in the middle of an edit would not know whether it was done.
    house.still.acquire()
    house.postgres.kill()


def _start_database(house: House) -> None:
    assert house.postgres is not None
    house.postgres.start()
    house.still.release()


def _targets(house: House) -> list[str]:
    return [name for name in (COMPANY, CALENDARS) if name in house.wires]


def _cut(*names: str) -> Callable[[House], None]:
    def cut(house: House) -> None:
        for name in names or _targets(house):
            house.wires[name].cut()

    return cut


def _end_without_database(house: House) -> None:
    """Tell a worker to end when all that asks the database has met its absence."""
    worker = house.dice.choice([each for each in house.keepers if each.part == "worker"])
    # One that has just started ends without good order.
    until(lambda: worker.age > _STARTED, _PATIENCE)
    house.wires[DATABASE].cut()
    time.sleep(_MET)
    if not worker.end(_PATIENCE):
        house.amiss.append("a worker didn't end in good order while the database was away")


def _freeze(*names: str) -> Callable[[House], None]:
    def freeze(house: House) -> None:
        for name in names or _targets(house):
            house.wires[name].freeze()

    return freeze


def _mend(house: House) -> None:
    for wire in house.wires.values():
        wire.mend()


def _busy(house: House) -> None:
    for name in _targets(house):
        house.weather[name].busy()
        house.wires[name].lead(house.weather[name].port)


def _mad(house: House) -> None:
    for name in _targets(house):
        house.weather[name].mad()
        house.wires[name].lead(house.weather[name].port)


def _part(act: Callable[[Wire], None]) -> Callable[[House], None]:
    """Part the worker on another machine from the database while it works on some folder."""

    def part(house: House) -> None:
        wire = house.wires[AWAY]

        def parted() -> bool:
            if not house.folders_of(ELSEWHERE):
                return False
            act(wire)
            # What was under way may still have arrived.
            time.sleep(0.5)
            house.taken = house.folders_of(ELSEWHERE)
            if not house.taken:
                wire.mend()
            return bool(house.taken)

        if not until(parted, _PATIENCE):
            raise RuntimeError("the worker on another machine never worked on a folder")

    return part


def _rejoin(house: House) -> None:
    # On a busy machine others need longer for it; the worker itself can't give it back before.
    until(lambda: not house.left(house.taken), _PATIENCE)
    house.amiss += [f"nobody has taken over {each}" for each in house.left(house.taken)]
    house.wires[AWAY].mend()


def _jump(by: int) -> Callable[[House], None]:
    """Set the clocks, and leave them there."""

    def jump(house: House) -> None:
        for keeper in house.keepers:
            keeper.set_clock(keeper.ahead + by)

    return jump


def _jump_one(house: House) -> None:
    keeper = house.dice.choice(house.keepers)
    keeper.set_clock(keeper.ahead + (-HOUR if keeper.ahead > 0 else HOUR))


def _interface_clock(ahead: int) -> Callable[[House], None]:
    def jump(house: House) -> None:
        for keeper in house.keepers:
            if keeper.part == "web":
                keeper.set_clock(ahead)

    return jump


def _expire(house: House) -> None:
    house.company.expire()


def _fill(house: House) -> None:
    if not house.small:
        for keeper in house.keepers:
            keeper.limit(4096)
        return
    with (house.home / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(_BLOCK)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def _empty(house: House) -> None:
    if not house.small:
        for keeper in house.keepers:
            keeper.limit(-1)
    with contextlib.suppress(FileNotFoundError):
        (house.home / "ballast").unlink()


def _clockless() -> str:
    return "" if clock_library() else "a C compiler is missing: apt-get install gcc libc6-dev"


KINDS = (
    Kind("worker killed", ("postgres",), _kill("worker")),
    Kind("listener killed", ("postgres",), _kill("listener")),
    Kind("service killed", ("sqlite", "split"), _kill("")),
    Kind("CRM.interface killed", ("split",), _kill("web")),
    Kind("database killed", ("postgres",), _kill_database, _start_database, (0.5, 4)),
    Kind("database cut off", ("postgres",), _cut(DATABASE), _mend, (1, 5)),
    Kind("worker ended without database", ("postgres",), _end_without_database, _mend),
    Kind("database frozen", ("postgres",), _freeze(DATABASE), _mend, (1, 5)),
    Kind("one worker cut off", ("machines",), _part(Wire.cut), _rejoin, _LONG),
    Kind("one worker frozen", ("machines",), _part(Wire.freeze), _rejoin, _LONG),
    Kind("servers cut off", _NEAR, _cut(), _mend, (1, 5)),
    Kind("servers frozen", _NEAR, _freeze(), _mend, (1, 5)),
    Kind("CRM.interface cut off", ("split",), _cut(INTERFACE), _mend, (1, 5)),
    Kind("429 and 503", ("postgres", "sqlite"), _busy, _mend, (3, 8)),
    Kind("nonsense for answers", ("postgres", "sqlite"), _mad, _mend, (3, 8)),
    Kind("clocks set on by 1 h", ("postgres", "sqlite"), _jump(HOUR), missing=_clockless),
    Kind("clocks set back by 1 h", ("postgres", "sqlite"), _jump(-HOUR), missing=_clockless),
    Kind("one clock set by 1 h", ("postgres",), _jump_one, missing=_clockless),
    Kind("disk full", ("sqlite",), _fill, _empty, (2, 5)),
    Kind("tokens expired", ("postgres", "sqlite"), _expire),
    Kind(
        "CRM.interface's tokens expired",
        ("split",),
        _interface_clock(2 * HOUR),
        _interface_clock(0),
        (2, 4),
        missing=_clockless,
    ),
)


def befall(house: House, kind: Kind) -> None:
    """Let a fault befall a house, for as long as it lasts."""
    kind.begin(house)
    try:
        time.sleep(house.dice.uniform(*kind.lasts))
    finally:
        kind.end(house)
