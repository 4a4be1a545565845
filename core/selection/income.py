"""What making a market is expected to earn a day: rewards, rebates and spread, less adverse drift and capital.

An estimate to rank markets with, never an input of prices, sizes or limits (market-making.md 2.13). Our orders are
those that the settings would place around the middle; what cannot be known beforehand is assumed, against us, by the
constants below, and every estimate names them.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TypeGuard

import msgspec

from core.config import Settings
from core.market.book import Level
from core.market.fees import rebate_estimate
from core.market.instrument import Instrument
from core.market.rewards import LEAST_PAID_USD, MIN_AGE_SEC, terms_of
from core.quoting.layers import layer_prices, layer_sizes, layer_step
from core.quoting.rewards import OwnOrder, RewardEstimate, estimate
from core.quoting.rules import BASE_SIZE_FRACTION, MAX_SIZE_FRACTION, QuoteRules, rules_of
from core.selection.listed import Figures
from core.units import MICRO, SIDES, Shares, Side, Ticks, Usd

DRIFT_FRAC: Final = 0.75
"""Part of what a fill earns against the middle that the price takes back afterwards: nearly all of it goes to those who
knew more (market-making.md 2.6); own markouts tell the truth of a market once it is made."""
FLOW_FRAC_MOST: Final = 0.05
"""Largest part of a side's volume that is taken to be ours (market-making.md 4.3)."""
FILL_DECAY_PER_CENT: Final = 1.0
"""Fills of an order fall as e to the minus this for each cent from the middle (market-making.md 2.13, kappa).

Distance times fills is largest at a cent, a spread of two: what is wider earns more a fill, and less a day.
"""
BAND_CENTS: Final = 4.5
"""Without a book and a reward programme liquidity is spread evenly over so many cents of each side: the usual band of
programmes; depth spreads evenly over levels rather than piling at the touch (market-making.md 2.13, 4.7)."""
SPREAD_TICKS: Final = 2
"""Spread of a book that nobody has told."""
CAPITAL_A_YEAR: Final = 0.04
"""What a dollar in orders costs a year: what the venue pays for holding some positions (market-making.md 2.14)."""
_DAYS_A_YEAR: Final = 365.0
_CENT: Final = 0.01


class Book(NamedTuple):
    """Levels of both sides in the YES frame, best first; our own orders, if any rest, count as others', against us."""

    bids: Sequence[Level]
    asks: Sequence[Level]


class IncomeInputs(msgspec.Struct, frozen=True, kw_only=True):
    """What an estimate is made of."""

    instrument: Instrument
    mid: float | None
    """Dollars of YES, as the catalogue tells; a book's own counts more."""
    spread: float | None
    """Dollars, the same."""
    figures: Figures
    book: Book | None = None
    most_usd: Usd | None = None
    """Most the market may lose by the market list."""


class Income(msgspec.Struct, frozen=True):
    """Expected dollars a day of one market, term by term; none is negative."""

    reward_usd: float
    """Of the liquidity programme."""
    rebate_usd: float
    """Of the takers' fees of our fills."""
    spread_usd: float
    """Our fills against the middle."""
    drift_usd: float
    """What the price takes back afterwards."""
    capital_usd: float
    """What the money in the orders costs."""
    fills: float
    """Shares a day."""
    at_risk_usd: float
    """What is lost if one side fills whole and the market resolves against it."""
    reward_share: float
    """Part of the pool that is ours at least."""
    others_q: float
    """What all others' orders count for rewards at most."""
    has_book: bool
    """A book was read; else one was assumed."""
    words: tuple[str, ...]
    """What was assumed, each with its number."""

    @property
    def usd_per_day(self) -> float:
        """Of it all."""
        return self.reward_usd + self.rebate_usd + self.spread_usd - self.drift_usd - self.capital_usd

    @property
    def frac(self) -> float:
        """The same for each dollar at risk; 0 when nothing is."""
        return self.usd_per_day / self.at_risk_usd if self.at_risk_usd > 0.0 else 0.0

    @property
    def break_even_drift(self) -> float | None:
        """Adverse drift at which nothing is earned, dollars a share; None when nothing is filled."""
        before_drift = self.usd_per_day + self.drift_usd
        return before_drift / self.fills if self.fills > 0.0 else None


