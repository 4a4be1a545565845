"""What changes one market's quotes beside its book and its inventory.

Regime, schedule, calendar, toxic flow and what the operator asked for, each judged in its own module, are brought
together here into one :class:`Posture` that a plan is made with.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Final, Literal, NamedTuple

from core.config import Settings
from core.market.book import Book
from core.market.instrument import Instrument
from core.market.signals import Micro, jump_reset_usd
from core.orders.fills import Fill
from core.portfolio.markouts import Drift, Markouts
from core.quoting.adjust import Adjusted, Adjustments
from core.quoting.calendar import CalendarRow, CalendarState, calendar_at
from core.quoting.regime import RegimeRules, RegimeState, RegimeWatch, near_depth
from core.quoting.schedule import END_DATE, GAME_START, Schedule, ScheduleRules, schedule_at, warning_of
from core.quoting.toxicity import Toxicity, ToxicityRules, adverse_share
from core.quoting.volatility import VarianceRate
from core.units import MICRO, Shares, Side, Ticks

JUMP: Final = "the price jumped"
Standing = Literal["jump", "sweep", "schedule"]


class Posture(NamedTuple):
    """What a market's quotes are to be made with at one moment."""

    forbids: str
    """Why there are to be no quotes, in words; "" when they may be."""
    reduces: str
    """Why orders may only reduce, in words; "" when they may add."""
    spread_factor: float
    """Of the model's half-spread, at least 1."""
    regime_factor: float
    """Of sizes, 0 .. 1."""
    time_factor: float
    """Of sizes, 0 .. 1."""
    tox_bid: float
    """Dollars."""
    tox_ask: float
    adjusted: Adjusted
    regime: RegimeState
    schedule: Schedule
    calendar: CalendarState
    until_s: float
    """It may change by itself then, monotonic seconds."""
    since_unix: float
    """It was judged by a wall clock from here ..."""
    until_unix: float
    """... and holds until there: a clock that is set, or a machine that slept, calls for another look."""

    @property
    def words(self) -> str:
        """What is not as usual, the strictest first; "" when all is."""
        if self.forbids:
            return self.forbids
        if self.reduces:
            return f"only reducing: {self.reduces}"
        if self.calendar.reason:
            return f"calendar: {self.calendar.reason}"
        return f"{self.regime.name}: {self.regime.reason}" if self.regime.name != "normal" else ""

    @property
    def standing(self) -> frozenset[Standing]:
        """What of it holds quotes back by itself: for the list of protections."""
        standing: set[Standing] = set()
        if not self.regime.may_quote:
            standing.add("jump" if self.regime.reason == JUMP else "sweep")
        if self.schedule.phase in ("reduce_only", "closed"):
            standing.add("schedule")
        return frozenset(standing)

    def holds(self, regime: RegimeState, now: float, unix: float) -> bool:
        """Nothing has changed by itself since it was judged."""
        return regime is self.regime and now < self.until_s and self.since_unix <= unix < self.until_unix


