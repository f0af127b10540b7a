"""What each job does: retry and tell, list completely, remove, renew, mail digests, initialize."""

from __future__ import annotations

import re
import smtplib
import zlib
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from accord.interface.server.settings import InterfaceSettings
from accord.ports.errors import AuthFailed, ConfigError, Rejected, Retry
from accord.ports.queue import Entry as Waiting
from accord.ports.queue import Stage
from accord.service.accord import Accord
from accord.service.check import check
from accord.service.identity import accept
from accord.service.jobs import reconciliation, retention
from accord.service.jobs.job import STOPPED, Outcome
from accord.service.jobs.standing import choose, reschedule, switch
from accord.service.notices.causes import standing
from accord.service.notices.mail import Mailer
from accord.service.notices.settings import SmtpSettings
from accord.service.roster import read
from accord.service.standing import pause_all, pause_links
from accord.service.sync import sync
from accord.service.vault import StateVault
from accord.state.ids import new_id
from accord.state.jobs import JobRow
from accord.state.leases import LeaseLost
from accord.state.records import Cause, Entry, Pending, Process, Watched
from tests.unit.dav.test_tls import Authority
from tests.unit.service.jobbing import Office
from tests.unit.service.kit import CRM, World, event
from tests.unit.service.postman import MailServer
from tests.unit.service.test_digest import clashed
from tests.unit.service.test_initialize import Firm

NOW = datetime(2026, 3, 2, tzinfo=UTC)


class Broken:
    """Mailboxes in memory that meet `trouble` when one is opened."""

    def __init__(self, adapter: Any) -> None:
        self.adapter = adapter
        self.trouble: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.adapter, name)

    def open(self, principal: str) -> Any:
        if self.trouble is not None:
            raise self.trouble
        return self.adapter.open(principal)


class Sick(Office):
    """An office whose mail server may be in trouble."""

    def __init__(self, *users: str, **more: Any) -> None:
        super().__init__(World(*users, **more))
        self.server = Broken(self.world.accord.adapter("t"))
        world = self.world
        world.accord = Accord(world.state, world.accord.crm, lambda _: self.server, world.clock)

    def visit(self, trouble: Exception | None) -> None:
        self.server.trouble = trouble
        with self.world.state.read() as tx:
            links = tx.links.all()
        sync(self.world.accord, links)

    def check(self) -> Outcome:
        self.queue.asked.clear()
        return self.run("errors")

    def words(self) -> list[str]:
        return [row.words for row in standing(self.world.accord)]


def test_links_are_grouped_by_what_keeps_them_and_not_shown_a_refused_password() -> None:
    office = Sick("alice", "bob", "carol")
    office.visit(AuthFailed("the server refuses login name or password (401)"))
    outcome = office.check()
    (words,) = office.words()
    assert words == (
        "3 links can't be visited on mail: the server refuses login name or password (401)"
    )
    assert outcome.words == "1 wrong, 1 told" and outcome.ending == "done"
    assert office.queue.asked == []
    assert office.check().words == "1 wrong"
    office.visit(None)
    assert office.check().words == "nothing is wrong" and office.words() == []


def test_one_outage_of_many_mailboxes_is_one_cause() -> None:
    names = [f"user{chr(97 + number)}" for number in range(20)]
    office = Sick(*names)
    for name in names:
        office.server.trouble = Retry(f"{name}@x.test: the server failed (/{name}/calendar/)")
        with office.world.state.read() as tx:
            links = [link for link in tx.links.all() if link.id == name]
        sync(office.world.accord, links)
    office.check()
    (words,) = office.words()
    assert words.startswith("20 links can't be visited on mail: user")


def test_the_same_on_two_targets_is_two_causes() -> None:
    office = Sick("alice", "bob")
    with office.world.state.begin() as tx:
        (target,) = tx.targets.all()
        for number, link in enumerate(tx.links.all()):
            other = msgspec.structs.replace(target, id=new_id(), name=f"mail {number}")
            tx.targets.put(other)
            tx.links.put(msgspec.structs.replace(link, target=other.id))
    office.visit(AuthFailed("refused"))
    assert office.check().words == "2 wrong, 2 told"
    assert sorted(office.words()) == [
        "1 link can't be visited on mail 0: refused",
        "1 link can't be visited on mail 1: refused",
    ]


