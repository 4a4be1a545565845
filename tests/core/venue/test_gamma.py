"""Gamma's market objects."""

import gzip
import json
from typing import Any

import httpx
import pytest

from core.errors import MalformedMessage, VenueRefused, VenueUnavailable
from core.venue.gamma import GammaClient, parse_market
from tests.builders import recorded, shares


def raw(**over: Any) -> dict[str, Any]:
    plain = {
        "conditionId": "0xabc",
        "question": "Will it?",
        "outcomes": '["Yes", "No"]',
        "clobTokenIds": '["11", "22"]',
        "orderPriceMinTickSize": 0.01,
        "orderMinSize": 5,
        "active": True,
        "closed": False,
        "enableOrderBook": True,
        "acceptingOrders": True,
    }
    return plain | over


def test_market_is_read_with_its_doubly_encoded_lists() -> None:
    item = parse_market(raw()).instrument
    assert (item.market, item.yes_token, item.no_token, item.tick_text) == ("0xabc", "11", "22", "0.01")
    assert (item.min_size, item.min_size_text, item.neg_risk, item.end_unix) == (shares(5), "5", False, None)


def test_the_version_says_which_ids_are_traded() -> None:
    """Gamma may give both kinds; of a Protocol v2 market the positions are meant (polymarket-api.md 2.1)."""
    both = raw(positionIds=["33", "44"])
    assert parse_market(both).instrument.yes_token == "11"
    assert parse_market(both | {"version": "v1"}).instrument.yes_token == "11"
    assert parse_market(both | {"version": "v2"}).instrument.yes_token == "33"


def test_yes_token_is_the_one_whose_outcome_says_so() -> None:
    item = parse_market(raw(outcomes='["No", "YES"]')).instrument
    assert (item.yes_token, item.no_token) == ("22", "11")


def test_first_outcome_stands_for_yes_where_none_is_called_so() -> None:
    assert parse_market(raw(outcomes='["IG", "LGD"]')).instrument.yes_token == "11"


@pytest.mark.parametrize(
    ("tick", "text"),
    [(0.1, "0.1"), (0.01, "0.01"), (0.005, "0.005"), (0.0025, "0.0025"), (0.001, "0.001"), (1e-4, "0.0001")],
)
def test_every_tick_seen_is_spelled_as_the_book_spells_it(tick: float, text: str) -> None:
    assert parse_market(raw(orderPriceMinTickSize=tick)).instrument.tick_text == text


@pytest.mark.parametrize("size", [5, 5.0, "5"])
def test_minimum_size_is_spelled_as_in_the_book_hash(size: object) -> None:
    assert parse_market(raw(orderMinSize=size)).instrument.min_size_text == "5"


@pytest.mark.parametrize("text", ["2026-07-20T12:00:00Z", "2026-07-20T12:00:00+00:00", "2026-07-20T12:00:00"])
def test_end_is_utc_whether_it_says_so_or_not(text: str) -> None:
    assert parse_market(raw(endDate=text)).instrument.end_unix == 1784548800.0


@pytest.mark.parametrize("value", ["", "soon", None, 5, "2026-13-45"])
def test_end_that_is_no_time_is_not_known(value: object) -> None:
    assert parse_market(raw(endDate=value)).instrument.end_unix is None


@pytest.mark.parametrize(
    ("value", "size"), [(50, 50.0), ("20", 20.0), (0, None), (None, None), ("x", None), (1e400, None)]
)
def test_reward_minimum_may_be_absent(value: object, size: float | None) -> None:
    assert parse_market(raw(rewardsMinSize=value)).instrument.reward_min_size == (
        None if size is None else shares(size)
    )


