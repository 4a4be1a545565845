"""How fast a kill is, whoever pulls and whatever is broken: until it is latched, and until a cancel is at the venue.

One session quotes at one exchange; after each kill it is re-armed. Bars of issue 8: latch 50 ms, first cancel 250 ms at
the 99th percentile, zero open orders verified each time, no order on the wire after the latch.
"""

import asyncio
import ctypes
import logging
import os
import random
import resource
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx

from benchmarks.kill_yard import Helper, Request, Venue, Yard, quantile, venue_beside
from core.clock import SystemClock
from core.events import OperatorCommand
from polymm_tui.launch import Ending

RUNS: Final = 5
LATCH_BAR_MS, CANCEL_BAR_MS = 50.0, 250.0
HELD_SEC: Final = 0.6
"""How long the loop stands still; under the three seconds after which the watchdog kills by itself."""
DOWN_SEC: Final = 1.5
"""How long a channel is down."""
_now: Final = SystemClock().monotonic


class Stage(NamedTuple):
    """Where kills are pulled."""

    yard: Yard
    helper: Helper
    console: "Console"


class Run(NamedTuple):
    """One kill, seconds from the pull."""

    latch: float
    cancel: float
    verified: bool
    late_orders: int
    """Requests with orders that came to the venue after the latch was on the disk."""


class Console:
    """What looks at a session ten times a second, until it dies."""

    def __init__(self, yard: Yard) -> None:
        self._yard = yard
        self._dead = threading.Event()
        self.live()

    def live(self) -> None:
        """Look, on a thread of its own."""
        self._dead.clear()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def die(self) -> None:
        """Look no more."""
        self._dead.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._dead.wait(0.1):
            assert self._yard.host.view is not None and self._yard.host.kill_view is not None


# Who pulls: each returns when the latch is on the disk, by the shared clock.


def by_key(stage: Stage) -> float:
    """As the console's chord does, on its own thread."""
    stage.yard.host.kill("the operator's key")
    return stage.yard.latched_s


def by_shell(stage: Stage) -> float:
    """From another process."""
    stage.helper.pull()
    return stage.helper.answer()


def by_signal(stage: Stage) -> float:
    """SIGUSR1; the program's handler runs on this thread."""
    before_s = stage.yard.latched_s
    os.kill(os.getpid(), signal.SIGUSR1)
    return _when(stage.yard, before_s)


def by_engine(stage: Stage) -> float:
    """The engine's own action, as of the loss limit or a forked heartbeat."""
    before_s = stage.yard.latched_s
    stage.yard.later(lambda: stage.yard.session.command(OperatorCommand(act="kill", reason="a rule")))
    return _when(stage.yard, before_s)


def _when(yard: Yard, before_s: float) -> float:
    while yard.latched_s == before_s:
        time.sleep(0.0005)
    return yard.latched_s


# What is broken meanwhile


@contextmanager
def nothing(stage: Stage) -> Iterator[None]:
    """All is well."""
    yield


@contextmanager
def loop_asleep(stage: Stage) -> Iterator[None]:
    """The session's loop is blocked by a call that sleeps."""
    with _held(stage, lambda: time.sleep(HELD_SEC)):
        yield


@contextmanager
def interpreter_held(stage: Stage) -> Iterator[None]:
    """It is blocked by a call that holds the interpreter's lock: nothing in the process runs (reliability.md P08)."""
    held = ctypes.PyDLL(None).usleep
    with _held(stage, lambda: held(int(HELD_SEC * 1e6))):
        yield


@contextmanager
def _held(stage: Stage, block: Callable[[], object]) -> Iterator[None]:
    began, done = threading.Event(), threading.Event()

    def hold() -> None:
        began.set()
        block()
        done.set()

    stage.yard.later(hold)
    began.wait()
    yield
    done.wait()


@contextmanager
def database_locked(stage: Stage) -> Iterator[None]:
    """Another process holds a transaction that writes."""
    stage.helper.lock()
    yield
    stage.helper.unlock()


@contextmanager
def disk_full(stage: Stage) -> Iterator[None]:
    """No file of the process can grow beyond eight KiB: the kernel refuses such writes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def console_dead(stage: Stage) -> Iterator[None]:
    """Nobody looks at the session."""
    stage.console.die()
    yield
    stage.console.live()


def _down(channel: str) -> Callable[[Stage], AbstractContextManager[None]]:
    @contextmanager
    def down(stage: Stage) -> Iterator[None]:
        stage.yard.venue.arm(f'do = "disconnect"\nchannel = "{channel}"\nfor = {DOWN_SEC}')
        yield

    return down


@contextmanager
def pool_poisoned(stage: Stage) -> Iterator[None]:
    """No request of the session's order client ever gets a connection."""
    client = stage.yard.session._parts.gateway._client._ctx.secure_clob._client  # type: ignore[union-attr,attr-defined]
    before, client._transport = client._transport, Poisoned()
    yield
    client._transport = before


