"""Consoles as real processes on a session that trades: what is done to them changes nothing in it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from core.children import child_environment
from core.clock import SystemClock
from core.config import Settings
from core.runtime import consoles as consoles_module
from core.runtime.compose import composer
from core.runtime.logs import Redactor
from core.runtime.places import Places
from core.runtime.session import Session
from tests.core.runtime.fakes import until
from tests.loopback.test_session_demo import painted

PATIENCE_S = 30.0
VERSION = "7"
CLIENT = str(Path(__file__).with_name("attach_client.py"))


@asynccontextmanager
async def trading(root: Path) -> AsyncIterator[Session]:
    """A demo session on this loop that has orders out; ended in order."""
    places = Places(root, "demo")
    places.claim()
    settings = Settings(metrics_port=0, demo_markets=2, seed=1)
    session = Session(settings, places, SystemClock(), Redactor(), composer({}, painted()), VERSION, lambda: 0.0)
    task = asyncio.create_task(session.run())
    try:
        await until(lambda: task.done() or session.engine.orders.counts.placed >= 8, PATIENCE_S)
        assert not task.done()
        yield session
    finally:
        session.request_stop("quit")
        outcome = await task
        places.release()
    assert (outcome.exit_code, outcome.verified) == (0, True), outcome.sentence


class Process:
    """A console in a process of its own, and what it has told."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.told: list[dict[str, Any]] = []
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.told.append(json.loads(line))

    @property
    def views(self) -> list[dict[str, Any]]:
        return [told for told in self.told if "seq" in told]

    async def do(self, act: str, market: str) -> dict[str, Any]:
        """Let it send a command; its answer."""
        assert self.process.stdin is not None
        before = sum("act" in told for told in self.told)
        self.process.stdin.write(f"{act} {market}\n".encode())
        await until(lambda: sum("act" in told for told in self.told) > before, PATIENCE_S)
        return [told for told in self.told if "act" in told][-1]

    async def sees(self, what: Callable[[dict[str, Any]], bool]) -> None:
        """Until its newest view is as wanted."""
        await until(lambda: self.views and what(self.views[-1]), PATIENCE_S)


@asynccontextmanager
async def console(root: Path, *flags: str) -> AsyncIterator[Process]:
    """A console that shows views; detached at the end unless it is gone."""
    process = Process(
        await asyncio.create_subprocess_exec(
            sys.executable, "-P", CLIENT, str(root), VERSION, *flags,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=child_environment(), limit=2**20,
        )
    )  # fmt: skip
    try:
        await until(lambda: process.views or process.reading.done(), PATIENCE_S)
        assert process.views
        yield process
    finally:
        if process.process.returncode is None:
            assert process.process.stdin is not None
            process.process.send_signal(signal.SIGCONT)
            process.process.stdin.close()
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await process.process.wait()
            except TimeoutError:
                process.process.kill()
        await process.reading
        await process.process.wait()


async def goes_on(session: Session, *, beats: bool = False) -> None:
    """The session decides again and again, and with ``beats`` the venue has acknowledged a heartbeat too."""
    engine = session.engine
    decisions, beat_s = engine.tally.decisions, engine.venue.beat_s or 0.0
    await until(lambda: engine.tally.decisions > decisions + 5, PATIENCE_S)
    if beats:
        await until(lambda: (engine.venue.beat_s or 0.0) > beat_s, PATIENCE_S)


async def test_two_consoles_see_and_do_the_same(tmp_path: Path) -> None:
    """One acts, the other only watches: views of the same number reach both, and the act of the one shows in both."""
    async with trading(tmp_path) as session, console(tmp_path) as one, console(tmp_path, "--read-only") as other:
        first, second = session.engine.desks
        await one.sees(lambda view: view["consoles"] == 2)
        await until(lambda: {v["seq"] for v in one.views} & {v["seq"] for v in other.views})
        refused = await other.do("pause", second)
        assert not refused["done"] and "only watches" in refused["text"]
        assert (await one.do("pause", first))["done"]
        for each in (one, other):
            await each.sees(lambda view: view["markets"][first][0] == "PAUSED" and view["markets"][first][1])
        assert session.engine.controls.of_all().state == "ACTIVE"
        authors = {control.author for control in session.engine.controls.held()}
        assert authors <= {"console 1", "console 2"} and len(authors) == 1


