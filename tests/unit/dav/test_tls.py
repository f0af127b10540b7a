"""Encryption: own authorities, refused certificates, and checking that was switched off loudly."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from accord.groupware.dav import build
from accord.groupware.dav.http import Http, Reply, credentials
from accord.groupware.dav.settings import configure, login
from accord.ports.errors import ConfigError


class Authority:
    """A certificate authority that lives as long as a test."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self.name, self.key.public_key(), ca=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def server_context(self, host: str, *, expired: bool = False) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        certificate = self._sign(name, key.public_key(), host=host, expired=expired)
        chain = self.folder / f"chain-{host}.pem"
        chain.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context

    def _sign(
        self,
        subject: x509.Name,
        public: ec.EllipticCurvePublicKey,
        *,
        ca: bool = False,
        host: str = "",
        expired: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=10))
            .not_valid_after(now - timedelta(days=1) if expired else now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if host:
            names: list[x509.GeneralName] = [
                x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
            ]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())


class Greeter(BaseHTTPRequestHandler):
    """Answer every OPTIONS and remember the headers."""

    protocol_version = "HTTP/1.1"

    def do_OPTIONS(self) -> None:
        self.server.seen.append(dict(self.headers))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("DAV", "1, calendar-access")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


@pytest.fixture
def serve() -> Iterator[object]:
    servers: list[ThreadingHTTPServer] = []

    def start(context: ssl.SSLContext) -> ThreadingHTTPServer:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Greeter)
        server.daemon_threads = True
        server.seen = []  # type: ignore[attr-defined]
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def ask(server: ThreadingHTTPServer, scheme: str = "https", **more: object) -> Reply:
    """Ask over https, whatever the scheme of the target's own address."""
    place = f"127.0.0.1:{server.server_address[1]}/"
    config = configure(
        {"url": f"{scheme}://{place}", "password": "secret", "auth": "basic", **more}
    )
    http = Http(config)
    try:
        auth = credentials(login(config, "alice"), "basic")
        return http.ask(auth, "OPTIONS", f"https://{place}")
    finally:
        http.close()


def test_an_own_authority_is_trusted_where_it_is_named(serve, authority: Authority) -> None:
    server = serve(authority.server_context("127.0.0.1"))
    assert ask(server, ca_file=str(authority.file)).ok


@pytest.mark.parametrize("trust", ["system", "another"])
def test_a_certificate_nobody_vouches_for_is_refused_before_anything_is_sent(
    serve, authority: Authority, tmp_path: Path, trust: str
) -> None:
    server = serve(authority.server_context("127.0.0.1"))
    another = Authority(tmp_path, "another")
    more = {} if trust == "system" else {"ca_file": str(another.file)}
    with pytest.raises(ConfigError) as caught:
        ask(server, **more)
    assert (caught.value.field, caught.value.code) == ("ca_file", "certificate")
    assert server.seen == []


def test_a_target_on_http_that_is_sent_to_https_checks_the_certificate(
    serve, authority: Authority
) -> None:
    server = serve(authority.server_context("127.0.0.1"))
    assert ask(server, "http", ca_file=str(authority.file)).ok
    server.seen.clear()
    with pytest.raises(ConfigError) as caught:
        ask(server, "http")
    assert caught.value.code == "certificate"
    assert server.seen == []


@pytest.mark.parametrize(("host", "expired"), [("other.test", False), ("127.0.0.1", True)])
def test_a_wrong_name_or_date_is_refused(
    serve, authority: Authority, host: str, expired: bool
) -> None:
    server = serve(authority.server_context(host, expired=expired))
    with pytest.raises(ConfigError) as caught:
        ask(server, ca_file=str(authority.file))
    assert caught.value.code == "certificate"
    assert server.seen == []


def test_not_checking_is_possible_and_loud(
    serve, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(authority.server_context("other.test"))
    assert ask(server, verify=False).ok
    assert caplog.messages == ["dav.certificate_unchecked"]
    port = server.server_address[1]
    adapter = build({"url": f"https://127.0.0.1:{port}/", "password": "x", "verify": False})
    findings = {each.subject: each for each in adapter.check()}
    adapter.close()
    assert not findings["encryption"].ok
    assert "verify" in findings["encryption"].hint


def test_the_environments_proxy_and_netrc_are_not_asked(
    serve, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login eve password stolen\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    server = serve(authority.server_context("127.0.0.1"))
    assert ask(server, ca_file=str(authority.file)).ok


@pytest.fixture
def plain() -> Iterator[ThreadingHTTPServer]:
    """A server that speaks http, whatever it is greeted with."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Greeter)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_port_that_does_not_speak_tls_is_a_matter_of_the_settings(
    plain: ThreadingHTTPServer,
) -> None:
    with pytest.raises(ConfigError) as caught:
        ask(plain)
    assert str(caught.value) == f"127.0.0.1:{plain.server_port}: this port doesn't speak TLS"
    assert (caught.value.field, caught.value.code) == ("url", "no-tls")
    assert "port for https" in caught.value.hint
