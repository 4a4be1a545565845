"""What the servers share: the exchange, the clock, the sockets that get its frames."""

import asyncio
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
from core.exchange.frames import Frame
from core.exchange.intake import Intake

PULSE_MS: Final = 20
"""Longest sleep of the clockwork; it wakes earlier when something falls due."""

Listener = Callable[[list[Frame]], None]


class Host:
    """One running exchange. All its state is touched from one event loop only."""

    def __init__(self, exchange: Exchange, population: Population, clock: Clock) -> None:
        self.exchange = exchange
        self.population = population
        self.intake = Intake(exchange)
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

    def flush(self) -> None:
        """Hand out what became due; called after everything that changes the exchange."""
        out = self.exchange.drain()
        if out:
            self.broadcast(out)

    def broadcast(self, frames: list[Frame]) -> None:
        """Hand frames to every listener."""
        for listener in self._listeners:
            listener(frames)

    def catch_up(self) -> None:
        """Let everything due up to now happen, and send it."""
        self.exchange.step(self.now_ms())
        self.flush()

    async def run(self) -> None:
        """Keep the exchange going until cancelled."""
        while True:
            self.catch_up()
            wait_ms = min(PULSE_MS, self.exchange.next_due_ms - self.now_ms())
            await asyncio.sleep(max(1, wait_ms) / 1000)

    def private(self, handler: "PrivateHandler") -> "Handler":
        """Wrap a handler so that it runs only for a proven API key (L2, polymarket-api.md 3.3)."""

        async def guarded(request: Request) -> Response:
            body = await request.body()
            try:
                who = self.exchange.keys.check_l2(request.headers, request.method, request.url.path, body, self.now_s())
            except AuthError as error:
                return refused(str(error))
            self.catch_up()
            answer = handler(request, who, body)
            self.flush()
            return answer

        return guarded

    def public(self, handler: Callable[[Request, bytes], Response]) -> "Handler":
        """Wrap a handler that needs no credentials."""

        async def open_to_all(request: Request) -> Response:
            body = await request.body()
            self.catch_up()
            answer = handler(request, body)
            self.flush()
            return answer

        return open_to_all


Handler = Callable[[Request], Awaitable[Response]]
PrivateHandler = Callable[[Request, Credentials, bytes], Response]


def answer(body: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")


def refused(text: str) -> Response:
    """The venue's error object with the status it derives from the text."""
    return answer({"error": text}, refusals.status_of(text))
