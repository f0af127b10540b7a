"""Derive the stand-in Exchange's table of the schema from Microsoft's own files.

`python -m tests.unit.sandbox.ews_table > src/accord/sandbox/exchange/schema.txt` writes it anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT.parent / "shared" / "protocols" / "ews"
XS = "{http://www.w3.org/2001/XMLSchema}"
OPERATIONS = [
    "GetFolder",
    "FindFolder",
    "CreateFolder",
    "UpdateFolder",
    "DeleteFolder",
    "CreateItem",
    "GetItem",
    "UpdateItem",
    "DeleteItem",
    "MoveItem",
    "CopyItem",
    "SendItem",
    "FindItem",
    "SyncFolderItems",
    "SyncFolderHierarchy",
    "CreateAttachment",
    "GetAttachment",
    "DeleteAttachment",
    "ResolveNames",
    "ConvertId",
    "GetServerTimeZones",
    "GetUserConfiguration",
    "GetUserOofSettingsRequest",
    "SetUserOofSettingsRequest",
    "GetUserAvailabilityRequest",
    "Subscribe",
    "Unsubscribe",
    "GetEvents",
    "GetStreamingEvents",
]
HEADERS = ("RequestServerVersion", "ExchangeImpersonation", "TimeZoneContext", "MailboxCulture")
UNREAD = {
    f"t:{name}"
    for name in (
        "SharingMessageType",
        "RoleMemberItemType",
        "NetworkItemType",
        "AbchPersonItemType",
        "AcceptSharingInvitationType",
        "EntityExtractionResultType",
        "ManagedFolderInformationType",
        "OnlineMeetingSettingsType",
        "ApprovalRequestDataType",
        "VotingInformationType",
        "RightsManagementLicenseDataType",
    )
}
"""Types whose content the stand-in does not read: anything may stand inside."""


def folder() -> Path:
    """Return where Microsoft's schema stands, or skip (fail, where peers are required)."""
    if not FOLDER.is_dir():
        say = pytest.fail if os.environ.get("ACCORD_REQUIRE_PEERS") == "1" else pytest.skip
        say("Microsoft's EWS schema is not beside the project: shared/protocols/ews")
    return FOLDER


