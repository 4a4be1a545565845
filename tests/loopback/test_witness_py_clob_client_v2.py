"""Witness: the official synchronous client, unmodified, does its whole day's work here from a thread of its own."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import pytest

from core.exchange.signing import SignedOrder
from core.market.instrument import Instrument
from core.units import MICRO
from core.venue.wallets import wallets_of
from tests.loopback.venue import (
    CASH,
    EOA,
    EVERY_KIND,
    KEY,
    MARKET_KINDS,
    MarketKind,
    Venue,
    order_id_of,
    venue_running,
)

sdk: Any = pytest.importorskip("py_clob_client_v2")
errors: Any = pytest.importorskip("py_clob_client_v2.exceptions")

T = TypeVar("T")
KINDS = {"EOA": 0, "proxy": 1, "Safe": 2, "deposit wallet": 3}


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    async with venue_running(markets=EVERY_KIND) as running:
        yield running


@pytest.fixture(params=MARKET_KINDS)
def instrument(venue: Venue, request: pytest.FixtureRequest) -> Instrument:
    kind: MarketKind = request.param
    return venue.instrument(kind)


async def call(venue: Venue, act: Callable[[], T], seconds: float = 0.0) -> T:
    """Run a blocking call in a thread; with ``seconds`` the venue's clock keeps moving while it lasts."""
    task = asyncio.create_task(asyncio.to_thread(act))
    while not task.done():
        if seconds:
            venue.pass_time(seconds)
        await asyncio.wait([task], timeout=0.05)
    return task.result()


class Desk:
    """The client of one wallet kind, and how it names the tokens of a market."""

    def __init__(self, venue: Venue, kind: int, instrument: Instrument) -> None:
        self.venue = venue
        self.wallet = wallets_of(EOA, kind)[0]
        self.instrument = instrument
        self.v2 = venue.exchange.listings[instrument.market].plot.version == "v2"
        self.client = sdk.ClobClient(str(venue.urls["clob_url"]), 137, key=KEY, signature_type=kind, funder=self.wallet)

    async def log_in(self) -> None:
        self.client.set_api_creds(await call(self.venue, self.client.create_or_derive_api_key))

    async def do(self, name: str, *args: Any, seconds: float = 0.0, **named: Any) -> Any:
        return await call(self.venue, lambda: getattr(self.client, name)(*args, **named), seconds)

    def named(self, token: str) -> dict[str, str]:
        """A Protocol V2 position is named as such: nothing else makes this client sign for its exchange."""
        return {"position_id": token} if self.v2 else {"token_id": token}

    async def order(self, price: float, size: float, token: str = "", **other: Any) -> Any:
        args = sdk.OrderArgs(
            price=price, size=size, side="BUY", **self.named(token or self.instrument.yes_token), **other
        )
        return await self.do("create_order", args)

    async def market_order(self, side: str, amount: float, order_type: str) -> Any:
        args = sdk.MarketOrderArgs(
            amount=amount, side=side, order_type=order_type, **self.named(self.instrument.yes_token)
        )
        return await self.do("create_market_order", args)

    def order_id(self, signed: Any) -> str:
        """The id computed here."""
        fields = {name: getattr(signed, name) for name in SignedOrder.__struct_fields__}
        fields |= {
            "salt": int(signed.salt),
            "side": "BUY" if int(signed.side) == 0 else "SELL",
            "signatureType": int(signed.signatureType),
        }
        return order_id_of(SignedOrder(**fields), self.instrument)


@pytest.fixture(params=KINDS)
async def desk(venue: Venue, instrument: Instrument, request: pytest.FixtureRequest) -> Desk:
    made = Desk(venue, KINDS[request.param], instrument)
    await made.log_in()
    return made


async def test_orders_are_placed_read_back_and_cancelled_by_every_door(desk: Desk) -> None:
    """Single, batch, post-only and GTD; the id is ours; orders, one order, scoring; by id, ids, market, all."""
    instrument, tick = desk.instrument, float(desk.instrument.tick_text)
    soon = int(time.time()) + 60 + 300
    signed = [
        await desk.order(tick, 10.01),
        await desk.order(2 * tick, 10),
        await desk.order(3 * tick, 10, expiration=soon),
        await desk.order(tick, 10, instrument.no_token),
    ]
    expected = [desk.order_id(each) for each in signed]
    single = await desk.do("post_order", signed[0], "GTC", post_only=True)
    assert (single["success"], single["status"], single["orderID"]) == (True, "live", expected[0])
    legs = [
        sdk.PostOrdersV2Args(order=each, orderType=kind)
        for each, kind in zip(signed[1:], ("GTC", "GTD", "GTC"), strict=True)
    ]
    batch = await desk.do("post_orders", legs, post_only=True)
    assert [leg["orderID"] for leg in batch] == expected[1:]
    with pytest.raises(errors.PolyApiException) as caught:
        await desk.do("post_order", signed[0])
    assert caught.value.status_code == 400 and "Duplicated" in caught.value.error_msg["error"]

    listed = await desk.do("get_open_orders", sdk.OpenOrderParams(market=instrument.market))
    assert [order["id"] for order in listed] == expected
    assert {order["maker_address"] for order in listed} == {desk.wallet}
    assert [order["expiration"] for order in listed] == ["0", "0", str(soon), "0"]
    one = await desk.do("get_order", expected[0])
    assert (one["original_size"], one["size_matched"], one["status"]) == ("10.01", "0", "LIVE")
    assert await desk.do("is_order_scoring", sdk.OrderScoringParams(orderId=expected[0])) == {"scoring": False}
    scoring = await desk.do("are_orders_scoring", sdk.OrdersScoringParams(orderIds=expected))
    assert scoring == dict.fromkeys(expected, False)

    answer = await desk.do("cancel_order", sdk.OrderPayload(orderID=expected[0]))
    assert answer == {"canceled": [expected[0]], "not_canceled": {}}
    answer = await desk.do("cancel_orders", expected[:2])
    assert answer["canceled"] == [expected[1]] and "already canceled" in answer["not_canceled"][expected[0]]
    no_side = sdk.OrderMarketCancelParams(asset_id=instrument.no_token)
    assert (await desk.do("cancel_market_orders", no_side))["canceled"] == [expected[3]]
    assert (await desk.do("cancel_all"))["canceled"] == [expected[2]]
    assert await desk.do("get_open_orders") == []


