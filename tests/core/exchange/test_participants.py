"""The synthetic participants: lively, natural, fair to a market maker, and honest about what they know."""

import statistics

from core.exchange.crowd.belief import Belief, Hawkes, stream
from core.exchange.crowd.participants import Population
from core.exchange.exchange import Exchange
from core.exchange.frames import MarketFrame
from core.exchange.orders import NewOrder
from core.units import MICRO, OrderSide, Outcome, Shares, Ticks, Usd

START = 1_790_000_000_000
FUNDS = Usd(1_000_000 * MICRO)


class Maker:
    """A plain market maker: three layers of 600 shares, the nearest ``half`` ticks off a centre, renewed in turns."""

    def __init__(self, exchange: Exchange, half: int = 2) -> None:
        self.exchange = exchange
        self.half = half
        self.sent = 0
        exchange.ledger.deposit("0xmaker", FUNDS)

    def quote(self, now: int) -> None:
        for market in self.exchange.listings:
            resting = [o.new.order_id for o in self.exchange.open_orders("maker") if o.new.market == market]
            self.exchange.cancel("maker", resting, now)
            book = self.exchange.engine.books[market]
            bid, ask = book.touch("bid"), book.touch("ask")
            if bid is None or ask is None:
                continue
            k = self.exchange.engine.instrument(market).grid.k
            for layer in range(3):
                self.send(market, "YES", (bid + ask) // 2 - self.half - layer, now)
                self.send(market, "NO", k - (-(-(bid + ask) // 2) + self.half + layer), now)

    def send(self, market: str, outcome: Outcome, price: int, now: int) -> None:
        self.sent += 1
        side: OrderSide = "BUY"
        new = NewOrder(
            order_id=f"0x{self.sent:064x}",
            account="0xmaker",
            owner="maker",
            market=market,
            outcome=outcome,
            side=side,
            price=Ticks(price),
            size=Shares(600 * MICRO),
            post_only=True,
        )
        self.exchange.submit(new, now)


def test_a_maker_two_ticks_off_is_filled_several_times_in_half_a_minute() -> None:
    for seed in range(1, 6):
        exchange = Exchange(seed=seed, markets=4, now_ms=START)
        Population(exchange)
        maker = Maker(exchange)
        for now in range(START, START + 30_000, 2_000):
            maker.quote(now)
        exchange.step(START + 30_000)
        assert len(exchange.trades) >= 5, f"seed {seed}"
        exchange.ledger.check()


def test_books_look_natural_and_stay_so() -> None:
    """15 to 40 levels a side, a spread of a few ticks, gaps, several changes a second, a trade every few seconds."""
    exchange = Exchange(seed=2, markets=4, now_ms=START)
    Population(exchange)
    changes = dict.fromkeys(exchange.listings, 0)
    trades = 0
    spreads = []
    for second in range(1, 301):
        exchange.step(START + second * 1000)
        for frame in exchange.drain():
            if isinstance(frame, MarketFrame) and frame.kind == "price_change":
                changes[exchange.by_token[frame.tokens[0]][0]] += 1
            trades += isinstance(frame, MarketFrame) and frame.kind == "last_trade_price"
        for book in exchange.engine.books.values():
            bid, ask = book.touch("bid"), book.touch("ask")
            assert bid is not None and ask is not None
            spreads.append(ask - bid)
            assert 10 <= len(book.levels("bid")) <= 45 and 10 <= len(book.levels("ask")) <= 45
    assert all(count > 2 * 300 for count in changes.values())
    assert 150 <= trades <= 800
    assert 4 <= statistics.median(spreads) <= 9


def test_a_pause_freezes_everything_but_the_books() -> None:
    exchange = Exchange(seed=1, markets=1, now_ms=START)
    population = Population(exchange, paused=True)
    exchange.step(START + 20_000)
    assert exchange.drain() == []
    assert next(iter(exchange.engine.books.values())).levels("bid")
    population.pause(False)
    exchange.step(START + 40_000)
    assert exchange.drain()


def test_speed_makes_more_happen_in_the_same_time() -> None:
    counts = []
    for speed in (1.0, 5.0):
        exchange = Exchange(seed=1, markets=1, now_ms=START)
        Population(exchange, speed=speed)
        exchange.step(START + 30_000)
        counts.append(len(exchange.drain()))
    assert counts[1] > 3 * counts[0]


def profit_per_share(seed: int, half: int) -> float:
    """What a maker made per share in four minutes, tokens counted at the true probability."""
    exchange = Exchange(seed=seed, markets=4, now_ms=START)
    beliefs = Population(exchange).beliefs
    maker = Maker(exchange, half)
    for now in range(START, START + 240_000, 2_000):
        maker.quote(now)
        exchange.drain()
    exchange.step(exchange.now_ms + 20_000)
    account = exchange.ledger.accounts["0xmaker"]
    worth: float = account.cash - FUNDS
    for (market, outcome), tokens in account.tokens.items():
        worth += tokens * (beliefs[market].truth if outcome == "YES" else 1 - beliefs[market].truth)
    fills = [fill for trade in exchange.trades.values() for fill in trade.fills if fill.order.new.owner == "maker"]
    return worth / sum(fill.size for fill in fills)


def test_a_wider_maker_earns_more_a_share_because_some_takers_know_better() -> None:
    """Informed flow costs the maker that quotes nearest the mid most (market-making.md 4.7, test 4)."""
    near = statistics.mean(profit_per_share(seed, 0) for seed in range(1, 5))
    wide = statistics.mean(profit_per_share(seed, 2) for seed in range(1, 5))
    assert near < wide - 0.002


def test_belief_is_a_martingale() -> None:
    """The mean move over 400 seeds lies within three standard errors of zero (market-making.md 4.7, test 1)."""
    moves = []
    for seed in range(400):
        belief = Belief(seed, "m", 0.3, 0.01, 0.3)
        for _ in range(300):
            belief.step()
        moves.append(belief.truth - 0.3)
    assert abs(statistics.mean(moves)) < 3 * statistics.stdev(moves) / 20


def test_public_opinion_lags_the_truth() -> None:
    """Past public opinion is closer to the past truth than to the present one."""
    belief = Belief(1, "m", 0.5, 0.01, 0.5)
    gaps_now, gaps_lagged, truths = [], [], []
    for _ in range(3_000):
        belief.step()
        truths.append(belief.truth)
        if len(truths) > 20:
            gaps_now.append(abs(belief.public() - truths[-1]))
            gaps_lagged.append(abs(belief.public() - truths[-20]))
    assert statistics.mean(gaps_now) > 0.005
    assert statistics.mean(gaps_lagged) < statistics.mean(gaps_now)


def test_hawkes_has_its_stationary_rate_and_clusters() -> None:
    """Rate mu / (1 - alpha / beta); gaps vary more than in a Poisson process (market-making.md 4.8)."""
    arrivals = Hawkes(mu=0.1, alpha=0.3, beta=0.6)
    waits = [arrivals.next_wait(stream(1, "h", n)) for n in range(20_000)]
    assert abs(1 / statistics.mean(waits) - 0.2) < 0.02
    assert statistics.stdev(waits) > 1.1 * statistics.mean(waits)


def test_streams_are_independent_of_each_other() -> None:
    assert stream(1, "a", 0).random() == stream(1, "a", 0).random()
    draws = {stream(seed, agent, n).random() for seed in (1, 2) for agent in ("a", "b") for n in (0, 1)}
    assert len(draws) == 8
