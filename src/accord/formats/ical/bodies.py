"""Bodies: DESCRIPTION with its HTML twin (X-ALT-DESC, or ALTREP as Thunderbird writes it).

An HTML twin that no longer says what the plain text says is outdated: somebody edited the
plain text with a program that knows no HTML. A body that nobody edited is written back
exactly as it was read; where only the CRM's section changed, only that changes in the twin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from accord.formats.ical.props import NAMESPACE, Extras, Props, checksum, first, raw
from accord.formats.lines import Line, escape, parse, unescape
from accord.model.html import says_the_same, to_text
from accord.model.parts import Body, BodyType
from accord.model.sections import around, read, write

_DATA = "data:text/html"
_HTML = "X-ALT-DESC"


def read_body(props: Props, extras: Extras) -> Body | None:
    """Return the body, and keep the lines where writing it anew would make others."""
    plain, html = first(props, "DESCRIPTION"), first(props, _HTML)
    if html is not None and "HTML" not in html.param("FMTTYPE", "text/html").upper():
        html = None
    text = unescape(plain.value) if plain is not None else ""
    body = _choose(text, plain, html)
    alternative = [*props.get("DESCRIPTION", ()), *props.get(_HTML, ())]
    lines = [raw(line) for line in alternative]
    if plain is not None and not plain.params and html is None and len(lines) == 1:
        return body
    if lines and _all_told(lines) != _all_told(body_lines(body, {})):
        extras[NAMESPACE + "DESCRIPTION"] = (_mark(body), *lines)
    return body


def body_lines(body: Body | None, extras: Mapping[str, object]) -> list[str]:
    """Return the content lines of a body: those it was read from while it is unchanged."""
    kept = extras.get(NAMESPACE + "DESCRIPTION")
    if isinstance(kept, tuple) and kept and kept[0] == _mark(body):
        return [line for line in kept[1:] if line.startswith(("DESCRIPTION", _HTML))]
    if body is None:
        return []
    if body.type is BodyType.TEXT:
        return [f"DESCRIPTION:{escape(body.text)}"]
    html = f"{_HTML};FMTTYPE=text/html:{escape(body.text)}"
    text = _twin(body, kept[1:] if isinstance(kept, tuple) else ())
    return [f"DESCRIPTION:{escape(text)}", html] if text else [html]


def _twin(body: Body, kept: Iterable[object]) -> str:
    """Return the plain twin of HTML: the one that stood there, where only the section changed."""
    held = {line.name: line for line in (parse(text, 0) for text in map(str, kept))}
    plain, html = held.get("DESCRIPTION"), held.get(_HTML)
    text = unescape(plain.value) if plain is not None else ""
    before = _choose(text, plain, html)
    if not text.strip() or before is None or around(before) != around(body):
        return to_text(body.text)
    section = read(body) if around(body) is not body else None
    twin = write(Body(text=text), section, None)
    if twin is None or not says_the_same(twin.text, body.text):
        return to_text(body.text)
    return twin.text


def _choose(text: str, plain: Line | None, html: Line | None) -> Body | None:
    candidates = [unescape(html.value)] if html is not None else []
    alternative = plain.param("ALTREP") if plain is not None else ""
    if alternative[: len(_DATA)].lower() == _DATA:
        candidates.append(unquote(alternative.partition(",")[2]))
    for candidate in candidates:
        if candidate.strip() and (not text.strip() or says_the_same(text, candidate)):
            return Body(text=candidate, type=BodyType.HTML)
    return Body(text=text) if text else None


def _all_told(lines: Iterable[str]) -> list[tuple[str, dict[str, tuple[str, ...]], str]]:
    """Return what lines say: nothing is said by an empty one, which some servers drop."""
    return [told for told in map(_told, lines) if told[-1]]


def _told(text: str) -> tuple[str, dict[str, tuple[str, ...]], str]:
    """Return what a line says, however a server spells the same text."""
    line = parse(text, 0)
    return line.name, dict(line.params), unescape(line.value)


def _mark(body: Body | None) -> str:
    return checksum("" if body is None else f"{body.type.value}\n{body.text}")
