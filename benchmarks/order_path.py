"""What an order costs on its way out: a decision, its signatures, the journal's commit, the first byte at the venue.

Engine, courier, gateway and store are the session's, put together without the rest of it; the store is a file with
durable commits. The venue is the exchange in another process, behind a relay that notes when the bytes of POST /orders
arrive, on the clock that all processes of a machine share. Bars of issue 6.
"""

import asyncio
import gc
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple
from unittest.mock import patch
from urllib.parse import urlsplit

import httpx
from websockets.asyncio.client import connect

from core.actions import Place
from core.clock import SystemClock
from core.config import Settings
from core.engine import Engine
from core.events import AccountSeen, Event, FeedChanged, InstrumentAdded, OrderAnswered, OrderSeen, Woken
from core.exchange.api.server import RunningExchange, build_host
from core.exchange.plots import PLOTS
from core.market.instrument import Instrument
from core.orders.order import State
from core.runtime.courier import Courier
from core.runtime.ingest import Ingest
from core.runtime.journaling import Journaling
from core.store.database import Store
from core.units import MICRO, Shares, Usd
from core.venue.channel import subscribe_market_frame
from core.venue.credentials import Secret, Wallet
from core.venue.gamma import GammaClient
from core.venue.gateway_clob import DEPOSIT_WALLET, ClobGateway
from core.venue.gateway_clob_v2 import ClobV2Gateway
from core.venue.gateway_polymarket import PolymarketGateway
from core.venue.wallets import wallets_of

SIZES: Final = (1, 6, 15)
"""Orders of one decision; 15 fill a request."""
ORDERS_A_MARKET: Final = 6
ROUNDS: Final = 40
WARM: Final = 5
"""Rounds before those that count."""
ALONE: Final = 300
"""Orders signed with nothing beside."""
SIGN_BAR_MS, FIRST_BYTE_BAR_MS, BATCH_BAR_MS, STALL_BAR_MS = 0.7, 8.0, 20.0, 5.0
PROBE_SEC: Final = 0.001
PAUSE_SEC: Final = 0.1
"""Between rounds; the highest tier's budget allows 150 orders a second."""
CASH: Final = Usd(1_000_000 * MICRO)
KEY: Final = "0x" + "11" * 32
ADDRESS: Final = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
CLIENTS: Final[dict[str, tuple[type[ClobGateway], int]]] = {
    "polymarket-client, EOA": (PolymarketGateway, 0),
    "polymarket-client, deposit wallet": (PolymarketGateway, DEPOSIT_WALLET),
    "py-clob-client-v2, EOA": (ClobV2Gateway, 0),
}
_fork: Final = multiprocessing.get_context("fork")
_now: Final = SystemClock().monotonic


class Round(NamedTuple):
    """One decision and its orders on their way, seconds."""

    decide: float
    sign: float
    commit: float
    serialise: float
    """From the courier's call to a request: JSON, HMAC, headers."""
    send: float
    """From the request to its first byte at the venue."""
    first: float
    """From the event that caused the decision to the first byte; what the parts above lack are turns of the loop."""
    last: float
    """The same to the last byte."""
    stall: float
    """The most that a timer of a millisecond came late, until the answer was taken; other programs' work counts."""
    own: float
    """The same, as far as the loop's own CPU time explains it."""


class Arrival(NamedTuple):
    """When the first and the last bytes of one request were at the venue, seconds of the shared clock."""

    first_s: float
    last_s: float


class Venue(NamedTuple):
    """The other process."""

    urls: dict[str, Any]
    line: Connection
    """Brings an :class:`Arrival` for each POST /orders."""


def run() -> bool:
    """Print every figure with its bar; says whether all bars were reached."""
    with exchange_beside() as venue:
        reached = [asyncio.run(_measure(venue, name)) for name in CLIENTS]
    return all(reached)


