"""The console's link to a session in another process, over its control socket.

A thread of its own talks with the session; the console only ever touches memory. A connection that is lost is tried
again for a while, and the session may have been started anew meanwhile. The kill needs neither: it is the switch in the
session's directory.
"""

import asyncio
import itertools
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

import msgspec

from core.clock import Clock
from core.errors import PreflightError
from core.events import OperatorCommand
from core.kill.shell import ANSWER_S, open_to_kill
from core.kill.switch import KillSwitch
from core.runtime.console_wire import (
    LONGEST_TO_CONSOLE,
    Answered,
    Attach,
    Attached,
    Do,
    Gaze,
    Over,
    Ready,
    Shown,
    ToConsole,
    ToSession,
    decode_to_console,
    framed,
    next_frame,
)
from core.runtime.control_socket import NoAnswer, NoSession, dial
from core.runtime.guard import SILENT_KILLING_SEC, kill_view
from core.runtime.link import Access, CommandResult
from core.runtime.places import Places
from core.views import ConsoleView, KillView

RETRY_SEC: Final = 0.5
"""Between two tries to find a session again."""
GIVE_UP_SEC: Final = 300.0
"""A session that is not back after this is lost for good."""
ANSWER_SEC: Final = 10.0
"""Longest wait for an answer before the operator is told that there is none."""
MOST_UNSENT: Final = 65_536
"""Bytes that a session which takes nothing is sent at most."""
READ_AHEAD: Final = 2**20
LOST: Final = "unknown: the connection was lost before an answer; look at the orders"
LATE: Final = f"unknown: no answer in {ANSWER_SEC:g} s; look at the orders"
NOT_SENT: Final = "nothing was done: there is no connection to the session"
WATCHING: Final = "this console only watches: kill with `polymm-tui kill`"


