"""Everything that can enter the engine.

One event is one frozen struct; a tagged union of them is the recorder's format. Market messages keep the venue's own
spelling (strings as received), because the book hash is computed over it.
"""

from typing import Annotated, Final, Literal

import msgspec

from core.jobs.job import Baseline, Job, JobState, Route
from core.market.instrument import Instrument
from core.portfolio.entries import Booking, EquityMark
from core.quoting.adjust import KeptAdjustments
from core.risk.control import Control
from core.units import OrderSide, Outcome, Shares, Side, Usd
from core.views import VenueMode

LATEST_MS: Final = 10**14
"""Venue times beyond this, thousands of years away, are no milliseconds."""


class _Event(msgspec.Struct, frozen=True, tag=True, tag_field="kind"):
    """Common shape: the recorder tells events apart by ``kind``, a name that no message of the venue uses."""


class WireLevel(msgspec.Struct, frozen=True, gc=False):
    """One level of a full book as sent."""

    price: str
    size: str


class WireChange(msgspec.Struct, frozen=True, gc=False):
    """One entry of ``price_changes`` (polymarket-api.md 5.2)."""

    asset_id: str
    price: str
    size: str
    """The level's new total; ``"0"`` removes it."""
    side: Literal["BUY", "SELL"]
    hash: str = ""
    """Hash of that token's whole book after the change (polymarket-api.md 4.4)."""
    best_bid: str = ""
    best_ask: str = ""


class MarketMessage(msgspec.Struct, frozen=True, gc=False):
    """One message of the market channel, any type, as the venue spells it.

    One flat struct with optional fields instead of one struct per type: ``event_type`` comes near the end of the
    object, so a tagged union would make the decoder scan every message twice. It has no tag of ours either, which a
    field that the venue may add could contradict.
    """

    event_type: str = ""
    market: str = ""
    asset_id: str = ""
    timestamp: Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)] = 0
    """Milliseconds."""
    hash: str = ""
    bids: tuple[WireLevel, ...] | None = None
    asks: tuple[WireLevel, ...] | None = None
    price_changes: tuple[WireChange, ...] | None = None
    tick_size: str = ""
    last_trade_price: str = ""
    price: str = ""
    size: str = ""
    side: str = ""
    best_bid: str = ""
    best_ask: str = ""
    old_tick_size: str = ""
    new_tick_size: str = ""
    assets_ids: tuple[str, ...] = ()
    winning_asset_id: str = ""
    winning_outcome: str = ""
    transaction_hash: str = ""


class InstrumentAdded(_Event, frozen=True):
    """A market is to be made."""

    instrument: Instrument
    profile: str = ""
    """Parameter set that the market list names; "" for none."""
    max_usd: Usd | None = None
    """Most it may lose at cost by the market list, which only lowers a cap; None: by the settings."""


class MarketListed(_Event, frozen=True):
    """What the market list and its screening say now of a market that is made."""

    market: str
    drain: str
    """Why only orders that reduce are wanted here, in words; "" when it is made as usual."""
    retires: bool = False
    """It is to be left: once nothing of ours is left in it, it is made no longer (action ``Retire``)."""
    profile: str = ""
    max_usd: Usd | None = None


class InstrumentChanged(_Event, frozen=True):
    """What catalogue and exchange both say now of a market that is made: its facts change, what it is does not."""

    instrument: Instrument
    """As it would be added now (:mod:`core.market.changed` says what of it is taken)."""


class AccountSeen(_Event, frozen=True):
    """What the account holds, before any fill of this session."""

    cash: Usd
    holdings: tuple[tuple[str, Shares], ...]
    """(token, settled shares)."""


class FeedChanged(_Event, frozen=True):
    """A channel came up or went down; the market channel has several sockets."""

    feed: Literal["market", "user"]
    connected: bool
    detail: str = ""
    tokens: tuple[str, ...] = ()
    """Market channel: tokens that a socket covers now, or that none covers any more; () stands for all."""


class FeedAlive(_Event, frozen=True):
    """A channel was heard without a message of use: a PONG or an unknown text."""

    feed: Literal["market", "user"]


