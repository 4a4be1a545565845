"""Every order of ours that may be in a book, across markets: those of which nobody knows first."""

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from core.views import MarketView, OrderView
from widgets.format import NOTHING, age, book_shares, brief, cents, clean, fit, number, short_shares
from widgets.line_widget import Row, ScrollingLineWidget, message_rows, row
from widgets.state_words import market_state

_STATE: Final = 11
_TITLE_MIN: Final = 8
_TITLE_MAX: Final = 40
_REASON_MIN: Final = 10
_STATE_ROLES: Final = {"UNKNOWN": "warn", "LIVE": "", "PARTIAL": "own"}
_STATE_WORDS: Final = {"CANCEL_SENT": "CANCELLING", "LIVE": "RESTING"}
"""LIVE is a mode of the session and nothing else."""
_IN_FLIGHT: Final = frozenset({"INTENT", "SENDING", "DELAYED", "CANCEL_SENT"})
_HEADER: Final = f" {'AGE':>5} {'STATE':<{_STATE}} "
_NUMBERS: Final = f"{'SIDE':<4}{'PRICE':>6}{'REST/SIZE':>14} {'LAYER':<7}{'ROUTE':<8}{'QUEUE':>5}"
_ROUTES: Final = {
    ("bid", False): "buy YES",
    ("ask", False): "sell YES",
    ("bid", True): "sell NO",
    ("ask", True): "buy NO",
}
_CURSOR: Final = "›"

OrderKey: TypeAlias = tuple[str, str]
"""Market and what names an order in it: the venue's id, or its place while it has none."""


class OrderLine(NamedTuple):
    """One line of the list: an order, or what has been found of one."""

    market: MarketView
    order: OrderView
    is_evidence: bool = False


def order_state_words(order: OrderView) -> str:
    """Its state as it is written everywhere, in capitals."""
    return _STATE_WORDS.get(order.state, order.state)


def route_words(order: OrderView) -> str:
    """What the order really does: a bid for YES may be an offer of NO."""
    return _ROUTES[order.side, order.on_no]


def order_key(market: MarketView, order: OrderView) -> OrderKey:
    """What keeps the cursor on an order while others come and go."""
    return market.market, order.order_id or f"{order.side} {order.price} {order.layer} {order.on_no}"


def order_lines(markets: Sequence[MarketView], selected: str) -> list[OrderLine]:
    """All lines: unknown orders, the longest doubt first; those in flight, the oldest first; then market by market."""
    ordered = sorted(markets, key=lambda market: market.market != selected)
    orders = [OrderLine(market, order) for market in ordered for order in market.orders]
    lines: list[OrderLine] = []
    for line in sorted(orders, key=_urgency):
        lines.append(line)
        if line.order.unknown_s is not None:
            lines.append(line._replace(is_evidence=True))
    return lines


def _urgency(line: OrderLine) -> tuple[int, float]:
    order = line.order
    if order.unknown_s is not None:
        return 0, -order.unknown_s
    return (1, -order.age_s) if order.state in _IN_FLIGHT else (2, 0.0)


def order_rows(
    markets: Sequence[MarketView], selected: str, skip: int, width: int, height: int, cursor: OrderKey | None = None
) -> list[Row]:
    """Header and orders; ``skip`` lines are scrolled away.

    An order of which nobody knows has a second line, which says what has been found of it.
    """
    lines = order_lines(markets, selected)
    if not lines:
        return message_rows(_empty_words(markets, selected, width), height)
    title, reason = _flexible(width)
    head = f"{_HEADER}{fit('MARKET', title)} {_NUMBERS}  {'REASON' if reason else ''}"
    rows = [row((fit(head, width), "muted"))]
    for line in lines[skip : skip + height - 1]:
        if line.is_evidence:
            rows.append(_evidence_row(line.order, width))
        else:
            is_cursor = cursor is not None and order_key(line.market, line.order) == cursor
            rows.append(_order_row(line, title, reason, is_selected=line.market.market == selected, cursor=is_cursor))
    return rows


def _empty_words(markets: Sequence[MarketView], selected: str, width: int) -> list[str]:
    """Why there is nothing, as far as the selected market tells."""
    market = next((each for each in markets if each.market == selected), None)
    if market is None:
        return ["no open orders" if markets else "no open orders: no market is made"]
    return ["no open orders", fit(f"{brief(market.title)}: {market_state(market).sentence}", width - 3).rstrip()]


