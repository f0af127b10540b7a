"""Every command and example of README.md and docs/ is run as printed, against a real server.

A page's blocks are played in order in an empty folder: files are written, commands are run by a
shell, and what a page shows of their output must be what they print. Only REPLACED differs: host
names, passwords, the place of the installation, and days of March 2027, which become days of the
weeks to come. Ids, times and request counts are read from the output and used where the page
repeats them. `<!-- meanwhile: … -->` on a page is something a person does in a calendar app.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

import httpx2
import pytest

from accord.sandbox.postgres import fresh_database
from accord.sandbox.radicale import Radicale
from accord.service.config import load
from tests.peers import serve
from tests.scenario.devices import Device, Phone
from tests.unit.interface.phone import card
from tools.docs.pages import PAGES, ROOT, Block, Command, blocks, commands

README = ROOT / "README.md"
OPERATIONS = ROOT / "docs" / "operations.md"
TOKENS = ROOT / "docs" / "tokens.md"
INTERFACE = ROOT / "docs" / "interface.md"
OWN_CRM = ROOT / "docs" / "own-crm.md"
TEMPLATES = ROOT / "docs" / "templates.md"
HEALTH = ROOT / "src/accord/web/health.py"
PLAYED = (README, OPERATIONS, TOKENS, INTERFACE, OWN_CRM, TEMPLATES)
PASSWORD = "correct horse"

REPLACED = {
    "127.0.0.1:8640": "a port that is free",
    "crm.example.com:8443": "an address of this machine with a port that is free",
    "DNS:crm.example.com": "that address, in a certificate",
    "/srv/connector": "the folder of another machine",
    "https://dav.example.com/": "the address of a Radicale with anna's mailbox",
    "postgresql://accord:…@db.example.com/accord": "an empty PostgreSQL database",
    "ANNA_PASSWORD=…": "her password",
    "NEW_PASSWORD=…": "her new password",
    ".venv/bin/accord": "the command of this environment",
    ".venv/bin/python": "the interpreter of this environment",
    "/opt/accord/.venv/bin": "the folder of this environment's programs",
    "/var/lib/accord": "the empty folder",
}
"""What a page prints, and what it is replaced by in a test."""

NOT_RUN = {
    r"make (?P<target>\w+)": "the target exists; `make demo` is run small",
    r"python3 -m venv /opt/accord/\.venv": "make setup does the same",
    r"/opt/accord/\.venv/bin/pip install --require-hashes -r (?P<file>\S+)": "the lock exists",
    r"/opt/accord/\.venv/bin/pip install --no-deps /opt/accord": "make setup does the same",
    r"accord run (?P<part>\w+) +#.*": "the part exists; others run each to its end",
    r"curl -s http://127\.0\.0\.1:8641/(?P<path>\w+) +#.*": "it is served; a test asks for it",
    r"(sudo )?systemctl .* (?P<unit>\S+\.(timer|service))": "the unit is on the page; it is run",
}
"""Commands that would change the machine: what is checked instead."""

ELSEWHERE = {
    "conversation.md": (("xml",), ROOT / "tests/unit/interface/test_conversation_page.py"),
    "deploy.md": (("console",), ROOT / "tests/scenario/test_deploy.py"),
    "adapters.md": (("python",), ROOT / "tests/unit/testing/test_adapter_guide.py"),
    "rules.md": (("toml", "json"), ROOT / "tests/unit/rules/test_reference.py"),
    **dict.fromkeys(
        (
            "exchange.md",
            "exchange-basic.md",
            "exchange-ntlm.md",
            "exchange-kerberos.md",
            "exchange-oauth.md",
            "exchange-certificates.md",
        ),
        (("toml",), ROOT / "tests/unit/exchange/test_pages.py"),
    ),
}
"""Pages whose blocks of some kinds another test runs."""

MONTH = re.compile(r"2027-03-(\d\d)")
VARIES = re.compile(
    r"(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{16,64}\b|\b01[0-9a-z]{18}\b)"
    r"|(?P<time>20\d\d-\d\d-\d\d \d\d:\d\d:\d\d)|(?P<count>\d+ requests?|\d+\.\d s)|(?P<any>…)"
)
_VARIED = {"time": r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", "count": r"[\d.]+ (?:requests?|s)"}


@pytest.fixture
def server() -> Iterator[Radicale]:
    """A server of its own, with anna's calendar, task list and address book."""
    for running in serve(lambda: Radicale({"anna": PASSWORD})):
        with httpx2.Client(auth=("anna", PASSWORD)) as client:
            for name, kind in (("calendar", "VEVENT"), ("tasks", "VTODO"), ("contacts", "")):
                url = f"{running.url}anna/{name}/"
                body = _collection(kind)
                reply = client.request("MKCOL", url, content=body, headers=_XML)
                assert reply.status_code == httpx2.codes.CREATED, reply.text
        yield running


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_operations(server: Radicale, postgres: str, tmp_path: Path) -> None:
    with (
        fresh_database(postgres) as url,
        closing(Reader(tmp_path, server, database=url)) as reader,
    ):
        reader.read(README)
        reader.read(OPERATIONS)


