"""Calibration: it finds what a made market was made with, within the error it states, or says that it cannot."""

import math

import msgspec
import numpy as np
import pytest

from core.config import Settings
from core.lab import calibrate as module
from core.lab.calibrate import (
    LEAST_ARRIVALS,
    Arrivals,
    Course,
    Drift,
    Estimate,
    Evidence,
    Fills,
    Quotes,
    TooThin,
    Trades,
    arrivals_of,
    calibrate,
    deviation,
    drift_after,
    fit_arrivals,
    makers_of,
    propose,
    reach_of_quotes,
    reach_of_trades,
    time_to_move,
    with_error,
)
from tests.core.lab.made_markets import TICK, Truth, made

SEEDS = 50


def estimate(found: object) -> Estimate:
    assert isinstance(found, Estimate), found
    return found


def arrivals(found: object) -> Arrivals:
    assert isinstance(found, Arrivals), found
    return found


def steps(*rows: tuple[float, float], end: float) -> Course:
    """A course of times and prices, a touch of a cent to either side."""
    t, price = np.array(rows, dtype=float).reshape(-1, 2).T
    return Course(t, price, price - TICK, price + TICK, end)


def some_trades(*rows: tuple[float, float], size: float = 10.0) -> Trades:
    t, price = np.array(rows, dtype=float).reshape(-1, 2).T
    return Trades(t, price, np.full(len(t), size), np.arange(len(t)))


# What is found


def test_what_a_market_was_made_with_is_found_in_every_seed() -> None:
    """A, kappa and sigma within three standard errors for fifty seeds, and the errors are of the right size."""
    truth = Truth()
    scores = []
    for seed in range(SEEDS):
        evidence = made(seed, truth)
        found = arrivals(fit_arrivals(reach_of_trades(evidence.course, _trades(evidence), TICK)))
        sigma = estimate(deviation(evidence.course, 5.0, "price"))
        scores.append(
            (
                (found.kappa.value - truth.kappa) / found.kappa.se,
                (found.log_rate.value - math.log(truth.rate)) / found.log_rate.se,
                (sigma.value - truth.sigma) / sigma.se,
            )
        )
        assert found.rate.value == pytest.approx(math.exp(found.log_rate.value))
    table = np.array(scores)
    assert np.abs(table).max() < 3.0
    assert (np.abs(table.mean(axis=0)) < 4 / math.sqrt(SEEDS)).all()  # no bias that fifty seeds can see
    assert (table.std(axis=0) > 0.7).all() and (table.std(axis=0) < 1.3).all()


@pytest.mark.parametrize("kappa", [0.2, 0.5, 1.5])
def test_flat_and_steep_intensities_are_found(kappa: float) -> None:
    """From takers who sweep the book to such as take the touch only."""
    found = [
        arrivals(fit_arrivals(reach_of_trades(one.course, _trades(one), TICK))).kappa
        for one in (made(seed, Truth(rate=0.2, kappa=kappa)) for seed in range(4))
    ]
    assert all(abs(one.value - kappa) < 3 * one.se for one in found), found


def test_adverse_drift_is_found_at_both_horizons() -> None:
    """A price that follows every taker by two tenths of a cent costs the maker that much."""
    scores = []
    for seed in range(12):
        evidence = made(seed, Truth(impact=0.002, hours=3.0, rate=0.1))
        fills = makers_of(evidence.course, _trades(evidence))
        for horizon in (30.0, 300.0):
            drift = estimate(drift_after(evidence.fair, fills, horizon).drift)
            scores.append((drift.value + 0.002) / drift.se)
    assert max(map(abs, scores)) < 3.5 and abs(np.mean(scores)) < 1.0


def test_logit_and_price_deviation_agree_at_a_half() -> None:
    """A logit is a quarter of a dollar there (market-making.md 1.4)."""
    evidence = made(1)
    price, logit = (estimate(deviation(evidence.course, 5.0, space)) for space in ("price", "logit"))
    assert price.value == pytest.approx(logit.value / 4, rel=0.05)


def test_the_time_to_a_ticks_move_is_that_of_a_walk() -> None:
    """A Brownian price leaves a tick's distance after tick² / sigma² seconds on average."""
    found = estimate(time_to_move(made(3).course, TICK))
    assert abs(found.value - (TICK / 0.0008) ** 2) < 3 * found.se


