"""What the benchmark compares with does the work it is timed for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from accord.sandbox.radicale import Radicale
from bench import bare, vdirsyncer
from bench.accord import Visit
from bench.dav import rates
from bench.figures import CommandFailed, Figures, measure
from tests.contract.test_peers import event
from tests.peers import Account, new_account

COUNT = 12


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(COUNT):
        (folder / f"{number}.ics").write_bytes(event(f"bench-{number}").encode())
    return folder


def stored(account: Account) -> list[str]:
    with account.client() as client:
        listed = client.request("PROPFIND", account.calendar, headers={"Depth": "1"})
        assert listed.status_code == 207
        whole = client.get(account.calendar).text
    return sorted(line[4:] for line in whole.splitlines() if line.startswith("UID:"))


def plausible(figures: Figures) -> bool:
    return figures.seconds > 0 and figures.cpu_seconds > 0 and figures.peak_mib > 5


EXPECTED = sorted(f"bench-{number}" for number in range(COUNT))


def test_the_bare_loop_puts_every_file(radicale: Radicale, files: Path, tmp_path: Path) -> None:
    account = new_account(radicale)
    place = (account.calendar, account.user, account.password, tmp_path / "work")
    assert plausible(bare.export(files, *place))
    assert stored(account) == EXPECTED
    with pytest.raises(CommandFailed, match="412"):
        bare.export(files, *place)


def test_vdirsyncer_exports_and_finds_nothing_changed(
    radicale: Radicale, files: Path, tmp_path: Path
) -> None:
    account = new_account(radicale)
    work = tmp_path / "work"
    figures = vdirsyncer.export(files, account.calendar, account.user, account.password, work)
    assert plausible(figures)
    assert stored(account) == EXPECTED
    assert plausible(vdirsyncer.unchanged(work))
    (files / "3.ics").unlink()
    vdirsyncer.unchanged(work)
    assert len(stored(account)) == COUNT - 1


@pytest.mark.parametrize("target", ["folder", "one.ics"])
def test_vdirsyncer_imports(target: str, radicale: Radicale, files: Path, tmp_path: Path) -> None:
    account = new_account(radicale)
    texts = {path.name: path.read_text() for path in files.iterdir()}
    url = radicale.fill(account.user, "calendar", texts)
    assert url == account.calendar
    into = tmp_path / target
    place = (account.calendar, account.user, account.password, tmp_path / "work")
    assert plausible(vdirsyncer.import_(into, *place))
    whole = "".join(p.read_text() for p in ([into] if into.is_file() else into.iterdir()))
    assert sorted(line[4:] for line in whole.splitlines() if line[:4] == "UID:") == EXPECTED


def test_a_failing_command_tells_why(radicale: Radicale, files: Path, tmp_path: Path) -> None:
    account = new_account(radicale)
    with pytest.raises(CommandFailed, match="401"):
        vdirsyncer.export(files, account.calendar, account.user, "wrong", tmp_path / "work")


def test_memory_of_the_measuring_process_does_not_count(tmp_path: Path) -> None:
    ballast = b"x" * (256 * 2**20)
    hungry = [sys.executable, "-c", f"len(b'x' * {80 * 2**20})"]
    small = measure("small", [sys.executable, "-c", ""], output=tmp_path / "small.log")
    large = measure("large", hungry, output=tmp_path / "large.log")
    assert len(ballast) > 2**28 - 1
    assert small.peak_mib < 60
    assert 80 < large.peak_mib < 160


def test_an_imports_rate_is_told_with_the_commands_start_and_without() -> None:
    command = Figures(what="accord: import", seconds=2.0, cpu_seconds=1.5, peak_mib=90)
    visit = Visit(command, visit_seconds=1.25, requests=12, writes=1000)
    told = rates(visit, 1000)
    assert sorted(told.values()) == [500, 800]
    (whole,) = (what for what, rate in told.items() if rate == 500)
    assert "whole command" in whole
