"""The charts: no spike is lost, axes are true, states are said in words, and nothing is loaded before it is shown."""

import math
import os
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.units import MICRO
from core.views import ConsoleView
from polymm_tui.themes import THEME_NAMES
from tests.widgets.harness import WidgetApp, pictures, screen_text
from tests.widgets.view_builders import a_market, a_reasoned_market, a_view, shares, usd
from widgets import plot as plot_module
from widgets.chart_series import (
    HORIZONS,
    KEPT_SEC,
    Curve,
    History,
    age_axis,
    cent_axis,
    dollar_axis,
    horizon_axis,
    markout_curve,
)
from widgets.charts import Charts

ROOT = Path(__file__).resolve().parents[2]
UNIX = a_view().unix


def a_history(values: list[float], first: int = 0) -> History:
    """One value a second, with the drawdown from its own highest."""
    history = History()
    highest = -math.inf
    for second, value in enumerate(values):
        highest = max(highest, value)
        history.note(first + second, usd(value), usd(highest - value))
    return history


def a_story(seconds: int = 600) -> list[ConsoleView]:
    """Views of a slow rise with one fall of two dollars for three seconds."""
    dice, base, equity, highest = random.Random(4), a_view(), 50_000.0, 50_000.0
    views = []
    for second in range(seconds):
        equity += dice.gauss(0.003, 0.05)
        shown = equity - (2.0 if seconds // 2 <= second < seconds // 2 + 3 else 0.0)
        highest = max(highest, shown)
        account = msgspec.structs.replace(base.account, drawdown=usd(highest - shown))
        views.append(msgspec.structs.replace(base, seq=second, unix=UNIX + second, equity=usd(shown), account=account))
    return views


# Series


@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=400),
    st.integers(1, 60),
    st.integers(0, 3),
)
def test_every_column_keeps_its_lowest_and_highest_value(values, columns, pause):
    """A loss of one second is seen in a chart of six hours."""
    history = History()
    for place, value in enumerate(values):
        history.note(place * (1 + pause), usd(value / MICRO), usd(0))
    curve = history.equity_curve(columns)
    dollars = [value for _, value in curve]
    assert max(dollars) == max(values) / MICRO and min(dollars) == min(values) / MICRO
    assert len(curve) <= 2 * columns
    seconds = [second for second, _ in curve]
    assert seconds == sorted(seconds) and seconds[-1] <= 0.0
    assert len(values) == 1 or seconds[0] == -history.span_s


def test_a_spike_within_one_second_is_kept():
    """Views come ten times a second; what the chart keeps is a second's lowest and highest."""
    history = a_history([10.0, 10.0])
    history.note(1.4, usd(3.0), usd(7.0))
    history.note(1.9, usd(10.0), usd(0.0))
    assert min(value for _, value in history.equity_curve(40)) == 3.0
    assert history.deepest == usd(7.0) and history.equity == usd(10.0)


def test_six_hours_are_kept_and_no_more():
    history = a_history([1.0] * (KEPT_SEC + 50))
    assert len(history) == KEPT_SEC and history.span_s == KEPT_SEC - 1


def test_a_clock_that_goes_back_loses_nothing():
    history = a_history([1.0, 2.0, 3.0], first=100)
    history.note(50.0, usd(9.0), usd(0.0))
    assert history.span_s == 2.0 and max(value for _, value in history.equity_curve(10)) == 9.0


def test_the_drawdown_hangs_below_zero():
    curve = a_history([5.0, 4.0, 6.0, 3.5]).drawdown_curve(10)
    assert [value for _, value in curve] == [0.0, -1.0, 0.0, -2.5]


def test_markouts_are_of_all_layers_in_cents_with_their_error():
    bid = markout_curve(a_reasoned_market(), "bid")
    assert [round(cents, 9) for _, cents in bid.points] == [0.14, 0.08, 0.02, -0.04]
    assert [round(error, 9) for error in bid.errors] == [0.04] * 4 and bid.mark == "B"
    ask = markout_curve(a_reasoned_market(), "ask")
    assert ask.mark == "A" and all(b[0] < a[0] for b, a in zip(bid.points, ask.points, strict=True))


# Axes


@given(st.floats(-1e9, 1e9), st.floats(0, 1e9), st.integers(3, 30))
def test_a_money_axis_holds_its_values_and_has_a_few_distinct_labels(low, height, most):
    axis = dollar_axis(low, low + height, most)
    assert axis.low <= low and low + height <= axis.high and axis.low < axis.high
    assert 1 <= len(axis.labels) <= most + 1
    assert len(set(axis.labels.values())) == len(axis.labels)
    assert all(axis.low <= tick <= axis.high for tick in axis.labels)
    assert all("-" not in label for label in axis.labels.values()), "the minus is a true one"


