"""Previews: what they tell adds up, and what makes them stale."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.flatten.cost import Terms
from core.flatten.preview import Facts, Preview, preview, walk, why_nothing, why_stale
from core.market.book import Level
from core.market.fees import FeeSchedule, taker_fee
from core.units import MICRO, SIZE_QUANTUM, Shares, Ticks, Usd
from tests.builders import laws, shares, usd
from tests.core.flatten.test_machine import DEAR, FREE, GRID, LEAST, facts, levels, schedules


def made(
    seen: Facts, fees: FeeSchedule = FREE, cap: float = 50, passive_s: float = 0.0, at: int | None = None
) -> Preview:
    terms = Terms(seen.fair or Usd(0), GRID, fees, 3)
    return preview(seen, terms, usd(cap), passive_s, None if at is None else Ticks(at), LEAST)


@laws(200)
@given(
    bids=st.dictionaries(st.integers(1, 98), st.integers(1, 40_000), max_size=8),
    fees=schedules,
    fair=st.integers(1, 99),
    held=st.integers(1, 30_000),
    cap=st.integers(0, 60_000_000),
    flow=st.floats(0, 5e7),
    wait_s=st.sampled_from([0.0, 60.0]),
)
def test_what_is_expected_is_within_the_cap_and_adds_up(
    bids: dict[int, int], fees: FeeSchedule, fair: int, held: int, cap: int, flow: float, wait_s: float
) -> None:
    """Rest, cross and remainder are the whole; nothing is taken that is not there; expected is at most worst."""
    book = tuple((Ticks(tick), Shares(bids[tick] * SIZE_QUANTUM)) for tick in sorted(bids, reverse=True))
    seen = msgspec.structs.replace(facts(held / 100, fair / 100, book), flow=flow)
    one = preview(seen, Terms(GRID.dollars_of(fair), GRID, fees, 3), Usd(cap), wait_s, Ticks(min(99, fair + 1)), LEAST)
    assert one.rests + sum(size for _, size in one.crossed) + one.left == one.size
    there = dict(book)
    assert all(size <= there[price] for price, size in one.crossed)
    assert one.expected <= cap and one.expected <= max(one.worst, 0)
    assert (one.left >= SIZE_QUANTUM) == bool(one.refused)
    assert one.fee == sum(taker_fee(GRID.dollars_of(price), size, fees) for price, size in one.crossed)
    assert one.words() and one.line()


def test_worked_preview() -> None:
    """100 shares bought at 40 cents, worth 50: 30 rest at 51, 70 cross at 49 for 7 % of p (1 - p)."""
    seen = facts(100, 0.5, levels((49, 200)), cost=usd(0.4), flow=500_000.0)
    one = made(seen, DEAR, passive_s=60.0, at=51)
    assert (one.rests, one.crossed, one.left) == (shares(30), ((Ticks(49), shares(70)),), 0)
    fee = usd(70 * 0.07 * 0.49 * 0.51)
    assert one.fee == pytest.approx(fee, abs=10)
    assert one.expected == usd(70 * 0.01 - 30 * 0.01) + one.fee
    assert one.profit == usd(30 * 0.11 + 70 * 0.09) - one.fee


def test_shares_that_have_not_settled_are_told() -> None:
    """They cannot be sold yet."""
    text = made(facts(100, 0.5, levels((49, 200)), free=shares(60))).words()
    assert "40 of them wait, not settled yet" in text


def test_worst_is_never_more_than_all_that_is_held() -> None:
    """A cap above the worth of the shares promises nothing."""
    assert made(facts(100, 0.5, levels((49, 200))), cap=1_000).worst == usd(50)


@pytest.mark.parametrize(
    ("over", "why"),
    [
        ({}, ""),
        ({"yes": shares(0)}, "nothing to flatten"),
        ({"yes": shares(0.001)}, "nothing to flatten"),
        ({"fair": None}, "no fair value"),
        ({"unproven": "lost"}, "not proven: lost"),
        ({"yes": shares(30), "no": shares(30)}, "nothing to flatten: nothing goes"),
        ({"yes": shares(30), "no": shares(30), "merge_why_not": "", "unproven": "lost"}, ""),
    ],
)
def test_what_cannot_be_flattened_says_why(over: dict[str, object], why: str) -> None:
    """No position, no fair value, no proof; pairs alone need neither, as far as they can be merged."""
    said = why_nothing(msgspec.structs.replace(facts(100, 0.5, levels((49, 200))), **over))
    assert why in said and bool(why) == bool(said)


@pytest.mark.parametrize(
    ("over", "why"),
    [
        ({}, ""),
        ({"bids": levels((48, 9))}, ""),
        ({"bids": levels((47, 9))}, "best bid has moved"),
        ({"bids": ()}, "best bid has moved"),
        ({"ask": Ticks(53)}, "best ask has moved"),
        ({"ask": None}, "best ask has moved"),
        ({"yes": shares(100.005)}, ""),
        ({"yes": shares(100.01)}, "position has moved: 100 YES then, 100.01 now"),
        ({"no": shares(1)}, "position has moved: 0 NO then"),
        ({"unproven": "lost", "bids": (), "ask": None}, "not proven"),
        ({"fair": None}, "no fair value"),
        ({"fair": usd(0.2)}, ""),
    ],
)
def test_preview_is_stale_when_position_or_touch_moved(over: dict[str, object], why: str) -> None:
    """By a hundredth of a share, by more than a tick, or when the book is lost; the fair value is the preview's."""
    before = facts(100, 0.5, levels((49, 200)))
    said = why_stale(before, msgspec.structs.replace(before, **over))
    assert why in said and bool(why) == bool(said)


def test_walk_takes_one_level_after_the_other_until_the_cap() -> None:
    """Ten dollars: 100 at 49 cost one, 100 at 47 three; of 400 at 46, at four cents each, 150 less what is rounded."""
    book: list[Level] = list(levels((49, 100), (47, 100), (46, 400)))
    taken, why = walk(book, shares(600), Usd(10 * MICRO), Terms(usd(0.5), GRID, FREE, 3))
    assert [price for price, _ in taken] == [49, 47, 46] and "at its cap" in why
    assert taken[2][1] == pytest.approx(shares(150), rel=0.01)
