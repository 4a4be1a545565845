"""The page of memory that session, watchdog and shell share: one file, mapped by each of them.

Looking and shutting cost one access to memory and no system call; it works while any of them is stopped, and outlives
all. Each word is eight bytes, aligned, and written whole. Texts carry a checksum: one that is torn reads as none.

    word      0 mark  1 shut  2 epoch  3 pull  4 answered  5 session  6 watchdog  7 busy until
              8 shut since
    from 256  the cause of the last pull
    from 1536 the killer's report
"""

import mmap
import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from core.kill.files import MOST_NAME, MOST_TEXT, SIZE, open_private, short
from core.kill.report import KillReport

NAME: Final = "kill.page"
_MARK: Final = int.from_bytes(b"polymm 1", "little")
_SHUT, _EPOCH, _PULL, _ANSWERED, _SESSION, _WATCHDOG, _BUSY, _SINCE = range(1, 9)
_WORDS_END: Final = 72
_CAUSE: Final = (256, 1536)
_REPORT: Final = (1536, SIZE)
_HEAD: Final = 8
"""Bytes before a text: its length and its CRC-32."""
_MOST_BUSY_S: Final = 120.0
"""A stamp further ahead is of another run of the machine."""


class Cause(msgspec.Struct, frozen=True):
    """Why the switch was pulled."""

    by: str
    reason: str
    unix: float
    epoch: int = 0
    """Of the page that it shut; set there."""


Told = TypeVar("Told", Cause, KillReport)


def fresh_page(epoch: int = 1) -> bytes:
    """The content of a page that is not shut."""
    words = [_MARK, 0, epoch, 0, 0, 0, 0, 0, 0]
    return b"".join(word.to_bytes(8, "little") for word in words).ljust(SIZE, b"\0")


class Page:
    """The page as one process sees it. Moments are seconds of the steady clock, which all of them share."""

    def __init__(self, directory: Path) -> None:
        """Map the page of a session's directory; one that is new lets orders through.

        A damaged one is set up anew, shut.

        Raises:
            PreflightError: it is not ours alone (:func:`core.kill.files.open_private`).
        """
        self._handle = open_private(directory / NAME, fresh_page())
        is_whole = os.fstat(self._handle).st_size == SIZE
        if not is_whole:
            os.ftruncate(self._handle, SIZE)
        self._map = mmap.mmap(self._handle, SIZE)
        self._view = memoryview(self._map)
        self._words = self._view[:_WORDS_END].cast("Q")
        if not is_whole or self._words[0] != _MARK:
            os.pwrite(self._handle, fresh_page(), 0)
            self._words[_SHUT] = 1

    @property
    def is_shut(self) -> bool:
        """No order may leave."""
        return self._words[_SHUT] != 0

    @property
    def epoch(self) -> int:
        """How often it was armed."""
        return self._words[_EPOCH]

    @property
    def pull(self) -> int:
        """Number of the last pull; 0 before the first."""
        return self._words[_PULL]

    @property
    def pulled_s(self) -> float:
        """When that was."""
        return (self._words[_PULL] >> 16) / 1e6

    @property
    def shut_s(self) -> float:
        """When it was shut: the first pull since it was armed."""
        return self._words[_SINCE] / 1e9

    def shut(self, now: float, cause: Cause) -> int:
        """Let no order through any more; returns the number of this pull.

        The number is unique and written first, so that whoever arms meanwhile notices (:meth:`open`).
        """
        number = int(now * 1e6) << 16 | os.getpid() & 0xFFFF
        if number == self.pull:
            number += 1 << 16  # a microsecond
        is_first = not self.is_shut or self.cause is None
        self._words[_PULL] = number
        if not self.is_shut:
            self._words[_SINCE] = int(now * 1e9)
        self._words[_SHUT] = 1
        if is_first:
            with suppress(OSError):  # it is shut, and that is what matters
                self._write(_CAUSE, _short(msgspec.structs.replace(cause, epoch=self.epoch)))
        return number

    def open(self, epoch: int, pull: int) -> bool:
        """Let orders through, unless there was a pull after the one of this number; whether it is open now."""
        self._words[_EPOCH] = epoch
        self._words[_SHUT] = 0
        if self.pull != pull:
            self._words[_SHUT] = 1
        with suppress(OSError):  # then a restart of the machine finds it shut
            self._map.flush()
        return not self.is_shut

    @property
    def cause(self) -> Cause | None:
        """Of the pull that shut it; None while that is being written, and when it cannot be read."""
        cause = self._read(_CAUSE, Cause)
        return cause if cause is not None and cause.epoch == self.epoch else None

    # Progress

    @property
    def session_s(self) -> float:
        """When the session last made progress."""
        return self._words[_SESSION] / 1e9

    def beat_session(self, now: float) -> None:
        """Note that the session makes progress."""
        self._words[_SESSION] = int(now * 1e9)

    @property
    def watchdog_s(self) -> float:
        """When the watchdog last looked."""
        return self._words[_WATCHDOG] / 1e9

    def beat_watchdog(self, now: float) -> None:
        """Note that the watchdog looks."""
        self._words[_WATCHDOG] = int(now * 1e9)

    # The killer at work

    @property
    def answered(self) -> int:
        """Number of the pull that a killer last took charge of."""
        return self._words[_ANSWERED]

    def answer(self, pull: int, until_s: float) -> None:
        """Note that a killer is at work on a pull, and in a step that ends by itself by then."""
        self.be_busy(until_s)
        self._words[_ANSWERED] = pull

    def be_busy(self, until_s: float) -> None:
        """Note that a killer is in a step that ends by itself by then; the past: it is in none."""
        self._words[_BUSY] = int(until_s * 1e9)

    def is_busy(self, now: float) -> bool:
        """A killer is at work."""
        return 0 <= self._words[_BUSY] / 1e9 - now <= _MOST_BUSY_S

    @property
    def report(self) -> KillReport | None:
        """The newest; None before the first and while one is being written."""
        return self._read(_REPORT, KillReport)

    def write_report(self, report: KillReport) -> None:
        """Put a report in place of the last."""
        self._write(_REPORT, _short(msgspec.structs.replace(report, trouble=short(report.trouble, MOST_TEXT))))

    def close(self) -> None:
        """Let go of the map; the file stays."""
        self._words.release()
        self._view.release()
        self._map.close()
        os.close(self._handle)

    def _write(self, place: tuple[int, int], value: Cause | KillReport) -> None:
        """One system call, so that two writers do not mix their texts; the map shows it at once."""
        text = msgspec.json.encode(value)
        head = len(text).to_bytes(4, "little") + zlib.crc32(text).to_bytes(4, "little")
        os.pwrite(self._handle, head + text, place[0])

    def _read(self, place: tuple[int, int], kind: type[Told]) -> Told | None:
        start, end = place
        raw = bytes(self._view[start:end])
        text = raw[_HEAD : _HEAD + int.from_bytes(raw[:4], "little")]
        if zlib.crc32(text) != int.from_bytes(raw[4:_HEAD], "little"):
            return None
        try:
            return msgspec.json.decode(text, type=kind)
        except (msgspec.DecodeError, UnicodeError):
            return None


def _short(told: Told) -> Told:
    return msgspec.structs.replace(told, by=short(told.by, MOST_NAME), reason=short(told.reason, MOST_TEXT))
