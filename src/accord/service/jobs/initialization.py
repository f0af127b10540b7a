"""The job `initialize`: user initialization, as `accord templates apply` does it."""

from __future__ import annotations

from collections import Counter

from accord.directory.decide import What
from accord.ports.users import VersionsUsers
from accord.service.accord import Accord
from accord.service.initialize import Done, Initialization, initialize
from accord.service.jobs.job import Outcome, Work

_WORDS = {
    What.ADD: "added",
    What.CHANGE: "changed",
    What.HOLD: "held",
    "plan": "planned",
    What.PAUSE: "paused",
    What.RESUME: "resumed",
    What.WITHDRAW: "withdrawn",
}


def users_version(accord: Accord) -> str:
    """Return what the CRM says of the state of its users and groups; nothing where it can't."""
    crm: object = accord.crm
    return crm.users_version() if isinstance(crm, VersionsUsers) else ""


def initialize_users(work: Work) -> Outcome:
    """Do the user initialization; a CRM without templates is asked nothing."""
    with work.accord.state.read() as tx:
        if not tx.templates.all() and not tx.given_links.all():
            return Outcome(words="there are no templates")
    result = initialize(work.accord, dry=work.dry, by=work.by, progress=work.step)
    done = [one for one in result.done if not one.error]
    counts = Counter(_WORDS[one.what] for one in done)
    said = [f"{count} {word}" for word, count in counts.items()]
    said += [f"{result.failed} failed"] if result.failed else []
    said += [f"nobody was parted from: {result.held}"] if result.held else []
    said += [f"{len(result.troubles)} to mend"] if result.troubles else []
    said += [f"{len(result.offers)} waiting to be handed over"] if result.offers else []
    hint = "`accord templates` tells more" if result.troubles or result.failed else ""
    if result.held:
        hint = "`accord templates apply --leavers` says that it is meant"
    return Outcome(
        words=", ".join(said) or "all links are as their templates say",
        counts={**counts, "failed": result.failed, "troubles": len(result.troubles)},
        lines=_lines(result),
        failed=result.failed + bool(result.held),
        changed=bool(done) and not work.dry,
        hint=hint,
    )


def _lines(result: Initialization) -> list[str]:
    lines = [_line(one) for one in result.done]
    return lines + [
        " ".join(filter(None, [one.user, one.kind and f"{one.kind}s", one.why]))
        for one in result.troubles
    ]


def _line(one: Done) -> str:
    waits = "" if one.steps is None else f"; {one.steps} to be approved"
    error = f": {one.error}" if one.error else ""
    return f"{one.link or one.user}: {one.what}, {one.why}{waits}{error}"
