"""Order ids, signatures and request headers against the venue's published vectors (polymarket-api.md appendix A)."""

import hashlib

import msgspec
import pytest

from core.exchange import signing
from core.exchange.auth import AuthError, KeyRing, l2_signature
from core.exchange.signing import SignedOrder, SigningError

EOA = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
WALLET = "0x7a57144fAfde87F5cE4a880D570BAe58eeBC83f2"
V3_TOKEN = "452312848583266388373324160190187140051835877600158453279131187533793062657"
INNER = (
    "10166d609c167d033493c90379810e9ae7e53b63814a79dde7df54330bb235a1"
    "3498003ad47dffb4f9674b5394f40126fa7b6bd109907a4943ff6bc6a5173e6b1b"
)
CASES = {
    "v2": (
        "1" * 77,
        signing.DOMAIN_V2,
        "140738c77e85e342e531980f870cb288dc4333a0ca66aabe2453be99c48b711a",
        "3f941890d51e668fbde39d49db621d7f7226771c17725cc642a11c4402103fc1",
        "16de53f07a229065bc349298cc51faa1c6df0ecd93586033580709c3b676e991"
        "151b46b428b743623b83c4a159690a7603b08f304f00f84b07019179676a947e1c",
    ),
    "v2 neg-risk": (
        "1" * 77,
        signing.DOMAIN_V2_NEG_RISK,
        "140738c77e85e342e531980f870cb288dc4333a0ca66aabe2453be99c48b711a",
        "406aac52284aea0ed5fb53566bff6e99b61c0ede9b272ca059706fc83b83bc82",
        "6c405a275a13e9c389b7aaeb6ca4a51859cbcf087471ba464bb55e4b4e04ddb9"
        "3711346c864c5df56c0a8b605cc12ee5d5d499ef43f0cf0dfc88ef336dc5ab221b",
    ),
    "v3": (
        V3_TOKEN,
        signing.DOMAIN_V3,
        "8f94c33e49338fc5182c87625297a86d009e9cc5b9645fde5197298fb4af38d9",
        "3d95ad3761834b08bac653a6aa67e1ca52e963e1ad022a52fe1a1a3069e0cf83",
        "ad33b6c49a35cbeb75419b71c32ff180334e67350e0f20affc56c1866f5f9cbe"
        "19e4333d2b3a721d48e9c101f9d2b0723fdd930ac62c50970031a01150aedccd1b",
    ),
}


def vector(token: str = "1" * 77, wallet: str = EOA, kind: int = 0) -> SignedOrder:
    return SignedOrder(
        salt=123456789,
        maker=wallet,
        signer=wallet,
        tokenId=token,
        makerAmount="4500000",
        takerAmount="10000000",
        side="BUY",
        signatureType=kind,
        timestamp="1790000000000",
        signature="0x",
    )


@pytest.mark.parametrize("case", CASES)
def test_order_id_and_signer_match_the_vectors(case: str) -> None:
    token, domain, struct_hash, order_id, signature = CASES[case]
    made = signing.order_struct_hash(vector(token))
    assert made.hex() == struct_hash
    message = signing.digest(domain, made)
    assert message.hex() == order_id
    assert signing.checksummed(signing.recover(message, "0x" + signature)) == EOA


@pytest.mark.parametrize("case", CASES)
def test_the_domain_follows_from_the_token_and_the_market(case: str) -> None:
    """Protocol V2 positions have an exchange of their own, whether their market is neg-risk or not."""
    token, domain, *_ = CASES[case]
    neg_risk = domain == signing.DOMAIN_V2_NEG_RISK
    assert signing.domain_of(token, neg_risk=neg_risk) == domain
    assert signing.is_v2_position(token) == (case == "v3")
    assert signing.domain_of(V3_TOKEN, neg_risk=True) == signing.DOMAIN_V3
    published = {
        signing.DOMAIN_V2: "3264e159346253e26a64e00b69032db0e7d32f94628de3e6eecb50304d7af3d2",
        signing.DOMAIN_V2_NEG_RISK: "9b858f53327b0bd13af8ec14cfb35234fb9eb7b0504d1a4e61f433840d30e81a",
        signing.DOMAIN_V3: "466c63910185bbd55e8679264200c4e0abdcbb0c6264eb3d41d13326022e095b",
    }
    assert domain.hex() == published[domain]


