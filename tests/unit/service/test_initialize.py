"""Link templates: who gets links, what changes with a template, and what becomes of who leaves."""

from __future__ import annotations

from typing import Any

import pytest

from accord.directory.decide import decide
from accord.groupware.memory.store import Mailbox
from accord.model.kinds import Kind, Side
from accord.ports.errors import Busy, ConfigError
from accord.rules.rule import FieldRule, Rule, Scope
from accord.service.first_plans import approve, keep_plan, waiting
from accord.service.initialize import Initialization, initialize
from accord.service.removal import remove_link
from accord.service.standing import pause_all, pause_links, set_mode
from accord.service.sync import preview
from accord.state.records import Mode, Target
from accord.state.taking import take
from accord.state.templates import Open, Template
from tests.unit.service.kit import World, event


class Firm(World):
    """Be a firm without links whose sales people get events by a template."""

    def __init__(self, *users: str, **values: Any) -> None:
        super().__init__(*users, **values)
        with self.state.begin() as tx:
            for link in tx.links.all():
                tx.links.remove(link.id)
            for kind in (Kind.TASK, Kind.CONTACT):
                rule = Rule(name=f"{kind}s", kind=kind, scope=Scope.ALL)
                tx.rules.activate(rule.name, tx.rules.put(rule))
            other = Rule(name="other", kind=Kind.EVENT, scope=Scope.ALL, categories=("x",))
            tx.rules.activate("other", tx.rules.put(other))
            fields = {"title": FieldRule(outbound="'Busy'")}
            veiled = Rule(name="veiled", kind=Kind.EVENT, scope=Scope.ALL, fields=fields)
            tx.rules.activate("veiled", tx.rules.put(veiled))
        self.crm.put_group("sales", *users)

    def template(self, name: str = "sales", **values: Any) -> None:
        usual: dict[str, Any] = {
            "name": name,
            "group": "sales",
            "target": "t",
            "kinds": (Kind.EVENT,),
            "rules": {"event": "r", "task": "tasks", "contact": "contacts"},
        }
        with self.state.begin() as tx:
            tx.templates.put(Template(**(usual | values)))

    def prefer(self, user: str, matter: str, value: str) -> None:
        with self.state.begin() as tx:
            tx.preferences.put(user, matter, value)

    def begin(self, **values: Any) -> Initialization:
        return initialize(self.accord, **values)

    def did(self, **values: Any) -> list[tuple[str, str]]:
        """Initialize and return what was done to which link."""
        result = self.begin(**values)
        assert [one.error for one in result.done if one.error] == []
        return [(str(one.what), one.link) for one in result.done]

    def names(self) -> dict[str, tuple[str, bool]]:
        with self.state.read() as tx:
            return {link.name: (str(link.mode), link.paused) for link in tx.links.all()}

    def approve(self, *names: str) -> list[Any]:
        with self.state.read() as tx:
            links = [link for link in tx.links.all() if not names or link.name in names]
        return approve(self.accord, links)


def test_members_get_links_whose_first_synchronization_waits() -> None:
    firm = Firm("alice", "bob")
    firm.person("alice").add(event("Review"))
    firm.template(kinds=(Kind.EVENT, Kind.TASK))
    planned = firm.begin(dry=True)
    assert [one.what for one in planned.done] == ["add"] * 4 and firm.names() == {}
    result = firm.begin()
    assert {one.link: one.steps for one in result.done} == {
        "alice-event": 1, "alice-task": 0, "bob-event": 0, "bob-task": 0
    }  # fmt: skip
    assert set(firm.names().values()) == {("observe", False)}
    assert firm.mailbox("alice").list(Kind.EVENT) == ()
    assert [one.link.name for one in waiting(firm.accord)] == list(firm.names())
    assert firm.did() == []


def test_an_approved_plan_is_carried_out_and_the_link_goes_on() -> None:
    firm = Firm("alice", "bob")
    firm.person("alice").add(event("Review"))
    firm.template(mode=Mode.PILOT)
    firm.begin()
    (one,) = firm.approve("alice-event")
    assert not one.grown and one.report.groupware.created == 1
    assert firm.names() == {"alice-event": ("pilot", False), "bob-event": ("observe", False)}
    assert [w.link.name for w in waiting(firm.accord)] == ["bob-event"]
    assert firm.did() == []


