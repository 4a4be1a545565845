"""The two doors to the chain, relayer and JSON-RPC, and the Data API's view of a wallet's approvals."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.exchange.api import relayer_api, rpc_api
from core.exchange.api.data_api import DATA
from core.exchange.api.host import Host, answer, refused
from core.exchange.chain import contracts
from core.exchange.chain.transactions import Chain
from core.exchange.signing import CHAIN_ID, SigningError, spelled

RELAYER: Final = relayer_api.RELAYER
RPC: Final = rpc_api.RPC


class ChainApi:
    """Everything that is served of one chain."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._chain = Chain(host.exchange)
        self._parts = (relayer_api.RelayerApi(host, self._chain), rpc_api.RpcApi(host, self._chain))

    def routes(self) -> list[Route]:
        """The routes of all parts; each service has a path of its own on the one port."""
        routes = [route for part in self._parts for route in part.routes()]
        return [*routes, Route(f"{DATA}/v2/approvals", self._host.public(self._approvals), methods=["GET"])]

    def _approvals(self, request: Request, body: bytes) -> Response:
        """What a wallet lets the venue's contracts take, in the shape the official client reads."""
        try:
            shown = spelled(request.query_params.get("user", ""))
        except SigningError:
            return refused("invalid user address")
        rows = [self._approval(shown.lower(), *pair) for pair in contracts.USUAL_APPROVALS]
        return answer({"data": {"address": shown, "chain_id": CHAIN_ID, "contracts": rows}})

    def _approval(self, wallet: str, token: str, spender: str) -> dict[str, Any]:
        amount = self._host.exchange.approvals.amount(wallet, token, spender)
        fields = {
            "token": spelled(token),
            "spender": spelled(spender),
            "approved": amount > 0,
        }
        if token != contracts.PUSD:
            return fields | {"standard": "ERC1155"}
        return fields | {"standard": "ERC20", "amount": "max" if amount == contracts.UNLIMITED else str(amount)}
