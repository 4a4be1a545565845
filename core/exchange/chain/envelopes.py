"""Signed transactions as they come in, and who signed them: relayed ones of the three wallet kinds, and raw ones.

Each kind hashes its content its own way (polymarket-api.md 11): a deposit wallet by EIP-712 ``Batch``, a Safe by
EIP-712 ``SafeTx`` signed as a message, a proxy by a packed hash signed as a message, an EOA by RLP (EIP-155).
"""

from collections.abc import Callable
from typing import Final

import msgspec
import rlp  # type: ignore[import-untyped]
from eth_hash.auto import keccak

from core.exchange.chain import contracts
from core.exchange.chain.contracts import Call, CallError
from core.exchange.signing import CHAIN_ID, SigningError, address_bytes, digest, domain_separator, recover
from core.venue.wallets import wallets_of

RELAY: Final = "0x" + keccak(b"relay of the exchange")[12:].hex()
"""The relayer's own address, which a proxy transaction is bound to."""
SIGNATURE_TYPES: Final = {"EOA": 0, "PROXY": 1, "SAFE": 2, "WALLET": 3}
"""Signature type of each transaction type (polymarket-api.md 3.1)."""
_CALL_HASH: Final = keccak(b"Call(address target,uint256 value,bytes data)")
_BATCH_HASH: Final = keccak(
    b"Batch(address wallet,uint256 nonce,uint256 deadline,Call[] calls)Call(address target,uint256 value,bytes data)"
)
_SAFE_DOMAIN_HASH: Final = keccak(b"EIP712Domain(uint256 chainId,address verifyingContract)")
_SAFE_HASH: Final = keccak(
    b"SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,uint256 gasPrice,"
    b"address gasToken,address refundReceiver,uint256 nonce)"
)
_MESSAGE_HEAD: Final = b"\x19Ethereum Signed Message:\n32"
_SAFE_V_SHIFT: Final = 4
"""A Safe marks a signature over a message, not over a bare hash, by this much on top of ``v``."""
_RAW_FIELDS: Final = 9
_EIP155_V: Final = 35


class EnvelopeError(Exception):
    """A transaction refused on sight; the text is for the sender."""


class _WalletCall(msgspec.Struct, frozen=True):
    target: str
    value: str
    data: str


class _WalletParams(msgspec.Struct, frozen=True):
    depositWallet: str
    deadline: str
    calls: list[_WalletCall]


class _SignatureParams(msgspec.Struct, frozen=True):
    """Those of a Safe and those of a proxy together."""

    gasPrice: str = "0"
    operation: str = "0"
    safeTxnGas: str = "0"
    baseGas: str = "0"
    gasToken: str = "0x" + "00" * 20
    refundReceiver: str = "0x" + "00" * 20
    relayerFee: str = "0"
    gasLimit: str = "0"
    relayHub: str = ""
    relay: str = ""


class Envelope(msgspec.Struct, frozen=True):
    """The body of POST /submit (polymarket-api.md 11)."""

    type: str
    sender: str = msgspec.field(name="from")
    to: str
    nonce: str = ""
    signature: str = ""
    data: str = "0x"
    value: str = "0"
    proxyWallet: str = ""
    signatureParams: _SignatureParams = _SignatureParams()
    depositWalletParams: _WalletParams | None = None


class Batch(msgspec.Struct, frozen=True):
    """Calls whose signature was proven: who wants what done from which wallet."""

    kind: str
    """EOA, PROXY, SAFE or WALLET."""
    owner: str
    """The EOA that signed, lower case."""
    wallet: str
    """The account the calls act on, lower case; the owner itself for an EOA."""
    nonce: int
    calls: tuple[Call, ...]
    deadline_s: int | None = None
    """Unix seconds after which a deposit wallet refuses the batch."""


def open_envelope(envelope: Envelope) -> Batch:
    """Check a relayed transaction's form and signature.

    Raises:
        EnvelopeError: it is malformed, of an unknown type, for another's wallet, or not signed by its sender.
    """
    opener = _OPENERS.get(envelope.type)
    if opener is None:
        raise EnvelopeError(f"invalid transaction type: {envelope.type[:40]}")
    try:
        batch, signed, signature = opener(envelope)
    except CallError as error:
        raise EnvelopeError(f"call blocked: {error}") from error
    except ValueError as error:
        raise EnvelopeError("invalid transaction payload") from error
    if batch.wallet not in (wallet.lower() for wallet in wallets_of(batch.owner, SIGNATURE_TYPES[batch.kind])):
        raise EnvelopeError(f"wallet {batch.wallet} does not belong to {batch.owner}")
    try:
        genuine = recover(signed, signature) == address_bytes(batch.owner)
    except SigningError as error:
        raise EnvelopeError("invalid signature") from error
    if not genuine:
        raise EnvelopeError("invalid signature")
    return batch


