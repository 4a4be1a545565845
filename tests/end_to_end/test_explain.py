"""The real program, asked by the real program: a running session, a killed one, a database afterwards."""

import json
import signal
import subprocess
from pathlib import Path

from tests.end_to_end.program import PATIENCE_S, database, environment, run, started, wait_for, wait_for_orders


def test_a_session_is_explained_from_another_shell_and_survives_being_killed(tmp_path: Path) -> None:
    """Plan, orders and JSON while it runs; nobody after kill -9; and the next session answers again."""
    env = environment(tmp_path)
    arguments = ("--mode", "demo", "--no-ui", "--seed", "1")
    with started(*arguments, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for_orders(database(env))
        several = run("explain", "will", env=env)
        assert several.returncode == 2 and "may be several markets" in several.stderr
        title = several.stderr.splitlines()[1].split(maxsplit=1)[1]
        done = run("explain", title, env=env)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(title[:40]) and "bid layer 1" in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= 80
        told = json.loads(run("explain", title, "--json", env=env).stdout)
        assert told["explanation"]["title"] == title
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)
    gone = run("explain", title, env=env)
    assert gone.returncode == 3 and "no session runs in" in gone.stderr
    with started(*arguments, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: run("explain", title, env=env).returncode == 0, "the next session's answer")
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)
    thin = run("calibrate", str(database(env)), env=env)
    assert thin.returncode == 7 and "too thin" in thin.stdout and "±" not in thin.stdout


def test_flags_that_would_be_ignored_are_refused(tmp_path: Path) -> None:
    """A time belongs to a recording, a mode to a session."""
    env = environment(tmp_path)
    for arguments, flag in (
        (("explain", "x", "--at", "5"), "--at"),
        (("explain", "x", "--recording", "r", "--mode", "demo"), "--mode"),
        (("--duration", "5", "explain", "x"), "--duration"),
        (("--no-ui", "calibrate", "r"), "--no-ui"),
    ):
        done = run(*arguments, env=env)
        assert done.returncode == 2 and flag in done.stderr, (arguments, done.stderr)
