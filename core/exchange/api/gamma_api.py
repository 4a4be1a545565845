"""Gamma: the catalogue of markets and events (polymarket-api.md 7)."""

from collections.abc import Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.exchange.api.gamma import Describer, tags_of
from core.exchange.api.gamma_query import PAGE_MOST, Thing, chosen, keyset_page, offset_page
from core.exchange.api.host import Handler, Host, answer
from core.exchange.api.params import Asked, BadParam
from core.exchange.listing import Listing

GAMMA: Final = "/gamma"
"""Where the service stands on the exchange's one port."""
_KEYSET_IGNORES: Final = ("active", "archived")
_SUNSET: Final = "Fri, 01 May 2026 00:00:00 GMT"
_PER_TYPE: Final = 5

_Answerer = Callable[[Request, Asked], Response]


class GammaApi:
    """Lists, single objects and the text search. Nothing is cached: what is told is how things stand now."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._exchange = host.exchange
        self._describer = Describer(host.exchange)

    def routes(self) -> list[Route]:
        """The routes of this part."""
        table: tuple[tuple[str, _Answerer], ...] = (
            ("/markets", self._markets),
            ("/markets/keyset", self._markets_keyset),
            ("/markets/slug/{slug}", self._market_by_slug),
            ("/markets/{gamma_id}", self._market_by_id),
            ("/events", self._events),
            ("/events/keyset", self._events_keyset),
            ("/events/slug/{slug}", self._event_by_slug),
            ("/events/{event_id}", self._event_by_id),
            ("/public-search", self._search),
        )
        return [Route(GAMMA + path, self._guarded(answerer), methods=["GET"]) for path, answerer in table]

    def _guarded(self, answerer: _Answerer) -> Handler:
        def handle(request: Request, body: bytes) -> Response:
            try:
                return answerer(request, Asked(request.query_params))
            except BadParam as error:
                return answer({"type": "validation error", "error": str(error)}, 422)

        return self._host.public(handle)

    def _markets(self, request: Request, asked: Asked) -> Response:
        return _deprecated(offset_page(chosen(self._wanted_markets(asked), asked), asked))

    def _markets_keyset(self, request: Request, asked: Asked) -> Response:
        found = chosen(self._wanted_markets(asked), asked, ignored=_KEYSET_IGNORES)
        return answer(keyset_page(found, asked, "markets"))

    def _wanted_markets(self, asked: Asked) -> list[Thing]:
        """Descriptions of the markets that have the tokens and tags asked for."""
        tokens, positions = asked.repeated("clob_token_ids"), asked.repeated("position_ids")
        include_tag = asked.flag("include_tag") is True
        found = []
        for listing in self._exchange.listings.values():
            held = {listing.instrument.yes_token, listing.instrument.no_token}
            fits = not tokens or bool(tokens & held)
            fits = fits and (not positions or (listing.plot.version == "v2" and bool(positions & held)))
            if fits and _tagged(listing, asked):
                found.append(self._describer.market(listing, tags=include_tag))
        return found

    def _market_by_id(self, request: Request, asked: Asked) -> Response:
        return self._single_market("gamma_id", request.path_params["gamma_id"], asked)

    def _market_by_slug(self, request: Request, asked: Asked) -> Response:
        return self._single_market("slug", request.path_params["slug"], asked)

    def _single_market(self, field: str, value: str, asked: Asked) -> Response:
        include_tag = asked.flag("include_tag") is True
        for each in self._exchange.listings.values():
            if getattr(each, field) == value:
                return answer(self._describer.market(each, tags=include_tag))
        return _missing(field)

    def _events(self, request: Request, asked: Asked) -> Response:
        """Without ``closed`` only the closed ones, once there are any, as the venue was found to do."""
        found = chosen(self._wanted_events(asked), asked)
        if "closed" not in asked:
            found = [each for each in found if each["closed"]] or found
        return _deprecated(offset_page(found, asked))

    def _events_keyset(self, request: Request, asked: Asked) -> Response:
        found = chosen(self._wanted_events(asked), asked, ignored=_KEYSET_IGNORES)
        return answer(keyset_page(found, asked, "events"))

    def _wanted_events(self, asked: Asked) -> list[Thing]:
        title = asked.text("title_search").lower()
        families = self._describer.families().values()
        return [
            self._describer.event(family)
            for family in families
            if title in family[0].event_title.lower() and _tagged(family[0], asked)
        ]

    def _event_by_id(self, request: Request, asked: Asked) -> Response:
        return self._single_event("event_id", request.path_params["event_id"])

    def _event_by_slug(self, request: Request, asked: Asked) -> Response:
        return self._single_event("event_slug", request.path_params["slug"])

    def _single_event(self, field: str, value: str) -> Response:
        for family in self._describer.families().values():
            if getattr(family[0], field) == value:
                return answer(self._describer.event(family))
        return _missing(field)

    def _search(self, request: Request, asked: Asked) -> Response:
        """Events of which title, questions and category together have every word asked for."""
        words = asked.text("q").lower().split()
        if not words:
            raise BadParam("q is required")
        status = asked.choice("events_status", ("ACTIVE", "CLOSED", "ALL"))
        limit = max(1, min(PAGE_MOST, asked.whole("limit_per_type", _PER_TYPE)))
        page = asked.whole("page", 1, least=1)
        found = []
        for family in self._describer.families().values():
            text = " ".join((family[0].event_title, family[0].plot.category, *(each.plot.question for each in family)))
            if all(word in text.lower() for word in words):
                found.append(self._describer.event(family))
        if status in ("ACTIVE", "CLOSED"):
            found = [each for each in found if each["closed"] is (status == "CLOSED")]
        start = (page - 1) * limit
        pagination = {"hasMore": start + limit < len(found), "totalResults": len(found)}
        return answer(
            {"events": found[start : start + limit], "tags": [], "profiles": [], "pagination": pagination},
        )


def _tagged(listing: Listing, asked: Asked) -> bool:
    tags = tags_of(listing)
    ids, slugs = {tag["id"] for tag in tags}, {tag["slug"] for tag in tags}
    wanted, unwanted, slug = asked.repeated("tag_id"), asked.repeated("exclude_tag_id"), asked.text("tag_slug")
    return (not wanted or bool(wanted & ids)) and not unwanted & ids and (not slug or slug in slugs)


def _missing(field: str) -> Response:
    what = "slug" if field.endswith("slug") else "id"
    return answer({"type": "not found error", "error": f"{what} not found"}, 404)


def _deprecated(body: Any) -> Response:
    response = answer(body)
    response.headers["sunset"] = _SUNSET
    return response