async def _measure(venue: Venue, name: str) -> bool:
    client, kind = CLIENTS[name]
    print(f"orders on their way, {name}")
    reached = []
    for size in SIZES:
        async with making(venue, client, kind, size) as maker:
            if size == SIZES[0]:
                reached.append(_bar("signing an order", _ms(await maker.sign_alone()), SIGN_BAR_MS))
            reached += _told([await maker.round() for _ in range(WARM + ROUNDS)][WARM:], size)
    return all(reached)


def _told(rounds: Sequence[Round], size: int) -> list[bool]:
    parts = {name: _ms([getattr(each, name) for each in rounds]) for name in Round._fields}
    print(f"  {size} orders, median ms: " + "  ".join(f"{name} {value:.2f}" for name, value in parts.items()))
    if size < SIZES[-1]:
        return [_bar("decision to first byte", parts["first"], FIRST_BYTE_BAR_MS)]
    late, own = (max(getattr(each, name) for each in rounds) * 1e3 for name in ("stall", "own"))
    print(f"    of {len(rounds)} rounds the loop stood still {late:.2f} ms at most, the machine's other work included")
    return [
        _bar("decision to last byte of a full request", parts["last"], BATCH_BAR_MS),
        _bar("longest stall of the loop's own making", own, STALL_BAR_MS),
    ]


def _ms(seconds: Sequence[float]) -> float:
    return statistics.median(seconds) * 1e3


def _bar(name: str, value: float, bar: float) -> bool:
    print(f"    {'reached' if value <= bar else 'NOT REACHED'}: {name} {value:.2f}, bar at most {bar:g} ms")
    return value <= bar


# The maker


