"""What is to be done so that links are as templates want them: acts as data, each with a why.

Pure. A template changes only what it wrote itself and nobody changed since; a link without a
`Given` was made by hand and is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from accord.directory.wishes import Trouble, Wish, Wishes
from accord.model.kinds import Kind
from accord.state.records import Link, Mode
from accord.state.templates import Given, Template

FIRST = "its first synchronization waits for approval"
OTHER_RULE = "another rule waits for approval"
LASTING = ("principal", "folder")
"""What can't change in a link that has pairs."""


class What(StrEnum):
    """Name an act.

    add: make a link · change: bring a link to what the template says · hold: keep a change until
    its plan is approved · pause: its user left · resume: its user is back · withdraw: its user
    left long ago.
    """

    ADD = "add"
    CHANGE = "change"
    HOLD = "hold"
    PAUSE = "pause"
    RESUME = "resume"
    WITHDRAW = "withdraw"


class Act(Struct, frozen=True, kw_only=True):
    """Be one act: the link and what is noted of it as they will be."""

    what: What
    link: Link
    given: Given
    why: str
    before: Link | None = None


class Standing(Struct, frozen=True, kw_only=True):
    """Be what is there: all links, which templates made some of them, and which have pairs."""

    links: tuple[Link, ...]
    given: tuple[Given, ...]
    paired: frozenset[str]
    now: datetime


def decide(
    templates: Sequence[Template], wishes: Wishes, standing: Standing
) -> tuple[tuple[Act, ...], tuple[Trouble, ...]]:
    """Return what is to be done, and what isn't done and why."""
    deciding = _Deciding(templates, wishes, standing)
    acts = tuple(deciding.acts())
    return acts, tuple(deciding.troubles)


