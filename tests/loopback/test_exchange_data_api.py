"""What accounts hold and did, told by both generations of the Data API (polymarket-api.md 8)."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from core.units import MICRO, Shares, Usd
from tests.builders import recorded
from tests.loopback.venue import EOA, Trader, Venue, trader_of, venue_running

USER = EOA.lower()


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    async with venue_running(markets=3) as running:
        yield running


@pytest.fixture
def trader(venue: Venue) -> Trader:
    return trader_of(venue)


async def get(venue: Venue, path: str, **params: Any) -> httpx.Response:
    return await venue.http.get(str(venue.urls["data_url"]) + path, params={"user": EOA} | params)


async def rows(venue: Venue, path: str, **params: Any) -> list[dict[str, Any]]:
    answer = await get(venue, path, **params)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    if path.startswith("/v2"):
        pagination = body["pagination"]
        assert pagination["has_more"] is (pagination["next_cursor"] is not None)
        return list(body["data"])
    return list(body)


async def buy(venue: Venue, trader: Trader, shares: int, cents: int, token: str = "") -> None:
    """Take ``shares`` of YES at any price up to ``cents``, and let it settle."""
    order = trader.order(token or venue.yes, cents * shares * 10_000, shares * MICRO)
    answer = (await trader.send("POST", "/order", trader.body(order))).json()
    assert answer["status"] == "matched", answer
    venue.pass_time(10)


async def sell(venue: Venue, trader: Trader, shares: int) -> None:
    order = trader.order(venue.yes, shares * MICRO, shares * 10_000, "SELL")
    answer = (await trader.send("POST", "/order", trader.body(order, orderType="FAK"))).json()
    assert answer["status"] == "matched", answer
    venue.pass_time(10)


async def test_a_position_tells_cost_value_and_profit(venue: Venue, trader: Trader) -> None:
    await buy(venue, trader, 20, 60)
    cash = sum(trade.cash for trade in venue.exchange.trades.values())
    average = cash / 20 / MICRO
    await sell(venue, trader, 5)
    received = list(venue.exchange.trades.values())[-1].cash / MICRO
    (new,) = await rows(venue, "/v2/positions")
    assert (new["current_size"], new["total_size"], new["status"]) == (15, 20, "OPEN")
    assert new["avg_price"] == pytest.approx(average) and new["entry_cost_usdc"] == pytest.approx(15 * average)
    assert new["realized_pnl"] == pytest.approx(received - 5 * average, abs=1e-5)
    bid, ask = venue.exchange.faces[venue.market].top_texts("YES")
    price = (float(bid) + float(ask)) / 2
    assert new["current_price"] == pytest.approx(price) and new["current_value"] == pytest.approx(15 * price)
    assert new["unrealized_pnl"] == pytest.approx(15 * (price - average), abs=1e-5)
    assert new["total_pnl"] == pytest.approx(new["realized_pnl"] + new["unrealized_pnl"], abs=1e-5)
    assert new["entry_fees_usdc"] == pytest.approx(next(iter(venue.exchange.trades.values())).fee / MICRO)
    assert (new["redeemable"], new["mergeable"], new["negative_risk"]) == (False, False, False)
    (old,) = await rows(venue, "/positions")
    assert (old["size"], old["asset"], old["oppositeAsset"]) == (15, venue.yes, venue.no)
    assert old["avgPrice"] == pytest.approx(average, abs=1e-4) and old["curPrice"] == pytest.approx(price, abs=1e-4)
    assert old["cashPnl"] == pytest.approx(new["unrealized_pnl"], abs=1e-4)
    assert (await rows(venue, "/value")) == [{"user": USER, "value": pytest.approx(15 * price)}]
    value = (await get(venue, "/v2/value")).json()
    assert value == {"data": {"proxy_wallet": USER, "value": pytest.approx(15 * price)}}


async def test_rows_have_the_recorded_fields_and_kinds(venue: Venue, trader: Trader) -> None:
    await buy(venue, trader, 20, 60)
    for path, name in (("/positions", "data-api-positions-50.json"), ("/trades", "data-api-trades-500.json")):
        (ours,) = await rows(venue, path)
        for file in recorded(name):
            real = json.loads(file.read_bytes())
            fields = {key for row in real for key in row}
            assert set(ours) == fields
            for key in fields:
                kinds = {type(row[key]) for row in real if key in row}
                assert type(ours[key]) in kinds or ({int, float} & kinds and type(ours[key]) in (int, float)), key
    for file in recorded("data-api-value-1.json"):
        assert set(json.loads(file.read_bytes())[0]) == set((await rows(venue, "/value"))[0])


async def test_nothing_is_told_before_it_settled(venue: Venue, trader: Trader) -> None:
    order = trader.order(venue.yes, 12 * MICRO, 20 * MICRO)
    await trader.send("POST", "/order", trader.body(order, orderType="FAK"))
    for path in ("/positions", "/v2/positions", "/trades", "/v2/trades", "/activity", "/v2/activity"):
        assert await rows(venue, path) == []
    venue.pass_time(10)
    for path in ("/positions", "/v2/positions", "/trades", "/v2/trades", "/activity", "/v2/activity"):
        assert len(await rows(venue, path)) == 1


async def test_a_trade_that_fails_never_appears(venue: Venue, trader: Trader) -> None:
    venue.exchange.settlement.spoil("fail")
    await buy(venue, trader, 20, 60)
    venue.pass_time(30)
    assert [trade.status for trade in venue.exchange.trades.values()] == ["FAILED"]
    assert await rows(venue, "/v2/positions") == [] and await rows(venue, "/v2/activity") == []


async def test_makers_see_their_fills_only_when_they_ask_for_more_than_takers(venue: Venue, trader: Trader) -> None:
    face = venue.exchange.faces[venue.market]
    bid, ask = face.top("YES")
    assert bid is not None and ask is not None and ask - bid > 1
    await trader.send("POST", "/order", trader.bid(venue.yes, cents=bid + 1, shares=10))
    await venue.take("YES", "SELL", 4)
    venue.pass_time(10)
    assert await rows(venue, "/trades") == [] and await rows(venue, "/v2/trades") == []
    (old,) = await rows(venue, "/trades", takerOnly="false")
    (new,) = await rows(venue, "/v2/trades", taker_only="false")
    assert (old["side"], old["size"], old["price"], old["asset"]) == ("BUY", 4, (bid + 1) / 100, venue.yes)
    assert (new["side"], new["size"], new["price"], new["token_id"]) == ("BUY", 4, (bid + 1) / 100, venue.yes)
    assert (await rows(venue, "/v2/activity"))[0]["usdc_size"] == pytest.approx(4 * (bid + 1) / 100)
    everybody = (await venue.http.get(f"{venue.urls['data_url']}/trades")).json()
    assert [row["side"] for row in everybody] == ["SELL"] and everybody[0]["transactionHash"] == old["transactionHash"]


async def test_splits_merges_and_redemptions_are_activities(venue: Venue, trader: Trader) -> None:
    exchange, market = venue.exchange, venue.market
    exchange.split(EOA, market, Shares(30 * MICRO))
    pairs = await rows(venue, "/v2/positions", status="MERGEABLE")
    assert {row["token_id"] for row in pairs} == {venue.yes, venue.no}
    assert [(row["mergeable"], row["avg_price"]) for row in pairs] == [(True, 0.5)] * 2
    assert len(await rows(venue, "/positions", mergeable="true")) == 2
    exchange.merge(EOA, market, Shares(10 * MICRO))
    exchange.resolve(market, "NO")
    held = await rows(venue, "/v2/positions", status="REDEEMABLE")
    assert {row["token_id"]: (row["current_price"], row["current_value"]) for row in held} == {
        venue.yes: (0, 0),
        venue.no: (1, 20),
    }
    assert (
        await rows(venue, "/v2/positions", status="OPEN")
        == await rows(venue, "/v2/positions", status="MERGEABLE")
        == []
    )
    assert [row["token_id"] for row in await rows(venue, "/v2/positions", status="REDEEMABLE_LOST")] == [venue.yes]
    assert len(await rows(venue, "/positions", redeemable="true")) == 2
    exchange.redeem(EOA, market)
    assert await rows(venue, "/v2/positions") == []
    closed = await rows(venue, "/v2/positions", status="CLOSED")
    assert {row["token_id"]: row["realized_pnl"] for row in closed} == {venue.yes: -10, venue.no: 10}
    told = await rows(venue, "/v2/activity")
    assert [(row["type"], row["size"], row["usdc_size"]) for row in told] == [
        ("REDEEM", 40, 20), ("MERGE", 10, 10), ("SPLIT", 30, 30),
    ]  # fmt: skip
    assert {row["outcome_index"] for row in told} == {999} and len({row["transaction_hash"] for row in told}) == 3
    assert [row["type"] for row in await rows(venue, "/activity", type="SPLIT,MERGE", sortDirection="ASC")] == [
        "SPLIT", "MERGE",
    ]  # fmt: skip


async def test_rewards_and_rebates_are_activities(venue: Venue, trader: Trader) -> None:
    venue.exchange.history.moved(EOA, "REWARD", venue.market, Shares(0), Usd(2_500_000), venue.exchange.now_ms)
    venue.exchange.history.moved(EOA, "MAKER_REBATE", venue.market, Shares(0), Usd(1_500_000), venue.exchange.now_ms)
    assert [(r["type"], r["usdc_size"]) for r in await rows(venue, "/v2/activity", type="REWARD,MAKER_REBATE")] == [
        ("MAKER_REBATE", 1.5), ("REWARD", 2.5),
    ]  # fmt: skip
    assert await rows(venue, "/v2/positions") == []


async def test_deposits_are_told_only_to_those_who_ask(venue: Venue, trader: Trader) -> None:
    """Both generations leave them out unless told not to, even when their type is named."""
    body = {"address": EOA, "cash": 12.5}
    await venue.http.post(f"{venue.urls['clob_url']}/_exchange/fund", json=body)
    for path, name in (("/activity", "excludeDepositsWithdrawals"), ("/v2/activity", "exclude_deposits_withdrawals")):
        assert await rows(venue, path) == [] == await rows(venue, path, type="DEPOSIT")
        (told,) = await rows(venue, path, **{name: "false"})
        amount = told["usdcSize" if path == "/activity" else "usdc_size"]
        assert (told["type"], amount, told["title"]) == ("DEPOSIT", 12.5, "")
        assert await rows(venue, path, **{name: "false"}, type="REWARD") == []
    market = next(iter(venue.exchange.listings.values()))
    assert await rows(venue, "/v2/activity", exclude_deposits_withdrawals="false", event_id=market.event_id) == []


async def test_cursors_walk_through_everything_once_while_more_happens(venue: Venue, trader: Trader) -> None:
    for _ in range(7):
        venue.exchange.split(EOA, venue.market, Shares(MICRO))
    for direction in ("DESC", "ASC"):
        seen: list[str] = []
        params: dict[str, Any] = {"limit": 3, "sort_direction": direction}
        while True:
            body = (await get(venue, "/v2/activity", **params)).json()
            seen += [row["transaction_hash"] for row in body["data"]]
            if not body["pagination"]["has_more"]:
                break
            params["cursor"] = body["pagination"]["next_cursor"]
            if direction == "DESC":
                venue.exchange.merge(EOA, venue.market, Shares(1))
        assert len(seen) == len(set(seen)) == (7 if direction == "DESC" else 9)
    venue.exchange.split(EOA, list(venue.exchange.listings)[1], Shares(MICRO))
    first = (await get(venue, "/v2/positions", limit=3)).json()
    second = (await get(venue, "/v2/positions", limit=3, cursor=first["pagination"]["next_cursor"])).json()
    assert len({row["token_id"] for row in first["data"] + second["data"]}) == 4
    assert second["pagination"] == {"has_more": False, "next_cursor": None}


async def test_filters_choose_by_market_event_side_time_and_size(venue: Venue, trader: Trader) -> None:
    other, listing = list(venue.exchange.listings.items())[1]
    await buy(venue, trader, 20, 60)
    await sell(venue, trader, 5)
    await buy(venue, trader, 30, 60, listing.instrument.yes_token)
    hashes = [row["transaction_hash"] for row in await rows(venue, "/v2/trades")]
    assert len(hashes) == 3

    async def found(**params: Any) -> list[int]:
        return [hashes.index(row["transaction_hash"]) for row in await rows(venue, "/v2/trades", **params)]

    assert await found(condition_id=other) == [0] and await found(condition_id=f"{other},{venue.market}") == [0, 1, 2]
    assert await found(event_id=listing.event_id) == [0]
    assert await found(side="SELL") == [1]
    assert await found(filter_type="TOKENS", filter_amount=20) == [0, 2]
    seconds = [row["timestamp"] for row in await rows(venue, "/v2/trades")]
    assert await found(start=seconds[1]) == [0, 1] and await found(end=seconds[1]) == [1, 2]
    old = await rows(venue, "/trades", market=other, side="BUY")
    assert [row["transactionHash"] for row in old] == hashes[:1]
    assert [row["token_id"] for row in await rows(venue, "/v2/positions", condition_id=venue.market)] == [venue.yes]
    by_size = [
        row["current_size"] for row in await rows(venue, "/v2/positions", sort_by="TOKENS", sort_direction="ASC")
    ]
    assert by_size == [15, 30]
    holders = (await venue.http.get(f"{venue.urls['data_url']}/v2/positions", params={"condition_id": other})).json()
    assert USER in {row["proxy_wallet"] for row in holders["data"]} and len(holders["data"]) > 1


async def test_the_old_lists_hide_dust_and_end_at_a_depth(venue: Venue, trader: Trader) -> None:
    venue.exchange.split(EOA, venue.market, Shares(MICRO // 2))
    assert await rows(venue, "/positions") == []
    assert [row["size"] for row in await rows(venue, "/positions", sizeThreshold=0)] == [0.5, 0.5]
    for _ in range(3):
        venue.exchange.split(EOA, venue.market, Shares(MICRO))
    assert len(await rows(venue, "/activity", limit=9_999)) == 4
    assert len(await rows(venue, "/activity", offset=1, limit=2)) == 2
    assert await rows(venue, "/activity", offset=1_000) == []
    for path in ("/activity", "/trades", "/positions"):
        deep = await get(venue, path, offset=1_001)
        assert deep.status_code == 400 and "offset" in deep.json()["error"]


ADDRESSES = ("", "0x1", "x", "0x" + "g" * 40, "0x" + "a" * 41, "null")


@pytest.mark.parametrize("path", ["/positions", "/activity", "/value", "/v2/activity", "/v2/value", "/v2/positions"])
@pytest.mark.parametrize("user", ADDRESSES)
async def test_an_address_is_demanded_and_checked(venue: Venue, path: str, user: str) -> None:
    answer = await get(venue, path, user=user)
    assert answer.status_code == 400 and set(answer.json()) == {"error"}


async def test_unknown_accounts_have_nothing(venue: Venue) -> None:
    stranger = "0x" + "77" * 20
    for path in ("/positions", "/v2/positions", "/trades", "/v2/trades", "/activity", "/v2/activity"):
        assert await rows(venue, path, user=stranger) == []
    assert (await rows(venue, "/value", user=stranger))[0]["value"] == 0
    assert stranger not in venue.exchange.ledger.accounts


async def test_malformed_parameters_are_refused_and_change_nothing(venue: Venue, trader: Trader) -> None:
    await buy(venue, trader, 20, 60)
    before = venue.fingerprint()
    news = (
        "limit",
        "cursor",
        "start",
        "end",
        "condition_id",
        "side",
        "status",
        "sort_by",
        "sort_direction",
        "taker_only",
    )
    for path in ("/v2/positions", "/v2/trades", "/v2/activity"):
        assert (await get(venue, path, offset=0)).status_code == 400
        assert (await get(venue, path, limit=1_001)).status_code == 400
        assert (await get(venue, path, limit=1_000)).status_code == 200
        assert (await get(venue, path, condition_id=",".join(f"0x{n:064x}" for n in range(21)))).status_code == 400
        for name in news:
            for value in ("x", "NaN", "-1", "1.5", "9" * 400, "٣", "\x00"):
                answer = await get(venue, path, **{name: value})
                assert answer.status_code in (200, 400), (path, name, value)
    for path in ("/v2/positions", "/v2/trades", "/v2/activity"):
        for name in ("limit", "cursor", "condition_id"):
            for value in ("x", "NaN", "-1", "9" * 400):
                assert (await get(venue, path, **{name: value})).status_code == 400, (path, name, value)
    for name in ("limit", "offset", "market"):
        for value in ("x", "NaN", "-1", "9" * 400):
            assert (await get(venue, "/trades", **{name: value})).status_code == 400, (name, value)
    nobody = await venue.http.get(f"{venue.urls['data_url']}/v2/positions", params={"status": "MERGEABLE"})
    assert nobody.status_code == 400
    assert venue.fingerprint() == before


async def test_price_points_tell_their_step(venue: Venue) -> None:
    venue.pass_time(600)
    await venue.take("YES", "BUY", 7)
    price = float(venue.exchange.faces[venue.market].last_trade_price)
    points = await rows(venue, "/v2/prices-history", token_id=venue.no, interval="1h", bucket_seconds=60)
    assert {point["resolution_seconds"] for point in points} == {60} and points[-1]["price"] == pytest.approx(1 - price)
    now = venue.exchange.now_ms // 1000
    (exact,) = await rows(venue, "/v2/prices-history", token_id=venue.yes, as_of=now)
    assert exact == {"timestamp": now, "price": price, "resolution_seconds": 0}
    first = (await get(venue, "/v2/prices-history", token_id=venue.yes, interval="1h", limit=4)).json()
    assert len(first["data"]) == 4 and first["pagination"]["has_more"]
    for params in (
        {},
        {"interval": "2d"},
        {"interval": "1h", "start": now},
        {"interval": "1h", "bucket_seconds": 59},
        {"start": now, "end": now - 1},
        {"start": now - 16 * 86_400},
    ):
        answer = await get(venue, "/v2/prices-history", token_id=venue.yes, **params)
        assert answer.status_code == 400, params
