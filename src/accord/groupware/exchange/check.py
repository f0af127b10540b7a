"""What `accord check` says about a target: each step tried, and how to mend what fails.

`adapter.check` calls it; it writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from accord.groupware.exchange import folders
from accord.groupware.exchange.folders import Found, Place
from accord.groupware.exchange.kinds import FORMS
from accord.groupware.exchange.server import Server
from accord.groupware.exchange.session import ExchangeSession
from accord.groupware.exchange.settings import Config
from accord.groupware.exchange.watch_check import notifications
from accord.model.kinds import Kind
from accord.ports.adapter import Finding
from accord.ports.checking import attempt, clock, encryption
from accord.ports.folders import no_folder

_GOOD = "the certificate is checked"
_SIGN_IN = "check login name and password, and that the server offers this way to sign in"
_NAMES = {Kind.EVENT: "calendar", Kind.TASK: "task folder", Kind.CONTACT: "contact folder"}
_ACCESS = {
    "impersonation": "the service account acts as the person",
    "delegate": "the service account opens the person's folders",
    "own": "the person's own login",
}


def findings(server: Server, principal: str) -> tuple[Finding, ...]:
    """Return the findings in the order in which things depend on each other.

    Without a principal only the connection is tried.
    """
    return tuple(_steps(server, principal))


def _steps(server: Server, principal: str) -> Iterator[Finding]:
    if principal and not server.config.url:
        url = attempt("autodiscover", lambda: server.url(principal), _SIGN_IN)
        if isinstance(url, Finding):
            yield url
            return
        yield Finding(subject="autodiscover", ok=True, detail=url)
    if principal or server.config.url:
        yield encryption(server.config.url, verify=server.config.verify, good=_GOOD)
    if not principal:
        yield from _reached(server)
        return
    place = attempt("sign-in and folders", lambda: server.place(principal, fresh=True), _SIGN_IN)
    if isinstance(place, Finding):
        yield place
        return
    version = server.http.version or "a version that it doesn't tell"
    detail = f"{_ACCESS[server.config.access]} by {server.config.auth}; Exchange {version}"
    yield Finding(subject="sign-in and folders", ok=True, detail=detail)
    yield from _folders(server, principal, place)
    yield from _defaults(server.config, principal, place)
    yield _trash(place)
    yield notifications(server, principal, place)
    zone = server.config.time_zone
    yield Finding(subject="time zone", ok=True, detail=f"whole days are days in {zone}")
    yield clock(server.clock(principal))


def _reached(server: Server) -> Iterator[Finding]:
    """Try the address without anybody's mailbox: a login that is asked for is an answer, too."""
    if not server.config.url:
        yield Finding(subject="connection", ok=True, detail="found for each person (Autodiscover)")
        return
    reached = attempt("connection", server.reach, _SIGN_IN)
    if isinstance(reached, Finding):
        yield reached
        return
    yield Finding(subject="connection", ok=True, detail=f"{server.config.url} answers")
    yield clock(server.clock(""))


def _folders(server: Server, principal: str, place: Place) -> Iterator[Finding]:
    usable = [each for each in place.found if each.kinds and not each.trash]
    with ExchangeSession(server, principal) as session:
        for each in usable:
            tried = attempt(f"folder {each.name}", partial(session.probe, each.ref), _SIGN_IN)
            yield tried if isinstance(tried, Finding) else _good(each)


def _good(folder: Found) -> Finding:
    kinds = ", ".join(sorted(folder.kinds))
    access = "may be read and written" if folder.writable else "may only be read"
    detail = f"{kinds}; {access}; changes by SyncFolderItems"
    return Finding(subject=f"folder {folder.name}", ok=True, detail=detail)


def _defaults(config: Config, principal: str, place: Place) -> Iterator[Finding]:
    listed = folders.folders(config, place)
    planned = {each.ref for each in place.lacking}
    for kind in FORMS:
        name = _NAMES[kind]
        named = folders.named_in_settings(config, place, kind)
        chosen = next((each for each in listed if each.default and kind in each.kinds), None)
        if named is not None and not named.folder:
            error = no_folder(principal, named.name, kind, listed, named.setting)
            hint = error.hint
            yield Finding(subject=f"default {name}", ok=False, detail=str(error), hint=hint)
        elif chosen is None:
            detail = f"the person's own {name} can't be seen"
            hint = "name another one in the settings, or give the account rights on it"
            yield Finding(subject=f"default {name}", ok=False, detail=detail, hint=hint)
        elif chosen.id in planned:
            detail = f"{chosen.name!r} will be made when first needed"
            yield Finding(subject=f"default {name}", ok=True, detail=detail)
        else:
            yield Finding(subject=f"default {name}", ok=True, detail=chosen.name)


def _trash(place: Place) -> Finding:
    if place.whole:
        return Finding(subject="deletions", ok=True, detail="looked for in Deleted Items first")
    return Finding(
        subject="deletions",
        ok=False,
        detail="Deleted Items or other folders can't be looked at, so no deletion is believed",
        hint="let the account read all of the mailbox, or use impersonation",
    )
