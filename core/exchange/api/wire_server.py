"""The market and user channels (polymarket-api.md 5, 6).

A socket's messages wait in a bounded queue of its own: one that reads too slowly is closed, the others do not notice.
"""

import asyncio
from abc import ABC, abstractmethod
from typing import Any, Final, TypeVar

import msgspec
from starlette.responses import Response
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from core.exchange.api.host import Host, Hub
from core.exchange.auth import Credentials
from core.exchange.faults.connection import reset, silence
from core.exchange.faults.effects import Dump
from core.exchange.faults.verbs import Channel
from core.exchange.frames import CUSTOM_KINDS, Frame, MarketFrame, UserFrame

QUEUE_LIMIT: Final = 20_000
"""Frames a socket may lag behind before it is closed."""
DUMP_LIMIT: Final = 500
"""Above this many tokens on one socket no initial books are sent (polymarket-api.md 5.1)."""
_POLICY: Final = 1008
_OVERLOAD: Final = 1013
_BAD_PAYLOAD: Final = "invalid subscription payload"
_INVALID_OPERATION: Final = "INVALID OPERATION"


class WireChannel(ABC):
    """One accepted socket: an outgoing queue, and what both channels have in common."""

    def __init__(self, host: Hub, socket: WebSocket) -> None:
        self.host = host
        self._socket = socket
        self._queue: asyncio.Queue[str | tuple[int, str]] = asyncio.Queue(QUEUE_LIMIT)
        self._closing = False
        self._stalled = False
        self.subscribed = False

    def send(self, text: str) -> None:
        """Queue a frame; a socket that lags too far is closed instead."""
        if self._closing:
            return
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self._queue = asyncio.Queue()
            self.close(_OVERLOAD, "too slow")

    def close(self, code: int, reason: str) -> None:
        """Close after what is queued has been sent."""
        if not self._closing:
            self._closing = True
            self._queue.put_nowait((code, reason))

    def reset(self) -> None:
        """End the TCP connection with a reset (a fault)."""
        self._closing = True
        reset(self._socket.scope)

    def stall(self) -> None:
        """Neither read nor write any more, nor close (a fault)."""
        self._closing = self._stalled = True
        silence(self._socket.scope)

    async def pump(self) -> None:
        """Send what is queued until the socket ends."""
        while True:
            item = await self._queue.get()
            if self._stalled:
                continue
            try:
                if isinstance(item, str):
                    await self._socket.send_text(item)
                else:
                    await self._socket.close(*item)
                    return
            except (WebSocketDisconnect, RuntimeError):
                return

    def opened(self) -> None:
        """Called once the socket is accepted; nothing to do unless somebody counts sockets."""
        return

    async def serve(self) -> None:
        """Read until the other end goes away."""
        await self._socket.accept()
        self.opened()
        writer = asyncio.create_task(self.pump(), name="socket writer")
        try:
            while True:
                message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                if self._stalled:
                    silence(self._socket.scope)
                elif not self._closing:
                    self._receive(message.get("text") or "")
        finally:
            writer.cancel()
            await asyncio.wait([writer])

    def _receive(self, text: str) -> None:
        if text == "PING" and self.subscribed:
            self.send("PONG")
            return
        try:
            message = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            message = None
        fits = isinstance(message, dict)
        if not self.subscribed:
            if not (fits and self.begin(message)):
                self.close(_POLICY, _BAD_PAYLOAD)
        elif not (fits and message.get("operation") in ("subscribe", "unsubscribe") and self.change(message)):
            self.send(_INVALID_OPERATION)

    @abstractmethod
    def begin(self, message: dict[str, Any]) -> bool:
        """Take the first frame; False when it is not acceptable."""

    @abstractmethod
    def change(self, message: dict[str, Any]) -> bool:
        """Take a later subscribe or unsubscribe; False when it is malformed."""


class MarketSubscription(WireChannel):
    """The rules of ``/ws/market``, wherever its books come from."""

    def __init__(self, host: Hub, socket: WebSocket) -> None:
        super().__init__(host, socket)
        self._tokens: set[str] = set()
        self._custom = False

    def begin(self, message: dict[str, Any]) -> bool:
        """Subscribe with the first frame."""
        tokens = texts(message.get("assets_ids"))
        if message.get("type") != "market" or tokens is None:
            return False
        self.subscribed = True
        self._custom = message.get("custom_feature_enabled") is True
        self._add(tokens, dump=message.get("initial_dump") is not False)
        return True

    def change(self, message: dict[str, Any]) -> bool:
        """Add or remove tokens; a token already active is ignored, but the custom flag is taken."""
        tokens = texts(message.get("assets_ids"))
        if tokens is None:
            return False
        if message["operation"] == "unsubscribe":
            self._tokens.difference_update(tokens)
            return True
        if "custom_feature_enabled" in message:
            self._custom = message["custom_feature_enabled"] is True
        self._add(tokens, dump=message.get("initial_dump") is not False)
        return True

    @abstractmethod
    def _add(self, tokens: list[str], *, dump: bool) -> None:
        """Subscribe to ``tokens`` and, if ``dump``, send their books in one array (5.1)."""


