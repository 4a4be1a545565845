"""Holds orders back at the last moment before their bytes leave, in the connections of the HTTP clients themselves.

A request may wait in a client for a connection, a handshake, a lock or the loop's next turn after all of ours has let
it pass. httpcore tells a request's ``trace`` extension directly before it writes headers and before it writes a body,
and a connection made through :func:`check_writes` asks once more in the very step that hands bytes to the socket.
Raising there stops the request, and its connection is let go of. Without its body no request is an order, so what is
stopped before is not placed for certain (reliability.md 4.6, I-8).
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import httpcore
import httpx

ORDER_PATHS: Final = frozenset({"/order", "/orders"})
"""POST to these creates orders (polymarket-api.md 2.5); cancels are DELETE and pass always."""
_HEADERS, _BODY = "send_request_headers.started", "send_request_body.started"
_OVER: Final = ("send_request_headers.failed", "send_request_body.complete", "send_request_body.failed")
"""How the names of httpcore's moments end, for HTTP/1.1 and HTTP/2."""


class OrdersStopped(Exception):
    """A request was not sent, or not to its end: the kill switch is pulled."""


class Held:
    """A request with orders on its way through a client."""

    __slots__ = ("is_begun", "on_stop")

    def __init__(self, on_stop: Callable[[bool], None]) -> None:
        """``on_stop`` hears that it was stopped, and whether that was before any of its body may have left."""
        self.on_stop = on_stop
        self.is_begun = False
        """Some of its body may have left."""


class Brake:
    """Stops the requests with orders of one client. All of an asynchronous client's work is on one loop."""

    def __init__(self, is_closed: Callable[[], bool]) -> None:
        """``is_closed``: the kill switch is pulled."""
        self._is_closed = is_closed
        self._queued = 0
        """Requests with orders over HTTP/2, of which a part may be queued: any other request's write takes it along."""

    def hold(self, request: httpx.Request, on_stop: Callable[[bool], None]) -> Held | None:
        """Let a request of a synchronous client be stopped, if it could create orders; None when it could not.

        Args:
            request: not sent yet; a request hook of the client has it.
            on_stop: as of :class:`Held`; told before the request ends with :class:`OrdersStopped`.
        """
        if not _creates_orders(request):
            return None
        held = Held(on_stop)

        def trace(moment: str, facts: Mapping[str, Any]) -> None:
            self._follow(moment, held)

        request.extensions["trace"] = trace
        return held

    def hold_async(self, request: httpx.Request, on_stop: Callable[[bool], None]) -> Held | None:
        """The same for a request of an asynchronous client."""
        if not _creates_orders(request):
            return None
        held = Held(on_stop)

        def trace(moment: str, facts: Mapping[str, Any]) -> Awaitable[None]:
            async def follow() -> None:
                self._follow(moment, held)

            return follow()

        request.extensions["trace"] = trace
        return held

    def look(self, held: Held | None) -> None:
        """Bytes are about to be handed to a socket.

        Args:
            held: the request with orders that writes them; None when it is another request.

        Raises:
            OrdersStopped: they may not leave.
        """
        if (held is not None or self._queued) and self._is_closed():
            if held is not None:
                held.on_stop(not held.is_begun)
            raise OrdersStopped("the kill switch is pulled")

    def _follow(self, moment: str, held: Held) -> None:
        is_shared = moment.startswith("http2.")
        if moment.endswith(_HEADERS):
            self.look(held)
            self._queued += is_shared
        elif moment.endswith(_BODY):
            try:
                self.look(held)
            except OrdersStopped:
                self._queued -= is_shared
                raise
            held.is_begun = True
        elif moment.endswith(_OVER):
            self._queued -= is_shared


def _creates_orders(request: httpx.Request) -> bool:
    return request.method == "POST" and request.url.path.rstrip("/") in ORDER_PATHS


async def check_writes(client: httpx.AsyncClient, look: Callable[[], None]) -> None:
    """Have a client's connections ask ``look`` in the step that hands bytes to the socket; those it has are closed.

    Raises:
        AttributeError: the client's inside is not the one known here.
    """
    pool = client._transport._pool  # type: ignore[attr-defined]
    pool._network_backend = _CheckedBackend(pool._network_backend, look)
    await pool.aclose()


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Makes connections as another one does, and has their writes checked."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend, look: Callable[[], None]) -> None:
        self._inner = inner
        self._look = look

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection; TLS, if any, is spoken above the check."""
        stream = await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        lowest: Any = stream._stream  # type: ignore[attr-defined]
        lowest._transport = _Checked(lowest._transport, self._look)
        return stream

    async def sleep(self, seconds: float) -> None:
        """As the other one."""
        await self._inner.sleep(seconds)


class _Checked:
    """A transport of asyncio's whose writes are checked.

    The layers above yield to the loop between httpcore's word that it writes and this.
    """

    def __init__(self, transport: Any, look: Callable[[], None]) -> None:
        self._transport = transport
        self._look = look

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Hand bytes to the socket, in the same step as the check."""
        self._look()
        self._transport.write(data)
