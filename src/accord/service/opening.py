"""Open a link for work: sessions on both sides, rule and policy, the folder's lease.

`begin` does it in the order that holds for everybody; whoever it is for gets the same Visit.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from datetime import datetime

import msgspec
from msgspec import Struct

from accord.engine.policy import Policy
from accord.model.item import Event
from accord.model.kinds import Kind, Side
from accord.model.observe import Observation
from accord.model.parts import Person
from accord.ports.adapter import Folder, Session
from accord.ports.errors import AccordError, Busy, ConfigError, Retry
from accord.ports.fitting import Fitting
from accord.ports.folders import Named, NamesFolders, no_folder
from accord.rules.facts import Facts
from accord.rules.failure import InvalidExpression, RuleFailed
from accord.rules.program import former_of, program_of
from accord.rules.rule import Rule, Unfit
from accord.service.accord import Accord
from accord.service.bindings import bind, binding_key, ids_of, recognize
from accord.service.by_occurrence import by_occurrence
from accord.service.carrying import Carrying, parse_ref
from accord.service.ends import End, groupware_kind, place_of
from accord.service.facts import facts_of
from accord.service.visit import Progress, Stance, Visit
from accord.state.leases import FOLDER
from accord.state.records import Lease, Link, Mode
from accord.state.state import Tx
from accord.state.taking import take

LEASE_SECONDS = 120.0
_GIVE_BACK = 2.0
FIRST = "first"
"""Cause of a link's first run, which may fill in what was empty in whole folders."""
FOLDERS = "folder/"
"""How the settings begin that say in which folder a link works."""

ANEW = "anew "
"""Before the version in `settled_key`: what a link may see has changed, not its rule."""


class Place(Struct, frozen=True, kw_only=True):
    """Be a folder and the links that one pull of it serves."""

    target: str
    principal: str
    folder: str
    links: tuple[Link, ...]

    @property
    def scope(self) -> str:
        """Return the name under which the lease of this folder stands."""
        return place_of(self.links[0], Side.GROUPWARE, self.folder)


class Options(Struct, frozen=True, kw_only=True):
    """Say how to work: `dry` writes nothing, `full` lists everything anew.

    `yields` ends it between two steps where somebody waits for the folder.
    `rules` names versions of rules to be tried instead of those in force; only `dry`. `parting`
    takes the links' copies away although they are paused. `approved` are fingerprints of steps of
    another rule's plan that somebody said yes to. `stays` works in the folder that the link began
    with, whichever the settings name by now: to take back what stands there.
    """

    dry: bool = False
    full: bool = False
    cause: str = "command"
    rules: dict[str, str] = {}
    parting: bool = False
    yields: bool = False
    approved: frozenset[str] = frozenset()
    stays: bool = False

    def __post_init__(self) -> None:
        """Refuse to write under a rule that isn't in force."""
        if self.rules and not self.dry:
            raise ValueError("another version of a rule can only be tried in a dry visit")


def silent(_phase: str, _done: int, _total: int) -> None:
    """Report no progress."""


def find_folder(accord: Accord, session: Session, link: Link, *, stays: bool = False) -> str:
    """Return the id of the folder a link works in; raises ConfigError where there is none.

    A link stays in the folder it began with: another default or a new calendar doesn't move it,
    for then everything in the old one would look deleted; nor does another name that a person
    gives it. Where settings name another folder than that, it is raised, too, unless the link
    `stays`; and where the mailbox is another one than the link is bound to. What the link itself
    names is looked up by that name once, and anew where it names another one.
    """
    with accord.state.read() as tx:
        kept = tx.settings.some(folder_key(link), named_key(link), binding_key(link))
    recognize(session, link, kept.get(binding_key(link), {}))
    kind, named, name = groupware_kind(link.kind), _named(session, link), kept.get(named_key(link))
    former = _former(kept.get(folder_key(link), ""), named)
    fitting = [folder for folder in session.folders() if kind in folder.kinds]
    began = next((folder for folder in fitting if folder.id == former), None)
    if stays and began is not None:
        return former
    if link.folder:
        if name == link.folder and began is None and former and _has_worked(accord, link):
            raise _gone(link, former)
        return _linked(link, fitting, began, known=name == link.folder)
    if began is not None and _is_meant(accord, link, began, named, name):
        return former
    if former and (named is None or _has_worked(accord, link)):
        if began is not None and named is not None:
            raise _misplaced(link, began, named)
        raise _gone(link, former)
    if named is not None:
        if not named.folder:
            raise no_folder(link.principal, named.name, kind, fitting, named.setting)
        return named.folder
    chosen = next((folder for folder in fitting if folder.default), None) or next(
        iter(fitting), None
    )
    if chosen is None:
        hint = "make one there, or name another folder in the link"
        raise ConfigError(f"{link.principal} has no folder for {kind}s", field="folder", hint=hint)
    return chosen.id