def test_a_plan_that_grew_is_shown_again() -> None:
    firm = Firm("alice")
    firm.person().add(event("Review"))
    firm.template()
    firm.begin()
    firm.person().add(event("Another"))
    (one,) = firm.approve()
    assert one.grown and one.report is None
    assert firm.mailbox().list(Kind.EVENT) == ()
    (one,) = firm.approve()
    assert not one.grown and len(firm.mailbox().list(Kind.EVENT)) == 2


def test_a_plan_with_less_to_do_is_let_go() -> None:
    firm = Firm("alice")
    gone = firm.person().add(event("Review"))
    firm.person().add(event("Another"))
    firm.template()
    firm.begin()
    firm.person().delete(gone.ref)
    (one,) = firm.approve()
    assert not one.grown and len(firm.mailbox().list(Kind.EVENT)) == 1


def test_nothing_is_approved_while_paused() -> None:
    firm = Firm("alice", "bob")
    firm.template()
    firm.begin()
    pause_links(firm.accord, ["alice-event"], paused=True)
    (one, _) = firm.approve()
    assert "paused" in one.plan.error and firm.names()["alice-event"] == ("observe", True)
    pause_all(firm.accord, paused=True)
    with pytest.raises(ConfigError, match="everything is paused"):
        firm.approve()


@pytest.mark.parametrize("meddle", ["pause", "leave", "remove", "mode"])
def test_what_is_said_of_a_link_while_its_plan_is_made_stands(
    monkeypatch: pytest.MonkeyPatch, meddle: str
) -> None:
    firm = Firm("alice")
    firm.person().add(event("Review"))
    firm.template()
    firm.begin()

    def meddled(*given: Any) -> Any:
        made = preview(*given)
        if meddle == "pause":
            pause_links(firm.accord, ["alice-event"], paused=True)
        elif meddle == "leave":
            firm.crm.put_group("sales")
            assert firm.did() == [("pause", "alice-event")]
        elif meddle == "mode":
            set_mode(firm.accord, ["alice-event"], Mode.PILOT)
        else:
            remove_link(firm.accord, firm.link("alice-event"))
        return made

    monkeypatch.setattr("accord.service.first_plans.preview", meddled)
    (one,) = firm.approve()
    assert "changed meanwhile" in one.plan.error and one.report is None
    assert (
        firm.names()
        == {
            "pause": {"alice-event": ("observe", True)},
            "leave": {"alice-event": ("observe", True)},
            "mode": {"alice-event": ("pilot", False)},
            "remove": {},
        }[meddle]
    )
    assert firm.mailbox().list(Kind.EVENT) == ()


def test_a_link_let_go_by_hand_has_nothing_left_to_approve() -> None:
    firm = Firm("alice")
    firm.template()
    firm.begin()
    set_mode(firm.accord, ["alice-event"], Mode.ACTIVE)
    firm.begin()
    assert waiting(firm.accord) == [] and firm.names() == {"alice-event": ("active", False)}


def test_without_hold_links_begin_at_once() -> None:
    firm = Firm("alice")
    firm.template(hold=False)
    firm.begin()
    assert firm.names() == {"alice-event": ("active", False)} and waiting(firm.accord) == []


def test_a_link_made_by_hand_is_never_touched() -> None:
    firm = Firm("alice", "bob")
    firm.add_link("alice")
    firm.template(rules={"event": "other"})
    before = firm.link()
    result = firm.begin()
    assert [one.link for one in result.done] == ["bob-event"]
    assert [(t.user, t.why) for t in result.troubles] == [
        ("alice", "the link alice events was made by hand")
    ]
    firm.crm.put_group("sales")
    firm.begin(leavers=True)
    assert firm.link() == before


