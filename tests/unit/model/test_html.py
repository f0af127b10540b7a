"""What a reader sees of HTML: its lines, and where they stand in the source."""

from __future__ import annotations

import pytest

from accord.model.html import lines


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("", []),
        ("a<br>b", ["a", "b"]),
        ("<p>a</p>\r\n<p>b</p>", ["a", "b"]),
        ("<div>a<br></div><div>b</div>", ["a", "b"]),
        ("<div><br></div>a", ["", "a"]),
        ("<p>&nbsp;</p>a", [" ", "a"]),
        (" a\r\n <b>b</b>\tc ", ["a b c"]),
        ("&nbsp;&nbsp;a &nbsp;b", ["  a  b"]),
        ("<tr><td>a</td><td>b</td></tr>", ["a", "b"]),
        ("<head><title>x</title></head><body>a<!-- b<br> --></body>", ["a"]),
        ("a &lt;br&gt; b", ["a <br> b"]),
        ("a<br", ["a"]),
    ],
)
def test_lines_are_broken_as_a_browser_breaks_them(html: str, expected: list[str]) -> None:
    assert [line.text for line in lines(html)] == expected


def test_a_line_knows_where_it_stands() -> None:
    html = "<p> one <b>&amp;</b> two\n</p>three"
    first, second = lines(html)
    assert html[first.start : first.end] == "one <b>&amp;</b> two"
    assert html[second.start : second.end] == "three"
