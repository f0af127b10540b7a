"""The demo's story: fill both sides, synchronize, change things on both, preview, hold and undo.

Every claim is checked on the real server and in the CRM; the first that doesn't hold ends it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import date, timedelta
from pathlib import Path

from accord.cli.demo import week
from accord.cli.demo.elsewhere import Elsewhere
from accord.cli.demo.hands import DemoFailed, Desk
from accord.cli.demo.narrate import Narrator
from accord.cli.demo.place import Box, MailServer, Target
from accord.cli.demo.servers import server_of
from accord.cli.words import short
from accord.crm.database import DatabaseCrm
from accord.crm.database.admin import Administration
from accord.engine.plan import Conflict, Hold, Skip, Step, Unread
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.recurrence import Busy
from accord.service.accord import Accord
from accord.service.bootstrap import open_accord
from accord.service.config import Config
from accord.service.decisions import reject, waiting
from accord.service.explain import explain
from accord.service.init import init
from accord.service.opening import Options
from accord.service.report import Report
from accord.service.sync import preview, sync
from accord.service.transfer import import_
from accord.service.undo import select, undo
from accord.state.records import Cause, Link

TEXT = """\
[[target]]
name = "mailboxes"
{settings}
[[link]]
target = "mailboxes"
users = ["anna", "ben", "clara"]
kinds = ["event", "task", "contact", "absence"]
mode = "active"

