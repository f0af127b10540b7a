"""Send one of everything through a test mailbox and take it away again, step by step.

`accord check --mailbox` shows each step as it is done; nothing reaches the CRM or other people.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import Any

import msgspec

from accord.model.kinds import Kind
from accord.ports.adapter import Adapter, Folder, Session
from accord.ports.errors import AccordError, Busy, ConfigError, Denied, ItemError, Rejected
from accord.ports.folders import FolderMaker
from accord.service.accord import Accord
from accord.service.check import Checked
from accord.service.ends import groupware_kind
from accord.service.opening import find_folder
from accord.service.roundtrip import letters, replies, traces
from accord.service.roundtrip.steps import Trip, steps
from accord.service.roundtrip.things import Thing, things
from accord.service.roundtrip.traces import Trace
from accord.state.records import Target
from accord.state.taking import take

LEASE_SECONDS = 1800.0


def choose_target(accord: Accord, name: str = "") -> Target:
    """Return the target of that name, or the only one; raises ConfigError where that is open."""
    with accord.state.read() as tx:
        found = tx.targets.all()
    fit = [each for each in found if name in ("", each.name, each.id)]
    if len(fit) == 1:
        return fit[0]
    names = ", ".join(each.name for each in found)
    hint = f"name one with --target: {names}" if found else "`accord import` brings one"
    told = f"there is no target {name!r}" if name else "on which target is the mailbox?"
    raise ConfigError(told, field="target", hint=hint)


def round_trip(accord: Accord, target: Target, principal: str) -> Generator[Checked, None, None]:
    """Yield each step as it is done: what works for each kind, and how to mend what doesn't.

    What it wrote is taken away at the end, also where a step fails or nobody listens any more;
    what a killed run left, the next one takes away first. Raises Busy while another run is at it.
    """
    area = f"target {target.name}, {principal}"
    adapter = accord.adapter(target.id)
    found = adapter.check(principal)
    for one in found:
        yield Checked(area=area, subject=one.subject, ok=one.ok, detail=one.detail, hint=one.hint)
    if any(not one.ok for one in found if one.subject.startswith(_NEEDED)):
        return
    with ExitStack() as stack:
        _take(accord, target, principal, stack)
        try:
            yield from _leftovers(accord, target, principal, area)
            yield from _run(accord, adapter, target, principal, area)
        except AccordError as error:
            yield _failed(area, "round trip", error)


_NEEDED = ("autodiscover", "connection", "sign-in", "mailbox")
"""How findings begin without which nothing can be written."""


def _run(
    accord: Accord, adapter: Adapter, target: Target, principal: str, area: str
) -> Iterator[Checked]:
    labels = [each.label for each in things("", accord.clock(), adapter.traits)]
    trace = traces.begin(accord, target, principal, labels)
    swept = False
    try:
        yield from _all_things(accord, adapter, target, principal, trace, area)
        swept = True
    except AccordError as error:
        swept = True
        yield _failed(area, "round trip", error)
    finally:
        if not swept:  # somebody stopped it: there is nobody to tell
            _sweep(accord, adapter, target, principal, trace)
    yield _cleaned(accord, adapter, target, principal, trace, area)


def _all_things(
    accord: Accord, adapter: Adapter, target: Target, principal: str, trace: Trace, area: str
) -> Iterator[Checked]:
    def note(**more: Any) -> None:
        nonlocal trace
        trace = msgspec.structs.replace(trace, **more)
        traces.note(accord, target, principal, trace)

    with adapter.open(principal) as session:
        by_kind: dict[Kind, list[Thing]] = {}
        for each in things(trace.name, accord.clock(), adapter.traits):
            by_kind.setdefault(each.kind, []).append(each)
        for kind, some in by_kind.items():
            try:
                folder, why = _folder(session, kind, trace)
                _check_free(accord, session, target, principal, kind, folder, trace)
            except (ConfigError, Denied, Rejected) as error:
                yield _failed(area, f"{kind}: folder", error)
                continue
            if folder.name != trace.name:
                note(places=(*trace.places, folder.id))
            yield Checked(area=area, subject=f"{kind}: folder", ok=True, detail=why)
            for thing in some:
                own = folder.name == trace.name
                key, traits = trace.keys[thing.label], adapter.traits.kinds[kind]
                trip = Trip(session, folder.id, thing, key, traits, own)
                yield from steps(trip, area)

        now = accord.clock()
        yield from letters.steps(session, trace.name, principal, now, note, area)
        yield from replies.steps(session, trace.name, now, note, area)


def _folder(session: Session, kind: Kind, trace: Trace) -> tuple[Folder, str]:
    """Return the folder to work in, and why it is that one."""
    because = "this target can't make folders"
    if isinstance(session, FolderMaker):
        try:
            return session.make_folder(trace.name, kind), f"{trace.name}, made for this"
        except (Denied, Rejected) as error:
            because = f"none of its own could be made: {error}"
    fit = [each for each in session.folders() if kind in each.kinds and each.writable]
    folder = next((each for each in fit if each.default), None) or next(iter(fit), None)
    if folder is None:
        raise ConfigError(
            f"there is no {kind} folder that may be written",
            field="folder",
            hint="give the account write access, or make a folder in the test mailbox",
        )
    return folder, f"{folder.name}; {because}"


def _check_free(
    accord: Accord,
    session: Session,
    target: Target,
    principal: str,
    kind: Kind,
    folder: Folder,
    trace: Trace,
) -> None:
    """Refuse a folder that a link works in: the CRM would take the test's items for real ones."""
    if folder.name == trace.name:
        return
    with accord.state.read() as tx:
        links = [each for each in tx.links.all() if each.target == target.id]
    for link in links:
        same = link.principal.casefold() == principal.casefold()
        if not same or groupware_kind(link.kind) is not kind:
            continue
        if find_folder(accord, session, link, stays=True) == folder.id:
            raise ConfigError(
                f"the link {link.name} works in {folder.name}, where no test belongs",
                field="mailbox",
                hint="name a mailbox that is there for tests only",
            )


