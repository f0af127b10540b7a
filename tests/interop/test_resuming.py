"""A sync that a real client suspends is resumed: in its mode, with what was left, nothing twice."""

from __future__ import annotations

import pytest

from tests.interop.client import Device, Outcome
from tests.interop.lab import Lab, alerts, fine, text

pytestmark = pytest.mark.waits

SUSPENDED = 20032
HERE, THERE = 150, 20


@pytest.fixture
def phone(lab: Lab) -> Device:
    phone = lab.device("phone")
    fine(phone.sync("todo", mode="slow"))
    lab.proxy.clear()
    return phone


@pytest.mark.parametrize(
    ("mode", "code"),
    [("two-way", "200"), ("slow", "201"), ("one-way-from-local", "202")],
)
def test_it_goes_on_in_its_mode_with_what_was_left(
    mode: str, code: str, lab: Lab, phone: Device
) -> None:
    for number in range(HERE):
        phone.write("todo", f"phone{number}", text("todo", f"Phone {number}"))
    lab.give("todo", *(f"Crm {number}" for number in range(THERE)))
    pause = lab.proxy.pause(4)
    run = phone.start("todo", mode=mode, maxMsgSize="10000", RetryInterval="120")
    pause.await_it()
    run.suspend()
    pause.end()
    outcome = run.wait()
    assert (outcome.code, outcome.status) == (1, SUSPENDED), str(outcome)
    done = len(lab.titles("todo")) - THERE
    assert 0 < done < HERE
    lab.proxy.clear()
    outcome = fine(phone.sync("todo", mode=mode, loglevel="4"))
    assert alerts(outcome) == {"todo": "225"}
    assert _answered(outcome) == ("200", code)
    report = outcome.stores["todo"]
    assert report.resumed
    # What was answered before isn't sent again, but for what was on its way.
    assert HERE - done <= report.remote.added < HERE
    everything = sorted([f"Phone {n}" for n in range(HERE)] + [f"Crm {n}" for n in range(THERE)])
    assert lab.titles("todo") == everything
    fine(phone.sync("todo"))
    assert phone.titles("todo") == lab.titles("todo") == everything
    report = fine(phone.sync("todo")).stores["todo"]
    assert (report.mode, report.sent, report.received) == ("two-way", 0, 0)


def _answered(outcome: Outcome) -> tuple[str, str]:
    """Return the status of the client's alert, and the server's own."""
    for message in outcome.received:
        for status in message.iterfind(".//{*}Status"):
            if status.findtext("{*}Cmd") == "Alert" and status.findtext("{*}TargetRef") == "todo":
                (own,) = message.iterfind(".//{*}Alert")
                return status.findtext("{*}Data") or "", own.findtext("{*}Data") or ""
    return "", ""
