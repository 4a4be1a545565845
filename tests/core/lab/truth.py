"""The oracle of the data tests: what the exchange's books really were, and whether the engine would quote on another.

Every state a book was in has a number. What reaches the engine (frames, dumps, books read over REST) names states by
their hashes; the newest of them is what an honest engine may know. Two laws are checked after everything that happens:

- *right or silent*: a market that may be quoted has the levels of a state that is not older than the newest one told;
  of the states of one millisecond any that was told will do for a while, for its messages do not tell their order;
- *pulled in time*: what is not told for too long is not quoted either, and its orders are being cancelled.

Prices are micro-dollars and sizes micro-shares in the YES frame, so that a change of the grid changes no level.
"""

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from core.actions import Action
from core.desk import Desk
from core.events import BooksRead
from core.exchange.frames import Frame, MarketFrame
from core.lab.simulation import Onlooker, Simulation
from core.market.instrument import Instrument
from core.orders.order import State
from core.risk.permission import why_not_quote
from core.units import MICRO, OUTCOMES, parse_micro

Level = tuple[int, int]
Levels = tuple[tuple[Level, ...], tuple[Level, ...]]
"""Bids and asks, best first: (micro-dollars, micro-shares)."""


class Book(msgspec.Struct):
    """One state of a book, and all that was told of it."""

    number: int
    levels: Levels
    tick_text: str
    said_ms: int
    stamps: set[int]
    """Venue times at which the book was like this."""
    names: list[str] = []
    """What messages call it: hashes, as they are and as ``bad_hash`` spoils them."""
    told: bool = False
    """A message that reached the engine states it."""


class Violation(AssertionError):
    """The engine would quote on a book that it could know to be wrong, or went on too long without news."""


class Change(msgspec.Struct, frozen=True):
    """A market became quotable or ceased to be."""

    at_ms: int
    why_not: str


