"""Puts the parts together and serves them on one loopback port."""

import asyncio
import contextlib
import ipaddress
import os
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final, Self

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from core.clock import Clock
from core.errors import UsageError
from core.exchange.api.admin import AdminApi
from core.exchange.api.chain_api import RELAYER, RPC, ChainApi
from core.exchange.api.data_api import DATA, DataApi
from core.exchange.api.gamma_api import GAMMA, GammaApi
from core.exchange.api.host import Host, answer
from core.exchange.api.market_api import GEOBLOCK, MarketApi
from core.exchange.api.orders_api import OrdersApi
from core.exchange.api.rewards_api import RewardsApi
from core.exchange.api.sheets_api import SHEETS, SheetsApi
from core.exchange.api.wire_server import WireServer
from core.exchange.crowd.participants import Population
from core.exchange.crowd.profiles import Name
from core.exchange.exchange import AUTO_CASH, Exchange
from core.exchange.faults.api import FaultsApi
from core.exchange.faults.connection import OpenHttp
from core.units import Usd

LOOPBACK: Final = "127.0.0.1"
INPUT_MOST: Final = 8 << 20
"""Bytes of the largest body or frame taken: the 10,000 rows of a long market list are half of it."""


def build_host(
    *,
    seed: int,
    markets: int,
    clock: Clock,
    speed: float = 1.0,
    auto_cash: Usd = AUTO_CASH,
    paused: bool = False,
    profile: Name = "normal",
    baiter: bool = False,
) -> Host:
    """A fresh exchange with its participants, at the clock's wall time."""
    exchange = Exchange(seed=seed, markets=markets, now_ms=int(clock.unix() * 1000), auto_cash=auto_cash)
    population = Population(exchange, profile=profile, speed=speed, paused=paused, baiter=baiter)
    return Host(exchange, population, clock)


def build_app(host: Host) -> Starlette:
    """All routes of the exchange."""
    parts = (
        *(MarketApi(host), RewardsApi(host), OrdersApi(host), GammaApi(host), DataApi(host)),
        *(ChainApi(host), SheetsApi(host), AdminApi(host), FaultsApi(host)),
    )
    routes = [route for part in parts for route in part.routes()]
    handlers = {404: _unserved, 405: _unserved}
    return Starlette(
        routes=[*routes, *WireServer(host).routes()], max_body_size=INPUT_MOST, exception_handlers=handlers
    )


async def _unserved(request: Request, error: Exception) -> Response:
    """Whatever is not served is refused in the venue's shape (polymarket-api.md 4)."""
    assert isinstance(error, HTTPException)
    return answer({"error": error.detail.lower()}, error.status_code)


def loopback(host: str) -> str:
    """The loopback address a host name means.

    Raises:
        UsageError: it is no loopback address; the exchange hands out money and keys to whoever asks.
    """
    try:
        address = ipaddress.ip_address(LOOPBACK if host == "localhost" else host)
    except ValueError as error:
        raise UsageError(f"--host {host}: not an address; give a loopback address such as {LOOPBACK}") from error
    if not address.is_loopback:
        raise UsageError(f"--host {host}: the exchange binds loopback addresses only, such as {LOOPBACK}")
    return str(address)


def addresses(host: str, port: int) -> dict[str, int | str]:
    """Where each service listens."""
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    web, wire = f"http://{place}", f"ws://{place}"
    return {
        "port": port,
        "clob_url": web,
        "gamma_url": web + GAMMA,
        "data_url": web + DATA,
        "ws_market_url": wire + "/ws/market",
        "ws_user_url": wire + "/ws/user",
        "relayer_url": web + RELAYER,
        "rpc_url": web + RPC,
        "sheets_url": web + SHEETS,
        "geoblock_url": web + GEOBLOCK,
    }


def _listener(host: str, port: int) -> socket.socket:
    """A bound socket that names its protocol: asyncio turns Nagle's delay off only for sockets that do.

    Raises:
        UsageError: the port is taken or not ours to take.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise UsageError(f"--host {host} --port {port}: cannot listen there ({error}); --port 0 finds one") from error
    return listener


class _Server(uvicorn.Server):
    """A server that says when it listens and keeps its hands off signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open for requests and say so."""
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave all signals to whoever owns the process."""
        yield


class Serving:
    """An application that serves on the running event loop, with its clockwork; an async context manager."""

    def __init__(
        self, app: Starlette, clockwork: Callable[[], Coroutine[Any, Any, None]], port: int = 0, host: str = LOOPBACK
    ) -> None:
        self._clockwork = clockwork
        self._listener = _listener(host, port)
        self.urls = addresses(host, self._listener.getsockname()[1])
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            http=OpenHttp,
            ws="websockets-sansio",
            ws_max_size=INPUT_MOST,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=60,
        )
        self._server = _Server(config)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Start serving; returns when requests are answered."""
        self._tasks.append(asyncio.create_task(self._server.serve([self._listener]), name="exchange server"))
        self._tasks.append(asyncio.create_task(self._clockwork(), name="exchange clockwork"))
        await self._server.listening.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop serving and wait until everything has ended."""
        self._server.should_exit = True
        self._tasks[1].cancel()
        for task in (await asyncio.wait(self._tasks))[0]:
            if not task.cancelled():
                task.result()

    def stop(self) -> None:
        """Ask the server to end."""
        self._server.should_exit = True

    async def wait(self) -> None:
        """Until ``stop`` is called.

        Raises:
            Exception: whatever killed the exchange's clockwork.
        """
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


class RunningExchange(Serving):
    """An exchange that serves.

    Example::

        async with RunningExchange(host, port=0) as running:
            print(running.urls["clob_url"])
    """

    def __init__(self, host: Host, port: int = 0, address: str = LOOPBACK) -> None:
        super().__init__(build_app(host), host.run, port, address)
        self.host = host


def stop_at_eof(running: Serving, descriptor: int) -> None:
    """End the server when ``descriptor`` reaches its end or is not open, that is, when the parent is gone."""
    loop = asyncio.get_running_loop()

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(descriptor, 4096):
                pass
        loop.call_soon_threadsafe(running.stop)

    threading.Thread(target=watch, name="stdin watch", daemon=True).start()
