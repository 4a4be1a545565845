"""The program on a pseudo-terminal: its bytes, its keys, and the processor time of its threads."""

import fcntl
import os
import pty
import select
import signal
import socket
import struct
import sys
import termios
import time
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PATIENCE_SEC: Final = 3.0
"""Longest wait for the paint that a key is to bring."""


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Program:
    """``polymm-tui`` as long as the context lasts, with its configuration and state under ``place``."""

    def __init__(self, env: dict[str, str], place: Path, size: tuple[int, int], console: bool = True) -> None:
        """``size`` is columns and lines; without a console the program runs with ``--no-ui``."""
        self.octets = 0
        """Read from the terminal so far."""
        state = place / f"state-{time.monotonic_ns()}"
        self._env = env | {"POLYMM_STATE_DIR": str(state)}
        self._arguments = ["--config", str(place / "config.toml"), *(() if console else ("--no-ui",))]
        self._size = size

    def __enter__(self) -> "Program":
        self._process, self._terminal = pty.fork()
        if self._process == 0:
            os.execve(sys.executable, [sys.executable, "-m", "polymm_tui", *self._arguments], self._env)
        columns, lines = self._size
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._process, signal.SIGTERM)
        while os.waitpid(self._process, os.WNOHANG)[0] == 0:
            self._read(0.05)
        os.close(self._terminal)

    def read_for(self, seconds: float) -> None:
        """Take what the terminal is sent, as a terminal would."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._read(left)

    def press_and_see(self, key: bytes, mark: bytes) -> float:
        """Press a key; seconds until the terminal was sent ``mark``.

        Raises:
            TimeoutError: it was not.
        """
        pressed = time.monotonic()
        os.write(self._terminal, key)
        tail = b""
        while mark not in tail:
            if time.monotonic() - pressed > _PATIENCE_SEC:
                raise TimeoutError(f"no {mark!r} after {key!r}")
            tail = tail[-len(mark) :] + self._read(0.05)
        return time.monotonic() - pressed

    def other_threads_s(self) -> float:
        """Processor seconds of every thread but the busiest of those that are not the main one: the session's."""
        spent = {int(task.name): _thread_s(task) for task in Path(f"/proc/{self._process}/task").iterdir()}
        main = spent.pop(self._process)
        return main + sum(spent.values()) - max(spent.values(), default=0.0)

    def _read(self, wait_s: float) -> bytes:
        ready, _, _ = select.select([self._terminal], [], [], wait_s)
        try:
            chunk = os.read(self._terminal, 65_536) if ready else b""
        except OSError:  # the program has closed its end
            return b""
        self.octets += len(chunk)
        return chunk


def _thread_s(task: Path) -> float:
    fields = (task / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
