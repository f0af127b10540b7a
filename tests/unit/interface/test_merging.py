"""An item that was changed on a device and in the CRM: other fields merge, the same ones clash."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from accord.interface.server.settings import InterfaceSettings
from accord.model.canonical import decode
from accord.model.item import Contact, Event, Item, Mailto
from accord.model.item import Phone as Number
from accord.model.kinds import Kind
from accord.model.recurrence import Frequency, Override, RecurrenceRule
from accord.state.device_items import Shelf
from tests.unit.interface.phone import CALENDAR, Phone, give_password
from tests.unit.interface.world import World, make_world

ADA = Contact(
    full_name="Ada Lovelace",
    given="Ada",
    family="Lovelace",
    organization="Engines",
    notes="Old",
    mails=(Mailto(address="ada@example.com", type="work"),),
)
DAY = timedelta(days=1)
MONDAY = datetime(2026, 12, 7, 9)
DAILY = Event(
    uid="daily",
    title="Daily",
    start=MONDAY,
    end=MONDAY + timedelta(hours=1),
    time_zone="Europe/Berlin",
    rule=RecurrenceRule(frequency=Frequency.DAILY),
    overrides=(Override(recurrence_id=MONDAY + DAY, title="Other"),),
)


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as world:
        yield world


def synced(world: World, item: Item = ADA, **options: Any) -> tuple[Phone, str, str]:
    """Return a phone that has an item, our ref of it and the phone's name for it."""
    ref = world.add(item)
    if isinstance(item, Event):
        options |= {"store": "calendar", "media_type": CALENDAR}
    phone = world.phone(**options)
    phone.sync()
    luid = min(phone.items)
    return phone, ref, luid


def rewrite(phone: Phone, luid: str, *changes: tuple[str, str]) -> None:
    for old, new in changes:
        assert old in phone.items[luid], phone.items[luid]
        phone.items[luid] = phone.items[luid].replace(old, new)


def contact(world: World, ref: str) -> Contact:
    found = world.get(ref)
    assert isinstance(found, Contact)
    return found


@pytest.mark.parametrize("wins", ["server", "client", "duplicate"])
def test_changes_of_other_fields_both_arrive(world: World, wins: str) -> None:
    world.serve(conflict=wins)
    phone, ref, luid = synced(world)
    world.edit(ref, organization="Analytics")
    rewrite(phone, luid, ("NOTE:Old", "NOTE:New"))
    phone.sync()
    assert phone.codes == {luid: 207}
    both = msgspec.structs.replace(
        ADA, organization="Analytics", notes="New", uid=contact(world, ref).uid
    )
    assert contact(world, ref) == both
    assert "ORG:Analytics" in phone.items[luid]
    assert "NOTE:New" in phone.items[luid]
    assert world.notes("conflict") == []
    phone.sync()
    assert phone.codes == {}
    assert world.names() == phone.names == ["Ada Lovelace"]


def test_entries_of_a_field_merge_one_by_one(world: World) -> None:
    phone, ref, luid = synced(world)
    (mail,) = ADA.mails
    world.edit(ref, mails=(mail, Mailto(address="ada@crm.example", type="home")))
    more = "EMAIL;TYPE=HOME:ada@phone.example\r\nEND:VCARD"
    rewrite(phone, luid, ("END:VCARD", more))
    phone.sync()
    assert phone.codes == {luid: 207}
    addresses = {"ada@example.com", "ada@crm.example", "ada@phone.example"}
    assert {mail.address for mail in contact(world, ref).mails} == addresses
    assert all(address in phone.items[luid] for address in addresses)


def test_what_both_changed_goes_to_the_crm_and_the_rest_merges(world: World) -> None:
    phone, ref, luid = synced(world)
    world.edit(ref, organization="Of the CRM")
    rewrite(phone, luid, ("NOTE:Old", "NOTE:New"), ("ORG:Engines", "ORG:Of the phone"))
    phone.sync()
    assert phone.codes == {luid: 207}
    assert (contact(world, ref).organization, contact(world, ref).notes) == ("Of the CRM", "New")
    assert "ORG:Of the CRM" in phone.items[luid]
    assert "NOTE:New" in phone.items[luid]
    (note,) = world.notes("conflict")
    assert note.why == "changed on both sides: organization; the CRM won"
    assert b"Of the phone" in (note.item or b"")


