"""What a recording or a past session says about the parameters of quoting, each number with its error.

Arrival intensity: trades reach a distance d from the price at a rate A·exp(-kappa·d) a side (market-making.md 2.2).
Public trade directions are noise (2.7), so only the depth that a trade reached counts. Volatility: per root second, in
dollars and in logit units (1.4). Adverse drift: where the price went after somebody was filled (2.6). A number that the
data cannot carry is not given; the reason is.

Times are seconds of one clock, prices dollars of the YES token, depths ticks.
"""

import math
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.config import Settings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NEAR_TICKS: Final = (10, 6, 4)
"""Distances of the touch, and depths beyond it, that count as near: the largest within which the exponential does not
misfit (2.2)."""
LAG_SEC: Final = 0.5
"""A trade is told up to 0.23 s after the change of the book that it made (real-data.md 3): older is what was before."""
LEAST_ARRIVALS: Final = 30
LEAST_EXPOSURE_SEC: Final = 3_600.0
"""Of quotes near the price: of both touches together, or of our own orders."""
LEAST_RETURNS: Final = 120
LEAST_MOVES: Final = 20
"""Returns that are not zero."""
LEAST_DRIFTS: Final = 30
LEAST_DRIFT_BLOCKS: Final = 8
"""Stretches of twice the horizon with a fill in them: drifts of fills near each other are one drift."""
LEAST_EXITS: Final = 20
WORST_ERROR: Final = 0.5
"""Error of a proposal over its value from which on it is not made."""
DRIFT_SEC: Final = (30.0, 300.0)
RETURN_SEC: Final = (5.0, 60.0)
"""The first is the sampling of a session (VOL_SAMPLE_SEC); a longer one with less variance a second tells of bounce."""
REPLICATES: Final = 200
SEED: Final = 1
"""Of the block bootstrap: the same data give the same errors."""
BLOCKS: Final = 60
LEAST_BLOCK_SEC: Final = 10.0
SIGNIFICANT: Final = 2.0
"""Standard errors from which on a sign is believed."""
_BIN_TICKS: Final = 0.01
_KAPPA_RANGE: Final = (1e-3, 30.0)
"""Per tick; outside of it the data do not tell kappa."""
_HALVINGS: Final = 50
_K_VOL_MOST: Final = 100.0
_HORIZON_RANGE: Final = (1.0, 300.0)


# Data


class Course(NamedTuple):
    """The price of one market as a step function; each row holds until the next, the last until ``end``."""

    t: Floats
    """Ascending."""
    price: Floats
    """Microprice or fair value; NaN where there was none to believe."""
    bid: Floats
    """Best bid, NaN where unknown."""
    ask: Floats
    end: float

    def row(self, when: Floats) -> Ints:
        """Rows in force at these times; -1 before the first."""
        return (np.searchsorted(self.t, when, side="right") - 1).astype(np.int64)

    def price_at(self, when: Floats) -> Floats:
        """Prices at these times; NaN before the first, after the end and where there was none."""
        rows = self.row(when)
        known = (rows >= 0) & (when <= self.end)
        return np.where(known, self.price[np.maximum(rows, 0)], np.nan) if len(self.t) else np.full(len(when), np.nan)

    @property
    def seconds(self) -> float:
        """Time with a price."""
        held = np.diff(np.append(self.t, self.end))
        return float(held[np.isfinite(self.price)].sum())


class Trades(NamedTuple):
    """Trades of others, one row a message."""

    t: Floats
    price: Floats
    size: Floats
    """Shares."""
    taker: Ints
    """Equal for the messages of one taker order."""


class Fills(NamedTuple):
    """What somebody was filled with: the fair value before it, and how far it was from the price of the fill."""

    t: Floats
    sign: Floats
    """+1 bought, -1 sold."""
    price: Floats
    size: Floats


class Quotes(NamedTuple):
    """Our own orders, one row each, and how often they were filled."""

    begin: Floats
    end: Floats
    sign: Floats
    """+1 a bid, -1 an ask."""
    price: Floats


class Evidence(NamedTuple):
    """Everything known of one market."""

    market: str
    title: str
    tick: float
    course: Course
    """Of the microprice, with the touch where it is known."""
    fair: Course
    """Of the fair value; of a recording it is the microprice too."""
    trades: Trades | None
    """Of others; None for a past session, which has ``quotes`` instead."""
    quotes: Quotes | None
    fills: Fills | None
    """Of ours; None for a recording."""


