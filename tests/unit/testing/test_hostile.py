"""The hostile adapter does what its hostility says, and nothing else."""

from __future__ import annotations

import copy
import pickle
from datetime import datetime

import pytest

from accord.crm.memory import build as build_crm
from accord.groupware.memory import MemoryGroupware, build
from accord.model.item import Event, Item
from accord.model.kinds import Kind
from accord.model.observe import Completeness, Denied, Listing, Seen, Unchanged, Unknown
from accord.ports import errors
from accord.ports.adapter import Ask, Draft, Feed, Question, Removal, Revision, Written
from accord.testing.hostile import Hostile, Hostility, Trick, hostile

ANN = "ann@example.com"
NINE = datetime.fromisoformat("2026-03-02T09:00")
TEN = datetime.fromisoformat("2026-03-02T10:00")
TITLE = "A rather long title that will be cut"


@pytest.fixture
def inner() -> MemoryGroupware:
    return build({"page": 2})


@pytest.fixture
def mood() -> Hostility:
    return Hostility()


@pytest.fixture
def outer(inner: MemoryGroupware, mood: Hostility) -> Hostile:
    return hostile(inner, mood)


def event(title: str = TITLE) -> Event:
    return Event(title=title, start=NINE, end=TEN)


def pull(side: Hostile, cursor: str = "", known: dict[str, str] | None = None) -> list[Listing]:
    with side.open(ANN) as session:
        return list(
            session.changes(
                "calendar",
                Kind.EVENT,
                cursor,
                lambda refs: {r: known[r] for r in refs if known and r in known},
            )
        )


def refs(pages: list[Listing]) -> list[str]:
    return [one.ref for page in pages for one in page.observations]


def create(side: Hostile, *items: Item) -> list[Written]:
    with side.open(ANN) as session:
        answers = session.create(
            "calendar",
            Kind.EVENT,
            [Draft(item=item, key=f"k{n}") for n, item in enumerate(items)],
        )
    assert all(isinstance(answer, Written) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Written)]


def test_quiet_it_is_the_adapter_itself(inner: MemoryGroupware, outer: Hostile) -> None:
    (written,) = create(outer, event())
    assert written.snapshot == inner.person(ANN).get(written.ref)
    assert [type(one) for page in pull(outer) for one in page.observations] == [Seen]
    assert outer.hostility.log == []


def test_truncate_cuts_what_is_stored(
    inner: MemoryGroupware, outer: Hostile, mood: Hostility
) -> None:
    mood.next(Trick.TRUNCATE)
    (written,) = create(outer, event())
    stored = inner.person(ANN).get(written.ref).item
    assert isinstance(stored, Event)
    assert stored.title == TITLE[:12]
    assert written.snapshot is not None
    assert written.snapshot.item == stored


def test_a_lost_answer_leaves_the_write_or_a_part_of_it(
    inner: MemoryGroupware, outer: Hostile, mood: Hostility
) -> None:
    mood.next(Trick.LOSE_ANSWER)
    with pytest.raises(errors.Retry):
        create(outer, event("a"), event("b"), event("c"))
    kept = inner.person(ANN).list(Kind.EVENT)
    assert 1 <= len(kept) <= 3
    again = create(outer, event("a"), event("b"), event("c"))
    assert {one.ref for one in again} >= {one.ref for one in kept}
    assert len(inner.person(ANN).list(Kind.EVENT)) == 3


def test_touch_gives_a_new_version_of_the_same(outer: Hostile, mood: Hostility) -> None:
    (written,) = create(outer, event())
    first = pull(outer)
    mood.next(Trick.TOUCH)
    (page,) = pull(outer, first[-1].cursor)
    (one,) = page.observations
    assert isinstance(one, Seen)
    assert one.snapshot.version != written.version
    assert written.snapshot is not None
    assert one.snapshot.item == written.snapshot.item
    with outer.open(ANN) as session:
        old = Removal(ref=written.ref, version=written.version)
        (answer,) = session.delete("calendar", Kind.EVENT, [old])
        assert isinstance(answer, errors.Stale)
        new = Removal(ref=written.ref, version=one.snapshot.version)
        (answer,) = session.delete("calendar", Kind.EVENT, [new])
        assert isinstance(answer, Written)


def test_a_touched_item_is_unchanged_only_in_its_new_version(
    outer: Hostile, mood: Hostility
) -> None:
    (written,) = create(outer, event())
    pull(outer)
    mood.next(Trick.TOUCH)
    (page,) = pull(outer, "", {written.ref: written.version})
    (one,) = page.observations
    assert isinstance(one, Seen)
    (page,) = pull(outer, "", {written.ref: one.snapshot.version})
    assert page.observations == (Unchanged(written.ref),)


def test_touch_before_a_write_makes_it_stale(outer: Hostile, mood: Hostility) -> None:
    first, second = create(outer, event("a"), event("b"))
    mood.next(Trick.TOUCH)
    with outer.open(ANN) as session:
        answers = session.update(
            "calendar",
            Kind.EVENT,
            [
                Revision(
                    ref=one.ref,
                    version=one.version,
                    before=one.snapshot.item,
                    after=event("new"),
                    changed=("title",),
                )
                for one in (first, second)
                if one.snapshot
            ],
        )
    assert isinstance(answers[0], errors.Stale)
    assert isinstance(answers[1], Written)


