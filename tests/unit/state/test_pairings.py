"""Pairings come back as they were put, for the refs asked for, in few statements."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import get_type_hints

import msgspec
import pytest
from sqlalchemy import event, text

from accord.db import Database, Taken
from accord.engine.plan import Pairing
from accord.model.kinds import Side
from accord.ports.errors import ConfigError
from accord.state import State
from accord.state import pairings as module
from tests.unit.state.build import Clock, furnish, pairing, snapshot


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Yield the statements executed inside, transactions' own ones left out."""
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("PRAGMA", "BEGIN")):
            seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine, "before_cursor_execute", note)


def test_a_pairing_comes_back_whole(state: State) -> None:
    whole = pairing(1, content=False, made=Side.GROUPWARE, frozen="ungone", rule="v7")
    with state.begin() as tx:
        tx.pairings.put("a", whole)
        tx.pairings.put("a", pairing(2))
    with state.read() as tx:
        assert tx.pairings.get("p1") == whole
        assert tx.pairings.get("p2") == pairing(2)
        assert tx.pairings.get("p3") is None
        assert tx.pairings.get_many(["p1", "p3"]) == {"p1": whole}


def test_pairings_by_refs_of_either_side(state: State) -> None:
    pairs = [pairing(number) for number in range(5)]
    with state.begin() as tx:
        tx.pairings.put_many("a", pairs)
        tx.pairings.put("b", pairing("x", crm=snapshot("c1")))
    with state.read() as tx:
        found = tx.pairings.by_refs("a", Side.CRM, ["c1", "c3", "g4", "c1"])
        assert found == {"c1": pairs[1], "c3": pairs[3]}
        assert tx.pairings.by_refs("a", Side.GROUPWARE, ["g4", "c1"]) == {"g4": pairs[4]}
        assert tx.pairings.by_refs("a", Side.CRM, []) == {}
        assert tx.pairings.by_refs("b", Side.CRM, ["c1", "c3"]).keys() == {"c1"}
        assert tx.pairings.ids("a", Side.GROUPWARE, ["g4", "g9"]) == {"g4": "p4"}


def test_versions_and_refs_and_count(state: State) -> None:
    with state.begin() as tx:
        tx.pairings.put_many("a", [pairing(n, crm=snapshot(f"c{n}", f"v{n}")) for n in range(3)])
        tx.pairings.put("b", pairing("b"))
    with state.read() as tx:
        assert tx.pairings.versions("a", Side.CRM) == {"c0": "v0", "c1": "v1", "c2": "v2"}
        assert tx.pairings.versions("a", Side.CRM, ["c2", "c9"]) == {"c2": "v2"}
        assert tx.pairings.versions("a", Side.GROUPWARE, ["g1"]) == {"g1": "1"}
        assert tx.pairings.refs("a", Side.GROUPWARE) == {"g0", "g1", "g2"}
        assert tx.pairings.count("a") == 3
        assert tx.pairings.count("nothing") == 0


def test_a_pairing_is_replaced(state: State) -> None:
    fresh = pairing(1, crm=snapshot("c1", "2", title="New"), groupware=snapshot("g1b", "2"))
    with state.begin() as tx:
        tx.pairings.put("a", pairing(1))
        tx.pairings.put("a", fresh)
        assert list(tx.pairings.all("a")) == [fresh]
        assert tx.pairings.by_refs("a", Side.GROUPWARE, ["g1"]) == {}


@pytest.mark.parametrize("side", [{"crm": snapshot("c1")}, {"groupware": snapshot("g1")}])
def test_a_ref_is_paired_once_per_link(state: State, side: dict) -> None:
    with state.begin() as tx:
        tx.pairings.put("a", pairing(1))
    with state.begin() as tx:
        tx.pairings.put("b", pairing(2, **side))
    with pytest.raises(Taken), state.begin() as tx:
        tx.pairings.put_many("a", [pairing(4), pairing(3, **side)])
    with state.read() as tx:
        assert tx.pairings.count("a") == 1


def test_two_pairs_may_swap_their_refs(state: State) -> None:
    with state.begin() as tx:
        tx.pairings.put_many("a", [pairing(1), pairing(2)])
        swapped = [pairing(1, crm=snapshot("c2")), pairing(2, crm=snapshot("c1"))]
        tx.pairings.put_many("a", swapped)
        assert list(tx.pairings.all("a")) == swapped


def test_removing_frees_the_refs(state: State) -> None:
    with state.begin() as tx:
        tx.pairings.put_many("a", [pairing(1), pairing(2)])
        assert tx.pairings.remove("p1")
        assert not tx.pairings.remove("p1")
        tx.pairings.put("a", pairing(9, crm=snapshot("c1")))
        assert tx.pairings.remove_many(["p9", "p2", "p5"]) == 2
        assert tx.pairings.count("a") == 0


