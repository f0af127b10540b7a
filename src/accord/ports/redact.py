"""Take out of texts for people what nobody may read: passwords in addresses, and tokens.

The text of every expected error comes through here, and so does every line of the log.
"""

from __future__ import annotations

import re
from typing import Any

GONE = "***"
"""What stands in the place of what was taken out."""

_NAMES = (
    r"(?:access|refresh|id)_token|client_secret|client_assertion|assertion|password|passwd|pwd"
    r"|secret|token|api[_-]?key|nonce"
)
_SECRET_NAME = re.compile(
    r"(?i)(?:^|_)(?:password|passwords|passwd|pwd|secret|secrets|token|tokens|api_?key|"
    r"authorization|cookie|credentials|nonce)$"
)

_RULES: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    # scheme://user:password@host, also where the password holds what it should not; a colon
    # before a port alone is none of that
    (
        ("://",),
        re.compile(
            r"""(://[^\s/@:?#"'<>]*):(?!\d{1,5}(?:[/?#\s"']|$))"""
            r"""(?:[^\s/"'<>]*|[^\s@"'<>]*)@"""
        ),
        rf"\1:{GONE}@",
    ),
    # Authorization: Basic …, in whatever text it stands; plain words behind it are left
    (
        ("earer ", "asic ", "igest ", "egotiate ", "ntlm ", "NTLM ", "BASIC ", "BEARER "),
        re.compile(
            r"\b(?i:(bearer|basic|digest|negotiate|ntlm)) +(?=\S*[0-9A-Z=+/])[\w+/=.~-]{8,}"
        ),
        rf"\1 {GONE}",
    ),
    (
        ("=",),
        re.compile(rf"(?i)\b({_NAMES}|(?<=[?&])(?:code|state))=[^\s&;,\"']+"),
        rf"\1={GONE}",
    ),
    (
        ('"', "'"),
        re.compile(rf"(?i)([\"'])({_NAMES}|code)\1(\s*[:=]\s*)([\"']).*?\4"),
        rf"\1\2\1\3\4{GONE}\4",
    ),
    # tokens: JSON web tokens, and CRM.interface's own (formats.token)
    (("eyJ",), re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)*"), GONE),
    (("a1.",), re.compile(r"\ba1\.[\w-]+\.[\w-]*\.\d+\.\d+\.[os][\w-]+\.[\w-]+"), GONE),
)
"""What shows by its form: marks one of which the text must have, the form, what stands instead."""


_SHORTEST = 8
_hidden: set[str] = set()


def hide(*secrets: Any) -> None:
    """Take these out of every text from now on: texts, or tables and lists with texts in them.

    Whoever opens something with a secret says so: a server may quote it. What is short, or a plain
    word, would be found in texts that have nothing to do with it, and is left.
    """
    for each in secrets:
        match each:
            case str() if len(each) >= _SHORTEST and not (each.isalpha() and each.islower()):
                _hidden.add(each)
            case dict():
                hide(*each.values())
            case list() | tuple():
                hide(*each)


def clean(text: str) -> str:
    """Return a text without secrets: those that show by their form, and those that are known."""
    for marks, pattern, replacement in _RULES:
        if any(mark in text for mark in marks):
            text = pattern.sub(replacement, text)
    for secret in [each for each in tuple(_hidden) if each in text]:
        text = text.replace(secret, GONE)
    return text


def is_secret_name(name: str) -> bool:
    """Tell whether what goes by this name is a secret, whatever it looks like."""
    return _SECRET_NAME.search(name) is not None
