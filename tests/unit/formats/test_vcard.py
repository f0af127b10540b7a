"""What a card says reaches the contact, and what the contact can't say survives beside it."""

from __future__ import annotations

import base64
import quopri
from datetime import UTC, datetime

import msgspec
import pytest
import vobject
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.formats import vcard
from accord.formats.errors import Refused
from accord.formats.limits import Limits
from accord.model.item import Contact, Mailto, Phone, PostalAddress
from accord.model.parts import Attachment, Privacy
from tests.fuzz.tally import RecordProperty, note
from tests.strategies import texts, words

replace = msgspec.structs.replace


def card(*lines: str, version: str = "3.0") -> bytes:
    """Return a card."""
    head = ("BEGIN:VCARD", f"VERSION:{version}", "UID:u", "FN:John Doe")
    return "\r\n".join([*head, *lines, "END:VCARD", ""]).encode()


def contact(*lines: str, version: str = "3.0") -> Contact:
    """Return the contact of a card."""
    return vcard.decode(card(*lines, version=version))


def written(item: Contact, **more: str) -> list[str]:
    """Return the content lines of a contact, unfolded."""
    return vcard.encode(item, **more).decode().replace("\r\n ", "").split("\r\n")  # type: ignore[arg-type]


APPLE = (
    "N:Doe;John;Philip,Paul;Dr.;Jr.,M.D.",
    "ORG:ACME\\, Inc.;Sales;Europe",
    "item1.EMAIL;type=INTERNET;type=pref:john@x.example",
    "item1.X-ABLabel:_$!<Main>!$_",
    "EMAIL;TYPE=INTERNET,HOME:j@y.example",
    "TEL;type=CELL;type=VOICE;type=HOME:+1 555",
    "item2.ADR;TYPE=WORK:;;Street 1;City;;123;DE",
    "item2.X-ABADR:de",
    "BDAY;X-APPLE-OMIT-YEAR=1604:1604-03-01",
    "X-SOCIALPROFILE;TYPE=x:https://x.example/john",
    "NOTE:Hello\\nWorld\\, x",
    "CATEGORIES:Friends,Work",
)


def test_a_card_of_a_phone_is_understood():
    item = contact(*APPLE)
    assert (item.family, item.given, item.middle) == ("Doe", "John", "Philip Paul")
    assert (item.prefix, item.suffix) == ("Dr.", "Jr. M.D.")
    assert (item.organization, item.department) == ("ACME, Inc.", "Sales")
    assert item.mails == (
        Mailto(address="john@x.example", type="other", preferred=True),
        Mailto(address="j@y.example", type="home"),
    )
    assert item.phones == (Phone(number="+1 555", type="home", features=("voice", "cell")),)
    assert item.addresses == (
        PostalAddress(street="Street 1", locality="City", postcode="123", country="DE"),
    )
    assert (item.birthday, item.notes) == ("--03-01", "Hello\nWorld, x")
    assert item.categories == ("Friends", "Work")


def test_what_nobody_touched_is_written_as_it_was_read():
    item = replace(contact(*APPLE), notes="new", given="Jane")
    lines = written(item)
    kept = ["item1.EMAIL;TYPE=INTERNET,pref:john@x.example", "item1.X-ABLABEL:_$!<Main>!$_"]
    kept += ["ORG:ACME\\, Inc.;Sales;Europe", "item2.X-ABADR:de", "TEL;TYPE=CELL,VOICE,HOME:+1 555"]
    kept += ["BDAY;X-APPLE-OMIT-YEAR=1604:1604-03-01", "NOTE:new"]
    kept += ["N:Doe;Jane;Philip Paul;Dr.;Jr. M.D.", "CATEGORIES:Friends,Work"]
    assert set(kept) <= set(lines)


def test_a_label_goes_with_the_address_it_belongs_to():
    item = contact(*APPLE)
    lines = written(replace(item, mails=item.mails[1:]))
    assert not any("ABLABEL" in line or "john@" in line for line in lines)
    assert "item2.X-ABADR:de" in lines


def test_a_changed_address_keeps_its_group_and_parameters():
    item = contact("item1.TEL;TYPE=WORK,X-DESK;X-P=3:+1 556", "item1.X-ABLabel:Desk")
    phone = replace(item.phones[0], type="home", preferred=True)
    (line,) = [x for x in written(replace(item, phones=(phone,))) if ".TEL" in x]
    assert line == "item1.TEL;TYPE=HOME,PREF,x-desk;X-P=3:+1 556"


@pytest.mark.parametrize("version", ["3.0", "4.0"])
@pytest.mark.parametrize(
    "line",
    [
        "X-A:b",
        "X-A;B=c:d",
        "g1.X-A:b",
        "IMPP;TYPE=work:xmpp:a@b.example",
        "FN;LANGUAGE=de:Herr Doe",
        "TITLE;LANGUAGE=de:Chef",
        "EMAIL;TYPE=school:a@b.example",
        "URL;TYPE=work:https://x.example/",
        "BDAY:1985-04",
        "BDAY;VALUE=text:circa 1800",
        "BDAY:1953-10-15T23:10:00Z",
        "NICKNAME:Jim,Jimmie",
        "ADR;LABEL=Here:;;Street 1,2nd floor;City;;;",
        "CLASS:X-OWN",
    ],
)
def test_what_the_model_does_not_know_survives(line: str, version: str):
    item = contact(line, version=version)
    assert line in written(item)
    assert vcard.decode(vcard.encode(item)) == item
    assert f"VERSION:{version}" in written(item)


