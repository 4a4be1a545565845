"""The verbs of the script language: one struct per kind of fault, each telling what a client sees of it.

Durations are seconds under the name ``for``, waits inside one answer are milliseconds. ``market`` is the number of a
market (0 is the first one listed) or its condition id; ``tokens`` are ``yes``, ``no``, ``both`` or token ids; ``key``
is an API key. The catalogue these come from: reliability.md 2 and 4.11.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(ge=0.001, le=1e9, description="seconds, at least 0.001")]
Millis = Annotated[int, Meta(ge=1, le=10**9, description="milliseconds, a whole number of at least 1")]
Count = Annotated[int, Meta(ge=1, le=10**9, description="a whole number of at least 1")]
Natural = Annotated[int, Meta(ge=0, le=10**9, description="a whole number, 0 or more")]
Number = Annotated[float, Meta(gt=0, le=1e9, description="a number above 0")]
Price = Annotated[float, Meta(gt=0, lt=1, description="dollars between 0 and 1")]
Status = Annotated[int, Meta(ge=200, le=599, description="an HTTP status, 200 to 599")]
CloseCode = Annotated[int, Meta(ge=1000, le=4999, description="a WebSocket close code, 1000 to 4999")]
Market = Annotated[int | str, Meta(description="the number of a market (0 is the first) or its condition id")]
TICKS: Final = ("0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001")
Tick = Annotated[float | str, Meta(description="one of " + ", ".join(TICKS))]
Tokens = Annotated[str | tuple[str, ...], Meta(description='"yes", "no", "both", a token id, or a list of token ids')]
Pattern = Annotated[
    str,
    Meta(
        pattern=r"^(\*|[A-Z]+) [/*]\S*$",
        description='a method and a path such as "POST /order"; * stands for anything',
    ),
]
"""Which requests; ``*`` stands for anything in either part."""

Channel = Literal["market", "user"]
Kind = Literal[
    "dump",
    "book",
    "price_change",
    "last_trade_price",
    "best_bid_ask",
    "tick_size_change",
    "new_market",
    "market_resolved",
    "order",
    "trade",
]
"""Kinds of messages. ``dump`` is the array of books after a subscription; ``order`` and ``trade`` are the user's."""
USER_KINDS: Final[frozenset[Kind]] = frozenset({"order", "trade"})
HASHED_KINDS: Final[frozenset[Kind]] = frozenset({"dump", "book", "price_change"})
Outcome = Literal["yes", "no"]
Side = Literal["BUY", "SELL"]


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


class Verb(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag=_snake):
    """Base of all verbs; ``do`` names one."""


class Lasting(Verb, frozen=True, kw_only=True):
    """A verb that goes on for a time."""

    for_s: Seconds | None = msgspec.field(default=None, name="for")
    """How long; unset: for ever, or as often as ``count`` says where a verb has one."""


# What happens to messages on the channels


class StreamVerb(Lasting, frozen=True, kw_only=True):
    """A verb about messages of a channel; what matches all that is said is hit."""

    channel: Channel | None = None
    """Unset: the one that ``kinds`` or ``on`` speak of, otherwise the market channel."""
    market: Market | None = None
    tokens: Tokens | None = None
    kinds: tuple[Kind, ...] = ()
    """Unset: every kind."""
    key: str | None = None
    """Only this API key's messages (user channel)."""
    count: Count | None = None
    """How many messages; unset: one, or with ``for`` all of that time."""


class Drop(StreamVerb, frozen=True, kw_only=True):
    """Messages never arrive. With ``tokens`` the other token's part of a message still does."""


class Duplicate(StreamVerb, frozen=True, kw_only=True):
    """Messages arrive ``copies`` times more, word for word."""

    copies: Count = 1


class Reorder(StreamVerb, frozen=True, kw_only=True):
    """Messages arrive in blocks whose order is turned round: the first of ``block`` comes last."""

    block: Annotated[int, Meta(ge=2, le=10_000, description="a whole number of at least 2")] = 2


class Delay(StreamVerb, frozen=True, kw_only=True):
    """Messages arrive ``ms`` late; the ones a scope leaves alone overtake them."""

    ms: Millis


class Burst(StreamVerb, frozen=True, kw_only=True):
    """Silence while PONG works, then everything held back at once, in order. Wants ``for``."""


class BadHash(StreamVerb, frozen=True, kw_only=True):
    """Books and price changes state a wrong hash; prices and sizes are right."""


