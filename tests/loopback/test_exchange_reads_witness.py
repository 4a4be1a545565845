"""Witnesses of the read side: the official clients, unmodified, parse every answer of these endpoints.

What their own models accept has the venue's shape; the values are compared with the exchange's state.
"""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest

v2 = pytest.importorskip("py_clob_client_v2")

from polymarket import AsyncPublicClient, AsyncSecureClient  # noqa: E402
from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment  # noqa: E402
from polymarket.models.clob import PriceRequest  # noqa: E402

from core.exchange.rewards import SAMPLES_A_DAY, day_of  # noqa: E402
from core.units import MICRO, Shares  # noqa: E402
from tests.loopback.venue import EOA, KEY, Venue, venue_running  # noqa: E402

MARKETS = 24


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    async with venue_running(markets=MARKETS) as running:
        yield running


@pytest.fixture
async def public(venue: Venue) -> AsyncIterator[AsyncPublicClient]:
    config = dataclasses.replace(
        PRODUCTION_CONFIG,
        clob_url=venue.urls["clob_url"],
        gamma_url=venue.urls["gamma_url"],
        data_url=venue.urls["data_url"],
    )
    async with AsyncPublicClient(environment=create_environment(name="loopback", config=config)) as client:
        yield client


@pytest.fixture
async def secure(venue: Venue) -> AsyncIterator[AsyncSecureClient]:
    client = await venue.client()
    yield client
    await client.close()


async def everything(paginator: Any) -> list[Any]:
    return [item async for item in paginator.iter_items()]


async def test_markets_and_events_of_every_kind_are_read(venue: Venue, public: AsyncPublicClient) -> None:
    markets = await everything(public.list_markets(closed=False, page_size=7))
    assert [market.condition_id for market in markets] == list(venue.exchange.listings)
    for market in markets:
        listing = venue.exchange.listings[str(market.condition_id)]
        outcomes, instrument = market.outcomes, listing.instrument
        assert (outcomes.yes.token_id, outcomes.no.token_id) == (instrument.yes_token, instrument.no_token)
        assert market.version == listing.plot.version
        assert outcomes.yes.position_id == (instrument.yes_token if listing.plot.version == "v2" else None)
        assert market.state.accepting_orders and market.trading.minimum_tick_size == Decimal(instrument.tick_text)
        assert market.rewards.rewards_max_spread == listing.plot.reward_cents
        assert market.trading.fees_enabled is (market.trading.fee_schedule is not None)
        assert market.events[0].id == listing.event_id
    assert await public.get_market(id=markets[0].id) == await public.get_market(slug=markets[0].slug)
    events = await everything(public.list_events(page_size=4))
    assert sorted(m.id for event in events for m in event.markets) == sorted(m.id for m in markets)
    assert await public.get_event(id=events[0].id) == await public.get_event(slug=events[0].slug)
    shared = next(event for event in events if len(event.markets) > 1 and event.trading.neg_risk)
    assert (
        shared.trading.neg_risk_market_id
        == venue.exchange.listings[str(shared.markets[0].condition_id)].neg_risk_market_id
    )
    ordered = await everything(public.list_markets(order="volume", ascending=False))
    volumes = [market.metrics.volume_num for market in ordered]
    assert volumes == sorted(volumes, reverse=True)  # type: ignore[type-var]
    found = [page async for page in public.search(q="league", page_size=2)]
    assert [event.title for page in found for bundle in page.items for event in bundle.events] == [
        "Who will win the league?"
    ]


@pytest.mark.parametrize(("result", "price"), [("YES", "1"), ("NO", "0"), ("HALF", "0.5")])
async def test_resolved_markets_are_read(venue: Venue, public: AsyncPublicClient, result: Any, price: str) -> None:
    venue.exchange.resolve(venue.market, result)
    (market,) = await everything(public.list_markets(closed=True))
    assert market.state.closed and market.state.closed_time is not None and not market.state.accepting_orders
    assert market.resolution.uma_resolution_status == "resolved" and market.outcomes.yes.price == Decimal(price)
    (event,) = await everything(public.list_events(closed=True))
    assert event.state.closed and event.schedule.closed_time is not None


