"""Test everything that can be tested, and say what is wrong and how to mend it.

Asks every server, but writes on no side. `accord check` and later the console show the result.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from accord.model.kinds import Side
from accord.ports.adapter import Finding
from accord.ports.errors import AccordError, ConfigError
from accord.ports.fault import Fault
from accord.ports.queue import Current
from accord.ports.users import Enrolled
from accord.rules import check as rules
from accord.rules.problem import Problem, Severity
from accord.service.accord import Accord
from accord.service.config import Config
from accord.service.connector import is_elsewhere, key_file
from accord.service.expiries import SOON, expiries
from accord.service.identity import (
    CRM,
    MEANT,
    instance_key,
    observe,
    own_trouble,
    revision,
)
from accord.service.mailbox_states import trouble
from accord.service.opening import find_folder
from accord.service.queued import resting
from accord.state.codec import decode_step
from accord.state.records import Cause, Link, Pending, Target
from accord.state.secrets import CommandKeys
from accord.state.state import Tx


class Checked(Struct, frozen=True, kw_only=True):
    """Be one finding and the thing it is about: `key file`, `crm`, `target company`, …"""

    area: str
    subject: str
    ok: bool
    detail: str = ""
    hint: str = ""


def check(accord: Accord, config: Config | None = None) -> Iterator[Checked]:
    """Yield what was tested, as it is done: files, CRM, targets and people, rules, open work."""
    if config is not None:
        yield from _files(accord, config)
    yield _own(accord)
    answers = yield from _crm(accord)
    with accord.state.read() as tx:
        targets, links = tx.targets.all(), tx.links.all()
    for target in targets:
        yield from _target(accord, target, [one for one in links if one.target == target.id])
    if config is not None:
        yield from _resting(accord, config)
    if not links:
        hint = (
            "`accord init dav` or `exchange` writes a first target with links; "
            "`accord import` reads it"
        )
        yield Checked(area="links", subject="links", ok=False, detail="none yet", hint=hint)
    if answers:
        yield from _rules(accord, targets, links)
    yield from _enrolled(accord)
    yield from _expiries(accord, config)
    with accord.state.read() as tx:
        yield from _open_work(tx, links)


def _expiries(accord: Accord, config: Config | None) -> Iterator[Checked]:
    """Say what ends soon, but for what ends as a matter of course."""
    now = accord.clock()
    with accord.state.read() as tx:
        found = expiries(accord, config, tx)
    for one in found:
        if not one.routine:
            ok = one.at > now + SOON
            yield Checked(
                area="expiries",
                subject=f"{one.kind} {one.name}",
                ok=ok,
                detail=one.when(now),
                hint="" if ok else one.hint,
            )


def _enrolled(accord: Accord) -> Iterator[Checked]:
    """Say where templates are for users whom the CRM doesn't list."""
    with accord.state.read() as tx:
        templates = [one.name for one in tx.templates.all()]
    if templates and not isinstance(accord.crm, Enrolled):
        detail = "this CRM doesn't list its users and groups, so that nobody gets links by them"
        hint = "make links by hand, or let templates run where the CRM is"
        for name in templates:
            yield Checked(area="templates", subject=name, ok=False, detail=detail, hint=hint)


def _resting(accord: Accord, config: Config) -> Iterator[Checked]:
    """Yield the targets that `accord run` leaves alone just now."""
    from accord.service.bootstrap import open_queue, queue_file

    file = queue_file(config)
    if file is not None and not file.exists():
        return
    with closing(open_queue(config)) as queue:
        found = resting(accord, queue)
    for each in found:
        if each.state is not Current.CLOSED:
            yield Checked(
                area=f"target {each.target}",
                subject="visits",
                ok=False,
                detail=f"left alone for a while, after it failed: {each.why}",
                hint=f"it is tried again by itself, in {each.after:.0f} s; `accord queue` shows it",
            )


def _files(accord: Accord, config: Config) -> Iterator[Checked]:
    file = config.file
    where = str(file) if file else "all from the environment"
    yield Checked(area="configuration", subject="accord.toml", ok=True, detail=where)
    keys = accord.state.keys
    if isinstance(keys, CommandKeys):
        detail = f"{keys.newest} is the newest key in {keys.where}"
        yield Checked(area="key command", subject="program", ok=True, detail=detail)
    else:
        yield _permission("key file", config.key_file, "with it passwords and private entries")
    token_key = key_file(config.connector, config.folder)
    if is_elsewhere(config.crm) and token_key is not None:
        yield _permission("token key", token_key, "act in every CRM user's name")
    if config.database.startswith("sqlite:///"):
        path = Path(config.database.removeprefix("sqlite:///").partition("?")[0])
        yield _permission("database", path, "everybody's calendars")
    else:
        yield Checked(area="database", subject="server", ok=True, detail=config.shown_database)


def _own(accord: Accord) -> Checked:
    """Say whether Accord's own database is the one it was, as far as it ever was."""
    wrong = own_trouble(accord)
    detail, hint = (wrong, MEANT) if wrong else ("the one it was at the last visit", "")
    return Checked(area="database", subject="identity", ok=not wrong, detail=detail, hint=hint)


