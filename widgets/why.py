"""Why every quote of a market stands where it stands: what holds for the market, then all terms of each layer.

The terms of a layer are a column that adds up to its price and its size, to the last digit shown: each is rounded
together with those above it, so that no rest is lost between them.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Final

from core.views import AdjustmentView, GroupView, LayerView, MarketView
from widgets.format import (
    MINUS,
    NOTHING,
    age,
    cent_decimals,
    cents,
    clean,
    fit,
    number,
    short_shares,
    signed_usd,
    usd,
    wrap_words,
)
from widgets.line_widget import PagedLineWidget, Row, Span, message_rows, row
from widgets.state_words import market_state

_LABEL: Final = 16
_CELL: Final = 9
_STATE_LINES: Final = 3
_NANO: Final = 1_000_000_000
"""Parts of a tick in a price term."""
_HUNDREDTH: Final = 10_000
"""Micro-shares in a hundredth of a share."""


def why_rows(market: MarketView | None, width: int) -> list[Row]:
    """All lines about a market's quotes, as many as there are."""
    if market is None:
        return message_rows(["no market selected"], 6)
    return [*_standing(market, width), *_missing_sides(market, width), row(), *_layers(market, width)]


def adjustment_words(adjustment: AdjustmentView) -> str:
    """What an operator asked for and how long it holds."""
    amount = f"{adjustment.amount:+.2f}".rstrip("0").rstrip(".").replace("-", MINUS)
    text = {
        "widen": f"half-spread {amount} ticks",
        "shift": f"fair {amount} ticks",
        "one_side": f"{adjustment.sides} only",
        "size": f"sizes x{amount.lstrip('+')}",
    }[adjustment.what]
    if adjustment.half_life_s is not None:
        text += f", halves every {_span(adjustment.half_life_s)}"
    return text if adjustment.left_s is None else f"{text}, {_span(adjustment.left_s)} left"


def _standing(market: MarketView, width: int) -> list[Row]:
    """What holds for the market as a whole."""
    state = market_state(market)
    lines = wrap_words(f"{state.sign} {state.sentence}", width - 2)[:_STATE_LINES]
    regime = market.regime
    rows = [row(" ", (line, state.role)) for line in lines]
    if market.profile:
        rows.append(_labelled("profile", market.profile, width))
    rows.append(_labelled("regime", _regime_words(market), width, "" if regime.name == "normal" else "warn"))
    schedule = _schedule_words(market)
    if schedule:
        rows.append(_labelled("schedule", schedule, width, "" if regime.phase in ("open", "unknown") else "warn"))
    if regime.calendar or regime.calendar_s is not None:
        rows.append(_labelled("calendar", _calendar_words(market), width, "warn" if regime.calendar else ""))
    if regime.reduces:
        rows.append(_labelled("reduce only", regime.reduces, width, "warn"))
    if market.group is not None:
        rows.append(_labelled("event", _group_words(market.group), width))
    for adjustment in market.adjustments:
        text = f"{adjustment_words(adjustment)} ({adjustment.who})"
        rows.append(_labelled("operator", text, width, "own"))
    return rows


def _regime_words(market: MarketView) -> str:
    regime = market.regime
    parts = [f"{regime.name}: {regime.reason}" if regime.reason else regime.name]
    if regime.left_s is not None:
        parts.append(f"{_span(regime.left_s)} left")
    if regime.spread_factor != 1.0:
        parts.append(f"half-spread x{regime.spread_factor:.2g}")
    if regime.size_factor != 1.0:
        parts.append(f"sizes x{regime.size_factor:.2g}")
    return ", ".join(parts)


def _schedule_words(market: MarketView) -> str:
    """Time to the end and what it does; "" when nothing is known of it."""
    regime = market.regime
    if not regime.phase:
        return ""
    parts = [regime.phase.replace("_", " ")]
    if regime.phase_s is not None:
        when = f"in {_span(regime.phase_s)}" if regime.phase_s >= 0 else f"{_span(-regime.phase_s)} ago"
        parts.append(f"{regime.phase_of} {when}")
    if regime.time_factor != 1.0:
        parts.append(f"sizes x{regime.time_factor:.2g}")
    if regime.phase_warning:
        parts.append(regime.phase_warning)
    return ", ".join(parts)


