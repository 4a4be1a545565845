"""The bare REST calls, private and public, as a raw client sees them."""

import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from coincurve import PrivateKey

from core.clock import ManualClock
from core.exchange import signing
from core.exchange.api.server import RunningExchange, build_host
from core.exchange.auth import Credentials, l2_signature
from core.units import MICRO, Usd

KEY = PrivateKey(b"\x11" * 32)
EOA = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"


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


class Trader:
    """Signs by hand, with nothing but this repository's digests."""

    def __init__(self, http: httpx.AsyncClient, keys: Credentials) -> None:
        self.http = http
        self.keys = keys
        self.salt = 0

    def order(self, token: str, gives: int, gets: int, side: str = "BUY", **other: Any) -> dict[str, Any]:
        self.salt += 1
        order: dict[str, Any] = {
            "salt": self.salt,
            "maker": EOA,
            "signer": EOA,
            "tokenId": token,
            "makerAmount": str(gives),
            "takerAmount": str(gets),
            "side": side,
            "expiration": "0",
            "signatureType": 0,
            "timestamp": "1790000000000",
            "metadata": "0x" + "00" * 32,
            "builder": "0x" + "00" * 32,
        } | other
        order["signature"] = ""
        fields = {k: v for k, v in order.items() if k in signing.SignedOrder.__struct_fields__}
        message = signing.digest(signing.DOMAIN_V2, signing.order_struct_hash(signing.SignedOrder(**fields)))
        raw = KEY.sign_recoverable(message, hasher=None)
        order["signature"] = "0x" + raw[:64].hex() + f"{27 + raw[64]:02x}"
        return order

    def body(self, order: dict[str, Any], **other: Any) -> dict[str, Any]:
        return {"deferExec": False, "order": order, "owner": self.keys.api_key, "orderType": "GTC"} | other

    async def send(self, method: str, path: str, body: Any = None, query: str = "", raw: bytes = b"") -> httpx.Response:
        content = raw if body is None else json.dumps(body, separators=(",", ":")).encode()
        stamp = str(int(time.time()))
        headers = {
            "POLY_ADDRESS": EOA,
            "POLY_API_KEY": self.keys.api_key,
            "POLY_PASSPHRASE": self.keys.passphrase,
            "POLY_TIMESTAMP": stamp,
            "POLY_SIGNATURE": l2_signature(self.keys.secret, stamp, method, path, content),
        }
        return await self.http.request(method, path + query, content=content, headers=headers)

    async def refusal(self, body: Any, path: str = "/order") -> str:
        answer = await self.send("POST", path, body)
        assert answer.status_code in (400, 404), answer.text
        return str(answer.json()["error"])


@pytest.fixture
def trader(running: RunningExchange, http: httpx.AsyncClient) -> Trader:
    keys = running.host.exchange.keys.create(EOA, 0)
    assert keys is not None
    return Trader(http, keys)


async def test_what_is_not_served_is_refused_in_the_venues_shape(http: httpx.AsyncClient) -> None:
    """A client reads ``error`` of every answer that is not good."""
    missing = await http.get("/no-such-route")
    wrong = await http.put("/order")
    assert (missing.status_code, missing.json()) == (404, {"error": "not found"})
    assert (wrong.status_code, wrong.json()) == (405, {"error": "method not allowed"})


