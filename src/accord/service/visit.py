"""One link during one visit: everything gathering, deciding and applying need.

Made by `sync`, read by `cases`, `apply`, `recover`, `undo`; holds no decisions itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from msgspec import Struct

from accord.engine.plan import Step
from accord.engine.policy import Policy
from accord.engine.reconcile import Case
from accord.model.kinds import Side
from accord.ports.adapter import People
from accord.rules.rule import Rule
from accord.service.ends import End, place_of
from accord.state.records import Lease, Link
from accord.state.state import State

T = TypeVar("T")

Progress = Callable[[str, int, int], None]
"""Be told the phase (`reading`, `writing`), how much is done and how much there is (0: unknown)."""


class Stance(StrEnum):
    """Say what a visit may do."""

    DRY = "dry"
    """Look, and leave no trace."""
    OBSERVING = "observing"
    """Plan and keep a run of it, and write on neither side: the link observes."""
    WRITING = "writing"


class Decided(Struct, frozen=True, kw_only=True):
    """Be one case with the steps the engine took it to.

    `rule` is the version to which the steps bring the pair, or under which they make one, where
    that isn't its own or the one in force. `anew` says that more is to be decided once they are
    done: what the changed rule brings.
    """

    case: Case
    steps: tuple[Step, ...]
    rule: str = ""
    anew: bool = False


class Visit(Struct, kw_only=True):
    """Hold one link's visit.

    `policies` has one per rule version that pairings still stand under, `policy` the active
    one. `instance` is the CRM's. Only a visit of the `stance` to write has a `lease`. While
    `activating`, the rule has just changed and pairs move to its new version; `settled` is the
    version that the last whole visit went by. A `full` visit
    lists everything and looks at what it skipped again, one that looks `anew` at everything.
    `withdrawn` are pairings whose private content the owner agrees no longer to share.
    A `parting` visit takes its link's copies away, although the link is paused. `approved` are
    fingerprints of steps that somebody said yes to, for this visit alone.
    `told` is the journal's entry up to which the last whole visit's pull told what became of
    what came, and that visit's run. `cursors` are where the last pull of each side ended.
    """

    state: State
    link: Link
    run: str
    rule: Rule
    policy: Policy
    policies: dict[str, Policy]
    crm: End
    groupware: End
    instance: str
    people: People
    stance: Stance
    lease: Lease | None
    now: datetime
    progress: Progress
    activating: bool = False
    settled: str = ""
    anew: bool = False
    full: bool = False
    withdrawn: frozenset[str] = frozenset()
    parting: bool = False
    approved: frozenset[str] = frozenset()
    told: tuple[int, str] | None = None
    cursors: Mapping[Side, str] = {}

    @property
    def writes(self) -> bool:
        """Tell whether anything may be written, on a side or about one."""
        return self.stance is Stance.WRITING

    def policy_under(self, rule: str) -> Policy:
        """Return the policy that a pair goes by which stands under a version of the rule.

        Where that version can't be applied any more, it is the active one's.
        """
        return self.policies.get(rule, self.policy)

    def end(self, side: Side) -> End:
        """Return one end."""
        return self.crm if side is Side.CRM else self.groupware

    def place(self, side: Side) -> str:
        """Return the name of what is read on one side, as cursors know it."""
        return place_of(self.link, side, self.end(side).folder)

    def knowing(self, policies: dict[str, Policy]) -> None:
        """Replace the policies, once the facts are gathered."""
        self.policies = policies
        self.policy = policies[self.rule.version]


def chunks(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Return `items` in pieces of at most `size`."""
    return [items[start : start + size] for start in range(0, len(items), max(size, 1))]
