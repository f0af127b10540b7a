"""What exchangelib knows of items: their fields, read from trees and written into trees.

It is loaded when the first target is opened (a second, 50 MB) and never asked to speak to a
server: `client` does. Updates are built here because exchangelib repeats the deletions of a
dictionary's entries for each entry that stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

from accord.groupware.exchange.wire import Node, t
from accord.ports.errors import ConfigError, Rejected


def check_installed() -> None:
    """Raise ConfigError where exchangelib isn't installed; it is not loaded for that."""
    if find_spec("exchangelib") is None:
        raise ConfigError(
            "an Exchange target needs exchangelib, which isn't installed",
            field="adapter",
            hint="pip install 'accord-sync[exchange]'",
            code="not-installed",
        )


@cache
def loaded() -> Any:
    """Return exchangelib; raises ConfigError where it isn't installed."""
    check_installed()
    import exchangelib

    return exchangelib


@cache
def offline() -> Any:
    """Return an account that reaches no server: what exchangelib asks about versions and zones."""
    library = loaded()
    configuration = library.Configuration(
        service_endpoint="https://exchange.invalid/EWS/Exchange.asmx",
        auth_type="no authentication",
        version=library.Version(library.version.EXCHANGE_2013_SP1),
        max_connections=1,
    )
    return library.Account(
        "nobody@exchange.invalid",
        config=configuration,
        autodiscover=False,
        access_type=library.IMPERSONATION,
        default_timezone=library.UTC,
        locale="en_US",
    )


def paths(model: Any, names: Sequence[str]) -> tuple[Node, ...]:
    """Return the paths by which a request asks for some of a model's fields."""
    fields = loaded().fields
    found: dict[str, Node] = {}
    for name in names:
        held = model.get_field_by_fieldname(name)
        if isinstance(held, fields.IndexedField):
            node = t("FieldURI", FieldURI=f"contacts:{held.PARENT_ELEMENT_NAME}")
        else:
            node = fields.FieldPath(field=held).to_xml()
        found["/".join(sorted(map(str, node.attrib.values())))] = node
    return tuple(found.values())


def read(model: Any, node: Node) -> Any:
    """Return exchangelib's item for an element of an answer; raises Rejected."""
    try:
        return model.from_xml(elem=node, account=offline())
    except Exception as error:
        raise Rejected(f"the item can't be read: {_said(error)}", code="unreadable") from error


def created(model: Any, properties: Mapping[str, Any]) -> Node:
    """Return the element of a new item; raises Rejected for a value that Exchange can't hold."""
    given = {name: value for name, value in properties.items() if value is not None}
    try:
        node: Node = model(account=offline(), **given).to_xml(version=offline().version)
    except (ValueError, TypeError, AttributeError) as error:
        raise Rejected(f"Exchange can't hold this: {_said(error)}", code="value") from error
    return node


def updates(model: Any, properties: Mapping[str, Any]) -> list[Node]:
    """Return the changes that set a model's fields, None and empty lists clearing them.

    Raises Rejected for a value that Exchange can't hold.
    """
    try:
        target = model(account=offline(), **properties)
        return list(_updates(model, target, list(properties)))
    except (ValueError, TypeError, AttributeError) as error:
        raise Rejected(f"Exchange can't hold this: {_said(error)}", code="value") from error


def set_path(model: Any, path: Node, value: Node) -> Node:
    """Return the change that gives a property its value."""
    return t("SetItemField", path, t(model.ELEMENT_NAME, value))


def clear_path(path: Node) -> Node:
    """Return the change that takes a property off."""
    return t("DeleteItemField", path)


def _updates(model: Any, target: Any, names: list[str]) -> Iterator[Node]:
    library = loaded()
    version = offline().version
    calendar = model is library.CalendarItem
    if calendar and not {"start", "end"}.isdisjoint(names):
        target.clean_timezone_fields(version=version)
        for name in ("start", "end"):
            zone = target.tz_field_for_field_name(name).name
            if name in names and zone not in names:
                names.append(zone)
    for held in model.FIELDS:
        if held.name not in names:
            continue
        value = held.clean(getattr(target, held.name), version=version)
        if calendar and held.name in ("start", "end") and value is not None:
            value = _wall_clock(target, held.name, value)
        if value is None or (held.is_list and not value):
            for path in library.fields.FieldPath(field=held).expand(version):
                yield clear_path(path.to_xml())
        elif isinstance(held, library.fields.IndexedField):
            yield from _entries(model, held, value)
        else:
            path = library.fields.FieldPath(field=held).to_xml()
            yield set_path(model, path, held.to_xml(value, version=version))


def _entries(model: Any, held: Any, values: Sequence[Any]) -> Iterator[Node]:
    """Set the entries that a dictionary is to have and take all others off."""
    library = loaded()
    version = offline().version
    by_label = {each.label: each for each in values}
    labels = held.value_cls.get_field_by_fieldname("label").supported_choices(version=version)
    for label in labels:
        for part in held.value_cls.supported_fields(version=version):
            if part.name == "label":
                continue
            path = library.fields.FieldPath(field=held, label=label, subfield=part).to_xml()
            value = getattr(by_label.get(label), part.name, None)
            if not value:
                yield clear_path(path)
                continue
            entry = held.value_cls(**{"label": label, part.name: value})
            yield set_path(model, path, held.to_xml([entry], version=version))


def _wall_clock(target: Any, name: str, value: Any) -> Any:
    if type(value) is loaded().EWSDate:
        return target.date_to_datetime(field_name=name)
    return value.astimezone(getattr(target, target.tz_field_for_field_name(name).name))


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
