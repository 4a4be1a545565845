"""Contract calls, signed envelopes and their effects: what is understood, what refused, what changes and what not."""

import dataclasses
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from eth_abi.abi import encode as abi_encode
from eth_account import Account
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st
from polymarket import calls as official
from polymarket._internal.actions.relayer import approvals, gasless
from polymarket._internal.actions.relayer import calls as builders
from polymarket._internal.actions.relayer.signing.deposit_wallet import sign_deposit_wallet_batch
from polymarket._internal.actions.relayer.signing.proxy import build_proxy_transaction_hash, sign_proxy_message
from polymarket._internal.actions.relayer.signing.safe import sign_safe_transaction
from polymarket._internal.environment import PRODUCTION_CONFIG as CONFIG

from core.exchange.chain import contracts, envelopes
from core.exchange.chain.contracts import Approve, Call, CallError, Merge, Redeem, Split
from core.exchange.chain.envelopes import Batch, Envelope, EnvelopeError, open_envelope, open_raw
from core.exchange.chain.transactions import Chain, Refused
from core.exchange.exchange import Exchange
from core.exchange.plots import PLOTS
from core.units import MICRO, Shares, Usd
from core.venue.wallets import wallets_of

SIGNER = Account.from_key("0x" + "11" * 32)
OTHER = Account.from_key("0x" + "22" * 32)
CASH = 1_000 * MICRO
CONDITION = "0x" + "ab" * 32
NOW_MS = 1_760_000_000_000
KINDS = {"EOA": 0, "PROXY": 1, "SAFE": 2, "WALLET": 3}


def call(made: official.TransactionCall) -> Call:
    """The client's call as the exchange sees it."""
    return Call(to=made.to.lower(), data=bytes.fromhex(made.data[2:]), value=made.value)


def adapter(market: str, what: str, amount: int = 0, *, neg_risk: bool = False) -> official.TransactionCall:
    target = CONFIG.neg_risk_collateral_adapter if neg_risk else CONFIG.collateral_adapter
    common = {"collateral": CONFIG.collateral_token, "condition_id": market}
    if what == "redeem":
        return builders.ctf_redeem_positions_call(ctf=target, **common)
    build = builders.ctf_split_position_call if what == "split" else builders.ctf_merge_positions_call
    return build(target=target, amount=amount, **common)


def approve(spender: str, amount: int) -> official.TransactionCall:
    return builders.erc20_approval_call(token_address=CONFIG.collateral_token, spender=spender, amount=amount)


def approve_all(token: str, operator: str, approved: bool) -> official.TransactionCall:
    return builders.erc1155_set_approval_for_all_call(token_address=token, operator=operator, approved=approved)


def test_the_contracts_and_the_usual_approvals_are_those_of_the_official_client() -> None:
    erc20, erc1155 = approvals._required_trading_approvals(CONFIG)
    needed = [(x.token_address, x.spender) for x in erc20] + [(x.token_address, x.operator) for x in erc1155]
    assert {(token.lower(), spender.lower()) for token, spender in needed} == set(contracts.USUAL_APPROVALS)
    named = (contracts.MULTISEND, contracts.RELAY_HUB, contracts.OLD_NEG_RISK_ADAPTER)
    assert named == tuple(x.lower() for x in (CONFIG.safe_multisend, CONFIG.relay_hub, CONFIG.neg_risk_adapter))


