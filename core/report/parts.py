"""Where one market's profit of a span came from, exactly, day by day (market-making.md 3.4).

For a fill of signed size q (YES frame) at price p, with F the fair value at the time and M the mark at the next border
(midnight or the end of the span)::

    spread  = q (F - p)                                     dealt away from the fair value
    adverse = q (F(min(t + 300 s, border)) - F)             what it did within 300 s, in each of the days it falls in
    carry   = (q before) (M - M before) + q (M - F) - adverse     what it did later, to all that is held
    unknown = q (M - p)                                     where nobody knew F: spread and first move together

Marks are those of the borders, the payout after a resolution. Without a mark holdings stand at cost, and what the
ledger says of such a day is ``unknown`` but for spread and drift. Everything is in Pico, so that nothing is rounded;
the sum is compared with the ledger's own fold.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

from core.portfolio.books import Books
from core.portfolio.entries import Booking
from core.portfolio.ledger import Ledger, Pico, Posting, posting_of
from core.units import Shares, Side, Usd

FRESH_SEC: Final = 300.0
"""A move of the fair value within this time after a fill is put down to the fill."""

Place = tuple[Side | Literal[""], int]
"""Side of the YES book and layer of the order; ``("", -1)`` for what no fill of the span made."""
ELSEWHERE: Final[Place] = ("", -1)


class Dealt(NamedTuple):
    """A fill as the split needs it, YES frame."""

    unix: float
    signed: Shares
    """Micro-shares, positive when we bought YES or sold NO."""
    price: Usd
    """Micro-dollars a share, as are the next two."""
    fair: Usd | None
    """At the time of the fill; None when nobody knew one."""
    later: Usd | None
    """:data:`FRESH_SEC` after it; None when nobody knew one."""
    place: Place


class Folded(NamedTuple):
    """The fold of a market's lines at every border, and after the last of them."""

    states: list[Ledger]
    books: Books
    wrong: list[str]
    """What could not be and was booked all the same, in words."""


class Cell:
    """Parts of one day and place, Pico."""

    __slots__ = ("adverse", "spread", "unknown")

    def __init__(self) -> None:
        self.spread = 0
        self.adverse = 0
        self.unknown = 0


class Split:
    """One market's profit of a span, in parts. All amounts in Pico, before fees and income."""

    def __init__(self, days: int) -> None:
        self.cells: defaultdict[tuple[int, Place], Cell] = defaultdict(Cell)
        """By number of the day and place."""
        self.trading = [0] * days
        """By the ledger: cash and holdings at the marks of the borders."""
        self.is_valued = [True] * days
        """All that was held had a mark at both ends of the day."""
        self.carry_of: defaultdict[Place, int] = defaultdict(int)
        """What the fills of a place carried to the end of the span; empty when a day is not valued."""
        self.unpriced = 0
        """Fills of the span without a fair value at the time."""
        self.unmeasured = 0
        """Fills of the span with one, but none :data:`FRESH_SEC` later."""
        self.trouble = ""
        """The parts, counted fill by fill, and the ledger's fold do not agree, in words; "" when they do."""


def fold(lines: Sequence[Booking], borders: Sequence[float]) -> Folded:
    """Fold lines, given in the order of their numbers, with the ledger's own code.

    The state at a border is the fold of the lines that happened before it; with average cost their order counts. The
    books go as far as all lines are of them; those behind, which were told late, are folded into a copy for the border.
    So a late line costs what stands between it and its place, not the whole book.
    """
    lines = [line for line in lines if line.unix < borders[-1]]
    due_at: list[list[int]] = [[] for _ in borders]
    for at, line in enumerate(lines):
        due_at[bisect_right(borders, line.unix)].append(at)
    books = Books()
    states: list[Ledger] = []
    wrong: list[str] = []
    reached, waiting = 0, list[int]()
    for due in due_at:
        waiting = sorted(waiting + due)
        joining = next((n for n, at in enumerate(waiting) if at != reached + n), len(waiting))
        for line in lines[reached : reached + joining]:
            word = books.apply(line.entry)
            if word is not None:
                wrong.append(word)
        reached, waiting = reached + joining, waiting[joining:]
        state = books.average.copy()
        for at in waiting:
            state.post(posting_of(lines[at].entry))
        states.append(state)
    return Folded(states, books, wrong)


