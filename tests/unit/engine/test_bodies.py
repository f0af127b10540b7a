"""Bodies: the CRM's text lives in its section of what a person wrote, and nothing else changes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.engine.merge import merge, open_fields
from accord.engine.plan import Conflict, Create, Pair, Pairing, Update
from accord.engine.reconcile import Case, reconcile
from accord.engine.settle import settle
from accord.model.item import Event, Item
from accord.model.kinds import Direction, Kind
from accord.model.observe import Seen
from accord.model.parts import Body, BodyType
from accord.model.recurrence import Override
from accord.model.sections import BEGIN, END, around, join_links, read, write
from accord.rules.rule import Clash, FieldRule, OneWay
from tests.unit.engine.kit import (
    CHANGED,
    CRM,
    GONE,
    GROUPWARE,
    SAME,
    TOMORROW,
    contact,
    decide,
    event,
    found,
    pairing,
    policy,
    rule_of,
    series,
    snap,
    task,
    words,
)

LINK = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_abc"
TOP, BOTTOM = "<html><body><p>Agenda</p>", f'<a href="{LINK}">Join</a></body></html>'
OUTBOUND = {"body": FieldRule(direction=Direction.OUTBOUND)}


def html(text: str) -> Body:
    return Body(text=text, type=BodyType.HTML)


def plain(text: str) -> Body:
    return Body(text=text)


INVITATION = html(TOP + BOTTOM)


def with_section(text: str, top: str = TOP) -> Body:
    section = f"<div>{BEGIN}<br>{text}<br>{END}</div>"
    return html(top + BOTTOM.replace("</body>", f"{section}</body>"))


def below(body: str, text: str) -> Body:
    return plain(f"{body}\n\n{BEGIN}\n{text}\n{END}")


def patched(step: Update) -> Body | None:
    assert isinstance(step.after, Event)
    return step.after.body


def agreed(text: str = "old", **values: Any) -> Pairing:
    """Return a pair whose mailbox item has the CRM's text in its section."""
    return pairing(event(body=plain(text)), event(body=with_section(text)), **values)


def test_a_text_from_the_crm_leaves_an_invitation_as_it_is() -> None:
    steps = decide(
        pairing(event(body=INVITATION)), CHANGED, SAME, crm_edit={"body": plain("Bring samples")}
    )
    assert words(steps) == ["update groupware: body"]
    assert found(steps, Update).after.body == with_section("Bring samples")


@pytest.mark.parametrize("sides", [(CHANGED, SAME), (SAME, CHANGED), (CHANGED, CHANGED)])
def test_what_was_written_is_no_change(sides: tuple[str, str]) -> None:
    assert words(decide(agreed(), *sides)) == ["pair"]
    assert words(decide(pairing(event(), event(body=INVITATION)), *sides)) == ["pair"]


@pytest.mark.parametrize(("kind", "make"), [(Kind.EVENT, event), (Kind.TASK, task)])
def test_the_crm_gets_what_somebody_writes_into_the_section(kind: Kind, make: Any) -> None:
    pair = pairing(make(body=plain("old")), make(body=with_section("old")))
    under = policy(rule_of(kind, fields={"body": FieldRule(direction=Direction.BOTH)}), kind=kind)
    steps = decide(pair, SAME, CHANGED, under, mailbox_edit={"body": with_section("new")})
    assert words(steps) == ["update crm: body"]
    assert found(steps, Update).after.body == plain("new")


def test_the_crm_does_not_get_what_somebody_writes_around_it() -> None:
    edit = {"body": with_section("old", "<p>Another agenda</p>")}
    assert words(decide(agreed(), SAME, CHANGED, mailbox_edit=edit)) == ["pair"]
    steps = decide(agreed(), CHANGED, CHANGED, mailbox_edit=edit, crm_edit={"body": plain("new")})
    assert words(steps) == ["update groupware: body"], "no clash: both edits stand"
    assert found(steps, Update).after.body == with_section("new", "<p>Another agenda</p>")


def test_without_a_text_in_the_crm_there_is_no_section() -> None:
    steps = decide(agreed(), CHANGED, SAME, crm_edit={"body": None})
    assert found(steps, Update).after.body == INVITATION
    pair = pairing(event(body=INVITATION))
    assert words(decide(pair, CHANGED, SAME, crm_edit={"body": None})) == ["pair"]


