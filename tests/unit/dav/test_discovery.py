"""Discovery: whose mailbox it is, what it holds, and what goes wrong on the way."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from accord.groupware.dav import discovery
from accord.groupware.dav.settings import Login
from accord.model.kinds import Kind
from accord.ports.errors import AuthFailed, ConfigError, Retry
from tests.unit.dav.server import adapter_of, failed, found, http_of, multistatus

PRINCIPAL = "<D:current-user-principal><D:href>/p/alice/</D:href></D:current-user-principal>"
HOMES = (
    "<C:calendar-home-set><D:href>/c/alice/</D:href></C:calendar-home-set>"
    "<A:addressbook-home-set><D:href>/a/alice</D:href></A:addressbook-home-set>"
    "<C:calendar-user-address-set><D:href>mailto:Alice@Example.test</D:href>"
    "<D:href>/p/alice/</D:href></C:calendar-user-address-set>"
    "<C:schedule-inbox-URL><D:href>/c/alice/inbox/</D:href></C:schedule-inbox-URL>"
)
CALENDAR = "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"
BOOK = "<D:resourcetype><D:collection/><A:addressbook/></D:resourcetype>"
EVENTS_ONLY = (
    '<C:supported-calendar-component-set><C:comp name="VEVENT"/>'
    "</C:supported-calendar-component-set>"
)
JOURNALS = EVENTS_ONLY.replace("VEVENT", "VJOURNAL")
READ_ONLY = (
    "<D:current-user-privilege-set><D:privilege><D:read/></D:privilege>"
    "</D:current-user-privilege-set>"
)
SYNCS = (
    "<D:supported-report-set><D:supported-report><D:report><D:sync-collection/></D:report>"
    "</D:supported-report></D:supported-report-set>"
)
NAME = "<D:displayname>Termine</D:displayname>"
DEFAULT = (
    "<C:schedule-default-calendar-URL><D:href>/c/alice/office/</D:href>"
    "</C:schedule-default-calendar-URL>"
)


def server(**other: Any) -> dict[str, Any]:
    return {
        "PROPFIND /": multistatus(found("/", PRINCIPAL)),
        "PROPFIND /p/alice/": multistatus(found("/p/alice/", HOMES)),
        "PROPFIND /c/alice/": multistatus(
            found("/c/alice/", "<D:resourcetype><D:collection/></D:resourcetype>"),
            found("/c/alice/office/", CALENDAR + NAME + SYNCS),
            found("/c/alice/shared", CALENDAR + EVENTS_ONLY + READ_ONLY),
            found("/c/alice/diary/", CALENDAR + JOURNALS),
            found("/c/alice/inbox/", CALENDAR + DEFAULT),
        ),
        "PROPFIND /a/alice/": multistatus(found("/a/alice/main/", BOOK)),
        "OPTIONS /c/alice/": httpx2.Response(200, headers={"DAV": "1, calendar-auto-schedule"}),
        **other,
    }


def discover(answers: Any, **more: Any) -> tuple[discovery.Place, list[str]]:
    http, auth, script = http_of(answers, **more)
    login = Login(principal="alice", user="alice", password="secret")
    return discovery.discover(http, auth, login), script.lines


def test_everything_is_found_in_five_requests() -> None:
    place, asked = discover(server())
    assert len(asked) == 5
    assert place.principal == "/p/alice/"
    assert place.addresses == {"alice@example.test"}
    assert place.schedules
    assert place.default == "/c/alice/office/"
    by_ref = {each.ref: each for each in place.collections}
    assert set(by_ref) == {"/c/alice/office/", "/c/alice/shared/", "/a/alice/main/"}
    work, shared, book = by_ref.values()
    assert (work.name, set(work.kinds)) == ("Termine", {Kind.EVENT, Kind.TASK})
    assert work.syncs
    assert work.writable
    assert (shared.name, set(shared.kinds), shared.writable) == ("shared", {Kind.EVENT}, False)
    assert (set(book.kinds), book.report) == ({Kind.CONTACT}, "A")


def test_a_person_is_known_by_what_lasts_longest() -> None:
    place, _ = discover(server())
    assert place.ids == (("calendar home", "/c/alice/"), ("principal URL", "/p/alice/"))
    lasting = "<D:resource-id><D:href>urn:uuid:{}</D:href></D:resource-id>"
    answers = server()
    answers["PROPFIND /p/alice/"] = multistatus(
        found("/p/alice/", HOMES + lasting.format("principal"))
    )
    answers["PROPFIND /c/alice/"] = multistatus(
        found("/c/alice/", lasting.format("home")),
        found("/c/alice/office/", CALENDAR + lasting.format("a calendar's own")),
    )
    place, asked = discover(answers)
    assert place.ids[:2] == (("home", "urn:uuid:home"), ("principal", "urn:uuid:principal"))
    assert len(asked) == 5


def test_the_well_known_addresses_are_tried_and_redirects_followed() -> None:
    answers = server()
    answers |= {
        "PROPFIND /": failed(405),
        "PROPFIND /.well-known/caldav": httpx2.Response(301, headers={"Location": "/dav/"}),
        "PROPFIND /dav/": multistatus(found("/dav/", PRINCIPAL)),
    }
    place, _ = discover(answers)
    assert place.principal == "/p/alice/"


def test_a_well_known_address_that_leads_away_is_refused() -> None:
    answers = server()
    answers["PROPFIND /"] = failed(404)
    elsewhere = httpx2.Response(301, headers={"Location": "https://evil.test/dav/"})
    answers["PROPFIND /.well-known/caldav"] = elsewhere
    with pytest.raises(ConfigError) as caught:
        discover(answers)
    assert caught.value.field == "trusted_hosts"


def test_a_home_on_another_host_is_refused_unless_trusted() -> None:
    answers = server()
    far = HOMES.replace("/c/alice/", "https://p7.dav.test/c/alice/")
    answers["PROPFIND /p/alice/"] = multistatus(found("/p/alice/", far))
    with pytest.raises(ConfigError):
        discover(answers)
    place, asked = discover(answers, trusted_hosts="*.dav.test")
    assert "https://p7.dav.test/c/alice/office/" in {each.ref for each in place.collections}
    assert "PROPFIND https://p7.dav.test/c/alice/" in asked


def test_refused_credentials_are_said_to_be_so() -> None:
    with pytest.raises(AuthFailed):
        discover(server(**{"PROPFIND /": failed(401)}))


def test_a_server_that_fails_is_asked_later() -> None:
    with pytest.raises(Retry):
        discover(server(**{"PROPFIND /c/alice/": failed(500)}))


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/p/alice/", multistatus(found("/p/alice/", NAME))),
        ("/p/alice/", failed(403)),
        ("/p/alice/", failed(404)),
        ("/p/alice/", httpx2.Response(200, text="<html></html>")),
        ("/c/alice/", failed(403)),
        ("/p/alice/", multistatus()),
    ],
)
def test_what_is_no_mailbox_is_a_fault_of_the_settings(path: str, answer: httpx2.Response) -> None:
    with pytest.raises(ConfigError):
        discover(server(**{f"PROPFIND {path}": answer}))


def test_no_dav_at_all_is_named_after_the_address() -> None:
    with pytest.raises(ConfigError) as caught:
        discover({})
    assert caught.value.field == "url"
    assert caught.value.hint


def test_a_server_that_takes_nobody_for_signed_in_is_a_fault() -> None:
    anonymous = "<D:current-user-principal><D:unauthenticated/></D:current-user-principal>"
    with pytest.raises(ConfigError, match="who signed in"):
        discover({"PROPFIND /": multistatus(found("/", anonymous))})


def test_one_account_may_act_for_others_where_a_path_is_set() -> None:
    answers = server()
    adapter, script = adapter_of(
        answers, user="service", principal_path="/p/{local}/", passwords={"bob@x.test": "other"}
    )
    assert adapter.place("alice@x.test").principal == "/p/alice/"
    assert "PROPFIND https://dav.test/" not in script.lines
    with pytest.raises(ConfigError):
        adapter.place("bob@x.test")
    assert script.lines[-1] == "PROPFIND https://dav.test/p/bob/"


def test_one_fixed_login_opens_no_second_mailbox() -> None:
    adapter, script = adapter_of(server(), user="alice")
    adapter.open("alice@example.test").close()
    with pytest.raises(ConfigError) as caught:
        adapter.open("bob@example.test")
    assert caught.value.field == "user"
    assert script.asked == []


def test_each_person_signs_in_with_their_own_password() -> None:
    seen: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers["Authorization"])
        return failed(401)

    adapter, _ = adapter_of(
        answer, user="{local}", passwords={"Bob@x.test": "b"}, users={"carol@x.test": "cc"}
    )
    for person in ("alice@x.test", "bob@x.test", "carol@x.test"):
        with pytest.raises(AuthFailed):
            adapter.place(person)
    basic = [
        httpx2.BasicAuth(*pair) for pair in (("alice", "secret"), ("bob", "b"), ("cc", "secret"))
    ]
    assert seen == [each._auth_header for each in basic]


def test_a_person_is_discovered_once_and_forgotten_on_demand() -> None:
    adapter, script = adapter_of(server())
    adapter.place("alice")
    count = len(script.asked)
    adapter.place("alice")
    with adapter.open("alice") as session:
        session.folders()
    assert len(script.asked) == count
    adapter.forget("alice")
    adapter.place("alice")
    assert len(script.asked) == 2 * count


def test_traits_follow_what_the_server_says_of_itself() -> None:
    says = {"OPTIONS /": httpx2.Response(200, headers={"DAV": "1, calendar-auto-schedule"})}
    assert adapter_of(says)[0].traits.kinds[Kind.EVENT].schedules
    silent = {"OPTIONS /": httpx2.Response(200, headers={"DAV": "1, calendar-access"})}
    adapter, script = adapter_of(silent)
    assert not adapter.traits.kinds[Kind.EVENT].schedules
    assert not adapter.traits.kinds[Kind.EVENT].schedules
    assert len(script.asked) == 1
    assert adapter_of(silent, scheduling="yes")[0].traits.kinds[Kind.EVENT].schedules


def test_a_server_that_cannot_be_asked_counts_as_one_that_mails() -> None:
    answers = {"OPTIONS /": [failed(500), httpx2.Response(200, headers={"DAV": "1"})]}
    adapter, _ = adapter_of(answers)
    assert adapter.traits.kinds[Kind.EVENT].schedules
    assert not adapter.traits.kinds[Kind.EVENT].schedules


def test_a_shared_calendar_outside_the_home_is_asked_for_itself() -> None:
    mark = "<S:getctag>7</S:getctag>"
    answers = server(
        **{"PROPFIND /c/bob/team/": multistatus(found("/c/bob/team/", CALENDAR + mark))}
    )
    adapter, script = adapter_of(answers)
    with adapter.open("alice") as session:
        (page,) = session.changes("/c/bob/team/", Kind.EVENT, "ctag:7", lambda refs: {})
        assert page.cursor == "ctag:7"
        list(session.changes("/c/bob/team/", Kind.EVENT, "", lambda refs: {}))
        with pytest.raises(ConfigError):
            list(session.changes("/c/bob/other/", Kind.EVENT, "", lambda refs: {}))
    # for its mark, for what it is, and for its items
    assert script.lines.count("PROPFIND https://dav.test/c/bob/team/") == 3
