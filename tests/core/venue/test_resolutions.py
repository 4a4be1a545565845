"""What resolved questions pay: the chain's parts, the catalogue's names, and nothing that is not final."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from core.errors import MalformedMessage, VenueError, VenueUnavailable
from core.events import PayoutSeen
from core.units import MICRO
from core.venue.resolutions import Listed, Payouts, Resolutions, listed_of
from tests.builders import recorded

ONE, OTHER = "0x" + "11" * 32, "0x" + "22" * 32
Says = Payouts | VenueError | None


class Chain:
    """Says of each question what a test wants; 1 : 0 of any other."""

    def __init__(self, **says: Says) -> None:
        self.says = says

    async def payouts(self, market: str) -> Payouts | None:
        said = self.says.get({ONE: "one", OTHER: "other"}[market], (1, 0))
        if isinstance(said, VenueError):
            raise said
        return said


LOST = VenueUnavailable("nobody there")


def a_market(market: str = ONE, **over: Any) -> dict[str, Any]:
    """A question that is resolved for YES."""
    plain = {"conditionId": market, "closed": True, "umaResolutionStatus": "resolved"}
    return plain | {"outcomes": '["Yes", "No"]', "outcomePrices": '["1", "0"]'} | over


def catalogue(*markets: dict[str, Any], asked: list[str] | None = None) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        wanted = request.url.params.get_list("condition_ids")
        if asked is not None:
            asked.extend(wanted)
        is_closed = request.url.params["closed"] == "true"
        found = [each for each in markets if each["conditionId"] in wanted and each["closed"] is is_closed]
        return httpx.Response(200, json={"markets": found})

    return answer


def resolutions(chain: Chain | None, answer: Callable[[httpx.Request], httpx.Response]) -> Resolutions:
    made = Resolutions("http://gamma.test", chain)
    made._client = httpx.AsyncClient(base_url="http://gamma.test", transport=httpx.MockTransport(answer))
    return made


async def read(chain: Chain | None, *markets: dict[str, Any]) -> list[tuple[str, int, str]]:
    seen = await resolutions(chain, catalogue(*markets)).read([ONE])
    assert all(isinstance(each, PayoutSeen) and each.market == ONE for each in seen)
    return [(each.market, each.price, each.source) for each in seen]


@pytest.mark.parametrize(("parts", "price"), [((1, 0), MICRO), ((0, 1), 0), ((1, 1), MICRO // 2), ((3, 7), 300_000)])
async def test_the_chain_tells_the_parts_and_goes_before_the_catalogue(parts: Payouts, price: int) -> None:
    """Even where the catalogue still shows the last prices, or others."""
    for listed in (a_market(), a_market(closed=False, umaResolutionStatus="proposed", outcomePrices='["0.4", "0.6"]')):
        assert await read(Chain(one=parts), listed) == [(ONE, price, "chain")]


async def test_which_outcome_is_yes_the_catalogue_says() -> None:
    """The contract numbers outcomes; taken the wrong way round, every winner would be a loser."""
    turned = a_market(outcomes='["No", "Yes"]', outcomePrices='["0", "1"]')
    assert await read(Chain(one=(0, 1)), turned) == [(ONE, MICRO, "chain")] == await read(Chain(one=(0, 1)), turned)
    assert await read(None, turned) == [(ONE, MICRO, "catalogue")]
    named = a_market(outcomes='["Up", "Down"]', outcomePrices='["0", "1"]')
    assert await read(Chain(one=(0, 1)), named) == [(ONE, 0, "chain")], "the first stands for YES, as when it is traded"


async def test_without_the_catalogue_only_halves_are_certain() -> None:
    assert await read(Chain(one=(1, 0))) == [] and await read(Chain(one=(1, 1))) == [(ONE, MICRO // 2, "chain")]


async def test_what_the_chain_knows_as_unresolved_is_so_whatever_the_catalogue_says() -> None:
    asked: list[str] = []
    reader = resolutions(Chain(one=None), catalogue(a_market(), a_market(OTHER), asked=asked))
    assert [each.market for each in await reader.read([ONE, OTHER])] == [OTHER]
    assert ONE not in asked, "nobody else needs to be asked"


async def test_where_the_chain_cannot_tell_the_catalogue_does() -> None:
    assert await read(Chain(one=LOST), a_market()) == [(ONE, MICRO, "catalogue")]
    assert await read(Chain(one=LOST), a_market(closed=False)) == []


@pytest.mark.parametrize(
    "over",
    [
        {"closed": False},
        {"closed": None},
        {"umaResolutionStatus": "proposed"},
        {"umaResolutionStatus": "disputed"},
        {"umaResolutionStatus": None},
        {"outcomePrices": '["0", "0"]'},
        {"outcomePrices": '["0.9995", "0.0005"]'},
        {"outcomePrices": '["1", "1"]'},
        {"outcomePrices": '["1"]'},
        {"outcomePrices": "[1, 0]"},
        {"outcomePrices": "nonsense"},
        {"outcomePrices": None},
    ],
)
def test_what_is_not_final_or_no_payout_is_not_believed(over: dict[str, Any]) -> None:
    """Proposed is not resolved, and a last price is no payout (market-making.md 3.5)."""
    assert listed_of(a_market(**over)) == (ONE, Listed(0, None))


def test_half_a_dollar_is_a_payout() -> None:
    assert listed_of(a_market(outcomePrices='["0.5", "0.5"]')) == (ONE, Listed(0, MICRO // 2))


@pytest.mark.parametrize("raw", [None, [], {}, a_market(conditionId=""), a_market(outcomes='["Yes"]')])
def test_an_object_that_is_no_market_is_refused(raw: Any) -> None:
    with pytest.raises(MalformedMessage):
        listed_of(raw)


async def test_a_catalogue_in_trouble_tells_nothing_and_one_bad_object_costs_no_other() -> None:
    for status, body in ((503, '{"markets": []}'), (200, "<html>"), (200, "{}"), (200, "[]")):
        reader = resolutions(None, lambda _, status=status, body=body: httpx.Response(status, text=body))  # type: ignore[misc]
        assert await reader.read([ONE]) == []
    objects = {"markets": [None, a_market(outcomes="x"), a_market()]}
    seen = await resolutions(None, lambda _: httpx.Response(200, json=objects)).read([ONE])
    assert [each.price for each in seen] == [MICRO]


async def test_a_market_that_nobody_asked_about_is_left_out() -> None:
    assert await resolutions(None, lambda _: httpx.Response(200, json={"markets": [a_market(OTHER)]})).read([ONE]) == []


def test_recorded_markets_are_read() -> None:
    """292 resolved five-minute markets, and closed ones of which the catalogue does not say how they ended."""
    [path] = recorded("gamma-markets-btc-5m-resolved-292.jsonl.gz")
    lines = gzip.decompress(path.read_bytes()).splitlines()
    listed = [listed_of(json.loads(line)["raw"])[1] for line in lines]
    assert len(listed) == 292 and {each.price for each in listed} == {0, MICRO}
    prices = {}
    for path in recorded("gamma-market-closed-*.json"):
        told = json.loads(path.read_bytes())
        prices[path.stem] = listed_of(told[0] if isinstance(told, list) else told)[1].price
    assert prices == {
        "gamma-market-closed-binary-accepting-false": 0,
        "gamma-market-closed-binary-accepting-true": None,
        "gamma-market-closed-nonbinary-legacy": None,
        "gamma-market-closed-zero-zero-legacy": None,
    }
