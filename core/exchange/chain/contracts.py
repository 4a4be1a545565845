"""What a contract call means for positions and approvals (polymarket-api.md 3.6, 11).

Only calls a trading wallet needs are understood: split, merge and redeem through the two adapters and the Router,
convert through the neg-risk adapter, and approvals. Anything else is refused, transfers first of all: no money leaves
the exchange.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak

from core.exchange.signing import EXCHANGE, EXCHANGE_V3, NEG_RISK_EXCHANGE
from core.units import Outcome, Shares

PUSD: Final = "0xc011a7e12a19f7b1f670d46f03b03f3342e82dfb"
CTF: Final = "0x4d97dcd97ec945f40cf65f87097ace5ea0476045"
POSITION_MANAGER: Final = "0x006f54f7f9a22e0000cc2ab60031000000ae9fef"
OLD_NEG_RISK_ADAPTER: Final = "0xd91e80cf2e7be2e162c6513ced06f1dd0da35296"
"""Answers balance reads of neg-risk tokens; nothing may be sent to it."""
ADAPTER: Final = "0xada100db00ca00073811820692005400218fce1f"
NEG_RISK_ADAPTER: Final = "0xada2005600dec949baf300f4c6120000bdb6eaab"
ROUTER: Final = "0x12121212006e4cd160d18e3f00711da5c3372600"
MULTISEND: Final = "0xa238cbeb142c10ef7ad8442c6d1f9e89e07e7761"
DEPOSIT_FACTORY: Final = "0x00000000000fb5c9adea0298d729a0cb3823cc07"
PROXY_FACTORY: Final = "0xab45c5a4b0c941a2f231c04c3f49182e1a254052"
RELAY_HUB: Final = "0xd216153c06e857cd7f72665e0af1d7d82172f494"
_AUTO_REDEEMER: Final = "0xa1200000d0002264c9a1698e001292d00e1b00af"
_BINARY_MODULE: Final = "0x1000008dd9001b968442c1000017eae6e0da00ba"
_NEG_RISK_MODULE: Final = "0x200000900045e3b6259600682756002200028933"
_PERPS_DEPOSIT: Final = "0xdca4af75705dbb50f62437045aff9921947917d2"

UNLIMITED: Final = 2**256 - 1
USUAL_APPROVALS: Final = (
    *((PUSD, each) for each in (EXCHANGE, NEG_RISK_EXCHANGE, ADAPTER, NEG_RISK_ADAPTER, ROUTER)),
    *((PUSD, each) for each in (EXCHANGE_V3, _PERPS_DEPOSIT)),
    *((CTF, each) for each in (EXCHANGE, NEG_RISK_EXCHANGE, ADAPTER, NEG_RISK_ADAPTER)),
    *((CTF, each) for each in (_AUTO_REDEEMER, _BINARY_MODULE, _NEG_RISK_MODULE)),
    *((POSITION_MANAGER, each) for each in (ROUTER, EXCHANGE_V3, _AUTO_REDEEMER)),
)
"""Token and spender of every approval a trading wallet needs (polymarket-api.md 3.6; the last of pUSD: the client)."""
_TOKEN_OF: Final = {ADAPTER: CTF, NEG_RISK_ADAPTER: CTF, ROUTER: POSITION_MANAGER}
"""The token contract whose positions each of the three converting contracts takes."""


class CallError(ValueError):
    """A call that is not understood or not allowed; the text says which and why."""


class Call(msgspec.Struct, frozen=True):
    """One contract call."""

    to: str
    """Lower case."""
    data: bytes
    value: int = 0
    """Wei of POL sent along."""


class Split(msgspec.Struct, frozen=True):
    """Turn pUSD into as many YES and NO tokens."""

    contract: str
    market: str
    sets: Shares


class Merge(msgspec.Struct, frozen=True):
    """Turn as many YES and NO tokens back into pUSD."""

    contract: str
    market: str
    sets: Shares


class Redeem(msgspec.Struct, frozen=True):
    """Cash in tokens of a resolved market: everything held, or a number of one outcome's tokens."""

    contract: str
    market: str
    outcome: Outcome | None = None
    tokens: Shares | None = None


