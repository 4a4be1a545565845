"""Requests to the venue's services end: by an answer, by its length, or by time."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from core.errors import VenueRefused, VenueUnavailable
from core.venue import http
from core.venue.http import answer_of, json_of


class Drip(httpx.AsyncByteStream):
    """A body that goes on for ever, one byte at a time."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.01)
            yield b"x"


def client_of(response: httpx.Response | Exception) -> httpx.AsyncClient:
    def answer(request: httpx.Request) -> httpx.Response:
        if isinstance(response, Exception):
            raise response
        return response

    return httpx.AsyncClient(base_url="http://venue", transport=httpx.MockTransport(answer))


async def test_an_answer_comes_as_it_is() -> None:
    async with client_of(httpx.Response(425, content=b"no")) as client:
        assert await answer_of(client, "GET", "/time") == (425, b"no")


async def test_an_answer_that_drips_has_no_end_and_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte starts the client's own timeout anew: a read would hold its lane for ever."""
    monkeypatch.setattr(http, "DEADLINE_S", 0.1)
    async with client_of(httpx.Response(200, stream=Drip())) as client:
        with pytest.raises(VenueUnavailable, match="/time: TimeoutError"):
            await answer_of(client, "GET", "/time")


async def test_an_answer_that_is_too_long_is_not_read() -> None:
    async with client_of(httpx.Response(200, stream=Drip())) as client:
        with pytest.raises(VenueRefused, match="more than 3 bytes"):
            await answer_of(client, "GET", "/time", most_bytes=3)


async def test_errors_of_the_client_do_not_quote_what_was_sent() -> None:
    """Its texts may hold headers, and those hold credentials."""
    broken = httpx.LocalProtocolError("Illegal header value b'passphrase '")
    async with client_of(broken) as client:
        with pytest.raises(VenueUnavailable) as caught:
            await answer_of(client, "GET", "/data/orders", where="orders")
    assert str(caught.value) == "orders: LocalProtocolError"


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"\xff"])
def test_a_page_is_no_word_of_the_venue(body: bytes) -> None:
    with pytest.raises(VenueRefused):
        json_of(body, "/books")
