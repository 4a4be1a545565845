"""The one hot path: what a frame may be, and what comes of it."""

import json
from typing import Any

import msgspec
import pytest

from core.errors import MalformedMessage
from core.events import MarketMessage
from core.market.continuity import ProofPolicy, TrackedBook
from core.runtime.ingest import DECODE_EVERY, SHORTEST_BOOK, Ingest
from tests.builders import NO, YES, VenueBook, a_market

NOW = 1000.0


class World:
    """A venue, a book behind an ingest, and everything that was taken."""

    def __init__(self, **market: Any) -> None:
        self.venue = VenueBook(a_market(**market), depth=12)
        self.tracked = TrackedBook(self.venue.instrument, ProofPolicy())
        self.taken: list[MarketMessage] = []
        self.recorded: list[tuple[bytes | str, float]] = []
        self.ingest = Ingest(self.take, self.find, lambda raw, now: self.recorded.append((raw, now)))
        for outcome in ("YES", "NO"):
            self.send(self.book(outcome))

    def find(self, token: str) -> TrackedBook | None:
        return self.tracked if token in (YES, NO) else None

    def take(self, message: MarketMessage, now: float) -> None:
        self.taken.append(message)
        if message.event_type == "book":
            self.tracked.apply_book(message, now)
        elif message.event_type == "price_change":
            self.tracked.apply_changes(message, now)

    def book(self, outcome: str = "YES") -> str:
        wire = self.venue.wire(outcome)
        told = {key: wire[key] for key in ("market", "asset_id", "bids", "asks", "hash", "timestamp")}
        return json.dumps(told | {"event_type": "book"}, separators=(",", ":"))

    def change(self, size: int) -> str:
        return text_of(self.venue.set("bid", 40, size))

    def send(self, raw: bytes | str) -> bool:
        return self.ingest.frame(raw, NOW)


def text_of(message: MarketMessage) -> str:
    told = msgspec.to_builtins(message)
    wanted = ("market", "price_changes", "timestamp", "event_type")
    return json.dumps({key: told[key] for key in wanted} | {"timestamp": str(message.timestamp)}, separators=(",", ":"))


def test_every_frame_is_recorded_as_it_came_before_anything_else() -> None:
    world = World()
    world.recorded.clear()
    for raw in ("{broken", b"\xff", world.book()):
        world.send(raw)
    assert [raw for raw, _ in world.recorded] == ["{broken", b"\xff", world.book()]


@pytest.mark.parametrize("kind", [str, bytes])
def test_book_repeated_after_its_change_is_not_decoded(kind: type) -> None:
    world = World()
    for size in (1, 2, 3):
        assert world.send(world.change(size))
        for outcome in ("YES", "NO"):
            frame = world.book(outcome)
            assert len(frame) >= SHORTEST_BOOK, "else nothing is tested"
            assert world.send(frame if kind is str else frame.encode())
    assert (world.ingest.repeated, len(world.taken)) == (6, 2 + 3)
    assert world.tracked.proven_s == NOW


def test_one_in_so_many_repeated_books_is_decoded_all_the_same() -> None:
    world = World()
    world.send(world.change(1))
    for _ in range(2 * DECODE_EVERY):
        world.send(world.book())
    assert (world.ingest.repeated, len(world.taken)) == (2 * DECODE_EVERY - 2, 2 + 1 + 2)


def spoiled(frame: str, **over: Any) -> str:
    return json.dumps(json.loads(frame) | over, separators=(",", ":"))


def test_only_the_book_that_the_newest_change_stated_is_skipped() -> None:
    """Another hash, another token, a stranger, an array, another type: all of them are looked at."""
    world = World()
    world.send(world.change(1))
    frame, taken = world.book(), len(world.taken)
    strange = [
        spoiled(frame, hash="0" * 40),
        spoiled(frame, asset_id=NO),
        spoiled(frame, asset_id="3"),
        spoiled(frame, event_type="bookish"),
        f"[{frame}]",
    ]
    for raw in strange:
        world.send(raw)
    assert (world.ingest.repeated, world.ingest.frames) == (0, 2 + 1 + len(strange))
    assert len(world.taken) == taken + len(strange)


def test_nothing_is_skipped_while_the_book_is_lost_or_in_doubt() -> None:
    world = World()
    world.venue.set("bid", 39, 77)
    world.send(world.change(1))
    assert world.tracked.doubt_since_s is not None
    world.send(world.book())
    world.send(world.change(2))
    world.tracked.lose("a test", NOW)
    world.send(world.book())
    assert world.ingest.repeated == 0
    assert world.tracked.synced


def test_object_and_array_hand_out_the_same() -> None:
    one, many = World(), World()
    assert one.send(one.change(1)) and one.send(one.change(2))
    assert many.send(f"[{many.change(1)},{many.change(2)}]")
    assert one.taken == many.taken


@pytest.mark.parametrize(
    ("raw", "malformed"),
    [
        ("", 1),
        (b"", 1),
        ("PONG", 1),
        ("INVALID OPERATION", 1),
        ("[]", 0),
        ("null", 1),
        (b'{"event_type":"book"', 1),
        (b'{"event_type":"\xff"}', 1),
        ('{"event_type":"\ud800"}', 1),
        ('{"timestamp":NaN}', 1),
        ('{"timestamp":"' + "9" * 5000 + '"}', 1),
        ('{"timestamp":' + "9" * 30 + "}", 1),
        ('{"timestamp":-1}', 1),
        ("[" * 100_000, 1),
        ('{"a":' * 100_000, 1),
        ('[5,{"timestamp":[]}]', 2),
    ],
)
def test_frame_that_is_no_use_is_counted_and_raises_nothing(raw: bytes | str, malformed: int) -> None:
    world = World()
    taken = len(world.taken)
    assert not world.send(raw)
    assert (world.ingest.malformed, len(world.taken)) == (malformed, taken)


def test_good_messages_of_a_bad_frame_are_still_taken() -> None:
    world = World()
    taken = len(world.taken)
    assert world.send(f'[{world.change(1)},{{"timestamp":[]}},{world.change(2)}]')
    assert (world.ingest.malformed, len(world.taken)) == (1, taken + 2)


def test_message_that_its_taker_refuses_is_counted_and_the_next_one_is_taken() -> None:
    world = World()

    def refuse(message: MarketMessage, now: float) -> None:
        if message.event_type == "book":
            raise MalformedMessage("no")
        world.taken.append(message)

    ingest = Ingest(refuse, world.find, None)
    taken = len(world.taken)
    assert not ingest.frame(world.book(), NOW)
    assert ingest.frame(f"[{world.book()},{world.change(1)}]", NOW)
    assert (ingest.malformed, ingest.frames, len(world.taken)) == (2, 2, taken + 1)


def test_unknown_types_and_members_are_tolerated() -> None:
    """A field named like one of ours in a message of a new type, whatever it holds, and a member nobody knows."""
    world = World()
    taken = len(world.taken)
    assert world.send('{"event_type":"aurora","price":0.5,"size":null,"kind":"Woken","timestamp":"soon"}')
    assert world.send('{"event_type":"new_market","question":"?","kind":3,"line":{"a":[1]}}')
    assert (world.ingest.malformed, [m.event_type for m in world.taken[taken:]]) == (0, ["aurora", "new_market"])


def test_flood_of_rubbish_writes_a_line_a_second(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    for number in range(500):
        world.ingest.frame("rubbish", NOW + number / 100)
    assert world.ingest.malformed == 500
    assert len(caplog.records) == 5
