"""Signs orders in place of eth-account, which walks through the types of typed data anew for every order.

That walk is five sixths of what the official client needs for an order, and the loop stands still meanwhile. An order
has one type, a deposit wallet's order wraps it in another, and a domain is hashed once (polymarket-api.md 3.4, 3.5).
``py-clob-client-v2`` keeps eth-account, and tests hold both clients' signatures equal to the byte.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from coincurve import PrivateKey
from eth_hash.auto import keccak

from core.venue.credentials import Secret
from core.venue.order_id import ORDER_TYPE, domain_separator, struct_hash, word, word_of

_NESTED_TYPE_HASH: Final = keccak(
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
    + ORDER_TYPE
)


class Signed(NamedTuple):
    """What the clients read of a signature by eth-account."""

    signature: bytes
    """r, s and 27 or 28: 65 bytes."""


class OrderSigner:
    """What the clients want of an eth-account account, for orders alone."""

    def __init__(self, key: Secret, address: str) -> None:
        """``address`` is that of the key."""
        self.address = address
        self._key = PrivateKey(bytes.fromhex(key.reveal().removeprefix("0x")))

    def sign_typed_data(self, *, full_message: Mapping[str, Any]) -> Signed:
        """Sign an order, or what a deposit wallet makes of one (ERC-7739).

        Raises:
            KeyError: it is neither.
        """
        signature = self._key.sign_recoverable(digest_of(full_message), hasher=None)
        return Signed(signature[:64] + bytes((27 + signature[64],)))


def digest_of(typed: Mapping[str, Any]) -> bytes:
    """The 32 bytes that are signed for the typed data of an order (EIP-712).

    Raises:
        KeyError: it is no order's.
    """
    domain = typed["domain"]
    separator = _separator(domain["name"], domain["version"], domain["chainId"], domain["verifyingContract"])
    return keccak(b"\x19\x01" + separator + _STRUCTS[typed["primaryType"]](typed["message"]))


def _order(order: Mapping[str, Any]) -> bytes:
    return struct_hash(
        order["salt"],
        order["maker"],
        order["signer"],
        order["tokenId"],
        order["makerAmount"],
        order["takerAmount"],
        order["side"],
        order["signatureType"],
        order["timestamp"],
        _word(order["metadata"]),
        _word(order["builder"]),
    )


def _nested(message: Mapping[str, Any]) -> bytes:
    """The order, and the domain of the wallet that will check the signature."""
    return keccak(
        _NESTED_TYPE_HASH
        + _order(message["contents"])
        + _text(message["name"])
        + _text(message["version"])
        + word(message["chainId"])
        + word_of(message["verifyingContract"])
        + _word(message["salt"])
    )


_STRUCTS: Final[dict[str, Callable[[Mapping[str, Any]], bytes]]] = {"Order": _order, "TypedDataSign": _nested}
_separator: Final = cache(domain_separator)


@cache
def _text(text: str) -> bytes:
    return keccak(text.encode())


def _word(value: str | bytes) -> bytes:
    """Bytes of a field that one client has as text and the other as bytes."""
    return value if isinstance(value, bytes) else word_of(value)
