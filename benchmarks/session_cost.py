"""The demo with its console on a terminal: time to first content, memory, and the cost of a frame."""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

MARKETS = 4
RUN_SEC = 25.0
FIRST_BAR_SEC = 0.8
MEMORY_BAR_MB = 180.0
STARTS = 5


def run() -> bool:
    """Print start-up times and resident memory; True when both bars are reached."""
    firsts = sorted(_first_content() for _ in range(STARTS))
    first = firsts[len(firsts) // 2]
    bare = sorted(_python_start() for _ in range(STARTS))[STARTS // 2]
    print(f"demo on a terminal of 120x36, {MARKETS} markets")
    print(f"  first content after {first:.2f} s (median of {STARTS}; a bare interpreter starts in {bare:.2f} s)")
    memory, exchange = _memory()
    print(
        f"  resident after {RUN_SEC:.0f} s: {memory:.0f} MB with the console; its exchange {exchange:.0f} MB beside it"
    )
    reached = first < FIRST_BAR_SEC and memory < MEMORY_BAR_MB
    bars = f"{FIRST_BAR_SEC} s and {MEMORY_BAR_MB:.0f} MB"
    print(f"  bars {bars}: {'reached' if reached else 'NOT reached'}")
    return reached


def _start(folder: str) -> tuple[int, int]:
    """Start the program on a pseudo-terminal; returns its process id and the terminal."""
    process, terminal = pty.fork()
    if process == 0:
        os.environ |= {"POLYMM_STATE_DIR": folder, "METRICS_PORT": "0", "TERM": "xterm-256color"}
        os.execv(sys.executable, [sys.executable, "-m", "polymm_tui", "--seed", "1"])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
    return process, terminal


def _first_content() -> float:
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        process, terminal = _start(folder)
        seen = b""
        while b"Markets" not in seen and time.monotonic() - started < 10:
            seen += _read(terminal, 0.02)
        took = time.monotonic() - started
        _end(process, terminal)
    return took


def _memory() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        process, terminal = _start(folder)
        deadline = time.monotonic() + RUN_SEC
        while time.monotonic() < deadline:
            _read(terminal, 0.2)
        children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
        tasks = Path(f"/proc/{process}/task").iterdir()
        for task in tasks:
            children += (task / "children").read_text(encoding="ascii").split()
        memory, exchange = _resident(process), sum(_resident(int(child)) for child in set(children))
        _end(process, terminal)
    return memory, exchange


def _resident(process: int) -> float:
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _read(terminal: int, wait: float) -> bytes:
    ready, _, _ = select.select([terminal], [], [], wait)
    try:
        return os.read(terminal, 65536) if ready else b""
    except OSError:
        return b""


def _end(process: int, terminal: int) -> None:
    os.kill(process, signal.SIGTERM)
    while os.waitpid(process, os.WNOHANG)[0] == 0:
        _read(terminal, 0.05)
    os.close(terminal)


def _python_start() -> float:
    started = time.monotonic()
    os.waitpid(os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", "pass"]), 0)
    return time.monotonic() - started
