"""Instances: which very system each side is, and the highest revision it has shown.

A cloned database or a restored backup is noticed here, before anything is inferred from it.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import bindparam, delete, select, update

from accord.state.context import Repository
from accord.state.records import Trouble
from accord.state.schema import INSTANCES

BACK = "went back: items that Accord knows stand there as they stood before"
"""What is wrong with a side that is held without having counted back."""

# No count comes that far, so whatever a side says is behind it.
_BEHIND = 2**62
_I = INSTANCES.c
_KNOWN = select(_I.name, _I.instance, _I.revision).where(
    _I.name.in_(bindparam("names", expanding=True))
)
_HELD = update(INSTANCES).where(_I.name == bindparam("one")).values(revision=_BEHIND)
_ONE = select(INSTANCES).where(_I.name == bindparam("one")).with_for_update()


class Instances(Repository):
    """Keep each side's instance id and highest revision."""

    def news(self, said: Mapping[str, tuple[str, int]]) -> list[str]:
        """Return the names of those that say anything else than what is noted of them."""
        rows = self.db.execute(_KNOWN, {"names": list(said)})
        known = {name: (instance, stand) for name, instance, stand in rows}
        return [name for name in said if known.get(name) != said[name]]

    def named(self, name: str) -> str:
        """Return which system a side is as far as is noted; empty where nothing is."""
        query = select(INSTANCES.c.instance).where(INSTANCES.c.name == name)
        return self.db.execute(query).scalar() or ""

    def alike(self, name: str) -> set[str]:
        """Return under which names the same system is known as under this one, itself included."""
        row = INSTANCES.c
        same = select(row.instance).where(row.name == name).scalar_subquery()
        return {name, *self.db.execute(select(row.name).where(row.instance == same)).scalars()}

    def observe(self, name: str, instance: str, revision: int = 0) -> Trouble | None:
        """Note what a side says it is; returns what is wrong, and then notes nothing.

        A changed instance or a revision below the highest seen is wrong.
        """
        known = self.db.execute(_ONE, {"one": name}).first()
        if known is None:
            self.accept(name, instance, revision)
            return None
        why = ""
        if known.instance != instance:
            why = f"{name} is another system than before: {instance}, not {known.instance}"
        elif known.revision == _BEHIND:
            why = f"{name} {BACK}"
        elif revision < known.revision:
            why = f"{name} went back from revision {known.revision} to {revision}"
        if why:
            return Trouble(
                name=name,
                why=why,
                instance=known.instance,
                seen_instance=instance,
                revision=known.revision,
                seen_revision=revision,
            )
        if revision > known.revision:
            self.accept(name, instance, revision)
        return None

    def accept(self, name: str, instance: str, revision: int = 0) -> None:
        """Take a side for what it says, whatever was known before."""
        now = self.context.now()
        row = {"name": name, "instance": instance, "revision": revision, "at": now}
        self.db.upsert(INSTANCES, [row])

    def hold(self, name: str) -> None:
        """Note that a side went back without saying so: it is wrong until it is accepted."""
        self.db.execute(_HELD, {"one": name})

    def forget(self, name: str) -> None:
        """Forget what is known of a side."""
        self.db.execute(delete(INSTANCES).where(INSTANCES.c.name == name))
