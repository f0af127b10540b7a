"""The properties of a card that come many times: mail, phone and postal addresses, web pages.

A line that says more than the model knows is kept, and comes back with its value: whole while
nothing changed, else with its group and the parameters that aren't modelled.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from accord.formats.lines import clean, escape, split, unescape
from accord.formats.vcard.kept import (
    NAMESPACE,
    Entry,
    Extras,
    Props,
    kept,
    line_of,
    parts,
    structured,
)
from accord.model.fields import entry_key
from accord.model.item import Contact, Mailto, Phone, PostalAddress

_STRUCTURAL = frozenset(("pref", "internet", "x400", "postal", "parcel", "dom", "intl", "uri"))
_FEATURES = ("voice", "cell", "fax", "pager", "text", "video")
_FEATURE_NAMES = {"mobile": "cell", **{name: name for name in _FEATURES}}


class Many(NamedTuple):
    """Describe a property: its name, the item's field, one value read and written."""

    name: str
    field: str
    read: Callable[[Entry], Any]
    write: Callable[[Any, str], tuple[dict[str, tuple[str, ...]], str]]


def read_many(props: Props, extras: Extras, version: str) -> dict[str, Any]:
    """Return the fields, and keep the lines that say more than their values."""
    values: dict[str, Any] = {}
    for one in MANY:
        entries = props.get(one.name)
        if not entries:
            continue
        values[one.field] = tuple(one.read(found) for found in entries)
        odd = [
            found.raw
            for found, value in zip(entries, values[one.field], strict=True)
            if found.raw != _line(one, value, version)
        ]
        if odd:
            extras[NAMESPACE + one.name] = tuple(odd)
    return values


def write_many(contact: Contact, version: str) -> list[str]:
    """Return the content lines."""
    lines: list[str] = []
    for one in MANY:
        values = getattr(contact, one.field)
        if values and contact.extras and NAMESPACE + one.name in contact.extras:
            lines += _with_kept(one, values, version, kept(contact.extras, one.name))
        else:
            lines += [_line(one, value, version) for value in values]
    return lines


def _with_kept(
    one: Many, values: Sequence[Any], version: str, entries: Iterable[Entry]
) -> list[str]:
    """Return the lines of values, each with the kept line that fits it best, used once."""
    found = [(one.read(kept_one), kept_one) for kept_one in entries]
    exact: dict[Any, deque[int]] = defaultdict(deque)
    loose: dict[str, deque[int]] = defaultdict(deque)
    for index, (value, _) in enumerate(found):
        exact[value].append(index)
        loose[entry_key(one.field, value)].append(index)
    chosen = [exact[value].popleft() if exact.get(value) else -1 for value in values]
    used = set(chosen)
    lines = []
    for value, index in zip(values, chosen, strict=True):
        if index >= 0:
            lines.append(found[index][1].raw)
            continue
        options = loose.get(entry_key(one.field, value), deque())
        while options and options[0] in used:
            options.popleft()
        if options:
            lines.append(_merged(one, value, version, *found[options.popleft()]))
        else:
            lines.append(_line(one, value, version))
    return lines


def _merged(one: Many, value: Any, version: str, old: Any, found: Entry) -> str:
    """Return the line of a changed value with what its old line said besides."""
    known, _ = one.write(old, version)
    params, text = one.write(value, version)
    spoken = {kind.lower() for kind in known.get("TYPE", ())} | {"pref"}
    rest = {name: x for name, x in found.params.items() if name not in ("TYPE", "PREF", "LABEL")}
    rest.pop("VALUE", None)
    kinds = tuple(kind for kind in found.types if kind not in spoken)
    if kinds or "TYPE" in params:
        params["TYPE"] = (*params.get("TYPE", ()), *kinds)
    return line_of(one.name, {**rest, **params}, text, found.group)


def _line(one: Many, value: Any, version: str) -> str:
    params, text = one.write(value, version)
    return line_of(one.name, params, text)


def _kind(found: Entry, without: Mapping[str, str] | None = None) -> str:
    """Return work, home or another word for what the value is for."""
    left = [kind for kind in found.types if kind not in _STRUCTURAL and kind not in (without or {})]
    for kind in ("work", "home"):
        if kind in left:
            return kind
    return left[0] if left else "other"


def _preferred(found: Entry) -> bool:
    return "pref" in found.types or found.params.get("PREF", ("",))[0] == "1"


def _params(kinds: Iterable[str], preferred: bool, version: str) -> dict[str, tuple[str, ...]]:
    words = [kind for kind in kinds if kind != "other"]
    params: dict[str, tuple[str, ...]] = {}
    if version == "3.0":
        words = [word.upper() for word in words] + (["PREF"] if preferred else [])
    elif preferred:
        params["PREF"] = ("1",)
    if words:
        params["TYPE"] = tuple(words)
    return params


def _read_mail(found: Entry) -> Mailto:
    address = unescape(found.value).strip()
    if address[:7].lower() == "mailto:":
        address = address[7:]
    return Mailto(address=address, type=_kind(found), preferred=_preferred(found))


def _write_mail(mail: Mailto, version: str) -> tuple[dict[str, tuple[str, ...]], str]:
    kinds = ["internet", mail.type] if version == "3.0" else [mail.type]
    return _params(kinds, mail.preferred, version), escape(mail.address)


def _read_phone(found: Entry) -> Phone:
    number = unescape(found.value).strip()
    if number[:4].lower() == "tel:":
        number = number[4:]
    features = {_FEATURE_NAMES[kind] for kind in found.types if kind in _FEATURE_NAMES}
    return Phone(
        number=number,
        type=_kind(found, _FEATURE_NAMES),
        features=tuple(name for name in _FEATURES if name in features),
        preferred=_preferred(found),
    )


def _write_phone(phone: Phone, version: str) -> tuple[dict[str, tuple[str, ...]], str]:
    return _params([phone.type, *phone.features], phone.preferred, version), escape(phone.number)


def _read_address(found: Entry) -> PostalAddress:
    fields = [", ".join(filter(None, parts(part, ","))) for part in split(found.value, ";")]
    box, extended, street, locality, region, postcode, country = (fields + [""] * 7)[:7]
    return PostalAddress(
        type=_kind(found),
        street=street,
        extended=extended,
        post_office_box=box,
        locality=locality,
        region=region,
        postcode=postcode,
        country=country,
        preferred=_preferred(found),
    )


def _write_address(one: PostalAddress, version: str) -> tuple[dict[str, tuple[str, ...]], str]:
    fields = (one.post_office_box, one.extended, one.street, one.locality, one.region)
    text = structured((*fields, one.postcode, one.country))
    return _params([one.type], one.preferred, version), text


def _read_url(found: Entry) -> str:
    return found.value.strip()


def _write_url(url: str, version: str) -> tuple[dict[str, tuple[str, ...]], str]:
    return {}, clean(url).replace("\n", "")


MANY = (
    Many("EMAIL", "mails", _read_mail, _write_mail),
    Many("TEL", "phones", _read_phone, _write_phone),
    Many("ADR", "addresses", _read_address, _write_address),
    Many("URL", "urls", _read_url, _write_url),
)
