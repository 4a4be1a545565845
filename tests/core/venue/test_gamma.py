"""Gamma's market objects."""

import gzip
import json
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import MalformedMessage, VenueRefused, VenueUnavailable
from core.market.fees import FeeSchedule
from core.market.instrument import Instrument
from core.venue.gamma import GammaClient, parse_market
from tests.builders import laws, recorded, shares


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


# Facts beside what orders are built with


EVENT = {"id": "30615", "negRisk": True, "negRiskAugmented": False, "negRiskMarketID": "0xgroup"}
FEES = {"exponent": 1, "rate": 0.04, "takerOnly": True, "rebateRate": 0.25}
REWARD = {"rewardsDailyRate": 30, "startDate": "2026-04-29", "endDate": "2500-12-31"}


def test_everything_the_catalogue_tells_is_in_the_instrument() -> None:
    read = parse_market(
        raw(
            startDate="2026-07-01T10:00:00Z", endDate="2026-07-20T12:00:00Z", gameStartTime="2026-07-20 10:00:00+00",
            negRisk=True, negRiskMarketID="0xgroup", events=[EVENT], feesEnabled=True, feeSchedule=FEES,
            rewardsMinSize=50, rewardsMaxSpread=3.5, clobRewards=[REWARD],
            tags=[{"slug": "sports", "label": "Sports"}, {"slug": "soccer"}, {"slug": "sports"}],
        )
    )  # fmt: skip
    item = read.instrument
    assert (item.start_unix, item.end_unix, item.game_start_unix) == (1782900000.0, 1784548800.0, 1784541600.0)
    assert (item.event_id, item.group, item.group_size, item.tags) == ("30615", "0xgroup", 0, ("sports", "soccer"))
    assert (item.reward_min_size, item.reward_max_spread_cents, item.reward_daily_usd) == (shares(50), 3.5, 30.0)
    assert item.fees == FeeSchedule(rate=40_000, exponent=1, rebate=250_000)
    assert read.doubts == ()


def test_what_is_not_told_is_not_known() -> None:
    """A market of which nothing else is said can be traded; no figure stands in for what is missing."""
    read = parse_market(raw())
    item = read.instrument
    assert (item.start_unix, item.game_start_unix, item.event_id, item.group, item.tags) == (None, None, "", "", ())
    assert (item.reward_min_size, item.reward_max_spread_cents, item.reward_daily_usd) == (None, None, None)
    assert item.fees is None and read.doubts == ()


def test_what_is_asked_about_begins_when_its_event_does() -> None:
    """A market of five minutes is listed a day before (recorded: startDate 21 hours before eventStartTime)."""
    dates = {"startDate": "2026-07-23T02:48:35.302901Z", "eventStartTime": "2026-07-23T23:55:00Z"}
    item = parse_market(raw(**dates, endDate="2026-07-24T00:00:00Z")).instrument
    assert item.start_unix is not None and item.end_unix == item.start_unix + 300


@pytest.mark.parametrize("unset", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "", None])
def test_a_moment_that_is_a_programs_way_to_say_none_is_none(unset: str | None) -> None:
    read = parse_market(raw(startDate=unset, endDate=unset, gameStartTime=unset))
    assert (read.instrument.start_unix, read.instrument.end_unix, read.instrument.game_start_unix) == (None, None, None)
    assert read.doubts == ()


BAD_NUMBERS = ["nan", "inf", "-inf", float("nan"), float("inf"), -1, "-0.5", True, [], {}, "x", 1e300, 10**400]


@pytest.mark.parametrize("value", BAD_NUMBERS)
@pytest.mark.parametrize(
    ("name", "field"), [("rewardsMinSize", "reward_min_size"), ("rewardsMaxSpread", "reward_max_spread_cents")]
)
def test_a_programmes_figure_that_is_none_is_not_known_and_told(name: str, field: str, value: object) -> None:
    read = parse_market(raw(**{name: value}))
    assert getattr(read.instrument, field) is None
    assert len(read.doubts) == 1 and name in read.doubts[0]


@pytest.mark.parametrize("value", [*BAD_NUMBERS, None, ""])
def test_a_pool_with_one_unreadable_part_is_not_known(value: object) -> None:
    """The sum of the others would be a number, and a wrong one."""
    read = parse_market(raw(clobRewards=[REWARD, REWARD | {"rewardsDailyRate": value}]))
    assert read.instrument.reward_daily_usd is None and read.doubts


@pytest.mark.parametrize("programmes", ["[]", {}, [7], [None], [REWARD | {"endDate": "soon"}], 5, True])
def test_programmes_of_another_shape_are_told(programmes: object) -> None:
    read = parse_market(raw(clobRewards=programmes))
    assert read.instrument.reward_daily_usd is None and read.doubts


