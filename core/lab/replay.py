"""A recording through the engine, with orders at a paper venue.

Time is the recording's: the receive times where it has them, else the venue's stamps. A recording does not keep the
channel's PONGs, so the feed counts as alive as long as the recording lasts, heard every five seconds like a live one;
and nobody can be asked for a book, so silence is not audited.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from core.actions import Action, Cancel, CancelAll, CancelMarket, Note, Place, ReadAccount, ReadOrder, ReadScoring
from core.config import Settings
from core.engine import Engine
from core.errors import MalformedMessage, UsageError
from core.events import (
    AccountSeen,
    Event,
    FeedAlive,
    FeedChanged,
    InstrumentAdded,
    MarketMessage,
    OperatorCommand,
    OrderSigned,
    ScoringSeen,
    StopRequested,
    Woken,
)
from core.lab.recording import Line, Problem, infer_instruments, read_lines
from core.market.continuity import Evidence
from core.market.instrument import Instrument
from core.profiles import Profiles
from core.units import usd_from_float
from core.venue.channel import PING_SEC
from core.venue.paper import PaperVenue
from core.venue.user_channel import decode_user_frame
from core.venue.wire import decode_frame, salvage_frame

CHUNK: Final = 2_000
"""Lines decoded ahead, so that a market's second token is known before its first book is used."""
LONGEST_SILENCE_SEC: Final = 600.0
"""A longer gap between two frames is a pause of the recorder: the engine does not live through it."""
PROBLEMS_KEPT: Final = 1_000
_encode: Final = msgspec.json.Encoder().encode
_LEAST_UNIX: Final = 1e8
"""Seconds; smaller numbers are times since the start of a recording, none of which lasts three years."""
_LEAST_MS: Final = 1e11
"""Numbers from here on are milliseconds since 1970."""


class Moment(NamedTuple):
    """A time of a recording."""

    seconds: float
    """Since 1970, or since the recording's start."""
    is_unix: bool


def parse_moment(text: str) -> Moment:
    """Read seconds since a recording's start, seconds or milliseconds since 1970, or an ISO time (UTC without a zone).

    Raises:
        UsageError: it is none of them.
    """
    try:
        number = float(text)
        is_unix = number >= _LEAST_UNIX
        number = number / 1000 if number >= _LEAST_MS else number
    except ValueError:
        number, is_unix = _iso(text), True
    if not 0 <= number < float("inf"):
        raise UsageError(
            f"{text[:40]!r} is no time: give seconds since the start, unix seconds, or 2026-09-07T12:30:00"
        )
    return Moment(number, is_unix)


def _iso(text: str) -> float:
    """Seconds since 1970 of an ISO time; less than nothing when it is none."""
    try:
        told = datetime.fromisoformat(text)
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return -1.0


Pacer = Callable[[float], None]
"""Called with the recording's time, seconds since its start, before anything happens at it; may wait."""
_Frame = tuple[int, float | None, list[MarketMessage], bytes]