def test_every_call_the_official_client_builds_is_understood() -> None:
    router, padded = CONFIG.protocol_v2_router, "0x" + "ab" * 31 + "00"
    cases = {
        adapter(CONDITION, "split", 5): Split(contracts.ADAPTER, CONDITION, Shares(5)),
        adapter(CONDITION, "split", 6, neg_risk=True): Split(contracts.NEG_RISK_ADAPTER, CONDITION, Shares(6)),
        adapter(CONDITION, "merge", 7): Merge(contracts.ADAPTER, CONDITION, Shares(7)),
        adapter(CONDITION, "redeem"): Redeem(contracts.ADAPTER, CONDITION),
        builders.router_split_call(router=router, condition_id=padded, amount=8): Split(
            contracts.ROUTER, padded, Shares(8)
        ),
        builders.router_merge_call(router=router, condition_id=padded, amount=9): Merge(
            contracts.ROUTER, padded, Shares(9)
        ),
        builders.router_redeem_call(router=router, condition_id=padded, outcome_index=1, amount=3): Redeem(
            contracts.ROUTER, padded, "NO", Shares(3)
        ),
        approve(router, 12): Approve(contracts.PUSD, contracts.ROUTER, 12),
        approve_all(CONFIG.conditional_tokens, router, True): Approve(
            contracts.CTF, contracts.ROUTER, contracts.UNLIMITED
        ),
        approve_all(CONFIG.position_manager, router, False): Approve(contracts.POSITION_MANAGER, contracts.ROUTER, 0),
    }
    for made, effect in cases.items():
        assert contracts.decode(call(made)) == effect


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (
            builders.erc20_transfer_call(token_address=CONFIG.collateral_token, recipient=OTHER.address, amount=1),
            "0xa9",
        ),
        (dataclasses.replace(adapter(CONDITION, "split", 5), value=1), "value"),
        (dataclasses.replace(adapter(CONDITION, "split", 5), to=CONFIG.neg_risk_adapter), "not permitted"),
        (dataclasses.replace(adapter(CONDITION, "split", 5), data="0x"), "not permitted"),
        (dataclasses.replace(adapter(CONDITION, "split", 5), data=adapter(CONDITION, "split", 5).data[:-64]), "fit"),
        (
            builders.ctf_split_position_call(
                target=CONFIG.collateral_adapter, collateral=OTHER.address, condition_id=CONDITION, amount=1
            ),
            "collateral",
        ),
    ],
)
def test_calls_a_trading_wallet_does_not_need_are_refused(made: official.TransactionCall, words: str) -> None:
    """Transfers above all, wrong targets, unknown functions, broken data, another collateral, POL sent along."""
    with pytest.raises(CallError, match=words):
        contracts.decode(call(made))


@given(
    data=st.binary(max_size=300), head=st.sampled_from(["multiSend(bytes)", "proxy((uint8,address,uint256,bytes)[])"])
)
def test_broken_packings_are_refused_and_never_crash(data: bytes, head: str) -> None:
    for unpack in (contracts.unpack_multisend, contracts.unpack_proxy):
        with pytest.raises(CallError):
            unpack(contracts.selector(head) + data)


def test_packed_calls_come_out_as_they_went_in() -> None:
    made = [adapter(CONDITION, "split", 5), approve(OTHER.address, 3)]
    for encode, unpack in (
        (builders.encode_safe_multisend_call, contracts.unpack_multisend),
        (builders.encode_proxy_call, contracts.unpack_proxy),
    ):
        assert unpack(bytes.fromhex(encode(made)[2:])) == tuple(call(each) for each in made)


def wallet_of(kind: str, signer: Any = SIGNER) -> str:
    return wallets_of(signer.address, KINDS[kind])[0]