@pytest.mark.peer
@pytest.mark.timeout(900)
def test_tokens_and_interface(server: Radicale, tmp_path: Path) -> None:
    with closing(Reader(tmp_path, server)) as reader:
        reader.read(README)
        reader.read(TOKENS)
        reader.read(INTERFACE)


@pytest.mark.peer
@pytest.mark.timeout(900)
def test_templates(server: Radicale, tmp_path: Path) -> None:
    with closing(Reader(tmp_path, server)) as reader:
        reader.read(README)
        reader.read(TEMPLATES)


@pytest.mark.peer
@pytest.mark.slow
def test_own_crm(server: Radicale, tmp_path: Path) -> None:
    with closing(Reader(tmp_path, server)) as reader:
        reader.read(OWN_CRM)


@pytest.mark.slow
@pytest.mark.peer
def test_demo_small(tmp_path: Path) -> None:
    """The command behind `make demo`, with few past entries; --json as the README says.

    With connector and CRM as two processes it tells the same story and shows the same tables; on
    a CalDAV server it tells the same story, too.
    """
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(
        r"^demo:.*\n(\t.*\n)*\t@\$\(BIN\)/accord demo "
        r"\$\(if \$\(TARGET\),--target \$\(TARGET\)\) "
        r"\$\(if \$\(TOPOLOGY\),--topology \$\(TOPOLOGY\)\) \$\(ARGS\)$",
        makefile,
        re.MULTILINE,
    )
    one, split = (_demo(tmp_path, "--topology", topology) for topology in ("one", "split"))
    dav = _demo(tmp_path, "--target", "dav")
    assert [scene["scene"] for scene in one] == [scene["scene"] for scene in dav]
    assert any("nobody got mail" in line for line in one[-1]["said"])
    assert not any("got mail" in line for line in dav[-1]["said"]), "nothing counts them there"
    for scenes, reasons in ((one, 2), (split, 2), (dav, 3)):
        first = scenes[2]["said"]
        assert "✓ all 9 corrupt ones are left alone" in first
        assert (
            sum("`accord explain" in line and "can't be read" in line for line in first) == reasons
        )
        assert not any("can't be read, can't be read" in line for line in first)
    assert any("process of its own" in line for line in split[0]["said"])
    assert [scene["scene"] for scene in one] == [scene["scene"] for scene in split]
    assert [_table(scene) for scene in one] == [_table(scene) for scene in split]
    whole, quiet = one[-2]["reports"], one[-1]["reports"]
    for side in ("crm", "groupware"):
        for what in ("created", "updated"):
            assert any(row[side][what] for row in whole), (side, what)
            assert not any(row[side][what] for row in quiet)


def _demo(folder: Path, *more: str) -> list[dict[str, Any]]:
    words = [_accord(), "demo", "--json", "--entries", "9", "--series", "3", *more]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    (told,) = map(json.loads, done.stdout.splitlines())
    assert told["ok"]
    scenes: list[dict[str, Any]] = told["scenes"]
    return scenes


