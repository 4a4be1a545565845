"""A small app round one widget, the text of a screen, and when pictures may be compared."""

import os
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
import textual
from textual.app import App, ComposeResult
from textual.widget import Widget

from core.events import OperatorCommand
from core.runtime.link import CommandResult
from core.views import ConsoleView
from polymm_tui.themes import DEFAULT_THEME, ROLE_DEFAULTS, THEMES

PICTURES_MADE_WITH = "8.2.8"
"""Textual version of the pictures in ``__snapshots__``; regenerate all of them when it changes."""

pictures = pytest.mark.skipif(
    textual.__version__ != PICTURES_MADE_WITH,
    reason=f"pictures were made with Textual {PICTURES_MADE_WITH}, this is {textual.__version__}",
)

# Read when an app is built: a developer's own setting must not change pictures.
os.environ.pop("NO_COLOR", None)


class WidgetApp(App[None], inherit_bindings=False):
    """One widget over the whole terminal; ``show`` is called once it stands."""

    ENABLE_COMMAND_PALETTE = False
    CSS = "Screen { overflow: hidden; } Screen > Widget { height: 1fr; width: 1fr; dock: none; }"

    def __init__(self, widget: Widget, show: Callable[[], None], theme: str = DEFAULT_THEME) -> None:
        super().__init__()
        self.animation_level = "none"
        for each in THEMES:
            self.register_theme(each)
        self.theme = theme
        self._widget = widget
        self._show = show

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(ROLE_DEFAULTS)

    def compose(self) -> ComposeResult:
        yield self._widget

    def on_mount(self) -> None:
        self._show()


class FakeLink:
    """Records commands; answers each at once with ``result`` unless told to wait."""

    def __init__(self, view: ConsoleView | None = None, result: CommandResult | None = None) -> None:
        self.view = view
        self.ended = False
        self.sent: list[OperatorCommand] = []
        self.watched: list[str] = []
        self.futures: list[Future[CommandResult]] = []
        self.result = result or CommandResult(True, "done")
        self.answers_at_once = True

    def watch(self, market: str) -> None:
        self.watched.append(market)

    def send(self, command: OperatorCommand) -> Future[CommandResult]:
        future: Future[CommandResult] = Future()
        self.sent.append(command)
        self.futures.append(future)
        if self.answers_at_once:
            future.set_result(self.result)
        return future

    @property
    def acts(self) -> list[tuple[str, str]]:
        """(act, market) of every command sent."""
        return [(command.act, command.market) for command in self.sent]


def screen_text(app: App[Any]) -> str:
    """What stands on the terminal, trailing blanks cut: the plain twin of a picture."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in lines)


def texts(rows: list[Any]) -> list[str]:
    """The characters of rows, trailing blanks cut."""
    return [row.text.rstrip() for row in rows]