def _permission(area: str, path: Path, what: str) -> Checked:
    open_to_others = os.name == "posix" and path.exists() and path.stat().st_mode & 0o077
    return Checked(
        area=area,
        subject="file",
        ok=not open_to_others,
        detail=f"others may read {path} and {what}" if open_to_others else str(path),
        hint=f"chmod 600 {path}" if open_to_others else "",
    )


def _crm(accord: Accord) -> Generator[Checked, None, bool]:
    """Yield what is to be said of the CRM; return whether it answers, so that more can be asked."""
    found = accord.crm.check()
    yield from _findings("crm", found)
    try:
        yield _instance(accord, "crm", CRM, accord.crm.instance, revision(accord))
    except AccordError as error:
        if all(one.ok for one in found):
            hint = getattr(error, "hint", "")
            yield Checked(area="crm", subject="instance", ok=False, detail=str(error), hint=hint)
        return False
    with accord.state.read() as tx:
        users = sorted({link.user for link in tx.links.all()})
    for user in users:
        some = [one for one in accord.crm.check(user) if one.subject not in _ABOUT_ALL]
        yield from _findings(f"crm user {user}", some)
    return True


def _target(accord: Accord, target: Target, links: list[Link]) -> Iterator[Checked]:
    area = f"target {target.name}"
    try:
        adapter = accord.adapter(target.id)
    except ConfigError as error:
        yield Checked(area=area, subject="settings", ok=False, detail=str(error), hint=error.hint)
        return
    by_principal: dict[str, list[Link]] = {}
    for link in links:
        by_principal.setdefault(link.principal, []).append(link)
    if not links:
        yield from _findings(area, adapter.check())
    for number, (principal, some) in enumerate(by_principal.items()):
        who, found = f"{area}, {principal}", adapter.check(principal)
        if number == 0:
            yield from _findings(area, [one for one in found if one.subject in _ABOUT_ALL])
        yield from _findings(who, [one for one in found if one.subject not in _ABOUT_ALL])
        yield from _watched(accord, who, target, principal)
        if all(one.ok for one in found if not one.subject.startswith(_BESIDE)):
            yield from _folders(accord, who, some)
    name = instance_key(target.id)
    yield _instance(accord, area, name, adapter.instance, revision(accord, name))


_ABOUT_ALL = ("connection", "encryption", "database", "interface")
"""Subjects that are the same for everybody on a target, said once."""

_BESIDE = ("encryption", "default ")
"""How subjects begin that don't keep a link from its folder, or of which its own line says more."""


def _watched(accord: Accord, area: str, target: Target, principal: str) -> Iterator[Checked]:
    """Say in which way a running process hears of a mailbox's changes, and why in no better one."""
    with accord.state.read() as tx:
        watched = tx.watches.get(target.id, principal)
        here = {one.name for one in tx.processes.all() if not one.gone}
    if watched is not None and watched.process in here:
        since = f" since {watched.at:%Y-%m-%d %H:%M} UTC" if watched.at else ""
        why = f", because {watched.why}" if watched.why else ""
        detail = f"by {watched.way}{since}{why}"
        yield Checked(area=area, subject="`accord run` listens", ok=True, detail=detail)


def _findings(area: str, found: Iterable[Finding]) -> Iterator[Checked]:
    for one in found:
        yield Checked(area=area, subject=one.subject, ok=one.ok, detail=one.detail, hint=one.hint)


def _folders(accord: Accord, area: str, links: list[Link]) -> Iterator[Checked]:
    """Try the folder of each link, as a visit would."""
    for link in links:
        subject = f"link {link.name}"
        try:
            with accord.adapter(link.target).open(link.principal) as session:
                folder = find_folder(accord, session, link)
                found = {one.id: one for one in session.folders()}[folder]
        except AccordError as error:
            hint = getattr(error, "hint", "")
            yield Checked(area=area, subject=subject, ok=False, detail=str(error), hint=hint)
            continue
        yield Checked(
            area=area,
            subject=subject,
            ok=found.writable,
            detail=f"works in {found.name}" + ("" if found.writable else ", which is read-only"),
            hint="" if found.writable else "name another folder in the link, or ask for access",
        )


def _instance(accord: Accord, area: str, name: str, instance: str, revision: int = 0) -> Checked:
    trouble = observe(accord, name, instance, revision)
    if trouble is None:
        return Checked(area=area, subject="instance", ok=True, detail=instance)
    hint = "if a backup was restored or the system moved on purpose: `accord check --accept`"
    return Checked(area=area, subject="instance", ok=False, detail=trouble.why, hint=hint)


