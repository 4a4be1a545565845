"""What stands above the page: the sheet, the dialog, the leader menu, the second half of KILL, the help.

None of them covers the status strip. Each knows its texts only; what an answer does is the console's business.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from typing import ClassVar, Final, TypeVar

from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import BindingType
from textual.events import Key, Resize
from textual.geometry import Region, Size
from textual.screen import ModalScreen

from core.views import ConsoleView
from polymm_tui.operator import acts_in
from polymm_tui.screens.act_lines import act_lines
from polymm_tui.screens.bindings import bindings_of, live_keys
from polymm_tui.screens.placing import place_sheet
from widgets.format import clean, fit, wrap_words
from widgets.line_widget import Row, ScrollingLineWidget, row

KILL_WINDOW_S: Final = 2.0
LEADER_WINDOW_S: Final = 5.0

_TITLE_MARGIN: Final = 4
"""Cells of the border beside a title."""
_OTHER_LINES: Final = 12
"""Lines of the terminal that a text leaves to strip, border, fields and answers."""

_Result = TypeVar("_Result")

DIALOG_CSS: Final = """
Dialog, HelpScreen { background: transparent; overflow: hidden; align: center bottom; }
HelpScreen { align: center middle; }
Sheet {
    width: 1fr;
    height: auto;
    border: round $focus-line;
    border-title-color: $key;
    border-title-style: bold;
    border-subtitle-color: $muted;
    background: $panel;
}
HelpScreen Sheet { width: 1fr; margin: 2 0 0 0; }
KillScreen Sheet { border: heavy $alarm-text; background: $alarm; color: $alarm-text; border-title-color: $alarm-text; }
"""
"""Loaded by the app."""


def text_room(room: Size) -> tuple[int, int]:
    """Cells and lines that the sentences of a dialog may take."""
    return max(20, room.width - 6), max(1, room.height - _OTHER_LINES)


def wrapped(sentences: Sequence[str], room: Size) -> list[str]:
    """Sentences, which may be foreign text, in lines for a room; those that would hide the answers are counted."""
    width, most = text_room(room)
    lines = [line for sentence in sentences for line in wrap_words(clean(sentence), width)]
    more = len(lines) - most
    return lines if more <= 0 else [*lines[:most], f"and {more} lines more"]


class Sheet(ScrollingLineWidget, can_focus=False):
    """Fixed rows, as high as there are, scrolled where the terminal is lower."""

    def __init__(self, title: str, hint: str = "") -> None:
        """Prepare; ``title`` may be foreign text."""
        super().__init__()
        self._lines: list[Row] = []
        self._hint = hint
        self._heading = clean(title)

    def show(self, rows: list[Row]) -> None:
        """Draw rows; more of them make the sheet higher."""
        self._lines = rows
        self.styles.height = min(len(rows) + 2, self.app.size.height - 2)
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """The rows as given, from the first one that is not scrolled away."""
        skip = self.clamp_skip(len(self._lines), height)
        return self._lines[skip:]

    def retitle(self) -> None:
        """The title as far as it fits, and how much is out of sight."""
        count, height = len(self._lines), self.size.height
        end = min(self._skip + height, count)
        more = "pgdn for more" if end < count else "pgup goes back"
        place = f"{self._skip + 1}–{end} of {count}, {more}" if count > height else ""
        heading = fit(self._heading, self.size.width - _TITLE_MARGIN).rstrip()
        self.set_titles(heading, " · ".join(part for part in (place, self._hint) if part))


class Modal(ModalScreen[_Result], inherit_bindings=False):
    """A screen above the page that closes once, however many keys come in one packet."""

    AUTO_FOCUS = None
    _is_closed = False

    def dismiss(self, result: _Result | None = None) -> AwaitComplete:
        """Close; does nothing when it is closed already, or something else stands above it."""
        if self._is_closed or self.app.screen is not self:
            return AwaitComplete()
        self._is_closed = True
        return super().dismiss(result)


class Dialog(Modal[_Result], inherit_bindings=False):
    """A sheet at the bottom; a key without meaning in it closes it with nothing done."""

    def __init__(
        self, title: str, window_s: float | None, about: Callable[[ConsoleView], Hashable] | None = None
    ) -> None:
        """Prepare.

        Args:
            title: may be foreign text.
            window_s: it closes by itself after this, seconds; None: it does not.
            about: picks out of a view what it is about; when that changes, it closes.
        """
        super().__init__()
        self.sheet = Sheet(title)
        self.keep_clear: Callable[[], Region | None] = lambda: None
        """Tells where the ladder stands that it must not cover."""
        self._window_s = window_s
        self._until: float | None = None
        self._left: int | None = None if window_s is None else math.ceil(window_s)
        self._about = about
        self._subject: Hashable = None

    def compose(self) -> ComposeResult:
        """The sheet alone."""
        yield self.sheet

    def on_mount(self) -> None:
        """Draw."""
        self.draw()

    def on_resize(self, event: Resize) -> None:
        """Another size has other lines."""
        self.draw()

    def draw(self) -> None:
        """Make the lines again and paint those that differ, where there is room for them."""
        terminal = self.app.size

        def height_at(width: int) -> int:
            return len(self.lines(Size(width, terminal.height))) + 2

        place = place_sheet(terminal, self.keep_clear(), height_at)
        if place.width < terminal.width:
            self.sheet.styles.width = place.width
            self.styles.align_horizontal = place.side
        self.sheet.show(self.lines(Size(place.width, terminal.height)))

    def lines(self, room: Size) -> list[Row]:
        """The rows of the sheet for a room."""
        raise NotImplementedError

    @property
    def closing(self) -> str:
        """How long it stands yet, in words; "" for a dialog that stays."""
        return "" if self._left is None else f"closes in {self._left}s"

    def expire(self, now: float) -> None:
        """Close when its window is over; told the time, monotonic seconds, in every frame in which it is uppermost."""
        if self._window_s is None:
            return
        if self._until is None:
            self._until = now + self._window_s
        elif now >= self._until:
            self.give_up()
            return
        left = math.ceil(self._until - now)
        if left != self._left:
            self._left = left
            self.draw()

    def stay(self, window_s: float | None) -> None:
        """Begin the time anew."""
        self._window_s, self._until = window_s, None
        self._left = None if window_s is None else math.ceil(window_s)

    def follow(self, view: ConsoleView) -> bool:
        """Close when what it is about has changed; says whether it closed."""
        if self._about is None:
            return False
        subject = self._about(view)
        if self._subject is None:
            self._subject = subject
        elif subject != self._subject:
            self.give_up()
            return True
        return False

    def give_up(self) -> None:
        """Close without doing anything; returns nothing, because a handler must not await a dismissal."""
        self.dismiss(None)

    def action_back(self) -> None:
        """Close without doing anything."""
        self.give_up()

    async def on_key(self, event: Key) -> None:
        """Keys that are no act here."""
        if event.key not in self.active_bindings:
            event.stop()
            self.take_key(event)

    def take_key(self, event: Key) -> None:
        """An unknown key leaves."""
        self.give_up()


class LeaderScreen(Dialog[str]):
    """Acts on everything, one letter each; answers with the id of the act."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of("leader")

    def __init__(self) -> None:
        super().__init__("All markets", LEADER_WINDOW_S)

    def lines(self, room: Size) -> list[Row]:
        """Key, word and sentence of every act."""
        live = live_keys(self)
        return act_lines(live, [act.id for act in acts_in("leader") if act.id in live], room.width - 2)

    def action_trade(self, identity: str) -> None:
        """Answer with an act."""
        self.dismiss(identity)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what the app would refuse."""
        return self.app.check_action(action, parameters) if action == "trade" else True


class KillScreen(Dialog[bool]):
    """Waits two seconds for the second half of KILL."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of("kill")

    def __init__(self, again: list[str], what: Sequence[str] = ()) -> None:
        """Wait for one of the keys ``again``, as the operator knows them; ``what`` goes, in sentences."""
        super().__init__("KILL", KILL_WINDOW_S)
        self._again = again
        self._what = what

    def lines(self, room: Size) -> list[Row]:
        """What the next key does."""
        back = "/".join(live_keys(self)["kill.back"][0])
        sentences = [
            f"Press {' or '.join(self._again)} within {KILL_WINDOW_S:.0f} seconds to KILL:",
            "every order on the account is cancelled, also what is not ours,",
            "and nothing is placed until somebody re-arms (palette, or `polymm-tui rearm`).",
            *self._what,
            f"{back} or waiting: nothing happens; {self.closing}.",
        ]
        return [row(f" {line}") for line in wrapped(sentences, room)]

    def action_again(self) -> None:
        """The second half."""
        self.dismiss(True)
