"""What a session tells its engine of its clock and its journal."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from core.clock import ManualClock
from core.errors import VenueUnavailable
from core.events import ClockSeen, JournalSeen
from core.runtime import vital_signs as module
from core.runtime.vital_signs import CLOCK_AGAIN_SEC, CLOCK_SEC, LOOK_SEC, watch_clock, watch_journal


class Enough(Exception):
    """The test has seen what it wanted."""


@contextmanager
def sleeping(monkeypatch: pytest.MonkeyPatch, on_sleep: Callable[[float], None]) -> Iterator[None]:
    """Every sleep of the module is one call."""

    async def sleep(seconds: float) -> None:
        on_sleep(seconds)

    monkeypatch.setattr(module, "asyncio", SimpleNamespace(sleep=sleep))
    yield


def run(work: Coroutine[Any, Any, None]) -> None:
    with pytest.raises(Enough):
        asyncio.run(work)


class VenueClock:
    """Tells its time after a while."""

    def __init__(self, clock: ManualClock, ahead_s: float = 0.0, takes_s: float = 0.2, fails: bool = False) -> None:
        self.clock, self.ahead_s, self.takes_s, self.fails = clock, ahead_s, takes_s, fails

    async def time(self) -> int:
        at = self.clock.unix() + self.takes_s / 2
        self.clock.advance_to(self.clock.monotonic() + self.takes_s)
        if self.fails:
            raise VenueUnavailable("no")
        return int(at + self.ahead_s)


@pytest.mark.parametrize("ahead_s", [-5.0, -1.5, 0.0, 0.4, 3.6])
def test_the_skew_is_known_to_half_a_second(monkeypatch: pytest.MonkeyPatch, ahead_s: float) -> None:
    clock, told, slept = ManualClock(unix=1_000_000.3, monotonic=5.0), list[ClockSeen](), list[float]()

    def on_sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.advance_to(clock.monotonic() + seconds + 0.13)
        if len(slept) == 20:
            raise Enough

    with sleeping(monkeypatch, on_sleep):
        run(watch_clock(VenueClock(clock, ahead_s), clock, told.append))  # type: ignore[arg-type]
    assert len(told) == 20 and set(slept) == {CLOCK_SEC}
    assert all(abs(seen.skew_s + ahead_s) <= 0.5 + 1e-6 for seen in told)


@pytest.mark.parametrize("fault", [{"takes_s": 1.5}, {"fails": True}])
def test_an_answer_that_says_too_little_is_asked_for_again_soon(
    monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    clock, told = ManualClock(), list[ClockSeen]()

    def on_sleep(seconds: float) -> None:
        assert seconds == CLOCK_AGAIN_SEC
        raise Enough

    with sleeping(monkeypatch, on_sleep):
        run(watch_clock(VenueClock(clock, **fault), clock, told.append))  # type: ignore[arg-type]
    assert told == []


def journal_watched(monkeypatch: pytest.MonkeyPatch, looks: list[tuple[float, float | None]]) -> list[float]:
    """What is told, of looks that come after so many seconds and find something waiting since then."""
    clock, told = ManualClock(monotonic=100.0), list[JournalSeen]()
    journal = SimpleNamespace(writing_since_s=None)
    script = iter(looks)

    def on_sleep(seconds: float) -> None:
        assert seconds == LOOK_SEC
        passed, since = next(script, (0.0, "end"))
        if since == "end":
            raise Enough
        clock.advance_to(clock.monotonic() + passed)
        journal.writing_since_s = since

    with sleeping(monkeypatch, on_sleep):
        run(watch_journal(journal, clock, told.append))  # type: ignore[arg-type]
    return [seen.stalled_s for seen in told]


def test_a_write_that_waits_is_told_of_after_two_seconds_until_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting: list[tuple[float, float | None]] = [(0.25, 100.0)] * 11
    assert journal_watched(monkeypatch, [*waiting, (0.25, None), (0.25, None)]) == [2.0, 2.25, 2.5, 0.0]


def test_many_short_writes_are_no_long_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert journal_watched(monkeypatch, [(0.25, 100.0 + n) for n in range(100)]) == []


def test_a_loop_that_stood_still_is_no_stalled_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could take the disk's answer meanwhile: a kill for that would blame the wrong one."""
    assert journal_watched(monkeypatch, [(0.25, 100.0), (30.0, 100.0), (0.25, None)]) == []
