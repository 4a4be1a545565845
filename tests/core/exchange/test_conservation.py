"""Whatever happens at the exchange, in whatever order: nothing is created or lost, no book crosses, history repeats."""

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from core.exchange.exchange import Exchange
from core.exchange.ledger import BURNED
from core.exchange.lifecycle import Result
from core.exchange.listing import listings
from core.exchange.orders import OrderType
from core.exchange.plots import PLOTS
from core.exchange.settlement import Spoiling
from core.units import MICRO, OUTCOMES, OrderSide, Outcome, Shares, Usd
from tests.core.exchange.arrange import new_order

START = 1_789_948_800_000
ACCOUNTS = tuple("0x" + digit * 40 for digit in "abc")

Wish = tuple[str, int, int, int]
"""What is done, by which account, and two numbers that choose how."""

ORDERS = ("buy yes", "buy no", "sell yes", "sell no", "take", "take", "spend")
OTHERS = (
    "cancel", "split", "merge", "redeem", "wait", "wait", "spoil", "tick", "pause", "restart", "mode", "day",
    "close", "resolve",
)  # fmt: skip
WHO = st.integers(0, 2)
WISHES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(ORDERS), WHO, st.integers(46, 54), st.integers(500, 4_000)),
        st.tuples(st.sampled_from(ORDERS), WHO, st.integers(1, 99), st.integers(1, 4_000)),
        st.tuples(st.sampled_from(OTHERS), WHO, st.integers(1, 99), st.integers(1, 4_000)),
    ),
    min_size=20,
    max_size=60,
)


