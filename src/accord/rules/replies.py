"""The words of automatic replies: a rule's templates, filled for one absence.

`service/replies.py` asks which absence is due and how its replies read. A reply tells when
somebody is away, never why: no template can name the kind of an absence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from html import escape

from accord.model.item import Absence
from accord.model.replies import Audience, Replies
from accord.model.zones import instant
from accord.rules.rule import AutoReplies

PLACEHOLDERS = {
    "name": "the person's name",
    "from": "the first day, or the time at which the absence begins",
    "until": "the last day, or the time at which it ends",
    "back": "the day after the last one, or the time at which it ends",
    "message": "the message that the absence itself has: for colleagues inside, for others outside",
}
"""What `{…}` in a template may name, and what stands for it."""

TEXT_LIMIT = 10_000
"""Characters a template may have."""

_PLACEHOLDER = re.compile(r"\{([^{}\n]*)\}")


def strangers(template: str) -> Iterator[str]:
    """Yield the placeholders of a template that mean nothing."""
    for name in dict.fromkeys(_PLACEHOLDER.findall(template)):
        if name not in PLACEHOLDERS:
            yield name


def replies_for(said: AutoReplies, absence: Absence, name: str, home: str) -> Replies | None:
    """Return the replies for an absence; None where the rule sets none, or has nothing to say.

    `home` is the zone in which whole days begin. Raises UnknownZone.
    """
    start, end = _period(absence, home)
    inside = _filled(said.inside, absence, name, absence.message)
    if not inside:
        return None
    outside = ""
    if said.audience is not Audience.NONE:
        outside = _filled(said.outside, absence, name, absence.outside_message)
    return Replies(
        on=True,
        start=start,
        end=end,
        inside=_html(inside),
        outside=_html(outside),
        audience=said.audience if outside else Audience.NONE,
    )


def next_absence(
    absences: Mapping[str, Absence], now: datetime, home: str
) -> tuple[str, Absence] | None:
    """Return the absence that lasts now or comes next, of those by ref; None where none does.

    Of several at once the one that began first counts, and after it the next. Raises UnknownZone.
    """
    coming = [(*_period(absence, home), ref, absence) for ref, absence in absences.items()]
    coming = [each for each in coming if each[0] < each[1] and each[1] > now]
    if not coming:
        return None
    *_, ref, absence = min(coming)
    return ref, absence


def _period(absence: Absence, home: str) -> tuple[datetime, datetime]:
    zone = (None if absence.all_day else absence.time_zone) or home
    return instant(absence.start, zone), instant(absence.end, zone)


def _filled(template: str, absence: Absence, name: str, message: str) -> str:
    values = {
        "name": name,
        "from": _moment(absence, absence.start),
        "until": _last(absence),
        "back": _moment(absence, absence.end),
        "message": _discreet(message, absence),
    }
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], ""), template).strip()


def _discreet(message: str, absence: Absence) -> str:
    """Return a message, or nothing where it names the kind of the absence."""
    kind = absence.absence_kind.strip().casefold()
    return "" if kind and kind in message.casefold() else message.strip()


def _last(absence: Absence) -> str:
    end = absence.end
    return _moment(absence, end - timedelta(days=1) if absence.all_day else end)


def _moment(absence: Absence, when: datetime) -> str:
    return f"{when:%Y-%m-%d}" if absence.all_day else f"{when:%Y-%m-%d %H:%M}"


def _html(text: str) -> str:
    return "<br>".join(escape(text, quote=False).split("\n"))
