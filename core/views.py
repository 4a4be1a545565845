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
Effect = Literal["none", "hold", "quarantine", "halt"]
"""What a finding stops by itself: see :class:`core.actions.Finding`."""
FeedName = Literal["market", "user"]
VenueMode = Literal["NORMAL", "RESTARTING", "POST_ONLY", "CANCEL_ONLY", "DISABLED"]
"""What the venue lets us do (polymarket-api.md 10.3)."""


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
    scoring: bool | None = None
    """What the venue says of it: it scores for liquidity rewards; None when nobody asked."""
    unknown_s: float | None = None
    """Seconds for which nobody knows whether the venue has it; None when somebody does. A cancel ends no doubt."""
    evidence: str = ""
    """What has been found of an order of which nobody knows, in words; "" while nobody has looked."""


class LayerView(msgspec.Struct, frozen=True, gc=False):
    """Why one layer of a side has its price and its size, or why it is missing."""

    side: Side
    layer: int
    """0 is nearest the touch."""
    ticks: Ticks | None
    """Price in the YES frame; None when there is none."""
    size: Shares
    """0 when the layer is not placed."""
    price_terms: tuple[tuple[str, int], ...]
    """(name, billionths of a tick); they add up to the price."""
    size_terms: tuple[tuple[str, int], ...]
    """(name, micro-shares); they add up to the size."""
    binding: str
    """The rules that had the last word; "" when the layer is missing."""
    forbidden: str
    """The first rule that forbade the layer; "" when it is placed."""


class AdjustmentView(msgspec.Struct, frozen=True, gc=False):
    """One thing an operator asked of a market's quotes."""

    what: Literal["widen", "shift", "one_side", "size"]
    amount: float
    """What is left of it: ticks, or a factor for ``size``."""
    sides: Literal["both", "bid", "ask"]
    """What is quoted; ``both`` for all but ``one_side``."""
    half_life_s: float | None
    left_s: float | None
    """Seconds until it ends by itself; None when it stays."""
    who: str


class RegimeView(msgspec.Struct, frozen=True, gc=False):
    """What the state of the market, the time to its resolution and the calendar do to its quotes."""

    name: str = "normal"
    reason: str = ""
    """In words; "" while normal."""
    left_s: float | None = None
    """Seconds until the state may change by itself; None when it is not timed."""
    spread_factor: float = 1.0
    size_factor: float = 1.0
    phase: str = ""
    """Where the market stands in its schedule; "" when that is not known yet."""
    phase_s: float | None = None
    """Seconds to the end that the schedule goes by; negative when it has passed."""
    phase_of: str = ""
    """Which end that is, in words."""
    time_factor: float = 1.0
    """Of the sizes, by the schedule."""
    phase_warning: str = ""
    """What to know about the end, in words; "" when there is nothing."""
    calendar: str = ""
    """Text of the strictest calendar row in force, as the operator wrote it; "" without one."""
    calendar_act: str = ""
    """What the rows in force do together, in words."""
    calendar_s: float | None = None
    """Seconds until the calendar says something else; None when no row is left."""
    reduces: str = ""
    """Why orders may only reduce the position, in words; "" when they may add."""


class MarkoutView(msgspec.Struct, frozen=True, gc=False):
    """What fills were worth some time after them, per share; positive is in our favour."""

    side: Literal["bid", "ask", "all"]
    layer: int | None
    """0 is nearest the touch; None for all layers together."""
    horizon_s: float
    fills: int
    """Old enough for the horizon."""
    shares: Shares
    mean: float | None
    """Dollars, weighted by shares; None without fills."""
    error: float | None
    """Standard error of the mean; None while there are too few fills for one."""
    pending: int = 0
    """Fills that are too young for the horizon."""


