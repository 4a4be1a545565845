"""What a market and the whole venue may be in the middle of (polymarket-api.md 2.3, 10.3)."""

from typing import Final, Literal

import msgspec

from core.exchange import refusals
from core.exchange.face import Face
from core.units import MICRO, Outcome, Shares, Usd

Phase = Literal["open", "paused", "closed", "resolved"]
"""Of one market: ``paused`` keeps its book and takes no orders, ``closed`` has no book any more."""
Result = Literal["YES", "NO", "HALF"]
"""How a market was resolved; HALF pays half a dollar for either token."""
VenueState = Literal["normal", "restarting", "post_only", "cancel_only", "disabled"]

POST_ONLY_MS: Final = 120_000
"""After a restart only post-only orders are taken for this long (polymarket-api.md 10.3)."""
PHASE_REFUSALS: Final[dict[Phase, str]] = {
    "paused": refusals.NOT_READY,
    "closed": refusals.NO_BOOK,
    "resolved": refusals.NO_BOOK,
}
FINER_TICK: Final = "0.001"
NEAR_EDGE: Final = 0.04
"""Dollars from either end within which a market of whole cents gets the finer tick (polymarket-api.md 2.3)."""
COARSE_K: Final = 100
MODE_REFUSALS: Final[dict[VenueState, str]] = {
    "restarting": refusals.RESTARTING,
    "post_only": refusals.POST_ONLY_MODE,
    "cancel_only": refusals.CANCEL_ONLY,
    "disabled": refusals.DISABLED,
}
CLOSED_STATUS: Final = "CANCELED_MARKET_RESOLVED"
"""What becomes of orders that rest in a market when it closes (polymarket-api.md 6.1)."""


def payout_of(result: Result, outcome: Outcome, tokens: Shares) -> Usd:
    """Micro-dollars paid for tokens of a resolved market, rounded down as the contract does."""
    if result == "HALF":
        return Usd(tokens // 2)
    return Usd(tokens if result == outcome else 0)


def price_of(result: Result, outcome: Outcome) -> Usd:
    """What one whole token of a resolved market is worth, micro-dollars: a dollar, half of one or nothing."""
    return payout_of(result, outcome, Shares(MICRO))


class VenueMode(msgspec.Struct):
    """What the whole venue does at the moment, and until when."""

    state: VenueState = "normal"
    until_ms: int | None = None
    """When the next state begins; None when it stays."""

    def refusal(self, *, post_only: bool) -> str:
        """Why no order is taken now, in the venue's words; empty when one is."""
        if self.state == "post_only":
            return "" if post_only else MODE_REFUSALS["post_only"]
        return MODE_REFUSALS.get(self.state, "")

    @property
    def cancels(self) -> bool:
        """Whether orders can be cancelled now."""
        return self.state not in ("restarting", "disabled")

    def retry_after_s(self, now_ms: int) -> int:
        """Whole seconds a client should wait, at least 1."""
        return 1 if self.until_ms is None else max(1, -(-(self.until_ms - now_ms) // 1000))


def needs_finer_tick(face: Face) -> bool:
    """Whether a market on a tick of a cent has come so near to 0 or 1 that it gets a finer one (2.3)."""
    bid, ask = face.top("YES")
    grid = face.instrument.grid
    if bid is None or ask is None or grid.k != COARSE_K:
        return False
    return not NEAR_EDGE <= (bid + ask) / (2 * grid.k) <= 1 - NEAR_EDGE
