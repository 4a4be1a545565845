"""What authenticates a private request: the headers made of an API key (polymarket-api.md 3.3).

In a module of its own because the kill's child process needs it and little else.
"""

import base64
import hashlib
import hmac

from core.venue.credentials import ApiCredentials


def l2_signature(secret: str, timestamp: int, method: str, path: str, body: str = "") -> str:
    """HMAC-SHA256 over timestamp, method, path without query, and body, as padded base64url."""
    key = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
    text = f"{timestamp}{method}{path}{body}"
    return base64.urlsafe_b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()


def l2_headers(
    address: str, credentials: ApiCredentials, timestamp: int, method: str, path: str, body: str = ""
) -> dict[str, str]:
    """All headers of a private request.

    Args:
        address: the signer's own, for every kind of wallet (polymarket-api.md 3.1).
        credentials: of the signer.
        timestamp: seconds since 1970, by the venue's clock as far as it is known.
        method: of the request, in capitals.
        path: without query.
        body: exactly as sent.
    """
    return {
        "POLY_ADDRESS": address,
        "POLY_API_KEY": credentials.key.reveal(),
        "POLY_PASSPHRASE": credentials.passphrase.reveal(),
        "POLY_TIMESTAMP": str(timestamp),
        "POLY_SIGNATURE": l2_signature(credentials.secret.reveal(), timestamp, method, path, body),
    }
