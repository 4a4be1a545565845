import pytest
from textual.geometry import Region

from polymm_tui.themes import THEME_NAMES
from tests.widgets.harness import WidgetApp, screen_text
from tests.widgets.view_builders import an_event
from widgets.line_widget import LineWidget, MadeRows, Row, message_rows, newer_than, row


class Lines(LineWidget):
    """Rows as given; counts what it is asked to repaint."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[Row] = []
        self.asked: list[tuple[Region, ...]] = []

    def show(self, *texts: str) -> None:
        self.given = [row(text) for text in texts]
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        return self.given

    def refresh(self, *regions: Region, **options: bool) -> "Lines":
        self.asked.append(regions)
        return super().refresh(*regions, **options)


def test_a_row_drops_empty_texts_and_knows_its_text():
    assert row("a", ("", "bid"), ("b", "ask")).text == "ab"
    assert len(row("a", ("", "bid")).spans) == 1


def test_message_rows_stand_a_third_down():
    assert [line.text.strip() for line in message_rows(["no book yet"], 7)] == ["", "", "no book yet"]


async def test_only_changed_rows_are_repainted():
    widget = Lines()
    app = WidgetApp(widget, lambda: widget.show("one", "two", "three"))
    async with app.run_test(size=(20, 5)) as pilot:
        await pilot.pause()
        widget.asked.clear()
        widget.show("one", "TWO", "three")
        assert widget.asked == [(Region(0, 1, 20, 1),)]
        await pilot.pause()
        assert screen_text(app).splitlines()[:3] == ["one", "TWO", "three"]


async def test_equal_rows_are_not_repainted():
    widget = Lines()
    app = WidgetApp(widget, lambda: widget.show("one"))
    async with app.run_test(size=(20, 5)) as pilot:
        await pilot.pause()
        widget.asked.clear()
        widget.show("one")
        assert widget.asked == []


async def test_rows_that_disappear_are_wiped():
    widget = Lines()
    app = WidgetApp(widget, lambda: widget.show("one", "two"))
    async with app.run_test(size=(20, 5)) as pilot:
        await pilot.pause()
        widget.show("one")
        await pilot.pause()
        assert screen_text(app).split() == ["one"]


async def test_styles_follow_the_theme():
    widget = Lines()
    app = WidgetApp(widget, lambda: widget.show("one"))
    async with app.run_test(size=(20, 5)) as pilot:
        await pilot.pause()
        dark = widget.render_line(0)
        app.theme = THEME_NAMES[1]
        await pilot.pause()
        light = widget.render_line(0)
        assert dark.text == light.text
        assert next(iter(dark)).style != next(iter(light)).style


async def test_unchanged_titles_do_not_repaint():
    widget = Lines()
    app = WidgetApp(widget, lambda: widget.set_titles("title [/x]", "sub"))
    async with app.run_test(size=(20, 5)) as pilot:
        await pilot.pause()
        widget.asked.clear()
        widget.set_titles("title [/x]", "sub")
        assert widget.asked == []


def test_rows_of_a_long_list_are_made_when_they_are_asked_for():
    made = []

    def make(number):
        made.append(number)
        return row(str(number))

    rows = MadeRows(10**6, make)
    assert len(rows) == 10**6 and made == []
    assert [each.text for each in rows[5:8]] == ["5", "6", "7"] and made == [5, 6, 7]
    assert rows[-1].text == "999999" and rows[999_999:1_000_003] == [row("999999")]
    with pytest.raises(IndexError):
        rows[10**6]


def test_entries_after_a_number_are_counted_also_when_it_is_no_longer_there():
    """That is by how much a list that grows at its end has to scroll to stay on its line."""
    events = [an_event(seq) for seq in (4, 5, 9)]
    assert [newer_than(events, seq) for seq in (9, 8, 4, 1)] == [0, 1, 2, 3]
    assert newer_than([], 3) == 0
