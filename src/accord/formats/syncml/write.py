"""From a message to elements, in the order that the DTDs demand, whichever codec writes them.

What the version of the message doesn't know is Malformed here, before a peer could lose it.
"""

from __future__ import annotations

from collections.abc import Iterator

from accord.formats.syncml import message as m
from accord.formats.syncml.devinf import DevInf
from accord.formats.syncml.errors import Malformed
from accord.formats.syncml.node import METINF, Node, leaf, sign
from accord.formats.syncml.version import Version, check_known
from accord.formats.syncml.write_devinf import write_devinf

_DEPTH = 64


def write(message: m.Message) -> Node:
    """Return the SyncML element; raise Malformed for what its version doesn't know."""
    header, version = message.header, message.header.version
    head = Node(
        "SyncHdr",
        "",
        Node("VerDTD", version.value),
        Node("VerProto", version.protocol),
        Node("SessionID", header.session_id),
        Node("MsgID", header.msg_id),
        _location("Target", header.target),
        _location("Source", header.source),
        leaf("RespURI", header.resp_uri),
        sign("NoResp", header.no_resp),
        _cred(header.cred),
        _meta(header.meta),
    )
    _check(head, version)
    commands = (write_command(command, version) for command in message.body)
    return Node("SyncML", "", head, Node("SyncBody", "", *commands, sign("Final", message.final)))


def write_command(command: m.Command, version: Version) -> Node:
    """Return the element of one command; raise Malformed for what its version doesn't know."""
    node = _command(command, 0)
    _check(node, version)
    return node


def _command(command: m.Command, depth: int) -> Node:
    if depth > _DEPTH:
        raise Malformed(f"commands stand more than {_DEPTH} deep", prop=type(command).__name__)
    name = command.name if isinstance(command, m.Unknown) else type(command).__name__
    return Node(name, "", leaf("CmdID", command.cmd_id or None), *_content(command, depth))


def _content(command: m.Command, depth: int) -> Iterator[Node | None]:
    match command:
        case m.Status():
            yield from _status(command)
        case m.Results():
            yield leaf("MsgRef", command.msg_ref)
            yield Node("CmdRef", command.cmd_ref)
            yield _meta(command.meta)
            yield leaf("TargetRef", command.target_ref)
            yield leaf("SourceRef", command.source_ref)
            yield from _items(command.items)
        case m.Unknown():
            yield sign("NoResp", command.no_resp)
        case m.Map():
            yield sign("NoResp", command.no_resp)
            yield _location("Target", command.target)
            yield _location("Source", command.source)
            yield _cred(command.cred)
            yield _meta(command.meta)
            for pair in command.items:
                target, source = _location("Target", pair.target), _location("Source", pair.source)
                yield Node("MapItem", "", target, source)
        case m.Alert():
            yield sign("NoResp", command.no_resp)
            yield _cred(command.cred)
            yield leaf("Data", command.code)
            yield leaf("Correlator", command.correlator)
            yield from _items(command.items)
        case m.Search():
            yield from _search(command)
        case m.Sync() | m.Atomic() | m.Sequence():
            yield from _group(command, depth)
        case _:
            yield from _on_items(command)


def _status(command: m.Status) -> Iterator[Node | None]:
    yield Node("MsgRef", command.msg_ref)
    yield Node("CmdRef", command.cmd_ref)
    yield Node("Cmd", command.cmd)
    for reference in command.target_refs:
        yield Node("TargetRef", reference)
    for reference in command.source_refs:
        yield Node("SourceRef", reference)
    yield _cred(command.cred)
    if command.chal is not None:
        yield Node("Chal", "", _meta(command.chal.meta))
    yield leaf("Data", int(command.code))
    yield from _items(command.items)


def _search(command: m.Search) -> Iterator[Node | None]:
    yield sign("NoResp", command.no_resp)
    yield sign("NoResults", command.no_results)
    yield _cred(command.cred)
    yield _location("Target", command.target)
    for source in command.sources:
        yield _location("Source", source)
    yield leaf("Lang", command.lang)
    yield _meta(command.meta)
    yield Node("Data", command.data)