def _rules(accord: Accord, targets: list[Target], links: list[Link]) -> Iterator[Checked]:
    with accord.state.read() as tx:
        active = {name: tx.rules.active(name) for name in tx.rules.names()}
    names = {target.id: target.name for target in targets}
    for link in links:
        if active.get(link.rule) is None:
            hint = "import a rule of that name, or name another one in the link"
            detail = f"the link {link.name} wants the rule {link.rule!r}, which isn't in force"
            yield Checked(area="rules", subject=link.rule, ok=False, detail=detail, hint=hint)
    for name, rule in active.items():
        used = sorted({link.target for link in links if link.rule == name})
        if rule is None or not used:
            continue
        problems: dict[str, Problem] = {}
        for target in used:
            try:
                traits = accord.adapter(target).traits
            except AccordError:
                traits = None
            found = rules.check(rule, accord.crm.traits, traits)
            problems |= {f"{one.path} {one.message}": one for one in found}
        errors = [one for one in problems.values() if one.severity is Severity.ERROR]
        for one in errors:
            hint = one.hint or f"`accord rules show {name}` prints it; mend it and import it again"
            detail = f"{one.path}: {one.message}" if one.path else one.message
            yield Checked(area="rules", subject=name, ok=False, detail=detail, hint=hint)
        if not errors:
            minded = "; ".join(one.message for one in problems.values())
            where = ", ".join(names[target] for target in used)
            detail = f"fits {where}" + (f"; mind: {minded}" if minded else "")
            yield Checked(area="rules", subject=name, ok=True, detail=detail)


def _open_work(tx: Tx, links: list[Link]) -> Iterator[Checked]:
    """Say what is left open: interrupted writes, held changes, failures, pauses."""
    names = {link.id: link.name for link in links}
    intents = Counter(intent.link for intent in tx.intents.all())
    if intents:
        some = ", ".join(f"{names.get(link, link)} ({n})" for link, n in intents.items())
        yield Checked(
            area="state",
            subject="interrupted writes",
            ok=False,
            detail=f"a visit ended in the middle, or is under way: {some}",
            hint="`accord sync` settles them first thing; nothing is done twice",
        )
    else:
        yield Checked(area="state", subject="interrupted writes", ok=True, detail="none")
    pending = [one for one in tx.pending.all() if not one.refused and one.link in names]
    for cause, command in _WAITING.items():
        count = sum(one.cause is cause for one in pending)
        if count:
            detail = f"{count} {command}"
            yield Checked(area="state", subject="waiting", ok=True, detail=detail)
    if withheld := [one for one in pending if one.cause is Cause.WITHHELD]:
        detail = f"{len(withheld)} withheld from the mailbox: `accord explain {_ref(withheld[0])}`"
        yield Checked(area="state", subject="waiting", ok=True, detail=detail)
    rejected = [one for one in pending if one.cause is Cause.REJECTED or _unread(one)]
    for one in rejected[:_SHOWN]:
        yield _rejected(tx, one, names[one.link])
    if rejected[_SHOWN:]:
        rest = f"{len(rejected) - _SHOWN:,} more; `accord links` counts them"
        yield Checked(area="state", subject="further such items", ok=False, detail=rest)
    for link in links:
        yield from _faulty(tx, link)
    if tx.settings.get("paused", False):
        hint = "`accord resume --all` lets it go on"
        yield Checked(
            area="state", subject="pause", ok=False, detail="everything is paused", hint=hint
        )


def _faulty(tx: Tx, link: Link) -> Iterator[Checked]:
    """Say where a link can't get at its mailbox, or met a fault of Accord's own."""
    if (found := trouble(tx, link.id)) is not None:
        yield Checked(
            area="state",
            subject=f"link {link.name}",
            ok=False,
            detail=str(found),
            hint=found.hint,
        )
    for run in tx.runs.latest(link.id):
        if run.counts.get("action") == Fault.action:
            yield Checked(
                area="state",
                subject=f"link {link.name}",
                ok=False,
                detail=f"its last visit ended early: {run.error}",
                hint=f"`accord sync {link.name}` tries again and prints where it happens",
            )


def _rejected(tx: Tx, one: Pending, link: str) -> Checked:
    """Return an item that a side refused, or that can't be read, by its title where it has one."""
    refs = ((Side.GROUPWARE, one.ref_groupware), (Side.CRM, one.ref_crm))
    decided = [tx.decisions.get(one.link, side, ref) for side, ref in refs if ref]
    label = next((each.label for each in decided if each is not None and each.label), "")
    what = "unreadable" if _unread(one) else "refused"
    return Checked(
        area="state",
        subject=f"{what} item on {link}",
        ok=False,
        detail=f"{label!r}: {one.why}" if label else one.why,
        hint=f"mend it, or see `accord explain {_ref(one)}`",
    )


def _ref(one: Pending) -> str:
    return one.ref_crm or one.ref_groupware


def _unread(one: Pending) -> bool:
    """Tell whether something waits because an item can't be read."""
    waits = one.cause in (Cause.REJECTED, Cause.RETRY) and bool(one.step)
    return waits and decode_step(one.step).name == "unreadable"


_WAITING = {
    Cause.HELD: "held: `accord held`",
    Cause.UNDO: "to be undone: `accord held`",
    Cause.FILE: "files held: `accord held`",
    Cause.CONFLICT: "in conflict: `accord conflicts`",
}
_SHOWN = 20
