"""The plotting widget in our words and colours. The only module that imports the library: load it when a plot is shown.

The library draws what it is given; keys, mouse and legend of its own are off.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import ClassVar, Final

from textual.app import RenderResult
from textual_hires_canvas import Canvas
from textual_plot import AxisFormatter, HiResMode, PlotWidget

from widgets.chart_series import Axis, Curve

NAMES: Final = ("equity", "drawdown", "bid", "ask", "zero")
"""Of curves, and of the line at zero: each has a style."""
MARGIN: Final = 11
"""Cells left of a plot: the same for all as long as their labels fit, so that one time stands below another."""
_COARSE_TERMS: Final = ("linux", "dumb", "vt100", "vt220")
"""Terminals whose fonts have no braille."""


def has_braille() -> bool:
    """Whether the terminal can be expected to show braille: UTF-8, and no console font."""
    encoding = getattr(sys.__stdout__, "encoding", None) or ""
    return encoding.lower().replace("-", "") == "utf8" and os.environ.get("TERM", "") not in _COARSE_TERMS


class _Labels(AxisFormatter):
    """Labels that were made for exactly these ticks."""

    def __init__(self, labels: dict[float, str]) -> None:
        self._labels = labels

    def get_ticks(self, min_: float, max_: float, max_ticks: int = 8) -> list[float]:
        """All of them."""
        return list(self._labels)

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        """Their texts."""
        return [self._labels[tick] for tick in ticks]


class Plot(PlotWidget, can_focus=False, inherit_bindings=False):
    """Draws curves between two axes, with a dotted line at zero."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"plot--{name}" for name in NAMES}

    DEFAULT_CSS = """
    Plot {
        background: $surface;
        & > .plot--axis { color: $line; text-style: none; }
        & > .plot--tick { color: $muted; text-style: none; }
        & > .plot--label { color: $muted; text-style: none; }
        & > .plot--zero { color: $muted; }
        & > .plot--equity { color: $good; text-style: $good-style; }
        & > .plot--drawdown { color: $warn; text-style: none; }
        & > .plot--bid { color: $bid; text-style: $bid-style; }
        & > .plot--ask { color: $ask; text-style: $ask-style; }
    }
    """

    _drawn: tuple[Sequence[Curve], Axis, Axis] | None = None
    _looks: tuple[str, ...] = ()
    """Styles it was drawn with."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, allow_pan_and_zoom=False)
        self._mode = HiResMode.BRAILLE if has_braille() else HiResMode.HALFBLOCK

    def on_mount(self) -> None:
        """Leave no room for labels that are not there."""
        self.margin_top, self.margin_bottom, self.margin_left = 0, 1, MARGIN

    def render(self) -> RenderResult:
        """Draw on the canvases; each is painted once, not once for every pixel."""
        with ExitStack() as at_once:
            for canvas in self.query(Canvas):
                at_once.enter_context(canvas.batch_refresh())
            return super().render()

    def draw(self, curves: Sequence[Curve], across: Axis, up: Axis) -> None:
        """Draw these curves in place of what is on show."""
        self._drawn, self._looks = (curves, across, up), self._looks_now()
        margin = max([MARGIN, *(len(label) + 2 for label in up.labels.values())])
        if margin != self.margin_left:
            self.margin_left = margin
            self.refresh(layout=True)  # else its canvas keeps the old width
        self.clear()
        self.set_xlimits(across.low, across.high)
        self.set_ylimits(up.low, up.high)
        for axis, set_ticks, set_formatter in (
            (across, self.set_xticks, self.set_x_formatter),
            (up, self.set_yticks, self.set_y_formatter),
        ):
            set_ticks(list(axis.labels))
            set_formatter(_Labels(axis.labels))
        if up.low <= 0.0 <= up.high:
            self._dots(across)
        for curve in curves:
            self._curve(curve)

    def notify_style_update(self) -> None:
        """Another theme: the styles of the curves are texts, made anew."""
        super().notify_style_update()
        if self.is_mounted:
            self.call_after_refresh(self._draw_again)

    def _draw_again(self) -> None:
        if self._drawn is not None and self._looks != self._looks_now():
            self.draw(*self._drawn)

    def _looks_now(self) -> tuple[str, ...]:
        return tuple(self._look(name) for name in NAMES)

    def _dots(self, across: Axis) -> None:
        cells = max(1, self.size.width - self.margin_left - 2)
        places = [across.low + (across.high - across.low) * (cell + 0.5) / cells for cell in range(0, cells, 2)]
        self.scatter(places, [0.0] * len(places), marker="·", marker_style=self._look("zero"))

    def _curve(self, curve: Curve) -> None:
        if not curve.points:
            return
        x, y = zip(*curve.points, strict=True)
        if len(curve.points) > 1:
            self.plot(x, y, line_style=self._look(curve.name), hires_mode=self._mode)
        if curve.errors:
            self.errorbar(x, y, yerr=list(curve.errors), marker=curve.mark, marker_style=self._look(curve.name))

    def _look(self, name: str) -> str:
        return str(self.get_component_rich_style(f"plot--{name}", partial=True))
