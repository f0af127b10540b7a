"""E-mails: written as message/rfc822 and read back with all that the CRM keeps."""

from __future__ import annotations

import encodings
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from accord.formats import mime
from accord.formats.errors import Refused
from accord.formats.mime.parts import MOST_GROUPS
from accord.interface.server import render
from accord.interface.server.stores import MAIL
from accord.model.diff import diff
from accord.model.item import Mail
from accord.model.kinds import Kind
from accord.model.parts import Body, BodyType, Person

LETTER = Mail(
    uid="1@example.com",
    subject="Grüße, a rather long subject that no header line would hold in seventy-six columns",
    sent=datetime(2026, 3, 2, 9, tzinfo=UTC),
    sender=Person(address="zoe@example.com", name="Zoë Müller"),
    to=(Person(address="anna@example.com", name="Anna"), Person(address="bob@example.com")),
    cc=(Person(address="carla@example.com", name="Carla, the boss"),),
    in_reply_to="<0@example.com>",
    references=("<0@example.com>",),
    body=Body(text="Ünï\r\ncode\r\n"),
)


@pytest.mark.parametrize("kind", list(BodyType))
def test_a_mail_comes_back_as_it_went(kind: BodyType) -> None:
    mail = replace(LETTER, body=Body(text="Ünï <b>code</b>\n", type=kind))
    text = render.write(mail, MAIL)
    assert text.isascii()
    found = render.read(text, "message/rfc822", Kind.MAIL)
    assert isinstance(found, Mail)
    assert found.uid == mail.uid
    assert diff(mail, found) == ("size",)
    assert found.size == len(text)


def test_a_header_stays_one_header() -> None:
    sly = Mail(uid="2@example.com", subject="Hello\r\nBcc: everybody@example.com")
    found = render.read(render.write(sly, MAIL), "message/rfc822", Kind.MAIL)
    assert isinstance(found, Mail)
    assert (found.bcc, found.subject) == ((), "Hello Bcc: everybody@example.com")


def test_other_types_are_no_mails() -> None:
    with pytest.raises(Refused):
        render.read("BEGIN:VCARD", "text/vcard", Kind.MAIL)
    with pytest.raises(Refused):
        render.read("Date: yesterday-ish\r\n\r\n", "message/rfc822", Kind.MAIL)


def back(mail: Mail) -> Mail:
    found = render.read(render.write(mail, MAIL), "message/rfc822", Kind.MAIL)
    assert isinstance(found, Mail)
    return found


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("zoe@müller.de", "zoe@xn--mller-kva.de"),
        ("zoe@straße.example", "zoe@xn--strae-oqa.example"),
        ("jörg@müller.de", "jörg@müller.de"),
        ("jörg@example.com", "jörg@example.com"),
        ("zoe@-ü-.example", "zoe@-ü-.example"),
        ("Zoë", "Zoë"),
        ("/O=EXAMPLE/CN=ZOE", "/O=EXAMPLE/CN=ZOE"),
    ],
)
def test_addresses_beyond_ascii_are_written_as_mail_programs_take_them(
    address: str, written: str
) -> None:
    person = Person(address=address, name='Zoë "Zo" Müller')
    mail = replace(
        LETTER, sender=person, to=(person, Person(address="bob@example.com", name="B,b"))
    )
    found = back(mail)
    assert found.sender == replace(person, address=written)
    assert found.to == (found.sender, mail.to[1])
    assert (found.subject, found.body) == (LETTER.subject, Body(text="Ünï\ncode\n"))


def test_what_looks_encoded_and_is_not_stays() -> None:
    mail = replace(LETTER, subject="=?utf-8?q?=41?= is how to say A", uid="a@[")
    assert (back(mail).subject, back(mail).uid) == (mail.subject, mail.uid)


def many(number: int) -> str:
    pieces = "--b\r\nContent-Type: image/png\r\n\r\n" * number
    return f"Content-Type: multipart/mixed; boundary=b\r\n\r\n{pieces}"


def deeper(depth: int) -> str:
    return f"Content-Type: multipart/mixed; boundary=b{depth}\r\n\r\n--b{depth}\r\n"


HEAD = "From: zoe@example.com\r\nSubject: Hello\r\n"


