"""Plans that templates let wait: of a link's first synchronization, and of another rule for it.

`initialize` keeps them, `approve` is somebody's yes: the plan is made again, and only one that
hasn't grown is let go.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from accord.directory.decide import FIRST
from accord.engine.guard import fingerprint
from accord.engine.plan import Create, Delete, Hold, Unpair, Update
from accord.model.kinds import Side
from accord.ports.errors import ConfigError
from accord.service.accord import Accord
from accord.service.opening import Options
from accord.service.report import Report
from accord.service.sync import preview, sync
from accord.service.waiting import of_rule_change
from accord.state.records import Entry, Link, Mode
from accord.state.state import Tx
from accord.state.templates import Given


class Waiting(Struct, frozen=True, kw_only=True):
    """Be a link whose plan waits, why, and how many writes the plan has; None: not made yet."""

    link: Link
    template: str
    why: str
    steps: int | None = None


class Approval(Struct, kw_only=True):
    """Be what came of one approval: the plan as it is now, or the report of the first visit.

    `grown` says that the plan has more to do than the one that was shown; it waits anew.
    """

    link: Link
    plan: Report
    grown: bool = False
    report: Report | None = None


def waiting(accord: Accord) -> list[Waiting]:
    """Return the links whose plans wait, by name."""
    with accord.state.read() as tx:
        links = {link.id: link for link in tx.links.all()}
        found = []
        for given in tx.given_links.all():
            if given.held and given.left is None:
                plan = tx.given_links.plan(given.link)
                steps = None if plan is None else len(plan)
                one = Waiting(
                    link=links[given.link], template=given.template, why=given.held, steps=steps
                )
                found.append(one)
    return sorted(found, key=lambda one: one.link.name)


def keep_plan(accord: Accord, given: Given, link: Link) -> tuple[int | None, str]:
    """Make the plan that waits and keep what it would do; return how many writes, or why not."""
    (report,) = preview(accord, [proposed(link, given)])
    if report.error or report.plan is None:
        return None, report.error or "no plan could be made"
    prints = _fingerprints(report)
    with accord.state.begin() as tx:
        tx.given_links.put_plan(link.id, prints)
    return len(prints), ""


def proposed(link: Link, given: Given) -> Link:
    """Return a link as it is to be once its plan is approved."""
    return replace(link, rule=given.rule_next or link.rule)


def approve(accord: Accord, links: Sequence[Link], *, by: str = "") -> list[Approval]:
    """Let links go on whose plans wait; each plan is made again, and one that grew waits anew.

    Links without a plan that waits are left out. A yes to another rule doesn't let a link write
    that somebody paused or lets observe: nothing is approved there. Raises ConfigError while
    everything is paused.
    """
    with accord.state.read() as tx:
        if tx.settings.get("paused", False):
            hint = "run `accord resume --all` to go on"
            raise ConfigError("everything is paused: nothing was approved", field="link", hint=hint)
        given = {one.link: one for one in tx.given_links.all() if one.held and one.left is None}
        shown = {link: tx.given_links.plan(link) for link in given}
    return [
        _approve(accord, link, given[link.id], shown[link.id], by)
        for link in links
        if link.id in given
    ]


def _approve(
    accord: Accord, link: Link, given: Given, shown: frozenset[str] | None, by: str
) -> Approval:
    if link.paused:
        plan = Report(link=link.id, name=link.name)
        hint = f"run `accord resume {link.name}` first"
        plan.fail(ConfigError("the link is paused: nothing was approved", field="link", hint=hint))
        return Approval(link=link, plan=plan)
    if link.mode is Mode.OBSERVE and given.held != FIRST:
        # Only a first synchronization waits as an observing link of the template's own making.
        plan = Report(link=link.id, name=link.name)
        hint = f"let it write first: `accord mode {link.name} active`"
        why = "the link only observes: nothing was approved"
        plan.fail(ConfigError(why, field="link", hint=hint))
        return Approval(link=link, plan=plan)
    wanted = proposed(link, given)
    (plan,) = preview(accord, [wanted])
    approval = Approval(link=link, plan=plan)
    if plan.error or plan.plan is None:
        return approval
    prints = _fingerprints(plan)
    if shown is None or not prints <= shown:
        approval.grown = True
        with accord.state.begin() as tx:
            tx.given_links.put_plan(link.id, prints)
        return approval
    try:
        link = accord.state.run(lambda tx: _let_go(tx, accord, link, given, by))
    except ConfigError as error:
        plan.fail(error)
        return approval
    options = Options(cause="approval", approved=_agreed(plan, link))
    (approval.report,) = sync(accord, [link], options)
    approval.link = link
    return approval


def _let_go(tx: Tx, accord: Accord, link: Link, given: Given, by: str) -> Link:
    if tx.links.hold(link.id) != link or tx.given_links.get(link.id) != given:
        # Making the plan took its time: a pause, a leaver or a removal since then stands.
        hint = "look at its plan again"
        raise ConfigError(f"{link.name} was changed meanwhile", field="link", hint=hint)
    wanted = proposed(link, given)
    modes = {one.name: one.mode for one in tx.templates.all()}
    if wanted.mode is Mode.OBSERVE:
        wanted = replace(wanted, mode=modes.get(given.template, Mode.PILOT))
    tx.links.put(wanted)
    rule = given.rule_next or given.rule
    tx.given_links.put(replace(given, held="", rule_next="", rule=rule))
    tx.given_links.put_plan(wanted.id, None)
    entry = Entry(
        at=accord.clock(),
        link=wanted.id,
        user=wanted.user,
        side=Side.GROUPWARE,
        kind=wanted.kind,
        ref=wanted.principal,
        step="template-approve",
        why=f"template {given.template}: its plan was approved",
        actor=by,
    )
    tx.journal.append(entry)
    return wanted


def _fingerprints(report: Report) -> frozenset[str]:
    """Return what a plan would do, held or not: under another rule all of it is held."""
    assert report.plan is not None
    effects = [step.held if isinstance(step, Hold) else step for step in report.plan.steps]
    return frozenset(
        fingerprint(step) for step in effects if isinstance(step, Create | Update | Delete | Unpair)
    )


def _agreed(report: Report, link: Link) -> frozenset[str]:
    """Return what the yes to a plan is for: what only another rule holds, and a pilot's writes.

    On a pilot link the guard would hold what this plan shows unheld, and ask for the same again.
    """
    assert report.plan is not None
    shown = report.plan.writes if link.mode is Mode.PILOT else ()
    return frozenset(fingerprint(step) for step in shown) | frozenset(
        fingerprint(step)
        for step in report.plan.steps
        if isinstance(step, Hold) and of_rule_change(step.cause)
    )
