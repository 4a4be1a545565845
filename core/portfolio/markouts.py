"""What became of the price after our fills: markouts of one market at four horizons, with standard errors.

Everything is counted in integers (pico-dollars a share, micro-shares), so that a fill whose trade failed leaves the
statistics exactly as if it had never been there. Times are seconds of one clock, the session's.
"""

import heapq
import math
from bisect import bisect_right
from collections import deque
from typing import Final, Literal, NamedTuple

from core.units import Shares, Side

HORIZONS: Final = (1.0, 5.0, 30.0, 300.0)
"""Seconds after a fill at which the price is looked at (market-making.md 2.6)."""
KEPT_SEC: Final = HORIZONS[-1] + 120.0
"""How far a path reaches back: a fill told two minutes late is still marked at every horizon."""
MOST_STEPS: Final = 8192
"""Steps of a path at most; four decisions a second need a fifth of it."""
KNOWN_FILLS: Final = 1024
"""Fills of a market that can still be taken back, the newest ones."""

FillKey = tuple[str, str]
"""Trade id and order id."""
Unmarked = Literal["no fair value at the time", "too many fills at once"]
"""Why a fill is not part of the statistics."""

_PICO: Final = 10**12


class FairPath:
    """Fair value of the last minutes as steps: at any time the last one told at or before it.

    An older stamp counts as the latest time seen. Memory is bounded by :data:`KEPT_SEC` and :data:`MOST_STEPS`.

    Source: market-making.md 2.6 (F(u), the last fair at or before u).
    """

    __slots__ = ("_fairs", "_times")

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=MOST_STEPS)
        self._fairs: deque[float | None] = deque(maxlen=MOST_STEPS)

    def __len__(self) -> int:
        return len(self._times)

    def add(self, t: float, fair: float | None) -> None:
        """The fair value that holds from ``t`` on, dollars in [0, 1]; None from when on nobody knows one.

        A payout of 0 or 1 is a fair value like any other.

        Raises:
            ValueError: time or value is no number, or the value is outside its range.
        """
        if not (-math.inf < t < math.inf and (fair is None or 0.0 <= fair <= 1.0)):
            raise ValueError(f"no step of a path: {fair!r} at {t!r}")
        times, fairs = self._times, self._fairs
        if times and t <= times[-1]:
            fairs[-1] = fair
            return
        if fairs and fairs[-1] == fair:
            return
        times.append(t)
        fairs.append(fair)
        while len(times) > 1 and times[1] <= t - KEPT_SEC:
            times.popleft()
            fairs.popleft()

    def at(self, t: float) -> float | None:
        """Fair value in force at ``t``; None when nobody knew one, or when the path does not reach back so far."""
        times = self._times
        if times and t >= times[-1]:
            return self._fairs[-1]
        index = bisect_right(times, t)
        return self._fairs[index - 1] if index else None


