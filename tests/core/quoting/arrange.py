"""Builders of one line for quoting tests, and what hypothesis may draw."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from msgspec import structs

from core.config import Settings
from core.market.instrument import Instrument
from core.quoting.plan import QuoteInputs
from core.quoting.rules import QuoteRules, rules_of
from core.units import MICRO, Shares, Ticks, Usd

laws = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
"""Profile of every property test here: the same examples on every run."""

TICKS = ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001")


def shares(number: float) -> Shares:
    return Shares(round(number * MICRO))


def usd(number: float) -> Usd:
    return Usd(round(number * MICRO))


def market(tick: str = "0.01", min_size: float = 5, reward_min: float | None = None) -> Instrument:
    reward = None if reward_min is None else shares(reward_min)
    return Instrument("0xabc", "1", "2", "?", tick, shares(min_size), reward_min_size=reward)


def rules(tick: str = "0.01", min_size: float = 5, reward_min: float | None = None, **over: Any) -> QuoteRules:
    return rules_of(Settings(**over), market(tick, min_size, reward_min))


def inputs(yes: float = 0, no: float = 0, cash: float = 1e6, equity: float = 50_000, **over: Any) -> QuoteInputs:
    """Everything held is free; 45 / 47 on a cent grid."""
    held_yes, held_no = shares(yes), shares(no)
    plain = QuoteInputs(
        fair=0.46,
        sigma_h=0.005,
        yes=held_yes,
        no=held_no,
        free_yes=held_yes,
        free_no=held_no,
        free_cash=usd(cash),
        equity=usd(equity),
        best_bid=Ticks(45),
        best_ask=Ticks(47),
    )
    return structs.replace(plain, **over)


fairs = st.integers(1, 4095).map(lambda n: n / 4096)
"""Multiples of 2^-12, so that one minus the value is exact."""
sigmas = st.integers(0, 400).map(lambda n: n / 4096)
holdings = st.one_of(st.just(0), st.integers(0, 40_000 * MICRO)).map(Shares)


@st.composite
def drawn_rules(draw: st.DrawFn, **fixed: Any) -> QuoteRules:
    """Rules of any grid and profile; ``fixed`` settings are taken as given."""
    jitter = draw(st.integers(0, 3))
    free = {
        "k_vol": draw(st.sampled_from([0.0, 1.0, 2.0, 3.5])),
        "k_fee_ticks": draw(st.sampled_from([0.0, 1.0, 2.5])),
        "inv_gamma": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "inv_skew_mode": draw(st.sampled_from(["half_spread", "bankroll", "logit"])),
        "size_mode": draw(st.sampled_from(["matched", "capital"])),
        "order_layers": draw(st.integers(1, 5)),
        "layer_ratio": draw(st.sampled_from([0.7, 1.0, 1.5])),
        "layer_step_frac": draw(st.sampled_from([0.0, 0.5])),
        "jitter_ticks": jitter,
        "reward_bump": draw(st.booleans()),
        "room_reserve_frac": draw(st.sampled_from([0.0, 0.05, 0.5])),
        "base_size_usd": draw(st.sampled_from([None, 5.0, 300.0])),
        "max_size_usd": draw(st.sampled_from([None, 1500.0])),
    }
    reward = draw(st.sampled_from([None, 20.0, 100.0]))
    return rules(draw(st.sampled_from(TICKS)), draw(st.sampled_from([1.0, 5.0, 15.0])), reward, **(free | fixed))


@st.composite
def drawn_inputs(draw: st.DrawFn, k: int, ample_cash: bool = False) -> QuoteInputs:
    """One market at one moment on a grid of ``k`` ticks."""
    fair = draw(fairs)
    bid = draw(st.one_of(st.none(), st.integers(1, k - 1)))
    ask = draw(st.one_of(st.none(), st.integers((bid or 0) + 1, k))) if bid != k - 1 else None
    yes, no = draw(holdings), draw(holdings)
    return QuoteInputs(
        fair=fair,
        sigma_h=draw(sigmas),
        yes=yes,
        no=no,
        free_yes=Shares(min(yes, draw(holdings))),
        free_no=Shares(min(no, draw(holdings))),
        free_cash=usd(1e9) if ample_cash else Usd(draw(st.integers(-(10**8), 10**10))),
        equity=Usd(draw(st.integers(10**6, 10**11))),
        best_bid=None if bid is None else Ticks(bid),
        best_ask=None if ask is None or ask == k else Ticks(ask),
        group_shift=draw(st.integers(-40, 40)) / 4096,
        shift_ticks=draw(st.integers(-3, 3)),
        widen_ticks=draw(st.integers(-3, 5)),
        tox_bid=draw(st.integers(0, 40)) / 4096,
        tox_ask=draw(st.integers(0, 40)) / 4096,
        spread_factor=draw(st.sampled_from([1.0, 1.5, 2.0])),
        regime_factor=draw(st.sampled_from([1.0, 0.5])),
        time_factor=draw(st.sampled_from([1.0, 0.25])),
        size_factor=draw(st.sampled_from([1.0, 0.0, 0.3, 4.0])),
        sides=draw(st.sampled_from(["both", "both", "both", "bid", "ask"])),
        most_bid=draw(st.one_of(st.none(), st.integers(1, k - 1).map(Ticks))),
        least_ask=draw(st.one_of(st.none(), st.integers(1, k - 1).map(Ticks))),
        reduce_only=draw(st.booleans()),
        gross_room=draw(st.one_of(st.none(), st.integers(-(10**6), 10**9).map(Usd))),
        pending_bid=draw(st.one_of(st.just(Shares(0)), holdings)),
        pending_ask=draw(st.one_of(st.just(Shares(0)), holdings)),
    )
