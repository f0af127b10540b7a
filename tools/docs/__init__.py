"""The generated pages of docs/, by name; `python -m tools.docs` writes them, a test compares."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from accord.rules import reference
from bench.scale import capacity
from tools.docs import commands, conversation, settings

FOLDER = Path(__file__).resolve().parents[2] / "docs"

GENERATED: dict[str, Callable[[], str]] = {
    "rules.md": reference.render,
    "commands.md": commands.render,
    "settings.md": settings.render,
    "conversation.md": conversation.render,
    "capacity.md": capacity.render,
}
