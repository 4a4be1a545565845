"""Frames that mean harm, and the whole of an engine's state in one digest."""

import hashlib
import json
from collections import deque
from collections.abc import Iterable
from enum import Enum
from typing import Any, Final, NamedTuple

import msgspec

from core.config import Settings
from core.engine import Engine
from core.events import MarketMessage
from core.market.instrument import Instrument
from core.runtime.ingest import Ingest
from core.units import OUTCOMES, Grid
from tests.builders import Driver, VenueBook, a_market

STATES: Final = ("SYNCED", "FINE", "SUSPECT", "EMPTY")
"""What the markets of a :class:`Listener` are: believed on a cent and on a tenth of one, lost, never seen."""
KINDS: Final = ("price_change", "book", "last_trade_price", "best_bid_ask", "tick_size_change")
STRANGER: Final = "7" * 77


def _instrument(number: int) -> Instrument:
    tick = "0.001" if STATES[number] == "FINE" else "0.01"
    return a_market(tick, "0x" + f"{number}a" * 32, f"1{number}" * 38, f"2{number}" * 38)


class Listener:
    """An engine that quotes, behind its ingest, with one market in each state that a book can be in."""

    def __init__(self) -> None:
        mids = {"FINE": 460}
        self.books = {state: VenueBook(_instrument(n), mids.get(state, 46)) for n, state in enumerate(STATES)}
        self.driver = Driver(*self.books.values())
        self.driver.rest_answers = False
        self.driver.feeds()
        self.driver.account()
        for state in ("SYNCED", "FINE", "SUSPECT"):
            self.driver.send(self.books[state].book("YES"))
            self.driver.send(self.books[state].book("NO"))
        self.driver.pass_time(0.5)
        self.driver.answer()
        lost = self.books["SUSPECT"].set("bid", 45, 7)
        changes = [msgspec.structs.replace(change, best_bid="0.03") for change in lost.price_changes or ()]
        self.driver.send(msgspec.structs.replace(lost, price_changes=tuple(changes)))
        self.ingest = Ingest(self.engine.handle, self.engine.data.find, None)

    @property
    def engine(self) -> Engine:
        return self.driver.engine

    def hear(self, frame: bytes | str) -> bool:
        """A frame comes from the socket."""
        return self.ingest.frame(frame, self.driver.now)

    def digest(self) -> str:
        """All that may differ afterwards if something was believed."""
        return state_digest(self.engine)

    def counts(self) -> dict[str, int]:
        """Every counter there is, but those of arrival and use."""
        found = {name: count for name, count in _public(self.ingest).items() if name not in ("frames", "bytes")}
        tally = self.engine.tally
        found |= {"unknown_types": tally.unknown_types, "foreign": tally.foreign}
        for desk in self.engine.desks.values():
            for name in ("duplicates", "stale", "gaps"):
                found[name] = found.get(name, 0) + getattr(desk.tracked, name)
        return found

    def shapes(self) -> list[str]:
        """What no message may ever bring about; empty when all is well."""
        wrong = []
        for state, desk in zip(STATES, self.engine.desks.values(), strict=True):
            book = desk.tracked.book
            for side in (book.bids, book.asks):
                if list(side.ticks) != sorted(set(side.ticks)) or set(side.ticks) != set(side.sizes):
                    wrong.append(f"{state}: ticks {side.ticks} of sizes {side.sizes}")
                if any(not 0 < tick < book.grid.k for tick in side.ticks) or any(s <= 0 for s in side.sizes.values()):
                    wrong.append(f"{state}: levels {side.sizes}")
            bid, ask = book.best_bid, book.best_ask
            if desk.tracked.synced and bid is not None and ask is not None and bid >= ask:
                wrong.append(f"{state}: crossed at {bid}, {ask}")
        return wrong


def _public(owner: Any) -> dict[str, int]:
    """The integer counters of an object."""
    names = getattr(type(owner), "__slots__", None) or vars(owner)
    return {name: getattr(owner, name) for name in names if name[0] != "_" and type(getattr(owner, name)) is int}


# State


