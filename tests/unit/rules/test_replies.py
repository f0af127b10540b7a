"""The words of automatic replies: templates, the period, and what no template can tell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from accord.model.item import Absence
from accord.model.kinds import Kind
from accord.model.replies import Audience, Replies
from accord.model.traits import Traits
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
    text = "{name}: {from} to {until}, back on {back}. {message}"
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
    found = replies_for(said("x"), AWAY, "Anna", HOME)
    assert found is not None
    assert (found.start, found.end) == (
        datetime(2026, 3, 26, 23, tzinfo=UTC),
        datetime(2026, 3, 30, 22, tzinfo=UTC),
    )


@pytest.mark.parametrize("audience", Audience)
def test_others_are_told_what_the_rule_has_for_them(audience: Audience) -> None:
    rule = said("in", outside="{message}", audience=audience)
    found = replies_for(rule, AWAY, "Anna", HOME)
    assert found is not None
    told = "" if audience is Audience.NONE else "Write to info@x.test"
    assert (found.outside, found.audience) == (told, audience)
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
    nothing = away(start=datetime(2026, 3, 1), end=datetime(2026, 3, 1))
    both = [("b", second), ("a", first), ("c", longer), ("d", nothing)]
    for day, expected in (("2026-03-20", "a"), ("2026-03-31", "c"), ("2026-04-01", "b")):
        now = datetime.fromisoformat(f"{day}T12:00:00+00:00")
        found = next_absence(both, now, HOME)
        assert found is not None
        assert found[0] == expected
    assert next_absence(both, datetime(2026, 5, 1, tzinfo=UTC), HOME) is None


def rule(**replies: Any) -> Rule:
    return Rule(name="r", kind=Kind.ABSENCE, replies=AutoReplies(**replies))


@pytest.mark.parametrize(
    ("replies", "message"),
    [
        ({"inside": "{kind}"}, "the kind of an absence never leaves the CRM"),
        ({"inside": "{absence_kind}"}, "the kind of an absence never leaves the CRM"),
        ({"inside": "{nam}"}, "there is no placeholder {nam}"),
        ({"inside": "x" * (TEXT_LIMIT + 1)}, "has more than 10,000 characters"),
        ({"outside": "x", "audience": Audience.ALL}, "colleagues would be told nothing"),
        ({"inside": "x", "outside": "y"}, "nobody outside would get it"),
        ({"inside": "x", "audience": Audience.ALL}, "others would be told nothing"),
    ],
)
def test_what_is_wrong_is_said(replies: dict[str, Any], message: str) -> None:
    (found,) = check(rule(**replies))
    assert found.message == message


@pytest.mark.parametrize("word", ["kind", "nam"])
def test_what_is_wrong_is_said_of_the_text_it_stands_in(word: str) -> None:
    told = rule(inside="fine", outside=f"{{{word}}}", audience=Audience.ALL)
    (found,) = check(told)
    assert found.path.endswith("replies.outside")


def test_replies_are_for_absences_on_servers_that_have_them() -> None:
    events = Rule(name="r", kind=Kind.EVENT, replies=said("x"))
    assert [each.message for each in check(events)] == ["is for absences only"]
    dav = Traits(adapter="dav", kinds={})
    messages = [each.message for each in check(rule(inside="x"), groupware=dav)]
    assert "not used: dav has no automatic replies that could be set" in messages
    assert check(rule(inside="{name} until {until}, {from} {back} {message}")) == ()


def test_a_rule_with_replies_is_written_and_read_and_told() -> None:
    whole = rule(inside='"{name}"\nis away', outside="x", audience=Audience.KNOWN)
    assert parse_rules(render_rules([whole])) == (whole,)
    told = " ".join(describe(whole))
    assert "answers colleagues and people outside whom the person has among the contacts" in told
    assert "answers" not in " ".join(describe(rule()))
    assert rule().version == Rule(name="r", kind=Kind.ABSENCE).version


def test_a_time_that_is_over_answers_nobody() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert Replies(on=True).answers(now)
    assert not Replies(on=True, end=now).answers(now)
    assert not Replies().answers(now)
