"""Whatever somebody with a token sends as a connector: an answer, and no harm to what is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accord.crm.memory import build as memory
from accord.formats.syncml import message as m
from accord.formats.syncml.message import Anchor, Item, Location, Meta
from accord.model.item import Task
from accord.ports.clock import system_clock
from accord.state import State
from tests.connector import Endpoint
from tests.databases import Sqlite
from tests.unit.interface.test_connector import USERS, _ask, _codes, listed, tasks

URIS = st.sampled_from(
    [
        "item/task",
        "item/task?folder=contact",
        "item/task?brief=1&folder=%FF",
        "item/task/task-1",
        "item/task/task-1?do=mark",
        "item/task/task-1?do=restore",
        "item/task/task-1?do=attach",
        "item/task/task-1?do=detach",
        "item/task/task-1?do=burn",
        "item/task/task-1?file=stored:1",
        "item/task/task-1?file=stored:1&at=-7&kept=1",
        "item/task/task-1?file=&at=x",
        "./files",
        "item/task/%ff",
        "item/mail",
        "item//",
        "item",
        "./traits",
        "./instance",
        "./folders?x",
        "./feed?since=%ff",
        "./people/users/[1]",
        "./check?user=bob",
        "./../../etc/passwd",
        "addressbook",
        "?",
        "%",
        "x" * 500,
    ]
)
TEXTS = st.sampled_from(
    [
        "",
        "{}",
        "[]",
        "null",
        "7",
        '"x"',
        "{" * 300,
        '{"values":{}}',
        '{"values":{"title":null}}',
        '{"values":{"start":"yesterday"}}',
        '{"values":{"uid":"x","kind":"event"}}',
        '{"item":{"kind":"task","title":"new"}}',
        '{"item":{"kind":"event"}}',
        '{"item":{"kind":"absence","start":"2026-01-01T00:00:00","end":"2025-01-01T00:00:00"}}',
        '{"name":"a","content":"eA=="}',
        '{"name":"a","content":"%%%"}',
        '{"uri":"stored:1","forget":true}',
        '{"marker":"m"}',
        '{"marker":7}',
        '[{"key":"k"}]',
        '[{"key":7}]',
        "<a>&b;</a>",
    ]
)
METAS = st.none() | st.builds(
    Meta,
    version=st.sampled_from([None, "1", "2", "%", "."]),
    size=st.sampled_from([None, 0, 5, 10**12]),
    mark=st.sampled_from([None, "seen"]),
    anchor=st.none()
    | st.builds(
        Anchor,
        st.just("-"),
        st.sampled_from(
            [None, "0:1", "0:1~x", "0:9~9", "accord:page:2:00", "accord:page:x", "%ff"]
        ),
    ),
)
LOCATIONS = st.none() | st.builds(Location, URIS)
ONE = st.builds(
    Item,
    target=LOCATIONS,
    source=LOCATIONS,
    meta=METAS,
    data=st.none() | TEXTS,
    more_data=st.sampled_from([False, False, False, True]),
)
ITEMS = st.tuples(ONE) | st.lists(ONE, max_size=2).map(tuple)


def _numbered(command: type[m.Command]) -> st.SearchStrategy[m.Command]:
    return st.builds(command, cmd_id=st.sampled_from(["2", "3", "4"]), items=ITEMS)


CHANGES = st.one_of([_numbered(one) for one in (m.Add, m.Replace, m.Delete, m.Copy)])
COMMANDS = st.one_of(
    CHANGES,
    st.one_of([_numbered(one) for one in (m.Get, m.Put, m.Exec)]),
    st.builds(
        m.Alert, cmd_id=st.just("5"), code=st.sampled_from([200, 204, 205, 222, 999]), items=ITEMS
    ),
    st.builds(
        m.Search,
        cmd_id=st.just("6"),
        sources=st.tuples(st.builds(Location, URIS)),
        meta=st.just(Meta()),
        data=TEXTS,
    ),
    st.builds(
        m.Sync,
        cmd_id=st.just("7"),
        target=st.just(Location("item/task")) | LOCATIONS,
        commands=st.lists(CHANGES, min_size=1, max_size=4).map(tuple),
    ),
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    folder: Path = tmp_path_factory.mktemp("house")
    with closing(Sqlite().blank()) as database:
        made = Endpoint(State(database, folder / "accord.key", system_clock))
        yield made


@given(commands=st.lists(COMMANDS, min_size=1, max_size=4))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nonsense_is_answered_and_harms_nothing(house: Endpoint, commands: list[m.Command]) -> None:
    crm = memory({"users": USERS, "page": 4})
    house.serve(crm)
    (made,) = tasks(crm, "bob").create(Task(title="bob's"))
    reply = _ask(house, "ann", *commands)
    codes = _codes(reply)
    assert codes[0] in (200, 212)
    assert 500 not in codes
    assert tasks(crm, "bob").read(made.ref) == made
    assert listed(tasks(house.direct(), "bob")) == ["bob's"]


@pytest.mark.parametrize(
    "asked",
    [m.Get(cmd_id="7"), m.Search(cmd_id="7", sources=(), meta=Meta(type="x"), data="[]")],
)
def test_who_asks_of_nothing_is_answered(house: Endpoint, asked: m.Get | m.Search) -> None:
    house.serve(memory({"users": USERS}))
    reply = _ask(house, "ann", asked)
    codes = {one.cmd_ref: one.code for one in reply.body if isinstance(one, m.Status)}
    assert codes["0"] in (200, 212)
    assert codes["7"] == (506 if isinstance(asked, m.Search) else 200)
    assert not [one for one in reply.body if isinstance(one, m.Results)]
