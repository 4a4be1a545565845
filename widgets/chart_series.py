"""What the charts draw, as numbers: equity and drawdown over time, markouts by horizon, and their axes.

Pure: no Textual, no plotting library.
"""

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from core.units import MICRO, Usd
from core.views import MarketView
from widgets.format import MINUS, age

KEPT_SEC: Final = 6 * 3_600
HORIZONS: Final = (1.0, 5.0, 30.0, 300.0)
"""Seconds after a fill at which the markout curve has a point."""
_STEPS_SEC: Final = (5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200)
_FLATTEST_USD: Final = 0.02
"""Least height of a money axis: a flat line is not noise blown up."""
_FLATTEST_CENTS: Final = 0.02


class Axis(NamedTuple):
    """The range of an axis and its labels."""

    low: float
    high: float
    labels: dict[float, str]


class Curve(NamedTuple):
    """One line or one row of marks of a plot."""

    name: str
    """``equity``, ``drawdown``, ``bid`` or ``ask``: its style."""
    points: Sequence[tuple[float, float]]
    errors: Sequence[float] = ()
    """Half the length of each point's bar, NaN for none; () for a plain line."""
    mark: str = ""
    """One ASCII letter that stands at each point; "" for a plain line."""


class History:
    """Equity and drawdown of the last six hours, second by second: of each the lowest and the highest value."""

    def __init__(self) -> None:
        self._seconds: deque[int] = deque(maxlen=KEPT_SEC)
        self._lows: deque[int] = deque(maxlen=KEPT_SEC)
        self._highs: deque[int] = deque(maxlen=KEPT_SEC)
        self._deepest: deque[int] = deque(maxlen=KEPT_SEC)
        self.equity: int | None = None
        """The newest, micro-dollars; None before the first."""
        self.drawdown = 0
        """The newest, micro-dollars, 0 or more."""

    def __len__(self) -> int:
        return len(self._seconds)

    @property
    def span_s(self) -> float:
        """Seconds between the first and the last value."""
        return float(self._seconds[-1] - self._seconds[0]) if self._seconds else 0.0

    @property
    def deepest(self) -> int:
        """The largest drawdown kept, micro-dollars."""
        return max(self._deepest, default=0)

    def note(self, unix: float, equity: Usd, drawdown: Usd) -> None:
        """Remember the values of a moment; time that goes back counts as standing still."""
        second = int(unix)
        self.equity, self.drawdown = equity, drawdown
        if self._seconds and second <= self._seconds[-1]:
            self._lows[-1] = min(self._lows[-1], equity)
            self._highs[-1] = max(self._highs[-1], equity)
            self._deepest[-1] = max(self._deepest[-1], drawdown)
            return
        self._seconds.append(second)
        self._lows.append(equity)
        self._highs.append(equity)
        self._deepest.append(drawdown)

    def equity_curve(self, columns: int) -> list[tuple[float, float]]:
        """(seconds before the newest value as a negative number, dollars), at most two points a column.

        A column's points are its lowest and its highest value, so that no spike is lost.
        """
        lows, highs = list(self._lows), list(self._highs)
        points: list[tuple[float, float]] = []
        for start, end in self._columns(columns):
            low, high = min(lows[start:end]), max(highs[start:end])
            rises = lows.index(low, start, end) <= highs.index(high, start, end)
            first, second = (low, high) if rises else (high, low)
            points.append((self._ago(start), first / MICRO))
            if end - start > 1 or low != high:
                points.append((self._ago(end - 1), second / MICRO))
        return points

    def drawdown_curve(self, columns: int) -> list[tuple[float, float]]:
        """(seconds before the newest value as a negative number, dollars of 0 or less): the deepest of each column."""
        deepest = list(self._deepest)
        return [(self._ago(start), -max(deepest[start:end]) / MICRO) for start, end in self._columns(columns)]

    def _ago(self, place: int) -> float:
        return float(self._seconds[place] - self._seconds[-1])

    def _columns(self, columns: int) -> list[tuple[int, int]]:
        """Places (from, to) of the values of each column that has any; columns are equally long in time."""
        seconds = list(self._seconds)
        if not seconds:
            return []
        first, span = seconds[0], seconds[-1] - seconds[0] + 1
        bounds = [bisect_left(seconds, first + column * span / columns) for column in range(columns)]
        bounds.append(len(seconds))
        return [(start, end) for start, end in pairwise(bounds) if start < end]


