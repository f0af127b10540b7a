"""The groupware server in memory behaves as servers and people do, beyond the contract."""

from __future__ import annotations

import copy
import pickle
import threading

import pytest

from accord.groupware.memory import TRASH, Mail, MemoryGroupware, build
from accord.model.item import Event, Task
from accord.model.kinds import Kind
from accord.model.observe import Deleted, Listing, Moved, Seen, Snapshot, Unknown
from accord.model.parts import Attendee, Person, Reply
from accord.model.recurrence import EventStatus
from accord.ports import errors
from accord.ports.adapter import Ask, Draft, Removal, Revision, Written
from accord.testing.samples import at

ANN, BEA = "ann@example.com", "bea@example.com"


def meeting(*guests: str, organizer: str = ANN) -> Event:
    return Event(
        uid="meeting-1",
        title="meeting",
        start=at("2026-03-02T09:00"),
        end=at("2026-03-02T10:00"),
        organizer=Person(address=organizer),
        attendees=tuple(Attendee(address=guest) for guest in guests),
    )


def create(server: MemoryGroupware, item: Event, *, notify: bool = False) -> Written:
    with server.open(ANN) as session:
        draft = Draft(item=item, key="key", notify=notify)
        (answer,) = session.create("calendar", Kind.EVENT, [draft])
    assert isinstance(answer, Written)
    return answer


def edit(server: MemoryGroupware, ref: str, notify: bool = False, **values: object) -> None:
    now = server.person(ANN).get(ref)
    assert isinstance(now.item, Event)
    revision = Revision(
        ref=ref,
        version=now.version,
        before=now.item,
        after=Event(**{name: getattr(now.item, name) for name in ("start", "end")} | values),
        changed=tuple(values),
        notify=notify,
    )
    with server.open(ANN) as session:
        (answer,) = session.update("calendar", Kind.EVENT, [revision])
    assert isinstance(answer, Written), answer


def title_of(snapshot: Snapshot) -> str:
    assert isinstance(snapshot.item, Event | Task)
    return snapshot.item.title


def sent(server: MemoryGroupware) -> list[tuple[str, str]]:
    return [(mail.method, mail.to) for mail in server.outbox]


# people


def test_a_person_invites_everybody() -> None:
    server = build({})
    server.person(ANN).add(meeting(BEA, "out@example.org"))
    assert sent(server) == [("request", BEA), ("request", "out@example.org")]


def test_copies_arrive_in_mailboxes_that_are_there() -> None:
    server = build({"principals": {ANN: "Ann", BEA: "Bea"}})
    server.person(ANN).add(meeting(BEA))
    (arrived,) = server.person(BEA).list(Kind.EVENT)
    assert isinstance(arrived.item, Event)
    assert arrived.item.organizer == Person(address=ANN)
    mine = server.person(ANN).list(Kind.EVENT)[0]
    server.person(ANN).edit(mine.ref, title="later", start=at("2026-03-02T09:30"))
    assert title_of(server.person(BEA).get(arrived.ref)) == "later"
    server.person(ANN).delete(mine.ref)
    cancelled = server.person(BEA).get(arrived.ref).item
    assert isinstance(cancelled, Event)
    assert cancelled.status is EventStatus.CANCELLED
    assert sent(server) == [("request", BEA), ("request", BEA), ("cancel", BEA)]


def test_a_reply_reaches_the_organizer() -> None:
    server = build({"principals": {ANN: "Ann", BEA: "Bea"}})
    mine = server.person(ANN).add(meeting(BEA))
    (arrived,) = server.person(BEA).list(Kind.EVENT)
    server.person(BEA).reply(arrived.ref, Reply.ACCEPTED)
    item = server.person(ANN).get(mine.ref).item
    assert isinstance(item, Event)
    assert item.attendees[0].reply is Reply.ACCEPTED
    assert sent(server)[-1] == ("reply", ANN)


