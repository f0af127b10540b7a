"""docs/deploy.md is run as it stands; systemd and podman can take what stands in deploy/."""

from __future__ import annotations

import configparser
import inspect
import itertools
import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from accord.cli.commands import NAMES
from accord.cli.service import Part
from accord.queue import clock
from accord.sandbox.postgres import fresh_database
from accord.sandbox.radicale import Radicale
from accord.service.init import init
from accord.state import holder
from tests.scenario.test_readme import README, Reader, server
from tools.docs.pages import ROOT, Command

__all__ = ["server"]  # a fixture

PAGE = ROOT / "docs" / "deploy.md"
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
CONTAINERFILE = ROOT / "deploy" / "Containerfile"
PROGRAM = "/opt/accord/.venv/bin/accord"
SOON = 30.0
WORST = 2.0
"""How exposed systemd may call a unit, of ten."""

CHECKED = {
    r"python3 -m venv /opt/accord-\d/\.venv": "make setup does the same",
    r"/opt/accord-\d/\.venv/bin/pip install --require-hashes -r (?P<file>\S+)": "the lock exists",
    r"/opt/accord-\d/\.venv/bin/pip install --no-deps /opt/accord-\d": "make setup does the same",
    r"ln -sfn /opt/accord-\d /opt/accord": "nothing to check",
    r"useradd --system --home-dir /var/lib/accord .* accord": "the units name that user",
    r"install -m 644 (?P<file>/opt/accord/deploy/\S+) /etc/systemd/system/": "the unit exists",
    r"systemctl daemon-reload": "nothing to check",
    r"systemctl (enable --now|start|stop|restart) (?P<unit>\S+\.service)": "the unit exists",
    r"curl -fs http://127\.0\.0\.1:8641/readyz": "the page's service isn't started; see below",
    r"podman build --format docker --file (?P<file>\S+) --tag accord \.": "it exists; see below",
    r"podman run --detach .*--volume accord:/var/lib/accord accord (?P<word>\w+)": "it exists",
}
"""Commands that would change the machine: what is checked instead."""


CONTAINER = re.compile(
    r"podman (?:run --rm (?P<options>(?:--\S+ (?:[A-Z_]+ )?)*?)--volume accord:/var/lib/accord|"
    r"exec accord) accord (?P<words>.*?)(?: < (?P<file>\S+))?"
)


class Deployer(Reader):
    """Be a reader who would rather not change this machine."""

    def _run(self, command: Command) -> None:
        for pattern in CHECKED:
            if found := re.fullmatch(pattern, command.text):
                self._look_at(command, found.groupdict())
                return
        if inside := CONTAINER.fullmatch(command.text):
            self._run_inside(command, inside)
            return
        super()._run(command)

    def _run_inside(self, command: Command, said: re.Match[str]) -> None:
        """Run what a container would, with no more of this machine than it sees."""
        volume = self.folder / "volume"
        volume.mkdir(exist_ok=True)
        options = shlex.split(said["options"] or "")
        if said["file"] and "--interactive" not in options:
            self._fail(command.line, "a container hears nothing without --interactive")
        handed = [
            f'{name}="${name}"'
            for option, name in itertools.pairwise([*options, ""])
            if option == "--env"
        ]
        seen = " ".join(['PATH="$PATH"', "LANG=C.UTF-8", "COLUMNS=200", *handed])
        words = f"cd {volume} && env -i {seen} accord {said['words']}"
        super()._run(command._replace(text=f"({words}) < {said['file'] or '/dev/null'}"))

    def _look_at(self, command: Command, named: dict[str, str]) -> None:
        file = ROOT / re.sub(r"^/opt/accord(-\d)?/", "", named.get("file", "README.md"))
        if not file.is_file():
            self._fail(command.line, "no such file")
        name, at, part = named.get("unit", UNITS[0].name).removesuffix(".service").partition("@")
        if ROOT / "deploy" / "systemd" / f"{name}{at}.service" not in UNITS:
            self._fail(command.line, "no such unit")
        if at and part not in list(Part):
            self._fail(command.line, "no such part")
        if named.get("word", "run") not in NAMES:
            self._fail(command.line, "no such command")


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_page(server: Radicale, postgres: str, tmp_path: Path) -> None:
    with (
        fresh_database(postgres) as url,
        closing(Deployer(tmp_path, server, database=url)) as reader,
    ):
        reader.read(README)
        reader.read(PAGE)


