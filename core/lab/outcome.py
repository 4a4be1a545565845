"""What one way to quote does in one world of the simulated exchange.

A seed is a world: its beliefs, its news and what its participants want do not depend on us. Money is counted at the
truth of that world, never at our own fair value: who is wrong about the price must not be paid for it.

The truth is an exact martingale (:mod:`core.exchange.crowd.belief`), so what we carry earns nothing on average. Profit
without what was carried, the *edge* of our fills against the truth of their moment, has therefore the same mean as
profit and a far smaller deviation.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import structs

from core.actions import Action, Cancel, Place
from core.config import Effective
from core.exchange.crowd.profiles import PROFILES, Name
from core.exchange.orders import Trade
from core.lab.simulated_world import OWNER
from core.lab.simulation import Onlooker, Simulation
from core.orders.order import State
from core.portfolio.decompose import Decomposition
from core.profiles import Profiles
from core.units import MICRO, Shares, usd_from_float

LOOK_S: Final = 1.0
"""How often it is looked whether we quote."""


class Scene(msgspec.Struct, frozen=True):
    """What all arms live through."""

    minutes: float = 60.0
    markets: int | tuple[int, ...] = 1
    """How many of the exchange's questions, or which by number, from 0."""
    profile: Name = "normal"
    news: float = 1.0
    """How many times as far as usual news moves the truth."""
    baiter: bool = False


class Arm(msgspec.Struct, frozen=True):
    """One way to quote."""

    name: str
    effective: Effective
    """Its settings; the profiles of markets fill in what nobody set, as in a session."""
    relabelled: bool = False
    """It is told that YES is NO and NO is YES."""


class Outcome(msgspec.Struct, frozen=True):
    """What one arm did in one world. Money in dollars, shares in micro-shares."""

    edge: float
    """Of all fills, against the truth at that moment."""
    carry: float
    """Gained by the truth moving while we held."""
    edge_against: dict[str, float]
    """Edge by the kind of taker that met us: noise, informed, sniper, baiter."""
    fills: int
    filled: Shares
    cancels: int
    placed: int
    most_held: Shares
    """Largest net position of a market, of either sign."""
    uptime: float
    """Share of the time in which a market had an order of ours on both sides."""
    attacks: int
    """Baits laid."""
    bitten: int
    """Attacks that caught us."""
    lost_ticks: float
    """Summed over those attacks: ticks a share lost against the truth."""
    acts: str
    """SHA-256 of all that was done and when, told in tokens: equal whichever is called YES."""

    @property
    def pnl(self) -> float:
        """Profit, everything held counted at the truth."""
        return self.edge + self.carry


def measure(arm: Arm, scene: Scene, seed: int) -> Outcome:
    """Let one arm quote in one world."""
    gauge = Gauge()
    profile = PROFILES[scene.profile]
    simulation = Simulation(
        arm.effective.settings,
        profiles=Profiles(arm.effective),
        seed=seed,
        markets=scene.markets,
        profile=structs.replace(profile, jump_ticks=profile.jump_ticks * scene.news),
        baiter=scene.baiter,
        relabelled=arm.relabelled,
        onlooker=gauge,
    )
    left_s = scene.minutes * 60
    while left_s > 0:
        simulation.run(min(LOOK_S, left_s))
        left_s -= LOOK_S
        gauge.look()
    return gauge.outcome()


