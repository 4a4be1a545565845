"""KILL: two keys from everywhere, carried out on this thread, whatever the session does."""

import math
from collections.abc import Callable
from typing import Final

from polymm_tui.console.desk import Desk
from polymm_tui.console.words import counted
from polymm_tui.screens.dialogs import KillScreen, LeaderScreen
from widgets.format import whole_usd

_OWN_S: Final = 10.0
"""Time after the operator's own KILL in which the alarm of it rings no bell."""
OF_A_KILL: Final = frozenset({"killed", "kill_unproven"})
"""Alarms of a kill, the second as long as the venue is being emptied."""


class Killing:
    """The operator's hand on the kill switch."""

    def __init__(self, desk: Desk, pulled: Callable[[], None]) -> None:
        """``pulled`` is called after the switch was pulled."""
        self._desk = desk
        self._pulled = pulled
        self._pulled_s = -math.inf

    def press(self) -> None:
        """First half of KILL, or the second when the first has just been pressed."""
        desk, screen = self._desk, self._desk.app.screen
        if isinstance(screen, KillScreen):
            screen.action_again()
            return
        if isinstance(screen, LeaderScreen):
            screen.dismiss(None)
        if desk.watches:
            desk.say("This console only watches: use `polymm-tui kill`.", title="KILL", severity="warning")
            return
        again = [*desk.keys_of("kill.again"), *desk.keys_of("app.kill")]
        desk.app.push_screen(KillScreen(again, self._what()), self._answered)

    def was_pulled_here(self) -> bool:
        """The operator of this console has just pulled it: nobody has to be called for that."""
        return self._desk.clock() - self._pulled_s < _OWN_S

    def _answered(self, yes: bool | None) -> None:
        if yes:
            self._pull()

    def _what(self) -> list[str]:
        """How much goes, as far as it is on show."""
        view = self._desk.view
        if view is None:
            return []
        foreign = f", and {counted(len(view.foreign_orders), 'order')} not ours" if view.foreign_orders else ""
        ours = f"{counted(view.open_orders, 'open order')} of ours ({whole_usd(view.open_notional)})"
        return [f"Now: {ours}{foreign}. Positions stay as they are: {whole_usd(view.gross_exposure)} exposed."]

    def _pull(self) -> None:
        """On this thread: the session may hang. The strip tells what became of it from the next frame on."""
        desk = self._desk
        self._pulled_s = desk.clock()
        desk.link.kill("the operator's key")
        kill = desk.link.kill_view
        if kill is not None and not kill.killed:
            desk.say("The kill switch did not answer; use `polymm-tui kill`.", title="KILL", severity="warning")
        self._pulled()
