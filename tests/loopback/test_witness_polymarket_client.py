"""Witness: the official asynchronous client, unmodified, does its whole day's work here and reads every answer."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from polymarket import AsyncSecureClient
from polymarket._internal.environment import PRODUCTION_CONFIG
from polymarket._internal.wallet import derive_proxy_wallet_address, derive_safe_wallet_address
from polymarket.errors import OrderHeartbeatMismatchError, RateLimitError, RequestRejectedError
from polymarket.streams import MarketSpec, UserSpec

from core.market.instrument import Instrument
from core.units import MICRO
from core.venue.wallets import wallets_of
from tests.loopback.venue import (
    CASH,
    EOA,
    EVERY_KIND,
    MARKET_KINDS,
    PATIENCE_S,
    MarketKind,
    Venue,
    order_id_of,
    venue_running,
    wire_order,
)

_DERIVATION = PRODUCTION_CONFIG.wallet_derivation
WALLETS: dict[str, tuple[str | None, int]] = {
    "EOA": (EOA, 0),
    "proxy": (derive_proxy_wallet_address(EOA, _DERIVATION), 1),
    "Safe": (derive_safe_wallet_address(EOA, _DERIVATION), 2),
    "deposit wallet": (None, 3),
}


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    async with venue_running(markets=EVERY_KIND) as running:
        yield running


@pytest.fixture(params=WALLETS)
async def client(venue: Venue, request: pytest.FixtureRequest) -> AsyncIterator[AsyncSecureClient]:
    wallet, kind = WALLETS[request.param]
    made = await venue.client(wallet=wallet)
    assert str(made.wallet).lower() in [each.lower() for each in wallets_of(EOA, kind)]
    yield made
    await made.close()


@pytest.fixture(params=MARKET_KINDS)
def instrument(venue: Venue, request: pytest.FixtureRequest) -> Instrument:
    kind: MarketKind = request.param
    return venue.instrument(kind)


def touch(venue: Venue, instrument: Instrument) -> tuple[Decimal, Decimal]:
    bid, ask = venue.exchange.faces[instrument.market].top_texts("YES")
    return Decimal(bid), Decimal(ask)


async def test_orders_are_placed_read_back_and_cancelled_by_every_door(
    venue: Venue, client: AsyncSecureClient, instrument: Instrument
) -> None:
    """Single, batch, post-only and GTD; the id is ours; orders, one order, scoring; by id, ids, market, all."""
    token, low = instrument.yes_token, Decimal(instrument.tick_text)
    soon = int(time.time()) + 60 + 300
    signed = [
        await client.create_limit_order(asset_id=token, price=low, size="10.01", side="BUY"),
        await client.create_limit_order(asset_id=token, price=2 * low, size=10, side="BUY", post_only=True),
        await client.create_limit_order(asset_id=token, price=3 * low, size=10, side="BUY", expiration=soon),
        await client.create_limit_order(asset_id=instrument.no_token, price=low, size=10, side="BUY"),
        await client.create_limit_order(asset_id=instrument.no_token, price=2 * low, size=10, side="BUY"),
    ]
    expected = [order_id_of(wire_order(each), instrument) for each in signed]
    single = await client.post_order(signed[0])
    batch = await client.post_orders(signed[1:])
    assert single.ok and all(each.ok for each in batch)
    placed = [single, *batch]
    assert [each.order_id for each in placed if each.ok] == expected
    assert {each.status for each in placed if each.ok} == {"live"}
    again = await client.post_orders([signed[0]])
    assert not again[0].ok and "Duplicated" in again[0].message

    listed = (await client.list_open_orders(market=instrument.market).first_page()).items
    assert [order.id for order in listed] == expected
    assert [order.order_type for order in listed] == ["GTC", "GTC", "GTD", "GTC", "GTC"]
    assert listed[2].expires_at is not None and int(listed[2].expires_at.timestamp()) == soon
    assert {order.maker_address for order in listed} == {str(client.wallet)}
    assert len((await client.list_open_orders(asset_id=instrument.no_token).first_page()).items) == 2
    one = await client.get_order(order_id=expected[0])
    assert (one.original_size, one.size_matched, one.price, one.status) == (Decimal("10.01"), 0, low, "LIVE")
    assert await client.get_order_scoring(order_id=expected[0]) is False
    assert await client.get_orders_scoring(order_ids=expected) == dict.fromkeys(expected, False)

    assert (await client.cancel_order(order_id=expected[0])).canceled == (expected[0],)
    assert (await client.cancel_orders(order_ids=expected[:2])).canceled == (expected[1],)
    assert (await client.cancel_market_orders(asset_id=instrument.no_token)).canceled == tuple(expected[3:])
    assert (await client.cancel_all()).canceled == (expected[2],)
    assert (await client.list_open_orders().first_page()).items == ()
    with pytest.raises(RequestRejectedError, match="Order not found") as caught:
        await client.get_order(order_id="0x" + "00" * 32)
    assert caught.value.status == 404


async def test_market_orders_match_settle_and_are_read_back(
    venue: Venue, client: AsyncSecureClient, instrument: Instrument
) -> None:
    """FOK and FAK, bought in dollars and sold in shares; trades, balances and notices afterwards."""
    token = instrument.yes_token
    version = venue.exchange.listings[instrument.market].plot.version
    asset: Any = {"v1": "CONDITIONAL", "v2": "CONDITIONAL-V2"}[version]
    bought = await client.place_market_order(asset_id=token, side="BUY", amount=20, order_type="FOK")
    assert bought.ok and bought.status == "matched" and len(bought.trade_ids) == 1
    held = await client.get_balance_allowance(asset_type=asset, asset_id=token)
    assert held.balance == 0, "nothing has settled yet"
    waiting = asyncio.create_task(client.wait_for_order_fill_settlement(bought, timeout_s=PATIENCE_S))
    venue.pass_time(10)
    hashes = await waiting
    assert len(hashes) == 1 and hashes[0].startswith("0x")
    held = await client.get_balance_allowance(asset_type=asset, asset_id=token)
    assert held.balance == bought.taking_amount * MICRO and all(held.allowances.values())
    cash = await client.get_balance_allowance(asset_type="COLLATERAL")
    assert CASH - 22 * MICRO < cash.balance < CASH - 19 * MICRO
    shares = Decimal(held.balance // 2 // 10_000) / 100
    sold = await client.place_market_order(asset_id=token, side="SELL", shares=shares, order_type="FAK")
    assert sold.ok and sold.making_amount == shares
    trades = (await client.list_account_trades(market=instrument.market).first_page()).items
    assert [trade.id for trade in trades] == [*sold.trade_ids, *bought.trade_ids]
    assert [(trade.status, trade.side, trade.trader_side) for trade in trades] == [
        ("MATCHED_NOT_BROADCASTED", "SELL", "TAKER"),
        ("CONFIRMED", "BUY", "TAKER"),
    ]
    assert trades[1].size == bought.taking_amount
    assert (await client.list_account_trades(id=bought.trade_ids[0]).first_page()).items == (trades[1],)
    notices = await client.get_notifications()
    assert [notice.type for notice in notices] == [2, 2]
    await client.drop_notifications(ids=[notices[0].id])
    assert [notice.id for notice in await client.get_notifications()] == [notices[1].id]


async def test_the_streams_of_the_client_parse_every_event(
    venue: Venue, client: AsyncSecureClient, instrument: Instrument
) -> None:
    """Book, price changes, touch, tape and tick on one stream; placements, fills, trades on the other; none dropped."""
    token = instrument.yes_token
    bid, ask = touch(venue, instrument)
    price = bid + Decimal(instrument.tick_text)
    assert price < ask
    market = await client.subscribe(MarketSpec(asset_ids=[token, instrument.no_token], custom_feature_enabled=True))
    user = await client.subscribe(UserSpec())
    async with Heard(market) as public, Heard(user) as private:
        book = await public.until(lambda e: e.type == "book" and e.payload.asset_id == token)
        assert (book.payload.bids[-1].price, book.payload.asks[-1].price) == (bid, ask)
        signed = await client.create_limit_order(asset_id=token, price=price, size=50, side="BUY", post_only=True)
        placed = await client.post_order(signed)
        assert placed.ok
        change = await public.until(lambda e: e.type == "price_change")
        assert (change.payload.price_changes[0].price, change.payload.price_changes[0].best_bid) == (price, price)
        assert (await public.until(lambda e: e.type == "best_bid_ask")).payload.best_bid == price
        event = await private.until(lambda e: e.type == "order")
        assert (event.payload.id, event.payload.order_event_type) == (placed.order_id, "PLACEMENT")
        await venue.take("YES", "SELL", 20, instrument.market)
        update = await private.until(lambda e: e.type == "order" and e.payload.order_event_type == "UPDATE")
        assert update.payload.size_matched == 20
        for status in ("MATCHED", "MINED", "CONFIRMED"):
            trade = await private.until(lambda e, s=status: e.type == "trade" and e.payload.status == s)
            assert trade.payload.maker_orders[0].order_id == placed.order_id
            venue.pass_time(5)
        assert (await public.until(lambda e: e.type == "last_trade_price")).payload.size == 20
        await client.cancel_all()
        await private.until(lambda e: e.type == "order" and e.payload.order_event_type == "CANCELLATION")
        finer = "0.001" if instrument.tick_text == "0.01" else "0.0001"
        venue.exchange.change_tick(instrument.market, finer)
        venue.exchange.resolve(instrument.market, "YES")
        venue.running.host.flush()
        assert (await public.until(lambda e: e.type == "tick_size_change")).payload.new_tick_size == Decimal(finer)
        assert (await public.until(lambda e: e.type == "market_resolved")).payload.winning_asset_id == token
    for manager in (client._get_market_manager(), client._get_user_manager()):
        assert manager.dropped_events == 0


class Heard:
    """Reads a stream of the client until something fits; closes it at the end."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._heard: list[Any] = []

    async def __aenter__(self) -> "Heard":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._handle.close()

    async def until(self, fits: Callable[[Any], bool]) -> Any:
        position = 0
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for event in self._heard[position:]:
                    position += 1
                    if fits(event):
                        return event
                self._heard.append(await anext(self._handle))


