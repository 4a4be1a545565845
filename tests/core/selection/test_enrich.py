"""The catalogue's word held against the exchange's own: what agrees is traded, what does not says why."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import ManualClock
from core.config import Settings
from core.errors import VenueError
from core.market.fees import FeeSchedule
from core.selection.enrich import Catalogue, Sourced, figures_of, row_of, sourced
from core.selection.listed import Figures, ListRow
from core.venue import paced
from core.venue.clob_params import AT_ONCE, parse_params
from core.venue.gamma import parse_market
from core.venue.http import DEADLINE_S
from tests.builders import laws, recorded, shares

MARKET = "0x" + "ab" * 32
YES, NO = "1" * 77, "2" * 77
GROUP = "0x" + "cd" * 31
NEG_RISK = {"negRisk": True, "negRiskMarketID": GROUP + "00", "questionID": GROUP + "03"}
NOW = 1783000000.0
Fields = dict[str, Any]


def listed(**over: Any) -> Fields:
    """A market as Gamma describes it (polymarket-api.md 7)."""
    plain = {
        "conditionId": MARKET,
        "question": "Will it?",
        "outcomes": '["Yes", "No"]',
        "clobTokenIds": json.dumps([YES, NO]),
        "orderPriceMinTickSize": 0.01,
        "orderMinSize": 5,
        "active": True,
        "closed": False,
        "enableOrderBook": True,
        "acceptingOrders": True,
        "endDate": "2026-12-01T00:00:00Z",
        "feesEnabled": True,
        "feeSchedule": {"exponent": 1, "rate": 0.05, "takerOnly": True, "rebateRate": 0.25},
        "rewardsMinSize": 50,
        "rewardsMaxSpread": 3.5,
        "clobRewards": [{"rewardsDailyRate": 30, "startDate": "2026-04-29", "endDate": "2500-12-31"}],
        "liquidityNum": 20000,
        "volume1wk": 60000.5,
    }
    return plain | over


def short(**over: Any) -> Fields:
    """The same market as the CLOB describes it (polymarket-api.md 4.1); ``...`` leaves a field out."""
    plain = {
        "c": MARKET,
        "t": [{"t": YES, "o": "Yes"}, {"t": NO, "o": "No"}],
        "mts": 0.01,
        "mos": 5,
        "ao": True,
        "fd": {"r": 0.05, "e": 1, "to": True},
        "r": {"mi": 50, "ma": 3.5, "e": True},
        "gst": None,
        "v": "v1",
    }
    return {name: value for name, value in (plain | over).items() if value is not ...}


def row(**over: Any) -> ListRow:
    fields: Fields = {"row": 2, "market": MARKET, "yes_token": YES, "no_token": NO}
    return ListRow(**(fields | over))


def held(gamma: Fields | None = None, clob: Fields | None = None, line: ListRow | None = None) -> Sourced:
    """Both sources with these differences from the plain market, against a row."""
    market, params = parse_market(listed(**(gamma or {})), NOW), parse_params(short(**(clob or {})), MARKET)
    return sourced(line or row(), market, params, unix=NOW)


def tokens_of(*pairs: tuple[str, str]) -> Fields:
    return {"t": [{"t": token, "o": outcome} for token, outcome in pairs]}


def test_sources_that_agree_make_an_instrument() -> None:
    read = held()
    assert (read.refusals, read.lags, read.notes) == ((), (), ())
    assert read.market is not None and read.instrument == read.market.instrument


def test_the_exchanges_word_is_in_the_instrument_where_it_is_the_authority() -> None:
    """Orders are built with what the CLOB says (polymarket-api.md 4.1); what only the catalogue knows is kept."""
    read = held(
        {"orderPriceMinTickSize": 0.01, "feeSchedule": {"exponent": 1, "rate": 0.04, "rebateRate": 0.2}},
        {
            "mts": 0.001, "mos": 15, "fd": {"r": 0.07, "e": 2, "to": True}, "gst": "2026-07-20T10:00:00Z",
            "r": {"mi": 100, "ma": 2.5, "e": True},
        },
    )  # fmt: skip
    item = read.instrument
    assert item is not None
    assert (item.tick_text, item.min_size, item.min_size_text) == ("0.001", shares(15), "15")
    assert item.fees == FeeSchedule(rate=70_000, exponent=2, rebate=200_000)
    assert (item.reward_min_size, item.reward_max_spread_cents, item.reward_daily_usd) == (shares(100), 2.5, 30)
    assert (item.game_start_unix, item.title, item.end_unix) == (1784541600.0, "Will it?", 1796083200.0)
    assert read.refusals == () and len(read.lags) == 6


# Definite: it is not to be traded


@pytest.mark.parametrize(
    ("gamma", "clob", "words"),
    [
        # tokens and outcome order
        ({}, tokens_of((NO, "Yes"), (YES, "No")), "to opposite tokens"),
        ({"clobTokenIds": json.dumps([NO, YES])}, {}, "to opposite tokens"),
        ({}, tokens_of((YES, "Yes"), ("3" * 77, "No")), "name different tokens"),
        ({}, tokens_of((YES, "Up"), (NO, "Down")), "its outcomes are 'yes' and 'no' by Gamma, 'up' and 'down' by"),
        (
            {"outcomes": '["IG", "LGD"]'},
            tokens_of((NO, "LGD"), (YES, "IG")),
            "its outcomes are 'ig' and 'lgd' by Gamma, in the other order",
        ),
        ({"outcomes": '["IG", "LGD"]'}, tokens_of((YES, "LGD"), (NO, "IG")), "to opposite tokens"),
        # contracts
        ({}, {"nr": True}, "neg-risk is false by Gamma, true by the CLOB"),
        (NEG_RISK, {}, "neg-risk is true by Gamma, false by the CLOB"),
        ({}, {"v": "v2"}, "it trades by v1 ids by Gamma, by v2 ids by the CLOB"),
        # event group
        (
            NEG_RISK | {"events": [{"id": "1", "negRisk": True, "negRiskMarketID": GROUP + "ff"}]},
            {"nr": True},
            "market and event name different neg-risk groups",
        ),
        (NEG_RISK | {"questionID": "0x" + "ee" * 32}, {"nr": True}, "its question is none of its neg-risk group"),
        ({"negRiskMarketID": GROUP + "00"}, {}, "it is not neg-risk, but of a neg-risk event"),
        # what the exchange itself says
        ({}, {"fd": {"r": 0.05, "e": 1, "to": False}}, "makers pay a fee here"),
    ],
)
def test_sources_that_disagree_about_what_is_traded_refuse_the_market(gamma: Fields, clob: Fields, words: str) -> None:
    """reliability.md X35, D13: nothing is guessed, for a wrong guess is an order on the wrong side or contract."""
    read = held(gamma, clob, row(yes_token="", no_token=""))
    assert len(read.refusals) == 1 and words in read.refusals[0], read.refusals
    if "makers pay" not in words:
        assert read.instrument is None


def test_names_are_compared_and_not_places() -> None:
    """The exchange's first token is not necessarily YES (polymarket-api.md 2.1)."""
    read = held({}, tokens_of((NO, " NO"), (YES, "yes ")))
    assert read.refusals == () and read.instrument is not None and read.instrument.yes_token == YES
    other = held({"outcomes": '["No", "Yes"]', "clobTokenIds": json.dumps([NO, YES])})
    assert other.refusals == () and other.instrument is not None and other.instrument.yes_token == YES