# Results


class Estimate(msgspec.Struct, frozen=True):
    """A number and how sure it is."""

    value: float
    se: float
    """Standard error: the larger of the model's own and the block bootstrap's."""
    n: int
    """Observations behind it."""


class TooThin(msgspec.Struct, frozen=True):
    """The data do not carry this number."""

    too_thin: str
    """What there is and what is wanted."""


class ReachRow(msgspec.Struct, frozen=True):
    """Trades that reached at least a depth, as seen and as fitted."""

    ticks: int
    seen: int
    fitted: float


class Arrivals(msgspec.Struct, frozen=True):
    """Trades reach a distance of d ticks at ``rate``·exp(-``kappa``·d) a second, on each side."""

    rate: Estimate
    """A, a second and side."""
    log_rate: Estimate
    kappa: Estimate
    """Per tick."""
    of: Literal["trades of others", "fills of our orders"]
    seconds: float
    """Time looked at, both sides together."""
    near_ticks: int
    """Depths and distances within which it was fitted."""
    rows: tuple[ReachRow, ...]
    fits: bool
    """The counts by depth do not contradict the exponential."""


class Volatility(msgspec.Struct, frozen=True):
    """Deviation per root second from returns over a lag."""

    lag_s: float
    price: Estimate | TooThin
    """Dollars."""
    logit: Estimate | TooThin


class Drift(msgspec.Struct, frozen=True):
    """Share-weighted mean over fills, dollars; negative is adverse."""

    horizon_s: float
    drift: Estimate | TooThin
    markout: Estimate | TooThin
    """What was earned against the price before the fill, plus the drift."""


class Proposal(msgspec.Struct, frozen=True):
    """Settings that the estimates speak for."""

    k_vol: Estimate | None
    """None: none is proposed; ``reasons`` say why."""
    vol_horizon_sec: Estimate | None
    half_spread_ticks: Estimate | None
    """The half-spread that both lead to."""
    reasons: tuple[str, ...]


class Calibration(msgspec.Struct, frozen=True):
    """All that one market's data say."""

    market: str
    title: str
    """Foreign text, uncleaned."""
    tick: float
    """Dollars."""
    seconds: float
    """Time with a price to believe."""
    trades: int
    arrivals: Arrivals | TooThin
    volatility: tuple[Volatility, ...]
    drifts: tuple[Drift, ...]
    tick_moves: Estimate | TooThin
    """Mean seconds until the price has moved by a tick."""
    proposal: Proposal


def calibrate(evidence: Evidence, settings: Settings) -> Calibration:
    """Estimate everything from one market's data, and propose ``K_VOL`` and ``VOL_HORIZON_SEC`` beside ``settings``."""
    course, tick = evidence.course, evidence.tick
    fills = evidence.fills
    arrivals = arrivals_of(evidence)
    if evidence.trades is not None:
        fills = makers_of(course, evidence.trades)
    volatility = tuple(
        [Volatility(lag, deviation(course, lag, "price"), deviation(course, lag, "logit")) for lag in RETURN_SEC]
    )
    drifts = tuple([drift_after(evidence.fair, fills, horizon) for horizon in DRIFT_SEC])
    moves = time_to_move(course, tick)
    return Calibration(
        market=evidence.market,
        title=evidence.title,
        tick=tick,
        seconds=course.seconds,
        trades=0 if fills is None else len(fills.t),
        arrivals=arrivals,
        volatility=volatility,
        drifts=drifts,
        tick_moves=moves,
        proposal=propose(arrivals, volatility[0].price, drifts, moves, tick, settings),
    )


# Arrival intensity


def arrivals_of(evidence: Evidence) -> Arrivals | TooThin:
    """Fit A and kappa as far from the price as the exponential holds; where it holds nowhere, nearest to it."""
    found: Arrivals | TooThin = TooThin("")
    for near in NEAR_TICKS:
        if evidence.trades is not None:
            reach = reach_of_trades(evidence.course, evidence.trades, evidence.tick, near)
        else:
            reach = reach_of_quotes(evidence.fair, evidence.quotes, evidence.fills, evidence.tick, near)
        last, found = found, fit_arrivals(reach)
        if isinstance(found, TooThin):
            return last if isinstance(last, Arrivals) else found
        if found.fits:
            break
    return found


