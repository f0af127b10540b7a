"""Push notifications: what happened is posted to a listener, and now and then that nothing did."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import httpx2
from lxml import etree

from accord.sandbox.exchange import events, soap
from accord.sandbox.exchange.notices import Notices, Subscription
from accord.sandbox.exchange.store import Store
from accord.sandbox.exchange.streaming import Pace
from accord.sandbox.exchange.xml import Node, flag, local, m, parse, t

_MOST = 100
_PATIENCE = 10.0
HEADERS = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": ""}


@dataclass(slots=True)
class _Target:
    """Where a subscription's news go. `due` is when to post next, `failing` since when it fails."""

    held: Subscription
    url: str
    minutes: int
    due: float
    failing: float | None = None
    pause: float = 0.0


class Push:
    """Post to listeners from a thread of its own, which begins with the first subscription.

    A listener that does not answer is tried again after half a minute, then after twice as long
    each time; when that has lasted as long as its status frequency, the subscription is lost.
    """

    def __init__(
        self,
        store: Store,
        notices: Notices,
        pace: Pace,
        witness: Callable[[Literal["request", "answer"], bytes], None],
    ) -> None:
        self._store, self._notices, self._pace, self._witness = store, notices, pace, witness
        self._targets: dict[int, _Target] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ended = False

    def add(self, held: Subscription, url: str, minutes: int) -> None:
        """Post the news of a subscription to `url`, and every so many minutes that all is well."""
        with self._changed:
            self._targets[held.number] = _Target(held, url, minutes, time.monotonic())
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="push", daemon=True)
                self._thread.start()
            self._changed.notify()

    def heard(self, mailboxes: set[int]) -> None:
        """Let those who listen to one of these mailboxes be told soon."""
        with self._changed:
            for each in self._targets.values():
                if each.held.wanted.mailbox in mailboxes and each.failing is None:
                    each.due = 0.0
            self._changed.notify()

    def stop(self) -> None:
        """Post no more."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(_PATIENCE + 5)

    def _run(self) -> None:
        with httpx2.Client(timeout=_PATIENCE, trust_env=False, headers=HEADERS) as client:
            while (target := self._next()) is not None:
                self._post(client, target)

    def _next(self) -> _Target | None:
        """Wait until a target is due and return it; None at the end."""
        with self._changed:
            while not self._ended:
                for number in [*self._targets]:
                    if not self._notices.holds(number):
                        del self._targets[number]
                first = min(self._targets.values(), key=lambda each: each.due, default=None)
                now = time.monotonic()
                if first is not None and first.due <= now:
                    first.due = now + first.minutes * self._pace.minute
                    return first
                self._changed.wait(None if first is None else first.due - now)
            return None

    def _post(self, client: httpx2.Client, target: _Target) -> None:
        held = target.held
        found, end = events.since(self._store, held.wanted, held.position, _MOST)
        more = bool(events.since(self._store, held.wanted, end, 1)[0])
        text = soap.write_push(self._told(held, found, end, more=more))
        self._witness("answer", text)
        try:
            reply = client.post(target.url, content=text)
            status = self._status(reply.content) if reply.status_code == httpx2.codes.OK else None
        except httpx2.HTTPError:
            status = None
        with self._changed:
            if status is None:
                self._failed(target)
                return
            held.position = end
            target.failing, target.pause = None, 0.0
            if more:
                target.due = 0.0
        if status == "Unsubscribe":
            self._notices.remove(held)

    def _failed(self, target: _Target) -> None:
        now = time.monotonic()
        target.failing = target.failing or now
        target.pause = target.pause * 2 or self._pace.minute / 2
        target.due = now + target.pause
        if target.due > target.failing + target.minutes * self._pace.minute:
            self._notices.remove(target.held)

    def _told(self, held: Subscription, found: list[events.Event], end: int, *, more: bool) -> Node:
        mailbox = held.wanted.mailbox
        status = t("StatusEvent", t("Watermark", events.write(mailbox, end)))
        told = [events.view(each, marked=True) for each in found] or [status]
        notification = m(
            "Notification",
            t("SubscriptionId", self._notices.name(held)),
            t("PreviousWatermark", events.write(mailbox, held.position)),
            t("MoreEvents", flag(more)),
            *told,
        )
        parts = (m("ResponseCode", "NoError"), notification)
        message = m("SendNotificationResponseMessage", *parts, ResponseClass="Success")
        return m("SendNotification", m("ResponseMessages", message))

    def _status(self, text: bytes) -> str | None:
        """Return what a listener wants: OK or Unsubscribe; None where it makes no sense."""
        try:
            root = parse(text)
        except etree.XMLSyntaxError:
            return None
        for each in root.iter("{*}SubscriptionStatus"):
            parent = each.getparent()
            if parent is not None and local(parent) == "SendNotificationResult":
                self._witness("request", text)
                return each.text if each.text in ("OK", "Unsubscribe") else None
        return None
