"""A gateway that says what a test wants said."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

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
from core.units import Shares, Usd
from core.venue.gateway import HeartbeatAnswer, Sign


async def until(condition: Callable[[], object], patience_s: float = 10.0) -> None:
    """Let the loop run until a condition holds."""
    async with asyncio.timeout(patience_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


async def hang(*what: str) -> object:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError


class Script:
    """A gateway that says what a test wants said; ``calls`` holds what it was asked, in order.

    Every kind of call can be given a function of its own in ``on``, which is awaited first and may hang, raise,
    tell signs, or return the answer.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[str, ...]]] = []
        self.on: dict[str, Callable[..., Awaitable[object]]] = {}
        self.tell: Callable[[Sign], None] = lambda sign: None

    async def _asked(self, call: str, *what: str) -> object:
        self.calls.append((call, what))
        return await self.on[call](*what) if call in self.on else None

    def called(self, call: str) -> list[tuple[str, ...]]:
        return [what for name, what in self.calls if name == call]

    async def open(self) -> None:
        """Nothing to connect to."""

    async def sign(self, place: Place, neg_risk: bool) -> SignedPlace:
        await self._asked("sign", str(place.intent))
        return SignedPlace(place=place, order_id=f"id-{place.intent}", payload=None)

    async def post(self, batch: Sequence[Cleared]) -> list[OrderAnswered]:
        told = await self._asked("post", *(cleared.signed.order_id for cleared in batch))
        if told is not None:
            return told  # type: ignore[return-value]
        return [OrderAnswered(intent=cleared.signed.place.intent, outcome="live") for cleared in batch]

    async def cancel(self, order_ids: Sequence[str]) -> list[CancelAnswered]:
        told = await self._asked("cancel", *order_ids)
        if told is not None:
            return told  # type: ignore[return-value]
        return [CancelAnswered(order_id=order, outcome="cancelled") for order in order_ids]

    async def cancel_market(self, market: str) -> list[CancelAnswered]:
        return (await self._asked("cancel_market", market)) or []  # type: ignore[return-value]

    async def cancel_all(self) -> list[CancelAnswered]:
        return (await self._asked("cancel_all")) or []  # type: ignore[return-value]

    async def open_orders(self) -> OpenOrdersRead:
        await self._asked("open_orders")
        return OpenOrdersRead(asked_s=1.0, complete=True)

    async def trades_since(self, unix: int) -> TradesRead:
        await self._asked("trades_since", str(unix))
        return TradesRead(asked_s=1.0, after_unix=unix, complete=True)

    async def read_order(self, order_id: str) -> OrderSeen | None:
        return await self._asked("read_order", order_id)  # type: ignore[return-value]

    async def read_scoring(self, order_ids: Sequence[str]) -> ScoringSeen | None:
        await self._asked("read_scoring", *order_ids)
        return ScoringSeen(scoring=tuple((order, True) for order in order_ids))

    async def balances(self, tokens: Sequence[str]) -> BalancesRead:
        told = await self._asked("balances", *tokens)
        holdings = tuple((token, Shares(int(token))) for token in tokens)
        whole = BalancesRead(asked_s=float(len(self.calls)), cash=Usd(7), holdings=holdings, complete=True)
        return told or whole  # type: ignore[return-value]

    async def positions(self, tokens: Sequence[str]) -> PositionsRead:
        await self._asked("positions", *tokens)
        return PositionsRead(asked_s=1.0, complete=True)

    async def indexed_trades(self, unix: int) -> IndexedTradesRead:
        await self._asked("indexed_trades", str(unix))
        return IndexedTradesRead(asked_s=1.0, after_unix=unix, complete=True)

    async def activity(self, unix: int) -> ActivityRead:
        await self._asked("activity", str(unix))
        return ActivityRead(asked_s=1.0, after_unix=unix, complete=True)

    async def chain(self, tokens: Sequence[str]) -> ChainRead | None:
        return await self._asked("chain", *tokens)  # type: ignore[return-value]

    async def payouts(self, markets: Sequence[str]) -> list[PayoutSeen]:
        return (await self._asked("payouts", *markets)) or []  # type: ignore[return-value]

    async def heartbeat(self, heartbeat_id: str) -> HeartbeatAnswer:
        told = await self._asked("heartbeat", heartbeat_id)
        return told or HeartbeatAnswer(status="ok", heartbeat_id=f"beat-{len(self.calls)}")  # type: ignore[return-value]

    def see(self, message: MarketMessage) -> None:
        """Nothing to learn."""

    async def close(self) -> None:
        """Nothing to release."""
