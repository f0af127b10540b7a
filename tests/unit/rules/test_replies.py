"""The words of automatic replies: templates, the period, and what no template can tell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from accord.model.item import Absence
from accord.model.kinds import Kind
from accord.model.replies import Audience, Replies
from accord.rules.check import check
from accord.rules.explain import describe
from accord.rules.render import render_rules
from accord.rules.replies import PLACEHOLDERS, TEXT_LIMIT, next_absence, replies_for
from accord.rules.rule import AutoReplies, Rule
from accord.rules.text import parse_rules

HOME = "Europe/Zurich"
AWAY = Absence(
    title="Flu",
    absence_kind="sick",
    start=datetime(2026, 3, 27),
    end=datetime(2026, 3, 31),
    message="Ask Bob & Eve <3\nThanks",
    outside_message="Write to info@x.test",
)


def away(**values: Any) -> Absence:
    return msgspec.structs.replace(AWAY, **values)


def said(inside: str, **more: Any) -> AutoReplies:
    return AutoReplies(inside=inside, **more)


def worded(inside: str, absence: Absence = AWAY) -> str:
    found = replies_for(said(inside), absence, "Anna", HOME)
    assert found is not None
    return found.inside


def test_placeholders_tell_name_period_and_message() -> None:
    text = "{name}: {from} to {until}, back on {back}. {message}{kind}{}"
    told = "Anna: 2026-03-27 to 2026-03-30, back on 2026-03-31. "
    assert worded(text) == told + "Ask Bob &amp; Eve &lt;3<br>Thanks"
    hours = away(
        all_day=False,
        start=datetime(2026, 3, 27, 9),
        end=datetime(2026, 3, 27, 12, 30),
        time_zone="America/New_York",
        message="",
    )
    assert worded(text, hours) == (
        "Anna: 2026-03-27 09:00 to 2026-03-27 12:30, back on 2026-03-27 12:30."
    )


def test_replies_last_as_long_as_the_absence() -> None:
    """Whole days begin at home, hours count where they were written down."""
    at_home = datetime(2026, 3, 26, 23, tzinfo=UTC), datetime(2026, 3, 30, 22, tzinfo=UTC)
    over_there = datetime(2026, 3, 27, 4, tzinfo=UTC), datetime(2026, 3, 31, 4, tzinfo=UTC)
    for absence, expected in (
        (AWAY, at_home),
        (away(time_zone="America/New_York"), at_home),
        (away(time_zone="America/New_York", all_day=False), over_there),
    ):
        found = replies_for(said("x"), absence, "Anna", HOME)
        assert found is not None
        assert found.on
        assert (found.start, found.end) == expected


@pytest.mark.parametrize("audience", Audience)
def test_others_are_told_what_the_rule_has_for_them(audience: Audience) -> None:
    rule = said("in", outside="{name}: {message}", audience=audience)
    found = replies_for(rule, AWAY, "Anna", HOME)
    assert found is not None
    told = "" if audience is Audience.NONE else "Anna: Write to info@x.test"
    assert (found.outside, found.audience) == (told, audience)
    rule = msgspec.structs.replace(rule, outside="{message}")
    silent = replies_for(rule, away(outside_message=""), "Anna", HOME)
    assert silent is not None
    assert (silent.outside, silent.audience) == ("", Audience.NONE)


def test_quotation_marks_stay_as_they_were_written() -> None:
    """They need no escape between tags, and people may read the source of a reply."""
    message = 'Ask for "Bob", he\'s in'
    assert worded("{message}", away(message=message)) == message


def test_a_message_that_names_the_kind_is_left_out() -> None:
    assert worded("{name} is away. {message}", away(message="SICK, sorry")) == "Anna is away."
    assert replies_for(said("{message}"), away(message="I am sick"), "Anna", HOME) is None
    assert replies_for(said(""), AWAY, "Anna", HOME) is None
    assert "sick" not in " ".join(worded(f"{{{name}}} .") for name in PLACEHOLDERS)


def test_the_absence_of_now_counts_and_then_the_next() -> None:
    first, second = AWAY, away(start=datetime(2026, 4, 10), end=datetime(2026, 4, 12))
    longer = away(end=datetime(2026, 4, 1))
    nothing = away(start=datetime(2026, 4, 5), end=datetime(2026, 4, 5))
    several = {"b": second, "e": first, "a": first, "c": longer, "d": nothing}
    for now, expected in (
        ("2026-03-20 12:00", "a"),
        ("2026-03-30 21:59", "a"),
        ("2026-03-30 22:00", "c"),
        ("2026-04-01 12:00", "b"),
    ):
        found = next_absence(several, datetime.fromisoformat(f"{now}+00:00"), HOME)
        assert found == (expected, several[expected])
    assert next_absence(several, datetime(2026, 5, 1, tzinfo=UTC), HOME) is None


def rule(**replies: Any) -> Rule:
    return Rule(name="r", kind=Kind.ABSENCE, replies=AutoReplies(**replies))


def test_a_text_has_a_limit() -> None:
    (found,) = check(rule(inside="fine", outside="x" * (TEXT_LIMIT + 1), audience=Audience.ALL))
    assert found.message == "has more than 10,000 characters"
    assert found.path == "rule[0].replies.outside"
    assert check(rule(inside="x" * TEXT_LIMIT)) == ()


def test_every_placeholder_may_be_used() -> None:
    assert check(rule(inside="{name} until {until}, {from} {back} {message}")) == ()


def test_a_rule_with_replies_is_written_and_read_and_told() -> None:
    whole = rule(inside='"{name}"\nis away', outside="x", audience=Audience.KNOWN)
    assert parse_rules(render_rules([whole])) == (whole,)
    told = " ".join(describe(whole))
    assert "answers colleagues and people outside whom the person has among the contacts" in told
    for replies in ({"outside": "x"}, {"audience": Audience.KNOWN}):
        assert "answers colleagues by itself" in " ".join(describe(rule(inside="x", **replies)))
    assert "answers" not in " ".join(describe(rule()))
    assert rule().version == Rule(name="r", kind=Kind.ABSENCE).version


def test_a_time_that_is_over_answers_nobody() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert Replies(on=True).answers(now)
    assert not Replies(on=True, end=now).answers(now)
    assert not Replies().answers(now)
