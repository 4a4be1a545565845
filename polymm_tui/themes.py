"""The five themes: colours for the roles that widgets name.

In the default, blue is bid and gain and orange is ask and loss, which colour-blind eyes keep apart; yellow is ours,
violet the model. Saturated red is kept for alarms in every theme. No colour says anything that a sign, a word or a
place does not say too, so that the monochrome theme and NO_COLOR lose nothing.
"""

from typing import Final

from textual.theme import Theme

_STYLES: Final = {
    "bid-style": "none",
    "ask-style": "none",
    "own-style": "bold",
    "model-style": "none",
    "good-style": "none",
    "warn-style": "none",
    "alarm-style": "bold",
    "cursor-style": "none",
}

_DARK: Final = {
    "bid": "#56b4e9",
    "ask": "#e69f00",
    "bid-bar": "#16384f",
    "ask-bar": "#48350c",
    "own": "#f2e05c",
    "model": "#c9a0dc",
    "muted": "#8e99a6",
    "good": "#4fb99f",
    "warn": "#ff9d80",
    "alarm": "#b3122d",
    "alarm-text": "#ffffff",
    "badge": "#d0d6dd",
    "badge-text": "#0f141b",
    "cursor-line": "#2b3138",
    "shade": "#15181c",
    "line": "#363d46",
    "focus-line": "#b8c4d0",
    "key": "#f5f7fa",
    "area": "#3f556b",
}

ROLE_DEFAULTS: Final = {**_STYLES, **_DARK}
"""Every role with a value, so that a widget's CSS is valid under any theme."""


def _theme(name: str, dark: bool, page: tuple[str, str, str], roles: dict[str, str], styles: dict[str, str]) -> Theme:
    """A theme from its text, background and panel colours and its roles."""
    text, background, panel = page
    return Theme(
        name=name,
        primary=roles["bid"],
        secondary=roles["muted"],
        warning=roles["warn"],
        error=roles["alarm"],
        success=roles["good"],
        accent=roles["key"],
        foreground=text,
        background=background,
        surface=background,
        panel=panel,
        dark=dark,
        variables={**_STYLES, **roles, **styles},
    )


THEMES: Final = (
    _theme("polymm-dark", True, ("#d0d6dd", "#0f141b", "#1d2126"), _DARK, {}),
    _theme(
        "polymm-classic",
        True,
        ("#d3d7d4", "#101312", "#1e2221"),
        {
            "bid": "#3fd07c",
            "ask": "#ff7f73",
            "bid-bar": "#12492b",
            "ask-bar": "#52211c",
            "own": "#f2e05c",
            "model": "#b7a6f0",
            "muted": "#959c98",
            "good": "#8fe388",
            "warn": "#ffb454",
            "alarm": "#b3122d",
            "alarm-text": "#ffffff",
            "badge": "#d3d7d4",
            "badge-text": "#101312",
            "cursor-line": "#2c312f",
            "shade": "#161a18",
            "line": "#393f3c",
            "focus-line": "#bdc6c1",
            "key": "#f6f8f7",
            "area": "#476353",
        },
        {},
    ),
    _theme(
        "polymm-contrast",
        True,
        ("#ffffff", "#000000", "#1c1c1c"),
        {
            "bid": "#7fd1ff",
            "ask": "#ffb000",
            "bid-bar": "#003552",
            "ask-bar": "#412e17",
            "own": "#ffff66",
            "model": "#f0b8ff",
            "muted": "#c0c0c0",
            "good": "#5fffd0",
            "warn": "#ffaf9f",
            "alarm": "#a80000",
            "alarm-text": "#ffffff",
            "badge": "#ffffff",
            "badge-text": "#000000",
            "cursor-line": "#303030",
            "shade": "#0c0c0c",
            "line": "#808080",
            "focus-line": "#ffffff",
            "key": "#ffffff",
            "area": "#8a8a8a",
        },
        {"warn-style": "bold", "good-style": "bold", "cursor-style": "bold"},
    ),
    _theme(
        "polymm-mono",
        True,
        ("#d0d0d0", "#101010", "#202020"),
        {
            "bid": "#d0d0d0",
            "ask": "#d0d0d0",
            "bid-bar": "#3a3a3a",
            "ask-bar": "#3a3a3a",
            "own": "#ffffff",
            "model": "#d0d0d0",
            "muted": "#9a9a9a",
            "good": "#d0d0d0",
            "warn": "#ffffff",
            "alarm": "#ffffff",
            "alarm-text": "#000000",
            "badge": "#d0d0d0",
            "badge-text": "#101010",
            "cursor-line": "#303030",
            "shade": "#161616",
            "line": "#444444",
            "focus-line": "#ffffff",
            "key": "#ffffff",
            "area": "#8a8a8a",
        },
        {"model-style": "italic", "warn-style": "underline", "cursor-style": "bold"},
    ),
    _theme(
        "polymm-light",
        False,
        ("#1d2630", "#fbfaf7", "#e9e7e1"),
        {
            "bid": "#0a5e9c",
            "ask": "#a34b00",
            "bid-bar": "#cde3f4",
            "ask-bar": "#fbe0bd",
            "own": "#1d2630",
            "model": "#7a3d93",
            "muted": "#59636d",
            "good": "#0d6e58",
            "warn": "#b3261e",
            "alarm": "#b3122d",
            "alarm-text": "#ffffff",
            "badge": "#1d2630",
            "badge-text": "#fbfaf7",
            "cursor-line": "#dfe6ee",
            "shade": "#f3f1ec",
            "line": "#c9c6be",
            "focus-line": "#3a4653",
            "key": "#10161d",
            "area": "#9fb4c6",
        },
        {},
    ),
)
"""In the order in which the palette goes through them."""

THEME_NAMES: Final = tuple(theme.name for theme in THEMES)
DEFAULT_THEME: Final = THEME_NAMES[0]
