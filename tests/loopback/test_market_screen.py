"""The screen where it counts: a list is read, the venue is asked, and what a session would make is compared.

Every threshold and every optional filter is changed alone, and other markets are made: nothing between a setting and
the engine may lose it (peers.md 3: in the seed screening did nothing).
"""

from collections.abc import AsyncIterator, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core.clock import ManualClock
from core.config import Settings
from core.errors import PreflightError
from core.events import Event, InstrumentAdded, MarketListed
from core.market.instrument import Instrument
from core.runtime.selecting import Selecting
from core.selection.books import read_books
from core.selection.discover import discover, list_text
from core.selection.enrich import Catalogue, Sourced
from core.selection.listed import Figures
from core.selection.provider import provider_of
from core.units import MICRO
from core.venue.public_rest import PublicRest
from tests.loopback.venue import Venue, venue_running

MARKETS = 16
DAY = 86_400.0
EVERYTHING: dict[str, Any] = {"min_liquidity": 0, "min_weekly_volume": 0, "min_trend": 0, "mm_score_min": 0}


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    async with venue_running(markets=MARKETS) as running:
        yield running


class Owner:
    """A session that only listens."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.listed: dict[str, str] = {}
        """Market -> why it is drained."""

    def emit_quietly(self, event: Event) -> None:
        if isinstance(event, MarketListed):
            self.listed[event.market] = event.drain

    def note(self, severity: str, text: str, market: str = "") -> None:
        """Nobody reads it."""

    def makes(self, market: str) -> bool:
        return True

    def subscribe(self, token_ids: Iterable[str]) -> None:
        """Nothing is heard."""


class Starts:
    """Starts of sessions with one list, one after another."""

    def __init__(self, venue: Venue, directory: Path) -> None:
        self.venue = venue
        self.directory = directory
        self.clock = ManualClock(unix=venue.exchange.now_ms / 1000)
        self.list = directory / "markets.csv"
        self.figures: Figures | None = None

    def settings(self, **over: Any) -> Settings:
        urls = {name: self.venue.urls[name] for name in ("clob_url", "gamma_url")}
        return Settings(**({"mode": "paper", "market_list": str(self.list), **urls} | over))

    async def write(self) -> None:
        """All markets of the exchange, with the figures it tells."""
        found = await discover(self.settings(**EVERYTHING), self.clock, scan=MARKETS, most=MARKETS)
        self.list.write_text(list_text(found.candidates))

    async def made(self, *, afresh: bool = True, **over: Any) -> set[str]:
        """What a session makes with these settings, and does not drain."""
        kept = self.directory / "kept.json"
        if afresh:
            kept.unlink(missing_ok=True)
        settings, owner = self.settings(**over), Owner(self.clock)
        catalogue, rest = Catalogue(settings, self.clock), PublicRest(settings.clob_url)
        provider = provider_of(settings, {}, ())
        selecting = Selecting(owner, settings, provider, catalogue, partial(read_books, rest), kept)
        try:
            added = await selecting.first()
            selecting.tell()
            if not afresh:  # what speaks against a market that was made is looked at twice
                await selecting._look()
        except PreflightError:
            return set()
        finally:
            await selecting.close()
            await catalogue.close()
            await rest.close()
        assert all(isinstance(each, InstrumentAdded) for each in added)
        return {each.instrument.market for each in added if not owner.listed.get(each.instrument.market)}


@pytest.fixture
async def starts(venue: Venue, tmp_path: Path) -> Starts:
    made = Starts(venue, tmp_path)
    await made.write()
    return made


def items(venue: Venue) -> dict[str, Instrument]:
    return {market: listing.instrument for market, listing in venue.exchange.listings.items()}


async def facts(starts: Starts) -> dict[str, Sourced]:
    catalogue = Catalogue(starts.settings(), starts.clock)
    try:
        offered = await catalogue.open_markets(MARKETS)
        return await catalogue.look([offer.row for offer in offered])
    finally:
        await catalogue.close()


async def test_every_threshold_and_filter_changes_what_is_made(starts: Starts) -> None:
    """Each alone, with the set that its meaning asks for, by the venue's own figures."""
    told = await facts(starts)
    usual = await starts.made()
    now = starts.clock.unix()

    def those(keeps: Any) -> set[str]:
        return {market for market in usual if keeps(told[market])}

    def figure(name: str) -> Any:
        return lambda source: getattr(source.market, name)

    tried: list[tuple[str, object, set[str]]] = [
        ("min_liquidity", 60_000.0, those(lambda s: s.market.liquidity >= 60_000)),
        ("min_weekly_volume", 100_000.0, those(lambda s: s.market.volume_7d >= 100_000)),
        ("min_trend", 0.38, those(lambda s: s.market.volume_7d / s.market.volume_30d >= 0.38)),
        ("mm_score_min", 4e7, those(lambda s: s.market.liquidity * s.market.volume_7d**0.5 >= 4e7)),
        ("screen_max_spread", 0.02, those(lambda s: s.market.spread <= 0.02)),
        ("screen_min_days", 30.0, those(lambda s: s.instrument.end_unix - now >= 30 * DAY)),
        ("screen_max_days", 60.0, those(lambda s: s.instrument.end_unix - now <= 60 * DAY)),
        ("screen_min_age_days", 1.0, set()),
        ("screen_tags", ("Sports", "weather"), those(lambda s: {"sports", "weather"} & set(s.instrument.tags))),
        ("screen_not_tags", ("politics",), those(lambda s: "politics" not in s.instrument.tags)),
        ("screen_max_fee", 0.045, those(lambda s: s.instrument.fees.rate <= 0.045 * MICRO)),
        ("screen_min_reward", 100.0, those(lambda s: s.instrument.reward_daily_usd >= 100)),
        ("screen_ticks", ("0.001",), those(lambda s: s.instrument.tick_text == "0.001")),
        ("min_market_life_sec", 40 * DAY, those(lambda s: s.instrument.end_unix - s.instrument.start_unix > 40 * DAY)),
    ]  # fmt: skip
    for name, value, wanted in tried:
        assert await starts.made(**{name: value}) == wanted, name
        assert wanted < usual and (wanted or name == "screen_min_age_days"), f"{name} has to take some and leave some"