def test_what_may_pass_is_tried_again_and_told_when_it_lasts() -> None:
    office = Sick("alice", "bob")
    office.visit(Retry("mail.x.test can't be reached (57 s)"))
    assert office.check().words == "1 wrong, 2 tried again"
    posts = sorted(read(office.world.accord).posts)
    assert sorted(office.queue.asked) == [(key, "error check", False) for key in posts]
    office.world.wait(minutes=31)
    office.visit(Retry("mail.x.test can't be reached (58 s)"))
    assert office.check().words == "1 wrong, 1 told, 2 tried again"
    choose(office.world.accord, "errors", {"patience": "60"})
    office.visit(Retry("another thing"))
    assert office.check().counts == {"wrong": 1, "told": 0, "again": 2}


def test_where_a_password_is_refused_nothing_is_tried_again() -> None:
    office = Sick("alice", "bob")
    office.visit(AuthFailed("refused"))
    with office.world.state.begin() as tx:
        for user in ("alice", "bob"):
            one = Pending(
                id=user, link=user, ref_crm="c", cause=Cause.RETRY, step=b"", at=office.world.now
            )
            tx.pending.put(one)
    office.check()
    assert office.queue.asked == []
    office.visit(Retry("down"))
    office.check()
    assert len(office.queue.asked) == 2


def test_paused_links_are_left_alone_and_a_pause_of_all_is_told() -> None:
    office = Sick("alice", "bob")
    office.visit(Retry("down"))
    pause_links(office.world.accord, ["alice events"], paused=True)
    assert len(office.check().lines) == 1 and len(office.queue.asked) == 1
    pause_all(office.world.accord, paused=True)
    office.visit(None)
    assert office.check().lines == ["everything is paused"]
    pause_all(office.world.accord, paused=False)
    assert office.check().words == "1 wrong, 1 tried again", "a pause is nothing wrong with a link"


def test_items_buried_folders_and_other_jobs_are_told_by_cause() -> None:
    office = Sick("alice", "bob")
    with office.world.state.begin() as tx:
        for number, user in enumerate(("alice", "alice", "bob")):
            for cause in (Cause.REJECTED, Cause.HELD, Cause.CONFLICT):
                one = Pending(
                    id=f"{number}{cause}",
                    link=user,
                    ref_crm=f"c{number}",
                    cause=cause,
                    step=b"",
                    why=f"the server takes no 'series {number}' of {number} years",
                    at=office.world.now,
                    refused=False,
                )
                tx.pending.put(one)
        tx.pending.reject("2held")
    office.queue.buried.append(
        Waiting(folder="a/b", stage=Stage.BURIED, cause="hint", since=0, why="3 workers died")
    )
    with office.world.state.begin() as tx:
        row = tx.jobs.get("tokens")
        assert row is None
    assert sorted(office.check().lines) == [
        "1 folder buried: 3 workers died",
        "2 items on mail: they wait for approval",
        "3 items on mail: both sides changed, and nobody decided",
        "3 items on mail: the server takes no '…' of 0 years",
    ]
    (journaled,) = office.world.journal(step="job")
    assert journaled.ref == "errors"


def test_a_job_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Sick("alice")
    choose(office.world.accord, "retention", {"days": "1"})

    def fail(*_: object) -> int:
        raise Retry("the database is away")

    monkeypatch.setattr("accord.state.journal.Journal.floor", fail)
    office.run("retention")
    office.check()
    assert office.words() == ["job retention: the database is away"]