def test_a_section_taken_away_in_the_mailbox_makes_one_text_of_both_again() -> None:
    steps = decide(agreed(), SAME, CHANGED, mailbox_edit={"body": INVITATION})
    assert found(steps, Update, CRM).after.body == INVITATION


@pytest.mark.parametrize(
    ("clash", "expected"),
    [
        (Clash.CRM, ["conflict body: crm", "update groupware: body"]),
        (Clash.GROUPWARE, ["conflict body: groupware", "update crm: body"]),
        (Clash.HOLD, ["conflict body: open", "pair"]),
    ],
)
def test_two_texts_for_one_section_are_judged_by_the_rule(
    clash: Clash, expected: list[str]
) -> None:
    edits = {
        "crm_edit": {"body": plain("ours")},
        "mailbox_edit": {"body": with_section("theirs", "<p>More</p>")},
    }
    steps = decide(agreed(), CHANGED, CHANGED, policy(rule_of(clash=clash)), **edits)
    assert words(steps) == expected
    (change,) = found(steps, Conflict).fields
    assert (change.before, change.after) == (plain("ours"), plain("theirs"))
    for step in steps:
        if isinstance(step, Update):
            texts = {GROUPWARE: with_section("ours", "<p>More</p>"), CRM: plain("theirs")}
            assert patched(step) == texts[step.side]


def test_plain_texts_that_both_sides_share_are_replaced_by_the_rule() -> None:
    steps = decide(
        pairing(event(body=plain("old"))), CHANGED, CHANGED,
        crm_edit={"body": plain("ours")}, mailbox_edit={"body": plain("theirs")},
    )  # fmt: skip
    assert words(steps) == ["conflict body: crm", "update groupware: body"]
    assert found(steps, Update).after.body == plain("ours")


def test_more_than_the_crm_could_hold_is_not_lost_with_its_edit() -> None:
    pair = pairing(event(body=plain("a")), event(body=plain("a long text")))
    steps = decide(pair, CHANGED, SAME, crm_edit={"body": plain("new")})
    assert found(steps, Update).after.body == below("a long text", "new")


def test_notes_that_do_not_travel_stay_beside_the_crms_text() -> None:
    under = policy(rule_of(Kind.TASK), kind=Kind.TASK)
    pair = pairing(task(body=plain("old")))
    for mine, expected in (
        (plain("old\nmine"), plain(f"{BEGIN}\nnew\n{END}\nmine")),
        (plain("mine"), below("mine", "new")),
    ):
        steps = decide(
            pair, CHANGED, CHANGED, under,
            crm_edit={"body": plain("new")}, mailbox_edit={"body": mine},
        )  # fmt: skip
        assert words(steps) == ["update groupware: body"], "nothing of it is lost"
        assert found(steps, Update).after.body == expected
    marked = pairing(task(body=plain("old")), task(body=below("mine", "old")))
    steps = decide(
        marked, CHANGED, CHANGED, under,
        crm_edit={"body": plain("new")}, mailbox_edit={"body": below("mine", "theirs")},
    )  # fmt: skip
    assert words(steps) == ["conflict body: crm", "update groupware: body"], "theirs is lost"


def test_only_the_section_is_put_back_where_the_rule_says_so() -> None:
    under = policy(rule_of(fields=OUTBOUND, one_way=OneWay.RESTORE))
    steps = decide(
        agreed(), SAME, CHANGED, under, mailbox_edit={"body": with_section("mine", "<p>More</p>")}
    )
    assert found(steps, Update).after.body == with_section("old", "<p>More</p>")
    edit = {"body": with_section("old", "<p>More</p>")}
    assert words(decide(agreed(), SAME, CHANGED, under, mailbox_edit=edit)) == ["pair"]
    for own, mine in ((plain("old"), plain("x")), (html("<b>old</b>"), html("<b>x</b>"))):
        steps = decide(pairing(event(body=own)), SAME, CHANGED, under, mailbox_edit={"body": mine})
        assert found(steps, Update).after.body == own


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (plain("Agenda and more"), below("Agenda and more", "old")),
        (plain("Agenda\nold\nmore"), plain(f"Agenda\n{BEGIN}\nold\n{END}\nmore")),
        (None, plain("old")),
    ],
)
def test_a_section_whose_lines_are_gone_is_put_back_beside_what_somebody_wrote(
    edit: Body | None, expected: Body
) -> None:
    under = policy(rule_of(fields=OUTBOUND, one_way=OneWay.RESTORE))
    pair = pairing(event(body=plain("old")), event(body=below("Agenda", "old")))
    steps = decide(pair, SAME, CHANGED, under, mailbox_edit={"body": edit})
    assert found(steps, Update).after.body == expected