@pytest.mark.parametrize(
    ("line", "birthday"),
    [
        ("BDAY:1985-04-12", "1985-04-12"),
        ("BDAY:19850412", "1985-04-12"),
        ("BDAY:--0412", "--04-12"),
        ("BDAY:--04-12", "--04-12"),
        ("BDAY:19531015T231000Z", "1953-10-15"),
        ("BDAY:1985", ""),
        ("BDAY:1985-02-30", ""),
        ("BDAY:soon", ""),
    ],
)
def test_a_birthday_in_any_spelling(line: str, birthday: str):
    assert contact(line).birthday == birthday


def test_a_picture_is_a_digest_and_changes_its_spelling_with_the_version():
    content = base64.b64encode(b"picture").decode()
    old = f"PHOTO;ENCODING=b;TYPE=JPEG:{content}"
    new = f"PHOTO:data:image/jpeg;base64,{content}"
    item = contact(old)
    assert item.photo is not None
    assert (item.photo.size, item.photo.media_type) == (7, "image/jpeg")
    assert old in written(item)
    assert new in written(item, version="4.0")
    other = contact(new, version="4.0").photo
    assert other is not None
    assert other.digest == item.photo.digest
    assert old not in written(replace(item, photo=None))
    uri = replace(item, photo=Attachment(uri="https://x.example/p"))
    assert "PHOTO;VALUE=uri:https://x.example/p" in written(uri)
    held = replace(item, photo=Attachment(uri="stored:1", digest="another"))
    assert not any(line.startswith("PHOTO") for line in written(held))
    with pytest.raises(Refused, match="larger"):
        vcard.read(card(old), limits=Limits(inline=3))


def test_a_broken_picture_is_no_reason_to_refuse_a_person():
    item = contact("PHOTO;ENCODING=b;TYPE=PNG:A")
    assert item.photo is not None
    assert "PHOTO;ENCODING=b;TYPE=PNG:A" in written(item)


def test_a_card_without_a_name_gets_one_that_is_known_to_be_made_up():
    item = Contact(uid="u", organization="ACME")
    assert "FN;DERIVED=TRUE:ACME" in written(item)
    assert vcard.decode(vcard.encode(item)) == item


@pytest.mark.parametrize(
    "data",
    [
        b"N;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller;J=F6rg",
        b"N;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:M=C3=BCll=\r\ner;J=C3=B6rg",
        b"N;QUOTED-PRINTABLE;CHARSET=UTF-8:M=C3=BCller;J=C3=B6rg",
        b"N;CHARSET=ISO-8859-1:M\xfcller;J\xf6rg",
        "N;CHARSET=UTF-8:Müller;Jörg".encode(),
        b"N;CHARSET=X-UNKNOWN;ENCODING=QUOTED-PRINTABLE:M=FCller;J=F6rg",
    ],
)
def test_old_cards_and_their_encodings_are_read(data: bytes):
    text = b"BEGIN:VCARD\r\nVERSION:2.1\r\n" + data + b"\r\nTEL;HOME;VOICE:1\r\nEND:VCARD\r\n"
    item = vcard.decode(text)
    assert (item.family, item.given) == ("Müller", "Jörg")
    assert item.phones == (Phone(number="1", type="home", features=("voice",)),)
    assert vcard.decode(vcard.encode(item)) == item


def test_marker_revision_and_privacy_stand_where_they_belong():
    lines = ("X-ACCORD-ID:main/contact/7", "REV:2026-01-05T10:00:00Z", "CLASS:PRIVATE", "PRODID:x")
    found = vcard.read(card(*lines))
    assert found.marker == "main/contact/7"
    assert found.modified == datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert found.item.privacy is Privacy.PRIVATE
    assert found.item.extras == {}


def test_a_file_gives_what_it_can_and_names_what_it_refuses():
    data = card("NOTE:a") + card("broken") + card("NOTE:c")
    found = vcard.decode_all(data)
    assert [type(one).__name__ for one in found] == ["Contact", "Refused", "Contact"]
    assert str(found[1]) == "line 11: 'broken' is no property: it has no colon"
    with pytest.raises(Refused, match="3 cards"):
        vcard.read(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"BEGIN:VCARD\r\n",
        b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        b"BEGIN:VCARD\r\nBEGIN:VCARD\r\nEND:VCARD\r\nEND:VCARD\r\n",
    ],
)
def test_nonsense_is_refused(data: bytes):
    with pytest.raises(Refused):
        vcard.read(data)


