"""The doctor as a program: exit codes, a live start that it refuses, what it leaves behind and what it shows."""

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.program import (
    CANARY_KEY,
    Exchange,
    database,
    environment,
    exchange,
    last_json,
    live_environment,
    run,
    started,
    wait_for_orders,
)

LIVE = ("--mode", "live")
SHUT = '[[fault]]\ndo = "geoblock"\nfor = 1000\n'


@pytest.fixture
def venue() -> Iterator[Exchange]:
    with exchange("--seed", "13", "--markets", "2") as running:
        yield running


def checks(told: "subprocess.CompletedProcess[str]") -> dict[str, dict[str, object]]:
    return {check["name"]: check for check in json.loads(told.stdout)["checks"]}


def test_a_demo_is_well_without_a_key_and_leaves_nothing(tmp_path: Path) -> None:
    """No network, no key, no trace on the disk, no process."""
    done = run("doctor", env=environment(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "" and max(map(len, done.stdout.splitlines())) <= 80
    assert list(tmp_path.iterdir()) == []


def test_a_live_start_is_refused_by_what_the_doctor_finds(tmp_path: Path, venue: Exchange) -> None:
    """The same looks, the same words; nothing was begun, and nothing of the account has changed."""
    env = live_environment(tmp_path, venue)
    venue.add_faults(SHUT)
    done = run("doctor", *LIVE, "--json", env=env)
    assert done.returncode == 3 and checks(done)["geoblock"]["level"] == "fail"
    start = run(*LIVE, "--no-ui", "--json", env=env)
    assert start.returncode == 3 and "Traceback" not in start.stderr
    assert "not started: geoblock: the venue takes no orders from US, NY" in start.stderr.splitlines()[-1]
    assert last_json(start.stdout)["exit_reason"].startswith("not started:")
    assert not database(env, "live").exists() and venue.open_orders() == []


def test_beside_a_session_it_names_it_and_disturbs_nothing(tmp_path: Path, venue: Exchange) -> None:
    """Another one could not be started: code 4. The one that runs goes on to its own end."""
    env = live_environment(tmp_path, venue)
    with started(*LIVE, "--no-ui", "--json", env=env) as process:
        wait_for_orders(database(env, "live"))
        done = run("doctor", *LIVE, "--json", env=env)
        process.terminate()
        process.communicate(timeout=30)
    found = checks(done)
    assert done.returncode == 4 and found["instance"]["level"] == "fail"
    assert found["files"]["level"] == "ok" and found["credentials"]["level"] == "ok"
    assert process.returncode == 0


def test_a_wallet_in_use_elsewhere_is_named(tmp_path: Path, venue: Exchange) -> None:
    """Its lease is the user's, whatever directory the other session has."""
    env = live_environment(tmp_path, venue)
    lease = tmp_path / ".local" / "state" / "polymm-tui" / "wallets" / f"{env['BROWSER_ADDRESS'].lower()}.lock"
    lease.parent.mkdir(parents=True)
    lease.write_text("polymm-tui, process 7, in /elsewhere,")
    handle = os.open(lease, os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    done = run("doctor", *LIVE, "--json", env=env)
    os.close(handle)
    assert done.returncode == 4 and "process 7, in /elsewhere" in str(checks(done)["instance"]["cause"])


def test_a_file_that_others_can_read_refuses_a_start(tmp_path: Path, venue: Exchange) -> None:
    """reliability.md 5, 2: the file and the remedy are named."""
    env = live_environment(tmp_path, venue)
    directory = database(env, "live").parent
    directory.mkdir(parents=True, mode=0o700)
    (directory / "kill.credentials").touch(mode=0o644)
    start = run(*LIVE, "--no-ui", env=env)
    last = start.stderr.splitlines()[-1]
    assert start.returncode == 3 and "kill.credentials is open to others (mode 644)" in last and "chmod 600" in last


def test_environment_proxies_are_ignored_and_told(tmp_path: Path, venue: Exchange) -> None:
    """Nothing listens at the proxy: whatever would go through it would fail."""
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"), "http://127.0.0.1:9")
    done = run("doctor", *LIVE, "--json", env=live_environment(tmp_path, venue, **proxies))
    assert done.returncode == 0, done.stdout
    assert "http_proxy" in str(checks(done)["environment"]["cause"])


def test_no_secret_leaves_it(tmp_path: Path, venue: Exchange) -> None:
    """Neither the key nor a part of it, on stdout, stderr or in JSON, when all is well and when much is not."""
    env = live_environment(tmp_path, venue, RELAYER_API_KEY="canary-relayer-key", POLYMM_MARKETS="")
    env["RELAYER_API_KEY_ADDRESS"] = env["BROWSER_ADDRESS"]
    shown = ""
    for faults in ("", SHUT, '[[fault]]\ndo = "http"\nrequest = "* /*"\nstatus = 500\nfor = 1000\n'):
        if faults:
            venue.add_faults(faults)
        for form in ((), ("--json",)):
            done = run("doctor", *LIVE, *form, env=env)
            shown += done.stdout + done.stderr
    raw = CANARY_KEY.removeprefix("0x")
    for secret in (raw, raw.upper(), raw[4:40], "canary-relayer-key"):
        assert secret not in shown
