"""Laws of the engine under any order of events: caps, grid, post-only, cancels, one meaning for one history."""

import random
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.actions import Action, Place
from core.config import Settings
from core.engine import Engine
from core.events import CancelAnswered, FillSeen, OrderAnswered, OrderSeen
from core.orders.order import IN_BOOK, TERMINAL, Order, State
from core.units import MICRO, SIZE_QUANTUM, Shares
from tests.builders import MARKET, Driver, VenueBook, laws, shares

LANDED: Final = frozenset(State) - TERMINAL - {State.INTENT, State.SENDING}
ACTS: Final = (
    "pause",
    "resume",
    "widen",
    "tighten",
    "cancel_market",
    "flatten",
    "pause_all",
    "resume_all",
    "cancel_all",
)
STEPS: Final = ("change", "move", "time", "answer", "cancelled", "fill", "settle", "act", "seen", "trade", "feed")
WEIGHTS: Final = (6, 2, 8, 8, 6, 5, 3, 1, 2, 1, 0.3)


class World:
    """A driver that lives through drawn steps and checks the laws after each of them."""

    def __init__(self, seed: int, **over: Any) -> None:
        self.random = random.Random(seed)
        self.book = VenueBook()
        self.driver = Driver(self.book, **over)
        self.fills: list[FillSeen] = []
        """Not final yet."""
        self.told = 0
        """Fills so far."""
        self.voided = False
        self.driver.feeds()
        held = self.random.choice(({}, {}, {"yes": 900.0}, {"no": 700.0}, {"yes": 400.0, "no": 300.0}))
        self.driver.account(cash=self.random.choice((50_000.0, 900.0)), **held)
        self.driver.send(self.book.book())

    @property
    def desk(self) -> Any:
        return self.driver.desk

    def pick(self, *states: State) -> Order | None:
        orders = [o for o in self.driver.orders(*states) if o.order_id]
        return self.random.choice(orders) if orders else None

    def step(self, kind: str) -> None:
        getattr(self, kind)()

    # What may happen

    def change(self) -> None:
        side = self.random.choice(("bid", "ask"))
        levels, other = (self.book.bids, self.book.asks) if side == "bid" else (self.book.asks, self.book.bids)
        tick = (max(other) if side == "ask" else min(other)) if other else 50
        tick += self.random.randint(1, 5) * (1 if side == "ask" else -1)
        if not 1 <= tick <= 99 or (len(levels) == 1 and tick in levels):
            return
        self.driver.send(self.book.set(side, tick, self.random.choice((0, 3, 50, 400))))

    def move(self) -> None:
        mid = max(3, min(97, round(max(self.book.bids, default=45) + self.random.randint(-6, 8))))
        moved = VenueBook(mid=mid, depth=2)
        self.book.bids, self.book.asks, self.book.ms = moved.bids, moved.asks, self.book.ms + 9
        self.driver.send(self.book.book())

    def time(self) -> None:
        self.check(self.driver.pass_time(self.random.choice((0.1, 0.3, 1.0, 2.5, 7.0))))

    def answer(self) -> None:
        outcome = self.random.choice(("live",) * 8 + ("refused", "unknown", "delayed"))
        for order in self.driver.orders(State.SENDING)[: self.random.randint(1, 4)]:
            self.driver.send(OrderAnswered(intent=order.intent, outcome=outcome))

    def cancelled(self) -> None:
        outcome = self.random.choice(("cancelled",) * 6 + ("gone", "unknown", "refused"))
        for order in self.driver.orders(State.CANCEL_SENT)[: self.random.randint(1, 5)]:
            self.driver.send(CancelAnswered(order_id=order.order_id, outcome=outcome))

    def fill(self) -> None:
        order = self.pick(State.SENDING, State.LIVE, State.PARTIAL, State.UNKNOWN, State.CANCEL_SENT, State.DELAYED)
        if order is None:
            return
        part = self.random.choice((1.0, 0.5, 0.123457))
        size = Shares(max(1, int(order.remaining * part)))
        self.told += 1
        told = FillSeen(
            trade_id=f"t{self.told}",
            order_id=order.order_id,
            size=size,
            settlement="matched",
            unix=self.driver.unix,
        )
        self.fills.append(told)
        self.driver.send(told)

    def settle(self) -> None:
        if self.fills:
            word = self.random.choice(("confirmed",) * 5 + ("mined", "retrying", "failed"))
            if word == "failed" and self.voided:
                return  # a second one would close the market for long, and nothing more be tried
            self.voided |= word == "failed"
            told = self.random.choice(self.fills)
            if word in ("confirmed", "failed"):
                self.fills.remove(told)
            self.driver.send(msgspec.structs.replace(told, settlement=word))

    def act(self) -> None:
        act = self.random.choice(ACTS)
        self.check(self.driver.flatten() if act == "flatten" else self.driver.command(act))

    def seen(self) -> None:
        order = self.pick(*(state for state in State if state in LANDED))
        if order is not None:
            status: Any = self.random.choice(("live", "absent", "cancelled", "matched"))
            matched = Shares(order.size if status == "matched" else order.filled)
            self.driver.send(OrderSeen(order_id=order.order_id, status=status, matched=matched))

    def trade(self) -> None:
        self.driver.send(self.book.trade(f"0.{self.random.randint(40, 52)}"))

    def feed(self) -> None:
        self.driver.feeds(up=False)
        self.driver.feeds()
        self.driver.send(self.book.book())

    # What must hold

    def check(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Place):
                self.check_place(action)

    def check_place(self, place: Place) -> None:
        order, grid = self.driver.engine.orders.by_intent(place.intent), self.desk.instrument.grid
        assert 1 <= place.price < grid.k
        assert place.price_text == grid.text(place.price)
        assert place.size % SIZE_QUANTUM == 0
        assert place.size >= self.desk.instrument.min_size
        assert not self.desk.tracked.book.crosses(place.side, order.yes_price), "post-only would refuse it"


