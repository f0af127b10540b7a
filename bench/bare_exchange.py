"""The bare loop on Exchange: the same calls by exchangelib with nothing around them, as a floor.

Runs as a process of its own, `python -m bench.bare_exchange URL ADDRESS WAY COUNT`, password in
BARE_WORD. Out: CreateItem in batches, and GetItem to read back what was made. In: SyncFolderItems
for the ids, and GetItem. Batches are as large as Accord's, and so is what is asked for.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.figures import Figures, measure

_BATCH, _PAGE = 50, 100
_FIELDS = (
    *("subject", "body", "categories", "sensitivity", "importance", "attachments", "location"),
    *("start", "end", "is_all_day", "legacy_free_busy_status", "uid", "organizer", "type"),
    *("required_attendees", "optional_attendees", "resources", "my_response_type"),
    *("reminder_is_set", "reminder_minutes_before_start", "is_cancelled", "recurrence"),
    *("modified_occurrences", "deleted_occurrences", "last_modified_time", "last_modified_name"),
)
"""What Accord asks for, too."""


def loop(url: str, address: str, password: str, work: Path, way: str, count: int) -> Figures:
    """Measure one direction. Raises CommandFailed where not all items went."""
    work.mkdir(parents=True, exist_ok=True)
    words = {"out": "export", "in": "import"}
    return measure(
        f"bare exchangelib: {words[way]} of {count}",
        [sys.executable, "-m", "bench.bare_exchange", url, address, way, str(count)],
        environment={"BARE_WORD": password},
        folder=Path(__file__).parents[1],
        output=work / "bare.log",
    )


def main(url: str, address: str, way: str, count: int) -> int:
    """Do it, and return how many items went."""
    import exchangelib
    from exchangelib.protocol import BaseProtocol
    from exchangelib.version import EXCHANGE_2013_SP1, Version

    BaseProtocol.SESSION_POOLSIZE = 1
    word = os.environ["BARE_WORD"]
    account = exchangelib.Account(
        address,
        autodiscover=False,
        access_type=exchangelib.DELEGATE,
        default_timezone=exchangelib.EWSTimeZone("Europe/Berlin"),
        config=exchangelib.Configuration(
            service_endpoint=url,
            credentials=exchangelib.Credentials(address, word),
            auth_type=exchangelib.BASIC,
            version=Version(EXCHANGE_2013_SP1),
        ),
    )
    return _out(account, count) if way == "out" else _in(account)


def _out(account: Any, count: int) -> int:
    from exchangelib import CalendarItem

    zone = account.default_timezone
    first, made = datetime(2026, 1, 5, 8), 0
    for numbers in _batches(list(range(count)), _BATCH):
        items = [
            CalendarItem(
                folder=account.calendar,
                subject=f"Appointment {number}",
                location=f"Room {number % 17}",
                start=_at(first + timedelta(hours=3 * number), zone),
                end=_at(first + timedelta(hours=3 * number + 1), zone),
            )
            for number in numbers
        ]
        ids = account.bulk_create(folder=account.calendar, items=items, chunk_size=_BATCH)
        made += len(list(account.fetch(ids, only_fields=_FIELDS, chunk_size=_PAGE)))
    return made


def _in(account: Any) -> int:
    changes = account.calendar.sync_items(only_fields=["id", "changekey"])
    found = [(item.id, item.changekey) for _, item in changes]
    return sum(
        len(list(account.fetch(some, only_fields=_FIELDS, chunk_size=_PAGE)))
        for some in _batches(found, _PAGE)
    )


def _at(moment: datetime, zone: Any) -> Any:
    from exchangelib import EWSDateTime

    return EWSDateTime.from_datetime(moment.replace(tzinfo=zone))


def _batches(items: list[Any], size: int) -> list[list[Any]]:
    return [items[at : at + size] for at in range(0, len(items), size)]


if __name__ == "__main__":
    url, address, way, count = sys.argv[1:]
    done = main(url, address, way, int(count))
    print(done, "went")
    sys.exit(int(done != int(count)))
