"""The chain's JSON-RPC as far as it is read here: balances, nonces, receipts, a call (polymarket-api.md 3.6, 11)."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak

from core.errors import VenueRefused
from core.units import Shares, Usd
from core.venue.http import answer_of, http_client, json_of
from core.venue.order_id import exchange_of

PUSD: Final = "0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB"
CONDITIONAL_TOKENS: Final = "0x4D97DCd97eC945f40cF65F87097ACe5EA0476045"
POSITION_MANAGER: Final = "0x006F54F7f9A22e0000CC2AB60031000000ae9fEF"
"""Contracts that hold cash, tokens of the CTF and tokens of Protocol V2 (polymarket-api.md 3.6)."""
_TRANSFER: Final = "0x" + keccak(b"Transfer(address,address,uint256)").hex()
_TIMEOUT_S: Final = 5.0


class _Error(msgspec.Struct, frozen=True):
    """A node's own words are left out: they may quote a key in its address."""

    code: int = 0


class _Answer(msgspec.Struct, frozen=True):
    result: Any = None
    error: _Error | None = None


class _Log(msgspec.Struct, frozen=True):
    address: str
    topics: tuple[str, ...] = ()
    data: str = "0x"


class Receipt(msgspec.Struct, frozen=True):
    """What became of a transaction that is in a block."""

    status: str
    blockNumber: str
    logs: tuple[_Log, ...] = ()

    @property
    def is_success(self) -> bool:
        """It was carried out; else it reverted, and changed nothing but the nonce."""
        return int(self.status, 16) == 1

    @property
    def block(self) -> int:
        """Number of its block."""
        return int(self.blockNumber, 16)

    def received(self, wallet: str) -> Usd:
        """Cash that came to a wallet less what left it, micro-dollars."""
        ours, total = int(wallet, 16), 0
        for log in self.logs:
            if log.address.lower() != PUSD.lower() or len(log.topics) != 3 or log.topics[0].lower() != _TRANSFER:
                continue
            amount = int(log.data, 16)
            total += amount * ((int(log.topics[2], 16) == ours) - (int(log.topics[1], 16) == ours))
        return Usd(total)


class Rpc:
    """One node. Every method raises :class:`core.errors.VenueUnavailable` when it cannot be reached and
    :class:`core.errors.VenueRefused` when it answers with an error or nonsense."""

    def __init__(self, url: str) -> None:
        """Nothing is connected yet; ``url`` may hold a secret of the node's provider and is never shown."""
        self._url = url
        self._client = http_client(url, _TIMEOUT_S)
        self._id = 0

    async def call(self, method: str, *params: Any) -> Any:
        """The result of one method."""
        self._id += 1
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})
        status, raw = await answer_of(
            self._client, "POST", self._url, where=method, content=body, headers={"Content-Type": "application/json"}
        )
        if status != 200:
            raise VenueRefused(f"{method}: status {status}")
        answer: _Answer = json_of(raw, method, _Answer)
        if answer.error is not None:
            raise VenueRefused(f"{method}: refused with code {answer.error.code}")
        return answer.result

    async def view(self, contract: str, signature: str, arguments: Sequence[Any], returns: str) -> Any:
        """What a contract's view function returns.

        Args:
            contract: address.
            signature: such as ``balanceOf(address,uint256)``; no tuples.
            arguments: in order.
            returns: type of the one value returned.
        """
        types = signature[signature.index("(") + 1 : -1].split(",")
        data = keccak(signature.encode())[:4] + abi_encode(types, arguments)
        result = await self.call("eth_call", {"to": contract, "data": "0x" + data.hex()}, "latest")
        try:
            return abi_decode([returns], bytes.fromhex(result.removeprefix("0x")))[0]
        except (AttributeError, ValueError, DecodingError) as error:
            raise VenueRefused(f"{signature}: the answer has another shape") from error

    async def cash(self, wallet: str) -> Usd:
        """pUSD of a wallet, micro-dollars."""
        return Usd(await self.view(PUSD, "balanceOf(address)", [wallet], "uint256"))

    async def holdings(self, wallet: str, tokens: Sequence[str]) -> tuple[Shares, ...]:
        """Micro-shares of these tokens, in their order."""
        found: dict[str, int] = {}
        for contract in (CONDITIONAL_TOKENS, POSITION_MANAGER):
            ids = [token for token in tokens if _contract_of(token) == contract]
            if ids:
                arguments = [[wallet] * len(ids), [int(token) for token in ids]]
                balances = await self.view(contract, "balanceOfBatch(address[],uint256[])", arguments, "uint256[]")
                if len(balances) != len(ids):
                    raise VenueRefused("balanceOfBatch: not as many balances as tokens")
                found |= dict(zip(ids, balances, strict=True))
        return tuple(Shares(found[token]) for token in tokens)

    async def nonce(self, wallet: str, *, pending: bool = False) -> int:
        """Of an EOA's next transaction; with ``pending``, after those in the node's pool."""
        return await self._number("eth_getTransactionCount", wallet, "pending" if pending else "latest")

    async def block_number(self) -> int:
        """Of the newest block."""
        return await self._number("eth_blockNumber")

    async def receipt(self, transaction: str) -> Receipt | None:
        """Of a transaction by its hash; None while it is in no block."""
        result = await self.call("eth_getTransactionReceipt", transaction)
        try:
            return None if result is None else msgspec.convert(result, Receipt)
        except msgspec.ValidationError as error:
            raise VenueRefused("eth_getTransactionReceipt: the answer has another shape") from error

    async def close(self) -> None:
        """Release the connections."""
        await self._client.aclose()

    async def _number(self, method: str, *params: Any) -> int:
        result = await self.call(method, *params)
        try:
            return int(result, 16)
        except (TypeError, ValueError) as error:
            raise VenueRefused(f"{method}: no number") from error


def _contract_of(token: str) -> str:
    """The contract that holds a token's balances (polymarket-api.md 2.1, 3.6)."""
    return POSITION_MANAGER if exchange_of(int(token), neg_risk=False) == "v3" else CONDITIONAL_TOKENS
