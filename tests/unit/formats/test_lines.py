"""Content lines are taken apart and put together as RFC 5545 and RFC 6868 say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar.parser import Contentline, Contentlines

from accord.formats.errors import Refused
from accord.formats.limits import Limits
from accord.formats.lines import (
    escape,
    fold,
    format_line,
    parse,
    split,
    unescape,
    unfold,
)
from tests.strategies import texts
from tests.unit.formats import corpus

LIMITS = Limits()

BROKEN = {
    "ORGANIZER;CN=Sixt SE",
    "X-ORGANIZER2;CN=Sixt SE;CN2=Test!",
    "REFRESH - INTERVAL; VALUE = DURATION:PT48H",
    "ORGANIZER;CN=Society\\; 2014:that",
    "ORGANIZER;CN=that\\, that\\; %th%%at%\\ that\\::это\\, то\\; that\\ %th%%at%\\:",
    "l Latham;CUTYPE=INDIVIDUAL:mailto:dlatham@apple.com",
}
"""Lines against the grammar that icalendar makes something of, and that are refused here."""

BACKSLASHES = {
    "ORGANIZER;CN=Society\\, 2014:that",
    "ORGANIZER;CN=Society\\\\ 2014:that",
    "ORGANIZER;CN=Society\\: 2014:that",
}
"""Lines with backslashes in parameters, which mean nothing there (RFC 5545 3.1, RFC 6868)."""


@pytest.mark.parametrize("package", sorted(corpus.EXPECTED))
def test_every_line_of_the_corpus_reads_as_in_icalendar(package: str):
    """The tokenizer of our own gives name, parameters and value that icalendar gives."""
    compared = 0
    for path in corpus.files(package):
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
        try:
            theirs = [line for line in Contentlines.from_ical(data.decode()) if line.strip()]
            ours = [line for line in unfold(data, LIMITS).lines if line.strip()]
        except (UnicodeDecodeError, Refused):
            continue
        if b"\r" in data.replace(b"\r\n", b"") or _has_control(data):
            continue
        assert ours == [str(line) for line in theirs], path.name
        for text in theirs:
            compared += _same_parts(str(text))
    assert compared > 1_500
    print(f"\ntokenizer {package}: {compared:,} lines read as icalendar reads them")


def _same_parts(text: str) -> int:
    try:
        name, params, value = Contentline(text).parts()
    except ValueError:
        # What icalendar refuses may be read here only where nothing is lost by it.
        try:
            line = parse(text, 1)
        except Refused:
            return 0
        assert format_line(line.name, line.params, line.value).count(":") >= 1
        return 0
    try:
        line = parse(text, 1)
    except Refused:
        assert text in BROKEN
        return 0
    if text in BACKSLASHES:
        return 0
    assert line.name == name.upper()
    wanted = {key.upper(): _values(params[key]) for key in params}
    assert {key: list(values) for key, values in line.params.items()} == wanted, text
    # icalendar gives all values unescaped, whatever their type.
    assert unescape(line.value) == value, text
    return 1


def _values(found: object) -> list[str]:
    return [str(one) for one in found] if isinstance(found, list | tuple) else [str(found)]


def _has_control(data: bytes) -> bool:
    return any((byte < 32 and byte not in (9, 10, 13)) or byte == 127 for byte in data)


@given(st.lists(texts(200), max_size=5))
def test_folding_is_undone_by_unfolding(values: list[str]):
    lines = [f"X:{value}" for value in values]
    assert unfold(fold(lines), LIMITS).lines == [*lines, ""]


@given(texts(120).map(lambda text: text * 3))
def test_no_folded_line_is_longer_than_75_octets_nor_cuts_a_character(value: str):
    for line in fold([f"X:{value}"]).split(b"\r\n"):
        assert len(line) <= 75
        line.decode("utf-8")


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")) | st.just("\n")))
def test_escaping_is_undone_by_unescaping(text: str):
    assert unescape(escape(text)) == text
    assert "\n" not in escape(text)


@given(st.lists(texts(), min_size=1), st.sampled_from([",", ";"]))
def test_escaped_parts_of_a_list_come_apart_again(parts: list[str], separator: str):
    joined = separator.join(map(escape, parts))
    assert [unescape(part) for part in split(joined, separator)] == parts


@given(st.dictionaries(st.sampled_from(["CN", "X-A", "ROLE"]), st.lists(texts(), min_size=1)))
def test_parameters_come_back_whatever_they_hold(params: dict[str, list[str]]):
    line = parse(format_line("ATTENDEE", params, "mailto:a@b.example"), 1)
    assert {key: list(values) for key, values in line.params.items()} == params
    assert line.value == "mailto:a@b.example"


@pytest.mark.parametrize(
    ("text", "params", "value"),
    [
        ('A;CN="x:y;z,w":v:w', {"CN": ("x:y;z,w",)}, "v:w"),
        ('A;M="a","b",c:v', {"M": ("a", "b", "c")}, "v"),
        ("A;CN=^'x^'^n^^:v", {"CN": ('"x"\n^',)}, "v"),
        ("A;CN=:v", {"CN": ("",)}, "v"),
        ('a;cn=b;X-Y="c":v', {"CN": ("b",), "X-Y": ("c",)}, "v"),
        ("A;T=a;T=b:v", {"T": ("a", "b")}, "v"),
    ],
)
def test_a_line_comes_apart(text: str, params: dict[str, tuple[str, ...]], value: str):
    line = parse(text, 1)
    assert (line.name, dict(line.params), line.value) == ("A", params, value)


@pytest.mark.parametrize(
    "text", ["SUMMARY", "", ":v", 'A;B="x:v', "A;B:v", "Ä:v", 'A;="x":v', "A B:v"]
)
def test_a_line_that_is_none_is_refused_with_its_number(text: str):
    with pytest.raises(Refused) as refusal:
        parse(text, 7)
    assert refusal.value.line == 7


def test_types_of_old_cards_stand_without_a_name():
    assert parse("TEL;HOME;VOICE:1", 1, bare=True).params == {"TYPE": ("HOME", "VOICE")}


@pytest.mark.parametrize(
    "data",
    [
        b"A:1\r\nB:2",
        b"A:1\nB:2",
        b"A:1\rB:2",
        b"\xef\xbb\xbfA:1\nB:2",
        "A:1\nB:2".encode("utf-16"),
        b"A:\x001\x07\nB:2",
        b"A\r\n :1\r\nB:\r\n\t2",
        "A:1\nB:2",
    ],
)
def test_line_ends_marks_and_dirt_do_not_matter(data: bytes | str):
    assert unfold(data, LIMITS).lines == ["A:1", "B:2"]


def test_a_character_cut_by_folding_is_healed():
    assert unfold("A:ä".encode()[:3] + b"\r\n " + "ä".encode()[1:], LIMITS).lines == ["A:ä"]


def test_a_refusal_names_the_line_that_an_editor_shows():
    text = unfold(b"A:1\r\n 2\r\n 3\r\nB:4\r\nC:5", LIMITS)
    assert text.lines == ["A:123", "B:4", "C:5"]
    assert [text.physical(n) for n in (1, 2, 3)] == [1, 4, 5]


def test_bytes_that_are_no_utf8_are_refused_with_their_line():
    with pytest.raises(Refused, match="UTF-8") as refusal:
        unfold(b"A:1\n 2\nB:\xff\n", LIMITS)
    assert refusal.value.line == 3