def expected_income(inputs: IncomeInputs, settings: Settings) -> Income | None:
    """Estimate what a market would earn with the orders that the settings plan.

    Returns:
        None when neither a price nor a depth is told: then competition and fills would be made up.

    Source: market-making.md 2.12 to 2.14.
    """
    read = None if inputs.book is None else _readable(inputs.book)
    book = read or _assumed_book(inputs)
    if book is None:
        return None
    instrument = inputs.instrument
    grid = instrument.grid
    best_bid, best_ask = book.bids[0][0], book.asks[0][0]
    mid, half = (best_bid + best_ask) / (2 * grid.k), (best_ask - best_bid) / (2 * grid.k)
    bankroll, words = _bankroll(settings)
    if read is None:
        if not _is_spread(inputs.spread):
            words.append(f"spread not told: taken as {SPREAD_TICKS} ticks")
        words.append(
            f"no book read: ${inputs.figures.liquidity or 0:,.0f} of liquidity spread evenly over "
            f"{_band_cents(instrument):g}¢ on each side"
        )
    orders = _planned(mid, half, inputs, settings, bankroll)
    if not orders:
        words.append("no order is planned: sizes below the market's least, or prices beyond price_min and price_max")
    rewards = _rewards(orders, book, instrument)
    reward_usd = rewards.usd_per_day or 0.0
    if rewards.note:
        words.append(f"rewards: {rewards.note}")
    if reward_usd < LEAST_PAID_USD:
        reward_usd = 0.0
    volume = _volume_a_day(inputs.figures)
    if not volume > 0.0:
        words.append("no volume is told: nothing is filled")
    filled: list[tuple[OwnOrder, float]] = []
    for side in SIDES:
        filled += _fills([order for order in orders if order.side == side], book, grid.k, mid, volume)
    fills = math.fsum(count for _, count in filled)
    spread_usd = math.fsum(count * abs(order.ticks / grid.k - mid) for order, count in filled)
    rebate_usd = _rebate(filled, instrument)
    if 0.0 < rebate_usd < LEAST_PAID_USD:
        words.append(f"rebate of ${rebate_usd:.2f} a day is below the ${LEAST_PAID_USD:g} that is paid")
        rebate_usd = 0.0
    part = fills / (2.0 * volume) if volume > 0.0 else 0.0
    words += [
        f"${volume:,.0f} of volume a day, a share on each side a dollar; ours {part:.2%}, at most {FLOW_FRAC_MOST:.0%}",
        f"fills fall by e for each {1 / FILL_DECAY_PER_CENT:g}¢ from the middle",
        f"the price takes back {DRIFT_FRAC:.0%} of what fills earn",
        f"capital costs {CAPITAL_A_YEAR:.0%} a year",
    ]
    costs = {side: _cost(side, orders, grid.k) for side in SIDES}
    return Income(
        reward_usd=reward_usd,
        rebate_usd=rebate_usd,
        spread_usd=spread_usd,
        drift_usd=DRIFT_FRAC * spread_usd,
        capital_usd=sum(costs.values()) * CAPITAL_A_YEAR / _DAYS_A_YEAR,
        fills=fills,
        at_risk_usd=max(costs.values()),
        reward_share=rewards.share,
        others_q=rewards.others,
        has_book=read is not None,
        words=tuple(words),
    )


def _readable(book: Book) -> Book | None:
    """The book if both sides have levels and do not overlap; else it says nothing."""
    return book if book.bids and book.asks and book.bids[0][0] < book.asks[0][0] else None


def _band_cents(instrument: Instrument) -> float:
    return instrument.reward_max_spread_cents or BAND_CENTS


def _assumed_book(inputs: IncomeInputs) -> Book | None:
    """Liquidity spread evenly over the band of each side, in levels a cent apart that are large enough to score.

    A share on each side costs a dollar together, so dollars of liquidity are shares a side.
    """
    mid, liquidity = inputs.mid, inputs.figures.liquidity
    if mid is None or liquidity is None or not 0.0 < mid < 1.0 or not 0.0 < liquidity < math.inf:
        return None
    grid = inputs.instrument.grid
    half = (inputs.spread if _is_spread(inputs.spread) else SPREAD_TICKS * grid.tick) / 2.0
    bid, ask = max(1, grid.floor_t(mid - half)), min(grid.k - 1, grid.ceil_t(mid + half))
    if not 0 < bid < ask < grid.k:
        return None
    stride = max(1, round(_CENT * grid.k))
    least = max(inputs.instrument.min_size, inputs.instrument.reward_min_size or 0) / MICRO
    levels = math.ceil(_band_cents(inputs.instrument))
    if least > 0.0:
        levels = max(1, int(min(levels, liquidity / least)))
    size = Shares(round(liquidity / levels * MICRO))
    bids = [(Ticks(tick), size) for tick in range(bid, 0, -stride)][:levels]
    asks = [(Ticks(tick), size) for tick in range(ask, grid.k, stride)][:levels]
    return Book(bids, asks)


