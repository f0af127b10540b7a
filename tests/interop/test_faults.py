"""What goes wrong between a phone and its CRM, and that nothing is lost or doubled by it."""

from __future__ import annotations

import threading
from contextlib import ExitStack, closing

import pytest

from accord.sandbox.process import until
from accord.sandbox.proxy import Lose, Meanwhile, Refuse, Request
from tests.interop.client import STORES, Device, Outcome, Run
from tests.interop.lab import Lab, Pause, alerts, fine, text

pytestmark = pytest.mark.waits

SUSPENDED = 20032
UNEXPECTED_SLOW = 22000
BOTH = ["From Crm", "From Phone", "Old One"]
HASTY = {"RetryInterval": "1", "RetryDuration": "2"}  # seconds


@pytest.fixture
def phone(lab: Lab) -> Device:
    """Anna's phone after its first sync, with one thing of the CRM in each store."""
    phone = lab.device("phone")
    for store in STORES:
        lab.give(store, "Old One")
    fine(phone.sync(mode="slow"))
    lab.proxy.clear()
    return phone


def test_a_wrong_password_changes_nothing_and_the_right_one_goes_on(
    lab: Lab, phone: Device
) -> None:
    lab.give("todo", "From Crm")
    phone.write("todo", "new", text("todo", "From Phone"))
    outcome = phone.sync(password="wr0ng")
    assert outcome.code == 1
    assert outcome.status == 401, str(outcome)
    assert len(lab.proxy.posts) <= 4
    assert phone.titles("todo") == ["From Phone", "Old One"]
    outcome = fine(phone.sync())
    assert outcome.stores["todo"].mode == "two-way"
    assert phone.titles("todo") == lab.titles("todo") == BOTH


def test_a_wrong_password_is_in_the_log_and_itself_is_not(lab: Lab) -> None:
    phone = lab.device("phone")
    phone.sync(password="wr0ng")
    log = lab.house.run("token", "log", "--event", "refused", "--user", lab.name("anna"))
    assert log
    assert "wr0ng" not in str(log)
    assert "wr0ng" not in lab.house.log.read_text()


@pytest.mark.parametrize("way", ["basic", "md5"])
def test_each_way_to_sign_in(way: str, lab: Lab) -> None:
    lab.give("todo", "From Crm")
    phone = lab.device("phone", clientAuthType=way, loglevel="4")
    for _ in range(3):
        outcome = fine(phone.sync("todo"))
        assert phone.titles("todo") == ["From Crm"]
    used = {cred.findtext("{*}Meta/{*}Type") for cred in outcome.sent[0].iter("{*}Cred")}
    assert used == {f"syncml:auth-{way}"}
    assert len(lab.proxy.posts) <= 3 * 3 + 1


def test_a_store_that_does_not_exist_fails_alone(lab: Lab, phone: Device) -> None:
    for store in STORES:
        phone.write(store, "new", text(store, "From Phone"))
    outcome = phone.sync(**{"todo/uri": "nosuch"})
    assert outcome.code == 1
    assert {name: report.status for name, report in outcome.stores.items()} == {
        "addressbook": 0,
        "calendar": 0,
        "todo": 404,
    }, str(outcome)
    assert lab.titles("addressbook") == lab.titles("calendar") == ["From Phone", "Old One"]
    assert lab.titles("todo") == ["Old One"]


@pytest.mark.usefixtures("own_house")
class TestAServerThatForgot:
    """Everything that it knew of devices is gone, the records are not (or they are, too)."""

    def test_nothing_is_lost_or_doubled(self, lab: Lab, phone: Device) -> None:
        give_both(lab, phone)
        self._forget(lab, phone)
        outcome = fine(phone.sync(loglevel="4"))
        assert alerts(outcome) == dict.fromkeys(STORES, "200")
        for store in STORES:
            assert _statuses(outcome, store) == {"508"}
            assert phone.titles(store) == lab.titles(store) == BOTH
        for report in fine(phone.sync()).stores.values():
            assert (report.mode, report.sent, report.received) == ("two-way", 0, 0)

    def test_a_phone_that_only_gives_does_not_empty_the_crm(self, lab: Lab, phone: Device) -> None:
        give_both(lab, phone)
        self._forget(lab, phone)
        outcome = fine(phone.sync(mode="one-way-from-local", loglevel="4"))
        assert alerts(outcome) == dict.fromkeys(STORES, "202")
        for store in STORES:
            assert lab.titles(store) == BOTH
            assert phone.titles(store) == ["From Phone", "Old One"]

    def test_a_phone_that_refuses_to_begin_anew_loses_nothing(
        self, lab: Lab, phone: Device
    ) -> None:
        phone.write("todo", "new", text("todo", "From Phone"))
        self._forget(lab, phone)
        outcome = phone.sync(preventSlowSync="1")
        assert (outcome.code, outcome.status) == (1, UNEXPECTED_SLOW), str(outcome)
        assert lab.titles("todo") == ["Old One"]
        fine(phone.sync())
        assert phone.titles("todo") == lab.titles("todo") == ["From Phone", "Old One"]

    def test_an_empty_crm_gets_all_back_from_the_phone(self, lab: Lab, phone: Device) -> None:
        phone.write("todo", "new", text("todo", "From Phone"))
        lab.house.forget(records=True)
        lab.hire("anna")
        lab.update(phone)
        fine(phone.sync())
        for store in STORES:
            assert phone.titles(store) == lab.titles(store)
        assert lab.titles("todo") == ["From Phone", "Old One"]

    def _forget(self, lab: Lab, phone: Device) -> None:
        lab.house.forget()
        lab.renew("anna")
        lab.update(phone)


