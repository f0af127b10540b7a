"""Gather the facts that rules may ask about: the owner, who is known among the people, the clocks.

Once per link and visit, for exactly the addresses that the observed items name.
"""

from __future__ import annotations

from collections.abc import Iterable

from accord.model.item import Contact, Event, Item, Task
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
    with visit.state.read() as tx:
        consents = tx.consents.has(visit.link.user, FULL_CONSENT)
    return Facts(
        now=visit.now,
        owner=identities[0] if identities else Person(name=visit.link.user),
        user=visit.link.user,
        addresses=frozenset(person.address.casefold() for person in identities),
        contacts=dict(people.contacts(addresses)) if addresses else {},
        users=dict(people.users(addresses)) if addresses else {},
        consents=consents,
        clocks_apart=clocks_apart(clock_of(visit.crm.session), clock_of(visit.groupware.session)),
    )


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
