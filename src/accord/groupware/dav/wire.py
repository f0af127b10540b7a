"""WebDAV's XML: requests built as text, answers read without entities, network or surprises.

`sync`, `find` and `discovery` ask with these and read Multistatus values (RFC 4918 13, RFC 6578).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from lxml import etree
from msgspec import Struct

from accord.groupware.dav.hrefs import ref_of
from accord.ports import xml
from accord.ports.errors import Retry

DAV = "{DAV:}"
CAL = "{urn:ietf:params:xml:ns:caldav}"
CARD = "{urn:ietf:params:xml:ns:carddav}"
CS = "{http://calendarserver.org/ns/}"

ETAG, MODIFIED, CONTENT_TYPE = f"{DAV}getetag", f"{DAV}getlastmodified", f"{DAV}getcontenttype"
SCHEDULE_TAG, CALENDAR_DATA = f"{CAL}schedule-tag", f"{CAL}calendar-data"
ADDRESS_DATA = f"{CARD}address-data"
CTAG = f"{CS}getctag"

TAGS = 4_000_000
"""How many tags an answer may have: a tree of them takes about a hundred bytes each."""

_REASONS = (f"{DAV}responsedescription", "{http://sabredav.org/ns}message")
_LONGEST_REASON = 300
_PREFIXES = {"DAV:": "D", "urn:ietf:params:xml:ns:caldav": "C"}
_PREFIXES |= {"urn:ietf:params:xml:ns:carddav": "A", "http://calendarserver.org/ns/": "S"}
_SPACES = " ".join(f'xmlns:{prefix}="{space}"' for space, prefix in _PREFIXES.items())


class Entry(Struct, frozen=True):
    """Be one response element: a place, and its properties or its own status.

    `props` holds those that were found, `refused` the status of the others.
    """

    ref: str
    status: int
    props: dict[str, etree._Element]
    refused: dict[str, int]
    conditions: frozenset[str] = frozenset()

    def text(self, name: str) -> str:
        """Return the text of a property, empty where it wasn't found."""
        found = self.props.get(name)
        return "" if found is None or found.text is None else found.text.strip()

    def hrefs(self, name: str, home: str) -> tuple[str, ...]:
        """Return the places that a property names; `home` is the target's origin."""
        found = self.props.get(name)
        if found is None:
            return ()
        texts = (each.text.strip() for each in found.iter(f"{DAV}href") if each.text)
        return tuple(ref_of(text, self.ref, home) for text in texts if text)

    def names(self, name: str) -> frozenset[str]:
        """Return the tags of all elements inside a property."""
        found = self.props.get(name)
        return frozenset() if found is None else frozenset(str(each.tag) for each in found.iter())


class Multistatus(Struct, frozen=True):
    """Be a whole 207 answer; `sync_token` is empty where there was none."""

    entries: tuple[Entry, ...]
    sync_token: str = ""


def propfind(names: Iterable[str]) -> bytes:
    """Return the body of a PROPFIND for these properties."""
    return _document("D:propfind", f"<D:prop>{_tags(names)}</D:prop>")


def sync_collection(token: str, names: Iterable[str]) -> bytes:
    """Return the body of a sync-collection REPORT (RFC 6578 3.2); an empty token lists all."""
    inside = f"<D:sync-token>{escape(token)}</D:sync-token><D:sync-level>1</D:sync-level>"
    return _document("D:sync-collection", f"{inside}<D:prop>{_tags(names)}</D:prop>")


def multiget(kind: str, names: Iterable[str], refs: Sequence[str]) -> bytes:
    """Return the body of a calendar-multiget (`C`) or addressbook-multiget (`A`) REPORT."""
    report = "C:calendar-multiget" if kind == "C" else "A:addressbook-multiget"
    hrefs = "".join(f"<D:href>{escape(ref)}</D:href>" for ref in refs)
    return _document(report, f"<D:prop>{_tags(names)}</D:prop>{hrefs}")


def calendar_query(names: Iterable[str], component: str, prop: str, text: str) -> bytes:
    """Return the body of a calendar-query for components whose property holds `text`.

    RFC 4791 7.8.6; servers compare as they like, so the caller looks at what comes back.
    """
    match = f'<C:text-match collation="i;octet">{escape(text)}</C:text-match>'
    inner = f'<C:prop-filter name="{prop}">{match}</C:prop-filter>'
    inner = f'<C:comp-filter name="{component}">{inner}</C:comp-filter>'
    inner = f'<C:filter><C:comp-filter name="VCALENDAR">{inner}</C:comp-filter></C:filter>'
    return _document("C:calendar-query", f"<D:prop>{_tags(names)}</D:prop>{inner}")


