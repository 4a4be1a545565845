"""What the servers share: the exchange, the clock, the sockets that get its frames."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from core.clock import Clock
from core.exchange import refusals
from core.exchange.auth import AuthError, Credentials
from core.exchange.crowd.participants import Population
from core.exchange.exchange import Exchange
from core.exchange.faults.director import Director
from core.exchange.faults.serving import serve_directed
from core.exchange.frames import Frame
from core.exchange.intake import Intake
from core.exchange.sheets.accounts import Accounts
from core.exchange.sheets.spreadsheet import default_spreadsheet

PULSE_MS: Final = 20
"""Longest sleep of the clockwork; it wakes earlier when something falls due."""

Listener = Callable[[list[Frame]], None]


class Hub(ABC):
    """A time and who is handed the frames. All its state is touched from one event loop only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._epoch = clock.unix() - clock.monotonic()
        self._listeners: list[Listener] = []

    def now_ms(self) -> int:
        """Exchange time: unix milliseconds at the start plus what has passed; never goes back."""
        return int((self._epoch + self._clock.monotonic()) * 1000)

    def now_s(self) -> float:
        """Exchange time in unix seconds."""
        return self.now_ms() / 1000

    def listen(self, listener: Listener) -> None:
        """Have every batch of frames handed to ``listener``."""
        self._listeners.append(listener)

    def broadcast(self, frames: list[Frame]) -> None:
        """Hand frames to every listener."""
        for listener in self._listeners:
            listener(frames)

    @abstractmethod
    def catch_up(self) -> None:
        """Let everything due up to now happen, and send it."""

    def flush(self) -> None:
        """Hand out what a request made due; where requests change nothing there is nothing to do."""
        return

    async def serve(self, request: Request, body: bytes, act: Callable[[], Response]) -> Response:
        """Answer a request with what ``act`` does, at the present moment."""
        self.catch_up()
        answer = act()
        self.flush()
        return answer

    def public(self, handler: Callable[[Request, bytes], Response]) -> "Handler":
        """Wrap a handler that needs no credentials."""

        async def open_to_all(request: Request) -> Response:
            body = await request.body()
            return await self.serve(request, body, lambda: handler(request, body))

        return open_to_all


class Host(Hub):
    """One running exchange."""

    def __init__(self, exchange: Exchange, population: Population, clock: Clock) -> None:
        super().__init__(clock)
        self.exchange = exchange
        self.population = population
        self.intake = Intake(exchange)
        self.director = Director(exchange, self.intake.limits)
        self.spreadsheet = default_spreadsheet(exchange)
        self.accounts = Accounts(exchange.seed)

    def now_s(self) -> float:
        """Unix seconds by the venue's clock, which a fault may put wrong."""
        return super().now_s() + (self.director.clock_offset_s if self.director.armed else 0.0)

    def broadcast(self, frames: list[Frame]) -> None:
        """Hand frames to every listener, or what faults leave of them."""
        super().broadcast(self.director.route(frames) if self.director.armed else frames)

    def flush(self) -> None:
        """Hand out what became due; called after everything that changes the exchange."""
        if self.director.armed:
            super().broadcast(self.director.outbox())
        out = self.exchange.drain()
        if out:
            self.broadcast(out)
        if self.director.armed:
            self.director.watch()

    def catch_up(self) -> None:
        """Let everything due up to now happen, and send it."""
        self.exchange.step(self.now_ms())
        self.flush()

    async def run(self) -> None:
        """Keep the exchange going until cancelled."""
        while True:
            self.catch_up()
            if self.director.broken is not None:
                raise self.director.broken
            wait_ms = min(PULSE_MS, self.exchange.next_due_ms - self.now_ms())
            await asyncio.sleep(max(1, wait_ms) / 1000)

    async def serve(self, request: Request, body: bytes, act: Callable[[], Response]) -> Response:
        """Answer a request, or do to it what faults want."""
        if not self.director.armed:
            return await super().serve(request, body, act)
        return await serve_directed(self.director, request, body, act, self.catch_up, self._pause)

    async def _pause(self, wait_ms: int) -> None:
        """Wait for so much exchange time."""
        over = asyncio.Event()
        self.exchange.schedule(self.exchange.now_ms + wait_ms, lambda _: over.set())
        await over.wait()

    def private(self, handler: "PrivateHandler") -> "Handler":
        """Wrap a handler so that it runs only for a proven API key (L2, polymarket-api.md 3.3), not in a restart."""

        async def guarded(request: Request) -> Response:
            body = await request.body()

            def proven() -> Response:
                keys, path = self.exchange.keys, request.url.path
                try:
                    who = keys.check_l2(request.headers, request.method, path, body, self.now_s())
                except AuthError as error:
                    return refused(str(error))
                if self.exchange.mode.state == "restarting":
                    return refused(refusals.RESTARTING)
                return handler(request, who, body)

            return await self.serve(request, body, proven)

        return guarded


Handler = Callable[[Request], Awaitable[Response]]
PrivateHandler = Callable[[Request, Credentials, bytes], Response]


def answer(body: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")


def refused(text: str) -> Response:
    """The venue's error object with the status it derives from the text."""
    return answer({"error": text}, refusals.status_of(text))