def _former(former: str, named: Named | None) -> str:
    """Return the id by now of the folder a link began with: a person may have made it since."""
    if former and named is not None and named.there and former == named.planned:
        return named.folder
    return former


def _linked(link: Link, fitting: list[Folder], began: Folder | None, *, known: bool) -> str:
    """Return the folder that a link names itself; where it is `known`, whatever it is called."""
    if known and began is not None:
        return began.id
    # Several may have one name.
    for folder in fitting if began is None else [began, *fitting]:
        if link.folder in (folder.id, folder.name):
            return folder.id
    raise no_folder(link.principal, link.folder, groupware_kind(link.kind), fitting)


def _is_meant(
    accord: Accord, link: Link, began: Folder, named: Named | None, name: str | None
) -> bool:
    """Tell whether settings still lead to the folder that a link began with, by `name` then."""
    if named is None or named.means(began):
        return True
    if named.there:
        return False
    # Links of before keep no name: nothing tells whether the settings or the folder changed.
    return name == named.name or (name is None and _has_worked(accord, link))


def _named(session: Session, link: Link) -> Named | None:
    """Return the folder that the settings name for a link; None where they leave it open."""
    if not isinstance(session, NamesFolders):
        return None
    return session.folder_named(groupware_kind(link.kind))


def former_folder(accord: Accord, link: Link) -> str:
    """Return the id of the folder that a link began with; empty where it hasn't begun."""
    with accord.state.read() as tx:
        return str(tx.settings.get(folder_key(link), ""))


def has_begun(tx: Tx, link: Link) -> bool:
    """Tell whether a link has worked in a folder, or anything of it may stand in one."""
    return bool(tx.settings.get(folder_key(link))) or _leaves(tx, link)


def _has_worked(accord: Accord, link: Link) -> bool:
    with accord.state.read() as tx:
        return _leaves(tx, link)


def _leaves(tx: Tx, link: Link) -> bool:
    """Tell whether anything of a link may stand in its folder."""
    return bool(tx.pairings.count(link.id) or tx.intents.of_link(link.id))


def _gone(link: Link, former: str) -> ConfigError:
    """Return the error for a link whose folder isn't there, although another may be called so."""
    return ConfigError(
        f"the folder {former} of {link.principal} isn't there any more",
        field="folder",
        hint="nothing follows from that: bring it back; or `accord links remove "
        f"{link.name}` lets go of what it paired there, and imported again it begins anew",
    )


def _misplaced(link: Link, began: Folder, named: Named) -> ConfigError:
    """Return the error for a link that works in another folder than the settings name.

    To go on would write where nobody wants it, to move would leave behind what stands there.
    """
    missing = "" if named.folder else ", which isn't there"
    return ConfigError(
        f"{link.name} works in {began.name!r}, but {named.setting!r} of its target is "
        f"{named.name!r}{missing}: nothing is read or written",
        field=named.setting,
        hint=f"folder = {json.dumps(began.name, ensure_ascii=False)} in the link lets it stay; to "
        f"move it, `accord links remove {link.name} --withdraw` shows its copies there and deletes "
        "them once you agree, and imported again it begins in the other",
    )


def take_lease(accord: Accord, folder: Place, stack: ExitStack) -> Lease:
    """Take the folder's lease until `stack` closes, and wait for it as `accord.patience` says.

    Raises Busy where another process holds it for longer.
    """
    name, patience = f"{FOLDER}{folder.scope}", accord.patience

    def attempt() -> Lease | None:
        with accord.state.begin(durable=accord.state.shared) as tx:
            return take(tx.leases, name, LEASE_SECONDS)

    where = f"the folder of {', '.join(link.name for link in folder.links)}"
    lease = attempt() or patience.wait(accord.state, name, where, attempt)
    if lease is None:
        raise Busy(_busy(patience.seconds), after=LEASE_SECONDS)

    def release() -> None:
        try:
            _give_back(accord, lease)
        except Retry:
            # The database is away, and will soon be back: others needn't wait for the lease's end.
            later = threading.Thread(target=_give_back_soon, args=(accord, lease), daemon=True)
            later.start()
            raise

    stack.callback(release)
    return lease


