"""Automatic replies over GetUserOofSettings and SetUserOofSettings, in trees and back.

`session` asks here. Elements: the schema's UserOofSettings; its times are UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime

from accord.groupware.exchange import wire
from accord.groupware.exchange.client import Client
from accord.groupware.exchange.wire import Message, Node, m, t
from accord.model.replies import Audience, Replies
from accord.ports.errors import Retry

_AUDIENCES = {"None": Audience.NONE, "Known": Audience.KNOWN, "All": Audience.ALL}
_WORDS = {audience: word for word, audience in _AUDIENCES.items()}


def get(client: Client) -> Replies:
    """Return a mailbox's automatic replies; raises what refuses them."""
    answer = client.single(m("GetUserOofSettingsRequest", _mailbox(client)))
    return read(answer)


def put(client: Client, replies: Replies) -> None:
    """Set a mailbox's automatic replies; raises what refuses them."""
    request = m("SetUserOofSettingsRequest", _mailbox(client), written(replies))
    client.single(request, writing=True)


def read(answer: Message) -> Replies:
    """Return the replies of an answer; raises Retry where it has none."""
    settings = wire.child(answer.node, "OofSettings")
    if settings is None:
        raise Retry("the answer tells no automatic replies", after=60.0, code="incomplete")
    state = wire.text_at(settings, "OofState")
    scheduled = state == "Scheduled"
    return Replies(
        on=state not in ("Disabled", ""),
        start=_moment(settings, "StartTime") if scheduled else None,
        end=_moment(settings, "EndTime") if scheduled else None,
        inside=_text(settings, "InternalReply"),
        outside=_text(settings, "ExternalReply"),
        audience=_AUDIENCES.get(wire.text_at(settings, "ExternalAudience"), Audience.NONE),
    )


def written(replies: Replies) -> Node:
    """Return the element that sets replies; both texts stand in it, empty ones too."""
    span = None
    if replies.on and replies.start is not None and replies.end is not None:
        times = (("StartTime", replies.start), ("EndTime", replies.end))
        span = t("Duration", *[t(name, _stamp(moment)) for name, moment in times])
    state = "Disabled" if not replies.on else "Enabled" if span is None else "Scheduled"
    parts = [t("OofState", state), t("ExternalAudience", _WORDS[replies.audience])]
    if span is not None:
        parts.append(span)
    parts.append(t("InternalReply", t("Message", replies.inside)))
    parts.append(t("ExternalReply", t("Message", replies.outside)))
    return t("UserOofSettings", *parts)


def _mailbox(client: Client) -> Node:
    return t("Mailbox", t("Address", client.principal))


def _text(settings: Node, name: str) -> str:
    found = wire.child(settings, name, "Message")
    return "" if found is None else found.text or ""


def _moment(settings: Node, name: str) -> datetime | None:
    """Return a time of the schema, whole seconds; without an offset it is UTC."""
    text = wire.text_at(settings, "Duration", name)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    plain = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return plain.astimezone(UTC).replace(microsecond=0)


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"
