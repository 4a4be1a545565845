"""Courier, heartbeat and the official client against an exchange, on one clock that jumps; no engine, no journal."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from core.actions import Cancel, Place
from core.clock import ManualClock
from core.config import Settings
from core.events import Event, OrderAnswered, OrderSigned
from core.exchange.api.server import RunningExchange, build_host
from core.exchange.faults.script import read_toml
from core.risk.gate import Cleared
from core.runtime.courier import Courier
from core.runtime.heartbeat import Heartbeat, Liveness
from core.units import MICRO, Shares
from core.venue.credentials import Secret, Wallet
from core.venue.gateway import Sign
from core.venue.gateway_polymarket import PolymarketGateway
from tests.loopback.jumping import jumping_runner
from tests.loopback.pauses import seldom_looks
from tests.loopback.venue import CASH, EOA, KEY

PATIENCE_SEC: Final = 100.0
"""Of the clock, for what must come; request headers are good for 300 s of it in all."""

Kind = TypeVar("Kind", bound=Event)


class Lanes:
    """What a session would own of them."""

    def __init__(self, clock: ManualClock, running: RunningExchange) -> None:
        self.clock = clock
        self.host = running.host
        self.exchange = running.host.exchange
        self.instrument = next(iter(self.exchange.listings.values())).instrument
        self.told: list[tuple[float, Event]] = []
        """(when, what)."""
        self.signs: list[Sign] = []
        self.journal_s = clock.monotonic()
        """When the journal last made progress; None of these tests writes one."""
        urls = {name: url for name, url in running.urls.items() if isinstance(url, str)}
        settings = Settings(mode="live", **urls)
        self.gateway = PolymarketGateway(settings, Wallet(Secret(KEY), EOA), clock, self._hear)
        self.courier = Courier(
            self.gateway,
            clock,
            self.emit,
            self._commit,
            lambda signed, now: Cleared(signed),
            is_neg_risk=lambda market: self.instrument.neg_risk,
            is_wanted=lambda intent: True,
            open_orders=lambda: len(self.resting()),
            tokens=lambda: (self.instrument.yes_token, self.instrument.no_token),
        )
        liveness = [
            Liveness("journal", lambda: self.journal_s, 3.0),
            Liveness("cancels", self.courier.cancel_progress_s, 10.0),
        ]
        self.heartbeat = Heartbeat(self.gateway, clock, self.emit, liveness)
        self._intents = 0

    def _hear(self, sign: Sign) -> None:
        self.signs.append(sign)
        self.courier.hear(sign)

    async def _commit(self) -> None:
        """No journal."""

    def emit(self, event: Event) -> None:
        self.told.append((self.clock.monotonic(), event))

    def seen(self, kind: type[Kind]) -> list[Kind]:
        """Events of a kind, in order."""
        return [event for _, event in self.told if isinstance(event, kind)]

    def arm(self, *faults: str) -> None:
        """Let things go wrong, in the words of a script; without a trigger they set in at once."""
        text = "".join(f"[[fault]]\n{fault}\n" for fault in faults)
        self.host.director.arm(read_toml(text, "test", at_once=True), from_now=True)
        self.host.catch_up()

    def happened(self, do: str) -> list[str]:
        """What the exchange's log of faults says of one verb."""
        return [line.what for line in self.host.director.log if line.do == do]

    def resting(self) -> list[str]:
        """Ids of our open orders by the exchange's own books."""
        key, orders = self.gateway.credentials.key.reveal(), self.exchange.engine.orders.items()
        return [order_id for order_id, order in orders if order.status == "LIVE" and order.new.owner == key]

    def place(self, count: int) -> list[int]:
        """Wish for so many small bids far from the market; returns their intents."""
        grid = self.instrument.grid
        price = grid.ticks(grid.text(1))  # type: ignore[arg-type]
        intents = []
        for _ in range(count):
            self._intents += 1
            intents.append(self._intents)
            wish = Place(
                intent=self._intents, market=self.instrument.market, token=self.instrument.yes_token, order_side="BUY",
                price=price, price_text=grid.text(price), size=Shares(5 * MICRO), side="bid", layer=0, reason="test",
            )  # fmt: skip
            self.courier.take(wish)
        return intents

    def cancel(self, *order_ids: str) -> None:
        for order_id in order_ids:
            self.courier.take(Cancel(order_id=order_id, market=self.instrument.market, reason="test"))

    def outcomes(self) -> dict[int, str]:
        """What became of each intent."""
        return {event.intent: event.outcome for event in self.seen(OrderAnswered)}

    def ids(self) -> list[str]:
        """Every order id that was signed."""
        return [event.order_id for event in self.seen(OrderSigned)]

    async def until(self, condition: Callable[[], object]) -> float:
        """Let time pass until a condition holds; returns how long it took."""
        began = self.clock.monotonic()
        while not condition():
            assert self.clock.monotonic() - began < PATIENCE_SEC, self.told[-10:]
            await asyncio.sleep(0.05)
        return self.clock.monotonic() - began

    async def journal(self) -> None:
        """A journal that makes progress."""
        while True:
            self.journal_s = self.clock.monotonic()
            await asyncio.sleep(0.5)


@asynccontextmanager
async def lanes_at(clock: ManualClock) -> AsyncIterator[Lanes]:
    """An exchange with one still market, an open gateway, and the courier's lanes running."""
    host = build_host(seed=1, markets=1, auto_cash=CASH, paused=True, clock=clock)
    async with RunningExchange(host) as running:
        lanes = Lanes(clock, running)
        await lanes.gateway.open()
        tasks = [asyncio.create_task(work, name=name) for name, work in lanes.courier.lanes()]
        try:
            yield lanes
            assert not [task for task in tasks if task.done()], "no lane ends by itself"
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await lanes.gateway.close()


def play(scene: Callable[[Lanes], Coroutine[Any, Any, None]]) -> None:
    """Play a scene to its end."""
    clock = ManualClock(unix=time.time())

    async def whole() -> None:
        async with lanes_at(clock) as lanes:
            await scene(lanes)

    with jumping_runner(clock) as runner, seldom_looks(lively=False):
        runner.run(whole())
