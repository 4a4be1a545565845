"""Markets are added, drained, narrowed, brought back and let go at any moment: caps, books and sameness hold.

The world of :mod:`tests.core.test_caps_hold` with a market list that changes its mind. The judge is the same: he knows
what is truly at the venue and what truly traded.
"""

import random
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from msgspec.structs import replace

from core.actions import Action, Retire
from core.engine import Engine
from core.events import (
    AccountSeen,
    BalancesRead,
    BooksRead,
    Event,
    FeedChanged,
    InstrumentAdded,
    InstrumentChanged,
    MarketListed,
    OperatorCommand,
    OrderAnswered,
    OrderSeen,
    TradesRead,
    Woken,
)
from core.listings import QUIET_SEC
from core.market.fees import FeeSchedule
from core.market.instrument import Instrument
from core.portfolio.entries import Merge
from core.risk.gate import Candidate, Cleared
from core.units import MICRO, OUTCOMES, SIZE_QUANTUM, Shares, Ticks, Usd
from tests.builders import DAY, NOON, VenueBook, a_market, laws, shares, usd
from tests.core.test_caps_hold import CASH, FATES, MARKET_CAP, NAMES, OVER, PICO, CapsHold, World

WISHED_USD: Final = st.sampled_from((None, None, 1, 20, 60, 150, 1_000)).map(lambda dollars: dollars and usd(dollars))
REASONS: Final = ("", "", "", "the screen", "off the list")
FACTS: Final[dict[str, tuple[Any, ...]]] = {
    "game_start_unix": (None, NOON - DAY, NOON + 600.0, NOON + 9 * DAY, NOON + 9 * DAY),
    "end_unix": (None, NOON - 9 * DAY, NOON + 3_600.0, NOON + 30 * DAY, NOON + 30 * DAY),
    "fees": (None, FeeSchedule(0), FeeSchedule(40_000, rebate=250_000)),
    "reward_min_size": (None, shares(1), shares(200)),
    "reward_max_spread_cents": (None, 4.5),
    "reward_daily_usd": (None, 0.0, 80.0),
    "tags": ((), ("sports",), ("politics",)),
    "title": ("Will it?", "\x1b[2J"),
    "neg_risk": (True, True, True, True, False),
    "tick_text": ("0.01", "0.001"),
}
"""What the venue may say of a market; the last two are not believed."""


def instrument(name: str) -> Instrument:
    return a_market(market=name, yes=f"{name}1", no=f"{name}2", neg_risk=True, group="" if name == "lone" else "g")


class ListedWorld(World):
    """The list adds what it wants; what left is told, and everything that happened is kept."""

    def __init__(self, **over: Any) -> None:
        self.log: list[tuple[float, Event, list[Action]]] = []
        self.left: list[str] = []
        """Markets that were let go, one by one."""
        super().__init__(*[VenueBook(instrument(name), mid) for name, mid in zip(NAMES, (46, 30, 60), strict=True)],
                         **(OVER | {"quote_debounce_ms": 100} | over))  # fmt: skip

    def send(self, event: Event) -> list[Action]:
        now = self.now
        actions = super().send(event)
        self.log.append((now, event, actions))
        for name in [action.market for action in actions if isinstance(action, Retire)]:
            assert not self.can_sell(name), name
            self.left.append(name)
        return actions

    def can_sell(self, name: str) -> bool:
        """An order may rest for what is held there, or others would pay a dollar for it."""
        instrument, book = self.engine.inventory.elsewhere[name], self.books[NAMES.index(name)]
        net = self.engine.books.portfolio.position(name).inventory.net
        bids = book.bids if net > 0 else [100 - tick for tick in book.asks]
        worth = abs(net) // SIZE_QUANTUM * SIZE_QUANTUM * max(bids, default=0) // 100
        return abs(net) >= instrument.min_size or (instrument.fees is not None and worth >= MICRO)

    def add(self, name: str, most: Usd | None) -> None:
        """A market comes, or comes back, and the channel carries it."""
        book = self.books[NAMES.index(name)]
        self.send(InstrumentAdded(book.instrument, max_usd=most))
        tokens = (book.instrument.yes_token, book.instrument.no_token)
        self.send(FeedChanged(feed="market", connected=True, tokens=tokens))
        book.ms += 9
        self.send(book.book("YES"))
        self.send(book.book("NO"))

    def tells_account(self) -> None:
        """Balances as our books expect them, then the lists."""
        super().tells_account()
        told = []
        for desk in self.engine.desks.values():
            for outcome in OUTCOMES:
                balance = self.engine.reconciliation.balances._mined(desk, outcome)
                told.append((desk.instrument.token_of(outcome), Shares(max(0, balance))))
        cash = Usd(max(0, self.engine.reconciliation.balances.own(self.now)[0].amount))
        self.send(BalancesRead(self.now, cash, tuple(told), complete=True))
        self.now += 0.01
        self.send(TradesRead(self.now, 0, (), complete=True))


