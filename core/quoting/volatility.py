"""How far the price may move while a quote is exposed: variance per second, its floor and its cap.

A variance is estimated per second of time in one of three spaces and turned into dollars only at the fair value of the
question. The resolution floor is what a price that must end at 0 or 1 still owes.
"""

import math
from statistics import NormalDist
from typing import Final, Literal

import msgspec

from core.config import VolSpace

ResolutionKind = Literal["gauss", "bernoulli"]
SigmaSource = Literal["tape", "resolution", "cap", "none"]

WARM_UP_SEC: Final = 60.0
"""Kernel seconds below which the estimate is not shown (market-making.md 1.4)."""
CLIP: Final = 1e-4
"""Prices nearer to 0 or 1 than this are taken as this in log and logit space (market-making.md 1.4)."""
_SLACK: Final = 1e-9
_NORMAL: Final = NormalDist()
_SQRT_TAU: Final = math.sqrt(math.tau)


class VarianceRate:
    """Kernel-weighted variance per second of the microprice, whatever the rhythm of its updates.

    Times are seconds of any one clock; an older stamp counts as the latest kept one. Unit of the rate: (price, log or
    logit unit) squared per second.

    Source: market-making.md 1.4, ``vol.variance_rate``.
    """

    __slots__ = ("_clip", "_last", "_squares", "_time", "_weight", "min_gap_s", "returns_used", "space", "window_s")

    def __init__(self, window_s: float, space: VolSpace, min_gap_s: float, clip: float = CLIP) -> None:
        """Start empty.

        Args:
            window_s: e-folding time of the kernel, seconds.
            space: where returns are taken; ``logit`` is the complement-symmetric one.
            min_gap_s: samples closer than this to the last kept one are dropped.
            clip: least distance from 0 and 1 in log and logit space.
        """
        self.window_s = window_s
        self.space = space
        self.min_gap_s = min_gap_s
        self.returns_used = 0
        self._clip = clip
        self._last = math.nan
        self._squares = 0.0
        self._weight = 0.0
        self._time = -math.inf

    @property
    def next_s(self) -> float:
        """Before this time no sample is kept, seconds."""
        return self._time + self.min_gap_s - _SLACK

    def observe(self, t: float, price: float) -> bool:
        """Take a microprice at ``t``; True when it was kept as a sample.

        Raises:
            ValueError: time or price is no number, or the price is not strictly between 0 and 1.
        """
        if not (0.0 < price < 1.0 and -math.inf < t < math.inf):
            raise ValueError(f"not a sample: {price!r} at {t!r}")
        before = self._time
        gap = t - before if t > before else 0.0
        if gap < self.min_gap_s - _SLACK:
            return False
        x = price
        if self.space != "price":
            x = min(max(x, self._clip), 1.0 - self._clip)
            x = math.log(x / (1.0 - x)) if self.space == "logit" else math.log(x)
        if before != -math.inf:
            decay = math.exp(-gap / self.window_s)
            self._squares *= decay
            self._weight *= decay
            if not math.isnan(self._last):
                step = x - self._last
                self._squares += step * step
                self._weight += self.window_s * (1.0 - decay)
                self.returns_used += 1
            t = before + gap
        self._last = x
        self._time = t
        return True

    def weight_at(self, t: float) -> float:
        """Kernel-weighted seconds observed up to ``t``; at most the window."""
        return self.estimate_at(t)[0]

    def rate_at(self, t: float) -> float | None:
        """Variance per second at ``t``; None until time has passed since the first sample."""
        return self.estimate_at(t)[1]

    def estimate_at(self, t: float) -> tuple[float, float | None]:
        """What :meth:`weight_at` and :meth:`rate_at` say, for the price of one."""
        last = self._time
        if last == -math.inf:
            return 0.0, None
        window_s = self.window_s
        decay = math.exp((last - t) / window_s) if t > last else 1.0
        weight = self._weight * decay + window_s * (1.0 - decay)
        return weight, self._squares * decay / weight if weight > 0.0 else None

    def skip_gap(self) -> None:
        """The next sample begins a new path: what lies between was not observed."""
        self._last = math.nan

    def clear(self) -> None:
        """Forget everything."""
        self._last = math.nan
        self._squares = self._weight = 0.0
        self._time = -math.inf
        self.returns_used = 0