class WeightedMean:
    """Mean of values weighted by shares, and its standard error, with observations that belong together in clusters.

    ``mean = A/W`` with ``W = sum w``, ``A = sum w x``. With ``W_g`` and ``A_g`` the sums of one cluster::

        n_eff = W^2 / sum W_g^2                                   effective number of clusters (Kish)
        se^2  = sum (A_g - mean W_g)^2 / W^2 * n_eff / (n_eff - 1)

    the linearised variance of a ratio, clustered; with equal weights and one observation a cluster it is the usual
    ``s / sqrt(n)``. Clusters are taken as independent of each other.

    Values and weights are integers, so that :meth:`remove` is the exact inverse of :meth:`add`.

    Source: L. Kish, Survey Sampling, 1965 (ratio means of unequal clusters, effective sample size);
    market-making.md 4.5 (clustered errors).
    """

    __slots__ = ("_clusters", "_products", "_value_squares", "_weight_squares", "n", "total", "weight")

    def __init__(self) -> None:
        self.n = 0
        """Observations."""
        self.weight = 0
        self.total = 0
        """Sum of weight times value."""
        self._weight_squares = 0
        self._products = 0
        self._value_squares = 0
        self._clusters: dict[int, tuple[int, int, int]] = {}
        """Weight, total and number of observations of the clusters from which something may be removed."""

    def __len__(self) -> int:
        """Clusters remembered."""
        return len(self._clusters)

    def add(self, cluster: int, weight: int, value: int) -> None:
        """Take an observation."""
        self._change(cluster, weight, value, 1)

    def remove(self, cluster: int, weight: int, value: int) -> None:
        """Undo an :meth:`add` of the same observation that was not settled."""
        self._change(cluster, weight, value, -1)

    def settle(self, cluster: int) -> None:
        """One observation of the cluster will not be removed any more; the last one frees the cluster's memory."""
        weight, total, n = self._clusters[cluster]
        if n == 1:
            del self._clusters[cluster]
        else:
            self._clusters[cluster] = (weight, total, n - 1)

    @property
    def mean(self) -> float | None:
        """In the unit of the values; None without observations."""
        return self.total / self.weight if self.weight else None

    @property
    def standard_error(self) -> float | None:
        """Of the mean, in the unit of the values; None with fewer than two clusters."""
        weight, total = self.weight, self.total
        beyond_one = weight * weight - self._weight_squares
        if beyond_one <= 0:
            return None
        squares = (
            self._value_squares * weight * weight
            - 2 * total * weight * self._products
            + total * total * self._weight_squares
        )
        return math.sqrt(squares / (weight * weight * beyond_one))

    def _change(self, cluster: int, weight: int, value: int, sign: int) -> None:
        old_weight, old_total, n = self._clusters.get(cluster, (0, 0, 0))
        self.n += sign
        self.weight += sign * weight
        self.total += sign * weight * value
        new_weight, new_total = old_weight + sign * weight, old_total + sign * weight * value
        self._weight_squares += new_weight * new_weight - old_weight * old_weight
        self._products += new_weight * new_total - old_weight * old_total
        self._value_squares += new_total * new_total - old_total * old_total
        if n + sign:
            self._clusters[cluster] = (new_weight, new_total, n + sign)
        else:
            del self._clusters[cluster]


class Drift(NamedTuple):
    """How the fair value moved from one fill to one horizon after it; dollars a share, positive is good for us."""

    key: FillKey
    t: float
    """Of the fill, seconds."""
    side: Side
    layer: int
    size: Shares
    horizon: float
    spread: float
    """What dealing away from the fair value earned."""
    drift: float
    """What the fair value then did; negative is adverse selection."""

    @property
    def markout(self) -> float:
        """Spread and drift together."""
        return self.spread + self.drift


class MarkoutRow(NamedTuple):
    """Share-weighted means of one group of fills at one horizon; dollars a share, None while there is nothing."""

    side: Side | None
    """None: both."""
    layer: int | None
    """None: all layers."""
    horizon: float
    fills: int
    """Old enough, with a fair value at the horizon: the base of the means."""
    shares: Shares
    pending: int
    """Younger than the horizon."""
    unmeasured: int
    """Old enough, but nobody knew a fair value at the horizon."""
    spread: float | None
    drift: float | None
    markout: float | None
    drift_error: float | None
    """Standard error, see :class:`WeightedMean`; fills in one stretch of the horizon's length count as one."""
    markout_error: float | None
    basis_points: float | None
    """Markout over the notional of the same fills."""


class _Fill:
    """One fill that can still be taken back."""

    __slots__ = ("drifts", "fair", "key", "layer", "price", "side", "size", "t")

    def __init__(self, key: FillKey, t: float, side: Side, layer: int, price: int, size: Shares, fair: int) -> None:
        self.key = key
        self.t = t
        self.side = side
        self.layer = layer
        self.price = price
        """Pico-dollars a share, as is ``fair`` at the time of the fill."""
        self.size = size
        self.fair = fair
        self.drifts: list[int | None] = []
        """Pico-dollars a share, one a horizon that came due; None when nobody knew a fair value."""

    @property
    def sign(self) -> int:
        return 1 if self.side == "bid" else -1

    @property
    def spread(self) -> int:
        return self.sign * (self.fair - self.price)

    def told(self, horizon: float, drift: int) -> Drift:
        spread = self.spread / _PICO
        return Drift(self.key, self.t, self.side, self.layer, self.size, horizon, spread, drift / _PICO)


