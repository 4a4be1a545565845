"""The inventory shift: three readings of gamma, one direction, the same from either token."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import SkewMode
from core.quoting.caps import Caps, inventory_caps
from core.quoting.reservation import inventory_shift, logit_reservation, lot_prices
from core.units import Shares
from tests.core.quoting.arrange import fairs, laws, shares, usd

MODES: tuple[SkewMode, ...] = ("half_spread", "bankroll", "logit")
E = usd(50_000)


def caps(net: float, fair: float) -> Caps:
    return inventory_caps(Shares(round(net * 1e6)), fair, E, 0.015, 0.03)


def shift(net: float, fair: float, mode: SkewMode, gamma: float = 1.0) -> float:
    return inventory_shift(caps(net, fair), 0.018, E, gamma, mode, fair, 0.2)


def logit(p: float) -> float:
    return math.log(p / (1 - p))


@laws
@given(fairs, st.integers(-4000, 4000), st.sampled_from(MODES))
def test_the_shift_is_the_same_from_either_token_to_the_last_digit(fair: float, net: int, mode: SkewMode) -> None:
    """A quote that depends on which token is called YES is wrong by construction."""
    assert shift(net, fair, mode) == -shift(-net, 1 - fair, mode)


@laws
@given(fairs, st.integers(-4000, 4000), st.integers(1, 4000), st.sampled_from(MODES), st.sampled_from([0.5, 1.0, 3.0]))
def test_more_inventory_never_raises_the_price(fair: float, net: int, more: int, mode: SkewMode, gamma: float) -> None:
    assert shift(net + more, fair, mode, gamma) <= shift(net, fair, mode, gamma) + 1e-15


@pytest.mark.parametrize("mode", MODES)
def test_long_lowers_short_raises_flat_stays(mode: SkewMode) -> None:
    assert shift(500, 0.4, mode) < 0 < shift(-500, 0.4, mode)
    assert shift(0, 0.4, mode) == 0


@pytest.mark.parametrize(("fair", "to"), [(0.5, 0.45), (0.95, 0.94)])
def test_logit_mode_moves_the_logit_by_the_setting_at_the_hard_cap(fair: float, to: float) -> None:
    """0.2 logits are five cents in the middle and one near the edge (market-making.md 2.3)."""
    at_cap = 0.03 * 50_000 / fair
    moved = fair + shift(at_cap, fair, "logit")
    assert logit(fair) - logit(moved) == pytest.approx(0.2, abs=1e-6)
    assert moved == pytest.approx(to, abs=0.001)
    assert logit(fair) - logit(fair + shift(at_cap / 2, fair, "logit")) == pytest.approx(0.1, abs=1e-6)


@laws
@given(fairs, st.floats(-50, 50))
def test_a_logit_shift_stays_between_nothing_and_a_dollar(fair: float, aversion: float) -> None:
    """However much is held: a price outside would be clipped, and the clip would hide the reason."""
    moved = inventory_shift(Caps(shares(1), 1.0, 1.0, "normal", 1.0, 0.0, 0.0), 0.01, E, 1.0, "logit", fair, aversion)
    assert -1e-12 <= fair + moved <= 1 + 1e-12
    assert fair + moved == pytest.approx(logit_reservation(fair, aversion), abs=1e-12)


@laws
@given(fairs, st.floats(-2000, 2000), st.floats(1e-6, 0.01), st.floats(0.01, 2000))
def test_a_lot_costs_between_the_prices_before_and_after_it(p: float, held: float, aversion: float, lot: float) -> None:
    """The certainty equivalent is concave: the average price of a lot lies between its marginal prices."""
    bid, ask = lot_prices(p, held, aversion, lot)
    now = logit_reservation(p, aversion * held)
    with_it, without = (logit_reservation(p, aversion * (held + step)) for step in (lot, -lot))
    assert with_it - 1e-9 <= bid <= now + 1e-9 and now - 1e-9 <= ask <= without + 1e-9


@laws
@given(fairs, st.floats(-2000, 2000), st.floats(1e-6, 0.01), st.floats(0.01, 2000))
def test_lot_prices_are_the_same_from_either_token(p: float, held: float, aversion: float, lot: float) -> None:
    bid, ask = lot_prices(p, held, aversion, lot)
    mirrored_bid, mirrored_ask = lot_prices(1 - p, -held, aversion, lot)
    assert bid == pytest.approx(1 - mirrored_ask, abs=1e-9) and ask == pytest.approx(1 - mirrored_bid, abs=1e-9)


@laws
@given(fairs, st.floats(-1000, 1000), st.floats(1e-4, 0.01), st.floats(1, 500))
def test_lot_prices_are_differences_of_the_certainty_equivalent(
    p: float, held: float, aversion: float, lot: float
) -> None:
    """The definition, computed as it stands where that is accurate enough."""

    def certain(q: float) -> float:
        return -math.log(1 - p + p * math.exp(-aversion * q)) / aversion

    bid, ask = lot_prices(p, held, aversion, lot)
    assert bid == pytest.approx((certain(held + lot) - certain(held)) / lot, abs=1e-8)
    assert ask == pytest.approx((certain(held) - certain(held - lot)) / lot, abs=1e-8)


def test_who_does_not_mind_risk_deals_at_the_probability() -> None:
    assert lot_prices(0.3, 500.0, 0.0, 100.0) == (pytest.approx(0.3), pytest.approx(0.3))