def test_fills_of_our_own_orders_have_an_intensity_too() -> None:
    """Orders stand at known distances for known times; what fills them says how fast trades thin out."""
    dice, scores = np.random.default_rng(5), []
    for _ in range(20):
        course = steps((0.0, 0.5), end=40_000.0)
        begin = np.arange(0.0, 40_000.0, 100.0)
        distance = dice.integers(1, 5, len(begin)).astype(float)
        quotes = Quotes(begin, begin + 100.0, np.ones(len(begin)), 0.5 - distance * TICK)
        counts = dice.poisson(100.0 * 0.05 * np.exp(-0.6 * distance))
        t, price = np.repeat(begin + 50.0, counts), np.repeat(quotes.price, counts)
        fills = Fills(t, np.ones(len(t)), price, np.full(len(t), 10.0))
        found = arrivals(fit_arrivals(reach_of_quotes(course, quotes, fills, TICK)))
        assert found.of == "fills of our orders" and found.seconds == pytest.approx(40_000.0)
        scores.append((found.kappa.value - 0.6) / found.kappa.se)
        scores.append((found.log_rate.value - math.log(0.05)) / found.log_rate.se)
    assert np.abs(scores).max() < 3.0


def _trades(evidence: Evidence) -> Trades:
    assert evidence.trades is not None
    return evidence.trades


# What is counted


def test_the_depth_reached_counts_and_not_the_stated_side() -> None:
    """A taker told level by level is one arrival, at the deepest; sides come from the price before."""
    course = steps((0.0, 0.50), end=100.0)
    trades = Trades(
        np.array([10.0, 10.0, 20.0, 30.0]), np.array([0.51, 0.53, 0.48, 0.60]), np.ones(4), np.array([0, 0, 1, 2])
    )
    reach = reach_of_trades(course, trades, TICK)
    assert sorted(reach.reached.tolist()) == pytest.approx([2.0, 3.0, 10.0])
    assert reach.exposure.sum() == pytest.approx(200.0)


def test_the_price_that_counts_is_the_one_before_the_trade() -> None:
    """The trade is told after the book has changed because of it."""
    course = steps((0.0, 0.50), (9.9, 0.52), end=100.0)
    reach = reach_of_trades(course, some_trades((10.0, 0.51)), TICK)
    assert reach.reached.tolist() == pytest.approx([1.0])
    assert makers_of(course, some_trades((10.0, 0.51))).sign.tolist() == [-1.0]


def test_a_sweep_beyond_what_is_near_is_left_out_as_a_whole() -> None:
    """Its first step would look like a taker who wanted no more."""
    trades = Trades(np.array([10.0, 10.0, 20.0]), np.array([0.51, 0.65, 0.52]), np.ones(3), np.array([0, 0, 1]))
    reach = reach_of_trades(steps((0.0, 0.50), end=100.0), trades, TICK)
    assert reach.reached.tolist() == pytest.approx([2.0])


def test_time_without_a_price_is_no_time() -> None:
    """Neither exposure, nor returns, nor drifts over a blind stretch."""
    rows = [(float(n), 0.5 + 0.001 * (n % 2)) for n in range(0, 1_000, 5)]
    blind = steps(
        *rows[:100], (500.0, math.nan), (800.0, 0.9), *[(t + 500, 0.9 + p - 0.5) for t, p in rows[62:]], end=1_500
    )
    reach = reach_of_trades(blind, some_trades((600.0, 0.5)), TICK)
    assert reach.exposure.sum() == pytest.approx(2 * 1_200.0) and not len(reach.reached)
    assert estimate(deviation(blind, 5.0, "price")).value < 0.001  # and not the leap from 0.5 to 0.9
    assert blind.seconds == pytest.approx(1_200.0)
    assert math.isnan(blind.price_at(np.array([600.0]))[0]) and math.isnan(blind.price_at(np.array([2_000.0]))[0])


def test_the_rows_of_the_fit_are_whole() -> None:
    """Every arrival reached at least nothing; the fit agrees with data of its own kind, and not with others."""
    evidence = made(2, Truth(rate=0.2))
    found = arrivals(fit_arrivals(reach_of_trades(evidence.course, _trades(evidence), TICK)))
    assert found.fits and found.rows[0].seen == found.kappa.n
    assert found.rows[0].fitted == pytest.approx(found.kappa.n)
    seen = [row.seen for row in found.rows]
    assert seen == sorted(seen, reverse=True)
    course = steps(*[(float(n), 0.5 + (n % 3) * 1e-4) for n in range(8_000)], end=8_000.0)
    lumps = some_trades(*[(10.0 + 40 * n, 0.51 if n % 2 else 0.56) for n in range(190)])
    assert not arrivals(fit_arrivals(reach_of_trades(course, lumps, TICK))).fits


