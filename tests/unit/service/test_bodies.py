"""What people decide and take back about a text: the mailbox's own stays around it."""

from __future__ import annotations

from typing import Any

from accord.model.parts import Body, BodyType
from accord.model.sections import read, write
from accord.rules.rule import Clash, Deletion, Deletions
from accord.service.decisions import resolve
from accord.service.undo import select, undo
from accord.state.records import Cause
from tests.unit.service.kit import CRM, World, event

OWN = Body(text="<p>Agenda</p><table><tr><td>1</td></tr></table>", type=BodyType.HTML)


def text(text: str) -> Body:
    return Body(text=text)


def section(said: str) -> Body | None:
    return write(OWN, text(said), OWN)


class Told(World):
    """Have one entry that a person made, and its record."""

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.item = self.mailbox().add(event(body=OWN)).ref
        self.sync()
        self.record = self.records()[0].ref

    @property
    def bodies(self) -> tuple[Body | None, Body | None]:
        crm: Any = self.person().get(self.record).item
        mailbox: Any = self.mailbox().get(self.item).item
        return crm.body, mailbox.body

    def say(self, said: Body | None) -> None:
        self.person().edit(self.record, body=said)

    def undo_last(self) -> Any:
        entry = next(e for e in self.journal(step="update") if not e.error)
        (report,) = undo(self.accord, select(self.accord, str(entry.id)))
        assert self.sync().writes == 0
        return report


def test_a_decision_for_the_crm_leaves_what_stands_around_the_section() -> None:
    world = Told(rule={"clash": Clash.HOLD})
    more = Body(text=OWN.text + "<p>More</p>", type=BodyType.HTML)
    world.say(text("CRM"))
    world.mailbox().edit(world.item, body=more)
    world.sync()
    (conflict,) = world.pending(Cause.CONFLICT)
    assert world.bodies == (text("CRM"), more)
    assert not resolve(world.accord, conflict.id, CRM).error
    assert world.bodies == (text("CRM"), write(more, text("CRM"), None))
    assert world.sync().writes == 0 and not world.pending(Cause.CONFLICT)


def test_an_undo_takes_the_section_away_again() -> None:
    world = Told()
    world.say(text("one"))
    world.sync()
    assert world.bodies == (text("one"), section("one"))
    world.undo_last()
    assert world.bodies == (OWN, OWN)


def test_half_of_an_undo_is_no_edit_against_it() -> None:
    world = Told()
    world.say(text("one"))
    world.sync()
    world.say(text("two"))
    world.sync()
    world.say(text("one"))
    assert world.undo_last().held == 0
    assert world.bodies == (text("one"), section("one"))


def test_an_undo_of_what_came_from_the_mailbox_brings_back_all_of_it() -> None:
    world = Told()
    for other in (
        Body(text="<p>Other</p>", type=BodyType.HTML),
        Body(text='<a href="https://zoom.us/j/1">Join</a>', type=BodyType.HTML),
    ):
        world.mailbox().edit(world.item, body=other)
        world.sync()
        assert world.bodies == (other, other)
        world.undo_last()
        assert world.bodies == (OWN, OWN)


def test_an_undo_never_makes_plain_text_of_html() -> None:
    world = Told()
    world.say(text("one"))
    world.sync()
    world.mailbox().edit(world.item, body=OWN)
    world.sync()
    assert world.bodies == (OWN, OWN)
    world.undo_last()
    assert world.bodies == (text("one"), section("one"))


def test_a_text_comes_back_with_a_copy_that_was_deleted() -> None:
    world = Told()
    world.say(text("one"))
    world.sync()
    world.mailbox().delete(world.item)
    world.say(text("two"))
    world.sync()
    (item,) = world.items()
    assert item.item.body == section("two")  # type: ignore[union-attr]
    assert read(section("two")) == text("two")


def test_a_copy_that_an_undo_brings_back_has_the_mailboxs_own_text() -> None:
    world = Told(rule={"delete": Deletions(inbound=Deletion.KEEP)})
    world.say(text("one"))
    world.sync()
    world.mailbox().delete(world.item)
    world.sync()
    entry = next(e for e in world.journal(step="unpair") if not e.error)
    undo(world.accord, select(world.accord, str(entry.id)))
    (item,) = world.items()
    assert item.item.body == section("one")  # type: ignore[union-attr]
    assert world.sync().writes == 0
