"""What would lift the rule that forbids a quote, in words: what an operator may do, or that time does it."""

from typing import Final

from core.views import MarketView
from widgets.data_words import is_believed
from widgets.format import clean

_OF_SIDE: Final = {
    "range": "with a fair value that leaves room between PRICE_MIN and PRICE_MAX",
    "edge": "with a wider touch, or less edge wanted (tighten)",
    "below min": "with more room, or larger sizes",
    "no funds": "with cash, or shares to sell",
    "side cap": "with a higher MAX_SIZE_USD",
    "hard cap": "with fills on the other side, or a higher hard cap",
    "inventory": "with fills on the other side",
    "gross cap": "with less held elsewhere, or a higher GROSS_CAP",
    "cost cap": "with less held at cost in the market, the event or all markets",
    "pending": "by itself, when the unknown orders are found and the fills are final",
    "order value": "with a higher MAX_ORDER_USD",
    "reduce only": "by resume, or a position that this side reduces",
    "fading": "never: towards the end only reducing is left",
    "regime": "by itself, when the regime is normal again",
    "operator size": "by taking back the operator's factor of the sizes",
    "one side": "by asking for both sides again",
    "held": "by resume, or the end of its timer",
    "crossed": "by itself, when the book is crossed no more",
    "bad fair": "by itself, with the next fair value",
    "bad sigma": "by itself, with the next deviation",
    "bad equity": "with a bankroll",
    "bad inventory": "by itself, when the holdings add up: see findings",
    "bad adjustment": "by taking back the operator's adjustment",
}
"""By the rule's name."""
_OF_CONTROL: Final = {
    "KILLED": "by re-arming, once no open order is proven",
    "CANCEL_ONLY": "by resume",
    "PAUSED": "by resume of this market, or of all when all are paused",
}
_OF_WORDS: Final = (
    ("stopping", "never: the session ends"),
    ("resolved", "never: what is held can be redeemed"),
    ("user feed", "by itself, when the user stream is back"),
    ("the venue", "by itself, when the venue takes orders again"),
    ("account is not known", "by itself, when the account was read"),
    ("feed silent", "by itself, with the next message"),
    ("no fair value: a side", "by itself, when both sides of the book have orders"),
    ("no fair value: the book", "by itself, when the book is crossed no more"),
    ("no fair value: the spread", "by itself, when the touch is narrower"),
    ("no fair value", "by itself, when enough of the book was heard"),
    ("an order's outcome", "by itself, when the order is found: see orders"),
    ("a trade is not final", "by itself, when the trade settles: see findings"),
)
"""By the beginning of the session's words."""


def lifted_by(rule: str) -> str:
    """What lifts a rule that left a layer or a side without a quote; "" where its own words have to do.

    Args:
        rule: its name, with blanks or underscores; words of whoever holds the side are no name.
    """
    return _OF_SIDE.get(rule.replace("_", " "), "")


def market_lifted_by(market: MarketView) -> str:
    """What lets a market be quoted again; "" while it is, and when nobody can say."""
    if market.quoting:
        return ""
    if market.control in _OF_CONTROL:
        return _OF_CONTROL[market.control]
    if market.closed:
        return "by resume of this market, unless its words name a time"
    if market.data.state == "EMPTY":
        return "by itself, with the first book"
    if not is_believed(market.data):
        repair = clean(market.data.repair)
        return f"by itself, when the book is proven again{f': {repair}' if repair else ''}"
    words = clean(market.blocked_by)
    return next((lift for beginning, lift in _OF_WORDS if words.startswith(beginning)), "")
