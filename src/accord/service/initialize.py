"""User initialization: give links to who comes, keep them as templates say, part from who leaves.

`initialize` is the whole job; `jobs.initialization` and `accord templates apply` call it. What it
decides stands in `directory`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from accord.directory.decide import Act, Standing, What, decide
from accord.directory.wishes import Trouble, Wishes, wishes_of
from accord.model.kinds import Side
from accord.ports.errors import AccordError, Busy, ConfigError
from accord.ports.fault import contained
from accord.ports.users import ContactModes, Enrolled, UserCard
from accord.service.accord import Accord
from accord.service.first_plans import keep_plan, waiting
from accord.service.identity import verify
from accord.service.leavers import offer, part
from accord.service.opening import silent
from accord.service.pausing import require_unpaused
from accord.service.visit import Progress
from accord.state.records import Entry, Link
from accord.state.state import Tx
from accord.state.taking import take
from accord.state.templates import Given, Handover

LEAVERS = 3
"""How many people may leave at once, where they aren't less than half of all."""

LEASE_SECONDS = 3600.0
"""For how long each step of an initialization keeps others from beginning."""

_FIELDS = ("rule", "folder", "principal", "mode")


class Done(Struct, kw_only=True):
    """Be one act and what came of it: `steps` are those of a plan that waits.

    `error` says why it isn't done, or that its plan could not be made yet.
    """

    what: str
    link: str
    user: str
    template: str
    why: str
    changes: dict[str, tuple[str, str]] = {}
    steps: int | None = None
    error: str = ""


class Initialization(Struct, kw_only=True):
    """Be what one user initialization did, or would do where it is only planned.

    `held` says why nobody was parted from; `offers` are future appointments of leavers that wait
    for somebody's yes.
    """

    planned: bool
    done: list[Done] = []
    troubles: list[Trouble] = []
    offers: list[Handover] = []
    held: str = ""

    @property
    def failed(self) -> int:
        """Return how many acts could not be done."""
        return sum(bool(one.error) for one in self.done)


def initialize(
    accord: Accord,
    *,
    dry: bool = False,
    leavers: bool = False,
    by: str = "",
    progress: Progress = silent,
) -> Initialization:
    """Bring all links that templates own to what they say now; with `dry` only say what.

    Where very many people leave at once nobody is parted from, unless `leavers` says that it is
    meant: a group emptied by mistake costs nothing. Raises ConfigError for a CRM that doesn't
    list its users or is another one, and while everything is paused; Busy while another
    initialization is at work. What `progress` raises ends it between two acts.
    """

    def step(done: int = 0, total: int = 0) -> None:
        progress("initializing", done, total)

    if dry:
        return _initialize(accord, step, dry=True, leavers=leavers, by=by)
    with accord.state.begin() as tx:
        lease = take(tx.leases, "initialization", LEASE_SECONDS)
    if lease is None:
        raise Busy("another user initialization is at work", after=LEASE_SECONDS)

    def keep(done: int = 0, total: int = 0) -> None:
        nonlocal lease
        step(done, total)
        assert lease is not None
        with accord.state.begin() as tx:
            lease = tx.leases.renew(lease, LEASE_SECONDS)

    try:
        return _initialize(accord, keep, dry=False, leavers=leavers, by=by)
    finally:
        with accord.state.begin() as tx:
            tx.leases.release(lease)


def _initialize(
    accord: Accord, keep: Callable[..., None], *, dry: bool, leavers: bool, by: str
) -> Initialization:
    if not dry:
        verify(accord)
        require_unpaused(accord)
    cards, groups = enrolled(accord)
    with accord.state.read() as tx:
        templates = tx.templates.all()
        chosen = tx.preferences.all()
        standing = _standing(accord, tx)
    wishes = wishes_of(templates, cards, groups, chosen)
    acts, troubles = decide(templates, wishes, standing)
    result = Initialization(planned=dry, troubles=[*wishes.troubles, *troubles])
    result.held = _too_many(standing, acts)
    if result.held and not leavers:
        acts = tuple(a for a in acts if a.what not in (What.PAUSE, What.WITHDRAW))
    else:
        result.held = ""
    for number, act in enumerate(acts):
        keep(number, len(acts))
        result.done.append(_described(act) if dry else _carry_out(accord, act, by))
    result.done += _set_contacts(accord, wishes, cards, dry=dry)
    if not dry:
        result.done += _make_plans(accord, keep, {one.link for one in result.done})
        result.troubles += _offer(accord, wishes)
    with accord.state.read() as tx:
        result.offers = [one for one in tx.handovers.all() if not one.decided]
    return result


def enrolled(accord: Accord) -> tuple[tuple[UserCard, ...], frozenset[str]]:
    """Return the CRM's users and groups; raises ConfigError where it doesn't tell."""
    crm = accord.crm
    if not isinstance(crm, Enrolled):
        hint = "make links by hand, as [[link]], or let templates run where the CRM is"
        raise ConfigError("this CRM doesn't list its users and groups", field="crm", hint=hint)
    return crm.cards(), crm.group_names()


def _standing(accord: Accord, tx: Tx) -> Standing:
    given = tuple(tx.given_links.all())
    return Standing(
        links=tuple(tx.links.all()),
        given=given,
        paired=frozenset(one.link for one in given if tx.pairings.count(one.link)),
        now=accord.clock(),
    )