def test_a_market_that_takes_no_orders_can_still_be_left() -> None:
    """It is refused, and the instrument is there: a position in it is worked off once orders are taken again."""
    read = held({"acceptingOrders": False}, {"ao": False})
    assert read.refusals == ("the CLOB takes no orders here; by Gamma it is not accepting orders",)
    assert read.lags == () and read.instrument is not None
    assert held({}, {"ao": False}).refusals == ("the CLOB takes no orders here",)


def test_a_closed_market_is_called_closed() -> None:
    closed = {"closed": True, "acceptingOrders": False, "umaResolutionStatus": "resolved"}
    (refusal,) = held(closed, {"ao": False}).refusals
    assert "by Gamma it is closed, not accepting orders, being resolved (resolved)" in refusal
    # recorded: a closed market that both sources still say accepts orders (clob-market-closed-binary-accepting-true)
    assert held({"closed": True}).lags == ("closed by Gamma, open by the CLOB",)
    unknown = sourced(row(), parse_market(listed(closed=True)), None)
    assert unknown.lags == ("the CLOB: not known to it yet", "closed by Gamma")


def test_a_placeholder_is_refused_whatever_the_exchange_says() -> None:
    for accepting in (True, False):
        read = held({"negRiskOther": True}, {"ao": accepting})
        assert read.refusals[0] == "Gamma: a placeholder for other outcomes"
        assert len(read.refusals) == 1 + (not accepting)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (row(yes_token=NO, no_token=YES), ["yes_token_id and no_token_id are swapped: YES is 1111111111…"]),
        (
            row(yes_token="3" * 77),
            ["yes_token_id 3333333333… is no token of this market; it is 1111111111…"],
        ),
        (row(no_token=YES), ["no_token_id 1111111111… is the market's other outcome"]),
        (
            row(yes_token="7", no_token="8"),
            ["yes_token_id 7 is no token of this market; it is 1111111111…", "no_token_id 8 is no token"],
        ),
        (row(yes_token="", no_token=""), []),
        (row(), []),
    ],
)
def test_a_rows_tokens_are_compared_with_the_exchanges(line: ListRow, words: list[str]) -> None:
    """reliability.md D13: the sheet decides which market, never which side."""
    read = held(line=line)
    assert len(read.refusals) == len(words)
    assert all(part in refusal for part, refusal in zip(words, read.refusals, strict=True))
    assert read.instrument is not None, "the sources agree; it is the row that is wrong"


