"""Many sockets as one feed, against a small market channel on loopback; pauses are shortened, nothing waits long."""

import asyncio
import itertools
import json
import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from core.clock import ManualClock, SystemClock
from core.venue import channel as channel_module
from core.venue import market_feed as module
from core.venue.market_feed import FeedOwner, MarketFeed, Turnstile


def named(count: int, first: int = 0) -> list[str]:
    """Tokens of so many markets, those of one beside each other."""
    return [f"{number}{outcome}" for number in range(first, first + count) for outcome in ("y", "n")]


class Line:
    """One socket as the venue sees it."""

    def __init__(self, socket: ServerConnection, number: int) -> None:
        self.socket = socket
        self.number = number
        self.tokens: set[str] = set()
        self.told: list[Any] = []
        """What the client sent, PINGs left out."""

    async def tell(self, *messages: object) -> None:
        await self.socket.send(json.dumps(messages[0] if len(messages) == 1 else messages))


class Venue:
    """The market channel's rules (polymarket-api.md 5.1), and what a feed made of them."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        """Every socket that ever was, in order."""
        self.open: list[Line] = []
        self.dumps = True
        self.refuse: Callable[[int], bool] = lambda number: False
        self.heard: list[Any] = []
        self.coverage: list[tuple[set[str], bool]] = []
        self.details: list[str] = []
        self.covered: set[str] = set()
        self.alive = 0
        self.valid: Callable[[Any], bool] = lambda message: True
        self.feed: MarketFeed
        self.task: asyncio.Task[None]
        self.url = ""

    def a_feed(
        self, *, tokens_a_socket: int = 4, copies: int = 1, recycle_s: float = 0.0, clock: Any = None
    ) -> MarketFeed:
        owner = FeedOwner(self.on_frame, self.on_coverage, self.on_alive)
        self.feed = MarketFeed(
            self.url, owner, clock or SystemClock(), 1, tokens_a_socket=tokens_a_socket, copies=copies,
            recycle_s=recycle_s,
        )  # fmt: skip
        return self.feed

    async def run(self, tokens: list[str], **options: Any) -> MarketFeed:
        feed = self.a_feed(**options)
        feed.subscribe(tokens)
        self.task = asyncio.create_task(feed.run())
        await self.until(lambda: self.covered == set(tokens) and self.carried() == sorted(tokens * feed._copies))
        return feed

    async def stop(self) -> None:
        if hasattr(self, "task"):
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    def on_frame(self, frame: bytes) -> bool:
        message = json.loads(frame)
        self.heard.append(message)
        return self.valid(message)

    def on_coverage(self, tokens: tuple[str, ...], connected: bool, detail: str) -> None:
        assert len(set(tokens)) == len(tokens) > 0
        assert self.covered.isdisjoint(tokens) if connected else self.covered.issuperset(tokens), "only what changes"
        self.covered = self.covered | set(tokens) if connected else self.covered - set(tokens)
        self.coverage.append((set(tokens), connected))
        self.details.append(detail)

    def on_alive(self) -> None:
        self.alive += 1

    async def accept(self, socket: ServerConnection) -> None:
        line = Line(socket, len(self.lines))
        self.lines.append(line)
        if self.refuse(line.number):
            await socket.close(1013, "not now")
            return
        self.open.append(line)
        try:
            async for text in socket:
                if text == "PING":
                    await socket.send("PONG")
                else:
                    line.told.append(json.loads(text))
                    await self.take(line, line.told[-1])
        finally:
            self.open.remove(line)

    async def take(self, line: Line, asked: dict[str, Any]) -> None:
        if asked.get("operation") == "unsubscribe":
            line.tokens -= set(asked["assets_ids"])
            return
        fresh = [token for token in asked["assets_ids"] if token not in line.tokens]
        line.tokens.update(fresh)
        if fresh and self.dumps:
            await line.socket.send(json.dumps([{"book": token, "on": line.number} for token in fresh]))

    def carried(self) -> list[str]:
        """Tokens as the open sockets are subscribed to them, each as often as it is carried."""
        return sorted(token for line in self.open for token in line.tokens)

    def books(self) -> list[str]:
        """Tokens whose books came, in order."""
        return [one["book"] for message in self.heard if isinstance(message, list) for one in message]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - what is waited for lies on the other side of a socket
                await asyncio.sleep(0.002)


@pytest.fixture
async def venue(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Venue]:
    monkeypatch.setattr(channel_module, "CHECK_SEC", 0.01)
    monkeypatch.setattr(channel_module, "PING_SEC", 0.03)
    monkeypatch.setattr(channel_module, "FIRST_BACKOFF_SEC", 0.004)
    monkeypatch.setattr(channel_module, "LAST_BACKOFF_SEC", 0.05)
    monkeypatch.setattr(module, "STAGGER_SEC", 0.002)
    monkeypatch.setattr(module, "SETTLE_SEC", 0.0)
    made = Venue()
    server: Server
    async with serve(made.accept, "127.0.0.1", 0) as server:
        made.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield made
        await made.stop()


async def test_tokens_are_spread_over_sockets_and_all_books_come(venue: Venue) -> None:
    tokens = named(9)
    feed = await venue.run(tokens, tokens_a_socket=8)
    await venue.until(lambda: len(venue.books()) == 18)
    assert sorted(len(line.tokens) for line in venue.lines) == [2, 8, 8]
    assert sorted(venue.books()) == sorted(tokens)
    assert [(one.tokens, one.connected, one.frames) for one in feed.sockets] == [
        (8, True, 1),
        (8, True, 1),
        (2, True, 1),
    ]
    assert len({one.name for one in feed.sockets}) == 3
    assert [len(line.told) for line in venue.lines] == [1, 1, 1], "one first frame each, and nothing else"


@pytest.mark.parametrize("most", [4, 5, 7])
async def test_the_tokens_of_a_market_are_never_on_two_sockets(venue: Venue, most: int) -> None:
    """An odd limit would split every third market, whose halves could then fail apart."""
    feed = await venue.run(named(2), tokens_a_socket=most)
    feed.subscribe(named(5, first=2))
    await venue.until(lambda: venue.carried() == sorted(named(7)))
    for line in venue.lines:
        assert {token[:-1] + "y" for token in line.tokens} | {token[:-1] + "n" for token in line.tokens} == line.tokens


def test_connects_keep_a_distance_whenever_they_are_asked_for() -> None:
    """A venue that restarts loses all sockets at once; a burst of connects would be answered 429."""
    turnstile = Turnstile(ManualClock(), random.Random(1))
    turns = [now + turnstile.reserve(now) for now in (10.0, 10.0, 10.0, 10.0, 10.1, 60.0, 60.0)]
    gaps = [after - before for before, after in itertools.pairwise(turns)]
    assert turns[0] == 10.0 and turns[5] == 60.0
    assert all(module.STAGGER_SEC <= gap <= 1.5 * module.STAGGER_SEC for gap in (*gaps[:4], gaps[5]))
    assert len(set(gaps)) == len(gaps), "jittered"


async def test_every_attempt_to_connect_waits_for_its_turn(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those after a loss."""
    turns: list[float] = []
    reserve = Turnstile.reserve

    def noted(self: Turnstile, now: float) -> float:
        turns.append(now)
        return reserve(self, now)

    monkeypatch.setattr(Turnstile, "reserve", noted)
    await venue.run(named(6))
    assert len(turns) == len(venue.lines) == 3
    for line in tuple(venue.open):
        line.socket.transport.abort()
    await venue.until(lambda: len(venue.open) == 3 and len(venue.lines) == 6)
    assert len(turns) == 6


