"""Reading recordings, whatever they look like; and what is made of what they do not say of their markets."""

import gzip
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from core.errors import UsageError
from core.lab import recording
from core.lab.recording import Problem, Reading, infer_instruments, known_instruments, read_lines
from core.store.recorded import Manifest, write_manifest
from tests.builders import NO, YES, VenueBook, a_market, shares


@pytest.mark.parametrize("min_size", ["5", "1", "15", "50"])
@pytest.mark.parametrize("neg_risk", [False, True])
def test_minimum_and_flag_are_those_that_reproduce_the_first_hash(min_size: str, neg_risk: bool) -> None:
    book = VenueBook(a_market(min_size_text=min_size, neg_risk=neg_risk))
    (found,) = infer_instruments([book.book("YES"), book.book("NO")], {})
    assert (found.min_size_text, found.min_size, found.neg_risk) == (min_size, shares(float(min_size)), neg_risk)
    assert (found.yes_token, found.no_token, found.tick_text) == (YES, NO, "0.01")


def test_other_token_is_learnt_from_changes_when_only_one_is_subscribed() -> None:
    book = VenueBook()
    (found,) = infer_instruments([book.book("YES"), book.set("bid", 44, 5)], {})
    assert (found.yes_token, found.no_token) == (YES, NO)


