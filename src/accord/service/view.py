"""Steps, plans and explanations as plain values for machines; people's words are made of them.

The command line's `--json` and later the console show exactly this.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from accord.engine.plan import (
    Conflict,
    Create,
    Delete,
    Hold,
    Pair,
    Plan,
    Refile,
    Skip,
    Step,
    Unpair,
    Update,
)
from accord.model.diff import changes
from accord.model.fields import FIELDS, is_empty
from accord.model.item import Item, kind_of
from accord.model.kinds import Kind
from accord.model.names import name_of
from accord.model.observe import Snapshot
from accord.model.parts import Privacy

PRIVATE = "(private)"


def plan_view(plan: Plan) -> dict[str, Any]:
    """Return a plan: its steps, and every address that would get mail."""
    return {"steps": [step_view(step) for step in plan.steps], "mails": list(plan.mails)}


def step_view(step: Step) -> dict[str, Any]:
    """Return one step: what, where, which item, why, and field by field what changes.

    `fields` of a create start from nothing, those of a conflict and of a settled clash show
    both sides' values.
    """
    view: dict[str, Any] = {"step": step.name, "why": step.why}
    match step:
        case Hold(held=held, cause=cause):
            inner = step_view(held)
            return {**view, "cause": cause, "held": inner, "label": inner.get("label", "")}
        case Create():
            view |= {"side": step.side, **_item(step.item), "source": step.source.ref}
            view["fields"] = _new(step.item)
        case Update():
            view |= {"side": step.side, **_snapshot(step.before)}
            view["fields"] = _changed(step)
        case Delete():
            view |= {"side": step.side, **_snapshot(step.before)}
        case Refile():
            view |= {"side": step.side, "ref": step.ref, "label": step.label or PRIVATE}
            view["fields"] = [
                {**msgspec.structs.asdict(each), "label": "file"} for each in step.changes
            ]
        case Pair() | Conflict():
            view |= _item(step.crm.item)
            view |= {"crm": step.crm.ref, "groupware": step.groupware.ref}
        case Skip():
            view |= _skip(step)
        case Unpair():
            view |= {"crm": step.crm, "groupware": step.groupware, "cause": str(step.cause)}
    if isinstance(step, Conflict):
        view |= {"field": step.field, "winner": step.winner, "fields": _both(step)}
    if isinstance(step, Create | Update | Delete):
        view["mails"] = list(step.mails)
    plain: dict[str, Any] = msgspec.to_builtins(view)
    return plain


def _skip(step: Skip) -> dict[str, Any]:
    view: dict[str, Any] = {"side": step.side, "ref": step.ref, "waits": step.parked}
    if step.unread is not UNSET:
        return view | {"uid": step.unread.uid, "label": step.unread.label}
    return view | {"label": step.label} if step.label else view


def label_of(item: Item) -> str:
    """Return what people call an item; of private ones nothing."""
    if item.privacy is not Privacy.PUBLIC:
        return PRIVATE
    return name_of(item) or "(no title)"


def label_field(kind: Kind, field: str) -> str:
    """Return what people call a field."""
    spec = FIELDS[kind].get(field)
    return spec.label if spec is not None else field


def _item(item: Item) -> dict[str, Any]:
    when = getattr(item, "start", None) or getattr(item, "due", None)
    return {"kind": kind_of(item), "label": label_of(item), "when": when}


def _snapshot(snapshot: Snapshot) -> dict[str, Any]:
    return {**_item(snapshot.item), "ref": snapshot.ref, "version": snapshot.version}


def _new(item: Item) -> list[dict[str, Any]]:
    kind = kind_of(item)
    if item.privacy is not Privacy.PUBLIC:
        return []
    return [
        _line(kind, name, None, getattr(item, name))
        for name in FIELDS[kind]
        if not is_empty(item, name)
    ]


def _changed(step: Update) -> list[dict[str, Any]]:
    kind = kind_of(step.after)
    found = step.changes or changes(step.before.item, step.after)
    if {step.after.privacy, step.before.item.privacy} != {Privacy.PUBLIC}:
        return [_line(kind, each.field, PRIVATE, PRIVATE) for each in found]
    return [_line(kind, each.field, each.before, each.after) for each in found]


def _both(step: Conflict) -> list[dict[str, Any]]:
    crm, groupware = step.crm.item, step.groupware.item
    private = crm.privacy is not Privacy.PUBLIC or groupware.privacy is not Privacy.PUBLIC
    return [
        {
            "field": each.field,
            "label": label_field(kind_of(groupware), each.field),
            "crm": PRIVATE if private else getattr(crm, each.field, None),
            "groupware": PRIVATE if private else getattr(groupware, each.field, None),
        }
        for each in step.fields
    ]


def _line(kind: Kind, field: str, before: Any, after: Any) -> dict[str, Any]:
    return {"field": field, "label": label_field(kind, field), "before": before, "after": after}
