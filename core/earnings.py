"""What resting and filled orders earn beside trading: liquidity rewards and maker rebates, as far as it can be told.

Estimates, shown beside profit and never in it (market-making.md 2.12 to 2.14), and added up day by day for whoever
compares them with what was paid. Whether an order scores is the venue's word; where that is not what we reckon,
somebody should know.
"""

import math
from typing import Final, NamedTuple

from core.actions import Action, Note
from core.desk import Desk
from core.events import ScoringSeen
from core.market.fees import rebate_estimate
from core.market.rewards import Scored, terms_of
from core.orders.fills import Fill
from core.orders.manager import OrderManager
from core.orders.order import IN_BOOK, Order
from core.portfolio.markouts import HORIZONS
from core.quoting.rewards import MarginalValue, OwnOrder, RewardEstimate, estimate, marginal_value, scoring_band
from core.quoting.scoring import ScoringWatch
from core.units import MICRO, SIDES, Side, Ticks, Usd, usd_from_float

CAPITAL_PER_DAY: Final = 0.04 / 365
"""What a dollar tied up in an order would earn elsewhere."""
DAY_SEC: Final = 86_400.0
SAMPLE_SEC: Final = 60.0
"""Between two samples of a market, as the venue takes them (market-making.md 2.12)."""
MOST_SEC: Final = 90.0
"""Longest that one sample may stand for; what nobody looked at is not guessed."""
PACE_SEC: Final = HORIZONS[0]
"""Horizon whose fills tell how often a layer trades: nearly all of them are old enough."""


class OrderWorth(NamedTuple):
    """What one resting order adds to what its market earns."""

    side: Side
    layer: int
    value: MarginalValue


class Estimate(NamedTuple):
    """What a market may have earned on one day."""

    day: int
    """UTC: ``floor(unix / 86400)``."""
    market: str
    reward: Usd
    """Of the pool at our share, while orders rested; the venue pays nothing below a dollar a day."""
    rebate: Usd
    """Of the fills; negative when trades that failed outweigh them."""
    sampled_s: float
    """Seconds of the day that the reward was sampled for."""


