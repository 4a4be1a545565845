"""The id of an order before it is sent: its EIP-712 hash (polymarket-api.md 3.4, 3.5)."""

from typing import Final, Literal

from eth_hash.auto import keccak

Exchange = Literal["v2", "v2_neg_risk", "v3"]
"""The contracts that settle orders (polymarket-api.md 3.4)."""
ORDER_TYPE: Final = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    b"uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_DOMAIN_TYPE: Final = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_EXCHANGES: Final[dict["Exchange", tuple[str, str]]] = {
    "v2": ("2", "0xE111180000d2663C0091e4f400237545B87B996B"),
    "v2_neg_risk": ("2", "0xe2222d279d744050d28e00520010520000310F59"),
    "v3": ("3", "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa"),
}
CHAIN_ID: Final = 137
_V3_ZERO_BITS: Final = ((1 << 64) - 1) << 40
"""Bits 40 to 103 of a Protocol V2 position id are zero (polymarket-api.md 2.1)."""


def word(number: int) -> bytes:
    """A number as 32 bytes (EIP-712)."""
    return number.to_bytes(32, "big")


def word_of(text: str) -> bytes:
    """0x text, of an address for instance, as 32 bytes (EIP-712)."""
    return bytes.fromhex(text[2:]).rjust(32, b"\0")


def domain_separator(name: str, version: str, chain_id: int, contract: str) -> bytes:
    """EIP-712 hash of a contract's domain; its address is 0x text."""
    return keccak(
        keccak(_DOMAIN_TYPE) + keccak(name.encode()) + keccak(version.encode()) + word(chain_id) + word_of(contract)
    )


_ORDER_TYPE_HASH: Final = keccak(ORDER_TYPE)
_SEPARATORS: Final = {
    exchange: domain_separator("Polymarket CTF Exchange", version, CHAIN_ID, contract)
    for exchange, (version, contract) in _EXCHANGES.items()
}


def contract_of(exchange: Exchange) -> str:
    """Address of the contract that settles an exchange's orders, with checksum capitals."""
    return _EXCHANGES[exchange][1]


def exchange_of(token_id: int, neg_risk: bool) -> Exchange:
    """The contract an order is signed for: by the bits of its token, then by its market's flag."""
    return "v3" if token_id & _V3_ZERO_BITS == 0 else "v2_neg_risk" if neg_risk else "v2"


def order_id(
    *,
    salt: int,
    maker: str,
    signer: str,
    token_id: int,
    maker_amount: int,
    taker_amount: int,
    side: int,
    signature_type: int,
    timestamp_ms: int,
    metadata: str,
    builder: str,
    neg_risk: bool,
) -> str:
    """The id the venue will give an order, as 0x and 64 hex digits.

    Args:
        salt: as signed.
        maker: address of the wallet that holds the money.
        signer: address in the order's signer field.
        token_id: the token, or a Protocol V2 position id; its bits choose the exchange.
        maker_amount: base units given.
        taker_amount: base units wanted.
        side: 0 buys, 1 sells.
        signature_type: 0 to 3 (polymarket-api.md 3.1).
        timestamp_ms: as signed.
        metadata: 32 bytes as 0x text.
        builder: 32 bytes as 0x text.
        neg_risk: the market's flag; it chooses the exchange of a first-protocol token.
    """
    fields = (salt, maker, signer, token_id, maker_amount, taker_amount, side, signature_type, timestamp_ms)
    struct = struct_hash(*fields, word_of(metadata), word_of(builder))
    return "0x" + keccak(b"\x19\x01" + _SEPARATORS[exchange_of(token_id, neg_risk)] + struct).hex()


def struct_hash(
    salt: int,
    maker: str,
    signer: str,
    token_id: int,
    maker_amount: int,
    taker_amount: int,
    side: int,
    signature_type: int,
    timestamp_ms: int,
    metadata: bytes,
    builder: bytes,
) -> bytes:
    """EIP-712 hash of an order without its domain; its fields as :func:`order_id` explains them, in their order."""
    return keccak(
        _ORDER_TYPE_HASH
        + word(salt)
        + word_of(maker)
        + word_of(signer)
        + word(token_id)
        + word(maker_amount)
        + word(taker_amount)
        + word(side)
        + word(signature_type)
        + word(timestamp_ms)
        + metadata
        + builder
    )
