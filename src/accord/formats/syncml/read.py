"""From elements to a message: what every SyncML element means, whichever codec brought it.

Elements that nobody knows are passed over, commands that nobody knows become `Unknown`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accord.formats.syncml import message as m
from accord.formats.syncml.errors import Malformed
from accord.formats.syncml.limits import Limits
from accord.formats.syncml.node import Node, Words, label
from accord.formats.syncml.read_parts import Parts
from accord.formats.syncml.status import StatusCode
from accord.formats.syncml.version import Version


def read(root: Node, limits: Limits) -> m.Message:
    """Return the message that a SyncML element says.

    Raises Malformed with a status, and with the header where that much can be read.
    """
    if root.name != "SyncML":
        raise Malformed("the root isn't SyncML", prop=root.name[:40])
    header = read_header(root, limits)
    try:
        body = root.find("SyncBody")
        if body is None:
            raise Malformed("is missing", prop="SyncBody")
        return m.Message(header=header, body=_Body(limits).read(body), final=body.has("Final"))
    except Malformed as refusal:
        refusal.header = header
        raise


def read_header(root: Node, limits: Limits) -> m.Header:
    """Return the header of a message; raise Malformed, also for a version that we don't know."""
    node = root.find("SyncHdr")
    if node is None:
        raise Malformed("is missing", prop="SyncHdr")
    words, parts = Words(limits.word), Parts(limits)
    try:
        version, protocol = words.need(node, "VerDTD"), words.need(node, "VerProto")
        known = next((v for v in Version if v.value == version), None)
        header = m.Header(
            version=known or Version.V1_2,
            session_id=words.need(node, "SessionID"),
            msg_id=words.need(node, "MsgID"),
            target=parts.place(node, "Target"),
            source=parts.place(node, "Source"),
            resp_uri=words.get(node, "RespURI"),
            no_resp=node.has("NoResp"),
            cred=parts.cred(node),
            meta=parts.meta(node),
        )
    except Malformed as refusal:
        raise refusal.inside("SyncHdr") from None
    if known is None:
        raise Malformed(
            f"SyncML {version[:20]!r} is no version that we know",
            prop="SyncHdr/VerDTD",
            status=StatusCode.DTD_VERSION_NOT_SUPPORTED,
            header=header,
        )
    if protocol.upper() != known.protocol.upper():
        raise Malformed(
            f"{protocol[:20]!r} is no protocol that goes with SyncML {known}",
            prop="SyncHdr/VerProto",
            status=StatusCode.PROTOCOL_VERSION_NOT_SUPPORTED,
            header=header,
        )
    return header


def header_of(root: Node | None, limits: Limits) -> m.Header | None:
    """Return the header of a broken message, as far as it can be read, to answer it."""
    try:
        return None if root is None else read_header(root, limits)
    except Malformed as refusal:
        return refusal.header