class MuteUser(Lasting, frozen=True, kw_only=True):
    """Events of the user channel are dropped while the socket lives: a fill or an order nobody is told of."""

    kinds: tuple[Literal["order", "trade"], ...] = ()
    market: Market | None = None
    key: str | None = None
    count: Count | None = None
    """How many events; unset: one, or with ``for`` all of that time."""


class Freeze(Lasting, frozen=True, kw_only=True):
    """No data while PING is still answered: of some tokens, or of whole sockets when nothing narrows it."""

    channel: Channel = "market"
    market: Market | None = None
    tokens: Tokens | None = None
    key: str | None = None
    heals: Literal["time", "resubscribe", "reconnect"] = "time"
    """What ends it besides ``for``: nothing, subscribing the token again, or a new socket."""


class Say(Verb, frozen=True, kw_only=True):
    """Open sockets get ``text`` word for word, a message the venue never sent."""

    text: str
    channel: Channel = "market"
    market: Market | None = None
    tokens: Tokens | None = None
    key: str | None = None


# What happens to sockets


class SocketVerb(Lasting, frozen=True, kw_only=True):
    """A verb about sockets; with ``for`` it meets every new socket of that time too."""

    channel: Literal["market", "user", "both"] = "both"
    market: Market | None = None
    """Only sockets that listen to this market."""
    tokens: Tokens | None = None
    key: str | None = None


class HalfOpen(SocketVerb, frozen=True, kw_only=True):
    """The venue stops reading and writing, answers no PING, and never closes."""


class Reset(SocketVerb, frozen=True, kw_only=True):
    """The TCP connection ends with a reset, without a closing frame."""


class Disconnect(SocketVerb, frozen=True, kw_only=True):
    """A clean close with a code; with ``for`` new connections are refused with 503 in that time."""

    code: CloseCode = 1001
    reason: str = "going away"


# What happens to requests


class RequestVerb(Lasting, frozen=True, kw_only=True):
    """A verb about HTTP requests."""

    request: Pattern | None = None
    """Which ones; unset: those of ``on``, or all."""
    count: Count | None = None
    """How many; unset: one, or with ``for`` all of that time."""


class Http(RequestVerb, frozen=True, kw_only=True):
    """Requests are answered with a status and a body by something in front of the venue, and do nothing."""

    status: Status
    body: Literal["json", "html", "empty"] = "json"
    text: str | None = None
    """The body itself, in place of a made-up one."""
    headers: dict[str, str] = {}


class Redirect(RequestVerb, frozen=True, kw_only=True):
    """Requests are sent elsewhere."""

    to: str
    status: Annotated[int, Meta(ge=300, le=399, description="a redirect status, 300 to 399")] = 307


class Blackhole(RequestVerb, frozen=True, kw_only=True):
    """The answer is lost, before the venue did what was asked or after it."""

    moment: Literal["before", "after"] = "after"
    then: Literal["hang", "cut"] = "hang"
    """Whether the connection stays silent or is reset."""


class Slow(RequestVerb, frozen=True, kw_only=True):
    """The answer comes ``ms`` late; the order takes effect before or after the wait."""

    ms: Millis
    moment: Literal["before", "after"] = "after"


class OmitPage(Lasting, frozen=True, kw_only=True):
    """GET /data/orders or /data/trades is incomplete without saying so, or fails beyond a page."""

    list: Literal["orders", "trades"] = "orders"
    page: Count = 1
    keep: Natural = 0
    """Rows of that page that still come."""
    lost: Literal["rows", "rest", "answer"] = "rows"
    """``rows``: rows are missing, the cursor goes on. ``rest``: the list also ends there. ``answer``: status 500."""
    count: Count | None = None


class BatchShort(Lasting, frozen=True, kw_only=True):
    """The answer to POST /orders lacks a leg, which was taken all the same."""

    leg: Natural = 0
    """Which leg, counted from 0."""
    count: Count | None = None


class BatchShuffle(Lasting, frozen=True, kw_only=True):
    """The answer to POST /orders has its legs in another order (turned by one)."""

    count: Count | None = None


class CancelRace(Lasting, frozen=True, kw_only=True):
    """A cancel comes too late: just before, a stranger filled the order or the venue cancelled it."""

    outcome: Literal["filled", "canceled"] = "filled"
    count: Count | None = None