class RestBook(msgspec.Struct, frozen=True):
    """One full book of POST /books, spelled as the venue does, because its hash is over this spelling.

    Source: polymarket-api.md 4.1, 4.4.
    """

    market: str
    asset_id: str
    timestamp: int
    """Milliseconds; of the book's last change, not of the request."""
    hash: str
    bids: tuple[WireLevel, ...]
    asks: tuple[WireLevel, ...]
    min_order_size: str = ""
    tick_size: str = ""
    neg_risk: bool = False
    last_trade_price: str = ""


class RestTouch(msgspec.Struct, frozen=True):
    """Best bid and ask of one token in POST /prices; "" where the venue tells none (polymarket-api.md 4.1)."""

    token: str
    bid: str
    ask: str


class BooksRead(_Event, frozen=True):
    """What came of reading books and prices over REST."""

    tokens: tuple[str, ...]
    """Asked for; the venue leaves out what it does not know, without a word."""
    books: tuple[RestBook, ...] = ()
    touches: tuple[RestTouch, ...] = ()
    asked_s: float = 0.0
    """When the request left, monotonic seconds."""
    detail: str = ""
    """Why nothing came; "" when something did."""


class OrderSigned(_Event, frozen=True):
    """An intent has its order id and its journal row; its bytes are about to be sent."""

    intent: int
    order_id: str


Refusal = Literal[
    "",
    "crossed",
    "missed",
    "balance",
    "grid",
    "market",
    "closed_only",
    "account",
    "configuration",
    "rate",
    "not_ready",
    "other",
]
"""What a definitive refusal is about, by the venue's own words (polymarket-api.md 10.4); "" when it is none.

``crossed``: post-only would take. ``missed``: an order that crosses found nothing to take. ``balance``: not enough
balance or allowance. ``grid``: tick, size or amounts.
``market``: closed or unknown. ``closed_only`` and ``account``: the account may only reduce, or nothing at all.
``configuration``: signer, wallet kind, order version or credentials: no order of this session will ever be taken.
``rate``: the signer's bucket. ``not_ready``: the market is not ready for orders yet.
"""


class OrderAnswered(_Event, frozen=True):
    """The venue's answer to a placement, or the lack of one."""

    intent: int
    outcome: Literal["live", "matched", "delayed", "refused", "unknown", "denied"]
    """``denied``: stopped on our side before any byte was sent."""
    detail: str = ""
    refusal: Refusal = ""
    """Of ``refused``; ``rate`` also of ``denied``, when our own budget had no room."""
    denial: str = ""
    """Of ``denied`` by the gate: its code (:data:`core.risk.gate.DENIALS`)."""
    retry_s: float = 0.0
    """How long the venue asks to wait; 0 when it does not say."""
    matched: Shares | None = None
    """Of ``matched``, for an order that crosses: shares taken at once; what is left of it is gone. None: not told."""


class CancelAnswered(_Event, frozen=True):
    """The venue's answer to one cancel."""

    order_id: str
    outcome: Literal["cancelled", "gone", "refused", "unknown"]
    """``gone``: already matched or cancelled; fills decide."""
    detail: str = ""


class OrderSeen(_Event, frozen=True):
    """One order as the venue tells it, on the user channel or by a read."""

    order_id: str
    status: Literal["live", "matched", "cancelled", "absent"]
    matched: Shares | None = None
    """Shares matched so far when told."""
    detail: str = ""
    asked_s: float = 0.0
    """Of a read: when it was asked for, monotonic seconds."""


class ScoringSeen(_Event, frozen=True):
    """Which of our orders the venue counts for liquidity rewards at the moment (polymarket-api.md 4.3)."""

    scoring: tuple[tuple[str, bool], ...]
    """(order id, whether it scores); orders that the venue left out of its answer are left out here."""


class Taken(msgspec.Struct, frozen=True, gc=False):
    """What a taker's order met of one maker's, in the frame of the taker's token."""

    price: Usd
    """Micro-dollars a share, to the nearest."""
    size: Shares
    cash: Usd
    """What was paid for it, micro-dollars, before fees."""


