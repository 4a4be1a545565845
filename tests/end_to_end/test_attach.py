"""``polymm-tui attach`` as an operator uses it: a session without a console, and consoles that come and go."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.runtime.console_wire import Attach, Attached, Ready, framed
from core.runtime.control_socket import dial
from polymm_tui import __version__
from polymm_tui.screens.question import ARMING_S
from tests.end_to_end.program import (
    PATIENCE_S,
    address_of,
    database,
    environment,
    exchange,
    live_environment,
    run,
    started,
    wait_for,
    wait_for_orders,
)
from tests.end_to_end.terminal import Terminal, terminal
from tests.end_to_end.test_secrets import SEED, assert_clean

HEADLESS = ("--mode", "demo", "--no-ui", "--seed", "1")
LIVE = ("--mode", "live", "--no-ui")
SILENT: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
DETACHED = "polymm-tui: detached: the session goes on"


@contextmanager
def headless(env: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """A demo session without a console that has orders out."""
    with started(*HEADLESS, env=env, **SILENT) as process:
        wait_for_orders(database(env))
        yield process


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Of one headless session for all tests that leave it as it was."""
    found = environment(tmp_path_factory.mktemp("session"))
    with headless(found) as process:
        yield found
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


@pytest.fixture(autouse=True)
def _as_it_was(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test did to the session of all is taken back, also when the test failed."""
    yield
    if "env" in request.fixturenames:
        env: dict[str, str] = request.getfixturevalue("env")
        told = json.loads(run("status", "--json", env=env).stdout)
        for name in ("--all", *(market["market"] for market in told["markets"])):
            run("resume", name, env=env)


def detach(shown: Terminal) -> int:
    """Leave with the keys an operator uses; returns the exit code."""
    shown.press("q")
    shown.wait_text("detach")
    time.sleep(2 * ARMING_S)  # a question takes no answer that was typed ahead
    shown.press("q")
    return shown.wait_exit()


def test_pause_from_an_attached_console_and_detach(tmp_path: Path, env: dict[str, str]) -> None:
    """A key acts on the session, leaving does not: what was paused stays paused, the others go on being quoted."""
    with terminal(tmp_path, env, "attach") as shown:
        shown.wait_text("DEMO", "ACTIVE", "4 of 4 quoting")
        shown.press("p")
        shown.wait_text("3 of 4 quoting", "paused")
        assert detach(shown) == 0
        assert DETACHED in shown.screen()
        before, after = shown.modes()
        assert before == after
    told = run("status", env=env).stdout
    assert "quoting 3 of 4 markets" in told and "by console" in told


def test_two_terminals_at_once_and_one_only_watches(tmp_path: Path, env: dict[str, str]) -> None:
    """What one does shows in the other, which can do nothing itself and leaves without a question."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with (
        terminal(tmp_path / "a", env, "attach") as one,
        terminal(tmp_path / "b", env, "attach", "--read-only", size=(80, 24)) as other,
    ):
        one.wait_text("4 of 4 quoting")
        other.wait_text("DEMO", "ACTIVE")
        other.press("X")
        other.wait_text("watch")
        one.press("!", "p")
        one.wait_text("PAUSED", "0 of 4 quoting")
        other.wait_text("PAUSED")
        other.press("q")
        assert other.wait_exit() == 0 and DETACHED in other.screen()
        assert run("resume", "--all", env=env).returncode == 0
        one.wait_text("ACTIVE", "4 of 4 quoting")
        assert detach(one) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_only_detaches(tmp_path: Path, env: dict[str, str], number: signal.Signals) -> None:
    """What ends a session of its own only ends the console here, with code 0 and the terminal as it was."""
    with terminal(tmp_path, env, "attach") as shown:
        shown.wait_text("4 of 4 quoting")
        os.kill(shown.find_program(), number)
        assert shown.wait_exit() == 0 and DETACHED in shown.screen()
        before, after = shown.modes()
        assert before == after
    assert "quoting 4 of 4 markets" in run("status", env=env).stdout


