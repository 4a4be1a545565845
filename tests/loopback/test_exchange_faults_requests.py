"""Faults of single requests and of what reads show, on real sockets."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import websockets

from core.exchange.faults.reads import TITLES
from core.units import MICRO, Shares
from tests.core.runtime.fakes import until
from tests.loopback.faulty import QUIET_S, Stage, Wire, stage_running


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with stage_running() as running:
        yield running


async def test_something_in_front_of_the_venue_answers_with_html(stage: Stage) -> None:
    stage.arm('do = "http"\nrequest = "POST /order"\nstatus = 403\nbody = "html"')
    answer = await stage.post()
    assert answer.status_code == 403 and "text/html" in answer.headers["content-type"]
    assert "<h1>403 Forbidden</h1>" in answer.text and "Ray ID" in answer.text
    assert await stage.open_ids() == [], "the venue never saw it"
    assert (await stage.post()).status_code == 200, "once only"


async def test_a_good_status_may_hold_nonsense(stage: Stage) -> None:
    stage.arm('do = "http"\nrequest = "GET /book*"\nstatus = 200\nbody = "html"\nfor = 10')
    answer = await stage.get("/book", token_id=stage.yes)
    assert answer.status_code == 200 and answer.text.startswith("<!DOCTYPE html>")
    assert (await stage.get("/ok")).json() == "OK", "other paths are served"
    stage.pass_time(10)
    assert (await stage.get("/book", token_id=stage.yes)).json()["asset_id"] == stage.yes


async def test_a_status_with_headers_on_the_nth_matching_request(stage: Stage) -> None:
    stage.arm(
        'do = "http"\non = "request:* /order*"\nnth = 2\nstatus = 429\n'
        'text = "slow down"\nheaders = { Retry-After = "3" }'
    )
    assert (await stage.post()).status_code == 200
    answer = await stage.post(2)
    assert (answer.status_code, answer.text, answer.headers["retry-after"]) == (429, "slow down", "3")
    assert (await stage.post(3)).status_code == 200


async def test_some_requests_fail_by_chance_and_the_seed_says_which(stage: Stage) -> None:
    stage.arm('do = "http"\non = "request:GET /ok"\nchance = 0.3\nstatus = 502')
    answers = [(await stage.get("/ok")).status_code for _ in range(40)]
    drawn = [random.Random(f"fault/1/1/{number}").random() for number in range(1, 41)]
    assert answers == [502 if value < 0.3 else 200 for value in drawn]
    assert 4 <= answers.count(502) <= 20


async def test_a_redirect_points_elsewhere(stage: Stage) -> None:
    stage.arm('do = "redirect"\nrequest = "POST /order"\nto = "http://127.0.0.1:9/steal"')
    answer = await stage.post()
    assert (answer.status_code, answer.headers["location"]) == (307, "http://127.0.0.1:9/steal")
    assert await stage.open_ids() == []


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("then", ["hang", "cut"])
async def test_an_answer_is_lost_before_or_after_the_order_was_taken(stage: Stage, moment: str, then: str) -> None:
    stage.arm(f'do = "blackhole"\non = "request:POST /order"\nmoment = "{moment}"\nthen = "{then}"')
    if then == "cut":
        with pytest.raises(httpx.NetworkError):
            await stage.post()
    else:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(QUIET_S):
                await stage.post()
    assert len(await stage.open_ids()) == (moment == "after")
    assert stage.happened("blackhole") == ["begins", "POST /order"]


async def test_a_lost_cancel_answer_leaves_the_order_cancelled(stage: Stage) -> None:
    order_id = await stage.place()
    stage.arm('do = "blackhole"\nrequest = "DELETE *"\nthen = "cut"')
    with pytest.raises(httpx.NetworkError):
        await stage.trader.send("DELETE", "/order", {"orderID": order_id})
    assert await stage.open_ids() == []


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_slow_answer_takes_effect_before_or_after_the_wait(stage: Stage, moment: str) -> None:
    stage.arm(f'do = "slow"\nrequest = "POST /order"\nms = 700\nmoment = "{moment}"')
    async with stage.user_wire() as user:
        asked = asyncio.create_task(stage.post())
        await until(lambda: len(stage.happened("slow")) > 1)
        stage.pass_time(0.699)
        assert not asked.done()
        assert bool(await user.pending()) == (moment == "after")
        stage.pass_time(0.001)
        assert (await asked).status_code == 200
        assert bool(await user.pending()) == (moment == "before")


async def test_a_page_of_orders_is_missing(stage: Stage) -> None:
    ids = []
    for number in range(101):
        ids.append(await stage.place(1 + number % 9))
        stage.pass_time(1)

    async def read() -> tuple[int, int]:
        first = (await stage.trader.send("GET", "/data/orders")).json()
        if first["next_cursor"] == "LTE=":
            return len(first["data"]), -1
        query = f"?next_cursor={first['next_cursor']}"
        second = await stage.trader.send("GET", "/data/orders", query=query)
        return len(first["data"]), len(second.json()["data"]) if second.status_code == 200 else -second.status_code

    assert await read() == (100, 1) and len(ids) == 101
    for fault, seen in (
        ("page = 1", (0, 1)),
        ("page = 1\nkeep = 30", (30, 1)),
        ("page = 2", (100, 0)),
        ('page = 1\nkeep = 100\nlost = "rest"', (100, -1)),
        ('page = 2\nlost = "answer"', (100, -500)),
    ):
        stage.arm(f'do = "omit_page"\n{fault}')
        assert await read() == seen, fault
        assert await read() == (100, 1), "once only"


async def test_trades_can_be_left_out_too(stage: Stage) -> None:
    await stage.fill()
    stage.arm('do = "omit_page"\nlist = "trades"')
    assert (await stage.trader.send("GET", "/data/trades")).json()["data"] == []
    assert len((await stage.trader.send("GET", "/data/trades")).json()["data"]) == 1


async def batch(stage: Stage, *cents: int) -> list[dict[str, Any]]:
    answer = await stage.trader.send("POST", "/orders", [stage.trader.bid(stage.yes, each) for each in cents])
    assert answer.status_code == 200
    return list(answer.json())


async def test_a_batch_answers_fewer_legs_than_were_sent(stage: Stage) -> None:
    stage.arm('do = "batch_short"\nleg = 1')
    legs = await batch(stage, 1, 2, 3)
    ids = await stage.open_ids()
    assert len(ids) == 3 and [leg["orderID"] for leg in legs] == [ids[0], ids[2]]


async def test_a_batch_answers_its_legs_in_another_order(stage: Stage) -> None:
    stage.arm('do = "batch_shuffle"')
    legs = await batch(stage, 1, 2, 3)
    ids = await stage.open_ids()
    assert [leg["orderID"] for leg in legs] == [ids[1], ids[2], ids[0]]


@pytest.mark.parametrize("outcome", ["filled", "canceled"])
async def test_a_cancel_comes_too_late(stage: Stage, outcome: str) -> None:
    """Behind another order at its level, so that the stranger has to eat through the queue."""
    bid, _ = stage.exchange.faces[stage.market].top("YES")
    order_id = await stage.place(int(bid or 0), shares=7)
    stage.arm(f'do = "cancel_race"\noutcome = "{outcome}"')
    answer = (await stage.trader.send("DELETE", "/order", {"orderID": order_id})).json()
    assert answer == {"canceled": [], "not_canceled": {order_id: "order can't be found - already canceled or matched"}}
    order = (await stage.trader.send("GET", f"/data/order/{order_id}")).json()
    seen = {"filled": ("MATCHED", "7"), "canceled": ("CANCELED", "0")}
    assert (order["status"], order["size_matched"]) == seen[outcome]
    stage.exchange.ledger.check()


async def test_rest_books_stand_still_while_the_channel_goes_on(stage: Stage) -> None:
    async def read() -> list[Any]:
        books = (await stage.get("/book", token_id=stage.yes)).json()
        body = [{"token_id": stage.yes}]
        many = (await stage.venue.http.post(stage.venue.urls["clob_url"] + "/books", json=body)).json()
        price = (await stage.get("/price", token_id=stage.yes, side="BUY")).json()["price"]
        middle = (await stage.get("/midpoint", token_id=stage.yes)).json()["mid"]
        return [books["hash"], many[0]["hash"], price, middle]

    async def last_trades() -> list[Any]:
        one = (await stage.get("/last-trade-price", token_id=stage.yes)).json()
        body = [{"token_id": stage.yes}]
        many = (await stage.venue.http.post(stage.venue.urls["clob_url"] + "/last-trades-prices", json=body)).json()
        return [one, *many]

    before, traded = await read(), await last_trades()
    async with stage.market_wire() as wire:
        stage.arm('do = "stale_rest"\nmarket = 0\nfor = 120')
        await stage.place(int(stage.exchange.faces[stage.market].top("YES")[0] or 0) + 1)
        assert "price_change" in await wire.kinds()
        stage.exchange.force_trade(stage.market, "YES", "SELL", Shares(MICRO), stage.exchange.now_ms)
        assert (await read(), await last_trades()) == (before, traded)
        stage.pass_time(120)
        assert all(old != new for old, new in zip(before, await read(), strict=True))


async def test_a_ghost_book_against_a_true_price(stage: Stage) -> None:
    true = (await stage.get("/book", token_id=stage.yes)).json()
    stage.arm('do = "ghost_book"\nfor = 60')
    book = (await stage.get("/book", token_id=stage.yes)).json()
    assert [level["price"] for level in book["bids"] + book["asks"]] == ["0.01", "0.99"]
    price = (await stage.get("/price", token_id=stage.yes, side="BUY")).json()["price"]
    assert price == true["bids"][-1]["price"]
    stage.pass_time(60)
    assert (await stage.get("/book", token_id=stage.yes)).json() == true


async def test_positions_are_behind_or_gone(stage: Stage) -> None:
    async def sizes() -> list[float]:
        rows = (await stage.get("/data-api/positions", user=stage.trader.eoa)).json()
        return [row["size"] for row in rows]

    await stage.fill(10)
    stage.pass_time(10)
    assert await sizes() == [10]
    stage.arm('do = "stale_positions"\nfor = 120')
    await stage.fill(20)
    stage.pass_time(10)
    assert await sizes() == [10]
    stage.pass_time(110)
    assert await sizes() == [30]
    stage.arm('do = "stale_positions"\nshows = "empty"\nfor = 5')
    assert await sizes() == []
    assert (await stage.get("/data-api/v2/positions", user=stage.trader.eoa)).status_code == 200
    stage.pass_time(5)
    assert await sizes() == [30]


async def cash(stage: Stage, path: str = "/balance-allowance") -> int:
    answer = await stage.trader.send("GET", path, query="?asset_type=COLLATERAL&signature_type=0")
    return int(answer.json()["balance"])


async def test_the_balance_cache_is_behind_until_it_is_refreshed(stage: Stage) -> None:
    await stage.place()
    stage.arm('do = "stale_balance"\nshows = "zero"\nheals = "update"')
    assert await cash(stage) == 0
    answer = await stage.post(2)
    assert answer.status_code == 400
    assert "not enough balance / allowance: the balance is not enough -> balance: 0" in answer.json()["error"]
    assert await cash(stage, "/balance-allowance/update") == 50_000 * MICRO
    assert (await stage.post(3)).status_code == 200
    stage.exchange.ledger.check()


async def test_a_wallet_nobody_has_seen_has_nothing_either(stage: Stage) -> None:
    """It finds its money by being asked for, and the answer still shows none."""
    stage.arm('do = "stale_balance"\nshows = "zero"\nfor = 30')
    for seen in ("0", str(50_000 * MICRO)):
        for kind in range(4):
            query = f"?asset_type=COLLATERAL&signature_type={kind}"
            assert (await stage.trader.send("GET", "/balance-allowance", query=query)).json()["balance"] == seen
        stage.pass_time(30)


async def test_a_balance_stays_what_it_was(stage: Stage) -> None:
    stage.arm('do = "stale_balance"\nfor = 30')
    stage.exchange.ledger.deposit(stage.trader.eoa, 7 * MICRO)  # type: ignore[arg-type]
    assert await cash(stage) == 50_000 * MICRO
    stage.pass_time(30)
    assert await cash(stage) == 50_007 * MICRO


@pytest.mark.parametrize("kind", sorted(TITLES))
async def test_titles_are_hostile(stage: Stage, kind: str) -> None:
    stage.arm(f'do = "title"\nmarket = 0\nkind = "{kind}"')
    markets = (await stage.get("/gamma/markets")).json()
    (mine,) = [market for market in markets if market["conditionId"] == stage.market]
    assert mine["question"] == TITLES[kind] and mine["events"][0]["title"] == TITLES[kind]
    assert sum(market["question"] == TITLES[kind] for market in markets) == 1
    await stage.fill()
    stage.pass_time(10)
    rows = (await stage.get("/data-api/positions", user=stage.trader.eoa)).json()
    assert [row["title"] for row in rows] == [TITLES[kind]]


async def test_the_venues_clock_is_off(stage: Stage) -> None:
    true = (await stage.get("/time")).json()
    stage.arm('do = "clock_offset"\nseconds = -400.0\nfor = 60')
    assert (await stage.get("/time")).json() == true - 400
    answer = await stage.trader.send("GET", "/data/orders")
    assert (answer.status_code, answer.json()["error"]) == (401, "Unauthorized/Invalid api key")
    stage.pass_time(60)
    assert (await stage.get("/time")).json() == true + 60
    assert await stage.open_ids() == []


async def test_credentials_expire_for_orders_while_reads_work(stage: Stage) -> None:
    stage.arm('do = "expire_credentials"\npaths = "orders"\nfor = 60')
    answer = await stage.post()
    assert (answer.status_code, answer.json()["error"]) == (401, "Unauthorized/Invalid api key")
    assert await stage.open_ids() == []
    stage.pass_time(60)
    assert (await stage.post()).status_code == 200


async def test_expired_credentials_work_again_once_they_are_fetched(stage: Stage) -> None:
    stage.arm('do = "expire_credentials"')
    assert (await stage.trader.send("GET", "/data/orders")).status_code == 401
    async with websockets.connect(stage.venue.urls["ws_user_url"]) as socket:
        wire = Wire(socket)
        await wire.send({"type": "user", "auth": stage.trader.keys.wire()})
        with pytest.raises(websockets.ConnectionClosed):
            await wire.text()
    client = await stage.venue.client()
    await client.close()
    assert client.credentials.key == stage.trader.keys.api_key
    assert await stage.open_ids() == []
    async with stage.user_wire():
        pass


async def test_faults_are_added_and_read_at_run_time_and_touch_no_path_of_their_own(stage: Stage) -> None:
    url = stage.venue.urls["clob_url"] + "/_exchange/faults"
    http = stage.venue.http
    bad = await http.post(url, content='[[fault]]\ndo = "http"\nstatuss = 1')
    assert bad.status_code == 400
    assert bad.json()["error"] == "body:3: statuss: http has no such key; did you mean status?"
    assert not stage.director.armed
    text = '[[fault]]\ndo = "http"\nrequest = "* /*"\nstatus = 500\nfor = 9\n[[fault]]\ndo = "reset"\nat = 3'
    assert (await http.post(url, content=text)).json() == {"rules": [1, 2]}
    stage.pass_time(0)
    assert (await stage.get("/ok")).status_code == 500
    stage.pass_time(3)
    told = (await http.get(url)).json()
    assert [(rule["do"], rule["where"], rule["fired"], rule["spent"]) for rule in told["rules"]] == [
        ("http", "body:1", 1, True),
        ("reset", "body:6", 1, True),
    ]
    assert [rule["rule"] for rule in told["active"]] == [1]
    assert [(line["rule"], line["do"], line["what"]) for line in told["log"]] == [
        (1, "http", "begins"),
        (1, "http", "GET /ok"),
        (2, "reset", "0 sockets"),
    ]
    assert told["log"][2]["at_ms"] - told["log"][0]["at_ms"] == 3000


async def test_the_same_script_and_the_same_client_meet_the_same_faults() -> None:
    logs = []
    for _ in range(2):
        async with stage_running() as stage:
            begun = stage.exchange.now_ms
            stage.arm(
                'do = "drop"\non = "frame:price_change"\nchance = 0.4',
                'do = "http"\non = "request:POST /order"\nchance = 0.3\nstatus = 500',
                'do = "heartbeat_fork"\nevery = 2.5',
            )
            async with stage.market_wire() as wire:
                for number in range(20):
                    await stage.post(1 + number % 9)
                    stage.pass_time(0.5)
                heard = [event["price_changes"][0]["price"] for event in await wire.pending()]
            logs.append((heard, [(line.at_ms - begun, line.rule, line.what) for line in stage.director.log]))
    assert logs[0] == logs[1] and len(logs[0][1]) > 10
