"""The CRM's text in a mailbox body that is somebody's own: a section between two marker lines.

`read` says what a body is to the CRM, `write` puts the CRM's text in; around the section not a
character changes. Pure text: `engine.bodies` does this for whole items.
"""

from __future__ import annotations

import re
from html import escape, unescape
from typing import NamedTuple

import msgspec

from accord.model.html import Line, lines, pieces, to_text
from accord.model.parts import Body, BodyType

BEGIN = "--- CRM ---"
END = "--- /CRM ---"
"""The lines around the section, as people see them; nobody writes both by chance."""

_GAP = "\n\n"
_OPENING, _CLOSING = "<div>", "</div>"
_MARKER = r"---[^\S\n]+/?CRM[^\S\n]+---[^\S\n]*$"
_LIKE_A_MARKER = re.compile(rf"^([^\S\n]*)(>*{_MARKER})", re.MULTILINE)
_ESCAPED = re.compile(rf"^([^\S\n]*)>(>*{_MARKER})", re.MULTILINE)
_NAME = re.compile(r"</?\s*([a-zA-Z][\w:.-]*)")
_ALONE = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
_JOIN = re.compile(
    r"https?://[^\s<>\"']*(?:meet|zoom|webex|teams\.|join|whereby|jitsi|conference|lync|skype|bbb)"
    r"[^\s<>\"']*",
    re.IGNORECASE,
)
_TRAILING = ".,;:!?)]}>"


class _Section(NamedTuple):
    """Be a section: what it says, where it stands with its markers, and where between them."""

    text: str
    start: int
    inside: int
    outside: int
    end: int


def read(body: Body | None) -> Body | None:
    """Return what a mailbox body is to the CRM: its section's text, else the whole body."""
    section = _find(body)
    if section is None:
        return body
    return Body(text=section.text) if section.text.strip() else None


def around(body: Body | None) -> Body | None:
    """Return what stands around the section, the whole body where there is none."""
    section = _find(body)
    return body if section is None or body is None else _cut(body, section)


def write(
    body: Body | None,
    text: Body | None,
    former: Body | None,
    *,
    made: bool = False,
    link: str = "",
) -> Body | None:
    """Return a mailbox body with the CRM's `text` in it; `read` gives that text back.

    `former` is what the CRM is known to have had of `body`: plain text that says no more gives
    way. What is somebody's own stays, the text then goes into the section; so do HTML and every
    link to an online meeting (`link` is one, however it looks). A body `made` by Accord is
    the CRM's own, HTML too, and its link may give way to another one. No text, no section.
    """
    if _is_blank(body) or body is None:
        return _whole(text)
    section = _find(body)
    if section is not None:
        return _exchanged(body, section, text)
    if _says(body, text):
        return body
    if _gives_way(body, text, former, made=made, link=link):
        return _whole(text)
    beside = _beside(body, text, former, link)
    if beside is not None:
        return beside
    return _appended(body, _plain(text)) if _plain(text).strip() else body


def keeps(before: Body | None, after: Body | None) -> bool:
    """Tell whether a body got its first section beside something that stood there and still does.

    Then it holds one text more, and nobody's is lost.
    """
    section = _find(after)
    if before is None or after is None or section is None or _find(before) is not None:
        return False
    start, end = _reach(after, section)
    above, below = after.text[:start], after.text[end:]
    around = before.text.startswith(above) and before.text.endswith(below)
    return around and bool((above + below).strip())


def knows(known: Body | None, body: Body | None) -> bool:
    """Tell whether a body says nothing that isn't in a known one, however it is spaced."""
    return f" {_words(body)}" in f" {_words(known)}"


def join_links(body: Body | None, link: str = "") -> set[str]:
    """Return the links to online meetings in a body, with `link` if it is there."""
    if body is None:
        return set()
    text = unescape(body.text) if body.type is BodyType.HTML else body.text
    found = {each.rstrip(_TRAILING) for each in _JOIN.findall(text)}
    return found | ({link} if link and link in text else set())


# ---- finding ----


def _find(body: Body | None) -> _Section | None:
    """Return the first section; a marker without its counterpart is a text like any other."""
    if body is None or "CRM" not in body.text:
        return None
    begun: Line | None = None
    between: list[str] = []
    for line in lines(body.text) if body.type is BodyType.HTML else _plain_lines(body.text):
        marker = " ".join(line.text.split())
        if marker == BEGIN:
            begun, between = line, []
        elif marker == END and begun is not None:
            text = _ESCAPED.sub(r"\1\2", "\n".join(between).strip("\n"))
            return _Section(text, begun.start, begun.end, line.start, line.end)
        else:
            between.append(line.text.rstrip())
    return None


def _plain_lines(text: str) -> list[Line]:
    found, at = [], 0
    for line in text.split("\n"):
        found.append(Line(line, at, at + len(line)))
        at += len(line) + 1
    return found


# ---- writing ----


def _whole(text: Body | None) -> Body | None:
    """Return the CRM's text as a body of its own; one with markers in it must not be misread."""
    if text is None or _is_blank(text):
        return None
    return text if _find(text) is None else Body(text=_marked(_plain(text), BodyType.TEXT))


def _exchanged(body: Body, section: _Section, text: Body | None) -> Body | None:
    """Return a body with another text in its section, or without one."""
    if _flat(_plain(text)) == _flat(section.text):
        return body
    rest = _cut(body, section)
    if (_is_blank(text) or _says(rest, text)) and _find(rest) is None:
        return None if _is_blank(rest) else rest
    before, inner, after = (
        body.text[: section.inside],
        body.text[section.inside : section.outside],
        body.text[section.outside :],
    )
    filled = _lines_between(_plain(text), body.type)
    if body.type is BodyType.HTML:
        closing, opening = _left_open(inner)
        filled = closing + filled + opening
    return _with(body, before + filled + after)


