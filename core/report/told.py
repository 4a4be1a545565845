"""What one market's lines and fair values say of a span, before anything is rounded."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

import numpy as np

from core.portfolio.books import Books
from core.portfolio.entries import Booking, Fee, Income
from core.portfolio.ledger import Ledger, Posting, posting_of
from core.report import parts
from core.report.exposure import Step
from core.report.history import UNMEASURED, Columns, Fair, History
from core.report.markouts import FILL_COLUMNS
from core.report.parts import FRESH_SEC, Dealt, Place, Split
from core.report.span import Span
from core.units import Shares, Usd

_NO_LAYER: Final = -1
_LATE: Final = f"drift_{FRESH_SEC:g}"


class Measured(NamedTuple):
    """What sessions wrote down at and after the fills of a span, by number of the fill's line."""

    places: Mapping[int, Place]
    spreads: Mapping[int, int]
    """Micro-dollars a share, signed for us."""
    drifts: Mapping[int, int]
    """The same, after :data:`core.report.parts.FRESH_SEC`."""
    rows: Columns
    """See :meth:`core.report.history.History.measured`."""


class Posted(NamedTuple):
    """A line of the book and what it changes."""

    line: Booking
    change: Posting


class Volume:
    """What was dealt."""

    __slots__ = ("fills", "shares", "turnover")

    def __init__(self) -> None:
        self.fills = 0
        self.shares = 0
        self.turnover = 0
        """Pico."""


class Paid:
    """What was paid on one day beside trading, micro-dollars."""

    __slots__ = ("fees", "other", "rebates", "rewards")

    def __init__(self) -> None:
        self.fees = self.rebates = self.rewards = self.other = 0


class Told(NamedTuple):
    """One market, or with the id "" the account as a whole."""

    market: str
    title: str
    split: Split
    states: list[Ledger]
    """At each border."""
    marks: list[Usd | None]
    last_fair: Fair | None
    """Behind the mark of the last border; None for a payout and where nobody knew one."""
    books: Books
    wrong: list[str]
    volumes: dict[tuple[int, Place], Volume]
    paid: dict[int, Paid]
    """By number of the day."""
    fills: Columns
    """Of the span: see :data:`core.report.markouts.FILL_COLUMNS`."""
    course: list[Step]
    provisional: int
    recorded: tuple[int, int]
    """Cash and what was contributed, Pico, by the lines that the account's last recorded value had in it."""


def measured(history: History, span: Span) -> Measured:
    """Read what was measured for the fills of a span and those just before it."""
    rows = history.measured(span.begin - FRESH_SEC, span.end)
    known, alone = rows[rows["spread"] != UNMEASURED], rows[rows["spread"] == UNMEASURED]
    places: dict[int, Place] = {}
    shared: dict[tuple[int, int], Place] = {}
    for seq, is_ask, layer in zip(*(known[name].tolist() for name in ("seq", "is_ask", "layer")), strict=True):
        places[seq] = shared.setdefault((is_ask, layer), ("ask" if is_ask else "bid", layer))
    for seq, intent in zip(alone["seq"].tolist(), alone["intent"].tolist(), strict=True):
        place = history.place(intent)
        if place is not None:
            places[seq] = place
    late = rows[rows[_LATE] != UNMEASURED]
    return Measured(
        places,
        dict(zip(known["seq"].tolist(), known["spread"].tolist(), strict=True)),
        dict(zip(late["seq"].tolist(), late[_LATE].tolist(), strict=True)),
        known,
    )


def told_of(
    market: str,
    title: str,
    number: int,
    lines: Sequence[Booking],
    span: Span,
    known: Measured,
    history: History,
    looks: Sequence[float],
    recorded_seq: int,
) -> Told:
    """Fold a market's lines and find out what they earned, and where.

    Args:
        market: condition id, or "".
        title: foreign text.
        number: of the market in this report.
        lines: of the market, in order; those behind the span may be among them.
        span: of the report.
        known: of the fills.
        history: for fair values.
        looks: moments at which the exposure is looked at, rising.
        recorded_seq: number of the first line that the account's last recorded value did not have in it.
    """
    borders = span.borders
    posted = [Posted(line, posting_of(line.entry)) for line in lines]
    states, books, wrong = parts.fold(lines, borders)
    fairs = [history.fair(market, border) if market else None for border in borders]
    marks = [_mark(state, fair) for state, fair in zip(states, fairs, strict=True)]
    fills = _Fills(market, number, span, known, history, posted)
    return Told(
        market=market,
        title=title,
        split=parts.split(posted, fills.dealt, states, marks, borders),
        states=states,
        marks=marks,
        last_fair=None if states[-1].payout is not None else fairs[-1],
        books=books,
        wrong=wrong,
        volumes=dict(fills.volumes),
        paid=_paid(lines, span),
        fills=np.array(fills.columns, dtype=FILL_COLUMNS),
        course=_course(market, posted, span, states[0], marks[0], fills.fairs, history, looks),
        provisional=fills.provisional,
        recorded=_recorded(posted, recorded_seq),
    )


