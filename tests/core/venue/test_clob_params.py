"""What the CLOB tells of a market's parameters, and how many of them are asked for at a time."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import MalformedMessage, VenueError, VenueUnavailable
from core.market.fees import FeeSchedule
from core.venue import paced
from core.venue.clob_params import AT_ONCE, ClobMarkets, ClobParams, parse_params
from tests.builders import laws, recorded, shares

MARKET = "0x" + "ab" * 32


def raw(**over: Any) -> dict[str, Any]:
    """As the venue sends it (polymarket-api.md 4.1); ``...`` leaves a field out."""
    plain = {
        "c": MARKET,
        "t": [{"t": "11", "o": "Yes"}, {"t": "22", "o": "No"}],
        "mts": 0.01,
        "mos": 5,
        "ao": True,
    }
    return {name: value for name, value in (plain | over).items() if value is not ...}


def test_everything_that_is_told_is_read() -> None:
    read = parse_params(
        raw(
            mts=0.0025, mos=5.0, nr=True, fd={"r": 0.05, "e": 1, "to": True}, mbf=1000, tbf=1000, itode=True, v="v2",
            r={"mi": 50, "ma": 4.5, "e": True, "moas": 4}, gst="2026-07-20T10:00:00Z", cbos=True, oas=4, rfqe=False,
        ),
        MARKET,
    )  # fmt: skip
    assert read == ClobParams(
        market=MARKET,
        outcomes=("yes", "no"),
        tokens=("11", "22"),
        tick_text="0.0025",
        min_size=shares(5),
        min_size_text="5",
        accepting=True,
        neg_risk=True,
        fees=FeeSchedule(rate=50_000),
        reward_min_size=shares(50),
        reward_max_spread_cents=4.5,
        rewarded=True,
        game_start_unix=1784541600.0,
        taker_delay=True,
        version="v2",
    )
    assert (read.token_of("yes"), read.token_of("no")) == ("11", "22")


def test_what_the_venue_leaves_out_is_what_it_means_by_that() -> None:
    """``nr`` is omitted when false, ``fd`` when free, ``itode`` when false (polymarket-api.md 4.1)."""
    read = parse_params(raw(c=...), MARKET)
    assert (read.neg_risk, read.fees, read.makers_pay, read.taker_delay) == (False, FeeSchedule(rate=0), False, None)
    assert (read.reward_min_size, read.reward_max_spread_cents, read.rewarded) == (None, None, None)
    assert (read.game_start_unix, read.version, read.doubts) == (None, None, ())


def test_a_schedule_of_nulls_is_none() -> None:
    assert parse_params(raw(fd={"r": None, "e": None, "to": None}), MARKET).fees == FeeSchedule(rate=0)


def test_a_fee_that_makers_pay_too_is_told() -> None:
    assert parse_params(raw(fd={"r": 0.05, "e": 1, "to": False}), MARKET).makers_pay
    assert not parse_params(raw(fd={"r": 0.05, "e": 1}), MARKET).makers_pay


@pytest.mark.parametrize(
    "entries",
    [None, [], "x", [{"t": "", "o": "Yes"}, {"t": "", "o": "No"}], [{"o": "Yes"}, {"o": "No"}], [7]],
)
def test_a_market_that_is_still_set_up_is_told_as_such(entries: object) -> None:
    """reliability.md D11: nobody subscribes to an empty id."""
    with pytest.raises(MalformedMessage, match="no token ids yet"):
        parse_params(raw(t=entries), MARKET)


YES, NO = {"t": "11", "o": "Yes"}, {"t": "22", "o": "No"}


@pytest.mark.parametrize(
    "over",
    [
        {"c": "0xother"},
        {"c": None},
        {"t": [YES]},
        {"t": [YES, NO, {"t": "33", "o": "Maybe"}]},
        {"t": [YES, {"t": "11", "o": "No"}]},
        {"t": [YES, {"t": "22", "o": " yes "}]},
        {"t": [YES, {"t": "22", "o": ""}]},
        {"t": [YES, {"t": "22"}]},
        {"t": [YES, {"t": 22, "o": "No"}]},
        {"t": [YES, {"t": "1.23E+76", "o": "No"}]},
        {"t": [YES, {"t": "-22", "o": "No"}]},
        {"t": [YES, {"t": "2" * 79, "o": "No"}]},
        {"t": [YES, {"t": ["22"], "o": "No"}]},
        {"mts": ...},
        {"mts": None},
        {"mts": 0},
        {"mts": 0.3},
        {"mts": "x"},
        {"mts": float("nan")},
        {"mts": True},
        {"mos": ...},
        {"mos": -5},
        {"mos": 0},
        {"mos": "0.0"},
        {"mos": 1e-7},
        {"mos": "nan"},
        {"mos": 1e300},
        {"nr": "true"},
        {"nr": 1},
        {"v": "v3"},
        {"v": 2},
        {"fd": "free"},
        {"fd": {}},
        {"fd": {"r": 0.05}},
        {"fd": {"r": "nan", "e": 1, "to": True}},
        {"fd": {"r": -0.05, "e": 1, "to": True}},
        {"fd": {"r": 0.05, "e": 0, "to": True}},
        {"fd": {"r": 0.05, "e": 1, "to": "yes"}},
    ],
)
def test_parameters_that_orders_cannot_be_built_with_are_malformed(over: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        parse_params(raw(**over), MARKET)


@pytest.mark.parametrize(
    ("over", "name"),
    [
        ({"r": "x"}, "r"),
        ({"r": {"mi": -1}}, "mi"),
        ({"r": {"ma": 101}}, "ma"),
        ({"r": {"e": "yes"}}, "e"),
        ({"gst": "soon"}, "gst"),
        ({"ao": "true"}, "ao"),
        ({"itode": 250}, "itode"),
    ],
)
def test_any_other_field_that_cannot_be_read_is_not_known_and_told(over: dict[str, Any], name: str) -> None:
    read = parse_params(raw(**over), MARKET)
    assert len(read.doubts) == 1 and read.doubts[0].startswith(f"{name} cannot be read")


def test_whether_orders_are_taken_may_not_be_told() -> None:
    told = [parse_params(raw(ao=value), MARKET).accepting for value in (True, False, None, ..., 1)]
    assert told == [True, False, None, None, None]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["t", "o", "r", "e", "to", "mi", "ma"]), inner, max_size=4)
    ),
    max_leaves=8,
)
FIELDS = ("c", "t", "mts", "mos", "ao", "nr", "fd", "r", "gst", "itode", "v")


@laws(400)
@given(st.dictionaries(st.sampled_from(FIELDS), anything) | anything)
def test_whatever_is_told_it_is_read_whole_or_refused(over: Any) -> None:
    """Nothing of another type and no figure out of range gets into what orders are built with."""
    try:
        read = parse_params(raw() | over if isinstance(over, dict) else over, MARKET)
    except MalformedMessage:
        return
    assert msgspec.json.decode(msgspec.json.encode(read), type=ClobParams) == read
    assert all(token.isdigit() for token in read.tokens) and len(set(read.tokens)) == 2 == len(set(read.outcomes))
    assert read.min_size >= 0 and 0 <= read.fees.rate <= 10**6 and 0 < read.fees.exponent <= 100


def test_recorded_markets_are_read_or_have_no_ids() -> None:
    """The CLOB's page of 2024 has least sizes that no other file here has: 15, 14.96 and 0 shares."""
    read, unset = [], 0
    for old in json.loads(recorded("clob-markets-page.json")[0].read_bytes())["data"]:
        told = {
            "c": old["condition_id"], "t": [{"t": each["token_id"], "o": each["outcome"]} for each in old["tokens"]],
            "mts": old["minimum_tick_size"], "mos": old["minimum_order_size"], "ao": old["accepting_orders"],
            "nr": old["neg_risk"], "gst": old["game_start_time"],
            "r": {"mi": old["rewards"]["min_size"], "ma": old["rewards"]["max_spread"]},
        }  # fmt: skip
        try:
            read.append(parse_params(told, old["condition_id"]))
        except MalformedMessage as error:
            assert str(error) == "no token ids yet" and not any(each["token_id"] for each in old["tokens"])
            unset += 1
    assert len(read) > 90 and len(read) + unset == 100 and all(each.doubts == () for each in read)
    assert {each.min_size_text for each in read} >= {"15", "14.96", "14.97", "5"}
    assert {each.tick_text for each in read} == {"0.01", "0.001"}


