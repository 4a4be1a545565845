"""Our own reckoning of which orders score, beside the venue's flags, over real sockets."""

from collections.abc import AsyncIterator

import pytest

from core.actions import Place
from core.clock import SystemClock
from core.config import Settings
from core.market.instrument import Instrument
from core.market.rewards import MIN_AGE_SEC, terms_of
from core.market.signals import without_own
from core.quoting.rewards import OwnOrder, estimate
from core.risk.gate import Cleared
from core.units import Shares, Side, Ticks
from core.venue.credentials import Secret, Wallet
from core.venue.gamma import GammaClient
from core.venue.gateway_polymarket import PolymarketGateway
from tests.builders import shares
from tests.loopback.venue import EOA, KEY, Venue, venue_running

STRANGER = "0x" + "77" * 32


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    async with venue_running(markets=1) as running:
        yield running


@pytest.fixture
async def gateway(venue: Venue) -> AsyncIterator[PolymarketGateway]:
    urls = {name: url for name, url in venue.urls.items() if name.endswith("_url")}
    made = PolymarketGateway(Settings(mode="live", **urls), Wallet(Secret(KEY), EOA), SystemClock(), lambda sign: None)
    await made.open()
    yield made
    await made.close()


async def instrument_of(venue: Venue) -> Instrument:
    gamma = GammaClient(str(venue.urls["gamma_url"]))
    (market,), _ = await gamma.markets((venue.market,))
    await gamma.close()
    return market.instrument


def place(instrument: Instrument, intent: int, side: Side, tick: int, size: Shares) -> Place:
    """Bids buy YES, asks buy NO: we hold nothing to sell."""
    price = Ticks(tick if side == "bid" else instrument.grid.k - tick)
    token = instrument.yes_token if side == "bid" else instrument.no_token
    text = instrument.grid.text(price)
    return Place(intent, instrument.market, token, "BUY", price, text, size, side, 0, "test")


def reckoned(
    venue: Venue, instrument: Instrument, placed: dict[str, Place], age_s: float
) -> tuple[dict[str, str], float]:
    """Reason of each order by our own reckoning, from the book of others, and the age all of them have."""
    book, grid = venue.exchange.engine.books[venue.market], instrument.grid
    own: dict[Side, dict[Ticks, Shares]] = {"bid": {}, "ask": {}}
    mine = []
    for order_id, wish in placed.items():
        tick = wish.price if wish.side == "bid" else grid.complement(wish.price)
        own[wish.side][tick] = Shares(own[wish.side].get(tick, 0) + wish.size)
        mine.append(OwnOrder(order_id, wish.side, tick, wish.size, age_s))
    terms = terms_of(instrument)
    assert terms is not None
    bids, asks = (without_own(book.levels(side), own[side]) for side in ("bid", "ask"))  # type: ignore[arg-type]
    found = estimate(mine, bids, asks, grid, terms)
    return {score.order_id: score.reason for score in found.orders}, found.share


async def test_the_venues_flags_and_ours_agree(venue: Venue, gateway: PolymarketGateway) -> None:
    """Near, at the midpoint's edge, too small, too far and too young; and the share we reckon is not above the true."""
    instrument = await instrument_of(venue)
    terms = terms_of(instrument)
    assert terms is not None
    bid, ask = venue.exchange.faces[venue.market].top("YES")
    assert bid is not None and ask is not None and ask - bid > 2
    bid, ask, least = Ticks(bid + 1), Ticks(ask - 1), terms.min_size
    wishes = [
        place(instrument, 1, "bid", bid, least),
        place(instrument, 2, "bid", bid - 1, Shares(least - shares(1))),
        place(instrument, 3, "bid", bid - 6, least),
        place(instrument, 4, "ask", ask, Shares(2 * least)),
        place(instrument, 5, "ask", ask + 2, least),
    ]
    cleared = [Cleared(await gateway.sign(wish, instrument.neg_risk)) for wish in wishes]
    assert {answer.outcome for answer in await gateway.post(cleared)} == {"live"}
    placed = {one.signed.order_id: one.signed.place for one in cleared}
    young = await gateway.read_scoring(list(placed))
    assert young is not None and [flag for _, flag in young.scoring] == [False] * 5
    assert set(reckoned(venue, instrument, placed, 0.0)[0].values()) == {"young"}
    venue.pass_time(MIN_AGE_SEC + 1)
    seen = await gateway.read_scoring([*placed, STRANGER])
    reasons, share = reckoned(venue, instrument, placed, MIN_AGE_SEC + 1)
    assert seen is not None
    flags = dict(seen.scoring)
    assert flags.pop(STRANGER) is False
    assert flags == {order: reason == "ok" for order, reason in reasons.items()}
    assert set(reasons.values()) == {"ok", "small", "far"} and set(flags.values()) == {True, False}
    venue.pass_time(61)
    assert 0 < share <= venue.exchange.rewards.share(EOA, venue.market) + 1e-9


async def test_a_question_that_fails_is_no_answer(venue: Venue, gateway: PolymarketGateway) -> None:
    """Neither true nor false may be made of it."""
    venue.exchange.set_mode("restarting")
    assert await gateway.read_scoring([STRANGER]) is None
