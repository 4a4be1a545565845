"""A session's side of the switch: what the engine hears, and what becomes of a watchdog."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.events import Armed, Killed, WatchdogSeen
from core.kill.report import KillReport
from core.kill.stored import KillCredentials
from core.kill.switch import KillSwitch
from core.runtime.guard import Guard, kill_view
from core.venue.credentials import ApiCredentials, Secret
from tests.core.runtime.fakes import until

CREDENTIALS = KillCredentials("http://127.0.0.1:9", "0x0", ApiCredentials(Secret("k"), Secret("c2VjcmV0"), Secret("p")))
PUPPET = """
import sys
sys.stdin.readline(); print("ready", flush=True)
heard = sys.stdin.read()
open(sys.argv[1], "w").write(heard or "nothing")
"""
"""Stands in for a watchdog: gets ready, and notes what it hears until the end."""
TALKER = """
import sys
for line in ("noise", "it could cancel nothing: timeout", "ready", "noise", "it could cancel nothing: again"):
    sys.stdin.readline(); print(line, flush=True)
sys.stdin.read()
"""
"""Another: says a line for each that it hears."""


class World:
    """A guard over a switch of its own."""

    def __init__(self, folder: Path, command: Sequence[str] = ()) -> None:
        self.switch = KillSwitch.open(folder, SystemClock())
        self.told: list[Killed | Armed | WatchdogSeen] = []
        self.guard = Guard(self.switch, SystemClock(), self.told.append, command)


async def test_a_new_latch_is_no_news_and_one_that_was_pulled_or_armed_is(tmp_path: Path) -> None:
    """At a start the engine is told what the disk says, and an operator's command finds it up to date."""
    world = World(tmp_path)
    world.guard.tell()
    assert world.told == []
    world.switch.pull("shell", "why")
    world.guard.heed()
    world.guard.heed()
    assert world.told == [Killed(by="shell", reason="why")]
    world.switch.rearm("ann", "fixed", pull=world.guard.told_pull)
    world.guard.heed()
    [_, armed] = world.told
    assert isinstance(armed, Armed) and (armed.by, armed.reason) == ("ann", "fixed")


async def test_where_nothing_rests_at_a_venue_a_kill_is_over_at_once(tmp_path: Path) -> None:
    """Paper: whoever pulled from a shell gets an answer too."""
    world = World(tmp_path)
    world.guard = Guard(world.switch, SystemClock(), world.told.append, (), nothing_rests=True)
    world.switch.pull("shell", "why")
    world.guard.heed()
    report = world.switch.report
    assert report is not None and (report.verified, report.killer, report.sent) == (True, "session", 0)
    assert world.switch.page.answered == world.switch.page.pull


async def test_the_loop_shows_that_it_lives_and_hears_of_a_pull(tmp_path: Path) -> None:
    """Both within a beat."""
    world = World(tmp_path)
    task = asyncio.create_task(world.guard.run())
    await until(lambda: world.switch.page.session_s > 0)
    world.switch.pull("console", "key")
    await until(lambda: world.told)
    assert world.told == [Killed(by="console", reason="key")]
    task.cancel()


async def test_a_watchdog_that_cannot_be_started_is_tried_again_and_nothing_is_quoted(tmp_path: Path) -> None:
    """The engine hears why, once."""
    world = World(tmp_path, ["/nowhere/watchdog"])
    world.guard.is_coming()
    task = asyncio.create_task(world.guard.keep(CREDENTIALS))
    await until(lambda: "cannot be started" in world.guard.detail)
    assert world.told == [WatchdogSeen(up=False, detail="it has not started yet")]
    assert kill_view(world.switch, world.guard, 0.0).watchdog_detail == world.guard.detail
    task.cancel()


@pytest.mark.parametrize(("in_peace", "heard"), [(True, "goodbye\n"), (False, "nothing")])
async def test_a_watchdog_hears_a_goodbye_only_when_nothing_is_open(tmp_path: Path, in_peace: bool, heard: str) -> None:
    """Without one it goes on cancelling, also after this process."""
    note = tmp_path / "heard"
    world = World(tmp_path, [sys.executable, "-c", PUPPET, str(note)])
    task = asyncio.create_task(world.guard.keep(CREDENTIALS))
    await until(lambda: world.guard.is_up)
    await world.guard.leave(in_peace=in_peace)
    await until(lambda: note.exists() and note.read_text())
    assert note.read_text() == heard
    await until(task.done)
    assert world.told == [WatchdogSeen(up=True)], "its end is expected"