def _evidence_row(order: OrderView, width: int) -> Row:
    found = clean(order.evidence) or "nobody has looked yet"
    cancelling = ", cancelling" if order.state == "CANCEL_SENT" else ""
    return row((fit(f"{'':>7}└ may be at the venue{cancelling}: {found}", width).rstrip(), "warn"))


def _flexible(width: int) -> tuple[int, int]:
    """Widths of the market's title and of the reason; the reason goes first."""
    room = width - len(_HEADER) - len(_NUMBERS) - 3
    if room < _TITLE_MIN + 6 + _REASON_MIN:
        return max(0, room), 0
    title = min(_TITLE_MAX, max(_TITLE_MIN + 6, room // 2))
    return title, room - title


def _order_row(line: OrderLine, title: int, reason: int, *, is_selected: bool, cursor: bool) -> Row:
    market, order = line.market, line.order
    size = f"{book_shares(order.remaining)}/{book_shares(order.size)}"
    if len(size) > 13:
        size = f"{short_shares(order.remaining)}/{short_shares(order.size)}"
    price = cents(order.price, market.grid_k, market.decimals)
    queue = f"~{short_shares(order.ahead)}" if order.ahead is not None else NOTHING
    state = order_state_words(order) if order.unknown_s is None else f"UNKNOWN {age(order.unknown_s)}"
    role = _STATE_ROLES.get(order.state, "muted") if order.unknown_s is None else "warn"
    return row(
        (_CURSOR if cursor else " ", "strong"),
        (f"{age(order.age_s):>5} ", "muted"),
        (f"{fit(clean(state), _STATE)} ", role),
        (fit(brief(market.title), title) + " ", "" if is_selected else "muted"),
        (f"{order.side:<4}{number(price, 6)}", order.side),
        (number(size, 14), "own"),
        f"{order.layer + 1:>4}{'★' if order.scoring else ' '}  {route_words(order):<8}",
        (f"{queue:>6}", "muted"),
        (f"  {fit(clean(order.reason), reason)}" if reason else "", "muted"),
        ground="cursor" if cursor else "",
    )


class Orders(ScrollingLineWidget):
    """Draws :func:`order_rows`.

    The cursor keeps to its order. When that is gone nothing is selected, so that a key meant for it does not reach
    its neighbour; the next move goes on from there.
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._markets: Sequence[MarketView] = ()
        self._market = ""
        self._cursor: OrderKey | None = None
        self._place = 0
        """Number of the cursor's order, or where it was."""
        self.set_titles("Orders")

    def show(self, markets: Sequence[MarketView], selected: str) -> None:
        """Draw the orders of all markets; those of the ``selected`` one (condition id) first."""
        self._markets, self._market = markets, selected
        self._follow()
        self.update_rows()

    @property
    def selected(self) -> tuple[MarketView, OrderView] | None:
        """The order under the cursor and its market; None without a cursor, and when the order is gone."""
        return next((found for found in self._orders() if order_key(*found) == self._cursor), None)

    def move(self, step: int) -> None:
        """Move the cursor by orders; positive goes down."""
        orders = self._orders()
        if not orders:
            return
        kept = self.selected is not None
        place = self._place + step if kept else self._place
        self._place = max(0, min(place, len(orders) - 1))
        self._cursor = order_key(*orders[self._place])
        self._bring_into_sight()
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`order_rows`."""
        skip = self.clamp_skip(len(order_lines(self._markets, self._market)), height - 1)
        return order_rows(self._markets, self._market, skip, width, height, self._cursor)

    def retitle(self) -> None:
        """Say how many orders there are, and of how many nobody knows."""
        orders = [order for market in self._markets for order in market.orders]
        unknown = sum(order.unknown_s is not None for order in orders)
        told = f", {unknown} unknown" if unknown else ""
        self.set_titles(f"Orders {len(orders)}{told}", "queue: shares ahead, estimate")

    def _orders(self) -> list[tuple[MarketView, OrderView]]:
        lines = order_lines(self._markets, self._market)
        return [(line.market, line.order) for line in lines if not line.is_evidence]

    def _follow(self) -> None:
        """Where the cursor's order stands now; one that is gone takes the cursor with it."""
        if self._cursor is None:
            return
        keys = [order_key(*found) for found in self._orders()]
        if self._cursor in keys:
            self._place = keys.index(self._cursor)
        else:
            self._cursor = None

    def _bring_into_sight(self) -> None:
        lines = order_lines(self._markets, self._market)
        line = next(
            (place for place, each in enumerate(lines) if order_key(each.market, each.order) == self._cursor), 0
        )
        page = max(1, self.size.height - 1)
        self._skip = max(line - page + 1, min(self._skip, line))