class Earnings:
    """Rewards and rebates of all markets."""

    def __init__(self, desks: dict[str, Desk], orders: OrderManager) -> None:
        self._desks = desks
        self._orders = orders
        self.scoring = ScoringWatch()
        self._since_s = math.inf
        """When this began, monotonic seconds."""
        self.rebates: dict[str, float] = {}
        """Dollars that fills may bring back, by market; distributed by the venue day by day."""
        self.rewards: dict[str, Usd] = {}
        """What this session's orders may have earned of liquidity rewards, by market."""
        self._estimates: dict[tuple[int, str], Estimate] = {}
        """By day and market, since they were last taken."""
        self._samples: dict[str, tuple[float, float]] = {}
        """By market: when it was last sampled, and when it is due again; monotonic seconds."""

    def estimate(self, desk: Desk, now: float) -> RewardEstimate | None:
        """What a market's resting orders earn at this moment; None without a programme."""
        terms = terms_of(desk.instrument)
        if terms is None:
            return None
        own = [
            OwnOrder(order.order_id, order.side, order.yes_price, order.remaining, now - order.created_s)
            for order in self._resting(desk)
        ]
        return estimate(own, *desk.others(), desk.instrument.grid, terms)

    def band(self, desk: Desk) -> tuple[Ticks, Ticks] | None:
        """Lowest and highest tick at which an order of a market scores; None without a programme or a middle."""
        terms = terms_of(desk.instrument)
        if terms is None:
            return None
        bid, ask = (desk.best_of_size(side, terms.min_size) for side in SIDES)
        if bid is None or ask is None or bid >= ask:
            return None
        grid = desk.instrument.grid
        return scoring_band((bid + ask) / (2 * grid.k), grid, terms.max_spread_cents)

    def worth(self, desk: Desk, found: RewardEstimate, now: float) -> list[OrderWorth]:
        """What each scoring order of a market adds a day: rewards, and trading as this session has gone so far.

        Args:
            desk: of the market.
            found: what :meth:`estimate` gives for it now.
            now: monotonic seconds.
        """
        terms, grid = terms_of(desk.instrument), desk.instrument.grid
        if terms is None or found.mid is None:
            return []
        counting = {score.order_id for score in found.orders if score.points > 0.0}
        orders = [order for order in self._resting(desk) if order.order_id in counting]
        scored = [Scored(o.side, grid.dollars(o.yes_price), o.remaining / MICRO) for o in orders]
        rows = {(row.side, row.layer, row.horizon): row for row in desk.stance.markouts.table()}
        days = max(now - self._since_s, 1.0) / DAY_SEC
        worths = []
        for place, (order, more) in enumerate(zip(orders, scored, strict=True)):
            soon = rows.get((order.side, order.layer, PACE_SEC))
            later = rows.get((order.side, order.layer, desk.settings.tox_horizon_sec))
            value = marginal_value(
                [*scored[:place], *scored[place + 1 :]],
                more,
                found.mid,
                found.others,
                terms,
                fills_per_day=0.0 if soon is None else soon.shares / MICRO / more.size / days,
                edge=soon.spread or 0.0 if soon is not None else 0.0,
                drift=later.drift or 0.0 if later is not None else 0.0,
                capital_per_day=CAPITAL_PER_DAY,
            )
            if value is not None:
                worths.append(OrderWorth(order.side, order.layer, value))
        return worths

    def ask(self, now: float) -> list[Action]:
        """The question which orders score, when it is time for it and there are any."""
        self._since_s = min(self._since_s, now)
        paying = [desk for desk in self._desks.values() if terms_of(desk.instrument) is not None]
        question = self.scoring.ask([order.order_id for desk in paying for order in self._resting(desk)], now)
        return [] if question is None else [question]

    def take(self, event: ScoringSeen, now: float) -> list[Action]:
        """Take the venue's answer; tells of orders that should score and do not."""
        self.scoring.take(event)
        actions: list[Action] = []
        for desk in self._desks.values():
            expected = self.estimate(desk, now)
            late = [] if expected is None else self.scoring.contradictions(expected.orders)
            if late:
                which = "1 order" if len(late) == 1 else f"{len(late)} orders"
                text = f"{which} should score for rewards by our reckoning, and the venue says no"
                actions.append(Note("warning", desk.market, text))
        return actions

    def fill(self, desk: Desk, fill: Fill, counts: bool) -> None:
        """Take a fill of ours, or take it back."""
        fees = desk.instrument.fees
        if fees is None or fill.takes:
            return
        rebate = rebate_estimate(fill.usd, fill.size, fees)
        change = rebate if counts else -rebate
        self.rebates[desk.market] = self.rebates.get(desk.market, 0.0) + change
        self._add(fill.unix, desk.market, Usd(0), usd_from_float(change), 0.0)

    def sample(self, now: float, unix: float) -> None:
        """Add what resting orders earned since each market's last sample, where a minute has gone by.

        Call it every second or so; markets take turns within the minute.

        Args:
            now: monotonic seconds.
            unix: seconds.
        """
        for desk in self._desks.values():
            known = self._samples.get(desk.market)
            if known is None:
                turn = SAMPLE_SEC - len(self._samples) % int(SAMPLE_SEC)
                self._samples[desk.market] = (now, now + turn)
            elif now >= known[1]:
                self._samples[desk.market] = (now, max(known[1] + SAMPLE_SEC, now))
                self._sample(desk, min(now - known[0], MOST_SEC), now, unix)

    def forget(self, market: str) -> None:
        """A market is made no longer; what it earned stays."""
        self._samples.pop(market, None)

    def take_estimates(self) -> list[Estimate]:
        """What was added since the last call: to be added up by day and market."""
        taken, self._estimates = self._estimates, {}
        return list(taken.values())

    def _sample(self, desk: Desk, span_s: float, now: float, unix: float) -> None:
        """The present share of the pool, for a span; a pool that is not told cannot be estimated."""
        if not self._resting(desk):
            return
        found = self.estimate(desk, now)
        if found is not None and found.usd_per_day is not None:
            reward = usd_from_float(found.usd_per_day * span_s / DAY_SEC)
            self._add(unix, desk.market, reward, Usd(0), span_s)

    def _add(self, unix: float, market: str, reward: Usd, rebate: Usd, sampled_s: float) -> None:
        day = int(unix // DAY_SEC)
        self.rewards[market] = Usd(self.rewards.get(market, 0) + reward)
        before = self._estimates.get((day, market), Estimate(day, market, Usd(0), Usd(0), 0.0))
        self._estimates[day, market] = before._replace(
            reward=Usd(before.reward + reward),
            rebate=Usd(before.rebate + rebate),
            sampled_s=before.sampled_s + sampled_s,
        )

    def _resting(self, desk: Desk) -> list[Order]:
        return [order for order in self._orders.at_risk(desk.market) if order.state in IN_BOOK]
