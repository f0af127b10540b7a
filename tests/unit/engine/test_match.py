"""Matching before creating: marker, uid, natural key; what is ambiguous is listed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from accord.engine.match import Matches, match
from accord.model.item import Item
from accord.model.observe import Snapshot
from tests.unit.engine.kit import TOMORROW, absence, contact, event, series, snap


def one(ref: str, item: Item, **values: Any) -> Snapshot:
    return snap(item, ref=ref, **values)


def matched(crm: list[Snapshot], mailbox: list[Snapshot]) -> Matches:
    return match(crm, mailbox, lambda snapshot: f"crm/event/{snapshot.ref}")


def refs(found: Matches) -> dict[str, Any]:
    return {
        "pairs": [(c.ref, g.ref) for c, g in found.pairs],
        "crm": [s.ref for s in found.crm],
        "groupware": [s.ref for s in found.groupware],
        "ambiguous": [
            ([s.ref for s in a.crm], [s.ref for s in a.groupware]) for a in found.ambiguous
        ],
    }


def expected(**values: Any) -> dict[str, Any]:
    return {"pairs": [], "crm": [], "groupware": [], "ambiguous": [], **values}


def test_the_marker_comes_first() -> None:
    found = matched(
        [one("c1", event("A", uid="u1")), one("c2", event("B", uid="u2"))],
        [
            one("g1", event("A", uid="u1"), marker="crm/event/c2"),
            one("g2", event("B", uid="u2"), marker="crm/event/c1"),
        ],
    )
    assert refs(found) == expected(pairs=[("c1", "g2"), ("c2", "g1")])


def test_what_another_connector_left_comes_after_our_marker_and_before_the_uid() -> None:
    found = matched(
        [one("c1", event("A", uid="u1")), one("c2", event("B")), one("c3", event("C", uid="u3"))],
        [
            one("g1", event("A", uid="u3"), foreign="c1"),
            one("g2", event("B"), marker="crm/event/c2", foreign="c3"),
            one("g3", event("D"), foreign="from another CRM"),
        ],
    )
    assert refs(found) == expected(pairs=[("c2", "g2"), ("c1", "g1")], crm=["c3"], groupware=["g3"])


def test_a_copied_mark_of_another_connector_is_listed() -> None:
    found = matched(
        [one("c1", event("A"))],
        [one("g1", event("B"), foreign="c1"), one("g2", event("C"), foreign="c1")],
    )
    assert refs(found) == expected(ambiguous=[(["c1"], ["g1", "g2"])])


def test_the_uid_comes_before_title_and_time() -> None:
    found = matched(
        [one("c1", event("A", uid="u1"))],
        [one("g1", event("A", uid="other")), one("g2", event("Renamed", uid="u1"))],
    )
    assert refs(found) == expected(pairs=[("c1", "g2")], groupware=["g1"])


@pytest.mark.parametrize(
    ("crm", "mailbox", "same"),
    [
        (event(" Review", uid="1"), event("review ", uid="2"), True),
        (event("", uid="1"), event("", uid="2"), False),
        (event(uid="1"), event(start=TOMORROW + timedelta(minutes=1), uid="2"), False),
        (event(uid="1"), event(end=TOMORROW + timedelta(hours=2), uid="2"), False),
        (event(uid="1"), event(time_zone="Europe/Paris", uid="2"), False),
        (event(uid="1"), series(uid="2"), False),
        (series(uid="1"), series(uid="2"), True),
    ],
)
def test_entries_are_the_same_by_title_and_time(crm: Item, mailbox: Item, same: bool) -> None:
    found = matched([one("c1", crm)], [one("g1", mailbox)])
    alone = expected(crm=["c1"], groupware=["g1"])
    assert refs(found) == (expected(pairs=[("c1", "g1")]) if same else alone)


def test_tasks_are_the_same_by_title_and_due_date() -> None:
    def to_do(name: str, **values: Any) -> Item:
        from accord.model.item import Task

        return Task(title="Call", uid=name, **values)

    due = {"due": TOMORROW}
    assert matched([one("c1", to_do("1", **due))], [one("g1", to_do("2", **due))]).pairs
    assert not matched([one("c1", to_do("1"))], [one("g1", to_do("2"))]).pairs
    other = to_do("2", due=TOMORROW + timedelta(days=1))
    assert not matched([one("c1", to_do("1", **due))], [one("g1", other)]).pairs


def test_absences_are_the_same_by_their_time() -> None:
    from msgspec.structs import replace

    away, same = replace(absence("Ski"), uid="1"), replace(absence("Snow"), uid="2")
    assert matched([one("c1", away)], [one("g1", same)]).pairs


def test_contacts_have_no_natural_key() -> None:
    from msgspec.structs import replace

    ada, twin = replace(contact(), uid="1"), replace(contact(), uid="2")
    assert refs(matched([one("c1", ada)], [one("g1", twin)])) == expected(
        crm=["c1"], groupware=["g1"]
    )
    assert matched([one("c1", ada)], [one("g1", twin, marker="crm/event/c1")]).pairs


def test_what_is_ambiguous_is_listed_and_left_alone() -> None:
    found = matched(
        [one("c1", event(uid="1")), one("c2", event(uid="2"))], [one("g1", event(uid="3"))]
    )
    assert refs(found) == expected(ambiguous=[(["c1", "c2"], ["g1"])])
    assert "2 in the CRM and 1 in the mailbox share title and time" in found.ambiguous[0].why


def test_one_uid_twice_is_ambiguous_too() -> None:
    found = matched(
        [one("c1", event("A", uid="1"))],
        [one("g1", event("B", uid="1")), one("g2", event("C", uid="1"))],
    )
    assert refs(found) == expected(ambiguous=[(["c1"], ["g1", "g2"])])
    assert "1 in the CRM and 2 in the mailbox share uid" in found.ambiguous[0].why


def test_alike_on_one_side_only_is_no_question() -> None:
    found = matched([one("c1", event(uid="1")), one("c2", event(uid="2"))], [])
    assert refs(found) == expected(crm=["c1", "c2"])


def test_what_has_no_match_keeps_no_other_from_its_own() -> None:
    found = matched(
        [one("c1", event("A", uid="1")), one("c2", event("B", uid="2"))],
        [one("g1", event("C", uid="2")), one("g2", event("D", uid="3"))],
    )
    assert refs(found) == expected(pairs=[("c2", "g1")], crm=["c1"], groupware=["g2"])


def test_of_duplicates_the_one_with_the_uid_is_ours() -> None:
    found = matched(
        [one("c1", event(uid="u1"))],
        [
            one("g1", event(uid="copy"), marker="crm/event/c1"),
            one("g2", event(uid="u1"), marker="crm/event/c1"),
        ],
    )
    assert ("c1", "g2") in refs(found)["pairs"]
    assert refs(found)["groupware"] == ["g1"], "the person's own copy is a new item"


def test_of_duplicates_without_the_uid_the_oldest_is_ours() -> None:
    found = matched(
        [one("c1", event(uid="u1"))],
        [
            one("g2", event(uid="x"), marker="crm/event/c1"),
            one("g1", event(uid="y"), marker="crm/event/c1"),
        ],
    )
    assert refs(found)["pairs"] == [("c1", "g1")]
    assert refs(found)["groupware"] == ["g2"]


def test_empty_keys_bring_nothing_together() -> None:
    found = matched([one("c1", event("A", uid=""))], [one("g1", event("B", uid=""), marker="")])
    assert refs(found) == expected(crm=["c1"], groupware=["g1"])
