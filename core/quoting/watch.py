"""What one market's book says about the price as time goes on: microprice, fair value, deviation over the horizon.

Looks at a book as often as it is told to, and computes anew only when the touch or our own orders changed.
"""

import math
from collections.abc import Callable
from typing import Final

import msgspec

from core.config import Settings
from core.market.book import Book, Level
from core.market.instrument import Instrument
from core.market.signals import FairValue, Micro, jump_reset_usd, live_microprice
from core.quoting.schedule import floor_seconds
from core.quoting.volatility import Sigma, VarianceRate, resolution_floor, sigma_over_horizon
from core.units import MICRO, Shares, Ticks

LEVELS_READ: Final = 4
"""Levels a side read beyond those that are looked for, so that our own and small ones among them do not matter."""
EVERY_LEVEL: Final = 1_000_000

Others = Callable[[int], tuple[list[Level], list[Level]]]
"""Bids and asks of others, up to so many levels a side, best first."""
_Look = tuple[int, int, int, int, int]
"""All that the microprice depends on while the touch alone decides it: best prices, their sizes, our own version."""


class Glance(msgspec.Struct, frozen=True, gc=False):
    """What a new look at the book showed."""

    touch: tuple[Ticks | None, Ticks | None]
    """Best bid and ask of others."""
    is_news: bool
    """The book became usable or useless, or the price jumped."""
    jumped: bool
    """The fair value was reset."""
    value: float | None
    """Fair value in dollars; None when this book gives no microprice."""


class PriceWatch:
    """The price signals of one market on one grid."""

    __slots__ = (
        "_depths",
        "_end_unix",
        "_looked",
        "_micro_rules",
        "_sample_s",
        "_settings",
        "cutoff",
        "fair",
        "micro",
        "unmoved_until_s",
        "variance",
        "version",
    )

    def __init__(self, settings: Settings, instrument: Instrument) -> None:
        wanted = settings.micro_levels
        self._settings = settings
        self._end_unix = instrument.end_unix
        self._depths = (1 if wanted == 1 else wanted + LEVELS_READ, wanted + 2 * LEVELS_READ, EVERY_LEVEL)
        """Levels a side read for the microprice, in turn until both sides reach the size cutoff."""
        self._looked: _Look | None = None
        self.unmoved_until_s = -math.inf
        """Until then a change behind the touch is not worth a look, as long as our orders are those of ``version``."""
        self.version = -1
        """Of our orders, at the last look."""
        self.cutoff = instrument.reward_min_size or instrument.min_size
        """Size that makes a level count (market-making.md 1.1)."""
        if settings.size_cutoff is not None:
            self.cutoff = Shares(round(settings.size_cutoff * MICRO))
        self._micro_rules = (instrument.grid, self.cutoff, wanted, settings.micro_decay, settings.max_spread)
        self.fair = FairValue(settings.alpha_fair, jump_reset_usd(settings.jump_reset_ticks, instrument.grid))
        self.variance = VarianceRate(settings.ewma_vol_window_sec, settings.vol_space, settings.vol_sample_sec)
        self._sample_s = -math.inf
        """Before this time the variance keeps no sample."""
        self.micro: Micro | None = None
        """As of the last look; None before the first."""

    def observe(self, book: Book, version: int, others: Others, now: float) -> Glance | None:
        """Look at the book.

        Args:
            book: as it stands.
            version: grows with every change of our own orders.
            others: levels of others in that book.
            now: monotonic seconds.

        Returns:
            None when there is nothing new: a change behind an unchanged touch. What time alone does to the average is
            seen whenever it is asked for.
        """
        look: _Look | None = None
        bids, asks = book.bids.ticks, book.asks.ticks
        if bids and asks:
            bid, ask = bids[-1], asks[0]
            look = (bid, book.bids.sizes[bid], ask, book.asks.sizes[ask], version)
        if now >= self._sample_s:  # before the look: a sample is a price that has stood
            self.sample(now)
        glance = None
        if look is None or look != self._looked:
            glance = self._look_again(look, others, now)
        self.unmoved_until_s = -math.inf if self._looked is None else self._sample_s
        self.version = version
        return glance

    def use(self, settings: Settings, instrument: Instrument, now: float) -> None:
        """Go on with other settings or facts; averages keep what they know as long as it is of the same kind."""
        fresh, fair, variance = PriceWatch(settings, instrument), self.fair, self.variance
        for name in ("_settings", "_end_unix", "_depths", "cutoff", "_micro_rules"):
            setattr(self, name, getattr(fresh, name))
        self._looked, self.unmoved_until_s = None, -math.inf
        fair.settle(now, fresh.fair.theta)
        fair.jump_usd = fresh.fair.jump_usd
        if variance.space != fresh.variance.space:
            self.variance = fresh.variance
        variance.window_s, variance.min_gap_s = fresh.variance.window_s, fresh.variance.min_gap_s

    def start_anew(self) -> None:
        """Forget the average, and take no return over the gap: what they knew is of another time."""
        self.fair.clear()
        self.variance.skip_gap()
        self._looked, self.unmoved_until_s = None, -math.inf

    def sample(self, now: float) -> None:
        """Let the variance see the price that stands, when it is time for it: silence is calm."""
        micro = self.micro
        if now >= self._sample_s and micro is not None and micro.price is not None and 0.0 < micro.price < 1.0:
            self.variance.observe(now, micro.price)
            self._sample_s = self.variance.next_s

    def sigma(self, now: float, unix: float, fair: float, settings: Settings) -> Sigma:
        """Deviation over the quote horizon, raised by what is owed until resolution (market-making.md 1.4, 2.5)."""
        floor, seconds = None, floor_seconds(unix, self._end_unix)
        if seconds is not None:
            floor = resolution_floor(fair, seconds, settings.resolve_var_weight, "gauss", settings.resolve_t_min_sec)
        return sigma_over_horizon(self.variance, now, fair, floor, settings.vol_horizon_sec, settings.sigma_cap)

    def _look_again(self, look: _Look | None, others: Others, now: float) -> Glance:
        """Compute the microprice anew; remember the look of the touch when nothing behind it was needed."""
        for depth in self._depths:
            bids, asks = others(depth)
            micro = live_microprice(bids, asks, *self._micro_rules)
            if micro.status != "one_sided":
                break
        self._looked = look if depth == 1 else None
        is_news = self.micro is None or micro.status != self.micro.status
        self.micro = micro
        value, jumped = None, False
        if micro.price is not None and 0.0 < micro.price < 1.0:
            jumped = self.fair.observe(now, micro.price)
            value = self.fair.value_at(now)
        touch = (bids[0][0] if bids else None, asks[0][0] if asks else None)
        return Glance(touch, is_news or jumped, jumped, value)