def test_the_exchanges_mapping_decides_when_the_catalogue_has_swapped() -> None:
    right = held({"clobTokenIds": json.dumps([NO, YES])})
    assert len(right.refusals) == 1 and "opposite tokens" in right.refusals[0], "the row agrees with the exchange"
    wrong = held({"clobTokenIds": json.dumps([NO, YES])}, line=row(yes_token=NO, no_token=YES))
    assert len(wrong.refusals) == 2 and "are swapped" in wrong.refusals[0]


def test_a_rows_tokens_are_compared_with_whichever_source_there_is() -> None:
    swapped = row(yes_token=NO, no_token=YES)
    alone = sourced(swapped, parse_market(listed()), None), sourced(swapped, None, parse_params(short(), MARKET))
    assert all(len(read.refusals) == 1 and "are swapped" in read.refusals[0] for read in alone)
    teams = parse_params(short(**tokens_of((YES, "IG"), (NO, "LGD"))), MARKET)
    assert sourced(swapped, None, teams).refusals == (), "which of two teams is YES only the catalogue tells"


def test_ids_of_the_version_that_is_not_traded_are_named() -> None:
    """Gamma may fill both kinds; the version decides (polymarket-api.md 2.1)."""
    both = {"version": "v2", "positionIds": ["33", "44"]}
    clob = tokens_of(("33", "Yes"), ("44", "No")) | {"v": "v2"}
    read = held(both, clob)
    assert [refusal.partition(":")[0] for refusal in read.refusals] == [
        "yes_token_id 1111111111… is of another version",
        "no_token_id 2222222222… is of another version",
    ]
    assert "by its v2 ids" in read.refusals[0]
    good = held(both, clob, row(yes_token="33", no_token="44"))
    assert good.refusals == () and good.instrument is not None and good.instrument.yes_token == "33"


# What may settle by itself


