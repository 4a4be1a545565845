"""The two channels, frame by frame, as a raw client sees them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import websockets

from core.clock import ManualClock
from core.exchange.api.server import RunningExchange, build_host
from core.exchange.api.wire_server import QUEUE_LIMIT
from core.exchange.frames import MarketFrame
from core.exchange.listing import listings
from core.units import MICRO, Usd

SOON_S = 5.0
QUIET_S = 0.15
"""How long silence is listened to before it is believed."""


@pytest.fixture
async def running() -> AsyncIterator[RunningExchange]:
    clock = ManualClock(unix=time.time())
    cash = Usd(1_000 * MICRO)
    host = build_host(seed=1, markets=3, speed=1.0, auto_cash=cash, paused=True, clock=clock)
    async with RunningExchange(host) as serving:
        yield serving


@pytest.fixture
async def http(running: RunningExchange) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=running.urls["clob_url"]) as client:  # type: ignore[arg-type]
        yield client


@pytest.fixture
def tokens(running: RunningExchange) -> list[str]:
    return list(running.host.exchange.by_token)


async def market_socket(running: RunningExchange) -> websockets.ClientConnection:
    return await websockets.connect(str(running.urls["ws_market_url"]))


async def hear(socket: websockets.ClientConnection) -> Any:
    async with asyncio.timeout(SOON_S):
        return await socket.recv()


async def quiet(socket: websockets.ClientConnection) -> bool:
    try:
        async with asyncio.timeout(QUIET_S):
            await socket.recv()
    except TimeoutError:
        return True
    return False


async def test_ping_before_the_subscription_closes_the_socket(running: RunningExchange) -> None:
    for first in ("PING", "{", "[]", '{"type":"user"}', '{"type":"market"}', '{"type":"market","assets_ids":[1]}'):
        async with await market_socket(running) as socket:
            await socket.send(first)
            with pytest.raises(websockets.ConnectionClosed) as caught:
                await hear(socket)
            assert caught.value.rcvd is not None
            assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1008, "invalid subscription payload")


async def test_dump_is_one_array_and_strangers_are_met_with_silence(
    running: RunningExchange, tokens: list[str]
) -> None:
    async with await market_socket(running) as socket:
        await socket.send(json.dumps({"type": "market", "assets_ids": [tokens[0], "12345", tokens[1], tokens[0]]}))
        dump = json.loads(await hear(socket))
        assert [book["asset_id"] for book in dump] == tokens[:2]
        assert all(book["event_type"] == "book" and "tick_size" in book for book in dump)
        await socket.send("PING")
        assert await hear(socket) == "PONG"
        await socket.send(json.dumps({"type": "market", "assets_ids": tokens}))
        assert await hear(socket) == "INVALID OPERATION"
        await socket.send("nonsense")
        assert await hear(socket) == "INVALID OPERATION"
    async with await market_socket(running) as socket:
        await socket.send(json.dumps({"type": "market", "assets_ids": ["12345"]}))
        assert await quiet(socket)


async def test_tokens_can_be_added_dropped_and_taken_up_again(
    running: RunningExchange, tokens: list[str], http: httpx.AsyncClient
) -> None:
    market = running.host.exchange.by_token[tokens[0]][0]
    taken = {"market": market, "outcome": "YES", "side": "BUY", "size": 5}
    async with await market_socket(running) as socket:
        await socket.send(json.dumps({"type": "market", "assets_ids": [tokens[2]]}))
        await hear(socket)
        await http.post("/_exchange/trade", json=taken)
        assert await quiet(socket), "another market's events do not come"
        add = {"operation": "subscribe", "assets_ids": [tokens[0], tokens[2]], "custom_feature_enabled": True}
        await socket.send(json.dumps(add))
        assert [book["asset_id"] for book in json.loads(await hear(socket))] == [tokens[0]], "the active one is ignored"
        await http.post("/_exchange/trade", json=taken)
        heard = [json.loads(await hear(socket)) for _ in range(2)]
        assert {event["event_type"] for event in heard} <= {"price_change", "book", "best_bid_ask"}
        await socket.send(json.dumps({"operation": "unsubscribe", "assets_ids": [tokens[0]]}))
        await socket.send("PING")
        while await hear(socket) != "PONG":
            pass
        await http.post("/_exchange/trade", json=taken)
        assert await quiet(socket)
        await socket.send(json.dumps({"operation": "subscribe", "assets_ids": [tokens[0]], "initial_dump": False}))
        assert await quiet(socket)


async def test_custom_events_come_only_when_asked_for(
    running: RunningExchange, tokens: list[str], http: httpx.AsyncClient
) -> None:
    exchange = running.host.exchange
    market, _ = exchange.by_token[tokens[0]]
    ask = exchange.engine.books[market].levels("ask")[0][1]
    async with await market_socket(running) as plain, await market_socket(running) as custom:
        await plain.send(json.dumps({"type": "market", "assets_ids": [tokens[0]]}))
        await custom.send(json.dumps({"type": "market", "assets_ids": [tokens[0]], "custom_feature_enabled": True}))
        await hear(plain)
        await hear(custom)
        body = {"market": market, "outcome": "YES", "side": "BUY", "size": ask / MICRO}
        assert (await http.post("/_exchange/trade", json=body)).status_code == 200
        assert [json.loads(await hear(plain))["event_type"] for _ in range(2)] == ["price_change", "book"]
        heard = [json.loads(await hear(custom)) for _ in range(3)]
        assert [event["event_type"] for event in heard] == ["price_change", "best_bid_ask", "book"]
        assert float(heard[1]["spread"]) == pytest.approx(float(heard[1]["best_ask"]) - float(heard[1]["best_bid"]))


async def test_new_and_resolved_markets_are_told_to_custom_sockets_only(
    running: RunningExchange, tokens: list[str]
) -> None:
    """A new market to all of them, a resolved one to those who follow it; after that it has no first book."""
    exchange = running.host.exchange
    market, _ = exchange.by_token[tokens[0]]
    async with await market_socket(running) as plain, await market_socket(running) as custom:
        await plain.send(json.dumps({"type": "market", "assets_ids": tokens}))
        await custom.send(json.dumps({"type": "market", "assets_ids": [tokens[0]], "custom_feature_enabled": True}))
        await hear(plain)
        await hear(custom)
        fresh = listings(1, len(exchange.listings) + 1, exchange.now_ms // 1000)[-1]
        exchange.open_market(fresh)
        exchange.resolve(market, "YES")
        running.host.flush()
        heard = []
        while not heard or heard[-1]["event_type"] != "market_resolved":
            heard.append(json.loads(await hear(custom)))
        assert heard[0]["event_type"] == "new_market" and heard[0]["clob_token_ids"] == list(exchange.by_token)[-2:]
        assert heard[-1]["winning_asset_id"] == tokens[0]
        await plain.send("PING")
        while (text := await hear(plain)) != "PONG":
            assert json.loads(text)["event_type"] == "price_change"
    async with await market_socket(running) as late:
        await late.send(json.dumps({"type": "market", "assets_ids": tokens[:3]}))
        assert [book["asset_id"] for book in json.loads(await hear(late))] == [tokens[2]]


async def test_an_empty_list_hears_of_new_and_resolved_markets_and_nothing_else(
    running: RunningExchange, tokens: list[str]
) -> None:
    exchange = running.host.exchange
    async with await market_socket(running) as socket:
        await socket.send(json.dumps({"type": "market", "assets_ids": [], "custom_feature_enabled": True}))
        await socket.send("PING")
        assert await hear(socket) == "PONG"
        exchange.open_market(listings(1, len(exchange.listings) + 1, exchange.now_ms // 1000)[-1])
        exchange.resolve(exchange.by_token[tokens[0]][0], "YES")
        running.host.flush()
        heard = [json.loads(await hear(socket))["event_type"] for _ in range(2)]
        assert heard == ["new_market", "market_resolved"] and await quiet(socket)


async def test_a_socket_that_does_not_read_is_closed_and_others_live_on(
    running: RunningExchange, tokens: list[str]
) -> None:
    async with await market_socket(running) as lazy, await market_socket(running) as eager:
        for socket in (lazy, eager):
            await socket.send(json.dumps({"type": "market", "assets_ids": [tokens[0]]}))
        await hear(eager)
        await hear(lazy)
        heavy = MarketFrame(kind="book", tokens=(tokens[0],), text=json.dumps({"filler": "x" * 2_000}))
        lazy.transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(QUEUE_LIMIT // 500 + 12):
            running.host.broadcast([heavy] * 500)
            for _ in range(500):
                await hear(eager)
        lazy.transport.resume_reading()  # type: ignore[attr-defined]
        with pytest.raises(websockets.ConnectionClosed) as caught:
            while True:
                await hear(lazy)
        assert caught.value.rcvd is not None and caught.value.rcvd.code == 1013
        await eager.send("PING")
        assert await hear(eager) == "PONG"


@pytest.mark.parametrize(
    "first",
    [
        {"type": "user", "auth": {"apiKey": "x", "secret": "y", "passphrase": "z"}},
        {"type": "user", "auth": {"apiKey": 1, "secret": "y", "passphrase": "z"}},
        {"type": "user"},
        {"type": "market", "assets_ids": []},
    ],
)
async def test_bad_credentials_close_the_user_channel(running: RunningExchange, first: dict[str, Any]) -> None:
    async with websockets.connect(str(running.urls["ws_user_url"])) as socket:
        await socket.send(json.dumps(first))
        with pytest.raises(websockets.ConnectionClosed):
            await hear(socket)
