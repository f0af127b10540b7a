"""vCalendar 1.0 in and out, as phones and older programs speak it (versit, 18 September 1996).

`read` or `decode` a text, `encode` an item, `split` a series with changed occurrences and `join`
it again. It becomes iCalendar on the way in, so extras are the same: `ical:`.

What 1.0 can't say: names of time zones (TZ and DAYLIGHT tell offsets, a zone like it comes back),
an end in another zone, HTML, online meetings, how an entry that takes time counts, people who
aren't invited, kinds of attendees and who chairs, names and sizes of attachments, alarms relative
to the end (they come back as relative to the start), percentages, counts (a rule ends on a date).
`types.losses` tells what of it an item has; what would change its meaning is `Refused`.
"""

from __future__ import annotations

from accord.formats.errors import Refused
from accord.formats.ical.reader import Document
from accord.formats.vcalendar.reader import decode, read
from accord.formats.vcalendar.series import join, split
from accord.formats.vcalendar.writer import PRODUCT, encode

__all__ = ["PRODUCT", "Document", "Refused", "decode", "encode", "join", "read", "split"]