class RewardView(msgspec.Struct, frozen=True, gc=False):
    """Liquidity rewards of one market, estimated from its book (market-making.md 2.12)."""

    score: float
    """Of our orders, in the venue's own measure."""
    share: float
    """Our part of all scores at least, 0 .. 1: everybody else's orders are counted as one maker's."""
    usd_per_day: float | None
    """What that share of the pool is worth; None when the pool is not told."""
    pool_usd: float | None
    """The whole pool of a day, dollars."""
    expected: int
    """Orders that should score by our reckoning."""
    scoring: int
    """Those of them that the venue says score."""
    denied: int
    """Those of them that it says do not; of the others it said nothing yet."""
    note: str
    """Why nothing, or nothing certain, is earned, in words; "" when all is well."""
    worth: tuple[tuple[Side, int, float, float], ...] = ()
    """(side, layer, reward, trading) of each order that scores: dollars a day that it adds."""


class GroupView(msgspec.Struct, frozen=True, gc=False):
    """The markets of one event, of which at most one comes true."""

    note: str
    """Why their fair values do not move each other, in words; "" when they do."""
    fair_sum: float | None
    """Dollars; None while one has no fair value."""
    exposure: Usd
    """Lost in the worst case, whichever outcome wins and whichever of our orders fill."""
    worst: Usd = Usd(0)
    """Profit of what is held, against its cost, if the worst outcome wins."""
    best: Usd = Usd(0)
    set_edge: float | None = None
    """Dollars by which a set of all outcomes costs less at others' prices than it pays; above 0 a price is wrong."""


class SettingView(msgspec.Struct, frozen=True, gc=False):
    """One setting as it holds for one market."""

    name: str
    value: str
    unit: str
    origin: str


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
    unsettled_s: float = 0.0
    """Age of the oldest fill that is not final; 0 without one."""
    average_yes: float | None = None
    average_no: float | None = None
    """Dollars a share that each token cost; None when it is not held."""
    settled_yes: Shares = Shares(0)
    settled_no: Shares = Shares(0)
    """Of fills that are final."""
    sellable_yes: Shares = Shares(0)
    sellable_no: Shares = Shares(0)
    """Settled, and neither in an open sell nor in an inventory operation."""
    mark: Usd | None = None
    """Fair value of YES, or its payout; micro-dollars a share."""
    value: Usd = Usd(0)
    """Of everything held, at the mark; at cost without one."""
    conservative: Usd | None = None
    """The same at what others bid; None before there was a book."""
    payout: Usd | None = None
    """What a share of YES pays, once the question is resolved for good: then ``value`` is a claim to redeem."""
    waiting: Shares = Shares(0)
    """Shares of the account that become ours as soon as there is a price to enter them at."""
    foreign_yes: Shares = Shares(0)
    """On the account beside ours: nothing above counts them, and nothing of ours sells them."""
    foreign_no: Shares = Shares(0)


class PnlView(msgspec.Struct, frozen=True, gc=False):
    """Average-cost profit and loss since the account's book began (market-making.md 3.1), micro-dollars."""

    realised: Usd
    unrealised: Usd
    total: Usd
    """``realised + unrealised - fees + income``, exactly."""
    fills: int
    bought: Shares
    sold: Shares
    """Both in the YES frame."""
    fees: Usd = Usd(0)
    income: Usd = Usd(0)
    """Rewards and rebates as paid."""


class SplitView(msgspec.Struct, frozen=True, gc=False):
    """Where the trading profit of this session came from (market-making.md 3.4), micro-dollars; the parts add up."""

    spread: Usd
    """Dealing away from the fair value of the moment."""
    drift: Usd
    """What the fair value did within 300 s of our fills, as far as that is measured: adverse selection."""
    carry: Usd
    """What it did otherwise while we held."""
    rebates: Usd
    rewards: Usd
    """Estimates of what the venue will pay for this session; in no sum."""


class JobView(msgspec.Struct, frozen=True, gc=False):
    """An inventory operation (polymarket-api.md 11)."""

    job_id: int
    kind: str
    market: str
    size: Shares
    state: str
    """As in :data:`core.jobs.job.JobState`."""
    age_s: float
    route: str
    by: str
    cash: Usd
    """Expected change of cash."""
    transaction: str
    """Hash, or the relayer's name for it; "" as long as neither is known."""
    detail: str


