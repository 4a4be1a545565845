"""What the recorder takes it gives back, whatever ends it; a slow or full disk costs seconds, never the rest."""

import errno
import gzip
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.clock import ManualClock
from core.errors import InstanceError, PreflightError, UsageError
from core.lab.recording import Problem, Reading, read_lines
from core.store import recorder as recorder_module
from core.store.recorded import (
    Gap,
    Line,
    Manifest,
    decode_line,
    encode_frame,
    encode_gap,
    read_manifest,
    segments,
)
from core.store.recorder import Recorder
from tests.builders import a_market, laws

MANIFEST = Manifest(program="test", url="ws://127.0.0.1:1", tokens=("1", "2"))
NOON_MS = 1_790_000_000_000
json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
frames = st.lists(
    st.one_of(
        st.binary(max_size=60),
        st.text(max_size=30).map(str.encode),
        json_like.map(lambda value: json.dumps(value).encode()),
        st.sampled_from([b'{"a":1},"raw":{"b":1}', b'{"a":1},"gap":"x"', b"{}\n", b" {}", b'"text"', b"PONG", b"[1]]"]),
    ),
    min_size=1,
    max_size=8,
)


def a_recorder(directory: Path, clock: ManualClock | None = None, **limits: Any) -> Recorder:
    return Recorder(directory, MANIFEST, clock or ManualClock(NOON_MS / 1000), **limits)


def recorded(directory: Path, *taken: bytes, **limits: Any) -> Recorder:
    """A recorder that took these frames, one a second, and ended in order."""
    recorder = a_recorder(directory, **limits)
    recorder.start()
    for second, frame in enumerate(taken):
        recorder.take(frame, float(second))
    recorder.close()
    return recorder


def read(path: Path) -> list[bytes]:
    return [line.raw for _, line in read_lines(path, [])]


def has_written(recorder: Recorder, frames: int) -> bool:
    return recorder.frames >= frames or bool(recorder.error)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


# The line


@laws(400)
@given(st.binary(max_size=200))
@example(b"")
@example(b'{"a":"\xff"}')
@example(b"{" * 2_000)
@example(b"[" * 1_022 + b"]" * 1_022)
def test_any_bytes_are_a_line_and_come_back(frame: bytes) -> None:
    """What the venue sends tomorrow can be recorded today."""
    line = encode_frame(frame, NOON_MS + 0.25)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert decode_line(line) == Line(frame, NOON_MS + 0.25)


@pytest.mark.parametrize(
    ("frame", "line"),
    [
        (b'{"z": 1,  "a":[1.50]}', b'{"t":5.000,"raw":{"z": 1,  "a":[1.50]}}\n'),
        (b"[{}, {}]", b'{"t":5.000,"raw":[{}, {}]}\n'),
        (b"INVALID OPERATION", b'{"t":5.000,"raw":"INVALID OPERATION"}\n'),
        (b'{"cut": ', b'{"t":5.000,"raw":"{\\"cut\\": "}\n'),
        (b"\xff\x00", b'{"t":5.000,"base64":"/wA="}\n'),
    ],
)
def test_a_frame_stands_in_its_line_as_it_was_received(frame: bytes, line: bytes) -> None:
    """Bytes are spliced in, not encoded anew: a hash is over the venue's own spelling."""
    assert encode_frame(frame, 5) == line


def test_a_note_of_a_gap_is_a_line() -> None:
    gap = Gap("the disk\nwas slow", 7.0, ("1", "2"))
    assert decode_line(encode_gap(gap)) == gap


# The file


@laws(40)
@given(frames)
def test_any_frames_come_back_in_order(taken: list[bytes]) -> None:
    """Through queue, thread, packing and reading."""
    with tempfile.TemporaryDirectory() as place:
        done = recorded(Path(place), *taken)
        assert read(Path(place)) == taken
        assert (done.frames, done.bytes, done.dropped, done.error) == (len(taken), sum(map(len, taken)), 0, "")


@pytest.mark.parametrize("in_directory", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_a_file_cut_at_any_byte_gives_the_frames_before_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool, in_directory: bool
) -> None:
    """A kill, a full disk, a copy that broke off: never an exception, never a frame that was not sent."""
    monkeypatch.setattr(recorder_module, "MEMBER_BYTES", 120)
    taken = [b'{"n":%d}' % n if n % 3 else b"text %d" % n for n in range(12)]
    recorded(tmp_path / "whole", *taken)
    (whole,) = segments(tmp_path / "whole")
    content = whole.read_bytes() if packed else gzip.decompress(whole.read_bytes())
    assert not packed or content.count(b"\x1f\x8b\x08") >= 3
    cut = tmp_path / "cut" / ("s.jsonl.gz" if packed else "s.jsonl")
    cut.parent.mkdir()
    least = 0
    for end in range(len(content) + 1):
        cut.write_bytes(content[:end])
        reading = Reading(cut.parent if in_directory else cut)
        told = [entry.raw for _, entry in reading if isinstance(entry, Line)]
        assert told == taken[: len(told)] and len(told) >= least
        assert len(reading.problems) + len(reading.cuts) <= 1
        least = len(told)
    assert least == len(taken) and not reading.problems and not reading.cuts