@pytest.mark.parametrize("case", CASES)
def test_a_signature_counts_only_under_its_own_domain(case: str) -> None:
    token, domain, _, _, signature = CASES[case]
    signed = msgspec.structs.replace(vector(token), signature="0x" + signature)
    struct_hash = signing.order_struct_hash(signed)
    for other in (signing.DOMAIN_V2, signing.DOMAIN_V2_NEG_RISK, signing.DOMAIN_V3):
        assert signing.is_signed(signed, struct_hash, other, EOA) == (other == domain)
    assert not signing.is_signed(signed, struct_hash, domain, WALLET)


def test_deposit_wallet_signs_the_nested_form_but_keeps_the_plain_order_id() -> None:
    made = signing.order_struct_hash(vector(wallet=WALLET, kind=3))
    assert made.hex() == "a1034d3e73e51bf3a841184402fbba6534a044b2d2817ce46808719bbe20dd46"
    plain = signing.digest(signing.DOMAIN_V2, made).hex()
    assert plain == "88baaa41d26d2ca683e1dd4cbd54fe9d706a77b6a5d0427ff5d4a4fb13a4add8"
    nested = signing.nested_digest(signing.DOMAIN_V2, made, WALLET)
    assert nested.hex() == "12ff79771de7953722793aafca682e382e5eabb3f008c09fe58e25c6a2cc3afc"
    assert signing.checksummed(signing.recover(nested, INNER)) == EOA


def test_nested_signature_is_unwrapped_only_for_its_own_order() -> None:
    made = signing.order_struct_hash(vector(wallet=WALLET, kind=3))
    kind = signing.ORDER_TYPE.encode()
    whole = "0x" + INNER + (signing.DOMAIN_V2 + made + kind + len(kind).to_bytes(2, "big")).hex()
    expected = "bb0b8bc15f1489660e2ed39815fabf2552d6e7f2e0b467e97d67d4f66ef2b512"
    assert hashlib.sha256(whole.encode()).hexdigest() == expected
    signed = msgspec.structs.replace(vector(wallet=WALLET, kind=3), signature=whole)
    assert signing.is_signed(signed, made, signing.DOMAIN_V2, EOA)
    assert not signing.is_signed(signed, made, signing.DOMAIN_V3, EOA)
    assert signing.unwrap_nested(whole, signing.DOMAIN_V2, made) == INNER
    with pytest.raises(SigningError):
        signing.unwrap_nested(whole, signing.DOMAIN_V2_NEG_RISK, made)


def test_a_signature_for_the_other_exchange_recovers_a_stranger() -> None:
    message = signing.digest(signing.DOMAIN_V2_NEG_RISK, signing.order_struct_hash(vector()))
    assert signing.checksummed(signing.recover(message, CASES["v2"][4])) != EOA


@pytest.mark.parametrize("signature", ["", "0x12", "zz" * 65, "00" * 65, "ff" * 64 + "1b", CASES["v2"][4][:-2] + "00"])
def test_malformed_signatures_are_refused(signature: str) -> None:
    with pytest.raises(SigningError):
        signing.recover(b"\x01" * 32, signature)


def test_the_second_form_of_a_signature_is_refused() -> None:
    """(r, n - s) with the other v names the same signer, but contracts take the low form only."""
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    message = signing.digest(signing.DOMAIN_V2, signing.order_struct_hash(vector()))
    raw = bytes.fromhex(CASES["v2"][4])
    high = raw[:32] + (order - int.from_bytes(raw[32:64], "big")).to_bytes(32, "big") + bytes((55 - raw[64],))
    with pytest.raises(SigningError, match="canonical"):
        signing.recover(message, high.hex())


@pytest.mark.parametrize(
    "field",
    [
        {"tokenId": "x"},
        {"maker": "0x12"},
        {"side": "HOLD"},
        {"salt": -1},
        {"salt": 2**53},
        {"makerAmount": str(2**256)},
        {"makerAmount": "9" * 5_000},
        {"makerAmount": "-1"},
        {"makerAmount": "+1"},
        {"makerAmount": " 1"},
        {"makerAmount": "1_0"},
        {"makerAmount": "1.0"},
        {"makerAmount": "1e3"},
        {"takerAmount": ""},
        {"takerAmount": "\u0661\u0662"},
        {"timestamp": "soon"},
        {"signer": EOA[:-1] + " "},
        {"signer": "0x" + "g" * 40},
        {"metadata": "0x" + "00" * 33},
        {"builder": "0x"},
    ],
)
def test_malformed_order_fields_are_refused(field: dict[str, object]) -> None:
    with pytest.raises(SigningError):
        signing.order_struct_hash(msgspec.structs.replace(vector(), **field))


