"""The console: keys in, commands out, the newest view on the screen.

It knows no trading rule and keeps no number. The session runs elsewhere; the console reads ``link.view`` on a clock
of its own and sends :class:`~core.events.OperatorCommand`. Nothing here waits for the session. What an act comes to is
in :mod:`polymm_tui.console`; here the parts are put together.
"""

import os
import time
from collections.abc import Callable
from typing import ClassVar, Final

import msgspec
from textual.app import App
from textual.binding import BindingType
from textual.events import Key
from textual.screen import Screen

from core.events import Act
from core.runtime.link import ConsoleLink
from core.views import ConsoleView
from polymm_tui.collector import PERIOD_S, QuietCollector
from polymm_tui.console.desk import TOAST_S, Answered, Desk, Said, Severity
from polymm_tui.console.frames import Gaze, KillNews, Outlet, Rhythm
from polymm_tui.console.killing import OF_A_KILL, Killing
from polymm_tui.console.leaving import Leaving
from polymm_tui.console.pictures import keep_picture, pictures_home
from polymm_tui.console.trading import Trading
from polymm_tui.keymap import KeymapResult
from polymm_tui.operator import ACT_BY_ID
from polymm_tui.screens.bindings import bindings_of
from polymm_tui.screens.dialogs import DIALOG_CSS, Dialog, LeaderScreen
from polymm_tui.screens.help import HelpScreen
from polymm_tui.screens.main import PAGE_CSS, MainScreen
from polymm_tui.screens.pacing import FrameClock
from polymm_tui.terminal_output import ThriftyDriver
from polymm_tui.themes import DEFAULT_THEME, ROLE_DEFAULTS, THEME_NAMES, THEMES
from widgets.alarms import calls
from widgets.format import clean, fit
from widgets.status_strip import SILENT_AFTER_S

_TOAST_CSS: Final = """
ToastRack { dock: top; align: left top; margin: 2 0 0 0; height: auto; }
MainScreen ToastRack, FilterScreen ToastRack, HelpScreen ToastRack {
    dock: bottom; align: right bottom; margin: 0 0 2 0;
}
Toast { width: 51; max-width: 100%; padding: 0 1; margin: 0; background: $panel; }
MainScreen Toast, FilterScreen Toast, HelpScreen Toast { width: 58; }
"""
_KEYMAP_TOAST_S: Final = 15.0
_TOAST_CELLS: Final = 240
_TOAST_TITLE_CELLS: Final = 46
_BAD_OUTCOME_TOAST_S: Final = 4.0


