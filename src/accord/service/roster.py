"""The folders that links work in, as places to visit and to watch; read anew while all runs.

`run` compares one roster with the next; `listen` finds in it whom a hint concerns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from accord.model.kinds import Kind
from accord.ports.watcher import Watched
from accord.service.accord import Accord
from accord.service.ends import groupware_kind
from accord.service.opening import FOLDERS, folder_key
from accord.state.records import Link, Target


class Post(Struct, frozen=True, kw_only=True):
    """Be one folder of one mailbox and the links on it; the folder is empty until it is known."""

    key: str
    target: str
    principal: str
    folder: str
    links: tuple[Link, ...]


class Roster:
    """Be all folders with links that may write or observe, and how to find them."""

    def __init__(
        self, posts: Iterable[Post], targets: Iterable[Target], told: object = None
    ) -> None:
        """Take what was read at one moment; `told` is what the database said then."""
        self.told = told
        self.posts = {post.key: post for post in posts}
        self.targets = {target.id: target for target in targets}
        self._by_user: dict[tuple[str, Kind], list[str]] = {}
        self._by_mailbox: dict[tuple[str, str], list[str]] = {}
        for post in self.posts.values():
            self._by_mailbox.setdefault((post.target, post.principal), []).append(post.key)
            for link in post.links:
                self._by_user.setdefault((link.user, link.kind), []).append(post.key)
        self._mailboxes: dict[str, list[str]] = {}
        for target, principal in sorted(self._by_mailbox):
            self._mailboxes.setdefault(target, []).append(principal)

    def of_user(self, user: str, kind: Kind) -> list[str]:
        """Return the folders with which a user's records of a kind are kept in agreement."""
        return self._by_user.get((user, kind), [])

    def of_mailbox(self, target: str, principal: str, folder: str = "") -> list[str]:
        """Return a mailbox's folders, or those of one id; which aren't known yet belong along."""
        keys = self._by_mailbox.get((target, principal), [])
        return [key for key in keys if not folder or self.posts[key].folder in ("", folder)]

    def mailboxes(self) -> Mapping[str, Sequence[str]]:
        """Return the mailboxes of each target, the least of them first."""
        return self._mailboxes

    def watched(self, target: str, principals: Iterable[str]) -> list[Watched]:
        """Return what is to be watched of mailboxes on a target: the folders that are known."""
        found: list[Watched] = []
        for who in principals:
            posts = [self.posts[key] for key in self._by_mailbox.get((target, who), ())]
            if folders := frozenset(post.folder for post in posts if post.folder):
                found.append(Watched(principal=who, folders=folders))
        return found


def read(accord: Accord, before: Roster | None = None) -> Roster:
    """Return the roster as links and targets stand now; without those that are paused.

    That is `before` itself where nothing has changed since: it is asked every few seconds, and to
    make thousands of posts takes four times as long as to see that they are the same.
    """
    with accord.state.read() as tx:
        paused = tx.settings.get("paused", False)
        rows = () if paused else tx.links.rows()
        known = {} if paused else tx.settings.under(FOLDERS)
        targets = tx.targets.all()
        # All rows of thousands of links would take as much memory as the links themselves.
        told = (blake2b(msgspec.msgpack.encode((rows, known))).digest(), targets)
        if before is not None and before.told == told:
            return before
        links = [] if paused else tx.links.all()
    return Roster(_posts(links, known), targets, told)


def renamed(accord: Accord, post: Post) -> Post:
    """Return a folder by the name it goes by since it is known, if that is so by now."""
    if post.folder:
        return post
    with accord.state.read() as tx:
        known = {key: tx.settings.get(key, "") for key in map(folder_key, post.links)}
    found = _posts(post.links, known)
    return found[0] if len(found) == 1 else post


def _posts(links: Sequence[Link], known: Mapping[str, Any]) -> list[Post]:
    grouped: dict[str, list[Link]] = {}
    folders = {link.id: str(known.get(folder_key(link), "")) for link in links}
    for link in links:
        if not link.paused:
            grouped.setdefault(_key(link, folders[link.id]), []).append(link)
    return [
        Post(
            key=key,
            target=some[0].target,
            principal=some[0].principal,
            folder=folders[some[0].id],
            links=tuple(some),
        )
        for key, some in grouped.items()
    ]


def target_of(key: str) -> str:
    """Return the id of the target on which a folder of that name is."""
    return key.partition("/")[0]


def _key(link: Link, known: str) -> str:
    """Return one name for all links on one folder: by its id, before that by what they call it."""
    folder = f"={known}" if known else f"?{link.folder}"
    return f"{link.target}/{link.principal}/{groupware_kind(link.kind)}/{folder}"
