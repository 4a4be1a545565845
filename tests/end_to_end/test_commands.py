"""The real program, told what to do by the real program: a demo and live sessions on an exchange that outlives them."""

import json
import secrets
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.runtime.places import state_home
from tests.end_to_end.program import (
    PATIENCE_S,
    Exchange,
    address_of,
    database,
    environment,
    exchange,
    live_environment,
    rows,
    run,
    started,
    wait_for,
    wait_for_orders,
)

LIVE = ("--mode", "live", "--no-ui")
DEMO = ("--mode", "demo", "--no-ui", "--seed", "1")


@pytest.fixture(scope="module")
def venue() -> Iterator[Exchange]:
    """One exchange for all; every test trades with an account of its own."""
    with exchange("--seed", "5", "--markets", "2") as running:
        yield running


@pytest.fixture
def account(tmp_path: Path, venue: Exchange) -> tuple[dict[str, str], str]:
    """Environment of a live session, and its address."""
    key = "0x" + secrets.token_hex(32)
    return live_environment(tmp_path, venue, key), address_of(key)


@contextmanager
def running(*arguments: str, env: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """The program in the background; what it says is of no interest unless a test reads it."""
    with started(*arguments, env=env, stdout=subprocess.DEVNULL) as process:
        yield process


def end(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Stop it in order: exit code and last line."""
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, err.splitlines()[-1]


def told(*arguments: str, env: dict[str, str]) -> dict[str, Any]:
    """A command's answer as JSON; it has to be done."""
    done = run(*arguments, "--json", env=env)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def status(env: dict[str, str]) -> dict[str, Any]:
    return told("status", env=env)


def wait_until_quoting(env: dict[str, str], mode: str, markets: int = 1) -> dict[str, Any]:
    """Until so many markets are quoted with orders in the book; the standing then."""
    wait_for(lambda: database(env, mode).exists(), "a database")

    def seen() -> dict[str, Any] | None:
        done = run("status", "--json", env=env)
        standing: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        quoted = [one for one in standing.get("markets", ()) if one["quoting"] and one["orders"] > 0]
        return standing if len(quoted) >= markets else None

    return wait_for(seen, f"{markets} markets that are quoted")


def states(standing: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Market -> (state, reason) of what operators set."""
    return {one["market"]: (one["state"], one["reason"]) for one in standing["controls"] if one["source"] == "operator"}


def test_a_demo_is_told_what_to_do_from_another_shell(tmp_path: Path) -> None:
    """Pause, side, reduce, widen, cancel, resume, kill, rearm, each seen in status; what is wrong changes nothing."""
    env = environment(tmp_path)
    with running(*DEMO, env=env) as process:
        standing = wait_until_quoting(env, "demo", 2)
        first, second = [one for one in standing["markets"] if one["quoting"]][:2]
        done = run("pause", first["market"], "--reason", "lunch", "--for", "10m", env=env)
        assert done.returncode == 0 and first["title"][:20] in done.stdout, done.stderr
        assert run("reduce", second["market"], "--side", "bid", env=env).returncode == 0
        assert run("widen", second["market"], "--ticks", "2", env=env).returncode == 0
        assert run("cancel", second["market"], env=env).returncode == 0

        def pulled() -> bool:
            return {one["market"]: one["orders"] for one in status(env)["markets"]}[first["market"]] == 0

        wait_for(pulled, "the end of the paused market's orders")
        seen = status(env)
        assert states(seen) == {first["market"]: ("PAUSED", "lunch"), second["market"]: ("REDUCE_ONLY", "")}
        [pause] = [one for one in seen["controls"] if one["market"] == first["market"]]
        assert pause["author"] == "shell" and 500 < pause["left_s"] <= 600
        shown = run("status", env=env).stdout
        assert "paused: lunch, by shell, 9m left" in " ".join(shown.split()) and max(map(len, shown.splitlines())) <= 80

        for wrong in (
            ("pause", "no such market"),
            ("pause", "will"),
            ("pause", "--all", "--for", "5"),
            ("flatten", first["market"], "--confirm", "made up"),
            ("rearm", "--reason", "nothing is tripped"),
        ):
            refused = run(*wrong, env=env)
            assert refused.returncode == 2 and refused.stdout == "", wrong
            assert refused.stderr.startswith("polymm-tui: "), wrong
        assert states(status(env)) == states(seen)

        assert run("resume", "--all", env=env).returncode == 0
        for market in (first, second):
            run("resume", market["market"], env=env)
            run("resume", market["market"], "--side", "bid", env=env)
        assert states(status(env)) == {}
        wait_until_quoting(env, "demo", 2)

        assert told("kill", "--reason", "practice", env=env)["verified"] is True
        wait_for(lambda: status(env)["control"] == "KILLED", "the session's own word")
        wait_for(lambda: run("rearm", "--reason", "was practice", env=env).returncode == 0, "a clean account")
        wait_until_quoting(env, "demo", 2)
        assert end(process)[0] == 0
    after = run("status", env=env)
    assert after.returncode == 0 and "no session runs" in after.stdout and "zero open orders verified" in after.stdout


def test_a_pause_outlives_the_session_that_was_told(venue: Exchange, account: tuple[dict[str, str], str]) -> None:
    """Ended by force, killed by its watchdog and re-armed: the next one does not quote what was paused."""
    env, address = account
    with running(*LIVE, env=env) as process:
        wait_until_quoting(env, "live", 2)
        assert run("pause", "--all", "--reason", "night", env=env).returncode == 0
        wait_for(lambda: venue.open_orders(address) == [], "the end of all orders")
        process.kill()
        process.wait(PATIENCE_S)
    wait_for(lambda: status(env)["latch"]["state"] == "killed", "the watchdog's latch")
    left = status(env)
    assert left["running"] is False and [one["reason"] for one in left["left"]["controls"]] == ["night"]
    shown = run("status", env=env).stdout
    assert "paused: night, by shell" in shown and "KILLED by watchdog" in shown
    assert run("rearm", "--reason", "it was a test", env=env).returncode == 0
    with running(*LIVE, env=env) as process:
        wait_for(lambda: run("status", "--json", env=env).returncode == 0 and status(env).get("markets"), "its markets")
        seen = status(env)
        assert states(seen) == {"": ("PAUSED", "night")} and not any(one["quoting"] for one in seen["markets"])
        assert venue.open_orders(address) == []
        assert run("resume", "--all", env=env).returncode == 0
        wait_until_quoting(env, "live", 2)
        assert end(process)[0] == 0


def test_kill_and_the_way_back(venue: Exchange, account: tuple[dict[str, str], str]) -> None:
    """The session observes on, a restart stays killed, and only a re-arm lets it quote again."""
    env, address = account
    with running(*LIVE, env=env) as process:
        wait_until_quoting(env, "live")
        done = run("kill", "--reason", "smoke", "--json", env=env)
        assert done.returncode == 0, (done.stdout, done.stderr)
        assert json.loads(done.stdout)["verified"] is True and venue.open_orders(address) == []
        wait_for(lambda: status(env)["control"] == "KILLED", "the session's own word")
        seen = status(env)
        assert seen["kill"]["killed"] and (seen["kill"]["by"], seen["kill"]["reason"]) == ("shell", "smoke")
        assert "KILLED by shell" in run("status", env=env).stdout
        assert "killed" in run("resume", "--all", env=env).stdout and status(env)["control"] == "KILLED"
        assert run("flatten", "--all", "--yes", env=env).returncode == 2
        code, last = end(process)
        assert code == 10 and "zero open orders verified" in last, last
    assert "KILLED by shell" in run("status", env=env).stdout
    with running(*LIVE, env=env) as process:
        wait_for(lambda: status(env).get("markets") and not status(env)["recovering"], "a session that observes")
        assert status(env)["control"] == "KILLED" and venue.open_orders(address) == []
        done = run("rearm", "--reason", "it was a test", env=env)
        assert done.returncode == 0, done.stderr
        wait_until_quoting(env, "live")
        assert run("rearm", "--reason", "again", env=env).returncode == 2
        assert end(process)[0] == 0


def test_kill_works_while_the_session_is_stopped(venue: Exchange, account: tuple[dict[str, str], str]) -> None:
    """Nobody needs its loop, its socket or its database; when it wakes, it places nothing."""
    env, address = account
    with running(*LIVE, env=env) as process:
        wait_until_quoting(env, "live")
        process.send_signal(signal.SIGSTOP)
        silent = run("pause", "--all", env=env)
        assert silent.returncode == 3 and "polymm-tui kill" in silent.stderr
        done = run("kill", env=env)
        assert done.returncode == 0 and "zero open orders verified" in done.stderr, done.stderr
        assert venue.open_orders(address) == []
        process.send_signal(signal.SIGCONT)
        wait_for(lambda: status(env)["control"] == "KILLED", "the session's own word")
        assert venue.open_orders(address) == [] and end(process)[0] == 10


def test_after_a_crash_the_shell_cancels_and_rearms(venue: Exchange, account: tuple[dict[str, str], str]) -> None:
    """Session gone by force: what it left is cancelled, the latch is taken back, and the next start quotes."""
    env, address = account
    with running(*LIVE, env=env) as process:
        wait_until_quoting(env, "live")
        process.kill()
        process.wait(PATIENCE_S)
    done = run("kill", "--reason", "crashed", env=env)
    assert done.returncode == 0 and venue.open_orders(address) == [], done.stderr
    done = run("rearm", "--reason", "looked into it", env=env)
    assert done.returncode == 0 and "reconciles before it quotes" in done.stdout, done.stderr
    with running(*LIVE, env=env) as process:
        wait_until_quoting(env, "live")
        assert end(process)[0] == 0


def test_a_flattening_is_confirmed_once(tmp_path: Path) -> None:
    """Preview, confirm, progress; the same confirmation again is refused, and changes nothing."""
    env = environment(tmp_path)
    with running(*DEMO, env=env) as process:
        wait_until_quoting(env, "demo")

        def held() -> str:
            big = [one for one in status(env)["markets"] if abs(one["net"]) >= 5_000_000]
            return big[0]["market"] if big else ""

        market = wait_for(held, "a position", 2 * PATIENCE_S)
        assert run("pause", "--all", env=env).returncode == 0  # nobody fills us meanwhile
        shown = told("flatten", market, "--preview", env=env)
        assert shown["confirm"] and "cost" in shown["text"]
        assert status(env)["markets"] and not any(one["flatten"] for one in status(env)["markets"])
        begun = run("flatten", market, "--confirm", shown["confirm"], env=env)
        assert begun.returncode == 0, begun.stderr
        again = run("flatten", market, "--confirm", shown["confirm"], env=env)
        assert again.returncode == 2 and "preview" in again.stderr, again.stderr
        assert run("flatten", market, "--stop", env=env).returncode in (0, 2)
        assert end(process)[0] == 0


def test_a_wallet_has_one_session_wherever_its_state_is(tmp_path: Path, venue: Exchange) -> None:
    """The second ends with 4 within a moment, and the first does not notice."""
    key = "0x" + secrets.token_hex(32)
    env = live_environment(tmp_path, venue, key)
    other = {**env, "POLYMM_STATE_DIR": str(tmp_path / "elsewhere")}
    with running(*LIVE, env=env) as process:
        wait_for_orders(database(env, "live"))
        second = run(*LIVE, env=other)
        assert second.returncode == 4, second.stderr
        assert address_of(key) in second.stderr and str(process.pid) in second.stderr
        assert rows(database(other, "live"), "SELECT 1 FROM orders") == []
        third = run(*LIVE, env=env)
        assert third.returncode == 4 and "another polymm-tui" in third.stderr
        assert end(process)[0] == 0
    assert [path.name for path in (state_home(env) / "wallets").iterdir()] == [f"{address_of(key).lower()}.lock"]
