"""Rounded amounts of a report, added up by market, day, side and layer.

Amounts are rounded once, so that what is shown adds up. Values at a border are rounded as running sums over markets, so
that all markets together are the rounded whole; spread, drift and unknown are rounded by market, day and place; carry
is what is left of the whole, and so off by a micro-dollar or so. What is compared, is compared before, in Pico.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from core.portfolio.ledger import Pico, usd_of
from core.report import parts
from core.report.figures import Parts, Share, Trades
from core.report.parts import Place
from core.report.span import Span
from core.report.told import Told, Volume
from core.units import Shares, Usd

HELD: Final = "held"
"""Stands where a side would: what no fill of the span made."""


class _Sum:
    """Parts of a profit, micro-dollars, and volume."""

    def __init__(self) -> None:
        self.spread = self.adverse = self.carry = self.unknown = 0
        self.fees = self.rebates = self.rewards = self.other = 0
        self.volume = Volume()

    def share(self, **about: Any) -> Share:
        """As it is told."""
        trading = self.spread + self.adverse + self.carry + self.unknown
        told = Parts(
            spread_micro_usd=Usd(self.spread),
            adverse_micro_usd=Usd(self.adverse),
            carry_micro_usd=Usd(self.carry),
            unknown_micro_usd=Usd(self.unknown),
            fees_micro_usd=Usd(self.fees),
            rebates_micro_usd=Usd(self.rebates),
            rewards_micro_usd=Usd(self.rewards),
            other_income_micro_usd=Usd(self.other),
            total_micro_usd=Usd(trading - self.fees + self.rebates + self.rewards + self.other),
        )
        volume = self.volume
        trades = Trades(volume.fills, Shares(volume.shares), usd_of(Pico(volume.turnover)))
        return Share(told, trades, **about)


_Key = tuple[Any, ...]


class Sums:
    """Rounded amounts, added up by market, day, side and layer."""

    def __init__(self, told: Sequence[Told], span: Span) -> None:
        self._told = told
        self._days = span.days
        self._sums: defaultdict[_Key, _Sum] = defaultdict(_Sum)
        running = [0] * len(span.borders)
        for number, one in enumerate(told):
            values = []
            for at, (state, mark) in enumerate(zip(one.states, one.marks, strict=True)):
                before, running[at] = running[at], running[at] + parts.trading(state, mark)
                values.append(usd_of(Pico(running[at])) - usd_of(Pico(before)))
            self._take(number, one, [after - before for before, after in pairwise(values)])

    def _take(self, number: int, one: Told, trading: list[int]) -> None:
        """Enter a market, whose rounded trading profit of each day is given."""
        left, split = list(trading), one.split
        for (day, place), cell in split.cells.items():
            amounts = [usd_of(Pico(amount)) for amount in (cell.spread, cell.adverse, cell.unknown)]
            left[day] -= sum(amounts)
            for key in (*self._keys(number, day), *_places(place)):
                found = self._sums[key]
                found.spread += amounts[0]
                found.adverse += amounts[1]
                found.unknown += amounts[2]
        rest = _Sum()
        for day, amount in enumerate(left):
            name = "carry" if split.is_valued[day] else "unknown"
            for found in (rest, *(self._sums[key] for key in self._keys(number, day))):
                setattr(found, name, getattr(found, name) + amount)
        for place, carried in split.carry_of.items():
            amount = usd_of(Pico(carried))
            rest.carry -= amount
            for key in _places(place):
                self._sums[key].carry += amount
        for key in _places(parts.ELSEWHERE):
            self._sums[key].carry += rest.carry
            self._sums[key].unknown += rest.unknown
        self._add_paid(number, one)
        self._add_volumes(number, one)

    def _add_paid(self, number: int, one: Told) -> None:
        for day, paid in one.paid.items():
            for key in (*self._keys(number, day), *_places(parts.ELSEWHERE)):
                found = self._sums[key]
                found.fees += paid.fees
                found.rebates += paid.rebates
                found.rewards += paid.rewards
                found.other += paid.other

    def _add_volumes(self, number: int, one: Told) -> None:
        for (day, place), volume in one.volumes.items():
            for key in (*self._keys(number, day), *_places(place)):
                found = self._sums[key].volume
                found.fills += volume.fills
                found.shares += volume.shares
                found.turnover += volume.turnover

    @staticmethod
    def _keys(number: int, day: int) -> tuple[_Key, ...]:
        return ("total",), ("market", number), ("day", day)

    def share(self, key: _Key, **about: Any) -> Share:
        """One of them."""
        return (self._sums.get(key) or _Sum()).share(**about)

    def filled(self, number: int) -> Shares:
        """Micro-shares dealt in a market within the span."""
        return Shares(self._sums["market", number].volume.shares if ("market", number) in self._sums else 0)

    def by_market(self) -> tuple[Share, ...]:
        """The best first; a market in which nothing happened is left out."""
        rows = [
            self.share(("market", number), market=one.market, title=one.title) for number, one in enumerate(self._told)
        ]
        told = [row for row in rows if row.trades.fills or row.parts != Parts()]
        return tuple(sorted(told, key=lambda row: (-row.parts.total_micro_usd, row.market)))

    def by_day(self) -> tuple[Share, ...]:
        """In order of time."""
        return tuple(self.share(("day", number), day=day) for number, day in enumerate(self._days))

    def by_side(self) -> tuple[Share, ...]:
        """Bids, asks, and what no fill of the span made."""
        return tuple(self.share(("side", side), side=side) for side in ("bid", "ask", HELD))

    def by_layer(self) -> tuple[Share, ...]:
        """By side, the innermost layer first."""
        keys = sorted((key for key in self._sums if key[0] == "layer"), key=lambda key: (key[1] == "ask", key[2]))
        return tuple(
            self.share(key, side=key[1] or HELD, layer=key[2] if key[2] >= 0 else None)
            for key in sorted(keys, key=lambda key: not key[1])
        )


def _places(place: Place) -> tuple[_Key, ...]:
    side, layer = place
    return ("side", side or HELD), ("layer", side, layer)
