"""Link templates, what they gave to which links, and what leavers' successors are offered.

`directory` decides with them, `service.initialize` acts; a link without a row here was made by
hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import Struct
from sqlalchemy import delete, select, update

from accord.model.kinds import Kind
from accord.model.learning import learnt
from accord.state.context import Repository
from accord.state.records import Mode
from accord.state.template_tables import HANDOVERS, TEMPLATE_LINKS, TEMPLATES


class Open(StrEnum):
    """Name what a template leaves to its people."""

    KINDS = "kinds"
    CONTACTS = "contacts"
    FOLDERS = "folders"


class Template(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Say which links every member of a CRM group gets; `target` is the target's id.

    `kinds` are given, `offers` may be chosen beside them where `open` names the kinds. `rules`
    and `folders` are by kind. The mailbox is what `aliases` say of the user, else what the
    expression `mailbox` returns, else the user's main address. `contacts` is the CRM's contact
    mode. With `hold` a first sync waits for approval, and `mode` holds from then on. Of two
    templates for one person and kind the one with the lower `order` holds, then by name.
    """

    name: str
    group: str
    target: str
    kinds: tuple[Kind, ...]
    offers: tuple[Kind, ...] = ()
    open: tuple[Open, ...] = ()
    rules: dict[str, str] = {}
    folders: dict[str, str] = {}
    mailbox: str = ""
    aliases: dict[str, str] = {}
    contacts: str = ""
    mode: Mode = Mode.ACTIVE
    hold: bool = True
    order: int = 100
    withdraw_after: int | None = 30
    successor: str = ""


class Given(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Be what a template last wrote into a link; a field that differs by now is a person's.

    `held` says why a plan waits for approval, and `rule_next` the rule that would then hold.
    `left` is since when the link's user is no member any more; `paused` says that the link was
    paused for that, and not by hand; `stuck` why it could not be withdrawn when its time had come.
    """

    link: str
    template: str
    target: str
    principal: str
    folder: str = ""
    rule: str = ""
    held: str = ""
    rule_next: str = ""
    left: datetime | None = None
    paused: bool = False
    stuck: str = ""


class Offered(Struct, frozen=True, kw_only=True):
    """Be one appointment that a successor would get."""

    ref: str
    version: str
    title: str = ""
    start: datetime


class Handover(Struct, frozen=True, kw_only=True):
    """Be the future appointments of somebody who left, offered to a successor.

    `decided` is empty while it waits, else `approved` or `rejected`.
    """

    user: str
    successor: str
    appointments: tuple[Offered, ...]
    at: datetime
    decided: str = ""


class Templates(Repository):
    """Keep link templates."""

    def put(self, template: Template) -> None:
        """Store a template in the place of one of its name."""
        body = msgspec.json.encode(template)
        row = {"name": template.name, "target": template.target, "body": body}
        self.db.upsert(TEMPLATES, [row])

    def all(self) -> list[Template]:
        """Return all templates, those first that hold before others."""
        rows = self.db.execute(select(TEMPLATES.c.body)).scalars()
        found = [msgspec.json.decode(body, type=learnt(Template)) for body in rows]
        return sorted(found, key=lambda one: (one.order, one.name))

    def remove(self, name: str) -> bool:
        """Forget a template; its links stay, from now on as if made by hand."""
        self.db.execute(delete(TEMPLATE_LINKS).where(TEMPLATE_LINKS.c.template == name))
        return self.db.execute(delete(TEMPLATES).where(TEMPLATES.c.name == name)).rowcount > 0


class GivenLinks(Repository):
    """Keep which links templates made."""

    def put(self, given: Given) -> None:
        """Note what a template wrote into a link; the plan that waits stays."""
        body = msgspec.json.encode(given)
        row = {"link": given.link, "template": given.template, "body": body}
        self.db.upsert(TEMPLATE_LINKS, [row])

    def get(self, link: str) -> Given | None:
        """Return what a template wrote into a link; None where it was made by hand."""
        query = select(TEMPLATE_LINKS.c.body).where(TEMPLATE_LINKS.c.link == link)
        body = self.db.execute(query).scalar()
        return None if body is None else msgspec.json.decode(body, type=learnt(Given))

    def all(self) -> list[Given]:
        """Return what all templates wrote, by link."""
        query = select(TEMPLATE_LINKS.c.body).order_by(TEMPLATE_LINKS.c.link)
        return [
            msgspec.json.decode(body, type=learnt(Given))
            for body in self.db.execute(query).scalars()
        ]

    def disown(self, links: Iterable[str]) -> None:
        """Let links be a person's own: no template touches them any more."""
        for link in links:
            self.db.execute(delete(TEMPLATE_LINKS).where(TEMPLATE_LINKS.c.link == link))

    def put_plan(self, link: str, fingerprints: Iterable[str] | None) -> None:
        """Keep which steps the plan shows that waits for approval; None forgets it."""
        plan = None if fingerprints is None else msgspec.json.encode(sorted(fingerprints))
        mine = TEMPLATE_LINKS.c.link == link
        self.db.execute(update(TEMPLATE_LINKS).where(mine).values(plan=plan))

    def plan(self, link: str) -> frozenset[str] | None:
        """Return the steps of the plan that waits; None where none was made yet."""
        query = select(TEMPLATE_LINKS.c.plan).where(TEMPLATE_LINKS.c.link == link)
        found = self.db.execute(query).scalar()
        return (
            None if found is None else frozenset(msgspec.json.decode(found, type=learnt(list[str])))
        )


class Handovers(Repository):
    """Keep what leavers' successors are offered, one offer per leaver."""

    def put(self, handover: Handover) -> None:
        """Store an offer in the place of an earlier one."""
        row = {
            "user": handover.user,
            "successor": handover.successor,
            "body": msgspec.json.encode(handover),
            "at": handover.at,
        }
        self.db.upsert(HANDOVERS, [row])

    def all(self) -> list[Handover]:
        """Return all offers by leaver."""
        rows = self.db.execute(select(HANDOVERS.c.body).order_by(HANDOVERS.c.user)).scalars()
        return [msgspec.json.decode(body, type=learnt(Handover)) for body in rows]

    def remove(self, user: str) -> None:
        """Forget what a leaver's successor was offered."""
        self.db.execute(delete(HANDOVERS).where(HANDOVERS.c.user == user))