@pytest.mark.parametrize(
    ("gamma", "clob", "lag"),
    [
        ({}, {"mts": 0.001}, "tick 0.01 by Gamma, 0.001 by the CLOB"),
        ({"orderMinSize": 15}, {}, "minimum size 15 by Gamma, 5 by the CLOB"),
        ({}, {"fd": ...}, "taker fee rate 0.05 by Gamma, none by the CLOB"),
        ({"feesEnabled": False}, {}, "taker fee rate none by Gamma, 0.05 by the CLOB"),
        ({}, {"fd": {"r": 0.05, "e": 2, "to": True}}, "taker fee rate 0.05 by Gamma, 0.05 with exponent 2 by the CLOB"),
        ({"rewardsMinSize": 100}, {}, "reward minimum size 100 by Gamma, 50 by the CLOB"),
        ({"rewardsMinSize": 0}, {}, "reward minimum size none by Gamma, 50 by the CLOB"),
        ({"rewardsMaxSpread": 4.5}, {}, "reward spread 4.5 cents by Gamma, 3.5 cents by the CLOB"),
        (
            {},
            {"gst": "2026-07-20T10:00:00Z"},
            "start of the game none by Gamma, 2026-07-20 10:00 UTC by the CLOB",
        ),
        (
            {"gameStartTime": "2026-07-20 11:00:00+00"},
            {"gst": "2026-07-20T10:00:00Z"},
            "start of the game 2026-07-20 11:00 UTC by Gamma, 2026-07-20 10:00 UTC by the CLOB",
        ),
        ({"secondsDelay": 3}, {"itode": False}, "marketable orders are held for 3 s by Gamma, not at all by the CLOB"),
        ({"acceptingOrders": False}, {}, "not accepting orders by Gamma, open by the CLOB"),
        ({"active": False}, {}, "not active by Gamma, open by the CLOB"),
        ({"enableOrderBook": False}, {}, "without an order book by Gamma, open by the CLOB"),
        ({"umaResolutionStatus": "proposed"}, {}, "being resolved (proposed) by Gamma, open by the CLOB"),
        ({"closed": True}, {}, "closed by Gamma, open by the CLOB"),
        ({"negRisk": True}, {"nr": True}, "neg-risk without an event group by Gamma"),
        ({"endDate": "soon"}, {}, "Gamma: endDate cannot be read: 'soon'"),
        ({"liquidityNum": -5}, {}, "Gamma: liquidityNum cannot be read: '-5'"),
        ({}, {"gst": "soon"}, "the CLOB: gst cannot be read: 'soon'"),
        ({}, {"ao": ...}, "the CLOB does not say whether it takes orders"),
    ],
)
def test_what_a_cache_may_be_late_with_keeps_a_new_market_waiting(gamma: Fields, clob: Fields, lag: str) -> None:
    """The catalogue alone opens and closes nothing (reliability.md D10), so none of this is a refusal."""
    read = held(gamma, clob)
    assert (read.refusals, read.lags) == ((), (lag,))
    assert read.instrument is not None


def test_a_game_that_only_the_catalogue_knows_of_is_not_forgotten() -> None:
    """Quotes go at its start; the earlier word is not lost with the later one."""
    read = held({"gameStartTime": "2026-07-20 10:00:00+00"})
    assert read.lags == ("start of the game 2026-07-20 10:00 UTC by Gamma, none by the CLOB",)
    assert read.instrument is not None and read.instrument.game_start_unix == 1784541600.0


def test_a_market_that_one_source_does_not_know_yet_waits() -> None:
    """New markets are in Gamma minutes before the CLOB knows them (polymarket-api.md 7, reliability.md D11)."""
    read = sourced(row(), parse_market(listed()), None)
    assert (read.refusals, read.lags, read.instrument) == ((), ("the CLOB: not known to it yet",), None)
    read = sourced(row(), None, parse_params(short(), MARKET))
    assert (read.refusals, read.lags, read.instrument) == ((), ("Gamma: not known to it",), None)
    read = sourced(row(), None, None, gamma_trouble="Gamma, /markets: status 500", clob_trouble="no token ids yet")
    assert (read.refusals, read.lags) == ((), ("Gamma: /markets: status 500", "the CLOB: no token ids yet"))


# What is worth knowing


@pytest.mark.parametrize(
    ("gamma", "clob", "note"),
    [
        ({"endDate": "2026-01-01T00:00:00Z"}, {}, "past its end, which is no end of trading"),
        ({"endDate": "2026-07-02T13:46:40Z"}, {}, "past its end, which is no end of trading"),
        ({"endDate": None}, {}, "no end is told"),
        ({"feesEnabled": None}, {}, "Gamma tells no fees; by the CLOB the taker fee rate is 0.05"),
        ({"secondsDelay": 3}, {}, "marketable orders are held for 3 s"),
        ({"secondsDelay": 3}, {"itode": True}, "marketable orders are held for 3 s"),
        ({}, {"itode": True}, "marketable orders are held for 250 ms"),
        (
            {},
            {"r": {"mi": 50, "ma": 3.5, "e": False}},
            "rewards of $30 a day by Gamma, none by the CLOB: counted as none",
        ),
        ({"clobRewards": []}, {}, "rewards by the CLOB, but Gamma tells no pool: counted as none"),
    ],
)
def test_what_is_worth_knowing_stops_nothing(gamma: Fields, clob: Fields, note: str) -> None:
    """An end is advice: one in eight open markets is past it (polymarket-api.md 7)."""
    read = held(gamma, clob)
    assert (read.refusals, read.lags) == ((), ()) and note in read.notes
    assert read.instrument is not None


