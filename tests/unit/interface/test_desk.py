"""Whom a token speaks for, on both databases: time, revocation, use once, rotation."""

from __future__ import annotations

import multiprocessing
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from accord.db import open_database
from accord.interface.tokens.desk import Desk
from accord.interface.tokens.hmac import HmacTokens
from accord.interface.tokens.settings import TokenSettings
from accord.ports.errors import AuthFailed, ConfigError
from accord.ports.token import Refusal, TokenRefused
from accord.state import State
from accord.state.schema import TOKEN_KEYS, TOKEN_REVOCATIONS, TOKEN_USES
from tests.unit.interface.conftest import HOUR, MakeDesk, enter
from tests.unit.interface.kit import LONG, another, forged, refused, rows
from tests.unit.state.build import NOW, Clock

SKEW = timedelta(seconds=60)
TICK = timedelta(milliseconds=1)


# issue and check


@pytest.mark.parametrize("user", ["anna", "Łukasz O'Brien"])
def test_a_token_speaks_for_its_user(desk: Desk, user: str) -> None:
    token = desk.issue(user, HOUR)
    for named in ("", user):
        claims = desk.check(token.text, user=named, peer="192.0.2.1")
        assert claims == token.claims
        assert (claims.user, claims.once, claims.expires - claims.issued) == (user, False, HOUR)


def test_only_for_users_whom_the_crm_lets_in(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AuthFailed, match="carl"):
        desk.issue("carl", HOUR)
    token = desk.issue("anna", HOUR)
    monkeypatch.setattr("tests.unit.interface.conftest.USERS", {"bob"})
    with refused(Refusal.NO_USER):
        desk.check(token.text)


def test_one_user_can_not_use_the_token_of_another(desk: Desk) -> None:
    token = desk.issue("anna", HOUR)
    for name in ("bob", "Anna", "anna ", "carl"):
        with refused(Refusal.OTHER_USER):
            desk.check(token.text, user=name)


@pytest.mark.parametrize(
    ("lifetime", "fits"),
    [
        (timedelta(0), False),
        (-HOUR, False),
        (timedelta(seconds=1), True),
        (timedelta(days=366), True),
        (timedelta(days=366, seconds=1), False),
    ],
)
def test_how_long_a_token_may_hold(desk: Desk, lifetime: timedelta, fits: bool) -> None:
    if fits:
        desk.check(desk.issue("anna", lifetime).text)
        return
    with pytest.raises(ConfigError, match="366 days"):
        desk.issue("anna", lifetime)


@pytest.mark.parametrize("what", ["", "x", "a1.", "a2.x", "\0", "é", "a" * 100_000])
def test_what_is_no_token(desk: Desk, what: str) -> None:
    with refused(Refusal.MALFORMED):
        desk.check(what)


# clocks


@given(
    skew=st.integers(0, 3600),
    lifetime=st.integers(1, 10**7),
    late=st.integers(-5000, 5000) | st.integers(-(10**10), 10**10),
)
def test_a_token_holds_from_issue_to_expiry_give_or_take_the_skew(
    skew: int, lifetime: int, late: int
) -> None:
    """`late` is when it is checked, in ms after its expiry with the skew."""
    with another() as (state, clock):
        desk = Desk(state, HmacTokens(state), enter, TokenSettings(skew=skew))
        token = desk.issue("anna", timedelta(seconds=lifetime))
        clock.now = token.claims.expires + timedelta(seconds=skew) + late * TICK
        if late >= 0:
            with refused(Refusal.EXPIRED):
                desk.check(token.text)
        elif clock.now < token.claims.issued - timedelta(seconds=skew):
            with refused(Refusal.SKEWED):
                desk.check(token.text)
        else:
            assert desk.check(token.text) == token.claims


