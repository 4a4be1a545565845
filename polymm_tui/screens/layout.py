"""Which panes stand on the page at which size: a pure table."""

from typing import Final, Literal

Layout = Literal["tiny", "compact", "normal", "wide"]
Pane = Literal[
    "markets",
    "ladder",
    "orders",
    "events",
    "money",
    "why",
    "results",
    "findings",
    "inventory",
    "risk",
    "market_list",
]

MINIMUM: Final = (70, 16)
"""Smallest terminal on which figures are shown."""
_NORMAL: Final = (110, 32)
_WIDE: Final = (180, 50)
PANES: Final[tuple[Pane, ...]] = (
    "markets",
    "ladder",
    "orders",
    "events",
    "money",
    "why",
    "results",
    "findings",
    "inventory",
    "risk",
    "market_list",
)
"""In reading order, which is the order of the tab key."""
_SHOWN: Final[dict[Layout, frozenset[str]]] = {
    "tiny": frozenset(),
    "compact": frozenset({"markets"}),
    "normal": frozenset({"markets", "ladder", "events", "money"}),
    "wide": frozenset({"markets", "ladder", "second", "orders", "chart", "events", "money"}),
}


def layout_for(width: int, height: int) -> Layout:
    """The layout of a terminal size."""
    if width < MINIMUM[0] or height < MINIMUM[1]:
        return "tiny"
    if width < _NORMAL[0] or height < _NORMAL[1]:
        return "compact"
    return "wide" if width >= _WIDE[0] and height >= _WIDE[1] else "normal"


def shown_panes(layout: Layout, zoomed: Pane | None) -> frozenset[str]:
    """Names of the panes on show."""
    if layout == "tiny":
        return frozenset()
    return frozenset({zoomed}) if zoomed else _SHOWN[layout]
