"""What can be said of one order of ours before its terms: its state, its queue, and why it stands where it stands."""

from typing import Final

from core.views import LayerView, MarketView, OrderView
from widgets.format import age, book_shares, cents, clean, fit, wrap_words
from widgets.line_widget import Row, row
from widgets.orders import order_state_words, route_words

LABEL: Final = 16
"""Cells of the labels of the explanation."""


def labelled(label: str, text: str, width: int, role: str = "") -> Row:
    """A label and a text, which may be foreign."""
    return row((f" {label:<{LABEL}}", "muted"), (fit(clean(text), width - LABEL - 2).rstrip(), role))


def labelled_lines(label: str, text: str, width: int, role: str = "") -> list[Row]:
    """The same, with the whole text on as many lines as it takes."""
    lines = wrap_words(clean(text), width - LABEL - 2)
    return [labelled("" if place else label, line, width, role) for place, line in enumerate(lines)]


def is_of_layer(order: OrderView | None, layer: LayerView) -> bool:
    """The order makes this layer, or a part of it."""
    return order is not None and (order.side, order.layer) == (layer.side, layer.layer)


def order_why_rows(market: MarketView, order: OrderView, width: int) -> list[Row]:
    """State and age, size and route, queue, the last decision's reason, and the rule that had the last word."""
    price = cents(order.price, market.grid_k, market.decimals)
    left = f"{book_shares(order.remaining)} of {book_shares(order.size)}"
    scoring = {True: ", scores for rewards", False: ", does not score", None: ""}[order.scoring]
    head = f"› {order.side} {order.layer + 1} at {price}c · {left} · {route_words(order)}{scoring}"
    rows = [row((fit(f" {head}", width).rstrip(), "own")), labelled("state", _state(order), width, _role(order))]
    if order.evidence:
        rows.append(labelled("evidence", order.evidence, width, "warn"))
    rows.append(labelled("queue", _queue(market, order), width))
    rows.append(labelled("last decision", order.reason or "none yet", width))
    rows.append(labelled("binds", _binds(market, order), width))
    return [*rows, row()]


def _state(order: OrderView) -> str:
    word = order_state_words(order)
    if order.unknown_s is not None:
        going = ", cancelling" if order.state == "CANCEL_SENT" else ""
        return f"UNKNOWN for {age(order.unknown_s)}, sent {age(order.age_s)} ago: it may be at the venue{going}"
    return f"{word} for {age(order.age_s)}" if order.state in ("LIVE", "PARTIAL") else f"{word}, {age(order.age_s)} old"


def _role(order: OrderView) -> str:
    return "warn" if order.unknown_s is not None else ""


def _queue(market: MarketView, order: OrderView) -> str:
    levels = market.bids if order.side == "bid" else market.asks
    level = next((level.size for level in levels if level.price == order.price), None)
    shown = f", {book_shares(level)} shown at its price" if level is not None else ""
    if order.ahead is None:
        return f"nobody knows yet what is ahead{shown}"
    return f"~{book_shares(order.ahead)} ahead at most, an estimate{shown}"


def _binds(market: MarketView, order: OrderView) -> str:
    """The last word on its layer, and where the layer is wanted when that is somewhere else."""
    layer = next((layer for layer in market.layers if is_of_layer(order, layer)), None)
    if layer is None:
        return "its layer is not planned now" if market.layers or market.detailed else "on its way …"
    if not layer.size:
        return f"its layer is not wanted now: {layer.forbidden.replace('_', ' ')}"
    if layer.ticks is not None and layer.ticks != order.price:
        return f"{layer.binding}; wanted now at {cents(layer.ticks, market.grid_k, market.decimals)}c"
    return layer.binding
