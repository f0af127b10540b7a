"""What a connector is told by CRM.interface, and what nobody else is."""

from __future__ import annotations

import base64
import gc
import re
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import delete

from accord.crm.memory import MemoryCrm
from accord.crm.memory import build as memory
from accord.crm.syncml.talk import _introduction
from accord.formats import wire
from accord.formats.syncml import message as m
from accord.formats.syncml.media import Media
from accord.formats.syncml.message import Anchor, Item, Location, Meta
from accord.formats.syncml.version import Version
from accord.interface.connector.refusing import code_of
from accord.interface.server.server import Answer, Request, Server
from accord.model.item import Contact, Event, Task
from accord.model.kinds import Kind
from accord.model.observe import Completeness, Listing, Seen, Snapshot, Unchanged, Unknown
from accord.model.parts import Attachment
from accord.model.recurrence import Frequency, Override, RecurrenceRule
from accord.ports import errors
from accord.ports.adapter import Ask, Draft, Known, Mark, Question, Removal, Session, Written
from accord.ports.clock import system_clock
from accord.sandbox.proxy import Lose, Proxy
from accord.state import State
from accord.state.schema import SYNC_SESSIONS
from accord.state.sync_sessions import SyncNote
from accord.testing.place import Place, done, revise
from tests.connector import Endpoint, endpoint
from tests.databases import Sqlite

USERS = {"ann": "ann@example.com", "bob": "bob@example.com"}
ANN_BOB = ("ann", "bob")


@pytest.fixture
def crm() -> MemoryCrm:
    return memory({"users": USERS, "page": 4})


@pytest.fixture
def house(tmp_path: Path, crm: MemoryCrm) -> Iterator[Endpoint]:
    with closing(Sqlite().blank()) as database:
        made = Endpoint(State(database, tmp_path / "accord.key", system_clock))
        made.serve(crm)
        yield made


def tasks(adapter: Any, user: str = "ann") -> Place:
    session = adapter.open(user)
    return Place(session, "task", Kind.TASK, adapter.traits.kinds[Kind.TASK])


def contacts(adapter: Any, user: str = "ann") -> Place:
    session = adapter.open(user)
    return Place(session, "contact", Kind.CONTACT, adapter.traits.kinds[Kind.CONTACT])


def titles(many: Sequence[Snapshot]) -> list[str]:
    return [one.item.title for one in many if isinstance(one.item, Task)]


def listed(place: Place, cursor: str = "") -> list[str]:
    found = place.pull(cursor).observations.values()
    return sorted(titles([one.snapshot for one in found if isinstance(one, Seen)]))


def notes(house: Endpoint) -> list[tuple[str, str, SyncNote]]:
    with house.state.read() as tx:
        syncs = tx.sync_log.query()
        return [
            (sync.user, sync.store, note) for sync in syncs for note in tx.sync_log.notes(sync.id)
        ]


def test_a_check_tells_the_clock_once_for_all_users(house: Endpoint) -> None:
    crm = house.direct()
    assert [one.subject for one in crm.check()].count("clock") == 1
    assert "clock" not in [one.subject for one in crm.check("ann")]


# what stands on the wire


def test_versions_stand_in_the_meta_of_items_both_ways(house: Endpoint) -> None:
    place = tasks(house.direct())
    (made,) = place.create(Task(title="a"))
    place.edit(made, title="b")
    change = _sent(house.seen[-1], m.Sync).commands[0]
    assert isinstance(change, m.Replace)
    (item,) = change.items
    assert item.target == Location(made.ref)
    assert item.meta == Meta(version=made.version)
    now = place.read(made.ref)
    place.pull()
    (sync,) = [one for one in _told(house.told[-1]).body if isinstance(one, m.Sync)]
    (seen,) = sync.commands
    assert isinstance(seen, m.Replace)
    assert seen.items[0].source == Location(made.ref)
    assert seen.items[0].meta == Meta(mark="seen", version=now.version)
    assert '"version"' not in str(seen.items[0].data)