def test_what_a_job_cannot_finish_is_one_cause_whatever_else_it_does() -> None:
    office = Sick("alice")

    def ended(words: str, hint: str = "`accord templates` tells more") -> str:
        counts = {"failed": 1, "troubles": 0}
        row = JobRow(name="initialize", enabled=True, ending="failed", words=words, hint=hint)
        with office.world.state.begin() as tx:
            tx.jobs.put(msgspec.structs.replace(row, counts=counts))
        return office.check().words

    assert ended("1 withdrawn, 1 failed, 1 waiting to be handed over") == "1 wrong, 1 told"
    assert ended("1 failed, 1 waiting to be handed over") == "1 wrong"
    assert office.words() == ["job initialize: 1 failed, 1 waiting to be handed over"]
    many = "1 failed, nobody was parted from: 5 of 8 people would leave at once"
    assert ended(many, "`accord templates apply --leavers` says that it is meant") == (
        "1 wrong, 1 told"
    ), "there is something else to be done about it"


@pytest.mark.parametrize("why", ["paused", "copy"])
def test_a_job_that_could_not_work_while_all_was_held_is_no_trouble_afterwards(why: str) -> None:
    firm = Firm("alice")
    firm.template()
    office = Office(firm)
    office.run("initialize")
    if why == "paused":
        pause_all(firm.accord, paused=True)
    else:
        with firm.state.begin() as tx:
            tx.instances.accept("accord", "another file")
    assert office.run("initialize").unable
    assert office.run("errors").counts["wrong"] == 1
    if why == "paused":
        pause_all(firm.accord, paused=False)
    else:
        accept(firm.accord)
    assert office.run("errors").words == "nothing is wrong"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"attempts": 1}, []),
        ({"attempts": 2}, ["job housekeeping: processes ended in the middle of it"]),
        (
            {"ending": "cut off", "words": "3 processes ended", "ended": NOW},
            ["job housekeeping: 3 processes ended"],
        ),
        ({"ending": "cut off", "words": STOPPED, "ended": NOW}, []),
        ({"ending": "failed", "words": "it broke", "ended": NOW}, ["job housekeeping: it broke"]),
        (
            {"attempts": 2, "ending": "failed", "words": "it broke"},
            ["job housekeeping: processes ended in the middle of it"],
        ),
    ],
)
def test_a_job_is_told_by_what_is_wrong_with_it_now(row: dict[str, Any], told: list[str]) -> None:
    """And not by the words of its last good ending."""
    office = Sick("alice")
    good = {"ending": "done", "words": "12 blobs removed", "started": office.world.now}
    with office.world.state.begin() as tx:
        tx.jobs.put(JobRow(name="housekeeping", enabled=True, **{**good, **row}))
    office.check()
    assert office.words() == told


def test_a_plan_of_the_error_check_tells_nobody() -> None:
    office = Sick("alice")
    office.visit(Retry("down"))
    outcome = office.run("errors", dry=True)
    assert outcome.words == "1 to try again, 1 to tell"
    assert office.queue.asked == [] and office.words() == []


def test_all_folders_are_listed_completely_each_at_its_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office(World("alice", "bob", "carol"))
    keys = sorted(read(office.world.accord).posts, key=lambda key: zlib.crc32(key.encode()))
    asked_at: list[float] = []
    began = office.world.now

    def wait(_: object, seconds: float) -> None:
        office.world.wait(seconds=seconds)

    monkeypatch.setattr("accord.service.jobs.job.Work.wait", wait)
    ask = office.queue.ask

    def note(*given: Any, **more: Any) -> None:
        asked_at.append((office.world.now - began).total_seconds())
        ask(*given, **more)

    monkeypatch.setattr(office.queue, "ask", note)
    reschedule(office.world.accord, "reconcile", "every 1d")
    switch(office.world.accord, "reconcile", on=True)
    outcome = office.run("reconcile", due=True)
    assert outcome.words == "3 folders asked to be listed completely"
    assert office.queue.asked == [(key, "reconciliation", True) for key in keys]
    phases = [zlib.crc32(key.encode()) / 2**32 * 3600 for key in keys]
    assert all(abs(at - phase) <= 3 for at, phase in zip(asked_at, phases, strict=True))
    assert office.run("reconcile", dry=True).words == "3 folders to list"


