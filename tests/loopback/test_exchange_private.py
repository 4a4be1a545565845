"""The private API as a strict venue: every refusal with its text and status, and nothing changed by it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.exchange import signing
from core.exchange.auth import l2_signature
from core.units import MICRO
from tests.loopback.venue import EOA, EVERY_KIND, MARKET_KINDS, MarketKind, Trader, Venue, trader_of, venue_running


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    async with venue_running(markets=EVERY_KIND) as running:
        yield running


@pytest.fixture
def trader(venue: Venue) -> Trader:
    return trader_of(venue)


PAYLOAD = (400, "Invalid order payload")


@pytest.mark.parametrize("market", MARKET_KINDS)
@pytest.mark.parametrize("kind", [0, 1, 2, 3])
async def test_every_wallet_kind_trades_on_every_exchange_contract(
    venue: Venue, trader: Trader, kind: int, market: MarketKind
) -> None:
    """The id returned is the hash under the market's own domain, for the nested signature too."""
    instrument = venue.instrument(market)
    body = trader.body(trader.order(instrument.yes_token, 100_000, 10_000_000, kind=kind))
    answer = (await trader.send("POST", "/order", body)).json()
    assert (answer["success"], answer["status"], answer["errorMsg"]) == (True, "live", "")
    fields = {name: body["order"][name] for name in signing.SignedOrder.__struct_fields__}
    struct_hash = signing.order_struct_hash(signing.SignedOrder(**fields))
    domain = {
        "plain": signing.DOMAIN_V2,
        "neg-risk": signing.DOMAIN_V2_NEG_RISK,
        "v2": signing.DOMAIN_V3,
    }[market]
    assert answer["orderID"] == "0x" + signing.digest(domain, struct_hash).hex()
    shown = (await trader.send("GET", f"/data/order/{answer['orderID']}")).json()
    assert shown["maker_address"] == body["order"]["maker"]
    status, text = await trader.refusal(body)
    assert (status, text) == (400, f"order {answer['orderID']} is invalid. Duplicated.")


@pytest.mark.parametrize("kind", [0, 3])
async def test_an_order_for_the_wrong_contract_is_told_so(venue: Venue, trader: Trader, kind: int) -> None:
    """Another version of the exchange is a version mismatch, another contract of the same version a bad signature."""
    wrong = {
        ("plain", signing.DOMAIN_V2_NEG_RISK): "invalid signature",
        ("neg-risk", signing.DOMAIN_V2): "invalid signature",
        ("plain", signing.DOMAIN_V3): "order_version_mismatch",
        ("v2", signing.DOMAIN_V2): "order_version_mismatch",
        ("v2", signing.DOMAIN_V2_NEG_RISK): "order_version_mismatch",
    }
    for (market, domain), text in wrong.items():
        token = venue.instrument(market).yes_token  # type: ignore[arg-type]
        body = trader.body(trader.order(token, 100_000, 10_000_000, kind=kind, domain=domain))
        assert await trader.refusal(body) == (400, text)


