"""An event loop whose time stands still while anything is going on and jumps to the next timer when nothing is.

Sockets on loopback and database threads are waited for in real time; sleeps and deadlines cost nothing. So an exchange
and a session in one process live through minutes in a second, and a busy machine changes nothing.
"""

import asyncio
import os
import selectors
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest.mock import patch

import aiosqlite

from core.clock import ManualClock

THREAD_SEC: Final = 0.05
"""Longest real wait for a thread at once."""
FROZEN_SEC: Final = 20.0
"""Real time after which a loop that only waits for threads and sockets is given up."""
DATABASE_WAITS: Final = ("_connect", "_execute", "close")
"""Where aiosqlite waits for a connection's thread."""


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, clock: ManualClock, is_busy: Callable[[], bool]) -> None:
        super().__init__()
        self._clock = clock
        self._is_busy = is_busy

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        os.sched_yield()  # what is on its way through the kernel comes before the jump
        ready = super().select(0)
        given_up = time.monotonic() + FROZEN_SEC
        while not ready and (self._is_busy() or timeout is None):
            ready = super().select(THREAD_SEC)
            assert ready or time.monotonic() < given_up, "nothing will ever happen"
        if not ready and timeout is not None:
            self._clock.advance_to(self._clock.monotonic() + timeout)
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """Its time is that of ``clock``, which it moves."""

    def __init__(self, clock: ManualClock) -> None:
        self._jumping = clock
        self._in_threads = 0
        super().__init__(_JumpingSelector(clock, lambda: self._in_threads > 0))

    def time(self) -> float:
        return self._jumping.monotonic()

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """Time stands still until the thread is done."""
        future = super().run_in_executor(executor, func, *args)
        self._in_threads += 1
        future.add_done_callback(self._back)
        return future

    async def in_thread(self, work: Awaitable[Any]) -> Any:
        """Wait for what another thread does; time stands still meanwhile."""
        self._in_threads += 1
        try:
            return await work
        finally:
            self._in_threads -= 1

    def _back(self, future: Any) -> None:
        self._in_threads -= 1


def jumping_loop() -> JumpingLoop:
    """A loop with a time of its own: a pause is over once nothing else can happen, however long that took."""
    return JumpingLoop(ManualClock())


@contextmanager
def jumping_runner(clock: ManualClock) -> Iterator[asyncio.Runner]:
    """Runs coroutines on a jumping loop; the database's threads are known to it."""
    with ExitStack() as stack:
        for name in DATABASE_WAITS:
            waits = _counted(getattr(aiosqlite.Connection, name))
            stack.enter_context(patch.object(aiosqlite.Connection, name, waits))
        yield stack.enter_context(asyncio.Runner(loop_factory=lambda: JumpingLoop(clock)))


def _counted(method: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """A method that waits for a thread, and a loop that knows it."""

    async def counted(*arguments: Any, **options: Any) -> Any:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, JumpingLoop)
        return await loop.in_thread(method(*arguments, **options))

    return counted
