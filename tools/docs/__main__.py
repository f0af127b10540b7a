"""Write the generated pages: `python -m tools.docs`; with --check only say which are stale."""

from __future__ import annotations

import sys

from tools.docs import GENERATED
from tools.docs.pages import ROOT


def main(arguments: list[str]) -> int:
    """Write what is stale and return 0; with --check write nothing and return 1 for any."""
    stale = [name for name in GENERATED if _stale(name)]
    if "--check" not in arguments:
        for name in stale:
            (ROOT / name).write_text(GENERATED[name](), encoding="utf-8")
    for name in stale:
        print(f"{'stale' if '--check' in arguments else 'written'}  {name}")
    if not stale:
        print("docs: all generated pages are up to date")
    return 1 if stale and "--check" in arguments else 0


def _stale(name: str) -> bool:
    page = ROOT / name
    return not page.exists() or page.read_text(encoding="utf-8") != GENERATED[name]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
