"""What `accord check` says about a target: each step tried, and how to mend what fails.

`adapter.check` calls it; it writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit

from accord.groupware.dav import folders
from accord.groupware.dav.discovery import Place
from accord.groupware.dav.server import Server
from accord.groupware.dav.session import DavSession
from accord.groupware.dav.settings import Config
from accord.model.kinds import Kind
from accord.ports.adapter import Finding
from accord.ports.errors import AccordError, AuthFailed, ConfigError, Retry

T = TypeVar("T")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NAMES = {Kind.EVENT: "calendar", Kind.TASK: "task list", Kind.CONTACT: "address book"}


def findings(server: Server, principal: str) -> tuple[Finding, ...]:
    """Return the findings in the order in which things depend on each other.

    Without a principal only the connection is tried.
    """
    return tuple(_steps(server, principal))


def _steps(server: Server, principal: str) -> Iterator[Finding]:
    reached = _attempt("connection", lambda: server.http.ask(None, "OPTIONS", server.http.start))
    if isinstance(reached, Finding):
        yield reached
        return
    name = reached.headers.get("server", "a server that doesn't name itself")
    yield Finding(subject="connection", ok=True, detail=f"{server.http.home} answers: {name}")
    yield _encryption(server.config)
    if not principal:
        return
    place = _attempt("sign-in and discovery", lambda: server.place(principal, fresh=True))
    if isinstance(place, Finding):
        yield place
        return
    yield Finding(subject="sign-in and discovery", ok=True, detail=f"principal {place.principal}")
    yield from _collections(server, principal, place)
    yield from _defaults(server.config, place)
    yield _scheduling(place)
    yield _clock(server)


def _attempt(subject: str, act: Callable[[], T]) -> T | Finding:
    try:
        return act()
    except AccordError as error:
        return Finding(subject=subject, ok=False, detail=str(error), hint=_hint(error))


def _hint(error: AccordError) -> str:
    match error:
        case ConfigError() if error.hint:
            return error.hint
        case AuthFailed():
            return "check login name and password; many servers want an app password"
        case Retry():
            return "check address, port and firewall, and whether the server is running"
        case _:
            return ""


def _encryption(config: Config) -> Finding:
    parts = urlsplit(config.url)
    if parts.scheme == "https":
        if config.verify:
            return Finding(subject="encryption", ok=True, detail="the certificate is trusted")
        return Finding(
            subject="encryption",
            ok=False,
            detail="the certificate is NOT checked: anybody on the way can read passwords",
            hint="set verify = true, and ca_file if the server has an authority of its own",
        )
    local = parts.hostname in _LOOPBACK
    return Finding(
        subject="encryption",
        ok=local,
        detail="no encryption"
        + (", but on this very machine" if local else ": readable on the way"),
        hint="" if local else "use https://",
    )


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
            tried = _attempt(
                f"folder {each.name}", partial(session.probe, each.ref, min(each.kinds))
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


def _clock(server: Server) -> Finding:
    skew = server.clock_skew
    if skew is None:
        return Finding(subject="clock", ok=True, detail="the server doesn't tell its time")
    return Finding(
        subject="clock",
        ok=abs(skew) < 60,
        detail=f"the server's clock differs by {abs(skew):.0f} s",
        hint="" if abs(skew) < 60 else "let both machines ask a time server",
    )
