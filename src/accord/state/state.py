"""The way into state: one transaction, and a repository per noun in it.

Opened by the composition root; the service's commits all happen in `State.begin`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from accord.db import Database, migrate
from accord.db import Tx as Transaction
from accord.ports.clock import Clock, system_clock
from accord.ports.errors import ConfigError
from accord.state.blobs import Blobs
from accord.state.claims import Claims
from accord.state.context import Context
from accord.state.cursors import Cursors
from accord.state.decisions import Decisions
from accord.state.device_items import DeviceAnchors, DeviceItems
from accord.state.devices import DeviceNonces, Devices, DeviceSecrets
from accord.state.files import Files
from accord.state.instances import Instances
from accord.state.intents import Intents
from accord.state.jobs import Causes, Jobs
from accord.state.journal import Journal
from accord.state.leases import Leases
from accord.state.links import Links
from accord.state.pairings import Pairings
from accord.state.pending import PendingChanges
from accord.state.persons import Consents, Erasures, Preferences
from accord.state.processes import Processes, Watches
from accord.state.purging import Purge, Purged
from accord.state.renewals import Renewals
from accord.state.replies import KeptReplies
from accord.state.rotate import reseal
from accord.state.rules import Rules
from accord.state.runs import Runs
from accord.state.secrets import FileKeys, Keys
from accord.state.settings import Settings
from accord.state.sync_sessions import SyncLog, SyncSessions
from accord.state.targets import Targets
from accord.state.templates import GivenLinks, Handovers, Templates
from accord.state.token_keys import TokenKeys
from accord.state.token_log import Failures, TokenLog
from accord.state.token_marks import Revocations, TokenUses
from accord.state.windows import Windows

T = TypeVar("T")


class Tx:
    """Be one transaction on state; never keep it open while talking to a side."""

    def __init__(self, context: Context) -> None:
        """Keep the surroundings of the repositories."""
        self.context = context
        self.db = context.db

    @cached_property
    def blobs(self) -> Blobs:
        """Return content-addressed bytes."""
        return Blobs(self.context)

    @cached_property
    def causes(self) -> Causes:
        """Return what is wrong, and who was told."""
        return Causes(self.context)

    @cached_property
    def claims(self) -> Claims:
        """Return meeting claims."""
        return Claims(self.context)

    @cached_property
    def consents(self) -> Consents:
        """Return what users agreed to."""
        return Consents(self.context)

    @cached_property
    def cursors(self) -> Cursors:
        """Return where pulls ended."""
        return Cursors(self.context)

    @cached_property
    def decisions(self) -> Decisions:
        """Return the last decision per ref."""
        return Decisions(self.context)

    @cached_property
    def device_anchors(self) -> DeviceAnchors:
        """Return where devices' syncs ended."""
        return DeviceAnchors(self.context)

    @cached_property
    def device_items(self) -> DeviceItems:
        """Return what devices hold."""
        return DeviceItems(self.context, self.blobs)

    @cached_property
    def device_nonces(self) -> DeviceNonces:
        """Return what devices make their proofs with."""
        return DeviceNonces(self.context)

    @cached_property
    def device_secrets(self) -> DeviceSecrets:
        """Return the tokens that devices prove to have."""
        return DeviceSecrets(self.context)

    @cached_property
    def devices(self) -> Devices:
        """Return what devices are."""
        return Devices(self.context)

    @cached_property
    def erasures(self) -> Erasures:
        """Return whom to erase."""
        return Erasures(self.context)

    @cached_property
    def failures(self) -> Failures:
        """Return how often tokens failed."""
        return Failures(self.context)

    @cached_property
    def files(self) -> Files:
        """Return what is known of files on paired items."""
        return Files(self.context)

    @cached_property
    def given_links(self) -> GivenLinks:
        """Return which links templates made."""
        return GivenLinks(self.context)

    @cached_property
    def handovers(self) -> Handovers:
        """Return what leavers' successors are offered."""
        return Handovers(self.context)

    @cached_property
    def instances(self) -> Instances:
        """Return which systems the sides are."""
        return Instances(self.context)

    @cached_property
    def intents(self) -> Intents:
        """Return writes about to happen."""
        return Intents(self.context)

    @cached_property
    def jobs(self) -> Jobs:
        """Return the service's jobs."""
        return Jobs(self.context)

    @cached_property
    def journal(self) -> Journal:
        """Return what was done."""
        return Journal(self.context, self.blobs)

    @cached_property
    def leases(self) -> Leases:
        """Return rights to work alone."""
        return Leases(self.context)

    @cached_property
    def links(self) -> Links:
        """Return links."""
        return Links(self.context)

    @cached_property
    def pairings(self) -> Pairings:
        """Return what agrees."""
        return Pairings(self.context, self.blobs)

    @cached_property
    def pending(self) -> PendingChanges:
        """Return changes that wait."""
        return PendingChanges(self.context)

    @cached_property
    def preferences(self) -> Preferences:
        """Return what users chose for themselves."""
        return Preferences(self.context)

    @cached_property
    def processes(self) -> Processes:
        """Return the service's processes."""
        return Processes(self.context)

    @cached_property
    def replies(self) -> KeptReplies:
        """Return what is kept of mailboxes' automatic replies."""
        return KeptReplies(self.context)

    @cached_property
    def renewals(self) -> Renewals:
        """Return secrets that servers replaced."""
        return Renewals(self.context)

    @cached_property
    def revocations(self) -> Revocations:
        """Return which tokens no longer hold."""
        return Revocations(self.context)

    @cached_property
    def rules(self) -> Rules:
        """Return rule versions."""
        return Rules(self.context)

    @cached_property
    def runs(self) -> Runs:
        """Return visits."""
        return Runs(self.context)

    @cached_property
    def settings(self) -> Settings:
        """Return settings of the whole installation."""
        return Settings(self.context)

    @cached_property
    def sync_log(self) -> SyncLog:
        """Return what devices' syncs did."""
        return SyncLog(self.context)

    @cached_property
    def sync_sessions(self) -> SyncSessions:
        """Return conversations with devices."""
        return SyncSessions(self.context)

    @cached_property
    def targets(self) -> Targets:
        """Return targets."""
        return Targets(self.context)

    @cached_property
    def templates(self) -> Templates:
        """Return link templates."""
        return Templates(self.context)

    @cached_property
    def token_keys(self) -> TokenKeys:
        """Return what signs tokens."""
        return TokenKeys(self.context)

    @cached_property
    def token_log(self) -> TokenLog:
        """Return what happened to tokens."""
        return TokenLog(self.context)

    @cached_property
    def token_uses(self) -> TokenUses:
        """Return which tokens are used up."""
        return TokenUses(self.context)

    @cached_property
    def watches(self) -> Watches:
        """Return how mailboxes are watched."""
        return Watches(self.context)

    @cached_property
    def windows(self) -> Windows:
        """Return when refs enter or leave the window."""
        return Windows(self.context)


