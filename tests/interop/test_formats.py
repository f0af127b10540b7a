"""Other ways to say the same: legacy formats, WBXML, older versions, large items."""

from __future__ import annotations

import random

import pytest

from tests.interop.lab import Lab, fine, record, text

pytestmark = pytest.mark.waits

SIZE = 60_000  # bytes of a large text
SMALL = "20000"  # bytes of a message
WBXML_12 = bytes.fromhex("02a4016a")
NAMES = {"addressbook": "Åsa Öberg", "calendar": "Vårfest 春", "todo": "Köp smör; och ägg"}


def test_a_phone_that_only_knows_the_old_formats(lab: Lab) -> None:
    phone = lab.device("phone", legacy=True)
    for store, name in NAMES.items():
        lab.give(store, name)
        phone.write(store, "1", text(store, "From Phone"))
    fine(phone.sync(mode="slow"))
    for store, name in NAMES.items():
        assert phone.titles(store) == sorted(["From Phone", name])
        assert lab.titles(store) == sorted(["From Phone", name])
        phone.rename(store, "From Phone", "Phone Renamed")
    fine(phone.sync())
    for store, name in NAMES.items():
        assert lab.titles(store) == sorted(["Phone Renamed", name])
    heard = b"".join(lab.proxy.posts + [reply.body for _, reply in lab.proxy.answers])
    assert b"VERSION:2.1" in heard
    assert b"VERSION:1.0" in heard
    assert b"VERSION:3.0" not in heard
    assert b"VERSION:2.0" not in heard


def test_a_series_survives_the_old_formats(lab: Lab) -> None:
    rule = {"frequency": "weekly", "count": 5}
    lab.put(record("calendar", "Weekly", rule=rule))
    phone = lab.device("phone", legacy=True)
    fine(phone.sync("calendar", mode="slow"))
    (entry,) = phone.items("calendar").values()
    assert "RRULE:FREQ=WEEKLY" in entry
    phone.rewrite("calendar", "SUMMARY:Weekly", "SUMMARY:Every Week")
    fine(phone.sync("calendar"))
    (event,) = lab.records("calendar")
    assert event["title"] == "Every Week"
    assert event["rule"] == rule
    assert event["time_zone"] == "Europe/Berlin"


@pytest.mark.parametrize("legacy", [False, True])
def test_changed_occurrences_of_a_series_arrive_and_come_back(legacy: bool, lab: Lab) -> None:
    """Of several entries in one item the client makes a single one, so each goes by itself."""
    rule = {"frequency": "weekly", "count": 5}
    moved = {
        "recurrence_id": "2031-03-10T10:00:00",
        "start": "2031-03-11T14:00:00",
        "end": "2031-03-11T15:00:00",
    }
    lab.put(record("calendar", "Weekly", rule=rule, overrides=[{**moved, "title": "Moved"}]))
    phone = lab.device("phone", legacy=legacy)
    fine(phone.sync("calendar", mode="slow"))
    assert phone.titles("calendar") == ["Moved", "Weekly"]
    phone.rename("calendar", "Moved", "Moved Again")
    fine(phone.sync("calendar"))
    (event,) = lab.records("calendar")
    assert (event["title"], event["rule"]) == ("Weekly", rule)
    assert event["overrides"] == [{**moved, "title": "Moved Again"}]
    fine(phone.sync("calendar", mode="slow"))
    phone.delete("calendar", "Moved Again")
    fine(phone.sync("calendar"))
    assert phone.titles("calendar") == ["Weekly"]
    (event,) = lab.records("calendar")
    assert "overrides" not in event
    assert event["exdates"] == ["2031-03-10T10:00:00"]


def test_wbxml_both_ways(lab: Lab) -> None:
    phone = lab.device("phone", enableWBXML="1")
    for store, name in NAMES.items():
        lab.give(store, name)
        phone.write(store, "1", text(store, "From Phone"))
    fine(phone.sync(mode="slow"))
    for store, name in NAMES.items():
        assert lab.titles(store) == sorted(["From Phone", name])
        phone.rename(store, "From Phone", "Phone Renamed")
    fine(phone.sync())
    for store, name in NAMES.items():
        assert phone.titles(store) == sorted(["Phone Renamed", name])
        assert lab.titles(store) == sorted(["Phone Renamed", name])
    for request, reply in lab.proxy.answers:
        assert request.body.startswith(WBXML_12)
        assert reply.body.startswith(WBXML_12)
        types = [value for name, value in reply.headers if name.lower() == "content-type"]
        assert types[0].startswith("application/vnd.syncml+wbxml")


