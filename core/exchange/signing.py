"""EIP-712 as the exchange checks it: order hashes, the order id, and who signed (polymarket-api.md 3.2 to 3.5).

The order id is the hash under the market's domain; signature types 0, 1 and 2 sign that very hash. A deposit wallet
(type 3) signs the nested ERC-7739 form, from which the inner signature is taken apart here.
"""

from typing import Final

import msgspec
from coincurve import PrivateKey, PublicKey
from eth_hash.auto import keccak

CHAIN_ID: Final = 137
ORDER_TYPE: Final = (
    "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    "uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_NESTED_TYPE: Final = (
    "TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
)
_AUTH_TYPE: Final = "ClobAuth(address address,string timestamp,uint256 nonce,string message)"
_AUTH_TEXT: Final = "This message attests that I control the given wallet"
DEPOSIT_WALLET: Final = 3
"""Signature type of a contract wallet that signs the nested form and is itself the signer (3.1)."""
_LONGEST_NUMBER: Final = 78
"""Digits of the largest uint256."""
_MOST_SALT: Final = (1 << 53) - 1
"""A salt travels as a JSON number, which holds no more than this exactly (polymarket-api.md 3.4)."""
_V2_POSITION: Final = ((1 << 64) - 1) << 40
"""Bits which are zero in the position ids of Protocol V2 (polymarket-api.md 2.1)."""
_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half the order of secp256k1; contracts refuse signatures with a larger ``s``."""


class SigningError(ValueError):
    """A signature or a field that cannot be used."""


class SignedOrder(msgspec.Struct, frozen=True):
    """The ``order`` object of POST /order (polymarket-api.md 4.2); numbers as the wire carries them."""

    salt: int
    maker: str
    signer: str
    tokenId: str
    makerAmount: str
    takerAmount: str
    side: str
    signatureType: int
    timestamp: str
    signature: str
    expiration: str = "0"
    metadata: str = "0x" + "00" * 32
    builder: str = "0x" + "00" * 32


def _word(value: int) -> bytes:
    try:
        return value.to_bytes(32, "big")
    except OverflowError as error:
        raise SigningError(f"no uint256: {value}") from error


def _fixed(text: str, length: int) -> bytes:
    digits = text.removeprefix("0x")
    if len(digits) != 2 * length:
        raise SigningError(f"{len(digits)} hexadecimal digits where {2 * length} belong")
    try:
        raw = bytes.fromhex(digits)
    except ValueError as error:
        raise SigningError(f"not hexadecimal: {text[:80]!r}") from error
    if len(raw) != length:
        raise SigningError(f"not hexadecimal: {text[:80]!r}")
    return raw


def decimal(text: str) -> int:
    """A number of the wire as it is written there: ASCII digits and nothing else, at most a uint256.

    Raises:
        SigningError: it is none.
    """
    if not (text.isascii() and text.isdigit()) or len(text) > _LONGEST_NUMBER:
        raise SigningError(f"not a decimal number: {text[:80]!r}")
    return int(text)


def address_bytes(text: str) -> bytes:
    """The 20 bytes of a ``0x…`` address.

    Raises:
        SigningError: it is none.
    """
    return _fixed(text, 20)


def checksummed(address: bytes) -> str:
    """An address as text with checksum capitals (EIP-55)."""
    plain = address.hex()
    shade = keccak(plain.encode()).hex()
    return "0x" + "".join(c.upper() if int(h, 16) > 7 else c for c, h in zip(plain, shade, strict=False))


def spelled(address: str) -> str:
    """An address as the venue spells it, whatever its capitals.

    Raises:
        SigningError: it is none.
    """
    return checksummed(address_bytes(address))


def address_of_key(secret: bytes) -> str:
    """The checksummed address of a 32-byte private key."""
    return checksummed(keccak(PrivateKey(secret).public_key.format(compressed=False)[1:])[12:])


def domain_separator(name: str, version: str, contract: str | None) -> bytes:
    """The EIP-712 domain hash of a contract, or of no contract at all, on Polygon."""
    fields = "string name,string version,uint256 chainId" + (",address verifyingContract" if contract else "")
    parts = [keccak(f"EIP712Domain({fields})".encode()), keccak(name.encode()), keccak(version.encode())]
    parts.append(_word(CHAIN_ID))
    if contract:
        parts.append(address_bytes(contract).rjust(32, b"\0"))
    return keccak(b"".join(parts))


EXCHANGE: Final = "0xe111180000d2663c0091e4f400237545b87b996b"
NEG_RISK_EXCHANGE: Final = "0xe2222d279d744050d28e00520010520000310f59"
EXCHANGE_V3: Final = "0xe3333700ca9d93003f00f0f71f8515005f6c00aa"
EXCHANGE_NAME: Final = "Polymarket CTF Exchange"
DOMAIN_V2: Final = domain_separator(EXCHANGE_NAME, "2", EXCHANGE)
"""Domain separator of markets that are not neg-risk (polymarket-api.md 3.4)."""
DOMAIN_V2_NEG_RISK: Final = domain_separator(EXCHANGE_NAME, "2", NEG_RISK_EXCHANGE)
DOMAIN_V3: Final = domain_separator(EXCHANGE_NAME, "3", EXCHANGE_V3)
"""Domain separator of every Protocol V2 position, neg-risk or not."""
DOMAINS_V2: Final = (DOMAIN_V2, DOMAIN_V2_NEG_RISK)
_DOMAIN_AUTH: Final = domain_separator("ClobAuthDomain", "1", None)
_ORDER_HASH: Final = keccak(ORDER_TYPE.encode())
_NESTED_HASH: Final = keccak((_NESTED_TYPE + ORDER_TYPE).encode())
_AUTH_HASH: Final = keccak(_AUTH_TYPE.encode())
_NESTED_TAIL: Final = keccak(b"DepositWallet") + keccak(b"1") + _word(CHAIN_ID)


def is_v2_position(token: str) -> bool:
    """Whether a token id is a position of Protocol V2.

    Raises:
        SigningError: it is no number.
    """
    return decimal(token) & _V2_POSITION == 0


def domain_of(token: str, *, neg_risk: bool) -> bytes:
    """Domain separator of the exchange contract that trades a token (polymarket-api.md 3.4).

    Raises:
        SigningError: the token id is no number.
    """
    if is_v2_position(token):
        return DOMAIN_V3
    return DOMAIN_V2_NEG_RISK if neg_risk else DOMAIN_V2


def order_struct_hash(order: SignedOrder) -> bytes:
    """Hash of the order struct, the same under every domain.

    Raises:
        SigningError: a field is malformed.
    """
    words = [decimal(text) for text in (order.tokenId, order.makerAmount, order.takerAmount)]
    if order.side not in ("BUY", "SELL") or not 0 <= order.salt <= _MOST_SALT:
        raise SigningError("side or salt of the order is out of range")
    return keccak(
        b"".join(
            (
                _ORDER_HASH,
                _word(order.salt),
                address_bytes(order.maker).rjust(32, b"\0"),
                address_bytes(order.signer).rjust(32, b"\0"),
                *(_word(value) for value in words),
                _word(0 if order.side == "BUY" else 1),
                _word(order.signatureType),
                _word(decimal(order.timestamp)),
                _fixed(order.metadata, 32),
                _fixed(order.builder, 32),
            )
        )
    )


def digest(domain: bytes, struct_hash: bytes) -> bytes:
    """The EIP-712 hash of a struct under a domain; for orders this is the order id."""
    return keccak(b"\x19\x01" + domain + struct_hash)


def nested_digest(domain: bytes, struct_hash: bytes, wallet: str) -> bytes:
    """What the owner of a deposit wallet signs for an order (ERC-7739, polymarket-api.md 3.5)."""
    where = address_bytes(wallet).rjust(32, b"\0")
    return digest(domain, keccak(_NESTED_HASH + struct_hash + _NESTED_TAIL + where + _word(0)))


def unwrap_nested(signature: str, domain: bytes, struct_hash: bytes) -> str:
    """The owner's 65-byte signature inside a deposit wallet's 317-byte one.

    Raises:
        SigningError: the wrapping does not belong to this order and domain.
    """
    kind = ORDER_TYPE.encode()
    tail = domain + struct_hash + kind + len(kind).to_bytes(2, "big")
    raw = _fixed(signature, 65 + len(tail))
    if raw[65:] != tail:
        raise SigningError("the nested signature belongs to another order")
    return raw[:65].hex()


def is_signed(order: SignedOrder, struct_hash: bytes, domain: bytes, owner: str) -> bool:
    """Whether an order carries the signature of ``owner`` (an EOA) for an exchange's domain, in its wallet's form."""
    try:
        if order.signatureType == DEPOSIT_WALLET:
            inner = unwrap_nested(order.signature, domain, struct_hash)
            signer = recover(nested_digest(domain, struct_hash, order.maker), inner)
        else:
            signer = recover(digest(domain, struct_hash), order.signature)
    except SigningError:
        return False
    return signer == address_bytes(owner)


def auth_digest(address: str, timestamp: str, nonce: int) -> bytes:
    """The hash an L1 signature signs (polymarket-api.md 3.2)."""
    where = address_bytes(address).rjust(32, b"\0")
    parts = (_AUTH_HASH, where, keccak(timestamp.encode()), _word(nonce), keccak(_AUTH_TEXT.encode()))
    return digest(_DOMAIN_AUTH, keccak(b"".join(parts)))


def recover(message: bytes, signature: str) -> bytes:
    """The 20-byte address whose key signed a 32-byte hash with a 65-byte ``r s v`` signature, v 27 or 28.

    Raises:
        SigningError: the signature is malformed or belongs to no key.
    """
    raw = _fixed(signature, 65)
    if raw[64] not in (27, 28) or int.from_bytes(raw[32:64], "big") > _HALF_ORDER:
        raise SigningError("the signature is not canonical")
    try:
        key = PublicKey.from_signature_and_message(raw[:64] + bytes((raw[64] - 27,)), message, hasher=None)
    except ValueError as error:
        raise SigningError("the signature belongs to no key") from error
    return keccak(key.format(compressed=False)[1:])[12:]
