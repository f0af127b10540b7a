"""E-mails of a mailbox on the stand-in: listed, read with their originals, marked, moved."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from accord.groupware.exchange.wire import m, t
from accord.ports.adapter import Written
from accord.ports.errors import ConfigError, Gone, Rejected
from accord.ports.mailbox import Letter, LetterMaker, Mailbox
from tests.unit.exchange.bridge import ALICE, BOB, Rig

TEXT = (
    "From: Bob Bee <bob@example.com>\r\nTo: Alice <alice@example.com>\r\n"
    "Subject: {subject}\r\nDate: Mon, 2 Mar 2026 09:00:00 +0100\r\nMessage-ID: <{uid}>\r\n"
    "Disposition-Notification-To: bob@example.com\r\nX-Odd: kept\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\nGrüße{more}\r\n"
)


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.close()


def put(rig: Rig, folder: str, subject: str, more: str = "") -> bytes:
    """Lay an e-mail into a folder of Alice's, as if it had come, and return its original."""
    raw = TEXT.format(subject=subject, uid=f"{subject}@example.com", more=more).encode()
    message = t(
        "Message",
        t("MimeContent", base64.b64encode(raw).decode()),
        t("IsReadReceiptRequested", "true"),
        t("IsRead", "false"),
    )
    with rig.adapter.open(ALICE) as session:
        client = session._client
        request = m(
            "CreateItem",
            m("SavedItemFolderId", client.place(folder)),
            m("Items", message),
            MessageDisposition="SaveOnly",
        )
        client.plain(request, writing=True)
    return raw


def make_folder(rig: Rig, name: str, parent: str) -> None:
    with rig.adapter.open(ALICE) as session:
        answer = session._client.make_folder(parent, "Folder", name, "IPF.Note", "")
        assert answer.error is None


def listed(session: Mailbox, folder: str, *, unread: bool = False) -> list[Letter]:
    return list(session.letters(folder, unread=unread))


def subjects(found: list[Letter]) -> list[str]:
    return [each.mail.subject if each.mail else each.why for each in found]


def test_folders_and_subfolders_are_told_from_the_top(rig: Rig) -> None:
    make_folder(rig, "Projects", "@inbox")
    with rig.adapter.open(ALICE) as session:
        (projects,) = [each for each in session.mail_folders() if each.path[-1] == "Projects"]
    make_folder(rig, "North", projects.id)
    put(rig, projects.id, "one")
    with rig.adapter.open(ALICE) as session:
        assert isinstance(session, Mailbox)
        found = {"/".join(each.path): each for each in session.mail_folders()}
        assert {"Inbox", "Inbox/Projects", "Inbox/Projects/North", "Sent Items"} <= found.keys()
        assert (found["Inbox/Projects"].total, found["Inbox/Projects"].unread) == (1, 1)
        assert not {"Calendar", "Tasks", "Contacts"} & found.keys()


def test_an_e_mail_is_listed_read_marked_and_moved_without_a_word_to_anybody(rig: Rig) -> None:
    raw = put(rig, "@inbox", "Offer")
    with rig.adapter.open(ALICE) as session:
        (letter,) = listed(session, "@inbox")
        assert letter.mail is not None
        assert (letter.mail.uid, letter.read) == ("Offer@example.com", False)
        assert letter.mail.body is None
        assert letter.mail.sender is not None
        assert letter.mail.sender.address == BOB

        whole = session.letter(letter.ref)
        assert whole.raw == raw
        assert whole.mail.body is not None
        assert whole.mail.body.text.strip() == "Grüße"
        assert whole.mail.sent == datetime(2026, 3, 2, 8, tzinfo=UTC)
        assert not listed(session, "@inbox")[0].read, "reading marks nothing"
        assert any(b"IncludeMimeContent>true<" in body for _, body in rig.bridge.asked)

        assert listed(session, "@inbox", unread=True)
        (marked,) = session.mark_letters([letter.ref])
        assert isinstance(marked, Written)
        assert listed(session, "@inbox")[0].read
        assert listed(session, "@inbox", unread=True) == []
        session.mark_letters([letter.ref], read=False)
        assert listed(session, "@inbox", unread=True)

        make_folder(rig, "Done", "@inbox")
        (done,) = [each for each in session.mail_folders() if each.path[-1] == "Done"]
        (moved,) = session.move_letters([letter.ref], done.id)
        assert isinstance(moved, Written)
        assert [each.ref for each in listed(session, done.id)] == [moved.ref]
        assert listed(session, "@inbox") == []
        assert session.letter(moved.ref).raw == raw
        gone, *_ = session.mark_letters([letter.ref])
        assert isinstance(gone, Gone)
        with pytest.raises(Gone):
            session.letter(letter.ref)
    assert rig.exchange.mails() == []


