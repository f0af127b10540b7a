"""The built-in CRM as an adapter: the port, the feed and the people over one database.

`session` holds the calls a user's rights decide on; `admin` is for those who run the CRM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select

from accord.crm.database import counter, feed, handing, people, records, removing, users
from accord.crm.database.nouns import CONTACT, noun_of
from accord.crm.database.session import DatabaseSession
from accord.crm.database.store import Store
from accord.crm.database.traits import TRAITS
from accord.crm.database.users import Changes
from accord.crm.database.viewer import CONTACT_MODES, NOBODY, Viewer
from accord.db import Database, Tx, migrate
from accord.model.item import Contact
from accord.model.kinds import Kind
from accord.model.observe import Snapshot
from accord.model.parts import Person
from accord.model.traits import Traits
from accord.ports.adapter import Finding, Hint, Outcome
from accord.ports.clock import Clock, system_clock
from accord.ports.errors import AccordError
from accord.ports.users import UserCard

PACKAGE = "accord.crm.database"


class DatabaseCrm:
    """Be the CRM in a database; its tables are made or brought up to date on the way."""

    def __init__(
        self,
        database: Database,
        *,
        owned: bool = False,
        page: int = TRAITS.page,
        clock: Clock = system_clock,
        shared: bool = False,
    ) -> None:
        """Work on `database`, which somebody else closes where it is `shared`.

        With `owned`, tasks that somebody else does are in their owner's scope, too. Raises
        TooNew where a newer Accord has written the database.
        """
        migrate(database, PACKAGE)
        self._instance = counter.prepare(database)
        self._shared = shared
        self.store = Store(database, owned=owned, page=page, clock=clock)

    @property
    def traits(self) -> Traits:
        """Return what this CRM can do."""
        return TRAITS

    @property
    def instance(self) -> str:
        """Return the id of this very CRM; a copy of the database elsewhere has another."""
        return self._instance

    @property
    def revision(self) -> int:
        """Return the highest revision so far; it only ever grows."""
        with self.store.read(single=True) as tx:
            return counter.highest(tx)

    @property
    def requests(self) -> int:
        """Return how many transactions this thread has opened."""
        return self.store.requests.own

    def open(self, principal: str) -> DatabaseSession:
        """Act as a user; raises AuthFailed for a stranger or an inactive one."""
        self._viewer(principal)
        return DatabaseSession(self.store, principal)

    def hints(self, cursor: str) -> tuple[tuple[Hint, ...], str]:
        """Return whom changes since `cursor` concern; raises CursorExpired for a lost one."""
        with self.store.read() as tx:
            return feed.hints(tx, cursor)

    def identities(self, user: str) -> tuple[Person, ...]:
        """Return a user under each of their addresses, the main one first; none for strangers."""
        with self.store.read(single=True) as tx:
            return people.identities(tx, user)

    def users(self, addresses: Sequence[str]) -> Mapping[str, str]:
        """Return the active user of each known address, casefolded."""
        with self.store.read(single=True) as tx:
            return people.user_names(tx, addresses)

    def contacts(self, addresses: Sequence[str]) -> Mapping[str, str]:
        """Return the one contact that has each address, casefolded."""
        with self.store.read(single=True) as tx:
            return people.contacts(tx, addresses)

    def bearing(self, addresses: Iterable[str], refs: Iterable[str] = ()) -> Mapping[str, Contact]:
        """Return by ref all contacts with one of the addresses, and those of the refs."""
        with self.store.read() as tx:
            known = people.bearers(tx, addresses, refs)
            found = records.load(tx, CONTACT, NOBODY, known)
        return {ref: one.item for ref, one in found.items() if isinstance(one.item, Contact)}

    def erase(self, kind: Kind, *refs: str) -> None:
        """Remove the content of records for good, whoever owns them."""
        noun = noun_of("", kind)
        self.store.run(lambda tx: removing.erase(tx, self.store, noun, refs))
        self.store.database.empty_log()

    def erase_known(self, kind: Kind, known: Callable[[str], bool]) -> int:
        """Erase all records of a kind that are known so by ref; return how many there were."""
        table = noun_of("", kind).table
        with self.store.read() as tx:
            refs = list(tx.execute(select(table.c.id).where(table.c.erased.is_(False))).scalars())
        found = [ref for ref in refs if known(ref)]
        if found:
            self.erase(kind, *found)
        return len(found)

    def teammates(self, user: str) -> frozenset[str]:
        """Return the users who are in a group with this one."""
        with self.store.read(single=True) as tx:
            return people.teammates(tx, user)

    def cards(self) -> tuple[UserCard, ...]:
        """Return all users by name, those who may no longer sign in included."""
        with self.store.read() as tx:
            found = users.users(tx)
        names = ("name", "display_name", "addresses", "groups", "active", "contacts")
        return tuple(UserCard(**{name: getattr(one, name) for name in names}) for one in found)

    def group_names(self) -> frozenset[str]:
        """Return the names of all groups."""
        with self.store.read() as tx:
            return frozenset(users.groups(tx))

    def users_version(self) -> str:
        """Return another text than before once users or groups have changed."""
        with self.store.read(single=True) as tx:
            return counter.fact(tx, counter.USERS)

    @property
    def contact_modes(self) -> tuple[str, ...]:
        """Return the words for which contacts a user has."""
        return CONTACT_MODES

    def choose_contacts(self, user: str, mode: str) -> None:
        """Say which contacts a user has; raises ConfigError for a stranger, and another word."""
        changes = Changes(contacts=mode)

        def work(tx: Tx) -> None:
            users.user_id(tx, user)
            users.put_user(tx, self.store, user, changes)

        self.store.run(work)

    def ahead(self, user: str, since: datetime) -> tuple[Snapshot, ...]:
        """Return the appointments a user owns that aren't over at `since`."""
        with self.store.read() as tx:
            return handing.ahead(tx, user, since)

    def hand_over(self, user: str, to: str, versions: Mapping[str, str]) -> list[Outcome]:
        """Give a user's appointments to another, each only in the version given."""
        return self.store.run(lambda tx: handing.hand_over(tx, self.store, user, to, versions))

    def settle(self) -> str:
        """Say that the database has moved here for good; returns the instance id it keeps."""
        self._instance = counter.settle(self.store.database)
        return self._instance

    def check(self, principal: str = "") -> tuple[Finding, ...]:
        """Say whether the database answers, and whether the user may sign in and has a name."""
        try:
            where = f"{self.store.database!r}, revision {self.revision}"
            found = [Finding(subject="database", ok=True, detail=where)]
        except AccordError as error:
            hint = "check that the database server runs and can be reached"
            return (Finding(subject="database", ok=False, detail=str(error), hint=hint),)
        if principal:
            found += self._check_user(principal)
        return tuple(found)

    def close(self) -> None:
        """Close the database, unless it is shared."""
        if not self._shared:
            self.store.database.close()

    def _check_user(self, principal: str) -> list[Finding]:
        try:
            viewer = self._viewer(principal)
        except AccordError as error:
            hint = "add the user or let them in again: accord crm users"
            return [Finding(subject="user", ok=False, detail=str(error), hint=hint)]
        found = [Finding(subject="user", ok=True, detail=f"{principal} may sign in")]
        if not viewer.addresses:
            hint = f"give {principal} the address of their mailbox: accord crm users"
            detail = f"{principal} has no e-mail address, so meetings can't find them"
            found.append(Finding(subject="addresses", ok=False, detail=detail, hint=hint))
        return found

    def _viewer(self, principal: str) -> Viewer:
        with self.store.read() as tx:
            return self.store.viewer(tx, principal)
