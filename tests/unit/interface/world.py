"""A CRM with anna in it, the server in front of it, and the hand that keeps records there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from sqlalchemy import delete

from accord.crm.database import DatabaseCrm
from accord.crm.database.admin import Administration
from accord.crm.memory import MemoryCrm, build
from accord.db import open_database
from accord.interface.server.server import Server
from accord.model.fields import FIELDS
from accord.model.item import Contact, Item, Mail, kind_of
from accord.model.kinds import Kind
from accord.model.observe import Seen
from accord.model.traits import KindTraits
from accord.ports.adapter import Adapter, Ask, Draft, Removal, Revision, Written
from accord.state import State, new_id, schema
from accord.state.sync_sessions import SyncNote
from tests.databases import Sqlite
from tests.unit.interface.phone import Phone, give_password, serve
from tests.unit.state.build import Clock


class World:
    """Hold state, CRM and server; `anna` has a password for her devices."""

    def __init__(self, state: State, crm: Adapter, clock: Clock) -> None:
        self.state, self.crm, self.clock = state, crm, clock
        self.server: Server = serve(state, crm)
        give_password(self.server, "anna")

    def serve(self, **settings: Any) -> Server:
        """Let another process answer from now on."""
        self.server = serve(self.state, self.crm, **settings)
        return self.server

    def phone(self, device: str = "phone-1", **options: Any) -> Phone:
        return Phone(self.server, "anna", device, **options)

    def add(self, item: Item, user: str = "anna") -> str:
        with self.crm.open(user) as session:
            (made,) = session.create("", kind_of(item), [Draft(item=item, key=new_id())])
        assert isinstance(made, Written), made
        return made.ref

    def edit(self, ref: str, kind: Kind = Kind.CONTACT, **values: Any) -> None:
        with self.crm.open("anna") as session:
            (now,) = session.fetch("", kind, [Ask(ref=ref)])
            assert isinstance(now, Seen)
            before = now.snapshot
            revision = Revision(
                ref=ref,
                version=before.version,
                before=before.item,
                after=replace(before.item, **values),
                changed=tuple(values),
            )
            (done,) = session.update("", kind, [revision])
        assert isinstance(done, Written), done

    def delete(self, ref: str, kind: Kind = Kind.CONTACT) -> None:
        with self.crm.open("anna") as session:
            (now,) = session.fetch("", kind, [Ask(ref=ref)])
            assert isinstance(now, Seen)
            (done,) = session.delete("", kind, [Removal(ref=ref, version=now.snapshot.version)])
        assert isinstance(done, Written), done

    def get(self, ref: str, kind: Kind = Kind.CONTACT) -> Item:
        with self.crm.open("anna") as session:
            (now,) = session.fetch("", kind, [Ask(ref=ref)])
        assert isinstance(now, Seen)
        return now.snapshot.item

    def names(self, kind: Kind = Kind.CONTACT) -> list[str]:
        with self.crm.open("anna") as session:
            pages = list(session.changes("", kind, "", lambda _: {}))
        items = [o.snapshot.item for p in pages for o in p.observations if isinstance(o, Seen)]
        return sorted(_name(item) for item in items)

    def notes(self, what: str) -> list[SyncNote]:
        """Return what the log of syncs has of a sort."""
        with self.state.read() as tx:
            found = [n for sync in tx.sync_log.query() for n in tx.sync_log.notes(sync.id)]
        return [note for note in found if note.what == what]

    def forget(self) -> None:
        """Lose all that is known of devices, but for their passwords."""
        with self.state.begin() as tx:
            for table in (schema.ANCHORS, schema.DEVICE_ITEMS, schema.SYNC_SESSIONS):
                tx.db.execute(delete(table))


def _name(item: Item) -> str:
    match item:
        case Contact():
            return item.full_name
        case Mail():
            return item.subject
    return item.title


class MailCrm(MemoryCrm):
    """Be a CRM that has e-mails among its records, as neither of Accord's own has."""

    def __init__(self) -> None:
        usual = build({}).traits
        mails = KindTraits(fields=frozenset(FIELDS[Kind.MAIL]))
        super().__init__(replace(usual, kinds={**usual.kinds, Kind.MAIL: mails}))


@contextmanager
def make_world(crm: str = "memory") -> Iterator[World]:
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, closing(Sqlite().blank()) as database:
        state = State(database, Path(folder) / "accord.key", clock)
        made: Adapter
        if crm == "memory":
            made = build({})
        elif crm == "mails":
            made = MailCrm()
        else:
            made = DatabaseCrm(open_database("sqlite://"), clock=clock)
            Administration(made).add_user("anna", "anna@example.com")
        with closing(made):
            yield World(state, made, clock)
