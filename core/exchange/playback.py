"""A recording played as a venue would have sent it: its frames in time, and the books they make.

Pure: the caller says how far the playback has come, in seconds since its start, and is handed the frames that became
due. The file is read a piece at a time, so its size does not matter. What cannot be used is told with its line number
and never stops the playback.

Where the recording does not say what the venue would have answered, nothing is invented: a market has a book only
while the rebuilt one is proved (:mod:`core.market.continuity`), so after a loss of continuity or a change of tick there
is none until the recording holds a full book again.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from math import inf
from pathlib import Path
from typing import Final

import msgspec

from core.errors import MalformedMessage, UsageError
from core.events import MarketMessage
from core.exchange.face import Face
from core.exchange.frames import CUSTOM_KINDS
from core.lab.recording import Line, Problem, infer_instruments, read_lines
from core.lab.replay import LONGEST_SILENCE_SEC
from core.market.continuity import TrackedBook
from core.market.instrument import Instrument
from core.units import Outcome, Ticks
from core.venue.wire import decode_frame, salvage_frame

FIRST_PIECE: Final = 2_000
"""Lines read before anything is played: whose markets a client can find at the start."""
PIECE: Final = 200
"""Lines read at a time after that; a few milliseconds of work."""
PROBLEMS_TOLD: Final = 100
"""Problems told one by one; more are only counted."""
_PAUSE_MS: Final = LONGEST_SILENCE_SEC * 1000
_USER: Final = frozenset({"order", "trade"})
_text: Final = msgspec.json.Decoder(str)


class PlayedFrame(msgspec.Struct, frozen=True):
    """One recorded frame of the market channel and who is to get it."""

    line: int
    text: str
    """As it stands in the file."""
    due_s: float
    """When it is to be sent, recorded seconds since the first frame."""
    origin_ms: float
    """Recorded unix milliseconds of the start; moves when the recorder paused."""
    messages: tuple[MarketMessage, ...]
    tokens: frozenset[str]
    """Tokens with an event for everybody in it."""
    custom_tokens: frozenset[str]
    """Tokens with an event in it for sockets with custom features."""
    announces: bool
    """Holds a ``new_market``, which every socket with custom features gets."""

    def concerns(self, tokens: set[str], custom: bool) -> bool:
        """A socket with these subscriptions gets the frame, whole."""
        if not self.tokens.isdisjoint(tokens):
            return True
        return custom and (self.announces or not self.custom_tokens.isdisjoint(tokens))

    @property
    def is_dump(self) -> bool:
        """Nothing but the first books of a subscription, which alone state their tick."""
        return all(message.event_type == "book" and message.tick_size for message in self.messages)


class _PlayedFace(Face):
    """A rebuilt book in the words of the exchange."""

    def __init__(self, tracked: TrackedBook, last_side: str) -> None:
        super().__init__(tracked.instrument, Ticks(1), tracked.timestamp_ms)
        self.last_trade_price = tracked.last_trade
        self.last_trade_side = last_side
        self._book = tracked.book

    def levels_json(self, outcome: Outcome) -> str:
        """The levels with the recorded size texts."""
        return self._book.hash_levels(outcome)

    def top(self, outcome: Outcome) -> tuple[Ticks | None, Ticks | None]:
        """Best bid and ask in the token's frame."""
        bid, ask = self._book.best_bid, self._book.best_ask
        if outcome == "YES":
            return bid, ask
        turn = self.instrument.grid.complement
        return (None if ask is None else turn(ask)), (None if bid is None else turn(bid))


