"""The picture in a card: named, not held, put back on every write in the form of its version."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from accord.groupware.dav import DavAdapter, codec, photos
from accord.model.files import files_of
from accord.model.item import Contact
from accord.model.kinds import Kind
from accord.model.parts import STORED, Attachment
from accord.ports.adapter import Ask
from accord.ports.errors import Rejected
from accord.testing.photos import JPEG, PNG
from tests.contract.test_groupware_dav import adapter_for
from tests.peers import Account

TEXT = base64.b64encode(JPEG).decode()
DIGEST = hashlib.sha256(JPEG).hexdigest()
OLD = f"PHOTO;ENCODING=b;TYPE=JPEG:{TEXT}"
NEW = f"PHOTO:data:image/jpeg;base64,{TEXT}"


def card(*lines: str, version: str = "3.0") -> str:
    head = ("BEGIN:VCARD", f"VERSION:{version}", "UID:u", "FN:Ada", "N:;Ada;;;")
    return "\r\n".join([*head, *lines, "END:VCARD", ""])


def rewritten(text: str, item: Contact) -> str:
    none: frozenset[str] = frozenset()
    body = codec.changed_body(
        Kind.CONTACT, text, item, key="", marker="", agents=codec.Agent.KEEP, own=none
    )
    return body.decode().replace("\r\n ", "")


def read(text: str) -> Contact:
    item = codec.decode(Kind.CONTACT, text).item
    assert isinstance(item, Contact)
    return item


@pytest.mark.parametrize(("line", "version"), [(OLD, "3.0"), (NEW, "4.0")])
def test_a_picture_is_named_and_its_bytes_stay_in_the_card(line: str, version: str) -> None:
    text = card(line, "item1.TEL:1", version=version)
    item = read(text)
    assert item.photo == Attachment(
        uri=STORED + DIGEST, media_type="image/jpeg", size=len(JPEG), digest=DIGEST
    )
    assert TEXT not in repr(item)
    changed = Contact(**{**fields(item), "nickname": "Countess"})
    assert line in rewritten(text, changed).splitlines()
    assert "PHOTO" not in rewritten(text, Contact(**{**fields(item), "photo": None}))


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("3.0", f"PHOTO;ENCODING=b;TYPE=PNG:{base64.b64encode(PNG).decode()}"),
        ("4.0", f"PHOTO:data:image/png;base64,{base64.b64encode(PNG).decode()}"),
    ],
)
@pytest.mark.parametrize("media_type", ["image/png", "", "application/octet-stream"])
def test_another_picture_is_written_as_the_card_has_them(
    version: str, wanted: str, media_type: str
) -> None:
    text = card(OLD if version == "3.0" else NEW, version=version)
    given = photos.pictured(read(text), Attachment(media_type=media_type), PNG)
    lines = rewritten(text, given).splitlines()
    assert [line for line in lines if "PHOTO" in line] == [wanted]


def test_the_address_of_a_picture_stays_one() -> None:
    item = read(card("PHOTO;VALUE=uri:https://example.com/ada.jpg"))
    assert item.photo == Attachment(uri="https://example.com/ada.jpg")
    assert files_of(item) == ()


def test_a_person_is_read_however_large_the_picture_is() -> None:
    large = base64.b64encode(b"\xff\xd8\xff" * 1_000_000).decode()
    text = card(f"PHOTO;ENCODING=b;TYPE=JPEG:{large}")
    item = read(text)
    assert item.photo is not None
    assert item.photo.size == 3_000_000
    assert large in rewritten(text, item)


def test_a_broken_picture_is_left_as_it_is_and_not_read() -> None:
    text = card("PHOTO;ENCODING=b;TYPE=PNG:A")
    item = read(text)
    assert item.photo is not None
    with pytest.raises(Rejected, match="can't be read"):
        photos.content_of(item, text, item.photo.uri)
    assert "PHOTO;ENCODING=b;TYPE=PNG:A" in rewritten(text, item)


Put = Callable[[str], tuple[Any, str, str]]


@pytest.fixture
def put(radicale_account: Account) -> Iterator[Put]:
    adapter: DavAdapter = adapter_for(radicale_account)
    with adapter.open(radicale_account.user) as session:

        def lay(text: str) -> tuple[Any, str, str]:
            url = adapter.http.url(f"{radicale_account.contacts}ada.vcf")
            with radicale_account.client() as client:
                headers = {"Content-Type": "text/vcard"}
                client.put(url, content=text.encode(), headers=headers).raise_for_status()
            folder = next(one.id for one in session.folders() if Kind.CONTACT in one.kinds)
            ref = f"{folder}ada.vcf"
            return session, folder, ref

        yield lay
    adapter.close()


def give(session: Any, folder: str, ref: str, content: bytes) -> Any:
    digest = hashlib.sha256(content).hexdigest()
    file = Attachment(media_type="image/png", size=len(content), digest=digest)
    session.attach(folder, Kind.CONTACT, ref, file, io.BytesIO(content))


def test_a_picture_that_a_server_would_cut_is_not_left_there_cut(put: Put) -> None:
    place = put(card("NICKNAME:Countess", version="4.0"))
    with pytest.raises(Rejected, match="doesn't keep a picture"):
        give(*place, PNG)
    session, folder, ref = place
    (found,) = session.fetch(folder, Kind.CONTACT, [Ask(ref=ref)])
    assert (found.snapshot.item.photo, found.snapshot.item.nickname) == (None, "Countess")


def test_what_is_too_large_for_a_card_is_refused(put: Put) -> None:
    with pytest.raises(Rejected, match="2,000,000 bytes"):
        give(*put(card()), bytes(photos.ROOM + 1))
    place = put(card())
    give(*place, bytes(photos.ROOM))
    (found,) = place[0].fetch(place[1], Kind.CONTACT, [Ask(ref=place[2])])
    assert found.snapshot.item.photo.size == photos.ROOM


def fields(item: Contact) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__struct_fields__}
