"""The connector's client against answers that CRM.interface would never give, and the network's."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from accord.crm.syncml import SyncmlCrm, build, http, signed
from accord.crm.syncml.errors import of_item, of_session
from accord.crm.syncml.settings import configure
from accord.crm.syncml.tokens import Kept
from accord.formats import wire
from accord.formats.syncml import message as m
from accord.formats.syncml.media import Media
from accord.formats.syncml.message import Header, Item, Location, Message, Meta
from accord.formats.token import Key, key_text, read
from accord.model.item import Task
from accord.model.kinds import Kind
from accord.model.observe import Unknown
from accord.ports import errors
from accord.ports.adapter import Ask, Draft
from tests.unit.dav.test_tls import Authority, Greeter

URL = "http://127.0.0.1:8640/CRM.interface"
XML = Media.XML.value
KEY = key_text(Key(id="0123456789abcdef", secret=b"k" * 32))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_PAUSES", (0.0, 0.0))


def client(handle: Callable[[httpx2.Request], httpx2.Response], **settings: Any) -> SyncmlCrm:
    config = configure({"url": URL, **settings})
    return SyncmlCrm(config, lambda user: f"token of {user}", httpx2.MockTransport(handle))


def saying(make: Callable[[Message], tuple[m.Command, ...]], **header: Any) -> SyncmlCrm:
    """Return a client of a server that answers with these commands."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked = Media.XML.decode(request.content)
        body = Media.XML.encode(_reply(asked, *make(asked), **header))
        return httpx2.Response(200, content=body, headers={"content-type": XML})

    return client(handle)


def _always(*body: m.Command) -> SyncmlCrm:
    return saying(lambda _: body)


def _reply(asked: Message, *body: m.Command, **header: Any) -> Message:
    there = asked.header
    head = Header(
        version=there.version,
        session_id=there.session_id,
        msg_id=there.msg_id,
        target=there.source,
        source=there.target,
    )
    final = header.pop("final", True)
    return Message(header=replace(head, **header), body=(_status("0", 212), *body), final=final)


def _status(to: str, code: int, *items: Item, message: str = "1") -> m.Status:
    return m.Status(cmd_id="9", msg_ref=message, cmd_ref=to, cmd="X", code=code, items=items)


def ask(adapter: SyncmlCrm) -> Any:
    return adapter.open("ann").fetch("", Kind.TASK, [Ask(ref="r")])


# what HTTP says


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        (404, {}, errors.ConfigError),
        (401, {}, errors.ConfigError),
        (302, {"location": "https://elsewhere.example/"}, errors.ConfigError),
        (200, {"content-type": "text/html"}, errors.ConfigError),
        (500, {}, errors.Retry),
        (503, {"retry-after": "70"}, errors.Retry),
    ],
)
def test_an_answer_that_is_no_syncml(
    status: int, headers: dict[str, str], error: type[errors.AccordError]
) -> None:
    with pytest.raises(error) as caught:
        ask(client(lambda _: httpx2.Response(status, headers=headers, content=b"<html>")))
    if headers.get("retry-after"):
        assert isinstance(caught.value, errors.Retry)
        assert caught.value.after == 70
    if isinstance(caught.value, errors.ConfigError):
        assert caught.value.field == "url"
        assert caught.value.hint


def test_the_clock_where_crm_interface_is_shows_in_any_answer() -> None:
    headers = {"date": "Fri, 31 Dec 2100 23:59:59 GMT"}
    adapter = client(lambda _: httpx2.Response(404, headers=headers))
    with adapter.open("ann") as session:
        assert session.clock() is None, "nothing was asked yet"
        with pytest.raises(errors.ConfigError):
            session.folders()
        seen = session.clock()
    assert seen is not None
    assert seen.ahead > 1_000_000_000
    assert adapter.requests == 1


@pytest.mark.parametrize("fault", [httpx2.ReadError("gone"), httpx2.RemoteProtocolError("half")])
def test_the_same_bytes_go_out_again_after_a_lost_answer(fault: httpx2.HTTPError) -> None:
    bodies: list[bytes] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        bodies.append(request.content)
        raise fault

    with pytest.raises(errors.Retry):
        ask(client(handle))
    assert len(bodies) == 3
    assert len(set(bodies)) == 1