class MarketChannel(MarketSubscription):
    """One socket on ``/ws/market`` of an exchange."""

    host: Host
    channel: Channel = "market"
    owner = ""

    @property
    def tokens(self) -> set[str]:
        """What it is subscribed to."""
        return self._tokens

    def opened(self) -> None:
        """Tell the director."""
        self.host.director.opened(self)

    def deliver(self, frame: MarketFrame) -> None:
        """Send a frame that concerns this socket."""
        if not self._concerned(frame):
            return
        director = self.host.director
        heard = director.hears(self, frame) if director.armed else frame
        if isinstance(heard, MarketFrame) and self._concerned(heard):
            self.send(heard.text)

    def _concerned(self, frame: MarketFrame) -> bool:
        if frame.kind in CUSTOM_KINDS and not self._custom:
            return False
        if frame.kind == "market_resolved" and not self._tokens:
            return True
        return not frame.tokens or not self._tokens.isdisjoint(frame.tokens)

    def _add(self, tokens: list[str], *, dump: bool) -> None:
        """Subscribe to the known ones among ``tokens`` and send their books in one array (5.1)."""
        exchange = self.host.exchange
        self.host.catch_up()
        fresh = [t for t in dict.fromkeys(tokens) if t not in self._tokens and t in exchange.by_token]
        self._tokens.update(fresh)
        director = self.host.director
        if director.armed:
            director.subscribed(self, fresh)
        if not dump or len(self._tokens) > DUMP_LIMIT:
            return
        books = [Dump(kind="book", tokens=(token,), text=text) for token in fresh if (text := self._first_book(token))]
        arriving = director.dump(self, books) if director.armed else [book.text for book in books]
        if arriving:
            self.send(f"[{','.join(arriving)}]")

    def _first_book(self, token: str) -> str:
        """A token's book as a subscription begins with it; empty when its market has none any more."""
        exchange = self.host.exchange
        market, outcome = exchange.by_token[token]
        if exchange.is_over(market):
            return ""
        return exchange.faces[market].socket_book(outcome, initial=True)


class UserChannel(WireChannel):
    """One socket on ``/ws/user``."""

    host: Host
    channel: Channel = "user"
    tokens: frozenset[str] = frozenset()

    def __init__(self, host: Host, socket: WebSocket) -> None:
        super().__init__(host, socket)
        self._who: Credentials | None = None
        self._markets: set[str] | None = None
        """None for all."""

    @property
    def owner(self) -> str:
        """The API key it belongs to; empty before the subscription."""
        return "" if self._who is None else self._who.api_key

    def opened(self) -> None:
        """Tell the director."""
        self.host.director.opened(self)

    def begin(self, message: dict[str, Any]) -> bool:
        """Take credentials and, if given, the markets; no markets means all."""
        auth = message.get("auth")
        if message.get("type") != "user" or not isinstance(auth, dict):
            return False
        fields = texts([auth.get(name) for name in ("apiKey", "secret", "passphrase")])
        if fields is None:
            return False
        director = self.host.director
        if not (director.armed and director.refuses_key(fields[0])):
            self._who = self.host.exchange.keys.check_socket(*fields)
        markets = texts(message.get("markets"))
        self._markets = set(markets) if markets else None
        self.subscribed = self._who is not None
        if self.subscribed and director.armed:
            director.subscribed(self, [])
        return self.subscribed

    def change(self, message: dict[str, Any]) -> bool:
        """Add or remove markets; adding to "all" changes nothing."""
        markets = texts(message.get("markets"))
        if markets is None:
            return False
        if message["operation"] == "unsubscribe":
            known = set(self.host.exchange.listings) if self._markets is None else self._markets
            self._markets = known.difference(markets)
        elif self._markets is not None:
            self._markets.update(markets)
        return True

    def deliver(self, frame: UserFrame) -> None:
        """Send a frame that belongs to this socket's key."""
        if self._who is None or frame.owner != self._who.api_key:
            return
        if self._markets is not None and frame.market not in self._markets:
            return
        director = self.host.director
        if not director.armed or director.hears(self, frame) is not None:
            self.send(frame.text)


AnyChannel = TypeVar("AnyChannel", MarketChannel, UserChannel)


class WireServer:
    """Both channels, and the handing out of frames to their sockets."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._market: set[MarketChannel] = set()
        self._user: set[UserChannel] = set()
        host.listen(self._deliver)

    def routes(self) -> list[WebSocketRoute]:
        """The socket routes."""
        return [WebSocketRoute("/ws/market", self._serve_market), WebSocketRoute("/ws/user", self._serve_user)]

    def _deliver(self, out: list[Frame]) -> None:
        for frame in out:
            if isinstance(frame, MarketFrame):
                for channel in self._market:
                    channel.deliver(frame)
            else:
                for listener in self._user:
                    listener.deliver(frame)

    async def _serve_market(self, socket: WebSocket) -> None:
        channel = MarketChannel(self._host, socket)
        await self._serve(channel, socket, self._market)

    async def _serve_user(self, socket: WebSocket) -> None:
        channel = UserChannel(self._host, socket)
        await self._serve(channel, socket, self._user)

    async def _serve(self, channel: AnyChannel, socket: WebSocket, group: set[AnyChannel]) -> None:
        director = self._host.director
        if director.armed and not director.admits(channel.channel):
            await socket.send_denial_response(Response("no new connections", status_code=503))
            return
        group.add(channel)
        try:
            await channel.serve()
        finally:
            group.discard(channel)
            director.closed(channel)


def texts(value: object) -> list[str] | None:
    """A list of texts; None when it is none."""
    if not isinstance(value, list):
        return None
    found = [item for item in value if isinstance(item, str)]
    return found if len(found) == len(value) else None
