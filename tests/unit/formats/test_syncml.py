"""SyncML messages keep their meaning, in both codecs and as real peers sent them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accord.formats.syncml import AlertCode, Malformed, Media, StatusCode, media, xml
from accord.formats.syncml import message as m
from accord.formats.syncml.devinf import DevInf
from accord.formats.syncml.version import Version
from tests.unit.formats.messages import (
    MESSAGES,
    RECORDED,
    adding,
    by_kind,
    message,
    messages,
    recorded,
)

CODECS = pytest.mark.parametrize("codec", list(Media), ids=["xml", "wbxml"])


@CODECS
@pytest.mark.parametrize("version", list(Version))
@settings(max_examples=60)
@given(data=st.data())
def test_what_is_written_is_read_again(codec: Media, version: Version, data: st.DataObject):
    written = data.draw(messages(version))
    assert codec.decode(codec.encode(written)) == written


@pytest.mark.parametrize("kind", get_args(m.Command))
@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_so_is_every_command(kind: type[m.Command], data: st.DataObject):
    command = data.draw(by_kind(Version.V1_2)[kind])
    written = message(command)
    for codec in Media:
        assert codec.decode(codec.encode(written)) == written


@settings(max_examples=80)
@given(MESSAGES)
def test_a_message_can_be_stored(stored: m.Message):
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(stored), type=m.Message) == stored


@settings(max_examples=80)
@given(MESSAGES)
def test_an_independent_reader_finds_the_same(written: m.Message):
    """Expat and ElementTree know nothing of our tree; they make LF of CR LF, as any parser may."""
    root = ET.fromstring(xml.encode(written))
    space = f"{{{written.header.version.namespace}}}"
    assert root.tag == f"{space}SyncML"
    assert root.findtext(f"{space}SyncHdr/{space}MsgID") == written.header.msg_id
    assert root.findtext(f"{space}SyncHdr/{space}VerProto") == written.header.version.protocol
    body = root.find(f"{space}SyncBody")
    assert body is not None
    names = [child.tag.removeprefix(space) for child in body]
    assert names == [*map(_name, written.body), *(["Final"] if written.final else [])]
    for command, element in zip(written.body, body, strict=False):
        if isinstance(command, m.Add | m.Replace | m.Delete | m.Copy | m.Move):
            found = [each.find(f"{space}Data") for each in element.iter(f"{space}Item")]
            texts = [None if each is None else each.text or "" for each in found if not _xml(each)]
            assert texts == [_folded(data) for data in _texts(command)]
    types = {element.tag for element in root.iter() if element.tag.endswith("}NextNonce")}
    assert types <= {"{syncml:metinf}NextNonce"}


def _name(command: m.Command) -> str:
    return command.name if isinstance(command, m.Unknown) else type(command).__name__


def _xml(element: ET.Element | None) -> bool:
    return element is not None and len(element) > 0


def _texts(command: m.Add | m.Replace | m.Delete | m.Copy | m.Move) -> Iterator[str | None]:
    """Yield data in document order: filters of places have items, too."""
    for item in command.items:
        places = [place.filter for place in (item.target, item.source) if place and place.filter]
        if not isinstance(item.data, m.Anchor):
            assert not isinstance(item.data, m.Binary | DevInf)
            yield item.data
        for narrow in places:
            for inner in (narrow.field, narrow.record):
                if inner:
                    assert isinstance(inner.data, str | None)
                    yield inner.data


def _folded(text: str | None) -> str | None:
    return None if text is None else text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.peer
@recorded(RECORDED)
def test_recorded_messages_are_read(path: Path):
    """Against plain lxml-free paths: every command in order, every item's data, both anchors."""
    data = path.read_bytes()
    found = xml.decode(data)
    tree = ET.fromstring(data)
    for element in tree.iter():
        element.tag = element.tag.rpartition("}")[2]
    body = tree.find("SyncBody")
    assert body is not None
    assert [_name(command) for command in found.body] == [
        child.tag for child in body if child.tag != "Final"
    ]
    assert found.final == (body.find("Final") is not None)
    assert found.header.session_id == tree.findtext("SyncHdr/SessionID")
    assert found.header.source.uri == tree.findtext("SyncHdr/Source/LocURI")
    for command, element in zip(found.body, body, strict=False):
        assert command.cmd_id == element.findtext("CmdID")
        if isinstance(command, m.Sync):
            inner = [child for child in element if child.find("CmdID") is not None]
            assert [_name(each) for each in command.commands] == [child.tag for child in inner]
            for each, child in zip(command.commands, inner, strict=True):
                assert isinstance(each, m.Add | m.Replace | m.Delete)
                assert each.meta is not None
                assert each.meta.type == child.findtext("Meta/Type")
                texts = [_folded(data) for data in _texts(each)]
                assert texts == [item.findtext("Data") for item in child.iter("Item")]
        if isinstance(command, m.Alert):
            assert AlertCode(command.code or 0)
            meta = command.items[0].meta
            assert meta is not None
            assert meta.anchor is not None
            assert meta.anchor.next == element.findtext("Item/Meta/Anchor/Next")
            assert meta.anchor.last == element.findtext("Item/Meta/Anchor/Last")
        if isinstance(command, m.Status):
            assert StatusCode(command.code)
            assert command.code == int(element.findtext("Data") or 0)
        if isinstance(command, m.Put | m.Results):
            assert isinstance(command.items[0].data, DevInf)


