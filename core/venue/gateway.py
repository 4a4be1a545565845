"""What the session asks of a place that takes orders.

Implementations: ``polymarket-client`` (demo and live), ``py-clob-client-v2`` (its fallback) and paper.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from core.actions import Place, SignedPlace
from core.events import (
    ActivityRead,
    BalancesRead,
    CancelAnswered,
    ChainRead,
    IndexedTradesRead,
    MarketMessage,
    OpenOrdersRead,
    OrderAnswered,
    OrderSeen,
    PayoutSeen,
    PositionsRead,
    ScoringSeen,
    TradesRead,
)
from core.risk.gate import Cleared
from core.views import VenueMode


class HeartbeatAnswer(msgspec.Struct, frozen=True):
    """The venue's answer to one heartbeat (polymarket-api.md 4.3)."""

    status: Literal["ok", "mismatch", "failed"]
    """``mismatch``: the venue expects another id; ``failed``: refused otherwise, or no answer."""
    heartbeat_id: str = ""
    """The id to send next; "" where the venue told none."""
    detail: str = ""


class ModeSign(msgspec.Struct, frozen=True):
    """An answer that shows what the venue lets us do (polymarket-api.md 10.3)."""

    mode: VenueMode
    at_least: bool = False
    """A write was carried out, so the venue is in ``mode`` or in a better one: a post-only order that was taken proves
    ``POST_ONLY``, a cancel ``CANCEL_ONLY``. Without, the venue said itself that it is in ``mode``."""
    retry_after_s: float | None = None
    detail: str = ""


class RateSign(msgspec.Struct, frozen=True):
    """One of the signer's buckets as the headers of an answer tell it (polymarket-api.md 10.2)."""

    bucket: Literal["orders", "cancels"]
    remaining: int
    """May be negative for cancels."""
    reset_unix: float
    tier: str = ""
    refused: bool = False
    """The request was refused for it (429)."""
    warned: bool = False
    """The venue warns of the limit, refused or not."""
    retry_after_s: float | None = None


class AuthSign(msgspec.Struct, frozen=True):
    """The venue does not know the API credentials of a request (status 401, polymarket-api.md 10.4)."""


Sign = ModeSign | RateSign | AuthSign


class Gateway(Protocol):
    """Orders out, answers back. Every answer of doubt is an ``unknown`` outcome, never an exception."""

    async def open(self) -> None:
        """Connect and check the credentials.

        Raises:
            CredentialError: they are refused.
            VenueUnavailable: the venue cannot be reached.
        """
        ...

    async def sign(self, place: Place, neg_risk: bool) -> SignedPlace:
        """Sign an order and compute its id; sends nothing that could place it.

        Raises:
            VenueError: the order cannot be built.
        """
        ...

    async def post(self, batch: Sequence[Cleared]) -> list[OrderAnswered]:
        """Send up to 15 orders that the gate has cleared, all of which cross or none; one answer each, in order.

        Answers may also come later as events.
        """
        ...

    async def cancel(self, order_ids: Sequence[str]) -> list[CancelAnswered]:
        """Cancel orders by id."""
        ...

    async def cancel_market(self, market: str) -> list[CancelAnswered]:
        """Cancel everything the account has open in one market.

        Raises:
            VenueError: it is not known whether the request was carried out.
        """
        ...

    async def cancel_all(self) -> list[CancelAnswered]:
        """Cancel everything the account has open.

        Raises:
            VenueError: it is not known whether the request was carried out.
        """
        ...

    async def open_orders(self) -> OpenOrdersRead:
        """The account's open orders, all pages; what is missing or unreadable makes the list incomplete."""
        ...

    async def trades_since(self, unix: int) -> TradesRead:
        """Our parts of the account's trades since a moment, all pages; one unreadable row makes the list incomplete and
        costs no other."""
        ...

    async def read_order(self, order_id: str) -> OrderSeen | None:
        """What the venue knows of one order; None when it could not be asked."""
        ...

    async def read_scoring(self, order_ids: Sequence[str]) -> ScoringSeen | None:
        """Which of these orders count for liquidity rewards; None when it could not be asked."""
        ...

    async def balances(self, tokens: Sequence[str]) -> BalancesRead:
        """Cash and the shares of these tokens."""
        ...

    async def positions(self, tokens: Sequence[str]) -> PositionsRead:
        """Shares of these tokens by the venue's index."""
        ...

    async def indexed_trades(self, unix: int) -> IndexedTradesRead:
        """The account's settled trades since a moment by the venue's public index."""
        ...

    async def activity(self, unix: int) -> ActivityRead:
        """What the account did and got since a moment, by the venue's public index."""
        ...

    async def chain(self, tokens: Sequence[str]) -> ChainRead | None:
        """Cash and the shares of these tokens as mined; None where there is no chain."""
        ...

    async def payouts(self, markets: Sequence[str]) -> list[PayoutSeen]:
        """What these questions pay, as far as they are resolved for good."""
        ...

    async def heartbeat(self, heartbeat_id: str) -> HeartbeatAnswer:
        """Tell the venue that we live: without one for 10 s it cancels everything of our credentials.

        Args:
            heartbeat_id: the one last answered; "" for the first.
        """
        ...

    async def check_credentials(self) -> None:
        """Derive the API credentials anew, and try those in use.

        Raises:
            CredentialError: they are refused still, or are others now.
            VenueUnavailable: that cannot be told at the moment.
        """
        ...

    def see(self, message: MarketMessage) -> None:
        """Market messages pass by here after the engine has them; only a simulated venue cares."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
