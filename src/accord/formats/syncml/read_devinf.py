"""Device information from elements, in the forms of 1.0, 1.1 and 1.2 alike.

`read` calls this for what stands in a Put or in Results; the other way is `write_devinf`.
"""

from __future__ import annotations

from collections.abc import Iterator

from accord.formats.syncml.devinf import (
    Capability,
    ContentType,
    DevInf,
    Extension,
    FilterCapability,
    Memory,
    Parameter,
    Property,
    Store,
)
from accord.formats.syncml.errors import Malformed
from accord.formats.syncml.node import Node, Words
from accord.formats.syncml.version import Version


def read_devinf(node: Node, words: Words) -> DevInf:
    """Return what a DevInf element says; raise Malformed where a mandatory part is missing."""
    version = words.need(node, "VerDTD")
    try:
        spoken = Version(version)
    except ValueError:
        raise Malformed(f"{version[:20]!r} is no version that we know", prop="VerDTD") from None
    return DevInf(
        version=spoken,
        device_id=words.need(node, "DevID"),
        device_type=words.need(node, "DevTyp"),
        manufacturer=words.get(node, "Man"),
        model=words.get(node, "Mod"),
        oem=words.get(node, "OEM"),
        firmware=words.get(node, "FwV"),
        software=words.get(node, "SwV"),
        hardware=words.get(node, "HwV"),
        utc=node.has("UTC"),
        large_objects=node.has("SupportLargeObjs"),
        number_of_changes=node.has("SupportNumberOfChanges"),
        stores=tuple(_store(child, words) for child in node.all("DataStore")),
        capabilities=_capabilities(node, words),
        extensions=tuple(
            Extension(words.need(child, "XNam"), _texts(child, "XVal", words))
            for child in node.all("Ext")
        ),
    )


def _store(node: Node, words: Words) -> Store:
    memory, sync = node.find("DSMem"), node.find("SyncCap")
    return Store(
        source_ref=words.need(node, "SourceRef"),
        display_name=words.get(node, "DisplayName"),
        max_guid_size=words.number(node, "MaxGUIDSize"),
        rx_pref=next(_types(node, "Rx-Pref", words), None),
        rx=tuple(_types(node, "Rx", words)),
        tx_pref=next(_types(node, "Tx-Pref", words), None),
        tx=tuple(_types(node, "Tx", words)),
        capabilities=_capabilities(node, words),
        memory=None if memory is None else _memory(memory, words),
        hierarchical=node.has("SupportHierarchicalSync"),
        sync_types=() if sync is None else tuple(map(words.whole, sync.all("SyncType"))),
        filter_rx=tuple(_types(node, "Filter-Rx", words)),
        filters=tuple(
            FilterCapability(
                type=words.need(one, "CTType"),
                version=words.get(one, "VerCT"),
                keywords=_texts(one, "FilterKeyword", words),
                properties=_texts(one, "PropName", words),
            )
            for one in node.all("FilterCap")
        ),
    )


def _memory(node: Node, words: Words) -> Memory:
    return Memory(
        shared=node.has("SharedMem"),
        max_bytes=words.number(node, "MaxMem"),
        max_items=words.number(node, "MaxID"),
    )


def _types(node: Node, name: str, words: Words) -> Iterator[ContentType]:
    for child in node.all(name):
        yield ContentType(words.need(child, "CTType"), words.get(child, "VerCT"))


def _texts(node: Node, name: str, words: Words) -> tuple[str, ...]:
    return tuple(words.own(child) for child in node.all(name))


def _capabilities(node: Node, words: Words) -> tuple[Capability, ...]:
    """Read both forms: nested (1.2), or one flat list where names begin new parts."""
    return tuple(
        _capability(part, words) for cap in node.all("CTCap") for part in _parts(cap, "CTType")[1:]
    )


def _capability(node: Node, words: Words) -> Capability:
    own, *flat = _parts(node, "PropName", apart="Property")
    return Capability(
        type=words.need(own, "CTType"),
        version=words.get(own, "VerCT"),
        field_level=own.has("FieldLevel"),
        properties=tuple(_property(one, words) for one in (*flat, *own.all("Property"))),
    )


def _property(node: Node, words: Words) -> Property:
    own, *flat = _parts(node, "ParamName", apart="PropParam")
    return Property(
        name=words.need(own, "PropName"),
        values=_texts(own, "ValEnum", words),
        data_type=words.get(own, "DataType"),
        max_occur=words.number(own, "MaxOccur"),
        max_size=_size(own, words),
        no_truncate=own.has("NoTruncate"),
        display_name=words.get(own, "DisplayName"),
        params=tuple(
            Parameter(
                name=words.need(one, "ParamName"),
                values=_texts(one, "ValEnum", words),
                data_type=words.get(one, "DataType"),
                max_size=_size(one, words),
                display_name=words.get(one, "DisplayName"),
            )
            for one in (*flat, *own.all("PropParam"))
        ),
    )


def _size(node: Node, words: Words) -> int | None:
    size = words.number(node, "MaxSize")
    return words.number(node, "Size") if size is None else size


def _parts(node: Node, first: str, *, apart: str = "") -> list[Node]:
    """Cut a flat list of children before each `first`; `apart` stays with what comes before all."""
    parts = [Node(node.name)]
    for child in node.children:
        if child.name == first:
            parts.append(Node(node.name))
        (parts[0] if child.name == apart else parts[-1]).children.append(child)
    return parts