[[rule]]
name = "events"
kind = "event"
categories = ["CRM"]
private = "busy"
window = {{ past = 35 }}
"""


class Size:
    """Say how much lies behind the week, for all three people together."""

    def __init__(self, singles: int = 600, series: int = 300) -> None:
        """Take the number of past entries and of series."""
        self.singles = singles
        self.series = series


def play(
    narrator: Narrator,
    size: Size,
    keep: Path | None = None,
    *,
    target: Target = "exchange",
    split: bool = False,
) -> None:
    """Play the whole story; raises DemoFailed where something isn't as told.

    With `split` the CRM is on a machine of its own: another folder, database and process.
    """
    folder = keep or Path(tempfile.mkdtemp(prefix="accord-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    words = {name: f"{name}-secret" for name in week.PEOPLE}
    try:
        with server_of(target, words) as server:
            Story(narrator, server, folder, size, split=split).play()
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


class Story:
    """Hold the stage: the server, Accord, and the people's hands on both sides."""

    def __init__(
        self,
        narrator: Narrator,
        server: MailServer,
        folder: Path,
        size: Size,
        *,
        split: bool = False,
    ) -> None:
        """Set up nothing yet; `play` does."""
        self._tell = narrator
        self._server = server
        self._folder = folder
        self._size = size
        self._split = split
        self._stack = ExitStack()
        self._today = date.today()  # noqa: DTZ011 (people's own day)
        self._totals: dict[str, Report] = {}
        self.accord: Accord
        self.desks: dict[str, Desk] = {}
        self.boxes: dict[str, Box] = {}

    def play(self) -> None:
        """Tell it from the beginning to the end."""
        with self._stack:
            self._set_up()
            self._begin()
            self._merge()
            self._clash()
            self._delete_against_edit()
            self._tasks_come_back()
            self._meeting_moves()
            self._mass_deletion()
            self._undo()
            self._end()

    # the stage

    def _set_up(self) -> None:
        tell = self._tell
        tell.scene("Setting up", self._server.title)
        people = self._two_machines() if self._split else self._one_machine()
        for name, full in week.PEOPLE.items():
            people.add_user(name, week.address(name), display_name=full)
            self.desks[name] = Desk(people, name)
        records = week.fill_crm(self.desks, self._today)
        entries = sum(self._fill_mailbox(name) for name in week.PEOPLE)
        text = TEXT.format(settings=self._server.settings(self._folder))
        (self._folder / "demo.toml").write_text(text, encoding="utf-8")
        import_(self.accord, text, "demo.toml", folder=self._folder)
        tell.say(f"{records} records in the CRM, {entries} entries in three mailboxes")
        tell.say(f"{self._broken} of these entries are corrupt")
        tell.say(f"{len(self._links())} links: events, tasks, contacts and absences of each")

    def _one_machine(self) -> Administration:
        """Open Accord with the CRM in its own database; return the CRM for its people."""
        self.accord = self._stack.enter_context(closing(open_accord(self._config("database:"))))
        return _built_in(self.accord)

    def _two_machines(self) -> Administration:
        """Serve a CRM in a process of its own, and open Accord with nothing but its address."""
        machine = Elsewhere(self._folder / "crm")
        people = _built_in(self._stack.enter_context(closing(machine.open())))
        machine.hand_over_key(self._folder)
        self._stack.enter_context(machine)
        self.accord = self._stack.enter_context(closing(open_accord(self._config(machine.crm))))
        self._tell.say(f"the CRM is a process of its own (pid {machine.pid}), reached by HTTP only")
        self._tell.say(f'crm = "{machine.crm}"')
        for one in self.accord.crm.check():
            self._must(one.ok, f"{one.subject}: {one.detail}")
        return people

    def _config(self, crm: str) -> Config:
        return init(self._folder, crm=crm, force=True).config

    def _fill_mailbox(self, name: str) -> int:
        share = len(week.PEOPLE)
        count = self._server.fill_past(
            name, self._today, self._size.singles // share, self._size.series // share
        )
        self.boxes[name] = self._stack.enter_context(closing(self._server.box(name)))
        return count

    @property
    def _broken(self) -> int:
        return self._server.broken * len(week.PEOPLE)

    def _links(self) -> list[Link]:
        with self.accord.state.read() as tx:
            return tx.links.all()

    # the scenes

    def _begin(self) -> None:
        self._tell.scene("A preview", "`accord plan` shows what would happen and writes nothing.")
        planned = self._run(preview_only=True)
        creates = sum(r.crm.created + r.groupware.created for r in planned)
        self._tell.say(f"{creates} items would be created, nobody would get mail")
        self._must(not any(r.plan and r.plan.mails for r in planned), "a first run mails nobody")
        self._tell.scene("The first synchronization")
        reports = self._run()
        self._tell.table("What happened (CRM / mailbox)", reports)
        self._must(not any(r.crm.deleted or r.groupware.deleted for r in reports), "no deletions")
        box, desk = self.boxes["ben"], self.desks["clara"]
        self._must(box.has(week.MEETING), "the meeting is in Ben's mailbox")
        self._must(desk.has("Sales call 1"), "Clara's sales calls are in the CRM")
        self._must(not desk.has("Doctor"), "what is private stays private")
        self._must(self.boxes["ben"].has("Absent"), "Ben's absence is an out-of-office entry")
        self._left_alone(reports)
        self._quiet("Once more: nothing is left to do")

    def _left_alone(self, reports: Sequence[Report]) -> None:
        """Tell what became of the entries that nobody can read, and of one that nobody chose."""
        skips = [s for r in reports if r.plan for s in r.plan.steps if isinstance(s, Skip)]
        broken = {s.ref: (s.why, s.unread) for s in skips if isinstance(s.unread, Unread)}
        self._must(len(broken) == self._broken, f"all {self._broken} corrupt ones are left alone")
        for ref, unread in {why: (ref, unread) for ref, (why, unread) in broken.items()}.values():
            words = unread.label or ref
            (told, *_) = [t for t in explain(self.accord, words) if t.kind is Kind.EVENT]
            told_of = f"`accord explain '{short(words, 40)}'`: {told.why}"
            self._must("can't be read" in told.why, told_of)
        (gym,) = [one for one in explain(self.accord, "Gym") if one.user == "ben"]
        self._must(gym.outcome == "not synchronized", "what nobody chose is left alone")
        self._tell.say(f"`accord explain Gym`: {gym.outcome}, {gym.why}")

    def _merge(self) -> None:
        self._tell.scene("Two people, one entry, different fields")
        self._tell.say("in the CRM Anna renames “Contract signing”; in the mailbox she moves it")
        self.boxes["anna"].place("Contract signing", "Board room")
        self.desks["anna"].set("Contract signing", title="Contract signing (final)")
        self._show_plan("anna-event")
        self._run("anna-event")
        event = self._event("anna", "Contract signing (final)")
        self._must(event.location == "Board room", "both changes are on both sides")
        self._must(self.boxes["anna"].has("Contract signing (final)"), "in the mailbox too")

    def _clash(self) -> None:
        self._tell.scene("Two people, one entry, the same field")
        self._tell.say("“Quarter figures” gets another title on both sides at once")
        self.desks["anna"].set("Quarter figures", title="Quarter figures Q4")
        self.boxes["anna"].rename("Quarter figures", "Figures at last")
        steps = self._show_plan("anna-event")
        self._must(any(isinstance(s, Conflict) for s in steps), "the plan names the clash")
        (report,) = self._run("anna-event")
        self._must(self.boxes["anna"].has("Quarter figures Q4"), "the CRM wins by rule")
        entry = self._journal(report.run, "clash")
        self._tell.say(f"the losing title is kept: `accord undo {entry}` brings it back")
        self._count(undo(self.accord, select(self.accord, str(entry))))
        self._must(self.desks["anna"].has("Figures at last"), "the losing value returned")
        self._must(self.boxes["anna"].has("Figures at last"), "on both sides")

    def _delete_against_edit(self) -> None:
        self._tell.scene("A deletion against an edit")
        self._tell.say("Ben deletes “Supplier visit” in the CRM, and moves it in the mailbox")
        self.desks["ben"].delete("Supplier visit")
        self.boxes["ben"].place("Supplier visit", "Dock 9")
        self._show_plan("ben-event")
        self._run("ben-event")
        self._must(self._event("ben", "Supplier visit").location == "Dock 9", "the edit wins")

    def _tasks_come_back(self) -> None:
        self._tell.scene("A task done in the mailbox")
        self.boxes["clara"].finish("Send the offer to Rossi")
        self._show_plan("clara-task")
        self._run("clara-task")
        task = self.desks["clara"].find("Send the offer to Rossi", Kind.TASK).item
        self._must(getattr(task, "percent", 0) == 100, "the CRM knows that it is done")

    def _meeting_moves(self) -> None:
        self._tell.scene("A meeting of three moves in the CRM")
        found = self._event("anna", week.MEETING)
        start, end = (moment + timedelta(hours=2) for moment in (found.start, found.end))
        self.desks["anna"].set(week.MEETING, start=start, end=end)
        reports = self._run("anna-event", "ben-event", "clara-event")
        self._must(sum(r.groupware.updated for r in reports) == 3, "three copies, three updates")
        self._must(all(not r.plan.mails for r in reports if r.plan), "and no mail to anybody")
        one = [s for s in self.desks["clara"].titles() if s == week.MEETING]
        self._must(len(one) == 1, "it is one appointment in the CRM")

    def _mass_deletion(self) -> None:
        self._tell.scene("A phone goes mad")
        count = self.boxes["clara"].delete_many(week.TIDIED)
        self._tell.say(f"{count} of Clara's entries vanish from her mailbox")
        (report,) = self._run("clara-event")
        self._must(report.held == count, f"all {count} deletions are held, not done")
        held = waiting(self.accord, Cause.HELD)
        self._tell.say(f"`accord held` lists them: {held[0].pending.why}")
        self._must(self.desks["clara"].has(min(week.TIDIED)), "the CRM still has them all")
        reject(self.accord, [one.pending.id for one in held])
        self._tell.say("`accord held reject --all`: they stay, and nobody is asked again")
        (report,) = self._run("clara-event")
        self._must(report.held == 0 and report.writes == 0, "nothing is held any more")

    def _undo(self) -> None:
        self._tell.scene("A mistake, and undoing it")
        self._tell.say("somebody marks all of Ben's week as free time and syncs it")
        titles = ("Supplier visit", "Call with Rossi")
        for title in titles:
            self.desks["ben"].set(title, location="Cancelled?", busy=Busy.FREE)
        (report,) = self._run("ben-event")
        self._must(report.groupware.updated == len(titles), "the mailbox follows")
        chosen = select(self.accord, report.run)
        planned = undo(self.accord, chosen, dry=True)
        self._tell.say(f"`accord undo {report.run} --plan`")
        self._tell.steps([s for r in planned if r.plan for s in r.plan.steps])
        self._count(undo(self.accord, chosen))
        there = self.boxes["ben"].location("Supplier visit")
        self._must(there == "Dock 9", "the mailbox is as it was before that run")

    def _end(self) -> None:
        self._tell.scene("What the week came to")
        self._tell.table("All visits together (CRM / mailbox)", list(self._totals.values()))
        self._quiet("The end: everything once more, and nothing is written")
        if (mails := self._server.mails()) is not None:
            self._must(mails == 0, "in the whole week nobody got mail")

    # the small parts

    def _run(self, *names: str, preview_only: bool = False) -> list[Report]:
        links = [link for link in self._links() if not names or link.name in names]
        with self._tell.waiting("synchronizing"):
            if preview_only:
                reports = preview(self.accord, links)
            else:
                reports = sync(self.accord, links, Options(cause="demo"))
        for report in reports:
            if report.error:
                raise DemoFailed(f"{report.name}: {report.error}")
        if not preview_only:
            self._count(reports)
        return reports

    def _count(self, reports: Sequence[Report]) -> None:
        for report in reports:
            whole = self._totals.setdefault(report.name, Report(link=report.link, name=report.name))
            whole.add(report)

    def _show_plan(self, name: str) -> Sequence[Step]:
        (report,) = self._run(name, preview_only=True)
        steps = report.plan.steps if report.plan else ()
        self._tell.say(f"`accord plan {name}`")
        self._tell.steps(steps)
        held = [step for step in steps if isinstance(step, Hold)]
        self._must(not held, "nothing is held")
        return steps

    def _quiet(self, title: str) -> None:
        self._tell.scene(title)
        reports = self._run()
        self._tell.table("What happened (CRM / mailbox)", reports)
        self._must(sum(report.writes for report in reports) == 0, "a further pass writes nothing")

    def _event(self, name: str, title: str) -> Event:
        item = self.desks[name].find(title).item
        if not isinstance(item, Event):
            raise DemoFailed(f"{title!r} is no event")
        return item

    def _journal(self, run: str, step: str) -> int:
        with self.accord.state.read() as tx:
            entries = tx.journal.query(run=run)
        for entry in entries:
            if entry.step == step:
                return entry.id
        raise DemoFailed(f"the journal of run {run} has no {step}")

    def _must(self, holds: bool, claim: str) -> None:
        if not holds:
            raise DemoFailed(f"this isn't so: {claim}")
        self._tell.say(f"✓ {claim}")


def _built_in(accord: Accord) -> Administration:
    if not isinstance(accord.crm, DatabaseCrm):
        raise DemoFailed("the demo needs the built-in CRM")
    return Administration(accord.crm)
