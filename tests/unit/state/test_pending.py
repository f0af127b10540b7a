"""Pending changes wait, are decided about, and give way to later changes of the same item."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from accord.engine.plan import Delete
from accord.model.kinds import Side
from accord.state import Cause, Intent, Pending, State, decode_step, encode_step
from tests.unit.state.build import NOW, snapshot

STEP = Delete(why="deleted in the CRM", side=Side.GROUPWARE, pairing="p1", before=snapshot("g1"))


def pending(name: str, crm: str = "", groupware: str = "", **values: Any) -> Pending:
    kept = {"link": "a", "cause": Cause.HELD, "step": encode_step(STEP), "at": NOW}
    return Pending(id=name, ref_crm=crm, ref_groupware=groupware, **{**kept, **values})


def ids(found: list[Pending]) -> list[str]:
    return [each.id for each in found]


def test_a_pending_change_comes_back_whole(state: State) -> None:
    whole = pending(
        "1",
        "c1",
        "g1",
        cause=Cause.RETRY,
        why="the server said 503",
        fingerprint="f",
        run="r",
        tries=3,
        due=NOW + timedelta(minutes=5),
        approved=True,
    )
    with state.begin() as tx:
        tx.pending.put(whole)
    with state.read() as tx:
        assert tx.pending.get("1") == whole
        assert tx.pending.by_link("a") == [whole]
        assert tx.pending.all() == [whole]
        assert tx.pending.get("2") is None
        assert decode_step(tx.pending.by_link("a")[0].step) == STEP


def test_a_later_change_of_a_ref_replaces_what_is_pending(state: State) -> None:
    with state.begin() as tx:
        tx.pending.put(pending("1", "c1", "g1"))
        tx.pending.put(pending("2", "c2", "g2"))
        tx.pending.put(pending("3", "c1"))
        assert ids(tx.pending.by_link("a")) == ["2", "3"]
        tx.pending.put(pending("4", groupware="g2"))
        assert ids(tx.pending.by_link("a")) == ["3", "4"]


def test_other_causes_and_links_and_unknown_refs_are_left_alone(state: State) -> None:
    with state.begin() as tx:
        tx.pending.put(pending("1", "c1"))
        tx.pending.put(pending("2", "c1", cause=Cause.CONFLICT))
        tx.pending.put(pending("3", "c1", link="b"))
        tx.pending.put(pending("4", groupware="g4"))
        tx.pending.put(pending("5", groupware="g5"))
        assert ids(tx.pending.all()) == ["1", "2", "3", "4", "5"]
        assert ids(tx.pending.by_link("a", "conflict")) == ["2"]
        assert ids(tx.pending.by_link("a", "conflict", Cause.HELD)) == ["1", "2", "4", "5"]
        assert ids(tx.pending.all(Cause.HELD)) == ["1", "3", "4", "5"]


def test_changes_given_together_stand_together(state: State) -> None:
    with state.begin() as tx:
        tx.pending.put(pending("0", "c1"))
        together = [pending("1", "c1"), pending("2", "c1", "g1"), pending("3", "c3")]
        tx.pending.put_many(together)
        assert ids(tx.pending.by_link("a")) == ["1", "2", "3"]
        tx.pending.put_many([])
        assert ids(tx.pending.by_link("a")) == ["1", "2", "3"]


def test_pending_changes_by_ref(state: State) -> None:
    with state.begin() as tx:
        tx.pending.put(pending("1", "c1", "g1"))
        tx.pending.put(pending("2", "c1", cause=Cause.REJECTED, at=NOW + timedelta(1)))
        tx.pending.put(pending("3", "c3", link="b"))
        tx.pending.put(pending("4", groupware="g4"))
        found = tx.pending.by_refs("a", Side.CRM, ["c1", "c3", ""])
        assert {ref: ids(each) for ref, each in found.items()} == {"c1": ["1", "2"]}
        assert ids(tx.pending.by_refs("a", Side.GROUPWARE, ["g1"])["g1"]) == ["1"]


def test_deciding(state: State) -> None:
    with state.begin() as tx:
        tx.pending.put(pending("1", "c1"))
        assert tx.pending.approve("1")
        found = tx.pending.get("1")
        assert found is not None
        assert (found.approved, found.refused) == (True, False)
        assert tx.pending.reject("1")
        found = tx.pending.get("1")
        assert found is not None
        assert (found.approved, found.refused) == (False, True)
        assert not tx.pending.approve("unknown")
        assert tx.pending.remove("1")
        assert not tx.pending.remove("1")


def test_what_is_due(state: State) -> None:
    with state.begin() as tx:
        later = NOW + timedelta(seconds=1)
        tx.pending.put(pending("now", "c1", cause=Cause.RETRY, due=NOW))
        tx.pending.put(pending("later", "c2", cause=Cause.RETRY, due=later))
        tx.pending.put(pending("never", "c3", cause=Cause.RETRY))
        tx.pending.put(pending("held", "c4"))
        tx.pending.put(pending("approved", "c5", approved=True))
        tx.pending.put(pending("other", "c1", link="b", cause=Cause.RETRY, due=NOW))
        assert ids(tx.pending.due("a", NOW)) == ["approved", "now"]
        assert ids(tx.pending.due("a", later)) == ["approved", "later", "now"]


def test_what_a_clock_put_off_that_has_been_set_back_since_is_due(state: State) -> None:
    ahead = NOW + timedelta(hours=1)
    with state.begin() as tx:
        due = ahead + timedelta(minutes=1)
        tx.pending.put(pending("ahead", "c1", cause=Cause.RETRY, at=ahead, due=due))
        assert ids(tx.pending.due("a", NOW)) == ["ahead"]
        assert ids(tx.pending.due("a", ahead)) == []
        assert ids(tx.pending.due("a", ahead - timedelta(seconds=59))) == [], "clocks differ a bit"


def test_settling(state: State) -> None:
    with state.begin() as tx:
        tx.pending.put(pending("1", "c1"))
        tx.pending.put(pending("2", "c1", cause=Cause.CONFLICT))
        tx.pending.put(pending("3", "c2"))
        tx.pending.put(pending("4", "c1", link="b"))
        assert tx.pending.settle("a", Side.CRM, ["c1", ""], Cause.HELD) == 1
        assert ids(tx.pending.all()) == ["2", "3", "4"]
        assert tx.pending.settle("a", Side.CRM, ["c1", "c2"]) == 2
        assert ids(tx.pending.all()) == ["4"]


def test_intents_open_and_close(state: State) -> None:
    intents = [
        Intent(
            id=f"k{number}",
            link="ab"[number % 2],
            run="r",
            side=Side.GROUPWARE,
            ref="g1",
            pairing="p1",
            step=encode_step(STEP),
            at=NOW - timedelta(minutes=number),
        )
        for number in range(4)
    ]
    with state.begin() as tx:
        tx.intents.open_many(intents)
    with state.read() as tx:
        assert tx.intents.of_link("a") == [intents[2], intents[0]]
        assert tx.intents.all() == intents[::-1]
        assert decode_step(tx.intents.all()[0].step) == STEP
    with state.begin() as tx:
        assert tx.intents.close_many(["k0", "k3", "unknown"]) == 2
        assert [each.id for each in tx.intents.all()] == ["k2", "k1"]


def test_steps_are_encrypted_where_there_is_a_key(state: State) -> None:
    with state.begin() as tx:
        tx.pending.put(pending("1", "c1"))
        intent = Intent(id="k", link="a", run="r", side=Side.CRM, step=b"clinic", at=NOW)
        tx.intents.open_many([intent])
        for table in ("state_pending", "state_intents"):
            stored = bytes(tx.db.execute(text(f"SELECT step FROM {table}")).scalar_one())
            assert stored[:1] == b"\x02"
            assert b"clinic" not in stored