def test_only_programmes_that_run_count() -> None:
    over, later = REWARD | {"endDate": "2026-05-01"}, REWARD | {"startDate": "2026-09-01"}
    programmes = raw(clobRewards=[REWARD, over, later, REWARD | {"rewardsDailyRate": 0.5}])
    july = 1783000000.0
    assert parse_market(programmes, july).instrument.reward_daily_usd == 30.5
    assert parse_market(raw(clobRewards=[]), july).instrument.reward_daily_usd == 0
    assert parse_market(raw(clobRewards=[over]), july).instrument.reward_daily_usd == 0


@pytest.mark.parametrize("name", ["rate", "exponent", "rebateRate"])
@pytest.mark.parametrize("value", [*BAD_NUMBERS, None, ""])
def test_a_schedule_with_an_unreadable_figure_is_no_schedule(name: str, value: object) -> None:
    """Half a schedule would be a wrong fee; a free market is something else than one whose fee nobody knows."""
    read = parse_market(raw(feesEnabled=True, feeSchedule=FEES | {name: value}))
    assert read.instrument.fees is None and read.doubts


@pytest.mark.parametrize(
    ("over", "fees"),
    [
        ({"feesEnabled": False}, FeeSchedule(rate=0)),
        ({"feesEnabled": False, "feeSchedule": FEES}, FeeSchedule(rate=0)),
        ({"feesEnabled": True}, None),
        ({"feeSchedule": FEES}, None),
        ({"feesEnabled": "true", "feeSchedule": FEES}, None),
        ({"feesEnabled": True, "feeSchedule": "free"}, None),
        ({"feesEnabled": True, "feeSchedule": FEES | {"takerOnly": False}}, None),
        ({"feesEnabled": True, "feeSchedule": FEES | {"rate": "0.072"}}, FeeSchedule(rate=72_000, rebate=250_000)),
        ({"feesEnabled": True, "feeSchedule": FEES | {"exponent": 2}}, FeeSchedule(40_000, 2, 250_000)),
    ],
)
def test_a_fee_is_free_known_or_not_known(over: dict[str, Any], fees: FeeSchedule | None) -> None:
    assert parse_market(raw(**over)).instrument.fees == fees


@pytest.mark.parametrize("value", ["true", "false", 1, 0, [], "0x1"])
def test_a_market_that_does_not_say_by_which_contract_it_trades_is_refused(value: object) -> None:
    """Orders are signed for one contract or the other; a wrong guess makes orders that nobody can settle."""
    with pytest.raises(MalformedMessage, match="negRisk"):
        parse_market(raw(negRisk=value))


def test_a_group_is_of_markets_that_exclude_each_other_only() -> None:
    """Markets of an ordinary event may all come true."""
    assert parse_market(raw(events=[EVENT], negRiskMarketID="0xgroup")).instrument.group == ""
    assert parse_market(raw(negRisk=True, events=[EVENT])).instrument.group == "0xgroup"
    assert parse_market(raw(negRisk=True, events=[EVENT | {"negRiskMarketID": 7}])).instrument.group == ""


@pytest.mark.parametrize("events", [None, [], {}, "x", [7], [{}], [{"id": None}], [{"id": True}], [{"id": []}]])
def test_an_event_without_a_name_is_no_event(events: object) -> None:
    assert parse_market(raw(events=events, negRisk=True)).instrument.event_id == ""
    assert parse_market(raw(events=[{"id": 30615}])).instrument.event_id == "30615"


@pytest.mark.parametrize("tags", [None, "x", 7, [7, {"slug": 7}, {"label": "L"}, {"slug": ""}, None]])
def test_tags_of_another_shape_are_none_and_the_category_stands_in(tags: object) -> None:
    assert parse_market(raw(tags=tags)).instrument.tags == ()
    assert parse_market(raw(tags=tags, category="US current affairs")).instrument.tags == ("us-current-affairs",)


def test_a_placeholder_is_not_traded() -> None:
    assert not parse_market(raw(negRiskOther=True)).tradable and parse_market(raw(negRiskOther=False)).tradable


@pytest.mark.parametrize("value", ["nan", "inf", float("inf"), True])
def test_a_figure_to_screen_by_that_is_no_number_passes_no_screen(value: object) -> None:
    read = parse_market(raw(liquidityNum=value, volume1wk=value, volume1mo=value))
    assert (read.liquidity, read.volume_7d, read.volume_30d) == (0, 0, 0)


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from(["nan", "-1", "1e999", "0.05", "2026-07-20", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z"]),
)  # fmt: skip
names = st.sampled_from(
    ["rate", "exponent", "rebateRate", "takerOnly", "rewardsDailyRate", "startDate", "endDate", "slug", "id", "negRisk"]
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5), max_leaves=8
)
FACTS = (
    *("startDate", "endDate", "gameStartTime", "eventStartTime", "events", "negRisk", "negRiskMarketID", "tags"),
    *("category", "rewardsMinSize", "rewardsMaxSpread", "clobRewards", "feesEnabled", "feeSchedule", "negRiskOther"),
)