class AccountView(msgspec.Struct, frozen=True, gc=False):
    """What belongs to no single market; micro-dollars."""

    day_profit: Usd = Usd(0)
    """Since 00:00 UTC, deposits and withdrawals taken out, at conservative marks."""
    day_flows: Usd = Usd(0)
    drawdown: Usd = Usd(0)
    """From the highest profit of all time, at fair values."""
    flows: Usd = Usd(0)
    """All deposits less withdrawals."""
    pairs: Usd = Usd(0)
    """Dollars locked in pairs of all markets."""
    claims: Usd = Usd(0)
    """Payouts of resolved markets that are not redeemed."""
    provisional: Shares = Shares(0)
    jobs: tuple[JobView, ...] = ()
    """Inventory operations under way and the last ones, oldest first."""
    jobs_note: str = ""
    """Why none can be begun, in words: no relayer key, quota used up until when; "" when one can."""
    trouble: str = ""
    """What does not add up in our own books, in words; "" while everything does."""
    sources: tuple[tuple[str, str, str], ...] = ()
    """(what, who says it, in words with its age) where two sources differ."""
    day_realised: Usd | None = None
    """Part of the day's profit that no price can take back, fees and income included; None before the account was
    valued, or when the day's beginning is not known."""
    day_unrealised: Usd | None = None
    """The rest of it: both add up to ``day_profit`` exactly."""
    day_fair: Usd | None = None
    """The same day at fair values: the sum of every market's, those not made now and what belongs to none included;
    None when the day's beginning or a fair value is not known."""


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


class ControlView(msgspec.Struct, frozen=True, gc=False):
    """A control state that is not ACTIVE: what it is about, who set it and why."""

    state: ControlState
    source: str
    """As in :data:`core.risk.control.Source`."""
    market: str = ""
    """Condition id; "" for all markets."""
    side: Side | Literal[""] = ""
    """Of the YES book; "" for both."""
    reason: str = ""
    """In words; an operator's are foreign text."""
    author: str = ""
    """An operator's name, or a rule's with its numbers; "" when the source says all."""
    since_unix: float = 0.0
    left_s: float | None = None
    """Seconds until it ends by itself; None when it does not."""


CapScope = Literal["token", "market", "group", "account"]


class CapView(msgspec.Struct, frozen=True, gc=False):
    """A cap of the gate and what of it is used, every order at risk counted as if it filled."""

    scope: CapScope
    name: str
    """YES or NO of a token, an event's or market's title (foreign text); "" of the account."""
    market: str
    """Condition id of a token's or market's cap; "" otherwise."""
    used: Usd
    cap: Usd


class DenialView(msgspec.Struct, frozen=True, gc=False):
    """Orders that the gate let not through for one reason, this session."""

    code: str
    """Stable name of the check (:data:`core.risk.gate.DENIALS`)."""
    count: int
    market: str
    """Of the last one, condition id."""
    text: str
    """Of the last one, with the numbers of both sides."""
    age_s: float
    """Seconds since the last one."""


class ProtectionView(msgspec.Struct, frozen=True, gc=False):
    """One protection: what it watches, how near it is, and whether it holds something back."""

    name: str
    on: bool
    """False when its settings switch it off."""
    threshold: str
    """In words with units, for instance ``6 fills in 30 s``."""
    present: str = ""
    """What it measures now, of the market nearest to its threshold, in words; "" while there is nothing."""
    trips: int = 0
    """This session."""
    holds: bool = False
    """It holds something back now."""
    left_s: float | None = None
    """Seconds until the last of what it holds back goes on by itself; None when that is not timed."""


