"""Erase a person: their CRM record, its copies in mailboxes, and what Accord remembers of them.

The erasure is noted first, as keyed hashes; whatever breaks off, doing it again completes it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from accord.model.item import Contact
from accord.model.kinds import Kind
from accord.ports.errors import ConfigError
from accord.ports.queue import Queue
from accord.service import erasures
from accord.service.accord import Accord
from accord.service.opening import Options, silent
from accord.service.report import Report
from accord.service.sync import sync
from accord.service.visit import Progress
from accord.state.purging import Purged, addresses_in
from accord.state.records import Link, Mode


class Wanted(Struct, frozen=True, kw_only=True):
    """Be who is to be erased: addresses, CRM records, and the links that copied those.

    `names` is all that tells them in state, refs of copies included. `own` are links of a mailbox
    of theirs, or of the CRM user whom they are: those go on under the address.
    """

    addresses: tuple[str, ...]
    contacts: tuple[str, ...]
    copies: int
    links: tuple[Link, ...]
    names: frozenset[str]
    own: tuple[Link, ...] = ()

    @property
    def goes_on(self) -> str:
        """Say which links go on under their address, and how to end that; empty for none."""
        if not self.own:
            return ""
        names = sorted(link.name for link in self.own)
        how = f"`accord withdraw {' '.join(names)}` ends that; then erase again"
        return f"{', '.join(names)}: links of theirs go on under that address: {how}"


class Erased(Struct, frozen=True, kw_only=True):
    """Say what was done: by the visits that took copies away, and in state.

    `left` names what could not be done, and why; then erase again once it is mended.
    """

    reports: tuple[Report, ...]
    purged: Purged
    left: tuple[str, ...] = ()


def find(accord: Accord, person: str) -> Wanted:
    """Return whom an address or the ref of a CRM contact means; raises ConfigError for nobody."""
    addresses = addresses_in(person)
    contacts = set(accord.crm.contacts(sorted(addresses)).values()) if addresses else {person}
    names, links, copies = addresses | contacts, [], 0
    with accord.state.read() as tx:
        everybody = tx.links.all()
        for link in everybody:
            if link.kind is not Kind.CONTACT:
                continue
            found = [p for p in tx.pairings.all(link.id) if _is_of(p.crm, contacts, addresses)]
            if not found:
                continue
            links.append(link)
            copies += len(found)
            for pairing in found:
                contacts.add(pairing.crm.ref)
                names |= {pairing.crm.ref, pairing.groupware.ref}
                for side in (pairing.crm, pairing.groupware):
                    names |= _own(side.item)
    if not addresses and not links:
        raise ConfigError(
            f"{person!r} is no e-mail address, and no CRM contact that was ever synchronized",
            field="person",
            hint="give the person's address, or the contact's ref as `accord crm list` tells it",
        )
    theirs = tuple(sorted(each for each in names if "@" in each and addresses_in(each)))
    users = set(accord.crm.users(theirs).values())
    own = (x for x in everybody if x.user in users or addresses_in(x.principal) & set(theirs))
    return Wanted(
        addresses=theirs,
        contacts=tuple(sorted(contacts)),
        copies=copies,
        links=tuple(links),
        names=frozenset(names),
        own=tuple(own),
    )


def erase(
    accord: Accord,
    wanted: Wanted,
    queue: Queue,
    *,
    by: str = "",
    progress: Progress = silent,
) -> Erased:
    """Erase them everywhere: note it, erase the CRM's records, let visits take copies, purge.

    What is left undone is said; so is who is still named where both sides agree. The queue forgets
    the mailboxes that were theirs; one with links still is.
    """
    erasures.remember(accord.state, wanted.names, by)
    left: list[str] = []
    crm = accord.crm
    if wanted.contacts and isinstance(crm, erasures.Erasing):
        crm.erase(Kind.CONTACT, *wanted.contacts)
    elif wanted.links:
        left.append("this CRM's records have to be erased in the CRM itself")
    working = [link for link in wanted.links if not link.paused and link.mode is not Mode.OBSERVE]
    reports = sync(accord, working, Options(cause="erasure"), progress)
    left += [
        f"{link.name} is paused or only observes: its copies stay"
        for link in wanted.links
        if link not in working
    ]
    left += [f"{one.name}: {one.error}" for one in reports if one.error]
    left += [f"{one.name}: {one.held} held for approval" for one in reports if one.held]
    _forget_folders(accord, wanted, queue)
    purged = _purge(accord, wanted, left)
    left += [wanted.goes_on] if wanted.own else []
    return Erased(reports=tuple(reports), purged=purged, left=tuple(left))


def _forget_folders(accord: Accord, wanted: Wanted, queue: Queue) -> None:
    """Let the queue forget folders of mailboxes of theirs that no link is on any more."""
    with accord.state.read() as tx:
        linked = tuple(f"{link.target}/{link.principal}/" for link in tx.links.all())
    theirs = frozenset(wanted.addresses)
    queue.forget(
        lambda folder: not folder.startswith(linked) and bool(addresses_in(folder) & theirs)
    )


def _purge(accord: Accord, wanted: Wanted, left: Sequence[str]) -> Purged:
    """Purge state; while copies are left their pairs stay, or nobody would know the copies."""
    known = wanted.addresses.__contains__ if left else erasures.knower(accord.state)
    assert known is not None
    # What still names others, who were erased before, says nothing about this person.
    return accord.state.purge(known, wanted.names.__contains__)


def _is_of(snapshot: object, contacts: set[str], addresses: set[str]) -> bool:
    ref, item = getattr(snapshot, "ref", ""), getattr(snapshot, "item", None)
    return ref in contacts or bool(_own(item) & addresses)


def _own(item: object) -> set[str]:
    """Return a contact's own addresses."""
    if not isinstance(item, Contact):
        return set()
    return {found for mail in item.mails for found in addresses_in(mail.address)}
