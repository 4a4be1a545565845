"""Witness: the first official client, unmodified. The venue refuses its orders since its second exchange version."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.loopback.venue import KEY, MARKET_KINDS, MarketKind, Venue, venue_running

sdk: Any = pytest.importorskip("py_clob_client.client")
types: Any = pytest.importorskip("py_clob_client.clob_types")
errors: Any = pytest.importorskip("py_clob_client.exceptions")


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    async with venue_running() as running:
        yield running


@pytest.mark.parametrize("market", [kind for kind in MARKET_KINDS if kind != "v2"])
@pytest.mark.parametrize("order_type", ["GTC", "GTD", "FOK"])
async def test_its_orders_are_refused_in_the_venues_words(venue: Venue, market: MarketKind, order_type: str) -> None:
    """It authenticates, builds and posts as ever; the answer names the reason, alone and in a batch."""
    client = sdk.ClobClient(str(venue.urls["clob_url"]), 137, key=KEY)
    client.set_api_creds(await asyncio.to_thread(client.create_or_derive_api_creds))
    token = venue.instrument(market).yes_token
    args = types.OrderArgs(token_id=token, price=0.1, size=10, side="BUY")
    signed = await asyncio.to_thread(client.create_order, args)
    before = venue.fingerprint()
    with pytest.raises(errors.PolyApiException) as caught:
        await asyncio.to_thread(client.post_order, signed, order_type)
    assert caught.value.status_code == 400
    assert caught.value.error_msg == {"error": "invalid order version, please use the latest clob-client"}
    legs = [types.PostOrdersArgs(order=signed, orderType=order_type)]
    (leg,) = await asyncio.to_thread(client.post_orders, legs)
    assert leg["orderID"] == "" and leg["errorMsg"].startswith("invalid order version")
    assert venue.fingerprint() == before
    assert [entry.error for entry in venue.exchange.received] == [leg["errorMsg"]] * 2
    assert await asyncio.to_thread(client.get_orders) == []
