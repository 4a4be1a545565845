"""One WebSocket of the venue, kept up.

Sends the first frame exactly once and before the first PING, hands every frame to its owner inside the receive loop,
ends a socket that is silent, and comes back after a loss with growing, jittered pauses (polymarket-api.md 5.1). Text
that is no JSON is normal here (PONG, INVALID OPERATION).
"""

import asyncio
import logging
import random
import socket as socket_module
from collections.abc import Awaitable, Callable
from typing import Final, Literal, NamedTuple

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import broadcast
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.frames import CloseCode
from websockets.protocol import State

from core.clock import Clock

log = logging.getLogger(__name__)

PING_SEC: Final = 5.0
"""Half the venue's interval, so that one lost PONG does not look like silence."""
SILENCE_SEC: Final = 15.0
"""A socket that gave no frame and no PONG for so long is dead."""
CHECK_SEC: Final = 1.0
"""Time between looks at a socket's silence."""
FIRST_BACKOFF_SEC: Final = 0.5
LAST_BACKOFF_SEC: Final = 30.0
LARGE_BOOK: Final = 64 * 1024
"""Bytes of a book of 2,000 levels, of 33 bytes each (real-data.md, sizes); the largest seen had 5,677."""
SMALLEST_LIMIT: Final = 2**20
_LONGEST_DETAIL: Final = 200
"""Characters kept of what a stranger gave as the reason of an end."""


def receive_limit(tokens: int) -> int:
    """Bytes of the largest frame that is accepted on a socket of so many tokens: the array of all their books."""
    return max(SMALLEST_LIMIT, tokens * LARGE_BOOK)


class ChannelOwner(NamedTuple):
    """What a channel tells its owner: plain functions, called on the loop."""

    on_frame: Callable[[bytes], bool]
    """A frame that looks like JSON; returns whether anything in it was valid."""
    on_state: Callable[[bool, str], None]
    """The socket is up and subscribed, or it is not, and why."""
    on_alive: Callable[[], None]
    """Text that is no JSON came."""


