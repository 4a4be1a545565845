"""What a report says, as structs: the same for people, programs, spreadsheets and pages.

Amounts are integers of micro-dollars, sizes of micro-shares; the unit is in the name. ``docs/report.md`` says what each
figure means. Texts of the venue are as received: whoever shows them makes them harmless.
"""

from typing import Literal

import msgspec

from core.units import Shares, Side, Usd

Verdict = Literal["agrees", "DIFFERS", "cannot tell"]
Thin = Literal["", "no fills", "few fills", "error above value"]


class Parts(msgspec.Struct, frozen=True):
    """Profit by origin; ``total`` is exactly their sum, with fees taken off (market-making.md 3.4)."""

    spread_micro_usd: Usd = Usd(0)
    """Dealing away from the fair value of the moment."""
    adverse_micro_usd: Usd = Usd(0)
    """The fair value's move within 300 s of our fills; negative is adverse selection."""
    carry_micro_usd: Usd = Usd(0)
    """Its later moves while we held."""
    unknown_micro_usd: Usd = Usd(0)
    """Not attributed, because nobody knew a fair value then."""
    fees_micro_usd: Usd = Usd(0)
    """Paid: positive, and taken off."""
    rebates_micro_usd: Usd = Usd(0)
    """Paid to us, as the next two."""
    rewards_micro_usd: Usd = Usd(0)
    other_income_micro_usd: Usd = Usd(0)
    total_micro_usd: Usd = Usd(0)


class Trades(msgspec.Struct, frozen=True):
    """How much was dealt."""

    fills: int = 0
    shares_micro: Shares = Shares(0)
    turnover_micro_usd: Usd = Usd(0)
    """Shares times the price of their own token."""


class Share(msgspec.Struct, frozen=True):
    """Trades and profit of one market, day, side or layer; what is "" or None is not told apart."""

    parts: Parts
    trades: Trades
    market: str = ""
    """Condition id; "" with a title is the account as a whole."""
    title: str = ""
    """Foreign text."""
    day: str = ""
    side: str = ""
    """``bid``, ``ask``, or ``held``: what no fill of the span made, such as moves of what was held before."""
    layer: int | None = None
    """0 is nearest the touch; None also where the order is not known."""


class Equity(msgspec.Struct, frozen=True):
    """The account's value at both ends; ``end - begin - flows`` is the total profit, exactly (market-making.md 3.6)."""

    begin_micro_usd: Usd
    end_micro_usd: Usd
    begin_cash_micro_usd: Usd
    end_cash_micro_usd: Usd
    flows_micro_usd: Usd
    """Deposits less withdrawals, in cash and in kind."""
    opening_micro_usd: Usd
    """Of the flows: what was there when the account's book began."""
    deposits_micro_usd: Usd
    withdrawals_micro_usd: Usd
    """Negative."""
    found_micro_usd: Usd
    """Of the flows: shares that were there, or were not, without a trade."""


class Markout(msgspec.Struct, frozen=True):
    """What fills were worth a while later, share-weighted (market-making.md 2.6); None where nothing is known."""

    horizon_s: float
    market: str = ""
    title: str = ""
    side: Side | Literal[""] = ""
    layer: int | None = None
    fills: int = 0
    stretches: int = 0
    """Stretches of the horizon's length that hold the fills: what the error counts as observations."""
    pending: int = 0
    """Younger than the horizon at the end of the span."""
    unmeasured: int = 0
    """Old enough, but not measured: nobody knew a fair value, or the session had ended."""
    shares_micro: Shares = Shares(0)
    spread_micro_usd: float | None = None
    """Micro-dollars a share, as are the next four."""
    drift_micro_usd: float | None = None
    drift_error_micro_usd: float | None = None
    """Standard error, fills of one stretch taken as one."""
    markout_micro_usd: float | None = None
    markout_error_micro_usd: float | None = None
    basis_points: float | None = None
    """Of the turnover in the YES frame."""
    too_thin: Thin = "no fills"
    """Why the markout allows no conclusion; "" when it does."""


class Exposure(msgspec.Struct, frozen=True):
    """What could be lost. Sampled at fills and at regular moments: see ``samples``."""

    mean_gross_micro_usd: Usd
    """Over time: sum over markets of what the net position loses if its market resolves against it."""
    max_gross_micro_usd: Usd
    max_gross_unix: float
    end_gross_micro_usd: Usd
    end_worst_micro_usd: Usd
    """Lost at the end of the span in the worst outcome of every event; outcomes of one event cannot all come true."""
    samples: int


