"""The bare loop: the same bytes to the same server with nothing around it, as a floor.

Runs as a process of its own, `python -m bench.bare FOLDER COLLECTION USER`, password in BARE_WORD.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import httpx2

from bench.figures import Figures, measure

_TYPES = {".ics": "text/calendar; charset=utf-8", ".vcf": "text/vcard; charset=utf-8"}


def export(files: Path, collection: str, user: str, password: str, work: Path) -> Figures:
    """PUT every .ics and .vcf file of a folder, in the order of names, into a collection.

    One client, connections kept alive where the server keeps them, `If-None-Match: *`, one request
    after the other. Raises CommandFailed when an object is not created.
    """
    work.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "bench.bare", str(files), collection, user]
    return measure(
        "bare loop: export",
        command,
        environment={"BARE_WORD": password},
        folder=Path(__file__).parents[1],
        output=work / "bare.log",
    )


def main(files: Path, collection: str, user: str, password: str) -> int:
    """Upload and return how many objects were created."""
    created = 0
    with httpx2.Client(auth=(user, password), timeout=60) as client:
        for path in sorted(files.iterdir()):
            if path.suffix in _TYPES:
                headers = {"Content-Type": _TYPES[path.suffix], "If-None-Match": "*"}
                url = f"{collection}{path.name}"
                reply = client.put(url, content=path.read_bytes(), headers=headers)
                if reply.status_code != httpx2.codes.CREATED:
                    raise SystemExit(f"{url}: {reply.status_code} {reply.text}")
                created += 1
    return created


if __name__ == "__main__":
    folder, collection, user = sys.argv[1:]
    print(main(Path(folder), collection, user, os.environ["BARE_WORD"]), "created")
