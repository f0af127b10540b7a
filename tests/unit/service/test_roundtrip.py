"""One of everything goes through a test mailbox, and nothing is left of it, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from accord.groupware import memory
from accord.groupware.exchange import ExchangeAdapter
from accord.model.diff import patch
from accord.model.kinds import Kind
from accord.model.observe import Seen
from accord.ports.adapter import Draft
from accord.ports.errors import ConfigError, Denied, Rejected
from accord.rules.rule import Rule
from accord.sandbox.radicale import Radicale
from accord.service.accord import Accord
from accord.service.bootstrap import open_accord
from accord.service.init import init
from accord.service.roundtrip.mailbox import choose_target, round_trip
from accord.state.records import Link
from accord.testing.samples import plain
from tests.contract.test_groupware_dav import adapter_for as dav_for
from tests.contract.test_groupware_exchange import adapter_for
from tests.exchange import House
from tests.peers import new_account
from tests.unit.service.tripping import (
    TARGET,
    TEST,
    Between,
    Killed,
    all_is_taken_away,
    answering,
    faults,
    left,
    remembered,
    trip,
)


@pytest.fixture(autouse=True)
def on_both() -> None:
    """Play on SQLite alone: what is kept of a round trip is a setting like any other."""


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


@pytest.fixture
def exchange(house: House) -> Iterator[ExchangeAdapter]:
    adapter = adapter_for(house.url)
    yield adapter
    adapter.close()


@pytest.fixture
def accord(tmp_path: Path) -> Iterator[Accord]:
    accord = open_accord(init(tmp_path).config)
    with accord.state.begin() as tx:
        tx.targets.put(TARGET)
    yield accord
    accord.close()


LETTER_STEPS = ("folders", "create", "list", "read original", "mark", "move", "delete")
EACH = ("create", "read back", "look up by key", "change", "attachment", "list changes", "delete")


def test_exchange_takes_one_of_everything_and_keeps_nothing(
    accord: Accord, house: House, exchange: ExchangeAdapter
) -> None:
    principal = house.person()
    found = trip(accord, exchange, principal)
    assert faults(found) == []
    subjects = [one.subject for one in found]
    for label in ("event", "absence", "series", "task", "contact"):
        file = "photo" if label == "contact" else "attachment"
        wanted = [file if one == "attachment" else one for one in EACH]
        assert [f"{label}: {step}" for step in wanted] == [
            each for each in subjects if each.startswith(f"{label}: ") and "folder" not in each
        ]
    assert [each for each in subjects if each.startswith("mail: ")] == [
        f"mail: {step}" for step in LETTER_STEPS
    ]
    assert [each for each in subjects if each.startswith("automatic replies: ")] == [
        f"automatic replies: {step}" for step in ("read", "set", "put back")
    ]
    assert subjects[-1] == "clean up"
    assert left(exchange, principal) == []
    assert remembered(accord) == []
    assert house.exchange.mails() == []


@pytest.mark.peer
def test_dav_takes_one_of_everything_and_keeps_nothing(accord: Accord, radicale: Radicale) -> None:
    account = new_account(radicale)
    adapter = dav_for(account)
    found = trip(accord, adapter, account.user)
    assert faults(found) == []
    told = {one.subject: one.detail for one in found}
    assert told["mail"].startswith("not offered")
    assert told["automatic replies"].startswith("not offered")
    assert left(adapter, account.user) == []
    adapter.close()


def test_a_target_that_makes_no_folders_is_tried_in_the_default_ones(accord: Accord) -> None:
    server = memory.build({"principals": {TEST: "Test"}})
    found = trip(accord, server)
    assert faults(found) == []
    told = {one.subject: one.detail for one in found}
    assert "can't make folders" in told["event: folder"]
    assert "event: list changes" not in told
    assert left(server, TEST) == []


def test_no_folder_in_which_a_link_works_is_tried(accord: Accord) -> None:
    server = memory.build({"principals": {TEST: "Test"}})
    with accord.state.begin() as tx:
        tx.rules.activate("events", tx.rules.put(Rule(name="events", kind=Kind.EVENT)))
        tx.links.put(
            Link(
                id="l",
                name="test-event",
                user="test",
                kind=Kind.EVENT,
                target="t",
                principal=TEST,
                rule="events",
            )
        )
    found = trip(accord, server)
    (fault,) = faults(found)
    assert "the link test-event works in" in fault.detail
    assert fault.hint
    assert not [one for one in found if one.subject.startswith(("event: create", "series"))]
    assert [one for one in found if one.subject == "task: delete"]


def test_a_value_that_comes_back_otherwise_is_named(
    accord: Accord, house: House, exchange: ExchangeAdapter
) -> None:
    def shorten(call: str, answer: Any) -> Any:
        if call != "fetch":
            return answer
        return [_without_place(each) for each in answer]

    found = trip(accord, Between(exchange, after=shorten), principal := house.person())
    (fault,) = faults(found)
    assert fault.subject == "event: read back"
    assert fault.detail.startswith("Place: sent ")
    assert fault.hint
    assert "event: delete" in [one.subject for one in found]
    assert left(exchange, principal) == []


def _without_place(seen: Any) -> Any:
    if not isinstance(seen, Seen) or not getattr(seen.snapshot.item, "location", ""):
        return seen
    item = patch(seen.snapshot.item, {"location": ""})
    return Seen(msgspec.structs.replace(seen.snapshot, item=item))


def test_a_second_item_under_one_key_is_noticed(accord: Accord) -> None:
    server = memory.build({"principals": {TEST: "Test"}})

    def forgetful(call: str, answer: Any) -> Any:
        if call == "create":
            with server.open(TEST) as session:
                box = session._box
                box.keys.clear()
        return answer

    told = faults(trip(accord, Between(server, after=forgetful)))
    assert any("made a second one" in one.detail for one in told)


@pytest.mark.parametrize("call", ["create", "update", "delete"])
def test_a_step_that_fails_is_named_andall_is_taken_away(
    accord: Accord, house: House, exchange: ExchangeAdapter, call: str
) -> None:
    principal, calls = house.person(), []

    def refuse(made: str, answer: Any) -> Any:
        calls.append(made)
        return [Denied("not today")] if made == call and calls.count(call) <= 2 else answer

    found = trip(accord, Between(exchange, after=refuse), principal)
    assert faults(found)
    assert all("not today" in one.detail for one in faults(found))
    assert all(one.hint for one in faults(found))
    assert {one.subject for one in found} >= {"contact: delete", "clean up"}
    assert left(exchange, principal) == []
    assert remembered(accord) == []


def test_without_a_folder_of_its_own_it_says_why(
    accord: Accord, house: House, exchange: ExchangeAdapter
) -> None:
    def refuse(call: str) -> None:
        if call == "make_folder":
            raise Rejected("no more folders")

    principal = house.person()
    found = trip(accord, Between(exchange, before=refuse), principal)
    assert faults(found) == []
    assert any("no more folders" in one.detail for one in found)
    assert left(exchange, principal) == []


@pytest.mark.parametrize("number", [1, 2, 4, 6, 30, -4, -1])
def test_what_a_killed_run_left_the_next_one_takes_away(
    accord: Accord, house: House, exchange: ExchangeAdapter, calls_of_all: int, number: int
) -> None:
    """Killed after any call, those that take away included (numbered from the end)."""
    principal = answering(exchange, house.person())
    rest = number if number > 0 else calls_of_all + number

    def kill(_call: str, answer: Any) -> Any:
        nonlocal rest
        rest -= 1
        if rest < 0:
            raise Killed
        return answer

    with pytest.raises(Killed):
        trip(accord, Between(exchange, after=kill), principal)
    all_is_taken_away(accord, house, exchange, principal)


def test_what_was_left_in_a_default_folder_is_taken_away_too(accord: Accord) -> None:
    server = memory.build({"principals": {TEST: "Test"}})

    def kill(call: str, answer: Any) -> Any:
        if call in ("lookup", "delete"):
            raise Killed
        return answer

    with pytest.raises(Killed):
        trip(accord, Between(server, after=kill), TEST)
    assert left(server, TEST) != []
    assert faults(trip(accord, server)) == []
    assert left(server, TEST) == []


@pytest.fixture(scope="module")
def calls_of_all(house: House, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Return how many calls a whole round trip makes."""
    adapter, calls = adapter_for(house.url), []

    def count(call: str, answer: Any) -> Any:
        calls.append(call)
        return answer

    accord = open_accord(init(tmp_path_factory.mktemp("counted")).config)
    with accord.state.begin() as tx:
        tx.targets.put(TARGET)
    assert faults(trip(accord, Between(adapter, after=count), house.person())) == []
    count_of_all = len(calls)
    accord.close()
    return count_of_all


