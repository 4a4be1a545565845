"""The session on a thread of its own, and the console's link to it."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from core.clock import Clock, SystemClock
from core.events import OperatorCommand
from core.kill.switch import KillSwitch
from core.runtime.ending import Outcome
from core.runtime.guard import kill_view
from core.runtime.link import Access, CommandResult
from core.runtime.session import Session
from core.views import ConsoleView, KillView

CONSOLE: Final = "console"
"""Name of the console that is in the session's own process."""


class SessionHost:
    """Starts a session in a thread and waits for its end. Is the in-process :class:`ConsoleLink`."""

    def __init__(
        self, make: Callable[[], Session], switch: KillSwitch | None = None, clock: Clock | None = None
    ) -> None:
        """Nothing is started yet.

        Args:
            make: called on the session's thread, inside its loop.
            switch: the session's kill switch, to be pulled from before it begins; None: the one it opens itself.
            clock: the switch's; None: the machine's.
        """
        self._make = make
        self._early_switch = switch
        self._clock = clock or SystemClock()
        self._session: Session | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._early_stop: str | None = None
        self._lock = threading.RLock()
        """Reentrant: a signal handler may call :meth:`stop` in the middle of :meth:`stop`."""
        self._ended = threading.Event()
        self._outcome: Outcome | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="session", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def started(self) -> bool:
        """The thread was started."""
        return self._thread.ident is not None

    @property
    def view(self) -> ConsoleView | None:
        """The newest view."""
        session = self._session
        return None if session is None else session.view

    @property
    def ended(self) -> bool:
        """The session is over."""
        return self._ended.is_set()

    @property
    def access(self) -> Access:
        """The console's own session."""
        return "own"

    def watch(self, market: str, ladders: tuple[str, ...] = ()) -> None:
        """Let the views carry a market's details and the books of others; nothing before the session has begun."""
        loop, session = self._loop, self._session
        if loop is not None and session is not None and not self.ended:
            with contextlib.suppress(RuntimeError):  # the loop has just closed
                loop.call_soon_threadsafe(session.look, CONSOLE, market, ladders)

    def kill(self, reason: str, by: str = "console") -> None:
        """Pull the kill switch on the caller's thread, also in a signal handler: neither loop nor engine are asked."""
        if (switch := self._switch) is not None:
            switch.pull(by, reason)

    @property
    def kill_view(self) -> KillView | None:
        """What the kill switch says now, also when the session hangs."""
        if (switch := self._switch) is None:
            return None
        session = self._session
        return kill_view(switch, None if session is None else session.guard, self._clock.monotonic())

    @property
    def _switch(self) -> KillSwitch | None:
        session = self._session
        return self._early_switch if session is None else session.switch

    def send(self, command: OperatorCommand) -> Future[CommandResult]:
        """Hand a command to the session's loop."""
        future: Future[CommandResult] = Future()
        loop, session = self._loop, self._session
        if loop is None or session is None or self.ended:
            future.set_result(CommandResult(done=False, text="the session is not running"))
            return future

        def act() -> None:
            future.set_result(session.command(command))

        try:
            loop.call_soon_threadsafe(act)
        except RuntimeError:
            future.set_result(CommandResult(done=False, text="the session has ended"))
        return future

    def stop(self, reason: str) -> None:
        """Ask the session to end in order; may be called from any thread, and before it has begun."""
        with self._lock:
            if self._early_stop is None:
                self._early_stop = reason
            session, loop = self._session, self._loop
        if session is not None and loop is not None and not self.ended:
            try:
                loop.call_soon_threadsafe(session.request_stop, reason)
            except RuntimeError:
                return

    def hurry(self) -> None:
        """Ask a session that ends to wait for nothing that is only polite; may be called from any thread."""
        session, loop = self._session, self._loop
        if session is not None and loop is not None and not self.ended:
            with contextlib.suppress(RuntimeError):  # the loop has just closed
                loop.call_soon_threadsafe(session.hurry)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; False when it did not come in time. What was never started has ended."""
        return not self.started or self._ended.wait(timeout_s)

    def outcome(self) -> Outcome:
        """How it ended.

        Raises:
            Exception: whatever the session could not turn into an outcome.
        """
        self._thread.join(timeout=1)
        if self._outcome is None:
            raise self._error or RuntimeError("the session has not ended")
        return self._outcome

    def _run(self) -> None:
        try:
            with asyncio.Runner() as runner:
                self._outcome = runner.run(self._main())
        except BaseException as error:  # noqa: BLE001 - the thread's last stop; outcome() raises it where it is seen
            self._error = error
        finally:
            self._ended.set()

    async def _main(self) -> Outcome:
        session = self._make()
        with self._lock:
            self._session, self._loop = session, asyncio.get_running_loop()
            early = self._early_stop
        if early is not None:
            session.request_stop(early)
        return await session.run()
