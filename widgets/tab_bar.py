"""One line that names the tabs of a box: their keys, their words, how much is in each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from rich.cells import cell_len

from widgets.format import fit
from widgets.line_widget import LineWidget, Row, Span, row

_MOST: Final = 999
"""The largest count that is told exactly."""
_BETWEEN: Final = " "


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab of the box."""

    key: str
    """As the operator knows it: ``"3"``, ``"h"``."""
    word: str
    count: int | None = None
    """How much is in it; None where that is of no use."""
    active: bool = False
    role: str = ""
    """Of the count, where it wants eyes: ``warn``, ``alarm``."""


class _Detail(NamedTuple):
    """What of the tabs is told at one of the steps to a narrower line."""

    words: bool
    """Of the tabs that are not active."""
    counts: bool
    """Of those that do not want eyes."""


_STEPS: Final = (_Detail(True, True), _Detail(True, False), _Detail(False, True), _Detail(False, False))


def tab_bar_row(tabs: Sequence[Tab], width: int) -> Row:
    """The tabs in their order, the active one in brackets; the narrower the line, the less is told of the others.

    Counts that want eyes (:attr:`Tab.role`) are given up last of all, with the active tab's word.
    """
    for detail in _STEPS:
        spans = _spans(tabs, detail)
        if sum(cell_len(span.text) for span in spans) <= width:
            return row(*spans, ground="bar")
    active = "".join(span.text for tab in tabs if tab.active for span in _tab(tab, _STEPS[0]))
    return row(fit(active, width), ground="bar")


def _spans(tabs: Sequence[Tab], detail: _Detail) -> list[Span]:
    spans: list[Span] = []
    for index, tab in enumerate(tabs):
        if index:
            spans.append(Span(_BETWEEN))
        spans += _tab(tab, detail)
    return spans


def _tab(tab: Tab, detail: _Detail) -> list[Span]:
    opening, closing = ("[", "]") if tab.active else (" ", " ")
    role = "strong" if tab.active else ""
    spans = [Span(opening, role), Span(tab.key, "key")]
    if tab.active or detail.words:
        spans.append(Span(f" {tab.word}", role))
    if tab.count and (tab.active or tab.role or detail.counts):
        spans.append(Span(f" {_count(tab.count)}", tab.role or role or "muted"))
    return [*spans, Span(closing, role)]


def _count(count: int) -> str:
    return str(count) if count <= _MOST else f"{_MOST}+"


class TabBar(LineWidget):
    """Draws :func:`tab_bar_row`."""

    DEFAULT_CSS = """
    TabBar { height: 1; background: $panel; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._tabs: Sequence[Tab] = ()

    def show(self, tabs: Sequence[Tab]) -> None:
        """Draw the tabs."""
        self._tabs = tabs
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`tab_bar_row`."""
        return [tab_bar_row(self._tabs, width)]