def test_who_stops_it_in_the_middle_leaves_nothing(
    accord: Accord, house: House, exchange: ExchangeAdapter
) -> None:
    principal = house.person()
    accord._build = lambda _target: exchange
    steps = round_trip(accord, TARGET, principal)
    while next(steps).subject != "task: create":
        pass
    assert left(exchange, principal) != []
    steps.close()
    assert left(exchange, principal) == []
    assert remembered(accord) == []


def test_what_cannot_be_taken_away_is_said_and_not_forgotten(
    accord: Accord, house: House, exchange: ExchangeAdapter
) -> None:
    def refuse(call: str) -> None:
        if call == "remove_folder":
            raise Denied("not yours")

    principal = house.person()
    (fault,) = faults(trip(accord, Between(exchange, before=refuse), principal))
    assert fault.subject == "clean up"
    assert "not yours" in fault.detail
    assert fault.hint
    assert remembered(accord) != []
    assert faults(trip(accord, exchange, principal)) == []
    assert left(exchange, principal) == []


def test_a_folder_that_somebody_uses_by_now_stays(
    accord: Accord, house: House, exchange: ExchangeAdapter
) -> None:
    with exchange.open(house.person()) as session:
        folder = session.make_folder("Projects", Kind.EVENT)
        session.create(folder.id, Kind.EVENT, [Draft(item=plain(Kind.EVENT, "mine"), key="k")])
        with pytest.raises(Rejected, match="isn't empty"):
            session.remove_folder(folder.id)
        assert "Projects" in [each.name for each in session.folders()]


def test_a_refused_password_is_tried_once(accord: Accord) -> None:
    server = memory.build({"principals": {TEST: "Test"}})
    (fault,) = trip(accord, server, "nobody@x.test")
    assert not fault.ok


def test_the_target_is_the_only_one_or_named(accord: Accord) -> None:
    assert choose_target(accord).name == "company"
    with accord.state.begin() as tx:
        tx.targets.put(msgspec.structs.replace(TARGET, id="u", name="other"))
    with pytest.raises(ConfigError, match="on which target"):
        choose_target(accord)
    assert choose_target(accord, "other").id == "u"
