"""Column types that hold the same on SQLite and PostgreSQL.

Used by every schema: moments in UTC, JSON as bytes, lines of text for people.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import DateTime, Dialect, LargeBinary, Text
from sqlalchemy.types import TypeDecorator


class Instant(TypeDecorator[datetime]):
    """Hold a moment in UTC to the microsecond; refuses naive values with ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment as the database wants it."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment needs a time zone: {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment, aware, in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """Hold any JSON value as UTF-8 bytes, keys sorted, so that equal values are equal bytes."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        """Return the encoded value; None stays NULL."""
        return None if value is None else _ENCODER.encode(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return the decoded value."""
        return None if value is None else _DECODER.decode(value)


class Line(TypeDecorator[str]):
    """Hold text for people; drops what PostgreSQL can't store (NUL, lone surrogates)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text without what no database holds."""
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


class Foreign(TypeDecorator[str]):
    """Hold a text that strangers choose and we look up by, such as a uid; see `folded`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return what the text is kept and found as."""
        return None if value is None else folded(value)


def folded(text: str) -> str:
    """Return `text` if a database can index it, else its beginning and a digest of the whole.

    PostgreSQL indexes no NUL, no lone surrogate and nothing over some 2,700 bytes.
    """
    if len(text) <= _SHORT and "\0" not in text and text.isprintable():
        return text
    data = text.encode("utf-8", "surrogatepass")
    begin = data[:64].decode("utf-8", "ignore").replace("\0", "")
    return f"{begin}~{hashlib.sha256(data).hexdigest()}"


_SHORT = 500
_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
