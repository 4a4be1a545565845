"""The CLOB's public reads, as a raw client sees them (polymarket-api.md 4.1)."""

import json
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import httpx
import pytest

from tests.builders import recorded
from tests.loopback.venue import Venue, venue_running

NO_BOOK = "No orderbook exists for the requested token id"


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    async with venue_running(markets=24) as running:
        yield running


async def get(venue: Venue, path: str, **params: Any) -> httpx.Response:
    return await venue.http.get(str(venue.urls["clob_url"]) + path, params=params)


async def post(venue: Venue, path: str, body: Any) -> httpx.Response:
    return await venue.http.post(str(venue.urls["clob_url"]) + path, json=body)


async def refusal(venue: Venue, path: str, **params: Any) -> tuple[int, str]:
    answer = await get(venue, path, **params)
    return answer.status_code, answer.json()["error"]


async def test_single_reads_answer_in_the_venues_shapes(venue: Venue) -> None:
    face = venue.exchange.faces[venue.market]
    bid, ask = face.top_texts("YES")
    assert (await get(venue, "/ok")).json() == "OK"
    assert (await get(venue, "/version")).json() == {"version": 2}
    assert (await get(venue, "/time")).json() == venue.exchange.now_ms // 1000
    book = (await get(venue, "/book", token_id=venue.yes)).json()
    assert book["hash"] == face.hash("YES") and book["bids"][-1]["price"] == bid and book["asks"][-1]["price"] == ask
    assert (await get(venue, "/price", token_id=venue.yes, side="BUY")).json() == {"price": bid}
    assert (await get(venue, "/price", token_id=venue.yes, side="SELL")).json() == {"price": ask}
    mid = (await get(venue, "/midpoint", token_id=venue.yes)).json()
    assert float(mid["mid"]) == pytest.approx((float(bid) + float(ask)) / 2)
    assert (await get(venue, "/tick-size", token_id=venue.yes)).json() == {"minimum_tick_size": 0.01}
    assert (await get(venue, "/neg-risk", token_id=venue.yes)).json() == {"neg_risk": False}
    assert (await get(venue, "/fee-rate", token_id=venue.yes)).json() == {"base_fee": 1000}
    assert (await get(venue, f"/markets-by-token/{venue.no}")).json() == {
        "condition_id": venue.market,
        "primary_token_id": venue.yes,
        "secondary_token_id": venue.no,
    }


async def test_single_answers_have_the_recorded_shape() -> None:
    for name, known in (("clob-midpoint.json", {"mid": str}), ("clob-price.json", {"price": str})):
        for path in recorded(name):
            assert {key: type(value) for key, value in json.loads(path.read_bytes()).items()} == known


async def test_a_market_that_never_traded_has_the_stand_in_price(venue: Venue) -> None:
    assert (await get(venue, "/last-trade-price", token_id=venue.yes)).json() == {"price": "0.5", "side": ""}
    assert (await post(venue, "/last-trades-prices", [{"token_id": venue.yes}])).json() == []
    await venue.take("YES", "BUY", 7)
    last = venue.exchange.faces[venue.market].last_trade_price
    assert (await get(venue, "/last-trade-price", token_id=venue.yes)).json() == {"price": last, "side": "BUY"}
    rows = (await post(venue, "/last-trades-prices", [{"token_id": venue.yes}, {"token_id": "404"}])).json()
    assert rows == [{"token_id": venue.yes, "price": last, "side": "BUY"}]


async def test_books_come_in_another_order_and_without_strangers(venue: Venue) -> None:
    """A client that goes by position instead of ``asset_id`` takes YES for NO."""
    asked = [{"token_id": token} for token in (venue.yes, "404", venue.no)]
    books = (await post(venue, "/books", asked)).json()
    assert [book["asset_id"] for book in books] == [venue.no, venue.yes]
    assert books[0] == (await get(venue, "/book", token_id=venue.no)).json()
    assert await refusal(venue, "/books", token_id=venue.yes) == (400, "Invalid payload")


@pytest.mark.parametrize("path", ["/books", "/prices", "/midpoints", "/spreads", "/last-trades-prices"])
async def test_five_hundred_tokens_are_taken_and_one_more_is_not(venue: Venue, path: str) -> None:
    one = {"token_id": venue.yes, "side": "BUY"}
    assert (await post(venue, path, [one] * 500)).status_code == 200
    over = await post(venue, path, [one] * 501)
    assert (over.status_code, over.json()) == (400, {"error": "Payload exceeds the limit"})


async def test_maps_leave_out_what_has_no_value(venue: Venue) -> None:
    bid, ask = venue.exchange.faces[venue.market].top_texts("NO")
    asked = [{"token_id": venue.no, "side": side} for side in ("BUY", "SELL")] + [{"token_id": "404", "side": "BUY"}]
    assert (await post(venue, "/prices", asked)).json() == {venue.no: {"BUY": bid, "SELL": ask}}
    listed = await get(venue, "/prices", token_ids=f"{venue.no},404", sides="BUY,SELL")
    assert listed.json() == {venue.no: {"BUY": bid}}
    assert set((await post(venue, "/midpoints", asked)).json()) == {venue.no}
    assert set((await post(venue, "/spreads", asked)).json()) == {venue.no}