class StaleBalance(Lasting, frozen=True, kw_only=True):
    """The venue's balance cache is behind: reads show less, orders are refused with "not enough balance"."""

    shows: Literal["before", "zero"] = "before"
    """What was there when it began, or nothing."""
    heals: Literal["time", "update"] = "time"
    """``update``: GET /balance-allowance/update ends it."""


class StaleRest(Lasting, frozen=True, kw_only=True):
    """REST books, prices, midpoints and spreads stay as they were when it began; the channel goes on."""

    market: Market | None = None
    paths: Literal["all", "books"] = "all"
    """``books``: only /book and /books; /price and the like are right."""


class GhostBook(Lasting, frozen=True, kw_only=True):
    """GET /book and POST /books show 0.01 against 0.99; everything else is right."""

    market: Market | None = None


class Disagree(Lasting, frozen=True, kw_only=True):
    """Of a market, Gamma or the CLOB says something else than the other; trading goes on as it is."""

    market: Market
    what: Literal[
        "neg_risk", "group", "tokens", "order", "tick", "min_size", "fee", "reward", "delay", "version",
        "accepting", "closed", "hydrating", "missing", "ended", "resolution",
    ]  # fmt: skip
    """``tokens``: each token is the other outcome's; ``order``: outcomes and tokens both turned round, which says the
    same; ``hydrating``: Gamma has empty token ids, the CLOB 404; ``missing``: Gamma does not know the market."""
    source: Literal["gamma", "clob"] = "gamma"
    """Whose word is wrong."""


GAMMA_ONLY: Final = frozenset({"closed", "missing", "ended", "resolution"})
"""What the CLOB's parameters have no word of."""


class Sheet(Lasting, frozen=True, kw_only=True):
    """The spreadsheet with the market list cannot be read, or shows what an accident left of it."""

    what: Literal[
        "denied", "missing", "quota", "unauthenticated", "unavailable", "disabled", "no_tab",
        "empty", "header", "half", "mangled", "errors", "header_renamed", "repeated", "flood",
    ]  # fmt: skip
    count: Count | None = None
    """How many reads; unset: one, or with ``for`` all of that time."""


class StalePositions(Lasting, frozen=True, kw_only=True):
    """Positions of the Data API stay as they were when it began, or the list is empty."""

    shows: Literal["before", "empty"] = "before"


class Title(Lasting, frozen=True, kw_only=True):
    """A market's title is hostile wherever it is read: markup, terminal escapes, a formula, ..."""

    market: Market
    kind: Literal["markup", "escape", "bidi", "formula", "long"] = "markup"
    text: str | None = None
    """The title itself, in place of a made-up one."""


class ClockOffset(Lasting, frozen=True, kw_only=True):
    """The venue's clock is off: GET /time says so, and the age of request headers is judged by it."""

    seconds: Annotated[float, Meta(ge=-1e9, le=1e9, description="seconds, ahead above 0, behind below 0")]


class Geoblock(Lasting, frozen=True, kw_only=True):
    """The venue takes no orders from where the client is: its site says so, placements meet an HTML 403."""

    country: str = "US"
    region: str = "NY"


VENUE_VERSION: Final = 2


class Version(Lasting, frozen=True, kw_only=True):
    """GET /version names another version, orders are refused with ``order_version_mismatch``."""

    to: Natural = 3


class ExpireCredentials(Lasting, frozen=True, kw_only=True):
    """Private calls answer 401; the user channel refuses the key."""

    key: str | None = None
    paths: Literal["all", "orders"] = "all"
    """``orders``: only POST /order and /orders; reads and cancels go on."""
    heals: Literal["derive", "time"] = "derive"
    """``derive``: fetching the key again (GET /auth/derive-api-key or POST /auth/api-key) ends it."""


# What happens at the venue itself


class Restart(Verb, frozen=True, kw_only=True):
    """425 for ``seconds``, cancels too, then two minutes post-only; orders survive it or are gone without a word."""

    seconds: Seconds = 90.0
    keep_orders: bool = True


class Mode(Lasting, frozen=True, kw_only=True):
    """The whole venue takes only some requests: 503 to the others."""

    mode: Literal["normal", "post_only", "cancel_only", "disabled"]


class Throttle(Verb, frozen=True, kw_only=True):
    """A signer's bucket stands at ``to``: 429 with Retry-After until it has refilled. The cancel bucket may owe."""

    bucket: Literal["order", "cancel"]
    to: Annotated[int, Meta(ge=-100_000, le=100_000, description="a whole number of tokens")] = 0
    key: str | None = None


