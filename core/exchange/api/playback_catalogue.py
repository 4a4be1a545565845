"""The markets of a recording as Gamma and the CLOB describe them (polymarket-api.md 4.1, 7).

A Gamma file's objects are served as they are, except for the flags of a market's state, which are those of the present
position: the file may be younger than the recording. Without one a market is described by what the recording tells and
nothing else: no volumes, no end, its condition id for a name, and for an id its number in order of appearance.
"""

import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.exchange import refusals
from core.exchange.api.gamma_api import GAMMA
from core.exchange.api.gamma_query import chosen, keyset_page, offset_page
from core.exchange.api.host import Hub, answer, refused
from core.exchange.api.params import Asked, BadParam
from core.exchange.playback import Playback, PlayedMarket

_OUTCOMES: Final = ["Outcome 1", "Outcome 2"]
"""A recording does not tell their names."""


class PlaybackCatalogue:
    """Market metadata."""

    def __init__(self, hub: Hub, playback: Playback, gamma: dict[str, dict[str, Any]]) -> None:
        self._hub = hub
        self._playback = playback
        self._gamma = gamma

    def routes(self) -> list[Route]:
        """The routes of this part."""
        table = (
            ("/clob-markets/{market}", self._parameters),
            (f"{GAMMA}/markets", self._markets),
            (f"{GAMMA}/markets/keyset", self._markets),
        )
        return [Route(path, self._hub.public(handler), methods=["GET"]) for path, handler in table]

    def _markets(self, request: Request, body: bytes) -> Response:
        asked = Asked(request.query_params)
        try:
            found = chosen(self._described(asked.repeated("clob_token_ids")), asked)
            keyset = request.url.path.endswith("/keyset")
            return answer(keyset_page(found, asked, "markets") if keyset else offset_page(found, asked))
        except BadParam as error:
            return answer({"type": "validation error", "error": str(error)}, 422)

    def _described(self, tokens: frozenset[str]) -> list[dict[str, Any]]:
        """The Gamma objects of all markets both of whose tokens are known, or of those with one of ``tokens``."""
        found = []
        for number, played in enumerate(self._playback.markets.values(), 1):
            held = {played.instrument.yes_token, played.instrument.no_token}
            if "" not in held and (not tokens or tokens & held):
                found.append({"id": str(number)} | self._given(played) | _state(played))
        return found

    def _given(self, played: PlayedMarket) -> dict[str, Any]:
        """What is known of a market for the whole recording."""
        instrument = played.instrument
        return self._gamma.get(instrument.market) or {
            "question": instrument.title,
            "conditionId": instrument.market,
            "slug": instrument.market,
            "outcomes": json.dumps(_OUTCOMES),
            "clobTokenIds": json.dumps([instrument.yes_token, instrument.no_token]),
            "negRisk": instrument.neg_risk,
            "orderPriceMinTickSize": float(instrument.tick_text),
            "orderMinSize": float(instrument.min_size_text),
        }

    def _parameters(self, request: Request, body: bytes) -> Response:
        played = self._playback.markets.get(request.path_params["market"])
        if played is None:
            return refused(refusals.MARKET_NOT_FOUND)
        instrument, given = played.instrument, self._given(played)
        tokens, names = (_list(given[name]) for name in ("clobTokenIds", "outcomes"))
        parameters: dict[str, Any] = {
            "c": instrument.market,
            "t": [{"t": token, "o": name} for token, name in zip(tokens, names, strict=True)],
            "mts": float(instrument.tick_text),
            "mos": float(instrument.min_size_text),
            "ao": not played.resolved,
        }
        if instrument.neg_risk:
            parameters["nr"] = True
        fee = given.get("feeSchedule")
        if given.get("feesEnabled") and isinstance(fee, dict):
            parameters["fd"] = {"r": fee.get("rate"), "e": fee.get("exponent"), "to": fee.get("takerOnly")}
        if given.get("rewardsMinSize"):
            parameters["r"] = {"mi": given["rewardsMinSize"], "ma": given.get("rewardsMaxSpread"), "e": True}
        return answer(parameters)


def _state(played: PlayedMarket) -> dict[str, Any]:
    """Whether a market is open at the present position."""
    return {
        "active": True,
        "closed": bool(played.resolved),
        "archived": False,
        "acceptingOrders": not played.resolved,
        "enableOrderBook": True,
        "umaResolutionStatus": "resolved" if played.resolved else "",
    }


def _list(value: Any) -> list[str]:
    """A list, or one that Gamma writes as JSON text inside a string."""
    return json.loads(value) if isinstance(value, str) else list(value)
