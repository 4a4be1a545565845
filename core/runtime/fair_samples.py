"""Which fair values of a session are kept: those of which the path afterwards can be told, and no more."""

from typing import Final

from core.engine import Engine
from core.store.changes import FairRow
from core.units import MICRO

LEAST_SEC: Final = 1.0
"""Between rows of one market."""
ALIVE_SEC: Final = 60.0
"""A row is due even when nothing moved: a longer time without any is a time nobody knows of."""
MOVED_TICKS: Final = 0.05
"""A smaller move of fair value and microprice is not worth a row."""

DAY_SEC: Final = 86_400

_Kept = tuple[float, int | None, int | None]
"""When, fair value and microprice, micro-dollars."""


class FairSamples:
    """The fair values and microprices of all markets, thinned out for the database."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def last_rows(self, engine: Engine, now: float, unix: float) -> list[FairRow]:
        """What a session that ends values its holdings at, also where the book is not believed any more."""
        marks = [(desk, desk.mark(now)) for desk in engine.desks.values()]
        return [
            (desk.market, unix, desk.instrument.grid.tick_usd, mark, None) for desk, mark in marks if mark is not None
        ]

    def rows(self, engine: Engine, now: float, unix: float) -> list[FairRow]:
        """Rows that are due; taken as written from here on."""
        due: list[FairRow] = []
        for market, desk in engine.desks.items():
            micro, tick = desk.watch.micro, desk.instrument.grid.tick_usd
            fair = price = None
            if desk.tracked.synced and micro is not None and micro.price is not None:
                fair, price = _micro(desk.watch.fair.value_at(now)), _micro(micro.price)
            kept = self._kept.get(market)
            if kept is None or _is_due(kept, unix, fair, price, MOVED_TICKS * tick):
                self._kept[market] = (unix, fair, price)
                due.append((market, unix, tick, fair, price))
        return due


def _is_due(kept: _Kept, unix: float, fair: int | None, price: int | None, moved: float) -> bool:
    since, *before = kept
    if unix // DAY_SEC != since // DAY_SEC:
        return True  # what a day begins with
    if not LEAST_SEC <= unix - since < ALIVE_SEC:
        return not 0 <= unix - since < LEAST_SEC  # a clock set back must not stop the path
    for was, now in zip(before, (fair, price), strict=True):
        if was is None or now is None:
            if was is not now:
                return True
        elif abs(now - was) >= moved:
            return True
    return False


def _micro(dollars: float | None) -> int | None:
    return None if dollars is None else round(dollars * MICRO)
