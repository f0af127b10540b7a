"""Recurrence as Exchange and Graph say it, and the way from and to our rules.

`to_pattern` and `from_pattern` lead there and back; `days` expands by Microsoft's own text.
`event_pattern` asks for a whole event, changed occurrences included (`fits_neighbours`). Whatever
can't be said is `Unfit`, with a reason.
"""
