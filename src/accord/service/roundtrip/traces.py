"""What a round trip leaves behind until it is taken away; by key, so that nothing else goes.

Noted before the first write, so that the next run finds what a killed one left.
"""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
from msgspec import Struct

from accord.model.kinds import Kind
from accord.model.learning import learnt
from accord.model.replies import Replies
from accord.ports.adapter import Folder, Question, Removal, Session
from accord.ports.errors import AccordError, Gone
from accord.ports.folders import FolderMaker
from accord.service.accord import Accord
from accord.state.records import Target


class Trace(Struct, frozen=True, kw_only=True):
    """Be one run's mark: the name of its folders and titles, and the keys of what it writes.

    `places` are the folders used that aren't its own, `letter` is the Message-ID of its e-mail,
    `replies` are the automatic replies that stood there before it set some.
    """

    name: str
    keys: dict[str, str]
    places: tuple[str, ...] = ()
    letter: str = ""
    replies: Replies | None = None


def begin(accord: Accord, target: Target, principal: str, labels: list[str]) -> Trace:
    """Note a new run, and return its mark."""
    keys = {label: f"accord-check-{uuid.uuid4().hex}" for label in labels}
    trace = Trace(name=f"Accord check {uuid.uuid4().hex[:8]} (may be deleted)", keys=keys)
    note(accord, target, principal, trace)
    return trace


def note(accord: Accord, target: Target, principal: str, trace: Trace) -> None:
    """Note what a run is about to use."""
    with accord.state.begin() as tx:
        held = tx.settings.get(_setting(target, principal), {})
        value = {**held, trace.name: msgspec.to_builtins(trace)}
        tx.settings.put(_setting(target, principal), value)


def left(accord: Accord, target: Target, principal: str) -> list[Trace]:
    """Return the runs that haven't taken away everything."""
    with accord.state.read() as tx:
        held: dict[str, Any] = tx.settings.get(_setting(target, principal), {})
    return [msgspec.convert(each, learnt(Trace)) for each in held.values()]


def settle(accord: Accord, target: Target, principal: str, trace: Trace) -> None:
    """Forget a run of which nothing is left."""
    with accord.state.begin() as tx:
        held = tx.settings.get(_setting(target, principal), {})
        rest = {name: each for name, each in held.items() if name != trace.name}
        tx.settings.put(_setting(target, principal), rest or None)


def sweep(session: Session, trace: Trace) -> int:
    """Delete what a run left, looked up by its keys, and its folders; return how many items.

    Raises what stands in the way; what is gone already is none.
    """
    count = 0
    for folder in session.folders():
        own = folder.name == trace.name
        if own or folder.id in trace.places:
            count += sum(_emptied(session, folder, kind, trace) for kind in sorted(folder.kinds))
        if own and isinstance(session, FolderMaker):
            session.remove_folder(folder.id)
    return count


def _emptied(session: Session, folder: Folder, kind: Kind, trace: Trace) -> int:
    questions = [Question(key=key) for key in trace.keys.values()]
    found = session.lookup(folder.id, kind, questions)
    versions = {each.ref: each.version for some in found for each in some}
    removals = [Removal(ref=ref, version=version) for ref, version in versions.items()]
    for outcome in session.delete(folder.id, kind, removals) if removals else ():
        if isinstance(outcome, AccordError) and not isinstance(outcome, Gone):
            raise outcome
    return len(removals)


def _setting(target: Target, principal: str) -> str:
    return f"mailbox-check/{target.id}/{principal}"