@given(st.floats(0, KEPT_SEC), st.integers(4, 20))
def test_a_time_axis_ends_now(span, most):
    axis = age_axis(span, most)
    assert axis.high == 0.0 and axis.labels[0.0] == "now" and axis.low <= -span
    assert len(set(axis.labels.values())) == len(axis.labels) <= most


def test_labels_are_dollars_cents_and_lengths_of_time():
    assert list(dollar_axis(50_000.0, 50_010.0, 3).labels.values()) == ["$50,000", "$50,005", "$50,010"]
    assert list(dollar_axis(-1.0, 0.0, 3).labels.values()) == ["−$1.00", "−$0.50", "$0.00"]
    assert list(cent_axis([Curve("bid", [(0, 0.2)], [0.1], "B")], 3).labels.values()) == ["0.0c", "0.2c"]
    assert list(age_axis(100.0, 5).labels.values()) == ["−30s", "−1m", "−1m30", "now"]
    assert list(horizon_axis().labels.values()) == ["1s", "5s", "30s", "5m"] and len(HORIZONS) == 4


def test_a_cent_axis_holds_zero_and_every_bar():
    axis = cent_axis([Curve("bid", [(0, 0.2), (1, 0.3)], [0.1, math.nan], "B")], 4)
    assert axis.low <= 0.0 and axis.high >= 0.3


# The pane


async def shown_by(views, market, size=(80, 22), theme=THEME_NAMES[0]):
    """The text of the pane after these views."""
    charts = Charts()

    def show():
        for view in views:
            charts.note(view)
        charts.show(views[-1], market)

    app = WidgetApp(charts, show, theme)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        return screen_text(app)


async def settled(pilot):
    """Wait until the plots are made and drawn."""
    for _ in range(8):
        await pilot.pause()


@pytest.mark.parametrize("size", [(80, 20), (120, 32), (200, 56)])
async def test_three_charts_with_their_figures(size):
    text = await shown_by(a_story(), a_reasoned_market(), size)
    assert "Equity at bids $50,0" in text and "since the console started, 9m" in text
    assert "Drawdown" in text and "deepest −$2." in text and "since then" in text
    assert "Markout in cents ± error · B bid 30 · A ask 12 fills" in text
    for label in ("now", "m ", "1s", "30s", "5m", " 0.0"):
        assert label in text
    assert "·" in text and sum(line.count("B") for line in text.splitlines()) >= 5


async def test_error_bars_are_drawn_where_there_is_room():
    text = await shown_by(a_story(), a_reasoned_market(), (120, 34))
    assert text.count("╷") >= 4 and text.count("│") >= 16


@pytest.mark.parametrize(
    ("views", "market", "words"),
    [
        ([msgspec.structs.replace(a_view(), equity=usd(0))], None, "the account is not known yet"),
        ([a_view()], None, "the lines begin with the next value"),
        (a_story(3), None, "no market selected"),
        (a_story(3), a_market(detailed=False), "on its way …"),
        (a_story(3), a_market(detailed=True, markouts=()), "no fills yet"),
    ],
    ids=["unknown", "one value", "no market", "no details", "no fills"],
)
async def test_a_state_without_data_is_said_in_words(views, market, words):
    assert words in await shown_by(views, market)


async def test_fills_that_are_too_young_are_counted():
    market = a_reasoned_market()
    young = tuple(
        msgspec.structs.replace(each, fills=0, mean=None, error=None, pending=3, shares=shares(0))
        for each in market.markouts
    )
    text = await shown_by(a_story(3), msgspec.structs.replace(market, markouts=young))
    assert "6 fills, all too young to be measured" in text


async def test_a_mean_without_an_error_has_a_mark_and_no_bar():
    market = a_reasoned_market()
    few = tuple(msgspec.structs.replace(each, error=None) for each in market.markouts)
    text = await shown_by(a_story(3), msgspec.structs.replace(market, markouts=few), (120, 34))
    assert "╷" not in text and text.count("B") >= 5


async def test_a_drawing_a_second_at_most_and_at_once_for_another_market(monkeypatch):
    """A frame clock of ten a second must not make ten drawings; a selection must not wait for one."""
    drawn = []
    monkeypatch.setattr(plot_module.Plot, "draw", lambda plot, curves, *axes: drawn.append(curves[0].name))
    charts, views = Charts(), a_story(20)
    app = WidgetApp(charts, lambda: charts.show(views[0], None))
    async with app.run_test(size=(80, 22)) as pilot:
        for view in views[:10]:
            charts.note(view)
        charts.show(views[9], a_reasoned_market())
        await settled(pilot)
        drawn.clear()
        for tenth in range(9):
            view = msgspec.structs.replace(views[9], unix=views[9].unix + tenth / 10)
            charts.note(view)
            charts.show(view, a_reasoned_market())
        assert drawn == []
        charts.note(views[10])
        charts.show(views[10], a_reasoned_market())
        assert drawn == ["equity", "drawdown"], "the markouts have not changed"
        earned = tuple(msgspec.structs.replace(each, mean=0.01) for each in a_reasoned_market().markouts)
        other = msgspec.structs.replace(a_reasoned_market(), market="0xother", markouts=earned)
        charts.show(views[10], other)
        assert drawn[2:] == ["bid"]


