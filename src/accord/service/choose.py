"""Choose links by what people type: a link's name or id, a user, or a target.

Commands that work on links begin here.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from accord.ports.errors import ConfigError
from accord.service.accord import Accord
from accord.state.records import Link


def choose(accord: Accord, words: Sequence[str]) -> list[Link]:
    """Return the links that the words name, by name and each once; without words all of them.

    Raises ConfigError for a word that names nothing, and where there are no links at all.
    """
    with accord.state.read() as tx:
        links = tx.links.all()
        targets = {target.id: target.name for target in tx.targets.all()}
    if not links:
        raise ConfigError("there are no links yet", field="link", hint="`accord import` makes them")
    if not words:
        return links
    chosen: dict[str, Link] = {}
    for word in words:
        found = _named(links, targets, word)
        if not found:
            raise ConfigError(f"there is no link {word!r}", field="link", hint=_hint(links, word))
        chosen |= {link.id: link for link in found}
    return sorted(chosen.values(), key=lambda link: link.name)


def _named(links: Sequence[Link], targets: dict[str, str], word: str) -> list[Link]:
    own = [link for link in links if word in (link.name, link.id)]
    if own:
        return own
    return [link for link in links if word in (link.user, link.target, targets.get(link.target))]


def _hint(links: Sequence[Link], word: str) -> str:
    names = [name for link in links for name in (link.name, link.user)]
    close = get_close_matches(word, names, n=1)
    if close:
        return f"did you mean {close[0]}?"
    some = ", ".join(link.name for link in links[:8])
    return f"links there: {some}" + (" …; `accord links` lists all" if len(links) > 8 else "")
