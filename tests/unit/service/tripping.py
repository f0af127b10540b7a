"""Round trips to watch and to meddle with: run, killed in between, and what is left of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from accord.groupware.exchange import ExchangeAdapter
from accord.model.kinds import Side
from accord.model.replies import Audience, Replies
from accord.ports.errors import Rejected
from accord.ports.mailbox import Mailbox
from accord.ports.replies import Answering
from accord.service.accord import Accord
from accord.service.check import Checked
from accord.service.roundtrip.mailbox import choose_target, round_trip
from accord.state.records import Target
from tests.exchange import House

TEST = "test@x.test"
TARGET = Target(id="t", name="company", adapter="any", side=Side.GROUPWARE)


class Killed(BaseException):
    """The process is gone: nothing after this happens."""


class Between:
    """Be an adapter whose sessions are meddled with `before` and `after` each of their calls."""

    def __init__(
        self,
        inner: Any,
        before: Callable[[str], None] = lambda call: None,
        after: Callable[[str, Any], Any] = lambda call, answer: answer,
    ) -> None:
        self.inner = inner
        self.before = before
        self.after = after

    def open(self, principal: str) -> Any:
        return Between(self.inner.open(principal), self.before, self.after)

    def make_folder(self, *given: Any) -> Any:
        if not hasattr(self.inner, "make_folder"):
            raise Rejected("it can't make any")
        return self._call("make_folder", *given)

    def remove_folder(self, *given: Any) -> Any:
        return self._call("remove_folder", *given)

    def _call(self, name: str, *given: Any, **more: Any) -> Any:
        self.before(name)
        return self.after(name, getattr(self.inner, name)(*given, **more))

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.inner, name)
        if not callable(value):
            return value
        return lambda *given, **more: self._call(name, *given, **more)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.inner.close()


class Post(Between):
    """Be such an adapter that carries no kind, so that only e-mails and replies are tried."""

    @property
    def traits(self) -> Any:
        return msgspec.structs.replace(self.inner.traits, kinds={})


def trip(accord: Accord, adapter: Any, principal: str = TEST) -> list[Checked]:
    accord._build = lambda _target: adapter
    accord._adapters.clear()
    return list(round_trip(accord, choose_target(accord, "company"), principal))


def faults(found: list[Checked]) -> list[Checked]:
    return [one for one in found if not one.ok]


def left(adapter: Any, principal: str) -> list[str]:
    """Return what is there of a round trip: folders, items of the folders to use by default, mail.

    And automatic replies, where they are not `STOOD` any more.
    """
    with adapter.open(principal) as session:
        folders = session.folders()
        found = [each.name for each in folders if "Accord check" in each.name]
        if isinstance(session, Mailbox):
            mail = [each for each in session.mail_folders() if not each.trash]
            found += [each.path[-1] for each in mail if each.total or "Accord check" in each.path]
            found += [each.path[-1] for each in mail if "Accord check" in each.path[-1]]
        if isinstance(session, Answering) and (there := session.replies()) not in (
            STOOD,
            Replies(),
        ):
            found.append(str(there))
        for folder in folders:
            for kind in folder.kinds if folder.default else ():
                for page in session.changes(folder.id, kind, "", lambda _refs: {}):
                    found += [each.ref for each in page.observations]
    return found


STOOD = Replies(inside="<p>off, and <b>kept</b></p>", outside="none", audience=Audience.KNOWN)
"""Replies as somebody left them."""


def answering(adapter: Any, principal: str, wanted: Replies = STOOD) -> str:
    """Leave automatic replies in a mailbox, and return whose it is."""
    with adapter.open(principal) as session:
        session.set_replies(wanted)
    return principal


def answers(adapter: Any, principal: str) -> Replies:
    with adapter.open(principal) as session:
        return session.replies()


def remembered(accord: Accord) -> list[str]:
    with accord.state.read() as tx:
        return [key for key in tx.settings.all() if key.startswith("mailbox-check")]


def all_is_taken_away(
    accord: Accord, house: House, exchange: ExchangeAdapter, principal: str
) -> None:
    found = trip(accord, Post(exchange), principal)
    assert faults(found) == []
    assert [one for one in found if one.subject == "what was left"]
    assert left(exchange, principal) == []
    assert answers(exchange, principal) == STOOD
    assert remembered(accord) == []
    assert house.exchange.mails() == []
