"""What fills were worth some time after them, from what sessions measured and wrote down (market-making.md 2.6)."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.portfolio.markouts import HORIZONS
from core.report.figures import Markout, Thin
from core.report.history import UNMEASURED, Columns
from core.units import Shares, Side

LEAST_FILLS: Final = 30
LEAST_STRETCHES: Final = 8
"""With fewer fills, or fewer stretches of time that hold them, nothing is concluded."""
FILL_COLUMNS: Final = [
    ("seq", "i8"),
    ("unix", "f8"),
    ("market", "i4"),
    ("side", "i1"),
    ("layer", "i2"),
    ("size", "i8"),
    ("price", "i8"),
]
"""Of a fill: its line, when, number of the market, 0 bid or 1 ask, layer, micro-shares, micro-dollars a YES share."""
_SIDES: Final[tuple[Side, Side]] = ("bid", "ask")


class Mean(NamedTuple):
    """A weighted mean and its standard error, observations of one cluster taken as one."""

    value: float
    error: float | None
    """None with fewer than two clusters."""


class Clusters:
    """Observations that belong together, and what each of them weighs.

    The same numbers as :class:`core.portfolio.markouts.WeightedMean`, which explains them: ``mean = A/W`` and
    ``se^2 = sum (A_g - mean W_g)^2 / W^2 * n_eff / (n_eff - 1)`` (Kish 1965; market-making.md 4.5).
    """

    def __init__(self, weights: NDArray[Any], clusters: NDArray[Any]) -> None:
        """One weight and one cluster an observation; there is at least one."""
        which, self._of_cluster = np.unique(clusters, return_inverse=True)
        self.count = len(which)
        self._weights = weights.astype(np.float64)
        self._weight_of = np.bincount(self._of_cluster, weights=self._weights)

    def mean(self, values: NDArray[Any]) -> Mean:
        """Of one value an observation."""
        total_of = np.bincount(self._of_cluster, weights=self._weights * values)
        weight = float(self._weight_of.sum())
        mean = float(total_of.sum()) / weight
        beyond_one = weight * weight - float((self._weight_of**2).sum())
        if self.count < 2 or beyond_one <= 0:
            return Mean(mean, None)
        variance = float(((total_of - mean * self._weight_of) ** 2).sum()) / beyond_one
        return Mean(mean, math.sqrt(variance))


def markout_rows(
    fills: Columns, measured: Columns, markets: Sequence[tuple[str, str]], end: float
) -> tuple[Markout, ...]:
    """Markouts of all fills, by side, by layer and by market, each at every horizon.

    Args:
        fills: :data:`FILL_COLUMNS` of the span, in order of ``seq``, each once.
        measured: see :meth:`core.report.history.History.measured`; rows of fills that are not of the span are left out.
        markets: condition id and title by number.
        end: of the span, unix seconds.
    """
    at = np.searchsorted(fills["seq"], measured["seq"])
    at[at == len(fills)] = 0
    is_ours = fills["seq"][at] == measured["seq"] if len(fills) else np.zeros(len(measured), dtype=bool)
    drifts = [(horizon, measured[f"drift_{horizon:g}"]) for horizon in HORIZONS]
    times, sizes, prices = (np.ascontiguousarray(fills[name]) for name in ("unix", "size", "price"))
    by_horizon: list[tuple[float, _Known]] = []
    for horizon, drift in drifts:
        told = is_ours & (drift != UNMEASURED)
        those = at[told]
        known = _Known(those, times[those], sizes[those], prices[those], measured["spread"][told], drift[told])
        by_horizon.append((horizon, known))
    rows: list[Markout] = []
    for about, mask in _groups(fills, markets):
        unix = times[mask]
        for horizon, known in by_horizon:
            chosen = np.flatnonzero(mask[known.fill])
            rows.append(_row(about, horizon, unix, _Known(*(column[chosen] for column in known)), end))
    return tuple(rows)


class _Known(NamedTuple):
    """Fills of which one horizon was measured, as columns."""

    fill: NDArray[Any]
    """Its place among the fills of the span."""
    unix: NDArray[Any]
    size: NDArray[Any]
    price: NDArray[Any]
    spread: NDArray[Any]
    drift: NDArray[Any]


class _About(NamedTuple):
    market: str = ""
    title: str = ""
    side: Side | Literal[""] = ""
    layer: int | None = None


def _groups(fills: Columns, markets: Sequence[tuple[str, str]]) -> Iterator[tuple[_About, NDArray[np.bool_]]]:
    yield _About(), np.ones(len(fills), dtype=bool)
    for number, side in enumerate(_SIDES):
        yield _About(side=side), fills["side"] == number
    for number, side in enumerate(_SIDES):
        of_side = fills["side"] == number
        for layer in np.unique(fills["layer"][of_side]).tolist():
            if layer >= 0:
                yield _About(side=side, layer=layer), of_side & (fills["layer"] == layer)
    for number, (market, title) in enumerate(markets):
        of_market = fills["market"] == number
        if of_market.any():
            yield _About(market, title), of_market


def _row(
    about: _About,
    horizon: float,
    unix: NDArray[Any],
    known: _Known,
    end: float,
) -> Markout:
    """A row of a group whose fills happened at ``unix``; ``known`` are those that were measured."""
    n = len(known.fill)
    pending = int((unix > end - horizon).sum())
    unmeasured = len(unix) - pending - int((known.unix <= end - horizon).sum())
    if not n:
        return Markout(horizon, *about, pending=pending, unmeasured=unmeasured)
    clusters = Clusters(known.size, np.floor(known.unix / horizon))
    drifted, markout = clusters.mean(known.drift), clusters.mean(known.spread + known.drift)
    notional = float((known.size * known.price.astype(np.float64)).sum())
    shares = int(known.size.sum())
    return Markout(
        horizon_s=horizon,
        market=about.market,
        title=about.title,
        side=about.side,
        layer=about.layer,
        fills=n,
        stretches=clusters.count,
        pending=pending,
        unmeasured=unmeasured,
        shares_micro=Shares(shares),
        spread_micro_usd=markout.value - drifted.value,
        drift_micro_usd=drifted.value,
        drift_error_micro_usd=drifted.error,
        markout_micro_usd=markout.value,
        markout_error_micro_usd=markout.error,
        basis_points=1e4 * markout.value * shares / notional if notional else None,
        too_thin=_thin(n, clusters.count, markout),
    )


def _thin(fills: int, stretches: int, markout: Mean) -> Thin:
    if fills < LEAST_FILLS or stretches < LEAST_STRETCHES or markout.error is None:
        return "few fills"
    return "error above value" if markout.error >= abs(markout.value) else ""