def test_only_changed_fields_travel_and_a_cleared_one_is_named(house: Endpoint) -> None:
    place = contacts(house.direct())
    item = Contact(
        full_name="Ada", nickname="A", notes="kept", extras={"crm:region": "north", "crm:n": 3}
    )
    (made,) = place.create(item)
    place.edit(made, nickname="", extras={"crm:n": 3})
    change = _sent(house.seen[-1], m.Sync).commands[0]
    assert isinstance(change, m.Replace)
    assert change.items[0].data == '{"values":{"extras":{"crm:n":3},"nickname":""}}'
    after = place.read(made.ref).item
    assert isinstance(after, Contact)
    assert (after.nickname, after.notes, after.extras) == ("", "kept", {"crm:n": 3})


def test_a_pull_with_little_to_say_is_one_message(house: Endpoint) -> None:
    adapter = house.direct()
    place = tasks(adapter)
    first = place.pull()
    place.create(Task(title="a"), Task(title="b"))
    before = adapter.requests
    pull = place.pull(first.cursor)
    assert adapter.requests == before + 1
    assert [type(one) for one in pull.observations.values()] == [Seen, Seen]


def test_a_series_stays_one_item_with_its_changed_occurrences(house: Endpoint) -> None:
    start = datetime(2027, 3, 1, 9)
    series = Event(
        uid="daily",
        title="Daily",
        start=start,
        end=start + timedelta(hours=1),
        rule=RecurrenceRule(frequency=Frequency.DAILY),
        overrides=(Override(recurrence_id=start + timedelta(days=1), title="Other"),),
    )
    adapter = house.direct()
    kinds = adapter.traits.kinds
    place = Place(adapter.open("ann"), "event", Kind.EVENT, kinds[Kind.EVENT])
    (made,) = place.create(series)
    pull = place.pull()
    assert list(pull.observations) == [made.ref]
    found = pull.snapshot(made.ref)
    assert found is not None
    assert made.item == found.item == series


def test_pages_are_asked_for_one_by_one(house: Endpoint) -> None:
    adapter = house.direct()
    place = tasks(adapter)
    place.create(*(Task(title=f"t{n}") for n in range(9)))
    before, pages = adapter.requests, place.pages()
    for count in range(1, 4):
        next(pages)
        assert adapter.requests == before + count


def test_contents_that_are_known_already_stay_where_they_are(house: Endpoint) -> None:
    place = tasks(house.direct())
    made = place.create(*(Task(title=f"t{n} " + "x" * 900) for n in range(12)))
    known = {one.ref: one.version for one in made}
    del known[made[6].ref]
    house.told.clear()
    pull = place.pull("", known)
    kinds = [type(pull.observations[one.ref]) for one in made]
    assert kinds == [Unchanged] * 6 + [Seen] + [Unchanged] * 5
    assert pull.snapshot(made[6].ref) == made[6]
    # The first page came whole, since nobody knew; of the others one item.
    assert 4 * 900 < sum(map(len, house.told)) < 7 * 900 + 8_000


@pytest.mark.parametrize("answered", [True, False])
def test_a_page_keeps_to_the_connectors_size_whatever_is_on_it(
    house: Endpoint, *, answered: bool
) -> None:
    house.serve(memory({"users": USERS, "page": 200}))
    place = tasks(house.direct(max_message=8_000))
    made = place.create(*(Task(title=f"t{n}") for n in range(150)))
    first = place.pull("", {one.ref: one.version for one in made})
    place.remove(*made[:120])
    house.told.clear()
    assert len(place.pull(first.cursor).observations) == 120
    for asked in ("item/task", "item/task?brief=1"):
        for last in (None, wire.name(first.cursor)):
            meta = Meta(anchor=Anchor(last=last, next="-")) if last else None
            item = Item(target=Location(asked), source=Location(asked), meta=meta)
            alert = m.Alert(cmd_id="7", code=205, items=(item,))
            assert _ask(house, "ann", alert, most=5_000, answered=answered).body
    assert max(map(len, house.told)) <= 8_000
    assert {len(one) <= 5_000 for one in house.told[-4:]} == {True}


def test_the_feed_is_one_message_for_all_users(house: Endpoint, crm: MemoryCrm) -> None:
    adapter = house.direct()
    _, cursor = adapter.hints("")
    made = {user: tasks(crm, user).create(Task(title=user))[0].ref for user in ANN_BOB}
    before = adapter.requests
    hints, _ = adapter.hints(cursor)
    assert adapter.requests == before + 1
    assert {hint.ref: set(hint.principals) for hint in hints} == {
        made[user]: {user} for user in ANN_BOB
    }


