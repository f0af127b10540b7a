"""`accord sandbox exchange`: whom it serves, where it listens, and that it ends in good order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from accord.sandbox.process import no_tls
from tests.unit.cli.conftest import Run
from tests.unit.sandbox.ews import SOAP, M, T, login

ACCORD = str(Path(sys.executable).with_name("accord"))


@contextmanager
def started(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the stand-in in a folder and yield it with the first line it says."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ACCORD_")}
    with subprocess.Popen(
        [ACCORD, "sandbox", "exchange", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    ) as served:
        assert served.stdout is not None
        try:
            yield served, served.stdout.readline()
        finally:
            served.send_signal(signal.SIGTERM)
            assert served.stderr is not None
            said = served.stderr.read()
            served.wait(30)
    assert served.returncode == 0
    assert "Traceback" not in said
    assert "completing" not in said


def ask(url: str, user: str, password: str, body: str, **more: Any) -> httpx2.Response:
    envelope = (
        f'<s:Envelope xmlns:s="{SOAP[1:-1]}" xmlns:t="{T}" xmlns:m="{M}"><s:Body>{body}</s:Body>'
        "</s:Envelope>"
    )
    headers = login(user, password)
    return httpx2.post(url, content=envelope, headers=headers, verify=no_tls(), **more)


CALENDAR = (
    "<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape><m:FolderIds>"
    '<t:DistinguishedFolderId Id="calendar"/></m:FolderIds></m:GetFolder>'
)
TASK = (
    "<m:CreateItem><m:Items><t:Task><t:Subject>Kept</t:Subject></t:Task></m:Items></m:CreateItem>"
)
SUBSCRIBE = (
    '<m:Subscribe><m:StreamingSubscriptionRequest SubscribeToAllFolders="true"><t:EventTypes>'
    "<t:EventType>NewMailEvent</t:EventType></t:EventTypes></m:StreamingSubscriptionRequest>"
    "</m:Subscribe>"
)


def test_it_serves_named_people_and_ends_with_open_streams(tmp_path: Path) -> None:
    words = ("--mailbox", "eve@x.test:pass", "--service", "robot@x.test", "--json")
    with started(tmp_path, *words) as (_, line):
        told = json.loads(line)
        url = told["url"]
        assert url.startswith("http://127.0.0.1:")
        people = {each["address"]: each for each in told["mailboxes"]}
        assert people["eve@x.test"]["password"] == "pass"
        robot = people["robot@x.test"]
        assert robot["impersonates"]
        assert ask(url, "eve@x.test", "pass", CALENDAR).status_code == 200
        assert ask(url, "robot@x.test", robot["password"], CALENDAR).status_code == 200
        assert ask(url, "eve@x.test", "other", CALENDAR).status_code == 401
        control = url.replace("/EWS/Exchange.asmx", "/control")
        assert httpx2.post(control, content=b"{}", verify=no_tls()).status_code == 404
        answer = ask(url, "eve@x.test", "pass", SUBSCRIBE).text
        which = answer.partition("SubscriptionId>")[2].partition("<")[0]
        listen = (
            "<m:GetStreamingEvents><m:SubscriptionIds><t:SubscriptionId>"
            f"{which}</t:SubscriptionId></m:SubscriptionIds><m:ConnectionTimeout>30"
            "</m:ConnectionTimeout></m:GetStreamingEvents>"
        )
        heard = threading.Event()
        stream = threading.Thread(target=_listen, args=(url, listen, heard))
        stream.start()
        assert heard.wait(20)
    stream.join(20)
    assert not stream.is_alive()


def _listen(url: str, body: str, heard: threading.Event) -> None:
    envelope = (
        f'<s:Envelope xmlns:s="{SOAP[1:-1]}" xmlns:t="{T}" xmlns:m="{M}"><s:Body>{body}</s:Body>'
        "</s:Envelope>"
    )
    with (
        httpx2.Client(verify=no_tls(), timeout=60) as client,
        client.stream("POST", url, content=envelope, headers=login("eve@x.test", "pass")) as answer,
    ):
        try:
            for _ in answer.iter_bytes():
                heard.set()
        except httpx2.TransportError:
            pass  # broken off


def test_the_state_outlives_the_process(tmp_path: Path) -> None:
    people = tmp_path / "people.toml"
    people.write_text(
        '[[mailbox]]\naddress = "eve@x.test"\nlogin = "eve"\nname = "Eve"\n'
        'also = ["east@x.test"]\n',
        encoding="utf-8",
    )
    words = ("--state", "state.sqlite", "--json")
    with started(tmp_path, *words, "--mailboxes", "people.toml") as (_, line):
        told = json.loads(line)
        (eve,) = told["mailboxes"]
        assert (eve["login"], eve["name"]) == ("eve", "Eve")
        assert ask(told["url"], "eve", eve["password"], TASK).status_code == 200
    with started(tmp_path, *words) as (_, line):
        told = json.loads(line)
        assert told["mailboxes"] == [eve]
        tasks = ask(told["url"], "eve", eve["password"], CALENDAR.replace("calendar", "tasks"))
        assert "<t:TotalCount>1<" in tasks.text


def test_people_read_where_it_is_and_who_may_log_in(tmp_path: Path) -> None:
    with started(tmp_path, "--control", "word") as (served, line):
        url = line.split()[-1]
        assert "answers at http://127.0.0.1:" in line
        assert served.stdout is not None
        lines = [served.stdout.readline() for _ in range(3)]
        assert "accord@example.com, password " in lines[2]
        assert "may act as everybody" in lines[2]
        password = lines[0].split()[-1]
        assert ask(url, "alice@example.com", password, CALENDAR).status_code == 200
        file = tmp_path / "word"
        assert file.stat().st_mode & 0o077 == 0
        control = url.replace("/EWS/Exchange.asmx", "/control")
        for word, code in (("x", 401), (file.read_text().strip(), 200)):
            headers = {"Authorization": f"Bearer {word}"}
            reply = httpx2.post(
                control, content=b'{"do":"count"}', headers=headers, verify=no_tls()
            )
            assert reply.status_code == code
        again = subprocess.run(
            [ACCORD, "sandbox", "exchange", "--port", url.split(":")[2].split("/")[0]],
            capture_output=True,
            text=True,
            check=False,
        )
        assert again.returncode == 2
        assert "another port" in again.stderr


def test_the_ways_to_log_in_are_chosen(tmp_path: Path) -> None:
    with started(tmp_path, "--auth", "both", "--json") as (_, line):
        refused = httpx2.post(json.loads(line)["url"], content=b"", verify=no_tls())
        offered = refused.headers.get_list("www-authenticate")
        assert [each.split()[0] for each in offered] == ["NTLM", "Basic"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--port", "70000"), "no port"),
        (("--mailbox", "eve"), "is no address"),
        (("--mailboxes", "none.toml"), "can't read none.toml"),
        (("--mailboxes", "wrong.toml"), "wrong.toml:2: error: mailbox[0].adress"),
        (("--mailboxes", "bare.toml"), "there is no key 'mailboxes'"),
        (("--mailboxes", "limits.toml"), "limits.toml:2: error: limits.found"),
        (("--mailboxes", "twice.toml"), "two accounts 'eve'"),
        (("--mailboxes", "also.toml"), "belongs to eve@x.test"),
        (("--state", "wrong.toml"), "can't keep the state in wrong.toml"),
        (("--control", "short"), "is too short"),
        (("--control", "no/where"), "can't read no/where"),
    ],
)
def test_what_cannot_be_served_is_said(
    run: Run, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    eve = '[[mailbox]]\naddress = "eve@x.test"\nlogin = "eve"\n'
    files = {
        "wrong.toml": '[[mailbox]]\nadress = "eve@x.test"\n' * 50,
        "bare.toml": "mailboxes = 1\n",
        "twice.toml": eve + '[[mailbox]]\naddress = "ann@x.test"\nlogin = "eve"\n',
        "also.toml": eve + '[[mailbox]]\naddress = "ann@x.test"\nalso = ["eve@x.test"]\n',
        "limits.toml": '[limits]\nfound = "many"\n',
        "short": "word\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    result = run("sandbox", "exchange", *words, code=2)
    assert said in result.err
