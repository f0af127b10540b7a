"""Erase a person: their CRM record, its copies in mailboxes, and what Accord remembers of them.

The erasure is noted first, as keyed hashes; whatever breaks off, doing it again completes it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from msgspec import Struct

from accord.engine.plan import Pairing
from accord.model.item import Contact
from accord.model.kinds import Kind, Side
from accord.model.names import name_of
from accord.ports.errors import ConfigError
from accord.ports.queue import Queue
from accord.service import erasures
from accord.service.accord import Accord
from accord.service.opening import Options, look_anew, silent
from accord.service.report import Report
from accord.service.sync import sync
from accord.service.visit import Progress
from accord.state.purging import Purged, addresses_in
from accord.state.records import Link, Mode


class Wanted(Struct, frozen=True, kw_only=True):
    """Be who is to be erased: addresses, CRM records, and the links that copied those.

    `contacts` are refs with what people call them, and so are `others`, which share an address with
    them and stay. `names` is all that tells them in state, refs of copies included. `own` are links
    of a mailbox of theirs, or of the CRM user whom they are: those go on under the address.
    """

    addresses: tuple[str, ...]
    contacts: dict[str, str]
    others: dict[str, str]
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


def find(accord: Accord, *words: str) -> Wanted:
    """Return whom addresses and refs of CRM contacts mean; raises ConfigError for nobody.

    Where several contacts share an address, refs say which of them it is. Raises ConfigError with
    all of them where none is named: nobody else is erased, and nobody is silently left.
    """
    given = {address for word in words for address in addresses_in(word)}
    refs = {word for word in words if not addresses_in(word)}
    known = _bearing(accord, given, refs)
    if strange := sorted(refs - known.keys() - _erased(accord, refs)):
        raise ConfigError(
            f"{strange[0]!r} is no e-mail address, and no CRM contact that is known",
            field="person",
            hint="give the person's address, or the contact's ref as `accord crm list` tells it",
        )
    meant = {ref: one for ref, one in known.items() if not refs or ref in refs}
    theirs = given.union(*(_own(item) for items in meant.values() for item in items))
    everybody = known if theirs == given else _bearing(accord, theirs, meant)
    others = {ref: _name(items) for ref, items in everybody.items() if ref not in meant}
    contacts = {ref: _name(items) for ref, items in everybody.items() if ref in meant}
    if not refs and len(everybody) > 1:
        raise _shared(given, contacts | others)
    # What others are called by, too, tells this person only where it is said so.
    shared = {each for ref in others for item in everybody[ref] for each in _own(item)}
    addresses = (theirs - shared) | given
    names, links, copies = addresses | meant.keys() | refs, [], 0
    with accord.state.read() as tx:
        there = tx.links.all()
        for link in there:
            if link.kind is not Kind.CONTACT:
                continue
            if found := tx.pairings.by_refs(link.id, Side.CRM, meant):
                links.append(link)
                copies += len(found)
                names |= {pairing.groupware.ref for pairing in found.values()}
    users = set(accord.crm.users(sorted(addresses)).values())
    own = (x for x in there if x.user in users or addresses_in(x.principal) & addresses)
    return Wanted(
        addresses=tuple(sorted(addresses)),
        contacts=contacts,
        others=others,
        copies=copies,
        links=tuple(links),
        names=frozenset(names),
        own=tuple(own),
    )


def _bearing(
    accord: Accord, addresses: Collection[str], refs: Collection[str]
) -> dict[str, list[Contact]]:
    """Return by ref what is known of all contacts with one of these addresses, or of these refs.

    Of the CRM, which tells them all only where it can erase, and of what was paired.
    """
    found: dict[str, list[Contact]] = {}
    if isinstance(accord.crm, erasures.Erasing):
        for ref, item in accord.crm.bearing(addresses, refs).items():
            found[ref] = [item]
    else:
        found = {ref: [] for ref in accord.crm.contacts(sorted(addresses)).values()}
    with accord.state.read() as tx:
        for link in tx.links.all():
            if link.kind is not Kind.CONTACT:
                continue
            for pairing in tx.pairings.all(link.id):
                items = [x.item for x in (pairing.crm, pairing.groupware)]
                told = [item for item in items if isinstance(item, Contact)]
                if pairing.crm.ref in refs or any(_own(item) & set(addresses) for item in told):
                    found.setdefault(pairing.crm.ref, []).extend(told)
    return dict(sorted(found.items()))


def _erased(accord: Accord, names: Collection[str]) -> set[str]:
    """Return which of these were erased before: then to say so again completes it."""
    known = erasures.knower(accord.state) if names else None
    return set() if known is None else {name for name in names if known(name)}


def _name(items: Iterable[Contact]) -> str:
    return next((name for item in items if (name := name_of(item))), "")


def _shared(addresses: Collection[str], contacts: Mapping[str, str]) -> ConfigError:
    """Return the error for several contacts of whom nobody said which is the person."""
    said = ", ".join(f"{ref} {name}".strip() for ref, name in contacts.items())
    whole = " ".join(("accord erase", *sorted(addresses), *contacts))
    return ConfigError(
        f"{len(contacts)} CRM contacts share {' or '.join(sorted(addresses))}, or another address "
        f"with one who has it: {said}",
        field="person",
        hint=f"name those who are the person: `{whole}` erases all of them",
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
    # Of who was erased before nobody knows any more which copies were theirs.
    again = bool(_erased(accord, wanted.addresses))
    erasures.remember(accord.state, wanted.names, by)
    left: list[str] = []
    crm = accord.crm
    erases = isinstance(crm, erasures.Erasing)
    if wanted.contacts and isinstance(crm, erasures.Erasing):
        crm.erase(Kind.CONTACT, *sorted(wanted.contacts))
    elif not erases and (wanted.contacts or wanted.links):
        left.append("this CRM's records have to be erased in the CRM itself")
    working = [link for link in wanted.links if _works(link)]
    reports = sync(accord, working, Options(cause="erasure"), progress)
    left += [
        f"{link.name} is paused or only observes: its copies stay"
        for link in wanted.links
        if link not in working
    ]
    left += [f"{one.name}: {one.error}" for one in reports if one.error]
    left += [f"{one.name}: {one.held} held for approval" for one in reports if one.held]
    said = {one.link for one in reports if one.error or one.held}
    left += _standing(accord, [x for x in working if x.id not in said], wanted, erases=erases)
    _forget_folders(accord, wanted, queue)
    purged, standing = _purge(accord, wanted, progress)
    named = {link.name for link in wanted.links}
    left += [
        f"{name}: a copy of somebody who was erased before still stands: {why}"
        for name, why in standing.items()
        if again and name not in named
    ]
    left += [wanted.goes_on] if wanted.own else []
    return Erased(reports=tuple(reports), purged=purged, left=tuple(left))


def _works(link: Link) -> bool:
    return not link.paused and link.mode is not Mode.OBSERVE


def _standing(
    accord: Accord, links: Iterable[Link], wanted: Wanted, *, erases: bool
) -> Iterator[str]:
    """Say which copies still stand although their links were visited."""
    with accord.state.read() as tx:
        for link in links:
            found = tx.pairings.by_refs(link.id, Side.CRM, wanted.contacts).values()
            refs = {pairing.crm.ref: bool(pairing.frozen) for pairing in found}
            if free := sum(refs.values()):
                items = (
                    "an item that it let go of stays"
                    if free == 1
                    else (f"{free} items that it let go of stay")
                )
                yield f"{link.name}: {items} in the mailbox, for its owner to delete"
            stuck = sorted(ref for ref, frozen in refs.items() if not frozen)
            if stuck and erases:
                how = f"`accord explain {stuck[0]}` says why"
                yield f"{link.name}: a copy could not be deleted; {how}"


def _forget_folders(accord: Accord, wanted: Wanted, queue: Queue) -> None:
    """Let the queue forget folders of mailboxes of theirs that no link is on any more."""
    with accord.state.read() as tx:
        linked = tuple(f"{link.target}/{link.principal}/" for link in tx.links.all())
    theirs = frozenset(wanted.addresses)
    queue.forget(
        lambda folder: not folder.startswith(linked) and bool(addresses_in(folder) & theirs)
    )


def _purge(accord: Accord, wanted: Wanted, progress: Progress) -> tuple[Purged, dict[str, str]]:
    """Purge state of everybody who was ever erased, but for what tells which copies still stand.

    Whose visits could not take them away yet, of whichever erasure, look at everything anew: what
    waited for that may be gone. Where copies stand even then comes back by link, and why.
    """
    known = erasures.knower(accord.state)
    assert known is not None
    there = _live(accord, known)
    refs = {pairing.side(side).ref for _, live in there for pairing in live for side in Side}
    # What still names others, who were erased before, says nothing about this person.
    purged = accord.state.purge(
        lambda name: known(name) and name not in refs, wanted.names.__contains__
    )
    if not there:
        return purged, {}
    links = [link for link, _ in there]
    with accord.state.begin() as tx:
        for link in links:
            look_anew(tx, link)
    reports = sync(accord, list(filter(_works, links)), Options(cause="erasure"), progress)
    why = {report.link: _reason(report) for report in reports}
    resting = "the link is paused or only observes"
    return purged, {link.name: why.get(link.id, resting) for link, _ in _live(accord, known)}


def _live(accord: Accord, known: Callable[[str], bool]) -> list[tuple[Link, list[Pairing]]]:
    """Return the links in whose mailboxes copies of people stand who are `known` to be erased."""
    found = []
    with accord.state.read() as tx:
        for link in tx.links.all():
            if link.kind is not Kind.CONTACT:
                continue
            theirs = [ref for ref in tx.pairings.refs(link.id, Side.CRM) if known(ref)]
            pairings = tx.pairings.by_refs(link.id, Side.CRM, theirs).values()
            if live := [pairing for pairing in pairings if not pairing.frozen]:
                found.append((link, live))
    return found


def _reason(report: Report) -> str:
    if report.paused:
        return "everything is paused"
    held = f"{report.held} held for approval" if report.held else "`accord check` may say why"
    return report.error or held


def _own(item: Contact) -> set[str]:
    """Return a contact's own addresses."""
    return {found for mail in item.mails for found in addresses_in(mail.address)}
