"""What Exchange can do, as data: it mails only where a request says so, and has a trash.

`adapter.traits` returns it; which fields it carries the codecs say.
"""

from __future__ import annotations

from accord.groupware.exchange.kinds import FORMS, codec
from accord.groupware.exchange.settings import Config
from accord.model.kinds import Kind
from accord.model.traits import KindTraits, Traits

AT_ONCE = 4
"""How many requests one batch of writes fills: while one is answered, the next is made.

A folder's lease is renewed with each batch, so that more of them would need a longer one.
"""


def traits(config: Config) -> Traits:
    """Return the traits of a target; raises ConfigError where exchangelib isn't installed."""
    kinds: dict[Kind, KindTraits] = {kind: codec(kind).traits() for kind in FORMS}
    return Traits(
        adapter="exchange",
        kinds=kinds,
        batch=config.batch * min(AT_ONCE, config.concurrency),
        page=config.page,
        concurrency=config.concurrency,
        replies=True,
    )
