"""Why the quotes stand where they stand: the terms a view carries, and the rule that forbids quoting."""

from typing import Final

from core.views import MarketView
from widgets.format import MINUS, cents, fit, model_cents, signed_cents, wrap_words
from widgets.line_widget import LineWidget, Row, Span, message_rows, row
from widgets.state_words import market_state
from widgets.why import adjustment_words

_LABEL: Final = 13
_VALUE: Final = 9


def quote_rows(market: MarketView | None, width: int, height: int) -> list[Row]:
    """Fair value, inventory shift, reservation price, half-spread and volatility, after the state in words."""
    if market is None:
        return message_rows(["no market selected"], height)
    state = market_state(market)
    places = market.decimals
    skew = None
    if market.fair is not None and market.reservation is not None:
        skew = market.reservation - market.fair
    touch = market.asks[0].price - market.bids[0].price if market.bids and market.asks else None
    rows = [
        *[row(" ", (line, state.role)) for line in wrap_words(f"{state.sign} {state.sentence}", width - 2)[:2]],
        _term("fair", model_cents(market.fair, places), "" if market.fair is not None else "no fair value"),
        _term("inventory", signed_cents(skew, places), "shift"),
        _term("reservation", model_cents(market.reservation, places), "", strong=True),
        _term("half-spread", signed_cents(market.half_spread, places).replace("+", "±"), _in_ticks(market)),
        _term(
            "by operator",
            _operator_ticks(market.widen_ticks),
            fit(_operator_note(market), width - _LABEL - _VALUE - 3).rstrip(),
        ),
        _term(
            "volatility",
            model_cents(market.sigma_h, places),
            "per horizon" if market.sigma_h is not None else "warming up",
        ),
        _term(
            "touch",
            cents(touch, market.grid_k, places) if touch is not None else "–",
            f"{touch} tick{'s' if touch != 1 else ''} wide" if touch is not None else "one side is empty",
        ),
    ]
    return rows[:height]


def _operator_ticks(ticks: float) -> str:
    return f"{ticks:+.3g}".replace("-", MINUS) if ticks else "0"


def _operator_note(market: MarketView) -> str:
    """What else the operator asked for, in few words."""
    others = [each for each in market.adjustments if each.what != "widen"]
    return ", ".join(["ticks a side", *[adjustment_words(each).partition(",")[0] for each in others]])


def _in_ticks(market: MarketView) -> str:
    if market.half_spread is None:
        return ""
    ticks = f"{market.half_spread * market.grid_k:.1f}"
    return f"{ticks} tick{'s' if ticks != '1.0' else ''}"


def _term(label: str, value: str, note: str, *, strong: bool = False) -> Row:
    return row(
        (f" {label:<{_LABEL}}", "strong" if strong else "muted"),
        Span(value.rjust(_VALUE), "model"),
        Span(f"  {note}", "muted"),
    )


class Quote(LineWidget):
    """Draws :func:`quote_rows`."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._market: MarketView | None = None
        self.set_titles("Quote", "cents, YES · layer by layer: Why")

    def show(self, market: MarketView | None) -> None:
        """Draw the terms of a market's quotes."""
        self._market = market
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`quote_rows`."""
        return quote_rows(self._market, width, height)
