"""Every order of ours that may be in a book, across markets."""

from collections.abc import Sequence
from typing import Final

from core.views import MarketView, OrderView
from widgets.format import NOTHING, age, book_shares, brief, cents, clean, fit, number, short_shares
from widgets.line_widget import Row, ScrollingLineWidget, message_rows, row

_STATE: Final = 11
_TITLE_MIN: Final = 14
_TITLE_MAX: Final = 40
_REASON_MIN: Final = 10
_STATE_ROLES: Final = {"UNKNOWN": "warn", "LIVE": "", "PARTIAL": "own"}
_STATE_WORDS: Final = {"CANCEL_SENT": "CANCELLING"}
_HEADER: Final = f"{'AGE':>5} {'STATE':<{_STATE}} "
_NUMBERS: Final = f"{'SIDE':<5}{'PRICE':>6}{'REST/SIZE':>15} {'LAYER':<5} {'TOKEN':<5}{'QUEUE':>6}"


def order_rows(markets: Sequence[MarketView], selected: str, skip: int, width: int, height: int) -> list[Row]:
    """Header and orders, those of the selected market first; ``skip`` lines are scrolled away.

    An order of which nobody knows has a second line, which says what has been found of it.
    """
    lines = _lines(markets, selected)
    if not lines:
        return message_rows(["no open orders"], height)
    title, reason = _flexible(width)
    head = f"{_HEADER}{fit('MARKET', title)} {_NUMBERS}  {fit('REASON', reason)}"
    rows = [row((head, "muted"))]
    for market, order, is_evidence in lines[skip : skip + height - 1]:
        if is_evidence:
            rows.append(_evidence_row(order, width))
        else:
            rows.append(_order_row(market, order, market.market == selected, title, reason))
    return rows


def _lines(markets: Sequence[MarketView], selected: str) -> list[tuple[MarketView, OrderView, bool]]:
    """Each line's order, and whether the line tells its evidence."""
    ordered = sorted(markets, key=lambda market: market.market != selected)
    orders = [(market, order) for market in ordered for order in market.orders]
    return [
        (market, order, is_evidence)
        for market, order in orders
        for is_evidence in ((False,) if order.unknown_s is None else (False, True))
    ]


def _evidence_row(order: OrderView, width: int) -> Row:
    found = clean(order.evidence) or "nobody has looked yet"
    cancelling = ", cancelling" if order.state == "CANCEL_SENT" else ""
    return row((fit(f"{'':>6}└ may be at the venue{cancelling}: {found}", width).rstrip(), "warn"))


def _flexible(width: int) -> tuple[int, int]:
    """Widths of the market's title and of the reason; the reason goes first."""
    room = width - len(_HEADER) - len(_NUMBERS) - 3
    if room < _TITLE_MIN + _REASON_MIN:
        return max(0, room), 0
    title = min(_TITLE_MAX, max(_TITLE_MIN, room // 2))
    return title, room - title


def _order_row(market: MarketView, order: OrderView, selected: bool, title: int, reason: int) -> Row:
    size = f"{book_shares(order.remaining)}/{book_shares(order.size)}"
    if len(size) > 14:
        size = f"{short_shares(order.remaining)}/{short_shares(order.size)}"
    price = cents(order.price, market.grid_k, market.decimals)
    queue = f"~{short_shares(order.ahead)}" if order.ahead is not None else NOTHING
    state = _STATE_WORDS.get(order.state, order.state) if order.unknown_s is None else f"UNKNOWN {age(order.unknown_s)}"
    role = _STATE_ROLES.get(order.state, "muted") if order.unknown_s is None else "warn"
    return row(
        (f"{age(order.age_s):>5} ", "muted"),
        (f"{fit(clean(state), _STATE)} ", role),
        (fit(brief(market.title), title) + " ", "" if selected else "muted"),
        (f"{order.side:<5}{number(price, 6)}", order.side),
        (number(size, 15), "own"),
        f"{order.layer + 1:>4}{'★' if order.scoring else ' '}  {'NO' if order.on_no else 'YES':<5}",
        (f"{queue:>6}  ", "muted"),
        (fit(clean(order.reason), reason), "muted"),
    )


class Orders(ScrollingLineWidget):
    """Draws :func:`order_rows`."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._markets: Sequence[MarketView] = ()
        self._selected = ""
        self.set_titles("Orders")

    def show(self, markets: Sequence[MarketView], selected: str) -> None:
        """Draw the orders of all markets."""
        self._markets, self._selected = markets, selected
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`order_rows`."""
        skip = self.clamp_skip(len(_lines(self._markets, self._selected)), height - 1)
        return order_rows(self._markets, self._selected, skip, width, height)

    def retitle(self) -> None:
        """Say how many orders there are, and of how many nobody knows."""
        orders = [order for market in self._markets for order in market.orders]
        unknown = sum(order.unknown_s is not None for order in orders)
        told = f", {unknown} unknown" if unknown else ""
        self.set_titles(f"Orders {len(orders)}{told}", "queue: shares ahead, estimate")
