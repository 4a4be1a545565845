"""What faults do to a TCP connection itself; ASGI does not show it, so the HTTP protocol hands it on."""

import asyncio
import socket
import struct
from collections.abc import MutableMapping
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_TRANSPORT: Final = "transport"
_LINGER_0: Final = struct.pack("ii", 1, 0)
"""Close with a reset instead of an orderly end."""


class OpenHttp(H11Protocol):
    """The server's HTTP protocol; every scope's ``state`` holds its connection (a WebSocket's too)."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note the connection."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _TRANSPORT: transport}


def _transport(scope: MutableMapping[str, Any]) -> asyncio.Transport:
    transport: asyncio.Transport = scope["state"][_TRANSPORT]
    return transport


def reset(scope: MutableMapping[str, Any]) -> None:
    """End the connection of a scope with a TCP reset."""
    transport = _transport(scope)
    raw = transport.get_extra_info("socket")
    if raw is not None and not transport.is_closing():
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
    transport.abort()


def silence(scope: MutableMapping[str, Any]) -> None:
    """Read no more from the connection of a WebSocket and send it no keep-alive either."""
    transport = _transport(scope)
    if not transport.is_closing():
        transport.pause_reading()
    protocol = transport.get_protocol()
    if isinstance(protocol, WebSocketsSansIOProtocol):
        protocol.stop_keepalive()


class Lost(Response):
    """No answer: the connection hangs until the client gives up, or is reset at once."""

    def __init__(self, *, cut: bool) -> None:
        super().__init__()
        self._cut = cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the end of the connection."""
        if self._cut:
            reset(scope)
        while (await receive())["type"] != "http.disconnect":
            pass