async def test_a_new_token_goes_where_there_is_room_and_opens_a_socket_where_there_is_none(venue: Venue) -> None:
    feed = await venue.run(named(3))
    feed.subscribe(named(2, first=3))
    await venue.until(lambda: len(venue.books()) == 10 and len(venue.lines) == 3)
    assert venue.lines[1].told[1:] == [
        {"operation": "subscribe", "assets_ids": ["3y", "3n"], "custom_feature_enabled": True}
    ]
    assert venue.lines[2].tokens == {"4y", "4n"}
    assert venue.covered == set(named(5))
    assert all(connected for _, connected in venue.coverage)


async def test_a_token_that_is_carried_is_not_asked_for_again(venue: Venue) -> None:
    """The venue takes it for a repetition, and would send no book."""
    feed = await venue.run(named(2))
    feed.subscribe(["0y", "0n", "1y", "7y", "8y", "8y"])
    await venue.until(lambda: len(venue.carried()) == 6)
    assert venue.lines[0].told[1:] == []
    assert venue.lines[1].tokens == {"7y", "8y"}


async def test_tokens_are_let_go_and_an_empty_socket_is_closed(venue: Venue) -> None:
    feed = await venue.run(named(3))
    feed.unsubscribe(["0y", "0n", "2y", "2n", "9y"])
    await venue.until(lambda: len(venue.open) == 1 and len(venue.lines[0].told) == 2)
    assert venue.lines[0].tokens == {"1y", "1n"}
    assert len(feed.sockets) == 1
    assert not [tokens for tokens, connected in venue.coverage if not connected], "wished for, and so no loss"
    venue.covered -= {"0y", "0n", "2y", "2n"}
    feed.subscribe(named(1))
    await venue.until(lambda: venue.carried() == sorted(named(2)))
    assert len(venue.lines) == 2 and (set(named(1)), True) in venue.coverage[2:]