class Gauge(Onlooker):
    """Watches one simulation and measures what :class:`Outcome` tells."""

    def __init__(self) -> None:
        self._fills = 0
        self._filled = 0
        self._cancels = 0
        self._placed = 0
        self._most_held = 0
        self._edge_against: dict[str, float] = {}
        self._bitten = 0
        self._lost_ticks = 0.0
        self._looks = 0
        self._quoted = 0
        self._newest = ""
        self._acts = hashlib.sha256()
        self._acted_ms = 0
        self._done: list[str] = []
        """What was done at that time; in which order is nobody's business."""
        self._orders: dict[str, str] = {}

    def began(self, simulation: Simulation) -> None:
        """Everything stands, nothing has happened yet."""
        self._simulation = simulation
        self._beliefs = simulation.population.beliefs
        self._books = {market: Decomposition() for market in simulation.exchange.listings}

    def looked(self) -> None:
        """Book the trades made since the last look, oldest first."""
        trades = self._simulation.exchange.trades
        fresh: list[Trade] = []
        for trade_id in reversed(trades):
            if trade_id == self._newest:
                break
            fresh.append(trades[trade_id])
        for trade in reversed(fresh):
            self._newest = trade.trade_id
            self._book(trade)

    def acted(self, actions: Sequence[Action]) -> None:
        """Count what the engine wants, and remember it for the digest."""
        done = []
        for action in actions:
            if isinstance(action, Place):
                self._placed += 1
                told = f"{action.token} {action.order_side} {action.price_text} {action.size}"
                self._orders[self._simulation.order_id(action)] = told
                done.append(f"place {told}")
            elif isinstance(action, Cancel):
                self._cancels += 1
                done.append(f"cancel {self._orders[action.order_id]}")
        if self._simulation.now_ms != self._acted_ms:
            self._digest()
        self._done += done

    def look(self) -> None:
        """See in which markets we quote both sides now."""
        engine = self._simulation.engine
        for market in engine.desks:
            orders = engine.orders.at_risk(market)
            sides = {order.side for order in orders if order.state in (State.LIVE, State.PARTIAL)}
            self._looks += 1
            self._quoted += len(sides) == 2

    def outcome(self) -> Outcome:
        """Value what is held at the truth of this moment."""
        self._digest()
        for market, book in self._books.items():
            book.step(self._simulation.now_ms / 1000, usd_from_float(self._beliefs[market].truth))
        return Outcome(
            edge=_dollars(sum(book.parts.spread for book in self._books.values())),
            carry=_dollars(sum(book.parts.inventory for book in self._books.values())),
            edge_against=dict(sorted(self._edge_against.items())),
            fills=self._fills,
            filled=Shares(self._filled),
            cancels=self._cancels,
            placed=self._placed,
            most_held=Shares(self._most_held),
            uptime=self._quoted / self._looks if self._looks else 0.0,
            attacks=self._simulation.population.attacks,
            bitten=self._bitten,
            lost_ticks=self._lost_ticks,
            acts=self._acts.hexdigest(),
        )

    def _digest(self) -> None:
        """Put what was done in the millisecond that is over into the digest."""
        if self._done:
            self._acts.update(f"{self._acted_ms} {sorted(self._done)}\n".encode())
        self._acted_ms, self._done = self._simulation.now_ms, []

    def _book(self, trade: Trade) -> None:
        truth, book = usd_from_float(self._beliefs[trade.market].truth), self._books[trade.market]
        grid = trade.instrument.grid
        edge, size = 0.0, 0
        for fill in trade.fills:
            order = fill.order.new
            if order.owner != OWNER:
                continue
            ticks = fill.price if order.outcome == "YES" else grid.complement(fill.price)
            signed = Shares(fill.size if order.yes_side == "bid" else -fill.size)
            before = book.parts.spread
            book.step(self._simulation.now_ms / 1000, truth, [(signed, grid.dollars_of(ticks))])
            edge += _dollars(book.parts.spread - before)
            size += fill.size
            self._fills += 1
            self._most_held = max(self._most_held, abs(book.position))
        self._filled += size
        who = self._simulation.population.accounts.get(trade.taker.new.account, "others").partition("/")[0]
        self._edge_against[who] = self._edge_against.get(who, 0.0) + edge
        if who == "baiter" and size:
            self._bitten += 1
            self._lost_ticks -= edge / (size / MICRO) * grid.k


def _dollars(pico: int) -> float:
    return pico / MICRO**2
