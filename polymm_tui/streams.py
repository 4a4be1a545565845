"""The process's own stdout and stderr: lines for people on the one, results for programs on the other.

Either may be closed, a pipe nobody reads any more, or a terminal that is gone; none of that is worth a traceback.
"""

import contextlib
import os
import sys


def say(line: str) -> None:
    """One line for people, on stderr."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(line, file=sys.stderr, flush=True)  # noqa: T201


def give(text: str) -> None:
    """A result, on stdout. A reader that has gone gets nothing more, also not when Python empties its buffer."""
    if sys.stdout is None:
        return
    try:
        print(text, flush=True)  # noqa: T201
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def is_terminal() -> bool:
    """Keys can be read and a screen can be drawn: Textual draws on stderr, results go to stdout."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
