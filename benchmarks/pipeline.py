"""The product's hot path without sockets: one text frame to book, signals and the need of a decision.

:func:`factory` is for any harness. The objects are the product's own (Ingest, Engine, its desks and books), joined as
the session joins them; nothing is decided or applied here. One object is one session: stamps must not go back.
"""

import math
import time
from collections import deque
from typing import Final

import msgspec

from core.config import Settings
from core.engine import Engine
from core.events import FeedChanged, InstrumentAdded, MarketMessage, Woken
from core.market.continuity import ProofPolicy, TrackedBook
from core.market.instrument import Instrument
from core.runtime.ingest import Ingest
from core.units import Shares, parse_micro
from core.venue.wire import decode_frame, salvage_frame

HANDED_OVER: Final = 100
"""Frames the stand-in of the recorder keeps: the hand-over is part of the path, the writing thread is not."""
HOUSEKEEPING_SEC: Final = 1.0
USUAL_MIN_SIZE: Final = "5"
NEVER: Final = 10**9
"""For ``checks``: no hash is compared."""
Tokens = dict[str, dict[str, str]]
Top = tuple[float | None, float | None]


def factory(tokens: Tokens, *, signals: bool = True, checks: int | None = None) -> "Pipeline | BooksOnly":
    """The hot path for these tokens.

    Args:
        tokens: asset id -> ``market`` (condition id) and ``tick`` (price text); ``min_size`` (text, else "5") and
            ``neg_risk`` ("true", else not) are parts of the hash, and without the right ones only touches are checked.
            The first of a market is its YES. The other token of a market with one listed is learned from its messages.
        signals: with engine and desks; otherwise books and their proof alone.
        checks: compare the hash of one change in so many; None leaves it to the engine, which samples at high rates.
    """
    return Pipeline(tokens, checks) if signals else BooksOnly(tokens, checks)


class Pipeline:
    """Everything on: continuity, hashes, counters, recorder hand-over, signals, the test whether to decide."""

    def __init__(self, tokens: Tokens, checks: int | None) -> None:
        self.requotes = 0
        """Frames after which a market wanted a decision."""
        self._engine = Engine(Settings(), own_in_book=True)
        self._recorder = _Recorder()
        self._ingest = Ingest(self._take, self._engine.data.find, self._recorder.take)
        self._wake_s = math.inf
        now = time.monotonic()
        instruments = _instruments(tokens)
        for instrument in instruments:
            self._engine.handle(InstrumentAdded(instrument), now)
        self._engine.handle(FeedChanged(feed="market", connected=True), now)
        self._engine.handle(FeedChanged(feed="user", connected=True), now)
        if checks is None:
            self._wake_s = now + HOUSEKEEPING_SEC
        else:
            self._engine.data.proof.every = checks
            self._engine.data.measure = _leave_alone  # type: ignore[method-assign]
        self._lonely = _Lonely(instruments)

    def feed(self, raw: str | bytes) -> bool:
        """Take one frame as it came from the socket; says whether anything in it was usable."""
        now = time.monotonic()
        if self._lonely.markets:
            self._meet_partners(raw, now)
        if now >= self._wake_s:
            self._engine.handle(Woken(unix=time.time()), now)
            self._wake_s = now + HOUSEKEEPING_SEC
        return self._ingest.frame(raw, now)

    def top(self, asset_id: str) -> Top:
        """Best bid and ask of a token in dollars; None on an empty side."""
        return _top(self._engine.data.find(asset_id), asset_id)

    def _take(self, message: MarketMessage, now: float) -> None:
        engine = self._engine
        engine.handle(message, now)
        desk = engine.desks.get(message.market)
        if desk is not None and desk.is_due:
            self.requotes += 1
            desk.seen(now)

    def _meet_partners(self, raw: str | bytes, now: float) -> None:
        for instrument, book in self._lonely.look(raw):
            self._engine.data.remove(self._engine.desks[instrument.market])
            self._engine.handle(InstrumentAdded(instrument), now)
            self._engine.handle(
                FeedChanged(feed="market", connected=True, tokens=(instrument.yes_token, instrument.no_token)), now
            )
            if book is not None:
                self._take(book, now)