class Poisoned(httpx.AsyncBaseTransport):
    """A pool whose connections are all stuck."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Wait for ever, which a deadline of the caller ends."""
        await asyncio.Event().wait()
        raise AssertionError


Trigger = Callable[[Stage], float]
Fault = Callable[[Stage], AbstractContextManager[None]]
TRIGGERS: Final[dict[str, Trigger]] = {"key": by_key, "shell": by_shell, "signal": by_signal, "engine": by_engine}
FAULTS: Final[dict[str, Fault]] = {
    "none": nothing,
    "loop asleep": loop_asleep,
    "interpreter held": interpreter_held,
    "database locked": database_locked,
    "disk full": disk_full,
    "console dead": console_dead,
    "market channel down": _down("market"),
    "user channel down": _down("user"),
    "pool poisoned": pool_poisoned,
}
IMPOSSIBLE: Final = {
    ("engine", "loop asleep"),
    ("engine", "interpreter held"),
    ("key", "interpreter held"),
    ("signal", "interpreter held"),
    ("key", "console dead"),
}
"""What cannot pull then: it is the very thing that is broken."""


def kill_once(stage: Stage, trigger: Trigger, fault: Fault) -> Run:
    """Kill, see zero verified, heal, re-arm and wait for quotes."""
    yard = stage.yard
    with fault(stage):
        began_s = _now()
        latch_s = trigger(stage)
        is_verified = _is_verified(yard)
    wire = yard.venue.wire(began_s)
    late = sum(request.places and request.at_s > latch_s for request in wire)
    yard.rearm()
    yard.until_quoting()
    return Run(latch_s - began_s, _first_cancel(wire) - began_s, is_verified, late)


def _is_verified(yard: Yard) -> bool:
    """The killer says so, and the exchange itself agrees."""
    try:
        yard.until_zero()
    except TimeoutError:
        return False
    return yard.venue.open_orders() == 0


def _first_cancel(wire: list[Request]) -> float:
    return next(request.at_s for request in wire if request.cancels)


def run(runs: int = RUNS) -> bool:
    """Print a row for each cell; says whether all bars were reached."""
    logging.disable()
    with tempfile.TemporaryDirectory() as folder, venue_beside() as venue, _yard(Path(folder), venue) as stage:
        print(
            f"kills, {runs} runs a cell: ms from the pull to the latch on the disk and to the first cancel at the venue"
        )
        print(
            f"{'pulled by':8} {'with':20} {'latch p50':>10} {'p99':>8} {'cancel p50':>11} {'p99':>8}  zero  late orders"
        )
        cells = [(trigger, fault) for trigger in TRIGGERS for fault in FAULTS if (trigger, fault) not in IMPOSSIBLE]
        reached = [_told(trigger, fault, stage, runs) for trigger, fault in cells]
    return all(reached)


def _told(trigger: str, fault: str, stage: Stage, runs: int) -> bool:
    dice = random.Random(f"{trigger} {fault}")
    done: list[Run] = []
    for _ in range(runs):
        time.sleep(dice.uniform(0.0, 0.2))
        done.append(kill_once(stage, TRIGGERS[trigger], FAULTS[fault]))
    latches, cancels = [one.latch * 1e3 for one in done], [one.cancel * 1e3 for one in done]
    zero, late = sum(one.verified for one in done), sum(one.late_orders for one in done)
    is_reached = quantile(latches, 0.99) <= LATCH_BAR_MS and quantile(cancels, 0.99) <= CANCEL_BAR_MS
    print(
        f"{trigger:8} {fault:20} {quantile(latches, 0.5):10.1f} {quantile(latches, 0.99):8.1f} "
        f"{quantile(cancels, 0.5):11.1f} {quantile(cancels, 0.99):8.1f}  {zero}/{runs}  {late}"
        f"{'' if is_reached and zero == runs and not late else '  NOT REACHED'}",
        flush=True,
    )
    return is_reached and zero == runs and not late


@contextmanager
def _yard(folder: Path, venue: Venue) -> Iterator[Stage]:
    yard = Yard(folder, venue)
    helper = Helper(yard.places.directory, yard.places.database)
    yard.start()
    host: Any = yard.host
    with Ending(host):
        try:
            yield Stage(yard, helper, Console(yard))
        finally:
            yard.end()
            helper.end()
