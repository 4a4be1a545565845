"""Reward programmes, what makers earned, and rebates, over the wire (polymarket-api.md 4.3, 9.2, 9.3)."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from core.exchange.rewards import MIN_AGE_MS, SAMPLES_A_DAY, day_of
from core.units import MICRO
from tests.loopback.venue import EOA, Trader, Venue, trader_of, venue_running


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    async with venue_running(markets=3) as running:
        yield running


@pytest.fixture
def trader(venue: Venue) -> Trader:
    return trader_of(venue)


async def get(venue: Venue, path: str, **params: Any) -> httpx.Response:
    return await venue.http.get(str(venue.urls["clob_url"]) + path, params=params)


async def mine(trader: Trader, path: str, **params: Any) -> Any:
    answer = await trader.send("GET", path, query="?" + str(httpx.QueryParams(params)))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def quote(venue: Venue, trader: Trader) -> None:
    """Both sides of the first market a cent within its best prices, until they are old enough to score."""
    bid, ask = venue.exchange.faces[venue.market].top("YES")
    assert bid is not None and ask is not None
    for token, cents in ((venue.yes, bid + 1), (venue.no, 101 - ask)):
        answer = (await trader.send("POST", "/order", trader.bid(token, cents=cents, shares=500))).json()
        assert answer["status"] == "live", answer
    venue.pass_time(MIN_AGE_MS / 1000 + 1)


def end_of_day(venue: Venue) -> str:
    """Score a whole day's samples as things stand and pay for them."""
    exchange = venue.exchange
    day = day_of(exchange.now_ms)
    for _ in range(SAMPLES_A_DAY):
        for market, listing in exchange.listings.items():
            exchange.rewards.sample(listing, exchange.engine.books[market], exchange.now_ms)
    exchange.rewards.pay_rewards(exchange.listings.values(), day)
    exchange.rewards.pay_rebates(exchange.listings.values(), day)
    return day


async def test_programmes_are_listed_with_their_rates_and_bands(venue: Venue) -> None:
    page = (await get(venue, "/rewards/markets/current")).json()
    assert [row["condition_id"] for row in page["data"]] == list(venue.exchange.listings)
    assert page["next_cursor"] == "LTE="
    plot = venue.listing.plot
    assert page["data"][0]["rewards_max_spread"] == plot.reward_cents
    assert page["data"][0]["rewards_min_size"] == plot.reward_size
    assert page["data"][0]["rewards_config"][0]["rate_per_day"] == plot.daily_reward
    (one,) = (await get(venue, f"/rewards/markets/{venue.market}")).json()["data"]
    assert [token["token_id"] for token in one["tokens"]] == [venue.yes, venue.no]
    venue.exchange.close_market(venue.market)
    assert len((await get(venue, "/rewards/markets/current")).json()["data"]) == 2
    assert (await get(venue, f"/rewards/markets/{venue.market}")).json()["data"] == []
    missing = await get(venue, "/rewards/markets/0x1")
    assert (missing.status_code, missing.json()) == (404, {"error": "market not found"})


async def test_programmes_can_be_chosen_sorted_and_paged(venue: Venue) -> None:
    rows = (await get(venue, "/rewards/markets/multi", order_by="volume_24hr", position="DESC")).json()["data"]
    volumes = [row["volume_24hr"] for row in rows]
    assert volumes == sorted(volumes, reverse=True) and len(volumes) == 3
    middle = volumes[1]
    above = (await get(venue, "/rewards/markets/multi", min_volume_24hr=middle)).json()["data"]
    assert {row["volume_24hr"] for row in above} == set(volumes[:2])
    found = (await get(venue, "/rewards/markets/multi", q="bitcoin QUARTER")).json()["data"]
    assert [row["question"] for row in found] == ["Will bitcoin close the quarter above its opening price?"]
    first = (await get(venue, "/rewards/markets/multi", page_size=2)).json()
    second = (await get(venue, "/rewards/markets/multi", page_size=2, next_cursor=first["next_cursor"])).json()
    assert len({row["market_id"] for row in first["data"] + second["data"]}) == 3
    assert second["next_cursor"] == "LTE="
    for bad in ({"page_size": 0}, {"page_size": 501}, {"order_by": "x"}, {"next_cursor": "x"}, {"min_price": "NaN"}):
        assert (await get(venue, "/rewards/markets/multi", **bad)).status_code == 400


