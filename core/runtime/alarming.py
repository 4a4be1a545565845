"""The alarms of one run: fed with its views once a second, told in its event log, operated like everything else."""

from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from core.alarms.board import AlarmBoard, Answer
from core.alarms.conditions import conditions
from core.events import OperatorCommand
from core.runtime.link import CommandResult
from core.views import AlarmPriority, AlarmView, ConsoleView, Severity

LOOK_SEC: Final = 1.0
"""Least time between two looks at a view."""
ALARM_ACTS: Final = ("alarm_ack", "alarm_shelve", "alarm_unshelve")


class Note(Protocol):
    """Tells the operator."""

    def __call__(self, severity: Severity, text: str, market: str = "") -> None:
        """One line of the event log."""
        ...


class Alarming:
    """Holds a board, and the views of it that a console sees. Times are monotonic seconds."""

    def __init__(self, note: Note) -> None:
        """No alarm; ``note`` takes the lines."""
        self.views: tuple[AlarmView, ...] = ()
        """As of the last look or act."""
        self._board = AlarmBoard()
        self._note = note
        self._looked_s = float("-inf")
        self._lag_ms = 0.0
        """Longest delay of the loop since the last look: views come more often."""

    @property
    def calls(self) -> int:
        """See :attr:`core.alarms.board.AlarmBoard.calls`."""
        return self._board.calls

    @property
    def raised(self) -> Mapping[str, int]:
        """How often alarms were raised so far, by code."""
        return self._board.raised

    def counts(self) -> tuple[Mapping[AlarmPriority, int], Mapping[AlarmPriority, int]]:
        """By priority: alarms that stand, and those that want to be acknowledged."""
        return self._board.counts()

    def look(self, view: ConsoleView, now: float) -> None:
        """Take what a view made at ``now`` says; at most once in :data:`LOOK_SEC`."""
        is_hearing = any(
            feed.sockets for feed in view.feeds if feed.name == "market"
        )  # before that a stall harms nobody
        self._lag_ms = max(self._lag_ms, view.loop_lag_ms) if is_hearing else 0.0
        if view.finished or now - self._looked_s < LOOK_SEC:
            return
        seen = msgspec.structs.replace(view, loop_lag_ms=self._lag_ms)
        self._looked_s, self._lag_ms = now, 0.0
        board = self._board
        for line in board.update(conditions(seen, board.standing), now, view.unix):
            self._note(line.severity, line.text, line.market)
        self._show(now)

    def command(self, command: OperatorCommand, now: float) -> CommandResult:
        """Acknowledge, shelve or take back from the shelf, or say why not."""
        board, key, who = self._board, command.subject, command.who
        match command.act:
            case "alarm_ack":
                answer = board.acknowledge(key, who)
            case "alarm_shelve":
                answer = board.shelve(key, command.for_s, command.reason, who, now)
            case "alarm_unshelve":
                answer = board.unshelve(key, who)
            case _:
                answer = Answer(False, f"{command.act}: this is no act on alarms")
        if answer.done:
            self._note("info", answer.text, answer.market)
            self._show(now)
        return CommandResult(done=answer.done, text=answer.text)

    def _show(self, now: float) -> None:
        self.views = self._board.views(now)