class KillReportView(msgspec.Struct, frozen=True, gc=False):
    """What became of the orders after a kill. What was sent is not done before a complete list showed nothing twice."""

    sent: int = 0
    """Requests to cancel everything that left."""
    confirmed: int = 0
    """Orders that the venue says it cancelled."""
    left: int | None = None
    """Open orders on the last complete list; None before the first."""
    unknown: int = 0
    """Orders of which the venue said neither, and requests without an answer."""
    zero: bool = False
    """Two complete lists in a row had no open order."""
    detail: str = ""
    """What it does now or what fails, in words; may contain foreign text."""
    by: str = ""
    """Who cancels: the watchdog, or the command."""
    took_s: float | None = None
    """Seconds from the kill to zero, or until now."""


class KillView(msgspec.Struct, frozen=True, gc=False):
    """The kill switch and the process that watches over the session."""

    killed: bool = False
    by: str = ""
    """Who or what pulled it."""
    reason: str = ""
    """In words; may be foreign text."""
    unix: float | None = None
    """When it was pulled."""
    report: KillReportView | None = None
    """None while armed, and where nothing rests at a venue."""
    guarded: bool = False
    """This session has a watchdog: demo and live have one, paper and a replay have none."""
    watchdog_up: bool = False
    watchdog_age_s: float | None = None
    """Seconds since its last sign of life; None before the first."""
    watchdog_detail: str = ""
    """Why it does not stand guard, in words; "" while it does."""


class FlattenView(msgspec.Struct, frozen=True, gc=False):
    """A flattening under way in one market."""

    step: Literal["merge", "passive", "cross", "stopping"]
    text: str
    """What it does now and what it waits for, in words."""
    start: Shares
    """Shares to close when it began, of both tokens."""
    left: Shares
    """Of them still held."""
    spent: Usd
    """What it has cost so far against the fair value at the preview; negative when it earned."""
    cap: Usd
    """Most it may cost."""
    left_s: float | None = None
    """Seconds until the next step begins by itself; None when that is not timed."""
    author: str = ""


AlarmPriority = Literal[1, 2, 3]
"""1: act now, money is at risk or control is lost; 2: act soon, degraded but bounded; 3: look when you can."""


class AlarmView(msgspec.Struct, frozen=True, gc=False):
    """Something that wants an operator: a condition that stands, or that stood and nobody has acknowledged."""

    key: str
    """Names it as long as it is told: its code, and what it is about."""
    code: str
    """Stable name of the kind."""
    priority: AlarmPriority
    market: str
    """Condition id or ""."""
    text: str
    """The condition, in words with its numbers; may contain foreign text."""
    consequence: str
    """What happens while nobody acts, in words."""
    action: str
    """What to do first, in words."""
    pane: str
    """Where to look: the name of a pane of the console."""
    since_unix: float
    """When it was raised last."""
    count: int
    """How often it was raised this session."""
    standing: bool
    """The condition holds now."""
    acknowledged: bool = False
    by: str = ""
    """Who acknowledged or shelved it."""
    shelved_s: float | None = None
    """Seconds until it comes back from the shelf; None when it is not shelved."""
    reason: str = ""
    """Why it was shelved, in an operator's words."""
    cause: str = ""
    """Key of the alarm of which it is a consequence: it is listed and calls nobody; "" without one."""


class FillView(msgspec.Struct, frozen=True, gc=False):
    """One fill of ours."""

    seq: int
    """Grows by one with every fill of this session."""
    unix: float
    market: str
    title: str
    """Foreign text: the market may not be made any more."""
    side: Side
    price: Ticks
    """In the YES frame."""
    grid_k: int
    decimals: int
    """As in :class:`MarketView`, of the moment of the fill."""
    size: Shares
    layer: int | None
    """0 is nearest the touch; None when the order is not known."""
    on_no: bool
    taker: bool
    status: str
    """MATCHED, MINED, CONFIRMED, RETRYING or FAILED."""
    fee: Usd
    markouts: tuple[float | None, ...] = ()
    """Dollars a share after each of 1, 5, 30 and 300 s, positive in our favour; None while it is too young."""


