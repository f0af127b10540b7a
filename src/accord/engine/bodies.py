"""Bodies on their way: the CRM sees its section of a mailbox body, and writes nowhere else.

`policy` shows mailbox items to the CRM with this, and lays what the CRM says over what stands.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import UNSET, Struct
from msgspec.structs import replace

from accord.model import sections
from accord.model.item import Event, Item, Task
from accord.model.parts import Body, BodyType
from accord.model.recurrence import Override

_Parts: TypeAlias = dict[Any, Override]


class Stand(Struct, frozen=True):
    """Be what a mailbox item is written over: the item, and how much of it the CRM has had.

    `known` is what the CRM was known to have (None: all of it), `base` what stood in the
    mailbox then, given where bodies travel both ways: the newer of two edits is for the rule
    to judge. `made` says that Accord made the item, `back` that the CRM's text has stood there
    before and goes back.
    """

    item: Item
    known: Item | None = None
    base: Item | None = None
    made: bool = False
    back: bool = False


def shown(item: Item) -> Item:
    """Return a mailbox item as the CRM sees it: of a body with a section, the section's text."""
    if not isinstance(item, Event | Task):
        return item
    body = sections.read(item.body)
    if isinstance(item, Task):
        return replace(item, body=body)
    return replace(item, body=body, overrides=tuple(map(_shown, item.overrides)))


def bare(item: Item) -> Item:
    """Return an item without bodies."""
    if isinstance(item, Event):
        return replace(item, body=None, overrides=())
    return replace(item, body=None) if isinstance(item, Task) else item


def laid(wanted: Item, over: Stand) -> Item:
    """Return `wanted`, of a kind with bodies, as it would be in the mailbox over what stands."""
    item = over.item
    assert isinstance(wanted, Event | Task)
    assert isinstance(item, Event | Task)
    body = _written(item.body, wanted.body, over, item)
    if isinstance(wanted, Task):
        return replace(wanted, body=body)
    assert isinstance(item, Event)
    standing = _parts(item)
    overrides = tuple(
        _laid(each, standing.get(each.recurrence_id), wanted.body, over, body)
        for each in wanted.overrides
    )
    return replace(wanted, body=body, overrides=overrides)


def restored(base: Item, now: Item) -> Body | None:
    """Return the body of a mailbox item with the text put back that the CRM once gave it."""
    assert isinstance(base, Event | Task)
    assert isinstance(now, Event | Task)
    text = sections.read(base.body)
    return base.body if text is base.body else sections.write(now.body, text, text)


def _shown(override: Override) -> Override:
    if override.body is UNSET:
        return override
    return replace(override, body=sections.read(override.body))


def _laid(
    wanted: Override, stands: Override | None, text: Body | None, over: Stand, series: Body | None
) -> Override:
    """Lay one occurrence over what stands; where it has no text of its own, the series' counts."""
    own: Any = UNSET if stands is None else stands.body
    if wanted.body is UNSET and own is UNSET:
        return wanted
    if wanted.body is not UNSET:
        text = wanted.body
    assert isinstance(over.item, Event)
    body = over.item.body if own is UNSET else own
    found = _written(body, text, over, over.item, wanted.recurrence_id)
    unset = wanted.body is UNSET and found == series
    return replace(wanted, body=UNSET if unset else found)


def _written(
    body: Body | None, text: Body | None, over: Stand, item: Event | Task, occurrence: Any = None
) -> Body | None:
    """Return one body with a text in it."""
    if over.back and sections.read(body) is body and not _flattens(body, text):
        return text
    former = body
    if over.known is not None:
        former = _of(over.known, occurrence)
        if over.base is not None and sections.knows(former, _of(over.base, occurrence)):
            former = body
    link = item.online_meeting if isinstance(item, Event) else ""
    return sections.write(body, text, former, made=over.made, link=link)


def _flattens(body: Body | None, text: Body | None) -> bool:
    """Tell whether plain text would take the place of HTML."""
    return (
        body is not None
        and text is not None
        and (body.type, text.type) == (BodyType.HTML, BodyType.TEXT)
    )


def _of(item: Item, occurrence: Any) -> Body | None:
    """Return the body of an item, or of one occurrence of it."""
    assert isinstance(item, Event | Task)
    part = _parts(item).get(occurrence) if isinstance(item, Event) else None
    return item.body if part is None or part.body is UNSET else part.body


def _parts(event: Event) -> _Parts:
    return {each.recurrence_id: each for each in event.overrides}
