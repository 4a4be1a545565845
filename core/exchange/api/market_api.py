"""CLOB REST, public part: books and prices, market parameters and lists, price history (polymarket-api.md 4.1)."""

from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.exchange import refusals
from core.exchange.api.book_api import BookApi, Place, is_token
from core.exchange.api.cursors import cursor_page
from core.exchange.api.gamma import LEGACY_FEE, REWARD_ASSET, tags_of
from core.exchange.api.host import Host, answer, refused
from core.exchange.api.marks import mark
from core.exchange.api.params import Asked, BadParam
from core.exchange.api.price_series import INTERVALS, MINUTE_S, least_step_s, series
from core.exchange.exchange import Exchange
from core.exchange.faults.verbs import VENUE_VERSION
from core.exchange.listing import Listing
from core.exchange.rewards import MIN_AGE_MS
from core.market.instrument import Instrument
from core.units import MICRO, OUTCOMES

PAGE: Final = 100
GEOBLOCK: Final = "/api/geoblock"
"""On the venue's web site, not the CLOB's host (polymarket-api.md 1)."""
_NAMES: Final = {"YES": "Yes", "NO": "No"}
_SIMPLE: Final = ("condition_id", "rewards", "tokens", "active", "closed", "archived", "accepting_orders")


class ExchangeShelf:
    """The books of an exchange; a market that is closed has none."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def face(self, token: str) -> Place | None:
        """A token's book; None when there is none now."""
        place = self._exchange.by_token.get(token)
        if place is None or self._exchange.is_over(place[0]):
            return None
        return self._exchange.faces[place[0]], place[1]

    def instrument(self, token: str) -> Instrument | None:
        """The market of a token; None for a stranger."""
        place = self._exchange.by_token.get(token)
        return None if place is None else self._exchange.faces[place[0]].instrument


