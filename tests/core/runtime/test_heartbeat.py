"""The task that beats: one at a time, only while everything moves, and never without saying so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from core.clock import ManualClock
from core.events import HeartbeatSeen
from core.runtime import heartbeat as heartbeat_module
from core.runtime.heartbeat import Heartbeat, Liveness
from core.venue.gateway import HeartbeatAnswer
from tests.core.runtime.scripted import Script, hang, until
from tests.loopback.jumping import jumping_loop

LOOK = 0.001
LOOP_FACTORY = jumping_loop
"""Whoever has paused for two looks has seen the task look: no luck of the machine's is needed."""


class Ward:
    """A heartbeat whose engine and journal move when the test says so."""

    def __init__(self) -> None:
        self.clock = ManualClock(monotonic=100.0)
        self.gateway = Script()
        self.told: list[HeartbeatSeen] = []
        self.moved = {"engine": 100.0, "journal": 100.0}
        liveness = [Liveness(name, lambda name=name: self.moved[name], 3.0) for name in self.moved]  # type: ignore[misc]
        self.heartbeat = Heartbeat(self.gateway, self.clock, self.told.append, liveness)

    def pass_time(self, seconds: float, *moving: str) -> None:
        """Only what is in ``moving`` makes progress."""
        self.clock.advance_to(self.clock.monotonic() + seconds)
        self.moved |= dict.fromkeys(moving, self.clock.monotonic())

    @property
    def beats(self) -> int:
        return len(self.gateway.called("heartbeat"))

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(2 * LOOK)


@pytest.fixture
def ward(monkeypatch: pytest.MonkeyPatch) -> Ward:
    """Looks are short: the clock that counts is the test's."""
    monkeypatch.setattr(heartbeat_module, "LOOK_SEC", LOOK)
    return Ward()


@asynccontextmanager
async def running(ward: Ward) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(ward.heartbeat.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_first_beat_goes_at_once_and_the_next_after_five_seconds(ward: Ward) -> None:
    """The engine places nothing before the first is acknowledged."""
    async with running(ward):
        await until(lambda: ward.told == [HeartbeatSeen(acknowledged=True)])
        ward.pass_time(4.9, "engine", "journal")
        await ward.settle()
        assert ward.beats == 1
        ward.pass_time(0.2, "engine", "journal")
        await until(lambda: ward.beats == 2)
    assert ward.gateway.called("heartbeat") == [("",), ("beat-1",)]


async def test_a_beat_without_progress_is_withheld_and_that_is_said_once(ward: Ward) -> None:
    """I-33: the first part that stands still is named; as soon as it moves the beat goes out."""
    async with running(ward):
        await until(lambda: ward.beats == 1)
        ward.pass_time(3.5, "engine")
        await ward.settle()
        assert len(ward.told) == 1, "nothing is due yet"
        ward.pass_time(1.6, "engine")
        await until(lambda: len(ward.told) == 2)
        ward.pass_time(5.0, "engine")
        await ward.settle()
        assert ward.told[1:] == [HeartbeatSeen(acknowledged=False, detail="withheld: journal still for 5 s")]
        assert ward.beats == 1
        ward.pass_time(0.1, "engine", "journal")
        await until(lambda: ward.told[-1].acknowledged)
        ward.pass_time(9.0, "journal")
        await until(lambda: ward.told[-1].detail == "withheld: engine still for 9 s")


async def test_another_reason_to_withhold_is_told_too(ward: Ward) -> None:
    """A reason that is over is not shown beside the one that holds: first a part stands still, then a kill is told."""
    killed = False
    ward.heartbeat = Heartbeat(ward.gateway, ward.clock, ward.told.append, ward.heartbeat._liveness, lambda now: killed)
    async with running(ward):
        await until(lambda: ward.beats == 1)
        ward.pass_time(5.1, "engine")
        await until(lambda: ward.told[-1].detail == "withheld: journal still for 5 s")
        killed = True
        await until(lambda: ward.told[-1].detail == "withheld: killed")
        killed = False
        await until(lambda: ward.told[-1].detail == "withheld: journal still for 5 s")
        ward.pass_time(0.1, "engine", "journal")
        await until(lambda: ward.told[-1].acknowledged)
    assert len(ward.told) == 5 and ward.beats == 2


async def test_nothing_is_armed_while_something_stands_still_from_the_start(ward: Ward) -> None:
    """There is no disarming, so the first beat is withheld like any other."""
    ward.pass_time(60.0)
    async with running(ward):
        await until(lambda: ward.told)
        await ward.settle()
    assert ward.beats == 0 and not ward.heartbeat.chain.is_armed and len(ward.told) == 1


async def test_a_beat_without_an_answer_is_a_failure_and_no_second_one_flies_beside_it(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two in flight would carry the same id, and the second would be foreign."""
    monkeypatch.setattr(heartbeat_module, "ANSWER_SEC", 0.05)
    ward.gateway.on["heartbeat"] = hang
    async with running(ward):
        await until(lambda: ward.beats == 1)
        ward.pass_time(30.0, "engine", "journal")
        await ward.settle()
        assert ward.beats == 1
        await until(lambda: ward.told)
        assert ward.told == [HeartbeatSeen(acknowledged=False, detail="no answer within 0.05 s")]


async def test_it_ends_by_itself_when_stopped_or_forked(ward: Ward) -> None:
    """Its end is no failure: the session has asked for it, or hears of the fork as an event."""

    async def foreign(heartbeat_id: str) -> object:
        return HeartbeatAnswer(status="mismatch", heartbeat_id=f"x{ward.beats}")

    ward.gateway.on["heartbeat"] = foreign
    async with running(ward) as task:
        while not task.done():
            ward.pass_time(0.6, "engine", "journal")
            await asyncio.sleep(2 * LOOK)
        assert ward.told[-1].forked and task.exception() is None
    other = Ward()
    async with running(other) as task:
        await until(lambda: other.beats == 1)
        other.heartbeat.stop()
        await until(task.done)
        assert task.exception() is None and other.beats == 1
