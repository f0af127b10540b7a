"""Every mode of sync, played by a device made by hand, over the CRM in memory and the built-in one.

What is promised: both sides have the same afterwards, and nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accord.formats.syncml import message as m
from accord.formats.syncml.media import Media
from accord.formats.syncml.message import Item, Location, Meta
from accord.formats.syncml.version import Version
from accord.model.item import Contact, Mailto
from accord.model.kinds import Kind
from accord.model.parts import Privacy
from tests.unit.interface.phone import (
    CALENDAR,
    CARD,
    alert_of,
    card,
    codes,
    entry,
    status_for,
)
from tests.unit.interface.world import World, make_world


@pytest.fixture(params=["memory", "database"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with make_world(request.param) as world:
        yield world


def test_a_first_sync_brings_both_together_and_a_second_one_nothing(world: World) -> None:
    world.add(Contact(full_name="Grace Hopper", given="Grace", family="Hopper"))
    phone = world.phone()
    phone.items["1"] = card("Ada Lovelace", "ada@example.com")
    assert phone.sync() == 201
    assert phone.names == world.names() == ["Ada Lovelace", "Grace Hopper"]
    assert phone.sync() == 200
    assert phone.names == world.names() == ["Ada Lovelace", "Grace Hopper"]
    assert not [c for r in phone.seen[-2:] for c in r.body if isinstance(c, m.Sync) and c.commands]


def test_changes_travel_both_ways_and_to_a_second_device(world: World) -> None:
    one, two = world.phone(), world.phone("phone-2")
    one.items["1"] = card("Ada Lovelace", "ada@example.com")
    one.sync()
    two.sync()
    (luid,) = two.items
    two.items[luid] = card("Ada King", "ada@example.com")
    two.sync()
    assert two.codes == {luid: 200}
    one.sync()
    assert one.names == world.names() == ["Ada King"]
    del one.items["1"]
    one.sync()
    two.sync()
    assert one.names == two.names == world.names() == []


def test_a_field_that_phones_cannot_hold_survives_their_edits(world: World) -> None:
    item = Contact(
        full_name="Ada Lovelace",
        given="Ada",
        family="Lovelace",
        extras={"crm:region": "north"},
        mails=(Mailto(address="ada@example.com", type="work"),),
    )
    ref = world.add(item)
    phone = world.phone(media_type="text/x-vcard")
    phone.sync()
    (luid,) = phone.items
    phone.items[luid] = phone.items[luid].replace("Lovelace", "King")
    phone.sync()
    stored = world.get(ref)
    assert isinstance(stored, Contact)
    assert (stored.family, stored.extras) == ("King", {"crm:region": "north"})
    assert stored.mails == item.mails


def test_who_forgot_the_last_sync_begins_anew_and_nothing_is_there_twice(world: World) -> None:
    phone = world.phone()
    phone.items = {str(n): card(f"First{n} Last{n}", f"m{n}@example.com") for n in range(5)}
    phone.sync()
    assert phone.sync(last="something else") == 201
    assert len(phone.items) == len(world.names()) == 5
    world.forget()
    assert phone.sync() == 201
    assert len(phone.items) == len(world.names()) == 5
    assert phone.sync() == 200


def test_one_way_from_client_leaves_what_the_server_has_for_later(world: World) -> None:
    phone = world.phone()
    phone.sync()
    world.add(Contact(full_name="Grace Hopper"))
    phone.items["1"] = card("Ada Lovelace")
    assert phone.sync(202) == 202
    assert phone.names == ["Ada Lovelace"]
    assert phone.sync() == 200
    assert phone.names == world.names() == ["Ada Lovelace", "Grace Hopper"]


def test_one_way_from_a_client_with_lost_anchors_merges_and_never_wipes(world: World) -> None:
    phone = world.phone()
    phone.sync()
    world.add(Contact(full_name="Grace Hopper"))
    world.forget()
    phone.items["1"] = card("Ada Lovelace")
    assert phone.sync(202) == 203
    assert 508 in codes(phone.reply, "Alert")
    assert world.names() == ["Ada Lovelace", "Grace Hopper"]
    assert phone.sync() == 200
    assert phone.names == ["Ada Lovelace", "Grace Hopper"]


def test_a_client_that_refreshes_the_server_replaces_what_is_there(world: World) -> None:
    world.add(Contact(full_name="Grace Hopper"))
    kept = world.add(Contact(full_name="Ada Lovelace", given="Ada", family="Lovelace"))
    phone = world.phone()
    phone.items["1"] = card("Ada Lovelace", "ada@example.com")
    assert phone.sync(203) == 203
    assert world.names() == ["Ada Lovelace"]
    stored = world.get(kept)
    assert isinstance(stored, Contact)
    assert [mail.address for mail in stored.mails] == ["ada@example.com"]
    assert phone.sync() == 200


def test_a_refresh_that_breaks_off_deletes_nothing(world: World) -> None:
    world.add(Contact(full_name="Grace Hopper"))
    phone = world.phone()
    phone.items["1"] = card("Ada Lovelace")
    phone.begin(203)
    phone.post(*status_for(phone.reply), phone.sync_of(phone.changes(203)), final=False)
    assert world.names() == ["Ada Lovelace", "Grace Hopper"]


def test_one_way_from_server_takes_nothing(world: World) -> None:
    phone = world.phone()
    phone.sync()
    world.add(Contact(full_name="Grace Hopper"))
    phone.items["1"] = card("Ada Lovelace")
    assert phone.sync(204) == 204
    assert phone.names == ["Ada Lovelace", "Grace Hopper"]
    assert world.names() == ["Grace Hopper"]


def test_a_server_that_refreshes_the_client_sends_all(world: World) -> None:
    world.add(Contact(full_name="Grace Hopper"))
    phone = world.phone()
    phone.items["1"] = card("Ada Lovelace")
    assert phone.sync(205) == 205
    assert phone.names == world.names() == ["Grace Hopper"]
    assert phone.sync(204, last="wrong") == 205
    assert phone.names == ["Grace Hopper"]


def test_the_crm_wins_where_both_changed(world: World) -> None:
    phone, ref = world.phone(), world.add(Contact(full_name="Ada Lovelace"))
    phone.sync()
    (luid,) = phone.items
    world.edit(ref, full_name="Ada of the CRM")
    phone.items[luid] = card("Ada of the phone")
    phone.sync()
    assert phone.codes == {luid: 419}
    assert phone.names == world.names() == ["Ada of the CRM"]
    (note,) = world.notes("conflict")
    assert note.item is not None
    assert b"Ada of the phone" in note.item


def test_the_device_wins_where_that_is_wanted(world: World) -> None:
    world.serve(conflict="client")
    phone, ref = world.phone(), world.add(Contact(full_name="Ada Lovelace"))
    phone.sync()
    (luid,) = phone.items
    world.edit(ref, full_name="Ada of the CRM")
    phone.items[luid] = card("Ada of the phone")
    phone.sync()
    assert phone.codes == {luid: 208}
    assert phone.names == world.names() == ["Ada of the phone"]
    (note,) = world.notes("conflict")
    assert note.item is not None
    assert b"Ada of the CRM" in note.item


def test_both_are_kept_where_that_is_wanted(world: World) -> None:
    world.serve(conflict="duplicate")
    phone, ref = world.phone(), world.add(Contact(full_name="Ada Lovelace"))
    phone.sync()
    (luid,) = phone.items
    world.edit(ref, full_name="Ada of the CRM")
    phone.items[luid] = card("Ada of the phone")
    phone.sync()
    assert phone.codes == {luid: 209}
    assert phone.names == world.names() == ["Ada of the CRM", "Ada of the phone"]


def test_what_was_deleted_there_and_changed_here_comes_back(world: World) -> None:
    phone, ref = world.phone(), world.add(Contact(full_name="Ada Lovelace"))
    phone.sync()
    (luid,) = phone.items
    world.edit(ref, full_name="Ada King")
    del phone.items[luid]
    phone.sync()
    assert phone.codes == {luid: 419}
    assert phone.names == world.names() == ["Ada King"]


def test_what_was_changed_there_and_deleted_here_is_made_anew(world: World) -> None:
    phone, ref = world.phone(), world.add(Contact(full_name="Ada Lovelace"))
    phone.sync()
    (luid,) = phone.items
    world.delete(ref)
    phone.items[luid] = card("Ada King")
    phone.sync()
    assert phone.codes == {luid: 201}
    assert phone.names == world.names() == ["Ada King"]


def test_a_lost_map_costs_nothing(world: World) -> None:
    phone = world.phone()
    phone.sync()
    world.add(Contact(full_name="Grace Hopper"))
    phone.sync(lose_map=True)
    kept, phone.maps = phone.maps, {}
    # The device speaks of it before its next changes, and names the item as its own again.
    phone.begin(200)
    (luid,) = kept.values()
    again = m.Add(
        cmd_id="1",
        meta=Meta(type=CARD),
        items=(Item(source=Location(luid), data=phone.items[luid]),),
    )
    reply = phone.post(
        *status_for(phone.reply),
        phone.map_of(kept),
        phone.sync_of([again]),
    )
    assert codes(reply, "Map") == [200]
    phone.take_changes(reply)
    phone.post(*phone.statuses)
    assert phone.names == world.names() == ["Grace Hopper"]


def test_what_breaks_off_is_not_repeated(world: World) -> None:
    phone = world.phone()
    phone.sync()
    phone.items = {str(n): card(f"First{n} Last{n}") for n in range(20)}
    phone.begin(200)
    some = phone.changes(200)
    phone.post(*status_for(phone.reply), phone.sync_of(some[:10]), final=False)
    assert len(world.names()) == 10
    assert phone.sync() == 200
    assert len(world.names()) == len(phone.items) == 20
    phone.begin(200)
    phone.post(status_for(phone.reply)[0], final=False)  # suspended
    reply = phone.begin(225)
    assert codes(reply, "Alert") == [200]
    assert alert_of(reply).code == 200


def test_what_a_device_refuses_is_offered_again(world: World) -> None:
    phone = world.phone()
    phone.sync()
    world.add(Contact(full_name="Grace Hopper"))
    phone.begin(200)
    reply = phone.send_changes(200)
    phone.take_changes(reply, lambda _: 420)
    phone.post(*phone.statuses)
    phone.last = phone.following
    assert phone.names == []
    phone.sync()
    assert phone.names == ["Grace Hopper"]


@pytest.mark.parametrize("media", list(Media))
@pytest.mark.parametrize("version", list(Version))
def test_all_versions_and_codings(world: World, media: Media, version: Version) -> None:
    world.add(Contact(full_name="Zoë Müller", given="Zoë", family="Müller"))
    phone = world.phone(media=media, version=version)
    phone.items["1"] = card("Ada Lovelace", "ada@example.com")
    assert phone.sync() == 201
    assert phone.sync() == 200
    assert phone.names == world.names() == ["Ada Lovelace", "Zoë Müller"]


@pytest.mark.parametrize("old", [False, True])
def test_calendar_entries_in_the_new_form_and_the_old(world: World, old: bool) -> None:
    form = "text/x-vcalendar" if old else CALENDAR
    first = world.phone(store="calendar", media_type=CALENDAR)
    first.items["1"] = entry("u1", "Planning", 1)
    first.sync()
    second = world.phone("phone-2", store="calendar", media_type=form)
    second.sync()
    (data,) = second.items.values()
    assert ("VERSION:1.0" in data) == old
    second.items = {luid: text.replace("Planning", "Review") for luid, text in second.items.items()}
    second.sync()
    first.sync()
    assert first.names == world.names(Kind.EVENT) == ["Review"]


def test_a_new_entry_that_the_crm_has_already_is_recognized(world: World) -> None:
    one, two = (world.phone(name, store="calendar", media_type=CALENDAR) for name in ("a", "b"))
    one.sync()
    two.sync()
    one.items["1"] = two.items["7"] = entry("invitation-1", "Planning")
    one.sync()
    two.sync()
    assert world.names(Kind.EVENT) == ["Planning"]
    assert two.names == ["Planning"]


def test_large_objects_travel_in_parts(world: World) -> None:
    text = "Zwölf <b> & Ünïcode " * 3000
    note = text.strip()
    ref = world.add(Contact(full_name="Grace Hopper", notes=note))
    phone = world.phone(max_message=20_000)
    phone.items = {str(n): card(f"First{n} Last{n}") for n in range(60)}
    phone.sync()
    assert len(phone.items) == len(world.names()) == 61
    (grace,) = [data for data in phone.items.values() if "Grace" in data]
    assert len(grace.encode()) > 60_000
    phone.before[phone.luid("Grace Hopper")] = "edited"
    phone.sync()
    stored = world.get(ref)
    assert isinstance(stored, Contact)
    assert stored.notes == note


def test_a_device_takes_nothing_away_that_it_never_had(world: World) -> None:
    item = Contact(
        full_name="Grace Hopper",
        privacy=Privacy.PRIVATE,
        notes="found the first bug",
        categories=("VIP",),
        extras={"crm:region": "north"},
    )
    ref = world.add(item)
    phone = world.phone(keeps=("BEGIN", "END", "VERSION", "N", "FN", "EMAIL", "CATEGORIES"))
    phone.sync()
    # It gives back what it keeps, and adds a property of its own.
    phone.items = {luid: card("Grace Murray", **{"X-OWN": "1"}) for luid in phone.items}
    phone.sync()
    stored = world.get(ref)
    assert isinstance(stored, Contact)
    assert (stored.full_name, stored.notes) == ("Grace Murray", "found the first bug")
    assert stored.privacy is Privacy.PRIVATE
    assert stored.extras == {"crm:region": "north"}
    # What it does keep, it may take away.
    assert stored.categories == ()


def test_what_a_device_has_lost_is_offered_anew(world: World) -> None:
    phone, ref = world.phone(), world.add(Contact(full_name="Ada Lovelace"))
    phone.sync()
    world.edit(ref, full_name="Ada King")
    phone.begin(200)
    reply = phone.send_changes(200)
    phone.items, phone.before = {}, {}
    phone.take_changes(reply)
    phone.post(*phone.statuses)
    phone.last = phone.following
    phone.sync()
    assert phone.names == ["Ada King"]
