"""Signatures made without eth-account are eth-account's, for every shape of order there is."""

from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from core.venue.credentials import Secret
from core.venue.order_signer import OrderSigner, digest_of

KEY = "0x" + "11" * 32
EOA = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
NONE = "0x" + "00" * 32
DOMAIN_FIELDS = [("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address")]
ORDER_FIELDS = [
    *(("salt", "uint256"), ("maker", "address"), ("signer", "address"), ("tokenId", "uint256")),
    *(("makerAmount", "uint256"), ("takerAmount", "uint256"), ("side", "uint8"), ("signatureType", "uint8")),
    *(("timestamp", "uint256"), ("metadata", "bytes32"), ("builder", "bytes32")),
]
NESTED_FIELDS = [("contents", "Order"), *DOMAIN_FIELDS, ("salt", "bytes32")]
SIGNER = OrderSigner(Secret(KEY), EOA)


def typed(order: dict[str, Any], version: str, contract: str, *, nested: bool) -> dict[str, Any]:
    """Typed data as polymarket-api.md 3.4 and 3.5 describe it."""
    fields = {"EIP712Domain": DOMAIN_FIELDS, "Order": ORDER_FIELDS} | (
        {"TypedDataSign": NESTED_FIELDS} if nested else {}
    )
    wrapped = {
        "contents": order, "name": "DepositWallet", "version": "1", "chainId": 137,
        "verifyingContract": order["signer"], "salt": NONE,
    }  # fmt: skip
    return {
        "types": {kind: [{"name": name, "type": of} for name, of in rows] for kind, rows in fields.items()},
        "primaryType": "TypedDataSign" if nested else "Order",
        "domain": {
            "name": "Polymarket CTF Exchange", "version": version, "chainId": 137, "verifyingContract": contract,
        },
        "message": wrapped if nested else order,
    }  # fmt: skip


addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
amounts = st.integers(0, 2**256 - 1)
words = st.one_of(st.just(NONE), st.binary(min_size=32, max_size=32))
orders = st.fixed_dictionaries(
    {
        "salt": st.integers(0, 2**53 - 1),
        "maker": addresses,
        "signer": addresses,
        "tokenId": amounts,
        "makerAmount": amounts,
        "takerAmount": amounts,
        "side": st.integers(0, 1),
        "signatureType": st.integers(0, 3),
        "timestamp": amounts,
        "metadata": words,
        "builder": words,
    }
)


@settings(max_examples=150, deadline=None)
@given(orders, st.sampled_from(["2", "3"]), addresses, st.booleans())
def test_a_signature_is_the_one_of_eth_account(
    order: dict[str, Any], version: str, contract: str, nested: bool
) -> None:
    """Every order we send rests on this: a wrong digest would be refused as an invalid signature."""
    message = typed(order, version, contract, nested=nested)
    wanted = Account.sign_message(encode_typed_data(full_message=message), private_key=KEY).signature
    assert SIGNER.sign_typed_data(full_message=message).signature == bytes(wanted)


def test_nothing_but_orders_is_signed() -> None:
    """Typed data of another kind would be hashed by the wrong type."""
    other = {"domain": {"name": "n", "version": "1", "chainId": 137, "verifyingContract": EOA}, "message": {}}
    with pytest.raises(KeyError):
        digest_of(other | {"primaryType": "Permit"})


def test_the_key_is_not_shown() -> None:
    """A signer may end up in somebody's error text."""
    assert "11" * 8 not in repr(SIGNER) + repr(vars(SIGNER))
