"""The CRM's text in a mailbox body: put in, read back, and nothing around it touched."""

from __future__ import annotations

from html import escape
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from accord.model.fields import same
from accord.model.html import lines, to_text
from accord.model.kinds import Kind
from accord.model.parts import Body, BodyType
from accord.model.sections import BEGIN, END, join_links, keeps, knows, read, write

HTML, TEXT = BodyType.HTML, BodyType.TEXT
LINK = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_abc?context=%7b%22Tid%22%7d"
INVITATION = f'<html><body><p>Agenda</p><a href="{LINK}">Join</a><br>________</body></html>'

pieces = st.sampled_from(
    [
        "a", "b c", " ", "  ", "\t", "\n", "\n\n", "\r\n", "&", "&amp;", "<b>", "</p>", "<!--", '"',
        "é", "\xa0", ">", BEGIN, END, f"\n{BEGIN}\n", f"\n{END}\n", f">{END}", "---  CRM ---",
    ]
)  # fmt: skip
texts = st.lists(pieces, max_size=12).map("".join)
fragments = st.sampled_from(
    [
        "Agenda", "<p>", "</p>", "<p>Agenda</p>", "<br>", "<div>", "</div>", "<span>", "</span>",
        "<body>", "</body>", "</html>", "&nbsp;", "\r\n", "<!-- ", "-->", "<style>", "</style>",
        "<table><tr><td>", "</td></tr></table>", f'<a href="{LINK}">Join</a>', "<", "<o:p></o:p>",
        BEGIN, END, f"<p class=MsoNormal>{BEGIN}<o:p></o:p></p>", f"<p>{END}</p>", "<title>",
    ]
)  # fmt: skip
htmls = st.lists(fragments, max_size=12).map("".join).map(lambda text: Body(text=text, type=HTML))
plains = texts.map(lambda text: Body(text=text))
bodies = st.none() | plains | htmls
made = st.booleans()


def html(text: str) -> Body:
    return Body(text=text, type=HTML)


def told(body: Body | None) -> list[str]:
    """Return the lines that a body says, spaces at their ends and empty ends aside."""
    if body is None:
        return []
    text = to_text(body.text) if body.type is HTML else body.text
    for old, new in (("\r\n", "\n"), ("\r", "\n"), ("\t", "    "), ("\xa0", " "), ("\f", " ")):
        text = text.replace(old, new)
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n").split("\n")


@given(bodies, plains, bodies, made)
@example(html("<!-- never closed"), Body(text="seen"), None, False)
@example(Body(text=BEGIN), Body(text=END), None, False)
@example(html("Agenda"), Body(text=f"\r{BEGIN}\r{END}\r"), None, False)
def test_what_is_written_is_read_back(
    body: Body | None, text: Body, former: Body | None, made: bool
) -> None:
    result = write(body, text, former, made=made)
    found = read(result)
    if not text.text.strip():
        return
    assert found is not None
    if body is not None and result is body and found.type is HTML:
        assert to_text(body.text).split() == text.text.split(), "it said so already"
    else:
        assert told(found) == told(text)


@given(bodies, bodies, bodies, made)
def test_writing_it_again_changes_nothing(
    body: Body | None, text: Body | None, former: Body | None, made: bool
) -> None:
    once = write(body, text, former, made=made)
    if text is not None and text.text.strip():
        assert same(Kind.EVENT, "body", write(once, text, former, made=made), once)
    assert same(Kind.EVENT, "body", write(body, read(body), former), body) or read(body) is None


@given(plains | htmls, plains, plains)
@example(html("&nbsp;<"), Body(text="a"), Body(text="b"))
def test_nothing_around_the_section_changes(body: Body, one: Body, two: Body) -> None:
    assume(body.text.strip() and one.text.strip() and two.text.strip())
    assume(BEGIN not in body.text and END not in body.text)
    first = write(body, one, None)
    assume(first != body)
    assert first is not None
    start, _, end = first.text.partition(BEGIN)
    end = end.rpartition(END)[2]
    opening, closing = ("\n\n", "") if body.type is TEXT else ("<div>", "</div>")
    assert start.endswith(opening) and end.startswith(closing)
    assert start.removesuffix(opening) + end.removeprefix(closing) == body.text
    second = write(first, two, one)
    if second is not None and END in second.text:
        assert second.text.startswith(start + BEGIN) and second.text.endswith(END + end)
    else:
        assert second == body, "the second text is what stood there before"
    assert write(first, None, one) == body