def test_where_the_exponential_ends_is_not_near() -> None:
    """Takers that never go further than six ticks: within them the fit holds, and the window says so."""
    dice = np.random.default_rng(7)
    course = steps(*[(float(n), 0.5) for n in range(0, 40_000, 10)], end=40_000.0)
    depth = dice.geometric(1 - math.exp(-0.3), 3_000)
    depth = depth[depth <= 6][:1_500]
    tape = some_trades(*[(10.0 + 26 * n, 0.5 + TICK * each) for n, each in enumerate(depth)])
    evidence = Evidence("0x1", "", TICK, course, course, tape, None, None)
    found = arrivals(arrivals_of(evidence))
    assert found.near_ticks == 6 and found.fits
    assert abs(found.kappa.value - 0.3) < 3 * found.kappa.se
    assert not arrivals(fit_arrivals(reach_of_trades(course, tape, TICK))).fits


# What is not


def test_thin_data_give_reasons_and_no_number() -> None:
    """Each part says what there is and what it wants."""
    found = calibrate(made(1, Truth(hours=0.05)), Settings())
    assert isinstance(found.arrivals, TooThin) and f"wanted are {LEAST_ARRIVALS}" in found.arrivals.too_thin
    parts = [one for each in found.volatility for one in (each.price, each.logit)]
    parts += [one for each in found.drifts for one in (each.drift, each.markout)]
    assert all(isinstance(one, TooThin) and "wanted are" in one.too_thin for one in parts)
    assert isinstance(found.tick_moves, TooThin)
    assert found.proposal.k_vol is None and found.proposal.vol_horizon_sec is None
    assert any("too thin are arrivals, volatility, drift" in reason for reason in found.proposal.reasons)


def test_trades_to_one_depth_tell_no_kappa() -> None:
    """Any number would do as well as any other."""
    course = steps((0.0, 0.5), end=20_000.0)
    found = fit_arrivals(reach_of_trades(course, some_trades(*[(10.0 + n * 90, 0.51) for n in range(200)]), TICK))
    assert isinstance(found, TooThin) and "kappa cannot be told" in found.too_thin


def test_no_market_and_no_trade_break_nothing() -> None:
    """Empty data are thin data."""
    none = np.empty(0)
    empty = Course(none, none, none, none, 0.0)
    nothing = Trades(none, none, none, none.astype(np.int64))
    for evidence in (
        Evidence("0x1", "", TICK, empty, empty, nothing, None, None),
        Evidence("0x1", "", TICK, empty, empty, None, Quotes(none, none, none, none), Fills(none, none, none, none)),
        Evidence("0x1", "", TICK, steps((0.0, math.nan), end=9.0), empty, nothing, None, None),
    ):
        found = calibrate(evidence, Settings())
        assert isinstance(found.arrivals, TooThin) and found.proposal.k_vol is None


def test_no_number_goes_without_its_error() -> None:
    """Neither missing nor infinite nor zero."""
    found = calibrate(made(1, Truth(rate=0.2, impact=0.001)), Settings())

    def walk(part: object) -> int:
        if isinstance(part, Estimate):
            assert 0 < part.se < math.inf and math.isfinite(part.value) and part.n > 0
            return 1
        if isinstance(part, msgspec.Struct):
            return sum(walk(getattr(part, name)) for name in part.__struct_fields__)
        return sum(walk(one) for one in part) if isinstance(part, tuple) else 0

    assert walk(found) >= 14
    assert all(word not in msgspec.json.encode(found) for word in (b"null", b"NaN", b"Infinity"))


def test_the_same_data_give_the_same_errors() -> None:
    """The bootstrap's seed is fixed."""
    assert calibrate(made(1), Settings()) == calibrate(made(1), Settings())


