"""Which markets are worth making: every rule with its number, its bound and whether it passes.

What moves by itself (liquidity, volumes, score, spread, rewards, tick) has to go clearly beyond its bound before a made
market fails, and takes none out before its least stay is over: a market that flaps pays for every change. What is a
fact (its end, age, category, fee) holds at once.
"""

import logging
import math
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from core.config import Settings
from core.market.instrument import Instrument
from core.quoting.schedule import lives_long_enough
from core.selection.enrich import Sourced, figures_of
from core.selection.income import Book, Income, IncomeInputs, expected_income
from core.selection.listed import Figures, ListRow
from core.text import cleaned
from core.units import MICRO, grid_of
from core.venue.gamma import GammaMarket

log = logging.getLogger(__name__)

Rule = Literal[
    "liquidity",
    "weekly_volume",
    "trend",
    "score",
    "spread",
    "end",
    "age",
    "life",
    "category",
    "fee",
    "reward",
    "tick",
    "estimate",
]
"""``estimate`` is told only where its income could not be worked out."""
_MOVING: Final[frozenset[Rule]] = frozenset(
    {"liquidity", "weekly_volume", "trend", "score", "spread", "reward", "tick"}
)
"""What goes up and down: its failures wait for the least stay."""
NOT_TOLD: Final = "not told"
ANY: Final = "any"

_TAG: Final = 40
"""Characters of a category that are shown."""
_TAGS: Final = 6
"""Categories of a market that are shown; all of them are looked at."""
_Text = Callable[[float], str]
_SLACK: Final = 1e-9
_DAY: Final = 86_400.0
_FUTURE_SEC: Final = 300.0
"""How far a file's time of change may be ahead of our clock and still be believed."""


class RuleResult(msgspec.Struct, frozen=True):
    """What one rule says of a market."""

    rule: Rule
    passed: bool
    value: str
    """The market's number, for people."""
    bound: str
    """What it is held against, for people."""


class Screening(msgspec.Struct, frozen=True):
    """What the screen says of one market."""

    results: tuple[RuleResult, ...]
    """Every rule, in fixed order."""
    score: float
    """Dollars to the power 1.5: a ranking, not a forecast; NaN when a figure is missing."""
    trend: float
    """Share of the month's volume done in the last week; 0 without volume, NaN when a figure is missing."""
    income: Income | None = None
    """What making it is expected to earn; None when too little is told to say."""
    stays_s: float = 0.0
    """Seconds of its least stay that are left, when nothing but that keeps it; else 0."""

    @property
    def failures(self) -> tuple[Rule, ...]:
        """Rules that fail, in fixed order, whatever the least stay says."""
        return tuple(result.rule for result in self.results if not result.passed)

    @property
    def passes(self) -> bool:
        """It may be made, or made on."""
        return self.stays_s > 0.0 or not self.failures

    @property
    def words(self) -> str:
        """Why it fails, in words; "" when every rule passes."""
        failed = [result for result in self.results if not result.passed]
        return "; ".join(f"{result.rule.replace('_', ' ')} {result.value}, wanted {result.bound}" for result in failed)


class UsedFigures(msgspec.Struct, frozen=True):
    """The figures that a market is screened by, and where they are from."""

    figures: Figures
    words: str
    """Whose they are and why, for people."""


def screen(
    liquidity: float, volume_7d: float, volume_30d: float, settings: Settings, *, is_made: bool = False
) -> Screening:
    """Score a market by its figures alone; all in dollars. A value that is no number fails its rule.

    Steady volume has a trend of 7/30 and does not pass the default; at both minimums the default score never rejects.
    A bound of 0 asks for nothing.

    Args:
        liquidity: of its book.
        volume_7d: of the last week.
        volume_30d: of the last thirty days.
        settings: the bounds.
        is_made: it is made already: its figures may fall below the bounds by ``screen_hysteresis``.

    Source: market-making.md 1.13, ``mm_score``.
    """
    score = liquidity * max(volume_7d, 1.0) ** 0.5  # in this order a NaN stays one
    trend = _trend(volume_7d, volume_30d)
    slack = settings.screen_hysteresis if is_made else 0.0
    results = (
        _at_least("liquidity", liquidity, settings.min_liquidity, slack, _usd),
        _at_least("weekly_volume", volume_7d, settings.min_weekly_volume, slack, _usd),
        _at_least("trend", trend, settings.min_trend, slack, _share),
        _at_least("score", score, settings.mm_score_min, slack, _points),
    )
    return Screening(results, score, trend)


