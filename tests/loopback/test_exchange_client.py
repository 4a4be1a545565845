"""The official client against the exchange on real sockets: what it does there it can do at the venue."""

import dataclasses
import hashlib
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from polymarket import AsyncSecureClient
from polymarket._internal.environment import PRODUCTION_CONFIG
from polymarket._internal.wallet import derive_proxy_wallet_address
from polymarket.errors import OrderHeartbeatMismatchError, RequestRejectedError

from core.exchange import signing
from core.units import MICRO
from tests.loopback.venue import EOA, Venue, listening, user_frame, venue_running, wire_order


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    async with venue_running() as running:
        yield running


@pytest.fixture
async def client(venue: Venue) -> AsyncIterator[AsyncSecureClient]:
    made = await venue.client()
    yield made
    await made.close()


def book_hash(book: dict[str, Any], last: str) -> str:
    whole = {key: book[key] for key in ("market", "asset_id", "timestamp")} | {"hash": ""}
    whole |= {"bids": book["bids"], "asks": book["asks"], "min_order_size": "5", "tick_size": "0.01"}
    whole |= {"neg_risk": False, "last_trade_price": last}
    return hashlib.sha1(json.dumps(whole, separators=(",", ":")).encode()).hexdigest()


async def test_the_life_of_a_post_only_order(venue: Venue, client: AsyncSecureClient) -> None:
    """Signed, placed, seen with a true hash, filled, settled, and nothing left after cancel-all."""
    subscribe = {"type": "market", "assets_ids": [venue.yes, venue.no], "custom_feature_enabled": True}
    async with (
        listening(venue.urls["ws_market_url"], subscribe) as market,
        listening(venue.urls["ws_user_url"], user_frame(client)) as user,
    ):
        book = await market.until(lambda e: e["asset_id"] == venue.yes)
        assert book["hash"] == book_hash(book, book["last_trade_price"])
        price = f"{float(book['bids'][-1]['price']) + 0.01:.2f}"
        signed = await client.create_limit_order(token_id=venue.yes, price=price, size=100, side="BUY", post_only=True)
        placed = await client.post_order(signed)
        assert placed.ok and placed.status == "live"
        struct_hash = signing.order_struct_hash(wire_order(signed))
        assert placed.order_id == "0x" + signing.digest(signing.DOMAIN_V2, struct_hash).hex()

        change = await market.until(lambda e: e["event_type"] == "price_change")
        entry = change["price_changes"][0]
        assert (entry["price"], entry["size"], entry["best_bid"]) == (price, "100", price)
        grown = dict(book, timestamp=change["timestamp"], bids=[*book["bids"], {"price": price, "size": "100"}])
        assert entry["hash"] == book_hash(grown, book["last_trade_price"])
        assert (await market.until(lambda e: e["event_type"] == "best_bid_ask"))["best_bid"] == price
        assert (await user.until(lambda e: e["event_type"] == "order"))["type"] == "PLACEMENT"

        await venue.take("YES", "SELL", 60)
        after = await market.until(lambda e: e["event_type"] == "book" and e is not book and e["asset_id"] == venue.yes)
        assert after["hash"] == book_hash(after, f"{price}0")
        update = await user.until(lambda e: e.get("type") == "UPDATE")
        assert (update["id"], update["size_matched"], update["status"]) == (placed.order_id, "60", "LIVE")
        for status in ("MATCHED", "MINED", "CONFIRMED"):
            trade = await user.until(lambda e, s=status: e["event_type"] == "trade" and e["status"] == s)
            assert trade["maker_orders"][0]["order_id"] == placed.order_id
            assert trade["maker_orders"][0]["matched_amount"] == "60"
            venue.pass_time(5)
        tape = await market.until(lambda e: e["event_type"] == "last_trade_price")
        assert (tape["price"], tape["size"]) == (price, "60")

        page = await client.list_open_orders().first_page()
        assert [(o.id, o.size_matched) for o in page.items] == [(placed.order_id, Decimal(60))]
        trades = await client.list_account_trades().first_page()
        assert [(t.status, t.trader_side) for t in trades.items] == [("CONFIRMED", "MAKER")]
        assert (await client.list_account_trades(market="0x" + "00" * 32).first_page()).items == ()
        late = str(int(trades.items[0].matched_at.timestamp()))
        assert (await client.list_account_trades(after=late).first_page()).items == ()
        assert len((await client.list_account_trades(before=late, market=venue.market).first_page()).items) == 1
        cancelled = await client.cancel_all()
        assert cancelled.canceled == (placed.order_id,)
        assert (await user.until(lambda e: e.get("type") == "CANCELLATION"))["status"] == "CANCELED"
    assert (await client.list_open_orders().first_page()).items == ()
    held = await client.get_balance_allowance(asset_type="CONDITIONAL", token_id=venue.yes)
    cash = await client.get_balance_allowance(asset_type="COLLATERAL")
    assert held.balance == 60 * MICRO
    assert cash.balance == 50_000 * MICRO - round(60 * float(price) * MICRO)
    ledger = await venue.ledger()
    (order,) = ledger["orders"]
    assert (order["id"], order["status"], order["matched"]) == (placed.order_id, "CANCELED", "60")
    assert [entry["error"] for entry in ledger["received"]] == [""]


