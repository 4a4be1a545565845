"""A venue that knows the truth about our orders, and tells it late, twice, in any order or not at all.

Everything it says is taken down when it is true and may be heard later; only words on sizes of a match may be lies.
"""

from typing import Literal

import msgspec

from core.events import FillSeen, ListedOrder, OpenOrdersRead, OrderSeen, TradesRead
from core.units import SIZE_QUANTUM, Shares
from tests.builders import NOON

TRANSIT_SEC = 4.0
"""Bytes of a placement arrive by then or never: within ``RECENT_GUARD_SEC``, or no evidence could be trusted."""
Status = Literal["unsent", "transit", "open", "delayed", "never", "ended"]


class Placed(msgspec.Struct):
    """One order of ours at the venue."""

    order_id: str
    size: int
    status: Status = "unsent"
    lands: bool = True
    """What becomes of the bytes under way."""
    lands_s: float = 0.0
    filled: int = 0

    @property
    def is_alive(self) -> bool:
        """It may still be filled."""
        return self.status in ("transit", "open", "delayed")

    @property
    def left(self) -> int:
        return self.size - self.filled


class Part(msgspec.Struct):
    """What one trade filled of one order, and every word there was on it, oldest first."""

    trade_id: str
    order_id: str
    size: int
    unix: float
    words: list[str]

    def word(self, number: int = -1, source: Literal["channel", "read"] = "channel") -> FillSeen:
        """One of its words, the latest when not said otherwise."""
        settlement = self.words[number % len(self.words) if number >= 0 else -1]
        return FillSeen(
            trade_id=self.trade_id,
            order_id=self.order_id,
            size=Shares(self.size),
            settlement=settlement,  # type: ignore[arg-type]
            unix=self.unix,
            source=source,
        )


class ModelVenue:
    """Orders and trades as they are. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.orders: dict[str, Placed] = {}
        self.parts: list[Part] = []
        self.now = 0.0

    def pass_time(self, now: float) -> None:
        """Bytes that were under way arrive."""
        self.now = now
        for order in self.orders.values():
            if order.status == "transit" and order.lands_s <= now:
                order.status = "open" if order.lands else "never"

    def filled(self, order_id: str) -> int:
        return self.orders[order_id].filled

    def match(self, sizes: dict[str, int]) -> None:
        """One trade fills these orders."""
        trade_id = f"trade-{len(self.parts)}"
        for order_id, size in sizes.items():
            order = self.orders[order_id]
            order.filled += size
            order.status = "ended" if order.left < SIZE_QUANTUM else "open"
            self.parts.append(Part(trade_id, order_id, size, NOON + self.now, ["matched"]))

    def cancel(self, order_id: str) -> Literal["cancelled", "gone"]:
        """Carry a cancel out; one that overtakes its placement finds nothing."""
        order = self.orders[order_id]
        if order.status not in ("open", "delayed"):
            return "gone"
        order.status = "ended"
        return "cancelled"

    def drop_all(self) -> None:
        """Everything that rests is cancelled without a word, and what is under way is decided."""
        for order in self.orders.values():
            if order.status == "transit":
                order.status = "open" if order.lands else "never"
            if order.is_alive:
                order.status = "ended"

    def read(self, order_id: str, remembers: bool) -> OrderSeen:
        """One order as GET /data/order tells it now; ended ones may read as absent (polymarket-api.md 4.2)."""
        order = self.orders[order_id]
        if order.status in ("open", "delayed"):
            return OrderSeen(order_id=order_id, status="live", matched=Shares(order.filled), asked_s=self.now)
        if order.status != "ended" or not remembers:
            return OrderSeen(order_id=order_id, status="absent", asked_s=self.now)
        is_whole = order.left < SIZE_QUANTUM
        status: Literal["matched", "cancelled"] = "matched" if is_whole else "cancelled"
        return OrderSeen(order_id=order_id, status=status, matched=Shares(order.filled), asked_s=self.now)

    def list_orders(self, left_out: int = 0) -> OpenOrdersRead:
        """Open orders as they are now; ``left_out`` rows are missing, and then the list is not complete."""
        rows = [
            ListedOrder(order_id=order.order_id, size=Shares(order.size), matched=Shares(order.filled))
            for order in self.orders.values()
            if order.status == "open"
        ]
        return OpenOrdersRead(asked_s=self.now, orders=tuple(rows[left_out:]), complete=not left_out)

    def list_trades(self, left_out: int = 0, since_s: float = 0.0) -> TradesRead:
        """Trades as they are now, from ``since_s`` on."""
        parts = [part.word(source="read") for part in self.parts if part.unix >= NOON + since_s]
        return TradesRead(
            asked_s=self.now, after_unix=int(NOON + since_s), fills=tuple(parts[left_out:]), complete=not left_out
        )
