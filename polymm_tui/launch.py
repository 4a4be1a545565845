"""Puts session and console together and takes them apart again: signals, order of shutdown, exit code.

Whatever ends the console (a key, a signal, a lost terminal, a crash) ends the session in order, unless the session
ended first. Textual handles neither SIGTERM nor SIGHUP and returns normally after a crash.
"""

import asyncio
import logging
import math
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from core.children import drop_proxies
from core.clock import SystemClock
from core.config import Effective
from core.errors import PolymmError, UsageError
from core.kill.switch import KillSwitch
from core.profiles import Profiles
from core.runtime.compose import composer
from core.runtime.ending import Outcome
from core.runtime.host import SessionHost
from core.runtime.link import ConsoleLink
from core.runtime.logs import Redactor, logging_to
from core.runtime.places import places_of
from core.runtime.session import Session
from polymm_tui import __version__
from polymm_tui.collector import QuietCollector
from polymm_tui.confirming import confirm_live
from polymm_tui.streams import give, is_terminal, say

if TYPE_CHECKING:
    from polymm_tui.app import ConsoleApp

log = logging.getLogger(__name__)

ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
KILLING_SIGNAL: Final = signal.SIGUSR1
ENDING_SEC: Final = 25.0
"""Longest wait for a session's ordered end; its own deadlines are shorter."""
HURRY_SEC: Final = 2.0
"""What is left after a second signal (reliability.md 4.10)."""
CRASHED: Final = 15
NOT_VERIFIED: Final = 11
SWITCH_SEC: Final = 0.0005
"""Thread switch interval with a console: halves the lag of the session's thread (textual-craft.md 1)."""


class Host(ConsoleLink, Protocol):
    """A session or a replay on its own thread."""

    def start(self) -> None:
        """Start the thread."""
        ...

    def stop(self, reason: str) -> None:
        """Ask it to end."""
        ...

    def hurry(self) -> None:
        """Ask it to wait for nothing that is only polite while it ends."""
        ...

    def kill(self, reason: str, by: str = "console") -> None:
        """Pull the kill switch, on this thread."""
        ...


class Ending:
    """What signals do while the context lasts, from before a session's start to after its end.

    The first ending signal asks for the ordered end; a second one shortens the wait for it. A hang-up stays ignored
    where it was. The killing signal pulls the kill switch, and ends nothing.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._before: dict[signal.Signals, Any] = {}
        self.asked = False
        self.deadline = float("inf")
        """Monotonic time at which the wait for the end is given up."""
        self.leave_console: Callable[[], None] | None = None

    def __enter__(self) -> "Ending":
        for number in ENDING_SIGNALS:
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._take)
        self._before[KILLING_SIGNAL] = signal.signal(KILLING_SIGNAL, self._kill)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def give_up_in(self, seconds: float) -> None:
        """Wait no longer than this from now on."""
        self.deadline = min(self.deadline, SystemClock().monotonic() + seconds)

    def _kill(self, number: int, frame: FrameType | None) -> None:
        self._host.kill("asked for by a signal", by=signal.Signals(number).name)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            self.give_up_in(HURRY_SEC)
            self._host.hurry()
        self.asked = True
        self._host.stop(signal.Signals(number).name)
        if self.leave_console is not None:
            self.leave_console()


def run_session(effective: Effective, *, with_console: bool, duration_s: float | None, as_json: bool) -> int:
    """Run the market maker until something ends it; returns the exit code.

    Raises:
        PolymmError: it could not be started, or failed in a way nobody foresaw.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold the key
    proxies = drop_proxies(os.environ)
    settings, profiles = effective.settings, Profiles(effective)
    with_console = with_console and _terminal_or_say()
    confirm_live(settings)
    warnings: tuple[str, ...] = ()
    if settings.mode == "live":
        from polymm_tui.doctoring import look_before_live

        warnings = look_before_live(effective, proxies, as_json=as_json)
    places = places_of(settings, os.environ)
    places.claim()
    try:
        if settings.mode == "demo":
            places.start_afresh()
        switch = KillSwitch.open(places.directory, SystemClock())
        redactor, painted, collector = Redactor(), threading.Event(), QuietCollector()

        def make() -> Session:
            compose = composer(os.environ, painted)
            session = Session(
                settings,
                places,
                SystemClock(),
                redactor,
                compose,
                __version__,
                lambda: collector.max_pause_s,
                profiles,
                switch,
                guarded=settings.mode != "paper",
            )
            for line in warnings if with_console else ():  # without, they have been said on stderr
                session.note("warning", line)
            if duration_s is not None:
                asyncio.get_running_loop().call_later(duration_s, session.request_stop, "duration")
            return session

        host = SessionHost(make, switch)
        with Ending(host) as ending:
            with logging_to(places.log if with_console else None, redactor):
                try:
                    outcome, crashed = _watch(host, ending, with_console, collector, painted)
                except PolymmError:
                    raise
                except Exception as error:
                    log.exception("failed")
                    raise PolymmError(f"internal error: {redactor.clean(f'{type(error).__name__}: {error}')}") from None
            return _tell(outcome, crashed, as_json)
    finally:
        places.release()


