"""Session and console put together and taken apart, with sessions and consoles that misbehave."""

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from core.events import OperatorCommand
from core.runtime.ending import Outcome
from core.runtime.link import Access, CommandResult
from core.views import ConsoleView
from polymm_tui import launch
from polymm_tui.collector import QuietCollector
from polymm_tui.launch import Ending, _tell, _watch

REPORT = {"mode": "demo", "exit_reason": "quit"}


class FakeHost:
    """A session's host without a session: it ends when told to, or never."""

    def __init__(self, ends: bool = True) -> None:
        self._ends = ends
        self._over = threading.Event()
        self.reasons: list[str] = []
        self.hurried = 0
        self.started = False

    view: ConsoleView | None = None
    access: Access = "own"

    @property
    def ended(self) -> bool:
        return self._over.is_set()

    def send(self, command: OperatorCommand) -> "Future[CommandResult]":
        raise AssertionError

    def watch(self, market: str, ladders: tuple[str, ...] = ()) -> None:
        raise AssertionError

    def start(self) -> None:
        self.started = True

    def stop(self, reason: str) -> None:
        self.reasons.append(reason)
        if self._ends:
            self._over.set()

    def hurry(self) -> None:
        self.hurried += 1

    def wait(self, timeout_s: float | None = None) -> bool:
        return not self.started or self._over.wait(timeout_s)

    def outcome(self) -> Outcome:
        return Outcome(0, self.reasons[0], True, f"stopped ({self.reasons[0]}): zero open orders verified", REPORT)


def soon(number: signal.Signals, *after_s: float) -> None:
    """Send this process signals from another thread."""

    def send() -> None:
        for wait in after_s:
            time.sleep(wait)
            os.kill(os.getpid(), number)

    threading.Thread(target=send).start()


def watch(host: FakeHost, with_console: bool = False) -> tuple[Outcome | None, bool]:
    with Ending(host) as ending:
        return _watch(host, ending, with_console, QuietCollector(), threading.Event())  # type: ignore[arg-type]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "ENDING_SEC", 1.0)
    monkeypatch.setattr(launch, "HURRY_SEC", 0.2)


def a_console(monkeypatch: pytest.MonkeyPatch, behave: Callable[[Any], Any]) -> None:
    """Put another console in the app's place."""

    def make(host: Any, keymap: Any, **options: Any) -> Any:
        return SimpleNamespace(run_async=lambda: behave(host), return_code=0, exit=lambda result: None)

    monkeypatch.setattr("polymm_tui.app.ConsoleApp", make)


@pytest.mark.parametrize("number", launch.ENDING_SIGNALS)
def test_the_first_signal_asks_and_the_handlers_are_given_back(number: signal.Signals) -> None:
    """Whoever calls this program as a library gets its own signals back."""
    before = [signal.getsignal(one) for one in launch.ENDING_SIGNALS]
    host = FakeHost()
    soon(number, 0.05)
    outcome, crashed = watch(host)
    assert host.reasons[0] == number.name and not crashed
    assert outcome is not None and outcome.exit_code == 0
    assert [signal.getsignal(one) for one in launch.ENDING_SIGNALS] == before


def test_the_wait_for_a_session_that_hangs_has_an_end(impatient: None, capsys: pytest.CaptureFixture[str]) -> None:
    """A headless program under a supervisor must not hang for ever, and must not claim anything."""
    soon(signal.SIGTERM, 0.05)
    outcome, _ = watch(FakeHost(ends=False))
    assert outcome is None
    assert _tell(outcome, False, True) == 11
    told = capsys.readouterr()
    assert "NOT verified" in told.err and len(told.err.splitlines()) == 1


def test_a_second_signal_shortens_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the operator's way to say: now."""
    monkeypatch.setattr(launch, "HURRY_SEC", 0.1)
    host = FakeHost(ends=False)
    soon(signal.SIGINT, 0.05, 0.05)
    assert watch(host) == (None, False)
    assert host.reasons[0] == "SIGINT" and host.hurried == 1


@pytest.mark.parametrize("moment", ["before the session", "after the session"])
def test_a_console_that_crashes_ends_the_session(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], moment: str
) -> None:
    """Whatever it dies of, and also when it dies before it has drawn anything."""
    host = FakeHost()

    async def crash(link: Any) -> None:
        raise RuntimeError("no colours left")

    if moment == "before the session":
        monkeypatch.setattr("polymm_tui.app.ConsoleApp", _broken)
        with pytest.raises(launch.PolymmError, match="nothing was traded"):
            watch(host, with_console=True)
        assert not host.started
    else:
        a_console(monkeypatch, crash)
        outcome, crashed = watch(host, with_console=True)
        assert crashed and outcome is not None and host.reasons == ["console crashed"]
        assert _tell(outcome, crashed, False) == 15
        assert "(the console crashed)" in capsys.readouterr().err


def _broken(*arguments: Any, **options: Any) -> Any:
    raise RuntimeError("no terminal like this")


def test_a_console_that_is_left_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quit means: cancel everything, then go."""
    host = FakeHost()

    async def quit_at_once(link: Any) -> None:
        return None

    a_console(monkeypatch, quit_at_once)
    outcome, crashed = watch(host, with_console=True)
    assert host.reasons == ["quit"] and not crashed and outcome is not None


def test_a_signal_before_the_console_runs_skips_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes while the console is being imported: then there is no screen to leave."""
    host = FakeHost()

    async def never(link: Any) -> None:
        raise AssertionError("the console was run")

    def make(link: Any, keymap: Any, **options: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return SimpleNamespace(run_async=lambda: never(link), return_code=0, exit=lambda result: None)

    monkeypatch.setattr("polymm_tui.app.ConsoleApp", make)
    outcome, crashed = watch(host, with_console=True)
    assert not crashed and outcome is not None and host.reasons[0] == "SIGTERM"