async def test_lower_thresholds_let_more_in(starts: Starts) -> None:
    usual = await starts.made()
    lower = await starts.made(min_weekly_volume=40_000.0)
    assert usual < lower
    assert lower < await starts.made(**EVERYTHING) == set(starts.venue.exchange.listings)


async def test_an_old_enough_market_passes_the_age(starts: Starts) -> None:
    starts.venue.pass_time(2 * DAY)
    starts.clock.advance_to(starts.clock.monotonic() + 2 * DAY)
    assert await starts.made(screen_min_age_days=1.0, list_figures_sec=10 * DAY)


async def test_whose_figures_count_changes_what_is_made(starts: Starts) -> None:
    """A list whose figures are of another world: young ones count, old ones are Gamma's."""
    header, *rows = starts.list.read_text().splitlines()
    poor = [",".join([*row.split(",")[:3], "1.5", "1", "1", "1", *row.split(",")[7:]]) for row in rows]
    starts.list.write_text("\n".join([header, *poor]))
    assert await starts.made() == set()
    assert await starts.made(list_figures_sec=0.0)


async def test_hysteresis_and_least_stay_change_what_stays_made(starts: Starts) -> None:
    """Figures that fall a little keep a made market; those that fall further, until its stay is over."""
    told = await facts(starts)
    usual = await starts.made()
    richest, poorest = (
        extreme(usual, key=lambda market: told[market].market.liquidity if told[market].market else 0.0)
        for extreme in (max, min)
    )
    least = told[poorest].market.liquidity if told[poorest].market else 0.0
    tight: dict[str, Any] = {"min_liquidity": least * 1.05, "afresh": False, "screen_min_stay_sec": 0.0}
    assert await starts.made(**tight) == usual, "within the band of a tenth"
    assert await starts.made(**tight, screen_hysteresis=0.01) == usual - {poorest}
    assert await starts.made(**tight) == usual - {poorest}, "what has left comes back by the full bound only"
    assert await starts.made(afresh=False) == usual
    tight["screen_hysteresis"] = 0.01
    assert await starts.made(**tight | {"screen_min_stay_sec": 3_600.0}) == usual, "it was made just now"
    starts.clock.advance_to(starts.clock.monotonic() + 3_600.0)
    assert await starts.made(**tight | {"screen_min_stay_sec": 3_600.0}) == usual - {poorest}
    assert richest in usual


async def test_books_are_read_in_the_yes_frame(venue: Venue) -> None:
    rest = PublicRest(str(venue.urls["clob_url"]))
    try:
        books = await read_books(rest, items(venue).values())
    finally:
        await rest.close()
    assert books.keys() == venue.exchange.listings.keys()
    for market, book in books.items():
        exchange = venue.exchange.engine.books[market]
        assert list(book.bids) == list(exchange.levels("bid")) and list(book.asks) == list(exchange.levels("ask"))