class FillSeen(_Event, frozen=True):
    """Our part of a trade, once per settlement state (polymarket-api.md 6.3)."""

    trade_id: str
    order_id: str
    size: Shares
    settlement: Literal["matched", "mined", "confirmed", "retrying", "failed"]
    unix: float
    """Match time, seconds."""
    owned: bool = True
    """The entry names our API key or our wallet; without, it is ours only if we know its order."""
    source: Literal["channel", "read"] = "channel"
    """The user channel, or a read of the account's trades."""
    market: str = ""
    token: str = ""
    order_side: OrderSide | Literal[""] = ""
    """Of our order; "" where neither the entry nor the trade's header tells."""
    price: str = ""
    """As told, dollars a share of ``token``; off the grid in cross-token matches, so never used for our own orders."""
    transaction: str = ""
    """Hash of the settling transaction as far as told; it may change while the venue retries."""
    taken: tuple[Taken, ...] = ()
    """Of a taker's part, maker by maker; () of a maker's part, which is filled at its order's own price."""


class ListedOrder(msgspec.Struct, frozen=True):
    """One of the account's open orders as the venue lists it (polymarket-api.md 4.2)."""

    order_id: str
    market: str = ""
    token: str = ""
    order_side: OrderSide | Literal[""] = ""
    price: str = ""
    """Dollars a share of ``token``, as told."""
    size: Shares = Shares(0)
    matched: Shares = Shares(0)
    """0, like ``size``, also where it cannot be read: the order is there all the same."""


class OpenOrdersRead(_Event, frozen=True):
    """The account's open orders as GET /data/orders lists them; an incomplete list proves no absence."""

    asked_s: float
    """When the first request left, monotonic seconds."""
    orders: tuple[ListedOrder, ...] = ()
    complete: bool = False
    """Every page came and every row tells which order it is."""
    problem: str = ""
    """Why it is not complete, or what of it cannot be read, in words."""


class UnreadableTrade(msgspec.Struct, frozen=True):
    """A listed trade, or parts of one, that cannot be read: nobody knows what it did to our orders."""

    trade_id: str
    """"" when that cannot be read either."""
    order_ids: tuple[str, ...]
    """Orders of the parts that cannot be read, ours or not."""
    problem: str
    """What cannot be read, in words."""
    names_all: bool = True
    """``order_ids`` are all there are; else any order made before the trade may be in it."""
    unix: float = 0.0
    """Match time, seconds; 0 when it cannot be read."""


class TradesRead(_Event, frozen=True):
    """Our parts of the account's trades as GET /data/trades lists them; an incomplete list proves no absence."""

    asked_s: float
    after_unix: int
    """Only trades from then on were asked for, seconds."""
    fills: tuple[FillSeen, ...] = ()
    complete: bool = False
    """Every page came; rows that cannot be read are in ``unreadable``."""
    problem: str = ""
    unreadable: tuple[UnreadableTrade, ...] = ()


class BalancesRead(_Event, frozen=True):
    """Cash and shares that the venue shows for the account: settled trades included, open orders not taken off."""

    asked_s: float
    cash: Usd | None = None
    holdings: tuple[tuple[str, Shares], ...] = ()
    """(token, shares) of the tokens asked for."""
    complete: bool = False
    problem: str = ""


class PositionsRead(_Event, frozen=True):
    """Shares by the venue's positions index, which lags and forgets: advice, never evidence (reliability.md 4.4)."""

    asked_s: float
    holdings: tuple[tuple[str, Shares], ...] = ()
    complete: bool = False
    problem: str = ""


class IndexedTrade(msgspec.Struct, frozen=True):
    """One part of ours in a settled trade, as the venue's public index lists it (polymarket-api.md 8)."""

    transaction: str
    """Hash."""
    token: str
    order_side: OrderSide
    size: Shares
    price: str
    """As told, dollars a share; off the grid in cross-token matches."""
    unix: float
    """Seconds; when it settled."""


class IndexedTradesRead(_Event, frozen=True):
    """The account's settled trades as the public index lists them: a second source of our fills."""

    asked_s: float
    after_unix: int
    """Everything from then on was asked for, seconds."""
    trades: tuple[IndexedTrade, ...] = ()
    complete: bool = False
    problem: str = ""


ActivityKind = Literal[
    "trade", "split", "merge", "redeem", "convert", "reward", "rebate", "deposit", "withdrawal", "other"
]


class ActivityRow(msgspec.Struct, frozen=True):
    """One row of the account's history as the public index lists it (polymarket-api.md 8)."""

    kind: ActivityKind
    transaction: str
    """Hash; "" for what has none."""
    unix: float
    """Seconds."""
    market: str = ""
    """Condition id; "" for what concerns the account as a whole."""
    token: str = ""
    size: Shares = Shares(0)
    """Shares, or sets."""
    usd: Usd = Usd(0)
    """Dollars that moved, unsigned; micro-dollars."""