async def test_a_closed_market_has_no_book_and_says_so(venue: Venue) -> None:
    venue.exchange.close_market(venue.market)
    for path in ("/book", "/price", "/midpoint", "/spread"):
        assert await refusal(venue, path, token_id=venue.yes, side="BUY") == (404, NO_BOOK)
    other = list(venue.exchange.by_token)[2]
    asked = [{"token_id": venue.yes}, {"token_id": other}]
    assert [book["asset_id"] for book in (await post(venue, "/books", asked)).json()] == [other]
    parameters = (await get(venue, f"/clob-markets/{venue.market}")).json()
    assert parameters["ao"] is False
    assert (await get(venue, "/tick-size", token_id=venue.yes)).status_code == 200


async def test_parameters_tell_phase_delay_fee_version_and_tick(venue: Venue) -> None:
    plain = (await get(venue, f"/clob-markets/{venue.market}")).json()
    assert plain["t"] == [{"t": venue.yes, "o": "Yes"}, {"t": venue.no, "o": "No"}]
    assert plain["fd"] == {"r": 0.05, "e": 1, "to": True} and "nr" not in plain
    assert (plain["mts"], plain["mos"], plain["ao"], plain["itode"], plain["v"]) == (0.01, 5, True, False, "v1")
    assert plain["r"] == {"mi": 100, "ma": 3.5, "e": True, "moas": 4} and plain["oas"] == 4
    assert {"c", "gst", "mbf", "tbf", "cbos", "aot", "rfqe", "ibce"} <= set(plain)
    venue.exchange.pause_market(venue.market, True)
    venue.exchange.change_tick(venue.market, "0.001")
    changed = (await get(venue, f"/clob-markets/{venue.market}")).json()
    assert (changed["ao"], changed["mts"]) == (False, 0.001)
    by_kind = {name: venue.instrument(name).market for name in ("neg-risk", "v2")}  # type: ignore[arg-type]
    assert (await get(venue, f"/clob-markets/{by_kind['neg-risk']}")).json()["nr"] is True
    assert (await get(venue, f"/clob-markets/{by_kind['v2']}")).json()["v"] == "v2"
    delayed = next(m for m, each in venue.exchange.listings.items() if each.plot.delay_ms)
    assert (await get(venue, f"/clob-markets/{delayed}")).json()["itode"] is True
    free = next(m for m, each in venue.exchange.listings.items() if not each.plot.fee_bps)
    assert "fd" not in (await get(venue, f"/clob-markets/{free}")).json()
    assert (await get(venue, "/clob-markets/0x1")).json() == {"error": "market not found"}