async def test_a_watchdog_that_dies_is_news_and_another_follows(tmp_path: Path) -> None:
    """By the end of its output, which comes at once."""
    world = World(tmp_path, [sys.executable, "-c", PUPPET, str(tmp_path / "heard")])
    task = asyncio.create_task(world.guard.keep(CREDENTIALS))
    await until(lambda: world.guard.is_up)
    assert world.guard._process is not None
    world.guard._process.kill()
    await until(lambda: len(world.told) == 3)
    assert [isinstance(one, WatchdogSeen) and one.up for one in world.told] == [True, False, True]
    await world.guard.leave(in_peace=True)
    await until(task.done)


async def test_the_view_of_a_kill_tells_who_why_and_how_far(tmp_path: Path) -> None:
    """Made from page and latch alone, so it is true with a loop that hangs."""
    world = World(tmp_path)
    assert not kill_view(world.switch, None, 0.0).killed
    world.switch.pull("console", "key")
    report = KillReport(
        pull=world.switch.page.pull, by="console", reason="key", killer="watchdog", began_unix=0.0, sent=2, left=0,
        verified=True,
    )  # fmt: skip
    world.switch.page.write_report(report)
    view = kill_view(world.switch, None, 0.0)
    assert (view.killed, view.by, view.reason, view.guarded) == (True, "console", "key", False)
    assert view.report is not None and view.report.zero and view.report.sent == 2


async def test_a_watchdog_that_cannot_reach_the_venue_does_not_stand_guard(tmp_path: Path) -> None:
    """It goes on trying, nothing is quoted meanwhile, and its words are the reason."""
    world = World(tmp_path, [sys.executable, "-c", TALKER])
    task = asyncio.create_task(world.guard.keep(CREDENTIALS))
    await until(lambda: (process := world.guard._process) is not None and process.stdin is not None)
    process = world.guard._process
    assert process is not None and process.stdin is not None
    process.stdin.write(b"x\n")
    await until(lambda: world.guard.detail == "it could cancel nothing: timeout")
    assert world.guard.is_up is False
    process.stdin.write(b"x\n")
    await until(lambda: world.guard.is_up)
    process.stdin.write(b"x\nx\n")
    await until(lambda: world.guard.is_up is False)
    assert world.told == [
        WatchdogSeen(up=False, detail="it could cancel nothing: timeout"),
        WatchdogSeen(up=True),
        WatchdogSeen(up=False, detail="it could cancel nothing: again"),
    ]
    assert world.guard._process is process, "who cannot cancel now may be able to in a moment"
    await world.guard.leave(in_peace=True)
    await until(task.done)


async def test_the_last_word_of_a_watchdog_that_fails_is_told(tmp_path: Path) -> None:
    """Whatever it says on standard error too."""
    world = World(tmp_path, [sys.executable, "-c", "import sys; sys.exit('watchdog: no directory')"])
    task = asyncio.create_task(world.guard.keep(CREDENTIALS))
    await until(lambda: "ended with 1: watchdog: no directory" in world.guard.detail)
    task.cancel()


@pytest.mark.parametrize("is_at_work", [True, False])
async def test_a_watchdog_that_hangs_amid_a_kill_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_at_work: bool
) -> None:
    """While it is in a step that ends by itself it shows no other life, and is left to it."""
    monkeypatch.setattr("core.runtime.guard.SILENT_SEC", 0.1)
    monkeypatch.setattr("core.runtime.guard.SILENT_KILLING_SEC", 0.2)
    world = World(tmp_path, [sys.executable, "-c", PUPPET, str(tmp_path / "heard")])
    world.switch.pull("console", "key")
    page = world.switch.page
    page.answer(page.pull, SystemClock().monotonic() + (60.0 if is_at_work else 0.0))
    keeping, running = asyncio.create_task(world.guard.keep(CREDENTIALS)), asyncio.create_task(world.guard.run())
    await until(lambda: world.guard.is_up)
    process = world.guard._process
    if is_at_work:
        await asyncio.sleep(0.5)
        assert world.guard.is_up and world.guard._process is process
    else:
        await until(lambda: world.guard.is_up and world.guard._process is not process)
        assert any("shown no life" in one.detail for one in world.told if isinstance(one, WatchdogSeen))
    running.cancel()
    await world.guard.leave(in_peace=True)
    await until(keeping.done)


@pytest.mark.parametrize("in_peace", [True, False])
async def test_a_session_that_leaves_orders_and_no_watchdog_is_latched(tmp_path: Path, in_peace: bool) -> None:
    """Between two watchdogs nobody hears that it ends: the next start has to know."""
    world = World(tmp_path, ["/nowhere/watchdog"])
    world.guard.is_coming()
    await world.guard.leave(in_peace=in_peace)
    assert world.switch.is_closed is not in_peace
    assert world.switch.latch.read().by == ("" if in_peace else "session")
