"""What a person has on a server, found and never guessed: principal, homes, collections, abilities.

`session` asks once per principal; the adapter keeps the answer (RFC 6764 6, RFC 5397, RFC 4791
6.2, RFC 6352 7.1).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

import httpx2
import msgspec
from msgspec import Struct

from accord.groupware.dav import wire
from accord.groupware.dav.client import folder_answer
from accord.groupware.dav.hrefs import name_of, tidy
from accord.groupware.dav.http import Http, Reply
from accord.groupware.dav.settings import Login
from accord.groupware.dav.wire import CAL, CARD, DAV, Entry
from accord.model.kinds import Kind
from accord.ports.errors import AccordError, AuthFailed, ConfigError, ItemError

_log = logging.getLogger("accord.groupware.dav")

WELL_KNOWN = ("/.well-known/caldav", "/.well-known/carddav")
SCHEDULES = "calendar-auto-schedule"
COMPONENTS = {"VEVENT": Kind.EVENT, "VTODO": Kind.TASK}

_PRINCIPAL, _PRINCIPAL_URL = f"{DAV}current-user-principal", f"{DAV}principal-URL"
_CAL_HOME, _CARD_HOME = f"{CAL}calendar-home-set", f"{CARD}addressbook-home-set"
_ADDRESSES, _INBOX = f"{CAL}calendar-user-address-set", f"{CAL}schedule-inbox-URL"
_NAME, _TYPE, _REPORTS = (
    f"{DAV}displayname",
    f"{DAV}resourcetype",
    f"{DAV}supported-report-set",
)
_PRIVILEGES, _DEFAULT = (
    f"{DAV}current-user-privilege-set",
    f"{CAL}schedule-default-calendar-URL",
)
_RESOURCE_ID = f"{DAV}resource-id"
_COMPONENT_SET = f"{CAL}supported-calendar-component-set"
_CARD_DATA = f"{CARD}supported-address-data"

_OF_START = (_PRINCIPAL, _TYPE)
_OF_PRINCIPAL = (_CAL_HOME, _CARD_HOME, _ADDRESSES, _INBOX, _PRINCIPAL_URL, _RESOURCE_ID)
_OF_HOME = (_NAME, _TYPE, _REPORTS, _PRIVILEGES, _DEFAULT, _COMPONENT_SET, _CARD_DATA, _RESOURCE_ID)
_WRITING = frozenset(f"{DAV}{name}" for name in ("all", "write", "write-content", "bind"))


class Collection(Struct, frozen=True, kw_only=True):
    """Be one calendar or address book and what the server lets us do with it."""

    ref: str
    name: str
    kinds: frozenset[Kind]
    writable: bool
    reports: frozenset[str]
    vcard4: bool = False

    @property
    def report(self) -> str:
        """Return the prefix of the multiget and query reports: calendars C, address books A."""
        return "A" if Kind.CONTACT in self.kinds else "C"

    @property
    def syncs(self) -> bool:
        """Tell whether sync-collection may be tried; a server that says nothing may have it."""
        return not self.reports or "sync-collection" in self.reports


class Place(Struct, frozen=True, kw_only=True):
    """Be all that was discovered about one principal.

    `addresses` are bare and casefolded, empty where the server doesn't tell. `default` is the
    calendar that the server puts invitations into. `ids` tell the person from every other, the
    surest first.
    """

    principal: str
    calendar_homes: tuple[str, ...]
    card_homes: tuple[str, ...]
    collections: tuple[Collection, ...]
    addresses: frozenset[str]
    schedules: bool
    default: str = ""
    ids: tuple[tuple[str, str], ...] = ()

    def collection(self, ref: str) -> Collection | None:
        """Return the collection of this ref; None where it isn't there."""
        return next((each for each in self.collections if each.ref == ref), None)

    def holding(self, kind: Kind) -> tuple[Collection, ...]:
        """Return the collections that hold items of a kind."""
        return tuple(each for each in self.collections if kind in each.kinds)


