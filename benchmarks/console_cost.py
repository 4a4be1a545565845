"""What the console costs, and what it costs the session: a pseudo-terminal, 5,000 messages a second.

An exchange in another process plays a made-up recording of 20 markets; the program makes them on paper. Bars of issue
10. The machine's speed drifts: of what is compared, runs alternate and ratios count.
"""

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.request import urlopen

from benchmarks.pty_program import Program, free_port
from benchmarks.stream import make_stream

MARKETS: Final = 20
RATE: Final = 5_000
"""Messages a second."""
PLAYED_SEC: Final = 60
SETTLE_SEC: Final = 9.0
"""From the start of the program to the first measurement: books proven, orders placed, collector taken over."""
WINDOW_SEC: Final = 12.0
PRESSES: Final = 40
SIZES: Final = ((120, 36), (200, 60))
CPU_BARS: Final = {(120, 36): 0.12, (200, 60): 0.20}
KEY_BAR_MS: Final = 100.0
BYTES_BAR: Final = 40_000
PAUSE_BAR_MS: Final = 15.0
LATE_BAR: Final = 1.1
ROUNDS: Final = 3
"""Of runs without, with and with a stalled console, in turn."""


class Steady(NamedTuple):
    """A console in steady state."""

    cpu: float
    """Share of a core of everything that the console added to the process, by thread."""
    bytes_per_s: float
    keys_ms: list[float]
    """From a key to the paint that shows it, rising."""
    pause_ms: float


def run() -> bool:
    """Print every figure with its bar; says whether all bars were reached."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _write_recording(place)
        print(f"console over {MARKETS} markets and {RATE:,} messages a second, paper mode, on a pseudo-terminal")
        idle = _headless_share(place)
        reached = [_report(size, _steady(place, size, idle)) for size in SIZES]
        reached.append(_lateness(place))
    return all(reached)


def _report(size: tuple[int, int], seen: Steady) -> bool:
    key = seen.keys_ms[round(0.95 * (len(seen.keys_ms) - 1))]
    middle = statistics.median(seen.keys_ms)
    bar = CPU_BARS[size]
    print(
        f"  {size[0]}x{size[1]}: {seen.cpu:.1%} of a core (bar {bar:.0%}), {seen.bytes_per_s / 1000:.1f} kB/s (bar"
        f" {BYTES_BAR // 1000}), key to paint p95 {key:.0f} ms (bar {KEY_BAR_MS:.0f}; median {middle:.0f}), longest"
        f" pause of the collector {seen.pause_ms:.1f} ms (bar {PAUSE_BAR_MS:.0f})"
    )
    return seen.cpu < bar and seen.bytes_per_s < BYTES_BAR and key < KEY_BAR_MS and seen.pause_ms < PAUSE_BAR_MS


def _steady(place: Path, size: tuple[int, int], idle: float) -> Steady:
    """Measure a console that is left alone, then one whose operator goes through the markets."""
    with _playing(place) as env, Program(env, place, size) as program:
        program.read_for(SETTLE_SEC)
        began, cpu, octets = time.monotonic(), program.other_threads_s(), program.octets
        program.read_for(WINDOW_SEC)
        took = time.monotonic() - began
        share, rate = (program.other_threads_s() - cpu) / took - idle, (program.octets - octets) / took
        keys = sorted(_presses(program))
        pause = _metrics(env)["mm_gc_pause_seconds"]
    return Steady(share, rate, keys, 1000 * pause)


def _presses(program: Program) -> Iterator[float]:
    """Milliseconds from a key that selects the next market to the paint of its name over the ladder."""
    dice, place, step = random.Random(1), 0, 1
    for _ in range(PRESSES):
        program.read_for(0.15 + 0.2 * dice.random())
        step = -1 if place == MARKETS - 1 else 1 if place == 0 else step
        place += step
        yield 1000 * program.press_and_see(b"j" if step > 0 else b"k", _mark(place))


def _lateness(place: Path) -> bool:
    """Mean lateness of decisions without a console, with one, and with one whose terminal nobody reads."""
    seen: dict[str, list[float]] = {"absent": [], "shown": [], "stalled": []}
    for _ in range(ROUNDS):
        for kind, found in seen.items():
            with _playing(place) as env, Program(env, place, SIZES[0], console=kind != "absent") as program:
                program.read_for(SETTLE_SEC)
                before = _metrics(env)
                if kind == "stalled":
                    time.sleep(WINDOW_SEC)
                else:
                    program.read_for(WINDOW_SEC)
                after = _metrics(env)
                found.append(_mean(before, after))
    ratios = {kind: statistics.median(seen[kind]) / statistics.median(seen["absent"]) for kind in ("shown", "stalled")}
    base = 1000 * statistics.median(seen["absent"])
    print(
        f"  decisions are late by {base:.2f} ms without a console; with one x{ratios['shown']:.2f}, with one whose"
        f" terminal nobody reads x{ratios['stalled']:.2f} (bar {LATE_BAR})"
    )
    return max(ratios.values()) < LATE_BAR


def _mean(before: dict[str, float], after: dict[str, float]) -> float:
    name = "mm_decision_late_seconds"
    return (after[f"{name}_sum"] - before[f"{name}_sum"]) / (after[f"{name}_count"] - before[f"{name}_count"])


def _headless_share(place: Path) -> float:
    """Share of a core of all threads but the session's without a console."""
    with _playing(place) as env, Program(env, place, SIZES[0], console=False) as program:
        program.read_for(SETTLE_SEC)
        began, cpu = time.monotonic(), program.other_threads_s()
        program.read_for(WINDOW_SEC)
        return (program.other_threads_s() - cpu) / (time.monotonic() - began)