async def test_a_batch_answers_leg_by_leg_and_cancels_by_every_door(venue: Venue, client: AsyncSecureClient) -> None:
    good = [
        await client.create_limit_order(token_id=token, price=price, size=10, side="BUY", post_only=True)
        for token, price in ((venue.yes, "0.1"), (venue.yes, "0.11"), (venue.no, "0.12"), (venue.no, "0.13"))
    ]
    small = await client.create_limit_order(token_id=venue.yes, price="0.1", size="4.99", side="BUY")
    crossing = await client.create_limit_order(token_id=venue.yes, price="0.99", size=10, side="BUY", post_only=True)
    results = await client.post_orders([*good, small, crossing, good[0]])
    assert [result.ok for result in results] == [True] * 4 + [False] * 3
    assert "lower than the minimum: 5" in results[4].message
    assert results[5].code == "post_only_would_cross"
    assert "Duplicated" in results[6].message
    ids = [result.order_id for result in results[:4]]
    first = await client.cancel_orders(order_ids=[ids[0], ids[0], "0xunknown"])
    assert first.canceled == (ids[0],) and list(first.not_canceled) == ["0xunknown"]
    assert (await client.cancel_order(order_id=ids[1])).canceled == (ids[1],)
    assert "already canceled" in (await client.cancel_order(order_id=ids[1])).not_canceled[ids[1]]
    assert (await client.cancel_market_orders(token_id=venue.no)).canceled == (ids[2], ids[3])
    assert (await client.list_open_orders().first_page()).items == ()


async def test_a_second_market_is_neg_risk_on_a_fine_grid_and_signs_for_the_other_exchange(
    venue: Venue, client: AsyncSecureClient
) -> None:
    instrument = list(venue.exchange.listings.values())[1].instrument
    assert instrument.neg_risk
    signed = await client.create_limit_order(token_id=instrument.no_token, price="0.123", size="12.34", side="BUY")
    placed = await client.post_order(signed)
    struct_hash = signing.order_struct_hash(wire_order(signed))
    assert placed.order_id == "0x" + signing.digest(signing.DOMAIN_V2_NEG_RISK, struct_hash).hex()


async def test_market_orders_spend_dollars_and_sell_shares(venue: Venue, client: AsyncSecureClient) -> None:
    bought = await client.post_order(
        await client.create_market_order(token_id=venue.yes, side="BUY", amount=25, order_type="FOK")
    )
    assert bought.ok and bought.status == "matched" and len(bought.trade_ids) == 1
    assert Decimal("24.99") <= bought.making_amount <= 25
    with pytest.raises(RequestRejectedError, match="not enough balance"):
        await client.post_order(await client.create_market_order(token_id=venue.yes, side="SELL", shares=20))
    venue.pass_time(5)
    sold = await client.post_order(
        await client.create_market_order(token_id=venue.yes, side="SELL", shares=20, order_type="FAK")
    )
    assert sold.ok and sold.making_amount == 20