def value_of(state: Ledger, mark: Usd | None) -> Pico:
    """Holdings at the payout, else at ``mark``, else at cost."""
    if mark is None and state.payout is None:
        return state.cost
    return state.value(mark if mark is not None else Usd(0))


def split(
    posted: Iterable[tuple[Booking, Posting]],
    fills: Iterable[Dealt],
    states: Sequence[Ledger],
    marks: Sequence[Usd | None],
    borders: Sequence[float],
) -> Split:
    """Split what a market earned between the first border and the last.

    Args:
        posted: lines of the market and what they change; those before the span may be among them.
        fills: those of the span and of :data:`FRESH_SEC` before it.
        states: the fold at each border.
        marks: micro-dollars a share of YES at each border, the payout after a resolution; None where nobody knew any.
        borders: unix seconds, rising; a day lies between two.
    """
    days = len(borders) - 1
    found = Split(days)
    for day in range(days):
        before, after = states[day], states[day + 1]
        found.trading[day] = trading(after, marks[day + 1]) - trading(before, marks[day])
        found.is_valued[day] = marks[day + 1] is not None and (marks[day] is not None or not _holds(before))
    for fill in fills:
        _take(found, fill, marks, borders)
    if not all(found.is_valued):
        found.carry_of.clear()
    found.trouble = _compare(found, posted, states, marks, borders)
    return found


def trading(state: Ledger, mark: Usd | None) -> int:
    """Profit of all time before fees and income, Pico."""
    return state.cash + value_of(state, mark) - state.contributed + state.fees - state.income


def _holds(state: Ledger) -> bool:
    return bool(state.yes.shares or state.no.shares)


def _take(found: Split, fill: Dealt, marks: Sequence[Usd | None], borders: Sequence[float]) -> None:
    unix, signed, price, fair, _, place = fill
    day = bisect_right(borders, unix) - 1
    is_of_span = 0 <= day < len(borders) - 1
    if is_of_span:
        cell, end, last = found.cells[day, place], marks[day + 1], marks[-1]
        if fair is not None:
            cell.spread += signed * (fair - price)
        else:
            found.unpriced += 1
            if end is not None:
                cell.unknown += signed * (end - price)
        start = end if fair is None else fair
        if start is not None and last is not None:
            found.carry_of[place] += signed * (last - start)
    if fair is None:
        return
    steps = _drift(fill, fair, marks, borders)
    if is_of_span and steps is None:
        found.unmeasured += 1
    for at, moved in steps or ():
        found.cells[at, place].adverse += signed * moved
        if is_of_span:
            found.carry_of[place] -= signed * moved


def _drift(
    fill: Dealt, fair: Usd, marks: Sequence[Usd | None], borders: Sequence[float]
) -> list[tuple[int, int]] | None:
    """By how much the fair value moved in each day that the time after a fill falls in; None when nobody can tell."""
    until, steps = fill.unix + FRESH_SEC, []
    day = bisect_right(borders, fill.unix) - 1
    while day < len(borders) - 1:
        is_last = until <= borders[day + 1]
        to = fill.later if is_last else marks[day + 1]
        if to is None:
            return None
        if day >= 0:
            steps.append((day, to - fair))
        if is_last:
            break
        fair, day = to, day + 1
    return steps


def _compare(
    found: Split,
    posted: Iterable[tuple[Booking, Posting]],
    states: Sequence[Ledger],
    marks: Sequence[Usd | None],
    borders: Sequence[float],
) -> str:
    """Count the profit of every valued day line by line, in the YES frame, and compare it with the ledger's."""
    counted = [0] * len(found.trading)
    for day, state in enumerate(states[:-1]):
        before, after = marks[day], marks[day + 1]
        if before is not None and after is not None:
            counted[day] = (state.yes.shares - state.no.shares) * (after - before)
    for line, change in posted:
        day = bisect_right(borders, line.unix) - 1
        after = marks[day + 1] if 0 <= day < len(counted) else None
        if after is not None:
            size, price = change.net
            counted[day] += size * (after - price) + change.gain
    for day, (ours, ledger, is_valued) in enumerate(zip(counted, found.trading, found.is_valued, strict=True)):
        if is_valued and ours != ledger:
            return f"day {day}: {ours} pico-dollars line by line, the ledger's fold says {ledger}"
    return ""
