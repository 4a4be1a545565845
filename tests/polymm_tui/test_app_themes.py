"""Colours can be read everywhere they are put, also after rounding to 256, and never carry a meaning alone."""

import math

import msgspec
import pytest
from rich.color import Color, ColorSystem

from polymm_tui.app import ConsoleApp
from polymm_tui.keymap import builtin_keymap
from polymm_tui.themes import DEFAULT_THEME, ROLE_DEFAULTS, THEME_NAMES, THEMES
from tests.widgets.everywhere import WIDGETS, a_view_of
from tests.widgets.harness import FakeLink, WidgetApp, screen_text
from tests.widgets.view_builders import (
    a_frozen,
    a_killed_view,
    a_listed_view,
    a_risky_view,
    a_suspect,
    a_troubled_account,
    a_view,
    an_earning_account,
    an_empty_book,
    an_unproven,
)
from widgets.charts import Charts
from widgets.line_widget import ROLES

TEXT_ROLES = ("bid", "ask", "own", "model", "muted", "good", "warn", "key")


PROTAN = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998))
DEUTAN = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))
"""Full dichromacy, on linear RGB (Machado, Oliveira and Fernandes 2009)."""
WHITE = (0.95047, 1.0, 1.08883)


def linear(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]


def luminance(colour):
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def lab(rgb):
    """CIE Lab of linear RGB."""
    to_xyz = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    x, y, z = (
        value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116
        for value in (part / white for part, white in zip(times(to_xyz, rgb), WHITE, strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one, other, eye=None):
    """Difference of two colours in Lab, as an eye sees them; None is the usual eye."""
    seen = [[min(1.0, max(0.0, part)) for part in (times(eye, linear(c)) if eye else linear(c))] for c in (one, other)]
    return math.dist(lab(seen[0]), lab(seen[1]))


def in_256(colour):
    return Color.parse(colour).downgrade(ColorSystem.EIGHT_BIT).number


def in_16(colour):
    return Color.parse(colour).downgrade(ColorSystem.STANDARD).number


def test_there_are_five_and_the_default_is_for_colour_blind_eyes():
    assert [name.removeprefix("polymm-") for name in THEME_NAMES] == ["dark", "classic", "contrast", "mono", "light"]
    assert DEFAULT_THEME == "polymm-dark"


@pytest.mark.parametrize("eye", [None, PROTAN, DEUTAN], ids=["usual", "protan", "deutan"])
@pytest.mark.parametrize("name", ["polymm-dark", "polymm-contrast", "polymm-light"])
def test_sides_stay_apart_for_every_eye(name, eye):
    """One man in twelve cannot tell red from green; the classic theme is for the others, on their own wish."""
    colours = next(theme for theme in THEMES if theme.name == name).variables
    least = 80 if name == "polymm-dark" else 40
    assert distance(colours["bid"], colours["ask"], eye) >= least


def test_the_simulation_knows_red_from_green_as_such_eyes_do():
    """The measure itself: a pair that is told apart by one eye and hardly by the other."""
    assert distance("#2ecc71", "#e74c3c") > 100 > 40 > distance("#2ecc71", "#e74c3c", DEUTAN)


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


def test_the_contrast_theme_is_stricter():
    theme = next(theme for theme in THEMES if theme.name == "polymm-contrast")
    colours = {**theme.variables, "foreground": theme.foreground}
    grounds = (theme.background, theme.panel, colours["cursor-line"], colours["shade"])
    assert all(contrast(colours[role], ground) >= 7 for role in (*TEXT_ROLES, "foreground") for ground in grounds)
    for text, ground in (("bid", "bid-bar"), ("ask", "ask-bar"), ("alarm-text", "alarm"), ("badge-text", "badge")):
        assert contrast(colours[text], colours[ground]) >= 7


COLOURED = [theme for theme in THEMES if theme.name != "polymm-mono"]


@pytest.mark.parametrize("rounded", [in_256, in_16], ids=["256", "16"])
@pytest.mark.parametrize("theme", COLOURED, ids=lambda theme: theme.name)
def test_sides_stay_apart_with_few_colours(theme, rounded):
    colours = theme.variables
    assert len({rounded(colours["bid"]), rounded(colours["ask"]), rounded(theme.background)}) == 3
    assert in_256(colours["own"]) not in (in_256(colours["bid"]), in_256(colours["ask"]))


@pytest.mark.parametrize("rounded", [in_256, in_16], ids=["256", "16"])
@pytest.mark.parametrize("theme", THEMES, ids=THEME_NAMES)
def test_text_never_takes_the_colour_of_its_ground(theme, rounded):
    """Rounded to 16 colours a grey may fall onto the grey behind it, and the text is gone."""
    colours = {**theme.variables, "foreground": theme.foreground, "background": theme.background, "panel": theme.panel}
    for ground in ("background", "panel", "cursor-line", "shade"):
        for role in (*TEXT_ROLES, "foreground"):
            assert rounded(colours[role]) != rounded(colours[ground]), (role, ground)
    for text, ground in (("bid", "bid-bar"), ("ask", "ask-bar"), ("alarm-text", "alarm"), ("badge-text", "badge")):
        assert rounded(colours[text]) != rounded(colours[ground]), (text, ground)


@pytest.mark.parametrize("theme", COLOURED, ids=lambda theme: theme.name)
def test_grounds_stay_apart_in_256_colours(theme):
    colours = theme.variables
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


PLAIN = ("", "muted", "strong", "shade", "bar", "key", "own", "area")
"""Roles that only weigh a text: own orders stand in columns of their own."""


def meaning(row):
    """What colours say of a row: each piece with a role that judges or takes a side."""
    return tuple((span.text.strip(), span.role) for span in row.spans if span.role not in PLAIN and span.text.strip())


def states():
    """Views of every state that the builders know, of a session well, ill, killed, unproven and empty."""
    dull = a_view()
    markets = tuple(
        msgspec.structs.replace(dull.markets[0], market=f"0x{place}", data=data)
        for place, data in enumerate((a_suspect(), a_frozen(), an_unproven(), an_empty_book()))
    )
    return [
        dull, a_killed_view(), a_risky_view(), a_troubled_account(), an_earning_account(), a_listed_view(),
        msgspec.structs.replace(dull, markets=(*markets, dull.markets[0])), a_view_of("a b"), a_view_of(""),
    ]  # fmt: skip


@pytest.mark.parametrize("name", [name for name, (make, _) in WIDGETS.items() if make is not Charts])
async def test_two_rows_that_read_the_same_mean_the_same(name):
    """With the colours taken away nothing may be lost: the same characters in every state carry the same roles.

    Charts have letters for marks and words for titles; their own tests look at them.
    """
    make, show = WIDGETS[name]
    widget, found = make(), {}
    views = [view for view in states() if len(view.markets) >= 5]
    async with WidgetApp(widget, lambda: show(widget, views[0])).run_test(size=(120, 40)) as pilot:
        for view in views:
            show(widget, view)
            await pilot.pause()
            for row in widget.rows:
                if row.ground != "alarm":  # the whole strip is inverted, and says KILLED
                    found.setdefault(row.text.rstrip(), set()).add(meaning(row))
                marked = row.ground == "cursor"
                assert not marked or row.text.lstrip()[:1] in (">", "▸", "›") or ">" in row.text, row.text
    assert {text: roles for text, roles in found.items() if len(roles) > 1} == {}
