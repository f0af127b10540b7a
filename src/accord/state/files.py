"""What is known of the files on paired items: which agreed, where they hang, what was left out.

The ledger notes pairs that are to be looked at, in the transaction that stores them; the service's
pass over files takes them from here, so that a kill between the two loses none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import bindparam, delete, select, update

from accord.db.tx import chunks
from accord.engine.plan import Refile
from accord.model.files import PHOTO
from accord.model.learning import learnt
from accord.state.context import Repository
from accord.state.schema import FILES, PAIRINGS

_F = FILES.c
_DUE = select(_F.pairing).where(_F.link == bindparam("link"), _F.due).order_by(_F.pairing)
_AMONG = _F.pairing.in_(bindparam("pairings", expanding=True))
_EXPECTED = update(FILES).where(_AMONG).values(due=True)
_GONE = delete(FILES).where(_AMONG)


class Hanging(Struct, frozen=True, kw_only=True):
    """Be one file as one side names it: where it was found, and what is in it."""

    uri: str
    name: str
    size: int | None
    digest: str


class FilesOf(Struct, frozen=True, kw_only=True):
    """Be the files of one pair.

    `agreed` holds name and digest of what both sides had last; `crm` and `groupware` what each
    side's files were found to hold, so that none is read twice; `left` why some were left out.
    `doing` are the steps under way, of which it isn't known yet which were done; `apart` is what
    an undo left on one side alone, name and digest: it stays there.
    """

    agreed: tuple[tuple[str, str], ...] = ()
    crm: tuple[Hanging, ...] = ()
    groupware: tuple[Hanging, ...] = ()
    left: tuple[str, ...] = ()
    doing: tuple[Refile, ...] = ()
    apart: tuple[tuple[str, str], ...] = ()


class Files(Repository):
    """Keep what is known of pairs' files; it is encrypted where there is a key file."""

    def get(self, pairing: str) -> FilesOf | None:
        """Return what is known of a pair's files."""
        row = self.db.execute(select(FILES.c.data).where(FILES.c.pairing == pairing)).first()
        if row is None:
            return None
        return msgspec.json.decode(
            self.context.unwrap(row.data, f"files:{pairing}"), type=learnt(FilesOf)
        )

    def put(self, link: str, pairing: str, known: FilesOf, *, due: bool = False) -> None:
        """Keep what is known; `due` asks to look at them again."""
        data = self._wrapped(pairing, known)
        count = _count(known)
        row = {"pairing": pairing, "link": link, "due": due, "data": data, "count": count}
        self.db.upsert(FILES, [row])

    def expect(self, link: str, holding: Iterable[str], others: Iterable[str]) -> None:
        """Note pairs whose items hold files, and those others that did so when last looked at."""
        holding = sorted(set(holding))
        for part in chunks([*holding, *others]):
            self.db.execute(_EXPECTED, {"pairings": part})
        rows = [
            {
                "pairing": one,
                "link": link,
                "due": True,
                "data": self._wrapped(one, FilesOf()),
                "count": 0,
            }
            for one in holding
        ]
        self.db.insert_new(FILES, rows)

    def due(self, link: str) -> list[str]:
        """Return the pairs of a link that are to be looked at."""
        return list(self.db.execute(_DUE, {"link": link}).scalars())

    def agreed(self, link: str) -> int:
        """Return how many files a link's pairs have that take part at present."""
        query = (
            select(FILES.c.pairing, FILES.c.count)
            .join(PAIRINGS, PAIRINGS.c.id == FILES.c.pairing)
            .where(FILES.c.link == link, FILES.c.count != 0, PAIRINGS.c.frozen == "")
        )
        counts = self.db.mapping(query)
        for pairing, count in counts.items():
            if count < 0:
                known = self.get(pairing)
                counts[pairing] = _count(known) if known else 0
        return sum(counts.values())

    def remove_many(self, pairings: Sequence[str]) -> None:
        """Forget the files of pairs that are no more."""
        for part in chunks(pairings):
            self.db.execute(_GONE, {"pairings": part})

    def _wrapped(self, pairing: str, known: FilesOf) -> bytes:
        private = self.context.keys is not None
        data = msgspec.json.encode(known)
        return self.context.wrap(data, f"files:{pairing}", private=private)


def _count(known: FilesOf) -> int:
    """Return how many files agree: a photo is one in whatever forms its sides keep it."""
    return len({PHOTO if name == PHOTO else (name, digest) for name, digest in known.agreed})
