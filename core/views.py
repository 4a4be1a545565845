"""What a console may see: frozen structs, built whole by the session and swapped by one reference.

A view holds finished numbers in the units of :mod:`core.units` and texts of strangers exactly as received: whoever
draws them cleans them. Times are numbers in the view, never read from a clock by a widget.
"""

from typing import Literal

import msgspec

from core.units import Shares, Side, Ticks, Usd

ControlState = Literal["ACTIVE", "REDUCE_ONLY", "PAUSED", "CANCEL_ONLY", "KILLED"]
BookState = Literal["EMPTY", "SYNCED", "SUSPECT", "RESYNCING"]
Freshness = Literal["live", "quiet", "frozen", "unproven"]
"""``live``: heard within its usual gap; ``quiet``: silent, and REST shows the same book; ``frozen``: REST shows
another; ``unproven``: nobody can say (design.md 4)."""
Severity = Literal["info", "fill", "warning", "alarm"]
FeedName = Literal["market", "user"]


class LevelView(msgspec.Struct, frozen=True, gc=False):
    """One price level of the YES book."""

    price: Ticks
    size: Shares
    """Total displayed size, our own orders included."""


class OrderView(msgspec.Struct, frozen=True, gc=False):
    """One of our orders that may exist at the venue, as it shows in the YES book."""

    order_id: str
    """The venue's id, or ``""`` while it is being signed."""
    side: Side
    price: Ticks
    """In the YES frame."""
    size: Shares
    remaining: Shares
    layer: int
    """0 is nearest the touch."""
    on_no: bool
    """The order really rests on the NO token."""
    state: str
    """INTENT, SENDING, LIVE, PARTIAL, DELAYED, UNKNOWN or CANCEL_SENT."""
    age_s: float
    ahead: Shares | None
    """Displayed size of others at our price when that is known: an upper estimate of the queue."""
    reason: str


class InventoryView(msgspec.Struct, frozen=True, gc=False):
    """What we hold in one market."""

    yes: Shares
    no: Shares
    pairs: Shares
    """min(YES, NO): dollars in disguise."""
    net: Shares
    """YES minus NO."""
    average: float | None
    """Average price of the net position, dollars per share of the token we are net long; None when flat."""
    exposure: Usd
    """Dollars lost at the present fair value if the market resolves against us (market-making.md 1.6)."""
    soft_cap: Usd
    hard_cap: Usd
    provisional: Shares
    """Shares of fills that are matched but not yet confirmed."""


class PnlView(msgspec.Struct, frozen=True, gc=False):
    """Average-cost profit and loss (market-making.md 3.1), micro-dollars."""

    realised: Usd
    unrealised: Usd
    total: Usd
    fills: int
    bought: Shares
    sold: Shares
    """Both in the YES frame."""


class DataView(msgspec.Struct, frozen=True, gc=False):
    """How far one market's book may be believed, and why."""

    state: BookState
    reason: str
    """Why the book is not SYNCED, or what weakens the proof of one that is; "" when there is nothing to say."""
    repair: str
    """What is being done about a book that is not believed, in words; "" when nothing is."""
    since_s: float
    """Seconds in this state."""
    doubt_s: float | None
    """Seconds for which the newest change has not been proven; None without a doubt."""
    doubt: str
    """What is unproven about it, in words; "" without a doubt."""
    freshness: Freshness
    freshness_reason: str
    """In words; "" while live."""
    age_s: float | None
    """Seconds since the last message that touched this book; None before the first."""
    proven_s: float | None
    """Seconds since its content was last proven, by a hash, a full book or an audit; None before the first."""
    usual_gap_s: float | None
    """Learned mean gap between messages; None before it is known."""
    check_every: int
    """One change in so many has its hash checked; 0: hashes cannot be reproduced, only the touch is checked."""
    hash_checked: int
    hash_agreed: int
    hash_explained: int
    """Comparisons that differ for a known reason (real-data.md 3 to 5)."""
    hash_differing: int
    """Comparisons that nobody could explain; one in doubt is not judged yet."""
    hash_skipped: int
    """Stated hashes that were not compared because only a sample is."""
    book_seq: int
    """Messages applied since the last full book."""
    gaps: int
    reloads: int
    audits: int
    recovery_s: float | None
    """How long the last loss of continuity lasted; None without one."""


class MarketView(msgspec.Struct, frozen=True):
    """One market: a row of the table, its ladder, its inventory and its profit."""

    market: str
    """Condition id."""
    title: str
    """Foreign text, uncleaned."""
    tick_text: str
    grid_k: int
    """Ticks in a dollar."""
    decimals: int
    """Decimals of a price in dollars on this grid."""
    control: ControlState
    """Strictest of the market's own state and the global one."""
    data: DataView
    quoting: bool
    blocked_by: str
    """First rule that forbids quoting, in words; "" when quoting."""
    widen_ticks: int
    """Ticks the operator added to the half-spread; negative when tightened."""
    flattening: bool
    bids: tuple[LevelView, ...]
    """Best first, at most 60 levels."""
    asks: tuple[LevelView, ...]
    """Best first, at most 60 levels."""
    orders: tuple[OrderView, ...]
    """Ours that may be in the book, best first per side, bids before asks."""
    fair: float | None
    """Dollars per share, YES."""
    reservation: float | None
    half_spread: float | None
    sigma_h: float | None
    """Price standard deviation over the quote horizon, dollars; None while warming up."""
    last_price: Ticks | None
    last_size: Shares | None
    last_buy: bool | None
    """The taker bought YES."""
    inventory: InventoryView
    pnl: PnlView


class FeedView(msgspec.Struct, frozen=True, gc=False):
    """One channel."""

    name: FeedName
    connected: bool
    sockets_up: int
    sockets: int
    """How many carry the channel, and how many should; both 0 where there are none (a recording)."""
    age_s: float | None
    """Seconds since anything was heard; None before the first word."""
    reconnects: int
    detail: str


class EventView(msgspec.Struct, frozen=True, gc=False):
    """One line of the event log. ``text`` may contain foreign text."""

    seq: int
    unix: float
    severity: Severity
    market: str
    """Condition id or ""."""
    text: str


class ConsoleView(msgspec.Struct, frozen=True):
    """Everything the console draws, at one moment of the session."""

    seq: int
    """Grows by one with every view; equal means nothing is new."""
    unix: float
    """Session time, made by the session so that a stopped session looks stopped."""
    mode: Literal["demo", "paper", "live", "replay"]
    control: ControlState
    """The global state."""
    stopping: bool
    finished: str
    """Why nothing will change any more (a recording that came to its end); "" while something may."""
    feeds: tuple[FeedView, ...]
    open_orders: int
    open_notional: Usd
    """Dollars that our open orders would spend or receive."""
    unknown_orders: int
    in_flight: int
    rejects: int
    last_reject_age_s: float | None
    messages: int
    messages_per_s: float
    """Of the market channel, lately."""
    hash_every: int
    """One change in so many has its hash checked; 1: every one. A market of its own may allow none."""
    decisions: int
    pnl: PnlView
    gross_exposure: Usd
    equity: Usd
    cash: Usd
    loop_lag_ms: float
    markets: tuple[MarketView, ...]
    """In the order of the market list."""
    events: tuple[EventView, ...]
    """The last 200, oldest first."""
