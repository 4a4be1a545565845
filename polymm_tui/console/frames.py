"""The frame clock's work: what is drawn when, who is told what is looked at, what the kill switch itself says."""

from typing import Final

from core.runtime.link import ConsoleLink
from core.views import KillReportView, KillView
from polymm_tui.screens.main import MainScreen
from polymm_tui.screens.pacing import ByteBudget, EngineWatch, Pace
from polymm_tui.terminal_output import ThriftyDriver

_LADDER_PERIOD_S: Final = 0.09
"""A little less than a frame at ten a second, so that a tick of the timer that comes early is not lost."""
_TABLE_PERIOD_S: Final = 0.5
_MONEY_PERIOD_S: Final = 1.0
_MOST_WAITING: Final = 6
"""Writes that a terminal may not have taken: a frame is one, or three with marks around it."""


class KillNews:
    """Notices that the kill switch says something new; it is asked itself, because the session may hang."""

    def __init__(self, link: ConsoleLink) -> None:
        self._link = link
        self.kill: KillView | None = None
        """As last told."""

    def comes(self) -> bool:
        """It says something that was not told yet."""
        kill, old = self._link.kill_view, self.kill
        if kill is None or (old is not None and _said_of(kill) == _said_of(old)):
            return False
        self.kill = kill
        return True


class Gaze:
    """Tells the session what the operator looks at, because details cost."""

    def __init__(self, link: ConsoleLink, page: MainScreen) -> None:
        self._link = link
        self._page = page
        self._told: tuple[str, tuple[str, ...]] = ("", ())

    def follow(self) -> bool:
        """Tell what is looked at now; True while details are to be shown and have not come."""
        market = self._page.market
        if market is None:
            return False
        gaze = (market.market, self._page.ladders)
        if gaze != self._told:
            self._told = gaze
            self._link.watch(*gaze)
        return not market.detailed and self._page.wants_details


class Outlet:
    """The way to the terminal: does it keep up, and has it been sent enough."""

    def __init__(self) -> None:
        self._budget = ByteBudget()

    def is_stuck(self, driver: object) -> bool:
        """The terminal has not taken what was painted: nothing more is, so that keys are heard and memory stays."""
        return isinstance(driver, ThriftyDriver) and driver.waiting > _MOST_WAITING

    def is_spent(self, driver: object, now: float) -> bool:
        """Enough was sent lately; ``now`` in monotonic seconds."""
        return isinstance(driver, ThriftyDriver) and self._budget.is_spent(now, driver.octets)


class Rhythm:
    """Which parts of the page are due."""

    def __init__(self) -> None:
        self.engine = EngineWatch()
        self._ladder = Pace(_LADDER_PERIOD_S)
        self._table = Pace(_TABLE_PERIOD_S)
        self._money = Pace(_MONEY_PERIOD_S)

    def due(self, now: float, seq: int, *, spent: bool = False) -> tuple[bool, bool, bool]:
        """Whether ladders, tables and money are to be drawn from a view.

        Args:
            now: monotonic seconds.
            seq: of the view.
            spent: the terminal was sent enough: ladders and tables are drawn with the money only, once a second.
        """
        money = self._money.due(now, seq)
        table = (money or not spent) and self._table.due(now, seq)
        return (table or not spent) and self._ladder.due(now, seq), table, money


def _said_of(kill: KillView) -> tuple[bool, KillReportView | None, bool]:
    """What of a kill switch is worth a redraw: ages change with every look."""
    return kill.killed, kill.report, kill.watchdog_up
