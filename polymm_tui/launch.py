"""Puts session and console together and takes them apart again: signals, order of shutdown, exit code.

Whatever ends the console (a key, a signal, a lost terminal, a crash) ends the session in order, unless the session
ended first. Textual handles neither SIGTERM nor SIGHUP and returns normally after a crash.
"""

import asyncio
import contextlib
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

from core.clock import SystemClock
from core.config import Settings
from core.errors import CredentialError, PolymmError, UsageError
from core.runtime.compose import composer
from core.runtime.host import SessionHost
from core.runtime.link import ConsoleLink
from core.runtime.logs import Redactor, configure
from core.runtime.places import Places, state_home
from core.runtime.session import Session
from polymm_tui import __version__
from polymm_tui.collector import QuietCollector

if TYPE_CHECKING:
    from polymm_tui.app import ConsoleApp

ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ENDING_SEC: Final = 25.0
"""Longest wait for a session's ordered end; its own deadlines are shorter."""
HURRY_SEC: Final = 2.0
"""What is left after a second signal (reliability.md 4.10)."""
CRASHED: Final = 15
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


def run_session(settings: Settings, *, with_console: bool, duration_s: float | None, as_json: bool) -> int:
    """Run the market maker until something ends it; returns the exit code.

    Raises:
        PolymmError: it could not be started.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold the key
    with_console = with_console and _terminal_or_say()
    _confirm_live(settings)
    places = Places(Path(settings.state_dir) if settings.state_dir else state_home(os.environ), settings.mode)
    places.claim()
    try:
        if settings.mode == "demo":
            places.start_afresh()
        places.check_latch()
        redactor, painted, collector = Redactor(), threading.Event(), QuietCollector()
        handler = configure(redactor, places.log if with_console else None)

        def make() -> Session:
            compose = composer(os.environ, painted)
            session = Session(
                settings, places, SystemClock(), redactor, compose, __version__, lambda: collector.max_pause_s
            )
            if duration_s is not None:
                asyncio.get_running_loop().call_later(duration_s, session.request_stop, "duration")
            return session

        host = SessionHost(make)
        try:
            crashed = _watch(host, with_console, collector, painted)
            outcome = host.outcome()
        finally:
            collector.restore()
            handler.close()
    finally:
        places.release()
    sentence = f"polymm-tui: {outcome.sentence}"
    _say(f"{sentence} (the console crashed)" if crashed else sentence)
    if as_json:
        _print_json({**outcome.report, "exit_reason": "console crashed" if crashed else outcome.report["exit_reason"]})
    return CRASHED if crashed and outcome.exit_code == 0 else outcome.exit_code


def run_replay(
    path: Path, settings: Settings, *, gamma: Path | None, speed: float | None, with_console: bool, as_json: bool
) -> int:
    """Play a recording; returns the exit code.

    Raises:
        PolymmError: the recording or the Gamma file cannot be opened.
    """
    from core.lab.recording import read_gamma
    from core.lab.replay import Replay
    from core.lab.replay_host import ReplayHost
    from core.lab.replay_report import problem_lines, replay_report

    if not path.is_file():
        raise UsageError(f"{path}: no such file; give the path of a recording")
    replay = Replay(path, settings, read_gamma(gamma) if gamma is not None else {})
    with_console = with_console and _terminal_or_say()
    clock = SystemClock()
    started = clock.monotonic()
    crashed = False
    host = ReplayHost(replay, speed, clock)
    if with_console:
        collector = QuietCollector()
        crashed = _console(host, collector, threading.Event())
        collector.restore()
    else:
        _headless(host, lambda: host.wait_ended(0.2))
    host.stop("stopped")
    host.wait()
    if host.error is not None:
        raise host.error
    for line in problem_lines(replay):
        _say(f"polymm-tui: {path}: {line}")
    if as_json:
        _print_json(replay_report(replay, clock.monotonic() - started, host.exit_reason))
    return CRASHED if crashed else 0


def _watch(host: SessionHost, with_console: bool, collector: QuietCollector, painted: threading.Event) -> bool:
    """Run a session to its end, with a console or without; True when the console crashed."""
    if with_console:
        crashed = _console(host, collector, painted)
    else:
        painted.set()
        collector.take_over_headless()
        crashed = False
        _headless(host, lambda: host.wait(0.2))
    if not host.ended:
        host.stop("console crashed" if crashed else "quit")
    _wait_for_end(host)
    return crashed


def _console(host: Host, collector: QuietCollector, painted: threading.Event) -> bool:
    """Run the console on this thread until it ends; True when it crashed."""
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    sys.setswitchinterval(SWITCH_SEC)
    from polymm_tui.app import ConsoleApp
    from polymm_tui.keymap import load_keymap

    app = ConsoleApp(host, load_keymap(_user_keymap()), collector=collector, on_painted=painted.set)
    try:
        asyncio.run(_run_app(app, host))
    except Exception:  # noqa: BLE001 - whatever the console dies of, the session must be ended in order
        sys.excepthook(*sys.exc_info())
        return True
    finally:
        painted.set()
    return bool(app.return_code)


async def _run_app(app: "ConsoleApp", host: Host) -> None:
    loop = asyncio.get_running_loop()

    def leave(name: str) -> None:
        host.stop(name)
        app.exit("signal")

    for number in ENDING_SIGNALS:
        loop.add_signal_handler(number, leave, number.name)
    host.start()
    try:
        await app.run_async()
    finally:
        for number in ENDING_SIGNALS:
            loop.remove_signal_handler(number)


def _headless(host: Host, wait: Callable[[], bool]) -> None:
    """Wait for the end without a console; a signal asks for it."""

    def ask(number: int, frame: FrameType | None) -> None:
        host.stop(signal.Signals(number).name)

    with _handling(ask):
        host.start()
        while not wait():
            pass


def _wait_for_end(host: SessionHost) -> None:
    """Wait for the ordered end; a second signal shortens the wait, and what is left then is told as not verified."""
    clock = SystemClock()
    deadline = clock.monotonic() + ENDING_SEC

    def hurry(number: int, frame: FrameType | None) -> None:
        nonlocal deadline
        deadline = min(deadline, clock.monotonic() + HURRY_SEC)

    with _handling(hurry):
        while not host.wait(0.1):
            if clock.monotonic() > deadline:
                raise PolymmError("the session did not end in time: open orders are NOT verified")


@contextlib.contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Any:
    """Handle the ending signals in the main thread."""
    before = {number: signal.signal(number, handler) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _terminal_or_say() -> bool:
    """Whether a console can be drawn; says so when not."""
    if sys.stdout.isatty() and sys.stdin.isatty():
        return True
    _say("polymm-tui: no terminal on stdin and stdout, so no console: running as with --no-ui")
    return False


def _confirm_live(settings: Settings) -> None:
    """Live is asked for by name and confirmed.

    Raises:
        CredentialError: there is no key.
        UsageError: it was not confirmed.
    """
    if settings.mode != "live":
        return
    if not os.environ.get("PK"):
        raise CredentialError("live mode needs a private key: set PK in the environment of this command")
    if os.environ.get("POLYMM_CONFIRM_LIVE") == "yes":
        return
    if not sys.stdin.isatty():
        raise UsageError("live mode trades real money: confirm with POLYMM_CONFIRM_LIVE=yes, or start from a terminal")
    print("This trades real money. Type LIVE to go on: ", end="", flush=True)  # noqa: T201
    if sys.stdin.readline().strip() != "LIVE":
        raise UsageError("live mode was not confirmed; nothing was done")


def _user_keymap() -> Path | None:
    path = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "polymm-tui" / "keymap.toml"
    return path if path.exists() else None


def _say(line: str) -> None:
    """One line for people; a terminal that is gone cannot hear it."""
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)  # noqa: T201


def _print_json(report: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(msgspec.json.encode(report).decode(), flush=True)  # noqa: T201