def test_a_reconciliation_by_hand_asks_for_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(World("alice", "bob", "carol"))
    waited: list[float] = []

    def wait(_: object, seconds: float) -> None:
        waited.append(seconds)
        office.world.wait(seconds=seconds)

    monkeypatch.setattr("accord.service.jobs.job.Work.wait", wait)
    seen: list[tuple[int, int]] = []
    outcome = office.run("reconcile", progress=lambda _, done, total: seen.append((done, total)))
    assert outcome.words == "3 folders asked to be listed completely" and waited == []
    assert len(office.queue.asked) == 3 and seen == [(0, 3), (1, 3), (2, 3)]


def test_a_reconciliation_that_was_cut_off_goes_on_where_it_was() -> None:
    office = Office(World("alice", "bob", "carol"))
    choose(office.world.accord, "reconcile", {"spread": "0"})
    keys = sorted(read(office.world.accord).posts, key=lambda key: zlib.crc32(key.encode()))
    asked = zlib.crc32(keys[1].encode()) / 2**32
    mark = {"began": office.world.now.isoformat(), "asked": asked}
    with office.world.state.begin() as tx:
        from accord.state.jobs import JobRow

        tx.jobs.put(JobRow(name="reconcile", enabled=True, options={"spread": 0}, mark=mark))
    office.run("reconcile")
    assert [key for key, _, _ in office.queue.asked] == keys[1:]
    office.queue.asked.clear()
    office.run("reconcile")
    assert len(office.queue.asked) == 3, "the next one begins anew"
    assert reconciliation.CAUSE == "reconciliation"


def entries(world: World, count: int, days: float) -> None:
    with world.state.begin() as tx:
        for number in range(count):
            at = world.now - timedelta(days=days)
            one = Entry(at=at, side=CRM, kind=world.kind, ref=f"r{number}", step="update")
            tx.journal.append(one)


def test_the_journal_is_kept_for_as_long_as_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(World("alice"))
    monkeypatch.setattr(retention, "SLICE", 2)
    entries(office.world, 5, days=800)
    entries(office.world, 2, days=10)
    assert (
        office.run("retention", dry=True).words == "5 journal entries older than 730 days would go"
    )
    assert len(office.world.journal()) == 7
    assert office.run("retention").words == "5 journal entries older than 730 days removed"
    assert len(office.world.journal(step="update")) == 2
    assert office.run("retention").counts == {"entries": 0}
    choose(office.world.accord, "retention", {"days": "0"})
    assert office.run("retention").words == "the journal keeps everything"
    choose(office.world.accord, "retention", {"days": "1"})
    office.world.wait(days=2)
    office.run("retention")
    assert [one.ref for one in office.world.journal()] == ["retention"]
    with office.world.state.read() as tx:
        assert tx.journal.newest() == 9, "ids never come again"


def test_housekeeping_removes_what_nothing_refers_to(tmp_path: Path) -> None:
    office = Office(World("alice", key_file=tmp_path / "key"))
    world = office.world
    world.person().add(event("kept"))
    world.sync()
    with world.state.begin() as tx:
        for number in range(1200):
            tx.blobs.put(b"%d" % number)
        for target in ("t", "gone"):
            lease = tx.leases.acquire(f"folder:{target}/a@x.test/calendar/event", "me", 1)
            assert lease is not None
        tx.sync_sessions.put("phone", "s1", "alice", b"data", "d", b"reply")
        tx.token_uses.use("token", world.now + timedelta(hours=1))
        tx.token_keys.add("k1", b"secret")
        tx.token_keys.retire("k2", world.now + timedelta(hours=1))
        for process in ("gone/1/a", "here/1/a"):
            tx.processes.live(Process(name=process, parts=frozenset("web"), since=world.now))
        for process in ("gone/1/a", "removed/1/a", "here/1/a"):
            watched = Watched(target="t", principal=f"{process}@x.test", way="stream")
            tx.watches.put(process, [watched])
    counts = office.run("housekeeping").counts
    assert counts["blobs"] == 0 and counts["processes"] == 1, "what is fresh stays"
    world.wait(days=10)
    with world.state.begin() as tx:
        tx.processes.live(Process(name="here/1/a", parts=frozenset("web"), since=world.now))
    counts = office.run("housekeeping").counts
    assert counts == {
        "blobs": 1200, "runs": 0, "conversations": 1, "syncs": 0, "tokens": 1, "keys": 1,
        "leases": 1, "processes": 2,
    }  # fmt: skip
    assert office.run("housekeeping").words == "nothing to remove"
    with world.state.read() as tx:
        assert len(list(tx.pairings.all("alice"))) == 1
        assert [one.process for one in tx.watches.all()] == ["here/1/a"]


