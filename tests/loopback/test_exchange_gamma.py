"""The catalogue: lists, filters, orders, cursors, and the life of a market as Gamma tells it (polymarket-api.md 7)."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from core.clock import ManualClock
from core.units import MICRO
from core.venue.gamma import GammaClient, parse_market
from tests.builders import recorded
from tests.loopback.venue import Venue, venue_running

MARKETS = 24


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    async with venue_running(markets=MARKETS) as running:
        yield running


async def get(venue: Venue, path: str, **params: Any) -> httpx.Response:
    return await venue.http.get(str(venue.urls["gamma_url"]) + path, params=params)


async def rows(venue: Venue, path: str, **params: Any) -> list[dict[str, Any]]:
    answer = await get(venue, path, **params)
    assert answer.status_code == 200, answer.text
    return list(answer.json())


async def refused(venue: Venue, path: str, **params: Any) -> bool:
    answer = await get(venue, path, **params)
    if answer.status_code == 200:
        return False
    assert answer.status_code == 422 and answer.json()["type"] == "validation error", answer.text
    return True


async def test_open_markets_pass_the_usual_screen(venue: Venue) -> None:
    markets = await rows(venue, "/markets", closed="false", limit=100)
    assert [m["conditionId"] for m in markets] == list(venue.exchange.listings)
    for listed in markets:
        assert json.loads(listed["outcomes"]) == ["Yes", "No"] and len(json.loads(listed["clobTokenIds"])) == 2
        assert sum(float(price) for price in json.loads(listed["outcomePrices"])) == pytest.approx(1)
        assert listed["active"] and listed["acceptingOrders"] and not listed["closed"] and "closedTime" not in listed
        assert listed["endDate"].endswith("Z") and listed["events"][0]["title"]
        read = parse_market(listed)
        assert read.tradable and read.liquidity > 0 and read.volume_7d > 0
    assert await rows(venue, "/markets", closed="true") == []


async def test_our_reader_reads_every_fact_as_the_exchange_has_it(venue: Venue) -> None:
    """Dates, game, event, group, tags, programme and fees over a real socket: nothing is lost or made up on the way."""
    gamma = GammaClient(str(venue.urls["gamma_url"]), ManualClock(unix=venue.exchange.now_ms / 1000))
    markets, problems = await gamma.markets(tuple(venue.exchange.listings))
    await gamma.close()
    assert problems == []
    assert [each.instrument for each in markets] == [each.instrument for each in venue.exchange.listings.values()]
    items = [each.instrument for each in markets]
    assert all(item.tags and item.event_id and item.reward_daily_usd and item.fees is not None for item in items)
    assert any(item.fees.rate == 0 for item in items if item.fees is not None), "the free category"
    assert {item.game_start_unix is None for item in items} == {True, False}
    groups = [item.group for item in items if item.group]
    assert len(set(groups)) == 2 and len(groups) > 4


async def test_a_games_start_is_told_in_every_catalogue(venue: Venue) -> None:
    """Each spells it its own way (polymarket-api.md 4.1, 7), and a market without a game says so."""
    games = {m: each.instrument.game_start_unix for m, each in venue.exchange.listings.items()}
    game = next(market for market, start in games.items() if start is not None)
    for market in (game, venue.market):
        start = games[market]
        moment = None if start is None else datetime.fromtimestamp(start, UTC)
        listed = (await rows(venue, "/markets", condition_ids=market))[0]
        clob = venue.urls["clob_url"]
        short = (await venue.http.get(f"{clob}/clob-markets/{market}")).json()
        long = (await venue.http.get(f"{clob}/markets/{market}")).json()
        iso = None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert (short["gst"], long["game_start_time"], listed["events"][0].get("startTime")) == (iso, iso, iso)
        assert listed.get("gameStartTime") == (None if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S+00"))
        assert moment is None or start < venue.exchange.listings[market].end_unix


async def test_events_of_the_exchange_are_open_ended(venue: Venue) -> None:
    """Their outcomes leave a chance to one that is not listed: nobody may make their fair values sum to a dollar."""
    for listed in await rows(venue, "/events", closed="false", limit=100):
        assert listed["negRiskAugmented"] is listed["negRisk"]
    items = [each.instrument for each in venue.exchange.listings.values()]
    assert all(item.group_size == 0 for item in items)


async def test_an_ended_programme_pays_nothing(venue: Venue) -> None:
    """A reader of another year sees the programmes that have not begun."""
    gamma = GammaClient(str(venue.urls["gamma_url"]), ManualClock(unix=1_600_000_000))
    markets, _ = await gamma.markets((venue.market,))
    await gamma.close()
    assert markets[0].instrument.reward_daily_usd == 0


KINDS = {str: "text", int: "number", float: "number", bool: "bool", list: "list", dict: "object", type(None): "none"}


def kinds(thing: dict[str, Any]) -> dict[str, str]:
    return {name: KINDS[type(value)] for name, value in thing.items()}


READ = {
    *("id", "version", "conditionId", "questionID", "slug", "question", "groupItemTitle", "outcomes", "outcomePrices"),
    *("clobTokenIds", "active", "closed", "archived", "acceptingOrders", "enableOrderBook", "negRisk", "negRiskOther"),
    *("startDate", "endDate", "orderPriceMinTickSize", "orderMinSize", "secondsDelay", "feesEnabled", "feeType"),
    *("feeSchedule", "liquidity", "liquidityNum", "liquidityClob", "volume", "volumeNum", "volume24hr", "volume1wk"),
    *("volume1mo", "volume1yr", "bestBid", "bestAsk", "spread", "lastTradePrice", "rewardsMinSize", "rewardsMaxSpread"),
    *("clobRewards", "umaResolutionStatus", "events"),
}
"""What polymarket-api.md 7 says clients read of an open market."""


async def test_every_field_has_the_kind_it_has_in_real_answers(venue: Venue) -> None:
    """A number where the venue sends a text, or the reverse, is what breaks parsers."""
    await venue.take("YES", "BUY", 7)
    ours = await rows(venue, "/markets", limit=100)
    real: dict[str, set[str]] = {}
    for path in recorded("gamma-market*.json"):
        given = json.loads(path.read_bytes())
        for market in given if isinstance(given, list) else [given]:
            for name, kind in kinds(market).items():
                real.setdefault(name, set()).add(kind)
    wrong = {
        name: (kind, real[name])
        for market in ours
        for name, kind in kinds(market).items()
        if name in real and kind not in real[name]
    }
    assert wrong == {}
    for market in ours:
        assert set(market) >= READ - ({"feeSchedule"} if not market["feesEnabled"] else set())


async def test_limits_are_clamped_and_deep_offsets_refused(venue: Venue) -> None:
    assert len(await rows(venue, "/markets")) == 20
    assert len(await rows(venue, "/markets", limit=5_000)) == MARKETS
    assert len(await rows(venue, "/markets", limit=3, offset=22)) == 2
    assert await rows(venue, "/markets", offset=2_000) == []
    assert await refused(venue, "/markets", offset=2_001)
    assert "sunset" in (await get(venue, "/markets")).headers


@pytest.mark.parametrize(("path", "name"), [("/markets/keyset", "markets"), ("/events/keyset", "events")])
@pytest.mark.parametrize("order", [{}, {"order": "volume24hr", "ascending": "false"}, {"order": "endDate,id"}])
async def test_keyset_pages_cover_everything_once(venue: Venue, path: str, name: str, order: dict[str, str]) -> None:
    whole = (await get(venue, path, limit=100, closed="false", **order)).json()
    assert set(whole) == {name}
    seen, params = [], {"limit": 5, "closed": "false"} | order
    while True:
        page = (await get(venue, path, **params)).json()
        seen += [each["id"] for each in page[name]]
        if "next_cursor" not in page:
            break
        params["after_cursor"] = page["next_cursor"]
    assert seen == [each["id"] for each in whole[name]] and len(set(seen)) == len(seen) > 10


async def test_a_cursor_survives_that_its_market_closes(venue: Venue) -> None:
    """Position in a list is no cursor: what closes in between must not make the next page skip one."""
    page = (await get(venue, "/markets/keyset", limit=3, closed="false")).json()
    for market in page["markets"]:
        venue.exchange.close_market(market["conditionId"])
    rest = (await get(venue, "/markets/keyset", limit=3, closed="false", after_cursor=page["next_cursor"])).json()
    assert [each["conditionId"] for each in rest["markets"]] == list(venue.exchange.listings)[3:6]


async def test_keyset_lists_ignore_the_wrong_cursor_name_and_state_filters(venue: Venue) -> None:
    first = (await get(venue, "/markets/keyset", limit=2)).json()
    again = (await get(venue, "/markets/keyset", limit=2, cursor=first["next_cursor"])).json()
    assert [m["id"] for m in again["markets"]] == [m["id"] for m in first["markets"]]
    assert len((await get(venue, "/markets/keyset", active="false", archived="junk")).json()["markets"]) == 20
    assert await rows(venue, "/markets", active="false") == []
    assert await refused(venue, "/markets/keyset", offset=1)
    for cursor in ("x", "####", "bnVsbA==", "WyJhIiwxXQ==", first["next_cursor"] + "="):
        assert await refused(venue, "/markets/keyset", order="volumeNum", after_cursor=cursor), cursor


async def test_filters_choose_by_each_id_and_figure(venue: Venue) -> None:
    markets = await rows(venue, "/markets", limit=100)
    one, two = markets[0], markets[5]

    async def found(**params: Any) -> list[str]:
        return [m["id"] for m in await rows(venue, "/markets", limit=100, **params)]

    both = [one["id"], two["id"]]
    for name, field in (
        ("id", "id"),
        ("slug", "slug"),
        ("condition_ids", "conditionId"),
        ("question_ids", "questionID"),
    ):
        assert await found(**{name: [one[field], two[field]]}) == both, name
    tokens = [json.loads(each["clobTokenIds"])[n] for n, each in enumerate((one, two))]
    assert await found(clob_token_ids=tokens) == both
    assert await found(condition_ids=["0x" + "00" * 32]) == []
    assert await refused(venue, "/markets", condition_ids=[hex(n) for n in range(101)])
    v2 = [m for m in markets if m["version"] == "v2"]
    assert await found(version="v2") == [m["id"] for m in v2] and v2
    assert await found(position_ids=v2[0]["positionIds"][1]) == [v2[0]["id"]]
    for name, field in (("liquidity_num", "liquidityNum"), ("volume_num", "volumeNum")):
        border = sorted(m[field] for m in markets)[10]
        assert await found(**{f"{name}_min": border}) == [m["id"] for m in markets if m[field] >= border]
        assert await found(**{f"{name}_max": border}) == [m["id"] for m in markets if m[field] <= border]
    border = sorted(m["endDate"] for m in markets)[10]
    assert await found(end_date_min=border) == [m["id"] for m in markets if m["endDate"] >= border]
    assert await found(end_date_max=border) == [m["id"] for m in markets if m["endDate"] <= border]
    assert await found(start_date_min="2999-01-01") == [] and len(await found(start_date_max="2999-01-01")) == MARKETS
    assert await found(rewards_min_size=200) == [m["id"] for m in markets if m["rewardsMinSize"] >= 200]
    tagged = await rows(venue, "/markets", limit=100, include_tag="true")
    sports = next(m for m in tagged if m["category"] == "Sports")["tags"][0]["id"]
    assert await found(tag_id=sports) == [m["id"] for m in tagged if m["category"] == "Sports"]


async def test_orders_are_camel_case_and_texts_sort_as_texts(venue: Venue) -> None:
    async def column(order: str, field: str, ascending: str = "true") -> list[Any]:
        return [m[field] for m in await rows(venue, "/markets", limit=100, order=order, ascending=ascending)]

    for name in ("volumeNum", "liquidityNum", "volume24hr", "endDate", "slug"):
        values = await column(name, name)
        assert values == sorted(values) and await column(name, name, "false") == sorted(values, reverse=True)
    as_text = await column("volume", "volume")
    assert as_text == sorted(as_text) and [float(v) for v in as_text] != sorted(map(float, as_text))
    for name in ("volume_num", "end_date", "nothing", "volumeNum,volume_num", "__class__"):
        assert await refused(venue, "/markets", order=name), name


async def test_junk_in_any_parameter_is_a_validation_error(venue: Venue) -> None:
    before = venue.fingerprint()
    numbers = ("limit", "offset", "liquidity_num_min", "volume_num_max", "rewards_min_size")
    for name in (*numbers, "closed", "ascending", "start_date_min", "end_date_max", "include_tag", "order"):
        for value in ("x", "NaN", "1e9", "-", "٣", "1_0", "9" * 400, "null", "\x00"):
            query = {"order": "id"} | {name: value}
            assert await refused(venue, "/markets", **query), (name, value)
            answer = await get(venue, "/events/keyset", **query)
            assert answer.status_code in (200, 422)
    assert await refused(venue, "/markets", limit=-1)
    assert await refused(venue, "/public-search")
    assert venue.fingerprint() == before


async def test_single_objects_are_found_by_id_and_slug_only(venue: Venue) -> None:
    market = (await rows(venue, "/markets", limit=1))[0]
    event = market["events"][0]
    assert (await get(venue, f"/markets/{market['id']}")).json()["conditionId"] == market["conditionId"]
    assert (await get(venue, f"/markets/slug/{market['slug']}")).json()["id"] == market["id"]
    assert (await get(venue, f"/events/{event['id']}")).json()["slug"] == event["slug"]
    assert (await get(venue, f"/events/slug/{event['slug']}")).json()["id"] == event["id"]
    for path in ("/markets/none", "/markets/slug/none", "/events/0", "/events/slug/none"):
        missing = await get(venue, path)
        assert (missing.status_code, missing.json()["type"]) == (404, "not found error")


@pytest.mark.parametrize(("result", "prices"), [("YES", ["1", "0"]), ("NO", ["0", "1"]), ("HALF", ["0.5", "0.5"])])
async def test_a_market_pauses_closes_and_resolves_before_everybodys_eyes(
    venue: Venue, result: Any, prices: list[str]
) -> None:
    async def state() -> dict[str, Any]:
        return (await rows(venue, "/markets", condition_ids=venue.market))[0]

    venue.exchange.pause_market(venue.market, True)
    paused = await state()
    assert (paused["acceptingOrders"], paused["closed"], parse_market(paused).tradable) == (False, False, False)
    venue.exchange.close_market(venue.market)
    closed = await state()
    assert (closed["closed"], closed["acceptingOrders"], closed["umaResolutionStatus"]) == (True, False, "proposed")
    assert closed["closedTime"].endswith("+00") and "bestBid" not in closed
    venue.exchange.resolve(venue.market, result)
    resolved = await state()
    assert (resolved["umaResolutionStatus"], json.loads(resolved["outcomePrices"])) == ("resolved", prices)
    assert [m["id"] for m in await rows(venue, "/markets", closed="true")] == [resolved["id"]]
    assert [m["id"] for m in await rows(venue, "/markets", uma_resolution_status="resolved")] == [resolved["id"]]
    assert resolved["id"] not in [m["id"] for m in await rows(venue, "/markets", closed="false", limit=100)]
    assert len(await rows(venue, "/markets", limit=100)) == MARKETS


async def test_a_new_tick_is_told(venue: Venue) -> None:
    venue.exchange.change_tick(venue.market, "0.001")
    assert (await rows(venue, "/markets", condition_ids=venue.market))[0]["orderPriceMinTickSize"] == 0.001


async def test_events_hold_all_their_markets_and_markets_name_their_event(venue: Venue) -> None:
    events = await rows(venue, "/events", closed="false", limit=100)
    ids = [market["id"] for event in events for market in event["markets"]]
    assert sorted(ids) == sorted(each.gamma_id for each in venue.exchange.listings.values())
    shared = [event for event in events if len(event["markets"]) > 1]
    assert {event["negRisk"] for event in shared} == {True, False}
    for event in shared:
        names = [market["groupItemTitle"] for market in event["markets"]]
        assert len(set(names)) == len(names) and all(
            name in m["question"] for name, m in zip(names, event["markets"], strict=True)
        )
        assert event["volume"] == pytest.approx(sum(m["volumeNum"] for m in event["markets"]))
        if event["negRisk"]:
            parents = {market["negRiskMarketID"] for market in event["markets"]}
            assert parents == {event["negRiskMarketID"]}
        again = (await get(venue, f"/markets/{event['markets'][1]['id']}")).json()["events"]
        assert [(each["id"], each["title"]) for each in again] == [(event["id"], event["title"])]
        assert "markets" not in again[0]


async def test_events_have_the_kinds_of_the_recorded_ones(venue: Venue) -> None:
    real: dict[str, set[str]] = {}
    for path in recorded("gamma-event*.json"):
        given = json.loads(path.read_bytes())
        for event in given if isinstance(given, list) else [given]:
            for name, kind in kinds(event).items():
                real.setdefault(name, set()).add(kind)
    for event in await rows(venue, "/events", limit=100):
        wrong = {name: kind for name, kind in kinds(event).items() if name in real and kind not in real[name]}
        assert wrong == {}


async def test_events_without_closed_are_the_closed_ones_once_there_are_any(venue: Venue) -> None:
    everything = await rows(venue, "/events", limit=100)
    assert everything and not any(event["closed"] for event in everything)
    shared = next(event for event in everything if len(event["markets"]) > 1)
    for market in shared["markets"]:
        assert shared["id"] not in [e["id"] for e in await rows(venue, "/events", closed="true")]
        venue.exchange.close_market(market["conditionId"])
    assert [event["id"] for event in await rows(venue, "/events")] == [shared["id"]]
    assert shared["id"] not in [event["id"] for event in await rows(venue, "/events", closed="false", limit=100)]
    assert (await get(venue, f"/events/{shared['id']}")).json()["closedTime"]


async def test_version_two_markets_have_real_arrays_of_positions(venue: Venue) -> None:
    for market in await rows(venue, "/markets", version="v2"):
        instrument = venue.exchange.listings[market["conditionId"]].instrument
        assert market["positionIds"] == [instrument.yes_token, instrument.no_token]
        assert market["conditionId"].endswith("00")
    assert all("positionIds" not in market for market in await rows(venue, "/markets", version="v1"))


async def test_volume_grows_with_trades(venue: Venue) -> None:
    before = (await rows(venue, "/markets", condition_ids=venue.market))[0]
    await venue.take("YES", "BUY", 7)
    after = (await rows(venue, "/markets", condition_ids=venue.market))[0]
    assert after["volumeNum"] - before["volumeNum"] == pytest.approx(7)
    assert venue.exchange.traded[venue.market] == 7 * MICRO
    assert float(after["volume"]) == pytest.approx(after["volumeNum"], abs=1e-3)


async def test_search_wants_every_word_and_comes_in_pages(venue: Venue) -> None:
    found = (await get(venue, "/public-search", q="WIN league")).json()
    assert [event["title"] for event in found["events"]] == ["Who will win the league?"]
    assert found["pagination"] == {"hasMore": False, "totalResults": 1}
    assert (await get(venue, "/public-search", q="harbour xyzzy")).json()["events"] == []
    first = (await get(venue, "/public-search", q="will", limit_per_type=4, page=1)).json()
    second = (await get(venue, "/public-search", q="will", limit_per_type=4, page=2)).json()
    assert first["pagination"]["hasMore"] and len(first["events"]) == 4
    assert not {e["id"] for e in first["events"]} & {e["id"] for e in second["events"]}
    venue.exchange.close_market(venue.market)
    closed = (await get(venue, "/public-search", q="will", events_status="closed")).json()
    assert [event["markets"][0]["conditionId"] for event in closed["events"]] == [venue.market]
