"""Whoever fails is limited, whatever they do costs bounded rows, and the log tells all of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from accord.interface.tokens.desk import Desk
from accord.ports.errors import ConfigError
from accord.ports.token import Claims, Refusal, Token, TokenRefused, TooManyRefusals
from accord.state import State, token_log
from accord.state.schema import TOKEN_FAILURES, TOKEN_LOG, TOKEN_REVOCATIONS, TOKEN_USES
from tests.unit.interface.conftest import HOUR, MakeDesk
from tests.unit.interface.kit import LONG, forged, refused, rows
from tests.unit.state.build import NOW, Clock


def fail(desk: Desk, times: int, *, user: str = "", peer: str = "") -> list[str]:
    """Show something that is no token, and return what was said each time."""
    said = []
    for _ in range(times):
        try:
            desk.check("x", user=user, peer=peer)
        except TokenRefused as refusal:
            said.append(refusal.refusal.value)
        except TooManyRefusals as limited:
            said.append("limited" if 0 < limited.after <= 300 else f"wait {limited.after}")
    return said


@pytest.mark.parametrize("who", [{"user": "anna"}, {"peer": "192.0.2.1"}])
def test_failures_are_limited_per_user_and_per_address(
    make_desk: MakeDesk, clock: Clock, who: dict[str, str]
) -> None:
    limits = {"user_failures": 3, "peer_failures": 3}
    one, two = make_desk(**limits), make_desk(**limits)
    assert fail(one, 2, **who) == ["malformed"] * 2
    assert fail(two, 2, **who) == ["malformed", "limited"]
    clock.wait(299)
    assert fail(one, 1, **who) == ["limited"]
    assert fail(one, 1, user="bob", peer="192.0.2.2") == ["malformed"]
    clock.wait(1)
    assert fail(two, 4, **who) == ["malformed"] * 3 + ["limited"]


def test_nobody_is_locked_out_by_failures_in_their_name(make_desk: MakeDesk) -> None:
    desk = make_desk(user_failures=2, peer_failures=2)
    token = desk.issue("anna", HOUR)
    assert fail(desk, 9, user="anna", peer="192.0.2.1")[-1] == "limited"
    desk.check(token.text, user="anna", peer="192.0.2.1")
    with pytest.raises(TooManyRefusals):
        desk.check(forged(token), peer="192.0.2.2")


def test_the_name_in_a_token_counts_too(make_desk: MakeDesk) -> None:
    desk = make_desk(user_failures=2)
    token = desk.issue("anna", HOUR)
    for _ in range(2):
        with refused(Refusal.FORGED):
            desk.check(forged(token))
    assert fail(desk, 1, user="anna") == ["limited"]


def test_whoever_holds_a_network_is_one_address(make_desk: MakeDesk) -> None:
    desk = make_desk(peer_failures=3)
    peers = ["2001:db8::1", "2001:db8::2:1", "2001:db8:0:0:ffff::", "2001:db8::9"]
    assert [fail(desk, 1, peer=peer)[0] for peer in peers] == ["malformed"] * 3 + ["limited"]
    assert fail(desk, 1, peer="2001:db8:0:1::1") == ["malformed"]
    mapped = ["198.51.100.7", "::ffff:198.51.100.7", "::ffff:198.51.100.7", "198.51.100.7"]
    assert [fail(desk, 1, peer=peer)[0] for peer in mapped] == ["malformed"] * 3 + ["limited"]


class Guessable:
    """A provider that must not be asked too often."""

    guessable = True

    def __init__(self) -> None:
        self.asked = 0

    def issue(self, user: str, lifetime: timedelta, *, once: bool = False) -> Token:
        return Token(text="good", claims=self.claims(user))

    def check(self, text: str, *, user: str = "", peer: str = "") -> Claims:
        self.asked += 1
        if text != "good":
            raise TokenRefused(Refusal.UNKNOWN)
        return self.claims("anna")

    @staticmethod
    def claims(user: str) -> Claims:
        return Claims(user=user, issued=NOW, expires=NOW + HOUR, id="g1")


def test_what_may_be_guessed_is_not_asked_beyond_the_limit(
    make_desk: MakeDesk, clock: Clock
) -> None:
    provider = Guessable()
    desk = make_desk(provider, user_failures=3)
    fail(desk, 10, user="anna")
    assert provider.asked == 3
    with pytest.raises(TooManyRefusals):
        desk.check("good", user="anna")
    clock.wait(300)
    assert desk.check("good", user="anna").user == "anna"


def test_a_provider_that_issues_for_somebody_else_is_not_believed(make_desk: MakeDesk) -> None:
    provider = Guessable()
    provider.claims = lambda user: Claims(  # type: ignore[method-assign]
        user="bob", issued=NOW, expires=NOW + HOUR, id="g1"
    )
    with pytest.raises(ConfigError, match="bob"):
        make_desk(provider).issue("anna", HOUR)


def test_counters_are_bounded_whatever_strangers_do(
    make_desk: MakeDesk, state: State, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(token_log, "MOST_COUNTED", 20)
    desk = make_desk(peer_failures=50)
    for number in range(60):
        fail(desk, 1, peer=f"198.51.100.{number}")
    assert rows(state, TOKEN_FAILURES) == 21
    assert fail(desk, 11, peer="203.0.113.9")[-2:] == ["malformed", "limited"], "they share one"
    assert fail(desk, 1, peer="198.51.100.3") == ["malformed"], "known ones keep their own"
    clock.wait(300)
    assert fail(desk, 1, peer="203.0.113.9") == ["malformed"]
    assert rows(state, TOKEN_FAILURES) == 1


# the log


def test_every_refusal_is_in_the_log_with_its_reason_and_no_token_is(
    desk: Desk, state: State, clock: Clock
) -> None:
    token, once = desk.issue("anna", HOUR, by="root"), desk.issue("anna", HOUR, once=True)
    shown = [forged(token), "nonsense-of-a-stranger", token.text, once.text, once.text]
    desk.revoke(token.claims.id, by="root")
    for text_ in shown:
        try:
            desk.check(text_, peer="192.0.2.1")
        except TokenRefused:
            pass
    with state.read() as tx:
        lines = tx.token_log.query()
        events = {(line.event, line.user, line.peer, line.token) for line in lines}
        assert len(tx.token_log.query(event="refused")) == 4
        assert [each.event for each in tx.token_log.query(event="revoked")] == ["revoked"]
    assert events == {
        ("issued", "anna", "", token.claims.id),
        ("issued", "anna", "", once.claims.id),
        ("revoked", "", "", token.claims.id),
        ("refused:forged", "anna", "192.0.2.1", token.claims.id),
        ("refused:malformed", "", "192.0.2.1", ""),
        ("refused:revoked", "anna", "192.0.2.1", token.claims.id),
        ("refused:replayed", "anna", "192.0.2.1", once.claims.id),
    }
    kept = everything(state)
    for part in {piece for text_ in shown for piece in text_.split(".") if len(piece) > 40}:
        assert part not in kept, "a MAC"
    assert "nonsense-of-a-stranger" not in kept


def everything(state: State) -> str:
    """Return all that the tables of tokens hold."""
    with state.read() as tx:
        return "\n".join(
            repr(tuple(row))
            for table in (TOKEN_LOG, TOKEN_FAILURES, TOKEN_USES, TOKEN_REVOCATIONS)
            for row in tx.db.execute(text(f"SELECT * FROM {table.name}"))
        )


def test_equal_refusals_of_an_hour_are_one_line(
    make_desk: MakeDesk, state: State, clock: Clock
) -> None:
    desk = make_desk(user_failures=3)
    fail(desk, 10, user="anna", peer="192.0.2.1")
    clock.wait(3600)
    fail(desk, 1, user="anna", peer="192.0.2.1")
    with state.read() as tx:
        lines = tx.token_log.query(event="refused")
    assert [(line.event, line.times) for line in lines] == [
        ("refused:malformed", 1),
        ("refused:limited", 7),
        ("refused:malformed", 3),
    ]


def test_the_log_is_bounded_whatever_strangers_do(
    desk: Desk, state: State, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr(token_log, "HOURLY", 10)
    for number in range(30):
        fail(desk, 1, user=f"guess-{number}")
    assert rows(state, TOKEN_LOG) == 11
    with state.read() as tx:
        (rest,) = tx.token_log.query(event=token_log.REST)
        assert rest.times == 20
        assert tx.token_log.query(user="guess-3"), "what was there first stays"
    clock.wait(LONG)
    fail(desk, 1)
    assert rows(state, TOKEN_LOG) == 1


@pytest.mark.parametrize("user", ["\x1b[2Jevil", "a\0b", "x" * 5000, "\ud800", "日本語"])
def test_any_name_can_be_refused(desk: Desk, state: State, user: str) -> None:
    assert fail(desk, 1, user=user, peer=user) == ["malformed"]
    with state.read() as tx:
        (line,) = tx.token_log.query()
    assert line.user.isprintable()
    assert line.peer.isprintable()
