"""How things stand, for whoever asks from outside: a session's view without what only a console draws."""

import msgspec

from core.units import Shares, Usd
from core.views import (
    AlarmView,
    CapView,
    ConsoleView,
    ControlState,
    ControlView,
    FeedView,
    FlattenView,
    KillView,
    MarketView,
    ProtectionView,
    VenueView,
)


class MarketStanding(msgspec.Struct, frozen=True):
    """One market."""

    market: str
    """Condition id."""
    title: str
    """Foreign text, uncleaned."""
    control: ControlState
    """Strictest of the market's own state and that of everything."""
    quoting: bool
    blocked_by: str
    """First clause that forbids quoting, in words; "" when quoting. May hold foreign text."""
    orders: int
    """Ours that may be in the book."""
    net: Shares
    """YES minus NO, micro-shares."""
    exposure: Usd
    """Lost at the present fair value if the market resolves against us; micro-dollars."""
    hard_cap: Usd
    profit: Usd
    """Since the account's book began, micro-dollars."""
    flatten: FlattenView | None


class Standing(msgspec.Struct, frozen=True):
    """The answer to ``status``; amounts are integers, micro-dollars and micro-shares."""

    unix: float
    """Of the answer, seconds since 1970."""
    mode: str
    control: ControlState
    """Of everything."""
    stopping: bool
    recovering: str
    """What is waited for before anything is quoted, in words; "" when nothing is."""
    controls: tuple[ControlView, ...]
    """Every state that is not ACTIVE."""
    kill: KillView
    protections: tuple[ProtectionView, ...]
    """Those that hold something back now."""
    denials: tuple[tuple[str, int], ...]
    """(code, how often) of what the gate let not through this session."""
    feeds: tuple[FeedView, ...]
    venue: VenueView
    clock_skew_s: float | None
    journal_stalled_s: float
    loop_lag_ms: float
    open_orders: int
    open_notional: Usd
    unknown_orders: int
    in_flight: int
    exposure: Usd
    """Of all markets, at the present fair values."""
    caps: tuple[CapView, ...]
    equity: Usd
    cash: Usd
    profit: Usd
    """Since the account's book began."""
    day_profit: Usd
    drawdown: Usd
    trouble: str
    """What does not add up in our own books; "" while everything does."""
    alarms: tuple[AlarmView, ...]
    """Those that stand, and those that nobody has acknowledged; by priority."""
    markets: tuple[MarketStanding, ...]


def standing(view: ConsoleView) -> Standing:
    """What a view says, without books, explanations and tables."""
    return Standing(
        unix=view.unix,
        mode=view.mode,
        control=view.control,
        stopping=view.stopping,
        recovering=view.recovering,
        controls=view.controls,
        kill=view.kill,
        protections=tuple(one for one in view.protections if one.holds),
        denials=tuple((one.code, one.count) for one in view.denials),
        feeds=view.feeds,
        venue=view.venue,
        clock_skew_s=view.clock_skew_s,
        journal_stalled_s=view.journal_stalled_s,
        loop_lag_ms=view.loop_lag_ms,
        open_orders=view.open_orders,
        open_notional=view.open_notional,
        unknown_orders=view.unknown_orders,
        in_flight=view.in_flight,
        exposure=view.gross_exposure,
        caps=view.caps,
        equity=view.equity,
        cash=view.cash,
        profit=view.pnl.total,
        day_profit=view.account.day_profit,
        drawdown=view.account.drawdown,
        trouble=view.account.trouble,
        alarms=view.alarms,
        markets=tuple(_market(one) for one in view.markets),
    )


def _market(view: MarketView) -> MarketStanding:
    return MarketStanding(
        market=view.market,
        title=view.title,
        control=view.control,
        quoting=view.quoting,
        blocked_by=view.blocked_by,
        orders=len(view.orders),
        net=view.inventory.net,
        exposure=view.inventory.exposure,
        hard_cap=view.inventory.hard_cap,
        profit=view.pnl.total,
        flatten=view.flatten,
    )