def _is_spread(spread: float | None) -> TypeGuard[float]:
    """A spread is told, and is one."""
    return spread is not None and 0.0 < spread < 1.0


def _bankroll(settings: Settings) -> tuple[float, list[str]]:
    if settings.bankroll_usd is not None:
        return settings.bankroll_usd, []
    return settings.paper_cash_usd, [f"bankroll_usd is not set: taken as ${settings.paper_cash_usd:,.0f}"]


def _planned(mid: float, half: float, inputs: IncomeInputs, settings: Settings, bankroll: float) -> list[OwnOrder]:
    """Our orders on both sides without a position: at the touch of others, or further away by the settings."""
    rules = rules_of(settings, inputs.instrument)
    grid = rules.grid
    wide = max(half, settings.k_fee_ticks * grid.tick, settings.min_edge_ticks * grid.tick)
    firsts: dict[Side, Ticks] = {"bid": grid.floor_t(mid - wide), "ask": grid.ceil_t(mid + wide)}
    dollars = _dollars(inputs, settings, rules, bankroll)
    orders = []
    for side, first in firsts.items():
        ticks = layer_prices(first, side, layer_step(wide, rules), rules)
        sizes = layer_sizes(side, ticks, mid, dollars, 1.0, None, rules)
        orders += [OwnOrder("", side, tick, size, MIN_AGE_SEC) for tick, size in zip(ticks, sizes, strict=True) if size]
    return orders


def _dollars(inputs: IncomeInputs, settings: Settings, rules: QuoteRules, bankroll: float) -> tuple[float, float]:
    """Dollars at risk of the innermost layer and of a side, as the caps and the list leave them."""
    base = BASE_SIZE_FRACTION * bankroll if rules.base_usd is None else rules.base_usd
    most = MAX_SIZE_FRACTION * bankroll if rules.max_usd is None else rules.max_usd
    most = min(most, settings.hard_cap_delta_pct * bankroll, settings.market_cap * bankroll)
    if inputs.most_usd is not None:
        most = min(most, inputs.most_usd / MICRO)
    return min(base, most), most


def _rewards(orders: Sequence[OwnOrder], book: Book, instrument: Instrument) -> RewardEstimate:
    terms = terms_of(instrument)
    if terms is None:
        return RewardEstimate("pool not told" if instrument.reward_daily_usd else "")
    return estimate(orders, book.bids, book.asks, instrument.grid, terms)


def _volume_a_day(figures: Figures) -> float:
    """Dollars a day: the week's pace, or yesterday's where it was less; 0 when nobody tells."""
    week = None if figures.volume_7d is None else figures.volume_7d / 7.0
    told = [value for value in (week, figures.volume_24h) if value is not None and 0.0 <= value < math.inf]
    return min(told, default=0.0)


def _fills(orders: Sequence[OwnOrder], book: Book, k: int, mid: float, volume: float) -> list[tuple[OwnOrder, float]]:
    """Shares a day that fill of each order of a side: of what comes as far as its price, our part of what stands there.

    Takers buy both outcomes alike, so a dollar of volume is a share on each side. Depth behind the touch competes as
    little as it is reached.
    """
    ours = sum(order.size for order in orders)
    if not ours:
        return []

    def reach(ticks: Ticks) -> float:
        return math.exp(-FILL_DECAY_PER_CENT * abs(ticks / k - mid) / _CENT)

    levels = book.bids if orders[0].side == "bid" else book.asks
    standing = [*levels, *((order.ticks, order.size) for order in orders)]
    depth = math.fsum(size * reach(ticks) for ticks, size in standing) / reach(levels[0][0])
    part = min(FLOW_FRAC_MOST, ours / depth)
    return [(order, volume * reach(order.ticks) * part * order.size / ours) for order in orders]


def _rebate(filled: Iterable[tuple[OwnOrder, float]], instrument: Instrument) -> float:
    fees, grid = instrument.fees, instrument.grid
    if fees is None:
        return 0.0
    one = Shares(MICRO)
    return math.fsum(count * rebate_estimate(grid.dollars_of(order.ticks), one, fees) for order, count in filled)


def _cost(side: Side, orders: Iterable[OwnOrder], k: int) -> float:
    """Dollars that a side's orders cost if they all fill."""
    return math.fsum(
        order.size / MICRO * (order.ticks if side == "bid" else k - order.ticks) / k
        for order in orders
        if order.side == side
    )
