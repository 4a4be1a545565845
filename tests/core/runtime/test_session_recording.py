"""Recordings of a running session: told in words, never in the way, closed in order, and fit to be replayed."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.config import Settings
from core.events import OperatorCommand
from core.lab.recording import Reading, known_instruments
from core.lab.replay import Replay
from core.market.instrument import Instrument
from core.runtime import session_recording as session_recording_module
from core.runtime.compose import composer
from core.runtime.feeds import Feeds
from core.runtime.session import Session
from core.runtime.session_recording import SessionRecording
from core.store import recorded_runs as recorded_runs_module
from core.store.recorded import Gap, Line, read_manifest
from core.store.recorder import Recorder
from core.venue import market_feed as market_feed_module
from core.views import RecordingView
from tests.core.runtime.fakes import INSTRUMENT, FakeGateway, composing, run_until_trading, session_in, until

START = OperatorCommand(act="record_start", who="console")
STOP = OperatorCommand(act="record_stop", who="console")
OTHER = Instrument(
    market="0x" + "0b" * 32,
    yes_token="31",
    no_token="32",
    title="Another?",
    tick_text="0.01",
    min_size=INSTRUMENT.min_size,
)


class FakeChannel:
    """A market channel that does nothing by itself."""

    url = "ws://channel"

    def __init__(self) -> None:
        self.recorder: Recorder | None = None
        self.renewed: Sequence[str] = ()

    def record(self, recorder: Recorder | None, tokens: Sequence[str] = ()) -> None:
        self.recorder, self.renewed = recorder, tokens


class FakeClock:
    """Stands where it is put; a second of it passes for each look at the recording."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def unix(self) -> float:
        return 1_700_000_000.0 + self.now


class World:
    """A recording's surroundings."""

    def __init__(self, directory: Path) -> None:
        self.clock = FakeClock()
        self.notes: list[tuple[str, str]] = []
        self.instruments = (INSTRUMENT,)
        self.channel = FakeChannel()
        self.recording = SessionRecording(
            directory, "demo", "polymm-tui 0", self.clock, lambda *told: self.notes.append(told),
            lambda: self.instruments,
        )  # fmt: skip
        self.recording.channel = self.channel
        self.watching: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Let it look after itself, as in a session."""
        self.watching = asyncio.create_task(self.recording.run())

    async def started(self) -> Recorder:
        assert self.recording.command(START).done
        await until(lambda: self.channel.recorder)
        assert self.channel.recorder is not None
        return self.channel.recorder

    async def end(self) -> None:
        if self.watching is not None:
            self.watching.cancel()
        await self.recording.close()

    @property
    def words(self) -> str:
        return "\n".join(f"{severity} {text}" for severity, text in self.notes)


@pytest.fixture(autouse=True)
def short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at matters here, not how often."""
    monkeypatch.setattr(session_recording_module, "LOOK_SEC", 0.01)
    monkeypatch.setattr(session_recording_module, "LIST_SEC", 0.05)


async def test_a_recording_is_started_written_stopped_and_listed(tmp_path: Path) -> None:
    """The plain case: what came in between is in the files, and the list says so after the stop and before."""
    world = World(tmp_path / "recordings")
    world.watch()
    assert world.recording.views() == ()
    recorder = await world.started()
    assert world.channel.renewed == ("11", "22"), "a recording begins with full books"
    recorder.take(b'{"a":1}', 0.5)
    recorder.take(b'{"a":2}', 1.5)
    world.clock.now = 90.0
    (running,) = world.recording.views()
    assert running.running and running.lasted_s == 90.0 and running.markets == 1
    assert world.recording.command(STOP).done
    await until(lambda: world.recording.views() and not world.recording.views()[0].running)
    await until(lambda: world.recording.views()[0].frames == 2)
    (view,) = world.recording.views()
    assert view == RecordingView(
        path=str(tmp_path / "recordings" / "20231114T221320Z"), began_unix=1_700_000_000.0, lasted_s=90.0,
        disk_bytes=view.disk_bytes, frames=2, markets=1, source="demo, polymm-tui 0",
    )  # fmt: skip
    assert view.disk_bytes > 0 and world.channel.recorder is None
    assert [entry.raw for _, entry in Reading(Path(view.path)) if isinstance(entry, Line)] == [b'{"a":1}', b'{"a":2}']
    await world.end()


async def test_two_recordings_of_one_second_do_not_share_a_directory(tmp_path: Path) -> None:
    """The second one is refused; what the first one wrote is private and stays what it was."""
    world = World(tmp_path / "recordings")
    await world.started()
    world.recording.command(STOP)
    await until(lambda: any("recorded" in text for _, text in world.notes))
    (directory,) = (tmp_path / "recordings").iterdir()
    files = {path: path.read_bytes() for path in directory.iterdir()}
    assert all(path.stat().st_mode & 0o077 == 0 for path in files), "only its owner reads a recording"
    await until(lambda: world.recording.command(START).done)
    await until(lambda: "nothing is recorded" in world.words)
    assert f"{directory}: File exists" in world.words
    assert {path: path.read_bytes() for path in directory.iterdir()} == files
    await world.end()


