"""Content lines of vCard 3.0 as vCard 2.1 says them: bare types, quoted-printable, base64.

What 2.1 has no words for is left out: birthdays without a year, types and parameters that would
need quotes, a name that nobody chose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from accord.formats.lines import parse
from accord.formats.old import binary_line, content_line, plain
from accord.formats.vcard.entries import MANY
from accord.formats.vcard.kept import Entry, entry
from accord.formats.vcard.singles import NAMES

_WORD = re.compile(r"[A-Za-z0-9-]+\Z")
_VALUE = re.compile(r'[^";:,=\\\s]+\Z')
_UNSAID = frozenset({"TYPE", "ENCODING", "CHARSET", "VALUE", "PREF", "DERIVED"})
SEPARATORS = {"N": ";", "ADR": ";", "ORG": ";", "CATEGORIES": ",", "NICKNAME": ","}
TEXTS = frozenset({"UID", "X-ACCORD-ID", *NAMES, *(one.name for one in MANY)}) - {"URL"}


def older_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a 2.1 card for those of a 3.0 card."""
    for text in lines:
        found = entry(parse(text, 0))
        if "DERIVED" in found.params or "X-APPLE-OMIT-YEAR" in found.params:
            # A reader that knows neither would take the stand-in for the truth.
            continue
        yield _line(found)


def _line(found: Entry) -> str:
    name = f"{found.group}.{found.name}" if found.group else found.name
    params = list(_params(found))
    if found.params.get("ENCODING", ("",))[0].upper() in ("B", "BASE64"):
        return binary_line(name, params, found.value)
    if found.params.get("VALUE", ("",))[0].lower() == "uri":
        params.append("VALUE=URL")
    value = found.value
    if found.name in TEXTS:
        value = plain(value, SEPARATORS.get(found.name, ""))
    return content_line(name, params, value)


def _params(found: Entry) -> Iterator[str]:
    kinds = [kind.strip() for value in found.params.get("TYPE", ()) for kind in value.split(",")]
    if found.params.get("PREF"):
        kinds.append("PREF")
    yield from (kind.upper() for kind in dict.fromkeys(kinds) if _WORD.match(kind))
    for name, values in found.params.items():
        if name not in _UNSAID and len(values) == 1 and _VALUE.match(values[0]):
            yield f"{name}={values[0]}"