async def test_orders_are_refused_for_what_is_wrong_with_them(trader: Trader, tokens: list[str]) -> None:
    yes = tokens[0]
    good = trader.order(yes, 400_000, 10_000_000)
    assert (await trader.send("POST", "/order", trader.body(good))).status_code == 200
    assert "Duplicated" in await trader.refusal(trader.body(good))
    assert "owner has to be the owner" in await trader.refusal(trader.body(good, owner="x"))
    assert await trader.refusal({"order": {}}) == "Invalid order payload"
    assert "order signer address" in await trader.refusal(trader.body(trader.order(yes, 4, 1, signer="0x" + "22" * 20)))
    other = "0x" + "22" * 20
    assert "deposit wallet flow" in await trader.refusal(trader.body(trader.order(yes, 4, 1, maker=other)))
    assert await trader.refusal(trader.body(trader.order("777", 4, 1))) == (
        "No orderbook exists for the requested token id"
    )
    assert await trader.refusal(trader.body(trader.order(tokens[2], 400_000, 10_000_000))) == "invalid signature"
    bad = trader.order(yes, 400_000, 10_000_000) | {"signature": "0x12"}
    assert await trader.refusal(trader.body(bad)) == "invalid signature"
    off_grid = trader.body(trader.order(yes, 405_000, 10_000_000))
    assert "Price (0.0405) breaks minimum tick size rule: 0.01" in await trader.refusal(off_grid)
    fine = trader.body(trader.order(yes, 400_040, 10_001_000))
    assert "max accuracy of 4 decimals, taker amount a max of 2 decimals" in await trader.refusal(fine)
    old = trader.body(good | {"feeRateBps": "0", "nonce": "0", "taker": other})
    del old["order"]["timestamp"]
    assert "invalid order version" in await trader.refusal(old)
    assert "Too many orders in payload: 16, max allowed: 15" in await trader.refusal(
        [trader.body(good)] * 16, "/orders"
    )
    assert await trader.refusal([], "/orders") == "Invalid order payload"
    soon = trader.order(yes, 400_000, 10_000_000, expiration=str(int(time.time()) + 60))
    assert await trader.refusal(trader.body(soon, orderType="GTD")) == "invalid expiration"


async def test_a_batch_is_taken_leg_by_leg_with_reasons_in_error_msg(trader: Trader, tokens: list[str]) -> None:
    legs = [trader.body(trader.order(tokens[0], 400_000, size)) for size in (10_000_000, 1_000_000)]
    answer = (await trader.send("POST", "/orders", legs)).json()
    assert [leg["success"] for leg in answer] == [True, True]
    assert answer[0]["status"] == "live" and answer[0]["orderID"].startswith("0x") and answer[0]["errorMsg"] == ""
    assert answer[1]["orderID"] == "" and "Size (1) lower than the minimum: 5" in answer[1]["errorMsg"]


async def test_private_calls_need_headers_over_the_exact_bytes(trader: Trader, http: httpx.AsyncClient) -> None:
    assert (await trader.send("GET", "/data/orders", query="?market=0x1")).status_code == 200
    for path in ("/data/orders", "/data/trades", "/auth/api-keys", "/balance-allowance"):
        answer = await http.get(path)
        assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized/Invalid api key"})
    for path in ("/auth/api-key", "/auth/derive-api-key"):
        answer = await http.request("POST" if path.endswith("api-key") and "derive" not in path else "GET", path)
        assert (answer.status_code, answer.json()) == (401, {"error": "Invalid L1 Request headers"})


async def test_answers_do_not_wait_for_a_delayed_acknowledgement(trader: Trader) -> None:
    """Nagle's delay on the server's side costs 40 ms a request; the best of ten must be far below."""
    times = []
    for _ in range(10):
        begun = time.perf_counter()
        await trader.send("POST", "/v1/heartbeats", {"heartbeat_id": "wrong"})
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.03


async def test_one_key_does_not_see_or_cancel_the_orders_of_another(
    running: RunningExchange, http: httpx.AsyncClient, trader: Trader, tokens: list[str]
) -> None:
    placed = (await trader.send("POST", "/order", trader.body(trader.order(tokens[0], 400_000, 10_000_000)))).json()
    keys = running.host.exchange.keys.create(EOA, 1)
    assert keys is not None
    other = Trader(http, keys)
    assert (await other.send("GET", f"/data/order/{placed['orderID']}")).status_code == 404
    assert (await other.send("GET", "/data/orders")).json()["data"] == []
    assert (await other.send("DELETE", "/cancel-all")).json()["canceled"] == []
    answer = (await other.send("DELETE", "/order", {"orderID": placed["orderID"]})).json()
    assert list(answer["not_canceled"]) == [placed["orderID"]]
    assert len((await trader.send("GET", "/data/orders")).json()["data"]) == 1


JUNK = [
    "",
    "x",
    "null",
    "[]",
    "{}",
    "[1]",
    '"a"',
    '[{"a":1}]',
    '{"order":[]}',
    '{"orderID":1}',
    '{"heartbeat_id":1}',
    "\xff",
]