def screened(
    sourced: Sourced,
    figures: UsedFigures,
    made_since_unix: float | None,
    settings: Settings,
    unix: float,
    book: Book | None = None,
) -> Screening:
    """Hold one market against every rule.

    Args:
        sourced: what the venue says of it.
        figures: from :func:`used_figures`.
        made_since_unix: since when it is made; None when it is not.
        settings: the bounds.
        unix: seconds now.
        book: its book, for the expected income; None when it was not read.
    """
    market, used = sourced.market, figures.figures
    instrument = sourced.instrument or (market.instrument if market is not None else None)
    is_made = made_since_unix is not None
    liquidity, volume_7d, volume_30d = map(_known, (used.liquidity, used.volume_7d, used.volume_30d))
    by_figures = screen(liquidity, volume_7d, volume_30d, settings, is_made=is_made)
    slack = settings.screen_hysteresis if is_made else 0.0
    spread = market.spread if market is not None else None
    results = (
        *by_figures.results,
        _at_most("spread", _known(spread), settings.screen_max_spread, slack, _cents),
        _end(instrument, settings, unix),
        _age(market, settings, unix),
        _life(instrument, settings),
        _category(instrument, settings),
        _fee(instrument, settings),
        _at_least("reward", _known(_pool(instrument)), settings.screen_min_reward or 0.0, slack, _usd_a_day),
        _tick(instrument, settings),
    )
    income = None
    if instrument is not None and market is not None:
        inputs = IncomeInputs(
            instrument=instrument,
            mid=market.mid,
            spread=spread,
            figures=used,
            book=book,
            most_usd=sourced.row.max_usd,
        )
        try:
            income = expected_income(inputs, settings)
        except Exception as error:  # by numbers that nobody has thought of: this market's trouble, and no other's
            log.exception("income_estimate_failed", extra={"market": sourced.row.market})
            results = (*results, RuleResult("estimate", is_made, type(error).__name__, "one that can be made"))
    failed = {result.rule for result in results if not result.passed}
    stays_s = _stay_left(made_since_unix, settings, unix) if failed and failed <= _MOVING else 0.0
    return Screening(results, by_figures.score, by_figures.trend, income, stays_s)


def used_figures(
    row: ListRow, stood_since_unix: float | None, market: GammaMarket | None, settings: Settings, unix: float
) -> UsedFigures:
    """The list's figures while they are young and whole, else Gamma's.

    All are of one source: a trend of two would say nothing.

    Args:
        row: of the list.
        stood_since_unix: since when the list tells these figures; None when nobody knows.
        market: what Gamma says; None when it says nothing.
        settings: how old the list's may be.
        unix: seconds now.
    """
    trouble = _why_not_the_lists(row.figures, stood_since_unix, settings.list_figures_sec, unix)
    if not trouble and stood_since_unix is not None:
        return UsedFigures(row.figures, f"the list's, {_span(max(0.0, unix - stood_since_unix))} old")
    if market is None:
        return UsedFigures(Figures(), f"none: {trouble}, and Gamma does not know the market")
    return UsedFigures(figures_of(market), f"Gamma's: {trouble}")


def _why_not_the_lists(figures: Figures, stood_since_unix: float | None, most_s: float, unix: float) -> str:
    """Why the list's figures are not used; "" when they are."""
    told = {name: value for name, value in msgspec.structs.asdict(figures).items() if value is not None}
    if not told:
        return "the list has none"
    missing = [name for name in figures.__struct_fields__ if not math.isfinite(told.get(name, math.nan))]
    if missing:
        return f"the list does not tell {' and '.join(missing)}"
    if not told["volume_24h"] <= told["volume_7d"] <= told["volume_30d"]:
        return "the list's volumes contradict each other, a shorter time has more than a longer one"
    if stood_since_unix is None:
        return "how old the list's are is not known"
    if unix - stood_since_unix < -_FUTURE_SEC:
        return "the list's are dated in the future"
    age_s = max(0.0, unix - stood_since_unix)
    if age_s >= most_s:
        return f"the list's are {_span(age_s)} old, used up to {_span(most_s)}"
    return ""


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def _trend(volume_7d: float, volume_30d: float) -> float:
    if math.isnan(volume_7d) or math.isnan(volume_30d):
        return math.nan
    return volume_7d / volume_30d if volume_30d > 0.0 else 0.0


def _stay_left(made_since_unix: float | None, settings: Settings, unix: float) -> float:
    """Seconds of the least stay that are left; none when the clock went back behind its beginning."""
    if made_since_unix is None or unix < made_since_unix:
        return 0.0
    return max(0.0, settings.screen_min_stay_sec - (unix - made_since_unix))


def _at_least(rule: Rule, value: float, least: float, slack: float, text: _Text) -> RuleResult:
    """``value`` may be ``least`` or more, a made market's less by ``slack`` of it; 0 asks for nothing."""
    if least == 0.0:
        return RuleResult(rule, True, _told(value, text), ANY)
    bound = least * (1.0 - slack)
    # ">=" and never "not <": a NaN must fail.
    return RuleResult(rule, value >= bound - _SLACK, _told(value, text), _bound("at least", least, bound, text))


