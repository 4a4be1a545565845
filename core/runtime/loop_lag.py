"""How late the loop is: a short timer, and how much later than asked it fires."""

import asyncio
from collections.abc import Callable
from typing import Final

from core.clock import Clock
from core.risk.vitals import LAG_NO_NEW_SEC

PERIOD_SEC: Final = 0.05


class LoopLag:
    """Measures one loop; several may read it, each for itself."""

    def __init__(self, clock: Clock, on_stall: Callable[[float], None] | None = None) -> None:
        """Nothing is measured before :meth:`run`.

        Args:
            clock: what lateness is measured with.
            on_stall: told the seconds when the loop stood still for longer than
                :data:`core.risk.vitals.LAG_NO_NEW_SEC`.
        """
        self._clock = clock
        self._on_stall = on_stall
        self._worst: list[float] = []
        """Seconds since each reader's last look."""

    def reader(self) -> Callable[[], float]:
        """A function that tells the longest delay since it was last called, seconds."""
        index = len(self._worst)
        self._worst.append(0.0)

        def read() -> float:
            worst, self._worst[index] = self._worst[index], 0.0
            return worst

        return read

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            due = self._clock.monotonic() + PERIOD_SEC
            await asyncio.sleep(PERIOD_SEC)
            late = self._clock.monotonic() - due
            self._worst = [max(worst, late) for worst in self._worst]
            if late > LAG_NO_NEW_SEC and self._on_stall is not None:
                self._on_stall(late)
