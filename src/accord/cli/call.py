"""One call of the command line: where it writes, how it was asked to, and how to open Accord.

Every command gets a Call; nothing here is global.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from cyclopts import Parameter

if TYPE_CHECKING:
    from rich.console import Console

    from accord.service.accord import Accord
    from accord.service.config import Config


STDIN = Path("/dev/stdin")
"""What `-` means where a file is to be named."""


class Call:
    """Be what a command needs of its surroundings.

    `opener` makes Accord from a Config; tests and `accord demo` may give one of their own.
    """

    def __init__(
        self,
        *,
        config: Path | None = None,
        json: bool = False,
        quiet: bool = False,
        verbose: bool = False,
        wait: float = 0.0,
        environ: Mapping[str, str] | None = None,
        here: Path | None = None,
        opener: Callable[[Config], Accord] | None = None,
    ) -> None:
        """Keep how the command was asked for; nothing is opened yet."""
        self.file = config
        self.json = json
        self.quiet = quiet
        self.verbose = verbose
        self.wait = wait
        self.environ = os.environ if environ is None else environ
        self.here = here or Path.cwd()
        self._opener = opener
        self._consoles: dict[bool, Console] = {}

    @property
    def out(self) -> Console:
        """Return the console for results."""
        return self._console(errors=False)

    @property
    def errors(self) -> Console:
        """Return the console for errors, progress and questions."""
        return self._console(errors=True)

    @property
    def interactive(self) -> bool:
        """Tell whether there is a person to ask."""
        return sys.stdin.isatty() and self.errors.is_terminal

    def config(self) -> Config:
        """Return the start-up settings."""
        from accord.service.config import load

        return load(self.file, self.environ, self.here)

    @contextmanager
    def accord(self, *, waits: bool = True, asks: bool = True) -> Iterator[Accord]:
        """Open Accord for the command, and close it afterwards.

        A command that `waits` does so where a visit is under way, and `asks` it to end early.
        """
        from accord.cli.logs import log_to_errors
        from accord.service.bootstrap import open_accord
        from accord.service.patience import Patience

        log_to_errors(verbose=self.verbose, json=self.json)
        accord = (self._opener or open_accord)(self.config())
        if waits:
            accord.patience = Patience(self.wait, self._waiting, asks=asks)
        try:
            yield accord
        finally:
            accord.close()

    def say(self, *parts: Any, **how: Any) -> None:
        """Print a result for people; nothing where machines or nobody listens."""
        if not self.json and not self.quiet:
            self.out.print(*parts, **how)

    def note(self, *parts: Any, **how: Any) -> None:
        """Print beside the result, where it disturbs no pipe."""
        if not self.quiet:
            self.errors.print(*parts, **how)

    def data(self, value: Any) -> None:
        """Print one value as a line of JSON, where machines listen."""
        if self.json:
            import msgspec

            line = msgspec.json.encode(value, order="sorted") + b"\n"
            self.raw(line.decode())

    def raw(self, text: str) -> None:
        """Print text as it is: no wrapping, no colours."""
        self.out.file.write(text)
        self.out.file.flush()

    def _waiting(self, text: str) -> None:
        self.note(text, style="dim", markup=False)

    def _console(self, *, errors: bool) -> Console:
        if errors not in self._consoles:
            from rich.console import Console

            self._consoles[errors] = Console(
                stderr=errors, highlight=False, emoji=False, soft_wrap=not self._wraps(errors)
            )
        return self._consoles[errors]

    @staticmethod
    def _wraps(errors: bool) -> bool:
        # Lines in a pipe or file stay whole, so that grep finds what belongs together.
        return (sys.stderr if errors else sys.stdout).isatty()


CallArgument: TypeAlias = Annotated[Call, Parameter(parse=False)]
"""The Call among a command's arguments: given by `main`, never read from the command line."""
