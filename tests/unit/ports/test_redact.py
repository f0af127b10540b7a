"""What nobody may read is taken out of texts; what only looks like it stays."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accord.formats import token as tokens
from accord.ports.errors import ConfigError, Retry
from accord.ports.redact import GONE, clean, is_secret_name
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