def _leftovers(accord: Accord, target: Target, principal: str, area: str) -> Iterator[Checked]:
    for trace in traces.left(accord, target, principal):
        yield _cleaned(
            accord, accord.adapter(target.id), target, principal, trace, area, "what was left"
        )


def _cleaned(
    accord: Accord,
    adapter: Adapter,
    target: Target,
    principal: str,
    trace: Trace,
    area: str,
    subject: str = "clean up",
) -> Checked:
    try:
        count = _sweep(accord, adapter, target, principal, trace)
    except AccordError as error:
        return Checked(
            area=area,
            subject=subject,
            ok=False,
            detail=f"something is left of {trace.name!r}: {error}",
            hint="the next `accord check --mailbox` takes it away; or delete it by hand",
        )
    more = f"; {count} of its items deleted" if count else ""
    return Checked(
        area=area, subject=subject, ok=True, detail=f"nothing is left of {trace.name!r}{more}"
    )


def _sweep(accord: Accord, adapter: Adapter, target: Target, principal: str, trace: Trace) -> int:
    """Take a run's traces away, in a session of its own: the other one may be broken."""
    held = next((t for t in traces.left(accord, target, principal) if t.name == trace.name), trace)
    count, stuck = 0, []
    with adapter.open(principal) as session:
        for sweep in (replies.sweep, letters.sweep, traces.sweep):
            try:
                count += sweep(session, held)
            except ItemError as error:  # what else is left goes all the same
                stuck.append(error)
    if stuck:
        raise stuck[0]
    traces.settle(accord, target, principal, held)
    return count


def _take(accord: Accord, target: Target, principal: str, stack: ExitStack) -> None:
    with accord.state.begin() as tx:
        lease = take(tx.leases, f"mailbox-check:{target.id}/{principal}", LEASE_SECONDS)
    if lease is None:
        raise Busy("another process checks this mailbox", after=60.0)

    def release() -> None:
        with accord.state.begin() as tx:
            tx.leases.release(lease)

    stack.callback(release)


def _failed(area: str, subject: str, error: AccordError) -> Checked:
    hint = getattr(error, "hint", "")
    return Checked(area=area, subject=subject, ok=False, detail=str(error), hint=hint)
