"""CLOB REST, what anybody may ask about a token's book (polymarket-api.md 4.1), wherever the books come from."""

from collections.abc import Callable
from typing import Final, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.exchange import refusals
from core.exchange.api.host import Hub, answer, refused
from core.exchange.face import Face
from core.market.instrument import Instrument
from core.units import Outcome, micro_text

BOOKS_LIMIT: Final = 500
"""Most tokens in one request."""
PAYLOAD: Final = "Invalid payload"
SIDE: Final = "Invalid side"
_SIDES: Final = ("BUY", "SELL")
_TOKEN_LONGEST: Final = 78
"""Digits of the largest uint256."""

Place = tuple[Face, Outcome]
"""A market's book and which of its tokens is meant."""


class Shelf(Protocol):
    """Where the books are."""

    def face(self, token: str) -> Place | None:
        """A token's book; None when there is none now."""
        ...

    def instrument(self, token: str) -> Instrument | None:
        """The market of a token; None for a stranger."""
        ...


class BookApi:
    """Books and the prices read off them."""

    def __init__(self, hub: Hub, shelf: Shelf) -> None:
        self._hub = hub
        self._shelf = shelf

    def routes(self) -> list[Route]:
        """The routes of this part."""
        table = (
            ("/book", "GET", self._book),
            ("/books", "GET", self._books_gotten),
            ("/books", "POST", self._books),
            ("/price", "GET", self._price),
            ("/prices", "POST", self._prices),
            ("/prices", "GET", self._prices_listed),
            ("/midpoint", "GET", self._midpoint),
            ("/midpoints", "POST", self._midpoints),
            ("/spread", "GET", self._spread),
            ("/spreads", "POST", self._spreads),
            ("/last-trade-price", "GET", self._last_trade),
            ("/last-trades-prices", "POST", self._last_trades),
            ("/tick-size", "GET", self._tick_size),
            ("/neg-risk", "GET", self._neg_risk),
            ("/markets-by-token/{token}", "GET", self._by_token),
        )
        return [Route(path, self._hub.public(handler), methods=[method]) for path, method, handler in table]

    def _book(self, request: Request, body: bytes) -> Response:
        asked = self._asked(request)
        if isinstance(asked, Response):
            return asked
        return Response(asked[0].rest_book(asked[1]), media_type="application/json")

    def _books_gotten(self, request: Request, body: bytes) -> Response:
        """Documented, and refused all the same (polymarket-api.md 4.1)."""
        return refused(PAYLOAD)

    def _books(self, request: Request, body: bytes) -> Response:
        """Books in another order than asked for: a client has to look at ``asset_id``."""
        asked = asked_list(body)
        if isinstance(asked, Response):
            return asked
        texts = [face.rest_book(outcome) for face, outcome in reversed(self._found(asked).values())]
        return Response(f"[{','.join(texts)}]", media_type="application/json")

    def _price(self, request: Request, body: bytes) -> Response:
        asked = self._asked(request)
        if isinstance(asked, Response):
            return asked
        side = request.query_params.get("side", "").upper()
        if side not in _SIDES:
            return refused(SIDE)
        return answer({"price": price_of(asked, side) or "0"})

    def _prices(self, request: Request, body: bytes) -> Response:
        asked = asked_list(body)
        return asked if isinstance(asked, Response) else self._price_map(asked)

    def _prices_listed(self, request: Request, body: bytes) -> Response:
        tokens = request.query_params.get("token_ids", "").split(",")
        sides = request.query_params.get("sides", "").split(",")
        if len(tokens) != len(sides) or "" in tokens:
            return refused(PAYLOAD)
        if len(tokens) > BOOKS_LIMIT:
            return refused(refusals.LIMIT)
        return self._price_map([{"token_id": t, "side": s} for t, s in zip(tokens, sides, strict=True)])

    def _price_map(self, wanted: list[dict[str, str]]) -> Response:
        if any(one.get("side", "").upper() not in _SIDES for one in wanted):
            return refused(SIDE)
        prices: dict[str, dict[str, str]] = {}
        found = self._found(wanted)
        for one in wanted:
            token, side = one["token_id"], one["side"].upper()
            price = price_of(found[token], side) if token in found else None
            if price is not None:
                prices.setdefault(token, {})[side] = price
        return answer(prices)

    def _midpoint(self, request: Request, body: bytes) -> Response:
        return self._single(request, "mid", midpoint_of)

    def _midpoints(self, request: Request, body: bytes) -> Response:
        return self._map(body, midpoint_of)

    def _spread(self, request: Request, body: bytes) -> Response:
        return self._single(request, "spread", spread_of)

    def _spreads(self, request: Request, body: bytes) -> Response:
        return self._map(body, spread_of)

    def _last_trade(self, request: Request, body: bytes) -> Response:
        asked = self._asked(request)
        return asked if isinstance(asked, Response) else answer(last_trade_of(asked))

    def _last_trades(self, request: Request, body: bytes) -> Response:
        """The last trades of tokens whose market has ever traded."""
        asked = asked_list(body)
        if isinstance(asked, Response):
            return asked
        traded = {token: last_trade_of(place) for token, place in self._found(asked).items()}
        return answer([{"token_id": token} | last for token, last in traded.items() if last["side"]])

    def _tick_size(self, request: Request, body: bytes) -> Response:
        asked = self._asked_market(request)
        if isinstance(asked, Response):
            return asked
        return answer({"minimum_tick_size": float(asked.tick_text)})

    def _neg_risk(self, request: Request, body: bytes) -> Response:
        asked = self._asked_market(request)
        if isinstance(asked, Response):
            return asked
        return answer({"neg_risk": asked.neg_risk})

    def _by_token(self, request: Request, body: bytes) -> Response:
        instrument = self._shelf.instrument(request.path_params["token"])
        if instrument is None:
            return refused(refusals.MARKET_NOT_FOUND)
        return answer(
            {
                "condition_id": instrument.market,
                "primary_token_id": instrument.yes_token,
                "secondary_token_id": instrument.no_token,
            }
        )

    def _asked(self, request: Request) -> Place | Response:
        token = request.query_params.get("token_id", "")
        if not is_token(token):
            return refused(refusals.TOKEN)
        return self._shelf.face(token) or refused(refusals.NO_BOOK)

    def _asked_market(self, request: Request) -> Instrument | Response:
        token = request.query_params.get("token_id", "")
        if not is_token(token):
            return refused(refusals.TOKEN)
        return self._shelf.instrument(token) or refused(refusals.NO_BOOK)

    def _found(self, asked: list[dict[str, str]]) -> dict[str, Place]:
        """Books of the tokens that have one; the others are silently missing (polymarket-api.md 4.1)."""
        places = {token: self._shelf.face(token) for token in dict.fromkeys(one["token_id"] for one in asked)}
        return {token: place for token, place in places.items() if place is not None}

    def _single(self, request: Request, name: str, value_of: Callable[[Place], str | None]) -> Response:
        asked = self._asked(request)
        if isinstance(asked, Response):
            return asked
        value = value_of(asked)
        return refused(refusals.NO_BOOK) if value is None else answer({name: value})

    def _map(self, body: bytes, value_of: Callable[[Place], str | None]) -> Response:
        asked = asked_list(body)
        if isinstance(asked, Response):
            return asked
        values = {token: value_of(place) for token, place in self._found(asked).items()}
        return answer({token: value for token, value in values.items() if value is not None})


