"""Faults of the venue itself on real sockets: restarts, modes, limits, settlement, markets, foreign hands."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.units import MICRO
from tests.loopback.faulty import Stage, Wire, stage_running


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with stage_running() as running:
        yield running


async def trades(stage: Stage) -> list[dict[str, Any]]:
    return list((await stage.trader.send("GET", "/data/trades")).json()["data"])


async def told(wire: Wire, kind: str, field: str) -> list[str]:
    """One field of the events of a kind sent so far."""
    return [event[field] for event in await wire.pending() if event["event_type"] == kind]


@pytest.mark.parametrize("keep", [True, False])
async def test_a_restart_answers_425_and_keeps_the_orders_or_loses_them(stage: Stage, keep: bool) -> None:
    order_id = await stage.place()
    stage.arm(f'do = "restart"\nseconds = 90.0\nkeep_orders = {str(keep).lower()}')
    assert (await stage.post(2)).status_code == 425
    assert (await stage.trader.send("DELETE", "/order", {"orderID": order_id})).status_code == 425
    stage.pass_time(90)
    answer = await stage.post(2)
    assert (answer.status_code, answer.json()["code"]) == (503, "post_only_mode")
    assert (await stage.post(2, postOnly=True)).status_code == 200
    assert (order_id in await stage.open_ids()) == keep
    stage.pass_time(120)
    assert (await stage.post(3)).status_code == 200


@pytest.mark.parametrize(("mode", "places", "cancels"), [("cancel_only", 503, 200), ("disabled", 503, 503)])
async def test_the_venue_takes_only_some_requests(stage: Stage, mode: str, places: int, cancels: int) -> None:
    order_id = await stage.place()
    stage.arm(f'do = "mode"\nmode = "{mode}"\nfor = 30')
    assert (await stage.post(2)).status_code == places
    assert (await stage.trader.send("DELETE", "/order", {"orderID": order_id})).status_code == cancels
    stage.pass_time(30)
    assert (await stage.post(3)).status_code == 200


async def test_a_bucket_is_empty_and_the_other_one_is_not(stage: Stage) -> None:
    order_id = await stage.place()
    stage.arm('do = "throttle"\nbucket = "order"')
    answer = await stage.post(2)
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) >= 1
    assert (await stage.trader.send("DELETE", "/order", {"orderID": order_id})).status_code == 200
    stage.pass_time(2)
    assert (await stage.post(3)).status_code == 200
    stage.arm('do = "throttle"\nbucket = "cancel"\nto = -80')
    answer = await stage.trader.send("DELETE", "/cancel-all")
    assert answer.status_code == 429 and int(answer.headers["poly-ratelimit-remaining"]) < 0


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        ('how = "fail"', ["MATCHED", "RETRYING", "FAILED"]),
        ('how = "retry"\nretries = 2', ["MATCHED", "RETRYING", "RETRYING", "MINED", "CONFIRMED"]),
        ('how = "hang"', ["MATCHED"]),
    ],
)
async def test_a_trade_does_not_settle_as_it_should(stage: Stage, fault: str, statuses: list[str]) -> None:
    stage.arm(f'do = "settle"\n{fault}')
    async with stage.user_wire() as user:
        await stage.fill()
        stage.pass_time(60)
        assert await told(user, "trade", "status") == statuses
        await stage.fill()
        stage.pass_time(60)
        assert await told(user, "trade", "status") == ["MATCHED", "MINED", "CONFIRMED"], "one trade only"
    last = statuses[-1].replace("MATCHED", "MATCHED_NOT_BROADCASTED")
    assert [trade["status"] for trade in await trades(stage)] == ["CONFIRMED", last]
    stage.exchange.ledger.check()


async def test_an_order_appears_that_nobody_here_made(stage: Stage) -> None:
    stage.arm('do = "foreign_order"\nmarket = 0')
    assert stage.happened("foreign_order") == ["nobody there yet"]
    mine = await stage.place()
    async with stage.user_wire() as user:
        stage.arm('do = "foreign_order"\nmarket = 0\noutcome = "no"\nprice = 0.02\nsize = 12.5')
        (event,) = await user.pending()
        seen = (event["type"], event["asset_id"], event["side"], event["price"], event["original_size"])
        assert seen == ("PLACEMENT", stage.no, "BUY", "0.02", "12.5")
        assert await stage.open_ids() == [mine, event["id"]]
        answer = (await stage.trader.send("DELETE", "/order", {"orderID": event["id"]})).json()
        assert answer["canceled"] == [event["id"]]


async def test_one_stranger_fills_two_orders_from_the_other_token(stage: Stage) -> None:
    """A trade of the NO token whose makers are two bids for YES (polymarket-api.md 6.3)."""
    bid, _ = stage.exchange.faces[stage.market].top("YES")
    ids = [await stage.place(int(bid or 0) + step, shares=10) for step in (2, 1)]
    async with stage.user_wire() as user:
        stage.arm('do = "stranger_trade"\nmarket = 0\noutcome = "no"\nside = "BUY"\nsize = 20.0')
        (trade,) = [event for event in await user.pending() if event["event_type"] == "trade"]
        assert (trade["asset_id"], trade["side"], trade["trader_side"]) == (stage.no, "BUY", "MAKER")
        assert [(maker["order_id"], maker["asset_id"]) for maker in trade["maker_orders"]] == [
            (order_id, stage.yes) for order_id in ids
        ]


async def test_a_settled_trade_is_told_as_matched_once_more(stage: Stage) -> None:
    stage.arm('do = "duplicate_fill"\non = "user:trade:CONFIRMED"')
    async with stage.user_wire() as user:
        await stage.fill()
        stage.pass_time(5)
        stage.pass_time(5)
        stage.pass_time(0)
        heard = [event for event in await user.pending() if event["event_type"] == "trade"]
        assert [event["status"] for event in heard] == ["MATCHED", "MINED", "CONFIRMED", "MATCHED"]
        assert len({event["id"] for event in heard}) == 1
    assert [trade["status"] for trade in await trades(stage)] == ["CONFIRMED"]


async def beat(stage: Stage, heartbeat_id: str) -> tuple[int, str]:
    answer = await stage.trader.send("POST", "/v1/heartbeats", {"heartbeat_id": heartbeat_id})
    return answer.status_code, str(answer.json()["heartbeat_id"])


async def test_another_process_beats_with_the_same_credentials(stage: Stage) -> None:
    _, held = await beat(stage, "")
    stage.arm('do = "heartbeat_fork"\nevery = 5.0\ntimes = 2')
    for _ in range(2):
        stage.pass_time(5)
        status, expected = await beat(stage, held)
        assert status == 400 and expected != held
        status, held = await beat(stage, expected)
        assert status == 200
    stage.pass_time(5)
    assert (await beat(stage, held))[0] == 200


async def test_a_marketable_order_is_delayed(stage: Stage) -> None:
    stage.arm('do = "taker_delay"\nmarket = 0\nms = 3000\nfor = 60')
    assert (await stage.post(99)).json()["status"] == "delayed"
    assert await trades(stage) == []
    stage.pass_time(3)
    assert [trade["trader_side"] for trade in await trades(stage)] == ["TAKER"]
    stage.pass_time(57)
    assert (await stage.post(99)).json()["status"] == "matched"


async def test_the_grid_changes_under_resting_orders(stage: Stage) -> None:
    async with stage.market_wire() as wire:
        await stage.place()
        stage.arm('do = "tick_change"\nmarket = 0\ntick = "0.001"')
        assert await told(wire, "tick_size_change", "new_tick_size") == ["0.001", "0.001"]
    assert (await stage.get("/tick-size", token_id=stage.yes)).json() == {"minimum_tick_size": 0.001}


async def test_an_account_may_only_reduce_for_a_while(stage: Stage) -> None:
    order_id = await stage.place()
    stage.arm('do = "closed_only"\nfor = 60')
    answer = await stage.post(2)
    assert answer.status_code == 400 and "closed only" in answer.json()["error"]
    assert (await stage.trader.send("GET", "/auth/ban-status/closed-only")).json() == {"closed_only": True}
    assert (await stage.trader.send("DELETE", "/order", {"orderID": order_id})).json()["canceled"] == [order_id]
    stage.pass_time(60)
    assert (await stage.post(3)).status_code == 200


async def test_a_market_pauses_and_comes_back(stage: Stage) -> None:
    mine = await stage.place()
    stage.arm('do = "pause_market"\nmarket = 0\nfor = 60')
    answer = await stage.post(2)
    assert (answer.status_code, answer.json()["error"]) == (400, "the market is not yet ready to process new orders")
    assert await stage.open_ids() == [mine]
    stage.pass_time(60)
    assert (await stage.post(2)).status_code == 200


async def test_a_market_closes_and_its_orders_are_gone(stage: Stage) -> None:
    await stage.place()
    async with stage.user_wire() as user:
        stage.arm('do = "close_market"\nmarket = 0')
        assert await told(user, "order", "status") == ["CANCELED_MARKET_RESOLVED"]
    assert await stage.open_ids() == []
    assert (await stage.get("/book", token_id=stage.yes)).status_code == 404


@pytest.mark.parametrize("silent", [True, False])
async def test_a_market_resolves_with_or_without_a_word(stage: Stage, silent: bool) -> None:
    async with stage.market_wire(custom=True) as wire:
        stage.arm(f'do = "resolve"\nmarket = 0\nresult = "NO"\nsilent = {str(silent).lower()}')
        assert await told(wire, "market_resolved", "winning_asset_id") == ([] if silent else [stage.no])
    assert stage.exchange.results == {stage.market: "NO"}


async def test_a_script_from_the_start_counts_from_the_start(stage: Stage) -> None:
    """Faults given before anything runs: by time, by count and by predicate together, as a soak test would."""
    stage.arm(
        'do = "settle"\nhow = "fail"\non = "trade"\nnth = 2',
        'do = "restart"\nwhen = { trades_at_least = 3 }\nseconds = 10.0',
    )
    for _ in range(3):
        await stage.fill()
        stage.pass_time(0)
    assert (await stage.post()).status_code == 425
    stage.pass_time(60)
    assert [trade["status"] for trade in await trades(stage)] == ["FAILED", "CONFIRMED", "CONFIRMED"]
    assert [line.do for line in stage.director.log] == ["settle", "restart"]
    stage.exchange.ledger.check()
    assert stage.exchange.ledger.account(stage.trader.eoa).cash < 50_000 * MICRO