async def test_a_deposit_wallet_and_a_proxy_can_trade_and_have_money_of_their_own(venue: Venue) -> None:
    """Nested signatures of type 3 and plain ones of type 1, each with its own funder."""
    proxy = derive_proxy_wallet_address(EOA, PRODUCTION_CONFIG.wallet_derivation)
    for wallet, kind in ((None, 3), (proxy, 1)):
        client = await venue.client(wallet=wallet)
        signed = await client.create_limit_order(token_id=venue.yes, price="0.1", size=10, side="BUY")
        assert signed.signature_type == kind
        placed = await client.post_order(signed)
        struct_hash = signing.order_struct_hash(wire_order(signed))
        assert placed.ok and placed.order_id == "0x" + signing.digest(signing.DOMAIN_V2, struct_hash).hex()
        assert (await client.get_balance_allowance(asset_type="COLLATERAL")).balance == 50_000 * MICRO
        await client.close()
    accounts = {account["address"].lower() for account in (await venue.ledger())["accounts"]}
    assert len(accounts) == 3 and {EOA.lower(), proxy.lower()} < accounts


async def test_refusals_reach_the_client_with_the_venues_words(venue: Venue, client: AsyncSecureClient) -> None:
    for price, size, words in (("0.4", "1", "lower than the minimum"), ("0.4", "1000000", "not enough balance")):
        signed = await client.create_limit_order(token_id=venue.yes, price=price, size=size, side="BUY")
        with pytest.raises(RequestRejectedError, match=words) as caught:
            await client.post_order(signed)
        assert caught.value.status == 400
    signed = await client.create_limit_order(token_id=venue.yes, price="0.4", size=10, side="BUY")
    forged = dataclasses.replace(signed, maker_amount=signed.maker_amount - 100_000)
    with pytest.raises(RequestRejectedError, match="invalid signature"):
        await client.post_order(forged)
    assert [bool(entry["error"]) for entry in (await venue.ledger())["received"]] == [True] * 3


async def test_heartbeats_arm_a_switch_that_silence_throws(venue: Venue, client: AsyncSecureClient) -> None:
    signed = await client.create_limit_order(token_id=venue.yes, price="0.1", size=10, side="BUY")
    await client.post_order(signed)
    beat = await client.send_order_heartbeat(heartbeat_id="")
    venue.pass_time(8)
    beat = await client.send_order_heartbeat(heartbeat_id=beat.heartbeat_id)
    with pytest.raises(OrderHeartbeatMismatchError) as caught:
        await client.send_order_heartbeat(heartbeat_id="wrong")
    assert caught.value.heartbeat_id == beat.heartbeat_id
    venue.pass_time(8)
    assert len((await client.list_open_orders().first_page()).items) == 1
    venue.pass_time(8)
    assert (await client.list_open_orders().first_page()).items == ()


async def test_keys_can_be_made_listed_used_and_deleted(venue: Venue, client: AsyncSecureClient) -> None:
    assert await client.get_closed_only_mode() is False
    again = await venue.client()
    assert again.credentials.key == client.credentials.key, "the second time the key is derived"
    await again.delete_api_key()
    with pytest.raises(RequestRejectedError) as caught:
        await client.get_closed_only_mode()
    assert caught.value.status == 401
    await again.close()


async def test_the_public_reads_of_the_client_work(venue: Venue, client: AsyncSecureClient) -> None:
    page = await client.list_markets(closed=False).first_page()
    assert [market.condition_id for market in page.items] == list(venue.exchange.listings)
    book = await client.get_order_book(token_id=venue.yes)
    assert book.hash == venue.exchange.faces[venue.market].hash("YES") and book.tick_size == Decimal("0.01")
    books = await client.get_order_books(token_ids=[venue.yes, venue.no])
    assert {b.token_id for b in books} == {venue.yes, venue.no}
    mid = await client.get_midpoint(token_id=venue.yes)
    assert mid == (book.bids[-1].price + book.asks[-1].price) / 2
    assert await client.get_spread(token_id=venue.yes) == book.asks[-1].price - book.bids[-1].price
