"""The derived wallets are those the official client derives."""

import pytest
from polymarket._internal import wallet as official
from polymarket._internal.environment import PRODUCTION_CONFIG

from core.venue.wallets import wallets_of

EOA = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
OTHER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


@pytest.mark.parametrize("owner", [EOA, OTHER])
def test_every_kind_matches_the_official_client(owner: str) -> None:
    config = PRODUCTION_CONFIG.wallet_derivation
    assert wallets_of(owner.lower(), 0) == (owner,)
    assert wallets_of(owner, 1) == (official.derive_proxy_wallet_address(owner, config),)
    assert wallets_of(owner, 2) == (official.derive_safe_wallet_address(owner, config),)
    assert wallets_of(owner, 3) == (
        official.derive_uups_deposit_wallet_address(owner, config),
        official.derive_beacon_deposit_wallet_address(owner, config),
    )
    assert wallets_of(owner, 4) == ()


def test_the_deposit_wallet_of_the_vectors_is_found() -> None:
    assert "0x7a57144fAfde87F5cE4a880D570BAe58eeBC83f2" in wallets_of(EOA, 3)
