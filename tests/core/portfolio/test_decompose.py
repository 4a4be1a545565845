"""Spread, drift and the rest are the whole profit, to the last Pico."""

from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.portfolio.books import Books
from core.portfolio.decompose import FRESH_SEC, Decomposition
from core.portfolio.entries import Buy, Sell
from core.units import MICRO, Shares, Usd
from tests.core.portfolio.histories import prices
from tests.core.quoting.arrange import laws, shares, usd

fills = st.lists(st.tuples(st.integers(-(10**9), 10**9).filter(bool).map(Shares), prices), max_size=4)
Steps = list[tuple[float, Usd, list[tuple[Shares, Usd]]]]
gaps = st.sampled_from([0.0, 0.25, 1.0, 99.75, 149.75, 150.0, 299.75, 300.0, 300.25, 5_000.0])


@st.composite
def paths(draw: st.DrawFn) -> Steps:
    """Time, fair value and the fills at it, in the order of time."""
    steps: Steps = []
    unix = 1_790_000_000.0
    for gap, fair, made in draw(st.lists(st.tuples(gaps, prices, fills), min_size=1, max_size=10)):
        unix += gap
        steps.append((unix, fair, made))
    return steps


def walked(steps: Steps) -> Decomposition:
    parts = Decomposition()
    for unix, fair, made in steps:
        parts.step(unix, fair, made)
    return parts


@laws
@given(paths())
def test_parts_sum_to_what_the_net_view_says(steps: Steps) -> None:
    decomposed, books = walked(steps), Books()
    for _, _, made in steps:
        for size, price in made:
            books.apply(Buy("YES", size, price) if size > 0 else Sell("YES", Shares(-size), price))
    parts = decomposed.parts
    assert parts.spread + parts.inventory == parts.spread + parts.drift + parts.rest == parts.total
    assert parts.total == books.net.realised + books.net.unrealised(steps[-1][1])
    assert decomposed.position == books.net.position


@laws
@given(paths())
def test_parts_are_those_of_the_fills_one_by_one(steps: Steps) -> None:
    """Drift goes to the last fair value told at or before its end (market-making.md 2.6, 3.4)."""
    times = [unix for unix, _, _ in steps]
    spread = drift = rest = 0
    for number, (unix, fair, made) in enumerate(steps):
        then = steps[bisect_right(times, unix + FRESH_SEC) - 1][1] if unix + FRESH_SEC < times[-1] else steps[-1][1]
        assert bisect_right(times, unix + FRESH_SEC) > number
        for size, price in made:
            spread += size * (fair - price)
            drift += size * (then - fair)
            rest += size * (steps[-1][1] - then)
    parts = walked(steps).parts
    assert (parts.spread, parts.drift, parts.rest) == (spread, drift, rest)


@pytest.mark.parametrize(("after", "drift", "rest"), [(299.9, 1.0, 0.0), (300.0, 1.0, 0.0), (300.1, 0.0, 1.0)])
def test_what_the_price_does_within_five_minutes_of_a_fill_is_its_drift(
    after: float, drift: float, rest: float
) -> None:
    parts = walked([(0.0, usd(0.5), [(shares(10), usd(0.48))]), (after, usd(0.6), [])]).parts
    assert (parts.spread, parts.drift, parts.rest) == (
        usd(0.2) * MICRO,
        usd(drift) * MICRO,
        usd(rest) * MICRO,
    )
