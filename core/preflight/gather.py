"""Facts of the machine, for :mod:`core.preflight.machine`: reads only, makes nothing, and may block."""

import errno
import fcntl
import os
import resource
import shutil
import socket
import sqlite3
import stat
import tempfile
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from core.clock import Clock
from core.kill.latch import NAME as LATCH_NAME
from core.kill.latch import OLD_NAME, Latch, LatchRecord
from core.preflight.machine import SECRET, STEERING, FileFacts, Strictness, ancestor_trouble, file_trouble

LOOPBACK: Final = "127.0.0.1"
_MOST_HOLDER: Final = 500


def file_troubles(directory: Path, settings_file: str, lists: Sequence[str], key_file: str) -> tuple[list[str], int]:
    """What is wrong with modes, owners and links, and how many files were looked at.

    Args:
        directory: of the session; it need not be there yet.
        settings_file: path; "" for none.
        lists: paths of market lists that are files.
        key_file: path of the service account's; "" for none.
    """
    uid, troubles, count = os.geteuid(), list[str](), 0

    def look(path: Path, what: str, strictness: Strictness) -> None:
        nonlocal count
        with suppress(FileNotFoundError, NotADirectoryError):
            facts = _facts(path.resolve() if strictness.may_be_link else path, what)
            count += 1
            if trouble := file_trouble(facts, strictness, uid):
                troubles.append(trouble)

    if settings_file:
        look(Path(settings_file), "settings file", STEERING)
    for each in lists:
        look(Path(each).expanduser(), "market list", STEERING)
    if key_file:
        look(Path(key_file).expanduser(), "service account file", SECRET)
    look(directory, "state directory", SECRET)
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        for entry in sorted(directory.iterdir()):
            if not stat.S_ISDIR(entry.lstat().st_mode):
                look(entry, "file", SECRET)
    for parent in directory.resolve().parents:
        with suppress(FileNotFoundError):
            if trouble := ancestor_trouble(_facts(parent, "directory"), uid):
                troubles.append(trouble)
    return troubles, count


def _facts(path: Path, what: str) -> FileFacts:
    found = os.lstat(path)
    return FileFacts(path=str(path), what=what, mode=found.st_mode, uid=found.st_uid)


def existing(path: Path) -> Path:
    """The path itself, else the nearest directory above it that is there."""
    path = path.absolute()
    return next((each for each in (path, *path.parents) if each.exists()), Path("/"))


def file_system(path: Path, mounts: str) -> str:
    """Type of the file system that a path is on; "" when it is not told.

    Args:
        path: resolved.
        mounts: lines of ``/proc/self/mounts``.
    """
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        is_above = point == "/" or str(path) == point or str(path).startswith(point + "/")
        if is_above and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind


def mounts() -> str:
    """What is mounted, as Linux tells it; "" elsewhere."""
    try:
        return Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def free_bytes(path: Path) -> tuple[int, int]:
    """Free and all bytes of the file system of a path."""
    usage = shutil.disk_usage(existing(path))
    return usage.free, usage.total


def core_limit() -> tuple[int, str]:
    """Bytes of the largest core dump of this process (-1 for any), and where the kernel would put it."""
    limit, _ = resource.getrlimit(resource.RLIMIT_CORE)
    try:
        pattern = Path("/proc/sys/kernel/core_pattern").read_text(encoding="utf-8").strip()
    except OSError:
        pattern = ""
    return (-1 if limit == resource.RLIM_INFINITY else limit), pattern


def port_trouble(port: int) -> str:
    """Why nobody can listen on a port of loopback now; "" when one can, or none is wanted."""
    if not port:
        return ""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError as error:
            return "another program listens there" if error.errno == errno.EADDRINUSE else str(error.strerror)
    return ""


def holder_of(path: Path) -> str:
    """Who holds a lock, as the file says; "" for nobody. It is tried for a moment, shared, and let go.

    Raises:
        OSError: the file is there and cannot be opened.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(handle, _MOST_HOLDER, 0).decode(errors="replace").strip() or "a process it does not name"
    finally:
        os.close(handle)
    return ""


def is_held(path: Path) -> bool:
    """Whether somebody holds a lock."""
    return holder_of(path) != ""


def latch_record(directory: Path, clock: Clock) -> LatchRecord | None:
    """What the kill latch says; None where there is none, and none is made.

    Raises:
        PreflightError: the file is not ours alone.
    """
    if not os.path.lexists(directory / LATCH_NAME):
        with suppress(FileNotFoundError, NotADirectoryError):
            reason = (directory / OLD_NAME).read_text(encoding="utf-8", errors="replace").strip()
            return LatchRecord(state="killed", epoch=0, by="an earlier version", reason=reason, unix=0.0)
        return None
    latch = Latch(directory, clock.unix())
    try:
        return latch.read()
    finally:
        latch.close()


def database_facts(path: Path) -> tuple[int | None, str]:
    """The schema of a database, None where there is none; and why it cannot be read.

    An ordinary reader of a database with a log (WAL) makes and writes files beside it, which this one does not.
    """
    log, index = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    try:
        if not path.exists():
            return None, ""
        if not log.exists():  # nobody writes
            return _schema(path, "immutable=1"), ""
        if index.exists():
            return _schema(path, "readonly_shm=1"), ""
        with tempfile.TemporaryDirectory() as directory:  # a copy that was put here without its index: rare
            copy = Path(directory) / path.name
            shutil.copyfile(path, copy)
            shutil.copyfile(log, copy.with_name(log.name))
            return _schema(copy, "readonly_shm=0"), ""
    except (sqlite3.Error, OSError, TypeError, ValueError) as error:
        return None, f"no database of this program, or damaged ({error})"


def _schema(path: Path, how: str) -> int | None:
    """The schema that a database tells, None for an empty one; ``how`` it is opened, as a parameter of its address."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&{how}", uri=True, timeout=1.0)) as db:
        if not db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchone():
            return None
        return int(db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()[0])