class TradeView(msgspec.Struct, frozen=True, gc=False):
    """One trade of the tape."""

    seq: int
    """Grows by one with every trade of the market."""
    age_s: float
    price: Ticks
    """In the YES frame."""
    size: Shares
    taker_bought: bool
    """The taker bought YES, as told: of little worth (market-making.md 2.7)."""


class ResultView(msgspec.Struct, frozen=True, gc=False):
    """What became of the orders that an operator's act was about."""

    seq: int
    """Grows by one with every act."""
    unix: float
    act: str
    market: str
    """Condition id; "" for acts on everything."""
    who: str
    wanted: int
    """Orders that it wanted gone."""
    cancelled: int = 0
    """Gone before they were matched whole: cancelled, as the venue confirmed, or never taken by it."""
    filled: int = 0
    """Filled whole before the cancel."""
    refused: int = 0
    """The venue would not cancel them, and they stand."""
    unknown: int = 0
    """Nobody knows yet."""
    done: bool = False
    """Nothing more is waited for."""
    took_s: float = 0.0


class RecordingView(msgspec.Struct, frozen=True, gc=False):
    """A recording of the market channel on this machine. Texts may be foreign."""

    path: str
    began_unix: float | None
    """None when it cannot be told."""
    lasted_s: float | None
    disk_bytes: int
    frames: int | None
    """None when they have not been counted."""
    markets: int
    source: str
    """Who was recorded: demo, paper or live, and by what."""
    running: bool = False
    trouble: str = ""
    """What is wrong with it, in words; "" when nothing is."""


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
    """First rule that forbids quoting, in words; "" when quoting. Its words of the venue are foreign text."""
    widen_ticks: float
    """Ticks the operator added to the half-spread; negative when tightened."""
    flattening: bool
    bids: tuple[LevelView, ...]
    """Best first: at most 60 levels of a market that a console shows as a ladder, the best alone of others."""
    asks: tuple[LevelView, ...]
    """Best first, as many as of ``bids``."""
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
    detailed: bool = False
    """The view carries the details of this market: ``layers``, ``markouts``, ``rewards``, ``split``, ``rebates_usd``,
    ``group``, ``profiles`` and ``settings``; elsewhere these are empty."""
    bid_reason: str = ""
    """First rule that left the side without a quote, in words; "" when it is quoted or the whole market is not."""
    ask_reason: str = ""
    layers: tuple[LayerView, ...] = ()
    """Bids first, innermost first; () when nothing was planned."""
    adjustments: tuple[AdjustmentView, ...] = ()
    """The operator's, in force now."""
    regime: RegimeView = RegimeView()
    markouts: tuple[MarkoutView, ...] = ()
    adverse_share: float | None = None
    """Part of our volume after which the price moved against us by a tick or more; None before the first."""
    rewards: RewardView | None = None
    """None in a market without a programme."""
    split: SplitView | None = None
    rebates_usd: float = 0.0
    """Dollars that the fills of this session may bring back."""
    group: GroupView | None = None
    """None for a market on its own."""
    cancels_per_1000: float | None = None
    """Cancels for each thousand shares filled, this session; None before the first fill."""
    profile: str = ""
    """Names of the parameter sets in use; "" without."""
    profiles: tuple[str, ...] = ()
    """Names that may be chosen."""
    settings: tuple[SettingView, ...] = ()
    """Those that may differ from market to market."""
    closed: str = ""
    """Why the market is closed until somebody resumes it, or for a while, in words; "" when it is not."""
    flatten: FlattenView | None = None
    day: Usd | None = None
    """Profit since 00:00 UTC at the same marks as ``pnl``; None when the day's beginning is not known."""
    reward_band: tuple[Ticks, Ticks] | None = None
    """Lowest and highest tick at which an order scores for liquidity rewards; None without a programme, or without a
    middle to measure from."""
    tape: tuple[TradeView, ...] = ()
    """The last 200 trades, oldest first; a detail."""
    volumes: tuple[tuple[Ticks, Shares], ...] = ()
    """(price, shares traded there since the session began), by price; of a market that is shown as a ladder."""


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


