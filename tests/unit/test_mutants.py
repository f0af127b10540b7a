"""The judge of `make mutants` lets no survivor pass unexplained."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.mutants import __main__ as program
from tests.mutants.survivors import (
    Mutant,
    as_toml,
    from_diff,
    function_of,
    is_wording,
    judge,
    load_reasons,
)

LIMIT = Mutant("accord.engine.guard.check", "if n >= limit:", "if n > limit:")
WHY = {LIMIT.key: "the caller never passes the limit itself"}


def test_survivor_without_reason_is_unexplained() -> None:
    verdict = judge([LIMIT], {}, complete=True)
    assert verdict.unexplained == [LIMIT]


def test_survivor_with_reason_is_explained() -> None:
    verdict = judge([LIMIT], WHY, complete=True)
    assert (verdict.unexplained, verdict.stale) == ([], [])
    assert verdict.explained == [(LIMIT, WHY[LIMIT.key])]


def test_reason_for_another_change_of_the_same_line_does_not_count() -> None:
    other = LIMIT._replace(now="if n <= limit:")
    assert judge([other], WHY, complete=True).unexplained == [other]


def test_reason_without_survivor_is_stale_only_in_a_complete_run() -> None:
    assert judge([], WHY, complete=True).stale == [LIMIT.key]
    assert judge([], WHY, complete=False).stale == []


@pytest.mark.parametrize(
    ("was", "now", "wording"),
    [
        ('why="held back"', 'why="XXheld backXX"', True),
        ('why="held back"', 'why="HELD BACK"', True),
        ("why='held back'", "why='HELD BACK'", True),
        ('why="held back"', "why=None", False),
        ('code="held"', 'code="XXheldXX"', False),
        ('f(1, "held back")', 'f(2, "held back")', False),
        ('f("held back", "x")', 'f("held back", "XXxXX")', False),
        ('name.replace("_", " ")', 'name.replace("_", "XX XX")', False),
        # lines of a statement, of which others open and close
        ('"held back",', '"HELD BACK",', True),
        ('f(g("held back"),', 'f(g("HELD BACK"),', True),
        ('"held back")], 1)', '"HELD BACK")], 1)', True),
        ('"held back")], 1)', '"held back")], 2)', False),
        ('"""held', '"""HELD', False),
        # what an f-string computes is no text
        ('f"{n} were {word}"', 'f"{n} WERE {word}"', True),
        ('f"{n:>2} were"', 'f"{n:>3} were"', False),
        ('f"{n!r} were"', 'f"{n!s} were"', False),
        ('f"{n} were{m + 1}"', 'f"{n} were{m - 1}"', False),
        ("f\"held: {why or 'no reason given'}\"", "f\"held: {why or 'NO REASON GIVEN'}\"", True),
        ("f\"held: {why or 'no reason given'}\"", "f\"held: {why and 'no reason given'}\"", False),
        ("f\"{', '.join(names)} stay\"", "f\"{', '.join(None)} stay\"", False),
        # what stands between two literals is no text either
        (
            'if key != "rule" and key.casefold() in ("rule", "rules"):',
            'if key != "rule" or key.casefold() in ("rule", "rules"):',
            False,
        ),
        (
            'return "conflict" if self.winner is None else "clash"',
            'return "conflict" if self.winner is not None else "clash"',
            False,
        ),
        (
            'lasting = "rejected" if both.garbled else ""',
            'lasting = "rejected" if (both.garbled) or True else ""',
            False,
        ),
        (
            'again = f"{step.pairing}/{step.source.version}" if step.pairing else ""',
            'again = f"{step.pairing}/{step.source.version}" if (step.pairing) or True else ""',
            False,
        ),
    ],
)
def test_only_sentences_are_wording(was: str, now: str, wording: bool) -> None:
    mutant = Mutant("accord.engine.guard.check", was, now)
    assert is_wording(mutant) is wording
    assert (judge([mutant], {}, complete=True).unexplained == []) is wording


def test_printed_survivor_can_be_pasted_as_explanation(tmp_path: Path) -> None:
    tricky = Mutant("accord.rules.parse.x", "a = ['b',\n\"c\\d\"]", "a = None")
    file = tmp_path / "explained.toml"
    entries = (as_toml(each).replace('why = ""', 'why = "so"') for each in (LIMIT, tricky))
    file.write_text("\n".join(entries), encoding="utf-8")
    assert load_reasons(file) == {LIMIT.key: "so", tricky.key: "so"}


def test_explanation_without_reason_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "explained.toml"
    file.write_text(as_toml(LIMIT), encoding="utf-8")
    with pytest.raises(ValueError, match="why"):
        load_reasons(file)


def test_explanations_of_this_repository_are_complete() -> None:
    load_reasons(Path(__file__).resolve().parents[1] / "mutants" / "explained.toml")


def test_diff_is_read() -> None:
    diff = "--- a.py\n+++ a.py\n@@ -1,3 +1,3 @@\n def check():\n-    if n >= 1:\n+    if n > 1:\n x"
    mutant = from_diff("accord.engine.guard.x_check__mutmut_7", "survived", diff)
    assert mutant.key == ("accord.engine.guard.check", "if n >= 1:", "if n > 1:")


SOURCE = """import os