def _busy(seconds: float) -> str:
    text = "this folder is being synchronized by another process"
    if seconds <= 0:
        return text
    return f"{text}, and was not free within {seconds:g} s; --wait SECONDS waits longer"


def _give_back(accord: Accord, lease: Lease) -> None:
    with accord.state.begin(durable=accord.state.shared) as tx:
        tx.leases.release(lease)


def _give_back_soon(accord: Accord, lease: Lease) -> None:
    """Try to give a lease back for as long as it holds."""
    deadline = time.monotonic() + LEASE_SECONDS
    while time.monotonic() < deadline:
        time.sleep(_GIVE_BACK)
        with suppress(AccordError):
            _give_back(accord, lease)
            return


def open_visit(
    accord: Accord,
    session: Session,
    folder: Place,
    link: Link,
    options: Options,
    progress: Progress,
    lease: Lease | None,
    stack: ExitStack,
) -> Visit:
    """Open the CRM as the link's user and load rule and position.

    Raises ConfigError where the link can't be worked on, or is paused.
    """
    crm = stack.enter_context(accord.crm.open(link.user))
    with accord.state.read() as tx:
        trial = options.rules.get(link.rule)
        rule = tx.rules.get(trial) if trial else tx.rules.active(link.rule)
        keys = (settled_key(link), withdrawn_key(link), folder_key(link), told_key(link))
        more = (named_key(link), binding_key(link), carried_key(link), "paused")
        kept = tx.settings.some(*keys, *more)
        places = {side: place_of(link, side, folder.folder) for side in Side}
        cursors = tx.cursors.of(link.id, places)
        first = not cursors[Side.CRM] and not tx.pairings.count(link.id)
    if not options.dry and (kept.get("paused", False) or link.paused):
        raise ConfigError("paused", field="paused", hint="run `accord resume` to go on")
    if rule is None:
        hint = "import a rule of that name"
        raise ConfigError(f"no rule {link.rule!r} is active", field="rule", hint=hint)
    before = kept.get(settled_key(link), "")
    asked, settled = before.startswith(ANEW), before.removeprefix(ANEW)
    changed = bool(settled) and settled != rule.version
    carrying = _carrying(accord, session, link, rule, kept.get(carried_key(link), False))
    if carrying is not None:
        crm = by_occurrence(crm, carrying)
    ends = _ends(accord, crm, session, folder, link)
    policy = _policy(link, rule, ends, first, accord.clock())
    run, stance, ids = "preview", _stance(link, options), ids_of(session)
    named = _named(session, link)
    name = link.folder or (named.name if named is not None else "")
    if stance is not Stance.DRY:
        with accord.state.begin(durable=accord.state.shared) as tx:
            run = tx.runs.start(link.id, FIRST if first else options.cause)
            bind(tx, link, kept.get(binding_key(link), {}), ids)
            if stance is Stance.WRITING and kept.get(folder_key(link)) != folder.folder:
                tx.settings.put(folder_key(link), folder.folder)
            if stance is Stance.WRITING and not options.stays and kept.get(named_key(link)) != name:
                tx.settings.put(named_key(link), name)
            if stance is Stance.WRITING and carrying is not None:
                # What has copies by occurrences stays so called under another rule, too.
                tx.settings.put(carried_key(link), True)
    visit = Visit(
        state=accord.state,
        link=link,
        run=run,
        rule=rule,
        policy=policy,
        policies={rule.version: policy},
        crm=ends[Side.CRM],
        groupware=ends[Side.GROUPWARE],
        instance=accord.crm.instance,
        people=accord.crm,
        stance=stance,
        lease=lease if stance is Stance.WRITING else None,
        now=accord.clock(),
        progress=progress,
        activating=changed,
        settled=settled,
        anew=changed or asked,
        full=options.full,
        parting=options.parting,
        approved=options.approved,
        withdrawn=frozenset(kept.get(withdrawn_key(link), ())),
        told=tuple(kept[told_key(link)]) if told_key(link) in kept else None,
        cursors=cursors,
    )
    learn(visit, ())
    return visit


def _stance(link: Link, options: Options) -> Stance:
    if options.dry:
        return Stance.DRY
    return Stance.OBSERVING if link.mode is Mode.OBSERVE else Stance.WRITING