def test_the_edges(desk: Desk, clock: Clock) -> None:
    token = desk.issue("anna", HOUR)
    for moment, refusal in (
        (NOW - SKEW, None),
        (NOW - SKEW - TICK, Refusal.SKEWED),
        (NOW + HOUR + SKEW - TICK, None),
        (NOW + HOUR + SKEW, Refusal.EXPIRED),
    ):
        clock.now = moment
        if refusal is None:
            desk.check(token.text)
        else:
            with refused(refusal):
                desk.check(token.text)


def test_a_token_signed_elsewhere_for_longer_than_allowed_ends_in_time(
    make_desk: MakeDesk, clock: Clock
) -> None:
    generous, strict = make_desk(longest_days=366), make_desk(longest_days=1)
    token = generous.issue("anna", timedelta(days=30))
    strict.check(token.text)
    clock.wait(86_400 + 60)
    generous.check(token.text)
    with refused(Refusal.EXPIRED):
        strict.check(token.text)


# keys


def test_after_a_rotation_the_newest_signs_and_the_older_verify_for_a_while(
    desk: Desk, state: State, clock: Clock
) -> None:
    before = desk.issue("anna", HOUR)
    key, retired = desk.rotate(timedelta(minutes=30))
    assert retired == 1
    after = desk.issue("anna", HOUR)
    assert before.text.split(".")[1] != key.id
    assert after.text.split(".")[1] == key.id
    clock.wait(1799)
    desk.check(before.text)
    clock.wait(1)
    with refused(Refusal.UNKNOWN):
        desk.check(before.text)
    desk.check(after.text)
    desk.rotate(timedelta(0))
    with refused(Refusal.UNKNOWN):
        desk.check(after.text)
    clock.wait(1)
    desk.rotate()
    assert rows(state, TOKEN_KEYS) == 2, "keys whose time has come are removed"


def test_without_a_word_a_rotation_refuses_nothing(desk: Desk, clock: Clock) -> None:
    token = desk.issue("anna", timedelta(days=366))
    desk.rotate()
    desk.rotate(timedelta(days=9999))
    clock.now = token.claims.expires
    desk.check(token.text)


def test_a_rotation_never_lets_an_older_key_live_longer(desk: Desk, clock: Clock) -> None:
    token = desk.issue("anna", timedelta(days=30))
    desk.rotate(HOUR)
    desk.rotate(timedelta(days=30))
    clock.wait(3600)
    with refused(Refusal.UNKNOWN):
        desk.check(token.text)


def test_keys_are_encrypted_and_follow_the_key_file(desk: Desk, state: State) -> None:
    token = desk.issue("anna", HOUR)
    with state.read() as tx:
        key = tx.token_keys.newest()
        (stored,) = tx.db.execute(select(TOKEN_KEYS.c.secret)).scalars()
    assert key is not None
    assert key.secret not in stored
    assert key.secret.hex() not in f"{key} {key!r}"
    assert state.rotate_keys(retire=True) == 1
    with state.read() as tx:
        assert stored not in tx.db.execute(select(TOKEN_KEYS.c.secret)).scalars()
    desk.check(token.text)


def test_a_key_of_another_installation_is_unknown(desk: Desk) -> None:
    with another() as (other, _):
        stranger = Desk(other, HmacTokens(other), enter, TokenSettings())
        token = stranger.issue("anna", HOUR)
    with refused(Refusal.UNKNOWN):
        desk.check(token.text)


def test_a_key_id_does_not_make_a_signature(desk: Desk) -> None:
    """A token signed by another key under our key's id."""
    ours = desk.issue("anna", HOUR)
    with refused(Refusal.FORGED):
        desk.check(forged(ours))


# once


def test_a_token_for_one_session_opens_one(desk: Desk) -> None:
    token = desk.issue("anna", HOUR, once=True)
    with refused(Refusal.OTHER_USER):
        desk.check(token.text, user="bob")
    assert desk.check(token.text).once, "a refusal doesn't use it up"
    for _ in range(2):
        with refused(Refusal.REPLAYED):
            desk.check(token.text)


