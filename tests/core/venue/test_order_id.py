"""The id of an order before it is sent, and the signature of private requests: vectors of other implementations."""

import pytest

from core.venue.l2 import l2_signature
from core.venue.order_id import exchange_of, order_id

EOA = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
DEPOSIT_WALLET = "0x7a57144fAfde87F5cE4a880D570BAe58eeBC83f2"
FIRST_PROTOCOL = int("1" * 77)
SECOND_PROTOCOL = 452312848583266388373324160190187140051835877600158453279131187533793062657
SECRET = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"


@pytest.mark.parametrize(
    ("maker", "signature_type", "token", "neg_risk", "wanted"),
    [
        (EOA, 0, FIRST_PROTOCOL, False, "3f941890d51e668fbde39d49db621d7f7226771c17725cc642a11c4402103fc1"),
        (EOA, 0, FIRST_PROTOCOL, True, "406aac52284aea0ed5fb53566bff6e99b61c0ede9b272ca059706fc83b83bc82"),
        (EOA, 0, SECOND_PROTOCOL, False, "3d95ad3761834b08bac653a6aa67e1ca52e963e1ad022a52fe1a1a3069e0cf83"),
        (DEPOSIT_WALLET, 3, FIRST_PROTOCOL, False, "88baaa41d26d2ca683e1dd4cbd54fe9d706a77b6a5d0427ff5d4a4fb13a4add8"),
    ],
)
def test_order_id_is_the_one_the_venue_gives(
    maker: str, signature_type: int, token: int, neg_risk: bool, wanted: str
) -> None:
    assert (
        order_id(
            salt=123456789,
            maker=maker,
            signer=maker,
            token_id=token,
            maker_amount=4_500_000,
            taker_amount=10_000_000,
            side=0,
            signature_type=signature_type,
            timestamp_ms=1790000000000,
            metadata="0x" + "00" * 32,
            builder="0x" + "00" * 32,
            neg_risk=neg_risk,
        )
        == "0x" + wanted
    )


def test_the_bits_of_a_token_choose_the_exchange_before_its_markets_flag() -> None:
    """polymarket-api.md 2.1, 3.4: a position of the second protocol is never signed for the neg-risk contract."""
    assert [exchange_of(FIRST_PROTOCOL, flag) for flag in (False, True)] == ["v2", "v2_neg_risk"]
    assert [exchange_of(SECOND_PROTOCOL, flag) for flag in (False, True)] == ["v3", "v3"]


@pytest.mark.parametrize(
    ("method", "path", "body", "wanted"),
    [
        ("GET", "/data/orders", "", "hJlNKCTvnXfcBTwH-TS7K42sB6A8TKyvPcmBMyJZ9Z0="),
        ("DELETE", "/order", '{"orderID":"0x01"}', "IK4GtKrdktp58X0JuDWBSoYR_UwasmVbi_wqJYJdwrY="),
    ],
)
def test_request_signature_is_that_of_the_official_clients(method: str, path: str, body: str, wanted: str) -> None:
    assert l2_signature(SECRET, 1790000000, method, path, body) == wanted


def test_secret_without_its_padding_signs_the_same() -> None:
    assert l2_signature("c2VjcmV0MQ", 1, "GET", "/") == l2_signature("c2VjcmV0MQ==", 1, "GET", "/")
