"""What a visit did, counted per link and side; `accord sync --json` prints exactly this."""

from __future__ import annotations

from msgspec import Struct, field

from accord.engine.plan import (
    FAILED,
    WITHHELD,
    Conflict,
    Create,
    Delete,
    Hold,
    Pair,
    Plan,
    Refile,
    Skip,
    Unpair,
    Update,
)
from accord.engine.replies import Act
from accord.model.diff import FieldChange
from accord.model.kinds import Side
from accord.ports.errors import AccordError, AuthFailed, Busy, ConfigError, Retry
from accord.ports.mailbox_state import ADVICE, MailboxState


class Replied(Struct, frozen=True, kw_only=True):
    """Say what became of a mailbox's automatic replies, or would; `fields` are what changes.

    `error` says why a change could not be made.
    """

    act: Act
    why: str
    fields: tuple[FieldChange, ...] = ()
    error: str = ""

    def as_json(self) -> dict[str, str]:
        """Return what may stand in logs and runs: no texts, which are kept only encrypted."""
        return {"act": self.act, "why": self.why, "error": self.error}


class Counts(Struct, kw_only=True):
    """Count what was done on one side, and what became of its items.

    A pair, one let go and a conflict count on both sides, for each has an item of it. What is
    held counts on the side that it would write on.
    """

    created: int = 0
    updated: int = 0
    deleted: int = 0
    paired: int = 0
    unpaired: int = 0
    skipped: int = 0
    held: int = 0
    conflicts: int = 0
    failed: int = 0


_ADDED = (
    "paired",
    "unpaired",
    "held",
    "conflicts",
    "clashes",
    "unreadable",
    "withheld",
    "unruled",
    "files",
    "requests",
    "seconds",
)


