"""`make scale`, small: all its parts run, and it would notice what is lost, doubled or mailed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from accord.cli import exits
from accord.model.kinds import Kind, Side
from accord.ports.queue import DEATHS, Entry, Stage
from accord.sandbox.process import until
from bench.scale import __main__ as scale
from bench.scale import idle as idle_links
from bench.scale import kills, office, stand_in, usage
from bench.scale import shown as tables
from bench.scale.__main__ import PARTS, main
from bench.scale.ledger import Ledger, Shown, compare
from bench.scale.office import PAUSE

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


KILLED = "--only day --json --patience 240 --workers 4 --mailboxes 4 --changes 200 --minutes 1"


@pytest.mark.long
@pytest.mark.parametrize(
    "several", [False, pytest.param(True, marks=pytest.mark.postgres)], ids=["one", "several"]
)
def test_a_small_day_with_kills(several: bool, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*KILLED.split(), *["--latency", "5", "10", "--kills", "4"], *(["--several"] * several)]
    assert main(words) == 0
    day = json.loads(capsys.readouterr().out)["parts"]["day"]
    assert (day["lost"], day["doubled"], day["mails"], day["open"]) == (0, 0, 0, 0), day["wrong"]
    assert (day["changes"], day["buried"]) == (200, [])
    killed = {each["who"]: each["times"] for each in day["kills"]}
    assert 0 < sum(killed.values()) <= 4
    assert killed.keys() <= ({"worker", "listener", "database"} if several else {"service"})
    assert all(at > PAUSE for each in day["kills"] for at in each["seconds"] if not several)


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


def test_a_day_on_which_something_was_given_up_is_none_without_harm() -> None:
    day = {"lost": 0, "doubled": 0, "mails": 0, "buried": [], "ends": {}}
    assert scale._clean({"parts": {"day": day}})
    assert scale._clean({"parts": {"day": day | {"ends": {exits.UNREACHABLE: 1}}}})
    given_up = ({"buried": ["anna-event"]}, {"ends": {-11: 1}}, {"ends": {exits.BUG: 1}})
    for harm in ({"lost": 1}, {"mails": 1}, *given_up):
        assert not scale._clean({"parts": {"day": day | harm}})


def test_figures_of_a_day_with_kills_are_not_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "day", "--kills", "1", "--figures", str(tmp_path / "figures.json")])
    assert "use --json" in capsys.readouterr().err


# ---- what is killed ----


def test_a_process_that_is_killed_is_started_again_where_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(office, "PAUSE", 0.2)
    code = """import time
print('{"running": true}')
print('{"runn', end="", flush=True)
time.sleep(60)"""
    service = office.Service([sys.executable, "-c", code], tmp_path / "log")

    def runs() -> bool:
        service.listen()
        return service.running

    service.kept = True
    try:
        assert until(runs, 20)
        first = service.pid
        assert service.kill()
        assert until(lambda: not runs(), 20), "it is noticed"
        assert until(runs, 20), "what the first one said half is forgotten"
        assert service.pid != first
        assert service.ends == {}
        service.kept = False
        service.kill()
        with pytest.raises(RuntimeError, match="ended with -9"):
            until(lambda: not runs(), 20)
    finally:
        service.end()


def test_a_gate_is_shut_when_all_who_passed_have_left() -> None:
    gate, said = office.Gate(), list[str]()

    def shut() -> None:
        with gate.shut():
            said.append("shut")

    def pass_() -> None:
        with gate.passed():
            said.append("passed")

    closing, late = threading.Thread(target=shut), threading.Thread(target=pass_)
    with gate.passed():
        closing.start()
        assert until(lambda: gate._shut, 10)
        late.start()
        time.sleep(0.1)
        said.append("left")
    for each in (closing, late):
        each.join(10)
    assert said == ["left", "shut", "passed"]


def test_a_kill_lasts_until_some_work_is_done_again(tmp_path: Path) -> None:
    service = office.Service([sys.executable, "-c", ""], tmp_path / "log")
    service.end()
    one = kills.Kill("worker", 10.0, 11.0, [service])
    lasted = []
    for steps in ([9.0, 10.5], [9.0, 10.5, 14.0, 15.0]):
        service.steps = steps
        lasted.append(one.seconds)
    assert lasted == [None, 4.0], "what it did before it was there again doesn't count"
    (row,) = kills.told([one])
    assert (row["who"], row["times"], row["longest"]) == ("worker", 1, 4.0)


def test_nobody_is_killed_while_a_visit_is_tried_for_the_third_time(tmp_path: Path) -> None:
    entries = [Entry(folder="a", stage=Stage.RUNNING, cause="hint", since=0)]
    queue = SimpleNamespace(entries=lambda stage: entries if stage is Stage.RUNNING else [])
    office_ = cast("Any", SimpleNamespace(queue=queue))
    service = cast("Any", SimpleNamespace(kill=lambda: True))
    some = kills.Kills(office_, {"worker": service}, None, Random(1))
    for attempts in range(1, DEATHS + 1):
        entries[:] = [replace(entries[0], attempts=attempts)]
        assert some._kill() is (attempts < DEATHS)
    assert len(some.done) == DEATHS - 1


def test_what_took_the_place_of_a_process_is_measured_with_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as first:
        line = usage.Line(first.pid)
        assert until(lambda: line.cpu > 0.1, 20)
        first.kill()
    used = line.cpu
    assert used > 0.1
    line.follow(usage.Process.own().pid)
    assert line.cpu >= used
    assert line.peak > 0


# ---- a part of a core ----


@pytest.mark.parametrize("way", ["best", "stopped and continued"])
def test_a_process_is_held_to_a_part_of_a_core(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way != "best":
        monkeypatch.setattr(usage, "_group", lambda *_: None)
    spinning = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        with usage.held_to(0.2, spinning.pid) as how:
            assert way in ("best", how)
            watch = usage.Watch(it=usage.Process(spinning.pid))
            time.sleep(2)
            assert 0.05 < watch.cores()["it"] < 0.35
            spinning.kill()
            spinning.wait()
    finally:
        spinning.kill()
        spinning.wait()
