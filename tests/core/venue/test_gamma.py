"""Gamma's market objects."""

import gzip
import json
import math
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import Settings
from core.errors import MalformedMessage, VenueRefused, VenueUnavailable
from core.market.fees import FeeSchedule
from core.market.instrument import Instrument
from core.selection.screen import screen
from core.venue.gamma import CONDITIONS_PER_REQUEST, GammaClient, parse_market
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
        {"orderMinSize": 0},
        {"orderMinSize": "0.0"},
        {"orderMinSize": 1e-7},
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
    item = parse_market(raw(liquidity="12.5", volume1wk=None, volume1wkClob=7, volume1mo="x", volume24hr=0))
    assert (item.liquidity, item.volume_7d, item.volume_24h) == (12.5, 7.0, 0.0)
    assert math.isnan(item.volume_30d) and item.doubts == ("volume1mo cannot be read: 'x'",)
    assert item.doubts and math.isnan(parse_market(raw()).volume_24h)


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


@pytest.mark.parametrize("value", ["nan", "inf", float("inf"), True, -1, "-0.01", 1e13, 1e300, "1e999", [], {}])
def test_a_figure_to_screen_by_that_is_no_figure_passes_no_screen(value: object) -> None:
    """Negative and absurd ones too (reliability.md D14): a score made of them would be no score."""
    read = parse_market(raw(liquidityNum=value, volume1wk=value, volume1mo=value, volume24hr=value))
    assert all(map(math.isnan, (read.liquidity, read.volume_7d, read.volume_30d, read.volume_24h)))
    assert len(read.doubts) == 4
    assert screen(read.liquidity, read.volume_7d, read.volume_30d, Settings()).failures == FAILURES


FAILURES = ("liquidity", "weekly_volume", "trend", "score")


def test_a_figure_that_a_second_field_tells_is_in_no_doubt() -> None:
    read = parse_market(raw(volume1wk="x", volume1wkClob=7))
    assert (read.volume_7d, read.doubts) == (7, ())


@pytest.mark.parametrize(
    ("over", "mid"),
    [
        ({"bestBid": 0.4, "bestAsk": 0.44, "lastTradePrice": 0.1}, 0.42),
        ({"bestBid": None, "bestAsk": 0.001, "lastTradePrice": 0.3}, 0.3),
        ({"bestBid": 0, "bestAsk": 0, "outcomePrices": '["0.7", "0.3"]'}, 0.7),
        ({"bestBid": 0.4, "bestAsk": 0.44, "outcomes": '["No", "Yes"]'}, 0.58),
        ({"outcomePrices": '["0.3", "0.7"]', "outcomes": '["No", "Yes"]'}, 0.7),
        ({"lastTradePrice": 1, "outcomePrices": '["0", "0"]'}, None),
        ({"bestBid": "x", "outcomePrices": "[0.1"}, None),
        ({"outcomePrices": 7}, None),
        ({"outcomePrices": [0.6]}, None),
        ({}, None),
    ],
)
def test_a_price_to_estimate_with_is_that_of_yes(over: dict[str, Any], mid: float | None) -> None:
    """Best prices and the last trade are those of the first outcome; nothing is made up where there are none."""
    assert parse_market(raw(**over)).mid == (None if mid is None else pytest.approx(mid))


def test_what_a_market_is_screened_by_beside_its_figures() -> None:
    read = parse_market(
        raw(
            spread=0.04, secondsDelay=3, startDate="2026-07-01T10:00:00Z", version="v2", positionIds=["33", "44"],
            acceptingOrdersTimestamp="2026-07-01T10:05:00Z", outcomes='[" YES", "No"]',
        )
    )  # fmt: skip
    assert (read.spread, read.delay_s, read.opened_unix) == (0.04, 3.0, 1782900300.0)
    assert (read.version, read.other_tokens, read.outcomes) == ("v2", ("11", "22"), ("yes", "no"))
    assert parse_market(raw(startDate="2026-07-01T10:00:00Z")).opened_unix == 1782900000.0
    plain = parse_market(raw())
    assert (plain.spread, plain.delay_s, plain.opened_unix, plain.other_tokens) == (None, 0.0, None, ())


@pytest.mark.parametrize("value", ["v3", "", 2, True, [], "V1"])
def test_a_market_of_a_version_that_is_not_known_is_refused(value: object) -> None:
    """Which ids are traded, and by which contracts, would be a guess."""
    with pytest.raises(MalformedMessage, match="version"):
        parse_market(raw(version=value))