class CheckedEngine(Engine):
    """The engine, with the caps checked at the very decision that placed something."""

    def handle(self, event: Any, now: float) -> list[Action]:
        actions = super().handle(event, now)
        assert self.orders.reserved_cash() == sum(order.reserves for order in self.orders.all_at_risk())
        places = [action for action in actions if isinstance(action, Place)]
        for market in {place.market for place in places}:
            self._check(self.desks[market], {place.side for place in places if place.market == market}, now)
        for place in places:
            self._check_single(place)
        return actions

    def _check_single(self, place: Place) -> None:
        """One living order for a layer and token; a second one only adds what is missing."""
        mine = self.orders.by_intent(place.intent)
        others = [
            (order.intent, order.state, order.reason)
            for order in self.orders.at_risk(place.market)
            if (order.side, order.layer, order.outcome) == (mine.side, mine.layer, mine.outcome) and order is not mine
        ]
        assert not others or place.reason == "undersize", (place, others)

    def _check(self, desk: Any, sides: set[str], now: float) -> None:
        fair, net, orders = desk.watch.fair.value_at(now), desk.inventory.net, desk.orders.at_risk(desk.market)
        cap = self.settings.hard_cap_delta_pct * (self.account.bankroll or 0)
        gross = self.settings.gross_cap * (self.account.bankroll or 0)
        bids = sum(order.remaining for order in orders if order.side == "bid")
        asks = sum(order.remaining for order in orders if order.side == "ask")
        if "bid" in sides:
            assert (net + bids) * fair <= cap + 2, "every bid may fill and no ask"
            assert (net + bids) * fair <= gross + 2
        if "ask" in sides:
            assert (asks - net) * (1 - fair) <= cap + 2, "every ask may fill and no bid"
        assert self.orders.reserved_cash() <= max(self.books.cash, 0) or not any(
            o.order_side == "BUY" and o.state is State.SENDING for o in orders
        )


PROFILES: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"order_layers": 1, "min_life_sec": 0.0, "hyst_ticks": 0},
    {"order_layers": 5, "base_size_usd": 300.0, "max_size_usd": 800.0, "quote_debounce_ms": 0},
    {"gross_cap": 0.02, "size_mode": "capital", "resize_tol": 1.0},
    {"k_vol": 0.0, "jitter_ticks": 3, "inv_skew_mode": "bankroll", "stale_sec": 3.0},
)


@laws(150)
@given(st.integers(0, 10**6), st.sampled_from(PROFILES))
def test_no_history_breaks_caps_grid_minimum_or_post_only(seed: int, over: dict[str, Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.builders.Engine", CheckedEngine)
        world = World(seed, **over)
        for kind in world.random.choices(STEPS, WEIGHTS, k=150):
            world.step(kind)


@laws(60)
@given(st.integers(0, 10**6), st.sampled_from(("kill", "pause_all", "pause", "cancel_all")))
def test_no_state_of_an_order_withstands_a_cancel(seed: int, act: Any) -> None:
    """Every order that may exist is cancelled at once, or as soon as it can have landed."""
    world = World(seed)
    for kind in world.random.choices(STEPS, WEIGHTS, k=100):
        world.step(kind)
    world.driver.command(act)
    for order in world.driver.orders():
        is_asked = order.state is State.CANCEL_SENT or order.state in TERMINAL
        assert is_asked or (order.cancel_wanted and order.state in (State.INTENT, State.SENDING)), order.state


@laws(60)
@given(st.integers(0, 10**6))
def test_quiet_world_comes_to_rest_with_quotes_on_both_sides_or_a_reason(seed: int) -> None:
    """Whatever has happened, a healthy venue and an operator who resumes are enough to get going again."""
    world = World(seed)
    for kind in world.random.choices(STEPS, WEIGHTS, k=100):
        world.step(kind)
    driver = world.driver
    driver.command("resume_all")
    driver.command("resume")
    driver.send(world.book.book())
    for _ in range(60):
        driver.pass_time(1.0)
        driver.answer()
        driver.answer_cancels()
        for order in driver.orders(State.UNKNOWN, State.DELAYED):
            driver.send(OrderSeen(order_id=order.order_id, status="cancelled", matched=order.filled))
        for order in driver.orders():
            if order.state in TERMINAL:
                driver.fill(order)
    states = {order.state for order in driver.orders()}
    assert states <= IN_BOOK, states
    assert states or driver.desk.blocked_by or driver.engine.account.is_latched


@laws(40)
@given(st.integers(0, 10**6), st.sampled_from(PROFILES))
def test_same_events_give_the_same_actions_to_the_byte(seed: int, over: dict[str, Any]) -> None:
    world = World(seed, **over)
    for kind in world.random.choices(STEPS, WEIGHTS, k=100):
        world.step(kind)
    again, actions = Engine(Settings(**over), own_in_book=False), []
    for now, event in world.driver.events:
        actions += again.handle(event, now)
    encode = msgspec.json.encode
    assert encode(actions) == encode(world.driver.actions)


def test_position_beyond_the_cap_is_only_ever_reduced() -> None:
    """Three times the hard cap is held from before: the adding side stays empty, the other is at most the position."""
    driver = Driver(VenueBook()).quoting(yes=10_000)
    driver.pass_time(10)
    driver.answer()
    assert {order.side for order in driver.orders()} == {"ask"}
    assert sum(order.remaining for order in driver.orders()) <= shares(10_000)
    assert driver.desk.market == MARKET and driver.desk.inventory.net == 10_000 * MICRO