class _Deciding:
    def __init__(self, templates: Sequence[Template], wishes: Wishes, standing: Standing) -> None:
        self.templates = {one.name: one for one in templates}
        self.wishes = wishes
        self.standing = standing
        self.troubles: list[Trouble] = []
        self.links = {link.id: link for link in standing.links}
        self.given = {one.link: one for one in standing.given}
        own = [self.links[link] for link in self.given]
        self.own = {(link.user, link.kind, link.target): link for link in own}
        hand = [link for link in standing.links if link.id not in self.given]
        self.by_hand: Mapping[tuple[str, Kind], str] = {(x.user, x.kind): x.name for x in hand}
        self.names = {link.name for link in standing.links} | set(self.links)
        self.mailboxes = {
            (link.target, link.principal.casefold(), link.kind): link.user
            for link in standing.links
        }

    def acts(self) -> Iterator[Act]:
        wanted = set()
        settled = {(wish.user, wish.kind) for wish in self.wishes.links}
        unsure = self.wishes.unsure - settled
        for wish in self.wishes.links:
            link = self.own.get((wish.user, wish.kind, wish.target))
            if link is not None:
                wanted.add(link.id)
                yield from self._kept(wish, link, self.given[link.id])
            else:
                yield from self._added(wish)
        for given in self.given.values():
            if given.link in wanted or given.template in self.wishes.unknown:
                continue
            link = self.links[given.link]
            if (link.user, link.kind) not in unsure:
                yield from self._left(link, given)

    def _added(self, wish: Wish) -> Iterator[Act]:
        hand = self.by_hand.get((wish.user, wish.kind))
        whose = self._whose(wish)
        if hand is not None:
            self._trouble(wish, f"the link {hand} was made by hand")
            return
        if whose:
            self._trouble(wish, f"{whose} has a link to the mailbox {wish.principal}")
            return
        self.mailboxes[wish.target, wish.principal.casefold(), wish.kind] = wish.user
        template = self.templates[wish.template]
        name = self._name(wish)
        link = Link(
            id=name,
            name=name,
            user=wish.user,
            kind=wish.kind,
            target=wish.target,
            principal=wish.principal,
            folder=wish.folder,
            rule=wish.rule,
            mode=Mode.OBSERVE if template.hold else template.mode,
        )
        given = _given(link, wish, held=FIRST if template.hold else "")
        yield Act(what=What.ADD, link=link, given=given, why=f"{wish.user} is in {template.group}")

    def _whose(self, wish: Wish) -> str:
        """Return whose the mailbox of a wish is already; empty where it is free, or theirs."""
        found = self.mailboxes.get((wish.target, wish.principal.casefold(), wish.kind), wish.user)
        return "" if found == wish.user else found

    def _name(self, wish: Wish) -> str:
        name = f"{wish.user}-{wish.kind}"
        number = 1
        while name in self.names:
            number += 1
            name = f"{wish.user}-{wish.kind}-{number}"
        self.names.add(name)
        return name

    def _kept(self, wish: Wish, link: Link, given: Given) -> Iterator[Act]:
        """Bring what the template owns of a link to what it says now."""
        back = given.left is not None
        paired = link.id in self.standing.paired
        changes = self._changes(wish, link, given, paired=paired)
        after = replace(link, **changes)
        kept = replace(given, left=None, paused=False, stuck="")
        owned = replace(kept, template=wish.template, **changes)
        rule_next = ""
        if paired and wish.rule != given.rule and link.rule == given.rule:
            rule_next = wish.rule
        held = owned.held
        if rule_next:
            held = OTHER_RULE
        elif held == OTHER_RULE or link.mode is not Mode.OBSERVE:
            held = ""  # there is nothing to approve any more, or somebody let the link go by hand
        owned = replace(owned, held=held, rule_next=rule_next)
        if back and given.paused:
            after = replace(after, paused=False)
        if after == link and owned == given:
            return
        if back:
            what, why = What.RESUME, f"{wish.user} is back"
        elif rule_next and rule_next != given.rule_next:
            what, why = What.HOLD, f"the template {wish.template} names the rule {rule_next}"
        else:
            what, why = What.CHANGE, f"the template {wish.template} says so"
        yield Act(what=what, link=after, given=owned, why=why, before=link)

    def _changes(self, wish: Wish, link: Link, given: Given, *, paired: bool) -> dict[str, str]:
        """Return the fields that the template may change at once; a link with pairs has none."""
        changes: dict[str, str] = {}
        for field in (*LASTING, "rule"):
            now = getattr(wish, field)
            if now == getattr(given, field) or getattr(link, field) != getattr(given, field):
                continue
            if field == "rule" and paired:
                continue
            whose = self._whose(wish) if field == "principal" else ""
            if whose:
                self._trouble(wish, f"{whose} has a link to the mailbox {now}")
            elif paired:
                why = (
                    f"{link.name} has synchronized {getattr(link, field) or 'the usual folder'}; "
                    f"it doesn't follow to {now or 'the usual one'}"
                )
                self._trouble(wish, why)
            else:
                changes[field] = now
        return changes

    def _left(self, link: Link, given: Given) -> Iterator[Act]:
        template = self.templates.get(given.template)
        if given.left is None:
            owned = replace(given, left=self.standing.now, paused=not link.paused)
            why = self._why_left(link, template)
            after = replace(link, paused=True)
            yield Act(what=What.PAUSE, link=after, given=owned, why=why, before=link)
            return
        after_days = template.withdraw_after if template else None
        if after_days is None:
            return
        if not link.paused:
            # Somebody let it go on although its user left, so it isn't ours to take apart.
            why = f"{self._why_left(link, template)}, but {link.name} goes on: it isn't withdrawn"
            trouble = Trouble(template=given.template, user=link.user, kind=link.kind, why=why)
            self.troubles.append(trouble)
        elif self.standing.now - given.left >= timedelta(days=after_days):
            why = f"{self._why_left(link, template)}, since {given.left:%Y-%m-%d}"
            yield Act(what=What.WITHDRAW, link=link, given=given, why=why, before=link)

    def _why_left(self, link: Link, template: Template | None) -> str:
        if link.user in self.wishes.members:
            return f"no template gives {link.user} {link.kind}s there any more"
        if link.user in self.wishes.locked:
            return f"{link.user} may no longer sign in"
        return f"{link.user} is no longer in {template.group if template else 'any group'}"

    def _trouble(self, wish: Wish, why: str) -> None:
        trouble = Trouble(template=wish.template, user=wish.user, kind=wish.kind, why=why)
        self.troubles.append(trouble)


def _given(link: Link, wish: Wish, *, held: str) -> Given:
    return Given(
        link=link.id,
        template=wish.template,
        target=link.target,
        principal=link.principal,
        folder=link.folder,
        rule=link.rule,
        held=held,
    )
