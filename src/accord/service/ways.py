"""How each mailbox is watched just now: told where it changes, and noted for all who visit.

Kept by `run`; whoever visits a mailbox that nobody hears of comes back sooner.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import TypeAlias

from accord.ports.fault import contained
from accord.ports.watcher import POLL, Watch, Way
from accord.service.listen import Ears
from accord.state.records import Watched
from accord.state.state import State

Mailbox: TypeAlias = tuple[str, str]
"""A target's id and a principal there."""

# As all that `run` does and no visit, it is logged by that name.
_log = logging.getLogger("accord.service.run")


class Ways:
    """Keep how mailboxes are watched by this process; calls come from the thread of `run`."""

    def __init__(
        self,
        state: State,
        me: str,
        ears: Ears,
        tell: Callable[[Mailbox, Way], None],
        unheard: Callable[[Mailbox], None],
    ) -> None:
        """Know of nobody yet; `me` is this process, `unheard` takes whom it hears of no more."""
        self._state, self._me, self._ears = state, me, ears
        self._tell, self._unheard = tell, unheard
        self._ways: dict[Mailbox, Way] = {}
        self._turns: dict[str, tuple[Watch, int]] = {}

    def tell(self) -> None:
        """Tell, and note for all who visit, who is watched in another way than before."""
        # Before the ways: what changes meanwhile is told next time.
        turns = self._ears.turns()
        if turns == self._turns:
            return
        ways = {
            (target, who): way
            for target, some in self._ears.ways().items()
            for who, way in some.items()
        }
        news = {each: way for each, way in ways.items() if self._ways.get(each) != way}
        gone = self._ways.keys() - ways.keys()
        try:
            if news or gone:
                self._note(news, gone)
            for mailbox in [each for each, way in news.items() if way.name == POLL]:
                if mailbox in self._ways:
                    self._unheard(mailbox)
        except Exception as error:  # noqa: BLE001 (the edge: it is tried again soon)
            trouble = contained(error, "noting who is watched")
            _log.warning("run.ways", extra={"why": str(trouble)})
            return
        self._ways, self._turns = ways, turns
        for mailbox, way in news.items():
            self._tell(mailbox, way)

    def keep(self) -> None:
        """Note once more who is watched where that was lost: others may have taken us for gone."""
        try:
            with self._state.read() as tx:
                noted = tx.watches.count(self._me)
            if noted < len(self._ways):
                with self._state.begin(durable=False) as tx:
                    tx.watches.put_back(self._me, _watched(self._ways))
        except Exception as error:  # noqa: BLE001 (the edge: it is tried again soon)
            contained(error, "looking whether it is noted who is watched")

    def _note(self, news: Mapping[Mailbox, Way], gone: Collection[Mailbox]) -> None:
        with self._state.begin(durable=False) as tx:
            tx.watches.put(self._me, _watched(news))
            tx.watches.remove(self._me, gone)


def _watched(ways: Mapping[Mailbox, Way]) -> list[Watched]:
    return [
        Watched(target=target, principal=who, way=way.name, why=way.why)
        for (target, who), way in ways.items()
    ]
