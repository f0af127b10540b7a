"""The real SyncEvolution client as a device in somebody's pocket: configure, edit, sync, look.

A device is one folder: its configuration, its items (a file each), and what its last runs told.
Nothing of Accord's own code is used for looking at what came. Shops make devices (`shop.py`).
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from lxml import etree

from accord.sandbox.process import PeerMissing, until

PROGRAM, COMPILER = "syncevolution", "gcc"
LIBRARIES, BACKEND = Path("/usr/lib"), "*/syncevolution/backends/syncfile.so"
INSTALL = (
    "The SyncEvolution client is missing: as root, "
    "apt-get install --no-install-recommends syncevolution gcc libc6-dev"
)
FORMATS = {
    "addressbook": "text/vcard",
    "calendar": "text/calendar",
    "todo": "text/calendar",
}
STORES = tuple(FORMATS)
PATIENCE = 240.0  # seconds until a client that does not end counts as hung
_TRM = re.compile(r"_trm(\d+)_(\d+)_(outgoing|incoming)\.xml$")


class Counts(msgspec.Struct, frozen=True):
    """What a sync changed on one side of a store."""

    added: int = 0
    updated: int = 0
    removed: int = 0


class StoreReport(msgspec.Struct, frozen=True):
    """What the client says of one store after a sync; `status` 0 is success."""

    mode: str
    status: int
    first: bool
    resumed: bool
    local: Counts
    remote: Counts
    errors: int  # items that failed on either side
    sent: int  # bytes of items
    received: int
    conflicts: Mapping[str, int]  # server_won, client_won, duplicated


class Outcome(msgspec.Struct, frozen=True):
    """What came of one run of the client; `status` 200 is success, 0 is no session at all."""

    code: int
    status: int
    stores: Mapping[str, StoreReport]
    output: str
    folder: Path | None  # of the session's logs

    @property
    def fine(self) -> bool:
        """Tell whether everything went well, for each store and item."""
        whole = self.code == 0 and self.status == 200
        return whole and all(not (s.status or s.errors) for s in self.stores.values())

    @property
    def sent(self) -> list[etree._Element]:
        """The messages that the client sent, in order; only with `loglevel` 4."""
        return list(self._messages("outgoing"))

    @property
    def received(self) -> list[etree._Element]:
        """The messages that the client got, in order; only with `loglevel` 4."""
        return list(self._messages("incoming"))

    def _messages(self, way: str) -> Iterator[etree._Element]:
        found = [(_TRM.search(path.name), path) for path in (self.folder or Path()).glob("*.xml")]
        named = [(int(m[1]), int(m[2]), path) for m, path in found if m and m[3] == way]
        # A message that was prepared and never sent may be cut off.
        parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True)
        for _, _, path in sorted(named):
            root = etree.fromstring(path.read_bytes(), parser)
            if root is not None:
                yield root

    def __str__(self) -> str:
        stores = "\n".join(f"  {name}: {report}" for name, report in self.stores.items())
        return f"exit {self.code}, status {self.status}\n{stores}\n{self.output}"


class Device:
    """Be one device of one person, with an address book, a calendar and a to-do list.

    Each run is a process of its own. At `loglevel` 4 it keeps its messages, and is slower.
    """

    def __init__(self, folder: Path, kit: Kit) -> None:
        self.folder, self.name = folder, folder.name
        self._kit = kit
        for each in ("config", "data", "cache", *(f"db/{store}" for store in FORMATS)):
            (folder / each).mkdir(parents=True, exist_ok=True)

    def set_up(self, url: str, user: str, password: str) -> None:
        """Configure a new device: its three stores, then where it synchronizes with."""
        for store, media_type in FORMATS.items():
            place = f"file://{self.folder}/db/{store}"
            values = {"databaseFormat": media_type, "database": place}
            self._configure(
                {"keyring": "no", "backend": "file", **values}, after=("@default", store)
            )
        peer = {
            "syncURL": url,
            "username": user,
            "password": password,
            "keyring": "no",
            "deviceId": f"dev-{self.name}",
            "enableWBXML": "0",
            "preventSlowSync": "0",
            "loglevel": "1",
            "maxlogdirs": "50",
            "printChanges": "0",
            "dumpData": "0",
            "RetryInterval": "5",
            "RetryDuration": "30",
            "sync": "two-way",
        }
        peer |= {f"{store}/uri": store for store in FORMATS}
        template = ("--template", "SyncEvolution")
        self._configure(peer, before=template, after=("crm@default", *FORMATS))

    # ---- what its owner does ----

    def configure(self, **properties: str) -> None:
        """Set properties of the peer, in the client's words, from now on.

        A name with a slash belongs to a store.
        """
        stores = {store for store in FORMATS if any(n.startswith(f"{store}/") for n in properties)}
        self._configure(properties, after=("crm", *sorted(stores)))

    def items(self, store: str) -> dict[str, str]:
        """Return the items of a store by their local id, lines unfolded."""
        folder = self.folder / "db" / store
        texts = {path.name: path.read_bytes().decode() for path in folder.iterdir()}
        return {name: re.sub(r"\r?\n[ \t]", "", text) for name, text in sorted(texts.items())}

    def write(self, store: str, name: str, text: str) -> None:
        """Create or overwrite an item."""
        path = self.folder / "db" / store / name
        path.write_bytes(re.sub(r"\r?\n", "\r\n", text).encode())

    def rewrite(self, store: str, old: str, new: str) -> None:
        """Replace a piece of the one item that holds it."""
        found = [(name, text) for name, text in self.items(store).items() if old in text]
        assert len(found) == 1, f"{old!r} is in {len(found)} items of {store}"
        name, text = found[0]
        self.write(store, name, text.replace(old, new))

    def delete(self, store: str, piece: str) -> None:
        """Delete the one item that holds a piece of text."""
        found = [name for name, text in self.items(store).items() if piece in text]
        assert len(found) == 1, f"{piece!r} is in {len(found)} items of {store}"
        (self.folder / "db" / store / found[0]).unlink()

    def titles(self, store: str) -> list[str]:
        """Return the title of every item, or the name of every person, in order."""
        return sorted(
            value(text, "FN" if _cards(store) else "SUMMARY") for text in self.items(store).values()
        )

    def notes(self, store: str) -> list[str]:
        """Return the note of every item, in order."""
        name = "NOTE" if _cards(store) else "DESCRIPTION"
        return sorted(value(text, name) for text in self.items(store).values())

    def rename(self, store: str, old: str, new: str) -> None:
        """Change the title of the one item that has it."""
        name = "FN" if _cards(store) else "SUMMARY"
        self.rewrite(store, f"{name}:{old}\r\n", f"{name}:{new}\r\n")

    # ---- synchronizing ----

    def sync(self, *stores: str, mode: str = "", **overrides: str) -> Outcome:
        """Synchronize and wait; `mode` as the client calls it, `overrides` hold for this run."""
        return self.start(*stores, mode=mode, **overrides).wait()

    def start(self, *stores: str, mode: str = "", **overrides: str) -> Run:
        """Begin to synchronize."""
        words = ["--sync", mode] if mode else []
        if overrides:
            words += ["--run", *(f"{name}={value}" for name, value in overrides.items())]
        before = set(self._sessions())
        process = self._run(*words, "crm", *stores)
        return Run(self, process, before)

    def outcome(self, process: subprocess.Popen[bytes], output: str, before: set[Path]) -> Outcome:
        """Read what a run of the client that has ended left behind."""
        new = [folder for folder in self._sessions() if folder not in before]
        folder = new[-1] if new else None
        values = _read(folder / "status.ini") if folder else {}
        stores = {name: _store(values, name) for name in FORMATS if f"source-{name}-mode" in values}
        code, status = process.returncode, int(values.get("status", 0))
        return Outcome(code, status, stores, output, folder)

    def _configure(
        self, values: Mapping[str, str], *, before: Sequence[str] = (), after: Sequence[str]
    ) -> None:
        pairs = [f"{name}={value}" for name, value in values.items()]
        run = self._run("--configure", *before, *pairs, *after)
        output = _text(run.communicate(timeout=PATIENCE)[0])
        assert run.returncode == 0, output

    def _sessions(self) -> list[Path]:
        found = (self.folder / "cache" / "syncevolution").glob("crm-*")
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)

    def _run(self, *words: str) -> subprocess.Popen[bytes]:
        home = str(self.folder)
        environment = {
            **self._kit.environment,
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "HOME": home,
            "XDG_CONFIG_HOME": f"{home}/config",
            "XDG_DATA_HOME": f"{home}/data",
            "XDG_CACHE_HOME": f"{home}/cache",
        }
        # Where the tests run in the background Ctrl-C is ignored, and would be here.
        command = ["env", "--default-signal=INT", PROGRAM, "--daemon=no", *words]
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


class Run:
    """Be one synchronization under way."""

    def __init__(self, device: Device, process: subprocess.Popen[bytes], before: set[Path]) -> None:
        self._device, self._process, self._before = device, process, before

    def suspend(self) -> None:
        """Press Ctrl-C once: the client ends its session in order, and can resume it.

        Returns when the client has noticed.
        """
        self._process.send_signal(signal.SIGINT)
        assert until(self._noticed, PATIENCE)

    def kill(self) -> None:
        """Take out the battery."""
        os.killpg(self._process.pid, signal.SIGKILL)

    def _noticed(self) -> bool:
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        pending = [int(line.split()[1], 16) for line in lines if line[:6] in ("SigPnd", "ShdPnd")]
        return not any(signals & 1 << signal.SIGINT - 1 for signals in pending)

    def wait(self) -> Outcome:
        """Wait until it has ended, and return what came of it."""
        try:
            output = _text(self._process.communicate(timeout=PATIENCE)[0])
        except subprocess.TimeoutExpired:
            self.kill()
            output = "HUNG\n" + _text(self._process.communicate()[0])
        return self._device.outcome(self._process, output, self._before)


def value(text: str, name: str) -> str:
    """Return the first property of a name in an unfolded text; empty where there is none."""
    found = re.search(rf"^{name}(?:;[^:\r\n]*)?:(.*?)\r?$", text, re.MULTILINE)
    return re.sub(r"\\([,;\\])", r"\1", found[1]) if found else ""


class Kit(msgspec.Struct, frozen=True):
    """What the packaged client needs: a library that mends its HTTP, and its backend for files.

    The other backends are left out: each run would load them all.
    """

    shim: Path
    backends: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """What the client is told of it."""
        return {"LD_PRELOAD": str(self.shim), "SYNCEVOLUTION_BACKEND_DIR": str(self.backends)}


def make_kit(folder: Path) -> Kit:
    """Compile and put together what the packaged client needs; raises PeerMissing."""
    found = sorted(LIBRARIES.glob(BACKEND))
    if shutil.which(PROGRAM) is None or shutil.which(COMPILER) is None or not found:
        raise PeerMissing(INSTALL)
    source, kit = Path(__file__).with_name("curl_shim.c"), Kit(folder / "shim.so", folder / "back")
    command = [COMPILER, "-O2", "-Wall", "-shared", "-fPIC", "-o", str(kit.shim), str(source)]
    subprocess.run([*command, "-ldl"], check=True, capture_output=True)
    kit.backends.mkdir()
    (kit.backends / found[0].name).symlink_to(found[0])
    return kit


def _cards(store: str) -> bool:
    return store == "addressbook"


def _store(values: Mapping[str, str], name: str) -> StoreReport:
    def value(key: str) -> str:
        return values.get(f"source-{name}-{key}", "0")

    def total(key: str) -> int:
        return int(value(f"stat-{key}"))

    def counts(side: str) -> Counts:
        changes = ("added", "updated", "removed")
        return Counts(*(total(f"{side}-{change}-total") for change in changes))

    outcomes = ("server_won", "client_won", "duplicated")
    conflicts = {each: total(f"remote-any-conflict_{each}") for each in outcomes}
    return StoreReport(
        mode=value("mode"),
        status=int(value("status")),
        first=value("first") in ("1", "true"),
        resumed=value("resume") in ("1", "true"),
        local=counts("local"),
        remote=counts("remote"),
        errors=total("local-any-error") + total("remote-any-error"),
        sent=total("local-any-sent"),
        received=total("local-any-received"),
        conflicts={name: count for name, count in conflicts.items() if count},
    )


def _read(path: Path) -> Mapping[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return {}
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.read_string("[status]\n" + text)
    return dict(parser["status"])


def _text(output: bytes) -> str:
    lines = output.decode(errors="replace").splitlines()
    return "\n".join(line for line in lines if not line.startswith("Loaded backend"))