class PlayedMarket:
    """One market of the recording at the present position."""

    def __init__(self, instrument: Instrument) -> None:
        self.tracked = TrackedBook(instrument)
        self.resolved = ""
        """Token that won; "" while the market is open."""
        self._last_side = ""
        self._last_book: MarketMessage | None = None
        self._now = 0.0

    @property
    def instrument(self) -> Instrument:
        """The market with its present tick."""
        return self.tracked.instrument

    def face(self) -> Face | None:
        """The book as the exchange tells it; None while none is proved, and after the resolution."""
        return _PlayedFace(self.tracked, self._last_side) if self.tracked.synced and not self.resolved else None

    def see(self, message: MarketMessage, now: float) -> str:
        """Take one event at ``now``, recorded seconds; returns why continuity was lost if it was.

        Raises:
            MalformedMessage: the event cannot be used; nothing has changed.
        """
        gaps, self._now = self.tracked.gaps, now
        match message.event_type:
            case "book":
                self._take_book(message)
            case "price_change":
                self.tracked.apply_changes(message, now)
            case "last_trade_price":
                self.tracked.remember_trade(message.price)
                self._last_side = message.side
            case "tick_size_change" if message.new_tick_size != self.instrument.tick_text:
                self.tracked.change_tick(message.new_tick_size, now, message.timestamp)
            case "market_resolved":
                self.resolved = message.winning_asset_id or "nobody"
        return self.tracked.reason if self.tracked.gaps != gaps else ""

    def complete(self, other_token: str) -> None:
        """Name the second token of a market that was met with one; no change can have been applied before."""
        self.tracked = TrackedBook(msgspec.structs.replace(self.instrument, no_token=other_token))
        if self._last_book is not None:
            self.tracked.apply_book(self._last_book, self._now)

    def _take_book(self, message: MarketMessage) -> None:
        if message.tick_size in ("", self.instrument.tick_text):
            self.tracked.apply_book(message, self._now)
            self._last_book = message
            return
        fresh = TrackedBook(self.instrument)
        fresh.change_tick(message.tick_size, self._now)
        fresh.apply_book(message, self._now)
        self.tracked, self._last_book = fresh, message


