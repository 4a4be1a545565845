"""The confirmation strip: what, how much, worst cost, how long it stands; the safe answer is marked."""

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from textual.binding import BindingType
from textual.geometry import Size

from core.views import ConsoleView
from polymm_tui.screens.bindings import bindings_of, live_keys
from polymm_tui.screens.dialogs import Dialog, wrapped
from widgets.format import fit
from widgets.line_widget import Row, row

CONFIRM_WINDOW_S: Final = 10.0
PREVIEW_WINDOW_S: Final = 60.0
"""For a question with figures to read."""
ARMING_S: Final = 0.15
"""A question ignores answers this long, so that keys typed before it appeared do not answer it."""

Reply = Literal["yes", "no", "leave"]
_KEY_OF: Final[dict[Reply, str]] = {"yes": "confirm.yes", "no": "confirm.no", "leave": "confirm.quit"}
"""The act whose key gives a reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked before an act."""

    title: str
    """What it is about; may be foreign text."""
    sentences: Sequence[str]
    """Object, amount, worst cost, and what cannot be undone; may contain foreign text."""
    yes: str
    """Word for the dangerous answer."""
    no: str
    """Word for the answer that changes nothing."""
    leave: str = ""
    """Word for leaving with the key that asks to quit, which is then the safe answer; "" where that is none."""
    is_about_quitting: bool = False
    """The key that asks to quit says yes, unless it leaves."""
    about: Callable[[ConsoleView], Hashable] | None = None
    """Picks out of a view what the question is about; when that changes, the question closes."""
    window_s: float = CONFIRM_WINDOW_S
    """It closes by itself after this, seconds."""
    market: str = ""
    """Condition id of the market it is about, whose ladder stays in sight; "" where it is about no single one."""

    @property
    def answers(self) -> tuple[tuple[Reply, str], ...]:
        """Replies with their words, in the order shown."""
        left: tuple[tuple[Reply, str], ...] = (("leave", self.leave),) if self.leave else ()
        return (*left, ("yes", self.yes), ("no", self.no))

    @property
    def safe(self) -> Reply:
        """The reply that is marked at first."""
        return "leave" if self.leave else "no"


class ConfirmScreen(Dialog[Reply]):
    """Asks a question and answers with a reply; None when it closed without one."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of("confirm")

    def __init__(self, question: Question, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare the question; ``clock`` tells monotonic seconds."""
        super().__init__(question.title, question.window_s, question.about)
        self.question = question
        self._clock = clock
        self._opened = clock()
        self._marked: Reply = question.safe

    def lines(self, room: Size) -> list[Row]:
        """The sentences, the answers, and how long they can be given."""
        live = live_keys(self)
        answers = [
            part
            for reply, word in self.question.answers
            for part in (
                (f" {live[_KEY_OF[reply]][0][0]}  {word} ", "badge" if reply == self._marked else "muted"),
                "   ",
            )
        ]
        keys = f"{live['confirm.choose'][0][0]}: other   {live['confirm.enter'][0][0]}: take the marked"
        return [
            *[row(f" {line}") for line in wrapped(self.question.sentences, room)],
            row(),
            row(" ", *answers[:-1]),
            row((f" {fit(f'{keys}   {self.closing}', max(20, room.width - 4)).rstrip()}", "muted")),
        ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The quit key answers only the question about quitting."""
        return action != "answer_quit" or self.question.is_about_quitting

    def _reply(self, reply: Reply) -> None:
        """Give a reply; one that does anything is not heard before the question has stood a moment."""
        if reply == "no" or self._clock() - self._opened >= ARMING_S:
            self.dismiss(reply)

    def action_answer(self, yes: bool) -> None:
        """Yes or no."""
        self._reply("yes" if yes else "no")

    def action_answer_quit(self) -> None:
        """What the key that asked to quit means here."""
        self._reply("leave" if self.question.leave else "yes")

    def action_enter(self) -> None:
        """Give the marked answer."""
        self._reply(self._marked)

    def action_choose(self) -> None:
        """Mark the next answer."""
        replies = [reply for reply, _ in self.question.answers]
        self._marked = replies[(replies.index(self._marked) + 1) % len(replies)]
        self.draw()
