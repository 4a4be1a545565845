"""Why every quote of a market stands where it stands: what holds for the market, then all terms of each layer.

The terms of a layer are a column that adds up to its price and its size, to the last digit shown: each is rounded
together with those above it, so that no rest is lost between them.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from core.views import AdjustmentView, GroupView, LayerView, MarketView, OrderView
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
from widgets.lift_words import lifted_by, market_lifted_by
from widgets.line_widget import PagedLineWidget, Row, Span, message_rows, row
from widgets.state_words import market_state
from widgets.why_order import LABEL, is_of_layer, labelled, labelled_lines, order_why_rows

_CELL: Final = 9
_MARK: Final = "›"
_NOT_PLACED: Final = "not placed: "
_STATE_LINES: Final = 3
_NANO: Final = 1_000_000_000
"""Parts of a tick in a price term."""
_HUNDREDTH: Final = 10_000
"""Micro-shares in a hundredth of a share."""
_MOST_WITH_CENTS: Final = 9_999 * 100 * _HUNDREDTH
"""A term may be shown a hundredth larger than it is, and still has to fit with its sign."""


def why_rows(market: MarketView | None, width: int, order: OrderView | None = None) -> list[Row]:
    """All lines about a market's quotes, as many as there are; what concerns ``order`` first, its column marked."""
    if market is None:
        return message_rows(["no market selected"], 6)
    rows = order_why_rows(market, order, width) if order is not None else []
    rows += [*_standing(market, width), *_missing_sides(market, width), row()]
    return [*rows, *_layers(market, order, width)]


