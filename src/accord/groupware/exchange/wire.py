"""SOAP around Exchange's operations: requests built as trees, answers read without surprises.

`client` asks with these; a broken answer is never taken for an empty one.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator

from lxml import etree
from msgspec import Struct

from accord.groupware.exchange.errors import error_for
from accord.ports import xml
from accord.ports.errors import AccordError, Retry

Node = etree._Element

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
VERSION = "Exchange2013_SP1"
"""The schema to speak: the oldest that all supported servers know."""

PROPERTY_SET = "9f3c1f52-6f0b-4c0e-8d5c-2b1f6a7e41d0"
"""The property set of what Accord keeps on items and folders; people see none of it."""

TAGS = 8_000_000
"""How many tags an answer may have: a tree of them takes about a hundred bytes each."""

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Message(Struct, frozen=True):
    """Be the answer to one thing of a request: what stands in it, or the error it is."""

    node: Node
    error: AccordError | None = None

    def all(self, *path: str) -> list[Node]:
        """Return the elements at the end of a path of names."""
        return children(self.node, *path)

    def text(self, *path: str) -> str:
        """Return the text at the end of a path of names, empty where there is none."""
        return text_at(self.node, *path)


def t(name: str, *inner: Node | str, **attributes: str) -> Node:
    """Build an element of the types namespace."""
    return _built(TYPES, name, inner, attributes)


def m(name: str, *inner: Node | str, **attributes: str) -> Node:
    """Build an element of the messages namespace."""
    return _built(MESSAGES, name, inner, attributes)


def envelope(request: Node, headers: Iterable[Node] = ()) -> bytes:
    """Return the text of a request; times without an offset are UTC in it and in its answer."""
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"s": SOAP, "m": MESSAGES, "t": TYPES})
    head = etree.SubElement(root, f"{{{SOAP}}}Header")
    head.append(t("RequestServerVersion", Version=VERSION))
    head.extend(list(headers))
    head.append(t("TimeZoneContext", t("TimeZoneDefinition", Id="UTC")))
    etree.SubElement(root, f"{{{SOAP}}}Body").append(request)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def envelope_of(answer: Node) -> bytes:
    """Return the text of an answer that Accord itself gives to a server."""
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"s": SOAP, "m": MESSAGES, "t": TYPES})
    etree.SubElement(root, f"{{{SOAP}}}Body").append(answer)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def impersonating(address: str) -> Node:
    """Return the header by which a service account acts as the owner of a mailbox."""
    return t("ExchangeImpersonation", t("ConnectingSID", t("PrimarySmtpAddress", address)))


def parse(body: bytes) -> Node:
    """Return the root of an XML text; raises Retry where it can't be trusted or isn't whole."""
    # Servers let control characters through that people pasted, as references XML forbids.
    return xml.parse(body, TAGS, _mended)


def fault_of(root: Node, what: str) -> AccordError | None:
    """Return the error a SOAP fault stands for, None where the answer isn't one."""
    fault = next(iter(children(root, "Body", "Fault")), None)
    if fault is None:
        return None
    details = children(fault, "detail")
    detail = details[0] if details else fault
    code = text_at(detail, "ResponseCode") or text_at(fault, "faultcode").rpartition(":")[2]
    text = text_at(detail, "Message") or text_at(fault, "faultstring")
    return error_for(code, text, what, _backoff(detail))


def body_of(root: Node, what: str) -> Node:
    """Return what stands in the body of an answer; raises Retry where there is nothing."""
    found = children(root, "Body", "*")
    if local(root) != "Envelope" or not found:
        raise Retry(f"{what}: the answer is no SOAP answer", after=60.0, code="not-soap")
    return found[0]


def messages(body: Node, what: str, count: int = 0) -> list[Message]:
    """Return the messages of an answer in order, as many as there were things to do.

    Raises Retry where some are missing: nothing may be inferred from silence.
    """
    found = [_message(each, what) for each in children(body, "ResponseMessages", "*")]
    if count and len(found) < count:
        failed = next((each.error for each in found if each.error is not None), None)
        if failed is not None and len(found) == 1:
            return found * count
        raise Retry(f"{what}: {len(found)} of {count} answers came", after=60.0, code="incomplete")
    return found


def alone(node: Node, what: str) -> Message:
    """Return what stands in an element beside its one ResponseMessage, or the error that it tells.

    Raises Retry where it tells neither.
    """
    found = child(node, "ResponseMessage")
    if found is None:
        raise Retry(f"{what}: the answer doesn't say how it went", after=60.0, code="incomplete")
    return Message(node, _message(found, what).error)


def local(node: Node) -> str:
    """Return an element's name without its namespace."""
    return str(node.tag).rpartition("}")[2]


def children(node: Node, *path: str) -> list[Node]:
    """Return the elements at the end of a path of names, in any namespace; `*` is any name."""
    nodes = [node]
    for name in path:
        nodes = [each for parent in nodes for each in _named(parent, name)]
    return nodes


def child(node: Node, *path: str) -> Node | None:
    """Return the first element at the end of a path of names."""
    return next(iter(children(node, *path)), None)


def text_at(node: Node, *path: str) -> str:
    """Return the text at the end of a path of names, empty where there is none."""
    found = child(node, *path)
    return "" if found is None else (found.text or "").strip()


def is_true(text: str) -> bool:
    """Tell what a truth value of the schema says."""
    return text.strip() in ("true", "1")


def twin(node: Node) -> Node:
    """Return a copy of an element with all that is inside: trees have one parent each."""
    return copy.copy(node)


def legal(text: str) -> str:
    """Return a text without the characters that XML can't carry."""
    return _ILLEGAL.sub("", text)


def _message(node: Node, what: str) -> Message:
    code = text_at(node, "ResponseCode")
    if node.get("ResponseClass") != "Error" and code in ("NoError", ""):
        return Message(node)
    if node.get("ResponseClass") == "Warning" and code != "ErrorBatchProcessingStopped":
        return Message(node)
    text = text_at(node, "MessageText")
    return Message(node, error_for(code or "no code", text, what, _backoff(node)))


def _backoff(node: Node) -> float | None:
    for value in children(node, "MessageXml", "Value"):
        text = (value.text or "").strip()
        if value.get("Name") == "BackOffMilliseconds" and text.isdecimal():
            return int(text[:12]) / 1000.0
    return None


def _named(parent: Node, name: str) -> Iterator[Node]:
    return parent.iterchildren(f"{{*}}{name}")


def _built(space: str, name: str, inner: Iterable[Node | str], attributes: dict[str, str]) -> Node:
    kept = {key: legal(value) for key, value in attributes.items()}
    node = etree.Element(f"{{{space}}}{name}", kept, nsmap={"m": MESSAGES, "t": TYPES})
    for each in inner:
        if isinstance(each, str):
            node.text = (node.text or "") + legal(each)
        else:
            node.append(each)
    return node


_REFERENCE = re.compile(rb"&#(?:[xX]([0-9a-fA-F]{1,8})|([0-9]{1,8}));")
_RAW = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def _mended(body: bytes) -> bytes:
    def kept(found: re.Match[bytes]) -> bytes:
        number = int(found[1], 16) if found[1] else int(found[2])
        legal_one = number <= 0x10FFFF and not _ILLEGAL.match(chr(number))
        return found[0] if legal_one else b""

    return _REFERENCE.sub(kept, _RAW.sub(b"", body))
