"""What the book says of an account is what the exchange's wallet holds, whatever was traded, failed or redeemed."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.exchange.exchange import Exchange
from core.exchange.lifecycle import price_of
from core.exchange.orders import Order, Trade
from core.orders.fills import Fill
from core.portfolio.entries import Booking, Convert, Entry, Fee, Flow, Income, Merge, Redeem, Settle, Split
from core.portfolio.ledger import Pico
from core.portfolio.portfolio import Portfolio
from core.units import MICRO, OUTCOMES, OrderSide, Outcome, Shares, Ticks, Usd
from tests.builders import laws
from tests.core.exchange.arrange import new_order

START_MS = 1_790_000_000_000
PLAIN, *EVENT = 0, 60, 61, 62
"""Numbers of a market on its own and of a complete neg-risk event."""
ACCOUNTS = ("0xaa", "0xbb", "0xcc")
LAST_MS = 60_000
"""By then every trade has settled or failed."""


class Bookkeeper:
    """One account's book, kept from what the exchange tells of it; told twice, and begun anew now and then."""

    def __init__(self) -> None:
        self.portfolio = Portfolio()
        self._journal: dict[str, Booking] = {}

    def enter(self, market: str, entry: Entry) -> None:
        key = f"line {self.portfolio.next_seq}"
        booked = self.portfolio.book(market, key, 0.0, entry, "job")
        assert booked is not None
        self._journal[key] = booked[0]
        assert self.portfolio.book(market, key, 0.0, entry, "index") is None

    def trade(self, fill: Fill) -> None:
        seq, _ = self.portfolio.fill(fill, True, 0.0)
        key = f"{fill.trade_id} {fill.order_id}"
        self._journal[key] = self.portfolio.position(fill.market)._tail[key]
        assert self._journal[key].seq == seq
        assert self.portfolio.fill(fill, True, 0.0) == (0, None)

    def end(self, fill: Fill, failed: bool) -> None:
        key = f"{fill.trade_id} {fill.order_id}"
        line = self._journal.pop(key)
        if failed:
            assert self.portfolio.fill(fill, False, 0.0)[1] is None
        else:
            assert self.portfolio.confirm(fill) is None
            self._journal[key] = Booking(line.seq, line.market, key, 0.0, line.entry, "fill")

    def begin_anew(self) -> None:
        following = self.portfolio.next_seq
        self.portfolio = Portfolio()
        assert self.portfolio.restore(self._journal.values()) == []
        self.portfolio.next_seq = following


