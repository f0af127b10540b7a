"""What can't be read back is not written, and nothing goes unasked over a copy that can't be read.

The mailbox is a CalDAV server in this process; the CRM's own checks are left out where a test needs
a record that another CRM would have let in.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from accord.cli import exits
from accord.cli.words import short
from accord.crm.database import checks
from accord.model.recurrence import RecurrenceRule
from accord.service import registry
from accord.state.records import Target
from tests.unit.cli.conftest import CONFIG, Run, event
from tests.unit.dav.fake import FakeDav

WEEKLY = {"frequency": "weekly"}


@pytest.fixture
def dav(monkeypatch: pytest.MonkeyPatch) -> FakeDav:
    """The server behind every target."""
    server = FakeDav()

    def build(target: Target, vault: object = None) -> Any:
        return server.adapter()

    monkeypatch.setattr(registry, "build", build)
    return server


@pytest.fixture
def linked(installed: Run, dav: FakeDav, tmp_path: Path) -> Run:
    config = CONFIG.replace('kinds = ["event", "task"]', 'kinds = ["event"]')
    (tmp_path / "company.toml").write_text(config)
    installed("import", "company.toml")
    return installed


@pytest.fixture
def lax(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CRM takes any rule."""
    monkeypatch.setattr(checks, "wrong_with", lambda rule: "")


def put(run: Run, title: str, ref: str = "", **more: Any) -> str:
    words = ["--ref", ref] if ref else []
    made = run("crm", "put", "--as", "alice", "--json", *words, stdin=event(title, **more))
    return str(made.row["ref"])


def rules(dav: FakeDav) -> dict[str, str]:
    """Return the RRULE of each entry in the mailbox by its title."""
    entries = [text.partition("BEGIN:VEVENT")[2] for _, text in dav.items.values()]
    return {_line(each, "SUMMARY"): _line(each, "RRULE") for each in entries}


def _line(text: str, name: str) -> str:
    found = re.search(rf"^{name}:(.*)$", text, re.MULTILINE)
    return found[1] if found else ""


def first_line(run: Run, what: str) -> str:
    return run("explain", what).out.partition("\n")[0]


@pytest.mark.usefixtures("lax")
def test_what_could_not_be_read_back_is_told_and_stops_no_other(linked: Run, dav: FakeDav) -> None:
    put(linked, "Before", rule=WEEKLY)
    bad = put(linked, "Never", rule=WEEKLY | {"interval": 0})
    put(linked, "After")
    assert "mailbox 2 created 1 failed" in linked("sync", "--all", code=exits.FAILED).out
    assert rules(dav) == {"Before": "FREQ=WEEKLY", "After": ""}
    assert first_line(linked, "Never") == "Never: waiting (rejected)"
    assert "INTERVAL=0 must be 1 to" in linked("explain", "Never").out
    assert linked("journal").out.count("failed: it is not written") == 1
    assert "1 change is still refused" in linked("sync", "--all").out
    put(linked, "Never", bad, rule=WEEKLY | {"interval": 2})
    assert "mailbox 1 created" in linked("sync", "--all").out
    assert rules(dav)["Never"] == "FREQ=WEEKLY;INTERVAL=2"
    assert first_line(linked, "Never") == "Never: synchronized"


@pytest.mark.usefixtures("lax")
def test_a_sound_entry_is_never_made_unreadable(linked: Run, dav: FakeDav) -> None:
    ref = put(linked, "Series", rule=WEEKLY)
    linked("sync", "--all")
    put(linked, "Series", ref, rule=WEEKLY | {"interval": 0})
    assert "Recurrence: weekly → every 0 weeks" in linked("plan").out
    assert "mailbox 1 failed" in linked("sync", "--all", code=exits.FAILED).out
    assert rules(dav) == {"Series": "FREQ=WEEKLY"}
    assert first_line(linked, "Series") == "Series: waiting (rejected)"
    put(linked, "Series", ref, rule=WEEKLY | {"interval": 2})
    assert "mailbox 1 updated" in linked("sync", "--all").out
    assert rules(dav) == {"Series": "FREQ=WEEKLY;INTERVAL=2"}
    assert "rule: weekly → every 2 weeks" in linked("journal", "--limit", 1).out


@pytest.fixture
def spoiled(linked: Run, dav: FakeDav) -> str:
    """The ref of a series whose copy somebody renamed and spoiled in one go."""
    ref = put(linked, "Series", rule=WEEKLY)
    linked("sync", "--all")
    save(dav, "SUMMARY:Series", "SUMMARY:Ours", "FREQ=WEEKLY", "FREQ=WEEKLY;INTERVAL=0")
    return ref


