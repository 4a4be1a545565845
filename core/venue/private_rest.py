"""Authenticated reads of the CLOB: our orders and balances, read leniently (polymarket-api.md 3.3, 4.2, 4.3).

The official client's list parsers refuse a whole page for one empty number (order-clients.md), so state is read here.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from core.clock import Clock
from core.errors import CredentialError, VenueRefused
from core.venue.credentials import ApiCredentials
from core.venue.http import answer_of, http_client, json_of

END_CURSOR: Final = "LTE="
MOST_PAGES: Final = 100


def l2_signature(secret: str, timestamp: int, method: str, path: str, body: str = "") -> str:
    """HMAC-SHA256 over timestamp, method, path without query, and body, as padded base64url."""
    key = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
    text = f"{timestamp}{method}{path}{body}"
    return base64.urlsafe_b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()


class PrivateRest:
    """Reads that need the API credentials of one signer."""

    def __init__(self, base_url: str, address: str, credentials: ApiCredentials, clock: Clock) -> None:
        """``address`` is the signer's own address, for every kind of wallet (polymarket-api.md 3.1)."""
        self._client = http_client(base_url, 5.0)
        self._address = address
        self._credentials = credentials
        self._clock = clock

    async def open_orders(self) -> list[dict[str, Any]]:
        """All open orders, page by page.

        Raises:
            VenueUnavailable, VenueRefused: a page is missing, so the list is not complete.
        """
        return await self._pages("/data/orders", {})

    async def trades(self, after_unix: int) -> list[dict[str, Any]]:
        """All trades of the account since a moment, page by page.

        Raises:
            VenueUnavailable, VenueRefused: a page is missing, so the list is not complete.
        """
        return await self._pages("/data/trades", {"after": str(after_unix)})

    async def _pages(self, path: str, params: dict[str, str]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        cursor = ""
        for _ in range(MOST_PAGES):
            page = await self._get(path, params | ({"next_cursor": cursor} if cursor else {}))
            if not isinstance(page, dict) or not isinstance(page.get("data"), list):
                raise VenueRefused(f"{path}: not a page of rows")
            rows += page["data"]
            cursor = page.get("next_cursor") or END_CURSOR
            if cursor == END_CURSOR:
                return rows
        raise VenueRefused(f"{path}: more than {MOST_PAGES} pages")

    async def order(self, order_id: str) -> dict[str, Any] | None:
        """One order; None when the venue does not know it.

        Raises:
            VenueUnavailable, VenueRefused: the question was not answered.
        """
        answer = await self._get(f"/data/order/{order_id}", {}, absent_is_none=True)
        return answer if isinstance(answer, dict) and answer.get("id") else None

    async def scoring(self, order_ids: Sequence[str]) -> dict[str, bool]:
        """Which of these orders count for liquidity rewards at the moment; the answer may leave some out.

        Raises:
            VenueUnavailable, VenueRefused: the question was not answered.
        """
        answer = await self._ask("POST", "/orders-scoring", {}, msgspec.json.encode(list(order_ids)))
        if not isinstance(answer, dict) or not all(isinstance(flag, bool) for flag in answer.values()):
            raise VenueRefused("/orders-scoring: not a flag for each order")
        return answer

    async def balance(self, asset_type: str, signature_type: int, token: str = "") -> int:
        """Total balance in base units; open orders are not subtracted.

        Raises:
            VenueUnavailable, VenueRefused: the balance could not be read.
        """
        params = {"asset_type": asset_type, "signature_type": str(signature_type)}
        if token:
            params["token_id"] = token
        answer = await self._get("/balance-allowance", params)
        try:
            return int(answer["balance"])
        except (KeyError, TypeError, ValueError) as error:
            raise VenueRefused("/balance-allowance: no balance in the answer") from error

    async def _get(self, path: str, params: dict[str, str], *, absent_is_none: bool = False) -> Any:
        return await self._ask("GET", path, params, absent_is_none=absent_is_none)

    async def _ask(
        self, method: str, path: str, params: dict[str, str], content: bytes = b"", *, absent_is_none: bool = False
    ) -> Any:
        timestamp = int(self._clock.unix())
        secret = self._credentials.secret.reveal()
        headers = {
            "POLY_ADDRESS": self._address,
            "POLY_API_KEY": self._credentials.key.reveal(),
            "POLY_PASSPHRASE": self._credentials.passphrase.reveal(),
            "POLY_TIMESTAMP": str(timestamp),
            "POLY_SIGNATURE": l2_signature(secret, timestamp, method, path, content.decode()),
        }
        if content:
            headers["Content-Type"] = "application/json"
        sent = content or None
        status, body = await answer_of(self._client, method, path, params=params, headers=headers, content=sent)
        if status == 401:
            raise CredentialError(f"{path}: the venue refuses the API credentials (check the clock too)")
        is_absent = absent_is_none and status == 404
        if status != 200 and not is_absent:
            raise VenueRefused(f"{path}: status {status}")
        told = json_of(body, path)
        return None if is_absent else told

    async def close(self) -> None:
        """Release the connections."""
        await self._client.aclose()
