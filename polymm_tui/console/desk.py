"""What every part of the console stands on: the session's link, the newest view, the page, words to the operator."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, Literal, TypeVar

import msgspec
from textual.app import App
from textual.geometry import Region
from textual.message import Message

from core.events import OperatorCommand
from core.runtime.link import CommandResult, ConsoleLink
from core.views import ConsoleView
from polymm_tui.console.waiting import Waiting
from polymm_tui.keymap import KeymapResult, key_text
from polymm_tui.screens.dialogs import Dialog
from polymm_tui.screens.main import MainScreen
from polymm_tui.screens.question import ConfirmScreen, Question, Reply

TOAST_S: Final = 3.0
Severity = Literal["information", "warning"]
_Result = TypeVar("_Result")


class Answered(Message):
    """The session answered a command; what follows is done on the console's loop."""

    def __init__(self, result: CommandResult, then: Callable[[CommandResult], None]) -> None:
        super().__init__()
        self.result = result
        self.then = then


class Said(Message):
    """Words for the operator, from whichever thread."""

    def __init__(self, text: str, title: str, severity: Severity, timeout: float) -> None:
        super().__init__()
        self.text = text
        self.title = title
        """Names the cause: a newer word on the same takes the older one's place."""
        self.severity: Severity = severity
        self.timeout = timeout


class Desk:
    """The operator's desk: nothing here waits for the session."""

    def __init__(
        self,
        app: App[Any],
        link: ConsoleLink,
        page: MainScreen,
        keymap: KeymapResult,
        clock: Callable[[], float],
    ) -> None:
        """Prepare; ``clock`` tells monotonic seconds."""
        self.app = app
        self.link = link
        self.page = page
        self.clock = clock
        self.view: ConsoleView | None = None
        """On show; None before the first."""
        self.silent_s = 0.0
        """For how long the session has not been heard of; 0.0 while it is."""
        self.waiting = Waiting()
        """Commands that the session has not answered."""
        self._keys = keymap.keys

    @property
    def seq(self) -> int:
        """Of the view on show; 0 before the first."""
        return self.view.seq if self.view else 0

    @property
    def watches(self) -> bool:
        """Nothing may be done to the session."""
        return self.link.access == "watching"

    def keys_of(self, identity: str) -> list[str]:
        """Labels of the keys of an act."""
        return [key_text(key) for key in self._keys[identity]]

    def say(self, text: str, *, title: str = "", severity: Severity = "information", timeout: float = TOAST_S) -> None:
        """Show a toast; both texts may be foreign. May be called from any thread."""
        self.app.post_message(Said(text, title, severity, timeout))

    def tell(self, title: str, result: CommandResult) -> None:
        """Say what the session answered."""
        self.say(result.text, title=title, severity="information" if result.done else "warning")

    def send(self, command: OperatorCommand, then: Callable[[CommandResult], None], title: str = "") -> None:
        """Hand a command to the session, with the view on show: what is asked was followed in it until now.

        Args:
            command: what to do.
            then: gets the session's answer, on the console's loop.
            title: names it for the operator while no answer comes; "" names the act.
        """
        number = self.waiting.sent(title or command.act.replace("_", " "), command, self.clock())

        def heard(result: CommandResult) -> None:
            self.waiting.answered(number)
            then(result)

        def answered(future: Future[CommandResult]) -> None:
            self.app.post_message(Answered(future.result(), heard))

        self.link.send(msgspec.structs.replace(command, view_seq=self.seq)).add_done_callback(answered)

    def ask(self, question: Question, yes: Callable[[], None], leave: Callable[[], None] | None = None) -> None:
        """Ask, unless something is asked already.

        Args:
            question: shown above the page, and closed when what it is about has changed.
            yes: done after a yes.
            leave: done when the operator leaves with the key that asks to quit.
        """
        if isinstance(self.app.screen, ConfirmScreen):
            return

        def answered(reply: Reply | None) -> None:
            if reply == "yes":
                yes()
            elif reply == "leave" and leave is not None:
                leave()

        self.open(ConfirmScreen(question, self.clock), answered, question.market)

    def open(
        self, dialog: Dialog[_Result], then: Callable[[_Result | None], None] | None = None, market: str = ""
    ) -> None:
        """Put a dialog above the page.

        Args:
            dialog: closes when what it is about has changed.
            then: gets its result.
            market: condition id of the market it is about, whose ladder it leaves in sight; "" for none.
        """
        if market:
            dialog.keep_clear = self._ladder
        if self.view is not None:
            dialog.follow(self.view)
        self.app.push_screen(dialog, then)

    def _ladder(self) -> Region | None:
        return self.page.ladder.region if "ladder" in self.page.shown else None