def test_rewards_that_the_exchange_denies_are_counted_as_none() -> None:
    read = held({}, {"r": {"mi": 50, "ma": 3.5, "e": False}})
    assert read.instrument is not None and read.instrument.reward_daily_usd == 0.0


def test_without_a_programme_at_the_exchange_the_catalogues_holds() -> None:
    read = held({}, {"r": {}})
    assert read.lags == () and read.instrument is not None
    assert (read.instrument.reward_min_size, read.instrument.reward_max_spread_cents) == (shares(50), 3.5)


def test_fees_that_the_catalogue_does_not_tell_earn_no_rebate() -> None:
    read = held({"feesEnabled": None})
    assert read.instrument is not None and read.instrument.fees == FeeSchedule(rate=50_000, rebate=0)


changes = st.fixed_dictionaries(
    {},
    optional={
        "mts": st.sampled_from([0.01, 0.001]),
        "ao": st.sampled_from([True, False, None]),
        "nr": st.booleans(),
        "v": st.sampled_from(["v1", "v2", None]),
        "t": st.permutations([("1" * 77, "Yes"), ("2" * 77, "No")]).map(lambda pairs: tokens_of(*pairs)["t"])
        | st.permutations([YES, NO]).map(lambda ids: tokens_of((ids[0], "Yes"), (ids[1], "No"))["t"]),
        "fd": st.sampled_from([None, {"r": 0.05, "e": 1}, {"r": 0.07, "e": 1, "to": False}]),
    },
)


@laws(300)
@given(changes, st.booleans(), st.booleans())
def test_an_instrument_is_never_made_of_sources_that_disagree(clob: Fields, swap: bool, neg_risk: bool) -> None:
    gamma = (NEG_RISK if neg_risk else {}) | ({"clobTokenIds": json.dumps([NO, YES])} if swap else {})
    read = held(gamma, clob, row(yes_token="", no_token=""))
    assert read.market is not None and read.params is not None
    agree = read.params.token_of("yes") == read.market.instrument.yes_token
    agree = agree and read.params.neg_risk == neg_risk and read.params.version in (None, "v1")
    assert (read.instrument is not None) == agree
    assert agree or read.refusals
    if read.instrument is not None:
        assert read.instrument.tick_text == read.params.tick_text and read.instrument.neg_risk == read.params.neg_risk


# Recorded books and markets


def test_each_recorded_pair_yields_a_consistent_instrument() -> None:
    """21 books and Gamma's objects of the same markets (real-data.md): the book tells tick, size and contract."""
    paths = recorded("book-gamma-pairs-2026-07/book-*.json")
    assert len(paths) == 21
    for path in paths:
        book = json.loads(path.read_bytes())
        told = json.loads(path.with_name(path.name.replace("book-", "gamma-market-")).read_bytes())
        ids, names = json.loads(told["clobTokenIds"]), json.loads(told["outcomes"])
        assert book["asset_id"] in ids
        schedule, market = told["feeSchedule"], parse_market(told, NOW)
        params = parse_params(
            {
                "c": book["market"], "t": [{"t": token, "o": name} for token, name in zip(ids, names, strict=True)],
                "mts": float(book["tick_size"]), "mos": float(book["min_order_size"]), "nr": book["neg_risk"],
                "ao": True, "gst": None if market.instrument.game_start_unix is None else told["gameStartTime"],
                "fd": {"r": schedule["rate"], "e": schedule["exponent"], "to": schedule["takerOnly"]},
                "r": {"mi": told["rewardsMinSize"], "ma": told["rewardsMaxSpread"]},
            },
            told["conditionId"],
        )  # fmt: skip
        read = sourced(ListRow(1, told["conditionId"], *market_tokens(told)), market, params, unix=NOW)
        assert (read.refusals, read.lags) == ((), ()), path
        assert read.instrument is not None and read.instrument.outcome_of(book["asset_id"]) is not None
        assert (read.instrument.tick_text, read.instrument.min_size_text) == (book["tick_size"], book["min_order_size"])
        assert read.instrument.neg_risk is book["neg_risk"] is bool(read.instrument.group)
        other = msgspec.structs.replace(params, neg_risk=not params.neg_risk)
        assert sourced(read.row, market, other).instrument is None, "the other contract"