def test_what_both_changed_goes_to_the_device_where_that_is_wished(world: World) -> None:
    world.serve(conflict="client")
    phone, ref, luid = synced(world)
    world.edit(ref, organization="Of the CRM", job_title="Countess")
    rewrite(phone, luid, ("ORG:Engines", "ORG:Of the phone"))
    phone.sync()
    assert phone.codes == {luid: 208}
    now = contact(world, ref)
    assert (now.organization, now.job_title) == ("Of the phone", "Countess")
    assert "TITLE:Countess" in phone.items[luid]
    (note,) = world.notes("conflict")
    assert note.why == "changed on both sides: organization; the device won"
    assert b"Of the CRM" in (note.item or b"")


def test_the_same_change_on_both_sides_is_none(world: World) -> None:
    phone, ref, luid = synced(world)
    world.edit(ref, notes="New")
    rewrite(phone, luid, ("NOTE:Old", "NOTE:New"))
    phone.sync()
    assert phone.codes == {luid: 200}
    assert world.notes("conflict") == []
    phone.sync()
    assert phone.codes == {}


def test_a_store_may_have_a_winner_of_its_own(world: World) -> None:
    world.serve(conflict="duplicate", conflicts={"addressbook": "client", "todo": "server"})
    phone, ref, luid = synced(world)
    world.edit(ref, notes="Of the CRM")
    rewrite(phone, luid, ("NOTE:Old", "NOTE:Of the phone"))
    phone.sync()
    assert phone.codes == {luid: 208}
    settings = world.server._house.settings
    assert [settings.wins(name) for name in ("addressbook", "todo", "calendar")] == [
        "client",
        "server",
        "duplicate",
    ]


def test_a_store_that_is_none_has_no_winner() -> None:
    with pytest.raises(msgspec.ValidationError, match="Invalid enum value 'contacts'"):
        msgspec.convert({"conflicts": {"contacts": "client"}}, InterfaceSettings)


def test_what_a_device_has_not_got_yet_it_did_not_change(world: World) -> None:
    """Between the merge and the day on which the device gets what it lacks, it changes more."""
    phone, ref, luid = synced(world)
    world.edit(ref, organization="Analytics", job_title="Countess")
    rewrite(phone, luid, ("NOTE:Old", "NOTE:New"))
    phone.sync(202)
    assert "ORG:Engines" in phone.items[luid]
    rewrite(phone, luid, ("NOTE:New", "NOTE:Newer"))
    phone.sync(202)
    now = contact(world, ref)
    assert (now.organization, now.job_title, now.notes) == ("Analytics", "Countess", "Newer")
    phone.sync()
    assert "ORG:Analytics" in phone.items[luid]
    assert "TITLE:Countess" in phone.items[luid]
    assert "NOTE:Newer" in phone.items[luid]
    assert world.notes("conflict") == []


def test_a_clash_is_the_same_one_until_the_device_has_the_answer(world: World) -> None:
    phone, ref, luid = synced(world)
    world.edit(ref, organization="Of the CRM")
    rewrite(phone, luid, ("ORG:Engines", "ORG:Of the phone"))
    phone.sync(202)
    assert phone.codes == {luid: 419}
    rewrite(phone, luid, ("NOTE:Old", "NOTE:New"))
    phone.sync()
    assert phone.codes == {luid: 207}
    assert (contact(world, ref).organization, contact(world, ref).notes) == ("Of the CRM", "New")
    assert "ORG:Of the CRM" in phone.items[luid]


def test_what_the_device_refuses_is_no_change_of_its_own(world: World) -> None:
    phone, ref, luid = synced(world)
    world.edit(ref, organization="Analytics")
    phone.begin()
    reply = phone.send_changes(200)
    phone.take_changes(reply, lambda _: 420)
    phone.post(*phone.statuses)
    phone.last, phone.before = phone.following, dict(phone.items)
    world.edit(ref, job_title="Countess")
    rewrite(phone, luid, ("NOTE:Old", "NOTE:New"))
    phone.sync()
    now = contact(world, ref)
    assert (now.organization, now.job_title, now.notes) == ("Analytics", "Countess", "New")
    assert world.notes("conflict") == []


