"""Where a sheet stands: never over the status strip, and on a page with room never over the ladder it is about."""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from textual.geometry import Region, Size

ROOMY: Final = (110, 32)
"""From this size of terminal on a ladder is kept in sight."""
_STRIP_LINES: Final = 2
_NARROWEST: Final = 42
"""Cells in which a question can still be read."""


class Place(NamedTuple):
    """Where a sheet stands: at the bottom of the page."""

    width: int
    """Cells, border included."""
    height: int
    """Most lines, border included."""
    side: Literal["left", "center", "right"]


def place_sheet(terminal: Size, ladder: Region | None, lines_at: Callable[[int], int]) -> Place:
    """Choose where a sheet stands.

    Args:
        terminal: its size.
        ladder: what is to stay in sight; None: nothing but the strip.
        lines_at: how many lines the sheet has, border included, at a width in cells.
    """
    whole = Place(terminal.width, terminal.height - _STRIP_LINES, "center")
    if ladder is None or not ladder or terminal.width < ROOMY[0] or terminal.height < ROOMY[1]:
        return whole
    below = Place(terminal.width, terminal.height - ladder.bottom, "center")
    if lines_at(below.width) <= below.height:
        return below
    left = Place(ladder.x, whole.height, "left")
    right = Place(terminal.width - ladder.right, whole.height, "right")
    beside = max(left, right, key=lambda place: place.width)
    return beside if beside.width >= _NARROWEST else whole
