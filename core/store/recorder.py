"""Writes frames into a directory of segments, on a thread of its own (format: :mod:`core.store.recorded`).

Every write is a whole gzip member, made at least once a second, so whatever kills the process leaves files that every
tool reads up to the last second. The receive loop never waits for a disk: a queue that is full drops whole seconds, and
the recording says so.
"""

import fcntl
import logging
import os
import threading
import time
import zlib
from collections import deque
from pathlib import Path
from typing import Final

from core.clock import Clock
from core.errors import InstanceError, PreflightError, UsageError
from core.store.recorded import (
    Gap,
    Manifest,
    encode_frame,
    encode_gap,
    read_manifest,
    segment_name,
    segment_number,
    segments,
    write_manifest,
)
from core.venue.wire import UNREADABLE

log = logging.getLogger(__name__)

FLUSH_SEC: Final = 0.5
SEGMENT_BYTES: Final = 64 * 2**20
"""Compressed; the first write beyond it ends a segment."""
SEGMENT_SEC: Final = 3600.0
MOST_WAITING: Final = 128 * 2**20
"""Bytes that wait for the disk; more are dropped. Minutes of the busiest market known (real-data.md, rates)."""
FRAME_COST: Final = 200
"""Bytes that a waiting frame takes besides its own."""
MEMBER_BYTES: Final = 4 * 2**20
"""Text packed at once, so that a long queue is written and freed piece by piece."""
CLOSE_SEC: Final = 10.0
"""Longest wait for a slow disk at the end."""