def test_an_item_larger_than_a_message_goes_in_parts_both_ways(house: Endpoint) -> None:
    place = contacts(house.direct(max_message=8_000))
    photo = Attachment(name="p<&>ü.jpg", media_type="image/jpeg", digest="sha256:x", size=3)
    item = Contact(full_name="Ada", notes="ü<&>\u2028😀" * 6_000, photo=photo)
    (made,) = place.create(item)
    assert made.item == Contact(**{**_fields(item), "uid": made.item.uid})
    pulled = place.pull().snapshot(made.ref)
    assert pulled == made
    place.edit(made, notes="ß" * 30_000)
    (found,) = place.session.lookup("contact", Kind.CONTACT, [_question(made)])
    assert found[0].item.notes == "ß" * 30_000  # type: ignore[union-attr]
    assert max(map(len, house.told)) <= 8_000


def test_a_question_about_many_items_is_as_long_as_a_message_may_be(house: Endpoint) -> None:
    place = contacts(house.direct())
    made = place.create(Contact(full_name="Ada"))[0]
    strangers = [Question(uid=f"{number}@{'x' * 200}") for number in range(150)]
    found = place.session.lookup("contact", Kind.CONTACT, [*strangers, _question(made)])
    assert [len(some) for some in found] == [0] * 150 + [1]


def test_an_item_that_is_too_large_is_refused_or_unknown_and_nothing_else(
    house: Endpoint, crm: MemoryCrm
) -> None:
    house.serve(crm, max_object=20_000)
    place = contacts(house.direct())
    large = Draft(item=Contact(full_name="large", notes="x" * 30_000), key="1")
    small = Draft(item=Contact(full_name="small"), key="2")
    outcomes = place.write(large, small)
    assert isinstance(outcomes[0], errors.Rejected)
    assert isinstance(outcomes[1], Written)
    whys = [note.why for _, _, note in notes(house) if note.what == "refused"]
    assert whys == ["it has more than 20,000 bytes"]
    (made,) = contacts(crm).create(large.item)
    (seen,) = place.fetch(Ask(ref=made.ref))
    assert isinstance(seen, Unknown)
    assert seen.version == made.version


# whatever goes wrong on the way


@pytest.mark.parametrize("fault", [Lose(), Lose(reset=True)])
def test_a_lost_answer_is_asked_for_again_and_nothing_is_done_twice(
    tmp_path: Path, crm: MemoryCrm, fault: Lose
) -> None:
    with endpoint(tmp_path) as house, Proxy(house.url) as proxy:
        house.serve(crm)
        with closing(house.client(proxy.url)) as client:
            place = tasks(client)
            for number in range(2):
                proxy.add(fault)
                (made,) = place.create(Task(title=f"t{number}"))
            proxy.add(fault)
            edited = place.edit(made, title="edited")
            proxy.add(fault)
            done(
                place.session.delete(
                    "task", Kind.TASK, [Removal(ref=made.ref, version=edited.version)]
                )[0]
            )
            assert listed(place) == ["t0"]
        assert sum(record.kind is Kind.TASK for record in crm.store.records.values()) == 2


class Two:
    """Be two processes that answer in turn."""

    def __init__(self, one: Server, other: Server) -> None:
        self.servers = [one, other]
        self.most = one.most

    def answer(self, request: Request) -> Answer:
        self.servers.reverse()
        return self.servers[0].answer(request)


def test_any_process_answers_the_next_message(house: Endpoint, crm: MemoryCrm) -> None:
    house.server = Two(house.serve(crm), house.serve(crm))  # type: ignore[assignment]
    place = contacts(house.direct(max_message=8_000))
    long = [Contact(full_name=f"c{n}", notes="n" * 20_000) for n in range(6)]
    made = place.create(*long)
    assert len(place.pull().pages) > 1
    assert [place.pull().snapshot(one.ref) for one in made] == made
    outcomes = place.update(*(revise(one, notes="m" * 20_000) for one in made))
    assert all(isinstance(one, Written) for one in outcomes)