def test_what_a_kill_leaves_of_the_last_write_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that was written before is there: the recording is good and the cut is told."""
    monkeypatch.setattr(recorder_module, "MEMBER_BYTES", 1)
    recorded(tmp_path, b"{}", b"[]", b'{"last":1}')
    (segment,) = segments(tmp_path)
    segment.write_bytes(segment.read_bytes()[:-10])
    reading = Reading(tmp_path)
    assert len(list(reading)) >= 2 and not reading.problems
    assert [cut.problem for cut in reading.cuts] == ["the recorder was stopped in the middle of a write"]


@pytest.mark.skipif(shutil.which("zcat") is None, reason="there is no zcat here")
def test_everybody_can_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """gzip members in a row are gzip; a recording must outlive this program."""
    monkeypatch.setattr(recorder_module, "MEMBER_BYTES", 1)
    recorded(tmp_path, b'{"a":1}', b"[2]", segment_bytes=1)
    told = subprocess.run(["zcat", *segments(tmp_path)], capture_output=True, check=True).stdout
    assert told == b'{"t":%d.000,"raw":{"a":1}}\n{"t":%d.000,"raw":[2]}\n' % (NOON_MS, NOON_MS + 1000)


def test_receive_times_are_the_wall_clock_s(tmp_path: Path) -> None:
    """Milliseconds since 1970, from the monotonic moment of receipt."""
    clock = ManualClock(unix=NOON_MS / 1000 + 10, monotonic=110.0)
    recorder = a_recorder(tmp_path, clock)
    recorder.start()
    recorder.take(b"{}", 100.25)
    recorder.close()
    assert [line.t for _, line in read_lines(tmp_path, [])] == [NOON_MS + 250]


def test_text_is_taken_like_bytes(tmp_path: Path) -> None:
    """A library may hand over either."""
    recorder = a_recorder(tmp_path)
    recorder.start()
    recorder.take('{"title":"Ünited"}', 0.0)
    recorder.close()
    assert read(tmp_path) == ['{"title":"Ünited"}'.encode()]


def test_frames_are_on_the_disk_without_an_end(tmp_path: Path) -> None:
    """Nobody announces a kill -9."""
    recorder = a_recorder(tmp_path)
    recorder.start()
    recorder.take(b'{"n":1}', 0.0)
    until(lambda: recorder.frames == 1)
    assert read(tmp_path) == [b'{"n":1}']
    recorder.take(b'{"n":2}', 1.0)
    until(lambda: recorder.frames == 2)
    assert read(tmp_path) == [b'{"n":1}', b'{"n":2}']
    recorder.close()


# Segments


def test_segments_end_by_size_and_sort_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "MEMBER_BYTES", 1)
    done = recorded(tmp_path, *(b"[%d]" % n for n in range(12)), segment_bytes=100)
    names = [path.name for path in segments(tmp_path)]
    assert len(names) == done.segments >= 3 and names == sorted(names)
    assert names[0] == "20260921T141320Z-000001.jsonl.gz"
    assert read(tmp_path) == [b"[%d]" % n for n in range(12)]
    assert done.disk_bytes == sum(path.stat().st_size for path in segments(tmp_path))


def test_segments_end_by_time_and_a_clock_set_back_does_not_mix_them(tmp_path: Path) -> None:
    """Order of names is order of writing, whatever the wall clock does."""
    for n, unix in enumerate((NOON_MS / 1000, NOON_MS / 1000 - 86_400)):
        clock = ManualClock(unix)
        recorder = a_recorder(tmp_path, clock, segment_s=60.0)
        recorder.start()
        for second in (0, 61):
            clock.advance_to(float(second))
            recorder.take(b'{"n":%d}' % (100 * n + second), float(second))
            until(partial(has_written, recorder, 1 + (second > 0)))
        recorder.close()
    assert read(tmp_path) == [b'{"n":0}', b'{"n":61}', b'{"n":100}', b'{"n":161}']
    assert len(segments(tmp_path)) == 4


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    """What is recorded shows what somebody is interested in."""
    place = tmp_path / "new" / "place"
    recorded(place, b"{}")
    assert place.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {0o600}


def test_nothing_taken_makes_no_segment(tmp_path: Path) -> None:
    assert recorded(tmp_path).segments == 0 and segments(tmp_path) == []


# Going on


def test_a_recording_goes_on_with_a_note_of_the_gap(tmp_path: Path) -> None:
    """What came between is missing, and a reader must know it."""
    recorded(tmp_path, b"[1]")
    market, other = a_market(), a_market(market="0xother")
    for markets in ((market,), (a_market(tick="0.001"), other)):
        recorder = Recorder(tmp_path, Manifest("later", "ws://x", ("2", "3"), markets), ManualClock(NOON_MS / 1000))
        recorder.start()
        recorder.take(b"[2]", 0.0)
        recorder.close()
    entries = [entry for _, entry in Reading(tmp_path)]
    reasons = [entry.reason for entry in entries if isinstance(entry, Gap)]
    assert reasons == ["the recorder was started again"] * 2 and isinstance(entries[0], Line)
    assert [int(path.name[17:23]) for path in segments(tmp_path)] == [1, 2, 3]
    manifest = read_manifest(tmp_path)
    assert manifest == Manifest("later", "ws://x", ("1", "2", "3"), (market, other))


def test_only_one_writes_into_a_directory(tmp_path: Path) -> None:
    first = a_recorder(tmp_path)
    first.start()
    with pytest.raises(InstanceError, match="another recorder"):
        a_recorder(tmp_path).start()
    first.close()
    second = a_recorder(tmp_path)
    second.start()
    second.close()


def test_a_place_that_cannot_be_recorded_into_is_refused(tmp_path: Path) -> None:
    """Before anything is received: which, why, what to do."""
    file = tmp_path / "file"
    file.write_text("somebody's")
    with pytest.raises(UsageError, match="file: not a directory; give --out"):
        a_recorder(file).start()
    with pytest.raises(PreflightError, match="below: Not a directory; give --out"):
        a_recorder(file / "below").start()
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises((UsageError, PreflightError), match="loop"):
        a_recorder(loop).start()
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "manifest.json").write_text("{")
    with pytest.raises(UsageError, match="manifest is damaged"):
        a_recorder(tmp_path / "old").start()
    assert file.read_text() == "somebody's"


# Disks


def test_a_slow_disk_costs_whole_seconds_and_the_recording_says_so(tmp_path: Path) -> None:
    """The receive loop never waits; what is dropped is noted where it is missing."""
    recorder = a_recorder(tmp_path, most_waiting=1_000)
    for n in range(10):  # nothing is written before the start: the slowest disk there is
        recorder.take(b'{"n":%d}' % n, n / 10)
    assert recorder.dropped == 5
    recorder.start()
    until(lambda: recorder.frames == 5)
    recorder.take(b'{"n":10}', 0.99)  # the disk keeps up again, but the second has not ended
    recorder.take(b'{"n":11}', 1.2)
    recorder.close()
    entries = [entry for _, entry in Reading(tmp_path)]
    assert [entry.raw if isinstance(entry, Line) else entry.reason for entry in entries] == [
        *(b'{"n":%d}' % n for n in range(5)),
        "the disk did not keep up: 6 frames in 0.8 s were dropped",
        b'{"n":11}',
    ]
    problems: list[Problem] = []
    assert len(list(read_lines(tmp_path, problems))) == 6
    assert [(problem.line, problem.problem[:28]) for problem in problems] == [(6, "frames may be missing here: ")]


def test_what_was_dropped_last_is_noted_at_the_end(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path, most_waiting=300)
    for n in range(4):
        recorder.take(b"{}", float(n))
    recorder.start()
    recorder.close()
    assert isinstance([entry for _, entry in Reading(tmp_path)][-1], Gap)


def test_taking_never_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even for one that hangs; and the end does not wait for it for ever."""
    entered, hang, left = threading.Event(), threading.Event(), threading.Event()
    real = os.write

    def write(file: int, content: Any) -> int:
        if isinstance(content, memoryview):  # the recorder's, no other's
            entered.set()
            hang.wait(20)
            left.set()
        return real(file, content)

    monkeypatch.setattr(os, "write", write)
    recorder = a_recorder(tmp_path)
    recorder.start()
    recorder.take(b"{}", 0.0)
    assert entered.wait(20)
    for n in range(10_000):
        recorder.take(b"{}", float(n))
    recorder.close(timeout_s=0.1)
    assert not left.is_set()
    assert "did not take the last frames" in recorder.error
    hang.set()
    recorder.close()


