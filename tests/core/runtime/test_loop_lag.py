"""How late the loop is, for each reader by itself."""

import asyncio

import pytest

from core.clock import ManualClock
from core.runtime import loop_lag
from core.runtime.loop_lag import PERIOD_SEC, LoopLag


async def test_each_reader_hears_the_longest_delay_since_its_last_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """The console looks ten times a second and the metrics four times a minute: neither may take the other's."""
    clock, turns = ManualClock(), 0
    sleep = asyncio.sleep

    async def sleep_and_be_late(seconds: float) -> None:
        nonlocal turns
        assert seconds == PERIOD_SEC
        turns += 1
        clock.advance_to(clock.monotonic() + seconds + (0.3 if turns == 2 else 0.01))
        await sleep(0)

    monkeypatch.setattr(loop_lag.asyncio, "sleep", sleep_and_be_late)
    lag = LoopLag(clock)
    often, seldom = lag.reader(), lag.reader()
    task = asyncio.create_task(lag.run())
    heard = []
    for wanted in (1, 2, 4):
        while turns <= wanted:
            await sleep(0)
        heard.append(often())
    assert heard == [pytest.approx(0.01), pytest.approx(0.3), pytest.approx(0.01)]
    assert seldom() == pytest.approx(0.3) and seldom() == 0.0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_loop_that_stood_still_for_longer_than_a_second_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came meanwhile is old, and nothing is placed on it."""
    clock, told, lates = ManualClock(), list[float](), iter([0.1, 1.0, 2.5])
    forever = asyncio.Event()

    async def sleep_and_be_late(seconds: float) -> None:
        late = next(lates, None)
        if late is None:
            await forever.wait()
        clock.advance_to(clock.monotonic() + seconds + (late or 0.0))

    monkeypatch.setattr(loop_lag.asyncio, "sleep", sleep_and_be_late)
    task = asyncio.create_task(LoopLag(clock, told.append).run())
    done, _ = await asyncio.wait({task}, timeout=0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not done and told == [pytest.approx(2.5)]
