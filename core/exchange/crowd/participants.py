"""The population of an exchange: who lives in which market, and the waking of each in its time."""

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from core.exchange.crowd.agents import Agent, usual_agents
from core.exchange.crowd.belief import STEP_S, Belief, stream
from core.exchange.crowd.desk import Desk
from core.exchange.exchange import Exchange

_NAP_MS: Final = 250
"""How long a paused participant sleeps before it looks again."""

_FOREVER_S: Final = 1e8


class Population:
    """Beliefs and participants of all markets; ``speed`` makes their time run faster than the exchange's."""

    def __init__(self, exchange: Exchange, *, speed: float = 1.0, paused: bool = False) -> None:
        if speed <= 0:
            raise ValueError("speed must be positive")
        self.accounts: set[str] = set()
        """Addresses of all participants."""
        self.beliefs: dict[str, Belief] = {}
        self._exchange = exchange
        self._speed = speed
        self._paused = paused
        self._counters: dict[str, int] = {}
        for market in exchange.listings:
            self._settle(market)
        exchange.drain()

    def pause(self, paused: bool) -> None:
        """Stop all participants, or let them go on; their resting orders stay."""
        self._paused = paused

    def _settle(self, market: str) -> None:
        exchange = self._exchange
        listing = exchange.listings[market]
        plot, grid = listing.plot, listing.instrument.grid
        belief = Belief(exchange.seed, market, plot.start, grid.tick, plot.vol_ticks)
        self.beliefs[market] = belief
        agents = usual_agents(self._desks(market), belief, plot.reward_size, plot.reward_cents)
        for agent in agents:
            self.accounts.add(agent.desk.account)
            agent.open(self._dice(agent))
        for agent in agents:
            self._later(self._dice(agent).uniform(0.1, 3.0), partial(self._wake, agent))
        self._later(STEP_S, partial(self._believe, belief, agents))

    def _desks(self, market: str) -> Iterator[Desk]:
        number = 0
        while True:
            yield Desk(self._exchange, market, f"participant/{number}")
            number += 1

    def _dice(self, agent: Agent) -> random.Random:
        key = agent.desk.key
        count = self._counters[key] = self._counters.get(key, -1) + 1
        return stream(self._exchange.seed, key, count)

    def _wake(self, agent: Agent, now_ms: int) -> None:
        if self._paused:
            self._exchange.schedule(now_ms + _NAP_MS, partial(self._wake, agent))
            return
        self._later(agent.wake(self._dice(agent)), partial(self._wake, agent))

    def _snipe(self, agent: Agent, now_ms: int) -> None:
        if not self._paused:
            agent.wake(self._dice(agent))

    def _believe(self, belief: Belief, agents: list[Agent], now_ms: int) -> None:
        if not self._paused and belief.step():
            for agent in agents:
                delay = agent.jumped(self._dice(agent))
                if delay is not None:
                    self._later(delay, partial(self._snipe, agent))
        self._later(STEP_S, partial(self._believe, belief, agents))

    def _later(self, wait_s: float, action: Callable[[int], None]) -> None:
        """Schedule after ``wait_s`` seconds of participants' time, never in the same millisecond."""
        wait_ms = max(1, round(min(wait_s / self._speed, _FOREVER_S) * 1000))
        self._exchange.schedule(self._exchange.now_ms + wait_ms, action)
