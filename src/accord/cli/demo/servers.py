"""Which server the demo plays on; each is imported where it is wanted."""

from __future__ import annotations

from contextlib import AbstractContextManager

from accord.cli.demo.place import MailServer, Target


def server_of(target: Target, words: dict[str, str]) -> AbstractContextManager[MailServer]:
    """Return the server; `words` are the people's passwords. Raises PeerMissing."""
    if target == "dav":
        from accord.cli.demo.dav import DavServer

        return DavServer(words)
    from accord.cli.demo.exchange import ExchangeServer

    return ExchangeServer(words)