@pytest.mark.parametrize(
    "over",
    [
        {"clobTokenIds": None}, {"clobTokenIds": ""}, {"clobTokenIds": "[]"}, {"clobTokenIds": '["", ""]'},
        {"clobTokenIds": "null", "outcomes": None}, {"version": "v2"}, {"version": "v2", "positionIds": []},
    ],
)  # fmt: skip
def test_a_market_that_is_still_set_up_is_told_as_such(over: dict[str, Any]) -> None:
    """It exists and its ids are empty (reliability.md D11): later it is a market, and nobody subscribes to \"\"."""
    with pytest.raises(MalformedMessage, match="without token ids yet"):
        parse_market(raw(**over))


@pytest.mark.parametrize(
    ("over", "obstacle"),
    [
        ({"closed": True}, "closed"),
        ({"active": False}, "not active"),
        ({"active": None}, "not active"),
        ({"enableOrderBook": False}, "without an order book"),
        ({"acceptingOrders": False}, "not accepting orders"),
        ({"negRiskOther": True}, "a placeholder for other outcomes"),
        ({"umaResolutionStatus": "disputed"}, "being resolved (disputed)"),
    ],
)
def test_what_keeps_a_market_from_being_traded_is_told_in_words(over: dict[str, Any], obstacle: str) -> None:
    read = parse_market(raw(**over))
    assert read.obstacles == (obstacle,) and not read.tradable


@pytest.mark.parametrize("thing", [None, [], 7, "x"])
def test_what_is_no_object_is_no_market(thing: Any) -> None:
    with pytest.raises(MalformedMessage, match="no JSON object"):
        parse_market(thing)


GROUP = "0x" + "ab" * 31
NEG = {"negRisk": True, "negRiskMarketID": GROUP + "00", "questionID": GROUP + "07"}
OF_GROUP = {"id": "1", "negRisk": True, "negRiskMarketID": GROUP + "00"}


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({**NEG, "events": [OF_GROUP]}, ""),
        ({**NEG, "events": [{"id": "1"}]}, ""),
        ({}, ""),
        ({"events": [{"id": "1", "negRisk": False}]}, ""),
        ({**NEG, "events": [OF_GROUP | {"negRisk": False}]}, "neg-risk is true by the market"),
        ({"events": [{"id": "1", "negRisk": True}]}, "neg-risk is false by the market"),
        ({**NEG, "negRisk": False, "events": []}, "not neg-risk, but of a neg-risk event"),
        ({**NEG, "events": [OF_GROUP | {"negRiskMarketID": "0xother"}]}, "different neg-risk groups"),
        ({**NEG, "questionID": "0x" + "cd" * 32, "events": [OF_GROUP]}, "none of its neg-risk group"),
    ],
)
def test_an_object_that_contradicts_itself_about_its_group_says_so(over: dict[str, Any], words: str) -> None:
    """Orders are signed for one contract, and one outcome of a group wins: neither is guessed (reliability.md X35)."""
    conflicts = parse_market(raw(**over)).conflicts
    assert words in "; ".join(conflicts) and bool(conflicts) == bool(words)


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
    *("questionID", "spread", "bestBid", "bestAsk", "lastTradePrice", "outcomePrices", "secondsDelay", "positionIds"),
    *("acceptingOrdersTimestamp", "liquidityNum", "volume24hr", "volume24hrClob", "volume1wk", "umaResolutionStatus"),
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
    for figure in (read.liquidity, read.volume_24h, read.volume_7d):
        assert math.isnan(figure) or 0 <= figure <= 1e12
    assert read.mid is None or 0 < read.mid < 1
    assert read.spread is None or 0 <= read.spread <= 1
    assert 0 <= read.delay_s <= 86_400 and read.tradable is not bool(read.obstacles)
    assert all(isinstance(text, str) for text in (*read.other_tokens, *read.obstacles, *read.conflicts))
    for moment in (item.start_unix, item.end_unix, item.game_start_unix, read.opened_unix):
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


def test_every_recorded_market_is_read() -> None:
    """All shapes of the recordings: lists, events, sports lines, closed, legacy and resolved markets."""
    files = recorded("gamma-*.json") + recorded("book-gamma-pairs-2026-07/gamma-*.json")
    told: list[Any] = []
    for path in files:
        found = json.loads(path.read_bytes())
        for entry in found if isinstance(found, list) else [found]:
            told += entry.get("markets", [entry])
    for path in recorded("gamma-markets-*.jsonl.gz"):
        told += [json.loads(line)["raw"] for line in gzip.decompress(path.read_bytes()).splitlines()]
    markets = [parse_market(each) for each in told]
    assert len(files) >= 33 and len(markets) >= 435
    assert all(market.conflicts == () and market.tradable is not bool(market.obstacles) for market in markets)
    assert {name for market in markets for name in market.outcomes} > {"yes", "no", "up", "down", "long", "short"}
    assert sum(market.obstacles[:1] == ("closed",) for market in markets) >= 292


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


