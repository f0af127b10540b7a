"""Servers of the sandbox start, fail with their last words, and never outlive who needs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import httpx2
import pytest

from accord.sandbox.process import HOST, Peer, PeerFailed, free_port, hold, until

# A server that has a child in a session of its own, which writes its pid and sleeps.
SERVER = """
import http.server, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                         start_new_session=True)
pathlib.Path("child").write_text(str(child.pid))
http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
"""


class Web(Peer):
    name = "web"
    patience = 20.0
    program = SERVER

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}/"

    def command(self) -> Sequence[str]:
        return [sys.executable, "-c", self.program, str(self.port)]

    def ready(self) -> bool:
        try:
            return httpx2.get(self.url).is_success
        except httpx2.TransportError:
            return False

    def child(self) -> int:
        return int((self.folder / "child").read_text())


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_server_serves_and_leaves_nothing() -> None:
    with Web() as web:
        assert httpx2.get(web.url).is_success
        folder, child = web.folder, web.child()
        assert alive(child)
    assert not folder.exists()
    assert not alive(child)


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_restart_keeps_port_and_data(way: str, tmp_path: Path) -> None:
    with Web(tmp_path) as web:
        (tmp_path / "kept").write_text("kept")
        child = web.child()
        getattr(web, way)()
        assert not web.running
        assert not alive(child)
        with pytest.raises(httpx2.TransportError):
            httpx2.get(web.url)
        web.start()
        assert httpx2.get(f"{web.url}kept").text == "kept"
    assert (tmp_path / "kept").exists()


def test_a_server_that_ends_by_itself_is_seen_and_can_start_again() -> None:
    with Web() as web:
        httpx2.get(web.url)
        os.kill(server_pid(web), signal.SIGKILL)
        assert until(lambda: not web.running, 10)
        assert not alive(web.child())
        web.start()
        assert httpx2.get(web.url).is_success


def test_a_failed_start_tells_the_last_words_of_the_log() -> None:
    class Broken(Web):
        program = "raise SystemExit('no such table: mailboxes')"

    with pytest.raises(PeerFailed, match=r"(?s)exit code 1.*no such table: mailboxes"):
        Broken().__enter__()


def test_a_silent_server_fails_in_bounded_time_and_is_ended() -> None:
    class Silent(Web):
        patience = 0.5
        program = f"import time; {SERVER.replace('http.server.test', 'time.sleep(600) #')}"

    silent = Silent()
    with pytest.raises(PeerFailed, match=r"did not answer within 0\.5 s"):
        silent.start()
    assert not silent.running
    silent.close()


def test_a_killed_owner_takes_its_server_along(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OWNER), str(Path(__file__).parents[2])],
        stdout=subprocess.PIPE,
        text=True,
    )
    with owner:
        assert owner.stdout is not None
        folder, *pids = owner.stdout.readline().split()
        assert all(alive(int(pid)) for pid in pids)
        owner.kill()
        assert until(lambda: not any(alive(int(pid)) for pid in pids), 10)
        assert until(lambda: not Path(folder).exists(), 10)


OWNER = """
    import sys, time
    sys.path.insert(0, sys.argv[1])
    from tests.unit.test_sandbox_process import Web, server_pid
    web = Web().start()
    print(web.folder, server_pid(web), web.child(), flush=True)
    time.sleep(600)
"""


def test_a_released_server_ends_with_its_last_holder() -> None:
    web = Web().start()
    other = hold(web.leash)
    assert other is not None
    web.release()
    assert httpx2.get(web.url).is_success
    os.close(other)
    assert until(lambda: not web.folder.exists(), 10)
    assert hold(web.leash) is None
    with pytest.raises(httpx2.TransportError):
        httpx2.get(web.url)


def test_who_has_released_a_server_ends_without_complaint() -> None:
    owner = """
        import sys
        sys.path.insert(0, sys.argv[1])
        from tests.unit.test_sandbox_process import Web
        Web().start().release()
    """
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error::ResourceWarning",
            "-c",
            textwrap.dedent(owner),
            str(Path(__file__).parents[2]),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def server_pid(web: Web) -> int:
    """Find the server's process: the one with our port as its last argument."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[-2:-1] == [str(web.port).encode()] and b"leash.py" not in words[3]:
            return int(entry.parent.name)
    raise AssertionError("no server process")
