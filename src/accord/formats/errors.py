"""What a codec says when it can't give a text a meaning.

Adapters turn it into an `Unknown` observation or a `Rejected` outcome, with this very text.
"""

from __future__ import annotations


class Refused(ValueError):
    """Say why a text isn't taken, with the property and the line where it stands.

    `line` counts the lines of the text as an editor shows them, 0 where no line is to blame.
    """

    def __init__(self, reason: str, *, prop: str = "", line: int = 0, uid: str = "") -> None:
        """Keep the reason for people, and the place."""
        self.reason = reason
        self.prop = prop
        self.line = line
        self.uid = uid
        super().__init__(reason, prop, line, uid)

    def __str__(self) -> str:
        """Return `line 12: DTSTART: reason`."""
        where = f"line {self.line}: " if self.line else ""
        what = f"{self.prop}: " if self.prop else ""
        return f"{where}{what}{self.reason}"
