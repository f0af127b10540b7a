"""Pull and streaming notifications of the stand-in Exchange, and every way they get lost."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import etree

from accord.sandbox.exchange.notices import Stream, Subscription
from accord.sandbox.exchange.server import PATH
from accord.sandbox.exchange.streaming import Pace
from tests.fuzz.tally import RecordProperty, note
from tests.unit.sandbox.ews import (
    ALICE,
    BOB,
    ROBOT,
    SOAP,
    SPACES,
    Answer,
    Desk,
    M,
    T,
    event,
    folder_named,
    login,
    named,
    set_field,
)

ALL = "CopiedEvent CreatedEvent DeletedEvent ModifiedEvent MovedEvent NewMailEvent"
TALK = set_field("item:Subject", "CalendarItem", "<t:Subject>Other</t:Subject>")
AS = (
    "<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>{}</t:PrimarySmtpAddress>"
    "</t:ConnectingSID></t:ExchangeImpersonation>"
)


@pytest.fixture
def quick(record_property: RecordProperty) -> Iterator[Desk]:
    """An Exchange whose minutes are short and whose streams show life often."""
    made = Desk(lambda what: note(1, what, record_property), pace=Pace(0.02, 0.1))
    yield made
    made.exchange.close()


def subscribe(
    desk: Desk,
    folders: str = "calendar",
    kinds: str = ALL,
    more: str = "<t:Timeout>10</t:Timeout>",
    way: str = "Pull",
    user: str = ALICE,
    head: str = "",
) -> Answer:
    inside = "".join(map(folder_named, folders.split(" ") if folders[:1] != "<" else [folders]))
    where = f"<t:FolderIds>{inside}</t:FolderIds>" if folders else ""
    every = "" if folders else ' SubscribeToAllFolders="true"'
    events = "".join(f"<t:EventType>{each}</t:EventType>" for each in kinds.split())
    return desk.ask(
        f"<m:Subscribe><m:{way}SubscriptionRequest{every}>{where}<t:EventTypes>{events}"
        f"</t:EventTypes>{more}</m:{way}SubscriptionRequest></m:Subscribe>",
        user,
        head,
    )


def pulled(desk: Desk, which: str, mark: str, user: str = ALICE) -> Answer:
    return desk.ask(
        f"<m:GetEvents><m:SubscriptionId>{which}</m:SubscriptionId>"
        f"<m:Watermark>{mark}</m:Watermark></m:GetEvents>",
        user,
    )


def unsubscribe(desk: Desk, which: str, user: str = ALICE) -> str:
    body = f"<m:Unsubscribe><m:SubscriptionId>{which}</m:SubscriptionId></m:Unsubscribe>"
    return desk.ask(body, user).code


def streamed(desk: Desk, which: list[str], user: str = ALICE, head: str = "") -> list[Answer]:
    """Listen until the end and return all answers."""
    ids = "".join(f"<t:SubscriptionId>{each}</t:SubscriptionId>" for each in which)
    envelope = (
        f'<s:Envelope xmlns:s="{SOAP[1:-1]}" xmlns:t="{T}" xmlns:m="{M}"><s:Header>{head}'
        f"</s:Header><s:Body><m:GetStreamingEvents><m:SubscriptionIds>{ids}</m:SubscriptionIds>"
        "<m:ConnectionTimeout>1</m:ConnectionTimeout></m:GetStreamingEvents></s:Body></s:Envelope>"
    )
    reply = desk.http.post(PATH, content=envelope.encode(), headers=login(user))
    assert reply.status_code == 200
    return envelopes(reply.content)


def envelopes(text: bytes) -> list[Answer]:
    root = etree.fromstring(b"<all>" + text + b"</all>")
    return [Answer(body[0]) for body in root.iter(f"{SOAP}Body")]


def both(answer: Answer) -> tuple[str, str]:
    return answer.text("m:SubscriptionId"), answer.text("m:Watermark")


def kinds(answer: Answer, *, folders: bool = False) -> list[str]:
    """Return what happened to items, or to items and folders."""
    return [
        etree.QName(parent).localname
        for name in ("ItemId", "FolderId")[: 1 + folders]
        for each in answer.all(f"t:{name}")
        if (parent := each.getparent()) is not None
    ]


def last(answer: Answer) -> str:
    return answer.all("t:Watermark")[-1].text or ""


def test_a_pulling_client_hears_what_happens_in_its_folder(desk: Desk) -> None:
    which, mark = both(subscribe(desk))
    quiet = pulled(desk, which, mark)
    assert len(quiet.all("t:StatusEvent")) == 1
    assert quiet.text("t:PreviousWatermark") == mark

    item = desk.create(event()).ids[0]
    desk.create("<t:Task><t:Subject>Elsewhere</t:Subject></t:Task>")
    first = pulled(desk, which, last(quiet))
    assert kinds(first, folders=True) == ["CreatedEvent", "ModifiedEvent"]
    assert named(first.one("t:CreatedEvent/t:ItemId")) == item
    assert first.text("t:CreatedEvent/t:TimeStamp") == "2026-03-02T09:00:00Z"
    assert first.text("t:MoreEvents") == "false"
    home = desk.get(item, '<t:FieldURI FieldURI="item:ParentFolderId"/>', "IdOnly")
    assert first.one("t:CreatedEvent/t:ParentFolderId").get("Id") == (
        home.one("t:ParentFolderId").get("Id")
    )

    item = desk.update(item, TALK).ids[0]
    desk.delete(item)
    second = pulled(desk, which, last(first))
    assert kinds(second) == ["ModifiedEvent", "MovedEvent"]
    assert f'"{second.one("t:MovedEvent/t:OldItemId").get("Id")}"' in item
    moved = second.one("t:MovedEvent/t:ItemId").get("Id")
    assert desk.find("deleteditems").one("t:ItemId").get("Id") == moved
    # Whoever lost an answer asks with the watermark from before.
    assert kinds(pulled(desk, which, last(first))) == kinds(second)
    assert kinds(pulled(desk, which, last(second))) == []


def test_each_kind_of_event(desk: Desk) -> None:
    which, mark = both(subscribe(desk, ""))
    item = desk.create(event()).ids[0]
    place = f"<m:ToFolderId>{folder_named('deleteditems')}</m:ToFolderId>"
    desk.ask(f"<m:CopyItem>{place}<m:ItemIds>{item}</m:ItemIds></m:CopyItem>")
    desk.ask(f"<m:MoveItem>{place}<m:ItemIds>{item}</m:ItemIds></m:MoveItem>")
    for each in desk.find("deleteditems").ids:
        desk.delete(each, "HardDelete")
    answer = pulled(desk, which, mark)
    assert kinds(answer) == [
        *("CreatedEvent", "CopiedEvent", "MovedEvent"),
        *("DeletedEvent", "DeletedEvent"),
    ]
    assert f'"{answer.one("t:CopiedEvent/t:OldItemId").get("Id")}"' in item
    only, begun = both(subscribe(desk, "", "DeletedEvent"))
    desk.delete(desk.create(event()).ids[0], "HardDelete")
    assert kinds(pulled(desk, only, begun), folders=True) == ["DeletedEvent"]


def test_new_mail_is_told_where_it_arrives(desk: Desk) -> None:
    which, mark = both(subscribe(desk, "inbox", "NewMailEvent CreatedEvent", user=BOB))
    post = "<t:{0}><t:Mailbox><t:EmailAddress>{1}</t:EmailAddress></t:Mailbox></t:{0}>"
    people = post.format("ToRecipients", BOB) + post.format("BccRecipients", ALICE)
    desk.ask(
        f'<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items><t:Message>'
        f"<t:Subject>News</t:Subject>{people}</t:Message></m:Items></m:CreateItem>"
    )
    answer = pulled(desk, which, mark, BOB)
    assert kinds(answer) == ["CreatedEvent", "NewMailEvent"]
    arrived = named(answer.one("t:NewMailEvent/t:ItemId"))
    seen = desk.ask(
        "<m:GetItem><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>"
        f"<m:ItemIds>{arrived}</m:ItemIds></m:GetItem>",
        BOB,
    )
    assert (seen.text("t:IsRead"), seen.text("t:Subject")) == ("false", "News")
    assert seen.text("t:From/t:Mailbox/t:EmailAddress") == ALICE
    assert seen.all("t:BccRecipients") == []
    assert len(desk.find("inbox").ids) == len(desk.find("sentitems").ids) == 1
    assert [each.recipient for each in desk.exchange.mails()] == [BOB]


def test_folders_have_events_of_their_own(desk: Desk) -> None:
    which, mark = both(subscribe(desk, ""))
    made = desk.ask(
        f"<m:CreateFolder><m:ParentFolderId>{folder_named('inbox')}</m:ParentFolderId><m:Folders>"
        "<t:Folder><t:DisplayName>Deep</t:DisplayName></t:Folder></m:Folders></m:CreateFolder>"
    ).one("t:FolderId")
    place = f'<m:FolderIds><t:FolderId Id="{made.get("Id")}"/></m:FolderIds>'
    for way in ("MoveToDeletedItems", "HardDelete"):
        desk.ask(f'<m:DeleteFolder DeleteType="{way}">{place}</m:DeleteFolder>')
    answer = pulled(desk, which, mark)
    assert kinds(answer, folders=True) == ["CreatedEvent", "MovedEvent", "DeletedEvent"]
    assert answer.one("t:MovedEvent/t:OldFolderId").get("Id") == made.get("Id")


def test_many_events_come_in_pages(desk: Desk) -> None:
    which, mark = both(subscribe(desk, kinds="CreatedEvent"))
    desk.create("".join(event(f"E{number}") for number in range(230)))
    counts = []
    more = "true"
    while more == "true":
        answer = pulled(desk, which, mark)
        more, mark = answer.text("t:MoreEvents"), last(answer)
        counts.append(len(kinds(answer)))
    assert counts == [100, 100, 30]


def test_what_failed_is_not_told(desk: Desk) -> None:
    item = desk.create(event()).ids[0]
    desk.update(item, TALK)
    which, mark = both(subscribe(desk))
    assert desk.update(item, TALK).code == "ErrorIrresolvableConflict"
    assert len(pulled(desk, which, mark).all("t:StatusEvent")) == 1


def test_how_pull_subscriptions_get_lost(desk: Desk) -> None:
    which, mark = both(subscribe(desk))
    assert pulled(desk, which, mark, BOB).code == "ErrorSubscriptionAccessDenied"
    assert pulled(desk, "%%%", mark).code == "ErrorInvalidSubscription"
    desk.now += timedelta(minutes=9)
    assert pulled(desk, which, mark).code == "NoError"  # begins the time anew
    desk.now += timedelta(minutes=10)
    assert pulled(desk, which, mark).code == "NoError"
    desk.now += timedelta(minutes=11)
    assert pulled(desk, which, mark).code == "ErrorExpiredSubscription"
    assert unsubscribe(desk, which) == "ErrorExpiredSubscription"
    desk.now += timedelta(minutes=10)
    again, mark = both(
        subscribe(desk, more=f"<t:Watermark>{mark}</t:Watermark><t:Timeout>1</t:Timeout>")
    )
    assert pulled(desk, which, mark).code == "ErrorSubscriptionNotFound"
    assert unsubscribe(desk, again, BOB) == "ErrorSubscriptionAccessDenied"
    assert unsubscribe(desk, again) == "NoError"
    assert unsubscribe(desk, again) == "ErrorSubscriptionNotFound"
    third, mark = both(subscribe(desk))
    desk.exchange.faults.plan("forgotten", mailbox=ALICE)
    assert pulled(desk, third, mark).code == "ErrorSubscriptionNotFound"
    stream = subscribe(desk, way="Streaming", more="").text("m:SubscriptionId")
    assert pulled(desk, stream, mark).code == "ErrorInvalidPullSubscriptionId"


def test_watermarks_outlive_their_subscription_but_not_for_ever(desk: Desk, tmp_path: Path) -> None:
    first = Desk(lambda _: None, path=tmp_path / "exchange.db")
    which, mark = both(subscribe(first))
    first.create(event())
    first.exchange.close()
    again = Desk(lambda _: None, path=tmp_path / "exchange.db")
    assert pulled(again, which, mark).code == "ErrorSubscriptionNotFound"
    carry = f"<t:Watermark>{mark}</t:Watermark><t:Timeout>10</t:Timeout>"
    which, mark = both(subscribe(again, more=carry))
    assert kinds(pulled(again, which, mark)) == ["CreatedEvent"]

    again.exchange.faults.plan("expired", mailbox=ALICE)
    assert pulled(again, which, mark).code == "ErrorInvalidWatermark"
    assert pulled(again, which, "%%%").code == "ErrorInvalidWatermark"
    broken = base64.b64encode(base64.b64decode(mark)[:-1] + b"?").decode()
    assert pulled(again, which, broken).code == "ErrorInvalidWatermark"
    foreign = subscribe(again, user=BOB).text("m:Watermark")
    assert pulled(again, which, foreign).code == "ErrorInvalidWatermark"
    again.exchange.store.forget_events(int(again.now.timestamp()) + 1)
    assert pulled(again, which, mark).code == "ErrorInvalidWatermark"
    assert subscribe(again, more=carry).code == "ErrorInvalidWatermark"
    fresh, mark = both(subscribe(again))
    assert pulled(again, fresh, mark).code == "NoError"
    again.exchange.close()


def test_what_can_t_be_subscribed_to(desk: Desk) -> None:
    theirs = (
        f'<t:DistinguishedFolderId Id="calendar"><t:Mailbox><t:EmailAddress>{BOB}</t:EmailAddress>'
        "</t:Mailbox></t:DistinguishedFolderId>"
    )
    assert subscribe(desk, theirs).code == "ErrorAccessDenied"
    people = desk.exchange.people
    people.grant(desk.bob, desk.alice, "reader")
    which, mark = both(subscribe(desk, theirs))
    desk.create(event(), BOB)
    assert kinds(pulled(desk, which, mark)) == ["CreatedEvent"]
    mixed = theirs + folder_named("calendar")
    assert subscribe(desk, mixed).code == "ErrorInvalidSubscriptionRequest"
    people.grant(desk.bob, desk.alice, "none")
    assert pulled(desk, which, mark).code == "ErrorSubscriptionAccessDenied"


def test_a_stream_tells_of_life_news_and_its_end(quick: Desk) -> None:
    which = subscribe(quick, way="Streaming", more="").text("m:SubscriptionId")
    quick.create(event())  # what happens before somebody listens is kept
    answers = streamed(quick, [which])
    states = [each.text for answer in answers for each in answer.all("m:ConnectionStatus")]
    assert (states[0], states[-1], set(states[:-1])) == ("OK", "Closed", {"OK"})
    assert len(states) >= 3  # a heartbeat at least
    (news,) = [answer for answer in answers if answer.all("t:Notification")]
    assert kinds(news) == ["CreatedEvent"]
    assert news.text("t:SubscriptionId") == which
    assert news.all("t:Watermark") == []
    assert all(answer.code == "NoError" for answer in answers)
    assert not [each for answer in streamed(quick, [which]) for each in answer.all("t:ItemId")]
    quick.now += timedelta(minutes=29)
    assert streamed(quick, [which])[0].code == "NoError"
    quick.now += timedelta(minutes=31)
    (end,) = streamed(quick, [which])
    assert (end.code, end.text("m:ConnectionStatus")) == ("ErrorExpiredSubscription", "Closed")


def test_one_connection_serves_many_mailboxes(quick: Desk) -> None:
    found = [
        subscribe(quick, "", way="Streaming", more="", user=ROBOT, head=AS.format(whose))
        for whose in [ALICE, BOB] * 100
    ]
    which = [each.text("m:SubscriptionId") for each in found]
    quick.create(event(), BOB)
    answers = streamed(quick, which, ROBOT, AS.format(ALICE))
    told = [each.text for answer in answers for each in answer.all("t:SubscriptionId")]
    assert told == which[1::2]
    one = subscribe(quick, "", way="Streaming", more="", user=ROBOT).text("m:SubscriptionId")
    (refused,) = streamed(quick, [*which, one], ROBOT)
    assert refused.code == "ErrorInvalidRequest"
    (refused,) = streamed(quick, which[:2], BOB)
    assert refused.code == "ErrorSubscriptionAccessDenied"


def test_bad_subscriptions_are_named_and_the_good_ones_go_on(quick: Desk) -> None:
    good, lost, pull = (
        subscribe(quick, way=way, more=more).text("m:SubscriptionId")
        for way, more in (
            ("Streaming", ""),
            ("Streaming", ""),
            ("Pull", "<t:Timeout>1</t:Timeout>"),
        )
    )
    assert unsubscribe(quick, lost) == "NoError"
    quick.create(event())
    answers = streamed(quick, [good, lost, pull])
    codes = {each.code: each for each in answers[:2]}
    bad = "m:ErrorSubscriptionIds/t:SubscriptionId"
    assert codes["ErrorSubscriptionNotFound"].text(bad) == lost
    assert codes["ErrorInvalidSubscription"].text(bad) == pull
    assert [kind for each in answers for kind in kinds(each)] == ["CreatedEvent"]
    assert answers[-1].text("m:ConnectionStatus") == "Closed"


def once_listening(desk: Desk, patch: pytest.MonkeyPatch, then: Callable[[], None]) -> None:
    """Let something happen as soon as a connection listens."""
    notices = desk.exchange.notices
    listening = notices.open

    def opened(stream: Stream, found: list[Subscription]) -> None:
        listening(stream, found)
        then()

    patch.setattr(notices, "open", opened)


def pass_time(desk: Desk, minutes: int) -> None:
    desk.now += timedelta(minutes=minutes)


def test_a_lost_subscription_is_told_in_the_stream(
    quick: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = subscribe(quick, way="Streaming", more="").text("m:SubscriptionId")
    once_listening(quick, monkeypatch, lambda: quick.exchange.notices.forget(quick.alice.id))
    *_, end = streamed(quick, [which])
    assert (end.code, end.text("m:ConnectionStatus")) == ("ErrorInvalidSubscription", "Closed")
    assert end.all("m:ErrorSubscriptionIds/t:SubscriptionId")[0].text == which
    assert end.node.findall(".//t:Notification", SPACES) == []


def test_a_subscription_s_time_begins_when_its_connection_ends(
    quick: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = subscribe(quick, way="Streaming", more="").text("m:SubscriptionId")
    once_listening(quick, monkeypatch, lambda: pass_time(quick, 29))
    for _ in range(3):
        assert streamed(quick, [which])[0].code == "NoError"
        quick.now += timedelta(minutes=29)
