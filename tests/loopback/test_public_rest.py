"""Public reads against the exchange: its words, its order and its silence about strangers."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.clock import SystemClock
from core.errors import VenueRefused, VenueUnavailable
from core.events import ClockSeen
from core.market.proof import fits_its_hash
from core.runtime import vital_signs
from core.venue import public_rest as module
from core.venue.public_rest import PublicRest
from tests.loopback.faulty import Stage, stage_running
from tests.loopback.venue import venue_running


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with stage_running() as running:
        yield running


async def test_every_book_and_price_is_the_exchanges() -> None:
    async with venue_running(markets=60) as venue:
        rest = PublicRest(venue.urls["clob_url"])
        tokens = [*venue.exchange.by_token, "9" * 70]
        books = {book.asset_id: book for book in await rest.books(tokens)}
        touches = {touch.token: touch for touch in await rest.touches(tokens)}
        await rest.close()
        assert set(books) == set(touches) == set(venue.exchange.by_token), "of a stranger nothing is told"
        for token, (market, outcome) in venue.exchange.by_token.items():
            face = venue.exchange.faces[market]
            assert books[token].hash == face.hash(outcome) and fits_its_hash(books[token])
            bid, ask = face.top_texts(outcome)
            assert (touches[token].bid or "0", touches[token].ask or "1") == (bid, ask)
        assert rest.malformed == 0


async def test_a_request_that_is_too_large_would_be_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is the venue's, not ours: one entry more and nothing comes at all."""
    rest = PublicRest(stage.venue.urls["clob_url"])
    tokens = [str(number) for number in range(module.ENTRIES_PER_REQUEST + 1)]
    assert await rest.books(tokens) == []
    monkeypatch.setattr(module, "ENTRIES_PER_REQUEST", module.ENTRIES_PER_REQUEST + 1)
    with pytest.raises(VenueRefused, match="/books: status 400"):
        await rest.books(tokens)
    monkeypatch.setattr(module, "TOKENS_PER_PRICES", module.TOKENS_PER_PRICES + 1)
    with pytest.raises(VenueRefused, match="/prices: status 400"):
        await rest.touches(tokens)
    await rest.close()


async def test_a_venue_that_is_down_is_told_by_its_status_or_its_silence(stage: Stage) -> None:
    rest = PublicRest(stage.venue.urls["clob_url"])
    stage.arm('do = "http"\nrequest = "POST /books"\nstatus = 503\nbody = "html"')
    with pytest.raises(VenueRefused, match="/books: status 503"):
        await rest.books([stage.yes])
    stage.arm('do = "http"\nrequest = "POST /books"\nstatus = 200\nbody = "html"')
    with pytest.raises(VenueRefused, match="/books: the answer is not JSON"):
        await rest.books([stage.yes])
    assert [book.asset_id for book in await rest.books([stage.yes])] == [stage.yes]
    await rest.close()
    nowhere = PublicRest("http://127.0.0.1:9")
    with pytest.raises(VenueUnavailable, match="/books: ConnectError"):
        await nowhere.books([stage.yes])
    await nowhere.close()


async def test_the_venues_clock_is_told_in_whole_seconds(stage: Stage) -> None:
    rest = PublicRest(stage.venue.urls["clob_url"])
    before = await rest.time()
    stage.arm('do = "clock_offset"\nseconds = 40.0')
    assert before + 39 <= await rest.time() <= before + 45
    stage.arm('do = "http"\nrequest = "GET /time"\nstatus = 503\nbody = "html"')
    with pytest.raises(VenueRefused, match="/time: status 503"):
        await rest.time()
    stage.arm('do = "http"\nrequest = "GET /time"\nstatus = 200\nbody = "html"')
    with pytest.raises(VenueRefused, match="/time: the answer is not JSON"):
        await rest.time()
    await rest.close()


async def test_a_venue_whose_clock_is_off_is_seen_by_the_session(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three seconds are the limit beyond which nothing new is placed: half a second may not decide between 0 and 40."""
    rest, told, enough = PublicRest(stage.venue.urls["clob_url"]), list[ClockSeen](), asyncio.Event()
    monkeypatch.setattr(vital_signs, "CLOCK_SEC", 0.01)

    def take(seen: ClockSeen) -> None:
        told.append(seen)
        if len(told) == 1:
            stage.arm('do = "clock_offset"\nseconds = 40.0')
        elif seen.skew_s < told[0].skew_s - 30:
            enough.set()

    watch = asyncio.create_task(vital_signs.watch_clock(rest, SystemClock(), take))
    async with asyncio.timeout(10):
        await enough.wait()
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    await rest.close()
    assert abs(told[-1].skew_s - told[0].skew_s + 40) <= 1.5
