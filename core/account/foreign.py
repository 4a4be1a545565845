"""What is on the account and not ours: orders and trades of somebody else with the same keys, shares we did not buy.

Shown apart, never counted as ours and never touched.
"""

from collections.abc import Iterable
from typing import Final

from core.actions import Finding
from core.events import FillSeen, ListedOrder
from core.units import Shares, micro_text

KEPT: Final = 1_000
"""Orders and trades remembered, so that each is told once."""


class Foreign:
    """Everything of somebody else on our account."""

    def __init__(self) -> None:
        self.orders: dict[str, ListedOrder] = {}
        """Open ones by id, as last listed."""
        self.shares: dict[str, Shares] = {}
        """Micro-shares by token beside our own."""
        self.fills: dict[tuple[str, str], FillSeen] = {}
        """Trades by trade and order, with their latest word."""
        self._told: dict[str, None] = {}
        """Orders."""

    def list_orders(self, rows: Iterable[ListedOrder], is_complete: bool) -> list[Finding]:
        """Take the orders of a list that are not ours; only a complete list takes any away."""
        listed = {row.order_id: row for row in rows}
        self.orders = listed if is_complete else self.orders | listed
        found = [_order_found(row) for row in listed.values() if row.order_id not in self._told]
        self._told |= dict.fromkeys(listed)
        while len(self._told) > KEPT:
            del self._told[next(iter(self._told))]
        return found

    def take_fill(self, event: FillSeen) -> list[Finding]:
        """Take a trade of the account that fills none of our orders; a stranger's is nobody's business."""
        if not event.owned:
            return []
        key = (event.trade_id, event.order_id)
        is_news = key not in self.fills
        self.fills[key] = event
        if not is_news:
            return []
        if len(self.fills) > KEPT:
            del self.fills[next(iter(self.fills))]
        what = f"{event.order_side or 'traded'} {micro_text(event.size)} shares at {event.price[:12]}"
        text = f"a trade on this account is not of an order of ours: {what}"
        return [Finding("foreign_fill", "warning", "none", event.market, event.trade_id, text)]


def _order_found(row: ListedOrder) -> Finding:
    what = f"{row.order_side or 'a side that is not told,'} {micro_text(row.size)} shares at {row.price[:12]}"
    text = f"an open order on this account is not ours: {what}"
    return Finding("foreign_order", "warning", "none", row.market, row.order_id, text)