def test_nobody_waits_while_unused_blobs_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office(World("alice"))
    state = office.world.state
    with state.begin() as tx:
        for number in range(1200):
            tx.blobs.put(b"%d" % number)
        wanted = tx.blobs.put(b"7")
    office.world.wait(days=2)
    slices: list[int] = []
    discard = type(tx.blobs).discard

    def note(self: Any, some: Any, *more: Any) -> int:
        if not slices:
            # Somebody begins to refer to it while it is about to go.
            self.put(b"7")
        slices.append(len(some))
        return discard(self, some, *more)

    monkeypatch.setattr("accord.state.blobs.Blobs.discard", note)
    assert office.run("housekeeping").counts["blobs"] == 1199
    assert max(slices) <= 500 and len(slices) == 3
    with state.read() as tx:
        assert tx.blobs.get(wanted) == b"7"


class Renewed(Broken):
    """Mailboxes whose sign-ins are renewed."""

    def __init__(self, adapter: Any) -> None:
        super().__init__(adapter)
        self.renewed: list[str] = []
        self.names = ["robot", "alice"]
        self.refused: dict[str, Exception] = {}

    def sign_ins(self) -> tuple[str, ...]:
        return tuple(self.names)

    def renew(self, name: str) -> None:
        if name in self.refused:
            raise self.refused[name]
        self.renewed.append(name)


def test_sign_ins_that_rest_are_renewed_and_those_in_use_are_left(tmp_path: Path) -> None:
    office = Sick("alice", key_file=tmp_path / "key")
    server = office.server = Renewed(office.server.adapter)
    with office.world.state.begin() as tx:
        tx.renewals.put("t", "alice", "first", "second")
    assert office.run("tokens", dry=True).words == "1 to renew, 0 to tell"
    assert office.run("tokens").words == "1 renewed" and server.renewed == ["robot"]
    office.world.wait(days=8)
    server.refused = {"alice": AuthFailed("sign in again"), "robot": Retry("down")}
    outcome = office.run("tokens")
    assert outcome.words == "nothing to renew, 2 to be renewed by hand"
    assert (
        office.words()
        == [
            "the sign-in of alice on mail can't be renewed: sign in again",
            "the sign-in of robot on mail can't be renewed: down",
        ]
        or len(office.words()) == 2
    )
    told = {row.names[0]: bool(row.told) for row in standing(office.world.accord)}
    assert told == {"alice": True, "robot": False}
    assert "accord init exchange" in next(
        row.hint for row in standing(office.world.accord) if row.names == ["alice"]
    )


def test_what_refuses_many_sign_ins_is_one_cause(tmp_path: Path) -> None:
    office = Sick("alice", key_file=tmp_path / "key")
    server = office.server = Renewed(office.server.adapter)
    server.names = [f"user{chr(97 + number)}@x.test" for number in range(20)]
    server.refused = {name: AuthFailed(f"no more sign-in of {name}") for name in server.names}
    office.run("tokens")
    (row,) = standing(office.world.accord)
    assert row.words == "20 sign-ins on mail can't be renewed: no more sign-in of usert@x.test"
    assert (row.count, row.names[0]) == (20, "usera@x.test")


def test_a_sign_in_whose_token_is_never_replaced_is_renewed_by_its_age(tmp_path: Path) -> None:
    office = Sick("alice", key_file=tmp_path / "key")
    server = office.server = Renewed(office.server.adapter)
    server.names = ["robot"]
    vault, renew = StateVault(office.world.state, "t"), server.renew

    def through(name: str) -> None:
        vault.renew(name, "the only one", lambda token: (renew(name), token)[1])

    server.renew = through  # type: ignore[method-assign]
    for days, words in ((0, "1 renewed"), (1, "nothing to renew"), (5, "nothing to renew")):
        office.world.wait(days=days)
        assert office.run("tokens").words == words
    through("robot")  # in use
    office.world.wait(days=6)
    assert office.run("tokens").words == "nothing to renew"
    office.world.wait(days=2)
    assert office.run("tokens").words == "1 renewed"
    with office.world.state.read() as tx:
        assert tx.renewals.newest("t", "robot", "the only one") == "the only one"


