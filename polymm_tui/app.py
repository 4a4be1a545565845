"""The console: keys in, commands out, the newest view on the screen.

It knows no trading rule and keeps no number. The session runs elsewhere; the console reads ``link.view`` on a clock
of its own and sends :class:`~core.events.OperatorCommand`. Nothing here waits for the session.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ClassVar, Final

import msgspec
from textual.app import App
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen

from core.events import Act, OperatorCommand
from core.runtime.link import CommandResult, ConsoleLink
from core.views import ConsoleView, KillReportView, KillView, MarketView
from polymm_tui.collector import PERIOD_S, QuietCollector
from polymm_tui.keymap import KeymapResult, key_text
from polymm_tui.operator import ACT_BY_ID, OperatorAct
from polymm_tui.screens.bindings import bindings_of
from polymm_tui.screens.dialogs import (
    DIALOG_CSS,
    PREVIEW_WINDOW_S,
    ConfirmScreen,
    Dialog,
    FormScreen,
    HelpScreen,
    KillScreen,
    LeaderScreen,
)
from polymm_tui.screens.forms import (
    OPERATIONS,
    command_of,
    flatten_all_form,
    flatten_subject,
    form_of,
    proposed_operation,
    rearm_form,
    subject_of,
)
from polymm_tui.screens.listing import LIST_ANSWERS, list_question, nothing_waits, proposed
from polymm_tui.screens.main import PAGE_CSS, MainScreen
from polymm_tui.screens.pacing import EngineWatch, FrameClock, Pace
from polymm_tui.themes import DEFAULT_THEME, ROLE_DEFAULTS, THEME_NAMES, THEMES
from widgets.format import clean, fit, whole_usd
from widgets.status_strip import SILENT_AFTER_S

_TOAST_CSS: Final = """
ToastRack { dock: top; align: right top; margin: 2 0 0 0; height: auto; }
MainScreen ToastRack { dock: bottom; align: right bottom; margin: 0 0 2 0; }
Toast { width: 58; max-width: 100%; padding: 0 1; margin: 0; background: $panel; }
"""
_LADDER_PERIOD_S: Final = 0.09
"""A little less than a frame at ten a second, so that a tick of the timer that comes early is not lost."""
_TABLE_PERIOD_S: Final = 0.5
_MONEY_PERIOD_S: Final = 1.0
_TOAST_S: Final = 4.0
_KEYMAP_TOAST_S: Final = 15.0
_TOAST_CELLS: Final = 240


class CommandAnswered(Message):
    """The session said what became of a command."""

    def __init__(self, title: str, result: CommandResult) -> None:
        super().__init__()
        self.title = title
        self.result = result


class PreviewAnswered(Message):
    """The session said what a command of a form would do."""

    def __init__(self, form: FormScreen, market: MarketView, command: OperatorCommand, result: CommandResult) -> None:
        super().__init__()
        self.form = form
        self.market = market
        self.command = command
        """As it will be sent, not as a preview."""
        self.result = result


class FlattenAnswered(Message):
    """The session said what a flattening would do."""

    def __init__(self, title: str, market: MarketView | None, result: CommandResult) -> None:
        super().__init__()
        self.title = title
        self.market = market
        """None: all of them."""
        self.result = result


class FormAnswered(Message):
    """The session said what became of a form that was sent as it was."""

    def __init__(self, form: FormScreen, title: str, result: CommandResult) -> None:
        super().__init__()
        self.form = form
        self.title = title
        self.result = result


class ConsoleApp(App[str], inherit_bindings=False):
    """The console over a link.

    Returns from ``run_async`` with ``"quit"`` when the operator left and ``"ended"`` when the session ended by
    itself. After a crash ``return_value`` is None and ``return_code`` is 1.
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
        super().__init__()
        self.animation_level = "none"
        self.title = "polymm-tui"
        self._link = link
        self._operator_keys = keymap
        self._fps = fps
        self._collector = collector
        self._on_painted = on_painted
        self._clock = clock
        self._frames = FrameClock(fps) if fps else None
        self._watch = EngineWatch()
        self._ladder_pace = Pace(_LADDER_PERIOD_S)
        self._table_pace = Pace(_TABLE_PERIOD_S)
        self._money_pace = Pace(_MONEY_PERIOD_S)
        self._collecting = False
        self._watched = ""
        self._kill: KillView | None = None
        self._view: ConsoleView | None = None
        self._main = MainScreen()
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

    def keys_of(self, identity: str) -> list[str]:
        """Labels of the keys of an act."""
        return [key_text(key) for key in self._operator_keys.keys[identity]]

    def on_mount(self) -> None:
        """Start the clocks and say what was wrong with the key map."""
        for message in self._operator_keys.messages:
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
        view = self._link.view
        news = self._kill_news()
        if view is None:
            if news:
                self._main.strip.show(None, kill=self._kill)
            return
        ladder, table, money = [
            pace.due(now, view.seq) for pace in (self._ladder_pace, self._table_pace, self._money_pace)
        ]
        awaits_details = self._watch_selected()
        if ladder or table or money or news:
            self._draw(view, table or news, money or awaits_details or news)
        silent_s = self._watch.silent_s(now, view.unix)
        self._main.show_health(silent_s if silent_s > SILENT_AFTER_S else 0.0, clock.words if clock else "")
        if self._collector is not None and not self._collecting and view.markets:
            self._start_collecting(self._collector)

    def expire_dialog(self, now: float) -> None:
        """Let the uppermost dialog close if its time is over; ``now`` in monotonic seconds."""
        if isinstance(self.screen, Dialog):
            self.screen.expire(now)

    def _kill_news(self) -> bool:
        """The kill switch says something new; it is asked itself, because the session may hang."""
        kill, old = self._link.kill_view, self._kill
        if kill is None or (old is not None and _said_of(kill) == _said_of(old)):
            return False
        self._kill = kill
        return True

    def _watch_selected(self) -> bool:
        """Ask the session for the details of the selected market; True while they are to be shown and have not come."""
        market = self._main.market
        if market is None:
            return False
        if market.market != self._watched:
            self._watched = market.market
            self._link.watch(market.market)
        return not market.detailed and bool(self._main.shown & {"why", "results", "inventory"})

    def show(self, view: ConsoleView) -> None:
        """Draw a view at once, all of it."""
        self._draw(view, True, True)

    def _draw(self, view: ConsoleView, table: bool, money: bool) -> None:
        kill = self._link.kill_view
        if kill is not None:
            view = msgspec.structs.replace(view, kill=kill)
        self._view = view
        self._main.show(view, table=table, money=money)
        if isinstance(self.screen, ConfirmScreen) and self.screen.follow(view):
            self.say("What the question was about has changed; ask again.", title="Nothing done", severity="warning")

    def _start_collecting(self, collector: QuietCollector) -> None:
        self._collecting = True
        self.call_after_refresh(collector.take_over)
        self.set_interval(PERIOD_S, lambda: self.call_after_refresh(collector.collect))

    # Words to the operator

    def say(self, text: str, *, title: str = "", severity: str = "information", timeout: float = _TOAST_S) -> None:
        """Show a toast; both texts may be foreign."""
        self.notify(
            fit(clean(text), _TOAST_CELLS).rstrip(),
            title=fit(clean(title), 50).rstrip(),
            severity="warning" if severity == "warning" else "information",
            timeout=timeout,
            markup=False,
        )

    # Commands

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim acts on a market while there is none, or none to be seen, and what asks with text to be read."""
        if action != "trade":
            return True
        act = ACT_BY_ID[str(parameters[0])]
        if act.command in LIST_ANSWERS:
            return True if self._main.readable else None
        if act.scope != "main":
            return True
        return True if self._main.market is not None and self._main.readable else None

    def action_trade(self, identity: str, choice: Act | None = None) -> None:
        """Carry out an act of the operator table that changes orders; asks first where the table says so.

        Args:
            identity: of the act.
            choice: what its form proposes, of an act that has choices.
        """
        act = ACT_BY_ID[identity]
        market = self._main.market
        if act.command == "flatten_all":
            self._preview_flatten(act, None)
        elif act.command == "rearm":
            self._fill_in_rearm()
        elif act.command in LIST_ANSWERS:
            self._ask_list(act)
        elif act.scope != "main":
            self._send(act, None)
        elif market is None:
            self.say("No market is selected.", title=act.word)
        elif act.friction == "confirm":
            self._preview_flatten(act, market)
        elif act.friction == "form":
            self._fill_in(act, market, choice)
        else:
            self._send(act, market)

    def _send(self, act: OperatorAct, market: MarketView | None) -> None:
        if act.command is None:
            return
        title = f"{act.word.rstrip('…')}: {market.title}" if market else act.word.rstrip("…")
        command = OperatorCommand(act=act.command, market=market.market if market else "", view_seq=self._seq)
        self._send_command(title, command)

    @property
    def _seq(self) -> int:
        """Of the view on show; 0 before the first."""
        return self._view.seq if self._view else 0

    def _send_command(self, title: str, command: OperatorCommand) -> None:
        def answered(future: Future[CommandResult]) -> None:
            self.post_message(CommandAnswered(title, future.result()))

        self._link.send(command).add_done_callback(answered)

    def on_command_answered(self, message: CommandAnswered) -> None:
        """Say what became of a command."""
        severity = "information" if message.result.done else "warning"
        self.say(message.result.text, title=message.title, severity=severity)

    # The market list

    def _ask_list(self, act: OperatorAct) -> None:
        """Show what waits in the market list and ask; the command names exactly what was shown."""
        listing = self._view.market_list if self._view else None
        proposal = listing.proposal if listing else None
        if act.command is None or self._view is None or listing is None or proposal is None:
            self.say(nothing_waits(listing), title="Market list")
            return
        command = OperatorCommand(act=act.command, view_seq=self._seq, confirm=proposal.token)
        question = list_question(act.command, proposal, self._view.unix, self.size)

        def answer(yes: bool | None) -> None:
            if yes:
                self._send_command(question.title, command)

        self._ask(
            ConfirmScreen(
                question.title,
                question.sentences,
                question.yes,
                "leave it waiting",
                about=proposed,
                window_s=PREVIEW_WINDOW_S,
                clock=self._clock,
            ),
            answer,
        )

    # Forms

    def _fill_in(self, act: OperatorAct, market: MarketView, choice: Act | None) -> None:
        """Open the form of an act; what it would do is shown before it is done."""
        if act.command is None or self._view is None:
            return
        proposed = choice or act.command
        if choice is None and proposed in OPERATIONS:
            proposed = proposed_operation(market.inventory)
        form = form_of(proposed, market, self._view.account, self._view.controls)

        def submit(screen: FormScreen, command: OperatorCommand) -> None:
            if form.previews:
                self._preview(screen, market, command)
            else:
                self._send_form(screen, f"{command.act}: {market.title}", command)

        self.push_screen(
            FormScreen(
                f"{form.title}: {market.title}",
                form,
                lambda texts: command_of(form, texts, market.market, self._seq),
                submit,
            )
        )

    def _fill_in_rearm(self) -> None:
        """Ask for the word and the reason that lift a kill, a loss or a drawdown stop."""
        kill = self._link.kill_view or (self._view.kill if self._view else KillView())
        form = rearm_form(kill, self._view.controls if self._view else ())
        self.push_screen(
            FormScreen(
                form.title,
                form,
                lambda texts: command_of(form, texts, "", self._seq),
                lambda screen, command: self._send_form(screen, "re-arm", command),
            )
        )

    def _send_form(self, form: FormScreen, title: str, command: OperatorCommand) -> None:
        def answered(future: Future[CommandResult]) -> None:
            self.post_message(FormAnswered(form, title, future.result()))

        self._link.send(command).add_done_callback(answered)

    def on_form_answered(self, message: FormAnswered) -> None:
        """Close the form when it was carried out; otherwise say in it why not, as long as it stands."""
        form, result = message.form, message.result
        if not result.done and form.is_attached:
            form.tell(result.text)
            if _asks_flatten_all(form):  # what it was refused for has moved: show what holds now
                self._preview_flatten(ACT_BY_ID["all.flatten"], None)
            return
        severity = "information" if result.done else "warning"
        self.say(result.text, title=message.title, severity=severity)
        if self.screen is form:
            form.dismiss(None)

    def _preview(self, form: FormScreen, market: MarketView, command: OperatorCommand) -> None:
        def answered(future: Future[CommandResult]) -> None:
            self.post_message(PreviewAnswered(form, market, command, future.result()))

        self._link.send(msgspec.structs.replace(command, preview=True)).add_done_callback(answered)

    def on_preview_answered(self, message: PreviewAnswered) -> None:
        """Ask whether to do what the form says, unless it was left or something else stands above it meanwhile."""
        form, market, command, result = message.form, message.market, message.command, message.result
        if self.screen is not form:
            return
        if not result.done:
            form.tell(result.text)
            return

        def answer(yes: bool | None) -> None:
            if yes:
                self._send_command(f"{command.act.replace('_', ' ')}: {market.title}", command)
                form.dismiss(None)

        self._ask(
            ConfirmScreen(
                form.heading,
                result.text.split("\n"),
                "do it",
                "back to the form",
                about=lambda view: subject_of(command, view),
                window_s=PREVIEW_WINDOW_S,
                clock=self._clock,
            ),
            answer,
        )

    # Flattening

    def _preview_flatten(self, act: OperatorAct, market: MarketView | None) -> None:
        """Ask the session what closing a market's position, or every one, would do; the answer asks the operator."""
        if act.command is None:
            return
        word = act.word.rstrip("…")
        title = f"{word}: {market.title}" if market else word

        def answered(future: Future[CommandResult]) -> None:
            self.post_message(FlattenAnswered(title, market, future.result()))

        identity = market.market if market else ""
        command = OperatorCommand(act=act.command, market=identity, view_seq=self._seq, preview=True)
        self._link.send(command).add_done_callback(answered)

    def on_flatten_answered(self, message: FlattenAnswered) -> None:
        """Ask whether to do what the preview says; a refused preview is told, and so is one that came too late."""
        market, result, title = message.market, message.result, message.title
        if not result.done or not result.confirm:
            self.say(result.text, title=title, severity="warning")
        elif market is None and _asks_flatten_all(self.screen):
            self._ask_flatten_all(result)
        elif self.screen is not self._main:
            self.say("Its preview came while something else was asked; ask again.", title=title, severity="warning")
        elif market is None:
            self._ask_flatten_all(result)
        else:
            self._ask_flatten(title, market, result)

    def _ask_flatten(self, title: str, market: MarketView, preview: CommandResult) -> None:
        def answer(yes: bool | None) -> None:
            if yes:
                command = OperatorCommand(
                    act="flatten", market=market.market, view_seq=self._seq, confirm=preview.confirm
                )
                self._send_command(title, command)

        self._ask(
            ConfirmScreen(
                f"Flatten: {market.title}",
                preview.text.split("\n"),
                "flatten",
                "keep the position",
                about=lambda view: flatten_subject(market, view),
                clock=self._clock,
            ),
            answer,
        )

    def _ask_flatten_all(self, preview: CommandResult) -> None:
        """Ask for the word; while the form stands a new preview takes the place of the one that was refused."""
        form, screen = flatten_all_form(preview.text, preview.confirm), self.screen
        if isinstance(screen, FormScreen):
            screen.renew(form)
            return
        asked = FormScreen(
            form.title,
            form,
            lambda texts: command_of(asked.form, texts, "", self._seq),
            lambda screen, command: self._send_form(screen, "flatten all", command),
        )
        self.push_screen(asked)

    def _ask(self, question: ConfirmScreen, answer: Callable[[bool | None], None]) -> None:
        if not isinstance(self.screen, ConfirmScreen):
            if self._view is not None:
                question.follow(self._view)
            self.push_screen(question, answer)

    def action_leader(self) -> None:
        """Offer the acts on everything."""

        def chosen(identity: str | None) -> None:
            if identity:
                self.action_trade(identity)

        self.push_screen(LeaderScreen(), chosen)

    def action_kill(self) -> None:
        """First half of KILL, or the second when the first has just been pressed."""
        if isinstance(self.screen, KillScreen):
            self.screen.action_again()
            return

        def answer(yes: bool | None) -> None:
            if yes:
                self._pull()

        if isinstance(self.screen, LeaderScreen):
            self.screen.dismiss(None)
        self.push_screen(KillScreen([*self.keys_of("kill.again"), *self.keys_of("app.kill")]), answer)

    def _pull(self) -> None:
        """KILL, on this thread: the session may hang. The strip tells what became of it from the next frame on."""
        self._link.kill("the operator's key")
        kill = self._link.kill_view
        if kill is not None and not kill.killed:
            self.say("The kill switch did not answer; use `polymm-tui kill`.", title="KILL", severity="warning")
        if self._view is not None:
            self._draw(self._view, True, True)
        else:
            self._main.strip.show(None, kill=kill)

    def action_ask_quit(self) -> None:
        """Ask whether to stop everything and leave."""
        view = self._view
        orders = f"{view.open_orders} open orders ({whole_usd(view.open_notional)})" if view else "all orders"
        sentences = [f"The session stops and cancels {orders}. Positions stay as they are."]
        if view and view.foreign_orders:
            sentences.append(f"Orders on the account that are not ours stay too: {len(view.foreign_orders)}.")

        def answer(yes: bool | None) -> None:
            if yes:
                self.exit("quit")

        self._ask(
            ConfirmScreen(
                "Quit",
                sentences,
                "stop and quit",
                "go on watching" if view and view.kill.killed else "go on trading",
                quitting=True,
                clock=self._clock,
            ),
            answer,
        )

    def action_help(self) -> None:
        """Explain the keys."""
        self.push_screen(HelpScreen(self.screen, self.keys_of))

    def action_palette(self) -> None:
        """Search the acts by name; imported on use, because its widgets cost start-up time."""
        from polymm_tui.screens.palette import open_palette

        open_palette(self)

    def action_next_theme(self) -> None:
        """Go on to the next theme."""
        place = THEME_NAMES.index(self.theme) if self.theme in THEME_NAMES else -1
        self.theme = THEME_NAMES[(place + 1) % len(THEME_NAMES)]
        self.say(self.theme.removeprefix("polymm-"), title="theme")


def _said_of(kill: KillView) -> tuple[bool, KillReportView | None, bool]:
    """What of a kill switch is worth a redraw: ages change with every look."""
    return kill.killed, kill.report, kill.watchdog_up


def _asks_flatten_all(screen: Screen[Any]) -> bool:
    return isinstance(screen, FormScreen) and screen.form.act == "flatten_all"
