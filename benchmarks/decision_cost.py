"""What one market decision costs, in multiples of a bare one, and what a hundred markets cost at four a second.

Bars of issue 5. A bare decision is the least that could be called one: mid, microprice, time-aware average, a
half-spread, two post-only quotes on the grid with a size each. Ours goes from the same touch to the plan of three
layers a side with all its terms.
"""

import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from benchmarks.stream import make_stream
from core.actions import Action, Cancel, Place
from core.config import Settings
from core.engine import Engine
from core.events import AccountSeen, CancelAnswered, FeedChanged, InstrumentAdded, OrderAnswered, OrderSigned, Woken
from core.market.instrument import Instrument
from core.market.signals import FairValue, live_microprice
from core.quoting.explain import explain
from core.quoting.plan import QuoteInputs, plan_quotes
from core.quoting.rules import rules_of
from core.quoting.volatility import VarianceRate, resolution_floor, sigma_over_horizon
from core.runtime.ingest import Ingest
from core.units import MICRO, Shares, Ticks, Usd

DECISIONS: Final = 40_000
PIECE: Final = 1_000
COST_BAR: Final = 12.0
MARKETS: Final = 100
HERTZ: Final = 4
SECONDS: Final = 20
CORE_BAR: Final = 0.10
BANKROLL: Final = Usd(50_000 * MICRO)
UNIX: Final = 1_790_000_000.0


class Touch(NamedTuple):
    """What both sides see: the best levels of a book on a cent grid."""

    now: float
    bids: list[tuple[Ticks, Shares]]
    asks: list[tuple[Ticks, Shares]]


class Bare:
    """Mid, microprice, average, two quotes."""

    def __init__(self) -> None:
        self._average = self._last = 0.5
        self._s = 0.0

    def decide(self, touch: Touch) -> tuple[float, tuple[int, float], tuple[int, float]]:
        """Mid in dollars; tick and shares of bid and ask."""
        (bid, bid_size), (ask, ask_size) = touch.bids[0], touch.asks[0]
        mid = (bid + ask) / 200
        micro = (bid * ask_size + ask * bid_size) / (100 * (bid_size + ask_size))
        fair = self._last + (self._average - self._last) * math.exp((self._s - touch.now) / 4.48)
        self._average, self._last, self._s = fair, micro, touch.now
        half = max(0.01, 0.02 + 0.01)
        low = min(math.floor((fair - half) * 100 + 1e-9), ask - 1)
        high = max(math.ceil((fair + half) * 100 - 1e-9), bid + 1)
        size = math.floor(300 / max(fair, 1 - fair) * 100) / 100
        return mid, (low, size), (high, size)


class Ours:
    """Signals to plan, as a desk does it."""

    def __init__(self, *, explained: bool) -> None:
        settings = Settings()
        instrument = Instrument("0x1", "1", "2", "?", "0.01", Shares(5 * MICRO), end_unix=UNIX + 30 * 86_400)
        self._settings = settings
        self._rules = rules_of(settings, instrument)
        self._fair = FairValue(settings.alpha_fair, 0.05)
        self._variance = VarianceRate(settings.ewma_vol_window_sec, settings.vol_space, settings.vol_sample_sec)
        self._explained = explained

    def decide(self, touch: Touch) -> object:
        """The plan, or its explanations."""
        settings, rules, now = self._settings, self._rules, touch.now
        micro = live_microprice(touch.bids, touch.asks, rules.grid, rules.min_size, 1, 0.5, 0.1)
        price = micro.price or 0.5
        self._variance.observe(now, price)
        self._fair.observe(now, price)
        fair = self._fair.value_at(now) or 0.5
        floor = resolution_floor(fair, 30 * 86_400.0 - now, 0.5, "gauss", 60.0)
        sigma = sigma_over_horizon(self._variance, now, fair, floor, settings.vol_horizon_sec, settings.sigma_cap)
        inputs = QuoteInputs(
            fair=fair,
            sigma_h=sigma.sigma_h or 0.0,
            yes=Shares(0),
            no=Shares(0),
            free_yes=Shares(0),
            free_no=Shares(0),
            free_cash=BANKROLL,
            equity=BANKROLL,
            best_bid=touch.bids[0][0],
            best_ask=touch.asks[0][0],
            gross_room=BANKROLL,
        )
        plan = plan_quotes(inputs, rules)
        return explain(plan, rules) if self._explained else plan


def run() -> bool:
    """Print every figure with its bar; says whether all bars were reached."""
    return all([_one_decision(), _many_markets()])


