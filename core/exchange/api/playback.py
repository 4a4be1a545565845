"""Serves a recording: the channels, the books of the present position, and no orders.

The playback starts when the first socket has subscribed to the market channel. That socket gets the recording's own
initial dump; whoever comes later gets one made from the rebuilt books. At the end of the recording sockets stay open
and quiet and the last books can still be read: starting over would send time backwards, which no venue does.
"""

import asyncio
import sys
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from core.clock import Clock
from core.exchange import refusals
from core.exchange.api.book_api import BookApi
from core.exchange.api.host import PULSE_MS, Hub, answer, refused
from core.exchange.api.playback_catalogue import PlaybackCatalogue
from core.exchange.api.server import INPUT_MOST, LOOPBACK, Serving
from core.exchange.api.wire_server import DUMP_LIMIT, MarketSubscription, WireChannel, texts
from core.exchange.playback import Playback, PlayedFrame
from core.lab.recording import known_instruments, read_gamma_objects

_ORDER_PATHS: Final = ("/order", "/orders", "/cancel-all", "/cancel-market-orders")


def build_playback(
    path: Path,
    *,
    clock: Clock,
    gamma: Path | None = None,
    speed: float = 1.0,
    tell: Callable[[str], None] | None = None,
) -> "PlaybackHost":
    """Make a recording ready to be served.

    Args:
        path: JSON lines of ``{"t", "raw"}``, plain or gzip, or a directory of them.
        clock: paces the playback.
        gamma: file with the Gamma objects of its markets; without it they are described by what the recording tells.
        speed: recorded seconds that pass in one.
        tell: takes a line of text about whatever could not be used; stderr when None.

    Raises:
        UsageError: a file cannot be read, or the recording holds no frame of the market channel.
    """
    objects = read_gamma_objects(gamma) if gamma is not None else {}
    instruments = known_instruments(path, gamma)
    playback = Playback(path, instruments, tell or _to_stderr)
    return PlaybackHost(playback, {market: raw for market, (_, raw) in objects.items()}, clock, speed)


class PlaybackHost(Hub):
    """A playback under way, and the sockets that get its frames."""

    def __init__(self, playback: Playback, gamma: dict[str, dict[str, Any]], clock: Clock, speed: float) -> None:
        super().__init__(clock)
        self.playback = playback
        self.gamma = gamma
        """Gamma's objects by condition id."""
        self.channels: set[PlaybackChannel] = set()
        self._speed = speed
        self._started_s: float | None = None

    @property
    def position_s(self) -> float:
        """Recorded seconds since the first frame; 0 until the start."""
        return 0.0 if self._started_s is None else (self._clock.monotonic() - self._started_s) * self._speed

    def now_ms(self) -> int:
        """Recorded time; it stands still until the start and goes on after the end."""
        return self.playback.unix_ms_at(self.position_s)

    def start(self) -> bool:
        """Start playing; False when it has started before."""
        if self._started_s is not None:
            return False
        self._started_s = self._clock.monotonic()
        return True

    def catch_up(self) -> None:
        """Send the frames that are due."""
        if self._started_s is not None:
            for frame in self.playback.play_until(self.position_s):
                for channel in self.channels:
                    channel.deliver(frame)

    async def run(self) -> None:
        """Keep the playback going until cancelled."""
        while True:
            self.catch_up()
            ahead_s = inf if self._started_s is None else self.playback.next_due_s - self.position_s
            await asyncio.sleep(max(0.001, min(PULSE_MS / 1000, ahead_s / self._speed)))


class PlaybackChannel(MarketSubscription):
    """One socket on ``/ws/market``."""

    host: PlaybackHost

    def deliver(self, frame: PlayedFrame) -> None:
        """Send a frame that concerns this socket, whole and unchanged."""
        if frame.concerns(self._tokens, self._custom):
            self.send(frame.text)

    def _add(self, tokens: list[str], *, dump: bool) -> None:
        """Subscribe to ``tokens``, known or not: the recording may come to them later."""
        fresh = [token for token in dict.fromkeys(tokens) if token not in self._tokens]
        if self.host.start():
            self._tokens.update(fresh)
            self.host.catch_up()
            return
        self.host.catch_up()
        self._tokens.update(fresh)
        if dump and len(self._tokens) <= DUMP_LIMIT:
            places = [place for place in map(self.host.playback.face, fresh) if place is not None]
            if places:
                self.send(f"[{','.join(face.socket_book(outcome, initial=True) for face, outcome in places)}]")


class _QuietChannel(WireChannel):
    """One socket on ``/ws/user``: takes any credentials and never has anything to say."""

    def begin(self, message: dict[str, Any]) -> bool:
        """Take the first frame if it has the right shape."""
        auth = message.get("auth")
        if message.get("type") != "user" or not isinstance(auth, dict):
            return False
        self.subscribed = texts([auth.get(name) for name in ("apiKey", "secret", "passphrase")]) is not None
        return self.subscribed

    def change(self, message: dict[str, Any]) -> bool:
        """Take a well-formed list of markets."""
        return texts(message.get("markets")) is not None


def build_app(host: PlaybackHost) -> Starlette:
    """All routes of a playback."""

    async def serve_market(socket: WebSocket) -> None:
        channel = PlaybackChannel(host, socket)
        host.channels.add(channel)
        try:
            await channel.serve()
        finally:
            host.channels.discard(channel)

    async def serve_user(socket: WebSocket) -> None:
        await _QuietChannel(host, socket).serve()

    routes: list[BaseRoute] = [
        Route("/", host.public(_ok)),
        Route("/ok", host.public(_ok)),
        Route("/version", host.public(_version)),
        Route("/time", host.public(lambda _request, _body: answer(host.now_ms() // 1000))),
        *(Route(path, host.public(_disabled), methods=["POST", "DELETE"]) for path in _ORDER_PATHS),
        *BookApi(host, host.playback).routes(),
        *PlaybackCatalogue(host, host.playback, host.gamma).routes(),
        WebSocketRoute("/ws/market", serve_market),
        WebSocketRoute("/ws/user", serve_user),
    ]
    return Starlette(routes=routes, max_body_size=INPUT_MOST)


class RunningPlayback(Serving):
    """A playback that serves; an async context manager."""

    def __init__(self, host: PlaybackHost, port: int = 0, address: str = LOOPBACK) -> None:
        super().__init__(build_app(host), host.run, port, address)
        self.host = host


def _ok(request: Request, body: bytes) -> Response:
    return answer("OK")


def _version(request: Request, body: bytes) -> Response:
    return answer({"version": 2})


def _disabled(request: Request, body: bytes) -> Response:
    return refused(refusals.DISABLED)


def _to_stderr(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
