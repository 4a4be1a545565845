"""What a preflight or a screen has to notice: sources that contradict each other, and a venue that is closed to us."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, get_args, get_type_hints

import pytest

from core.exchange.chain.contracts import PUSD, UNLIMITED
from core.exchange.faults import verbs
from core.exchange.signing import EXCHANGE
from core.units import MICRO, Shares
from tests.loopback.faulty import Stage, stage_running
from tests.loopback.venue import EOA, EVERY_KIND, MARKET_KINDS, MarketKind, Trader, trader_of, venue_running

WHATS = get_args(get_type_hints(verbs.Disagree)["what"])
GAMMA_FIELDS: dict[str, set[str]] = {
    "neg_risk": {"negRisk"}, "group": {"negRiskMarketID"}, "tokens": {"clobTokenIds"},
    "order": {"clobTokenIds", "outcomes", "outcomePrices"}, "tick": {"orderPriceMinTickSize"},
    "min_size": {"orderMinSize"}, "fee": {"feeSchedule"}, "reward": {"rewardsMinSize", "rewardsMaxSpread"},
    "delay": {"secondsDelay"}, "version": {"version"}, "accepting": {"acceptingOrders"},
    "closed": {"closed", "acceptingOrders"}, "hydrating": {"clobTokenIds"}, "ended": {"endDate", "endDateIso"},
    "resolution": {"umaResolutionStatus", "umaResolutionStatuses"},
}  # fmt: skip
SHORT_FIELDS: dict[str, set[str]] = {
    "neg_risk": {"nr"}, "tokens": {"t"}, "order": {"t"}, "tick": {"mts"}, "min_size": {"mos"}, "fee": {"fd"},
    "reward": {"r"}, "delay": {"itode"}, "version": {"v"}, "accepting": {"ao"}, "group": set(),
}  # fmt: skip
LONG_FIELDS: dict[str, set[str]] = {
    "neg_risk": {"neg_risk"}, "group": {"neg_risk_market_id"}, "tokens": {"tokens"}, "order": {"tokens"},
    "tick": {"minimum_tick_size"}, "min_size": {"minimum_order_size"}, "reward": {"rewards"},
    "delay": {"seconds_delay"}, "accepting": {"accepting_orders"}, "fee": set(), "version": set(),
}  # fmt: skip


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with stage_running() as running:
        yield running


def different(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


class Sources:
    """The same market in every place that tells of it."""

    def __init__(self, stage: Stage, market: str = "") -> None:
        self.stage = stage
        self.listing = stage.exchange.listings[market or stage.market]
        self.market = self.listing.instrument.market

    async def clob(self, path: str, **params: str) -> Any:
        return (await self.stage.venue.http.get(self.stage.venue.urls["clob_url"] + path, params=params)).json()

    async def gamma(self, path: str, **params: str) -> Any:
        return (await self.stage.venue.http.get(self.stage.venue.urls["gamma_url"] + path, params=params)).json()

    async def gammas(self) -> list[dict[str, Any]]:
        """Gamma's objects of the market: both lists, alone by id and by slug, in its event, found by words."""
        ours = {"condition_ids": self.market}
        event = await self.gamma(f"/events/{self.listing.event_id}")
        search = await self.gamma("/public-search", q=self.listing.event_title)
        found = [
            *await self.gamma("/markets", **ours),
            *(await self.gamma("/markets/keyset", **ours))["markets"],
            await self.gamma(f"/markets/{self.listing.gamma_id}"),
            await self.gamma(f"/markets/slug/{self.listing.slug}"),
            *event.get("markets", []),
            *(each for event in search["events"] for each in event["markets"]),
        ]
        return [each for each in found if each.get("conditionId") == self.market]

    async def shorts(self) -> dict[str, Any]:
        return dict(await self.clob(f"/clob-markets/{self.market}"))

    async def longs(self) -> list[dict[str, Any]]:
        """The CLOB's old objects of the market: alone and in the list."""
        page = (await self.clob("/markets"))["data"]
        return [
            await self.clob(f"/markets/{self.market}"),
            *(each for each in page if each["condition_id"] == self.market),
        ]


