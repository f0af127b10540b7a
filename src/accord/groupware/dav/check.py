"""What `accord check` says about a target: each step tried, and how to mend what fails.

`adapter.check` calls it; it writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from accord.groupware.dav import folders
from accord.groupware.dav.discovery import Place
from accord.groupware.dav.server import Server
from accord.groupware.dav.session import DavSession
from accord.groupware.dav.settings import Config
from accord.model.kinds import Kind
from accord.ports.adapter import Finding
from accord.ports.checking import attempt, clock, encryption
from accord.ports.folders import no_folder

_GOOD = "the certificate is trusted"
_SIGN_IN = "check login name and password; many servers want an app password"
_NAMES = {Kind.EVENT: "calendar", Kind.TASK: "task list", Kind.CONTACT: "address book"}


def findings(server: Server, principal: str) -> tuple[Finding, ...]:
    """Return the findings in the order in which things depend on each other.

    Without a principal only the connection is tried.
    """
    return tuple(_steps(server, principal))


def _steps(server: Server, principal: str) -> Iterator[Finding]:
    reached = attempt(
        "connection", lambda: server.http.ask(None, "OPTIONS", server.http.start), _SIGN_IN
    )
    if isinstance(reached, Finding):
        yield reached
        return
    name = reached.headers.get("server", "a server that doesn't name itself")
    yield Finding(subject="connection", ok=True, detail=f"{server.http.home} answers: {name}")
    yield encryption(server.config.url, verify=server.config.verify, good=_GOOD)
    if not principal:
        yield clock(server.clock())
        return
    place = attempt("sign-in and discovery", lambda: server.place(principal, fresh=True), _SIGN_IN)
    if isinstance(place, Finding):
        yield place
        return
    yield Finding(subject="sign-in and discovery", ok=True, detail=f"principal {place.principal}")
    yield from _collections(server, principal, place)
    yield from _defaults(server.config, principal, place)
    yield _scheduling(place)
    yield clock(server.clock())


def _collections(server: Server, principal: str, place: Place) -> Iterator[Finding]:
    if not place.collections:
        yield Finding(
            subject="folders",
            ok=False,
            detail="the person has neither a calendar nor an address book",
            hint="make one on the server; or name calendar, task_list and address_book in the "
            "settings, with create_missing = true",
        )
    with DavSession(server, principal) as session:
        for each in place.collections:
            tried = attempt(
                f"folder {each.name}", partial(session.probe, each.ref, min(each.kinds)), _SIGN_IN
            )
            if isinstance(tried, Finding):
                yield tried
                continue
            kinds = ", ".join(sorted(each.kinds))
            access = "may be read and written" if each.writable else "may only be read"
            way = "sync-collection" if tried else "getctag and ETags"
            detail = f"{kinds}; {access}; changes by {way}"
            yield Finding(subject=f"folder {each.name}", ok=True, detail=detail)


def _defaults(config: Config, principal: str, place: Place) -> Iterator[Finding]:
    for kind, what in _NAMES.items():
        subject = f"default {what}"
        chosen, why = folders.chosen(config, place, kind)
        named = folders.named_in_settings(config, place, kind)
        if chosen is not None:
            detail = f"{chosen.name} ({chosen.ref}), {why}"
            yield Finding(subject=subject, ok=True, detail=detail)
        elif named is None:
            detail = f"there is no {what} that may be written"
            hint = "name one in the settings; create_missing = true makes it"
            yield Finding(subject=subject, ok=False, detail=detail, hint=hint)
        elif named.folder:
            detail = f"{named.name!r} will be made when first needed"
            yield Finding(subject=subject, ok=True, detail=detail)
        else:
            there = folders.folders(config, place)
            error = no_folder(principal, named.name, kind, there, named.setting)
            yield Finding(subject=subject, ok=False, detail=str(error), hint=error.hint)


def _scheduling(place: Place) -> Finding:
    if not place.schedules:
        return Finding(subject="scheduling", ok=True, detail="the server mails nobody by itself")
    who = ", ".join(sorted(place.addresses)) or "an address that it doesn't name"
    detail = f"the server mails attendees by itself, as {who}; Accord's own entries say it must not"
    return Finding(subject="scheduling", ok=True, detail=detail)
