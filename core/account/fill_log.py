"""The last fills of a session as a console shows them: how far each has settled, and what it was worth afterwards.

A fill is shown as it was when it was made, in the grid of that moment; what becomes of it replaces its line, and a line
that did not change is the same object as before.
"""

from typing import Final

import msgspec

from core.events import FillSeen
from core.orders.fills import Fill, Key
from core.portfolio.markouts import HORIZONS, Drift
from core.units import Grid
from core.views import FillView

KEPT: Final = 200
"""Fills that are told."""
_UNKNOWN: Final[tuple[float | None, ...]] = (None,) * len(HORIZONS)


class FillLog:
    """The last :data:`KEPT` fills of one engine."""

    def __init__(self) -> None:
        self._lines: dict[Key, FillView] = {}
        """Oldest first."""
        self._views: tuple[FillView, ...] | None = ()
        self._seq = 0

    @property
    def views(self) -> tuple[FillView, ...]:
        """Oldest first; the same object as before while nothing has changed."""
        if self._views is None:
            self._views = tuple(self._lines.values())
        return self._views

    def book(self, fill: Fill, word: FillSeen, grid: Grid, title: str, unix: float) -> None:
        """A fill is new.

        Args:
            fill: ours.
            word: what the venue says of it.
            grid: of its market at this moment.
            title: of its market; foreign text.
            unix: this moment, seconds, where the venue did not tell when it was matched.
        """
        self._seq += 1
        self._put(
            fill.key,
            FillView(
                seq=self._seq,
                unix=fill.unix or unix,
                market=fill.market,
                title=title,
                side=fill.side,
                price=fill.yes_price,
                grid_k=grid.k,
                decimals=grid.decimals,
                size=fill.size,
                layer=fill.layer,
                on_no=fill.outcome == "NO",
                taker=fill.takes,
                status=word.settlement.upper(),
                fee=fill.fee,
                markouts=() if fill.takes else _UNKNOWN,
            ),
        )
        if len(self._lines) > KEPT:
            del self._lines[next(iter(self._lines))]

    def settle(self, fill: Fill, settlement: str) -> None:
        """The venue says how far a fill has come; one that failed earned nothing at any horizon."""
        line = self._lines.get(fill.key)
        if line is not None and line.status != (status := settlement.upper()):
            markouts = () if status == "FAILED" else line.markouts
            self._put(fill.key, msgspec.structs.replace(line, status=status, markouts=markouts))

    def drifted(self, drift: Drift) -> None:
        """It is known what a fill was worth at one of its horizons."""
        line = self._lines.get(drift.key)
        if line is not None and line.markouts:
            at = HORIZONS.index(drift.horizon)
            markouts = (*line.markouts[:at], drift.markout, *line.markouts[at + 1 :])
            self._put(drift.key, msgspec.structs.replace(line, markouts=markouts))

    def _put(self, key: Key, line: FillView) -> None:
        self._lines[key] = line
        self._views = None