@given(plains | htmls, bodies, bodies, st.sampled_from([LINK, "https://zoom.us/j/1?pwd=a&b=c"]))
def test_no_edit_in_the_crm_removes_a_link_to_a_meeting(
    body: Body, text: Body | None, former: Body | None, link: str
) -> None:
    shown = escape(link) if body.type is HTML else link
    body = Body(text=f"{shown}\n{body.text}", type=body.type)
    found = write(body, text, former)
    if END not in body.text:
        assert join_links(found) >= join_links(body)
    found = write(body, text, former, made=True)
    if END not in body.text:
        assert join_links(found), "another one may have taken its place"


def test_a_text_goes_into_the_html_of_an_invitation_and_out_again() -> None:
    body, text = html(INVITATION), Body(text="Bring samples:\n  2 < 3 & more")
    found = write(body, text, body)
    assert found is not None and found.text == INVITATION.replace(
        "</body>",
        f"<div>{BEGIN}<br>Bring samples:<br>&nbsp;&nbsp;2 &lt; 3 &amp; more<br>{END}</div></body>",
    )
    assert read(found) == text
    assert write(found, None, text) == body
    assert write(found, html(INVITATION), text) == body, "it says again what stands outside"


def test_a_text_goes_below_a_plain_text_with_a_link() -> None:
    body = Body(text=f"Join: <{LINK}>")
    found = write(body, Body(text="Bring samples"), body)
    assert found == Body(text=f"Join: <{LINK}>\n\n{BEGIN}\nBring samples\n{END}")
    kept = Body(text=f"Agenda\nJoin: {LINK}.")
    assert write(body, kept, body) == kept, "the link stands in the new text"
    assert write(body, None, body) == body


def test_a_link_that_the_entry_names_is_one_however_it_looks() -> None:
    body, link = Body(text="https://a.example/r/1"), "https://a.example/r/1"
    assert write(body, Body(text="x"), body) == Body(text="x")
    assert BEGIN in written(body, Body(text="x"), body, link=link)


def written(*values: Any, **named: Any) -> str:
    found = write(*values, **named)
    return "" if found is None else found.text


@pytest.mark.parametrize(
    ("body", "text", "former", "expected"),
    [
        (None, Body(text="x"), None, Body(text="x")),
        (Body(text=" \n"), Body(text="x"), None, Body(text="x")),
        (Body(text="old"), Body(text="new"), Body(text="old"), Body(text="new")),
        (Body(text="old"), html("<b>new</b>"), Body(text="old"), html("<b>new</b>")),
        (Body(text="old"), None, Body(text="old"), None),
        (Body(text="cut of"), Body(text="new"), Body(text="cut off"), Body(text="new")),
        (Body(text="old\nmine"), None, Body(text="old"), Body(text="\nmine")),
        (Body(text="mine"), None, Body(text="old"), Body(text="mine")),
        (html("<b>a</b>  b"), Body(text="a b"), None, html("<b>a</b>  b")),
        (html("<b>a</b>"), None, html("<b>a</b>"), html("<b>a</b>")),
    ],
)
def test_what_is_the_crms_own_gives_way(
    body: Body | None, text: Body | None, former: Body | None, expected: Body | None
) -> None:
    assert write(body, text, former) == expected


def test_what_a_person_wrote_beside_the_crms_text_stays() -> None:
    body = Body(text="first\nold\n\nlast")
    found = write(body, Body(text="new"), Body(text="old"))
    assert found == Body(text=f"first\n{BEGIN}\nnew\n{END}\n\nlast")
    assert written(Body(text="older"), Body(text="new"), Body(text="old")).startswith("older\n\n")


