"""Claims: one meeting, one CRM appointment, whoever of the participants comes first.

Taken before anything is created; the claiming link's copy gives the content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, select, update

from accord.db import folded
from accord.db.tx import chunks
from accord.state.context import Repository
from accord.state.records import Claim
from accord.state.schema import CLAIMS

_FIELDS = (CLAIMS.c.crm, CLAIMS.c.uid, CLAIMS.c.link, CLAIMS.c.ref)


class Claims(Repository):
    """Keep who claimed a meeting; `crm` is the CRM's instance, `uid` the meeting's."""

    def claim(self, crm: str, uid: str, link: str, ref: str = "") -> Claim:
        """Claim a meeting for a link, or return the claim that stands already."""
        return self.claim_many(crm, {uid: ref}, link)[uid]

    def claim_many(self, crm: str, refs: dict[str, str], link: str) -> dict[str, Claim]:
        """Claim meetings (CRM ref, or empty, by uid); return the claims that stand, by uid."""
        now = self.context.now()
        # In one order everywhere, so that two batches never wait for each other.
        rows = [
            {"crm": crm, "uid": uid, "link": link, "ref": refs[uid], "at": now}
            for uid in sorted(refs)
        ]
        self.db.insert_new(CLAIMS, rows)
        return self.get_many(crm, refs)

    def get(self, crm: str, uid: str) -> Claim | None:
        """Return the claim of a meeting."""
        return self.get_many(crm, [uid]).get(uid)

    def get_many(self, crm: str, uids: Iterable[str]) -> dict[str, Claim]:
        """Return claims by uid."""
        asked = {folded(uid): uid for uid in uids}
        found: dict[str, Claim] = {}
        for part in chunks(sorted(asked.values())):
            for claim in self._where(CLAIMS.c.crm == crm, CLAIMS.c.uid.in_(part)):
                uid = asked[claim.uid]
                found[uid] = msgspec.structs.replace(claim, uid=uid)
        return found

    def by_ref(self, crm: str, ref: str) -> list[Claim]:
        """Return the claims whose meeting is this CRM record."""
        return self._where(CLAIMS.c.crm == crm, CLAIMS.c.ref == ref)

    def of_link(self, link: str) -> list[Claim]:
        """Return a link's claims, to be passed on before it goes."""
        return self._where(CLAIMS.c.link == link)

    def set_refs(self, crm: str, refs: Mapping[str, str]) -> int:
        """Note the CRM records of claimed meetings by uid; return how many are claimed."""
        if not refs:
            return 0
        key = (CLAIMS.c.crm == bindparam("of"), CLAIMS.c.uid == bindparam("known"))
        change = update(CLAIMS).where(*key).values(ref=bindparam("record"))
        rows = [{"of": crm, "known": uid, "record": refs[uid]} for uid in sorted(refs)]
        return self.db.execute(change, rows).rowcount

    def pass_on(self, crm: str, uid: str, link: str) -> bool:
        """Let another link's copy give the content; tell whether there is a claim."""
        change = update(CLAIMS).where(CLAIMS.c.crm == crm, CLAIMS.c.uid == uid)
        return self.db.execute(change.values(link=link)).rowcount > 0

    def release(self, crm: str, uid: str, link: str | None = None) -> bool:
        """Give up a claim (only if it is `link`'s, where named); tell whether one went."""
        return self.release_many(crm, [uid], link) > 0

    def release_many(self, crm: str, uids: Iterable[str], link: str | None = None) -> int:
        """Give up claims as `release` does; return how many went."""
        mine = () if link is None else (CLAIMS.c.link == link,)
        gone = delete(CLAIMS).where(CLAIMS.c.crm == crm, *mine)
        return sum(
            self.db.execute(gone.where(CLAIMS.c.uid.in_(part))).rowcount
            for part in chunks(sorted(set(uids)))
        )

    def _where(self, *conditions: Any) -> list[Claim]:
        query = select(*_FIELDS).where(*conditions).order_by(CLAIMS.c.uid)
        return [Claim(**row._mapping) for row in self.db.execute(query)]