def test_of_two_templates_the_first_by_order_then_name_gives_a_kind() -> None:
    firm = Firm("alice")
    firm.template("b", kinds=(Kind.EVENT,), hold=False)
    firm.template("a", kinds=(Kind.EVENT, Kind.TASK), rules={"event": "other", "task": "tasks"})
    firm.begin()
    with firm.state.read() as tx:
        assert {g.link: g.template for g in tx.given_links.all()} == {
            "alice-event": "a", "alice-task": "a"
        }  # fmt: skip
    firm.template("b", kinds=(Kind.EVENT,), order=1)
    result = firm.begin()
    assert [(t.template, t.kind, t.why) for t in result.troubles] == [
        ("a", Kind.EVENT, "the template b comes first")
    ]
    with firm.state.read() as tx:
        assert {g.link: g.template for g in tx.given_links.all()} == {
            "alice-event": "b", "alice-task": "a"
        }  # fmt: skip
        link = tx.links.get("alice-event")
    assert link is not None and link.rule == "r", "the first one's rule holds from now on"


def test_mailboxes_come_by_address_alias_and_rule() -> None:
    firm = Firm("alice", "bob", "carol", "dave")
    firm.template(
        mailbox='"sales" in user.groups && user.name != "dave" ? user.name + "@mail.test" : ""',
        aliases={"bob": "robert@x.test"},
    )
    firm.crm.store.addresses["carol"] = ()
    result = firm.begin()
    with firm.state.read() as tx:
        assert {link.user: link.principal for link in tx.links.all()} == {
            "alice": "alice@mail.test", "bob": "robert@x.test", "carol": "carol@mail.test"
        }  # fmt: skip
    assert [(t.user, t.why[:12]) for t in result.troubles] == [("dave", "the CRM know")]


def test_a_mailbox_that_cannot_be_worked_out_is_told_and_nobody_leaves_for_it() -> None:
    firm = Firm("alice")
    firm.template()
    firm.begin()
    firm.template(mailbox="user.addresses[7]")
    result = firm.begin()
    assert result.done == [] and "mailbox" in result.troubles[0].why
    assert firm.names() == {"alice-event": ("observe", False)}


def test_nobody_gets_the_mailbox_of_somebody_else() -> None:
    firm = Firm("alice", "bob")
    firm.template(aliases={"bob": "Alice@x.test"})
    result = firm.begin()
    assert [one.link for one in result.done] == ["alice-event"]
    assert result.troubles[0].why == "alice has a link to the mailbox Alice@x.test"


def test_a_changed_template_changes_what_it_owns_and_nothing_else() -> None:
    firm = Firm("alice", "bob")
    firm.template()
    firm.begin()
    firm.template(rules={"event": "other"})
    firm.change_link("bob-event", rule="mine")
    assert firm.did() == [("change", "alice-event")]
    assert (firm.link("alice-event").rule, firm.link("bob-event").rule) == ("other", "mine")
    assert firm.did() == []


def test_another_rule_for_what_is_paired_waits_for_approval() -> None:
    firm = Firm("alice")
    firm.person().add(event("Review"))
    firm.template(hold=False)
    firm.begin()
    firm.sync("alice-event")
    firm.template(hold=False, rules={"event": "other"})
    result = firm.begin()
    assert [(one.what, one.changes) for one in result.done] == [("hold", {"rule": ("r", "other")})]
    assert result.troubles == []
    assert firm.link("alice-event").rule == "r", "it goes on under the rule in force"
    assert firm.did() == []
    (one,) = firm.approve()
    assert firm.link("alice-event").rule == "other" and one.report.error == ""
    assert firm.did() == []
    firm.template(hold=False, rules={"event": "r"})
    assert firm.did() == [("hold", "alice-event")]
    firm.template(hold=False, rules={"event": "other"})
    assert firm.did() == [("change", "alice-event")] and waiting(firm.accord) == []


def test_another_rule_lets_no_link_write_that_somebody_lets_observe() -> None:
    firm = Firm("alice")
    firm.person().add(event("Review"))
    firm.template(hold=False)
    firm.begin()
    firm.sync("alice-event")
    firm.template(hold=False, rules={"event": "veiled"})
    assert firm.did() == [("hold", "alice-event")]
    set_mode(firm.accord, ["alice-event"], Mode.OBSERVE)
    (one,) = firm.approve()
    assert "only observes" in one.plan.error and "accord mode alice-event" in one.plan.hint
    assert one.report is None and firm.names() == {"alice-event": ("observe", False)}
    assert [each.why for each in waiting(firm.accord)] == ["another rule waits for approval"]
    set_mode(firm.accord, ["alice-event"], Mode.ACTIVE)
    (one,) = firm.approve()
    assert one.report.error == "" and firm.titles()[1] == ["Busy"]


