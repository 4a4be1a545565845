"""The courier against the exchange's modes and limits: restarts, halts, empty buckets."""

import asyncio
import time

import pytest

from core.actions import CancelAll
from core.events import BudgetSeen, CancelAnswered, OrderAnswered, VenueSeen
from core.exchange.limits import TIERS
from core.risk.venue_mode import POST_ONLY_SEC, TRIAL_SEC
from core.runtime.courier import BATCH
from core.venue.gateway import RateSign
from tests.loopback.lanes import Lanes, play


async def resting(lanes: Lanes, count: int) -> list[str]:
    """So many orders of ours in the book."""
    lanes.place(count)
    await lanes.until(lambda: len(lanes.resting()) == count)
    await lanes.until(lambda: lanes.courier.is_idle)
    return lanes.resting()


def modes(lanes: Lanes) -> list[str]:
    return [event.mode for event in lanes.seen(VenueSeen)]


def cancelled(lanes: Lanes) -> list[str]:
    return [event.order_id for event in lanes.seen(CancelAnswered) if event.outcome == "cancelled"]


def asked(lanes: Lanes, method: str, path: str) -> int:
    """How often the exchange was asked something while a fault looked on."""
    return lanes.happened("slow").count(f"{method} {path}")


def test_a_restart_is_survived_without_hammering_a_duplicate_or_a_lost_cancel() -> None:
    """X01: 425 for 30 s, also on cancels; then post-only for two minutes, in which our orders go on."""

    async def scene(lanes: Lanes) -> None:
        ids = await resting(lanes, 5)
        lanes.arm('do = "slow"\nms = 1\nfor = 100', 'do = "restart"\nseconds = 30')
        lanes.place(2)
        await lanes.until(lambda: lanes.courier.is_idle)
        assert {lanes.outcomes()[intent] for intent in (6, 7)} == {"unknown"}, "a 425 is no refusal"
        lanes.cancel(*ids)
        lanes.place(1)
        await lanes.until(lambda: lanes.courier.is_idle)
        assert lanes.outcomes()[8] == "denied"
        await lanes.until(lambda: len(cancelled(lanes)) == 5)
        assert asked(lanes, "DELETE", "/orders") <= 8 and asked(lanes, "POST", "/orders") == 1
        assert lanes.resting() == [] and modes(lanes) == ["RESTARTING", "POST_ONLY"]
        lanes.place(1)
        await lanes.until(lambda: lanes.outcomes().get(9) == "live")
        await asyncio.sleep(POST_ONLY_SEC - 5)
        assert modes(lanes)[-1] == "POST_ONLY"
        assert await lanes.until(lambda: modes(lanes)[-1] == "NORMAL") <= 6 and len(lanes.resting()) == 1

    play(scene)


def test_a_restart_ends_without_anything_to_cancel() -> None:
    """A read finds out, within the longest pause of its end."""

    async def scene(lanes: Lanes) -> None:
        await resting(lanes, 1)
        lanes.arm('do = "slow"\nms = 1\nfor = 100', 'do = "restart"\nseconds = 30')
        lanes.place(1)
        took = await lanes.until(lambda: modes(lanes) == ["RESTARTING", "POST_ONLY"])
        assert 30 <= took <= 30 + 8 * 1.25 + 1
        assert asked(lanes, "GET", "/data/order/0x" + "00" * 32) <= 8

    play(scene)


def test_a_kill_during_a_restart_clears_everything_when_it_is_over() -> None:
    """It goes out at once and again until it is carried out."""

    async def scene(lanes: Lanes) -> None:
        await resting(lanes, 5)
        lanes.arm('do = "restart"\nseconds = 30')
        lanes.courier.close_gate()
        lanes.courier.take(CancelAll(reason="kill"))
        took = await lanes.until(lambda: not lanes.resting())
        assert took <= 41 and len(cancelled(lanes)) == 5

    play(scene)


