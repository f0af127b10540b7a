"""Devices: one real client, against CRM.interface and against SyncEvolution's own server.

First the connector, by itself. Then the same contacts travel from a phone to an empty server, and
from there to a fresh one. A proxy counts messages and bytes, and costs both servers the same; each
has answered a device before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from accord.sandbox.process import Peer
from bench import connector
from bench.family import Family
from bench.figures import Figures
from bench.rows import Rows
from tests.interop.client import Device, make_kit
from tests.interop.house import House
from tests.interop.lab import Tap, text
from tests.interop.reference import Reference
from tests.interop.shop import Shop

_STORE = "addressbook"
_USER = "anna"


class Place(NamedTuple):
    """A running server, how to get a device that speaks to it, and what it holds."""

    server: Peer
    proxy: Tap
    device: Callable[[str], Device]
    titles: Callable[[], list[str]]


def run(work: Path, rows: Rows, *, contacts: int) -> dict[str, float]:
    """Measure both servers; return the goals by what they say. Raises PeerMissing."""
    links = connector.run(work, rows, contacts=contacts)
    names = sorted(f"Given{n} Family{n}" for n in range(contacts))
    kit = work / "kit"
    kit.mkdir()
    shop = Shop(work / "shop", make_kit(kit))
    peer = _measure("SyncEvolution's server", _reference, work / "reference", shop, names, rows)
    own = _measure("accord interface", _own, work / "accord", shop, names, rows)
    return links | {
        f"{way}: {what} times SyncEvolution's server (goal 1.0)": mine / theirs
        for way in own
        for what, mine, theirs in (
            ("seconds,", own[way].seconds, peer[way].seconds),
            ("CPU,", own[way].cpu_seconds, peer[way].cpu_seconds),
        )
    }


def _measure(
    name: str,
    start: Callable[[Path, Shop, ExitStack], Place],
    work: Path,
    shop: Shop,
    names: list[str],
    rows: Rows,
) -> dict[str, Figures]:
    with ExitStack() as stack:
        place = start(work, shop, stack)
        _sync(place, place.device("first"))
        phone, fresh = place.device("phone"), place.device("fresh")
        for n, each in enumerate(names):
            phone.write(_STORE, str(n), text(_STORE, each))
        up = f"{len(names)} contacts up"
        down = f"{len(names)} contacts down"
        found = {
            way: _timed(f"{name}: {way}", place, device, rows)
            for way, device in ((up, phone), (down, fresh))
        }
        assert place.titles() == fresh.titles(_STORE) == names, "not all came through"
        return found


def _timed(what: str, place: Place, device: Device, rows: Rows) -> Figures:
    place.proxy.clear()
    family = Family(place.server)
    began = time.perf_counter()
    _sync(place, device)
    seconds = time.perf_counter() - began
    figures = Figures(what, seconds, family.cpu_seconds, family.peak_mib)
    size = place.proxy.up + place.proxy.down
    return rows.note(figures, requests=len(place.proxy.posts), size=size)


def _sync(place: Place, device: Device) -> None:
    outcome = device.sync(_STORE, mode="slow", RetryInterval="600")
    assert outcome.fine, f"{outcome}\n{place.server.tail()}"


def _own(work: Path, shop: Shop, stack: ExitStack) -> Place:
    house = stack.enter_context(House(work / "house"))
    proxy = stack.enter_context(Tap(house.url))
    word = house.hire(_USER)

    def device(name: str) -> Device:
        return shop.device(work / name, url=proxy.url, user=_USER, password=word)

    return Place(house, proxy, device, lambda: house.titles(_USER, "contact"))


def _reference(work: Path, shop: Shop, stack: ExitStack) -> Place:
    server = stack.enter_context(Reference(work / "server"))
    proxy = stack.enter_context(Tap(server.url))
    quick = {"loglevel": "1", "dumpData": "0", "printChanges": "0"}

    def device(name: str) -> Device:
        server.admit(f"dev-{name}", **quick)
        word = server.password
        return shop.device(work / name, url=proxy.url, user=server.user_name, password=word)

    return Place(server, proxy, device, lambda: server.titles(_STORE))
