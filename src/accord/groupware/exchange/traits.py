"""What Exchange can do, as data: it mails only where a request says so, and has a trash.

`adapter.traits` returns it; which fields it carries the codecs say.
"""

from __future__ import annotations

from accord.groupware.exchange.kinds import FORMS, codec
from accord.groupware.exchange.settings import Config
from accord.model.kinds import Kind
from accord.model.traits import KindTraits, Traits


def traits(config: Config) -> Traits:
    """Return the traits of a target; raises ConfigError where exchangelib isn't installed."""
    kinds: dict[Kind, KindTraits] = {kind: codec(kind).traits() for kind in FORMS}
    return Traits(
        adapter="exchange",
        kinds=kinds,
        batch=config.batch,
        page=config.page,
        concurrency=config.concurrency,
        replies=True,
    )
