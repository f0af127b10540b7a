"""The job `errors`: what failed is tried again where that may help, the rest is told by cause.

A link's last visit, items that wait, folders that were buried and other jobs are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from accord.ports.errors import AuthFailed, Retry
from accord.ports.queue import Queue, Stage, Urgency
from accord.service.identity import MEANT, own_trouble
from accord.service.jobs.job import STOPPED, Ending, Outcome, Work
from accord.service.notices.causes import Cause, Told, line, shape, stand, veiled
from accord.service.pausing import ALL_PAUSED
from accord.service.roster import Post, read
from accord.service.troubles import LinkTrouble, troubles
from accord.state.jobs import JobRow
from accord.state.records import Cause as Waiting
from accord.state.records import Link
from accord.state.state import Tx

NAME = "errors"
CAUSE = "error check"
_PASSING = (Retry.action, "relist", "replan")
_HELD = (Waiting.HELD, Waiting.UNDO, Waiting.FILE)
_ADVICE = {
    AuthFailed.action: "import the target with the right password; `accord check` tests it",
    Retry.action: "it is tried again by itself; `accord check` says what answers",
    "bug": "report it with the lines of the log",
}


def check_errors(work: Work) -> Outcome:
    """Try again what may do now, and tell what else is wrong."""
    accord = work.accord
    held = own_trouble(accord) is not None
    with accord.state.read() as tx:
        stopped = bool(tx.settings.get("paused", False))
        names = {target.id: target.name for target in tx.targets.all()}
        found = troubles(tx)
        waiting = tx.pending.counted()
        causes = list(_of_jobs(tx, stopped=stopped, held=held))
    roster = read(accord)
    links = {link.id: link for post in roster.posts.values() for link in post.links}
    again = [post for post in roster.posts.values() if _tries(post, found, waiting)]
    causes += _of_links(links, names, found)
    causes += _of_items(links, names, waiting)
    if work.queue is not None:
        causes += _buried(work.queue)
    if stopped:
        hint = "`accord resume --all` lets it go on"
        causes.append(Cause(key="paused", words="everything is paused", hint=hint, passing=True))
    lines = [line(cause) for cause in causes]
    if work.dry:
        words = f"{len(again)} to try again, {len(causes)} to tell"
        return Outcome(words=words, lines=lines)
    _try_again(work, again)
    patience = timedelta(minutes=int(work.options["patience"]))
    told = stand(accord, work.config, NAME, causes, patience, work.fence)
    return _outcome(told, lines, len(again))


def _outcome(told: Told, lines: list[str], again: int) -> Outcome:
    said = [f"{told.standing} wrong" if told.standing else "nothing is wrong"]
    said += [f"{told.told} told"] if told.told else []
    said += [f"{again} tried again"] if again else []
    said += [f"could not be told: {'; '.join(told.failed)}"] if told.failed else []
    hint = "`accord jobs causes` lists it" if told.standing else ""
    return Outcome(
        words=", ".join(said),
        counts={"wrong": told.standing, "told": told.told, "again": again},
        lines=lines,
        failed=len(told.failed),
        changed=bool(told.told),
        hint=hint,
    )


def _tries(
    post: Post, found: Mapping[str, LinkTrouble], waiting: list[tuple[str, Waiting, str, int]]
) -> bool:
    """Tell whether another visit may help; a refused password is not shown again."""
    own = {link.id for link in post.links}
    actions = {found[link].action for link in own & found.keys()}
    if AuthFailed.action in actions:
        return False
    retry = any(link in own and cause is Waiting.RETRY for link, cause, _, _ in waiting)
    return retry or bool(actions & set(_PASSING))


def _try_again(work: Work, posts: list[Post]) -> None:
    """Ask for visits; a folder that is to be left alone for a while still is."""
    for post in posts:
        work.step()
        if work.queue is not None:
            work.queue.ask(post.key, CAUSE, place=post.target, urgency=Urgency.DUE)


def _of_links(
    links: Mapping[str, Link], names: Mapping[str, str], found: Mapping[str, LinkTrouble]
) -> Iterator[Cause]:
    """Yield why links can't be visited, by target and error."""
    grouped: dict[str, Cause] = {}
    for id_, trouble in found.items():
        link = links.get(id_)
        if link is None:
            continue
        passing = trouble.action in _PASSING
        cause = Cause(
            key=f"link/{link.target}/{trouble.action}/{shape(trouble.error)}",
            words=f"on {names[link.target]}: {trouble.error}",
            hint=trouble.hint or _ADVICE.get(trouble.action, ""),
            names=[],
            count=0,
            passing=passing,
        )
        _add(grouped, cause, link.name, 1)
    for cause in grouped.values():
        yield _counted(cause, "link", "can't be visited")


