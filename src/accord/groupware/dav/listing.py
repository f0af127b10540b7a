"""Which items a folder holds or what changed in it, by the cheapest way the server offers.

`sync` turns these Reports into pages (RFC 6578 sync-collection; else getctag and ETags). The first
listing is by ETags even so: servers that write a history make it with the first token, and a
person's entries needn't wait for that. The visit after it asks for the token.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from accord.groupware.dav import wire
from accord.groupware.dav.client import Client, folder_answer, folder_error, is_folder
from accord.groupware.dav.http import Reply
from accord.groupware.dav.wire import CTAG, DAV, ETAG, Entry
from accord.model.kinds import Kind
from accord.ports.errors import Retry

SYNC, CHANGED, FIRST = "sync:", "ctag:", "first:"
ROUNDS = 1000
"""How often a truncated answer may be continued."""

TOO_MANY = 507
"""The status of a listing that is longer than the server wants to tell at once."""

_TYPE = f"{DAV}resourcetype"
_MEMBER = (ETAG, wire.CONTENT_TYPE)
_LISTED = (ETAG, wire.CONTENT_TYPE, _TYPE, CTAG)
_LOST = frozenset({409, 410, 412, 507})
_UNABLE = frozenset({400, 403, 404, 405, 409, 412, 415, 422, 501, 507})
_COMPONENTS = {"vevent": Kind.EVENT, "vtodo": Kind.TASK, "vjournal": None, "vfreebusy": None}


class Member(Struct, frozen=True):
    """Be one item of a folder: its ETag, and its component where the server tells."""

    ref: str
    etag: str
    component: str = ""

    def may_be(self, kind: Kind) -> bool:
        """Tell whether this may hold an item of a kind."""
        return self.component not in _COMPONENTS or _COMPONENTS[self.component] is kind


class Report(Struct, frozen=True, kw_only=True):
    """Be what a folder answered: members that are there, and refs with a status instead.

    `lost` says that the cursor no longer counts; `complete` that everything is in it.
    """

    members: tuple[Member, ...] = ()
    refused: tuple[tuple[str, int], ...] = ()
    cursor: str = ""
    complete: bool = False
    lost: bool = False


def report(client: Client, folder: str, cursor: str, syncs: bool) -> Report:
    """Ask what changed since `cursor`, or for everything where it is empty.

    `syncs` says whether sync-collection may be tried, after a first listing without it. One
    request where nothing changed.
    Raises ConfigError where the folder is missing or closed.
    """
    if cursor.startswith(SYNC):
        return _since(client, folder, cursor.removeprefix(SYNC))
    if cursor.startswith(CHANGED):
        return _if_changed(client, folder, cursor)
    if cursor == FIRST:
        return all_by_sync(client, folder) or _all_by_etag(client, folder)
    if cursor:
        return Report(lost=True)
    return _first(client, folder) if syncs else _all_by_etag(client, folder)


def _first(client: Client, folder: str) -> Report:
    told = _by_etag(client, folder)
    if told is not None:
        return replace(told, cursor=FIRST)
    return all_by_sync(client, folder) or _all_by_etag(client, folder)


def _since(client: Client, folder: str, token: str) -> Report:
    found: dict[str, Member | int] = {}
    for _ in range(ROUNDS):
        reply = _ask(client, folder, token)
        if reply.status != 207:
            return _without(reply, folder)
        answer = folder_answer(reply, folder)
        _gather(answer.entries, folder, found)
        if not answer.sync_token:
            return Report(lost=True)
        if not _truncated(answer.entries, folder):
            return _report(found, SYNC + answer.sync_token, complete=False)
        if answer.sync_token == token:
            return Report(lost=True)
        token = answer.sync_token
    return _report(found, SYNC + token, complete=False)


def all_by_sync(client: Client, folder: str) -> Report | None:
    """List everything by sync-collection; None where the server doesn't offer it."""
    found: dict[str, Member | int] = {}
    token = ""
    for _ in range(ROUNDS):
        reply = _ask(client, folder, token)
        if reply.status != 207:
            if reply.status in _UNABLE:
                return None
            raise folder_error(reply, folder)
        answer = folder_answer(reply, folder)
        _gather(answer.entries, folder, found)
        if not answer.sync_token:
            return None
        if not _truncated(answer.entries, folder):
            return _report(found, SYNC + answer.sync_token, complete=True)
        if answer.sync_token == token:
            return None
        token = answer.sync_token
    return None


def _all_by_etag(client: Client, folder: str) -> Report:
    """List everything with its ETag; the mark of the folder comes in the same answer."""
    told = _by_etag(client, folder)
    if told is None:
        raise Retry(f"{folder}: the server doesn't list everything in it", after=60.0)
    return told


def _by_etag(client: Client, folder: str) -> Report | None:
    """List everything with its ETag; None where that is more than the server tells at once."""
    reply = client.propfind(folder, _LISTED, depth=1)
    if reply.status == TOO_MANY:
        return None
    answer = folder_answer(reply, folder)
    if _truncated(answer.entries, folder):
        return None
    found: dict[str, Member | int] = {}
    _gather(answer.entries, folder, found)
    own = next((entry for entry in answer.entries if is_folder(entry, folder)), None)
    if own is None:
        raise Retry(f"{folder}: the server doesn't list the folder itself", after=60.0)
    ctag = own.text(CTAG)
    return _report(found, CHANGED + ctag if ctag else "", complete=True)


def _if_changed(client: Client, folder: str, cursor: str) -> Report:
    answer = folder_answer(client.propfind(folder, (CTAG,), depth=0), folder)
    ctag = answer.entries[0].text(CTAG) if answer.entries else ""
    if ctag and CHANGED + ctag == cursor:
        return Report(cursor=cursor)
    return _all_by_etag(client, folder)


def _ask(client: Client, folder: str, token: str) -> Reply:
    return client.report(folder, wire.sync_collection(token, _MEMBER), depth=0)


def _without(reply: Reply, folder: str) -> Report:
    """Return that the token is lost, or raise what else the refusal means."""
    if reply.status in _LOST or "valid-sync-token" in reply.conditions:
        return Report(lost=True)
    if reply.status in (405, 415, 501) or "supported-report" in reply.conditions:
        return Report(lost=True)
    raise folder_error(reply, folder)


def _gather(entries: Iterable[Entry], folder: str, found: dict[str, Member | int]) -> None:
    for entry in entries:
        if entry.ref.endswith("/") or is_folder(entry, folder):
            continue
        if f"{DAV}collection" in entry.names(_TYPE):
            continue
        if entry.status not in (0, 200):
            found[entry.ref] = entry.status
        else:
            found[entry.ref] = Member(entry.ref, entry.text(ETAG), _component(entry))


def _component(entry: Entry) -> str:
    """Return the component that a content type names, lower-cased (RFC 5545 8.1)."""
    _, _, component = entry.text(wire.CONTENT_TYPE).lower().partition("component=")
    return component.partition(";")[0].strip('" ')


def _truncated(entries: Iterable[Entry], folder: str) -> bool:
    return any(entry.status == TOO_MANY and is_folder(entry, folder) for entry in entries)


def _report(found: dict[str, Member | int], cursor: str, *, complete: bool) -> Report:
    members = tuple(each for each in found.values() if isinstance(each, Member))
    refused = tuple((ref, each) for ref, each in found.items() if isinstance(each, int))
    return Report(members=members, refused=refused, cursor=cursor, complete=complete)