@pytest.mark.parametrize(("mode", "cancels"), [("cancel_only", True), ("disabled", False)])
def test_cancel_only_and_a_halt_are_tried_for_their_end_with_one_order(mode: str, cancels: bool) -> None:
    """X03: cancels go on where they may, and no order is refused twice for one reason."""

    async def scene(lanes: Lanes) -> None:
        first, second = await resting(lanes, 2)
        lanes.arm('do = "slow"\nms = 1\nfor = 200', f'do = "mode"\nmode = "{mode}"\nfor = 45')
        lanes.place(3)
        await lanes.until(lambda: lanes.courier.is_idle)
        assert set(lanes.outcomes().values()) <= {"live", "refused", "unknown"} and len(lanes.resting()) == 2
        assert modes(lanes) == [mode.upper()]
        lanes.cancel(first)
        if cancels:
            await lanes.until(lambda: cancelled(lanes) == [first])
            assert modes(lanes) == [mode.upper()]
        took = await lanes.until(lambda: modes(lanes)[-1] == "NORMAL")
        if not cancels:
            assert 45 - 1 <= took <= 45 + 11 or took <= TRIAL_SEC
        posts = asked(lanes, "POST", "/orders")
        lanes.place(5)
        await lanes.until(lambda: lanes.courier.is_idle)
        if modes(lanes)[-1] != "NORMAL":
            assert asked(lanes, "POST", "/orders") == posts + 1, "one order, and the other four were not sent"
            await lanes.until(lambda: modes(lanes)[-1] == "NORMAL")
            lanes.place(5)
            await lanes.until(lambda: lanes.courier.is_idle)
        await lanes.until(lambda: len(lanes.resting()) == 6)
        assert not lanes.courier.modes.is_trial and cancelled(lanes) == [first] and second in lanes.resting()

    play(scene)


def test_an_empty_order_bucket_pauses_placements_and_no_cancel() -> None:
    """X19: 429 is a definitive refusal; the next order goes when the venue wants it."""

    async def scene(lanes: Lanes) -> None:
        (order,) = await resting(lanes, 1)
        lanes.arm('do = "throttle"\nbucket = "order"\nto = -40')
        lanes.place(1)
        await lanes.until(lambda: lanes.courier.is_idle)
        answer = lanes.seen(OrderAnswered)[-1]
        assert (answer.outcome, answer.refusal) == ("refused", "rate") and answer.retry_s > 0
        lanes.cancel(order)
        assert await lanes.until(lambda: cancelled(lanes) == [order]) < 0.5
        lanes.place(1)
        took = await lanes.until(lambda: len(lanes.resting()) == 1)
        assert took >= answer.retry_s - 1 and lanes.outcomes()[3] == "live"
        assert lanes.courier.budget.refusals == 1
        assert [bool(event.short) for event in lanes.seen(BudgetSeen)] == [True, False]

    play(scene)


def test_a_debt_of_the_cancel_bucket_holds_orders_back_until_they_could_be_cancelled() -> None:
    """X20, I-17: whatever is sent, the exchange's own bucket could cancel all of it."""

    async def scene(lanes: Lanes) -> None:
        (order,) = await resting(lanes, 1)
        lanes.arm('do = "throttle"\nbucket = "cancel"\nto = -100')
        lanes.cancel(order)
        await lanes.until(lambda: any(isinstance(sign, RateSign) and sign.refused for sign in lanes.signs))
        lanes.place(1)
        await lanes.until(lambda: len(lanes.ids()) == 2)
        address = lanes.gateway.account.address
        level = int(
            lanes.host.intake.limits.headers(address, "cancels", lanes.exchange.now_ms, 0)["Poly-RateLimit-Remaining"]
        )
        assert level >= 0.3 * TIERS["Standard"].cancels.burst - 1
        await lanes.until(lambda: cancelled(lanes) == [order])
        assert sum(isinstance(sign, RateSign) and sign.refused for sign in lanes.signs) == 1

    play(scene)


def test_a_busy_minute_never_meets_the_limits_of_the_signer() -> None:
    """Orders and cancels without pause: our model keeps below the exchange's, and nobody waits for nothing."""

    async def scene(lanes: Lanes) -> None:
        ended = lanes.clock.monotonic() + 30.0
        while lanes.clock.monotonic() < ended:
            lanes.place(BATCH)
            lanes.cancel(*lanes.resting())
            await asyncio.sleep(0.5)
        await lanes.until(lambda: lanes.courier.is_idle)
        lanes.cancel(*lanes.resting())
        await lanes.until(lambda: not lanes.resting())
        outcomes = list(lanes.outcomes().values())
        assert lanes.courier.budget.refusals == 0 and outcomes.count("live") >= 10 * 30 - 15
        assert set(outcomes) == {"live", "denied"}

    play(scene)


def test_a_full_batch_is_signed_and_sent_without_stalling_the_loop() -> None:
    """Fifteen orders with real signatures, on the machine's own clock; generous, because tests share the machine."""

    async def scene(lanes: Lanes) -> None:
        lanes.place(1)
        await lanes.until(lambda: lanes.courier.is_idle)
        worst, last = 0.0, time.perf_counter()
        lanes.place(BATCH - 1)
        while not lanes.courier.is_idle:
            await asyncio.sleep(0)
            now = time.perf_counter()
            worst, last = max(worst, now - last), now
        assert worst < 0.1, "one signature at a time"

    play(scene)