class World:
    """One market with a taker delay half of the time, fees, rewards, and three accounts that can run out of money."""

    def __init__(self, delay_ms: int) -> None:
        self.exchange = Exchange(seed=3, markets=1, now_ms=START)
        base = listings(6, 1, START // 1000)[0]
        plot = structs.replace(base.plot, delay_ms=delay_ms, reward_size=5, daily_reward=500)
        self.exchange.open_market(structs.replace(base, plot=plot))
        self.market = base.instrument.market
        self.told = hashlib.sha256()
        self.sent = 0
        self.hangs = False
        for account in ACCOUNTS:
            self.exchange.ledger.deposit(account, Usd(900 * MICRO))
            self.exchange.split(account, self.market, Shares(300 * MICRO))

    def do(self, wish: Wish) -> None:
        kind, who, price, size = wish
        account, exchange = ACCOUNTS[who], self.exchange
        if kind in ("buy yes", "buy no", "sell yes", "sell no"):
            side, outcome = kind.upper().split()
            self.send(account, "BUY" if side == "BUY" else "SELL", "YES" if outcome == "YES" else "NO", price, size)
        elif kind == "take":
            self.send(account, "BUY" if size % 2 else "SELL", OUTCOMES[price % 2], price, size, "FAK")
        elif kind == "spend":
            self.send(account, "BUY", OUTCOMES[price % 2], price, size, "FOK", Usd(size * 10_000))
        elif kind == "cancel":
            exchange.cancel("key of " + account, [f"0x{size % (self.sent + 1):064x}"], exchange.now_ms)
        elif kind in ("split", "merge"):
            try:
                (exchange.split if kind == "split" else exchange.merge)(account, self.market, Shares(size * 40_001))
            except ValueError:
                return
        elif kind == "redeem":
            try:
                exchange.redeem(account, self.market)
            except ValueError:
                return
        elif kind == "wait":
            exchange.step(exchange.now_ms + size * 2)
        elif kind == "day":
            exchange.step(exchange.now_ms + 90_000_000)
        elif kind == "spoil":
            hows: tuple[Spoiling, ...] = ("fail", "retry", "hang")
            exchange.settlement.spoil(hows[price % 3], count=1 + size % 3)
            self.hangs |= price % 3 == 2
        else:
            self.disturb(kind, price, size)

    def disturb(self, kind: str, price: int, size: int) -> None:
        exchange = self.exchange
        results: tuple[Result, ...] = ("YES", "NO", "HALF")
        if kind == "tick":
            exchange.change_tick(self.market, ("0.01", "0.001", "0.005", "0.1")[price % 4])
        elif kind == "pause":
            exchange.pause_market(self.market, bool(price % 2))
        elif kind == "restart":
            exchange.restart(size // 4, keep_orders=bool(price % 2))
        elif kind == "mode":
            exchange.set_mode("cancel_only" if price % 2 else "post_only", size // 4)
        elif kind == "close" and price > 95:
            exchange.close_market(self.market)
        elif kind == "resolve" and price > 90:
            exchange.resolve(self.market, results[size % 3])

    def send(
        self,
        account: str,
        side: OrderSide,
        outcome: Outcome,
        price: int,
        size: int,
        order_type: OrderType = "GTC",
        budget: Usd | None = None,
    ) -> None:
        self.sent += 1
        grid = self.exchange.engine.instrument(self.market).grid
        new = new_order(
            self.sent, account, self.market, side, max(1, min(grid.k - 1, price * grid.k // 100)), size / 100,
            outcome=outcome, order_type=order_type, post_only=order_type == "GTC" and size % 3 == 0, budget=budget,
        )  # fmt: skip
        self.exchange.submit(new, self.exchange.now_ms)

    def prove(self) -> None:
        self.exchange.ledger.check()
        book = self.exchange.engine.books[self.market]
        bid, ask = book.touch("bid"), book.touch("ask")
        assert bid is None or ask is None or bid < ask
        shown = self.exchange.faces[self.market].top("YES")
        assert shown == (bid, ask), "what is shown is what rests"
        for frame in self.exchange.drain():
            self.told.update(frame.text.encode())

    def wind_up(self) -> None:
        """Let everything settle, resolve, redeem: what is left is cash, fees, dust and trades that hang."""
        self.exchange.resolve(self.market, "HALF")
        self.exchange.step(self.exchange.now_ms + 600_000)
        self.prove()
        for account in ACCOUNTS:
            held = self.exchange.ledger.accounts[account]
            assert held.active_cash == 0 and not any(held.active_tokens.values())
            assert self.hangs or (held.matched_cash == 0 and not any(held.matched_tokens.values()))
            self.exchange.redeem(account, self.market)
        self.prove()
        assert not list(self.exchange.engine.books[self.market].orders())


@settings(max_examples=150, deadline=None)
@given(WISHES, st.sampled_from((0, 250)))
def test_shares_collateral_fees_and_rewards_balance_after_any_sequence(wishes: list[Wish], delay_ms: int) -> None:
    world = World(delay_ms)
    for wish in wishes:
        world.do(wish)
        world.prove()
    world.wind_up()


CHAIR = tuple(number for number, plot in enumerate(PLOTS) if plot.event == PLOTS[-1].event)
ACTS = st.lists(
    st.tuples(
        st.sampled_from(("split", "merge", "convert")), WHO, st.integers(0, 2), st.integers(1, 7),
        st.integers(1, 200 * MICRO),
    ),
    min_size=5,
    max_size=40,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(ACTS, st.integers(0, 2))
def test_conversions_create_and_lose_nothing(acts: list[tuple[str, int, int, int, int]], winner: int) -> None:
    """Whatever is split, converted and merged: once one outcome has come true everybody is paid to the last
    micro-dollar, and what the NO tokens given up are worth is what was advanced for them."""
    exchange = Exchange(seed=3, markets=CHAIR, now_ms=START)
    markets = list(exchange.listings)
    group = exchange.listings[markets[0]].neg_risk_market_id
    for account in ACCOUNTS:
        exchange.ledger.deposit(account, Usd(900 * MICRO))
    for kind, who, place, index_set, size in acts:
        account, market, sets = ACCOUNTS[who], markets[place], Shares(size)
        worth = worst_case(exchange, account, markets)
        try:
            if kind == "convert":
                exchange.convert(account, *exchange.sides(group, index_set), sets)
            else:
                (exchange.split if kind == "split" else exchange.merge)(account, market, sets)
        except ValueError:
            continue
        finally:
            exchange.ledger.check()
        assert worst_case(exchange, account, markets) == worth, "nothing here changes what an account is worth"
    for place, market in enumerate(markets):
        exchange.resolve(market, "YES" if place == winner else "NO")
    for account in ACCOUNTS:
        for market in markets:
            exchange.redeem(account, market)
    exchange.ledger.check()
    burned = exchange.ledger.account(BURNED)
    assert sum(exchange.redeem(BURNED, market) for market in markets) == exchange.ledger.advanced == burned.cash
    assert not any(exchange.ledger.collateral.values())
    assert sum(exchange.ledger.account(account).cash for account in ACCOUNTS) == 2_700 * MICRO


def worst_case(exchange: Exchange, account: str, markets: list[str]) -> list[int]:
    """Micro-dollars an account ends with, for each outcome that may come true."""
    held = exchange.ledger.account(account)
    return [
        held.cash + sum(held.tokens.get((market, "YES" if market == true else "NO"), 0) for market in markets)
        for true in markets
    ]


@settings(max_examples=40, deadline=None)
@given(WISHES, st.sampled_from((0, 250)))
def test_the_same_acts_tell_the_same_story_byte_for_byte(wishes: list[Wish], delay_ms: int) -> None:
    stories = []
    for _ in range(2):
        world = World(delay_ms)
        for wish in wishes:
            world.do(wish)
            world.prove()
        stories.append(world.told.hexdigest())
    assert stories[0] == stories[1]
