"""A person's collections as folders: the default of each kind, and making those that lack.

`session` plans what lacks and makes it with the first write (RFC 4791 5.3.1, RFC 5689).
"""

from __future__ import annotations

import hashlib
import re

import msgspec

from accord.groupware.dav import wire
from accord.groupware.dav.client import Client, folder_answer, is_folder
from accord.groupware.dav.discovery import COMPONENTS, Collection, Place
from accord.groupware.dav.hrefs import name_of, origin, ref_of, tidy
from accord.groupware.dav.settings import Config
from accord.model.kinds import Kind
from accord.ports.adapter import Folder
from accord.ports.errors import ConfigError, Denied, ItemError, Rejected
from accord.ports.folders import Named

_USUAL = {"calendar", "personal", "default"}
_USUAL_LISTS = {"tasks", "todo", "to-do"}
_FIRST = "the first that may be written"
OWN_BOOK = "CRM contacts"
"""What the address book is called into which contacts go where the settings name none."""

_MADE = re.compile(r"accord-[a-z]+-[0-9a-f]{12}").fullmatch
"""What the last part of the path of a collection that we make looks like."""

_SETTING = {Kind.EVENT: "calendar", Kind.TASK: "task_list", Kind.CONTACT: "address_book"}


def folders(config: Config, place: Place) -> tuple[Folder, ...]:
    """Return the collections as folders; of several defaults the one for fewest kinds first."""
    defaults = {kind: default(config, place, kind) for kind in _SETTING}
    found = [
        Folder(
            id=each.ref,
            name=each.name,
            kinds=each.kinds,
            default=each.ref in {d.ref for d in defaults.values() if d is not None},
            writable=each.writable,
        )
        for each in place.collections
    ]
    return tuple(sorted(found, key=lambda f: (not f.default, len(f.kinds), f.name.casefold())))


def default(config: Config, place: Place, kind: Kind) -> Collection | None:
    """Return the collection for items of a kind where nobody chose; None where there is none."""
    return chosen(config, place, kind)[0]


def chosen(config: Config, place: Place, kind: Kind) -> tuple[Collection | None, str]:
    """Return the default collection of a kind, and in plain words why it is that one.

    That is the one the settings name; for contacts a book of their own, so that nobody's
    address book is filled with the CRM's; else the server's choice; else, of those that may be
    written, one for events called like a calendar of one's own, or one that takes events only.
    Tasks go into a list that takes only tasks, else where events go if that takes them.
    """
    wanted = _wanted(config, kind)
    if wanted:
        why = "named in the settings" if _setting(config, kind) else "kept for the CRM's contacts"
        return named(place, wanted, kind), why
    writable = [each for each in place.holding(kind) if each.writable]
    if not writable:
        return None, _FIRST
    for each in writable:
        if each.ref == place.default:
            return each, "the server's choice"
    if kind is Kind.EVENT:
        best = min(writable, key=lambda each: (not _called(each), not _alone(each)))
        why = "it takes events only" if _alone(best) else _FIRST
        return best, "by its name" if _called(best) else why
    best = min(writable, key=lambda each: (not _alone(each), not _called(each)))
    if _alone(best):
        return best, "it takes tasks only"
    events = default(config, place, Kind.EVENT)
    return (events, "where events go, too") if events in writable else (writable[0], _FIRST)


def named_in_settings(config: Config, place: Place, kind: Kind) -> Named | None:
    """Return the collection of a kind that the settings name, or the book of the CRM's contacts.

    Among them is one that the first write makes; None where the settings leave it open.
    """
    wanted = _wanted(config, kind)
    if not wanted:
        return None
    found = named(planned(config, place), wanted, kind)
    ref = found.ref if found is not None else ""
    there = place.collection(ref) is not None
    return Named(setting=_SETTING[kind], name=wanted, folder=ref, there=there)


def _alone(collection: Collection) -> bool:
    return len(collection.kinds) == 1


def _called(collection: Collection) -> bool:
    """Tell whether people or servers call the collection that they use by default like this."""
    names = {collection.name.casefold(), name_of(collection.ref).casefold()}
    usual = _USUAL if Kind.EVENT in collection.kinds else _USUAL | _USUAL_LISTS
    return not names.isdisjoint(usual)