class MarketTruth:
    """The states of one market and what the engine was told of them."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.tick_text = instrument.tick_text
        self.books: deque[Book] = deque()
        self.told = -1
        """Number of the newest state told for sure."""
        self.hinted = -1
        """As ``told``, but of states that share a name (A, B, A within a millisecond) the later one."""
        self.changes: list[Change] = []
        self.mixed_ms: int | None = None
        """Since when it is quoted on another state of the newest millisecond than the last."""
        self.pulled_ms: int | None = None
        """Since when nothing of ours is left to cancel there; None while there is."""
        self._numbers: dict[str, list[int]] = {}
        self._next = 0

    # What was

    def note(self, stamp_ms: int, now_ms: int, names: Sequence[str], *, anew: bool = False) -> None:
        """The book stands as it stands; ``anew``: that is another state even if no level differs."""
        levels = _sorted(self.bids, self.asks)
        if not self.books or anew or self.books[-1].levels != levels:
            self.books.append(Book(self._next, levels, self.tick_text, now_ms, set()))
            self._next += 1
        book = self.books[-1]
        book.stamps.add(stamp_ms)
        for name in [each for known in names for each in (known, spoiled(known))]:
            if self._numbers.get(name, [-1])[-1] != book.number:
                self._numbers.setdefault(name, []).append(book.number)
                book.names.append(name)

    def change(self, entry: dict[str, str]) -> None:
        """Take one entry of a price change."""
        is_yes = entry["asset_id"] == self.instrument.yes_token
        price, size = parse_micro(entry["price"]), parse_micro(entry["size"])
        side = self.bids if (entry["side"] == "BUY") == is_yes else self.asks
        price = price if is_yes else MICRO - price
        side[price] = size
        if not size:
            del side[price]

    # What was told

    def hint(self, name: str) -> None:
        """The engine has seen a state; names of none (ghosts, states long past) say nothing."""
        self.hinted = max(self.hinted, next((each for each in self._numbers.get(name, ()) if each > self.hinted), -1))

    def hear(self, name: str) -> None:
        """The engine has been told of a state and is to know it."""
        self.hint(name)
        numbers = self._numbers.get(name)
        if numbers:
            self.told = max(self.told, numbers[0])
            for book in self.books:
                book.told = book.told or book.number in numbers
            self._forget()

    def missing_ms(self, now_ms: int) -> int:
        """How long the engine has been without the news of a state it was not told of; 0 when it knows them all."""
        first = next((book for book in self.books if book.number > self.hinted), None)
        return 0 if first is None else now_ms - first.said_ms

    def knows(self, levels: Levels) -> bool:
        """Whether an engine with these levels knows all that it was told."""
        return any(book.number >= self.told and book.levels == levels for book in self.books)

    def may_think(self, levels: Levels, stamp_ms: int) -> bool:
        """Whether this is another state of the newest millisecond: nothing in its messages tells their order."""
        stamps = self.newest.stamps
        return stamp_ms in stamps and any(
            book.told and book.levels == levels and stamp_ms in book.stamps for book in self.books
        )

    @property
    def newest(self) -> Book:
        """The newest state told."""
        return next(book for book in self.books if book.number >= self.told)

    def _forget(self) -> None:
        """Drop states that are older than the newest told, and not of its millisecond."""
        stamps = self.newest.stamps
        while self.books[0].number < self.told and stamps.isdisjoint(self.books[0].stamps):
            for name in self.books.popleft().names:
                numbers = self._numbers[name]
                numbers.pop(0)
                if not numbers:
                    del self._numbers[name]


class Truth(Onlooker):
    """Watches a simulation and raises at the first broken law.

    Example::

        truth = Truth(within_s=5)
        Simulation(settings, seed=1, onlooker=truth).run(60)
        truth.markets[market].changes
    """

    def __init__(self, *, within_s: float | None = None, grace_s: float = 0.0) -> None:
        """Prepare to watch.

        Args:
            within_s: how long a market may be quoted without what the exchange said of it; None: no matter.
            grace_s: how long what REST tells may be waited for on the channel.
        """
        self.markets: dict[str, MarketTruth] = {}
        self.checks = 0
        """Books compared while their market might be quoted."""
        self.longest_ms = 0
        """Longest time any market was quoted without news the exchange had for it."""
        self._within_s = within_s
        self._grace_ms = round(grace_s * 1000)
        self._read: deque[tuple[int, str, str]] = deque()
        """What REST told, and from when on it counts."""

    def began(self, simulation: Simulation) -> None:
        self.simulation = simulation
        for market, face in simulation.exchange.faces.items():
            truth = self.markets[market] = MarketTruth(face.instrument)
            for outcome in OUTCOMES:
                self._read_book(truth, json.loads(face.socket_book(outcome, initial=True)))

    def said(self, frame: Frame) -> None:
        if isinstance(frame, MarketFrame) and frame.kind in ("price_change", "book", "tick_size_change"):
            message = json.loads(frame.text)
            truth, stamp_ms = self.markets[message["market"]], int(message["timestamp"])
            now_ms = self.simulation.now_ms
            if frame.kind == "price_change":
                truth.change(message["price_changes"][0])
                truth.note(stamp_ms, now_ms, [entry["hash"] for entry in message["price_changes"]])
            elif frame.kind == "book":
                before = _sorted(truth.bids, truth.asks)
                self._read_book(truth, message)
                assert before == _sorted(truth.bids, truth.asks), "the exchange's changes do not add up to its book"
            elif truth.tick_text != message["new_tick_size"]:
                truth.tick_text = message["new_tick_size"]
                truth.note(stamp_ms, now_ms, [_tick_name(message)], anew=True)

    def looked(self) -> None:
        """A book's stamp may move without a word: a dump or a read would show it."""
        for market, truth in self.markets.items():
            face = self.simulation.exchange.faces[market]
            if face.stamp_ms not in truth.books[-1].stamps:
                truth.note(face.stamp_ms, self.simulation.now_ms, [face.hash("YES"), face.hash("NO")])

    def heard(self, text: str) -> None:
        for market, name in _names(text):
            self.markets[market].hear(name)

    def read(self, event: BooksRead) -> None:
        for book in event.books:
            if book.market in self.markets:
                self.markets[book.market].hint(book.hash)
                self._read.append((self.simulation.now_ms + self._grace_ms, book.market, book.hash))

    def acted(self, actions: Sequence[Action]) -> None:
        """Actions are judged by what they lead to, in :meth:`settled`."""

    def settled(self) -> None:
        engine, now_ms, now_s = self.simulation.engine, self.simulation.now_ms, self.simulation.now_s
        while self._read and self._read[0][0] <= now_ms:
            _, market, name = self._read.popleft()
            self.markets[market].hear(name)
        for market, desk in engine.desks.items():
            truth = self.markets[market]
            why_not = why_not_quote(msgspec.structs.replace(engine.facts(desk, now_s), micro="ok", stance=""))
            if not truth.changes or bool(truth.changes[-1].why_not) != bool(why_not):
                truth.changes.append(Change(now_ms, why_not))
            at_risk = engine.orders.at_risk(market)
            if any(order.state is not State.CANCEL_SENT and not order.cancel_wanted for order in at_risk):
                truth.pulled_ms = None
            elif truth.pulled_ms is None:
                truth.pulled_ms = now_ms
            self._judge(desk, truth, why_not)

    def _judge(self, desk: Desk, truth: MarketTruth, why_not: str) -> None:
        now_ms, book, levels = self.simulation.now_ms, desk.tracked, levels_of(desk)
        if why_not or truth.knows(levels):
            truth.mixed_ms = None
        elif not truth.may_think(levels, book.timestamp_ms):
            raise Violation(self._told(desk, truth))
        elif truth.mixed_ms is None:
            truth.mixed_ms = now_ms
        self.checks += not why_not
        missing_ms = truth.missing_ms(now_ms)
        if not why_not or truth.pulled_ms is None:
            self.longest_ms = max(self.longest_ms, missing_ms)
            self._limit(missing_ms, "quotable without news" if not why_not else "not pulled without news", desk, truth)
        if truth.mixed_ms is not None:
            self._limit(now_ms - truth.mixed_ms, "on another state of its millisecond", desk, truth)

    def _limit(self, lasting_ms: int, what: str, desk: Desk, truth: MarketTruth) -> None:
        if self._within_s is not None and lasting_ms > self._within_s * 1000:
            raise Violation(f"{what} for {lasting_ms} ms: {self._told(desk, truth)}")

    def _told(self, desk: Desk, truth: MarketTruth) -> str:
        book, newest = desk.tracked, truth.newest
        place = list(self.markets).index(desk.market)
        at_s = self.simulation.now_s
        ours, true = levels_of(desk), newest.levels
        differing = [sorted(set(mine) ^ set(real))[:6] for mine, real in zip(ours, true, strict=True)]
        return (
            f"at {at_s:.3f} s market {place} is {book.state} as of {book.timestamp_ms} on {book.instrument.tick_text},"
            f" told of state {truth.told} as of {sorted(newest.stamps)} on {newest.tick_text}; differing bids, asks:"
            f" {differing}"
        )

    def _read_book(self, truth: MarketTruth, message: dict[str, Any]) -> None:
        """Take the YES or the NO book as the whole truth."""
        is_yes = message["asset_id"] == truth.instrument.yes_token
        bids = {parse_micro(level["price"]): parse_micro(level["size"]) for level in message["bids"]}
        asks = {parse_micro(level["price"]): parse_micro(level["size"]) for level in message["asks"]}
        if not is_yes:
            bids, asks = ({MICRO - price: size for price, size in side.items()} for side in (asks, bids))
        truth.bids, truth.asks = bids, asks
        truth.note(int(message["timestamp"]), self.simulation.now_ms, [message["hash"]])


