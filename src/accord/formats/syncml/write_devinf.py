"""Device information into elements, in the form of its own version.

`write` calls this for what stands in a Put or in Results; the other way is `read_devinf`.
"""

from __future__ import annotations

from collections.abc import Iterator

from accord.formats.syncml.devinf import (
    Capability,
    ContentType,
    DevInf,
    Memory,
    Parameter,
    Property,
    Store,
)
from accord.formats.syncml.errors import Malformed
from accord.formats.syncml.node import DEVINF, Node, leaf, sign
from accord.formats.syncml.version import Version, check_known


def write_devinf(device: DevInf) -> Node:
    """Return the DevInf element; raise Malformed for what its version doesn't know."""
    version = device.version
    node = Node(
        "DevInf",
        "",
        _leaf("VerDTD", version.value),
        _leaf("Man", device.manufacturer),
        _leaf("Mod", device.model),
        _leaf("OEM", device.oem),
        _leaf("FwV", device.firmware),
        _leaf("SwV", device.software),
        _leaf("HwV", device.hardware),
        _leaf("DevID", device.device_id),
        _leaf("DevTyp", device.device_type),
        _sign("UTC", device.utc),
        _sign("SupportLargeObjs", device.large_objects),
        _sign("SupportNumberOfChanges", device.number_of_changes),
        *(_store_node(store, version) for store in device.stores),
        *_capability_nodes(device.capabilities, version, inside=False),
        *(
            Node("Ext", "", _leaf("XNam", one.name), *_leaves("XVal", one.values), ns=DEVINF)
            for one in device.extensions
        ),
        ns=DEVINF,
    )
    _check(node, version)
    return node


def _store_node(store: Store, version: Version) -> Node:
    return Node(
        "DataStore",
        "",
        _leaf("SourceRef", store.source_ref),
        _leaf("DisplayName", store.display_name),
        _leaf("MaxGUIDSize", store.max_guid_size),
        *(_type_node("Rx-Pref", one) for one in (store.rx_pref,) if one),
        *(_type_node("Rx", one) for one in store.rx),
        *(_type_node("Tx-Pref", one) for one in (store.tx_pref,) if one),
        *(_type_node("Tx", one) for one in store.tx),
        *_capability_nodes(store.capabilities, version, inside=True),
        _memory(store.memory),
        _sign("SupportHierarchicalSync", store.hierarchical),
        Node("SyncCap", "", *_leaves("SyncType", store.sync_types), ns=DEVINF),
        *(_type_node("Filter-Rx", one) for one in store.filter_rx),
        *(
            Node(
                "FilterCap",
                "",
                _leaf("CTType", one.type),
                _leaf("VerCT", one.version),
                *_leaves("FilterKeyword", one.keywords),
                *_leaves("PropName", one.properties),
                ns=DEVINF,
            )
            for one in store.filters
        ),
        ns=DEVINF,
    )


def _memory(memory: Memory | None) -> Node | None:
    if memory is None:
        return None
    return Node(
        "DSMem",
        "",
        _sign("SharedMem", memory.shared),
        _leaf("MaxMem", memory.max_bytes),
        _leaf("MaxID", memory.max_items),
        ns=DEVINF,
    )


def _type_node(name: str, one: ContentType) -> Node:
    return Node(name, "", _leaf("CTType", one.type), _leaf("VerCT", one.version), ns=DEVINF)


def _capability_nodes(
    capabilities: tuple[Capability, ...], version: Version, *, inside: bool
) -> Iterator[Node]:
    if not capabilities:
        return
    if inside != (version == Version.V1_2):
        where = "inside stores" if inside else "beside the stores"
        raise Malformed(f"SyncML {version} has no capabilities {where}", prop="CTCap")
    if inside:
        for one in capabilities:
            properties = (_property_node(each) for each in one.properties)
            level = _sign("FieldLevel", one.field_level)
            head = _leaf("CTType", one.type), _leaf("VerCT", one.version)
            yield Node("CTCap", "", *head, level, *properties, ns=DEVINF)
        return
    flat = Node("CTCap", ns=DEVINF)
    for one in capabilities:
        if one.version is not None or one.field_level:
            raise Malformed(f"SyncML {version} has only types and properties", prop="CTCap")
        flat.children += Node("", "", _leaf("CTType", one.type)).children
        for each in one.properties:
            flat.children += _flat(each)
    yield flat


def _property_node(one: Property) -> Node:
    params = []
    for param in one.params:
        if param.max_size is not None:
            raise Malformed("SyncML 1.2 has no size of parameters", prop="PropParam")
        params.append(Node("PropParam", "", *_param_nodes(param, "MaxSize"), ns=DEVINF))
    return Node(
        "Property",
        "",
        _leaf("PropName", one.name),
        _leaf("DataType", one.data_type),
        _leaf("MaxOccur", one.max_occur),
        _leaf("MaxSize", one.max_size),
        _sign("NoTruncate", one.no_truncate),
        *_leaves("ValEnum", one.values),
        _leaf("DisplayName", one.display_name),
        *params,
        ns=DEVINF,
    )


def _flat(one: Property) -> Iterator[Node]:
    together = Node(
        "",
        "",
        _leaf("PropName", one.name),
        _leaf("DataType", one.data_type),
        _leaf("MaxOccur", one.max_occur),
        _leaf("Size", one.max_size),
        _sign("NoTruncate", one.no_truncate),
        *_leaves("ValEnum", one.values),
        _leaf("DisplayName", one.display_name),
        *(node for param in one.params for node in _param_nodes(param, "Size")),
    )
    yield from together.children


def _param_nodes(param: Parameter, size: str) -> Iterator[Node | None]:
    yield _leaf("ParamName", param.name)
    yield _leaf("DataType", param.data_type)
    yield _leaf(size, param.max_size)
    yield from _leaves("ValEnum", param.values)
    yield _leaf("DisplayName", param.display_name)


def _leaf(name: str, text: str | int | None) -> Node | None:
    return leaf(name, text, DEVINF)


def _leaves(name: str, texts: tuple[str, ...] | tuple[int, ...]) -> Iterator[Node]:
    return (Node(name, str(text), ns=DEVINF) for text in texts)


def _sign(name: str, there: bool) -> Node | None:
    return sign(name, there, DEVINF)


def _check(node: Node, version: Version) -> None:
    check_known(node.name, version)
    for child in node.children:
        _check(child, version)
