"""The event log, newest first."""

from collections.abc import Mapping, Sequence
from typing import Final

from core.views import EventView
from widgets.format import brief, clean, fit, utc_clock
from widgets.line_widget import Row, ScrollingLineWidget, message_rows, newer_than, row

_SIGNS: Final = {"info": " ", "fill": "●", "warning": "▲", "alarm": "!"}
_SIGN_ROLES: Final = {"info": "", "fill": "own", "warning": "warn", "alarm": "warn"}
_TEXT_ROLES: Final = {"info": "", "fill": "", "warning": "warn", "alarm": "strong"}
_BEFORE: Final = 11
"""Cells of the clock and the sign."""
_TITLE_FROM: Final = 46
"""Width from which an event names its market."""
_TITLE_MAX: Final = 28


def event_rows(events: Sequence[EventView], titles: Mapping[str, str], skip: int, width: int, height: int) -> list[Row]:
    """One line per event, the newest on top.

    Args:
        events: oldest first.
        titles: condition id to title, uncleaned.
        skip: newest events that are scrolled away.
        width: cells.
        height: lines.
    """
    if not events:
        return message_rows(["nothing has happened yet"], height)
    end = len(events) - skip
    return [_event_row(event, titles, width) for event in reversed(events[max(0, end - height) : end])]


def _event_row(event: EventView, titles: Mapping[str, str], width: int) -> Row:
    title = min(_TITLE_MAX, width // 4) if width >= _TITLE_FROM else 0
    room = width - _BEFORE - (title + 1 if title else 0)
    return row(
        (f"{utc_clock(event.unix)} ", "muted"),
        (_SIGNS[event.severity], _SIGN_ROLES[event.severity]),
        " ",
        (fit(brief(titles.get(event.market, "")), title) + " " if title else "", "muted"),
        (fit(clean(event.text), room), _TEXT_ROLES[event.severity]),
    )


class EventLog(ScrollingLineWidget):
    """Draws :func:`event_rows`. While scrolled back, the lines on show stay where they are."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._events: Sequence[EventView] = ()
        self._titles_by_market: Mapping[str, str] = {}
        self.set_titles("Events")

    def show(self, events: Sequence[EventView], titles: Mapping[str, str]) -> None:
        """Draw events, oldest first, with the titles of their markets."""
        if self._skip and self._events:
            self._skip += newer_than(events, self._events[-1].seq)
        self._events, self._titles_by_market = events, titles
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`event_rows`."""
        skip = self.clamp_skip(len(self._events), height)
        return event_rows(self._events, self._titles_by_market, skip, width, height)

    def retitle(self) -> None:
        """Say whether the newest are in sight."""
        self.set_titles("Events", f"{self._skip} newer above" if self._skip else "newest first, UTC")