class Reach(NamedTuple):
    """Seconds that each depth was offered, and what arrived, in blocks of time."""

    depths: Floats
    """Middles of the bins, ticks."""
    exposure: Floats
    """Seconds, blocks x bins."""
    arrivals: Floats
    """Counts, by block."""
    depth_sum: Floats
    """Ticks, by block."""
    near: int
    """Ticks."""
    steps: int
    """Lattice points from the offered depth on that an arrival may have reached; 1: the offered one alone."""
    reached: Floats
    """Depth of each arrival, ticks."""
    of: Literal["trades of others", "fills of our orders"]


def reach_of_trades(course: Course, trades: Trades, tick: float, near: int = NEAR_TICKS[0]) -> Reach:
    """Depths that takers reached, measured from the price half a second before; offered are the touch and what lies
    behind it."""
    edges = _block_edges(course)
    depths = np.arange(_BIN_TICKS / 2, near, _BIN_TICKS)
    times, held, rows = _pieces(course, edges)
    block = _block_of(times, edges)
    exposure = np.zeros((len(edges) - 1, len(depths)))
    for distance in ((course.ask - course.price) / tick, (course.price - course.bid) / tick):
        _expose(exposure, block, distance[rows], held)
    before = course.row(trades.t - LAG_SEC)
    usable = before >= 0
    before = np.maximum(before, 0)
    price = course.price[before] if len(course.t) else np.full(len(before), np.nan)
    bought = trades.price > price
    touch = np.where(bought, course.ask[before] - price, price - course.bid[before]) / tick if len(course.t) else price
    steps = np.rint(np.maximum(np.abs(trades.price - price) / tick - touch, 0.0))
    usable &= np.isfinite(touch) & (touch >= 0) & (touch < near)
    kept = np.flatnonzero(usable)
    kept = kept[_deepest(steps[kept], trades.taker[kept] * 2 + bought[kept])]
    kept = kept[steps[kept] < near]  # of a whole sweep: what went further is not near
    at = _block_of(trades.t[kept], edges)
    return _reach(depths, exposure, (touch + steps)[kept], at, near, near, "trades of others")


def reach_of_quotes(
    course: Course, quotes: Quotes | None, fills: Fills | None, tick: float, near: int = NEAR_TICKS[0]
) -> Reach:
    """Distances at which our own orders stood, up to twice ``near``, and those at which they were filled: the queue is
    in it."""
    edges = _block_edges(course)
    depths = np.arange(_BIN_TICKS / 2, 2 * near, _BIN_TICKS)
    exposure = np.zeros((len(edges) - 1, len(depths)))
    times, _, rows = _pieces(course, edges)
    ends = np.append(times[1:], course.end) if len(times) else times
    for begin, end, sign, price in zip(*(quotes or ()), strict=True):
        low, high = np.searchsorted(ends, begin, side="right"), np.searchsorted(times, end, side="left")
        part = slice(int(low), int(high))
        held = np.minimum(ends[part], end) - np.maximum(times[part], begin)
        _expose(exposure, _block_of(times[part], edges), sign * (course.price[rows[part]] - price) / tick, held)
    if fills is None:
        fills = Fills(*(np.empty(0) for _ in Fills._fields))
    depth = fills.sign * (course.price_at(fills.t - LAG_SEC) - fills.price) / tick
    usable = (depth >= 0) & (depth < 2 * near)
    return _reach(depths, exposure, depth[usable], _block_of(fills.t[usable], edges), near, 1, "fills of our orders")


