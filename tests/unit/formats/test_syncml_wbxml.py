"""SyncML as WBXML: libwbxml and real peers mean the same by it, and hostile bytes cost little.

libwbxml runs as a process of its own (`wbxml2xml`, `xml2wbxml`), as some bytes end it.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import assume, given, settings

from accord.formats.syncml import Limits, Malformed, Media, StatusCode, wbxml, xml
from accord.formats.syncml import message as m
from accord.formats.syncml.node import DEVINF, METINF
from accord.formats.syncml.tokens import DEVINF_IDS, SYNCML_IDS, TAGS
from accord.formats.syncml.version import SINCE, Version
from tests.unit.formats.messages import (
    MESSAGES,
    RECORDED_WBXML,
    adding,
    message,
    recorded,
)
from tests.unit.formats.test_syncml_xml import MEGABYTE, data_of, peak

HEAD = b"\x02\xa4\x01\x6a\x00"
PLAIN = wbxml.encode(adding("x"))


@pytest.fixture(scope="module")
def libwbxml() -> Callable[[str, bytes], bytes]:
    """Convert with one of libwbxml's programs, whitespace kept."""
    for name in ("wbxml2xml", "xml2wbxml"):
        if not shutil.which(name):
            pytest.skip(f"{name} is not installed: apt-get install libwbxml2-1 libwbxml2-utils")

    def convert(program: str, data: bytes) -> bytes:
        mode = ["-m", "0"] if program == "wbxml2xml" else ["-v", "1.2"]
        command = [program, "-k", *mode, "-o", "-", "-"]
        done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, (done.returncode, done.stderr[-300:])
        return done.stdout

    return convert


def refused(data: bytes, limits: Limits | None = None) -> Malformed:
    with pytest.raises(Malformed) as caught:
        wbxml.decode(data, limits or Limits())
    assert len(str(caught.value)) < 600
    return caught.value


def as_text(found: m.Message) -> m.Message:
    """Return a message as any XML tool hands it on: LF for line ends, one name for device types."""
    text = msgspec.json.encode(found).decode()
    text = text.replace("\\r\\n", "\\n").replace("\\r", "\\n").replace("devinf+wbxml", "devinf+xml")
    return msgspec.json.decode(text, type=m.Message)


@pytest.mark.peer
@recorded(RECORDED_WBXML)
def test_recorded_messages_mean_what_libwbxml_found(path: Path):
    decoded = path.with_suffix(".decoded.xml").read_bytes()
    assert as_text(wbxml.decode(path.read_bytes())) == as_text(xml.decode(decoded))


@pytest.mark.peer
@recorded([path for path in RECORDED_WBXML if not path.name.startswith("001")])
def test_we_write_the_very_bytes_of_a_real_peer(path: Path):
    """Of all but device information, whose parts that peer has in another order."""
    data = path.read_bytes()
    assert wbxml.encode(wbxml.decode(data)) == data


@pytest.mark.peer
@recorded(RECORDED_WBXML)
def test_libwbxml_reads_what_we_write(path: Path, libwbxml: Callable[[str, bytes], bytes]):
    found = wbxml.decode(path.read_bytes())
    again = xml.decode(libwbxml("wbxml2xml", wbxml.encode(found)))
    assert as_text(again) == as_text(found)


@pytest.mark.peer
@recorded(RECORDED_WBXML)
def test_we_read_what_libwbxml_writes(path: Path, libwbxml: Callable[[str, bytes], bytes]):
    found = wbxml.decode(path.read_bytes())
    again = wbxml.decode(libwbxml("xml2wbxml", xml.encode(found)))
    assert as_text(again) == as_text(found)


