"""A link is bound to a mailbox, not to an address: a reused address is held, not followed."""

from __future__ import annotations

from typing import Any

import pytest

from accord.ports.errors import ConfigError
from accord.service.bindings import binding_key, is_strange
from accord.service.check import check
from accord.service.rebinding import rebind
from accord.service.removal import remove_link, withdraw
from accord.service.standing import set_mode
from accord.service.sync import preview, sync
from accord.state.records import Mode
from tests.unit.service.kit import World, event
from tests.unit.service.test_initialize import Firm


def paired() -> World:
    """Return a world with an entry from each side on both."""
    world = World()
    world.person().add(event("Review"))
    world.mailbox().add(event("Theirs"))
    world.sync()
    assert world.titles() == (["Review", "Theirs"],) * 2
    return world


def reassigned() -> World:
    """Return such a world whose address somebody else has now, with an entry of their own."""
    world = paired()
    world.groupware.reassign("alice@x.test").add(event("Interview with a lawyer"))
    return world


def _bound(world: World) -> dict[str, str] | None:
    key = binding_key(world.link())
    with world.state.read() as tx:
        found: dict[str, str] | None = tx.settings.get(key)
    return found


def test_the_mailbox_is_noted_at_first_contact_and_recognized() -> None:
    world = paired()
    bound = _bound(world)
    assert bound is not None and list(bound) == ["mailbox"]
    assert not world.sync().error


def test_a_plan_notes_nothing() -> None:
    world = World()
    preview(world.accord, [world.link()])
    assert _bound(world) is None


@pytest.mark.parametrize("dry", [False, True], ids=["sync", "plan"])
def test_a_reused_address_is_held_and_nothing_of_it_is_read(dry: bool) -> None:
    world = reassigned()
    world.person().add(event("New in the CRM"))
    report = world.sync(dry=dry)
    assert report.error == "held: alice@x.test is another mailbox than before"
    assert (
        "accord check --accept-mailbox alice events" in report.hint and report.action == "configure"
    )
    assert not report.plan
    assert world.titles() == (
        ["New in the CRM", "Review", "Theirs"],
        ["Interview with a lawyer"],
    )


def test_no_withdrawal_reaches_into_it() -> None:
    world = reassigned()
    report = withdraw(world.accord, world.link())
    assert report.error.startswith("held: alice@x.test")
    assert remove_link(world.accord, world.link()).unpaired == 2
    assert world.titles()[1] == ["Interview with a lawyer"]
    with world.state.read() as tx:
        assert not [key for key in tx.settings.all() if key.startswith("mailbox-id/")]


def test_check_says_so() -> None:
    world = reassigned()
    said = [one for one in check(world.accord) if "another mailbox" in one.detail]
    assert [one.ok for one in said] == [False]
    assert "accord check --accept-mailbox" in said[0].hint


def test_an_accepted_one_begins_anew_and_nothing_is_deleted() -> None:
    world = reassigned()
    world.person().add(event("New in the CRM"))
    (moved,) = rebind(world.accord, [world.link()], by="root")
    assert moved == world.link() and moved.mode is Mode.OBSERVE
    (entry,) = world.journal(step="remove")
    assert entry.why.endswith("left its former mailbox for another one with 2 pairs")
    assert entry.actor == "root"
    assert list(rebind(world.accord, [world.link()])) == []
    assert not world.sync().error
    assert world.titles()[1] == ["Interview with a lawyer"], "before somebody looked at its plan"
    set_mode(world.accord, ["alice"], Mode.ACTIVE)
    assert not world.sync().error
    everything = ["Interview with a lawyer", "New in the CRM", "Review", "Theirs"]
    assert world.titles() == (everything,) * 2
    assert not world.journal(step="delete")


def test_only_the_links_that_are_named_move() -> None:
    world = World("alice", "bob")
    world.sync("alice", "bob")
    for user in ("alice", "bob"):
        world.groupware.reassign(f"{user}@x.test")
    assert [one.user for one in rebind(world.accord, [world.link("bob")])] == ["bob"]
    assert world.sync("alice").error.startswith("held:")
    assert world.link("alice").mode is Mode.ACTIVE


def test_a_link_of_a_template_stays_one() -> None:
    firm = Firm("alice")
    firm.template(hold=False)
    firm.begin()
    link = firm.link("alice-event")
    sync(firm.accord, [link])
    with firm.state.read() as tx:
        before = tx.given_links.all()
    firm.groupware.reassign("alice@x.test")
    (moved,) = rebind(firm.accord, [link])
    with firm.state.read() as tx:
        assert tx.given_links.all() == before != []
    firm.crm.put_group("sales")
    assert firm.did(leavers=True) == [("pause", moved.name)]


def test_what_was_said_of_a_link_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    world = reassigned()
    stale = world.link()
    world.change_link(paused=True)
    list(rebind(world.accord, [stale]))
    assert world.link().paused
    world.groupware.reassign("alice@x.test")
    before = world.link()
    world.change_link(principal="bob@x.test")
    monkeypatch.setattr("accord.service.rebinding.is_strange", lambda *_: True)
    with pytest.raises(ConfigError, match="changed meanwhile"):
        list(rebind(world.accord, [before]))


def test_a_mailbox_that_can_not_be_asked_is_left_as_it_was() -> None:
    world = reassigned()

    def closed(_: str) -> Any:
        raise ConfigError("no password", field="password", hint="import one")

    adapter: Any = world.accord.adapter("t")
    adapter.open = closed
    assert list(rebind(world.accord, [world.link()])) == []
    del adapter.open
    assert world.sync().error.startswith("held:")


@pytest.mark.parametrize(
    ("known", "now", "strange"),
    [
        ({"a": "1", "b": "2"}, {"a": "1", "b": "3"}, False),
        ({"a": "1", "b": "2"}, {"a": "0", "b": "2"}, True),
        ({"a": "1"}, {"b": "2"}, False),
        ({"b": "2"}, {"a": "1", "b": "3"}, True),
        ({}, {"a": "1"}, False),
        ({"a": "1"}, {}, False),
    ],
)
def test_the_surest_id_that_both_have_decides(
    known: dict[str, str], now: dict[str, str], strange: bool
) -> None:
    assert is_strange(known, now) is strange


def test_another_address_in_the_link_is_another_contact() -> None:
    world = World("alice", "bob")
    world.sync()
    world.change_link(principal="bob@x.test")
    assert not world.sync().error