class HeartbeatView(msgspec.Struct, frozen=True, gc=False):
    """The sign of life without which the venue cancels everything (polymarket-api.md 4.3)."""

    age_s: float | None
    """Seconds since the venue acknowledged one; None before the first."""
    trouble: str
    """Why the last one was not acknowledged, or is withheld; "" when it was. May contain foreign text."""


class BudgetView(msgspec.Struct, frozen=True, gc=False):
    """What the signer may still send by our model of the venue's buckets (polymarket-api.md 10.2)."""

    tier: str
    orders: int
    """Tokens of the bucket; negative in debt."""
    orders_burst: int
    """What a full bucket holds."""
    cancels: int
    cancels_burst: int
    warnings: int
    """Answers that warned of a limit."""
    refusals: int
    """Requests that were refused for their rate."""


class VenueView(msgspec.Struct, frozen=True, gc=False):
    """What the venue lets us do."""

    mode: VenueMode = "NORMAL"
    since_s: float = 0.0
    """Seconds in this mode; of no use while it is NORMAL."""
    detail: str = ""
    """The venue's words; foreign text."""
    heartbeat: HeartbeatView | None = None
    """None where there is none (paper, a recording)."""
    short: str = ""
    """What of the signer's buckets is too low to place more, in words; "" when nothing is."""
    budget: BudgetView | None = None
    """None where nothing is sent."""


class FindingView(msgspec.Struct, frozen=True, gc=False):
    """Something that does not fit between our books and the venue's. All texts may be foreign."""

    unix: float
    code: str
    """Stable name, for instance ``failed_trade``."""
    severity: Severity
    effect: Effect
    market: str
    """Condition id or ""."""
    subject: str
    """Order id, trade id or token."""
    text: str
    ours: str
    """What our books say; "" where that is no number and no state."""
    venue: str


class ForeignOrderView(msgspec.Struct, frozen=True, gc=False):
    """An open order on our account that is not ours, as the venue lists it; all texts are foreign."""

    order_id: str
    market: str
    """Condition id, perhaps of a market that is not made."""
    side: str
    """BUY or SELL; "" when it is not told."""
    outcome: str
    """YES or NO; "" in a market that is not made."""
    price: str
    """Dollars a share of the token, as told."""
    size: Shares
    matched: Shares


class RuleView(msgspec.Struct, frozen=True, gc=False):
    """What one rule of the screen says of a market."""

    rule: str
    """Stable name."""
    passed: bool
    value: str
    """The market's number, for people; "" when nobody tells it."""
    bound: str
    """What it is held against, for people."""


class IncomeView(msgspec.Struct, frozen=True, gc=False):
    """What making a market is expected to earn, dollars a day: an estimate, no part of profit.

    Source: market-making.md 2.13.
    """

    reward_usd: float
    rebate_usd: float
    spread_usd: float
    """Fills against the middle."""
    drift_usd: float
    """What the price takes back afterwards; taken off."""
    capital_usd: float
    """What the money in the orders costs; taken off."""
    at_risk_usd: float
    """What is lost if one side fills whole and the market resolves against it."""
    break_even_cents: float | None
    """Adverse drift a share at which nothing is earned; None when nothing is filled."""
    words: tuple[str, ...] = ()
    """What was assumed, each with its number."""


ListStanding = Literal["made", "draining", "waiting", "failed", "refused", "off"]
"""``made``; ``draining``: only reduced, off the list or failed; ``waiting``: passes, not made yet; ``failed``: the
screen; ``refused``: sources disagree or it is not open; ``off``: not enabled."""