async def test_books_and_prices_are_read(venue: Venue, public: AsyncPublicClient) -> None:
    assert await public.get_last_trade_price(token_id=venue.yes) is None
    await venue.take("YES", "BUY", 7)
    face = venue.exchange.faces[venue.market]
    tokens = [venue.yes, venue.no]
    book = await public.get_order_book(token_id=venue.yes)
    assert book.hash == face.hash("YES")
    bid, ask = book.bids[-1].price, book.asks[-1].price
    assert {b.asset_id for b in await public.get_order_books(token_ids=tokens)} == set(tokens)
    assert await public.get_midpoint(token_id=venue.yes) == (bid + ask) / 2
    assert (await public.get_midpoints(token_ids=tokens))[venue.no] == 1 - (bid + ask) / 2  # type: ignore[index]
    assert await public.get_spread(token_id=venue.yes) == ask - bid
    assert (await public.get_spreads(token_ids=tokens))[venue.no] == ask - bid  # type: ignore[index]
    assert await public.get_price(token_id=venue.yes, side="BUY") == bid
    prices = await public.get_prices(requests=[PriceRequest(venue.yes, "SELL"), PriceRequest(venue.no, "SELL")])
    assert prices == {venue.yes: {"SELL": ask}, venue.no: {"SELL": 1 - bid}}
    last = await public.get_last_trade_price(token_id=venue.yes)
    assert last is not None and (last.price, last.side) == (Decimal(face.last_trade_price), "BUY")
    (one, two) = await public.get_last_trade_prices(token_ids=tokens)
    assert {one.asset_id, two.asset_id} == set(tokens)
    points = await everything(public.list_price_history(asset_id=venue.yes, interval="1d"))
    assert points[-1].price == last.price


async def act(venue: Venue) -> None:
    """Something of every kind for the account: a trade, a split, a merge, a redemption, a reward."""
    exchange = venue.exchange
    other = list(exchange.listings)[1]
    exchange.admit(EOA)
    exchange.split(EOA, venue.market, Shares(50 * MICRO))
    exchange.merge(EOA, venue.market, Shares(10 * MICRO))
    exchange.split(EOA, other, Shares(20 * MICRO))
    exchange.resolve(other, "YES")
    exchange.redeem(EOA, other)
    for kind in ("REWARD", "MAKER_REBATE"):
        exchange.history.moved(EOA, kind, venue.market, Shares(0), exchange.auto_cash, exchange.now_ms)  # type: ignore[arg-type]


async def test_positions_trades_activity_and_value_are_read(
    venue: Venue, public: AsyncPublicClient, secure: AsyncSecureClient
) -> None:
    await act(venue)
    ask = venue.exchange.faces[venue.market].top_texts("YES")[1]
    placed = await secure.place_limit_order(token_id=venue.yes, price=ask, size="10", side="BUY")
    assert placed.ok, placed
    venue.pass_time(10)
    open_ones = await everything(public.list_positions(user=EOA, status="OPEN"))
    assert {p.asset_id: p.current_size for p in open_ones} == {venue.yes: Decimal(50), venue.no: Decimal(40)}
    assert all(p.mergeable and not p.redeemable and p.status == "OPEN" for p in open_ones)
    mine = next(p for p in open_ones if p.asset_id == venue.yes)
    assert mine.entry_cost_usdc == pytest.approx(Decimal(ask) * 10 + 20)
    assert await everything(secure.list_positions(status="MERGEABLE")) == await everything(
        public.list_positions(user=EOA, status="MERGEABLE")
    )
    closed = await everything(public.list_positions(user=EOA, status="CLOSED"))
    assert sorted(p.realized_pnl for p in closed) == [Decimal(-10), Decimal(10)]
    (trade,) = await everything(public.list_trades(user=EOA))
    assert (trade.asset_id, trade.side, trade.size, trade.price) == (venue.yes, "BUY", Decimal(10), Decimal(ask))
    told = await everything(public.list_activity(user=EOA, page_size=3))
    assert [(item.type, type(item).__name__) for item in told] == [
        ("TRADE", "TradeActivity"),
        ("MAKER_REBATE", "MakerRebateActivity"),
        ("REWARD", "RewardActivity"),
        ("REDEEM", "RedeemActivity"),
        ("SPLIT", "SplitActivity"),
        ("MERGE", "MergeActivity"),
        ("SPLIT", "SplitActivity"),
    ]
    value = await public.get_portfolio_value(user=EOA)
    assert value.value == sum(p.current_value for p in open_ones)


