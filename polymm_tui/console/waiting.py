"""Commands that the session has not answered: said soon, and called unknown when it stays silent. Pure."""

from dataclasses import dataclass
from typing import Final

from core.events import OperatorCommand
from polymm_tui.console.results import CANCELLING, LOST_S, Outcome

SLOW_S: Final = 0.7
"""An answer usually comes within a frame; after this the operator is told that it has not."""


@dataclass(slots=True)
class _Asked:
    title: str
    tells_outcome: bool
    """Its outcome is told as unknown here: nobody else waits for it."""
    sent_s: float
    is_told: bool = False


class Waiting:
    """What was asked and not answered yet."""

    def __init__(self) -> None:
        self._asked: dict[int, _Asked] = {}
        self._number = 0

    def sent(self, title: str, command: OperatorCommand, now: float) -> int:
        """A command left at ``now``, monotonic seconds; returns its number."""
        self._number += 1
        tells_outcome = not command.preview and command.act not in CANCELLING
        self._asked[self._number] = _Asked(title, tells_outcome, now)
        return self._number

    def answered(self, number: int) -> None:
        """The answer came."""
        self._asked.pop(number, None)

    def news(self, now: float, silent_s: float) -> list[Outcome]:
        """What the operator should be told of commands without an answer, each once.

        Args:
            now: monotonic seconds.
            silent_s: for which the session has not been heard of; 0.0 while it is.
        """
        told: list[Outcome] = []
        for number, asked in list(self._asked.items()):
            waited_s = now - asked.sent_s
            if not asked.is_told and (silent_s or waited_s >= SLOW_S):
                asked.is_told = True
                told.append(Outcome(asked.title, "asked; the session has not answered yet", True))
            elif silent_s >= LOST_S and waited_s >= LOST_S:
                del self._asked[number]
                if asked.tells_outcome:
                    told.append(Outcome(asked.title, "unknown: the session has not answered; it may do it later", True))
        return told
