"""Gamma, the Data API, and what little of relayer and RPC a client asks at the start (polymarket-api.md 7, 8, 11)."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.exchange.api.gamma import describe
from core.exchange.api.host import Host, answer, refused
from core.exchange.ledger import Account
from core.exchange.listing import Listing
from core.units import MICRO, Outcome

GAMMA: Final = "/gamma"
DATA: Final = "/data-api"
RELAYER: Final = "/relayer"
RPC: Final = "/rpc"
_PAGE_MOST: Final = 100
_PAGE_USUAL: Final = 20
_OFFSET_MOST: Final = 2_000
_OUTCOMES: Final[tuple[Outcome, Outcome]] = ("YES", "NO")


class Catalogue:
    """Market metadata and positions."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._exchange = host.exchange

    def routes(self) -> list[Route]:
        """The routes of this part; each service has a path of its own on the one port."""
        public = self._host.public
        return [
            Route(f"{GAMMA}/markets", public(self._markets), methods=["GET"]),
            Route(f"{GAMMA}/markets/keyset", public(self._keyset), methods=["GET"]),
            Route(f"{GAMMA}/markets/slug/{{slug}}", public(self._by_slug), methods=["GET"]),
            Route(f"{GAMMA}/markets/{{gamma_id}}", public(self._by_id), methods=["GET"]),
            Route(f"{DATA}/positions", public(self._positions), methods=["GET"]),
            Route(f"{RELAYER}/deployed", public(self._deployed), methods=["GET"]),
            Route(RPC, public(self._rpc), methods=["POST"]),
        ]

    def _matching(self, request: Request) -> list[Listing]:
        params = request.query_params
        found = list(self._exchange.listings.values())
        if params.get("closed") == "true":
            return []
        wanted = set(params.getlist("condition_ids"))
        if wanted:
            found = [each for each in found if each.instrument.market in wanted]
        tokens = set(params.getlist("clob_token_ids"))
        if tokens:
            found = [each for each in found if tokens & {each.instrument.yes_token, each.instrument.no_token}]
        for name, field in (("id", "gamma_id"), ("slug", "slug")):
            chosen = set(params.getlist(name))
            if chosen:
                found = [each for each in found if getattr(each, field) in chosen]
        return found

    def _markets(self, request: Request, body: bytes) -> Response:
        try:
            limit = min(_PAGE_MOST, int(request.query_params.get("limit", _PAGE_USUAL)))
            offset = int(request.query_params.get("offset", 0))
        except ValueError:
            return answer({"type": "validation error", "error": "limit and offset must be numbers"}, 422)
        if not 0 <= offset <= _OFFSET_MOST or limit < 0:
            return answer({"type": "validation error", "error": "offset is out of range"}, 422)
        return answer([self._market(each) for each in self._matching(request)[offset : offset + limit]])

    def _keyset(self, request: Request, body: bytes) -> Response:
        params = request.query_params
        try:
            limit = max(1, min(_PAGE_MOST, int(params.get("limit", _PAGE_USUAL))))
            start = int(params.get("after_cursor", "0"))
        except ValueError:
            return answer({"type": "validation error", "error": "invalid cursor or limit"}, 422)
        if "offset" in params:
            return answer({"type": "validation error", "error": "offset is not supported"}, 422)
        found = self._matching(request)
        page: dict[str, Any] = {"markets": [self._market(each) for each in found[start : start + limit]]}
        if start + limit < len(found):
            page["next_cursor"] = str(start + limit)
        return answer(page)

    def _by_id(self, request: Request, body: bytes) -> Response:
        return self._single("gamma_id", request.path_params["gamma_id"])

    def _by_slug(self, request: Request, body: bytes) -> Response:
        return self._single("slug", request.path_params["slug"])

    def _single(self, field: str, value: str) -> Response:
        for each in self._exchange.listings.values():
            if getattr(each, field) == value:
                return answer(self._market(each))
        return answer({"type": "not found error", "error": "id not found"}, 404)

    def _market(self, listing: Listing) -> dict[str, Any]:
        market = listing.instrument.market
        return describe(listing, self._exchange.faces[market], self._exchange.traded[market] / MICRO)

    def _positions(self, request: Request, body: bytes) -> Response:
        params = request.query_params
        account = self._exchange.ledger.accounts.get(params.get("user", "").lower())
        if account is None:
            return answer([])
        wanted = set(params.get("market", "").split(",")) - {""}
        rows = [self._position(account, each) for each in self._exchange.listings.values()]
        flat = [row for group in rows for row in group]
        return answer([row for row in flat if not wanted or row["conditionId"] in wanted])

    def _position(self, account: Account, listing: Listing) -> list[dict[str, Any]]:
        """An account's settled tokens of one market, in the v1 shape (polymarket-api.md 8).

        Costs are not kept here: the average price is the present one and profits read zero.
        """
        instrument = listing.instrument
        bid, ask = self._exchange.faces[instrument.market].top("YES")
        mid = instrument.grid.dollars((bid or 0) + (instrument.grid.k if ask is None else ask)) / 2
        rows = []
        for index, outcome in enumerate(_OUTCOMES):
            size = account.tokens.get((instrument.market, outcome), 0) / MICRO
            price = round(mid if outcome == "YES" else 1 - mid, 6)
            if size:
                rows.append(
                    {
                        "proxyWallet": account.address,
                        "asset": instrument.token_of(outcome),
                        "conditionId": instrument.market,
                        "size": size,
                        "avgPrice": price,
                        "initialValue": round(size * price, 4),
                        "currentValue": round(size * price, 4),
                        "cashPnl": 0,
                        "percentPnl": 0,
                        "realizedPnl": 0,
                        "curPrice": price,
                        "redeemable": False,
                        "mergeable": False,
                        "title": listing.plot.question,
                        "slug": listing.slug,
                        "outcome": ("Yes", "No")[index],
                        "outcomeIndex": index,
                        "oppositeOutcome": ("No", "Yes")[index],
                        "oppositeAsset": instrument.token_of(_OUTCOMES[1 - index]),
                        "endDate": datetime.fromtimestamp(instrument.end_unix or 0, UTC).date().isoformat(),
                        "negativeRisk": instrument.neg_risk,
                    }
                )
        return rows

    def _deployed(self, request: Request, body: bytes) -> Response:
        return answer({"deployed": True})

    def _rpc(self, request: Request, body: bytes) -> Response:
        """Enough JSON-RPC to tell a caller which chain this pretends to be, and that nothing else is served."""
        try:
            call = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.DecodeError:
            return refused("invalid JSON-RPC request")
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": call.get("id")}
        if call.get("method") == "eth_chainId":
            return answer(reply | {"result": "0x89"})
        return answer(reply | {"error": {"code": -32601, "message": "the method is not available"}})
