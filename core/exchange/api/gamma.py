"""One market as Gamma describes it (polymarket-api.md 7); some fields are JSON inside a string."""

import json
from datetime import UTC, datetime
from typing import Any, Final

from core.exchange.face import Face
from core.exchange.listing import Listing

_REWARD_ASSET: Final = "0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB"
_FOREVER: Final = "2500-12-31"


def describe(listing: Listing, face: Face, traded: float) -> dict[str, Any]:
    """Everything a client may read about a market; ``traded`` is the shares traded since the exchange opened."""
    market = _identity(listing) | _state(listing) | _prices(face) | _figures(listing, traded) | _rewards(listing)
    if listing.plot.fee_bps:
        market["feeSchedule"] = {
            "exponent": 1,
            "rate": listing.plot.fee_bps / 10_000,
            "takerOnly": True,
            "rebateRate": listing.plot.rebate,
        }
    if listing.neg_risk_market_id:
        market["negRiskMarketID"] = listing.neg_risk_market_id
    return market


def _identity(listing: Listing) -> dict[str, Any]:
    instrument, plot = listing.instrument, listing.plot
    event = {"id": listing.event_id, "slug": listing.slug, "title": plot.question, "negRisk": instrument.neg_risk}
    return {
        "id": listing.gamma_id,
        "question": plot.question,
        "conditionId": instrument.market,
        "questionID": listing.question_id,
        "slug": listing.slug,
        "version": "v1",
        "category": plot.category,
        "outcomes": json.dumps(["Yes", "No"]),
        "clobTokenIds": json.dumps([instrument.yes_token, instrument.no_token]),
        "events": [event],
    }


def _state(listing: Listing) -> dict[str, Any]:
    instrument = listing.instrument
    end = datetime.fromtimestamp(instrument.end_unix or 0, UTC)
    return {
        "active": True,
        "closed": False,
        "archived": False,
        "acceptingOrders": True,
        "enableOrderBook": True,
        "negRisk": instrument.neg_risk,
        "negRiskOther": False,
        "startDate": _iso(datetime.fromtimestamp(listing.start_unix, UTC)),
        "endDate": _iso(end),
        "endDateIso": end.date().isoformat(),
        "orderPriceMinTickSize": float(instrument.tick_text),
        "orderMinSize": float(instrument.min_size_text),
        "feesEnabled": listing.plot.fee_bps > 0,
        "umaResolutionStatus": "",
        "umaResolutionStatuses": "[]",
    }


def _prices(face: Face) -> dict[str, Any]:
    grid = face.instrument.grid
    bid, ask = face.top("YES")
    low, high = grid.dollars(bid or 0), grid.dollars(grid.k if ask is None else ask)
    mid = round((low + high) / 2, 6)
    return {
        "outcomePrices": json.dumps([f"{mid:g}", f"{1 - mid:g}"]),
        "bestBid": low,
        "bestAsk": high,
        "spread": round(high - low, 6),
        "lastTradePrice": float(face.last_trade_price),
    }


def _figures(listing: Listing, traded: float) -> dict[str, Any]:
    plot = listing.plot
    total = plot.volume_month * 2 + traded
    return {
        "liquidity": f"{plot.liquidity:.4f}",
        "liquidityNum": plot.liquidity,
        "liquidityClob": plot.liquidity,
        "volume": f"{total:.4f}",
        "volumeNum": total,
        "volume24hr": plot.volume_week / 6 + traded,
        "volume1wk": plot.volume_week + traded,
        "volume1mo": plot.volume_month + traded,
        "volume1yr": total,
    }


def _rewards(listing: Listing) -> dict[str, Any]:
    programme = {
        "id": listing.gamma_id,
        "conditionId": listing.instrument.market,
        "assetAddress": _REWARD_ASSET,
        "rewardsAmount": 0,
        "rewardsDailyRate": listing.plot.reward_size,
        "startDate": datetime.fromtimestamp(listing.start_unix, UTC).date().isoformat(),
        "endDate": _FOREVER,
    }
    return {
        "rewardsMinSize": listing.plot.reward_size,
        "rewardsMaxSpread": listing.plot.reward_cents,
        "clobRewards": [programme],
    }


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