def save(dav: FakeDav, *words: str) -> str:
    """Save the only entry with words in it replaced, pair by pair, as another client would."""
    (href,) = dav.items
    text = dav.text(href)
    for old, new in zip(words[::2], words[1::2], strict=True):
        assert old in text
        text = text.replace(old, new)
    dav.put(href, text)
    return href


def held(run: Run) -> list[Any]:
    return run("held", "--json").rows


def test_an_edit_goes_over_a_copy_that_can_not_be_read_once_approved(
    linked: Run, dav: FakeDav, spoiled: str
) -> None:
    assert "1 can't be read" in linked("sync", "--all").out
    told = linked("explain", "Series").out
    assert "an edit in the CRM waits for approval to be written over it" in told
    put(linked, "Series", spoiled, rule=WEEKLY | {"count": 3})
    for said in (linked("plan").out, linked("sync", "--all").out + linked("held").out):
        assert "held: update in the mailbox: Series" in said
        assert "approving writes over it, and what stands there is lost" in said
    assert "Recurrence: weekly → weekly, 3 times" in linked("held").out
    assert first_line(linked, "Series") == "Series: waiting (held, rejected)"
    assert "what stands there is lost" in linked("explain", "Series").out
    linked("sync", "--all", "--full")
    assert rules(dav) == {"Ours": "FREQ=WEEKLY;INTERVAL=0"}, "nobody approved it"
    (one,) = held(linked)
    assert "mailbox 1 updated" in linked("held", "approve", one["id"]).out
    (lost,) = linked("digest", "--json").row["lines"]
    assert (lost["fate"], lost["label"], lost["made"]) == ("lost", "Series", "groupware")
    assert "over a copy that couldn't be read" in lost["why"]
    assert not lost["fields"], "which fields somebody had edited isn't known"
    assert rules(dav) == {"Series": "FREQ=WEEKLY;COUNT=3"}
    assert first_line(linked, "Series") == "Series: synchronized"
    assert "nothing to do" in linked("sync", "--all").out
    step = linked("journal", "--limit", 1, "--json").row["id"]
    linked("undo", step, "--yes")
    assert rules(dav) == {"Series": "FREQ=WEEKLY"}, "what it held when it could be read"
    assert "nothing to do" in linked("sync", "--all").out


def test_approval_is_for_the_copy_as_it_stood(linked: Run, dav: FakeDav, spoiled: str) -> None:
    put(linked, "Series", spoiled, rule=WEEKLY | {"count": 3})
    linked("sync", "--all")
    (one,) = held(linked)
    save(dav, "SUMMARY:Ours", "SUMMARY:Again ours")
    assert "mailbox 1 updated" not in linked("held", "approve", one["id"]).out
    assert rules(dav) == {"Again ours": "FREQ=WEEKLY;INTERVAL=0"}
    (anew,) = held(linked)
    linked("held", "reject", anew["id"], "--yes")
    linked("sync", "--all", "--full")
    assert rules(dav) == {"Again ours": "FREQ=WEEKLY;INTERVAL=0"} and held(linked) == []


def test_what_waits_for_a_copy_goes_on_once_that_can_be_read(
    linked: Run, dav: FakeDav, spoiled: str
) -> None:
    put(linked, "Series", spoiled, rule=WEEKLY, location="Hall")
    linked("sync", "--all")
    assert len(held(linked)) == 1
    save(dav, ";INTERVAL=0", "")
    assert "CRM 1 updated, mailbox 1 updated" in linked("sync", "--all").out
    (href,) = dav.items
    assert rules(dav) == {"Ours": "FREQ=WEEKLY"} and "LOCATION:Hall" in dav.text(href)
    assert held(linked) == [] and first_line(linked, "Ours") == "Ours: synchronized"


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (WEEKLY, "weekly"),
        (WEEKLY | {"count": 1}, "weekly, 1 time"),
        ({"frequency": "daily", "interval": 3}, "every 3 days"),
        (WEEKLY | {"until": "2027-04-01T10:00:00"}, "weekly, until 2027-04-01 10:00"),
        (
            {"frequency": "monthly", "by_day": [{"day": "fr", "nth": -1}, {"day": "mo"}]},
            "monthly, day -1 fr, mo",
        ),
        (
            {"frequency": "yearly", "by_month_day": [28], "week_start": "su"},
            "yearly, month day 28, weeks from su",
        ),
    ],
)
def test_a_rule_is_told_in_words(rule: dict[str, Any], told: str) -> None:
    assert short(rule) == told
    assert short(msgspec.convert(rule, RecurrenceRule)) == told
