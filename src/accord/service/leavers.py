"""Part from people who left: withdraw their links, offer what lies ahead of them to a successor.

`initialize` calls this; `decide_handover` is somebody's yes or no to an offer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from accord.directory.preferences import SUCCESSOR
from accord.model.item import Event
from accord.model.kinds import Kind, Side
from accord.model.observe import Snapshot
from accord.model.parts import Privacy
from accord.ports.adapter import Outcome
from accord.ports.errors import AuthFailed, ConfigError, ItemError
from accord.ports.users import HandsOver
from accord.service.accord import Accord
from accord.service.identity import require_user, verify
from accord.service.pausing import require_unpaused
from accord.service.removal import withdraw
from accord.state.records import Entry, Link
from accord.state.state import Tx
from accord.state.templates import Given, Handover, Offered, Template


class Stuck(Struct, frozen=True, kw_only=True):
    """Be a leaver's link that could not be withdrawn, and why."""

    link: str
    template: str
    why: str


class Decided(Struct, frozen=True, kw_only=True):
    """Be what came of a decision: what was handed over, what wasn't and why.

    `again` says that the offer has changed since it was shown, and waits anew.
    """

    handover: Handover
    done: tuple[str, ...] = ()
    left: dict[str, str] = {}
    again: bool = False


def stuck(tx: Tx, given: Iterable[Given]) -> list[Stuck]:
    """Return the leavers' links that are to be withdrawn and could not be, by name.

    One that somebody has let go on since isn't withdrawn any more.
    """
    found = [
        Stuck(link=link.name, template=one.template, why=one.stuck)
        for one in given
        if one.stuck and (link := tx.links.get(one.link)) is not None and link.paused
    ]
    return sorted(found, key=lambda one: one.link)


def part(accord: Accord, link: Link, *, by: str = "") -> str:
    """Withdraw a leaver's link; return why not where it stays, and keep that for `stuck`."""
    report = withdraw(accord, link, even_paused=True, by=by)
    why = report.error
    if report.held:
        deletions = "1 deletion" if report.held == 1 else f"{report.held} deletions"
        why = (
            f"the guard holds {deletions}: `accord withdraw {link.name} --even-paused "
            "--include-held` does them, with --plan it only shows them"
        )
    elif report.failed and not why:
        copies = "1 copy" if report.failed == 1 else f"{report.failed} copies"
        why = f"{copies} could not be deleted"
    with accord.state.begin() as tx:
        given = tx.given_links.get(link.id)
        if given is not None and given.stuck != why:
            tx.given_links.put(replace(given, stuck=why))
    return why


def offer(accord: Accord, user: str, template: Template | None, chosen: Mapping[str, str]) -> str:
    """Offer what lies ahead of a leaver to a successor; return why not, where something does."""
    with accord.state.read() as tx:
        known = next((one for one in tx.handovers.all() if one.user == user), None)
    if known is not None and known.decided:
        return ""
    successor = chosen.get(SUCCESSOR, "") or (template.successor if template else "")
    if not isinstance(accord.crm, HandsOver):
        return "this CRM can't hand appointments over" if successor else ""
    ahead = accord.crm.ahead(user, accord.clock())
    if ahead and not successor:
        count = f"{len(ahead)} appointment{'' if len(ahead) == 1 else 's'}"
        return f"nobody is named to take over {count}: accord preferences {user} successor NAME"
    with accord.state.begin() as tx:
        if not ahead:
            tx.handovers.remove(user)
        elif known is None or known.successor != successor or _grown(known, ahead):
            tx.handovers.put(_handover(accord, user, successor, ahead))
    return ""


def decide_handover(accord: Accord, user: str, *, approve: bool, by: str = "") -> Decided:
    """Hand over what was offered, or don't; raises ConfigError where nothing waits.

    What lies ahead is looked at again first: where it has grown or changed since it was shown,
    nothing is done and the new offer waits. Nobody is mailed: who organizes a meeting stays.
    Nothing is handed over while everything is paused, or where the CRM is another one.
    """
    with accord.state.read() as tx:
        found = next((one for one in tx.handovers.all() if one.user == user), None)
    if found is None or found.decided:
        hint = "`accord templates handovers` lists what does"
        raise ConfigError(f"nothing of {user}'s waits to be handed over", field="user", hint=hint)
    if not approve:
        return Decided(handover=_decided(accord, found, "rejected"))
    verify(accord)
    require_unpaused(accord)
    crm = accord.crm
    if not isinstance(crm, HandsOver):
        raise ConfigError("this CRM can't hand appointments over", field="crm")
    _require_user(accord, found.successor)
    ahead = crm.ahead(user, accord.clock())
    if _grown(found, ahead):
        fresh = _handover(accord, user, found.successor, ahead)
        with accord.state.begin() as tx:
            tx.handovers.put(fresh)
        return Decided(handover=fresh, again=True)
    versions = {one.ref: one.version for one in ahead}
    outcomes = crm.hand_over(user, found.successor, versions)
    return _handed(accord, found, list(versions), outcomes, by)


def _handed(
    accord: Accord, found: Handover, refs: Sequence[str], outcomes: Sequence[Outcome], by: str
) -> Decided:
    pairs = list(zip(refs, outcomes, strict=True))
    left = {ref: str(one) for ref, one in pairs if isinstance(one, ItemError)}
    done = tuple(ref for ref in refs if ref not in left)
    why = f"{found.user} left, and {found.successor} goes on with it"
    entries = [
        Entry(
            at=accord.clock(),
            user=found.user,
            side=Side.CRM,
            kind=Kind.EVENT,
            ref=ref,
            step="hand-over",
            why=why,
            actor=by,
        )
        for ref in done
    ]
    with accord.state.begin() as tx:
        tx.journal.append_many(entries)
    handover = found if left else _decided(accord, found, "approved")
    return Decided(handover=handover, done=done, left=left)


def _decided(accord: Accord, handover: Handover, word: str) -> Handover:
    handover = replace(handover, decided=word)
    with accord.state.begin() as tx:
        tx.handovers.put(handover)
    return handover


def _require_user(accord: Accord, user: str) -> None:
    try:
        require_user(accord, user)
    except AuthFailed as error:
        raise ConfigError(str(error), field="successor", hint="name another successor") from error


def _handover(accord: Accord, user: str, successor: str, ahead: Sequence[Snapshot]) -> Handover:
    return Handover(
        user=user,
        successor=successor,
        appointments=tuple(_offered(one) for one in ahead),
        at=accord.clock(),
    )


def _offered(snapshot: Snapshot) -> Offered:
    item = snapshot.item
    assert isinstance(item, Event)
    title = item.title if item.privacy is Privacy.PUBLIC else ""
    return Offered(ref=snapshot.ref, version=snapshot.version, title=title, start=item.start)


def _grown(known: Handover, ahead: Sequence[Snapshot]) -> bool:
    """Tell whether anything lies ahead that wasn't offered just so."""
    offered = {(one.ref, one.version) for one in known.appointments}
    return any((one.ref, one.version) not in offered for one in ahead)
