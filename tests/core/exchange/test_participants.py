"""The population: lively at its profile's pace, natural, reproducible, and gone when a market ends."""

import statistics
from collections import Counter
from functools import partial

import pytest
from msgspec import structs

from core.exchange.crowd.belief import Belief, Question
from core.exchange.crowd.desk import Desk
from core.exchange.crowd.participants import Population
from core.exchange.crowd.profiles import PROFILES, Name
from core.exchange.crowd.takers import Sniper
from core.exchange.exchange import Exchange
from core.exchange.frames import Frame, MarketFrame
from core.exchange.listing import extra_listing
from core.exchange.plots import PLOTS

START = 1_790_000_000_000
FAST = 6.0
"""Of the profile ``normal``, for a demo as lively as people like it."""


def run(profile: Name, seed: int, seconds: int, *, markets: int = 3, baiter: bool = False) -> list[Frame]:
    exchange = Exchange(seed=seed, markets=markets, now_ms=START)
    Population(exchange, profile=profile, baiter=baiter)
    exchange.step(START + seconds * 1_000)
    exchange.ledger.check()
    return exchange.drain()


class Pace:
    """What a population does in some seconds: frames of the standard channel per market and second, and their kinds."""

    def __init__(self, profile: Name, seconds: int, *, seed: int = 1, markets: int = 4, speed: float = 1.0) -> None:
        exchange = Exchange(seed=seed, markets=markets, now_ms=START)
        Population(exchange, profile=profile, speed=speed)
        self.kinds: Counter[str] = Counter()
        counts: Counter[tuple[str, int]] = Counter()
        for second in range(seconds):
            exchange.step(START + (second + 1) * 1_000)
            for frame in exchange.drain():
                if isinstance(frame, MarketFrame) and frame.kind != "best_bid_ask":
                    self.kinds[frame.kind] += 1
                    counts[exchange.by_token[frame.tokens[0]][0], second] += 1
        self.seconds = sorted(counts[market, second] for market in exchange.listings for second in range(seconds))
        self.mean = sum(self.seconds) / len(self.seconds)
        self.p99 = self.seconds[int(0.99 * len(self.seconds))]
        self.empty = self.seconds.count(0) / len(self.seconds)
        self.trades_a_minute = 60 * self.kinds["last_trade_price"] / len(self.seconds)
        self.changes = self.kinds["price_change"] / self.kinds.total()


def test_calm_is_the_pace_of_politics() -> None:
    """0.1 frames a second and 0.1 to 1 trades a minute in each market (market-making.md 4.7)."""
    pace = Pace("calm", 7_200)
    assert 0.07 <= pace.mean <= 0.13
    assert 0.1 <= pace.trades_a_minute <= 1
    assert pace.changes >= 0.88


@pytest.mark.parametrize("seed", [1, 2])
def test_normal_is_the_pace_of_the_recorded_sessions(seed: int) -> None:
    """0.5 to 0.9 frames a second in bursts: p99 of 1-s counts 4 to 12, most seconds empty (real-data.md, rates)."""
    pace = Pace("normal", 1_500, seed=seed)
    assert 0.5 <= pace.mean <= 0.9
    assert 4 <= pace.p99 <= 12
    assert pace.empty >= 0.7
    assert 1 <= pace.trades_a_minute <= 3
    assert pace.changes >= 0.9


