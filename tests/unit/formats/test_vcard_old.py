"""vCard 2.1 promise by promise: its folds, encodings and bare types, read and written."""

from __future__ import annotations

import base64

import pytest
import vobject

from accord.formats import vcard
from accord.formats.errors import Refused
from accord.model.item import Contact, Extras, Mailto, Phone, PostalAddress
from accord.model.parts import Attachment

PICTURE = base64.b64encode(bytes(range(256))).decode()


def card(*lines: str) -> bytes:
    """Return a card."""
    head = ("BEGIN:VCARD", "VERSION:2.1", "UID:u", "N:Doe;John;;;")
    return "\r\n".join([*head, *lines, "END:VCARD", ""]).encode()


def contact(*lines: str) -> Contact:
    """Return the contact of a card."""
    return vcard.decode(card(*lines))


def written(item: Contact) -> list[str]:
    """Return the lines of a contact's card."""
    return vcard.encode(item, version="2.1").decode().split("\r\n")


def test_a_fold_of_old_keeps_its_white_space():
    assert contact("NOTE:one", "  two", "\tthree").notes == "one  two\tthree"
    new = card("NOTE:one", "  two").replace(b"2.1", b"3.0")
    assert vcard.decode(new).notes == "one two"


def test_each_card_of_a_file_folds_in_its_own_way():
    new = card("NOTE:one", " two").replace(b"2.1", b"3.0")
    found = vcard.decode_all(new + card("NOTE:one", " two") + new)
    assert [one.notes for one in found if isinstance(one, Contact)] == [
        "onetwo",
        "one two",
        "onetwo",
    ]


def test_soft_breaks_join_lines_and_line_ends_are_kept():
    lines = ("NOTE;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:zw=C3=", "=B6lf=0D=0A=", " two =3D")
    assert contact(*lines).notes == "zwölf\n two ="


@pytest.mark.parametrize(
    "lines",
    [
        ("PHOTO;JPEG;ENCODING=BASE64:", f"  {PICTURE[:70]}", f"  {PICTURE[70:]}", ""),
        ("PHOTO;TYPE=JPEG;BASE64:" + PICTURE[:60], PICTURE[60:], ""),
        ("PHOTO;ENCODING=B;TYPE=JPEG:" + PICTURE,),
    ],
)
def test_a_picture_is_read_however_it_is_broken(lines: tuple[str, ...]):
    item = contact(*lines, "NOTE:behind it")
    assert item.photo is not None
    assert (item.photo.size, item.photo.media_type) == (256, "image/jpeg")
    assert item.notes == "behind it"
    again = vcard.decode(vcard.encode(item, version="2.1"))
    assert again == item
    out = written(item)
    at = out.index("PHOTO;JPEG;ENCODING=BASE64:")
    assert out[at + 1].startswith(" ")
    assert "" in out[at + 2 :]
    assert max(map(len, out)) <= 76
    for version in ("3.0", "4.0"):
        other = vcard.decode(vcard.encode(item, version=version)).photo
        assert other is not None
        assert other.digest == item.photo.digest


def test_commas_divide_nothing_but_lists():
    item = contact(
        "FN:Doe, John", "ORG:Doe, Roe;Law, and order;;", "ADR;WORK:;;Street 1, left;City;;;"
    )
    assert item.full_name == "Doe, John"
    assert (item.organization, item.department) == ("Doe, Roe", "Law, and order")
    assert item.addresses == (PostalAddress(street="Street 1, left", locality="City"),)
    assert contact("CATEGORIES:a,b\\,c").categories == ("a", "b,c")
    assert item.extras == {}


def test_bare_types_and_several_of_each():
    item = contact(
        "TEL;HOME;VOICE:1",
        "TEL;WORK;PREF;CELL:2",
        "EMAIL;INTERNET;HOME:a@x.example",
        "EMAIL;INTERNET;WORK;PREF:b@x.example",
        "ADR;HOME:;;1;A;;;",
        "ADR;WORK:;;2;B;;;",
    )
    assert item.phones == (
        Phone(number="1", type="home", features=("voice",)),
        Phone(number="2", type="work", features=("cell",), preferred=True),
    )
    assert item.mails == (
        Mailto(address="a@x.example", type="home"),
        Mailto(address="b@x.example", type="work", preferred=True),
    )
    assert [one.type for one in item.addresses] == ["home", "work"]
    assert {"TEL;HOME;VOICE:1", "EMAIL;INTERNET;WORK;PREF:b@x.example"} <= set(written(item))
    seen = vobject.readOne(vcard.encode(item, version="2.1").decode(), allowQP=True)
    assert [set(one.singletonparams) for one in seen.contents["tel"]] == [
        {"HOME", "VOICE"},
        {"WORK", "CELL", "PREF"},
    ]


def test_only_what_needs_it_is_quoted():
    notes = "two\nlines, a ; and \\ and ="
    item = Contact(uid="u", given="John", family="Dö;e", notes=notes, job_title="Boss; of all")
    lines = written(item)
    assert "TITLE:Boss; of all" in lines
    assert "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:D=C3=B6\\;e;John;;;" in lines
    assert "NOTE;ENCODING=QUOTED-PRINTABLE:two=0D=0Alines, a ; and \\\\ and =3D" in lines
    assert vcard.decode(vcard.encode(item, version="2.1")) == item


def test_what_has_no_word_in_2_1_is_left_out_and_never_made_up():
    item = Contact(uid="u", organization="ACME", birthday="--02-29")
    lines = written(item)
    assert not any(line.startswith(("BDAY", "FN")) for line in lines)
    assert "N:;;;;" in lines


def test_own_fields_and_references_survive():
    item = contact("X-OWN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:gr=C3=BCn", "item1.X-ABC;P=q:r")
    item = vcard.decode(vcard.encode(item, version="2.1"))
    assert item.extras["vcard:X-OWN"] == "grün"
    assert item.extras["vcard:X-ABC"] == ("item1.X-ABC;P=q:r",)
    photo = Contact(uid="u", given="J", photo=Attachment(uri="https://x.example/p"))
    assert "PHOTO;VALUE=URL:https://x.example/p" in written(photo)
    assert vcard.decode(vcard.encode(photo, version="2.1")) == photo


def test_a_value_can_not_break_out_of_its_line():
    evil = "x\r\nEND:VCARD\r\nBEGIN:VCARD\r\nFN:evil\n"
    extras: Extras = {"vcard:X-A": evil, "vcard:X-B": (f"X-B:{evil}",)}
    mails = (Mailto(address=evil, type=evil),)
    item = Contact(uid=evil, full_name=evil, notes=evil, mails=mails, urls=(evil,), extras=extras)
    lines = vcard.encode(item, version="2.1", marker=evil).split(b"\r\n")
    assert lines.count(b"BEGIN:VCARD") == 1
    assert b"FN:evil" not in lines


def test_a_refusal_names_the_line_that_an_editor_shows():
    with pytest.raises(Refused) as refused:
        vcard.read(card("NOTE;QUOTED-PRINTABLE:a=", "b=", "c", "X:1", " 2", "broken"))
    assert refused.value.line == 10