class Stance:
    """One market's regime, schedule, calendar, toxicity and adjustments."""

    def __init__(self, settings: Settings, instrument: Instrument, calendar: Sequence[CalendarRow]) -> None:
        self.markouts = Markouts()
        self._calendar = calendar
        self._adjustments = Adjustments()
        self._instrument = instrument
        self._settings = settings
        self._schedule_rules, self._tox_rules = _schedule_rules(settings), _toxicity_rules(settings)
        self.regime = RegimeWatch(_regime_rules(settings, instrument), settings.vol_space, settings.vol_sample_sec)
        self._toxicity: dict[Side, Toxicity] = {}
        self._retell_toxicity()
        self._posture: Posture | None = None

    @property
    def adjustments(self) -> Adjustments:
        """What the operator asked for."""
        return self._adjustments

    @adjustments.setter
    def adjustments(self, adjustments: Adjustments) -> None:
        self._adjustments, self._posture = adjustments, None

    def use(self, settings: Settings, instrument: Instrument) -> None:
        """Go on with other settings, facts or grid; what was seen is kept where the rules allow it."""
        was, is_now = self._instrument.grid, instrument.grid
        if was.k != is_now.k:
            self._adjustments = self._adjustments.onto(is_now.k / was.k)
        self._settings, self._instrument, self._posture = settings, instrument, None
        self.regime.use(_regime_rules(settings, instrument), settings.vol_space, settings.vol_sample_sec)
        self._schedule_rules, self._tox_rules = _schedule_rules(settings), _toxicity_rules(settings)
        self._retell_toxicity()

    # What happens

    def see(self, now: float, book: Book, micro: Micro, variance: VarianceRate) -> None:
        """Take a believed book, ours included, with the microprice of others' cleaned touch."""
        if micro.mid is None or micro.price is None or not 0.0 < micro.price < 1.0:
            return
        near = max(1, round(self._jump_usd * self._instrument.grid.k))
        bids, asks = (near_depth(book.best_first(side, near + 1), near) for side in _SIDES)
        self.regime.see_price(now, micro.mid, micro.price, variance)
        self.regime.see_book(now, micro.mid, bids, asks)

    def see_trade(self, now: float, price: Ticks, size: Shares) -> bool:
        """Take a trade of the tape, YES frame; True when it completes a sweep."""
        return size > 0 and self.regime.see_trade(now, price / self._instrument.grid.k, size)

    def jumped(self, now: float) -> None:
        """The fair value was reset by a jump."""
        self.regime.begin_event(now, JUMP)

    def fair(self, now: float, fair: float | None) -> None:
        """The fair value from now on, dollars; None while there is none."""
        self.markouts.fair(now, fair)

    def fill(self, fill: Fill, now: float, unix: float) -> None:
        """Take a fill of ours, however late it is told; ``unix`` is the wall clock at ``now``."""
        matched_s = now - max(0.0, unix - fill.unix)
        price = (fill.usd if fill.outcome == "YES" else MICRO - fill.usd) / MICRO
        self.markouts.fill((fill.trade_id, fill.order_id), matched_s, fill.side, fill.layer, price, fill.size)

    def revoke(self, fill: Fill) -> None:
        """A fill's trade failed: it leaves all statistics."""
        if self.markouts.revoke((fill.trade_id, fill.order_id)):
            self._retell_toxicity()

    def advance(self, now: float) -> list[Drift]:
        """Look at the price after fills whose horizons have come; returns what was seen."""
        drifts = self.markouts.advance(now)
        for drift in drifts:
            if drift.horizon == self._settings.tox_horizon_sec:
                self._toxicity[drift.side].observe(drift.drift)
                self._posture = None
        return drifts

    def start_anew(self) -> None:
        """The book was lost or its grid changed."""
        self.regime.start_anew()

    # What follows

    def at(self, now: float, unix: float) -> Posture:
        """The posture now; the same object as long as nothing has changed.

        Args:
            now: monotonic seconds.
            unix: the wall clock at that moment.
        """
        posture, regime = self._posture, self.regime.at(now)
        if posture is not None and posture.holds(regime, now, unix):
            return posture
        self._posture = posture = self._judge(regime, self._adjustments.at(now), now, unix)
        return posture

    def preview(self, settings: Settings, adjustments: Adjustments, now: float, unix: float) -> Posture:
        """The posture with other settings and adjustments; nothing changes."""
        other = deepcopy(self)
        other.use(settings, self._instrument)
        other.adjustments = adjustments
        return other.at(now, unix)

    def conditions(self, fair: float | None, now: float) -> tuple[str, ...]:
        """Everything that had a say at the last look, a line each, for people; nothing when all was as usual."""
        posture, adjustments = self._posture, self._adjustments.pruned(now)
        lines = [f"operator: {adjustments.words(now)}"] if adjustments.in_force else []
        if posture is None:
            return tuple(lines)
        regime, calendar = posture.regime, posture.calendar
        lines = [
            f"reduce only: {posture.reduces}" if posture.reduces else "",
            f"{regime.name}: {regime.reason}" if regime.name != "normal" else "",
            f"calendar: {calendar.reason}" if calendar.reason else "",
            warning_of(posture.schedule, fair),
            *lines,
        ]
        return tuple([line for line in lines if line])

    @property
    def adverse_share(self) -> float | None:
        """Part of our volume after which the price moved against us by a tick or more; None before the first."""
        horizon = self._settings.tox_horizon_sec
        drifts = [drift for side in _SIDES for drift in self.markouts.drifts(side, horizon)]
        return adverse_share(drifts, self._instrument.grid.tick)

    def toxicity(self, side: Side) -> Toxicity:
        """What flow into one side of our quotes has cost."""
        return self._toxicity[side]

    def _judge(self, regime: RegimeState, adjusted: Adjusted, now: float, unix: float) -> Posture:
        instrument, tick = self._instrument, self._instrument.grid.tick
        ends = [(END_DATE, instrument.end_unix), (GAME_START, instrument.game_start_unix)]
        known = [(name, end) for name, end in ends if end is not None]
        schedule = schedule_at(unix, known, self._schedule_rules)
        calendar = calendar_at(self._calendar, instrument.market, instrument.tags, unix)
        forbids, reduces = "", ""
        if not calendar.may_quote:
            forbids = f"calendar: {calendar.reason}"
        elif schedule.phase == "closed":
            is_past = (schedule.seconds or 0.0) < 0
            forbids = f"the {schedule.of} has passed" if is_past else f"too near the {schedule.of}"
        elif not regime.may_quote:
            forbids = f"event: {regime.reason}; no quotes for {self._settings.event_cooloff_sec:g} s after it"
        if calendar.reduce_only:
            reduces = f"calendar: {calendar.reason}"
        elif schedule.phase == "reduce_only":
            reduces = f"near the {schedule.of}"
        until_unix = min(schedule.until_unix, calendar.next_change_unix)
        return Posture(
            forbids,
            reduces,
            max(regime.spread_factor, calendar.spread_factor, schedule.spread_factor),
            regime.size_factor,
            schedule.factor,
            self._toxicity["bid"].widen(tick),
            self._toxicity["ask"].widen(tick),
            adjusted,
            regime,
            schedule,
            calendar,
            min(regime.until_s, adjusted.next_change_s, now + (until_unix - unix)),
            unix,
            until_unix,
        )

    @property
    def _jump_usd(self) -> float:
        return jump_reset_usd(self._settings.jump_reset_ticks, self._instrument.grid)

    def _retell_toxicity(self) -> None:
        """Make the averages anew from the drifts that are known."""
        horizon = self._settings.tox_horizon_sec
        for side in _SIDES:
            drifts = [drift.drift for drift in self.markouts.drifts(side, horizon)]
            self._toxicity[side] = Toxicity.of(self._tox_rules, drifts)
        self._posture = None


_SIDES: Final[tuple[Side, Side]] = ("bid", "ask")


def _regime_rules(settings: Settings, instrument: Instrument) -> RegimeRules:
    return RegimeRules(
        cooloff_s=settings.event_cooloff_sec,
        reentry_spread=settings.event_spread_mult,
        decay_s=settings.event_decay_sec,
        sweep_frac=settings.sweep_frac,
        sweep_least=instrument.reward_min_size or instrument.min_size,
        caution_spread=settings.caution_spread_mult,
        caution_size=settings.caution_size_mult,
        caution_hold_s=settings.caution_hold_sec,
        window_s=settings.caution_window_sec,
        least_moves=settings.caution_min_moves,
        one_sided=settings.caution_one_sided,
        vol_ratio=settings.caution_vol_ratio,
    )


def _schedule_rules(settings: Settings) -> ScheduleRules:
    return ScheduleRules(
        settings.fade_sec,
        settings.reduce_sec,
        settings.close_sec,
        settings.overdue_size_mult,
        settings.overdue_spread_mult,
    )


def _toxicity_rules(settings: Settings) -> ToxicityRules:
    return ToxicityRules(settings.tox_beta, settings.tox_prior_fills, settings.k_tox, settings.tox_cap_ticks)