def test_a_server_that_is_not_there_is_not_asked_again_and_again() -> None:
    asked: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        raise httpx2.ConnectError("refused")

    with pytest.raises(errors.Retry) as caught:
        ask(client(handle))
    assert caught.value.code == "unreachable"
    assert len(asked) == 1


def test_a_server_that_is_started_anew_gets_the_same_bytes() -> None:
    bodies: list[bytes] = []
    faults = iter([httpx2.ReadError("killed"), httpx2.ConnectError("refused")])

    def handle(request: httpx2.Request) -> httpx2.Response:
        bodies.append(request.content)
        for fault in faults:
            raise fault
        return httpx2.Response(404)

    with pytest.raises(errors.ConfigError):
        ask(client(handle))
    assert len(bodies) == 3
    assert len(set(bodies)) == 1


def test_without_encryption_only_where_somebody_says_so() -> None:
    far = "http://crm.example.com/CRM.interface"
    crm = client(lambda _: httpx2.Response(404), url=far, without_tls=True)
    (found,) = crm.check()
    assert found.subject == "interface" and found.hint
    with pytest.raises(errors.ConfigError) as caught:
        client(lambda _: httpx2.Response(404), url=far)
    assert "without_tls" in caught.value.hint


def test_a_short_pause_that_a_gateway_wants_is_kept() -> None:
    answers = iter([httpx2.Response(503), httpx2.Response(502), httpx2.Response(404)])
    with pytest.raises(errors.ConfigError):
        ask(client(lambda _: next(answers)))


def test_an_answer_without_end_is_cut_off() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b" " * 100_000

    def handle(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=endless(), headers={"content-type": XML})

    with pytest.raises(errors.Retry) as caught:
        ask(client(handle, max_message=100_000))
    assert caught.value.code == "too-large"


# what SyncML says


@pytest.mark.parametrize("body", [b"", b"<SyncML", b"<a/>", b"\x00\x01"])
def test_a_broken_answer_is_tried_again_later(body: bytes) -> None:
    def handle(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=body, headers={"content-type": XML})

    with pytest.raises(errors.Retry):
        ask(client(handle))


def test_somebody_elses_answer_is_not_taken() -> None:
    for mixed in ({"session_id": "77"}, {"target": Location("phone-1")}):
        with pytest.raises(errors.Retry, match="another conversation"):
            ask(saying(lambda _: (), **mixed))


def test_a_conversation_stays_at_the_host_it_began_at() -> None:
    there = "http://198.51.100.7/CRM.interface?s=1"
    item = Item(source=Location("r"), meta=Meta(mark="unchanged"), data="{")
    with pytest.raises(errors.ConfigError, match="next message"):
        ask(
            saying(
                lambda _: (_status("2", 200), m.Results(cmd_id="3", cmd_ref="2", items=(item,))),
                resp_uri=there,
                final=False,
            )
        )


def test_a_server_that_never_comes_to_an_end_is_left() -> None:
    with pytest.raises(errors.Retry) as caught:
        ask(saying(lambda asked: (_status("2", 200),), final=False))
    assert caught.value.code == "endless"


def test_what_is_not_understood_of_an_item_is_unknown() -> None:
    item = Item(source=Location("r"), meta=Meta(mark="seen", version="7"), data='{"item":{}}')
    made = ask(
        saying(lambda _: (_status("2", 200), m.Results(cmd_id="3", cmd_ref="2", items=(item,))))
    )
    assert isinstance(made[0], Unknown)
    assert made[0].version == "7"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (401, errors.AuthFailed),
        (407, errors.AuthFailed),
        (403, errors.AuthFailed),
        (404, errors.ConfigError),
        (501, errors.ConfigError),
        (513, errors.ConfigError),
        (417, errors.Retry),
        (500, errors.Retry),
        (510, errors.Retry),
        (508, errors.CursorExpired),
        (999, errors.Retry),
    ],
)
def test_statuses_without_a_word_have_their_reaction(
    code: int, error: type[errors.AccordError]
) -> None:
    made = of_session(code, "", "x")
    assert type(made) is error
    # A token that is refused locks nobody's account.
    assert not isinstance(made, errors.AuthFailed) or 0 < made.after <= 60


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (409, errors.Stale),
        (410, errors.Gone),
        (404, errors.Gone),
        (403, errors.Denied),
        (424, errors.Rejected),
        (416, errors.Rejected),
        (417, errors.Retry),
        (999, errors.Rejected),
    ],
)
def test_statuses_of_items_have_theirs(code: int, error: type[errors.AccordError]) -> None:
    assert type(of_item(code, "", "x")) is error
    said = wire.outcome(errors.Stale("changed"))
    assert type(of_item(code, said, "x")) is errors.Stale


