"""How link templates stand: whom each is for, which links it made, who doesn't get what and why.

The command line shows it, later the console.
"""

from __future__ import annotations

from msgspec import Struct

from accord.service.accord import Accord
from accord.service.initialize import enrolled, initialize
from accord.service.leavers import stuck


class TemplateStanding(Struct, frozen=True, kw_only=True):
    """Be a template with what it made; `left` counts links of people who left.

    `stuck` says which of those could not be withdrawn, and why.
    """

    name: str
    group: str
    target: str
    kinds: tuple[str, ...]
    members: int
    links: tuple[str, ...]
    left: int = 0
    troubles: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()


def overview(accord: Accord) -> list[TemplateStanding]:
    """Return all templates, those first that hold before others."""
    with accord.state.read() as tx:
        templates = tx.templates.all()
        names = {link.id: link.name for link in tx.links.all()}
        targets = {target.id: target.name for target in tx.targets.all()}
        given = tx.given_links.all()
        left = stuck(tx, given)
    if not templates:
        return []
    cards, _ = enrolled(accord)
    troubles = initialize(accord, dry=True).troubles
    found = []
    for one in templates:
        own = [each for each in given if each.template == one.name]
        standing = TemplateStanding(
            name=one.name,
            group=one.group,
            target=targets[one.target],
            kinds=tuple(map(str, one.kinds)),
            members=sum(card.active and one.group in card.groups for card in cards),
            links=tuple(sorted(names[each.link] for each in own)),
            left=sum(each.left is not None for each in own),
            troubles=tuple(
                f"{each.user} {each.kind or ''}: {each.why}" if each.user else each.why
                for each in troubles
                if each.template == one.name
            ),
            stuck=tuple(f"{each.link}: {each.why}" for each in left if each.template == one.name),
        )
        found.append(standing)
    return found
