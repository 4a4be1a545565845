"""A session without a venue: a gateway that says what a test wants, and feeds that find nobody."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from core.actions import Place
from core.clock import SystemClock
from core.config import Settings
from core.errors import OutcomeUnknown
from core.events import (
    AccountSeen,
    CancelAnswered,
    FillSeen,
    InstrumentAdded,
    MarketMessage,
    OrderAnswered,
    OrderSeen,
    ScoringSeen,
)
from core.market.instrument import Instrument
from core.runtime.ending import Outcome
from core.runtime.logs import Redactor
from core.runtime.places import Places
from core.runtime.session import Compose, Parts, Session
from core.units import MICRO, Shares, Usd
from core.venue.gateway import OpenOrder, SignedPlace
from core.venue.public_rest import PublicRest

NOBODY = "ws://127.0.0.1:9/nobody"
"""The discard port: connections are refused at once."""
INSTRUMENT = Instrument(
    market="0x" + "ab" * 32, yes_token="11", no_token="22", title="Rain?", tick_text="0.01", min_size=Shares(5 * MICRO)
)


class FakeGateway:
    """Takes orders into a set; every answer can be changed by a test."""

    def __init__(self) -> None:
        self.open_ids: set[str] = set()
        self.cancel_alls = 0
        self.closed = False
        self.posted: list[Place] = []
        self.listing_error: Exception | None = None
        self.cancel_error: Exception | None = None
        self.fills: list[FillSeen] = []
        self.fills_error: Exception | None = None
        self.fills_hang = False
        self.on_post: Callable[[], Awaitable[None]] | None = None

    async def open(self) -> None:
        """Nothing to connect to."""

    async def sign(self, place: Place, neg_risk: bool) -> SignedPlace:
        return SignedPlace(place=place, order_id=f"0x{place.intent:064x}", payload=None)

    async def post(self, batch: Sequence[SignedPlace]) -> list[OrderAnswered]:
        if self.on_post is not None:
            await self.on_post()
        self.posted += [signed.place for signed in batch]
        self.open_ids |= {signed.order_id for signed in batch}
        return [OrderAnswered(intent=signed.place.intent, outcome="live") for signed in batch]

    async def cancel(self, order_ids: Sequence[str]) -> list[CancelAnswered]:
        self.open_ids -= set(order_ids)
        return [CancelAnswered(order_id=order, outcome="cancelled") for order in order_ids]

    async def cancel_all(self) -> list[CancelAnswered]:
        self.cancel_alls += 1
        if self.cancel_error is not None:
            raise self.cancel_error
        return await self.cancel(list(self.open_ids))

    async def open_orders(self) -> list[OpenOrder]:
        if self.listing_error is not None:
            raise self.listing_error
        return [OpenOrder(order_id=order, market="", matched=Shares(0)) for order in self.open_ids]

    async def fills_since(self, unix: int) -> list[FillSeen]:
        if self.fills_error is not None:
            raise self.fills_error
        if self.fills_hang:
            await asyncio.Event().wait()
        return self.fills

    async def read_order(self, order_id: str) -> OrderSeen | None:
        return None

    async def read_scoring(self, order_ids: Sequence[str]) -> ScoringSeen | None:
        return ScoringSeen(scoring=tuple((order, order in self.open_ids) for order in order_ids))

    async def account(self, tokens: Sequence[str]) -> AccountSeen:
        return AccountSeen(cash=Usd(1_000 * MICRO), holdings=())

    def see(self, message: MarketMessage) -> None:
        """Nothing to learn."""

    async def close(self) -> None:
        self.closed = True


UNKNOWN = OutcomeUnknown("nobody knows")


def settings(**changes: object) -> Settings:
    """Paper mode with feeds that find nobody and no metrics."""
    urls = {"ws_market_url": NOBODY, "ws_user_url": NOBODY, "clob_url": NOBODY.replace("ws:", "http:")}
    return Settings(**{"mode": "paper", "metrics_port": 0, **urls, **changes})  # type: ignore[arg-type]


def session_in(root: Path, compose: Compose, **changes: object) -> Session:
    """A session that keeps its things under ``root``."""
    chosen = settings(**changes)
    places = Places(root, chosen.mode)
    places.claim()
    return Session(chosen, places, SystemClock(), Redactor(), compose, "0", lambda: 0.0)


def composing(gateway: FakeGateway, closed: list[str] | None = None) -> Compose:
    """A compose function for one gateway; ``closed`` hears when its parts are let go of."""

    async def close() -> None:
        if closed is not None:
            closed.append("closed")

    async def compose(session: Session) -> Parts:
        return Parts(
            settings=session.settings,
            gateway=gateway,
            rest=PublicRest(session.settings.clob_url),
            instruments=(InstrumentAdded(instrument=INSTRUMENT),),
            user_frame=None,
            owner="",
            close=close,
        )

    return compose


async def until(condition: Callable[[], object], patience_s: float = 10.0) -> None:
    """Let the loop run until a condition holds."""
    async with asyncio.timeout(patience_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def run_until_trading(session: Session) -> "asyncio.Task[Outcome]":
    """Start a session and wait until it has its account."""
    task = asyncio.create_task(session.run())
    await until(lambda: session.engine.account.cash is not None or task.done())
    return task