def test_every_disagreement_is_listed_here() -> None:
    assert set(GAMMA_FIELDS) | {"missing"} == set(WHATS)
    assert set(SHORT_FIELDS) == set(LONG_FIELDS) == set(WHATS) - verbs.GAMMA_ONLY - {"hydrating"}


@pytest.mark.parametrize("what", GAMMA_FIELDS)
async def test_gamma_is_wrong_about_one_market_in_every_place_and_about_nothing_else(stage: Stage, what: str) -> None:
    sources, other = Sources(stage), Sources(stage, list(stage.exchange.listings)[1])
    before = await sources.gammas()
    rest = (await other.gammas(), await sources.shorts(), await sources.longs())
    assert len(before) == 6, "five kinds of places; the search finds its event's market too"
    stage.arm(f'do = "disagree"\nmarket = 0\nwhat = "{what}"\nfor = 60')
    for one, wrong in zip(before, await sources.gammas(), strict=True):
        assert different(one, wrong) >= GAMMA_FIELDS[what]
        assert different(one, wrong) <= GAMMA_FIELDS[what] | {"positionIds", "feesEnabled"}
    assert (await other.gammas(), await sources.shorts(), await sources.longs()) == rest
    assert (await stage.post()).status_code == 200, "trading goes on as it is"
    stage.pass_time(60)
    after = await sources.gammas()
    assert [different(*pair) & GAMMA_FIELDS[what] for pair in zip(before, after, strict=True)] == [set()] * 6


@pytest.mark.parametrize("what", SHORT_FIELDS)
async def test_the_clob_is_wrong_in_its_parameters_and_its_lists(stage: Stage, what: str) -> None:
    sources, other = Sources(stage), Sources(stage, list(stage.exchange.listings)[1])
    short, long, gammas = await sources.shorts(), await sources.longs(), await sources.gammas()
    rest = (await other.shorts(), await other.longs())
    simple = (await sources.clob("/simplified-markets"))["data"][0]
    stage.arm(f'do = "disagree"\nmarket = 0\nwhat = "{what}"\nsource = "clob"\nfor = 60')
    assert different(short, await sources.shorts()) == SHORT_FIELDS[what]
    for one, wrong in zip(long, await sources.longs(), strict=True):
        assert different(one, wrong) == LONG_FIELDS[what]
    assert (await sources.gammas(), await other.shorts(), await other.longs()) == (gammas, *rest)
    wrong = (await sources.clob("/simplified-markets"))["data"][0]
    assert different(simple, wrong) == LONG_FIELDS[what] & set(simple), "and in the short list what it has of it"
    stage.pass_time(60)
    assert (await sources.shorts(), await sources.longs()) == (short, long)


async def test_every_kind_of_market_can_be_told_wrong() -> None:
    """v2, neg-risk, delayed and free ones: each answer stays whole, and each market says something else."""
    async with venue_running(markets=EVERY_KIND) as venue:
        stage = Stage(venue, trader_of(venue))
        sources = Sources(stage)

        async def gamma() -> dict[str, dict[str, Any]]:
            page = await sources.gamma("/markets/keyset", limit="100")
            return {each["conditionId"]: each for each in page["markets"]}

        async def clob() -> dict[str, dict[str, Any]]:
            return {market: dict(await sources.clob(f"/clob-markets/{market}")) for market in venue.exchange.listings}

        right, parameters = await gamma(), await clob()
        assert len(right) == EVERY_KIND and {each["version"] for each in right.values()} == {"v1", "v2"}
        for source, wrongs, read, before in (
            ("gamma", GAMMA_FIELDS, gamma, right),
            ("clob", SHORT_FIELDS, clob, parameters),
        ):
            for what, fields in wrongs.items():
                lines = f'do = "disagree"\nwhat = "{what}"\nsource = "{source}"\nfor = 1'
                stage.arm(*(f"{lines}\nmarket = {number}" for number in range(EVERY_KIND)))
                for market, told in (await read()).items():
                    assert different(before[market], told) >= fields, (source, what, market)
                stage.pass_time(1)
        assert await clob() == parameters


