"""A terminal that nobody reads: a connection that hangs, a multiplexer that is stopped.

The console may wait; the session must not. What the session does is read from the exchange and from the metrics.
"""

import fcntl
import os
import pty
import secrets
import select
import signal
import struct
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.end_to_end.program import (
    PATIENCE_S,
    PROGRAM,
    ROOT,
    Exchange,
    address_of,
    database,
    exchange,
    free_port,
    live_environment,
    rows,
    wait_for,
)

BEATS = """
[[fault]]
do = "slow"
on = "request:POST /v1/heartbeats"
times = "always"
ms = 1
"""
"""Slows heartbeats by nothing to speak of, so that the log of faults tells when each came."""
STALL_S = 60.0
"""How long nobody reads."""
USUAL_S = 20.0
"""How long the usual is measured before."""
BEAT_GAP_S = 10.0
"""Silence after which the venue cancels everything."""
LINES, COLUMNS = 60, 200
"""The largest page sends most and stalls first."""


class Pty:
    """The program on a pseudo-terminal that is read only while somebody wants it."""

    def __init__(self, process: int, terminal: int) -> None:
        self.process = process
        self._terminal = terminal
        self._reading = threading.Event()
        self._over = False
        self.octets = bytearray()
        """Read so far."""
        self._reading.set()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while not self._over:
            self._reading.wait(0.1)
            if self._reading.is_set() and select.select([self._terminal], [], [], 0.05)[0]:
                try:
                    self.octets += os.read(self._terminal, 65_536)
                except OSError:  # the program has closed its end
                    return

    def stall(self) -> None:
        """Read nothing from now on."""
        self._reading.clear()

    def go_on(self) -> None:
        """Read again."""
        self._reading.set()

    def press(self, key: bytes) -> None:
        """Send a key."""
        os.write(self._terminal, key)

    def sees(self, mark: bytes, since: int = 0) -> bool:
        """Whether the terminal was sent something after so many bytes."""
        return mark in self.octets[since:]

    def exit_code(self, patience_s: float) -> int:
        """Wait for the end of the program."""
        ended = wait_for(lambda: _ended(self.process), "the end of the program", patience_s)
        return os.waitstatus_to_exitcode(ended[0])

    def close(self) -> None:
        """Read no more, and end a program that a test left alive."""
        self._over = True
        self._reading.set()
        if not _ended(self.process):
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        self._reader.join()
        os.close(self._terminal)


def _ended(process: int) -> tuple[int] | None:
    """The status of a program that is over."""
    try:
        pid, status = os.waitpid(process, os.WNOHANG)
    except ChildProcessError:  # has been waited for
        return (0,)
    return (status,) if pid else None