def market_tokens(told: Fields) -> tuple[str, str]:
    ids, names = json.loads(told["clobTokenIds"]), [name.lower() for name in json.loads(told["outcomes"])]
    yes = names.index("yes") if "yes" in names else 0
    return ids[yes], ids[1 - yes]


def test_both_recorded_objects_of_a_closed_market_agree() -> None:
    """The CLOB's old object beside Gamma's, of the same two markets: outcomes, grid, minimum, programme, game."""
    for gamma_path in recorded("gamma-market-closed-binary-*.json"):
        old = json.loads(gamma_path.with_name(gamma_path.name.replace("gamma-", "clob-")).read_bytes())
        params = parse_params(
            {
                "c": old["condition_id"],
                "t": [{"t": each["token_id"], "o": each["outcome"]} for each in old["tokens"]],
                "mts": old["minimum_tick_size"], "mos": old["minimum_order_size"], "ao": old["accepting_orders"],
                "nr": old["neg_risk"], "gst": old["game_start_time"],
                "r": {"mi": old["rewards"]["min_size"], "ma": old["rewards"]["max_spread"]},
            },
            old["condition_id"],
        )  # fmt: skip
        market = parse_market(json.loads(gamma_path.read_bytes()))
        read = sourced(row_of(market, 1), market, params)
        assert read.instrument is not None
        refused, waits = "; ".join(read.refusals), "; ".join(read.lags)
        assert ("closed" in refused, "closed" in waits) == (not old["accepting_orders"], old["accepting_orders"])
        assert len(read.lags) == old["accepting_orders"], read.lags


# Reading both


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paced, "PAUSE_S", 0.0)


def id_of(number: int) -> str:
    return f"0x{number:064x}"


def catalogue(gamma: Callable[[httpx.Request], Any], clob: Callable[[httpx.Request], Any]) -> Catalogue:
    found = Catalogue(Settings(gamma_url="http://gamma.test", clob_url="http://clob.test"), ManualClock(unix=NOW))
    found._gamma._client = httpx.AsyncClient(base_url="http://gamma.test", transport=httpx.MockTransport(gamma))
    found._clob._client = httpx.AsyncClient(base_url="http://clob.test", transport=httpx.MockTransport(clob))
    return found


def gamma_of(*markets: Fields) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        wanted = request.url.params.get_list("condition_ids")
        closed = request.url.params["closed"] == "true"
        found = [each for each in markets if (not wanted or each["conditionId"] in wanted) and each["closed"] is closed]
        return httpx.Response(200, json={"markets": found})

    return answer


def clob_of(*params: Fields) -> Callable[[httpx.Request], httpx.Response]:
    known = {each["c"]: each for each in params}

    def answer(request: httpx.Request) -> httpx.Response:
        market = request.url.path.rpartition("/")[2]
        return httpx.Response(200, json=known[market]) if market in known else httpx.Response(404)

    return answer


async def test_each_row_has_its_own_answer() -> None:
    """Agreed, closed, not hydrated, unreadable, unknown: one market's trouble is none of another's."""
    names = [id_of(n) for n in range(6)]
    gamma = gamma_of(
        listed(conditionId=names[0]),
        listed(conditionId=names[1], closed=True),
        listed(conditionId=names[2], clobTokenIds='["", ""]'),
        listed(conditionId=names[3], negRisk="maybe"),
        listed(conditionId=names[4], endDate="2026-01-01T00:00:00Z"),
    )
    clob = clob_of(
        short(c=names[0]), short(c=names[1], ao=False), short(c=names[3], mts="x"), short(c=names[4], gst="soon")
    )
    found = catalogue(gamma, clob)
    read = await found.look([row(market=name) for name in names])
    await found.close()
    assert found._gamma._client.is_closed and found._clob._client.is_closed
    assert list(read) == names and all(read[name].row.market == name for name in names)
    assert (read[names[0]].refusals, read[names[0]].lags) == ((), ()) and read[names[0]].instrument is not None
    assert read[names[1]].refusals == ("the CLOB takes no orders here; by Gamma it is closed",)
    assert read[names[2]].lags == ("Gamma: market without token ids yet", "the CLOB: not known to it yet")
    assert read[names[5]].instrument is None
    assert read[names[3]].lags[0] == "Gamma: market whose negRisk is neither true nor false"
    assert read[names[3]].lags[1].startswith("the CLOB: UnitError")
    assert read[names[4]].lags == ("the CLOB: gst cannot be read: 'soon'",)
    assert "past its end" in read[names[4]].notes[0], "by the clock it was given"
    assert read[names[5]].lags == ("Gamma: not known to it", "the CLOB: not known to it yet")