async def test_a_v2_market_is_wrong_in_its_position_ids_too() -> None:
    async with venue_running(markets=EVERY_KIND) as venue:
        stage, market = Stage(venue, trader_of(venue)), venue.instrument("v2").market
        sources = Sources(stage, market)
        right = (await sources.gammas())[0]["positionIds"]
        for what, wrong in (("tokens", right[::-1]), ("hydrating", [])):
            stage.arm(f'do = "disagree"\nmarket = "{market}"\nwhat = "{what}"\nfor = 5')
            assert (await sources.gammas())[0]["positionIds"] == wrong
            stage.pass_time(5)


async def test_tokens_are_swapped_and_the_other_order_says_the_same(stage: Stage) -> None:
    sources = Sources(stage)

    def mapping(market: dict[str, Any]) -> dict[str, str]:
        return dict(zip(json.loads(market["outcomes"]), json.loads(market["clobTokenIds"]), strict=True))

    right = {"Yes": stage.yes, "No": stage.no}
    stage.arm('do = "disagree"\nmarket = 0\nwhat = "order"\nfor = 10')
    market = (await sources.gammas())[0]
    assert json.loads(market["outcomes"]) == ["No", "Yes"] and mapping(market) == right
    stage.pass_time(10)
    stage.arm('do = "disagree"\nmarket = 0\nwhat = "tokens"\nfor = 10')
    assert mapping((await sources.gammas())[0]) == {"Yes": stage.no, "No": stage.yes}
    stage.pass_time(10)
    stage.arm('do = "disagree"\nmarket = 0\nwhat = "tokens"\nsource = "clob"\nfor = 10')
    told = {each["o"]: each["t"] for each in (await sources.shorts())["t"]}
    assert told == {"Yes": stage.no, "No": stage.yes}
    stage.pass_time(10)
    stage.arm('do = "disagree"\nmarket = 0\nwhat = "order"\nsource = "clob"')
    pairs = [(each["o"], each["t"]) for each in (await sources.shorts())["t"]]
    assert pairs == [("No", stage.no), ("Yes", stage.yes)]


async def test_a_market_that_is_hydrating_has_no_ids_in_gamma_or_is_unknown_to_the_clob(stage: Stage) -> None:
    sources = Sources(stage)
    stage.arm('do = "disagree"\nmarket = 0\nwhat = "hydrating"\nfor = 10')
    assert json.loads((await sources.gammas())[0]["clobTokenIds"]) == ["", ""]
    stage.pass_time(10)
    stage.arm('do = "disagree"\nmarket = 0\nwhat = "hydrating"\nsource = "clob"\nfor = 10')
    no_book = "No orderbook exists for the requested token id"
    for path, params, error in (
        (f"/clob-markets/{stage.market}", {}, "market not found"),
        (f"/markets/{stage.market}", {}, "market not found"),
        (f"/markets-by-token/{stage.yes}", {}, no_book),
        ("/book", {"token_id": stage.no}, no_book),
        ("/tick-size", {"token_id": stage.yes}, no_book),
    ):
        answer = await stage.venue.http.get(stage.venue.urls["clob_url"] + path, params=params)
        assert (answer.status_code, answer.json()["error"]) == (404, error), path
    other = Sources(stage, list(stage.exchange.listings)[1])
    assert (await other.shorts())["c"] == other.market
    assert (await sources.gammas())[0]["conditionId"] == stage.market, "Gamma has it already"
    stage.pass_time(10)
    assert (await sources.shorts())["c"] == stage.market


async def test_a_market_gamma_does_not_list_is_nowhere_in_it(stage: Stage) -> None:
    sources = Sources(stage)
    stage.arm('do = "disagree"\nmarket = 0\nwhat = "missing"')
    assert await sources.gammas() == []
    assert len(await sources.gamma("/markets")) == len(stage.exchange.listings) - 1
    assert (await sources.shorts())["c"] == stage.market


async def test_a_market_gamma_calls_closed_is_found_among_the_closed_ones_only(stage: Stage) -> None:
    """Filters see what is said: a reader that asks for open markets does not get it, one that asks for closed does."""
    sources = Sources(stage)
    stage.arm('do = "disagree"\nmarket = 0\nwhat = "closed"')
    for path in ("/markets", "/markets/keyset"):
        for closed, count in (("true", 1), ("false", 0)):
            told = await sources.gamma(path, condition_ids=stage.market, closed=closed)
            assert len(told if path == "/markets" else told["markets"]) == count
    assert (await sources.shorts())["ao"] is True


