"""A user's records in any CRM, through the port: what `accord crm` does where the CRM isn't here.

The built-in CRM has an administration of its own, which can do more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from accord.model.diff import diff
from accord.model.item import Item, kind_of
from accord.model.kinds import Kind
from accord.model.observe import Denied, Seen, Snapshot
from accord.ports import errors
from accord.ports.adapter import Adapter, Ask, Draft, Outcome, Removal, Revision, Session, Written
from accord.ports.errors import ConfigError, Gone, ItemError
from accord.state.ids import new_id


class Records:
    """Be the hand of a CRM's users; their rights decide, as with everything done over the port."""

    def __init__(
        self, crm: Adapter, through: Callable[[Session], Session] = lambda session: session
    ) -> None:
        """Work on `crm`, as it is seen `through` something."""
        self._crm = crm
        self._through = through

    def list(self, user: str, kind: Kind) -> Iterator[Snapshot]:
        """Yield every record in a user's scope; none of a kind that the CRM doesn't know."""
        if kind not in self._crm.traits.kinds:
            return
        with self._open(user) as session:
            for page in session.changes("", kind, "", lambda refs: {}):
                yield from (o.snapshot for o in page.observations if isinstance(o, Seen))

    def show(self, user: str, kind: Kind, ref: str) -> Snapshot:
        """Return a record as a user sees it; raises Gone and Denied."""
        if kind not in self._crm.traits.kinds:
            raise Gone(f"there is no record {ref}")
        with self._open(user) as session:
            return _shown(session, kind, ref)

    def put(self, user: str, item: Item, ref: str = "", **place: str | bool) -> Snapshot:
        """Create an item, or make the record `ref` equal to it; returns what is stored.

        The port has no word for whose a record is: raises ConfigError where `place` says so.
        """
        if place:
            hint = "do it where the CRM is: `accord crm` on its machine, or its own console"
            said = ", ".join(sorted(place))
            raise ConfigError(f"{said} can't be said from here", field=min(place), hint=hint)
        kind = kind_of(item)
        if kind not in self._crm.traits.kinds:
            hint = f"use one of: {', '.join(self._crm.traits.kinds)}"
            raise ConfigError(f"the CRM keeps no items of kind {kind}", field="kind", hint=hint)
        with self._open(user) as session:
            if not ref:
                made = _done(session.create("", kind, [Draft(item=item, key=new_id())])[0])
                return made.snapshot or _shown(session, kind, made.ref)
            before = _shown(session, kind, ref)
            revision = Revision(
                ref=ref,
                version=before.version,
                before=before.item,
                after=item,
                changed=diff(before.item, item),
            )
            done = _done(session.update("", kind, [revision])[0])
            return done.snapshot or _shown(session, kind, ref)

    def delete(self, user: str, kind: Kind, ref: str) -> Snapshot | None:
        """Delete a record; what the CRM keeps of it, cancelled, is returned."""
        with self._open(user) as session:
            version = _shown(session, kind, ref).version
            return _done(session.delete("", kind, [Removal(ref=ref, version=version)])[0]).snapshot

    def restore(self, user: str, kind: Kind, ref: str) -> Snapshot | None:
        """Bring a deleted record back; raises Gone."""
        if kind not in self._crm.traits.kinds:
            raise Gone(f"there is no record {ref}")
        with self._open(user) as session:
            return _done(session.restore("", kind, ref)).snapshot

    def _open(self, user: str) -> Session:
        return self._through(self._crm.open(user))


def _shown(session: Session, kind: Kind, ref: str) -> Snapshot:
    (found,) = session.fetch("", kind, [Ask(ref=ref)])
    if isinstance(found, Seen):
        return found.snapshot
    if isinstance(found, Denied):
        raise errors.Denied(f"record {ref} may not be read")
    raise Gone(f"there is no record {ref}")


def _done(outcome: Outcome) -> Written:
    if isinstance(outcome, ItemError):
        raise outcome
    return outcome
