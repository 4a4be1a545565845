"""What each line of the ladder says: a price axis that stands still while the market moves over it."""

from typing import Final, NamedTuple

from core.units import Shares, Ticks
from core.views import LevelView, MarketView, OrderView
from widgets.data_words import data_words, is_believed
from widgets.format import (
    age,
    book_shares,
    cents,
    clean,
    fit,
    model_cents,
    number,
    shares,
    short_shares,
    superscript,
    wrap_words,
)
from widgets.line_widget import Row, Span, message_rows, row
from widgets.state_words import market_state

_QUEUE: Final = 6
_MINE: Final = 8
_PRICE: Final = 7
_SIZE_MIN: Final = 8
_SIZE_MAX: Final = 14
_NOTE_MIN: Final = 6
_NOTE_MAX: Final = 15
_DEEPEST: Final = 60
"""Levels a side that a view carries; beyond them the book is not empty but unseen."""
_SHADE_EVERY: Final = 5
_STATE_SIGNS: Final = {"INTENT": "…", "SENDING": "…", "DELAYED": "…", "UNKNOWN": "?", "CANCEL_SENT": "×"}


class Columns(NamedTuple):
    """Widths of the ladder's columns; 0 leaves a column out."""

    mine: int
    queue: int
    size: int
    note: int


class _Axis(NamedTuple):
    """Everything a line needs to know, looked up once per ladder."""

    market: MarketView
    columns: Columns
    bids: dict[Ticks, Shares]
    asks: dict[Ticks, Shares]
    mine: dict[tuple[str, int], list[OrderView]]
    notes: dict[int, list[tuple[str, str]]]
    full: int
    """Micro-shares that fill a size cell with tint."""
    believed: bool


