"""SyncML messages for tests: any that Hypothesis can think of, and those of real peers."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from accord.formats.syncml import message as m
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
from accord.formats.syncml.version import Version

CAPTURES = Path(__file__).resolve().parents[4] / "shared/protocols/syncml/captures"
RECORDED = sorted(CAPTURES.glob("*/*.xml"))
RECORDED_WBXML = sorted(CAPTURES.glob("*/*.wbxml"))


def recorded(paths: list[Path]) -> Any:
    """Parametrize a test by recorded messages; without them it skips, or fails as a peer would."""
    if paths:
        params = [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in paths]
    else:
        reason = f"no recorded conversations in {CAPTURES}"
        params = [pytest.param(None, marks=pytest.mark.skip(reason=reason), id="none")]
    return pytest.mark.parametrize("path", params)


_SPACE = re.compile("[ \t\r\n]+")
FIT = st.characters(
    codec="utf-8",
    exclude_characters=[
        *map(chr, (*range(9), 0x0B, 0x0C, *range(0x0E, 0x20), 0xFFFE, 0xFFFF)),
    ],
)
TRICKY = st.sampled_from(
    ["\r\n", "\n", "\r", "]]>", "<![CDATA[", "&amp;", "</Data>", "\ufeff", "é", "😀", " ", "\uf800"]
)
DATA = st.lists(st.one_of(st.text(FIT, max_size=8), TRICKY), max_size=6).map("".join)
WORD = st.text(FIT, max_size=12).map(lambda text: " ".join(_SPACE.split(text)).strip(" "))
NEEDED = WORD.filter(bool)
MAYBE = st.none() | WORD
NUMBER = st.integers(0, 10**12)
MAYBE_NUMBER = st.none() | NUMBER
NUMBERS = st.integers(1, 9999).map(str)


def tuples(of: st.SearchStrategy[Any], most: int = 2) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(of, max_size=most).map(tuple)


def since(version: Version, first: Version, strategy: Any, otherwise: Any) -> Any:
    """Return a strategy where the version knows the thing, otherwise a constant."""
    return strategy if version >= first else st.just(otherwise)


@cache
def metas(version: Version) -> st.SearchStrategy[m.Meta]:
    return st.builds(
        m.Meta,
        format=MAYBE,
        type=MAYBE,
        mark=MAYBE,
        size=MAYBE_NUMBER,
        anchor=st.none() | ANCHORS,
        version=MAYBE,
        next_nonce=MAYBE,
        max_msg_size=MAYBE_NUMBER,
        max_obj_size=since(version, Version.V1_1, MAYBE_NUMBER, None),
        field_level=since(version, Version.V1_2, st.booleans(), False),
    )


ANCHORS = st.builds(m.Anchor, WORD, MAYBE)


@cache
def locations(version: Version) -> st.SearchStrategy[m.Location]:
    plain = st.builds(m.Location, WORD, MAYBE)
    if version < Version.V1_2:
        return plain
    inner = st.none() | st.builds(m.Item, data=st.none() | DATA)
    filters = st.builds(m.Filter, meta=metas(version), field=inner, record=inner, kind=MAYBE)
    return plain | st.builds(m.Location, WORD, MAYBE, st.none() | filters)


def items(
    version: Version, data: st.SearchStrategy[Any] = DATA | ANCHORS
) -> st.SearchStrategy[m.Item]:
    places = st.none() | locations(version)
    parents = since(version, Version.V1_2, MAYBE, None)
    return st.builds(
        m.Item,
        target=places,
        source=places,
        source_parent=parents,
        target_parent=parents,
        meta=st.none() | metas(version),
        data=st.none() | data,
        more_data=since(version, Version.V1_1, st.booleans(), False),
    )


@cache
def commands(version: Version) -> st.SearchStrategy[m.Command]:
    """Return all commands of a version, with commands inside of those that take them."""
    kinds = by_kind(version)
    return st.one_of(*kinds.values())


@cache
def by_kind(version: Version) -> dict[type[m.Command], st.SearchStrategy[Any]]:
    """Return a strategy for each command of a version."""
    place, meta = locations(version), st.none() | metas(version)
    cred = st.none() | st.builds(m.Cred, WORD, meta)
    head: dict[str, Any] = {"cmd_id": NUMBERS, "no_resp": st.booleans(), "cred": cred}
    on_items = {**head, "meta": meta, "items": tuples(items(version))}
    handed = {**on_items, "items": tuples(items(version, DATA | devices(version))), "lang": MAYBE}
    correlator = since(version, Version.V1_2, MAYBE, None)
    refs = {"msg_ref": NUMBERS, "cmd_ref": st.integers(0, 99).map(str)}
    kinds: dict[type[m.Command], st.SearchStrategy[Any]] = {
        m.Add: st.builds(m.Add, **on_items),
        m.Replace: st.builds(m.Replace, **on_items),
        m.Copy: st.builds(m.Copy, **on_items),
        m.Delete: st.builds(m.Delete, **on_items, archive=st.booleans(), soft=st.booleans()),
        m.Put: st.builds(m.Put, **handed),
        m.Get: st.builds(m.Get, **{**on_items, "lang": MAYBE}),
        m.Exec: st.builds(m.Exec, **on_items, correlator=correlator),
        m.Alert: st.builds(
            m.Alert,
            **head,
            code=MAYBE_NUMBER,
            items=tuples(items(version)),
            correlator=correlator,
        ),
        m.Search: st.builds(
            m.Search,
            **head,
            sources=tuples(place),
            meta=metas(version),
            data=WORD,
            target=st.none() | place,
            lang=MAYBE,
            no_results=st.booleans(),
        ),
        m.Map: st.builds(
            m.Map,
            **head,
            target=place,
            source=place,
            items=tuples(st.builds(m.MapItem, place, place)),
            meta=meta,
        ),
        m.Status: st.builds(
            m.Status,
            cmd_id=NUMBERS,
            **refs,
            cmd=NEEDED,
            code=st.integers(100, 599),
            target_refs=tuples(WORD),
            source_refs=tuples(WORD),
            cred=cred,
            chal=st.none() | st.builds(m.Chal, metas(version)),
            items=tuples(items(version)),
        ),
        m.Results: st.builds(
            m.Results,
            cmd_id=NUMBERS,
            cmd_ref=NUMBERS,
            msg_ref=MAYBE,
            meta=meta,
            target_ref=MAYBE,
            source_ref=MAYBE,
            items=handed["items"],
        ),
        m.Unknown: st.builds(
            m.Unknown,
            cmd_id=NUMBERS,
            name=st.sampled_from(["Frobnicate", "X-Undo", "Rename"]),
            no_resp=st.booleans(),
        ),
    }
    if version >= Version.V1_2:
        kinds[m.Move] = st.builds(m.Move, **on_items)

    one = st.one_of(*kinds.values())
    deep = {**head, "meta": meta, "commands": tuples(one)}
    kinds[m.Atomic] = st.builds(m.Atomic, **deep)
    deep = {**deep, "commands": tuples(one | kinds[m.Atomic])}
    kinds[m.Sequence] = st.builds(m.Sequence, **deep)
    kinds[m.Sync] = st.builds(
        m.Sync,
        **{**deep, "commands": tuples(st.one_of(one, kinds[m.Atomic], kinds[m.Sequence]))},
        target=st.none() | place,
        source=st.none() | place,
        number_of_changes=since(version, Version.V1_1, MAYBE_NUMBER, None),
    )
    return kinds


@cache
def devices(version: Version) -> st.SearchStrategy[DevInf]:
    """Return device information in the form of a version."""
    new = version >= Version.V1_2
    size = MAYBE_NUMBER
    common = {"name": NEEDED, "values": tuples(WORD), "data_type": MAYBE, "display_name": MAYBE}
    params = st.builds(Parameter, **common, max_size=st.none() if new else size)
    properties = st.builds(
        Property,
        **common,
        max_size=size,
        max_occur=size if new else st.none(),
        no_truncate=st.booleans() if new else st.just(False),
        params=tuples(params),
    )
    capabilities = tuples(
        st.builds(
            Capability,
            type=NEEDED,
            version=MAYBE if new else st.none(),
            field_level=st.booleans() if new else st.just(False),
            properties=tuples(properties, 3),
        )
    )
    types = st.builds(ContentType, NEEDED, MAYBE)
    filters = st.builds(
        FilterCapability, type=NEEDED, version=MAYBE, keywords=tuples(WORD), properties=tuples(WORD)
    )
    nothing = st.just(())
    stores = st.builds(
        Store,
        source_ref=NEEDED,
        display_name=MAYBE,
        max_guid_size=size,
        rx_pref=st.none() | types,
        rx=tuples(types),
        tx_pref=st.none() | types,
        tx=tuples(types),
        capabilities=capabilities if new else nothing,
        memory=st.none() | st.builds(Memory, shared=st.booleans(), max_bytes=size, max_items=size),
        hierarchical=st.booleans() if new else st.just(False),
        sync_types=tuples(st.integers(1, 7), 7),
        filter_rx=tuples(types) if new else nothing,
        filters=tuples(filters) if new else nothing,
    )
    flag = st.just(False) if version == Version.V1_0 else st.booleans()
    names = ("manufacturer", "model", "oem", "firmware", "software", "hardware")
    return st.builds(
        DevInf,
        version=st.just(version),
        device_id=NEEDED,
        device_type=NEEDED,
        **dict.fromkeys(names, MAYBE),
        utc=flag,
        large_objects=flag,
        number_of_changes=flag,
        stores=tuples(stores),
        capabilities=nothing if new else capabilities,
        extensions=tuples(st.builds(Extension, NEEDED, tuples(WORD))),
    )


@cache
def messages(version: Version) -> st.SearchStrategy[m.Message]:
    """Return messages of one version."""
    header = st.builds(
        m.Header,
        version=st.just(version),
        session_id=NEEDED,
        msg_id=NEEDED,
        target=locations(version),
        source=locations(version),
        resp_uri=MAYBE,
        no_resp=st.booleans(),
        cred=st.none() | st.builds(m.Cred, WORD, st.none() | metas(version)),
        meta=st.none() | metas(version),
    )
    return st.builds(
        m.Message, header=header, body=tuples(commands(version), 3), final=st.booleans()
    )


MESSAGES = st.one_of(*map(messages, Version))


def message(*body: m.Command, version: Version = Version.V1_2, final: bool = True) -> m.Message:
    """Return a plain message around some commands."""
    header = m.Header(
        version=version,
        session_id="7",
        msg_id="1",
        target=m.Location("https://crm.example/CRM.interface"),
        source=m.Location("phone-1"),
    )
    return m.Message(header=header, body=body, final=final)


def adding(data: str | m.Binary, kind: str = "text/vcard") -> m.Message:
    """Return a message that adds one item."""
    item = m.Item(source=m.Location("1"), data=data)
    add = m.Add(cmd_id="2", meta=m.Meta(type=kind), items=(item,))
    return message(m.Sync(cmd_id="1", commands=(add,)))
