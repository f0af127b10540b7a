"""`accord crm`: the CRM by hand, in canonical JSON, always as one of its users."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import App, Parameter

from accord.cli import exits
from accord.cli.call import STDIN, Call, CallArgument
from accord.cli.errors import Usage
from accord.cli.words import moment, short
from accord.model.canonical import InvalidItem, decode
from accord.model.item import Item, kind_of
from accord.model.kinds import Kind
from accord.model.names import name_of
from accord.ports.errors import AccordError, Gone
from accord.service.connector import is_elsewhere, url_of
from accord.service.records import Records

if TYPE_CHECKING:
    from accord.crm.database.admin import Administration
    from accord.model.observe import Snapshot

crm = App(name="crm", help="Read and edit the CRM, as one of its users.")
crm.command("accord.cli.crm_users:users", name="users", help="Keep users and groups.")

As = Annotated[str, Parameter(name="--as", help="The CRM user in whose name; their rights count.")]
KINDS = (Kind.EVENT, Kind.TASK, Kind.CONTACT, Kind.ABSENCE)


@crm.command(name="list")
def list_(
    kind: Annotated[Kind | None, Parameter(help="Only records of this kind.")] = None,
    /,
    *,
    user: As,
    call: CallArgument,
) -> int:
    """List what a user has in the CRM."""
    with records(call) as crm:
        for each in (kind,) if kind else KINDS:
            for snapshot in crm.list(user, each):
                call.data(record(snapshot))
                call.say(_line(snapshot), markup=False)
    return exits.OK


@crm.command
def show(
    ref: Annotated[str, Parameter(help="The record's ref, as `list` shows it.")],
    /,
    *,
    user: As,
    call: CallArgument,
) -> int:
    """Print one record as canonical JSON."""
    with records(call) as crm:
        snapshot = find(crm, user, ref)
    if call.json:
        call.data(record(snapshot))
    else:
        text = msgspec.json.format(msgspec.json.encode(snapshot.item, order="deterministic"))
        call.raw(text.decode() + "\n")
    return exits.OK


@crm.command
def put(
    file: Annotated[Path | None, Parameter(help="The input; - is standard input.")] = None,
    /,
    *,
    user: As,
    ref: Annotated[str, Parameter(help="Make this record equal to the item.")] = "",
    owner: Annotated[str, Parameter(help="Whose a new record is.")] = "",
    visibility: Annotated[str, Parameter(help="private, participants, group or everyone.")] = "",
    group: Annotated[str, Parameter(help="The group it belongs to.")] = "",
    group_writes: Annotated[
        bool, Parameter(help="Its group may change it; a task that names nobody is theirs to do.")
    ] = False,
    call: CallArgument,
) -> int:
    """Create or change records given as canonical JSON.

    The input is an item, a list of items, or one item a line. `{"ref": …, "item": {…}}`, as
    `list --json` prints them, changes the record of that ref; an item alone is created.
    `accord schema` describes items.
    """
    given = list(_items(_text(call, file)))
    if ref and len(given) != 1:
        raise Usage("--ref names one record, but the input holds several items")
    if group_writes and not group:
        raise Usage("--group-writes: which group?", "name it with --group")
    if group_writes and not visibility:
        visibility = "group"
    place: dict[str, str | bool] = {
        "owner": owner,
        "visibility": visibility,
        "group": group,
        "group_writes": group_writes,
    }
    chosen = {name: value for name, value in place.items() if value}
    with records(call) as crm:
        for number, (known, item) in enumerate(given, 1):
            try:
                snapshot = crm.put(user, item, ref or known, **chosen)
            except AccordError as error:
                if len(given) > 1:
                    stored = ", those before it are stored" if number > 1 else ""
                    error.args = (f"item {number} of the input{stored}: {error}",)
                raise
            call.data(record(snapshot))
            word = "changed" if ref or known else "created"
            call.say(f"{word}  {_line(snapshot)}", markup=False)
    return exits.OK


@crm.command
def delete(
    *refs: Annotated[str, Parameter(help="Refs, as `list` shows them.")],
    user: As,
    call: CallArgument,
) -> int:
    """Delete records; what others hang on is marked cancelled instead."""
    if not refs:
        raise Usage("which record?", "`accord crm list` shows refs")
    with records(call) as crm:
        for ref in refs:
            snapshot = find(crm, user, ref)
            left = crm.delete(user, kind_of(snapshot.item), ref)
            call.data({"ref": ref, "deleted": left is None, "cancelled": left is not None})
            word = "deleted" if left is None else "cancelled, because other records hang on it"
            call.say(f"{word}  {_line(snapshot)}", markup=False)
    return exits.OK


@crm.command
def restore(
    *refs: Annotated[str, Parameter(help="The refs they had, as `accord journal` shows them.")],
    user: As,
    call: CallArgument,
) -> int:
    """Bring deleted records back."""
    if not refs:
        raise Usage(
            "which record?", "`accord crm restore REF --as USER`; `accord journal` has refs"
        )
    with records(call) as crm:
        for ref in refs:
            snapshot = _restored(crm, user, ref)
            call.data(record(snapshot))
            call.say(f"restored  {_line(snapshot)}", markup=False)
    return exits.OK


def _restored(crm: Administration | Records, user: str, ref: str) -> Snapshot:
    """Bring a record of whatever kind back; raises Gone."""
    for kind in KINDS:
        try:
            crm.restore(user, kind, ref)
        except Gone:
            continue
        return find(crm, user, ref)
    raise Gone(f"there is no record {ref}")


@contextmanager
def administration(call: Call) -> Iterator[Administration]:
    """Open the built-in CRM for its administrator; raises Usage where Accord has another CRM."""
    with records(call) as found:
        if isinstance(found, Records):
            crm = call.config().crm
            hint = (
                f"run it on the machine where CRM.interface runs ({url_of(crm)})"
                if is_elsewhere(crm)
                else "the CRM's own console keeps them"
            )
            raise Usage("users are kept in the built-in CRM, and that isn't here", hint)
        yield found


@contextmanager
def records(call: Call) -> Iterator[Administration | Records]:
    """Open the CRM for the records of its users: the built-in one itself, others over the port."""
    from accord.crm.database import DatabaseCrm
    from accord.crm.database.admin import Administration

    with call.accord() as accord:
        crm = accord.crm
        yield Administration(crm) if isinstance(crm, DatabaseCrm) else Records(crm)


def find(crm: Administration | Records, user: str, ref: str) -> Snapshot:
    """Return a record of whatever kind; raises Gone."""
    for kind in KINDS:
        try:
            return crm.show(user, kind, ref)
        except Gone:
            continue
    raise Gone(f"there is no record {ref}")


def record(snapshot: Snapshot) -> dict[str, Any]:
    """Return a record as machines read it."""
    return {
        "ref": snapshot.ref,
        "version": snapshot.version,
        "modified": snapshot.modified,
        "by": snapshot.by,
        "item": snapshot.item,
    }


def _line(snapshot: Snapshot) -> str:
    item = snapshot.item
    when = getattr(item, "start", None) or getattr(item, "due", None)
    title = name_of(item) or "(no title)"
    time = f"{short(when)}  " if when else ""
    changed = f"  (changed {moment(snapshot.modified)})" if snapshot.modified else ""
    return f"{snapshot.ref}  {kind_of(item)}  {time}{short(title)}{changed}"


def _text(call: Call, file: Path | None) -> str:
    if file is None or file == STDIN:
        return sys.stdin.read()
    try:
        return (call.here / file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"can't read {file}: {error}") from error


def _items(text: str) -> Iterator[tuple[str, Item]]:
    """Yield ref (or empty) and item of each thing in the input; raises Usage for a bad one."""
    number = 0
    for number, value in enumerate(_values(text), 1):
        ref = ""
        if isinstance(value, dict) and "item" in value and "kind" not in value:
            ref, value = str(value.get("ref", "")), value["item"]
        try:
            yield ref, decode(msgspec.json.encode(value))
        except InvalidItem as error:
            hint = "`accord schema` describes items; `accord crm show` prints one"
            raise Usage(f"item {number} of the input is no item: {error}", hint) from error
    if not number:
        raise Usage("the input is empty", "give items in canonical JSON; `accord schema` helps")


def _values(text: str) -> list[Any]:
    try:
        whole = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return [_value(line, number) for number, line in enumerate(text.splitlines(), 1) if line]
    return whole if isinstance(whole, list) else [whole]


def _value(line: str, number: int) -> Any:
    try:
        return msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        raise Usage(f"line {number} of the input is no JSON: {error}") from error