def fit_arrivals(reach: Reach) -> Arrivals | TooThin:
    """Fit A and kappa by maximum likelihood.

    At every moment a side offers the lattice points h, h + 1, ... ticks from the price; trades that reach such a point
    and no further come at A·(exp(-kappa·d) - exp(-kappa·(d + 1))). The likelihood is concave in kappa. Errors: Fisher's
    or those of a bootstrap over blocks of time when these are larger, as they are where trades come in flocks.
    """
    exposure, n, seconds = reach.exposure.sum(axis=0), int(reach.arrivals.sum()), float(reach.exposure.sum())
    if n < LEAST_ARRIVALS or seconds < LEAST_EXPOSURE_SEC:
        return TooThin(
            f"{n} {reach.of} near the price in {seconds:.0f} s of quotes; wanted are {LEAST_ARRIVALS} in"
            f" {LEAST_EXPOSURE_SEC:.0f} s"
        )
    best = _decay(reach, exposure, n, float(reach.depth_sum.sum()))
    if best is None:
        return TooThin(f"{n} {reach.of}, all to the same depth or as many to a greater one: kappa cannot be told")
    kappa, log_rate, model_kappa, model_rate = best
    chosen = _draws(len(reach.arrivals))
    weights = np.stack([np.bincount(draw, minlength=len(reach.arrivals)) for draw in chosen]).astype(float)
    again = [
        _decay(reach, weight @ reach.exposure, float(weight @ reach.arrivals), float(weight @ reach.depth_sum))
        for weight in weights
    ]
    found = np.array([one[:2] for one in again if one is not None])
    if len(found) < 0.95 * REPLICATES:
        return TooThin(f"{n} {reach.of}: too few of them differ in depth to tell kappa")
    kappa_se, log_se = np.maximum(found.std(axis=0), (model_kappa, model_rate))
    rate = math.exp(log_rate)
    rows, fits = _compare(reach, exposure, kappa, rate)
    return Arrivals(
        rate=Estimate(rate, rate * float(log_se), n),
        log_rate=Estimate(log_rate, float(log_se), n),
        kappa=Estimate(kappa, float(kappa_se), n),
        of=reach.of,
        seconds=seconds,
        near_ticks=reach.near,
        rows=rows,
        fits=fits,
    )


def _decay(reach: Reach, exposure: Floats, n: float, depth_sum: float) -> tuple[float, float, float, float] | None:
    """Kappa, ln A and the errors that the Poisson model gives them; None when no kappa in range is the best."""
    seen = np.flatnonzero(exposure)
    if n <= 0 or not len(seen):
        return None
    depths, seconds = reach.depths[seen], exposure[seen]
    nearest, steps = depths[0], np.arange(reach.steps)
    mean = depth_sum / n

    def moments(kappa: float) -> tuple[float, float, float, float]:
        """Mean depth offered and its variance, weighted by what arrives; the same of the steps behind it."""
        offered = seconds * np.exp(-kappa * (depths - nearest))
        behind = np.exp(-kappa * steps)
        h = float(offered @ depths / offered.sum())
        k = float(behind @ steps / behind.sum())
        return (
            h,
            float(offered @ (depths - h) ** 2 / offered.sum()),
            k,
            float(behind @ (steps - k) ** 2 / behind.sum()),
        )

    low, high = _KAPPA_RANGE
    if not (sum(moments(low)[::2]) > mean > sum(moments(high)[::2])):
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if sum(moments(middle)[::2]) > mean:
            low = middle
        else:
            high = middle
    kappa = (low + high) / 2
    h, h_spread, _, k_spread = moments(kappa)
    information = n * (h_spread + k_spread)
    if information <= 0:
        return None
    offered = float((seconds * np.exp(-kappa * (depths - nearest))).sum())
    cut, slope = _within(kappa, reach.steps)
    log_rate = math.log(n) - math.log(offered) + kappa * float(nearest) - math.log(cut)
    return kappa, log_rate, information**-0.5, math.sqrt(1 / n + (h - slope) ** 2 / information)


def _within(kappa: float, steps: int) -> tuple[float, float]:
    """Share of the arrivals at a depth that end within so many steps, and the derivative of its logarithm.

    With one step nothing is cut: an order is filled by whatever reaches it.
    """
    if steps == 1:
        return 1.0, 0.0
    return -math.expm1(-kappa * steps), steps / math.expm1(kappa * steps)


def _compare(reach: Reach, exposure: Floats, kappa: float, rate: float) -> tuple[tuple[ReachRow, ...], bool]:
    """Arrivals by least depth, as seen and as the fit has them, and whether they agree (chi squared)."""
    cut = math.exp(-kappa * reach.steps) if reach.steps > 1 else 0.0
    decay = exposure * np.exp(-kappa * reach.depths)
    rows = []
    for depth in range(reach.near + 1):
        if reach.steps > 1:
            behind = np.ceil(np.clip(depth - reach.depths, 0.0, reach.steps))
            expected = float((decay * (np.exp(-kappa * behind) - cut)).sum())
        else:
            expected = float(decay[reach.depths >= depth].sum())
        rows.append(ReachRow(depth, int((reach.reached >= depth - 1e-9).sum()), rate * expected))
    squares, cells = 0.0, 0
    seen, fitted = float(rows[0].seen), rows[0].fitted
    for row in rows[1:]:
        if fitted - row.fitted >= 5.0 and row.fitted >= 5.0:
            squares += (seen - row.seen - (fitted - row.fitted)) ** 2 / (fitted - row.fitted)
            seen, fitted, cells = float(row.seen), row.fitted, cells + 1
    if fitted > 0:
        squares, cells = squares + (seen - fitted) ** 2 / fitted, cells + 1
    freedom = max(1, cells - 2)
    return tuple(rows), squares <= freedom + 3 * math.sqrt(2 * freedom)


