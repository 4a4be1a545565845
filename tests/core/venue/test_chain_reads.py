"""Reads of the chain: what is encoded, what is believed, and what an incomplete answer costs."""

from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
from eth_abi.abi import decode, encode

from core.clock import ManualClock
from core.errors import VenueError
from core.venue.chain_reads import TOKENS_PER_CALL, ChainReads
from core.venue.rpc import CONDITIONAL_TOKENS, POSITION_MANAGER, PUSD, Rpc
from tests.builders import NO, YES, shares, usd

WALLET = "0x" + "ab" * 20
URL = "http://node.test/v2/a-secret-key"
V2_TOKEN = str(int("01" + "55" * 17 + "00" * 14, 16))
"""Bits 40 to 103 are zero (polymarket-api.md 2.1)."""
MARKET, PADDED = "0x" + "c1" * 32, "0x" + "c1" * 31 + "00"
CASH, BATCH, WHOLE, PART = "70a08231", "4e1273f4", "dd34de67", "0504c814"
"""Selectors of balanceOf(address), balanceOfBatch, payoutDenominator and payoutNumerators."""


class Node:
    """Answers calls out of a table of balances and payouts; counts what it is asked."""

    def __init__(self, **balances: int) -> None:
        self.cash = usd(12.5)
        self.shares = {YES: shares(3), NO: shares(0.000001), V2_TOKEN: shares(8)}
        self.parts: dict[str, tuple[int, int]] = {}
        self.fails: set[str] = set()
        self.asked: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        call = msgspec.json.decode(request.content)
        assert str(request.url) == URL and call["method"] == "eth_call" and call["params"][1] == "latest"
        to, data = call["params"][0]["to"], call["params"][0]["data"]
        name, arguments = data[2:10], bytes.fromhex(data[10:])
        self.asked.append((to, name))
        if name in self.fails:
            return httpx.Response(200, json={"jsonrpc": "2.0", "id": call["id"], "error": {"code": 3, "message": URL}})
        result = self._result(to, name, arguments)
        return httpx.Response(200, json={"jsonrpc": "2.0", "id": call["id"], "result": "0x" + result.hex()})

    def _result(self, to: str, name: str, arguments: bytes) -> bytes:
        if name == CASH:
            assert to == PUSD and decode(["address"], arguments) == (WALLET,)
            return encode(["uint256"], [self.cash])
        if name == BATCH:
            owners, tokens = decode(["address[]", "uint256[]"], arguments)
            assert set(owners) == {WALLET} and len(owners) == len(tokens)
            return encode(["uint256[]"], [[self.shares.get(str(token), 0) for token in tokens]])
        assert to == CONDITIONAL_TOKENS
        market = "0x" + arguments[:32].hex()
        parts = self.parts.get(market, (0, 0))
        if name == WHOLE:
            return encode(["uint256"], [sum(parts)])
        assert name == PART
        return encode(["uint256"], [parts[int.from_bytes(arguments[32:])]])


def reads(answer: Callable[[httpx.Request], httpx.Response]) -> ChainReads:
    rpc = Rpc(URL)
    rpc._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return ChainReads(rpc, WALLET, ManualClock(monotonic=50.0))


async def test_cash_and_shares_of_both_kinds_are_read_where_they_are_kept() -> None:
    node = Node()
    read = await reads(node).balances([YES, V2_TOKEN, NO, "77"])
    assert (read.cash, read.complete, read.problem, read.asked_s) == (usd(12.5), True, "", 50.0)
    assert dict(read.holdings) == {YES: shares(3), NO: 1, V2_TOKEN: shares(8), "77": 0}
    assert sorted(node.asked) == sorted([(PUSD, CASH), (CONDITIONAL_TOKENS, BATCH), (POSITION_MANAGER, BATCH)])


async def test_many_tokens_go_in_few_calls() -> None:
    node = Node()
    read = await reads(node).balances([str(number) for number in range(1, TOKENS_PER_CALL + 2)])
    assert read.complete and len(read.holdings) == TOKENS_PER_CALL + 1
    assert len(node.asked) == 3
    assert (await reads(node).balances(())).holdings == ()


@pytest.mark.parametrize(("fails", "cash", "count"), [(CASH, None, 1), (BATCH, usd(12.5), 0)])
async def test_what_cannot_be_read_is_said_and_costs_nothing_else(fails: str, cash: Any, count: int) -> None:
    node = Node()
    node.fails.add(fails)
    read = await reads(node).balances([YES])
    assert (read.cash, len(read.holdings), read.complete) == (cash, count, False)
    assert read.problem.startswith("chain: ") and "secret" not in read.problem, "a node's address may hold a key"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"result": None}),
        httpx.Response(200, json={"result": "0x"}),
        httpx.Response(200, json={"result": "0xzz"}),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"result": "0x" + "ff" * 32}),
    ],
)
async def test_nonsense_is_an_incomplete_reading_and_no_balance(answer: httpx.Response) -> None:
    """``0x`` is what an address without a contract answers: another chain's node."""
    read = await reads(lambda _: httpx.Response(answer.status_code, content=answer.content)).balances([YES])
    assert (read.cash, read.holdings, read.complete) == (None, (), False) and read.problem


async def test_a_balance_too_large_for_the_books_is_none() -> None:
    node = Node()
    node.shares[YES] = shares(10**13)
    read = await reads(node).balances([YES, NO])
    assert read.holdings == ((NO, 1),) and not read.complete


async def test_payouts_are_parts_of_their_sum_and_none_before_the_end() -> None:
    node = Node()
    assert await reads(node).payouts(MARKET) is None
    assert node.asked == [(CONDITIONAL_TOKENS, WHOLE)], "the parts of an unknown question revert"
    for parts in ((1, 0), (0, 1), (1, 1), (2, 5)):
        node.parts[MARKET] = parts
        assert await reads(node).payouts(MARKET) == parts


async def test_a_question_of_protocol_v2_is_not_the_contracts_business() -> None:
    """Its padded id is unknown there, which reads like unresolved; a v1 id may end alike, and then it is known."""
    node = Node()
    with pytest.raises(VenueError, match="Protocol V2"):
        await reads(node).payouts(PADDED)
    node.parts[PADDED] = (0, 1)
    assert await reads(node).payouts(PADDED) == (0, 1)


@pytest.mark.parametrize("market", ["", "0x12", "nonsense", "0x" + "zz" * 32])
async def test_what_is_no_condition_id_is_not_asked_about(market: str) -> None:
    node = Node()
    with pytest.raises(VenueError):
        await reads(node).payouts(market)
    assert node.asked == []


@pytest.mark.parametrize("fails", [WHOLE, PART])
async def test_a_node_in_trouble_cannot_tell(fails: str) -> None:
    node = Node()
    node.parts[MARKET] = (1, 0)
    node.fails.add(fails)
    with pytest.raises(VenueError):
        await reads(node).payouts(MARKET)


async def test_parts_that_are_not_the_whole_are_no_payout() -> None:
    """Two answers of different nodes behind one address, say."""
    node = Node()

    def answer(request: httpx.Request) -> httpx.Response:
        node.parts[MARKET] = (1, 0) if len(node.asked) < 2 else (1, 1)
        return node(request)

    with pytest.raises(VenueError, match="not the whole"):
        await reads(answer).payouts(MARKET)
