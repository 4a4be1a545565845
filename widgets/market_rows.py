"""Rows of the table of markets: two lines each where it is narrow, one line each where there is room. Pure."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from core.units import Side
from core.views import ControlView, LevelView, MarketView
from widgets.control_words import reductions
from widgets.data_words import data_words, is_believed
from widgets.format import (
    NOTHING,
    age,
    brief,
    fit,
    level_cents,
    model_cents,
    number,
    point_cells,
    short_figure,
    short_shares,
    signed_shares,
    signed_usd,
    whole_usd,
)
from widgets.line_widget import Row, Span, message_rows, row
from widgets.market_order import spread_ticks
from widgets.state_words import MarketState, market_state

ONE_LINE_FROM: Final = 100
"""Width from which a market takes one line."""
NO_SCORES: Final[Mapping[str, float]] = MappingProxyType({})
_BEFORE: Final = 4
"""The cursor, the signs of state and of rewards, a blank."""
_WORDS_LEAST: Final = 40
"""Cells that title and state keep together before another column is shown; or a third of the line."""
_STATE_MOST: Final = 56
_SHORT_STATE: Final = 32
"""Cells below which the state leaves out that it quotes: its sign says so."""


class _Line(NamedTuple):
    """A market with what its columns share."""

    market: MarketView
    places: int
    """Cells behind whole cents, of all markets of the table."""
    believed: bool
    score: float | None


class Column(NamedTuple):
    """One column of numbers."""

    name: str
    cells: int
    make: Callable[[_Line, int], Span]
    """The text of a market in so many cells."""


def lines_per_market(width: int) -> int:
    """Lines a market takes in a table of this width."""
    return 1 if width >= ONE_LINE_FROM else 2


def markets_visible(width: int, height: int) -> int:
    """Markets that fit below the header."""
    return max(1, (height - 1) // lines_per_market(width))


def table_rows(
    markets: Sequence[MarketView],
    selected: str,
    top: int,
    width: int,
    height: int,
    controls: Sequence[ControlView] = (),
    scores: Mapping[str, float] = NO_SCORES,
) -> list[Row]:
    """Header and markets from index ``top`` on; the selected one stands on the cursor's ground.

    Args:
        markets: all markets in their order.
        selected: condition id of the market the other panes show.
        top: index of the first market on show.
        width: cells.
        height: lines.
        controls: states that are not ACTIVE: why a market is only reduced.
        scores: of the market list, by condition id.
    """
    if not markets:
        return message_rows(["no markets yet", "the session has not announced any"], height)
    places = max(point_cells(market.decimals) for market in markets)
    reduced = reductions(controls)
    wide = lines_per_market(width) == 1
    rows = [_wide_header(width, bool(scores)) if wide else _narrow_header(width, bool(scores))]
    for market in markets[top : top + markets_visible(width, height)]:
        state = market_state(market, reduced.get(market.market))
        line = _Line(market, places, is_believed(market.data), scores.get(market.market))
        if wide:
            rows.append(_wide_row(line, state, market.market == selected, width, bool(scores)))
        else:
            rows += _narrow_rows(line, state, market.market == selected, width, bool(scores))
    return rows


# Columns


def _price(level: LevelView | None, line: _Line, cells: int, role: str) -> Span:
    """A price of a book that is not believed loses its colour and carries a question mark."""
    if level is None:
        return Span(number(NOTHING, cells), "muted")
    text = level_cents(level.price, line.market.grid_k, line.market.decimals, line.places)
    return Span(number(text if line.believed else f"?{text}", cells), role if line.believed else "muted")


def _bid(line: _Line, cells: int) -> Span:
    return _price(line.market.bids[0] if line.market.bids else None, line, cells, "bid")


def _ask(line: _Line, cells: int) -> Span:
    return _price(line.market.asks[0] if line.market.asks else None, line, cells, "ask")


def _spread(line: _Line, cells: int) -> Span:
    ticks = spread_ticks(line.market)
    if ticks is None:
        return Span(number(NOTHING, cells), "muted")
    text = level_cents(ticks, line.market.grid_k, line.market.decimals, line.places)
    return Span(number(text, cells), "" if line.believed else "muted")


def _own(side: Side, line: _Line, cells: int) -> Span:
    """Orders stand best first on each side."""
    market = line.market
    best = next((order.price for order in market.orders if order.side == side), None)
    if best is None:
        return Span(number(NOTHING, cells), "muted")
    return Span(number(level_cents(best, market.grid_k, market.decimals, line.places), cells), "own")


def _own_bid(line: _Line, cells: int) -> Span:
    return _own("bid", line, cells)


def _own_ask(line: _Line, cells: int) -> Span:
    return _own("ask", line, cells)


def _fair(line: _Line, cells: int) -> Span:
    text = model_cents(line.market.fair, line.market.decimals)
    return Span(number(text, cells), "model" if line.market.fair is not None else "muted")


def _orders(line: _Line, cells: int) -> Span:
    return Span(number(str(len(line.market.orders)), cells), "own" if line.market.orders else "muted")


def _position(line: _Line, cells: int) -> Span:
    net = line.market.inventory.net
    return Span(number(signed_shares_short(net, cells - 1), cells), "" if net else "muted")


def _at_risk(line: _Line, cells: int) -> Span:
    return Span(number(whole_usd(line.market.inventory.exposure), cells))


def _day(line: _Line, cells: int) -> Span:
    return _money(line.market.day, cells)


def _pnl(line: _Line, cells: int) -> Span:
    return _money(line.market.pnl.total, cells)


def _fills(line: _Line, cells: int) -> Span:
    return Span(number(str(line.market.pnl.fills), cells), "muted")


def _score(line: _Line, cells: int) -> Span:
    return Span(number(short_figure(line.score), cells), "muted")


def _heard(line: _Line, cells: int) -> Span:
    """The age of the last message; a sign behind it says when it is worth more or less than it seems."""
    words = data_words(line.market.data)
    sign = " " if words.sign == "●" else words.sign
    return Span(number(age(line.market.data.age_s), cells - 1) + sign, words.role)


def _money(amount: int | None, cells: int) -> Span:
    if amount is None:
        return Span(number(NOTHING, cells), "muted")
    text = signed_usd(amount)
    if len(text) >= cells:
        text = whole_usd(amount).replace("$", "")
    return Span(number(text, cells), "bid" if amount > 0 else "ask" if amount < 0 else "muted")


def signed_shares_short(net: int, cells: int = 8) -> str:
    """A signed position in at most ``cells`` cells, six or more."""
    text = signed_shares(net)
    if len(text) <= cells:
        return text
    return f"{'+' if net > 0 else ''}{short_shares(net)}"


_WIDE: Final = (
    Column("BID", 7, _bid),
    Column("ASK", 7, _ask),
    Column("SPR", 6, _spread),
    Column("OWN B", 7, _own_bid),
    Column("OWN A", 7, _own_ask),
    Column("FAIR", 8, _fair),
    Column("ORDERS", 7, _orders),
    Column("POS", 9, _position),
    Column("AT RISK", 9, _at_risk),
    Column("DAY", 9, _day),
    Column("PNL", 10, _pnl),
    Column("FILLS", 6, _fills),
    Column("SCORE", 7, _score),
    Column("AGE", 6, _heard),
)
_NEEDED: Final = ("BID", "ASK", "POS", "DAY", "AGE")
"""On any width."""
_WANTED: Final = ("OWN B", "OWN A", "SCORE", "FAIR", "SPR", "AT RISK", "ORDERS", "PNL", "FILLS")
"""In this order, as far as there is room."""
_NARROW: Final = (
    (0, Column("BID", 8, _bid), Column("own", 8, _own_bid)),
    (0, Column("ASK", 8, _ask), Column("own", 8, _own_ask)),
    (58, Column("FAIR", 9, _fair), Column("spr", 9, _spread)),
    (0, Column("POS", 8, _position), Column("day", 8, _day)),
    (70, Column("SCR", 9, _score), Column("risk", 9, _at_risk)),
    (0, Column("AGE", 5, _heard), None),
)
_SCORE_FROM: Final = 56
"""Width from which scores stand below the ages where they have no column of their own."""
_AGE_AND_SCORE: Final = (Column("AGE", 8, _heard), Column("scr", 8, _score))
"""(narrowest table that has it, upper number, lower number)."""
_GIVES_WAY: Final = ("own", "spr")
"""Lower numbers beside the state of a market, in whose room the reason goes on when it does not quote."""


# One line each


@lru_cache(maxsize=8)
def wide_columns(width: int, scored: bool) -> tuple[Column, ...]:
    """Columns of a table of this width with one line for each market, from the left; ``scored``: there are scores."""
    cells = {column.name: column.cells for column in _WIDE}
    kept = set(_NEEDED)
    for name in (name for name in _WANTED if scored or name != "SCORE"):
        taken = sum(cells[each] for each in kept) + cells[name]
        if width - _BEFORE - 1 - taken < max(_WORDS_LEAST, width // 3):
            break
        kept.add(name)
    return tuple(column for column in _WIDE if column.name in kept)


def _wide_room(width: int, columns: Sequence[Column]) -> tuple[int, int]:
    room = width - _BEFORE - 1 - sum(column.cells for column in columns)
    state = min(_STATE_MOST, room // 2)
    return room - state, state


def _head(column: Column) -> str:
    """Ages have a sign behind them."""
    return f"{column.name:>{column.cells - 1}} " if column.name == "AGE" else f"{column.name:>{column.cells}}"


@lru_cache(maxsize=8)
def _wide_header(width: int, scored: bool) -> Row:
    columns = wide_columns(width, scored)
    title, state = _wide_room(width, columns)
    numbers = "".join(_head(column) for column in columns)
    return row((f"{'':{_BEFORE}}{fit('MARKET', title)} {fit('STATE', state)}{numbers}", "muted"))


def _wide_row(line: _Line, state: MarketState, selected: bool, width: int, scored: bool) -> Row:
    columns = wide_columns(width, scored)
    title, room = _wide_room(width, columns)
    return row(
        *_signs(line.market, state, selected),
        (fit(brief(line.market.title), title), "strong" if selected else ""),
        " ",
        (fit(_sentence(state, room), room), _quiet_role(state)),
        *[column.make(line, column.cells) for column in columns],
        ground="cursor" if selected else "",
    )


# Two lines each


@lru_cache(maxsize=8)
def _narrow_columns(width: int, scored: bool) -> tuple[tuple[Column, Column | None], ...]:
    columns = [(upper, lower) for narrowest, upper, lower in _NARROW if width >= narrowest]
    if scored and width >= _SCORE_FROM and not any(upper.name == "SCR" for upper, _ in columns):
        columns[-1] = _AGE_AND_SCORE
    return tuple(columns)


def _narrow_room(width: int, scored: bool) -> int:
    return max(0, width - _BEFORE - sum(upper.cells for upper, _ in _narrow_columns(width, scored)))


@lru_cache(maxsize=8)
def _narrow_header(width: int, scored: bool) -> Row:
    names = [
        _head(upper) if lower is None else f"{f'{upper.name}/{lower.name}':>{upper.cells}}"
        for upper, lower in _narrow_columns(width, scored)
    ]
    return row((f"{'':{_BEFORE}}{fit('MARKET', _narrow_room(width, scored))}{''.join(names)}", "muted"))


def _narrow_rows(line: _Line, state: MarketState, selected: bool, width: int, scored: bool) -> list[Row]:
    columns = _narrow_columns(width, scored)
    room = title = _narrow_room(width, scored)
    ground = "cursor" if selected else ""
    below = [(lower, upper.cells) for upper, lower in columns]
    if state.role != "good":  # the reason is worth more than what rests beside it
        room += sum(cells for lower, cells in below if lower is not None and lower.name in _GIVES_WAY)
        below = [(lower, cells) for lower, cells in below if lower is None or lower.name not in _GIVES_WAY]
    return [
        row(
            *_signs(line.market, state, selected),
            (fit(brief(line.market.title), title), "strong" if selected else ""),
            *[upper.make(line, upper.cells) for upper, _ in columns],
            ground=ground,
        ),
        row(
            " " * _BEFORE,
            (fit(_sentence(state, room), room), _quiet_role(state)),
            *[lower.make(line, cells) if lower else Span(" " * cells) for lower, cells in below],
            ground=ground,
        ),
    ]


# What both have


def _signs(market: MarketView, state: MarketState, selected: bool) -> list[Span]:
    return [
        Span("›" if selected else " ", "strong"),
        Span(state.sign, state.role),
        Span(reward_sign(market), "own"),
        Span(" "),
    ]


def reward_sign(market: MarketView) -> str:
    """★ where an order scores for liquidity rewards, ☆ where there is a programme and none does, else a blank."""
    if any(order.scoring for order in market.orders):
        return "★"
    return "☆" if market.reward_band is not None or market.rewards is not None else " "


def _sentence(state: MarketState, room: int) -> str:
    return state.sentence.removeprefix("quoting ") if room < _SHORT_STATE else state.sentence


def _quiet_role(state: MarketState) -> str:
    return "muted" if state.role in ("good", "muted") else state.role