@pytest.mark.parametrize("written", [0, 7])
def test_a_full_disk_leaves_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int) -> None:
    """Also when it took a part of the write."""
    real = os.write
    calls: list[int] = []

    def write(file: int, content: Any) -> int:
        if not isinstance(content, memoryview):
            return real(file, content)  # not the recorder's
        calls.append(len(content))
        if len(calls) < 3:
            return real(file, content)
        if len(calls) == 3 and written:
            return real(file, content[:written])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    recorder = a_recorder(tmp_path)
    recorder.start()
    monkeypatch.setattr(os, "write", write)
    for n in range(4):
        recorder.take(b'{"n":%d}' % n, float(n))
        until(partial(has_written, recorder, n + 1))
    monkeypatch.undo()
    recorder.close()
    assert recorder.error == f"{tmp_path}: No space left on device; what was written until then can be read"
    reading = Reading(tmp_path)
    assert [entry.raw for _, entry in reading if isinstance(entry, Line)] == [b'{"n":0}', b'{"n":1}']
    assert not reading.problems and not reading.cuts


def test_a_fault_of_our_own_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that died unseen would lose the rest without a word."""

    def broken(*_: object) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(recorder_module, "encode_frame", broken)
    recorder = recorded(tmp_path, b"{}")
    assert "internal error: ZeroDivisionError" in recorder.error
