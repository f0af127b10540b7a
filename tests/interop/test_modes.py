"""Each way to synchronize, of all three stores at once, with the real client."""

from __future__ import annotations

import pytest

from tests.interop.client import STORES, Device
from tests.interop.lab import Lab, alerts, fine, text

pytestmark = pytest.mark.waits


@pytest.fixture
def phone(lab: Lab) -> Device:
    """Anna's phone, where her CRM and it agree on one thing in each store."""
    phone = lab.device("phone")
    for store in STORES:
        lab.give(store, "Old One")
    fine(phone.sync(mode="slow"))
    return phone


def test_the_first_sync_brings_together_what_both_have(lab: Lab) -> None:
    phone = lab.device("phone")
    for store in STORES:
        lab.give(store, "From Crm")
        phone.write(store, "1", text(store, "From Phone"))
    outcome = fine(phone.sync(mode="slow", loglevel="4"))
    assert alerts(outcome) == dict.fromkeys(STORES, "201")
    for store in STORES:
        both = ["From Crm", "From Phone"]
        assert lab.titles(store) == both
        assert phone.titles(store) == both
        assert outcome.stores[store].remote.added == outcome.stores[store].local.added == 1


def test_a_second_sync_without_changes_carries_nothing(lab: Lab, phone: Device) -> None:
    before = {store: phone.items(store) for store in STORES}
    outcome = fine(phone.sync(loglevel="4"))
    assert alerts(outcome) == dict.fromkeys(STORES, "200")
    for report in outcome.stores.values():
        assert (report.mode, report.sent, report.received) == ("two-way", 0, 0)
    assert {store: phone.items(store) for store in STORES} == before


def test_a_slow_sync_recognizes_what_is_there_already(lab: Lab, phone: Device) -> None:
    for store in STORES:
        phone.write(store, "mine", text(store, "New One"))
    for _ in range(2):
        fine(phone.sync(mode="slow"))
        for store in STORES:
            assert lab.titles(store) == phone.titles(store) == ["New One", "Old One"]


def test_what_was_typed_on_both_sides_is_one(lab: Lab) -> None:
    phone = lab.device("phone")
    lab.give("addressbook", "Ada Lovelace")
    phone.write("addressbook", "1", text("addressbook", "Ada Lovelace", "TEL;TYPE=CELL:+44 1"))
    fine(phone.sync(mode="slow"))
    assert lab.titles("addressbook") == phone.titles("addressbook") == ["Ada Lovelace"]


def test_two_way_carries_what_is_new_changed_and_deleted_both_ways(lab: Lab, phone: Device) -> None:
    for store in STORES:
        lab.give(store, "Crm Changes", "Crm Deletes", "Phone Changes", "Phone Deletes")
    fine(phone.sync())
    for store in STORES:
        lab.give(store, "Crm New")
        lab.rename(store, "Crm Changes", "Crm Changed")
        lab.drop(store, "Crm Deletes")
        phone.write(store, "new", text(store, "Phone New"))
        phone.rename(store, "Phone Changes", "Phone Changed")
        phone.delete(store, "Phone Deletes")
    outcome = fine(phone.sync())
    wanted = ["Crm Changed", "Crm New", "Old One", "Phone Changed", "Phone New"]
    for store in STORES:
        report = outcome.stores[store]
        assert lab.titles(store) == wanted
        assert phone.titles(store) == wanted
        for side in (report.local, report.remote):
            assert (side.added, side.updated, side.removed) == (1, 1, 1)


def test_one_way_from_the_phone_leaves_it_alone(lab: Lab, phone: Device) -> None:
    for store in STORES:
        lab.give(store, "From Crm")
        phone.write(store, "new", text(store, "From Phone"))
    outcome = fine(phone.sync(mode="one-way-from-local", loglevel="4"))
    assert alerts(outcome) == dict.fromkeys(STORES, "202")
    for store in STORES:
        assert lab.titles(store) == ["From Crm", "From Phone", "Old One"]
        assert phone.titles(store) == ["From Phone", "Old One"]
    fine(phone.sync())
    for store in STORES:
        assert phone.titles(store) == lab.titles(store) == ["From Crm", "From Phone", "Old One"]


@pytest.mark.parametrize(("real", "alert"), [("0", "200"), ("1", "204")])
def test_one_way_to_the_phone_leaves_the_crm_alone(
    real: str, alert: str, lab: Lab, phone: Device
) -> None:
    for store in STORES:
        lab.give(store, "From Crm")
        phone.write(store, "new", text(store, "From Phone"))
    outcome = fine(phone.sync(mode="one-way-from-remote", enableRefreshSync=real, loglevel="4"))
    assert alerts(outcome) == dict.fromkeys(STORES, alert)
    for store in STORES:
        assert lab.titles(store) == ["From Crm", "Old One"]
        assert phone.titles(store) == ["From Crm", "From Phone", "Old One"]


def test_refresh_from_the_phone_makes_the_crm_like_it(lab: Lab, phone: Device) -> None:
    for store in STORES:
        lab.give(store, "From Crm")
        phone.write(store, "new", text(store, "From Phone"))
    outcome = fine(phone.sync(mode="refresh-from-local", loglevel="4"))
    assert alerts(outcome) == dict.fromkeys(STORES, "203")
    for store in STORES:
        assert lab.titles(store) == phone.titles(store) == ["From Phone", "Old One"]
    assert _idle(phone)


@pytest.mark.parametrize(("real", "alert"), [("0", "201"), ("1", "205")])
def test_refresh_from_the_crm_makes_the_phone_like_it(
    real: str, alert: str, lab: Lab, phone: Device
) -> None:
    for store in STORES:
        lab.give(store, "From Crm")
        phone.write(store, "new", text(store, "From Phone"))
    outcome = fine(phone.sync(mode="refresh-from-remote", enableRefreshSync=real, loglevel="4"))
    assert alerts(outcome) == dict.fromkeys(STORES, alert)
    for store in STORES:
        assert lab.titles(store) == phone.titles(store) == ["From Crm", "Old One"]
    assert _idle(phone)


def _idle(phone: Device) -> bool:
    """Synchronize, and tell whether nothing was left to do."""
    reports = fine(phone.sync()).stores.values()
    return all(report.mode == "two-way" and not report.sent + report.received for report in reports)