def test_l1_headers_prove_the_address() -> None:
    signature = (
        "0x85ca564babee4e457e787f6a6db85d07f12ea4c3b436cbb0d7985b97543f11f5"
        "0a58fb1019b2ba8c4c77d3cc30a2901659b9074b54129b035d545c907c8c5caa1b"
    )
    headers = {"poly_address": EOA.lower(), "poly_signature": signature, "poly_timestamp": "1790000000"}
    ring = KeyRing(1)
    assert ring.check_l1(headers | {"poly_nonce": "0"}, 1790000100.0) == (EOA, 0)
    assert ring.check_l1(headers, 1790000100.0) == (EOA, 0)
    for wrong in ({"poly_nonce": "1"}, {"poly_address": WALLET}, {"poly_timestamp": "1790000001"}, {"poly_nonce": "x"}):
        with pytest.raises(AuthError, match="Invalid L1"):
            ring.check_l1(headers | wrong, 1790000100.0)
    for stamp in ("1790000000.0", "nan", "-1790000000", "1_790_000_000", "", "9" * 400):
        with pytest.raises(AuthError, match="Invalid L1"):
            ring.check_l1(headers | {"poly_timestamp": stamp}, 1790000100.0)
    for skew in (-301, 301):
        with pytest.raises(AuthError):
            ring.check_l1(headers, 1790000000.0 + skew)
    with pytest.raises(AuthError):
        ring.check_l1({}, 1790000000.0)


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/data/orders", b"", "hJlNKCTvnXfcBTwH-TS7K42sB6A8TKyvPcmBMyJZ9Z0="),
        ("DELETE", "/order", b'{"orderID":"0x01"}', "IK4GtKrdktp58X0JuDWBSoYR_UwasmVbi_wqJYJdwrY="),
    ],
)
def test_l2_signature_matches_the_vectors(method: str, path: str, body: bytes, expected: str) -> None:
    secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
    assert l2_signature(secret, "1790000000", method, path, body) == expected


def test_l2_headers_must_be_right_in_every_part() -> None:
    ring = KeyRing(1)
    key = ring.create(EOA, 0)
    assert key is not None
    signature = l2_signature(key.secret, "1790000000", "POST", "/order", b"{}")
    headers = {
        "poly_address": EOA,
        "poly_api_key": key.api_key,
        "poly_passphrase": key.passphrase,
        "poly_timestamp": "1790000000",
        "poly_signature": signature,
    }
    assert ring.check_l2(headers, "POST", "/order", b"{}", 1790000001.0) == key
    for name in headers:
        with pytest.raises(AuthError, match="Unauthorized"):
            ring.check_l2(headers | {name: "1"}, "POST", "/order", b"{}", 1790000001.0)
    with pytest.raises(AuthError):
        ring.check_l2(headers, "POST", "/order", b"{ }", 1790000001.0)
    for skew in (-300, 300):
        assert ring.check_l2(headers, "POST", "/order", b"{}", 1790000000.0 + skew) == key
        with pytest.raises(AuthError):
            ring.check_l2(headers, "POST", "/order", b"{}", 1790000000.0 + 2 * skew)
    for name in headers:
        with pytest.raises(AuthError, match="Unauthorized"):
            ring.check_l2(headers | {name: "\u00e9\u0661"}, "POST", "/order", b"{}", 1790000001.0)
        with pytest.raises(AuthError, match="Unauthorized"):
            ring.check_l2({k: v for k, v in headers.items() if k != name}, "POST", "/order", b"{}", 1790000001.0)


def test_keys_are_made_once_per_address_and_nonce_and_survive_a_restart() -> None:
    ring = KeyRing(7)
    assert ring.derive(EOA, 0) is None
    first = ring.create(EOA, 0)
    assert first is not None and ring.create(EOA.lower(), 0) is None
    assert ring.derive(EOA, 0) == first
    second = ring.create(EOA, 1)
    assert second is not None and second.api_key != first.api_key
    assert ring.of_address(EOA) == [first, second]
    ring.drop(first.api_key)
    assert ring.derive(EOA, 0) is None
    again = KeyRing(7)
    assert again.create(EOA, 0) == first
    assert again.check_socket(first.api_key, first.secret, first.passphrase) == first
    assert again.check_socket(first.api_key, first.secret, "wrong") is None