class ActivityRead(_Event, frozen=True):
    """What the public index knows of the account beside trades: it lags, and overrules nothing (reliability.md 4.4)."""

    asked_s: float
    after_unix: int
    """Everything from then on was asked for, seconds."""
    rows: tuple[ActivityRow, ...] = ()
    complete: bool = False
    problem: str = ""


class ChainRead(_Event, frozen=True):
    """Cash and shares by the chain itself: what is mined, and nothing else (polymarket-api.md 11)."""

    asked_s: float
    cash: Usd | None = None
    holdings: tuple[tuple[str, Shares], ...] = ()
    """(token, shares) of the tokens asked for."""
    complete: bool = False
    problem: str = ""


class PayoutSeen(_Event, frozen=True):
    """A question is resolved for good: what a YES share pays, NO the rest of a dollar (market-making.md 3.5)."""

    market: str
    price: Usd
    """0, 1,000,000 or 500,000 micro-dollars; anything else in between is taken as told."""
    source: Literal["chain", "catalogue"] = "catalogue"


class JobSeen(_Event, frozen=True):
    """What became of an inventory operation so far."""

    job_id: int
    state: JobState
    transaction_id: str = ""
    """The relayer's name for it; "" with own gas."""
    transaction: str = ""
    """Hash, as soon as it is known."""
    amount: Usd | None = None
    """Of a confirmed redemption: what was paid, micro-dollars, if it was seen."""
    retry_s: float | None = None
    """Of a refusal for quota: when the next may be taken."""
    baseline: Baseline | None = None
    """What the chain said before it was sent; told once."""
    detail: str = ""


class RouteSeen(_Event, frozen=True):
    """How transactions may leave in this session."""

    venue: Literal["live", "demo", "paper", "replay"]
    route: Route | None
    """None when they cannot."""
    obstacle: str = ""
    """Why not, in words, and what to do."""


class KnownJob(msgspec.Struct, frozen=True):
    """An inventory operation of an earlier session that had not come to its end."""

    job: Job
    state: JobState
    transaction_id: str
    transaction: str
    baseline: Baseline | None
    """What the chain said before it was sent; None when nobody had asked."""


class HeartbeatSeen(_Event, frozen=True):
    """What became of one heartbeat (polymarket-api.md 4.3)."""

    acknowledged: bool
    forked: bool = False
    """Another process heartbeats with our credentials."""
    detail: str = ""


class VenueSeen(_Event, frozen=True):
    """The venue lets us do more or less than before (polymarket-api.md 10.3)."""

    mode: VenueMode
    detail: str = ""


class BudgetSeen(_Event, frozen=True):
    """The signer's buckets became too low to place more, or recovered."""

    short: str = ""
    """What is short, in words; "" when nothing is any more."""


class KnownOrder(msgspec.Struct, frozen=True):
    """One order of an earlier session as its journal knows it."""

    intent: int
    order_id: str
    market: str
    token: str
    outcome: Outcome
    order_side: OrderSide
    tick_text: str
    """Tick of its market when it was placed, dollars."""
    usd: Usd
    """Price, micro-dollars a share of the token."""
    size: Shares
    filled: Shares
    matched: Shares
    side: Side
    layer: int
    state: str
    reason: str
    created_unix: float


class KnownFill(msgspec.Struct, frozen=True):
    """One fill that the journal has, with its latest settlement."""

    fill: FillSeen
    """``settlement`` is the latest known."""
    order: int
    """Intent of its order."""


