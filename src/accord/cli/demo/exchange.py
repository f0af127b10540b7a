"""The demo's mailboxes on the stand-in Exchange, as people fill them with Outlook."""

from __future__ import annotations

import random
from datetime import date, datetime, time, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

from accord.cli.demo import week
from accord.cli.demo.hands import DemoFailed
from accord.cli.demo.past import YEARS, subject
from accord.cli.demo.place import Box, write_secret
from accord.sandbox.exchange.hand import Hand, Missing, Refused, entry, recurring, weekly
from accord.sandbox.exchange.peer import ExchangePeer
from accord.sandbox.exchange.roll import Person

_SERVICE = "accord@example.test"
_ZONES = {
    "Europe/Berlin": "W. Europe Standard Time",
    "Europe/London": "GMT Standard Time",
    "America/New_York": "Eastern Standard Time",
}
_FOLDERS = ("calendar", "tasks")
_INDICES = ("First", "Second", "Third", "Fourth", "Last")
_HURT = "Moved long ago"
_LOST = ("Lost in a crash", "Lost in a migration")


class ExchangeServer:
    """Be a process with three mailboxes and an account that may act as everybody."""

    title = "The stand-in Exchange, three mailboxes and a CRM."
    broken = len((_HURT, *_LOST))

    def __init__(self, words: dict[str, str]) -> None:
        """Give everybody a mailbox."""
        people = [Person(address=week.address(n), password=word) for n, word in words.items()]
        self._service = "service-secret"
        people.append(Person(address=_SERVICE, password=self._service, impersonates=True))
        self._words = words
        self._peer = ExchangePeer(people)

    def __enter__(self) -> Self:
        self._peer.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._peer.__exit__(kind, error, at)

    def fill_past(self, name: str, today: date, singles: int, series: int) -> int:
        dice = random.Random(name)  # noqa: S311 (the same believable past every time)
        items = [_single(dice, today) for _ in range(singles)]
        items += [_series(dice, today) for _ in range(series)]
        items += _week(name, week.monday(today))
        with self._hand(name) as hand:
            return len(hand.add_many(items)) + self._break(hand, today)

    def _break(self, hand: Hand, today: date) -> int:
        """Add entries, of which Exchange lost all or an occurrence; return how many.

        They stand in every list, and each time they are read the server says that they are
        corrupt, as it does after crashes and migrations of its database.
        """
        begin = _at(today - timedelta(days=900), 9)
        refs = hand.add_many([_entry(title, begin, 60) for title in _LOST])
        often = weekly(f"{begin:%A}", begin, 12)
        hand.add(_entry(_HURT, begin, 60, recurrence=often))
        hand.set_occurrence(_HURT, 3, Location="Hall 4")
        moved = hand.find(_HURT).node.iterfind(".//{*}ModifiedOccurrences//{*}ItemId")
        for ref in (*refs, *(each.get("Id") for each in moved)):
            self._peer.plan("corrupt", mailbox=hand.address, times=None, item=ref)
        return self.broken

    def box(self, name: str) -> Box:
        return ExchangeBox(self._hand(name))

    def settings(self, folder: Path) -> str:
        file = write_secret(folder, "service", self._service)
        return (
            f'adapter = "exchange"\nurl = "{self._peer.url}"\nauth = "basic"\n'
            f'user = "{_SERVICE}"\npassword = {{ file = "{file}" }}\n'
            f'time_zone = "{week.BERLIN}"\n'
        )

    def mails(self) -> int:
        return self._peer.mail_count

    def _hand(self, name: str) -> Hand:
        return Hand(self._peer.url, week.address(name), self._words[name])


class ExchangeBox:
    """Be one person's Outlook."""

    def __init__(self, hand: Hand) -> None:
        """Work with a program that has signed in."""
        self._hand = hand

    def close(self) -> None:
        self._hand.close()

    def has(self, title: str) -> bool:
        return any(self._hand.has(title, folder) for folder in _FOLDERS)

    def location(self, title: str) -> str:
        try:
            return self._hand.find(title).text("Location")
        except Missing as error:
            raise DemoFailed(str(error)) from error

    def place(self, title: str, location: str) -> None:
        self._set(title, Location=location)

    def rename(self, title: str, new: str) -> None:
        self._set(title, Subject=new)

    def finish(self, title: str) -> None:
        self._set(title, "tasks", Status="Completed")

    def delete_many(self, titles: frozenset[str]) -> int:
        refs = [each.ref for each in self._hand.found() if each.title in titles]
        self._hand.delete_refs(refs)
        return len(refs)

    def _set(self, title: str, folder: str = "calendar", /, **values: str) -> None:
        try:
            self._hand.set(title, folder, **values)
        except (Missing, Refused) as error:
            raise DemoFailed(str(error)) from error


