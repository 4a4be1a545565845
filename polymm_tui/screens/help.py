"""The help: what every key does on the page below, under headings, the ways to stop first."""

from collections.abc import Callable
from typing import Any, ClassVar, Final

from textual.app import ComposeResult
from textual.events import Key, Resize
from textual.screen import Screen

from polymm_tui.operator import ACTS, acts_in
from polymm_tui.screens.act_lines import act_lines
from polymm_tui.screens.bindings import live_keys
from polymm_tui.screens.dialogs import Modal, Sheet
from widgets.format import wrap_words
from widgets.line_widget import Row, row

_FIRST: Final = ("app.kill", "app.help", "app.leader", "app.quit")
"""What an operator who knows nothing yet needs."""
_HEADINGS: Final = (
    ("THE MARKET SELECTED", ("market", "order")),
    ("WHAT IS SHOWN", ("view",)),
    ("PANES", ("pane",)),
    ("ALARMS AND THE MARKET LIST", ("alarm", "list")),
)
"""Groups of acts under one heading, by the first half of their ids."""
_SIGNS: Final = (
    "300¹ ours: shares left, layer",
    "N on the NO token  … on its way  × cancel sent  ? unknown",
    "★ scores for rewards, says the venue",
    "~1.9k shares ahead of ours, estimate  ▴▾ last trade bought, sold",
    "· deeper than seen here",
)
"""What the ladder's signs mean."""


class HelpScreen(Modal[None], inherit_bindings=False):
    """What every key does on the page below; scrolls where the terminal is low, any other key closes."""

    _STEPS: ClassVar[dict[str, int]] = {"down": 1, "up": -1}
    _PAGES: ClassVar[dict[str, int]] = {"pagedown": 1, "pageup": -1, "space": 1}

    def __init__(self, page: Screen[Any], keys_of: Callable[[str], list[str]]) -> None:
        """Prepare the help.

        Args:
            page: the screen whose live keys are told.
            keys_of: labels of the keys of an act, for the acts behind the leader key.
        """
        super().__init__()
        self._live = live_keys(page)
        self._keys_of = keys_of
        self.sheet = Sheet("Keys", "any other key closes")

    def compose(self) -> ComposeResult:
        """The sheet alone."""
        yield self.sheet

    def on_mount(self) -> None:
        """Draw."""
        self.sheet.show(self.lines(self.app.size.width - 2))

    def on_resize(self, event: Resize) -> None:
        """Sentences are broken for another width."""
        self.sheet.show(self.lines(event.size.width - 2))

    def lines(self, width: int) -> list[Row]:
        """Every line for a width in cells: how to stop, all markets, the market, the page, panes, the rest, signs."""
        leader = self._keys_of("app.leader")[0]
        after = {
            act.id: ([f"{leader} {key}" for key in self._keys_of(act.id)], True)
            for act in acts_in("leader")
            if act.command is not None
        }
        again = self._keys_of("kill.again")[0]
        ways = [f"{after['all.kill'][0][0]} {again}", *(f"{key} twice" for key in self._keys_of("app.kill"))]
        kill = f"KILL: {' or '.join(ways)}, within 2 seconds: all orders cancelled, none placed."
        made = [row((f" {line}", "strong")) for line in wrap_words(kill, width - 2)]
        made += act_lines(self._live, [identity for identity in _FIRST if identity in self._live], width)
        made += _titled("ALL MARKETS", act_lines(after, list(after), width))
        told = {*_FIRST}
        for heading, groups in _HEADINGS:
            named = [act.id for act in ACTS if act.id in self._live and act.group in groups and act.id not in told]
            told.update(named)
            made += _titled(heading, act_lines(self._live, named, width))
        rest = [act.id for act in ACTS if act.id in self._live and act.id not in told]
        signs = [row((f" {line}", "muted")) for sign in _SIGNS for line in wrap_words(sign, width - 2)]
        return [*made, *_titled("THE REST", act_lines(self._live, rest, width)), *_titled("SIGNS OF THE LADDER", signs)]

    def on_key(self, event: Key) -> None:
        """Scroll or close."""
        event.stop()
        if event.key in self._STEPS:
            self.sheet.scroll_lines(self._STEPS[event.key])
        elif event.key in self._PAGES:
            self.sheet.scroll_lines(self._PAGES[event.key] * self.sheet.page_lines())
        else:
            self.dismiss(None)


def _titled(heading: str, rows: list[Row]) -> list[Row]:
    return [row(), row((f" {heading}", "strong")), *rows] if rows else []