def open_raw(raw: bytes) -> Batch:
    """Decode a signed legacy transaction of an EOA and recover who signed it.

    Raises:
        EnvelopeError: it is no legacy transaction, for another chain, or its signature belongs to nobody.
    """
    if not raw or raw[0] <= 0x7F:
        raise EnvelopeError("transaction type not supported")
    try:
        fields = rlp.decode(raw)
    except (rlp.exceptions.RLPException, RecursionError) as error:
        raise EnvelopeError("rlp: malformed transaction") from error
    if len(fields) != _RAW_FIELDS or not all(isinstance(each, bytes) for each in fields):
        raise EnvelopeError("rlp: not a legacy transaction")
    nonce, _, _, to, value, data, v, r, s = fields
    parity = int.from_bytes(v, "big") - _EIP155_V - 2 * CHAIN_ID
    if parity not in (0, 1):
        raise EnvelopeError("invalid chain id for signer")
    if len(to) != 20:
        raise EnvelopeError("contracts cannot be created here")
    unsigned: bytes = rlp.encode([*fields[:6], CHAIN_ID, b"", b""])
    try:
        signature = r.rjust(32, b"\0") + s.rjust(32, b"\0") + bytes((27 + parity,))
        owner = "0x" + recover(keccak(unsigned), signature.hex()).hex()
    except SigningError as error:
        raise EnvelopeError("invalid sender") from error
    call = Call(to="0x" + to.hex(), data=data, value=int.from_bytes(value, "big"))
    return Batch(kind="EOA", owner=owner, wallet=owner, nonce=int.from_bytes(nonce, "big"), calls=(call,))


_Opened = tuple[Batch, bytes, str]
"""A batch, the hash its owner must have signed, and the signature over it with v 27 or 28."""


def _open_wallet(envelope: Envelope) -> _Opened:
    params = envelope.depositWalletParams
    if params is None:
        raise EnvelopeError("missing depositWalletParams")
    if envelope.to.lower() != contracts.DEPOSIT_FACTORY:
        raise EnvelopeError("invalid 'to' field: must be deposit wallet factory")
    calls = tuple(Call(to=_address(c.target), data=_hex(c.data), value=_number(c.value)) for c in params.calls)
    if not calls:
        raise EnvelopeError("no calls")
    batch = Batch(
        kind="WALLET",
        owner=_address(envelope.sender),
        wallet=_address(params.depositWallet),
        nonce=_number(envelope.nonce),
        calls=calls,
        deadline_s=_number(params.deadline),
    )
    hashes = [keccak(_CALL_HASH + _padded(c.to) + _word(c.value) + keccak(c.data)) for c in calls]
    parts = (_word(batch.nonce), _word(_number(params.deadline)), keccak(b"".join(hashes)))
    struct_hash = keccak(_BATCH_HASH + _padded(batch.wallet) + b"".join(parts))
    return batch, digest(domain_separator("DepositWallet", "1", batch.wallet), struct_hash), envelope.signature


def _open_safe(envelope: Envelope) -> _Opened:
    params = envelope.signatureParams
    to, data, value = _address(envelope.to), _hex(envelope.data), _number(envelope.value)
    packed = to == contracts.MULTISEND
    if _number(params.operation) != int(packed):
        raise EnvelopeError("only a multiSend may be a delegate call")
    batch = Batch(
        kind="SAFE",
        owner=_address(envelope.sender),
        wallet=_address(envelope.proxyWallet),
        nonce=_number(envelope.nonce),
        calls=contracts.unpack_multisend(data) if packed else (Call(to=to, data=data, value=value),),
    )
    gas = (params.operation, params.safeTxnGas, params.baseGas, params.gasPrice)
    parts = (
        *(_padded(to), _word(value), keccak(data)),
        *(_word(_number(each)) for each in gas),
        *(_padded(params.gasToken), _padded(params.refundReceiver), _word(batch.nonce)),
    )
    domain = keccak(_SAFE_DOMAIN_HASH + _word(CHAIN_ID) + _padded(batch.wallet))
    signature = _hex(envelope.signature)
    if len(signature) != 65 or signature[64] < _SAFE_V_SHIFT:
        raise EnvelopeError("invalid signature")
    plain = signature[:64] + bytes((signature[64] - _SAFE_V_SHIFT,))
    return batch, _message(digest(domain, keccak(_SAFE_HASH + b"".join(parts)))), plain.hex()


def _open_proxy(envelope: Envelope) -> _Opened:
    params = envelope.signatureParams
    if envelope.to.lower() != contracts.PROXY_FACTORY:
        raise EnvelopeError("invalid 'to' field: must be proxy factory")
    if (params.relay.lower(), params.relayHub.lower()) != (RELAY, contracts.RELAY_HUB):
        raise EnvelopeError("the transaction is bound to another relay")
    data = _hex(envelope.data)
    batch = Batch(
        kind="PROXY",
        owner=_address(envelope.sender),
        wallet=_address(envelope.proxyWallet),
        nonce=_number(envelope.nonce),
        calls=contracts.unpack_proxy(data),
    )
    numbers = (params.relayerFee, params.gasPrice, params.gasLimit, envelope.nonce)
    parts = (
        *(address_bytes(batch.owner), address_bytes(envelope.to), data),
        *(_word(_number(each)) for each in numbers),
        *(address_bytes(params.relayHub), address_bytes(params.relay)),
    )
    return batch, _message(keccak(b"rlx:" + b"".join(parts))), envelope.signature


_OPENERS: Final[dict[str, Callable[[Envelope], _Opened]]] = {
    "WALLET": _open_wallet,
    "SAFE": _open_safe,
    "PROXY": _open_proxy,
}


def _message(hashed: bytes) -> bytes:
    """What a wallet signs when it is given a hash as a message (EIP-191)."""
    return keccak(_MESSAGE_HEAD + hashed)


def _address(text: str) -> str:
    return "0x" + address_bytes(text).hex()


def _padded(address: str) -> bytes:
    return address_bytes(address).rjust(32, b"\0")


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _hex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _number(text: str) -> int:
    """A uint256 in decimal digits."""
    if not (text.isascii() and text.isdigit() and len(text) <= 78) or int(text) > contracts.UNLIMITED:
        raise ValueError(f"no uint256: {text[:80]!r}")
    return int(text)
