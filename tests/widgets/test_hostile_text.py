"""Texts of strangers through every widget and the whole console: nothing breaks, nothing leaves its line.

What is looked at is what the compositor hands to the terminal. Widgets are found by looking into the package, so that
a new one is either shown every text here or fails the first test.
"""

import importlib
import inspect
import pkgutil
import unicodedata

import pytest
from rich.cells import cell_len
from textual.events import Paste
from textual.widget import Widget

import widgets
from core.runtime.link import CommandResult
from polymm_tui.screens.form_screen import FormScreen
from polymm_tui.screens.question import ConfirmScreen
from tests.polymm_tui.piloting import console, press, settle
from tests.widgets.everywhere import TEXTS, WIDGETS, a_view_of
from tests.widgets.harness import FakeLink, WidgetApp
from tests.widgets.view_builders import a_market
from widgets.ladder import Ladder
from widgets.line_widget import LineWidget

BASES = {"LineWidget", "ScrollingLineWidget", "PagedLineWidget"}
PARTS = {"ChartBox", "Words", "Plot"}
"""Of the charts, and seen with them."""
SHORT = [text[:60] for text in TEXTS if text.strip()]


def widget_classes():
    """Every widget that is defined in the package."""
    modules = [importlib.import_module(f"widgets.{each.name}") for each in pkgutil.iter_modules(widgets.__path__)]
    return {
        name
        for module in modules
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Widget) and kind.__module__ == module.__name__
    }


def test_every_widget_of_the_package_is_shown_hostile_text():
    shown = {make.__name__ for make, _ in WIDGETS.values() if inspect.isclass(make)} | {"Notice"}
    assert widget_classes() - BASES - PARTS == shown


def assert_harmless(app, width, height):
    """Every line on the terminal is as wide as the terminal, and holds what may be printed and nothing else."""
    for screen in app.screen_stack:
        strips = screen._compositor.render_strips()
        assert len(strips) == height
        for strip in strips:
            line = "".join(segment.text for segment in strip)
            assert not any(segment.control for segment in strip)
            assert cell_len(line) == sum(cell_len(segment.text) for segment in strip) == strip.cell_length == width
            assert line.isprintable(), [hex(ord(each)) for each in line if not each.isprintable()]
            assert all(unicodedata.bidirectional(each) not in ("LRE", "RLE", "LRO", "RLO", "PDF") for each in line)


class BorderedApp(WidgetApp):
    """Titles stand in borders, as in the console."""

    CSS = WidgetApp.CSS + "Screen > Widget { border: round white; }"


@pytest.mark.parametrize("name", WIDGETS)
@pytest.mark.parametrize("width", [40, 130])
async def test_a_widget_keeps_foreign_text_in_its_place(name, width):
    make, show = WIDGETS[name]
    widget = make()
    views = [a_view_of(text) for text in TEXTS]
    async with BorderedApp(widget, lambda: show(widget, views[0])).run_test(size=(width, 16)) as pilot:
        await settle(pilot)
        for view in views:
            show(widget, view)
            await pilot.pause()
            assert_harmless(pilot.app, width, 16)
            if isinstance(widget, LineWidget):
                for y, line in enumerate(widget.rows):
                    assert line.text.isprintable() and widget.render_line(y).cell_length == widget.size.width


async def test_brackets_survive_in_a_title():
    ladder = Ladder()
    market = a_market(title="Will X [YES] or [/x]?")
    async with WidgetApp(ladder, lambda: ladder.show(market)).run_test(size=(80, 14)) as pilot:
        await pilot.pause()
        assert ladder._border_title.plain == "Will X [YES] or [/x]?"


PANES = (*"123htm4lu567890g", "question_mark", "exclamation_mark")
MIXED = (" ".join(SHORT), " ".join(reversed(SHORT)), "🚀" * 10_000, "[/x] \x1b[31m" * 1_000, "")
"""All texts in a few, for what takes longer."""


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_the_whole_console_keeps_foreign_text_in_its_place(size):
    """Every pane by its key, help and leader, toasts and palette, all with strangers' texts."""
    link = FakeLink()
    async with console(a_view_of(MIXED[0]), size=size, link=link, notifications=True) as (app, _, pilot):
        for key in PANES:
            await press(pilot, key)
            for text in MIXED if app.screen is app.page else MIXED[:1]:
                app.show(a_view_of(text))
                await settle(pilot)
                assert_harmless(app, *size)
            if app.screen is not app.page:
                await press(pilot, "escape")
        for text in MIXED:
            app.say(text, title=text, severity="error")
            link.result = CommandResult(False, text)
            await press(pilot, "p")  # answered with the text, which becomes a toast
            await settle(pilot)
            assert_harmless(app, *size)
        await press(pilot, "ctrl+p", "f")
        await settle(pilot)
        assert_harmless(app, *size)
        assert app.return_code is None


@pytest.mark.parametrize("text", MIXED, ids=range(len(MIXED)))
async def test_questions_and_forms_keep_foreign_text_in_their_place(text):
    """The preview that an engine or a venue words is foreign text too."""
    link = FakeLink()
    link.preview = CommandResult(True, text or " ", confirm="token")
    async with console(a_view_of(text), link=link) as (app, _, pilot):
        seen = set()
        for key in ("F", "q", "e", "S", "A", "Z"):
            await press(pilot, key)
            await settle(pilot)
            seen.add(type(app.screen))
            assert_harmless(app, 120, 36)
            if app.screen is not app.page:
                await press(pilot, *(("x", "escape") if isinstance(app.screen, FormScreen) else ("escape",)))
        assert ConfirmScreen in seen


async def test_a_pasted_text_neither_acts_nor_leaves_its_field():
    """A bracketed paste is no key press; in the filter it is a text like any other."""
    async with console() as (app, link, pilot):
        for keys in ((), ("slash",)):
            await press(pilot, *keys)
            for text in SHORT:
                app.screen.post_message(Paste(text))
                await settle(pilot)
                assert_harmless(app, 120, 36)
        assert link.acts == []
