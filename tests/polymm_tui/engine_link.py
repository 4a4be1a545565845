"""A console's link to a real engine that quotes two markets: what a command does is what the engine does with it."""

from concurrent.futures import Future

import msgspec

from core.actions import Note
from core.events import OperatorCommand
from core.runtime.link import Access, CommandResult
from core.viewing import Stage, console_view
from core.views import AlarmView, ConsoleView, KillView
from tests.builders import Driver, VenueBook, a_market
from tests.widgets.view_builders import a_listed_view

OTHER = "0x" + "cd" * 32
OUTSIDE = ("list_approve", "list_reject", "list_refresh", "alarm_ack", "alarm_shelve", "alarm_unshelve",
           "record_start", "record_stop", "stop")  # fmt: skip
"""Acts that the session around the engine answers."""


class EngineLink:
    """Time stands still but for :meth:`pass_time`; the venue confirms every cancel at once."""

    def __init__(self, alarms: tuple[AlarmView, ...] = ()) -> None:
        second = VenueBook(a_market(market=OTHER, yes="3" * 77, no="4" * 77, title="Will that?"))
        self.driver = Driver(VenueBook(), second).quoting(yes=300, no=200)
        self.access: Access = "own"
        self.ended = False
        self.alarms = alarms
        self.sent: list[OperatorCommand] = []
        self.answers: list[CommandResult] = []
        self.kills: list[str] = []
        self.kill_view: KillView | None = None
        self._seq = 0

    @property
    def view(self) -> ConsoleView:
        driver = self.driver
        self._seq += 1
        watched = frozenset(driver.engine.desks)
        stage = Stage(self._seq, "demo", driver.now, driver.unix, 1.5, "", (), watched=watched)
        view = console_view(driver.engine, stage)
        return msgspec.structs.replace(view, alarms=self.alarms, market_list=a_listed_view().market_list)

    def watch(self, market: str, ladders: tuple[str, ...] = ()) -> None:
        """Every market is told in full anyway."""

    def send(self, command: OperatorCommand) -> "Future[CommandResult]":
        future: Future[CommandResult] = Future()
        self.sent.append(command)
        self.answers.append(self._answer(command))
        future.set_result(self.answers[-1])
        return future

    def _answer(self, command: OperatorCommand) -> CommandResult:
        if command.act in OUTSIDE:
            return CommandResult(True, f"{command.act} taken")
        notes = [action for action in self.driver.send(command) if isinstance(action, Note)]
        self.driver.answer_cancels()
        if not notes:
            return CommandResult(False, "nothing was done")
        return CommandResult(not notes[-1].refused, notes[-1].text, notes[-1].confirm)

    def kill(self, reason: str) -> None:
        self.kills.append(reason)
        self.kill_view = KillView(killed=True, by="operator", reason=reason)