def test_a_large_item_that_went_in_parts_merges_as_others_do(world: World) -> None:
    phone, ref, luid = synced(
        world, msgspec.structs.replace(ADA, notes="word " * 4_000), max_message=9_000
    )
    world.edit(ref, organization="Analytics")
    rewrite(phone, luid, ("FN:Ada Lovelace", "NICKNAME:Ada\r\nFN:Ada Lovelace"))
    phone.sync()
    now = contact(world, ref)
    assert (now.organization, now.nickname) == ("Analytics", "Ada")
    assert world.notes("conflict") == []


def test_without_what_they_agreed_about_the_whole_item_clashes(world: World) -> None:
    phone, ref, luid = synced(world)
    with world.state.begin() as tx:
        rows = tx.device_items.by_ref(Shelf(phone.user, phone.device, phone.store), [ref])
        assert tx.blobs.erase([rows[ref].base]) == 1
    world.edit(ref, organization="Analytics")
    rewrite(phone, luid, ("NOTE:Old", "NOTE:New"))
    phone.sync()
    assert phone.codes == {luid: 419}
    assert contact(world, ref).notes == "Old"
    (note,) = world.notes("conflict")
    assert b"New" in (note.item or b"")
    world.edit(ref, job_title="Countess")
    rewrite(phone, luid, ("NOTE:Old", "NOTE:Newer"))
    phone.sync()
    assert contact(world, ref).notes == "Newer"


def test_what_both_agree_about_outlasts_tidying_up(world: World) -> None:
    phone, ref, luid = synced(world)
    world.clock.wait(3 * 86_400)
    world.state.run(lambda tx: tx.blobs.collect())
    give_password(world.server, "anna")
    world.edit(ref, organization="Analytics")
    rewrite(phone, luid, ("NOTE:Old", "NOTE:New"))
    phone.sync()
    assert contact(world, ref).notes == "New"


def test_a_device_that_made_an_item_merges_as_well(world: World) -> None:
    phone = world.phone()
    phone.items["1"] = (
        "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada\r\nN:;Ada;;;\r\nNOTE:Old\r\nEND:VCARD\r\n"
    )
    phone.sync()
    with world.crm.open("anna") as session:
        pages = list(session.changes("", Kind.CONTACT, "", lambda _: {}))
    (found,) = [one.ref for page in pages for one in page.observations]
    world.edit(found, organization="Analytics")
    rewrite(phone, "1", ("NOTE:Old", "NOTE:New"))
    phone.sync()
    assert (contact(world, found).organization, contact(world, found).notes) == ("Analytics", "New")
    # So does what it made of the answer.
    world.edit(found, phones=(Number(number="1234"),))
    rewrite(phone, "1", ("NOTE:New", "NOTE:Newer"))
    phone.sync()
    assert (contact(world, found).organization, contact(world, found).notes) == (
        "Analytics",
        "Newer",
    )
    assert world.notes("conflict") == []


def test_a_schedule_clashes_as_a_whole(world: World) -> None:
    phone, ref, luid = synced(world, DAILY)
    world.edit(ref, Kind.EVENT, end=MONDAY + timedelta(hours=2), location="Here")
    rewrite(phone, luid, ("20261207T090000", "20261207T093000"), ("SUMMARY:Daily", "SUMMARY:New"))
    phone.sync()
    now = world.get(ref, Kind.EVENT)
    assert isinstance(now, Event)
    assert (now.start, now.end) == (MONDAY, MONDAY + timedelta(hours=2))
    assert (now.title, now.location, now.overrides) == ("New", "Here", DAILY.overrides)
    (note,) = world.notes("conflict")
    assert note.why == "changed on both sides: schedule; the CRM won"
    assert isinstance(decode(note.item or b""), Event)


def test_an_answer_that_the_device_has_not_got_changes_nothing_about_what_both_had(
    world: World,
) -> None:
    phone, ref, luid = synced(world, DAILY)
    series = phone.items[luid]
    lines = series.splitlines()
    kept = (line for line in lines if not line.startswith(("RRULE", "EXDATE")))
    phone.items[luid] = "\r\n".join(kept)
    phone.sync(202)
    assert phone.codes == {luid: 419}
    world.edit(ref, Kind.EVENT, location="Here")
    phone.items[luid] = series.replace("SUMMARY:Daily", "SUMMARY:Every day")
    phone.sync()
    now = world.get(ref, Kind.EVENT)
    assert isinstance(now, Event)
    assert (now.title, now.location, now.rule) == ("Every day", "Here", DAILY.rule)