@pytest.mark.parametrize("wbxml", ["0", "1"])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_older_versions(version: str, wbxml: str, lab: Lab) -> None:
    phone = lab.device("phone", SyncMLVersion=version, enableWBXML=wbxml, loglevel="4")
    for store, name in NAMES.items():
        lab.give(store, name)
        phone.write(store, "1", text(store, "From Phone"))
    outcome = fine(phone.sync(mode="slow"))
    for store, name in NAMES.items():
        assert lab.titles(store) == sorted(["From Phone", name])
        phone.rename(store, "From Phone", "Phone Renamed")
    outcome = fine(phone.sync())
    for store, name in NAMES.items():
        assert lab.titles(store) == sorted(["Phone Renamed", name])
        assert outcome.stores[store].mode == "two-way"
    said = {message.findtext(".//{*}VerProto") for message in outcome.sent + outcome.received}
    assert said == {f"SyncML/{version}"}


@pytest.mark.parametrize("wbxml", ["0", "1"])
def test_large_items_travel_in_pieces_both_ways(wbxml: str, lab: Lab) -> None:
    here, there = _prose(1), _prose(2)
    phone = lab.device("phone", enableWBXML=wbxml)
    for store, name in (("addressbook", "NOTE"), ("calendar", "DESCRIPTION")):
        lab.give(store, "From Crm", note=there)
        phone.write(store, "1", text(store, "From Phone", f"{name}:{here}"))
    outcome = fine(phone.sync(mode="slow", maxMsgSize=SMALL, loglevel="4"))
    for store in ("addressbook", "calendar"):
        assert phone.notes(store) == lab.notes(store) == sorted([here, there])
    for messages in (outcome.sent, outcome.received):
        assert any(message.find(".//{*}MoreData") is not None for message in messages)
    assert max(len(reply.body) for _, reply in lab.proxy.answers) <= int(SMALL)
    if wbxml == "0":
        assert any(_is_broken(post) for post in lab.proxy.posts), "no part ended in a character"
    fine(phone.sync(maxMsgSize=SMALL))


def test_many_items_in_many_small_messages(lab: Lab) -> None:
    phone = lab.device("phone")
    for n in range(120):
        phone.write("addressbook", str(n), text("addressbook", f"Phone {n}"))
    lab.give("addressbook", *(f"Crm {n}" for n in range(80)))
    fine(phone.sync("addressbook", mode="slow", maxMsgSize="10000"))
    assert len(lab.proxy.posts) > 6
    assert len(lab.titles("addressbook")) == 200
    assert phone.titles("addressbook") == lab.titles("addressbook")


def test_what_a_phone_can_not_say_stays_in_the_crm(lab: Lab) -> None:
    more = {"extras": {"crm:region": "north"}, "categories": ["VIP"], "department": "Sales"}
    lab.put(record("addressbook", "Ada Lovelace", **more))
    lab.put(record("calendar", "Meeting", extras={"crm:project": "P1"}))
    phone = lab.device("phone", legacy=True)
    fine(phone.sync(mode="slow"))
    phone.rewrite("addressbook", "FN:Ada Lovelace", "FN:Ada King")
    phone.rewrite("calendar", "SUMMARY:Meeting", "SUMMARY:Summit")
    fine(phone.sync())
    (contact,) = lab.records("addressbook")
    assert contact["full_name"] == "Ada King"
    assert {name: contact[name] for name in more} == more
    (event,) = lab.records("calendar")
    assert (event["title"], event["extras"]) == ("Summit", {"crm:project": "P1"})


def _is_broken(post: bytes) -> bool:
    try:
        post.decode()
    except UnicodeDecodeError:
        return True
    return False


def _prose(seed: int) -> str:
    """Return a text of about SIZE bytes in which no two pieces are alike."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcåäöéüßдж€春夏秋冬", k=9)) for _ in range(3500)]
    prose = " ".join(words).encode()[:SIZE].decode(errors="ignore")
    return prose.rsplit(" ", 1)[0]
