"""The state of a market as one sign and one sentence, the same in every widget."""

from typing import Final, NamedTuple

from core.views import MarketView
from widgets.format import clean


class MarketState(NamedTuple):
    """What a market does and why, the strictest reason first."""

    sign: str
    sentence: str
    role: str


_CONTROL: Final = {
    "KILLED": MarketState("✕", "killed: cancels repeat until nothing is open", "alarm"),
    "CANCEL_ONLY": MarketState("‖", "cancel only: nothing is placed", "warn"),
    "PAUSED": MarketState("‖", "paused: nothing is placed", "warn"),
}
_BOOK: Final = {
    "EMPTY": MarketState("○", "no book yet", "muted"),
    "SUSPECT": MarketState("▲", "book not proven", "warn"),
    "RESYNCING": MarketState("▲", "book is being fetched again", "warn"),
}
_REDUCING: Final = MarketState("◐", "reduce only", "warn")
_FLATTENING: Final = MarketState("◐", "flattening: position is being closed", "own")
_BLOCKED: Final = MarketState("▲", "not quoting", "warn")
_QUOTING: Final = MarketState("●", "quoting", "good")


def market_state(market: MarketView) -> MarketState:
    """The strictest thing that can be said about a market; the session's own words where it gives any."""
    state = _state(market)
    if market.blocked_by:
        return state._replace(sentence=clean(market.blocked_by))
    if market.book_reason and state in _BOOK.values():
        return state._replace(sentence=f"{state.sentence}: {clean(market.book_reason)}")
    if state is not _QUOTING:
        return state
    bids = sum(order.side == "bid" for order in market.orders)
    return state._replace(sentence=f"quoting {bids} bid {len(market.orders) - bids} ask{_widened(market)}")


def _state(market: MarketView) -> MarketState:
    if market.control in _CONTROL:
        return _CONTROL[market.control]
    if market.book_state != "SYNCED":
        return _BOOK[market.book_state]
    if market.flattening:
        return _FLATTENING
    if market.control == "REDUCE_ONLY":
        return _REDUCING
    return _QUOTING if market.quoting else _BLOCKED


def _widened(market: MarketView) -> str:
    if not market.widen_ticks:
        return ""
    return f", {'wider' if market.widen_ticks > 0 else 'tighter'} by {abs(market.widen_ticks)}"
