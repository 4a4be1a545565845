"""The list of markets: two lines each where it is narrow, one line each where there is room."""

from collections.abc import Sequence
from typing import Final

from textual.events import Click
from textual.message import Message

from core.views import ControlView, LevelView, MarketView
from widgets.control_words import reductions
from widgets.data_words import data_words, is_believed
from widgets.format import (
    NOTHING,
    age,
    cents,
    clean,
    fit,
    model_cents,
    number,
    short_shares,
    signed_shares,
    signed_usd,
    whole_usd,
)
from widgets.line_widget import Row, ScrollingLineWidget, Span, message_rows, row
from widgets.state_words import MarketState, market_state

ONE_LINE_FROM: Final = 100
"""Width from which a market takes one line."""
_NUMBER: Final = 9
_AGE: Final = 6
"""The age of the last message and a sign of what it is worth."""
_LEFT: Final = 3


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
) -> list[Row]:
    """Header and markets from index ``top`` on; the selected one stands on the cursor's ground.

    Args:
        markets: all markets in their order.
        selected: condition id of the market the other panes show.
        top: index of the first market on show.
        width: cells.
        height: lines.
        controls: states that are not ACTIVE: why a market is only reduced.
    """
    if not markets:
        return message_rows(["no markets yet", "the session has not announced any"], height)
    places = max(_places(market) for market in markets)
    shown = markets[top : top + markets_visible(width, height)]
    reduced = reductions(controls)
    wide = lines_per_market(width) == 1
    rows = [_wide_header(width) if wide else _narrow_header(width)]
    for market in shown:
        state, is_selected = market_state(market, reduced.get(market.market)), market.market == selected
        if wide:
            rows.append(_wide_row(market, state, is_selected, places, width))
        else:
            rows += _narrow_rows(market, state, is_selected, places, width)
    return rows


def _narrow_header(width: int) -> Row:
    room = width - _LEFT - 2 * _NUMBER - _AGE
    return row(
        (f"{'':{_LEFT}}{fit('MARKET', room)}{'BID/net':>{_NUMBER}}{'ASK/pnl':>{_NUMBER}}{'AGE':>{_AGE - 1}} ", "muted")
    )


def _narrow_rows(market: MarketView, state: MarketState, selected: bool, places: int, width: int) -> list[Row]:
    room = width - _LEFT - 2 * _NUMBER - _AGE
    ground = "cursor" if selected else ""
    quiet = state.role in ("good", "muted")
    return [
        row(
            ("›" if selected else " ", "strong"),
            (state.sign, state.role),
            " ",
            (fit(clean(market.title), room), "strong" if selected else ""),
            *_touch(market, places, _NUMBER),
            _heard(market, _AGE),
            ground=ground,
        ),
        row(
            " " * _LEFT,
            (fit(state.sentence, room), "muted" if quiet else state.role),
            (number(signed_shares_short(market.inventory.net), _NUMBER), ""),
            _money(market.pnl.total, _NUMBER),
            " " * _AGE,
            ground=ground,
        ),
    ]


def signed_shares_short(net: int) -> str:
    """A signed position in at most eight cells."""
    text = signed_shares(net)
    if len(text) <= 8:
        return text
    return f"{'+' if net > 0 else ''}{short_shares(net)}"


_WIDE: Final = (
    ("BID", 7),
    ("ASK", 7),
    ("FAIR", 8),
    ("ORDERS", 7),
    ("NET", 10),
    ("AT RISK", 9),
    ("PNL $", 10),
    ("FILLS", 6),
    ("AGE", _AGE),
)
_WIDE_NUMBERS: Final = sum(width for _, width in _WIDE)


