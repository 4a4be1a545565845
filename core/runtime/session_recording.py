"""The recordings of a running session: its own market channel into ``recordings/<UTC stamp>/`` beside its journal.

Everything that waits for the disk happens in a thread: neither the receive loop nor an order ever does. A disk that
fails, or runs full, ends the recording and nothing else.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from core.clock import Clock
from core.errors import PolymmError, PreflightError
from core.events import OperatorCommand
from core.market.instrument import Instrument
from core.runtime.link import CommandResult
from core.store.recorded import Manifest, size_text, write_manifest
from core.store.recorded_runs import Summary, free_bytes, list_runs, stamp, write_summary
from core.store.recorder import Recorder
from core.views import RecordingView, Severity

log = logging.getLogger(__name__)

LEAST_FREE: Final = 10**9
"""Bytes that are to stay free on the disk: the journal needs it more than a recording does."""
LOOK_SEC: Final = 1.0
"""Time between looks at the recording under way."""
LIST_SEC: Final = 30.0
"""Time between looks at the directory, the free disk and the markets that are made."""
CLOSE_SEC: Final = 3.0
"""Longest wait for a slow disk when a recording ends."""


class Channel(Protocol):
    """The market channel of a session, as a recording needs it."""

    url: str
    """Where the frames come from."""

    def record(self, recorder: Recorder | None, tokens: Sequence[str] = ()) -> None:
        """Hand every frame to ``recorder`` from now on, and have these tokens' full books sent anew; None ends it."""
        ...


class _Run(msgspec.Struct):
    """The recording under way."""

    path: Path
    manifest: Manifest
    began_unix: float
    recorder: Recorder
    told_dropped: int = 0