# How they are read


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paced, "PAUSE_S", 0.0)


def client(answer: Callable[[str], httpx.Response]) -> ClobMarkets:
    """A CLOB that answers by market."""

    def respond(request: httpx.Request) -> httpx.Response:
        place, _, market = request.url.path.rpartition("/")
        assert (request.method, place) == ("GET", "/clob-markets")
        return answer(market)

    clob = ClobMarkets("http://clob.test")
    clob._client = httpx.AsyncClient(base_url="http://clob.test", transport=httpx.MockTransport(respond))
    return clob


async def test_each_market_has_its_own_fate() -> None:
    """One that is unknown, broken, refused or out fails no other."""
    answers = {
        "good": httpx.Response(200, json=raw(c="good")),
        "new": httpx.Response(404, json={"error": "market not found"}),
        "other": httpx.Response(200, json=raw(c="someone else's")),
        "page": httpx.Response(200, text="<html>"),
        "list": httpx.Response(200, json=[1]),
        "bad": httpx.Response(400, json={"error": "Invalid"}),
        "busy": httpx.Response(429),
        "again": httpx.Response(200, json=raw(c="again")),
    }
    clob = client(lambda market: answers[market])
    read = await clob.read(list(answers))
    await clob.close()
    assert list(read.params) == ["good", "again"]
    assert read.unread == {
        "other": "the answer is about another market",
        "page": "/clob-markets: the answer is not JSON",
        "list": "no JSON object",
        "bad": "/clob-markets: status 400",
        "busy": "/clob-markets: status 429",
    }