def test_a_sign_in_in_use_is_noted_once_a_day(tmp_path: Path) -> None:
    world = World("alice", key_file=tmp_path / "key")
    vault = StateVault(world.state, "t")
    noted: list[Any] = []
    for hours in (0, 1, 22, 1, 1):
        world.wait(hours=hours)
        vault.renew("robot", "the only one", lambda token: token)
        with world.state.read() as tx:
            noted.append(tx.renewals.renewed("t", "robot"))
    assert len(set(noted[:3])) == 1 and noted[3] == noted[4] == noted[0] + timedelta(days=1)


def test_what_ends_and_nothing_renews_is_told_ahead(tmp_path: Path) -> None:
    office = Sick("alice", key_file=tmp_path / "key")
    now = office.world.now
    with office.world.state.begin() as tx:
        tx.token_keys.add("k1", b"secret")
        tx.token_keys.add("k2", b"secret")
        tx.token_keys.retire("k2", now + timedelta(days=10))
        from accord.state.devices import DeviceSecret

        for id_, user, days in (("a", "alice", 9), ("b", "bob", 9), ("c", "bob", 99)):
            until = now + timedelta(days=days)
            secret = DeviceSecret(id=id_, user=user, text="t", password="p", until=until)
            tx.device_secrets.add(secret)
    office.run("tokens")
    one, other = sorted(office.words())
    assert one == f"device password alice expires {now + timedelta(days=9):%Y-%m-%d %H:%M} UTC"
    assert other.startswith("token key k1 expires 20")


def test_certificates_that_end_are_told_ahead(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "own")
    office = Sick("alice")
    office.world.now = datetime.now(UTC)
    office.config = _with(office, interface=InterfaceSettings(certificate=str(authority.file)))
    office.run("tokens")
    (words,) = office.words()
    assert re.search(r"^certificate \S+ of \[interface\] expires 20", words)
    office.world.wait(days=3)
    office.run("tokens")
    (words,) = office.words()
    assert re.search(r"^certificate \S+ of \[interface\] expired 20", words)


def _with(office: Office, **more: Any) -> Any:
    from msgspec.structs import replace

    return replace(office.config, **more)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[MailServer, SmtpSettings]]:
    authority = Authority(tmp_path, "postmaster")
    with closing(MailServer(authority.server_context("127.0.0.1"))) as made:
        settings = SmtpSettings(
            server=f"127.0.0.1:{made.port}", sender="accord@x.test", ca_file=str(authority.file)
        )
        yield made, settings


def test_people_are_mailed_which_edits_were_lost_once(
    server: tuple[MailServer, SmtpSettings],
) -> None:
    postman, settings = server
    office = Office(clashed(), smtp=settings)
    office.world.wait(minutes=1)
    assert office.run("digest", dry=True).lines == ["alice <alice@x.test>: 1"]
    assert office.run("digest").words == "1 told"
    ((to, text),) = postman.mails
    assert to == ["alice@x.test"]
    assert "1 of your changes didn't come through" in text and "lost" in text
    assert office.run("digest", dry=True).lines == [], "what was told is told no more"
    assert "Mailbox" not in text, "no values"
    assert office.run("digest").words == "every edit came through"
    assert len(postman.mails) == 1


