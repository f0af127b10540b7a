"""Which collection is used where nobody chose, and that `check` says which and why."""

from __future__ import annotations

import httpx2
import pytest

from accord.groupware.dav.discovery import Collection, Place
from accord.groupware.dav.folders import chosen
from accord.groupware.dav.settings import configure
from accord.model.kinds import Kind
from tests.unit.dav.server import adapter_of, found, multistatus
from tests.unit.dav.test_discovery import BOOK, CALENDAR, EVENTS_ONLY, server

CONFIG = {"url": "https://dav.test/", "user": "u", "password": "p"}
KINDS = {"e": Kind.EVENT, "t": Kind.TASK}


def place(*collections: str, default: str = "") -> Place:
    """Return a place whose collections are given as `kinds:name`; `!` before is read-only."""
    found = []
    for text in collections:
        kinds, _, name = text.lstrip("!").partition(":")
        one = Collection(
            ref=f"/c/{name.lower()}/",
            name=name,
            kinds=frozenset(KINDS[letter] for letter in kinds),
            writable=not text.startswith("!"),
            reports=frozenset(),
        )
        found.append(one)
    return Place(
        principal="/p/",
        calendar_homes=("/c/",),
        card_homes=(),
        collections=tuple(found),
        addresses=frozenset(),
        schedules=False,
        default=default,
    )


@pytest.mark.parametrize(
    ("there", "events", "tasks"),
    [
        (("et:Work", "et:Team"), ("Work", "the first"), ("Work", "where events go")),
        (("et:Todos", "e:Work"), ("Work", "events only"), ("Todos", "the first")),
        (("e:Birthdays", "et:Personal"), ("Personal", "its name"), ("Personal", "where events")),
        (("!e:Calendar", "e:Work"), ("Work", "events only"), None),
        (("et:default", "e:Calendar"), ("Calendar", "its name"), ("default", "the first")),
        (("et:Work", "t:Shopping", "t:Tasks"), ("Work", "the first"), ("Tasks", "tasks only")),
        (("t:Tasks", "et:Work"), ("Work", "the first"), ("Tasks", "tasks only")),
        (("t:Tasks",), None, ("Tasks", "tasks only")),
    ],
)  # fmt: skip
def test_the_default_is_what_a_person_would_take(
    there: tuple[str, ...], events: tuple[str, str] | None, tasks: tuple[str, str] | None
) -> None:
    config = configure(CONFIG, "dav")
    for kind, wanted in ((Kind.EVENT, events), (Kind.TASK, tasks)):
        found, why = chosen(config, place(*there), kind)
        if wanted is None:
            assert found is None
        else:
            assert found is not None and found.name == wanted[0]
            assert wanted[1] in why


def test_settings_and_the_server_come_before_names() -> None:
    there = place("et:Calendar", "et:Office", "t:Tasks", default="/c/office/")
    config = configure(CONFIG, "dav")
    for kind in (Kind.EVENT, Kind.TASK):
        found, why = chosen(config, there, kind)
        assert found is not None and (found.name, why) == ("Office", "the server's choice")
    found, why = chosen(configure(CONFIG | {"calendar": "Calendar"}, "dav"), there, Kind.EVENT)
    assert found is not None and (found.name, why) == ("Calendar", "named in the settings")


def test_check_says_which_is_used_and_folders_begin_with_it() -> None:
    answers = server(
        **{
            "PROPFIND /c/alice/": multistatus(
                found("/c/alice/many/", CALENDAR),
                found("/c/alice/own/", CALENDAR + EVENTS_ONLY),
                found("/c/alice/list/", CALENDAR + EVENTS_ONLY.replace("VEVENT", "VTODO")),
            ),
            "PROPFIND /a/alice/": multistatus(found("/a/alice/main/", BOOK)),
            "OPTIONS /": httpx2.Response(200, headers={"DAV": "1"}),
        }
    )
    adapter, _ = adapter_of(answers)
    said = {one.subject: one.detail for one in adapter.check("alice")}
    assert said["default calendar"] == "own (/c/alice/own/), it takes events only"
    assert said["default task list"] == "list (/c/alice/list/), it takes tasks only"
    with adapter.open("alice") as session:
        listed = session.folders()
    for kind, name in ((Kind.EVENT, "own"), (Kind.TASK, "list")):
        assert next(one for one in listed if kind in one.kinds and one.default).name == name
