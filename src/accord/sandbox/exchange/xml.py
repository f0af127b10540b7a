"""Read and build the XML of Exchange Web Services: names, times and small trees."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo

from lxml import etree

from accord.sandbox.exchange.schema import MESSAGES, TYPES

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
ERRORS = "http://schemas.microsoft.com/exchange/services/2006/errors"
SPACES = {"s": SOAP, "m": MESSAGES, "t": TYPES}
LIMIT = 35 * 1024 * 1024
"""Bytes of one request, as Exchange's own limit on EWS requests."""

Node = etree._Element


def parse(text: bytes) -> Node:
    """Parse without entities and network. Raises XMLSyntaxError, also for a document type."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True
    )
    root = etree.fromstring(text, parser)
    if root.getroottree().docinfo.doctype:
        raise etree.XMLSyntaxError("a document type is not allowed", 0, 1, 1)
    return root


def t(name: str, *inner: Node | str | None, **attributes: str) -> Node:
    """Build an element of the types namespace; None among the inner ones is left out."""
    return _built(f"{{{TYPES}}}{name}", inner, attributes)


def m(name: str, *inner: Node | str | None, **attributes: str) -> Node:
    """Build an element of the messages namespace; None among the inner ones is left out."""
    return _built(f"{{{MESSAGES}}}{name}", inner, attributes)


def local(node: Node) -> str:
    """Return an element's name without its namespace."""
    return str(node.tag).rpartition("}")[2]


def child(node: Node, *names: str) -> Node | None:
    """Return the element that this path of names leads to, in whichever namespace."""
    for name in names:
        found = next((each for each in node if local(each) == name), None)
        if found is None:
            return None
        node = found
    return node


def text_at(node: Node, *names: str) -> str | None:
    """Return the text that stands at the end of a path of names."""
    found = child(node, *names)
    return None if found is None else (found.text or "")


def flag(value: bool) -> str:
    """Return a truth value as the schema writes it."""
    return "true" if value else "false"


def is_true(text: str | None) -> bool:
    """Tell what a truth value of the schema says."""
    return text is not None and text.strip() in ("true", "1")


def stamp(moment: datetime) -> str:
    """Return a moment as Exchange writes it: UTC, whole seconds."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def moment(text: str, zone: tzinfo = UTC) -> datetime:
    """Read a moment; without an offset it is meant in the given zone. Raises ValueError."""
    found = datetime.fromisoformat(text.strip())
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def day(text: str) -> date:
    """Read a date, with or without a zone behind it. Raises ValueError."""
    return date.fromisoformat(text.strip()[:10])


def _built(tag: str, inner: tuple[Node | str | None, ...], attributes: dict[str, str]) -> Node:
    node = etree.Element(tag, attributes, nsmap={"m": MESSAGES, "t": TYPES})
    for each in inner:
        if isinstance(each, str):
            node.text = (node.text or "") + each
        elif each is not None:
            node.append(each)
    return node