def discover(http: Http, auth: httpx2.Auth, login: Login) -> Place:
    """Find out what a person has, in about five requests.

    Raises AuthFailed, Retry, or ConfigError where no DAV service or no mailbox is found.
    """
    principal = tidy(login.principal_path) if login.principal_path else find_principal(http, auth)
    entry = _principal(http, auth, principal)
    calendar_homes = _homes(http, entry, _CAL_HOME)
    card_homes = _homes(http, entry, _CARD_HOME)
    if not calendar_homes and not card_homes:
        raise ConfigError(
            f"{http.url(principal)}: the server names neither a calendar home nor an address book "
            "home for this person",
            field="url",
            hint="check that 'url' leads to CalDAV/CardDAV and that the account has a mailbox",
            code="no-home",
        )
    found: dict[str, Collection] = {}
    default, lasting = "", ""
    inboxes = entry.hrefs(_INBOX, http.home)
    for home in dict.fromkeys((*calendar_homes, *card_homes)):
        for each in _children(http, auth, home):
            default = next(iter(each.hrefs(_DEFAULT, http.home)), default)
            collection = _collection(each)
            if each.ref == home:
                lasting = lasting or _resource_id(each)
            if collection is not None and collection.ref not in inboxes:
                found.setdefault(collection.ref, collection)
    home = next(iter((*calendar_homes, *card_homes)))
    ids = {
        "home": lasting,
        "principal": _resource_id(entry),
        "calendar home": next(iter(calendar_homes), ""),
        "principal URL": principal,
    }
    place = Place(
        principal=principal,
        calendar_homes=calendar_homes,
        card_homes=card_homes,
        collections=tuple(found.values()),
        addresses=_addresses(entry),
        schedules=bool(calendar_homes) and schedules(http, auth, home),
        default=default,
        ids=tuple((name, value) for name, value in ids.items() if value),
    )
    fields = {"collections": len(found), "schedules": place.schedules}
    _log.debug("dav.discovered", extra=fields)
    return place


def find_principal(http: Http, auth: httpx2.Auth) -> str:
    """Return the ref of the principal that signs in.

    Asks the configured address first, then the well-known ones (RFC 6764 5), then the root.
    """
    start = http.start
    first: AccordError | None = None
    for ref in dict.fromkeys((start, *WELL_KNOWN, "/")):
        reply = http.ask(
            auth, "PROPFIND", ref, body=wire.propfind(_OF_START), headers={"Depth": "0"}
        )
        if reply.status == 401:
            raise AuthFailed(str(reply.error(http.url(ref))), code="401")
        if reply.status == 207:
            found = [p for e in reply.multistatus().entries for p in e.hrefs(_PRINCIPAL, http.home)]
            if found:
                return http.check_place(found[0])
            first = first or _anonymous(http, reply)
        elif ref == start:
            first = _refusal(http, reply)
    raise first or ConfigError(f"{http.url(start)}: no DAV service", field="url")


def probe(http: Http, auth: httpx2.Auth, ref: str, kind: Kind) -> Collection:
    """Return one collection that lies outside the person's home, such as a shared calendar.

    Raises ConfigError where it isn't there, is closed, or doesn't hold such items.
    """
    body = wire.propfind(_OF_HOME)
    reply = http.ask(auth, "PROPFIND", ref, body=body, headers={"Depth": "0"})
    entries = folder_answer(reply, ref).entries
    found = _collection(entries[0]) if entries else None
    if found is None or kind not in found.kinds:
        raise ConfigError(
            f"{http.url(ref)}: there is no collection for items of kind {kind}",
            field="folder",
            hint="choose one of the folders that the target lists",
            code="wrong-kind",
        )
    return msgspec.structs.replace(found, ref=ref)


def schedules(http: Http, auth: httpx2.Auth | None, ref: str) -> bool:
    """Tell whether the server says that it mails attendees by itself (RFC 6638 2)."""
    wanted = http.config.scheduling
    if wanted != "auto":
        return wanted == "yes"
    reply = http.ask(auth, "OPTIONS", ref)
    if not reply.ok:
        raise _session_error(reply, http.url(ref))
    return SCHEDULES in reply.headers.get("dav", "").replace(",", " ").split()


