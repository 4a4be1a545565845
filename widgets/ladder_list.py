"""What a ladder says where it has no room for its columns: touch, own best, position, last trade."""

from typing import Final

from core.units import Side
from core.views import MarketView
from widgets.format import NOTHING, book_shares, cents, model_cents, shares, signed_shares, superscript
from widgets.line_widget import Row, Span, row

_LABEL: Final = 10
_SIGNS: Final = {True: "▴ bought", False: "▾ sold", None: "•"}


def list_rows(market: MarketView) -> list[Row]:
    """A line each: both sides of the touch, our best orders, the model, the position and the last trade."""
    best_bid = market.bids[0] if market.bids else None
    best_ask = market.asks[0] if market.asks else None
    width = ""
    if best_bid is not None and best_ask is not None:
        ticks = best_ask.price - best_bid.price
        width = f"{ticks} tick{'s' if ticks != 1 else ''} wide"
    held = market.inventory
    token = " YES" if held.net > 0 else " NO" if held.net < 0 else ""
    average = f" at {model_cents(held.average, market.decimals)}c" if held.average is not None else ""
    return [
        _line("ask", _level(market, best_ask.price, best_ask.size) if best_ask else NOTHING, "ask"),
        _line("bid", _level(market, best_bid.price, best_bid.size) if best_bid else NOTHING, "bid"),
        _line("touch", width or "one side is empty", "muted"),
        _line("our ask", _own(market, "ask"), "own"),
        _line("our bid", _own(market, "bid"), "own"),
        _line("fair", model_cents(market.fair, market.decimals), "model"),
        _line("position", f"{signed_shares(held.net)}{token}{average}" if held.net else "flat", "strong"),
        _line("last", _last(market), ""),
    ]


def last_words(market: MarketView) -> str:
    """The last trade: which side took, its price and its size; "" before the first."""
    if market.last_price is None:
        return ""
    size = f" {shares(market.last_size)}" if market.last_size is not None else ""
    return f"{_SIGNS[market.last_buy]} {cents(market.last_price, market.grid_k, market.decimals)}{size}"


def _last(market: MarketView) -> str:
    return last_words(market) or NOTHING


def _line(label: str, text: str, role: str) -> Row:
    return row((f" {label:<{_LABEL}}", "muted"), Span(text, role))


def _level(market: MarketView, price: int, size: int) -> str:
    return f"{cents(price, market.grid_k, market.decimals):>6}  {book_shares(size)}"


def _own(market: MarketView, side: Side) -> str:
    """The best of our orders on a side, with what is ahead of it, and how many there are."""
    orders = [order for order in market.orders if order.side == side]
    if not orders:
        return "none"
    best = orders[0]
    ahead = f" ~{book_shares(best.ahead)} ahead" if best.ahead is not None else ""
    more = f", {len(orders) - 1} more" if len(orders) > 1 else ""
    price = cents(best.price, market.grid_k, market.decimals)
    return f"{price:>6}  {book_shares(best.remaining)}{superscript(best.layer + 1)}{ahead}{more}"
