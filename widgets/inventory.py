"""What one market holds: shares, average price, risk against its caps; and the one-line form for small terminals."""

from typing import Final

from core.views import ConsoleView, InventoryView, MarketView
from widgets.format import (
    NOTHING,
    age,
    brief,
    fit,
    model_cents,
    shares,
    signed_cents,
    signed_shares,
    signed_usd,
    usd,
    whole_usd,
)
from widgets.line_widget import LineWidget, Row, Span, message_rows, row

_LABEL: Final = 11
_UNSETTLED_S: Final = 60.0
"""A trade is usually final sooner; an older one is told with its age."""


def inventory_rows(market: MarketView | None, width: int, height: int) -> list[Row]:
    """Shares of both tokens, the net position with its average price, and the risk against the caps."""
    if market is None:
        return message_rows(["no market selected"], height)
    held = market.inventory
    token = "YES" if held.net > 0 else "NO" if held.net < 0 else ""
    average = f" {token} at {model_cents(held.average, market.decimals)}c" if held.average is not None else " flat"
    rows = [
        _labelled("net", Span(signed_shares(held.net), "strong"), Span(average)),
        _labelled("YES / NO", Span(f"{shares(held.yes)} / {shares(held.no)}")),
        _labelled("pairs", Span(shares(held.pairs)), Span("  worth $1 each", "muted")),
        _labelled("at risk", Span(usd(held.exposure)), Span(f" of {whole_usd(held.hard_cap)}", "muted")),
        _cap_row(market, width),
    ]
    if held.provisional:
        old = f" oldest {age(held.unsettled_s)}," if held.unsettled_s >= _UNSETTLED_S else ""
        rows.append(
            _labelled(
                "pending", Span(shares(held.provisional), "warn"), Span(old, "warn"), Span(" not confirmed", "muted")
            )
        )
    else:
        rows.append(_labelled("pending", Span("0", "muted"), Span("  all fills confirmed", "muted")))
    if foreign := foreign_words(held):
        rows.append(_labelled("not ours", Span(foreign, "warn"), Span(" apart", "muted")))
    return rows[:height]


def foreign_words(held: InventoryView) -> str:
    """Shares on the account that are not ours; "" when there are none."""
    parts = ((held.foreign_yes, "YES"), (held.foreign_no, "NO"))
    return ", ".join(f"{shares(size)} {token}" for size, token in parts if size)


def _labelled(label: str, *spans: Span) -> Row:
    return row((f" {label:<{_LABEL}}", "muted"), *spans)


def _cap_row(market: MarketView, width: int) -> Row:
    held = market.inventory
    cells = max(8, min(28, width - _LABEL - 9))
    if held.hard_cap <= 0:
        return _labelled("cap", Span("no cap known", "muted"))
    used = held.exposure / held.hard_cap
    filled = max(0, min(cells, round(cells * used)))
    soft = max(0, min(cells - 1, round(cells * held.soft_cap / held.hard_cap)))
    bar = ["█" if cell < filled else "░" for cell in range(cells)]
    role = "warn" if held.exposure >= held.soft_cap else "own"
    bar[soft] = "┃"
    before, after = "".join(bar[:filled]), "".join(bar[filled:])
    return _labelled("cap", Span(before, role), Span(after, "muted"), Span(f" {used:4.0%}", role if used >= 1 else ""))


class Inventory(LineWidget):
    """Draws :func:`inventory_rows`."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._market: MarketView | None = None
        self.set_titles("Inventory", "shares")

    def show(self, market: MarketView | None) -> None:
        """Draw what a market holds."""
        self._market = market
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`inventory_rows`."""
        return inventory_rows(self._market, width, height)


def account_row(view: ConsoleView | None, market: MarketView | None, width: int) -> Row:
    """The selected market's position and profit in one line."""
    if view is None or market is None:
        return row((" no market selected", "muted"), ground="bar")
    held = market.inventory
    token = " YES" if held.net > 0 else " NO" if held.net < 0 else ""
    average = f"{model_cents(held.average, market.decimals)}c" if held.average is not None else NOTHING
    skew = None
    if market.fair is not None and market.reservation is not None:
        skew = market.reservation - market.fair
    parts = [
        (Span("net ", "muted"), Span(f"{signed_shares(held.net)}{token}", "strong")),
        (Span("avg ", "muted"), Span(average)),
        (Span("risk ", "muted"), Span(f"{whole_usd(held.exposure)}/{whole_usd(held.hard_cap)}")),
        (Span("pnl ", "muted"), _gain_span(market.pnl.total)),
        (Span("fair ", "muted"), Span(model_cents(market.fair, market.decimals), "model")),
        (Span("skew ", "muted"), Span(signed_cents(skew, market.decimals), "model")),
    ]
    spans: list[Span] = []
    used = 0
    for part in parts:
        cells = sum(len(span.text) for span in part) + 2
        if used + cells > width - 12:
            break
        spans += [*part, Span("  ")]
        used += cells
    title = fit(brief(market.title), max(0, min(28, width - used - 2)))
    return row((f" {title} ", "strong"), *spans, ground="bar")


def _gain_span(amount: int) -> Span:
    return Span(signed_usd(amount), "bid" if amount > 0 else "ask" if amount < 0 else "")


class AccountLine(LineWidget):
    """Draws :func:`account_row`: inventory and profit where there is room for one line only."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._view: ConsoleView | None = None
        self._market: MarketView | None = None

    def show(self, view: ConsoleView | None, market: MarketView | None) -> None:
        """Draw one market of a view."""
        self._view, self._market = view, market
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`account_row`."""
        return [account_row(self._view, self._market, width)]