class TestLostAnswers:
    @pytest.mark.parametrize("reset", [False, True])
    @pytest.mark.parametrize("message", [2, 3])
    def test_the_same_message_again_is_done_once(
        self, message: int, reset: bool, lab: Lab, phone: Device
    ) -> None:
        give_both(lab, phone)
        lab.proxy.add(Lose(reset), skip=message - 1)
        fine(phone.sync(RetryInterval="1"))
        posts = lab.proxy.posts
        assert posts[message - 1] == posts[message], "the client did not send it again"
        answers = [reply.body for _, reply in lab.proxy.answers]
        assert answers[message - 1] == answers[message]
        for store in STORES:
            assert phone.titles(store) == lab.titles(store) == BOTH
        for report in fine(phone.sync()).stores.values():
            assert (report.mode, report.sent, report.received) == ("two-way", 0, 0)

    @pytest.mark.parametrize("mode", ["two-way", "slow"])
    @pytest.mark.parametrize("message", [1, 2, 3])
    def test_a_session_cut_off_is_made_up_for_by_the_next(
        self, message: int, mode: str, lab: Lab, phone: Device
    ) -> None:
        give_both(lab, phone)
        fault = Lose() if message < 3 else Refuse()
        lab.proxy.add(fault, skip=message - 1, times=None)
        assert phone.sync(mode=mode, **HASTY).code == 1
        lab.proxy.clear()
        fine(phone.sync())
        for store in STORES:
            assert phone.titles(store) == lab.titles(store) == BOTH


@pytest.mark.usefixtures("own_house")
class TestAKilledServer:
    """Its process ends at once, without a word, and another one begins."""

    @pytest.mark.parametrize("message", [2, 3])
    def test_the_next_one_takes_the_next_message(
        self, message: int, lab: Lab, phone: Device
    ) -> None:
        give_both(lab, phone)
        lab.proxy.add(Meanwhile(lambda _: self._die_and_rise(lab)), skip=message - 1)
        fine(phone.sync(RetryInterval="60"))
        assert len(set(lab.proxy.posts)) == len(lab.proxy.posts), "the client noticed"
        self._assert_agreement(lab, phone)

    @pytest.mark.parametrize("message", [2, 3])
    def test_what_it_had_answered_is_answered_again(
        self, message: int, lab: Lab, phone: Device
    ) -> None:
        give_both(lab, phone)
        pause = lab.proxy.pause(message)
        run = phone.start(RetryInterval="1", RetryDuration="120")
        pause.await_it()
        lab.house.kill()
        pause.end(lost=True)
        lab.house.start()
        fine(run.wait())
        question = lab.proxy.posts[message - 1]
        answers = [reply.body for request, reply in lab.proxy.answers if request.body == question]
        assert len(answers) == 2
        assert answers[0] == answers[1]
        self._assert_agreement(lab, phone)

    @pytest.mark.parametrize("mode", ["two-way", "slow"])
    def test_what_it_was_just_doing_is_done_once(self, mode: str, lab: Lab, phone: Device) -> None:
        """It dies when the CRM has what is new, and nothing says yet from which device."""
        house, locks, slow = lab.house, ExitStack(), mode == "slow"
        changes_come = threading.Event()
        phone.write("addressbook", "new", text("addressbook", "From Phone"))

        def lock(request: Request) -> None:
            if b"<Sync>" in request.body and not changes_come.is_set():
                locks.enter_context(closing(house.lock("crm.db")))
                changes_come.set()

        lab.proxy.add(Meanwhile(lock), times=None)
        run = phone.start("addressbook", mode=mode, RetryInterval="2", RetryDuration="120")
        assert changes_come.wait(60)
        assert until(lambda: house.answers("addressbook", slow=slow), 60)
        with closing(house.lock("accord.db")):
            locks.close()
            assert until(lambda: len(lab.titles("addressbook")) == 2, 60)
            house.kill()
        house.start()
        fine(run.wait())
        self._assert_agreement(lab, phone, addressbook=["From Phone", "Old One"])

    def _die_and_rise(self, lab: Lab) -> None:
        lab.house.kill()
        lab.house.start()

    def _assert_agreement(self, lab: Lab, phone: Device, **wanted: list[str]) -> None:
        for store in wanted or STORES:
            assert phone.titles(store) == lab.titles(store) == wanted.get(store, BOTH)
        for report in fine(phone.sync()).stores.values():
            assert (report.mode, report.sent, report.received) == ("two-way", 0, 0)


