"""Automatic replies on the wire: to the letter, and whatever a server leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import exchangelib
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from accord.groupware.exchange import replies, wire
from accord.groupware.exchange.wire import Message
from accord.model.replies import Audience, Replies
from accord.ports.errors import Denied, Retry
from accord.ports.replies import Answering
from tests.contract.test_groupware_exchange import adapter_for
from tests.unit.exchange.bridge import ALICE, BOB, Rig
from tests.unit.sandbox.ews import M, T

TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)).map(
    lambda when: when.replace(microsecond=0, tzinfo=UTC)
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40)


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.close()


def test_replies_set_are_replies_read_to_the_letter(rig: Rig) -> None:
    html = "<html><body><div>Away</div>\n<div>until <b>Monday</b> &amp; on</div></body></html>"
    wanted = Replies(
        on=True,
        start=datetime(2026, 3, 4, 23, tzinfo=UTC),
        end=datetime(2026, 3, 7, 23, tzinfo=UTC),
        inside=html,
        outside=" two  blanks ",
        audience=Audience.KNOWN,
    )
    with rig.adapter.open(ALICE) as session:
        assert isinstance(session, Answering)
        assert session.replies() == Replies()
        for each in (wanted, Replies(on=True, inside="x"), Replies(inside="off, and kept")):
            session.set_replies(each)
            assert session.replies() == each
    with rig.adapter.open(BOB) as session:
        assert session.replies() == Replies()


def test_another_client_sees_what_accord_set_and_accord_what_it_set(
    account: Any, exchange: Any
) -> None:
    url = account.protocol.service_endpoint
    start = datetime(2040, 3, 4, 23, tzinfo=UTC)
    ours = Replies(on=True, start=start, end=start + timedelta(days=2), inside="away")
    with closing(adapter_for(url)) as adapter, adapter.open(ALICE) as session:
        session.set_replies(ours)
        seen = account.oof_settings
        assert (seen.state, seen.start, seen.end) == ("Scheduled", ours.start, ours.end)
        assert (seen.internal_reply, seen.external_audience) == ("away", "None")
        account.oof_settings = exchangelib.OofSettings(
            state="Enabled", external_audience="All", internal_reply="in", external_reply="out"
        )
        expected = Replies(on=True, inside="in", outside="out", audience=Audience.ALL)
        assert session.replies() == expected
    assert exchange.mails() == []


@given(start=TIMES, end=TIMES, inside=TEXTS, outside=TEXTS, audience=st.sampled_from(Audience))
def test_what_is_written_is_read(
    start: datetime, end: datetime, inside: str, outside: str, audience: Audience
) -> None:
    legal = wire.legal(inside), wire.legal(outside)
    given = Replies(
        on=True, start=start, end=end, inside=legal[0], outside=legal[1], audience=audience
    )
    assert read(etree.tostring(replies.written(given)).decode()) == given


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Replies()),
        ("<t:OofState>Disabled</t:OofState>", Replies()),
        ("<t:OofState>Enabled</t:OofState>", Replies(on=True)),
        (
            (
                "<t:OofState>Scheduled</t:OofState><t:ExternalAudience>Odd</t:ExternalAudience>"
                "<t:Duration><t:StartTime>2026-03-04T12:00:00.5+01:00</t:StartTime>"
                "<t:EndTime>2026-03-05T12:00:00</t:EndTime></t:Duration><t:InternalReply/>"
            ),
            Replies(
                on=True,
                start=datetime(2026, 3, 4, 11, tzinfo=UTC),
                end=datetime(2026, 3, 5, 12, tzinfo=UTC),
            ),
        ),
        (
            (
                "<t:OofState>Scheduled</t:OofState><t:Duration><t:StartTime>soon</t:StartTime>"
                "</t:Duration>"
            ),
            Replies(on=True),
        ),
        (
            # What Exchange keeps of a time while the replies are off says nothing.
            (
                "<t:OofState>Disabled</t:OofState><t:Duration><t:StartTime>2026-03-04T12:00:00Z"
                "</t:StartTime><t:EndTime>2026-03-05T12:00:00Z</t:EndTime></t:Duration>"
            ),
            Replies(),
        ),
    ],
)
def test_what_servers_leave_open_is_read(text: str, expected: Replies) -> None:
    assert read(f"<t:OofSettings xmlns:t='{T}'>{text}</t:OofSettings>") == expected


def test_a_refusal_and_an_answer_without_replies_are_told(rig: Rig) -> None:
    said = {
        "denied": "<m:ResponseMessage ResponseClass='Error'><m:MessageText>no</m:MessageText>"
        "<m:ResponseCode>ErrorAccessDenied</m:ResponseCode></m:ResponseMessage>",
        "empty": "<m:ResponseMessage ResponseClass='Success'><m:ResponseCode>NoError"
        "</m:ResponseCode></m:ResponseMessage>",
        "silent": "",
    }
    now = ["denied"]

    def trick(name: str, _: bytes) -> httpx2.Response | None:
        if name != "GetUserOofSettingsRequest":
            return None
        body = (
            '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
            f"<m:GetUserOofSettingsResponse xmlns:m='{M}'>{said[now[0]]}"
            "</m:GetUserOofSettingsResponse></s:Body></s:Envelope>"
        )
        return httpx2.Response(200, content=body.encode())

    rig.bridge.before.append(trick)
    with rig.adapter.open(ALICE) as session:
        with pytest.raises(Denied, match="ErrorAccessDenied"):
            session.replies()
        for each in ("empty", "silent"):
            now[0] = each
            with pytest.raises(Retry):
                session.replies()


def read(settings: str) -> Replies:
    text = settings.replace("UserOofSettings", "OofSettings")
    root = etree.fromstring(f"<answer>{text}</answer>")
    return replies.read(Message(root))
