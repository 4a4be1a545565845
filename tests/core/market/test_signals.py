"""Touch, microprice and the average over time."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.market.book import Level
from core.market.signals import (
    FairValue,
    adjusted_touch,
    jump_reset_usd,
    live_microprice,
    microprice,
    without_own,
)
from core.units import Shares, Ticks, grid_of
from tests.core.quoting.arrange import fairs, laws, shares

CENTS = grid_of("0.01")


def levels(*pairs: tuple[int, float]) -> list[Level]:
    return [(Ticks(tick), shares(size)) for tick, size in pairs]


BIDS = levels((49, 5), (48, 19.99), (47, 20), (45, 100))
ASKS = levels((51, 3), (52, 12), (53, 20), (55, 500))


def test_small_orders_do_not_move_the_touch() -> None:
    touch = adjusted_touch(BIDS, ASKS, shares(20), "level", 100)
    assert (touch.bid, touch.ask, touch.mid) == (47, 53, 0.5)
    touch = adjusted_touch(BIDS, ASKS, shares(20), "cumulative", 100)
    assert (touch.bid, touch.ask, touch.mid) == (48, 53, 0.505)


def test_side_without_enough_size_has_no_touch_and_no_mid() -> None:
    touch = adjusted_touch(BIDS, ASKS[:2], shares(20), "cumulative", 100)
    assert (touch.bid, touch.ask, touch.mid) == (48, None, None)


def test_own_size_is_removed_before_anything_else() -> None:
    others = without_own(BIDS, {Ticks(49): shares(5), Ticks(47): shares(7), Ticks(30): shares(1)})
    assert others == levels((48, 19.99), (47, 13), (45, 100))
    assert without_own(BIDS, {Ticks(49): shares(50)}) == BIDS[1:]
    assert without_own(BIDS, {}) is BIDS


def test_live_microprice_ignores_bait_inside_the_spread() -> None:
    baited = live_microprice(
        levels((50, 5), *((t, s) for t, s in [(48, 100), (47, 50)])), ASKS, CENTS, shares(20), 1, 0.5, 0.1
    )
    plain = live_microprice(levels((48, 100), (47, 50)), ASKS, CENTS, shares(20), 1, 0.5, 0.1)
    assert baited == plain
    assert plain.price == pytest.approx(0.48 + 0.05 * 100 / 120)


def test_live_microprice_says_why_there_is_none() -> None:
    def status(bids: list[Level], asks: list[Level]) -> str:
        return live_microprice(bids, asks, CENTS, shares(20), 1, 0.5, 0.05).status

    assert status([], ASKS) == "one_sided"
    assert status(BIDS[:2], ASKS[:2]) == "one_sided"
    assert status(levels((51, 50)), ASKS) == "crossed"
    assert status(levels((48, 50)), ASKS) == "ok"
    assert status(levels((47, 50)), ASKS) == "wide"


sides = st.lists(st.integers(1, 10**9), min_size=1, max_size=5)


@laws
@given(st.integers(1, 98), st.data(), sides, sides, st.integers(1, 4))
def test_exchanging_the_tokens_mirrors_the_microprice(
    bid: int, data: st.DataObject, bid_sizes: list[int], ask_sizes: list[int], count: int
) -> None:
    ask = data.draw(st.integers(bid + 1, 99))
    bids = [(Ticks(bid - n), Shares(size)) for n, size in enumerate(bid_sizes)]
    asks = [(Ticks(ask + n), Shares(size)) for n, size in enumerate(ask_sizes)]
    seen = microprice(bids, asks, 100, count, 0.5)
    to_no_frame = microprice(
        [(Ticks(100 - t), s) for t, s in asks], [(Ticks(100 - t), s) for t, s in bids], 100, count, 0.5
    )
    assert seen.price is not None and to_no_frame.price is not None
    assert seen.price == pytest.approx(1.0 - to_no_frame.price, abs=1e-12)
    assert bid / 100 <= seen.price <= ask / 100


@pytest.mark.parametrize(("tick", "expected"), [("0.01", 0.05), ("0.005", 0.025), ("0.0025", 0.025), ("0.001", 0.01)])
def test_default_jump_is_five_coarse_ticks_or_ten_fine_ones(tick: str, expected: float) -> None:
    assert jump_reset_usd(0, grid_of(tick)) == pytest.approx(expected)
    assert jump_reset_usd(3, CENTS) == pytest.approx(0.03)


path = st.lists(st.tuples(st.floats(0, 100), fairs), min_size=1, max_size=12).map(sorted)


@laws
@given(path, st.lists(st.floats(0, 100), max_size=10), st.floats(0, 200))
def test_repeating_what_holds_already_changes_nothing(
    steps: list[tuple[float, float]], repeats: list[float], question: float
) -> None:
    plain, busy = FairValue(0.2), FairValue(0.2)
    merged = [(t, 0, price) for t, price in steps] + [(t, 1, math.nan) for t in repeats if t > steps[0][0]]
    holding = math.nan
    for t, is_repeat, price in sorted(merged, key=lambda item: item[:2]):
        holding = holding if is_repeat else price
        busy.observe(t, holding)
        if not is_repeat:
            plain.observe(t, price)
    question += 100
    assert busy.value_at(question) == pytest.approx(plain.value_at(question), abs=1e-9)


@laws
@given(path)
def test_average_stays_within_what_was_seen_and_converges_in_silence(steps: list[tuple[float, float]]) -> None:
    fair = FairValue(0.2)
    for t, price in steps:
        fair.observe(t, price)
    now = fair.value_at(steps[-1][0])
    assert now is not None
    assert min(p for _, p in steps) - 1e-12 <= now <= max(p for _, p in steps) + 1e-12
    assert fair.value_at(1000.0) == pytest.approx(steps[-1][1], abs=1e-9)


def test_question_is_answered_for_its_own_time() -> None:
    fair = FairValue(0.2)
    assert fair.value_at(0.0) is None
    fair.observe(0.0, 0.5)
    fair.observe(10.0, 0.6)
    assert [fair.value_at(t) for t in (10.0, 11.0)] == pytest.approx([0.5, 0.52])


def test_older_stamp_counts_as_the_latest_time_seen() -> None:
    late, on_time = FairValue(0.2), FairValue(0.2)
    for fair, t in ((late, 3.0), (on_time, 10.0)):
        fair.observe(0.0, 0.5)
        fair.observe(10.0, 0.6)
        fair.observe(t, 0.55)
    assert late.value_at(12.0) == on_time.value_at(12.0)


def test_jump_restarts_the_average_at_once() -> None:
    fair = FairValue(0.2, jump_usd=0.05)
    assert [fair.observe(0.0, 0.30), fair.observe(10.0, 0.35), fair.observe(12.0, 0.37)] == [False, True, False]
    assert (fair.value_at(12.0), fair.resets) == (0.35, 1)


@pytest.mark.parametrize(("t", "price"), [(0.0, math.nan), (math.nan, 0.5), (0.0, 0.0), (0.0, 1.0), (math.inf, 0.5)])
def test_what_is_no_price_is_refused(t: float, price: float) -> None:
    with pytest.raises(ValueError, match="not an observation"):
        FairValue(0.2).observe(t, price)


def test_clearing_forgets_everything() -> None:
    fair = FairValue(0.2)
    fair.observe(0.0, 0.5)
    fair.clear()
    assert fair.value_at(1.0) is None
