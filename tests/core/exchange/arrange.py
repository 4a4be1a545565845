"""Orders for the exchange in one line."""

from core.exchange.orders import NewOrder, OrderType
from core.units import MICRO, OrderSide, Outcome, Shares, Ticks, Usd


def new_order(
    number: int,
    account: str,
    market: str,
    side: OrderSide,
    price: int,
    size: float,
    *,
    outcome: Outcome = "YES",
    order_type: OrderType = "GTC",
    post_only: bool = False,
    expiration: int = 0,
    budget: Usd | None = None,
) -> NewOrder:
    """The ``number``-th order of a test: ``size`` shares of an outside account at ``price`` ticks."""
    return NewOrder(
        order_id=f"0x{number:064x}",
        account=account,
        owner="key of " + account,
        market=market,
        outcome=outcome,
        side=side,
        price=Ticks(price),
        size=Shares(round(size * MICRO)),
        order_type=order_type,
        post_only=post_only,
        expiration=expiration,
        budget=budget,
    )
