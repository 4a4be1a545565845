"""Which token an order is placed on: what we hold is sold, the rest buys the complement with cash.

A token cannot be shorted: selling YES at a price and buying NO at one minus that price leave the same wealth.
"""

from collections.abc import Iterable

import msgspec

from core.units import MICRO, SIZE_QUANTUM, Grid, OrderSide, Outcome, Shares, Side, Ticks, Usd


class Target(msgspec.Struct, frozen=True, gc=False):
    """One order we want to have at the venue."""

    side: Side
    """Of the YES book."""
    layer: int
    """0 is nearest the touch."""
    outcome: Outcome
    """The token the order is for."""
    order_side: OrderSide
    yes_ticks: Ticks
    """Price in the YES frame."""
    token_ticks: Ticks
    """Price of the order itself, in the frame of its token."""
    size: Shares


class Funds:
    """What is left to be offered while a plan is routed, layer by layer."""

    __slots__ = ("cash", "no", "yes")

    def __init__(self, yes: Shares, no: Shares, cash: Usd) -> None:
        self.yes: int = yes
        """Free YES, micro-shares."""
        self.no: int = no
        """Free NO, micro-shares."""
        self.cash: int = cash
        """Free micro-dollars; nothing can be bought when it is not positive."""


def split_legs(
    size: Shares, held: int, cash: int, price: Usd, min_size: Shares, reward_min: Shares | None
) -> tuple[Shares, Shares]:
    """How much of an order is sold from what is held, and how much buys the complement.

    Args:
        size: wanted, micro-shares.
        held: free shares of the token that can be sold.
        cash: free micro-dollars.
        price: micro-dollars a share of the complement costs.
        min_size: least size of an order; a leg below it is dropped, never rounded up.
        reward_min: least size that scores for rewards. An order that scores whole but not in two legs stays whole on
            the buying leg when cash allows. None without a programme.

    Returns:
        Size to sell, size to buy; whole hundredths of a share.

    Source: market-making.md 1.11.
    """
    sell = (size if size < held else held) // SIZE_QUANTUM * SIZE_QUANTUM
    if sell < min_size:
        sell = 0
    wanted = (size - sell) // SIZE_QUANTUM * SIZE_QUANTUM
    payable = cash * MICRO // price // SIZE_QUANTUM * SIZE_QUANTUM if wanted and cash > 0 else 0
    buy = wanted if wanted < payable else payable
    if buy < min_size:
        buy = 0
    if reward_min is not None and sell and buy and min(sell, buy) < reward_min <= size:
        whole = size // SIZE_QUANTUM * SIZE_QUANTUM
        if payable >= whole:
            return Shares(0), Shares(whole)
    return Shares(sell), Shares(buy)


class Layer(msgspec.Struct, frozen=True, gc=False):
    """One layer before it is routed."""

    side: Side
    """Of the YES book."""
    layer: int
    """0 is nearest the touch."""
    ticks: Ticks
    """YES frame."""
    size: Shares
    """Above 0."""


def route(
    layers: Iterable[Layer], funds: Funds, grid: Grid, min_size: Shares, reward_min: Shares | None
) -> list[Target]:
    """The orders that make these layers, of each the selling leg first; takes what they need from ``funds``.

    An ask sells YES and buys NO; a bid sells NO and buys YES.

    Args:
        layers: in funding order.
        funds: free holdings and cash; reduced in place.
        grid: of the market.
        min_size: least size of an order.
        reward_min: see :func:`split_legs`.

    Returns:
        No, one or two targets for each layer.

    Source: market-making.md 1.11, ``route.ask`` and ``route.bid``.
    """
    k, tick_usd = grid.k, grid.tick_usd
    targets: list[Target] = []
    for one in layers:
        side, layer, ticks, size = one.side, one.layer, one.ticks, one.size
        is_ask = side == "ask"
        held, bought = (funds.yes, Ticks(k - ticks)) if is_ask else (funds.no, ticks)
        cost = bought * tick_usd * size
        if held < min_size <= size and not size % SIZE_QUANTUM and cost <= funds.cash * MICRO:
            # the usual case: nothing to sell, and cash for all of it
            funds.cash -= (cost + MICRO // 2) // MICRO
            targets.append(Target(side, layer, "NO" if is_ask else "YES", "BUY", ticks, bought, size))
            continue
        sell, buy = split_legs(size, held, funds.cash, Usd(bought * tick_usd), min_size, reward_min)
        if sell:
            if is_ask:
                funds.yes -= sell
                targets.append(Target(side, layer, "YES", "SELL", ticks, ticks, sell))
            else:
                funds.no -= sell
                targets.append(Target(side, layer, "NO", "SELL", ticks, Ticks(k - ticks), sell))
        if buy:
            funds.cash -= grid.notional(bought, buy)
            targets.append(Target(side, layer, "NO" if is_ask else "YES", "BUY", ticks, bought, buy))
    return targets
