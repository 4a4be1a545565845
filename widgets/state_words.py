"""The state of a market as one sign and one sentence, the same in every widget."""

from typing import Final, NamedTuple

from core.views import ControlView, MarketView
from widgets.control_words import reason_words
from widgets.data_words import data_words, is_believed
from widgets.format import clean, shares


class MarketState(NamedTuple):
    """What a market does and why, the strictest reason first."""

    sign: str
    sentence: str
    role: str
    is_of_data: bool = False
    """The book is not believed, and nothing stricter holds."""


_CONTROL: Final = {
    "KILLED": MarketState("✕", "killed: cancels repeat until nothing is open", "alarm"),
    "CANCEL_ONLY": MarketState("‖", "cancel only: nothing is placed", "warn"),
    "PAUSED": MarketState("‖", "paused: nothing is placed", "warn"),
}
_REDUCING: Final = MarketState("◐", "reduce only", "warn")
_FLATTENING: Final = MarketState("◐", "flattening: position is being closed", "own")
_BLOCKED: Final = MarketState("▲", "not quoting", "warn")
_WAITING: Final = MarketState("△", "waiting, orders stay", "warn")
_QUOTING: Final = MarketState("●", "quoting", "good")


def market_state(market: MarketView, control: ControlView | None = None) -> MarketState:
    """The strictest thing that can be said about a market; the session's own words where it gives any.

    Args:
        market: the market.
        control: why it is only reduced, where that is known and about this market.
    """
    state = _state(market)
    if market.flatten is not None and state is _FLATTENING:
        flatten = market.flatten
        return state._replace(sentence=f"flattening, {shares(flatten.left)} left: {clean(flatten.text)}")
    if state is _REDUCING and control is not None and (not market.blocked_by or _repeats(state, market)):
        return state._replace(sentence=f"{state.sentence}: {reason_words(control)}")
    if market.blocked_by and not (state.is_of_data and _quotes_data(market)):
        return state._replace(sentence=clean(market.blocked_by))
    if state is not _QUOTING:
        return state
    bids = sum(order.side == "bid" for order in market.orders)
    sentence = f"quoting {bids} bid {len(market.orders) - bids} ask{_widened(market)}{_missing(market)}"
    return state._replace(sentence=sentence)


def _state(market: MarketView) -> MarketState:
    if market.control in _CONTROL:
        return _CONTROL[market.control]
    if not is_believed(market.data):
        words = data_words(market.data)
        return MarketState(words.sign, words.cause, words.role, is_of_data=True)
    if market.flattening:
        return _FLATTENING
    if market.control == "REDUCE_ONLY":
        return _REDUCING
    if market.quoting:
        return _QUOTING
    return _WAITING if market.orders else _BLOCKED


def _repeats(state: MarketState, market: MarketView) -> bool:
    """The session's words name the state and not what is behind it."""
    return state.sentence in market.blocked_by


def _quotes_data(market: MarketView) -> bool:
    """The session's words repeat why the book is not believed, at greater length."""
    reasons = (market.data.reason, market.data.freshness_reason)
    return any(reason and reason in market.blocked_by for reason in reasons)


def _widened(market: MarketView) -> str:
    if not market.widen_ticks:
        return ""
    return f", {'wider' if market.widen_ticks > 0 else 'tighter'} by {abs(market.widen_ticks):.3g}"


def _missing(market: MarketView) -> str:
    """The side without a quote and why; "" when both are quoted."""
    reasons = (("bid", market.bid_reason), ("ask", market.ask_reason))
    return "".join(f"; no {side}: {clean(reason)}" for side, reason in reasons if reason)


_WORST_FIRST: Final = "✕■▲?‖○△◐●✓"


def state_rank(market: MarketView) -> int:
    """How much a market's state wants eyes: 0 the most. What an operator stopped comes after what is broken."""
    return _WORST_FIRST.index(_state(market).sign)
