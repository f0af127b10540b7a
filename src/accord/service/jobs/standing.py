"""How the jobs stand, and what an administrator says of them: switch, schedule, options.

The command line and the console show and change jobs through this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from accord.ports.errors import AccordError, ConfigError
from accord.ports.settings import Setting, SettingType, read
from accord.rules.problem import instead
from accord.service.accord import Accord
from accord.service.jobs.catalogue import JOBS
from accord.service.jobs.job import Ending, Job
from accord.service.jobs.schedule import Schedule, parse
from accord.state.jobs import JobRow
from accord.state.state import Tx

LEASE = "job:"
_BEGAN_BY = "job-version:"


class JobStanding(Struct, frozen=True, kw_only=True):
    """Be a job as it stands; `due` is when it begins next, None while it is switched off.

    `ending` says how it last ended (`done`, `failed`, `unable`, `cut off`), `words` with what.
    """

    name: str
    title: str
    enabled: bool
    schedule: str
    options: dict[str, Any]
    running: bool
    due: datetime | None
    started: datetime | None
    ended: datetime | None
    ending: str
    words: str
    hint: str
    counts: dict[str, int]
    by: str
    plans: bool


def job_of(name: str) -> Job:
    """Return a job by its name; raises ConfigError."""
    if name not in JOBS:
        raise ConfigError(f"there is no job {name[:60]!r}", field="job", hint=instead(name, JOBS))
    return JOBS[name]


def row_of(tx: Tx, job: Job) -> JobRow:
    """Return a job's row, as it comes where nobody has changed it."""
    return tx.jobs.get(job.name) or JobRow(name=job.name, enabled=job.enabled)


def is_cut_off(row: JobRow) -> bool:
    """Tell whether a job was begun and never ended; whether it still runs, its lease tells."""
    return row.started is not None and row.ended is None


def is_due(row: JobRow, now: datetime) -> bool:
    """Tell whether a job is to be done now: its time has come, or it was cut off."""
    return row.enabled and (is_cut_off(row) or row.due is None or row.due <= now)


def version_of(accord: Accord, job: Job) -> str | None:
    """Return by what a job goes just now; None where that can't be told."""
    try:
        return "" if job.version is None else job.version(accord)
    except AccordError:
        return None


def has_news(tx: Tx, job: Job, version: str | None) -> bool:
    """Tell whether a job goes by something else than when it last began."""
    return version is not None and version != tx.settings.get(_BEGAN_BY + job.name, "")


def begin_by(tx: Tx, job: Job, version: str | None) -> None:
    """Note by what a job goes that begins now."""
    if has_news(tx, job, version):
        tx.settings.put(_BEGAN_BY + job.name, version)


def schedule_of(job: Job, row: JobRow) -> Schedule:
    """Return when a job runs."""
    return parse(row.schedule or job.schedule)


def options_of(job: Job, row: JobRow) -> dict[str, Any]:
    """Return a job's options with what they are unless somebody says otherwise."""
    return read(job.options, row.options, f"job {job.name}")


def standing(accord: Accord, name: str = "") -> list[JobStanding]:
    """Return how all jobs stand, or one; raises ConfigError for a name that none has."""
    chosen = [job_of(name)] if name else list(JOBS.values())
    with accord.state.read() as tx:
        rows = tx.jobs.all()
        held = {job.name for job in chosen if tx.leases.held(LEASE + job.name)}
    found = []
    for job in chosen:
        row = rows.get(job.name) or JobRow(name=job.name, enabled=job.enabled)
        if is_cut_off(row) and job.name not in held and row.ending != Ending.CUT_OFF:
            row = replace(row, ending=Ending.CUT_OFF.value, words="its process ended", hint="")
        one = JobStanding(
            name=job.name,
            title=job.title,
            enabled=row.enabled,
            schedule=str(schedule_of(job, row)),
            options=options_of(job, row),
            running=job.name in held,
            due=row.due if row.enabled else None,
            started=row.started,
            ended=row.ended,
            ending=row.ending,
            words=row.words,
            hint=row.hint,
            counts=row.counts,
            by=row.by,
            plans=job.plans,
        )
        found.append(one)
    return found


def switch(accord: Accord, name: str, *, on: bool) -> JobStanding:
    """Switch a job on or off; one that runs goes on. Raises ConfigError."""

    def change(job: Job, row: JobRow) -> JobRow:
        if row.enabled is on and (row.due is not None or not on):
            return row
        first = schedule_of(job, row).first(accord.clock())
        return replace(row, enabled=on, due=first if on else None)

    return _change(accord, name, change)


def reschedule(accord: Accord, name: str, text: str) -> JobStanding:
    """Say when a job runs, in the words of `schedule`; raises ConfigError."""
    schedule = parse(text)

    def change(job: Job, row: JobRow) -> JobRow:
        kept = "" if schedule == parse(job.schedule) else str(schedule)
        now = accord.clock()
        # A job that was cut off stays due.
        due = schedule.next(row.started or now, now) if row.ended else schedule.first(now)
        return replace(row, schedule=kept, due=due if row.enabled else None)

    return _change(accord, name, change)


def choose(accord: Accord, name: str, options: Mapping[str, str]) -> JobStanding:
    """Set options of a job, given as text; an empty one takes what it is by default.

    Raises ConfigError for what a job doesn't know, or what an option can't be.
    """

    def change(job: Job, row: JobRow) -> JobRow:
        declared = {setting.name: setting for setting in job.options}
        values = dict(row.options)
        for key, text in options.items():
            if key not in declared:
                none = f"{job.name} has no options"
                hint = instead(key, declared) if declared else none
                raise ConfigError(f"{job.name} has no option {key[:60]!r}", field=key, hint=hint)
            values.pop(key, None)
            if text:
                values[key] = _value(declared[key], text)
        row = replace(row, options=values)
        options_of(job, row)
        return row

    return _change(accord, name, change)


def _value(setting: Setting, text: str) -> Any:
    if setting.type is not SettingType.NUMBER:
        return text
    # Whole numbers of days, minutes and the like; more than a hundred years of any is a slip.
    if not text.isascii() or not text.isdigit() or int(text) > 60_000_000:
        hint = f"write a whole number: {setting.help}"
        raise ConfigError(f"{text[:60]!r} is no {setting.name}", field=setting.name, hint=hint)
    return int(text)


def _change(accord: Accord, name: str, change: Callable[[Job, JobRow], JobRow]) -> JobStanding:
    job = job_of(name)

    def store(tx: Tx) -> None:
        row = row_of(tx, job)
        if row.enabled and row.due is None:
            row = replace(row, due=schedule_of(job, row).first(accord.clock()))
        tx.jobs.put(change(job, row))

    accord.state.run(store)
    return standing(accord, name)[0]
