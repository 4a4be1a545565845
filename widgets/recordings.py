"""Recordings of the market channel: what lies on the disk, what runs, and how the selected one is played."""

import shlex
import time
from collections.abc import Sequence
from typing import Final

from core.views import RecordingView
from widgets.format import NOTHING, age, clean, fit, number, wrap_words
from widgets.line_widget import Row, ScrollingLineWidget, message_rows, row

_NAME: Final = 18
_BEGAN: Final = 14
_LASTED: Final = 6
_SIZE: Final = 8
_FRAMES: Final = 12
_MARKETS: Final = 4
_SOURCE: Final = 12
_BARE: Final = 2 + _NAME + _LASTED + _SIZE + 4
"""Cells of sign, name, length and size: what the narrowest strip still shows."""
_DETAIL: Final = 4
"""Most lines below the table about the selected recording."""
_LEAST_LISTED: Final = 3
"""Lines of the table, heading included, below which the selected one's details are left out."""


def recording_rows(recordings: Sequence[RecordingView], selected: int, skip: int, width: int, height: int) -> list[Row]:
    """A heading, one line per recording, and below them what the selected one is called and how it is played.

    Args:
        recordings: newest first.
        selected: place of the one under the cursor.
        skip: recordings that are scrolled away at the top.
        width: cells.
        height: lines.
    """
    if not recordings:
        lines = ["no recordings in this session's directory", "record start in the palette begins one"]
        return message_rows([fit(line, max(0, width - 2)) for line in lines], height)
    details = detail_rows(recordings[selected], width)
    room = list_height(details, height)
    listed = enumerate(recordings[skip : skip + room], start=skip)
    table = [_heading(width), *[_recording_row(each, place == selected, width) for place, each in listed]]
    if len(details) > height - 1 - room:
        return table
    return [*table, *[Row()] * (height - len(details) - len(table)), *details]


def list_height(details: Sequence[Row], height: int) -> int:
    """Lines for recordings in a pane of ``height`` lines, with a heading and the details of one."""
    room = height - 1 - len(details)
    return room if room >= _LEAST_LISTED - 1 else max(1, height - 1)


def detail_rows(recording: RecordingView, width: int) -> list[Row]:
    """Where a recording lies, what is wrong with it and the command that plays it, at most :data:`_DETAIL` lines."""
    path = clean(recording.path)
    if recording.running:
        command = "it can be played once it is stopped: record stop in the palette"
    else:
        command = f"polymm-tui replay {shlex.quote(path)}"
    told = [("trouble ", clean(recording.trouble), "warn"), ("replay  ", command, "key")]
    rows = []
    for label, text, role in told:
        lines = wrap_words(text, max(1, width - len(label) - 1))
        rows += [
            row((label if place == 0 else " " * len(label), "muted"), (line, role)) for place, line in enumerate(lines)
        ]
    return rows[:_DETAIL]


def _heading(width: int) -> Row:
    cells = [
        f"  {'RECORDING':<{_NAME}}{'LASTED':>{_LASTED}} {'SIZE':>{_SIZE}}  ",
        f"{'BEGAN, UTC':<{_BEGAN}}",
        f"{'FRAMES':>{_FRAMES}} ",
        f"{'MKTS':>{_MARKETS}} ",
        "FROM",
    ]
    return row(("".join(cells[: _columns(width)]), "muted"))


def _columns(width: int) -> int:
    """How many groups of columns there is room for, the most telling first."""
    widths = (_BARE, _BEGAN, _FRAMES + 1, _MARKETS + 1, _SOURCE)
    return max(1, sum(sum(widths[: place + 1]) <= width for place in range(len(widths))))


def _recording_row(recording: RecordingView, selected: bool, width: int) -> Row:
    sign, role = ("●", "good") if recording.running else ("▲", "warn") if recording.trouble else (" ", "")
    if recording.running and recording.trouble:
        sign, role = "▲", "warn"
    name = clean(recording.path).rstrip("/").rpartition("/")[2]
    lasted = age(recording.lasted_s)
    frames = NOTHING if recording.frames is None else f"{recording.frames:,}"
    source = clean(recording.source)
    used = _BARE + _BEGAN + _FRAMES + 1 + _MARKETS + 1
    cells = [
        (f"{fit(name, _NAME - 1)} {number(lasted, _LASTED)} {number(_size(recording.disk_bytes), _SIZE)}  ", ""),
        (f"{_day_clock(recording.began_unix):<{_BEGAN}}", "muted"),
        (f"{number(frames, _FRAMES)} ", ""),
        (f"{number(str(recording.markets), _MARKETS)} ", ""),
        (fit(source, width - used), "muted"),
    ]
    mark = "›" if selected else " "
    return row((mark, "key"), (sign, role), *cells[: _columns(width)], ground="cursor" if selected else "")


def _size(count: int) -> str:
    """Bytes in at most seven cells: ``"512 B"``, ``"7.4 MB"``."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:,.0f} {unit}" if unit == "B" or amount >= 99.95 else f"{amount:.1f} {unit}"


def _day_clock(unix: float | None) -> str:
    """Day and time in UTC: ``"23 Nov 19:04"``; nothing of a moment beyond the calendar."""
    try:
        return NOTHING if unix is None else time.strftime("%d %b %H:%M", time.gmtime(unix))
    except (OverflowError, ValueError, OSError):
        return NOTHING


class Recordings(ScrollingLineWidget):
    """Draws :func:`recording_rows`; its cursor stays on the recording it was put on."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._recordings: Sequence[RecordingView] = ()
        self._path = ""
        """Of the recording under the cursor; "" before the first."""
        self.set_titles("Recordings")

    @property
    def selected(self) -> RecordingView | None:
        """The recording under the cursor; None without one."""
        return self._recordings[self._place] if self._recordings else None

    @property
    def _place(self) -> int:
        places = (place for place, each in enumerate(self._recordings) if each.path == self._path)
        return next(places, 0)

    def show(self, recordings: Sequence[RecordingView], unix: float) -> None:
        """Draw recordings, newest first, as the session found them at ``unix``."""
        self._recordings = recordings
        self.update_rows()

    def move(self, step: int) -> None:
        """Move the cursor; +1 is down."""
        if not self._recordings:
            return
        place = min(max(self._place + step, 0), len(self._recordings) - 1)
        self._path = self._recordings[place].path
        self.update_rows()

    def scroll_lines(self, lines: int) -> None:
        """Move the cursor: the list follows it."""
        self.move(lines)

    def make_rows(self, width: int, height: int) -> list[Row]:
        """See :func:`recording_rows`; the cursor stays in sight."""
        if not self._recordings:
            return recording_rows((), 0, 0, width, height)
        place = self._place
        room = list_height(detail_rows(self._recordings[place], width), height)
        self._skip = max(place - room + 1, min(self._skip, place))
        self.clamp_skip(len(self._recordings), room)
        return recording_rows(self._recordings, place, self._skip, width, height)

    def retitle(self) -> None:
        """Count them, and say whether one runs."""
        count = len(self._recordings)
        running = any(each.running for each in self._recordings)
        self.set_titles(f"Recordings {count}" if count else "Recordings", "● recording" if running else "")
