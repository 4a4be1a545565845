"""What the hot path costs, in multiples of the yardstick: by frame, by tail, by number of tokens, by hash.

Bars of issue 4. Both sides of every ratio are CPU time of the same piece of 2,000 frames in the same run; of ratios the
median counts, quartiles stand beside it.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from benchmarks.harness import Lane, check_tops, latencies, memory, paired, ratio, spread
from benchmarks.pipeline import NEVER, factory
from benchmarks.recordings import DATA, LONG_SESSIONS, recorded_stream
from benchmarks.stream import Stream, disguised, make_stream
from benchmarks.yardstick import JsonDicts, JsonSignals, RefDecide, RefSkip

FRAMES: Final = 24_000
TOKENS: Final = 100
ROUNDS: Final = 3
PASSES: Final = 7
SIZES: Final = (2, 10, 100, 1_000)
BOOK_BAR, JSON_BAR, SIGNALS_BAR, TAIL_BAR, GROWTH_BAR, HASH_BAR = 1.6, 5.0, 2.5, 5.0, 1.5, 1.5
STATE_BAR_KIB: Final = 24.0
RECORDED_BAR: Final = 5.0
RECORDED_TURNS: Final = 110

books = partial(factory, signals=False, checks=NEVER)
books_proven = partial(factory, signals=False, checks=1)
everything = partial(factory, checks=NEVER)
everything_proven = partial(factory, checks=1)
as_shipped = factory


def run() -> bool:
    """Print every figure with its bar; says whether all bars were reached."""
    stream = make_stream(TOKENS, FRAMES)
    reached = [_costs(stream), _tail(stream), _growth(), *map(_recorded, LONG_SESSIONS if DATA.is_dir() else ())]
    return all(reached)


def _costs(stream: Stream) -> bool:
    lanes = {
        "ref-skip": Lane(RefSkip, stream),
        "ref-decide": Lane(RefDecide, stream),
        "json + dict of levels": Lane(JsonDicts, stream),
        "books": Lane(books, stream),
        "books, every change hashed": Lane(books_proven, stream),
        "signals and decision test": Lane(everything, stream),
        "the same, every change hashed": Lane(everything_proven, stream),
        "as shipped (sampled)": Lane(as_shipped, stream),
        "the same, hashes made up": Lane(as_shipped, disguised(stream)),
    }
    tops = [check_tops(lane) for lane in lanes.values()]
    print(
        f"text frame to book, {TOKENS} tokens, {FRAMES:,} frames; {sum(tops):,} tops compared with the wire, all agree"
    )
    times = paired(lanes, ROUNDS)
    for name in lanes:
        against_skip, against_decide = ratio(times, name, "ref-skip"), ratio(times, name, "ref-decide")
        cost = spread(seconds * 1e6 for seconds in times[name])
        print(f"  {name:<30} {cost.median:6.2f} us   {against_skip} x ref-skip   {against_decide} x ref-decide")
    by_json = ratio(times, "json + dict of levels", "books")
    hashed = ratio(times, "the same, every change hashed", "signals and decision test")
    bare = ratio(times, "books, every change hashed", "books")
    print(f"  checking every hash multiplies the path to the book by {bare}, to the decision by {hashed}")
    return all(
        [
            _bar("books", ratio(times, "books", "ref-skip").median, BOOK_BAR, "x ref-skip"),
            _at_least("books", by_json.median, JSON_BAR, "x faster than json + dict of levels"),
            _bar("signals", ratio(times, "signals and decision test", "ref-skip").median, SIGNALS_BAR, "x ref-skip"),
            _bar("every hash", hashed.median, HASH_BAR, "x the path to the decision"),
        ]
    )


def _tail(stream: Stream) -> bool:
    print(f"work of one frame, least of {PASSES} passes, us")
    reached = []
    for name, make in {"ref-skip": RefSkip, "books": books, "signals and decision test": everything}.items():
        times = latencies(Lane(make, stream), PASSES)
        p50, p90, p99, p999 = (times[int(len(times) * q)] * 1e6 for q in (0.5, 0.9, 0.99, 0.999))
        print(f"  {name:<30} p50 {p50:.1f}  p90 {p90:.1f}  p99 {p99:.1f}  p99.9 {p999:.1f}  p99/p50 {p99 / p50:.1f}")
        reached.append(make is RefSkip or _bar(name, p99 / p50, TAIL_BAR, "x p50"))
    return all(reached)


def _growth() -> bool:
    print("growth, signals and decision test, us a frame and KiB of state a token (allocated by Python)")
    streams = {size: make_stream(size, FRAMES) for size in SIZES}
    makes: dict[str, Callable[..., RefSkip]] = {"ours": everything, "ref-skip": RefSkip}
    lanes = {f"{name} {size}": Lane(make, stream) for size, stream in streams.items() for name, make in makes.items()}
    times = paired(lanes, ROUNDS)
    for name in makes:
        costs = "  ".join(f"{size}: {spread(times[f'{name} {size}']).median * 1e6:.2f}" for size in SIZES)
        kib = {size: memory(lanes[f"{name} {size}"]) / 1024 / size for size in SIZES[1:]}
        states = "  ".join(f"{size}: {state:.1f}" for size, state in kib.items())
        growth = ratio(times, f"{name} {SIZES[-1]}", f"{name} {SIZES[0]}")
        print(f"  {name:<9} {costs}   {SIZES[-1]:,} / {SIZES[0]}: {growth}   KiB {states}")
        if name == "ours":
            reached = [
                _bar("growth", growth.median, GROWTH_BAR, f"x per frame, {SIZES[-1]:,} tokens against {SIZES[0]}"),
                _bar("state", kib[SIZES[-1]], STATE_BAR_KIB, f"KiB a token of {SIZES[-1]:,}"),
            ]
    return all(reached)


def _recorded(name: str) -> bool:
    """The older bar: signals against plain means of the same outputs, on what was recorded."""
    stream = recorded_stream(name, RECORDED_TURNS)
    lanes = {"json + dict + sort": Lane(JsonSignals, stream), "ours": Lane(everything, stream)}
    lanes |= {"ours, every change hashed": Lane(everything_proven, stream), "ref-decide": Lane(RefDecide, stream)}
    times = paired(lanes, ROUNDS, warm=1)
    print(f"frame to book and signals, {name[10:-9]}, {len(stream.frames)} frames")
    for lane in lanes:
        print(f"  {lane:<30} {spread(times[lane]).median * 1e6:6.1f} us")
    faster = ratio(times, "json + dict + sort", "ours").median
    large = name == LONG_SESSIONS[-1]
    if not large:
        print(f"  {faster:.2f} x faster than json + dict + sort (books of about 50 levels: no bar)")
    return not large or _at_least("recorded", faster, RECORDED_BAR, "x faster than json + dict + sort")


def _bar(name: str, value: float, bar: float, unit: str) -> bool:
    return _told(name, value, value <= bar, f"at most {bar} {unit}")


def _at_least(name: str, value: float, bar: float, unit: str) -> bool:
    return _told(name, value, value >= bar, f"at least {bar} {unit}")


def _told(name: str, value: float, reached: bool, bar: str) -> bool:
    print(f"  {'reached' if reached else 'NOT REACHED'}: {name} {value:.2f}, bar {bar}")
    return reached
