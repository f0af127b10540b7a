"""What the adapter makes of a mailbox that fails, moves, fills up, closes or loses answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx2
import msgspec
import pytest
from lxml import etree

from accord.groupware.exchange import client as ews
from accord.groupware.exchange import kinds
from accord.groupware.exchange.find import _global_id
from accord.groupware.exchange.wire import m, t
from accord.model.diff import changes
from accord.model.item import Event, Task
from accord.model.kinds import Kind
from accord.model.observe import (
    Completeness,
    Deleted,
    Denied,
    Listing,
    Moved,
    Seen,
    Snapshot,
    Unknown,
)
from accord.model.parts import Attendee, Body, Person, Privacy
from accord.model.recurrence import Frequency, Override, RecurrenceRule
from accord.ports import errors
from accord.ports.adapter import Ask, Draft, Mark, Question, Written
from accord.ports.http import Unanswered
from accord.testing.place import done, new_key, revise
from accord.testing.samples import BERLIN, at, plain
from tests.unit.exchange.bridge import ALICE, BOB, URL, Rig, place_of, said

TASK, CONTACT = Kind.TASK, Kind.CONTACT


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr("accord.groupware.exchange.http.ATTEMPTS", 2)


# once


def test_an_answer_lost_after_a_create_makes_no_second_item(rig: Rig) -> None:
    with rig.place(TASK) as place:
        rig.bridge.lose("CreateItem")
        drafts = [Draft(item=plain(TASK, f"{n}"), key=new_key()) for n in range(3)]
        made = [done(each) for each in place.write(*drafts)]
        assert len({each.ref for each in made}) == 3
        assert [each.snapshot is not None for each in made] == [True] * 3
        again = [done(each).ref for each in place.write(*drafts)]
        assert again == [each.ref for each in made]
        assert len(place.pull().refs) == 3
    assert rig.bridge.names().count("CreateItem") == 1


def test_a_create_whose_end_nobody_knows_is_asked_for_again_later(rig: Rig) -> None:
    """The request may still be on its way: only a later look can tell."""

    def broken(name: str, body: bytes) -> httpx2.Response | None:
        if name == "CreateItem":
            raise httpx2.ReadTimeout("no answer")
        return None

    with rig.place(TASK) as place:
        rig.bridge.before.append(broken)
        draft = Draft(item=plain(TASK, "one"), key=new_key())
        with pytest.raises(Unanswered):
            place.write(draft)
        rig.bridge.before.clear()
        assert isinstance(place.write(draft)[0], Written)
        assert len(place.pull().refs) == 1


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_gateway_that_gives_up_on_a_create_makes_no_second_item(rig: Rig, status: int) -> None:
    """The server behind it has acted all the same."""

    def given_up(name: str, body: bytes) -> httpx2.Response | None:
        if name != "CreateItem":
            return None
        rig.bridge.before.remove(given_up)
        rig.bridge.handle_request(httpx2.Request("POST", URL, content=body, headers=said_with()))
        return httpx2.Response(status)

    def said_with() -> dict[str, str]:
        named = ("authorization", "content-type", "x-anchormailbox")
        return {k: v for k, v in rig.bridge.headers[-1].items() if k.lower() in named}

    with rig.place(TASK) as place:
        rig.bridge.before.append(given_up)
        done(place.write(Draft(item=plain(TASK, "one"), key=new_key()))[0])
        assert len(place.pull().refs) == 1


def test_an_answer_lost_after_an_update_is_told_from_somebody_elses_edit(rig: Rig) -> None:
    with rig.place(TASK) as place:
        (before,) = place.create(plain(TASK, "before"))
        rig.bridge.lose("UpdateItem")
        written = place.edit(before, title="after")
        assert written.version == place.read(before.ref).version
        assert written.snapshot is not None


def test_an_answer_lost_after_a_delete_counts_as_deleted(rig: Rig) -> None:
    with rig.place(TASK) as place:
        (made,) = place.create(plain(TASK, "gone"))
        rig.bridge.lose("DeleteItem")
        done(place.remove(made)[0])
        assert rig.bridge.names().count("DeleteItem") == 1


def test_one_item_that_the_schema_refuses_does_not_stop_the_batch(rig: Rig) -> None:
    """Exchange refuses the whole request then, with a SOAP fault."""

    def picky(name: str, body: bytes) -> httpx2.Response | None:
        if name == "CreateItem" and b"bad one" in body:
            return httpx2.Response(500, content=fault("ErrorSchemaValidation"))
        return None

    rig.bridge.before.append(picky)
    with rig.place(TASK) as place:
        titles = ("one", "bad one", "two")
        drafts = [Draft(item=plain(TASK, each), key=new_key()) for each in titles]
        one, bad, two = place.write(*drafts)
        assert isinstance(bad, errors.Rejected)
        assert {done(one).ref, done(two).ref} == set(place.pull().refs)


# what the requests say


def test_nothing_is_ever_deleted_for_good(rig: Rig) -> None:
    with rig.place(TASK) as place:
        (made,) = place.create(plain(TASK, "old"), marker="crm/t/1")
        done(place.remove(made)[0])
        (found,) = place.fetch(Ask(ref=made.ref, uid=made.item.uid))
        assert isinstance(found, Moved)
        assert found.trash
    (body,) = [body for name, body in rig.bridge.asked if name == "DeleteItem"]
    assert b'DeleteType="MoveToDeletedItems"' in body
    assert b'SendMeetingCancellations="SendToNone"' in body
    assert rig.exchange.mails() == []


def test_writes_are_silent_and_never_overwrite(rig: Rig) -> None:
    with rig.place(TASK) as place:
        (made,) = place.create(plain(TASK, "one"))
        place.edit(made, title="two")
    bodies = dict(rig.bridge.asked)
    assert b'SendMeetingInvitations="SendToNone"' in bodies["CreateItem"]
    assert b'ConflictResolution="NeverOverwrite"' in bodies["UpdateItem"]
    assert b'SendMeetingInvitationsOrCancellations="SendToNone"' in bodies["UpdateItem"]


def test_a_service_account_acts_as_the_person(rig: Rig) -> None:
    with rig.place(TASK, BOB) as place:
        place.create(plain(TASK, "bob's"))
    with rig.place(TASK) as place:
        assert place.pull().refs == []
    assert all(f"<t:PrimarySmtpAddress>{BOB}<".encode() in b for _, b in rig.bridge.asked[:1])
    assert {each["x-anchormailbox"] for each in rig.bridge.headers} == {ALICE, BOB}


def test_a_delegate_opens_the_folders_of_another(rig: Rig) -> None:
    adapter_rig = Rig(access="delegate")
    try:
        exchange = adapter_rig.exchange
        with (
            pytest.raises(errors.ConfigError) as found,
            adapter_rig.adapter.open(ALICE) as session,
        ):
            session.folders()
        assert found.value.field == "access"
        exchange.people.grant(adapter_rig.alice, adapter_rig.robot, "editor")
        with adapter_rig.place(TASK) as place:
            (made,) = place.create(plain(TASK, "for alice"))
            assert place.read(made.ref).item == made.item
        assert all(b"ExchangeImpersonation" not in body for _, body in adapter_rig.bridge.asked)
        exchange.people.grant(adapter_rig.alice, adapter_rig.robot, "reader")
        adapter_rig.adapter.forget(ALICE)
        with adapter_rig.place(TASK) as place:
            assert place.pull().snapshot(made.ref) is not None
            assert place.read(made.ref).readonly
            (answer,) = place.remove(made)
            assert isinstance(answer, errors.Denied)
    finally:
        adapter_rig.close()


def test_with_own_access_each_signs_in_alone() -> None:
    rig = Rig(access="own", user="", password="", passwords={ALICE: "secret", BOB: "wrong"})
    try:
        with rig.place(TASK) as place:
            place.create(plain(TASK, "mine"))
        with pytest.raises(errors.AuthFailed), rig.place(TASK, BOB):
            pass
    finally:
        rig.close()


# states


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("moving", errors.Retry),
        ("disabled", errors.ConfigError),
        ("busy", errors.Retry),
        ("unavailable", errors.Retry),
        ("unauthorized", errors.AuthFailed),
    ],
)
def test_a_state_of_the_mailbox_is_never_a_deletion(
    rig: Rig, fault: str, error: type[Exception]
) -> None:
    with rig.place(TASK) as place:
        (made,) = place.create(plain(TASK, "there"))
        first = place.pull()
        planned = rig.exchange.faults.plan(fault, times=None, seconds=600)  # type: ignore[arg-type]
        for act in (
            lambda: place.pull(),
            lambda: place.pull(first.cursor),
            lambda: place.fetch(Ask(ref=made.ref, uid=made.item.uid)),
            lambda: place.remove(made),
            lambda: place.edit(made, title="x"),
            lambda: place.session.lookup(place.folder, TASK, [Question(uid=made.item.uid)]),
        ):
            with pytest.raises(error):
                act()
        rig.exchange.faults.end(planned)
        assert place.read(made.ref) == made
        assert place.pull(first.cursor).refs == []


def test_a_full_mailbox_waits_and_can_still_be_read_and_emptied(rig: Rig) -> None:
    with rig.place(TASK) as place:
        (made,) = place.create(plain(TASK, "there"))
        rig.exchange.faults.plan("full", times=None)
        with pytest.raises(errors.Retry) as found:
            place.create(plain(TASK, "more"))
        assert found.value.code == "ErrorQuotaExceeded"
        assert found.value.after >= 600
        assert place.pull().snapshot(made.ref) is not None
        done(place.remove(made)[0])


@pytest.mark.parametrize(
    ("code", "error"),
    [("ErrorAccessDenied", errors.ConfigError), ("ErrorInvalidRequest", errors.Retry)],
)
def test_a_request_refused_as_a_whole_is_no_matter_of_items(
    rig: Rig, code: str, error: type[Exception]
) -> None:
    with rig.place(TASK) as place:
        (made,) = place.create(plain(TASK, "there"))
        first = place.pull()
        rig.bridge.before.append(lambda name, body: httpx2.Response(500, content=fault(code)))
        for act in (
            lambda: place.pull(first.cursor),
            lambda: place.fetch(Ask(ref=made.ref)),
            lambda: place.remove(made),
            lambda: place.session.lookup(place.folder, TASK, [Question(key="k")]),
            lambda: place.write(Draft(item=plain(TASK, "x"), key=new_key())),
        ):
            with pytest.raises(error):
                act()


def fault(code: str) -> bytes:
    """Return an answer that is a SOAP fault with this code."""
    root = etree.fromstring(said(code, "x"))
    root[0].remove(root[0][0])
    inner = etree.SubElement(root[0], f"{{{root.nsmap['s']}}}Fault")
    etree.SubElement(inner, "faultcode").text = f"a:{code}"
    return etree.tostring(root)


def test_lost_access_is_not_a_removal(rig: Rig) -> None:
    """Items that can't be asked for any more are denied, or the folder is at fault."""
    with rig.place(TASK) as place:
        (made,) = place.create(plain(TASK, "there"))
        first = place.pull()

        def closed(name: str, body: bytes) -> httpx2.Response | None:
            if name == "FindItem":
                return None
            code = "ErrorItemNotFound" if name == "GetItem" else "ErrorAccessDenied"
            return httpx2.Response(200, content=said(code, name))

        rig.bridge.before.append(closed)
        (found,) = place.fetch(Ask(ref=made.ref, uid="another"))
        assert isinstance(found, Denied)
        for cursor in ("", first.cursor):
            with pytest.raises(errors.ConfigError) as why:
                place.pull(cursor)
            assert why.value.field == "folder"