def _principal(http: Http, auth: httpx2.Auth, principal: str) -> Entry:
    body = wire.propfind(_OF_PRINCIPAL)
    reply = http.ask(auth, "PROPFIND", principal, body=body, headers={"Depth": "0"})
    if reply.status != 207:
        raise _session_error(reply, http.url(principal))
    entries = reply.multistatus().entries
    if not entries:
        raise ConfigError(f"{http.url(principal)}: there is nothing here", field="url")
    return entries[0]


def _homes(http: Http, entry: Entry, name: str) -> tuple[str, ...]:
    homes = entry.hrefs(name, http.home)
    return tuple(http.check_place(home if home.endswith("/") else home + "/") for home in homes)


def _children(http: Http, auth: httpx2.Auth, home: str) -> Iterable[Entry]:
    body = wire.propfind(_OF_HOME)
    reply = http.ask(auth, "PROPFIND", home, body=body, headers={"Depth": "1"})
    if reply.status != 207:
        raise _session_error(reply, http.url(home))
    return reply.multistatus().entries


def _collection(entry: Entry) -> Collection | None:
    types = entry.names(_TYPE)
    if f"{CAL}calendar" in types:
        kinds = _kinds(entry)
    elif f"{CARD}addressbook" in types:
        kinds = frozenset({Kind.CONTACT})
    else:
        return None
    if not kinds:
        return None
    ref = entry.ref if entry.ref.endswith("/") else entry.ref + "/"
    privileges = entry.props.get(_PRIVILEGES)
    reports = {name.rpartition("}")[2] for name in entry.names(_REPORTS)}
    return Collection(
        ref=ref,
        name=entry.text(_NAME) or name_of(ref),
        kinds=kinds,
        writable=privileges is None or bool(entry.names(_PRIVILEGES) & _WRITING),
        reports=frozenset(reports - {"supported-report-set", "supported-report", "report"}),
        vcard4=_takes_vcard4(entry),
    )


def _kinds(entry: Entry) -> frozenset[Kind]:
    """Return the kinds of a calendar; a server that names no components takes all (4791 5.2.3)."""
    found = entry.props.get(_COMPONENT_SET)
    if found is None:
        return frozenset(COMPONENTS.values())
    names = {each.get("name", "").upper() for each in found.iter(f"{CAL}comp")}
    return frozenset(kind for name, kind in COMPONENTS.items() if name in names)


def _takes_vcard4(entry: Entry) -> bool:
    found = entry.props.get(_CARD_DATA)
    if found is None:
        return False
    versions = {each.get("version") for each in found.iter(f"{CARD}address-data-type")}
    return "4.0" in versions and "3.0" not in versions


def _resource_id(entry: Entry) -> str:
    """Return the id that a place keeps wherever it moves, and never shares (RFC 5842 3.1)."""
    found = entry.props.get(_RESOURCE_ID)
    return "" if found is None else "".join(found.itertext()).strip()


def _addresses(entry: Entry) -> frozenset[str]:
    found = entry.props.get(_ADDRESSES)
    if found is None:
        return frozenset()
    texts = (each.text.strip() for each in found.iter(f"{DAV}href") if each.text)
    return frozenset(
        text.partition(":")[2].casefold() for text in texts if text[:7].casefold() == "mailto:"
    )


def _anonymous(http: Http, reply: Reply) -> AccordError:
    return ConfigError(
        f"{http.url(reply.ref)}: the server doesn't say who signed in",
        field="auth",
        hint="set 'auth' to basic or digest, or 'url' to the DAV part of the server",
        code="no-principal",
    )


def _refusal(http: Http, reply: Reply) -> AccordError:
    error = _session_error(reply, http.url(reply.ref))
    if isinstance(error, ConfigError) and not error.hint:
        error.hint = "set 'url' to the CalDAV/CardDAV address that the server's documentation names"
    return error


def _session_error(reply: Reply, what: str) -> AccordError:
    """Return the error for a refusal that concerns the whole session, not one item."""
    if reply.ok:
        return ConfigError(
            f"{what}: the answer {reply.status} isn't one of a DAV server", field="url"
        )
    error = reply.error(what)
    if isinstance(error, ItemError):
        return ConfigError(str(error), field="url", code=error.code)
    return error
