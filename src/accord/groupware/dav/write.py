"""Conditional writes: create under a name made from the key, change and delete one version only.

`session` calls these in batches; each item answers for itself (RFC 4791 5.3.2, RFC 6638 3.2, 8).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

import msgspec
from msgspec import Struct

from accord.groupware.dav import codec, photos, silence
from accord.groupware.dav.client import (
    Client,
    Loaded,
    etag_of,
    folder_error,
    join_version,
    schedule_tag_of,
)
from accord.groupware.dav.discovery import Collection, Place
from accord.groupware.dav.find import load
from accord.groupware.dav.http import Reply
from accord.groupware.dav.sync import Shelf, snapshot_of
from accord.model.item import Contact
from accord.model.kinds import Kind
from accord.model.observe import Snapshot
from accord.model.parts import Attachment
from accord.ports.adapter import Draft, Mark, Outcome, Removal, Revision, Written
from accord.ports.attachments import leaving_files, without_files
from accord.ports.errors import (
    AccordError,
    Denied,
    Gone,
    ItemError,
    Rejected,
    Retry,
    Stale,
    item_error,
)

_TYPES = {
    Kind.EVENT: "text/calendar; charset=utf-8; component=VEVENT",
    Kind.TASK: "text/calendar; charset=utf-8; component=VTODO",
    Kind.CONTACT: "text/vcard; charset=utf-8",
}
T = TypeVar("T")


class Sent(Struct, frozen=True):
    """Be a write that succeeded, with what was sent; what stands there is still to be read."""

    ref: str
    version: str
    snapshot: Snapshot
    before: str = ""
    """The ETag of what stood there before."""

    doubt: int = 0
    """The status, where somebody else may have answered; 0 where the server surely did."""


class Desk(Struct, frozen=True):
    """Be where one batch is written: whose, in which folder, on what kind of server."""

    client: Client
    place: Place
    collection: Collection
    shelf: Shelf
    size: int


def create(desk: Desk, drafts: Sequence[Draft]) -> list[Outcome]:
    """Put new items under names made from their keys; a key that is there answers with its item."""
    return _read_back(desk, _each(desk, drafts, lambda draft: _create(desk, draft)))


def update(desk: Desk, revisions: Sequence[Revision]) -> list[Outcome]:
    """Change items in the version given; what stands there is read first, in one request."""
    stored = load(desk.client, desk.shelf, [each.ref for each in revisions], desk.size)
    done = _each(desk, revisions, lambda each: _update(desk, each, stored[each.ref]))
    return _read_back(desk, done)


def delete(desk: Desk, removals: Sequence[Removal]) -> list[Outcome]:
    """Delete items in the version given, without mail where none is allowed."""
    stored: dict[str, Loaded] = {}
    quiet = [each.ref for each in removals if not each.notify]
    if quiet and desk.place.schedules and desk.shelf.kind is Kind.EVENT:
        stored = load(desk.client, desk.shelf, quiet, desk.size)
    done = _each(desk, removals, lambda each: _delete(desk, each, stored.get(each.ref)))
    return [each for each in done if not isinstance(each, Sent)]


def read_photo(client: Client, shelf: Shelf, ref: str, uri: str) -> bytes:
    """Return the bytes of a contact's picture; raises Gone, Denied or Rejected."""
    stored = client.load(shelf.folder, shelf.letter, [ref])[ref]
    return photos.content_of(_card(shelf, stored)[1], stored.text, uri)


def put_photo(desk: Desk, ref: str, file: Attachment, content: bytes) -> str:
    """Give a contact another picture and return its uri; raises Gone, Denied or Rejected."""
    _writable(desk)
    stored = load(desk.client, desk.shelf, [ref], desk.size)[ref]
    held, contact = _card(desk.shelf, stored)
    if len(content) > photos.ROOM:
        raise Rejected(f"a card's picture may have {photos.ROOM:,} bytes", code="too-large")
    if contact.photo is not None and contact.photo.stored and contact.photo.digest == file.digest:
        return contact.photo.uri
    done = _rewrite(desk, stored, held, photos.pictured(contact, file, content))
    if done.snapshot is None:
        return ""
    there = cast(Contact, done.snapshot.item).photo
    if there is not None and there.stored and there.size:
        return there.uri
    # Radicale cuts the pictures of 4.0 at their comma.
    _replace(desk, ref, stored.text.encode(), done.version)
    raise Rejected("the server doesn't keep a picture in this card", code="picture-cut")


