"""CLOB REST, public part: books, prices and market parameters (polymarket-api.md 4.1), and the whole route table."""

from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.exchange import refusals
from core.exchange.api.host import Host, answer, refused
from core.exchange.face import Face
from core.units import Outcome, micro_text

BOOKS_LIMIT: Final = 500
"""Most tokens in one POST /books or /prices."""


class MarketApi:
    """Everything anybody may ask the CLOB."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._exchange = host.exchange

    def routes(self) -> list[Route]:
        """The routes of this part."""
        public = self._host.public
        table = (
            ("/", "GET", self._ok),
            ("/ok", "GET", self._ok),
            ("/time", "GET", self._time),
            ("/version", "GET", self._version),
            ("/book", "GET", self._book),
            ("/books", "POST", self._books),
            ("/price", "GET", self._price),
            ("/prices", "POST", self._prices),
            ("/prices", "GET", self._prices_listed),
            ("/midpoint", "GET", self._midpoint),
            ("/midpoints", "POST", self._midpoints),
            ("/spread", "GET", self._spread),
            ("/spreads", "POST", self._spreads),
            ("/last-trade-price", "GET", self._last_trade),
            ("/tick-size", "GET", self._tick_size),
            ("/neg-risk", "GET", self._neg_risk),
            ("/markets-by-token/{token}", "GET", self._by_token),
            ("/clob-markets/{market}", "GET", self._parameters),
        )
        return [Route(path, public(handler), methods=[method]) for path, method, handler in table]

    def _face(self, token: str) -> tuple[Face, Outcome] | None:
        place = self._exchange.by_token.get(token)
        return None if place is None else (self._exchange.faces[place[0]], place[1])

    def _asked(self, request: Request) -> tuple[Face, Outcome] | Response:
        token = request.query_params.get("token_id", "")
        if not token.isdecimal():
            return refused(refusals.TOKEN)
        return self._face(token) or refused(refusals.NO_BOOK)

    def _ok(self, request: Request, body: bytes) -> Response:
        return answer("OK")

    def _time(self, request: Request, body: bytes) -> Response:
        return answer(self._host.now_ms() // 1000)

    def _version(self, request: Request, body: bytes) -> Response:
        return answer({"version": 2})

    def _book(self, request: Request, body: bytes) -> Response:
        asked = self._asked(request)
        if isinstance(asked, Response):
            return asked
        return Response(asked[0].rest_book(asked[1]), media_type="application/json")

    def _books(self, request: Request, body: bytes) -> Response:
        asked = _asked_list(body)
        if isinstance(asked, Response):
            return asked
        found = [self._face(one.get("token_id", "")) for one in asked]
        texts = [place[0].rest_book(place[1]) for place in found if place is not None]
        return Response(f"[{','.join(texts)}]", media_type="application/json")

    def _price_of(self, face: Face, outcome: Outcome, side: str) -> str | None:
        """BUY gives the best bid, SELL the best ask, as a live probe of the venue found."""
        bid, ask = face.top(outcome)
        ticks = bid if side == "BUY" else ask
        return None if ticks is None else face.instrument.grid.text(ticks)

    def _price(self, request: Request, body: bytes) -> Response:
        asked = self._asked(request)
        if isinstance(asked, Response):
            return asked
        side = request.query_params.get("side", "").upper()
        if side not in ("BUY", "SELL"):
            return refused("Invalid side")
        return answer({"price": self._price_of(*asked, side) or "0"})

    def _price_map(self, wanted: list[dict[str, str]]) -> Response:
        prices: dict[str, dict[str, str]] = {}
        for one in wanted:
            token, side = one.get("token_id", ""), one.get("side", "")
            place = self._face(token)
            price = None if place is None else self._price_of(*place, side)
            if price is not None:
                prices.setdefault(token, {})[side] = price
        return answer(prices)

    def _prices(self, request: Request, body: bytes) -> Response:
        asked = _asked_list(body)
        return asked if isinstance(asked, Response) else self._price_map(asked)

    def _prices_listed(self, request: Request, body: bytes) -> Response:
        tokens = request.query_params.get("token_ids", "").split(",")
        sides = request.query_params.get("sides", "").split(",")
        if len(tokens) != len(sides) or len(tokens) > BOOKS_LIMIT:
            return refused(refusals.PAYLOAD)
        return self._price_map([{"token_id": t, "side": s} for t, s in zip(tokens, sides, strict=True)])

    @staticmethod
    def _mid_of(face: Face, outcome: Outcome) -> str | None:
        bid, ask = face.top(outcome)
        if bid is None or ask is None:
            return None
        return micro_text((bid + ask) * face.instrument.grid.tick_usd // 2)

    @staticmethod
    def _spread_of(face: Face, outcome: Outcome) -> str | None:
        bid, ask = face.top(outcome)
        return None if bid is None or ask is None else face.instrument.grid.text(ask - bid)

    def _midpoint(self, request: Request, body: bytes) -> Response:
        asked = self._asked(request)
        if isinstance(asked, Response):
            return asked
        mid = self._mid_of(*asked)
        return refused(refusals.NO_BOOK) if mid is None else answer({"mid": mid})

    def _spread(self, request: Request, body: bytes) -> Response:
        asked = self._asked(request)
        if isinstance(asked, Response):
            return asked
        spread = self._spread_of(*asked)
        return refused(refusals.NO_BOOK) if spread is None else answer({"spread": spread})

    def _midpoints(self, request: Request, body: bytes) -> Response:
        asked = _asked_list(body)
        if isinstance(asked, Response):
            return asked
        places = {one.get("token_id", ""): self._face(one.get("token_id", "")) for one in asked}
        values = {token: self._mid_of(*place) for token, place in places.items() if place is not None}
        return answer({token: value for token, value in values.items() if value is not None})

    def _spreads(self, request: Request, body: bytes) -> Response:
        asked = _asked_list(body)
        if isinstance(asked, Response):
            return asked
        places = {one.get("token_id", ""): self._face(one.get("token_id", "")) for one in asked}
        values = {token: self._spread_of(*place) for token, place in places.items() if place is not None}
        return answer({token: value for token, value in values.items() if value is not None})

    def _last_trade(self, request: Request, body: bytes) -> Response:
        asked = self._asked(request)
        if isinstance(asked, Response):
            return asked
        return answer({"price": asked[0].last_trade_price, "side": asked[0].last_trade_side})

    def _tick_size(self, request: Request, body: bytes) -> Response:
        asked = self._asked(request)
        if isinstance(asked, Response):
            return asked
        return answer({"minimum_tick_size": float(asked[0].instrument.tick_text)})

    def _neg_risk(self, request: Request, body: bytes) -> Response:
        asked = self._asked(request)
        if isinstance(asked, Response):
            return asked
        return answer({"neg_risk": asked[0].instrument.neg_risk})

    def _by_token(self, request: Request, body: bytes) -> Response:
        place = self._face(request.path_params["token"])
        if place is None:
            return refused(refusals.MARKET_NOT_FOUND)
        instrument = place[0].instrument
        return answer(
            {
                "condition_id": instrument.market,
                "primary_token_id": instrument.yes_token,
                "secondary_token_id": instrument.no_token,
            }
        )

    def _parameters(self, request: Request, body: bytes) -> Response:
        listing = self._exchange.listings.get(request.path_params["market"])
        if listing is None:
            return refused(refusals.MARKET_NOT_FOUND)
        instrument, plot = listing.instrument, listing.plot
        parameters: dict[str, Any] = {
            "c": instrument.market,
            "t": [{"t": instrument.yes_token, "o": "Yes"}, {"t": instrument.no_token, "o": "No"}],
            "mts": float(instrument.tick_text),
            "mos": float(instrument.min_size_text),
            "ao": True,
            "cbos": True,
            "r": {"mi": plot.reward_size, "ma": plot.reward_cents, "e": True, "moas": 4},
            "mbf": 0,
            "tbf": 0,
            "itode": False,
            "v": "v1",
        }
        if instrument.neg_risk:
            parameters["nr"] = True
        if plot.fee_bps:
            parameters["fd"] = {"r": plot.fee_bps / 10_000, "e": 1, "to": True}
        return answer(parameters)


def _asked_list(body: bytes) -> list[dict[str, str]] | Response:
    try:
        asked = msgspec.json.decode(body, type=list[dict[str, str]])
    except msgspec.DecodeError:
        return refused(refusals.PAYLOAD)
    return asked if len(asked) <= BOOKS_LIMIT else refused(refusals.LIMIT)
