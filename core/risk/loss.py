"""The daily loss limit: once latched, no new risk until the next UTC day, and an act of the operator in it.

The latch is the day's; that quotes return only when somebody re-arms them is the control state's (:mod:`core.stops`).
A restart begins the day anew unless its keeper stores the state. Marks are conservative (others' best bid for YES, one
minus their best ask for NO, pairs at a dollar) and come from books that may be believed: the first of a day is what the
day is measured against.
"""

from typing import Final

import msgspec

from core.units import Usd

DAY_SEC: Final = 86_400
CONFIRM_SEC: Final = 1.0
"""Two bad marks must be at least this far apart (market-making.md 3.6)."""
_SLACK: Final = 1e-9


class LossState(msgspec.Struct, frozen=True, gc=False):
    """One day, as far as it has been marked."""

    day: int
    """Days since 1970-01-01 UTC."""
    opening: Usd
    """Equity at the first mark of the day."""
    flows: Usd
    """Deposits minus withdrawals since then."""
    is_latched: bool


class LossMark(msgspec.Struct, frozen=True, gc=False):
    """What one mark says."""

    day: int
    loss: float
    """Fraction of the day's opening equity; negative is a gain. 0 when the opening equity was not positive."""
    is_over: bool
    """The limit is reached at this mark."""
    is_latched: bool


class DailyLoss:
    """Loss of the day against its limit, deposits and withdrawals taken out.

    An opening equity that is not positive is over the limit by itself.

    Source: market-making.md 3.6, ``risk.daily_loss``.
    """

    __slots__ = ("_limit", "state")

    def __init__(self, limit_pct: float, state: LossState | None = None) -> None:
        """Start, or go on from what was saved.

        Args:
            limit_pct: per cent of the opening equity; 1.0 is one per cent.
            state: of the last run.
        """
        self._limit = limit_pct / 100.0
        self.state = state
        """None before the first mark ever."""

    def mark(self, unix: float, equity: Usd, flow: Usd, may_latch: bool = True) -> LossMark:
        """Take a mark.

        Args:
            unix: seconds; a day earlier than the last mark's counts as the last mark's.
            equity: conservative, estimated rewards excluded.
            flow: external flow since the previous mark; ignored on the first mark of a day.
            may_latch: False to look without latching.
        """
        day, before = int(unix // DAY_SEC), self.state
        if before is None or day > before.day:
            state = LossState(day, equity, Usd(0), False)
        else:
            state = LossState(before.day, before.opening, Usd(before.flows + flow), before.is_latched)
        loss = (state.opening + state.flows - equity) / state.opening if state.opening > 0 else 0.0
        is_over = state.opening <= 0 or loss >= self._limit - _SLACK
        if is_over and may_latch and not state.is_latched:
            state = LossState(state.day, state.opening, state.flows, True)
        self.state = state
        return LossMark(state.day, loss, is_over, state.is_latched)

    def latch(self) -> None:
        """Forbid new risk for the rest of the day, whatever the marks say."""
        state = self.state
        if state is not None:
            self.state = LossState(state.day, state.opening, state.flows, True)


class TwoMarks:
    """A finding that one absurd mark, such as an emptied book, does not make.

    Source: market-making.md 3.6.
    """

    __slots__ = ("_since",)

    def __init__(self) -> None:
        self._since: float | None = None
        """Of the first mark of those in a row that find it, unix seconds."""

    def take(self, unix: float, is_found: bool) -> bool:
        """Take a mark at ``unix`` seconds; True when it and one at least a second before, and all between, find it."""
        if not is_found:
            self._since = None
            return False
        if self._since is None or unix < self._since:  # the clock was set back
            self._since = unix
        return unix - self._since >= CONFIRM_SEC - _SLACK


class ConfirmedLoss:
    """A daily loss that one absurd mark, such as an emptied book, does not trip.

    The latch needs two consecutive marks over the limit at least a second apart.

    Source: market-making.md 3.6.
    """

    __slots__ = ("_over", "loss")

    def __init__(self, loss: DailyLoss) -> None:
        self.loss = loss
        self._over = TwoMarks()

    def mark(self, unix: float, equity: Usd, flow: Usd) -> LossMark:
        """Take a mark as :meth:`DailyLoss.mark` does."""
        seen = self.loss.mark(unix, equity, flow, may_latch=False)
        if self._over.take(unix, seen.is_over) and not seen.is_latched:
            self.loss.latch()
            return LossMark(seen.day, seen.loss, True, True)
        return seen
