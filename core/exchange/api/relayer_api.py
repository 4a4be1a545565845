"""The relayer, which sends transactions of contract wallets and pays for them (polymarket-api.md 11)."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.exchange import intake, signing
from core.exchange.api.host import Host, answer, refused
from core.exchange.auth import CLOCK_SLACK_S
from core.exchange.chain.envelopes import RELAY, SIGNATURE_TYPES, Envelope, EnvelopeError, open_envelope
from core.exchange.chain.quota import Quota
from core.exchange.chain.transactions import Chain, Refused
from core.exchange.signing import SigningError
from core.venue.wallets import wallets_of

RELAYER: Final = "/relayer"
_BUILDER: Final = ("poly_builder_api_key", "poly_builder_passphrase", "poly_builder_signature")


class RelayerApi:
    """Nonces, submission and progress of relayed transactions."""

    def __init__(self, host: Host, chain: Chain) -> None:
        self._host = host
        self._chain = chain
        self._quota = Quota()
        self._key_owners: dict[str, str] = {}
        """Relayer keys seen so far and the address each came with first."""

    def routes(self) -> list[Route]:
        """The routes of this part."""
        public = self._host.public
        return [
            Route(f"{RELAYER}/deployed", public(self._deployed), methods=["GET"]),
            Route(f"{RELAYER}/relay-payload", public(self._relay_payload), methods=["GET"]),
            Route(f"{RELAYER}/v1/account/transactions/params", public(self._params), methods=["GET"]),
            Route(f"{RELAYER}/v1/account/transactions/{{transaction_id}}", public(self._transaction), methods=["GET"]),
            Route(f"{RELAYER}/submit", public(self._submit), methods=["POST"]),
        ]

    def _submitter(self, request: Request) -> str | None:
        """Who a request's key headers stand for: an address, or a builder's key; None when they prove nothing.

        Nobody hands out relayer keys here: any key is good for the address it comes with first, and for no other.
        A builder's secret is not known, so its headers need only be complete and fresh.
        """
        headers = request.headers
        key, address = headers.get("relayer_api_key"), headers.get("relayer_api_key_address", "").lower()
        if key and address:
            return address if self._key_owners.setdefault(key, address) == address else None
        try:
            fresh = abs(float(headers.get("poly_builder_timestamp", "")) - self._host.now_s()) <= CLOCK_SLACK_S
        except ValueError:
            return None
        complete = all(headers.get(name) for name in _BUILDER)
        return headers["poly_builder_api_key"] if fresh and complete else None

    def _deployed(self, request: Request, body: bytes) -> Response:
        """Every wallet of the exchange exists from the beginning."""
        try:
            signing.address_bytes(request.query_params.get("address", ""))
        except SigningError:
            return refused("invalid address")
        return answer({"deployed": True})

    def _relay_payload(self, request: Request, body: bytes) -> Response:
        """The relay a proxy transaction must name, and the proxy's nonce."""
        return self._nonce_body(request, RELAY)

    def _params(self, request: Request, body: bytes) -> Response:
        if self._submitter(request) is None:
            return _unauthorized()
        return self._nonce_body(request, request.query_params.get("address", ""))

    def _nonce_body(self, request: Request, shown: str) -> Response:
        kind = request.query_params.get("type", "")
        if kind == "EOA" or kind not in SIGNATURE_TYPES:
            return refused(f"invalid transaction type: {kind[:40]}")
        try:
            wallet = wallets_of(request.query_params.get("address", ""), SIGNATURE_TYPES[kind])[0]
        except SigningError:
            return refused("invalid address")
        return answer({"address": shown, "nonce": str(self._chain.nonce(wallet.lower()))})

    def _submit(self, request: Request, body: bytes) -> Response:
        submitter = self._submitter(request)
        if submitter is None:
            return _unauthorized()
        try:
            envelope = intake.parse(body, Envelope)
        except intake.Refused:
            return refused("invalid transaction payload")
        kind = "relayer" if "relayer_api_key" in request.headers else "builder"
        if kind == "relayer" and submitter != envelope.sender.lower():
            return refused(f"from {envelope.sender[:80]} does not match auth {submitter}")
        wait_s = self._quota.take(submitter, kind, self._host.now_ms())
        if wait_s:
            return answer({"error": f"quota exceeded: 0 units remaining, resets in {wait_s} seconds"}, 429)
        try:
            made = self._chain.relay(open_envelope(envelope), submitter)
        except (EnvelopeError, Refused) as error:
            return refused(str(error))
        return answer({"transactionID": made.transaction_id, "transactionHash": "", "state": made.state})

    def _transaction(self, request: Request, body: bytes) -> Response:
        submitter = self._submitter(request)
        if submitter is None:
            return _unauthorized()
        made = self._chain.transaction(request.path_params["transaction_id"])
        if made is None or submitter not in (made.batch.owner, made.submitter):
            return refused("transaction not found")
        return answer(
            {
                "transaction_id": made.transaction_id,
                "transaction_hash": made.hash if made.sent else "",
                "state": made.state,
                "error_msg": made.error or None,
            }
        )


def _unauthorized() -> Response:
    return answer({"error": "invalid authorization"}, 401)
