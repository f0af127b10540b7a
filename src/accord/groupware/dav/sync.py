"""Pages of what a folder holds or what changed, each item read, decoded and accounted for.

`session.changes` yields these; `listing` says which refs, `codec` what their texts mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

from msgspec import Struct

from accord.groupware.dav import codec
from accord.groupware.dav.client import Client, Loaded, etag_of
from accord.groupware.dav.errors import error_for
from accord.groupware.dav.listing import Member, Report
from accord.model.kinds import Kind
from accord.model.observe import (
    Completeness,
    Deleted,
    Denied,
    Listing,
    Observation,
    Seen,
    Snapshot,
    Unchanged,
    Unknown,
)
from accord.ports import errors
from accord.ports.adapter import Known
from accord.ports.http import TooLarge

_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
"""What a refusal quotes of the text."""


class Shelf(Struct, frozen=True, kw_only=True):
    """Be one folder as one link reads it; `others` collects refs that hold another kind.

    `adopt` is the property in which another connector kept the CRM record's id.
    """

    folder: str
    kind: Kind
    readonly: bool
    others: dict[str, str]
    adopt: str = ""

    @property
    def letter(self) -> str:
        """Return which multiget fits: A for address books, C for calendars."""
        return "A" if self.kind is Kind.CONTACT else "C"


def pages(
    client: Client, shelf: Shelf, report: Report, known: Known, size: int
) -> Iterator[Listing]:
    """Yield the pages of a report; the next page's items travel while one is being read.

    The last page carries the cursor. Every ref of the report is accounted for, except those
    that hold another kind.
    """
    if report.lost:
        yield Listing(completeness=Completeness.LOST)
        return
    between = Completeness.PARTIAL if report.complete else Completeness.DELTA
    final = Completeness.COMPLETE if report.complete else Completeness.DELTA
    listed: list[Member | Observation] = [m for m in report.members if _concerns(shelf, m)]
    listed += [_absent(ref, status) for ref, status in report.refused]
    chunks = [listed[at : at + size] for at in range(0, len(listed), size)] or [[]]
    ready = _start(client, shelf, chunks[0], known)
    for following in chunks[1:]:
        batch, ready = ready, _start(client, shelf, following, known)
        yield Listing(completeness=between, observations=tuple(_read(shelf, batch)))
    yield Listing(completeness=final, observations=tuple(_read(shelf, ready)), cursor=report.cursor)


def observe(shelf: Shelf, loaded: Loaded, version: str) -> Observation | None:
    """Return what a loaded item is, in this version; None where it is of another kind.

    Raises nothing: an item that can't be read is Unknown.
    """
    if loaded.error is not None:
        return _trouble(loaded.ref, loaded.error, version)
    try:
        if not codec.holds(shelf.kind, loaded.text):
            return None
        return Seen(snapshot_of(shelf, loaded))
    except codec.Unreadable as why:
        seen = codec.glimpse(loaded.text)
        told = _QUOTED.sub("…", str(why)) if seen.private else str(why)
        return Unknown(loaded.ref, told, version, seen.uid, seen.title, ours=seen.ours)


def snapshot_of(shelf: Shelf, loaded: Loaded) -> Snapshot:
    """Return the snapshot of a loaded item; raises codec.Unreadable."""
    content = codec.decode(shelf.kind, loaded.text)
    return Snapshot(
        ref=loaded.ref,
        version=loaded.version,
        item=content.item,
        marker=content.marker,
        foreign=codec.value_of(loaded.text, shelf.adopt) if shelf.adopt else "",
        key=content.key,
        modified=loaded.modified or content.modified,
        folder=shelf.folder,
        readonly=shelf.readonly,
        silent=content.silent,
    )


class _Batch(Struct, frozen=True):
    """Be one page on its way: what is as we know it, and what is being fetched."""

    listed: Sequence[Member | Observation]
    unchanged: frozenset[str]
    loading: Future[dict[str, Loaded]] | None


def _start(
    client: Client, shelf: Shelf, listed: Sequence[Member | Observation], known: Known
) -> _Batch:
    members = [each for each in listed if isinstance(each, Member)]
    versions = known([each.ref for each in members]) if members else {}
    unchanged = frozenset(
        each.ref
        for each in members
        if each.etag and each.ref in versions and etag_of(versions[each.ref]) == each.etag
    )
    wanted = [each.ref for each in members if each.ref not in unchanged]
    if not wanted:
        return _Batch(listed, unchanged, None)
    loading = client.pool.submit(client.load, shelf.folder, shelf.letter, wanted)
    return _Batch(listed, unchanged, loading)


def _read(shelf: Shelf, batch: _Batch) -> Iterator[Observation]:
    loaded = batch.loading.result() if batch.loading is not None else {}
    for each in batch.listed:
        if not isinstance(each, Member):
            yield each
        elif each.ref in batch.unchanged:
            yield Unchanged(each.ref)
        else:
            found = loaded[each.ref]
            seen = observe(shelf, found, found.version or each.etag)
            if seen is not None:
                yield seen
            else:
                shelf.others[each.ref] = etag_of(found.version)


def _concerns(shelf: Shelf, member: Member) -> bool:
    if not member.may_be(shelf.kind):
        return False
    other = shelf.others.get(member.ref)
    return other is None or other != member.etag


def _absent(ref: str, status: int) -> Observation:
    if status in (404, 410):
        return Deleted(ref)
    return _trouble(ref, error_for(status, frozenset(), {}, ref), "")


def _trouble(ref: str, error: errors.AccordError, version: str) -> Observation:
    """Return what a refusal says about a ref; what may pass has no version, and is asked again."""
    match error:
        case errors.Gone():
            return Deleted(ref)
        case errors.Denied() | errors.AuthFailed():
            return Denied(ref, str(error))
        case errors.Retry() if not isinstance(error, TooLarge):
            return Unknown(ref, str(error))
        case _:
            return Unknown(ref, str(error), version)
