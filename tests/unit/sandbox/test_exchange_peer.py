"""The stand-in Exchange as a process of its own, and the way in for those who started it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from accord.sandbox.exchange.control import PATH as CONTROL
from accord.sandbox.exchange.peer import ExchangePeer
from accord.sandbox.exchange.roll import Person
from accord.sandbox.exchange.server import PATH
from accord.sandbox.process import PeerFailed, no_tls
from tests.unit.sandbox.ews import ALICE, BOB, SOAP, M, T, login

PEOPLE = (
    Person(address=ALICE, password="secret", name='Alice "A" Ädams\\'),
    Person(address=BOB, password="secret", also=["brown@example.com"]),
)
INVITATION = (
    '<m:CreateItem SendMeetingInvitations="SendToAllAndSaveCopy"><m:Items><t:CalendarItem>'
    "<t:Subject>Talk</t:Subject><t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>"
    "brown@example.com</t:EmailAddress></t:Mailbox></t:Attendee></t:RequiredAttendees>"
    "</t:CalendarItem></m:Items></m:CreateItem>"
)
FOLDER = (
    "<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape><m:FolderIds>"
    '<t:DistinguishedFolderId Id="{}"/></m:FolderIds></m:GetFolder>'
)


@pytest.fixture(scope="module")
def peer() -> Iterator[ExchangePeer]:
    with ExchangePeer(PEOPLE) as running:
        yield running


def ask(peer: ExchangePeer, body: str, user: str = ALICE) -> httpx2.Response:
    envelope = (
        f'<s:Envelope xmlns:s="{SOAP[1:-1]}" xmlns:t="{T}" xmlns:m="{M}"><s:Body>{body}</s:Body>'
        "</s:Envelope>"
    )
    return httpx2.post(peer.url, content=envelope, headers=login(user), verify=no_tls())


def test_it_counts_mails_plants_faults_and_keeps_all(peer: ExchangePeer) -> None:
    assert (peer.mail_count, peer.listening) == (0, 0)
    assert ask(peer, INVITATION).status_code == 200
    (mail,) = peer.mails(ALICE)
    assert (mail.recipient, mail.kind, mail.subject) == ("brown@example.com", "request", "Talk")
    assert (peer.mail_count, peer.mails(BOB)) == (1, [])

    number = peer.plan("busy", mailbox=ALICE, times=None, seconds=3)
    assert "3000" in ask(peer, FOLDER.format("inbox")).text
    assert ask(peer, FOLDER.format("inbox"), BOB).status_code == 200
    peer.end(number)
    assert ask(peer, FOLDER.format("inbox")).status_code == 200

    (password,) = peer.add(Person(address="eve@example.com", impersonates=True))
    eve = httpx2.post(peer.url, content=b"", headers=login("eve@example.com", password))
    assert eve.status_code == 500  # known, though what she says is no request
    peer.grant(ALICE, BOB, "reader")
    peer.sever()
    peer.forget()
    peer.forget(ALICE)
    peer.restart()
    assert peer.mail_count == 1
    eve = httpx2.post(peer.url, content=b"", headers=login("eve@example.com", password))
    assert eve.status_code == 500
    assert "<t:TotalCount>1<" in ask(peer, FOLDER.format("calendar")).text


def test_wishes_that_make_no_sense_are_refused(peer: ExchangePeer) -> None:
    with pytest.raises(PeerFailed, match="nobody@"):
        peer.forget("nobody@example.com")
    with pytest.raises(PeerFailed, match="nobody@"):
        peer.grant("nobody@example.com", BOB, "reader")
    with pytest.raises(PeerFailed, match="is no address"):
        peer.add(Person(address="nobody"))
    control = peer.url.removesuffix(PATH) + CONTROL
    word = (peer.folder / "control").read_text().strip()
    for text in (b"", b"[]", b'{"do":"dance"}', b'{"do":"plan"}', b'{"do":"count","x":1}'):
        headers = {"Authorization": f"Bearer {word}"}
        reply = httpx2.post(control, content=text, headers=headers, verify=no_tls())
        assert reply.status_code == 400, text
    assert httpx2.post(control, content=b'{"do":"count"}', verify=no_tls()).status_code == 401