@pytest.mark.parametrize(
    "field",
    [
        "Message-ID: <a@[",
        "Message-ID: <a@[]>",
        "To: a@[",
        "To: <<>>@,;:",
        "Content-Type: ;;=",
        "Content-Type: text/plain; charset=nonsense",
        "Content-Type: text/plain; charset=punycode",
        "Content-Type: multipart/mixed",
        "Content-Transfer-Encoding: base65",
        "Subject: =?utf-8?b?A?= =?none?q?=FF?=",
        "X-Other: " + "(" * 5000,
    ],
)
def test_a_field_that_nobody_can_read_leaves_the_rest(field: str) -> None:
    found = mime.read(f"{field}\r\n{HEAD}\r\nHow are you?")
    assert found.sender == Person(address="zoe@example.com")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (HEAD + "Date: Fri, 31 Dec 9999 23:59:59 -0500", "is no date"),
        (HEAD + "Date: soon", "is no date"),
        (HEAD + "To: " + "(" * 3000, "To is nested too deep"),
        (HEAD + "Cc: " + "a:" * 3000, "Cc is nested too deep"),
        (HEAD + "To: " + "a@b," * 50_000, "header is too large"),
        (HEAD + "X: y\r\n" * 2_000, "header is too large"),
        (HEAD + ("X: " + "y" * 90_000 + "\r\n") * 3, "header is too large"),
        (HEAD + "Content-Type: multipart/mixed; boundary=b" + "; a=b" * 200, "too long"),
        (HEAD + "Content-Type: text/plain; charset*=punycode''" + "b" * 4_000, "too long"),
        (HEAD + "Content-Type: text/plain; charset*0=x; charset*=y", "mad number"),
        (HEAD + "To: a:" + "b," * 15_000 + ";", "To is too long for groups"),
        (HEAD + "To: a:" + "b," * 6_000 + "\r\nTo: " + "b," * 6_000, "To is too long for groups"),
        (HEAD + 'To: x@y":' + "b," * 15_000, "To is too long for groups"),
        (HEAD + many(600), "too many parts"),
        (HEAD + "".join(map(deeper, range(30))), "too deep"),
        ("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Zoe\r\nEND:VCARD\r\n", "no e-mail"),
        ("", "no e-mail"),
    ],
)
def test_what_no_mail_needs_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        mime.read(text)


def test_mails_of_people_who_know_many_pass() -> None:
    folded = ",\r\n ".join(f'"Person, {n}" <person.{n}@example.com>' for n in range(2_000))
    found = mime.read(f"{HEAD}To: {folded}\r\n" + "Received: by somebody\r\n" * 200 + "\r\nHi")
    assert len(found.to) == 2_000
    assert found.to[7] == Person(address="person.7@example.com", name="Person, 7")