def state_digest(engine: Engine) -> str:
    """Books, tapes, signals, orders, controls and account, as SHA-256; counters and times of hearing are left out."""
    seen: dict[int, int] = {}
    desks = [(market, _of_desk(desk, seen)) for market, desk in engine.desks.items()]
    whole = (desks, _walk(engine.orders, seen), _walk(engine.account, seen), engine.controls.held(), engine.stopping)
    return hashlib.sha256(repr(whole).encode()).hexdigest()


def _of_desk(desk: Any, seen: dict[int, int]) -> tuple[Any, ...]:
    tracked = desk.tracked
    book = tracked.book
    return (
        (tracked.state, tracked.reason, tracked.since_s, tracked.timestamp_ms, tracked.newest_ms, tracked.book_seq),
        (tracked.last_trade, tracked.doubt_since_s, tracked.provable, tracked.instrument),
        [book.best_first(side, 9_999) for side in ("bid", "ask")],
        [book.hash_levels(outcome) for outcome in OUTCOMES],
        [(name, value) for name, value in vars(desk).items() if name != "_synced_s" and _is_plain(value)],
        (desk.silence.status, desk.silence.words),
        [_walk(part, seen) for part in (desk.tape, desk.watch, desk.position)],
    )


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | float | str | tuple | None)


def _walk(value: Any, seen: dict[int, int]) -> Any:
    """An object graph as nested tuples; an object met again is told by its number."""
    if value is None or isinstance(value, bool | int | float | str | bytes | Enum):
        return value
    if isinstance(value, Grid | Settings):
        return repr(value)
    if id(value) in seen:
        return ("again", seen[id(value)])
    seen[id(value)] = len(seen)
    if isinstance(value, dict):
        return [(_walk(k, seen), _walk(v, seen)) for k, v in value.items()]
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if isinstance(value, list | tuple | deque):
        return [_walk(item, seen) for item in value]
    if callable(value):
        return "function"
    names: Iterable[str] = getattr(value, "__struct_fields__", None) or [
        *getattr(value, "__dict__", {}),
        *(name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())),
    ]
    return [type(value).__name__, *[(name, _walk(getattr(value, name, None), seen)) for name in names]]


# Frames


def wire(message: MarketMessage) -> dict[str, Any]:
    """A message as the venue spells it."""
    told = {key: value for key, value in json.loads(msgspec.json.encode(message)).items() if value and key != "kind"}
    for side in ("bids", "asks"):
        if getattr(message, side) is not None:
            told.setdefault(side, [])
    return told | {"timestamp": str(message.timestamp)}


def text(told: Any) -> str:
    """JSON as the venue writes it."""
    return json.dumps(told, separators=(",", ":"))


def next_message(book: VenueBook, kind: str, outcome: str = "YES") -> dict[str, Any]:
    """What a market could truly say next; the book moves on with it."""
    item = book.instrument
    token = item.yes_token if outcome == "YES" else item.no_token
    best = max(book.bids)
    match kind:
        case "price_change":
            told = wire(book.set("bid", best, book.bids[best] + 1))
            if outcome == "NO":
                told["price_changes"].reverse()
            return told
        case "book":
            book.set("ask", min(book.asks), 333)
            return wire(book.book(outcome))
        case "last_trade_price":
            return wire(book.trade(item.grid.text(best), outcome=outcome))
        case "best_bid_ask":
            book.ms += 5
            bid, ask = book.touch(outcome)
            touch = {"best_bid": bid, "best_ask": ask, "spread": "0.02"}
            return {"event_type": kind, "market": item.market, "asset_id": token, "timestamp": str(book.ms)} | touch
        case _:
            old = item.tick_text
            return wire(book.retick("0.001" if old == "0.01" else "0.0001")) | {"asset_id": token}


class Poison(NamedTuple):
    """A member of a message and the JSON put in its place; nothing of the message may be believed then."""

    kind: str
    path: tuple[str | int, ...]
    raw: str


