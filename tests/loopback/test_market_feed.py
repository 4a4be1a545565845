"""The market feed against the exchange and its faults: every book is the exchange's in the end, and losses are told."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from core.clock import ManualClock
from core.errors import MalformedMessage
from core.events import RestBook
from core.exchange.api.server import RunningExchange, build_host
from core.exchange.crowd.profiles import Name
from core.exchange.faults.script import read_toml
from core.market.continuity import TrackedBook
from core.venue import channel as channel_module
from core.venue import market_feed as feed_module
from core.venue.market_feed import FeedOwner, MarketFeed
from core.venue.wire import decode_frame
from tests.loopback.venue import CASH, PATIENCE_S

_rest = msgspec.json.Decoder(RestBook, strict=False)


class Hearing:
    """An exchange that trades when the test moves its clock, a feed on it, and a proven book for each market."""

    def __init__(self, running: RunningExchange, clock: ManualClock) -> None:
        self.host = running.host
        self.exchange = running.host.exchange
        self.url = str(running.urls["ws_market_url"])
        self.books = {market: TrackedBook(one.instrument) for market, one in self.exchange.listings.items()}
        self.tokens = [t for book in self.books.values() for t in (book.instrument.yes_token, book.instrument.no_token)]
        self.covered: set[str] = set()
        self.lost: list[tuple[set[str], str]] = []
        self.frames = self.malformed = self.alive = 0
        self.clock = ManualClock()
        """The feed's: nothing is silent or old before the test says so."""
        self._venue_clock = clock
        self.feed: MarketFeed
        self.task: asyncio.Task[None] | None = None

    def start(self, **options: Any) -> MarketFeed:
        chosen = {"tokens_a_socket": 8, "copies": 1, "recycle_s": 0.0} | options
        owner = FeedOwner(self.on_frame, self.on_coverage, self.on_alive)
        self.feed = MarketFeed(self.url, owner, self.clock, 1, **chosen)
        self.feed.subscribe(self.tokens)
        self.task = asyncio.create_task(self.feed.run())
        return self.feed

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    def on_frame(self, frame: bytes) -> bool:
        self.frames += 1
        usable = False
        try:
            for message in decode_frame(frame):
                usable = True
                book = self.books.get(message.market)
                if book is None:
                    continue
                if message.event_type == "book":
                    book.apply_book(message, self._venue_clock.monotonic())
                elif message.event_type == "price_change":
                    book.apply_changes(message, self._venue_clock.monotonic())
                elif message.event_type == "last_trade_price":
                    book.remember_trade(message.price)
        except MalformedMessage:
            self.malformed += 1
        return usable

    def on_coverage(self, tokens: tuple[str, ...], connected: bool, detail: str) -> None:
        if connected:
            self.covered.update(tokens)
            return
        self.covered.difference_update(tokens)
        self.lost.append((set(tokens), detail))
        for market in self.markets_of(set(tokens)):
            self.books[market].lose("not covered", self._venue_clock.monotonic())

    def on_alive(self) -> None:
        self.alive += 1

    def markets_of(self, tokens: set[str]) -> set[str]:
        return {self.exchange.by_token[token][0] for token in tokens}

    def pass_time(self, seconds: float) -> None:
        self._venue_clock.advance_to(self._venue_clock.monotonic() + seconds)
        self.host.catch_up()

    def arm(self, fault: str) -> None:
        self.host.director.arm(read_toml(f"[[fault]]\n{fault}\n", "test", at_once=True), from_now=True)
        self.pass_time(0)

    def number(self, market: int) -> str:
        return list(self.books)[market]

    def wrong(self) -> set[str]:
        """Markets whose book is not the exchange's, or not believed."""
        return {
            market
            for market, book in self.books.items()
            if not (book.synced and book.same_levels(_rest.decode(self.exchange.faces[market].rest_book("YES"))))
        }

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                assert self.task is not None and not self.task.done(), "the feed has ended"
                await asyncio.sleep(0.005)

    async def settle(self) -> None:
        """Wait until all books are the exchange's."""
        await self.until(lambda: not self.wrong())

    def gaps(self) -> int:
        return sum(book.gaps for book in self.books.values())