def test_a_forgotten_conversation_is_begun_anew(house: Endpoint) -> None:
    given: list[str] = []

    def tokens(user: str) -> str:
        given.append(user)
        return house.token(user)

    place = tasks(house.direct(tokens))
    place.create(*(Task(title=f"t{n}") for n in range(12)))
    seen: list[str] = []
    for page in place.pages():
        seen += titles([one.snapshot for one in page.observations if isinstance(one, Seen)])
        with house.state.begin() as tx:
            tx.db.execute(delete(SYNC_SESSIONS))
    assert sorted(seen) == sorted(f"t{n}" for n in range(12))
    assert given.count("ann") == 1


def test_a_refused_token_is_renewed_once(house: Endpoint) -> None:
    given: list[str] = []

    def tokens(user: str) -> str:
        given.append(user)
        return "a1.stale" if len(given) == 1 else house.token(user)

    place = house.direct(tokens).open("ann")
    assert place.folders()
    assert place.folders()
    assert given == ["ann", "ann"]


def test_who_gets_no_good_token_is_told_so_after_one_more_try(house: Endpoint) -> None:
    given: list[str] = []

    def tokens(user: str) -> str:
        given.append(user)
        return "a1.stolen"

    with pytest.raises(errors.AuthFailed):
        house.direct(tokens).open("ann").folders()
    assert given == ["ann", "ann"]


def test_a_user_whom_the_crm_does_not_let_in_is_refused(house: Endpoint, crm: MemoryCrm) -> None:
    crm.lock_user("ann")
    with pytest.raises(errors.AuthFailed):
        house.direct().open("ann").folders()


