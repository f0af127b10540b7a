"""Thousands of broken, stolen and senseless messages, in the middle of an honest conversation.

Every one gets a clear answer and costs a bounded amount. None changes what isn't the sender's own.
Afterwards the honest device goes on where it was, and whoever was abused syncs at once.
`ACCORD_MESSAGES` says how many; `ACCORD_SEED` plays the one round that a failure names.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random, SystemRandom
from typing import Any

import pytest
from sqlalchemy import select

from accord.crm.database import DatabaseCrm
from accord.crm.database.admin import Administration
from accord.formats.errors import Refused
from accord.formats.syncml import message as m
from accord.formats.syncml.media import Media, media
from accord.formats.syncml.status import StatusCode
from accord.interface.server.server import Request
from accord.model.item import Contact
from accord.model.kinds import Kind
from accord.model.observe import Seen
from accord.ports.errors import AccordError
from accord.state import schema
from tests.connector import Endpoint
from tests.fuzz.mangle import Mangler
from tests.fuzz.seeds import FRESH
from tests.fuzz.strangers import TYPES, Forger, Mallory, Sending, Stranger, donors
from tests.fuzz.tally import RecordProperty, note
from tests.unit.interface.phone import Phone, card, give_password, header_status
from tests.unit.interface.world import World, make_world

MESSAGES = int(os.environ.get("ACCORD_MESSAGES", "5000"))
SEED = os.environ.get("ACCORD_SEED", "")
SHARDS = 4
BURST = 45
LARGEST = 150_000
"""A reply is no larger than our own messages may be, whatever a peer claims to take."""

LARGEST_TO_CONNECTOR = 1_000_000
"""Connectors carry many records in a message."""

LEAST = 5_000
"""Smaller than this no device's buffer is, whatever it says."""

MOST_STATE = 3_000_000
KNOWN = frozenset(StatusCode)
TABLES = (
    schema.ANCHORS,
    schema.DEVICE_ITEMS,
    schema.DEVICES,
    schema.DEVICE_SECRETS,
    schema.SYNC_SESSIONS,
    schema.SYNCS,
    schema.SYNC_NOTES,
)
"""What strangers' messages leave alone; nonces and counters of failures are theirs."""

WATCHED = {"addressbook": Kind.CONTACT, "calendar": Kind.EVENT, "mail": Kind.MAIL}
"""Stores that are synced in the end, whatever was in them."""

DONORS = donors()


@pytest.mark.fuzz
@pytest.mark.timeout(0)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_messages(shard: int, record_property: RecordProperty) -> None:
    wanted, played = -(-MESSAGES // SHARDS), 0
    seeds = SystemRandom() if FRESH else Random(shard)
    try:
        while played < wanted:
            seed = int(SEED) if SEED else seeds.randrange(10**9)
            try:
                played += play(seed)
            except BaseException as error:
                error.add_note(f"ACCORD_SEED={seed} plays this round alone")
                raise
            if SEED:
                return
    finally:
        note(played, "messages to CRM.interface", record_property)


def play(seed: int) -> int:
    """Play one round; return how many messages it had."""
    rng = Random(seed)
    with errors() as logged, make_world("database" if rng.random() < 0.1 else "mails") as it:
        played = Round(it, rng).play()
    assert logged == []
    return played


@contextmanager
def errors() -> Iterator[list[str]]:
    """Yield what is logged as an error meanwhile."""
    found: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("accord")
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)


