"""What a book says about the price: touch, mid, microprice and their exponential average over time.

Levels are ``(tick, size)`` in the YES frame, best first, one entry a price. Own orders are taken out before anything
else, and every average is evaluated at the time of the question, never at the time of the last message.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from core.market.book import Level
from core.units import Grid, Shares, Ticks

TouchMode = Literal["level", "cumulative"]
MicroStatus = Literal["ok", "one_sided", "crossed", "wide"]

ALPHA_PERIOD_SEC: Final = 1.0
"""ALPHA_FAIR is the weight of a value after it stood this long (market-making.md 1.3)."""
_COARSE_GRID_K: Final = 200
_SLACK: Final = 1e-9
"""Thresholds written ">=" accept values short by this (market-making.md 0.4)."""


def without_own(levels: Sequence[Level], own: Mapping[Ticks, Shares]) -> Sequence[Level]:
    """The levels of others: our resting size taken off each price, emptied levels dropped.

    Args:
        levels: best first.
        own: tick in the YES frame -> our resting size there; our NO orders must be mirrored by the caller.

    Source: market-making.md 1.1, rule 2.
    """
    if not own:
        return levels
    left = len(own)
    kept: list[Level] = []
    for index, level in enumerate(levels):
        mine = own.get(level[0])
        if mine is None:
            kept.append(level)
            continue
        if level[1] > mine:
            kept.append((level[0], Shares(level[1] - mine)))
        left -= 1
        if not left:
            kept += levels[index + 1 :]
            break
    return kept


def touch_index(levels: Sequence[Level], cutoff: Shares, mode: TouchMode) -> int | None:
    """Position of the touch that a small order cannot move; None when no level qualifies.

    Args:
        levels: of others, best first.
        cutoff: least size, of one level (``level``) or of all levels down to it (``cumulative``).

    Source: market-making.md 1.1, rule 3.
    """
    seen = 0
    for index, (_, size) in enumerate(levels):
        seen = size if mode == "level" else seen + size
        if seen >= cutoff:
            return index
    return None


class Touch(msgspec.Struct, frozen=True, gc=False):
    """Best prices that count."""

    bid: Ticks | None
    ask: Ticks | None
    mid: float | None
    """Dollars; None when a side is missing."""


def adjusted_touch(bids: Sequence[Level], asks: Sequence[Level], cutoff: Shares, mode: TouchMode, k: int) -> Touch:
    """The touch after the size cutoff, on a grid of ``k`` ticks a dollar.

    Both sides are levels of others, best first. A crossed book is the caller's to refuse.

    Source: market-making.md 1.1, ``touch.adjusted``.
    """
    bid_index, ask_index = touch_index(bids, cutoff, mode), touch_index(asks, cutoff, mode)
    bid = None if bid_index is None else bids[bid_index][0]
    ask = None if ask_index is None else asks[ask_index][0]
    return Touch(bid, ask, None if bid is None or ask is None else (bid + ask) / (2 * k))


class Micro(msgspec.Struct, frozen=True, gc=False):
    """Mid and microprice of one book; the numbers are None unless ``status`` is ``ok``."""

    status: MicroStatus
    mid: float | None = None
    """Dollars."""
    price: float | None = None
    """The microprice, dollars."""
    imbalance: float | None = None
    """Share of the bid in the size at the touch, 0 .. 1."""


_ONE_SIDED: Final = Micro("one_sided")
_CROSSED: Final = Micro("crossed")
_WIDE: Final = Micro("wide")


def microprice(
    bids: Sequence[Level],
    asks: Sequence[Level],
    k: int,
    levels: int = 1,
    decay: float = 1.0,
    start: tuple[int, int] = (0, 0),
) -> Micro:
    """Mid weighted by the size on the other side.

    Args:
        bids: of others, best first.
        asks: of others, best first.
        k: ticks in a dollar.
        levels: how many levels a side give size, from the touch on.
        decay: weight of each further level over the one before.
        start: positions of the touch in ``bids`` and ``asks``; levels before it are not looked at.

    Source: market-making.md 1.2, ``microprice.top`` and ``microprice.depth``.
    """
    first_bid, first_ask = start
    if first_bid >= len(bids) or first_ask >= len(asks):
        return _ONE_SIDED
    bid, bid_size = bids[first_bid]
    ask, ask_size = asks[first_ask]
    if bid >= ask:
        return _CROSSED
    bid_weight: float = bid_size
    ask_weight: float = ask_size
    if levels > 1:
        bid_weight = _decayed(bids[first_bid : first_bid + levels], decay)
        ask_weight = _decayed(asks[first_ask : first_ask + levels], decay)
    imbalance = bid_weight / (bid_weight + ask_weight)
    return Micro("ok", (bid + ask) / (2 * k), (bid + (ask - bid) * imbalance) / k, imbalance)


def _decayed(levels: Sequence[Level], decay: float) -> float:
    total, weight = 0.0, 1.0
    for _, size in levels:
        total += weight * size
        weight *= decay
    return total


def live_microprice(
    bids: Sequence[Level],
    asks: Sequence[Level],
    grid: Grid,
    cutoff: Shares,
    levels: int,
    decay: float,
    max_spread: float,
) -> Micro:
    """The microprice the engine averages: trimmed to the cumulative touch, refused when the spread is too wide.

    Args:
        bids: of others, best first; as many levels as the cutoff and ``levels`` need.
        asks: of others, best first.
        grid: of the market.
        cutoff: cumulative size that makes a touch; better levels are dropped and their size is not moved.
        levels: see :func:`microprice`.
        decay: see :func:`microprice`.
        max_spread: dollars; a wider trimmed touch gives status ``wide`` (no fair value).

    Source: market-making.md 1.1 and 1.2.
    """
    if bids and asks:
        bid, bid_size = bids[0]
        ask, ask_size = asks[0]
        if bid >= ask:
            return _CROSSED
        if levels == 1 and bid_size >= cutoff and ask_size >= cutoff:
            if (ask - bid) / grid.k > max_spread + _SLACK:
                return _WIDE
            imbalance = bid_size / (bid_size + ask_size)
            return Micro("ok", (bid + ask) / (2 * grid.k), (bid + (ask - bid) * imbalance) / grid.k, imbalance)
    first_bid, first_ask = touch_index(bids, cutoff, "cumulative"), touch_index(asks, cutoff, "cumulative")
    if first_bid is None or first_ask is None:
        return _ONE_SIDED
    if (asks[first_ask][0] - bids[first_bid][0]) / grid.k > max_spread + _SLACK:
        return _WIDE
    return microprice(bids, asks, grid.k, levels, decay, (first_bid, first_ask))


def jump_reset_usd(ticks: int, grid: Grid) -> float:
    """Move of the microprice, in dollars, that restarts the average.

    ``ticks`` 0 stands for the default: 5 ticks on grids of half a cent and more, 10 on finer ones.

    Source: market-making.md 1.3.
    """
    return (ticks or (5 if grid.k <= _COARSE_GRID_K else 10)) / grid.k


class FairValue:
    """Exponential average over time of the microprice, taken as a step function (sample and hold).

    A value weighs as long as it stood: bursts, repeats and silence change nothing but through time.
    Times are seconds of any one clock; an older stamp counts as the latest time seen.

    Source: market-making.md 1.3, ``ewma.fair`` and ``ewma.fair_jump``.
    """

    __slots__ = ("_average", "_last", "_time", "jump_usd", "resets", "theta")

    def __init__(self, alpha: float, jump_usd: float | None = None, period_s: float = ALPHA_PERIOD_SEC) -> None:
        """Start empty.

        Args:
            alpha: weight of a value after it stood ``period_s``, in (0, 1).
            jump_usd: distance that restarts the average at the new value; None never does.
            period_s: seconds that ``alpha`` refers to.
        """
        self.theta = -period_s / math.log(1.0 - alpha)
        """Time constant in seconds."""
        self.jump_usd = jump_usd
        self.resets = 0
        """Jumps seen since the start."""
        self._average = math.nan
        self._last = math.nan
        self._time = -math.inf

    def observe(self, t: float, price: float) -> bool:
        """Take the microprice that holds from ``t`` on; True when it was a jump and the average restarted there.

        Raises:
            ValueError: time or price is no number, or the price is not strictly between 0 and 1.
        """
        if not (0.0 < price < 1.0 and -math.inf < t < math.inf):
            raise ValueError(f"not an observation: {price!r} at {t!r}")
        before = self._time
        if before == -math.inf:
            self._average = self._last = price
            self._time = t
            return False
        last = self._last
        average = self._average
        if t > before:
            average = last + (average - last) * math.exp((before - t) / self.theta)
            self._time = t
        self._last = price
        if self.jump_usd is not None and abs(price - average) >= self.jump_usd - _SLACK:
            self._average = price
            self.resets += 1
            return True
        self._average = average
        return False

    def value_at(self, t: float) -> float | None:
        """Fair value in dollars at ``t``; None before the first observation."""
        before = self._time
        if before == -math.inf:
            return None
        if t <= before:
            return self._average
        last = self._last
        return last + (self._average - last) * math.exp((before - t) / self.theta)

    def settle(self, t: float, theta: float) -> None:
        """Go on from ``t`` with another time constant, seconds; what the old one made of the past stands."""
        average = self.value_at(t)
        if average is not None:
            self._average, self._time = average, max(self._time, t)
        self.theta = theta

    def clear(self) -> None:
        """Forget everything: the market's book was lost or its grid changed."""
        self._average = self._last = math.nan
        self._time = -math.inf