async def test_a_market_that_has_ended_says_so_by_its_date(stage: Stage) -> None:
    sources = Sources(stage)
    stage.arm('do = "disagree"\nmarket = 0\nwhat = "ended"')
    ended = datetime.fromisoformat((await sources.gammas())[0]["endDate"]).astimezone(UTC).timestamp()
    assert stage.exchange.now_ms / 1000 - ended == pytest.approx(86_400, abs=1)


async def test_the_clobs_answers_by_token_go_with_its_parameters(stage: Stage) -> None:
    sources = Sources(stage)
    tick = await sources.clob("/tick-size", token_id=stage.yes)
    stage.arm('do = "disagree"\nmarket = 0\nwhat = "tick"\nsource = "clob"')
    stage.arm('do = "disagree"\nmarket = 0\nwhat = "neg_risk"\nsource = "clob"')
    other = await sources.clob("/tick-size", token_id=stage.yes)
    assert other != tick and other["minimum_tick_size"] == (await sources.shorts())["mts"]
    told = await sources.clob("/neg-risk", token_id=stage.no)
    assert told["neg_risk"] is not stage.exchange.listings[stage.market].instrument.neg_risk
    assert stage.happened("disagree")[:2] == ["begins", "begins"]


async def test_two_disagreements_about_one_market_add_up(stage: Stage) -> None:
    sources = Sources(stage)
    before = (await sources.gammas())[0]
    stage.arm(
        *(f'do = "disagree"\nmarket = 0\nwhat = "{what}"\nfor = {time}' for what, time in (("tick", 5), ("fee", 9)))
    )
    assert different(before, (await sources.gammas())[0]) >= {"orderPriceMinTickSize", "feeSchedule"}
    stage.pass_time(5)
    assert "orderPriceMinTickSize" not in different(before, (await sources.gammas())[0])


# A venue that is closed to us


async def test_a_blocked_country_is_told_and_felt(stage: Stage) -> None:
    async def told() -> dict[str, Any]:
        return dict((await stage.venue.http.get(stage.venue.urls["geoblock_url"])).json())

    assert await told() == {"blocked": False, "ip": "203.0.113.7", "country": "CH", "region": "ZH"}
    order_id = await stage.place()
    stage.arm('do = "geoblock"\ncountry = "FR"\nregion = "75"\nfor = 60')
    assert await told() == {"blocked": True, "ip": "203.0.113.7", "country": "FR", "region": "75"}
    answer = await stage.post(2)
    assert answer.status_code == 403 and answer.text.startswith("<!DOCTYPE html>")
    assert (await stage.trader.send("DELETE", "/order", {"orderID": order_id})).status_code == 200, "cancels pass"
    stage.pass_time(60)
    assert (await told())["blocked"] is False and (await stage.post(3)).status_code == 200


async def test_another_version_is_told_and_refuses_our_orders(stage: Stage) -> None:
    assert (await stage.get("/version")).json() == {"version": 2}
    stage.arm('do = "version"\nto = 1\nfor = 60')
    assert (await stage.get("/version")).json() == {"version": 1}
    answer = await stage.post()
    assert (answer.status_code, answer.json()["error"]) == (400, "order_version_mismatch")
    stage.pass_time(60)
    assert (await stage.post()).status_code == 200


async def allowances(trader: Trader, asset: str, token: str = "") -> dict[str, int]:
    query = f"?asset_type={asset}&signature_type=0" + (f"&token_id={token}" if token else "")
    answer = await trader.send("GET", "/balance-allowance", query=query)
    return {spender.lower(): int(amount) for spender, amount in answer.json()["allowances"].items()}


