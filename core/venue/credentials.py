"""Secrets, and the one place that reads them.

A :class:`Secret` prints stars wherever it is shown; its text leaves only through :meth:`Secret.reveal`, which the
signer and the headers call. Nothing else in the program holds a key as text.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from core.errors import CredentialError

_PRIVATE_KEY: Final = re.compile(r"(0x)?[0-9a-fA-F]{64}")
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")


class Secret:
    """A text that never prints itself."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for signing and for authentication headers."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __reduce__(self) -> tuple[type["Secret"], tuple[str]]:
        raise TypeError("a secret is not to be stored")


class ApiCredentials(msgspec.Struct, frozen=True):
    """What the venue gave for a key: key id, secret, passphrase (polymarket-api.md 3.2)."""

    key: Secret
    secret: Secret
    passphrase: Secret


class Wallet(msgspec.Struct, frozen=True):
    """The signer's key and the wallet that holds the money."""

    private_key: Secret
    funder: str | None
    """Address of the wallet; None lets the client derive the deposit wallet of the key."""


def wallet_from_environment(environment: Mapping[str, str]) -> Wallet:
    """Read ``PK`` and ``BROWSER_ADDRESS``.

    Raises:
        CredentialError: the key is missing or malformed, or the address is; the text says which, never its value.
    """
    key = environment.get("PK", "").strip()
    if not key:
        raise CredentialError("live mode needs a private key: set PK in the environment of this command")
    if not _PRIVATE_KEY.fullmatch(key):
        raise CredentialError("PK is not a private key: it must be 64 hexadecimal digits, with or without 0x")
    funder = environment.get("BROWSER_ADDRESS", "").strip() or None
    if funder is not None and not _ADDRESS.fullmatch(funder):
        raise CredentialError("BROWSER_ADDRESS is not an address: it must be 0x and 40 hexadecimal digits")
    return Wallet(Secret(key if key.startswith("0x") else "0x" + key), funder)
