"""What was measured, as rows of one table."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from bench.figures import Figures

_COLUMNS = {
    "what": "what",
    "seconds": "seconds",
    "visit_seconds": "visit seconds",
    "cpu_seconds": "CPU seconds",
    "peak_mib": "peak MiB",
    "requests": "requests",
    "kib": "KiB",
}


class Rows:
    """Keep measurements, and tell of each as it comes."""

    def __init__(self) -> None:
        """Begin with none."""
        self.rows: list[dict[str, object]] = []

    def note(
        self,
        figures: Figures,
        *,
        requests: int | None = None,
        inner: float = 0.0,
        size: int | None = None,
    ) -> Figures:
        """Keep one measurement; `size` is how many bytes went over the wire, both ways."""
        values = (
            figures.what,
            round(figures.seconds, 2),
            round(inner, 2) if inner else None,
            round(figures.cpu_seconds, 2),
            round(figures.peak_mib),
            requests,
            None if size is None else round(size / 1024),
        )
        self.rows.append(dict(zip(_COLUMNS, values, strict=True)))
        print(f"  {figures.what}: {figures.seconds:.2f} s", file=sys.stderr)
        return figures

    def show(self, title: str) -> None:
        """Print the table, without columns in which nothing stands."""
        console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
        used = [name for name in _COLUMNS if any(row[name] is not None for row in self.rows)]
        table = Table(title=title, title_justify="left")
        for name in used:
            table.add_column(_COLUMNS[name], justify="left" if name == "what" else "right")
        for row in self.rows:
            table.add_row(*("" if row[name] is None else str(row[name]) for name in used))
        console.print(table)