def spoiled(name: str) -> str:
    """What ``bad_hash`` makes of a hash."""
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


def levels_of(desk: Desk) -> Levels:
    """The engine's book."""
    book = desk.tracked.book
    unit, most = book.grid.tick_usd, book.grid.k
    bids = tuple((tick * unit, int(size)) for tick, size in book.best_first("bid", most))
    return bids, tuple((tick * unit, int(size)) for tick, size in book.best_first("ask", most))


def _sorted(bids: dict[int, int], asks: dict[int, int]) -> Levels:
    return tuple(sorted(bids.items(), reverse=True)), tuple(sorted(asks.items()))


_TICK: Final = "tick"


def _tick_name(message: dict[str, Any]) -> str:
    return f"{_TICK}/{message['market']}/{message['timestamp']}/{message['new_tick_size']}"


def _names(text: str) -> Iterator[tuple[str, str]]:
    """Market and name of every state that a frame speaks of."""
    decoded = json.loads(text)
    for message in decoded if isinstance(decoded, list) else [decoded]:
        kind = message.get("event_type")
        if kind == "book":
            yield message["market"], message["hash"]
        elif kind == "price_change":
            yield from ((message["market"], entry["hash"]) for entry in message["price_changes"])
        elif kind == "tick_size_change":
            yield message["market"], _tick_name(message)