def test_editing_what_attendees_do_not_see_mails_nobody() -> None:
    server = build({})
    mine = server.person(ANN).add(meeting(BEA))
    before = len(server.outbox)
    server.person(ANN).edit(mine.ref, categories=("Customer",))
    assert len(server.outbox) == before


def test_a_person_is_held_to_the_limits() -> None:
    server = build({"title_limit": 5})
    assert server.person(ANN).add(Task(title="too long")).item == Task(
        uid="person-1", title="too l"
    )


# the server mails as its traits say


@pytest.mark.parametrize("schedules", [True, False])
def test_what_was_created_silently_stays_silent(schedules: bool) -> None:
    server = build({"schedules": schedules})
    ref = create(server, meeting(BEA)).ref
    edit(server, ref, title="later")
    with server.open(ANN) as session:
        removal = Removal(ref=ref, version=server.person(ANN).get(ref).version)
        session.delete("calendar", Kind.EVENT, [removal])
    assert sent(server) == []


def test_a_scheduling_server_mails_by_itself_for_a_persons_meeting() -> None:
    server = build({"schedules": True})
    mine = server.person(ANN).add(meeting(BEA))
    edit(server, mine.ref, title="later")
    assert sent(server) == [("request", BEA), ("request", BEA)]


def test_another_server_mails_only_when_told_to() -> None:
    server = build({})
    mine = server.person(ANN).add(meeting(BEA))
    edit(server, mine.ref, title="later")
    edit(server, mine.ref, notify=True, title="even later")
    assert sent(server) == [("request", BEA), ("request", BEA)]


def test_removing_an_attendee_cancels_for_them_alone() -> None:
    server = build({"schedules": True})
    mine = server.person(ANN).add(meeting(BEA, "carl@example.org"))
    edit(server, mine.ref, attendees=(Attendee(address=BEA),))
    assert sent(server)[2:] == [("cancel", "carl@example.org"), ("request", BEA)]


def test_deleting_a_copy_tells_the_organizer() -> None:
    server = build({"schedules": True})
    copy_ = server.person(ANN).add(meeting(ANN, organizer="host@example.org"))
    with server.open(ANN) as session:
        session.delete("calendar", Kind.EVENT, [Removal(ref=copy_.ref, version=copy_.version)])
    (mail,) = server.outbox
    assert mail == Mail(
        sender=ANN, to="host@example.org", method="reply", uid="meeting-1", title="meeting"
    )


# folders, trash, rights


def test_trash_moves_and_copies_are_told_apart() -> None:
    server = build({})
    person = server.person(ANN)
    task = person.add(Task(title="one"), marker="crm/task/1")
    ask = Ask(ref=task.ref, uid=task.item.uid, marker=task.marker)
    with server.open(ANN) as session:
        twin = person.copy(task.ref)
        assert isinstance(session.fetch("tasks", Kind.TASK, [ask])[0], Seen)
        person.delete(twin, hard=True)
        person.delete(task.ref)
        (found,) = session.fetch("tasks", Kind.TASK, [ask])
        assert isinstance(found, Moved)
        assert (found.folder, found.trash) == (TRASH, True)
        back = person.restore(found.new_ref)
        (found,) = session.fetch("tasks", Kind.TASK, [ask])
        assert found == Moved(task.ref, "tasks", back)
        person.delete(back)
        person.empty_trash()
        assert session.fetch("tasks", Kind.TASK, [ask]) == [Deleted(task.ref)]


def test_a_folder_that_may_not_be_written_denies_and_says_so() -> None:
    server = build({})
    person = server.person(ANN)
    folder = person.add_folder("Team", Kind.TASK, writable=False)
    task = person.add(Task(title="read me"), folder)
    with server.open(ANN) as session:
        (seen,) = session.fetch(folder, Kind.TASK, [Ask(ref=task.ref)])
        assert isinstance(seen, Seen)
        assert seen.snapshot.readonly
        (answer,) = session.create(folder, Kind.TASK, [Draft(item=Task(), key="k")])
        assert isinstance(answer, errors.Denied)
        removal = Removal(ref=task.ref, version=task.version)
        (answer,) = session.delete(folder, Kind.TASK, [removal])
        assert isinstance(answer, errors.Denied)