class Convert(msgspec.Struct, frozen=True):
    """Turn NO of some outcomes of a neg-risk event into YES of all others and pUSD."""

    contract: str
    group: str
    """The event's neg-risk market id."""
    index_set: int
    """Bit i stands for outcome i whose NO is given."""
    sets: Shares


class Approve(msgspec.Struct, frozen=True):
    """Let a spender take tokens; for an ERC-1155 token the amount is all or nothing."""

    token: str
    spender: str
    amount: int


Effect = Split | Merge | Redeem | Convert | Approve
_Reader = Callable[[str, tuple[Any, ...]], Effect]


def token_taken_by(contract: str) -> str:
    """The token contract whose positions an adapter or the Router takes when it merges, redeems or converts."""
    return _TOKEN_OF[contract]


def selector(signature: str) -> bytes:
    """The first four bytes of a call's data."""
    return keccak(signature.encode())[:4]


def arguments(signature: str, data: bytes) -> tuple[Any, ...]:
    """The arguments of a call whose data begins with that signature's selector.

    Raises:
        CallError: the data do not fit the signature.
    """
    inside = signature[signature.index("(") + 1 : -1]
    try:
        return abi_decode(_types(inside), data[4:])
    except (DecodingError, OverflowError) as error:
        raise CallError(f"the data do not fit {signature}") from error


def decode(call: Call) -> Effect:
    """What a call does.

    Raises:
        CallError: the target, the function or an argument is not one of those a trading wallet needs.
    """
    if call.value:
        raise CallError(f"calls to {call.to} may not carry value")
    table = _FUNCTIONS.get(call.to)
    if table is None:
        raise CallError(f"calls to {call.to} are not permitted")
    entry = table.get(call.data[:4])
    if entry is None:
        raise CallError(f"function 0x{call.data[:4].hex()} of {call.to} is not permitted")
    signature, read = entry
    return read(call.to, arguments(signature, call.data))


_MULTISEND: Final = "multiSend(bytes)"
_PROXY: Final = "proxy((uint8,address,uint256,bytes)[])"
_PROXY_CALL: Final = 1
_SEND_HEAD: Final = 1 + 20 + 32 + 32


def unpack_multisend(data: bytes) -> tuple[Call, ...]:
    """The calls packed into a Safe's ``multiSend``.

    Raises:
        CallError: the packing is broken, empty, or a part of it is a delegate call.
    """
    if data[:4] != selector(_MULTISEND):
        raise CallError("not a multiSend")
    packed: bytes = arguments(_MULTISEND, data)[0]
    calls = []
    while packed:
        length = int.from_bytes(packed[_SEND_HEAD - 32 : _SEND_HEAD], "big")
        if len(packed) < _SEND_HEAD + length or packed[0] != 0:
            raise CallError("a broken multiSend")
        inner = packed[_SEND_HEAD : _SEND_HEAD + length]
        calls.append(Call(to="0x" + packed[1:21].hex(), data=inner, value=int.from_bytes(packed[21:53], "big")))
        packed = packed[_SEND_HEAD + length :]
    return _some(calls)


def unpack_proxy(data: bytes) -> tuple[Call, ...]:
    """The calls packed into the proxy factory's ``proxy``.

    Raises:
        CallError: the packing is broken, empty, or a part of it is a delegate call.
    """
    if data[:4] != selector(_PROXY):
        raise CallError("not a proxy call")
    parts = arguments(_PROXY, data)[0]
    if any(kind != _PROXY_CALL for kind, *_ in parts):
        raise CallError("a delegate call")
    return _some([Call(to=to, data=inner, value=value) for _, to, value, inner in parts])