def _carrying(
    accord: Accord, session: Session, link: Link, rule: Rule, carried: bool
) -> Carrying | None:
    """Return which series are shown by occurrences; None where none is, or ever was."""
    if link.kind is not Kind.EVENT or not isinstance(session, Fitting):
        return None
    if not carried and rule.series.unfit is not Unfit.OCCURRENCES:
        return None

    def unfit(event: Event) -> str:
        return session.unfit(Kind.EVENT, event)

    def copied() -> dict[str, set[datetime]]:
        with accord.state.read() as tx:
            refs = tx.pairings.occurrences(link.id)
        found: dict[str, set[datetime]] = {}
        for ref in refs:
            series, when = parse_ref(ref)
            if when is not None:
                found.setdefault(series, set()).add(when)
        return found

    def theirs(ref: str) -> bool:
        with accord.state.read() as tx:
            paired = tx.pairings.by_refs(link.id, Side.CRM, [ref]).get(ref)
        return paired is not None and paired.made is not Side.GROUPWARE

    now = accord.clock()
    return Carrying(rule=rule, now=now, unfit=unfit, copied=copied, theirs=theirs)


def _ends(
    accord: Accord,
    crm: Session,
    session: Session,
    folder: Place,
    link: Link,
) -> dict[Side, End]:
    target, records = accord.adapter(folder.target).traits, accord.crm.traits
    kind = groupware_kind(link.kind)
    for side, available, wanted in (("CRM", records, link.kind), ("target", target, kind)):
        if wanted not in available.kinds:
            raise ConfigError(f"the {side} carries no {wanted}s", field="kind", hint="remove it")
    place = next((f for f in crm.folders() if link.kind in f.kinds), None)
    if place is None:
        raise ConfigError(f"{link.user} has no {link.kind}s in the CRM", field="user")
    return {
        Side.CRM: End(
            side=Side.CRM,
            session=crm,
            folder=place.id,
            kind=link.kind,
            traits=records.kinds[link.kind],
            batch=records.batch,
        ),
        Side.GROUPWARE: End(
            side=Side.GROUPWARE,
            session=session,
            folder=folder.folder,
            kind=kind,
            traits=target.kinds[kind],
            batch=target.batch,
        ),
    }


def _policy(link: Link, rule: Rule, ends: dict[Side, End], first: bool, now: datetime) -> Policy:
    try:
        program = program_of(rule)
    except (InvalidExpression, RuleFailed) as error:
        detail = f"the rule {rule.name!r} can't work: {error}"
        hint = "mend its text, import it and activate that"
        raise ConfigError(detail, field="rule", hint=hint) from error
    return Policy(
        link=link.id,
        program=program,
        facts=Facts(now=now, owner=Person(name=link.user)),
        crm=ends[Side.CRM].traits,
        groupware=ends[Side.GROUPWARE].traits,
        first=first,
    )


def learn(visit: Visit, observations: Iterable[Observation]) -> None:
    """Put the facts about what was observed into the policy; older rules' policies go."""
    facts = facts_of(visit, observations)
    visit.knowing({visit.rule.version: msgspec.structs.replace(visit.policy, facts=facts)})


def load_policies(visit: Visit, versions: Iterable[str]) -> None:
    """Let the visit know the policies of these versions of rules, under which pairs still stand.

    One that is unknown, can't be read or works no longer has none.
    """
    lacking = set(versions) - visit.policies.keys()
    if not lacking:
        return
    with visit.state.read() as tx:
        for version in lacking:
            rule = tx.rules.former(version)
            program = former_of(rule) if rule is not None else None
            if program is not None:
                visit.policies[version] = msgspec.structs.replace(visit.policy, program=program)


def folder_key(link: Link) -> str:
    """Return the setting that keeps in which folder of a mailbox a link works."""
    return f"{FOLDERS}{link.id}/{link.target}/{link.principal}"


def named_key(link: Link) -> str:
    """Return the setting that keeps by which name settings led there; empty where by none."""
    return f"folder-name/{link.id}/{link.target}/{link.principal}"


def look_anew(tx: Tx, link: Link) -> None:
    """Let the next visit of a link look at everything anew."""
    settled = tx.settings.get(settled_key(link), "").removeprefix(ANEW)
    tx.settings.put(settled_key(link), ANEW + settled)


def withdrawn_key(link: Link) -> str:
    """Return the setting that keeps which pairs of a link may no longer be known in full."""
    return f"withdrawn/{link.id}"


def told_key(link: Link) -> str:
    """Return the setting that keeps up to which journal entry, and in which run, pulls told."""
    return f"told/{link.id}"


def carried_key(link: Link) -> str:
    """Return the setting that keeps whether a link's series were ever shown by occurrences."""
    return f"carried/{link.id}"


def settled_key(link: Link) -> str:
    """Return the setting that keeps which rule version a link's pairs were brought to."""
    return f"rule/{link.id}"
