"""Books and prices of the CLOB that anybody may read (polymarket-api.md 4.1).

An answer of another shape is refused whole; one entry that cannot be read is counted and left out.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from core.errors import VenueRefused
from core.events import RestBook, RestTouch
from core.venue.channel import receive_limit
from core.venue.http import answer_of, http_client, json_of
from core.venue.wire import UNREADABLE

ENTRIES_PER_REQUEST: Final = 500
"""Above it the venue answers 400 ``Payload exceeds the limit``."""
TOKENS_PER_PRICES: Final = ENTRIES_PER_REQUEST // 2
"""Two entries a token, one for each side."""
_PRICES_BYTES: Final = 2**20
"""Of an answer to POST /prices: about 120 bytes a token."""
_TIME_BYTES: Final = 4096
_NO_PRICE: Final = ("0", "1")
"""How the venue writes the price of an empty side, where it writes one (polymarket-api.md 5.2)."""

_book: Final = msgspec.json.Decoder(RestBook, strict=False)


class _Prices(msgspec.Struct):
    BUY: str = ""
    SELL: str = ""


_prices: Final = msgspec.json.Decoder(_Prices)


class PublicRest:
    """Reads that need no credentials."""

    def __init__(self, clob_url: str) -> None:
        self._client = http_client(clob_url, 5.0)
        self.malformed = 0
        """Books and prices that could not be read, or that nobody asked for."""

    async def books(self, tokens: Sequence[str]) -> list[RestBook]:
        """Full books (POST /books), in no order; of unknown tokens there is none.

        Raises:
            VenueUnavailable: the venue cannot be reached.
            VenueRefused: it answered with an error, or with something that is no list of objects.
        """
        books: list[RestBook] = []
        for n in range(0, len(tokens), ENTRIES_PER_REQUEST):
            asked = tokens[n : n + ENTRIES_PER_REQUEST]
            body = await self._post("/books", [{"token_id": token} for token in asked], receive_limit(len(asked)))
            missing = set(asked)
            for raw in json_of(body, "/books", list[msgspec.Raw]):
                try:
                    book = _book.decode(raw)
                except UNREADABLE:
                    self.malformed += 1
                    continue
                if book.asset_id in missing:
                    missing.remove(book.asset_id)
                    books.append(book)
                else:
                    self.malformed += 1
        return books

    async def touches(self, tokens: Sequence[str]) -> list[RestTouch]:
        """Best bid and ask of each token (POST /prices), in no order; of unknown tokens there is none.

        BUY tells the best bid and SELL the best ask (polymarket-api.md 4.1). A side without a price reads "".

        Raises:
            VenueUnavailable: the venue cannot be reached.
            VenueRefused: it answered with an error, or with something that is no object of objects.
        """
        touches: list[RestTouch] = []
        for n in range(0, len(tokens), TOKENS_PER_PRICES):
            asked = tokens[n : n + TOKENS_PER_PRICES]
            wanted = [{"token_id": token, "side": side} for token in asked for side in ("BUY", "SELL")]
            body = await self._post("/prices", wanted, _PRICES_BYTES)
            for token, raw in json_of(body, "/prices", dict[str, msgspec.Raw]).items():
                try:
                    prices = _prices.decode(raw)
                except UNREADABLE:
                    self.malformed += 1
                    continue
                if token in asked:
                    touches.append(RestTouch(token, _told(prices.BUY), _told(prices.SELL)))
                else:
                    self.malformed += 1
        return touches

    async def time(self) -> int:
        """The venue's clock, whole seconds since 1970 (GET /time, polymarket-api.md 4.1).

        Raises:
            VenueUnavailable: the venue cannot be reached.
            VenueRefused: it answered with an error, or with something that is no integer.
        """
        status, body = await answer_of(self._client, "GET", "/time", most_bytes=_TIME_BYTES)
        if status != 200:
            raise VenueRefused(f"/time: status {status}")
        seconds: int = json_of(body, "/time", int)
        return seconds

    async def _post(self, path: str, wanted: list[dict[str, str]], most_bytes: int) -> bytes:
        status, body = await answer_of(
            self._client,
            "POST",
            path,
            most_bytes=most_bytes,
            content=msgspec.json.encode(wanted),
            headers={"Content-Type": "application/json"},
        )
        if status != 200:
            raise VenueRefused(f"{path}: status {status}")
        return body

    async def close(self) -> None:
        """Release the connections."""
        await self._client.aclose()


def _told(price: str) -> str:
    return "" if price in _NO_PRICE else price
