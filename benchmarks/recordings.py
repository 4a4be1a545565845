"""Long recordings made from the short real ones: the live part again and again, at later times.

Changes are absolute, so the live part can follow itself; what depends on the book or the time (hash, touch, the books
sent after trades) is computed anew. The dump of a subscription comes once, as it does in life.
"""

import gzip
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.stream import Frame, Stream
from core.events import MarketMessage
from core.lab.recording import Problem, infer_instruments, read_lines
from core.market.continuity import TrackedBook
from core.venue.wire import decode_frame

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
LONG_SESSIONS = ("ws-market-lol-esports-2026-09-07.jsonl.gz", "ws-market-btc-updown-5m-2026-08-16.jsonl.gz")
GAP_MS = 1_000


def repeated(name: str, times: int) -> list[bytes]:
    """Lines of a recording whose live part is played ``times`` times in a row."""
    problems: list[Problem] = []
    frames = [msgspec.json.decode(line.raw) for _, line in read_lines(DATA / name, problems)]
    messages = [m for frame in frames for m in decode_frame(msgspec.json.encode(frame))]
    books = {i.market: TrackedBook(i) for i in infer_instruments(messages, {})}
    live = next(n for n, frame in enumerate(frames) if _parts(frame)[0]["event_type"] != "book")
    stamps = [int(part["timestamp"]) for frame in frames[live:] for part in _parts(frame)]
    length = max(stamps) - min(stamps) + GAP_MS
    lines = [_line(frame, 0, books) for frame in frames[:live]]
    for turn in range(times):
        lines += [_line(frame, turn * length, books) for frame in frames[live:]]
    return lines


def recorded_stream(name: str, times: int) -> Stream:
    """The same as a stream for the harness, without the stated touches: that recordings replay right is tested."""
    lines = repeated(name, times)
    texts = [line.partition(b'"raw":')[2][:-1].decode() for line in lines]
    messages = [message for text in texts for message in decode_frame(text)]
    instruments = infer_instruments(messages, {})
    tokens = {
        token: {
            "market": one.market,
            "tick": one.tick_text,
            "min_size": one.min_size_text,
            "neg_risk": "true" if one.neg_risk else "",
        }
        for one in instruments
        for token in (one.yes_token, one.no_token)
    }
    live = next(n for n, text in enumerate(texts) if '"event_type":"book"' not in text)
    frames = [Frame(text, "recorded", ()) for text in texts]
    return Stream(tokens, frames[:live], frames[live:])


def write_repeated(path: Path, name: str, times: int) -> int:
    """Write such a recording, compressed; returns the number of frames."""
    lines = repeated(name, times)
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(b"\n".join(lines) + b"\n")
    return len(lines)


def _parts(frame: Any) -> list[dict[str, Any]]:
    return frame if isinstance(frame, list) else [frame]


def _line(frame: Any, shift_ms: int, books: dict[str, TrackedBook]) -> bytes:
    parts = msgspec.json.decode(msgspec.json.encode(_parts(frame)))
    for part in parts:
        part["timestamp"] = str(int(part["timestamp"]) + shift_ms)
        tracked = books[part["market"]]
        if part["event_type"] == "book":
            _renew_book(part, tracked)
        elif part["event_type"] == "price_change":
            _renew_change(part, tracked)
    raw = parts if isinstance(frame, list) else parts[0]
    return msgspec.json.encode({"t": max(int(part["timestamp"]) for part in parts), "raw": raw})


def _renew_book(part: dict[str, Any], tracked: TrackedBook) -> None:
    if tracked.timestamp_ms < int(part["timestamp"]):  # of the dump, with its own hash
        tracked.apply_book(_message(part), 0.0)
        return
    outcome = tracked.instrument.outcome_of(part["asset_id"])
    assert outcome is not None
    part |= msgspec.json.decode("{" + tracked.book.hash_levels(outcome) + "}")
    part["hash"] = tracked.stated_hash(part["asset_id"])


def _renew_change(part: dict[str, Any], tracked: TrackedBook) -> None:
    changes = part["price_changes"]
    for change in changes:
        change |= {"hash": "", "best_bid": "", "best_ask": ""}
    tracked.apply_changes(_message(part), 0.0)
    book, k = tracked.book, tracked.instrument.grid.k
    bid, ask = book.best_bid or 0, book.best_ask or k
    for change in changes:
        is_yes = change["asset_id"] == tracked.instrument.yes_token
        low, high = (bid, ask) if is_yes else (k - ask, k - bid)
        change["best_bid"], change["best_ask"] = tracked.instrument.grid.text(low), tracked.instrument.grid.text(high)
        change["hash"] = tracked.stated_hash(change["asset_id"])


def _message(part: dict[str, Any]) -> MarketMessage:
    return msgspec.json.decode(msgspec.json.encode(part), type=MarketMessage, strict=False)