@asynccontextmanager
async def hearing(markets: int, profile: Name = "busy") -> AsyncIterator[Hearing]:
    clock = ManualClock(unix=time.time())
    host = build_host(seed=5, markets=markets, speed=1.0, auto_cash=CASH, clock=clock, profile=profile)
    async with RunningExchange(host) as running:
        made = Hearing(running, clock)
        try:
            yield made
        finally:
            await made.stop()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter pauses; their order and growth stay."""
    monkeypatch.setattr(channel_module, "CHECK_SEC", 0.02)
    monkeypatch.setattr(channel_module, "FIRST_BACKOFF_SEC", 0.01)
    monkeypatch.setattr(channel_module, "LAST_BACKOFF_SEC", 0.2)
    monkeypatch.setattr(feed_module, "STAGGER_SEC", 0.005)
    monkeypatch.setattr(feed_module, "SETTLE_SEC", 0.0)


@pytest.fixture
async def stage(quick: None) -> AsyncIterator[Hearing]:
    async with hearing(6) as made:
        yield made


@pytest.mark.usefixtures("quick")
async def test_books_of_sixty_markets_come_through_as_many_sockets_as_they_need() -> None:
    async with hearing(60, "calm") as wide:
        feed = wide.start(tokens_a_socket=48)
        await wide.settle()
        assert sorted(one.tokens for one in feed.sockets) == [24, 48, 48]
        wide.pass_time(5)
        await wide.settle()
        assert wide.covered == set(wide.tokens) and not wide.lost
        assert wide.gaps() == 0 and wide.malformed == 0


async def test_recycling_leaves_no_token_uncovered_and_loses_no_message(stage: Hearing) -> None:
    """Every hash after every change fits, on books that began before the sockets that carry them now."""
    feed = stage.start(recycle_s=2.0)
    await stage.settle()
    async with asyncio.timeout(PATIENCE_S):
        while feed.replaced < 8:
            stage.pass_time(0.2)
            stage.clock.advance_to(stage.clock.monotonic() + 0.2)
            feed._changed.set()
            await asyncio.sleep(0.005)
    await stage.settle()
    assert not stage.lost and stage.covered == set(stage.tokens)
    assert stage.gaps() == 0 and stage.malformed == 0
    evidence = [book.evidence for book in stage.books.values()]
    assert sum(each.hash_checked for each in evidence) > 100
    assert all(each.hash_agreed + each.hash_explained == each.hash_checked for each in evidence)


async def test_two_copies_say_everything_twice_and_one_of_them_may_die(stage: Hearing) -> None:
    feed = stage.start(copies=2)
    await stage.settle()
    assert [one.tokens for one in feed.sockets] == [8, 8, 4, 4]
    for _ in range(20):
        stage.pass_time(0.2)
        await asyncio.sleep(0)
    await stage.settle()
    assert sum(book.duplicates + book.stale for book in stage.books.values()) > 0 == stage.gaps()
    victim = feed._bundles[0].links[0].channel._socket
    assert victim is not None
    victim.transport.abort()
    for _ in range(20):
        stage.pass_time(0.2)
        await asyncio.sleep(0)
    await stage.until(lambda: all(one.connected for one in feed.sockets) and feed.sockets[0].reconnects == 1)
    await stage.settle()
    assert not stage.lost and stage.gaps() == 0


async def test_a_reset_costs_the_tokens_of_one_socket_and_they_come_back(stage: Hearing) -> None:
    feed = stage.start()
    await stage.settle()
    stage.arm('do = "reset"\nchannel = "market"\nmarket = 0')
    await stage.until(lambda: stage.lost)
    [(tokens, _)] = stage.lost
    assert tokens == set(stage.tokens[:8]), "four markets share that socket"
    stage.pass_time(1)
    await stage.until(lambda: stage.covered == set(stage.tokens))
    await stage.settle()
    assert [one.reconnects for one in feed.sockets] == [1, 0]
    assert {market for market, book in stage.books.items() if book.gaps} == stage.markets_of(tokens)


async def test_a_half_open_socket_is_found_by_its_silence(stage: Hearing) -> None:
    """It answers no PING and never ends (reliability.md N03); the others go on."""
    feed = stage.start()
    await stage.settle()
    stage.arm('do = "half_open"\nchannel = "market"\nmarket = 5')
    stage.pass_time(1)
    healthy = feed._bundles[0].links[0].channel
    while not stage.lost:
        assert stage.clock.monotonic() < 30
        stage.clock.advance_to(stage.clock.monotonic() + 6)
        await stage.until(lambda: stage.lost or healthy._heard_s == stage.clock.monotonic())
    assert stage.lost == [(set(stage.tokens[8:]), "nothing was heard for 15 s")]
    await stage.settle()
    assert [one.reconnects for one in feed.sockets] == [0, 1]


async def test_a_venue_that_refuses_for_a_while_is_come_back_to(stage: Hearing) -> None:
    feed = stage.start()
    await stage.settle()
    stage.arm('do = "disconnect"\nchannel = "market"\ncode = 1012\nreason = "restart"\nfor = 4')
    await stage.until(lambda: not stage.covered)
    assert {detail for _, detail in stage.lost} == {"closed with code 1012: restart"}
    await stage.until(lambda: feed._bundles[0].links[0].channel._backoff_s > 0.1)
    assert not stage.covered, "refused with 503"
    stage.pass_time(4)
    await stage.until(lambda: stage.covered == set(stage.tokens))
    await stage.settle()
    assert [one.reconnects for one in feed.sockets] == [1, 1], "an attempt that fails is no loss"


async def test_a_dead_subscription_is_healed_where_it_is(stage: Hearing) -> None:
    """A socket that is open, answers PING, and says nothing of two tokens (polymarket-api.md 5.4)."""
    feed = stage.start()
    await stage.settle()
    stage.arm('do = "freeze"\nmarket = 1\nheals = "resubscribe"')
    stage.pass_time(5)
    await stage.until(lambda: stage.wrong() == {stage.number(1)})
    feed.resubscribe(stage.tokens[2:4])
    await stage.settle()
    stage.pass_time(2)
    await stage.settle()
    assert not stage.lost and feed.replaced == 0
    assert all(one.reconnects == 0 for one in feed.sockets)


async def test_a_dead_subscription_is_healed_by_a_new_socket_and_no_other_market_notices(stage: Hearing) -> None:
    feed = stage.start()
    await stage.settle()
    stage.arm('do = "freeze"\nmarket = 1\nheals = "reconnect"')
    stage.pass_time(5)
    await stage.until(lambda: stage.wrong() == {stage.number(1)})
    others = [one.name for one in feed.sockets][1:]
    feed.reconnect(stage.tokens[2:4])
    await stage.until(lambda: feed.replaced == 1)
    stage.pass_time(2)
    await stage.settle()
    assert not stage.lost
    assert sum(book.gaps for market, book in stage.books.items() if market != stage.number(1)) == 0
    assert [one.name for one in feed.sockets if one.name in others] == others


async def test_a_socket_without_first_books_does_not_replace_one_that_works(stage: Hearing) -> None:
    feed = stage.start()
    await stage.settle()
    stage.arm('do = "drop"\nkinds = ["dump"]\nfor = 60')
    feed.reconnect(stage.tokens[:2])
    await stage.until(lambda: len([one for one in feed.sockets if one.connected]) == 3)
    stage.pass_time(1)
    await stage.settle()
    assert feed.replaced == 0 and not stage.lost and stage.gaps() == 0


async def test_tokens_come_and_go_while_others_are_heard(stage: Hearing) -> None:
    feed = stage.start()
    await stage.settle()
    gone = stage.tokens[:4]
    feed.unsubscribe(gone)
    stage.pass_time(5)
    await stage.until(lambda: stage.wrong() <= stage.markets_of(set(gone)))
    before = {market: stage.books[market].book_seq for market in stage.markets_of(set(gone))}
    stage.pass_time(5)
    await stage.until(lambda: stage.wrong() <= stage.markets_of(set(gone)))
    assert before == {market: stage.books[market].book_seq for market in before}
    feed.subscribe(gone)
    await stage.settle()
    assert not stage.lost and len(feed.sockets) == 2


@pytest.mark.parametrize("text", ["INVALID OPERATION", "PONG", '{"price": NaN, [', "[]", "{}", '[{"event_type": 7}]'])
async def test_strange_words_cost_nothing(stage: Hearing, text: str) -> None:
    feed = stage.start()
    await stage.settle()
    frames = stage.frames + stage.alive
    stage.arm(f"do = \"say\"\ntext = '''{text}'''\nmarket = 0")
    await stage.until(lambda: stage.frames + stage.alive > frames)
    stage.pass_time(1)
    await stage.settle()
    assert not stage.lost and stage.gaps() == 0
    assert all(one.reconnects == 0 for one in feed.sockets)


async def test_silence_and_then_everything_at_once_arrives_whole(stage: Hearing) -> None:
    stage.start()
    await stage.settle()
    stage.arm('do = "burst"\nfor = 10')
    for _ in range(20):
        stage.pass_time(0.4)
    frames = stage.frames
    stage.pass_time(3)
    await stage.settle()
    assert stage.frames > frames + 50 and not stage.lost and stage.gaps() == 0
