"""The harness itself: the client runs, is seen through, and where it is missing it says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from accord.sandbox.process import PeerMissing
from accord.sandbox.proxy import Instead, Lose, Reply
from tests.interop.client import STORES, make_kit
from tests.interop.lab import Tap, alerts, text
from tests.interop.shop import Shop

pytestmark = pytest.mark.waits

NOWHERE = "http://127.0.0.1:9/CRM.interface"


@pytest.mark.parametrize("program", ["gcc", "syncevolution"])
def test_a_missing_client_says_what_to_install(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == program else f"/bin/{name}")
    with pytest.raises(PeerMissing, match=r"apt-get install .*syncevolution gcc libc6-dev"):
        make_kit(tmp_path)


def test_a_device_keeps_what_its_owner_writes(tmp_path: Path, shop: Shop) -> None:
    phone = shop.device(tmp_path / "phone", url=NOWHERE, user="anna", password="secret")
    for store in STORES:
        phone.write(store, "1", text(store, "Some Thing"))
        phone.rewrite(store, "Some Thing", "Another")
        assert phone.titles(store) == ["Another"]
        phone.delete(store, "Another")
        assert phone.items(store) == {}


def test_a_server_that_does_not_speak_syncml_is_an_error_and_loses_nothing(
    tmp_path: Path, shop: Shop
) -> None:
    with Tap(NOWHERE) as proxy:
        phone = shop.device(tmp_path / "phone", url=proxy.url, user="anna", password="secret")
        phone.write("todo", "1", text("todo", "Survive"))
        proxy.add(Instead(Reply(200, (("Content-Type", "text/html"),), b"<html/>")))
        outcome = phone.sync(mode="slow", loglevel="4")
    assert (outcome.code, outcome.status) == (1, 20043), str(outcome)
    assert not outcome.fine
    assert alerts(outcome) == dict.fromkeys(STORES, "201")
    assert len(outcome.sent) == len(proxy.posts) == 1
    assert b"dev-phone" in proxy.posts[0]
    assert proxy.up == len(proxy.posts[0])
    assert phone.titles("todo") == ["Survive"]


def test_a_run_can_be_ended_by_its_owner(tmp_path: Path, shop: Shop) -> None:
    with Tap(NOWHERE) as proxy:
        phone = shop.device(tmp_path / "phone", url=proxy.url, user="anna", password="secret")
        proxy.add(Lose(), times=None)
        run = phone.start(mode="slow")
        run.kill()
        outcome = run.wait()
    assert outcome.code == -9
    assert not outcome.fine