class State:
    """Be everything Accord remembers, in one database."""

    def __init__(
        self, database: Database, keys: Keys | Path | None = None, clock: Clock = system_clock
    ) -> None:
        """Bring the tables up to date and take the keys, or those of a file (made if missing).

        Without `keys` neither secrets nor private items can be stored. Raises TooNew for
        a database of a newer Accord, ConfigError for an unusable key file.
        """
        self.database = database
        self.clock = clock
        self.keys = FileKeys(keys) if isinstance(keys, Path) else keys
        migrate(database, "accord.state")

    @property
    def shared(self) -> bool:
        """Tell whether the database may go down while those who work with it go on.

        A file goes down with them all. So what they only tell each other needs not outlast that
        (`durable`), nor what a visit would find anew; on a server a lease, for one, has to.
        """
        return self.database.dialect != "sqlite"

    @contextmanager
    def begin(self, *, durable: bool = True) -> Iterator[Tx]:
        """Open a writing transaction; commits at the end, rolls back on any error.

        With `durable` false a power cut may lose the commit: fit for what can be done again.
        Raises what `Database.begin` raises.
        """
        with self.database.begin(durable=durable) as transaction:
            yield self._tx(transaction)

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """Open a transaction that only reads and never waits for writers."""
        with self.database.read() as transaction:
            yield self._tx(transaction)

    def run(self, work: Callable[[Tx], T], *, durable: bool = True) -> T:
        """Do `work` in a writing transaction, again where others were in the way."""
        return self.database.run(lambda inner: work(self._tx(inner)), durable=durable)

    def rotate_keys(self, *, retire: bool = False) -> int:
        """Make a new key and encrypt everything under it anew; return how many values.

        With `retire` the older keys leave the key file afterwards. Processes that run notice
        the new key at their next transaction. Keys of a program are made and retired by whoever
        manages them: here the newest one is taken. Raises ConfigError without keys.
        """
        if self.keys is None:
            raise ConfigError("there is no key", field="key_file", hint="name a key file first")
        self.keys.add()
        count = reseal(self._context)
        if retire:
            # Once more, for what others wrote between reading the file and committing.
            count += reseal(self._context)
            self.keys.retire()
        return count

    def purge(
        self,
        known: Callable[[str], bool],
        asked: Callable[[str], bool] | None = None,
        *,
        empty: bool = False,
    ) -> Purged:
        """Take people out of everything, while others go on; `known` tells what is theirs.

        Where only one of them is asked for, `asked` tells whose entries are counted, and whose
        mentions that stay. With `empty` pairs of erased records stay, without content.
        """
        purged = Purge(self._reading, self._context, known, asked, empty=empty).purge()
        self.database.empty_log()
        return purged

    def _tx(self, transaction: Transaction) -> Tx:
        if self.keys is not None:
            self.keys.refresh()
        return Tx(Context(transaction, self.clock, self.keys))

    @contextmanager
    def _context(self) -> Iterator[Context]:
        with self.begin() as tx:
            yield tx.context

    @contextmanager
    def _reading(self) -> Iterator[Context]:
        with self.read() as tx:
            yield tx.context
