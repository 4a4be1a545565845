"""How a notification looks on the wire: each kind has a payload of its own (polymarket-api.md 4.3)."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from core.exchange.exchange import Exchange
from core.exchange.frames import shown_outcome
from core.exchange.listing import Listing
from core.exchange.notices import AUTO_REDEEMED, CANCELLED, FILL_FAILED, FILLED, RESOLVED, REWARDED, Notice
from core.exchange.orders import Order, Trade
from core.units import OUTCOMES, micro_text


def notice_body(exchange: Exchange, notice: Notice, owner: str) -> dict[str, Any] | None:
    """One notification of an API key; None when what it is about is not on record any more."""
    payload: dict[str, Any] | None = None
    if notice.kind == CANCELLED:
        order = exchange.engine.orders.get(notice.payload["order_id"])
        payload = None if order is None else _order(exchange, order, None)
    elif notice.kind in (FILLED, FILL_FAILED):
        trade = exchange.trades.get(notice.payload["trade_id"])
        payload = None if trade is None else _order(exchange, _part(trade, owner), trade)
    elif notice.kind == RESOLVED:
        payload = _market(exchange, exchange.listings[notice.payload["market"]])
    elif notice.kind == REWARDED:
        payload = _reward(notice)
    elif notice.kind == AUTO_REDEEMED:
        payload = dict(notice.payload)
    if payload is None:
        return None
    return {
        "id": notice.number,
        "owner": owner,
        "type": notice.kind,
        "timestamp": notice.at_ms // 1000,
        "payload": payload,
    }


def _part(trade: Trade, owner: str) -> Order:
    """The order with which a key took part in a trade, the taker's first."""
    involved = (trade.taker, *(fill.order for fill in trade.fills))
    return next(order for order in involved if order.new.owner == owner)


def _order(exchange: Exchange, order: Order, trade: Trade | None) -> dict[str, Any]:
    new, listing = order.new, exchange.listings[order.new.market]
    return {
        "asset_id": order.instrument.token_of(new.outcome),
        "market": new.market,
        "order_id": new.order_id,
        "side": new.side,
        "type": new.order_type,
        "price": order.instrument.grid.text(new.price),
        "original_size": micro_text(new.size),
        "matched_size": micro_text(order.matched),
        "remaining_size": micro_text(order.remaining),
        "outcome": shown_outcome(new.outcome),
        "outcome_index": OUTCOMES.index(new.outcome),
        "transaction_hash": "" if trade is None else trade.transaction_hash,
        "trade_id": "" if trade is None else trade.trade_id,
        "question": listing.plot.question,
        "market_slug": listing.slug,
        "icon": "",
        "image": "",
        "eventSlug": listing.event_slug,
        "seriesSlug": "",
    }


def _market(exchange: Exchange, listing: Listing) -> dict[str, Any]:
    instrument = listing.instrument
    result = exchange.results[instrument.market]
    tokens = [
        {
            "token_id": instrument.token_of(outcome),
            "outcome": shown_outcome(outcome),
            "price": {outcome: 1.0, "HALF": 0.5}.get(result, 0.0),
            "winner": outcome == result,
        }
        for outcome in OUTCOMES
    ]
    return {
        "condition_id": instrument.market,
        "question_id": listing.question_id,
        "question": listing.plot.question,
        "description": "",
        "market_slug": listing.slug,
        "icon": "",
        "image": "",
        "fpmm": "",
        "active": True,
        "closed": True,
        "archived": False,
        "accepting_orders": False,
        "enable_order_book": True,
        "end_date_iso": datetime.fromtimestamp(listing.end_unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds_delay": 0,
        "minimum_order_size": instrument.min_size_text,
        "minimum_tick_size": instrument.tick_text,
        "maker_base_fee": 0,
        "taker_base_fee": 0,
        "neg_risk": instrument.neg_risk,
        "neg_risk_market_id": listing.neg_risk_market_id,
        "is_50_50_outcome": result == "HALF",
        "tokens": tokens,
        "tags": [listing.plot.category],
        "eventSlug": listing.event_slug,
    }


def _reward(notice: Notice) -> dict[str, Any]:
    digest = hashlib.sha256(f"payout/{notice.number}".encode()).hexdigest()
    return {"proxyWallet": notice.payload["account"], "reward": notice.payload["amount"], "txnHash": "0x" + digest}