# ---- systemd ----


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_unit_and_finds_it_closed(unit: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is missing: apt-get install systemd")
    # An instance of it, with a program that exists.
    tried = tmp_path / unit.name.replace("@.", "@worker.")
    text = unit.read_text(encoding="utf-8").replace(PROGRAM, sys.executable)
    tried.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(tried)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if unit.stem.rstrip("@") in line]
    assert (done.returncode, complaints) == (0, [])
    done = subprocess.run(
        [analyze, "security", "--offline=true", str(tried)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"exposure level for .*?: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found.group(1)) <= WORST


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_unit_runs_a_command_that_exists(unit: Path) -> None:
    service = read(unit)["Service"]
    program, *words = shlex.split(service["ExecStart"].replace("%i", "worker"))
    assert program == PROGRAM
    assert service["User"] == "accord"
    assert service["Restart"] == "always"
    done = subprocess.run(
        [str(Path(sys.executable).parent / "accord"), *words, "-h"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0


def test_units_differ_in_what_they_run_and_in_nothing_else() -> None:
    one, part = (read(unit) for unit in UNITS)
    assert {**part["Service"], "ExecStart": ""} == {**one["Service"], "ExecStart": ""}
    assert part["Install"] == one["Install"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_unit_lets_a_process_tell_one_start_of_the_machine_from_another(unit: Path) -> None:
    """Without, a clock that is set on the wall is the queue's, and names fit other machines."""
    assert read(unit)["Service"].get("ProcSubset", "all") == "all"
    assert "/proc/sys/kernel/random/boot_id" in inspect.getsource(clock)
    assert "/proc/sys/kernel/random/boot_id" in inspect.getsource(holder)


def read(unit: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit, encoding="utf-8")
    return parser


# ---- the image ----


def instructions() -> list[tuple[str, str]]:
    """Return what the Containerfile says, each instruction with its words."""
    text = CONTAINERFILE.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(head, rest) for head, _, rest in (line.partition(" ") for line in whole.splitlines())]


def test_the_image_has_two_stages_of_one_version_and_no_root() -> None:
    said = instructions()
    bases = [words.split() for head, words in said if head == "FROM"]
    assert [base[1:] for base in bases] == [["AS", "build"], []]
    assert len({base[0] for base in bases}) == 1
    assert re.fullmatch(r"docker\.io/library/python:3\.\d+-slim-\w+", bases[0][0])
    final = said[[head for head, _ in said].index("FROM", 1) :]
    heads = [head for head, _ in final]
    user = dict(final)["USER"]
    assert user.isdigit()
    assert int(user) > 0
    assert not {"RUN", "COPY", "ADD"} & set(heads[heads.index("USER") :])
    assert f"--uid {user} " in dict(final)["RUN"]


def test_what_is_copied_into_the_image_exists_and_is_let_in() -> None:
    ignored = (ROOT / ".containerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    copied = set[str]()
    for head, words in instructions():
        *sources, _ = words.split()
        if head == "COPY" and not sources[0].startswith("--from="):
            copied.update(sources)
    assert copied == let_in
    assert all((ROOT / each).exists() for each in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {project["readme"], *project["license-files"]} <= copied


def test_the_image_starts_accord_run() -> None:
    said = dict(instructions())
    assert said["ENTRYPOINT"] == '["accord"]'
    assert said["CMD"] == '["run"]'
    assert said["STOPSIGNAL"] == "SIGTERM"
    assert said["VOLUME"] == '["/var/lib/accord"]' == f'["{said["WORKDIR"]}"]'


def test_the_image_asks_where_a_new_installation_answers(tmp_path: Path) -> None:
    (words,) = re.findall(r"CMD (\[.*\])$", dict(instructions())["HEALTHCHECK"])
    program, *code = json.loads(words)
    assert program == "python"
    here = init(tmp_path).config.web.listen
    assert f"http://{here}/healthz" in code[-1]
    assert f"http://{here}/readyz" in PAGE.read_text(encoding="utf-8")
    answers = ["200 OK", "503 Not yet"]
    with socket.create_server(("127.0.0.1", 0)) as place:
        place.settimeout(SOON)
        code[-1] = code[-1].replace(here, f"127.0.0.1:{place.getsockname()[1]}")
        for answer in answers:
            with subprocess.Popen([sys.executable, *code], stderr=subprocess.DEVNULL) as asking:
                talk, _ = place.accept()
                with talk:
                    assert talk.recv(4096).startswith(b"GET /healthz ")
                    talk.sendall(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n".encode())
                assert (asking.wait(SOON) == 0) is (answer == "200 OK")
    done = subprocess.run([sys.executable, *code], stderr=subprocess.DEVNULL, check=False)
    assert done.returncode != 0


def test_a_linter_has_nothing_against_the_image() -> None:
    words = ["lint", "--no-config", "--slow-checks=off", "--fail-level", "warning"]
    command = [str(Path(sys.executable).with_name("tally")), *words, str(CONTAINERFILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