_NO_TEXT: Final = ("null", "true", "0.5", "[]", "{}", "NaN", "1e999", "-Infinity", '"\\ud800"', '"\x00"', "[" * 5_000)
_NO_NUMBER: Final = tuple(
    f'"{text}"'
    for text in (
        "", " 0.4", "0.4 ", "+0.4", "-0.4", "0_4", "1_0", "٠.٤", "４", "0.4e0", "4e-1", "1e999", "nan", "NaN", "inf",
        "Infinity", "0x1", "0,4", "0.4.0", ".", "\\u0000", "0.4\\u0000", "0.4\\n", "9" * 5_000,
        "0." + "0" * 5_000 + "4",
    )
)  # fmt: skip
_NO_PRICE: Final = (*_NO_NUMBER, '"0"', '"1"', '"1.5"', '"0.0"', '"1.0"')
_OFF_GRID: Final = ('"0.40005"',)
"""In a change it says that the tick has changed."""
_NO_SIZE: Final = (*_NO_NUMBER, '"1.0000001"', '"9223372036855"')
_NO_TOUCH: Final = tuple(raw for raw in _NO_PRICE if raw not in ('""', '"0"', '"1"', '"0.0"', '"1.0"'))
_NO_STAMP: Final = ('"x"', '"1.5"', "1.5", "NaN", "null", "[]", '""', '"٤"', '"1_0"', f'"{"9" * 5_000}"', "9" * 5_000)
_NO_TOKEN: Final = (f'"{STRANGER}"', '""')
_NO_LEVELS: Final = ("null", "7", '"x"', "{}", "[[]]", "[7]", "[null]", '[{"price":"0.4"}]', '[{"size":"1"}]')


def _poisons() -> list[Poison]:
    found: list[Poison] = []

    def put(kind: str, path: tuple[str | int, ...], raws: Iterable[str]) -> None:
        found.extend(Poison(kind, path, raw) for raw in raws)

    for kind in KINDS:
        put(kind, ("event_type",), _NO_TEXT)
        put(kind, ("market",), _NO_TEXT)
        put(kind, ("timestamp",), _NO_STAMP)
        if kind != "price_change":
            put(kind, ("asset_id",), (*_NO_TEXT, *(_NO_TOKEN if kind != "tick_size_change" else ())))
    for entry in (0, 1):
        at: tuple[str | int, ...] = ("price_changes", entry)
        put("price_change", at, ("null", "7", "[]", "{}"))
        put("price_change", (*at, "price"), (*_NO_TEXT, *_NO_PRICE))
        put("price_change", (*at, "size"), (*_NO_TEXT, *_NO_SIZE))
        put("price_change", (*at, "side"), (*_NO_TEXT, '"HOLD"', '"buy"', '""', '"BUY "'))
        put("price_change", (*at, "asset_id"), (*_NO_TEXT, *_NO_TOKEN))
        put("price_change", (*at, "hash"), _NO_TEXT)
        for touch in ("best_bid", "best_ask"):
            put("price_change", (*at, touch), (*_NO_TEXT, *_NO_TOUCH))
    put("price_change", ("price_changes",), (*_NO_LEVELS, "[]"))
    for side in ("bids", "asks"):
        put("book", (side,), _NO_LEVELS)
        for level in (0, 3):
            put("book", (side, level, "price"), (*_NO_TEXT, *_NO_PRICE, *_OFF_GRID))
            put("book", (side, level, "size"), (*_NO_TEXT, *_NO_SIZE))
    put("book", ("hash",), _NO_TEXT)
    put("book", ("tick_size",), (*_NO_TEXT, '"0.03"', '"x"', '"0"', '"1e-2"'))
    put("last_trade_price", ("price",), (*_NO_TEXT, *_NO_PRICE, *_OFF_GRID))
    put("last_trade_price", ("size",), (*_NO_TEXT, *_NO_SIZE))
    put("last_trade_price", ("side",), _NO_TEXT)
    for touch in ("best_bid", "best_ask"):
        put("best_bid_ask", (touch,), (*_NO_TEXT, *_NO_TOUCH))
    put("tick_size_change", ("new_tick_size",), (*_NO_TEXT, '"0.03"', '"x"', '"0"', '"1"', '"-0.01"', '"٠.٠١"', '""'))
    return found


POISONS: Final = tuple(_poisons())
_MARK: Final = "put the poison here"


def poisoned(told: dict[str, Any], poison: Poison) -> str:
    """A message with one member replaced by raw JSON."""
    whole = json.loads(text(told))
    *way, last = poison.path
    part = whole
    for step in way:
        part = part[step]
    part[last] = _MARK
    return text(whole).replace(f'"{_MARK}"', poison.raw, 1)
