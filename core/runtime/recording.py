"""The ``record`` command: the market channel into a directory, until something ends it.

Owns the order of start and end: exchange (demo), markets, directory, feed; then frames; then the feed goes, what waits
is written, and the exchange goes.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from core.clock import Clock
from core.config import Settings
from core.errors import MalformedMessage, PreflightError, StoreError
from core.market.instrument import Instrument
from core.runtime.demo import DemoExchange
from core.store.recorded import Manifest, size_text
from core.store.recorder import Recorder
from core.venue.gamma import GammaClient
from core.venue.market_feed import FeedOwner, MarketFeed
from core.venue.wire import decode_frame, salvage_frame

STATUS_SEC: Final = 10.0
LOOK_SEC: Final = 0.2
"""Time between looks at the disk."""
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Wish(msgspec.Struct, frozen=True):
    """What is to be recorded."""

    directory: Path
    tokens: tuple[str, ...] = ()
    """Named by the operator; those of ``markets`` come on top."""
    markets: tuple[str, ...] = ()
    """Condition ids; without these and without ``tokens``, all that the catalogue lists first (demo)."""
    demo: bool = False
    """From an exchange that is started for it."""
    duration_s: float | None = None


class Recorded(msgspec.Struct, frozen=True):
    """What a recording came to."""

    directory: str
    frames: int
    bytes: int
    """Of the frames."""
    disk_bytes: int
    segments: int
    dropped: int
    """Frames that were not written because the disk did not keep up."""
    reconnects: int
    duration_s: float
    exit_reason: str
    error: str = ""
    """Why it could not go on; "" when it ended in order."""


class Recording:
    """One run of the command."""

    def __init__(
        self,
        settings: Settings,
        wish: Wish,
        clock: Clock,
        program: str,
        tell: Callable[[str], None],
        status: Callable[[str], None] | None = None,
    ) -> None:
        """``tell`` takes lines that an operator must see, ``status`` one every ten seconds; None for none."""
        self._settings = settings
        self._wish = wish
        self._clock = clock
        self._program = program
        self._tell = tell
        self._status = status
        self._ending = asyncio.Event()
        self._reason = ""
        self._exchange = DemoExchange()
        self._recorder: Recorder | None = None
        self._feed: MarketFeed | None = None
        self._began_s = clock.monotonic()
        self._lasted_s = 0.0

    def stop(self, reason: str) -> None:
        """End in order; only the first reason counts."""
        self._reason = self._reason or reason
        self._ending.set()

    async def run(self) -> Recorded:
        """Record until asked to end, for the time wished, or until the disk takes no more.

        Raises:
            UsageError: the directory cannot be recorded into.
            PreflightError: there is nothing to record, or the directory cannot be written.
            VenueError: the catalogue cannot be read.
        """
        with self._ended_by_signals():
            try:
                await self._record_until_asked()
            except StoreError as error:
                return self._recorded(str(error))
            finally:
                await self._exchange.stop()
        return self._recorded(self._recorder.error if self._recorder is not None else "")

    async def _record_until_asked(self) -> None:
        work = asyncio.create_task(self._record(), name="recording")
        asked = asyncio.create_task(self._ending.wait(), name="asked to end")
        await asyncio.wait({work, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        work.cancel()
        await asyncio.wait({work})
        if not work.cancelled():
            work.result()

    async def _record(self) -> None:
        settings, wish = self._settings, self._wish
        if wish.demo:
            settings = await self._exchange.start(settings)
        instruments = await self._instruments(settings)
        pairs = [token for one in instruments for token in (one.yes_token, one.no_token)]
        tokens = tuple(dict.fromkeys((*wish.tokens, *pairs)))
        manifest = Manifest(self._program, settings.ws_market_url, tokens, instruments)
        self._recorder = recorder = Recorder(wish.directory, manifest, self._clock)
        recorder.start()
        try:
            self._feed = feed = self._make_feed(settings, recorder)
            feed.subscribe(wish.tokens)
            feed.subscribe(pairs)
            self._began_s = self._clock.monotonic()
            if wish.duration_s is not None:
                asyncio.get_running_loop().call_later(wish.duration_s, self.stop, "duration")
            async with asyncio.TaskGroup() as group:
                group.create_task(feed.run(), name="feed")
                group.create_task(self._watch(recorder, len(tokens)), name="watch")
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            self._lasted_s = self._clock.monotonic() - self._began_s
            await asyncio.to_thread(recorder.close)

    async def _instruments(self, settings: Settings) -> tuple[Instrument, ...]:
        """Markets as the catalogue describes them; it is asked when markets were named, or nothing at all.

        Raises:
            PreflightError: nothing is left to record.
            VenueError: the catalogue cannot be read.
        """
        if self._wish.tokens and not self._wish.markets:
            return ()
        if not self._wish.markets and not self._wish.demo:
            raise PreflightError("nothing to record: name --tokens or --markets, or set `markets` in the configuration")
        gamma = GammaClient(settings.gamma_url)
        try:
            markets, problems = await gamma.markets(self._wish.markets)
        finally:
            await gamma.close()
        for problem in problems:
            self._tell(problem)
        if not markets and not self._wish.tokens:
            raise PreflightError("nothing to record: the catalogue lists none of these markets as open")
        return tuple(market.instrument for market in markets)

    def _make_feed(self, settings: Settings, recorder: Recorder) -> MarketFeed:
        clock = self._clock

        def on_frame(frame: bytes) -> bool:
            recorder.take(frame, clock.monotonic())
            return _is_usable(frame)

        def on_coverage(tokens: tuple[str, ...], connected: bool, detail: str) -> None:
            if not connected:
                recorder.note_gap(f"the connection was lost: {detail}", tokens, clock.monotonic())

        return MarketFeed(
            settings.ws_market_url,
            FeedOwner(on_frame, on_coverage, lambda: None),
            clock,
            settings.seed,
            tokens_a_socket=settings.ws_tokens,
            copies=settings.ws_copies,
            recycle_s=settings.ws_recycle_sec,
        )

    async def _watch(self, recorder: Recorder, tokens: int) -> None:
        """Look after the disk and say how things stand.

        Raises:
            StoreError: the disk takes no more.
        """
        said_s, told_dropped = self._clock.monotonic(), 0
        while True:
            await asyncio.sleep(LOOK_SEC)
            if recorder.error:
                raise StoreError(recorder.error)
            now = self._clock.monotonic()
            if now - said_s < STATUS_SEC and (recorder.dropped == 0 or told_dropped):
                continue
            said_s = now
            if recorder.dropped != told_dropped:
                told_dropped = recorder.dropped
                self._tell(f"the disk does not keep up: {told_dropped:,} frames dropped so far")
            if self._status is not None and self._feed is not None:
                up = sum(socket.connected for socket in self._feed.sockets)
                done = f"{recorder.frames:,} frames, {size_text(recorder.disk_bytes)} on disk"
                self._status(f"{done}, {tokens} tokens, sockets {up}/{len(self._feed.sockets)}")

    def _recorded(self, error: str) -> Recorded:
        recorder = self._recorder
        return Recorded(
            directory=str(self._wish.directory),
            frames=recorder.frames if recorder is not None else 0,
            bytes=recorder.bytes if recorder is not None else 0,
            disk_bytes=recorder.disk_bytes if recorder is not None else 0,
            segments=recorder.segments if recorder is not None else 0,
            dropped=recorder.dropped if recorder is not None else 0,
            reconnects=sum(socket.reconnects for socket in self._feed.sockets) if self._feed is not None else 0,
            duration_s=round(self._lasted_s, 3),
            exit_reason="disk" if error else self._reason,
            error=error,
        )

    @contextmanager
    def _ended_by_signals(self) -> Iterator[None]:
        """The ending signals end the recording in order; a hang-up stays ignored where it was."""
        loop = asyncio.get_running_loop()
        taken = [n for n in _ENDING if n is not signal.SIGHUP or signal.getsignal(n) is not signal.SIG_IGN]
        for number in taken:
            loop.add_signal_handler(number, self.stop, number.name)
        try:
            yield
        finally:
            for number in taken:
                loop.remove_signal_handler(number)


def _is_usable(frame: bytes) -> bool:
    """Something in a frame is a message of the channel."""
    try:
        messages = decode_frame(frame)
    except MalformedMessage:
        messages, _ = salvage_frame(frame)
    return any(message.event_type for message in messages)