@pytest.mark.peer
@settings(max_examples=60)
@given(found=MESSAGES)
def test_libwbxml_and_we_read_each_other(found: m.Message, libwbxml: Callable[[str, bytes], bytes]):
    """Any message but for two faults of libwbxml.

    It writes `]]>` in data as the end of a section, and leaves device information in binary
    unless it stands where phones put it (the recorded messages have it there).
    """
    assume(b'"device_id"' not in msgspec.json.encode(found))
    plain = msgspec.json.encode(found).decode().replace("]]>", "> >").replace("<![CDATA[", "<")
    found = msgspec.json.decode(plain, type=m.Message)
    assert _squeezed(xml.decode(libwbxml("wbxml2xml", wbxml.encode(found)))) == _squeezed(found)


def _squeezed(found: m.Message) -> bytes:
    return msgspec.json.encode(as_text(found))


@pytest.mark.peer
def test_every_number_is_that_of_libwbxml(libwbxml: Callable[[str, bytes], bytes]):
    """One element at a time, each in the version that brought it."""
    for (space, name), (page, number) in TAGS.items():
        if name in ("SyncML", "DevInf") or space == DEVINF:
            continue
        version = SINCE.get(name, Version.V1_2)
        inner = f"<{name} xmlns='{space or version.namespace}'/>"
        text = f"<SyncML xmlns='{version.namespace}'>{inner}</SyncML>"
        switch = bytes([0, page]) if page else b""
        head = b"\x02" + _multibyte(SYNCML_IDS[version]) + b"\x6a\x00\x6d"
        assert libwbxml("xml2wbxml", text.encode()) == head + switch + bytes([number, 1]), name


@pytest.mark.peer
def test_so_are_those_of_device_information(libwbxml: Callable[[str, bytes], bytes]):
    names = [name for space, name in TAGS if space == DEVINF and name != "DevInf"]
    for name in names:
        version = Version.V1_1 if name == "Size" else Version.V1_2
        text = (
            f"<SyncML xmlns='{version.namespace}'><SyncBody><Put><Item><Data>"
            f"<DevInf xmlns='{DEVINF}'><{name}/></DevInf></Data></Item></Put></SyncBody></SyncML>"
        )
        inner = b"\x02" + _multibyte(DEVINF_IDS[version]) + b"\x6a\x00\x4a"
        wanted = inner + bytes([TAGS[DEVINF, name][1], 1])
        assert wanted in libwbxml("xml2wbxml", text.encode()), name


def _multibyte(number: int) -> bytes:
    return bytes([number >> 7 | 0x80, number & 0x7F])


def test_the_first_bytes_name_the_version():
    assert wbxml.encode(message())[:5] == HEAD
    assert wbxml.encode(message(version=Version.V1_1))[:5] == b"\x02\x9f\x53\x6a\x00"
    assert wbxml.encode(message(version=Version.V1_0))[:5] == b"\x02\x9f\x51\x6a\x00"


def test_an_item_can_not_pass_for_commands():
    """Text that looks like markup stays text in every codec and between them."""
    evil = "x]]></Data></Item></Add><Delete><CmdID>9</CmdID></Delete><![CDATA["
    for codec in Media:
        found = codec.decode(codec.encode(adding(evil)))
        assert found == adding(evil)


def test_bytes_that_are_no_text_spoil_only_their_item():
    found = wbxml.decode(PLAIN.replace(b"\xc3\x01x", b"\xc3\x02\xff\xfe"))
    assert data_of(found) == m.Binary(b"\xff\xfe")
    assert wbxml.decode(wbxml.encode(found)) == found
    refusal = refused(PLAIN.replace(b"\x03text/vcard", b"\x03text/vcar\xff"))
    assert str(refusal) == "Sync 1/Add 2/Meta/Type: the text isn't UTF-8"
    assert refusal.header == adding("x").header


