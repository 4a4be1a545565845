"""The line of tabs: the active one without colour, counts that want eyes on any width."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.widgets.harness import WidgetApp, pictures, texts
from widgets.tab_bar import Tab, TabBar, tab_bar_row

TABS = (
    Tab("3", "orders", 24, active=True),
    Tab("h", "fills", 7),
    Tab("t", "tape"),
    Tab("m", "alarms", 2, role="alarm"),
    Tab("4", "log"),
    Tab("l", "list", 1, role="warn"),
    Tab("u", "recordings", 0),
)


def test_the_active_tab_stands_in_brackets():
    line = tab_bar_row(TABS, 118).text
    assert line.split() == ["[3", "orders", "24]", "h", "fills", "7", "t", "tape", "m", "alarms", "2", "4", "log", "l",
                            "list", "1", "u", "recordings"]  # fmt: skip
    assert line.count("[") == line.count("]") == 1


@pytest.mark.parametrize(
    ("width", "words", "counts"),
    [(118, 7, {"24", "7", "2", "1"}), (80, 7, {"24", "2", "1"}), (70, 1, {"24", "7", "2", "1"}),
     (41, 1, {"24", "2", "1"})],
)  # fmt: skip
def test_words_give_way_before_keys_and_counts_that_want_eyes(width, words, counts):
    line = tab_bar_row(TABS, width)
    found = line.text.replace("[", " ").replace("]", " ").split()
    assert {tab.key for tab in TABS} <= set(found)
    assert sum(tab.word in found for tab in TABS) == words
    assert {each for each in found if each.isdigit()} - {"3", "4"} == counts
    assert cell_len(line.text) <= width


def test_too_narrow_for_all_it_names_the_active_one():
    assert tab_bar_row(TABS, 20).text.rstrip() == "[3 orders 24]"
    assert tab_bar_row(TABS, 8).text == "[3 orde…"
    assert tab_bar_row((), 20).text.strip() == ""


def test_a_count_has_the_role_that_it_was_given_and_never_more_than_three_digits():
    spans = {span.text.strip(): span.role for span in tab_bar_row(TABS, 118).spans}
    assert (spans["2"], spans["1"], spans["7"]) == ("alarm", "warn", "muted")
    assert "999+" in tab_bar_row([Tab("h", "fills", 12_345)], 80).text


ANY_TABS = st.lists(
    st.builds(Tab, st.sampled_from("3htm4lu"), st.sampled_from(["orders", "log"]), st.none() | st.integers(0, 9999),
              st.booleans()),
    max_size=9,
)  # fmt: skip


@given(ANY_TABS, st.integers(0, 150))
def test_it_stays_on_its_line(tabs, width):
    assert cell_len(tab_bar_row(tabs, width).text) <= width


async def test_the_widget_shows_what_it_is_given():
    bar = TabBar()
    async with WidgetApp(bar, lambda: bar.show(TABS)).run_test(size=(90, 1)) as pilot:
        await pilot.pause()
        assert "[3 orders 24]" in texts(bar.rows)[0]
        bar.show([replace(tab, active=tab.key == "m") for tab in TABS])
        assert "[m alarms 2]" in texts(bar.rows)[0] and "[3" not in texts(bar.rows)[0]


@pictures
@pytest.mark.parametrize("theme", ["polymm-dark", "polymm-mono"])
def test_picture_of_the_tabs(snap_compare, theme):
    bar = TabBar()
    assert snap_compare(WidgetApp(bar, lambda: bar.show(TABS), theme), terminal_size=(100, 1))
