"""Judge items by a restriction, and bring them into an order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from accord.sandbox.exchange import mapi
from accord.sandbox.exchange.call import Call
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.properties import all_of
from accord.sandbox.exchange.shapes import Path, extended_key, path
from accord.sandbox.exchange.store import Folder, Item
from accord.sandbox.exchange.xml import Node, child, local, moment

_RELATIONS: dict[str, Callable[[int], bool]] = {
    "IsEqualTo": lambda sign: sign == 0,
    "IsNotEqualTo": lambda sign: sign != 0,
    "IsGreaterThan": lambda sign: sign > 0,
    "IsGreaterThanOrEqualTo": lambda sign: sign >= 0,
    "IsLessThan": lambda sign: sign < 0,
    "IsLessThanOrEqualTo": lambda sign: sign <= 0,
}


def matching(call: Call, folder: Folder, restriction: Node) -> list[Item]:
    """Return the items of a folder for which a restriction holds, the newest first.

    A search for values of extended properties or for UIDs goes by an index.
    """
    sought = restriction[0]
    where, values = _shortcut(sought)
    items = call.store.items(f"folder = ?{where} ORDER BY id DESC", folder.id, *values)
    return [each for each in items if _holds(call, each, sought)]


def in_order(call: Call, items: list[Item], order: Node) -> list[Item]:
    """Return items as a SortOrder wants them; those without the property come first."""
    found = list(items)
    for field in reversed(order):
        at = path(field[0])
        back = field.get("Order") == "Descending"
        found.sort(key=partial(_sorted_by, call, at), reverse=back)
    return found


def _sorted_by(call: Call, at: Path, item: Item) -> tuple[int, float, str]:
    return _key(next(_texts(call, item, at), ""))


def _shortcut(sought: Node) -> tuple[str, tuple[str, ...]]:
    if local(sought) == "Or":
        found = [_indexed(each) for each in sought]
        if all(query for query, _ in found):
            # One look by each index for all values, not one for each item and value.
            asked: dict[str, list[str]] = {}
            for query, values in found:
                asked.setdefault(query, []).extend(values)
            either = " OR ".join(_either(query, len(values)) for query, values in asked.items())
            return f" AND ({either})", tuple(value for some in asked.values() for value in some)
        return "", ()
    for each in [sought, *(sought if local(sought) == "And" else ())]:
        query, values = _indexed(each)
        if query:
            return f" AND {_either(query, len(values))}", values
    return "", ()


def _either(query: str, count: int) -> str:
    """Return what finds the items that have one of the values."""
    places = count // query.count("?")
    return _INDEXES[query].format(", ".join([query] * places))


def _indexed(sought: Node) -> tuple[str, tuple[str, ...]]:
    """Return how the index finds what equals a value, nothing where it can't."""
    value = child(sought, "FieldURIOrConstant", "Constant")
    if local(sought) != "IsEqualTo" or value is None:
        return "", ()
    at, text = path(sought[0]), value.get("Value", "")
    if at.key and not mapi.is_known("Contact", at.key) and not mapi.is_known("Task", at.key):
        return "(?, ?)", (at.key, text)
    return ("?", (text,)) if at.uri == "calendar:UID" else ("", ())


_INDEXES = {
    "(?, ?)": "id IN (SELECT item FROM property WHERE (key, value) IN (VALUES {}))",
    "?": "uid IN ({})",
}
"""How the index finds what has one of some values, by what stands for one of them."""


def _holds(call: Call, item: Item, sought: Node) -> bool:
    match local(sought):
        case "And":
            return all(_holds(call, item, each) for each in sought)
        case "Or":
            return any(_holds(call, item, each) for each in sought)
        case "Not":
            return not _holds(call, item, sought[0])
        case "Exists":
            return next(_texts(call, item, path(sought[0])), None) is not None
        case "Contains":
            return _contains(call, item, sought)
        case "Excludes":
            mask = int(sought[1].get("Value", "0"), 0)
            found = next(_texts(call, item, path(sought[0])), "0")
            return found.isdecimal() and not int(found) & mask
        case relation if relation in _RELATIONS:
            return _compares(call, item, sought, _RELATIONS[relation])
    raise EwsError("ErrorUnsupportedPathForQuery")


def _compares(call: Call, item: Item, sought: Node, holds: Callable[[int], bool]) -> bool:
    at, other = path(sought[0]), sought[1][0]
    if local(other) == "Constant":
        right = other.get("Value", "")
    else:
        right = next(_texts(call, item, path(other)), "")
    found = list(_texts(call, item, at))
    if not found:
        return local(sought) == "IsNotEqualTo"
    return any(holds(_sign(left, right)) for left in found)


def _contains(call: Call, item: Item, sought: Node) -> bool:
    text = sought[1].get("Value", "")
    mode = sought.get("ContainmentMode", "FullString")
    fold = "IgnoreCase" in sought.get("ContainmentComparison", "Exact")
    for found in _texts(call, item, path(sought[0])):
        left, right = (found.casefold(), text.casefold()) if fold else (found, text)
        words = left.split()
        held = {
            "FullString": left == right,
            "Prefixed": left.startswith(right),
            "Substring": right in left,
            "PrefixOnWords": any(word.startswith(right) for word in words),
            "ExactPhrase": f" {right} " in f" {' '.join(words)} ",
        }
        if held[mode]:
            return True
    return False


def _texts(call: Call, item: Item, at: Path) -> Iterator[str]:
    """Return the values that a property has, several where it is a list of people or texts."""
    if at.key and mapi.is_known(item.kind, at.key):
        yield from mapi.values_of(item, all_of(call, item), at.key)
        return
    found = item.content.findall(f"{{{item.content.nsmap['t']}}}{at.name}")
    for node in found or all_of(call, item).get(at.name, []):
        if at.key:
            if extended_key(node[0]) == at.key:
                values = node[1] if local(node[1]) == "Values" else [node[1]]
                yield from (each.text or "" for each in values)
        elif at.index:
            for entry in node:
                if entry.get("Key") == at.index:
                    inner = child(entry, at.part) if at.part else entry
                    yield "" if inner is None else inner.text or ""
        elif len(node):
            yield from (text.strip() for text in node.itertext() if text.strip())
        else:
            yield node.text or ""


def _sign(left: str, right: str) -> int:
    one, two = _key(left), _key(right)
    if one[0] != two[0]:
        one, two = (2, 0.0, left), (2, 0.0, right)
    return (one > two) - (one < two)


def _key(text: str) -> tuple[int, float, str]:
    """Return what texts are compared by: moments as such, numbers as such, the rest as written."""
    try:
        return (1, float(text), "")
    except ValueError:
        pass
    if text[4:5] == "-" and "T" in text:
        try:
            return (0, moment(text).timestamp(), "")
        except ValueError:
            pass
    return (2, 0.0, text)
