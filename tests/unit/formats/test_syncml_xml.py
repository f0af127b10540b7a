"""SyncML as XML: written as real peers want it, and hostile texts refused at a bounded cost."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from lxml import etree

from accord.formats.syncml import Limits, Malformed, StatusCode, Version, clean, xml
from accord.formats.syncml import message as m
from tests.unit.formats.messages import DATA, adding, message

MEGABYTE = 1_000_000
PLAIN = xml.encode(adding("x"))


def data_of(found: m.Message) -> object:
    """Return the data of the one item of `adding`."""
    sync = found.body[0]
    assert isinstance(sync, m.Sync)
    add = sync.commands[0]
    assert isinstance(add, m.Add)
    return add.items[0].data


def holding(data: bytes) -> bytes:
    """Return a text whose one item holds this, as it stands."""
    return PLAIN.replace(b"<Data>x<", b"<Data>" + data + b"<")


def refused(data: bytes, limits: Limits | None = None) -> Malformed:
    with pytest.raises(Malformed) as caught:
        xml.decode(data, limits or Limits())
    assert len(str(caught.value)) < 600
    return caught.value


def peak(read: Callable[[], object]) -> int:
    """Return how many bytes a call needs at most, and let it refuse."""
    tracemalloc.start()
    try:
        read()
    except Malformed:
        pass
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return most


def test_peers_get_what_they_can_read():
    """Prefixes, a missing name space or character references end the talk with some of them."""
    text = xml.encode(adding("Zoë 😀 <&> \r\n ]]>")).decode()
    assert text.startswith(
        '<?xml version="1.0" encoding="UTF-8"?><SyncML xmlns="SYNCML:SYNCML1.2">'
    )
    assert "Zoë 😀 &lt;&amp;&gt; \r\n ]]&gt;</Data>" in text
    assert '<Meta><Type xmlns="syncml:metinf">text/vcard</Type></Meta>' in text
    assert "&#" not in text
    assert "<!" not in text
    root = etree.fromstring(text.encode())
    assert root.nsmap == {None: "SYNCML:SYNCML1.2"}
    assert {element.prefix for element in root.iter()} == {None}


@pytest.mark.parametrize("version", list(Version))
def test_the_root_names_the_version(version: Version):
    root = etree.fromstring(xml.encode(message(version=version)))
    assert root.tag == f"{{SYNCML:SYNCML{version}}}SyncML"


@given(DATA)
def test_data_passes_to_the_byte(data: str):
    """CR too: sizes count it, and a part may end between CR and LF."""
    assert data_of(xml.decode(xml.encode(adding(data)))) == data


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\ufffe", "\ud800"])
def test_what_xml_can_not_hold_is_refused_with_its_place(character: str):
    with pytest.raises(Malformed) as caught:
        xml.encode(adding(f"a{character}b"))
    assert str(caught.value) == (
        "SyncML/SyncBody/Sync 1/Add 2/Item/Data: "
        f"the text has U+{ord(character):04X}, which XML can't hold"
    )
    text, reason = clean(f"a{character}b")
    assert text == "ab"
    assert reason == f"left out what XML can't hold: U+{ord(character):04X}"
    assert data_of(xml.decode(xml.encode(adding(text)))) == "ab"


def test_what_xml_can_hold_is_not_cleaned():
    assert clean("a\t\r\n\x7f\x85é😀") == ("a\t\r\n\x7f\x85é😀", "")


def test_data_that_is_no_text_is_refused():
    with pytest.raises(Malformed, match="Add 2/Item/Data: the data isn't text"):
        xml.encode(adding(m.Binary(b"\xff")))


SAME = {
    "no name space": PLAIN.replace(b' xmlns="SYNCML:SYNCML1.2"', b""),
    "another": PLAIN.replace(b"SYNCML:SYNCML1.2", b"urn:x"),
    "prefixes": PLAIN.replace(b"<", b"<s:")
    .replace(b"<s:/", b"</s:")
    .replace(b"<s:?", b"<?")
    .replace(b" xmlns=", b" xmlns:s="),
    "prefixes of nothing": PLAIN.replace(b"<Sync>", b"<q:Sync>").replace(b"</Sync>", b"</q:Sync>"),
    "a mark": b"\xef\xbb\xbf" + PLAIN,
    "no declaration": PLAIN.partition(b"?>")[2],
    "ascii": PLAIN.replace(b"UTF-8", b"us-ascii"),
    "a plain document type": PLAIN.replace(
        b"?>", b"?>\n<!DOCTYPE SyncML PUBLIC '-//SYNCML//DTD SyncML 1.2//EN' \"file:///etc/x\">\n"
    ),
    "comments": PLAIN.replace(b"?>", b"?><!-- <!DOCTYPE a [ --><?p i?>").replace(
        b"<Sync>", b"<!-- <Sync> --><Sync><?p i?>"
    ),
    "space": PLAIN.replace(b"><", b">\r\n  <"),
    "space in tags": PLAIN.replace(b"<Sync>", b"<Sync\r\n>"),
    "in CDATA": PLAIN.replace(b"<Data>x<", b"<Data><![CDATA[x]]><"),
    "in pieces": PLAIN.replace(b"<Data>x<", b"<Data><![CDATA[]]><!-- y -->&#120;<"),
    "wrapped": PLAIN.replace(b"<Meta>", b"<Meta><MetInf xmlns='syncml:metinf'>").replace(
        b"</Meta>", b"<EMI>datapos=7</EMI></MetInf></Meta>"
    ),
    "more than we know": PLAIN.replace(b"<Item>", b"<Later><Deep/></Later><Item a='b'>"),
}


@pytest.mark.parametrize("name", sorted(SAME))
def test_other_spellings_mean_the_same(name: str):
    assert xml.decode(SAME[name]) == adding("x")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"<![CDATA[a\r\nb]]>\r\n&lt;&#13;", "a\r\nb\r\n<\r"),
        (b"a\rb\nc", "a\rb\nc"),
        (b"\xef\xa0\x80\r\n", "\uf800\r\n"),
        (
            b"<p xmlns='urn:x' a='1&lt;'>a<b>c</b>d&amp;</p>",
            '<p xmlns="urn:x" a="1&lt;">a<b>c</b>d&amp;</p>',
        ),
        (b"", ""),
    ],
)
def test_data_is_taken_as_it_stands(data: bytes, expected: str):
    assert data_of(xml.decode(holding(data))) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"K\xc3",  # of an ö
        b"\xb6ln\r\n\xe2\x82",
        b"\xff",
        b"\xed\xa0\x80",  # a surrogate
        "\U000f0000\U000f007f".encode() + b"\x80",
    ],
)
def test_a_part_of_a_character_stays_what_it_is(data: bytes):
    for text in (data, b"<![CDATA[" + data + b"]]>"):
        assert data_of(xml.decode(holding(text))) == m.Binary(data)


LAUGHS = b"<!DOCTYPE SyncML [<!ENTITY a 'ha'>" + b"".join(
    b"<!ENTITY %c '%s'>" % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
)
HOSTILE: dict[str, tuple[bytes, str]] = {
    "entities": (PLAIN.replace(b"?>", b"?>" + LAUGHS + b"]>"), "document type"),
    "a file": (
        PLAIN.replace(b"?>", b"?><!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"),
        "document type",
    ),
    "parameters": (
        PLAIN.replace(b"?>", b"?><!DOCTYPE a [<!ENTITY % x SYSTEM 'http://x/'>%x;]>"),
        "document type",
    ),
    "hidden by a comment": (
        PLAIN.replace(b"?>", b"?><!-- <a> --><!DOCTYPE a [<!ENTITY x 'y'>]>"),
        "document type",
    ),
    "two document types": (
        PLAIN.replace(b"?>", b"?><!DOCTYPE a><!DOCTYPE b [<!ENTITY x 'y'>]>"),
        "document type",
    ),
    "a document type inside": (holding(b"<!DOCTYPE a [<!ENTITY x 'y'>]>"), "well-formed"),
    "an unknown entity": (holding(b"&x;"), "Entity 'x' not defined"),
    "NUL": (holding(b"\0"), "NUL"),
    "a NUL reference": (holding(b"&#0;"), "well-formed"),
    "a control character": (holding(b"\x0b"), "well-formed"),
    "no UTF-8": (
        PLAIN.replace(b"<LocURI>1<", b"<LocURI>\xff<"),
        "Sync 1/Add 2/Item/LocURI: the text isn't UTF-8",
    ),
    "no UTF-8 in a header": (
        PLAIN.replace(b"MsgID>1<", b"MsgID>\xff<"),
        "SyncHdr/MsgID: the text isn't UTF-8",
    ),
    "no UTF-8 in a name": (PLAIN.replace(b"<Item>", b"<It\xe9m>"), "well-formed"),
    "no UTF-8 in an attribute": (PLAIN.replace(b"<Item>", b"<Item a='\xe9'>"), "isn't UTF-8"),
    "no UTF-8 between elements": (holding(b"<b/>\xff"), "isn't UTF-8"),
    "no UTF-8 beside markup": (holding(b"\xff<b/>"), "isn't UTF-8"),
    "no UTF-8 and no room": (
        holding("".join(map(chr, range(0xF0000, 0xF1000))).encode() + b"\xff"),
        "isn't UTF-8",
    ),
    "another encoding": (PLAIN.replace(b"UTF-8", b"iso-8859-1"), "iso-8859-1"),
    "UTF-16": (PLAIN.decode().encode("utf-16"), "isn't UTF-8|NUL"),
    "UTF-32": (PLAIN.decode().encode("utf-32"), "isn't UTF-8|NUL"),
    "nothing": (b"", "well-formed"),
    "space": (b" \r\n", "well-formed"),
    "no XML": (b"BEGIN:VCARD\r\n", "well-formed"),
    "binary": (b"\x02\xa4\x01j\x00ml", "NUL"),
    "a second root": (PLAIN + b"<a/>", "well-formed"),
    "another root": (b"<SOAP/>", "SOAP: the root isn't SyncML"),
    "device information alone": (b"<DevInf xmlns='syncml:devinf'/>", "the root isn't SyncML"),
    "no header": (b"<SyncML><SyncBody/></SyncML>", "SyncHdr: is missing"),
    "no body": (PLAIN.partition(b"<SyncBody>")[0] + b"</SyncML>", "SyncBody: is missing"),
    "no session": (PLAIN.replace(b"SessionID>", b"Session>"), "SyncHdr/SessionID: is missing"),
    "an empty number": (PLAIN.replace(b"MsgID>1<", b"MsgID><"), "SyncHdr/MsgID: is missing"),
    "no CmdID": (PLAIN.replace(b"<CmdID>2</CmdID>", b""), "SyncBody|Add: CmdID|CmdID: is missing"),
    "a bad size": (
        PLAIN.replace(b"<Type", b"<Size>-1</Size><Type"),
        "Sync 1/Add 2/Meta/Size: '-1' is no number",
    ),
    "digits of others": (
        PLAIN.replace(b"<Type", "<Size>\u0661</Size><Type".encode()),
        "Meta/Size: '\u0661' is no number",
    ),
    "a long word": (
        PLAIN.replace(b"<LocURI>1<", b"<LocURI>" + b"1" * 9000 + b"<"),
        "Sync 1/Add 2/Item/LocURI: the text has 9,000 characters",
    ),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_texts_are_refused_in_plain_words(name: str):
    data, reason = HOSTILE[name]
    refusal = refused(data)
    assert refusal.status == StatusCode.BAD_REQUEST
    with pytest.raises(Malformed, match=reason):
        xml.decode(data)
    assert peak(lambda: xml.decode(data)) < MEGABYTE


@pytest.mark.parametrize("at", range(len(PLAIN.partition(b"<SyncBody>")[0]) + 10, len(PLAIN), 7))
def test_a_cut_message_still_names_its_sender(at: int):
    refusal = refused(PLAIN[:at])
    assert refusal.header == adding("x").header
    assert refusal.line == 1


@pytest.mark.parametrize("version", ["1.3", "2.0", "0", "1.2.2", "x" * 5000])
def test_an_unknown_version_can_be_answered(version: str):
    data = PLAIN.replace(b"VerDTD>1.2<", f"VerDTD>{version}<".encode())
    refusal = refused(data)
    assert refusal.status == StatusCode.DTD_VERSION_NOT_SUPPORTED
    assert refusal.header == adding("x").header
    assert refusal.prop == "SyncHdr/VerDTD"


def test_an_unknown_protocol_can_be_answered():
    refusal = refused(PLAIN.replace(b"SyncML/1.2", b"DM/1.2"))
    assert refusal.status == StatusCode.PROTOCOL_VERSION_NOT_SUPPORTED
    assert refusal.header == adding("x").header


def test_100_megabytes_are_refused_without_a_copy():
    data = holding(b"x" * 100 * MEGABYTE)
    assert refused(data).status == StatusCode.REQUEST_ENTITY_TOO_LARGE
    assert peak(lambda: xml.decode(data)) < MEGABYTE


BULKY = {
    "deep": holding(b"<a>" * 100_000),
    "deep and closed": holding(b"<a>" * 100_000 + b"</a>" * 100_000),
    "elements": holding(b"<a/>" * 300_000),
    "commands": PLAIN.replace(b"</Sync>", b"<A><CmdID>1</CmdID></A>" * 60_000 + b"</Sync>"),
    "items": PLAIN.replace(b"</Add>", b"<Item/>" * 60_000 + b"</Add>"),
    "map items": PLAIN.replace(
        b"<Final",
        b"<Map><CmdID>1</CmdID><Target><LocURI/></Target><Source><LocURI/></Source>"
        + b"<MapItem><Target><LocURI/></Target><Source><LocURI/></Source></MapItem>" * 51_000
        + b"</Map><Final",
    ),
}


@pytest.mark.parametrize("name", sorted(BULKY))
def test_bulk_is_refused_before_it_costs(name: str):
    refusals = []
    assert peak(lambda: refusals.append(refused(BULKY[name]))) < 150 * MEGABYTE
    refusal = refusals[0]
    assert refusal.status == StatusCode.REQUEST_ENTITY_TOO_LARGE
    assert refusal.header == adding("x").header


ODD = {
    "one item": b"x" * 3 * MEGABYTE,
    "carriage returns": b"\r" * 3 * MEGABYTE,
    "references": b"&#120;" * 500_000,
    "sections": b"<![CDATA[x]]>" * 250_000,
    "comments": b"<!---->" * 500_000,
    "words of another tongue": "ж😀".encode() * 500_000,
}


@pytest.mark.parametrize("name", sorted(ODD))
def test_memory_follows_the_size(name: str):
    data = holding(ODD[name])
    assert peak(lambda: xml.decode(data)) < 60 * MEGABYTE
    found = xml.decode(data)
    assert peak(lambda: xml.encode(found)) < 60 * MEGABYTE
    assert xml.decode(xml.encode(found)) == found


@pytest.mark.parametrize("start", [b"<!--", b"<?", b"<!DOCTYPE a '", b"<!DOCTYPE ", b" " * 9])
def test_a_prolog_without_end_costs_one_pass(start: bytes):
    data = start + b"<!-- - " * 400_000
    assert peak(lambda: xml.decode(data)) < 30 * MEGABYTE
    refused(data)


def test_writing_is_bounded_too():
    command: m.Command = m.Add(cmd_id="1")
    for _ in range(70):
        command = m.Atomic(cmd_id="1", commands=(command,))
    with pytest.raises(Malformed, match="deep"):
        xml.encode(message(command))


@pytest.mark.parametrize("name", ["a b", "", "1a", "a>b", "é:x"])
def test_a_name_can_not_break_out(name: str):
    with pytest.raises(Malformed, match="no name of an element"):
        xml.encode(message(m.Unknown(cmd_id="1", name=name)))