def test_strangers_unknown_folders_and_wrong_kinds_are_refused() -> None:
    server = build({"principals": {ANN: "Ann"}})
    with pytest.raises(errors.AuthFailed):
        server.open(BEA)
    assert not server.check(BEA)[0].ok
    with server.open(ANN.upper()) as session:
        with pytest.raises(errors.ConfigError) as caught:
            session.fetch("nowhere", Kind.TASK, [])
        assert caught.value.field == "folder"
        (answer,) = session.create("calendar", Kind.TASK, [Draft(item=Task(), key="k")])
        assert isinstance(answer, errors.Rejected)


def test_a_key_whose_item_was_deleted_says_gone() -> None:
    server = build({})
    written = create(server, meeting())
    server.person(ANN).delete(written.ref)
    with server.open(ANN) as session:
        draft = Draft(item=meeting(), key="key")
        (answer,) = session.create("calendar", Kind.EVENT, [draft])
    assert isinstance(answer, errors.Gone)
    assert server.person(ANN).list(Kind.EVENT) == ()


def test_expire_loses_every_cursor() -> None:
    server = build({})
    with server.open(ANN) as session:
        pages = list(session.changes("tasks", Kind.TASK, "", lambda refs: {}))
        server.expire()
        (page,) = session.changes("tasks", Kind.TASK, pages[-1].cursor, lambda refs: {})
    assert page == Listing(completeness=page.completeness)
    assert page.completeness == "lost"


@pytest.mark.parametrize("made_here", [True, False])
def test_only_a_copy_that_accord_made_is_ours_to_write_over(*, made_here: bool) -> None:
    server = build({})
    entry = Event(title="t", start=at("2026-03-02T09:00"), end=at("2026-03-02T10:00"))
    person = server.person(ANN)
    ref = create(server, entry).ref if made_here else person.add(entry).ref
    person.corrupt(ref)
    with server.open(ANN) as session:
        (seen,) = session.fetch("calendar", Kind.EVENT, [Ask(ref=ref)])
        assert isinstance(seen, Unknown) and seen.ours is made_here
    edit(server, ref, title="new")
    with server.open(ANN) as session:
        (seen,) = session.fetch("calendar", Kind.EVENT, [Ask(ref=ref)])
    assert isinstance(seen, Seen) and title_of(seen.snapshot) == "new"


# the whole server as a value


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_copy_goes_its_own_way(copied) -> None:
    server = build({})
    kept = server.person(ANN).add(Task(title="kept"))
    twin = copied(server)
    server.person(ANN).edit(kept.ref, title="changed")
    server.person(ANN).add(meeting(BEA))
    twin.person(ANN).add(Task(title="twin"))
    assert [title_of(task) for task in twin.person(ANN).list(Kind.TASK)] == ["kept", "twin"]
    assert [title_of(task) for task in server.person(ANN).list(Kind.TASK)] == ["changed"]
    assert twin.outbox == []


def test_many_threads_lose_nothing() -> None:
    server = build({})

    def work(number: int) -> None:
        with server.open(ANN) as session:
            for each in range(50):
                draft = Draft(item=Task(title="t"), key=f"{number % 2}-{each}")
                session.create("tasks", Kind.TASK, [draft])
                list(session.changes("tasks", Kind.TASK, "", lambda refs: {}))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.person(ANN).list(Kind.TASK)) == 100
    assert server.store.requests.all >= 400


def test_settings_shape_the_traits() -> None:
    traits = build({"omitted": "event.url, task.priority", "title_limit": 64}).traits
    assert "url" not in traits.kinds[Kind.EVENT].fields
    assert "priority" not in traits.kinds[Kind.TASK].fields
    assert "priority" in traits.kinds[Kind.EVENT].fields
    assert traits.kinds[Kind.CONTACT].limits == {"full_name": 64}
    with pytest.raises(errors.ConfigError):
        build({"colour": "green"})
