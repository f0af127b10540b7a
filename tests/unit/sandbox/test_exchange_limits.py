"""What is too much for the stand-in Exchange: things, answers, requests, subscriptions, streams."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from accord.sandbox.exchange.limits import Limits
from accord.sandbox.exchange.streaming import Pace
from accord.sandbox.process import until
from tests.fuzz.tally import RecordProperty, note
from tests.unit.sandbox.ews import ALICE, BOB, ROBOT, Desk, Refused, event
from tests.unit.sandbox.test_exchange_notices import AS, streamed, subscribe

Make = Callable[..., Desk]


@pytest.fixture
def limited(record_property: RecordProperty) -> Iterator[Make]:
    """Make an Exchange with limits; its minutes are half a second."""
    made: list[Desk] = []

    def make(**limits: int) -> Desk:
        told = Desk(
            lambda what: note(1, what, record_property),
            limits=Limits(**limits),
            pace=Pace(0.02, 0.5),
        )
        made.append(told)
        return told

    yield make
    for each in made:
        each.exchange.close()


def test_answers_have_only_so_many_items(limited: Make) -> None:
    desk = limited(found=3, synced=2, searched=1)
    for number in range(5):
        desk.create(event(f"E{number}"))
    page = desk.find("calendar")
    assert len(page.ids) == 3
    assert page.one("m:RootFolder").get("IncludesLastItemInRange") == "false"
    sought = (
        "<m:Restriction><t:Exists><t:FieldURI FieldURI='item:Subject'/></t:Exists></m:Restriction>"
    )
    assert len(desk.find("calendar", sought).ids) == 1
    wide = "<m:IndexedPageItemView MaxEntriesReturned='100' Offset='3' BasePoint='Beginning'/>"
    assert len(desk.find("calendar", wide).ids) == 2
    view = "<m:CalendarView StartDate='2026-03-01T00:00:00Z' EndDate='2026-03-09T00:00:00Z'/>"
    seen = desk.find("calendar", view)
    assert len(seen.ids) == 3
    assert seen.one("m:RootFolder").get("IncludesLastItemInRange") == "false"
    state, found = "", list[str]()
    while True:
        answer = desk.sync("calendar", state, 512)
        assert len(answer.ids) <= 2
        found += answer.ids
        state = answer.text("m:SyncState")
        if answer.text("m:IncludesLastItemInRange") == "true":
            break
    assert len(set(found)) == 5


def test_requests_name_only_so_many_things(limited: Make) -> None:
    desk = limited(things=2)
    assert desk.create(event() + event()).codes == ["NoError"] * 2
    with pytest.raises(Refused) as refused:
        desk.create(event() * 3)
    assert refused.value.code == "ErrorTooManyObjectsOpened"
    assert len(desk.find("calendar").ids) == 2


def test_a_mailbox_is_served_so_often_in_a_minute(limited: Make) -> None:
    desk = limited(per_minute=3)
    for _ in range(3):
        assert desk.find("calendar").code == "NoError"
    # Who acts for somebody spends that one's budget.
    for head in ("", AS.format(ALICE)):
        with pytest.raises(Refused) as refused:
            desk.ask(FOLDER, ROBOT if head else ALICE, head)
        assert refused.value.code == "ErrorServerBusy"
        (wait,) = refused.value.fault.iter("{*}Value")
        assert 0 < int(wait.text or 0) <= 500
    assert desk.ask(FOLDER, BOB).code == "NoError"
    pause = threading.Event()
    pause.wait(int(wait.text or 0) / 1000 + 0.05)
    assert desk.find("calendar").code == "NoError"


FOLDER = (
    "<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds>"
    '<t:DistinguishedFolderId Id="inbox"/></m:FolderIds></m:GetFolder>'
)


def test_only_so_many_requests_run_at_once(limited: Make) -> None:
    desk = limited(at_once=1)
    with desk.exchange.budgets.spend(desk.alice.id):
        with pytest.raises(Refused) as refused:
            desk.ask(FOLDER)
        assert refused.value.code == "ErrorExceededConnectionCount"
        assert desk.ask(FOLDER, BOB).code == "NoError"
    assert desk.ask(FOLDER).code == "NoError"
    with pytest.raises(Refused):
        desk.ask("<m:Dance/>", wrong=True)
    assert desk.ask(FOLDER).code == "NoError"


def test_an_account_has_only_so_many_subscriptions(limited: Make) -> None:
    desk = limited(subscriptions=3)
    codes = [subscribe(desk).code for _ in range(4)]
    assert codes == ["NoError"] * 3 + ["ErrorExceededSubscriptionCount"]
    assert subscribe(desk, user=BOB).code == "NoError"
    desk.now += timedelta(minutes=21)
    assert subscribe(desk).code == "NoError"


def test_an_account_listens_on_only_so_many_connections(limited: Make) -> None:
    desk = limited(streams=1)
    first, second = (
        subscribe(desk, way="Streaming", more="").text("m:SubscriptionId") for _ in range(2)
    )
    theirs = subscribe(desk, way="Streaming", more="", user=BOB).text("m:SubscriptionId")
    listening = threading.Thread(target=streamed, args=(desk, [first]))
    listening.start()
    assert until(lambda: desk.exchange.notices.listening == 1, 20)
    (refused,) = streamed(desk, [second])
    assert refused.code == "ErrorExceededConnectionCount"
    assert streamed(desk, [theirs], BOB)[0].code == "NoError"
    listening.join()
    assert streamed(desk, [second])[0].code == "NoError"


REGENERATED = (
    "<t:Recurrence><t:{0}Regeneration><t:Interval>3</t:Interval></t:{0}Regeneration>"
    "<t:NoEndRecurrence><t:StartDate>2026-03-02</t:StartDate></t:NoEndRecurrence></t:Recurrence>"
)


@pytest.mark.parametrize("kind", ["Daily", "Weekly", "Monthly", "Yearly"])
def test_tasks_that_come_again_after_they_are_done_are_kept(desk: Desk, kind: str) -> None:
    wanted = REGENERATED.format(kind)
    item = desk.create(f"<t:Task><t:Subject>Water</t:Subject>{wanted}</t:Task>").ids[0]
    title = (
        "<t:SetItemField><t:FieldURI FieldURI='item:Subject'/><t:Task><t:Subject>Plants"
        "</t:Subject></t:Task></t:SetItemField>"
    )
    seen = desk.get(desk.update(item, title).ids[0])
    assert seen.text(f"t:Recurrence/t:{kind}Regeneration/t:Interval") == "3"
    assert seen.text("t:Recurrence/t:NoEndRecurrence/t:StartDate")[:10] == "2026-03-02"
    assert (seen.text("t:IsRecurring"), seen.text("t:Subject")) == ("true", "Plants")
