"""`accord mail` over a stand-in Exchange on a port of its own."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import closing

import pytest

from accord.groupware.exchange.wire import m, t
from tests.contract.test_groupware_exchange import adapter_for
from tests.exchange import ROBOT, TARGET, House
from tests.unit.cli.conftest import Run

RAW = (
    b"From: Bob <bob@example.com>\r\nTo: alice@example.com\r\nSubject: Offer\r\n"
    b"Date: Mon, 2 Mar 2026 09:00:00 +0100\r\nMessage-ID: <offer@example.com>\r\n\r\nSee below.\r\n"
)


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


def deliver(house: House, person: str) -> None:
    """Lay an e-mail into a person's inbox, and make a folder below that."""
    message = t("Message", t("MimeContent", base64.b64encode(RAW).decode()), t("IsRead", "false"))
    with closing(adapter_for(house.url)) as adapter, adapter.open(person) as session:
        client = session._client
        client.make_folder("@inbox", "Folder", "Done", "IPF.Note", "")
        target = m("SavedItemFolderId", client.place("@inbox"))
        request = m("CreateItem", target, m("Items", message), MessageDisposition="SaveOnly")
        client.plain(request, writing=True)


def test_e_mails_are_looked_at_and_only_touched_when_told_to(
    installed: Run, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "secret")
    installed("import", "-", stdin=TARGET.format(url=house.url, robot=ROBOT))
    person = house.person()
    deliver(house, person)
    where = ("company", person)

    folders = installed("mail", "folders", *where).out
    assert "Inbox  1, 1 unread" in folders
    assert "Inbox/Done  0, 0 unread" in folders
    (row,) = installed("mail", "list", *where, "inbox", "--subfolders", "--json").rows
    assert (row["mail"]["subject"], row["read"]) == ("Offer", False)
    ref = row["ref"]
    assert "Bob" in installed("mail", "list", *where, "Inbox").out
    shown = installed("mail", "show", *where, ref).out
    assert "Subject: Offer" in shown
    assert "See below." in shown

    assert installed("mail", "show", *where, ref, "--original").out.encode() == RAW

    dry = installed("mail", "mark", *where, ref).out
    assert "would mark 1 e-mail" in dry
    assert installed("mail", "list", *where, "Inbox", "--unread", "--json").rows
    installed("mail", "mark", *where, ref, "--yes")
    assert installed("mail", "list", *where, "Inbox", "--unread", "--json").rows == []
    assert "would move 1 e-mail" in installed("mail", "move", *where, ref, "--to", "Inbox/Done").out
    moved = installed("mail", "move", *where, ref, "--to", "Inbox/Done", "--yes", "--json").row
    (there,) = installed("mail", "list", *where, "Inbox/Done", "--json").rows
    assert there["ref"] == moved["now"]
    failed = installed("mail", "mark", *where, ref, "--yes", code=1)
    assert "ErrorItemNotFound" in failed.err
    assert "there is no folder" in installed("mail", "list", *where, "Nowhere", code=2).err
    assert house.exchange.mails() == []