def adjustment_words(adjustment: AdjustmentView) -> str:
    """What an operator asked for and how long it holds."""
    amount = f"{adjustment.amount:+.2f}".rstrip("0").rstrip(".").replace("-", MINUS)
    text = {
        "widen": f"half-spread {amount} tick{'s' if abs(adjustment.amount) != 1 else ''}",
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
    if lift := market_lifted_by(market):
        rows += labelled_lines("lifts", lift, width)
    if market.profile:
        rows.append(labelled("profile", market.profile, width))
    rows.append(labelled("regime", _regime_words(market), width, "" if regime.name == "normal" else "warn"))
    schedule = _schedule_words(market)
    if schedule:
        rows.append(labelled("schedule", schedule, width, "" if regime.phase in ("open", "unknown") else "warn"))
    if regime.calendar or regime.calendar_s is not None:
        rows.append(labelled("calendar", _calendar_words(market), width, "warn" if regime.calendar else ""))
    if regime.reduces:
        rows.append(labelled("reduce only", regime.reduces, width, "warn"))
    if market.group is not None:
        rows.append(labelled("event", _group_words(market.group), width))
    for adjustment in market.adjustments:
        text = f"{adjustment_words(adjustment)} ({adjustment.who})"
        rows.append(labelled("operator", text, width, "own"))
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
    return [
        line
        for side, reason in reasons
        if reason and market.quoting
        for line in (labelled(f"no {side}", reason, width, "warn"), *_lift(reason, width))
    ]


def _lift(rule: str, width: int) -> list[Row]:
    lift = lifted_by(rule)
    return labelled_lines("  lifts", lift, width)


def _layers(market: MarketView, order: OrderView | None, width: int) -> list[Row]:
    """The table of terms, then who bound what and what is missing."""
    layers = market.layers
    if not layers:
        return [row((" nothing is planned" if market.detailed else " on its way …", "muted"))]
    shown, hidden = _fitting(layers, order, (width - LABEL - 2) // _CELL)
    # A layer without terms has no column: what is missing and why stands below.
    columns = [layer for layer in shown if layer.price_terms]
    table = _Table(columns, [is_of_layer(order, layer) for layer in columns])
    rows = [_header(table), *_price_lines(table, market), *_size_lines(table)] if columns else []
    rows += _verdicts(layers, width)
    rows += _off_target(market, width)
    if hidden:
        words = f" {hidden} outer layers have no room here: a wider terminal shows them"
        rows.append(row((fit(words, width).rstrip(), "muted")))
    return rows


class _Table(NamedTuple):
    """The layers that have a column."""

    columns: Sequence[LayerView]
    marked: Sequence[bool]
    """That of the order in question."""


def _fitting(layers: Sequence[LayerView], order: OrderView | None, columns: int) -> tuple[list[LayerView], int]:
    """The layers that fit side by side, that of the order and the innermost kept, and how many do not."""
    kept = list(layers)
    while len(kept) > max(2, columns):
        others = [layer.layer for layer in kept if not is_of_layer(order, layer)]
        kept = [layer for layer in kept if layer.layer < max(others) or is_of_layer(order, layer)]
    return kept, len(layers) - len(kept)


def _header(table: _Table) -> Row:
    names = [f"{layer.side} {layer.layer + 1}" for layer in table.columns]
    spans = [
        Span(f"{_MARK + name if marked else name:>{_CELL}}", layer.side)
        for name, layer, marked in zip(names, *table, strict=True)
    ]
    return row((f" {'cents, shares':<{LABEL}}", "muted"), *spans)


def _price_lines(table: _Table, market: MarketView) -> list[Row]:
    columns = table.columns
    places = max(2, cent_decimals(market.decimals) + 1)
    unit = 100 * 10**places

    def shown(total: int) -> int:
        return _rounded(total * unit, market.grid_k * _NANO)

    def text(amount: int, is_first: bool) -> str:
        return _signed(amount, places, is_first)

    prices = [cents(layer.ticks, market.grid_k, market.decimals) if layer.ticks else NOTHING for layer in columns]
    return [
        *_term_lines([layer.price_terms for layer in columns], table.marked, shown, text),
        _sum_line("= price", prices, table),
    ]


def _size_lines(table: _Table) -> list[Row]:
    columns = table.columns
    largest = max([abs(amount) for layer in columns for _, amount in layer.size_terms], default=0)
    divisor = _HUNDREDTH if largest < _MOST_WITH_CENTS else 100 * _HUNDREDTH
    places = 2 if divisor == _HUNDREDTH else 0

    def shown(total: int) -> int:
        return _rounded(total, divisor)

    def text(amount: int, is_first: bool) -> str:
        exact = _signed(amount, places, is_first)
        plain = exact.replace(",", "")  # what is shortened no longer adds up
        return next((each for each in (exact, plain) if len(each) < _CELL), short_shares(amount * divisor))

    sizes = [text(shown(layer.size), True) if layer.size else NOTHING for layer in columns]
    return [
        *_term_lines([layer.size_terms for layer in columns], table.marked, shown, text),
        _sum_line("= size", sizes, table),
    ]


def _term_lines(
    columns: Sequence[tuple[tuple[str, int], ...]],
    marked: Sequence[bool],
    shown: Callable[[int], int],
    text: Callable[[int, bool], str],
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
            (f" {fit(clean(name), LABEL)}", "muted"),
            *[
                Span(number(column.get(name, ""), _CELL), "own" if is_marked else "model")
                for column, is_marked in zip(cells, marked, strict=True)
            ],
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


def _sum_line(label: str, values: Sequence[str], table: _Table) -> Row:
    spans = [Span(number(text, _CELL), layer.side) for text, layer in zip(values, table.columns, strict=True)]
    return row((f" {label:<{LABEL}}", "strong"), *spans)


def _verdicts(layers: Sequence[LayerView], width: int) -> list[Row]:
    """Which rule had the last word on each layer, or which one forbade it; neighbours alike share a line."""
    rows: list[Row] = []
    for (side, text, is_missing), group in groupby(layers, _verdict):
        numbers = [layer.layer + 1 for layer in group]
        name = f"{side} {numbers[0]}" if len(numbers) == 1 else f"{side} {numbers[0]}–{numbers[-1]}"
        rows.append(labelled(name, text, width, "warn" if is_missing else ""))
        if is_missing:
            rows += _lift(text.removeprefix(_NOT_PLACED), width)
    return rows


def _verdict(layer: LayerView) -> tuple[str, str, bool]:
    if layer.size:
        return layer.side, f"binds: {layer.binding}", False
    return layer.side, f"{_NOT_PLACED}{layer.forbidden.replace('_', ' ')}", True


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
    return [labelled(label, text, width) for label, text in lines]


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
        self._order: OrderView | None = None

    def show(self, market: MarketView | None, order: OrderView | None = None) -> None:
        """Draw the reasons of a market's quotes; those of ``order``, which is one of its orders, first."""
        self._market, self._order = market, order
        self.update_rows()

    def all_rows(self, width: int) -> list[Row]:
        """See :func:`why_rows`."""
        return why_rows(self._market, width, self._order)

    def retitle(self) -> None:
        """Name the market, and say how much is out of sight."""
        name = f": {clean(self._market.title)}" if self._market else ""
        self.set_titles(f"Why this quote{name}", self.place() or "YES frame")