async def test_market_orders_match_settle_and_are_read_back(desk: Desk) -> None:
    """FOK and FAK; the client itself waits for the transaction hash; trades, balances and notices afterwards."""
    fok = await desk.market_order("BUY", 20, "FOK")
    bought = await desk.do("post_order", fok, "FOK", seconds=1.0)
    assert (bought["status"], bought["orderID"]) == ("matched", desk.order_id(fok))
    assert len(bought["transactionsHashes"]) == 1 and 19 < float(bought["makingAmount"]) <= 20
    asset = "CONDITIONAL-V2" if desk.v2 else "CONDITIONAL"
    asked = sdk.BalanceAllowanceParams(asset_type=asset, token_id=desk.instrument.yes_token)
    await desk.do("update_balance_allowance", asked)
    held = await desk.do("get_balance_allowance", asked)
    assert int(held["balance"]) == round(float(bought["takingAmount"]) * MICRO)
    cash = await desk.do("get_balance_allowance", sdk.BalanceAllowanceParams(asset_type="COLLATERAL"))
    assert CASH - 22 * MICRO < int(cash["balance"]) < CASH - 19 * MICRO and len(cash["allowances"]) >= 3
    sold = await desk.do("post_order", await desk.market_order("SELL", 10, "FAK"), "FAK", defer_exec=True)
    assert (sold["status"], sold["tradeIDs"]) == ("delayed", []), "it asked not to wait for the match"
    trades = await desk.do("get_trades", sdk.TradeParams(market=desk.instrument.market))
    assert [(trade["side"], trade["trader_side"]) for trade in trades] == [("SELL", "TAKER"), ("BUY", "TAKER")]
    assert trades[1]["id"] == bought["tradeIDs"][0]
    assert trades[1]["transaction_hash"] == bought["transactionsHashes"][0]
    page = await desk.do("get_trades_paginated", sdk.TradeParams(maker_address=desk.wallet))
    assert (page["count"], page["next_cursor"]) == (2, "LTE=")
    notices = await desk.do("get_notifications")
    assert [notice["type"] for notice in notices] == [2, 2]
    dropped = sdk.DropNotificationParams(ids=[str(notice["id"]) for notice in notices])
    assert await desk.do("drop_notifications", dropped) == "OK"
    assert await desk.do("get_notifications") == []


async def test_keys_heartbeats_and_refusals(venue: Venue) -> None:
    desk = Desk(venue, 0, venue.instrument("plain"))
    with pytest.raises(errors.PolyApiException) as caught:
        await desk.do("derive_api_key", nonce=7)
    assert caught.value.status_code == 400
    made = await desk.do("create_api_key", nonce=7)
    assert await desk.do("derive_api_key", nonce=7) == made
    with pytest.raises(errors.PolyApiException) as caught:
        await desk.do("create_api_key", nonce=7)
    assert caught.value.error_msg == {"error": "Could not create api key"}
    await desk.log_in()
    keys = (await desk.do("get_api_keys"))["apiKeys"]
    assert made.api_key in keys and desk.client.creds.api_key in keys
    assert await desk.do("get_closed_only_mode") == {"closed_only": False}
    first = await desk.do("post_heartbeat")
    second = await desk.do("post_heartbeat", first["heartbeat_id"])
    assert second["heartbeat_id"] not in ("", first["heartbeat_id"])
    with pytest.raises(errors.PolyApiException) as caught:
        await desk.do("post_heartbeat", first["heartbeat_id"])
    assert caught.value.error_msg == {"error_msg": "Invalid Heartbeat ID", "heartbeat_id": second["heartbeat_id"]}
    for price, size, words in ((0.01, 1, "lower than the minimum: 5"), (0.4, 1e6, "not enough balance / allowance")):
        before = venue.fingerprint()
        with pytest.raises(errors.PolyApiException, match=words) as caught:
            await desk.do("post_order", await desk.order(price, size))
        assert caught.value.status_code == 400 and venue.fingerprint() == before
    assert await desk.do("delete_api_key") == "OK"
    with pytest.raises(errors.PolyApiException) as caught:
        await desk.do("get_api_keys")
    assert (caught.value.status_code, caught.value.error_msg) == (401, {"error": "Unauthorized/Invalid api key"})


async def test_a_protocol_v2_position_named_as_a_token_is_signed_for_the_wrong_exchange(venue: Venue) -> None:
    """A quirk of this client: only ``position_id`` makes it sign for Exchange V3."""
    desk = Desk(venue, 0, venue.instrument("v2"))
    await desk.log_in()
    args = sdk.OrderArgs(token_id=desk.instrument.yes_token, price=0.01, size=10, side="BUY")
    signed = await desk.do("create_order", args)
    before = venue.fingerprint()
    with pytest.raises(errors.PolyApiException, match="order_version_mismatch"):
        await desk.do("post_order", signed)
    assert venue.fingerprint() == before