class Channel:
    """A socket to one of the venue's channels."""

    def __init__(
        self,
        name: str,
        url: str,
        first_frame: Callable[[], bytes],
        owner: ChannelOwner,
        clock: Clock,
        seed: int,
        *,
        limit: int = SMALLEST_LIMIT,
        turn: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Prepare a channel; :meth:`run` opens it.

        Args:
            name: for the log, and to draw pauses of its own.
            url: where to connect.
            first_frame: asked at every connect, so that it names what is wanted then.
            owner: hears what comes.
            clock: tells silence and age.
            seed: of the pauses between attempts.
            limit: bytes; a larger frame ends the socket. See :func:`receive_limit`.
            turn: awaited before every attempt to connect, by which several channels keep a distance.
        """
        self.name = name
        self.opened_s: float | None = None
        """When the socket in use was subscribed, monotonic seconds; None while there is none."""
        self.frames = 0
        self.bytes = 0
        self.reconnects = 0
        """Losses of a socket that had been up."""
        self.oversized = 0
        self._url = url
        self._first_frame = first_frame
        self._owner = owner
        self._clock = clock
        self._random = random.Random(f"{seed}|{name}")
        self._limit = limit
        self._turn = turn
        self._socket: ClientConnection | None = None
        self._heard_s = 0.0
        self._cut = ""
        """Why we ended the socket ourselves; "" when we did not."""
        self._backoff_s = FIRST_BACKOFF_SEC

    @property
    def connected(self) -> bool:
        """There is a socket and it is subscribed."""
        return self.opened_s is not None

    async def run(self) -> None:
        """Connect, listen, and connect again, until cancelled. What the owner raises ends it too."""
        while True:
            if self._turn is not None:
                await self._turn()
            detail = _plain(await self._one_socket())
            self.reconnects += self.connected
            self.opened_s = None
            self._owner.on_state(False, detail)
            pause = self._backoff_s * (0.5 + self._random.random())
            self._backoff_s = min(self._backoff_s * 2, LAST_BACKOFF_SEC)
            log.warning("channel_lost", extra={"feed": self.name, "detail": detail, "retry_s": round(pause, 2)})
            await asyncio.sleep(pause)

    def post(self, frame: bytes) -> None:
        """Send an operation frame; without a socket it is dropped, because the next first frame says it all."""
        if self._socket is not None:
            broadcast([self._socket], frame.decode())

    async def _one_socket(self) -> str:
        """One connection from beginning to end; returns what ended it."""
        try:
            # Compressed, a message costs the client three times the CPU (15 against 5 µs) for a quarter of the bytes.
            socket = await connect(
                self._url, max_size=self._limit, compression=None, ping_interval=None, close_timeout=1, proxy=None
            )
        except (OSError, WebSocketException) as error:
            return why_not_open(error)
        ping_s = self._clock.monotonic() + PING_SEC
        keeper = asyncio.create_task(self._keep_alive(socket, ping_s), name=f"{self.name} keep-alive")
        try:
            return await self._listen(socket)
        finally:
            self._socket = None
            keeper.cancel()
            try:
                await asyncio.gather(keeper, socket.close(), return_exceptions=True)
            finally:
                socket.transport.abort()  # where a second cancellation interrupts the goodbye

    async def _listen(self, socket: ClientConnection) -> str:
        self._socket, self._cut = socket, ""
        self._heard_s = self.opened_s = self._clock.monotonic()
        self.post(self._first_frame())
        self._owner.on_state(True, "")
        while True:
            try:
                frame = await socket.recv(decode=False)
            except ConnectionClosed as closed:
                if closed.sent is not None and closed.sent.code == CloseCode.MESSAGE_TOO_BIG:
                    self.oversized += 1
                    return f"a frame of more than {self._limit} bytes"
                return self._cut or why_closed(closed)
            self._hear(frame)

    def _hear(self, frame: bytes) -> None:
        self._heard_s = self._clock.monotonic()
        if frame[:1] in (b"{", b"["):
            self.frames += 1
            self.bytes += len(frame)
            if self._owner.on_frame(frame):
                self._backoff_s = FIRST_BACKOFF_SEC
        else:
            self._owner.on_alive()

    async def _keep_alive(self, socket: ClientConnection, ping_s: float) -> None:
        """Send PINGs, the first at ``ping_s``; cut a socket that is silent, or whose agreed end does not come."""
        while True:
            await asyncio.sleep(CHECK_SEC)
            now = self._clock.monotonic()
            if now - self._heard_s > SILENCE_SEC:
                self._cut = f"nothing was heard for {SILENCE_SEC:g} s"
            if self._cut or socket.state is State.CLOSING:
                socket.transport.abort()
                return
            if now >= ping_s:
                ping_s = now + PING_SEC
                broadcast([socket], "PING")


def why_not_open(error: OSError | WebSocketException) -> str:
    """Why there is no connection, in words; may hold foreign text."""
    match error:
        case ConnectionRefusedError():
            return "refused"
        case TimeoutError():
            return "no answer in time"
        case socket_module.gaierror():
            return "no such name"
        case OSError(strerror=str() as words) if words:
            return f"cannot be reached: {words}"
        case InvalidStatus(response=response):
            return f"answered with status {response.status_code}"
    return f"no connection: {error}"


def why_closed(closed: ConnectionClosed) -> str:
    """How a connection ended, in words; may hold foreign text."""
    if (last := closed.rcvd) is None:
        return "closed without a word"
    return f"closed with code {last.code}{f': {last.reason}' if last.reason else ''}"


def _plain(text: str) -> str:
    """Foreign text on one line, without anything that steers a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text[:_LONGEST_DETAIL])


def subscribe_market_frame(tokens: list[str]) -> bytes:
    """The first frame of the market channel (polymarket-api.md 5.1)."""
    return msgspec.json.encode({"type": "market", "assets_ids": tokens, "custom_feature_enabled": True})


def market_operation_frame(operation: Literal["subscribe", "unsubscribe"], tokens: list[str]) -> bytes:
    """A later frame of the market channel that adds or removes tokens."""
    return msgspec.json.encode({"operation": operation, "assets_ids": tokens, "custom_feature_enabled": True})


def subscribe_user_frame(key: str, secret: str, passphrase: str) -> bytes:
    """The first frame of the user channel; without ``markets`` it covers all (polymarket-api.md 6)."""
    return msgspec.json.encode({"type": "user", "auth": {"apiKey": key, "secret": secret, "passphrase": passphrase}})