def _reach(
    depths: Floats,
    exposure: Floats,
    reached: Floats,
    block: Ints,
    near: int,
    steps: int,
    of: Literal["trades of others", "fills of our orders"],
) -> Reach:
    size = len(exposure)
    return Reach(
        depths,
        exposure,
        np.bincount(block, minlength=size).astype(float),
        np.bincount(block, weights=reached, minlength=size).astype(np.float64),
        near,
        steps,
        reached,
        of,
    )


def _expose(exposure: Floats, block: Ints, distance: Floats, held: Floats) -> None:
    """Add the seconds during which a depth was offered to its bin and block."""
    bins = np.floor(distance / _BIN_TICKS)
    near = (bins >= 0) & (bins < exposure.shape[1]) & (held > 0)  # NaN is neither
    np.add.at(exposure, (block[near], bins[near].astype(np.int64)), held[near])


def _deepest(steps: Floats, key: Ints) -> Ints:
    """Where the greatest of each key is."""
    order = np.lexsort((-steps, key))
    return order[np.append(True, np.diff(key[order]) != 0)] if len(order) else order


# Volatility


def deviation(course: Course, lag_s: float, space: Literal["price", "logit"]) -> Estimate | TooThin:
    """Deviation per root second from returns over ``lag_s``; a return over a time without a price does not count."""
    step = _returns(course, lag_s, space)
    n, moved = len(step), int(np.count_nonzero(step))
    if n < LEAST_RETURNS or moved < LEAST_MOVES:
        return TooThin(
            f"{n} returns over {lag_s:g} s, {moved} of them not zero; wanted are {LEAST_RETURNS} and {LEAST_MOVES}"
        )
    squares = step**2
    sigma = math.sqrt(float(squares.mean()) / lag_s)
    size = max(1, math.ceil(n / BLOCKS))
    block = np.arange(n) // size
    sums, counts = np.bincount(block, weights=squares), np.bincount(block)
    chosen = _draws(len(sums))
    again = np.sqrt(sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1) / lag_s)
    return Estimate(sigma, max(float(again.std()), sigma / math.sqrt(2 * n)), n)


def _returns(course: Course, lag_s: float, space: Literal["price", "logit"]) -> Floats:
    """Returns on a grid of times."""
    if not len(course.t) or course.end - course.t[0] < lag_s:
        return np.empty(0)
    times = course.t[0] + lag_s * np.arange(int((course.end - course.t[0]) / lag_s) + 1)
    rows = course.row(times)
    price = course.price[rows]
    if space == "logit":
        clipped = np.clip(price, 1e-4, 1 - 1e-4)
        price = np.log(clipped / (1 - clipped))
    blind = np.cumsum(np.isnan(course.price))[rows]
    whole = np.isfinite(price[1:]) & np.isfinite(price[:-1]) & (np.diff(blind) == 0)
    steps: Floats = np.diff(price)[whole]
    return steps


def time_to_move(course: Course, tick: float) -> Estimate | TooThin:
    """Mean seconds until the price is a tick away from where it was; a time without a price starts anew."""
    spent, durations = 0.0, list[float]()
    since, origin = 0.0, math.nan
    for t, price in zip(course.t.tolist(), course.price.tolist(), strict=True):
        if math.isnan(price) or math.isnan(origin):
            spent += 0.0 if math.isnan(origin) else t - since
            since, origin = t, price
        elif abs(price - origin) >= tick * (1 - 1e-9):
            spent += t - since
            durations.append(t - since)
            since, origin = t, price
    if not math.isnan(origin):
        spent += course.end - since
    exits = len(durations)
    if exits < LEAST_EXITS:
        return TooThin(f"the price moved by a tick {exits} times; wanted are {LEAST_EXITS}")
    mean = spent / exits
    return Estimate(mean, max(mean, float(np.std(durations))) / math.sqrt(exits), exits)