def drop_photo(desk: Desk, ref: str, uri: str) -> None:
    """Take a contact's picture off; one that isn't there any more is fine."""
    _writable(desk)
    stored = load(desk.client, desk.shelf, [ref], desk.size)[ref]
    held, contact = _card(desk.shelf, stored)
    if contact.photo is not None and contact.photo.uri == uri:
        _rewrite(desk, stored, held, msgspec.structs.replace(contact, photo=None))


def _card(shelf: Shelf, stored: Loaded) -> tuple[codec.Content, Contact]:
    content = _standing(shelf, stored)
    if not isinstance(content.item, Contact):
        raise Rejected("only contacts have files on a DAV server", code="files")
    return content, content.item


def _rewrite(desk: Desk, stored: Loaded, held: codec.Content, contact: Contact) -> Written:
    body = codec.changed_body(
        desk.shelf.kind,
        stored.text,
        contact,
        key=held.key,
        marker=held.marker,
        agents=codec.Agent.KEEP,
        own=desk.place.addresses,
    )
    done = _replace(desk, stored.ref, body, stored.version)
    (read,) = _read_back(desk, [done])
    return cast(Written, read)


def mark(desk: Desk, marks: Sequence[Mark]) -> list[Outcome]:
    """Store markers on items that Accord made; other people's items stay as they are."""
    stored = load(desk.client, desk.shelf, [each.ref for each in marks], desk.size)
    return _read_back(desk, _each(desk, marks, lambda each: _mark(desk, each, stored[each.ref])))


def _each(
    desk: Desk, asked: Sequence[T], act: Callable[[T], Written | Sent]
) -> list[Outcome | Sent]:
    """Do all at once, as far as connections go; what stops the session is raised at the end."""
    outcomes: list[Outcome | Sent] = []
    stop: AccordError | None = None
    for outcome in desk.client.pool.map(lambda one: _outcome(act, one), asked):
        if isinstance(outcome, Written | Sent | ItemError):
            outcomes.append(outcome)
        else:
            stop = stop or outcome
    if stop is not None:
        raise stop
    return outcomes


def _outcome(act: Callable[[T], Written | Sent], one: T) -> Written | Sent | AccordError:
    try:
        return act(one)
    except AccordError as error:
        return error


def _create(desk: Desk, draft: Draft) -> Written | Sent:
    _writable(desk)
    kind = desk.shelf.kind
    ref = desk.shelf.folder + codec.resource_name(kind, draft.key)
    body = codec.new_body(
        kind,
        without_files(draft).item,
        key=draft.key,
        marker=draft.marker,
        agents=codec.Agent.SERVER if draft.notify else codec.Agent.NONE,
        own=desk.place.addresses,
        vcard4=desk.collection.vcard4,
    )
    made = _readable(desk, ref, body)
    headers = {"Content-Type": _TYPES[kind], "If-None-Match": "*"}
    reply, _ = desk.client.write("PUT", ref, body, headers)
    if reply.ok:
        return _sent(made, reply)
    if reply.status == 412:
        return _made_before(desk, ref, draft.key, body)
    if reply.status in (404, 410):
        raise folder_error(reply, desk.shelf.folder)
    raise item_error(reply.error(ref))


def _made_before(desk: Desk, ref: str, key: str, body: bytes) -> Written | Sent:
    """Return what was made under this key before; a copy that can't be read is made anew."""
    loaded = desk.client.load(desk.shelf.folder, desk.shelf.letter, [ref])[ref]
    if loaded.error is not None:
        raise item_error(loaded.error)
    try:
        snapshot = snapshot_of(desk.shelf, loaded)
    except codec.Unreadable as why:
        if codec.value_of(loaded.text, codec.KEY) == key and codec.glimpse(loaded.text).ours:
            return _replace(desk, ref, body, loaded.version)
        raise Rejected(f"{ref}: made before and unreadable by now: {why}") from why
    if snapshot.key not in ("", key):
        raise Rejected(f"{ref}: another item has this name", code="name-taken")
    return Written(ref=ref, version=loaded.version, snapshot=snapshot)


def _update(desk: Desk, revision: Revision, stored: Loaded) -> Written | Sent:
    _writable(desk)
    content = _to_change(desk.shelf, revision, stored)
    condition = _condition(revision, stored)
    if not revision.notify:
        kept_silent = bool(content.key) and content.silent
        silence.refuse_to_mail(desk.place, stored.text, kept_silent, revision)
    body = codec.changed_body(
        desk.shelf.kind,
        stored.text,
        codec.revised(content.item, leaving_files(revision)),
        key=content.key,
        marker=revision.marker or content.marker,
        agents=_agents(content, notify=revision.notify),
        own=desk.place.addresses,
    )
    return _replace(desk, revision.ref, body, stored.version, condition)