def test_what_cannot_be_looked_for_everywhere_is_not_called_deleted(rig: Rig) -> None:
    with rig.place(TASK) as place:
        (made,) = place.create(plain(TASK, "moved, perhaps"))
        done(place.remove(made)[0])

        def blind(name: str, body: bytes) -> httpx2.Response | None:
            if name == "FindItem":
                return httpx2.Response(200, content=said("ErrorAccessDenied", name))
            return None

        rig.bridge.before.append(blind)
        (found,) = place.fetch(Ask(ref=made.ref, uid=made.item.uid))
        assert isinstance(found, Denied)


def test_an_item_is_found_in_a_folder_that_was_made_a_moment_ago(rig: Rig) -> None:
    with rig.place(TASK) as place:
        (made,) = place.create(plain(TASK, "moved"))
        theirs = rig.adapter.client(ALICE)
        answer = theirs.make_folder("@tasks", "TasksFolder", "New", "IPF.Task", "")
        new = next(each.get("Id", "") for each in answer.node.iter("{*}FolderId"))
        theirs.move([made.ref], new)
        (found,) = place.fetch(Ask(ref=made.ref, uid=made.item.uid))
        assert isinstance(found, Moved)
        assert (found.folder, found.trash) == (new, False)


def test_an_item_in_no_folder_at_all_is_deleted(rig: Rig) -> None:
    with rig.place(TASK) as place:
        (made,) = place.create(plain(TASK, "gone"))
        done(place.remove(made)[0])
        store = rig.exchange.store
        for item in store.items("folder > 0"):
            store.remove_item(item)
        (found,) = place.fetch(Ask(ref=made.ref, uid=made.item.uid, marker="crm/t/1"))
        assert found == Deleted(made.ref)


