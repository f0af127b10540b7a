"""Who may ask CRM.interface what, as a connector or in the name of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from accord.crm.memory import MemoryCrm
from accord.crm.memory import build as memory
from accord.crm.memory.store import Right
from accord.crm.syncml.talk import _introduction
from accord.formats.syncml import message as m
from accord.formats.syncml.media import Media
from accord.formats.syncml.message import Anchor, Item, Location, Meta
from accord.model.item import Contact, Task
from accord.ports import errors
from accord.ports.adapter import Written
from accord.ports.clock import system_clock
from accord.ports.token import CONNECTOR
from accord.state import State
from accord.state.schema import SYNC_SESSIONS
from accord.testing.place import done, revise
from tests.connector import Endpoint
from tests.databases import Sqlite
from tests.unit.interface.phone import Phone, give_password
from tests.unit.interface.test_connector import (
    USERS,
    _ask,
    _codes,
    _contact,
    _edit,
    _statuses,
    contacts,
    listed,
    notes,
    tasks,
)


@pytest.fixture
def crm() -> MemoryCrm:
    return memory({"users": USERS, "page": 4})


@pytest.fixture
def house(tmp_path: Path, crm: MemoryCrm) -> Iterator[Endpoint]:
    with closing(Sqlite().blank()) as database:
        made = Endpoint(State(database, tmp_path / "accord.key", system_clock))
        made.serve(crm)
        yield made


def test_one_refused_item_stops_nothing_and_is_in_the_log(house: Endpoint, crm: MemoryCrm) -> None:
    place = tasks(house.direct())
    one, other = place.create(Task(title="one"), Task(title="other"))
    crm.person("ann").allow(one.ref, "ann", Right.READ)
    refused, written = place.update(revise(one, title="x"), revise(other, title="y"))
    assert isinstance(refused, errors.Denied)
    assert isinstance(written, Written)
    assert listed(place) == ["one", "y"]
    ((user, store, note),) = notes(house)
    assert (user, store, note.what, note.ref) == ("ann", "item/task", "refused", one.ref)
    assert "may not" in note.why


def test_the_log_has_one_line_a_day_for_each_store_of_a_user(house: Endpoint) -> None:
    place, other = tasks(house.direct()), tasks(house.direct(), "bob")
    (made,) = place.create(Task(title="a"))
    place.create(Task(title="b"), Task(title="c"))
    place.edit(made, title="d")
    other.create(Task(title="e"))
    with house.state.read() as tx:
        lines = {sync.user: sync for sync in tx.sync_log.query()}
    assert {user: sync.counts for user, sync in lines.items()} == {
        "ann": {"added": 3, "changed": 1},
        "bob": {"added": 1},
    }
    assert lines["ann"].store == "item/task"


@pytest.mark.parametrize(
    "uri", ["./feed?since=1", "./people/identities/bob", "./people/users/[]", "./check"]
)
def test_a_user_may_not_ask_what_concerns_others(house: Endpoint, uri: str) -> None:
    reply = _ask(house, "ann", m.Get(cmd_id="2", items=(Item(target=Location(uri)),)))
    assert _codes(reply)[-1] == 403
    assert not any(isinstance(one, m.Results) for one in reply.body)
    ((user, store, note),) = notes(house)
    assert (user, store) == ("ann", uri)
    assert "may not ask" in note.why


def test_a_connector_by_itself_has_no_items(house: Endpoint) -> None:
    crm = memory({})
    house.serve(crm)
    anchor = Meta(anchor=Anchor(next="-"))
    item = Item(target=Location("item/task"), source=Location("item/task"), meta=anchor)
    add = m.Add(cmd_id="3", items=(Item(source=Location("k"), data='{"item":{"kind":"task"}}'),))
    for command in (
        m.Alert(cmd_id="2", code=205, items=(item,)),
        m.Sync(cmd_id="2", target=Location("item/task"), commands=(add,)),
        m.Get(cmd_id="2", items=(Item(target=Location("item/task/task-1")),)),
        m.Get(cmd_id="2", items=(Item(target=Location("./folders")),)),
    ):
        assert _codes(_ask(house, CONNECTOR, command))[-1] >= 400
    assert CONNECTOR not in crm.store.addresses
    assert crm.store.records == {}


@pytest.mark.parametrize("claims", [False, True])
@pytest.mark.parametrize("scheme", ["syncml:auth-basic", "syncml:auth-md5"])
def test_a_phone_does_not_get_the_stores_of_connectors(
    house: Endpoint, crm: MemoryCrm, claims: bool, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (made,) = tasks(crm).create(Task(title="secret"))
    assert house.server is not None
    give_password(house.server, "ann")
    phone = Phone(house.server, "ann", "accord-0123456789abcdef", store="item/task")
    phone.challenge = scheme
    if claims:
        monkeypatch.setattr(phone, "devinf", lambda: _introduction(phone.device).items[0].data)
    get = m.Get(cmd_id="1", items=(Item(target=Location(f"item/task/{made.ref}")),))
    for code in (204, 205):
        phone.begin(code, get)
        alerted = [one.code for one in _statuses(phone.reply) if one.cmd == "Alert"]
        assert alerted == [404]
        assert b"secret" not in Media.XML.encode(phone.reply)


def test_a_token_alone_makes_no_connector(house: Endpoint) -> None:
    anchor = Meta(anchor=Anchor(next="1"))
    item = Item(target=Location("item/task"), source=Location("item/task"), meta=anchor)
    alert = m.Alert(cmd_id="1", code=205, items=(item,))
    assert _codes(_ask(house, "ann", alert, introduced=False))[-1] == 404


def test_nobody_signs_in_as_the_connector_who_is_none(house: Endpoint) -> None:
    get = m.Get(cmd_id="1", items=(Item(target=Location("./feed")),))
    reply = _ask(house, CONNECTOR, get, introduced=False)
    assert set(_codes(reply)) == {403}


def test_nonsense_is_refused_item_by_item(house: Endpoint) -> None:
    place = tasks(house.direct())
    (made,) = place.create(Task(title="a"))
    good = m.Replace(cmd_id="4", items=(_edit(made, '{"values":{"title":"b"}}'),))
    bad = m.Replace(cmd_id="5", items=(_edit(made, '{"values":{"title":7}}'),))
    worse = m.Add(cmd_id="6", items=(Item(source=Location("k"), data="{"),))
    other = m.Add(cmd_id="7", items=(Item(source=Location("k"), data=_contact()),))
    sync = m.Sync(cmd_id="2", target=Location("item/task"), commands=(good, bad, worse, other))
    codes = _codes(_ask(house, "ann", sync))
    assert codes[-4] == 200
    assert all(code >= 400 for code in codes[-3:])
    assert listed(place) == ["b"]


def test_unknown_stores_and_resources_are_refused(house: Endpoint) -> None:
    for uri in ("item/mail/1", "item/nothing/1", "./secrets", "./people/passwords/ann", ""):
        get = m.Get(cmd_id="2", items=(Item(target=Location(uri or ".")),))
        assert _codes(_ask(house, "ann", get))[-1] >= 400
    delete_ = m.Delete(cmd_id="3", items=(Item(target=Location("1")),))
    sync = m.Sync(cmd_id="2", target=Location("item/mail"), commands=(delete_,))
    assert _codes(_ask(house, "ann", sync))[-2:] == [404, 404]


def test_only_asking_leaves_nothing_behind(house: Endpoint) -> None:
    place = tasks(house.direct())
    place.pull()
    place.session.folders()
    with house.state.read() as tx:
        assert tx.db.execute(select(SYNC_SESSIONS.c.id)).all() == []


def test_a_message_costs_a_bounded_number_of_questions(house: Endpoint, crm: MemoryCrm) -> None:
    anchor = Meta(anchor=Anchor(next="-"))
    item = Item(target=Location("item/task"), source=Location("item/task"), meta=anchor)
    before = crm.store.requests.all
    codes = _codes(
        _ask(house, "ann", *(m.Alert(cmd_id=str(n), code=205, items=(item,)) for n in range(99)))
    )
    assert codes[-1] == 405
    assert codes.count(200) < 20
    assert crm.store.requests.all - before < 40


def test_what_is_owed_after_a_large_push_stays_small(house: Endpoint) -> None:
    place = contacts(house.direct())
    made = place.create(*(Contact(full_name=f"c{n}", notes="n" * 20_000) for n in range(20)))
    narrow = contacts(house.direct(max_message=100_000))
    outcomes = narrow.update(*(revise(one, full_name="new") for one in made))
    assert [done(one).ref for one in outcomes] == [one.ref for one in made]
    assert 0 < sum(done(one).snapshot is not None for one in outcomes) < 6
    with house.state.read() as tx:
        most = max(map(len, tx.db.execute(select(SYNC_SESSIONS.c.data)).scalars()))
    assert most < 60_000
