"""What the venue lets through: its modes, an account's standing, and the limits of a signer (10.2, 10.3)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.units import MICRO
from tests.loopback.venue import EOA, Trader, Venue, trader_of, venue_running


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    async with venue_running() as running:
        yield running


@pytest.fixture
def trader(venue: Venue) -> Trader:
    return trader_of(venue)


READS = (
    ("GET", "/data/orders"),
    ("GET", "/data/trades"),
    ("GET", "/data/order/0x1"),
    ("GET", "/balance-allowance?asset_type=COLLATERAL"),
    ("GET", "/balance-allowance/update?asset_type=COLLATERAL"),
    ("GET", "/auth/api-keys"),
    ("GET", "/auth/ban-status/closed-only"),
    ("GET", "/order-scoring?order_id=0x1"),
    ("GET", "/notifications?signature_type=0"),
    ("GET", "/v1/user/rate-limit-tier"),
)
WRITES = (
    ("POST", "/order", {}),
    ("POST", "/orders", []),
    ("DELETE", "/order", {"orderID": "0x1"}),
    ("DELETE", "/orders", ["0x1"]),
    ("DELETE", "/cancel-all", None),
    ("DELETE", "/cancel-market-orders", {"market": "0x1"}),
    ("DELETE", "/notifications", None),
    ("DELETE", "/auth/api-key", None),
    ("POST", "/orders-scoring", ["0x1"]),
    ("POST", "/v1/heartbeats", {"heartbeat_id": ""}),
)


async def test_while_the_venue_restarts_every_private_door_is_shut(venue: Venue, trader: Trader) -> None:
    """425 on everything that needs a key or makes one; then post-only for two minutes; then all is as before."""
    placed = (await trader.send("POST", "/order", trader.bid(venue.yes))).json()["orderID"]
    venue.exchange.restart(90_000)
    before = venue.fingerprint()
    for method, path in READS:
        bare, _, query = path.partition("?")
        answer = await trader.send(method, bare, query=f"?{query}")
        assert (answer.status_code, answer.json()) == (425, {"error": "service not ready"}), path
    for method, path, body in WRITES:
        answer = await trader.send(method, path, body)
        assert (answer.status_code, answer.json()) == (425, {"error": "service not ready"}), path
    for method, path in (("POST", "/auth/api-key"), ("GET", "/auth/derive-api-key")):
        assert (await venue.http.request(method, venue.urls["clob_url"] + path)).status_code == 425
    assert (await venue.http.get(venue.urls["clob_url"] + "/data/orders")).status_code == 401, (
        "strangers stay strangers"
    )
    assert venue.fingerprint() == before
    venue.pass_time(91)
    answer = await trader.send("POST", "/order", trader.bid(venue.yes))
    assert answer.status_code == 503
    assert answer.json() == {
        "error": "post-only mode: only post-only orders and cancels are allowed",
        "code": "post_only_mode",
        "retry_after_seconds": 119,
    }
    assert answer.headers["Retry-After"] == "119"
    assert (await trader.send("POST", "/order", trader.bid(venue.yes, postOnly=True))).status_code == 200
    mixed = [trader.bid(venue.yes), trader.bid(venue.yes, postOnly=True)]
    legs = (await trader.send("POST", "/orders", mixed)).json()
    assert legs[0]["errorMsg"].startswith("post-only mode") and legs[1]["orderID"]
    none = await trader.send("POST", "/orders", [trader.bid(venue.yes)] * 2)
    assert none.status_code == 503 and none.json()["code"] == "post_only_mode"
    assert (await trader.send("DELETE", "/order", {"orderID": placed})).json()["canceled"] == [placed]
    venue.pass_time(120)
    assert (await trader.send("POST", "/order", trader.bid(venue.yes))).status_code == 200


@pytest.mark.parametrize("state", ["cancel_only", "disabled"])
async def test_cancel_only_takes_cancels_and_disabled_takes_nothing(venue: Venue, trader: Trader, state: Any) -> None:
    placed = (await trader.send("POST", "/order", trader.bid(venue.yes))).json()["orderID"]
    venue.exchange.set_mode(state)
    for body, path in ((trader.bid(venue.yes, postOnly=True), "/order"), ([trader.bid(venue.yes)], "/orders")):
        status, text = await trader.refusal(body, path)
        words = {"cancel_only": "Trading is currently cancel-only", "disabled": "Trading is currently disabled"}[state]
        assert status == 503 and text.startswith(words)
    assert (await trader.send("GET", "/data/orders")).json()["count"] == 1
    cancels = [
        (method, path, body) for method, path, body in WRITES if "cancel" in path or path in ("/order", "/orders")
    ]
    if state == "disabled":
        for method, path, body in cancels:
            assert (await trader.refusal(body, path, method))[0] == 503
    else:
        assert (await trader.send("DELETE", "/order", {"orderID": placed})).json()["canceled"] == [placed]


async def test_a_closed_only_account_may_only_reduce(venue: Venue, trader: Trader) -> None:
    exchange = venue.exchange
    exchange.split(EOA, venue.market, 50 * MICRO)  # type: ignore[arg-type]
    resting = (await trader.send("POST", "/order", trader.bid(venue.yes))).json()["orderID"]
    assert (await trader.send("GET", "/auth/ban-status/closed-only")).json() == {"closed_only": False}
    exchange.closed_only.add(EOA.lower())
    assert (await trader.send("GET", "/auth/ban-status/closed-only")).json() == {"closed_only": True}
    assert await trader.refusal(trader.bid(venue.yes)) == (400, f"'{EOA}' address in closed only mode")
    sell = trader.body(trader.order(venue.yes, 10 * MICRO, 9_900_000, "SELL"), postOnly=True)
    assert (await trader.send("POST", "/order", sell)).json()["status"] == "live"
    short = trader.body(trader.order(venue.yes, 41 * MICRO, 41 * 990_000, "SELL"))
    assert "not enough balance" in (await trader.refusal(short))[1]
    assert (await trader.send("DELETE", "/order", {"orderID": resting})).json()["canceled"] == [resting]


async def test_a_banned_address_places_nothing_but_may_cancel(venue: Venue, trader: Trader) -> None:
    resting = (await trader.send("POST", "/order", trader.bid(venue.yes))).json()["orderID"]
    venue.running.host.intake.banned.add(EOA.lower())
    assert await trader.refusal(trader.bid(venue.yes)) == (400, f"'{EOA}' address banned")
    legs = (await trader.send("POST", "/orders", [trader.bid(venue.yes)])).json()
    assert legs[0]["errorMsg"] == f"'{EOA}' address banned"
    assert (await trader.send("DELETE", "/cancel-all")).json()["canceled"] == [resting]


async def test_limits_are_told_and_kept_on_every_order_and_cancel(venue: Venue, trader: Trader) -> None:
    answer = await trader.send("POST", "/orders", [trader.bid(venue.yes) for _ in range(15)])
    now_s = venue.exchange.now_ms // 1000
    told = {name: answer.headers[f"Poly-RateLimit-{name}"] for name in ("Remaining", "Reset", "Tier", "Warning")}
    assert told == {"Remaining": "45", "Reset": str(now_s), "Tier": "Standard", "Warning": "false"}
    ids = [leg["orderID"] for leg in answer.json()]
    refused = await trader.send("POST", "/order", {})
    assert (refused.status_code, refused.headers["Poly-RateLimit-Remaining"]) == (400, "44")
    for _ in range(2):
        await trader.send("POST", "/orders", [trader.bid(venue.yes) for _ in range(15)])
    before = venue.fingerprint()
    fast = await trader.send("POST", "/orders", [trader.bid(venue.yes) for _ in range(15)])
    assert (fast.status_code, fast.json()) == (429, {"error": "Too Many Requests"})
    assert fast.headers["Retry-After"] == "1" and fast.headers["Poly-RateLimit-Warning"] == "true"
    assert venue.fingerprint() == before
    one = await trader.send("DELETE", "/order", {"orderID": ids[0]})
    assert (one.status_code, one.headers["Poly-RateLimit-Remaining"]) == (200, "119"), "a bucket of its own"
    too_many = await trader.send("DELETE", "/orders", ["0x1"] * 121)
    assert too_many.status_code == 429, "more ids than the burst are refused whole"
    some = await trader.send("DELETE", "/orders", ids)
    assert len(some.json()["canceled"]) == 14 and some.headers["Poly-RateLimit-Remaining"] == "104"
    venue.running.host.intake.limits.drain(EOA, "cancels", 10)
    swept = await trader.send("DELETE", "/cancel-all")
    assert len(swept.json()["canceled"]) == 30
    assert swept.headers["Poly-RateLimit-Remaining"] == "-21", "one and one for each of the thirty"
    assert (await trader.send("DELETE", "/cancel-all")).status_code == 429
    venue.pass_time(1)
    assert (await trader.send("DELETE", "/cancel-all")).status_code == 200


async def test_a_tier_can_be_asked_for(venue: Venue, trader: Trader) -> None:
    assert (await trader.send("GET", "/v1/user/rate-limit-tier")).json() == {"tier": "Standard"}
    venue.running.host.intake.limits.tier_of[EOA.lower()] = "Gold"
    assert (await trader.send("GET", "/v1/user/rate-limit-tier")).json() == {"tier": "Gold"}
    answer = await trader.send("POST", "/order", trader.bid(venue.yes))
    assert answer.headers["Poly-RateLimit-Remaining"] == "599" and answer.headers["Poly-RateLimit-Tier"] == "Gold"
