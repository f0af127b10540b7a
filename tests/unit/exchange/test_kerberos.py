"""Kerberos against a real key centre: passwords, keytabs, the process's tickets, and refusals."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from accord.groupware.exchange.adapter import build
from accord.ports import errors
from tests.kdc import REALM, Kdc
from tests.unit.exchange.bridge import ALICE
from tests.unit.exchange.company import Company

NAMES = {f"robot@{REALM}": "robot", f"alice@{REALM}": ALICE}


pytestmark = [pytest.mark.peer, pytest.mark.usefixtures("realm")]


@pytest.fixture(params=[False, True], ids=["once", "each"])
def company(request: pytest.FixtureRequest) -> Iterator[Company]:
    """Exchange asks once for each connection, or for each request, as it was set up."""
    made = Company(scheme="Negotiate", each_request=request.param, names=NAMES)
    yield made
    made.close()


def given(company: Company, **more: Any) -> dict[str, Any]:
    url = company.server.url.replace("127.0.0.1", "localhost")
    return {"url": url, "auth": "kerberos", "concurrency": 1, **more}


def look(settings: dict[str, Any], times: int = 3) -> None:
    adapter = build(settings)
    try:
        with adapter.open(ALICE) as session:
            for _ in range(times):
                adapter.forget(ALICE)
                assert len(session.folders()) > 2
    finally:
        adapter.close()


def test_a_service_account_signs_in_with_its_password(company: Company) -> None:
    look(given(company, user=f"robot@{REALM}", password="secret"))
    assert set(company.asked) == {f"robot@{REALM}"}
    # Where each request is to be signed, the second one in a row is the last that is refused.
    assert company.server.refusals <= 2


def test_a_service_account_signs_in_with_its_keytab(company: Company, kdc: Kdc) -> None:
    keytab = str(kdc.file("service.keytab"))
    company.names[f"service@{REALM}"] = "robot"
    look(given(company, user=f"service@{REALM}", keytab=keytab))
    assert set(company.asked) == {f"service@{REALM}"}


def test_the_tickets_of_the_process_will_do(company: Company, kdc: Kdc) -> None:
    kdc.sign_in("robot", "secret")
    look(given(company))
    assert set(company.asked) == {f"robot@{REALM}"}


def test_each_person_signs_in_as_themselves(company: Company) -> None:
    own = {"access": "own", "users": {ALICE: f"alice@{REALM}"}, "passwords": {ALICE: "secret"}}
    look(given(company, **own))
    assert set(company.asked) == {f"alice@{REALM}"}


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"user": f"nobody@{REALM}"}])
def test_a_refused_account_is_told_with_what_to_try(
    company: Company, wrong: dict[str, str]
) -> None:
    with pytest.raises(errors.AuthFailed, match="kinit") as found:
        look(given(company, **{"user": f"robot@{REALM}", "password": "secret", **wrong}))
    assert "secret" not in str(found.value)
    assert company.asked == []


def test_a_server_without_a_service_name_is_told_by_name(company: Company) -> None:
    settings = given(company, user=f"robot@{REALM}", password="secret")
    settings["url"] = company.server.url  # 127.0.0.1, which the realm doesn't know
    with pytest.raises(errors.AuthFailed, match="HTTP/HOST"):
        look(settings)


def test_a_key_centre_that_is_down_is_asked_later(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kdc: Kdc
) -> None:
    conf = Path(kdc.environ["KRB5_CONFIG"]).read_text()
    lines = [line if "kdc = " not in line else "  kdc = 127.0.0.1:1" for line in conf.splitlines()]
    (tmp_path / "krb5.conf").write_text("\n".join(lines))
    monkeypatch.setenv("KRB5_CONFIG", str(tmp_path / "krb5.conf"))
    with pytest.raises(errors.Retry):
        look(given(company, user=f"robot@{REALM}", password="secret"))


def test_without_the_library_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "gssapi" else found(name)
    )
    with pytest.raises(errors.ConfigError) as refused:
        build({"url": "https://mail.example.com", "auth": "kerberos"})
    assert "accord-sync[kerberos]" in refused.value.hint
