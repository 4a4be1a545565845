"""What the participants do to a market maker: pay it for patience, punish it for being late or credulous."""

import statistics
from functools import cache

from msgspec import structs

from core.exchange.crowd.participants import Population
from core.exchange.crowd.profiles import PROFILES
from core.exchange.exchange import Exchange
from core.exchange.orders import NewOrder
from core.units import MICRO, Outcome, Shares, Ticks, Usd

START = 1_790_000_000_000
FUNDS = Usd(1_000_000 * MICRO)
DEMO_SPEED = 6.0
NEWSY = structs.replace(PROFILES["normal"], jump_rate=1 / 60, noise_rate=0.1, patience_s=10.0, lag_s=10.0)
"""Much news and much trade, so that a few minutes say as much as hours."""


class Quoter:
    """What the makers of these tests share: one account that cancels and quotes every two seconds."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.sent = 0
        exchange.ledger.deposit("0xmaker", FUNDS)

    def live(self, seconds: int) -> None:
        start = self.exchange.now_ms
        for now in range(start, start + seconds * 1_000, 2_000):
            self.exchange.step(now)
            self.exchange.drain()
            for market in self.exchange.listings:
                resting = [o.new.order_id for o in self.exchange.open_orders("maker") if o.new.market == market]
                self.exchange.cancel("maker", resting, now)
                book = self.exchange.engine.books[market]
                bid, ask = book.touch("bid"), book.touch("ask")
                if bid is not None and ask is not None:
                    self.quote(market, bid, ask)
        self.exchange.step(self.exchange.now_ms + 20_000)

    def quote(self, market: str, bid: int, ask: int) -> None:
        raise NotImplementedError

    def offer(self, market: str, bid: int, ask: int, shares: int) -> None:
        k = self.exchange.engine.instrument(market).grid.k
        self.send(market, "YES", bid, shares)
        self.send(market, "NO", k - ask, shares)

    def send(self, market: str, outcome: Outcome, price: int, shares: int) -> None:
        self.sent += 1
        new = NewOrder(
            order_id=f"0x{self.sent:064x}",
            account="0xmaker",
            owner="maker",
            market=market,
            outcome=outcome,
            side="BUY",
            price=Ticks(price),
            size=Shares(shares * MICRO),
            post_only=True,
        )
        self.exchange.submit(new, self.exchange.now_ms)


class Maker(Quoter):
    """Three layers of 600 shares, the nearest ``half`` ticks off the middle of the book."""

    def __init__(self, exchange: Exchange, half: int) -> None:
        super().__init__(exchange)
        self.half = half

    def quote(self, market: str, bid: int, ask: int) -> None:
        for layer in range(self.half, self.half + 3):
            self.offer(market, (bid + ask) // 2 - layer, -(-(bid + ask) // 2) + layer, 600)


class Follower(Quoter):
    """Improves whatever touch it sees by a tick, or joins it, and never looks how much stands there."""

    def quote(self, market: str, bid: int, ask: int) -> None:
        if self.exchange.engine.instrument(market).grid.k == 100:
            inside = 1 if ask - bid >= 3 else 0
            self.offer(market, bid + inside, ask - inside, 100)


def worth(exchange: Exchange, population: Population, account: str) -> float:
    """Dollars of an account, tokens counted at the true probability."""
    found = exchange.ledger.accounts[account]
    total: float = found.cash
    for (market, outcome), tokens in found.tokens.items():
        truth = population.beliefs[market].truth
        total += tokens * (truth if outcome == "YES" else 1 - truth)
    return total / MICRO


@cache
def profit(seed: int, half: int, lag_s: float) -> tuple[float, float]:
    """What a maker made in four minutes, and how many shares it was filled."""
    exchange = Exchange(seed=seed, markets=3, now_ms=START)
    population = Population(exchange, profile=structs.replace(NEWSY, lag_s=lag_s))
    Maker(exchange, half).live(240)
    fills = [fill for trade in exchange.trades.values() for fill in trade.fills if fill.order.new.owner == "maker"]
    exchange.ledger.check()
    return worth(exchange, population, "0xmaker") - FUNDS / MICRO, sum(fill.size for fill in fills) / MICRO


SEEDS = range(1, 6)


def test_a_maker_two_ticks_off_is_filled_several_times_in_half_a_minute() -> None:
    for seed in range(1, 6):
        exchange = Exchange(seed=seed, markets=4, now_ms=START)
        Population(exchange, speed=DEMO_SPEED)
        Maker(exchange, 2).live(30)
        assert len(exchange.trades) >= 5, f"seed {seed}"
        exchange.ledger.check()


def test_a_wider_maker_earns_more_a_share_because_some_takers_know_better() -> None:
    """Informed flow costs the maker that quotes nearest the mid most (market-making.md 4.7, test 4)."""
    near, wide = ([profit(seed, half, NEWSY.lag_s) for seed in SEEDS] for half in (0, 2))
    assert sum(money for money, _ in near) < 0 < sum(money for money, _ in wide)
    assert statistics.mean(m / n for m, n in near) < statistics.mean(m / n for m, n in wide) - 0.002


def test_removing_the_lag_raises_a_naive_makers_profit() -> None:
    """Test 6 of market-making.md 4.7: who quotes what the public thinks is paid off by those who know the truth."""
    gains = [profit(seed, 0, 0.01)[0] - profit(seed, 0, NEWSY.lag_s)[0] for seed in SEEDS]
    assert sum(gains) > 100
    assert sum(gain > 0 for gain in gains) >= 4


def baited(seed: int, *, baiter: bool) -> tuple[float, float]:
    """What the follower and the baiters made in four minutes."""
    exchange = Exchange(seed=seed, markets=7, now_ms=START)
    population = Population(exchange, speed=3.0, baiter=baiter)
    usual = Exchange(seed=seed, markets=7, now_ms=START)
    baiters = population.accounts.keys() - Population(usual).accounts.keys()
    before = {account: worth(exchange, population, account) for account in baiters}
    Follower(exchange).live(240)
    gained = sum(worth(exchange, population, account) - before[account] for account in baiters)
    return worth(exchange, population, "0xmaker") - FUNDS / MICRO, gained


def test_a_blind_follower_loses_to_the_baiter() -> None:
    """Who joins a touch of five shares pays for it (market-making.md 1.1); without the baiter it would have earned."""
    without = [baited(seed, baiter=False) for seed in range(1, 5)]
    lured = [baited(seed, baiter=True) for seed in range(1, 5)]
    assert sum(follower for follower, _ in lured) < 0
    assert sum(gained for _, gained in lured) > 0
    for (follower, gained), (unharmed, nobody) in zip(lured, without, strict=True):
        assert follower < unharmed
        assert gained > 0 == nobody