class BooksOnly:
    """Books and their proof: decoding, continuity, hashes, counters, recorder hand-over; no signals."""

    def __init__(self, tokens: Tokens, checks: int | None) -> None:
        self._policy = ProofPolicy(every=checks or 1)
        self._books: dict[str, TrackedBook] = {}
        self._by_token: dict[str, TrackedBook] = {}
        self._recorder = _Recorder()
        self._ingest = Ingest(self._take, self._by_token.get, self._recorder.take)
        instruments = _instruments(tokens)
        for instrument in instruments:
            self._add(instrument)
        self._lonely = _Lonely(instruments)

    def feed(self, raw: str | bytes) -> bool:
        """Take one frame as it came from the socket; says whether anything in it was usable."""
        now = time.monotonic()
        if self._lonely.markets:
            for instrument, book in self._lonely.look(raw):
                self._add(instrument)
                if book is not None:
                    self._take(book, now)
        return self._ingest.frame(raw, now)

    def top(self, asset_id: str) -> Top:
        """Best bid and ask of a token in dollars; None on an empty side."""
        return _top(self._by_token.get(asset_id), asset_id)

    def _add(self, instrument: Instrument) -> None:
        tracked = TrackedBook(instrument, self._policy)
        self._books[instrument.market] = tracked
        self._by_token |= {instrument.yes_token: tracked, instrument.no_token: tracked}

    def _take(self, message: MarketMessage, now: float) -> None:
        tracked = self._books.get(message.market)
        if tracked is None:
            return
        if message.event_type == "price_change":
            tracked.apply_changes(message, now)
        elif message.event_type == "book":
            tracked.apply_book(message, now)
        elif message.event_type == "last_trade_price":
            tracked.remember_trade(message.price)


class _Recorder:
    """Takes frames over as :class:`core.store.recorder.Recorder` does, and forgets the oldest instead of writing."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, bytes | str]] = deque(maxlen=HANDED_OVER)
        self._put = 0

    def take(self, frame: bytes | str, now: float) -> None:
        """Hand over a frame."""
        self._waiting.append((now, frame))
        self._put += len(frame)


class _Lonely:
    """Markets of which one token is known. The venue tells changes for both, also to who asked for one only."""

    def __init__(self, instruments: list[Instrument]) -> None:
        self.markets = {one.market: one for one in instruments if one.no_token == _unheard(one.market)}
        self._books: dict[str, MarketMessage] = {}

    def look(self, raw: str | bytes) -> list[tuple[Instrument, MarketMessage | None]]:
        """Markets whose other token this frame names, with their last full book so far."""
        try:
            messages = decode_frame(raw)
        except ValueError:
            messages, _ = salvage_frame(raw)
        met = []
        for message in messages:
            instrument = self.markets.get(message.market)
            if instrument is None:
                continue
            if message.event_type == "book" and message.asset_id == instrument.yes_token:
                self._books[message.market] = message
            others = [c.asset_id for c in message.price_changes or () if c.asset_id != instrument.yes_token]
            if others:
                del self.markets[message.market]
                paired = msgspec.structs.replace(instrument, no_token=others[0])
                met.append((paired, self._books.pop(message.market, None)))
        return met


def _leave_alone(now: float) -> None:
    """In place of measuring the rate, by which the engine chooses how many hashes are checked."""


def _unheard(market: str) -> str:
    """Stands for the other token of a market until a frame names it."""
    return f"other token of {market}"


def _instruments(tokens: Tokens) -> list[Instrument]:
    """Markets of the tokens listed."""
    pairs: dict[str, list[str]] = {}
    for token, about in tokens.items():
        pairs.setdefault(about["market"], []).append(token)
    return [
        Instrument(
            market=market,
            yes_token=pair[0],
            no_token=pair[1] if len(pair) > 1 else _unheard(market),
            title=market,
            tick_text=tokens[pair[0]]["tick"],
            min_size=Shares(parse_micro(tokens[pair[0]].get("min_size", USUAL_MIN_SIZE))),
            min_size_text=tokens[pair[0]].get("min_size", USUAL_MIN_SIZE),
            neg_risk=tokens[pair[0]].get("neg_risk") == "true",
        )
        for market, pair in pairs.items()
    ]


def _top(tracked: TrackedBook | None, asset_id: str) -> Top:
    if tracked is None:
        return None, None
    book, k = tracked.book, tracked.instrument.grid.k
    bid, ask = book.best_bid, book.best_ask
    if asset_id != tracked.instrument.yes_token:
        bid, ask = (None if ask is None else k - ask), (None if bid is None else k - bid)
    return (None if bid is None else bid / k), (None if ask is None else ask / k)
