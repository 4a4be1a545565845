"""What our bars are multiples of: the leanest decode-and-apply we can write, and the plain script of a beginner.

The lean ones follow performance.md 4: one flat msgspec struct with the fields needed and no more, price text to tick by
lookup, float sizes in a dense list a side with the best tick kept beside it, both tokens' books apart, and a book whose
hash the change before it stated is not decoded. They check nothing; they are exact on a stream without faults only.
"""

import json
import math
import time
from typing import Final, Literal, Protocol

import msgspec

LONG: Final = 1_000
"""Characters; a longer frame is a book."""
EWMA: Final = 0.05
ALPHA, JUMP, CUTOFF, SAMPLE_SEC, WINDOW_SEC = 0.2, 0.05, 5.0, 5.0, 600.0
"""Of the signals by plain means, as the project's settings have them."""
SKEW: Final = 0.0


class Candidate(Protocol):
    """What the harness drives."""

    def feed(self, raw: str) -> object:
        """Take one text frame through the whole path."""

    def top(self, asset_id: str) -> tuple[float | None, float | None]:
        """Best bid and ask in dollars."""


class _Entry(msgspec.Struct, gc=False):
    asset_id: str
    price: str
    size: float
    side: Literal["BUY", "SELL"]
    hash: str


class _Level(msgspec.Struct, gc=False):
    price: str
    size: float


class _Changes(msgspec.Struct, gc=False):
    price_changes: tuple[_Entry, ...] = ()


class _FullBook(msgspec.Struct, gc=False):
    asset_id: str
    hash: str
    bids: list[_Level]
    asks: list[_Level]


_changes: Final = msgspec.json.Decoder(_Changes, strict=False).decode
_book: Final = msgspec.json.Decoder(_FullBook, strict=False).decode
_dump: Final = msgspec.json.Decoder(list[_FullBook], strict=False).decode


class _Ladder:
    """One token's book."""

    __slots__ = ("ask", "asks", "bid", "bids", "fair", "hash", "k", "quoted_ask", "quoted_bid", "ticks")

    def __init__(self, ticks: dict[str, int]) -> None:
        self.ticks = ticks
        self.k = len(ticks) + 1
        self.bids: list[float] = []
        self.asks: list[float] = []
        self.bid, self.ask = 0, self.k
        self.hash = ""
        self.fair = 0.0
        self.quoted_bid = self.quoted_ask = -1

    def load(self, message: _FullBook) -> None:
        ticks = self.ticks
        bids = self.bids = [0.0] * (self.k + 1)
        for level in message.bids:
            bids[ticks[level.price]] = level.size
        asks = self.asks = [0.0] * (self.k + 1)
        for level in message.asks:
            asks[ticks[level.price]] = level.size
        self.bid = ticks[message.bids[-1].price] if message.bids else 0
        self.ask = ticks[message.asks[-1].price] if message.asks else self.k
        self.hash = message.hash


class RefSkip:
    """``ref-skip``: text frame to best bid and ask of each token touched."""

    def __init__(self, tokens: dict[str, dict[str, str]]) -> None:
        grids = {tick: _spellings(round(1 / float(tick))) for tick in {token["tick"] for token in tokens.values()}}
        self.books = {asset_id: _Ladder(grids[token["tick"]]) for asset_id, token in tokens.items()}

    def feed(self, raw: str | bytes) -> tuple[_Entry, ...]:
        """Take one frame; returns the entries applied."""
        if len(raw) > LONG:
            self._long(raw)
            return ()
        changes = _changes(raw).price_changes
        books = self.books
        for change in changes:
            book = books[change.asset_id]
            tick = book.ticks[change.price]
            book.hash = change.hash
            if change.side == "BUY":
                size = book.bids[tick] = change.size
                if tick >= book.bid:
                    if size:
                        book.bid = tick
                    elif tick == book.bid:
                        levels = book.bids
                        while tick and not levels[tick]:
                            tick -= 1
                        book.bid = tick
            else:
                size = book.asks[tick] = change.size
                if tick <= book.ask:
                    if size:
                        book.ask = tick
                    elif tick == book.ask:
                        levels, k = book.asks, book.k
                        while tick < k and not levels[tick]:
                            tick += 1
                        book.ask = tick
            book.bid, book.ask  # noqa: B018  reading the touch is part of the work
        return changes

    def _long(self, raw: str | bytes) -> None:
        if isinstance(raw, bytes):
            raw = raw.decode()
        if raw[0] == "[":
            for message in _dump(raw):
                self.books[message.asset_id].load(message)
            return
        at = raw.find('"asset_id":"') + 12
        book = self.books[raw[at : raw.find('"', at)]]
        at = raw.rfind('"hash":"') + 8
        if raw[at : at + 40] != book.hash:
            book.load(_book(raw))

    def top(self, asset_id: str) -> tuple[float | None, float | None]:
        """Best bid and ask in dollars; None on an empty side."""
        book = self.books[asset_id]
        return (book.bid / book.k if book.bid else None, book.ask / book.k if book.ask < book.k else None)


class RefDecide(RefSkip):
    """``ref-decide``: the same, then for each token touched mid, microprice, average, two-sided quote, requote test."""

    def __init__(self, tokens: dict[str, dict[str, str]]) -> None:
        super().__init__(tokens)
        self.requotes = 0

    def feed(self, raw: str | bytes) -> tuple[_Entry, ...]:
        """Take one frame and see whether the quotes should move."""
        changes = RefSkip.feed(self, raw)
        for change in changes:
            book = self.books[change.asset_id]
            bid, ask = book.bid, book.ask
            if not bid or ask == book.k:
                continue
            bid_size, ask_size = book.bids[bid], book.asks[ask]
            mid = (bid + ask) / 2
            micro = (bid * ask_size + ask * bid_size) / (bid_size + ask_size)
            before = book.fair or micro
            fair = book.fair = before + EWMA * (micro - before)
            half = max(1.0, ask - mid)
            low = min(int(fair - half - SKEW), ask - 1)
            high = max(int(fair + half - SKEW) + 1, bid + 1)
            if low != book.quoted_bid or high != book.quoted_ask:
                book.quoted_bid, book.quoted_ask = low, high
                self.requotes += 1
        return changes


