"""The job `tokens`: sign-ins that expire unused are renewed, and what can't be is told ahead.

Those in use are renewed by their use; refresh tokens of links that rest are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from accord.ports.errors import AccordError, Retry
from accord.ports.vault import Renewing
from accord.service.expiries import end_of
from accord.service.jobs.job import Outcome, Work
from accord.service.notices.causes import Cause, line, stand
from accord.state.records import Target

NAME = "tokens"
_SIGN_IN = "let them sign in again: `accord init exchange --auth oauth2-user`, and import it"


def renew_tokens(work: Work) -> Outcome:
    """Renew what may expire, and tell what ends soon."""
    accord = work.accord
    with accord.state.read() as tx:
        targets = tx.targets.all()
    causes: list[Cause] = []
    renewed = found = 0
    for number, target in enumerate(targets):
        work.step("renewing", number, len(targets))
        for name in _stale(work, target):
            work.step("renewing", number, len(targets))
            found += 1
            if not work.dry:
                renewed += _renew(work, target, name, causes)
    causes += _ending(work)
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


def _renew(work: Work, target: Target, name: str, causes: list[Cause]) -> bool:
    adapter = work.accord.adapter(target.id)
    assert isinstance(adapter, Renewing)
    try:
        adapter.renew(name)
    except AccordError as error:
        whose = name or "the service account"
        causes.append(
            Cause(
                key=f"renewal/{target.id}/{name.casefold()}",
                words=f"the sign-in of {whose} on {target.name} can't be renewed: {error}",
                hint=_SIGN_IN if not isinstance(error, Retry) else "it is tried again daily",
                names=[whose],
                passing=isinstance(error, Retry),
            )
        )
        return False
    return True


def _ending(work: Work) -> Iterator[Cause]:
    """Yield what ends soon and nothing renews."""
    now = work.accord.clock()
    before = now + timedelta(days=int(work.options["ahead"]))
    with work.accord.state.read() as tx:
        keys = tx.token_keys.retiring()
        phones = tx.device_secrets.ending(before)
    for id_, until in keys.items():
        if until >= before:
            continue
        yield Cause(
            key=f"key/{id_}",
            words=f"the older token key {id_} verifies until {_day(until)}; connectors that still "
            "sign with it are refused then",
            hint="`accord token key FILE` writes the key that signs now; bring it to them",
        )
    for user, until in phones.items():
        yield Cause(
            key=f"phone/{user}",
            words=f"{user}'s device can sign in until {_day(until)}",
            hint=f"`accord interface device {user}` gives it a new password",
            names=[user],
        )
    for what, path in _certificates(work):
        yield from _certificate(what, path, now, before)


def _certificates(work: Work) -> Iterator[tuple[str, Path]]:
    """Yield the certificates that accord.toml and the targets name."""
    config = work.config
    named = {
        "CRM.interface's certificate": config.interface.certificate,
        "the authority of the mail server": config.smtp.ca_file,
        "the authority of the webhook": config.notify.ca_file,
        "the authority of the CRM": config.connector.get("ca_file", ""),
    }
    with work.accord.state.read() as tx:
        for target in tx.targets.all():
            named[f"the authority of {target.name}"] = target.settings.get("ca_file") or ""
    for what, file in named.items():
        if file:
            yield what, config.folder / Path(str(file)).expanduser()


def _certificate(what: str, path: Path, now: datetime, before: datetime) -> Iterator[Cause]:
    until = end_of(path)
    # Of one that can't be read whoever needs it says so.
    if until is None or until >= before:
        return
    ends = "has ended on" if until < now else "ends on"
    yield Cause(
        key=f"certificate/{path}/{until.isoformat()}",
        words=f"{what} {ends} {_day(until)}",
        hint=f"put a new one into {path}",
        names=[str(path)],
    )


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
