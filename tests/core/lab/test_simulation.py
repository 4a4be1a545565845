"""The engine against the exchange under a virtual clock: repeatable, honest about money, and safe under faults."""

import pytest

from core.actions import Action
from core.config import Settings
from core.errors import UsageError
from core.events import CancelAnswered, Event, OrderAnswered
from core.exchange.crowd.profiles import Name
from core.exchange.faults.script import read_toml
from core.lab.simulated_world import ACCOUNT, OWNER
from core.lab.simulation import Onlooker, Simulation
from core.units import MICRO

SETTINGS = Settings()


class Auditor(Onlooker):
    """Counts the exchange's money after everything that happens to the engine."""

    def began(self, simulation: Simulation) -> None:
        self.check = simulation.exchange.ledger.check

    def settled(self) -> None:
        self.check()


def play(seed: int, seconds: float, script: str = "", profile: Name = "normal", markets: int = 1) -> Simulation:
    rules = read_toml(script, "script") if script else []
    simulation = Simulation(
        SETTINGS,
        seed=seed,
        markets=markets,
        profile=profile,
        rules=rules,
        speed=4.0 if profile == "normal" else 1.0,
        onlooker=Auditor(),
    )
    simulation.run(seconds)
    return simulation


def agrees(simulation: Simulation) -> None:
    """After the end: nothing is open, and the engine holds what the exchange says it holds."""
    simulation.finish()
    assert simulation.exchange.open_orders(OWNER) == []
    assert simulation.unusable == 0
    account = simulation.exchange.ledger.accounts[ACCOUNT]
    for market, desk in simulation.engine.desks.items():
        assert desk.position.settled_yes == account.tokens.get((market, "YES"), 0)
        assert desk.position.settled_no == account.tokens.get((market, "NO"), 0)


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


@pytest.mark.parametrize("piece_s", [0.25, 0.007])
def test_how_time_is_cut_changes_nothing(piece_s: float) -> None:
    whole, pieces = play(5, 0, profile="calm"), play(5, 0, profile="calm")
    for _ in range(round(42 / piece_s)):
        pieces.run(piece_s)
    whole.run(42)
    assert whole.decisions_digest == pieces.decisions_digest


FAULTS = {
    "drop": """[[fault]]\ndo = "drop"\nchannel = "market"\nkinds = ["price_change"]\nat = 20\nfor = 2\n""",
    "duplicate": """[[fault]]\ndo = "duplicate"\nchannel = "market"\nat = 20\nfor = 60\n""",
    "lost after": """[[fault]]\ndo = "blackhole"\nmoment = "after"\nrequest = "POST /orders"\nat = 20\nfor = 5\n""",
    "lost before": """[[fault]]\ndo = "blackhole"\nmoment = "before"\nrequest = "POST /orders"\nat = 20\nfor = 5\n""",
    "restart": """[[fault]]\ndo = "restart"\nat = 20\nseconds = 10\n""",
    "cancels too late": """[[fault]]\ndo = "cancel_race"\nat = 5\nfor = 60\n""",
    "frozen": """[[fault]]\ndo = "freeze"\nmarket = 0\nat = 20\nfor = 30\n""",
    "failed trades": """[[fault]]\ndo = "settle"\nhow = "fail"\ncount = 3\nat = 5\n""",
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_cost_neither_money_nor_agreement(name: str) -> None:
    simulation = play(6, 180, FAULTS[name])
    assert simulation.director.log, "the fault happened"
    agrees(simulation)
    cash = simulation.exchange.ledger.accounts[ACCOUNT].cash
    held = sum(desk.conservative_value() or 0 for desk in simulation.engine.desks.values())
    assert cash + held > 0.95 * SETTINGS.paper_cash_usd * MICRO


def fault(text: str) -> str:
    return f"[[fault]]\n{text}\n"


def test_a_resolution_is_announced_as_to_a_session_with_custom_features() -> None:
    simulation = play(7, 30, fault('do = "resolve"\nmarket = 0\nresult = "YES"\nat = 20'))
    assert all(desk.resolved for desk in simulation.engine.desks.values())


def test_without_its_first_books_the_engine_waits_and_asks_again() -> None:
    simulation, usual = play(7, 0.2, fault('do = "drop"\non = "frame:dump"\ntimes = 2')), play(7, 0.2)
    (desk,), (other,) = simulation.engine.desks.values(), usual.engine.desks.values()
    assert not desk.tracked.synced and other.tracked.synced
    simulation.run(20)
    assert desk.tracked.synced


def test_an_order_on_its_way_keeps_its_price_when_the_grid_changes() -> None:
    finer = 'do = "tick_change"\non = "request:POST /orders"\nmarket = 0\ntick = "0.001"'
    simulation = play(7, 10, fault(finer))
    ours = [order for order in simulation.exchange.engine.orders.values() if order.new.owner == OWNER]
    assert ours and all(0.3 < order.yes_price / order.instrument.grid.k < 0.7 for order in ours)


def test_a_venue_that_is_down_leaves_orders_and_cancels_in_doubt() -> None:
    """As a session hears it: a request refused as a whole tells nothing of its orders (reliability.md 4.3)."""
    simulation = play(8, 20, fault('do = "restart"\nat = 20\nseconds = 10'))
    heard: list[str] = []
    handle = simulation.engine.handle

    def listening(event: Event, now: float) -> list[Action]:
        if isinstance(event, CancelAnswered | OrderAnswered) and 20.4 < now < 30:
            heard.append(event.outcome)
        return handle(event, now)

    simulation.engine.handle = listening  # type: ignore[method-assign]
    simulation.run(0.1)
    agrees(simulation)
    assert heard and set(heard) == {"unknown"}


def test_a_slow_request_takes_effect_after_the_wait() -> None:
    slow = 'do = "slow"\nmoment = "before"\nrequest = "POST /orders"\nms = 3000\nat = 0\nfor = 60'
    simulation = play(8, 60, fault(slow))
    asked = {line.at_ms for line in simulation.director.log if line.what == "POST /orders"}
    came = {each.at_ms for each in simulation.exchange.received}
    assert came and came <= {at_ms + 3_000 for at_ms in asked}


def test_the_orders_of_one_decision_are_one_request() -> None:
    simulation = play(8, 60, fault('do = "slow"\nrequest = "POST /orders"\nms = 1\nat = 0\nfor = 60'))
    asked = [line.at_ms for line in simulation.director.log if line.what == "POST /orders"]
    assert len(simulation.exchange.received) > len(asked) == len(set(asked))


def test_a_fault_that_could_do_nothing_here_is_refused_with_its_line() -> None:
    with pytest.raises(UsageError, match="script:2: do: wants keys"):
        play(1, 0, fault('do = "throttle"\nbucket = "order"\nat = 1'))