def _wide_room(width: int) -> tuple[int, int]:
    room = width - _LEFT - _WIDE_NUMBERS - 1
    state = min(48, max(12, room // 2))
    return room - state, state


def _wide_header(width: int) -> Row:
    title, state = _wide_room(width)
    numbers = "".join(f"{name:>{cells}}" for name, cells in _WIDE[:-1]) + f"{'AGE':>{_AGE - 1}} "
    return row((f"{'':{_LEFT}}{fit('MARKET', title)} {fit('STATE', state)}{numbers}", "muted"))


def _wide_row(market: MarketView, state: MarketState, selected: bool, places: int, width: int) -> Row:
    title, room = _wide_room(width)
    cells = dict(_WIDE)
    return row(
        ("›" if selected else " ", "strong"),
        (state.sign, state.role),
        " ",
        (fit(clean(market.title), title), "strong" if selected else ""),
        " ",
        (fit(state.sentence, room), "muted" if state.role in ("good", "muted") else state.role),
        *_touch(market, places, cells["BID"]),
        (number(model_cents(market.fair, market.decimals), cells["FAIR"]), "model"),
        (number(str(len(market.orders)), cells["ORDERS"]), "own" if market.orders else "muted"),
        number(signed_shares_short(market.inventory.net), cells["NET"]),
        number(whole_usd(market.inventory.exposure), cells["AT RISK"]),
        _money(market.pnl.total, cells["PNL $"]),
        (number(str(market.pnl.fills), cells["FILLS"]), "muted"),
        _heard(market, _AGE),
        ground="cursor" if selected else "",
    )


def _money(amount: int, width: int) -> Span:
    text = signed_usd(amount)
    if len(text) >= width:
        text = whole_usd(amount).replace("$", "")
    return Span(number(text, width), "bid" if amount > 0 else "ask" if amount < 0 else "muted")


def _heard(market: MarketView, width: int) -> Span:
    """The age of the last message; a sign behind it says when it is worth more or less than it seems."""
    words = data_words(market.data)
    sign = " " if words.sign == "●" else words.sign
    return Span(number(age(market.data.age_s), width - 1) + sign, words.role)


def _touch(market: MarketView, places: int, width: int) -> tuple[Span, Span]:
    """Best bid and ask; prices of a book that is not believed lose their colour and carry a question mark."""
    pad = places - _places(market)
    believed = is_believed(market.data)

    def span(levels: Sequence[LevelView], role: str) -> Span:
        if not levels:
            return Span(number(NOTHING, width), "muted")
        text = cents(levels[0].price, market.grid_k, market.decimals) + " " * pad
        return Span(number(text if believed else f"?{text}", width), role if believed else "muted")

    return span(market.bids, "bid"), span(market.asks, "ask")


def _places(market: MarketView) -> int:
    """Cells behind the whole cents, the point included."""
    return market.decimals - 1 if market.decimals > 2 else 0


class MarketTable(ScrollingLineWidget):
    """Draws :func:`table_rows` and keeps the selected market in sight. Clicking a market selects it."""

    class Picked(Message):
        """The operator clicked a market."""

        def __init__(self, market: str) -> None:
            super().__init__()
            self.market = market

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._markets: Sequence[MarketView] = ()
        self._selected = ""
        self._controls: Sequence[ControlView] = ()
        self.set_titles("Markets")

    def show(self, markets: Sequence[MarketView], selected: str, controls: Sequence[ControlView] = ()) -> None:
        """Draw the markets with one of them selected; see :func:`table_rows`."""
        moved = selected != self._selected
        self._markets, self._selected, self._controls = markets, selected, controls
        if moved:
            self._follow()
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`table_rows`."""
        skip = self.clamp_skip(len(self._markets), markets_visible(width, height))
        return table_rows(self._markets, self._selected, skip, width, height, self._controls)

    def retitle(self) -> None:
        """Say how many markets there are, how many are quoted, how many are not believed, and which are in sight."""
        self.set_titles("Markets", self._range(markets_visible(*self.size)))

    def on_click(self, event: Click) -> None:
        """Select the market under the pointer."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        lines = lines_per_market(self.size.width)
        index = self._skip + (offset.y - 1) // lines
        if offset.y and index < len(self._markets):
            self.post_message(self.Picked(self._markets[index].market))

    def size_changed(self) -> None:
        """Keep the selected market in sight at the new size."""
        self._follow()
        self.update_rows()

    def _follow(self) -> None:
        width, height = self.size
        index = next((i for i, market in enumerate(self._markets) if market.market == self._selected), None)
        if index is None or not height:
            return
        visible = markets_visible(width, height)
        self._skip = max(min(self._skip, index), index - visible + 1)

    def _range(self, visible: int) -> str:
        count = len(self._markets)
        quoting = sum(market.quoting for market in self._markets)
        doubtful = sum(not is_believed(market.data) for market in self._markets)
        rest = f"quoting, {doubtful} not proven" if doubtful else "quoting"
        if count <= visible:
            return f"{quoting} of {count} {rest}"
        return f"{self._skip + 1}–{self._skip + visible} of {count}, {quoting} {rest}"