def test_all_is_streamed_in_order_and_complete(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGE", 3)
    for count in (0, 1, 3, 7):
        with state.begin() as tx:
            for number in random.Random(1).sample(range(count), count):
                tx.pairings.put("a", pairing(number))
            tx.pairings.put("b", pairing("b"))
            found = list(tx.pairings.all("a"))
        assert found == [pairing(number) for number in range(count)]


def test_all_allows_writing_meanwhile(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAGE", 2)
    with state.begin() as tx:
        tx.pairings.put_many("a", [pairing(number) for number in range(6)])
        for each in tx.pairings.all("a"):
            tx.pairings.remove(each.id)
        assert tx.pairings.count("a") == 0


def test_who_has_a_meeting(state: State) -> None:
    shared = snapshot("c1", uid="u1")
    with state.begin() as tx:
        tx.pairings.put("a", pairing(1, crm=shared, groupware=snapshot("g1", uid="u1")))
        tx.pairings.put("b", pairing(2, crm=shared, groupware=snapshot("g2", uid="u2")))
    with state.read() as tx:
        assert tx.pairings.by_uid("u1") == [("a", "p1")]


def test_any_uid_can_be_kept(state: State) -> None:
    """Uids are chosen by whoever sends an invitation."""
    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789😀", k=5000))
    odd = pairing(1, groupware=snapshot("g1", uid="a\0b" + noise))
    other = pairing(2, groupware=snapshot("g2", uid="a\0b" + noise + "."))
    with state.begin() as tx:
        tx.pairings.put_many("a", [odd, other])
    with state.read() as tx:
        assert tx.pairings.get("p1") == odd
        assert tx.pairings.by_uid("a\0b" + noise) == [("a", "p1")]


def test_loading_many_is_a_handful_of_statements(state: State) -> None:
    with state.begin() as tx:
        tx.pairings.put_many("a", [pairing(number) for number in range(300)])
    with statements(state.database) as seen, state.read() as tx:
        found = tx.pairings.by_refs("a", Side.CRM, [f"c{number}" for number in range(200)])
    assert len(found) == 200
    assert len(seen) <= 3


def test_storing_many_is_a_handful_of_statements(state: State) -> None:
    with statements(state.database) as seen, state.begin() as tx:
        tx.pairings.put_many("a", [pairing(number) for number in range(1000)])
    assert len(seen) <= 3


def test_private_items_are_encrypted(state: State) -> None:
    hidden = snapshot("g1", title="Visit to the clinic", private=True)
    with state.begin() as tx:
        tx.pairings.put("a", pairing(1, groupware=hidden))
    with state.read() as tx:
        found = tx.pairings.get("p1")
        assert found is not None
        assert found.groupware == hidden
        blobs = tx.db.mapping(text("SELECT digest, data FROM state_blobs"))
    sealed = [data for data in blobs.values() if bytes(data)[:1] == b"\x02"]
    assert len(blobs) == 2
    assert len(sealed) == 1
    assert not [data for data in blobs.values() if b"clinic" in bytes(data)]


def test_private_items_need_a_key(database: Database, clock: Clock) -> None:
    state = State(database, clock=clock)
    furnish(state, "a")
    with state.begin() as tx:
        tx.pairings.put("a", pairing(1))
    with pytest.raises(ConfigError, match="need a key"), state.begin() as tx:
        tx.pairings.put("a", pairing(2, crm=snapshot("c2", private=True)))


def test_further_fields_of_a_pairing_need_no_column(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wider(Pairing, frozen=True, kw_only=True):
        sequence: int = 0
        sides: tuple[Side, ...] = ()

    more = {n: t for n, t in get_type_hints(Wider).items() if n in ("sequence", "sides")}
    monkeypatch.setattr(module, "_TYPES", more)
    monkeypatch.setattr(module, "Pairing", Wider)
    wide = Wider(**msgspec.structs.asdict(pairing(1)), sequence=7, sides=(Side.CRM,))
    with state.begin() as tx:
        tx.pairings.put("a", wide)
        assert tx.pairings.get("p1") == wide
    monkeypatch.undo()  # an older Accord reads on
    with state.read() as tx:
        assert tx.pairings.get("p1") == pairing(1)


def test_every_field_of_a_pairing_is_kept() -> None:
    """A new field gets a column or travels in `more`; none is dropped in silence."""
    assert module._COLUMNS | module._TYPES.keys() == set(Pairing.__struct_fields__)
