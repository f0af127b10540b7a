"""What nobody may read is taken out of texts; what only looks like it stays."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest

from accord.formats import token as tokens
from accord.model.kinds import Side
from accord.ports import redact
from accord.ports.errors import AuthFailed, ConfigError, Retry
from accord.ports.redact import GONE, clean, hide, is_secret_name
from accord.service import registry
from accord.state.records import Target
from tests.unit.state.build import NOW


@pytest.mark.parametrize(
    "text",
    [
        "can't open postgresql://accord:hunter2@db/accord: refused",
        "PROPFIND https://anna:hunter2@dav.example.com/anna/: ConnectError",
        "postgresql://u:p@hunter2@db.example.com:5432/x",
        "postgresql://u:p/hunter2@db.example.com:5432/x",
        "http://:hunter2@proxy:3128",
        "the server said: Authorization: Bearer hunter2-ABCDEFGH",
        "Basic aHVudGVyMjpodW50ZXIy hunter3",
        "https://idp.example.com/token?refresh_token=hunter2&x=1",
        "http://localhost:1/?code=hunter2&state=hunter2",
        '{"access_token": "hunter2", "expires_in": 3600}',
        "{'client_secret': 'hunter2'}",
        "grant_type=password&password=hunter2",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.hunter2-signature",
    ],
)
def test_secrets_are_taken_out(text: str) -> None:
    assert "hunter2" not in clean(text)
    assert "aHVudGVyMjpodW50ZXIy" not in clean(text)
    assert GONE in clean(text)
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://dav.example.com:8443/anna@example.com/calendar/",
        "https://dav.example.com/anna@example.com/",
        "postgresql://accord@db.example.com/accord",
        "http://127.0.0.1:8640/CRM.interface",
        "Digest authentication isn't offered, Basic neither",
        "name the token in metrics_token",
        "it keeps changing while being synchronized; tried again soon",
        "a1.b2.c3 is a cell, and exit code=3",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert clean(text) == text


def test_tokens_of_crm_interface_are_taken_out() -> None:
    claims = tokens.new_claims("anna", NOW, timedelta(hours=1))
    text = tokens.write(claims, tokens.new_key())
    assert clean(f"refused: {text}!") == f"refused: {GONE}!"


def test_no_error_says_a_password() -> None:
    assert "hunter2" not in str(Retry("GET https://u:hunter2@h/: timed out", after=1))
    assert "hunter2" not in repr(ConfigError("https://u:hunter2@h/ is no address"))


@pytest.mark.parametrize("name", ["password", "client_secret", "Authorization", "metrics_token"])
def test_secrets_are_known_by_their_names(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["user", "target", "tokens_left", "passwordless", "status"])
def test_other_names_are_no_secrets(name: str) -> None:
    assert not is_secret_name(name)


@pytest.fixture
def _nothing_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_hidden", set())


@pytest.mark.usefixtures("_nothing_hidden")
def test_secrets_that_are_known_are_taken_out_wherever_they_stand() -> None:
    hide("Kartoffel-2", {"passwords": {"anna": "Rote Bete", "bob": "kurz"}}, ["Sellerie!"], None, 7)
    told = "the server said: Kartoffel-2 of anna (Rote Bete) and Sellerie!, kurz"
    assert clean(told) == f"the server said: {GONE} of anna ({GONE}) and {GONE}, kurz"
    assert "Kartoffel-2" not in str(Retry("not Kartoffel-2", after=1))


@pytest.mark.usefixtures("_nothing_hidden")
@pytest.mark.parametrize("weak", ["", "secret", "password", "geheimnis"])
def test_what_may_be_any_word_is_left(weak: str) -> None:
    hide(weak)
    text = "give the password, a secret, ein geheimnis"
    assert clean(text) == text


@pytest.mark.usefixtures("_nothing_hidden")
def test_a_password_that_a_server_quotes_is_in_no_report() -> None:
    target = Target(
        id="t",
        name="company",
        adapter="memory",
        side=Side.GROUPWARE,
        settings={},
        secrets={"password": "Kartoffel-2"},
    )
    with suppress(ConfigError):
        registry.build(target)  # the memory adapter has no such setting
    assert "Kartoffel-2" not in str(AuthFailed("401: robot/Kartoffel-2 is wrong"))