def _of_items(
    links: Mapping[str, Link],
    names: Mapping[str, str],
    waiting: list[tuple[str, Waiting, str, int]],
) -> Iterator[Cause]:
    """Yield why items wait: refused ones by their reason, held ones and conflicts by target."""
    grouped: dict[str, Cause] = {}
    for id_, pending, why, number in waiting:
        link = links.get(id_)
        if link is None:
            continue
        target = names[link.target]
        what, words = str(pending), f"on {target}: {veiled(why)}"
        hint = "`accord check` lists them"
        if pending in _HELD:
            what, words, hint = "held", f"on {target}: they wait for approval", "`accord held`"
        elif pending is Waiting.CONFLICT:
            words, hint = (
                f"on {target}: both sides changed, and nobody decided",
                "`accord conflicts`",
            )
        key = f"item/{link.target}/{what}/{shape(words)}"
        passing = pending is Waiting.RETRY
        cause = Cause(key=key, words=words, hint=hint, names=[], count=0, passing=passing)
        _add(grouped, cause, link.name, number)
    for cause in grouped.values():
        yield _counted(cause, "item", "")


def _buried(queue: Queue) -> Iterator[Cause]:
    """Yield why folders are visited no more."""
    grouped: dict[str, Cause] = {}
    for entry in queue.entries(Stage.BURIED):
        hint = "`accord queue buried` lists them, `accord queue revive` visits them again"
        key = f"buried/{shape(entry.why)}"
        cause = Cause(key=key, words=f"buried: {entry.why}", hint=hint, names=[], count=0)
        _add(grouped, cause, entry.folder, 1)
    for cause in grouped.values():
        yield _counted(cause, "folder", "")


def _of_jobs(tx: Tx, *, stopped: bool, held: bool) -> Iterator[Cause]:
    """Yield why other jobs ended badly.

    While all is `stopped`, or `held` for the sake of Accord's own database, some can't do anything;
    what they said then is no trouble of theirs, and nobody's once that is over.
    """
    grouped: dict[str, Cause] = {}
    for row in tx.jobs.all().values():
        bad = _bad(row, stopped=stopped, held=held)
        if bad is not None and row.enabled and row.name != NAME:
            words, hint = bad
            cause = Cause(key=_key(row, words), words=words, hint=hint, names=[], count=0)
            _add(grouped, cause, row.name, 1)
    for cause in grouped.values():
        cause.words = f"job {', '.join(cause.names)}: {cause.words}"
        yield cause


def _key(row: JobRow, words: str) -> str:
    """Return what tells one cause from another.

    A job that counts did the rest of its work: its words change with what went well, what is to be
    done about it doesn't. Where a job ended early, others may have for the same reason.
    """
    if row.ending == Ending.FAILED and row.counts and words == row.words:
        return f"job/{row.name}/{shape(row.hint)}"
    return f"job/{shape(words)}"


def _bad(row: JobRow, *, stopped: bool, held: bool) -> tuple[str, str] | None:
    """Return what is wrong with a job and what to do, None if nothing is."""
    if row.attempts > 1:
        # What stands in the row is of its last ending, and it was begun since.
        return "processes ended in the middle of it", "the log tells of what they did last"
    over = row.words == ALL_PAUSED or (row.hint == MEANT and not held)
    unable = row.ending == Ending.UNABLE and not stopped and not over
    given_up = row.ending == Ending.CUT_OFF and row.ended is not None and row.words != STOPPED
    if unable or given_up or row.ending == Ending.FAILED:
        return row.words, row.hint
    return None


def _add(grouped: dict[str, Cause], cause: Cause, name: str, count: int) -> None:
    one = grouped.setdefault(cause.key, cause)
    one.count += count
    if name not in one.names:
        one.names.append(name)


def _counted(cause: Cause, one: str, verb: str) -> Cause:
    noun = one if cause.count == 1 else f"{one}s"
    cause.words = " ".join(filter(None, [f"{cause.count:,} {noun}", verb, cause.words]))
    return cause