@pytest.mark.parametrize("kind", MARKET_KINDS)
async def test_an_allowance_that_is_gone_is_shown_and_stops_the_orders_that_need_it(kind: MarketKind) -> None:
    """Of one contract only: markets of the others trade on; approving anew mends it."""
    spender: verbs.Spender = {"plain": "exchange", "neg-risk": "neg_risk_exchange", "v2": "exchange_v3"}[kind]  # type: ignore[assignment]
    async with venue_running(markets=EVERY_KIND) as venue:
        stage = Stage(venue, trader_of(venue))
        instruments = {each: venue.instrument(each) for each in MARKET_KINDS}
        before = await allowances(stage.trader, "COLLATERAL")
        stage.arm(f'do = "allowance"\nspender = "{spender}"')
        after = await allowances(stage.trader, "COLLATERAL")
        (gone,) = different(before, after)
        assert after[gone] == 0 and before[gone] == 2**256 - 1
        for each, instrument in instruments.items():
            answer = await stage.post(token=instrument.yes_token)
            assert answer.status_code == (400 if each == kind else 200), (each, answer.text)
            if each == kind:
                assert answer.json()["error"] == "not enough balance / allowance"
        assert stage.happened("allowance") == [f"collateral: {spender}"]
        venue.exchange.approvals.give(EOA.lower(), PUSD, gone, UNLIMITED)
        assert (await stage.post(token=instruments[kind].yes_token)).status_code == 200


@pytest.mark.parametrize("kind", MARKET_KINDS)
async def test_tokens_that_no_contract_may_take_cannot_be_sold(kind: MarketKind) -> None:
    asset = "conditional-v2" if kind == "v2" else "conditional"
    async with venue_running(markets=EVERY_KIND) as venue:
        stage, instrument = Stage(venue, trader_of(venue)), venue.instrument(kind)
        venue.exchange.split(EOA.lower(), instrument.market, Shares(50 * MICRO))

        async def sell() -> int:
            order = stage.trader.order(instrument.yes_token, 10 * MICRO, 9_900_000, "SELL")
            return (await stage.trader.send("POST", "/order", stage.trader.body(order))).status_code

        stage.arm(f'do = "allowance"\nasset = "{asset}"\namount = 5')
        told = await allowances(stage.trader, asset.upper(), instrument.yes_token)
        assert set(told.values()) == {UNLIMITED}, "of tokens a contract may take all or none"
        assert await sell() == 200
        stage.arm(f'do = "allowance"\nasset = "{asset}"')
        assert set((await allowances(stage.trader, asset.upper(), instrument.yes_token)).values()) == {0}
        assert await sell() == 400
        assert (await stage.post(token=instrument.yes_token)).status_code == 200, "buying needs collateral alone"


async def test_what_a_wallet_approved_itself_is_cut_too(stage: Stage) -> None:
    stage.exchange.approvals.give(EOA.lower(), PUSD, EXCHANGE, 50 * MICRO)
    stage.arm('do = "allowance"\namount = 2000000')
    assert set((await allowances(stage.trader, "COLLATERAL")).values()) == {2 * MICRO}
    stage.arm('do = "allowance"\nspender = "exchange"\namount = 9000000')
    stage.exchange.approvals.give(EOA.lower(), PUSD, EXCHANGE, 1)
    stage.arm('do = "allowance"\nspender = "exchange"\namount = 9000000')
    assert (await allowances(stage.trader, "COLLATERAL"))[EXCHANGE] == 1, "never raised"


async def test_a_small_allowance_is_enough_for_small_orders(stage: Stage) -> None:
    stage.arm('do = "allowance"\nspender = "exchange"\namount = 1000000')
    instrument = stage.exchange.listings[stage.market].instrument
    assert not instrument.neg_risk
    assert (await stage.post(10, shares=10)).status_code == 200
    assert (await stage.post(11, shares=10)).status_code == 400
    assert min((await allowances(stage.trader, "COLLATERAL")).values()) == 1_000_000


async def test_the_official_client_sees_the_missing_approval(stage: Stage) -> None:
    client = await stage.venue.client()
    try:
        assert (await client.get_trading_approvals_state()).is_fully_approved
        stage.arm('do = "allowance"\nspender = "adapter"')
        missing = (await client.get_trading_approvals_state()).missing
        assert len(missing.erc20) == 1 and not missing.erc1155
    finally:
        await client.close()