@pytest.mark.parametrize("out", ["gamma", "clob", "both"])
async def test_a_source_that_is_out_is_an_outage_and_no_verdict(out: str) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    gamma, clob = gamma_of(listed()), clob_of(short())
    found = catalogue(fail if out in ("gamma", "both") else gamma, fail if out in ("clob", "both") else clob)
    with pytest.raises(VenueError, match="ConnectError"):
        await found.look([row()])
    await found.close()


async def test_a_look_that_is_given_up_asks_no_further() -> None:
    """Whoever waits no longer, or has lost the catalogue, leaves no task behind that goes on asking the exchange."""
    asked = 0

    def gamma(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    async def clob(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        await asyncio.sleep(3600)
        return httpx.Response(404)

    found = catalogue(gamma, clob)
    before = asyncio.all_tasks()
    with pytest.raises(VenueError, match="ConnectError"):
        async with asyncio.timeout(DEADLINE_S / 2):
            await found.look([row(market=id_of(n)) for n in range(100)])
    assert asyncio.all_tasks() == before and asked <= AT_ONCE
    await found.close()


async def test_a_market_of_which_the_exchange_cannot_be_asked_now_waits_alone() -> None:
    names = [id_of(n) for n in range(2)]
    clob = clob_of(short(c=names[0]))

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(503) if request.url.path.endswith(names[1]) else clob(request)

    found = catalogue(gamma_of(*(listed(conditionId=name) for name in names)), answer)
    read = await found.look([row(market=name) for name in names])
    await found.close()
    assert read[names[0]].lags == () and read[names[1]].lags == ("the CLOB: /clob-markets: status 503",)


async def test_a_group_whose_size_cannot_be_read_is_a_note_of_its_markets() -> None:
    names = [id_of(n) for n in range(3)]
    head = {"id": "77", "negRisk": True, "negRiskMarketID": GROUP + "00"}
    of_group = {"negRisk": True, "events": [head], "questionID": None}
    markets = gamma_of(*(listed(conditionId=name, **of_group) for name in names[:2]), listed(conditionId=names[2]))

    def gamma(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500) if request.url.path == "/events/77" else markets(request)

    found = catalogue(gamma, clob_of(*(short(c=name, nr=name != names[2]) for name in names)))
    read = await found.look([row(market=name) for name in names])
    await found.close()
    assert all((each.refusals, each.lags) == ((), ()) for each in read.values())
    words = "Gamma, event 77: no event in the answer (status 500); its fair values are not held against each other"
    assert [each.notes for each in read.values()] == [(words,), (words,), ()]


async def test_two_thousand_rows_are_read_in_pages_and_groups() -> None:
    count = 2000
    asked: dict[str, int] = {"gamma": 0, "clob": 0}
    markets = {id_of(n): n for n in range(count)}

    def gamma(request: httpx.Request) -> httpx.Response:
        asked["gamma"] += 1
        wanted = request.url.params.get_list("condition_ids")
        assert len(str(request.url)) < 8000
        return httpx.Response(200, json={"markets": [listed(conditionId=name) for name in wanted]})

    def clob(request: httpx.Request) -> httpx.Response:
        asked["clob"] += 1
        return httpx.Response(200, json=short(c=request.url.path.rpartition("/")[2]))

    found = catalogue(gamma, clob)
    read = await found.look([row(market=name) for name in markets])
    await found.close()
    assert len(read) == count and all(each.instrument and not each.lags for each in read.values())
    assert asked == {"gamma": 40, "clob": count}


async def test_open_markets_come_as_rows_with_what_they_are_screened_by() -> None:
    found = catalogue(gamma_of(listed(), listed(conditionId=id_of(7), volume24hr=12.5)), clob_of())
    offered = await found.open_markets(10)
    await found.close()
    assert [each.row for each in offered] == [row_of(each.market, n) for n, each in enumerate(offered, start=1)]
    assert offered[0].row == row(row=1, figures=Figures(20000, None, 60000.5, None))
    assert figures_of(offered[1].market).volume_24h == 12.5
