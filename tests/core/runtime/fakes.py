"""A session without a venue: a gateway that says what a test wants, and feeds that find nobody."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from core.actions import Place, SignedPlace
from core.clock import SystemClock
from core.config import Settings
from core.errors import OutcomeUnknown
from core.events import (
    ActivityRead,
    BalancesRead,
    CancelAnswered,
    ChainRead,
    FillSeen,
    IndexedTradesRead,
    InstrumentAdded,
    ListedOrder,
    MarketMessage,
    OpenOrdersRead,
    OrderAnswered,
    OrderSeen,
    PayoutSeen,
    PositionsRead,
    RouteSeen,
    ScoringSeen,
    TradesRead,
)
from core.market.instrument import Instrument
from core.risk.gate import Cleared
from core.runtime.ending import Outcome
from core.runtime.logs import Redactor
from core.runtime.places import Places
from core.runtime.session import Compose, Parts, Session
from core.units import MICRO, Shares, Usd
from core.venue.gateway import HeartbeatAnswer
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
        self._places: dict[str, Place] = {}

    async def open(self) -> None:
        """Nothing to connect to."""

    async def sign(self, place: Place, neg_risk: bool) -> SignedPlace:
        return SignedPlace(place=place, order_id=f"0x{place.intent:064x}", payload=None)

    async def post(self, batch: Sequence[Cleared]) -> list[OrderAnswered]:
        if self.on_post is not None:
            await self.on_post()
        orders = [cleared.signed for cleared in batch]
        self.posted += [signed.place for signed in orders]
        self._places |= {signed.order_id: signed.place for signed in orders}
        self.open_ids |= {signed.order_id for signed in orders}
        return [OrderAnswered(intent=signed.place.intent, outcome="live") for signed in orders]

    async def cancel(self, order_ids: Sequence[str]) -> list[CancelAnswered]:
        if self.cancel_error is not None:
            return [CancelAnswered(order_id=order, outcome="unknown") for order in order_ids]
        self.open_ids -= set(order_ids)
        return [CancelAnswered(order_id=order, outcome="cancelled") for order in order_ids]

    async def cancel_market(self, market: str) -> list[CancelAnswered]:
        return await self.cancel([order for order in self.open_ids if self._row(order).market == market])

    async def cancel_all(self) -> list[CancelAnswered]:
        self.cancel_alls += 1
        if self.cancel_error is not None:
            raise self.cancel_error
        return await self.cancel(list(self.open_ids))

    async def open_orders(self) -> OpenOrdersRead:
        if self.listing_error is not None:
            return OpenOrdersRead(asked_s=time.monotonic(), problem=str(self.listing_error))
        rows = tuple(self._row(order) for order in sorted(self.open_ids))
        return OpenOrdersRead(asked_s=time.monotonic(), orders=rows, complete=True)

    async def trades_since(self, unix: int) -> TradesRead:
        if self.fills_hang:
            await asyncio.Event().wait()
        problem = "" if self.fills_error is None else str(self.fills_error)
        fills = () if problem else tuple(self.fills)
        return TradesRead(asked_s=time.monotonic(), after_unix=unix, fills=fills, complete=not problem, problem=problem)

    async def read_order(self, order_id: str) -> OrderSeen | None:
        return None

    async def read_scoring(self, order_ids: Sequence[str]) -> ScoringSeen | None:
        return ScoringSeen(scoring=tuple((order, order in self.open_ids) for order in order_ids))

    async def balances(self, tokens: Sequence[str]) -> BalancesRead:
        none = tuple((token, Shares(0)) for token in tokens)
        return BalancesRead(asked_s=time.monotonic(), cash=Usd(1_000 * MICRO), holdings=none, complete=True)

    async def positions(self, tokens: Sequence[str]) -> PositionsRead:
        return PositionsRead(asked_s=time.monotonic(), complete=True)

    async def indexed_trades(self, unix: int) -> IndexedTradesRead:
        return IndexedTradesRead(asked_s=time.monotonic(), after_unix=unix, complete=True)

    async def activity(self, unix: int) -> ActivityRead:
        return ActivityRead(asked_s=time.monotonic(), after_unix=unix, complete=True)

    async def chain(self, tokens: Sequence[str]) -> ChainRead | None:
        return None

    async def payouts(self, markets: Sequence[str]) -> list[PayoutSeen]:
        return []

    async def heartbeat(self, heartbeat_id: str) -> HeartbeatAnswer:
        return HeartbeatAnswer(status="ok", heartbeat_id=heartbeat_id + "x")

    def see(self, message: MarketMessage) -> None:
        """Nothing to learn."""

    async def close(self) -> None:
        self.closed = True

    def _row(self, order_id: str) -> ListedOrder:
        """An order as the venue lists it; one that nobody here placed is a small bid of the only market."""
        place = self._places.get(order_id)
        if place is None:
            return ListedOrder(
                order_id=order_id, market=INSTRUMENT.market, token=INSTRUMENT.yes_token, order_side="BUY",
                price="0.01", size=Shares(5 * MICRO),
            )  # fmt: skip
        return ListedOrder(
            order_id=order_id, market=place.market, token=place.token, order_side=place.order_side,
            price=place.price_text, size=place.size,
        )  # fmt: skip


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
            chain=None,
            route=RouteSeen(venue="paper", route=None, obstacle="a test"),
            rest=PublicRest(session.settings.clob_url),
            instruments=(InstrumentAdded(instrument=INSTRUMENT),),
            user_frame=None,
            owner="",
            wallet="0x" + "77" * 20,
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
    await until(lambda: session.engine.account.is_open or task.done())
    return task