class _Line:
    """One connection, on the loop of the link's thread."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def say(self, told: ToSession) -> bool:
        """Send it without waiting; False when the session takes nothing any more."""
        if self._writer.transport.get_write_buffer_size() > MOST_UNSENT:
            return False
        self._writer.write(framed(told))
        return True


class AttachedLink:
    """A :class:`core.runtime.link.ConsoleLink` of another process. Its methods are safe from any thread."""

    def __init__(
        self,
        places: Places,
        version: str,
        clock: Clock,
        kill_alone: Callable[[str], bool],
        *,
        read_only: bool = False,
    ) -> None:
        """Nothing is connected yet.

        Args:
            places: of the session.
            version: of this program.
            clock: the machine's.
            kill_alone: cancels everything for a reason when neither session nor watchdog does, and says whether zero
                open orders were verified; may take its time.
            read_only: nothing is to be done; the session sees to that.
        """
        self._listener: Callable[[str, bool], None] | None = None
        self._untold: list[tuple[str, bool]] = []
        """What was said before anybody listened."""
        self._places = places
        self._version = version
        self._clock = clock
        self._kill_alone = kill_alone
        self._read_only = read_only
        self._console = "console"
        self._began_s: float | None = None
        self._view: ConsoleView | None = None
        self._gaze: Gaze | None = None
        self._first: socket.socket | None = None
        self._switch: KillSwitch | None = None
        self._lock = threading.Lock()
        """Of the line, its loop, and what waits for an answer."""
        self._line: _Line | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._following: asyncio.Task[None] | None = None
        self._pending: dict[int, Future[CommandResult]] = {}
        self._numbers = itertools.count(1)
        self._leaving = threading.Event()
        self._ended = threading.Event()
        self._over = ""
        self._is_lost = False
        self._thread = threading.Thread(target=self._run, name="attached", daemon=True)

    # Of whoever runs the console

    def connect(self) -> None:
        """Attach, on the caller's thread.

        Raises:
            NoSession: none runs there.
            NoAnswer: it does not answer.
            PreflightError: it refuses, or is of another version.
        """
        self._first = self._dial()

    def listen(self, listener: Callable[[str, bool], None]) -> None:
        """Have what becomes of the connection told, in words, and whether that is good; called on any thread.

        What was said before is told at once.
        """
        self._listener = listener
        for text, is_good in self._untold:
            listener(text, is_good)
        self._untold.clear()

    def start(self) -> None:
        """Follow the session that was connected to."""
        self._thread.start()

    def stop(self, reason: str) -> None:
        """Detach; the session goes on."""
        self._leaving.set()
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._end_line)

    def hurry(self) -> None:
        """Detaching waits for nothing anyway."""

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing is followed any more; False when that did not come in time."""
        return self._thread.ident is None or self._ended.wait(timeout_s)

    @property
    def over(self) -> str:
        """Why there is no session any more, in words; "" while there is one, or may be one again."""
        return self._over

    @property
    def is_lost(self) -> bool:
        """``over`` is about a session that never said how it ended."""
        return self._is_lost

    # The console link

    @property
    def access(self) -> Access:
        """Another process's session."""
        return "watching" if self._read_only else "attached"

    @property
    def view(self) -> ConsoleView | None:
        """The newest view that came."""
        return self._view

    @property
    def ended(self) -> bool:
        """The session has ended, or is lost for good."""
        return self._ended.is_set()

    def watch(self, market: str, ladders: tuple[str, ...] = ()) -> None:
        """Say what the operator looks at; said again to a session that was found again."""
        self._gaze = Gaze(market, ladders)
        self._say_soon(self._gaze)

    def send(self, command: OperatorCommand) -> "Future[CommandResult]":
        """Send a command. What may have been done although no answer came is told as unknown."""
        future: Future[CommandResult] = Future()
        number = next(self._numbers)
        told = Do(number, self._clock.monotonic(), command)
        with self._lock:
            loop, line = self._loop, self._line
            if loop is None or line is None:
                future.set_result(CommandResult(done=False, text=NOT_SENT))
                return future
            self._pending[number] = future

            def say() -> None:
                if not line.say(told):
                    self._answer(number, CommandResult(done=False, text="nothing was done: the session takes nothing"))
                loop.call_later(ANSWER_SEC, self._answer, number, CommandResult(done=False, text=LATE))

            loop.call_soon_threadsafe(say)
        return future

    def kill(self, reason: str, by: str = "") -> None:
        """Pull the kill switch on the caller's thread; who cancels is the watchdog, and without one a command."""
        if self._read_only:
            self._tell(WATCHING, False)
            return
        if self._switch is not None:
            self._switch.pull(by or self._console, reason)
        threading.Thread(target=self._see_to_kill, args=(reason,), name="kill", daemon=True).start()

    @property
    def kill_view(self) -> KillView | None:
        """What the kill switch says now; whether there is a watchdog, as last heard."""
        if (switch := self._switch) is None:
            return None
        now, seen = self._clock.monotonic(), self._view
        view = kill_view(switch, None, now)
        if seen is None:
            return view
        age_s = view.watchdog_age_s
        return msgspec.structs.replace(
            view,
            guarded=seen.kill.guarded,
            watchdog_up=seen.kill.watchdog_up and age_s is not None and age_s < SILENT_KILLING_SEC,
            watchdog_detail=seen.kill.watchdog_detail,
        )

    def _see_to_kill(self, reason: str) -> None:
        """Have everything cancelled by a command when nobody has taken charge of the last pull."""
        time.sleep(ANSWER_S)
        switch = self._switch
        if switch is None or not (switch.report or switch.page.is_busy(self._clock.monotonic())):
            self._tell("nobody has taken charge of the kill: cancelling from here", True)
            if not self._kill_alone(reason):
                self._tell("the kill is NOT verified: `polymm-tui kill` says why", False)

    def _tell(self, text: str, is_good: bool) -> None:
        if self._listener is None:
            self._untold.append((text, is_good))
        else:
            self._listener(text, is_good)

    # The connection, on the link's thread

    def _run(self) -> None:
        connection = self._first
        try:
            with asyncio.Runner() as runner:
                while connection is not None:
                    runner.run(self._follow(connection))
                    connection = None if self._over or self._leaving.is_set() else self._found_again()
        finally:
            self._ended.set()
            self._end_pending()

    def _dial(self) -> socket.socket:
        """Attach; raises as :meth:`connect` does."""
        request = Attach(version=self._version, read_only=self._read_only)
        connection, attached = dial(self._places.control, request, Attached)
        self._console = attached.console
        is_new, self._began_s = attached.began_s != self._began_s, attached.began_s
        if is_new or self._switch is None:
            self._open_switch()
        return connection

    def _open_switch(self) -> None:
        """Have the kill switch at hand before it is needed; the old one stays open: another thread may look at it."""
        try:
            self._switch = open_to_kill(self._places.directory, self._clock)
        except PreflightError as error:
            self._tell(f"the kill key cannot work here: {error}", False)

    async def _follow(self, connection: socket.socket) -> None:
        """Take what one connection brings, until it breaks, the session has ended or the console leaves."""
        try:
            reader, writer = await asyncio.open_unix_connection(sock=connection, limit=READ_AHEAD)
        except OSError:
            connection.close()
            return
        line = _Line(writer)
        with self._lock:
            self._loop, self._line, self._following = asyncio.get_running_loop(), line, asyncio.current_task()
        try:
            if self._leaving.is_set():
                return
            if self._gaze is not None:
                line.say(self._gaze)
            line.say(Ready())
            while not self._over and (frame := await next_frame(reader, LONGEST_TO_CONSOLE)) is not None:
                self._take(decode_to_console(frame), line)
        except (msgspec.DecodeError, ValueError) as error:
            self._over = f"what the session says cannot be read; use one version of this program for both ({error})"
            self._is_lost = True
        except (OSError, asyncio.CancelledError):
            pass  # lost, or left: whoever called looks which
        finally:
            with self._lock:
                self._loop = self._line = self._following = None
            self._end_pending()
            writer.transport.abort()

    def _take(self, told: ToConsole, line: _Line) -> None:
        match told:
            case Shown():
                self._view = told.view
                line.say(Ready())
            case Answered():
                self._answer(told.number, told.result)
            case Over():
                self._over = told.text

    def _found_again(self) -> socket.socket | None:
        """A connection to the session that was lost, or to the one that came in its place; None when neither comes."""
        lost_s = self._clock.monotonic()
        self._tell(f"lost; trying again for {GIVE_UP_SEC:g} s. The kill key needs no session", False)
        began_s = self._began_s
        while not self._leaving.wait(RETRY_SEC):
            away_s = self._clock.monotonic() - lost_s
            try:
                connection = self._dial()
            except (NoSession, NoAnswer) as error:
                if away_s > GIVE_UP_SEC:
                    self._over, self._is_lost = f"lost for {away_s:.0f} s: {error}", True
                    return None
            except PreflightError as error:
                self._over, self._is_lost = str(error), True
                return None
            else:
                which = "the session goes on" if self._began_s == began_s else "the session was started anew"
                self._tell(f"back after {away_s:.0f} s: {which}", True)
                return connection
        return None

    def _say_soon(self, told: ToSession) -> None:
        with self._lock:
            if self._loop is not None and self._line is not None:
                self._loop.call_soon_threadsafe(self._line.say, told)

    def _end_line(self) -> None:
        if self._following is not None:
            self._following.cancel()

    def _answer(self, number: int, result: CommandResult) -> None:
        """Answer what still waits for it."""
        with self._lock:
            future = self._pending.pop(number, None)
        if future is not None:
            future.set_result(result)

    def _end_pending(self) -> None:
        """Nothing that waits will be answered any more."""
        with self._lock:
            pending, self._pending = self._pending, {}
        for future in pending.values():
            future.set_result(CommandResult(done=False, text=LOST))
