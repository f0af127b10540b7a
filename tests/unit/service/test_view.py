"""What plans show of an item, and what they keep to themselves."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest

from accord.engine.plan import Conflict, Create, Delete, Hold, Plan, Skip, Step, Update
from accord.model.diff import FieldChange
from accord.model.item import Event
from accord.model.kinds import Side
from accord.model.observe import Snapshot
from accord.model.parts import Privacy
from accord.service.view import plan_view, step_view


@pytest.fixture
def on_both() -> None:
    """Nothing here opens a database."""


def snapshot(title: str, privacy: Privacy = Privacy.PUBLIC) -> Snapshot:
    start = datetime(2027, 3, 1, 10)
    item = Event(title=title, location="Here", start=start, end=start, privacy=privacy)
    return Snapshot(ref=f"ref-{title}", version="1", item=item)


def update(before: Snapshot, after: Snapshot) -> Update:
    change = FieldChange(field="title", before="old", after="new")
    return Update(
        side=Side.GROUPWARE,
        pairing="p",
        before=before,
        after=after.item,
        base=after,
        changes=(change,),
        mails=("bob@x.test",),
        why="changed in the CRM",
    )


def test_an_update_names_item_fields_and_mail() -> None:
    view = step_view(update(snapshot("old"), snapshot("new")))
    assert (view["step"], view["side"], view["label"]) == ("update", "groupware", "old")
    assert view["fields"] == [{"field": "title", "label": "Title", "before": "old", "after": "new"}]
    assert view["mails"] == ["bob@x.test"]


def test_a_held_step_shows_what_it_would_do() -> None:
    held = Hold(held=update(snapshot("old"), snapshot("new")), cause="mass change", why="w")
    view = step_view(held)
    assert (view["cause"], view["held"]["step"], view["label"]) == ("mass change", "update", "old")
    assert plan_view(Plan(link="l", steps=(held,)))["mails"] == ["bob@x.test"]


@pytest.mark.parametrize("winner", [None, Side.CRM])
def test_a_conflict_shows_each_side_its_own_value(winner: Side | None) -> None:
    """Whatever the order in which the engine noted the two values."""
    clash = Conflict(
        pairing="p",
        field="title",
        crm=snapshot("of the CRM"),
        groupware=snapshot("of the mailbox"),
        fields=(FieldChange(field="title", before="x", after="y"),),
        winner=winner,
        why="both changed",
    )
    (field,) = step_view(clash)["fields"]
    assert (field["crm"], field["groupware"]) == ("of the CRM", "of the mailbox")


@pytest.mark.parametrize("privacy", [Privacy.PRIVATE, Privacy.SECRET])
def test_private_content_is_in_no_view(privacy: Privacy) -> None:
    secret, before = snapshot("Surgery", privacy), snapshot("Doctor", privacy)
    fields = (FieldChange(field="title", before="Doctor", after="Surgery"),)
    steps: tuple[Step, ...] = (
        Create(side=Side.GROUPWARE, source=secret, item=secret.item, why="new"),
        update(before, secret),
        msgspec.structs.replace(update(snapshot("public"), secret), changes=fields),
        msgspec.structs.replace(update(before, secret), changes=fields),
        Delete(side=Side.CRM, pairing="p", before=secret, why="gone"),
        Conflict(
            pairing="p", field="title", crm=secret, groupware=before, fields=fields, why="both"
        ),
    )
    for step in steps:
        view = step_view(step)
        view = {name: value for name, value in view.items() if "ref" not in str(value)}
        text = msgspec.json.encode(view).decode()
        for word in ("Surgery", "Doctor", "Here"):
            assert word not in text, view


def test_a_skip_says_what_it_waits_for() -> None:
    view = step_view(Skip(side=Side.CRM, ref="r", why="not readable", parked="retry"))
    assert (view["ref"], view["waits"], view["why"]) == ("r", "retry", "not readable")
