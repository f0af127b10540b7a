"""Talk with a program: write the question, read the answer, within a time and a size.

Used by the command provider; neither side can block the other for longer than that.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from typing import IO

_PIECE = 16_384


def converse(
    program: subprocess.Popen[bytes], question: bytes, seconds: float, most: int
) -> tuple[bytes, bytes]:
    """Return what a program prints and what it complains about, up to `most` bytes each.

    Raises TimeoutError where it hasn't closed its output by then, OverflowError where it prints
    more; of its complaints, what is too much is dropped. The program may run on.
    """
    assert program.stdin and program.stdout and program.stderr
    deadline = time.monotonic() + seconds
    printed, complained = bytearray(), bytearray()
    left = memoryview(question)
    with selectors.DefaultSelector() as waiting:
        os.set_blocking(program.stdin.fileno(), False)
        waiting.register(program.stdin, selectors.EVENT_WRITE)
        waiting.register(program.stdout, selectors.EVENT_READ, printed)
        waiting.register(program.stderr, selectors.EVENT_READ, complained)
        while waiting.get_map():
            ready = waiting.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                if key.fileobj is program.stdin:
                    left = _write(program.stdin, left, waiting)
                else:
                    _read(key, waiting, most)
            if len(printed) > most:
                raise OverflowError
    return bytes(printed), bytes(complained)


def _write(pipe: IO[bytes], left: memoryview, waiting: selectors.BaseSelector) -> memoryview:
    try:
        left = left[os.write(pipe.fileno(), left[:_PIECE]) :]
    except BlockingIOError:
        return left
    except BrokenPipeError:
        left = left[:0]  # it needn't read what it was asked
    if not left:
        waiting.unregister(pipe)
        pipe.close()
    return left


def _read(key: selectors.SelectorKey, waiting: selectors.BaseSelector, most: int) -> None:
    piece = os.read(key.fd, _PIECE)
    if not piece:
        waiting.unregister(key.fileobj)
    key.data.extend(piece[: max(0, most + 1 - len(key.data))])
