"""Colours can be read everywhere they are put, also after rounding to 256, and never carry a meaning alone."""

import pytest
from rich.color import Color, ColorSystem

from polymm_tui.app import ConsoleApp
from polymm_tui.keymap import builtin_keymap
from polymm_tui.themes import ROLE_DEFAULTS, THEME_NAMES, THEMES
from tests.widgets.harness import FakeLink, screen_text
from tests.widgets.view_builders import a_view
from widgets.line_widget import ROLES

TEXT_ROLES = ("bid", "ask", "own", "model", "muted", "good", "warn", "key")


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def in_256(colour):
    return Color.parse(colour).downgrade(ColorSystem.EIGHT_BIT).number


@pytest.mark.parametrize("theme", THEMES, ids=THEME_NAMES)
def test_every_theme_gives_every_role(theme):
    assert set(theme.variables) == set(ROLE_DEFAULTS)


@pytest.mark.parametrize("theme", THEMES, ids=THEME_NAMES)
@pytest.mark.parametrize("role", TEXT_ROLES)
def test_text_can_be_read_on_every_ground(theme, role):
    colours = theme.variables
    for ground in (theme.background, theme.panel, colours["cursor-line"], colours["shade"]):
        assert contrast(colours[role], ground) >= 4.5


@pytest.mark.parametrize("theme", THEMES, ids=THEME_NAMES)
def test_numbers_can_be_read_on_their_tint(theme):
    for side in ("bid", "ask"):
        assert contrast(theme.variables[side], theme.variables[f"{side}-bar"]) >= 4.5
    assert contrast(theme.variables["alarm-text"], theme.variables["alarm"]) >= 4.5
    assert contrast(theme.variables["badge-text"], theme.variables["badge"]) >= 4.5


@pytest.mark.parametrize("theme", THEMES[:3], ids=THEME_NAMES[:3])
def test_sides_and_grounds_stay_apart_in_256_colours(theme):
    colours = theme.variables
    assert in_256(colours["bid"]) != in_256(colours["ask"])
    assert in_256(colours["bid-bar"]) != in_256(colours["ask-bar"])
    assert in_256(colours["cursor-line"]) != in_256(theme.background)
    assert in_256(theme.panel) != in_256(theme.background)


def test_every_role_of_a_row_has_its_class():
    from widgets.line_widget import LineWidget

    assert {f"line--{role}" for role in ROLES} == LineWidget.COMPONENT_CLASSES
    assert all(f".line--{role} " in LineWidget.DEFAULT_CSS for role in ROLES)


@pytest.mark.parametrize("theme", THEME_NAMES)
async def test_every_theme_shows_the_same_characters(theme):
    shown = []
    for name in (THEME_NAMES[0], theme):
        app = ConsoleApp(FakeLink(), builtin_keymap(), fps=0, theme=name)
        async with app.run_test(size=(120, 36)) as pilot:
            await pilot.pause()
            app.show(a_view())
            await pilot.pause()
            shown.append(screen_text(app))
    assert shown[0] == shown[1]


async def test_without_colour_nothing_is_lost(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = ConsoleApp(FakeLink(), builtin_keymap(), fps=0)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        app.show(a_view())
        await pilot.pause()
        assert "+18.42" in screen_text(app)
