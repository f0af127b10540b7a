"""What the demo is said to be, and the past that it plants."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from inspect import signature

from lxml import etree

from accord.cli.commands import COMMANDS
from accord.cli.demo import demo, exchange
from accord.sandbox.exchange import recurrence
from accord.sandbox.exchange.hand import recurring

TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
KINDS = {
    *("Daily", "Weekly", "AbsoluteMonthly", "RelativeMonthly"),
    *("AbsoluteYearly", "RelativeYearly"),
}


def test_every_pattern_falls_on_the_day_on_which_it_begins() -> None:
    for number in range(366):
        first = datetime(2024, 1, 1, 9) + timedelta(number)
        for pattern in exchange._patterns(first):
            rule = _rule(recurring(*pattern))
            assert next(rule.dates()) == first.date(), pattern
            assert len(list(rule.dates())) == pattern[2]


def test_the_list_of_commands_names_the_server_that_is_started_by_default() -> None:
    default = signature(demo).parameters["target"].default
    ((*_, summary),) = [one for one in COMMANDS["Try"] if one[0] == "demo"]
    assert default == "exchange" and "stand-in Exchange" in summary


def test_past_series_are_of_all_kinds() -> None:
    dice = random.Random("anna")
    items = [_parsed(exchange._series(dice, date(2026, 11, 22))) for _ in range(40)]
    rules = [each.find("{*}Recurrence") for each in items]
    assert {recurrence.read(each).kind for each in rules if each is not None} == KINDS


def _rule(text: str) -> recurrence.Rule:
    return recurrence.read(_parsed(f"<t:Recurrence>{text}</t:Recurrence>"))


def _parsed(text: str) -> etree._Element:
    return etree.fromstring(f'<x xmlns:t="{TYPES}">{text}</x>')[0]
