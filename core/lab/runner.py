"""``python -m core.lab.runner``: the child of :mod:`core.lab.runners`, carries out what it is handed until let go of.

Calls without arguments come in on stdin, pickled twice: one that cannot be read is answered too. For each, the pickled
pair of its result and the error it raised goes out on stdout. What a call needs is imported when the parent is already
watched: whatever becomes of it, nothing is left running.
"""

import os
import pickle
import select
import sys
import threading
import traceback
from typing import NoReturn

_STDIN = 0


def main() -> NoReturn:
    """Run until the other end of stdin is closed, by intent or because the parent is dead."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        while True:
            call: bytes = pickle.load(sys.stdin.buffer)
            sys.stdout.buffer.write(_answer(call))
            sys.stdout.buffer.flush()
    except (EOFError, pickle.UnpicklingError, BrokenPipeError):
        os._exit(0)  # the parent has gone, maybe amid a word: nobody is there to be told


def _end_with_parent() -> NoReturn:
    """End at once, also amid a call."""
    watch = select.poll()
    watch.register(_STDIN, select.POLLHUP)
    while not any(event & select.POLLHUP for _, event in watch.poll()):
        pass
    os._exit(0)


def _answer(call: bytes) -> bytes:
    try:
        return pickle.dumps((pickle.loads(call)(), None))
    except Exception as error:  # noqa: BLE001 - the parent raises it
        error.add_note(f"In a process of its own:\n{traceback.format_exc()}")
        return pickle.dumps((None, error))


if __name__ == "__main__":
    main()
