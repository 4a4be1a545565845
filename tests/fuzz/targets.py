"""What ``make fuzz`` drives: bytes in, an exception when a promise is broken. Needs no fuzzer itself.

Each target comes with seeds, inputs that reach deep; ``tests/fuzz/test_seeds.py`` runs them in ``make test``.
"""

import asyncio
import copy
import gzip
import json
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import httpx
import msgspec

from core.clock import ManualClock
from core.config import Settings
from core.errors import ListError, MalformedMessage, UsageError, VenueError
from core.events import BooksRead, FillSeen
from core.lab.recording import Reading
from core.market.proof import fits_its_hash
from core.selection.enrich import Catalogue, Sourced
from core.selection.files import csv_cells, toml_cells
from core.selection.listed import COLUMNS, OPTIONAL_COLUMNS, Cell, Kind, ListRow
from core.selection.rows import checked
from core.selection.screen import Rule, screened, used_figures
from core.selection.sheets_client import answered_cells
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


def sources(data: bytes) -> None:
    """What Gamma and the CLOB say of a market, a line each: an instrument is made of what both agree on, or nothing.

    Whatever they say, the market is screened.
    """
    listed, _, params = data.partition(b"\n")
    try:
        read = _catalogue.answer(listed, params)
    except VenueError:
        return
    msgspec.json.encode(read)
    used = used_figures(read.row, None, read.market, _SETTINGS, _UNIX)
    for made_unix in (None, _UNIX - 7_200.0):
        found = screened(read, used, made_unix, _SETTINGS, _UNIX)
        assert len(found.results) == len(get_args(Rule)) - 1, data  # an estimate that cannot be made is one rule more
        assert all(text.isprintable() for rule in found.results for text in (rule.value, rule.bound)), data
        assert found.income is None or math.isfinite(found.income.usd_per_day), data
    item = read.instrument
    if item is None:
        assert read.refusals or read.lags, data
        return
    assert read.market is not None and read.params is not None
    assert {item.yes_token, item.no_token} == set(read.params.tokens) and item.market == _LISTED["conditionId"], data
    assert item.grid.k >= 2 and item.min_size > 0 and item.neg_risk is read.params.neg_risk, data
    assert all(token.isdigit() and token.isascii() for token in read.params.tokens), data


_UNIX: Final = 1_790_000_000.0
_SETTINGS: Final = Settings()
_LISTED: Final[dict[str, Any]] = {
    "conditionId": "0x" + "ab" * 32, "outcomes": '["Yes", "No"]', "clobTokenIds": '["11", "22"]', "active": True,
    "closed": False, "enableOrderBook": True, "acceptingOrders": True, "orderPriceMinTickSize": 0.01, "orderMinSize": 5,
    "endDate": "2026-12-01T00:00:00Z", "feesEnabled": True, "liquidityNum": 2e4, "volume1wk": 6e4, "spread": 0.01,
    "feeSchedule": {"exponent": 1, "rate": 0.05, "takerOnly": True, "rebateRate": 0.25}, "rewardsMinSize": 50,
    "clobRewards": [{"rewardsDailyRate": 30, "startDate": "2026-04-29"}], "events": [{"id": "1", "negRisk": False}],
}  # fmt: skip
_PARAMS: Final[dict[str, Any]] = {
    "c": _LISTED["conditionId"], "t": [{"t": "11", "o": "Yes"}, {"t": "22", "o": "No"}], "mts": 0.01, "mos": 5,
    "ao": True, "fd": {"r": 0.05, "e": 1, "to": True}, "r": {"mi": 50, "ma": 3.5, "e": True}, "gst": None, "v": "v1",
}  # fmt: skip


class _Sources:
    """Both catalogues, which answer what they are told to."""

    def __init__(self) -> None:
        self._bodies = (b"", b"")
        self._catalogue: Catalogue | None = None

    def answer(self, listed: bytes, params: bytes) -> Sourced:
        """Look the market up as a session does."""
        if self._catalogue is None:
            self._loop = asyncio.new_event_loop()
            self._catalogue = Catalogue(_SETTINGS, ManualClock(unix=_UNIX))
            for client in (self._catalogue._gamma, self._catalogue._clob):
                client._client = httpx.AsyncClient(
                    transport=httpx.MockTransport(self._serve), base_url="http://localhost"
                )
        self._bodies = (listed, params)
        row = ListRow(2, _LISTED["conditionId"], "11", "22")
        return self._loop.run_until_complete(self._catalogue.look([row]))[row.market]

    def _serve(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=self._bodies[request.url.path.startswith("/clob-markets/")])


_catalogue = _Sources()


