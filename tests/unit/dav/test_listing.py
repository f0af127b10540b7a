"""Which items changed: tokens, truncation, fallbacks, and folders that are gone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from accord.groupware.dav.client import Client
from accord.groupware.dav.listing import FIRST, Member, Report, report
from accord.model.kinds import Kind
from accord.ports.errors import AuthFailed, ConfigError, Retry
from tests.unit.dav.server import Script, failed, found, http_of, multistatus, refused

FOLDER = "/cal/"
COLLECTION = "<D:resourcetype><D:collection/></D:resourcetype>"


def etag(value: str, component: str = "") -> str:
    kind = f"<D:getcontenttype>text/calendar; component={component}</D:getcontenttype>"
    return f"<D:getetag>{value}</D:getetag>{kind if component else ''}"


def client_of(answers: Any) -> tuple[Client, Script]:
    http, auth, script = http_of(answers)
    return Client(http, auth, ThreadPoolExecutor(1)), script


def ask(answers: Any, cursor: str = "", *, syncs: bool = True) -> tuple[Report, Script]:
    client, script = client_of(answers)
    return report(client, FOLDER, cursor, syncs), script


def test_nothing_changed_is_one_request() -> None:
    told, script = ask({"REPORT /cal/": multistatus(token="t2")}, "sync:t1")
    assert told == Report(cursor="sync:t2")
    assert len(script.asked) == 1
    assert b"<D:sync-token>t1</D:sync-token>" in script.asked[0].read()
    assert script.asked[0].headers["Depth"] == "0"


def test_a_delta_names_changed_and_gone_items() -> None:
    answer = multistatus(
        found("/cal/a.ics", etag('"1"', "VEVENT")), refused("/cal/b.ics", 404), token="t2"
    )
    told, _ = ask({"REPORT /cal/": answer}, "sync:t1")
    assert told.members == (Member("/cal/a.ics", '"1"', "vevent"),)
    assert told.refused == (("/cal/b.ics", 404),)
    assert not told.complete


@pytest.mark.parametrize("method", ["PROPFIND", "REPORT"])
def test_a_first_listing_is_complete_and_leaves_out_the_folder_itself(method: str) -> None:
    answer = multistatus(
        found("/cal/", COLLECTION),
        found("/cal/sub/", COLLECTION),
        found("/cal/a.ics", etag('"1"')),
        token="t1",
    )
    cursor = FIRST if method == "REPORT" else ""
    told, script = ask({f"{method} /cal/": answer}, cursor)
    assert (told.members, told.complete) == ((Member("/cal/a.ics", '"1"'),), True)
    assert len(script.asked) == 1


def test_a_token_is_asked_for_by_the_visit_after_the_first() -> None:
    listed = multistatus(found("/cal/", COLLECTION), found("/cal/a.ics", etag('"1"')))
    first, script = ask({"PROPFIND /cal/": listed})
    assert b"sync-token" not in script.asked[0].read()
    edited = multistatus(found("/cal/a.ics", etag('"2"')), token="t1")
    then, _ = ask({"REPORT /cal/": edited}, first.cursor)
    assert then == Report(members=(Member("/cal/a.ics", '"2"'),), cursor="sync:t1", complete=True)


_HALF = multistatus(found("/cal/a", etag("1")), refused("/cal/", 507))


@pytest.mark.parametrize("answer", [failed(507), _HALF])
def test_a_listing_that_is_too_long_for_one_answer_is_asked_for_in_parts(
    answer: httpx2.Response,
) -> None:
    parts = [
        multistatus(found("/cal/a", etag("1")), refused("/cal/", 507), token="t1"),
        multistatus(found("/cal/b", etag("1")), token="t2"),
    ]
    told, _ = ask({"PROPFIND /cal/": answer, "REPORT /cal/": parts})
    assert ([each.ref for each in told.members], told.cursor) == (["/cal/a", "/cal/b"], "sync:t2")


@pytest.mark.parametrize("cursor", ["", FIRST, "ctag:1"])
@pytest.mark.parametrize("answer", [failed(507), _HALF])
def test_half_a_listing_without_a_way_to_the_rest_is_none(
    answer: httpx2.Response, cursor: str
) -> None:
    mark = multistatus(found("/cal/", "<S:getctag>2</S:getctag>"))
    answers = [mark, answer, answer] if cursor == "ctag:1" else [answer, answer]
    with pytest.raises(Retry):
        ask({"PROPFIND /cal/": answers, "REPORT /cal/": failed(501)}, cursor)


@pytest.mark.parametrize(
    "answer",
    [
        failed(403, "D:valid-sync-token"),
        failed(412, "D:valid-sync-token"),
        failed(409, "D:valid-sync-token"),
        failed(412),
        failed(409),
        failed(410),
        failed(507),
        failed(403, "D:supported-report"),
        failed(501),
        multistatus(found("/cal/a.ics", etag("1"))),
    ],
)
def test_a_lost_token_is_said_to_be_lost(answer: httpx2.Response) -> None:
    assert ask({"REPORT /cal/": answer}, "sync:t1")[0] == Report(lost=True)


@pytest.mark.parametrize("cursor", ["no-such-cursor", "sync", "x:y"])
def test_a_cursor_that_is_not_ours_is_lost(cursor: str) -> None:
    told, script = ask({}, cursor)
    assert told.lost
    assert script.asked == []


@pytest.mark.parametrize("cursor", ["", FIRST, "sync:t1", "ctag:1"])
@pytest.mark.parametrize("answer", [failed(404), failed(403), multistatus(refused("/cal/", 404))])
def test_a_folder_that_is_gone_or_closed_is_never_an_empty_one(
    cursor: str, answer: httpx2.Response
) -> None:
    with pytest.raises(ConfigError) as caught:
        ask({"/cal/": answer}, cursor)
    assert caught.value.field == "folder"
    assert caught.value.hint


@pytest.mark.parametrize("cursor", ["", FIRST, "sync:t1", "ctag:1"])
def test_refused_credentials_and_failing_servers_are_told_apart(cursor: str) -> None:
    with pytest.raises(AuthFailed):
        ask({"/cal/": failed(401)}, cursor)
    with pytest.raises(Retry):
        ask({"/cal/": failed(500)}, cursor)
    with pytest.raises(Retry):
        ask({"/cal/": httpx2.Response(200, text="<html/>")}, cursor)
    with pytest.raises(Retry):
        ask({"/cal/": httpx2.Response(207, text="<D:multistatus")}, cursor)


def test_a_truncated_listing_is_continued_until_it_is_whole() -> None:
    parts = [
        multistatus(found("/cal/a", etag("1")), refused("/cal/", 507), token="t1"),
        multistatus(found("/cal/b", etag("1")), refused("/cal/", 507), token="t2"),
        multistatus(found("/cal/a", etag("2")), refused("/cal/c", 404), token="t3"),
    ]
    told, script = ask({"REPORT /cal/": parts}, FIRST)
    assert told.complete
    assert told.cursor == "sync:t3"
    assert {(each.ref, each.etag) for each in told.members} == {("/cal/a", "2"), ("/cal/b", "1")}
    asked = [each.read() for each in script.asked]
    assert [b"token></D" in asked[0], b"t1<" in asked[1], b"t2<" in asked[2]] == [True] * 3


def test_a_truncation_that_goes_nowhere_is_not_believed() -> None:
    same = multistatus(found("/cal/a", etag("1")), refused("/cal/", 507), token="t1")
    listed = multistatus(found("/cal/", "<S:getctag>7</S:getctag>"), found("/cal/b", etag("1")))
    assert ask({"REPORT /cal/": same}, "sync:t1")[0].lost
    told, _ = ask({"REPORT /cal/": same, "PROPFIND /cal/": listed}, FIRST)
    assert [each.ref for each in told.members] == ["/cal/b"]
    assert told.cursor == "ctag:7"


@pytest.mark.parametrize("status", [400, 403, 405, 415, 501, 507])
def test_without_sync_collection_etags_and_ctag_do(status: int) -> None:
    listed = multistatus(
        found("/cal/", COLLECTION + "<S:getctag>7</S:getctag>"),
        found("/cal/a.ics", etag('"1"')),
        found("/cal/sub/", COLLECTION),
        found("/cal/sub2", COLLECTION),
    )
    told, script = ask({"REPORT /cal/": failed(status), "PROPFIND /cal/": listed}, FIRST)
    assert told == Report(members=(Member("/cal/a.ics", '"1"'),), cursor="ctag:7", complete=True)
    assert [each.method for each in script.asked] == ["REPORT", "PROPFIND"]
    assert ask({"PROPFIND /cal/": listed}, syncs=False)[0] == told


def test_an_unchanged_ctag_is_one_request_and_a_new_one_lists_everything() -> None:
    answers = {
        "PROPFIND /cal/": [
            multistatus(found("/cal/", "<S:getctag>7</S:getctag>")),
            multistatus(found("/cal/", "<S:getctag>8</S:getctag>")),
            multistatus(found("/cal/", "<S:getctag>8</S:getctag>"), found("/cal/a", etag("1"))),
        ]
    }
    client, script = client_of(answers)
    assert report(client, FOLDER, "ctag:7", True) == Report(cursor="ctag:7")
    assert len(script.asked) == 1
    told = report(client, FOLDER, "ctag:7", True)
    assert (told.complete, told.cursor, len(told.members)) == (True, "ctag:8", 1)


def test_a_listing_that_does_not_name_the_folder_is_not_believed() -> None:
    with pytest.raises(Retry):
        ask({"PROPFIND /cal/": multistatus()}, syncs=False)


def test_without_ctag_there_is_no_cursor() -> None:
    told, _ = ask({"PROPFIND /cal/": multistatus(found("/cal/", COLLECTION))}, syncs=False)
    assert (told.cursor, told.complete) == ("", True)


@pytest.mark.parametrize(
    ("component", "kinds"),
    [
        ("vevent", {Kind.EVENT}),
        ("vtodo", {Kind.TASK}),
        ("vjournal", set()),
        ("", {Kind.EVENT, Kind.TASK}),
        ("x-other", {Kind.EVENT, Kind.TASK}),
    ],
)
def test_the_content_type_tells_the_kind_where_it_names_one(
    component: str, kinds: set[Kind]
) -> None:
    member = Member("/cal/a", "1", component)
    assert {kind for kind in (Kind.EVENT, Kind.TASK) if member.may_be(kind)} == kinds
