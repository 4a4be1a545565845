"""Equity over time as columns of eighth blocks, which every font has."""

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from core.units import Usd
from widgets.format import age, usd
from widgets.line_widget import LineWidget, Row, message_rows, row

_KEPT: Final = 3_600
_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_LABEL: Final = 13


def chart_rows(points: Sequence[tuple[float, int]], width: int, height: int) -> list[Row]:
    """Columns from the oldest point on the left to the newest on the right, with the extremes as labels.

    A column that stands for several points shows the lowest of them, so that no loss is averaged away.

    Args:
        points: (seconds, micro-dollars), oldest first.
        width: cells.
        height: lines.
    """
    if len(points) < 2:
        return message_rows(["the line begins with the second value"], height)
    lines, columns = height - 1, max(1, width - _LABEL)
    values = _columns([value for _, value in points], columns)
    low, high = min(values), max(values)
    eighths = [_level(value, low, high, lines) for value in values]
    labels = {lines - 1: usd(low), lines // 2: usd((low + high) // 2), 0: usd(high)}
    rows = [
        row(
            (f"{labels.get(y, ''):>{_LABEL - 1}} ", "muted"),
            ("".join(_EIGHTHS[max(0, min(8, level - 8 * (lines - 1 - y)))] for level in eighths), "area"),
        )
        for y in range(lines)
    ]
    return [*rows, row((f"{'':{_LABEL}}from {age(points[-1][0] - points[0][0])} ago", "muted"))]


def _columns(values: Sequence[int], columns: int) -> list[int]:
    if len(values) <= columns:
        return list(values)
    bounds = [column * len(values) // columns for column in range(columns + 1)]
    return [min(values[start:end]) for start, end in pairwise(bounds)]


def _level(value: int, low: int, high: int, lines: int) -> int:
    """Eighths of a line that a value fills; the lowest keeps one, so that it is seen."""
    if high == low:
        return 4 * lines
    return 1 + (value - low) * (8 * lines - 1) // (high - low)


class Chart(LineWidget):
    """Draws :func:`chart_rows` over what it was told since the console started, at most an hour at one a second."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._points: deque[tuple[float, int]] = deque(maxlen=_KEPT)
        self.set_titles("Equity at bids", "since the console started")

    def note(self, unix: float, equity: Usd) -> None:
        """Remember a value; a second one for the same second replaces the first."""
        if self._points and int(self._points[-1][0]) == int(unix):
            self._points[-1] = (unix, equity)
        else:
            self._points.append((unix, equity))

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`chart_rows`."""
        return chart_rows(self._points, width, height)
