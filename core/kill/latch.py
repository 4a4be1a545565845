"""The latch: a kill that outlives the process, the machine's restart and the database.

A file of one block: a line of JSON, padded, and a checksum over all of it. What cannot be read counts as killed.
"""

import fcntl
import os
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec

from core.errors import PreflightError
from core.kill.files import MOST_NAME, MOST_TEXT, SIZE, open_existing, open_private, publish, short

NAME: Final = "kill.latch"
OLD_NAME: Final = "KILLED"
"""Of a file with a reason, which earlier versions made when they killed."""
ARM_PATIENCE_S: Final = 2.0
"""For whoever arms, while others are at the latch."""
KILL_PATIENCE_S: Final = 0.03
"""For whoever kills: then it is written all the same."""
_TRY_S: Final = 0.005
_TAIL: Final = 9
"""Bytes at the end: the checksum as eight digits, and a newline."""


class LatchRecord(msgspec.Struct, frozen=True):
    """What the latch says."""

    state: Literal["armed", "killed"]
    epoch: int
    """How often it was armed, this time included."""
    by: str
    """Who or what killed or armed."""
    reason: str
    unix: float


class Latch:
    """The open file of one session's directory; it may be written from any thread and process."""

    def __init__(self, directory: Path, unix: float) -> None:
        """Open it; where there is none, it is made and armed, unless an earlier version has killed.

        Raises:
            PreflightError: it is not ours alone (:func:`core.kill.files.open_private`).
        """
        self._path = directory / NAME
        self._handle = open_private(self._path, _block(_first(directory / OLD_NAME, unix)))
        self._directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._killers = open_existing(self._path)
        """Locked by a thread of this process that kills; the first descriptor by one that arms."""
        self._killing = threading.Lock()

    def read(self) -> LatchRecord:
        """What it says; killed when that cannot be read."""
        unreadable = LatchRecord(state="killed", epoch=0, by="nobody", reason="the latch cannot be read", unix=0.0)
        return self._whole() or unreadable

    def kill(self, record: LatchRecord) -> None:
        """Write a kill and wait until it is on the disk; of several the first stays.

        Raises:
            OSError: it could not be written or synced.
        """
        held = self._whole()
        self.write(record if held is None or held.state == "armed" else held)

    @contextmanager
    def killing(self) -> Iterator[bool]:
        """Keep others from arming meanwhile; yields False when one of them does not let go, and is not waited for."""
        has_turn = self._killing.acquire(timeout=KILL_PATIENCE_S)
        try:
            is_locked = has_turn and _lock(self._killers, fcntl.LOCK_SH, KILL_PATIENCE_S)
            try:
                yield is_locked
            finally:
                if is_locked:
                    fcntl.flock(self._killers, fcntl.LOCK_UN)
        finally:
            if has_turn:
                self._killing.release()

    @contextmanager
    def arming(self) -> Iterator[None]:
        """Keep others from arming and killing meanwhile; a pull shuts the page all the same.

        Raises:
            PreflightError: another process does not let go.
        """
        if not _lock(self._handle, fcntl.LOCK_EX, ARM_PATIENCE_S):
            raise PreflightError(f"{self._path}: another process works on it and does not end")
        try:
            yield
        finally:
            fcntl.flock(self._handle, fcntl.LOCK_UN)

    def write(self, record: LatchRecord) -> None:
        """Replace what it says, and wait until that is on the disk; a file that was taken away is made again.

        Raises:
            OSError: it could not be written or synced.
        """
        block = _block(record)
        os.pwrite(self._handle, block, 0)
        os.fdatasync(self._handle)
        if self._is_in_place():
            os.fsync(self._directory)
        else:
            publish(self._path, block, replace=True)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._handle)
        os.close(self._directory)
        os.close(self._killers)

    def _whole(self) -> LatchRecord | None:
        """What it says; None when it is torn, damaged or of somebody else's making."""
        block = os.pread(self._handle, SIZE + 1, 0)
        body, tail = block[:-_TAIL], block[-_TAIL:]
        if len(block) != SIZE or tail != _checksum(body):
            return None
        try:
            return msgspec.json.decode(body, type=LatchRecord)
        except (msgspec.DecodeError, UnicodeError):
            return None

    def _is_in_place(self) -> bool:
        try:
            there = os.lstat(self._path)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._handle))


def _lock(handle: int, kind: int, patience_s: float) -> bool:
    """Lock an open file, shared or exclusively; False when that could not be had in time."""
    end_s = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end_s:
                return False
            time.sleep(_TRY_S)
        else:
            return True


def _first(old: Path, unix: float) -> LatchRecord:
    """What a latch says that was not there."""
    try:
        reason = old.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return LatchRecord(state="armed", epoch=1, by="", reason="first start here", unix=unix)
    except OSError as error:
        reason = f"{old}: {error.strerror}"
    return LatchRecord(state="killed", epoch=0, by="an earlier version", reason=reason, unix=unix)


def _block(record: LatchRecord) -> bytes:
    line = msgspec.structs.replace(record, by=short(record.by, MOST_NAME), reason=short(record.reason, MOST_TEXT))
    body = msgspec.json.encode(line).ljust(SIZE - _TAIL)
    return body + _checksum(body)


def _checksum(body: bytes) -> bytes:
    return b"%08x\n" % zlib.crc32(body)
