"""Exposure against the caps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.quoting.caps import inventory_caps
from core.units import MICRO, Shares, Usd
from tests.core.quoting.arrange import fairs, laws, shares, usd


@pytest.mark.parametrize(
    ("net", "state", "multiplier"),
    [
        (1_499, "normal", 1.0),
        (1_500, "soft", 1.0),
        (2_999, "soft", 2 / 3_000),
        (3_000, "hard", 0.0),
        (-3_000, "hard", 0.0),
    ],
)
def test_states_begin_at_the_caps_and_adding_fades_between_them(net: float, state: str, multiplier: float) -> None:
    caps = inventory_caps(shares(net), 0.5, usd(50_000), 0.015, 0.03)
    assert caps.state == state
    assert caps.adding_multiplier == pytest.approx(multiplier)


@laws
@given(st.integers(-(10**11), 10**11), fairs, st.integers(10**6, 10**11))
def test_filling_all_the_room_ends_at_the_hard_cap(net: int, fair: float, equity: int) -> None:
    caps = inventory_caps(Shares(net), fair, Usd(equity), 0.015, 0.03)
    cap = 0.03 * equity / MICRO
    if caps.room_bid:
        assert (net / MICRO + caps.room_bid) * fair == pytest.approx(cap)
    if caps.room_ask:
        assert (caps.room_ask - net / MICRO) * (1 - fair) == pytest.approx(cap)
    assert -1.0 <= caps.q_norm <= 1.0


@laws
@given(st.integers(-(10**11), 10**11), fairs, st.integers(10**6, 10**11))
def test_exchanging_the_tokens_exchanges_the_sides(net: int, fair: float, equity: int) -> None:
    yes = inventory_caps(Shares(net), fair, Usd(equity), 0.015, 0.03)
    no = inventory_caps(Shares(-net), 1.0 - fair, Usd(equity), 0.015, 0.03)
    assert (yes.exposure, yes.q_norm, yes.state, yes.adding_multiplier) == (
        no.exposure,
        -no.q_norm,
        no.state,
        no.adding_multiplier,
    )
    assert (yes.room_bid, yes.room_ask) == (no.room_ask, no.room_bid)
