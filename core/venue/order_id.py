"""The id of an order before it is sent: its EIP-712 hash (polymarket-api.md 3.4, 3.5)."""

from typing import Final, Literal

from eth_hash.auto import keccak

Exchange = Literal["v2", "v2_neg_risk", "v3"]
"""The contracts that settle orders (polymarket-api.md 3.4)."""
_ORDER_TYPE: Final = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    b"uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_DOMAIN_TYPE: Final = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_EXCHANGES: Final[dict["Exchange", tuple[str, str]]] = {
    "v2": ("2", "E111180000d2663C0091e4f400237545B87B996B"),
    "v2_neg_risk": ("2", "e2222d279d744050d28e00520010520000310F59"),
    "v3": ("3", "e3333700cA9d93003F00f0F71f8515005F6c00Aa"),
}
CHAIN_ID: Final = 137
_V3_ZERO_BITS: Final = ((1 << 64) - 1) << 40
"""Bits 40 to 103 of a Protocol V2 position id are zero (polymarket-api.md 2.1)."""


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _domain_separator(version: str, contract: str) -> bytes:
    return keccak(
        keccak(_DOMAIN_TYPE)
        + keccak(b"Polymarket CTF Exchange")
        + keccak(version.encode())
        + _word(CHAIN_ID)
        + bytes.fromhex(contract).rjust(32, b"\0")
    )


_ORDER_TYPE_HASH: Final = keccak(_ORDER_TYPE)
_SEPARATORS: Final = {name: _domain_separator(*parts) for name, parts in _EXCHANGES.items()}


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
    struct_hash = keccak(
        _ORDER_TYPE_HASH
        + _word(salt)
        + bytes.fromhex(maker[2:]).rjust(32, b"\0")
        + bytes.fromhex(signer[2:]).rjust(32, b"\0")
        + _word(token_id)
        + _word(maker_amount)
        + _word(taker_amount)
        + _word(side)
        + _word(signature_type)
        + _word(timestamp_ms)
        + bytes.fromhex(metadata[2:]).rjust(32, b"\0")
        + bytes.fromhex(builder[2:]).rjust(32, b"\0")
    )
    return "0x" + keccak(b"\x19\x01" + _SEPARATORS[exchange_of(token_id, neg_risk)] + struct_hash).hex()