class ListedMarketView(msgspec.Struct, frozen=True, gc=False):
    """One market of the list. Texts may be foreign."""

    market: str
    title: str
    row: int
    standing: ListStanding
    reason: str
    """Why it is not simply made, in words; "" when it is."""
    rules: tuple[RuleView, ...] = ()
    """Every rule of the screen, in fixed order; () when it was not screened."""
    figures: str = ""
    """Where liquidity and volumes are from, in words: the list, or Gamma and why."""
    score: float | None = None
    """Dollars to the power 1.5."""
    income_usd: float | None = None
    """Expected dollars a day, an estimate."""
    income_frac: float | None = None
    """The same for each dollar at risk."""
    income: IncomeView | None = None
    """The estimate term by term; None when too little is told for one."""
    notes: tuple[str, ...] = ()
    """What its sources say that is told and no obstacle, in words."""
    note: str = ""
    profile: str = ""
    max_usd: Usd | None = None


class RejectedRowView(msgspec.Struct, frozen=True, gc=False):
    """A row of the list that cannot be used. Texts are foreign, cleaned."""

    row: int
    column: str
    value: str
    reason: str


class ProposalLineView(msgspec.Struct, frozen=True, gc=False):
    """One change that waits for approval."""

    kind: Literal["add", "remove", "change"]
    market: str
    title: str
    text: str
    """What changes, in words: before and after."""


class ProposalView(msgspec.Struct, frozen=True, gc=False):
    """Changes of the market list that wait for an operator."""

    token: str
    """Names exactly these changes; approving another set is refused."""
    since_unix: float
    why: str
    """Why they wait, in words."""
    lines: tuple[ProposalLineView, ...]


class ListView(msgspec.Struct, frozen=True, gc=False):
    """The market list and what became of it."""

    source: str
    """Where it is read, for people."""
    trouble: str = ""
    """Why the last reading changed nothing, in words; "" when all is well."""
    read_unix: float | None = None
    """When the list in force was read; None before the first."""
    next_s: float | None = None
    """Seconds until it is read again."""
    markets: tuple[ListedMarketView, ...] = ()
    """Made first, then by expected income."""
    rejected: tuple[RejectedRowView, ...] = ()
    notes: tuple[str, ...] = ()
    proposal: ProposalView | None = None


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
    cancels_per_1000: float | None = None
    """As in :class:`MarketView`, over all markets."""
    venue: VenueView = VenueView()
    recovering: str = ""
    """What of an earlier session, or of an outage, is waited for before anything is quoted, in words; "" when
    nothing is."""
    findings: tuple[FindingView, ...] = ()
    """The last 100, oldest first."""
    foreign_orders: tuple[ForeignOrderView, ...] = ()
    account: AccountView = AccountView()
    split: SplitView | None = None
    """Of all markets; None before the first fill."""
    foreign_trades: int = 0
    """Trades on our account since the start that filled no order of ours."""
    controls: tuple[ControlView, ...] = ()
    """Every state that is not ACTIVE, oldest first: of everything, of markets, of sides."""
    caps: tuple[CapView, ...] = ()
    """Account first, then groups, markets and tokens."""
    protections: tuple[ProtectionView, ...] = ()
    denials: tuple[DenialView, ...] = ()
    """Newest first."""
    kill: KillView = KillView()
    clock_skew_s: float | None = None
    """Seconds that our clock is ahead of the venue's; None while nobody asked."""
    market_list: ListView | None = None
    """None where there is no list (a replay)."""
    alarms: tuple[AlarmView, ...] = ()
    """By priority, then newest first; those that are shelved or have a cause come last."""
    alarm_calls: int = 0
    """Grows whenever alarms of priority 1 begin to call: the console rings once for each number."""
    fills: tuple[FillView, ...] = ()
    """The last 200 of this session, oldest first."""
    results: tuple[ResultView, ...] = ()
    """What became of the last 20 acts that wanted orders gone, oldest first."""
    recordings: tuple[RecordingView, ...] = ()
    """Newest first; the one under way stands first."""
    consoles: int = 0
    """Attached from other processes."""
    wallet: str = ""
    """Address that holds the money; "" where none is needed."""
    journal_stalled_s: float = 0.0
    """How long what is to be written has been waiting for the disk; 0 while it is written."""