def test_a_write_that_nobody_answers_is_no_success() -> None:
    draft = Draft(item=Task(title="a"), key="k")
    for body in ((), (_status("3", 200),), (_status("3", 201, Item(data="{}")),)):
        with pytest.raises(errors.Retry):
            _always(*body).open("ann").create("", Kind.TASK, [draft])


# settings, tokens, encryption


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({}, "url"),
        ({"url": "ftp://crm.example.com/"}, "url"),
        ({"url": "https://ann:secret@crm.example.com/"}, "url"),
        ({"url": "http://crm.example.com/CRM.interface"}, "url"),
        ({"url": URL, "timeout": 0}, "timeout"),
        ({"url": URL, "token": "x"}, "token"),
        ({"url": URL}, "token_key"),
        ({"url": URL, "token_key": "short"}, "token_key"),
        ({"url": "https://crm.example.com/", "token_key": KEY, "ca_file": "/no/such"}, "ca_file"),
    ],
)
def test_a_setting_that_is_not_right_is_named(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(errors.ConfigError) as caught:
        build(settings)
    assert caught.value.field == field
    assert "secret" not in str(caught.value)


def test_tokens_are_signed_for_one_user_each() -> None:
    tokens = signed(KEY, timedelta(minutes=5))
    written = read(tokens("ann"))
    assert written.claims.user == "ann"
    assert written.key == "0123456789abcdef"
    assert tokens("ann") != tokens("ann")


def test_a_token_is_renewed_before_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("accord.crm.syncml.tokens.time.monotonic", lambda: now[0])
    kept = Kept(signed(KEY, timedelta(minutes=10)))
    first = kept.get("ann")
    now[0] += 7 * 60
    assert kept.get("ann") == first
    assert kept.get("bob") != first
    now[0] += 2 * 60
    second = kept.get("ann")
    assert second != first
    assert kept.renew("ann", first) == second
    assert kept.renew("ann", second) not in (first, second)


def test_a_foreign_token_is_kept_until_it_is_refused() -> None:
    given = iter(["one", "two"])
    kept = Kept(lambda _: next(given))
    assert [kept.get("ann"), kept.get("ann"), kept.renew("ann", "one")] == ["one", "one", "two"]


@contextmanager
def encrypted(context: ssl.SSLContext) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = Media.XML.decode(self.rfile.read(int(self.headers["content-length"])))
            item = Item(
                source=Location("x"),
                meta=Meta(mark="answer"),
                data=wire.encode(wire.Self(instance="crm-7")),
            )
            results = m.Results(cmd_id="3", cmd_ref="2", items=(item,))
            body = Media.XML.encode(_reply(asked, _status("2", 200), results))
            self.send_response(200)
            self.send_header("content-type", XML)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}/CRM.interface"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_encrypted_connections_trust_the_authority_that_is_named_and_no_other(
    tmp_path: Path,
) -> None:
    ours, stranger = Authority(tmp_path, "ours"), Authority(tmp_path, "stranger")
    with encrypted(ours.server_context("127.0.0.1")) as url:
        named = {"url": url, "token_key": KEY}
        with closing(build({**named, "ca_file": str(ours.file)})) as adapter:
            assert adapter.instance == "crm-7"
        for more in ({}, {"ca_file": str(stranger.file)}):
            with closing(build({**named, **more})) as adapter:
                with pytest.raises(errors.ConfigError) as caught:
                    _ = adapter.instance
                assert caught.value.field == "ca_file"
                assert not adapter.check()[0].ok


def test_a_port_that_does_not_speak_tls_is_a_matter_of_the_settings() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Greeter)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    home = f"https://127.0.0.1:{server.server_port}"
    try:
        with closing(build({"url": f"{home}/CRM.interface", "token_key": KEY})) as adapter:
            with pytest.raises(errors.ConfigError) as caught:
                _ = adapter.instance
            assert not adapter.check()[0].ok
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert str(caught.value) == f"{home}: this port doesn't speak TLS"
    assert (caught.value.field, caught.value.code) == ("url", "no-tls")
