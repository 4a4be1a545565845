"""Which panes stand on the page at which size: a pure table, and the style sheet that goes with it."""

from typing import Final, Literal

Layout = Literal["tiny", "compact", "normal", "wide"]
Pane = Literal[
    "markets",
    "ladder",
    "money",
    "orders",
    "fills",
    "tape",
    "alarms",
    "log",
    "list",
    "recordings",
    "why",
    "results",
    "findings",
    "account",
    "risk",
    "charts",
]

MINIMUM: Final = (70, 16)
"""Smallest terminal on which figures are shown."""
_NORMAL: Final = (110, 32)
_WIDE: Final = (180, 50)
PANES: Final[tuple[Pane, ...]] = (
    "markets",
    "ladder",
    "money",
    "orders",
    "fills",
    "tape",
    "alarms",
    "log",
    "list",
    "recordings",
    "why",
    "results",
    "findings",
    "account",
    "risk",
    "charts",
)
"""In reading order, which is the order of the tab key."""
TABS: Final[tuple[Pane, ...]] = ("orders", "fills", "tape", "alarms", "log", "list", "recordings")
"""Panes that share the box at the bottom of the page, in the order of its bar."""
UNFOCUSED: Final[frozenset[str]] = frozenset({"money"})
"""Panes that have nothing to move in."""
_ALWAYS: Final[dict[Layout, frozenset[str]]] = {
    "tiny": frozenset(),
    "compact": frozenset({"markets"}),
    "normal": frozenset({"markets", "ladder", "money"}),
    "wide": frozenset({"markets", "ladder", "second", "money", "log", "chart"}),
}

PAGE_CSS: Final = """
MainScreen { background: $background; overflow: hidden; }
#account-line { dock: bottom; height: 1; background: $panel; margin-bottom: 1; display: none; }
#notice { display: none; }
#page { height: 1fr; }
#page LineWidget {
    border: round $line;
    border-title-color: $foreground;
    border-title-style: bold;
    border-subtitle-color: $muted;
    height: 1fr;
    width: 1fr;
}
#page LineWidget:focus { border: round $focus-line; border-title-color: $key; }
.-old #page LineWidget { opacity: 55%; border-title-style: none; }
#page TabBar { border: none; height: 1; }
#page #upper { height: 1fr; }
#page #markets { width: 51; }
#page #lower { height: 10; }
#page #worth { width: 2fr; }
#page #health { display: none; }
#page #bottom { height: 8; }

.-wide #page #markets { width: 62; }
.-wide #page #log { width: 54; }
.-wide #page #chart { width: 46; }
.-wide #page #bottom { height: 18; }
.-wide #page #reasons { width: 2fr; }
.-wide #page #health { display: block; }
.-compact #account-line { display: block; }
.-tiny #notice { display: block; }
.-tiny #page { display: none; }

.-alone #page #markets { width: 1fr; }
.-alone #page #log { width: 1fr; }
.-alone #page #lower { height: 1fr; }
.-alone #page #bottom { height: 1fr; }
.-alone #page #worth { layout: vertical; width: 1fr; }
.-alone #page #reasons { layout: vertical; width: 1fr; }
.-alone #page #health { display: block; }
.-compact #page #inventory { height: 10; }
"""
"""Loaded by the app, which owns the default screen."""


def layout_for(width: int, height: int) -> Layout:
    """The layout of a terminal size."""
    if width < MINIMUM[0] or height < MINIMUM[1]:
        return "tiny"
    if width < _NORMAL[0] or height < _NORMAL[1]:
        return "compact"
    return "wide" if width >= _WIDE[0] and height >= _WIDE[1] else "normal"


def tabs_of(layout: Layout) -> tuple[Pane, ...]:
    """The panes behind the bar of a layout; those that stand on the page anyway are not among them."""
    return tuple(name for name in TABS if name not in _ALWAYS[layout]) if layout in ("normal", "wide") else ()


def is_on_page(layout: Layout, name: Pane) -> bool:
    """A pane has a place on the page, beside others; the rest take the whole of it."""
    return layout in ("normal", "wide") and (name in _ALWAYS[layout] or name in TABS)


def shown_panes(layout: Layout, alone: Pane | None, tab: Pane) -> frozenset[str]:
    """Names of the panes on show.

    Args:
        layout: of the terminal.
        alone: the one that has the whole page; None for the page of the layout.
        tab: the one in front in the box at the bottom.
    """
    if layout == "tiny":
        return frozenset()
    if alone is not None:
        return frozenset({alone})
    return _ALWAYS[layout] | ({"tabs", tab} if tabs_of(layout) else frozenset())
