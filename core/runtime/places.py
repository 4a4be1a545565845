"""Where a session keeps its things: one directory per mode, one instance per directory and per wallet."""

import fcntl
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from core.config import Settings
from core.errors import InstanceError, PreflightError
from core.selection import kept

MODES: Final = ("demo", "paper", "live")
"""Modes of sessions, each with a directory of its own."""
_LOOKS: Final = 5
_LOOK_SEC: Final = 0.02
"""Longer than a look at a lock takes, many times over."""
_MOST_HOLDER: Final = 500
"""Bytes of what a lease says of its holder."""


def state_home(environment: Mapping[str, str]) -> Path:
    """The default of ``state_dir``: the user's state directory (XDG base directories)."""
    base = environment.get("XDG_STATE_HOME") or Path(environment.get("HOME", "~")).expanduser() / ".local" / "state"
    return Path(base) / "polymm-tui"


def places_of(settings: Settings, environment: Mapping[str, str]) -> "Places":
    """Where a session with these settings keeps its things."""
    root = Path(settings.state_dir) if settings.state_dir else state_home(environment)
    return Places(root, settings.mode)


def wallet_holders(home: Path) -> set[str]:
    """Who trades with a wallet now, in the words of their leases: process and directory.

    Args:
        home: :func:`state_home`, where the leases are.
    """
    holders = set()
    for path in (home / "wallets").glob("*.lock"):
        try:
            lease = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            continue  # gone meanwhile, or no lease of ours
        try:
            fcntl.flock(lease, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            holders.add(os.pread(lease, _MOST_HOLDER, 0).decode(errors="replace").strip())
        finally:
            os.close(lease)
    return holders


def _lock(descriptor: int) -> None:
    """Take a file for ourselves. Who only looks whether it is held has it, shared, for a moment: that is waited out.

    Raises:
        OSError: somebody holds it.
    """
    for _ in range(_LOOKS):
        with suppress(BlockingIOError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(_LOOK_SEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Places:
    """The directory of one session, locked for it."""

    def __init__(self, root: Path, mode: str) -> None:
        self.mode = mode
        self.directory = root / mode
        self.database = self.directory / "mm_state.db"
        self.log = self.directory / "polymm.log"
        self.control = self.directory / "control.sock"
        self.market_list = self.directory / kept.NAME
        self.recordings = self.directory / "recordings"
        self._lock: int | None = None
        self._leases: dict[str, int] = {}
        """Wallet -> descriptor of its locked file."""

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
            _lock(self._lock)
        except OSError as error:
            self.release()
            raise InstanceError(
                f"another polymm-tui works in {self.directory}; stop it, or set POLYMM_STATE_DIR to another place"
            ) from error

    def claim_wallet(self, address: str, home: Path) -> None:
        """Take the lease of a wallet: whatever ``state_dir``, one session of this user trades for it at a time.

        Args:
            address: of the wallet or of its signer; what is held already stays held.
            home: :func:`state_home`, the same for all sessions of the user.

        Raises:
            PreflightError: the lease cannot be made.
            InstanceError: another session holds it.
        """
        wallet = address.lower()
        if wallet in self._leases:
            return
        path = home / "wallets" / f"{wallet}.lock"
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lease = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise PreflightError(f"{path}: {error.strerror}; the lease of the wallet has to be there") from error
        try:
            _lock(lease)
        except OSError as error:
            holder = os.pread(lease, _MOST_HOLDER, 0).decode(errors="replace").strip() or "a process it does not name"
            os.close(lease)
            raise InstanceError(f"{holder} trades with the wallet {address}; stop it, or use another wallet") from error
        self._leases[wallet] = lease
        os.ftruncate(lease, 0)
        os.pwrite(lease, f"polymm-tui, process {os.getpid()}, in {self.directory},".encode()[:_MOST_HOLDER], 0)

    def release(self) -> None:
        """Give locks and leases back."""
        held = [*self._leases.values(), *([] if self._lock is None else [self._lock])]
        self._leases, self._lock = {}, None
        for descriptor in held:
            os.close(descriptor)

    def start_afresh(self) -> None:
        """Set the last run's database and market list aside: both do not outlive the demo's exchange; a kill does."""
        logs = (self.database.with_name(self.database.name + end) for end in ("-wal", "-shm"))
        for path in (self.database, *logs, self.market_list):
            previous = path.with_name("previous-" + path.name)
            previous.unlink(missing_ok=True)  # an old log beside another database would be played into it
            if path.exists():
                path.replace(previous)
