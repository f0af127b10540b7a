"""Who is at work, and what is known of links at one look: their last runs, what waits, listings."""

from __future__ import annotations

import os
from datetime import timedelta

from msgspec.structs import replace
from sqlalchemy import text

from accord.db import open_database
from accord.db.migrate import upgrade
from accord.model.kinds import Side
from accord.state import State
from accord.state.holder import myself
from accord.state.processes import KEPT, LIFE
from accord.state.records import Cause, Pending, Process
from tests.unit.state.build import NOW, Clock

ELSEWHERE = "other:boot:pid:[1]/77/aaaa"


def process(id_: str = ELSEWHERE, part: str = "worker", host: str = "other") -> Process:
    return Process(name=id_, parts=frozenset([part]), host=host, version="1", since=NOW)


def live(state: State, one: Process, seconds: float) -> None:
    state.run(lambda tx: tx.processes.live(one, seconds))


def shown(state: State) -> list[tuple[str, bool]]:
    with state.read() as tx:
        return [(one.part, one.gone) for one in tx.processes.all()]


def test_who_gives_no_sign_of_life_is_gone_and_comes_last(state: State, clock: Clock) -> None:
    live(state, process(part="listener"), 30)
    live(state, process("x:b:p/78/b"), 60)
    clock.wait(40)
    assert shown(state) == [("worker", False), ("listener", True)]
    live(state, process(part="listener"), 30)
    assert shown(state) == [("listener", False), ("worker", False)]
    state.run(lambda tx: tx.processes.leave(ELSEWHERE))
    assert shown(state) == [("worker", False)]


def test_figures_are_kept_and_replaced(state: State) -> None:
    for count in (1, 2):
        one = replace(process(), figures={"work": {"company": {"requests": count}}})
        live(state, one, 30)
    with state.read() as tx:
        (found,) = tx.processes.all()
    assert found.figures == {"work": {"company": {"requests": 2}}}
    assert found.heard == NOW + timedelta(seconds=30 - LIFE)


def test_a_process_of_this_machine_that_ended_is_gone_at_once(state: State) -> None:
    me = myself()
    place, _, _ = me.rpartition("/")[0].rpartition("/")
    live(state, process(me, "web"), 30)
    live(state, process(f"{place}/{_ended()}/c"), 30)
    assert shown(state) == [("web", False), ("worker", True)]


def _ended() -> int:
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)
    return child


def test_who_comes_back_takes_the_place_of_who_ended_without_a_word(
    state: State, clock: Clock
) -> None:
    for id_, part, host in (
        ("a:b:p/1/x", "worker", "here"),
        ("a:b:p/2/x", "worker", "here"),
        ("a:b:p/3/x", "listener", "here"),
        ("a:b:p/4/x", "worker", "there"),
    ):
        seconds = 60 if id_ == "a:b:p/2/x" else 30
        one = process(id_, part, host)
        live(state, one, seconds)
    clock.wait(50)
    state.run(lambda tx: tx.processes.supersede(process("a:b:p/5/x", "worker", "here")))
    with state.read() as tx:
        assert {one.name for one in tx.processes.all()} == {"a:b:p/2/x", "a:b:p/3/x", "a:b:p/4/x"}
    clock.wait(KEPT.total_seconds())
    state.run(lambda tx: tx.processes.supersede(process("a:b:p/6/x", "web", "here")))
    assert shown(state) == [("worker", True)], "a day after its last sign of life"


def ended(state: State) -> dict[str, float]:
    with state.read() as tx:
        return {link: (at - NOW).total_seconds() for link, at in tx.runs.ended().items()}


def test_when_a_run_of_each_link_ended_last_whatever_is_under_way(
    state: State, clock: Clock
) -> None:
    for link, error in (("a", "first"), ("b", ""), ("a", ""), ("b", "refused"), ("gone", "")):
        run = state.run(lambda tx: tx.runs.start(link, "hint"))  # noqa: B023
        clock.wait(10)
        state.run(lambda tx: tx.runs.finish(run, {}, error))  # noqa: B023
    assert ended(state) == {"a": 30, "b": 40}
    for link in ("a", "b"):
        state.run(lambda tx: tx.runs.start(link, "hint"))  # noqa: B023
    assert ended(state) == {"a": 30, "b": 40}