def test_what_another_rule_would_do_is_shown_and_done_with_one_approval() -> None:
    firm = Firm("alice")
    firm.person().add(event("Review"))
    late = firm.person().add(event("Late"))
    firm.template(hold=False)
    firm.begin()
    firm.sync("alice-event")
    firm.template(hold=False, rules={"event": "veiled"})
    assert firm.begin().done[0].steps == 2
    firm.person().edit(late.ref, location="Room 5")
    (one,) = firm.approve()
    assert one.grown and one.report is None and firm.link("alice-event").rule == "r"
    (one,) = firm.approve()
    assert not one.grown and (one.report.groupware.updated, one.report.held) == (2, 0)
    assert firm.pending(user="alice-event") == [] and firm.titles()[1] == ["Busy", "Busy"]
    assert firm.link("alice-event").rule == "veiled"


def test_a_rule_set_by_hand_stays_in_what_is_paired() -> None:
    firm = Firm("alice")
    firm.person().add(event("Review"))
    firm.template(hold=False)
    firm.begin()
    firm.sync("alice-event")
    firm.change_link("alice-event", rule="tasks")
    firm.template(hold=False, rules={"event": "other"})
    assert firm.did() == [] and firm.link("alice-event").rule == "tasks"


def test_what_is_paired_does_not_follow_to_another_mailbox() -> None:
    firm = Firm("alice")
    firm.person().add(event("Review"))
    firm.template(hold=False)
    firm.begin()
    firm.sync("alice-event")
    firm.template(hold=False, aliases={"alice": "other@x.test"})
    result = firm.begin()
    assert result.done == [] and "doesn't follow to other@x.test" in result.troubles[0].why


def test_who_leaves_is_paused_comes_back_or_is_withdrawn_in_time() -> None:
    firm = Firm("alice", "bob")
    firm.person().add(event("Review"))
    firm.mailbox().add(event("Own"))
    firm.template(hold=False, withdraw_after=14)
    firm.begin()
    firm.sync("alice-event", "bob-event")
    firm.crm.put_group("sales", "bob")
    assert firm.did() == [("pause", "alice-event")]
    assert firm.names()["alice-event"] == ("active", True)
    firm.crm.put_group("sales", "alice", "bob")
    assert firm.did() == [("resume", "alice-event")]
    assert firm.names()["alice-event"] == ("active", False)
    firm.crm.put_group("sales", "bob")
    firm.begin()
    firm.wait(days=13)
    assert firm.did() == []
    firm.wait(days=1)
    assert firm.did() == [("withdraw", "alice-event")]
    assert list(firm.names()) == ["bob-event"]
    assert firm.titles()[1] == ["Own"]
    assert firm.did() == []


def test_a_leaver_stays_paused_when_everything_is_resumed() -> None:
    firm = Firm("alice", "bob")
    firm.template(hold=False)
    firm.begin()
    pause_links(firm.accord, ["bob-event"], paused=True)
    firm.crm.put_group("sales", "bob")
    firm.begin()
    pause_all(firm.accord, paused=True)
    still = pause_all(firm.accord, paused=False)
    assert [link.name for link in still] == ["alice-event", "bob-event"]
    assert firm.names() == {"alice-event": ("active", True), "bob-event": ("active", True)}


def test_a_leavers_link_that_somebody_lets_go_on_is_not_withdrawn() -> None:
    firm = Firm("alice")
    firm.person().add(event("Review"))
    firm.template(hold=False, withdraw_after=14)
    firm.begin()
    firm.sync("alice-event")
    firm.crm.put_group("sales")
    firm.begin()
    pause_links(firm.accord, ["alice-event"], paused=False)
    firm.wait(days=15)
    result = firm.begin()
    assert result.done == [] and firm.names() == {"alice-event": ("active", False)}
    assert [one.why for one in result.troubles if one.kind] == [
        "alice is no longer in sales, but alice-event goes on: it isn't withdrawn"
    ]
    assert len(firm.items()) == 1
    pause_links(firm.accord, ["alice-event"], paused=True)
    assert firm.did() == [("withdraw", "alice-event")]


