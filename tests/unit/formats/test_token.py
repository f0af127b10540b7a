"""The text of a token: what is written is read, and nothing else is taken for genuine."""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.formats import token as format_
from accord.formats.token import (
    LONGEST,
    LONGEST_USER,
    Key,
    is_genuine,
    key_text,
    new_claims,
    new_key,
    read,
    read_key,
    write,
)
from accord.ports.errors import ConfigError
from accord.ports.token import Claims, Refusal, TokenRefused

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEY = Key(id="0123456789abcdef", secret=bytes(range(32)))
OTHER = Key(id=KEY.id, secret=bytes(range(1, 33)))

users = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: len(text.encode()) <= LONGEST_USER
)
moments = st.datetimes(
    datetime(2002, 1, 1), datetime(2286, 1, 1), timezones=st.just(UTC)
)  # those of 13 digits
claims = st.builds(
    new_claims,
    users,
    st.datetimes(datetime(2002, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
    st.timedeltas(timedelta(0), timedelta(days=4000)),
    once=st.booleans(),
)


def genuine(text: str, key: Key = KEY) -> bool:
    """Tell whether a text is a token of this key's; what can't be read is none."""
    try:
        return is_genuine(read(text), key)
    except TokenRefused as refused:
        return refused.refusal is not Refusal.MALFORMED  # nothing else may be said of it


@given(claims)
def test_what_is_written_is_read(said: Claims) -> None:
    written = read(write(said, KEY))
    assert written.claims == said
    assert written.key == KEY.id
    assert is_genuine(written, KEY)
    assert not is_genuine(written, OTHER)


@given(claims)
def test_a_token_stands_anywhere_unchanged(said: Claims) -> None:
    text = write(said, KEY)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", text)
    assert escape(text) == text
    assert len(text) <= LONGEST


def test_every_flipped_bit_is_refused() -> None:
    """Each single bit of the whole text, one by one: none is without meaning."""
    data = write(new_claims("anna", NOW, timedelta(hours=8)), KEY).encode()
    assert genuine(data.decode())
    for at in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit
            assert not genuine(flipped.decode("latin-1")), (at, bit)


@given(claims, st.data())
def test_any_other_text_is_refused(said: Claims, data: st.DataObject) -> None:
    text = write(said, KEY)
    at = data.draw(st.integers(0, len(text)))
    gone = data.draw(st.integers(0, 3))
    put = data.draw(st.text(st.sampled_from("a0._-=\n\0A é9so"), max_size=3))
    changed = text[:at] + put + text[at + gone :]
    assert genuine(changed) is (changed == text)


@given(st.text())
def test_any_text_is_refused_as_malformed(text: str) -> None:
    assert not genuine(text)


@given(claims, claims)
def test_parts_of_two_tokens_make_no_third(one: Claims, two: Claims) -> None:
    first, second = write(one, KEY).split("."), write(two, KEY).split(".")
    for at in range(len(first)):
        mixed = ".".join([*first[:at], second[at], *first[at + 1 :]])
        assert genuine(mixed) is (mixed in (write(one, KEY), write(two, KEY)))


def test_the_mac_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """`compare_digest` decides, and it alone."""
    asked = []

    def compare(one: str, two: str) -> bool:
        asked.append((one, two))
        return True

    text = write(new_claims("anna", NOW, timedelta(hours=8)), KEY)
    forged = text[:-43] + "A" * 43
    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert is_genuine(read(forged), KEY)
    assert asked == [("A" * 43, text[-43:])]


@pytest.mark.parametrize("user", ["", "x" * 257, "é" * 129])
def test_a_name_that_fits_no_token(user: str) -> None:
    with pytest.raises(ValueError, match="1 to 256 bytes"):
        write(new_claims(user, NOW, timedelta(hours=1)), KEY)


def test_ids_are_never_the_same() -> None:
    assert len({new_claims("anna", NOW, timedelta(hours=1)).id for _ in range(1000)}) == 1000


def test_a_key_goes_through_a_file() -> None:
    key = new_key()
    assert read_key(key_text(key) + "\n") == key
    assert new_key() != key


@pytest.mark.parametrize("text", ["", "x", "0123456789abcdef", "0123456789abcdef AAAA", "z" * 61])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(ConfigError, match="no token key"):
        read_key(text)


def test_secrets_are_not_shown() -> None:
    assert "secret" not in f"{KEY!r} {KEY}"
    assert str(KEY.secret) not in f"{KEY!r}"
    assert format_.FORM == "a1"