# Adverse drift


def makers_of(course: Course, trades: Trades) -> Fills:
    """The other sides of the trades of others: who sold above the price before, who bought below."""
    price = course.price_at(trades.t - LAG_SEC)
    known = np.isfinite(price) & (price != trades.price)
    sign = np.where(trades.price > price, -1.0, 1.0)
    return Fills(trades.t[known], sign[known], trades.price[known], trades.size[known])


def drift_after(course: Course, fills: Fills | None, horizon_s: float) -> Drift:
    """Share-weighted drift of the price over ``horizon_s`` after fills, and what they were worth then."""
    if fills is None or not len(fills.t):
        thin = TooThin(f"no fills; wanted are {LEAST_DRIFTS} at least")
        return Drift(horizon_s, thin, thin)
    before, after = course.price_at(fills.t - LAG_SEC), course.price_at(fills.t + horizon_s)
    known = np.isfinite(before) & np.isfinite(after) & (fills.size > 0)
    drift = (fills.sign * (after - before))[known]
    spread = (fills.sign * (before - fills.price))[known]
    block = np.floor((fills.t[known] - fills.t[0]) / (2 * horizon_s)).astype(np.int64)
    _, block = np.unique(block, return_inverse=True)
    n, blocks = len(drift), int(block.max()) + 1 if len(block) else 0
    if n < LEAST_DRIFTS or blocks < LEAST_DRIFT_BLOCKS:
        thin = TooThin(
            f"{n} fills with a price {horizon_s:g} s later, stretches of {2 * horizon_s:g} s with one: {blocks};"
            f" wanted are {LEAST_DRIFTS} in {LEAST_DRIFT_BLOCKS}"
        )
        return Drift(horizon_s, thin, thin)
    size = fills.size[known]
    return Drift(horizon_s, _weighted(drift, size, block), _weighted(spread + drift, size, block))


def _weighted(values: Floats, weights: Floats, block: Ints) -> Estimate:
    """Weighted mean; its error from whole stretches of time, because fills of one stretch share their fate."""
    mean = float(values @ weights / weights.sum())
    sums, totals = np.bincount(block, weights=values * weights), np.bincount(block, weights=weights)
    chosen = _draws(len(sums))
    again = sums[chosen].sum(axis=1) / totals[chosen].sum(axis=1)
    stretches = len(sums)
    # The ratio's own error, whole stretches at a time, is what few stretches make the bootstrap underrate.
    ratio = math.sqrt(stretches / (stretches - 1) * float(((sums - mean * totals) ** 2).sum())) / float(totals.sum())
    return Estimate(mean, max(float(again.std()), ratio), len(values))


# Proposal


