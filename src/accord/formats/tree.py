"""Components: what stands between BEGIN and END in iCalendar and vCard texts.

`parse` gives the roots of a text; time zone definitions stay unparsed until asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

from accord.formats.errors import Refused
from accord.formats.limits import Limits
from accord.formats.lines import Line, Text, format_line
from accord.formats.lines import parse as parse_line


class Component:
    """Be one component: its own lines, the components inside, and where it begins.

    `bad` is the first line that could not be taken apart. `raw` holds the undivided lines
    of a VTIMEZONE, whose text is usually known by heart.
    """

    __slots__ = ("bad", "children", "lines", "name", "number", "raw")

    def __init__(self, name: str, number: int) -> None:
        """Start an empty component that begins at an unfolded line."""
        self.name = name
        self.number = number
        self.lines: list[Line] = []
        self.children: list[Component] = []
        self.raw: list[str] = []
        self.bad: Refused | None = None

    def find(self, name: str) -> Line | None:
        """Return the first line of that name."""
        for line in self.lines:
            if line.name == name:
                return line
        return None

    def walk(self) -> Iterator[Component]:
        """Yield this component and all inside."""
        yield self
        for child in self.children:
            yield from child.walk()

    def dump(self) -> list[str]:
        """Return the content lines of the component, BEGIN and END included."""
        body = self.raw or [format_line(x.name, x.params, x.value) for x in self.lines]
        inner = [line for child in self.children for line in child.dump()]
        return [f"BEGIN:{self.name}", *body, *inner, f"END:{self.name}"]


def parse(text: Text, limits: Limits, *, bare: bool = False) -> list[Component]:
    """Return the outermost components of an unfolded text.

    `bare` as in `lines.parse`. Raises Refused where BEGIN and END don't pair, where
    something stands outside, or where a limit is passed; a line that can't be taken apart
    only spoils its own component (`bad`).
    """
    roots: list[Component] = []
    stack: list[Component] = []
    count = 0
    raw: list[str] | None = None
    for number, content in enumerate(text.lines, 1):
        mark = content[:6].upper()
        if mark == "BEGIN:":
            count += 1
            if raw is not None:
                raw.append(content)
                continue
            component = _begin(content, number, stack, roots)
            if len(stack) > limits.depth:
                raise Refused(f"components stand more than {limits.depth} deep", line=number)
            if count > limits.parts:
                raise Refused(f"the text has more than {limits.parts:,} components", line=number)
            if component.name == "VTIMEZONE":
                raw = component.raw
        elif mark[:4] == "END:":
            if raw is not None and content[4:].strip().upper() != "VTIMEZONE":
                raw.append(content)
                continue
            raw = None
            _end(content, number, stack)
        elif raw is not None:
            raw.append(content)
        elif content and not content.isspace():
            _line(content, number, stack, bare)
    if stack:
        raise Refused(f"{stack[-1].name} has no END", line=stack[-1].number)
    return roots


def _begin(content: str, number: int, stack: list[Component], roots: list[Component]) -> Component:
    name = content[6:].strip().upper()
    if not name or not name.replace("-", "").isalnum() or not name.isascii():
        raise Refused(f"{name[:40]!r} is no name of a component", line=number)
    component = Component(name, number)
    (stack[-1].children if stack else roots).append(component)
    stack.append(component)
    return component


def _end(content: str, number: int, stack: list[Component]) -> None:
    name = content[4:].strip().upper()
    if not stack or stack[-1].name != name:
        where = f"inside {stack[-1].name}" if stack else "without a BEGIN"
        raise Refused(f"END:{name[:40]} stands {where}", line=number)
    stack.pop()


def _line(content: str, number: int, stack: list[Component], bare: bool) -> None:
    if not stack:
        raise Refused(f"{content[:40]!r} stands outside of any component", line=number)
    try:
        stack[-1].lines.append(parse_line(content, number, bare=bare))
    except Refused as error:
        if stack[-1].bad is None:
            stack[-1].bad = error