def test_without_a_time_nobody_is_withdrawn() -> None:
    firm = Firm("alice")
    firm.template(withdraw_after=None)
    firm.begin()
    firm.crm.put_group("sales")
    firm.begin()
    firm.wait(days=1000)
    assert firm.did() == [] and firm.names() == {"alice-event": ("observe", True)}


def test_on_another_target_a_new_link_takes_a_name_that_is_free() -> None:
    firm = Firm("alice")
    firm.template()
    firm.begin()
    with firm.state.begin() as tx:
        tx.targets.put(Target(id="u", name="other", adapter="memory", side=Side.GROUPWARE))
    firm.template(target="u")
    assert firm.did() == [("add", "alice-event-2"), ("pause", "alice-event")]
    assert firm.did() == []
    firm.template()
    assert firm.did() == [("resume", "alice-event"), ("pause", "alice-event-2")]


def test_nobody_moves_into_the_mailbox_of_somebody_else() -> None:
    firm = Firm("alice", "bob")
    firm.template()
    firm.begin()
    firm.template(aliases={"bob": "alice@x.test"})
    result = firm.begin()
    assert result.done == [] and firm.link("bob-event").principal == "bob@x.test"
    assert result.troubles[0].why == "alice has a link to the mailbox alice@x.test"


def test_two_initializations_do_not_meet() -> None:
    firm = Firm("alice")
    firm.template()
    with firm.state.begin() as tx:
        lease = take(tx.leases, "initialization", 60)
    assert lease is not None
    with pytest.raises(Busy, match="another user initialization"):
        firm.begin()
    assert firm.begin(dry=True).done
    with firm.state.begin() as tx:
        tx.leases.release(lease)
    assert firm.did() == [("add", "alice-event")]


def test_however_long_it_lasts_no_other_begins_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    firm = Firm("alice", "bob", "carol")
    firm.template()

    def slow(*given: Any) -> Any:
        firm.wait(minutes=50)
        with pytest.raises(Busy):
            firm.begin()
        return keep_plan(*given)

    monkeypatch.setattr("accord.service.initialize.keep_plan", slow)
    assert len(firm.did()) == 3


def test_what_changes_while_it_decides_is_left_for_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    firm = Firm("alice")
    firm.template()
    firm.begin()
    firm.template(rules={"event": "other"})

    def meddled(*given: Any) -> Any:
        decided = decide(*given)
        firm.change_link("alice-event", mode=Mode.PILOT)
        return decided

    monkeypatch.setattr("accord.service.initialize.decide", meddled)
    (done,) = firm.begin().done
    assert "changed meanwhile" in done.error
    assert firm.link("alice-event").mode is Mode.PILOT and firm.link("alice-event").rule == "r"


def test_while_everything_is_paused_nothing_is_done() -> None:
    firm = Firm("alice")
    firm.template()
    pause_all(firm.accord, paused=True)
    with pytest.raises(ConfigError, match="everything is paused"):
        firm.begin()
    assert firm.names() == {} and len(firm.begin(dry=True).done) == 1
    pause_all(firm.accord, paused=False)
    assert firm.did() == [("add", "alice-event")]


def test_by_the_groups_of_another_crm_nobody_joins_or_leaves() -> None:
    firm = Firm("alice")
    firm.template(hold=False)
    firm.begin()
    firm.crm._instance = "another"
    firm.crm.put_group("sales")
    with pytest.raises(ConfigError, match="held: "):
        firm.begin()
    assert firm.names() == {"alice-event": ("active", False)}


def test_few_may_leave_however_small_the_firm() -> None:
    firm = Firm("alice", "bob", "carol")
    firm.template()
    firm.begin()
    firm.crm.put_group("sales")
    assert len(firm.did()) == 3


def test_of_many_some_may_leave() -> None:
    users = [f"user{number}" for number in range(9)]
    firm = Firm(*users)
    firm.template()
    firm.begin()
    firm.crm.put_group("sales", *users[4:])
    assert len(firm.did()) == 4


def test_a_leaver_the_crm_no_longer_lets_in_is_withdrawn_all_the_same() -> None:
    firm = Firm("alice", "bob")
    firm.person().add(event("Review"))
    firm.template(hold=False, withdraw_after=0)
    firm.begin()
    firm.sync("alice-event")
    firm.crm.lock_user("alice")
    assert firm.did() == [("pause", "alice-event")]
    assert firm.did() == [("withdraw", "alice-event")]
    assert firm.mailbox().list(Kind.EVENT) == ()