@pytest.mark.parametrize(
    "over",
    [
        {"clobTokenIds": '["11"]'},
        {"clobTokenIds": '["11", "11"]'},
        {"clobTokenIds": [11, 22]},
        {"clobTokenIds": None},
        {"clobTokenIds": "[1"},
        {"outcomes": '["Yes", "No", "Maybe"]'},
        {"outcomes": "[1, 2]"},
        {"conditionId": None},
        {"conditionId": 7},
        {"orderPriceMinTickSize": 0.3},
        {"orderPriceMinTickSize": 0},
        {"orderPriceMinTickSize": "x"},
        {"orderMinSize": float("nan")},
        {"orderMinSize": -1},
    ],
)
def test_object_that_is_no_binary_market_is_malformed(over: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        parse_market(raw(**over))


@pytest.mark.parametrize(
    "over",
    [
        {"active": False},
        {"closed": True},
        {"enableOrderBook": False},
        {"acceptingOrders": False},
        {"umaResolutionStatus": "proposed"},
    ],
)
def test_market_that_takes_no_orders_is_not_tradable(over: dict[str, Any]) -> None:
    assert parse_market(raw()).tradable
    assert not parse_market(raw(**over)).tradable


def test_figures_may_be_missing_or_texts() -> None:
    item = parse_market(raw(liquidity="12.5", volume1wk=None, volume1wkClob=7, volume1mo="x"))
    assert (item.liquidity, item.volume_7d, item.volume_30d) == (12.5, 7.0, 0.0)


def test_every_recorded_market_is_read_or_refused_by_name() -> None:
    """All shapes of the recordings: lists, events, sports lines, closed, legacy and non-binary markets."""
    read = refused = 0
    for path in recorded("gamma-*.json") + recorded("book-gamma-pairs-2026-07/gamma-*.json"):
        found = json.loads(path.read_bytes())
        for entry in found if isinstance(found, list) else [found]:
            for item in entry.get("markets", [entry]):
                try:
                    read += bool(parse_market(item).instrument.market)
                except MalformedMessage:
                    refused += 1
    for path in recorded("gamma-markets-*.jsonl.gz"):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            read += bool(parse_market(json.loads(line)["raw"]).instrument.market)
    assert read > 400
    assert refused < 10


def test_catalogue_agrees_with_the_books_recorded_beside_it() -> None:
    for path in recorded("book-gamma-pairs-2026-07/book-*.json"):
        book = json.loads(path.read_bytes())
        item = parse_market(
            json.loads(path.with_name(path.name.replace("book-", "gamma-market-")).read_bytes())
        ).instrument
        assert (item.market, item.tick_text, item.neg_risk) == (book["market"], book["tick_size"], book["neg_risk"])
        assert item.min_size_text == book["min_order_size"]
        assert item.outcome_of(book["asset_id"]) is not None


def client(answer: Any) -> GammaClient:
    gamma = GammaClient("http://gamma.test")
    gamma._client = httpx.AsyncClient(base_url="http://gamma.test", transport=httpx.MockTransport(answer))
    return gamma


async def test_markets_come_in_the_order_asked_for_with_a_line_for_each_that_is_missing() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.extend(request.url.params.get_list("condition_ids"))
        return httpx.Response(200, json=[raw(conditionId="0xb"), raw(conditionId="0xa"), {"conditionId": "0xbad"}])

    gamma = client(answer)
    markets, problems = await gamma.markets(("0xa", "0xb", "0xz"))
    await gamma.close()
    assert asked == ["0xa", "0xb", "0xz"]
    assert [market.instrument.market for market in markets] == ["0xa", "0xb"]
    assert len(problems) == 2 and "0xz is not known" in problems[1]


@pytest.mark.parametrize(
    "answer", [httpx.Response(500), httpx.Response(200, text="<html>"), httpx.Response(200, json={})]
)
async def test_answer_that_is_no_list_is_refused(answer: httpx.Response) -> None:
    gamma = client(lambda _: answer)
    with pytest.raises(VenueRefused):
        await gamma.markets(())
    await gamma.close()


async def test_gamma_that_cannot_be_reached_is_unavailable() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    gamma = client(fail)
    with pytest.raises(VenueUnavailable):
        await gamma.markets(("0xa",))
    await gamma.close()