async def test_what_cannot_be_done_is_refused_in_words(tmp_path: Path) -> None:
    """No channel, no market, nothing to stop, two at once: each has its sentence and changes nothing."""
    world = World(tmp_path)
    world.recording.channel = None
    assert "nothing to record" in world.recording.command(START).text
    world.recording.channel, world.instruments = world.channel, ()
    assert "nothing to record" in world.recording.command(START).text
    assert "nothing is being recorded" in world.recording.command(STOP).text
    world.instruments = (INSTRUMENT,)
    assert world.recording.command(START).done
    assert "under way" in world.recording.command(STOP).text
    await until(lambda: world.recording.is_running)
    refused = world.recording.command(START)
    assert not refused.done and "already recording into" in refused.text
    await world.end()
    assert "the session ends" in world.recording.command(START).text
    assert len(recorded_runs_module.list_runs(tmp_path, "demo")) == 1


async def test_a_disk_that_is_nearly_full_is_left_to_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording that fills the disk would take the journal with it, and a session without a journal is killed."""
    world = World(tmp_path)
    world.watch()
    monkeypatch.setattr(session_recording_module, "free_bytes", lambda directory: 10**8)
    assert world.recording.command(START).done
    await until(lambda: "must stay" in world.words)
    assert not world.recording.is_running and world.channel.recorder is None
    monkeypatch.setattr(session_recording_module, "free_bytes", lambda directory: 10**10)
    await asyncio.sleep(0)
    await world.started()
    monkeypatch.setattr(session_recording_module, "free_bytes", lambda directory: 10**8)
    await until(lambda: not world.recording.is_running)
    assert "the recording has ended, trading goes on: 100 MB are left on the disk" in world.words
    await world.end()


async def test_a_disk_that_fails_ends_the_recording_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written stays, the frames stop, the list and the event log say why."""
    world = World(tmp_path)
    world.watch()
    recorder = await world.started()

    def fails(text: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recorder, "_write", fails)
    recorder.take(b"{}", 0.5)
    await until(lambda: not world.recording.is_running)
    assert world.channel.recorder is None and "trading goes on" in world.words and "No space left" in world.words
    await until(lambda: world.recording.views() and "No space left" in world.recording.views()[0].trouble)
    await world.end()


async def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file in the place of the directory."""
    (tmp_path / "taken").write_text("")
    world = World(tmp_path / "taken" / "recordings")
    world.watch()
    assert world.recording.command(START).done
    await until(lambda: "nothing is recorded" in world.words)
    assert not world.recording.is_running
    await world.end()


async def test_a_start_or_stop_never_waits_for_the_disk_on_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receive loop runs on while a disk hangs over the first file and over the last."""
    world = World(tmp_path)
    disk = threading.Event()
    opened, closed = session_recording_module._opened, session_recording_module._closed
    monkeypatch.setattr(session_recording_module, "_opened", _hanging(disk, opened))
    monkeypatch.setattr(session_recording_module, "_closed", _hanging(disk, closed))
    for command in (START, STOP):
        disk.clear()
        assert world.recording.command(command).done
        for _ in range(50):
            await asyncio.sleep(0)
        assert world.recording.is_running is (command is STOP)
        disk.set()
        await until(lambda wanted=command is START: world.recording.is_running is wanted)
    await world.end()