# Markouts


def markout_curve(market: MarketView, side: Literal["bid", "ask"]) -> Curve:
    """Mean markout of a side, all layers together, in cents a share at place 0, 1, ... of :data:`HORIZONS`."""
    found = {each.horizon_s: each for each in market.markouts if each.side == side and each.layer is None}
    points, errors = [], []
    shift = -0.08 if side == "bid" else 0.08
    for place, horizon in enumerate(HORIZONS):
        each = found.get(horizon)
        if each is not None and each.mean is not None and math.isfinite(each.mean):
            points.append((place + shift, 100 * each.mean))
            errors.append(math.nan if each.error is None else 100 * each.error)
    return Curve(side, points, errors, side[0].upper())


def markout_fills(market: MarketView, side: Literal["bid", "ask"]) -> tuple[int, int]:
    """Fills of a side that are old enough for the first horizon, and those that are too young for the last."""
    rows = [each for each in market.markouts if each.side == side and each.layer is None]
    return max((each.fills for each in rows), default=0), max((each.pending for each in rows), default=0)


# Axes


def dollar_axis(low: float, high: float, most: int) -> Axis:
    """An axis of money with at most ``most`` labels to whole steps of 1, 2 or 5; low and high are dollars."""
    return _value_axis(low, high, most, _FLATTEST_USD, _dollars)


def cent_axis(curves: Sequence[Curve], most: int) -> Axis:
    """An axis of cents that holds zero and every point with its error bar."""
    edges = [0.0]
    for curve in curves:
        for (_, cents), error in zip(curve.points, curve.errors, strict=True):
            reach = error if math.isfinite(error) else 0.0
            edges += [cents - reach, cents + reach]
    return _value_axis(min(edges), max(edges), most, _FLATTEST_CENTS, _cents)


def horizon_axis() -> Axis:
    """An axis with one place for each horizon."""
    return Axis(-0.5, len(HORIZONS) - 0.5, {float(place): age(horizon) for place, horizon in enumerate(HORIZONS)})


def age_axis(span_s: float, most: int) -> Axis:
    """An axis of time that ends now, with at most ``most`` labels."""
    span = max(1.0, span_s)
    step = next((step for step in _STEPS_SEC if span / step <= max(1, most - 1)), _STEPS_SEC[-1])
    labels = {float(-ago): f"{MINUS}{_length(ago)}" for ago in range(step, int(span) + 1, step)}
    return Axis(-span, 0.0, {**labels, 0.0: "now"})


def _length(seconds: int) -> str:
    """A length of time exactly: ``"30s"``, ``"1m30"``, ``"2m"``, ``"1h30"``."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}" if minutes else f"{hours}h"
    if minutes:
        return f"{minutes}m{rest:02d}" if rest else f"{minutes}m"
    return f"{rest}s"


class _Words:
    """How a value is written on an axis, given the decimals of its step; ``least`` is how many any fraction has."""

    def __init__(self, before: str, after: str, least: int) -> None:
        self._before = before
        self._after = after
        self._least = least

    def __call__(self, value: float, decimals: int) -> str:
        decimals = max(decimals, self._least) if decimals else 0
        sign = MINUS if round(value, decimals) < 0 else ""
        return f"{sign}{self._before}{abs(value):,.{decimals}f}{self._after}"


_dollars: Final = _Words("$", "", 2)
_cents: Final = _Words("", "c", 1)


def _value_axis(low: float, high: float, most: int, flattest: float, words: _Words) -> Axis:
    if high - low < flattest:
        middle = (low + high) / 2
        low, high = (
            (low, low + flattest)
            if low == 0
            else (high - flattest, high)
            if high == 0
            else (middle - flattest / 2, middle + flattest / 2)
        )
    margin = 0.05 * (high - low)
    bottom, top = low if low == 0 else low - margin, high if high == 0 else high + margin
    step = _step((top - bottom) / max(1, most))
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    first = math.ceil(bottom / step - 1e-9)
    ticks = [round(place * step, 9) + 0.0 for place in range(first, math.floor(top / step + 1e-9) + 1)]
    return Axis(bottom, top, {tick: words(tick, decimals) for tick in ticks})


def _step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, ... that is not below ``least``."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
