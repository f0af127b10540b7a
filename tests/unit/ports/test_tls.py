from __future__ import annotations

import pytest

from accord.ports.tls import is_near, is_unchecked


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "::1"])
def test_this_very_machine_is_near(host: str) -> None:
    assert is_near(host)


@pytest.mark.parametrize(
    "host", [None, "", "127.example.org", "localhost.example.org", "10.0.0.1", "0.0.0.0", "::"]
)
def test_whatever_only_looks_like_it_is_not(host: str | None) -> None:
    assert not is_near(host)


@pytest.mark.parametrize(
    ("settings", "unchecked"),
    [
        ({"url": "https://mail.test"}, False),
        ({"url": "https://mail.test", "verify": True}, False),
        ({"url": "https://mail.test", "verify": False}, True),
        ({"verify": False}, True),
        ({"url": "http://127.0.0.1:1", "verify": False}, False),
    ],
)
def test_a_target_is_unchecked_where_encryption_proves_nothing(
    settings: dict[str, object], *, unchecked: bool
) -> None:
    assert is_unchecked(settings) is unchecked