async def test_junk_is_never_answered_with_a_server_error(trader: Trader, http: httpx.AsyncClient) -> None:
    """Every private and public door gets every kind of junk in body and query."""
    private = {
        "POST": ("/order", "/orders", "/v1/heartbeats"),
        "DELETE": ("/order", "/orders", "/cancel-all", "/cancel-market-orders"),
        "GET": ("/data/orders", "/data/trades", "/data/order/x", "/balance-allowance", "/auth/api-keys"),
    }
    public = {
        "POST": ("/books", "/prices", "/midpoints", "/spreads", "/rpc", "/_exchange/fund", "/_exchange/trade"),
        "GET": ("/book", "/price", "/prices", "/tick-size", "/gamma/markets", "/gamma/markets/keyset"),
    }
    names = ("token_id", "side", "limit", "offset", "after_cursor", "next_cursor", "signature_type", "after", "sides")
    for junk in JUNK:
        query = "?" + str(httpx.QueryParams(dict.fromkeys(names, junk)))
        for method, paths in private.items():
            for path in paths:
                answer = await trader.send(method, path, raw=junk.encode(), query=query)
                assert answer.status_code < 500, (method, path, junk)
        for method, paths in public.items():
            for path in paths:
                answer = await http.request(method, path + query, content=junk.encode())
                assert answer.status_code < 500, (method, path, junk)


async def test_read_back_comes_in_cursor_pages(running: RunningExchange, trader: Trader, tokens: list[str]) -> None:
    running.host.intake.limits.tier_of[EOA.lower()] = "Elite"
    for start in range(0, 105, 15):
        legs = [trader.body(trader.order(tokens[0], 50_000, 5_000_000)) for _ in range(start, start + 15)]
        assert all(leg["orderID"] for leg in (await trader.send("POST", "/orders", legs)).json())
    first = (await trader.send("GET", "/data/orders")).json()
    assert (first["limit"], first["count"], base64.b64decode(first["next_cursor"])) == (100, 100, b"100")
    second = (await trader.send("GET", "/data/orders", query=f"?next_cursor={first['next_cursor']}")).json()
    assert (second["count"], second["next_cursor"]) == (5, "LTE=")
    ids = [order["id"] for order in first["data"] + second["data"]]
    assert len(set(ids)) == 105
    assert (await trader.send("GET", "/data/orders", query="?next_cursor=%21")).status_code == 400
    one = (await trader.send("GET", f"/data/order/{ids[0]}")).json()
    assert (one["status"], one["size_matched"], one["original_size"]) == ("LIVE", "0", "5")
    missing = await trader.send("GET", "/data/order/0xnone")
    assert (missing.status_code, missing.json()) == (404, {"error": "Order not found"})
    assert len((await trader.send("DELETE", "/cancel-all")).json()["canceled"]) == 105
    assert (await trader.send("DELETE", "/cancel-market-orders", {})).status_code == 400
    assert (await trader.send("DELETE", "/orders", ["0x"] * 1_001)).status_code == 400


async def test_admin_funds_pauses_and_shows_positions(running: RunningExchange, http: httpx.AsyncClient) -> None:
    market = next(iter(running.host.exchange.listings))
    funded = (await http.post("/_exchange/fund", json={"address": EOA, "cash": "12.5"})).json()
    assert funded == {"address": EOA, "cash": "12.5"}
    assert (await http.post("/_exchange/pause_participants", json={"paused": False})).json() == {"paused": False}
    for body in ({"address": EOA, "cash": -1}, {}, {"address": EOA, "cash": "x"}):
        assert (await http.post("/_exchange/fund", json=body)).status_code == 400
    take = {"market": market, "outcome": "YES", "side": "BUY", "size": 7}
    taker = (await http.post("/_exchange/trade", json=take)).json()["taker"]
    running.host.exchange.step(running.host.exchange.now_ms + 10_000)
    positions = (await http.get(f"{running.urls['data_url']}/positions", params={"user": taker["account"]})).json()
    sizes = {(row["conditionId"], row["outcome"]): row["size"] for row in positions}
    assert sizes[(market, "Yes")] - sizes[(market, "No")] == 7
    assert (await http.post("/_exchange/trade", json=take | {"market": "0x1"})).status_code == 404
    ledger = (await http.get("/_exchange/ledger")).json()
    assert len(ledger["accounts"]) > len((await http.get("/_exchange/ledger?accounts=outside")).json()["accounts"])
