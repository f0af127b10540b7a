"""The DAV adapter keeps every promise of the groupware contract on three real servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from accord.groupware.dav import DavAdapter, build
from accord.groupware.dav.folders import made_name
from accord.model.kinds import Kind
from accord.ports.adapter import Draft
from accord.ports.errors import Rejected
from accord.sandbox.cyrus import Cyrus
from accord.sandbox.radicale import Radicale
from accord.sandbox.xandikos import Xandikos
from accord.testing import GroupwareContract
from accord.testing.base import only
from accord.testing.groupware import (
    MailContract,
    MovesContract,
    PlantContract,
    Spoiler,
    UnreadableContract,
)
from accord.testing.photos import PhotosContract
from accord.testing.place import Place, SecondSession, new_key
from accord.testing.samples import samples
from tests.peers import Account, new_account

pytestmark = pytest.mark.waits


def adapter_for(account: Account, **more: Any) -> DavAdapter:
    """Return an adapter that sees the three collections of an account as the ones to use."""
    return build(
        {
            "url": account.url,
            "user": account.user,
            "password": account.password or "none is asked for",
            "calendar": account.calendar,
            "task_list": account.tasks,
            "address_book": account.contacts,
            **more,
        }
    )


class ClientHand(SecondSession):
    """Another DAV client at the same collections."""

    adapter: DavAdapter

    def __init__(self, adapter: DavAdapter, account: Account) -> None:
        super().__init__(adapter, account.user)
        self.account = account

    def move(self, folder: str, kind: Kind, ref: str) -> str:
        with self.adapter.open(self.principal) as session:
            target = session.make_folder("elsewhere", kind).id
        text = self._get(ref)
        self._send("DELETE", ref)  # first: Cyrus takes a UID once per person
        self._put(target + ref.rpartition("/")[2], text, kind)
        return target

    def corrupt(self, folder: str, kind: Kind, ref: str) -> None:
        text = self._get(ref)
        if kind is Kind.CONTACT:
            self._put(ref, text + text.replace("UID:", "UID:x"), kind)
        else:
            start = "" if kind is Kind.EVENT else "DTSTART:20260101T090000Z\r\n"
            rules = f"{start}RRULE:FREQ=DAILY\r\nRRULE:FREQ=WEEKLY\r\nSUMMARY:"
            self._put(ref, text.replace("SUMMARY:", rules), kind)

    def plant(self, folder: str, kind: Kind, ref: str) -> Any:
        end = {Kind.EVENT: "END:VEVENT", Kind.TASK: "END:VTODO", Kind.CONTACT: "END:VCARD"}[kind]
        text = self._get(ref).replace(end, f"X-OTHER-PROGRAM;X-P=1:its own\r\n{end}")
        self._put(ref, text, kind)
        return self.planted(folder, kind, ref)

    def planted(self, folder: str, kind: Kind, ref: str) -> Any:
        lines = self._get(ref).splitlines()
        return [line for line in lines if "X-OTHER-PROGRAM" in line]

    def _get(self, ref: str) -> str:
        return str(self._send("GET", ref).text)

    def _put(self, ref: str, text: str, kind: Kind) -> None:
        form = "vcard" if kind is Kind.CONTACT else "calendar"
        self._send("PUT", ref, content=text.encode(), headers={"Content-Type": f"text/{form}"})

    def _send(self, method: str, ref: str, **more: Any) -> Any:
        with self.account.client() as client:
            reply = client.request(method, self.adapter.http.url(ref), **more)
        assert reply.is_success, (method, ref, reply.status_code, reply.text)
        return reply


class DavContract(GroupwareContract, MovesContract, PlantContract, PhotosContract):
    """Be what is the same on all servers."""

    @pytest.fixture
    def adapter(self, account: Account) -> Iterator[DavAdapter]:
        adapter = adapter_for(account)
        yield adapter
        adapter.close()

    @pytest.fixture
    def principal(self, account: Account) -> str:
        return account.user

    @pytest.fixture
    def other_hand(self, adapter: DavAdapter, account: Account) -> ClientHand:
        return ClientHand(adapter, account)


class TestRadicale(DavContract, UnreadableContract):
    @pytest.fixture
    def account(self, radicale: Radicale) -> Account:
        return new_account(radicale)

    @only(Kind.EVENT, Kind.TASK)  # it refuses every card that we would
    def test_unreadable_items_are_unknown_not_missing(
        self, place: Place, other_hand: Spoiler
    ) -> None:
        super().test_unreadable_items_are_unknown_not_missing(place, other_hand)

    @only(Kind.EVENT, Kind.TASK)
    def test_an_unreadable_item_is_not_written_over(
        self, place: Place, other_hand: Spoiler
    ) -> None:
        super().test_an_unreadable_item_is_not_written_over(place, other_hand)


class TestXandikos(DavContract, UnreadableContract):
    @pytest.fixture
    def account(self, xandikos: Xandikos) -> Iterator[Account]:
        """Leave nothing behind: all accounts here are one person, who would find it elsewhere."""
        account = new_account(xandikos)
        yield account
        with account.client() as client:
            for place in (account.calendar, account.tasks, account.contacts):
                client.delete(place).raise_for_status()
            for kind, home in (
                ("event", "calendars"),
                ("task", "calendars"),
                ("contact", "contacts"),
            ):
                name = made_name("elsewhere", Kind(kind))
                client.delete(f"{xandikos.url.rstrip('/')}{xandikos.principal}{home}/{name}/")


class TestCyrus(DavContract, UnreadableContract, MailContract):
    momentary = False

    @pytest.fixture
    def account(self, cyrus: Cyrus) -> Account:
        return new_account(cyrus)

    @pytest.fixture
    def own(self, account: Account) -> str:
        return account.address

    @pytest.fixture
    def mailed(self, account: Account, cyrus: Cyrus) -> Callable[[], list[str]]:
        def sent() -> list[str]:
            mails = [mail for mail in cyrus.sent() if mail.sender == account.address]
            return [to for mail in mails for to in mail.recipients]

        return sent

    def test_what_went_wrong_elsewhere_is_stored_here(
        self, place: Place, own: str, sample: str
    ) -> None:
        if sample != "no length":
            super().test_what_went_wrong_elsewhere_is_stored_here(place, own, sample)
            return
        draft = Draft(item=samples(place.kind, own)[sample], key=new_key())
        (refused,) = place.write(draft)
        assert isinstance(refused, Rejected), "Cyrus wants an end after the start"
        assert refused.code == "403 valid-calendar-data"
        assert "DTEND must occur after DTSTART" in str(refused)