def test_trades_in_flocks_have_larger_errors() -> None:
    """Fifty trades that come together are not fifty pieces of evidence."""
    course = steps((0.0, 0.5), end=20_000.0)
    depths = np.random.default_rng(3).geometric(0.5, 400)
    spread = some_trades(*[(10.0 + 49 * n, 0.5 + TICK * depth) for n, depth in enumerate(depths)])
    flocks = some_trades(*[(10.0 + 2_450 * (n // 50) + n % 50, 0.5 + TICK * depth) for n, depth in enumerate(depths)])
    errors = [arrivals(fit_arrivals(reach_of_trades(course, one, TICK))).log_rate.se for one in (spread, flocks)]
    assert errors[1] > 2 * errors[0]


# The proposal


KAPPA = Estimate(0.5, 0.02, 400)
ARRIVALS = Arrivals(Estimate(0.05, 0.005, 400), Estimate(-3.0, 0.1, 400), KAPPA, "trades of others", 9e3, 10, (), True)
SIGMA = Estimate(0.001, 0.00003, 2_000)
MOVES = Estimate(100.0, 5.0, 80)


def drifts(at_300: float, se: float = 0.0005) -> list[Drift]:
    return [
        Drift(30.0, Estimate(-0.001, se, 300), Estimate(0.02, se, 300)),
        Drift(300.0, Estimate(at_300, se, 300), Estimate(0.02 + at_300, se, 300)),
    ]


def proposed(**over: object) -> module.Proposal:
    told = {"arrivals": ARRIVALS, "sigma": SIGMA, "drifts": drifts(-0.01), "moves": MOVES, "tick": TICK} | over
    return propose(**told, settings=Settings())  # type: ignore[arg-type]


def test_k_vol_follows_from_intensity_drift_and_deviation() -> None:
    """1/0.5 + 1 tick of drift = 3 ticks; less a tick of K_FEE_TICKS, over a deviation of one tick in 100 s."""
    found = proposed()
    assert estimate(found.half_spread_ticks).value == pytest.approx(3.0)
    assert estimate(found.k_vol).value == pytest.approx(2.0)
    assert estimate(found.vol_horizon_sec).value == pytest.approx(100.0)
    assert estimate(found.half_spread_ticks).se == pytest.approx(math.hypot(0.02 / 0.25, 0.05))
    assert estimate(found.k_vol).se == pytest.approx(2 * math.hypot(math.hypot(0.08, 0.05) / 2, 0.03))


def test_good_luck_does_not_tighten() -> None:
    """A drift in our favour is not taken for granted (market-making.md 2.6)."""
    assert estimate(proposed(drifts=drifts(0.01)).half_spread_ticks).value == pytest.approx(2.0)


def test_without_a_horizon_k_vol_is_for_the_one_in_force() -> None:
    """Only their product matters, so the one can be told for the other as it is."""
    found = proposed(moves=TooThin("still"))
    assert found.vol_horizon_sec is None
    assert estimate(found.k_vol).value == pytest.approx(2.0 / (0.1 * math.sqrt(Settings().vol_horizon_sec)))


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({"arrivals": TooThin("none")}, "too thin are arrivals"),
        ({"sigma": TooThin("none")}, "too thin are volatility"),
        ({"drifts": [Drift(30.0, TooThin("none"), TooThin("none"))]}, "too thin are drift"),
        ({"arrivals": msgspec.structs.replace(ARRIVALS, kappa=Estimate(0.1, 0.08, 40))}, "as far as can be told"),
        (
            {"arrivals": msgspec.structs.replace(ARRIVALS, kappa=Estimate(2.0, 0.05, 400)), "drifts": drifts(0.0)},
            "alone",
        ),
        ({"drifts": drifts(-0.01, se=0.03)}, "too uncertain"),
    ],
)
def test_what_cannot_be_proposed_has_its_reason(over: dict[str, object], reason: str) -> None:
    """No K_VOL is better than one that the data do not carry."""
    found = proposed(**over)
    assert found.k_vol is None and any(reason in text for text in found.reasons), found.reasons


@pytest.mark.parametrize(("worth", "words"), [(0.02, "pay"), (-0.02, "lose"), (0.0001, "neither")])
def test_markouts_say_which_way_to_go(worth: float, words: str) -> None:
    """Lower K_VOL while fills are worth something after five minutes, raise it when not (market-making.md 2.6)."""
    told = [Drift(300.0, Estimate(-0.001, 0.001, 300), Estimate(worth, 0.001, 300))]
    assert words in proposed(drifts=told).reasons[0]


def test_errors_are_told_with_two_digits() -> None:
    """More would be noise, fewer would round a third away."""
    assert with_error(Estimate(1.23456, 0.0456, 9)) == "1.235 ± 0.046"
    assert with_error(Estimate(1234.5, 45.6, 9)) == "1234 ± 46"
    assert with_error(Estimate(0.00123, 0.00045, 9), 100) == "0.123 ± 0.045"
