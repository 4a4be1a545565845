"""What is measured of a run is what happened in it, counted at the truth, and the same again for the same seed."""

import math

import pytest

from core.config import Settings, load
from core.exchange.crowd.profiles import Name
from core.lab.outcome import Arm, Gauge, Outcome, Scene, measure
from core.lab.simulated_world import ACCOUNT
from core.lab.simulation import Simulation
from core.units import MICRO

DEFAULT = Arm("default", load(None, {}, {}))
RELABELLED = Arm("relabelled", load(None, {}, {}), relabelled=True)
CREDULOUS = Arm("credulous", load(None, {}, {"size_cutoff": 0.0, "k_vol": 0.0}))
LONG_SHOT = 37
CASH = Settings().paper_cash_usd


@pytest.mark.parametrize(("profile", "markets"), [("normal", 2), ("lively", (6, LONG_SHOT))])
def test_profit_is_what_the_exchanges_ledger_says(profile: Name, markets: int | tuple[int, ...]) -> None:
    """Cash and tokens of our account, tokens at the truth: not our own bookkeeping, and not our own fair value."""
    gauge = Gauge()
    simulation = Simulation(Settings(), seed=4, markets=markets, profile=profile, onlooker=gauge)
    simulation.run(600)
    truths = {market: belief.truth for market, belief in simulation.population.beliefs.items()}
    outcome = gauge.outcome()
    for market in truths:
        simulation.exchange.pause_market(market, paused=True)
    simulation.finish()
    account = simulation.exchange.ledger.accounts[ACCOUNT]
    worth = account.cash / MICRO - CASH
    for (market, token), held in account.tokens.items():
        worth += held / MICRO * (truths[market] if token == "YES" else 1 - truths[market])
    assert outcome.fills > 5
    rounding = 1e-6 * (outcome.fills + sum(account.tokens.values()) / MICRO)  # of cash a fill, of truth a share
    assert outcome.pnl == pytest.approx(worth, abs=rounding)
    assert math.fsum(outcome.edge_against.values()) == pytest.approx(outcome.edge)


def test_counts_are_those_of_the_engine() -> None:
    """Placed, filled and held as the engine's own books have it."""
    gauge = Gauge()
    simulation = Simulation(Settings(), seed=2, profile="lively", onlooker=gauge)
    simulation.run(300)
    simulation.run(5)
    gauge.look()
    outcome, (desk,) = gauge.outcome(), simulation.engine.desks.values()
    assert (outcome.placed, outcome.fills) == (simulation.engine.orders.counts.placed, desk.position.fills)
    assert outcome.filled == desk.position.bought + desk.position.sold > 0
    assert outcome.most_held >= abs(desk.inventory.net) and outcome.cancels > 0
    assert outcome.uptime in (0.0, 1.0)


def test_the_same_seed_measures_the_same_and_another_does_not() -> None:
    scene = Scene(minutes=3, profile="lively")
    first, again, other = (measure(DEFAULT, scene, seed) for seed in (5, 5, 6))
    assert first == again != other
    assert measure(CREDULOUS, scene, 5).acts != first.acts


def hours(arm: Arm, scene: Scene, seeds: range) -> list[Outcome]:
    return [measure(arm, scene, seed) for seed in seeds]


def test_a_long_shot_is_traded_the_same_whichever_side_is_called_yes() -> None:
    """Every order, every cancel, at the same millisecond on the same token."""
    scene = Scene(minutes=15, markets=(LONG_SHOT,))
    named, renamed = (hours(arm, scene, range(1, 4)) for arm in (DEFAULT, RELABELLED))
    assert [one.acts for one in named] == [one.acts for one in renamed]
    assert sum(one.fills for one in named) > 5
    for one, other in zip(named, renamed, strict=True):
        assert (one.fills, one.filled, one.most_held) == (other.fills, other.filled, other.most_held)
        assert one.pnl == pytest.approx(other.pnl)


def test_the_baiter_catches_the_credulous_only() -> None:
    """A bait moves neither the touch we look at nor, without that, a spread that pays for volatility."""
    scene = Scene(minutes=10, markets=(6,), baiter=True)
    careful, credulous = hours(DEFAULT, scene, range(1, 4)), hours(CREDULOUS, scene, range(1, 4))
    assert sum(one.attacks for one in careful) > 20
    assert sum(one.bitten for one in careful) == 0 and all("baiter" not in one.edge_against for one in careful)
    assert sum(one.bitten for one in credulous) > 3
    assert sum(one.edge_against.get("baiter", 0.0) for one in credulous) < -10
    assert sum(one.lost_ticks for one in credulous) > 3


def test_without_a_baiter_nobody_lays_baits() -> None:
    assert measure(CREDULOUS, Scene(minutes=2), 1).attacks == 0