class Recovered(_Event, frozen=True):
    """What the journal says of earlier sessions, before anything is heard of the account."""

    orders: tuple[KnownOrder, ...] = ()
    """Those that may be at the venue still, those whose fills may not all be told, and the recently ended."""
    fills: tuple[KnownFill, ...] = ()
    """Fills of these orders: what is told again is no news, and what is not final may still fail."""
    bookings: tuple[Booking, ...] = ()
    """Every line of the account's book that has not failed, in order: cash, holdings and profit are their fold."""
    equity: EquityMark | None = None
    """As last written; None when this account was never marked."""
    day_opening: EquityMark | None = None
    """The first one of the same day; None when nobody knows it."""
    marks: tuple[tuple[str, Usd], ...] = ()
    """(market, last fair value known, micro-dollars a share of YES) of markets in which something is held."""
    day_marks: tuple[tuple[str, Usd], ...] = ()
    """The same as it was at ``day_opening``, of all markets with lines before it."""
    held: tuple[Instrument, ...] = ()
    """Markets in which something is held, as far as their orders and tokens are concerned; some are not made now."""
    jobs: tuple[KnownJob, ...] = ()
    """Inventory operations that are not over, oldest first."""
    own_transactions: tuple[str, ...] = ()
    """Hashes of the transactions of all our inventory operations, in lower case: the public index tells them again."""
    next_job: int = 1
    controls: tuple[Control, ...] = ()
    """Control states as they were left, whoever's session set them; those of a loss or a drawdown are the account's."""
    adjustments: tuple[KeptAdjustments, ...] = ()
    """What an operator asked of markets' quotes, whoever's session it was."""
    closures: tuple[tuple[str, str], ...] = ()
    """(market, why) that only an operator opens again, and none has."""
    failures: tuple[tuple[str, float], ...] = ()
    """(market, unix seconds) of trades that failed since an operator last resumed that market, oldest first."""
    next_intent: int = 1
    next_seq: int = 1
    """Of the next booking."""
    read_until_unix: float = 0.0
    """The account's trades have been read completely up to here; 0 when never."""


Act = Literal[
    "pause",
    "resume",
    "widen",
    "tighten",
    "shift",
    "one_side",
    "size",
    "reset",
    "set",
    "cancel_market",
    "flatten",
    "flatten_stop",
    "reduce",
    "pause_all",
    "reduce_all",
    "resume_all",
    "cancel_all",
    "flatten_all",
    "kill",
    "rearm",
    "split",
    "merge",
    "redeem",
    "convert",
    "job_confirmed",
    "job_failed",
    "list_approve",
    "list_reject",
    "list_refresh",
    "cancel_order",
    "alarm_ack",
    "alarm_shelve",
    "alarm_unshelve",
    "record_start",
    "record_stop",
    "stop",
]

OPENING_ACTS: Final[frozenset[Act]] = frozenset(
    {
        "resume",
        "resume_all",
        "rearm",
        "tighten",
        "shift",
        "one_side",
        "size",
        "reset",
        "set",
        "flatten",
        "flatten_all",
        "split",
        "merge",
        "redeem",
        "convert",
        "list_approve",
    }
)
"""Acts that may put more at risk, and are not for somebody who sees an old picture; ``widen`` by less than nothing is
one more."""
STOPPING_ACTS: Final[frozenset[Act]] = frozenset(
    {
        "pause",
        "pause_all",
        "reduce",
        "reduce_all",
        "cancel_order",
        "cancel_market",
        "cancel_all",
        "flatten_stop",
        "kill",
        "stop",
    }
)
"""Acts that only stop: done however late they come, and whatever else is said with them."""
PREVIEWABLE: Final[frozenset[Act]] = frozenset(
    {
        "widen",
        "tighten",
        "shift",
        "one_side",
        "size",
        "reset",
        "set",
        "resume",
        "resume_all",
        "flatten",
        "flatten_all",
        "split",
        "merge",
        "redeem",
        "convert",
    }
)
"""Acts that can be asked only to tell what they would do."""