class Recorder:
    """One recording under way. :meth:`take` and :meth:`note_gap` belong to one thread, usually the receive loop's."""

    def __init__(
        self,
        directory: Path,
        manifest: Manifest,
        clock: Clock,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        segment_s: float = SEGMENT_SEC,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self.frames = 0
        """Frames written."""
        self.bytes = 0
        """Of these frames, before packing."""
        self.disk_bytes = 0
        self.segments = 0
        self.dropped = 0
        """Frames that were not written because the disk did not keep up."""
        self.error = ""
        """Why nothing is written any more; "" while all is well."""
        self._directory = directory
        self._manifest = manifest
        self._clock = clock
        self._segment_bytes = segment_bytes
        self._segment_s = segment_s
        self._most_waiting = most_waiting
        self._waiting: deque[tuple[float, bytes | str | Gap]] = deque()
        self._put = 0
        """Bytes ever put into the queue; only the receiving thread counts them."""
        self._got = 0
        """Bytes ever written from the queue; only the writing thread counts them."""
        self._dropping: tuple[float, int] | None = None
        """Since when and how many frames are being dropped."""
        self._lock: int | None = None
        self._number = 0
        self._stamp = ""
        self._file: int | None = None
        self._file_bytes = 0
        self._file_began_s = 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Claim the directory, describe the recording in it and start writing.

        Raises:
            UsageError: the directory is a file, or holds a recording that cannot be continued.
            InstanceError: another recorder writes into it.
            PreflightError: it cannot be written.
        """
        try:
            self._claim()
            existing = segments(self._directory)
            self._number = max((segment_number(path) for path in existing), default=0)
            self._stamp = max((path.name.partition("-")[0] for path in existing), default="")
            write_manifest(self._directory, self._continued(read_manifest(self._directory)))
        except FileExistsError as error:
            raise UsageError(f"{self._directory}: not a directory; give --out the path of one") from error
        except OSError as error:
            self._release()
            raise PreflightError(f"{self._directory}: {error.strerror}; give --out a writable directory") from error
        except UNREADABLE as error:
            self._release()
            raise UsageError(
                f"{self._directory}: its manifest is damaged ({error}); record into another place"
            ) from error
        if existing:
            self.note_gap("the recorder was started again", (), self._clock.monotonic())
        self._thread.start()

    def take(self, frame: bytes | str, now: float) -> None:
        """Hand over a frame received at ``now``, monotonic seconds; costs an append."""
        if self._dropping is not None and not self._resume(self._dropping, now):
            return
        self._waiting.append((now, frame))
        self._put += len(frame) + FRAME_COST
        if self._put - self._got > self._most_waiting:
            self._dropping = (now, 0)

    def note_gap(self, reason: str, tokens: tuple[str, ...], now: float) -> None:
        """Say that frames of these tokens, or of all, may be missing from here on."""
        self._waiting.append((now, Gap(reason, None, tokens)))

    def close(self, timeout_s: float = CLOSE_SEC) -> None:
        """Write what waits and end; what a hanging disk does not take in time is lost, and :attr:`error` says so."""
        if self._dropping is not None:
            self._end_dropping(self._dropping, self._clock.monotonic())
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            self.error = self.error or f"{self._directory}: the disk did not take the last frames in {timeout_s:g} s"
            return
        self._release()

    # On the receiving thread

    def _resume(self, dropping: tuple[float, int], now: float) -> bool:
        """Take frames again from a whole second on, once half of the queue has been written; count the frame if not."""
        since, count = dropping
        if self._put - self._got > self._most_waiting // 2 or int(now) == int(since):
            self._dropping = (since, count + 1)
            self.dropped += 1
            return False
        self._end_dropping(dropping, now)
        return True

    def _end_dropping(self, dropping: tuple[float, int], now: float) -> None:
        since, count = dropping
        self._dropping = None
        if count:
            self.note_gap(f"the disk did not keep up: {count} frames in {now - since:.1f} s were dropped", (), now)

    # On the writing thread

    def _run(self) -> None:
        try:
            while not self._closing.wait(FLUSH_SEC):
                self._write_waiting()
            self._write_waiting()
            self._end_segment()
        except OSError as error:
            self._fail(str(error.strerror), error)
        except Exception as error:  # noqa: BLE001 - a thread that died unseen would lose the rest without a word
            self._fail(f"internal error: {type(error).__name__}: {error}", error)

    def _write_waiting(self) -> None:
        """Write everything that waits, a member at a time.

        Raises:
            OSError: the disk is full or gone.
        """
        ahead = self._clock.unix() - self._clock.monotonic()
        while self._waiting:
            lines: list[bytes] = []
            size = frames = frame_bytes = cost = 0
            while self._waiting and size < MEMBER_BYTES:
                now, item = self._waiting.popleft()
                t_ms = (now + ahead) * 1000
                if isinstance(item, Gap):
                    lines.append(encode_gap(Gap(item.reason, t_ms, item.tokens)))
                else:
                    frame = item if isinstance(item, bytes) else item.encode()
                    lines.append(encode_frame(frame, t_ms))
                    frames, frame_bytes, cost = frames + 1, frame_bytes + len(frame), cost + len(item) + FRAME_COST
                size += len(lines[-1])
            self._write(b"".join(lines))
            self.frames += frames
            self.bytes += frame_bytes
            self._got += cost

    def _write(self, text: bytes) -> None:
        """Append one member to the segment; a write that fails leaves the segment as it was before."""
        if self._file is None or self._is_full():
            self._end_segment()
            self._begin_segment()
        assert self._file is not None
        packer = zlib.compressobj(wbits=31)
        member = packer.compress(text) + packer.flush()
        try:
            rest = memoryview(member)
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.ftruncate(self._file, self._file_bytes)
            raise
        self._file_bytes += len(member)
        self.disk_bytes += len(member)

    def _is_full(self) -> bool:
        age_s = self._clock.monotonic() - self._file_began_s
        return self._file_bytes >= self._segment_bytes or age_s >= self._segment_s

    def _begin_segment(self) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock.unix()))
        self._stamp = max(self._stamp, stamp)  # a clock set back must not change the order of names
        self._number += 1
        path = self._directory / segment_name(self._stamp, self._number)
        self._file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        self._file_bytes, self._file_began_s = 0, self._clock.monotonic()
        self.segments += 1

    def _end_segment(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            try:
                os.fsync(file)
            finally:
                os.close(file)

    def _fail(self, reason: str, error: Exception) -> None:
        """Keep what was written and write nothing more."""
        log.error("recording_failed", extra={"directory": str(self._directory), "detail": str(error)})
        self.error = f"{self._directory}: {reason}; what was written until then can be read"
        if self._file is not None:
            os.close(self._file)
            self._file = None

    # The directory

    def _claim(self) -> None:
        """Create and lock it.

        Raises:
            InstanceError: another recorder holds the lock.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(self._directory / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._release()
            raise InstanceError(f"another recorder writes into {self._directory}; give --out another place") from error

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _continued(self, before: Manifest | None) -> Manifest:
        """The manifest of what is there and what is to come; a market stays as it was first described."""
        if before is None:
            return self._manifest
        ours = self._manifest
        known = {instrument.market for instrument in before.markets}
        return Manifest(
            program=ours.program,
            url=ours.url,
            tokens=tuple(dict.fromkeys((*before.tokens, *ours.tokens))),
            markets=(*before.markets, *(market for market in ours.markets if market.market not in known)),
        )
