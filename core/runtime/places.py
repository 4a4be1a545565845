"""Where a session keeps its things: one directory per mode, one instance per directory, the kill latch."""

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from core.config import Settings
from core.errors import InstanceError, PreflightError

LATCH_NAME: Final = "KILLED"


def state_home(environment: Mapping[str, str]) -> Path:
    """The default of ``state_dir``: the user's state directory (XDG base directories)."""
    base = environment.get("XDG_STATE_HOME") or Path(environment.get("HOME", "~")).expanduser() / ".local" / "state"
    return Path(base) / "polymm-tui"


def places_of(settings: Settings, environment: Mapping[str, str]) -> "Places":
    """Where a session with these settings keeps its things."""
    root = Path(settings.state_dir) if settings.state_dir else state_home(environment)
    return Places(root, settings.mode)


class Places:
    """The directory of one session, locked for it."""

    def __init__(self, root: Path, mode: str) -> None:
        self.directory = root / mode
        self.database = self.directory / "mm_state.db"
        self.log = self.directory / "polymm.log"
        self.latch = self.directory / LATCH_NAME
        self.control = self.directory / "control.sock"
        self._lock: int | None = None

    def claim(self) -> None:
        """Create the directory and take its lock.

        Raises:
            PreflightError: it cannot be created.
            InstanceError: another session holds it.
        """
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.directory / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise PreflightError(f"{self.directory}: {error.strerror}; set state_dir to a writable place") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
            raise InstanceError(
                f"another polymm-tui works in {self.directory}; stop it, or set POLYMM_STATE_DIR to another place"
            ) from error

    def release(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def start_afresh(self) -> None:
        """Set the last run's database and latch aside: a demo account does not outlive its exchange."""
        for path in (self.database, *(self.database.with_name(self.database.name + end) for end in ("-wal", "-shm"))):
            previous = path.with_name("previous-" + path.name)
            previous.unlink(missing_ok=True)  # an old log beside another database would be played into it
            if path.exists():
                path.replace(previous)
        self.latch.unlink(missing_ok=True)

    def check_latch(self) -> None:
        """Refuse to start while a kill is latched.

        Raises:
            PreflightError: it is.
        """
        if self.latch.exists():
            reason = self.latch.read_text(encoding="utf-8", errors="replace").strip() or "no reason is noted"
            raise PreflightError(f"killed earlier: {reason}; look into it, then remove {self.latch}")

    def write_latch(self, reason: str) -> None:
        """Write the kill latch and wait until it is on the disk.

        Raises:
            OSError: it could not be written.
        """
        handle = os.open(self.latch, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        try:
            os.write(handle, reason.encode() + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)
        directory = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
