"""Whether a market is as usual, worth caution, or in the middle of an event; from its prices and trades alone.

What is decided elsewhere (halts, caps, the schedule, the calendar) is not repeated here. Nothing here uses the
direction that the public feed gives a trade: it is unreliable (market-making.md 2.7). Times are monotonic seconds.
"""

import math
from collections import deque
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from core.config import VolSpace
from core.market.book import Level
from core.quoting.volatility import VarianceRate
from core.units import Shares

RegimeName = Literal["normal", "caution", "event"]

MOST_MOVES: Final = 1024
"""Mid changes remembered; the newest of a burst."""
MOST_TRADES: Final = 256
"""Trades and books remembered of a second."""
SWEEP_SEC: Final = 1.0
"""Trades of so long are one sweep, held against the book before them. The channel tells a trade 70 to 230 ms after
the book that it left behind (real-data.md 1), so the book of the same moment is already the swept one."""
STEP_SEC: Final = 1.0
"""A spread factor that decays does so in steps of this."""
_SLACK: Final = 1e-9
"""Thresholds written ">=" accept values short by this (market-making.md 0.4)."""


class RegimeRules(msgspec.Struct, frozen=True):
    """Thresholds of one market (market-making.md 2.10).

    Raises:
        ValueError: a figure is outside its range.
    """

    cooloff_s: float
    """Without quotes after an event."""
    reentry_spread: float
    """Half-spread multiplier when quotes come back, at least 1."""
    decay_s: float
    """In which it falls to 1, linearly."""
    sweep_frac: float
    """Part of the near depth that one sweep must take; 0: nothing is a sweep."""
    sweep_least: Shares
    """Volume below which nothing is a sweep: what makes a level count."""
    caution_spread: float
    """Half-spread multiplier, at least 1."""
    caution_size: float
    """Size multiplier, 0 .. 1."""
    caution_hold_s: float
    """Caution lasts so long after the last price that called for it."""
    window_s: float
    """In which mid changes are counted; also the e-folding time of the short variance."""
    least_moves: int
    """Mid changes in the window without which nothing is concluded from them."""
    one_sided: float
    """Moves up less moves down over all moves, from which on flow is one-sided, 0 .. 1."""
    vol_ratio: float
    """Short over long deviation, from which on the market is agitated, above 1."""

    def __post_init__(self) -> None:
        spans = (self.cooloff_s, self.decay_s, self.caution_hold_s, self.sweep_least)
        is_sound = (
            all(0.0 <= each < math.inf for each in spans)
            and all(1.0 <= each < math.inf for each in (self.reentry_spread, self.caution_spread, self.vol_ratio))
            and 0.0 <= self.caution_size <= 1.0
            and 0.0 <= self.sweep_frac < math.inf
            and 0.0 < self.window_s < math.inf
            and self.least_moves >= 1
            and 0.0 <= self.one_sided <= 1.0
        )
        if not is_sound:
            raise ValueError(f"no rules of regimes: {self!r}")


class RegimeState(NamedTuple):
    """What the regime allows."""

    name: RegimeName
    reason: str
    """What brought it about, in words; "" when normal."""
    may_quote: bool
    spread_factor: float
    """For half-spreads, at least 1."""
    size_factor: float
    """For sizes, 0 .. 1."""
    until_s: float
    """It may change by itself then; only news changes it earlier."""


_NORMAL: Final = RegimeState("normal", "", True, 1.0, 1.0, math.inf)
_UNKNOWN: Final = RegimeState("normal", "", True, 1.0, 1.0, -math.inf)
"""To be judged anew whenever it is asked for."""


class _Book(NamedTuple):
    """The displayed book near the touch at one moment."""

    t: float
    mid: float
    bids: Shares
    asks: Shares


