"""Private files of a fixed size, there before they are needed: writing one takes no new file and no new block.

So a kill works on a full disk, where the file system overwrites in place.
"""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from core.errors import PreflightError

SIZE: Final = 4096
"""Bytes: one page of memory, and one block of a usual file system."""
MOST_NAME: Final = 60
MOST_TEXT: Final = 200
"""Characters of a name, and of a reason, that are kept; each takes four bytes at most."""


def open_private(path: Path, first: bytes) -> int:
    """Open a file of our own for reading and writing; make it where there is none.

    Args:
        path: where it lies; its directory exists.
        first: what it holds when it is made, :data:`SIZE` bytes; never seen in part.

    Raises:
        PreflightError: it is not ours alone (:func:`open_existing`), others may replace it, or it cannot be made.
    """
    try:
        facts = os.stat(path.parent)
        if facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
            raise PreflightError(f"{path.parent} must be yours, and no other user may write there: chmod 700 it")
        if not os.path.lexists(path):
            publish(path, first)
        return open_existing(path, os.O_RDWR)
    except OSError as error:
        raise PreflightError(f"{path}: {error.strerror}") from error


def open_existing(path: Path, mode: int = os.O_RDONLY) -> int:
    """Open a file of our own that nobody else can read.

    Raises:
        FileNotFoundError: there is none.
        PreflightError: it is somebody else's, open to others, a link or no file; the text names the remedy.
    """
    try:
        handle = os.open(path, mode | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise PreflightError(f"{path}: {error.strerror}; it must be a file of yours, and no link") from error
    try:
        _check_private(handle, path)
    except PreflightError:
        os.close(handle)
        raise
    return handle


def mend(path: Path) -> None:
    """Make good what keeps :func:`open_private` from opening a file, as far as it is ours to do.

    Its directory and itself are closed to others; what is no file of ours is set aside under the same name with
    ``.aside`` behind it.

    Raises:
        OSError: that cannot be done.
    """
    facts = os.stat(path.parent)
    if facts.st_mode & 0o022:
        os.chmod(path.parent, 0o700)
    if not os.path.lexists(path):
        return
    facts = os.lstat(path)
    if stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid():
        os.chmod(path, 0o600)
    else:
        os.rename(path, path.with_name(f"{path.name}.aside"))


def publish(path: Path, content: bytes, *, replace: bool = False) -> None:
    """Make a file that is there whole or not at all, mode 0600, and sync it and its directory.

    One that somebody else has made meanwhile stays, unless it is to be replaced.

    Raises:
        OSError: it cannot be made.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        if replace:
            os.replace(name, path)
        else:
            with suppress(FileExistsError):
                os.link(name, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def short(text: str, most: int) -> str:
    """A text of a line, printable and not long; foreign words may be in it."""
    return "".join(char if char.isprintable() else " " for char in text[:most])


def _check_private(handle: int, path: Path) -> None:
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode):
        raise PreflightError(f"{path} is no file; move it away")
    if facts.st_uid != os.geteuid():
        raise PreflightError(f"{path} belongs to another user; move it away")
    if facts.st_mode & 0o077:
        raise PreflightError(f"{path} is open to other users (mode {facts.st_mode & 0o777:o}): chmod 600 it")
