"""What one market is: names, tokens, grid and minimums. Facts only, no state."""

import msgspec

from core.units import Grid, Outcome, Shares, grid_of


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