def test_a_lost_terminal_only_detaches(tmp_path: Path, env: dict[str, str]) -> None:
    """The terminal is gone: so is the console, and nothing else."""
    with terminal(tmp_path, env, "attach") as shown:
        shown.wait_text("4 of 4 quoting")
        program = shown.find_program()
        shown.tmux("kill-server")
        wait_for(lambda: not Path(f"/proc/{program}").exists(), "the end of the console")
    assert "quoting 4 of 4 markets" in run("status", env=env).stdout


def test_without_a_terminal_or_a_session_it_says_so(tmp_path: Path, env: dict[str, str]) -> None:
    """One line, and the codes of the other commands."""
    done = run("attach", env=env)
    assert done.returncode == 2 and "terminal" in done.stderr
    with terminal(tmp_path, environment(tmp_path), "attach") as shown:
        assert shown.wait_exit() == 3 and "no session runs" in shown.screen()


def test_a_killed_session_shows_as_no_engine_and_its_successor_is_followed(tmp_path: Path) -> None:
    """SIGKILL: the strip says that there is no engine; the next session shows in the same console, killed."""
    env = environment(tmp_path)
    with headless(env) as process, terminal(tmp_path, env, "attach") as shown:
        shown.wait_text("4 of 4 quoting")
        process.kill()
        process.wait(PATIENCE_S)
        shown.wait_text("NO ENGINE")
        with started(*HEADLESS, env=env, **SILENT) as successor:
            shown.wait_text("started anew")
            wait_for(lambda: "NO ENGINE" not in shown.screen(), "the engine of the next session")
            shown.wait_text("KILLED")  # its watchdog saw it die
            successor.terminate()
            assert shown.wait_exit() == 0 and "the session has ended: " in shown.screen()


def test_kill_from_a_console_while_the_session_hangs(tmp_path: Path) -> None:
    """The session is stopped in its tracks: the switch is pulled by the console, and the venue has nothing left."""
    with exchange("--seed", "7", "--markets", "2") as venue:
        key = "0x" + "5e" * 32
        env, address = live_environment(tmp_path, venue, key), address_of(key)
        with started(*LIVE, env=env, **SILENT) as session:
            wait_for(lambda: len(venue.open_orders(address)) >= 4, "orders at the exchange")
            with terminal(tmp_path, env, "attach", "--mode", "live") as shown:
                shown.wait_text("LIVE", "2 of 2 quoting")
                session.send_signal(signal.SIGSTOP)
                shown.press("!", "k", "k")
                shown.wait_text("KILLED", "ZERO PROVEN")
                assert venue.open_orders(address) == []
                latch = (database(env, "live").parent / "kill.latch").read_bytes()
                assert b"the operator's key" in latch and b"console 1" in latch
                assert detach(shown) == 0
            session.send_signal(signal.SIGCONT)
            session.terminate()
            assert session.wait(PATIENCE_S) == 10


def test_no_secret_goes_over_the_connection(tmp_path: Path) -> None:
    """Every byte of many views of a live session with the canary's key, with all details of a market in them."""
    with exchange("--seed", str(SEED), "--markets", "2") as venue:
        env = live_environment(tmp_path, venue)
        with started(*LIVE, env=env, **SILENT) as live:
            wait_for_orders(database(env, "live"))
            path = database(env, "live").with_name("control.sock")
            connection, _ = dial(path, Attach(version=__version__), Attached)
            heard = bytearray()
            with connection:
                for _ in range(20):
                    connection.sendall(framed(Ready()))
                    size = int.from_bytes(connection.recv(4), "big")
                    while size:
                        chunk = connection.recv(size)
                        heard += chunk
                        size -= len(chunk)
            assert len(heard) > 20 * 2_000
            assert_clean("the connection", bytes(heard))
            live.terminate()
            assert live.wait(PATIENCE_S) == 0