def sigma_to_price(sigma: float, fair: float, space: VolSpace) -> float:
    """Deviation per root second in dollars, from one in the space of the returns, at the present fair value.

    Source: market-making.md 1.4, ``vol.to_price``.
    """
    if space == "logit":
        return fair * (1.0 - fair) * sigma
    return fair * sigma if space == "log" else sigma


def gauss_sigma(fair: float, seconds: float) -> float:
    """Deviation per root second, in dollars, of a price that a Brownian score will push to 0 or 1 in ``seconds``.

    Source: market-making.md 2.5, ``gauss.sigma``.
    """
    score = _NORMAL.inv_cdf(fair)
    return math.exp(score * score / -2.0) / _SQRT_TAU / math.sqrt(seconds)


def resolution_floor(fair: float, seconds: float, weight: float, kind: ResolutionKind, t_min_s: float) -> float:
    """Least deviation per root second, in dollars, given the time to resolution.

    Args:
        fair: dollars, in (0, 1).
        seconds: to resolution; anything below ``t_min_s``, the past included, counts as ``t_min_s``.
        weight: share of the owed variance, 0 .. 1.
        kind: ``gauss`` for scores and prices that diffuse, ``bernoulli`` for the model-free average.
        t_min_s: seconds.

    Source: market-making.md 2.5, ``resolution.floor``.
    """
    seconds = max(seconds, t_min_s)
    if kind == "gauss":
        return math.sqrt(weight) * gauss_sigma(fair, seconds)
    return math.sqrt(weight * fair * (1.0 - fair) / seconds)


class Sigma(msgspec.Struct, frozen=True, gc=False):
    """The deviation a quote is priced with, and where it came from."""

    sigma_h: float | None
    """Dollars over the horizon, capped; None while neither tape nor resolution says anything."""
    sigma_p: float | None
    """Dollars per root second, before the cap."""
    source: SigmaSource
    """What decided the number."""
    is_warming_up: bool
    """The tape is too short to be used."""


def effective_sigma(tape: float | None, floor: float | None, horizon_s: float, cap: float) -> Sigma:
    """The tape's deviation raised by the resolution floor, scaled to the horizon and capped.

    Args:
        tape: dollars per root second; None while warming up.
        floor: from :func:`resolution_floor`; None when the end is not known.
        horizon_s: seconds a quote is taken to be exposed.
        cap: dollars, on the result.

    Returns:
        No number when there is neither tape nor floor: a market of which nothing is known has no sigma of 0.

    Source: market-making.md 1.4 and 2.5.
    """
    warming = tape is None
    source: SigmaSource = "tape"
    if floor is not None and (tape is None or floor > tape):
        tape, source = floor, "resolution"
    if tape is None:
        return Sigma(None, None, "none", warming)
    over = tape * math.sqrt(horizon_s)
    return Sigma(cap, tape, "cap", warming) if over > cap else Sigma(over, tape, source, warming)


def sigma_over_horizon(
    variance: VarianceRate, t: float, fair: float, floor: float | None, horizon_s: float, cap: float
) -> Sigma:
    """Deviation over the quote horizon at time ``t`` (clock of the samples) and fair value ``fair`` (dollars).

    The tape counts once its kernel holds a minute; until then only the floor does. Other arguments as for
    :func:`effective_sigma`.

    Source: market-making.md 1.4.
    """
    tape: float | None = None
    weight, rate = variance.estimate_at(t)
    if rate is not None and weight >= WARM_UP_SEC - _SLACK:
        tape = sigma_to_price(math.sqrt(rate), fair, variance.space)
    return effective_sigma(tape, floor, horizon_s, cap)