class ConsoleApp(App[str], inherit_bindings=False):
    """The console over a link.

    Returns from ``run_async`` with ``"quit"`` when the operator left and the session is to stop, ``"detached"`` when it
    goes on, and ``"ended"`` when it ended by itself. After a crash ``return_value`` is None and ``return_code`` is 1.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings_of("app")
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    AUTO_FOCUS = None
    CSS = PAGE_CSS + DIALOG_CSS + _TOAST_CSS

    def __init__(
        self,
        link: ConsoleLink,
        keymap: KeymapResult,
        *,
        fps: float = 10.0,
        theme: str = DEFAULT_THEME,
        collector: QuietCollector | None = None,
        on_painted: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Build the console; nothing happens before it runs.

        Args:
            link: the session.
            keymap: checked keys; its messages are shown at start.
            fps: frames a second; 0 for no clock at all, then :meth:`show` draws and no dialog closes by itself.
            theme: one of :data:`polymm_tui.themes.THEME_NAMES`.
            collector: takes the garbage collector over when the first markets are drawn, because everything heavy has
                been imported by then; None leaves Python's alone.
            on_painted: called once when the first screen stands.
            clock: monotonic seconds.
        """
        super().__init__(driver_class=ThriftyDriver)
        self.animation_level = "none"
        self.title = "polymm-tui"
        self._link = link
        self._messages = keymap.messages
        self._fps = fps
        self._collector = collector
        self._collecting = False
        self._on_painted = on_painted
        self._clock = clock
        self._frames = FrameClock(fps) if fps else None
        self._main = MainScreen(clock, link.access)
        self._desk = Desk(self, link, self._main, keymap, clock)
        self._trading = Trading(self._desk)
        self._killing = Killing(self._desk, self._draw_kill)
        self._leaving = Leaving(self._desk)
        self._kill_news = KillNews(link)
        self._gaze = Gaze(link, self._main)
        self._rhythm = Rhythm()
        self._outlet = Outlet()
        self._rung = 0
        """Calls of alarms for which the bell has rung."""
        self._toast_title = ""
        for each in THEMES:
            self.register_theme(each)
        self.theme = theme
        self.set_keymap(keymap.textual())

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Roles that every widget's CSS may name."""
        return dict(ROLE_DEFAULTS)

    def get_default_screen(self) -> Screen[None]:
        """The page."""
        return self._main

    @property
    def page(self) -> MainScreen:
        """The page below any dialog."""
        return self._main

    def on_mount(self) -> None:
        """Start the clocks and say what was wrong with the key map."""
        for message in self._messages:
            self.say(message, title="Key map not used, default keys are", severity="warning", timeout=_KEYMAP_TOAST_S)
        if self._on_painted is not None:
            self.call_after_refresh(self._on_painted)
        if self._fps:
            self.set_interval(1.0 / self._fps, self._frame)

    def on_unmount(self) -> None:
        """Give the garbage collector back."""
        if self._collector is not None:
            self._collector.restore()

    # The frame clock

    def _frame(self) -> None:
        if self._link.ended:
            self.exit("ended")
            return
        now = self._clock()
        self.expire_dialog(now)
        clock = self._frames
        if clock is not None and not clock.tick(now, time.thread_time()):
            return
        if self._outlet.is_stuck(self._driver):
            return
        view = self._link.view
        news = self._kill_news.comes()
        if view is None:
            if news:
                self._main.strip.show(None, kill=self._kill_news.kill)
            return
        ladder, table, money = self._rhythm.due(now, view.seq, spent=self._outlet.is_spent(self._driver, now))
        awaits_details = self._gaze.follow()
        if ladder or table or money or news:
            self._draw(view, table or news, money or awaits_details or news)
        silent_s = self._rhythm.engine.silent_s(now, view.unix)
        self.show_health(silent_s if silent_s > SILENT_AFTER_S else 0.0, clock.words if clock else "")
        self._tell_outcomes(view, now, silent_s)
        self.tell_waiting(now)
        if self._collector is not None and not self._collecting and view.markets:
            self._start_collecting(self._collector)

    def expire_dialog(self, now: float) -> None:
        """Let the uppermost dialog close if its time is over; ``now`` in monotonic seconds."""
        if isinstance(self.screen, Dialog):
            self.screen.expire(now)

    def show_health(self, silent_s: float, console: str) -> None:
        """Say for how long the session has not been heard of, seconds, 0.0 while it is; and what ails the console."""
        self._desk.silent_s = silent_s
        self._main.show_health(silent_s, console)

    def tell_waiting(self, now: float) -> None:
        """Say which commands have no answer yet; ``now`` in monotonic seconds."""
        for news in self._desk.waiting.news(now, self._desk.silent_s):
            self.say(news.text, title=news.title, severity="warning", timeout=_BAD_OUTCOME_TOAST_S)

    def show(self, view: ConsoleView) -> None:
        """Draw a view at once, all of it."""
        self._draw(view, True, True)
        self._tell_outcomes(view, self._clock(), 0.0)

    def _draw(self, view: ConsoleView, table: bool, money: bool) -> None:
        kill = self._link.kill_view
        if kill is not None:
            view = msgspec.structs.replace(view, kill=kill)
        self._desk.view = view
        self._main.show(view, table=table, money=money)
        if view.alarm_calls > self._rung:
            self._rung = view.alarm_calls
            if not (self._killing.was_pulled_here() and _is_all_of_a_kill(view)):
                self.bell()
        if isinstance(self.screen, Dialog) and self.screen.follow(view):
            self.say("What it was about has changed; ask again.", title="Nothing done", severity="warning")

    def _draw_kill(self) -> None:
        """Tell at once that the switch was pulled."""
        if self._desk.view is not None:
            self._draw(self._desk.view, True, True)
        else:
            self._main.strip.show(None, kill=self._link.kill_view)

    def _tell_outcomes(self, view: ConsoleView, now: float, silent_s: float) -> None:
        """Say what became of the orders that this console's acts wanted gone, once it is known."""
        for outcome in self._trading.outcomes.told(view.results, now, silent_s):
            severity: Severity = "warning" if outcome.is_bad else "information"
            self.say(outcome.text, title=outcome.title, severity=severity, timeout=_BAD_OUTCOME_TOAST_S)

    def _start_collecting(self, collector: QuietCollector) -> None:
        self._collecting = True
        self.call_after_refresh(collector.take_over)
        self.set_interval(PERIOD_S, lambda: self.call_after_refresh(collector.collect))

    # Words to the operator

    def say(self, text: str, *, title: str = "", severity: Severity = "information", timeout: float = TOAST_S) -> None:
        """Show a toast; both texts may be foreign. May be called from any thread."""
        self._desk.say(text, title=title, severity=severity, timeout=timeout)

    def on_said(self, message: Said) -> None:
        """Show it; a word on the same cause as the last one takes its place."""
        if message.title == self._toast_title:
            self.clear_notifications()
        self._toast_title = message.title
        self.notify(
            fit(clean(message.text), _TOAST_CELLS).rstrip(),
            title=fit(clean(message.title), _TOAST_TITLE_CELLS).rstrip(),
            severity=message.severity,
            timeout=message.timeout,
            markup=False,
        )

    def on_answered(self, message: Answered) -> None:
        """Go on with what the session answered."""
        message.then(message.result)

    # Acts

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what cannot be done now."""
        if action == "trade":
            return None if self._trading.why_not(ACT_BY_ID[str(parameters[0])]) else True
        return None if action == "kill" and self._desk.watches else True

    def on_key(self, event: Key) -> None:
        """Say why a dimmed act cannot be done, when its key is pressed."""
        active = self.screen.active_bindings.get(event.key)
        if active is not None and not active.enabled:
            self.action_refuse(active.binding.id or "")

    def action_refuse(self, identity: str) -> None:
        """Say why a dimmed act cannot be done."""
        act = ACT_BY_ID.get(identity)
        if act is None or act.command is None:
            return
        if act.command == "kill":
            self._killing.press()
        else:
            self.say(self._trading.why_not(act), title=act.word.rstrip("…"), severity="warning")

    def action_trade(self, identity: str, choice: Act | None = None) -> None:
        """Carry out an act of the operator table that the session does; asks first where the table says so.

        Args:
            identity: of the act.
            choice: what its form proposes, of an act that has choices.
        """
        self._trading.act(identity, choice)

    def action_leader(self) -> None:
        """Offer the acts on everything."""

        def chosen(identity: str | None) -> None:
            if identity:
                self.action_trade(identity)

        self.push_screen(LeaderScreen(), chosen)

    def action_kill(self) -> None:
        """First half of KILL, or the second when the first has just been pressed."""
        self._killing.press()

    def action_ask_quit(self) -> None:
        """Ask what becomes of the session, and leave."""
        self._leaving.ask()

    def action_help(self) -> None:
        """Explain the keys."""
        self.clear_notifications()
        self.push_screen(HelpScreen(self.screen, self._desk.keys_of))

    def action_palette(self) -> None:
        """Search the acts by name; imported on use, because its widgets cost start-up time."""
        from polymm_tui.screens.palette import open_palette

        open_palette(self)

    def action_next_theme(self) -> None:
        """Go on to the next theme."""
        place = THEME_NAMES.index(self.theme) if self.theme in THEME_NAMES else -1
        self.theme = THEME_NAMES[(place + 1) % len(THEME_NAMES)]
        self.say(self.theme.removeprefix("polymm-"), title="theme")

    def action_picture(self) -> None:
        """Write a picture of the page to a file of its own."""
        unix = self._desk.view.unix if self._desk.view else 0.0
        try:
            path = keep_picture(pictures_home(os.environ), self.export_screenshot(), unix)
        except OSError as error:
            self.say(f"not written: {error}", title="screenshot", severity="warning")
            return
        self.say(f"{path.name} in {path.parent}", title="screenshot", timeout=_BAD_OUTCOME_TOAST_S)


def _is_all_of_a_kill(view: ConsoleView) -> bool:
    """Nothing else than a kill calls for somebody to act now."""
    return all(alarm.code in OF_A_KILL for alarm in view.alarms if alarm.priority == 1 and calls(alarm))
