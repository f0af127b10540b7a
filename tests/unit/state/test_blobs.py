"""Blobs are stored once, found by their content, and collected when nobody wants them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from accord.ports.errors import ConfigError
from accord.state import State
from tests.unit.state.build import Clock, entry, pairing, snapshot


def test_bytes_come_back(state: State) -> None:
    contents = [b"", b"x", b"long " * 1000, bytes(range(256))]
    with state.begin() as tx:
        digests = tx.blobs.put_many((data, False) for data in contents)
    with state.read() as tx:
        assert [tx.blobs.get(digest) for digest in digests] == contents
        assert tx.blobs.get_many(digests) == dict(zip(digests, contents, strict=True))
        assert tx.blobs.get("nothing") is None


def test_equal_bytes_are_stored_once(state: State) -> None:
    with state.begin() as tx:
        first = tx.blobs.put(b"same")
        assert tx.blobs.put_many([(b"same", False), (b"same", False)]) == [first, first]
        assert tx.blobs.put_item(snapshot("c1")) == tx.blobs.put_item(snapshot("c1"))
        assert tx.db.execute(text("SELECT count(*) FROM state_blobs")).scalar() == 2


def test_a_private_digest_tells_nothing(state: State) -> None:
    with state.begin() as tx:
        public = tx.blobs.put(b"guess")
        private = tx.blobs.put(b"guess", private=True)
        assert public != private
        assert tx.blobs.put(b"guess", private=True) == private
        assert tx.blobs.get(private) == b"guess"


def test_a_private_blob_opens_only_under_its_own_digest(state: State) -> None:
    with state.begin() as tx:
        one, other = tx.blobs.put_many([(b"one", True), (b"other", True)])
        swap = "UPDATE state_blobs SET data = (SELECT data FROM state_blobs b WHERE b.digest = :a) "
        tx.db.connection.execute(text(swap + "WHERE digest = :b"), {"a": one, "b": other})
        with pytest.raises(ConfigError, match="altered"):
            tx.blobs.get(other)


def test_collecting_takes_only_what_nobody_wants(state: State, clock: Clock) -> None:
    with state.begin() as tx:
        tx.pairings.put("a", pairing(1))
        images = [tx.blobs.put(name) for name in (b"before", b"after")]
        tx.journal.append(entry(before=images[0], after=images[1]))
        unused = tx.blobs.put(b"unused")
    clock.wait(timedelta(days=2).total_seconds())
    with state.begin() as tx:
        fresh = tx.blobs.put(b"fresh")
        assert tx.blobs.collect() == 1
        assert tx.blobs.get(unused) is None
        assert tx.blobs.get(fresh) == b"fresh"
        assert [tx.blobs.get(each) for each in images] == [b"before", b"after"]
        assert tx.pairings.get("p1") == pairing(1)
        assert tx.blobs.collect() == 0


def test_collecting_takes_what_a_pairing_let_go(state: State, clock: Clock) -> None:
    with state.begin() as tx:
        tx.pairings.put("a", pairing(1))
        tx.pairings.put("a", pairing(1, crm=snapshot("c1", "2")))
    clock.wait(timedelta(days=2).total_seconds())
    with state.begin() as tx:
        assert tx.blobs.collect() == 1
        tx.pairings.remove("p1")
        assert tx.blobs.collect() == 2


def test_what_is_put_again_is_not_collected_before_it_is_referred_to(
    state: State, clock: Clock
) -> None:
    with state.begin() as tx:
        digest = tx.blobs.put(b"old")
    clock.wait(timedelta(days=2).total_seconds())
    with state.begin() as tx:
        assert tx.blobs.put(b"old") == digest
    with state.begin() as tx:
        assert tx.blobs.collect() == 0
        tx.journal.append(entry(before=digest))
        assert tx.blobs.get(digest) == b"old"


def test_erasing_takes_it_whoever_wants_it(state: State) -> None:
    with state.begin() as tx:
        digest = tx.blobs.put(b"gone")
        tx.journal.append(entry(before=digest))
        assert tx.blobs.erase([digest, "unknown"]) == 1
        assert tx.blobs.get(digest) is None