def relayed(
    kind: str,
    made: list[official.TransactionCall],
    nonce: int = 0,
    signer: Any = SIGNER,
    relay: str = envelopes.RELAY,
) -> dict[str, Any]:
    """The body the official client posts for calls from a wallet of ``SIGNER``, signed by ``signer``."""
    wallet, sender = wallet_of(kind), SIGNER.address
    if kind == "WALLET":
        deadline = str(NOW_MS // 1000 + 600)
        fields = {"wallet": wallet, "calls": made, "nonce": str(nonce), "deadline": deadline}
        return gasless.build_deposit_wallet_payload(
            signer_address=sender, deposit_wallet_factory=CONFIG.wallet_derivation.deposit_wallet_factory,
            signature=sign_deposit_wallet_batch(signer, chain_id=137, **fields), metadata="", **fields,
        )  # fmt: skip
    if kind == "SAFE":
        target, data, value, operation = gasless._resolve_safe_call(CONFIG.safe_multisend, made)
        content = {"data": data, "value": value, "operation": operation, "nonce": str(nonce)}
        signature = sign_safe_transaction(signer, safe_address=wallet, to=target, chain_id=137, **content)
        return gasless.build_safe_payload(
            signer_address=sender, wallet=wallet, target=target, signature=signature, metadata="", **content
        )
    factory, data = CONFIG.wallet_derivation.proxy_factory, builders.encode_proxy_call(made)
    hashed = build_proxy_transaction_hash(
        from_address=sender, to=factory, data=data, relayer_fee="0", gas_price="0", gas_limit="9", nonce=str(nonce),
        relay_hub=CONFIG.relay_hub, relay=relay,
    )  # fmt: skip
    return gasless.build_proxy_payload(
        signer_address=sender, proxy_factory=factory, wallet=wallet, data=data, nonce=str(nonce), gas_limit="9",
        signature=sign_proxy_message(signer, hashed), relay=relay, relay_hub=CONFIG.relay_hub, metadata="",
    )  # fmt: skip


def opened(body: dict[str, Any]) -> Batch:
    return open_envelope(msgspec.convert(body, Envelope))


RELAYED = ["WALLET", "SAFE", "PROXY"]
TWO = [adapter(CONDITION, "split", 5), approve(OTHER.address, 3)]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("kind", RELAYED)
def test_what_the_official_client_signs_is_proven(kind: str, count: int) -> None:
    batch = opened(relayed(kind, TWO[:count], nonce=4))
    assert (batch.kind, batch.owner, batch.wallet) == (kind, SIGNER.address.lower(), wallet_of(kind).lower())
    assert (batch.nonce, batch.calls) == (4, tuple(call(each) for each in TWO[:count]))


def _deeper(body: dict[str, Any], kind: str, **changes: Any) -> dict[str, Any]:
    inner = "depositWalletParams" if kind == "WALLET" else "signatureParams"
    return body | {inner: body[inner] | changes}


FORGERIES: dict[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
    "another nonce": lambda body, kind: body | {"nonce": "1"},
    "another sender": lambda body, kind: body | {"from": OTHER.address},
    "a cut signature": lambda body, kind: body | {"signature": body["signature"][:-2]},
    "no signature": lambda body, kind: body | {"signature": ""},
    "a signature that is no hex": lambda body, kind: body | {"signature": "0x" + "zz" * 65},
    "a nonce that is no number": lambda body, kind: body | {"nonce": "-1"},
    "a nonce too large": lambda body, kind: body | {"nonce": "9" * 78},
    "a type nobody knows": lambda body, kind: body | {"type": "SAFE-CREATE"},
    "another target": lambda body, kind: body | {"to": OTHER.address},
    "another wallet": lambda body, kind: (
        _deeper(body, kind, depositWallet=wallet_of(kind, OTHER))
        if kind == "WALLET"
        else body | {"proxyWallet": wallet_of(kind, OTHER)}
    ),
    "other terms": lambda body, kind: _deeper(
        body, kind, **{"WALLET": {"deadline": "9"}, "SAFE": {"baseGas": "1"}, "PROXY": {"gasLimit": "1"}}[kind]
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("kind", RELAYED)
def test_a_changed_envelope_is_refused(kind: str, forgery: str) -> None:
    """Every signed field counts: nobody moves another's money or replays an old signature."""
    with pytest.raises(EnvelopeError):
        opened(FORGERIES[forgery](relayed(kind, TWO), kind))


@pytest.mark.parametrize("kind", RELAYED)
def test_another_signer_is_refused(kind: str) -> None:
    with pytest.raises(EnvelopeError, match="invalid signature"):
        opened(relayed(kind, TWO, signer=OTHER))


def test_well_signed_delegate_calls_are_refused() -> None:
    """A Safe would run foreign code with its own rights; the same inside a multiSend or a proxy call."""
    target, data = TWO[0].to, TWO[0].data
    content = {"data": data, "value": 0, "operation": 1, "nonce": "0"}
    wallet = wallet_of("SAFE")
    signature = sign_safe_transaction(SIGNER, safe_address=wallet, to=target, chain_id=137, **content)
    body = gasless.build_safe_payload(
        signer_address=SIGNER.address, wallet=wallet, target=target, signature=signature, metadata="", **content
    )
    with pytest.raises(EnvelopeError, match="delegate call"):
        opened(body)
    packed = bytearray.fromhex(builders.encode_safe_multisend_call([TWO[0]])[2:])
    packed[4 + 64] = 1
    with pytest.raises(CallError, match="multiSend"):
        contracts.unpack_multisend(bytes(packed))
    packed = bytearray.fromhex(builders.encode_proxy_call([TWO[0]])[2:])
    packed[4 + 4 * 32 - 1] = 2
    with pytest.raises(CallError, match="delegate call"):
        contracts.unpack_proxy(bytes(packed))


def test_a_proxy_transaction_for_another_relay_is_refused() -> None:
    """Its signature is good there, and there only."""
    with pytest.raises(EnvelopeError, match="bound to another relay"):
        opened(relayed("PROXY", TWO, relay=OTHER.address))


def raw(made: official.TransactionCall, nonce: int = 0, **changes: Any) -> bytes:
    fields = {"to": made.to, "value": made.value, "data": made.data, "gas": 300_000, "gasPrice": 1, "nonce": nonce}
    return bytes(SIGNER.sign_transaction(fields | {"chainId": 137} | changes).raw_transaction)


def test_a_raw_transaction_tells_its_signer() -> None:
    batch = open_raw(raw(TWO[0], nonce=3))
    assert (batch.kind, batch.owner, batch.wallet) == ("EOA", SIGNER.address.lower(), SIGNER.address.lower())
    assert (batch.nonce, batch.calls) == (3, (call(TWO[0]),))


def rlp_head(length: int) -> bytes:
    """How RLP begins a list of so many bytes."""
    if length < 56:
        return bytes((0xC0 + length,))
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((0xF7 + len(digits),)) + digits


def nested(depth: int) -> bytes:
    """Lists within lists, which a recursive reader cannot follow."""
    made = b""
    for _ in range(depth):
        made = rlp_head(len(made)) + made
    return made


def test_raw_transactions_that_are_none_are_refused() -> None:
    good = raw(TWO[0])
    bad = [b"", b"\x02" + good, good[:-1], good + b"\0", raw(TWO[0], chainId=1), bytes.fromhex("c0"), nested(3_000)]
    for broken in bad:
        with pytest.raises(EnvelopeError):
            open_raw(broken)


@given(st.binary(max_size=200))
def test_random_bytes_are_no_transaction(data: bytes) -> None:
    with pytest.raises(EnvelopeError):
        open_raw(data)


class Room:
    """An exchange without sockets and its chain."""

    def __init__(self) -> None:
        self.exchange = Exchange(seed=1, markets=8, now_ms=NOW_MS, auto_cash=Usd(CASH))
        self.chain = Chain(self.exchange)
        listings = self.exchange.listings.values()
        self.market = next(
            x.instrument.market for x in listings if not x.instrument.neg_risk and x.plot.version == "v1"
        )

    def relay(self, kind: str, made: list[official.TransactionCall], nonce: int = 0) -> Any:
        return self.chain.relay(opened(relayed(kind, made, nonce)), "key")

    def pass_time(self, seconds: float = 10) -> None:
        self.exchange.step(self.exchange.now_ms + round(seconds * 1000))
        self.exchange.ledger.check()

    def holdings(self, kind: str) -> tuple[int, int, int]:
        account = self.exchange.ledger.account(wallet_of(kind))
        return account.cash, account.tokens.get((self.market, "YES"), 0), account.tokens.get((self.market, "NO"), 0)


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.mark.parametrize("kind", RELAYED)
def test_a_batch_happens_whole_or_not_at_all(room: Room, kind: str) -> None:
    """The third call fails when the second has spent the money: the first two leave no trace."""
    half = adapter(room.market, "split", CASH // 2)
    bad = room.relay(kind, [half, half, adapter(room.market, "split", 1)])
    room.pass_time()
    assert (bad.state, room.holdings(kind)) == ("STATE_FAILED", (CASH, 0, 0))
    assert bad.error == "execution reverted: not enough free cash to split"
    again = 1 if kind == "PROXY" else 0
    good = room.relay(kind, [half, adapter(room.market, "merge", 10), half], again)
    room.pass_time()
    assert (good.state, room.holdings(kind)) == ("STATE_CONFIRMED", (10, CASH - 10, CASH - 10))


def test_states_advance_on_the_exchanges_clock_and_effects_come_with_the_block(room: Room) -> None:
    made = room.relay("WALLET", [adapter(room.market, "split", MICRO)])
    seen = [(made.state, room.chain.by_hash(made.hash) is made, room.holdings("WALLET")[1])]
    for _ in range(200):
        room.pass_time(0.05)
        now = (made.state, room.chain.by_hash(made.hash) is made, room.holdings("WALLET")[1])
        seen += [now] if now != seen[-1] else []
    assert seen == [
        ("STATE_NEW", False, 0),
        ("STATE_EXECUTED", True, 0),
        ("STATE_MINED", True, MICRO),
        ("STATE_CONFIRMED", True, MICRO),
    ]


def test_one_batch_at_a_time_and_nonces_in_order(room: Room) -> None:
    split = [adapter(room.market, "split", MICRO)]
    with pytest.raises(Refused, match="batch nonce 1 does not match on-chain nonce 0"):
        room.relay("WALLET", split, 1)
    room.relay("WALLET", split)
    with pytest.raises(Refused, match="wallet busy: active action"):
        room.relay("WALLET", split, 1)
    room.relay("SAFE", split)
    room.pass_time()
    with pytest.raises(Refused, match="batch nonce 0 does not match on-chain nonce 1"):
        room.relay("WALLET", split)
    room.relay("WALLET", split, 1)
    room.pass_time()
    assert room.holdings("WALLET") == (CASH - 2 * MICRO, 2 * MICRO, 2 * MICRO)
    assert room.exchange.ledger.account(wallet_of("WALLET")).shown == wallet_of("WALLET")


def test_a_batch_with_a_blocked_call_is_not_taken(room: Room) -> None:
    with pytest.raises(Refused, match=r"call blocked: call\[1\] blocked: .* not permitted"):
        room.relay("WALLET", [adapter(room.market, "split", 1), dataclasses.replace(TWO[0], to=OTHER.address)])


def test_a_deadline_that_passes_before_sending_invalidates_and_later_refuses(room: Room) -> None:
    room.exchange.step(NOW_MS + 600_000)
    late = room.relay("WALLET", [adapter(room.market, "split", MICRO)])
    room.pass_time()
    assert (late.state, room.holdings("WALLET")) == ("STATE_INVALID", (CASH, 0, 0))
    assert room.chain.by_hash(late.hash) is None
    with pytest.raises(Refused, match="deadline"):
        room.relay("WALLET", [adapter(room.market, "split", MICRO)])


def test_a_deadline_that_passes_before_the_block_reverts(room: Room) -> None:
    room.exchange.step(NOW_MS + 599_000)
    late = room.relay("WALLET", [adapter(room.market, "split", MICRO)])
    room.pass_time()
    assert (late.state, late.error) == ("STATE_FAILED", "execution reverted: the deadline has passed")
    assert room.holdings("WALLET") == (CASH, 0, 0) and room.chain.nonce(wallet_of("WALLET").lower()) == 0


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (lambda room: adapter(CONDITION, "split", 1), "no such condition"),
        (lambda room: adapter(room.market, "split", 1, neg_risk=True), "another contract"),
        (lambda room: adapter(room.market, "split", 0), "nothing to split"),
        (lambda room: adapter(room.market, "split", 2**256 - 1), "not approved|not enough free cash"),
        (lambda room: adapter(room.market, "merge", 1), "not enough free tokens"),
        (lambda room: adapter(room.market, "redeem"), "not resolved"),
    ],
)
def test_what_the_contracts_would_revert_fails_and_changes_nothing(
    room: Room, what: Callable[[Room], official.TransactionCall], words: str
) -> None:
    batch = open_raw(raw(what(room)))
    with pytest.raises(ValueError, match=words):
        room.chain.rehearse(batch.wallet, batch.calls)
    made = room.chain.send(batch, "0x01")
    room.pass_time()
    assert made.state == "STATE_FAILED" and room.holdings("EOA") == (CASH, 0, 0)
    assert room.chain.nonce(batch.wallet) == 1, "a reverted transaction of an EOA uses its nonce up"


def test_own_transactions_queue_by_nonce(room: Room) -> None:
    """Two in a row are mined in order, whatever the delays; a gap, a repetition and a replay are refused."""
    amounts = (MICRO, 2 * MICRO, 3 * MICRO)
    batches = [open_raw(raw(adapter(room.market, "split", amount), n)) for n, amount in enumerate(amounts)]
    sent = [room.chain.send(batches[n], f"0x{n}") for n in (0, 1)]
    with pytest.raises(Refused, match="already known"):
        room.chain.send(batches[0], "0x0")
    with pytest.raises(Refused, match="nonce too low: next nonce 2, tx nonce 0"):
        room.chain.send(batches[0], "0x9")
    with pytest.raises(Refused, match="nonce too high"):
        room.chain.send(open_raw(raw(TWO[0], 3)), "0x8")
    assert (room.chain.nonce(batches[0].wallet), room.chain.nonce(batches[0].wallet, pending=True)) == (0, 2)
    room.pass_time()
    assert [made.state for made in sent] == ["STATE_CONFIRMED"] * 2
    assert sent[0].mined_ms is not None and sent[1].mined_ms is not None and sent[0].mined_ms <= sent[1].mined_ms
    assert room.holdings("EOA")[1] == 3 * MICRO


def test_approvals_start_granted_bind_the_contracts_and_are_used_up(room: Room) -> None:
    """Without its approval an adapter takes nothing; a limited one of pUSD shrinks; one batch may grant and use it."""
    given, wallet = room.exchange.approvals, wallet_of("WALLET").lower()
    assert given.amount(wallet, contracts.PUSD, contracts.ADAPTER) == contracts.UNLIMITED
    assert given.amount(wallet, contracts.PUSD, OTHER.address.lower()) == 0
    split, merge = adapter(room.market, "split", 5), adapter(room.market, "merge", 1)
    room.relay("WALLET", [approve(CONFIG.collateral_adapter, 7), split])
    room.pass_time()
    assert given.amount(wallet, contracts.PUSD, contracts.ADAPTER) == 2
    failed = room.relay("WALLET", [split], 1)
    room.pass_time()
    assert failed.state == "STATE_FAILED" and "not approved" in failed.error
    failed = room.relay("WALLET", [approve_all(CONFIG.conditional_tokens, CONFIG.collateral_adapter, False), merge], 1)
    room.pass_time()
    assert (
        failed.state == "STATE_FAILED" and given.amount(wallet, contracts.CTF, contracts.ADAPTER) == contracts.UNLIMITED
    )
    done = room.relay("WALLET", [approve(CONFIG.collateral_adapter, 2**256 - 1), split, merge], 1)
    room.pass_time()
    assert done.state == "STATE_CONFIRMED" and room.holdings("WALLET") == (CASH - 9, 9, 9)
    assert given.amount(wallet, contracts.PUSD, contracts.ADAPTER) == contracts.UNLIMITED


CHAIR = tuple(number for number, plot in enumerate(PLOTS) if plot.event == PLOTS[-1].event)


def convert(group: str, index_set: int, amount: int, target: str = CONFIG.neg_risk_collateral_adapter) -> Any:
    data = keccak(b"convertPositions(bytes32,uint256,uint256)")[:4] + abi_encode(
        ["bytes32", "uint256", "uint256"], [bytes.fromhex(group[2:]), index_set, amount]
    )
    return official.TransactionCall(to=target, data="0x" + data.hex())


def test_no_of_two_outcomes_becomes_yes_of_the_third_and_a_dollar() -> None:
    """The index set names outcomes by the last byte of their question ids; the activity carries the transaction."""
    exchange = Exchange(seed=1, markets=CHAIR, now_ms=NOW_MS, auto_cash=Usd(CASH))
    room, wallet = Chain(exchange), wallet_of("SAFE").lower()
    listings = list(exchange.listings.values())
    group = listings[0].neg_risk_market_id
    splits = [adapter(each.instrument.market, "split", 7 * MICRO, neg_risk=True) for each in listings]
    made = room.relay(opened(relayed("SAFE", [*splits, convert(group, 0b101, 5 * MICRO)], 0)), "key")
    exchange.step(NOW_MS + 10_000)
    assert made.state == "STATE_CONFIRMED" and made.paid == -16 * MICRO
    held = exchange.ledger.account(wallet)
    assert held.cash == CASH - 16 * MICRO
    assert [[held.tokens[(each.instrument.market, o)] // MICRO for o in ("YES", "NO")] for each in listings] == [
        [7, 2], [12, 7], [7, 2],
    ]  # fmt: skip
    newest = next(iter(exchange.history.entries(wallet)))
    assert (newest.kind, newest.shares, newest.cash, newest.transaction_hash) == (
        "CONVERSION", 5 * MICRO, 5 * MICRO, made.hash,
    )  # fmt: skip
    exchange.ledger.check()


@pytest.mark.parametrize(
    ("index_set", "amount", "words"),
    [
        (0b011, 8 * MICRO, "not enough free tokens to convert"),
        (0b000, MICRO, "not enough free tokens to convert"),
        (0b1001, MICRO, "has not that many"),
        (0b011, 0, "nothing to split, merge or convert"),
    ],
)
def test_a_conversion_that_cannot_be_reverts(index_set: int, amount: int, words: str) -> None:
    exchange = Exchange(seed=1, markets=CHAIR, now_ms=NOW_MS, auto_cash=Usd(CASH))
    room, wallet = Chain(exchange), wallet_of("EOA").lower()
    exchange.admit(wallet)
    markets = list(exchange.listings)
    for market in markets:
        exchange.split(wallet, market, Shares(7 * MICRO))
    group = exchange.listings[markets[0]].neg_risk_market_id
    with pytest.raises(ValueError, match=words):
        room.rehearse(wallet, [call(convert(group, index_set, amount))])
    with pytest.raises(ValueError, match="not all of its outcomes are listed"):
        room.rehearse(wallet, [call(convert("0x" + "ab" * 32, 0b011, MICRO))])
    with pytest.raises(CallError, match="not permitted"):
        room.rehearse(wallet, [call(convert(group, 0b011, MICRO, CONFIG.collateral_adapter))])
    exchange.resolve(markets[2], "NO")
    with pytest.raises(ValueError, match="an outcome of the event is resolved"):
        room.rehearse(wallet, [call(convert(group, 0b011, MICRO))])
    exchange.ledger.check()


def test_an_event_with_outcomes_that_are_not_listed_cannot_be_converted() -> None:
    exchange = Exchange(seed=1, markets=CHAIR[:2], now_ms=NOW_MS, auto_cash=Usd(CASH))
    group = next(iter(exchange.listings.values())).neg_risk_market_id
    with pytest.raises(ValueError, match="not all of its outcomes are listed"):
        exchange.sides(group, 0b01)


def test_the_same_seed_gives_the_same_ids_and_times() -> None:
    def run() -> list[Any]:
        room = Room()
        made = [room.relay(kind, [adapter(room.market, "split", MICRO)]) for kind in RELAYED]
        room.pass_time()
        return [(each.transaction_id, each.hash, each.mined_ms) for each in made]

    assert run() == run()
