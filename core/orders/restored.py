"""Orders of earlier sessions, as of their last rows in the journal."""

from core.events import KnownOrder
from core.orders.order import Order, State
from core.units import MICRO, Grid, Ticks, Usd, grid_of


def restored(known: KnownOrder, now: float, unix: float, grid: Grid | None) -> Order:
    """One order, in the nearest ticks of its market's present grid; its dollars stay what they are.

    Args:
        known: its row.
        now: monotonic seconds.
        unix: the same moment in seconds since 1970, for the time it was made.
        grid: of its market now; None for the grid of then, when nobody knows.
    """
    grid = grid or grid_of(known.tick_text)
    yes_usd = known.usd if known.outcome == "YES" else Usd(MICRO - known.usd)
    order = Order(
        intent=known.intent,
        market=known.market,
        token=known.token,
        outcome=known.outcome,
        order_side=known.order_side,
        grid=grid,
        price=nearest(grid, known.usd),
        yes_price=nearest(grid, yes_usd),
        size=known.size,
        side=known.side,
        layer=known.layer,
        reason=known.reason,
        now=min(now, now - (unix - known.created_unix)),
    )
    order.usd = known.usd
    order.order_id, order.filled, order.matched = known.order_id, known.filled, known.matched
    order.state, order.since_s = State(known.state), now
    order.unknown_s = now if order.state in (State.UNKNOWN, State.SENDING) else None
    order.validated_s = now
    return order


def nearest(grid: Grid, usd: Usd) -> Ticks:
    """The tick of a grid that is nearest to some micro-dollars."""
    return Ticks((usd + grid.tick_usd // 2) // grid.tick_usd)