async def test_earnings_of_a_day_are_told_to_the_maker_alone(venue: Venue, trader: Trader) -> None:
    await quote(venue, trader)
    day = end_of_day(venue)
    share = venue.exchange.rewards.share(EOA, venue.market)
    earned = venue.exchange.rewards.earned(EOA, day)[venue.market] / MICRO
    assert 0 < share <= 1 and earned == pytest.approx(share * venue.listing.plot.daily_reward, rel=1e-5)
    assert await mine(trader, "/rewards/user/percentages", signature_type=0) == {
        venue.market: pytest.approx(100 * share, abs=1e-4)
    }
    (row,) = (await mine(trader, "/rewards/user", date=day, signature_type=0))["data"]
    assert (row["condition_id"], row["maker_address"], row["earnings"]) == (venue.market, EOA, earned)
    (total,) = await mine(trader, "/rewards/user/total", date=day, signature_type=0)
    assert total["earnings"] == earned and "native_earnings" not in total
    (told,) = await mine(trader, "/rewards/user/total", date=day, sponsored="true")
    assert (told["native_earnings"], told["sponsored_earnings"]) == (earned, 0)
    page = await mine(trader, "/rewards/user/markets", date=day, order_by="earnings", position="DESC", page_size=2)
    assert (page["total_count"], page["count"]) == (3, 2)
    best = page["data"][0]
    assert best["condition_id"] == venue.market and best["earnings"][0]["earnings"] == earned
    assert best["earning_percentage"] == pytest.approx(100 * share, abs=1e-4)
    other = await mine(trader, "/rewards/user", date=day, signature_type=2)
    assert other["data"] == [] and await mine(trader, "/rewards/user/percentages", signature_type=2) == {}
    assert (await mine(trader, "/rewards/user", date="2001-01-01"))["data"] == []


async def test_rebates_are_public(venue: Venue, trader: Trader) -> None:
    bid, ask = venue.exchange.faces[venue.market].top("YES")
    assert bid is not None and ask is not None and ask - bid > 1
    await trader.send("POST", "/order", trader.bid(venue.yes, cents=bid + 1, shares=2_000))
    await venue.take("YES", "SELL", 2_000)
    venue.pass_time(10)
    day = end_of_day(venue)
    (row,) = (await get(venue, "/rebates/current", date=day, maker_address=EOA)).json()
    paid = venue.exchange.rewards.rebates(EOA, day)[venue.market]
    assert (row["condition_id"], row["maker_address"], row["date"]) == (venue.market, EOA, day)
    assert float(row["rebated_fees_usdc"]) * MICRO == pytest.approx(paid)
    assert (await get(venue, "/rebates/current", date="2001-01-01", maker_address=EOA)).json() == []


async def test_bad_dates_addresses_and_keys_are_refused(venue: Venue, trader: Trader) -> None:
    for date in ("", "x", "2026-13-01", "2026-1-1", "20260101", "2026-01-01T00:00:00Z", "٢٠٢٦-٠١-٠١"):
        assert (await get(venue, "/rebates/current", date=date, maker_address=EOA)).status_code == 400
        for path in ("/rewards/user", "/rewards/user/total", "/rewards/user/markets"):
            assert (await trader.send("GET", path, query="?" + str(httpx.QueryParams(date=date)))).status_code == 400
    for address in ("", "0x1", "x" * 42):
        assert (await get(venue, "/rebates/current", date="2026-01-01", maker_address=address)).status_code == 400
    assert (await trader.send("GET", "/rewards/user/percentages", query="?signature_type=4")).status_code == 400
    for path in ("/rewards/user", "/rewards/user/total", "/rewards/user/percentages", "/rewards/user/markets"):
        assert (await get(venue, path, date="2026-01-01")).status_code == 401