async def test_resolution_and_cancellation_notices_are_parsed(venue: Venue) -> None:
    client = await venue.client()
    instrument = venue.instrument("plain")
    signed = await client.create_limit_order(asset_id=instrument.yes_token, price="0.01", size=10, side="BUY")
    placed = await client.post_order(signed)
    bought = await client.place_market_order(asset_id=instrument.yes_token, side="BUY", amount=5)
    assert placed.ok and bought.ok
    venue.pass_time(10)
    venue.exchange.resolve(instrument.market, "HALF")
    venue.exchange.notices.tell(
        client.credentials.key, 5, venue.exchange.now_ms, {"market": "0x1", "account": EOA, "amount": "1.5"}
    )
    notices: Any = await client.get_notifications()
    assert [int(notice.type) for notice in notices] == [2, 1, 4, 5]
    fill, cancel, resolved, reward = (notice.payload for notice in notices)
    assert fill.trade_id == bought.trade_ids[0] and fill.transaction_hash
    assert (cancel.order_id, cancel.remaining_size) == (placed.order_id, 10)
    assert resolved.condition_id == instrument.market and [token.winner for token in resolved.tokens] == [False, False]
    assert (reward.proxy_wallet, reward.reward) == (EOA, Decimal("1.5"))
    await client.close()