@pytest.mark.parametrize("tick", ["0.1", "0.01", "0.005", "0.0025", "0.001", "0.0001"])
def test_tick_that_is_not_told_is_the_coarsest_that_holds_every_price(tick: str) -> None:
    item = a_market(tick)
    book = VenueBook(item, mid=max(3, item.grid.k // 3), depth=2)
    (found,) = infer_instruments([book.book("YES", tick_size="")], {})
    assert found.tick_text == tick


@pytest.mark.parametrize("over", [{"hash": "0" * 40}, {"hash": ""}, {"last_trade_price": ""}])
def test_book_that_proves_nothing_still_makes_a_market(over: dict[str, Any]) -> None:
    (found,) = infer_instruments([VenueBook().book("YES", **over)], {})
    assert (found.min_size_text, found.neg_risk) == ("5", False)


def test_tick_of_nonsense_makes_no_market_and_a_known_market_is_left_alone() -> None:
    book = VenueBook()
    assert infer_instruments([book.book("YES", tick_size="0.3")], {}) == []
    assert infer_instruments([book.book("YES")], {book.instrument.market: book.instrument}) == []


# Reading


def zipped(*lines: bytes) -> bytes:
    return b"".join(gzip.compress(line + b"\n") for line in lines)


def read(path: Path) -> tuple[list[bytes], list[Problem]]:
    problems: list[Problem] = []
    return [line.raw for _, line in read_lines(path, problems)], problems


def test_old_and_new_lines_are_read_alike(tmp_path: Path) -> None:
    """Whole or unknown receive times, frames that are text, and notes of gaps as problems."""
    path = tmp_path / "r.jsonl"
    path.write_bytes(
        b'{"t":null,"raw":{"a":1}}\n{"raw":[1]}\n{"t":5,"raw":"PONG"}\n{"t":5.5,"base64":"/wA="}\n'
        b'{"t":6,"gap":"slow disk","tokens":["1"]}\n\n{"t":7,"raw":{},"more":"members"}'
    )
    frames, problems = read(path)
    assert frames == [b'{"a":1}', b"[1]", b"PONG", b"\xff\x00", b"{}"]
    assert problems == [Problem(5, "frames may be missing here: slow disk")]


def test_a_directory_is_one_recording_with_lines_counted_through(tmp_path: Path) -> None:
    """In order of names; other files are left alone; a damaged segment costs only itself."""
    (tmp_path / "2-000002.jsonl.gz").write_bytes(zipped(b'{"raw":2}', b"nonsense"))
    (tmp_path / "1-000001.jsonl.gz").write_bytes(zipped(b'{"raw":0}', b'{"raw":1}'))
    (tmp_path / "3-000003.jsonl.gz").write_bytes(b"\x1f\x8b not gzip")
    (tmp_path / "4-000004.jsonl").write_bytes(b'{"raw":3}\n')
    (tmp_path / "5-000005.jsonl.gz").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "9-000009.jsonl.gz.part").write_text("mine")
    frames, problems = read(tmp_path)
    assert frames == [b"0", b"1", b"2", b"3"]
    assert [problem.line for problem in problems] == [4, 5] and "damaged" in problems[1].problem
    reading = Reading(tmp_path)
    assert [number for number, _ in reading] == [1, 2, 3, 5]
    places = [reading.place(number) for number in (1, 3, 4, 5)]
    assert places == [
        "1-000001.jsonl.gz line 1",
        *(f"2-000002.jsonl.gz line {n}" for n in (1, 2)),
        "4-000004.jsonl line 1",
    ]


def test_damage_in_the_middle_costs_what_lies_behind_it(tmp_path: Path) -> None:
    """Everything before the damaged byte is read, from the same block of bytes too."""
    lines = [b'{"raw":%d}' % n for n in range(400)]
    content = bytearray(zipped(*lines))
    content[len(content) // 2] ^= 0xFF
    path = tmp_path / "r.jsonl.gz"
    path.write_bytes(content)
    frames, problems = read(path)
    assert frames == [b"%d" % n for n in range(len(frames))] and 190 <= len(frames) <= 210
    assert [problem.line for problem in problems] == [len(frames) + 1] and "damaged" in problems[0].problem


def test_padding_between_members_is_read_over(tmp_path: Path) -> None:
    """As gzip does; tapes and preallocated files leave zeros behind."""
    path = tmp_path / "r.jsonl.gz"
    path.write_bytes(zipped(b'{"raw":1}') + b"\0" * 700_000 + zipped(b'{"raw":2}') + b"\0" * 3)
    assert read(path) == ([b"1", b"2"], [])


@pytest.mark.parametrize("packed", [False, True])
def test_a_line_longer_than_any_frame_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    """A small archive may unpack to more than there is memory."""
    monkeypatch.setattr(recording, "LONGEST_LINE", 1_000_000)
    content = b'{"raw":1}\n' + b"0" * 3_000_000 + b'\n{"raw":2}\n' + b"0" * 3_000_000
    path = tmp_path / "r.jsonl"
    path.write_bytes(gzip.compress(content) if packed else content)
    frames, problems = read(path)
    assert frames == [b"1", b"2"]
    assert [(p.line, p.problem) for p in problems] == [(n, "longer than 1,000,000 bytes") for n in (2, 4)]


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    """`zcat ... | polymm-tui inspect /dev/stdin`."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(zipped(b'{"raw":1}', b'{"raw":2}'),))
    writer.start()
    assert read(pipe) == ([b"1", b"2"], [])
    writer.join()


def test_what_cannot_be_opened_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    """Missing, a loop of links, nothing to read in it, a segment that is none."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd" / "1.jsonl").mkdir(parents=True)
    words = {"missing": "no such file", "loop": "cannot be read", "empty": "no segments", "odd": "Is a directory"}
    for name, word in words.items():
        with pytest.raises(UsageError, match=word):
            read(tmp_path / name)


def test_instruments_come_from_the_caller_or_from_beside_the_segments(tmp_path: Path) -> None:
    """A Gamma file wins; a single file has nothing beside it."""
    market = a_market(min_size_text="15", neg_risk=True, end_unix=5.0)
    write_manifest(tmp_path, Manifest("test", "ws://x", (YES, NO), (market,)))
    assert known_instruments(tmp_path, None) == {market.market: market}
    assert known_instruments(tmp_path / "r.jsonl", None) == {}
    with pytest.raises(UsageError, match="--gamma"):
        known_instruments(tmp_path, tmp_path / "missing.json")
