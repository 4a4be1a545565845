"""Candidates driven side by side over the same frames: CPU time, paired by piece, order rotated (performance.md 2).

Every candidate lives in a process of its own, so that none warms or crowds the caches of another; a ratio is taken
piece by piece, where both sides had the same frames within the same fraction of a second.
"""

import gc
import multiprocessing
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

from benchmarks.stream import Frame, Stream
from benchmarks.yardstick import Candidate

PIECE: Final = 2_000
WARM: Final = 2
"""Pieces fed before any is measured."""
ANEW, END = -1, -2
"""Said to a worker instead of the number of a piece."""
Factory = Callable[[dict[str, dict[str, str]]], Candidate]
_fork: Final = multiprocessing.get_context("fork")


class Lane(NamedTuple):
    """A candidate and the stream it is driven over."""

    make: Factory
    stream: Stream


class Spread(NamedTuple):
    """Median and quartiles."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


def spread(values: Iterable[float]) -> Spread:
    """Median and quartiles of some values."""
    low, median, high = statistics.quantiles(values, n=4)
    return Spread(median, low, high)


def pieces_of(stream: Stream) -> list[list[str]]:
    """The texts of a stream, cut."""
    texts = [frame.text for frame in stream.frames]
    return [texts[at : at + PIECE] for at in range(0, len(texts), PIECE)]


def paired(lanes: dict[str, Lane], rounds: int, warm: int = WARM) -> dict[str, list[float]]:
    """CPU seconds a frame of every candidate, piece by piece; lists of equal length in the same order of pieces."""
    times: dict[str, list[float]] = {name: [] for name in lanes}
    workers = {name: _Worker(_drive, lane) for name, lane in lanes.items()}
    pieces = min(len(lane.stream.frames) for lane in lanes.values()) // PIECE
    names = list(lanes)
    for turn in range(rounds):
        for worker in workers.values():
            worker.ask(ANEW)
        for piece in range(pieces):
            first = (turn + piece) % len(names)
            for name in names[first:] + names[:first]:
                seconds = workers[name].ask(piece)
                if piece >= warm:
                    times[name].append(seconds / PIECE)
    for worker in workers.values():
        worker.end()
    return times


def ratio(times: dict[str, list[float]], name: str, base: str) -> Spread:
    """Cost of one candidate over that of another, piece by piece."""
    return spread([a / b for a, b in zip(times[name], times[base], strict=True)])


def latencies(lane: Lane, passes: int) -> list[float]:
    """Seconds of work of every frame, rising: the least of several passes, so that the neighbours do not count."""
    return _in_child(_latencies, lane, passes)


def memory(lane: Lane) -> int:
    """Bytes a candidate holds after its stream, as Python's allocators count them in a process of its own."""
    return _in_child(_traced, lane)


def check_tops(lane: Lane) -> int:
    """Feed every frame and compare every touch stated on the wire; returns how many agreed.

    Raises:
        AssertionError: one did not.
    """
    candidate = lane.make(lane.stream.tokens)
    compared = 0
    for number, frame in enumerate([*lane.stream.dump, *lane.stream.frames]):
        candidate.feed(frame.text)
        for token, bid, ask in frame.tops:
            shown = candidate.top(token)
            assert shown == (bid, ask), f"frame {number}: {shown} instead of {(bid, ask)}\n{frame.text[:2_000]}"
            compared += 1
    return compared


class _Worker:
    """A child process that answers one question after another."""

    def __init__(self, work: Callable[..., None], *parts: Any) -> None:
        self._line, theirs = _fork.Pipe()
        self._process = _fork.Process(target=work, args=(theirs, *parts), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, question: int) -> Any:
        """Raises ``EOFError`` when the child has died; its traceback is on stderr."""
        self._line.send(question)
        return self._line.recv()

    def end(self) -> None:
        self._line.send(END)
        self._process.join()


def _in_child(work: Callable[..., Any], *parts: Any) -> Any:
    def answer(line: Connection) -> None:
        while line.recv() != END:
            line.send(work(*parts))

    worker = _Worker(answer)
    result = worker.ask(0)
    worker.end()
    return result


def _drive(line: Connection, lane: Lane) -> None:
    """Make the candidate anew or feed a piece and answer with its CPU time, as asked."""
    pieces = pieces_of(lane.stream)
    candidate = _fresh(lane)
    while (piece := line.recv()) != END:
        if piece == ANEW:
            candidate = _fresh(lane)
            line.send(0.0)
        else:
            line.send(_cpu_seconds(candidate, pieces[piece]))


def _fresh(lane: Lane) -> Candidate:
    candidate = lane.make(lane.stream.tokens)
    _feed(candidate, lane.stream.dump)
    gc.collect()
    gc.freeze()
    return candidate


def _feed(candidate: Candidate, frames: Sequence[Frame]) -> None:
    for frame in frames:
        candidate.feed(frame.text)


def _cpu_seconds(candidate: Candidate, texts: list[str]) -> float:
    feed = candidate.feed
    started = time.process_time()
    for text in texts:
        feed(text)
    return time.process_time() - started


def _latencies(lane: Lane, passes: int) -> list[float]:
    texts = [frame.text for frame in lane.stream.frames]
    best = [float("inf")] * len(texts)
    now = time.perf_counter
    for _ in range(passes):
        feed = _fresh(lane).feed
        for number, text in enumerate(texts):
            started = now()
            feed(text)
            took = now() - started
            if took < best[number]:
                best[number] = took
    return sorted(best[WARM * PIECE :])


def _traced(lane: Lane) -> int:
    gc.collect()
    tracemalloc.start()
    candidate = lane.make(lane.stream.tokens)
    _feed(candidate, lane.stream.dump)
    _feed(candidate, lane.stream.frames)
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
