"""Puts the parts together and serves them on one loopback port."""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from typing import Final

import uvicorn
from starlette.applications import Starlette

from core.clock import Clock
from core.exchange.api.admin import AdminApi
from core.exchange.api.catalogue import DATA, GAMMA, RELAYER, RPC, Catalogue
from core.exchange.api.host import Host
from core.exchange.api.market_api import MarketApi
from core.exchange.api.orders_api import OrdersApi
from core.exchange.api.wire_server import WireServer
from core.exchange.crowd.participants import Population
from core.exchange.exchange import Exchange
from core.units import Usd

LOOPBACK: Final = "127.0.0.1"
_INPUT_MOST: Final = 1 << 20
"""Bytes of the largest body or frame taken."""


def build_host(*, seed: int, markets: int, speed: float, auto_cash: Usd, paused: bool, clock: Clock) -> Host:
    """A fresh exchange with its participants, at the clock's wall time."""
    exchange = Exchange(seed=seed, markets=markets, now_ms=int(clock.unix() * 1000), auto_cash=auto_cash)
    population = Population(exchange, speed=speed, paused=paused)
    return Host(exchange, population, clock)


def build_app(host: Host) -> Starlette:
    """All routes of the exchange."""
    parts = (MarketApi(host), OrdersApi(host), Catalogue(host), AdminApi(host))
    routes = [route for part in parts for route in part.routes()]
    return Starlette(routes=[*routes, *WireServer(host).routes()], max_body_size=_INPUT_MOST)


def addresses(port: int) -> dict[str, int | str]:
    """Where each service listens; the one line the process prints."""
    web, wire = f"http://{LOOPBACK}:{port}", f"ws://{LOOPBACK}:{port}"
    return {
        "port": port,
        "clob_url": web,
        "gamma_url": web + GAMMA,
        "data_url": web + DATA,
        "ws_market_url": wire + "/ws/market",
        "ws_user_url": wire + "/ws/user",
        "relayer_url": web + RELAYER,
        "rpc_url": web + RPC,
    }


def _listener(port: int) -> socket.socket:
    """A bound socket that names its protocol: asyncio turns Nagle's delay off only for sockets that do."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
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


class RunningExchange:
    """An exchange that serves on the running event loop; an async context manager.

    Example::

        async with RunningExchange(host, port=0) as running:
            print(running.urls["clob_url"])
    """

    def __init__(self, host: Host, port: int = 0) -> None:
        self.host = host
        self._listener = _listener(port)
        self.urls = addresses(self._listener.getsockname()[1])
        config = uvicorn.Config(
            build_app(host),
            log_config=None,
            access_log=False,
            lifespan="off",
            http="h11",
            ws="websockets-sansio",
            ws_max_size=_INPUT_MOST,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=60,
        )
        self._server = _Server(config)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "RunningExchange":
        """Start serving; returns when requests are answered."""
        self._tasks.append(asyncio.create_task(self._server.serve([self._listener]), name="exchange server"))
        self._tasks.append(asyncio.create_task(self.host.run(), name="exchange clockwork"))
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


def stop_at_eof(running: RunningExchange, descriptor: int) -> None:
    """End the server when ``descriptor`` reaches its end or is not open, that is, when the parent is gone."""
    loop = asyncio.get_running_loop()

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(descriptor, 4096):
                pass
        loop.call_soon_threadsafe(running.stop)

    threading.Thread(target=watch, name="stdin watch", daemon=True).start()
