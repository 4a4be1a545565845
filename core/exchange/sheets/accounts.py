"""Service accounts: a throw-away key, the assertion it signs, and the tokens it is given for it.

The grant is the JWT profile of OAuth 2.0 (RFC 7523), as Google's token endpoint takes it: RS256, at most an hour from
``iat`` to ``exp``, a scope of its own.
"""

import base64
import binascii
import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

READ_SCOPES: Final = frozenset(
    f"https://www.googleapis.com/auth/{name}"
    for name in ("spreadsheets", "spreadsheets.readonly", "drive", "drive.readonly", "drive.file")
)
"""Each of them lets a token read a spreadsheet."""
EMAIL: Final = "market-list@polymm-tui-exchange.iam.gserviceaccount.com"
AUDIENCE: Final = "https://oauth2.googleapis.com/token"
"""What Google's client library signs for, wherever it sends the assertion."""
LIFE_S: Final = 3_600
_SKEW_S: Final = 300
_KEY_BITS: Final = 2_048
_SCOPE: Final = "https://www.googleapis.com/auth/"
_UNTIMELY: Final = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
    "Check your iat and exp values in the JWT claim."
)


class GrantError(ValueError):
    """An assertion that gets no token."""

    def __init__(self, error: str, text: str) -> None:
        super().__init__(text)
        self.error = error
        """OAuth's word for it."""


class Token(msgspec.Struct, frozen=True):
    """What an access token stands for."""

    email: str
    scopes: frozenset[str]
    until_s: float
    """Unix seconds."""


class _Claims(msgspec.Struct, frozen=True):
    iss: str
    aud: str
    iat: float
    exp: float
    scope: str = ""


class Accounts:
    """The one service account there is, and the tokens it holds."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._tokens: dict[str, Token] = {}

    def file(self, token_uri: str) -> dict[str, str]:
        """What Google gives out as the account's key file; anybody may have this one."""
        from cryptography.hazmat.primitives import serialization

        key = _key()
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return {
            "type": "service_account",
            "project_id": "polymm-tui-exchange",
            "private_key_id": hashlib.sha1(public, usedforsecurity=False).hexdigest(),
            "private_key": pem.decode(),
            "client_email": EMAIL,
            "client_id": "100000000000000000001",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": token_uri,
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_x509_cert_url": f"https://www.googleapis.com/robot/v1/metadata/x509/{EMAIL.replace('@', '%40')}",
            "universe_domain": "googleapis.com",
        }

    def grant(self, assertion: str, token_uri: str, now_s: float) -> str:
        """An access token for a signed assertion.

        Raises:
            GrantError: it is none, not of this account, not in time, or asks for a scope nobody knows.
        """
        claims, signed, signature = _read(assertion)
        if claims.iss != EMAIL:
            raise GrantError("invalid_grant", "Invalid grant: account not found")
        if not _is_ours(signature, signed):
            raise GrantError("invalid_grant", "Invalid JWT Signature.")
        timely = claims.iat <= now_s + _SKEW_S and now_s - _SKEW_S <= claims.exp
        if not timely or not 0 < claims.exp - claims.iat <= LIFE_S:
            raise GrantError("invalid_grant", _UNTIMELY)
        scopes = frozenset(claims.scope.split())
        if claims.aud not in (AUDIENCE, token_uri) or not scopes or not all(each.startswith(_SCOPE) for each in scopes):
            raise GrantError("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        text = hashlib.sha256(f"token/{self._seed}/{len(self._tokens)}".encode()).hexdigest()
        self._tokens[f"ya29.{text}"] = Token(claims.iss, scopes, now_s + LIFE_S)
        return f"ya29.{text}"

    def token(self, text: str, now_s: float) -> Token | None:
        """What an access token stands for; None when it is none, or not any more."""
        token = self._tokens.get(text)
        return token if token is not None and now_s < token.until_s else None

    def forget(self) -> None:
        """Let every token that was given run out."""
        self._tokens = {text: msgspec.structs.replace(token, until_s=0.0) for text, token in self._tokens.items()}


@lru_cache(maxsize=1)
def _key() -> "RSAPrivateKey":
    """The key of this process, made when it is first needed: it opens nothing but sheets of exchanges on loopback."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65_537, key_size=_KEY_BITS)


def _is_ours(signature: bytes, signed: bytes) -> bool:
    """Whether a signature was made with the account's key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    try:
        _key().public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _read(assertion: str) -> tuple[_Claims, bytes, bytes]:
    """The claims of a JWT, what was signed, and the signature."""
    try:
        head, body, signature = (_decoded(part) for part in assertion.split("."))
        algorithm: dict[str, Any] = msgspec.json.decode(head, type=dict[str, Any])
        claims = msgspec.json.decode(body, type=_Claims)
    except (ValueError, msgspec.DecodeError, binascii.Error) as error:
        raise GrantError("invalid_grant", "Bad Request") from error
    if algorithm.get("alg") != "RS256":
        raise GrantError("invalid_grant", "Invalid JWT Signature.")
    return claims, assertion.rpartition(".")[0].encode(), signature


def _decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
