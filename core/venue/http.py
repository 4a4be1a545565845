"""Requests to the venue's HTTP services: what fails is named one way, and no answer is read without end."""

import asyncio
import functools
import ssl
from typing import Any, Final

import httpx
import msgspec

from core.errors import VenueRefused, VenueUnavailable
from core.venue.wire import UNREADABLE

MOST_BYTES: Final = 16 * 2**20
"""Bytes of the largest answer read; a page of 100 market objects has well under one MiB."""

DEADLINE_S: Final = 20.0
"""Longest that one answer may take in all; the client's own timeouts begin anew with every byte."""


def http_client(base_url: str, timeout_s: float) -> httpx.AsyncClient:
    """A client of one service; what the environment says of proxies is ignored (reliability.md 5, 18)."""
    return httpx.AsyncClient(
        base_url=base_url,
        timeout=timeout_s,
        headers={"User-Agent": "polymm-tui"},
        verify=_certificates(),
        trust_env=False,
    )


@functools.cache
def _certificates() -> ssl.SSLContext:
    """The authorities that are trusted: reading them takes 40 ms, and all clients trust the same."""
    return httpx.create_ssl_context()


async def answer_of(
    client: httpx.AsyncClient, method: str, path: str, *, where: str = "", most_bytes: int = MOST_BYTES, **request: Any
) -> tuple[int, bytes]:
    """Ask, and read the answer to its end.

    Args:
        client: of the service.
        method: GET or POST.
        path: below the service's address.
        where: what to call the place in errors; the path if empty.
        most_bytes: of the answer.
        request: anything else that httpx takes: params, headers, content.

    Returns:
        Status and body.

    Raises:
        VenueUnavailable: no answer came, or not all of it in time.
        VenueRefused: the answer is too long.
    """
    where = where or path
    body = bytearray()
    try:
        async with asyncio.timeout(DEADLINE_S), client.stream(method, path, **request) as answer:
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > most_bytes:
                    raise VenueRefused(f"{where}: the answer has more than {most_bytes} bytes")
            return answer.status_code, bytes(body)
    except (httpx.HTTPError, TimeoutError) as error:
        raise VenueUnavailable(f"{where}: {type(error).__name__}") from error


def json_of(body: bytes, where: str, shape: Any = Any) -> Any:
    """An answer's JSON.

    Raises:
        VenueRefused: it is not JSON, or of another shape: a proxy's page mostly, and no word of the venue.
    """
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise VenueRefused(f"{where}: the answer has another shape: {error}") from error
    except UNREADABLE as error:
        raise VenueRefused(f"{where}: the answer is not JSON") from error