def _watch(
    host: SessionHost, ending: Ending, with_console: bool, collector: QuietCollector, painted: threading.Event
) -> tuple[Outcome | None, bool]:
    """Run a session to its end, with a console or without.

    Returns:
        How it ended, None when the wait for its end was given up; and whether the console crashed.

    Raises:
        PolymmError: the console crashed before the session was started.
    """
    crashed = False
    try:
        if with_console:
            crashed = run_console(host, ending, collector, painted)
        else:
            painted.set()
            collector.take_over_headless()
            _headless(host, ending, host.wait)
        if not host.started:
            raise PolymmError("the console crashed before the session began; nothing was traded")
        if not host.ended:
            host.stop("console crashed" if crashed else "quit")
        return (host.outcome() if _wait_for_end(host, ending) else None), crashed
    finally:
        collector.restore()


def _tell(outcome: Outcome | None, crashed: bool, as_json: bool) -> int:
    """Say how it ended, on stderr for people and on stdout for programs; returns the exit code."""
    if outcome is None:
        say("polymm-tui: the session did not end in time: open orders are NOT verified")
        if as_json:
            give(_json({"exit_reason": "the session did not end in time", "open_orders": None}))
        return NOT_VERIFIED
    sentence = f"polymm-tui: {outcome.sentence}"
    say(f"{sentence} (the console crashed)" if crashed else sentence)
    if as_json:
        reason = "console crashed" if crashed else outcome.report["exit_reason"]
        give(_json({**outcome.report, "exit_reason": reason}))
    return CRASHED if crashed and outcome.exit_code == 0 else outcome.exit_code


def run_replay(
    path: Path, effective: Effective, *, gamma: Path | None, speed: float | None, with_console: bool, as_json: bool
) -> int:
    """Play a recording; returns the exit code.

    ``speed`` is how many recorded seconds pass in one, infinity as fast as possible; None chooses 1 for a console and
    infinity without.

    Raises:
        PolymmError: the recording or the Gamma file cannot be opened, or the replay failed.
    """
    from core.lab.recording import Reading, known_instruments
    from core.lab.replay import Replay
    from core.lab.replay_host import ReplayHost
    from core.lab.replay_report import problem_lines, replay_report

    Reading(path)  # a path that cannot be played is told before a console is drawn
    replay = Replay(path, effective.settings, known_instruments(path, gamma), Profiles(effective))
    with_console = with_console and _terminal_or_say()
    clock = SystemClock()
    started = clock.monotonic()
    crashed = False
    if speed is None:
        speed = 1.0 if with_console else math.inf
    host = ReplayHost(replay, speed, clock)
    with Ending(host) as ending:
        if with_console:
            collector = QuietCollector()
            crashed = run_console(host, ending, collector, threading.Event())
            collector.restore()
        else:
            _headless(host, ending, host.wait_ended)
    host.stop("console crashed" if crashed else "stopped")
    host.wait()
    if host.error is not None:
        raise host.error
    for line in problem_lines(replay):
        say(f"polymm-tui: {path}: {line}")
    if not replay.frames and not crashed and host.exit_reason == "end of recording":
        raise UsageError(f"{path}: no frame of a channel in it; `polymm-tui inspect` tells what it holds")
    if as_json:
        give(_json(replay_report(replay, clock.monotonic() - started, host.exit_reason)))
    return CRASHED if crashed else 0


def run_console(
    host: Host,
    ending: Ending,
    collector: QuietCollector,
    painted: threading.Event,
    made: Callable[["ConsoleApp"], None] | None = None,
) -> bool:
    """Run the console on this thread until it ends; True when it crashed. ``made`` is handed the app first."""
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    sys.setswitchinterval(SWITCH_SEC)
    try:
        from polymm_tui.app import ConsoleApp
        from polymm_tui.keymap import load_keymap, user_keymap_path

        app = ConsoleApp(host, load_keymap(user_keymap_path()), collector=collector, on_painted=painted.set)
        if made is not None:
            made(app)
        asyncio.run(_run_app(app, host, ending))
    except Exception:  # noqa: BLE001 - whatever the console dies of, the session must be ended in order
        sys.excepthook(*sys.exc_info())
        return True
    finally:
        painted.set()
    return bool(app.return_code)


async def _run_app(app: "ConsoleApp", host: Host, ending: Ending) -> None:
    loop = asyncio.get_running_loop()

    def leave() -> None:
        loop.call_soon_threadsafe(app.exit, "signal")

    ending.leave_console = leave
    try:
        host.start()
        if not ending.asked:
            await app.run_async()
    finally:
        ending.leave_console = None


def _headless(host: Host, ending: Ending, wait: Callable[[float], bool]) -> None:
    """Wait without a console, for the end or for a signal that asks for it."""
    host.start()
    while not wait(0.2) and not ending.asked:
        pass


def _wait_for_end(host: SessionHost, ending: Ending) -> bool:
    """Wait for the ordered end; False when it was given up."""
    clock = SystemClock()
    ending.give_up_in(ENDING_SEC)
    while not host.wait(0.1):
        if clock.monotonic() > ending.deadline:
            return False
    return True


def _terminal_or_say() -> bool:
    """Whether a console can be drawn; says so when not."""
    if is_terminal():
        return True
    say("polymm-tui: stdin, stdout and stderr are not all terminals, so no console: running as with --no-ui")
    return False


def _json(report: dict[str, Any]) -> str:
    return msgspec.json.encode(report).decode()
