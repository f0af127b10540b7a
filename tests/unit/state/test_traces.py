"""Decisions, windows, cursors, runs, instances and persons: small things that must not be lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from accord.engine.replies import Kept
from accord.model.kinds import Side
from accord.model.replies import Replies
from accord.state import Decision, Erasure, State, new_id
from tests.unit.state.build import NOW, Clock, furnish

CRM, GROUPWARE = Side.CRM, Side.GROUPWARE
WHOLE = Decision(
    link="a",
    side=GROUPWARE,
    ref="g1",
    version="7",
    uid="u1",
    label="Straße nach Łódź: 100% sicher",
    step="skip",
    why="private",
    rule="rule-1",
    run="run-1",
    at=NOW,
)


def decision(ref: str, **values: Any) -> Decision:
    return Decision(**{"link": "a", "side": CRM, "ref": ref, "at": NOW, **values})


def test_a_decision_comes_back_whole(state: State) -> None:
    with state.begin() as tx:
        tx.decisions.put_many([WHOLE])
        assert tx.decisions.get("a", GROUPWARE, "g1") == WHOLE
        assert tx.decisions.get("a", CRM, "g1") is None
        assert tx.decisions.get("b", GROUPWARE, "g1") is None
        assert tx.decisions.all("a") == [WHOLE]


def test_only_the_last_decision_is_kept(state: State) -> None:
    with state.begin() as tx:
        first, last = decision("c1", version="1"), decision("c1", version="2", why="new")
        tx.decisions.put_many([first, last])
        assert tx.decisions.get("a", CRM, "c1") == last


def test_versions_decided_about(state: State) -> None:
    with state.begin() as tx:
        tx.decisions.put_many([decision("c1", version="1"), decision("c2", version="2"), WHOLE])
        assert tx.decisions.versions("a", CRM) == {"c1": "1", "c2": "2"}
        assert tx.decisions.versions("a", CRM, ["c2", "c3", "g1"]) == {"c2": "2"}
        assert tx.decisions.remove("a", CRM, ["c1", "g1"]) == 1
        assert tx.decisions.versions("a", CRM) == {"c2": "2"}


@pytest.mark.parametrize(
    "words", ["g1", "u1", "strasse", "STRASSE NACH", "łódź", "100%", "Łódź: 100% sicher"]
)
def test_finding_a_decision(state: State, words: str) -> None:
    with state.begin() as tx:
        tx.decisions.put_many([WHOLE, decision("c2", label="other")])
        assert tx.decisions.find(words) == [WHOLE]


@pytest.mark.parametrize("words", ["g", "u", "100_", "%", "1000", "stra%e"])
def test_not_finding_a_decision(state: State, words: str) -> None:
    with state.begin() as tx:
        tx.decisions.put_many([decision("g1", uid="u1", label="Straße 100")])
        assert tx.decisions.find(words) == []


def test_decisions_are_found_newest_first(state: State) -> None:
    with state.begin() as tx:
        for number in range(5):
            at = NOW + timedelta(minutes=number)
            tx.decisions.put_many([decision(f"c{number}", label="Lunch", at=at)])
        assert [each.ref for each in tx.decisions.find("lunch", limit=3)] == ["c4", "c3", "c2"]


def test_refs_come_due(state: State) -> None:
    with state.begin() as tx:
        tx.windows.put("a", CRM, "c1", NOW)
        tx.windows.put_many("a", GROUPWARE, {"g1": NOW - timedelta(1), "g2": NOW + timedelta(1)})
        tx.windows.put("b", CRM, "c9", NOW)
        assert tx.windows.due("a", NOW) == [(GROUPWARE, "g1"), (CRM, "c1")]
        tx.windows.put("a", GROUPWARE, "g1", NOW + timedelta(2))
        assert tx.windows.due("a", NOW) == [(CRM, "c1")]
        assert tx.windows.remove("a", CRM, ["c1", "c2"]) == 1
        assert tx.windows.due("a", NOW) == []
        assert len(tx.windows.due("a", NOW + timedelta(3))) == 2


def test_cursors(state: State) -> None:
    with state.begin() as tx:
        assert tx.cursors.get("a", CRM, "desk") == ""
        tx.cursors.put("a", CRM, "desk", "1")
        tx.cursors.put("a", GROUPWARE, "box", "2")
        tx.cursors.put("a", CRM, "desk", "3")
        assert tx.cursors.get("a", CRM, "desk") == "3"
        assert tx.cursors.all() == {("a", CRM): "3", ("a", GROUPWARE): "2"}
        tx.cursors.drop("a", CRM)
        assert tx.cursors.get("a", CRM, "desk") == ""
        assert tx.cursors.get("a", GROUPWARE, "box") == "2"
        tx.cursors.put("a", GROUPWARE, "box", "")
        assert tx.cursors.all() == {}
        tx.cursors.put("a", CRM, "desk", "4")
        tx.cursors.drop("a")
        assert tx.cursors.all() == {}


def test_a_cursor_counts_for_its_own_link_and_place(state: State) -> None:
    with state.begin() as tx:
        tx.cursors.put("a", GROUPWARE, "box", "1")
        tx.cursors.put("b", GROUPWARE, "box", "2")
        assert tx.cursors.get("a", GROUPWARE, "box") == "1"
        assert tx.cursors.get("a", GROUPWARE, "another") == ""
        tx.cursors.put("a", GROUPWARE, "another", "3")
        assert tx.cursors.get("a", GROUPWARE, "box") == "", "nobody knows what it missed meanwhile"
        tx.links.remove("a")
        assert tx.cursors.all() == {("b", GROUPWARE): "2"}


def test_runs(state: State, clock: Clock) -> None:
    with state.begin() as tx:
        first = tx.runs.start("a", "command line")
        clock.wait(5)
        tx.runs.finish(first, {"created": 3})
        second, third = tx.runs.start("b"), tx.runs.start()
        run = tx.runs.get(first)
        assert run is not None
        assert (run.link, run.cause, run.counts, run.error) == (
            "a",
            "command line",
            {"created": 3},
            "",
        )
        assert run.finished is not None
        assert (run.finished - run.started).total_seconds() == 5
        assert [each.id for each in tx.runs.latest(limit=9)] == [third, second, first]
        assert [each.id for each in tx.runs.latest("a")] == [first]
        tx.runs.finish(second, error="no answer")
        assert tx.runs.latest("b")[0].error == "no answer"
        assert [each.finished is None for each in tx.runs.latest()] == [True]
        assert tx.runs.get("unknown") is None


def test_ids_ascend() -> None:
    made = [new_id() for _ in range(5000)]
    assert made == sorted(made)
    assert len(set(made)) == 5000
    assert {len(each) for each in made} == {20}


def test_a_side_that_stays_itself_is_no_trouble(state: State) -> None:
    with state.begin() as tx:
        for revision in (5, 5, 9, 9):
            assert tx.instances.observe("crm", "i1", revision) is None
        assert tx.instances.observe("mail", "i2") is None
        assert tx.instances.news({"crm": ("i1", 9), "mail": ("i2", 0)}) == []
        for said in (("i1", 10), ("i1", 8), ("i2", 9)):
            assert tx.instances.news({"mail": ("i2", 0), "crm": said}) == ["crm"]
        assert tx.instances.news({"other": ("i1", 9)}) == ["other"]


def test_one_system_is_known_under_many_names(state: State) -> None:
    with state.begin() as tx:
        for name, instance in (("a", "i1"), ("b", "i2"), ("c", "i1")):
            tx.instances.accept(name, instance)
        assert tx.instances.alike("a") == {"a", "c"}
        assert tx.instances.alike("b") == {"b"}
        assert tx.instances.alike("never seen") == {"never seen"}


def test_another_instance_is_trouble_until_accepted(state: State) -> None:
    with state.begin() as tx:
        tx.instances.observe("crm", "i1", 5)
        for _ in range(2):
            trouble = tx.instances.observe("crm", "i2", 6)
            assert trouble is not None
            assert (trouble.instance, trouble.seen_instance) == ("i1", "i2")
            assert "another system" in trouble.why
        tx.instances.accept("crm", "i2", 6)
        assert tx.instances.observe("crm", "i2", 6) is None


def test_going_back_in_time_is_trouble_until_accepted(state: State) -> None:
    with state.begin() as tx:
        tx.instances.observe("crm", "i1", 2**40)
        for _ in range(2):
            trouble = tx.instances.observe("crm", "i1", 4)
            assert trouble is not None
            assert (trouble.revision, trouble.seen_revision) == (2**40, 4)
            assert "went back" in trouble.why
        tx.instances.accept("crm", "i1", 4)
        assert tx.instances.observe("crm", "i1", 4) is None
        tx.instances.forget("crm")
        assert tx.instances.observe("crm", "i9", 0) is None


def test_consents(state: State) -> None:
    with state.begin() as tx:
        assert not tx.consents.has("anna", "private")
        tx.consents.give("anna", "private")
        tx.consents.give("anna", "private")
        assert tx.consents.has("anna", "private")
        assert not tx.consents.has("bob", "private")
        assert tx.consents.all() == [("anna", "private")]
        assert tx.consents.withdraw("anna", "private")
        assert not tx.consents.withdraw("anna", "private")
        assert not tx.consents.has("anna", "private")


def test_erasures(state: State) -> None:
    erasure = Erasure(id="e", person="Bob", addresses=("bob@example.com",), by="root", at=NOW)
    with state.begin() as tx:
        tx.erasures.put(erasure)
        assert tx.erasures.all() == [erasure]
        assert tx.erasures.remove("e")
        assert tx.erasures.all() == []


def test_what_is_kept_of_replies_goes_with_its_link(state: State) -> None:
    kept = Kept(absence="a", before=Replies(inside="private words"), sent=Replies(on=True))
    furnish(state, "l")
    with state.begin() as tx:
        assert tx.replies.get("l") is None
        tx.replies.put("l", Kept(absence="b"))
        tx.replies.put("l", kept)
        assert tx.replies.get("l") == kept
        tx.replies.put("l", None)
        assert tx.replies.get("l") is None
        tx.replies.put("l", kept)
        tx.links.remove("l")
        assert tx.replies.get("l") is None


def test_what_people_prefer_is_kept_until_they_take_it_back(state: State) -> None:
    with state.begin() as tx:
        tx.preferences.put("anna", "busy", "nobody")
        tx.preferences.put("anna", "busy", "team")
        tx.preferences.put("anna", "other", "x")
        tx.preferences.put("bob", "busy", "everybody")
        assert tx.preferences.of("busy", ["anna", "carl"]) == {"anna": "team"}
        tx.preferences.put("anna", "busy", "")
        assert tx.preferences.of("busy", ["anna", "bob"]) == {"bob": "everybody"}