class Replay:
    """One run of one recording."""

    def __init__(
        self, path: Path, settings: Settings, gamma: dict[str, Instrument], profiles: Profiles | None = None
    ) -> None:
        """``gamma`` holds instruments that need not be inferred; ``profiles`` as for the engine."""
        self.path = path
        self.engine = Engine(replace(settings, audit_sec=0.0), own_in_book=False, profiles=profiles)
        self.engine.data.proof.both = True
        self.venue = PaperVenue(lambda market: self.engine.desks[market].tracked)
        self.problems: list[Problem] = []
        self.unusable = 0
        """Lines, frames or messages that could not be used."""
        self.frames = 0
        self.now = 0.0
        """Seconds since the first frame."""
        self.start_unix = 0.0
        self.notes: list[tuple[float, Note]] = []
        """Notes since the last :meth:`take_notes`, with their time."""
        self._settings = settings
        self._gamma = gamma
        self._known: dict[str, Instrument] = {}
        self._decisions = sha256()
        self._heard_s = 0.0
        self._orders = 0

    @property
    def unix(self) -> float:
        """The recording's time, seconds since 1970."""
        return self.start_unix + self.now

    @property
    def decisions_digest(self) -> str:
        """SHA-256 over every action taken so far and its time: equal for equal runs."""
        return self._decisions.hexdigest()

    def evidence(self) -> Evidence:
        """Comparisons of all books with what the venue stated."""
        total = Evidence()
        for desk in self.engine.desks.values():
            total.add(desk.tracked.evidence)
        return total

    def take_notes(self) -> list[tuple[float, Note]]:
        """What happened since the last call."""
        notes, self.notes = self.notes, []
        return notes

    def run(self, pace: Pacer | None = None) -> None:
        """Play the whole recording.

        Raises:
            UsageError: the file cannot be opened.
        """
        self._play(pace, None)

    def run_until(self, moment: Moment) -> bool:
        """Play what came by then and let time go on to it; False when the recording ends before.

        Raises:
            UsageError: the file cannot be opened, or begins later.
        """
        return self._play(None, moment)

    def _play(self, pace: Pacer | None, until: Moment | None) -> bool:
        """Play the recording, or what of it came by a moment; returns whether it went on after that."""
        lines = read_lines(self.path, self.problems)
        started = False
        while chunk := self._decode_chunk(islice(lines, CHUNK)):
            found = self._new_instruments(chunk)
            for instrument in found:
                self._do(InstrumentAdded(instrument))
            if started and found:
                self._cover(found)
            for number, t, messages, raw in chunk:
                at = self._time_of(t, messages)
                if not started:
                    started = True
                    self.start_unix = at or 0.0
                    self._begin()
                    if until is not None and until.is_unix and until.seconds < self.start_unix:
                        raise UsageError(f"{self.path}: begins at unix time {self.start_unix:.3f}, which is later")
                target = self._without_leap(self.now if at is None else at - self.start_unix)
                stop = self._stop_before(target, until)
                if stop is not None:
                    self._advance_to(stop, None)
                    return True
                self._advance_to(target, pace)
                self._frame(number, messages, raw)
        self.unusable += len(self.problems)
        return False

    def command(self, command: OperatorCommand) -> list[Action]:
        """Let an operator act at the present time of the recording."""
        return self._do(command)

    def finish(self, reason: str) -> None:
        """Stop as a session does: nothing new, everything cancelled, the paper venue's last answers heard."""
        self._do(StopRequested(reason))
        while self.venue.next_due() < float("inf"):
            self.now = max(self.now, self.venue.next_due())
            self._hear_venue()
        for desk in self.engine.desks.values():
            desk.tracked.settle_pending()

    # Reading

    def _decode_chunk(self, lines: Iterator[tuple[int, Line]]) -> list[_Frame]:
        frames = []
        for number, line in lines:
            raw = bytes(line.raw)
            try:
                messages = decode_frame(raw)
            except MalformedMessage as error:
                messages, bad = salvage_frame(raw)
                self._problem(number, str(error), bad)
            frames.append((number, line.t, messages, raw))
        return frames

    def _new_instruments(self, chunk: list[_Frame]) -> list[Instrument]:
        everything = [message for _, _, messages, _ in chunk for message in messages]
        told = dict.fromkeys(message.market for message in everything)
        found = [self._gamma[market] for market in told if market in self._gamma and market not in self._known]
        found += infer_instruments(everything, self._known | {one.market: one for one in found})
        self._known.update({instrument.market: instrument for instrument in found})
        return found

    def _cover(self, instruments: list[Instrument]) -> None:
        """The recorder listened to these markets all along."""
        tokens = tuple([token for one in instruments for token in (one.yes_token, one.no_token)])
        self._do(FeedChanged(feed="market", connected=True, tokens=tokens))

    def _time_of(self, t: float | None, messages: list[MarketMessage]) -> float | None:
        """Seconds since 1970; None for a frame that tells no time."""
        milliseconds = t if t is not None else max((message.timestamp for message in messages), default=0)
        return milliseconds / 1000 if milliseconds else None

    def _problem(self, number: int, text: str, count: int = 1) -> None:
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(Problem(number, text))
            count -= 1
        self.unusable += count

    # Playing

    def _begin(self) -> None:
        for feed in ("market", "user"):
            self._do(FeedChanged(feed=feed, connected=True))
        self._do(AccountSeen(cash=usd_from_float(self._settings.paper_cash_usd), holdings=()))

    def _stop_before(self, target: float, until: Moment | None) -> float | None:
        """The engine's time at which to stop when the next frame comes at ``target``; None to go on."""
        if until is None:
            return None
        stop = until.seconds - self.start_unix if until.is_unix else until.seconds
        return max(self.now, stop) if stop < target else None

    def _without_leap(self, target: float) -> float:
        """The engine's time of a frame: what the recorder slept through, or its clock leapt over, is taken out."""
        if target < self.now - LONGEST_SILENCE_SEC:
            self.start_unix += target - self.now  # the recording's clock was set back, or was wrong before
            target = self.now
        elif target - self.now > LONGEST_SILENCE_SEC:
            self.start_unix += target - self.now - LONGEST_SILENCE_SEC
            target = self.now + LONGEST_SILENCE_SEC
        return target

    def _advance_to(self, target: float, pace: Pacer | None) -> None:
        """Let everything happen that is due before ``target``: answers, wake-ups, keep-alives, in order of time."""
        while True:
            wake, due, alive = self.engine.next_wake(), self.venue.next_due(), self._heard_s + PING_SEC
            at = min(wake, due, alive)
            if at > target:
                break
            if pace is not None:
                pace(at)
            self.now = max(self.now, at)
            if due <= at:
                self._hear_venue()
            elif alive <= at:
                self._heard_s = alive
                self._do(FeedAlive("market"))
                self._do(FeedAlive("user"))
            else:
                self._do(Woken(self.unix))
        if pace is not None:
            pace(target)
        self.now = max(self.now, target)

    def _frame(self, number: int, messages: list[MarketMessage], raw: bytes) -> None:
        self.frames += 1
        self._heard_s = self.now
        for message in messages:
            if message.event_type in ("trade", "order"):
                self._user_frame(number, raw)
                return
            desk, tally = self.engine.desks.get(message.market), self.engine.tally
            unknown, gaps = tally.unknown_types, desk.tracked.gaps if desk else 0
            try:
                self._do(message)
                self.venue.see(message, self.now)
            except MalformedMessage as error:
                self._problem(number, f"{message.event_type or 'message'}: {error}")
            if tally.unknown_types != unknown:
                self._problem(number, f"unknown event type {message.event_type[:40]!r}")
            if desk is not None and desk.tracked.gaps != gaps:
                self._problem(number, f"continuity lost: {desk.tracked.reason}")

    def _user_frame(self, number: int, raw: bytes) -> None:
        try:
            for event in decode_user_frame(raw, owner=""):
                self._do(event)
        except MalformedMessage as error:
            self._problem(number, str(error))

    def _hear_venue(self) -> None:
        for event in self.venue.advance(self.now):
            self._do(event)

    def _do(self, event: Event) -> list[Action]:
        """Hand an event to the engine and carry its actions out at the paper venue."""
        actions = self.engine.handle(event, self.now)
        if actions:
            self._decisions.update(b"%.6f" % self.now)
            self._decisions.update(_encode(actions))
            for action in actions:
                self._carry_out(action)
        return actions

    def _carry_out(self, action: Any) -> None:
        match action:
            case Place():
                self._orders += 1
                order_id = f"paper-order-{self._orders}"
                self._do(OrderSigned(intent=action.intent, order_id=order_id))
                self.venue.submit(action, order_id, self.now)
            case Cancel():
                self.venue.cancel(action.order_id, self.now)
            case CancelAll():
                for order_id in self.venue.open_order_ids():
                    self.venue.cancel(order_id, self.now)
            case CancelMarket():
                for order_id in self.venue.orders_of(action.market):
                    self.venue.cancel(order_id, self.now)
            case ReadOrder():
                self._do(self.venue.order_seen(action.order_id, self.now))
            case ReadAccount():
                self._read_account(action)
            case ReadScoring():
                self._do(ScoringSeen(scoring=self.venue.scoring(action.order_ids, self.now)))
            case Note():
                self.notes.append((self.unix, action))
            case _:
                pass

    def _read_account(self, action: ReadAccount) -> None:
        """Orders and trades; paper balances and positions are made of the same fills and would prove nothing."""
        if "orders" in action.sections:
            self._do(self.venue.open_orders(self.now))
        if "trades" in action.sections:
            self._do(self.venue.trades_since(action.after_unix, self.now))