async def test_tokens_named_before_the_socket_is_up_are_in_its_first_frame(venue: Venue) -> None:
    feed = venue.a_feed()
    feed.subscribe(named(1))
    venue.task = asyncio.create_task(feed.run())
    feed.subscribe(named(1, first=1))
    feed.unsubscribe(["0y", "0n"])
    await venue.until(lambda: venue.carried())
    assert [line.told for line in venue.lines] == [
        [{"type": "market", "assets_ids": ["1y", "1n"], "custom_feature_enabled": True}]
    ]


async def test_books_are_sent_anew_on_the_living_socket(venue: Venue) -> None:
    feed = await venue.run(named(2))
    await venue.until(lambda: len(venue.books()) == 4)
    feed.resubscribe(["1y", "1n", "0n", "9y"])
    await venue.until(lambda: len(venue.books()) == 7)
    assert venue.books()[4:] == ["1y", "1n", "0n"]
    assert [each["operation"] for each in venue.lines[0].told[1:]] == ["unsubscribe", "subscribe"]
    assert len(venue.lines) == 1 and venue.coverage == [(set(named(2)), True)]


async def test_a_loss_is_told_once_for_the_tokens_that_have_no_socket(venue: Venue) -> None:
    feed = await venue.run(named(4))
    venue.refuse = lambda number: number < 5
    await venue.lines[0].socket.close(1012, "restart")
    await venue.until(lambda: len(venue.lines) == 6 and len(venue.covered) == 8)
    assert venue.coverage[2] == (set(named(2)), False) and "restart" in venue.details[2]
    assert [connected for _, connected in venue.coverage[2:]].count(False) <= 1 + 3, "a refused socket was up shortly"
    assert feed.sockets[0].reconnects >= 1 and feed.sockets[1].reconnects == 0


async def test_nothing_is_told_while_there_was_never_a_socket(venue: Venue) -> None:
    url, venue.url = venue.url, "ws://127.0.0.1:9"
    feed = venue.a_feed()
    feed.subscribe(named(1))
    venue.task = asyncio.create_task(feed.run())
    await venue.until(lambda: feed._bundles[0].links[0].channel._backoff_s > channel_module.FIRST_BACKOFF_SEC)
    assert venue.coverage == [] and not feed.sockets[0].connected
    feed._bundles[0].links[0].channel._url = url
    await venue.until(lambda: venue.covered == set(named(1)))