class OperatorCommand(_Event, frozen=True):
    """What an operator asked for."""

    act: Act
    market: str = ""
    """Condition id; "" for acts on everything."""
    view_seq: int = 0
    """Sequence number of the view the operator was looking at; 0 when there was none."""
    who: str = "operator"
    amount: float = 1.0
    """``widen``, ``tighten``: ticks to add to the half-spread or to take from it. ``shift``: ticks by which the fair
    value of YES is moved. ``size``: factor of all sizes. ``split``, ``merge``, ``convert``: shares (sets); 0 means all.
    Other acts have none."""
    sides: Literal["both", "bid", "ask"] = "both"
    """``one_side``: what is quoted. ``pause``, ``reduce``, ``resume``: which side of the YES book it is about."""
    half_life_s: float | None = None
    """An adjustment fades to half of itself in this time; None: it does not fade."""
    for_s: float | None = None
    """An adjustment or a control state ends after this time; None: it stays."""
    reason: str = ""
    """Why, in the operator's words; kept with the control state, the kill or the re-arm."""
    subject: str = ""
    """``cancel_order``: the order's id. ``alarm_...``: the alarm's key; "" with ``alarm_ack`` is all of them."""
    confirm: str = ""
    """``flatten``, ``flatten_all``: what the preview gave to confirm it with."""
    most_cost: Usd | None = None
    """``flatten``: most it may cost against the fair value at the preview, micro-dollars; None: by the settings."""
    passive_s: float | None = None
    """``flatten``: how long it waits at the touch before it crosses; None: by the settings."""
    profile: str = ""
    """``set``: name of the profile to quote with, ``auto`` to choose by the market's facts; "" keeps the present."""
    changes: tuple[tuple[str, str], ...] = ()
    """``set``: (setting, value as text); a value of "" takes an earlier change of that setting back."""
    preview: bool = False
    """Only tell what would be done, and change nothing. Of :data:`PREVIEWABLE`; others are done by :meth:`meant` or
    refused by :attr:`why_no_preview`."""

    @property
    def is_preview(self) -> bool:
        """It only wants to be told, and that can be done."""
        return self.preview and self.act in PREVIEWABLE

    @property
    def meant(self) -> "OperatorCommand":
        """The command as it is carried out: what only stops does so, whatever is asked of a preview."""
        return msgspec.structs.replace(self, preview=False) if self.act in STOPPING_ACTS else self

    @property
    def why_no_preview(self) -> str:
        """A preview is asked for that there is none of, in words; "" when not."""
        has_one = not self.preview or self.act in PREVIEWABLE | STOPPING_ACTS
        return "" if has_one else "there is no preview of it; nothing was done"

    @property
    def opens(self) -> bool:
        """It may put more at risk: it does more than stop, cancel, widen or tell."""
        if self.is_preview:
            return False
        match self.act:
            case "widen":
                return self.amount < 0
            case "size":
                return self.amount > 1
            case "one_side":
                return self.sides == "both"
            case _:
                return self.act in OPENING_ACTS


class Killed(_Event, frozen=True):
    """The kill switch was pulled, by whomever: it has latched and cancels by itself; the engine only takes note."""

    by: str
    """Who or what pulled it."""
    reason: str


class Armed(_Event, frozen=True):
    """The kill latch stands at armed: nothing that was killed before ``unix`` is killed any more."""

    by: str
    reason: str
    unix: float
    """Since when it is armed, seconds."""


class WatchdogSeen(_Event, frozen=True):
    """The watchdog stands guard, or does not."""

    up: bool
    detail: str = ""


class ClockSeen(_Event, frozen=True):
    """What the venue's clock shows against ours."""

    skew_s: float
    """Seconds that ours is ahead; negative behind."""


class JournalSeen(_Event, frozen=True):
    """What is to be written has been waiting for the disk for so long, or is written again."""

    stalled_s: float
    """0 when it is written."""


class LoopSeen(_Event, frozen=True):
    """The session's loop stood still for longer than a second, and moves again: so did everything it hears."""

    stood_s: float


class StopRequested(_Event, frozen=True):
    """The session is to end: nothing new may be placed from here on."""

    reason: str


class Woken(_Event, frozen=True):
    """Time has reached what ``Engine.next_wake`` asked for."""

    unix: float
    """Seconds since 1970: days begin in UTC, and questions resolve at known times."""


Event = (
    MarketMessage
    | InstrumentAdded
    | InstrumentChanged
    | MarketListed
    | AccountSeen
    | FeedChanged
    | FeedAlive
    | BooksRead
    | OrderSigned
    | OrderAnswered
    | CancelAnswered
    | OrderSeen
    | OpenOrdersRead
    | TradesRead
    | BalancesRead
    | PositionsRead
    | IndexedTradesRead
    | ActivityRead
    | ChainRead
    | PayoutSeen
    | JobSeen
    | RouteSeen
    | HeartbeatSeen
    | VenueSeen
    | BudgetSeen
    | Recovered
    | ScoringSeen
    | FillSeen
    | OperatorCommand
    | StopRequested
    | Killed
    | Armed
    | WatchdogSeen
    | ClockSeen
    | JournalSeen
    | LoopSeen
    | Woken
)