def grouped(length: int) -> str:
    """Return a mail whose addresses take that room, in a group."""
    return f"{HEAD}To: a:" + "b," * ((length - 3) // 2) + ";"


def test_groups_of_addresses_pass() -> None:
    assert mime.read(HEAD + "To: undisclosed-recipients:;").to == ()
    found = mime.read(HEAD + 'To: "A: b" <a@example.com>, "All" <all@example.com>')
    assert [each.name for each in found.to] == ["A: b", "All"]
    mime.read(grouped(MOST_GROUPS))
    with pytest.raises(Refused, match="too long for groups"):
        mime.read(grouped(MOST_GROUPS + 2))


def test_a_parameter_whose_number_is_too_large_is_refused() -> None:
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(1_000)
    try:
        with pytest.raises(Refused, match="mad number"):
            mime.read(f"{HEAD}Content-Type: text/plain; charset*{'1' * 3_900}*=utf-8\r\n\r\nx")
    finally:
        sys.set_int_max_str_digits(limit)


@pytest.mark.parametrize(
    ("place", "called"),
    [
        ('attachment; filename="an offer.pdf"', "an offer.pdf"),
        ("attachment; FileName=offer.pdf; size=3", "offer.pdf"),
        ("attachment; filename*0=x; filename*=y", "application/pdf"),
        ("attachment; filename*=punycode''" + "b" * 90_000, "application/pdf"),
        ("attachment", "application/pdf"),
    ],
)
def test_files_are_named_as_it_stands_there(place: str, called: str) -> None:
    file = f"Content-Type: application/pdf\r\nContent-Disposition: {place}\r\n\r\nPDF"
    assert mime.files(HEAD + parts(PLAIN + "\r\nHi", file)) == (called,)


def test_a_file_with_a_long_name_passes() -> None:
    name = "".join(f"; name*{n}*={'%E8%AA%9E' * 7}" for n in range(36))
    assert len(name) > 2_500
    mixed = parts(PLAIN + "\r\nHi", f"Content-Type: text/plain{name}\r\n\r\nno")
    assert mime.read(HEAD + mixed).body == Body(text="Hi")


def test_no_codec_is_asked_what_a_parameter_says() -> None:
    """In punycode and such, a little text takes long, and each name that's asked for stays."""
    told = b"Content-Type: text/plain; charset*=utf-16''latin1\r\n\r\n"
    assert mime.read(HEAD.encode() + told + b"Gr\xfc\xdfe").body == Body(text="Grüße")
    for name in ("punycode", "Idna", "idna"):
        found = mime.read(f"{HEAD}Content-Type: text/plain; charset={name}\r\n\r\nxn--mller-kva")
        assert found.body == Body(text="xn--mller-kva")
    mixed = "Content-Type: multipart/mixed; boundary*=punycode''b\r\n\r\n--b\r\n\r\nHi"
    assert mime.read(HEAD + mixed).body == Body(text="Hi")


def test_charsets_that_nobody_knows_are_not_remembered() -> None:
    before = len(encodings._cache)
    for number in range(300):
        for name in (f"none-{number}", "utf" + "-" * (number + 1) + "8"):
            text = f"Subject: =?{name}?q?=C3=BC?=\r\nContent-Type: text/plain; charset={name}"
            assert mime.read(f"{text}\r\n\r\nü").subject == "ü"
    assert len(encodings._cache) < before + 10


@pytest.mark.parametrize(
    ("charset", "data"),
    [
        ("Windows-1252", b"\x80"),
        ("ISO-8859-15", b"\xa4"),
        ("koi8-u", "ї".encode("koi8-u")),
        ("GB18030", "€".encode("gb18030")),
        ("Shift_JIS", "語".encode("shift_jis")),
        ("utf8", "€".encode()),
        ("unicode-1-1-utf-7", "€".encode("utf-7")),
        ("base64", "€".encode()),
        ("idna", "€".encode()),
        ("", "€".encode()),
    ],
)
def test_texts_are_read_in_their_charset(charset: str, data: bytes) -> None:
    head = f"{HEAD}Content-Type: text/plain; charset={charset}\r\n\r\n".encode()
    found = mime.read(head + data)
    assert found.body is not None
    assert found.body.text in ("€", "ї", "語")


def parts(*pieces: str, kind: str = "mixed", boundary: str = "b") -> str:
    body = "".join(f"--{boundary}\r\n{piece}\r\n" for piece in pieces)
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n{body}--{boundary}--\r\n'


PLAIN = "Content-Type: text/plain; charset=iso-8859-1\r\n"
QUOTED = PLAIN + "Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe=\r\n all"
HTML = "Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+SGk8L2I+"
FILE = "Content-Type: text/plain\r\nContent-Disposition: attachment; filename=a\r\n\r\nno"


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@pytest.mark.parametrize(
    ("text", "body"),
    [
        (parts(FILE, QUOTED, HTML), Body(text="Grüße all")),
        (parts(HTML, QUOTED, kind="alternative"), Body(text="Grüße all")),
        (parts(FILE, HTML), Body(text="<b>Hi</b>", type=BodyType.HTML)),
        (
            parts(parts(HTML, FILE, kind="related", boundary="b+2")),
            Body(text="<b>Hi</b>", type=BodyType.HTML),
        ),
        (parts(parts(parts(QUOTED, boundary="x"), boundary="b2")), Body(text="Grüße all")),
        (parts("\r\nno header"), Body(text="no header")),
        (parts(QUOTED).removesuffix("--b--\r\n"), Body(text="Grüße all")),
        (parts(FILE), None),
    ],
)
def test_the_text_is_found_among_the_parts(text: str, body: Body | None, newline: str) -> None:
    found = mime.read((HEAD + text).replace("\r\n", newline))
    if found.body is not None:
        found = replace(found, body=replace(found.body, text=found.body.text.rstrip()))
    assert found.body == body


def calls(text: str) -> int:
    """Return how many calls it takes to read a text, in Python or below, and let it be refused."""
    count = 0

    def profile(_frame: object, what: str, _argument: object) -> None:
        nonlocal count
        count += what in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        mime.read(text)
    except Refused:
        pass
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(
    "make",
    [
        lambda n: HEAD + "To: " + "a@b," * n,
        lambda n: HEAD + "To: " + '"a" <' * n,
        lambda n: HEAD + "To: " + "(a)" * n,
        lambda n: grouped(n * MOST_GROUPS // 4_000),
        lambda n: HEAD + "Subject: " + "=?utf-8?q?a?= " * n,
        lambda n: HEAD + "X: y\r\n" * n,
        lambda n: HEAD + many(n),
        lambda n: HEAD + parts("x" + "--b \r\n--\r\n" * 50 * n),
    ],
)
def test_the_work_grows_with_the_text_and_no_faster(make: Callable[[int], str]) -> None:
    least, most = calls(make(200)), calls(make(4_000))
    assert most < 25 * least
    assert most < 1_500_000
