"""What a folder's row becomes when a run begins or ends, and how it is told to others; pure."""

from __future__ import annotations

from typing import Any

from accord.ports.queue import DEATHS, Entry, Job, Stage
from accord.queue.backoff import backoff

ENDED: dict[str, Any] = {"running": 0, "holder": "", "attempts": 0}
"""What to change where a run has ended."""

BURIED: dict[str, Any] = {"running": 0, "holder": ""}
"""What to change where a run was its workers' death."""


def taken(row: Any, now: float) -> dict[str, Any]:
    """Return what to change where a run begins: what was planned is its own now."""
    return {
        "generation": row.generation + 1,
        "running": row.generation,
        "attempts": 1 + (0 if row.running else row.attempts),
        "began": now,
        "before": row.began,
        "running_cause": row.cause,
        "running_full": row.full,
        "due": None,
        "cause": "",
        "full": False,
    }


def replanned(row: Any, now: float) -> dict[str, Any]:
    """Return what to change where a run is planned anew: it is as if it had not begun."""
    planned = row.due is not None and row.due <= now
    return {
        "due": now,
        "cause": row.cause if planned else row.running_cause,
        "full": row.full or row.running_full,
        "began": row.before,
    }


def outlived(row: Any, now: float) -> dict[str, Any]:
    """Return what to change where a run that workers died in is planned anew."""
    values = ENDED | replanned(row, now) | {"attempts": row.attempts}
    if 1 < row.attempts < DEATHS:
        # The other suspects go first: processes killed in a row then died in different ones.
        values["due"] = values["rest"] = now + backoff(row.attempts - 1)
    return values


def job_of(row: Any, now: float, since: float | None) -> Job:
    """Return the run that a row tells of; it was due `since`."""
    return Job(
        folder=row["folder"],
        generation=row["running"],
        cause=row["running_cause"],
        full=row["running_full"],
        attempt=row["attempts"],
        last=None if row["before"] is None else max(now - row["before"], 0.0),
        waited=0.0 if since is None else max(now - since, 0.0),
    )


def entry_of(row: Any, now: float) -> Entry:
    """Return how a folder stands, for people."""
    due = max(row["due"] or 0.0, row["rest"] or 0.0)
    stage, cause, when, attempts = Stage.PLANNED, row["cause"], due, 0
    if row["buried"] is not None:
        attempts = max(row["faults"], row["attempts"])
        stage, cause, when = Stage.BURIED, row["running_cause"], row["buried"]
    elif row["running"]:
        attempts = row["attempts"]
        stage, cause, when = Stage.RUNNING, row["running_cause"], row["began"]
    elif due <= now:
        stage = Stage.WAITING
    return Entry(
        folder=row["folder"],
        stage=stage,
        cause=cause,
        since=when - now,
        urgency=row["urgency"],
        attempts=attempts,
        why=row["why"],
    )
