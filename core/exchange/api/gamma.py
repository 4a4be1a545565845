"""Markets and events as Gamma describes them (polymarket-api.md 7); some fields are JSON inside a string."""

import hashlib
import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from core.exchange.api.marks import mark
from core.exchange.exchange import Exchange
from core.exchange.listing import Listing, is_complete, siblings, slug_of
from core.exchange.plots import Plot
from core.units import MICRO, OUTCOMES, micro_text

REWARD_ASSET: Final = "0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB"
FOREVER: Final = "2500-12-31"
LEGACY_FEE: Final = 1_000
"""``makerBaseFee`` and ``takerBaseFee`` of markets with fees; means nothing any more."""


class Describer:
    """Turns listings into catalogue objects, as things stand at the moment of asking."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def market(self, listing: Listing, *, events: bool = True, tags: bool = False) -> dict[str, Any]:
        """Everything a client may read about a market."""
        fields = self._identity(listing) | self._state(listing) | self._prices(listing) | self._figures(listing)
        fields |= self._programme(listing)
        if listing.plot.fee_bps:
            fields |= _fees(listing)
        if listing.neg_risk_market_id:
            fields["negRiskMarketID"] = listing.neg_risk_market_id
        if listing.plot.version == "v2":
            fields["positionIds"] = [listing.instrument.token_of(outcome) for outcome in OUTCOMES]
        if events:
            fields["events"] = [self._event_head(self._family(listing))]
        if tags:
            fields["tags"] = tags_of(listing)
        for market, instead in self._exchange.retold:
            if market == listing.instrument.market:
                fields |= instead(fields)
        return fields

    def event(self, listings: list[Listing]) -> dict[str, Any]:
        """An event with all its markets, which must not be none."""
        markets = [self.market(each, events=False) for each in listings]
        totals = ("liquidityClob", "volume24hr", "volume1wk", "volume1mo", "volume1yr")
        fields = self._event_head(listings) | {name: sum(each[name] for each in markets) for name in totals}
        fields |= {
            "liquidity": fields["liquidityClob"],
            "volume": sum(each["volumeNum"] for each in markets),
            "openInterest": sum(self._exchange.ledger.collateral.get(each["conditionId"], 0) for each in markets)
            / MICRO,
            "commentCount": 0,
            "markets": markets,
            "tags": tags_of(listings[0]),
        }
        closed = [each["closedTime"] for each in markets if "closedTime" in each]
        if fields["closed"] and closed:
            fields["closedTime"] = max(closed)
        return fields

    def families(self) -> dict[str, list[Listing]]:
        """The markets of every event, by event id."""
        found: dict[str, list[Listing]] = {}
        for listing in self._exchange.listings.values():
            found.setdefault(listing.event_id, []).append(listing)
        return found

    def _family(self, listing: Listing) -> list[Listing]:
        return [each for each in self._exchange.listings.values() if each.event_id == listing.event_id]

    def is_closed(self, listing: Listing) -> bool:
        """Whether trading in a market has ended for good."""
        return self._exchange.is_over(listing.instrument.market)

    def _event_head(self, listings: list[Listing]) -> dict[str, Any]:
        first = listings[0]
        end = max(each.end_unix for each in listings)
        fields: dict[str, Any] = {
            "id": first.event_id,
            "ticker": first.event_slug,
            "slug": first.event_slug,
            "version": first.plot.version,
            "title": first.event_title,
            "description": f"Which market of this event is right is decided by {_iso(end)}.",
            "resolutionSource": "",
            "startDate": _iso(first.start_unix),
            "creationDate": _iso(first.start_unix),
            "createdAt": _iso(first.start_unix),
            "endDate": _iso(end),
            "image": "",
            "icon": "",
            "active": True,
            "closed": all(self.is_closed(each) for each in listings),
            "archived": False,
            "new": False,
            "featured": False,
            "restricted": True,
            "enableOrderBook": True,
            "negRisk": first.instrument.neg_risk,
            "enableNegRisk": first.instrument.neg_risk,
            "negRiskAugmented": first.instrument.neg_risk and not is_complete(siblings(first.plot)),
            "cyom": False,
            "automaticallyActive": True,
        }
        if first.neg_risk_market_id:
            fields["negRiskMarketID"] = first.neg_risk_market_id
        if first.instrument.game_start_unix is not None:
            fields["startTime"] = _iso(first.instrument.game_start_unix)
        return fields

    def _identity(self, listing: Listing) -> dict[str, Any]:
        instrument, plot = listing.instrument, listing.plot
        return {
            "id": listing.gamma_id,
            "question": plot.question,
            "conditionId": instrument.market,
            "questionID": listing.question_id,
            "slug": listing.slug,
            "groupItemTitle": item_title(plot),
            "version": plot.version,
            "category": plot.category,
            "description": f"This market resolves by {_iso(listing.end_unix)}.",
            "resolutionSource": "",
            "image": "",
            "icon": "",
            "outcomes": json.dumps(["Yes", "No"]),
            "clobTokenIds": json.dumps([instrument.yes_token, instrument.no_token]),
        }

    def _state(self, listing: Listing) -> dict[str, Any]:
        market = listing.instrument.market
        instrument = self._exchange.faces[market].instrument
        phase, closed = self._exchange.phase(market), self.is_closed(listing)
        fields: dict[str, Any] = {
            "active": True,
            "closed": closed,
            "archived": False,
            "new": False,
            "featured": False,
            "restricted": True,
            "acceptingOrders": phase == "open",
            "acceptingOrdersTimestamp": _iso(listing.start_unix),
            "enableOrderBook": True,
            "negRisk": instrument.neg_risk,
            "negRiskOther": False,
            "negRiskRequestID": "",
            "startDate": _iso(listing.start_unix),
            "startDateIso": _day(listing.start_unix),
            "createdAt": _iso(listing.start_unix),
            "endDate": _iso(listing.end_unix),
            "endDateIso": _day(listing.end_unix),
            "orderPriceMinTickSize": float(instrument.tick_text),
            "orderMinSize": float(instrument.min_size_text),
            "secondsDelay": listing.plot.delay_ms // 1000,
            "umaResolutionStatus": {"closed": "proposed", "resolved": "resolved"}.get(phase, ""),
            "umaResolutionStatuses": json.dumps(["proposed"] if closed else []),
            "feesEnabled": listing.plot.fee_bps > 0,
            "feeType": None,
        }
        game = listing.instrument.game_start_unix
        if game is not None:
            fields |= {"gameStartTime": _stamp(game), "eventStartTime": _iso(game)}
        if closed:
            fields["closedTime"] = _stamp(self._exchange.closed_ms[market] / 1000)
        return fields

    def _prices(self, listing: Listing) -> dict[str, Any]:
        market = listing.instrument.market
        face = self._exchange.faces[market]
        grid = face.instrument.grid
        bid, ask = face.top("YES")
        shown = [micro_text(mark(self._exchange, market, outcome)) for outcome in OUTCOMES]
        fields: dict[str, Any] = {
            "outcomePrices": json.dumps(shown),
            "spread": round(grid.dollars((grid.k if ask is None else ask) - (bid or 0)), 6),
            "lastTradePrice": float(face.last_trade_price),
        }
        if bid is not None:
            fields["bestBid"] = grid.dollars(bid)
        if ask is not None:
            fields["bestAsk"] = grid.dollars(ask)
        return fields

    def _figures(self, listing: Listing) -> dict[str, Any]:
        plot = listing.plot
        traded = self._exchange.traded[listing.instrument.market] / MICRO
        total = plot.volume_month * 2 + traded
        numbers = {
            "volumeNum": total,
            "volume24hr": plot.volume_week / 6 + traded,
            "volume1wk": plot.volume_week + traded,
            "volume1mo": plot.volume_month + traded,
            "volume1yr": total,
        }
        clob = {f"{name.removesuffix('Num')}Clob": value for name, value in numbers.items()}
        return (
            numbers
            | clob
            | {
                "volume": f"{total:.4f}",
                "liquidity": f"{plot.liquidity:.4f}",
                "liquidityNum": plot.liquidity,
                "liquidityClob": plot.liquidity,
            }
        )

    def _programme(self, listing: Listing) -> dict[str, Any]:
        plot = listing.plot
        fields: dict[str, Any] = {
            "rewardsMinSize": plot.reward_size,
            "rewardsMaxSpread": plot.reward_cents,
            "holdingRewardsEnabled": False,
        }
        if plot.daily_reward:
            fields["clobRewards"] = [
                {
                    "id": listing.gamma_id,
                    "conditionId": listing.instrument.market,
                    "assetAddress": REWARD_ASSET,
                    "rewardsAmount": 0,
                    "rewardsDailyRate": plot.daily_reward,
                    "startDate": _day(listing.start_unix),
                    "endDate": FOREVER,
                }
            ]
        return fields


@lru_cache(maxsize=1024)
def item_title(plot: Plot) -> str:
    """What tells a question from the others of its event: ``Harbour City``; empty when it is its own event."""
    questions = [each.question.split() for each in siblings(plot)]
    if len(questions) < 2:
        return plot.question if plot.event else ""
    words = plot.question.split()
    shortest = min(map(len, questions)) - 1
    head = _same([each[:shortest] for each in questions])
    tail = _same([each[::-1][: shortest - head] for each in questions])
    return " ".join(words[head : len(words) - tail])


def _same(texts: list[list[str]]) -> int:
    """How many first words all have in common."""
    count = 0
    for column in zip(*texts, strict=False):
        if len(set(column)) > 1:
            break
        count += 1
    return count


def tags_of(listing: Listing) -> list[dict[str, Any]]:
    """The tags of a market: its category."""
    label = listing.plot.category
    return [{"id": tag_id(label), "label": label, "slug": slug_of(label)}]


def tag_id(label: str) -> str:
    """The number of a tag; follows from its name."""
    return str(int.from_bytes(hashlib.sha256(label.encode()).digest()[:2]) + 1)


def _fees(listing: Listing) -> dict[str, Any]:
    return {
        "makerBaseFee": LEGACY_FEE,
        "takerBaseFee": LEGACY_FEE,
        "feeType": f"{listing.plot.category.lower()}_fees_v2",
        "feeSchedule": {
            "exponent": 1,
            "rate": listing.plot.fee_bps / 10_000,
            "takerOnly": True,
            "rebateRate": listing.plot.rebate,
        },
    }


def _iso(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _day(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).date().isoformat()


def _stamp(unix_s: float) -> str:
    """As ``closedTime`` and ``gameStartTime`` are spelled: ``2026-03-19 23:20:15+00``."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S+00")