def _calendar_words(market: MarketView) -> str:
    regime = market.regime
    changes = f"changes in {_span(regime.calendar_s)}" if regime.calendar_s is not None else "to the end"
    if not regime.calendar:
        return f"nothing now, {changes}"
    return f"{regime.calendar_act}, {changes}: {regime.calendar}"


def _group_words(group: GroupView) -> str:
    """The markets of which at most one comes true."""
    parts = [f"{usd(group.exposure)} at risk together"]
    if group.worst or group.best:
        parts.append(f"what is held makes {signed_usd(group.worst)} to {signed_usd(group.best)} by outcome")
    if group.fair_sum is not None:
        parts.append(f"fair values sum to {100 * group.fair_sum:.1f}c")
    if group.set_edge is not None and group.set_edge > 0:
        parts.append(f"a whole set costs {100 * group.set_edge:.1f}c less than it pays: a price is wrong")
    return ", ".join([*parts, group.note] if group.note else parts)


def _missing_sides(market: MarketView, width: int) -> list[Row]:
    reasons = (("bid", market.bid_reason), ("ask", market.ask_reason))
    return [_labelled(f"no {side}", reason, width, "warn") for side, reason in reasons if reason and market.quoting]


def _layers(market: MarketView, width: int) -> list[Row]:
    """The table of terms, then who bound what and what is missing."""
    layers = market.layers
    if not layers:
        return [row((" nothing is planned" if market.detailed else " on its way …", "muted"))]
    shown, hidden = _fitting(layers, (width - _LABEL - 2) // _CELL)
    # A layer without terms has no column: what is missing and why stands below.
    columns = [layer for layer in shown if layer.price_terms]
    rows = [_header(columns), *_price_lines(columns, market), *_size_lines(columns)] if columns else []
    rows += _verdicts(layers, width)
    rows += _off_target(market, width)
    if hidden:
        rows.append(row((f" {hidden} outer layers have no room here: a wider terminal shows them", "muted")))
    return rows


def _fitting(layers: Sequence[LayerView], columns: int) -> tuple[list[LayerView], int]:
    """The layers that fit side by side, innermost kept, and how many do not."""
    kept = list(layers)
    while len(kept) > max(2, columns):
        outermost = max(layer.layer for layer in kept)
        kept = [layer for layer in kept if layer.layer < outermost]
    return kept, len(layers) - len(kept)


def _header(columns: Sequence[LayerView]) -> Row:
    names = [Span(f"{f'{layer.side} {layer.layer + 1}':>{_CELL}}", layer.side) for layer in columns]
    return row((f" {'cents, shares':<{_LABEL}}", "muted"), *names)


def _price_lines(columns: Sequence[LayerView], market: MarketView) -> list[Row]:
    places = max(2, cent_decimals(market.decimals) + 1)
    unit = 100 * 10**places

    def shown(total: int) -> int:
        return _rounded(total * unit, market.grid_k * _NANO)

    def text(amount: int, is_first: bool) -> str:
        return _signed(amount, places, is_first)

    prices = [cents(layer.ticks, market.grid_k, market.decimals) if layer.ticks else NOTHING for layer in columns]
    return [
        *_term_lines([layer.price_terms for layer in columns], shown, text),
        _sum_line("= price", prices, columns),
    ]


def _size_lines(columns: Sequence[LayerView]) -> list[Row]:
    largest = max([abs(amount) for layer in columns for _, amount in layer.size_terms], default=0)
    divisor = _HUNDREDTH if largest < 10_000 * 100 * _HUNDREDTH else 100 * _HUNDREDTH
    places = 2 if divisor == _HUNDREDTH else 0

    def shown(total: int) -> int:
        return _rounded(total, divisor)

    def text(amount: int, is_first: bool) -> str:
        exact = _signed(amount, places, is_first)
        plain = exact.replace(",", "")  # what is shortened no longer adds up
        return next((each for each in (exact, plain) if len(each) < _CELL), short_shares(amount * divisor))

    sizes = [text(shown(layer.size), True) if layer.size else NOTHING for layer in columns]
    return [
        *_term_lines([layer.size_terms for layer in columns], shown, text),
        _sum_line("= size", sizes, columns),
    ]


def _term_lines(
    columns: Sequence[tuple[tuple[str, int], ...]], shown: Callable[[int], int], text: Callable[[int, bool], str]
) -> list[Row]:
    """One line a term that any column has; a column without it stays blank there."""
    names = _merged([[name for name, _ in terms] for terms in columns])
    cells: list[dict[str, str]] = []
    for terms in columns:
        total, written = 0, 0
        column: dict[str, str] = {}
        for place, (name, amount) in enumerate(terms):
            total += amount
            column[name] = text(shown(total) - written, place == 0)
            written = shown(total)
        cells.append(column)
    return [
        row(
            (f" {fit(clean(name), _LABEL)}", "muted"),
            *[Span(number(column.get(name, ""), _CELL), "model") for column in cells],
        )
        for name in names
    ]


def _merged(columns: Iterable[Sequence[str]]) -> list[str]:
    """All names, each after the one it follows where it first appears."""
    merged: list[str] = []
    for names in columns:
        place = 0
        for name in names:
            if name in merged:
                place = merged.index(name) + 1
            else:
                merged.insert(place, name)
                place += 1
    return merged


def _sum_line(label: str, values: Sequence[str], columns: Sequence[LayerView]) -> Row:
    spans = [Span(number(text, _CELL), layer.side) for text, layer in zip(values, columns, strict=True)]
    return row((f" {label:<{_LABEL}}", "strong"), *spans)


def _verdicts(layers: Sequence[LayerView], width: int) -> list[Row]:
    """Which rule had the last word on each layer, or which one forbade it; neighbours alike share a line."""
    rows: list[Row] = []
    for (side, text, is_missing), group in groupby(layers, _verdict):
        numbers = [layer.layer + 1 for layer in group]
        name = f"{side} {numbers[0]}" if len(numbers) == 1 else f"{side} {numbers[0]}–{numbers[-1]}"
        rows.append(_labelled(name, text, width, "warn" if is_missing else ""))
    return rows


def _verdict(layer: LayerView) -> tuple[str, str, bool]:
    if layer.size:
        return layer.side, f"binds: {layer.binding}", False
    return layer.side, f"not placed: {layer.forbidden.replace('_', ' ')}", True


def _off_target(market: MarketView, width: int) -> list[Row]:
    """Orders that keep their place in the queue away from the price that is wanted now."""
    wanted = {(layer.side, layer.layer): layer.ticks for layer in market.layers if layer.size}
    lines: dict[tuple[str, str], None] = {}  # the two legs of a layer that stand alike are one line
    for order in market.orders:
        ticks = wanted.get((order.side, order.layer))
        if ticks is not None and ticks != order.price:
            stands, target = [cents(each, market.grid_k, market.decimals) for each in (order.price, ticks)]
            text = f"stands at {stands}, wanted {target}: {order.reason}"
            lines[f"{order.side} {order.layer + 1}", text] = None
    return [_labelled(label, text, width) for label, text in lines]


def _labelled(label: str, text: str, width: int, role: str = "") -> Row:
    """A label and a text, which may be foreign."""
    return row((f" {label:<{_LABEL}}", "muted"), (fit(clean(text), width - _LABEL - 2).rstrip(), role))


def _rounded(numerator: int, denominator: int) -> int:
    """The nearest integer, halves away from zero, so that both sides of a book round alike."""
    half = (2 * abs(numerator) + denominator) // (2 * denominator)
    return half if numerator >= 0 else -half


def _signed(amount: int, places: int, is_first: bool) -> str:
    """A fixed-point number; the first term of a column is no difference and has no plus."""
    whole, rest = divmod(abs(amount), 10**places)
    digits = f"{whole:,}.{rest:0{places}d}" if places else f"{whole:,}"
    return f"{MINUS if amount < 0 else '' if is_first else '+'}{digits}"


def _span(seconds: float) -> str:
    """A time from now: whole seconds up to two minutes, because a half-life of 90 s is no minute."""
    return f"{max(0, round(seconds))}s" if seconds < 120 else age(seconds)


class Why(PagedLineWidget):
    """Draws :func:`why_rows`, scrolled where the terminal is low."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._market: MarketView | None = None

    def show(self, market: MarketView | None) -> None:
        """Draw the reasons of a market's quotes."""
        self._market = market
        self.update_rows()

    def all_rows(self, width: int) -> list[Row]:
        """See :func:`why_rows`."""
        return why_rows(self._market, width)

    def retitle(self) -> None:
        """Name the market, and say how much is out of sight."""
        name = f": {clean(self._market.title)}" if self._market else ""
        self.set_titles(f"Why this quote{name}", self.place() or "YES frame")
