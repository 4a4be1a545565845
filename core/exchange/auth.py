"""API keys and the two kinds of request headers (polymarket-api.md 3.2, 3.3).

Credentials derive from the seed, the address and the nonce, so a restarted exchange with the same seed hands out the
same ones, while a key counts as existing only after it was created.
"""

import base64
import binascii
import hashlib
import hmac
import uuid
from collections.abc import Mapping

import msgspec

from core.exchange import refusals, signing

CLOCK_SLACK_S = 300
"""How far a request's timestamp may be from the exchange's clock. The venue's own figure is not known."""


class AuthError(Exception):
    """Headers that do not prove who is asking; the text is the venue's, the status 401 or 400."""


class Credentials(msgspec.Struct, frozen=True):
    """One API key and the address (EOA) it belongs to."""

    api_key: str
    secret: str
    passphrase: str
    address: str
    """Lower case."""
    nonce: int

    def wire(self) -> dict[str, str]:
        """As the auth endpoints answer."""
        return {"apiKey": self.api_key, "secret": self.secret, "passphrase": self.passphrase}


class KeyRing:
    """All API keys."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._by_key: dict[str, Credentials] = {}

    def of_address(self, address: str) -> list[Credentials]:
        """The keys of an EOA."""
        return [held for held in self._by_key.values() if held.address == address.lower()]

    def of_key(self, api_key: str) -> Credentials | None:
        """The credentials behind an API key; None when there is no such key."""
        return self._by_key.get(api_key)

    def create(self, address: str, nonce: int) -> Credentials | None:
        """Make the key of an address and nonce; None when it exists already."""
        made = self._make(address.lower(), nonce)
        if made.api_key in self._by_key:
            return None
        self._by_key[made.api_key] = made
        return made

    def derive(self, address: str, nonce: int) -> Credentials | None:
        """The existing key of an address and nonce; None when it was never created."""
        return self._by_key.get(self._make(address.lower(), nonce).api_key)

    def drop(self, api_key: str) -> None:
        """Forget a key."""
        self._by_key.pop(api_key, None)

    def check_l1(self, headers: Mapping[str, str], now_s: float) -> tuple[str, int]:
        """The address and nonce that an L1 header set proves.

        Raises:
            AuthError: a header is missing, stale or not signed by that address.
        """
        try:
            address, nonce = headers["poly_address"], signing.decimal(headers.get("poly_nonce", "0"))
            stamp = headers["poly_timestamp"]
            fresh = _is_fresh(stamp, now_s)
            signer = signing.recover(signing.auth_digest(address, stamp, nonce), headers["poly_signature"])
            genuine = fresh and signer == signing.address_bytes(address)
        except (KeyError, ValueError) as error:
            raise AuthError(refusals.L1) from error
        if not genuine:
            raise AuthError(refusals.L1)
        return signing.checksummed(signer), nonce

    def check_l2(self, headers: Mapping[str, str], method: str, path: str, body: bytes, now_s: float) -> Credentials:
        """The key that an L2 header set proves; ``body`` is the exact bytes received.

        Raises:
            AuthError: every mistake gives the same text, as on the venue.
        """
        held = self._by_key.get(headers.get("poly_api_key", ""))
        try:
            stamp = headers["poly_timestamp"]
            if held is None or not _is_fresh(stamp, now_s) or headers["poly_address"].lower() != held.address:
                raise AuthError(refusals.L2)
            expected = l2_signature(held.secret, stamp, method, path, body)
            genuine = hmac.compare_digest(expected, headers["poly_signature"])
            known = hmac.compare_digest(held.passphrase, headers["poly_passphrase"])
        except (KeyError, ValueError, TypeError) as error:
            raise AuthError(refusals.L2) from error
        if not (genuine and known):
            raise AuthError(refusals.L2)
        return held

    def check_socket(self, api_key: str, secret: str, passphrase: str) -> Credentials | None:
        """The key that a user channel's first frame proves; None when it proves nothing (polymarket-api.md 6)."""
        held = self._by_key.get(api_key)
        if held is None or (held.secret, held.passphrase) != (secret, passphrase):
            return None
        return held

    def _make(self, address: str, nonce: int) -> Credentials:
        root = hashlib.sha256(f"credentials/{self._seed}/{address}/{nonce}".encode()).digest()
        secret = hashlib.sha256(root + b"secret").digest()
        return Credentials(
            api_key=str(uuid.UUID(bytes=root[:16], version=4)),
            secret=base64.urlsafe_b64encode(secret).decode(),
            passphrase=hashlib.sha256(root + b"passphrase").hexdigest(),
            address=address,
            nonce=nonce,
        )


def _is_fresh(stamp: str, now_s: float) -> bool:
    return abs(signing.decimal(stamp) - now_s) <= CLOCK_SLACK_S


def l2_signature(secret: str, timestamp: str, method: str, path: str, body: bytes) -> str:
    """The HMAC of a private request: base64url with padding over timestamp, METHOD, path without query, body.

    Raises:
        ValueError: the secret is no base64url text.
    """
    try:
        key = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
    except binascii.Error as error:
        raise ValueError("secret is not base64url") from error
    message = f"{timestamp}{method}{path}".encode() + body
    return base64.urlsafe_b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
