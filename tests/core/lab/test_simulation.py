"""The engine against the exchange under a virtual clock: repeatable, honest about money, and safe under faults."""

import pytest

from core.config import Settings
from core.exchange.crowd.profiles import Name
from core.exchange.faults.script import read_toml
from core.lab.simulation import ACCOUNT, OWNER, Simulation
from core.units import MICRO

SETTINGS = Settings()


def play(seed: int, seconds: float, script: str = "", profile: Name = "normal", markets: int = 1) -> Simulation:
    rules = read_toml(script, "script") if script else []
    simulation = Simulation(
        SETTINGS, seed=seed, markets=markets, profile=profile, rules=rules, speed=4.0 if profile == "normal" else 1.0
    )
    simulation.after_event = simulation.exchange.ledger.check
    simulation.run(seconds)
    return simulation


def agrees(simulation: Simulation) -> None:
    """After the end: nothing is open, and the engine holds what the exchange says it holds."""
    simulation.finish()
    assert simulation.exchange.open_orders(OWNER) == []
    assert simulation.unusable == 0
    account = simulation.exchange.ledger.accounts[ACCOUNT]
    for market, desk in simulation.engine.desks.items():
        assert desk.settled_yes == account.tokens.get((market, "YES"), 0)
        assert desk.settled_no == account.tokens.get((market, "NO"), 0)


@pytest.mark.parametrize("profile", ["calm", "normal", "busy"])
def test_an_engine_makes_a_market_and_ends_with_the_exchanges_own_figures(profile: Name) -> None:
    simulation = play(1, {"calm": 3_600, "normal": 600, "busy": 15}[profile], profile=profile)
    trades = [fill for trade in simulation.exchange.trades.values() for fill in trade.fills]
    assert trades and all(trade.taker.new.owner != OWNER for trade in simulation.exchange.trades.values())
    agrees(simulation)


def test_every_frame_of_the_exchange_passes_our_own_proof() -> None:
    simulation = play(2, 300, markets=4)
    for desk in simulation.engine.desks.values():
        evidence = desk.tracked.evidence
        assert desk.tracked.gaps == 0 and desk.tracked.synced
        assert evidence.hash_checked > 100
        assert evidence.hash_agreed + evidence.hash_explained == evidence.hash_checked
        assert evidence.top_agreed == evidence.top_checked


def test_the_same_seed_decides_the_same_and_another_does_not() -> None:
    digests = [play(seed, 120).decisions_digest for seed in (3, 3, 4)]
    assert digests[0] == digests[1] != digests[2]


def test_how_time_is_cut_changes_nothing() -> None:
    whole, pieces = play(5, 60), play(5, 0)
    for _ in range(240):
        pieces.run(0.25)
    assert whole.decisions_digest == pieces.decisions_digest


FAULTS = {
    "drop": """[[fault]]\ndo = "drop"\nchannel = "market"\nkinds = ["price_change"]\nat = 20\nfor = 2\n""",
    "duplicate": """[[fault]]\ndo = "duplicate"\nchannel = "market"\nat = 20\nfor = 60\n""",
    "lost after": """[[fault]]\ndo = "blackhole"\nmoment = "after"\nrequest = "POST /orders"\nat = 20\nfor = 5\n""",
    "lost before": """[[fault]]\ndo = "blackhole"\nmoment = "before"\nrequest = "POST /orders"\nat = 20\nfor = 5\n""",
    "restart": """[[fault]]\ndo = "restart"\nat = 20\nseconds = 10\n""",
    "failed trades": """[[fault]]\ndo = "settle"\nhow = "fail"\ncount = 3\nat = 5\n""",
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_cost_neither_money_nor_agreement(name: str) -> None:
    simulation = play(6, 180, FAULTS[name])
    assert simulation.director.log, "the fault happened"
    agrees(simulation)
    assert simulation.exchange.ledger.accounts[ACCOUNT].cash > 0.9 * SETTINGS.paper_cash_usd * MICRO