def _one_decision() -> bool:
    touches = _touches(DECISIONS)
    lanes: dict[str, Callable[[Touch], object]] = {
        "bare": Bare().decide,
        "signals to plan": Ours(explained=False).decide,
        "the same, every term spelled out": Ours(explained=True).decide,
    }
    times: dict[str, list[float]] = {name: [] for name in lanes}
    for at in range(0, len(touches), PIECE):
        for name, decide in lanes.items():
            times[name].append(_cpu(decide, touches[at : at + PIECE]))
    print(f"one market decision, {DECISIONS:,} touches, three layers a side")
    ratios = {}
    for name, seconds in times.items():
        ratios[name] = statistics.median(one / base for one, base in zip(seconds, times["bare"], strict=True))
        print(f"  {name:<34} {statistics.median(seconds) * 1e6:7.2f} us   {ratios[name]:6.1f} x bare")
    plain = _told("decision", ratios["signals to plan"], COST_BAR, "x a bare one")
    return _told("with explanations", ratios["the same, every term spelled out"], COST_BAR, "x a bare one") and plain


def _many_markets() -> bool:
    """CPU of deciding alone: messages, requests and answers are not counted."""
    stream = make_stream(2 * MARKETS, 60_000)
    settings = Settings(base_size_usd=20.0, max_size_usd=95.0, max_open_orders=1_000)
    engine = Engine(settings, own_in_book=False)
    said = list(stream.tokens.items())
    for (yes, about), (no, _) in zip(said[::2], said[1::2], strict=True):
        instrument = Instrument(about["market"], yes, no, "?", about["tick"], Shares(5 * MICRO))
        engine.handle(InstrumentAdded(instrument), 0.0)
    for feed in ("market", "user"):
        engine.handle(FeedChanged(feed=feed, connected=True), 0.0)  # type: ignore[arg-type]
    engine.handle(AccountSeen(cash=Usd(20 * BANKROLL), holdings=()), 0.0)
    ingest = Ingest(lambda message, now: engine.handle(message, now), engine.data.find, None)
    for frame in stream.dump:
        ingest.frame(frame.text, 0.0)
    frames = iter(stream.frames)
    spent, turns = 0.0, SECONDS * HERTZ
    before = 0
    for turn in range(-2 * HERTZ, turns):
        now = 10.0 + turn / HERTZ
        for _ in range(2 * MARKETS):
            ingest.frame(next(frames).text, now)
        for desk in engine.desks.values():
            desk.touch_due()
        started = time.process_time()
        actions = engine.handle(Woken(UNIX + now), now)
        if turn >= 0:
            spent += time.process_time() - started
        elif turn == -1:
            before = engine.tally.decisions
        _answer(engine, actions, now)
    decided = engine.tally.decisions - before
    share = spent / SECONDS * (MARKETS * turns) / max(decided, 1)
    orders = sum(1 for _ in engine.orders.all_at_risk())
    print(
        f"{MARKETS} markets with {orders} orders, {HERTZ} decisions a second each: {decided:,} decisions,"
        f" {spent / decided * 1e6:.0f} us each"
    )
    return _told("deciding", share, CORE_BAR, "of a core")


def _answer(engine: Engine, actions: Sequence[Action], now: float) -> None:
    """What the venue does, at once."""
    for action in actions:
        if isinstance(action, Place):
            engine.handle(OrderSigned(intent=action.intent, order_id=f"id-{action.intent}"), now)
            engine.handle(OrderAnswered(intent=action.intent, outcome="live"), now)
        elif isinstance(action, Cancel):
            engine.handle(CancelAnswered(order_id=action.order_id, outcome="cancelled"), now)


def _touches(count: int) -> list[Touch]:
    """A random walk of the touch, a decision every quarter of a second."""
    dice, bid, touches = random.Random(1), 45, []
    for number in range(count):
        bid = min(80, max(20, bid + dice.choice((-1, 0, 0, 0, 1))))
        ask = bid + dice.choice((1, 2))
        bids = [(Ticks(bid - n), Shares(dice.randrange(10, 900) * MICRO)) for n in range(4)]
        asks = [(Ticks(ask + n), Shares(dice.randrange(10, 900) * MICRO)) for n in range(4)]
        touches.append(Touch(number / 4, bids, asks))
    return touches


def _cpu(decide: Callable[[Touch], object], touches: Sequence[Touch]) -> float:
    started = time.process_time()
    for touch in touches:
        decide(touch)
    return (time.process_time() - started) / len(touches)


def _told(name: str, value: float, bar: float, unit: str) -> bool:
    print(f"  {'reached' if value <= bar else 'NOT REACHED'}: {name} {value:.3g}, bar at most {bar:g} {unit}")
    return value <= bar
