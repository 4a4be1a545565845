"""The account as all markets share it: whether it is known, the bankroll the caps are shares of, and the day's loss."""

from typing import Literal, NamedTuple

from core.config import Settings
from core.portfolio.entries import EquityMark
from core.risk.loss import DAY_SEC, ConfirmedLoss, DailyLoss, LossState, TwoMarks
from core.units import Usd, usd_from_float


class DayMark(NamedTuple):
    """What a mark of the account changed."""

    is_new_day: bool
    """The bankroll was set anew."""
    limit: Literal["", "reached", "open again"]
    """What became of the daily loss limit."""
    loss: float
    """Fraction of the day's opening equity."""
    kills: bool = False
    """So much is lost, by this mark and one a second before it, that everything is to be killed."""


class Account:
    """Money that belongs to no single market. All amounts in micro-dollars."""

    def __init__(self, settings: Settings) -> None:
        self.is_open = False
        """What the venue shows has been compared with our book in this session."""
        self.equity = Usd(0)
        """As of the last mark, at conservative prices (market-making.md 3.6)."""
        self._secured = Usd(0)
        """Profit of all time, as of the last mark, that no price can take back."""
        self._secured_before: Usd | None = None
        """The same at the first mark of the day; None when nobody knows."""
        self.bankroll: Usd | None = None
        """Lowered, never raised, within a UTC day (market-making.md 1.6); None before the first mark."""
        self._assigned = None if settings.bankroll_usd is None else usd_from_float(settings.bankroll_usd)
        self._limit_pct = settings.daily_loss_limit_pct
        self._loss = ConfirmedLoss(DailyLoss(settings.daily_loss_limit_pct))
        self._kill_frac = settings.loss_kill_pct / 100
        """0: no loss kills."""
        self._kill = TwoMarks()
        self.is_beyond_kill = False
        """By the last mark the day's loss is so large that it kills."""
        self.guard_peak: Usd | None = None
        """Highest profit, at conservative marks, since the drawdown limit was last re-armed; None before the first."""
        self._day = -1
        self._flow = Usd(0)
        """Since the last mark."""
        self._is_touched = True

    @property
    def is_latched(self) -> bool:
        """The day's loss limit is reached: only reducing orders."""
        return self.day.is_latched

    @property
    def day(self) -> LossState:
        """The day as far as it has been marked."""
        return self._loss.loss.state or LossState(self._day, self.equity, Usd(0), False)

    @property
    def day_secured(self) -> Usd | None:
        """Part of the day's profit, as of the last mark, that no price can take back; None when nobody knows."""
        before = self._secured_before
        return None if before is None else Usd(self._secured - before)

    def restore(self, mark: EquityMark, opening: EquityMark | None = None) -> None:
        """Go on with the day that an earlier session began: a restart forgives no loss and raises no bankroll.

        Args:
            mark: the last one.
            opening: the first one of the same day; None when nobody knows it.
        """
        self._secured_before = None if opening is None else opening.secured
        self._day = mark.day
        self.bankroll = mark.bankroll
        self.guard_peak = mark.guard_peak
        state = LossState(mark.day, mark.day_equity, mark.day_flows, mark.is_latched)
        self._loss = ConfirmedLoss(DailyLoss(self._limit_pct, state))

    def touch(self) -> None:
        """Something that the account's value depends on has changed."""
        self._is_touched = True

    def flow(self, amount: Usd) -> None:
        """Cash came in or, negative, went out that nothing of ours explains: neither profit nor loss."""
        self._flow = Usd(self._flow + amount)
        self._is_touched = True

    def wants_mark(self, unix: float) -> bool:
        """A mark would say something new."""
        return self.is_open and (self._is_touched or int(unix // DAY_SEC) != self._day)

    def mark(self, unix: float, equity: Usd, secured: Usd) -> DayMark:
        """Take the value of the whole account; days begin in UTC.

        Args:
            unix: seconds.
            equity: at conservative prices.
            secured: profit of all time that no price can take back: realised less fees, and income.
        """
        day = int(unix // DAY_SEC)
        assigned = equity if self._assigned is None else min(equity, self._assigned)
        is_new_day = day > self._day or self.bankroll is None
        self.equity, self._secured = equity, secured
        if is_new_day:
            self._secured_before = secured
        self._day = max(day, self._day)
        lowest = assigned if is_new_day or self.bankroll is None else min(assigned, self.bankroll)
        self.bankroll = Usd(max(1, lowest))
        was, seen = self.is_latched, self._loss.mark(unix, equity, self._flow)
        self._flow = Usd(0)
        self.is_beyond_kill = 0.0 < self._kill_frac <= seen.loss
        kills = self._kill.take(unix, self.is_beyond_kill)
        # a loss wants a second look, nothing else does
        self._is_touched = (seen.is_over and not seen.is_latched) or (self.is_beyond_kill and not kills)
        limit: Literal["", "reached", "open again"] = ""
        if seen.is_latched != was:
            limit = "reached" if seen.is_latched else "open again"
        return DayMark(is_new_day, limit, seen.loss, kills)