@pytest.mark.parametrize(
    ("stands", "text", "expected"),
    [
        (plain("ours\nmine"), plain("before"), plain("before")),
        (below("mine", "ours"), plain("before"), below("mine", "before")),
        (html("<p>mine</p>"), html("<p>before</p>"), html("<p>before</p>")),
        (INVITATION, plain("before"), with_section("before")),
    ],
)
def test_an_undo_puts_whole_texts_back_where_they_stood(
    stands: Body, text: Body, expected: Body
) -> None:
    pair = pairing(event(body=plain("ours")), event(body=stands))
    result = merge(pair, snap(event(body=text), ref="c1"), pair.groupware, policy(), undo=True)
    assert result.groupware == {"body": expected}


def test_what_accord_wrote_gives_way_as_a_whole() -> None:
    old, new = html("<b>old</b>"), {"body": html("<i>new</i>")}
    copy = pairing(event(body=old), made=GROUPWARE)
    assert found(decide(copy, CHANGED, SAME, crm_edit=new), Update).after.body == new["body"]
    assert found(decide(copy, CHANGED, GONE, crm_edit=new), Create).item.body == new["body"]
    theirs = pairing(event(body=old), made=CRM)
    assert BEGIN in found(decide(theirs, CHANGED, SAME, crm_edit=new), Update).after.body.text


def test_occurrences_keep_what_stands_in_them() -> None:
    days = [TOMORROW + timedelta(days=number) for number in range(1, 4)]

    def whole(body: Body, *overrides: tuple[datetime, Any]) -> Any:
        return series(
            body=body,
            overrides=tuple(Override(recurrence_id=day, **values) for day, values in overrides),
        )

    theirs = whole(with_section("all"), (days[0], {"body": with_section("one")}))
    ours = whole(plain("all"), (days[0], {"body": plain("one")}))
    edit = (
        Override(recurrence_id=days[0], body=plain("two"), title="Moved"),
        Override(recurrence_id=days[1], body=plain("three")),
        Override(recurrence_id=days[2], title="Other"),
    )
    steps = decide(pairing(ours, theirs), CHANGED, SAME, crm_edit={"overrides": edit})
    assert found(steps, Update).after.overrides == (
        Override(recurrence_id=days[0], body=with_section("two"), title="Moved"),
        Override(recurrence_id=days[1], body=with_section("three")),
        Override(recurrence_id=days[2], title="Other"),
    )
    bare = decide(
        pairing(ours, theirs), CHANGED, SAME,
        crm_edit={"overrides": (Override(recurrence_id=days[0], title="Moved"),)},
    )  # fmt: skip
    (one,) = found(bare, Update).after.overrides
    assert one == Override(recurrence_id=days[0], title="Moved"), "it says what the series says"
    more = (Override(recurrence_id=days[0], body=with_section("one", "<p>More</p>")),)
    both = decide(
        pairing(ours, theirs), CHANGED, CHANGED, policy(rule_of(clash=Clash.HOLD)),
        crm_edit={"overrides": edit[:1]}, mailbox_edit={"overrides": more},
    )  # fmt: skip
    assert words(both) == ["update groupware: overrides"], "no clash: both edits stand"
    (one,) = found(both, Update).after.overrides
    assert one.body == with_section("two", "<p>More</p>")
    elsewhere = (*more, Override(recurrence_id=days[1], body=with_section("theirs")))
    steps = decide(
        pairing(ours, theirs), CHANGED, CHANGED, policy(rule_of(clash=Clash.HOLD)),
        crm_edit={"overrides": edit[:1]}, mailbox_edit={"overrides": elsewhere},
    )  # fmt: skip
    assert words(steps) == ["update groupware: overrides", "update crm: overrides"]
    into = (Override(recurrence_id=days[0], body=with_section("theirs")),)
    inside = decide(pairing(ours, theirs), SAME, CHANGED, mailbox_edit={"overrides": into})
    (one,) = found(inside, Update, CRM).after.overrides
    assert one.body == plain("theirs")


def test_what_somebody_wrote_around_an_occurrences_text_stays_without_that() -> None:
    own = Override(recurrence_id=TOMORROW, body=with_section("one", "<p>More</p>"))
    ours = series(
        body=plain("all"), overrides=(Override(recurrence_id=TOMORROW, body=plain("one")),)
    )
    pair = pairing(ours, series(body=with_section("all"), overrides=(own,)))
    edit = (Override(recurrence_id=TOMORROW, title="Moved"),)
    steps = decide(pair, CHANGED, SAME, crm_edit={"overrides": edit})
    (one,) = found(steps, Update).after.overrides
    assert one.body == with_section("all", "<p>More</p>")


