"""The predicates in front of every quote and every order. Cancels pass no gate.

One predicate decides whether a market may be quoted; its first failing clause is what the console shows.
"""

from typing import Literal

import msgspec

from core.market.signals import MicroStatus
from core.risk.control import Control, allows_orders

OrderRefusal = Literal["", "cap", "cash", "inventory"]


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What the permission to quote one market depends on."""

    stopping: bool
    control: Control
    account_known: bool
    user_feed_up: bool
    resolved: bool
    data_trouble: str
    """Why the book is not to be believed, in words; "" when it is proven and fresh."""
    micro: MicroStatus | None
    """None before the first book."""
    data_age_s: float
    stale_s: float
    unknown_age_s: float
    """Age of the oldest order of unknown outcome in the market; 0 without one."""
    recovering: str = ""
    """What of an earlier session is not settled yet, in words; "" when everything is."""
    venue: str = ""
    """Why the venue itself is not quoted at, in words; "" when nothing forbids it."""
    quarantine: str = ""
    """Why nothing is to be done in this market, in words; "" when nothing is in the way."""
    unsettled_s: float = 0.0
    """Age of the oldest trade of the market that is not final; 0 without one."""
    stance: str = ""
    """Why regime, schedule or calendar want no quotes, in words; "" when they do not mind."""


UNKNOWN_LIMIT_SEC = 30.0
"""An unknown order older than this closes its market (reliability.md 2.0)."""
UNSETTLED_LIMIT_SEC = 1800.0
"""A trade that is not final by then closes its market (reliability.md 2.2, X08)."""

_MICRO_WORDS = {
    "one_sided": "no fair value: a side of the book is empty",
    "crossed": "no fair value: the book is crossed",
    "wide": "no fair value: the spread is too wide",
}


def why_not_quote(facts: Facts) -> str:
    """The first clause that forbids quoting a market, in words; "" when it may be quoted."""
    if facts.stopping:
        return "stopping"
    if not allows_orders(facts.control.state):
        return f"{facts.control.state.lower().replace('_', '-')}: {facts.control.reason}"
    if facts.resolved:
        return "resolved"
    if not facts.user_feed_up:
        return "user feed is down"
    if facts.venue:
        return facts.venue
    if facts.quarantine:
        return facts.quarantine
    if not facts.account_known:
        return facts.recovering or "account is not known yet"
    if facts.data_trouble:
        return facts.data_trouble
    if facts.data_age_s > facts.stale_s:
        return f"feed silent for {facts.data_age_s:.0f} s"
    if facts.micro != "ok":
        return _MICRO_WORDS.get(facts.micro or "", "no fair value yet")
    if facts.stance:
        return facts.stance
    if facts.unknown_age_s > UNKNOWN_LIMIT_SEC:
        return f"an order's outcome is unknown for {facts.unknown_age_s:.0f} s"
    if facts.unsettled_s > UNSETTLED_LIMIT_SEC:
        return f"a trade is not final after {facts.unsettled_s / 60:.0f} minutes"
    if facts.recovering:
        return facts.recovering
    return ""


class Headroom:
    """What one decision may still place: caps and funds with every order at risk counted as it stands now.

    All quantities are micro-shares or micro-dollars; they shrink with each order that is let through.
    """

    __slots__ = ("_cash", "_no", "_room", "_yes")

    def __init__(self, *, room_bid: int, room_ask: int, cash: int, yes: int, no: int) -> None:
        self._room = {"bid": room_bid, "ask": room_ask}
        self._cash = cash
        self._yes = yes
        self._no = no

    def refuse(
        self, *, side: Literal["bid", "ask"], sells: Literal["YES", "NO", ""], size: int, cost: int
    ) -> OrderRefusal:
        """Why an order may not be sent now; "" lets it through and takes what it needs.

        Args:
            side: of the YES book.
            sells: the token it gives, or "" when it spends cash.
            size: micro-shares.
            cost: micro-dollars it would spend; 0 for a sale.
        """
        if size > self._room[side]:
            return "cap"
        if size > {"YES": self._yes, "NO": self._no}.get(sells, size):
            return "inventory"
        if cost > self._cash:
            return "cash"
        self._room[side] -= size
        self._cash -= cost
        if sells == "YES":
            self._yes -= size
        elif sells == "NO":
            self._no -= size
        return ""
