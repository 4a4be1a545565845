"""The frames of the market and user channels, word for word (polymarket-api.md 5.2, 6.1, 6.2)."""

from typing import Any, Final, Literal

import msgspec

from core.exchange.face import Face
from core.exchange.lifecycle import Result
from core.exchange.listing import Listing
from core.exchange.orders import LevelChange, MakerFill, Order, OrderUpdate, Trade
from core.market.instrument import Instrument
from core.units import MICRO, OUTCOMES, Grid, OrderSide, Outcome, Ticks, micro_text

MarketKind = Literal[
    "price_change", "book", "last_trade_price", "best_bid_ask", "tick_size_change", "new_market", "market_resolved"
]
CUSTOM_KINDS: Final[frozenset[MarketKind]] = frozenset({"best_bid_ask", "new_market", "market_resolved"})
"""Sent only to sockets that asked for custom features (polymarket-api.md 5.2)."""


class MarketFrame(msgspec.Struct, frozen=True):
    """One frame of the market channel and who is to get it."""

    kind: MarketKind
    tokens: tuple[str, ...]
    """Sent to whoever subscribed to one of these; to everybody when there are none."""
    text: str


class UserFrame(msgspec.Struct, frozen=True):
    """One frame of the user channel."""

    owner: str
    """API key whose sockets get it."""
    market: str
    text: str


Frame = MarketFrame | UserFrame


def _text(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message).decode()


def shown_outcome(outcome: Outcome) -> str:
    """The outcome as the venue prints it."""
    return "Yes" if outcome == "YES" else "No"


def price_change(face: Face, change: LevelChange) -> MarketFrame:
    """A level's new total: the acting token's entry and its mirror, each with its whole book's hash."""
    instrument = face.instrument
    grid = instrument.grid
    size = micro_text(change.size)
    entries = []
    for outcome in OUTCOMES if change.outcome == "YES" else reversed(OUTCOMES):
        bid, ask = face.top_texts(outcome)
        entries.append(
            {
                "asset_id": instrument.token_of(outcome),
                "price": grid.text(change.price if outcome == "YES" else grid.complement(change.price)),
                "size": size,
                "side": "BUY" if (change.side == "bid") == (outcome == "YES") else "SELL",
                "hash": face.hash(outcome),
                "best_bid": bid,
                "best_ask": ask,
            }
        )
    message = {
        "market": instrument.market,
        "price_changes": entries,
        "timestamp": str(face.stamp_ms),
        "event_type": "price_change",
    }
    return MarketFrame(kind="price_change", tokens=(instrument.yes_token, instrument.no_token), text=_text(message))


def books(face: Face) -> list[MarketFrame]:
    """Both tokens' books, as sent after a trade."""
    return [
        MarketFrame(
            kind="book",
            tokens=(face.instrument.token_of(outcome),),
            text=face.socket_book(outcome, initial=False),
        )
        for outcome in OUTCOMES
    ]


def best_bid_ask(face: Face, outcome: Outcome) -> MarketFrame:
    """The new touch of a token, for sockets that asked for custom features."""
    bid, ask = face.top_texts(outcome)
    low, high = face.top(outcome)
    grid = face.instrument.grid
    token = face.instrument.token_of(outcome)
    message = {
        "market": face.instrument.market,
        "asset_id": token,
        "best_bid": bid,
        "best_ask": ask,
        "spread": grid.text((grid.k if high is None else high) - (0 if low is None else low)),
        "timestamp": str(face.stamp_ms),
        "event_type": "best_bid_ask",
    }
    return MarketFrame(kind="best_bid_ask", tokens=(token,), text=_text(message))


def tick_size_change(face: Face, old_tick: str, outcome: Outcome) -> MarketFrame:
    """A token's grid changed; ``face`` has the new one already (polymarket-api.md 2.3)."""
    token = face.instrument.token_of(outcome)
    message = {
        "market": face.instrument.market,
        "asset_id": token,
        "old_tick_size": old_tick,
        "new_tick_size": face.instrument.grid.tick_text,
        "timestamp": str(face.stamp_ms),
        "event_type": "tick_size_change",
    }
    return MarketFrame(kind="tick_size_change", tokens=(token,), text=_text(message))


def new_market(listing: Listing, stamp_ms: int) -> MarketFrame:
    """A market opened; for every socket with custom features."""
    instrument, plot = listing.instrument, listing.plot
    tokens = [instrument.yes_token, instrument.no_token]
    event = {
        "id": listing.event_id,
        "ticker": listing.event_slug,
        "slug": listing.event_slug,
        "title": listing.event_title,
        "description": "",
    }
    schedule = {
        "exponent": "1",
        "rate": micro_text(plot.fee_bps * 100),
        "taker_only": True,
        "rebate_rate": f"{plot.rebate:g}",
    }
    message = {
        "id": listing.gamma_id,
        "question": plot.question,
        "market": instrument.market,
        "slug": listing.slug,
        "description": "",
        "assets_ids": tokens,
        "clob_token_ids": tokens,
        "outcomes": ["Yes", "No"],
        "condition_id": instrument.market,
        "active": True,
        "tags": [plot.category],
        "order_price_min_tick_size": instrument.tick_text,
        "group_item_title": "",
        "game_start_time": "",
        "line": "",
        "sports_market_type": "",
        "fees_enabled": plot.fee_bps > 0,
        "fee_schedule": schedule if plot.fee_bps else None,
        "event_message": event,
        "timestamp": str(stamp_ms),
        "event_type": "new_market",
    }
    return MarketFrame(kind="new_market", tokens=(), text=_text(message))


