"""Whatever a client with a valid key sends: the venue's own error comes back, and nothing has changed."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.loopback.venue import EOA, PATIENCE_S, Trader, Venue, trader_of, venue_running

BODIES = (
    ("POST", "/order"),
    ("POST", "/orders"),
    ("DELETE", "/order"),
    ("DELETE", "/orders"),
    ("DELETE", "/cancel-market-orders"),
    ("POST", "/orders-scoring"),
    ("POST", "/v1/heartbeats"),
)
QUERIES = (
    ("GET", "/data/orders"),
    ("GET", "/data/trades"),
    ("GET", "/balance-allowance"),
    ("GET", "/balance-allowance/update"),
    ("GET", "/order-scoring"),
    ("GET", "/notifications"),
    ("DELETE", "/notifications"),
)
PARAMETERS = (
    "id",
    "market",
    "asset_id",
    "maker_address",
    "before",
    "after",
    "next_cursor",
    "asset_type",
    "token_id",
    "signature_type",
    "order_id",
    "ids",
)
KEYS = ("orderID", "market", "asset_id", "heartbeat_id", "order", "owner", "orderType", "salt", "maker", "x")
REQUIRED = ("salt", "maker", "signer", "tokenId", "makerAmount", "takerAmount", "side", "signatureType", "timestamp")
FIELDS = (*REQUIRED, "signature", "expiration", "metadata", "builder")

words = st.text(st.characters(codec="utf-8", exclude_categories=("Nd",)), max_size=12)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**20, max_value=10**400),
    st.floats(allow_nan=True, allow_infinity=True),
    words,
)
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)),
    max_leaves=12,
)
junk = st.one_of(
    st.none(),
    st.integers(max_value=-1),
    st.integers(min_value=2**64),
    st.floats(allow_nan=True),
    words.filter(lambda text: text not in ("BUY", "SELL", "")),
    st.lists(st.none(), max_size=2),
    st.dictionaries(words, st.none(), max_size=2),
)
texts = st.one_of(st.text(st.characters(codec="utf-8"), max_size=20), st.integers().map(str), st.just("LTE="))


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    async with venue_running() as running:
        yield running


@pytest.fixture
async def trader(venue: Venue) -> Trader:
    """A trader with an order at rest, which no garbage may touch."""
    made = trader_of(venue)
    assert (await made.send("POST", "/order", made.bid(venue.yes))).status_code == 200
    return made


async def send_and_compare(trader: Trader, method: str, path: str, raw: bytes, query: str = "") -> Any:
    """Send with full buckets; returns the parsed answer after proving that nothing changed."""
    limits = trader.venue.running.host.intake.limits
    for bucket in ("orders", "cancels"):
        limits.drain(EOA, bucket, 60)  # type: ignore[arg-type]
    before = trader.venue.fingerprint()
    answer = await trader.send(method, path, raw=raw, query=query)
    assert trader.venue.fingerprint() == before
    assert answer.status_code in (200, 400, 404, 429), answer.text
    body = answer.json()
    if answer.status_code != 200:
        assert isinstance(body.get("error", body.get("error_msg")), str) and set(body) <= {
            "error",
            "error_msg",
            "heartbeat_id",
        }
    return body


fixed_examples = settings(
    max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@fixed_examples
@given(st.sampled_from(BODIES), st.one_of(st.binary(max_size=60), trees.map(lambda tree: json.dumps(tree).encode())))
@example(("POST", "/order"), b"[" * 100_000)
@example(("POST", "/orders"), b"[" * 100_000)
@example(("POST", "/orders"), b"[" + b'{"order":' * 50_000)
@example(("DELETE", "/orders"), b'{"a":' * 50_000)
@example(("DELETE", "/orders"), b'["\\ud800"]')
@example(("DELETE", "/orders"), b'["\\ud83d\\ude00", "\\u0000", "\xc3\xa9"]')
@example(("DELETE", "/order"), b'{"orderID":"\xff"}')
@example(("DELETE", "/order"), b'{"orderID":"0x1","orderID":null}')
@example(("DELETE", "/order"), b'\xef\xbb\xbf{"orderID":"0x1"}')
@example(("POST", "/order"), b'{"order":NaN}')
@example(("POST", "/order"), b'{"order":{"salt":1e999}}')
@example(("POST", "/order"), b'{"order":{"salt":' + b"9" * 5_000 + b"}}")
async def test_garbage_bodies_change_nothing(venue: Venue, trader: Trader, route: tuple[str, str], raw: bytes) -> None:
    """No JSON, wrong types, nulls, huge numbers, NaN, nested bombs, doubled keys, bytes that are no text."""
    body = await send_and_compare(trader, *route, raw)
    if route == ("POST", "/orders") and isinstance(body, list):
        assert all(leg["orderID"] == "" and leg["errorMsg"] for leg in body)


@fixed_examples
@given(st.sampled_from(FIELDS), junk, st.booleans())
async def test_a_true_order_with_one_false_field_changes_nothing(
    venue: Venue, trader: Trader, field: str, value: Any, batch: bool
) -> None:
    """Everything else is right, key and signature included: the one field decides."""
    posted = trader.bid(venue.yes)
    posted["order"][field] = value
    raw = json.dumps([posted] if batch else posted).encode()
    body = await send_and_compare(trader, "POST", "/orders" if batch else "/order", raw)
    assert body[0]["errorMsg"] if batch else body["error"]


@pytest.mark.parametrize("field", REQUIRED)
async def test_a_true_order_without_a_field_changes_nothing(venue: Venue, trader: Trader, field: str) -> None:
    posted = trader.bid(venue.yes)
    del posted["order"][field]
    assert (await trader.refusal(posted)) == (400, "Invalid order payload")


@fixed_examples
@given(st.sampled_from(QUERIES), st.dictionaries(st.sampled_from(PARAMETERS), texts, max_size=4))
async def test_garbage_queries_change_nothing(
    venue: Venue, trader: Trader, route: tuple[str, str], params: dict[str, str]
) -> None:
    """Only asking for a balance may open the account of a wallet, and that wallet's kind is named here."""
    params.pop("signature_type", None) if params.get("signature_type") in ("1", "2", "3") else None
    query = "&".join(f"{name}={_quoted(value)}" for name, value in params.items())
    await send_and_compare(trader, *route, b"", f"?{query}")


FRAMES = (
    "[" * 100_000,
    '{"a":' * 50_000,
    "null",
    "[]",
    '{"operation":{}}',
    '{"operation":"subscribe","assets_ids":[1]}',
    "\0",
)


@pytest.mark.parametrize("channel", ["market", "user"])
@pytest.mark.parametrize("frame", FRAMES, ids=range(len(FRAMES)))
async def test_garbage_frames_get_the_sockets_own_errors(
    venue: Venue, trader: Trader, channel: str, frame: str
) -> None:
    url, keys = venue.urls[f"ws_{channel}_url"], trader.keys
    auth = {"apiKey": keys.api_key, "secret": keys.secret, "passphrase": keys.passphrase}
    async with asyncio.timeout(PATIENCE_S), websockets.connect(url) as fresh, websockets.connect(url) as socket:
        await fresh.send(frame)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await fresh.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "invalid subscription payload")
        await socket.send(json.dumps({"type": channel, "auth": auth, "assets_ids": []}))
        await socket.send(frame)
        assert await socket.recv() == "INVALID OPERATION"
        await socket.send("PING")
        assert await socket.recv() == "PONG"


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())
