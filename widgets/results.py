"""What the quotes of a market earn: markouts of its fills, liquidity rewards, and what its queue places cost."""

from collections.abc import Sequence
from typing import Final

from core.units import MICRO
from core.views import MarketView, MarkoutView, RewardView
from widgets.format import MINUS, NOTHING, clean, fit, number, short_shares, wrap_words
from widgets.line_widget import PagedLineWidget, Row, Span, message_rows, row

_LABEL: Final = 8
_WIDE_LABEL: Final = 11
_NARROWEST: Final = 17
"""Cells of a mean, its error and its count."""
_SURE: Final = 2.0
"""Standard errors from zero at which a mean counts as good or bad."""


def result_rows(market: MarketView | None, per_1000_of_all: float | None, width: int) -> list[Row]:
    """Markouts by side, layer and horizon; then rewards; rebates, cancels for each thousand filled shares."""
    if market is None:
        return message_rows(["no market selected"], 6)
    if not market.detailed:
        return [row((" on its way …", "muted"))]
    return [
        *_markout_rows(market.markouts, width),
        row(),
        *_adverse_rows(market.adverse_share, width),
        *_text_rows("rewards", _reward_words(market.rewards), width, _reward_role(market.rewards)),
        *_text_rows("rebates", f"about ${market.rebates_usd:,.2f} this session", width),
        *_text_rows("cancels", _cancel_words(market.cancels_per_1000, per_1000_of_all), width),
    ]


def _markout_rows(markouts: Sequence[MarkoutView], width: int) -> list[Row]:
    if not any(each.fills or each.pending for each in markouts):
        return [row((" no fills yet: nothing to measure", "muted"))]
    horizons = sorted({each.horizon_s for each in markouts})
    groups = dict.fromkeys((each.side, each.layer) for each in markouts)
    found = {(each.side, each.layer, each.horizon_s): each for each in markouts}
    fitting = horizons[: max(1, (width - _LABEL) // _NARROWEST)]
    cell = min(24, (width - _LABEL) // len(fitting))
    head = "".join(f"{f'after {_horizon(each)}':>{cell}}" for each in fitting)
    rows = [row((f" {'':<{_LABEL - 1}}{head}", "muted"))]
    for side, layer in groups:
        name = side if layer is None else f"{side} {layer + 1}"
        cells = [_markout_cell(found.get((side, layer, horizon)), cell) for horizon in fitting]
        rows.append(row((f" {name:<{_LABEL - 1}}", "strong" if layer is None else "muted"), *cells))
    waiting = max((each.pending for each in markouts if each.side == "all"), default=0)
    note = " mean ± standard error, fills" + (f"; {waiting} too young for the longest horizon" if waiting else "")
    return [*rows, row((fit(note, width).rstrip(), "muted"))]


def _markout_cell(markout: MarkoutView | None, cell: int) -> Span:
    count = number(short_shares(markout.fills * MICRO), 5) if markout else f"{0:>5}"
    if markout is None or markout.mean is None:
        return Span(f"{NOTHING:>{cell - 11}}{'':>6}{count}", "muted")
    error = f"±{100 * markout.error:.2f}" if markout.error is not None else "±?"
    mean = f"{100 * markout.mean:+.2f}".replace("-", MINUS)
    text = f"{number(mean, cell - 11)}{number(error, 6)}{count}"
    return Span(text, _markout_role(markout.mean, markout.error))


def _markout_role(mean: float, error: float | None) -> str:
    """Good or bad only when it is more than noise."""
    if error is None or abs(mean) <= _SURE * error:
        return ""
    return "good" if mean > 0 else "warn"


def _reward_words(rewards: RewardView | None) -> str:
    if rewards is None:
        return "no programme in this market"
    parts = [f"score {rewards.score:,.1f}, share at least {rewards.share:.1%}"]
    if rewards.pool_usd is not None and rewards.usd_per_day is not None:
        parts[0] += f" of ${rewards.pool_usd:,.2f} a day: ${rewards.usd_per_day:,.2f} a day"
    parts.append(f"of {rewards.expected} orders that should score the venue says yes to {rewards.scoring}")
    if rewards.denied:
        parts[-1] += f" and no to {rewards.denied}"
    if rewards.worth:
        named = [f"{side} {layer + 1} {_usd(reward)} {_usd(trading)}" for side, layer, reward, trading in rewards.worth]
        parts.append(f"a day each adds (rewards, trading): {', '.join(named)}")
    return "; ".join([*parts, rewards.note] if rewards.note else parts)


def _adverse_rows(share: float | None, width: int) -> list[Row]:
    if share is None:
        return []
    return _text_rows("adverse", f"{share:.0%} of our volume was followed by a tick or more against us", width)


def _reward_role(rewards: RewardView | None) -> str:
    return "warn" if rewards is not None and rewards.denied else ""


def _usd(dollars: float) -> str:
    return f"{dollars:+,.2f}".replace("-", MINUS)


def _cancel_words(market: float | None, everywhere: float | None) -> str:
    if everywhere is None:
        return "no fills yet"
    own = NOTHING if market is None else f"{market:,.0f}"
    return f"{own} per 1,000 filled shares; all markets {everywhere:,.0f}"


def _text_rows(label: str, text: str, width: int, role: str = "") -> list[Row]:
    lines = wrap_words(clean(text), width - _WIDE_LABEL - 2)
    return [
        row((f" {label if place == 0 else '':<{_WIDE_LABEL}}", "muted"), (line, role))
        for place, line in enumerate(lines)
    ]


def _horizon(seconds: float) -> str:
    return f"{seconds:g}s" if seconds < 120 else f"{seconds / 60:g}m"


class Results(PagedLineWidget):
    """Draws :func:`result_rows`, scrolled where the terminal is low."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._market: MarketView | None = None
        self._per_1000: float | None = None

    def show(self, market: MarketView | None, per_1000_of_all: float | None) -> None:
        """Draw what a market's quotes earn.

        Args:
            market: the market.
            per_1000_of_all: cancels for each thousand shares filled in all markets; None before the first fill.
        """
        self._market, self._per_1000 = market, per_1000_of_all
        self.update_rows()

    def all_rows(self, width: int) -> list[Row]:
        """See :func:`result_rows`."""
        return result_rows(self._market, self._per_1000, width)

    def retitle(self) -> None:
        """Name the market, and say how much is out of sight."""
        name = f": {clean(self._market.title)}" if self._market else ""
        self.set_titles(f"Markouts and rewards{name}", self.place() or "cents a share")
