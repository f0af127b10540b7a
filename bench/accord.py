"""Accord in the benchmark: the real command between the built-in CRM and the same server.

Setting up is not measured; `accord sync` is, as a process of its own like its peers.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from accord.crm.database import DatabaseCrm
from accord.crm.database.admin import Administration
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.ports.adapter import Draft
from accord.service.bootstrap import open_accord
from accord.service.config import load
from accord.service.init import init
from accord.service.transfer import import_
from bench.figures import Figures, measure

DAV = 'adapter = "dav"\ncalendar = "calendar"\n'
EXCHANGE = 'adapter = "exchange"\nauth = "basic"\naccess = "impersonation"\n'

_TEXT = """\
[[target]]
name = "mailboxes"
{target}
url = "{url}"
user = "{login}"
password = {{ file = "password" }}

[[link]]
name = "events"
target = "mailboxes"
user = "{user}"
kind = "event"
rule = "events"
mode = "active"

[[rule]]
name = "events"
kind = "event"
scope = "all"
"""


class Visit(Struct, frozen=True):
    """The cost of one `accord sync`; `seconds` in `figures` includes the interpreter's start."""

    figures: Figures
    visit_seconds: float
    requests: int
    writes: int


def prepare(
    url: str,
    user: str,
    password: str,
    work: Path,
    events: Sequence[Event] = (),
    *,
    target: str = DAV,
    login: str = "",
) -> None:
    """Make an installation in `work` with one link, and put events into its CRM.

    `login` is the account that signs in, where it isn't the user's own.
    """
    work.mkdir(parents=True, exist_ok=True)
    (work / "password").write_text(password, encoding="utf-8")
    accord = open_accord(init(work).config)
    try:
        assert isinstance(accord.crm, DatabaseCrm)
        Administration(accord.crm).add_user(user, f"{user}@example.test")
        text = _TEXT.format(url=url, user=user, login=login or user, target=target)
        import_(accord, text, "bench.toml", folder=work)
        with accord.crm.open(user) as session:
            for start in range(0, len(events), 500):
                some = events[start : start + 500]
                drafts = [Draft(item=event, key=f"bench-{event.uid}") for event in some]
                session.create("", Kind.EVENT, drafts)
    finally:
        accord.close()


def change_one(user: str, work: Path) -> None:
    """Rename one event in the CRM."""
    accord = open_accord(load(work / "accord.toml", {}, work))
    try:
        assert isinstance(accord.crm, DatabaseCrm)
        crm = Administration(accord.crm)
        snapshot = next(iter(crm.list(user, Kind.EVENT)))
        item = msgspec.structs.replace(snapshot.item, title="Changed")
        crm.put(user, item, snapshot.ref)
    finally:
        accord.close()


def sync(what: str, work: Path) -> Visit:
    """Run `accord sync --all --json` as installed; raises CommandFailed."""
    log = work / "sync.log"
    script = Path(sys.executable).parent / "accord"
    command = [str(script), "--config", str(work / "accord.toml")]
    figures = measure(f"accord: {what}", [*command, "sync", "--all", "--json"], output=log)
    line = [one for one in log.read_text(encoding="utf-8").splitlines() if one.startswith("{")][-1]
    report = msgspec.json.decode(line)
    writes = sum(
        report[side][name]
        for side in ("crm", "groupware")
        for name in ("created", "updated", "deleted")
    )
    return Visit(figures, report["seconds"], report["requests"], writes)