def test_a_long_folder_comes_page_by_page_newest_first(rig: Rig) -> None:
    small = Rig(page=2)
    for number in range(5):
        put(small, "@inbox", f"mail {number}")
    with small.adapter.open(ALICE) as session:
        before = len(small.bridge.asked)
        letters = session.letters("@inbox")
        next(letters)
        assert len(small.bridge.asked) == before + 2, "the rest is not asked for yet"
        rest = list(letters)
        assert len(rest) == 4
        found = [each.mail.received for each in rest if each.mail and each.mail.received]
        assert found == sorted(found, reverse=True)
    small.close()


def test_what_is_too_large_or_elsewhere_is_said(rig: Rig) -> None:
    small = Rig(max_megabytes=1)
    put(small, "@inbox", "Small")
    put(small, "@inbox", "Huge", "x" * 1_000_000)
    with small.adapter.open(ALICE) as session:
        found = {each.mail.subject: each.ref for each in session.letters("@inbox") if each.mail}
        with pytest.raises(Rejected, match="max_megabytes"):
            session.letter(found["Huge"])
        assert session.letter(found["Small"]).mail.subject == "Small"
        with pytest.raises(ConfigError):
            list(session.letters("AAAA"))
    small.close()


def test_one_that_cannot_be_read_is_named_and_the_others_come(rig: Rig) -> None:
    put(rig, "@inbox", "fine")
    put(rig, "@inbox", "odd")

    def spoil(name: str, text: bytes) -> bytes:
        if name != "GetItem":
            return text
        return text.replace(b"<t:Subject>odd<", b"<t:Sensitivity>?</t:Sensitivity><t:Subject>odd<")

    rig.bridge.after.append(spoil)
    with rig.adapter.open(ALICE) as session:
        found = listed(session, "@inbox")
        assert len(found) == 2
        assert "fine" in subjects(found)


def test_no_receipt_leaves_although_the_sender_asked_for_one(rig: Rig) -> None:
    put(rig, "@inbox", "Receipt, please")
    with rig.adapter.open(ALICE) as session:
        (letter,) = listed(session, "@inbox")
        session.mark_letters([letter.ref])
        asked = next(body for name, body in rig.bridge.asked if name == "UpdateItem")
        assert b'SuppressReadReceipts="true"' in asked
    assert rig.exchange.mails() == []


def test_an_e_mail_is_laid_aside_and_taken_away_with_its_folder(rig: Rig) -> None:
    raw = TEXT.format(subject="Trial", uid="trial@example.com", more="").encode()
    with rig.adapter.open(ALICE) as session:
        assert isinstance(session, LetterMaker)
        folder = session.make_mail_folder("Trials")
        assert folder.path == ("Trials",)
        assert session.make_mail_folder("Trials").id == folder.id, "it is there already"
        ref = session.store_letter(folder.id, raw)
        asked = next(body for name, body in rig.bridge.asked if name == "CreateItem")
        assert b'MessageDisposition="SaveOnly"' in asked
        assert b'PropertyTag="0xe07"' in asked, "a draft might be sent by somebody"
        assert [each.ref for each in listed(session, folder.id)] == [ref]
        assert session.letter(ref).raw == raw
        with pytest.raises(Rejected, match="isn't empty"):
            session.remove_mail_folder(folder.id)
        (gone,) = session.discard_letters([ref])
        assert isinstance(gone, Written)
        assert listed(session, folder.id) == []
        (missing,) = session.discard_letters([ref])
        assert isinstance(missing, Gone)
        session.remove_mail_folder(folder.id)
        found = {each.path: each.trash for each in session.mail_folders()}
        assert found[("Deleted Items", "Trials")]
        assert found[("Deleted Items",)]
        assert not found[("Inbox",)]
        another = session.make_mail_folder("Trials")
        assert (another.path, another.trash) == (("Trials",), False)
        assert another.id != folder.id
    assert rig.exchange.mails() == []


def test_no_receipt_leaves_for_an_e_mail_discarded_unread(rig: Rig) -> None:
    put(rig, "@inbox", "Receipt, please")
    with rig.adapter.open(ALICE) as session:
        (letter,) = listed(session, "@inbox")
        session.discard_letters([letter.ref])
    assert rig.exchange.mails() == []