def is_token(text: str) -> bool:
    """Whether a text could be a token id: a uint256 in decimals."""
    return text.isascii() and text.isdigit() and len(text) <= _TOKEN_LONGEST


def last_trade_of(place: Place) -> dict[str, str]:
    """Price and side of a market's last trade, or the venue's stand-ins when it never traded."""
    face, _ = place
    if not face.last_trade_side:
        return {"price": "0.5", "side": ""}
    return {"price": face.last_trade_price, "side": face.last_trade_side}


def price_of(place: Place, side: str) -> str | None:
    """BUY gives the best bid, SELL the best ask, as a live probe of the venue found; None for an empty side."""
    face, outcome = place
    bid, ask = face.top(outcome)
    ticks = bid if side == "BUY" else ask
    return None if ticks is None else face.instrument.grid.text(ticks)


def midpoint_of(place: Place) -> str | None:
    """Halfway between best bid and ask; None when a side is empty."""
    face, outcome = place
    bid, ask = face.top(outcome)
    if bid is None or ask is None:
        return None
    return micro_text((bid + ask) * face.instrument.grid.tick_usd // 2)


def spread_of(place: Place) -> str | None:
    """Best ask less best bid; None when a side is empty."""
    face, outcome = place
    bid, ask = face.top(outcome)
    return None if bid is None or ask is None else face.instrument.grid.text(ask - bid)


def asked_list(body: bytes) -> list[dict[str, str]] | Response:
    """The objects of a request for many tokens, or the refusal."""
    try:
        asked = msgspec.json.decode(body, type=list[dict[str, str]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return refused(PAYLOAD)
    if len(asked) > BOOKS_LIMIT:
        return refused(refusals.LIMIT)
    return refused(PAYLOAD) if any("token_id" not in one for one in asked) else asked
