"""A process that has imported everything and forks one life after the other, so that a start costs milliseconds.

It reads jobs, one JSON line each, on its standard input; the forked child tells how its engine stands on the same
standard output and waits for a line before it goes on; the end of a child is told as ``{"status": ...}``.
"""

import asyncio
import ctypes
import gc
import logging
import os
import signal
import ssl
import sys
from typing import Any

import msgspec

import core.venue.gateway_polymarket  # noqa: F401 - the costly import is done once
from tests.crash.mortal import Job, Told, live
from tests.crash.quick import QuickClock, QuickLoop

LIFE_SEC = 60
"""A life longer than this is ended by the alarm clock."""


def main() -> None:
    """Serve jobs until the end of the input."""
    _die_with_parent()
    no_tls = ssl.create_default_context()  # nothing on loopback is encrypted, and certificates cost most of a start
    ssl.create_default_context = lambda *arguments, **options: no_tls
    gc.freeze()
    _write({"ready": os.getpid()})
    while line := _line():
        if line == b"\n":  # leave to go on, for a life that was killed before it took it
            continue
        job = msgspec.json.decode(line, type=Job)
        child = os.fork()
        if child == 0:
            _live(job)
        _write({"pid": child})
        _, status = os.waitpid(child, 0)
        _write({"status": os.waitstatus_to_exitcode(status)})


def _live(job: Job) -> None:
    """The child: never returns."""
    _die_with_parent()
    signal.alarm(LIFE_SEC)
    log = os.open(os.path.join(job.root, "life.log"), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    os.dup2(log, 2)
    sys.stdout = sys.stderr
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s %(text)s", defaults={"text": ""}))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    code = 1
    try:
        clock = QuickClock(job.factor, job.unix_s, job.origin_s)
        with asyncio.Runner(loop_factory=lambda: QuickLoop(clock)) as runner:
            runner.run(live(job, _tell))
        code = 0
    except BaseException:
        logging.exception("life ended")
    finally:
        os._exit(code)


def _tell(told: Told) -> None:
    """Say it and wait for leave to go on; everything of this process stands still meanwhile."""
    _write({"told": told})
    _line()


def _write(message: dict[str, Any]) -> None:
    os.write(1, msgspec.json.encode(message) + b"\n")


def _line() -> bytes:
    """One line, unbuffered: what follows belongs to whoever reads next."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return b""
        line += byte
    return line


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