class JsonDicts:
    """``json`` and a dict of levels a side and token; best prices by ``max`` and ``min``."""

    def __init__(self, tokens: dict[str, dict[str, str]]) -> None:
        self.books: dict[str, tuple[dict[float, float], dict[float, float]]] = {token: ({}, {}) for token in tokens}

    def feed(self, raw: str) -> None:
        """Take one frame."""
        decoded = json.loads(raw)
        for message in decoded if isinstance(decoded, list) else [decoded]:
            if message["event_type"] == "book":
                self.books[message["asset_id"]] = (
                    {float(level["price"]): float(level["size"]) for level in message["bids"]},
                    {float(level["price"]): float(level["size"]) for level in message["asks"]},
                )
                self.top(message["asset_id"])
            elif message["event_type"] == "price_change":
                for change in message["price_changes"]:
                    levels = self.books[change["asset_id"]][0 if change["side"] == "BUY" else 1]
                    price, size = float(change["price"]), float(change["size"])
                    if size:
                        levels[price] = size
                    else:
                        levels.pop(price, None)
                    self.top(change["asset_id"])

    def top(self, asset_id: str) -> tuple[float | None, float | None]:
        """Best bid and ask in dollars; None on an empty side."""
        bids, asks = self.books[asset_id]
        return (max(bids) if bids else None, min(asks) if asks else None)


class JsonSignals:
    """The outputs of our signals by plain means: ``json``, a dict of levels a side and token, sorted at every look.

    Levels are kept under the price text as received and sorted by its number; checked touch, trimmed microprice,
    time-aware average, logit variance.
    """

    def __init__(self, tokens: dict[str, dict[str, str]]) -> None:
        self.books: dict[str, tuple[dict[str, float], dict[str, float]]] = {token: ({}, {}) for token in tokens}
        self.fair: dict[str, tuple[float, float, float]] = {}
        self.variance: dict[str, tuple[float, float, float, float]] = {}
        self.disagreed = 0

    def feed(self, raw: str) -> None:
        """Take one frame and renew the signals of each token it touched."""
        now = time.monotonic()
        decoded = json.loads(raw)
        for message in decoded if isinstance(decoded, list) else [decoded]:
            if message["event_type"] == "book":
                bids = {level["price"]: float(level["size"]) for level in message["bids"]}
                asks = {level["price"]: float(level["size"]) for level in message["asks"]}
                self.books[message["asset_id"]] = (bids, asks)
                self._signals(message["asset_id"], now)
            elif message["event_type"] == "price_change":
                for change in message["price_changes"]:
                    self._change(change)
                    touch = self._signals(change["asset_id"], now)
                    self.disagreed += touch != (float(change["best_bid"]), float(change["best_ask"]))

    def top(self, asset_id: str) -> tuple[float | None, float | None]:
        """Best bid and ask in dollars; None on an empty side."""
        bids, asks = self.books[asset_id]
        return (max(map(float, bids)) if bids else None, min(map(float, asks)) if asks else None)

    def _change(self, change: dict[str, str]) -> None:
        side = self.books[change["asset_id"]][0 if change["side"] == "BUY" else 1]
        size = float(change["size"])
        if size == 0:
            side.pop(change["price"], None)
        else:
            side[change["price"]] = size

    def _signals(self, token: str, now: float) -> tuple[float, float]:
        book = self.books[token]
        bids = sorted(book[0].items(), key=_number, reverse=True)
        asks = sorted(book[1].items(), key=_number)
        if not bids or not asks:
            return 0.0, 1.0
        (bid, bid_size), (ask, ask_size) = _trimmed(bids), _trimmed(asks)
        micro = (bid * ask_size + ask * bid_size) / (bid_size + ask_size)
        value, last, at = self.fair.get(token, (micro, micro, now))
        value = last + (value - last) * math.exp((now - at) * math.log(1 - ALPHA))
        self.fair[token] = (micro if abs(micro - value) >= JUMP else value, micro, now)
        self._sample(token, math.log(micro / (1 - micro)), now)
        return float(bids[0][0]), float(asks[0][0])

    def _sample(self, token: str, x: float, now: float) -> None:
        squares, weight, last, at = self.variance.get(token, (0.0, 0.0, x, now))
        if now - at >= SAMPLE_SEC:
            decay = math.exp(-(now - at) / WINDOW_SEC)
            squares, weight = squares * decay + (x - last) ** 2, weight * decay + WINDOW_SEC * (1 - decay)
            last, at = x, now
        self.variance[token] = (squares, weight, last, at)


def _number(level: tuple[str, float]) -> float:
    return float(level[0])


def _trimmed(levels: list[tuple[str, float]]) -> tuple[float, float]:
    """The best level once so many shares have been seen."""
    seen = 0.0
    for price, size in levels:
        seen += size
        if seen >= CUTOFF:
            return float(price), size
    return float(levels[0][0]), levels[0][1]


def _spellings(k: int) -> dict[str, int]:
    """Price text -> tick for every price between 0 and 1."""
    return {f"{tick / k:g}": tick for tick in range(1, k)}