@pytest.mark.parametrize(
    "error",
    [
        errors.Retry("the CRM is busy", after=7.0, code="busy"),
        errors.ConfigError("the CRM has moved", field="url", hint="find it"),
        errors.AuthFailed("the user is locked"),
    ],
)
def test_what_concerns_the_whole_crm_arrives_as_it_was(
    house: Endpoint, crm: MemoryCrm, error: errors.AccordError, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = house.direct()
    place = tasks(adapter)
    (made,) = place.create(Task(title="a"))

    def fails(*_: Any) -> Any:
        raise error

    for name in ("fetch", "lookup", "create", "update", "delete", "mark", "restore", "changes"):
        monkeypatch.setattr("accord.crm.memory.session.MemorySession." + name, fails)
    session = place.session
    for call in (
        lambda: list(place.pages()),
        lambda: place.fetch(Ask(ref=made.ref)),
        lambda: session.lookup("task", Kind.TASK, [_question(made)]),
        lambda: place.write(Draft(item=made.item, key="k")),
        lambda: place.update(revise(made, title="b")),
        lambda: place.remove(made),
        lambda: session.mark("task", Kind.TASK, [Mark(ref=made.ref, marker="m")]),
        lambda: session.restore("task", Kind.TASK, made.ref),
    ):
        with pytest.raises(type(error), match=str(error)) as caught:
            call()
        assert vars(caught.value) == vars(error)


# a CRM whose pages have no cursors


class Plain:
    """Be a CRM that can't go on with a full pull."""

    def __init__(self, inner: MemoryCrm) -> None:
        self.inner = inner

    def open(self, user: str) -> Session:
        session = self.inner.open(user)
        changes = session.changes

        def plain(folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
            for page in changes(folder, kind, cursor, known):
                bare = page.completeness is Completeness.PARTIAL
                yield replace(page, cursor="") if bare else page

        monkey: Any = session
        monkey.changes = plain
        return session

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def test_a_crm_without_cursors_inside_a_pull_is_read_all_the_same(
    house: Endpoint, crm: MemoryCrm
) -> None:
    house.serve(Plain(crm))
    place = tasks(house.direct())
    made = place.create(*(Task(title=f"t{n}") for n in range(11)))
    pull = place.pull()
    assert sorted(pull.refs) == sorted(one.ref for one in made)
    assert len(pull.pages) == 3


def test_what_changes_meanwhile_makes_its_pull_begin_again(house: Endpoint, crm: MemoryCrm) -> None:
    house.serve(Plain(crm))
    place = tasks(house.direct())
    made = place.create(*(Task(title=f"t{n}") for n in range(11)))
    pages = place.pages()
    next(pages)
    place.remove(made[0])
    with pytest.raises(errors.Retry):
        list(pages)
    assert len(listed(place)) == 10


# memory


class Endless:
    """Be a CRM that makes its records up as it lists them, fifty on a page."""

    def __init__(self, inner: MemoryCrm, pages: int) -> None:
        self.inner, self.pages = inner, pages

    def open(self, user: str) -> Any:
        session: Any = self.inner.open(user)
        session.changes = self.changes
        return session

    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        for number in range(int(cursor or 0) + 1, self.pages + 1):
            last = number == self.pages
            yield Listing(
                completeness=Completeness.COMPLETE if last else Completeness.PARTIAL,
                observations=tuple(_made_up(number * 50 + at) for at in range(50)),
                cursor=str(number),
            )

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def test_a_large_listing_is_read_in_flat_memory(house: Endpoint) -> None:
    inner = memory({"users": USERS, "page": 50})
    house.serve(Endless(inner, 40))
    place = tasks(house.direct())
    count, held = 0, {}
    tracemalloc.start()
    try:
        for number, page in enumerate(place.pages()):
            house.seen.clear()
            house.told.clear()
            count += len(page.observations)
            if number in (8, 38):
                del page
                gc.collect()
                held[number] = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert count == 2_000
    # Between the two are 750 kB of text.
    assert held[38] < held[8] + 150_000


def _made_up(number: int) -> Seen:
    item = Task(title=f"{number} " + "x" * 500)
    return Seen(Snapshot(ref=f"r{number}", version="1", item=item))


# helpers


def _sent(request: Request, wanted: type[m.Sync]) -> m.Sync:
    (found,) = [one for one in _told(request.body).body if isinstance(one, wanted)]
    return found


def _told(data: bytes) -> m.Message:
    return Media.XML.decode(data)


def _codes(reply: m.Message) -> list[int]:
    return [one.code for one in _statuses(reply)]


def _statuses(reply: m.Message) -> list[m.Status]:
    return [one for one in reply.body if isinstance(one, m.Status)]


def _fields(item: Contact) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__struct_fields__}


def _question(snapshot: Snapshot) -> Question:
    return Question(uid=snapshot.item.uid)


def _edit(snapshot: Snapshot, text: str) -> Item:
    return Item(target=Location(snapshot.ref), meta=Meta(version=snapshot.version), data=text)


def _contact() -> str:
    return wire.new_item(Draft(item=Contact(full_name="Ada"), key="k"))


def _ask(
    house: Endpoint,
    user: str,
    *commands: m.Command,
    introduced: bool = True,
    most: int | None = None,
    answered: bool = True,
) -> m.Message:
    cred = m.Cred(_b64(house.token(user)), Meta(type="accord:token", format="b64"))
    put = (_introduction("accord-1"),) if introduced else ()
    return _post(house, user, cred, *put, *commands, most=most, answered=answered)


def _post(
    house: Endpoint,
    user: str,
    cred: m.Cred | None,
    *commands: m.Command,
    most: int | None = None,
    answered: bool = True,
) -> m.Message:
    house.told.append(b"")
    header = m.Header(
        version=Version.V1_2,
        session_id=str(len(house.told)),
        msg_id="1",
        target=Location("http://127.0.0.1/CRM.interface"),
        source=Location("accord-1", user),
        cred=cred,
        no_resp=not answered,
        meta=Meta(max_msg_size=most) if most else None,
    )
    body = Media.XML.encode(m.Message(header=header, body=commands, final=True))
    made = house.answer(Request(body=body, content_type=Media.XML.value))
    house.told[-1] = made.body
    return _told(made.body)


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_the_page_on_connectors_tells_the_statuses_that_errors_have() -> None:
    page = (Path(__file__).parents[3] / "docs" / "connector.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| (\d+) \| `([a-z-]+)` \|", page, re.MULTILINE))
    assert {int(code): wire.ERRORS[name] for code, name in told.items()} == {
        int(code_of(made("x"))): made
        for made in wire.ERRORS.values()
        if made is not errors.CursorExpired  # told of a pull, in the table above
    }
