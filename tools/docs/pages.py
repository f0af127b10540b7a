"""What stands on a page: its fenced blocks, headings and links, for the tests of the pages.

A block's info string says what it is: `console` (commands behind `$ ` and what they print), `toml`,
`json`, `ini` or `python`, each with a file's name or without; `text` is not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^ *```(?P<info>[^`\n]*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_MEANWHILE = re.compile(r"^<!-- meanwhile: (?P<act>.*?) -->$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\((?P<to>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(?P<title>.+?)\s*$", re.MULTILINE)


class Block(NamedTuple):
    """Be one fenced block, or something that happens meanwhile (`kind` is then `meanwhile`).

    `name` is the file a block is to be written to, or what happens; `line` is where it begins.
    """

    kind: str
    name: str
    text: str
    line: int


class Command(NamedTuple):
    """Be one command of a console block with the lines it prints according to the page."""

    text: str
    prints: tuple[str, ...]
    line: int


def blocks(page: str) -> list[Block]:
    """Return a page's blocks, and what happens between them, in order."""
    found = []
    for match in _FENCE.finditer(page):
        kind, _, name = match["info"].strip().partition(" ")
        found.append(Block(kind, name.strip(), match["text"], _line(page, match.start())))
    found += [
        Block("meanwhile", match["act"], "", _line(page, match.start()))
        for match in _MEANWHILE.finditer(page)
    ]
    return sorted(found, key=lambda block: block.line)


def commands(block: Block) -> list[Command]:
    """Return the commands of a console block; raises ValueError where it begins with output."""
    found: list[Command] = []
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        if line.startswith("$ "):
            found.append(Command(line[2:], (), number))
        elif not found:
            raise ValueError(f"line {number}: output before the first command")
        else:
            last = found[-1]
            found[-1] = last._replace(prints=(*last.prints, line))
    return found


def links(page: str) -> list[str]:
    """Return where a page's links lead, code left out."""
    return [match["to"] for match in _LINK.finditer(_without_code(page))]


def anchors(page: str) -> Iterator[str]:
    """Yield the names under which a page's headings can be linked to."""
    for match in _HEADING.finditer(_FENCE.sub("", page)):
        title = re.sub(r"[^\w\- ]", "", match["title"].lower())
        yield title.replace(" ", "-")


def _without_code(page: str) -> str:
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", page))


def _line(page: str, at: int) -> int:
    return page.count("\n", 0, at) + 1
