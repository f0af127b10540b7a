"""Files on the items of a world over memory adapters: hung on, taken off and looked at by hand."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

from accord.model.files import files_of
from accord.model.kinds import Side
from accord.model.observe import Snapshot
from accord.model.parts import Attachment
from tests.unit.service.kit import CRM, GROUPWARE, SOON, World, event

TITLES = [f"Visit {number}" for number in range(12)]


def filled(
    *users: str, count: int = 12, size: int = 1, key_file: Path | None = None, **rule: Any
) -> World:
    """A world in which each event on both sides has files, hung on in the mailbox."""
    world = World(*users, rule=rule, key_file=key_file)
    for user in users or ("alice",):
        for number, title in enumerate(TITLES[:count]):
            world.mailbox(user).add(event(title, SOON + timedelta(days=number)))
        world.sync(user)
        for title in TITLES[:count]:
            for number in range(size):
                hang(world, GROUPWARE, f"{number}.pdf", title=title, user=user)
        world.sync(user)
        world.sync(user)
    world.wait(hours=2)
    return world


def item(world: World, side: Side, title: str = TITLES[0], user: str = "alice") -> Snapshot:
    """Return what stands on a side under a title."""
    there = world.records(user) if side is CRM else world.items(user)
    (found,) = (one for one in there if _title(one) == title)
    return found


def _title(snapshot: Snapshot) -> str:
    return getattr(snapshot.item, "full_name", "") or getattr(snapshot.item, "title", "")


def session(world: World, side: Side, user: str = "alice") -> Any:
    return world.crm.open(user) if side is CRM else world.groupware.open(f"{user}@x.test")


def folder(opened: Any, world: World) -> str:
    return next(str(one.id) for one in opened.folders() if world.kind in one.kinds)


def hang(world: World, side: Side, name: str, content: bytes | None = None, **where: Any) -> None:
    """Hang a file on an item; its content is its name unless it is given."""
    whole = name.encode() if content is None else content
    digest = hashlib.sha256(whole).hexdigest()
    file = Attachment(name=name, media_type="text/plain", size=len(whole), digest=digest)
    with session(world, side, where.get("user", "alice")) as opened:
        ref = item(world, side, **where).ref
        opened.attach(folder(opened, world), world.kind, ref, file, io.BytesIO(whole))


def take(world: World, side: Side, *names: str, forget: bool = False, **where: Any) -> None:
    """Take files off an item: those named, or all."""
    found = item(world, side, **where)
    with session(world, side, where.get("user", "alice")) as opened:
        for one in files_of(found.item):
            if one.name in names or not names:
                place = folder(opened, world)
                opened.detach(place, world.kind, found.ref, one.uri, forget=forget)


def content(world: World, side: Side, **where: Any) -> dict[str, bytes]:
    """Return the files on an item, by name."""
    found = item(world, side, **where)
    with session(world, side, where.get("user", "alice")) as opened:
        place = folder(opened, world)
        return {
            one.name: b"".join(opened.open_file(place, world.kind, found.ref, one.uri))
            for one in files_of(found.item)
        }


def names(world: World, **where: Any) -> tuple[list[str], list[str]]:
    """Return the names of an item's files in the CRM and in the mailbox."""
    here, there = (sorted(content(world, side, **where)) for side in (CRM, GROUPWARE))
    return here, there
