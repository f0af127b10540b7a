"""exchangelib made quick: what it finds out anew for each item is found out once for all.

A calendar entry has ninety fields, of which an answer holds a third and Accord wants half; with
exchangelib each is looked for, checked and set by name. `trees` reads and writes with these
models, `mended` puts the rest in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from exchangelib.extended_properties import ExtendedProperty
from exchangelib.fields import ExtendedPropertyField, Field, FieldURIField, TimeZoneField
from exchangelib.properties import ExtendedFieldURI, Fields
from exchangelib.util import TNS
from lxml import etree

from accord.groupware.exchange.wire import PROPERTY_SET, t

_PROPERTY = ExtendedProperty.response_tag()
_PATH = ExtendedFieldURI.response_tag()
_VALUE = f"{{{TNS}}}Value"


class OwnField(ExtendedPropertyField):  # type: ignore[misc]
    """Be a text property of Accord's own, told from another by its name and its set alone."""

    def clean(self, value: Any, version: Any = None) -> Any:
        """Return a text as it is; raises TypeError for anything else."""
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{self.name} is no text")
        return value

    def from_xml(self, elem: Any, account: Any) -> Any:
        """Return what an item holds under the property's name."""
        wanted = self.value_cls.property_name
        for each in elem.iterchildren(_PROPERTY):
            path = each.find(_PATH)
            if path is not None and path.get("PropertyName") == wanted and _ours(path):
                return each.findtext(_VALUE)
        return None

    def to_xml(self, value: str, version: Any) -> Any:
        """Return the property with its value."""
        named = {"PropertyName": self.value_cls.property_name, "PropertyType": "String"}
        path = t("ExtendedFieldURI", PropertySetId=PROPERTY_SET, **named)
        return t("ExtendedProperty", path, t("Value", value))


@cache
def narrowed(model: Any, names: Sequence[str]) -> Any:
    """Return a model that knows only some of its fields, and those that a new item has anyway."""
    wanted = {*names, "_id", "attachments"}
    fields = Fields(*[each for each in model.FIELDS if each.name in wanted or _always(each)])
    members = {"FIELDS": fields, "__module__": __name__, "__setattr__": object.__setattr__}
    return type(model)(model.__name__, (model,), members)


def element(cls: Any, elem: Any, account: Any) -> Any:
    """Read an element as exchangelib does, but look only for the fields that stand in it."""
    there = {each.tag for each in elem}
    values = {
        name: absent if tag and tag not in there else held.from_xml(elem=elem, account=account)
        for name, tag, absent, held in _fields(cls)
    }
    cls._clear(elem)
    return cls(**values)


@cache
def _fields(cls: Any) -> tuple[tuple[str, str, Any, Field], ...]:
    return tuple((each.name, *_missing(each), each) for each in cls.FIELDS)


def _missing(held: Field) -> tuple[str, Any]:
    """Return the tag without which a field has one and the same value, and that value.

    The tag is empty where the field has to be asked all the same.
    """
    if isinstance(held, ExtendedPropertyField):
        tag = _PROPERTY
    elif isinstance(held, FieldURIField) and held.field_uri and not held.is_attribute:
        tag = held.response_tag()
    else:
        return "", None
    absent = held.from_xml(elem=etree.Element("nothing"), account=None)
    return (tag, absent) if absent is None or isinstance(absent, str | int) else ("", None)


def _always(held: Field) -> bool:
    return held.default is not None or held.is_required or isinstance(held, TimeZoneField)


def _ours(path: Any) -> bool:
    return (path.get("PropertySetId") or "").casefold().strip("{}") == PROPERTY_SET
