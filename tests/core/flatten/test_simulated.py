"""Flattening among the exchange's crowd under a virtual clock: the ledger says what it cost, and nobody else."""

from collections.abc import Sequence
from typing import Any

import pytest

from core.actions import Action, Note
from core.config import Settings
from core.events import OperatorCommand
from core.exchange.crowd.profiles import Name
from core.flatten.machine import Flattening
from core.lab.simulated_world import ACCOUNT, OWNER
from core.lab.simulation import Onlooker, Simulation
from core.units import MICRO
from tests.builders import usd

BEFORE_SEC = 400.0
LONGEST_SEC = 400.0


class Listener(Onlooker):
    """Hears what the engine says."""

    def __init__(self) -> None:
        self.notes: list[Note] = []

    def acted(self, actions: Sequence[Action]) -> None:
        self.notes += [one for one in actions if isinstance(one, Note)]


def act(simulation: Simulation, name: Any, **over: Any) -> Note:
    """What the engine says of an operator's act, last."""
    market = next(iter(simulation.engine.desks))
    simulation._do(OperatorCommand(act=name, market=market, who="test", **over))
    assert isinstance(simulation.onlooker, Listener)
    return simulation.onlooker.notes[-1]


def cost(simulation: Simulation, machine: Flattening) -> int:
    """What its orders have cost by the exchange's trades against the fair value of the preview, exact, micro-dollars.

    A trade that failed has cost nothing.
    """
    orders = simulation.engine.orders
    ids = {orders.by_intent(intent).order_id for intent in machine.intents}
    sold = got = 0
    for trade in simulation.exchange.trades.values():
        if trade.status == "FAILED":
            continue
        for fill in trade.fills:
            if fill.order.new.order_id in ids:
                sold, got = sold + fill.size, got + fill.cash
        if trade.taker.new.order_id in ids:
            sold, got = sold + trade.size, got + trade.cash - trade.fee
    return machine.terms.fair * sold // MICRO - got


@pytest.mark.parametrize("profile", ["normal", "busy"])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("most", [0.5, 20.0])
def test_it_ends_flat_or_with_its_remainder_said_and_never_costs_more_than_its_cap(
    seed: int, profile: Name, most: float
) -> None:
    """Makers come and go, others take the same levels, the price moves: the preview's worst cost stands."""
    settings = Settings(flatten_passive_sec=8.0)
    simulation = Simulation(settings, seed=seed, markets=1, profile=profile, speed=4.0, onlooker=Listener())
    simulation.run(BEFORE_SEC if profile == "normal" else 30.0)
    [desk] = simulation.engine.desks.values()
    made = act(simulation, "flatten", preview=True, most_cost=usd(most))
    if not made.confirm:
        assert "nothing to flatten" in made.text or "not proven" in made.text
        return
    act(simulation, "flatten", confirm=made.confirm)
    machine = desk.flattening
    assert machine is not None
    waited = 0.0
    while desk.flattening is not None:
        simulation.run(5.0)
        waited += 5.0
        assert waited < LONGEST_SEC, machine.text
        assert cost(simulation, machine) <= usd(most)
    simulation.finish()
    account = simulation.exchange.ledger.accounts[ACCOUNT]
    assert desk.position.settled_yes == account.tokens.get((desk.market, "YES"), 0)
    assert desk.position.settled_no == account.tokens.get((desk.market, "NO"), 0)
    assert simulation.exchange.open_orders(OWNER) == []
    said = simulation.engine.controls.find(desk.market, "", "flatten")
    assert said is not None and said.state == "PAUSED" and "left" in said.reason
    assert cost(simulation, machine) <= machine.cost <= machine.spent <= machine.cap
    assert simulation.engine.books.cash == pytest.approx(account.cash, abs=20)