def _source_seeds() -> Iterator[bytes]:
    neg = {"negRisk": True, "negRiskMarketID": "0x" + "cd" * 31 + "00", "questionID": "0x" + "cd" * 31 + "03"}
    for told, params in (
        ({}, {}),
        ({"version": "v2", "positionIds": ["33", "44"]}, {"v": "v2", "t": _PARAMS["t"][::-1]}),
        (neg, {"nr": True, "fd": None, "itode": True}),
        ({"orderMinSize": 0, "rewardsMinSize": 0}, {}),
        ({}, {"mos": 0}),
        ({"closed": True, "umaResolutionStatus": "resolved"}, {"ao": False, "gst": "2026-07-20T10:00:00Z"}),
        ({"clobTokenIds": '["", ""]', "secondsDelay": 3}, {"t": []}),
        ({"outcomes": '["Up", "Down"]', "bestBid": 0.4, "bestAsk": 0.44}, {"mts": 0.001, "mos": "5"}),
    ):
        yield f"{text({'markets': [_LISTED | told]})}\n{text(_PARAMS | params)}".encode()


def lists(data: bytes) -> None:
    """A market list as CSV, TOML and a sheet's answer: its rows are sound or rejected in words, or it is no list."""
    for cells_of in (_as_csv, _as_toml, _as_sheet):
        try:
            cells, kind = cells_of(data)
            found = checked(cells, source="list", kind=kind, profiles=("calm",), most_rows=50)
        except ListError as error:
            assert str(error).isprintable() and len(str(error)) < 2_000, data
            continue
        tokens = [token for row in found.rows for token in (row.yes_token, row.no_token)]
        assert len(set(tokens)) == len(tokens) and len({row.market for row in found.rows}) == len(found.rows), data
        assert all(token.isascii() and token.isdigit() and 0 < int(token) < 2**256 for token in tokens), data
        assert all(row.max_usd is None or row.max_usd > 0 for row in found.rows), data
        words = [*(row.note for row in found.rows), *found.notes]
        words += [text for each in found.rejected for text in (each.value, each.reason)]
        assert all(word.isprintable() for word in words), data
        msgspec.json.encode(found)


def _as_csv(data: bytes) -> tuple[Sequence[Sequence[Cell]], Kind]:
    return csv_cells(data.decode(errors="replace"), "list")[0], "file"


def _as_toml(data: bytes) -> tuple[Sequence[Sequence[Cell]], Kind]:
    return toml_cells(data.decode(errors="replace"), "list")[0], "file"


def _as_sheet(data: bytes) -> tuple[Sequence[Sequence[Cell]], Kind]:
    try:
        return answered_cells(json.loads(data)), "sheet"
    except (ValueError, RecursionError):
        raise ListError("no data") from None


def _list_seeds() -> Iterator[bytes]:
    header = [*COLUMNS, *OPTIONAL_COLUMNS]
    ids = ["0x" + "ab" * 32, "1" + "23" * 38, "7" + "31" * 38]
    row: list[Cell] = [*ids, 2e4, 1, 2, 3, True, "calm", 250, "a note"]
    for place, cell in (
        (1, 7.1e76),
        (1, "7.13E+76"),
        (2, ids[1]),
        (3, "#REF!"),
        (4, -1),
        (7, "no"),
        (9, "0"),
        (10, "\x1b[2J"),
    ):
        rows = [header, [*row[:place], cell, *row[place + 1 :]], ["0x" + "cd" * 32, "5" + "67" * 38, "8" + "19" * 38]]
        yield json.dumps({"range": "A", "values": [*rows, rows[1]]}).encode()
        yield "\n".join(",".join(map(str, each)) for each in rows).encode()
        table = "\n".join(f"{name} = {json.dumps(each)}" for name, each in zip(header, rows[1], strict=True))
        yield f"[[market]]\n{table}\n".encode()


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


TARGETS: Final[dict[str, Target]] = {
    "frames": Target(frames, _frame_seeds),
    "user": Target(user, _user_seeds),
    "rows": Target(rows, _row_seeds),
    "reads": Target(reads, _read_seeds),
    "recordings": Target(recordings, _recording_seeds),
    "sources": Target(sources, _source_seeds),
    "lists": Target(lists, _list_seeds),
}


def dictionary() -> list[bytes]:
    """Words that a fuzzer should know."""
    words: list[Any] = [*KINDS, *OUTCOMES, "event_type", "market", "asset_id", "timestamp", "hash", "bids", "asks"]
    words += ["price_changes", "price", "size", "side", "BUY", "SELL", "best_bid", "best_ask", "tick_size", "0.001"]
    words += [*COLUMNS, *OPTIONAL_COLUMNS, "[[market]]", "values", "#REF!", "7.1E+76", "calm", "0x" + "ab" * 32]
    words += [*_LISTED, *_PARAMS, "version", "v2", "positionIds", "negRisk", "nr", "itode"]
    words += [*_ORDER, *_MAKER, *_TRADE, "MATCHED", "TRADE_STATUS_FAILED", "CANCELLATION", "TAKER", OWNER, WALLET]
    words += [poison.raw for poison in POISONS if len(poison.raw) < 30 and poison.raw.isascii()]
    return sorted({str(word).encode() for word in words})
