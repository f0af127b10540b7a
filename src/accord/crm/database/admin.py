"""The hand of those who run the CRM: users, groups, rights, and records in a user's name.

`accord crm …`, the demo and tests use it. Records go through the same sessions and the same
rights as everything else; only users, groups and erasure are above them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import UNSET

from accord.crm.database import access, business, feed, reading, users, writing
from accord.crm.database.access import Access
from accord.crm.database.adapter import DatabaseCrm
from accord.crm.database.business import Tied
from accord.crm.database.errors import refusal
from accord.crm.database.nouns import noun_of
from accord.crm.database.rights import Visibility
from accord.crm.database.rows import new_id
from accord.crm.database.users import Changes, User
from accord.crm.database.viewer import Viewer
from accord.crm.database.writing import Place
from accord.db import Tx
from accord.model.diff import diff
from accord.model.item import Item, kind_of
from accord.model.kinds import Kind
from accord.model.observe import Seen, Snapshot
from accord.ports.adapter import Draft, Outcome, Removal, Revision, Written
from accord.ports.errors import ConfigError, ItemError


class Administration:
    """Be the hand that keeps one CRM; every call is one transaction.

    Calls that name a `user` act as that user and raise Denied, Gone, Stale or Rejected as the
    port says; unknown users and groups raise ConfigError.
    """

    def __init__(self, crm: DatabaseCrm) -> None:
        """Work on `crm`."""
        self.crm = crm
        self._store = crm.store

    # users and groups

    def users(self) -> tuple[User, ...]:
        """Return all users by name."""
        with self._store.read() as tx:
            return users.users(tx)

    def user(self, name: str) -> User:
        """Return one user; raises ConfigError for strangers."""
        with self._store.read() as tx:
            users.user_id(tx, name)
            return users.users(tx, [name])[0]

    def add_user(self, name: str, *addresses: str, **values: Any) -> User:
        """Add a user with addresses, the primary one first; `values` as in `users.Changes`."""
        if any(one.name == name for one in self.users()):
            raise ConfigError(f"there is a CRM user {name!r} already", field="name")
        return self.change_user(name, addresses=addresses, **values)

    def change_user(self, name: str, **values: Any) -> User:
        """Change what `values` names of a user (`users.Changes`), who is added where missing."""
        changes = Changes(**values)
        self._store.run(lambda tx: users.put_user(tx, self._store, name, changes))
        return self.user(name)

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Return all groups with their members."""
        with self._store.read() as tx:
            return users.groups(tx)

    def put_group(self, name: str, *members: str) -> None:
        """Make a group, or give it other members."""
        self._store.run(lambda tx: users.put_group(tx, self._store, name, members))

    def set_level(self, user: str, kind: Kind, level: str) -> None:
        """Say what a user may do at all with records of a kind: none, read or write."""
        self._store.run(lambda tx: users.set_level(tx, self._store, user, kind, level))

    # records that travel

    def list(self, user: str, kind: Kind) -> Iterator[Snapshot]:
        """Yield every record in a user's scope."""
        with self.crm.open(user) as session:
            for page in session.changes("", kind, "", lambda refs: {}):
                yield from (o.snapshot for o in page.observations if isinstance(o, Seen))

    def show(self, user: str, kind: Kind, ref: str) -> Snapshot:
        """Return a record as a user sees it, whether in their scope or not."""
        noun = noun_of("", kind)
        with self._store.read() as tx:
            return reading.shown(tx, noun, self._store.viewer(tx, user), ref)

    def put(self, user: str, item: Item, ref: str = "", **place: Any) -> Snapshot:
        """Create an item, or make the record `ref` equal to it; returns what is stored.

        `place` says where it belongs (`access`): owner, visibility, group, group_writes,
        account, absent. Only administrators put new records into others' names. Raises
        ConfigError for a kind that the CRM doesn't keep.
        """
        kind = kind_of(item)
        if not ref:
            return self._create(user, kind, item, place)
        before = self.show(user, kind, ref)
        revision = Revision(
            ref=ref,
            version=before.version,
            before=before.item,
            after=item,
            changed=diff(before.item, item),
        )
        with self.crm.open(user) as session:
            _raise(session.update("", kind, [revision])[0])
        if place:
            self.access(user, kind, ref, **place)
        return self.show(user, kind, ref)

    def delete(self, user: str, kind: Kind, ref: str) -> Snapshot | None:
        """Delete a record; what others hang on is cancelled, and returned."""
        version = self.show(user, kind, ref).version
        with self.crm.open(user) as session:
            (outcome,) = session.delete("", kind, [Removal(ref=ref, version=version)])
        return _raise(outcome).snapshot

    def restore(self, user: str, kind: Kind, ref: str) -> Snapshot | None:
        """Bring a deleted record back."""
        with self.crm.open(user) as session:
            return _raise(session.restore("", kind, ref)).snapshot

    def erase(self, kind: Kind, *refs: str) -> None:
        """Remove the content of records for good, as the law may ask for."""
        self.crm.erase(kind, *refs)

    # whose they are

    def access(self, user: str, kind: Kind, ref: str, **place: Any) -> None:
        """Change whose a record is and who may see it, as its owner.

        owner, absent: user names · visibility: private, participants, group, everyone · group:
        a group's name or None · group_writes · account: an account's ref or None.
        """
        noun = noun_of("", kind)
        self._store.run(
            lambda tx: access.give(tx, self._store, noun, user, ref, _access(tx, place))
        )

    def share(self, user: str, kind: Kind, ref: str, *, writes: bool = False, **who: str) -> None:
        """Share a record with `to_user=` or `to_group=`, to read or also to change."""
        noun = noun_of("", kind)
        self._store.run(
            lambda tx: access.share(tx, self._store, noun, user, ref, _grantee(tx, who), writes)
        )

    def unshare(self, user: str, kind: Kind, ref: str, **who: str) -> None:
        """Take back what was shared with `to_user=` or `to_group=`."""
        noun = noun_of("", kind)
        self._store.run(
            lambda tx: access.unshare(tx, self._store, noun, user, ref, _grantee(tx, who))
        )

    def choose(self, user: str, *refs: str, chosen: bool = True) -> None:
        """Put contacts on a user's own list, or take them off: all of them, or none."""

        def work(tx: Tx) -> None:
            for ref in refs:
                access.choose(tx, self._store, user, ref, chosen=chosen)

        self._store.run(work)

    # what they hang on

    def put_account(self, user: str, ref: str = "", *, owner: str = "", **values: Any) -> str:
        """Add or change an account (name, phone, url); returns its ref."""
        return self._store.run(
            lambda tx: business.put_account(
                tx, self._store, user, ref, users.user_id(tx, owner) if owner else None, values
            )
        )

    def put_lead(self, user: str, ref: str = "", **values: Any) -> str:
        """Add or change a lead (title, status, source, contact_id, account_id)."""
        return self._store.run(lambda tx: business.put_lead(tx, self._store, user, ref, values))

    def put_opportunity(
        self, user: str, ref: str = "", *, ties: Sequence[Tied] | None = None, **values: Any
    ) -> str:
        """Add or change an opportunity (title, stage, amount, currency, closes, contact_id…).

        `ties` are the records it hangs on, by kind and ref.
        """
        return self._store.run(
            lambda tx: business.put_opportunity(tx, self._store, user, ref, values, ties)
        )

    def add_note(self, user: str, kind: Kind, ref: str, text: str) -> str:
        """Write a note about a record; returns the note's ref."""
        about = (kind, ref)
        return self._store.run(lambda tx: business.add_note(tx, self._store, user, about, text))

    def notes(self, user: str, kind: Kind, ref: str) -> tuple[str, ...]:
        """Return the notes about a record, oldest first."""
        with self._store.read() as tx:
            return business.notes(tx, self._store, user, (kind, ref))

    def remove(self, user: str, what: str, ref: str) -> None:
        """Delete an account, lead, opportunity or note (`what`)."""
        table = business.TABLES[what]
        self._store.run(lambda tx: business.remove(tx, self._store, table, user, ref))

    # upkeep

    def prune(self, days: int) -> int:
        """Forget lines of the outbox older than `days`; returns how many were forgotten.

        Feeds whose cursor is older start again; records and their revisions are not touched.
        """
        return self._store.run(lambda tx: feed.prune(tx, self._store.clock(), days))

    def _create(self, user: str, kind: Kind, item: Item, place: Mapping[str, Any]) -> Snapshot:
        noun, draft = noun_of("", kind), Draft(item=item, key=new_id())

        def work(tx: Tx) -> Written:
            where = _place(tx, self._store.viewer(tx, user), place)
            return _raise(writing.create(tx, self._store, noun, user, [draft], where)[0])

        written = self._store.run(work)
        assert written.snapshot is not None
        return written.snapshot