async def test_rewards_are_read(venue: Venue, public: AsyncPublicClient, secure: AsyncSecureClient) -> None:
    exchange = venue.exchange
    bid, ask = exchange.faces[venue.market].top_texts("YES")
    for token, best in ((venue.yes, Decimal(bid)), (venue.no, 1 - Decimal(ask))):
        price = best + Decimal("0.01")
        placed = await secure.place_limit_order(token_id=token, price=price, size="500", side="BUY", post_only=True)
        assert placed.ok, placed
    venue.pass_time(6)
    day = day_of(exchange.now_ms)
    for _ in range(SAMPLES_A_DAY):
        exchange.rewards.sample(venue.listing, exchange.engine.books[venue.market], exchange.now_ms)
    exchange.rewards.pay_rewards(exchange.listings.values(), day)
    earned = Decimal(exchange.rewards.earned(EOA, day)[venue.market]) / MICRO
    assert len(await everything(public.list_current_rewards())) == MARKETS
    (config,) = await everything(public.list_market_rewards(condition_id=venue.market))
    assert [token.asset_id for token in config.tokens] == [venue.yes, venue.no]
    assert len(await everything(public.list_reward_markets(page_size=10, order_by="spread"))) == MARKETS
    assert await public.get_current_rebates(date=day, maker_address=EOA) == ()
    (row,) = await everything(secure.list_user_earnings_for_day(date=day))
    assert (row.condition_id, row.earnings, row.maker_address) == (venue.market, earned, EOA)
    (total,) = await secure.get_total_earnings_for_user_for_day(date=day, sponsored=True)
    assert (total.earnings, total.native_earnings) == (earned, earned)
    rows = await everything(secure.list_user_earnings_and_markets_config(date=day, page_size=10, order_by="earnings"))
    assert len(rows) == MARKETS and rows[-1].earnings[0].earnings == earned
    share = 100 * exchange.rewards.share(EOA, venue.market)
    assert await secure.get_reward_percentages() == {venue.market: pytest.approx(share, abs=1e-4)}


async def in_thread(work: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(work)


async def test_the_synchronous_client_reads_all_public_data(venue: Venue) -> None:
    await venue.take("YES", "BUY", 7)
    exchange = venue.exchange
    client = v2.ClobClient(venue.urls["clob_url"], 137, key=KEY)
    params = [v2.BookParams(token_id=venue.yes, side="BUY"), v2.BookParams(token_id=venue.no, side="BUY")]
    face = exchange.faces[venue.market]
    assert await in_thread(client.get_ok) == "OK" and await in_thread(client.get_version) == 2
    assert await in_thread(client.get_server_time) == exchange.now_ms // 1000
    book = await in_thread(lambda: client.get_order_book(venue.yes))
    assert book["hash"] == face.hash("YES") == client.get_order_book_hash(book)
    assert len(await in_thread(lambda: client.get_order_books(params))) == 2
    assert set(await in_thread(lambda: client.get_midpoints(params))) == {venue.yes, venue.no}
    assert set(await in_thread(lambda: client.get_prices(params))) == {venue.yes, venue.no}
    assert set(await in_thread(lambda: client.get_spreads(params))) == {venue.yes, venue.no}
    assert len(await in_thread(lambda: client.get_last_trades_prices(params))) == 2
    assert (await in_thread(lambda: client.get_price(venue.yes, "BUY")))["price"] == face.top_texts("YES")[0]
    assert await in_thread(lambda: client.get_tick_size(venue.yes)) == "0.01"
    assert await in_thread(lambda: client.get_neg_risk(venue.yes)) is False
    assert await in_thread(lambda: client.get_fee_rate_bps(venue.yes)) == 1_000
    assert await in_thread(lambda: client.get_fee_exponent(venue.yes)) == 1
    for market, listing in exchange.listings.items():
        info = await in_thread(lambda market=market: client.get_clob_market_info(market))
        assert await in_thread(lambda t=listing.instrument.yes_token: client.get_tick_size(t)) == str(info["mts"])
    for read in (client.get_markets, client.get_simplified_markets, client.get_sampling_markets):
        assert len((await in_thread(read))["data"]) == MARKETS
    assert (await in_thread(lambda: client.get_market(venue.market)))["condition_id"] == venue.market
    history = v2.PricesHistoryParams(market=venue.yes, interval="1d")
    assert (await in_thread(lambda: client.get_prices_history(history)))["history"]
    assert len(await in_thread(client.get_current_rewards)) == MARKETS
    assert len(await in_thread(lambda: client.get_raw_rewards_for_market(venue.market))) == 1
    price = await in_thread(lambda: client.calculate_market_price(venue.yes, "BUY", 10))
    assert price >= float(face.top_texts("YES")[1])


async def test_the_synchronous_client_reads_its_rewards(venue: Venue) -> None:
    client = v2.ClobClient(venue.urls["clob_url"], 137, key=KEY)
    client.set_api_creds(await in_thread(client.create_or_derive_api_key))
    day = day_of(venue.exchange.now_ms)
    assert await in_thread(lambda: client.get_earnings_for_user_for_day(day)) == []
    assert await in_thread(lambda: client.get_total_earnings_for_user_for_day(day)) == []
    assert await in_thread(client.get_reward_percentages) == {}
    rows = await in_thread(lambda: client.get_user_earnings_and_markets_config(day))
    assert len(rows) == MARKETS and json.dumps(rows)
