"""The start-up settings of `accord run`: the table `[run]` of accord.toml.

Read by `service.config`; `service.run` works by them.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(ge=1, le=604_800)]


class RunSettings(Struct, frozen=True, kw_only=True):
    """Be the table `[run]`; moments are in seconds.

    A folder that is watched is visited every `interval` besides, one that isn't every `poll`, and
    each is listed completely every `full`. The CRM is asked every `feed` what changed there.
    `workers` visits are under way at once. With `interface` CRM.interface is served meanwhile.
    """

    interval: Seconds = 300.0
    poll: Seconds = 60.0
    full: Seconds = 86_400.0
    feed: Annotated[float, Meta(ge=0.05, le=3_600)] = 0.5
    workers: Annotated[int, Meta(ge=1, le=64)] = 4
    interface: bool = False
