"""The one-line entry in which the market table is filtered while one types."""

from collections.abc import Callable
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Key, Paste

from polymm_tui.screens.bindings import bindings_of, live_keys
from polymm_tui.screens.dialogs import Modal
from widgets.format import clean, fit
from widgets.line_widget import LineWidget, Row, row

_MOST: Final = 60
"""Characters of a filter."""


class EntryLine(LineWidget):
    """A text being typed, and what ends it."""

    DEFAULT_CSS = """
    EntryLine { dock: bottom; height: 1; background: $panel; }
    """

    def __init__(self, label: str) -> None:
        super().__init__()
        self._label = label
        self._text = self._hint = ""

    def show(self, text: str, hint: str) -> None:
        """Draw what has been typed so far, and which keys end it."""
        self._text, self._hint = text, hint
        self.update_rows()

    def make_rows(self, width: int, height: int) -> list[Row]:
        """One row; the end of a long text stays in sight."""
        room = max(1, width - len(self._label) - len(self._hint) - 6)
        text = clean(self._text)
        shown = fit(text if len(text) <= room else f"…{text[-(room - 1) :]}", room).rstrip()
        return [row((f" {self._label} ", "key"), f"{shown}▏", (f"   {self._hint}", "muted"), ground="bar")]


class FilterScreen(Modal[bool], inherit_bindings=False):
    """Takes every character as text: no key acts on a market while it is open, only KILL goes through it.

    Answers True when the filter is kept, False when it is ended.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings_of("entry")
    DEFAULT_CSS = "FilterScreen { background: transparent; overflow: hidden; }"

    def __init__(self, text: str, typed: Callable[[str], None]) -> None:
        """Begin with a text; ``typed`` is told every change."""
        super().__init__()
        self._text = text
        self._typed = typed
        self._line = EntryLine("/ filter")

    @property
    def text(self) -> str:
        """As typed so far."""
        return self._text

    def compose(self) -> ComposeResult:
        """The line alone."""
        yield self._line

    def on_mount(self) -> None:
        """Draw."""
        self._draw()

    async def on_key(self, event: Key) -> None:
        """Take keys in the order in which they were pressed: a character is text, the keys of the table end it."""
        event.stop()
        event.prevent_default()
        if self.app.screen is not self:
            self.app.screen.post_message(Key(event.key, event.character))
            return
        act = self.active_bindings.get(event.key)
        if act is not None and act.node is self:
            await self.run_action(act.binding.action)
        elif event.character is not None and event.character.isprintable():
            self._write(self._text + event.character)

    def on_paste(self, event: Paste) -> None:
        """Pasted text is typed."""
        event.stop()
        self._write(self._text + clean(event.text))

    def action_keep(self) -> None:
        """Keep the filter."""
        self.dismiss(True)

    def action_back(self) -> None:
        """End the filter."""
        self.dismiss(False)

    def action_erase(self) -> None:
        """One character less."""
        self._write(self._text[:-1])

    def _write(self, text: str) -> None:
        self._text = text[:_MOST]
        self._typed(self._text)
        self._draw()

    def _draw(self) -> None:
        live = live_keys(self)
        words = (("entry.keep", "keep"), ("entry.back", "show all"))
        hint = "   ".join(f"{live[identity][0][0]}: {word}" for identity, word in words if identity in live)
        self._line.show(self._text, hint)
