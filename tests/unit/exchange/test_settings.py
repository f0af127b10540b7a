"""What an administrator may set for an Exchange target, and what each mistake is told."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from accord.groupware.exchange import SETTINGS, build
from accord.groupware.exchange.settings import address, configure
from accord.groupware.exchange.ways import Login, login
from accord.ports.errors import ConfigError

GIVEN = {"url": "https://mail.example.com", "user": "EXAMPLE\\accord", "password": "geheim"}


def test_a_bare_host_gets_the_path_of_the_services() -> None:
    assert configure(GIVEN).url == "https://mail.example.com/EWS/Exchange.asmx"
    assert address("https://m.example.com/other/asmx", "x") == "https://m.example.com/other/asmx"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"url": "mail.example.com"}, "url"),
        ({"url": "https://me:pw@mail.example.com"}, "url"),
        ({"url": "https://outlook.office365.com/EWS/Exchange.asmx"}, "url"),
        ({"url": "https://eu.outlook.com/EWS/Exchange.asmx"}, "url"),
        ({"password": None}, "password"),
        ({"user": ""}, "user"),
        ({"auth": "digest"}, "auth"),
        ({"auth": "kerberos", "user": ""}, "user"),
        ({"auth": "oauth2"}, "client_id"),
        ({"auth": "oauth2", "client_id": "x", "client_secret": "x"}, "authority"),
        ({"auth": "oauth2-user", "client_id": "x", "authority": "https://sts"}, "refresh_token"),
        (
            {"auth": "oauth2-user", **dict.fromkeys(("client_id", "refresh_token"), "x")},
            "authority",
        ),
        ({"authority": "http://sts.example.com/adfs"}, "authority"),
        ({"token_url": "sts.example.com"}, "token_url"),
        (
            {
                **dict.fromkeys(("client_id", "client_secret"), "x"),
                "auth": "oauth2",
                "authority": "https://sts",
                "url": "",
            },
            "scope",
        ),
        ({"auth": "oauth2", "token_url": "https://sts/", "client_id": "x"}, "client_secret"),
        ({"access": "own", "user": "one@example.com"}, "user"),
        ({"client_secret_until": "1 May 2027"}, "client_secret_until"),
        ({"client_secret_until": "2027-02-30"}, "client_secret_until"),
        ({"client_secret_until": 20270501}, "client_secret_until"),
        (
            {
                **dict.fromkeys(("client_id", "client_secret"), "x"),
                "auth": "oauth2",
                "access": "own",
                "token_url": "https://sts/",
                "user": "",
            },
            "access",
        ),
        ({"page": 0}, "page"),
        ({"passwords": {"a": 1}}, "passwords"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_work_is_named(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError) as found:
        configure({**GIVEN, **wrong}, "company")
    assert found.value.field == field
    assert "company" in str(found.value)


def test_exchange_online_is_sent_to_graph() -> None:
    with pytest.raises(ConfigError) as found:
        configure({**GIVEN, "url": "https://outlook.office365.com/"})
    assert "Graph" in found.value.hint
    assert found.value.code == "exchange-online"


def test_with_own_access_each_signs_in_as_themselves() -> None:
    config = configure(
        {
            "url": GIVEN["url"],
            "access": "own",
            "user": "EXAMPLE\\{local}",
            "users": {"Carl@example.com": "EXAMPLE\\c2"},
            "passwords": {"ann@example.com": "a", "carl@example.com": "c"},
        }
    )
    assert login(config, "ann@example.com") == Login(user="EXAMPLE\\ann", password="a")
    assert login(config, "carl@example.com").user == "EXAMPLE\\c2"
    with pytest.raises(ConfigError) as found:
        login(config, "bea@example.com")
    assert found.value.field == "passwords"


def test_a_service_account_signs_in_for_everybody() -> None:
    config = configure(GIVEN)
    assert login(config, "ann@example.com") == login(config, "bea@example.com")
    assert "geheim" not in repr(login(config, ""))


def test_every_secret_is_declared_as_one() -> None:
    secret = {each.name for each in SETTINGS if each.secret}
    assert secret == {
        "password",
        "passwords",
        "client_secret",
        "refresh_token",
        "refresh_tokens",
    }


def test_exchangelib_is_not_loaded_before_a_mailbox_is_read() -> None:
    """It takes a second and 50 MB, which nobody else shall pay."""
    code = (
        "import sys; from accord.groupware.exchange import build; "
        "from accord.service import registry; import accord.cli.main; "
        f"build({GIVEN!r}).open('a@example.com').close(); "
        "assert not any(n.startswith(('exchangelib', 'spnego', 'requests')) for n in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_exchangelib_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accord.groupware.exchange.trees.find_spec", lambda name: None)
    with pytest.raises(ConfigError) as found:
        build(GIVEN)
    assert "accord-sync[exchange]" in found.value.hint


def test_where_one_account_bears_all_less_is_done_at_once() -> None:
    alone = configure({**GIVEN, "access": "delegate"})
    each = configure(GIVEN)
    assert (alone.visits, alone.concurrency) == (20, 8)
    assert (each.visits, each.concurrency) == (0, 24)
    assert configure({**GIVEN, "access": "delegate", "concurrency": 3}).concurrency == 3
