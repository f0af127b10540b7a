"""E-mails on devices, with a CRM that has them among its records: every mode, every change.

What the store takes and gives is `message/rfc822`, read and written by `formats.mime`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accord.formats.syncml import message as m
from accord.formats.syncml.devinf import DevInf
from accord.formats.syncml.media import Media
from accord.formats.syncml.message import Item, Location, Meta
from accord.model.item import Mail
from accord.model.kinds import Kind
from accord.model.parts import Body, Person
from tests.unit.interface.phone import LETTER, Phone, codes, header_status, letter, status_for
from tests.unit.interface.world import World, make_world

OTHERWISE = """\
From: zoe@example.com (Zoe)
X-Mailer: a phone's
Subject: =?iso-8859-1?q?Gr=FC=DFe?= an
 alle
Message-Id: <1@example.com>
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe
"""
WITH_FILES = """\
From: zoe@example.com
Subject: The offer
Message-Id: <1@example.com>
Content-Type: multipart/mixed; boundary=A

--A
Content-Type: multipart/related; boundary=B

--B
Content-Type: text/html

<img src="cid:logo">
--B
Content-Type: image/gif
Content-Id: <logo>

GIF
--B--
--A
Content-Type: application/pdf
Content-Disposition: attachment; filename="offer.pdf"

PDF
--A
Content-Type: image/png

PNG
--A
Content-Type: application/pkcs7-signature; name="smime.p7s"
Content-Disposition: attachment