def market_resolved(listing: Listing, result: Result, stamp_ms: int) -> MarketFrame:
    """A market's outcome; without a winner when it pays half (polymarket-api.md 5.2)."""
    instrument = listing.instrument
    tokens = (instrument.yes_token, instrument.no_token)
    winner: dict[Result, tuple[str, str]] = {"YES": (tokens[0], "Yes"), "NO": (tokens[1], "No"), "HALF": ("", "")}
    message = {
        "id": listing.gamma_id,
        "market": instrument.market,
        "assets_ids": list(tokens),
        "winning_asset_id": winner[result][0],
        "winning_outcome": winner[result][1],
        "tags": [listing.plot.category],
        "event_message": None,
        "timestamp": str(stamp_ms),
        "event_type": "market_resolved",
    }
    return MarketFrame(kind="market_resolved", tokens=tokens, text=_text(message))


def last_trade_price(trade: Trade, stamp_ms: int) -> MarketFrame:
    """The tape's entry of a trade, which follows the books by 70 to 230 ms."""
    new, instrument = trade.taker.new, trade.instrument
    token = instrument.token_of(new.outcome)
    message = {
        "market": instrument.market,
        "asset_id": token,
        "price": instrument.grid.text(trade.last_price),
        "size": micro_text(trade.size),
        "fee_rate_bps": "0",
        "side": new.side,
        "timestamp": str(stamp_ms),
        "event_type": "last_trade_price",
        "transaction_hash": trade.transaction_hash,
    }
    return MarketFrame(kind="last_trade_price", tokens=(token,), text=_text(message))


def order_fields(order: Order, shown: str) -> dict[str, Any]:
    """What the user channel and GET /data/orders have in common about an order; ``shown`` is the funder as spelt."""
    new, instrument = order.new, order.instrument
    return {
        "id": new.order_id,
        "owner": new.owner,
        "market": new.market,
        "asset_id": instrument.token_of(new.outcome),
        "side": new.side,
        "original_size": micro_text(new.size),
        "price": instrument.grid.text(new.price),
        "outcome": shown_outcome(new.outcome),
        "expiration": str(new.expiration),
        "order_type": new.order_type,
        "maker_address": shown,
    }


def order_event(update: OrderUpdate, shown: str, stamp_ms: int) -> UserFrame:
    """An ``order`` event (polymarket-api.md 6.1)."""
    order = update.order
    message = order_fields(order, shown) | {
        "order_owner": order.new.owner,
        "size_matched": micro_text(update.matched),
        "associate_trades": list(update.trades),
        "type": update.kind,
        "created_at": str(order.created_ms // 1000),
        "status": update.status,
        "timestamp": str(stamp_ms),
        "event_type": "order",
    }
    return UserFrame(owner=order.new.owner, market=order.new.market, text=_text(message))


def unit_price(grid: Grid, cash: int, size: int, ticks: Ticks) -> str:
    """Cash per share: the tick's text when it is exactly that, else the long number the venue shows then (6.2)."""
    exact = cash * MICRO == size * ticks * grid.tick_usd
    return grid.text(ticks) if exact else repr(cash / size)


def _maker_entry(instrument: Instrument, fill: MakerFill, shown: str) -> dict[str, Any]:
    new = fill.order.new
    return {
        "order_id": new.order_id,
        "owner": new.owner or stranger_key(new.account),
        "maker_address": shown,
        "matched_amount": micro_text(fill.size),
        "price": unit_price(instrument.grid, fill.cash, fill.size, fill.price),
        "fee_rate_bps": "0",
        "asset_id": instrument.token_of(new.outcome),
        "outcome": shown_outcome(new.outcome),
        "outcome_index": 0 if new.outcome == "YES" else 1,
        "side": new.side,
    }


def stranger_key(account: str) -> str:
    """The API key shown for a participant of the process, which has none: a UUID made of its address."""
    digits = account.removeprefix("0x").rjust(32, "0")[:32]
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"


def trade_fields(trade: Trade, owner: str, account: str, shown: dict[str, str]) -> dict[str, Any]:
    """A trade as one of its parties sees it (polymarket-api.md 6.2); ``shown`` spells the accounts' addresses."""
    taker, instrument = trade.taker.new, trade.instrument
    side: OrderSide = taker.side
    return {
        "type": "TRADE",
        "id": trade.trade_id,
        "taker_order_id": taker.order_id,
        "market": trade.market,
        "asset_id": instrument.token_of(taker.outcome),
        "side": side,
        "size": micro_text(trade.size),
        "fee_rate_bps": "0",
        "price": unit_price(instrument.grid, trade.cash, trade.size, trade.last_price),
        "status": trade.status,
        "match_time": str(trade.matched_ms // 1000),
        "last_update": str(trade.updated_ms // 1000),
        "outcome": shown_outcome(taker.outcome),
        "owner": owner,
        "trade_owner": owner,
        "maker_address": shown[account],
        "transaction_hash": trade.transaction_hash if trade.status in ("MINED", "CONFIRMED", "RETRYING") else "",
        "bucket_index": 0,
        "maker_orders": [_maker_entry(instrument, fill, shown[fill.order.new.account]) for fill in trade.fills],
        "trader_side": "TAKER" if owner == taker.owner else "MAKER",
    }


def trade_event(trade: Trade, owner: str, account: str, shown: dict[str, str], stamp_ms: int) -> UserFrame:
    """A ``trade`` event for one party."""
    message = trade_fields(trade, owner, account, shown)
    message |= {"timestamp": str(stamp_ms), "event_type": "trade"}
    return UserFrame(owner=owner, market=trade.market, text=_text(message))
