"""Files on records: their bytes whole, once, within a user's rights, and gone with an erasure."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pytest
from sqlalchemy import func, select

from accord.crm.database import files as room
from accord.crm.database.schema import FILES
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.observe import Snapshot
from accord.model.parts import STORED, Attachment, files
from accord.ports.errors import Denied, Gone, Rejected
from tests.unit.crm.office import Office

LONG = bytes(range(256)) * 10_000
LINK = Attachment(uri="https://example.com/plan", name="plan")


def hang(office: Office, user: str, ref: str, name: str, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    file = Attachment(name=name, media_type="text/plain", size=len(content), digest=digest)
    with office.crm.open(user) as session:
        return session.attach("", Kind.EVENT, ref, file, io.BytesIO(content))


def held(snapshot: Snapshot) -> tuple[Attachment, ...]:
    assert isinstance(snapshot.item, Event)
    return snapshot.item.attachments


def content(office: Office, user: str, ref: str, uri: str) -> bytes:
    with office.crm.open(user) as session:
        return b"".join(session.open_file("", Kind.EVENT, ref, uri))


def rows(office: Office, ref: str) -> int:
    with office.crm.store.read() as tx:
        query = select(func.count()).select_from(FILES).where(FILES.c.ref == ref)
        return int(tx.execute(query).scalar_one())


def test_a_file_is_read_as_it_was_hung_on(office: Office) -> None:
    before = office.create(office.ann, office.event(attachments=(LINK,)))
    uri = hang(office, office.ann, before.ref, "long", LONG)
    empty = hang(office, office.ann, before.ref, "empty", b"")
    after = office.see(office.ann, Kind.EVENT, before.ref)
    assert [(one.uri, one.name) for one in held(after)] == [
        (LINK.uri, "plan"),
        (uri, "long"),
        (empty, "empty"),
    ]
    assert held(after)[1].size == len(LONG)
    assert after.version != before.version
    assert content(office, office.ann, before.ref, uri) == LONG
    assert content(office, office.ann, before.ref, empty) == b""
    with office.crm.open(office.ann) as session:
        pieces = list(session.open_file("", Kind.EVENT, before.ref, uri))
    assert max(map(len, pieces)) < len(LONG)


def test_the_same_file_hangs_once(office: Office) -> None:
    ref = office.create(office.ann, office.event()).ref
    assert hang(office, office.ann, ref, "a", b"a") == hang(office, office.ann, ref, "a", b"a")
    assert len(held(office.see(office.ann, Kind.EVENT, ref))) == 1
    assert hang(office, office.ann, ref, "a", b"b") != hang(office, office.ann, ref, "b", b"b")
    assert len(held(office.see(office.ann, Kind.EVENT, ref))) == 3


def test_an_edit_leaves_the_files_and_cannot_invent_any(office: Office) -> None:
    ref = office.create(office.ann, office.event(attachments=(LINK,))).ref
    uri = hang(office, office.ann, ref, "a", b"a")
    before = office.see(office.ann, Kind.EVENT, ref)
    forged = Attachment(uri=f"{STORED}elsewhere", name="forged")
    office.edit(office.ann, before, attachments=(forged,), title="other")
    after = office.see(office.ann, Kind.EVENT, ref)
    assert [one.uri for one in held(after)] == [uri]
    made = office.create(office.ann, office.event(attachments=(forged, LINK)))
    assert held(made) == (LINK,)


def test_a_file_that_is_taken_off_leaves_its_bytes_until_the_record_is_erased(
    office: Office,
) -> None:
    ref = office.create(office.ann, office.event()).ref
    uri = hang(office, office.ann, ref, "a", b"a")
    with office.crm.open(office.ann) as session:
        session.detach("", Kind.EVENT, ref, uri)
        session.detach("", Kind.EVENT, ref, uri)
        assert held(office.see(office.ann, Kind.EVENT, ref)) == ()
        with pytest.raises(Gone):
            list(session.open_file("", Kind.EVENT, ref, uri))
    assert rows(office, ref) == 1
    office.admin.erase(Kind.EVENT, ref)
    assert rows(office, ref) == 0


def test_only_who_may_change_a_record_changes_its_files(office: Office) -> None:
    ref = office.create(office.ann, office.event(office.bob)).ref
    uri = hang(office, office.ann, ref, "a", b"a")
    assert content(office, office.bob, ref, uri) == b"a"
    with pytest.raises(Denied):
        hang(office, office.bob, ref, "b", b"b")
    with pytest.raises(Denied), office.crm.open(office.bob) as session:
        session.detach("", Kind.EVENT, ref, uri)
    for call in (lambda: content(office, office.carl, ref, uri),):
        with pytest.raises((Denied, Gone)):
            call()
    assert len(held(office.see(office.ann, Kind.EVENT, ref))) == 1


def test_a_file_of_another_record_is_not_given_out(office: Office) -> None:
    mine, theirs = (office.create(user, office.event()).ref for user in (office.carl, office.ann))
    uri = hang(office, office.ann, theirs, "a", b"a")
    with pytest.raises(Gone):
        content(office, office.carl, mine, uri)


def test_too_much_on_one_record_is_refused(office: Office, monkeypatch: Any) -> None:
    monkeypatch.setattr(room, "ROOM", 10)
    ref = office.create(office.ann, office.event()).ref
    hang(office, office.ann, ref, "a", b"123456")
    with pytest.raises(Rejected, match="may have 10 bytes"):
        hang(office, office.ann, ref, "b", b"12345")
    with pytest.raises(Gone):
        hang(office, office.ann, "nowhere", "b", b"1")
    assert [one.name for one in files(held(office.see(office.ann, Kind.EVENT, ref)))] == ["a"]
