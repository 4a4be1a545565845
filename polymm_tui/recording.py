"""The ``record`` command as a process: its lines on stderr, its result on stdout, its exit code."""

import asyncio
import sys
from pathlib import Path

import msgspec

from core.clock import SystemClock
from core.config import Settings
from core.errors import StoreError
from core.runtime.logs import Redactor, logging_to
from core.runtime.recording import Recorded, Recording, Wish
from core.store.recorded import size_text
from polymm_tui import __version__
from polymm_tui.streams import give, say


def run_record(
    settings: Settings,
    directory: Path,
    *,
    tokens: tuple[str, ...],
    markets: tuple[str, ...],
    demo: bool,
    duration_s: float | None,
    as_json: bool,
) -> int:
    """Record the market channel until something ends it; returns the exit code.

    Raises:
        PolymmError: it could not be started.
    """
    wish = Wish(directory, tokens, markets, demo, duration_s)
    with logging_to(None, Redactor()):
        done = asyncio.run(_record(settings, wish))
    if done.error:
        _tell(done.error)
    _tell(_sentence(done))
    if as_json:
        give(msgspec.json.encode(done).decode())
    return StoreError.exit_code if done.error else 0


async def _record(settings: Settings, wish: Wish) -> Recorded:
    status = say if sys.stderr is not None and sys.stderr.isatty() else None
    return await Recording(settings, wish, SystemClock(), f"polymm-tui {__version__}", _tell, status).run()


def _sentence(done: Recorded) -> str:
    sizes = f"{size_text(done.bytes)}, {size_text(done.disk_bytes)} on disk in {_many(done.segments, 'segment')}"
    lost = f", {done.dropped:,} frames DROPPED" if done.dropped else ""
    how = f"{done.duration_s:,.0f} s{lost} ({done.exit_reason})"
    return f"recorded {_many(done.frames, 'frame')}, {sizes}, {how}: {done.directory}"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _tell(line: str) -> None:
    say(f"polymm-tui: {line}")
