"""The CRM in memory behaves as CRMs and their users do, beyond the contract."""

from __future__ import annotations

import copy
import pickle

import pytest

from accord.crm.memory import MemoryCrm, Right, build
from accord.model.item import Absence, Contact, Event, Mailto, Task
from accord.model.kinds import Kind
from accord.model.observe import Deleted, Denied, Observation, OutOfScope, Seen
from accord.model.parts import Attendee
from accord.model.parts import Person as Named
from accord.ports import errors
from accord.ports.adapter import Ask, Draft, Removal, Revision, Written
from accord.testing.samples import at

USERS = {"ann": "ann@example.com", "bob": "bob@example.com robert@example.com"}


@pytest.fixture
def crm() -> MemoryCrm:
    return build({"users": USERS})


def look(crm: MemoryCrm, user: str, ref: str, kind: Kind = Kind.TASK) -> Observation:
    with crm.open(user) as session:
        return session.fetch("", kind, [Ask(ref=ref)])[0]


def refs(crm: MemoryCrm, user: str, kind: Kind = Kind.TASK) -> list[str]:
    return [snapshot.ref for snapshot in crm.person(user).list(kind)]


def test_reassigning_takes_a_record_out_of_scope(crm: MemoryCrm) -> None:
    task = crm.person("ann").add(Task(title="call"))
    crm.person("ann").reassign(task.ref, "bob")
    assert isinstance(look(crm, "ann", task.ref), OutOfScope)
    assert isinstance(look(crm, "bob", task.ref), Seen)
    assert crm.person("bob").owner(task.ref) == "bob"


def test_all_bearers_of_an_address_are_found_until_they_are_erased(crm: MemoryCrm) -> None:
    ann = crm.person("ann")
    one, two = (
        ann.add(Contact(full_name=name, mails=(Mailto(address="Eve@Example.com"),)))
        for name in ("Eve", "Eva")
    )
    ann.delete(two.ref)
    assert crm.bearing(["eve@example.com"]).keys() == {one.ref, two.ref}
    crm.erase(Kind.CONTACT, two.ref)
    assert crm.bearing(["eve@example.com"]).keys() == {one.ref}
    assert crm.bearing([], [one.ref, two.ref, "x"]).keys() == {one.ref}


def test_an_assignee_is_found_by_any_of_their_addresses(crm: MemoryCrm) -> None:
    task = crm.person("ann").add(Task(title="c", assignee=Named(address="Robert@Example.com")))
    assert refs(crm, "bob") == [task.ref]


def test_a_participant_shared_by_hand_stays_when_people_change(crm: MemoryCrm) -> None:
    start, end = at("2026-03-02T09:00"), at("2026-03-02T10:00")
    ann = crm.person("ann")
    event = ann.add(Event(title="e", start=start, end=end), sharers=["bob"])
    ann.edit(event.ref, title="other")
    assert refs(crm, "bob", Kind.EVENT) == [event.ref]
    ann.edit(event.ref, attendees=(Attendee(address="bob@example.com"),))
    ann.edit(event.ref, attendees=())
    assert refs(crm, "bob", Kind.EVENT) == []


def test_an_erased_record_says_so(crm: MemoryCrm) -> None:
    task = crm.person("ann").add(Task(title="personal"))
    with crm.open("ann") as session:
        pages = list(session.changes("", Kind.TASK, "", lambda refs: {}))
        crm.person("ann").erase(task.ref)
        (page,) = session.changes("", Kind.TASK, pages[-1].cursor, lambda refs: {})
    assert page.observations == (Deleted(task.ref, erased=True),)
    assert look(crm, "ann", task.ref) == Deleted(task.ref, erased=True)


def test_a_deleted_record_comes_back_for_everybody(crm: MemoryCrm) -> None:
    task = crm.person("ann").add(Task(title="call"), sharers=["bob"])
    crm.person("ann").delete(task.ref)
    assert [look(crm, user, task.ref) for user in USERS] == [Deleted(task.ref)] * 2
    with crm.open("ann") as session:
        assert isinstance(session.restore("", Kind.TASK, task.ref), Written)
    assert refs(crm, "ann") == refs(crm, "bob") == [task.ref]