class _Body:
    """Read commands, counting them against the limits of one message."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.words = Words(limits.word)
        # A query is data, bounded by the message alone.
        self.queries = Words(limits.size)
        self.parts = Parts(limits)
        self.count = 0

    def read(self, body: Node) -> tuple[m.Command, ...]:
        return tuple(self.command(child) for child in body.children if child.name != "Final")

    def nested(self, node: Node) -> tuple[m.Command, ...]:
        """Read the commands inside a command: all that we know, and what has a CmdID."""
        inside = (c for c in node.children if c.name in _READERS or c.has("CmdID"))
        return tuple(self.command(child) for child in inside)

    def command(self, node: Node) -> m.Command:
        self.count += 1
        if self.count > self.limits.commands:
            raise Malformed(
                f"the message has more than {self.limits.commands:,} commands",
                status=StatusCode.REQUEST_ENTITY_TOO_LARGE,
            )
        try:
            if read := _READERS.get(node.name):
                return read(self, node)
            number = self.words.get(node, "CmdID") or ""
            return m.Unknown(name=node.name, cmd_id=number, no_resp=node.has("NoResp"))
        except Malformed as refusal:
            raise refusal.inside(label(node)) from None

    def request(self, node: Node) -> dict[str, Any]:
        return {
            "cmd_id": self.words.need(node, "CmdID"),
            "no_resp": node.has("NoResp"),
            "cred": self.parts.cred(node),
        }

    def on_items(self, node: Node) -> dict[str, Any]:
        head = self.request(node)
        return {**head, "meta": self.parts.meta(node), "items": self.parts.items(node)}

    def delete(self, node: Node) -> m.Delete:
        head = self.on_items(node)
        return m.Delete(**head, archive=node.has("Archive"), soft=node.has("SftDel"))

    def put(self, node: Node) -> m.Put:
        head = {**self.request(node), "meta": self.parts.meta(node)}
        items = self.parts.handed_over(node)
        return m.Put(**head, items=items, lang=self.words.get(node, "Lang"))

    def get(self, node: Node) -> m.Get:
        return m.Get(**self.on_items(node), lang=self.words.get(node, "Lang"))

    def exec(self, node: Node) -> m.Exec:
        return m.Exec(**self.on_items(node), correlator=self.words.get(node, "Correlator"))

    def alert(self, node: Node) -> m.Alert:
        return m.Alert(
            **self.request(node),
            code=self.words.number(node, "Data"),
            items=self.parts.items(node),
            correlator=self.words.get(node, "Correlator"),
        )

    def search(self, node: Node) -> m.Search:
        return m.Search(
            **self.request(node),
            sources=self.parts.places(node, "Source"),
            meta=self.parts.meta(node) or m.Meta(),
            data=self.queries.get(node, "Data") or "",
            target=self.parts.location(node, "Target"),
            lang=self.words.get(node, "Lang"),
            no_results=node.has("NoResults"),
        )

    def map(self, node: Node) -> m.Map:
        return m.Map(
            **self.request(node),
            target=self.parts.place(node, "Target"),
            source=self.parts.place(node, "Source"),
            items=self.parts.map_items(node),
            meta=self.parts.meta(node),
        )

    def group(self, node: Node) -> dict[str, Any]:
        head = self.request(node)
        return {**head, "meta": self.parts.meta(node), "commands": self.nested(node)}

    def sync(self, node: Node) -> m.Sync:
        return m.Sync(
            **self.group(node),
            target=self.parts.location(node, "Target"),
            source=self.parts.location(node, "Source"),
            number_of_changes=self.words.number(node, "NumberOfChanges"),
        )

    def status(self, node: Node) -> m.Status:
        words = self.words
        code = words.number(node, "Data")
        if code is None:
            raise Malformed("is missing", prop="Data")
        return m.Status(
            cmd_id=words.need(node, "CmdID"),
            msg_ref=words.need(node, "MsgRef"),
            cmd_ref=words.need(node, "CmdRef"),
            cmd=words.need(node, "Cmd"),
            code=code,
            target_refs=tuple(words.own(child) for child in node.all("TargetRef")),
            source_refs=tuple(words.own(child) for child in node.all("SourceRef")),
            cred=self.parts.cred(node),
            chal=self.parts.chal(node),
            items=self.parts.items(node),
        )

    def results(self, node: Node) -> m.Results:
        words = self.words
        return m.Results(
            cmd_id=words.need(node, "CmdID"),
            cmd_ref=words.need(node, "CmdRef"),
            msg_ref=words.get(node, "MsgRef"),
            meta=self.parts.meta(node),
            target_ref=words.get(node, "TargetRef"),
            source_ref=words.get(node, "SourceRef"),
            items=self.parts.handed_over(node),
        )


_READERS: dict[str, Callable[[_Body, Node], m.Command]] = {
    "Add": lambda body, node: m.Add(**body.on_items(node)),
    "Alert": _Body.alert,
    "Atomic": lambda body, node: m.Atomic(**body.group(node)),
    "Copy": lambda body, node: m.Copy(**body.on_items(node)),
    "Delete": _Body.delete,
    "Exec": _Body.exec,
    "Get": _Body.get,
    "Map": _Body.map,
    "Move": lambda body, node: m.Move(**body.on_items(node)),
    "Put": _Body.put,
    "Replace": lambda body, node: m.Replace(**body.on_items(node)),
    "Results": _Body.results,
    "Search": _Body.search,
    "Sequence": lambda body, node: m.Sequence(**body.group(node)),
    "Status": _Body.status,
    "Sync": _Body.sync,
}