class Settle(Verb, frozen=True, kw_only=True):
    """The next trades do not settle: FAILED, or RETRYING some times and then MINED, or MATCHED for ever."""

    how: Literal["fail", "retry", "hang"]
    count: Count = 1
    retries: Count = 1
    market: Market | None = None


class ForeignOrder(Verb, frozen=True, kw_only=True):
    """An order appears on the client's account that the client never made; the user channel tells of it."""

    market: Market
    outcome: Outcome = "yes"
    side: Side = "BUY"
    price: Price = 0.01
    size: Number = 10.0
    key: str | None = None
    """Whose; unset: whoever sent the last order."""


class StrangerTrade(Verb, frozen=True, kw_only=True):
    """A stranger takes ``size`` shares at any price: several resting orders at once, also from the other token."""

    market: Market
    outcome: Outcome = "yes"
    side: Side = "SELL"
    size: Number


class DuplicateFill(Verb, frozen=True, kw_only=True):
    """The newest trades of clients are told once more on the user channel, as ``status``, whatever they are now."""

    count: Count = 1
    status: Literal["MATCHED", "MINED", "CONFIRMED"] = "MATCHED"
    key: str | None = None


class HeartbeatFork(Verb, frozen=True, kw_only=True):
    """Somebody else beats with the same credentials: the id the client holds is not the expected one any more."""

    key: str | None = None
    """Whose; unset: everybody who beats."""


class TakerDelay(Lasting, frozen=True, kw_only=True):
    """Marketable orders are answered ``delayed`` and matched or rested ``ms`` later."""

    market: Market
    ms: Millis


class TickChange(Verb, frozen=True, kw_only=True):
    """The market's grid changes under resting orders; ``tick_size_change`` tells of it."""

    market: Market
    tick: Tick


class ClosedOnly(Lasting, frozen=True, kw_only=True):
    """An account may only reduce: its BUY orders are refused, SELL orders and cancels pass."""

    key: str | None = None


Spender = Literal["exchange", "neg_risk_exchange", "adapter", "neg_risk_adapter", "exchange_v3", "router"]
SPENDERS: Final[dict[str, tuple[Spender, ...]]] = {
    "collateral": ("exchange", "neg_risk_exchange", "adapter", "neg_risk_adapter", "exchange_v3", "router"),
    "conditional": ("exchange", "neg_risk_exchange", "adapter", "neg_risk_adapter"),
    "conditional-v2": ("exchange_v3", "router"),
}
"""The contracts a trading wallet lets take each kind of asset (polymarket-api.md 3.6)."""


class Allowance(Verb, frozen=True, kw_only=True):
    """No wallet lets a contract take more than ``amount`` any more, until it approves anew."""

    asset: Literal["collateral", "conditional", "conditional-v2"] = "collateral"
    spender: Spender | None = None
    """Unset: every contract that takes this asset."""
    amount: Natural = 0
    """Base units; of conditional tokens anything above 0 is all of them."""


class PauseMarket(Lasting, frozen=True, kw_only=True):
    """The book stays, new orders are refused."""

    market: Market


class CloseMarket(Verb, frozen=True, kw_only=True):
    """Resting orders are cancelled, the book is gone."""

    market: Market


class Resolve(Verb, frozen=True, kw_only=True):
    """The market closes and pays; with ``silent`` no ``market_resolved`` is sent."""

    market: Market
    result: Literal["YES", "NO", "HALF"]
    silent: bool = False


class AutoRedeem(Verb, frozen=True, kw_only=True):
    """The AutoRedeemer cashes in a resolved market for its holders: tokens vanish, cash comes, a notification tells."""

    market: Market


VERBS: Final[dict[str, type[Verb]]] = {
    str(verb.__struct_config__.tag): verb
    for verb in (
        Freeze, Drop, Duplicate, Reorder, Delay, Burst, BadHash, MuteUser, Say, HalfOpen, Reset, Disconnect,
        Http, Redirect, Blackhole, Slow, OmitPage, BatchShort, BatchShuffle, CancelRace,
        StaleRest, GhostBook, StalePositions, StaleBalance, Title, Disagree, Sheet,
        ClockOffset, ExpireCredentials, Geoblock, Version,
        Restart, Mode, Throttle, Settle, ForeignOrder, StrangerTrade, DuplicateFill, HeartbeatFork, TakerDelay,
        ClosedOnly, Allowance, TickChange, PauseMarket, CloseMarket, Resolve, AutoRedeem,
    )
}  # fmt: skip
"""Every verb by the word a script uses."""