def _group(command: m.Sync | m.Atomic | m.Sequence, depth: int) -> Iterator[Node | None]:
    yield sign("NoResp", command.no_resp)
    yield _cred(command.cred)
    if isinstance(command, m.Sync):
        yield _location("Target", command.target)
        yield _location("Source", command.source)
    yield _meta(command.meta)
    if isinstance(command, m.Sync):
        yield leaf("NumberOfChanges", command.number_of_changes)
    for each in command.commands:
        yield _command(each, depth + 1)


def _on_items(
    command: m.Add | m.Replace | m.Delete | m.Copy | m.Move | m.Put | m.Get | m.Exec,
) -> Iterator[Node | None]:
    yield sign("NoResp", command.no_resp)
    if isinstance(command, m.Delete):
        yield sign("Archive", command.archive)
        yield sign("SftDel", command.soft)
    if isinstance(command, m.Put | m.Get):
        yield leaf("Lang", command.lang)
    yield _cred(command.cred)
    yield _meta(command.meta)
    if isinstance(command, m.Exec):
        yield leaf("Correlator", command.correlator)
    yield from _items(command.items)


def _items(items: tuple[m.Item, ...]) -> Iterator[Node]:
    return map(_item, items)


def _item(item: m.Item) -> Node:
    return Node(
        "Item",
        "",
        _location("Target", item.target),
        _location("Source", item.source),
        _parent("SourceParent", item.source_parent),
        _parent("TargetParent", item.target_parent),
        _meta(item.meta),
        _data(item.data),
        sign("MoreData", item.more_data),
    )


def _data(data: str | m.Binary | m.Anchor | DevInf | None) -> Node | None:
    match data:
        case None:
            return None
        case DevInf():
            return Node("Data", "", write_devinf(data))
        case m.Anchor():
            return Node("Data", "", _anchor(data))
        case m.Binary():
            return Node("Data", data.data)
        case _:
            return Node("Data", data)


def _location(name: str, location: m.Location | None) -> Node | None:
    if location is None:
        return None
    where = Node("LocURI", location.uri), leaf("LocName", location.name)
    return Node(name, "", *where, _filter(location.filter))


def _filter(narrow: m.Filter | None) -> Node | None:
    if narrow is None:
        return None
    return Node(
        "Filter",
        "",
        _meta(narrow.meta),
        None if narrow.field is None else Node("Field", "", _item(narrow.field)),
        None if narrow.record is None else Node("Record", "", _item(narrow.record)),
        leaf("FilterType", narrow.kind),
    )


def _parent(name: str, uri: str | None) -> Node | None:
    return None if uri is None else Node(name, "", Node("LocURI", uri))


def _cred(cred: m.Cred | None) -> Node | None:
    return None if cred is None else Node("Cred", "", _meta(cred.meta), Node("Data", cred.data))


def _meta(meta: m.Meta | None) -> Node | None:
    if meta is None:
        return None
    return Node(
        "Meta",
        "",
        sign("FieldLevel", meta.field_level, METINF),
        leaf("Format", meta.format, METINF),
        leaf("Type", meta.type, METINF),
        leaf("Mark", meta.mark, METINF),
        leaf("Size", meta.size, METINF),
        None if meta.anchor is None else _anchor(meta.anchor),
        leaf("Version", meta.version, METINF),
        leaf("NextNonce", meta.next_nonce, METINF),
        leaf("MaxMsgSize", meta.max_msg_size, METINF),
        leaf("MaxObjSize", meta.max_obj_size, METINF),
    )


def _anchor(anchor: m.Anchor) -> Node:
    last, following = leaf("Last", anchor.last, METINF), leaf("Next", anchor.next, METINF)
    return Node("Anchor", "", last, following, ns=METINF)


def _check(node: Node, version: Version) -> None:
    """Check all but device information, which has a version of its own."""
    check_known(node.name, version)
    for child in node.children:
        if child.name != "DevInf":
            _check(child, version)
