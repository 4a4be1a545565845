"""The node's answers: what is read of them, and that neither its address nor its words get into an error."""

from typing import Any

import httpx
import msgspec
import pytest

from core.errors import VenueRefused, VenueUnavailable
from core.venue.rpc import PUSD, Rpc

URL = "https://node.invalid/v2/hush-hush"
WALLET = "0x" + "ab" * 20
OTHER = "0x" + "cd" * 20
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
TOKENS = (str(10**76 + (1 << 50)), str(10**76 + (1 << 51)))


def rpc(answer: Any, status: int = 200) -> Rpc:
    """A node that gives every question the same answer."""
    body = answer if isinstance(answer, bytes) else msgspec.json.encode(answer)

    def answered(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == URL, "a path is part of the address"
        return httpx.Response(status, content=body)

    made = Rpc(URL)
    made._client = httpx.AsyncClient(transport=httpx.MockTransport(answered))
    return made


def result(value: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "result": value}


def words(*numbers: int) -> str:
    return "0x" + "".join(f"{number:064x}" for number in numbers)


async def test_numbers_and_balances_are_read_exactly() -> None:
    assert await rpc(result("0x1b")).nonce(WALLET) == 27
    assert await rpc(result(words(2**60 + 1))).cash(WALLET) == 2**60 + 1
    assert await rpc(result(words(32, 2, 5, 7))).holdings(WALLET, TOKENS) == (5, 7)


NONSENSE: list[Any] = [
    b"<html>", b"[]", result(None), result("0xzz"), result(words(32, 1, 5)), result({"status": 7}),
    {"error": {"code": -32000, "message": "key hush-hush is not valid"}},
]  # fmt: skip


@pytest.mark.parametrize("answer", NONSENSE)
async def test_nonsense_is_refused_and_quotes_nothing(answer: Any) -> None:
    with pytest.raises(VenueRefused) as caught:
        await rpc(answer).holdings(WALLET, TOKENS)
    with pytest.raises(VenueRefused):
        await rpc(result("no number")).block_number()
    assert "hush" not in str(caught.value)


async def test_a_node_that_is_gone_is_unavailable_without_its_address() -> None:
    made = Rpc(URL)

    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"no route to {request.url}")

    made._client = httpx.AsyncClient(transport=httpx.MockTransport(gone))
    with pytest.raises(VenueUnavailable) as caught:
        await made.cash(WALLET)
    assert "hush" not in str(caught.value)


def log(contract: str, sender: str, receiver: str, amount: int, topic: str = TRANSFER) -> dict[str, Any]:
    ends = ["0x" + address[2:].rjust(64, "0") for address in (sender, receiver)]
    return {"address": contract, "topics": [topic, *ends], "data": words(amount)}


async def test_a_receipt_tells_what_came_to_the_wallet() -> None:
    """Cash alone, in both directions; other tokens and other people's transfers do not count."""
    logs = [
        log(PUSD.lower(), OTHER, WALLET, 500),
        log(PUSD, WALLET, OTHER, 120),
        log(PUSD, OTHER, OTHER, 9),
        log(OTHER, OTHER, WALLET, 7),
        log(PUSD, OTHER, WALLET, 7, topic="0x" + "11" * 32),
        {"address": PUSD, "topics": [TRANSFER], "data": "0x"},
    ]
    receipt = await rpc(result({"status": "0x1", "blockNumber": "0x10", "logs": logs})).receipt("0x01")
    assert receipt is not None and (receipt.is_success, receipt.block, receipt.received(WALLET)) == (True, 16, 380)
    reverted = await rpc(result({"status": "0x0", "blockNumber": "0x10"})).receipt("0x01")
    assert reverted is not None and not reverted.is_success
    assert await rpc(result(None)).receipt("0x01") is None
