"""Garbage collection in small pieces at quiet moments.

A collection of the oldest generation stops every thread of the process, the trading one too: up to a tenth of a
second with default settings. Here what exists after start is set aside for good, the automatic collector is switched
off, and the user interface collects by a timer just after a paint, while little garbage has gathered. What has lived on
is set aside too when a collection takes long, or each would walk over everything that a console keeps.
"""

import gc
import time
from collections.abc import Iterable, Sequence
from typing import Final

PERIOD_S: Final = 0.3
"""Time between collections of a console."""
FREEZE_OVER_S: Final = 0.005
"""A collection that took longer sets aside what is alive; a dialog that is open then is never freed."""
_HEADLESS_THRESHOLDS: Final = (50_000, 20, 20)


class QuietCollector:
    """Takes over from Python's own collector until :meth:`restore`.

    Attributes:
        last_pause_s: length of the last collection, seconds.
        max_pause_s: longest collection since the take-over, seconds.
        runs: collections since the take-over.
    """

    def __init__(self) -> None:
        self.last_pause_s = 0.0
        self.max_pause_s = 0.0
        self.runs = 0
        self._before: tuple[bool, tuple[int, int, int]] | None = None
        self._started = 0.0

    def take_over(self) -> None:
        """Set aside all that exists and switch the automatic collector off; call when the first screen stands."""
        _paint_without_cycles()
        self._freeze()
        gc.disable()

    def take_over_headless(self) -> None:
        """Set aside all that exists and let the automatic collector run seldom: there is nothing that paints."""
        self._freeze()
        gc.set_threshold(*_HEADLESS_THRESHOLDS)
        gc.callbacks.append(self._watch)

    def collect(self) -> None:
        """Collect now and note how long it took; nothing before :meth:`take_over`."""
        if self._before is None:
            return
        started = time.perf_counter()
        gc.collect()
        pause_s = time.perf_counter() - started
        if pause_s > FREEZE_OVER_S:
            gc.freeze()
        self._note(pause_s)

    def restore(self) -> None:
        """Give everything back to Python's own collector as it was."""
        if self._before is None:
            return
        enabled, thresholds = self._before
        self._before = None
        if self._watch in gc.callbacks:
            gc.callbacks.remove(self._watch)
        gc.unfreeze()
        gc.set_threshold(*thresholds)
        if enabled:
            gc.enable()

    def _freeze(self) -> None:
        if self._before is None:
            self._before = (gc.isenabled(), gc.get_threshold())
        gc.collect()
        gc.freeze()

    def _note(self, pause_s: float) -> None:
        self.last_pause_s = pause_s
        self.max_pause_s = max(self.max_pause_s, pause_s)
        self.runs += 1

    def _watch(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._started = time.perf_counter()
        else:
            self._note(time.perf_counter() - self._started)


def _paint_without_cycles() -> None:
    """Keep Textual's strips from keeping themselves: what was painted is then freed at once, and is no garbage.

    A strip that is cut at its own end is remembered as its only piece (Textual 8.2, ``Strip.divide``).
    """
    from textual.strip import Strip

    divide = Strip.divide
    if divide.__module__ == __name__:
        return

    def divide_without_cycle(strip: Strip, cuts: Iterable[int]) -> Sequence[Strip]:
        within = [cut for cut in cuts if cut <= strip.cell_length]
        return [strip] if within == [strip.cell_length] else divide(strip, within)

    Strip.divide = divide_without_cycle  # type: ignore[method-assign,assignment]
