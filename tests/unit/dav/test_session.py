"""A session against a server that can be made to misbehave: what is said, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import datetime
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from accord.formats import ical
from accord.groupware.dav import DavSession, codec
from accord.model.diff import diff, patch
from accord.model.item import Contact, Event
from accord.model.kinds import Kind
from accord.model.observe import (
    Completeness,
    Deleted,
    Denied,
    Listing,
    Moved,
    Observation,
    Seen,
    Snapshot,
    Unchanged,
    Unknown,
)
from accord.model.recurrence import Frequency, RecurrenceRule
from accord.ports import errors
from accord.ports.adapter import Ask, Draft, Mark, Question, Removal, Revision, Written
from accord.ports.errors import ConfigError
from tests.unit.dav.fake import FakeDav, event, lose, todo
from tests.unit.dav.server import failed, multistatus, refused

Open = Callable[..., DavSession]
CAL, OTHER, BOOK = "/alice/cal/", "/alice/other/", "/alice/book/"


@pytest.fixture
def dav() -> FakeDav:
    return FakeDav()


@pytest.fixture
def opened() -> Iterator[Open]:
    with ExitStack() as stack:

        def open_with(dav: FakeDav, **more: Any) -> DavSession:
            adapter = dav.adapter(**more)
            stack.callback(adapter.close)
            session = stack.enter_context(adapter.open("alice"))
            session.folders()
            return session

        yield open_with


@pytest.fixture
def session(dav: FakeDav, opened: Open) -> DavSession:
    return opened(dav)


def pull(
    session: DavSession,
    cursor: str = "",
    kind: Kind = Kind.EVENT,
    known: dict[str, str] | None = None,
) -> list[Listing]:
    have = {f"{CAL}{name}.ics": version for name, version in (known or {}).items()}
    return list(
        session.changes(CAL, kind, cursor, lambda refs: {r: have[r] for r in refs if r in have})
    )


def said(pages: list[Listing]) -> dict[str, Observation]:
    return {each.ref.rpartition("/")[2]: each for page in pages for each in page.observations}


def draft(key: str = "k1", **values: Any) -> Draft:
    more = {name: values.pop(name) for name in ("notify", "marker") if name in values}
    start, end = datetime(2026, 3, 1, 9), datetime(2026, 3, 1, 10)
    base: dict[str, Any] = {"title": "t", "start": start, "end": end, "time_zone": "UTC"}
    return Draft(item=Event(**{**base, **values}), key=key, **more)


def create(session: DavSession, one: Draft) -> Snapshot:
    (answer,) = session.create(CAL, Kind.EVENT, [one])
    assert isinstance(answer, Written)
    (seen,) = session.fetch(CAL, Kind.EVENT, [Ask(ref=answer.ref)])
    assert isinstance(seen, Seen)
    return seen.snapshot


def revision(before: Snapshot, notify: bool = False, **values: Any) -> Revision:
    after = patch(before.item, values)
    return Revision(
        ref=before.ref,
        version=before.version,
        before=before.item,
        after=after,
        changed=diff(before.item, after),
        notify=notify,
    )


# pulls


def test_nothing_changed_costs_one_request(dav: FakeDav, session: DavSession) -> None:
    for n in range(10):
        dav.put(f"{CAL}{n}.ics", event(f"u{n}"))
    first = pull(session)
    known = {f"{n}": said(first)[f"{n}.ics"].snapshot.version for n in range(10)}  # type: ignore[union-attr]
    second = pull(session, first[-1].cursor, known=known)
    assert {type(each) for each in said(second).values()} == {Unchanged}
    count = len(dav.asked)
    (page,) = pull(session, second[-1].cursor)
    assert page == Listing(completeness=Completeness.DELTA, cursor=second[-1].cursor)
    assert dav.since(count) == [f"REPORT {CAL}"]


def test_what_changed_and_went_before_the_second_visit_is_in_it(
    dav: FakeDav, session: DavSession
) -> None:
    for name in ("kept", "edited", "gone"):
        dav.put(f"{CAL}{name}.ics", event(name))
    first = pull(session)
    known = {n.removesuffix(".ics"): v.snapshot.version for n, v in said(first).items()}  # type: ignore[union-attr]
    dav.put(f"{CAL}edited.ics", event("edited", "SUMMARY:Later"))
    dav.remove(f"{CAL}gone.ics")
    second = pull(session, first[-1].cursor, known=known)
    assert second[-1].completeness is Completeness.COMPLETE
    assert {n: type(each) for n, each in said(second).items()} == {
        "kept.ics": Unchanged,
        "edited.ics": Seen,
    }


def test_nothing_changed_costs_one_request_also_in_a_new_session(dav: FakeDav) -> None:
    adapter = dav.adapter()
    with adapter.open("alice") as session:
        cursor = pull(session)[-1].cursor
    adapter.close()
    adapter = dav.adapter()
    count = len(dav.asked)
    with adapter.open("alice") as session:
        pull(session, cursor)
    assert dav.since(count) == [f"REPORT {CAL}"]
    adapter.close()


def test_what_helpers_ask_for_is_charged_to_whom_they_help(dav: FakeDav) -> None:
    with closing(dav.adapter(page=2)) as adapter, adapter.open("alice") as session:
        session.folders()
        session.create(CAL, Kind.EVENT, [draft(f"k{number}") for number in range(5)])
        pull(session)
        assert adapter.requests == adapter.http.requests.all > 5


def test_pages_are_loaded_in_chunks_and_known_items_not_at_all(dav: FakeDav, opened: Open) -> None:
    known = {f"i{n}": dav.put(f"{CAL}i{n}.ics", event(f"u{n}")) for n in range(10)}
    known["i3"] = '"older"'
    session = opened(dav, page=4)
    count = len(dav.asked)
    pages = pull(session, known=known)
    assert [page.completeness for page in pages] == [
        Completeness.PARTIAL,
        Completeness.PARTIAL,
        Completeness.COMPLETE,
    ]
    assert [bool(page.cursor) for page in pages] == [False, False, True]
    seen = said(pages)
    assert {name for name, each in seen.items() if isinstance(each, Seen)} == {"i3.ics"}
    assert sum(isinstance(each, Unchanged) for each in seen.values()) == 9
    assert len(dav.since(count)) == 2
    assert dav.asked[-1].read().count(b"<D:href>") == 1


def test_one_report_serves_events_and_tasks(dav: FakeDav, session: DavSession) -> None:
    dav.put(f"{CAL}e.ics", event("e"))
    dav.put(f"{CAL}t.ics", todo("t"))
    count = len(dav.asked)
    events, tasks = pull(session), pull(session, kind=Kind.TASK)
    assert (set(said(events)), set(said(tasks))) == ({"e.ics"}, {"t.ics"})
    assert events[-1].cursor == tasks[-1].cursor
    assert len(dav.since(count)) == 3  # one report, one item each
    pull(session, kind=Kind.TASK)
    assert len(dav.since(count)) == 5  # the same kind once more is a new question


def test_a_shared_report_is_not_used_after_a_write(dav: FakeDav, session: DavSession) -> None:
    pull(session)
    with DavSession(session._server, "alice") as other:
        create(other, draft())
    (task,) = pull(session, kind=Kind.TASK)
    (back,) = pull(session)
    assert task.cursor == back.cursor
    assert len(back.observations) == 1


def test_a_task_among_events_is_not_loaded_twice_where_the_type_is_not_told(
    dav: FakeDav, session: DavSession
) -> None:
    dav.after.append(without_types)
    dav.put(f"{CAL}t.ics", todo("t"))
    assert said(pull(session)) == {}
    count = len(dav.asked)
    assert said(pull(session)) == {}
    assert len(dav.since(count)) == 1
    dav.put(f"{CAL}t.ics", event("t"))
    assert set(said(pull(session))) == {"t.ics"}


@pytest.mark.parametrize(
    "text",
    [
        "no calendar at all",
        event("u").replace("DTSTART", "X-NO"),
        event("u").replace("20260301T090000Z", "yesterday"),
        "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:u\n",
        event("u", "t", "RRULE:FREQ=SOMETIMES"),
    ],
)
def test_an_unreadable_item_is_unknown_with_its_version(
    dav: FakeDav, session: DavSession, text: str
) -> None:
    version = dav.put(f"{CAL}bad.ics", text)
    dav.put(f"{CAL}good.ics", event("g"))
    seen = said(pull(session))
    bad = seen["bad.ics"]
    assert isinstance(bad, Unknown)
    assert bad.version == version
    assert bad.why
    assert isinstance(seen["good.ics"], Seen)
    assert isinstance(said(pull(session, known={"bad": version}))["bad.ics"], Unchanged)


def test_why_a_private_item_is_unreadable_quotes_nothing_of_it(
    dav: FakeDav, session: DavSession
) -> None:
    broken = event("u", "Doctor", "a line about my illness", "CLASS:PRIVATE")
    dav.put(f"{CAL}bad.ics", broken)
    dav.put(f"{CAL}open.ics", event("o", "Open", "a line about nothing much"))
    seen = said(pull(session))
    bad, open_ = seen["bad.ics"], seen["open.ics"]
    assert isinstance(bad, Unknown) and isinstance(open_, Unknown)
    assert "illness" not in bad.why and "it has no colon" in bad.why
    assert (bad.uid, bad.title) == ("u", "")
    assert "a line about nothing" in open_.why
    assert (open_.uid, open_.title) == ("o", "Open")


def test_an_item_beyond_the_calendar_stops_no_other(dav: FakeDav, session: DavSession) -> None:
    late = event("u", "Too late").replace(
        "DTSTART:20260301T090000Z", "DTSTART;TZID=America/New_York:99991231T230000"
    )
    assert "99991231" in late
    version = dav.put(f"{CAL}bad.ics", late)
    dav.put(f"{CAL}good.ics", event("g"))
    seen = said(pull(session))
    bad = seen["bad.ics"]
    assert isinstance(bad, Unknown) and isinstance(seen["good.ics"], Seen)
    assert "beyond the calendar" in bad.why
    assert (bad.version, bad.uid, bad.title) == (version, "u", "Too late")


def test_a_fault_in_reading_one_item_is_kept_to_it_and_logged_without_its_words(
    dav: FakeDav,
    session: DavSession,
    monkeypatch: pytest.MonkeyPatch,
    faults: list[str],
) -> None:
    plain = ical.read

    def faulty(text: str) -> Any:
        if "UID:u" in text:
            raise LookupError(f"no idea what {text} means")
        return plain(text)

    monkeypatch.setattr(ical, "read", faulty)
    dav.put(f"{CAL}bad.ics", event("u", "Poison"))
    dav.put(f"{CAL}good.ics", event("g"))
    seen = said(pull(session))
    bad = seen["bad.ics"]
    assert isinstance(bad, Unknown) and isinstance(seen["good.ics"], Seen)
    assert "a fault of Accord (LookupError)" in bad.why
    assert (bad.uid, bad.title) == ("u", "Poison")
    assert all("in faulty" in told and "Poison" not in told for told in faults)
    assert len(faults) == 1
    (answer,) = session.lookup(CAL, Kind.EVENT, [Question(uid="u")])
    assert answer == ()


def test_each_item_answers_for_itself(dav: FakeDav, session: DavSession) -> None:
    for name in ("ok", "denied", "gone", "failed", "missing", "halved"):
        dav.put(f"{CAL}{name}.ics", event(name))
    half = (
        f"<D:href>{CAL}halved.ics</D:href><D:propstat><D:prop><C:calendar-data/></D:prop>"
        "<D:status>HTTP/1.1 403 Forbidden</D:status></D:propstat>"
    )

    def trick(request: httpx2.Request) -> httpx2.Response | None:
        if b"multiget" not in request.read():
            return None
        return multistatus(
            dav._item(f"{CAL}ok.ics"),
            refused(f"{CAL}denied.ics", 403),
            refused(f"{CAL}gone.ics", 404),
            refused(f"{CAL}failed.ics", 500),
            half,
            dav._item(f"{CAL}ok.ics"),
            refused(f"{CAL}nobody-asked.ics", 404),
        )

    dav.tricks.append(trick)
    seen = said(pull(session))
    for name in ("failed.ics", "missing.ics"):  # without a version they are asked for again
        assert seen[name] == Unknown(f"{CAL}{name}", seen[name].why)  # type: ignore[union-attr]
    kinds = {name.partition(".")[0]: type(each) for name, each in seen.items()}
    assert kinds == {
        "ok": Seen,
        "denied": Denied,
        "gone": Deleted,
        "failed": Unknown,
        "missing": Unknown,
        "halved": Denied,
    }


def test_an_answer_that_is_too_large_is_asked_for_in_halves(dav: FakeDav, opened: Open) -> None:
    for n in range(4):
        dav.put(f"{CAL}{n}.ics", event(f"u{n}", "x" * 300_000))
    dav.put(f"{CAL}huge.ics", event("huge", "x" * 2_000_000))
    session = opened(dav, max_megabytes=1)
    seen = said(pull(session))
    assert {name for name, each in seen.items() if isinstance(each, Seen)} == {
        "0.ics",
        "1.ics",
        "2.ics",
        "3.ics",
    }
    assert isinstance(seen["huge.ics"], Unknown)
    assert seen["huge.ics"].version == '"5"'


def test_a_broken_page_breaks_the_pull(dav: FakeDav, session: DavSession) -> None:
    dav.put(f"{CAL}a.ics", event("a"))

    def cut(request: httpx2.Request, reply: httpx2.Response) -> httpx2.Response | None:
        if b"multiget" in request.read():
            return httpx2.Response(207, content=reply.content[:-30])
        return None

    dav.after.append(cut)
    with pytest.raises(errors.Retry):
        pull(session)


# asking and looking up


def test_what_left_the_folder_is_found_by_uid_then_by_marker(
    dav: FakeDav, session: DavSession
) -> None:
    dav.put(f"{OTHER}x.ics", event("u1"))
    dav.put(f"{CAL}renamed.ics", event("u2"))
    dav.put(f"{OTHER}y.ics", event("new uid", "t", "X-ACCORD-ID:crm/event/3"))
    asks = [
        Ask(ref=f"{CAL}1.ics", uid="u1", marker="crm/event/1"),
        Ask(ref=f"{CAL}2.ics", uid="u2"),
        Ask(ref=f"{CAL}3.ics", uid="u3", marker="crm/event/3"),
        Ask(ref=f"{CAL}4.ics", uid="u4", marker="crm/event/4"),
        Ask(ref=f"{CAL}5.ics"),
    ]
    assert session.fetch(CAL, Kind.EVENT, asks) == [
        Moved(f"{CAL}1.ics", OTHER, f"{OTHER}x.ics"),
        Moved(f"{CAL}2.ics", CAL, f"{CAL}renamed.ics"),
        Moved(f"{CAL}3.ics", OTHER, f"{OTHER}y.ics"),
        Deleted(f"{CAL}4.ics"),
        Deleted(f"{CAL}5.ics"),
    ]


def test_many_missing_items_are_looked_for_in_few_requests(
    dav: FakeDav, session: DavSession
) -> None:
    for n in range(30):
        dav.put(f"{OTHER}{n}.ics", event(f"u{n}"))
    asks = [Ask(ref=f"{CAL}{n}.ics", uid=f"u{n}", marker=f"m{n}") for n in range(30)]
    count = len(dav.asked)
    seen = session.fetch(CAL, Kind.EVENT, asks)
    assert all(isinstance(each, Moved) for each in seen)
    assert len(dav.since(count)) <= 6


def test_items_of_a_folder_that_is_gone_are_not_deleted(dav: FakeDav, session: DavSession) -> None:
    del dav.folders[CAL]
    dav.tricks.append(empty_multiget)
    (seen,) = session.fetch(CAL, Kind.EVENT, [Ask(ref=f"{CAL}1.ics", uid="u")])
    assert isinstance(seen, Denied)
    dav.tricks.clear()
    with pytest.raises(errors.ConfigError):
        session.fetch(CAL, Kind.EVENT, [Ask(ref=f"{CAL}1.ics", uid="u")])


def test_a_closed_collection_proves_nothing(dav: FakeDav, session: DavSession) -> None:
    dav.tricks.append(
        lambda r: httpx2.Response(403) if r.method == "REPORT" and r.url.path == OTHER else None
    )
    (seen,) = session.fetch(CAL, Kind.EVENT, [Ask(ref=f"{CAL}1.ics", uid="u")])
    assert isinstance(seen, Denied)


def test_what_a_loose_filter_returns_is_looked_at_again(dav: FakeDav, session: DavSession) -> None:
    dav.put(f"{CAL}1.ics", event("u1"))
    dav.put(f"{CAL}11.ics", event("u11"))
    (one,) = session.lookup(CAL, Kind.EVENT, [Question(uid="u1")])
    assert [each.ref for each in one] == [f"{CAL}1.ics"]


# creating


def test_a_create_is_conditional_and_named_after_its_key(dav: FakeDav, session: DavSession) -> None:
    made = create(session, draft("k1", marker="crm/event/7"))
    (put,) = [each for each in dav.asked if each.method == "PUT"]
    assert put.headers["If-None-Match"] == "*"
    assert put.url.path == made.ref == CAL + codec.resource_name(Kind.EVENT, "k1")
    assert (made.key, made.marker, made.folder) == ("k1", "crm/event/7", CAL)
    assert made.item.uid


@pytest.mark.parametrize("times", [1, 2])
def test_a_lost_answer_to_a_create_makes_one_item(
    dav: FakeDav, session: DavSession, times: int
) -> None:
    dav.after.append(lose(times))
    made = create(session, draft("k1"))
    assert list(dav.items) == [made.ref]
    assert made.key == "k1"


def test_an_answer_lost_for_good_is_a_retry_and_the_next_try_finds_the_item(
    dav: FakeDav, session: DavSession
) -> None:
    dav.after.append(lose(3))
    with pytest.raises(errors.Retry):
        session.create(CAL, Kind.EVENT, [draft("k1")])
    made = create(session, draft("k1", title="again"))
    assert isinstance(made.item, Event)
    assert made.item.title == "t"
    assert len(dav.items) == 1


@pytest.mark.parametrize(
    ("status", "condition", "error", "code"),
    [
        (403, "C:no-uid-conflict", errors.Rejected, "403 no-uid-conflict"),
        (409, "C:no-uid-conflict", errors.Rejected, "409 no-uid-conflict"),
        (
            403,
            "C:valid-calendar-object-resource",
            errors.Rejected,
            "403 valid-calendar-object-resource",
        ),
        (403, "C:max-resource-size", errors.Rejected, "403 max-resource-size"),
        (403, "D:need-privileges", errors.Denied, "403 need-privileges"),
        (403, "", errors.Denied, "403"),
        (413, "", errors.Rejected, "413"),
        (415, "", errors.Rejected, "415"),
        (400, "", errors.Rejected, "400"),
        (405, "", errors.Denied, "405"),
    ],
)
def test_a_refused_create_says_why_and_the_others_go_on(
    dav: FakeDav, session: DavSession, status: int, condition: str, error: type, code: str
) -> None:
    bad = codec.resource_name(Kind.EVENT, "bad")
    dav.tricks.append(
        lambda r: (
            failed(status, condition) if r.method == "PUT" and r.url.path.endswith(bad) else None
        )
    )
    first, refusal, last = session.create(CAL, Kind.EVENT, [draft("a"), draft("bad"), draft("b")])
    assert isinstance(first, Written)
    assert isinstance(last, Written)
    assert isinstance(refusal, error)
    assert isinstance(refusal, errors.ItemError)
    assert refusal.code == code


def test_what_could_not_be_read_back_is_not_written(dav: FakeDav, session: DavSession) -> None:
    never = RecurrenceRule(frequency=Frequency.WEEKLY, interval=0)
    count = len(dav.asked)
    drafts = [draft("k1"), draft("k2", rule=never), draft("k3")]
    first, bad, last = session.create(CAL, Kind.EVENT, drafts)
    assert isinstance(first, Written) and isinstance(last, Written)
    assert isinstance(bad, errors.Rejected) and bad.code == "unreadable"
    assert "INTERVAL=0 must be 1 to" in str(bad)
    assert sum(line.startswith("PUT") for line in dav.since(count)) == 2
    sound = create(session, draft("k4", rule=RecurrenceRule(frequency=Frequency.WEEKLY)))
    stands = dav.items[sound.ref]
    (refused,) = session.update(CAL, Kind.EVENT, [revision(sound, rule=never)])
    assert isinstance(refused, errors.Rejected) and refused.code == "unreadable"
    assert dav.items[sound.ref] == stands


def spoil(dav: FakeDav, ref: str, *lines: str) -> str:
    """Make an item unreadable as another client would, and return its version."""
    return dav.put(ref, dav.text(ref).replace("SUMMARY", "\n".join((*lines, "RRULE:X\nSUMMARY"))))


def test_an_edit_goes_over_a_copy_of_ours_that_can_not_be_read(
    dav: FakeDav, session: DavSession
) -> None:
    made = create(session, draft(marker="crm/1", extras={"ical:X-COLOR": "red"}))
    version = spoil(dav, made.ref)
    (seen,) = session.fetch(CAL, Kind.EVENT, [Ask(ref=made.ref)])
    assert isinstance(seen, Unknown) and seen.ours and seen.version == version
    edit = revision(made, title="New")
    (old,) = session.update(CAL, Kind.EVENT, [edit])
    assert isinstance(old, errors.Rejected) and old.code == "unreadable", "another version"
    (answer,) = session.update(CAL, Kind.EVENT, [replace(edit, version=version)])
    assert isinstance(answer, Written)
    assert dav.asked[-2].headers["If-Match"] == version
    assert answer.snapshot is not None
    assert answer.snapshot.item == replace(edit.after, uid=made.item.uid)
    assert (answer.snapshot.key, answer.snapshot.marker) == (made.key, "crm/1")


@pytest.mark.parametrize("whose", ["not ours", "private", "mails"])
def test_what_is_not_ours_alone_is_not_written_over(
    dav: FakeDav, session: DavSession, whose: str
) -> None:
    made = create(session, draft())
    lines = {"private": "CLASS:PRIVATE", "mails": "ATTENDEE:mailto:bob@x.test"}.get(whose, "")
    version = spoil(dav, made.ref, *filter(None, [lines]))
    if whose == "not ours":
        version = dav.put(made.ref, dav.text(made.ref).replace(codec.KEY, "X-OTHER"))
    (seen,) = session.fetch(CAL, Kind.EVENT, [Ask(ref=made.ref)])
    assert isinstance(seen, Unknown) and not seen.ours
    edit = replace(revision(made, title="New"), version=version)
    (answer,) = session.update(CAL, Kind.EVENT, [edit])
    assert isinstance(answer, errors.Rejected) and answer.code == "unreadable"


def test_a_copy_under_this_key_that_can_not_be_read_is_made_anew(
    dav: FakeDav, session: DavSession
) -> None:
    made = create(session, draft())
    spoil(dav, made.ref)
    (answer,) = session.create(CAL, Kind.EVENT, [draft(title="New")])
    assert isinstance(answer, Written) and answer.ref == made.ref
    assert answer.snapshot is not None and answer.snapshot.item.title == "New"  # type: ignore[union-attr]
    dav.put(made.ref, event("u", "t", "RRULE:FREQ=SOMETIMES"))
    (answer,) = session.create(CAL, Kind.EVENT, [draft()])
    assert isinstance(answer, errors.Rejected)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, errors.AuthFailed), (404, errors.ConfigError), (500, errors.Retry), (507, errors.Retry)],
)
def test_what_concerns_all_stops_the_batch(
    dav: FakeDav, session: DavSession, status: int, error: type[Exception]
) -> None:
    dav.tricks.append(lambda r: httpx2.Response(status) if r.method == "PUT" else None)
    with pytest.raises(error):
        session.create(CAL, Kind.EVENT, [draft("a"), draft("b")])


def test_a_folder_that_may_only_be_read_is_not_written(dav: FakeDav, opened: Open) -> None:
    dav.read_only = True
    session = opened(dav)
    dav.put(f"{CAL}1.ics", event("u1"))
    count = len(dav.asked)
    (answer,) = session.create(CAL, Kind.EVENT, [draft("a")])
    assert isinstance(answer, errors.Denied)
    assert dav.since(count) == []
    (seen,) = pull(session)[-1].observations
    assert isinstance(seen, Seen)
    assert seen.snapshot.readonly


def test_where_no_etag_is_given_all_are_read_back_at_once(
    dav: FakeDav, session: DavSession
) -> None:
    dav.gives_etags = False
    count = len(dav.asked)
    answers = session.create(CAL, Kind.EVENT, [draft(f"k{n}") for n in range(10)])
    assert len(dav.since(count)) == 11
    for each in answers:
        assert isinstance(each, Written)
        assert each.version == dav.items[each.ref][0]


def test_an_edit_between_write_and_reading_back_is_not_taken_for_ours(
    dav: FakeDav, session: DavSession
) -> None:
    def meddle(request: httpx2.Request, reply: httpx2.Response) -> None:
        if request.method == "PUT":
            ref = request.url.path
            dav.put(ref, dav.text(ref).replace("SUMMARY:t", "SUMMARY:theirs"))

    dav.after.append(meddle)
    for gives in (True, False):
        dav.gives_etags = gives
        (answer,) = session.create(CAL, Kind.EVENT, [draft(f"k{gives}")])
        assert isinstance(answer, Written)
        assert answer.version != dav.items[answer.ref][0]
        assert bool(answer.version) is gives
        assert answer.snapshot is not None
        assert answer.snapshot.version == dav.items[answer.ref][0]


def test_what_the_server_made_of_it_is_what_stands(dav: FakeDav, session: DavSession) -> None:
    def cut(request: httpx2.Request, reply: httpx2.Response) -> None:
        if request.method == "PUT":
            etag, text = dav.items[request.url.path]
            dav.items[request.url.path] = (etag, text.replace("SUMMARY:long title", "SUMMARY:long"))

    dav.after.append(cut)
    (answer,) = session.create(CAL, Kind.EVENT, [draft(title="long title")])
    assert isinstance(answer, Written)
    assert answer.snapshot is not None
    assert answer.snapshot.version == answer.version
    assert isinstance(answer.snapshot.item, Event)
    assert answer.snapshot.item.title == "long"


# changing


def test_an_update_is_conditional_and_keeps_what_accord_does_not_know(
    dav: FakeDav, session: DavSession
) -> None:
    dav.put(f"{CAL}1.ics", event("u1", "t", "X-OTHER;P=1:kept", "CREATED:20200101T000000Z"))
    (seen,) = session.fetch(CAL, Kind.EVENT, [Ask(ref=f"{CAL}1.ics")])
    assert isinstance(seen, Seen)
    (answer,) = session.update(CAL, Kind.EVENT, [revision(seen.snapshot, title="new")])
    assert isinstance(answer, Written)
    text = dav.text(f"{CAL}1.ics")
    assert "X-OTHER;P=1:kept\n" in text
    assert "CREATED:20200101T000000Z\n" in text
    assert "SUMMARY:new\n" in text
    assert "X-ACCORD" not in text
    (put,) = [each for each in dav.asked if each.method == "PUT"]
    assert put.headers["If-Match"] == '"1"'


def test_a_stale_update_is_seen_before_anything_is_sent(dav: FakeDav, session: DavSession) -> None:
    made = create(session, draft())
    dav.put(made.ref, dav.text(made.ref).replace("SUMMARY:t", "SUMMARY:theirs"))
    (answer,) = session.update(CAL, Kind.EVENT, [revision(made, title="ours")])
    assert isinstance(answer, errors.Stale)
    assert dav.lines.count(f"PUT {made.ref}") == 1


def test_an_edit_in_the_last_moment_is_stale_too(dav: FakeDav, session: DavSession) -> None:
    made = create(session, draft())

    def meddle(request: httpx2.Request) -> None:
        if request.method == "PUT":
            dav.put(made.ref, dav.text(made.ref).replace("SUMMARY:t", "SUMMARY:theirs"))

    dav.tricks.append(meddle)
    (answer,) = session.update(CAL, Kind.EVENT, [revision(made, title="ours")])
    assert isinstance(answer, errors.Stale)
    assert "SUMMARY:theirs" in dav.text(made.ref)


def test_a_lost_answer_to_an_update_is_recognized_as_our_own(
    dav: FakeDav, session: DavSession
) -> None:
    made = create(session, draft())
    dav.after.append(lose())
    (answer,) = session.update(CAL, Kind.EVENT, [revision(made, title="ours")])
    assert isinstance(answer, Written)
    assert answer.version == dav.items[made.ref][0]


def test_after_a_lost_answer_somebody_elses_edit_is_stale(
    dav: FakeDav, session: DavSession
) -> None:
    made = create(session, draft())

    def lose_and_meddle(request: httpx2.Request, reply: httpx2.Response) -> None:
        if request.method == "PUT" and "SUMMARY:ours" in dav.text(made.ref):
            dav.put(made.ref, dav.text(made.ref).replace("SUMMARY:ours", "SUMMARY:theirs"))
            raise httpx2.ReadError("reset")

    dav.after.append(lose_and_meddle)
    (answer,) = session.update(CAL, Kind.EVENT, [revision(made, title="ours")])
    assert isinstance(answer, errors.Stale)


def test_sequence_rises_only_with_what_attendees_see(dav: FakeDav, session: DavSession) -> None:
    made = create(session, draft())
    session.update(CAL, Kind.EVENT, [revision(made, categories=("x",))])
    assert "SEQUENCE" not in dav.text(made.ref)
    (seen,) = session.fetch(CAL, Kind.EVENT, [Ask(ref=made.ref)])
    assert isinstance(seen, Seen)
    later: dict[str, Any] = {"start": datetime(2026, 3, 2, 9), "end": datetime(2026, 3, 2, 10)}
    session.update(CAL, Kind.EVENT, [revision(seen.snapshot, **later)])
    assert "SEQUENCE:1\n" in dav.text(made.ref)


def test_an_item_gone_meanwhile_is_gone_however_the_server_says_it(
    dav: FakeDav, session: DavSession
) -> None:
    made = create(session, draft())

    def vanish(request: httpx2.Request) -> None:
        if request.method in ("PUT", "DELETE") and made.ref in dav.items:
            dav.remove(made.ref)

    dav.tricks.append(vanish)
    (update,) = session.update(CAL, Kind.EVENT, [revision(made, title="x")])
    assert isinstance(update, errors.Gone)
    dav.put(made.ref, event("u"))
    dav.tricks.append(lambda r: httpx2.Response(412) if r.method == "DELETE" else None)
    (delete,) = session.delete(CAL, Kind.EVENT, [Removal(ref=made.ref, version='"1"')])
    assert isinstance(delete, errors.Gone)


# deleting


def test_a_delete_is_conditional(dav: FakeDav, session: DavSession) -> None:
    made = create(session, draft())
    (answer,) = session.delete(CAL, Kind.EVENT, [Removal(ref=made.ref, version=made.version)])
    assert answer == Written(ref=made.ref)
    assert dav.asked[-1].headers["If-Match"] == made.version
    (again,) = session.delete(CAL, Kind.EVENT, [Removal(ref=made.ref, version=made.version)])
    assert isinstance(again, errors.Gone)


def test_a_lost_answer_to_a_delete_counts_as_done(dav: FakeDav, session: DavSession) -> None:
    made = create(session, draft())
    dav.after.append(lose(method="DELETE"))
    (answer,) = session.delete(CAL, Kind.EVENT, [Removal(ref=made.ref, version=made.version)])
    assert answer == Written(ref=made.ref)


BY_ANOTHER = [
    pytest.param(httpx2.Response(200, html="<html>Sign in</html>"), id="a page"),
    pytest.param(httpx2.Response(200), id="nothing"),
    pytest.param(httpx2.Response(207, content=b"<multistatus"), id="half an answer"),
    pytest.param(httpx2.Response(202), id="accepted"),
]
"""What a gateway may say in the place of the server."""


def answering(method: str, reply: httpx2.Response) -> Any:
    """Answer a method so."""

    def answer(request: httpx2.Request, *_: httpx2.Response) -> httpx2.Response | None:
        return reply if request.method == method else None

    return answer


@pytest.mark.parametrize("reply", BY_ANOTHER)
def test_a_delete_that_another_answered_is_not_taken_for_done(
    dav: FakeDav, session: DavSession, reply: httpx2.Response
) -> None:
    made = create(session, draft())
    removal = Removal(ref=made.ref, version=made.version)
    dav.tricks.append(trick := answering("DELETE", reply))
    with pytest.raises(errors.Retry, match="another server's"):
        session.delete(CAL, Kind.EVENT, [removal])
    dav.tricks.remove(trick)
    dav.after.append(answering("DELETE", reply))
    assert session.delete(CAL, Kind.EVENT, [removal]) == [Written(ref=made.ref)]
    assert made.ref not in dav.items


def test_a_delete_of_which_the_body_says_that_it_is_done_asks_no_more(
    dav: FakeDav, session: DavSession
) -> None:
    made = create(session, draft())
    said = (
        '<multistatus xmlns="DAV:"><response>'
        f"<href>{made.ref}</href><status>HTTP/1.1 {{}}</status></response></multistatus>"
    )
    dav.after.append(answering("DELETE", httpx2.Response(200, text=said.format("200 OK"))))
    before = len(dav.asked)
    (answer,) = session.delete(CAL, Kind.EVENT, [Removal(ref=made.ref, version=made.version)])
    assert answer == Written(ref=made.ref)
    assert [line.split()[0] for line in dav.since(before)] == ["DELETE"]


@pytest.mark.parametrize("reply", BY_ANOTHER)
def test_an_item_that_another_answered_for_is_not_taken_for_made(
    dav: FakeDav, session: DavSession, reply: httpx2.Response
) -> None:
    dav.tricks.append(trick := answering("PUT", reply))
    with pytest.raises(errors.Retry, match="another server's"):
        session.create(CAL, Kind.EVENT, [draft()])
    dav.tricks.remove(trick)
    dav.after.append(answering("PUT", reply))
    (answer,) = session.create(CAL, Kind.EVENT, [draft()])
    assert isinstance(answer, Written)
    assert answer.snapshot is not None
    assert answer.ref in dav.items


@pytest.mark.parametrize("reply", BY_ANOTHER)
def test_a_change_that_another_answered_is_not_taken_for_written(
    dav: FakeDav, session: DavSession, reply: httpx2.Response
) -> None:
    made = create(session, draft())
    dav.tricks.append(trick := answering("PUT", reply))
    with pytest.raises(errors.Retry, match="another server's"):
        session.update(CAL, Kind.EVENT, [revision(made, title="new")])
    assert "SUMMARY:new" not in dav.text(made.ref)
    dav.tricks.remove(trick)
    dav.after.append(answering("PUT", reply))
    (answer,) = session.update(CAL, Kind.EVENT, [revision(made, title="new")])
    assert isinstance(answer, Written)
    assert answer.snapshot is not None
    assert isinstance(answer.snapshot.item, Event)
    assert answer.snapshot.item.title == "new"


def test_where_nobody_can_look_what_another_answered_is_not_taken_for_written(
    dav: FakeDav, session: DavSession
) -> None:
    dav.after.append(answering("PUT", httpx2.Response(200)))
    dav.tricks.append(answering("REPORT", httpx2.Response(500)))
    with pytest.raises(errors.Retry):
        session.create(CAL, Kind.EVENT, [draft()])


@pytest.mark.parametrize("reply", BY_ANOTHER)
def test_a_mark_that_another_answered_is_not_taken_for_stored(
    dav: FakeDav, session: DavSession, reply: httpx2.Response
) -> None:
    made = create(session, draft())
    dav.tricks.append(answering("PUT", reply))
    with pytest.raises(errors.Retry, match="another server's"):
        session.mark(CAL, Kind.EVENT, [Mark(ref=made.ref, marker="crm/event/99")])


def test_nothing_is_deleted_without_a_version(dav: FakeDav, session: DavSession) -> None:
    made = create(session, draft())
    (answer,) = session.delete(CAL, Kind.EVENT, [Removal(ref=made.ref, version="")])
    assert isinstance(answer, errors.Stale)
    assert made.ref in dav.items


# marking


def test_only_what_accord_made_is_marked(dav: FakeDav, session: DavSession) -> None:
    ours = create(session, draft())
    theirs = dav.put(f"{CAL}theirs.ics", event("theirs"))
    before = dav.text(f"{CAL}theirs.ics")
    marks = [Mark(ref=ours.ref, marker="crm/event/1"), Mark(ref=f"{CAL}theirs.ics", marker="m")]
    marked, left = session.mark(CAL, Kind.EVENT, marks)
    assert isinstance(marked, Written)
    assert isinstance(left, Written)
    assert "X-ACCORD-ID:crm/event/1\n" in dav.text(ours.ref)
    assert marked.version == dav.items[ours.ref][0]
    assert (dav.text(f"{CAL}theirs.ics"), left.version) == (before, theirs)
    count = len(dav.asked)
    session.mark(CAL, Kind.EVENT, marks[:1])
    assert [line.split()[0] for line in dav.since(count)] == ["REPORT"]


# folders


def test_folders_are_made_once_and_found_again(dav: FakeDav, session: DavSession) -> None:
    made = session.make_folder("CRM contacts", Kind.CONTACT)
    assert made.kinds == {Kind.CONTACT}
    assert session.make_folder("CRM contacts", Kind.CONTACT) == made
    tasks = session.make_folder("CRM tasks", Kind.TASK)
    assert tasks.id != made.id
    assert [each.method for each in dav.asked if each.method.startswith("MK")] == [
        "MKCOL",
        "MKCALENDAR",
    ]


def test_a_named_folder_is_made_by_the_first_write_where_the_settings_say_so(
    dav: FakeDav, opened: Open
) -> None:
    session = opened(dav, calendar="CRM", address_book=BOOK, create_missing=False)
    assert {each.id for each in session.folders()} == {CAL, OTHER, BOOK}
    session = opened(dav, calendar="CRM", create_missing=True)
    (default,) = [each for each in session.folders() if each.name == "CRM"]
    assert default.default
    (page,) = session.changes(default.id, Kind.EVENT, "", lambda refs: {})
    assert page == Listing(completeness=Completeness.COMPLETE)
    assert session.lookup(default.id, Kind.EVENT, [Question(uid="u")]) == [()]
    (gone,) = session.fetch(default.id, Kind.EVENT, [Ask(ref=f"{default.id}1.ics", uid="u")])
    assert isinstance(gone, Denied)
    assert set(dav.folders) == {CAL, OTHER, BOOK}, "reading makes nothing"
    (made,) = session.create(default.id, Kind.EVENT, [draft()])
    assert isinstance(made, Written)
    assert made.ref.startswith(default.id)
    session = opened(dav, calendar="CRM", create_missing=True)
    session.create(default.id, Kind.EVENT, [draft("k2")])
    assert set(dav.folders) == {CAL, OTHER, BOOK, default.id}


def test_contacts_have_a_book_of_their_own_made_by_the_first_of_them(
    dav: FakeDav, opened: Open
) -> None:
    session = opened(dav)
    (own,) = [f for f in session.folders() if f.default and f.kinds == {Kind.CONTACT}]
    assert own.name == "CRM contacts" and own.id != BOOK
    (page,) = session.changes(own.id, Kind.CONTACT, "", lambda refs: {})
    assert page == Listing(completeness=Completeness.COMPLETE)
    assert own.id not in dav.folders, "reading makes nothing"
    card = Draft(item=Contact(full_name="Nora Silva"), key="k1")
    (made,) = session.create(own.id, Kind.CONTACT, [card])
    assert isinstance(made, Written) and made.ref.startswith(own.id)
    named = opened(dav, address_book=BOOK)
    assert [f.id for f in named.folders() if f.default and Kind.CONTACT in f.kinds] == [BOOK]


def test_a_server_that_makes_no_books_says_what_to_set(dav: FakeDav, opened: Open) -> None:
    def no_books(request: httpx2.Request) -> httpx2.Response | None:
        return httpx2.Response(403) if request.method == "MKCOL" else None

    dav.tricks.append(no_books)
    session = opened(dav)
    own = next(f.id for f in session.folders() if f.name == "CRM contacts")
    card = Draft(item=Contact(full_name="Nora Silva"), key="k1")
    with pytest.raises(ConfigError, match="CRM contacts") as refusal:
        session.create(own, Kind.CONTACT, [card])
    assert refusal.value.field == "address_book"
    assert "name another" in refusal.value.hint


def test_a_made_folder_that_vanishes_deletes_nothing(dav: FakeDav, opened: Open) -> None:
    session = opened(dav, calendar="CRM", create_missing=True)
    folder = next(each.id for each in session.folders() if each.name == "CRM")
    (made,) = session.create(folder, Kind.EVENT, [draft()])
    assert isinstance(made, Written)
    del dav.folders[folder], dav.items[made.ref]
    session = opened(dav, calendar="CRM", create_missing=True)
    (said,) = session.fetch(folder, Kind.EVENT, [Ask(ref=made.ref, uid=made.ref)])
    assert isinstance(said, Denied)


def test_an_item_asked_for_in_another_folder_is_where_it_was(
    dav: FakeDav, session: DavSession
) -> None:
    ref = f"{CAL}1.ics"
    dav.put(ref, event("1"))

    def only_its_own(request: httpx2.Request) -> httpx2.Response | None:
        outside = request.url.path == OTHER and b"multiget" in request.read()
        return multistatus(refused(ref, 404)) if outside else None

    dav.tricks.append(only_its_own)
    (said,) = session.fetch(OTHER, Kind.EVENT, [Ask(ref=ref, uid="1")])
    assert said == Moved(ref, CAL, ref)


def test_a_closed_session_refuses(dav: FakeDav) -> None:
    adapter = dav.adapter()
    with adapter.open("alice") as session:
        pass
    for call in (
        session.folders,
        lambda: list(session.changes(CAL, Kind.EVENT, "sync:1", lambda refs: {})),
        lambda: session.fetch(CAL, Kind.EVENT, []),
        lambda: session.create(CAL, Kind.EVENT, []),
    ):
        with pytest.raises(RuntimeError):
            call()
    adapter.close()


def without_types(request: httpx2.Request, reply: httpx2.Response) -> httpx2.Response:
    text = reply.text.replace("text/calendar; component=VTODO", "text/calendar")
    return httpx2.Response(
        reply.status_code, text=text, headers={"ETag": reply.headers.get("etag", "")}
    )


def empty_multiget(request: httpx2.Request) -> httpx2.Response | None:
    if request.method == "REPORT":
        return multistatus(refused(f"{CAL}1.ics", 404))
    return None


# another connector was here before


def test_the_mark_of_another_connector_is_told_where_its_property_is_named(
    dav: FakeDav, opened: Open
) -> None:
    text = create_text(dav, opened)
    dav.put(f"{CAL}theirs.ics", text.replace("END:VEVENT", "X-CRM-ID;X=1:4\\,711\nEND:VEVENT"))
    for adopt, told in (("", ""), ("X-CRM-ID", "4,711"), ("X-OTHER", "")):
        session = opened(dav, adopt=adopt)
        seen = said(pull(session))["theirs.ics"]
        assert isinstance(seen, Seen)
        assert seen.snapshot.foreign == told


def create_text(dav: FakeDav, opened: Open) -> str:
    made = create(opened(dav), draft(uid="somebody's"))
    return dav.items[made.ref][1]
