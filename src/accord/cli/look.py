"""`accord explain`, `journal` and `schema`: why things are as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import Parameter
from rich.text import Text

from accord.cli import exits
from accord.cli.call import Call, CallArgument
from accord.cli.show import fields_of
from accord.cli.words import moment, short

if TYPE_CHECKING:
    from accord.service.explain import Explanation, Where
    from accord.service.refusals import Refusal
    from accord.state.records import Entry
    from accord.state.state import Tx

JOURNAL = 50


def explain(
    *item: Annotated[str, Parameter(help="A ref or uid, or words of the title or name.")],
    call: CallArgument,
) -> int:
    """Say why an item did or did not synchronize: rule, decision, versions, history, error."""
    from accord.cli.errors import Usage
    from accord.service.explain import explain as service

    text = " ".join(item)
    if not text.strip():
        raise Usage("which item?", "name it by ref, uid or words of its title or name")
    with call.accord() as accord:
        found = service(accord, text)
    for one in found:
        call.data(one)
        _explain(call, one)
    if found:
        return exits.OK
    raise Usage(
        f"Accord knows no item by {text!r}",
        "name it by ref, uid or words of its title or name; of private entries no title is kept, "
        "and what is new is known once it was synchronized",
    )


def journal(
    *,
    run: Annotated[str | None, Parameter(help="Only of this run.")] = None,
    link: Annotated[str | None, Parameter(help="Only of this link.")] = None,
    user: Annotated[str | None, Parameter(help="Only of this CRM user.")] = None,
    item: Annotated[str | None, Parameter(help="Only of the item with this ref.")] = None,
    step: Annotated[int | None, Parameter(help="Only this step.")] = None,
    before: Annotated[int | None, Parameter(help="Only steps with a smaller number.")] = None,
    limit: Annotated[int, Parameter(help="How many at most.", show_default=True)] = JOURNAL,
    call: CallArgument,
) -> int:
    """List what was done, newest first, with numbers for `accord undo`.

    Tokens, rights and items that CRM.interface refused stand among it, without a number.
    """
    from accord.cli.errors import Usage
    from accord.service.choose import choose
    from accord.service.refusals import refusals
    from accord.state.records import Entry

    if limit < 1:
        raise Usage(f"--limit can't be {limit}", "give 1 or more")
    refused: list[Refusal] = []
    with call.accord() as accord:
        ids = [one.id for one in choose(accord, [link])] if link else [None]
        with accord.state.read() as tx:
            links = {one.id: one.name for one in tx.links.all()}
            found = [
                entry
                for id_ in ids
                for entry in tx.journal.query(
                    run=run, link=id_, user=user, ref=item, id=step, before=before, limit=limit
                )
            ]
            found = sorted(found, key=lambda entry: -entry.id)[:limit]
            if not (run or link or step):
                last = tx.journal.get(before) if before else None
                until = last.at if last else None
                refused = refusals(tx, user=user, item=item, before=until, limit=limit)
            if not found and not refused:
                _require(tx, run, user, step)
    if len(found) == limit:
        refused = [one for one in refused if one.at >= found[-1].at]
    both: list[Entry | Refusal] = [*found, *refused]
    for one in sorted(both, key=lambda one: one.at, reverse=True):
        if isinstance(one, Entry):
            name = links.get(one.link, one.link)
            call.data({**msgspec.to_builtins(one), "link": name})
            _entry(call, one, name)
        else:
            call.data(one)
            _refusal(call, one)
    if not found and not refused:
        call.say("Nothing was done yet." if not any((run, link, user, item, step)) else "Nothing.")
    elif len(found) == limit:
        call.say(f"… older ones: --before {found[-1].id}", style="dim")
    return exits.OK


def _require(tx: Tx, run: str | None, user: str | None, step: int | None) -> None:
    """Raise Usage where nothing is known of what was asked for: it may be mistyped."""
    from accord.cli.errors import Usage

    if run is not None and tx.runs.get(run) is None:
        raise Usage(f"there is no run {run!r}", "`accord journal` names runs")
    if user is not None and user not in {link.user for link in tx.links.all()}:
        hint = "`accord links` shows whose links there are"
        raise Usage(f"nothing was done for a user {user!r}, and no link is theirs", hint)
    if step is not None and tx.journal.get(step) is None:
        raise Usage(f"there is no step {step}", "`accord journal` numbers them")


def schema(*, call: CallArgument) -> int:
    """Print the JSON schema of items, as `accord crm put` reads and `show` prints them."""
    from accord.model.canonical import schema as of_items

    text = msgspec.json.encode(of_items())
    call.raw((text if call.json else msgspec.json.format(text)).decode() + "\n")
    return exits.OK


def _explain(call: Call, one: Explanation) -> None:
    title = one.label or "(private or without title)"
    call.say(f"{title}: {one.outcome}", style="bold", markup=False)
    call.say(f"  why: {one.why or 'nothing was decided yet'}", markup=False)
    call.say(f"  link: {one.link} ({one.kind}s of {one.user})", markup=False)
    version = f", version {one.rule_version}" if one.rule_version else ""
    call.say(f"  rule: {one.rule}{version}; decided {moment(one.decided)}", markup=False)
    if one.uid:
        call.say(f"  uid: {one.uid}", markup=False)
    call.say(f"  CRM: {_where(one.crm)}", markup=False)
    call.say(f"  mailbox: {_where(one.groupware)}", markup=False)
    for waits in one.waiting:
        call.say(f"  waits: {waits}", style="yellow", markup=False)
    for rejected in one.rejected:
        call.say(f"  rejected: {rejected}", style="yellow", markup=False)
    if one.replies:
        call.say(f"  automatic replies: {one.replies}", markup=False)
    if one.error:
        call.say(f"  last error: {one.error}", style="red", markup=False)
    for entry in one.history:
        _entry(call, entry, "", indent="  ")


def _refusal(call: Call, one: Refusal) -> None:
    times = f", {one.times} times" if one.times > 1 else ""
    where = f" at {one.where}" if one.where else ""
    what = " ".join(filter(None, (one.store, one.luid and f"{one.luid} there", one.ref)))
    said = f"{one.refused} refused to {one.user or 'nobody'}{where}{times}"
    call.say(f"{moment(one.at)}  {short(said, 300)}", style="yellow", markup=False)
    call.say(
        f"      {short(f'{what}: {one.why}' if what else one.why, 300)}", style="dim", markup=False
    )


def _where(where: Where) -> str:
    if not where.ref:
        return "nothing there"
    parts = [where.ref]
    if where.version:
        parts.append(f"version {where.version}")
    if where.modified:
        parts.append(f"changed {moment(where.modified)}")
    if where.by:
        parts.append(f"by {where.by}")
    return ", ".join(parts)


def _entry(call: Call, entry: Entry, link: str, indent: str = "") -> None:
    undone = f"  undone by #{entry.undone_by}" if entry.undone_by else ""
    where = f"{link}  " if link else ""
    head = f"{indent}#{entry.id}  {moment(entry.at)}  {where}"
    ref = entry.ref or (f"for {entry.counterpart}" if entry.counterpart else "(ref erased)")
    what = f"{entry.step} in the {entry.side.place}: {entry.kind} {ref}"
    # A job works on neither side.
    what = f"job {entry.ref}" if entry.step == "job" else what
    call.say(f"{head}{what}{undone}", markup=False)
    who = f" (by {entry.actor})" if entry.actor else ""
    run = f"; run {entry.run}" if entry.run else ""
    call.say(f"{indent}      {entry.why}{who}{run}", style="dim", markup=False)
    for line in fields_of(entry):
        call.say(Text.assemble(f"{indent}      ", line))
    if entry.error:
        call.say(f"{indent}      failed: {entry.error}", style="red", markup=False)
