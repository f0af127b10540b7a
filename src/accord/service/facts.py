"""Gather the facts that rules may ask about: the owner, who is known among the people, the clocks.

Once per link and visit, for exactly the addresses that the observed items name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from accord.model.item import Contact, Event, Item, Task
from accord.model.kinds import Kind
from accord.model.observe import Observation, Seen
from accord.model.parts import Person
from accord.rules.facts import Facts
from accord.service.clocks import clock_of, clocks_apart
from accord.service.visit import Visit

FULL_CONSENT = "private"


def facts_of(visit: Visit, observations: Iterable[Observation]) -> Facts:
    """Return the facts for one link over what was observed."""
    people = visit.people
    identities = people.identities(visit.link.user)
    addresses = sorted({a.casefold() for o in observations for a in _addresses(o)})
    mine = frozenset(person.address.casefold() for person in identities)
    users = dict(people.users(addresses)) if addresses else {}
    asked = [visit.link.principal, *addresses]
    unknown = [each for each in asked if each.casefold() not in mine and each not in users]
    mailboxes: dict[str, frozenset[str]] = {}
    with visit.state.read() as tx:
        consents = tx.consents.has(visit.link.user, FULL_CONSENT)
        if unknown:
            mailboxes = tx.links.by_mailbox(visit.link.target, unknown)
    # A shared mailbox is nobody's, and what the CRM says of an address holds.
    aliases = {each: min(whose) for each, whose in mailboxes.items() if len(whose) == 1}
    own = {address for address, user in aliases.items() if user == visit.link.user}
    return Facts(
        now=visit.now,
        owner=identities[0] if identities else Person(name=visit.link.user),
        user=visit.link.user,
        addresses=mine | own,
        contacts=dict(people.contacts(addresses)) if addresses else {},
        users=users | {each: user for each, user in aliases.items() if each in addresses},
        aliases=aliases,
        homes=_homes(visit, aliases),
        consents=consents,
        clocks_apart=clocks_apart(clock_of(visit.crm.session), clock_of(visit.groupware.session)),
    )


def _homes(visit: Visit, aliases: Mapping[str, str]) -> dict[str, str]:
    """Return the main addresses of the users to whom tasks may be mapped."""
    if visit.link.kind is not Kind.TASK:
        return {}
    wanted = {*visit.rule.ownership.values(), *aliases.values()}
    found = {user: visit.people.identities(user) for user in wanted}
    return {user: known[0].address for user, known in found.items() if known}


def _addresses(observation: Observation) -> list[str]:
    if not isinstance(observation, Seen):
        return []
    return [address for address in _people(observation.snapshot.item) if address]


def _people(item: Item) -> list[str]:
    match item:
        case Event(organizer=organizer, attendees=attendees, people=people):
            found = [a.address for a in attendees] + [p.address for p in people]
            return found + ([organizer.address] if organizer else [])
        case Task(assignee=assignee, organizer=organizer):
            return [person.address for person in (assignee, organizer) if person]
        case Contact(mails=mails):
            return [mail.address for mail in mails]
        case _:
            return []
