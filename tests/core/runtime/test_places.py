"""One directory, one instance; one wallet, one session."""

import fcntl
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import InstanceError, PreflightError
from core.runtime import places as places_module
from core.runtime.places import Places, state_home


def claimed(root: Path, mode: str = "demo") -> Places:
    places = Places(root, mode)
    places.claim()
    return places


def test_a_second_instance_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    """Two sessions in one directory would trade the same account twice."""
    first = claimed(tmp_path)
    with pytest.raises(InstanceError, match="POLYMM_STATE_DIR"):
        claimed(tmp_path)
    first.release()
    claimed(tmp_path).release()


def test_who_only_looks_for_a_moment_keeps_nobody_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A doctor run by a timer takes lock and lease, shared, to see whether they are held."""
    claimed(tmp_path).release()
    first = Places(tmp_path, "demo")
    first.claim_wallet("0xAB", tmp_path)
    first.release()
    for path in (tmp_path / "demo" / "lock", tmp_path / "wallets" / "0xab.lock"):
        looking = os.open(path, os.O_RDONLY)
        fcntl.flock(looking, fcntl.LOCK_SH)
        monkeypatch.setattr(places_module.time, "sleep", lambda _, held=looking: fcntl.flock(held, fcntl.LOCK_UN))
        second = Places(tmp_path, "demo")
        if path.name == "lock":
            second.claim()
        else:
            second.claim_wallet("0xAB", tmp_path)
        second.release()
        os.close(looking)


def test_modes_do_not_disturb_each_other(tmp_path: Path) -> None:
    """A demo beside a paper session is normal."""
    first, second = claimed(tmp_path, "demo"), claimed(tmp_path, "paper")
    first.release()
    second.release()


def test_a_directory_that_cannot_be_made_is_told_with_the_remedy(tmp_path: Path) -> None:
    """A file in the way must not end in a traceback."""
    (tmp_path / "demo").write_text("in the way")
    with pytest.raises(PreflightError, match="set state_dir"):
        claimed(tmp_path)


def test_the_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    """Strategy and positions are nobody else's business."""
    places = claimed(tmp_path / "new")
    assert places.directory.stat().st_mode & 0o077 == 0
    places.release()


def test_a_demo_starts_afresh_and_keeps_the_last_run_readable(tmp_path: Path) -> None:
    """The run before last may have left a write-ahead log; beside another database it would be played into it."""
    places = claimed(tmp_path)
    for suffix in ("-wal", "-shm"):
        places.database.with_name(f"previous-{places.database.name}{suffix}").write_bytes(b"of another database")
    with closing(sqlite3.connect(places.database)) as db:
        db.execute("CREATE TABLE t (n)")
    (places.directory / "kill.latch").touch()
    places.market_list.touch()
    places.start_afresh()
    left = sorted(path.name for path in places.directory.iterdir())
    assert left == ["kill.latch", "lock", "previous-markets.json", "previous-mm_state.db"], "a kill stays"
    places.release()


WALLET = "0x" + "Ab" * 20


def test_a_wallet_has_one_session_whatever_the_state_directory(tmp_path: Path) -> None:
    """Two sessions with directories of their own would trade one account twice (reliability.md P18)."""
    home = tmp_path / "home"
    first, second = claimed(tmp_path / "one", "live"), claimed(tmp_path / "two", "live")
    first.claim_wallet(WALLET, home)
    first.claim_wallet(WALLET, home)  # signer and wallet may be one
    with pytest.raises(InstanceError, match="another wallet") as caught:
        second.claim_wallet(WALLET.lower(), home)
    assert f"process {os.getpid()}" in str(caught.value) and str(first.directory) in str(caught.value)
    assert caught.value.exit_code == 4
    second.claim_wallet("0x" + "cd" * 20, home)
    first.release()
    second.claim_wallet(WALLET, home)
    second.release()


def test_a_lease_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Better not to start than to start without it."""
    (tmp_path / "home").write_text("in the way")
    places = claimed(tmp_path / "one", "live")
    with pytest.raises(PreflightError, match="lease of the wallet"):
        places.claim_wallet(WALLET, tmp_path / "home")
    (tmp_path / "wallets").mkdir()
    (tmp_path / "wallets" / f"{WALLET.lower()}.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PreflightError, match="lease of the wallet"):
        places.claim_wallet(WALLET, tmp_path)
    assert not (tmp_path / "elsewhere").exists()
    places.release()


def test_the_state_home_follows_the_user_directories() -> None:
    """XDG first, then the home directory."""
    assert state_home({"XDG_STATE_HOME": "/x", "HOME": "/h"}) == Path("/x/polymm-tui")
    assert state_home({"HOME": "/h"}) == Path("/h/.local/state/polymm-tui")
