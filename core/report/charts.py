"""Charts of a report as SVG text, by matplotlib: no script, no outside reference, legible on light and on dark ground.

Lines, ticks and words take the colour of the text around them.
"""

import io
import re
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from core.errors import UsageError
from core.report.figures import Report
from core.report.tables import name_of
from core.units import MICRO

_INK: Final = "#010203"
"""Stands for the colour of the text, which takes its place in the SVG."""
GAIN, LOSS, LINE = "#2f9e6e", "#d1603d", "#4a8fd4"
_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.parse_math": False,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": _INK,
    "grid.alpha": 0.15,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}
_MOST_MARKETS: Final = 12
_LONGEST_NAME: Final = 34
_BELOW, _ABOVE = 0.5, 0.3
"""Room for words, inches."""
_LEAST_DAYS: Final = 7
"""Room for so many bars at least, so that few are no walls."""


def charts(report: Report) -> dict[str, str]:
    """SVG by the name that a section gives its chart; one that has nothing to show is missing.

    Raises:
        UsageError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("--html needs matplotlib: install polymm-tui[report]") from None
    drawn: dict[str, str] = {}
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that its own font lacks: the page's font has them
        for name, draw, height, left in (
            ("equity", _equity, 2.6, 0.11),
            ("days", _days, 2.2, 0.11),
            ("markets", _markets, 2.8, 0.3),
            ("markouts", _markouts, 2.4, 0.11),
        ):
            mpl.rcParams["svg.hashsalt"] = name
            figure = Figure(figsize=(8.0, height))
            figure.subplots_adjust(left, _BELOW / height, 0.98, 1 - _ABOVE / height)
            if draw(figure.add_subplot(), report):
                drawn[name] = _svg(figure, name)
    return drawn


def _equity(axes: Any, report: Report) -> bool:
    from matplotlib import dates

    points = report.points
    if len(points) < 2:
        return False
    times = [datetime.fromtimestamp(point.unix, UTC) for point in points]
    axes.plot(times, [point.profit_micro_usd / MICRO for point in points], color=LINE, linewidth=1.4)
    locator: Any = dates.AutoDateLocator  # has no types
    formatter: Any = dates.ConciseDateFormatter
    axes.xaxis.set_major_locator(ticks := locator())
    axes.xaxis.set_major_formatter(formatter(ticks))
    axes.set_ylabel("dollars")
    axes.set_title("Equity less all flows: profit of all time", fontsize=10, loc="left")
    axes.grid(axis="y")
    return True


def _days(axes: Any, report: Report) -> bool:
    if len(report.by_day) < 2:
        return False
    values = [day.parts.total_micro_usd / MICRO for day in report.by_day]
    axes.bar(range(len(values)), values, color=_colours(values), width=0.75)
    shown = range(0, len(values), max(1, len(values) // 10))
    axes.set_xticks(list(shown), [report.by_day[n].day[5:] for n in shown])
    axes.set_xlim(-0.6, max(_LEAST_DAYS, len(values)) - 0.4)
    axes.axhline(0, color=_INK, linewidth=0.6)
    axes.set_ylabel("dollars")
    axes.set_title("Profit by day (UTC)", fontsize=10, loc="left")
    axes.grid(axis="y")
    return True


def _markets(axes: Any, report: Report) -> bool:
    most = sorted(report.by_market, key=lambda one: -abs(one.parts.total_micro_usd))[:_MOST_MARKETS]
    if len(most) < 2:
        return False
    chosen = sorted(most, key=lambda one: one.parts.total_micro_usd)
    values = [one.parts.total_micro_usd / MICRO for one in chosen]
    axes.barh(range(len(values)), values, color=_colours(values), height=0.7)
    axes.set_yticks(range(len(values)), [_short(name_of(one.market, one.title)) for one in chosen])
    axes.axvline(0, color=_INK, linewidth=0.6)
    axes.set_xlabel("dollars")
    more = "" if len(report.by_market) <= _MOST_MARKETS else f", the {_MOST_MARKETS} with the largest amounts"
    axes.set_title(f"Profit by market{more}", fontsize=10, loc="left")
    axes.grid(axis="x")
    return True


def _markouts(axes: Any, report: Report) -> bool:
    drawn = False
    for offset, (side, colour, label) in enumerate((("", LINE, "all"), ("bid", GAIN, "bids"), ("ask", LOSS, "asks"))):
        rows = [
            one
            for one in report.markouts
            if not one.market and one.layer is None and one.side == side and one.markout_micro_usd is not None
        ]
        if rows:
            drawn = True
            horizons = sorted({one.horizon_s for one in report.markouts})
            at = [horizons.index(one.horizon_s) + 0.12 * (offset - 1) for one in rows]
            cents = [(one.markout_micro_usd or 0.0) * 100 / MICRO for one in rows]
            errors = [(one.markout_error_micro_usd or 0.0) * 100 / MICRO for one in rows]
            axes.errorbar(at, cents, yerr=errors, fmt="o", color=colour, label=label, markersize=4, capsize=3)
            axes.set_xticks(range(len(horizons)), [f"{horizon:g} s" for horizon in horizons])
    if drawn:
        axes.axhline(0, color=_INK, linewidth=0.6)
        axes.set_ylabel("cents a share")
        axes.set_title("Markouts with standard errors", fontsize=10, loc="left")
        axes.legend(frameon=False, ncols=3, loc="best")
        axes.grid(axis="y")
    return drawn


def _colours(values: Sequence[float]) -> list[str]:
    return [GAIN if value >= 0 else LOSS for value in values]


def _short(name: str) -> str:
    kept = " ".join("".join(char for char in name if char.isprintable()).split())
    return kept if len(kept) <= _LONGEST_NAME else f"{kept[: _LONGEST_NAME - 2]}.."


def _svg(figure: Any, name: str) -> str:
    """The drawing as an element for a page: names of its own, no prolog, no metadata."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", svg)
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*"', r'<svg \1width="100%"', svg, count=1)
    svg = re.sub(r'(<svg [^>]*?) height="[^"]*"', r"\1", svg, count=1)
    return svg.replace(_INK, "currentColor").rstrip()
