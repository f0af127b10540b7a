"""Columns give back what was put in, the same on both databases."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Column, Integer, Table, exc, select
from sqlalchemy.dialects import sqlite

from accord.db import Instant, Json, Line, new_metadata, open_database

METADATA = new_metadata()
ROWS = Table(
    "rows",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("at", Instant),
    Column("json", Json),
    Column("line", Line),
)
NOON = datetime(2026, 3, 29, 12, 0, 0, 123456, tzinfo=UTC)


def round_trip(database_url: str, **values: object) -> dict[str, object]:
    with closing(open_database(database_url)) as database:
        with database.begin() as tx:
            METADATA.create_all(tx.connection)
            tx.insert(ROWS, [values])
        with database.read() as tx:
            return dict(tx.execute(select(ROWS)).one()._mapping)


def test_moments_come_back_in_utc_to_the_microsecond(database_url: str) -> None:
    eastern = NOON.astimezone(timezone(timedelta(hours=-5)))
    found = round_trip(database_url, at=eastern)["at"]
    assert found == NOON
    assert isinstance(found, datetime)
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize("year", [1, 9999])
def test_moments_at_the_ends_of_time(database_url: str, year: int) -> None:
    moment = datetime(year, 6, 1, tzinfo=UTC)
    assert round_trip(database_url, at=moment)["at"] == moment


def test_a_moment_without_zone_is_refused(database_url: str) -> None:
    with pytest.raises(exc.StatementError, match="needs a time zone"):
        round_trip(database_url, at=datetime(2026, 1, 1))


def test_moments_compare_as_moments(database_url: str) -> None:
    moments = [NOON + timedelta(microseconds=step) for step in (0, 1, -1, 10**6, -(10**6))]
    with closing(open_database(database_url)) as database, database.begin() as tx:
        METADATA.create_all(tx.connection)
        tx.insert(ROWS, [{"at": each} for each in moments])
        later = select(ROWS.c.at).where(ROWS.c.at > NOON).order_by(ROWS.c.at)
        assert list(tx.execute(later).scalars()) == sorted(m for m in moments if m > NOON)


@pytest.mark.parametrize("value", [{"b": [1, 2.5, None], "a": "ü\0😀"}, [], 0, False, "", None])
def test_json_comes_back(database_url: str, value: object) -> None:
    assert round_trip(database_url, json=value)["json"] == value


def test_equal_json_is_equal_bytes() -> None:
    dialect = sqlite.dialect()
    encode = Json().process_bind_param
    assert encode({"a": 1, "b": 2}, dialect) == encode({"b": 2, "a": 1}, dialect)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Größe 😀", "Größe 😀"),
        ("a\0b", "ab"),
        ("a\udc80b", "a?b"),
        ("", ""),
    ],
)
def test_lines_lose_only_what_no_database_holds(database_url: str, given: str, kept: str) -> None:
    assert round_trip(database_url, line=given)["line"] == kept