def page(*markets: Any, cursor: str | None = None) -> httpx.Response:
    """A page of the current list (polymarket-api.md 7)."""
    body: dict[str, Any] = {"markets": list(markets)}
    return httpx.Response(200, json=body if cursor is None else body | {"next_cursor": cursor})


class Shelf:
    """A catalogue of whole objects, which can fail for single pages."""

    def __init__(self, *markets: dict[str, Any], broken: str = "") -> None:
        self._markets = {each["conditionId"]: each for each in markets}
        self._broken = broken
        self.asked: list[tuple[str, list[str]]] = []
        self.longest = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        params = request.url.params
        wanted = params.get_list("condition_ids")
        self.asked.append((params["closed"], wanted))
        self.longest = max(self.longest, len(str(request.url)))
        if self._broken in wanted:
            return httpx.Response(500)
        closed = params["closed"] == "true"
        found = [self._markets[name] for name in wanted if name in self._markets]
        return page(*(each for each in found if each["closed"] is closed))


def id_of(number: int) -> str:
    return f"0x{number:064x}"


async def test_markets_come_in_the_order_asked_for_with_a_line_for_each_that_is_missing() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.extend(request.url.params.get_list("condition_ids"))
        if request.url.params["closed"] == "true":
            return page()
        return page(raw(conditionId="0xb"), raw(conditionId="0xa"), {"conditionId": "0xbad"})

    gamma = client(answer)
    markets, problems = await gamma.markets(("0xa", "0xb", "0xbad", "0xz"))
    await gamma.close()
    assert asked == ["0xa", "0xb", "0xbad", "0xz", "0xbad", "0xz"]
    assert [market.instrument.market for market in markets] == ["0xa", "0xb"]
    assert len(problems) == 2 and "0xbad: market without token ids" in problems[0] and "0xz is not known" in problems[1]


async def test_a_closed_market_is_found_and_told_as_closed() -> None:
    """Lists tell open markets or closed ones (polymarket-api.md 7): the missing are looked for among the others."""
    shelf = Shelf(raw(conditionId=id_of(1)), raw(conditionId=id_of(2), closed=True))
    gamma = client(shelf)
    reading = await gamma.find([id_of(2), id_of(1), id_of(3), id_of(1)])
    await gamma.close()
    assert list(reading.markets) == [id_of(2), id_of(1)] and reading.unread == {}
    assert reading.markets[id_of(2)].obstacles == ("closed",) and reading.markets[id_of(1)].tradable
    assert shelf.asked == [("false", [id_of(2), id_of(1), id_of(3)]), ("true", [id_of(2), id_of(3)])]


async def test_ids_are_asked_for_in_pages_whose_address_every_server_takes() -> None:
    shelf = Shelf(*(raw(conditionId=id_of(n)) for n in range(120)))
    gamma = client(shelf)
    reading = await gamma.find([id_of(n) for n in range(120)])
    await gamma.close()
    assert len(reading.markets) == 120
    assert [len(wanted) for _, wanted in shelf.asked] == [CONDITIONS_PER_REQUEST, CONDITIONS_PER_REQUEST, 20]
    assert shelf.longest < 5000


async def test_a_page_that_fails_takes_no_other_with_it() -> None:
    """Of its markets nothing is known, which is something else than that they do not exist."""
    shelf = Shelf(*(raw(conditionId=id_of(n)) for n in range(60)), broken=id_of(55))
    gamma = client(shelf)
    reading = await gamma.find([id_of(n) for n in range(60)])
    await gamma.close()
    assert list(reading.markets) == [id_of(n) for n in range(50)]
    assert list(reading.unread) == [id_of(n) for n in range(50, 60)]
    assert set(reading.unread.values()) == {"Gamma, /markets/keyset: status 500"}


async def test_a_catalogue_that_answers_for_nobody_is_out() -> None:
    gamma = client(lambda _: httpx.Response(503))
    with pytest.raises(VenueRefused, match="status 503"):
        await gamma.find([id_of(n) for n in range(60)])
    await gamma.close()


