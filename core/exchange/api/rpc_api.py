"""The Polygon JSON-RPC as far as a trading client calls it (polymarket-api.md 11)."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.exchange import intake
from core.exchange.api.host import Host, answer
from core.exchange.chain import contracts
from core.exchange.chain.contracts import CallError
from core.exchange.chain.envelopes import RELAY, SIGNATURE_TYPES, EnvelopeError, open_raw
from core.exchange.chain.transactions import Chain, Refused, Transaction
from core.exchange.lifecycle import Result
from core.exchange.listing import siblings
from core.exchange.signing import CHAIN_ID
from core.units import OUTCOMES
from core.venue.wallets import wallets_of

RPC: Final = "/rpc"
_BLOCK_MS: Final = 2_000
"""Time between two blocks of Polygon."""
_GAS_BASE: Final = 60_000
_GAS_PER_CALL: Final = 180_000
_GAS_PRICE: Final = 30_000_000_000
"""Wei."""
_REVERTED: Final = 3
"""JSON-RPC error codes: a call that reverts, then the node's catch-all, then the standard's own."""
_NODE: Final = -32000
_NO_METHOD: Final = -32601
_BAD_PARAMS: Final = -32602
_BAD_REQUEST: Final = -32600
_BATCH_MOST: Final = 100
_TRANSFER: Final = "0x" + keccak(b"Transfer(address,address,uint256)").hex()


class _RpcError(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class _RpcCall(msgspec.Struct, frozen=True):
    id: int | str | None
    method: str
    params: list[Any] = []


class _CallObject(msgspec.Struct, frozen=True):
    to: str
    data: str = "0x"
    value: str = "0x0"
    sender: str = msgspec.field(name="from", default="0x" + "00" * 20)


class RpcApi:
    """Reads of the chain, and an EOA's own transactions."""

    def __init__(self, host: Host, chain_: Chain) -> None:
        self._host = host
        self._exchange = host.exchange
        self._chain = chain_
        self._methods: dict[str, Callable[[list[Any]], Any]] = {
            "eth_chainId": lambda params: hex(CHAIN_ID),
            "eth_blockNumber": lambda params: hex(self._exchange.now_ms // _BLOCK_MS),
            "eth_getBlockByNumber": self._block,
            "eth_gasPrice": lambda params: hex(_GAS_PRICE),
            "eth_estimateGas": self._estimate,
            "eth_call": self._call,
            "eth_getTransactionCount": self._count,
            "eth_sendRawTransaction": self._send,
            "eth_getTransactionReceipt": self._receipt,
        }
        views: tuple[tuple[str, str, Callable[..., Any]], ...] = (
            ("allowance(address,address)", "uint256", self._allowance),
            ("isApprovedForAll(address,address)", "bool", self._is_approved),
            ("balanceOf(address)", "uint256", self._cash),
            ("balanceOf(address,uint256)", "uint256", self._token_balance),
            ("balanceOfBatch(address[],uint256[])", "uint256[]", self._token_balances),
            ("payoutDenominator(bytes32)", "uint256", self._payout_whole),
            ("payoutNumerators(bytes32,uint256)", "uint256", self._payout_part),
            ("getQuestionCount(bytes32)", "uint256", self._question_count),
        )
        self._views = {contracts.selector(signature): (signature, kind, read) for signature, kind, read in views}

    def routes(self) -> list[Route]:
        """The one route."""
        return [Route(RPC, self._host.public(self._rpc), methods=["POST"])]

    def _rpc(self, request: Request, body: bytes) -> Response:
        """One call, or a list of calls answered in the same order."""
        kind: Any = _RpcCall | list[_RpcCall]
        try:
            calls: _RpcCall | list[_RpcCall] = intake.parse(body, kind)
        except intake.Refused:
            return answer(_failure(None, _RpcError(_BAD_REQUEST, "invalid request")))
        if isinstance(calls, _RpcCall):
            return answer(self._respond(calls))
        if not 1 <= len(calls) <= _BATCH_MOST:
            return answer(_failure(None, _RpcError(_BAD_REQUEST, f"a batch has 1 to {_BATCH_MOST} calls")))
        return answer([self._respond(each) for each in calls])

    def _respond(self, call: _RpcCall) -> dict[str, Any]:
        method = self._methods.get(call.method)
        if method is None:
            return _failure(call.id, _RpcError(_NO_METHOD, f"the method {call.method[:80]} is not available"))
        try:
            return {"jsonrpc": "2.0", "id": call.id, "result": method(call.params)}
        except _RpcError as error:
            return _failure(call.id, error)
        except (msgspec.ValidationError, ValueError, IndexError, AttributeError):
            return _failure(call.id, _RpcError(_BAD_PARAMS, "invalid params"))

    def _block(self, params: list[Any]) -> dict[str, str]:
        """The head only: its number, which must be asked for as ``latest``, and its time in unix seconds."""
        if params[0] != "latest":
            raise ValueError(params[0])
        number = self._exchange.now_ms // _BLOCK_MS
        return {"number": hex(number), "hash": _block_hash(number), "timestamp": hex(self._exchange.now_ms // 1000)}

    def _estimate(self, params: list[Any]) -> str:
        asked = msgspec.convert(params[0], _CallObject)
        call = contracts.Call(to=asked.to.lower(), data=_bytes(asked.data), value=int(asked.value, 16))
        wallet = asked.sender.lower()
        calls: tuple[contracts.Call, ...] = (call,)
        try:
            if call.to == contracts.PROXY_FACTORY:
                wallet = wallets_of(wallet, SIGNATURE_TYPES["PROXY"])[0].lower()
                calls = contracts.unpack_proxy(call.data)
            self._chain.rehearse(wallet, calls)
        except ValueError as error:
            raise _RpcError(_REVERTED, f"execution reverted: {error}") from error
        return hex(_gas(len(calls)))

    def _call(self, params: list[Any]) -> str:
        asked = msgspec.convert(params[0], _CallObject)
        to, data = asked.to.lower(), _bytes(asked.data)
        view = self._views.get(data[:4])
        if view is None:
            raise _RpcError(_REVERTED, "execution reverted: no such function")
        signature, kind, read = view
        try:
            value = read(to, *contracts.arguments(signature, data))
        except CallError as error:
            raise _RpcError(_REVERTED, f"execution reverted: {error}") from error
        return "0x" + abi_encode([kind], [value]).hex()

    def _allowance(self, contract: str, owner: str, spender: str) -> int:
        if contract != contracts.PUSD:
            raise CallError("no such token")
        return self._exchange.approvals.amount(owner, contract, spender)

    def _is_approved(self, contract: str, owner: str, operator: str) -> bool:
        if contract not in (contracts.CTF, contracts.POSITION_MANAGER):
            raise CallError("no such token")
        return self._exchange.approvals.amount(owner, contract, operator) > 0

    def _token_balances(self, contract: str, owners: tuple[str, ...], tokens: tuple[int, ...]) -> list[int]:
        if len(owners) != len(tokens):
            raise CallError("owners and tokens differ in number")
        return [self._token_balance(contract, *each) for each in zip(owners, tokens, strict=True)]

    def _token_balance(self, contract: str, owner: str, token: int) -> int:
        """Micro-shares an account has; tokens of Protocol V2 live in a contract of their own."""
        if contract not in (contracts.CTF, contracts.OLD_NEG_RISK_ADAPTER, contracts.POSITION_MANAGER):
            raise CallError("no such token")
        place = self._exchange.by_token.get(str(token))
        account = self._exchange.ledger.accounts.get(owner)
        if place is None or account is None:
            return 0
        is_v2 = self._exchange.listings[place[0]].plot.version == "v2"
        return account.tokens.get(place, 0) if is_v2 == (contract == contracts.POSITION_MANAGER) else 0

    def _cash(self, contract: str, owner: str) -> int:
        """Micro-dollars of pUSD."""
        if contract != contracts.PUSD:
            raise CallError("no such token")
        account = self._exchange.ledger.accounts.get(owner)
        return 0 if account is None else account.cash

    def _payout_whole(self, contract: str, condition: bytes) -> int:
        """What the parts of a resolved market sum to; 0 while it is not resolved, or not one of this contract's."""
        result = self._result(contract, condition)
        return 0 if result is None else 2 if result == "HALF" else 1

    def _payout_part(self, contract: str, condition: bytes, index: int) -> int:
        result = self._result(contract, condition)
        return 0 if result is None else int(result in ("HALF", OUTCOMES[index]))

    def _question_count(self, contract: str, group: bytes) -> int:
        """Outcomes of a neg-risk event, listed or not; 0 where there is no such event."""
        if contract != contracts.OLD_NEG_RISK_ADAPTER:
            raise CallError("no such function")
        listed = self._exchange.outcomes("0x" + group.hex())
        return max(len(listed), len(siblings(listed[0].plot))) if listed else 0

    def _result(self, contract: str, condition: bytes) -> Result | None:
        if contract != contracts.CTF:
            raise CallError("no such function")
        market = "0x" + condition.hex()
        listing = self._exchange.listings.get(market)
        is_own = listing is not None and listing.plot.version != "v2"
        return self._exchange.results.get(market) if is_own else None

    def _count(self, params: list[Any]) -> str:
        return hex(self._chain.nonce(params[0].lower(), pending=params[1] == "pending"))

    def _send(self, params: list[Any]) -> str:
        raw = _bytes(params[0])
        try:
            return self._chain.send(open_raw(raw), "0x" + keccak(raw).hex()).hash
        except (EnvelopeError, Refused) as error:
            raise _RpcError(_NODE, str(error)) from error

    def _receipt(self, params: list[Any]) -> dict[str, Any] | None:
        made = self._chain.by_hash(params[0])
        if made is None or made.mined_ms is None:
            return None
        return _receipt_body(made, made.mined_ms // _BLOCK_MS)


def _receipt_body(made: Transaction, block: int) -> dict[str, Any]:
    gas = hex(_gas(len(made.batch.calls)))
    is_own = made.batch.kind == "EOA"
    return {
        "transactionHash": made.hash,
        "transactionIndex": "0x0",
        "blockHash": _block_hash(block),
        "blockNumber": hex(block),
        "from": made.batch.owner if is_own else RELAY,
        "to": made.batch.calls[0].to if is_own else made.batch.wallet,
        "contractAddress": None,
        "cumulativeGasUsed": gas,
        "gasUsed": gas,
        "effectiveGasPrice": hex(_GAS_PRICE),
        "logs": _cash_logs(made),
        "logsBloom": "0x" + "00" * 256,
        "status": "0x0" if made.failed else "0x1",
        "type": "0x0",
    }


def _cash_logs(made: Transaction) -> list[dict[str, Any]]:
    """What a transaction moved of the wallet's pUSD, as the token logs it, in one sum; nothing else is logged here."""
    if not made.paid:
        return []
    ends = (contracts.ADAPTER, made.batch.wallet) if made.paid > 0 else (made.batch.wallet, contracts.ADAPTER)
    return [
        {
            "address": contracts.PUSD,
            "topics": [_TRANSFER, *("0x" + address[2:].rjust(64, "0") for address in ends)],
            "data": f"0x{abs(made.paid):064x}",
            "logIndex": "0x0",
            "transactionHash": made.hash,
            "removed": False,
        }
    ]


def _gas(calls: int) -> int:
    return _GAS_BASE + _GAS_PER_CALL * calls


def _block_hash(number: int) -> str:
    return "0x" + keccak(f"block/{number}".encode()).hex()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _failure(call_id: int | str | None, error: _RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call_id, "error": {"code": error.code, "message": str(error)}}