# The world around the program


@contextmanager
def _playing(place: Path) -> Iterator[dict[str, str]]:
    """The exchange plays the recording from its first subscriber on; gives the program's environment."""
    command = [sys.executable, "-m", "polymm_tui", "exchange", "--recording", str(place / "recording.jsonl")]
    process = subprocess.Popen([*command, "--gamma", str(place / "gamma.json")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        urls: dict[str, Any] = json.loads(process.stdout.readline())
        settings = {f"POLYMM_{name.upper()}": str(url) for name, url in urls.items() if name.endswith("_url")}
        yield (
            os.environ
            | settings
            | {
                "POLYMM_MODE": "paper",
                "METRICS_PORT": str(free_port()),
                "TERM": "xterm-256color",
                "COLORTERM": "truecolor",
            }
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _metrics(env: dict[str, str]) -> dict[str, float]:
    """Metrics without labels."""
    with urlopen(f"http://127.0.0.1:{env['METRICS_PORT']}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.split(" ") for line in lines if line and line[0] != "#" and "{" not in line)
    return {name: float(value) for name, value in pairs}


def _mark(place: int) -> bytes:
    """What of a market's name only a title over a ladder has room for."""
    return f"of benchmark {place + 1:02d}".encode()


def _write_recording(place: Path) -> None:
    """The recording, its markets as Gamma would tell them, and the configuration that makes them all."""
    stream = make_stream(2 * MARKETS, RATE * PLAYED_SEC)
    first = 1_790_000_000_000.0
    with (place / "recording.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(f'{{"t":{first:.3f},"raw":{frame.text}}}\n' for frame in stream.dump)
        for number, frame in enumerate(stream.frames):
            file.write(f'{{"t":{first + 3_000 + number * 1_000 / RATE:.3f},"raw":{frame.text}}}\n')
    tokens = list(stream.tokens)
    pairs = [tokens[at : at + 2] for at in range(0, len(tokens), 2)]
    markets = [_gamma_market(number, pair, stream.tokens[pair[0]]) for number, pair in enumerate(pairs)]
    (place / "gamma.json").write_text(json.dumps(markets), encoding="utf-8")
    listed = json.dumps([market["conditionId"] for market in markets])
    (place / "config.toml").write_text(f"markets = {listed}\n", encoding="utf-8")


def _gamma_market(number: int, pair: list[str], facts: dict[str, str]) -> dict[str, Any]:
    return {
        "conditionId": facts["market"],
        "clobTokenIds": json.dumps(pair),
        "outcomes": '["Yes","No"]',
        "question": f"Will this come true before the end {_mark(number).decode()}?",
        "orderPriceMinTickSize": float(facts["tick"]),
        "orderMinSize": 5,
        "active": True,
        "closed": False,
        "acceptingOrders": True,
        "enableOrderBook": True,
        "liquidityNum": 1e6,
        "volume24hr": 2e6,
        "volume1wk": 7e6,
        "volume1mo": 2e7,
        "endDate": "2027-12-31T00:00:00Z",
    }
