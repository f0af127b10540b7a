"""vdirsyncer as a peer in the benchmark: the real command, between a folder and a collection.

It stores opaque text and knows neither fields nor rules, so it marks what copying alone costs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bench.figures import Figures, measure


def export(files: Path, collection: str, user: str, password: str, work: Path) -> Figures:
    """Upload the .ics files of a folder to an empty collection, as vdirsyncer's first sync does.

    `files` is a folder with one object per file. `work` is a folder for configuration and state;
    `unchanged` goes on with it. Raises CommandFailed.
    """
    _prepare(files, collection, user, password, work)
    return _sync("vdirsyncer: export", work)


def import_(files: Path, collection: str, user: str, password: str, work: Path) -> Figures:
    """Download a collection into an empty folder, as vdirsyncer's first sync does.

    With a path that ends in `.ics` instead of a folder everything goes into that one file.
    Raises CommandFailed.
    """
    _prepare(files, collection, user, password, work)
    return _sync("vdirsyncer: import", work)


def unchanged(work: Path) -> Figures:
    """Sync once more what `export` or `import_` has synced, with whatever changed since."""
    return _sync("vdirsyncer: unchanged", work)


def _prepare(files: Path, collection: str, user: str, password: str, work: Path) -> None:
    """Write the configuration and let vdirsyncer note the pair; none of this is measured."""
    single = files.suffix == ".ics"
    if not single:
        files.mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    local = f'type = "singlefile"\npath = "{files}"'
    if not single:
        local = f'type = "filesystem"\npath = "{files}"\nfileext = ".ics"'
    text = f"""[general]
status_path = "{work / "status"}"

[pair bench]
a = "files"
b = "server"
collections = null

[storage files]
{local}

[storage server]
type = "caldav"
url = "{collection}"
username = "{user}"
password = "{password}"
"""
    settings = _settings(work)
    settings.touch(0o600)
    settings.write_text(text, encoding="utf-8")
    _run("vdirsyncer: discover", work, "discover")


def _sync(what: str, work: Path) -> Figures:
    return _run(what, work, "sync")


def _run(what: str, work: Path, *words: str) -> Figures:
    """Run vdirsyncer of this environment; its module has no entry point, its script stands here."""
    script = Path(sys.executable).parent / "vdirsyncer"
    command = [str(script), "--verbosity", "WARNING", "--config", str(_settings(work)), *words]
    environment = {"HOME": str(work), "NO_PROXY": "127.0.0.1", "PATH": os.environ["PATH"]}
    output = work / f"{words[0]}.log"
    return measure(what, command, environment=environment, output=output)


def _settings(work: Path) -> Path:
    return work / "config"
