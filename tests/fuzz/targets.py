"""What ``make fuzz`` drives: bytes in, an exception when a promise is broken. Needs no fuzzer itself.

Each target comes with seeds, inputs that reach deep; ``tests/fuzz/test_seeds.py`` runs them in ``make test``.
"""

import asyncio
import copy
import gzip
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import msgspec

from core.errors import MalformedMessage, UsageError, VenueError
from core.events import BooksRead, FillSeen
from core.lab.recording import Reading
from core.market.proof import fits_its_hash
from core.venue.account_rows import open_orders_read, trades_read
from core.venue.public_rest import PublicRest
from core.venue.user_channel import decode_user_frame
from core.venue.wire import UNREADABLE
from tests.hostile import KINDS, OUTCOMES, POISONS, STATES, Listener, next_message, poisoned, text

MOST_FRAMES: Final = 8
OWNER: Final = "owner"
WALLET: Final = "0xFunder"


class Target(NamedTuple):
    """One way in."""

    take: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]


class _Pristine:
    """A listener as new for every input; making one costs more than most inputs do."""

    def __init__(self) -> None:
        self._listener: Listener | None = None
        self._digest = ""

    def get(self) -> tuple[Listener, str]:
        """The listener and its digest."""
        if self._listener is None or self._listener.digest() != self._digest:
            self._listener = Listener()
            self._digest = self._listener.digest()
        return self._listener, self._digest


_pristine = _Pristine()


def frames(data: bytes) -> None:
    """Frames of the market channel, one a line: a malformed one changes nothing, is counted once; books stay books."""
    listener, digest = _pristine.get()
    for frame in data.split(b"\n")[:MOST_FRAMES]:
        before = listener.counts()
        listener.hear(frame)
        after = listener.counts()
        bad = after["malformed"] - before["malformed"]
        now = listener.digest()
        if bad and not frame.lstrip().startswith(b"["):
            moved = {name for name, count in after.items() if count != before[name]}
            assert (bad, moved, now) == (1, {"malformed"}, digest), frame
        assert not listener.shapes(), frame
        digest = now


def _frame_seeds() -> Iterator[bytes]:
    books = Listener().books
    for state in STATES:
        for kind in KINDS:
            for outcome in OUTCOMES:
                yield text(next_message(copy.deepcopy(books[state]), kind, outcome)).encode()
        book = copy.deepcopy(books[state])
        told = [text(next_message(book, kind)).encode() for kind in ("price_change", "last_trade_price", "book")]
        yield b"\n".join(told)
        yield b"[" + b",".join(told) + b"]"
    for poison in POISONS[::7]:
        if len(poison.raw) < 200:
            told_badly = poisoned(next_message(copy.deepcopy(books["SYNCED"]), poison.kind), poison)
            yield told_badly.encode(errors="surrogatepass")


def user(data: bytes) -> None:
    """Frames of the user channel: what is told before a malformed part is told, and the engine takes all of it."""
    listener, digest = _pristine.get()
    events = []
    try:
        for event in decode_user_frame(data, OWNER, WALLET):
            events.append(event)
            msgspec.json.encode(event)  # the journal must be able to keep it
            assert not isinstance(event, FillSeen) or (event.size > 0 and event.order_id and event.trade_id), data
            listener.engine.handle(event, listener.driver.now)
    except MalformedMessage:
        if not events:
            assert listener.digest() == digest
    for order in listener.engine.orders.all_at_risk():
        assert 0 <= order.filled <= order.size, data


_ORDER: Final[dict[str, Any]] = {
    "event_type": "order", "type": "UPDATE", "id": "id-1", "status": "LIVE", "size_matched": "1.5",
    "original_size": "20", "price": "0.45", "side": "BUY", "timestamp": "1790000000000", "owner": OWNER,
}  # fmt: skip
_MAKER: Final[dict[str, Any]] = {
    "order_id": "id-1", "matched_amount": "2.5", "owner": OWNER, "maker_address": "0x1", "asset_id": "2",
}  # fmt: skip
_TRADE: Final[dict[str, Any]] = {
    "event_type": "trade", "id": "t-1", "status": "MATCHED", "size": "2.5", "taker_order_id": "id-2",
    "trader_side": "MAKER", "owner": OWNER, "match_time": "1790000000", "maker_orders": [_MAKER], "side": "SELL",
    "asset_id": "1", "transaction_hash": "0xfeed",
}  # fmt: skip


def _user_seeds() -> Iterator[bytes]:
    order, maker, trade = _ORDER, _MAKER, _TRADE
    cancelled = order | {"type": "CANCELLATION", "status": "CANCELED"}
    for told in (order, cancelled, trade, trade | {"trader_side": "TAKER"}):
        yield json.dumps(told).encode()
    yield json.dumps([order, trade, trade | {"status": "CONFIRMED"}, trade | {"status": "FAILED"}]).encode()
    yield json.dumps([trade | {"maker_orders": [maker | {"matched_amount": "1e3"}]}, order]).encode()


def rows(data: bytes) -> None:
    """Rows of GET /data/orders and GET /data/trades, a line each: what cannot be read is said, nothing is raised."""
    listener, _ = _pristine.get()
    orders, _, trades = data.partition(b"\n")
    now = listener.driver.now
    for event in (open_orders_read(_listed(orders), now), trades_read(_listed(trades), OWNER, WALLET, now, 0)):
        msgspec.json.encode(event)
        assert event.complete == (not event.problem), data
        assert len(event.problem) < 1_000 and event.problem.isprintable(), data
        listener.engine.handle(event, now)
    for order in listener.engine.orders.all_at_risk():
        assert 0 <= order.filled <= order.size, data