def test_nobody_is_mailed_once_another_process_does_it(
    server: tuple[MailServer, SmtpSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    postman, settings = server
    office = Office(clashed(), smtp=settings)
    connect = Mailer._connect

    def slowly(mailer: Mailer) -> smtplib.SMTP:
        office.world.wait(hours=1)
        with office.world.state.begin() as tx:
            assert tx.leases.acquire("job:digest", "elsewhere/1/a", 60) is not None
        return connect(mailer)

    monkeypatch.setattr(Mailer, "_connect", slowly)
    with pytest.raises(LeaseLost):
        office.run("digest")
    assert postman.mails == []


def test_a_digest_that_is_refused_is_told_next_time(
    server: tuple[MailServer, SmtpSettings],
) -> None:
    postman, settings = server
    office = Office(clashed(), smtp=settings)
    postman.refused = {"alice@x.test": "550 who?"}
    outcome = office.run("digest")
    assert (outcome.ending, outcome.words) == ("failed", "0 told, 1 could not be")
    postman.refused = {"alice@x.test": "451 later"}
    outcome = office.run("digest")
    assert outcome.ending == "failed" and "451 later" in outcome.words
    postman.refused = {}
    assert office.run("digest").words == "1 told"


def test_without_a_mail_server_digests_say_so() -> None:
    office = Office(clashed())
    outcome = office.run("digest")
    assert (outcome.ending, outcome.words) == ("unable", "no mail server is set")
    assert "[smtp]" in outcome.hint


def test_refused_addresses_hold_up_nobody_else() -> None:
    from accord.service.digest import tell

    world = clashed()
    sent: list[str] = []

    def refuse(digest: Any) -> None:
        sent.append(digest.user)
        raise Rejected("no such address")

    assert tell(world.accord, refuse) == 0
    assert tell(world.accord, refuse) == 0
    assert sent == ["alice", "alice"]


def test_templates_are_evaluated_by_the_schedule() -> None:
    firm = Firm("alice", "bob")
    office = Office(firm)
    firm.template()
    plan = office.run("initialize", dry=True)
    assert plan.words == "2 added" and firm.names() == {}
    assert "initialize" in office.pass_by()
    assert set(firm.names()) == {"alice-event", "bob-event"}
    assert office.job("initialize").counts["added"] == 2
    firm.crm.put_group("sales", "alice")
    firm.wait(minutes=16)
    assert "initialize" in office.pass_by()
    assert firm.names()["bob-event"] == ("observe", True), "whoever left rests"


def test_an_initialization_is_stopped_between_two_people_and_goes_on() -> None:
    import threading

    from accord.service.jobs.job import Stopped

    firm = Firm("alice", "bob", "carol")
    office = Office(firm)
    firm.template()
    stopped = threading.Event()

    def progress(_phase: str, done: int, _total: int) -> None:
        if done == 1:
            stopped.set()

    with pytest.raises(Stopped):
        office.run("initialize", stopped=stopped, progress=progress)
    assert 0 < len(firm.names()) < 3
    assert office.job("initialize").ending == "cut off"
    office.run("initialize")
    assert len(firm.names()) == 3


def test_a_crm_that_lists_no_users_is_told_clearly() -> None:
    firm = Firm("alice")
    office = Office(firm)
    assert office.run("initialize").words == "there are no templates"
    firm.template()
    assert not [one for one in check(firm.accord) if one.area == "templates"]

    class Reticent:
        def __init__(self, crm: Any) -> None:
            self._crm = crm

        def __getattr__(self, name: str) -> Any:
            if name in ("cards", "group_names"):
                raise AttributeError(name)
            return getattr(self._crm, name)

    crm: Any = Reticent(firm.accord.crm)
    firm.accord = Accord(firm.state, crm, lambda _: firm.groupware, firm.clock)
    (found,) = [one for one in check(firm.accord) if one.area == "templates"]
    assert (found.ok, found.subject) == (False, "sales") and "doesn't list" in found.detail
    outcome = office.run("initialize")
    assert outcome.ending == "unable"
    assert outcome.words == "this CRM doesn't list its users and groups"
    assert "by hand" in outcome.hint
    office.run("errors")
    words = [row.words for row in standing(firm.accord)]
    assert words == ["job initialize: this CRM doesn't list its users and groups"]


def test_while_everything_is_paused_nobody_is_initialized() -> None:
    firm = Firm("alice")
    office = Office(firm)
    firm.template()
    pause_all(firm.accord, paused=True)
    outcome = office.run("initialize")
    assert outcome.ending == "unable" and "paused" in outcome.words and firm.names() == {}
    with pytest.raises(ConfigError):
        office.run("nothing")