def test_a_value_can_not_break_out_of_its_line():
    evil = "x\r\nEND:VCARD\r\nBEGIN:VCARD\r\nFN:evil\n"
    extras = {"vcard:X-A": evil, "vcard:X-B": (f"X-B:{evil}",), "vcard:FN": ("@0", f"FN;A={evil}")}
    mails = (Mailto(address=evil, type=evil),)
    item = Contact(uid=evil, full_name=evil, notes=evil, mails=mails, urls=(evil,))
    lines = vcard.encode(item, marker=evil).split(b"\r\n")
    assert lines.count(b"BEGIN:VCARD") == 1
    assert b"FN:evil" not in lines
    lines = vcard.encode(replace(item, extras=extras, mails=()), marker=evil).split(b"\r\n")
    assert lines.count(b"BEGIN:VCARD") == 1


# A generated corpus, with vobject as independent reader of what goes in and what comes out


@st.composite
def cards(draw: st.DrawFn) -> str:
    """Return cards as programs write them, with groups, odd parameters and foreign properties."""
    name = st.text("abcdefg ÄöÜß", min_size=1, max_size=10)
    lines = [f"FN:{draw(name)}", f"N:{draw(name)};{draw(name)};;;"]
    kinds = st.sampled_from(["", ";TYPE=WORK", ";TYPE=home", ";TYPE=INTERNET,PREF", ";type=x-a"])
    for index in range(draw(st.integers(0, 3))):
        group = draw(st.sampled_from(["", f"item{index}."]))
        lines.append(f"{group}EMAIL{draw(kinds)}:a{index}@x.example")
        if group:
            lines.append(f"{group}X-ABLabel:{draw(name)}")
    numbers = range(draw(st.integers(0, 2)))
    lines += [f"TEL{draw(kinds)};X-P={draw(st.integers(0, 9))}:+49 {n}" for n in numbers]
    pieces = draw(st.lists(texts(10).map(_escaped), min_size=7, max_size=7))
    lines.append(f"ADR;TYPE=HOME:{';'.join(pieces)}")
    lines.append(f"NOTE:{_escaped(draw(texts(60)))}")
    lines += draw(st.lists(st.sampled_from(_MORE), unique=True))
    if draw(st.booleans()):
        value = quopri.encodestring(draw(words()).encode(), quotetabs=True).decode()
        lines.append(f"X-QP:{value.replace(chr(10), '')}")
    lines += [f"X-OWN{n}:{_escaped(draw(texts(20)))}" for n in range(draw(st.integers(0, 2)))]
    version = draw(st.sampled_from(["3.0", "4.0"]))
    whole = ["BEGIN:VCARD", f"VERSION:{version}", "UID:u", *lines, "END:VCARD", ""]
    width = draw(st.sampled_from([75, 30, 200]))
    return "\r\n".join(_folded(line, width) for line in whole)


_MORE = (
    "ORG:Müller & Söhne;Sales\\, North",
    "TITLE:Head of Sales",
    "ROLE:Negotiator",
    "NICKNAME:Nora,Nori",
    "BDAY:1980-02-29",
    "ANNIVERSARY:20050607",
    "URL:https://customer.test/a?b=c,d;e",
    "URL;TYPE=HOME:https://home.test/",
    "CATEGORIES:Customer,VIP\\, gold",
    "PHOTO;VALUE=uri:https://customer.test/nora.jpg",
    "LANG:de",
    "TZ:+0100",
    "item9.X-ABDATE;TYPE=pref:2001-02-03",
)


def _folded(line: str, width: int) -> str:
    """Fold as RFC 6350 3.2 allows, here between characters."""
    return "\r\n ".join(line[at : at + width] for at in range(0, len(line), width))


def test_vobject_sees_the_same_card_before_and_after(record_property: RecordProperty):
    whole: set[str] = set()

    @settings(max_examples=150, deadline=None)
    @given(text=cards())
    def same(text: str) -> None:
        item = vcard.decode(text)
        again = vcard.encode(item).decode()
        assert vcard.decode(again) == item
        assert _seen(again) == _seen(text)
        whole.add(text)

    same()
    note(len(whole), "generated vCards keep their meaning, as vobject reads them", record_property)
    assert len(whole) > 100


@settings(max_examples=100, deadline=None)
@given(text=cards(), note=words())
def test_an_edit_changes_nothing_else(text: str, note: str):
    item = replace(vcard.decode(text), notes=note, mails=())
    before, after = _seen(text), _seen(vcard.encode(item).decode())
    for seen in (before, after):
        seen.pop("note", None)
        seen.pop("email", None)
        seen.pop("x-ablabel", None)
    assert before == after


def _seen(text: str) -> dict[str, list[str]]:
    """Return what vobject reads of a card, by property, with parameters and groups."""
    found: dict[str, list[str]] = {}
    for line in vobject.readOne(text).getChildren():
        if line.name not in ("REV", "PRODID"):
            params = sorted((key, sorted(values)) for key, values in line.params.items())
            found.setdefault(line.name.lower(), []).append(f"{line.group} {params} {line.value!s}")
    return {name: sorted(values) for name, values in found.items()}


def _escaped(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;")
    return escaped.replace("\u2028", "").replace("\u2029", "").strip()