def _at_most(rule: Rule, value: float, most: float | None, slack: float, text: _Text) -> RuleResult:
    """``value`` may be ``most`` or less, a made market's more by ``slack`` of it; None asks for nothing."""
    if most is None:
        return RuleResult(rule, True, _told(value, text), ANY)
    bound = most * (1.0 + slack)
    return RuleResult(rule, value <= bound + _SLACK, _told(value, text), _bound("at most", most, bound, text))


def _bound(words: str, wanted: float, bound: float, text: _Text) -> str:
    return (
        f"{words} {text(wanted)}" if bound == wanted else f"{words} {text(bound)} while made ({text(wanted)} to begin)"
    )


def _end(instrument: Instrument | None, settings: Settings, unix: float) -> RuleResult:
    end = None if instrument is None else instrument.end_unix
    left = math.nan if end is None else (end - unix) / _DAY
    least, most = settings.screen_min_days, settings.screen_max_days
    bounds = [] if least is None else [f"at least {_days(least)}"]
    bounds += [] if most is None else [f"at most {_days(most)}"]
    passed = (least is None or left >= least) and (most is None or left <= most)
    return RuleResult("end", passed, _told(left, lambda days: f"in {_days(days)}"), " and ".join(bounds) or ANY)


def _age(market: GammaMarket | None, settings: Settings, unix: float) -> RuleResult:
    """Since it takes orders; what the question is about may begin later."""
    opened = None if market is None else market.opened_unix
    age, least = math.nan if opened is None else (unix - opened) / _DAY, settings.screen_min_age_days
    bound = ANY if least is None else f"at least {_days(least)}"
    return RuleResult("age", least is None or age >= least, _told(age, _days), bound)


def _life(instrument: Instrument | None, settings: Settings) -> RuleResult:
    """A market that lives for minutes is none to make (market-making.md 2.5); one whose dates are not told passes."""
    start, end = (None, None) if instrument is None else (instrument.start_unix, instrument.end_unix)
    life = math.nan if start is None or end is None else end - start
    least = settings.min_market_life_sec
    return RuleResult("life", lives_long_enough(start, end, least), _told(life, _span), f"more than {_span(least)}")


def _category(instrument: Instrument | None, settings: Settings) -> RuleResult:
    tags = () if instrument is None else tuple(map(_slug, instrument.tags))
    wanted, unwanted = (tuple(map(_slug, some)) for some in (settings.screen_tags, settings.screen_not_tags))
    bounds = [f"one of {', '.join(wanted)}"] if wanted else []
    bounds += [f"none of {', '.join(unwanted)}"] if unwanted else []
    passed = bool(tags) or not bounds
    if wanted:
        passed = passed and not set(tags).isdisjoint(wanted)
    passed = passed and set(tags).isdisjoint(unwanted)
    shown = [cleaned(tag, _TAG) for tag in tags[:_TAGS]] + (["..."] if len(tags) > _TAGS else [])
    return RuleResult("category", passed, ", ".join(shown) or NOT_TOLD, " and ".join(bounds) or ANY)


def _fee(instrument: Instrument | None, settings: Settings) -> RuleResult:
    fees = None if instrument is None else instrument.fees
    rate = math.nan if fees is None else fees.rate / MICRO
    return _at_most("fee", rate, settings.screen_max_fee, 0.0, _rate)


def _tick(instrument: Instrument | None, settings: Settings) -> RuleResult:
    tick = NOT_TOLD if instrument is None else instrument.tick_text
    wanted = tuple(grid_of(text).tick_text for text in settings.screen_ticks)
    passed = not wanted or tick in wanted
    return RuleResult("tick", passed, tick, " or ".join(wanted) or ANY)


def _pool(instrument: Instrument | None) -> float | None:
    return None if instrument is None else instrument.reward_daily_usd


def _slug(tag: str) -> str:
    """A category as the catalogue spells it: lower-case words joined by ``-``."""
    return "-".join(tag.lower().split())


def _told(value: float, text: _Text) -> str:
    return NOT_TOLD if math.isnan(value) else text(value)


def _points(value: float) -> str:
    return f"{value:,.0f}"


def _usd(value: float) -> str:
    """Dollars, with cents only where there are some."""
    return f"${value:,.2f}".removesuffix(".00")


def _usd_a_day(value: float) -> str:
    return f"{_usd(value)} a day"


def _share(value: float) -> str:
    return f"{value:.4f}"


def _rate(value: float) -> str:
    return f"{value:.4g}"


def _cents(value: float) -> str:
    return f"{value * 100:.4g}¢"


def _days(value: float) -> str:
    return f"{value:,.1f} days" if abs(value) < 100.0 else f"{value:,.0f} days"


def _span(seconds: float) -> str:
    """A length of time in its largest fitting unit."""
    for limit, unit_s, name in ((120.0, 1.0, "s"), (7_200.0, 60.0, "min"), (2 * _DAY, 3_600.0, "h")):
        if seconds < limit:
            return f"{seconds / unit_s:.0f} {name}"
    return f"{seconds / _DAY:.0f} days"