@laws(400)
@given(st.dictionaries(st.sampled_from(FACTS), anything), st.one_of(st.none(), st.just(1783000000.0)))
def test_whatever_a_fact_is_it_is_read_as_one_or_not_known(over: dict[str, Any], unix: float | None) -> None:
    """Nothing of another type, no NaN and no figure out of range gets into an instrument."""
    try:
        read = parse_market(raw(**over), unix)
    except MalformedMessage:
        assert not isinstance(over.get("negRisk"), bool | None)
        return
    item = read.instrument
    for moment in (item.start_unix, item.end_unix, item.game_start_unix):
        assert moment is None or 946_684_800 <= moment < 3e11
    assert item.reward_min_size is None or 0 < item.reward_min_size <= 10**15
    assert item.reward_max_spread_cents is None or 0 < item.reward_max_spread_cents <= 100
    assert item.reward_daily_usd is None or 0 <= item.reward_daily_usd < 1e10
    fees = item.fees
    assert fees is None or (0 <= fees.rate <= 10**6 and 0 < fees.exponent <= 100 and 0 <= fees.rebate <= 10**6)
    assert all(isinstance(text, str) for text in (item.event_id, item.group, *item.tags, *read.doubts))
    assert msgspec.json.decode(msgspec.json.encode(item), type=Instrument) == item


def test_an_instrument_of_an_older_recording_is_read() -> None:
    """Manifests were written before there were events, programmes and fees."""
    tokens = {"market": "0xabc", "yes_token": "11", "no_token": "22"}
    old = tokens | {"title": "Will it?", "tick_text": "0.01", "min_size": 5_000_000}
    assert msgspec.convert(old, Instrument) == parse_market(raw()).instrument


def test_no_recorded_market_is_in_doubt() -> None:
    """What the venue really sends is read whole: a doubt here would be a warning at every start."""
    programmes = schedules = games = groups = 0
    for path in recorded("gamma-*.json") + recorded("book-gamma-pairs-2026-07/gamma-*.json"):
        found = json.loads(path.read_bytes())
        for entry in found if isinstance(found, list) else [found]:
            for item in entry.get("markets", [entry]):
                try:
                    read = parse_market(item)
                except MalformedMessage:
                    continue
                assert read.doubts == (), path
                programmes += read.instrument.reward_daily_usd is not None
                schedules += read.instrument.fees is not None and read.instrument.fees.rate > 0
                games += read.instrument.game_start_unix is not None
                groups += read.instrument.group != ""
    assert min(programmes, schedules, games, groups) >= 2


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


async def test_unreadable_facts_are_told_with_their_market() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=[raw(conditionId="0xa", rewardsMaxSpread="nan")])

    gamma = client(answer)
    (market,), problems = await gamma.markets(("0xa",))
    await gamma.close()
    assert market.tradable and problems == ["market 0xa: rewardsMaxSpread cannot be read: 'nan'"]


class Events:
    """A catalogue with one event, ``77``, of the markets 0xa, 0xb and more."""

    def __init__(self, event: object = None, status: int = 200, event_id: object = "77") -> None:
        self.asked: list[str] = []
        self._event, self._status, self._event_id = event, status, event_id

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if request.url.path != "/markets":
            return httpx.Response(self._status, json=self._event)
        head = {"id": self._event_id, "negRiskMarketID": "0xgroup"}
        wanted = request.url.params.get_list("condition_ids")
        return httpx.Response(200, json=[raw(conditionId=one, negRisk=True, events=[head]) for one in wanted])


def event(*closed: bool, **over: object) -> dict[str, object]:
    return {"negRisk": True, "negRiskAugmented": False, "markets": [{"closed": each} for each in closed]} | over


async def sizes(events: Events, *conditions: str) -> tuple[list[int], list[str]]:
    gamma = client(events)
    markets, problems = await gamma.markets(conditions)
    await gamma.close()
    return [market.instrument.group_size for market in markets], problems


async def test_a_group_knows_how_many_open_markets_it_has() -> None:
    """What is decided against is out; the fair values of the rest sum to a dollar."""
    assert await sizes(Events(event(False, False, False, True)), "0xa", "0xb") == ([3, 3], [])


async def test_an_event_of_which_we_trade_one_market_is_not_asked_for() -> None:
    alone = Events(event(False, False))
    assert await sizes(alone, "0xa") == ([0], []) and alone.asked == ["/markets"]


@pytest.mark.parametrize("over", [{"negRiskAugmented": True}, {"negRiskAugmented": None}, {"negRisk": False}])
async def test_an_event_that_may_end_otherwise_has_no_size(over: dict[str, object]) -> None:
    assert await sizes(Events(event(False, False, **over)), "0xa", "0xb") == ([0, 0], [])


@pytest.mark.parametrize(
    "events",
    [
        Events(None, 404),
        Events(event(False, False), 500),
        Events([]),
        Events({"markets": 7}),
        Events(event(False), event_id="../markets"),
        Events(event(False), event_id="7?closed=true"),
    ],
)
async def test_an_event_that_cannot_be_read_has_no_size_and_is_told(events: Events) -> None:
    found, problems = await sizes(events, "0xa", "0xb")
    assert found == [0, 0] and len(problems) == 1 and "Gamma, event" in problems[0]


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
