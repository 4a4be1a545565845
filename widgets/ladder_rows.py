"""What each line of the ladder says: a price axis that stands still while the market moves over it."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

from core.units import Shares, Side
from core.views import LevelView, MarketView, OrderView
from widgets.data_words import data_words, is_believed
from widgets.format import age, book_shares, cents, clean, fit, number, short_shares, superscript, wrap_words
from widgets.ladder_axis import LEAST_COLUMNS, Columns, columns_of, foot_lines, lowest_tick, price_lines
from widgets.ladder_list import last_words, list_rows
from widgets.ladder_marks import Mark, marks_of, marks_words, signs_by_line
from widgets.line_widget import Row, Span, message_rows, row
from widgets.state_words import market_state

_DEEPEST: Final = 60
"""Levels a side that a view carries; beyond them the book is not empty but unseen."""
_SHADE_EVERY: Final = 5
_DRAWN: Final = 2_048
"""Lines kept drawn: those of a few ladders in all that they lately showed."""
_ABSENT: Final = -1
_UNSEEN: Final = -2
_STATE_SIGNS: Final = {"INTENT": "…", "SENDING": "…", "DELAYED": "…", "UNKNOWN": "?", "CANCEL_SENT": "×"}
_LAST_SIGNS: Final = {True: "▴", False: "▾", None: "•"}
_SOLID: Final = frozenset({"bid-bar", "ask-bar", "badge"})
"""Roles that show on a blank too."""
_CURSOR: Final = "›"
_FILLED: Final = "◆"
_SIGNS: Final = (
    "¹ layer", "★ scores", "N on NO", "~ estimate", "? unknown", "× cancelling", "… being sent", "◆ filled"
)  # fmt: skip


class Look(NamedTuple):
    """How an operator looks at the axis."""

    step: int = 1
    """Ticks a line: a line shows the prices from its own up to the next."""
    cursor: int | None = None
    """Line under the cursor."""
    filled: frozenset[tuple[Side, int]] = frozenset()
    """Sides and lines at which an order of ours was filled a moment ago."""


class _Mine(NamedTuple):
    """Our orders on one side of one line, as text."""

    text: str = ""
    queue: str = ""
    filled: bool = False


_NONE: Final = _Mine()


class _Line(NamedTuple):
    """Everything that one line shows; equal lines are drawn once."""

    columns: Columns
    price: str
    price_role: str
    ground: str
    is_cursor: bool
    believed: bool
    signs: str
    last: str
    bid: int
    """Micro-shares, or ``_ABSENT`` or ``_UNSEEN``."""
    ask: int
    bid_tint: int
    """Cells of the size that are tinted."""
    ask_tint: int
    mine_bid: _Mine
    mine_ask: _Mine
    volume: int


class _Axis(NamedTuple):
    """Everything the lines need to know, looked up once per ladder."""

    market: MarketView
    columns: Columns
    look: Look
    bids: dict[int, int]
    asks: dict[int, int]
    unseen_below: int
    """Lines below this one, and above the next, are beyond the levels that a view carries."""
    unseen_above: int
    mine: dict[tuple[Side, int], _Mine]
    signs: dict[int, str]
    volumes: dict[int, int]
    last: int | None
    best_bid: int
    best_ask: int
    full: int
    """Micro-shares that fill a size cell with tint."""
    believed: bool


def ladder_rows(market: MarketView | None, top: int, width: int, height: int, look: Look | None = None) -> list[Row]:
    """Header, one line per ``look.step`` ticks from the line ``top`` downwards, and a foot.

    The foot says what the marks mean, what the market does and what its data are worth. Where there is no room for
    the columns, the lines tell the touch, our best orders and the position instead.

    Args:
        market: None when no market is selected.
        top: number of the first price line; its lowest tick is ``top * look.step``.
        width: cells.
        height: lines.
        look: depth, cursor and fresh fills; one tick a line without it.
    """
    if market is None:
        return message_rows(["no market selected"], height)
    foot = [_state_row(market, width), _data_row(market, width)]
    body = height - len(foot)
    if market.data.state == "EMPTY" and not market.bids and not market.asks:
        reason = clean(market.data.reason) or "the venue has not sent one yet"
        lines = ["no book yet", *wrap_words(reason, width - 4)]
        return [*_filled_up(message_rows(lines, body - 1), body), *foot][:height]
    if width < LEAST_COLUMNS:
        cut = [row(*_cut(line.spans, width), ground=line.ground) for line in list_rows(market)]
        return [*_filled_up(cut, body), *foot][:height]
    marks = marks_of(market)
    count = price_lines(height)
    axis = _axis(market, marks, look or Look(), columns_of(width), top, count)
    legend = [_marks_row(marks, width), row((f" {_signs_words(width - 2)}", "muted"))]
    lines_drawn = [_price_row(axis, top - line) for line in range(count)]
    return [_header(axis), *lines_drawn, *legend[: foot_lines(height) - 2], *foot][:height]


def _filled_up(rows: list[Row], height: int) -> list[Row]:
    return [*rows, *[Row()] * (height - len(rows))][: max(0, height)]


def _cut(spans: Iterable[Span], width: int) -> list[Span]:
    """Spans as far as they have room; for text of one cell a character."""
    cut: list[Span] = []
    room = width
    for span in spans:
        text = span.text if len(span.text) <= room else fit(span.text, room)
        cut.append(Span(text, span.role))
        room -= len(text)
    return cut


# What the lines need


def _axis(market: MarketView, marks: list[Mark], look: Look, columns: Columns, top: int, count: int) -> _Axis:
    step = look.step
    bids, asks = _by_line(market.bids, step), _by_line(market.asks, step)
    seen = [size for side in (bids, asks) for line, size in side.items() if top - count < line <= top]
    volumes: dict[int, int] = {}
    if columns.volume:
        for tick, size in market.volumes:
            volumes[tick // step] = volumes.get(tick // step, 0) + size
    deep = len(market.bids) >= _DEEPEST, len(market.asks) >= _DEEPEST
    return _Axis(
        market=market,
        columns=columns,
        look=look,
        bids=bids,
        asks=asks,
        unseen_below=market.bids[-1].price // step if deep[0] else -1,
        unseen_above=market.asks[-1].price // step if deep[1] else market.grid_k,
        mine=_mine(market, look, columns),
        signs=signs_by_line(marks, step),
        volumes=volumes,
        last=None if market.last_price is None else market.last_price // step,
        best_bid=market.bids[0].price // step if market.bids else -1,
        best_ask=market.asks[0].price // step if market.asks else market.grid_k,
        full=_full_cell(max(seen, default=0)),
        believed=is_believed(market.data),
    )


def _by_line(levels: tuple[LevelView, ...], step: int) -> dict[int, int]:
    if step == 1:
        return {level.price: level.size for level in levels}
    sizes: dict[int, int] = {}
    for level in levels:
        line = level.price // step
        sizes[line] = sizes.get(line, 0) + level.size
    return sizes


def _full_cell(largest: int) -> int:
    """The next 1, 2 or 5 of a power of ten, so that the scale of the tint seldom changes."""
    full = 1_000_000
    while True:
        for factor in (1, 2, 5):
            if largest <= full * factor:
                return full * factor
        full *= 10


def _mine(market: MarketView, look: Look, columns: Columns) -> dict[tuple[Side, int], _Mine]:
    orders: dict[tuple[Side, int], list[OrderView]] = {}
    for order in market.orders:
        orders.setdefault((order.side, order.price // look.step), []).append(order)
    mine = {place: _Mine("", "", filled=True) for place in look.filled}
    for place, at_line in orders.items():
        queue = _queue_text(market, at_line, columns)
        mine[place] = _Mine(_mine_text(at_line, columns.mine), queue, place in mine)
    return mine


def _mine_text(orders: list[OrderView], cells: int) -> str:
    """Remaining size, layers and signs; without room for all, the innermost layer, and at last the states alone."""
    remaining = Shares(sum(order.remaining for order in orders))
    layers = [superscript(layer + 1) for layer in sorted({order.layer for order in orders})]
    states = {order.state if order.unknown_s is None else "UNKNOWN" for order in orders}
    how = "".join(sorted({_STATE_SIGNS[state] for state in states if state in _STATE_SIGNS}))
    signs = "★" if any(order.scoring for order in orders) else ""
    signs += "N" if any(order.on_no for order in orders) else ""
    short = short_shares(remaining)
    texts = (
        f"{book_shares(remaining)}{''.join(layers)}{signs}{how}",
        f"{short}{layers[0]}{'⁺' if len(layers) > 1 else ''}{signs}{how}",
        f"{short}{signs}{how}",
        f"{short}{how[:2]}",
    )
    return next((text for text in texts if len(text) < cells), texts[-1])


def _queue_text(market: MarketView, orders: list[OrderView], columns: Columns) -> str:
    """The largest queue ahead, and the level that it is a part of where there is room."""
    waiting = [(order.ahead, order) for order in orders if order.ahead is not None]
    if not waiting:
        return ""
    ahead, order = max(waiting, key=lambda each: each[0])
    text = f"~{short_shares(ahead)}"
    if not columns.has_level:
        return text
    levels = market.bids if order.side == "bid" else market.asks
    size = next((level.size for level in levels if level.price == order.price), None)
    return text if size is None else f"{text}/{short_shares(size)}"


# Lines


def _header(axis: _Axis) -> Row:
    """Column names; those of a book that is not believed ask, and a price that stands for several says so."""
    columns, step = axis.columns, axis.look.step
    bid, ask = ("BID", "ASK") if axis.believed else ("BID?", "ASK?")
    price = "PRICE" if step == 1 else f"FROM×{step}"
    last = f"{' LAST':<{columns.last}}" if columns.last > 1 else " " * columns.last
    text = (
        f"{'MINE':>{columns.mine}}{'QUEUE':>{columns.queue}}{bid:>{columns.size}}"
        f"{price:>{columns.marks + columns.price - 1}} {last}"
        f"{ask:>{columns.size}}{'QUEUE' if columns.queue_ask else '':>{columns.queue_ask}}{'MINE':>{columns.mine}}"
        f"{'VOL' if columns.volume else '':>{columns.volume}}"
    )
    return row((text, "muted" if axis.believed else "warn"))


def _price_row(axis: _Axis, line: int) -> Row:
    market, step = axis.market, axis.look.step
    if line * step >= market.grid_k or (line + 1) * step <= 1:
        return Row()
    is_cursor = line == axis.look.cursor
    bid = axis.bids.get(line, _UNSEEN if line < axis.unseen_below else _ABSENT)
    ask = axis.asks.get(line, _UNSEEN if line > axis.unseen_above else _ABSENT)
    shade = "shade" if line % _SHADE_EVERY == 0 else ""
    return _drawn(
        _Line(
            columns=axis.columns,
            price=cents(lowest_tick(line, step), market.grid_k, market.decimals),
            price_role=_price_role(axis, line),
            ground="cursor" if is_cursor else shade,
            is_cursor=is_cursor,
            believed=axis.believed,
            signs=axis.signs.get(line, ""),
            last=_last_text(axis, line),
            bid=bid,
            ask=ask,
            bid_tint=_tint(bid, axis),
            ask_tint=_tint(ask, axis),
            mine_bid=axis.mine.get(("bid", line), _NONE),
            mine_ask=axis.mine.get(("ask", line), _NONE),
            volume=axis.volumes.get(line, _ABSENT),
        )
    )


def _price_role(axis: _Axis, line: int) -> str:
    if "F" in axis.signs.get(line, ""):
        return "model"
    if line in (axis.best_bid, axis.best_ask):
        return "strong"
    return "muted" if axis.best_bid < line < axis.best_ask else ""


def _last_text(axis: _Axis, line: int) -> str:
    market = axis.market
    if line != axis.last:
        return ""
    size = "" if market.last_size is None or axis.columns.last == 1 else short_shares(market.last_size)
    return f"{_LAST_SIGNS[market.last_buy]}{size}"


def _tint(size: int, axis: _Axis) -> int:
    if size < 0 or not axis.believed:
        return 0
    cells = axis.columns.size
    return max(1, min(cells, round(cells * size / axis.full)))


@lru_cache(maxsize=_DRAWN)
def _drawn(line: _Line) -> Row:
    columns = line.columns
    price = f"{_CURSOR if line.is_cursor else ' '}{number(line.price, columns.price - 2)} "
    return _joined(
        [
            _mine_span(line.mine_bid, columns.mine),
            Span(number(line.mine_bid.queue, columns.queue), "muted"),
            *_size_spans(line.bid, line.bid_tint, "bid", columns.size, believed=line.believed),
            Span(f"{line.signs:>{columns.marks}}", "model"),
            Span(price, line.price_role),
            Span(f"{line.last:<{columns.last}}", "strong"),
            *_size_spans(line.ask, line.ask_tint, "ask", columns.size, believed=line.believed),
            Span(number(line.mine_ask.queue, columns.queue_ask) if columns.queue_ask else "", "muted"),
            _mine_span(line.mine_ask, columns.mine),
            Span(_volume(line.volume, columns.volume), "muted"),
        ],
        line.ground,
    )


def _joined(spans: list[Span], ground: str) -> Row:
    """As few runs of style as there can be: blanks go on in the style before them, neighbours alike become one."""
    joined: list[Span] = []
    for text, role in spans:
        if not text:
            continue
        before = joined[-1].role if joined else ""
        if role not in _SOLID and text.isspace():
            role = "" if before in _SOLID else before
        if joined and before == role:
            joined[-1] = Span(joined[-1].text + text, role)
        else:
            joined.append(Span(text, role))
    return Row(tuple(joined), ground)


def _mine_span(mine: _Mine, cells: int) -> Span:
    if not mine.filled:
        return Span(number(mine.text, cells), "own")
    return Span(f"{_FILLED}{number(mine.text, cells - 1)}", "badge")


def _size_spans(size: int, tint: int, side: Side, cells: int, *, believed: bool) -> tuple[Span, ...]:
    """A size over its tint, which grows from the price outwards."""
    if size < 0:
        return (Span(number("·" if size == _UNSEEN else "", cells), "muted"),)
    text = book_shares(size)
    text = number(text if len(text) < cells else short_shares(size), cells)
    if not believed:
        return (Span(text, "muted"),)
    if side == "bid":
        return Span(text[: cells - tint], side), Span(text[cells - tint :], "bid-bar")
    return Span(text[:tint], "ask-bar"), Span(text[tint:], side)


def _volume(size: int, cells: int) -> str:
    if not cells or size < 0:
        return " " * cells
    text = book_shares(size)
    return number(text if len(text) < cells else short_shares(size), cells)


# Foot


def _marks_row(marks: list[Mark], width: int) -> Row:
    words = marks_words(marks, width - 2)
    return row((f" {words}", "model")) if words else row((" no fair value, no position: nothing to mark", "muted"))


def _signs_words(width: int) -> str:
    """What the signs of our orders mean, as many as there is room for."""
    words = ""
    for sign in _SIGNS:
        grown = f"{words}  {sign}" if words else sign
        words = grown if len(grown) <= width else words
    return words


def _state_row(market: MarketView, width: int) -> Row:
    """State in words on the left, which gets the room of the last trade when it needs it."""
    state = market_state(market)
    right = " "
    last = last_words(market)
    if last and len(state.sentence) + len(last) + 8 <= width:
        right = f"last {last} "
    left = fit(state.sentence, width - len(right) - 2)
    return row((f" {left} ", "muted" if state.role in ("good", "muted") else state.role), (right, "muted"))


def _data_row(market: MarketView, width: int) -> Row:
    """What the data are worth, in words, and when the last of them came; the line above may tell the reason."""
    words = data_words(market.data)
    right = f"heard {age(market.data.age_s)} "
    told = words.course if market_state(market).sentence == words.cause else words.sentence
    left = fit(f"{words.sign} {told}", width - len(right) - 2)
    return row((f" {left} ", words.role), (right, "muted"))