@contextmanager
def on_a_pty(env: dict[str, str], *arguments: str) -> Iterator[Pty]:
    """The program with a console on a new pseudo-terminal."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(ROOT)
        os.execve(sys.executable, [*PROGRAM, *arguments], env)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    shown = Pty(process, terminal)
    try:
        yield shown
    finally:
        shown.close()


class Seen(NamedTuple):
    """What the metrics said at one moment."""

    at: float
    """Monotonic, seconds."""
    decisions: float
    late_s: float
    """Sum over all decisions."""
    beat_age_s: float


class Watched:
    """The session, asked from outside."""

    def __init__(self, venue: Exchange, port: int, address: str) -> None:
        self._venue = venue
        self._port = port
        self._address = address

    def seen(self) -> Seen:
        """Its metrics now."""
        page = httpx.get(f"http://127.0.0.1:{self._port}/metrics")
        values: dict[str, float] = {}
        for family in text_string_to_metric_families(page.text):
            for sample in family.samples:
                values[sample.name] = values.get(sample.name, 0.0) + sample.value
        late = values.get("mm_decision_late_seconds_sum", 0.0)
        return Seen(time.monotonic(), values["mm_decisions_total"], late, values["mm_heartbeat_age_seconds"])

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            return httpx.get(f"http://127.0.0.1:{self._port}/metrics").status_code == 200
        except httpx.TransportError:
            return False

    def beats(self) -> list[float]:
        """When heartbeats came to the exchange, in its seconds."""
        return [line["at_ms"] / 1000 for line in self._venue.faults()["log"] if line["do"] == "slow"]

    def open_orders(self) -> list[str]:
        """At the exchange."""
        return self._venue.open_orders(self._address)

    def received(self) -> int:
        """Orders that ever came to the exchange."""
        return len(self._venue.ledger()["orders"])


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[tuple[Pty, Watched, dict[str, str]]]:
    """A program on a terminal of its own with orders out, its exchange, and what it was started with."""
    key, port = "0x" + secrets.token_hex(32), free_port()
    with exchange("--seed", "7", "--markets", "4") as venue:
        venue.add_faults(BEATS)
        env = live_environment(tmp_path, venue, key, METRICS_PORT=str(port))
        with on_a_pty(env, "--mode", "live") as shown:
            watched = Watched(venue, port, address_of(key))
            wait_for(watched.is_up, "the metrics")
            wait_for(lambda: len(watched.open_orders()) >= 8, "orders at the exchange")
            wait_for(lambda: shown.sees(b"LIVE"), "the first paint")
            yield shown, watched, env


@pytest.mark.timeout(300)
def test_a_stalled_terminal_delays_no_decision_and_no_heartbeat(scene: tuple[Pty, Watched, Any]) -> None:
    """Nobody reads for a minute: decisions and heartbeats keep their pace; read again, the console answers a key."""
    shown, watched, _ = scene
    usual = _measure(watched, USUAL_S)
    received = watched.received()
    shown.stall()
    beats_before, octets = len(watched.beats()), len(shown.octets)
    stalled = _measure(watched, STALL_S)
    came = watched.beats()[beats_before - 1 :]
    assert len(shown.octets) - octets < 65_537, "the terminal was read"
    print(f"{usual.told}; while nobody reads: {stalled.told}")

    assert stalled.decisions_per_s > 0.7 * usual.decisions_per_s
    assert stalled.late_s < max(0.05, 2 * usual.late_s)
    assert max(stalled.beat_ages_s) < BEAT_GAP_S
    assert max(later - earlier for earlier, later in pairwise(came)) < BEAT_GAP_S
    assert len(came) >= STALL_S / BEAT_GAP_S
    assert watched.received() > received, "requotes"
    assert watched.open_orders()

    shown.go_on()
    octets = len(shown.octets)
    shown.press(b"q")
    wait_for(lambda: shown.sees(b"stop and quit", octets), "a console that answers")
    os.kill(shown.process, signal.SIGTERM)
    assert shown.exit_code(PATIENCE_S) == 0
    assert watched.open_orders() == []


class Pace(NamedTuple):
    """How the session kept its pace over some time."""

    decisions_per_s: float
    late_s: float
    """Mean of a decision."""
    beat_ages_s: list[float]
    """Twice a second."""

    @property
    def told(self) -> str:
        """In words, for whoever reads the numbers."""
        pace, late_ms = f"{self.decisions_per_s:.1f} decisions/s", 1_000 * self.late_s
        return f"{pace}, {late_ms:.2f} ms late, heartbeat at most {max(self.beat_ages_s):.1f} s old"


def _measure(watched: Watched, seconds: float) -> Pace:
    first = last = watched.seen()
    ages = [first.beat_age_s]
    while last.at - first.at < seconds:
        time.sleep(0.5)
        last = watched.seen()
        ages.append(last.beat_age_s)
    decided = last.decisions - first.decisions
    return Pace(decided / (last.at - first.at), (last.late_s - first.late_s) / max(1.0, decided), ages)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_stalled_program_in_order(
    scene: tuple[Pty, Watched, dict[str, str]], number: signal.Signals
) -> None:
    """Nobody reads what the program says at its end either: it ends all the same, with its orders gone."""
    shown, watched, env = scene
    shown.stall()
    time.sleep(5.0)  # until the terminal takes nothing more
    os.kill(shown.process, number)
    assert shown.exit_code(PATIENCE_S) == 0
    assert watched.open_orders() == []
    [session] = rows(database(env, "live"), "SELECT * FROM sessions")
    assert (session["exit_reason"], session["open_orders_verified"]) == (number.name, 1)


def test_kill_is_heard_on_a_stalled_terminal(scene: tuple[Pty, Watched, Any]) -> None:
    """The screen hangs, the keyboard does not: the chord that kills leaves nothing at the exchange."""
    shown, watched, _ = scene
    shown.stall()
    time.sleep(5.0)  # until the terminal takes nothing more
    shown.press(b"!kk")
    wait_for(lambda: watched.open_orders() == [], "the end of every order")
    assert watched.open_orders() == []
    shown.go_on()
    wait_for(lambda: shown.sees(b"KILLED"), "the word on the screen")
    os.kill(shown.process, signal.SIGTERM)
    assert shown.exit_code(PATIENCE_S) == 10
