"""Without a console: whatever ends the program, its orders end with it, and the last line tells the truth.

The exchange outlives the program here, so that its ledger can be asked afterwards.
"""

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.program import (
    PATIENCE_S,
    Exchange,
    address_of,
    database,
    environment,
    exchange,
    last_json,
    live_environment,
    rows,
    run,
    started,
    wait_for,
    wait_for_orders,
)

HEADLESS = ("--mode", "live", "--no-ui", "--json")


@pytest.fixture(scope="module")
def venue() -> Iterator[Exchange]:
    """One exchange for all; every test trades with an account of its own."""
    with exchange("--seed", "5", "--markets", "3") as running:
        yield running


@pytest.fixture
def key() -> str:
    return "0x" + secrets.token_hex(32)


def trading(home: Path, venue: Exchange, key: str) -> tuple[dict[str, str], str]:
    return live_environment(home, venue, key), address_of(key)


def finish(process: "subprocess.Popen[str]") -> tuple[str, str]:
    return process.communicate(timeout=PATIENCE_S)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_in_order(tmp_path: Path, venue: Exchange, key: str, number: signal.Signals) -> None:
    """A supervisor, ctrl+c and a lost terminal must not leave orders behind."""
    env, address = trading(tmp_path, venue, key)
    with started(*HEADLESS, env=env) as process:
        wait_for_orders(database(env, "live"))
        assert venue.open_orders(address)
        process.send_signal(number)
        out, err = finish(process)
    assert venue.open_orders(address) == []
    assert process.returncode == 0, err
    assert err.splitlines()[-1] == f"polymm-tui: stopped ({number.name}): zero open orders verified"
    report = last_json(out)
    assert (report["exit_reason"], report["open_orders"], report["unknown_orders"]) == (number.name, 0, 0)
    [session] = rows(database(env, "live"), "SELECT * FROM sessions")
    assert (session["exit_reason"], session["open_orders_verified"]) == (number.name, 1)


def test_a_burst_of_signals_ends_in_order_too(tmp_path: Path, venue: Exchange, key: str) -> None:
    """A dying terminal sends several at once; none may find the program without a handler."""
    env, address = trading(tmp_path, venue, key)
    with started(*HEADLESS, env=env) as process:
        wait_for_orders(database(env, "live"))
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
            time.sleep(0.02)
        out, err = finish(process)
    assert process.returncode == 0, err
    assert venue.open_orders(address) == [] and last_json(out)["open_orders"] == 0
    assert "zero open orders verified" in err.splitlines()[-1]


@pytest.mark.parametrize("when_s", [0.05, 0.3, 0.6, 1.0])
def test_a_signal_at_any_moment_of_the_start_leaves_nothing(
    tmp_path: Path, venue: Exchange, key: str, when_s: float
) -> None:
    """Between the first import and the first order there is no moment that ends in a traceback or an order."""
    env, address = trading(tmp_path, venue, key)
    with started(*HEADLESS, env=env) as process:
        time.sleep(when_s)
        process.send_signal(signal.SIGTERM)
        _, err = finish(process)
    assert process.returncode in (0, -signal.SIGTERM) and "Traceback" not in err, err
    assert venue.open_orders(address) == []


def test_a_hangup_that_was_ignored_stays_ignored(tmp_path: Path, venue: Exchange, key: str) -> None:
    """Started with nohup it is meant to outlive its terminal."""
    env, _ = trading(tmp_path, venue, key)

    def ignore() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with started(*HEADLESS, env=env, preexec_fn=ignore) as process:
        wait_for_orders(database(env, "live"))
        process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        out, _ = finish(process)
    assert last_json(out)["exit_reason"] == "SIGTERM"


def test_a_venue_that_died_is_never_called_verified(tmp_path: Path, key: str) -> None:
    """Nobody can say whether orders are open at a venue that does not answer: exit code 11, and it says so."""
    with exchange("--seed", "5", "--markets", "1") as mortal:
        env, _ = trading(tmp_path, mortal, key)
        with started(*HEADLESS, env=env) as process:
            wait_for_orders(database(env, "live"))
            mortal.process.kill()
            process.send_signal(signal.SIGTERM)
            out, err = finish(process)
    assert process.returncode == 11, err
    assert "NOT verified" in err.splitlines()[-1] and last_json(out)["open_orders"] > 0


def test_a_second_signal_shortens_the_wait_for_a_venue_that_hangs(tmp_path: Path, key: str) -> None:
    """The operator who insists gets the prompt back within seconds, and is told that nothing is known."""
    with exchange("--seed", "5", "--markets", "1") as hung:
        env, _ = trading(tmp_path, hung, key)
        with started(*HEADLESS, env=env) as process:
            wait_for_orders(database(env, "live"))
            hung.process.send_signal(signal.SIGSTOP)
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            asked = time.monotonic()
            _, err = finish(process)
            waited = time.monotonic() - asked
        hung.process.send_signal(signal.SIGCONT)
    assert process.returncode == 11 and "NOT verified" in err.splitlines()[-1]
    assert waited < 8, "not the whole deadline of the ordered end"


def test_quitting_by_duration_leaves_the_exchange_without_our_orders(tmp_path: Path, venue: Exchange, key: str) -> None:
    """What the report says of open orders is what the exchange says, and so are the fills."""
    env, address = trading(tmp_path, venue, key)
    done = run(*HEADLESS, "--duration", "4", env=env)
    report = last_json(done.stdout)
    assert done.returncode == 0 and report["open_orders"] == 0 and venue.open_orders(address) == []
    ledger = venue.ledger()
    ours = [order for order in ledger["orders"] if order["account"] == address.lower()]
    assert len(ours) == report["orders_placed"] > 0
    known = {row["order_id"]: row for row in rows(database(env, "live"), "SELECT * FROM orders")}
    for order in ours:
        assert known[order["id"]]["filled_micro"] == round(float(order["matched"]) * 1e6)


def test_the_demo_takes_its_exchange_along(tmp_path: Path) -> None:
    """A child that stays behind would hold a port and a processor for ever, also after the hardest end."""
    env = environment(tmp_path)
    with started("--no-ui", env=env) as process:
        wait_for_orders(database(env))
        exchange_and_watchdog = children(process.pid)
        process.kill()
    assert len(exchange_and_watchdog) == 2
    wait_for(lambda: not any(map(alive, exchange_and_watchdog)), "the end of the exchange, and of the watchdog then")


def children(pid: int) -> list[int]:
    """Processes started by a process."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in listed.stdout.split()]


def alive(pid: int) -> bool:
    """The process exists and is no corpse that waits for its parent."""
    try:
        os.kill(pid, 0)
        return "(Z)" not in Path(f"/proc/{pid}/stat").read_text().replace(") Z", "(Z)")
    except (ProcessLookupError, FileNotFoundError):
        return False
