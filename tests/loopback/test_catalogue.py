"""Both sources of a market over real sockets: what agrees is made, each way to disagree is named (reliability.md 3)."""

from collections.abc import AsyncIterator

import pytest

from core.clock import ManualClock
from core.config import Settings
from core.errors import VenueError
from core.selection.enrich import Catalogue, Sourced
from core.selection.listed import ListRow
from core.venue import paced
from tests.loopback.faulty import Stage
from tests.loopback.venue import EVERY_KIND, trader_of, venue_running

LASTS_S = 600


class Looking:
    """A catalogue of an exchange, and its markets by what they are."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        urls = stage.venue.urls
        settings = Settings(gamma_url=str(urls["gamma_url"]), clob_url=str(urls["clob_url"]))
        clock = ManualClock(unix=stage.exchange.now_ms / 1000)
        self.catalogue = Catalogue(settings, clock)
        self.listings = stage.exchange.listings

    def rows(self) -> list[ListRow]:
        """All markets, as a right list names them."""
        items = [each.instrument for each in self.listings.values()]
        return [ListRow(n, each.market, each.yes_token, each.no_token) for n, each in enumerate(items, start=2)]

    async def look(self, *rows: ListRow) -> dict[str, Sourced]:
        return await self.catalogue.look(rows or self.rows())

    def one(self, *, neg_risk: bool = False, version: str = "v1", held: bool = False) -> str:
        """A market of a kind."""
        return next(
            market
            for market, each in self.listings.items()
            if each.instrument.neg_risk is neg_risk
            and each.plot.version == version
            and (each.plot.delay_ms > 0) is held
        )


@pytest.fixture
async def looking(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Looking]:
    monkeypatch.setattr(paced, "PAUSE_S", 0.0)
    async with venue_running(markets=EVERY_KIND) as venue:
        found = Looking(Stage(venue, trader_of(venue)))
        yield found
        await found.catalogue.close()


async def test_every_market_of_the_exchange_is_as_both_sources_say(looking: Looking) -> None:
    """Every kind there is: both contracts, both versions of ids, games, fees, rewards, delays."""
    found = await looking.look()
    assert [each.instrument for each in found.values()] == [each.instrument for each in looking.listings.values()]
    assert all((each.refusals, each.lags) == ((), ()) for each in found.values())
    versions = {each.params.version for each in found.values() if each.params is not None}
    assert versions == {each.plot.version for each in looking.listings.values()}


async def test_open_markets_are_a_list_that_is_looked_up_again(looking: Looking) -> None:
    offered = await looking.catalogue.open_markets(1000)
    assert [each.row for each in offered] == [
        ListRow(n, each.row.market, each.row.yes_token, each.row.no_token, each.row.figures)
        for n, each in enumerate(offered, start=1)
    ]
    assert {each.row.market for each in offered} == set(looking.listings)
    found = await looking.look(*(each.row for each in offered))
    assert all((each.refusals, each.lags) == ((), ()) for each in found.values())
    volumes = [each.market.volume_24h for each in offered]
    assert volumes == sorted(volumes, reverse=True)
    assert [each.row for each in await looking.catalogue.open_markets(3)] == [each.row for each in offered[:3]]


REFUSED = [
    ("gamma", "neg_risk", False, "neg-risk is true by Gamma, false by the CLOB"),
    ("gamma", "neg_risk", True, "neg-risk is false by Gamma, true by the CLOB"),
    ("clob", "neg_risk", False, "neg-risk is false by Gamma, true by the CLOB"),
    ("gamma", "group", True, "market and event name different neg-risk groups"),
    ("gamma", "group", False, "it is not neg-risk, but of a neg-risk event"),
    ("gamma", "tokens", False, "give its outcomes 'yes' and 'no' to opposite tokens"),
    ("clob", "tokens", False, "give its outcomes 'yes' and 'no' to opposite tokens"),
    ("gamma", "version", False, "it trades by v2 ids by Gamma, by v1 ids by the CLOB"),
    ("clob", "version", False, "it trades by v1 ids by Gamma, by v2 ids by the CLOB"),
    ("clob", "accepting", False, "the CLOB takes no orders here"),
]
WAITS = [
    ("gamma", "tick", "tick "),
    ("clob", "tick", "tick "),
    ("gamma", "min_size", "minimum size 15 by Gamma, 5 by the CLOB"),
    ("clob", "min_size", "minimum size 5 by Gamma, 15 by the CLOB"),
    ("gamma", "fee", "taker fee rate "),
    ("clob", "fee", "taker fee rate "),
    ("gamma", "reward", "reward minimum size "),
    ("clob", "reward", "reward minimum size "),
    ("gamma", "delay", "marketable orders are held for 3 s by Gamma, not at all by the CLOB"),
    ("gamma", "accepting", "not accepting orders by Gamma, open by the CLOB"),
    ("gamma", "closed", "closed by Gamma, open by the CLOB"),
    ("gamma", "resolution", "being resolved (proposed) by Gamma, open by the CLOB"),
    ("gamma", "hydrating", "Gamma: market without token ids yet"),
    ("clob", "hydrating", "the CLOB: not known to it yet"),
    ("gamma", "missing", "Gamma: not known to it"),
]
AGREES = [("gamma", "order"), ("clob", "order"), ("gamma", "ended")]


def fault(market: str, source: str, what: str) -> str:
    return f'do = "disagree"\nmarket = "{market}"\nsource = "{source}"\nwhat = "{what}"\nfor = {LASTS_S}'


async def told(looking: Looking, market: str, source: str, what: str) -> tuple[Sourced, Sourced]:
    """What is said of a market while a source is wrong about it, and afterwards; the others are never touched."""
    looking.stage.arm(fault(market, source, what))
    found = await looking.look()
    assert [name for name, each in found.items() if each.refusals or each.lags] in ([market], [])
    looking.stage.pass_time(LASTS_S + 1)
    return found[market], (await looking.look())[market]


@pytest.mark.parametrize(("source", "what", "neg_risk", "words"), REFUSED)
async def test_a_market_whose_sources_disagree_is_refused_by_name(
    looking: Looking, source: str, what: str, neg_risk: bool, words: str
) -> None:
    market = looking.one(neg_risk=neg_risk)
    then, later = await told(looking, market, source, what)
    assert any(words in refusal for refusal in then.refusals), then.refusals
    assert (then.instrument is None) == (what != "accepting")
    assert (later.refusals, later.lags) == ((), ()) and later.instrument is not None


@pytest.mark.parametrize(("source", "what", "words"), WAITS)
async def test_a_market_that_may_settle_waits_and_is_then_made(
    looking: Looking, source: str, what: str, words: str
) -> None:
    then, later = await told(looking, looking.one(), source, what)
    assert then.refusals == () and any(words in lag for lag in then.lags), then.lags
    assert (later.refusals, later.lags) == ((), ()) and later.instrument is not None


@pytest.mark.parametrize(("source", "what"), AGREES)
async def test_what_says_the_same_otherwise_is_no_disagreement(looking: Looking, source: str, what: str) -> None:
    """Outcomes in the other order with their tokens, and an end that is past: it is advice (reliability.md D10)."""
    then, later = await told(looking, looking.one(), source, what)
    assert (then.refusals, then.lags) == ((), ())
    assert ("past its end, which is no end of trading" in then.notes) == (what == "ended")
    assert later.instrument is not None


async def test_a_delay_of_a_quarter_of_a_second_only_the_exchange_tells(looking: Looking) -> None:
    """Gamma counts whole seconds; a note and no disagreement (polymarket-api.md 2.5)."""
    market = looking.one(held=True)
    then, later = await told(looking, market, "clob", "delay")
    words = "marketable orders are held for 250 ms"
    assert (then.lags, words in then.notes, words in later.notes) == ((), False, True)


async def test_a_row_with_swapped_or_foreign_tokens_is_refused(looking: Looking) -> None:
    """reliability.md D13: the exchange's mapping decides."""
    first, second, third = looking.rows()[:3]
    rows = [
        ListRow(2, first.market, first.no_token, first.yes_token),
        ListRow(3, second.market, second.yes_token, first.no_token),
        third,
    ]
    found = await looking.look(*rows)
    assert "are swapped" in found[first.market].refusals[0]
    assert (
        "no_token_id" in found[second.market].refusals[0]
        and "no token of this market" in found[second.market].refusals[0]
    )
    assert found[third.market].refusals == ()


