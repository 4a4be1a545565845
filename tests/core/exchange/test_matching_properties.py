"""Whatever is sent to the engine: no crossed book, nothing created or lost, fair queues, tokens that mirror."""

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from core.exchange.ledger import Ledger
from core.exchange.matching import MatchingEngine
from core.exchange.orders import NewOrder, OrderType, Report, Trade
from core.market.instrument import Instrument
from core.units import MICRO, SIZE_QUANTUM, OrderSide, Outcome, Shares, Side, Ticks, Usd

MARKET = "m"
ACCOUNTS = ("a", "b", "c")


class Wish(NamedTuple):
    """One thing somebody does; ``act`` 0 cancels an earlier order, 1 settles the oldest trade, else an order."""

    act: int
    account: str
    outcome: Outcome
    side: OrderSide
    price: int
    size: int
    order_type: OrderType
    post_only: bool
    dollars: bool


WISHES = st.lists(
    st.builds(
        Wish,
        act=st.integers(0, 9),
        account=st.sampled_from(ACCOUNTS),
        outcome=st.sampled_from(("YES", "NO")),
        side=st.sampled_from(("BUY", "SELL")),
        price=st.integers(1, 19),
        size=st.integers(1, 60_000),
        order_type=st.sampled_from(("GTC", "GTC", "GTC", "FAK", "FOK")),
        post_only=st.booleans(),
        dollars=st.booleans(),
    ),
    max_size=60,
)


class World:
    """An engine on a grid of 0.05 whose three accounts can run out of money."""

    def __init__(self, *, mirrored: bool = False, fee_bps: int = 500) -> None:
        self.ledger = Ledger()
        self.engine = MatchingEngine(self.ledger, seed=1)
        self.engine.add_market(
            Instrument(market=MARKET, yes_token="1", no_token="2", title="?", tick_text="0.05", min_size=Shares(1)),
            fee_bps,
        )
        for name in ACCOUNTS:
            self.ledger.deposit(name, Usd(900 * MICRO))
            self.ledger.split(name, MARKET, Shares(300 * MICRO))
        self.mirrored = mirrored
        self.pending: list[Trade] = []
        self.reports: list[Report] = []

    def do(self, number: int, wish: Wish) -> None:
        if wish.act == 0:
            self.engine.cancel(f"o{wish.size % (number + 1)}")
        elif wish.act == 1 and self.pending:
            self.ledger.settle(MARKET, self.pending.pop(0).movements)
        else:
            self.reports.append(self.engine.submit(self.order(number, wish), 0))
            trade = self.reports[-1].trade
            if trade is not None:
                self.pending.append(trade)

    def order(self, number: int, wish: Wish) -> NewOrder:
        outcome = wish.outcome
        if self.mirrored:
            outcome = "NO" if outcome == "YES" else "YES"
        taking = wish.order_type != "GTC"
        budget = wish.size * 10_000 if wish.dollars and taking and wish.side == "BUY" else None
        return NewOrder(
            order_id=f"o{number}",
            account=wish.account,
            owner="k" + wish.account,
            market=MARKET,
            outcome=outcome,
            side=wish.side,
            price=Ticks(wish.price),
            size=Shares(wish.size * 10_000),
            order_type=wish.order_type,
            post_only=wish.post_only and not taking,
            budget=None if budget is None else Usd(budget),
        )


@settings(max_examples=150, deadline=None)
@given(WISHES)
def test_books_never_cross_and_nothing_is_created_or_lost(wishes: list[Wish]) -> None:
    world = World()
    for number, wish in enumerate(wishes):
        world.do(number, wish)
        book = world.engine.books[MARKET]
        bid, ask = book.touch("bid"), book.touch("ask")
        assert bid is None or ask is None or bid < ask
        world.ledger.check()
    for trade in world.pending:
        world.ledger.settle(MARKET, trade.movements)
    world.ledger.check()
    for name in ACCOUNTS:
        assert world.ledger.accounts[name].matched_cash == 0
        for order in world.engine.open_orders(name):
            world.engine.cancel(order.new.order_id)
        account = world.ledger.accounts[name]
        assert account.active_cash == 0 and not any(account.active_tokens.values())
    assert not world.engine.books[MARKET].levels("bid") + world.engine.books[MARKET].levels("ask")


@settings(max_examples=150, deadline=None)
@given(WISHES)
def test_makers_are_taken_by_price_then_time_and_levels_add_up(wishes: list[Wish]) -> None:
    world = World()
    for number, wish in enumerate(wishes):
        resting = {o.new.order_id: o for name in ACCOUNTS for o in world.engine.open_orders(name)}
        before = len(world.reports)
        world.do(number, wish)
        trade = world.reports[-1].trade if len(world.reports) > before else None
        if trade is not None:
            taken = [fill.order for fill in trade.fills]
            sign = 1 if trade.taker.yes_side == "bid" else -1
            rank = [(sign * o.yes_price, int(o.new.order_id[1:])) for o in taken]
            assert rank == sorted(rank)
            worst = rank[-1]
            side: Side = "ask" if trade.taker.yes_side == "bid" else "bid"
            for order in resting.values():
                if order.yes_side == side and (sign * order.yes_price, int(order.new.order_id[1:])) < worst:
                    assert order.remaining < SIZE_QUANTUM  # dust of a market order that was sized in dollars
        book = world.engine.books[MARKET]
        for side in ("bid", "ask"):
            for price, total in book.levels(side):
                orders = [o for name in ACCOUNTS for o in world.engine.open_orders(name)]
                assert total == sum(o.remaining for o in orders if (o.yes_side, o.yes_price) == (side, price))


@settings(max_examples=100, deadline=None)
@given(WISHES)
def test_swapping_the_tokens_mirrors_everything(wishes: list[Wish]) -> None:
    """The same history on the other token gives the mirrored book, the same refusals, cash and fees."""
    world, mirror = World(), World(mirrored=True)
    for number, wish in enumerate(wishes):
        world.do(number, wish)
        mirror.do(number, wish)
    ours, theirs = world.engine.books[MARKET], mirror.engine.books[MARKET]
    assert ours.levels("bid") == [(20 - price, size) for price, size in theirs.levels("ask")]
    assert ours.levels("ask") == [(20 - price, size) for price, size in theirs.levels("bid")]
    assert [r.error for r in world.reports] == [r.error for r in mirror.reports]
    assert world.ledger.fees == mirror.ledger.fees
    for name in ACCOUNTS:
        one, other = world.ledger.accounts[name], mirror.ledger.accounts[name]
        assert (one.cash, one.active_cash, one.matched_cash) == (other.cash, other.active_cash, other.matched_cash)


@settings(max_examples=100, deadline=None)
@given(WISHES)
def test_nobody_pays_more_than_the_limit(wishes: list[Wish]) -> None:
    """Takers get their limit or better and makers exactly theirs, to a micro-dollar a fill."""
    world = World(fee_bps=0)
    for number, wish in enumerate(wishes):
        world.do(number, wish)
    for report in world.reports:
        if report.trade is None:
            continue
        trade, new = report.trade, report.trade.taker.new
        limit = new.price * 50_000 * trade.size / MICRO
        slack = len(trade.fills)
        assert trade.cash <= limit + slack if new.side == "BUY" else trade.cash >= limit - slack
        if new.budget is not None:
            assert trade.cash <= new.budget
        for fill in trade.fills:
            assert abs(fill.cash - fill.price * 50_000 * fill.size / MICRO) <= 1
