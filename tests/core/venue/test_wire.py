"""Frames of the market channel: one or many messages, and what is left of a bad one."""

import gzip
import json

import pytest

from core.errors import MalformedMessage
from core.venue.wire import decode_frame, salvage_frame
from tests.builders import VenueBook, recorded

BOOK = json.dumps(VenueBook().wire() | {"event_type": "book"})
TRADE = '{"event_type":"last_trade_price","market":"0x1","price":"0.5","timestamp":"7"}'


def test_object_and_array_are_read_alike() -> None:
    assert decode_frame(BOOK) == decode_frame(f"[{BOOK}]")
    assert [m.event_type for m in decode_frame(f" [{BOOK},\n{TRADE}] ")] == ["book", "last_trade_price"]
    assert decode_frame("[]") == []


@pytest.mark.parametrize("kind", [str, bytes, bytearray, memoryview])
def test_any_kind_of_buffer_will_do(kind: type) -> None:
    frame = TRADE if kind is str else kind(TRADE.encode())
    assert decode_frame(frame)[0].timestamp == 7


def test_unknown_types_and_members_are_no_error() -> None:
    (message,) = decode_frame('{"event_type":"aurora","colour":["green",{"of":[1,null]}],"timestamp":12}')
    assert (message.event_type, message.timestamp) == ("aurora", 12)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"PONG",
        b"INVALID OPERATION",
        b"\xff\xfe",
        b"null",
        b"7",
        b'"text"',
        b'{"event_type":"book"',
        b'{"event_type":null}',
        b'{"timestamp":"1.5"}',
        b'{"timestamp":NaN}',
        b'{"bids":[{"price":0.5,"size":"1"}]}',
        b'{"price_changes":[{"asset_id":"1","price":"0.5","size":"1","side":"HOLD"}]}',
        b"[" * 100_000,
        b'{"x":' * 100_000,
    ],
)
def test_what_is_no_message_is_malformed_and_nothing_worse(frame: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_frame(frame)
    assert salvage_frame(frame) == ([], 1)


def test_good_messages_of_a_bad_frame_are_saved_in_order() -> None:
    frame = f'[{TRADE},{{"timestamp":[]}},5,{BOOK}]'
    with pytest.raises(MalformedMessage):
        decode_frame(frame)
    messages, bad = salvage_frame(frame)
    assert ([message.event_type for message in messages], bad) == (["last_trade_price", "book"], 2)


def test_every_recorded_frame_is_read() -> None:
    for path in recorded("ws-market-*.jsonl.gz"):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            raw = json.loads(line)["raw"]
            messages = decode_frame(json.dumps(raw))
            assert len(messages) == (len(raw) if isinstance(raw, list) else 1)
            assert all(message.event_type and message.market for message in messages)
