"""CLOB REST: API keys, made with the wallet's signature and used ever after (polymarket-api.md 3.2, 3.3)."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.exchange import refusals
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
        host = self._host
        return [
            *(Route(path, host.public(self._proven(act)), methods=[method]) for path, method, act in by_wallet),
            *(Route(path, host.private(handler), methods=[method]) for path, method, handler in by_key),
        ]

    def _proven(self, act: Callable[[str, int], Response]) -> Callable[[Request, bytes], Response]:
        """Wrap what a wallet may do so that it runs for a proven one only (L1), not in a restart."""

        def guarded(request: Request, body: bytes) -> Response:
            if self._exchange.mode.state == "restarting":
                return refused(refusals.RESTARTING)
            try:
                address, nonce = self._exchange.keys.check_l1(request.headers, self._host.now_s())
            except AuthError as error:
                return refused(str(error))
            return act(address, nonce)

        return guarded

    def _create(self, address: str, nonce: int) -> Response:
        made = self._exchange.keys.create(address, nonce)
        self._exchange.admit(address)
        return refused(refusals.CREATE_KEY) if made is None else answer(made.wire())

    def _derive(self, address: str, nonce: int) -> Response:
        held = self._exchange.keys.derive(address, nonce)
        return refused(refusals.DERIVE_KEY) if held is None else answer(held.wire())

    def _list(self, request: Request, who: Credentials, body: bytes) -> Response:
        return answer({"apiKeys": [held.api_key for held in self._exchange.keys.of_address(who.address)]})

    def _delete(self, request: Request, who: Credentials, body: bytes) -> Response:
        self._exchange.keys.drop(who.api_key)
        return answer("OK")

    def _closed_only(self, request: Request, who: Credentials, body: bytes) -> Response:
        return answer({"closed_only": who.address in self._exchange.closed_only})
