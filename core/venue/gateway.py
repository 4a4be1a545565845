"""What the session asks of a place that takes orders. Implementations: polymarket-client (live, demo) and paper."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from core.actions import Place
from core.events import AccountSeen, CancelAnswered, FillSeen, MarketMessage, OrderAnswered, OrderSeen, ScoringSeen
from core.units import Shares


class SignedPlace(msgspec.Struct, frozen=True):
    """A wish with its order id: ready for the journal, then for the wire."""

    place: Place
    order_id: str
    payload: Any
    """What the implementation posts; opaque to everybody else."""


class OpenOrder(msgspec.Struct, frozen=True):
    """One of the account's open orders as the venue lists it."""

    order_id: str
    market: str
    matched: Shares


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

    async def post(self, batch: Sequence[SignedPlace]) -> list[OrderAnswered]:
        """Send up to 15 signed orders; one answer each, in order. Answers may also come later as events."""
        ...

    async def cancel(self, order_ids: Sequence[str]) -> list[CancelAnswered]:
        """Cancel orders by id."""
        ...

    async def cancel_all(self) -> list[CancelAnswered]:
        """Cancel everything the account has open.

        Raises:
            VenueError: it is not known whether the request was carried out.
        """
        ...

    async def open_orders(self) -> list[OpenOrder]:
        """The account's open orders, all pages.

        Raises:
            VenueError: the list is not complete.
        """
        ...

    async def fills_since(self, unix: int) -> list[FillSeen]:
        """Our fills since a moment, as far as the venue tells them: what a lost user channel did not.

        Raises:
            VenueError, MalformedMessage: the list is not complete.
        """
        ...

    async def read_order(self, order_id: str) -> OrderSeen | None:
        """What the venue knows of one order; None when it could not be asked."""
        ...

    async def read_scoring(self, order_ids: Sequence[str]) -> ScoringSeen | None:
        """Which of these orders count for liquidity rewards; None when it could not be asked."""
        ...

    async def account(self, tokens: Sequence[str]) -> AccountSeen:
        """Cash and holdings of the account.

        Raises:
            VenueError: a balance could not be read.
        """
        ...

    def see(self, message: MarketMessage) -> None:
        """Market messages pass by here after the engine has them; only a simulated venue cares."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
