"""Questions of a connector: what became of items, who is who, what the CRM is and what it can do.

As many answers as fit are given; the connector asks again for the rest. A single answer that is
larger than a message goes in parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, cast

import msgspec

from accord.formats import wire
from accord.formats.syncml import message as m
from accord.formats.syncml.message import Item, Location, Meta
from accord.formats.syncml.status import StatusCode
from accord.formats.wire import Told
from accord.interface.connector import files, room
from accord.interface.connector.places import Place, find, resource
from accord.interface.connector.refusing import refuse, status_of
from accord.interface.server.house import Turn
from accord.interface.server.talk import Rest
from accord.model.canonical import InvalidItem
from accord.model.kinds import Kind
from accord.model.learning import learnt
from accord.model.observe import Seen, Unknown
from accord.ports.adapter import Ask, Feed, People, Question
from accord.ports.errors import AccordError, ConfigError, Denied, Rejected
from accord.ports.token import CONNECTOR

_FETCH = 50
_ANSWER = "answer"


def get(turn: Turn, command: m.Get) -> None:
    """Answer what is asked of items or of the CRM, each address with one item, in order."""
    uris = [item.target.uri if item.target else "" for item in command.items]
    _deliver(turn, command.cmd_id, "Get", _answers(turn, uris), uris[0][:100] if uris else "")


def search(turn: Turn, command: m.Search) -> None:
    """Look items up: for each question, in order, all that match."""
    uri = command.sources[0].uri if command.sources else ""
    _deliver(turn, command.cmd_id, "Search", _found(turn, uri, command.data), uri[:100])


def go_on(turn: Turn, command: m.Alert) -> None:
    """Send the next part of an answer that is under way."""
    turn.reply.status(command.cmd_id, "Alert", StatusCode.OK)
    connector = turn.talk.connector
    assert connector is not None
    if connector.rest is not None and turn.reply.settle():
        _send_part(turn, connector.rest)


def _deliver(
    turn: Turn, number: str, name: str, answers: Iterator[tuple[str, Told]], where: str
) -> None:
    """Send the answers that fit behind the status; an error instead where there is one."""
    reply, connector = turn.reply, turn.talk.connector
    assert connector is not None
    connector.rest = None
    items: list[Item] = []
    fitted = reply.settle()
    left = reply.left - room.COMMAND
    try:
        for ref, told in answers if fitted else ():
            taken = room.cost(ref, told)
            if taken > left:
                if not items and left > reply.limit // 2:
                    connector.rest = _rest(turn, number, ref, told)
                break
            left -= taken
            items.append(room.item(ref, told))
    except InvalidItem as error:
        refuse(turn, number, name, Rejected(str(error)), where)
        return
    except AccordError as error:
        refuse(turn, number, name, error, where)
        return
    status_of(turn, number, name, StatusCode.OK)
    if connector.rest is not None:
        reply.settle()
        _send_part(turn, connector.rest)
    elif items:
        to = turn.message.header.msg_id
        reply.owe(m.Results(cmd_id="1", msg_ref=to, cmd_ref=number, items=tuple(items)))


def _rest(turn: Turn, number: str, ref: str, told: Told) -> Rest:
    return Rest(
        message=turn.message.header.msg_id,
        command=number,
        uri=wire.name(ref),
        sort=told.sort,
        version=wire.name(told.version) if told.version else "",
        text=told.text or "",
    )


def _send_part(turn: Turn, rest: Rest) -> None:
    reply, connector = turn.reply, turn.talk.connector
    assert connector is not None
    space = reply.left - room.COMMAND - room.ENVELOPE - 5 * len(rest.uri + rest.version)
    text = wire.piece(rest.text, rest.at, space)
    size = len(rest.text.encode()) if rest.at == 0 else None
    rest.at += len(text)
    more = rest.at < len(rest.text)
    meta = Meta(mark=rest.sort, version=rest.version or None, size=size)
    item = Item(source=Location(rest.uri), meta=meta, data=text, more_data=more)
    reply.owe(m.Results(cmd_id="1", msg_ref=rest.message, cmd_ref=rest.command, items=(item,)))
    if not more:
        connector.rest = None


def _answers(turn: Turn, uris: Sequence[str]) -> Iterator[tuple[str, Told]]:
    traits = turn.house.crm.traits
    for stored, some in groupby(uris, lambda uri: uri.removeprefix("./").startswith("item/")):
        if not stored:
            for uri in some:
                yield uri, Told(_ANSWER, "", _resource(turn, uri))
            continue
        places = [_place(turn, uri) for uri in some]
        for (kind, folder, file), same in groupby(places, _together):
            assert kind in traits.kinds
            if file:
                for place in same:
                    yield place.ref, files.piece(turn, place)
                continue
            asks = [
                Ask(ref=p.ref, uid=p.more.get("uid", ""), marker=p.more.get("marker", ""))
                for p in same
            ]
            for at in range(0, len(asks), _FETCH):
                for one in turn.crm.fetch(folder, kind, asks[at : at + _FETCH]):
                    yield one.ref, _bounded(turn, one)


def _together(place: Place) -> tuple[Kind, str, bool]:
    """Return what places have in common that are answered together."""
    return place.kind, place.folder, "file" in place.more


def _bounded(turn: Turn, one: Any) -> Told:
    told, most = wire.tell(one), turn.house.settings.max_object
    size = len((told.text or "").encode())
    if size <= most or not isinstance(one, Seen):
        return told
    why = f"its {size:,} bytes are more than CRM.interface sends ({most:,})"
    return wire.tell(Unknown(one.ref, why=why, version=one.snapshot.version))


def _place(turn: Turn, uri: str) -> Place:
    place = find(uri, turn.house.crm.traits)
    if place is None or turn.talk.user == CONNECTOR:
        raise Rejected(f"there is no store {uri[:100]!r}", code="store")
    return place


def _found(turn: Turn, uri: str, data: str) -> Iterator[tuple[str, Told]]:
    place = _place(turn, uri)
    questions = wire.decode(data, list[Question])
    for at in range(0, len(questions), _FETCH):
        some = questions[at : at + _FETCH]
        found = turn.crm.lookup(place.folder, place.kind, some)
        for number, many in enumerate(found, at):
            yield str(number), Told(_ANSWER, "", wire.encode(many))


def _resource(turn: Turn, uri: str) -> str:
    """Return what a resource holds, as JSON; raises Denied for what concerns other users, too."""
    crm = turn.house.crm
    name, what, more = resource(uri)
    match name:
        case "instance":
            revision = int(getattr(crm, "revision", 0))
            return wire.encode(wire.Self(instance=crm.instance, revision=revision))
        case "traits":
            return wire.encode(crm.traits)
        case "folders" if turn.talk.user != CONNECTOR:
            return wire.encode(turn.crm.folders())
        case "files" if turn.talk.user != CONNECTOR:
            return wire.encode(files.keeping(turn))
        case "feed" | "people" | "check" if turn.talk.user != CONNECTOR:
            raise Denied(f"{turn.talk.user} may not ask for {name}", code="connector-only")
        case "feed":
            if not isinstance(crm, Feed):
                raise ConfigError("this CRM doesn't tell what changed", code="no-feed")
            return wire.encode(crm.hints(more.get("since", "")))
        case "check":
            return wire.encode(crm.check(more.get("user", "")))
        case "people":
            return _people(cast(People, crm), what)
    raise Rejected(f"there is no {uri[:100]!r}", code="resource")


def _people(crm: People, what: str) -> str:
    question, _, text = what.partition("/")
    match question:
        case "identities":
            return wire.encode(crm.identities(text))
        case "users":
            return wire.encode(dict(crm.users(_addresses(text))))
        case "contacts":
            return wire.encode(dict(crm.contacts(_addresses(text))))
    raise Rejected(f"there is no question {question[:40]!r}", code="resource")


def _addresses(text: str) -> list[str]:
    try:
        return msgspec.json.decode(text, type=learnt(list[str]))
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise InvalidItem(f"that is no list of addresses: {error}") from error
