"""What the tests of state are made of: a week of meetings, and the rows around them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from accord.engine.plan import Pairing
from accord.model.item import Event
from accord.model.kinds import Kind, Side
from accord.model.observe import Snapshot
from accord.model.parts import Attendee, Body, Privacy
from accord.state import Entry, Link, State, Target

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved on."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def furnish(state: State, *names: str) -> None:
    """Store a target and links of these names."""
    with state.begin() as tx:
        tx.targets.put(Target(id="t1", name="mail", adapter="dav", side=Side.GROUPWARE))
        tx.links.put_many([link(name) for name in names])


def link(id_: str, **values: Any) -> Link:
    kept = {
        "name": f"link {id_}",
        "user": "anna",
        "kind": Kind.EVENT,
        "target": "t1",
        "principal": "anna@example.com",
    }
    return Link(id=id_, folder="/calendar/", rule="r", **{**kept, **values})


def snapshot(
    ref: str, version: str = "1", *, uid: str = "", title: str = "Meeting", private: bool = False
) -> Snapshot:
    item = Event(
        uid=uid or f"uid-{ref}",
        title=title,
        start=datetime(2026, 3, 2, 9),
        end=datetime(2026, 3, 2, 10),
        time_zone="Europe/Berlin",
        body=Body(text="Agenda: what we did, what we will do, and who brings the cake."),
        attendees=(Attendee(address="bob@example.com", name="Bob"),),
        privacy=Privacy.PRIVATE if private else Privacy.PUBLIC,
    )
    return Snapshot(ref=ref, version=version, item=item, marker=f"crm/event/{ref}")


def pairing(number: int | str, **values: Any) -> Pairing:
    number = str(number)
    return Pairing(
        id=f"p{number}",
        **{
            "crm": snapshot(f"c{number}", title=f"Meeting {number}"),
            "groupware": snapshot(f"g{number}", title=f"Meeting {number}"),
            "rule": "rule-1",
            **values,
        },
    )


def entry(ref: str = "c1", **values: Any) -> Entry:
    kept = {"at": NOW, "run": "run-1", "link": "a", "user": "anna", "step": "update"}
    return Entry(ref=ref, side=Side.CRM, kind=Kind.EVENT, **{**kept, **values})
