"""Real processes, stopped and killed from outside: whatever happens to a session, its orders do not outlive it."""

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.kill.switch import KillSwitch
from tests.end_to_end.program import (
    PATIENCE_S,
    Exchange,
    address_of,
    database,
    exchange,
    live_environment,
    run,
    started,
    wait_for,
    wait_for_orders,
)

LIVE = ("--mode", "live", "--no-ui")
EMPTY_S = 10.0
"""Within so long of a session's standstill nothing of it is open (issue 8)."""


@pytest.fixture(scope="module")
def venue() -> Iterator[Exchange]:
    with exchange("--seed", "8", "--markets", "2") as running:
        yield running


@pytest.fixture
def account(tmp_path: Path, venue: Exchange) -> tuple[dict[str, str], Callable[[], list[str]]]:
    """Environment of a live session, and what it has open."""
    key = "0x" + secrets.token_hex(32)
    return live_environment(tmp_path, venue, key), lambda: venue.open_orders(address_of(key))


def directory(env: dict[str, str]) -> Path:
    return database(env, "live").parent


def killed(env: dict[str, str]) -> tuple[str, str]:
    """State and author as the latch on the disk has them."""
    switch = KillSwitch.open(directory(env), SystemClock())
    record = switch.latch.read()
    switch.close()
    return record.state, record.by


def test_a_stopped_session_is_killed_by_its_watchdog(
    account: tuple[dict[str, str], Callable[[], list[str]]],
) -> None:
    """SIGSTOP: no thread of it runs; it finds itself killed when it goes on, and ends with 10."""
    env, open_orders = account
    with started(*LIVE, env=env, stdout=subprocess.DEVNULL) as process:
        wait_for_orders(database(env, "live"), 2)
        wait_for(open_orders, "orders at the venue")
        began_s = time.monotonic()
        process.send_signal(signal.SIGSTOP)
        wait_for(lambda: not open_orders(), "an empty venue", EMPTY_S)
        assert time.monotonic() - began_s < EMPTY_S and killed(env) == ("killed", "watchdog")
        process.send_signal(signal.SIGCONT)
        time.sleep(1.0)
        assert not open_orders() and process.poll() is None, "it goes on observing, and places nothing"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 10, err


def test_a_latch_survives_sigkill_a_restart_and_a_deleted_database(
    account: tuple[dict[str, str], Callable[[], list[str]]],
) -> None:
    """The watchdog outlives its session and kills for it; the next session observes, and a re-arm lets it quote."""
    env, open_orders = account
    with started(*LIVE, env=env, stdout=subprocess.DEVNULL) as process:
        wait_for_orders(database(env, "live"), 2)
        wait_for(open_orders, "orders at the venue")
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_for(lambda: not open_orders(), "an empty venue", EMPTY_S)
    assert killed(env) == ("killed", "watchdog")
    for path in directory(env).glob("mm_state.db*"):
        os.unlink(path)
    with started(*LIVE, env=env, stdout=subprocess.DEVNULL) as process:
        wait_for(lambda: (directory(env) / "control.sock").exists(), "a session")
        told = wait_for(lambda: _status(env), "a session that answers")
        assert "killed" in told.lower()
        time.sleep(1.5)
        assert not open_orders(), "a restart is no re-arm"
        wait_for(
            lambda: run("rearm", "--mode", "live", "--reason", "looked into it", env=env).returncode == 0, "a rearm"
        )
        wait_for(open_orders, "orders at the venue")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err


def test_signal_usr1_kills_and_ends_nothing(account: tuple[dict[str, str], Callable[[], list[str]]]) -> None:
    """From a cron job or a unit file, without a shell of ours."""
    env, open_orders = account
    with started(*LIVE, env=env, stdout=subprocess.DEVNULL) as process:
        wait_for_orders(database(env, "live"), 2)
        wait_for(open_orders, "orders at the venue")
        process.send_signal(signal.SIGUSR1)
        wait_for(lambda: not open_orders(), "an empty venue", EMPTY_S)
        assert killed(env) == ("killed", "SIGUSR1") and process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 10


def _status(env: dict[str, str]) -> str:
    done = run("status", "--mode", "live", env=env)
    return done.stdout if done.returncode == 0 else ""