def addressbook_query(names: Iterable[str], prop: str, text: str) -> bytes:
    """Return the body of an addressbook-query for cards whose property equals `text`."""
    match = '<A:text-match collation="i;unicode-casemap" match-type="equals">'
    match = f'<A:prop-filter name="{prop}">{match}{escape(text)}</A:text-match></A:prop-filter>'
    inner = f"<D:prop>{_tags(names)}</D:prop><A:filter>{match}</A:filter>"
    return _document("A:addressbook-query", inner)


def make_calendar(name: str, components: Iterable[str]) -> bytes:
    """Return the body of a MKCALENDAR (RFC 4791 5.3.1)."""
    comps = "".join(f'<C:comp name="{each}"/>' for each in components)
    comps = f"<C:supported-calendar-component-set>{comps}</C:supported-calendar-component-set>"
    props = f"<D:displayname>{escape(name)}</D:displayname>{comps}"
    return _document("C:mkcalendar", f"<D:set><D:prop>{props}</D:prop></D:set>")


def make_address_book(name: str) -> bytes:
    """Return the body of an extended MKCOL (RFC 5689, RFC 6352 6.3.1)."""
    kind = "<D:resourcetype><D:collection/><A:addressbook/></D:resourcetype>"
    props = f"{kind}<D:displayname>{escape(name)}</D:displayname>"
    return _document("D:mkcol", f"<D:set><D:prop>{props}</D:prop></D:set>")


def read_multistatus(body: bytes, base: str, home: str) -> Multistatus:
    """Return what a 207 answer about the ref `base` says; `home` is the target's origin.

    Raises Retry where it is cut off, isn't XML, has a document type, or isn't a multistatus:
    a broken answer is never taken for an empty one.
    """
    root = parse(body)
    if root.tag != f"{DAV}multistatus":
        raise Retry(f"{base}: the answer is {root.tag!r:.60}, not a multistatus", after=60.0)
    entries: list[Entry] = []
    for response in root.iterchildren(f"{DAV}response"):
        entries.extend(_entries(response, base, home))
    token = root.findtext(f"{DAV}sync-token") or ""
    return Multistatus(tuple(entries), token.strip())


def read_conditions(body: bytes) -> frozenset[str]:
    """Return the names of the preconditions in an error body; none where it isn't one."""
    root = _error(body)
    return frozenset() if root is None else _conditions(root)


def read_reason(body: bytes) -> str:
    """Return what the server says about an error in its own words, on one line; or nothing.

    RFC 4918 14.25 has `responsedescription`; SabreDAV and its kin say `message`.
    """
    root = _error(body)
    if root is None:
        return ""
    texts = (root.findtext(f".//{name}") for name in _REASONS)
    return " ".join(next(filter(None, texts), "").split())[:_LONGEST_REASON]


def parse(body: bytes) -> etree._Element:
    """Return the root of an XML text; raises Retry where it can't be trusted or isn't whole."""
    return xml.parse(body, TAGS)


def _document(root: str, inside: str) -> bytes:
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<{root} {_SPACES}>{inside}</{root}>'
    return text.encode()


def _tags(names: Iterable[str]) -> str:
    split = (name[1:].split("}") for name in names)
    return "".join(f"<{_PREFIXES[space]}:{local}/>" for space, local in split)


def _entries(response: etree._Element, base: str, home: str) -> Iterable[Entry]:
    refs: list[str] = []
    status = 0
    props: dict[str, etree._Element] = {}
    refused: dict[str, int] = {}
    conditions: frozenset[str] = frozenset()
    for child in response:
        match child.tag:
            case "{DAV:}propstat":
                _propstat(child, props, refused)
            case "{DAV:}href":
                refs.append(ref_of((child.text or "").strip(), base, home))
            case "{DAV:}status":
                status = _status(child.text)
            case "{DAV:}error":
                conditions = _conditions(child)
    return [Entry(ref, status, props, refused, conditions) for ref in refs]


def _propstat(
    propstat: etree._Element, props: dict[str, etree._Element], refused: dict[str, int]
) -> None:
    status = _status(propstat.findtext(f"{DAV}status"))
    found = propstat.find(f"{DAV}prop")
    if found is None:
        return
    for prop in found:
        if status == 200:
            props[str(prop.tag)] = prop
        else:
            refused[str(prop.tag)] = status


def _status(line: str | None) -> int:
    words = (line or "").split(None, 2)
    if len(words) < 2 or not words[1].isdecimal() or len(words[1]) != 3:
        raise Retry(f"the answer has no status but {line!r:.40}", after=60.0, code="bad-xml")
    return int(words[1])


def _error(body: bytes) -> etree._Element | None:
    if b"error" not in body:
        return None
    try:
        root = parse(body)
    except Retry:
        return None
    return root if root.tag == f"{DAV}error" else None


def _conditions(error: etree._Element) -> frozenset[str]:
    return frozenset(etree.QName(child).localname for child in error if isinstance(child.tag, str))
