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
from core.runtime.link import Access, CommandResult
from core.views import ConsoleView, KillView
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


PREVIEW = """Close 1,240 YES and 400 NO, $512.12 at risk, book proven 0.3 s ago.
1. Merge 400 pairs into $400.00 (relayer).
2. Sell 840 YES at the touch, 41.6c, for 60 s: expected cost $0.00.
3. Cross what is left at 41.3c and better, FAK, taker fee $0.00: expected $2.52, worst $6.97, at most $6.97."""


PREVIEWED = ("flatten", "flatten_all", "resume", "resume_all")


class FakeLink:
    """Records commands; answers each at once unless told to wait: previews of flattenings and resumes with their own
    texts."""

    def __init__(self, view: ConsoleView | None = None, result: CommandResult | None = None) -> None:
        self.view = view
        self.ended = False
        self.sent: list[OperatorCommand] = []
        self.access: Access = "own"
        self.watched: list[str] = []
        self.ladders: tuple[str, ...] = ()
        self.futures: list[Future[CommandResult]] = []
        self.result = result or CommandResult(True, "done")
        self.preview = None if result else CommandResult(True, PREVIEW, confirm="token-1")
        self.resume_preview = None if result else CommandResult(True, "will place 6 orders, $1,141")
        self.answers_at_once = True
        self.kills: list[str] = []
        self.kill_view: KillView | None = None

    def watch(self, market: str, ladders: tuple[str, ...] = ()) -> None:
        self.watched.append(market)
        self.ladders = ladders

    def send(self, command: OperatorCommand) -> Future[CommandResult]:
        future: Future[CommandResult] = Future()
        self.sent.append(command)
        self.futures.append(future)
        if self.answers_at_once:
            future.set_result(self.answer_to(command))
        return future

    def answer_to(self, command: OperatorCommand) -> CommandResult:
        """What the session says to a command."""
        preview = None
        if command.preview:
            preview = self.resume_preview if command.act in ("resume", "resume_all") else self.preview
        return preview if preview is not None and command.act in PREVIEWED else self.result

    def kill(self, reason: str) -> None:
        self.kills.append(reason)
        self.kill_view = KillView(killed=True, by="operator", reason=reason)

    @property
    def acts(self) -> list[tuple[str, str]]:
        """(act, market) of every command sent that is no preview."""
        return [(command.act, command.market) for command in self.sent if not command.preview]


def screen_text(app: App[Any]) -> str:
    """What stands on the terminal, trailing blanks cut: the plain twin of a picture."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in lines)


def texts(rows: list[Any]) -> list[str]:
    """The characters of rows, trailing blanks cut."""
    return [row.text.rstrip() for row in rows]