async def test_markets_that_nobody_asked_for_are_not_ours() -> None:
    """A filter that is not heeded any more brings the first page of everything."""

    def answer(request: httpx.Request) -> httpx.Response:
        return page(raw(conditionId="0xother"), raw(conditionId=["0xa"]), raw(conditionId=None), 7)

    gamma = client(answer)
    reading = await gamma.find(["0xa"])
    await gamma.close()
    assert (reading.markets, reading.unread, reading.problems) == ({}, {}, ())


async def test_open_markets_are_read_page_by_page_to_the_end() -> None:
    cursors: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        params = request.url.params
        assert (params["closed"], params["include_tag"]) == ("false", "true")
        assert (params["order"], params["ascending"], params["limit"]) == ("volume24hr", "false", "100")
        cursors.append(params.get("after_cursor"))
        start = int(params.get("after_cursor", 0))
        found = [raw(conditionId=id_of(n)) for n in range(start, min(start + 100, 230))]
        return page(*found, cursor=str(start + 100) if start < 200 else None)

    gamma = client(answer)
    reading = await gamma.open_markets(1000)
    assert list(reading.markets) == [id_of(n) for n in range(230)] and cursors == [None, "100", "200"]
    assert list((await gamma.open_markets(150)).markets) == [id_of(n) for n in range(150)]
    await gamma.close()


async def test_a_cursor_that_is_not_heeded_ends_the_reading() -> None:
    """``cursor`` was ignored silently for months (py-clob-client#334); the same page without end must not hang us."""
    asked = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        assert request.url.path == "/markets/keyset"
        return page(raw(conditionId="0xa"), {"question": "no id"}, cursor="again")

    gamma = client(answer)
    reading = await gamma.open_markets(1000)
    await gamma.close()
    assert list(reading.markets) == ["0xa"] and asked == 2
    assert reading.problems and "token ids" in reading.problems[0]


async def test_unreadable_facts_are_told_with_their_market() -> None:
    gamma = client(lambda _: page(raw(conditionId="0xa", rewardsMaxSpread="nan")))
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
        if request.url.path != "/markets/keyset":
            return httpx.Response(self._status, json=self._event)
        head = {"id": self._event_id, "negRiskMarketID": "0xgroup"}
        wanted = request.url.params.get_list("condition_ids")
        return page(*(raw(conditionId=one, negRisk=True, events=[head]) for one in wanted))


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


async def test_groups_are_sized_for_markets_that_are_made_and_not_while_looking_around() -> None:
    events = Events(event(False, False, False))

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/markets/keyset":
            return events(request)
        events.asked.append("".join(request.url.params.get_list("order")))
        head = {"id": "77", "negRiskMarketID": "0xgroup"}
        return page(*(raw(conditionId=one, negRisk=True, events=[head]) for one in ("0xb", "0xa")))

    gamma = client(answer)
    offered = await gamma.open_markets(100)
    assert [each.instrument.group_size for each in offered.markets.values()] == [0, 0]
    assert events.asked == ["volume24hr"]
    markets, problems = await gamma.markets(())
    await gamma.close()
    assert [each.instrument.market for each in markets] == ["0xb", "0xa"] and problems == []
    assert [each.instrument.group_size for each in markets] == [3, 3]
    assert events.asked == ["volume24hr", "", "/events/77"]


async def test_of_two_objects_of_one_market_the_first_that_can_be_read_counts() -> None:
    good = raw(conditionId="0xa", question="First?")
    gamma = client(lambda _: page(raw(conditionId="0xa", negRisk=7), good, good | {"question": "Second?"}))
    reading = await gamma.find(["0xa"])
    await gamma.close()
    assert reading.markets["0xa"].instrument.title == "First?" and reading.unread == {}


async def test_what_is_wrong_with_an_object_is_not_hidden_by_an_outage() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return (
            httpx.Response(500) if request.url.params["closed"] == "true" else page(raw(conditionId="0xa", negRisk=7))
        )

    gamma = client(answer)
    reading = await gamma.find(["0xa", "0xb"])
    await gamma.close()
    assert "negRisk" in reading.unread["0xa"] and "status 500" in reading.unread["0xb"]


async def test_an_event_of_which_we_trade_one_market_is_not_asked_for() -> None:
    alone = Events(event(False, False))
    assert await sizes(alone, "0xa") == ([0], []) and alone.asked == ["/markets/keyset"]


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
    "answer",
    [
        httpx.Response(500),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={}),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"markets": None}),
    ],
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