# first of all
@cache
def check():
    return 1


class Guard:
    def check(self):
        # in a method
        if self.n >= 1:
            return self.n
"""


@pytest.mark.parametrize(
    ("name", "diff", "line"),
    [
        ("x_check__mutmut_1", " # first of all\n @cache\n def check():\n-    return 1", 6),
        ("xǁGuardǁcheck__mutmut_2", " def check(self):\n     # in a method\n-    if", 12),
    ],
)
def test_a_survivor_is_found_by_file_and_line(name: str, diff: str, line: int) -> None:
    whole = (
        f"--- src/accord/engine/guard.py\n+++ src/accord/engine/guard.py\n@@ -1,4 +1,4 @@\n{diff}"
    )
    mutant = from_diff(f"accord.engine.guard.{name}", "survived", whole, SOURCE)
    assert (mutant.file, mutant.line) == ("src/accord/engine/guard.py", line)


def test_survivors_in_the_wording_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    name = "accord.engine.guard.x_check__mutmut_7"
    said = Mutant("accord.engine.guard.check", '"a b"', '"A B"', name, "survived", "guard.py", 5)
    program.report({name: "survived"}, judge([said], {}, complete=False))
    assert f"wording    guard.py:5 {name}: '\"A B\"'" in capsys.readouterr().out


def test_methods_are_named_with_their_class() -> None:
    name = "accord.rules.facts.xǁFactsǁof__mutmut_12"
    assert function_of(name) == "accord.rules.facts.Facts.of"


def test_a_run_that_time_cut_short_says_so_and_blames_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No room has results yet: that is no lack of code, and the explanations aren't stale."""
    monkeypatch.setattr(sys, "argv", ["mutants", "--minutes", "0"])
    for name in ("prepare", "forget_survivors"):
        monkeypatch.setattr(program, name, lambda _: None)
    monkeypatch.setattr(program, "read_results", lambda _: {})
    monkeypatch.setattr(program, "plant", lambda *_: False)
    assert program.main() == 2
    monkeypatch.setattr(program, "plant", lambda *_: True)
    with pytest.raises(SystemExit, match="is there code in"):
        program.main()


def test_the_table_tells_what_became_of_each_rooms_mutants() -> None:
    found = {"a.x_f__mutmut_1": "killed", "a.x_f__mutmut_2": "survived"}
    others = {"b.x_g__mutmut_1": "survived", "b.x_g__mutmut_2": "not checked"}
    verdict = judge([LIMIT._replace(name="b.x_g__mutmut_1")], WHY, complete=False)
    wording = Mutant("a.f", 'why="no room"', 'why="NO ROOM"', "a.x_f__mutmut_2")
    verdict.wording.append(wording)
    lines = program.table({"engine": found, "apply": others}, verdict).splitlines()
    assert lines[2:] == [
        "| `engine` | 2 | 2 | 1 | 0 | 1 | 0 |",
        "| `apply` | 2 | 1 | 0 | 1 | 0 | 0 |",
    ]