def shape(value: Any) -> Any:
    """Kinds of a JSON value: numbers are one kind, the elements of a list those of its first."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return "number" if type(value) in (int, float) else type(value).__name__


@pytest.mark.parametrize("result", ["YES", "NO", "HALF"])
async def test_the_old_listing_has_the_recorded_shape_and_names_the_winner(venue: Venue, result: Any) -> None:
    venue.exchange.resolve(venue.market, result)
    market = (await get(venue, f"/markets/{venue.market}")).json()
    assert (market["closed"], market["accepting_orders"], market["enable_order_book"]) == (True, False, False)
    prices, winners = {"YES": ([1, 0], [True, False]), "NO": ([0, 1], [False, True])}.get(
        result, ([0.5, 0.5], [False, False])
    )
    assert [token["price"] for token in market["tokens"]] == prices
    assert [token["winner"] for token in market["tokens"]] == winners
    assert market["is_50_50_outcome"] is (result == "HALF")
    for path in recorded("clob-market-closed-*.json"):
        real = json.loads(path.read_bytes())
        assert {*real, "taker_base_fee"} == set(market)
        loose = {"rewards", "game_start_time", "tags"}
        assert {k: v for k, v in shape(real).items() if k not in loose} == {
            k: v for k, v in shape(market).items() if k in real and k not in loose
        }
        assert set(real["rewards"]) == set(market["rewards"])


async def test_old_listings_come_in_pages_with_cursors(venue: Venue) -> None:
    for path in ("/markets", "/simplified-markets", "/sampling-markets", "/sampling-simplified-markets"):
        page = (await get(venue, path, next_cursor="MA==")).json()
        assert (page["count"], page["limit"], page["next_cursor"]) == (24, 100, "LTE=")
        assert (await get(venue, path, next_cursor="MjM=")).json()["count"] == 1
        for cursor in ("!", "LTE=", "eA==", "-1"):
            assert (await get(venue, path, next_cursor=cursor)).status_code == 400
    simple = (await get(venue, "/simplified-markets")).json()["data"][0]
    assert "question" not in simple and len(simple["tokens"]) == 2
    venue.exchange.close_market(venue.market)
    assert (await get(venue, "/sampling-markets")).json()["count"] == 23
    assert (await get(venue, "/markets")).json()["count"] == 24


async def test_price_history_follows_the_trades_of_either_token(venue: Venue) -> None:
    start = venue.listing.plot.start
    venue.pass_time(600)
    await venue.take("YES", "BUY", 7)
    price = float(venue.exchange.faces[venue.market].last_trade_price)
    venue.pass_time(300)
    history = (await get(venue, "/prices-history", market=venue.yes, interval="1h", fidelity=1)).json()["history"]
    before = sum(point["p"] == start for point in history)
    assert 9 <= before <= 10 and 14 <= len(history) <= 16
    assert [point["p"] for point in history] == [start] * before + [price] * (len(history) - before)
    assert all(later["t"] - earlier["t"] <= 60 for earlier, later in pairwise(history))
    other = (await get(venue, "/prices-history", market=venue.no, interval="1h", fidelity=1)).json()["history"]
    assert [point["p"] + mirror["p"] for point, mirror in zip(history, other, strict=True)] == pytest.approx(
        [1.0] * len(history)
    )
    now = venue.exchange.now_ms // 1000
    window = await get(venue, "/prices-history", market=venue.yes, startTs=now - 120, endTs=now - 60, fidelity=1)
    assert [point["p"] for point in window.json()["history"]] == [price] * len(window.json()["history"])
    assert {now - 120 <= point["t"] <= now - 60 for point in window.json()["history"]} == {True}
    assert (await get(venue, "/prices-history", market="404", interval="1d")).json() == {"history": []}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"market": "x", "interval": "1d"},
        {"market": "1"},
        {"market": "1", "interval": "2d"},
        {"market": "1", "interval": "1d", "startTs": "5"},
        {"market": "1", "interval": "1w", "fidelity": "1"},
        {"market": "1", "interval": "1d", "fidelity": "0"},
        {"market": "1", "startTs": "9", "endTs": "8"},
        {"market": "1", "startTs": "NaN"},
        {"market": "1", "startTs": "1" * 30},
        {"market": "1", "startTs": "-1"},
    ],
)
async def test_price_history_refuses_filters_that_make_no_sense(venue: Venue, params: dict[str, str]) -> None:
    status, text = await refusal(venue, "/prices-history", **params)
    assert status == 400 and text.startswith("invalid filters: ")


async def test_a_history_from_the_beginning_of_time_begins_with_the_market(venue: Venue) -> None:
    """Not fifty-six years of points, whatever the range asked for."""
    venue.pass_time(300)
    points = (await get(venue, "/prices-history", market=venue.yes, startTs=0, endTs=10**17, fidelity=1)).json()
    assert 5 <= len(points["history"]) <= 7


PUBLIC_POSTS = ("/books", "/prices", "/midpoints", "/spreads", "/last-trades-prices")
PUBLIC_GETS = (
    "/book", "/books", "/price", "/prices", "/midpoint", "/spread", "/last-trade-price", "/tick-size", "/neg-risk",
    "/fee-rate", "/prices-history", "/rewards/markets/multi", "/rebates/current",
)  # fmt: skip
BODIES = (
    b"", b"x", b"null", b"{}", b"[1]", b'"a"', b'[{"a":1}]', b'[{"token_id":1}]', b'[{"token_id":null}]', b"\xff",
    b'[{"token_id":"1","side":NaN}]', b"[" * 5_000, b"1e999", b'[{"side":"BUY"}]',
    b'[{"token_id":"\xff"}]',
)  # fmt: skip
VALUES = ("", "x", "-1", "1.5", "NaN", "Infinity", "1e5", "9" * 400, "٣", "\x00", "'; --", "1_0", "true", "null")
NAMES = ("token_id", "side", "market", "interval", "startTs", "fidelity", "token_ids", "sides", "page_size", "date")


async def test_malformed_requests_get_an_error_and_change_nothing(venue: Venue) -> None:
    before = venue.fingerprint()
    url = str(venue.urls["clob_url"])
    for path in PUBLIC_POSTS:
        for body in BODIES:
            answer = await venue.http.post(url + path, content=body)
            assert answer.status_code == 400 and answer.json()["error"] == "Invalid payload", (path, body)
        bad_side = await post(venue, path, [{"token_id": venue.yes, "side": "UP"}])
        assert bad_side.status_code == (400 if path == "/prices" else 200)
    for path in PUBLIC_GETS:
        assert (await get(venue, path)).status_code == (200 if path == "/rewards/markets/multi" else 400), path
        for value in VALUES:
            answer = await get(venue, path, **dict.fromkeys(NAMES, value))
            assert answer.status_code in ((200, 400) if not value else (400, 404)), (path, value)
            assert answer.status_code == 200 or set(answer.json()) == {"error"}
    assert (await refusal(venue, "/price", token_id=venue.yes, side="UP")) == (400, "Invalid side")
    assert (await refusal(venue, "/book", token_id="9" * 78)) == (404, NO_BOOK)
    assert venue.fingerprint() == before