def a_listed_world(**over: Any) -> ListedWorld:
    world = ListedWorld(**over)
    for feed in ("market", "user"):
        world.send(FeedChanged(feed=feed, connected=True))
    world.send(AccountSeen(cash=usd(CASH), holdings=()))
    for book in world.books:
        world.send(book.book("YES"))
        world.send(book.book("NO"))
    world.pass_time(2.0)
    world.tells_account()  # somebody reads this account
    return world


class ListHolds(CapsHold):
    """As its model, and the list has its say."""

    world: ListedWorld

    @initialize(sees=st.booleans())
    def begin(self, sees: bool) -> None:
        self.world = a_listed_world(order_layers=5 if sees else 2)
        self.killed = False
        self.allowed: dict[str, int] = {}
        """What each market may lose by the list, Pico; what could be lost when it was lowered stays allowed."""

    @rule(name=st.sampled_from(NAMES), most=WISHED_USD)
    def comes(self, name: str, most: Usd | None) -> None:
        """A market comes that left; one that is made does not change by it."""
        is_made = name in self.world.engine.desks
        self.world.add(name, most)
        if not is_made:
            self.bound(name, most)
        assert name in self.world.engine.desks

    @rule(name=st.sampled_from(NAMES), drain=st.sampled_from(REASONS), retires=st.booleans(), most=WISHED_USD)
    def lists(self, name: str, drain: str, retires: bool, most: Usd | None) -> None:
        """The list and the screen say something of a market, made or not."""
        if name in self.world.engine.desks:
            self.bound(name, most)
        self.world.send(MarketListed(market=name, drain=drain, retires=retires and bool(drain), max_usd=most))

    @rule(name=st.sampled_from(NAMES), told=st.fixed_dictionaries({}, optional={
        fact: st.sampled_from(values) for fact, values in FACTS.items()
    }))  # fmt: skip
    def changes(self, name: str, told: dict[str, Any]) -> None:
        """The venue says otherwise of a market, made or not; only its facts are taken."""
        known = self.world.engine.desks.get(name)
        before = None if known is None else known.instrument
        self.world.send(InstrumentChanged(replace(instrument(name), **told)))
        assert self.world.engine.desks.get(name) is known
        if known is not None and before is not None:
            assert (known.instrument.tick_text, known.instrument.neg_risk) == (before.tick_text, before.neg_risk)

    def bound(self, name: str, most: Usd | None) -> None:
        counted = self.world.engine.gatekeeper.exposures.loss(name).worst
        wished = MARKET_CAP * CASH * PICO if most is None else most * MICRO
        self.allowed[name] = max(counted, int(min(wished, MARKET_CAP * CASH * PICO)))

    @rule()
    def a_minute_goes_by(self) -> None:
        """Long enough to let go of what is empty; the account is read meanwhile."""
        for truth in list(self.world.venue.values()):
            if not truth.is_open:
                self.world.tell(truth)
        self.world.pass_time(QUIET_SEC)
        self.world.tells_account()
        self.world.pass_time(3.0)

    @precondition(lambda self: any(state.source == "selection" for state in self.world.engine.controls.held()))
    @rule()
    def works_off(self) -> None:
        """What is held in drained markets is sold whole, as far as it is settled and the gate lets it."""
        world = self.world
        for name, desk in list(world.engine.desks.items()):
            if world.engine.controls.find(name, "", "selection") is None:
                continue
            self.empties(name)
            is_long, (bid, ask) = desk.inventory.net > 0, desk.touch_of_others
            held = desk.position.settled_yes if is_long else desk.position.settled_no
            size = Shares(min(abs(desk.inventory.net), held) // SIZE_QUANTUM * SIZE_QUANTUM)
            if bid is None or ask is None or size < desk.instrument.min_size:
                continue
            price = Ticks(min(99, bid + 1)) if is_long else Ticks(min(99, 100 - (ask - 1)))
            sale = Candidate("YES" if is_long else "NO", "SELL", price, size, "ask" if is_long else "bid",
                             desk.instrument.grid)  # fmt: skip
            if world.engine.gatekeeper.judge(desk, sale, world.now) is not None:
                continue
            made = world.engine.orders.place(
                desk.instrument, outcome=sale.outcome, order_side="SELL", price=price, size=size, side=sale.side,
                layer=9, reason="works off", now=world.now,
            )  # fmt: skip
            world.waiting.insert(0, made)
            if not isinstance(world.post(), Cleared):
                continue
            world.lands(made.intent)
            world.send(OrderAnswered(intent=made.intent, outcome="live"))
            truth = world.venue[f"id-{made.intent}"]
            world.trade(truth, truth.left)
            truth.is_open = False
            world.tell(truth)
            self.empties(name)
        for name in world.engine.desks:
            self.merges(name)

    @rule(name=st.sampled_from(NAMES))
    def leaves(self, name: str) -> None:
        """A market is taken off the list, worked off, and left alone for a while."""
        self.lists(name, "off the list", True, None)
        for _ in range(3):
            self.a_minute_goes_by()
            if any(state.source == "selection" for state in self.world.engine.controls.held()):
                self.works_off()

    def merges(self, name: str) -> None:
        """Settled pairs of a drained market are merged, as an operation of ours would book it."""
        engine = self.world.engine
        position = engine.books.portfolio.position(name)
        pairs = Shares(min(position.settled_yes, position.settled_no))
        if pairs > 0 and not engine.orders.at_risk(name) and engine.controls.find(name, "", "selection") is not None:
            engine.books.enter(name, f"job {len(self.world.log)}", Merge(pairs), "job", self.world.unix, "merged")

    def empties(self, name: str) -> None:
        """Every order of a market is over and every trade of it final."""
        world = self.world
        for truth in world.venue.values():
            if truth.market == name:
                truth.is_open = False
                world.tell(truth)
                world.send(OrderSeen(order_id=truth.order_id, status="cancelled" if truth.left else "matched",
                                     matched=truth.matched, asked_s=world.now))  # fmt: skip
        for number in reversed(range(len(world.open))):
            if world.open[number][0].market == name:
                world.settle(number, "confirmed")

    # What must hold

    @invariant()
    def no_market_may_lose_more_than_the_list_lets_it(self) -> None:
        for name, most in self.allowed.items():
            slack = 1_000 * len(self.world.venue) + 1_000
            assert self.world.truth_of(name).worst <= most + slack, name

    @invariant()
    def whoever_left_has_nothing_of_ours(self) -> None:
        """No order that may fill, no trade that may fail, no share for an order; and it is nowhere any more."""
        engine = self.world.engine
        for name in set(NAMES) - set(engine.desks):
            assert not engine.orders.at_risk(name), name
            assert not [truth for truth, _ in self.world.open if truth.market == name]
            held = engine.books.portfolio.position(name).inventory
            assert abs(held.net) < engine.inventory.elsewhere[name].min_size
            assert engine.data.find(f"{name}1") is None and engine.controls.find(name, "", "selection") is None

    @invariant()
    def books_add_up_and_drained_markets_say_what_remains(self) -> None:
        engine = self.world.engine
        assert engine.books.trouble == "" and engine.books.portfolio.check(sums_up=True) == ""
        for name in engine.desks:
            engine.listings.remaining(name, self.world.now)
        assert set(engine.listings._leaving) <= set(engine.desks)

    def wants(self, market: str, side: Any, outcome: Any, depth: int, size: int) -> None:
        """A drained market takes no order that adds, whoever wants it."""
        engine, before = self.world.engine, len(self.world.waiting)
        super().wants(market, side, outcome, depth, size)
        if len(self.world.waiting) > before and engine.controls.find(market, "", "selection") is not None:
            net = engine.desks[market].inventory.net
            assert net > 0 if side == "ask" else net < 0, "it reduces"


TestListHolds = ListHolds.TestCase
TestListHolds.settings = settings(laws(15), stateful_step_count=30)


def history(seed: int, *, mad: bool, steps: int = 250) -> ListHolds:
    """Many steps, drawn densely; a strategy gone mad only with ``mad``."""
    dice = random.Random(seed)
    machine = ListHolds()
    machine.begin(sees=seed % 2 == 0)

    def some(*values: Any) -> list[Any]:
        return [dice.choice(values) for _ in range(dice.randint(1, 6))]

    def most() -> Usd | None:
        dollars = dice.choice((None, None, 20, 60, 150))
        return None if dollars is None else usd(dollars)

    def wish() -> None:
        machine.wish([
            (dice.choice(NAMES), dice.choice(("bid", "ask")), dice.choice(("YES", "NO")), dice.randint(1, 12),
             dice.randint(5, 400)) for _ in range(4)
        ])  # fmt: skip

    def work_off() -> None:
        if mad and any(state.source == "selection" for state in machine.world.engine.controls.held()):
            machine.works_off()

    moves = (
        (wish, 6 if mad else 0),
        (lambda: machine.decide(dice.choice((0.3, 1.0, 2.5))), 8),
        (lambda: machine.send(some(*FATES)), 10),
        (lambda: machine.world.unanswered and machine.answer("live"), 4),
        (lambda: machine.fill([(dice.randint(0, 99), dice.choice((1.0, 0.5, 0.1)), dice.random() < 0.8)]), 7),
        (lambda: machine.settle([(dice.randint(0, 99), word) for word in some(*["confirmed"] * 9, "failed")]), 8),
        (lambda: machine.carry_out(some("done", "done", "done", "done", "answer lost", "lost") * 9), 12),
        (machine.resume, 3),
        (lambda: machine.outside(dice.randint(0, 2), dice.randint(40, 52), dice.choice(("move", "pause", "reduce")),
                                 dice.choice(NAMES), "both"), 2),
        (lambda: machine.comes(dice.choice(NAMES), most()), 4),
        (lambda: machine.lists(dice.choice(NAMES), dice.choice(REASONS), dice.random() < 0.8, most()), 6),
        (lambda: machine.changes(dice.choice(NAMES), {
            fact: dice.choice(values) for fact, values in FACTS.items() if dice.random() < 0.3
        }), 4),
        (machine.a_minute_goes_by, 2),
        (work_off, 5),
        (lambda: mad and machine.leaves(dice.choice(NAMES)), 2),
    )  # fmt: skip
    for _ in range(steps):
        [step] = dice.choices([step for step, _ in moves], [weight for _, weight in moves])
        step()
        machine.the_worst_case_is_within_every_cap()
        machine.the_engine_counts_at_least_what_is_true()
        machine.what_only_reduces_passes_every_cap()
        machine.no_market_may_lose_more_than_the_list_lets_it()
        machine.whoever_left_has_nothing_of_ours()
        machine.books_add_up_and_drained_markets_say_what_remains()
    return machine


@pytest.mark.parametrize("seed", range(10))
def test_long_histories_of_a_list_that_changes_its_mind_keep_every_cap(seed: int) -> None:
    machine = history(seed, mad=True)
    assert machine.world.trades > 2


def test_such_histories_let_go_of_markets_that_were_traded_and_bring_them_back() -> None:
    """The property is no empty one."""
    worlds = [history(seed, mad=True).world for seed in range(14, 18)]
    left = [name for world in worlds for name in world.left]
    traded = {truth.market for world in worlds for truth in world.venue.values() if truth.matched}
    assert len(left) > 5 and traded & set(left)
    assert any(len(world.left) > len(set(world.left)) for world in worlds), "one came back and left again"


@pytest.mark.parametrize("seed", range(6))
def test_the_same_events_give_the_same_actions(seed: int) -> None:
    """Also when markets come and go meanwhile: nothing depends on the run, on time or on the order of a set."""
    world = history(seed, mad=False).world
    assert any(isinstance(event, MarketListed) for _, event, _ in world.log)
    again = Engine(world.engine.settings, own_in_book=False)
    for now, event, actions in world.log:
        assert again.handle(event, now) == actions, event


def test_what_is_kept_are_all_kinds_of_events() -> None:
    kinds = {type(event) for _, event, _ in history(3, mad=False).world.log}
    assert kinds >= {InstrumentAdded, InstrumentChanged, MarketListed, Woken, BooksRead, BalancesRead, TradesRead,
                     OperatorCommand}  # fmt: skip
