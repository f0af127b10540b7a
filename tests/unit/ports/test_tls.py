from __future__ import annotations

import pytest

from accord.ports.tls import is_near


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "::1"])
def test_this_very_machine_is_near(host: str) -> None:
    assert is_near(host)


@pytest.mark.parametrize(
    "host", [None, "", "127.example.org", "localhost.example.org", "10.0.0.1", "0.0.0.0", "::"]
)
def test_whatever_only_looks_like_it_is_not(host: str | None) -> None:
    assert not is_near(host)
