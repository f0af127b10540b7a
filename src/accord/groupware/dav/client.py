"""One person's requests: properties, reports and whole items in as few answers as possible.

`session` holds one; `sync`, `find` and `write` ask it. Refs in, refs out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2
import stamina
from msgspec import Struct

from accord.groupware.dav import wire
from accord.groupware.dav.errors import error_for
from accord.groupware.dav.http import ATTEMPTS, BUSY, LOCKED, Http, Reply, patience
from accord.groupware.dav.wire import Entry, Multistatus
from accord.ports.errors import AccordError, AuthFailed, ConfigError, Denied, Retry
from accord.ports.http import TooLarge

_DATA = {"C": wire.CALENDAR_DATA, "A": wire.ADDRESS_DATA}
_LOADED = {
    "C": (wire.ETAG, wire.MODIFIED, wire.SCHEDULE_TAG, wire.CALENDAR_DATA),
    "A": (wire.ETAG, wire.MODIFIED, wire.ADDRESS_DATA),
}


class Loaded(Struct, frozen=True):
    """Be one item's text as the server has it; `error` says why there is none."""

    ref: str
    version: str = ""
    text: str = ""
    modified: datetime | None = None
    error: AccordError | None = None


class Client:
    """Ask one server as one person."""

    def __init__(self, http: Http, auth: httpx2.Auth, pool: Executor) -> None:
        """Ask through `http`; `pool` runs what may go on at the same time."""
        self.http = http
        self.auth = auth
        self.pool = pool

    def propfind(self, ref: str, names: Iterable[str], depth: int) -> Reply:
        """Ask for properties of a place (`depth` 0) and of what is in it (1)."""
        return self.http.ask(
            self.auth,
            "PROPFIND",
            ref,
            body=wire.propfind(names),
            headers={"Depth": str(depth)},
        )

    def report(self, ref: str, body: bytes, depth: int | None = None) -> Reply:
        """Ask for a report."""
        headers = {} if depth is None else {"Depth": str(depth)}
        return self.http.ask(self.auth, "REPORT", ref, body=body, headers=headers)

    def write(
        self, method: str, ref: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[Reply, bool]:
        """Send a request that writes, again where no answer came or the server is busy.

        The flag says that an earlier try may have been carried out, so that a refusal may be
        our own doing. Raises AuthFailed, or Retry where the server stays busy.
        """
        for attempt in stamina.retry_context(
            on=patience, attempts=ATTEMPTS, timeout=30.0, wait_initial=0.2, wait_max=5.0
        ):
            with attempt:
                unsure = attempt.num > 1
                with self.http.turn():
                    reply = self.http.send(self.auth, method, ref, body=body, headers=headers)
                if reply.status == LOCKED:
                    self.http.take_turns()
                if reply.status in BUSY or reply.status == 401:
                    raise reply.error(ref)
                return reply, unsure
        raise AssertionError  # the last attempt returns or raises

    def load(self, folder: str, letter: str, refs: Sequence[str]) -> dict[str, Loaded]:
        """Return each ref's text, or why there is none; every ref is in the answer.

        An answer that would be too large is asked for in halves.
        """
        if not refs:
            return {}
        try:
            reply = self.report(folder, wire.multiget(letter, _LOADED[letter], refs))
            answer = folder_answer(reply, folder)
        except TooLarge as error:
            if len(refs) == 1:
                return {refs[0]: Loaded(refs[0], error=error)}
            middle = len(refs) // 2
            first = self.load(folder, letter, refs[:middle])
            return first | self.load(folder, letter, refs[middle:])
        found = {entry.ref: read_item(entry, letter) for entry in answer.entries}
        left_out = Retry("the server left it out of its answer", after=60.0, code="left-out")
        return {ref: found.get(ref) or Loaded(ref, error=left_out) for ref in refs}

    def edited(self, ref: str) -> tuple[str, datetime | None]:
        """Return an item's version, and when it was edited; neither where it can't be told."""
        reply = self.propfind(ref, (wire.ETAG, wire.SCHEDULE_TAG, wire.MODIFIED), depth=0)
        entries = reply.multistatus().entries if reply.status == 207 else ()
        found = next((entry for entry in entries if entry.ref == ref), None)
        if found is None:
            return "", None
        return version_of(found), _moment(found.text(wire.MODIFIED))

    def query(self, folder: str, letter: str, body: bytes) -> list[Loaded]:
        """Return the items that a calendar-query or addressbook-query finds."""
        answer = folder_answer(self.report(folder, body, depth=1), folder)
        items = (read_item(entry, letter) for entry in answer.entries)
        return [item for item in items if item.error is None]


def loaded_names(letter: str) -> tuple[str, ...]:
    """Return the properties that `read_item` reads."""
    return _LOADED[letter]


def read_item(entry: Entry, letter: str) -> Loaded:
    """Return the item of one response of a multiget or query."""
    data = entry.props.get(_DATA[letter])
    if data is not None and data.text:
        return Loaded(entry.ref, version_of(entry), data.text, _moment(entry.text(wire.MODIFIED)))
    status = entry.status or entry.refused.get(_DATA[letter], 0) or 404
    if status == 200:
        status = 404
    error = error_for(status, entry.conditions, {}, entry.ref)
    return Loaded(entry.ref, version_of(entry), error=error)


def version_of(entry: Entry) -> str:
    """Return the version of an item: its ETag, and its Schedule-Tag behind it where it has one."""
    return join_version(entry.text(wire.ETAG), entry.text(wire.SCHEDULE_TAG))


def join_version(etag: str, schedule_tag: str) -> str:
    """Return both tags in one text; neither can hold a blank (RFC 9110 8.8.3, RFC 6638 3.2.10)."""
    return f"{etag} {schedule_tag}" if schedule_tag and etag else etag


def etag_of(version: str) -> str:
    """Return the ETag in a version."""
    return version.partition(" ")[0]


def schedule_tag_of(version: str) -> str:
    """Return the Schedule-Tag in a version, empty where the item has none."""
    return version.partition(" ")[2]


def folder_answer(reply: Reply, folder: str) -> Multistatus:
    """Return a 207 answer about a folder; raises what concerns the whole folder.

    A folder that is missing or closed is a fault of the configuration or of rights: nothing
    may be concluded about its items. Some servers say so only inside a 207.
    """
    if reply.status != 207:
        raise folder_error(reply, folder)
    answer = reply.multistatus()
    for entry in answer.entries:
        if entry.status not in (0, 200, 507) and is_folder(entry, folder):
            raise _of_folder(error_for(entry.status, entry.conditions, {}, folder))
    return answer


def folder_error(reply: Reply, folder: str) -> AccordError:
    """Return the error for a refusal that concerns a folder."""
    if reply.ok:
        return Retry(f"{folder}: the answer {reply.status} is not a multistatus", after=60.0)
    return _of_folder(reply.error(folder))


def is_folder(entry: Entry, folder: str) -> bool:
    """Tell whether an entry is about the folder itself."""
    return entry.ref.rstrip("/") == folder.rstrip("/")


def _of_folder(error: AccordError) -> AccordError:
    if isinstance(error, AuthFailed | Retry | ConfigError):
        return error
    if isinstance(error, Denied):
        hint = "give this login access to the folder again, or choose another folder"
    else:
        hint = "choose another folder for the link; its items count as neither deleted nor moved"
    return ConfigError(str(error), field="folder", hint=hint, code=error.code)


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