def _to_change(shelf: Shelf, revision: Revision, stored: Loaded) -> codec.Content:
    """Return what an item holds now; where a copy of ours can't be read, what it held before.

    So such a copy is written over whole, if it is the very version that was found unreadable.
    """
    try:
        return _standing(shelf, stored)
    except Rejected:
        same = etag_of(stored.version) == etag_of(revision.version)
        if stored.error is not None or not same or not codec.glimpse(stored.text).ours:
            raise
    key, marker = (codec.value_of(stored.text, name) for name in (codec.KEY, codec.MARKER))
    return codec.Content(revision.before, marker, key, silent=True)


def _condition(revision: Revision, stored: Loaded) -> dict[str, str]:
    """Return the header that makes the write conditional; raises Stale where it would fail."""
    version = revision.version
    if not etag_of(version):
        raise Stale(f"{revision.ref}: the version to change is not known", code="version")
    if etag_of(stored.version) == etag_of(version):
        return {"If-Match": etag_of(version)}
    # Where only replies of others came in, the server merges them (RFC 6638 3.2.10).
    tag = schedule_tag_of(version)
    if tag and tag == schedule_tag_of(stored.version) and silence.only_replies(revision):
        return {"If-Schedule-Tag-Match": tag}
    raise Stale(f"{revision.ref}: it is in another version by now", code="version")


def _agents(content: codec.Content, *, notify: bool) -> codec.Agent:
    """Say who mails attendees from now on; only what Accord made silent itself may change."""
    if not content.key or not content.silent:
        return codec.Agent.KEEP
    return codec.Agent.SERVER if notify else codec.Agent.NONE


def _replace(
    desk: Desk, ref: str, body: bytes, before: str, condition: Mapping[str, str] | None = None
) -> Written | Sent:
    """Write over what stands in the version `before`; `condition` is a weaker one."""
    made = _readable(desk, ref, body)
    etag = etag_of(before)
    headers = {"Content-Type": _TYPES[desk.shelf.kind], **(condition or {"If-Match": etag})}
    reply, unsure = desk.client.write("PUT", ref, body, headers)
    if reply.ok:
        return _sent(made, reply, etag)
    if reply.status == 412 and unsure:
        return _written_before(desk, made, reply)
    if reply.status in (404, 409, 412) and not reply.conditions:
        # With If-Match some servers say 404 and some 412 for what is gone.
        _standing(desk.shelf, desk.client.load(desk.shelf.folder, desk.shelf.letter, [ref])[ref])
    raise item_error(reply.error(ref))


def _written_before(desk: Desk, made: Snapshot, reply: Reply) -> Written:
    """Tell whether it was our own earlier try that changed the version."""
    ref = made.ref
    loaded = desk.client.load(desk.shelf.folder, desk.shelf.letter, [ref])[ref]
    content = _standing(desk.shelf, loaded)
    if content.item != made.item:
        raise item_error(reply.error(ref))
    return Written(ref=ref, version=loaded.version, snapshot=snapshot_of(desk.shelf, loaded))


def _delete(desk: Desk, removal: Removal, stored: Loaded | None) -> Written:
    _writable(desk)
    headers = {"If-Match": etag_of(removal.version)}
    if not removal.version:
        raise Stale(f"{removal.ref}: no version to delete", code="version")
    if stored is not None:
        if stored.error is not None:
            raise item_error(stored.error)
        if etag_of(stored.version) != etag_of(removal.version):
            raise Stale(f"{removal.ref}: it is in another version by now", code="version")
        silence.refuse_to_cancel(desk.place, stored.text, removal.ref)
    if desk.place.schedules and not removal.notify:
        headers["Schedule-Reply"] = "F"
    reply, unsure = desk.client.write("DELETE", removal.ref, b"", headers)
    if reply.sure or (unsure and reply.status in (404, 410)):
        return Written(ref=removal.ref)
    if reply.ok:
        if _is_gone(desk, removal.ref):
            return Written(ref=removal.ref)
        raise _unwritten(removal.ref, reply.status)
    # Some servers say 412 also for what is gone.
    if reply.status == 412 and not reply.conditions and _is_gone(desk, removal.ref):
        raise Gone(f"{removal.ref}: it isn't there any more", code="404")
    raise item_error(reply.error(removal.ref))


def _is_gone(desk: Desk, ref: str) -> bool:
    loaded = desk.client.load(desk.shelf.folder, desk.shelf.letter, [ref])
    return isinstance(loaded[ref].error, Gone)