@pytest.mark.parametrize("fields", [{}, OUTBOUND])
def test_an_occurrence_gives_way_by_what_the_crm_had_of_it(fields: dict[str, FieldRule]) -> None:
    def whole(text: str) -> Any:
        override = Override(recurrence_id=TOMORROW, body=plain(text))
        return series(body=plain("all"), overrides=(override,))

    for theirs in ("one", *(["theirs"] if not fields else [])):
        steps = decide(
            pairing(whole("one")), CHANGED, CHANGED, policy(rule_of(fields=fields)),
            crm_edit={"overrides": whole("two").overrides},
            mailbox_edit={"overrides": whole(theirs).overrides},
        )  # fmt: skip
        assert found(steps, Update).after.overrides == whole("two").overrides


def test_items_that_say_the_same_meet_without_a_write() -> None:
    def meet(crm: Body | None, groupware: Body | None) -> tuple[Any, ...]:
        case = Case(
            crm=Seen(snap(event(body=crm), ref="c1")),
            groupware=Seen(snap(event(body=groupware), ref="g1")),
        )
        return reconcile(case, policy())

    assert words(meet(plain("old"), with_section("old"))) == ["pair"]
    assert words(meet(html("<p>old</p>"), with_section("old"))) == ["pair"]
    differing = meet(plain("ours"), with_section("theirs"))
    assert words(differing) == ["pair", "conflict body: open"]
    (change,) = found(differing, Conflict).fields
    assert (change.before, change.after) == (plain("ours"), plain("theirs"))
    assert found(meet(None, with_section("theirs")), Update, CRM).after.body == plain("theirs")
    twice = found(meet(below("x", "y"), None), Update).after.body
    assert read(twice) == below("x", "y"), "a text with markers of its own is still one text"


MARKED = below("x", "y")


def create(item: Item, kind: Kind) -> Any:
    """Return what is created in the mailbox of an item of the CRM."""
    under = policy(rule_of(kind), kind=kind)
    return found(reconcile(Case(crm=Seen(snap(item, ref="c1"))), under), Create).item


@pytest.mark.parametrize(
    ("kind", "item"),
    [
        (
            Kind.EVENT,
            series(body=MARKED, overrides=(Override(recurrence_id=TOMORROW, body=MARKED),)),
        ),
        (Kind.TASK, task(body=MARKED)),
    ],
)
def test_a_text_with_markers_of_its_own_is_one_text_in_a_new_entry(kind: Kind, item: Item) -> None:
    made = create(item, kind)
    assert (read(made.body), around(made.body)) == (MARKED, plain(""))
    assert all(each.body == made.body for each in getattr(made, "overrides", ()))


def test_what_has_no_text_is_created_without_one() -> None:
    assert create(contact(), Kind.CONTACT) == contact()


def test_the_link_that_an_entry_names_stays_in_its_text() -> None:
    link = "https://a.example/r/1"
    pair = pairing(event(body=plain(f"Here: {link}"), online_meeting=link))
    steps = decide(pair, CHANGED, SAME, crm_edit={"body": plain("new")})
    assert found(steps, Update).after.body == below(f"Here: {link}", "new")
    one = Override(recurrence_id=TOMORROW, body=plain(f"Here: {link}"))
    edit = {"overrides": (Override(recurrence_id=TOMORROW, body=plain("new")),)}
    steps = decide(
        pairing(series(overrides=(one,), online_meeting=link)), CHANGED, SAME, crm_edit=edit
    )
    (one,) = found(steps, Update).after.overrides
    assert one.body == below(f"Here: {link}", "new")


def test_a_conflict_is_over_where_the_section_says_what_the_crm_says() -> None:
    for fields in ({}, OUTBOUND):
        assert open_fields(agreed(), ["body"], policy(rule_of(fields=fields))) == ()
    unlike = pairing(event(body=plain("a")), event(body=with_section("b")))
    assert open_fields(unlike, ["body"], policy()) == ("body",)
    assert open_fields(pairing(event(body=plain("a")), event()), ["body"], policy()) == ("body",)
    cleared = pairing(event(), event(body=plain("x")))
    assert open_fields(cleared, ["body"], policy()) == ("body",)