async def test_an_old_socket_is_recycled_without_a_moment_uncovered(venue: Venue) -> None:
    """The old one stays until the new one has delivered; the owner hears nothing of it but books."""
    held = asyncio.Event()
    take = venue.take

    async def slow(line: Line, asked: dict[str, Any]) -> None:
        if line.number:
            await held.wait()
        await take(line, asked)

    venue.take = slow  # type: ignore[method-assign]
    feed = await venue.run(named(2), recycle_s=0.05)
    await venue.until(lambda: len(venue.open) == 2)
    await venue.lines[0].tell({"change": 1})
    await venue.until(lambda: {"change": 1} in venue.heard)
    assert len(feed.sockets) == 2 and len(venue.open) == 2, "both, as long as the new one has nothing delivered"
    held.set()
    await venue.until(lambda: venue.lines[0] not in venue.open)
    assert feed.replaced >= 1 and venue.lines[1].tokens == set(named(2))
    assert venue.coverage == [(set(named(2)), True)]


async def test_what_is_sent_during_a_replacement_comes_through_one_socket_or_both(venue: Venue) -> None:
    """A counter told on every open socket is heard without a gap, however often sockets are replaced."""
    feed = await venue.run(named(2), recycle_s=0.02)
    sent = 0
    async with asyncio.timeout(10):
        while feed.replaced < 5:
            sent += 1
            for line in [line for line in venue.open if line.tokens]:
                with suppress(ConnectionClosed):
                    await line.tell({"change": sent})
            await asyncio.sleep(0.001)
    await venue.until(lambda: {"change": sent} in venue.heard)
    numbers = {message["change"] for message in venue.heard if isinstance(message, dict)}
    assert numbers == set(range(1, sent + 1))
    assert venue.coverage == [(set(named(2)), True)]


async def test_sockets_of_one_start_are_not_recycled_at_one_time(venue: Venue) -> None:
    feed = await venue.run(named(8), recycle_s=1000.0)
    ages = [bundle.replace_s - (bundle.links[0].channel.opened_s or 0.0) for bundle in feed._bundles]
    assert len(set(ages)) == 4
    assert all(1000 * (1 - module.RECYCLE_SPREAD) <= age <= 1000 * (1 + module.RECYCLE_SPREAD) for age in ages)


async def test_a_reconnect_replaces_the_sockets_of_its_tokens_and_no_other(venue: Venue) -> None:
    feed = await venue.run(named(6))
    await venue.until(lambda: len(venue.books()) == 12)
    feed.reconnect(["2y", "2n", "3y"])
    await venue.until(lambda: feed.replaced == 1 and len(venue.open) == 3)
    assert len(venue.lines) == 4 and venue.lines[1] not in venue.open
    assert venue.lines[3].tokens == venue.lines[1].tokens == {"2y", "2n", "3y", "3n"}
    assert all(connected for _, connected in venue.coverage)