def _raise(outcome: Outcome) -> Written:
    if isinstance(outcome, ItemError):
        raise outcome
    return outcome


def _access(tx: Tx, place: Mapping[str, Any]) -> Access:
    values = dict(place)
    for name in ("owner", "absent"):
        if name in values:
            values[name] = users.user_id(tx, values[name])
    if values.get("group") is not None:
        values["group"] = users.group_id(tx, values["group"])
    if "visibility" in values:
        values["visibility"] = _visibility(values["visibility"])
    return Access(**values)


def _place(tx: Tx, viewer: Viewer, place: Mapping[str, Any]) -> Place:
    given = _access(tx, place)
    values = {name: getattr(given, name) for name in given.__struct_fields__}
    where = Place(**{name: value for name, value in values.items() if value is not UNSET})
    others = {where.owner, where.absent} - {None, viewer.id}
    if others and not viewer.admin:
        raise refusal("no-right", f"{viewer.name} may not keep records for others")
    return where


def _visibility(name: str) -> Visibility:
    try:
        return Visibility(name)
    except ValueError as error:
        hint = f"use one of: {', '.join(Visibility)}"
        raise ConfigError(
            f"there is no visibility {name!r}", field="visibility", hint=hint
        ) from error


def _grantee(tx: Tx, who: Mapping[str, str]) -> tuple[str, int]:
    match dict(who):
        case {"to_user": name, **rest} if not rest:
            return access.USER, users.user_id(tx, name)
        case {"to_group": name, **rest} if not rest:
            return access.GROUP, users.group_id(tx, name)
        case _:
            raise ConfigError("name one user or one group", field="to_user")