async def test_a_closed_market_of_the_list_is_told_as_closed(looking: Looking) -> None:
    """It is in no list of open markets; the catalogue still knows it, and it is no unknown one."""
    market = looking.one()
    looking.stage.arm(f'do = "close_market"\nmarket = "{market}"')
    found = (await looking.look())[market]
    assert found.market is not None and found.params is not None
    assert "by Gamma it is closed" in found.refusals[0] and found.lags == ()


async def test_an_id_that_is_of_no_market_is_told_so(looking: Looking) -> None:
    stranger = "0x" + "5a" * 32
    found = await looking.look(ListRow(2, stranger), looking.rows()[0])
    assert found[stranger].lags == ("Gamma: not known to it", "the CLOB: not known to it yet")
    assert found[looking.rows()[0].market].instrument is not None


@pytest.mark.parametrize("request_line", ["GET /gamma/markets/keyset", "GET /clob-markets/*"])
async def test_a_source_that_is_out_is_an_outage(looking: Looking, request_line: str) -> None:
    looking.stage.arm(f'do = "http"\nrequest = "{request_line}"\nstatus = 503\nfor = {LASTS_S}')
    with pytest.raises(VenueError, match="503"):
        await looking.look()
    looking.stage.pass_time(LASTS_S + 1)
    assert all(each.instrument is not None for each in (await looking.look()).values())