def _cut(body: Body, section: _Section) -> Body:
    """Return a body without its section and what `_appended` put around it."""
    start, end = _reach(body, section)
    left = "".join(_left_open(body.text[start:end])) if body.type is BodyType.HTML else ""
    return _with(body, body.text[:start] + left + body.text[end:])


def _reach(body: Body, section: _Section) -> tuple[int, int]:
    """Return where a section begins and ends, with what `_appended` put around it."""
    text, start, end = body.text, section.start, section.end
    if body.type is BodyType.TEXT:
        return start - (len(_GAP) if text[:start].endswith(_GAP) else 0), end
    if text[:start].endswith(_OPENING) and text[end:].startswith(_CLOSING):
        return start - len(_OPENING), end + len(_CLOSING)
    return start, end


def _appended(body: Body, text: str) -> Body:
    """Return a body with a section at its end, or, where nobody would see it there, before it."""
    marked = _marked(text, body.type)
    if body.type is BodyType.TEXT:
        return _with(body, body.text + _GAP + marked)
    at = _end_of(body.text)
    marked = f"{_OPENING}{marked}{_CLOSING}"
    found = _with(body, body.text[:at] + marked + body.text[at:])
    section = _find(found)
    if section is not None and _flat(section.text) == _flat(text) and _cut(found, section) == body:
        return found
    return _with(body, marked + body.text)


def _end_of(html: str) -> int:
    """Return where the body of an HTML document ends."""
    ends = {each.name: each.start for each in pieces(html) if each.name in ("/body", "/html")}
    return ends.get("/body", ends.get("/html", len(html)))


def _marked(text: str, type_: BodyType) -> str:
    return f"{BEGIN}{_lines_between(text, type_)}{END}"


def _lines_between(text: str, type_: BodyType) -> str:
    """Return a text as it stands between the markers, line ends at both ends included."""
    safe = _LIKE_A_MARKER.sub(r"\1>\2", text.strip("\n"))
    if type_ is BodyType.TEXT:
        return f"\n{safe}\n"
    shown = (re.sub(r"^ |(?<= ) ", "&nbsp;", escape(line, quote=False)) for line in _split(safe))
    return f"<br>{'<br>'.join(shown)}<br>"


def _left_open(html: str) -> tuple[str, str]:
    """Return the tags of a fragment that close what is open before it, or stay open after it.

    Where they are the same ones, the fragment can go with them.
    """
    closing: list[tuple[str, str]] = []
    opening: list[tuple[str, str]] = []
    for piece in pieces(html):
        tag = html[piece.start : piece.end]
        match = _NAME.match(tag) if piece.is_tag else None
        name = match[1].lower() if match else ""
        if not name or name in _ALONE or tag.endswith("/>"):
            continue
        if not tag.startswith("</"):
            opening.append((name, tag))
        elif name in [each for each, _ in opening]:
            while opening.pop()[0] != name:
                pass
        else:
            closing.append((name, tag))
    if [name for name, _ in closing] == [name for name, _ in reversed(opening)]:
        return "", ""
    return "".join(tag for _, tag in closing), "".join(tag for _, tag in opening)


# ---- what gives way ----


def _gives_way(
    body: Body, text: Body | None, former: Body | None, *, made: bool, link: str
) -> bool:
    """Tell whether a body without a section is replaced as a whole."""
    rich = text is None or text.type is BodyType.HTML
    if body.type is BodyType.HTML and not (made and rich):
        return False
    if not knows(former, body):
        return False
    lost = join_links(body, link) - join_links(text, link)
    return not lost or (made and bool(join_links(text)))


def _beside(body: Body, text: Body | None, former: Body | None, link: str) -> Body | None:
    """Return a plain body in which the CRM's former text, word for word, makes room for the new.

    None where it doesn't stand there, or a link would be lost.
    """
    old = "" if former is None or former.type is BodyType.HTML else former.text.strip("\n")
    if body.type is BodyType.HTML or not old.strip():
        return None
    found = re.search(rf"^{re.escape(old)}$", body.text, re.MULTILINE)
    if found is None or join_links(Body(text=old), link) - join_links(text, link):
        return None
    marked = "" if _is_blank(text) else _marked(_plain(text), BodyType.TEXT)
    return _with(body, body.text[: found.start()] + marked + body.text[found.end() :])


# ---- comparing ----


def _says(body: Body, text: Body | None) -> bool:
    """Tell whether a body without a section is that text, or its HTML."""
    if text is None:
        return False
    if body.type is text.type:
        return _flat(body.text) == _flat(text.text)
    return text.type is BodyType.TEXT and _words(body) == _words(text)


def _plain(text: Body | None) -> str:
    if text is None:
        return ""
    told = to_text(text.text) if text.type is BodyType.HTML else text.text
    return told.replace("\r\n", "\n").replace("\r", "\n")


def _words(body: Body | None) -> str:
    return " ".join(_plain(body).split())


def _flat(text: str) -> str:
    """Return a text as HTML can hold it: spaces for tabs, no space at the ends of lines."""
    return "\n".join(line.rstrip() for line in _split(text)).strip("\n")


def _split(text: str) -> list[str]:
    told = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    return told.replace("\xa0", " ").replace("\f", " ").split("\n")


def _is_blank(body: Body | None) -> bool:
    return body is None or not body.text.strip()


def _with(body: Body, text: str) -> Body:
    return msgspec.structs.replace(body, text=text)
