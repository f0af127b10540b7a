"""The jobs there are, by name, in the order in which they are shown."""

from __future__ import annotations

from accord.ports.settings import Setting, SettingType
from accord.service.jobs.digests import send_digests
from accord.service.jobs.errors import check_errors
from accord.service.jobs.housekeeping import tidy_up
from accord.service.jobs.initialization import initialize_users, users_version
from accord.service.jobs.job import Job
from accord.service.jobs.reconciliation import list_completely
from accord.service.jobs.retention import purge_journal
from accord.service.jobs.tokens import renew_tokens


def _number(name: str, label: str, default: int, help_: str) -> Setting:
    return Setting(name=name, label=label, type=SettingType.NUMBER, default=default, help=help_)


JOBS: dict[str, Job] = {
    job.name: job
    for job in (
        Job(
            name="initialize",
            title="give links to who came, keep them as templates say, part from who left",
            schedule="every 15m",
            version=users_version,
            do=initialize_users,
        ),
        Job(
            name="errors",
            title="try again what failed, and tell each cause of the rest once",
            schedule="every 10m",
            held=True,
            options=(
                _number(
                    "patience",
                    "Patience",
                    30,
                    "minutes until what may pass by itself, such as a server that doesn't answer, "
                    "is told",
                ),
            ),
            do=check_errors,
        ),
        Job(
            name="reconcile",
            title="list every folder completely, on both sides",
            schedule="weekly sun 02:00",
            enabled=False,
            options=(
                _number(
                    "spread",
                    "Spread",
                    60,
                    "minutes over which the folders are spread; `accord jobs run` asks at once",
                ),
            ),
            do=list_completely,
        ),
        Job(
            name="retention",
            title="remove what the journal has kept for long enough",
            schedule="daily 03:15",
            options=(
                _number("days", "Days", 730, "days for which the journal is kept; 0 keeps all"),
            ),
            do=purge_journal,
        ),
        Job(
            name="tokens",
            title="renew sign-ins that expire unused, and warn of what must be renewed by hand",
            schedule="daily 04:15",
            options=(
                _number("ahead", "Ahead", 30, "days before its end that something is told"),
                _number("unused", "Unused", 7, "days after which a sign-in is renewed unasked"),
            ),
            do=renew_tokens,
        ),
        Job(
            name="housekeeping",
            title="remove what nothing refers to any more",
            schedule="daily 03:45",
            plans=False,
            do=tidy_up,
        ),
        Job(
            name="digest",
            title="mail people which of their edits were lost, put back or refused",
            schedule="daily 06:00",
            enabled=False,
            do=send_digests,
        ),
    )
}