def test_an_entry_that_comes_back_has_its_link_again() -> None:
    steps = decide(agreed(), CHANGED, GONE, crm_edit={"body": plain("new")})
    assert found(steps, Create).item.body == with_section("new")
    back = decide(agreed(), GONE, CHANGED, mailbox_edit={"body": with_section("new")})
    assert found(back, Create).item.body == plain("new")
    outside = decide(agreed(), GONE, CHANGED, mailbox_edit={"body": with_section("old", "<p>")})
    assert words(outside) == ["delete groupware"], "nothing that the CRM shares was edited"


def test_a_mapping_reads_the_section_and_what_it_makes_goes_there() -> None:
    upper = FieldRule(outbound="value.upper()", inbound="value.lower()")
    under = policy(rule_of(fields={"body": upper}))
    pair = pairing(event(body=plain("old")), event(body=with_section("OLD")))
    assert words(decide(pair, CHANGED, CHANGED, under)) == ["pair"]
    out = decide(pair, CHANGED, SAME, under, crm_edit={"body": plain("new")})
    assert found(out, Update).after.body == with_section("NEW")
    back = decide(pair, SAME, CHANGED, under, mailbox_edit={"body": with_section("NEW")})
    assert found(back, Update, CRM).after.body == plain("new")


def test_a_body_that_does_not_travel_is_left_alone() -> None:
    under = policy(rule_of(fields={"body": FieldRule(direction=Direction.NONE)}))
    pair = pairing(event(), event(body=INVITATION))
    steps = decide(pair, CHANGED, SAME, under, crm_edit={"body": plain("x"), "title": "New"})
    assert words(steps) == ["update groupware: title"]
    assert found(steps, Update).after.body == INVITATION


words_of = st.sampled_from(["", "a", "b c", "a\nb", BEGIN, END, "<p>x</p>", "&amp;", " d  e"])
texts = st.lists(words_of, max_size=3).map("\n".join)
crm_bodies = st.none() | texts.map(plain) | texts.map(html)
mailbox_bodies = crm_bodies | st.builds(
    lambda body, text: write(body, text, None), crm_bodies, crm_bodies
)
rules = st.builds(
    rule_of,
    clash=st.sampled_from(Clash),
    one_way=st.sampled_from(OneWay),
    fields=st.sampled_from([{}, OUTBOUND]),
)


@given(rules, crm_bodies, crm_bodies, mailbox_bodies, mailbox_bodies, st.booleans())
def test_the_pass_after_writes_nothing(
    rule: Any, ours: Any, our_edit: Any, theirs: Any, their_edit: Any, made: Any
) -> None:
    under = policy(rule)
    pair = pairing(event(body=ours), event(body=theirs), made=GROUPWARE if made else None)
    now = {CRM: snap(event(body=our_edit), "2", "c1")}
    now[GROUPWARE] = snap(event(body=their_edit), "2", "g1")
    for number in range(3):
        case = Case(pairing=pair, crm=Seen(now[CRM]), groupware=Seen(now[GROUPWARE]))
        steps = reconcile(case, under)
        updates = [step for step in steps if isinstance(step, Update)]
        assert number == 0 or not updates, steps
        done = {}
        for step in updates:
            now[step.side] = snap(step.after, f"3{step.side}", now[step.side].ref)
            done[step.side] = (step, now[step.side])
        pair = settle(pair, now[CRM], now[GROUPWARE], done, frozenset())
        contested = [s.contested for s in steps if isinstance(s, Pair | Update)]
        pair = type(pair)(**{
            **{name: getattr(pair, name) for name in pair.__struct_fields__},
            "contested": contested[0] if contested else pair.contested,
        })  # fmt: skip


@given(rules, crm_bodies, crm_bodies, st.sampled_from(["{}", "Join: <{}>", "{}\nmore"]), texts)
def test_no_edit_in_the_crm_takes_the_link_to_a_meeting_away(
    rule: Any, ours: Any, edit: Any, form: str, more: str
) -> None:
    for theirs in (plain(f"{form.format(LINK)}\n{more}"), html(f'<a href="{LINK}">x</a>{more}')):
        for known in (ours, theirs):
            pair = pairing(event(body=known), event(body=theirs))
            for step in decide(pair, CHANGED, SAME, policy(rule), crm_edit={"body": edit}):
                if isinstance(step, Update) and step.side is GROUPWARE:
                    assert LINK in join_links(patched(step))
