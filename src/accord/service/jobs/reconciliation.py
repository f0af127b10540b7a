"""The job `reconcile`: every folder is listed completely on both sides, spread over a while.

It only asks for that; the visits are made as any other, and those in need go before them. Done by
hand it asks for all at once.
"""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta

from accord.ports.errors import ConfigError
from accord.ports.queue import Urgency
from accord.service.jobs.job import Outcome, Work
from accord.service.roster import Post, read

CAUSE = "reconciliation"
_LOOK = 2.0
_NOTE = 0.02
"""How much of all may be asked for a second time where the job was cut off."""


def list_completely(work: Work) -> Outcome:
    """Ask for complete visits of all folders, each at its own moment of the spread."""
    posts = sorted(read(work.accord).posts.values(), key=_phase)
    if work.dry or not posts:
        return Outcome(words=f"{len(posts)} folders to list")
    if work.queue is None:
        raise ConfigError("there is no queue to ask", field="queue")
    # Who calls it by hand wants it now, and would sit before nothing for an hour.
    spread = timedelta(minutes=0 if work.by_hand else int(work.options["spread"]))
    began, asked = _resumed(work, spread)
    noted = 0.0
    for number, post in enumerate(posts):
        phase = _phase(post)
        if phase < asked:
            continue
        while (ahead := (began + phase * spread - work.accord.clock()).total_seconds()) > 0:
            work.wait(min(ahead, _LOOK))
            work.step("listing", number, len(posts))
        work.step("listing", number, len(posts))
        work.queue.ask(post.key, CAUSE, place=post.target, urgency=Urgency.LOAD, full=True)
        if phase - noted > _NOTE:
            noted = phase
            work.keep({"began": began.isoformat(), "asked": phase})
    count = len(posts)
    words = f"{count:,} folder{'' if count == 1 else 's'} asked to be listed completely"
    return Outcome(words=words, counts={"folders": count}, changed=True)


def _resumed(work: Work, spread: timedelta) -> tuple[datetime, float]:
    """Return when it began and how far it is: where one that was cut off is still worth it."""
    now = work.accord.clock()
    if work.mark is not None:
        began = datetime.fromisoformat(work.mark["began"])
        if began <= now <= began + 2 * spread:
            return began, float(work.mark["asked"])
    work.keep({"began": now.isoformat(), "asked": 0.0})
    return now, 0.0


def _phase(post: Post) -> float:
    return zlib.crc32(post.key.encode()) / 2**32