@pytest.mark.peer
@CODECS
@recorded(RECORDED)
def test_recorded_messages_are_written_and_read_again(path: Path, codec: Media):
    found = xml.decode(path.read_bytes())
    assert codec.decode(codec.encode(found)) == found


@CODECS
@settings(max_examples=80)
@given(MESSAGES)
def test_a_command_is_as_long_as_measured(codec: Media, written: m.Message):
    """Messages are filled up to MaxMsgSize by this figure: it is never too low."""
    version = written.header.version
    empty = len(codec.encode(msgspec.structs.replace(written, body=())))
    sizes = [codec.measure(command, version) for command in written.body]
    # An empty body is `<SyncBody/>`; names that WBXML has no number for go into a table.
    assert len(codec.encode(written)) <= empty + sum(sizes) + len("<SyncBody></SyncBody>")
    if codec is Media.XML:
        assert len(codec.encode(written)) >= empty + sum(sizes)


@pytest.mark.parametrize(
    ("version", "command"),
    [
        (Version.V1_0, m.Sync(cmd_id="1", number_of_changes=1)),
        (Version.V1_0, m.Add(cmd_id="1", items=(m.Item(data="x", more_data=True),))),
        (Version.V1_0, m.Alert(cmd_id="1", items=(m.Item(meta=m.Meta(max_obj_size=1)),))),
        (Version.V1_1, m.Move(cmd_id="1")),
        (Version.V1_1, m.Sync(cmd_id="1", commands=(m.Move(cmd_id="2"),))),
        (Version.V1_1, m.Add(cmd_id="1", items=(m.Item(target_parent="p"),))),
        (Version.V1_1, m.Add(cmd_id="1", meta=m.Meta(field_level=True))),
        (Version.V1_1, m.Alert(cmd_id="1", correlator="c")),
    ],
)
def test_what_a_version_lacks_is_not_written(version: Version, command: m.Command):
    """[spec] Peers of that version would pass over it, and take half an item for a whole."""
    for codec in Media:
        with pytest.raises(Malformed, match=f"isn't known to SyncML {version}"):
            codec.encode(message(command, version=version))
    assert Media.XML.decode(Media.XML.encode(message(command))).body == (command,)


def test_commands_that_nobody_knows_can_be_answered():
    text = xml.encode(adding("x")).decode()
    text = text.replace("<Sync>", "<Undo><CmdID>9</CmdID><What/></Undo><Sync><Later/>", 1)
    text = text.replace("</Sync>", "<Redo><CmdID>10</CmdID><NoResp/></Redo></Sync>")
    undo, sync = xml.decode(text.encode()).body
    assert undo == m.Unknown(name="Undo", cmd_id="9")
    assert isinstance(sync, m.Sync)
    assert sync.commands[-1] == m.Unknown(name="Redo", cmd_id="10", no_resp=True)
    assert len(sync.commands) == 2


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("application/vnd.syncml+xml", Media.XML),
        ("Application/vnd.SyncML+XML; charset=utf-8", Media.XML),
        ('application/vnd.syncml+wbxml;charset="UTF-8"', Media.WBXML),
    ],
)
def test_the_content_type_names_the_codec(header: str, expected: Media):
    assert media(header) is expected


@pytest.mark.parametrize(
    "header", ["", "text/xml", "application/vnd.syncml+xml; charset=utf-16", "application/vnd"]
)
def test_other_content_types_are_refused(header: str):
    with pytest.raises(Malformed, match="no type of SyncML") as refusal:
        media(header)
    assert refusal.value.status == StatusCode.UNSUPPORTED_MEDIA_TYPE_OR_FORMAT


def test_device_information_has_the_type_of_its_codec():
    assert Media.XML.devinf == "application/vnd.syncml-devinf+xml"
    assert Media.WBXML.devinf == "application/vnd.syncml-devinf+wbxml"


def test_the_names_of_codes():
    assert StatusCode(508).name == "REFRESH_REQUIRED"
    assert StatusCode.CHUNKED_ITEM_ACCEPTED_AND_BUFFERED.success
    assert not StatusCode.MULTIPLE_CHOICES.success
    needed = {101, *range(200, 215), 400, 401, *range(403, 408), *range(409, 421), 424}
    assert needed | {500, 501, 503, 505, 506, *range(508, 515)} <= set(StatusCode)
    assert {100, *range(200, 211), *range(221, 226)} == set(AlertCode)
