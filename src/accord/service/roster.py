"""The folders that links work in, as places to visit and to watch; read anew while all runs.

`run` compares one roster with the next; `listen` finds in it whom a hint concerns.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from accord.model.kinds import Kind
from accord.ports.watcher import Watched
from accord.service.accord import Accord
from accord.service.ends import groupware_kind
from accord.service.opening import folder_key
from accord.state.records import Link, Target

_AT_ONCE = 500


class Post(Struct, frozen=True, kw_only=True):
    """Be one folder of one mailbox and the links on it; the folder is empty until it is known."""

    key: str
    target: str
    principal: str
    folder: str
    links: tuple[Link, ...]


class Roster:
    """Be all folders with links that may write or observe, and how to find them."""

    def __init__(self, posts: Iterable[Post], targets: Iterable[Target]) -> None:
        """Take what was read at one moment."""
        self.posts = {post.key: post for post in posts}
        self.targets = {target.id: target for target in targets}
        self._by_user: dict[tuple[str, Kind], list[str]] = {}
        self._by_mailbox: dict[tuple[str, str], list[str]] = {}
        for post in self.posts.values():
            self._by_mailbox.setdefault((post.target, post.principal), []).append(post.key)
            for link in post.links:
                self._by_user.setdefault((link.user, link.kind), []).append(post.key)

    def of_user(self, user: str, kind: Kind) -> list[str]:
        """Return the folders with which a user's records of a kind are kept in agreement."""
        return self._by_user.get((user, kind), [])

    def of_mailbox(self, target: str, principal: str, folder: str = "") -> list[str]:
        """Return a mailbox's folders, or those of one id; which aren't known yet belong along."""
        keys = self._by_mailbox.get((target, principal), [])
        return [key for key in keys if not folder or self.posts[key].folder in ("", folder)]

    def watched(self, target: str) -> list[Watched]:
        """Return what is to be watched on a target: the folders that are known."""
        found: dict[str, set[str]] = {}
        for post in self.posts.values():
            if post.target == target and post.folder:
                found.setdefault(post.principal, set()).add(post.folder)
        return [
            Watched(principal=who, folders=frozenset(some)) for who, some in sorted(found.items())
        ]


def read(accord: Accord) -> Roster:
    """Return the roster as links and targets stand now; without those that are paused."""
    with accord.state.read() as tx:
        links = [] if tx.settings.get("paused", False) else tx.links.all()
        links = [link for link in links if not link.paused]
        targets = tx.targets.all()
        known: dict[str, str] = {}
        for start in range(0, len(links), _AT_ONCE):
            some = links[start : start + _AT_ONCE]
            kept = tx.settings.some(*[folder_key(link) for link in some])
            known |= {link.id: str(kept.get(folder_key(link), "")) for link in some}
    grouped: dict[str, list[Link]] = {}
    for link in links:
        grouped.setdefault(_key(link, known[link.id]), []).append(link)
    posts = [
        Post(
            key=key,
            target=some[0].target,
            principal=some[0].principal,
            folder=known[some[0].id],
            links=tuple(some),
        )
        for key, some in grouped.items()
    ]
    return Roster(posts, targets)


def target_of(key: str) -> str:
    """Return the id of the target on which a folder of that name is."""
    return key.partition("/")[0]


def _key(link: Link, known: str) -> str:
    """Return one name for all links on one folder: by its id, before that by what they call it."""
    folder = f"={known}" if known else f"?{link.folder}"
    return f"{link.target}/{link.principal}/{groupware_kind(link.kind)}/{folder}"
