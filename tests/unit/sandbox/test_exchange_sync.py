"""SyncFolderItems of the stand-in Exchange: every change once, whatever happens between pages."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from lxml import etree

from tests.unit.sandbox.ews import BOB, Answer, Desk, event, set_field


def kinds(answer: Answer) -> list[str]:
    return [etree.QName(each).localname for each in answer.one("m:Changes")]


def state(answer: Answer) -> str:
    return answer.text("m:SyncState")


def test_each_change_comes_once(desk: Desk) -> None:
    first = desk.create(event("A")).ids[0]
    second = desk.create(event("B")).ids[0]
    answer = desk.sync("calendar")
    assert kinds(answer) == ["Create", "Create"]
    assert [each.text for each in answer.all("t:Subject")] == ["A", "B"]
    assert answer.text("m:IncludesLastItemInRange") == "true"
    again = desk.sync("calendar", state(answer))
    assert kinds(again) == []
    desk.update(first, set_field("item:Subject", "CalendarItem", "<t:Subject>A2</t:Subject>"))
    desk.delete(second)
    desk.create(event("C"))
    third = desk.sync("calendar", state(again))
    assert sorted(kinds(third)) == ["Create", "Delete", "Update"]
    assert sorted(each.text or "" for each in third.all("t:Subject")) == ["A2", "C"]
    # A client that crashed asks with its old state and misses nothing.
    assert sorted(kinds(desk.sync("calendar", state(again)))) == ["Create", "Delete", "Update"]
    assert kinds(desk.sync("calendar", state(third))) == []


def test_what_came_and_went_meanwhile_is_not_mentioned(desk: Desk) -> None:
    before = state(desk.sync("calendar"))
    desk.delete(desk.create(event()).ids[0], "HardDelete")
    assert kinds(desk.sync("calendar", before)) == []


def test_a_read_mark_is_a_change_of_its_own(desk: Desk) -> None:
    item = desk.create("<t:Message><t:Subject>x</t:Subject></t:Message>").ids[0]
    before = state(desk.sync("drafts"))
    mark = set_field("message:IsRead", "Message", "<t:IsRead>{}</t:IsRead>")
    item = desk.update(item, mark.format("false")).ids[0]
    answer = desk.sync("drafts", before)
    assert kinds(answer) == ["ReadFlagChange"]
    assert answer.text("t:ReadFlagChange/t:IsRead") == "false"
    subject = set_field("item:Subject", "Message", "<t:Subject>y</t:Subject>")
    desk.update(item, subject + mark.format("true"))
    assert kinds(desk.sync("drafts", state(answer))) == ["Update"]


def test_ignored_items_are_left_out(desk: Desk) -> None:
    item = desk.create(event("A")).ids[0]
    desk.create(event("B"))
    answer = desk.ask(
        "<m:SyncFolderItems><m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape>"
        '<m:SyncFolderId><t:DistinguishedFolderId Id="calendar"/></m:SyncFolderId>'
        f"<m:Ignore>{item}</m:Ignore><m:MaxChangesReturned>5</m:MaxChangesReturned>"
        "</m:SyncFolderItems>"
    )
    assert [each.text for each in answer.all("t:Subject")] == ["B"]


@pytest.mark.parametrize("bad", ["x", "QUJD", "foreign", "cut"])
def test_a_state_of_elsewhere_is_refused(desk: Desk, bad: str) -> None:
    good = state(desk.sync("calendar"))
    texts = {"foreign": state(desk.sync("tasks")), "cut": good[:-4]}
    answer = desk.sync("calendar", texts.get(bad, bad))
    assert answer.code == "ErrorInvalidSyncStateData"
    theirs = state(desk.sync("calendar", user=BOB))
    assert desk.sync("calendar", theirs).code == "ErrorInvalidSyncStateData"
    assert desk.sync("calendar", good).code == "NoError"


def test_what_changes_between_the_pages_of_a_round_comes_in_it(desk: Desk) -> None:
    first, second, _ = (desk.create(event(name)).ids[0] for name in "ABC")
    answer = desk.sync("calendar", most=1)
    for item in (first, second):
        change = set_field("item:Subject", "CalendarItem", "<t:Subject>New</t:Subject>")
        desk.update(item, change)
    found = []
    for _ in range(3):
        answer = desk.sync("calendar", state(answer), most=1)
        kind, subject = kinds(answer)[0], answer.text("t:Subject")
        found.append((kind, subject))
    # Told already and changed since; changed before it was told; told once again at most.
    assert found[:2] == [("Create", "New"), ("Create", "C")]
    assert found[2] == ("Update", "New")
    ids = {each.partition("ChangeKey")[0] for each in answer.ids}
    assert ids == {first.partition("ChangeKey")[0]}


def test_a_server_starts_again_with_all_it_had(tmp_path: Path) -> None:
    first = Desk(lambda _: None, path=tmp_path / "exchange.db")
    first.create(event("A"))
    cursor = state(first.sync("calendar"))
    first.exchange.close()
    again = Desk(lambda _: None, path=tmp_path / "exchange.db")
    assert kinds(again.sync("calendar", cursor)) == []
    again.create(event("B"))
    assert again.sync("calendar", cursor).text("t:Subject") == "B"
    again.exchange.close()


@pytest.mark.parametrize("seed", range(6))
def test_paging_clients_end_with_what_is_there(desk: Desk, seed: int) -> None:
    """Whatever happens between the pages: nothing is missed, and nothing created twice."""
    chance = random.Random(seed)
    here: dict[str, str] = {}
    seen: dict[str, str] = {}
    cursor = ""

    def act() -> None:
        match chance.randrange(4):
            case 0 | 1:
                name = f"N{len(here)}-{chance.random()}"
                here[desk.create(event(name)).one("t:ItemId").get("Id") or ""] = name
            case 2 if here:
                item = chance.choice(sorted(here))
                here[item] = f"U{chance.random()}"
                text = f"<t:Subject>{here[item]}</t:Subject>"
                change = set_field("item:Subject", "CalendarItem", text)
                assert desk.update(f'<t:ItemId Id="{item}"/>', change, "AlwaysOverwrite").code == (
                    "NoError"
                )
            case 3 if here:
                item = chance.choice(sorted(here))
                del here[item]
                desk.delete(f'<t:ItemId Id="{item}"/>', "HardDelete")

    def page() -> bool:
        nonlocal cursor
        answer = desk.sync("calendar", cursor, most=chance.randint(1, 4))
        cursor = state(answer)
        for change in answer.one("m:Changes"):
            kind = etree.QName(change).localname
            named = change.find(".//{*}ItemId")
            assert named is not None
            item, subject = named.get("Id") or "", change.findtext(".//{*}Subject") or ""
            if kind == "Delete":
                assert item not in here
                seen.pop(item, None)
                continue
            assert (item in seen) == (kind != "Create"), (kind, subject)
            seen[item] = subject
        return answer.text("m:IncludesLastItemInRange") == "true"

    for _ in range(10):
        act()
    for _ in range(25):
        for _ in range(chance.randrange(4)):
            act()
        page()
    while not page():
        pass
    assert seen == here
    assert page()
    assert seen == here


def test_the_cost_follows_the_changes(desk: Desk) -> None:
    """A client that is up to date is answered from the index, however full the folder is."""
    desk.create("".join(event(f"E{number}") for number in range(300)))
    before = state(desk.sync("calendar", most=512))
    read: list[str] = []
    items = desk.exchange.store.items

    def counting(where: str, *values: object) -> list:
        found = items(where, *values)
        read.extend(str(each.id) for each in found)
        return found

    desk.exchange.store.items = counting  # type: ignore[method-assign]
    desk.create(event("New"))
    assert kinds(desk.sync("calendar", before)) == ["Create"]
    assert len(read) <= 2
    plan = desk.exchange.store.rows(
        "EXPLAIN QUERY PLAN SELECT id FROM item WHERE folder = 1 AND updated > 5 AND created <= 5"
        " AND (created <= 2 OR updated > 3) ORDER BY updated LIMIT 5"
    )
    assert [str(row[3]) for row in plan] == [
        "SEARCH item USING INDEX item_updated (folder=? AND updated>?)"
    ]
