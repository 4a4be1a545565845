"""CLOB REST: API keys, made with the wallet's signature and used ever after (polymarket-api.md 3.2, 3.3)."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.exchange import refusals
from core.exchange.api.gate import unless_restarting
from core.exchange.api.host import Host, answer, refused
from core.exchange.auth import AuthError, Credentials


class AuthApi:
    """Making, finding, listing and deleting keys, and what is held against their owner."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._exchange = host.exchange

    def routes(self) -> list[Route]:
        """The routes of this part."""
        by_wallet = (("/auth/api-key", "POST", self._create), ("/auth/derive-api-key", "GET", self._derive))
        by_key = (
            ("/auth/api-keys", "GET", self._list),
            ("/auth/api-key", "DELETE", self._delete),
            ("/auth/ban-status/closed-only", "GET", self._closed_only),
        )
        wrap, host = partial(unless_restarting, self._exchange), self._host
        return [
            *(Route(path, host.public(wrap(handler)), methods=[method]) for path, method, handler in by_wallet),
            *(Route(path, host.private(wrap(handler)), methods=[method]) for path, method, handler in by_key),
        ]

    def _create(self, request: Request, body: bytes) -> Response:
        try:
            address, nonce = self._exchange.keys.check_l1(request.headers, self._host.now_s())
        except AuthError as error:
            return refused(str(error))
        made = self._exchange.keys.create(address, nonce)
        self._exchange.admit(address)
        return refused(refusals.CREATE_KEY) if made is None else answer(made.wire())

    def _derive(self, request: Request, body: bytes) -> Response:
        try:
            address, nonce = self._exchange.keys.check_l1(request.headers, self._host.now_s())
        except AuthError as error:
            return refused(str(error))
        held = self._exchange.keys.derive(address, nonce)
        return refused(refusals.DERIVE_KEY) if held is None else answer(held.wire())

    def _list(self, request: Request, who: Credentials, body: bytes) -> Response:
        return answer({"apiKeys": [held.api_key for held in self._exchange.keys.of_address(who.address)]})

    def _delete(self, request: Request, who: Credentials, body: bytes) -> Response:
        self._exchange.keys.drop(who.api_key)
        return answer("OK")

    def _closed_only(self, request: Request, who: Credentials, body: bytes) -> Response:
        return answer({"closed_only": who.address in self._exchange.closed_only})