class TestAnInterruptedSync:
    """Many small messages, and somebody who does not want to wait for all of them."""

    @pytest.mark.parametrize("store", STORES)
    def test_it_can_be_suspended_and_resumed(self, store: str, lab: Lab, phone: Device) -> None:
        wanted = self._fill(lab, phone, store)
        run, pause = self._begin(lab, phone, store)
        run.suspend()
        pause.end()
        outcome = run.wait()
        assert outcome.code == 1
        assert outcome.status == SUSPENDED, str(outcome)
        assert lab.titles(store) != wanted, "it was over before it was suspended"
        lab.proxy.clear()
        outcome = fine(phone.sync(store, loglevel="4"))
        assert alerts(outcome) == {store: "225"}
        assert phone.titles(store) == lab.titles(store) == wanted
        assert fine(phone.sync(store)).stores[store].mode == "two-way"

    @pytest.mark.parametrize("mode", ["two-way", "slow", "one-way-from-local"])
    def test_a_battery_may_run_out(self, mode: str, lab: Lab, phone: Device) -> None:
        wanted = self._fill(lab, phone, "addressbook")
        run, pause = self._begin(lab, phone, "addressbook", mode)
        self._end(lab, run, pause)
        fine(phone.sync("addressbook"))
        assert phone.titles("addressbook") == lab.titles("addressbook") == wanted

    def test_a_battery_may_run_out_while_the_crm_is_made_like_the_phone(
        self, lab: Lab, phone: Device
    ) -> None:
        wanted = set(self._fill(lab, phone, "addressbook"))
        mine = set(phone.titles("addressbook"))
        run, pause = self._begin(lab, phone, "addressbook", "refresh-from-local")
        self._end(lab, run, pause)
        fine(phone.sync("addressbook"))
        titles = phone.titles("addressbook")
        assert lab.titles("addressbook") == titles
        assert len(set(titles)) == len(titles)
        assert mine <= set(titles) <= wanted

    @pytest.mark.parametrize("real", ["0", "1"])
    def test_a_battery_may_run_out_while_the_phone_is_made_like_the_crm(
        self, real: str, lab: Lab, phone: Device
    ) -> None:
        lab.give("addressbook", *(f"Crm {n}" for n in range(80)))
        fine(phone.sync("addressbook"))
        wanted = lab.titles("addressbook")
        lab.proxy.clear()
        run, pause = self._begin(
            lab, phone, "addressbook", "refresh-from-remote", enableRefreshSync=real
        )
        self._end(lab, run, pause)
        assert lab.titles("addressbook") == wanted
        fine(phone.sync("addressbook"))
        assert phone.titles("addressbook") == lab.titles("addressbook") == wanted

    def _fill(self, lab: Lab, phone: Device, store: str) -> list[str]:
        here = [f"Phone {n}" for n in range(150)]
        there = [f"Crm {n}" for n in range(20)]
        for title in here:
            phone.write(store, title.replace(" ", ""), text(store, title))
        lab.give(store, *there)
        return sorted([*here, *there, "Old One"])

    def _begin(
        self, lab: Lab, phone: Device, store: str, mode: str = "two-way", **more: str
    ) -> tuple[Run, Pause]:
        """Begin a sync of many messages, and return in the middle of it."""
        pause = lab.proxy.pause(4)
        run = phone.start(store, mode=mode, maxMsgSize="10000", RetryInterval="120", **more)
        pause.await_it()
        return run, pause

    def _end(self, lab: Lab, run: Run, pause: Pause) -> None:
        """Take the battery out while the server's answer is on its way."""
        run.kill()
        run.wait()
        pause.end()
        lab.proxy.clear()


def give_both(lab: Lab, phone: Device) -> None:
    """Let something new come up on each side of each store."""
    for store in STORES:
        lab.give(store, "From Crm")
        phone.write(store, "new", text(store, "From Phone"))


def _statuses(outcome: Outcome, store: str) -> set[str]:
    """Return what the server answered to the client's alert of a store."""
    found: set[str] = set()
    for message in outcome.received:
        for status in message.iterfind(".//{*}Status"):
            if status.findtext("{*}Cmd") == "Alert" and status.findtext("{*}TargetRef") == store:
                found.add(status.findtext("{*}Data") or "")
    return found