def test_of_what_did_nothing_the_last_run_stays_and_the_last_that_ended(
    state: State, clock: Clock
) -> None:
    for over in (True, True, False, False):
        run = state.run(lambda tx: tx.runs.start("a", "hint"))
        clock.wait(10)
        if over:
            state.run(lambda tx: tx.runs.finish(run))  # noqa: B023
    clock.wait(10)
    assert state.run(lambda tx: tx.runs.prune(clock.now)) == 2
    assert ended(state) == {"a": 20}


def test_what_waits_is_counted_by_link_and_cause_without_what_was_refused(state: State) -> None:
    for number, (link, cause) in enumerate(
        [("a", Cause.HELD), ("a", Cause.HELD), ("a", Cause.RETRY), ("b", Cause.HELD)]
    ):
        one = Pending(
            id=str(number), link=link, ref_crm=f"r{number}", cause=cause, step=b"", at=NOW
        )
        with state.begin() as tx:
            tx.pending.put(one)
    state.run(lambda tx: tx.pending.reject("3"))
    with state.read() as tx:
        assert tx.pending.counts() == {"a": {Cause.HELD: 2, Cause.RETRY: 1}}


def test_a_link_was_listed_completely_when_both_of_its_sides_were(
    state: State, clock: Clock
) -> None:
    def put(side: Side, *, complete: bool) -> None:
        state.run(lambda tx: tx.cursors.put("a", side, "desk", "1", complete=complete))

    def completed() -> object:
        with state.read() as tx:
            return tx.cursors.completed()

    put(Side.CRM, complete=True)
    assert completed() == {}
    put(Side.GROUPWARE, complete=False)
    assert completed() == {}
    clock.wait(60)
    put(Side.GROUPWARE, complete=True)
    assert completed() == {"a": NOW}, "since when both were"
    clock.wait(60)
    put(Side.CRM, complete=True)
    put(Side.GROUPWARE, complete=False)
    assert completed() == {"a": NOW + timedelta(seconds=60)}, "others leave the moment as it is"


def test_what_has_no_cursor_may_be_listed_completely_all_the_same(state: State) -> None:
    with state.begin() as tx:
        for side in Side:
            tx.cursors.put("a", side, "desk", "", complete=True)
        assert tx.cursors.completed() == {"a": NOW}
        assert [tx.cursors.get("a", side, "desk") for side in Side] == ["", ""]
        tx.cursors.put("a", Side.CRM, "desk", "")
        assert tx.cursors.completed() == {}


def test_older_cursors_are_of_no_known_listing(database_url: str) -> None:
    database = open_database(database_url)
    with database.begin(foreign_keys=False) as tx:
        upgrade(tx, "accord.state", "0012")
        tx.execute(
            text(
                "INSERT INTO state_targets (id, name, adapter, side, settings) "
                "VALUES ('t', 't', 'dav', 'groupware', '')"
            )
        )
        tx.execute(
            text(
                'INSERT INTO state_links (id, name, "user", kind, target, principal, folder, '
                "rule, mode, paused) VALUES ('a', 'a', 'anna', 'event', 't', 'a@x', '', "
                "'r', 'active', false)"
            )
        )
        for side in ("crm", "groupware"):
            tx.execute(
                text(
                    "INSERT INTO state_cursors (link, side, place, cursor, at) "
                    f"VALUES ('a', '{side}', 'desk', '1', :at)"
                ),
                [{"at": NOW}],
            )
    state = State(database)
    with state.read() as tx:
        assert tx.cursors.completed() == {}
        assert len(tx.cursors.all()) == 2
        assert tx.processes.all() == []
    database.close()
