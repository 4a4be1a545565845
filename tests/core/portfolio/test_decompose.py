"""Spread and inventory are the whole profit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.portfolio.decompose import Decomposition
from core.units import MICRO, Shares
from tests.core.quoting.arrange import fairs, laws

fills = st.lists(st.tuples(st.integers(-(10**9), 10**9).map(Shares), fairs), max_size=4)


@laws
@given(st.lists(st.tuples(fairs, fills), min_size=1, max_size=10))
def test_parts_sum_to_the_change_of_wealth(steps: list[tuple[float, list[tuple[Shares, float]]]]) -> None:
    parts = Decomposition()
    cash = 0.0
    for fair, made in steps:
        parts.step(fair, made)
        cash -= sum(size / MICRO * price for size, price in made)
    assert parts.total == pytest.approx(cash + parts.position / MICRO * steps[-1][0], abs=1e-6)