def test_a_use_is_remembered_until_the_token_has_expired_and_no_longer(
    desk: Desk, state: State, clock: Clock
) -> None:
    token = desk.issue("anna", HOUR, once=True)
    desk.check(token.text)
    clock.now = token.claims.expires + SKEW - TICK
    with refused(Refusal.REPLAYED):
        desk.check(token.text)
    clock.wait(1)
    with refused(Refusal.EXPIRED):
        desk.check(token.text)
    desk.check(desk.issue("anna", HOUR, once=True).text)
    assert rows(state, TOKEN_USES) == 1


WORKERS = 4
TOKENS = 10


def test_several_processes_agree_who_was_first(
    state_url: str, key_file: Path, state: State
) -> None:
    """Each token is shown by every process at the same moment: exactly one gets in."""
    issuer = Desk(State(state.database, key_file), HmacTokens(state), enter, TokenSettings())
    state.clock = issuer._state.clock
    tokens = [issuer.issue("anna", HOUR, once=True).text for _ in range(TOKENS)]
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(WORKERS), context.SimpleQueue()
    processes = [
        context.Process(target=_show_all, args=(state_url, key_file, tokens, start, answers))
        for _ in range(WORKERS)
    ]
    for process in processes:
        process.start()
    found = [answers.get() for _ in processes]
    for process in processes:
        process.join()
    assert [sorted(each) for each in zip(*found, strict=True)] == [
        ["admitted", *["replayed"] * (WORKERS - 1)]
    ] * TOKENS


def _show_all(url: str, key_file: Path, tokens: list[str], start: Any, answers: Any) -> None:
    said: list[str] = []
    try:
        with closing(open_database(url)) as database:
            state = State(database, key_file)
            settings = TokenSettings(user_failures=1000)
            desk = Desk(state, HmacTokens(state), enter, settings)
            for token in tokens:
                start.wait(60)
                try:
                    desk.check(token)
                    said.append("admitted")
                except TokenRefused as refusal:
                    said.append(refusal.refusal.value)
    finally:
        answers.put(said)


# revocation


def test_a_revoked_token_never_holds_again(desk: Desk, clock: Clock) -> None:
    one, two = desk.issue("anna", HOUR), desk.issue("anna", HOUR)
    desk.revoke(one.claims.id)
    desk.revoke(one.claims.id)
    with refused(Refusal.REVOKED):
        desk.check(one.text)
    desk.check(two.text)


def test_all_of_a_user_up_to_a_moment(desk: Desk, clock: Clock) -> None:
    early, other = desk.issue("anna", HOUR), desk.issue("bob", HOUR)
    clock.wait(10)
    middle = desk.issue("anna", HOUR)
    clock.wait(10)
    desk.revoke_user("anna", NOW + timedelta(seconds=9))
    with refused(Refusal.REVOKED):
        desk.check(early.text)
    desk.check(middle.text)
    late = desk.issue("anna", HOUR)
    clock.wait(0.001)
    desk.revoke_user("anna")
    desk.revoke_user("anna", NOW)  # an earlier moment gives nothing back
    for token in (early, middle, late):
        with refused(Refusal.REVOKED):
            desk.check(token.text)
    clock.wait(0.001)
    desk.check(desk.issue("anna", HOUR).text)
    desk.check(other.text)


def test_revocations_are_kept_as_long_as_a_token_may_hold(
    desk: Desk, state: State, clock: Clock
) -> None:
    token = desk.issue("anna", timedelta(days=366))
    desk.revoke(token.claims.id)
    desk.revoke_user("bob")
    clock.now = token.claims.expires + SKEW - TICK
    desk.revoke("another")
    with refused(Refusal.REVOKED):
        desk.check(token.text)
    clock.wait(LONG)
    desk.revoke("another")
    assert rows(state, TOKEN_REVOCATIONS) == 1
