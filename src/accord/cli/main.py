"""The entry point `accord`: finds the command, gives it a Call and turns its end into a code."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Sequence

from accord import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words == ["--version"]:
        print(__version__)
        return 0
    # Loading makes lasting objects; to look them through for garbage again and again takes time,
    # and so it does to look once more when all ends. What runs for long asks for more looks.
    gc.set_threshold(500_000)
    atexit.register(gc.freeze)
    # Only here, so that asking for the version costs nothing.
    from accord.cli.app import make_app
    from accord.cli.commands import NAMES
    from accord.cli.run import run

    called = next((word for word in words if word in NAMES), "")
    return run(make_app(called), words)


if __name__ == "__main__":
    sys.exit(main())
