"""A replay on a thread of its own, behind the console's link: watched at a pace, and operable like a session."""

import contextlib
import logging
import queue
import threading
from collections import deque
from concurrent.futures import Future
from typing import Final

from core.actions import Note
from core.clock import Clock
from core.errors import InvariantBroken, PolymmError
from core.events import OperatorCommand
from core.lab.replay import Replay
from core.runtime.alarming import ALARM_ACTS, Alarming
from core.runtime.link import Access, CommandResult
from core.viewing import Stage, console_view
from core.views import ConsoleView, EventView, KillView, Severity

log = logging.getLogger(__name__)

VIEW_SEC: Final = 0.1
EVENTS_KEPT: Final = 200
_Asked = tuple[OperatorCommand, "Future[CommandResult]"]


class ReplayHost:
    """Runs a :class:`Replay` in a thread; is a :class:`core.runtime.link.ConsoleLink`."""

    def __init__(self, replay: Replay, speed: float, clock: Clock) -> None:
        """``speed`` is how many recorded seconds pass in one; infinity plays as fast as possible."""
        self.replay = replay
        self._speed = speed
        self._clock = clock
        self._view: ConsoleView | None = None
        self._asked: queue.Queue[_Asked] = queue.Queue()
        self._events: deque[EventView] = deque(maxlen=EVENTS_KEPT)
        self._event_seq = 0
        self._view_seq = 0
        self._alarming = Alarming(self._note)
        self._gaze: tuple[str, tuple[str, ...]] = ("", ())
        self._viewed_s = float("-inf")
        self._started_s = 0.0
        self._reason = "end of recording"
        self._stop = threading.Event()
        self._ended = threading.Event()
        self.error: PolymmError | None = None
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)

    def start(self) -> None:
        """Start playing."""
        self._thread.start()

    @property
    def view(self) -> ConsoleView | None:
        """The newest view."""
        return self._view

    @property
    def ended(self) -> bool:
        """The replay failed; one that came to its end stays open for reading."""
        return self.error is not None

    @property
    def access(self) -> Access:
        """The console's own replay."""
        return "own"

    def watch(self, market: str, ladders: tuple[str, ...] = ()) -> None:
        """Let the views carry the details of a market and the books of others, also after the end."""
        self._gaze = (market, ladders)
        if self._ended.is_set():
            self._publish()

    def send(self, command: OperatorCommand) -> Future[CommandResult]:
        """Let an operator act at the replay's present time."""
        future: Future[CommandResult] = Future()
        self._asked.put((command, future))
        if self._ended.is_set():
            self._refuse_the_rest()
        return future

    def hurry(self) -> None:
        """A replay ends at once anyway."""

    def kill(self, reason: str, by: str = "console") -> None:
        """A replay has no orders but its own; its engine stops placing them."""
        self.send(OperatorCommand(act="kill", who=by, reason=reason))

    @property
    def kill_view(self) -> KillView | None:
        """There is no switch."""
        return None

    def stop(self, reason: str) -> None:
        """End the replay where it is."""
        if not self._ended.is_set() and not self._stop.is_set():
            self._reason = reason
        self._stop.set()

    @property
    def exit_reason(self) -> str:
        """Why it ended."""
        return self._reason

    def wait_ended(self, timeout_s: float) -> bool:
        """Wait for the end of the recording; False when it did not come in time."""
        return self._ended.wait(timeout_s)

    def wait(self) -> None:
        """Wait until the thread has ended; one that was never started has."""
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            self._started_s = self._clock.monotonic()
            self.replay.run(self._pace)
            self.replay.finish(self._reason)
        except _Stopped:
            self.replay.finish(self._reason)
        except PolymmError as error:
            self.error = error
        except Exception as error:
            log.exception("replay_failed")
            self.error = InvariantBroken(f"the replay failed: {type(error).__name__}: {error}")
        finally:
            self._ended.set()
            self._refuse_the_rest()
            self._publish()

    def _pace(self, at: float) -> None:
        """Hold the replay back until ``at`` is due, act for the operator, and renew the view."""
        while True:
            self._serve()
            now = self._clock.monotonic()
            if now - self._viewed_s >= VIEW_SEC:
                self._viewed_s = now
                self._publish()
            if self._stop.is_set():
                raise _Stopped
            wait = at / self._speed - (now - self._started_s)
            if wait <= 0:
                return
            self._stop.wait(min(wait, VIEW_SEC))

    def _serve(self) -> None:
        while not self._asked.empty():
            command, future = self._asked.get()
            if why := command.why_no_preview:
                future.set_result(CommandResult(done=False, text=f"{command.act}: {why}"))
                continue
            if command.act in ALARM_ACTS:
                future.set_result(self._alarming.command(command, self.replay.now))
                continue
            notes = [action for action in self.replay.command(command) if isinstance(action, Note)]
            if not notes:
                future.set_result(CommandResult(done=False, text="nothing was done"))
                continue
            last = notes[-1]
            future.set_result(CommandResult(done=not last.refused, text=last.text, confirm=last.confirm))

    def _refuse_the_rest(self) -> None:
        """Answer what nobody will carry out; both threads may do so at the same time."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._asked.get_nowait()[1].set_result(CommandResult(done=False, text="the recording has ended"))

    def _publish(self) -> None:
        for unix, note in self.replay.take_notes():
            self._tell(unix, note.severity, note.text, note.market)
        self._view_seq += 1
        finished = self._reason if self._ended.is_set() else ""
        stage = Stage(
            seq=self._view_seq,
            mode="replay",
            now=self.replay.now,
            unix=self.replay.unix,
            loop_lag_ms=0.0,
            finished=finished,
            events=tuple(self._events),
            watched=frozenset((self._gaze[0],)),
            ladders=frozenset(self._gaze[1]),
            alarms=self._alarming.views,
            alarm_calls=self._alarming.calls,
        )
        self._view = view = console_view(self.replay.engine, stage)
        self._alarming.look(view, self.replay.now)

    def _note(self, severity: Severity, text: str, market: str = "") -> None:
        """A line of the replay's present time for the console's event log."""
        self._tell(self.replay.unix, severity, text, market)

    def _tell(self, unix: float, severity: Severity, text: str, market: str) -> None:
        self._event_seq += 1
        self._events.append(EventView(self._event_seq, unix, severity, market, text))


class _Stopped(Exception):
    """The operator left before the end."""
