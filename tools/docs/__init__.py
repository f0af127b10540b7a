"""The generated pages by their paths; `python -m tools.docs` writes them, a test compares."""

from __future__ import annotations

from collections.abc import Callable

from accord.rules import reference
from bench.scale import capacity
from tools.docs import commands, conversation, settings

GENERATED: dict[str, Callable[[], str]] = {
    "docs/rules.md": reference.render,
    "docs/commands.md": commands.render,
    "docs/settings.md": settings.render,
    "docs/conversation.md": conversation.render,
    "docs/capacity.md": capacity.render,
    "README.md": capacity.readme,
}