SAME = {
    "WBXML 1.3": b"\x03" + PLAIN[1:],
    "WBXML 1.1": b"\x01" + PLAIN[1:],
    "no charset": PLAIN.replace(HEAD, b"\x02\xa4\x01\x00\x00"),
    "ascii": PLAIN.replace(HEAD, b"\x02\xa4\x01\x03\x00"),
    "an unknown public number": PLAIN.replace(HEAD, b"\x02\x01\x6a\x00"),
    "a public name": PLAIN.replace(HEAD, b"\x02\x00\x00\x6a\x05-//X\x00"),
    "a public name without its end": PLAIN.replace(HEAD, b"\x02\x00\x00\x6a\x04-//X"),
    "inline data": PLAIN.replace(b"\xc3\x01x", b"\x03x\x00"),
    "a character": PLAIN.replace(b"\xc3\x01x", b"\x02x"),
    "the string table": PLAIN.replace(HEAD, HEAD[:4] + b"\x05ab\x00x\x00").replace(
        b"\xc3\x01x", b"\x83\x03"
    ),
    "an element by name": PLAIN.replace(HEAD, HEAD[:4] + b"\x05Item\x00").replace(
        b"\x54\x67", b"\x44\x00\x67"
    ),
    "pages switched for nothing": PLAIN.replace(b"\x6a\x4b", b"\x00\x01\x00\x00\x6a\x4b"),
}


@pytest.mark.parametrize("name", sorted(SAME))
def test_other_spellings_mean_the_same(name: str):
    assert name == "WBXML 1.3" or SAME[name] != PLAIN
    assert wbxml.decode(SAME[name]) == adding("x")


def signed(cred: m.Cred) -> m.Message:
    plain = message()
    header = msgspec.structs.replace(plain.header, cred=cred)
    return msgspec.structs.replace(plain, header=header)


@pytest.mark.parametrize("digest", [bytes(range(240, 256)), b"0123456789abcdef", b"\x01" * 16])
def test_a_digest_without_base64_is_one(digest: bytes):
    """SyncML 1.0 puts it into WBXML as it is."""
    plain = signed(m.Cred("DIGEST", m.Meta(type="syncml:auth-md5")))
    data = wbxml.encode(plain).replace(b"\x03DIGEST\x00", b"\xc3\x10" + digest)
    whole = m.Cred(base64.b64encode(digest).decode(), m.Meta(type="syncml:auth-md5", format="b64"))
    assert wbxml.decode(data).header.cred == whole


def test_what_is_no_digest_stays_as_it_is():
    for cred in (
        m.Cred("0123456789abcdef", m.Meta(type="syncml:auth-basic")),
        m.Cred("0123456789abcdef01234567", m.Meta(type="syncml:auth-md5")),
    ):
        assert wbxml.decode(wbxml.encode(signed(cred))).header.cred == cred


HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "ends in the middle"),
    "XML": (xml.encode(adding("x")), "no WBXML"),
    "WBXML 1.0": (b"\x00" + PLAIN[1:], "no WBXML"),
    "another charset": (PLAIN.replace(HEAD, b"\x02\xa4\x01\x04\x00"), "charset is 4"),
    "no root": (HEAD, "ends in the middle"),
    "another root": (HEAD + b"\x05", "Add: the root isn't SyncML"),
    "a second root": (PLAIN + b"\x6d\x01", "bytes follow the end"),
    "an end too many": (HEAD + b"\x01", "ends that didn't begin"),
    "text outside": (HEAD + b"\x03x\x00", "text outside"),
    "an unknown number": (HEAD + b"\x6d\x7f\x01\x01", "no element of code page 0"),
    "an unknown page": (HEAD + b"\x6d\x00\x09\x45\x01\x01", "no element of code page 9"),
    "attributes": (HEAD + b"\xed\x01\x01", "stands for nothing"),
    "an extension": (HEAD + b"\x6d\xc0\x01", "stands for nothing"),
    "an instruction": (HEAD + b"\x6d\x43\x01", "stands for nothing"),
    "no string table": (HEAD + b"\x6d\x83\x00\x01", "no place in the string table"),
    "outside the string table": (
        HEAD[:4] + b"\x02a\x00\x6d\x83\x8f\xff\xff\xff\x7f\x01",
        "no place in the string table",
    ),
    "a table beyond the end": (HEAD[:4] + b"\x8f\xff\xff\xff\x7f\x6d", "ends in the middle"),
    "data beyond the end": (HEAD + b"\x6d\xc3\x8f\xff\xff\xff\x7fx", "ends in the middle"),
    "a string without end": (HEAD + b"\x6d\x03xyz", "has no end"),
    "a number without end": (HEAD + b"\x6d\xc3" + b"\x80" * 99, "more than 32 bits"),
    "no character": (HEAD + b"\x6d\x02\x8f\xff\xff\xff\x7f\x01", "is no character"),
    "a surrogate": (HEAD + b"\x6d\x02\x83\xb0\x00\x01", "is no character"),
    "no name": (HEAD[:4] + b"\x03a>\x00\x6d\x04\x00\x01", "no name of an element"),
    "a control character": (
        PLAIN.replace(b"\x03text/vcard", b"\x03text/vcar\x0b"),
        r"Sync 1/Add 2/Meta/Type: the text has U\+000B",
    ),
    "broken device information": (
        PLAIN.replace(b"\xc3\x01x", b"\xc3\x06\x02\xa4\x03\x6a\x00\x4a"),
        "ends in the middle",
    ),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_bytes_are_refused_in_plain_words(name: str):
    data, reason = HOSTILE[name]
    assert refused(data).status == StatusCode.BAD_REQUEST
    with pytest.raises(Malformed, match=reason):
        wbxml.decode(data)
    assert peak(lambda: wbxml.decode(data)) < MEGABYTE


