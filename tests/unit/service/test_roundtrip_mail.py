"""An e-mail and automatic replies make the round trip; nobody gets anything, nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from accord.groupware.exchange import ExchangeAdapter
from accord.model.item import Mail
from accord.model.replies import Audience, Replies
from accord.ports.errors import Denied, Rejected
from accord.service.accord import Accord
from accord.service.bootstrap import open_accord
from accord.service.init import init
from tests.contract.test_groupware_exchange import adapter_for
from tests.exchange import House
from tests.unit.service.tripping import (
    STOOD,
    TARGET,
    Killed,
    Post,
    all_is_taken_away,
    answering,
    answers,
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


@pytest.mark.parametrize(
    "call",
    [
        *("make_mail_folder", "store_letter", "move_letters", "discard_letters"),
        *("set_replies", "remove_mail_folder"),
    ],
)
def test_a_run_killed_among_mail_or_replies_leaves_them_to_the_next_one(
    accord: Accord, house: House, exchange: ExchangeAdapter, call: str
) -> None:
    principal, made = answering(exchange, house.person()), []

    def kill(asked: str, answer: Any) -> Any:
        made.append(asked)
        if call in made:
            raise Killed
        return answer

    with pytest.raises(Killed):
        trip(accord, Post(exchange, after=kill), principal)
    all_is_taken_away(accord, house, exchange, principal)


def test_automatic_replies_are_set_for_a_far_day_and_put_back_to_the_letter(
    accord: Accord, house: House, exchange: ExchangeAdapter
) -> None:
    principal = answering(exchange, house.person())
    seen: list[Replies] = []

    def note(call: str, answer: Any) -> Any:
        if call == "set_replies":
            seen.append(answers(exchange, principal))
        return answer

    assert faults(trip(accord, Post(exchange, after=note), principal)) == []
    during, after = seen
    assert during.on
    assert during.start is not None
    assert during.start > datetime.now(UTC) + timedelta(days=3000), "nobody gets one before"
    assert (during.audience, during.outside) == (Audience.NONE, "")
    assert after == answers(exchange, principal) == STOOD


@pytest.mark.parametrize(
    "stands",
    [
        Replies(on=True, inside="away"),
        Replies(
            on=True,
            start=datetime(2020, 1, 1, tzinfo=UTC),
            end=datetime(2020, 1, 2, tzinfo=UTC),
            inside="was away",
        ),
    ],
    ids=["now", "over"],
)
def test_automatic_replies_that_are_on_stay_untouched(
    accord: Accord, house: House, exchange: ExchangeAdapter, stands: Replies
) -> None:
    principal = answering(exchange, house.person(), stands)
    calls: list[str] = []
    found = trip(accord, Post(exchange, before=calls.append), principal)
    assert faults(found) == []
    told = {one.subject: one.detail for one in found}
    assert "they stay as they are" in told["automatic replies: set"]
    assert "set_replies" not in calls
    assert answers(exchange, principal) == stands


def test_replies_that_come_back_otherwise_are_told_and_put_back(
    accord: Accord, house: House, exchange: ExchangeAdapter
) -> None:
    principal = answering(exchange, house.person())

    def forget(call: str, answer: Any) -> Any:
        lost = call == "replies" and answer.start is not None
        return msgspec.structs.replace(answer, start=None, end=None) if lost else answer

    (fault,) = faults(trip(accord, Post(exchange, after=forget), principal))
    assert (fault.subject, fault.detail) == ("automatic replies: set", "they came back otherwise")
    assert answers(exchange, principal) == STOOD
    assert remembered(accord) == []


def test_replies_that_somebody_changed_after_a_killed_run_stay(
    accord: Accord, house: House, exchange: ExchangeAdapter
) -> None:
    principal = answering(exchange, house.person())

    def kill(call: str, answer: Any) -> Any:
        if call == "set_replies" or killed:
            killed.append(call)
            raise Killed
        return answer

    killed: list[str] = []
    with pytest.raises(Killed):
        trip(accord, Post(exchange, after=kill), principal)
    theirs = Replies(on=True, inside="really away")
    answering(exchange, principal, theirs)
    assert faults(trip(accord, Post(exchange), principal)) == []
    assert answers(exchange, principal) == theirs


LETTER_CALLS = {
    "make_mail_folder": "folders",
    "store_letter": "create",
    "letters": "list",
    "letter": "read original",
    "mark_letters": "mark",
    "move_letters": "move",
    "discard_letters": "delete",
    "set_replies": "set",
}


@pytest.mark.parametrize("call", LETTER_CALLS)
def test_a_denied_step_of_mail_or_replies_is_named_and_all_is_taken_away(
    accord: Accord, house: House, exchange: ExchangeAdapter, call: str
) -> None:
    principal, made = answering(exchange, house.person()), []

    def refuse(asked: str) -> None:
        made.append(asked)
        if asked == call and made.count(call) == 1:
            raise Denied("not today")

    found = trip(accord, Post(exchange, before=refuse), principal)
    (fault,) = faults(found)
    what = "automatic replies" if "replies" in call else "mail"
    assert (fault.subject, fault.detail) == (f"{what}: {LETTER_CALLS[call]}", "not today")
    assert fault.hint
    assert left(exchange, principal) == []
    assert answers(exchange, principal) == STOOD
    assert remembered(accord) == []
    assert house.exchange.mails() == []


def test_who_may_see_neither_mail_nor_replies_has_nothing_to_take_away(
    accord: Accord, house: House, exchange: ExchangeAdapter
) -> None:
    """As a delegate with rights on single folders."""

    def refuse(asked: str) -> None:
        if asked in ("mail_folders", "replies"):
            raise Denied("not yours")

    found = trip(accord, Post(exchange, before=refuse), house.person())
    assert faults(found) == []
    told = {one.subject: one for one in found}
    for subject in ("mail", "automatic replies"):
        assert told[subject].detail == "not open to this account: not yours"
        assert told[subject].hint
    assert remembered(accord) == []


def test_mail_or_replies_that_cannot_be_looked_at_are_a_fault(
    accord: Accord, house: House, exchange: ExchangeAdapter
) -> None:
    def refuse(asked: str) -> None:
        if asked in ("mail_folders", "replies"):
            raise Rejected("broken")

    found = faults(trip(accord, Post(exchange, before=refuse), house.person()))
    assert [(one.subject, one.detail) for one in found] == [
        ("mail", "broken"),
        ("automatic replies", "broken"),
    ]


def test_what_else_is_left_goes_although_one_thing_cannot(
    accord: Accord, house: House, exchange: ExchangeAdapter
) -> None:
    principal, made = answering(exchange, house.person()), []

    def refuse(asked: str) -> None:
        made.append(asked)
        if asked == "set_replies" and made.count(asked) > 1:
            raise Denied("no more")

    found = trip(accord, Post(exchange, before=refuse), principal)
    assert [one.subject for one in faults(found)] == ["automatic replies: put back", "clean up"]
    assert [each for each in left(exchange, principal) if not each.startswith("Replies(")] == []
    assert remembered(accord) != []
    assert faults(trip(accord, Post(exchange), principal)) == []
    assert answers(exchange, principal) == STOOD


@pytest.mark.parametrize(
    ("call", "spoil", "said"),
    [
        ("letters", lambda found: iter(()), "doesn't list it"),
        ("letter", lambda found: msgspec.structs.replace(found, mail=Mail()), "Message-ID"),
        (
            "letters",
            lambda found: iter([msgspec.structs.replace(one, read=False) for one in found]),
            "it isn't read then",
        ),
    ],
    ids=["unlisted", "other", "unmarked"],
)
def test_an_e_mail_that_is_not_as_it_was_laid_aside_is_told(
    accord: Accord,
    house: House,
    exchange: ExchangeAdapter,
    call: str,
    spoil: Callable[[Any], Any],
    said: str,
) -> None:
    principal, over = house.person(), False

    def change(asked: str, answer: Any) -> Any:
        nonlocal over
        # In the end it is looked for anew, where it must be found.
        over = over or asked == "set_replies"
        return spoil(answer) if asked == call and not over else answer

    (fault,) = faults(trip(accord, Post(exchange, after=change), principal))
    assert fault.subject.startswith("mail: ")
    assert said in fault.detail
    assert left(exchange, principal) == []


def test_what_lies_in_the_trash_is_taken_away_no_further(
    accord: Accord, house: House, exchange: ExchangeAdapter
) -> None:
    principal, made = house.person(), []

    def kill(asked: str, answer: Any) -> Any:
        made.append(asked)
        if "remove_mail_folder" in made:
            raise Killed
        return answer

    with pytest.raises(Killed):
        trip(accord, Post(exchange, after=kill), principal)
    calls: list[str] = []
    assert faults(trip(accord, Post(exchange, before=calls.append), principal)) == []
    assert calls.count("remove_mail_folder") == 3, "one was left, and two are its own"
