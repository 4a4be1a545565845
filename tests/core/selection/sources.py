"""Markets as the venue tells them, made by hand: every fact that the screen looks at is known and fits."""

from typing import Any

from msgspec.structs import replace

from core.market.fees import FeeSchedule
from core.market.instrument import Instrument
from core.selection.enrich import Sourced, figures_of
from core.selection.listed import ListRow
from core.selection.screen import UsedFigures
from core.venue.gamma import GammaMarket
from tests.builders import NO, YES, a_market, shares

NOW = 1_790_000_000.0
DAY = 86_400.0


def an_item(**over: Any) -> Instrument:
    """A market of a month, ten days old, in politics, with a fee and rewards."""
    facts: dict[str, Any] = {
        "start_unix": NOW - 10 * DAY,
        "end_unix": NOW + 20 * DAY,
        "tags": ("politics", "elections"),
        "fees": FeeSchedule(rate=40_000, rebate=250_000),
        "reward_min_size": shares(50),
        "reward_max_spread_cents": 4.5,
        "reward_daily_usd": 30.0,
    }
    return a_market(**(facts | over))


def a_gamma(item: Instrument | None = None, **over: Any) -> GammaMarket:
    """A market that passes the usual screen with room: 40,000 of liquidity, 300,000 of 750,000 in the last week."""
    facts: dict[str, Any] = {
        "liquidity": 40_000.0,
        "volume_7d": 300_000.0,
        "volume_30d": 750_000.0,
        "volume_24h": 50_000.0,
        "tradable": True,
        "spread": 0.02,
        "mid": 0.44,
        "opened_unix": NOW - 10 * DAY,
    }
    return GammaMarket(instrument=item or an_item(), **(facts | over))


def a_source(market: GammaMarket | None = None, **row: Any) -> Sourced:
    """What both sources say alike of one row."""
    told = market or a_gamma()
    item = told.instrument
    return Sourced(ListRow(2, item.market, YES, NO, **row), told, None, item, (), (), ())


def gammas(source: Sourced) -> UsedFigures:
    """The catalogue's figures."""
    assert source.market is not None
    return UsedFigures(figures_of(source.market), "Gamma's")


def without(source: Sourced, **facts: Any) -> Sourced:
    """The same with other facts of the instrument."""
    assert source.instrument is not None and source.market is not None
    item = replace(source.instrument, **facts)
    return replace(source, instrument=item, market=replace(source.market, instrument=item))
