"""Device information as values: what a side can store, send and receive.

`read` and `write` in `devices` turn it into elements. The model is that of
OMA-TS-DS_DevInf-V1_2; 1.0 and 1.1 keep capabilities beside the stores, 1.2 inside.
"""

from __future__ import annotations

from msgspec import Struct

from accord.formats.syncml.version import Version


class ContentType(Struct, frozen=True):
    """Be a content type with its version, such as text/vcard 3.0."""

    type: str
    version: str | None = None


class Parameter(Struct, frozen=True, kw_only=True):
    """Be a parameter of a property, with the values that it may have."""

    name: str
    values: tuple[str, ...] = ()
    data_type: str | None = None
    max_size: int | None = None  # 1.0 and 1.1 only
    display_name: str | None = None


class Property(Struct, frozen=True, kw_only=True):
    """Be a property of a content type: its values, how often and how long it may be."""

    name: str
    values: tuple[str, ...] = ()
    data_type: str | None = None
    max_occur: int | None = None
    max_size: int | None = None
    no_truncate: bool = False
    display_name: str | None = None
    params: tuple[Parameter, ...] = ()


class Capability(Struct, frozen=True, kw_only=True):
    """List all properties that are kept of a content type; what isn't listed gets lost."""

    type: str
    version: str | None = None
    field_level: bool = False
    properties: tuple[Property, ...] = ()


class FilterCapability(Struct, frozen=True, kw_only=True):
    """List what a filter of a content type may ask for."""

    type: str
    version: str | None = None
    keywords: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()


class Memory(Struct, frozen=True, kw_only=True):
    """Bound a store: bytes and number of items, perhaps shared with other stores."""

    shared: bool = False
    max_bytes: int | None = None
    max_items: int | None = None


class Store(Struct, frozen=True, kw_only=True):
    """Be a data store: types received and sent (`_pref` first choice), and sync types 1 to 7."""

    source_ref: str
    display_name: str | None = None
    max_guid_size: int | None = None
    rx_pref: ContentType | None = None
    rx: tuple[ContentType, ...] = ()
    tx_pref: ContentType | None = None
    tx: tuple[ContentType, ...] = ()
    capabilities: tuple[Capability, ...] = ()
    memory: Memory | None = None
    hierarchical: bool = False
    sync_types: tuple[int, ...] = ()
    filter_rx: tuple[ContentType, ...] = ()
    filters: tuple[FilterCapability, ...] = ()


class Extension(Struct, frozen=True):
    """Say something that the standard has no element for."""

    name: str
    values: tuple[str, ...] = ()


class DevInf(Struct, frozen=True, kw_only=True, tag=True):
    """Describe a device and its stores.

    `utc`: takes times in UTC; `large_objects`: takes items in parts; `number_of_changes`:
    wants to know how many changes come.
    """

    version: Version
    device_id: str
    device_type: str
    manufacturer: str | None = None
    model: str | None = None
    oem: str | None = None
    firmware: str | None = None
    software: str | None = None
    hardware: str | None = None
    utc: bool = False
    large_objects: bool = False
    number_of_changes: bool = False
    stores: tuple[Store, ...] = ()
    capabilities: tuple[Capability, ...] = ()
    extensions: tuple[Extension, ...] = ()