class World:
    """An exchange of four markets, three accounts, and a book for each."""

    def __init__(self) -> None:
        self.exchange = Exchange(seed=1, markets=(PLAIN, *EVENT), now_ms=START_MS)
        self.markets = list(self.exchange.listings)
        self.group = self.exchange.listings[self.markets[1]].neg_risk_market_id
        self.books = {account: Bookkeeper() for account in ACCOUNTS}
        self._open: list[tuple[Trade, list[tuple[str, Fill]]]] = []
        self._orders = 0
        for account in ACCOUNTS:
            self.deposit(account, Usd(1_000 * MICRO))

    def deposit(self, account: str, amount: Usd) -> None:
        self.exchange.deposit(account, amount)
        self.books[account].enter("", Flow(amount))

    def reward(self, account: str, amount: Usd) -> None:
        self.exchange.ledger.reward(account, amount)
        self.books[account].enter("", Income(amount))

    def order(self, account: str, number: int, outcome: Outcome, is_bid: bool, yes_cents: int, size: int) -> None:
        """On a side of the YES book, at a price there, in hundredths of a share; in either token."""
        market = self.markets[number % len(self.markets)]
        if self.exchange.is_over(market):
            return
        self._orders += 1
        cents = yes_cents if outcome == "YES" else 100 - yes_cents
        ticks = cents * self.exchange.listings[market].instrument.grid.k // 100
        side: OrderSide = "BUY" if is_bid == (outcome == "YES") else "SELL"
        new = new_order(self._orders, account, market, side, ticks, size / 100, outcome=outcome)
        report = self.exchange.submit(new, self.exchange.now_ms)
        if report.trade is not None:
            self._traded(report.trade)

    def deal(self, maker: Any, taker: Any, number: int, is_bid: bool, yes_cents: int) -> None:
        """Two orders that meet: account, token and size of each."""
        self.order(maker[0], number, maker[1], is_bid, yes_cents, maker[2])
        self.order(taker[0], number, taker[1], not is_bid, yes_cents + (-10 if is_bid else 10), taker[2])

    def step(self, seconds: int) -> None:
        self.exchange.step(self.exchange.now_ms + seconds * 1000)
        for trade, fills in tuple(self._open):
            if trade.status in ("MINED", "CONFIRMED", "FAILED"):
                self._open.remove((trade, fills))
                for account, fill in fills:
                    self.books[account].end(fill, trade.status == "FAILED")
                if trade.fee and trade.status != "FAILED":
                    self.books[trade.taker.new.account].enter(trade.market, Fee(trade.fee))

    def pairs(self, account: str, number: int, is_split: bool, size: Shares) -> None:
        market = self.markets[number % len(self.markets)]
        try:
            (self.exchange.split if is_split else self.exchange.merge)(account, market, size)
        except ValueError:
            return
        self.books[account].enter(market, Split(size, Usd(370_000)) if is_split else Merge(size))

    def convert(self, account: str, index_set: int, size: Shares) -> None:
        """At fair values of 0.5, 0.3 and 0.2 dollars, which sum to a dollar."""
        given, others = self.exchange.sides(self.group, index_set)
        try:
            self.exchange.convert(account, given, others, size)
        except ValueError:
            return
        for market, fair in zip(self.markets[1:], (500_000, 300_000, 200_000), strict=True):
            if market in given:
                self.books[account].enter(market, Convert("NO", Shares(-size), Usd(MICRO - fair)))
            else:
                self.books[account].enter(market, Convert("YES", size, Usd(fair)))

    def resolve(self, number: int, result: Any) -> None:
        market = self.markets[number % len(self.markets)]
        if market in self.exchange.results:
            return
        self.exchange.resolve(market, result)
        for book in self.books.values():
            book.enter(market, Settle(price_of(result, "YES")))

    def redeem(self, account: str, number: int, outcome: Outcome, size: int) -> None:
        """A part, if there is as much, else all."""
        market = self.markets[number % len(self.markets)]
        if market not in self.exchange.results:
            return
        free = self.exchange.ledger.account(account).free_tokens((market, outcome))
        part = Shares(min(size, max(0, free)))
        paid = self.exchange.redeem(account, market, outcome, part)
        self.books[account].enter(market, Redeem(outcome, part, paid))

    def restart(self, account: str) -> None:
        self.books[account].begin_anew()

    def spoil(self, how: Any) -> None:
        self.exchange.settlement.spoil(how)

    def compare(self) -> None:
        """Cash and tokens to the micro-share, and the profit of all time."""
        for address, book in self.books.items():
            portfolio, wallet = book.portfolio, self.exchange.ledger.account(address)
            assert portfolio.check() == ""
            assert portfolio.cash == wallet.cash * MICRO
            worth = wallet.cash * MICRO
            for market in self.markets:
                held, result = portfolio.position(market).inventory, self.exchange.results.get(market)
                tokens = [wallet.tokens.get((market, outcome), 0) for outcome in OUTCOMES]
                assert [held.yes, held.no] == tokens
                yes = MICRO // 2 if result is None else price_of(result, "YES")
                worth += tokens[0] * yes + tokens[1] * (MICRO - yes)
            marks = dict.fromkeys(self.markets, Usd(MICRO // 2))
            profit = portfolio.realised + portfolio.unrealised(marks) - portfolio.fees + portfolio.income
            assert profit == Pico(worth - portfolio.flows)

    def _traded(self, trade: Trade) -> None:
        grid, new = trade.instrument.grid, trade.taker.new
        fills: list[tuple[str, Fill]] = []
        for number, fill in enumerate(trade.fills):
            fills.append((fill.order.new.account, self._fill(trade, fill.order, "", fill.price, fill.size)))
            same = fill.order.new.outcome == new.outcome
            price = fill.price if same else grid.complement(fill.price)
            fills.append((new.account, self._fill(trade, trade.taker, f" part {number}", price, fill.size)))
        for account, mine in fills:
            self.books[account].trade(mine)
        self._open.append((trade, fills))

    def _fill(self, trade: Trade, order: Order, part: str, price: Ticks, size: Shares) -> Fill:
        new, grid = order.new, trade.instrument.grid
        return Fill(
            trade_id=trade.trade_id, order_id=new.order_id + part, intent=0, market=trade.market, outcome=new.outcome,
            order_side=new.side, price=price, yes_price=order.yes_price, usd=grid.dollars_of(price), side=new.yes_side,
            size=size, layer=0, unix=trade.matched_ms / 1000,
        )  # fmt: skip


accounts, numbers = st.sampled_from(ACCOUNTS), st.integers(0, 3)
odd = st.integers(1, 60 * MICRO).map(Shares)
lots = st.integers(500, 3_000)
parties = st.tuples(accounts, st.sampled_from(OUTCOMES), lots)
deals = st.tuples(st.just("deal"), parties, parties, numbers, st.booleans(), st.integers(30, 70))
ACTS = st.lists(
    st.one_of(
        deals, deals, deals, deals,
        st.tuples(
            st.just("order"), accounts, numbers, st.sampled_from(OUTCOMES), st.booleans(), st.integers(30, 70), lots
        ),
        st.tuples(st.just("step"), st.integers(1, 9)),
        st.tuples(st.just("spoil"), st.sampled_from(["fail", "retry"])),
        st.tuples(st.just("pairs"), accounts, numbers, st.booleans(), odd),
        st.tuples(st.just("convert"), accounts, st.integers(1, 7), odd),
        st.tuples(st.just("redeem"), accounts, numbers, st.sampled_from(OUTCOMES), odd),
        st.tuples(st.just("resolve"), numbers, st.sampled_from(["YES", "NO", "HALF"])),
        st.tuples(st.just("reward"), accounts, st.integers(1, MICRO).map(Usd)),
        st.tuples(st.just("restart"), accounts),
    ),
    min_size=10, max_size=50,
)  # fmt: skip


def played(acts: list[tuple[Any, ...]]) -> World:
    """The world after these acts, with nothing left open."""
    world = World()
    for account in ACCOUNTS:
        for number in range(len(world.markets)):
            world.pairs(account, number, True, Shares(40 * MICRO + 1))
    for name, *arguments in acts:
        getattr(world, name)(*arguments)
    world.step(LAST_MS // 1000)
    return world


@laws(150)
@given(ACTS)
def test_book_is_the_exchanges_wallet_for_every_account(acts: list[tuple[Any, ...]]) -> None:
    """Trades of both tokens as maker and taker that fail or are tried again, pairs, conversions, resolutions, parts."""
    played(acts).compare()


def test_the_worlds_acts_do_what_they_are_named_for() -> None:
    """Else the law above would be one of doing nothing."""
    world = played(
        [
            ("order", "0xaa", 1, "YES", True, 50, 1_000),
            ("order", "0xbb", 1, "YES", False, 45, 1_000),
            ("spoil", "fail"),
            ("order", "0xaa", 2, "NO", True, 50, 1_000),
            ("order", "0xbb", 2, "YES", False, 40, 1_000),
            ("step", 30),
            ("convert", "0xcc", 3, Shares(20 * MICRO)),
            ("resolve", 1, "HALF"),
            ("redeem", "0xaa", 1, "YES", 10_001),
            ("restart", "0xaa"),
        ]
    )
    world.compare()
    aa, bb, cc = (world.books[account].portfolio for account in ACCOUNTS)
    market = world.markets[1]
    assert aa.position(market).inventory.yes == 50 * MICRO + 1 - 10_001, "bought, and redeemed in part"
    assert bb.fees > 0 and aa.fees == 0, "takers pay"
    assert len(world.exchange.trades) == 2
    assert aa.position(world.markets[2]).fills == bb.position(world.markets[2]).fills == 0, "failed"
    assert cc.position(market).inventory.no == 20 * MICRO + 1, "converted"
    assert aa.position(market).payout == MICRO // 2
