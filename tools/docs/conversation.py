"""One session with CRM.interface message by message, `docs/conversation.md`, played anew each time.

A device made by hand speaks with the real server over a CRM in memory; clock and chance stand
still meanwhile, so that the page is the same as long as the server is.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple
from unittest.mock import patch
from xml.sax.saxutils import escape

from lxml import etree

from accord.model.item import Contact, Mailto
from tests.unit.interface.phone import Phone, card
from tests.unit.interface.world import World, make_world

_WIDE = 96
_FEW = 4
"""So many elements may stand in a line."""

_INTRODUCTION = """\
# A session, message by message

<!-- Made by `make docs`; edit the code, not this page. -->

What a device and [CRM.interface](interface.md) say to each other when they meet for the first time:
on the phone is Ada Lovelace, in the CRM is Grace Hopper, and afterwards both are on both sides. A
session is a few POSTs; each message answers the one before it. The address, the user and the
password stand on the device, all else they tell each other.

The messages are those of the real server to a device made by hand, indented for reading; in items,
a line ends with CR and LF.
"""


class Step(NamedTuple):
    """Be one exchange: what is to be said of question and answer."""

    title: str
    asks: str
    answers: str


STEPS = (
    Step(
        "Who is there?",
        "The device introduces itself (`Put`, its device information), asks what the server is "
        "(`Get`), and alerts its store: 200 is a two-way sync. `Anchor` names this sync (`Next`) "
        "and the one before (`Last`), of which there is none. `Final` ends the package. The device "
        "doesn't know a nonce yet, so it proves its password with an empty one.",
        "An empty nonce would make a proof that holds for ever: 401 for the header and all "
        "commands, none of which is done. `Chal` asks for another proof, with `NextNonce`.",
    ),
    Step(
        "The same with a proof",
        "In a new session the device says the same again. `Cred` is now "
        "b64(MD5(b64(MD5(user:password)):nonce)).",
        "212: let in until the session ends, without credentials in further messages. `Chal` has "
        "the nonce for the next session; `RespURI` has the address, with a secret part, to which "
        "the following messages of this one go. The server describes itself in `Results`: per "
        "store the types it takes and sends, the preferred one first. 508: the anchors name no "
        "sync that both remember, so the server's own `Alert` turns two-way into 201, slow: the "
        "device sends all it has.",
    ),
    Step(
        "What the device has",
        "Statuses answer the server's commands, then one `Sync` per store brings the items, each "
        "under the device's own name for it (its LUID).",
        "201: the item was added to the CRM; had it been there already, it would have been "
        "recognized and answered with 200. The server stores the name at once, so that nothing is "
        "there twice if the session breaks off here. In its own `Sync` it sends what the device "
        "lacks, under its name for it (its GUID), with the number of changes in front.",
    ),
    Step(
        "What became of it",
        "The device says what became of each command. `Map` says that it calls the server's item "
        "101: under that name it will speak of it from now on, and so will the server.",
        "The last package. Only now are the anchors stored: the next sync begins here, with an "
        "alert whose `Last` is this session's `Next`, and brings only what has changed since. Had "
        "this answer been lost, the device would have sent its message again, and got the same "
        "answer.",
    ),
)


class Exchange(NamedTuple):
    """Be one message of the device with the server's answer, and the path it went to."""

    path: str
    question: bytes
    answer: bytes


def render() -> str:
    """Return the whole page as Markdown."""
    parts = [_INTRODUCTION]
    for number, (step, heard) in enumerate(zip(STEPS, play(), strict=True), 1):
        parts.append(f"## {number}. {step.title}\n")
        parts.append(f"{_filled(step.asks)}\n\n```text\nPOST {heard.path}")
        parts.append(f"Content-Type: application/vnd.syncml+xml\n```\n\n{_block(heard.question)}")
        parts.append(f"{_filled(step.answers)}\n\n{_block(heard.answer)}")
    return "\n".join(parts)