async def test_keys_modes_heartbeats_and_limits_reach_the_client_typed(venue: Venue) -> None:
    """What its error classes make of the venue's refusals is what they make of them at the venue."""
    updates: list[Any] = []
    client = await venue.client(on_rate_limit_update=updates.append)
    assert client.credentials.key in await client.fetch_api_keys()
    assert await client.get_closed_only_mode() is False
    venue.exchange.closed_only.add(EOA.lower())
    assert await client.get_closed_only_mode() is True
    venue.exchange.closed_only.clear()

    beat = await client.send_order_heartbeat()
    with pytest.raises(OrderHeartbeatMismatchError) as mismatch:
        await client.send_order_heartbeat(heartbeat_id="00000000-0000-4000-8000-000000000000")
    assert mismatch.value.heartbeat_id == beat.heartbeat_id
    await client.send_order_heartbeat(heartbeat_id=beat.heartbeat_id)

    signed = [await client.create_limit_order(asset_id=venue.yes, price="0.01", size=10, side="BUY") for _ in range(4)]
    assert (await client.post_order(signed[0])).ok
    assert (updates[-1].remaining, updates[-1].tier, updates[-1].warning) == (59, "Standard", False)
    venue.running.host.intake.limits.drain(EOA, "orders", 0)
    with pytest.raises(RateLimitError) as limited:
        await client.post_orders(signed[1:])
    assert limited.value.retry_after == 1 and limited.value.rate_limit is not None
    assert limited.value.rate_limit.remaining == 0 and limited.value.rate_limit.warning
    venue.pass_time(2)

    venue.exchange.restart(5_000)
    for expected, seconds in (("restarting", 6), ("post_only", 120)):
        with pytest.raises(RequestRejectedError) as caught:
            await client.post_order(signed[1])
        assert caught.value.restriction == expected
        venue.pass_time(seconds)
    assert caught.value.code == "post_only_mode" and caught.value.retry_after == 119
    assert (await client.post_order(signed[1])).ok
    venue.exchange.set_mode("cancel_only")
    with pytest.raises(RequestRejectedError) as caught:
        await client.post_order(signed[2])
    assert caught.value.restriction == "cancel_only"
    venue.exchange.set_mode("disabled")
    with pytest.raises(RequestRejectedError, match="Trading is currently disabled") as caught:
        await client.cancel_all()
    assert caught.value.status == 503
    await client.close()