P7S
--A--
"""
ZOE = Person(address="zoe@example.com", name="Zoe")


@pytest.fixture
def world() -> Iterator[World]:
    with make_world("mails") as world:
        yield world


@pytest.fixture(params=list(Media))
def phone(request: pytest.FixtureRequest, world: World) -> Phone:
    return world.phone(store="mail", media_type=LETTER, media=request.param)


def mail(uid: str, subject: str, text: str = "Hello") -> Mail:
    return Mail(uid=uid, subject=subject, sender=ZOE, body=Body(text=text))


def quiet(phone: Phone) -> bool:
    """Tell whether a further sync has nothing to say, either way."""
    since = len(phone.seen)
    mode = phone.sync()
    syncs = [c for reply in phone.seen[since:] for c in reply.body if isinstance(c, m.Sync)]
    return mode == 200 and not phone.codes and not any(one.commands for one in syncs)


def test_the_store_is_there_where_the_crm_has_mails(world: World) -> None:
    for crm, there in (("mails", True), ("memory", False), ("database", False)):
        with make_world(crm) as made:
            phone = made.phone(store="mail", media_type=LETTER)
            reply = phone.begin(200)
            assert codes(reply, "Alert") == [508 if there else 404]
            (own,) = [
                item.data
                for result in reply.body
                if isinstance(result, m.Results)
                for item in result.items
                if isinstance(item.data, DevInf)
            ]
            stores = {one.source_ref: one for one in own.stores}
            assert ("./mail" in stores) == there
    for name in ("./mail", "email", "mail?x=1"):
        other = Phone(world.server, store=name, media_type=LETTER)
        assert codes(other.begin(200), "Alert") == [508]


def test_a_first_sync_compares_everything(world: World, phone: Phone) -> None:
    world.add(mail("1@example.com", "In both"))
    world.add(mail("2@example.com", "In the CRM", "Grüße\n" * 50))
    phone.items = {
        "a": letter("1@example.com", "In both"),
        "b": letter("3@example.com", "On the phone", "no more"),
    }
    assert phone.sync() == 201
    assert phone.codes["b"] == 201
    assert phone.names == world.names(Kind.MAIL) == ["In both", "In the CRM", "On the phone"]
    assert quiet(phone)


def test_changes_go_both_ways(world: World, phone: Phone) -> None:
    kept = world.add(mail("1@example.com", "First"))
    gone = world.add(mail("2@example.com", "Second"))
    world.add(mail("3@example.com", "Third"))
    phone.items = {"a": letter("4@example.com", "Fourth"), "b": letter("5@example.com", "Fifth")}
    phone.sync()
    phone.items["c"] = letter("6@example.com", "Sixth", "Grüße", Cc="ben@example.com")
    del phone.items[phone.luid("Fifth")], phone.items[phone.luid("Third")]
    world.edit(kept, Kind.MAIL, subject="Thirst")
    world.delete(gone, Kind.MAIL)
    world.add(mail("7@example.com", "Seventh"))
    assert phone.sync() == 200
    assert sorted(phone.codes.values()) == [200, 200, 201]
    assert phone.names == world.names(Kind.MAIL) == ["Fourth", "Seventh", "Sixth", "Thirst"]
    found = {item.uid: item for item in mails(world)}
    assert found["6@example.com"].cc == (Person(address="ben@example.com"),)
    assert found["6@example.com"].sender == ZOE
    assert quiet(phone)


@pytest.mark.parametrize(("oem", "code"), [(None, 403), ("Synthesis AG", 419)])
def test_a_mail_stays_as_it_was_sent(world: World, oem: str | None, code: int) -> None:
    ref = world.add(mail("1@example.com", "First"))
    phone = world.phone(store="mail", media_type=LETTER)
    phone.oem = oem
    phone.sync()
    before = world.get(ref, Kind.MAIL)
    (luid,) = phone.items
    phone.items[luid] = phone.items[luid].replace("First", "Thirst").replace("Hello", "Bye")
    phone.sync()
    assert phone.codes == {luid: code}
    assert world.get(ref, Kind.MAIL) == before
    assert phone.names == ["First"], "the device gets it back"
    (note,) = world.notes("refused")
    assert (note.luid, note.ref) == (luid, ref)
    assert "stays as it was sent" in note.why
    assert quiet(phone)


def test_a_mail_with_files_is_refused_rather_than_robbed_of_them(world: World) -> None:
    phone = world.phone(store="mail", media_type=LETTER)
    phone.items = {"1": WITH_FILES.replace("\n", "\r\n"), "2": letter("2@example.com", "Plain")}
    phone.sync()
    assert phone.codes == {"1": 415, "2": 201}
    assert world.names(Kind.MAIL) == ["Plain"]
    (note,) = world.notes("refused")
    assert "offer.pdf, image/png" in note.why
    assert "1" in phone.items, "it stays where it is whole"


def test_a_text_that_is_only_written_otherwise_is_no_change(world: World, phone: Phone) -> None:
    ref = world.add(mail("1@example.com", "Grüße an alle", "Grüße\n"))
    phone.sync()
    before = world.get(ref, Kind.MAIL)
    (luid,) = phone.items
    phone.items[luid] = OTHERWISE.replace("\n", "\r\n")
    phone.sync()
    assert phone.codes == {luid: 200}
    assert world.get(ref, Kind.MAIL) == before
    assert quiet(phone)


@pytest.mark.parametrize("mode", [202, 203, 204, 205])
def test_one_way_is_one_way(world: World, phone: Phone, mode: int) -> None:
    world.add(mail("1@example.com", "Both"))
    phone.sync()
    world.add(mail("2@example.com", "CRM"))
    phone.items["x"] = letter("3@example.com", "Phone")
    assert phone.sync(mode) == mode
    on_phone, in_crm = {
        202: (["Both", "Phone"], ["Both", "CRM", "Phone"]),
        203: (["Both", "Phone"], ["Both", "Phone"]),
        204: (["Both", "CRM", "Phone"], ["Both", "CRM"]),
        205: (["Both", "CRM"], ["Both", "CRM"]),
    }[mode]
    assert phone.names == on_phone
    assert world.names(Kind.MAIL) == in_crm


@pytest.mark.parametrize(
    "bad",
    ["Date: Fri, 31 Dec 9999 23:59:59 -0500\r\n", "To: " + "(" * 3000, "To: " + "a@b," * 30_000],
)
def test_a_mail_that_nobody_can_read_is_refused_alone(world: World, phone: Phone, bad: str) -> None:
    phone.items = {"1": letter("1@example.com", "Good"), "2": f"Subject: Bad\r\n{bad}\r\n\r\nx"}
    phone.items["3"] = letter("3@example.com", "Good, too")
    phone.sync()
    assert phone.codes == {"1": 201, "2": 400, "3": 201}
    assert world.names(Kind.MAIL) == ["Good", "Good, too"]
    assert [note.luid for note in world.notes("refused")] == ["2"]


def test_a_mail_to_anybody_reaches_the_phone(world: World, phone: Phone) -> None:
    for number, address in enumerate(["jörg@müller.de", "zoe@müller.de", "a@[", "(((", ""]):
        to = (Person(address=address, name="Jörg"),)
        world.add(Mail(uid=f"{number}@example.com", subject=f"To {number}", to=to))
    world.add(Mail(uid="a@[", subject="To 5"))
    phone.sync()
    assert phone.names == [f"To {number}" for number in range(6)]
    assert quiet(phone)


def test_large_mails_go_in_parts_both_ways(world: World) -> None:
    phone = world.phone(store="mail", media_type=LETTER, max_message=6_000)
    world.add(mail("1@example.com", "Long", "Grüße an alle\n" * 2_000))
    phone.sync()
    (data,) = phone.items.values()
    phone.begin(200)
    text = letter("2@example.com", "Longer", "word " * 4_000)
    meta, parts = Meta(type=LETTER), [text[at : at + 4_000] for at in range(0, len(text), 4_000)]
    said = status_for(phone.reply)
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        size = Meta(size=len(text)) if number == 0 else None
        item = Item(source=Location("x"), data=part, more_data=not last, meta=size)
        add = m.Add(cmd_id="1", meta=meta, items=(item,))
        reply = phone.post(*said, phone.sync_of([add]), final=last)
        assert (header_status(reply).code, codes(reply, "Add")) == (200, [201 if last else 213])
        said = status_for(reply)
    found = {item.uid: item for item in mails(world)}
    assert found["2@example.com"].body == Body(text="word " * 4_000 + "\n")
    assert found["1@example.com"].body == Body(text="Grüße an alle\n" * 2_000)
    assert len(data) > 20_000


def mails(world: World) -> list[Mail]:
    with world.crm.open("anna") as session:
        pages = list(session.changes("", Kind.MAIL, "", lambda _: {}))
    seen = [getattr(one, "snapshot", None) for page in pages for one in page.observations]
    return [one.item for one in seen if one is not None and isinstance(one.item, Mail)]
