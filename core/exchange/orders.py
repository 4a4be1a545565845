"""What goes into the matching engine and what comes out of it: orders, trades, level changes."""

from typing import Literal

import msgspec

from core.market.instrument import Instrument
from core.units import OrderSide, Outcome, Shares, Side, Ticks, Usd

OrderType = Literal["GTC", "GTD", "FOK", "FAK"]
"""Order types of the venue (polymarket-api.md 2.5)."""
UpdateKind = Literal["PLACEMENT", "UPDATE", "CANCELLATION"]
"""Kinds of ``order`` events on the user channel (polymarket-api.md 6.1)."""


class NewOrder(msgspec.Struct, frozen=True):
    """An order as its owner asked for it, in the frame of its own token."""

    order_id: str
    """``0x`` and 64 hex digits; unique for ever."""
    account: str
    """Lower-case address that holds the money (the funder)."""
    owner: str
    """API key the order came in with; empty for participants living in the process."""
    market: str
    """Condition id."""
    outcome: Outcome
    side: OrderSide
    price: Ticks
    """Limit price of the token itself."""
    size: Shares
    """Shares wanted; for an order with a budget, the least it must bring."""
    order_type: OrderType = "GTC"
    post_only: bool = False
    expiration: int = 0
    """Unix seconds, 0 for none."""
    budget: Usd | None = None
    """Dollars to spend, for FOK and FAK buys (polymarket-api.md 2.4, market amounts)."""

    @property
    def yes_side(self) -> Side:
        """Side of the YES book on which the order stands (polymarket-api.md 2.2)."""
        return "bid" if (self.side == "BUY") == (self.outcome == "YES") else "ask"


class Order(msgspec.Struct):
    """An accepted order and what became of it."""

    new: NewOrder
    instrument: Instrument
    """The market as it was when the order was last priced: its tick may change under a resting order."""
    yes_side: Side
    yes_price: Ticks
    created_ms: int
    """Receive time, unix milliseconds."""
    matched: Shares = Shares(0)
    status: str = "LIVE"
    """``LIVE``, ``DELAYED``, ``MATCHED`` or a ``CANCELED…`` text (polymarket-api.md 6.1)."""
    trades: list[str] = []
    reserved: int = 0
    """Micro-dollars (BUY) or micro-shares (SELL) held back while the order rests or is delayed."""

    @property
    def remaining(self) -> Shares:
        """Shares not yet matched."""
        return Shares(self.new.size - self.matched)


class MakerFill(msgspec.Struct, frozen=True):
    """One resting order's part of a trade."""

    order: Order
    price: Ticks
    """The maker's own limit, in the frame of the maker's token."""
    size: Shares
    cash: Usd
    """Micro-dollars the maker paid (BUY) or received (SELL)."""


class Movement(msgspec.Struct, frozen=True):
    """What one party of a trade gives and gets when the trade settles."""

    account: str
    outcome: Outcome
    cash: int
    """Micro-dollars gained; negative when paid. Fees are not in it."""
    tokens: int
    """Micro-shares gained; negative when delivered."""
    fee: int = 0
    """Micro-dollars of taker fee."""


class Trade(msgspec.Struct):
    """One taker order against one or more makers (polymarket-api.md 6.2)."""

    trade_id: str
    """UUID."""
    market: str
    instrument: Instrument
    """The market as it was at the match; prices of this trade are on its grid."""
    taker: Order
    size: Shares
    cash: Usd
    """Micro-dollars the taker paid or received, without the fee."""
    fee: Usd
    last_price: Ticks
    """Price of the last fill in the frame of the taker's token; what the tape shows."""
    fills: list[MakerFill]
    movements: list[Movement]
    matched_ms: int
    status: str = "MATCHED"
    """``MATCHED``, ``MINED``, ``CONFIRMED``, ``RETRYING`` or ``FAILED`` (polymarket-api.md 6.2)."""
    updated_ms: int = 0
    transaction_hash: str = ""
    self_trade: bool = False
    """Taker and at least one maker are the same account."""

    @property
    def parties(self) -> list[tuple[str, str]]:
        """Owner and account of everyone in it, the taker first, each owner once."""
        seen: dict[str, str] = {self.taker.new.owner: self.taker.new.account}
        for fill in self.fills:
            seen.setdefault(fill.order.new.owner, fill.order.new.account)
        return list(seen.items())


class LevelChange(msgspec.Struct, frozen=True):
    """A new displayed total of one level of the YES book."""

    side: Side
    price: Ticks
    size: Shares
    outcome: Outcome
    """Token of the order that caused the change; its entry comes first on the wire."""


class OrderUpdate(msgspec.Struct, frozen=True):
    """A change of one order as it stood right after the change."""

    kind: UpdateKind
    order: Order
    status: str
    matched: Shares
    trades: tuple[str, ...]


class Report(msgspec.Struct):
    """Everything one call to the engine changed."""

    error: str = ""
    """Reason of a refusal in the venue's words; empty when accepted."""
    order: Order | None = None
    trade: Trade | None = None
    changes: list[LevelChange] = []
    updates: list[OrderUpdate] = []