async def test_many_wishes_for_a_reconnect_make_one(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen socket makes every market on it ask, each when its own patience ends."""
    monkeypatch.setattr(module, "SETTLE_SEC", 0.2)
    feed = await venue.run(named(2))
    for token in named(2):
        feed.reconnect([token])
        await asyncio.sleep(0)
    await venue.until(lambda: feed.replaced == 1)
    [young] = feed.sockets
    feed.reconnect(named(2))
    await asyncio.sleep(0)
    assert len(feed.sockets) == 1, "the new one is too young to be the trouble"
    await venue.until(lambda: feed.replaced == 2)
    assert young.name != feed.sockets[0].name and len(venue.lines) == 3


async def test_an_heir_that_delivers_nothing_is_given_up(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old socket's other tokens may be well; a new one without books is no better."""
    monkeypatch.setattr(module, "OVERLAP_SEC", 0.05)
    feed = await venue.run(named(2))
    await venue.until(lambda: venue.books())
    venue.dumps = False
    feed.reconnect(["0y"])
    await venue.until(lambda: len(venue.lines) == 2 and len(venue.open) == 1)
    assert venue.open == [venue.lines[0]] and feed.replaced == 0
    assert venue.coverage == [(set(named(2)), True)]
    monkeypatch.setattr(module, "OVERLAP_SEC", 10.0)
    venue.dumps = True
    feed.reconnect(["0y"])
    await venue.until(lambda: feed.replaced == 1)


async def test_an_heir_without_its_first_books_that_speaks_takes_over_in_the_end(
    venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The venue may have no book for any of them any more; the subscription lives all the same."""
    monkeypatch.setattr(module, "OVERLAP_SEC", 0.05)
    feed = await venue.run(named(2))
    await venue.until(lambda: venue.books())
    venue.dumps = False
    feed.reconnect(["0y"])
    await venue.until(lambda: len(venue.lines) == 2 and venue.lines[1].tokens)
    await venue.lines[1].tell({"change": 1})
    await venue.until(lambda: feed.replaced == 1)


async def test_when_the_old_socket_dies_first_its_heir_takes_over(venue: Venue) -> None:
    """And because nobody can say from when on the heir speaks, the loss is told."""
    feed = await venue.run(named(2))
    await venue.until(lambda: venue.books())
    venue.dumps = False
    feed.reconnect(["0y"])
    await venue.until(lambda: len(venue.lines) == 2 and venue.lines[1].tokens)
    venue.lines[0].socket.transport.abort()
    await venue.until(lambda: len(venue.coverage) == 3)
    assert venue.coverage[1:] == [(set(named(2)), False), (set(named(2)), True)]
    assert len(feed.sockets) == 1 and venue.open == [venue.lines[1]]
    assert feed._bundles[0].replace_s == math.inf, "and no third one is wanted"


async def test_two_copies_of_a_token_never_share_a_socket(venue: Venue) -> None:
    feed = await venue.run(named(3), copies=2)
    await venue.until(lambda: len(venue.books()) == 12)
    assert len(venue.lines) == 4
    for token in named(3):
        assert [token in line.tokens for line in venue.lines].count(True) == 2
    assert [one.tokens for one in feed.sockets] == [4, 4, 2, 2]
    feed.unsubscribe(named(3))
    await venue.until(lambda: not venue.open)


async def test_the_second_copy_keeps_the_coverage_when_the_first_dies(venue: Venue) -> None:
    await venue.run(named(2), copies=2)
    await venue.until(lambda: len(venue.books()) == 8)
    venue.lines[0].socket.transport.abort()
    await venue.until(lambda: len(venue.lines) == 3 and len(venue.open) == 2)
    assert venue.coverage == [(set(named(2)), True)]
    await venue.until(lambda: len(venue.books()) == 12)
    venue.lines[1].socket.transport.abort()
    await venue.until(lambda: len(venue.lines) == 4 and len(venue.open) == 2)
    assert venue.coverage == [(set(named(2)), True)]


async def test_both_copies_gone_is_a_loss(venue: Venue) -> None:
    await venue.run(named(1), copies=2)
    await venue.until(lambda: len(venue.books()) == 4)
    venue.refuse = lambda number: True
    for line in tuple(venue.open):
        line.socket.transport.abort()
    await venue.until(lambda: (set(named(1)), False) in venue.coverage)


async def test_an_unreadable_dump_is_no_delivery(venue: Venue) -> None:
    """A proxy that answers nonsense must not take over from a socket that works."""
    feed = await venue.run(named(2))
    await venue.until(lambda: venue.books())
    venue.valid = lambda message: False
    feed.reconnect(["0y"])
    await venue.until(lambda: len(venue.books()) == 8)
    assert len(venue.open) == 2 and feed.replaced == 0


async def test_other_words_are_tolerated_and_told_as_life(venue: Venue) -> None:
    await venue.run(named(1))
    await venue.lines[0].socket.send("INVALID OPERATION")
    await venue.until(lambda: venue.alive >= 3)
    assert len(venue.open) == 1 and venue.coverage == [(set(named(1)), True)]


async def test_what_the_owner_raises_ends_the_feed_and_all_sockets(venue: Venue) -> None:
    """Nothing ends silently, and nothing goes on without the rest."""
    await venue.run(named(4))
    venue.valid = lambda message: 1 / 0 > 0
    await venue.lines[1].tell({"change": 1})
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(asyncio.shield(venue.task), 5)
    await venue.until(lambda: not venue.open)


async def test_a_cancelled_feed_leaves_no_socket_and_no_task(venue: Venue) -> None:
    before = asyncio.all_tasks()
    await venue.run(named(4), copies=2)
    await venue.stop()
    await venue.until(lambda: not venue.open)
    left = {task for task in asyncio.all_tasks() - before if not task.done()}
    assert not [task for task in left if task.get_name().startswith("market")]
