"""What proves a wallet's key to the venue, once, to get API credentials (polymarket-api.md 3.2).

The official client does the same amid things that a mere look must not do: it deploys a wallet that is not there.
"""

from coincurve import PrivateKey

from core.exchange.signing import auth_digest
from core.venue.credentials import Secret
from core.venue.wallets import signer_of


def l1_headers(key: Secret, timestamp: int, nonce: int = 0) -> dict[str, str]:
    """All headers of a request for API credentials.

    Args:
        key: of the signer.
        timestamp: seconds since 1970, by the venue's clock as far as it is known.
        nonce: one API key exists for each.

    Raises:
        CredentialError: the key is no number of the curve.
    """
    address = signer_of(key)
    signing_key = PrivateKey(bytes.fromhex(key.reveal().removeprefix("0x")))
    raw = signing_key.sign_recoverable(auth_digest(address, str(timestamp), nonce), hasher=None)
    return {
        "POLY_ADDRESS": address,
        "POLY_SIGNATURE": "0x" + raw[:64].hex() + f"{27 + raw[64]:02x}",
        "POLY_TIMESTAMP": str(timestamp),
        "POLY_NONCE": str(nonce),
    }
