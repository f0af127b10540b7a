"""What `accord check` says of notifications: each way tried, and why it is none better.

`check` asks it for one person. Nothing stays behind: subscriptions are ended at once.
"""

from __future__ import annotations

import time
from contextlib import suppress

from accord.groupware.exchange import watch_pull, watch_push, watch_streaming
from accord.groupware.exchange.folders import Place
from accord.groupware.exchange.http import Route
from accord.groupware.exchange.kinds import FORMS
from accord.groupware.exchange.server import Server
from accord.groupware.exchange.watch import ways_of
from accord.groupware.exchange.watch_wire import (
    Envelopes,
    Mailbox,
    Subscription,
    events,
    granted,
    piece,
    pulled,
    stream,
    to_pull,
    to_stream,
    unsubscribe,
)
from accord.ports.adapter import Finding
from accord.ports.errors import AccordError, ConfigError, Retry
from accord.ports.watcher import POLL

_SUBJECT = "notifications"
_SILENCE = 20.0
_HINT = "set notifications to another way, or to auto, which takes the next one by itself"


def notifications(server: Server, principal: str, place: Place) -> Finding:
    """Say in which way somebody's changes can be heard of."""
    config = server.config
    order = ways_of(config)
    if not order:
        detail = "none, the settings want it so: `accord run` looks by the clock"
        return Finding(subject=_SUBJECT, ok=True, detail=detail)
    mailbox = _mailbox(server, principal, place)
    reasons: list[str] = []
    for name in order:
        try:
            said = _try(name, mailbox, config.push_url)
        except AccordError as error:
            reasons.append(f"{name}: {error}")
            continue
        why = f"; not better, because {'; '.join(reasons)}" if reasons else ""
        return Finding(subject=_SUBJECT, ok=True, detail=f"{said}{why}")
    return Finding(
        subject=_SUBJECT,
        ok=config.notifications == "auto",
        detail=f"{POLL}: `accord run` looks by the clock, because {'; '.join(reasons)}",
        hint="" if config.notifications == "auto" else _HINT,
    )


def _mailbox(server: Server, principal: str, place: Place) -> Mailbox:
    wanted = (place.roles.get(form.role, "") for form in FORMS.values())
    own = next((each for each in wanted if each), "")
    return Mailbox(principal, server.client(principal), {own: own} if own else {})


def _try(name: str, mailbox: Mailbox, push_url: str) -> str:
    """Return what is to be said of a way that works; raises why it doesn't."""
    if not mailbox.folders:
        raise ConfigError("there is no folder to watch", field="folder")
    if name == watch_push.NAME:
        return f"push to {push_url}; whether Exchange reaches it shows `accord run`"
    route = Route(mailbox.principal, lasting=True)
    if name == watch_pull.NAME:
        made = granted(mailbox.client.one(to_pull(mailbox, 1), route))
        try:
            pulled(mailbox.client.one(events(made), route))
        finally:
            _end(mailbox, route, made)
        return "pull: `accord run` asks every few seconds"
    made = granted(mailbox.client.one(to_stream(mailbox), route))
    try:
        _listen(mailbox, route, made)
    finally:
        _end(mailbox, route, made)
    return f"{watch_streaming.NAME}: changes are heard of at once"


def _listen(mailbox: Mailbox, route: Route, made: Subscription) -> None:
    """Wait for the stream's first sign of life, which comes at once unless something holds it."""
    envelopes, began = Envelopes(), time.monotonic()
    request = stream([made.id], 1)
    with mailbox.client.held(request, route, _SILENCE) as held:
        if held.status != 200:
            raise watch_streaming.answered(held)
        for part in held.parts():
            if time.monotonic() - began > _SILENCE:
                break
            for text in envelopes.feed(part):
                read = piece(text)
                if read.error is not None:
                    raise read.error
                if read.lost:
                    raise Retry("the server doesn't find what it granted", code="lost")
                if not read.closed:
                    return
    raise Retry("nothing comes before the end of the answer", after=60.0, code="held-back")


def _end(mailbox: Mailbox, route: Route, made: Subscription) -> None:
    with suppress(AccordError):
        mailbox.client.one(unsubscribe(made.id), route)