def propose(
    arrivals: Arrivals | TooThin,
    sigma: Estimate | TooThin,
    drifts: Sequence[Drift],
    moves: Estimate | TooThin,
    tick: float,
    settings: Settings,
) -> Proposal:
    """What the estimates speak for.

    A quote h from the price earns (h - a)·A·exp(-kappa·h) a second, a being the adverse drift; that is most at
    h = 1/kappa + a. Only K_VOL times the root of the horizon matters (market-making.md 1.4), so the horizon is taken
    for what it says, the time a quote is exposed before the price has moved by a tick, and K_VOL follows.
    """
    reasons = [_by_markout(drifts, tick)]
    horizon, proposed = Estimate(settings.vol_horizon_sec, 0.0, 0), None
    if isinstance(moves, Estimate):
        proposed = horizon = _clipped(moves, *_HORIZON_RANGE)
        reasons.append(f"the price moves by a tick in {with_error(moves)} s: so long a quote is exposed")
    else:
        reasons.append(f"VOL_HORIZON_SEC stays at {settings.vol_horizon_sec:g}: {moves.too_thin}")
    adverse = next((one for one in reversed(drifts) if isinstance(one.drift, Estimate)), None)
    if isinstance(arrivals, TooThin) or isinstance(sigma, TooThin) or adverse is None:
        known = {"arrivals": arrivals, "volatility": sigma, "drift": adverse}
        missing = [name for name, one in known.items() if one is None or isinstance(one, TooThin)]
        return Proposal(None, proposed, None, (*reasons, f"no K_VOL: too thin are {', '.join(missing)}"))
    assert isinstance(adverse.drift, Estimate)
    kappa = arrivals.kappa
    if kappa.value < SIGNIFICANT * kappa.se:
        return Proposal(
            None,
            proposed,
            None,
            (*reasons, "no K_VOL: trades do not come less often at greater depth, as far as can be told"),
        )
    lost = max(0.0, -adverse.drift.value) / tick
    half = Estimate(1 / kappa.value + lost, math.hypot(kappa.se / kappa.value**2, adverse.drift.se / tick), kappa.n)
    reasons.append(
        f"a quote earns most at 1/kappa + adverse drift ({adverse.horizon_s:g} s) = {1 / kappa.value:.2f} + {lost:.2f}"
        f" = {with_error(half)} ticks from the price"
    )
    if not arrivals.fits:
        reasons.append("the exponential does not fit the depths well: take 1/kappa with care")
    over = sigma.value * math.sqrt(horizon.value) / tick
    wanted = half.value - settings.k_fee_ticks
    reasons.append(
        f"over {horizon.value:.3g} s the deviation is {over:.2f} ticks; K_FEE_TICKS adds {settings.k_fee_ticks:g}"
    )
    if half.value <= settings.min_edge_ticks or wanted <= 0:
        reasons.append("no K_VOL: MIN_EDGE_TICKS and K_FEE_TICKS alone keep quotes at least so far; K_VOL would be 0")
        return Proposal(None, proposed, half, tuple(reasons))
    k_vol = wanted / over
    # The horizon is chosen, not measured, as far as K_VOL is concerned: its error moves both, not their product.
    se = k_vol * math.hypot(half.se / wanted, sigma.se / sigma.value)
    if se > WORST_ERROR * k_vol:
        reasons.append(f"no K_VOL: {k_vol:.2g} ± {se:.2g} is too uncertain")
        return Proposal(None, proposed, half, tuple(reasons))
    return Proposal(_clipped(Estimate(k_vol, se, kappa.n), 0.0, _K_VOL_MOST), proposed, half, tuple(reasons))


def _by_markout(drifts: Sequence[Drift], tick: float) -> str:
    """What fills were worth later, and where that moves K_VOL (market-making.md 2.6)."""
    for one in reversed(drifts):
        if isinstance(one.markout, Estimate):
            value, se = one.markout.value / tick, one.markout.se / tick
            told = f"a fill is worth {value:+.2f} ± {se:.2f} ticks after {one.horizon_s:g} s"
            if value > SIGNIFICANT * se:
                return f"{told}: quotes as near as these trades pay"
            if value < -SIGNIFICANT * se:
                return f"{told}: quotes as near as these trades lose"
            return f"{told}: neither gain nor loss is certain"
    return "what fills were worth later cannot be told"


def _clipped(estimate: Estimate, low: float, high: float) -> Estimate:
    return Estimate(min(max(estimate.value, low), high), estimate.se, estimate.n)


def with_error(estimate: Estimate, factor: float = 1.0) -> str:
    """A number and its error, both times ``factor``, with two digits of the error."""
    value, se = estimate.value * factor, estimate.se * factor
    decimals = max(0, 1 - math.floor(math.log10(se))) if se > 0 else 3
    return f"{value:.{decimals}f} ± {se:.{decimals}f}"


# Blocks of time


def _block_edges(course: Course) -> Floats:
    """Borders of the blocks that the bootstrap draws."""
    if not len(course.t) or course.end <= course.t[0]:
        return np.array([0.0, 1.0])
    span = course.end - course.t[0]
    count = max(1, min(BLOCKS, int(span / LEAST_BLOCK_SEC)))
    return np.linspace(course.t[0], course.end, count + 1)


def _block_of(times: Floats, edges: Floats) -> Ints:
    return np.clip(np.searchsorted(edges, times, side="right") - 1, 0, len(edges) - 2).astype(np.int64)


def _pieces(course: Course, edges: Floats) -> tuple[Floats, Floats, Ints]:
    """The course cut at the borders of blocks: begin and length of each piece, and its row."""
    if not len(course.t):
        return np.empty(0), np.empty(0), np.empty(0, dtype=np.int64)
    times = np.union1d(course.t, edges[(edges > course.t[0]) & (edges < course.end)])
    return times, np.diff(np.append(times, course.end)), course.row(times)


def _draws(blocks: int) -> Ints:
    """Numbers of the blocks of each replicate."""
    return np.random.default_rng(SEED).integers(0, blocks, (REPLICATES, blocks))
