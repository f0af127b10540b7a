"""Jobs: done when due, once among all, with a result, whatever happens to who does them."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from msgspec.structs import replace

from accord.ports.errors import Busy, ConfigError, Retry
from accord.ports.queue import DEATHS
from accord.ports.settings import Setting, SettingType
from accord.sandbox.process import until
from accord.service.accord import Accord
from accord.service.jobs import running
from accord.service.jobs.catalogue import JOBS
from accord.service.jobs.job import Outcome, Stopped, Work
from accord.service.jobs.running import run_job
from accord.service.jobs.schedule import parse
from accord.service.jobs.standing import choose, reschedule, standing, switch
from accord.state.holder import myself
from accord.state.leases import LeaseLost
from accord.state.state import Tx
from tests.unit.service.jobbing import Office, only, threads
from tests.unit.service.kit import World

SOON = 30.0


def done(_: Work) -> Outcome:
    return Outcome(words="all done", counts={"things": 2}, changed=True)


def test_every_job_has_a_schedule_a_title_and_numbers_for_options() -> None:
    assert list(JOBS) == [
        "initialize", "errors", "reconcile", "retention", "tokens", "housekeeping", "digest",
    ]  # fmt: skip
    for job in JOBS.values():
        assert str(parse(job.schedule)) == job.schedule and job.title
        assert all(each.type is SettingType.NUMBER and each.help for each in job.options)


def test_a_job_is_done_when_it_is_due_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(World("alice"))
    only(monkeypatch, done)
    assert office.pass_by() == ["probe"], "a new job begins at once"
    assert office.pass_by() == []
    one = office.job("probe")
    assert (one.ending, one.words, one.counts, one.running) == (
        "done",
        "all done",
        {"things": 2},
        False,
    )
    assert one.due is not None and (one.due - office.world.now).total_seconds() == 3600
    office.world.wait(minutes=59)
    assert office.pass_by() == []
    office.world.wait(minutes=2)
    assert office.pass_by() == ["probe"]


def test_what_was_done_is_journaled_once_and_nothing_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office(World("alice"))
    only(monkeypatch, done)
    office.run("probe", by="root")
    (entry,) = office.world.journal(step="job")
    assert (entry.ref, entry.why, entry.actor, entry.error) == ("probe", "all done", "root", "")
    only(monkeypatch, lambda _: Outcome(words="nothing to do"))
    office.run("probe")
    only(monkeypatch, lambda _: Outcome(words="it broke", failed=1))
    office.run("probe")
    office.run("probe")
    assert [each.error for each in office.world.journal(step="job")] == ["it broke", ""]


def test_one_that_is_switched_off_rests_and_may_be_done_by_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office(World("alice"))
    only(monkeypatch, done)
    accord = office.world.accord
    assert not switch(accord, "probe", on=False).enabled
    assert office.pass_by() == [] and office.job("probe").due is None
    assert office.run("probe").words == "all done"
    assert office.pass_by() == []
    assert switch(accord, "probe", on=True).due == office.world.now
    assert office.pass_by() == ["probe"]


def test_another_schedule_counts_from_the_last_time(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(World("alice"))
    only(monkeypatch, done)
    office.pass_by()
    one = reschedule(office.world.accord, "probe", "every 10m")
    assert one.schedule == "every 10m"
    office.world.wait(minutes=11)
    assert office.pass_by() == ["probe"]
    assert reschedule(office.world.accord, "probe", "every 60m").schedule == "every 1h"
    with pytest.raises(ConfigError, match="no schedule"):
        reschedule(office.world.accord, "probe", "sometimes")
    with pytest.raises(ConfigError, match="no job"):
        reschedule(office.world.accord, "prob", "every 1h")


def test_options_are_numbers_with_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(World("alice"))
    given: list[dict[str, Any]] = []
    option = Setting(
        name="days", label="Days", type=SettingType.NUMBER, default=30, help="for so many days"
    )

    def look(work: Work) -> Outcome:
        given.append(work.options)
        return Outcome(words="")

    only(monkeypatch, look, options=(option,))
    accord = office.world.accord
    office.run("probe")
    assert choose(accord, "probe", {"days": "7"}).options == {"days": 7}
    office.run("probe")
    assert choose(accord, "probe", {"days": ""}).options == {"days": 30}
    assert given == [{"days": 30}, {"days": 7}]
    for wrong in ({"days": "-1"}, {"days": "many"}, {"day": "1"}, {"days": "9" * 30}):
        with pytest.raises(ConfigError):
            choose(accord, "probe", wrong)
    assert office.job("probe").options == {"days": 30}


@pytest.mark.parametrize(
    ("error", "ending", "words"),
    [
        (Retry("the server is down"), "failed", "the server is down"),
        (ConfigError("no such thing", hint="set it"), "unable", "no such thing"),
        (KeyError("title of somebody"), "failed", "a fault of Accord (KeyError)"),
        (Busy("somebody is at it"), "done", "somebody is at it"),
    ],
)
def test_what_a_job_meets_is_its_result(
    error: Exception,
    ending: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    faults: list[str],
) -> None:
    office = Office(World("alice"))

    def meet(_: Work) -> Outcome:
        raise error

    only(monkeypatch, meet)
    assert office.pass_by() == ["probe"]
    one = office.job("probe")
    assert one.ending == ending and one.words.startswith(words)
    assert "somebody's" not in one.words and "title of" not in one.words
    office.world.wait(hours=2)
    assert office.pass_by() == ["probe"], "it is tried again in its time"
    assert len(faults) == 2 * isinstance(error, KeyError)


def test_two_processes_do_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(World("alice"))
    began, go = threading.Semaphore(0), threading.Event()
    count = []

    def slow(_: Work) -> Outcome:
        count.append(1)
        began.release()
        assert go.wait(SOON)
        return Outcome(words="slowly")

    only(monkeypatch, slow)
    first, second = office.clockwork(), office.clockwork()
    first.look()
    assert began.acquire(timeout=SOON)
    assert office.job("probe").running
    second.look()
    with pytest.raises(Busy):
        office.run("probe")
    go.set()
    first.close()
    second.close()
    assert len(count) == 1 and not office.job("probe").running
    assert not threads({"job-probe", "job-probe-beat"})


def test_whoever_lost_the_lease_notes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(World("alice"))

    def late(work: Work) -> Outcome:
        work.accord.state.run(lambda tx: tx.leases.acquire("job:probe", "x", 0))
        office.world.wait(hours=1)
        # The clock of leases: another machine takes over whose process gives no sign of life.
        with work.accord.state.begin() as tx:
            assert tx.leases.acquire("job:probe", "elsewhere/1/a", 60) is not None
        return Outcome(words="too late", changed=True)

    only(monkeypatch, late)
    with pytest.raises(LeaseLost):
        office.run("probe")
    one = office.job("probe")
    assert (one.ending, one.running) == ("", True) and not office.world.journal(step="job")


def test_a_lost_lease_ends_a_job_at_its_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(World("alice"))
    monkeypatch.setattr(running, "BEAT", 0.05)

    def long(work: Work) -> Outcome:
        with work.accord.state.begin() as tx:
            lease = tx.leases.get("job:probe")
            assert lease is not None and tx.leases.release(lease)
        assert work.lost.wait(SOON)
        work.step()
        raise AssertionError("unreachable")

    only(monkeypatch, long)
    with pytest.raises(LeaseLost):
        office.run("probe")


def test_the_lease_is_kept_while_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(World("alice"))
    monkeypatch.setattr(running, "BEAT", 0.05)

    def long(work: Work) -> Outcome:
        office.world.wait(seconds=running.HELD - 1)

        def renewed() -> bool:
            with work.accord.state.read() as tx:
                lease = tx.leases.get("job:probe")
            return lease is not None and (lease.until - office.world.now).seconds > 60

        assert until(renewed, SOON)
        return Outcome(words="done at last")

    only(monkeypatch, long)
    assert office.run("probe").words == "done at last"


def test_stopping_ends_a_job_at_its_next_step_and_the_next_start_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office(World("alice"))
    began = threading.Event()
    marks = []

    def long(work: Work) -> Outcome:
        marks.append(work.mark)
        if work.mark is None:
            work.keep({"done": 3})
            began.set()
            work.wait(SOON)
        return Outcome(words="went on")

    only(monkeypatch, long)
    clockwork = office.clockwork()
    clockwork.look()
    assert began.wait(SOON)
    clockwork.close()
    one = office.job("probe")
    assert (one.ending, one.words, one.running) == ("cut off", "stopped in the middle", False)
    assert office.pass_by() == ["probe"]
    assert marks == [None, {"done": 3}] and office.job("probe").words == "went on"


def test_who_stops_a_job_by_hand_has_it_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(World("alice"))

    def interrupted(_: Work) -> Outcome:
        raise KeyboardInterrupt

    only(monkeypatch, interrupted)
    with pytest.raises(KeyboardInterrupt):
        office.run("probe")
    only(monkeypatch, done)
    assert office.job("probe").ending == "cut off"
    assert office.pass_by() == ["probe"]  # its first time is still to come
    assert office.pass_by() == []


def killed(office: Office) -> None:
    """Let a process die in the middle of the job: a child that ends without a word."""
    state = office.world.state
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    place = myself().rsplit("/", 2)[0]
    with state.begin() as tx:
        if (standing := tx.leases.get("job:probe")) is not None:
            tx.leases.release(standing)
        assert tx.leases.acquire("job:probe", f"{place}/{child}/a", 120) is not None
        row = tx.jobs.get("probe")
        assert row is not None
        begun = {"started": office.world.now, "ended": None, "attempts": row.attempts + 1}
        tx.jobs.put(replace(row, **begun))


def test_a_job_that_was_cut_off_by_a_kill_is_due_again_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office(World("alice"))
    only(monkeypatch, done)
    office.pass_by()
    killed(office)
    office.world.wait(seconds=1)
    assert office.pass_by() == ["probe"]
    assert office.job("probe").ending == "done"


def test_on_another_machine_it_is_taken_over_when_the_lease_has_run_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office(World("alice"))
    only(monkeypatch, done)
    with office.world.state.begin() as tx:
        assert tx.leases.acquire("job:probe", "elsewhere/1/a", running.HELD)
    assert office.pass_by() == []
    office.world.wait(seconds=running.HELD + 1)
    assert office.pass_by() == ["probe"]


def test_one_that_kills_whoever_does_it_is_given_up_until_its_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office(World("alice"))
    only(monkeypatch, done)
    office.pass_by()
    for _ in range(DEATHS):
        killed(office)
    assert office.pass_by() == []
    one = office.job("probe")
    assert one.ending == "cut off" and f"{DEATHS} processes" in one.words
    assert office.pass_by() == []
    office.world.wait(hours=2)
    assert office.pass_by() == ["probe"]


def test_a_plan_takes_no_lease_and_notes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(World("alice"))
    seen = []

    def look(work: Work) -> Outcome:
        seen.append(work.dry)
        return Outcome(words="would")

    only(monkeypatch, look)
    assert office.run("probe", dry=True).words == "would"
    assert seen == [True] and office.job("probe").ending == ""
    only(monkeypatch, look, plans=False)
    with pytest.raises(ConfigError, match="no plan"):
        office.run("probe", dry=True)


def test_a_clock_that_was_wrong_keeps_no_job_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(World("alice"))
    only(monkeypatch, done)
    office.pass_by()
    office.world.wait(hours=-5)
    office.pass_by()
    one = office.job("probe")
    assert one.due is not None and (one.due - office.world.now).total_seconds() <= 3600


class News:
    """Be what a job goes by, and who hears of it in one process."""

    def __init__(self, office: Office, monkeypatch: pytest.MonkeyPatch, do: Any = done) -> None:
        self.text = "a"
        self.office = office
        only(monkeypatch, do, version=self.tell)
        assert office.pass_by() == ["probe"]
        office.told.clear()
        self.clockwork = office.clockwork()

    def tell(self, _: Accord) -> str:
        if not self.text:
            raise Retry("nobody can tell", after=1)
        return self.text

    def hear(self, times: int = 1) -> list[str]:
        """Let a process hear so often, and return what was done."""
        self.office.told.clear()
        for _ in range(times):
            self.clockwork.hear()
            for thread in list(self.clockwork._threads.values()):
                thread.join(SOON)
        return [name for name, _ in self.office.told]


def test_many_changes_make_one_run_once_they_have_come_to_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    news = News(Office(World("alice")), monkeypatch)
    assert news.hear(3) == []
    for text in ("b", "c", "d"):
        news.text = text
        assert news.hear() == []
    assert news.hear(5) == ["probe"]
    one = news.office.job("probe")
    assert one.due is not None and (one.due - news.office.world.now).total_seconds() == 3600
    news.clockwork = news.office.clockwork()
    assert news.hear(3) == [], "another process finds it done"


def test_news_that_comes_while_a_job_runs_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def look(_: Work) -> Outcome:
        ran.append(news.text if len(ran) else "first")
        if len(ran) == 2:
            news.text = "c"
        return Outcome(words="")

    news = News(Office(World("alice")), monkeypatch, look)
    news.text = "b"
    assert news.hear(5) == ["probe", "probe"]
    assert ran == ["first", "b", "c"]


def test_news_waits_for_who_is_at_it_and_begins_nothing_that_is_switched_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    news = News(Office(World("alice")), monkeypatch)
    accord = news.office.world.accord
    lease = accord.state.run(lambda tx: tx.leases.acquire("job:probe", "elsewhere/1/a", 60))
    assert lease is not None
    news.text = "b"
    assert news.hear(3) == [] and not news.clockwork._threads
    accord.state.run(lambda tx: tx.leases.release(lease))
    assert news.hear() == ["probe"]
    switch(accord, "probe", on=False)
    news.text = "c"
    news.clockwork = news.office.clockwork()
    assert news.hear(3) == [] and not news.clockwork._threads
    assert run_job(accord, news.office.config, None, "probe", due=True) is None


@pytest.mark.parametrize("error", [ConfigError("paused", field="x"), Retry("away", after=1)])
def test_what_news_could_not_do_waits_for_its_time(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(_: Work) -> Outcome:
        raise error

    news = News(Office(World("alice")), monkeypatch, fail)
    news.text = "b"
    assert news.hear(5) == ["probe"]
    news.text = ""
    assert news.hear(3) == [], "nobody can tell"


def test_news_that_kills_whoever_does_it_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    news = News(Office(World("alice")), monkeypatch)
    news.text = "b"

    def dead(tx: Tx) -> None:
        row = tx.jobs.get("probe")
        assert row is not None
        tx.jobs.put(replace(row, attempts=DEATHS))

    news.office.world.state.run(dead)
    assert news.hear(5) == []
    assert news.office.job("probe").ending == "cut off"


def test_a_crm_that_can_not_tell_of_its_users_is_left_to_the_schedule() -> None:
    office = Office(World("alice"))
    office.pass_by()
    office.told.clear()
    clockwork = office.clockwork()
    office.world.crm.put_group("sales", "alice")
    for _ in range(3):
        clockwork.hear()
    assert clockwork._threads == {}


def test_all_jobs_do_their_work_where_there_is_nothing_to_do() -> None:
    office = Office(World("alice"))
    told = {
        name: office.run(name).ending.value for name in JOBS if name not in ("reconcile", "digest")
    }
    assert set(told.values()) == {"done"}
    assert len(standing(office.world.accord)) == len(JOBS)
    with pytest.raises(Stopped):
        Work(office.world.accord, office.config, None, {}, stopped=_set()).step()


def _set() -> threading.Event:
    event = threading.Event()
    event.set()
    return event
