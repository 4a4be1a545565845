"""What one market is: names, tokens, grid, minimums, event, programme and fees. Facts only, no state."""

import re
from typing import Final

import msgspec

from core.market.fees import FeeSchedule
from core.units import Grid, Outcome, Shares, grid_of

TOKEN_ID: Final = re.compile(r"[0-9]{1,78}")
"""How token ids are spelled: 256 bits in decimal (polymarket-api.md 2.1)."""


class Instrument(msgspec.Struct, frozen=True):
    """One binary market (polymarket-api.md 2.1, 7). A change of tick makes a new instrument."""

    market: str
    """Condition id."""
    yes_token: str
    no_token: str
    title: str
    """Foreign text, uncleaned."""
    tick_text: str
    min_size: Shares
    """Least size of a resting order."""
    neg_risk: bool = False
    min_size_text: str = "5"
    """As the venue spells it; part of the book hash (polymarket-api.md 4.4)."""
    end_unix: float | None = None
    """When the question is expected to resolve; None when not known."""
    reward_min_size: Shares | None = None
    """Least size that scores for rewards; None without a programme."""
    start_unix: float | None = None
    """When what is asked about begins, or else when the market opened; None when not known."""
    game_start_unix: float | None = None
    """When the game begins that the question is about; None when it is about none, or not known."""
    tags: tuple[str, ...] = ()
    """What the catalogue files the market under, lower-case words joined by ``-``. Foreign text, uncleaned."""
    event_id: str = ""
    """Shared by the markets of one event; "" when not known."""
    group: str = ""
    """Shared by the markets of one event of which at most one comes true; "" for others."""
    group_size: int = 0
    """How many open markets the group has when exactly one of them comes true; 0 when another outcome may, or when
    nobody said."""
    group_index: int | None = None
    """Number of its outcome within the group, the last byte of its question id (polymarket-api.md 11); None when not
    known."""
    reward_max_spread_cents: float | None = None
    """Distance from the midpoint at which orders no longer score, cents; None without a programme."""
    reward_daily_usd: float | None = None
    """Pool of the reward programme, dollars a day; None when not told."""
    fees: FeeSchedule | None = None
    """None when not told."""

    @property
    def grid(self) -> Grid:
        """The market's price grid."""
        return grid_of(self.tick_text)

    def outcome_of(self, token: str) -> Outcome | None:
        """Which side of the question a token pays on; None for a stranger."""
        if token == self.yes_token:
            return "YES"
        return "NO" if token == self.no_token else None

    def token_of(self, outcome: Outcome) -> str:
        """The token that pays on ``outcome``."""
        return self.yes_token if outcome == "YES" else self.no_token