class Report(Struct, kw_only=True):
    """Be the outcome of one link's visit.

    `paired`, `unpaired`, `held`, `conflicts` and `clashes` count each thing once, whichever sides
    it concerns: `conflicts` wait for somebody, `clashes` were settled by the rule. `unreadable`
    were met in a form that can't be read, and left alone, `withheld` can't be held by the target;
    `unruled` are those of the failed that the rule can't be applied to.
    `files` were hung on items, taken off or replaced. `requests` and `seconds` are the link's
    share: what served several links is split among them, so that all reports of a run add up to
    what was really spent.
    `error` says why the visit ended early, `action` what to do about it, `hint` how, `state` the
    name of a state that the mailbox as a whole is in, `everybody` that the whole target is
    concerned, `after` how many seconds to wait, and `told` that it said so; `busy` that another run
    is at work in the folder, and that this one left it to that; `paused` that somebody told it to
    rest. Of a link that is only `observed` nothing was written, and the counts say what would be.
    `left` says what of a decision or an undo was not done, and why, `refused` names the items that
    a side has refused to change before, and still does, `waiting` counts what waits for approval
    now, whenever it was held. `replies` is what became of the mailbox's
    automatic replies.
    """

    link: str
    name: str = ""
    run: str = ""
    crm: Counts = field(default_factory=Counts)
    groupware: Counts = field(default_factory=Counts)
    paired: int = 0
    unpaired: int = 0
    held: int = 0
    conflicts: int = 0
    clashes: int = 0
    unreadable: int = 0
    withheld: int = 0
    unruled: int = 0
    files: int = 0
    requests: int = 0
    seconds: float = 0.0
    error: str = ""
    action: str = ""
    hint: str = ""
    after: float = 0.0
    told: bool = False
    everybody: bool = False
    state: str = ""
    busy: bool = False
    paused: bool = False
    observed: bool = False
    left: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    waiting: int = 0
    plan: Plan | None = None
    replies: Replied | None = None

    def side(self, side: Side) -> Counts:
        """Return one side's counts."""
        return self.crm if side is Side.CRM else self.groupware

    @property
    def writes(self) -> int:
        """Return how many items were written on either side."""
        return sum(c.created + c.updated + c.deleted for c in (self.crm, self.groupware))

    @property
    def failed(self) -> int:
        """Return how many items failed on either side."""
        return self.crm.failed + self.groupware.failed

    def add(self, other: Report) -> None:
        """Add the counts of another visit to these."""
        for side in Side:
            mine, theirs = self.side(side), other.side(side)
            for name in theirs.__struct_fields__:
                setattr(mine, name, getattr(mine, name) + getattr(theirs, name))
        for name in _ADDED:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def fail(self, error: AccordError) -> None:
        """Say why the visit ended, and what to do about it."""
        self.error = str(error)
        self.action = error.action
        self.busy = isinstance(error, Busy)
        self.after = error.after if isinstance(error, Retry | AuthFailed) else 0.0
        self.told = isinstance(error, Retry) and error.told
        self.everybody = isinstance(error, Retry) and error.everybody
        self.hint = error.hint if isinstance(error, ConfigError | AuthFailed) else ""
        self.paused = isinstance(error, ConfigError) and error.field in ("paused", "mode")
        self.state = error.state
        if error.state and not self.hint:
            self.hint = ADVICE[MailboxState(error.state)]

    def count_planned(self, plan: Plan) -> None:
        """Count a plan as if all of it succeeded, for a preview."""
        for step in plan.steps:
            match step:
                case Create(side=side):
                    self.side(side).created += 1
                case Update(side=side):
                    self.side(side).updated += 1
                case Delete(side=side):
                    self.side(side).deleted += 1
                case Skip():
                    self.count_skip(step)
                case Refile():
                    self.files += 1
                case Pair():
                    self.count_both("paired")
                case Unpair():
                    self.count_both("unpaired")
                case Conflict():
                    self.count_conflict(step)
                case Hold():
                    self.count_held(step)

    def count_both(self, name: str, count: int = 1) -> None:
        """Count what both sides have a part in: `paired`, `unpaired` or `conflicts`."""
        for counts in (self, self.crm, self.groupware):
            setattr(counts, name, getattr(counts, name) + count)

    def count_skip(self, step: Skip) -> None:
        """Count what is left alone, and why where somebody should know."""
        self.side(step.side).skipped += 1
        self.unreadable += step.name == "unreadable"
        self.withheld += step.name == WITHHELD
        if step.name == FAILED:
            self.side(step.side).failed += 1
            self.unruled += 1

    def count_conflict(self, step: Conflict) -> None:
        """Count a conflict that waits for somebody, or a clash that was settled."""
        if step.winner is None:
            self.count_both("conflicts")
        else:
            self.clashes += 1

    def count_held(self, step: Hold) -> None:
        """Count what waits for approval, on the side where it would be done."""
        if isinstance(step.held, Unpair):
            self.count_both("held")
            return
        self.held += 1
        self.side(step.held.side).held += 1

    def as_json(self) -> dict[str, object]:
        """Return what machines read; the plan has a view of its own."""
        sides = {
            str(side): {name: getattr(self.side(side), name) for name in Counts.__struct_fields__}
            for side in Side
        }
        return {
            "link": self.name or self.link,
            "id": self.link,
            "run": self.run,
            **sides,
            "paired": self.paired,
            "unpaired": self.unpaired,
            "held": self.held,
            "waiting": self.waiting,
            "conflicts": self.conflicts,
            "clashes": self.clashes,
            "unreadable": self.unreadable,
            "withheld": self.withheld,
            "unruled": self.unruled,
            "files": self.files,
            "failed": self.failed,
            "requests": self.requests,
            "seconds": round(self.seconds, 3),
            "error": self.error,
            "action": self.action,
            "hint": self.hint,
            **({"state": self.state} if self.state else {}),
            **({"busy": True} if self.busy else {}),
            **({"observed": True} if self.observed else {}),
            **({"left": self.left} if self.left else {}),
            **({"refused": self.refused} if self.refused else {}),
            **({"replies": self.replies.as_json()} if self.replies else {}),
        }