class MarketApi:
    """Everything anybody may ask the CLOB."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._exchange = host.exchange
        self._books = BookApi(host, ExchangeShelf(host.exchange))

    def routes(self) -> list[Route]:
        """The routes of this part."""
        table = (
            ("/", self._ok),
            ("/ok", self._ok),
            ("/time", self._time),
            ("/version", self._version),
            (GEOBLOCK, self._geoblock),
            ("/fee-rate", self._fee_rate),
            ("/clob-markets/{market}", self._parameters),
            ("/markets", self._markets),
            ("/simplified-markets", self._simplified),
            ("/sampling-markets", self._sampling),
            ("/sampling-simplified-markets", self._sampling_simplified),
            ("/markets/{market}", self._market),
            ("/prices-history", self._prices_history),
        )
        own = [Route(path, self._host.public(handler), methods=["GET"]) for path, handler in table]
        return [*self._books.routes(), *own]

    def _ok(self, request: Request, body: bytes) -> Response:
        return answer("OK")

    def _time(self, request: Request, body: bytes) -> Response:
        return answer(self._host.now_ms() // 1000)

    def _version(self, request: Request, body: bytes) -> Response:
        return answer({"version": VENUE_VERSION})

    def _geoblock(self, request: Request, body: bytes) -> Response:
        """Whether orders are taken from where the caller is; nowhere is anybody blocked unless a fault says so."""
        return answer({"blocked": False, "ip": "203.0.113.7", "country": "CH", "region": "ZH"})

    def _fee_rate(self, request: Request, body: bytes) -> Response:
        """The legacy figure, which says nothing about the fee in force (polymarket-api.md 9.1)."""
        token = request.query_params.get("token_id", "")
        if not is_token(token):
            return refused(refusals.TOKEN)
        place = self._exchange.by_token.get(token)
        if place is None:
            return refused(refusals.NO_BOOK)
        return answer({"base_fee": LEGACY_FEE if self._exchange.listings[place[0]].plot.fee_bps else 0})

    def _parameters(self, request: Request, body: bytes) -> Response:
        listing = self._exchange.listings.get(request.path_params["market"])
        return refused(refusals.MARKET_NOT_FOUND) if listing is None else answer(self._short(listing))

    def _short(self, listing: Listing) -> dict[str, Any]:
        plot, phase = listing.plot, self._exchange.phase(listing.instrument.market)
        instrument = self._exchange.faces[listing.instrument.market].instrument
        age_s, legacy = MIN_AGE_MS // 1000, LEGACY_FEE if plot.fee_bps else 0
        parameters: dict[str, Any] = {
            "gst": _game_start(listing),
            "r": {"mi": plot.reward_size, "ma": plot.reward_cents, "e": plot.daily_reward > 0, "moas": age_s},
            "t": [{"t": instrument.token_of(outcome), "o": _NAMES[outcome]} for outcome in OUTCOMES],
            "c": instrument.market,
            "mos": float(instrument.min_size_text),
            "mts": float(instrument.tick_text),
            "mbf": legacy,
            "tbf": legacy,
            "ao": phase == "open",
            "cbos": True,
            "aot": _iso(listing.start_unix),
            "rfqe": False,
            "itode": plot.delay_ms > 0,
            "ibce": False,
            "oas": age_s,
            "v": plot.version,
        }
        if instrument.neg_risk:
            parameters["nr"] = True
        if plot.fee_bps:
            parameters["fd"] = {"r": plot.fee_bps / 10_000, "e": 1, "to": True}
        return parameters

    def _market(self, request: Request, body: bytes) -> Response:
        listing = self._exchange.listings.get(request.path_params["market"])
        return refused(refusals.MARKET_NOT_FOUND) if listing is None else answer(self._long(listing))

    def _long(self, listing: Listing) -> dict[str, Any]:
        """A market in the words of the CLOB's old lists."""
        plot, market = listing.plot, listing.instrument.market
        instrument, phase = self._exchange.faces[market].instrument, self._exchange.phase(market)
        result = self._exchange.results.get(market)
        closed, legacy = self._exchange.is_over(market), LEGACY_FEE if plot.fee_bps else 0
        rates = [{"asset_address": REWARD_ASSET, "rewards_daily_rate": plot.daily_reward}]
        tokens = [
            {
                "token_id": instrument.token_of(outcome),
                "outcome": _NAMES[outcome],
                "price": mark(self._exchange, market, outcome) / MICRO,
                "winner": result == outcome,
            }
            for outcome in OUTCOMES
        ]
        return {
            "enable_order_book": not closed,
            "active": True,
            "closed": closed,
            "archived": False,
            "accepting_orders": phase == "open",
            "accepting_order_timestamp": _iso(listing.start_unix),
            "minimum_order_size": float(instrument.min_size_text),
            "minimum_tick_size": float(instrument.tick_text),
            "condition_id": market,
            "question_id": listing.question_id,
            "question": plot.question,
            "description": "",
            "market_slug": listing.slug,
            "end_date_iso": _iso(listing.end_unix),
            "game_start_time": _game_start(listing),
            "seconds_delay": plot.delay_ms // 1000,
            "fpmm": "",
            "maker_base_fee": legacy,
            "taker_base_fee": legacy,
            "notifications_enabled": True,
            "neg_risk": instrument.neg_risk,
            "neg_risk_market_id": listing.neg_risk_market_id,
            "neg_risk_request_id": "",
            "icon": "",
            "image": "",
            "rewards": {
                "rates": rates if plot.daily_reward else None,
                "min_size": plot.reward_size,
                "max_spread": plot.reward_cents,
            },
            "is_50_50_outcome": result == "HALF",
            "tokens": tokens,
            "tags": [tag["label"] for tag in tags_of(listing)],
        }

    def _markets(self, request: Request, body: bytes) -> Response:
        return self._page(request, sampling=False, simple=False)

    def _simplified(self, request: Request, body: bytes) -> Response:
        return self._page(request, sampling=False, simple=True)

    def _sampling(self, request: Request, body: bytes) -> Response:
        return self._page(request, sampling=True, simple=False)

    def _sampling_simplified(self, request: Request, body: bytes) -> Response:
        return self._page(request, sampling=True, simple=True)

    def _page(self, request: Request, *, sampling: bool, simple: bool) -> Response:
        """One page of the old lists; ``sampling`` restricts them to open markets that pay rewards."""
        found = [
            each
            for market, each in self._exchange.listings.items()
            if not sampling or (each.plot.daily_reward and self._exchange.phase(market) == "open")
        ]
        try:
            return answer(
                cursor_page(
                    found, request.query_params.get("next_cursor", ""), PAGE, self._brief if simple else self._long
                )
            )
        except BadParam as error:
            return refused(str(error))

    def _brief(self, listing: Listing) -> dict[str, Any]:
        fields = self._long(listing)
        return {name: fields[name] for name in _SIMPLE}

    def _prices_history(self, request: Request, body: bytes) -> Response:
        try:
            return self._series(Asked(request.query_params))
        except BadParam as error:
            return refused(f"invalid filters: {error}")

    def _series(self, asked: Asked) -> Response:
        token, interval, now_s = asked.text("market"), asked.text("interval"), self._exchange.now_ms // 1000
        if not is_token(token):
            raise BadParam("'market' must be a token id")
        if interval and ("startTs" in asked or interval not in INTERVALS):
            raise BadParam("'interval' must be one of " + ", ".join(INTERVALS) + ", without 'startTs'")
        if not interval and "startTs" not in asked:
            raise BadParam("'interval' or 'startTs' must be given")
        least = least_step_s(interval) // MINUTE_S if interval else 1
        if asked.whole("fidelity", least, 1) < least:
            raise BadParam(f"minimum 'fidelity' for '{interval}' range is {least}")
        step_s = asked.whole("fidelity", least) * MINUTE_S
        reach_s = INTERVALS.get(interval)
        start_s = asked.whole("startTs", 0 if reach_s is None else now_s - reach_s)
        end_s = asked.whole("endTs", now_s)
        if start_s > end_s:
            raise BadParam("'startTs' must not be after 'endTs'")
        place = self._exchange.by_token.get(token)
        points = [] if place is None else series(self._exchange, *place, start_s, end_s, step_s)
        return answer({"history": [{"t": at_s, "p": price / MICRO} for at_s, price in points]})


def _game_start(listing: Listing) -> str | None:
    game = listing.instrument.game_start_unix
    return None if game is None else _iso(game)


def _iso(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