def _recorded(posted: Sequence[Posted], before: int) -> tuple[int, int]:
    """Cash and what was contributed, Pico, by the lines before a number."""
    cash = contributed = 0
    for line, change in posted:
        if 0 < line.seq < before:
            cash += change.cash
            contributed += change.contributed
    return cash, contributed


def _mark(state: Ledger, fair: Fair | None) -> Usd | None:
    if state.payout is not None:
        return state.payout
    return None if fair is None else fair.micro_usd


class _Fills:
    """The fills of a span and of just before it, with the fair values that go with them."""

    def __init__(
        self, market: str, number: int, span: Span, known: Measured, history: History, posted: Sequence[Posted]
    ) -> None:
        self.dealt: list[Dealt] = []
        self.columns: list[tuple[int, float, int, int, int, int, int]] = []
        self.volumes: defaultdict[tuple[int, Place], Volume] = defaultdict(Volume)
        self.fairs: dict[int, Usd] = {}
        """At the fills of the span, by the number of their line, where they were known."""
        self.provisional = 0
        self._market, self._number, self._span = market, number, span
        self._known, self._history = known, history
        self._borders = span.borders
        self._settled = next(
            ((line.unix, change.payout) for line, change in reversed(posted) if change.payout is not None), None
        )
        for line, change in posted:
            if line.source == "fill" and span.begin - FRESH_SEC <= line.unix < span.end:
                self._take(line, change)

    def _take(self, line: Booking, change: Posting) -> None:
        unix, seq = line.unix, line.seq
        size, price = change.net
        side, layer = place = self._known.places.get(seq) or ("bid" if size > 0 else "ask", _NO_LAYER)
        spread = self._known.spreads.get(seq)
        fair = self._at(unix) if spread is None else Usd(price + spread if size > 0 else price - spread)
        self.dealt.append(Dealt(unix, size, price, fair, self._later(line, size, fair), place))
        if unix < self._span.begin:
            return
        if fair is not None:
            self.fairs[seq] = fair
        self.provisional += not line.is_final
        volume = self.volumes[bisect_right(self._borders, unix) - 1, place]
        volume.fills += 1
        volume.shares += abs(size)
        volume.turnover += abs(change.cash)
        self.columns.append((seq, unix, self._number, side == "ask", layer, abs(size), price))

    def _later(self, line: Booking, size: Shares, fair: Usd | None) -> Usd | None:
        until = line.unix + FRESH_SEC
        if fair is None or until > self._span.end:
            return None
        drift = self._known.drifts.get(line.seq)
        if drift is not None:
            return Usd(fair + drift if size > 0 else fair - drift)
        return self._at(until)

    def _at(self, unix: float) -> Usd | None:
        if self._settled is not None and self._settled[0] <= unix:
            return self._settled[1]
        return self._history.fresh_fair(self._market, unix)


def _paid(lines: Sequence[Booking], span: Span) -> dict[int, Paid]:
    found: defaultdict[int, Paid] = defaultdict(Paid)
    for line in lines:
        entry = line.entry
        if not isinstance(entry, Fee | Income) or not span.begin <= line.unix < span.end:
            continue
        paid = found[span.day_of(line.unix)]
        if isinstance(entry, Fee):
            paid.fees += entry.amount
        elif entry.of == "reward":
            paid.rewards += entry.amount
        elif entry.of == "rebate":
            paid.rebates += entry.amount
        else:
            paid.other += entry.amount
    return dict(found)


def _course(
    market: str,
    posted: Sequence[Posted],
    span: Span,
    before: Ledger,
    mark: Usd | None,
    fairs: Mapping[int, Usd],
    history: History,
    looks: Sequence[float],
) -> list[Step]:
    """The net position and the fair value known at each of its changes and at the moments ``looks``."""
    if not market:
        return []
    moves: list[tuple[float, int, Posting | None]] = [(unix, 0, None) for unix in looks]
    moves += [(line.unix, line.seq, change) for line, change in posted if span.begin <= line.unix < span.end]
    moves.sort(key=itemgetter(0))
    net, fair = int(before.yes.shares - before.no.shares), mark
    is_over = before.payout is not None
    steps = [Step(span.begin, Shares(0 if is_over else net), fair or Usd(0))]
    for unix, seq, change in moves:
        if change is None:
            if is_over or not net:
                continue
            told = history.fair(market, unix)
            fair = fair if told is None else told.micro_usd
        else:
            size, price = change.net
            if not size and change.payout is None:
                continue
            net += size
            is_over = is_over or change.payout is not None
            fair = fairs.get(seq, price if fair is None else fair)
        steps.append(Step(unix, Shares(0 if is_over else net), fair or Usd(0)))
    return steps