def test_html_that_accord_wrote_gives_way_to_html_only() -> None:
    old, new = html("<b>old</b>"), html("<b>new</b>")
    assert write(old, new, old, made=True) == new
    assert write(old, None, old, made=True) is None
    assert write(old, new, old) == html(f"<b>old</b><div>{BEGIN}<br>new<br>{END}</div>")
    assert BEGIN in written(old, Body(text="new"), old, made=True)
    assert BEGIN in written(old, new, html("<b>other</b>"), made=True)
    other = html('<a href="https://zoom.us/j/2">Join</a>')
    assert write(html(INVITATION), other, html(INVITATION), made=True) == other


def test_a_section_is_found_in_what_outlook_makes_of_it() -> None:
    paragraph = "<p class=MsoNormal><span lang=DE>{}<o:p></o:p></span></p>\r\n"
    inside = (
        BEGIN.replace(" ", "&nbsp;"),
        "Bring",
        "<o:p>&nbsp;</o:p>",
        "<b>2</b>\r\nsamples",
        END,
    )
    outer = "<html><head><style>p{}</style></head><body><p>Agenda</p>%s<p>End</p></body></html>"
    body = html(outer % "".join(map(paragraph.format, inside)))
    assert read(body) == Body(text="Bring\n\n2 samples")
    found = write(body, Body(text="One\nTwo"), read(body))
    assert found is not None and read(found) == Body(text="One\nTwo")
    assert [line.text for line in lines(found.text)] == [
        "Agenda", BEGIN, "One", "Two", END, "End",
    ]  # fmt: skip
    assert found.text.count("<p") == found.text.count("</p") == 3
    gone = write(body, None, read(body))
    assert gone is not None
    assert [line.text for line in lines(gone.text)] == ["Agenda", "End"]
    assert gone.text.count("<span") == gone.text.count("</span") == 1


def test_tags_that_are_not_the_sections_own_stay_where_they_are() -> None:
    body = html(f"<div>{BEGIN}</div><table><tr><td>old</td><td>{END}</td></tr></table>")
    assert written(body, Body(text="new"), None) == (
        f"<div>{BEGIN}</div><br>new<br><table><tr><td>{END}</td></tr></table>"
    )
    assert written(body, None, None) == "<div></div><table><tr><td></td></tr></table>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"a\n{BEGIN}\nb\n{END}\nc", "b"),
        (f"{BEGIN}\nx\n{BEGIN}\n\nb \n\n{END}", "b"),
        (f"{END}\n{BEGIN}\nb\n{END}\n{END}", "b"),
        (f"{BEGIN}\nb\n{END}\n{BEGIN}\nc\n{END}", "b"),
        (f"  ---\tCRM  ---\nb\n{END} ", "b"),
        (f"{BEGIN}\n>{END}\n>>{BEGIN}\n{END}", f"{END}\n>{BEGIN}"),
        (f"{BEGIN}\n \n{END}", None),
        (f"{BEGIN}\nb", f"{BEGIN}\nb"),
        (f"> {BEGIN}\nb\n> {END}", f"> {BEGIN}\nb\n> {END}"),
        (f"{END}\nb\n{BEGIN}", f"{END}\nb\n{BEGIN}"),
    ],
)
def test_the_section_is_what_stands_between_two_markers(text: str, expected: str | None) -> None:
    assert read(Body(text=text)) == (None if expected is None else Body(text=expected))


def test_a_section_says_what_is_kept_and_known() -> None:
    plain, marked = Body(text="mine"), Body(text=f"mine\n\n{BEGIN}\nx\n{END}")
    assert keeps(plain, marked) and not keeps(marked, marked) and not keeps(plain, plain)
    assert not keeps(None, marked) and not keeps(Body(text="other"), marked)
    assert not keeps(plain, Body(text=f"{BEGIN}\nx\n{END}"))
    assert keeps(Body(text="a\nmine"), Body(text=f"{BEGIN}\nx\n{END}\nmine"))
    assert knows(Body(text="a  b c"), html("<p>a b</p>")) and not knows(None, plain)
    assert knows(None, None) and not knows(Body(text="banana"), Body(text="nana"))
