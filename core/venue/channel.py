"""One WebSocket channel of the venue, kept up.

Sends the first frame exactly once and before the first PING, answers nothing, hands every frame to its owner inside
the receive loop, and comes back after a loss with growing, jittered pauses (polymarket-api.md 5.1). Text that is no
JSON is normal here (PONG, INVALID OPERATION).
"""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final, Literal

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException

from core.clock import Clock

log = logging.getLogger(__name__)

PING_SEC: Final = 5.0
"""Half the venue's interval, so that one lost PONG does not look like silence."""
SILENCE_SEC: Final = 15.0
"""A socket that gave no frame and no PONG for so long is dead."""
FIRST_BACKOFF_SEC: Final = 0.5
LAST_BACKOFF_SEC: Final = 30.0
RECEIVE_LIMIT: Final = 16 * 2**20
"""Bytes. The dump of 168 tokens was 432 kB (real-data.md 7)."""

FeedName = Literal["market", "user"]


class ChannelOwner:
    """What a channel tells its owner; callbacks of plain functions, called on the loop."""

    def __init__(
        self,
        on_frame: Callable[[FeedName, bytes], None],
        on_state: Callable[[FeedName, bool, str], None],
        on_alive: Callable[[FeedName], None],
    ) -> None:
        self.on_frame = on_frame
        self.on_state = on_state
        self.on_alive = on_alive


class Channel:
    """A socket to one of the venue's channels."""

    def __init__(
        self, name: FeedName, url: str, first_frame: Callable[[], bytes], owner: ChannelOwner, clock: Clock, seed: int
    ) -> None:
        """``first_frame`` is asked at every connect, so that it names the tokens wanted then."""
        self.name = name
        self._url = url
        self._first_frame = first_frame
        self._owner = owner
        self._clock = clock
        self._random = random.Random(f"{seed}|{name}")
        self._socket: ClientConnection | None = None
        self._heard_s = 0.0
        self._backoff_s = FIRST_BACKOFF_SEC

    async def run(self) -> None:
        """Connect, listen, and connect again, until cancelled."""
        while True:
            detail = "closed by the venue"
            try:
                async with connect(
                    self._url, max_size=RECEIVE_LIMIT, compression=None, ping_interval=None, close_timeout=1
                ) as socket:
                    await self._serve(socket)
            except (OSError, TimeoutError, WebSocketException, InvalidHandshake, InvalidURI) as error:
                detail = f"{type(error).__name__}: {error}"
            finally:
                self._socket = None
            self._owner.on_state(self.name, False, detail)
            pause = self._backoff_s * (0.5 + self._random.random())
            self._backoff_s = min(self._backoff_s * 2, LAST_BACKOFF_SEC)
            log.warning("channel_lost", extra={"feed": self.name, "detail": detail, "retry_s": round(pause, 2)})
            await asyncio.sleep(pause)

    async def send(self, frame: bytes) -> None:
        """Send an operation frame; without a socket it is dropped, because the next first frame says it all."""
        if self._socket is not None:
            try:
                await self._socket.send(frame, text=True)
            except WebSocketException as error:
                log.info("operation_dropped", extra={"feed": self.name, "detail": str(error)})

    async def _serve(self, socket: ClientConnection) -> None:
        await socket.send(self._first_frame(), text=True)
        self._socket = socket
        self._heard_s = self._clock.monotonic()
        self._owner.on_state(self.name, True, "")
        keeper = asyncio.create_task(self._keep_alive(socket), name=f"{self.name}-keep-alive")
        try:
            async for frame in socket:
                self._hear(frame if isinstance(frame, bytes) else frame.encode())
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    def _hear(self, frame: bytes) -> None:
        self._heard_s = self._clock.monotonic()
        if frame[:1] in (b"{", b"["):
            self._backoff_s = FIRST_BACKOFF_SEC
            self._owner.on_frame(self.name, frame)
        else:
            self._owner.on_alive(self.name)

    async def _keep_alive(self, socket: ClientConnection) -> None:
        while True:
            await asyncio.sleep(PING_SEC)
            if self._clock.monotonic() - self._heard_s > SILENCE_SEC:
                await socket.close(1000, "silence")
                return
            try:
                await socket.send("PING")
            except WebSocketException:
                return


def subscribe_market_frame(tokens: list[str]) -> bytes:
    """The first frame of the market channel (polymarket-api.md 5.1)."""
    return msgspec.json.encode({"type": "market", "assets_ids": tokens, "custom_feature_enabled": True})


def market_operation_frame(operation: Literal["subscribe", "unsubscribe"], tokens: list[str]) -> bytes:
    """A later frame of the market channel that adds or removes tokens."""
    return msgspec.json.encode({"operation": operation, "assets_ids": tokens, "custom_feature_enabled": True})


def subscribe_user_frame(key: str, secret: str, passphrase: str) -> bytes:
    """The first frame of the user channel; without ``markets`` it covers all (polymarket-api.md 6)."""
    return msgspec.json.encode({"type": "user", "auth": {"apiKey": key, "secret": secret, "passphrase": passphrase}})
