"""The job `tokens`: sign-ins that expire unused are renewed, and what can't be is told ahead.

Those in use are renewed by their use; refresh tokens of links that rest are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from accord.ports.errors import AccordError, Retry
from accord.ports.vault import Renewing
from accord.service.expiries import expiries
from accord.service.jobs.job import Outcome, Work
from accord.service.notices.causes import Cause, line, shape, stand
from accord.state.records import Target

NAME = "tokens"
_SIGN_IN = "let them sign in again: `accord init exchange --auth oauth2-user`, and import it"


def renew_tokens(work: Work) -> Outcome:
    """Renew what may expire, and tell what ends soon."""
    accord = work.accord
    with accord.state.read() as tx:
        targets = tx.targets.all()
    refused: dict[str, Cause] = {}
    renewed = found = 0
    for number, target in enumerate(targets):
        work.step("renewing", number, len(targets))
        for name in _stale(work, target):
            work.step("renewing", number, len(targets))
            found += 1
            if not work.dry:
                renewed += _renew(work, target, name, refused)
    causes = [*refused.values(), *_ending(work)]
    lines = [line(cause) for cause in causes]
    if work.dry:
        words = f"{found} to renew, {len(causes)} to tell"
        return Outcome(words=words, lines=lines)
    told = stand(accord, work.config, NAME, causes, timedelta(days=1), work.fence)
    said = [f"{renewed} renewed" if renewed else "nothing to renew"]
    said += [f"{told.standing} to be renewed by hand"] if told.standing else []
    said += [f"could not be told: {'; '.join(told.failed)}"] if told.failed else []
    return Outcome(
        words=", ".join(said),
        counts={"renewed": renewed, "ending": told.standing, "told": told.told},
        lines=lines,
        failed=len(told.failed),
        changed=bool(told.told),
        hint="`accord jobs causes` lists it" if told.standing else "",
    )


def _stale(work: Work, target: Target) -> list[str]:
    """Return a target's sign-ins that were not renewed for long."""
    try:
        adapter = work.accord.adapter(target.id)
    except AccordError:
        return []  # whoever visits it says so
    if not isinstance(adapter, Renewing):
        return []
    limit = work.accord.clock() - timedelta(days=int(work.options["unused"]))
    with work.accord.state.read() as tx:
        last = {name: tx.renewals.renewed(target.id, name) for name in adapter.sign_ins()}
    return [name for name, at in last.items() if at is None or at < limit]


def _renew(work: Work, target: Target, name: str, refused: dict[str, Cause]) -> bool:
    """Renew a sign-in and tell whether that went well; what refuses many is one cause."""
    adapter = work.accord.adapter(target.id)
    assert isinstance(adapter, Renewing)
    try:
        adapter.renew(name)
    except AccordError as error:
        passing = isinstance(error, Retry)
        key = f"renewal/{target.id}/{error.action}/{shape(str(error))}"
        hint = _SIGN_IN if not passing else "it is tried again daily"
        cause = Cause(key=key, words="", hint=hint, names=[], count=0, passing=passing)
        cause = refused.setdefault(key, cause)
        cause.names.append(name or "the service account")
        cause.count += 1
        whose = f"the sign-in of {cause.names[0]}"
        whose = whose if cause.count == 1 else f"{cause.count:,} sign-ins"
        cause.words = f"{whose} on {target.name} can't be renewed: {error}"
        return False
    return True


def _ending(work: Work) -> Iterator[Cause]:
    """Yield what ends soon and nothing renews."""
    now, ahead = work.accord.clock(), timedelta(days=int(work.options["ahead"]))
    with work.accord.state.read() as tx:
        found = expiries(work.accord, work.config, tx, ahead)
    for one in found:
        # What was renewed, and ends again one day, is to be told anew.
        key = f"{one.kind}/{one.name}/{one.at.isoformat()}"
        yield Cause(key=key, words=one.words(now), hint=one.hint, names=[one.name])