class _Measured:
    """What one group of fills did at one horizon."""

    __slots__ = ("drift", "markout", "notional", "unmeasured")

    def __init__(self) -> None:
        self.drift = WeightedMean()
        self.markout = WeightedMean()
        self.notional = 0
        self.unmeasured = 0


class _Group:
    """Fills of the market, of a side, or of a layer."""

    __slots__ = ("at", "fills")

    def __init__(self, horizons: int) -> None:
        self.fills = 0
        self.at = [_Measured() for _ in range(horizons)]


_GroupKey = tuple[Side | None, int | None]


class Markouts:
    """Markouts of one market's fills: per layer, per side and in total, as they come due.

    Tell the fair value of a moment before what is asked about it; what was measured is not measured again.

    Source: market-making.md 2.6, ``markout``.
    """

    def __init__(self, horizons: tuple[float, ...] = HORIZONS) -> None:
        """Start empty; ``horizons`` are seconds, rising, at most the last of :data:`HORIZONS`."""
        self.horizons = horizons
        self.unmarked: dict[Unmarked, int] = {}
        """Fills that are not part of the statistics, by reason."""
        self._path = FairPath()
        self._fills: dict[FillKey, _Fill] = {}
        self._due: list[tuple[float, int, int, FillKey]] = []
        """Heap of (due time, number of the fill, horizon index, fill)."""
        self._number = 0
        self._groups: dict[_GroupKey, _Group] = {}

    @property
    def next_due_s(self) -> float:
        """When :meth:`advance` has something to do; infinity when nothing is pending."""
        return self._due[0][0] if self._due else math.inf

    def fair(self, t: float, fair: float | None) -> None:
        """The fair value that holds from ``t`` on; None when the market has none any more.

        Raises:
            ValueError: see :meth:`FairPath.add`.
        """
        self._path.add(t, fair)

    def fill(self, key: FillKey, t: float, side: Side, layer: int, price: float, size: Shares) -> Unmarked | None:
        """Take a fill, early or late; one whose key is known is the same fill told again.

        Args:
            key: trade id and order id.
            t: when it was matched.
            side: of the YES book on which our order stood: ``bid`` means that we bought.
            layer: of the order.
            price: dollars in the YES frame; on a coarser grid than it was made on, 0 or 1 by rounding.
            size: micro-shares.

        Returns:
            Why it is left out; None when it counts.

        Raises:
            ValueError: an argument is no number or outside its range.
        """
        if not (-math.inf < t < math.inf and 0.0 <= price <= 1.0 and size > 0 and layer >= 0):
            raise ValueError(f"no fill to mark: {size!r} at {price!r}, layer {layer!r}, time {t!r}")
        if key in self._fills:
            return None
        fair = self._path.at(t)
        if fair is None:
            return self._leave_out("no fair value at the time")
        if len(self._fills) >= KNOWN_FILLS and not self._settle_oldest():
            return self._leave_out("too many fills at once")
        fill = self._fills[key] = _Fill(key, t, side, layer, _pico(price), size, _pico(fair))
        self._number += 1
        for index, horizon in enumerate(self.horizons):
            heapq.heappush(self._due, (t + horizon, self._number, index, key))
        for group in self._groups_of(fill):
            group.fills += 1
        return None

    def revoke(self, key: FillKey) -> bool:
        """Take a fill back whose trade failed, with all that was counted of it; False when it is not known."""
        fill = self._fills.pop(key, None)
        if fill is None:
            return False
        if len(fill.drifts) < len(self.horizons):
            self._due = [due for due in self._due if due[3] != key]
            heapq.heapify(self._due)
        for index, drift in enumerate(fill.drifts):
            self._count(fill, index, drift, -1)
        for group_key, group in zip(_group_keys(fill), self._groups_of(fill), strict=True):
            group.fills -= 1
            if not group.fills:
                del self._groups[group_key]
        return True

    def advance(self, now: float) -> list[Drift]:
        """The drifts that came due by ``now``, in the order in which they did."""
        due = self._due
        if not due or due[0][0] > now:
            return []
        drifts: list[Drift] = []
        while due and due[0][0] <= now:
            at, _, index, key = heapq.heappop(due)
            fill, fair = self._fills[key], self._path.at(at)
            drift = None if fair is None else fill.sign * (_pico(fair) - fill.fair)
            fill.drifts.append(drift)
            self._count(fill, index, drift, 1)
            if drift is not None:
                drifts.append(fill.told(self.horizons[index], drift))
        return drifts

    def drifts(self, side: Side, horizon: float) -> list[Drift]:
        """The measured drifts of the fills that can still be taken back, oldest fill first.

        Raises:
            ValueError: there is no such horizon.
        """
        index = self.horizons.index(horizon)
        return [
            fill.told(horizon, drift)
            for fill in sorted(self._fills.values(), key=_time_of)
            if fill.side == side and index < len(fill.drifts) and (drift := fill.drifts[index]) is not None
        ]

    def table(self) -> tuple[MarkoutRow, ...]:
        """One row a horizon for the market, for each side, then for each layer that had fills."""
        layers = sorted((key for key in self._groups if key[1] is not None), key=_layer_order)
        keys: list[_GroupKey] = [(None, None), ("bid", None), ("ask", None), *layers]
        return tuple(
            _row(key, horizon, group.fills, group.at[index])
            for key in keys
            for group in (self._groups.get(key) or _Group(len(self.horizons)),)
            for index, horizon in enumerate(self.horizons)
        )

    def _leave_out(self, why: Unmarked) -> Unmarked:
        self.unmarked[why] = self.unmarked.get(why, 0) + 1
        return why

    def _settle_oldest(self) -> bool:
        """Make room: the oldest fill measured to the end can no longer be taken back. False when there is none."""
        fill = next((fill for fill in self._fills.values() if len(fill.drifts) == len(self.horizons)), None)
        if fill is None:
            return False
        for group in self._groups_of(fill):
            for measured, horizon, drift in zip(group.at, self.horizons, fill.drifts, strict=True):
                if drift is not None:
                    cluster = int(fill.t // horizon)
                    measured.drift.settle(cluster)
                    measured.markout.settle(cluster)
        del self._fills[fill.key]
        return True

    def _count(self, fill: _Fill, index: int, drift: int | None, sign: int) -> None:
        """Add what a fill did at a horizon to its groups, or take it off again."""
        cluster = int(fill.t // self.horizons[index])
        for group in self._groups_of(fill):
            measured = group.at[index]
            if drift is None:
                measured.unmeasured += sign
                continue
            take = WeightedMean.add if sign > 0 else WeightedMean.remove
            take(measured.drift, cluster, fill.size, drift)
            take(measured.markout, cluster, fill.size, fill.spread + drift)
            measured.notional += sign * fill.size * fill.price

    def _groups_of(self, fill: _Fill) -> list[_Group]:
        groups = self._groups
        return [groups.get(key) or groups.setdefault(key, _Group(len(self.horizons))) for key in _group_keys(fill)]


def _pico(dollars: float) -> int:
    return round(dollars * _PICO)


def _group_keys(fill: _Fill) -> tuple[_GroupKey, _GroupKey, _GroupKey]:
    return (None, None), (fill.side, None), (fill.side, fill.layer)


def _time_of(fill: _Fill) -> float:
    return fill.t


def _layer_order(key: _GroupKey) -> tuple[bool, int]:
    return key[0] == "ask", key[1] or 0


def _row(key: _GroupKey, horizon: float, fills: int, measured: _Measured) -> MarkoutRow:
    drift, markout = measured.drift, measured.markout
    return MarkoutRow(
        side=key[0],
        layer=key[1],
        horizon=horizon,
        fills=markout.n,
        shares=Shares(markout.weight),
        pending=fills - markout.n - measured.unmeasured,
        unmeasured=measured.unmeasured,
        spread=_dollars(None if not markout.weight else (markout.total - drift.total) / markout.weight),
        drift=_dollars(drift.mean),
        markout=_dollars(markout.mean),
        drift_error=_dollars(drift.standard_error),
        markout_error=_dollars(markout.standard_error),
        basis_points=1e4 * markout.total / measured.notional if measured.notional else None,
    )


def _dollars(pico: float | None) -> float | None:
    return None if pico is None else pico / _PICO
