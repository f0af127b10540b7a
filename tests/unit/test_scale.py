"""`make scale`, small: all its parts run, and it would notice what is lost, doubled or mailed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from accord.model.kinds import Kind, Side
from bench.scale import __main__ as scale
from bench.scale import idle as idle_links
from bench.scale import shown as tables
from bench.scale import stand_in, usage
from bench.scale.__main__ import PARTS, main
from bench.scale.ledger import Ledger, Shown, compare

SMALL = (
    "--only {part} --json --patience 60 --workers 4"
    " --mailboxes 2 --changes 24 --minutes 0.1 --latency 5 10"
    " --worker-mailboxes 2 --worker-items 5 --worker-latency 5 --counts 1 2"
    " --links 6 --interval 5 --idle-minutes 0.1"
)


def figures(part: str, capsys: pytest.CaptureFixture[str]) -> Any:
    assert main(SMALL.format(part=part).split()) == 0
    return json.loads(capsys.readouterr().out)["parts"][part]


def test_a_part_run_alone_leaves_the_figures_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "figures.json"
    monkeypatch.setattr(scale, "_clean", lambda _: True)

    def measure(part: str, load: float, processors: int = 2) -> Any:
        when = {"load": load, "day": "2030-01-07"}
        monkeypatch.setattr(scale, "_machine", lambda: {"processors": processors})
        monkeypatch.setattr(scale, "_when", lambda: when)
        monkeypatch.setattr(scale, "_part", lambda *_: lambda _folder: {})
        assert main(["--json", "--only", part, "--figures", str(file)]) == 0
        parts = json.loads(file.read_text(encoding="utf-8"))["parts"]
        return {name: each["load"] for name, each in parts.items()}

    assert measure("day", load=3.5) == {"day": 3.5}
    assert measure("idle", load=0.1) == {"day": 3.5, "idle": 0.1}
    assert measure("day", load=0.2) == {"day": 0.2, "idle": 0.1}
    assert measure("idle", load=0.3, processors=64) == {"idle": 0.3}


@pytest.mark.slow
def test_a_small_day(capsys: pytest.CaptureFixture[str]) -> None:
    day = figures("day", capsys)
    assert (day["lost"], day["doubled"], day["mails"], day["open"]) == (0, 0, 0, 0), day["wrong"]
    assert day["changes"] == 24
    assert day["links"] == 6
    assert 0 < day["p95_seconds"] < 60
    assert all(day["hint_to_done"][side]["count"] > 0 for side in Side)
    assert day["cores"]["accord"] > 0
    assert day["peak_mib"] > 20
    assert day["requests"]["CreateItem"] > 0
    assert day["stored_bytes_per_change"]["accord"] > 0
    assert day["faults"] == {}


@pytest.mark.long
@pytest.mark.postgres
def test_small_work_for_several_processes(
    postgres: str, capsys: pytest.CaptureFixture[str]
) -> None:
    several = figures("workers", capsys)
    assert [(row["workers"], bool(row["share"])) for row in several["rows"]] == [
        (1, True), (2, True), (1, False), (2, False),
    ]  # fmt: skip
    for row in several["rows"]:
        assert (row["lost"], row["doubled"], row["mails"]) == (0, 0, 0)
        assert row["items"] == 30
        assert bool(row["held_by"]) is bool(row["share"])
        if row["share"]:
            assert all(cores < 0.4 for cores in row["cores"].values())
    assert several["times"].keys() == {"2 held", "2 free"}


@pytest.mark.long
def test_few_idle_links(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(idle_links, "QUIET", 1.0)
    idle = figures("idle", capsys)
    assert idle["links"] == 6
    assert idle["rows"]["visited"]["visits"] > 0
    assert idle["rows"]["watched"]["visits"] == 0
    assert idle["rows"]["one"]["core"] > 0


def test_every_part_is_shown_to_people() -> None:
    assert tables._TITLES.keys() == tables._ROWS.keys() == set(PARTS)


# ---- would it notice? ----


@pytest.fixture
def ledger() -> Ledger:
    """One item, made in the CRM, renamed there and moved in the mailbox."""
    made = Ledger()
    item = made.fresh("anna", Kind.EVENT)
    for side, ref in ((Side.CRM, "1"), (Side.CRM, "1"), (Side.GROUPWARE, "E")):
        made.begin(item, side)
        made.end(item, side, ref)
    return made


def shown(crm: list[Shown], groupware: list[Shown]) -> dict[Side, dict[str, list[Shown]]]:
    return {
        side: {f"anna {one.name}": [each for each in some if each.name == one.name] for one in some}
        for side, some in ((Side.CRM, crm), (Side.GROUPWARE, groupware))
    }


def test_what_is_right_is_not_complained_of(ledger: Ledger) -> None:
    right = [Shown("e000000", 2, 3)]
    verdict = compare(ledger, shown(right, right))
    assert (verdict.lost, verdict.doubled) == ([], [])


@pytest.mark.parametrize(
    ("crm", "groupware", "lost", "doubled"),
    [
        ([], [Shown("e000000", 2, 3)], 1, 0),
        ([Shown("e000000", 2, 3)], [Shown("e000000", 1, 3)], 1, 0),
        ([Shown("e000000", 2, 0)], [Shown("e000000", 2, 3)], 1, 0),
        ([Shown("e000000", 2, 3)] * 2, [Shown("e000000", 2, 3)], 0, 1),
        ([Shown("e000000", 2, 3), Shown("x")], [Shown("e000000", 2, 3)], 0, 1),
    ],
    ids=["gone", "old in the mailbox", "old in the CRM", "twice", "a stranger"],
)
def test_what_is_wrong_is_noticed(
    ledger: Ledger, crm: list[Shown], groupware: list[Shown], lost: int, doubled: int
) -> None:
    verdict = compare(ledger, shown(crm, groupware))
    assert (len(verdict.lost), len(verdict.doubled)) == (lost, doubled)


def test_what_was_deleted_has_to_be_gone_on_both_sides(ledger: Ledger) -> None:
    dice = Random(1)
    assert ledger.some("anna", Kind.EVENT, Side.CRM, dice, last=True) is None, "it is under way"
    for side, number in ((Side.GROUPWARE, 2), (Side.CRM, 3)):
        ledger.seen(side, "E" if side is Side.GROUPWARE else "1", number, time.monotonic())
    item = ledger.some("anna", Kind.EVENT, Side.CRM, dice, last=True)
    assert item is not None
    assert ledger.some("anna", Kind.EVENT, Side.GROUPWARE, dice, last=False) is None
    ledger.drop(item)
    assert ledger.open == 1
    ledger.left(Side.GROUPWARE, "E", time.monotonic())
    assert ledger.open == 0
    still = [Shown("e000000", 2, 3)]
    assert len(compare(ledger, shown([], still)).lost) == 1
    assert compare(ledger, shown([], [])).lost == []


def test_a_later_change_of_a_field_brings_the_earlier_ones_along(ledger: Ledger) -> None:
    assert ledger.open == 3
    ledger.seen(Side.GROUPWARE, "E", 2, time.monotonic())
    assert ledger.open == 1
    assert [len(ledger.seconds[side]) for side in Side] == [2, 0]


def test_only_what_was_really_written_counts() -> None:
    asked = (
        b"<s:Body><m:UpdateItem><m:ItemChanges>"
        b'<t:ItemChange><t:ItemId Id="A"/><t:Subject>e1 ~c7~</t:Subject></t:ItemChange>'
        b'<t:ItemChange><t:ItemId Id="B"/><t:Subject>e2 ~c8~</t:Subject></t:ItemChange>'
        b"</m:ItemChanges></m:UpdateItem></s:Body>"
    )
    answer = (
        b'<m:UpdateItemResponseMessage ResponseClass="Error"><m:MessageText>no</m:MessageText>'
        b'</m:UpdateItemResponseMessage><m:UpdateItemResponseMessage ResponseClass="Success">'
        b'<t:ItemId Id="B" ChangeKey="x"/></m:UpdateItemResponseMessage>'
    )
    assert stand_in._done(b"UpdateItem", asked, answer) == [("B", 8)]


# ---- a part of a core ----


@pytest.mark.parametrize("way", ["best", "stopped and continued"])
def test_a_process_is_held_to_a_part_of_a_core(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way != "best":
        monkeypatch.setattr(usage, "_group", lambda *_: None)
    spinning = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        with usage.held_to(0.2, spinning.pid) as how:
            assert way in ("best", how)
            watch = usage.Watch(it=spinning.pid)
            time.sleep(2)
            assert 0.05 < watch.cores()["it"] < 0.35
            spinning.kill()
            spinning.wait()
    finally:
        spinning.kill()
        spinning.wait()