def play() -> list[Exchange]:
    """Play the session and return what was said."""
    with stage() as world:
        phone = _Recorded(world.server)
        phone.items["1"] = card("Ada Lovelace", "ada@example.com")
        phone.sync()
    return phone.heard


@contextmanager
def stage() -> Iterator[World]:
    """Open the CRM of the page, and let clock and chance stand still as long."""
    with make_world() as world, _without_chance():
        mails = (Mailto(address="grace@example.com", type="work"),)
        world.add(
            Contact(full_name="Grace Hopper", given="Grace", family="Hopper", mails=mails),
        )
        yield world


class _Recorded(Phone):
    """Note what is said."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.heard: list[Exchange] = []

    def raw(self, data: bytes, signature: str = "") -> Any:
        answer = super().raw(data, signature)
        path = self.url.removeprefix("http://crm.example")
        self.heard.append(Exchange(path, data, answer.body))
        return answer


@contextmanager
def _without_chance() -> Iterator[None]:
    numbers = count(1)

    def chance(size: int | None = None) -> bytes:
        return hashlib.sha256(f"page {next(numbers)}".encode()).digest()[: size or 32]

    def letters(size: int | None = None) -> str:
        return chance(size).hex()[: size or 32]

    with (
        patch.object(secrets, "token_bytes", chance),
        patch.object(secrets, "token_hex", letters),
        patch.object(secrets, "token_urlsafe", letters),
    ):
        yield


def pretty(message: bytes) -> str:
    """Return a message as people read it: indented, and of our many stores only the first.

    The moment at which a card is written is that of all else on the page.
    """
    parser = etree.XMLParser(remove_blank_text=True, resolve_entities=False, no_network=True)
    text = re.sub(rb"REV:\d{8}T\d{6}Z", b"REV:20260302T090000Z", message)
    root = etree.fromstring(text.replace(b"\r\n", b"\n"), parser)
    for info in root.iter("{syncml:devinf}DevInf"):
        stores = info.findall("{syncml:devinf}DataStore")
        for store in stores[1:]:
            info.remove(store)
        if stores[1:]:
            names = [store.findtext("{syncml:devinf}SourceRef", "") for store in stores[1:]]
            info.append(etree.Comment(f" and likewise {', '.join(names)} "))
    return "\n".join(_lines(root, "", ""))


def _lines(element: etree._Element, space: str, indent: str) -> Iterator[str]:
    """Yield an element's lines; what is short and has no items in it stands in one."""
    whole = _text(element, space)
    if len(indent + whole) <= _WIDE and "\n" not in whole and whole.count("</") <= _FEW:
        yield indent + whole
        return
    if not len(element):
        first, *more = whole.split("\n")
        yield from [indent + first, *more]
        return
    name = etree.QName(element)
    yield f"{indent}{_start(element, space)}"
    for child in element:
        yield from _lines(child, name.namespace or "", indent + "  ")
    yield f"{indent}</{name.localname}>"


def _text(element: etree._Element, space: str) -> str:
    """Return an element as one text; `space` is the name space it stands in."""
    if not isinstance(element.tag, str):
        return f"<!--{element.text}-->"
    name, start = etree.QName(element), _start(element, space)
    inner = "".join(_text(child, name.namespace or "") for child in element)
    inner = escape(element.text or "") + inner
    return f"{start}{inner}</{name.localname}>" if inner else f"{start[:-1]}/>"


def _start(element: etree._Element, space: str) -> str:
    name = etree.QName(element)
    named = f' xmlns="{name.namespace}"' if name.namespace != space else ""
    return f"<{name.localname}{named}>"


def _block(message: bytes) -> str:
    return f"```xml\n{pretty(message)}\n```\n"


def _filled(text: str) -> str:
    """Return a paragraph in lines of at most 100 characters."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > 100:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return "\n".join([*lines, line])
