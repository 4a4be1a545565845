"""Faults of the two channels on real sockets: what a client sees of each."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets

from tests.loopback.faulty import Stage, Wire, stage_running
from tests.loopback.venue import PATIENCE_S


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with stage_running() as running:
        yield running


def named(event: dict[str, Any]) -> set[str]:
    """The tokens an event speaks of."""
    return {entry["asset_id"] for entry in event.get("price_changes", [event])}


async def ended(wire: Wire) -> websockets.ConnectionClosed:
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(websockets.ConnectionClosed) as caught:
            while True:
                await wire.socket.recv()
    return caught.value


async def test_without_faults_a_trade_is_told_as_ever(stage: Stage) -> None:
    """The ground truth of the tests below."""
    async with stage.market_wire() as wire, stage.user_wire() as user:
        await stage.fill()
        assert await wire.kinds() == ["price_change", "price_change", "book", "book"]
        assert await user.kinds() == ["order", "order", "trade"]
    assert not stage.director.armed and not stage.director.log


async def test_a_frozen_socket_answers_ping_and_says_nothing(stage: Stage) -> None:
    async with stage.market_wire() as wire, stage.user_wire() as user:
        stage.arm('do = "freeze"\nfor = 20')
        await stage.fill()
        assert await wire.pending() == []
        assert await user.kinds() == ["order", "order", "trade"], "the other channel lives"
        stage.pass_time(20)
        await stage.place()
        assert "price_change" in await wire.kinds(), "it is over"


async def test_a_frozen_token_is_silent_while_its_sister_speaks(stage: Stage) -> None:
    async with stage.market_wire() as wire:
        stage.arm('do = "freeze"\nmarket = 0\ntokens = "yes"')
        await stage.fill()
        heard = await wire.pending()
        assert [event["event_type"] for event in heard] == ["price_change", "price_change", "book"]
        assert all(named(event) == {stage.no} for event in heard)


@pytest.mark.parametrize("heals", ["time", "resubscribe", "reconnect"])
async def test_what_heals_a_freeze(stage: Stage, heals: str) -> None:
    """Half of the dead subscriptions heal by subscribing again, the rest want a new socket (polymarket-api.md 5.4)."""
    async with stage.market_wire(stage.yes) as wire:
        stage.arm(f'do = "freeze"\nmarket = 0\nheals = "{heals}"')
        await wire.send({"operation": "unsubscribe", "assets_ids": [stage.yes]})
        await wire.send({"operation": "subscribe", "assets_ids": [stage.yes]})
        await stage.place()
        assert bool(await wire.pending()) == (heals == "resubscribe")
        async with stage.market_wire(stage.yes, dump=False) as fresh:
            await stage.place(2)
            assert bool(await fresh.pending()) == (heals != "time")


async def test_the_first_books_may_never_come(stage: Stage) -> None:
    stage.arm('do = "drop"\nkinds = ["dump"]\nfor = 5')
    async with stage.market_wire(dump=False) as wire:
        assert await wire.pending() == []
        await stage.place()
        assert await wire.kinds() == ["price_change"]
    stage.pass_time(5)
    async with stage.market_wire():
        pass


async def test_one_message_is_lost(stage: Stage) -> None:
    async with stage.market_wire() as wire:
        stage.arm('do = "drop"\non = "frame:price_change"\nnth = 2')
        for cents in (1, 2, 3):
            await stage.place(cents)
        prices = [event["price_changes"][0]["price"] for event in await wire.pending()]
        assert prices == ["0.01", "0.03"]
        assert stage.happened("drop") == ["begins", "price_change message"]


async def test_messages_come_twice_or_in_the_wrong_order(stage: Stage) -> None:
    async with stage.market_wire() as wire:
        stage.arm('do = "duplicate"', 'do = "reorder"\nkinds = ["price_change"]\nblock = 3\ncount = 3')
        for cents in (1, 2, 3):
            await stage.place(cents)
        prices = [event["price_changes"][0]["price"] for event in await wire.pending()]
        assert prices == ["0.02", "0.01", "0.01", "0.03"], "the first one twice, then a block of three turned round"


async def test_a_fill_comes_before_its_order(stage: Stage) -> None:
    async with stage.user_wire() as user:
        stage.arm('do = "reorder"\nchannel = "user"\nblock = 3')
        await stage.fill()
        assert await user.kinds() == ["trade", "order", "order"]


async def test_messages_come_late_and_others_overtake_them(stage: Stage) -> None:
    async with stage.market_wire() as wire:
        stage.arm('do = "delay"\nmarket = 0\ntokens = "yes"\nms = 700\nfor = 1')
        await stage.place()
        assert [named(event) for event in await wire.pending()] == [{stage.no}]
        stage.pass_time(0.6)
        assert await wire.pending() == []
        stage.pass_time(0.1)
        assert [named(event) for event in await wire.pending()] == [{stage.yes}]


async def test_silence_and_then_everything_at_once(stage: Stage) -> None:
    async with stage.market_wire() as wire:
        stage.arm('do = "burst"\nfor = 10')
        for cents in range(1, 8):
            await stage.place(cents)
            stage.pass_time(1)
        assert await wire.pending() == []
        stage.pass_time(3)
        prices = [event["price_changes"][0]["price"] for event in await wire.pending()]
        assert prices == [f"0.0{cents}" for cents in range(1, 8)]


async def test_hashes_are_wrong_and_nothing_else(stage: Stage) -> None:
    async with stage.market_wire() as wire, stage.market_wire() as late:
        stage.arm('do = "bad_hash"\nfor = 60')
        await stage.place()
        (event,) = await wire.pending()
        faces = stage.exchange.faces[stage.market]
        assert [entry["price"] for entry in event["price_changes"]] == ["0.01", "0.99"]
        assert event["price_changes"][0]["hash"] != faces.hash("YES") and len(event["price_changes"][0]["hash"]) == 40
        await late.pending()
        await late.send({"operation": "unsubscribe", "assets_ids": [stage.yes]})
        await late.send({"operation": "subscribe", "assets_ids": [stage.yes]})
        (book,) = await late.hear()
        assert book["hash"] != faces.hash("YES") and book["bids"][0] == {
            "price": "0.01",
            "size": book["bids"][0]["size"],
        }


async def test_a_message_the_venue_never_sent(stage: Stage) -> None:
    async with stage.market_wire() as wire:
        stage.arm("do = \"say\"\ntext = '''{\"price\": NaN, [''' ")
        assert await wire.text() == '{"price": NaN, ['


async def test_events_of_one_kind_are_kept_from_the_user(stage: Stage) -> None:
    async with stage.user_wire() as user:
        stage.arm('do = "mute_user"\nkinds = ["trade"]\nfor = 30')
        order_id = await stage.fill()
        heard = await user.pending()
        assert [(event["id"], event["size_matched"]) for event in heard] == [(order_id, "0"), (order_id, "10")]
        assert len((await stage.trader.send("GET", "/data/trades")).json()["data"]) == 1, "REST knows"


async def test_a_half_open_socket_neither_answers_nor_ends(stage: Stage) -> None:
    second = list(stage.exchange.by_token)[2]
    async with stage.market_wire(stage.yes, second) as wire, stage.market_wire(stage.yes) as other:
        stage.arm('do = "half_open"\nmarket = 1')
        await stage.place()
        await wire.send("PING")
        await wire.send({"operation": "subscribe", "assets_ids": [stage.no]})
        assert await wire.dead_quiet()
        assert await other.kinds() == ["price_change"]
        wire.socket.transport.abort()


async def test_a_reset_ends_the_socket_without_a_word(stage: Stage) -> None:
    async with stage.market_wire() as wire, stage.user_wire() as user:
        stage.arm('do = "reset"\nchannel = "market"')
        gone = await ended(wire)
        assert gone.rcvd is None and isinstance(gone.__cause__, ConnectionResetError)
        assert await user.pending() == []


async def test_a_disconnect_has_a_code_and_refuses_to_come_back_for_a_while(stage: Stage) -> None:
    async with stage.user_wire() as user, stage.market_wire() as wire:
        stage.arm('do = "disconnect"\nchannel = "user"\ncode = 1012\nreason = "restart"\nfor = 4')
        gone = await ended(user)
        assert gone.rcvd is not None and (gone.rcvd.code, gone.rcvd.reason) == (1012, "restart")
        with pytest.raises(websockets.InvalidStatus) as caught:
            await websockets.connect(stage.venue.urls["ws_user_url"])
        assert caught.value.response.status_code == 503
        assert await wire.pending() == []
        stage.pass_time(4)
        async with stage.user_wire():
            pass


async def test_connections_and_subscriptions_set_off_faults(stage: Stage) -> None:
    stage.arm(
        'do = "reset"\non = "connect:market"\nnth = 2',
        'do = "disconnect"\non = "subscribe:user"\nchannel = "user"',
    )
    async with stage.market_wire() as first:
        async with websockets.connect(stage.venue.urls["ws_market_url"]) as second:
            assert (await ended(Wire(second))).rcvd is None
        assert (await ended(first)).rcvd is None, "a reset without scope meets every open socket"
    async with websockets.connect(stage.venue.urls["ws_user_url"]) as socket:
        wire = Wire(socket)
        await wire.send({"type": "user", "auth": stage.trader.keys.wire()})
        gone = await ended(wire)
        assert gone.rcvd is not None and gone.rcvd.code == 1001


async def test_a_predicate_over_open_orders_sets_off_a_fault(stage: Stage) -> None:
    async with stage.market_wire() as wire:
        stage.arm('do = "reset"\nwhen = { open_orders_at_least = 3 }')
        await stage.place(1)
        await stage.place(2)
        assert len(await wire.pending()) == 2
        await stage.place(3)
        assert (await ended(wire)).rcvd is None