async def test_a_market_id_cannot_name_another_place() -> None:
    """Ids come from sheets and files."""
    asked: list[bytes] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path)
        return httpx.Response(404)

    clob = ClobMarkets("http://clob.test")
    clob._client = httpx.AsyncClient(base_url="http://clob.test", transport=httpx.MockTransport(respond))
    await clob.read(["../order?x=1", "a b/c#d"])
    await clob.close()
    assert asked == [b"/clob-markets/..%2Forder%3Fx%3D1", b"/clob-markets/a%20b%2Fc%23d"]


@pytest.mark.parametrize("status", [425, 429, 500, 503])
async def test_an_exchange_that_is_out_is_not_asked_two_thousand_times(status: int) -> None:
    asked = 0

    def answer(market: str) -> httpx.Response:
        nonlocal asked
        asked += 1
        return httpx.Response(status)

    clob = client(answer)
    with pytest.raises(VenueUnavailable, match=str(status)):
        await clob.read([f"m{n}" for n in range(2000)])
    await clob.close()
    assert asked == AT_ONCE


async def test_an_exchange_that_stops_answering_keeps_what_it_has_told() -> None:
    asked: list[str] = []

    def answer(market: str) -> httpx.Response:
        asked.append(market)
        return httpx.Response(200, json=raw(c=market)) if len(asked) <= 30 else httpx.Response(429)

    clob = client(answer)
    markets = [f"m{n}" for n in range(100)]
    read = await clob.read(markets)
    await clob.close()
    assert list(read.params) == markets[:30] and list(read.unread) == markets[30:]
    assert asked == markets[:60], "a whole group without an answer is the end"


async def test_unknown_markets_are_an_answer() -> None:
    """A list of new markets is no outage."""
    clob = client(lambda _: httpx.Response(404))
    read = await clob.read([f"m{n}" for n in range(50)])
    await clob.close()
    assert (read.params, read.unread) == ({}, {})


async def test_nobody_is_asked_about_nothing() -> None:
    clob = client(lambda _: httpx.Response(500))
    read = await clob.read([])
    await clob.close()
    assert (read.params, read.unread) == ({}, {})


async def test_an_exchange_that_cannot_be_reached_is_an_outage() -> None:
    def fail(market: str) -> httpx.Response:
        raise httpx.ConnectError("no")

    clob = client(fail)
    with pytest.raises(VenueError, match="ConnectError"):
        await clob.read(["m"])
    await clob.close()


async def test_requests_go_out_in_groups_with_a_pause_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session shares the address: 20 at a time, five times a second, of 900 a second that the CLOB allows."""
    together = most = 0
    pauses: list[float] = []

    async def ask(item: int) -> int:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await asyncio.sleep(0)
        together -= 1
        return item * item

    sleep = asyncio.sleep

    async def pause(seconds: float) -> None:
        if seconds:
            pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(paced, "PAUSE_S", 0.2)
    monkeypatch.setattr(asyncio, "sleep", pause)
    groups = [group async for group in paced.paced(range(45), ask, 20)]
    assert [len(group) for group in groups] == [20, 20, 5] and most == 20
    assert pauses == [0.2, 0.2] and groups[2][-1] == (44, 44 * 44)