def lacking(config: Config, place: Place) -> list[tuple[str, Kind]]:
    """Return name and kind of collections that are to be made for this person.

    Those that the settings name, where they say so, and the book of the CRM's contacts.
    """
    kinds = [kind for kind in _SETTING if config.create_missing or not _setting(config, kind)]
    wanted = ((_wanted(config, kind), kind) for kind in kinds)
    return [(name, kind) for name, kind in wanted if name and named(place, name, kind) is None]


def planned(config: Config, place: Place) -> Place:
    """Return the place with the collections that lack, as if they were there.

    Nothing is asked or made: their refs follow from name and kind.
    """
    extra = [
        Collection(
            ref=f"{home}{made_name(name, kind)}/",
            name=name,
            kinds=frozenset({kind}),
            writable=True,
            reports=frozenset(),
        )
        for name, kind in lacking(config, place)
        for home in _homes(place, kind)[:1]
    ]
    return msgspec.structs.replace(place, collections=(*place.collections, *extra))


def named(place: Place, name: str, kind: Kind) -> Collection | None:
    """Return the collection of this path or name that holds items of a kind."""
    ref = name if name.endswith("/") else name + "/"
    ref = tidy(ref) if name.startswith("/") else ref
    holding = place.holding(kind)
    made = f"/{made_name(name, kind)}/"  # a person may have renamed what we made
    by_ref = (each for each in holding if each.ref == ref or each.ref.endswith(made))
    by_name = (each for each in holding if each.name == name)
    return next(by_ref, None) or next(by_name, None)


def made_name(name: str, kind: Kind) -> str:
    """Return the last part of the path of a collection that we make."""
    return f"accord-{kind}-{hashlib.sha256(f'{kind}/{name}'.encode()).hexdigest()[:12]}"


def make(client: Client, place: Place, name: str, kind: Kind) -> None:
    """Make a collection; its place follows from name and kind, so trying again makes no second.

    Raises Denied or Rejected where the server doesn't allow it.
    """
    homes = _homes(place, kind)
    if not homes:
        raise Denied(f"the server has no place for collections of kind {kind}")
    ref = f"{homes[0]}{made_name(name, kind)}/"
    if kind is Kind.CONTACT:
        method, body = "MKCOL", wire.make_address_book(name)
    else:
        components = [text for text, each in COMPONENTS.items() if each is kind]
        method, body = "MKCALENDAR", wire.make_calendar(name, components)
    headers = {"Content-Type": "application/xml; charset=utf-8"}
    reply, unsure = client.write(method, ref, body, headers)
    there = reply.status == 405 or "resource-must-be-null" in reply.conditions
    if not reply.ok and not (there and unsure):
        raise reply.error(ref)


def remove(client: Client, ref: str) -> None:
    """Delete a collection; raises Rejected unless it is empty and `make` made it."""
    if not _MADE(name_of(ref)):
        raise Rejected(f"Accord didn't make {ref}, and doesn't remove it", code="not-ours")
    inside = folder_answer(client.propfind(ref, (wire.ETAG,), 1), ref).entries
    if any(not is_folder(each, ref) for each in inside):
        raise Rejected(f"{ref} isn't empty", code="not-empty")
    reply, unsure = client.write("DELETE", ref, b"", {})
    if not reply.ok and not (unsure and reply.status == 404):
        raise reply.error(ref)


def make_planned(client: Client, place: Place, name: str, kind: Kind) -> None:
    """Make a collection that the first write needs; raises ConfigError where that is refused."""
    try:
        make(client, place, name, kind)
    except ItemError as error:
        raise ConfigError(
            f"{name!r} can't be made for {kind}s: {error}",
            field=_SETTING[kind],
            hint="make it by hand, or name another one in the target's settings or in the link",
        ) from error


def _homes(place: Place, kind: Kind) -> tuple[str, ...]:
    return place.card_homes if kind is Kind.CONTACT else place.calendar_homes


def _wanted(config: Config, kind: Kind) -> str:
    """Return the name or ref of the collection to use; empty where nothing says which."""
    return _setting(config, kind) or (OWN_BOOK if kind is Kind.CONTACT else "")


def _setting(config: Config, kind: Kind) -> str:
    """Return the name or ref that the settings give; a whole address counts as its ref."""
    wanted = str(getattr(config, _SETTING[kind])).strip()
    return ref_of(wanted, "/", origin(config.url)) if "://" in wanted else wanted
