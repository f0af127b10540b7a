"""The messages notice planted faults: without that, their silence would say nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accord.interface.server import closing, reply, session
from accord.interface.server.server import Server
from accord.interface.server.signin import Admitted, SignIn
from tests.fuzz.test_messages import play

ENOUGH = 60
"""Rounds until a fault must have been noticed."""

Patch = Callable[[pytest.MonkeyPatch], None]


def anybody_goes_on(patch: pytest.MonkeyPatch) -> None:
    """Let a conversation be gone on with by whoever knows its name."""
    patch.setattr(Server, "_goes_on", lambda self, talk, message, request: True)


def names_are_believed(patch: pytest.MonkeyPatch) -> None:
    """Let in whoever shows a token of whatever sort."""

    def check(self: SignIn, header: Any, *_: Any) -> Any:
        return old(self, header, *_) if header.cred is None else Admitted(header.source.name or "x")

    old = SignIn.check
    patch.setattr(SignIn, "check", check)


def replies_are_too_large(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reply.Reply, "measure", lambda self, command: 1)


def refusals_are_too_large(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reply, "OVERHEAD", -(10**9))


def a_map_of_nothing_fails(patch: pytest.MonkeyPatch) -> None:
    def fail(turn: Any, command: Any) -> None:
        old(turn, command)
        assert command.items

    old = closing.map_
    patch.setattr(closing, "map_", fail)


def numbers_repeat(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reply.Reply, "number", lambda self, command: command)


def sessions_are_over_after_a_stranger(patch: pytest.MonkeyPatch) -> None:
    """Let a message without credentials end the conversation of the device it names."""

    def refuse(self: Server, coding: Any, message: Any, *rest: Any) -> bytes:
        header = message.header
        self._house.state.run(
            lambda tx: tx.sync_sessions.put(header.source.uri, header.session_id, "", b"", "", b"")
        )
        return old(self, coding, message, *rest)

    old = Server._refuse
    patch.setattr(Server, "_refuse", refuse)


def a_broken_off_session_stays(patch: pytest.MonkeyPatch) -> None:
    def answer(turn: Any, *rest: Any) -> Any:
        turn.talk.stores = {name: one for name, one in turn.talk.stores.items() if one.heard}
        return old(turn, *rest)

    old = session.answer
    patch.setattr(session, "answer", answer)


FAULTS: list[Patch] = [
    anybody_goes_on,
    names_are_believed,
    replies_are_too_large,
    refusals_are_too_large,
    a_map_of_nothing_fails,
    numbers_repeat,
    sessions_are_over_after_a_stranger,
    a_broken_off_session_stays,
]


@pytest.mark.long
@pytest.mark.fuzz
@pytest.mark.usefixtures("faults")
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.__name__ for fault in FAULTS])
def test_the_messages_notice(fault: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    fault(monkeypatch)
    for seed in range(ENOUGH):
        try:
            play(seed)
        except Exception as error:  # noqa: BLE001 (whatever it is, it was noticed)
            print(f"{fault.__name__}: noticed in round {seed}: {error!r:.150}")
            return
    pytest.fail(f"{ENOUGH} rounds went well in spite of {fault.__name__}")
