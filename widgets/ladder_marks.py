"""Prices that a ladder marks beside its axis: the model's, the position's, the venue's; and where fills were."""

from typing import Final, NamedTuple

from core.units import MICRO, Shares, Side, Ticks, Usd
from core.views import MarketView
from widgets.format import cents, model_cents

MARK_CELLS: Final = 3
"""Signs that one line of the axis has room for."""


class Mark(NamedTuple):
    """One price worth a sign beside the axis."""

    sign: str
    """One cell."""
    tick: int
    """The nearest one; it may lie off the grid."""
    name: str
    text: str
    """The price itself, cents."""


def break_even(net: Shares, mark: Usd | None, total: Usd) -> float | None:
    """The price of YES at which the whole profit of a market would be nothing, dollars.

    Args:
        net: YES minus NO; each cent that YES gains adds so many cents to the profit, so of NO it takes them away.
        mark: price of YES, micro-dollars, at which ``total`` was reckoned.
        total: profit of the market, everything counted.

    Returns:
        None when nothing is held or marked, and when no price between 0 and 1 does it.
    """
    if not net or mark is None:
        return None
    price = mark / MICRO - total / net
    return price if 0.0 < price < 1.0 else None


def parity(market: MarketView) -> float | None:
    """The price of YES at which the fair values of its event add up to a dollar; None without an event."""
    if market.fair is None or market.group is None or market.group.fair_sum is None:
        return None
    return market.fair + 1.0 - market.group.fair_sum


def marks_of(market: MarketView) -> list[Mark]:
    """Every mark there is, the model's first."""
    held = market.inventory
    entry = held.average
    if entry is not None and held.net < 0:
        entry = 1.0 - entry
    even = break_even(held.net, held.mark, market.pnl.total) if held.payout is None else None
    priced = (
        ("F", "fair", market.fair),
        ("R", "res", market.reservation),
        ("A", "avg", entry),
        ("B", "even", even),
        ("=", "parity", parity(market)),
    )
    marks = [
        Mark(sign, round(price * market.grid_k), name, model_cents(price, market.decimals))
        for sign, name, price in priced
        if price is not None
    ]
    edges = zip("[]", market.reward_band or (), strict=False)
    return marks + [Mark(sign, tick, "reward", cents(tick, market.grid_k, market.decimals)) for sign, tick in edges]


def signs_by_line(marks: list[Mark], step: int) -> dict[int, str]:
    """The signs of each line of the axis; ``+`` stands for those that find no room."""
    signs: dict[int, str] = {}
    for mark in marks:
        line = mark.tick // step
        signs[line] = signs.get(line, "") + mark.sign
    return {line: text if len(text) <= MARK_CELLS else f"{text[: MARK_CELLS - 1]}+" for line, text in signs.items()}


def marks_words(marks: list[Mark], width: int) -> str:
    """What the signs mean and the exact prices, in at most ``width`` cells."""
    prices = [mark for mark in marks if mark.name != "reward"]
    edges = "–".join(mark.text for mark in marks if mark.name == "reward")
    long = [f"{mark.sign} {mark.name} {mark.text}" for mark in prices] + ([f"[ ] reward {edges}"] if edges else [])
    short = [f"{mark.sign} {mark.text}" for mark in prices] + ([f"[ ] {edges}"] if edges else [])
    parts = long if sum(len(part) + 2 for part in long) - 2 <= width else short
    while parts and sum(len(part) + 2 for part in parts) - 2 > width:
        parts.pop()
    return "  ".join(parts)


def filled_levels(old: MarketView, new: MarketView) -> list[tuple[Side, Ticks]]:
    """Prices at which our orders were filled between two views of a market, as far as the price priority tells."""
    filled: list[tuple[Side, Ticks]] = []
    sides: tuple[tuple[Side, int], ...] = (
        ("bid", new.pnl.bought - old.pnl.bought),
        ("ask", new.pnl.sold - old.pnl.sold),
    )
    for side, amount in sides:
        left = amount
        for order in old.orders:  # best first
            if order.side == side and left > 0:
                filled.append((side, order.price))
                left -= order.remaining
    return filled
