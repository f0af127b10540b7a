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
    yield from _defaults(server.config, place)
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


def _defaults(config: Config, place: Place) -> Iterator[Finding]:
    for kind, what in _NAMES.items():
        chosen, why = folders.chosen(config, place, kind)
        if chosen is not None:
            detail = f"{chosen.name} ({chosen.ref}), {why}"
            yield Finding(subject=f"default {what}", ok=True, detail=detail)
        else:
            lacking = {k: n for n, k in folders.lacking(config, place)}
            will = f"{lacking[kind]!r} will be made when first needed" if kind in lacking else ""
            yield Finding(
                subject=f"default {what}",
                ok=bool(will),
                detail=will or f"there is no {what} that may be written",
                hint="" if will else "name one in the settings; create_missing = true makes it",
            )


def _scheduling(place: Place) -> Finding:
    if not place.schedules:
        return Finding(subject="scheduling", ok=True, detail="the server mails nobody by itself")
    who = ", ".join(sorted(place.addresses)) or "an address that it doesn't name"
    detail = f"the server mails attendees by itself, as {who}; Accord's own entries say it must not"
    return Finding(subject="scheduling", ok=True, detail=detail)