class Walk:
    """Follow the schema from some elements down and write one line per type."""

    def __init__(self, place: Path) -> None:
        self.named: dict[tuple[str, str], etree._Element] = {}
        self.substitutes: dict[str, list[str]] = {}
        for prefix, file in (("t", "types.xsd"), ("m", "messages.xsd")):
            for node in etree.parse(place / file).getroot():
                if isinstance(node.tag, str) and node.get("name"):
                    kind = node.tag.removeprefix(XS)
                    self.named[kind, f"{prefix}:{node.get('name')}"] = node
                    if group := node.get("substitutionGroup"):
                        self.substitutes.setdefault(group, []).append(
                            f"{prefix}:{node.get('name')}"
                        )
        self.lines: dict[str, str] = {}
        self.inner: list[tuple[str, etree._Element]] = []

    def run(self) -> str:
        roots = [f"m:{name}" for name in OPERATIONS] + [f"t:{name}" for name in HEADERS]
        head = [f"element {name} {self.type_of('element', name)}" for name in roots]
        return "\n".join(head + sorted(self.lines.values())) + "\n"

    def type_of(self, kind: str, name: str) -> str:
        return self.typed(self.named[kind, name], name)

    def typed(self, node: etree._Element, name: str) -> str:
        if (given := node.get("type")) is not None:
            return self.follow(given)
        inner = next(each for each in node if each.tag in (XS + "complexType", XS + "simpleType"))
        own = f"{name.partition(':')[0]}:{name.partition(':')[2].replace('@', '')}..."
        self.write(own, inner)
        return own

    def follow(self, name: str) -> str:
        if name.startswith("xs:"):
            return name
        if name not in self.lines:
            if name in UNREAD:
                self.lines[name] = f"type {name} any"
            elif ("complexType", name) in self.named:
                self.write(name, self.named["complexType", name])
            else:
                self.write(name, self.named["simpleType", name])
        return name

    def write(self, name: str, node: etree._Element) -> None:
        self.lines[name] = ""
        if node.tag == XS + "simpleType":
            self.lines[name] = f"value {name} {self.simple(node, name)}"
            return
        text = self.text_of(node)
        parts = [*self.particles(node, name), *self.attributes(node, name)]
        content = f" ={text}" if text else ""
        self.lines[name] = f"type {name}{content} {' '.join(parts)}".rstrip()

    def text_of(self, node: etree._Element) -> str:
        held = node.find(XS + "simpleContent/" + XS + "extension")
        if held is None:
            return ""
        base = held.get("base", "")
        return (
            self.text_of(self.named["complexType", base])
            if self.complex(base)
            else self.follow(base)
        )

    def complex(self, name: str) -> bool:
        return ("complexType", name) in self.named

    def held(self, node: etree._Element) -> tuple[str, etree._Element]:
        """Return the base that is extended and where the type's own content stands."""
        for content in ("complexContent", "simpleContent"):
            for way in ("extension", "restriction"):
                if (found := node.find(f"{XS}{content}/{XS}{way}")) is not None:
                    return (found.get("base", "") if way == "extension" else ""), found
        return "", node

    def particles(self, node: etree._Element, name: str) -> Iterator[str]:
        base, own = self.held(node)
        if above(own) == XS + "complexContent" and base:
            yield f"<{self.follow(base)}"
        for child in own:
            yield from self.particle(child, name.partition(":")[0])

    def particle(self, node: etree._Element, prefix: str) -> Iterator[str]:
        kind = node.tag.removeprefix(XS) if isinstance(node.tag, str) else ""
        count = times(node)
        if kind == "element":
            names = "|".join(self.names(node, prefix))
            yield (f"({names})" if "|" in names else names) + count
        elif kind == "any":
            yield "*" + count
        elif kind == "group":
            inner = [*self.inside(self.named["group", node.get("ref", "")], "t")]
            yield from grouped(inner, count)
        elif kind == "choice":
            inner = [*self.inside(node, prefix)]
            options = [each.strip("()").rstrip("?+*") for each in inner if " " not in each]
            if not count and len(inner) == 1 and inner[0][-1] in "?+*":
                count = inner[0][-1]
            least = all(each[-1] in "?*" for each in inner)
            yield f"({'|'.join(options)}){'?' if least and not count else count}"
        elif kind in ("sequence", "all"):
            yield from grouped([*self.inside(node, prefix)], count)

    def inside(self, node: etree._Element, prefix: str) -> Iterator[str]:
        for child in node:
            yield from self.particle(child, prefix)

    def names(self, node: etree._Element, prefix: str) -> Iterator[str]:
        if (ref := node.get("ref")) is None:
            name = f"{prefix}:{node.get('name')}"
            yield f"{name}={self.typed(node, name)}"
            return
        for name in [ref, *self.every(ref)]:
            element = self.named["element", name]
            if element.get("abstract") != "true":
                yield f"{name}={self.typed(element, name)}"

    def every(self, name: str) -> Iterator[str]:
        for each in self.substitutes.get(name, ()):
            yield each
            yield from self.every(each)

    def attributes(self, node: etree._Element, name: str) -> Iterator[str]:
        base, own = self.held(node)
        if above(own) == XS + "simpleContent" and self.complex(base):
            yield from self.attributes(self.named["complexType", base], base)
        for child in own:
            if child.tag == XS + "attribute" and child.get("name"):
                kind = self.typed(child, f"{name}@{child.get('name')}")
                needed = "!" if child.get("use") == "required" else ""
                yield f"@{child.get('name')}={kind}{needed}"
            elif child.tag == XS + "attributeGroup":
                group = self.named["attributeGroup", child.get("ref", "")]
                yield from self.attributes(group, child.get("ref", ""))

    def simple(self, node: etree._Element, name: str) -> str:
        if (listed := node.find(XS + "list")) is not None:
            given = listed.get("itemType")
            if given is None:
                given = f"{name}..."
                self.write(given, listed[0])
            return f"list {self.follow(given)}"
        if (union := node.find(XS + "union")) is not None:
            members = [self.follow(each) for each in union.get("memberTypes", "").split()]
            for number, inner in enumerate(union.findall(XS + "simpleType")):
                members.append(f"{name}.{number}")
                self.write(members[-1], inner)
            return f"union {' '.join(members)}"
        held = node.find(XS + "restriction")
        assert held is not None
        facets = [
            f"{facet.tag.removeprefix(XS).removeprefix('enumeration')}={facet.get('value')}"
            for facet in held
            if isinstance(facet.tag, str) and facet.tag != XS + "annotation"
        ]
        return f"of {self.follow(held.get('base', ''))} {' '.join(facets)}".rstrip()


def above(node: etree._Element) -> str:
    parent = node.getparent()
    return "" if parent is None else str(parent.tag)


def times(node: etree._Element) -> str:
    least, most = node.get("minOccurs", "1"), node.get("maxOccurs", "1")
    many = most != "1"
    return {(False, False): "?", (False, True): "*", (True, False): "", (True, True): "+"}[
        least != "0", many
    ]


def grouped(inner: list[str], count: str) -> Iterator[str]:
    if count in ("?", "*") or (count == "+" and len(inner) > 1):
        yield f"[ {' '.join(inner)} ]{count}" if inner else ""
    elif count == "+" and inner:
        yield inner[0].rstrip("?+*") + "+"
    else:
        yield from inner


if __name__ == "__main__":
    print(Walk(FOLDER).run(), end="")