def _some(calls: list[Call]) -> tuple[Call, ...]:
    if not calls:
        raise CallError("no calls")
    return tuple(calls)


def _types(inside: str) -> list[str]:
    """The types of an argument list; commas inside a tuple do not part them."""
    parts, depth = [""], 0
    for letter in inside:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _condition(collateral: str, parent: bytes, condition: bytes, sets: tuple[int, ...]) -> str:
    """The market of an adapter call, whose other arguments can have one value only."""
    if (collateral, parent, sorted(sets)) != (PUSD, bytes(32), [1, 2]):
        raise CallError("the collateral, parent or partition is not the one of a binary market")
    return "0x" + condition.hex()


def _padded(condition: bytes) -> str:
    """A market's id as the APIs spell the 31-byte condition of Protocol V2 (polymarket-api.md 2.1)."""
    return "0x" + condition.hex() + "00"


def _adapter_split(contract: str, args: tuple[Any, ...]) -> Effect:
    return Split(contract=contract, market=_condition(*args[:4]), sets=Shares(args[4]))


def _adapter_merge(contract: str, args: tuple[Any, ...]) -> Effect:
    return Merge(contract=contract, market=_condition(*args[:4]), sets=Shares(args[4]))


def _adapter_redeem(contract: str, args: tuple[Any, ...]) -> Effect:
    return Redeem(contract=contract, market=_condition(*args))


def _adapter_convert(contract: str, args: tuple[Any, ...]) -> Effect:
    group, index_set, sets = args
    return Convert(contract=contract, group="0x" + group.hex(), index_set=index_set, sets=Shares(sets))


def _router_split(contract: str, args: tuple[Any, ...]) -> Effect:
    return Split(contract=contract, market=_padded(args[0]), sets=Shares(args[1]))


def _router_merge(contract: str, args: tuple[Any, ...]) -> Effect:
    return Merge(contract=contract, market=_padded(args[0]), sets=Shares(args[1]))


def _router_redeem(contract: str, args: tuple[Any, ...]) -> Effect:
    condition, index, tokens = args
    if index not in (0, 1):
        raise CallError(f"no outcome has the index {index}")
    outcome: Outcome = "NO" if index else "YES"
    return Redeem(contract=contract, market=_padded(condition), outcome=outcome, tokens=Shares(tokens))


def _approve(contract: str, args: tuple[Any, ...]) -> Effect:
    return Approve(token=contract, spender=args[0], amount=args[1])


def _approve_all(contract: str, args: tuple[Any, ...]) -> Effect:
    return Approve(token=contract, spender=args[0], amount=UNLIMITED if args[1] else 0)


def _table(*entries: tuple[str, _Reader]) -> dict[bytes, tuple[str, _Reader]]:
    return {selector(signature): (signature, read) for signature, read in entries}


_ADAPTER_TABLE: Final = _table(
    ("splitPosition(address,bytes32,bytes32,uint256[],uint256)", _adapter_split),
    ("mergePositions(address,bytes32,bytes32,uint256[],uint256)", _adapter_merge),
    ("redeemPositions(address,bytes32,bytes32,uint256[])", _adapter_redeem),
)
_CONVERT_TABLE: Final = _table(("convertPositions(bytes32,uint256,uint256)", _adapter_convert))
_TOKEN_TABLE: Final = _table(("setApprovalForAll(address,bool)", _approve_all))
_FUNCTIONS: Final = {
    ADAPTER: _ADAPTER_TABLE,
    NEG_RISK_ADAPTER: _ADAPTER_TABLE | _CONVERT_TABLE,
    ROUTER: _table(
        ("split(bytes31,uint256)", _router_split),
        ("merge(bytes31,uint256)", _router_merge),
        ("redeem(bytes31,uint256,uint256)", _router_redeem),
    ),
    PUSD: _table(("approve(address,uint256)", _approve)),
    CTF: _TOKEN_TABLE,
    POSITION_MANAGER: _TOKEN_TABLE,
}