# pulls


def test_a_pull_goes_on_over_many_answers(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ews.Client.sync
    monkeypatch.setattr(ews.Client, "sync", lambda self, place, state: whole(self, place, state, 2))
    with rig.place(TASK) as place:
        made = place.create(*(plain(TASK, f"{n}") for n in range(5)))
        pull = place.pull()
        assert sorted(pull.refs) == sorted(each.ref for each in made)
        assert rig.bridge.names().count("SyncFolderItems") == 3
        done(place.remove(made[0])[0])
        place.edit(made[1], title="new")
        later = place.pull(pull.cursor)
        assert later.observations[made[0].ref] == Deleted(made[0].ref)
        assert isinstance(later.observations[made[1].ref], Seen)
        assert len(later.refs) == 2


def test_changes_named_twice_or_against_each_other_are_told_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers may repeat changes, and name one item as new and as gone in one answer."""
    with rig.place(TASK) as place:
        one, two, gone = place.create(*(plain(TASK, each) for each in ("one", "two", "gone")))
        done(place.remove(gone)[0])
        changes = (
            ews.Changed("Update", gone.ref, gone.version, "Task"),
            ews.Changed("Delete", gone.ref, "", ""),
            ews.Changed("Create", one.ref, "old", "Task"),
            ews.Changed("Update", one.ref, one.version, "Task"),
            ews.Changed("Delete", one.ref, "", ""),
            ews.Changed("Delete", two.ref, "", ""),
            ews.Changed("Create", two.ref, two.version, "Task"),
            ews.Changed("Delete", "never-seen", "", ""),
            ews.Changed("Create", "a-note", "1", "Message"),
        )
        monkeypatch.setattr(
            ews.Client, "sync", lambda self, place, state: ews.Round(changes, "next", last=True)
        )
        pull = place.pull("sync:before", {gone.ref: gone.version})
        assert sorted(pull.refs) == sorted([one.ref, two.ref, gone.ref, "never-seen"])
        assert pull.observations[gone.ref] == Deleted(gone.ref)
        assert pull.snapshot(one.ref) == one
        assert pull.snapshot(two.ref) == two
        assert pull.observations["never-seen"] == Deleted("never-seen")
        assert pull.cursor == "sync:next"


def test_an_item_that_became_another_kind_is_unknown_not_gone(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rig.place(TASK) as place:
        (made,) = place.create(plain(TASK, "one"))
        changes = (ews.Changed("Update", made.ref, "newer", "Message"),)
        monkeypatch.setattr(
            ews.Client, "sync", lambda self, place, state: ews.Round(changes, "next", last=True)
        )
        pull = place.pull("sync:before", {made.ref: made.version})
        assert isinstance(pull.observations[made.ref], Unknown)


def test_a_cursor_that_the_server_forgot_is_lost(rig: Rig) -> None:
    with rig.place(TASK) as place:
        place.create(plain(TASK, "one"))
        cursor = place.pull().cursor
        rig.exchange.faults.plan("expired")
        assert place.pull(cursor).pages == [Listing(completeness=Completeness.LOST)]
        assert len(place.pull().refs) == 1


def test_a_round_that_does_not_go_on_is_no_round(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a state the rest can't be asked for: then nothing may be concluded."""
    monkeypatch.setattr(
        ews.Client, "sync", lambda self, place, state: ews.Round((), state, last=False)
    )
    with rig.place(TASK) as place, pytest.raises(errors.Retry):
        place.pull()


def test_an_answer_with_too_few_messages_is_no_answer(rig: Rig) -> None:
    with rig.place(TASK) as place:
        made = place.create(plain(TASK, "one"), plain(TASK, "two"))

        def halve(name: str, text: bytes) -> bytes:
            if name != "GetItem":
                return text
            root = etree.fromstring(text)
            last = root.findall(".//{*}GetItemResponseMessage")[-1]
            parent = last.getparent()
            assert parent is not None
            parent.remove(last)
            return etree.tostring(root)

        rig.bridge.after.append(halve)
        with pytest.raises(errors.Retry):
            place.fetch(*(Ask(ref=each.ref) for each in made))


def test_a_pull_with_nothing_new_is_one_request(rig: Rig) -> None:
    with rig.place(TASK) as place:
        place.create(plain(TASK, "one"))
        cursor = place.pull().cursor
        before = rig.adapter.requests
        place.pull(cursor)
        assert rig.adapter.requests - before == 1


def test_an_answer_that_is_too_large_is_asked_for_in_parts(rig: Rig) -> None:
    """One item that is too large by itself is unknown; the others are read."""
    with rig.place(TASK) as place:
        texts = ["x" * 4000, "y" * 300_000, *("z" * 4000 for _ in range(6))]
        items = [Task(title=text[0], body=Body(text=text)) for text in texts]
        made = [
            done(each).ref for each in place.write(*(Draft(item=i, key=new_key()) for i in items))
        ]
        rig.adapter.http.config = msgspec.structs.replace(rig.adapter.config, max_bytes=30_000)
        told = place.fetch(*(Ask(ref=ref) for ref in made))
        assert [isinstance(each, Seen) for each in told] == [True, False, *[True] * 6]
        assert isinstance(told[1], Unknown)


# folders


def test_the_book_of_the_crms_contacts_is_made_with_the_first_of_them() -> None:
    rig = Rig(address_book="")
    try:
        with rig.place(CONTACT) as place:
            assert place.folder == "~contact:CRM contacts"
            assert place.pull().pages == [Listing(completeness=Completeness.COMPLETE)]
            (answer,) = place.fetch(Ask(ref="x"))
            assert isinstance(answer, Denied)
            assert "CreateFolder" not in rig.bridge.names()
            (made,) = place.create(plain(CONTACT, "Eve"))
            assert made.folder == place.folder
        rig.adapter.forget(ALICE)
        with rig.place(CONTACT) as place:
            assert place.folder == "~contact:CRM contacts"
            assert place.pull().snapshot(made.ref) == made
            place.create(plain(CONTACT, "Eva"))
        assert rig.bridge.names().count("CreateFolder") == 1
        with rig.adapter.open(ALICE) as session:
            names = {each.name: each.default for each in session.folders() if CONTACT in each.kinds}
        assert names == {"CRM contacts": True, "Contacts": False}
    finally:
        rig.close()


@pytest.mark.parametrize("call", ["changes", "fetch", "lookup"])
def test_a_folder_that_another_process_made_meanwhile_is_seen_at_once(call: str) -> None:
    rig = Rig(address_book="")
    with closing(rig), closing(rig.another()) as elsewhere:
        with elsewhere.open(ALICE) as session:
            assert place_of(session, elsewhere, CONTACT).pull().refs == []
        with rig.place(CONTACT) as place:
            key = new_key()
            (answer,) = place.write(Draft(item=plain(CONTACT, "Eve"), key=key))
            made = place.read(done(answer).ref)
        with elsewhere.open(ALICE) as session:
            there = place_of(session, elsewhere, CONTACT)
            if call == "changes":
                assert there.pull().snapshot(made.ref) == made
            elif call == "fetch":
                assert there.fetch(Ask(ref=made.ref)) == [Seen(made)]
            else:
                (found,) = session.lookup(there.folder, CONTACT, [Question(key=key)])
                assert [each.ref for each in found] == [made.ref]


def test_a_folder_that_lacks_is_looked_for_once_a_visit() -> None:
    rig = Rig(address_book="")
    with closing(rig):
        for _ in range(2):
            with rig.place(CONTACT) as place:
                rig.bridge.asked.clear()
                for _ in range(3):
                    place.pull()
                    place.fetch(Ask(ref="x"))
                assert rig.bridge.names() == ["GetFolder", "FindFolder"]


def test_a_named_folder_is_made_only_where_the_settings_say_so() -> None:
    for create, default in ((False, []), (True, ["Team"])):
        rig = Rig(task_list="Team", create_missing=create)
        try:
            with rig.adapter.open(ALICE) as session:
                found = [f.name for f in session.folders() if TASK in f.kinds and f.default]
                assert found == default
        finally:
            rig.close()


def test_folders_in_the_trash_and_of_programs_are_not_offered(rig: Rig) -> None:
    with rig.adapter.open(ALICE) as session:
        old = session.make_folder("Old", TASK)
        assert session.make_folder("old", TASK).id == old.id
        session._client._write(
            m(
                "DeleteFolder",
                m("FolderIds", session._client.place(old.id)),
                DeleteType="MoveToDeletedItems",
            ),
            1,
        )
        rig.adapter.forget(ALICE)
        assert old.id not in {each.id for each in session.folders()}
        with pytest.raises(errors.ConfigError):
            list(session.changes(old.id, TASK, "", lambda refs: {}))


# finding


def test_a_uid_is_the_global_id_that_outlook_makes_of_it() -> None:
    """Uids of calendar entries can't be searched on all servers; their global ids can."""
    plain_uid = _global_id("abc@example.com")
    assert plain_uid.endswith(b"vCal-Uid\x01\x00\x00\x00abc@example.com\x00")
    assert plain_uid[36:40] == (12 + 15 + 1).to_bytes(4, "little")
    own = "040000008200E00074C5B7101A82E00800000000" + "00" * 20
    assert _global_id(own) == bytes.fromhex(own)


def test_a_foreign_item_has_a_uid_by_which_it_is_found_again(rig: Rig) -> None:
    with rig.place(TASK) as place:
        request = t("Task", t("Subject", "theirs"))
        (message,) = place.session._client.create(place.folder, [request], notify=False)  # type: ignore[attr-defined]
        (ref,) = [e.get("Id") for e in message.node.iter("{*}ItemId")]
        seen = place.read(ref)
        assert seen.item.uid.startswith("id:")
        (answer,) = place.session.mark(place.folder, TASK, [Mark(ref=ref, marker="crm/t/9")])
        assert done(answer).version == place.read(ref).version
        assert place.read(ref).marker == "crm/t/9"


def test_capitals_make_a_difference_in_keys(rig: Rig) -> None:
    """Servers compare texts without regard to capitals; two keys are two items all the same."""
    with rig.place(TASK) as place:
        drafts = [Draft(item=plain(TASK, each), key=f"key-{each}") for each in ("a", "A")]
        one, other = (done(each).ref for each in place.write(*drafts))
        assert one != other
        found = place.session.lookup(place.folder, TASK, [Question(key="KEY-A")])
        assert found == [()]


@pytest.mark.parametrize("code", ["ErrorRestrictionTooLong", "ErrorRestrictionTooComplex"])
@pytest.mark.parametrize("most", [1, 7])
def test_a_search_for_too_much_at_once_is_made_in_parts(rig: Rig, code: str, most: int) -> None:
    """How long a restriction may be is nowhere said; what is looked for is found all the same."""
    asked: list[int] = []

    def short(name: str, body: bytes) -> httpx2.Response | None:
        if name != "FindItem":
            return None
        asked.append(body.count(b"FieldURIOrConstant>") // 2)
        return httpx2.Response(200, content=said(code, name)) if asked[-1] > most else None

    with rig.place(TASK) as place:
        items = [plain(TASK, f"no. {number}") for number in range(12)]
        drafts = [Draft(item=item, key=f"key-{number}") for number, item in enumerate(items)]
        made = [done(each).ref for each in place.write(*drafts)]
        rig.bridge.before.append(short)
        again = [done(each).ref for each in place.write(*drafts)]
        assert again == made
        assert asked[0] == 12
        assert sum(each for each in asked if each <= most) == 12
        rig.bridge.before.clear()
        rig.bridge.before.append(lambda name, _: _refused(name, code))
        with pytest.raises(errors.Retry):
            place.write(*drafts)


def _refused(name: str, code: str) -> httpx2.Response | None:
    return httpx2.Response(200, content=said(code, name)) if name == "FindItem" else None


def test_an_unreadable_title_is_kept_to_oneself_where_it_is_private(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rig.place(TASK) as place:
        items = (Task(title="open"), Task(title="closed", privacy=Privacy.PRIVATE))
        made = place.create(*items)

        def refuse(item: object, *, home: str) -> Task:
            raise errors.Rejected("not understood")

        monkeypatch.setattr(kinds.codec(TASK), "read", refuse)
        told = place.fetch(*(Ask(ref=each.ref) for each in made))
        assert all(isinstance(each, Unknown) for each in told)
        assert [each.title for each in told] == ["open", ""]  # type: ignore[union-attr]
        assert [each.version for each in told] == [each.version for each in made]  # type: ignore[union-attr]


@pytest.mark.parametrize("call", ["read", "properties"])
def test_a_fault_of_ours_is_one_items_trouble(
    rig: Rig, call: str, monkeypatch: pytest.MonkeyPatch, faults: list[str]
) -> None:
    codec = kinds.codec(TASK)
    whole = getattr(codec, call)

    def faulty(item: Any, *more: Any, home: str) -> Any:
        title = item.title if isinstance(item, Task) else item.subject
        if title == "bad":
            raise ZeroDivisionError(title * 3)
        return whole(item, *more, home=home)

    with rig.place(TASK) as place:
        drafts = [Draft(item=plain(TASK, each), key=new_key()) for each in ("good", "bad")]
        monkeypatch.setattr(codec, call, faulty)
        good, bad = place.write(*drafts)
        assert isinstance(good, Written)
        if call == "properties":
            assert isinstance(bad, errors.Rejected)
        seen = place.pull().observations
        assert isinstance(seen[good.ref], Seen)
        assert isinstance(seen[done(bad).ref], Unknown) if call == "read" else len(seen) == 1
    assert faults
    assert "badbadbad" not in "".join(faults)


# check


def test_check_says_what_is_wrong(rig: Rig) -> None:
    assert [each for each in rig.adapter.check(ALICE) if not each.ok] == []
    named = {each.subject: each.ok for each in rig.adapter.check()}
    assert named == {"encryption": True, "connection": True, "clock": True}
    (last,) = [each for each in rig.adapter.check("nobody@example.com") if not each.ok]
    assert "no such mailbox" in last.detail
    assert last.hint
    rig.exchange.faults.plan("unauthorized")
    (last,) = [each for each in rig.adapter.check(BOB) if not each.ok]
    assert "login name" in last.detail


def test_an_unchecked_certificate_is_said_loudly() -> None:
    rig = Rig(url="https://mail.example.com/", verify=False)
    try:
        told = [each for each in rig.adapter.check(ALICE) if each.subject == "encryption"]
        assert [each.ok for each in told] == [False]
        assert "NOT CHECKED" in told[0].detail
    finally:
        rig.close()


# series


def weekly(**more: Any) -> Event:
    return Event(
        title="round",
        start=at("2026-03-02T09:00"),
        end=at("2026-03-02T10:00"),
        time_zone=BERLIN,
        rule=RecurrenceRule(frequency=Frequency.WEEKLY, count=6),
        **more,
    )


def overrides(seen: Snapshot) -> tuple[Override, ...]:
    assert isinstance(seen.item, Event)
    return seen.item.overrides


SPECIAL = weekly(
    exdates=(at("2026-03-16T09:00"),),
    overrides=(Override(recurrence_id=at("2026-03-09T09:00"), title="special"),),
)


@pytest.mark.parametrize("lost", ["CreateItem", "DeleteItem", "UpdateItem"])
def test_a_series_cut_off_in_the_middle_is_finished_by_the_next_try(rig: Rig, lost: str) -> None:
    """Until then it is not offered as what it isn't: a series without its changes."""
    with rig.place(Kind.EVENT) as place:
        draft = Draft(item=SPECIAL, key=new_key(), marker="crm/e/1")
        fail = [True]

        def broken(name: str, body: bytes) -> httpx2.Response | None:
            if fail[0] and name == lost and name != "CreateItem":
                raise httpx2.ReadError("gone")
            return None

        rig.bridge.before.append(broken)
        if lost == "CreateItem":
            rig.bridge.lose(lost)
            (answer,) = place.write(draft)
        else:
            with pytest.raises(errors.Retry):
                place.write(draft)
            (half,) = place.pull().observations.values()
            assert isinstance(half, Unknown)
            assert place.session.lookup(place.folder, Kind.EVENT, [Question(key=draft.key)]) == [()]
            fail[0] = False
            (answer,) = place.write(draft)
        (ref,) = place.pull().refs
        assert done(answer).ref == ref
        assert changes(place.stored(SPECIAL), place.read(ref).item, place.writable) == ()
        assert done(answer).version == place.read(ref).version
        again = done(place.write(draft)[0])
        assert again.version == done(answer).version


def cut_off(rig: Rig, place: Any, draft: Draft) -> None:
    """Create a series, and lose the connection before its occurrences."""

    def broken(name: str, _: bytes) -> httpx2.Response | None:
        if name in ("DeleteItem", "UpdateItem"):
            raise httpx2.ReadError("gone")
        return None

    rig.bridge.before.append(broken)
    with pytest.raises(errors.Retry):
        place.write(draft)
    rig.bridge.before.remove(broken)


def test_a_series_left_half_is_not_where_a_deleted_one_went(rig: Rig) -> None:
    """Else its pair would stay with the half one, which nobody would ever complete."""
    with rig.place(Kind.EVENT) as place:
        (first,) = place.create(SPECIAL, marker="crm/e/1")
        done(place.remove(first)[0])
        again = Draft(item=first.item, key=new_key(), marker="crm/e/1")
        cut_off(rig, place, again)
        ask = Ask(ref=first.ref, uid=first.item.uid, marker="crm/e/1")
        (found,) = place.fetch(ask)
        assert not isinstance(found, Moved) or found.trash
        made = done(place.write(again)[0])
        assert overrides(place.read(made.ref)) == overrides(first)


def test_a_series_left_half_goes_where_its_copy_is_made_under_another_key(rig: Rig) -> None:
    """So it is where the original has changed between the two tries."""
    with rig.place(Kind.EVENT) as place:
        cut_off(rig, place, Draft(item=SPECIAL, key=new_key(), marker="crm/e/1"))
        (half,) = place.pull().observations.values()
        changed = msgspec.structs.replace(SPECIAL, title="changed since")
        made = done(place.write(Draft(item=changed, key=new_key(), marker="crm/e/1"))[0])
        (other,) = place.create(SPECIAL, marker="crm/e/2")
        seen = place.pull().observations
        assert {ref for ref in seen if not isinstance(seen[ref], Deleted)} == {made.ref, other.ref}
        (gone,) = place.fetch(Ask(ref=half.ref))
        assert isinstance(gone, Deleted)


def test_a_series_whose_occurrence_is_refused_is_not_left_half(rig: Rig) -> None:
    def strict(name: str, body: bytes) -> httpx2.Response | None:
        if name == "UpdateItem" and b"OccurrenceItemId" in body:
            return httpx2.Response(200, content=said("ErrorOccurrenceCrossingBoundary", name))
        return None

    rig.bridge.before.append(strict)
    with rig.place(Kind.EVENT) as place:
        one, other = place.write(
            Draft(item=SPECIAL, key=new_key()), Draft(item=weekly(), key=new_key())
        )
        assert isinstance(one, errors.Rejected)
        assert place.pull().refs == [done(other).ref]


def test_a_stale_series_keeps_its_occurrences(rig: Rig) -> None:
    with rig.place(Kind.EVENT) as place:
        (before,) = place.create(SPECIAL)
        place.edit(before, title="theirs")
        (answer,) = place.update(revise(before, overrides=()))
        assert isinstance(answer, errors.Stale)
        assert overrides(place.read(before.ref)) == overrides(before)


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_an_answer_lost_among_occurrences_never_passes_for_done(rig: Rig, nth: int) -> None:
    """Either all is there, or the item is planned again from what is there."""
    with rig.place(Kind.EVENT) as place:
        (before,) = place.create(weekly())
        count = [0]

        def lost(name: str, text: bytes) -> bytes:
            count[0] += name in ("UpdateItem", "DeleteItem")
            if name in ("UpdateItem", "DeleteItem") and count[0] == nth:
                raise httpx2.ReadError("gone")
            return text

        rig.bridge.after.append(lost)
        asked = revise(before, overrides=SPECIAL.overrides, exdates=SPECIAL.exdates)
        (answer,) = place.update(asked)
        rig.bridge.after.clear()
        now = place.read(before.ref)
        whole = not changes(asked.after, now.item, asked.changed)
        assert isinstance(answer, Written if whole else errors.Stale)
        if not whole:
            place.edit(now, overrides=SPECIAL.overrides, exdates=SPECIAL.exdates)
            after = place.read(before.ref)
            assert not changes(asked.after, after.item, asked.changed)


def test_changing_occurrences_tells_the_version_that_stands(rig: Rig) -> None:
    with rig.place(Kind.EVENT) as place:
        (before,) = place.create(weekly())
        written = place.edit(before, overrides=SPECIAL.overrides, exdates=SPECIAL.exdates)
        after = place.read(before.ref)
        assert written.version == after.version
        assert overrides(after) == SPECIAL.overrides
        place.edit(after, overrides=())
        assert overrides(place.read(before.ref)) == ()


def test_a_meeting_that_changes_in_many_ways_mails_once(rig: Rig) -> None:
    """One mail per occurrence is what others are hated for."""
    series = msgspec.structs.replace(SPECIAL, attendees=(Attendee(address=BOB),))
    with rig.place(Kind.EVENT) as place:
        done(place.write(Draft(item=series, key=new_key(), notify=True))[0])
        assert [mail.recipient for mail in rig.exchange.mails(ALICE)] == [BOB]


def test_somebody_elses_meeting_is_refused(rig: Rig) -> None:
    """Exchange would make this mailbox its organizer, and mail everybody as such."""
    item = Event(
        title="theirs",
        start=at("2026-03-02T09:00"),
        end=at("2026-03-02T10:00"),
        time_zone=BERLIN,
        organizer=Person(address="host@example.org"),
        attendees=(Attendee(address=ALICE),),
    )
    with rig.place(Kind.EVENT) as place:
        (answer,) = place.write(Draft(item=item, key=new_key()))
        assert isinstance(answer, errors.Rejected)
        assert "CreateItem" not in rig.bridge.names()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Auckland", "America/New_York", "UTC"])
def test_days_of_tasks_are_those_in_the_mailboxs_zone(zone: str) -> None:
    rig = Rig(time_zone=zone)
    try:
        with rig.place(TASK) as place:
            day = at("2030-01-07T00:00")
            (made,) = place.create(Task(title="offer", start=day, due=day, all_day=True))
            found = place.read(made.ref).item
            assert isinstance(found, Task)
            assert (found.start, found.due, found.all_day) == (day, day, True)
    finally:
        rig.close()


# whose mailbox it is


def test_a_reused_address_leads_to_another_mailbox(rig: Rig) -> None:
    """The ids of folders that nobody can delete tell, whatever the address."""
    with rig.adapter.open(ALICE) as session:
        before = dict(session.identity())
    assert list(before)[:2] == ["msgfolderroot", "calendar"]
    store = rig.exchange.store
    with store.writing():
        store.run("UPDATE mailbox SET address = ? WHERE id = ?", "left@x.test", rig.alice.id)
    rig.exchange.people.add(ALICE, "secret", login="alice.the.second")
    rig.adapter.forget(ALICE)
    with rig.adapter.open(ALICE) as session:
        after = dict(session.identity())
    assert after.keys() == before.keys()
    assert all(after[name] != before[name] for name in before)


def test_what_folders_have_in_common_is_kept_once_for_all_mailboxes(rig: Rig) -> None:
    alice, bob = (rig.adapter.place(who).found for who in (ALICE, BOB))
    assert len(alice) == len(bob) > 5
    for one, other in zip(alice, bob, strict=True):
        assert one.place != other.place
        assert (one.name, one.kinds) == (other.name, other.kinds)
        assert one.name is other.name
        assert one.kinds is other.kinds
    assert len({id(each.kinds) for each in alice}) == 1 + len(kinds.FORMS)