def test_busy_is_the_pace_of_five_minute_bitcoin_markets() -> None:
    """Four markets together make about 800 frames a second, and each trades several times a second."""
    pace = Pace("busy", 12)
    assert 700 <= 4 * pace.mean <= 1_000
    assert pace.seconds[len(pace.seconds) // 10] > 50, "quiet only at the start and in the moments after news"
    assert 2 * 60 <= pace.trades_a_minute <= 7 * 60
    assert pace.changes >= 0.9


def test_the_demo_is_livelier() -> None:
    """A few frames a second and a trade every few seconds in each market, so that a newcomer sees something."""
    pace = Pace("lively", 300)
    assert 3 <= pace.mean <= 6
    assert 10 <= pace.trades_a_minute <= 20


def test_books_look_natural_and_stay_so() -> None:
    """10 to 45 levels a side, a spread of a few ticks, depth far from the touch too."""
    exchange = Exchange(seed=2, markets=4, now_ms=START)
    Population(exchange, speed=FAST)
    spreads = []
    for second in range(1, 301):
        exchange.step(START + second * 1000)
        exchange.drain()
        for book in exchange.engine.books.values():
            bid, ask = book.touch("bid"), book.touch("ask")
            assert bid is not None and ask is not None
            spreads.append(ask - bid)
            assert 10 <= len(book.levels("bid")) <= 45 and 10 <= len(book.levels("ask")) <= 45
            sizes = [size for _, size in book.levels("bid")]
            assert sum(sizes[:3]) < 0.5 * sum(sizes), "not piled at the touch"
    assert 4 <= statistics.median(spreads) <= 9


def test_long_shots_keep_a_book_on_a_coarse_grid() -> None:
    """Distances shrink near the ends, so that a market of whole cents at five of them can be quoted."""
    exchange = Exchange(seed=5, markets=1, now_ms=START)
    plot = structs.replace(PLOTS[0], question="Will it hail?", start=0.06, vol_ticks=0.01)
    listing = extra_listing(5, 0, START // 1000, plot=plot)
    exchange.open_market(listing)
    Population(exchange)
    book = exchange.engine.books[listing.instrument.market]
    spreads = []
    for second in range(1, 200):
        exchange.step(START + second * 1_000)
        bid, ask = book.touch("bid"), book.touch("ask")
        assert bid is not None and ask is not None
        spreads.append(ask - bid)
        assert len(book.levels("bid")) >= 2
    assert statistics.median(spreads) <= 5


def test_the_same_seed_gives_the_same_bytes() -> None:
    lengths: dict[Name, int] = {"calm": 600, "normal": 120, "busy": 2}
    for profile, seconds in lengths.items():
        first = run(profile, 3, seconds)
        assert first and first == run(profile, 3, seconds)
        assert first != run(profile, 4, seconds)


def changes_of(frames: list[Frame], tokens: set[str]) -> list[str]:
    return [f.text for f in frames if isinstance(f, MarketFrame) and f.kind == "price_change" and f.tokens[0] in tokens]


def test_another_market_or_agent_changes_nobodys_draws() -> None:
    """Streams are keyed by who draws: whole sessions stay byte for byte what they were."""
    exchange = Exchange(seed=3, markets=3, now_ms=START)
    tokens = {listing.instrument.yes_token for listing in exchange.listings.values()}
    few = changes_of(run("normal", 3, 200, markets=3), tokens)
    assert len(few) > 200
    assert changes_of(run("normal", 3, 200, markets=20), tokens) == few, "not even other teams of the same league"
    fine = {each.instrument.yes_token for each in exchange.listings.values() if each.instrument.tick_text == "0.001"}
    baited = changes_of(run("normal", 3, 200, markets=3, baiter=True), tokens)
    assert baited != few
    assert [x for x in baited if any(t in x for t in fine)] == [x for x in few if any(t in x for t in fine)], (
        "where the fee makes baiting pointless, one participant more is no difference"
    )


def test_baits_are_counted_and_participants_known_by_name() -> None:
    """What an attack costs is a quotient; the accounts say who took."""
    exchange = Exchange(seed=3, markets=(6,), now_ms=START)
    population = Population(exchange, baiter=True)
    exchange.step(START + 120_000)
    (baiter,) = [account for account, name in population.accounts.items() if name == "baiter"]
    baits = [order for order in exchange.engine.orders.values() if order.new.account == baiter]
    assert population.attacks >= 5 and len(baits) <= population.attacks
    assert sorted(population.accounts.values())[:3] == ["baiter", "crowd", "farmer/0"]
    assert Population(Exchange(seed=3, markets=1, now_ms=START)).attacks == 0


def test_the_sniper_returns_until_the_public_knows() -> None:
    """Who goes on quoting the old price after news is taken again, not once (market-making.md 4.7)."""
    question = Question(name="q", start=0.5, tick=0.01, vol_ticks=0.2)
    belief = Belief(1, "m", question, structs.replace(PROFILES["normal"], mood_ticks=0.0))
    exchange = Exchange(seed=1, markets=(6,), now_ms=START)
    Population(exchange, paused=True)
    sniper = Sniper(
        Desk(exchange, next(iter(exchange.listings)), "sniper"), belief, edge=1.0, size=(80, 350), patience_s=3.0
    )
    assert sniper.react() is None, "no news: truth and public agree"
    belief.learn(0.6, 0.01)
    again = sniper.react()
    assert again is not None and again > 0
    for _ in range(200):
        belief.learn(0.6, 1.0)
    assert sniper.react() is None, "the public knows"


def test_a_pause_freezes_everything_but_the_books() -> None:
    exchange = Exchange(seed=1, markets=1, now_ms=START)
    population = Population(exchange, paused=True)
    belief = next(iter(population.beliefs.values()))
    truth = belief.truth
    exchange.step(START + 20_000)
    assert exchange.drain() == []
    assert next(iter(exchange.engine.books.values())).levels("bid")
    assert belief.truth == truth
    population.pause(False)
    exchange.step(START + 60_000)
    assert exchange.drain()
    assert belief.truth != truth


def test_speed_makes_more_happen_in_the_same_time() -> None:
    counts = []
    for speed in (1.0, 5.0):
        exchange = Exchange(seed=1, markets=2, now_ms=START)
        Population(exchange, speed=speed)
        exchange.step(START + 120_000)
        counts.append(len(exchange.drain()))
    assert counts[1] > 3 * counts[0]
    with pytest.raises(ValueError, match="speed"):
        Population(Exchange(seed=1, markets=1, now_ms=START), speed=0)


def test_a_paused_market_or_a_halted_venue_keeps_its_book() -> None:
    """Nobody cancels what could not be put back."""
    exchange = Exchange(seed=1, markets=1, now_ms=START)
    Population(exchange, speed=FAST)
    market = next(iter(exchange.listings))
    for stop, go in (
        (partial(exchange.pause_market, market, True), partial(exchange.pause_market, market, False)),
        (partial(exchange.set_mode, "cancel_only"), partial(exchange.set_mode, "normal")),
    ):
        stop()
        exchange.drain()
        exchange.step(exchange.now_ms + 10_000)
        assert not any(isinstance(f, MarketFrame) and f.kind == "price_change" for f in exchange.drain())
        go()
        exchange.step(exchange.now_ms + 10_000)
        assert any(isinstance(f, MarketFrame) and f.kind == "price_change" for f in exchange.drain())


def test_a_market_opened_later_is_moved_into_and_ends_with_its_hidden_outcome() -> None:
    """Evidence comes in before the end, then the book closes, and after a while the truth is told."""
    for seed in range(1, 5):
        exchange = Exchange(seed=seed, markets=1, now_ms=START)
        population = Population(exchange, speed=FAST)
        exchange.step(START + 5_000)
        listing = extra_listing(seed, 0, exchange.now_ms // 1000, days=200 / 86_400)
        market = listing.instrument.market
        exchange.open_market(listing)
        population.settle(market)
        outcome = population.outcome(market)
        exchange.step(listing.end_unix * 1000 - 1_000)
        assert exchange.phase(market) == "open" and exchange.traded[market] > 0
        near = population.beliefs[market].truth
        exchange.step(listing.end_unix * 1000 + 500)
        assert exchange.phase(market) == "closed" and not exchange.engine.books[market].levels("bid")
        truth = population.beliefs[market].truth
        assert truth == (outcome == "YES") and abs(near - truth) < 0.6
        exchange.step(listing.end_unix * 1000 + 12_000)
        assert exchange.phase(market) == "resolved" and exchange.results[market] == outcome
        assert exchange.phase(next(iter(exchange.listings))) == "open"
        exchange.ledger.check()


def test_a_group_resolves_to_one_winner_at_most() -> None:
    winners = Counter[int]()
    for seed in range(1, 13):
        exchange = Exchange(seed=seed, markets=1, now_ms=START)
        family = [
            extra_listing(
                seed,
                number,
                START // 1000,
                days=60 / 86_400,
                plot=structs.replace(plot, event="A short league"),
            )
            for number, plot in enumerate(plot for plot in PLOTS if plot.event == PLOTS[1].event)
        ]
        for listing in family:
            exchange.open_market(listing)
        population = Population(exchange, profile="calm")
        markets = [listing.instrument.market for listing in family]
        outcomes = [population.outcome(market) for market in markets]
        exchange.step(START + 70_000)
        assert [exchange.results[market] for market in markets] == outcomes
        winners[outcomes.count("YES")] += 1
    assert set(winners) == {0, 1}, "a listed team, or one that is not listed"


def test_a_scripted_resolution_stands() -> None:
    """What a script resolves before the end stays so; nobody trades there any more."""
    exchange = Exchange(seed=1, markets=1, now_ms=START)
    listing = extra_listing(1, 0, START // 1000, days=60 / 86_400)
    exchange.open_market(listing)
    Population(exchange, speed=FAST)
    market = listing.instrument.market
    exchange.step(START + 10_000)
    exchange.resolve(market, "HALF")
    traded = exchange.traded[market]
    exchange.step(START + 90_000)
    assert exchange.results[market] == "HALF" and exchange.traded[market] == traded


def test_an_event_cannot_grow_once_its_outcome_is_drawn() -> None:
    exchange = Exchange(seed=1, markets=1, now_ms=START)
    plot = structs.replace(PLOTS[0], event="A day")
    first, second = (
        extra_listing(1, number, START // 1000, plot=structs.replace(plot, question=text))
        for number, text in enumerate("ab")
    )
    exchange.open_market(first)
    population = Population(exchange)
    exchange.open_market(second)
    with pytest.raises(ValueError, match="without this question"):
        population.settle(second.instrument.market)


def test_participants_live_through_a_change_of_tick() -> None:
    """Distances stay what they are in cents, on the new grid."""
    exchange = Exchange(seed=1, markets=1, now_ms=START)
    Population(exchange, speed=FAST)
    market = next(iter(exchange.listings))
    exchange.step(START + 10_000)
    exchange.change_tick(market, "0.001")
    exchange.step(START + 120_000)
    book = exchange.engine.books[market]
    bid, ask = book.touch("bid"), book.touch("ask")
    assert bid is not None and ask is not None
    assert 20 <= ask - bid <= 120
    assert any(price % 10 for price, _ in book.levels("bid")), "the finer grid is used"
    exchange.ledger.check()