async def test_a_stopped_console_delays_nothing_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGSTOP: at most one view waits for it, none is made for it, and it is dropped; let go on, it attaches again."""
    monkeypatch.setattr(consoles_module, "TAKES_SEC", 6.0)
    async with trading(tmp_path) as session, console(tmp_path) as stopped:
        [attached] = session.consoles._consoles.values()
        os.kill(stopped.process.pid, signal.SIGSTOP)
        await asyncio.sleep(0.3)
        frames: list[int] = []
        monkeypatch.setattr(session.consoles, "_mask", lambda data: frames.append(len(data)) or data)
        before = len(stopped.views)
        await goes_on(session, beats=True)
        assert frames == [] and attached.writer.transport.get_write_buffer_size() < 500_000
        await until(lambda: session.consoles.dropped == 1, PATIENCE_S)
        assert session.consoles.count == 0
        os.kill(stopped.process.pid, signal.SIGCONT)
        await until(lambda: session.consoles.count == 1, PATIENCE_S)
        await until(lambda: len(stopped.views) > before + 5, PATIENCE_S)
        words = [told["word"] for told in stopped.told if "word" in told]
        assert len(words) == 2 and "the session goes on" in words[1]


async def test_a_console_stopped_for_a_moment_goes_on_where_it_was(tmp_path: Path) -> None:
    """Less than the time after which it is dropped: the next view is the newest, not the oldest of a queue."""
    async with trading(tmp_path) as session, console(tmp_path) as stopped:
        os.kill(stopped.process.pid, signal.SIGSTOP)
        await goes_on(session)
        before, unix = len(stopped.views), session.clock.unix()
        os.kill(stopped.process.pid, signal.SIGCONT)
        await until(lambda: len(stopped.views) >= before + 3, PATIENCE_S)
        assert stopped.views[before + 2]["unix"] >= unix - 0.2
        assert session.consoles.dropped == 0 and not any("word" in told for told in stopped.told)


async def test_a_killed_console_is_gone_and_nothing_else(tmp_path: Path) -> None:
    """SIGKILL, in the middle of everything."""
    async with trading(tmp_path) as session, console(tmp_path) as other:
        async with console(tmp_path) as killed:
            await killed.sees(lambda view: view["consoles"] == 2)
            os.kill(killed.process.pid, signal.SIGKILL)
            await until(lambda: session.consoles.count == 1, PATIENCE_S)
        await goes_on(session)
        before = len(other.views)
        await until(lambda: len(other.views) > before)
        assert session.consoles.garbled == session.consoles.dropped == 0


async def test_the_end_of_the_session_reaches_every_console(tmp_path: Path) -> None:
    """Asked for by one of them: both are told how it ended, and by whom it was asked."""
    async with console_and_session(tmp_path) as (session, one, other):
        market = next(iter(session.engine.desks))
        assert (await one.do("stop", market))["done"]
        for each in (one, other):
            await until(lambda each=each: any("over" in told for told in each.told), PATIENCE_S)  # type: ignore[misc]
            over = next(told["over"] for told in each.told if "over" in told)
            assert over.startswith("stopped (asked by console ") and over.endswith("zero open orders verified")


@asynccontextmanager
async def console_and_session(root: Path) -> AsyncIterator[tuple[Session, Process, Process]]:
    """Two consoles that outlive their session."""
    async with trading(root) as session, console(root) as one, console(root, "--read-only") as other:
        yield session, one, other
