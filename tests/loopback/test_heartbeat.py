"""The heartbeat against the exchange's dead-man switch: while we live it stays its hand, and otherwise it acts."""

import asyncio
from itertools import pairwise

from core.events import HeartbeatSeen
from core.exchange.deadman import PATIENCE_MS, SWEEP_MS
from core.risk.heartbeat import FORKED, PERIOD_SEC
from tests.loopback.lanes import Lanes, play

CLEARED_SEC = (PATIENCE_MS + SWEEP_MS) / 1_000


async def beating(lanes: Lanes, orders: int = 3) -> "list[asyncio.Task[None]]":
    """A heartbeat that runs, acknowledged once, and some resting orders."""
    tasks = [asyncio.create_task(lanes.journal()), asyncio.create_task(lanes.heartbeat.run())]
    await lanes.until(lambda: lanes.heartbeat.chain.is_armed)
    lanes.place(orders)
    await lanes.until(lambda: len(lanes.resting()) == orders)
    return tasks


async def end(tasks: "list[asyncio.Task[None]]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_a_beat_every_five_seconds_keeps_the_orders() -> None:
    """A minute of an idle market, all acknowledged, none more than a period apart."""

    async def scene(lanes: Lanes) -> None:
        tasks = await beating(lanes)
        await asyncio.sleep(60.0)
        beats = [(when, event) for when, event in lanes.told if isinstance(event, HeartbeatSeen)]
        assert all(event == HeartbeatSeen(acknowledged=True) for _, event in beats)
        gaps = [later - earlier for (earlier, _), (later, _) in pairwise(beats)]
        assert len(beats) >= 12 and max(gaps) < PERIOD_SEC + 0.5 and min(gaps) > PERIOD_SEC - 0.5
        assert len(lanes.resting()) == 3
        await end(tasks)

    play(scene)


def test_a_session_without_progress_is_cleared_by_the_venue_and_says_once_why_it_is_silent() -> None:
    """I-33: a journal that stands still for four seconds withholds the beat; when it goes on, so does the heart."""

    async def scene(lanes: Lanes) -> None:
        tasks = await beating(lanes)
        tasks[0].cancel()
        took = await lanes.until(lambda: not lanes.resting())
        assert took <= CLEARED_SEC + PERIOD_SEC
        withheld = [event.detail for event in lanes.seen(HeartbeatSeen) if not event.acknowledged]
        assert len(withheld) == 1 and withheld[0].startswith("withheld: journal still for ")
        tasks.append(asyncio.create_task(lanes.journal()))
        took = await lanes.until(lambda: lanes.seen(HeartbeatSeen)[-1].acknowledged)
        assert took < 1.0
        await end(tasks)

    play(scene)


def test_one_foreign_beat_is_survived_without_losing_an_order() -> None:
    """reliability.md X23: the expected id is taken over within a second."""

    async def scene(lanes: Lanes) -> None:
        tasks = await beating(lanes)
        lanes.arm('do = "heartbeat_fork"')
        await lanes.until(lambda: not lanes.seen(HeartbeatSeen)[-1].acknowledged)
        assert await lanes.until(lambda: lanes.seen(HeartbeatSeen)[-1].acknowledged) < 1.0
        await asyncio.sleep(CLEARED_SEC)
        assert len(lanes.resting()) == 3 and not lanes.heartbeat.chain.is_forked
        await end(tasks)

    play(scene)


def test_foreign_beats_again_and_again_end_the_chain() -> None:
    """reliability.md X24: two sessions on one wallet; this one falls silent, and the engine hears why."""

    async def scene(lanes: Lanes) -> None:
        tasks = await beating(lanes)
        for _ in range(FORKED):
            before = len(lanes.seen(HeartbeatSeen))
            lanes.arm('do = "heartbeat_fork"')
            await lanes.until(lambda before=before: len(lanes.seen(HeartbeatSeen)) > before)  # type: ignore[misc]
            await asyncio.sleep(1.0)
        last = lanes.seen(HeartbeatSeen)[-1]
        assert last.forked and "another process uses our credentials" in last.detail
        await asyncio.wait({tasks[1]})
        assert tasks[1].exception() is None, "its end is no failure of the task"
        await end(tasks)

    play(scene)


def test_the_chain_of_an_earlier_session_is_taken_over() -> None:
    """The venue's key is armed for ever: a restart finds another id expected, and is no fork."""

    async def scene(lanes: Lanes) -> None:
        first = await lanes.gateway.heartbeat("")
        assert first.status == "ok"
        tasks = await beating(lanes)
        assert [event.acknowledged for event in lanes.seen(HeartbeatSeen)] == [False, True]
        await end(tasks)

    play(scene)


def test_a_lost_answer_is_no_fork_and_costs_no_order() -> None:
    """The beat was accepted: the next mismatch is our own doing, however often it happens."""

    async def scene(lanes: Lanes) -> None:
        tasks = await beating(lanes)
        lanes.arm('do = "blackhole"\nrequest = "POST /v1/heartbeats"\nmoment = "after"\nthen = "hang"\ncount = 1')
        for _ in range(4):
            await lanes.until(lambda: not lanes.seen(HeartbeatSeen)[-1].acknowledged)
            assert await lanes.until(lambda: lanes.seen(HeartbeatSeen)[-1].acknowledged) < 5.0
            lanes.arm('do = "blackhole"\nrequest = "POST /v1/heartbeats"\nmoment = "after"\nthen = "cut"\ncount = 1')
        assert len(lanes.resting()) == 3 and not lanes.heartbeat.chain.is_forked
        await end(tasks)

    play(scene)


def test_a_restart_of_the_venue_is_no_end_of_the_chain() -> None:
    """425 is a failure like another: tried again until it is over, at most every four seconds."""

    async def scene(lanes: Lanes) -> None:
        tasks = await beating(lanes)
        before = len(lanes.seen(HeartbeatSeen))
        lanes.arm('do = "restart"\nseconds = 60')
        await lanes.until(lambda: not lanes.seen(HeartbeatSeen)[-1].acknowledged)
        await lanes.until(lambda: lanes.seen(HeartbeatSeen)[-1].acknowledged)
        assert len(lanes.seen(HeartbeatSeen)) - before <= 20
        await end(tasks)

    play(scene)


def test_nothing_is_sent_after_stop() -> None:
    """It is stopped when zero open orders are verified; there is nothing left to protect."""

    async def scene(lanes: Lanes) -> None:
        tasks = await beating(lanes)
        lanes.heartbeat.stop()
        await asyncio.sleep(1.0)
        assert tasks[1].done() and tasks[1].exception() is None
        told = len(lanes.seen(HeartbeatSeen))
        await lanes.until(lambda: not lanes.resting())
        assert len(lanes.seen(HeartbeatSeen)) == told
        await end(tasks)

    play(scene)