@pytest.mark.parametrize("open_write", ["create", "update"])
def test_a_leaver_locked_out_amid_a_visit_is_withdrawn_all_the_same(open_write: str) -> None:
    firm = Firm("alice", "bob")
    firm.person().add(event("Review"))
    firm.template(hold=False, withdraw_after=0)
    firm.begin()
    firm.sync("alice-event")
    if open_write == "create":
        firm.mailbox().add(event("Own"))
    else:
        firm.mailbox().edit(firm.items()[0].ref, title="Changed")
    assert firm.crash(lambda point: point == f"before {open_write} on crm", "alice-event")
    assert len(firm.intents()) == 1
    firm.crm.lock_user("alice")
    assert firm.did() == [("pause", "alice-event")]
    assert firm.did() == [("withdraw", "alice-event")]
    assert list(firm.names()) == ["bob-event"] and not firm.intents()


def test_a_link_paused_by_hand_stays_so_when_its_user_is_back() -> None:
    firm = Firm("alice")
    firm.template(hold=False)
    firm.begin()
    pause_links(firm.accord, ["alice-event"], paused=True)
    firm.crm.put_group("sales")
    firm.begin()
    firm.crm.put_group("sales", "alice")
    firm.begin()
    assert firm.names() == {"alice-event": ("active", True)}


def test_a_group_the_crm_does_not_know_lets_nobody_leave() -> None:
    firm = Firm("alice")
    firm.template(hold=False)
    firm.begin()
    firm.crm.remove_group("sales")
    result = firm.begin()
    assert result.done == [] and "no group 'sales'" in result.troubles[0].why
    assert firm.names() == {"alice-event": ("active", False)}


def test_many_leave_at_once_only_where_that_is_meant() -> None:
    users = [f"user{number}" for number in range(6)]
    firm = Firm(*users)
    firm.template(hold=False)
    firm.begin()
    firm.crm.put_group("sales", "user0", "user1")
    result = firm.begin()
    assert result.held == "4 of 6 people would leave at once" and result.done == []
    assert not any(paused for _, paused in firm.names().values())
    assert len(firm.did(leavers=True)) == 4


def test_preferences_override_what_a_template_leaves_open() -> None:
    firm = Firm("alice", "bob")
    firm.template(kinds=(Kind.EVENT,), offers=(Kind.TASK,), hold=False)
    firm.prefer("alice", "kinds", "task,contact")
    firm.prefer("alice", "folder.task", "private list")
    firm.begin()
    assert list(firm.names()) == ["alice-event", "bob-event"], "it leaves nothing open"
    firm.template(
        kinds=(Kind.EVENT,), offers=(Kind.TASK,), open=(Open.KINDS, Open.FOLDERS), hold=False
    )
    assert firm.did() == [("add", "alice-task"), ("pause", "alice-event")]
    assert firm.link("alice-task").folder == "private list"


def test_one_link_that_fails_leaves_the_others_alone_and_is_tried_again() -> None:
    firm = Firm("alice", "bob")
    firm.template(aliases={"alice": "new@x.test"})
    result = firm.begin()
    assert [(one.what, one.link, bool(one.error)) for one in result.done] == [
        ("add", "alice-event", True), ("add", "bob-event", False)
    ]  # fmt: skip
    (again,) = firm.begin().done
    assert (again.what, again.link, bool(again.error)) == ("plan", "alice-event", True)
    firm.groupware.store.mailboxes["new@x.test"] = Mailbox("new@x.test", "alice")
    (again,) = firm.begin().done
    assert (again.what, again.steps, again.error) == ("plan", 0, "")
    assert firm.did() == []


def test_without_users_in_the_crm_nothing_is_decided() -> None:
    firm = Firm("alice")
    firm.template()

    class Mute:
        def __getattr__(self, name: str) -> Any:
            if name in ("cards", "group_names"):
                raise AttributeError(name)
            return getattr(firm.crm, name)

    mute: Any = Mute()
    firm.accord.crm = mute
    with pytest.raises(ConfigError, match="doesn't list its users"):
        firm.begin()
