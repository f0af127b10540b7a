"""Adapters are built for a target, and say its name wherever they speak of it."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from accord.model.kinds import Side
from accord.ports.errors import AccordError, ConfigError
from accord.sandbox.process import free_port
from accord.service import registry
from accord.state.records import Target


@pytest.fixture(autouse=True)
def on_both() -> None:
    """Open no database."""


def target(adapter: str, **settings: Any) -> Target:
    return Target(
        id="t",
        name="company",
        adapter=adapter,
        side=Side.GROUPWARE,
        settings=settings,
        secrets={"password": "secret"} if adapter != "memory" else {},
    )


@pytest.mark.parametrize("adapter", ["dav", "exchange"])
def test_a_certificate_that_is_not_checked_is_logged_with_the_targets_name(
    adapter: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"url": f"https://127.0.0.1:{free_port()}/x", "user": "robot", "verify": False}
    with closing(registry.build(target(adapter, **settings))) as made:
        made.check()
    (record,) = [one for one in caplog.records if "certificate_unchecked" in one.message]
    assert record.target == "company"  # type: ignore[attr-defined]
    assert record.levelname == "WARNING"


@pytest.mark.parametrize("adapter", sorted(registry.GROUPWARE))
def test_a_wrong_setting_is_told_with_the_targets_name_once(adapter: str) -> None:
    with pytest.raises(ConfigError) as caught:
        registry.build(target(adapter, colour="red"))
    assert str(caught.value) == "target company: there is no setting 'colour'"


@pytest.mark.parametrize("adapter", ["dav", "exchange"])
def test_a_person_without_a_password_is_told_with_the_targets_name(adapter: str) -> None:
    own = {"auth": "basic", "access": "own"} if adapter == "exchange" else {}
    given = target(adapter, url="https://mail.test/x", **own)
    secrets = {"passwords": {"bob@x.test": "secret"}}
    built = Target(
        id="t",
        name=given.name,
        adapter=adapter,
        side=given.side,
        settings=given.settings,
        secrets=secrets,
    )
    with closing(registry.build(built)) as made, pytest.raises(AccordError) as caught:
        made.open("alice@x.test")
    assert str(caught.value).startswith("company: there is no password for 'alice@x.test'")
