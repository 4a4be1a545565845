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
_RELAYER_NAMES: Final = ("RELAYER_API_KEY", "RELAYER_API_KEY_ADDRESS")
_BUILDER_NAMES: Final = ("POLY_BUILDER_API_KEY", "POLY_BUILDER_SECRET", "POLY_BUILDER_PASSPHRASE")
SECRET_NAMES: Final = ("PK", _RELAYER_NAMES[0], *_BUILDER_NAMES)
"""Names in the environment whose values are secrets: no process that the program starts inherits them."""


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


class RelayerKey(msgspec.Struct, frozen=True):
    """Lets the relayer send transactions of one signer's wallets (polymarket-api.md 11)."""

    key: Secret
    address: str
    """Of the signer."""


class BuilderKey(msgspec.Struct, frozen=True):
    """The same for whom the venue has verified as a builder, with a larger quota (polymarket-api.md 10.1)."""

    key: Secret
    secret: Secret
    passphrase: Secret


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


def relayer_key_from_environment(environment: Mapping[str, str]) -> RelayerKey | BuilderKey | None:
    """Read ``RELAYER_API_KEY`` and ``RELAYER_API_KEY_ADDRESS``, or the three ``POLY_BUILDER_...`` of a builder.

    Returns:
        None when there is neither: then contract wallets can trade, but not split, merge, redeem or convert.

    Raises:
        CredentialError: one of them is missing, or the address is malformed; the text never holds a value.
    """
    own = {name: environment.get(name, "").strip() for name in _RELAYER_NAMES}
    builders = {name: environment.get(name, "").strip() for name in _BUILDER_NAMES}
    for found in (own, builders):
        if any(found.values()) and not all(found.values()):
            missing = ", ".join(name for name, value in found.items() if not value)
            raise CredentialError(f"the relayer's credentials are not complete: set {missing} too")
    if all(own.values()):
        key, address = own.values()
        if not _ADDRESS.fullmatch(address):
            raise CredentialError("RELAYER_API_KEY_ADDRESS is not an address: it must be 0x and 40 hexadecimal digits")
        return RelayerKey(Secret(key), address)
    return BuilderKey(*(Secret(value) for value in builders.values())) if all(builders.values()) else None