async def test_a_disk_that_hangs_does_not_keep_a_session_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it does not take in time is told of, and the rows, the consoles and the lock have their turn."""
    world, disk = World(tmp_path), threading.Event()
    monkeypatch.setattr(session_recording_module, "CLOSE_SEC", 0.05)
    monkeypatch.setattr(session_recording_module, "_opened", _hanging(disk, session_recording_module._opened))
    assert world.recording.command(START).done
    try:
        async with asyncio.timeout(5):
            await world.recording.close()
        assert "warning the recording was not ended in order: the disk hangs" in world.words
    finally:
        disk.set()
    await until(lambda: world.recording.is_running)
    await world.end()


def _hanging(disk: threading.Event, work: Callable[..., Any]) -> Callable[..., Any]:
    def wait(*arguments: Any) -> Any:
        disk.wait(10)
        return work(*arguments)

    return wait


async def test_a_market_that_is_taken_up_later_is_described_too(tmp_path: Path) -> None:
    """Its frames are in the recording; without its description a replay would have to guess."""
    world = World(tmp_path)
    world.watch()
    await world.started()
    world.instruments = (INSTRUMENT, OTHER)
    path = Path(world.recording.views()[0].path)

    def markets() -> set[str]:
        manifest = read_manifest(path)
        return set() if manifest is None else {market.market for market in manifest.markets}

    await until(lambda: OTHER.market in markets())
    world.instruments = (OTHER,)
    await asyncio.sleep(0.1)
    assert markets() == {INSTRUMENT.market, OTHER.market}, "one that is let go stays described"
    assert world.recording.views()[0].markets == 2
    await world.end()


async def test_recordings_of_crashed_sessions_and_strangers_are_listed_with_their_trouble(tmp_path: Path) -> None:
    """A recorder that was killed leaves no summary; a damaged manifest, an empty directory and a file lie beside it."""
    world = World(tmp_path)
    recorder = await world.started()
    recorder.take(b"{}", 0.5)
    await world.end()
    (tmp_path / "20231114T221320Z" / recorded_runs_module.SUMMARY_NAME).unlink()
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "manifest.json").write_text("{")
    (tmp_path / "a file").write_text("")
    found = {Path(view.path).name: view for view in recorded_runs_module.list_runs(tmp_path, "demo")}
    assert list(found) == ["odd", "empty", "20231114T221320Z"]
    crashed = found["20231114T221320Z"]
    assert crashed.frames is None and crashed.began_unix == 1_700_000_000.0 and crashed.lasted_s is not None
    assert crashed.trouble.startswith("not ended in order")
    assert "no frames" in found["empty"].trouble and "manifest.json cannot be read" in found["odd"].trouble
    assert recorded_runs_module.list_runs(tmp_path / "nowhere", "demo") == ()


async def test_a_lost_connection_is_a_gap_of_the_recording(tmp_path: Path) -> None:
    """A replay must not believe a book over a hole."""
    session = session_in(tmp_path, composing(FakeGateway()))
    task = await run_until_trading(session)
    assert session.command(START).done
    await until(lambda: session._recording.is_running)
    assert session._feeds is not None
    session._feeds._on_coverage(("11",), False, "gone")
    session.request_stop("quit")
    outcome = await task
    assert outcome.exit_code == 0
    (path,) = session.places.recordings.iterdir()
    gaps = [entry for _, entry in Reading(path) if isinstance(entry, Gap)]
    assert [(gap.reason, gap.tokens) for gap in gaps] == [("the connection was lost: gone", ("11",))]


async def test_the_acts_are_journaled_and_the_end_of_the_session_closes_the_recording(tmp_path: Path) -> None:
    """A recording that a session leaves open would look like that of a crash."""
    session = session_in(tmp_path, composing(FakeGateway()))
    task = await run_until_trading(session)
    journaled: list[tuple[str, object]] = []
    write = session._store.journal
    session._store.journal = lambda kind, what: (journaled.append((kind, what)), write(kind, what))[1]  # type: ignore[method-assign]
    assert session.command(START).done
    assert ("command", START) in journaled
    await until(lambda: session.view is not None and any(each.running for each in session.view.recordings))
    session.request_stop("quit")
    await task
    (path,) = session.places.recordings.iterdir()
    (view,) = recorded_runs_module.list_runs(session.places.recordings, "demo")
    assert (path / recorded_runs_module.SUMMARY_NAME).exists() and not view.running
    assert session.view is not None and not any(each.running for each in session.view.recordings)


async def test_a_recording_of_a_running_session_replays_to_the_same_books(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun in the middle of a session, played from an empty book: at its end every level is the session's own.

    The session keeps its books and its quotes meanwhile: sockets give way to heirs, none is without one.
    """
    monkeypatch.setattr(market_feed_module, "SETTLE_SEC", 0.1)
    session = session_in(tmp_path, composer({}, _set()), mode="demo", demo_markets=2, seed=4)
    books: dict[str, object] = {}
    record = Feeds.record

    def watched(feeds: Feeds, recorder: Recorder | None, tokens: Sequence[str] = ()) -> None:
        record(feeds, recorder, tokens)
        if recorder is None:
            books.update(_books(session))

    monkeypatch.setattr(Feeds, "record", watched)
    task = asyncio.create_task(session.run())
    await until(lambda: task.done() or (session.engine.desks and _all_synced(session)), 60.0)
    assert not task.done(), session._failure
    gaps = sum(desk.tracked.gaps for desk in session.engine.desks.values())
    assert session.command(START).done
    await until(lambda: session._recording.is_running)
    feeds = session._feeds
    assert feeds is not None
    await until(lambda: feeds.market.replaced >= 1, 20.0)
    frames = feeds.ingest.frames
    await until(lambda: feeds.ingest.frames >= frames + 80, 20.0)
    assert _all_synced(session) and sum(desk.tracked.gaps for desk in session.engine.desks.values()) == gaps
    assert session.command(STOP).done
    await until(lambda: books)
    session.request_stop("quit")
    outcome = await task
    assert outcome.exit_code == 0, outcome.sentence
    (path,) = session.places.recordings.iterdir()
    replay = Replay(path, Settings(), known_instruments(path, None))
    replay.run()
    played = {market: _book(desk) for market, desk in replay.engine.desks.items()}
    assert len(played) == 2 and played == books
    evidence = replay.evidence()
    assert evidence.hash_agreed + evidence.hash_explained == evidence.hash_checked > 0


def _set() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


def _all_synced(session: Session) -> bool:
    return all(desk.tracked.synced for desk in session.engine.desks.values())


def _books(session: Session) -> dict[str, object]:
    return {market: _book(desk) for market, desk in session.engine.desks.items()}


def _book(desk: Any) -> object:
    return [desk.tracked.book.best_first(side, 9_999) for side in ("bid", "ask")]
