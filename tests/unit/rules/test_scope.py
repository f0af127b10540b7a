"""Which items take part, and the reason each verdict gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from accord.model.item import Item, Mail
from accord.model.kinds import Direction, Kind, Side
from accord.model.observe import Snapshot
from accord.model.parts import Attendee, Person, Privacy
from accord.model.recurrence import Busy, Frequency, RecurrenceRule
from accord.rules.explain import explain_scope
from accord.rules.program import RuleFailed, Verdict
from accord.rules.rule import Filters, Leaving, Private, Scope, Window
from tests.unit.rules.given import (
    ANNA,
    BOB,
    EVA,
    FACTS,
    NOW,
    ZOE,
    absence,
    contact,
    event,
    program,
    task,
)

CRM, GROUPWARE = Side.CRM, Side.GROUPWARE
ALL: dict[str, Any] = {"scope": Scope.ALL}
CONSENT = msgspec.structs.replace(FACTS, consents=True)


def snapshot(item: Item) -> Snapshot:
    return Snapshot(ref="r", version="1", item=item)


def verdict(
    rule: Any, side: Side, item: Item, *, facts: Any = FACTS, paired: bool = False
) -> Verdict:
    """Return the verdict, having made sure that the explanation comes to the same."""
    found: Verdict = rule.scope(side, item, facts, paired=paired)
    assert rule.scope(side, snapshot(item), facts, paired=paired) == found
    reasons = explain_scope(rule, side, item, facts, paired=paired)
    assert all(each.passed is not False for each in reasons) is found.inside
    if not found.inside:
        no = [each for each in reasons if each.passed is False]
        assert len(no) == 1
        assert found.why in no[0].why
        assert all(each.passed is None for each in reasons[reasons.index(no[0]) + 1 :])
    return found


class TestKind:
    def test_other_kinds_stay_out_and_are_left_alone(self) -> None:
        found = verdict(program(leaving=Leaving.DELETE_COPY), CRM, task())
        assert found == Verdict(inside=False, why="the rule is for events, this is a task")

    def test_absences_are_entries_in_the_mailbox(self) -> None:
        rule = program(Kind.ABSENCE)
        assert verdict(rule, CRM, absence()).inside
        assert not verdict(rule, CRM, event()).inside
        assert not verdict(rule, GROUPWARE, absence()).inside

    def test_mail_is_no_matter_of_a_rule_for_events(self) -> None:
        assert not verdict(program(), GROUPWARE, Mail()).inside

    def test_the_reason_to_let_in(self) -> None:
        assert verdict(program(), CRM, event()).why == "the rule lets it in"

    def test_a_rule_switched_off(self) -> None:
        for side in Side:
            found = verdict(program(direction=Direction.NONE), side, event(), paired=True)
            assert found.why == "the rule is switched off (direction none)"
            assert found.leaving is Leaving.KEEP


class TestPrivacy:
    private = event(privacy=Privacy.PRIVATE)

    def test_private_entries_are_skipped_by_default(self) -> None:
        found = verdict(program(**ALL), GROUPWARE, self.private)
        assert (found.inside, found.why, found.private) == (False, "private", True)

    def test_secret_ones_too(self) -> None:
        assert not verdict(program(**ALL), GROUPWARE, event(privacy=Privacy.SECRET)).inside

    def test_reduced_ones_enter(self) -> None:
        found = verdict(program(**ALL, private=Private.BUSY), GROUPWARE, self.private)
        assert (found.inside, found.private) == (True, True)

    @pytest.mark.parametrize("scope", list(Scope))
    def test_reduced_ones_enter_whoever_takes_part(self, scope: Scope) -> None:
        rule = program(scope=scope, categories=("x",), private=Private.BUSY)
        assert verdict(rule, GROUPWARE, self.private).inside
        assert verdict(rule, GROUPWARE, rule.discreet(self.private, FACTS)).inside
        assert not verdict(program(private=Private.BUSY), GROUPWARE, event()).inside

    def test_filters_see_no_more_of_private_ones_than_the_crm_would(self) -> None:
        rule = program(private=Private.BUSY, filter=Filters(groupware='item.title == "Busy"'))
        assert verdict(rule, GROUPWARE, event(title="x", privacy=Privacy.PRIVATE)).inside
        assert not verdict(rule, GROUPWARE, event(title="x", organizer=EVA)).inside
        rule = program(filter=Filters(crm='item.title == "x"'), private=Private.BUSY)
        assert verdict(rule, CRM, event(title="x", privacy=Privacy.PRIVATE)).inside

    def test_in_full_only_by_consent(self) -> None:
        rule = program(**ALL, private=Private.FULL)
        found = verdict(rule, GROUPWARE, self.private)
        assert found.why == "private, and Anna has not agreed to share it"
        assert not found.inside
        nameless = msgspec.structs.replace(FACTS, owner=Person(address="x@y"))
        found = verdict(rule, GROUPWARE, self.private, facts=nameless)
        assert found.why == "private, and its owner has not agreed to share it"
        found = verdict(rule, GROUPWARE, self.private, facts=CONSENT)
        assert (found.inside, found.private) == (True, False)

    def test_consent_does_not_open_what_the_rule_skips(self) -> None:
        assert not verdict(program(**ALL), GROUPWARE, self.private, facts=CONSENT).inside

    @pytest.mark.parametrize("private", list(Private))
    def test_one_that_turns_private_stays_paired_and_is_reduced(self, private: Private) -> None:
        found = verdict(program(private=private), GROUPWARE, self.private, paired=True)
        assert (found.inside, found.private) == (True, True)

    def test_the_crm_s_private_entries_go_to_their_user(self) -> None:
        found = verdict(program(), CRM, self.private)
        assert (found.inside, found.private) == (True, False)

    def test_a_private_one_that_leaves_is_still_private(self) -> None:
        rule = program(filter=Filters(groupware="false"))
        found = verdict(rule, GROUPWARE, self.private, paired=True)
        assert (found.inside, found.private) == (False, True)
        rule = program(window=Window(past=1))
        gone = event(start=datetime(2026, 1, 1), end=datetime(2026, 1, 2), privacy=Privacy.PRIVATE)
        found = verdict(rule, GROUPWARE, gone, paired=True)
        assert (found.inside, found.private) == (False, True)
        open_one = msgspec.structs.replace(gone, privacy=Privacy.PUBLIC)
        assert not verdict(rule, GROUPWARE, open_one, paired=True).private

    def test_consents_are_the_facts_own(self) -> None:
        rule = program(private=Private.FULL)
        assert not verdict(rule, GROUPWARE, self.private, facts=CONSENT).inside
        everything = program(**ALL, private=Private.FULL)
        assert verdict(everything, GROUPWARE, self.private, facts=CONSENT).inside


class TestFilter:
    def test_each_side_has_its_own(self) -> None:
        rule = program(**ALL, filter=Filters(crm='item.title == "Visit"'))
        assert verdict(rule, CRM, event()).inside
        assert verdict(rule, GROUPWARE, event(title="x")).inside
        found = verdict(rule, CRM, event(title="x"))
        assert found.why == "the rule's filter for the CRM leaves it out"
        rule = program(**ALL, filter=Filters(groupware='item.title == "Visit"'))
        assert verdict(rule, CRM, event(title="x")).inside
        found = verdict(rule, GROUPWARE, event(title="x"))
        assert found.why == "the rule's filter for the mailbox leaves it out"

    def test_leaving_is_the_rule_s(self) -> None:
        for leaving in Leaving:
            rule = program(filter=Filters(crm="false"), leaving=leaving)
            assert verdict(rule, CRM, event(), paired=True).leaving is leaving
        assert verdict(program(filter=Filters(crm="false")), CRM, event()).leaving is Leaving.UNLINK

    def test_counts_for_paired_items_too(self) -> None:
        rule = program(filter=Filters(groupware="false"))
        assert not verdict(rule, GROUPWARE, event(), paired=True).inside

    def test_failing_is_no_verdict(self) -> None:
        rule = program(filter=Filters(crm='item.extras["crm:x"] == "y"'))
        with pytest.raises(RuleFailed) as failed:
            rule.scope(CRM, event(), FACTS)
        assert failed.value.field == "filter.crm"
        reasons = explain_scope(rule, CRM, event(), FACTS)
        assert [each.passed for each in reasons] == [True, True, False, None, None]
        assert "crm:x" in reasons[2].why

    def test_neither_true_nor_false_is_no_verdict(self) -> None:
        rule = program(filter=Filters(crm='item.extras["crm:x"]'))
        assert rule.scope(CRM, event(extras={"crm:x": True}), FACTS).inside
        with pytest.raises(RuleFailed, match="neither true nor false"):
            rule.scope(CRM, event(extras={"crm:x": "yes"}), FACTS)

    def test_absences_may_be_filtered_by_kind(self) -> None:
        rule = program(Kind.ABSENCE, filter=Filters(crm='item.absence_kind == "sick"'))
        assert verdict(rule, CRM, absence()).inside
        assert not verdict(rule, CRM, absence(absence_kind="training")).inside

    @pytest.mark.parametrize(
        ("text", "item"),
        [
            ("item.start == timestamp('2026-03-12T08:00:00Z')", event()),
            ("item.end == timestamp('2026-03-12T09:00:00Z')", event()),
            ("item.start == timestamp('2026-03-12T09:00:00Z')", event(time_zone=None)),
            ("item.end == timestamp('2026-03-12T01:00:00Z')", event(end_time_zone="Asia/Tokyo")),
            ("item.start.getHours(item.time_zone) == 9", event()),
            ("item.start.getHours(item.time_zone) == 9", event(time_zone=None)),
            ("item.end_time_zone == 'Europe/Berlin'", event()),
            ("item.end_time_zone == 'Asia/Tokyo'", event(end_time_zone="Asia/Tokyo")),
            ("now == timestamp('2026-03-10T12:30:00Z')", event()),
            ("today == timestamp('2026-03-10T00:00:00Z')", event()),
            ("owner.user == 'anna' && owner.name == 'Anna'", event()),
            ("owner.address == 'anna@firm.example'", event()),
            ("item.organizer.address == ''", event()),
            ("item.organizer.name == 'Eva Client'", event(organizer=EVA)),
            ("known(item.organizer.address)", event(organizer=EVA)),
            ("known('BOB@firm.example')", event()),
            ("!known(item.organizer.address)", event(organizer=ZOE)),
            ("isOwner('A.SMITH@firm.example') && !isOwner('x@y')", event()),
            ("item.everyone == ['eva@client.example', 'b@x']",
             event(organizer=EVA, attendees=(Attendee(address="B@x"),), people=(EVA,))),
            ("item.body == ''", event()),
            ("!item.recurs", event()),
            ("item.recurs", event(rule=RecurrenceRule(frequency=Frequency.DAILY))),
            ("item.recurs", event(rdates=(datetime(2026, 4, 1),))),
            ("item.status == 'confirmed' && item.busy == 'busy'", event()),
            ("item.uid == 'u'", event(uid="u")),
            ("item.extras['crm:n'] == 3", event(extras={"crm:n": 3})),
            ("'crm:n' in item.extras", event(extras={"crm:n": None})),
            ("item.extras[?'crm:n'].orValue('') == ''", event()),
            ("item.categories == ['a']", event(categories=("a",))),
            ("item.privacy == 'public'", event()),
        ],
    )  # fmt: skip
    def test_what_expressions_see_of_events(self, text: str, item: Item) -> None:
        assert verdict(program(filter=Filters(crm=text)), CRM, item).inside

    @pytest.mark.parametrize(
        ("text", "item"),
        [
            ("item.due == timestamp('2026-03-12T09:00:00Z')", task()),
            ("item.due == timestamp('2026-03-12T08:00:00Z')", task(time_zone="Europe/Berlin")),
            ("!item.has_due && !item.has_start && !item.has_completed", task(due=None)),
            ("item.has_due && item.due > now", task()),
            ("!item.has_due || item.due < now", task(due=None)),
            ("item.completed == timestamp('2026-03-09T10:00:00Z')",
             task(completed=datetime(2026, 3, 9, 10, tzinfo=UTC), time_zone="Europe/Berlin")),
            ("item.everyone == ['bob@firm.example']", task(assignee=BOB)),
            ("item.recurs", task(rule=RecurrenceRule(frequency=Frequency.DAILY))),
            ("!item.recurs && item.percent == 0", task()),
        ],
    )  # fmt: skip
    def test_what_expressions_see_of_tasks(self, text: str, item: Item) -> None:
        assert verdict(program(Kind.TASK, filter=Filters(crm=text)), CRM, item).inside

    def test_a_time_that_is_not_there_fails_where_it_decides(self) -> None:
        rule = program(Kind.TASK, filter=Filters(crm="item.due > now"))
        with pytest.raises(RuleFailed, match=r"item\.due says nothing here"):
            rule.scope(CRM, task(due=None), FACTS)

    def test_what_expressions_see_of_contacts(self) -> None:
        data = {"mails": [{"address": "E@x.example", "type": "home"}], "phones": [{"number": "1"}]}
        person = msgspec.convert({"kind": "contact", **data}, type(contact()))
        text = """item.mails.exists(m, m.type == "home" && !m.preferred)
            && item.everyone == ["e@x.example"] && item.phones[0].features == []"""
        assert verdict(program(Kind.CONTACT, filter=Filters(crm=text)), CRM, person).inside

    @pytest.mark.parametrize(
        "item",
        [
            event(time_zone="Mars/Base"),
            event(start=datetime(1, 1, 1), time_zone="Asia/Tokyo"),
            event(start=datetime(9999, 12, 31, 23), time_zone="America/New_York"),
        ],
    )
    def test_times_that_can_not_be_told_fail(self, item: Item) -> None:
        rule = program(filter=Filters(crm="item.start < now"))
        with pytest.raises(RuleFailed, match=r"filter.crm|start"):
            rule.scope(CRM, item, FACTS)


class TestInboundScope:
    @pytest.mark.parametrize(
        ("item", "inside"),
        [
            (event(), False),
            (event(organizer=ANNA), False),
            (event(organizer=Person(address="A.Smith@firm.example")), False),
            (event(organizer=EVA), True),
            (event(attendees=(Attendee(address="EVA@client.example"),)), True),
            (event(people=(BOB,)), True),
            (event(attendees=(Attendee(address="zoe@elsewhere.example"),)), False),
            (event(categories=("Customer",)), True),
            (event(categories=("cuSTOMer",)), True),
            (event(categories=("Private",)), False),
        ],
    )
    def test_by_people_or_category(self, item: Item, inside: bool) -> None:
        found = verdict(program(categories=("customer",)), GROUPWARE, item)
        assert found.inside is inside
        if not inside:
            why = "no contact or user of the CRM takes part"
            assert found.why == f"{why}, and it is not in the category customer"
            plain = verdict(program(), GROUPWARE, item)
            assert (plain.inside, plain.why) == (False, why)
            two = verdict(program(categories=("customer", "CRM")), GROUPWARE, item)
            assert two.why == f"{why}, and it is in none of the categories customer, CRM"

    def test_by_category_only(self) -> None:
        rule = program(scope=Scope.CATEGORY, categories=("Customer",))
        assert verdict(rule, GROUPWARE, event(categories=("customer",))).inside
        found = verdict(rule, GROUPWARE, event(organizer=EVA))
        assert found.why == "in none of the chosen categories"

    def test_everything(self) -> None:
        assert verdict(program(scope=Scope.ALL), GROUPWARE, event()).inside

    @pytest.mark.parametrize(("kind", "item"), [(Kind.TASK, task()), (Kind.CONTACT, contact())])
    def test_people_are_asked_for_events_only(self, kind: Kind, item: Item) -> None:
        rule = program(kind, direction=Direction.BOTH)
        assert verdict(rule, GROUPWARE, item).inside
        rule = program(kind, direction=Direction.BOTH, scope=Scope.PEOPLE)
        assert not verdict(rule, GROUPWARE, item).inside

    def test_items_are_new_unless_said_otherwise(self) -> None:
        assert not program().scope(GROUPWARE, event(), FACTS).inside

    def test_counts_for_new_items_of_the_mailbox_only(self) -> None:
        for scope in (Scope.PEOPLE, Scope.CATEGORY):
            rule = program(scope=scope, leaving=Leaving.DELETE_COPY)
            assert verdict(rule, GROUPWARE, event(), paired=True).inside
            assert verdict(rule, CRM, event()).inside
            found = verdict(rule, GROUPWARE, event())
            assert (found.inside, found.leaving) == (False, Leaving.DELETE_COPY)

    def test_only_out_of_office_entries_are_absences(self) -> None:
        rule = program(Kind.ABSENCE, direction=Direction.BOTH)
        found = verdict(rule, GROUPWARE, event())
        assert (found.inside, found.why) == (False, "not an out-of-office entry")
        assert verdict(rule, GROUPWARE, event(), paired=True).inside
        assert verdict(rule, GROUPWARE, event(busy=Busy.OUT_OF_OFFICE)).inside


class TestWindow:
    window = Window(past=10, future=20, leaving=Leaving.DELETE_COPY)

    def at(self, start: datetime, hours: int = 1, **values: Any) -> Item:
        naive = start.replace(tzinfo=None)
        end = naive + timedelta(hours=hours)
        return event(start=naive, end=end, time_zone="UTC", **values)

    @pytest.mark.parametrize(
        ("start", "inside", "why"),
        [
            (NOW, True, ""),
            (NOW + timedelta(days=20), True, ""),
            (NOW + timedelta(days=20, minutes=1), False, "begins more than 20 days from now"),
            (NOW - timedelta(days=10, minutes=59), True, ""),
            (NOW - timedelta(days=10, minutes=60), False, "ended more than 10 days ago"),
        ],
    )
    def test_by_days(self, start: datetime, inside: bool, why: str) -> None:
        rule = program(scope=Scope.ALL, window=self.window, leaving=Leaving.KEEP)
        for side in Side:
            for paired in (False, True):
                found = verdict(rule, side, self.at(start), paired=paired)
                assert found.inside is inside
                if not inside:
                    assert (found.why, found.leaving) == (why, Leaving.DELETE_COPY)

    def test_endless_series_never_leave(self) -> None:
        daily = RecurrenceRule(frequency=Frequency.DAILY)
        rule = program(window=self.window)
        old = self.at(NOW - timedelta(days=3000), rule=daily)
        assert verdict(rule, CRM, old).inside
        assert rule.window_times(old)[1] is None
        coming = self.at(NOW + timedelta(days=21), rule=daily)
        assert not verdict(rule, CRM, coming).inside

    def test_times_of_entry_and_exit(self) -> None:
        start, end = NOW + timedelta(days=30), NOW + timedelta(days=30, hours=1)
        item = self.at(start)
        both = program(window=self.window).window_times(item)
        assert both == (start - timedelta(days=20), end + timedelta(days=10))
        past = program(window=Window(past=0)).window_times(item)
        assert past == (None, end)
        future = program(window=Window(future=0)).window_times(item)
        assert future == (start, None)
        assert program().window_times(item) == (None, None)

    def test_is_left_exactly_when_it_says(self) -> None:
        item = self.at(NOW + timedelta(days=30))
        rule = program(window=self.window)
        enters, leaves = rule.window_times(item)
        moment = timedelta(microseconds=1)
        for now, inside in (
            (enters - moment, False),
            (enters, True),
            (leaves - moment, True),
            (leaves, False),
        ):
            facts = msgspec.structs.replace(FACTS, now=now)
            assert verdict(rule, CRM, item, facts=facts).inside is inside

    def test_of_absences(self) -> None:
        rule = program(Kind.ABSENCE, window=self.window)
        assert verdict(rule, CRM, absence()).inside
        gone = absence(start=datetime(2026, 1, 1), end=datetime(2026, 1, 2))
        assert not verdict(rule, CRM, gone).inside

    def test_tasks_and_contacts_have_none(self) -> None:
        old = task(due=datetime(2001, 1, 1))
        for kind, item in ((Kind.TASK, old), (Kind.CONTACT, contact())):
            rule = program(kind, window=self.window)
            assert verdict(rule, CRM, item).inside
            assert rule.window_times(item) == (None, None)

    def test_of_enormous_numbers(self) -> None:
        rule = program(window=Window(past=10**15, future=10**15))
        assert verdict(rule, CRM, self.at(NOW)).inside
        first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
        assert rule.window_times(self.at(NOW)) == (first, last)
        assert program(window=Window(past=1)).window_times(self.at(last))[1] == last
        assert program(window=Window(future=1)).window_times(self.at(first))[0] == first

    def test_of_times_that_can_not_be_told(self) -> None:
        rule = program(window=self.window)
        with pytest.raises(RuleFailed, match="window: 'Mars/Base' is no time zone"):
            rule.scope(CRM, event(time_zone="Mars/Base"), FACTS)


def test_explanations_show_what_the_filter_saw() -> None:
    rule = program(filter=Filters(crm='item.title != "" && item.start < now'))
    reasons = explain_scope(rule, CRM, event(), FACTS)
    assert reasons[2].why == (
        'the rule\'s filter for the CRM leaves it out: item.title != "" && item.start < now '
        "(item.start = 2026-03-12 08:00 UTC, item.title = 'Visit', now = 2026-03-10 12:30 UTC)"
    )


def test_explanations_never_show_what_is_private() -> None:
    rule = program(private=Private.BUSY, filter=Filters(groupware='item.title != "x"'))
    item = event(title="Doctor", privacy=Privacy.PRIVATE, organizer=EVA)
    reasons = explain_scope(rule, GROUPWARE, item, FACTS)
    assert all(each.passed for each in reasons)
    assert "Doctor" not in repr(reasons)


def test_explanations_tell_the_times_of_the_window() -> None:
    rule = program(window=Window(past=1, future=1))
    (*_, reason) = explain_scope(rule, CRM, event(), FACTS)
    assert reason.why == (
        "begins more than 1 days from now; enters it 2026-03-11 08:00 UTC; "
        "leaves it 2026-03-13 09:00 UTC"
    )