def _week(name: str, start: date) -> list[str]:
    """Return what a person has put into the own calendar for the coming week."""
    client = ("nora.silva@customer.test",)
    gym = weekly("Monday Wednesday", _at(start, 18))
    items = [
        _entry(
            f"Customer workshop ({name})",
            *(_at(start + timedelta(1), 14), 120),
            categories=("CRM",),
            location="Hall 4",
            attendees=client,
        ),
        _entry(
            "Doctor",
            *(_at(start + timedelta(3), 8), 60),
            categories=("CRM",),
            private=True,
            body="nobody's business",
        ),
        _entry("Gym", _at(start, 18), 60, recurrence=gym),
    ]
    if name == "clara":
        items += [
            _entry(
                f"Sales call {number + 1}",
                *(_at(start + timedelta(number), 16), 60),
                categories=("CRM",),
            )
            for number in range(3)
        ]
    return items


def _single(dice: random.Random, today: date) -> str:
    day = today - timedelta(days=dice.randint(40, 365 * YEARS))
    zone, begin = dice.choice(list(_ZONES)), _at(day, dice.randint(7, 17))
    if dice.random() < 0.15:
        return _entry(subject(dice), _at(day, 0), 24 * 60, all_day=True)
    return _entry(subject(dice), begin, dice.choice((30, 60, 90)), zone)


def _series(dice: random.Random, today: date) -> str:
    day = today - timedelta(days=dice.randint(700, 365 * YEARS))
    zone, begin = dice.choice(list(_ZONES)), _at(day, dice.randint(7, 17))
    often = recurring(*dice.choice(_patterns(begin)))
    return _entry(subject(dice), begin, 45, zone, recurrence=often)


def _patterns(first: datetime) -> tuple[tuple[str, datetime, int], ...]:
    """Return how a series may recur that begins on a day: pattern, day and how many times."""
    nth = f"<t:DayOfWeekIndex>{_INDICES[(first.day - 1) // 7]}</t:DayOfWeekIndex>"
    week, month = f"<t:DaysOfWeek>{first:%A}</t:DaysOfWeek>", f"<t:Month>{first:%B}</t:Month>"
    number = f"<t:DayOfMonth>{first.day}</t:DayOfMonth>"
    patterns = (
        ("Weekly", f"<t:Interval>1</t:Interval>{week}", 12),
        ("Weekly", f"<t:Interval>2</t:Interval>{week}", 20),
        ("RelativeMonthly", f"<t:Interval>1</t:Interval>{week}{nth}", 18),
        ("AbsoluteMonthly", f"<t:Interval>1</t:Interval>{number}", 9),
        ("Daily", "<t:Interval>1</t:Interval>", 10),
        ("AbsoluteYearly", f"{number}{month}", 4),
        ("RelativeYearly", f"{week}{nth}{month}", 3),
    )
    return tuple(
        (f"<t:{kind}Recurrence>{parts}</t:{kind}Recurrence>", first, count)
        for kind, parts, count in patterns
    )


def _entry(
    title: str,
    begin: datetime,
    minutes: int,
    zone: str = week.BERLIN,
    *,
    location: str = "",
    categories: tuple[str, ...] = (),
    body: str = "",
    private: bool = False,
    all_day: bool = False,
    attendees: tuple[str, ...] = (),
    recurrence: str = "",
) -> str:
    here = begin.replace(tzinfo=ZoneInfo(zone))
    end = (begin + timedelta(minutes=minutes)).replace(tzinfo=ZoneInfo(zone))
    return entry(
        title,
        here,
        end,
        zone=_ZONES[zone],
        location=location,
        categories=categories,
        body=body,
        private=private,
        all_day=all_day,
        attendees=attendees,
        recurrence=recurrence,
    )


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour))
