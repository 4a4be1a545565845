"""Orders of earlier sessions, as of their last rows in the journal."""

from typing import Final

from core.events import KnownOrder
from core.orders.order import Order, State
from core.units import Ticks, grid_of

_GRIDLESS: Final = "0.000001"
"""Tick of an order whose price is off its market's grid."""


def restored(known: KnownOrder, now: float, unix: float) -> Order:
    """One order.

    Args:
        known: its row.
        now: monotonic seconds.
        unix: the same moment in seconds since 1970, for the time it was made.
    """
    grid = grid_of(known.tick_text)
    if known.usd % grid.tick_usd:
        grid = grid_of(_GRIDLESS)
    price = Ticks(known.usd // grid.tick_usd)
    order = Order(
        intent=known.intent,
        market=known.market,
        token=known.token,
        outcome=known.outcome,
        order_side=known.order_side,
        grid=grid,
        price=price,
        yes_price=price if known.outcome == "YES" else grid.complement(price),
        size=known.size,
        side=known.side,
        layer=known.layer,
        reason=known.reason,
        now=min(now, now - (unix - known.created_unix)),
    )
    order.order_id, order.filled, order.matched = known.order_id, known.filled, known.matched
    order.state, order.since_s = State(known.state), now
    order.unknown_s = now if order.state in (State.UNKNOWN, State.SENDING) else None
    order.validated_s = now
    return order