class Playback:
    """One recording and how far it has been played."""

    def __init__(self, path: Path, gamma: dict[str, Instrument], tell: Callable[[str], None]) -> None:
        """Read the beginning of the file.

        Args:
            path: JSON lines of ``{"t", "raw"}``, plain or gzip.
            gamma: instruments that need not be inferred, by condition id.
            tell: takes one line of text about each thing that could not be used, and about the end.

        Raises:
            UsageError: the file cannot be read or holds no frame of the market channel.
        """
        self.markets: dict[str, PlayedMarket] = {}
        self.by_token: dict[str, tuple[str, Outcome]] = {}
        self.unusable = 0
        """Lines, frames or events that could not be used."""
        self.played = 0
        """Frames handed out."""
        self._path = path
        self._gamma = gamma
        self._tell = tell
        self._read: list[Problem] = []
        self._timeline = _Timeline()
        self._origin_ms = 0.0
        self._frames = self._frame_by_frame()
        self._primed: list[PlayedFrame] = []
        try:
            self._next = next(self._frames, None)
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({error}); give the path of a recording") from error
        if self._next is None:
            raise UsageError(f"{path}: no frame of the market channel in it; give the path of a recording")
        self._origin_ms = self._next.origin_ms
        while self._next is not None and self._next.due_s == 0.0 and self._next.is_dump:
            self._apply(self._next)
            self._primed.append(self._next)
            self._next = self._take()

    @property
    def next_due_s(self) -> float:
        """When the next frame is due; infinity at the end."""
        return 0.0 if self._primed else inf if self._next is None else self._next.due_s

    def unix_ms_at(self, position_s: float) -> int:
        """Recorded time at a position that has been played, unix milliseconds."""
        return round(self._origin_ms + position_s * 1000)

    def play_until(self, position_s: float) -> Iterator[PlayedFrame]:
        """Yield the frames due up to a position, the books having taken each just before it is yielded."""
        while (frame := self._due(position_s)) is not None:
            self.played += 1
            yield frame
            if self.next_due_s == inf:
                self._tell(f"end of the recording: {self.played} frames played, {self.unusable} problems")

    def face(self, token: str) -> tuple[Face, Outcome] | None:
        """A token's book at the present position; None when there is none."""
        place = self.by_token.get(token)
        face = None if place is None else self.markets[place[0]].face()
        return None if place is None or face is None else (face, place[1])

    def instrument(self, token: str) -> Instrument | None:
        """The market of a token; None for a stranger."""
        place = self.by_token.get(token)
        return None if place is None else self.markets[place[0]].instrument

    def _due(self, position_s: float) -> PlayedFrame | None:
        """The next frame if it is due, taken by the books."""
        if self._primed:
            return self._primed.pop(0)
        frame = self._next
        if frame is None or frame.due_s > position_s:
            return None
        self._origin_ms = frame.origin_ms
        self._apply(frame)
        self._next = self._take()
        return frame

    def _apply(self, frame: PlayedFrame) -> None:
        for message in frame.messages:
            market = self.markets.get(message.market)
            if market is None:
                continue
            try:
                lost = market.see(message, frame.due_s)
            except MalformedMessage as error:
                self._problem(frame.line, f"{message.event_type}: {error}")
                continue
            if lost:
                self._problem(frame.line, f"continuity lost, no book until the next full one: {lost}")

    def _take(self) -> PlayedFrame | None:
        try:
            return next(self._frames, None)
        except OSError as error:
            self._tell(f"the recording cannot be read any further: {error}")
            return None

    def _frame_by_frame(self) -> Iterator[PlayedFrame]:
        lines = read_lines(self._path, self._read)
        piece = self._piece(lines, FIRST_PIECE)
        while piece:
            yield from filter(None, piece)
            piece = self._piece(lines, PIECE)

    def _piece(self, lines: Iterator[tuple[int, Line]], most: int) -> list[PlayedFrame | None]:
        """Read and decode ahead, and learn the markets; one item for each line, empty only at the end."""
        read = list(islice(lines, most))
        for problem in self._read:
            self._problem(problem.line, problem.problem)
        self._read.clear()
        piece = [self._frame(number, line) for number, line in read]
        self._learn([message for frame in piece if frame is not None for message in frame.messages])
        return piece

    def _frame(self, number: int, line: Line) -> PlayedFrame | None:
        """Make a line a frame; None when there is nothing in it to be sent."""
        raw = bytes(line.raw)
        try:
            text = _text.decode(raw) if raw[:1] == b'"' else raw.decode()
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._problem(number, f"not text: {error}")
            return None
        try:
            messages = decode_frame(text)
        except MalformedMessage as error:
            messages, bad = salvage_frame(text)
            self._problem(number, str(error), bad)
        if any(message.event_type in _USER for message in messages):
            self._problem(number, "a frame of the user channel is not played")
            return None
        if not messages:
            return None
        milliseconds = line.t if line.t is not None else max(message.timestamp for message in messages)
        due_s, origin_ms = self._timeline.place(milliseconds)
        plain = [message for message in messages if message.event_type not in CUSTOM_KINDS]
        custom = [message for message in messages if message.event_type in CUSTOM_KINDS]
        return PlayedFrame(
            line=number,
            text=text,
            due_s=due_s,
            origin_ms=origin_ms,
            messages=tuple(messages),
            tokens=_tokens(plain),
            custom_tokens=_tokens(custom),
            announces=any(message.event_type == "new_market" for message in custom),
        )

    def _learn(self, messages: list[MarketMessage]) -> None:
        named = dict.fromkeys(message.market for message in messages)
        known = {market: played.instrument for market, played in self.markets.items()}
        given = {market: self._gamma[market] for market in named if market in self._gamma and market not in known}
        inferred = infer_instruments(messages, known | given)
        for instrument in (*given.values(), *inferred):
            self.markets[instrument.market] = PlayedMarket(instrument)
            self.by_token[instrument.yes_token] = (instrument.market, "YES")
            if instrument.no_token:
                self.by_token[instrument.no_token] = (instrument.market, "NO")
        for message in messages:
            market = self.markets.get(message.market)
            if market is not None and not market.instrument.no_token:
                others = sorted(_tokens([message]) - {market.instrument.yes_token})
                if others:
                    market.complete(others[0])
                    self.by_token[others[0]] = (message.market, "NO")

    def _problem(self, line: int, text: str, count: int = 1) -> None:
        if self.unusable < PROBLEMS_TOLD:
            self._tell(f"line {line}: {text}")
            if self.unusable + count >= PROBLEMS_TOLD:
                self._tell("more problems are only counted")
        self.unusable += count


class _Timeline:
    """Where in the playback a recorded moment lies: it never goes back, and a pause of the recorder is cut short."""

    def __init__(self) -> None:
        self._position_ms = 0.0
        self._origin_ms = 0.0
        """0 while no frame has told a time."""

    def place(self, unix_ms: float) -> tuple[float, float]:
        """Seconds since the first frame, and the recorded moment of that start; 0 stands for no time told."""
        self._origin_ms = self._origin_ms or unix_ms
        ahead_ms = unix_ms - self._origin_ms - self._position_ms if unix_ms else 0.0
        if ahead_ms < -_PAUSE_MS:
            self._origin_ms += ahead_ms
        elif ahead_ms > _PAUSE_MS:
            self._origin_ms += ahead_ms - _PAUSE_MS
            self._position_ms += _PAUSE_MS
        else:
            self._position_ms += max(0.0, ahead_ms)
        return self._position_ms / 1000, self._origin_ms


def _tokens(messages: list[MarketMessage]) -> frozenset[str]:
    """Every token the events are about."""
    return frozenset(
        token
        for message in messages
        for token in (
            *((message.asset_id,) if message.asset_id else ()),
            *(change.asset_id for change in message.price_changes or ()),
            *message.assets_ids,
        )
    )