async def test_a_new_low_is_drawn_at_once_however_long_the_time_shown(monkeypatch):
    """Over hours a drawing comes every few seconds; a fall out of the picture does not wait for it."""
    drawn = []
    monkeypatch.setattr(plot_module.Plot, "draw", lambda plot, curves, *axes: drawn.append(curves[0].name))
    charts, views = Charts(), a_story(3_000)
    app = WidgetApp(charts, lambda: charts.show(views[0], None))
    async with app.run_test(size=(80, 22)) as pilot:
        for view in views[:2_900]:
            charts.note(view)
        charts.show(views[2_899], None)
        await settled(pilot)
        drawn.clear()
        charts.note(views[2_901])
        charts.show(views[2_901], None)
        assert drawn == []
        fallen = msgspec.structs.replace(views[2_902], equity=usd(49_000))
        charts.note(fallen)
        charts.show(fallen, None)
        assert drawn == ["equity", "drawdown"]


async def test_another_theme_colours_what_is_on_show():
    charts, views = Charts(), a_story(60)

    def show():
        for view in views:
            charts.note(view)
        charts.show(views[-1], a_reasoned_market())

    app = WidgetApp(charts, show)
    async with app.run_test(size=(80, 22)) as pilot:
        await settled(pilot)
        seen = {}
        for theme in THEME_NAMES:
            app.theme = theme
            await settled(pilot)
            strips = app.screen._compositor.render_strips()
            seen[theme] = {segment.style.color.name for strip in strips for segment in strip if "B" in segment.text}
        wanted = {theme: app.available_themes[theme].variables["bid"] for theme in seen}
        assert {theme for theme in seen if wanted[theme] not in seen[theme]} == set(), (wanted, seen)


async def test_a_font_without_braille_gets_half_blocks(monkeypatch):
    monkeypatch.setattr(plot_module, "has_braille", lambda: False)
    text = await shown_by(a_story(), a_reasoned_market(), (80, 22))
    assert not any("\u2800" <= letter <= "\u28ff" for letter in text)
    assert "▀" in text or "▄" in text


@pytest.mark.parametrize(
    ("encoding", "term", "expected"),
    [("utf-8", "xterm", True), ("UTF8", "screen", True), ("utf-8", "linux", False), ("iso8859-1", "xterm", False)],
)
def test_when_braille_may_be_expected(monkeypatch, encoding, term, expected):
    class Out:
        pass

    out = Out()
    out.encoding = encoding
    monkeypatch.setattr(sys, "__stdout__", out)
    monkeypatch.setenv("TERM", term)
    assert plot_module.has_braille() is expected


async def test_no_key_and_no_mouse_of_the_library_does_anything():
    """It would zoom on plus, reset on `r` and pan on the arrows: keys that mean something else here."""
    assert not plot_module.Plot.can_focus
    charts, views = Charts(), a_story(60)

    def show():
        for view in views:
            charts.note(view)
        charts.show(views[-1], a_reasoned_market())

    async with WidgetApp(charts, show).run_test(size=(80, 22)) as pilot:
        await settled(pilot)
        before = screen_text(pilot.app)
        for plot in pilot.app.query(plot_module.Plot):
            assert not plot._bindings.key_to_bindings
            await pilot.hover(plot)
            await pilot._post_mouse_events([__import__("textual.events").events.MouseScrollDown], plot, (9, 2))
        await pilot.press("plus", "r", "up", "left")
        await settled(pilot)
        assert screen_text(pilot.app) == before


LOADED = """
import sys
import polymm_tui.app, widgets.charts
print(sorted(name for name in ("numpy", "textual_plot", "textual_hires_canvas") if name in sys.modules))
"""


def test_the_library_is_not_loaded_with_the_console():
    """First content within 0.8 s: numpy alone takes a tenth of that, and most consoles never show a chart."""
    told = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, timeout=60, check=True,
    )  # fmt: skip
    assert told.stdout.strip() == "[]"


@pictures
@pytest.mark.parametrize("size", [(80, 22), (120, 34)], ids=["80", "120"])
def test_picture(snap_compare, size):
    charts, views = Charts(), a_story()

    def show():
        for view in views:
            charts.note(view)
        charts.show(views[-1], a_reasoned_market())

    assert snap_compare(WidgetApp(charts, show), terminal_size=size, run_before=settled)


@pictures
def test_picture_of_no_data(snap_compare):
    charts = Charts()
    app = WidgetApp(charts, lambda: charts.show(msgspec.structs.replace(a_view(), equity=usd(0)), None))
    assert snap_compare(app, terminal_size=(80, 22), run_before=settled)
