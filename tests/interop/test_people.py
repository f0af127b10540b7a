"""Several devices of one person, several people, and many contacts."""

from __future__ import annotations

import pytest

from tests.interop.client import STORES
from tests.interop.lab import Lab, fine, text

pytestmark = pytest.mark.waits


@pytest.mark.usefixtures("own_house", "database_url")
def test_two_devices_of_one_person_converge(lab: Lab) -> None:
    phone, laptop = lab.device("phone"), lab.device("laptop")
    for store in STORES:
        lab.give(store, "Kept", "Both Change", "Phone Deletes", "Laptop Deletes", "Torn")
    fine(phone.sync(mode="slow"))
    fine(laptop.sync(mode="slow"))
    for store in STORES:
        phone.write(store, "p", text(store, "Phone New"))
        laptop.write(store, "l", text(store, "Laptop New"))
        phone.rename(store, "Both Change", "By Phone")
        laptop.rename(store, "Both Change", "By Laptop")
        phone.delete(store, "Phone Deletes")
        laptop.delete(store, "Laptop Deletes")
        phone.delete(store, "Torn")
        laptop.rename(store, "Torn", "Saved")
    for device in (phone, laptop, phone, laptop):
        fine(device.sync())
    for store in STORES:
        titles = lab.titles(store)
        assert phone.titles(store) == laptop.titles(store) == titles
        assert len({"By Phone", "By Laptop"} & set(titles)) == 1
        rest = [title for title in titles if not title.startswith("By ")]
        assert rest == ["Kept", "Laptop New", "Phone New", "Saved"]
    for device in (phone, laptop):
        for report in fine(device.sync()).stores.values():
            assert (report.mode, report.sent, report.received) == ("two-way", 0, 0)


def test_of_two_changes_the_earlier_one_in_the_crm_stands(lab: Lab) -> None:
    phone = lab.device("phone")
    for store in STORES:
        lab.give(store, "Meeting")
    fine(phone.sync(mode="slow"))
    for store in STORES:
        lab.rename(store, "Meeting", "By Crm")
        phone.rename(store, "Meeting", "By Phone")
    fine(phone.sync())
    for store in STORES:
        assert phone.titles(store) == lab.titles(store) == ["By Crm"]


def test_people_see_what_is_theirs(lab: Lab) -> None:
    lab.hire("ben")
    hers, his = lab.device("hers"), lab.device("his", "ben")
    for store in STORES:
        lab.give(store, "Of Anna")
        lab.give(store, "Of Ben", user="ben")
    for device in (hers, his):
        fine(device.sync(mode="slow"))
    for store in STORES:
        assert hers.titles(store) == ["Of Anna"]
        assert his.titles(store) == ["Of Ben"]
    fine(his.sync(mode="refresh-from-local"))
    for store in STORES:
        assert lab.titles(store) == ["Of Anna"]


@pytest.mark.slow
def test_a_thousand_contacts(lab: Lab) -> None:
    phone, laptop = lab.device("phone"), lab.device("laptop")
    names = sorted(f"Given{n} Family{n}" for n in range(1000))
    for n, name in enumerate(names):
        phone.write("addressbook", str(n), text("addressbook", name))
    outcome = fine(phone.sync("addressbook", mode="slow", RetryInterval="120"))
    assert outcome.stores["addressbook"].remote.added == 1000
    assert lab.titles("addressbook") == names
    outcome = fine(laptop.sync("addressbook", mode="slow", RetryInterval="120"))
    assert outcome.stores["addressbook"].local.added == 1000
    assert laptop.titles("addressbook") == names

    lab.proxy.clear()
    laptop.rename("addressbook", names[500], "Somebody Else")
    fine(laptop.sync("addressbook"))
    outcome = fine(phone.sync("addressbook"))
    assert outcome.stores["addressbook"].local.updated == 1
    assert "Somebody Else" in phone.titles("addressbook")
    assert lab.proxy.up + lab.proxy.down < 100_000

    lab.proxy.clear()
    outcome = fine(phone.sync("addressbook", mode="slow", RetryInterval="120"))
    assert len(phone.items("addressbook")) == len(lab.titles("addressbook")) == 1000