def _table(scene: dict[str, Any]) -> list[tuple[object, ...]]:
    """Return what a scene's table shows of each link, without requests and seconds."""
    names = ("link", "crm", "groupware", "held", "conflicts", "clashes", "failed")
    return [tuple(row[name] for name in names) for row in scene.get("reports", ())]


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_no_block_goes_unrun(page: Path) -> None:
    kinds, test = ELSEWHERE.get(page.name, ((), None))
    if test is not None:
        assert page.name in test.read_text(encoding="utf-8")
    left = [
        f"{page.name}:{block.line} ({block.kind or 'no word'})"
        for block in blocks(page.read_text(encoding="utf-8"))
        if block.kind not in ("text", *kinds) and page not in PLAYED
        if (page.name, block.name) != ("settings.md", "accord.toml")
    ]
    assert left == []


def test_settings_page_shows_what_init_writes(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    (shown,) = [block.text for block in blocks(page) if block.name == "accord.toml"]
    subprocess.run([_accord(), "init"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "accord.toml").read_text(encoding="utf-8") == shown


@pytest.mark.peer
def test_a_page_that_lies_is_noticed(server: Radicale, tmp_path: Path) -> None:
    reader = Reader(tmp_path, server)
    for text, why in (
        ("```console\n$ .venv/bin/accord rules\n```", "exit code 2"),
        ("```console\n$ echo one two\none … three\n```", "prints otherwise"),
        ("```console\n$ echo one; echo two\none\n```", "prints otherwise"),
        ("```console\n$ make nothing\n```", "no such target"),
        ("```python\n1 / 0\n```", "ZeroDivisionError"),
        ("```toml\na = = 1\n```", "TOMLDecodeError"),
        ("```\nwhat is this\n```", "nobody knows how to run"),
        ("<!-- meanwhile: nothing happens -->", "nobody knows how"),
    ):
        page = tmp_path / "page.md"
        page.write_text(text + "\n", encoding="utf-8")
        with pytest.raises(PageWrong, match=why):
            reader.read(page)


class PageWrong(AssertionError):
    """Say what on a page isn't so."""


class Reader:
    """Play a page as a reader with a shell would, in one folder, until something isn't so."""

    def __init__(self, folder: Path, server: Radicale, database: str = "") -> None:
        self.folder = folder
        self.server = server
        self.page = Path()
        self.text = ""
        self.ids: dict[str, str] = {}
        self.replaced = dict(
            zip(
                REPLACED,
                (
                    f"127.0.0.1:{_free_port()}",
                    f"127.0.0.1:{_free_port()}",
                    "IP:127.0.0.1",
                    str(folder / "connector"),
                    server.url,
                    database,
                    f"ANNA_PASSWORD='{PASSWORD}'",
                    f"NEW_PASSWORD='{PASSWORD} 2'",
                    _accord(),
                    sys.executable,
                    str(Path(sys.executable).parent),
                    str(folder),
                ),
                strict=True,
            )
        )
        self._shell = folder / ".shell"
        self._shell.write_text(f"cd {folder}\n", encoding="utf-8")
        self._running: list[subprocess.Popen[str]] = []
        self._services: dict[str, str] = {}

    def close(self) -> None:
        """End what still runs, as a service manager would; raises PageWrong where it won't end."""
        for process in self._running:
            process.terminate()
            with process:
                if process.wait(timeout=60):
                    self._fail(0, f"{process.args!r} ended with {process.returncode}")

    def read(self, page: Path) -> None:
        """Play all blocks of a page; raises PageWrong with page and line."""
        self.page, self.text = page, page.read_text(encoding="utf-8")
        for block in blocks(self.text):
            try:
                self._play(block)
            except PageWrong:
                raise
            except Exception as error:  # noqa: BLE001 (whatever it is, the page is wrong)
                self._fail(block.line, repr(error))

    def _play(self, block: Block) -> None:
        match block.kind:
            case "console":
                for command in commands(block):
                    self._run(command)
            case "toml":
                tomllib.loads(block.text)
                self._write(block)
            case "json":
                for line in block.text.splitlines():
                    json.loads(line)
                self._write(block)
            case "ini":
                self._unit(block)
            case "python" if block.name:
                self._write(block)
            case "python":
                exec(compile(block.text, str(self.page), "exec"), {"__name__": "page"})
            case "meanwhile":
                self._happen(block)
            case "text":
                pass
            case _:
                self._fail(block.line, f"nobody knows how to run {block.kind!r}")

    def _run(self, command: Command) -> None:
        for pattern in NOT_RUN:
            if found := re.fullmatch(pattern, command.text):
                self._check(command, found.groupdict())
                return
        if command.text.endswith(" &"):
            self._start(command)
            return
        done = self._execute(self._real(command.text))
        expected = re.search(r"; echo \$\?$", command.text) is not None
        output = done.stdout
        if done.returncode and not expected:
            self._fail(command.line, f"exit code {done.returncode}: {output}")
        if command.prints:
            self._compare(command, output)

    def _execute(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run in a shell that remembers folder and variables from one command to the next."""
        keep = f'code=$?; {{ export -p; printf "cd %q\\n" "$PWD"; }} > {self._shell}; exit $code'
        return subprocess.run(
            ["bash", "-c", f". {self._shell}\n{text}\n{keep}"],
            env=_environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )

    def _start(self, command: Command) -> None:
        """Start what goes on running, and wait for the lines that the page shows."""
        output = self._begin(command.text.removesuffix(" &"))
        self._compare(command, "".join(output.readline() for _ in command.prints))

    def _begin(self, text: str) -> IO[str]:
        """Start what goes on running; return what it prints."""
        process = subprocess.Popen(
            ["bash", "-c", f". {self._shell}\nexec {self._real(text)}"],
            env=_environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._running.append(process)
        assert process.stdout is not None
        return process.stdout

    def _compare(self, command: Command, output: str) -> None:
        """Compare line by line; a line that is only `…` stands for any lines."""
        pattern, names = self._pattern(command.prints)
        found = re.fullmatch(pattern, output.rstrip("\n") + "\n")
        if found is None:
            shown = "\n".join(command.prints)
            self._fail(command.line, f"prints otherwise: {output}\nthe page says:\n{shown}")
        else:
            self.ids.update({shown: found[group] for group, shown in names.items()})

    def _pattern(self, lines: tuple[str, ...]) -> tuple[str, dict[str, str]]:
        names: dict[str, str] = {}
        parts = []
        for line in lines:
            if line.strip() == "…":
                parts.append(r"(?:.*\n)*")
                continue
            parts.append(self._line(self._real(line), names) + r"\n")
        return "".join(parts), names

    def _line(self, line: str, names: dict[str, str]) -> str:
        parts, last = [], 0
        for varies in VARIES.finditer(line):
            parts.append(re.escape(line[last : varies.start()]))
            last = varies.end()
            known = {shown: group for group, shown in names.items()}
            if not varies["id"]:
                parts.append(_VARIED.get(varies.lastgroup or "", ".*"))
            elif varies[0] in self.ids.values():
                parts.append(re.escape(varies[0]))
            elif varies[0] in known:
                parts.append(f"(?P={known[varies[0]]})")
            else:
                names[f"id{len(names)}"] = varies[0]
                parts.append(f"(?P<id{len(names) - 1}>[0-9a-z-]+)")
        return "".join([*parts, re.escape(line[last:])])

    def _check(self, command: Command, named: dict[str, str]) -> None:
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        if "target" in named and not re.search(rf"^{named['target']}:", makefile, re.MULTILINE):
            self._fail(command.line, "no such target")
        if "file" in named and not Path(named["file"].replace("/opt/accord", str(ROOT))).is_file():
            self._fail(command.line, "no such lock")
        if "unit" in named and f"```ini {named['unit']}\n" not in self.text:
            self._fail(command.line, "no such unit on the page")
        part = named.get("part", "")
        if part and self._execute(self._real(f"accord run {part} -h")).returncode:
            self._fail(command.line, "no such part")
        if (path := named.get("path")) and f'Route("/{path}"' not in HEALTH.read_text("utf-8"):
            self._fail(command.line, "nobody answers there")
        if service := self._services.get(named.get("unit", "")):
            # Before that it says where it tells how it is, or that another test has that port.
            answers = "CRM.interface answers at "
            if not any(line.startswith(answers) for line in self._begin(service)):
                self._fail(command.line, f"{service} doesn't say: {answers}…")

    def _unit(self, block: Block) -> None:
        """Read a systemd unit, and run the command it would start."""
        parser = configparser.ConfigParser(interpolation=None, strict=True)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(block.text)
        if parser.has_section("Service") and parser["Service"]["Type"] == "exec":
            self._services[block.name] = parser["Service"]["ExecStart"]
        elif parser.has_section("Service"):
            done = self._execute(self._real(parser["Service"]["ExecStart"]))
            if done.returncode:
                self._fail(block.line, f"exit code {done.returncode}: {done.stdout}")
        elif not parser.has_section("Timer"):
            self._fail(block.line, "neither a service nor a timer")

    def _write(self, block: Block) -> None:
        if block.name:
            text = self._real(block.text)
            (self.folder / block.name).write_text(text, encoding="utf-8")
            if block.name == "accord.toml":
                load(self.folder / block.name, {}, self.folder)

    def _real(self, text: str) -> str:
        """Put in what a test replaces, all in one pass; of several that fit the longest counts."""
        known = {**self.replaced, **self.ids}
        longest = sorted(known, key=len, reverse=True)
        text = re.sub("|".join(map(re.escape, longest)), lambda m: known[m[0]], text)
        first = datetime.now().astimezone().date() + timedelta(days=2)
        return MONTH.sub(lambda m: str(first + timedelta(days=int(m[1]))), text)

    def _happen(self, block: Block) -> None:
        act = self._real(block.name)
        with Phone(self.server) as phone:
            if found := re.fullmatch(r'anna renames "(.*)" to "(.*)"', act):
                phone.edit(found[1], f"SUMMARY:{found[1]}", f"SUMMARY:{found[2]}")
            elif found := re.fullmatch(r'anna deletes "(.*)"', act):
                phone.delete(found[1])
            elif act == "anna changes her password":
                self.server.add_user("anna", f"{PASSWORD} 2")
            elif found := re.fullmatch(r"anna's phone synchronizes its new contact (.*)", act):
                self._synchronize(found[1])
            else:
                self._fail(block.line, f"nobody knows how {act!r}")

    def _synchronize(self, name: str) -> None:
        """Be a device that has one contact, at the address and with the password of the page."""
        device = Device(f"http://{self.replaced['127.0.0.1:8640']}/CRM.interface")
        device.password = (self.folder / "phone.password").read_text(encoding="utf-8").strip()
        device.items["1"] = card(name)
        device.sync()

    def _fail(self, line: int, why: str) -> None:
        raise PageWrong(f"{self.page.name}:{line}: {why}")


_XML = {"Content-Type": "application/xml"}


def _collection(component: str) -> str:
    """Return the body of an extended MKCOL (RFC 5689) for a calendar or an address book."""
    comp = (
        f'<C:supported-calendar-component-set><C:comp name="{component}"/>'
        "</C:supported-calendar-component-set>"
    )
    kind = "<C:calendar/>" if component else "<A:addressbook/>"
    return (
        '<D:mkcol xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" '
        'xmlns:A="urn:ietf:params:xml:ns:carddav"><D:set><D:prop><D:resourcetype><D:collection/>'
        f"{kind}</D:resourcetype>{comp if component else ''}</D:prop></D:set></D:mkcol>"
    )


def _environ() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ACCORD_")}
    return kept | {"COLUMNS": "200", "LANG": "C.UTF-8"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _accord() -> str:
    return str(Path(sys.executable).parent / "accord")
