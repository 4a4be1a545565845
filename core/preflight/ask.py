"""Asks services one thing and tells where a question was lost (:mod:`core.preflight.reach`)."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from core.clock import Clock
from core.errors import VenueError
from core.preflight.reach import Reached, lost
from core.preflight.run import in_thread
from core.venue.http import answer_of, http_client

NAME_SEC: Final = 5.0
"""Longest that finding a host's address may take."""
ANSWER_SEC: Final = 5.0
"""Longest that one answer may take, the connection included."""
_MOST_REASON: Final = 100
_MOST_BYTES: Final = 4 * 2**20
_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}


def place_of(url: str) -> str:
    """Host and port of an address, and nothing else of it: the rest may hold a key."""
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return f"{parts.hostname or 'no host'}:{port}"


class Asking:
    """Asks on connections of its own, one a service."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def get(self, base_url: str, path: str, **request: Any) -> Reached:
        """GET something; never raises."""
        return await self.send(base_url, "GET", path, **request)

    async def send(self, base_url: str, method: str, path: str, **request: Any) -> Reached:
        """Send a request and take its answer; never raises.

        Args:
            base_url: of the service.
            method: in capitals.
            path: below it; "" for the address itself, to which nothing is added.
            request: anything else that httpx takes.
        """
        place, began_s = place_of(base_url), self._clock.monotonic()
        try:
            async with asyncio.timeout(NAME_SEC):
                await _find(base_url)
            client = self._clients.setdefault(base_url, http_client(base_url, ANSWER_SEC))
            asked_s, asked_unix = self._clock.monotonic(), self._clock.unix()
            async with asyncio.timeout(ANSWER_SEC):
                status, body = await answer_of(client, method, path or base_url, most_bytes=_MOST_BYTES, **request)
        except (VenueError, OSError, ValueError, httpx.InvalidURL) as error:
            return lost(place, error, self._clock.monotonic() - began_s)
        took_s = self._clock.monotonic() - asked_s
        return Reached(kind="answer", place=place, status=status, body=body, seconds=took_s, asked_unix=asked_unix)

    async def listen(self, url: str, first_frame: bytes, is_enough: Callable[[str], bool]) -> Reached:
        """Open a socket, subscribe, and wait for what proves that it lives; never raises.

        Args:
            url: of the channel.
            first_frame: the subscription, which goes before the first PING (polymarket-api.md 5.1).
            is_enough: says of a text whether it does.
        """
        place, began_s = place_of(url), self._clock.monotonic()
        try:
            async with asyncio.timeout(NAME_SEC):
                await _find(url)
            async with asyncio.timeout(ANSWER_SEC):
                return await self._heard(url, place, first_frame, is_enough)
        except InvalidStatus as error:
            answer = error.response
            return Reached(kind="answer", place=place, status=answer.status_code, body=bytes(answer.body or b""))
        except ConnectionClosed as closed:
            if closed.rcvd is None:  # the connection was lost; nobody has closed the channel
                return Reached(kind="broken", place=place, detail="no close frame")
            words = f"{closed.rcvd.code} {closed.rcvd.reason}".strip()
            return Reached(kind="shut", place=place, detail=words[:_MOST_REASON])
        except (OSError, WebSocketException, ValueError) as error:
            return lost(place, error, self._clock.monotonic() - began_s)

    async def _heard(self, url: str, place: str, first_frame: bytes, is_enough: Callable[[str], bool]) -> Reached:
        began_s = self._clock.monotonic()
        async with connect(url, proxy=None, compression=None, ping_interval=None, close_timeout=1) as socket_:
            await socket_.send(first_frame.decode())
            await socket_.send("PING")
            while True:
                text = await socket_.recv(decode=True)
                assert isinstance(text, str)
                if is_enough(text):
                    took_s = self._clock.monotonic() - began_s
                    return Reached(kind="answer", place=place, status=200, body=b"{}", seconds=took_s)

    async def close(self) -> None:
        """Release the connections."""
        await asyncio.gather(*(client.aclose() for client in self._clients.values()), return_exceptions=True)


async def _find(url: str) -> None:
    """Find the address of a host in a thread that nobody waits for: a name server may be silent for long.

    Raises:
        OSError: there is none.
        ValueError: the address of the service names no host.
    """
    parts = urlsplit(url)
    host = parts.hostname
    if not host or parts.scheme not in _PORTS:
        raise ValueError("no address of a service")
    port = parts.port or _PORTS[parts.scheme]
    await in_thread(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
