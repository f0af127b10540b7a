"""What an item looks like on the other side."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from accord.model.diff import diff
from accord.model.item import Absence, Contact, Event, Item, Task, TaskStatus
from accord.model.kinds import Direction, Kind, Side
from accord.model.parts import (
    Attachment,
    Attendee,
    Body,
    BodyType,
    Person,
    Privacy,
    Reminder,
    Reply,
    Role,
)
from accord.model.recurrence import (
    Busy,
    EventStatus,
    Frequency,
    Override,
    RecurrenceRule,
)
from accord.rules.program import Program, RuleFailed, former_of, program_of
from accord.rules.rule import FieldRule, Filters, Meetings, Private, Rule
from accord.rules.shape import is_marked
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
DAILY = RecurrenceRule(frequency=Frequency.DAILY)
RICH: dict[str, Any] = {
    "uid": "u1",
    "body": Body(text="<b>x</b>", type=BodyType.HTML),
    "location": "Room 4",
    "online_meeting": "https://meet.example/1",
    "url": "https://x.example",
    "categories": ("Customer",),
    "privacy": Privacy.PUBLIC,
    "busy": Busy.TENTATIVE,
    "status": EventStatus.TENTATIVE,
    "priority": 3,
    "rule": DAILY,
    "exdates": (datetime(2026, 3, 13, 9),),
    "rdates": (datetime(2026, 3, 13, 11),),
    "sequence": 4,
    "split_from": "u0",
    "attachments": (Attachment(uri="https://x.example/a"),),
}


def fields_of(item: Item, *names: str) -> dict[str, Any]:
    return {name: getattr(item, name) for name in names}


def test_plain_event_goes_over_unchanged() -> None:
    item = event(**RICH)
    for side in Side:
        assert program().project(side, item, FACTS) == item


def test_fields_that_do_not_travel_are_at_their_defaults() -> None:
    fields = {
        "location": FieldRule(direction=Direction.OUTBOUND),
        "body": FieldRule(direction=Direction.NONE),
    }
    item = event(**RICH, extras={"crm:a": "1"}, reminders=(Reminder(minutes=5),))
    rule = program(fields=fields)
    inbound, outbound = rule.project(CRM, item, FACTS), rule.project(GROUPWARE, item, FACTS)
    assert diff(item, inbound) == ("body", "location", "reminders", "extras")
    assert diff(item, outbound) == ("body", "reminders", "extras")
    assert inbound.location == ""
    assert (outbound.body, outbound.extras, outbound.reminders) == (None, {}, ())


def test_schedule_stays_where_it_does_not_travel() -> None:
    rule = program(fields={"schedule": FieldRule(direction=Direction.OUTBOUND)})
    projected = rule.project(CRM, event(**RICH), FACTS)
    assert (projected.start, projected.end) == (event().start, event().end)
    assert (projected.rule, projected.time_zone) == (None, None)


def test_an_item_of_another_kind_is_refused() -> None:
    with pytest.raises(RuleFailed, match="kind: a task where a event belongs"):
        program().project(CRM, task(), FACTS)
    with pytest.raises(RuleFailed):
        program(Kind.ABSENCE).project(CRM, absence(), FACTS)


class TestMappings:
    prefixed = {
        "title": FieldRule(outbound='value.prefix("CRM: ")', inbound='value.stripPrefix("CRM: ")')
    }

    def test_expressions_transform_each_way(self) -> None:
        rule = program(fields=self.prefixed)
        assert rule.project(GROUPWARE, event(), FACTS).title == "CRM: Visit"
        assert rule.project(CRM, event(title="CRM: Visit"), FACTS).title == "Visit"

    def test_occurrences_are_transformed_like_their_series(self) -> None:
        rule = program(fields=self.prefixed)
        first, second = datetime(2026, 3, 13, 9), datetime(2026, 3, 14, 9)
        series = event(
            rule=DAILY,
            overrides=(
                Override(recurrence_id=first, title="Review"),
                Override(recurrence_id=second, location="Home"),
            ),
        )
        projected = rule.project(GROUPWARE, series, FACTS)
        assert [each.title for each in projected.overrides] == ["CRM: Review", msgspec.UNSET]
        assert projected.overrides[1] == series.overrides[1]
        assert rule.project(CRM, projected, FACTS) == series

    def test_what_does_not_travel_leaves_occurrences_too(self) -> None:
        when = datetime(2026, 3, 13, 9)
        rule = program(fields={"location": FieldRule(direction=Direction.OUTBOUND)})
        changed = Override(recurrence_id=when, location="Home", title="x", extras={"ical:A": "1"})
        only = Override(recurrence_id=when + timedelta(days=1), location="Home")
        projected = rule.project(CRM, event(rule=DAILY, overrides=(changed, only)), FACTS)
        assert projected.overrides == (Override(recurrence_id=when, title="x"),)

    def test_an_empty_override_is_not_taken_away(self) -> None:
        empty = Override(recurrence_id=datetime(2026, 3, 13, 9))
        item = event(rule=DAILY, overrides=(empty,))
        assert program().project(CRM, item, FACTS).overrides == (empty,)

    def test_a_field_is_taken_from_an_own_field_and_goes_back_there(self) -> None:
        rule = program(fields={"location": FieldRule(source="crm:room")})
        item = event(location="ignored", extras={"crm:room": "1.04", "crm:other": "x"})
        out = rule.project(GROUPWARE, item, FACTS)
        assert (out.location, out.extras) == ("1.04", {})
        back = rule.project(CRM, out, FACTS)
        assert (back.location, back.extras) == ("", {"crm:room": "1.04"})
        assert "location" not in rule.fields(CRM)
        assert "extras" in rule.fields(CRM)
        assert "extras" not in rule.fields(GROUPWARE)

    def test_occurrences_know_nothing_of_own_fields(self) -> None:
        rule = program(fields={"location": FieldRule(source="crm:room")})
        override = Override(recurrence_id=datetime(2026, 3, 13, 9), location="Home", title="x")
        item = event(rule=DAILY, overrides=(override,))
        (projected,) = rule.project(GROUPWARE, item, FACTS).overrides
        assert projected == Override(recurrence_id=override.recurrence_id, title="x")

    def test_own_fields_that_are_not_there_stay_not_there(self) -> None:
        rule = program(
            fields={
                "location": FieldRule(source="crm:room", direction=Direction.OUTBOUND),
                "ical:X-R": FieldRule(
                    source="crm:region", direction=Direction.OUTBOUND, outbound='value + "!"'
                ),
            }
        )
        out = rule.project(GROUPWARE, event(), FACTS)
        assert (out.location, out.extras) == ("", {})
        out = rule.project(GROUPWARE, event(extras={"crm:region": "north"}), FACTS)
        assert out.extras == {"ical:X-R": "north!"}

    def test_own_fields_under_one_name(self) -> None:
        rule = program(fields={"crm:a": FieldRule()})
        item = event(extras={"crm:a": 3, "crm:b": "x"})
        for side in Side:
            assert rule.project(side, item, FACTS).extras == {"crm:a": 3}
            assert "extras" in rule.fields(side)

    @pytest.mark.parametrize("value", ["x", 3, 2.5, True, None, ("a", "b")])
    def test_own_fields_keep_their_type(self, value: Any) -> None:
        rule = program(fields={"ical:b": FieldRule(source="crm:a")})
        out = rule.project(GROUPWARE, event(extras={"crm:a": value}), FACTS)
        assert out.extras == {"ical:b": value}
        assert type(out.extras["ical:b"]) is type(value)

    @pytest.mark.parametrize(
        ("value", "text"), [(3, "3"), (2.5, "2.5"), (True, "true"), (False, "false"), (None, "")]
    )
    def test_own_fields_become_text_where_text_belongs(self, value: Any, text: str) -> None:
        rule = program(fields={"location": FieldRule(source="crm:room")})
        assert rule.project(GROUPWARE, event(extras={"crm:room": value}), FACTS).location == text

    def test_own_fields_that_do_not_fit_fail(self) -> None:
        rule = program(fields={"priority": FieldRule(source="crm:weight")})
        assert rule.project(GROUPWARE, event(extras={"crm:weight": 5}), FACTS).priority == 5
        for bad in ("high", 12, -1, True):
            with pytest.raises(RuleFailed, match="priority"):
                rule.project(GROUPWARE, event(extras={"crm:weight": bad}), FACTS)
        rule = program(fields={"location": FieldRule(source="crm:room")})
        with pytest.raises(RuleFailed, match="location: needs a text, not list"):
            rule.project(GROUPWARE, event(extras={"crm:room": ("a",)}), FACTS)

    def test_a_body_keeps_its_type(self) -> None:
        rule = program(fields={"body": FieldRule(outbound='value + "!"', inbound="value")})
        html = Body(text="<b>x</b>", type=BodyType.HTML)
        out = rule.project(GROUPWARE, event(body=html), FACTS)
        assert out.body == Body(text="<b>x</b>!", type=BodyType.HTML)
        assert rule.project(GROUPWARE, event(), FACTS).body == Body(text="!")
        assert rule.project(CRM, event(), FACTS).body is None

    def test_a_text_becomes_a_plain_body(self) -> None:
        rule = program(fields={"body": FieldRule(source="location")})
        assert rule.project(GROUPWARE, event(location="x"), FACTS).body == Body(text="x")

    def test_choices_must_be_among_the_choices(self) -> None:
        rule = program(
            fields={"busy": FieldRule(outbound="item.title", direction=Direction.OUTBOUND)}
        )
        assert rule.project(GROUPWARE, event(title="free"), FACTS).busy is Busy.FREE
        with pytest.raises(RuleFailed, match="busy"):
            rule.project(GROUPWARE, event(title="maybe"), FACTS)

    def test_people_and_lists_can_be_made(self) -> None:
        rule = program(
            fields={
                "people": FieldRule(
                    outbound='value.filter(p, domain(p.address) == "client.example")'
                ),
                "categories": FieldRule(
                    outbound='value.map(c, lookup("c", c, c))',
                    inbound='value.map(c, lookupKey("c", c, c))',
                ),
            },
            lookups={"c": {"customer": "Kunde"}},
        )
        item = event(people=(EVA, ZOE), categories=("customer", "other"))
        out = rule.project(GROUPWARE, item, FACTS)
        assert (out.people, out.categories) == ((EVA,), ("Kunde", "other"))
        assert rule.project(CRM, out, FACTS).categories == ("customer", "other")

    def test_attendees_keep_all_they_had(self) -> None:
        rule = program(
            fields={
                "attendees": FieldRule(
                    inbound='value.filter(a, a.attendee_kind != "room")', outbound="value"
                )
            }
        )
        eva = Attendee(
            address="eva@client.example",
            name="Eva",
            role=Role.OPTIONAL,
            reply=Reply.ACCEPTED,
            rsvp=True,
        )
        room = msgspec.convert({"address": "r@x", "attendee_kind": "room"}, Attendee)
        item = event(attendees=(eva, room))
        assert rule.project(CRM, item, FACTS).attendees == (eva,)

    @pytest.mark.parametrize(
        ("gives", "person"),
        [
            ('{"address": "x@y.example", "name": "X"}', Person(address="x@y.example", name="X")),
            ('"x@y.example"', Person(address="x@y.example")),
            ('{"address": "", "name": ""}', None),
            ('""', None),
            ("value", ANNA),
        ],
    )
    def test_a_person_is_an_address_or_address_and_name(
        self, gives: str, person: Person | None
    ) -> None:
        fields = {"assignee": FieldRule(outbound=gives)}
        out = program(Kind.TASK, fields=fields).project(GROUPWARE, task(assignee=ANNA), FACTS)
        assert out.assignee == person

    def test_nobody_is_an_empty_person_to_expressions(self) -> None:
        fields = {"assignee": FieldRule(outbound="value")}
        out = program(Kind.TASK, fields=fields).project(GROUPWARE, task(), FACTS)
        assert out.assignee is None

    def test_expressions_see_item_and_owner(self) -> None:
        fields = {
            "title": FieldRule(
                direction=Direction.OUTBOUND,
                outbound='value + "/" + item.location + "/" + owner.name + "/" + owner.user'
                ' + "/" + owner.address',
            )
        }
        out = program(fields=fields).project(GROUPWARE, event(location="R"), FACTS)
        assert out.title == "Visit/R/Anna/anna/anna@firm.example"

    def test_an_expression_that_fails_names_its_field(self) -> None:
        fields = {
            "title": FieldRule(
                direction=Direction.OUTBOUND, outbound='item.extras["crm:none"] + value'
            )
        }
        with pytest.raises(RuleFailed) as failed:
            program(fields=fields).project(GROUPWARE, event(), FACTS)
        assert failed.value.field == "fields.title"
        assert "crm:none" in failed.value.message

    def test_a_field_fed_by_another_is_no_longer_fed_by_itself(self) -> None:
        rule = program(fields={"location": FieldRule(source="title", direction=Direction.INBOUND)})
        back = rule.project(CRM, event(title="T", location="L"), FACTS)
        assert (back.title, back.location) == ("L", "")
        out = rule.project(GROUPWARE, event(title="T", location="L"), FACTS)
        assert (out.title, out.location) == ("T", "")

    def test_choices_go_where_texts_go(self) -> None:
        fields = {
            "location": FieldRule(source="busy", direction=Direction.OUTBOUND),
            "ical:busy": FieldRule(source="busy", direction=Direction.OUTBOUND),
        }
        out = program(fields=fields).project(GROUPWARE, event(busy=Busy.FREE), FACTS)
        assert (out.location, out.extras) == ("free", {"ical:busy": "free"})
        assert type(out.location) is str

    def test_own_fields_are_no_choices(self) -> None:
        with pytest.raises(RuleFailed, match="crm:busy needs an expression to become busy"):
            program(fields={"busy": FieldRule(source="crm:busy")})
        with pytest.raises(RuleFailed, match="busy needs an expression to become status"):
            program(fields={"busy": FieldRule(source="status")})

    def test_mappings_that_can_not_be_are_refused(self) -> None:
        for name, part in {
            "start": FieldRule(outbound="value", inbound="value"),
            "title": FieldRule(source="priority"),
            "location": FieldRule(source="nothing"),
            "status": FieldRule(source="title"),
        }.items():
            with pytest.raises(RuleFailed, match=f"fields.{name}"):
                program(fields={name: part})


class TestPrivacy:
    secret = {
        **RICH,
        "title": "Doctor",
        "privacy": Privacy.PRIVATE,
        "attendees": (Attendee(address="doc@x.example"),),
        "organizer": ANNA,
        "people": (EVA,),
        "extras": {"ical:X": "secret"},
        "reminders": (Reminder(minutes=5),),
        "overrides": (
            Override(
                recurrence_id=datetime(2026, 3, 13, 9),
                start=datetime(2026, 3, 13, 12),
                title="Other doctor",
                body=Body(text="x"),
                location="Clinic",
                attendees=(),
            ),
            Override(recurrence_id=datetime(2026, 3, 14, 9), title="Third doctor"),
        ),
    }
    reduced = event(
        title="Busy",
        uid="u1",
        sequence=4,
        privacy=Privacy.PRIVATE,
        busy=Busy.TENTATIVE,
        status=EventStatus.TENTATIVE,
        rule=DAILY,
        exdates=(datetime(2026, 3, 13, 9),),
        rdates=(datetime(2026, 3, 13, 11),),
        overrides=(
            Override(recurrence_id=datetime(2026, 3, 13, 9), start=datetime(2026, 3, 13, 12)),
        ),
    )

    @pytest.mark.parametrize("private", [Private.SKIP, Private.BUSY, Private.FULL])
    @pytest.mark.parametrize("mark", [Privacy.PRIVATE, Privacy.SECRET])
    def test_only_the_time_of_a_private_entry_enters_the_crm(
        self, private: Private, mark: Privacy
    ) -> None:
        item = msgspec.structs.replace(event(**self.secret), privacy=mark)
        wanted = msgspec.structs.replace(self.reduced, privacy=mark)
        assert program(private=private).project(CRM, item, FACTS) == wanted
        assert program(private=private).hides(item, FACTS)

    def test_in_full_where_the_owner_agreed(self) -> None:
        facts = msgspec.structs.replace(FACTS, consents=True)
        item = event(**self.secret)
        rule = program(private=Private.FULL)
        assert rule.project(CRM, item, facts).title == "Doctor"
        assert not rule.hides(item, facts)
        assert program(private=Private.BUSY).project(CRM, item, facts) == self.reduced

    def test_expressions_never_see_what_is_private(self) -> None:
        fields = {"title": FieldRule(inbound="value + item.location", outbound="value")}
        rule = program(private=Private.BUSY, fields=fields)
        assert rule.project(CRM, event(**self.secret), FACTS).title == "Busy"

    def test_the_crm_s_private_entries_go_to_their_mailbox_in_full(self) -> None:
        out = program().project(GROUPWARE, event(**self.secret), FACTS)
        assert (out.title, out.location, out.privacy) == ("Doctor", "Room 4", Privacy.PRIVATE)

    def test_a_private_occurrence_of_a_public_series(self) -> None:
        when, other = datetime(2026, 3, 13, 9), datetime(2026, 3, 14, 9)
        item = event(
            rule=DAILY,
            overrides=(
                Override(
                    recurrence_id=when,
                    privacy=Privacy.PRIVATE,
                    title="Doctor",
                    start=when + timedelta(hours=1),
                    extras={"ical:X": "secret"},
                ),
                Override(recurrence_id=other, title="Open"),
            ),
        )
        hidden, shown = program().project(CRM, item, FACTS).overrides
        assert (hidden.title, hidden.body, hidden.location) == ("Busy", None, "")
        assert (hidden.attendees, hidden.attachments, hidden.categories) == ((), (), ())
        assert (hidden.online_meeting, hidden.start) == ("", when + timedelta(hours=1))
        assert hidden.extras is msgspec.UNSET
        assert shown.title == "Open"
        facts = msgspec.structs.replace(FACTS, consents=True)
        full = program(private=Private.FULL).project(CRM, item, facts)
        assert full.overrides[0].title == "Doctor"
        for private in (Private.BUSY, Private.SKIP):
            busy = program(private=private).project(CRM, item, facts)
            assert busy.overrides[0].title == "Busy"
        unasked = program(private=Private.FULL).project(CRM, item, FACTS)
        assert unasked.overrides[0].title == "Busy"

    def test_a_mark_counts_on_the_item_or_an_occurrence(self) -> None:
        marked = Override(recurrence_id=datetime(2026, 3, 13, 9), privacy=Privacy.SECRET)
        plain = Override(recurrence_id=datetime(2026, 3, 14, 9), title="Open")
        assert is_marked(event(privacy=Privacy.PRIVATE, overrides=(plain,)))
        assert is_marked(event(overrides=(plain, marked)))
        assert is_marked(contact(privacy=Privacy.SECRET))
        assert not is_marked(event(privacy=Privacy.PUBLIC, overrides=(plain,)))
        assert not is_marked(absence())

    def test_tasks_and_contacts(self) -> None:
        hidden = {"privacy": Privacy.PRIVATE, "categories": ("x",), "extras": {"a:b": "c"}}
        rule = program(Kind.TASK, direction=Direction.BOTH)
        item = task(**hidden, body=Body(text="x"), percent=40, status=TaskStatus.IN_PROCESS)
        assert rule.project(CRM, item, FACTS) == Task(
            title="Private",
            due=item.due,
            percent=40,
            status=TaskStatus.IN_PROCESS,
            privacy=Privacy.PRIVATE,
        )
        rule = program(Kind.CONTACT, direction=Direction.BOTH)
        person = contact(**hidden, notes="x", uid="c")
        assert rule.project(CRM, person, FACTS) == Contact(
            uid="c", full_name="Private", privacy=Privacy.PRIVATE
        )


class TestFiles:
    link = Attachment(uri="https://x.example/a")
    file = Attachment(uri="stored:1", name="plan.pdf")

    def test_links_go_over_and_files_stay(self) -> None:
        def occurrence(day: int, **values: Any) -> Override:
            return Override(recurrence_id=datetime(2026, 3, day, 9), **values)

        item = event(
            rule=DAILY,
            attachments=(self.file, self.link),
            overrides=(
                occurrence(13, attachments=(self.link, self.file)),
                occurrence(14, attachments=(self.file,)),
                occurrence(15, attachments=(self.file,), title="Other"),
                occurrence(16, attachments=()),
                occurrence(17, title="Open"),
            ),
        )
        wanted = event(
            rule=DAILY,
            attachments=(self.link,),
            overrides=(
                occurrence(13, attachments=(self.link,)),
                occurrence(15, title="Other"),
                occurrence(16, attachments=()),
                occurrence(17, title="Open"),
            ),
        )
        for side in Side:
            assert program().project(side, item, FACTS) == wanted

    def test_a_photo_goes_over_as_an_address_only(self) -> None:
        rule = program(Kind.CONTACT)
        for photo in (self.file, Attachment(name="me.jpg")):
            assert rule.project(GROUPWARE, contact(photo=photo), FACTS) == contact()
        linked = contact(photo=self.link)
        assert rule.project(GROUPWARE, linked, FACTS) == linked


class TestMeetings:
    meeting = event(
        organizer=ANNA,
        attendees=(Attendee(address="EVA@client.example", name="E"), Attendee(address="r@x")),
        people=(EVA, ZOE),
        body=Body(text="internal"),
        attachments=(Attachment(uri="https://x.example/a"),),
    )

    def test_mirror_copies_name_people_and_have_no_attendees(self) -> None:
        out = program().project(GROUPWARE, self.meeting, FACTS)
        assert (out.attendees, out.organizer) == ((), None)
        assert out.people == (
            ANNA,
            Person(address="EVA@client.example", name="E"),
            Person(address="r@x"),
            ZOE,
        )
        assert (out.body, out.title) == (self.meeting.body, "Visit")

    def test_mirror_copies_have_no_attendees_in_occurrences_either(self) -> None:
        when = datetime(2026, 3, 13, 9)
        item = event(
            rule=DAILY,
            overrides=(
                Override(recurrence_id=when, attendees=(Attendee(address="r@x"),)),
                Override(
                    recurrence_id=when + timedelta(days=1),
                    title="x",
                    attendees=(Attendee(address="r@x"),),
                ),
            ),
        )
        (left,) = program().project(GROUPWARE, item, FACTS).overrides
        assert left == Override(recurrence_id=when + timedelta(days=1), title="x")

    def test_people_without_address_are_told_apart_by_name(self) -> None:
        item = event(
            people=(Person(name="Eva"), Person(name="Bob"), Person(name="Eva"), Person()),
            organizer=ANNA,
        )
        out = program().project(GROUPWARE, item, FACTS)
        assert out.people == (ANNA, Person(name="Eva"), Person(name="Bob"))

    def test_a_meeting_in_the_mailbox_enters_with_its_attendees(self) -> None:
        back = program().project(CRM, self.meeting, FACTS)
        assert back.attendees == self.meeting.attendees
        assert back.organizer == ANNA
        assert back.people == ()

    def test_the_organizer_s_own_copy_invites(self) -> None:
        rule = program(meetings=Meetings.INVITE)
        inside = msgspec.structs.replace(
            self.meeting, attendees=(Attendee(address="Bob@Firm.example"),)
        )
        out = rule.project(GROUPWARE, inside, FACTS)
        assert (out.attendees, out.organizer) == (inside.attendees, ANNA)
        assert (out.body, out.attachments) == (inside.body, inside.attachments)
        assert rule.withheld(GROUPWARE, inside, FACTS) == frozenset()

    def test_an_alias_of_the_owner_organizes_too(self) -> None:
        item = event(
            organizer=Person(address="A.Smith@firm.example"), attendees=(Attendee(address="r@x"),)
        )
        out = program(meetings=Meetings.INVITE).project(GROUPWARE, item, FACTS)
        assert out.attendees == item.attendees

    @pytest.mark.parametrize("organizer", [BOB, None])
    def test_copies_of_others_never_invite(self, organizer: Person | None) -> None:
        item = msgspec.structs.replace(self.meeting, organizer=organizer)
        out = program(meetings=Meetings.INVITE).project(GROUPWARE, item, FACTS)
        assert (out.attendees, out.organizer) == ((), None)
        assert EVA.address.casefold() in {each.address.casefold() for each in out.people}

    def test_internal_text_stays_out_of_meetings_with_outsiders(self) -> None:
        rule = program(meetings=Meetings.INVITE)
        out = rule.project(GROUPWARE, self.meeting, FACTS)
        assert out.attendees == self.meeting.attendees
        assert (out.body, out.attachments) == (None, ())
        assert rule.withheld(GROUPWARE, self.meeting, FACTS) == {"body", "attachments"}
        assert rule.withheld(CRM, self.meeting, FACTS) == frozenset()
        assert program().withheld(GROUPWARE, self.meeting, FACTS) == frozenset()

    def test_unless_the_rule_says_so(self) -> None:
        rule = program(
            meetings=Meetings.INVITE, fields={"body": FieldRule(direction=Direction.BOTH)}
        )
        out = rule.project(GROUPWARE, self.meeting, FACTS)
        assert (out.body, out.attachments) == (self.meeting.body, ())
        assert rule.withheld(GROUPWARE, self.meeting, FACTS) == {"attachments"}


class TestReminders:
    fields = {"reminders": FieldRule(direction=Direction.OUTBOUND)}

    def remaining(self, item: Item) -> list[int]:
        out = program(
            Kind.EVENT if isinstance(item, Event) else Kind.TASK, fields=self.fields
        ).project(GROUPWARE, item, FACTS)
        assert not isinstance(out, Contact | Absence)
        return [reminder.minutes for reminder in getattr(out, "reminders", ())]

    def test_are_never_written_already_due(self) -> None:
        start = (NOW + timedelta(hours=1)).replace(tzinfo=None)
        item = event(
            time_zone="UTC",
            start=start,
            end=start + timedelta(hours=1),
            reminders=tuple(Reminder(minutes=m) for m in (5, 59, 60, 61, -5)),
        )
        assert self.remaining(item) == [5, 59, -5]

    def test_before_the_end_count_from_the_end(self) -> None:
        start = (NOW + timedelta(hours=1)).replace(tzinfo=None)
        both = (Reminder(minutes=90), Reminder(minutes=90, before_end=True))
        item = event(time_zone="UTC", start=start, end=start + timedelta(hours=1), reminders=both)
        assert self.remaining(item) == [90]
        out = program(fields=self.fields).project(GROUPWARE, item, FACTS)
        assert out.reminders == (both[1],)

    def test_of_a_series_stay(self) -> None:
        old = {"start": datetime(2020, 1, 1, 9), "end": datetime(2020, 1, 1, 10)}
        reminders = (Reminder(minutes=5),)
        assert self.remaining(event(**old, reminders=reminders)) == []
        assert self.remaining(event(**old, reminders=reminders, rule=DAILY)) == [5]
        extra = (datetime(2027, 1, 1, 9),)
        assert self.remaining(event(**old, reminders=reminders, rdates=extra)) == [5]

    def test_of_tasks(self) -> None:
        reminders = (Reminder(minutes=5),)
        assert self.remaining(task(reminders=reminders)) == [5]
        assert self.remaining(task(reminders=reminders, due=datetime(2020, 1, 1))) == []
        assert self.remaining(task(reminders=reminders, due=None)) == [5]
        early = {"start": datetime(2020, 1, 1), "due": datetime(2027, 1, 1)}
        assert self.remaining(task(reminders=reminders, **early)) == []

    def test_of_a_zone_nobody_knows_are_left_out(self) -> None:
        assert self.remaining(event(time_zone="Mars/Base", reminders=(Reminder(minutes=5),))) == []


class TestAbsences:
    def test_say_when_and_never_why(self) -> None:
        item = absence(
            uid="a1",
            outside_message="Away",
            categories=("Sick leave",),
            extras={"crm:doctor": "x"},
            privacy=Privacy.PRIVATE,
        )
        assert program(Kind.ABSENCE).project(GROUPWARE, item, FACTS) == Event(
            uid="a1",
            title="Absent",
            start=item.start,
            end=item.end,
            all_day=True,
            busy=Busy.OUT_OF_OFFICE,
        )

    def test_keep_hours_and_zone(self) -> None:
        item = absence(all_day=False, time_zone="Europe/Berlin", start=datetime(2026, 3, 12, 14))
        out = program(Kind.ABSENCE).project(GROUPWARE, item, FACTS)
        assert fields_of(out, "start", "end", "all_day", "time_zone") == fields_of(
            item, "start", "end", "all_day", "time_zone"
        )

    def test_enter_by_rule(self) -> None:
        rule = program(Kind.ABSENCE, direction=Direction.BOTH)
        entry = event(title="Vacation", uid="e1", location="Beach", busy=Busy.OUT_OF_OFFICE)
        back = rule.project(CRM, entry, FACTS)
        assert back == Absence(
            uid="e1",
            title="Vacation",
            start=entry.start,
            end=entry.end,
            time_zone="Europe/Berlin",
            all_day=False,
        )

    def test_the_title_of_our_own_entries_says_nothing(self) -> None:
        rule = program(Kind.ABSENCE, direction=Direction.BOTH)
        out = rule.project(GROUPWARE, absence(), FACTS)
        assert rule.project(CRM, out, FACTS).title == ""

    def test_the_title_can_be_changed_but_knows_no_kind(self) -> None:
        fields = {
            "title": FieldRule(direction=Direction.OUTBOUND, outbound='owner.name + " is out"')
        }
        rule = program(Kind.ABSENCE, fields=fields, direction=Direction.BOTH)
        assert rule.project(GROUPWARE, absence(), FACTS).title == "Anna is out"
        assert rule.project(CRM, event(title="Vacation"), FACTS).title == ""
        for hidden in ("absence_kind", "message", "outside_message"):
            fields = {"title": FieldRule(outbound=f"item.{hidden}")}
            with pytest.raises(ValueError, match=hidden):
                program(Kind.ABSENCE, fields=fields)
            with pytest.raises(RuleFailed, match="never leaves the CRM"):
                program(Kind.ABSENCE, fields={"location": FieldRule(source=hidden)})

    def test_own_fields_can_be_added(self) -> None:
        fields = {"location": FieldRule(source="crm:site")}
        rule = program(Kind.ABSENCE, fields=fields, direction=Direction.BOTH)
        out = rule.project(GROUPWARE, absence(extras={"crm:site": "Rome"}), FACTS)
        assert out.location == "Rome"
        assert rule.project(CRM, out, FACTS).extras == {"crm:site": "Rome"}
        assert "location" in rule.fields(GROUPWARE)

    def test_private_out_of_office_entries_are_reduced(self) -> None:
        rule = program(Kind.ABSENCE, direction=Direction.BOTH, private=Private.BUSY)
        entry = event(title="Clinic", privacy=Privacy.PRIVATE, busy=Busy.OUT_OF_OFFICE)
        assert rule.project(CRM, entry, FACTS).title == "Busy"


class TestOwnership:
    def test_of_what_the_mailbox_made(self) -> None:
        rule = program(Kind.TASK, ownership={"Info@firm.example": "bob"})
        assert rule.owner(task(), FACTS) == "anna"
        assert rule.owner(task(assignee=Person(name="x")), FACTS) == "anna"
        assert rule.owner(task(assignee=BOB), FACTS) == "bob"
        assert rule.owner(task(assignee=ZOE), FACTS) == "anna"
        assert rule.owner(task(assignee=Person(address="info@FIRM.example")), FACTS) == "bob"
        assert rule.owner(event(), FACTS) == "anna"
        assert program(ownership={"a@b": "c"}).project(CRM, event(), FACTS) == event()

    def test_assignees_are_known_to_the_crm_by_their_own_address(self) -> None:
        rule = program(
            Kind.TASK,
            direction=Direction.BOTH,
            ownership={"info@firm.example": "bob", "x@y": "gone"},
        )
        homes = {"bob": "bb@firm.example", "zoe": "zoe@firm.example"}
        aliases = {"z@mail.example": "zoe", "h@mail": "homeless"}
        facts = msgspec.structs.replace(FACTS, homes=homes, aliases=aliases)

        def assignee(side: Side, address: str) -> str:
            item = task(assignee=Person(address=address, name="N"))
            person = rule.project(side, item, facts).assignee
            assert person is not None
            assert person.name == "N"
            return str(person.address)

        assert assignee(CRM, "INFO@firm.example") == "bb@firm.example"
        assert assignee(CRM, "zoe@elsewhere.example") == "zoe@elsewhere.example"
        assert assignee(CRM, "x@y") == "x@y"
        assert assignee(CRM, "Z@mail.example") == "zoe@firm.example"
        assert assignee(CRM, "h@mail") == "h@mail"
        assert assignee(GROUPWARE, "z@mail.example") == "z@mail.example"
        assert assignee(GROUPWARE, "info@firm.example") == "info@firm.example"
        assert rule.project(CRM, task(), FACTS).assignee is None


def test_programs_are_compiled_once_per_version() -> None:
    rule = Rule(name="a", kind=Kind.EVENT, lookups={"t": {"a": "b", "c": "d"}})
    same = Rule(name="a", kind=Kind.EVENT, lookups={"t": {"c": "d", "a": "b"}})
    assert program_of(rule) is program_of(same)
    assert program_of(rule).rule == rule
    assert isinstance(program_of(rule), Program)


def test_a_former_version_that_works_no_longer_has_no_program() -> None:
    rule = Rule(name="a", kind=Kind.EVENT)
    assert former_of(rule) is program_of(rule)
    assert former_of(msgspec.structs.replace(rule, filter=Filters(crm="no.longer"))) is None
