"""Layouts by size, the pace of drawing, and noticing silence."""

import pytest

from polymm_tui.screens.layout import layout_for, shown_panes
from polymm_tui.screens.pacing import EngineWatch, FrameClock, Pace


@pytest.mark.parametrize(
    ("size", "layout"),
    [
        ((80, 24), "compact"),
        ((70, 16), "compact"),
        ((69, 40), "tiny"),
        ((200, 15), "tiny"),
        ((120, 36), "normal"),
        ((120, 31), "compact"),
        ((200, 60), "wide"),
        ((200, 40), "normal"),
    ],
)
def test_the_layout_follows_the_size(size, layout):
    assert layout_for(*size) == layout


def test_a_zoomed_pane_stands_alone():
    assert shown_panes("wide", "orders") == {"orders"}
    assert shown_panes("tiny", "orders") == frozenset()


def test_everything_is_on_the_widest_page():
    assert shown_panes("wide", None) == {
        "markets", "ladder", "second", "orders", "chart", "events", "money",
    }  # fmt: skip


def test_a_pace_lets_a_new_view_through_once_a_period():
    pace = Pace(0.5)
    assert pace.due(10.0, 1)
    assert not pace.due(10.1, 2)
    assert pace.due(10.5, 2)
    assert not pace.due(11.5, 2)


def test_steady_cheap_frames_are_all_drawn():
    clock = FrameClock(10)
    assert all(clock.tick(number * 0.1, number * 0.01) for number in range(40))
    assert clock.words == ""


def test_dear_frames_halve_the_rate_until_they_are_cheap_again():
    clock = FrameClock(10)
    for number in range(20):
        clock.tick(number * 0.1, number * 0.09)
    assert clock.words == "UI busy 90%, half rate"
    drawn = [clock.tick(2.0 + number * 0.1, 1.8 + number * 0.09) for number in range(10)]
    assert sum(drawn) == 5
    for number in range(20):
        clock.tick(3.0 + number * 0.1, 2.7)
    assert clock.words == ""


def test_a_late_frame_says_how_late_for_a_while():
    clock = FrameClock(10)
    clock.tick(0.0, 0.0)
    clock.tick(1.6, 0.0)
    assert clock.words == "UI behind 1.5s"
    clock.tick(1.7, 0.0)
    assert clock.words == "UI behind 1.5s"
    for number in range(40):
        clock.tick(1.8 + number * 0.1, 0.0)
    assert clock.words == ""


def test_engine_silence_grows_while_its_time_stands_still():
    watch = EngineWatch()
    assert watch.silent_s(100.0, 5.0) == 0.0
    assert watch.silent_s(103.0, 5.0) == 3.0
    assert watch.silent_s(104.0, 5.1) == 0.0
