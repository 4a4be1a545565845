"""What goes to the terminal, without what it shows already: about half the bytes of a frame are colours said again.

Textual says every run of text with its whole style in front and a reset behind. Over SSH each byte counts
(textual-craft.md 5), so only what changes from one run to the next is sent on, and what is sent is counted.
"""

import os
import re
import signal
import termios
from functools import lru_cache
from queue import Queue
from typing import Final, NamedTuple

from textual.drivers.linux_driver import LinuxDriver

_SGR: Final = re.compile(r"\x1b\[([\d;]*)m")
_BARE: Final = re.compile(r"(?:\x1b\[(?:\d+;\d+H|\?2026[hl]))+\Z")
"""Moves of the cursor and marks of a frame, which look the same in every style."""
_LONG: Final = {"2": 5, "5": 3}
"""Parts of an extended colour, by its kind: red, green and blue, or a number of the palette."""
_CANCEL: Final = "\x18\x1b[0m"
"""Ends a sequence that was cut in the middle."""
_PATIENCE_SEC: Final = 1.0
"""How long a terminal may take to read what is left at the end."""
_FLUSH_SEC: Final = 0.1
_PENS: Final = 4_096
"""Styles remembered."""


class Pen(NamedTuple):
    """How a terminal writes: parts of a SGR sequence (ECMA-48 8.3.117)."""

    ink: str = "39"
    ground: str = "49"
    marks: frozenset[str] = frozenset()
    """Bold, italic, underlined and the like."""


class Thrift:
    """Rewrites output so that it says only how the style changes; the screen is the same."""

    def __init__(self) -> None:
        self._wanted = Pen()
        self._shown: Pen | None = None
        """What the terminal writes with; None while nobody knows."""

    def slim(self, text: str) -> str:
        """The same output, shorter."""
        sent: list[str] = []
        for place, part in enumerate(_SGR.split(text)):
            if place % 2:
                self._wanted = _after(self._wanted, part)
            elif part:
                if self._wanted != self._shown and not _BARE.match(part):
                    sent.append(_change(self._shown, self._wanted))
                    self._shown = self._wanted
                sent.append(part)
        return "".join(sent)


@lru_cache(_PENS)
def _after(pen: Pen, parameters: str) -> Pen:
    """The pen after a SGR sequence."""
    codes = parameters.split(";") if parameters else ["0"]
    place = 0
    while place < len(codes):
        code, count = codes[place], 1
        if code in ("38", "48"):
            count = _LONG.get(codes[place + 1] if place + 1 < len(codes) else "", 1)
        part = ";".join(codes[place : place + count])
        place += count
        if code in ("", "0"):
            pen = Pen()
        elif len(code) == 2 and code[0] in "39":
            pen = pen._replace(ink=part)
        elif len(code) == 3 or (len(code) == 2 and code[0] == "4"):
            pen = pen._replace(ground=part)
        else:
            pen = pen._replace(marks=pen.marks | {code})
    return pen


@lru_cache(_PENS)
def _change(shown: Pen | None, wanted: Pen) -> str:
    """The SGR sequence that makes one pen of the other."""
    if shown is None or shown.marks - wanted.marks:
        codes, shown = ["0"], Pen()
    else:
        codes = []
    codes += sorted(wanted.marks - shown.marks)
    codes += [wanted.ink] * (wanted.ink != shown.ink) + [wanted.ground] * (wanted.ground != shown.ground)
    return f"\x1b[{';'.join(codes)}m" if codes else ""


class ThriftyDriver(LinuxDriver):
    """Textual's driver for a terminal, behind a :class:`Thrift`; it waits for no terminal that does not read.

    Textual's writing thread is handed what is to be written over a queue that blocks the application when it is full:
    then no key would be heard, the kill key among them. Here it never blocks, and whoever paints looks at
    :attr:`waiting` first.
    """

    octets: int = 0
    """Sent so far."""
    _thrift = Thrift()
    _farewell: list[str] | None = None
    """What gives the terminal back, once that has begun."""

    @property
    def waiting(self) -> int:
        """Writes that the terminal has not taken."""
        return self._queue.qsize() if self._writer_thread is not None else 0

    def start_application_mode(self) -> None:
        """Begin to draw; what the terminal's style is by then is not known."""
        self._thrift, self._farewell = Thrift(), None
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def write(self, data: str) -> None:
        """Send what changes."""
        slim = self._thrift.slim(data)
        self.octets += len(slim.encode(errors="replace"))
        if self._farewell is not None:
            self._farewell.append(slim)
        self._queue.maxsize = 0
        super().write(slim)

    def stop_application_mode(self) -> None:
        """Give the terminal back."""
        self._farewell = []
        super().stop_application_mode()

    def close(self) -> None:
        """End the writing thread; what a terminal has not taken by then is thrown away, but for its restoration."""
        if self._writer_thread is None:
            return
        self._queue.put(None)
        self._writer_thread.join(_PATIENCE_SEC)
        if not self._writer_thread.is_alive():
            return
        while self._queue.qsize():
            self._queue.get_nowait()
        self._queue.put(None)
        before = signal.signal(signal.SIGURG, lambda *_: None)
        while self._writer_thread.is_alive():
            termios.tcflush(self.fileno, termios.TCOFLUSH)
            signal.pthread_kill(self._writer_thread.ident or 0, signal.SIGURG)  # a flush wakes no writer
            self._writer_thread.join(_FLUSH_SEC)
        signal.signal(signal.SIGURG, before)
        os.write(self.fileno, (_CANCEL + "".join(self._farewell or ())).encode())

    @property
    def _queue(self) -> "Queue[str | None]":
        assert self._writer_thread is not None
        return self._writer_thread._queue