def _too_many(standing: Standing, acts: Sequence[Act]) -> str:
    """Say how many people would leave at once, where those are too many."""
    users = {link.id: link.user for link in standing.links}
    people = {users[one.link] for one in standing.given if one.left is None}
    leaving = {act.link.user for act in acts if act.what is What.PAUSE}
    if len(leaving) <= LEAVERS or 2 * len(leaving) < len(people):
        return ""
    return f"{len(leaving)} of {len(people)} people would leave at once"


def _described(act: Act) -> Done:
    before = act.before
    changes = {}
    for name in _FIELDS if before is not None else ():
        values = getattr(before, name), getattr(act.link, name)
        if values[0] != values[1]:
            changes[name] = (str(values[0]), str(values[1]))
    if act.what is What.HOLD:
        changes["rule"] = (act.link.rule, act.given.rule_next)
    return Done(
        what=act.what,
        link=act.link.name,
        user=act.link.user,
        template=act.given.template,
        why=act.why,
        changes=changes,
    )


def _carry_out(accord: Accord, act: Act, by: str) -> Done:
    done = _described(act)
    try:
        if act.what is What.WITHDRAW:
            done.error = part(accord, act.link, by=by)
            return done
        accord.state.run(lambda tx: _store(tx, accord, act, by))
        if act.given.held and act.what is not What.PAUSE:
            done.steps, done.error = keep_plan(accord, act.given, act.link)
    except Exception as error:  # noqa: BLE001 (the edge: it is reported, and logged)
        # The edge: whatever happens to one link, the others get theirs.
        done.error = str(contained(error, f"initializing {act.link.name}"))
    return done


def _store(tx: Tx, accord: Accord, act: Act, by: str) -> None:
    now = tx.links.hold(act.link.id)
    if now != act.before:
        raise ConfigError(f"{act.link.name} was changed meanwhile", field="link")
    if act.link != act.before:
        tx.links.put(act.link)
    tx.given_links.put(act.given)
    if not act.given.held or act.what is What.HOLD:
        tx.given_links.put_plan(act.link.id, None)
    tx.journal.append(_entry(accord, act.link, act.given, f"template-{act.what}", act.why, by))


def _entry(accord: Accord, link: Link, given: Given, step: str, why: str, by: str) -> Entry:
    return Entry(
        at=accord.clock(),
        link=link.id,
        user=link.user,
        side=Side.GROUPWARE,
        kind=link.kind,
        ref=link.principal,
        step=step,
        why=f"template {given.template}: {why}",
        actor=by,
    )


def _make_plans(accord: Accord, keep: Callable[[], None], tried: set[str]) -> list[Done]:
    """Make the plans that wait and could not be made when their links came into being."""
    made = []
    with accord.state.read() as tx:
        given = {one.link: one for one in tx.given_links.all()}
    for one in waiting(accord):
        if one.steps is not None or one.link.name in tried or one.link.id not in given:
            continue
        keep()
        steps, error = keep_plan(accord, given[one.link.id], one.link)
        done = Done(
            what="plan",
            link=one.link.name,
            user=one.link.user,
            template=one.template,
            why=one.why,
            steps=steps,
            error=error,
        )
        made.append(done)
    return made


def contacts_key(user: str) -> str:
    """Return the setting that keeps which contact mode a template set for a user."""
    return f"contacts/{user}"


def _set_contacts(
    accord: Accord, wishes: Wishes, cards: Sequence[UserCard], *, dry: bool
) -> list[Done]:
    """Set contact modes where nobody else has changed them."""
    crm = accord.crm
    if not wishes.contacts or not isinstance(crm, ContactModes):
        return []
    usual = crm.contact_modes[0]
    template_of = {wish.user: wish.template for wish in wishes.links}
    with accord.state.read() as tx:
        wrote = tx.settings.some(*(contacts_key(user) for user in wishes.contacts))
    changed = []
    for card in cards:
        mode = wishes.contacts.get(card.name, card.contacts)
        if mode == card.contacts or card.contacts != wrote.get(contacts_key(card.name), usual):
            continue
        done = Done(
            what=What.CHANGE,
            link="",
            user=card.name,
            template=template_of.get(card.name, ""),
            why="which contacts they have",
            changes={"contacts": (card.contacts, mode)},
        )
        changed.append(done)
        if dry:
            continue
        try:
            require_unpaused(accord)
            crm.choose_contacts(card.name, mode)
        except AccordError as error:
            done.error = str(error)
            continue
        with accord.state.begin() as tx:
            tx.settings.put(contacts_key(card.name), mode)
    return changed


def _offer(accord: Accord, wishes: Wishes) -> list[Trouble]:
    """Offer what lies ahead of leavers to their successors; who came back keeps what they have."""
    with accord.state.read() as tx:
        templates = {one.name: one for one in tx.templates.all()}
        links = {link.id: link for link in tx.links.all()}
        chosen = tx.preferences.all()
        left = {links[g.link].user: g.template for g in tx.given_links.all() if g.left is not None}
        waiting = [one.user for one in tx.handovers.all()]
    back = [user for user in waiting if user in wishes.members]
    if back:
        with accord.state.begin() as tx:
            for user in back:
                tx.handovers.remove(user)
    troubles = []
    for user in sorted(left.keys() - wishes.members):
        why = offer(accord, user, templates.get(left[user]), chosen.get(user, {}))
        if why:
            troubles.append(Trouble(template=left[user], user=user, why=why))
    return troubles