def _mark(desk: Desk, mark: Mark, stored: Loaded) -> Written | Sent:
    """Store a marker; one that is taken off takes the key with it, the other trace of Accord."""
    content = _standing(desk.shelf, stored)
    ours = bool(content.key) and desk.collection.writable
    mails = desk.place.schedules and not content.silent
    leave = bool(mark.marker) and content.marker == mark.marker
    if leave or not ours or mails:
        snapshot = snapshot_of(desk.shelf, stored)
        return Written(ref=mark.ref, version=stored.version, snapshot=snapshot)
    body = codec.changed_body(
        desk.shelf.kind,
        stored.text,
        content.item,
        key=content.key if mark.marker else "",
        marker=mark.marker,
        agents=codec.Agent.KEEP,
        own=desk.place.addresses,
    )
    return _replace(desk, mark.ref, body, stored.version)


def _standing(shelf: Shelf, stored: Loaded) -> codec.Content:
    """Return what an item holds now; raises Gone, Denied, or Rejected where it is unreadable."""
    if stored.error is not None:
        raise item_error(stored.error)
    if not codec.holds(shelf.kind, stored.text):
        raise Gone(f"{stored.ref}: it holds another kind of item now")
    try:
        return codec.decode(shelf.kind, stored.text)
    except codec.Unreadable as why:
        raise Rejected(f"{stored.ref}: {why}", code="unreadable") from why


def _writable(desk: Desk) -> None:
    if not desk.collection.writable:
        raise Denied(f"{desk.collection.ref}: this login may only read here", code="read-only")


def _readable(desk: Desk, ref: str, body: bytes) -> Snapshot:
    """Return what a text will be once it stands there; raises Rejected where nobody could read it.

    Asked before a write: what stands there unreadable can be neither changed nor undone.
    """
    try:
        return snapshot_of(desk.shelf, Loaded(ref, "", body.decode()))
    except codec.Unreadable as why:
        text = f"it is not written, for it couldn't be read again: {why}"
        raise Rejected(text, code="unreadable") from why


def _sent(made: Snapshot, reply: Reply, before: str = "") -> Sent:
    etag = reply.headers.get("etag", "")
    etag = "" if etag.startswith("W/") else etag  # If-Match takes none of those
    version = join_version(etag, reply.headers.get("schedule-tag", ""))
    snapshot = msgspec.structs.replace(made, version=version)
    return Sent(made.ref, version, snapshot, before, 0 if reply.sure else reply.status)


def _read_back(desk: Desk, outcomes: Sequence[Outcome | Sent]) -> list[Outcome]:
    """Read what the server made of what was sent, in as few requests as possible.

    An ETag should say that the very bytes sent are what is stored (RFC 4791 5.3.4), but
    Radicale gives one too where it has cut a value, and a base must be what is really there.
    """
    refs = [each.ref for each in outcomes if isinstance(each, Sent)]
    try:
        loaded = load(desk.client, desk.shelf, refs, desk.size) if refs else {}
    except AccordError:  # the writes are done, whatever became of reading
        loaded = {}
    for each in outcomes:
        if isinstance(each, Sent) and each.doubt and not _stands(desk, each, loaded.get(each.ref)):
            raise _unwritten(each.ref, each.doubt)
    return [_completed(desk, o, loaded.get(o.ref)) if isinstance(o, Sent) else o for o in outcomes]


def _stands(desk: Desk, sent: Sent, loaded: Loaded | None) -> bool:
    """Tell whether something was written: what stands there isn't what stood there before."""
    if loaded is None or loaded.error is not None:
        return False
    if etag_of(loaded.version) != sent.before:
        return True
    try:
        found, made = snapshot_of(desk.shelf, loaded), sent.snapshot
    except codec.Unreadable:
        return False
    return (found.item, found.marker, found.key) == (made.item, made.marker, made.key)


def _unwritten(ref: str, status: int) -> Retry:
    """Return what a write comes to that was answered as done, and perhaps by somebody else."""
    why = "the answer may be another server's, for nothing shows that it was done"
    return Retry(f"{ref}: {why} ({status})", after=60.0, code=str(status))


def _completed(desk: Desk, sent: Sent, loaded: Loaded | None) -> Written:
    """Return the write with what was read just after it.

    Where the server gave no version, the one read is the write's own only if nobody edited
    in between, and so if what stands there is what was sent.
    """
    try:
        found = None if loaded is None or loaded.error else snapshot_of(desk.shelf, loaded)
    except codec.Unreadable:
        found = None
    if found is None:
        snapshot = sent.snapshot if etag_of(sent.version) and loaded is None else None
        return Written(ref=sent.ref, version=sent.version, snapshot=snapshot)
    same = etag_of(found.version) == etag_of(sent.version)
    if same or (not etag_of(sent.version) and found.item == sent.snapshot.item):
        return Written(ref=sent.ref, version=found.version, snapshot=found)
    return Written(ref=sent.ref, version=sent.version, snapshot=found)