class Maker:
    """Engine, store, courier and gateway as a session puts them together; what it has placed it cancels."""

    def __init__(self, gateway: ClobGateway, store: Store, venue: Venue, size: int) -> None:
        """Place so many orders at a time."""
        clock = SystemClock()
        self._gateway = gateway
        self._store = store
        self._venue = venue
        self._size = size
        self._dump: str | bytes = b""
        self.engine = engine = Engine(Settings(quote_debounce_ms=0), own_in_book=True)
        self._journaling = Journaling(store, engine, clock)
        self._ingest = Ingest(lambda message, now: engine.handle(message, now), engine.data.find, None)
        self.courier = Courier(
            gateway,
            clock,
            self._emit,
            self._commit,
            engine.gatekeeper.clear,
            is_neg_risk=lambda market: engine.desks[market].instrument.neg_risk,
            is_wanted=engine.orders.is_wanted,
            open_orders=engine.orders.sent,
            tokens=tuple,
        )
        self._spent = {"sign": 0.0, "commit": 0.0}
        self._posted_s = self._sent_s = 0.0

    def begin(self, instruments: Sequence[Instrument], dump: str | bytes) -> None:
        """Quote these markets, from the books in ``dump``."""
        self._dump = dump
        take, now = self.engine.handle, _now()
        for instrument in instruments:
            take(InstrumentAdded(instrument), now)
        take(AccountSeen(cash=CASH, holdings=()), now)
        take(FeedChanged(feed="market", connected=True), now)
        take(FeedChanged(feed="user", connected=True), now)

    async def sign_alone(self) -> list[float]:
        """Seconds of each of many signatures."""
        self._hear_books()
        place, times = self._decide()[0], []
        for _ in range(ALONE):
            began = _now()
            await self._gateway.sign(place, False)
            times.append(_now() - began)
        self._deny([place])
        return times

    async def round(self) -> Round:
        """Decide, send, take the answer; then cancel."""
        await asyncio.sleep(PAUSE_SEC)
        self._hear_books()
        self._spent = dict.fromkeys(self._spent, 0.0)
        async with _probing() as ticks:
            began = _now()
            places = self._decide()
            decided = _now()
            for place in places:
                self.courier.take(place)
            await self.courier.wait_idle()
        arrival: Arrival = self._venue.line.recv()
        told = Round(
            decide=decided - began,
            **self._spent,
            serialise=self._sent_s - self._posted_s,
            send=arrival.first_s - self._sent_s,
            first=arrival.first_s - began,
            last=arrival.last_s - began,
            stall=max(tick.late for tick in ticks),
            own=max(min(tick.late, tick.work) for tick in ticks),
        )
        await self._cancel(places)
        return told

    def _hear_books(self) -> None:
        """Full books, so that none is old and all have something to decide on."""
        self._ingest.frame(self._dump, _now())
        for desk in self.engine.desks.values():
            desk.touch_due()

    def _decide(self) -> list[Place]:
        """The wishes of one decision; those too many are denied."""
        engine = self.engine
        places = [wish for wish in engine.handle(Woken(time.time()), _now()) if isinstance(wish, Place)]
        assert len(places) >= self._size, f"{len(places)} orders wanted instead of {self._size}"
        self._deny(places[self._size :])
        return places[: self._size]

    def _deny(self, places: Sequence[Place]) -> None:
        for place in places:
            self.engine.handle(OrderAnswered(intent=place.intent, outcome="denied", detail="too many"), _now())

    async def _cancel(self, places: Sequence[Place]) -> None:
        orders = [self.engine.orders.by_intent(place.intent) for place in places]
        assert all(order.state is State.LIVE for order in orders), [(order.state, order.detail) for order in orders]
        for answer in await self._gateway.cancel([order.order_id for order in orders]):
            self._emit(answer)
            self._emit(OrderSeen(answer.order_id, "cancelled", Shares(0)))  # the user channel's word
        for order in orders:  # or the gate would take the next round for a repetition of this one
            self.engine.gatekeeper.answered(OrderAnswered(intent=order.intent, outcome="denied"), order, _now())
        await self._commit()

    def _emit(self, event: Event) -> None:
        """As a session does it; the engine's wishes are not carried out here."""
        self._store.journal("event", event)
        self.engine.handle(event, _now())

    async def _commit(self) -> None:
        began = _now()
        await self._journaling.flush()
        self._spent["commit"] += _now() - began

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note when a signature begins and ends, when the gateway is called, and when its client has a request."""
        sign, post = self._gateway.sign, self._gateway.post
        send, send_async = httpx.Client.send, httpx.AsyncClient.send

        async def timed_sign(*args: Any) -> Any:
            began = _now()
            signed = await sign(*args)
            self._spent["sign"] += _now() - began
            return signed

        async def timed_post(*args: Any) -> Any:
            self._posted_s = _now()
            return await post(*args)

        def timed_send(*args: Any, **named: Any) -> Any:
            self._sent_s = _now()
            return send(*args, **named)

        def timed_send_async(*args: Any, **named: Any) -> Any:
            self._sent_s = _now()
            return send_async(*args, **named)

        with (
            patch.object(self._gateway, "sign", timed_sign),
            patch.object(self._gateway, "post", timed_post),
            patch.object(httpx.Client, "send", timed_send),
            patch.object(httpx.AsyncClient, "send", timed_send_async),
        ):
            yield


@asynccontextmanager
async def making(venue: Venue, client: type[ClobGateway], kind: int, size: int) -> AsyncIterator[Maker]:
    """A maker with an account, books and a courier that runs."""
    clock = SystemClock()
    settings = replace(Settings(mode="live"), **venue.urls)
    wallet = Wallet(Secret(KEY), wallets_of(ADDRESS, kind)[0])
    maker: Maker
    gateway = client(settings, wallet, clock, lambda sign: maker.courier.hear(sign))
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "mm_state.db", clock)
        await store.open("demo", "benchmark", 1, asdict(settings))
        maker = Maker(gateway, store, venue, size)
        try:
            await gateway.open()
            instruments = await _instruments(settings, -(-size // ORDERS_A_MARKET))
            maker.begin(instruments, await _books(settings, instruments))
            lanes = [asyncio.create_task(work, name=name) for name, work in maker.courier.lanes()]
            gc.collect()
            gc.freeze()
            with maker.watched():
                yield maker
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
        finally:
            await gateway.close()
            await store.end("measured", True)


async def _instruments(settings: Settings, count: int) -> list[Instrument]:
    gamma = GammaClient(settings.gamma_url)
    try:
        markets, _ = await gamma.markets(())
    finally:
        await gamma.close()
    plain = [market.instrument for market in markets if market.tradable and not market.instrument.neg_risk]
    return plain[:count]


async def _books(settings: Settings, instruments: Sequence[Instrument]) -> str | bytes:
    """The frame with their books."""
    tokens = [token for each in instruments for token in (each.yes_token, each.no_token)]
    async with connect(settings.ws_market_url, max_size=None, compression=None) as socket:
        await socket.send(subscribe_market_frame(tokens).decode())
        return await socket.recv()


class Tick(NamedTuple):
    """One look of the probe, seconds."""

    late: float
    work: float
    """CPU time of the loop since the look before."""


@asynccontextmanager
async def _probing() -> AsyncIterator[list[Tick]]:
    """Collects what a timer of a millisecond sees of the loop while the work inside goes on."""
    ticks: list[Tick] = []

    async def probe() -> None:
        worked = time.thread_time()
        while True:
            due = _now() + PROBE_SEC
            await asyncio.sleep(PROBE_SEC)
            before, worked = worked, time.thread_time()
            ticks.append(Tick(_now() - due, worked - before))

    task = asyncio.create_task(probe())
    await asyncio.sleep(5 * PROBE_SEC)
    ticks.clear()
    yield ticks
    await asyncio.sleep(2 * PROBE_SEC)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# The venue


@contextmanager
def exchange_beside() -> Iterator[Venue]:
    """The exchange with nobody else on it, in a process of its own."""
    line, theirs = _fork.Pipe()
    process = _fork.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    yield Venue(line.recv(), line)
    process.kill()
    process.join()


def _serve(line: Connection) -> None:
    asyncio.run(_serve_for_ever(line))


async def _serve_for_ever(line: Connection) -> None:
    host = build_host(seed=1, markets=len(PLOTS), auto_cash=CASH, paused=True, clock=SystemClock())
    host.intake.limits.tier_of[ADDRESS.lower()] = "Elite"
    async with RunningExchange(host) as running:
        clob = urlsplit(str(running.urls["clob_url"]))
        loop = asyncio.get_running_loop()
        relay = await loop.create_server(lambda: _Relay(str(clob.hostname), int(clob.port or 0), line), "127.0.0.1", 0)
        port = relay.sockets[0].getsockname()[1]
        urls = {name: url for name, url in running.urls.items() if isinstance(url, str)}
        line.send(urls | {"clob_url": f"http://127.0.0.1:{port}"})
        await relay.serve_forever()


class _Relay(asyncio.Protocol):
    """Passes a connection on, and tells when the bytes of POST /orders came."""

    def __init__(self, host: str, port: int, line: Connection) -> None:
        self._host, self._port, self._line = host, port, line
        self._down: asyncio.Transport
        self._up: asyncio.Transport | None = None
        self._kept = b""
        self._first_s = self._last_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._down = transport
        self._opening = asyncio.create_task(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        self._up, _ = await loop.create_connection(
            lambda: _Upstream(self._down, self._answered), self._host, self._port
        )
        self._up.write(self._kept)

    def data_received(self, data: bytes) -> None:
        self._last_s = _now()
        if data.startswith(b"POST /orders "):
            self._first_s = self._last_s
        if self._up is None:
            self._kept += data
        else:
            self._up.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._up is not None:
            self._up.close()

    def _answered(self) -> None:
        if self._first_s:
            self._line.send(Arrival(self._first_s, self._last_s))
            self._first_s = 0.0


class _Upstream(asyncio.Protocol):
    """The exchange's side of a relayed connection."""

    def __init__(self, down: asyncio.Transport, answered: Callable[[], None]) -> None:
        self._down, self._answered = down, answered

    def data_received(self, data: bytes) -> None:
        self._answered()
        self._down.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._down.close()