def test_a_reader_sees_but_does_not_write(crm: MemoryCrm) -> None:
    task = crm.person("ann").add(Task(title="call"), sharers=["bob"])
    crm.person("ann").allow(task.ref, "bob", Right.READ)
    seen = look(crm, "bob", task.ref)
    assert isinstance(seen, Seen)
    assert seen.snapshot.readonly
    with crm.open("bob") as session:
        removal = Removal(ref=task.ref, version=seen.snapshot.version)
        assert isinstance(session.delete("", Kind.TASK, [removal])[0], errors.Denied)
    assert refs(crm, "ann") == [task.ref]


def test_taking_and_giving_rights_is_in_the_feed(crm: MemoryCrm) -> None:
    task = crm.person("ann").add(Task(title="call"), sharers=["bob"])
    _, cursor = crm.hints("")
    crm.person("ann").allow(task.ref, "bob", Right.NONE)
    hints, cursor = crm.hints(cursor)
    assert [hint.principals for hint in hints] == [{"ann", "bob"}]
    assert isinstance(look(crm, "bob", task.ref), Denied)
    crm.person("ann").allow(task.ref, "bob", Right.WRITE)
    hints, _ = crm.hints(cursor)
    assert [hint.ref for hint in hints] == [task.ref]


def test_the_feed_names_a_record_once_with_everybody(crm: MemoryCrm) -> None:
    _, cursor = crm.hints("")
    task = crm.person("ann").add(Task(title="call"))
    crm.person("ann").share(task.ref, "bob")
    crm.person("ann").unshare(task.ref, "bob")
    ((hint,), _) = crm.hints(cursor)
    assert hint.principals == {"ann", "bob"}


def test_a_locked_user_must_sign_in_again_and_loses_nothing(crm: MemoryCrm) -> None:
    crm.person("bob").add(Absence(title="away", start=at("2026-03-02"), end=at("2026-03-03")))
    crm.lock_user("bob")
    with pytest.raises(errors.AuthFailed):
        crm.open("bob")
    assert not crm.check("bob")[0].ok
    crm.lock_user("bob", locked=False)
    assert len(crm.person("bob").list(Kind.ABSENCE)) == 1


def test_strangers_and_folders_that_are_not_there_are_refused(crm: MemoryCrm) -> None:
    with pytest.raises(errors.AuthFailed):
        crm.open("eve")
    with crm.open("ann") as session, pytest.raises(errors.ConfigError):
        session.fetch("event", Kind.TASK, [])


def test_a_key_whose_record_was_deleted_says_gone(crm: MemoryCrm) -> None:
    with crm.open("ann") as session:
        draft = Draft(item=Task(title="call"), key="key")
        (written,) = session.create("", Kind.TASK, [draft])
        assert isinstance(written, Written)
        crm.person("ann").delete(written.ref)
        (again,) = session.create("", Kind.TASK, [draft])
    assert isinstance(again, errors.Gone)
    assert refs(crm, "ann") == []


def test_a_participants_edit_is_everybodys(crm: MemoryCrm) -> None:
    task = crm.person("ann").add(Task(title="call"), sharers=["bob"])
    revision = Revision(
        ref=task.ref,
        version=task.version,
        before=task.item,
        after=Task(title="by bob", priority=5),
        changed=("title",),
        marker="gw/bob/1",
    )
    with crm.open("bob") as session:
        (answer,) = session.update("", Kind.TASK, [revision])
    assert isinstance(answer, Written)
    now = crm.person("ann").get(task.ref)
    assert now.item == Task(uid=task.item.uid, title="by bob")
    assert (now.by, now.marker) == ("bob", "")
    assert crm.person("bob").get(task.ref).marker == "gw/bob/1"


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_copy_goes_its_own_way(crm: MemoryCrm, copied) -> None:
    kept = crm.person("ann").add(Contact(full_name="kept"))
    twin = copied(crm)
    crm.person("ann").edit(kept.ref, full_name="changed")
    twin.person("ann").add(Contact(full_name="twin"))
    names = [contact.item.full_name for contact in twin.person("ann").list(Kind.CONTACT)]
    assert names == ["kept", "twin"]
    assert len(crm.person("ann").list(Kind.CONTACT)) == 1
