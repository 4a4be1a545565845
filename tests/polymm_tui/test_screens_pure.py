"""Layouts by size, the pace of drawing, and noticing silence."""

from dataclasses import replace

import msgspec
import pytest

from core.views import ControlView, KillView
from polymm_tui.console.frames import Rhythm
from polymm_tui.screens.aim import MOVED_FOR_S, Aim, AimWatch
from polymm_tui.screens.layout import PANES, TABS, is_on_page, layout_for, shown_panes, tabs_of
from polymm_tui.screens.pacing import ByteBudget, EngineWatch, FrameClock, Pace
from polymm_tui.screens.standing import standing_words
from tests.widgets.view_builders import a_view


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


def test_a_pane_that_has_the_whole_page_stands_alone():
    assert shown_panes("wide", "why", "orders") == {"why"}
    assert shown_panes("tiny", "why", "orders") == frozenset()


def test_what_stands_on_the_page():
    assert shown_panes("normal", None, "tape") == {"markets", "ladder", "money", "tabs", "tape"}
    assert shown_panes("wide", None, "orders") == {
        "markets", "ladder", "second", "money", "tabs", "orders", "log", "chart",
    }  # fmt: skip


def test_every_pane_has_a_place_beside_others_or_the_whole_page():
    assert {name for name in PANES if is_on_page("normal", name)} == {"markets", "ladder", "money", *TABS}
    assert tabs_of("normal") == TABS
    assert tabs_of("wide") == tuple(name for name in TABS if name != "log"), "the log is open there"
    assert tabs_of("compact") == tabs_of("tiny") == ()
    assert not [name for name in PANES if is_on_page("compact", name)]


FED = Aim(market="fed", place=0, order="0x1", alarm="unknown:0x1")


@pytest.mark.parametrize(
    ("later", "groups"),
    [
        (replace(FED), set()),
        (replace(FED, market="rain"), {"market", "order"}),
        (replace(FED, place=3), {"market", "order"}),
        (replace(FED, place=None), set()),
        (replace(FED, order="0x2"), {"order"}),
        (replace(FED, order=""), set()),
        (replace(FED, alarm="other"), {"alarm"}),
        (replace(FED, alarm=""), set()),
    ],
    ids=["nothing", "market", "row", "table hidden", "order", "order gone", "alarm", "alarm gone"],
)
def test_what_moves_by_itself_holds_up_the_acts_that_aim_at_it(later, groups):
    watch = AimWatch()
    watch.chosen(FED)
    watch.seen(later, 10.0)
    assert {group for group in ("market", "order", "alarm", "all", "app") if watch.moved_lately(10.2, group)} == groups
    assert not [group for group in ("market", "order", "alarm") if watch.moved_lately(10.0 + MOVED_FOR_S, group)]


def test_what_the_operator_chose_has_not_moved():
    watch = AimWatch()
    watch.seen(FED, 9.0)
    watch.chosen(replace(FED, market="rain", order="0x2", alarm="other"))
    watch.seen(replace(FED, market="rain", order="0x2", alarm="other"), 10.0)
    assert not [group for group in ("market", "order", "alarm") if watch.moved_lately(10.0, group)]


def test_the_first_selection_is_no_move():
    watch = AimWatch()
    watch.seen(Aim(), 9.0)
    watch.seen(FED, 9.1)
    assert not watch.moved_lately(9.1)


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


def test_a_terminal_is_sent_no_more_than_its_budget_in_the_long_run():
    """Ladders that ask for 90 kB/s get what is left of the budget; a burst after a quiet second is let through."""
    budget, octets, drawn = ByteBudget(30_000.0), 0, 0
    for frame in range(1_000):
        if not budget.is_spent(frame / 10, octets):
            octets += 9_000
            drawn += 1
    assert 30_000 * 95 < octets < 30_000 * 102
    assert not budget.is_spent(200.0, octets) and not budget.is_spent(200.0, octets + 20_000)


def test_a_small_terminal_is_told_how_the_session_stands_and_nothing_that_is_not_known():
    view = a_view()
    count = f"{view.open_orders:,} open orders of ours"
    assert standing_words(None, 0.0) == "Nothing has been heard of the session yet."
    assert standing_words(view, 9.0) == f"The session is silent for 9s: {count} when it was last heard of."
    killed = msgspec.structs.replace(view, kill=KillView(killed=True))
    assert standing_words(killed, 0.0) == f"KILLED: nothing is placed; {count}."
    assert standing_words(msgspec.structs.replace(view, controls=()), 0.0) == f"The session runs; {count}."
    paused = ControlView("PAUSED", "manual")
    held = msgspec.structs.replace(view, controls=(paused,))
    assert standing_words(held, 0.0) == f"All markets: PAUSED; {count}."


def test_a_page_that_has_sent_enough_is_drawn_once_a_second():
    """Everything on it then, so that nothing on the page is older than its clock."""
    rhythm = Rhythm()
    drawn = [rhythm.due(frame / 10, frame, spent=True) for frame in range(30)]
    assert [frame for frame, due in enumerate(drawn) if any(due)] == [0, 10, 20]
    assert {due for due in drawn if any(due)} == {(True, True, True)}