def columns_of(width: int) -> Columns:
    """Columns that fit into ``width`` cells: sizes grow first, then the column of notes."""
    fixed = 2 * _MINE + _PRICE + 1
    queue = _QUEUE if width >= fixed + 2 * _QUEUE + 2 * _SIZE_MIN else 0
    rest = width - fixed - 2 * queue - 2 * _SIZE_MIN
    note = min(_NOTE_MAX, rest) if rest >= _NOTE_MIN else 0
    size = min(_SIZE_MAX, _SIZE_MIN + max(0, rest - note) // 2)
    return Columns(_MINE, queue, size, note)


def price_lines(height: int) -> int:
    """Price lines between the header and the two lines of the foot."""
    return max(0, height - 3)


def centre_of(market: MarketView) -> int | None:
    """The tick the ladder should be centred on; None while the market shows no price at all."""
    if market.bids and market.asks:
        return (market.bids[0].price + market.asks[0].price + 1) // 2
    if market.fair is not None:
        return round(market.fair * market.grid_k)
    for side in (market.bids, market.asks):
        if side:
            return side[0].price
    return market.last_price


def clamp_top(top: int, grid_k: int, lines: int) -> int:
    """Keep the uppermost price of the axis on the grid, and the axis filled where the grid is long enough."""
    return max(min(lines, grid_k - 1), min(top, grid_k - 1))


def ladder_rows(market: MarketView | None, top: int, width: int, height: int) -> list[Row]:
    """Header, one line per tick from ``top`` downwards, and a foot with the state and what the data are worth.

    Args:
        market: None when no market is selected.
        top: tick of the first price line.
        width: cells.
        height: lines.
    """
    if market is None:
        return message_rows(["no market selected"], height)
    columns = columns_of(width)
    foot = [_state_row(market, width), _data_row(market, width)]
    if market.data.state == "EMPTY" and not market.bids and not market.asks:
        reason = clean(market.data.reason) or "the venue has not sent one yet"
        lines = ["no book yet", *wrap_words(reason, width - 4)]
        rows = message_rows(lines, price_lines(height) + 1)[: height - 2]
        return [*rows, *[Row()] * (height - 2 - len(rows)), *foot]
    lines_count = price_lines(height)
    axis = _axis(market, columns, top, lines_count)
    body = [_price_row(axis, top - line) for line in range(lines_count)]
    return [_header(columns, is_believed(market.data)), *body, *foot]


def _axis(market: MarketView, columns: Columns, top: int, lines: int) -> _Axis:
    mine: dict[tuple[str, int], list[OrderView]] = {}
    for order in market.orders:
        mine.setdefault((order.side, order.price), []).append(order)
    bids = {level.price: level.size for level in market.bids}
    asks = {level.price: level.size for level in market.asks}
    seen = [size for side in (bids, asks) for price, size in side.items() if top - lines < price <= top]
    return _Axis(
        market, columns, bids, asks, mine, _notes(market), _full_cell(max(seen, default=0)), is_believed(market.data)
    )


def _full_cell(largest: int) -> int:
    """The next 1, 2 or 5 of a power of ten, so that the scale of the tint seldom changes."""
    full = 1_000_000
    while True:
        for factor in (1, 2, 5):
            if largest <= full * factor:
                return full * factor
        full *= 10


def _notes(market: MarketView) -> dict[int, list[tuple[str, str]]]:
    """Model prices and the average entry by the tick nearest to them."""
    notes: dict[int, list[tuple[str, str]]] = {}
    inventory = market.inventory
    entry = inventory.average
    if entry is not None and inventory.net < 0:
        entry = 1.0 - entry
    for name, price in (("fair", market.fair), ("res", market.reservation), ("avg", entry)):
        if price is not None:
            text = model_cents(price, market.decimals)
            notes.setdefault(round(price * market.grid_k), []).append((name, text))
    return notes


def _header(columns: Columns, believed: bool) -> Row:
    """Column names; those of a book that is not believed ask."""
    mine, queue, size, note = columns
    left = f"{'MINE':>{mine}}{'QUEUE':>{queue}}" if queue else f"{'MINE':>{mine}}"
    right = f"{'QUEUE':>{queue}}{'MINE':>{mine}}" if queue else f"{'MINE':>{mine}}"
    bid, ask = ("BID", "ASK") if believed else ("BID?", "ASK?")
    middle = f"{bid:>{size}}{'PRICE':>{_PRICE}} {ask:>{size}}"
    return row((f"{left}{middle}{right}{'':{note}}", "muted" if believed else "warn"))


def _price_row(axis: _Axis, tick: int) -> Row:
    market = axis.market
    if not 0 < tick < market.grid_k:
        return Row()
    return row(
        _mine(axis, "bid", tick),
        _queue(axis, "bid", tick),
        *_size(axis, "bid", tick),
        _price(axis, tick),
        _last(market, tick),
        *_size(axis, "ask", tick),
        _queue(axis, "ask", tick),
        _mine(axis, "ask", tick),
        _note(axis, tick),
        ground="shade" if tick % _SHADE_EVERY == 0 else "",
    )


def _mine(axis: _Axis, side: str, tick: int) -> Span:
    orders = axis.mine.get((side, tick))
    if not orders:
        return Span(" " * axis.columns.mine)
    remaining = sum(order.remaining for order in orders)
    layers = "".join(superscript(layer + 1) for layer in sorted({order.layer for order in orders}))
    signs = "★" if any(order.scoring for order in orders) else ""
    signs += "N" if any(order.on_no for order in orders) else ""
    states = {order.state if order.unknown_s is None else "UNKNOWN" for order in orders}
    signs += "".join(sorted({_STATE_SIGNS[state] for state in states if state in _STATE_SIGNS}))
    text = f"{book_shares(remaining)}{layers}{signs}"
    if len(text) >= axis.columns.mine:
        text = f"{short_shares(remaining)}{layers[:2]}{signs}"
    return Span(number(text, axis.columns.mine), "own")


def _queue(axis: _Axis, side: str, tick: int) -> Span:
    width = axis.columns.queue
    ahead = [order.ahead for order in axis.mine.get((side, tick), ()) if order.ahead is not None]
    return Span(number(f"~{short_shares(max(ahead))}" if ahead else "", width), "muted" if ahead else "")


def _size(axis: _Axis, side: str, tick: int) -> tuple[Span, ...]:
    width = axis.columns.size
    levels = axis.bids if side == "bid" else axis.asks
    size = levels.get(Ticks(tick))
    if size is None:
        unseen = _unseen(axis.market.bids if side == "bid" else axis.market.asks, side, tick)
        return (Span(number("·" if unseen else "", width), "muted" if unseen else ""),)
    text = book_shares(size)
    text = number(text if len(text) < width else short_shares(size), width)
    if not axis.believed:
        return (Span(text, "muted"),)
    filled = max(1, min(width, round(width * size / axis.full)))
    if side == "bid":
        return Span(text[: width - filled], side), Span(text[width - filled :], "bid-bar")
    return Span(text[:filled], "ask-bar"), Span(text[filled:], side)


def _unseen(levels: tuple[LevelView, ...], side: str, tick: int) -> bool:
    if len(levels) < _DEEPEST:
        return False
    return tick < levels[-1].price if side == "bid" else tick > levels[-1].price


def _price(axis: _Axis, tick: int) -> Span:
    market = axis.market
    text = number(cents(tick, market.grid_k, market.decimals), _PRICE - 1) + " "
    best_bid = market.bids[0].price if market.bids else 0
    best_ask = market.asks[0].price if market.asks else market.grid_k
    if tick in axis.notes and any(name == "fair" for name, _ in axis.notes[tick]):
        return Span(text, "model")
    return Span(text, "muted" if best_bid < tick < best_ask else "strong" if tick in (best_bid, best_ask) else "")


def _last(market: MarketView, tick: int) -> Span:
    if market.last_price != tick:
        return Span(" ")
    return Span({True: "▴", False: "▾", None: "•"}[market.last_buy], "strong")


def _note(axis: _Axis, tick: int) -> Span:
    width = axis.columns.note
    notes = axis.notes.get(tick)
    if not notes or not width:
        return Span(" " * width)
    room = width - 1
    full = "◂" + " ".join(f"{name} {text}" for name, text in notes)
    short = "◂" + " ".join(f"{name[0].upper()}{text}" for name, text in notes)
    names = "◂" + " ".join(name for name, _ in notes)
    return Span(
        fit(next((text for text in (full, short, names) if len(text) <= room), names), room).rjust(width), "model"
    )


def _state_row(market: MarketView, width: int) -> Row:
    """State in words on the left, which gets the room of the last trade when it needs it."""
    state = market_state(market)
    right = " "
    if market.last_price is not None:
        side = {True: "▴ bought ", False: "▾ sold ", None: ""}[market.last_buy]
        size = f" {shares(market.last_size)}" if market.last_size is not None else ""
        last = f"last {side}{cents(market.last_price, market.grid_k, market.decimals)}{size} "
        if len(state.sentence) + len(last) + 2 <= width:
            right = last
    left = fit(state.sentence, width - len(right) - 2)
    return row((f" {left} ", "muted" if state.role in ("good", "muted") else state.role), (right, "muted"))


def _data_row(market: MarketView, width: int) -> Row:
    """What the data are worth, in words, and when the last of them came; the line above may tell the reason."""
    words = data_words(market.data)
    right = f"heard {age(market.data.age_s)} "
    told = words.course if market_state(market).sentence == words.cause else words.sentence
    left = fit(f"{words.sign} {told}", width - len(right) - 2)
    return row((f" {left} ", words.role), (right, "muted"))
