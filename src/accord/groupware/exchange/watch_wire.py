"""Subscriptions as requests, and what servers tell of them: streams, answers and posts.

The ways of watching (`watch_streaming`, `watch_pull`, `watch_push`) speak through this. Nothing
that is read here is trusted with more than where to look.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from accord.groupware.exchange import wire
from accord.groupware.exchange.client import Client
from accord.groupware.exchange.wire import Message, Node, m, t
from accord.ports.errors import AccordError, Retry

EVENTS = ("CopiedEvent", "CreatedEvent", "DeletedEvent", "ModifiedEvent", "MovedEvent")
"""What to hear of; mail that comes in is a CreatedEvent, too."""

LOST = frozenset(
    {
        "ErrorExpiredSubscription",
        "ErrorInvalidPullSubscriptionId",
        "ErrorInvalidSubscription",
        "ErrorInvalidWatermark",
        "ErrorMissedNotificationEvents",
        "ErrorProxyRequestNotAllowed",
        "ErrorReadEventsFailed",
        "ErrorSubscriptionNotFound",
        "ErrorSubscriptionUnsubscribed",
    }
)
"""Codes by which a subscription is over while the way as such works: a new one is made.

Microsoft: handling notification-related errors in EWS.
"""

LONGEST_ENVELOPE = 4 * 1024 * 1024
_END = re.compile(rb"</(?:[A-Za-z_][\w.-]*:)?Envelope\s*>")


class Mailbox(Struct, frozen=True):
    """Be one person's mailbox as the ways watch it: folders by the server's ids of them."""

    principal: str
    client: Client
    folders: dict[str, str]

    @property
    def places(self) -> tuple[str, ...]:
        """Return the server's ids of the folders."""
        return tuple(self.folders)


class Subscription(Struct, frozen=True):
    """Be what a server granted; the watermark is empty where it tells none."""

    id: str
    watermark: str


class Told(Struct, frozen=True):
    """Be what a notification says: of which subscription, and where something happened."""

    id: str
    places: frozenset[str]
    happened: bool
    watermark: str = ""
    more: bool = False


class Piece(Struct, frozen=True):
    """Be one envelope of a stream, read: news, subscriptions that are lost, an error that concerns
    all of them, and whether the server closes the connection.
    """

    told: tuple[Told, ...]
    lost: tuple[str, ...]
    error: AccordError | None
    closed: bool


def to_stream(mailbox: Mailbox) -> Node:
    """Return the request for a subscription to streaming."""
    return m("Subscribe", m("StreamingSubscriptionRequest", *_what(mailbox)))


def to_pull(mailbox: Mailbox, minutes: int) -> Node:
    """Return the request for a subscription that lasts so long after each look."""
    timeout = t("Timeout", str(minutes))
    return m("Subscribe", m("PullSubscriptionRequest", *_what(mailbox), timeout))


def to_push(mailbox: Mailbox, url: str, minutes: int) -> Node:
    """Return the request for a subscription whose news, or that there are none, are posted."""
    where = (t("StatusFrequency", str(minutes)), t("URL", url))
    return m("Subscribe", m("PushSubscriptionRequest", *_what(mailbox), *where))


def unsubscribe(subscription: str) -> Node:
    """Return the request to end a subscription."""
    return m("Unsubscribe", m("SubscriptionId", subscription))


def events(subscription: Subscription) -> Node:
    """Return the request for what happened behind a watermark."""
    named = m("SubscriptionId", subscription.id)
    return m("GetEvents", named, m("Watermark", subscription.watermark))


def stream(subscriptions: Sequence[str], minutes: int) -> Node:
    """Return the request for one stream of several subscriptions."""
    ids = m("SubscriptionIds", *[t("SubscriptionId", each) for each in subscriptions])
    return m("GetStreamingEvents", ids, m("ConnectionTimeout", str(minutes)))


def granted(answer: Message) -> Subscription:
    """Return the subscription of an answer; raises Retry where it names none."""
    found = answer.text("SubscriptionId")
    if not found:
        raise Retry("Subscribe: the answer names no subscription", after=60.0, code="incomplete")
    return Subscription(found, answer.text("Watermark"))


class Envelopes:
    """Cut what comes in pieces into whole envelopes."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._held = bytearray()
        self._seen = 0

    def feed(self, part: bytes) -> Iterator[bytes]:
        """Take a piece and yield the envelopes that are whole now; raises Retry without end."""
        self._held += part
        while (found := _END.search(self._held, max(self._seen - 100, 0))) is not None:
            whole = bytes(self._held[: found.end()])
            del self._held[: found.end()]
            self._seen = 0
            yield whole
        self._seen = len(self._held)
        if len(self._held) > LONGEST_ENVELOPE:
            raise Retry("a notification never ends", after=60.0, code="too-large")


def piece(text: bytes) -> Piece:
    """Read one envelope of a stream; raises the error of a SOAP fault, Retry for broken XML."""
    what = "GetStreamingEvents"
    root = wire.parse(text.lstrip())
    if (fault := wire.fault_of(root, what)) is not None:
        raise fault
    told: list[Told] = []
    lost: list[str] = []
    error: AccordError | None = None
    closed = False
    for each in wire.messages(wire.body_of(root, what), what):
        told += [_told(one) for one in each.all("Notifications", "Notification")]
        named = [(one.text or "").strip() for one in each.all("ErrorSubscriptionIds", "*")]
        lost += named
        closed |= each.text("ConnectionStatus") == "Closed"
        if each.error is not None and not named:
            error = each.error
    return Piece(tuple(told), tuple(lost), error, closed)


def pulled(answer: Message) -> Told:
    """Read the answer of GetEvents."""
    found = wire.child(answer.node, "Notification")
    return Told("", frozenset(), happened=False) if found is None else _told(found)


def posted(root: Node) -> list[Told] | None:
    """Read what was posted to the listener; None where it is no notification."""
    body = wire.children(root, "Body", "SendNotification")
    if wire.local(root) != "Envelope" or not body:
        return None
    found = wire.children(body[0], "ResponseMessages", "*", "Notification")
    return [_told(each) for each in found]


def replied(status: str) -> bytes:
    """Return what the listener says to a post: OK, or Unsubscribe."""
    return wire.envelope_of(m("SendNotificationResult", m("SubscriptionStatus", status)))


def _what(mailbox: Mailbox) -> Iterator[Node]:
    yield t("FolderIds", *[mailbox.client.place(each) for each in mailbox.places])
    yield t("EventTypes", *[t("EventType", each) for each in EVENTS])


def _told(node: Node) -> Told:
    places: set[str] = set()
    happened = False
    mark = ""
    for each in node:
        name = wire.local(each) if isinstance(each.tag, str) else ""
        if not name.endswith("Event"):
            continue
        mark = wire.text_at(each, "Watermark") or mark
        if name != "StatusEvent":
            happened = True
            places |= _places(each)
    return Told(
        wire.text_at(node, "SubscriptionId"),
        frozenset(places),
        happened,
        mark,
        wire.is_true(wire.text_at(node, "MoreEvents")),
    )


def _places(event: Node) -> set[str]:
    named = ("ParentFolderId", "OldParentFolderId", "FolderId", "OldFolderId")
    found = (wire.child(event, name) for name in named)
    return {each.get("Id", "") for each in found if each is not None}