class SessionRecording:
    """Starts and ends recordings of one session, and knows which there are."""

    def __init__(
        self,
        directory: Path,
        mode: str,
        program: str,
        clock: Clock,
        note: Callable[[Severity, str], None],
        instruments: Callable[[], tuple[Instrument, ...]],
    ) -> None:
        """Nothing is read or written yet.

        Args:
            directory: where the recordings of this session's mode are.
            mode: of the session, for people.
            program: name and version of the program.
            clock: tells when.
            note: tells the operator.
            instruments: of the markets that are made now.
        """
        self.channel: Channel | None = None
        """What is recorded; None before there is one."""
        self._directory = directory
        self._mode = mode
        self._program = program
        self._clock = clock
        self._note = note
        self._instruments = instruments
        self._listed: tuple[RecordingView, ...] = ()
        self._run: _Run | None = None
        self._work: asyncio.Task[None] | None = None
        """A start or an end under way."""
        self._closed = False
        self._unlisted = asyncio.Event()
        """The directory has changed since it was listed."""

    @property
    def is_running(self) -> bool:
        """Frames are being recorded."""
        return self._run is not None

    def views(self) -> tuple[RecordingView, ...]:
        """The recording under way, then the others, newest first."""
        run = self._run
        if run is None:
            return self._listed
        recorder = run.recorder
        dropped = f"{recorder.dropped:,} frames were dropped: the disk does not keep up" if recorder.dropped else ""
        view = RecordingView(
            path=str(run.path),
            began_unix=run.began_unix,
            lasted_s=max(0.0, self._clock.unix() - run.began_unix),
            disk_bytes=recorder.disk_bytes,
            frames=recorder.frames,
            markets=len(run.manifest.markets),
            source=f"{self._mode}, {self._program}",
            running=True,
            trouble=recorder.error or dropped,
        )
        return (view, *[other for other in self._listed if other.path != view.path])

    # What an operator asks

    def command(self, command: OperatorCommand) -> CommandResult:
        """Start or stop a recording; what comes of it is told in the event log."""
        if self._closed:
            return CommandResult(done=False, text=f"{command.act}: the session ends")
        if self._work is not None and not self._work.done():
            return CommandResult(done=False, text=f"{command.act}: the last start or stop is still under way")
        return self._start() if command.act == "record_start" else self._stop()

    def _start(self) -> CommandResult:
        if self._run is not None:
            return CommandResult(done=False, text=f"record_start: already recording into {self._run.path}")
        channel, instruments = self.channel, self._instruments()
        if channel is None or not instruments:
            return CommandResult(done=False, text="record_start: nothing to record yet: no market is heard")
        unix = self._clock.unix()
        path = self._directory / stamp(unix)
        manifest = Manifest(self._program, channel.url, _tokens(instruments), instruments)
        self._work = asyncio.create_task(self._begin(channel, path, manifest, unix), name="recording-start")
        return CommandResult(done=True, text=f"recording {len(instruments)} markets into {path}")

    def _stop(self) -> CommandResult:
        if self._run is None:
            return CommandResult(done=False, text="record_stop: nothing is being recorded")
        path = self._run.path
        self._work = asyncio.create_task(self._end(""), name="recording-stop")
        return CommandResult(done=True, text=f"stopping the recording in {path}")

    # The recording

    async def _begin(self, channel: Channel, path: Path, manifest: Manifest, unix: float) -> None:
        try:
            recorder = await asyncio.to_thread(_opened, path, manifest, self._clock)
        except (PolymmError, OSError) as error:
            self._note("warning", f"nothing is recorded: {error}")
            return
        self._run = _Run(path, manifest, unix, recorder)
        channel.record(recorder, manifest.tokens)
        self._note("info", f"recording {len(manifest.markets)} markets into {path}")
        self._unlisted.set()

    async def _end(self, trouble: str) -> None:
        """Stop recording and write what waits; ``trouble`` says why if nobody asked for it."""
        run = self._run
        if run is None:
            return
        if self.channel is not None:
            self.channel.record(None)
        await asyncio.to_thread(_closed, run.recorder, run.path, run.began_unix, self._clock.unix(), trouble)
        self._run = None
        recorder = run.recorder
        told = f"{recorder.frames:,} frames, {size_text(recorder.disk_bytes)} in {run.path}"
        if trouble := trouble or recorder.error:
            self._note("warning", f"the recording has ended, trading goes on: {trouble}; {told}")
        else:
            self._note("info", f"recorded {told}")
        self._unlisted.set()

    async def close(self) -> None:
        """End what is under way in order, as far as the disk lets it; called once no more frames come."""
        self._closed = True
        try:
            async with asyncio.timeout(2 * CLOSE_SEC):
                if self._work is not None:
                    await asyncio.wait({self._work})
                await self._end("")
        except OSError as error:  # also out of time
            self._note("warning", f"the recording was not ended in order: {str(error) or 'the disk hangs'}")

    # While the session runs

    async def run(self) -> None:
        """Look after the recording under way and the directory, until cancelled."""
        listed_s = float("-inf")
        while True:
            now = self._clock.monotonic()
            if self._unlisted.is_set() or now - listed_s >= LIST_SEC:
                self._unlisted.clear()
                listed_s = now
                await self._look_around()
            await self._look_after()
            await asyncio.sleep(LOOK_SEC)

    async def _look_around(self) -> None:
        """List the directory, and keep the recording's description up with the markets that are made."""
        try:
            self._listed = await asyncio.to_thread(list_runs, self._directory, self._mode)
        except OSError as error:
            log.warning("recordings_unlisted", extra={"detail": str(error)})
        run = self._run
        if run is None:
            return
        known = {instrument.market for instrument in run.manifest.markets}
        fresh = tuple(each for each in self._instruments() if each.market not in known)
        if not fresh:
            return
        markets = (*run.manifest.markets, *fresh)
        run.manifest = msgspec.structs.replace(run.manifest, tokens=_tokens(markets), markets=markets)
        try:
            await asyncio.to_thread(write_manifest, run.path, run.manifest)
        except OSError as error:
            self._note("warning", f"the recording does not describe {len(fresh)} new markets: {error.strerror}")

    async def _look_after(self) -> None:
        run = self._run
        if run is None or (self._work is not None and not self._work.done()):
            return
        trouble = run.recorder.error or await asyncio.to_thread(_full, run.path)
        if trouble:
            self._work = asyncio.create_task(self._end(trouble), name="recording-end")
        elif run.recorder.dropped and not run.told_dropped:
            run.told_dropped = run.recorder.dropped
            self._note("warning", "the recording loses frames: the disk does not keep up")


def _tokens(instruments: tuple[Instrument, ...]) -> tuple[str, ...]:
    return tuple(token for each in instruments for token in (each.yes_token, each.no_token))


def _full(path: Path) -> str:
    """Why a recording should not go on, in words; "" when the disk has room, and when nobody can tell."""
    try:
        free = free_bytes(path)
    except OSError:
        return ""
    return "" if free >= LEAST_FREE else f"{size_text(free)} are left on the disk, {size_text(LEAST_FREE)} must stay"


def _opened(path: Path, manifest: Manifest, clock: Clock) -> Recorder:
    """A recorder that writes.

    Raises:
        PolymmError: the disk is too full, the directory cannot be written, or a recording of this second is there.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if full := _full(path):
            raise PreflightError(full)
        path.mkdir(mode=0o700)
    except OSError as error:
        raise PreflightError(f"{error.filename}: {error.strerror}") from error
    recorder = Recorder(path, manifest, clock)
    recorder.start()
    return recorder


def _closed(recorder: Recorder, path: Path, began_unix: float, ended_unix: float, trouble: str) -> None:
    """End a recorder and write down what it came to; a disk that takes no summary is told of as the recorder's."""
    recorder.close(CLOSE_SEC)
    summary = Summary(began_unix, ended_unix, recorder.frames, recorder.dropped, trouble or recorder.error)
    try:
        write_summary(path, summary)
    except OSError as error:
        log.warning("summary_unwritten", extra={"directory": str(path), "detail": str(error)})
