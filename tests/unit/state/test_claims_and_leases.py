"""One meeting belongs to one link, one folder to one worker, however many ask at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeAlias

import pytest
from msgspec.structs import replace

from accord.db import Contended, migrate, open_database
from accord.model.kinds import Side
from accord.ports.errors import Retry
from accord.state import Claim, LeaseLost, State
from tests.unit.state.build import Clock

Work: TypeAlias = Callable[[State, str, Any], Any]
WORKERS = 4
UIDS = [f"meeting-{number}" for number in range(25)]


def test_the_first_claim_stands(state: State) -> None:
    with state.begin() as tx:
        mine = Claim(crm="crm1", uid="u1", link="a", ref="c1")
        assert tx.claims.claim("crm1", "u1", "a", "c1") == mine
        assert tx.claims.claim("crm1", "u1", "b") == mine
        assert tx.claims.claim("crm1", "u1", "a") == mine
        assert tx.claims.claim("crm2", "u1", "b").link == "b"
        assert tx.claims.get("crm1", "u1") == mine
        assert tx.claims.get("crm1", "u2") is None


def test_claiming_many(state: State) -> None:
    with state.begin() as tx:
        tx.claims.claim("crm", "u1", "b")
        found = tx.claims.claim_many("crm", {"u1": "", "u2": "c2"}, "a")
        assert {uid: claim.link for uid, claim in found.items()} == {"u1": "b", "u2": "a"}
        assert tx.claims.get_many("crm", ["u1", "u2", "u3"]) == found
        assert tx.claims.claim_many("crm", {}, "a") == {}


@pytest.mark.parametrize("uid", ["u" * 5000, "a\0b", "\ud800", "日本語🙂", "a\tb"])
def test_any_uid_can_be_claimed(state: State, uid: str) -> None:
    with state.begin() as tx:
        assert tx.claims.claim("crm", uid, "a") == Claim(crm="crm", uid=uid, link="a")
        assert tx.claims.claim("crm", uid, "b").link == "a"
        assert tx.claims.claim("crm", uid + ".", "b").link == "b"
        assert tx.claims.set_refs("crm", {uid: "c1"}) == 1
        assert tx.claims.release("crm", uid)
        assert tx.claims.get("crm", uid) is None


def test_noting_passing_on_and_releasing(state: State) -> None:
    with state.begin() as tx:
        tx.claims.claim("crm", "u1", "a")
        assert tx.claims.set_refs("crm", {"u1": "c1"}) == 1
        assert tx.claims.by_ref("crm", "c1") == [Claim(crm="crm", uid="u1", link="a", ref="c1")]
        assert tx.claims.pass_on("crm", "u1", "b")
        assert [claim.uid for claim in tx.claims.of_link("b")] == ["u1"]
        assert tx.claims.of_link("a") == []
        assert not tx.claims.release("crm", "u1", "a")
        assert tx.claims.release("crm", "u1", "b")
        assert not tx.claims.release("crm", "u1")
        assert tx.claims.set_refs("crm", {"u1": "c1"}) == 0
        assert not tx.claims.pass_on("crm", "u1", "b")


def test_a_lease_is_held_by_one(state: State, clock: Clock) -> None:
    with state.begin() as tx:
        lease = tx.leases.acquire("folder", "one", 10)
        assert lease is not None
        assert tx.leases.acquire("folder", "two", 10) is None
        assert tx.leases.acquire("folder", "one", 10) is None, "not even by its own holder"
        assert tx.leases.acquire("other", "two", 10) is not None
        assert tx.leases.get("folder") == replace(lease, sure=0.0)
        assert tx.leases.held("folder")
        clock.wait(9.9)
        assert tx.leases.acquire("folder", "two", 10) is None
        clock.wait(0.2)
        assert not tx.leases.held("folder")
        taken = tx.leases.acquire("folder", "two", 10)
        assert taken is not None
        assert taken.fence > lease.fence


def test_who_waits_leaves_word_for_a_while(state: State, clock: Clock) -> None:
    with state.begin() as tx:
        lease = tx.leases.acquire("folder:t/a", "one", 60)
        assert not tx.leases.wanted("folder:t/a")
        for waiting in ("two", "three"):
            tx.leases.want("folder:t/a", waiting, 5)
        assert tx.leases.wanted("folder:t/a")
        assert not tx.leases.wanted("folder:t/b")
        assert list(tx.leases.standing("folder:")) == ["folder:t/a"]
        tx.leases.unwant("folder:t/a")
        assert not tx.leases.wanted("folder:t/a")
        tx.leases.want("folder:t/a", "two", 5)
        assert tx.leases.prune([]) == 0
        clock.wait(6)
        assert not tx.leases.wanted("folder:t/a"), "it was killed, and waits no longer"
        assert tx.leases.prune(["t"]) == 0
        assert tx.leases.prune([]) == 1
        assert lease is not None
        assert tx.leases.release(lease)


def test_who_was_overtaken_commits_nothing(state: State, clock: Clock) -> None:
    with state.begin() as tx:
        late = tx.leases.acquire("folder", "one", 10)
    assert late is not None
    clock.wait(11)
    with state.begin() as tx:
        tx.leases.check(late)  # run out, but nobody took it
        tx.cursors.put("a", Side.CRM, "desk", "in time")
    with state.begin() as tx:
        tx.leases.acquire("folder", "two", 10)
    with pytest.raises(LeaseLost), state.begin() as tx:  # noqa: PT012
        tx.cursors.put("a", Side.CRM, "desk", "too late")
        tx.leases.check(late)
    with state.begin() as tx:
        assert tx.cursors.get("a", Side.CRM, "desk") == "in time"
        with pytest.raises(LeaseLost):
            tx.leases.renew(late, 10)
        assert not tx.leases.release(late)
        assert tx.leases.held("folder")


def test_renewing_keeps_the_lease(state: State, clock: Clock) -> None:
    with state.begin() as tx:
        lease = tx.leases.acquire("folder", "one", 10)
        assert lease is not None
        clock.wait(8)
        lease = tx.leases.renew(lease, 10)
        clock.wait(8)
        assert tx.leases.acquire("folder", "two", 10) is None
        tx.leases.check(lease)


def test_a_lease_given_back_is_free_and_its_fence_stays_behind(state: State) -> None:
    fences = []
    with state.begin() as tx:
        for _ in range(3):
            lease = tx.leases.acquire("folder", "one", 10)
            assert lease is not None
            fences.append(lease.fence)
            assert tx.leases.release(lease)
            assert not tx.leases.release(lease)
            assert tx.leases.get("folder") is None
            with pytest.raises(LeaseLost):
                tx.leases.check(lease)
            with pytest.raises(LeaseLost):
                tx.leases.renew(lease, 10)
    assert fences == [1, 2, 3]


def test_a_lost_lease_means_trying_again() -> None:
    assert issubclass(LeaseLost, Retry)


def test_on_postgres_the_servers_clock_decides(state_url: str) -> None:
    """Two machines whose clocks differ by hours must not both hold a lease."""
    with closing(open_database(state_url)) as database:
        state = State(database)
        with state.begin() as tx:
            lease = tx.leases.acquire("folder", "one", 3600)
            assert lease is not None
            assert tx.leases.acquire("folder", "two", 10) is None
            tx.leases.release(lease)
            assert tx.leases.acquire("folder", "two", 10) is not None


def test_a_check_keeps_others_from_taking_over_until_the_commit(state: State, clock: Clock) -> None:
    with state.begin() as tx:
        lease = tx.leases.acquire("folder", "one", 10)
    assert lease is not None
    clock.wait(11)

    def take_over() -> int | None:
        with state.begin() as tx:
            taken = tx.leases.acquire("folder", "two", 10)
            assert tx.cursors.get("a", Side.CRM, "desk") == "committed before"
            return taken.fence if taken else None

    with ThreadPoolExecutor() as pool:
        with state.begin() as tx:
            tx.leases.check(lease)
            waiting = pool.submit(take_over)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
            tx.cursors.put("a", Side.CRM, "desk", "committed before")
        assert waiting.result() == lease.fence + 1


def test_many_processes_claim_each_meeting_once(state_url: str) -> None:
    answers = in_processes(_claim_all, state_url)
    assert len(answers) == WORKERS
    assert all(answer == answers[0] for answer in answers), "all were told the same"
    assert set(answers[0]) == set(UIDS)


def test_many_processes_take_turns_under_a_lease(state_url: str) -> None:
    """Each counts up by reading, waiting and writing; only a lease makes that come out right."""
    assert in_processes(_count_under_lease, state_url) == ["done"] * WORKERS
    with closing(open_database(state_url)) as database, State(database).read() as tx:
        assert tx.settings.get("count") == WORKERS * 10


def _claim_all(state: State, name: str, start: Any) -> dict[str, str]:
    seen = {}
    for uid in UIDS:
        start.wait(60)  # all at once, for every meeting
        with state.begin() as tx:
            seen[uid] = tx.claims.claim("crm", uid, name).link
    return seen


def _count_under_lease(state: State, name: str, _start: Any) -> str:
    done = 0
    while done < 10:
        with state.begin() as tx:
            lease = tx.leases.acquire("folder", name, 30)
        if lease is None:
            continue
        with state.read() as tx:
            count = tx.settings.get("count", 0)
        with state.begin() as tx:
            tx.leases.check(lease)
            tx.settings.put("count", count + 1)
            tx.leases.release(lease)
        done += 1
    return "done"


def in_processes(work: Work, url: str) -> list[Any]:
    """Do `work` in several processes that begin at the same moment; return what they answer."""
    with closing(open_database(url)) as database:
        migrate(database, "accord.state")
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(WORKERS), context.SimpleQueue()
    processes = [
        context.Process(target=_work, args=(work, url, f"worker-{n}", start, answers))
        for n in range(WORKERS)
    ]
    for process in processes:
        process.start()
    found = [answers.get() for _ in processes]
    for process in processes:
        process.join()
    return found


def _work(work: Work, url: str, name: str, start: Any, answers: Any) -> None:
    answer: Any = "failed"
    try:
        with closing(open_database(url)) as database:
            state = State(database)
            start.wait(60)
            answer = work(state, name, start)
    except Contended as error:
        answer = repr(error)
    finally:
        answers.put(answer)


def test_leases_on_folders_of_targets_that_are_gone_are_forgotten(
    state: State, clock: Clock
) -> None:
    names = ("folder:t/a/x", "folder:gone/a/x", "folder:away/a/x", "job:errors")
    with state.begin() as tx:
        for name in names:
            assert tx.leases.acquire(name, "me", 600 if name == names[2] else 1)
    clock.wait(5)
    with state.begin() as tx:
        assert tx.leases.prune({"t"}) == 1
        taken = {name: tx.leases.acquire(name, "me", 1) for name in names}
    assert taken[names[2]] is None, "whoever works there goes on"
    fences = {name: lease.fence for name, lease in taken.items() if lease is not None}
    assert fences == {names[0]: 2, names[1]: 1, names[3]: 2}
