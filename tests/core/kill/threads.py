"""A machine that has no thread to give."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch


@contextmanager
def no_threads() -> Iterator[None]:
    """Starting a thread fails, as it does at a limit of processes."""
    with patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")):
        yield