async def test_salt_and_creation_time_must_be_plausible(venue: Venue, trader: Trader) -> None:
    now_ms = venue.exchange.now_ms
    token = venue.yes
    for field in (
        {"timestamp": str(now_ms // 1000)},
        {"timestamp": str(now_ms + 301_000)},
        {"timestamp": "0"},
    ):
        assert await trader.refusal(trader.body(trader.order(token, 100_000, 10_000_000, **field))) == PAYLOAD
    for raw in ({"salt": 2**53}, {"salt": -1}, {"salt": 1.5}, {"salt": "1"}, {"timestamp": now_ms}, {"timestamp": "x"}):
        assert await trader.refusal(trader.body(trader.order(token, 100_000, 10_000_000) | raw)) == PAYLOAD
    for field in ({"timestamp": str(now_ms - 120_000)}, {"timestamp": str(now_ms + 299_000)}, {"salt": 2**53 - 1}):
        answer = await trader.send("POST", "/order", trader.body(trader.order(token, 100_000, 10_000_000, **field)))
        assert answer.status_code == 200, answer.text


async def test_who_may_sign_and_pay(venue: Venue, trader: Trader) -> None:
    token = venue.yes
    other = "0x" + "22" * 20
    fee = (400, "the order signer address has to be the address of the API KEY")
    assert await trader.refusal(trader.body(trader.order(token, 1, 1, signer=other))) == fee
    assert await trader.refusal(trader.body(trader.order(token, 1, 1, kind=3, signer=EOA))) == fee
    flow = (400, "maker address not allowed, please use the deposit wallet flow")
    assert await trader.refusal(trader.body(trader.order(token, 1, 1, maker=other))) == flow
    proxy = trader.order(token, 1, 1, kind=1)["maker"]
    assert await trader.refusal(trader.body(trader.order(token, 1, 1, kind=2, maker=proxy))) == flow
    key = (400, "the order owner has to be the owner of the API KEY")
    assert await trader.refusal(trader.bid(token, owner="somebody")) == key
    assert await trader.refusal(trader.body(trader.order(token, 1, 1) | {"signatureType": 4})) == PAYLOAD
    assert await trader.refusal(trader.bid("777")) == (404, "No orderbook exists for the requested token id")


@pytest.mark.parametrize("market", MARKET_KINDS)
async def test_amounts_must_give_a_price_on_the_grid(venue: Venue, trader: Trader, market: MarketKind) -> None:
    instrument = venue.instrument(market)
    token, tick = instrument.yes_token, instrument.grid.tick_usd
    for gives, gets, words in (
        (tick * 10 + 1, 10 * MICRO, "breaks minimum tick size rule"),
        (tick * 5, 10 * MICRO, "breaks minimum tick size rule"),
        (10 * MICRO, 10 * MICRO, "breaks minimum tick size rule"),
        (tick * 11, 11 * MICRO - 1, "breaks minimum tick size rule"),
        (0, 10 * MICRO, "Invalid order payload"),
        (tick * 10, 0, "Invalid order payload"),
        (tick * 4, 4 * MICRO, "Size (4) lower than the minimum: 5"),
    ):
        status, text = await trader.refusal(trader.body(trader.order(token, gives, gets)))
        assert status == 400 and words in text, text
    whole = instrument.grid.k
    fine = trader.order(token, (10 * MICRO + whole) // whole, 10 * MICRO + whole)
    status, text = await trader.refusal(trader.body(fine))
    assert status == 400 and "max accuracy" in text
    huge = trader.order(token, tick * 10**60, 10**60 * MICRO)
    status, text = await trader.refusal(trader.body(huge))
    assert status == 400 and "not enough balance / allowance" in text


@pytest.mark.parametrize(
    ("side", "order_type", "gives", "gets", "decimals"),
    [
        ("BUY", "GTC", 400_040, 1_000_100, ("buy", 4, 2)),
        ("BUY", "FAK", 400_040, 1_000_100, ("market buy", 2, 4)),
        ("SELL", "GTC", 1_000_100, 400_040, ("sell", 2, 4)),
        ("SELL", "FOK", 1_000_100, 400_040, ("sell", 2, 4)),
    ],
)
async def test_what_is_too_fine_is_named_for_each_amount(
    venue: Venue, trader: Trader, side: str, order_type: str, gives: int, gets: int, decimals: tuple[str, int, int]
) -> None:
    """A limit BUY gives collateral, which may be finer than shares; a market BUY names whole cents."""
    order = trader.order(venue.yes, gives, gets, side)
    which, maker, taker = decimals
    assert await trader.refusal(trader.body(order, orderType=order_type)) == (
        400,
        f"invalid amounts, the {which} orders maker amount supports a max accuracy of {maker} decimals, "
        f"taker amount a max of {taker} decimals",
    )


async def test_a_funder_is_shown_with_checksum_capitals_however_it_was_sent(venue: Venue, trader: Trader) -> None:
    order = trader.order(venue.yes, 100_000, 10 * MICRO, kind=3)
    shown = order["maker"]
    posted = trader.body(order | {"maker": shown.lower(), "signer": shown.lower()})
    assert (await trader.send("POST", "/order", posted)).json()["status"] == "live"
    (found,) = (await trader.send("GET", "/data/orders", query="?id=")).json()["data"]
    assert found["maker_address"] == shown


async def test_order_types_and_their_rules(venue: Venue, trader: Trader) -> None:
    token, now_s = venue.yes, venue.exchange.now_ms // 1000
    for order_type, ahead in (("GTD", 179), ("GTD", 0), ("GTC", 600), ("FOK", 600)):
        order = trader.order(token, 100_000, 10_000_000, expiration=str(now_s + ahead) if ahead else "0")
        assert await trader.refusal(trader.body(order, orderType=order_type)) == (400, "invalid expiration")
    for expiration in ("soon", "-1", "1.5", ""):
        order = trader.order(token, 100_000, 10_000_000) | {"expiration": expiration}
        assert await trader.refusal(trader.body(order, orderType="GTD")) == PAYLOAD
    for order_type in ("FOK", "FAK"):
        status, text = await trader.refusal(trader.bid(token, orderType=order_type, postOnly=True))
        assert status == 400 and text.startswith("invalid post-only order: post-only is only allowed")
    crossing = trader.bid(token, cents=99, postOnly=True)
    assert await trader.refusal(crossing) == (400, "invalid post-only order: order crosses book")
    assert "FOK orders are fully filled or killed" in (await trader.refusal(trader.bid(token, orderType="FOK")))[1]
    assert "no orders found to match with FAK order" in (await trader.refusal(trader.bid(token, orderType="FAK")))[1]
    assert await trader.refusal(trader.bid(token, orderType="IOC")) == PAYLOAD
    dated = trader.order(token, 100_000, 10_000_000, expiration=str(now_s + 200))
    placed = (await trader.send("POST", "/order", trader.body(dated, orderType="GTD"))).json()["orderID"]
    venue.pass_time(139)
    assert (await trader.send("GET", f"/data/order/{placed}")).json()["status"] == "LIVE"
    venue.pass_time(2)
    assert (await trader.send("GET", f"/data/order/{placed}")).json()["status"] == "CANCELED_EXPIRED_ORDER"


async def test_a_batch_is_answered_leg_by_leg(venue: Venue, trader: Trader) -> None:
    good = trader.bid(venue.yes)
    legs: list[Any] = [good, trader.bid(venue.yes, shares=1), good, None, 7, "x", [], {}, {"order": good["order"]}]
    answers = (await trader.send("POST", "/orders", legs)).json()
    assert [leg["success"] for leg in answers] == [True] * len(legs)
    assert answers[0]["errorMsg"] == "" and answers[0]["orderID"]
    assert [leg["orderID"] for leg in answers[1:]] == [""] * (len(legs) - 1)
    assert "Size (1) lower" in answers[1]["errorMsg"] and "Duplicated" in answers[2]["errorMsg"]
    assert {leg["errorMsg"] for leg in answers[3:]} == {"Invalid order payload"}
    many = [trader.bid(venue.yes) for _ in range(16)]
    assert await trader.refusal(many, "/orders") == (400, "Too many orders in payload: 16, max allowed: 15")
    assert await trader.refusal([], "/orders") == PAYLOAD


async def test_orders_of_the_first_version_are_refused_in_its_words(venue: Venue, trader: Trader) -> None:
    order = trader.order(venue.yes, 100_000, 10_000_000)
    for gone in ("timestamp", "metadata", "builder"):
        del order[gone]
    order |= {"feeRateBps": "0", "nonce": "0", "taker": "0x" + "00" * 20}
    words = "invalid order version, please use the latest clob-client"
    assert await trader.refusal(trader.body(order)) == (400, words)


async def test_a_market_that_is_paused_closed_or_resolved_takes_no_orders(venue: Venue, trader: Trader) -> None:
    exchange, market = venue.exchange, venue.market
    placed = (await trader.send("POST", "/order", trader.bid(venue.yes))).json()["orderID"]
    exchange.pause_market(market, True)
    assert await trader.refusal(trader.bid(venue.yes)) == (400, "the market is not yet ready to process new orders")
    assert (await trader.send("DELETE", "/order", {"orderID": placed})).json()["canceled"] == [placed]
    exchange.pause_market(market, False)
    resting = (await trader.send("POST", "/order", trader.bid(venue.yes))).json()["orderID"]
    exchange.close_market(market)
    gone = (404, "No orderbook exists for the requested token id")
    assert await trader.refusal(trader.bid(venue.yes)) == gone
    shown = (await trader.send("GET", f"/data/order/{resting}")).json()
    assert shown["status"] == "CANCELED_MARKET_RESOLVED"
    answer = (await trader.send("DELETE", "/order", {"orderID": resting})).json()
    assert list(answer["not_canceled"]) == [resting]
    exchange.resolve(market, "YES")
    assert await trader.refusal(trader.bid(venue.no)) == gone


async def test_a_deferred_order_is_answered_before_its_match_is_told(venue: Venue, trader: Trader) -> None:
    answer = (await trader.send("POST", "/order", trader.bid(venue.yes, cents=99, shares=5, deferExec=True))).json()
    assert (answer["status"], answer["makingAmount"], answer["tradeIDs"]) == ("delayed", "", [])
    shown = (await trader.send("GET", f"/data/order/{answer['orderID']}")).json()
    assert (shown["status"], shown["size_matched"]) == ("MATCHED", "5")
    resting = (await trader.send("POST", "/order", trader.bid(venue.yes, deferExec=True))).json()
    assert resting["status"] == "live"


async def test_a_market_with_a_taker_delay_answers_delayed(venue: Venue, trader: Trader) -> None:
    listing = next(each for each in venue.exchange.listings.values() if each.plot.delay_ms)
    token = listing.instrument.yes_token
    answer = (await trader.send("POST", "/order", trader.bid(token, cents=99, shares=5))).json()
    assert (answer["status"], answer["makingAmount"], answer["tradeIDs"]) == ("delayed", "", [])
    assert (await trader.send("GET", f"/data/order/{answer['orderID']}")).json()["status"] == "DELAYED"
    venue.pass_time(listing.plot.delay_ms / 1000)
    assert (await trader.send("GET", f"/data/order/{answer['orderID']}")).json()["status"] == "MATCHED"
    assert (await trader.send("POST", "/order", trader.bid(token))).json()["status"] == "live"


async def test_trades_can_be_filtered_and_come_in_pages(venue: Venue, trader: Trader) -> None:
    venue.running.host.intake.limits.tier_of[EOA.lower()] = "Elite"
    bought = []
    for _ in range(102):
        answer = (await trader.send("POST", "/order", trader.bid(venue.yes, cents=99, shares=5))).json()
        bought += answer["tradeIDs"]
        assert answer["status"] == "matched" and answer["takingAmount"] == "5"
    first = (await trader.send("GET", "/data/trades")).json()
    assert (first["limit"], first["count"]) == (100, 100)
    second = (await trader.send("GET", "/data/trades", query=f"?next_cursor={first['next_cursor']}")).json()
    assert (second["count"], second["next_cursor"]) == (2, "LTE=")
    assert [trade["id"] for trade in first["data"] + second["data"]] == bought[::-1], "newest first"
    assert {trade["status"] for trade in first["data"]} == {"MATCHED_NOT_BROADCASTED"}
    now_s = venue.exchange.now_ms // 1000
    counts = {
        f"id={bought[5]}": 1,
        f"market={venue.market}": 100,
        "market=0x1": 0,
        f"asset_id={venue.yes}": 100,
        f"asset_id={venue.no}": 0,
        f"maker_address={EOA.lower()}": 100,
        "maker_address=0x" + "22" * 20: 0,
        f"after={now_s}": 0,
        f"after={now_s - 1}": 100,
        f"before={now_s - 1}": 0,
        f"before={now_s}": 100,
        "next_cursor=MA%3D%3D": 100,
    }
    for query, count in counts.items():
        assert (await trader.send("GET", "/data/trades", query=f"?{query}")).json()["count"] == count, query
    for query in (
        "after=x",
        "before=-1",
        "after=1e9",
        "next_cursor=LTE%3D",
        "next_cursor=LTU%3D",
        "next_cursor=x",
        "next_cursor=%C3%A9",
    ):
        assert (await trader.send("GET", "/data/trades", query=f"?{query}")).status_code == 400, query


async def test_balances_are_those_of_the_wallet_kind_and_the_asset(venue: Venue, trader: Trader) -> None:
    old, new = venue.instrument("plain"), venue.instrument("v2")
    for instrument in (old, new):
        venue.exchange.split(EOA, instrument.market, 7 * MICRO)  # type: ignore[arg-type]

    async def asked(query: str, path: str = "/balance-allowance") -> tuple[int, Any]:
        answer = await trader.send("GET", path, query=f"?{query}")
        return answer.status_code, answer.json()

    status, cash = await asked("asset_type=COLLATERAL&signature_type=0")
    assert (status, cash["balance"]) == (200, str(50_000 * MICRO - 14 * MICRO))
    assert {"0xE111180000d2663C0091e4f400237545B87B996B", "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa"} <= set(
        cash["allowances"]
    )
    for kind in (1, 2, 3):
        assert (await asked(f"asset_type=COLLATERAL&signature_type={kind}"))[1]["balance"] == str(50_000 * MICRO)
    for asset, token in (("CONDITIONAL", old.yes_token), ("CONDITIONAL-V2", new.no_token)):
        assert (await asked(f"asset_type={asset}&token_id={token}"))[1]["balance"] == str(7 * MICRO)
        assert (await asked(f"asset_type={asset}&token_id={token}", "/balance-allowance/update"))[0] == 200
        assert (await asked(f"asset_type={asset}&token_id={token}&signature_type=2"))[1]["balance"] == "0"
    for query in (
        "",
        "asset_type=SHARES",
        "asset_type=CONDITIONAL",
        "asset_type=CONDITIONAL&token_id=1",
        f"asset_type=CONDITIONAL&token_id={new.yes_token}",
        f"asset_type=CONDITIONAL-V2&token_id={old.yes_token}",
        "asset_type=COLLATERAL&signature_type=4",
        "asset_type=COLLATERAL&signature_type=-1",
    ):
        assert (await asked(query))[0] == 400, query


async def test_scoring_and_notices_are_told_to_their_owner_only(venue: Venue, trader: Trader) -> None:
    bid, ask = venue.exchange.faces[venue.market].top("YES")
    assert bid is not None and ask is not None
    cents = (bid + ask) // 2 - 2
    near = (await trader.send("POST", "/order", trader.bid(venue.yes, cents=cents, shares=200))).json()["orderID"]
    far = (await trader.send("POST", "/order", trader.bid(venue.yes))).json()["orderID"]
    venue.pass_time(5)
    assert (await trader.send("GET", "/order-scoring", query=f"?order_id={near}")).json() == {"scoring": True}
    answer = (await trader.send("POST", "/orders-scoring", [near, far, "0x1"])).json()
    assert answer == {near: True, far: False, "0x1": False}
    keys = venue.exchange.keys.create(EOA, 1)
    assert keys is not None
    stranger = Trader(venue, keys)
    assert (await stranger.send("POST", "/orders-scoring", [near])).json() == {near: False}
    await venue.take("YES", "SELL", 5)
    notices = (await trader.send("GET", "/notifications", query="?signature_type=0")).json()
    assert notices and all(notice["owner"] == trader.keys.api_key for notice in notices)
    assert (await stranger.send("GET", "/notifications")).json() == []
    number = str(notices[0]["id"])
    assert (await stranger.send("DELETE", "/notifications", query=f"?ids={number}")).json() == "OK"
    assert len((await trader.send("GET", "/notifications")).json()) == len(notices)
    assert (await trader.send("DELETE", "/notifications", query=f"?ids={number},x,%C3%A9")).json() == "OK"
    assert len((await trader.send("GET", "/notifications")).json()) == len(notices) - 1
    too_old = venue.exchange.now_ms - 48 * 3_600_000
    venue.exchange.notices.tell(trader.keys.api_key, 1, too_old, {"order_id": far, "status": "CANCELED"})
    assert len((await trader.send("GET", "/notifications")).json()) == len(notices) - 1


async def test_headers_of_a_request_must_be_fresh_and_over_its_exact_bytes(venue: Venue, trader: Trader) -> None:
    url = venue.urls["clob_url"]
    now_s = venue.exchange.now_ms // 1000
    keys = trader.keys
    content = json.dumps(trader.bid(venue.yes)).encode()

    async def status(stamp: str, signed: bytes = content, **other: str) -> int:
        headers = {
            "POLY_ADDRESS": EOA,
            "POLY_API_KEY": keys.api_key,
            "POLY_PASSPHRASE": keys.passphrase,
            "POLY_TIMESTAMP": stamp,
            "POLY_SIGNATURE": l2_signature(keys.secret, stamp, "POST", "/order", signed),
        } | other
        answer = await venue.http.post(f"{url}/order", content=content, headers=headers)
        if answer.status_code == 401:
            assert answer.json() == {"error": "Unauthorized/Invalid api key"}
        return answer.status_code

    before = venue.fingerprint()
    for stamp in (now_s - 301, now_s + 302, now_s * 1000):
        assert await status(str(stamp)) == 401
    assert await status(str(now_s), content + b" ") == 401
    assert await status(str(now_s), POLY_ADDRESS="0x" + "22" * 20) == 401
    assert await status("x") == 401
    assert venue.fingerprint() == before
    assert await status(str(now_s - 299)) == 200
