"""`/healthz`, `/readyz`, `/metrics`: who is told what, and where they may be served."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from accord.cli.endpoint import health
from accord.ports.errors import ConfigError
from accord.service import ready
from accord.service.accord import Accord
from accord.service.bootstrap import open_accord, open_queue
from accord.service.config import load
from accord.state import schema
from accord.web import health as web
from tests.unit.cli.conftest import Run, event
from tests.unit.cli.test_queue import opened
from tests.unit.cli.test_run import running
from tests.unit.cli.test_status import at_work, target_of

SOON = 30.0
SECRET = "0123456789abcdef0123"
LISTEN = 'listen = "127.0.0.1:8641"\n'
"""What `accord init` writes into `[web]`."""


@contextmanager
def served(folder: Path, listen: str = "127.0.0.1:0") -> Iterator[tuple[httpx2.Client, Accord]]:
    config = load(None, {}, folder)
    with (
        closing(open_accord(config)) as accord,
        closing(open_queue(config)) as queue,
        health(accord, queue, config, listen) as made,
    ):
        assert made is not None
        with made.beside(), httpx2.Client(base_url=made.url) as client:
            yield client, accord


@pytest.fixture(autouse=True)
def _ask_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "KEPT", 0.0)
    monkeypatch.setattr(web, "METRICS_KEPT", 0.0)


def write(folder: Path, text: str) -> None:
    """Put `text` into `[web]`, in the place of what `accord init` wrote there."""
    file = folder / "accord.toml"
    file.write_text(file.read_text().replace(LISTEN, f"{text}\n"))


def test_it_lives_and_is_ready_once_somebody_serves_the_queue(linked: Run, tmp_path: Path) -> None:
    with served(tmp_path) as (client, accord):
        assert (client.get("/healthz").status_code, client.get("/healthz").text) == (200, "ok\n")
        assert client.get("/healthz").headers["cache-control"] == "no-store"
        answer = client.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "nobody serves the queue\n")
        at_work(tmp_path, "listener")
        assert client.get("/readyz").status_code == 503
        at_work(tmp_path, "worker")
        assert (client.get("/readyz").status_code, client.get("/readyz").text) == (200, "ok\n")
        accord.state.run(lambda tx: tx.processes.leave("elsewhere:b:p/7/worker60.0"))
        assert client.get("/readyz").status_code == 503
        assert client.get("/nothing").status_code == 404
        assert client.post("/healthz").status_code == 405


def test_it_is_not_ready_without_its_tables_or_its_database(
    linked: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: list[str]
) -> None:
    at_work(tmp_path)
    with served(tmp_path) as (client, accord):
        head = schema.HEAD
        monkeypatch.setattr(schema, "HEAD", "9999")
        answer = client.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "the tables are not at head\n")
        monkeypatch.setattr(schema, "HEAD", "0001")
        assert client.get("/readyz").status_code == 200, "another version brought newer ones"
        monkeypatch.setattr(schema, "HEAD", head)
        broken = RuntimeError("postgresql://u:hunter2@h/d is away")

        def read() -> None:
            raise broken

        monkeypatch.setattr(accord.state, "read", read)
        answer = client.get("/readyz")
        assert (answer.status_code, answer.text) == (503, "the database can't be reached\n")
        assert client.get("/metrics").status_code == 503
        assert client.get("/metrics").text == "no figures now\n"
        assert client.get("/healthz").status_code == 200
    assert faults
    assert not any("hunter2" in line for line in faults)


def test_the_metrics_are_those_of_everything_and_name_nobody(linked: Run, tmp_path: Path) -> None:
    linked("crm", "put", "--as", "alice", stdin=event("Dinner with Eve"))
    linked("sync", "--all")
    counts = {"visits.done": 3, "visits.retry": 1, "writes.crm": 2, "requests": 40}
    heard = {"heard.0.5": 2, "heard.5": 1, "heard.+Inf": 1, "heard_milliseconds": 4_100_000}
    work = {"company": {**counts, **heard}}
    ways = {"company": {"ways": {"streaming": 2}, "why": {"alice@x.test refused": 1}}}
    at_work(tmp_path, "all", work=work, streams=ways)
    with served(tmp_path) as (client, _):
        answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert found["accord_links", "active"] == 2
    assert found["accord_queue_folders", "waiting"] == 0
    assert found["accord_lag_seconds", "company"] == 0
    assert found["accord_links_never_complete", "company"] == 0
    assert found["accord_mailboxes_watched", "company", "streaming"] == 2
    assert found["accord_visits_total", "done", "elsewhere/7", "company"] == 3
    assert found["accord_visits_total", "retry", "elsewhere/7", "company"] == 1
    assert found["accord_writes_total", "elsewhere/7", "crm", "company"] == 2
    assert found["accord_requests_total", "elsewhere/7", "company"] == 40
    took = "accord_hint_to_done_seconds"
    buckets = [found[f"{took}_bucket", le, "elsewhere/7", "company"] for le in ("0.5", "2.0")]
    buckets += [found[f"{took}_bucket", le, "elsewhere/7", "company"] for le in ("5.0", "+Inf")]
    assert buckets == [2, 2, 3, 4]
    assert found[f"{took}_sum", "elsewhere/7", "company"] == 4100
    assert found[f"{took}_count", "elsewhere/7", "company"] == 4
    assert found["accord_processes", "all", "at work"] == 1
    assert found["accord_complete_timestamp_seconds", "company"] > 1.7e9
    assert not re.search("(?i)alice|dinner|with eve", answer.text)


def test_the_metrics_tell_which_targets_are_left_alone(linked: Run, tmp_path: Path) -> None:
    target = target_of(linked, tmp_path)
    with served(tmp_path) as (client, _), opened(tmp_path) as (queue, _):
        line = 'accord_circuit{state="%s",target="company"} %s'
        assert line % ("closed", "1.0") in client.get("/metrics").text
        queue.trouble(target, "alice@x.test", "busy", after=500)
        text = client.get("/metrics").text
    assert line % ("open", "1.0") in text
    assert line % ("closed", "0.0") in text
    assert line % ("half-open", "0.0") in text


def test_every_figure_stands_in_the_page_on_operations(linked: Run, tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "operations.md"
    with served(tmp_path) as (client, _):
        told = set(re.findall(r"# HELP (\w+)", client.get("/metrics").text))
    assert told == set(re.findall(r"`(accord_\w+)[{`]", page.read_text(encoding="utf-8")))


def test_a_process_lives_and_is_ready_however_many_wait_for_slow_metrics() -> None:
    """No thread is waited for: of those there are forty, and one is held by the metrics."""
    asked, over = threading.Event(), threading.Event()

    def slow() -> bytes:
        asked.set()
        over.wait(SOON)
        return b"figures"

    async def ask() -> list[str]:
        transport = httpx2.ASGITransport(web.make_app(list, slow, "text/plain"))
        async with httpx2.AsyncClient(transport=transport, base_url="http://x.test") as client:
            waiting = [asyncio.create_task(client.get("/metrics")) for _ in range(100)]
            await asyncio.to_thread(asked.wait, SOON)
            try:
                ways = ("/healthz", "/readyz")
                said = [await asyncio.wait_for(client.get(way), 5) for way in ways]
            finally:
                over.set()
            said += await asyncio.gather(*waiting)
        return [each.text for each in said]

    found = asyncio.run(ask())
    assert found == ["ok\n", "ok\n", *["figures"] * 100]


def test_that_a_process_lives_is_told_where_there_is_no_thread() -> None:
    async def ask() -> str:
        transport = httpx2.ASGITransport(web.make_app(list, bytes, "text/plain"))
        async with httpx2.AsyncClient(transport=transport, base_url="http://x.test") as client:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("anyio.to_thread.run_sync", None)
                return (await client.get("/healthz")).text

    assert asyncio.run(ask()) == "ok\n"


def test_with_a_token_nobody_else_is_told_the_metrics(linked: Run, tmp_path: Path) -> None:
    (tmp_path / "metrics.token").write_text(f"{SECRET}\n")
    write(tmp_path, 'metrics_token = { file = "metrics.token" }')
    with served(tmp_path) as (client, _):
        for given in ("", f"Bearer {SECRET}x", f"Basic {SECRET}", SECRET, "Bearer", "Bearer é"):
            headers = {b"authorization": given.encode()} if given else {}
            answer = client.get("/metrics", headers=headers)
            assert answer.status_code == 401, given
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert "accord_" not in answer.text
        assert client.get("/metrics", headers={"authorization": f"Bearer {SECRET}"}).is_success
        assert client.get("/healthz").status_code == 200


def test_on_a_network_metrics_need_a_token_and_tls(linked: Run, tmp_path: Path) -> None:
    for listen in ("0.0.0.0:0", "[::]:0"):
        with (
            pytest.raises(ConfigError, match="anybody could read the metrics"),
            served(tmp_path, listen),
        ):
            pass
    (tmp_path / "metrics.token").write_text(SECRET)
    write(tmp_path, 'metrics_token = { file = "metrics.token" }')
    with pytest.raises(ConfigError, match="would travel where others can read it") as caught:
        served(tmp_path, "0.0.0.0:0").__enter__()
    assert "without_tls = true" in caught.value.hint
    (tmp_path / "accord.toml").write_text(
        (tmp_path / "accord.toml").read_text() + "without_tls = true\n"
    )
    with served(tmp_path, "0.0.0.0:0") as (client, _):
        port = client.base_url.port
        assert httpx2.get(f"http://127.0.0.1:{port}/metrics").status_code == 401


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('metrics_token = "plain"', "metrics_token"),
        ('metrics_token = { path = "x" }', "a secret is given by reference"),
        ("listen = 8641", "listen"),
        ('lissen = "127.0.0.1:1"', "listen"),
        ('listen = "8641"', "HOST:PORT"),
        ('listen = "127.0.0.1:0"\ncertificate = "a.pem"', "and its key"),
        ('listen = "127.0.0.1:0"\nmetrics_token = { file = "none" }', "can't read"),
        ('listen = "127.0.0.1:0"\nmetrics_token = { env = "SHORT" }', "no 16 letters long"),
    ],
)
def test_wrong_settings_are_named(
    linked: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setenv("SHORT", "short")
    write(tmp_path, text)
    result = linked("run", "web", code=2)
    assert said in result.err
    assert "plain" not in result.err


def test_a_new_installation_says_whether_it_lives(installed: Run, tmp_path: Path) -> None:
    assert load(None, {}, tmp_path).web.listen == "127.0.0.1:8641"
    write(tmp_path, 'listen = "127.0.0.1:0"')
    with running(tmp_path) as service:
        assert service.told(running=True)
        address = next(row["web"] for row in service.rows if "web" in row)
        assert httpx2.get(f"{address}healthz").text == "ok\n"
        assert service.end() == 0, service.errors


def test_a_port_that_another_installation_has_ends_no_service(
    installed: Run, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = f"127.0.0.1:{other.getsockname()[1]}"
        write(tmp_path, f'listen = "{place}"')
        with running(tmp_path) as service:
            assert service.told(running=True)
            assert service.told(web="", why=f"can't listen on {place}: Address already in use")
            assert service.end() == 0
        assert f"Nobody can ask how it is: can't listen on {place}" in service.errors
        assert "name another port as listen in [web]" in service.errors
        # Who was told to answer there doesn't work in silence.
        for words in (("--web", place), ("web", "--web", place), ("listener", "--web", place)):
            refused = installed("run", *words, code=2).err
            assert "stop what listens there, or name another port" in refused


def test_a_stranger_learns_no_more_than_three_things() -> None:
    """What `/readyz` may say stands in `service.ready`, and nowhere is anything filled in."""
    source = Path(str(ready.__file__)).read_text(encoding="utf-8")
    assert len(re.findall(r'"(the database|the tables|nobody) [^"{]*"', source)) == 3
