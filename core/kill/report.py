"""What a kill has come to."""

from typing import Literal

import msgspec


class KillReport(msgspec.Struct, frozen=True):
    """A kill as far as its killer knows; the newest one says all."""

    pull: int
    """Which pull of the switch it answers (:attr:`core.kill.page.Page.pull`)."""
    by: str
    """Who or what pulled."""
    reason: str
    killer: Literal["watchdog", "shell", "session"]
    """Who cancels: the watchdog, a command that found none, or a session where nothing rests at a venue."""
    began_unix: float
    elapsed_s: float = 0.0
    sent: int = 0
    """Requests that asked the venue to cancel."""
    confirmed: int = 0
    """Orders that it named as cancelled."""
    left: int | None = None
    """Open by the last complete list; None when there was none yet."""
    unknown: int = 0
    """Seen open, and now neither confirmed nor open: cancelled or filled."""
    verified: bool = False
    """A complete list showed zero open orders twice in a row, the second time after the cancel was repeated."""
    trouble: str = ""
    """What keeps it from being verified, or a session from being stopped for good; "" when nothing does."""

    @property
    def words(self) -> str:
        """One line for people."""
        left = "unknown" if self.left is None else str(self.left)
        found = f"{self.sent} cancels sent, {self.confirmed} orders confirmed, {left} left, {self.unknown} unknown"
        if self.verified:
            but = self.trouble and f"; but {self.trouble}"
            return f"killed: {found}; zero open orders verified after {self.elapsed_s:.1f} s{but}"
        return f"killing: {found}; NOT verified{self.trouble and ': ' + self.trouble}"