def _listed(data: bytes) -> list[Any]:
    try:
        told = msgspec.json.decode(data)
    except UNREADABLE:
        return []
    return told if isinstance(told, list) else [told]


def _row_seeds() -> Iterator[bytes]:
    for order in (_ORDER, _ORDER | {"size_matched": ""}, _ORDER | {"original_size": 20, "size_matched": None}):
        for trade in (_TRADE, _TRADE | {"status": "TRADE_STATUS_CONFIRMED", "fee_rate_bps": ""}):
            yield f"{text([order, order | {'id': 'id-2'}])}\n{text([trade, trade | {'trader_side': 'TAKER'}])}".encode()
    nameless = _MAKER | {"owner": "", "maker_address": WALLET.lower(), "matched_amount": 1e-06}
    yield f"[]\n{text([_TRADE | {'maker_orders': [_MAKER, nameless], 'status': 'FAILED'}])}".encode()


def reads(data: bytes) -> None:
    """Answers of POST /books and POST /prices, a line each: a lost book comes back only as one that fits its hash."""
    listener, _ = _pristine.get()
    body, _, prices = data.partition(b"\n")
    tokens = tuple(t for b in listener.books.values() for t in (b.instrument.yes_token, b.instrument.no_token))
    try:
        event = _venue.answer(body, prices, tokens)
    except VenueError:
        return
    listener.engine.handle(event, listener.driver.now)
    assert not listener.shapes(), data
    lost = listener.engine.desks[listener.books["SUSPECT"].instrument.market].tracked
    if lost.synced:
        fitting = [b for b in event.books if b.market == lost.instrument.market and fits_its_hash(b)]
        assert any(lost.same_levels(book) for book in fitting), data


class _Venue:
    """A venue that answers what it is told to; one client and one loop serve every input."""

    def __init__(self) -> None:
        self._bodies = (b"", b"")
        self._loop: asyncio.AbstractEventLoop | None = None

    def answer(self, books: bytes, prices: bytes, tokens: tuple[str, ...]) -> BooksRead:
        """Read both answers as the session does."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._rest = PublicRest("http://localhost")
            self._rest._client = httpx.AsyncClient(
                transport=httpx.MockTransport(self._serve), base_url="http://localhost"
            )
        self._bodies = (books, prices)
        return self._loop.run_until_complete(self._read(tokens))

    async def _read(self, tokens: tuple[str, ...]) -> BooksRead:
        books, touches = await self._rest.books(tokens), await self._rest.touches(tokens)
        return BooksRead(tokens=tokens, books=tuple(books), touches=tuple(touches), asked_s=0.0)

    def _serve(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=self._bodies[request.url.path != "/books"])


_venue = _Venue()


def _read_seeds() -> Iterator[bytes]:
    listener = Listener()
    for state in STATES:
        book = listener.books[state]
        wires = [book.wire(outcome) for outcome in OUTCOMES]
        touches = [dict(zip(("BUY", "SELL"), book.touch(outcome), strict=True)) for outcome in OUTCOMES]
        touch = {wire["asset_id"]: told for wire, told in zip(wires, touches, strict=True)}
        yield f"{text(wires)}\n{text(touch)}".encode()
        yield f"{text(wires[:1])}\n{{}}".encode()
        for member, wrong in (("hash", "0" * 40), ("tick_size", "0.001"), ("bids", []), ("timestamp", "-1")):
            yield f"{text([wires[0] | {member: wrong}, wires[1]])}\n{text(touch)}".encode()


def recordings(data: bytes) -> None:
    """A file as a recording: read to its end, every line a frame, a gap or a problem."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl", dir=_memory()) as file:
        file.write(data)
        file.flush()
        try:
            reading = Reading(Path(file.name))
            numbers = [number for number, _ in reading]
        except UsageError:
            return
    told = [problem.line for problem in reading.problems]
    assert numbers == sorted(set(numbers)), data
    assert not set(numbers) & set(told) or reading.cuts or b"\x1f\x8b" in data[:2], data


def _recording_seeds() -> Iterator[bytes]:
    book = copy.deepcopy(Listener().books["SYNCED"])
    lines = [f'{{"t":{n}.5,"raw":{text(next_message(book, kind))}}}' for n, kind in enumerate(KINDS)]
    lines += ['{"t":null,"raw":"PONG"}', '{"t":7,"base64":"/w=="}', '{"t":8,"gap":"full","tokens":["1"]}', "", "x"]
    whole = "\n".join(lines).encode()
    packed = gzip.compress(whole, mtime=0)
    yield from (whole, packed, packed + packed, packed[:-9], packed + b"\0" * 9, packed[:40] + b"\0\0" + packed[42:])


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


TARGETS: Final[dict[str, Target]] = {
    "frames": Target(frames, _frame_seeds),
    "user": Target(user, _user_seeds),
    "rows": Target(rows, _row_seeds),
    "reads": Target(reads, _read_seeds),
    "recordings": Target(recordings, _recording_seeds),
}


def dictionary() -> list[bytes]:
    """Words that a fuzzer should know."""
    words: list[Any] = [*KINDS, *OUTCOMES, "event_type", "market", "asset_id", "timestamp", "hash", "bids", "asks"]
    words += ["price_changes", "price", "size", "side", "BUY", "SELL", "best_bid", "best_ask", "tick_size", "0.001"]
    words += [*_ORDER, *_MAKER, *_TRADE, "MATCHED", "TRADE_STATUS_FAILED", "CANCELLATION", "TAKER", OWNER, WALLET]
    words += [poison.raw for poison in POISONS if len(poison.raw) < 30 and poison.raw.isascii()]
    return sorted({str(word).encode() for word in words})
