"""What is remembered of devices, on both databases: proofs, anchors, items, conversations."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from accord.db import Taken
from accord.model.item import Contact
from accord.state import State, devices, schema, sync_sessions
from accord.state.context import SEALED
from accord.state.device_items import Anchors, DeviceItem, Shelf
from accord.state.devices import DeviceSecret
from accord.state.sync_sessions import Sync, SyncNote
from tests.unit.state.build import NOW, Clock

SHELF = Shelf("anna", "phone", "addressbook")
OTHER = Shelf("anna", "tablet", "addressbook")


def test_a_nonce_is_good_for_one_proof(state: State) -> None:
    nonce = state.run(lambda tx: tx.device_nonces.challenge("phone"))
    assert state.run(lambda tx: tx.device_nonces.use("phone", nonce))
    assert not state.run(lambda tx: tx.device_nonces.use("phone", nonce))
    with state.read() as tx:
        assert tx.device_nonces.get("phone") not in (None, nonce)


def test_a_nonce_is_text_that_any_device_can_keep(state: State) -> None:
    with state.begin() as tx:
        told = [tx.device_nonces.renew("phone") for _ in range(60)]
        tx.device_nonces.use("phone", told[-1])
        told.append(tx.device_nonces.challenge("phone"))
    assert all(nonce.isascii() and nonce.decode().isprintable() for nonce in told)
    assert len(set(told)) == len(told)


def test_nonces_of_strangers_go_and_those_of_devices_stay(state: State, clock: Clock) -> None:
    with state.begin() as tx:
        tx.device_nonces.challenge("stranger")
        kept = tx.device_nonces.renew("phone")
    clock.wait(7200)
    with state.begin() as tx:
        tx.device_nonces.challenge("next")
        assert tx.device_nonces.get("stranger") is None
        assert tx.device_nonces.get("phone") == kept


def test_who_asks_in_the_name_of_a_device_spoils_no_proof_of_it(state: State, clock: Clock) -> None:
    with state.begin() as tx:
        first, kept = tx.device_nonces.challenge("new"), tx.device_nonces.renew("phone")
    clock.wait(600)
    with state.begin() as tx:
        assert tx.device_nonces.challenge("new") == first
        assert tx.device_nonces.challenge("phone") == kept
    clock.wait(7200)
    with state.begin() as tx:
        assert tx.device_nonces.challenge("phone") == kept
        assert tx.device_nonces.standing("new") is None
        assert tx.device_nonces.use("phone", kept)


def test_strangers_leave_so_many_nonces_and_no_more(
    state: State, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "MOST_UNPROVEN", 5)
    with state.begin() as tx:
        kept = tx.device_nonces.renew("phone")
        for number in range(12):
            tx.device_nonces.challenge(f"stranger-{number}")
            clock.wait(1)
        there = [n for n in range(12) if tx.device_nonces.get(f"stranger-{n}") is not None]
        assert there == [7, 8, 9, 10, 11]
        assert tx.device_nonces.get("phone") == kept


def test_a_user_has_so_many_conversations_and_no_more(
    state: State, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_sessions, "MOST", 3)
    for number in range(6):
        with state.begin() as tx:
            tx.sync_sessions.put("bobs", "1", "bob", b"", "", b"")
            tx.sync_sessions.trim("anna")
            tx.sync_sessions.put(f"phone-{number}", "1", "anna", b"", "", b"")
        clock.wait(1)
    with state.read() as tx:
        found = [
            n
            for n in range(6)
            if tx.sync_sessions.of(f"phone-{n}", "1", NOW.min.replace(tzinfo=NOW.tzinfo))
        ]
        assert found == [3, 4, 5]
        assert tx.sync_sessions.of("bobs", "1", NOW.min.replace(tzinfo=NOW.tzinfo))


def test_conversations_of_two_people_under_one_name_are_two(state: State, clock: Clock) -> None:
    ever = NOW.min.replace(tzinfo=NOW.tzinfo)
    with state.begin() as tx:
        tx.sync_sessions.put("phone", "7", "anna", b"a", "d1", b"r1")
        tx.sync_sessions.put("phone", "7", "bob", b"b", "d2", b"r2")
        tx.sync_sessions.put("phone", "8", "carla", b"c", "d3", b"r3")
    with state.read() as tx:
        found = {one.user: (one.data, one.reply) for one in tx.sync_sessions.of("phone", "7", ever)}
        assert found == {"anna": (b"a", b"r1"), "bob": (b"b", b"r2")}
        assert tx.sync_sessions.latest("phone", "anna") == b"a"
    with state.begin() as tx:
        tx.sync_sessions.put("phone", "9", "anna", b"a2", "d4", b"r4")
        assert [one.user for one in tx.sync_sessions.of("phone", "7", ever)] == ["bob"]
        assert [one.data for one in tx.sync_sessions.of("phone", "9", ever)] == [b"a2"]
    clock.wait(60)
    with state.read() as tx:
        assert tx.sync_sessions.of("phone", "7", clock.now) == []


def test_secrets_are_sealed_and_expire(state: State, clock: Clock) -> None:
    until = NOW + timedelta(hours=1)
    secret = DeviceSecret(id="t1", user="anna", text="a1.token", password="pw-1", until=until)
    with state.begin() as tx:
        tx.device_secrets.add(secret)
    state.rotate_keys(retire=True)
    with state.read() as tx:
        assert tx.device_secrets.of("anna") == [secret]
        assert tx.device_secrets.of("bob") == []
    assert "a1.token" not in repr(secret)
    assert "pw-1" not in repr(secret)
    clock.wait(3601)
    with state.read() as tx:
        assert tx.device_secrets.of("anna") == []


def test_a_name_belongs_to_one_item_of_one_device(state: State) -> None:
    with state.begin() as tx:
        items = tx.device_items
        items.put(SHELF, [DeviceItem(ref="r1", luid="1", guid="r1", version="7", session="s")])
        items.put(OTHER, [DeviceItem(ref="r1", luid="1", guid="r1", version="6", session="s")])
        items.put(SHELF, [DeviceItem(ref="r2", luid="1", guid="r2", version="8", session="s")])
        assert items.by_luid(SHELF, ["1"])["1"].ref == "r2"
        assert items.by_ref(SHELF, ["r1"]) == {}
        assert items.known(OTHER, ["r1", "r2"]) == {"r1": "6"}
    twice = [DeviceItem(ref=ref, luid="9") for ref in ("r8", "r9")]
    with pytest.raises(Taken):
        state.run(lambda tx: tx.device_items.put(SHELF, twice))


def test_what_both_had_is_kept_until_they_have_something_else(state: State, clock: Clock) -> None:
    one, other = Contact(full_name="Ada"), Contact(full_name="Ada King")
    with state.begin() as tx:
        items = tx.device_items
        made = items.put(SHELF, [DeviceItem(ref="r1", luid="1", version="1")], {"r1": one})
        for version, digest in (("2", ""), ("", "")):
            items.touch(SHELF, {"r1": (version, digest)}, "s")
            assert items.by_ref(SHELF, ["r1"])["r1"].base == made["r1"]
        later = items.store({"r1": other})
        stored = tx.db.execute(select(schema.BLOBS.c.data)).scalars().all()
        assert len(stored) == 2
        assert all(data.startswith(SEALED) for data in stored)
        items.touch(SHELF, {"r1": ("3", later["r1"])}, "s")
        assert items.by_ref(SHELF, ["r1"])["r1"].base == later["r1"]
        assert items.bases([*made.values(), *later.values(), "", "gone"]) == {
            made["r1"]: one,
            later["r1"]: other,
        }
    clock.wait(2 * 86_400)
    with state.begin() as tx:
        assert tx.blobs.collect() == 1
        assert tx.device_items.bases([*made.values(), *later.values()]) == {later["r1"]: other}


def test_what_was_offered_and_not_named_is_unsettled(state: State) -> None:
    with state.begin() as tx:
        items = tx.device_items
        items.put(SHELF, [DeviceItem(ref=f"r{n}", guid=f"r{n}", version="1") for n in (1, 2)])
        items.put(SHELF, [DeviceItem(ref="r3", luid="3", version="1", session="s2")])
        assert [item.ref for item in items.unsettled(SHELF)] == ["r1", "r2"]
        assert items.known(SHELF, ["r1", "r3"]) == {"r3": "1"}
        items.touch(SHELF, {"r3": ("", "")}, "s2")
        assert [item.ref for item in items.unsettled(SHELF)] == ["r1", "r2", "r3"]
        items.drop_all(SHELF, but="s2")
        assert items.count(SHELF) == 1
        items.drop_all(SHELF)
        assert items.count(SHELF) == 0


def test_anchors_are_kept_per_store_and_device(state: State) -> None:
    with state.begin() as tx:
        tx.device_anchors.put(SHELF, Anchors(client="c1", own="o1", cursor="5"))
        tx.device_anchors.put(SHELF, Anchors(client="c2", own="o2", cursor="6"))
        assert tx.device_anchors.get(SHELF) == Anchors(client="c2", own="o2", cursor="6")
        assert tx.device_anchors.get(OTHER) is None
        tx.device_anchors.drop(SHELF)
        assert tx.device_anchors.get(SHELF) is None


def test_a_conversation_outlasts_new_keys_and_ends_with_the_next(
    state: State, clock: Clock
) -> None:
    with state.begin() as tx:
        tx.sync_sessions.put("phone", "1", "anna", b"data", "digest", b"reply")
    state.rotate_keys(retire=True)
    with state.begin() as tx:
        (found,) = tx.sync_sessions.of("phone", "1", NOW - timedelta(hours=1))
        assert (found.data, found.reply, found.digest) == (b"data", b"reply", "digest")
        assert tx.sync_sessions.of("phone", "1", NOW) == []
        assert tx.sync_sessions.of("tablet", "1", NOW - timedelta(hours=1)) == []
        tx.sync_sessions.put("phone", "2", "anna", b"", "", b"")
        assert tx.sync_sessions.of("phone", "1", NOW - timedelta(hours=1)) == []
    clock.wait(60)
    assert state.run(lambda tx: tx.sync_sessions.prune(NOW)) == 1


def test_the_log_keeps_what_was_refused_and_what_lost(state: State, clock: Clock) -> None:
    sync = Sync(id="s1", at=NOW, user="anna", device="phone", store="todo", mode="slow")
    with state.begin() as tx:
        tx.sync_log.put(sync)
        lost = SyncNote(what="conflict", luid="1", ref="r1", why="server wins", item=b"{}")
        refused = SyncNote(what="refused", luid="2", why="403")
        tx.sync_log.note([("s1", lost), ("s1", refused)])
    state.rotate_keys(retire=True)
    with state.read() as tx:
        assert tx.sync_log.query(user="anna") == [sync]
        assert tx.sync_log.query(user="bob") == []
        found = tx.sync_log.notes("s1")
        assert replace(found[0], id="") == lost
        assert tx.sync_log.lost(found[0].id) == (sync, found[0])
        assert tx.sync_log.lost("nothing") is None
    clock.wait(86_400 * 366)
    assert state.run(lambda tx: tx.sync_log.prune()) == 1


def test_a_line_of_the_log_counts_on(state: State) -> None:
    one = Sync(id="s1", at=NOW, user="ann", device="c", store="task", mode="m", counts={"added": 2})
    state.run(lambda tx: tx.sync_log.add(one))
    later = replace(one, at=NOW + timedelta(hours=1), counts={"added": 1, "refused": 1})
    state.run(lambda tx: tx.sync_log.add(later))
    with state.read() as tx:
        (line,) = tx.sync_log.query()
    assert line == replace(later, counts={"added": 3, "refused": 1})