class Round:
    """An honest device in the middle of its sync, and everybody else."""

    def __init__(self, world: World, rng: Random) -> None:
        self.world, self.rng = world, rng
        if isinstance(world.crm, DatabaseCrm):
            Administration(world.crm).add_user("mallory", "mallory@example.com")
        give_password(world.server, "mallory")
        for user in ("anna", "mallory"):
            for name in ("Ada", "Grace", "Mary"):
                world.add(Contact(full_name=f"{name} of {user}"), user)
        for number in range(30):
            world.add(Contact(full_name=f"Number {number}", notes="word " * 50), "mallory")
        mangler = Mangler(rng, DONORS)
        self.stranger = Stranger(world.server, rng, mangler, self._stolen())
        self.mallory = Mallory(world.server, rng, mangler)

    def play(self) -> int:
        honest = self.world.phone(media=self.rng.choice(list(Media)))
        honest.items = {"1": card("Emmy Noether"), "2": card("Lise Meitner")}
        honest.sync()
        honest.items["3"] = card("Hedy Lamarr")
        honest.begin()
        reply = honest.send_changes(200)
        self.stranger.heard = list(honest.sent)
        before = everything_of("anna", self.world)
        played = 0
        others: list[Stranger | Mallory | Forger] = [self.mallory, self.mallory]
        if self.rng.random() < 0.5:
            others[1] = self._forger()
        for who in [self.stranger, others[0], self.stranger, others[1]]:
            with self._untouched() if who is self.stranger else _whatever():
                for _ in range(BURST):
                    check(who.act(), LARGEST_TO_CONNECTOR if isinstance(who, Forger) else LARGEST)
                    played += 1
                    self.world.clock.wait(self.rng.choice([0, 1, 20]))
            assert everything_of("anna", self.world) == before
        self._check_state()
        self._go_on(honest, reply)
        stores = [store for store in WATCHED if WATCHED[store] in self.world.crm.traits.kinds]
        self._sync_at_once(self.rng.choice(stores))
        return played

    def _forger(self) -> Forger:
        """Return a connector of mallory's, after it has done one of each thing."""
        endpoint = Endpoint(self.world.state)
        endpoint.server = self.world.server
        forger = Forger(endpoint, self.rng, self.stranger.mangler)
        desk = self.world.server._house.sign_in._desk
        forger.listen(lambda user: desk.issue(user, timedelta(hours=1)).text)
        return forger

    def _stolen(self) -> list[str]:
        """Return tokens that were genuine once."""
        server, world = self.world.server, self.world
        desk = server._house.sign_in._desk
        revoked, used = (
            desk.issue("anna", timedelta(hours=1), once=once) for once in (False, True)
        )
        desk.revoke(revoked.claims.id)
        desk.check(used.text, user="anna", peer="192.0.2.7")
        expired = desk.issue("anna", timedelta(minutes=1))
        world.clock.wait(300)
        return [revoked.text, used.text, expired.text, expired.text[:-2] + "AA"]

    @contextmanager
    def _untouched(self) -> Iterator[None]:
        """Check that nothing of anybody is touched by what happens meanwhile."""
        before = self._rows(), everything_of("mallory", self.world)
        yield
        assert (self._rows(), everything_of("mallory", self.world)) == before

    def _rows(self) -> list[list[Any]]:
        with self.world.state.read() as tx:
            return [sorted(map(repr, tx.db.execute(select(table)).all())) for table in TABLES]

    def _check_state(self) -> None:
        """Check that what was kept of all this is no more than of so many conversations."""
        with self.world.state.read() as tx:
            sessions = tx.db.execute(select(schema.SYNC_SESSIONS)).all()
        assert len({(row.user, row.device) for row in sessions}) == len(sessions)
        assert sum(len(row.data) + len(row.reply) for row in sessions) < MOST_STATE

    def _go_on(self, honest: Phone, reply: m.Message) -> None:
        """Check that the honest device's conversation was not disturbed."""
        honest.take_changes(reply)
        last = honest.post(*honest.statuses, *([honest.map_of(honest.maps)] if honest.maps else []))
        assert header_status(last).code == 200
        assert last.final
        honest.last, honest.before = honest.following, dict(honest.items)
        assert honest.sync() == 200
        assert honest.names == self.world.names()

    def _sync_at_once(self, store: str) -> None:
        """Check that a device that was abused, or whose name was, is served as if nothing was."""
        server, type_ = self.world.server, TYPES[store]
        phone = Phone(server, "mallory", "rogue-1", store=store, media_type=type_)
        phone.session, phone.last = 5000, "nothing like it"
        assert phone.sync() == 201
        phone.maps = {}
        assert phone.sync() == 200
        assert not [c for c in phone.seen[-2].body if isinstance(c, m.Sync) and c.commands]
        assert len(phone.items) == len(listing("mallory", WATCHED[store], self.world))


@contextmanager
def _whatever() -> Iterator[None]:
    yield


def check(sending: Sending, largest: int) -> None:
    """Check that an answer is one that a device (or a connector) can understand."""
    request, answer = sending
    if answer.status != 200:
        assert answer.status in (400, 415)
        assert answer.content_type == "text/plain"
        assert len(answer.body) < 1000
        return
    assert answer.content_type == media(request.content_type).value
    assert len(answer.body) <= most(request, largest)
    reply = media(request.content_type).decode(answer.body)
    statuses = [c for c in reply.body if isinstance(c, m.Status)]
    assert {status.code for status in statuses} <= KNOWN
    asked = header(request)
    if statuses and not (asked and asked.no_resp):
        first = reply.body[0]
        assert isinstance(first, m.Status)
        assert (first.cmd_ref, first.cmd) == ("0", "SyncHdr")
    numbers = [command.cmd_id for command in reply.body]
    assert len(set(numbers)) == len(numbers)


def most(request: Request, largest: int) -> int:
    """Return how large the answer to a message may be."""
    asked = header(request)
    peer = asked.meta.max_msg_size if asked and asked.meta else None
    return min(largest, max(peer, LEAST)) if peer else largest


def header(request: Request) -> m.Header | None:
    """Return a message's header where it has one that can be read."""
    try:
        return media(request.content_type).decode(request.body).header
    except Refused:
        return None


def everything_of(user: str, world: World) -> list[Any]:
    """Return all records of a user with their versions."""
    return [listing(user, kind, world) for kind in (*WATCHED.values(), Kind.TASK)]


def listing(user: str, kind: Kind, world: World) -> list[Any]:
    try:
        with world.crm.open(user) as session:
            pages = list(session.changes("", kind, "", lambda _: {}))
    except AccordError as error:
        return [str(error)]
    seen = [one for page in pages for one in page.observations if isinstance(one, Seen)]
    return sorted(((one.ref, one.snapshot.version, one.snapshot.item) for one in seen), key=repr)