def test_reorder_and_duplicate_keep_every_item(outer: Hostile, mood: Hostility) -> None:
    created = [one.ref for one in create(outer, *(event(str(n)) for n in range(7)))]
    mood.next(Trick.REORDER)
    shuffled = pull(outer)
    assert refs(shuffled) != created
    assert sorted(refs(shuffled)) == sorted(created)
    assert [page.completeness for page in shuffled].count(Completeness.COMPLETE) == 1
    mood.next(Trick.DUPLICATE)
    repeated = refs(pull(outer))
    assert set(repeated) == set(created)
    assert len(repeated) > len(created)


def test_expire_says_lost(outer: Hostile, mood: Hostility) -> None:
    cursor = pull(outer)[-1].cursor
    mood.next(Trick.EXPIRE)
    assert pull(outer, cursor) == [Listing(completeness=Completeness.LOST)]
    assert pull(outer, cursor)[-1].completeness is Completeness.DELTA


@pytest.mark.parametrize("start", ["full", "delta"])
def test_halve_never_says_complete(outer: Hostile, mood: Hostility, start: str) -> None:
    cursor = "" if start == "full" else pull(outer)[-1].cursor
    created = create(outer, *(event(str(n)) for n in range(5)))
    mood.next(Trick.HALVE)
    pages = pull(outer, cursor)
    assert pages[-1].completeness is Completeness.PARTIAL
    assert pages[-1].cursor == ""
    assert set(refs(pages)) < {one.ref for one in created}


def test_throttle_does_nothing(inner: MemoryGroupware, outer: Hostile, mood: Hostility) -> None:
    mood.next(Trick.THROTTLE, after=1)
    with pytest.raises(errors.Retry):
        create(outer, event())
    assert inner.person(ANN).list(Kind.EVENT) == ()


def test_unreadable_and_denied_are_said_by_name(outer: Hostile, mood: Hostility) -> None:
    first, second = create(outer, event("a"), event("b"))
    mood.next(Trick.UNREADABLE)
    mood.next(Trick.DENY)
    with outer.open(ANN) as session:
        asks = [Ask(ref=first.ref), Ask(ref=second.ref)]
        one, other = session.fetch("calendar", Kind.EVENT, asks)
    assert isinstance(one, Unknown)
    assert one.why
    assert isinstance(other, Denied)


def test_what_was_denied_in_a_delta_is_reported_again(outer: Hostile, mood: Hostility) -> None:
    cursor = pull(outer)[-1].cursor
    (written,) = create(outer, event())
    mood.next(Trick.DENY)
    (page,) = pull(outer, cursor)
    assert isinstance(page.observations[0], Denied)
    (later,) = pull(outer, page.cursor)
    assert [one.ref for one in later.observations if isinstance(one, Seen)] == [written.ref]


def test_a_denied_write_writes_nothing(
    inner: MemoryGroupware, outer: Hostile, mood: Hostility
) -> None:
    mood.next(Trick.DENY)
    with outer.open(ANN) as session:
        drafts = [Draft(item=event(t), key=t) for t in ("a", "b")]
        answers = session.create("calendar", Kind.EVENT, drafts)
    assert isinstance(answers[0], errors.Denied)
    assert isinstance(answers[1], Written)
    assert len(inner.person(ANN).list(Kind.EVENT)) == 1


def test_lookup_is_true_or_not_at_all(outer: Hostile) -> None:
    (written,) = create(outer, event())
    outer.hostility.rates.update(dict.fromkeys(Trick, 1.0) | {Trick.THROTTLE: 0.0})
    with outer.open(ANN) as session:
        (found,) = session.lookup("calendar", Kind.EVENT, [Question(key="k0")])
    assert [one.ref for one in found] == [written.ref]


def test_a_seed_repeats_itself() -> None:
    logs = []
    for _ in range(2):
        side = hostile(build({"page": 2}), Hostility(7, 0.3))
        for number in range(60):
            try:
                pull(side)
                create(side, event(str(number)))
            except (errors.Retry, AssertionError):
                pass
        logs.append(side.hostility.log)
    assert logs[0] == logs[1]
    assert {done.trick for done in logs[0]} >= {Trick.THROTTLE, Trick.LOSE_ANSWER, Trick.HALVE}


def test_calm_and_quiet_stop_everything(outer: Hostile) -> None:
    mood = outer.hostility
    mood.rates.update(dict.fromkeys(Trick, 1.0))
    with mood.calm():
        create(outer, event())
    with pytest.raises(errors.Retry):
        pull(outer)
    mood.quiet()
    assert len(refs(pull(outer))) == 1
    mood.resume()
    with pytest.raises(errors.Retry):
        pull(outer)


def test_a_hostile_crm_has_a_feed_that_forgets() -> None:
    crm = build_crm({"users": {"ann": ANN}})
    mood = Hostility()
    side = hostile(crm, mood)
    assert isinstance(side, Feed)
    _, cursor = side.hints("")
    crm.person("ann").add(event())
    mood.next(Trick.EXPIRE)
    with pytest.raises(errors.CursorExpired):
        side.hints(cursor)
    mood.next(Trick.DUPLICATE)
    hints, _ = side.hints(cursor)
    assert len(hints) == 2
    assert not isinstance(hostile(build({}), mood), Feed)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda side: pickle.loads(pickle.dumps(side))])
def test_copies_are_independent(outer: Hostile, copied) -> None:
    outer.hostility.next(Trick.TRUNCATE)
    twin = copied(outer)
    create(outer, event())
    assert refs(pull(twin)) == []
    assert twin.hostility.log == []
    assert twin.hostility.plays(Trick.TRUNCATE, "test")
