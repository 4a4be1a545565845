"""Recordings that a session keeps in a directory of its own: one directory each, with a summary once it has ended.

Reads and writes the disk: callers on a loop hand it to a thread.
"""

import calendar
import os
import shutil
import time
from pathlib import Path
from typing import Final

import msgspec

from core.store.recorded import MANIFEST_NAME, Manifest, read_manifest, segments, write_whole
from core.venue.wire import UNREADABLE
from core.views import RecordingView

SUMMARY_NAME: Final = "summary.json"
MOST_LISTED: Final = 200
"""Recordings that are looked at, the newest."""
_STAMP: Final = "%Y%m%dT%H%M%SZ"


class Summary(msgspec.Struct, frozen=True):
    """What a recording came to, written when it was stopped in order."""

    began_unix: float
    ended_unix: float
    frames: int
    dropped: int
    """Frames that the disk did not take in time."""
    trouble: str = ""
    """Why it ended before it was asked to; "" when it was asked to."""


_summary: Final = msgspec.json.Decoder(Summary)


def stamp(unix: float) -> str:
    """Name of a recording that begins now."""
    return time.strftime(_STAMP, time.gmtime(unix))


def write_summary(directory: Path, summary: Summary) -> None:
    """Write it whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(directory / SUMMARY_NAME, msgspec.json.encode(summary))


def free_bytes(directory: Path) -> int:
    """What is left on the disk of a directory that exists, or whose parent does.

    Raises:
        OSError: nobody can tell.
    """
    return shutil.disk_usage(directory if directory.exists() else directory.parent).free


def list_runs(directory: Path, mode: str) -> tuple[RecordingView, ...]:
    """The recordings in a directory, newest first; what cannot be read of one is its trouble.

    Raises:
        OSError: the directory is there and cannot be listed.
    """
    try:
        with os.scandir(directory) as entries:
            names = sorted((entry.name for entry in entries if entry.is_dir(follow_symlinks=False)), reverse=True)
    except FileNotFoundError:
        return ()
    return tuple(_view(directory / name, mode) for name in names[:MOST_LISTED])


def _view(directory: Path, mode: str) -> RecordingView:
    """One recording as it lies on the disk."""
    troubles: list[str] = []
    manifest, summary = _manifest(directory, troubles), _read_summary(directory, troubles)
    began, ended, size = _on_disk(directory, troubles)
    if summary is None and not troubles:
        troubles.append("not ended in order: it may lack its last second")
    elif summary is not None:
        began, ended = summary.began_unix, summary.ended_unix
        troubles += [summary.trouble] if summary.trouble else []
        troubles += [f"{summary.dropped:,} frames were dropped: the disk did not keep up"] if summary.dropped else []
    return RecordingView(
        path=str(directory),
        began_unix=began,
        lasted_s=None if began is None or ended is None else max(0.0, ended - began),
        disk_bytes=size,
        frames=None if summary is None else summary.frames,
        markets=0 if manifest is None else len(manifest.markets),
        source=mode if manifest is None else f"{mode}, {manifest.program}",
        trouble="; ".join(troubles),
    )


def _manifest(directory: Path, troubles: list[str]) -> Manifest | None:
    try:
        return read_manifest(directory)
    except (OSError, *UNREADABLE) as error:
        troubles.append(f"{MANIFEST_NAME} cannot be read: {error}")
        return None


def _read_summary(directory: Path, troubles: list[str]) -> Summary | None:
    try:
        return _summary.decode((directory / SUMMARY_NAME).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, *UNREADABLE) as error:
        troubles.append(f"{SUMMARY_NAME} cannot be read: {error}")
        return None


def _on_disk(directory: Path, troubles: list[str]) -> tuple[float | None, float | None, int]:
    """When it began and was last written to, unix seconds, and the bytes of its segments, as the files say."""
    try:
        files = [(path.name, path.stat()) for path in segments(directory)]
    except OSError as error:
        troubles.append(f"cannot be read: {error.strerror}")
        return None, None, 0
    if not files:
        troubles.append("there are no frames in it")
    began = _stamped(directory.name)
    ended = max((told.st_mtime for _, told in files), default=None)
    return began, ended, sum(told.st_size for _, told in files)


def _stamped(name: str) -> float | None:
    """The moment that a directory's name tells, unix seconds; None when it tells none."""
    try:
        return float(calendar.timegm(time.strptime(name, _STAMP)))
    except (ValueError, OverflowError):
        return None