def test_a_cut_message_still_names_its_sender():
    begin = PLAIN.index(b"phone-1") + 12
    for at in range(begin, len(PLAIN)):
        assert refused(PLAIN[:at]).header == adding("x").header


def _nested_devinf() -> bytes:
    inner = b"x"
    for _ in range(200):
        data = b"\x02\xa4\x03\x6a\x00\x4a\xc3" + _length(len(inner)) + inner + b"\x01"
        inner = data
    return HEAD + b"\x6d\xc3" + _length(len(inner)) + inner + b"\x01"


def _length(number: int) -> bytes:
    return bytes([number >> 14 | 0x80, number >> 7 & 0x7F | 0x80, number & 0x7F])


BULKY = {
    "deep": HEAD + b"\x6d" * 1_000_000,
    "elements": HEAD + b"\x6d" + b"\x05" * 1_000_000 + b"\x01",
    "one string often": HEAD[:4]
    + _length(20_001)
    + b"x" * 20_000
    + b"\0"
    + b"\x6d"
    + b"\x83\x00" * 20_000
    + b"\x01",
    "one long name often": HEAD[:4]
    + b"\x40"
    + b"x" * 63
    + b"\0"
    + b"\x6d"
    + b"\x04\x00" * 90_000
    + b"\x01",
    "devices in devices": _nested_devinf(),
    "bytes": PLAIN + b"x" * 4 * MEGABYTE,
}


@pytest.mark.parametrize("name", sorted(BULKY))
def test_bulk_is_refused_before_it_costs(name: str):
    refusals = []
    assert peak(lambda: refusals.append(refused(BULKY[name]))) < 100 * MEGABYTE
    assert refusals[0].status == StatusCode.REQUEST_ENTITY_TOO_LARGE


@pytest.mark.parametrize("data", ["x" * 3 * MEGABYTE, "\r\n" * MEGABYTE, "ж" * MEGABYTE])
def test_memory_follows_the_size(data: str):
    written = wbxml.encode(adding(data))
    assert peak(lambda: wbxml.decode(written)) < 30 * MEGABYTE
    assert peak(lambda: wbxml.encode(adding(data))) < 30 * MEGABYTE
    assert data_of(wbxml.decode(written)) == data


def test_meta_information_has_its_page():
    assert TAGS[METINF, "Type"] == (1, 0x13)
    assert b"\x5a\x00\x01\x53\x03text/vcard\x00\x01\x01\x00\x00" in PLAIN
