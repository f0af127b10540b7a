"""Settings: what is refused, with the name of the setting and the way to mend it."""

from __future__ import annotations

from typing import Any

import pytest

from accord.groupware.dav import SETTINGS, build
from accord.groupware.dav.settings import configure, login
from accord.ports.errors import ConfigError
from tests.unit.dav.server import settings


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"url": None}, "url"),
        ({"url": "dav.test"}, "url"),
        ({"url": "ftp://dav.test/"}, "url"),
        ({"url": "https://alice:secret@dav.test/"}, "url"),
        ({"auth": "ntlm"}, "auth"),
        ({"concurrency": 0}, "concurrency"),
        ({"page": 0}, "page"),
        ({"timeout": 0}, "timeout"),
        ({"max_megabytes": 0}, "max_megabytes"),
        ({"passwords": {"alice": 1}}, "passwords"),
        ({"pasword": "x"}, "pasword"),
        ({"verify": "no"}, "verify"),
    ],
)
def test_a_wrong_setting_is_named(given: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(settings(**given))
    assert caught.value.field == field


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "s3cr3t", "url": "https://alice:s3cr3t@dav.test/"},
        {"password": {"alice@x.test": "s3cr3t"}},
        {"passwords": "s3cr3t"},
    ],
    ids=["in-url", "table", "text"],
)
def test_no_error_repeats_a_secret(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        build(settings(**wrong))
    assert "s3cr3t" not in str(caught.value) + caught.value.hint


def test_what_holds_passwords_is_marked_as_secret() -> None:
    assert {each.name for each in SETTINGS if each.secret} == {"password", "passwords"}


def test_every_setting_says_what_it_is_for() -> None:
    assert [
        each.name for each in SETTINGS if not each.label or not (each.help or each.advanced)
    ] == []


@pytest.mark.parametrize(
    ("user", "principal", "fits"),
    [
        ("{principal}", "bob@x.test", "bob@x.test"),
        ("{local}", "bob@x.test", "bob"),
        ("{local}-{domain}", "bob@x.test", "bob-x.test"),
        ("alice", "alice@x.test", "alice"),
        ("Alice@x.test", "alice@X.test", "Alice@x.test"),
        ("alice@y.test", "alice@x.test", ""),
        ("alice@y.test", "alice", "alice@y.test"),
        ("alice", "bob", ""),
    ],
)
def test_a_login_name_fits_the_person_or_is_refused(user: str, principal: str, fits: str) -> None:
    config = configure(settings(user=user))
    if fits:
        assert login(config, principal).user == fits
    else:
        with pytest.raises(ConfigError):
            login(config, principal)


def test_no_password_is_said_so() -> None:
    with pytest.raises(ConfigError) as caught:
        login(configure(settings(password="")), "alice")
    assert caught.value.field == "passwords"


def test_an_acting_account_needs_no_login_of_the_person() -> None:
    config = configure(settings(user="service", principal_path="/p/{principal}/"))
    assert login(config, "bo b@x.test").principal_path == "/p/bo%20b@x.test/"
