"""Tokens of an authority: applications, people who signed in once, renewals and refusals."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from sqlalchemy import select

from accord.groupware.exchange.adapter import ExchangeAdapter, build
from accord.groupware.exchange.authorize import Authorization
from accord.groupware.exchange.errors import status_error
from accord.model.kinds import Side
from accord.ports import errors
from accord.ports.vault import MemoryVault, Renewing
from accord.service import registry
from accord.service.vault import StateVault
from accord.state.records import Target
from accord.state.schema import RENEWALS
from accord.state.state import State
from tests.authority import CLIENT, SECRET, Authority
from tests.databases import Databases
from tests.exchange import ROBOT, House


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    made = Authority()
    yield made
    made.close()


@pytest.fixture(scope="module")
def house(authority: Authority) -> Iterator[House]:
    made = House(ways=("bearer",), tokens=authority.whose)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _anew(authority: Authority) -> None:
    authority.person = ROBOT
    authority.lasts, authority.down, authority.says_no = 3600, False, ""
    authority.without_refresh = False
    authority.asked.clear()
    authority.signed_in.clear()


def by_application(house: House, authority: Authority, **more: Any) -> dict[str, Any]:
    named = {"client_id": CLIENT, "client_secret": SECRET, "authority": authority.url}
    return {"url": house.url, "auth": "oauth2", **named, **more}


def by_person(house: House, authority: Authority, **more: Any) -> dict[str, Any]:
    given = {"url": house.url, "auth": "oauth2-user", "client_id": CLIENT}
    return {**given, "authority": authority.url, **more}


def look(adapter: ExchangeAdapter, person: str) -> int:
    with adapter.open(person) as session:
        adapter.forget(person)
        return len(session.folders())


def test_an_application_acts_for_people_with_a_token(house: House, authority: Authority) -> None:
    adapter = build(by_application(house, authority, resource="https://mail.example.com/"))
    person = house.person()
    assert look(adapter, person) > 2
    assert look(adapter, person) > 2
    (asked,) = authority.asked
    assert asked["grant_type"] == "client_credentials"
    assert asked["resource"] == "https://mail.example.com/"
    assert asked["scope"].endswith("/.default")
    findings = {one.subject: one for one in adapter.check(person)}
    assert "by oauth2" in findings["sign-in and folders"].detail
    clocks = adapter.http.clocks
    assert clocks.reading(house.url) is not None
    assert clocks.reading(authority.url) is None, "who issues tokens has another clock"
    adapter.close()


def test_a_token_that_no_longer_holds_is_replaced_by_a_new_one(
    house: House, authority: Authority
) -> None:
    vault = MemoryVault()
    first = authority.first_refresh()
    adapter = build(by_person(house, authority, refresh_token=first))
    adapter.keep_in(vault)
    person = house.person()
    assert look(adapter, person) > 2
    authority.expire()
    assert look(adapter, person) > 2
    assert [one["grant_type"] for one in authority.asked] == ["refresh_token"] * 2
    assert authority.asked[1]["refresh_token"] not in ("", first)
    assert vault.newest(first) not in (first, authority.asked[1]["refresh_token"])
    adapter.close()


def test_a_sign_in_is_renewed_unasked(house: House, authority: Authority) -> None:
    vault = MemoryVault()
    first = authority.first_refresh()
    adapter = build(by_person(house, authority, refresh_token=first))
    adapter.keep_in(vault)
    assert isinstance(adapter, Renewing)
    (name,) = adapter.sign_ins()
    adapter.renew(name)
    second = vault.newest(first)
    adapter.renew(name)
    assert vault.newest(first) not in (first, second)
    assert [one["grant_type"] for one in authority.asked] == ["refresh_token"] * 2
    assert look(adapter, house.person()) > 2
    assert len(authority.asked) == 2, "and its token is used"
    authority.revoke()
    with pytest.raises(errors.AuthFailed):
        adapter.renew(name)
    adapter.close()
    other = build(by_application(house, authority))
    assert other.sign_ins() == ()
    other.close()


def test_each_persons_sign_in_is_renewed_by_itself(house: House, authority: Authority) -> None:
    vault = MemoryVault()
    people = [house.person(), house.person()]
    tokens = {}
    for person in people:
        authority.person = person
        tokens[person] = authority.first_refresh()
    adapter = build(by_person(house, authority, access="own", refresh_tokens=tokens))
    adapter.keep_in(vault)
    assert adapter.sign_ins() == tuple(sorted(people))
    adapter.renew(people[0])
    (asked,) = authority.asked
    assert asked["refresh_token"] == tokens[people[0]]
    adapter.close()


def test_each_person_signs_in_with_a_token_of_their_own(house: House, authority: Authority) -> None:
    people = [house.person(), house.person()]
    tokens = {}
    for person in people:
        authority.person = person
        tokens[person] = authority.first_refresh()
    adapter = build(by_person(house, authority, access="own", refresh_tokens=tokens))
    for person in people:
        assert look(adapter, person) > 2
    with pytest.raises(errors.ConfigError) as found, adapter.open(house.person()):
        pass
    assert found.value.field == "refresh_tokens"
    adapter.close()


def test_a_refused_renewal_says_what_to_do_and_is_not_repeated(
    house: House, authority: Authority
) -> None:
    adapter = build(by_person(house, authority, refresh_token="long gone"))
    for _ in range(3):
        with pytest.raises(errors.AuthFailed) as found:
            look(adapter, house.person())
        assert "accord init exchange --auth oauth2-user" in str(found.value)
        assert "MSIS9615" in str(found.value)
        assert "long gone" not in str(found.value)
    assert len(authority.asked) == 1
    findings = [one for one in adapter.check(house.person()) if not one.ok]
    assert any("sign in again" in one.detail for one in findings)
    adapter.close()


def test_an_authority_that_is_down_is_asked_again_later(house: House, authority: Authority) -> None:
    adapter = build(by_application(house, authority))
    authority.down = True
    with pytest.raises(errors.Retry):
        look(adapter, house.person())
    authority.down = False
    assert look(adapter, house.person()) > 2
    adapter.close()


def test_an_address_that_is_no_authority_is_a_matter_of_settings(
    house: House, authority: Authority
) -> None:
    wrong = authority.url.replace("/adfs", "/other")
    adapter = build(by_application(house, authority) | {"authority": wrong})
    with pytest.raises(errors.ConfigError) as found:
        look(adapter, house.person())
    assert found.value.field == "authority"
    assert "https://HOST/adfs" in found.value.hint
    adapter.close()


@pytest.mark.parametrize("lasts", ["3600", 3600.0, None, "soon", -5, True])
def test_how_long_a_token_lasts_may_be_told_in_any_way(
    house: House, authority: Authority, lasts: object
) -> None:
    authority.lasts = lasts
    adapter = build(by_application(house, authority))
    assert look(adapter, house.person()) > 2
    adapter.close()


def test_tokens_of_applications_that_exchange_refuses_are_explained() -> None:
    said = {"x-ms-diagnostics": "2000012;reason=\"This token profile 'V1S2SAppOnly' is not ...\""}
    error = status_error(401, httpx2.Headers(said), "GetFolder", "oauth2")
    assert isinstance(error, errors.AuthFailed)
    assert "oauth2-user" in str(error)
    other = {"x-ms-diagnostics": '2000003;reason="The audience claim value is invalid."'}
    assert "audience" in str(status_error(401, httpx2.Headers(other), "GetFolder", "oauth2-user"))
    assert "login name" in str(status_error(401, httpx2.Headers(said), "GetFolder", "ntlm"))


# the browser


def browse(url: str) -> str:
    """Sign in and return the address to which the browser is sent."""
    answer = httpx2.get(url, trust_env=False)
    assert answer.status_code == 302
    return answer.headers["location"]


def test_a_sign_in_in_a_browser_gives_a_token_that_lasts(
    house: House, authority: Authority
) -> None:
    given = by_person(house, authority)
    signing_in = Authorization(given, "http://localhost:8400", ROBOT)
    token = signing_in.finish(browse(signing_in.url))
    signing_in.close()
    (begun,) = authority.signed_in
    assert begun["code_challenge_method"] == "S256"
    assert begun["login_hint"] == ROBOT
    assert "offline_access" in begun["scope"]
    assert "client_secret" not in authority.asked[0]
    adapter = build({**given, "refresh_token": token})
    assert look(adapter, house.person()) > 2
    adapter.close()


def test_an_answer_to_another_sign_in_is_refused(house: House, authority: Authority) -> None:
    """Somebody else could make us keep their token otherwise (RFC 6749 10.12)."""
    given = by_person(house, authority)
    ours, theirs = (Authorization(given, "http://localhost:8400", "") for _ in range(2))
    back = browse(theirs.url)
    for wrong in (back, "http://localhost:8400/?code=x", "http://localhost:8400/?state=&code=x"):
        with pytest.raises(errors.AuthFailed, match="another sign-in"):
            ours.finish(wrong)
    state = parse_qs(urlsplit(ours.url).query)["state"][0]
    code = parse_qs(urlsplit(back).query)["code"][0]
    with pytest.raises(errors.AuthFailed):  # their code goes with their proof only (PKCE)
        ours.finish(f"http://localhost:8400/?state={state}&code={code}")


def test_what_goes_wrong_in_a_browser_has_its_reason(house: House, authority: Authority) -> None:
    given = by_person(house, authority)
    authority.says_no = "access_denied"
    signing_in = Authorization(given, "http://localhost:8400", "")
    with pytest.raises(errors.AuthFailed, match="pressed Cancel"):
        signing_in.finish(browse(signing_in.url))
    authority.says_no, authority.without_refresh = "", True
    signing_in = Authorization(given, "http://localhost:8400", "")
    with pytest.raises(errors.ConfigError, match="no refresh token"):
        signing_in.finish(browse(signing_in.url))


# the vault


@pytest.fixture
def state(databases: Databases, tmp_path: Path) -> Iterator[State]:
    made = State(databases.blank(), tmp_path / "keys")
    with made.begin() as tx:
        for name in ("one", "two"):
            tx.targets.put(Target(id=name, name=name, adapter="exchange", side=Side.GROUPWARE))
    yield made
    made.database.close()


def test_renewed_tokens_outlive_the_process_and_the_keys(
    house: House, authority: Authority, state: State
) -> None:
    first = authority.first_refresh()
    target = Target(
        id="one",
        name="one",
        adapter="exchange",
        side=Side.GROUPWARE,
        settings=by_person(house, authority),
        secrets={"refresh_token": first},
    )
    for _ in range(3):
        adapter = registry.build(target, StateVault(state, "one"))
        with adapter.open(house.person()) as session:
            assert session.folders()
        adapter.close()
        state.rotate_keys(retire=True)
    used = [one["refresh_token"] for one in authority.asked]
    assert used[0] == first
    assert len(set(used)) == 3
    with state.read() as tx:
        kept = tx.renewals.newest("one", "", first)
        rows = str(tx.db.execute(select(RENEWALS)).all())
    assert kept not in used
    assert kept not in rows
    with state.read() as tx:  # another first one is another sign-in
        assert tx.renewals.newest("one", "", "signed in anew") == "signed in anew"
        assert tx.renewals.newest("two", "", first) == first
    with state.begin() as tx:
        assert tx.targets.remove("one")
    with state.read() as tx:
        assert tx.renewals.newest("one", "", first) == first


def test_one_at_a_time_renews_a_token(state: State) -> None:
    """Strict authorities take each refresh token once, and call it theft the second time."""
    vaults = [StateVault(state, "one") for _ in range(4)]
    alone = threading.Lock()
    seen: list[str] = []

    def exchange(token: str) -> str:
        assert alone.acquire(blocking=False)
        seen.append(token)
        alone.release()
        return f"{token}+"

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda vault: vault.renew("robot", "a", exchange), vaults * 3))
    assert seen == ["a" + "+" * count for count in range(12)]


def test_a_renewal_that_fails_leaves_all_as_it_was(state: State) -> None:
    def fail(_: str) -> str:
        raise errors.Retry("down")

    vault = StateVault(state, "one")
    vault.renew("robot", "a", lambda _: "b")
    with pytest.raises(errors.Retry):
        vault.renew("robot", "a", fail)
    seen: list[str] = []

    def look(token: str) -> str:
        seen.append(token)
        return "c"

    vault.renew("robot", "a", look)
    assert seen == ["b"]