class Uptime(msgspec.Struct, frozen=True):
    """How long quotes stood in the book while a session made the market; fractions of ``session_s``."""

    market: str
    title: str
    session_s: float
    two_sided: float
    one_sided: float
    none: float


class OrderCounts(msgspec.Struct, frozen=True):
    """What became of the orders made within the span."""

    market: str
    title: str
    orders: int
    cancels: int
    """Orders that we asked the venue to cancel, within the span."""
    rejected: int
    denied: int
    """Stopped by our own rules before they were sent."""
    unknown: int
    """Orders of which nobody knew for a while whether the venue had them."""
    still_unknown: int
    filled_micro: Shares
    cancels_per_1000_shares: float | None
    """None without a fill."""


class Income(msgspec.Struct, frozen=True):
    """One day's income beside trading. What is estimated is in no total."""

    day: str
    market: str
    title: str
    estimated_rewards_micro_usd: Usd
    paid_rewards_micro_usd: Usd
    estimated_rebates_micro_usd: Usd
    paid_rebates_micro_usd: Usd


class Drawdown(msgspec.Struct, frozen=True):
    """The largest fall of equity less flows within the span (market-making.md 3.6)."""

    largest_micro_usd: Usd
    fraction: float
    """Of the equity at the peak."""
    peak_unix: float
    trough_unix: float
    marks: int


class OpenPosition(msgspec.Struct, frozen=True):
    """What was held in a market at the end of the span."""

    market: str
    title: str
    yes_micro: Shares
    no_micro: Shares
    yes_average_micro_usd: int | None
    """A share; None when nothing is held, as the next."""
    no_average_micro_usd: int | None
    mark_micro_usd: Usd | None
    """A share of YES; None: nobody ever knew one, and it stands at cost."""
    mark_age_s: float | None
    """At the end of the span; None for a payout and without a mark."""
    is_resolved: bool
    """The mark is the payout, and ``value`` is not redeemed yet."""
    value_micro_usd: Usd
    unrealised_micro_usd: Usd
    realised_micro_usd: Usd
    """Of all time, before fees and income, at average cost."""


class Found(msgspec.Struct, frozen=True):
    """Findings of one code."""

    code: str
    severity: str
    count: int
    first_unix: float
    last_unix: float
    text: str
    """Of one of them; may hold foreign text."""


class Check(msgspec.Struct, frozen=True):
    """One thing that must agree."""

    name: str
    verdict: Verdict
    text: str
    """Both numbers where they differ, or what was compared."""


class SessionRow(msgspec.Struct, frozen=True):
    """A run of the program that touched the span."""

    number: int
    mode: str
    version: str
    begin_unix: float
    end_unix: float
    is_over: bool
    reason: str
    is_verified: bool


class Point(msgspec.Struct, frozen=True):
    """The account at one moment."""

    unix: float
    equity_micro_usd: Usd
    profit_micro_usd: Usd
    """Equity less all flows."""


class Report(msgspec.Struct, frozen=True):
    """Everything a report says. Sections that a choice of one market does not allow are None or empty."""

    database: str
    account: str
    other_accounts: int
    begin_unix: float
    end_unix: float
    begin: str
    """UTC, in words, as the next."""
    end: str
    made_unix: float
    market: str
    """Condition id of the one market that was asked for; "" for all."""
    is_running: bool
    """A session that has not said that it ended reaches into the end of the span."""
    sessions: tuple[SessionRow, ...]
    total: Share
    provisional_fills: int
    """Counted in, but not final yet: they may still fail."""
    failed_fills: int
    """Left out: their trades failed."""
    unpriced_fills: int
    """Without a fair value at the time: in ``unknown``."""
    unmeasured_fills: int
    """Without one 300 s later: their drift is in ``carry``."""
    equity: Equity | None
    by_market: tuple[Share, ...]
    by_day: tuple[Share, ...]
    by_side: tuple[Share, ...]
    by_layer: tuple[Share, ...]
    markouts: tuple[Markout, ...]
    exposure: Exposure
    uptime: tuple[Uptime, ...]
    orders: tuple[OrderCounts, ...]
    income: tuple[Income, ...]
    drawdown: Drawdown | None
    positions: tuple[OpenPosition, ...]
    findings: tuple[Found, ...]
    checks: tuple[Check, ...]
    notes: tuple[str, ...]
    """What is estimated, what is too thin, what could not be told."""
    points: tuple[Point, ...]
    """The course of the equity, thinned out."""

    @property
    def agrees(self) -> bool:
        """No check found a difference."""
        return all(check.verdict != "DIFFERS" for check in self.checks)