class RegimeWatch:
    """The regime of one market.

    ``event`` follows a jump, a sweep or a flag; without quotes at first, then wide and less so from second to second.
    ``caution`` follows one-sided flow or agitation. An event on top of caution keeps the wider and the smaller of both.
    Asking changes nothing.

    Source: market-making.md 2.10.
    """

    __slots__ = (
        "_books",
        "_caution",
        "_caution_until_s",
        "_event",
        "_event_depth",
        "_event_s",
        "_mid",
        "_moves",
        "_ratio",
        "_rules",
        "_sample_s",
        "_short",
        "_state",
        "_trades",
        "_ups",
    )

    def __init__(self, rules: RegimeRules, space: VolSpace, sample_s: float) -> None:
        """Start normal; ``space`` and ``sample_s`` (least seconds between samples) are those of the long variance."""
        self._rules = rules
        self._short = VarianceRate(rules.window_s, space, sample_s)
        self._sample_s = -math.inf
        """Before this time the short variance keeps no sample."""
        self._ratio = 0.0
        """Short over long deviation as of the last sample."""
        self._mid: float | None = None
        self._moves: deque[tuple[float, bool]] = deque()
        """Time of a mid change, and whether it went up."""
        self._ups = 0
        self._books: deque[_Book] = deque(maxlen=MOST_TRADES)
        self._trades: deque[tuple[float, float, Shares]] = deque(maxlen=MOST_TRADES)
        """Arrival, price in dollars, size."""
        self._event_s, self._event = -math.inf, ""
        self._event_depth = (Shares(0), Shares(0))
        """Bids and asks displayed when the event began, ours among them: less than they were worth prolongs nothing."""
        self._caution_until_s, self._caution = -math.inf, ""
        self._state = _UNKNOWN

    def use(self, rules: RegimeRules, space: VolSpace, sample_s: float) -> None:
        """Go on by other rules; an event or caution under way takes its time by them."""
        self._short = VarianceRate(rules.window_s, space, sample_s)
        self._sample_s, self._ratio = -math.inf, 0.0
        self._rules, self._state = rules, _UNKNOWN

    # What happens

    def begin_event(self, now: float, reason: str) -> None:
        """An event begins or goes on: a jump reset of the fair value, news, a word of the operator.

        Raises:
            ValueError: the time is no number.
        """
        if not -math.inf < now < math.inf:
            raise ValueError(f"no time: {now!r}")
        if now >= self._event_s + self._rules.cooloff_s:
            book = self._book_before(now)
            self._event_depth = (Shares(0), Shares(0)) if book is None else (book.bids, book.asks)
        self._event_s, self._event = max(now, self._event_s), reason
        self._state = _UNKNOWN

    def see_price(self, now: float, mid: float, micro: float, long: VarianceRate) -> None:
        """Take mid and microprice of a believed book, dollars; ``long`` is the variance that quotes are priced with.

        Raises:
            ValueError: an argument is no number, or a price is not strictly between 0 and 1.
        """
        if mid == self._mid and now < self._sample_s:
            return
        if not (0.0 < mid < 1.0 and -math.inf < now < math.inf):
            raise ValueError(f"no mid: {mid!r} at {now!r}")
        if self._short.observe(now, micro):
            short_rate, long_rate = self._short.rate_at(now), long.rate_at(now)
            self._ratio = math.sqrt(short_rate / long_rate) if short_rate and long_rate else 0.0
            self._sample_s = self._short.next_s
            self._heed(now)
        before = self._mid
        if mid == before:
            return
        self._mid = mid
        if before is not None:
            if len(self._moves) == MOST_MOVES:
                self._forget_move()
            self._moves.append((now, mid > before))
            self._ups += mid > before
            self._heed(now)

    def see_book(self, now: float, mid: float, bids: Shares, asks: Shares) -> None:
        """Take how much is displayed near the touch, our own included; :func:`near_depth` counts it.

        Raises:
            ValueError: an argument is no number or outside its range.
        """
        books = self._books
        if books and books[-1].mid == mid and books[-1].bids == bids and books[-1].asks == asks:
            return
        if not (0.0 < mid < 1.0 and -math.inf < now < math.inf and bids >= 0 and asks >= 0):
            raise ValueError(f"no book: {bids!r} / {asks!r} around {mid!r} at {now!r}")
        books.append(_Book(now, mid, bids, asks))

    def see_trade(self, now: float, price: float, size: Shares) -> bool:
        """Take a trade of the tape (YES frame, dollars); True when it completes a sweep, which is an event.

        A trade counts against the side of the book on whose side of the mid it was made, as that was before.

        Raises:
            ValueError: an argument is no number or outside its range.
        """
        if not (0.0 < price < 1.0 and -math.inf < now < math.inf and size > 0):
            raise ValueError(f"no trade: {size!r} at {price!r}, time {now!r}")
        trades = self._trades
        trades.append((now, price, size))
        while trades[0][0] <= now - SWEEP_SEC:
            trades.popleft()
        before = self._book_before(now)
        if before is None or price == before.mid or not self._rules.sweep_frac:
            return False
        bought = price > before.mid
        volume = sum(each for _, at, each in trades if (at > before.mid) == bought and at != before.mid)
        depth = max(before.asks if bought else before.bids, self._rules.sweep_least)
        if now < self._event_s + self._rules.cooloff_s:  # our own orders are out of the book: five dollars are no sweep
            depth = max(depth, self._event_depth[bought])
        if volume < self._rules.sweep_frac * depth - _SLACK:
            return False
        trades.clear()
        self.begin_event(now, f"sweep of the {'asks' if bought else 'bids'}")
        return True

    def start_anew(self) -> None:
        """The book was lost or its grid changed: prices are forgotten; an event or caution takes its time."""
        self._short.clear()
        self._sample_s, self._ratio, self._mid, self._ups = -math.inf, 0.0, None, 0
        self._moves.clear()
        self._books.clear()
        self._trades.clear()

    # What follows

    def at(self, now: float) -> RegimeState:
        """The regime now; the same object until its ``until_s`` unless something happens.

        Raises:
            ValueError: the time is no number.
        """
        state = self._state
        if now < state.until_s:
            return state
        if not -math.inf < now < math.inf:
            raise ValueError(f"no time: {now!r}")
        self._state = state = self._judge(now)
        return state

    def _judge(self, now: float) -> RegimeState:
        rules = self._rules
        caution = self._cautioned(now)
        since = now - self._event_s
        if since < rules.cooloff_s:
            until = self._event_s + rules.cooloff_s
            return RegimeState("event", self._event, False, rules.reentry_spread, 1.0, until)
        if since >= rules.cooloff_s + rules.decay_s - _SLACK:
            return caution
        steps = int((since - rules.cooloff_s) / STEP_SEC + _SLACK)
        spread = 1.0 + (rules.reentry_spread - 1.0) * (1.0 - steps * STEP_SEC / rules.decay_s)
        until = min(self._event_s + rules.cooloff_s + (steps + 1) * STEP_SEC, caution.until_s)
        return RegimeState("event", self._event, True, max(spread, caution.spread_factor), caution.size_factor, until)

    def _cautioned(self, now: float) -> RegimeState:
        """Caution or normal, whatever event there may be."""
        rules, until = self._rules, self._caution_until_s
        if now >= until:
            return _NORMAL
        return RegimeState("caution", self._caution, True, rules.caution_spread, rules.caution_size, until)

    def _heed(self, now: float) -> None:
        """See whether the moves of the window call for caution."""
        rules, moves = self._rules, self._moves
        while moves and moves[0][0] <= now - rules.window_s:
            self._forget_move()
        if len(moves) < rules.least_moves:
            return
        if abs(2 * self._ups - len(moves)) >= rules.one_sided * len(moves) - _SLACK:
            self._caution = "one-sided flow"
        elif self._ratio >= rules.vol_ratio - _SLACK:
            self._caution = "agitated"
        else:
            return
        self._caution_until_s = now + rules.caution_hold_s
        self._state = _UNKNOWN

    def _forget_move(self) -> None:
        self._ups -= self._moves.popleft()[1]

    def _book_before(self, now: float) -> _Book | None:
        """The book in force a sweep's length ago, or the oldest since then; None without any."""
        books = self._books
        while len(books) > 1 and books[1].t <= now - SWEEP_SEC:
            books.popleft()
        return books[0] if books else None


def near_depth(levels: Sequence[Level], ticks: int) -> Shares:
    """Displayed size within ``ticks`` of the best price of one side, that price included; ``levels`` best first."""
    if not levels:
        return Shares(0)
    best = levels[0][0]
    total = 0
    for tick, size in levels:
        if abs(tick - best) > ticks:
            break
        total += size
    return Shares(total)
