"""Types are learnt in one thread at a time, and no value is read of a type that wasn't."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import accord

CODE = Path(accord.__file__).parent

TWO = """
from __future__ import annotations
import sys, threading, time
import msgspec
from accord.model.learning import learnt as known

learnt = known if sys.argv[1] == "learnt" else lambda wanted: wanted
begun = threading.Event()

def slowly():
    begun.set()
    time.sleep(1)
    return int

class Inner(msgspec.Struct):
    number: slowly()

class Outer(msgspec.Struct):
    inner: Inner

def read():
    print(msgspec.json.decode(b'{"inner": {"number": 1}}', type=learnt(Outer)).inner.number)

first = threading.Thread(target=read)
first.start()
begun.wait()
read()
first.join()
"""


def two_threads(how: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", TWO, how]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_two_threads_may_meet_a_type_at_once() -> None:
    done = two_threads("learnt")
    # Threads that print at once may end their lines together.
    assert (done.returncode, "".join(done.stdout.split())) == (0, "11"), done.stderr


def test_msgspec_still_needs_that() -> None:
    """Fails with a msgspec that no longer does: then `learning` may go."""
    assert two_threads("at once").returncode < 0


def test_every_type_that_is_read_passes_there() -> None:
    found = {file: list(_unlearnt(file)) for file in CODE.rglob("*.py")}
    found.pop(CODE / "model" / "learning.py")
    assert len(found) > 100
    assert {str(file): lines for file, lines in found.items() if lines} == {}


def test_that_would_be_noticed(tmp_path: Path) -> None:
    file = tmp_path / "some.py"
    file.write_text(
        "msgspec.json.decode(a)\n"
        "msgspec.json.decode(a, type=T)\n"
        "msgspec.json.decode(a, type=learnt(T))\n"
        "msgspec.convert(a, T)\n"
        "msgspec.convert(a, learnt(T))\n"
        "msgspec.msgpack.Decoder(T)\n"
        "msgspec.json.Decoder()\n"
    )
    assert list(_unlearnt(file)) == [2, 4, 6]


def _unlearnt(file: Path) -> list[int]:
    """Return the lines in which msgspec is given a type that may be unknown to it."""
    text = file.read_text(encoding="utf-8")
    if "msgspec" not in text:
        return []
    return [
        call.lineno
        for call in ast.walk(ast.parse(text))
        if isinstance(call, ast.Call)
        and (wanted := _wanted(call)) is not None
        and not ast.unparse(wanted).startswith("learnt(")
    ]


def _wanted(call: ast.Call) -> ast.expr | None:
    """Return the type that a call gives msgspec, if it gives one."""
    called = ast.unparse(call.func)
    if not called.startswith("msgspec."):
        return None
    named = {each.arg: each.value for each in call.keywords}
    name = called.rpartition(".")[2]
    if name in ("decode", "Decoder", "convert") and "type" in named:
        return named["type"]
    at = {"Decoder": 0, "convert": 1}.get(name)
    return call.args[at] if at is not None and len(call.args) > at else None
