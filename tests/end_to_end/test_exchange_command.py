"""``polymm-tui exchange`` as a program: one line when ready, a key and money that work, ordered ends, refusals."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.exchange.auth import l2_signature
from tests.end_to_end.program import PROGRAM, ROOT, run, started
from tests.loopback.sheets_client import client_of

PATIENCE_S = 20


@contextmanager
def running(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    """The command without a standard input, and what its line says."""
    with started("exchange", *arguments, env=dict(os.environ)) as process:
        assert process.stdout
        yield process, json.loads(process.stdout.readline())


def refusal(*arguments: str) -> str:
    """What it says when it does not start."""
    done = run(*arguments, env=dict(os.environ))
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_says_one_line_serves_and_ends_in_order_on_a_signal(number: signal.Signals) -> None:
    """Without a standard input it does not end by itself, as the demo's child does."""
    with running("--markets", "2", "--seed", "4") as (process, told):
        assert httpx.get(told["clob_url"] + "/ok").json() == "OK"
        assert told["clob_url"].startswith("http://127.0.0.1:") and told["chain_id"] == 137
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 0
        assert process.stdout and process.stderr
        assert process.stdout.read() == "" and process.stderr.read() == ""


def test_the_line_is_all_a_client_needs() -> None:
    """The credentials open private routes, every wallet finds its money, and the key is the address's."""
    from eth_account import Account

    with running("--markets", "1", "--cash", "123") as (_, told):
        assert Account.from_key(told["private_key"]).address == told["address"] == told["wallets"]["eoa"]
        keys = told["credentials"]
        for kind in range(4):
            stamp = str(int(time.time()))
            signature = l2_signature(keys["secret"], stamp, "GET", "/balance-allowance", b"")
            headers = {
                "POLY_ADDRESS": told["address"], "POLY_API_KEY": keys["apiKey"], "POLY_PASSPHRASE": keys["passphrase"],
                "POLY_TIMESTAMP": stamp, "POLY_SIGNATURE": signature,
            }  # fmt: skip
            asked = {"asset_type": "COLLATERAL", "signature_type": str(kind)}
            answer = httpx.get(told["clob_url"] + "/balance-allowance", params=asked, headers=headers)
            assert answer.json()["balance"] == "123000000"


def test_the_key_follows_from_the_seed_alone() -> None:
    lines = []
    for seed in ("4", "4", "5"):
        with running("--markets", "1", "--seed", seed) as (_, told):
            lines.append({name: told[name] for name in ("private_key", "wallets", "credentials")})
    assert lines[0] == lines[1] != lines[2]


def test_the_sheet_can_be_read_with_the_line_and_the_key_file_alone(tmp_path: Path) -> None:
    """As an operator practises: address, spreadsheet and key file are all that any client of Google Sheets needs."""
    path = tmp_path / "account.json"
    for _ in range(2):
        with running("--markets", "3", "--service-account", str(path)) as (_, told):
            assert path.stat().st_mode & 0o777 == 0o600
            client = client_of(told["sheets_url"], json.loads(path.read_text()))
            values = client.open_by_url(told["spreadsheet"]).worksheet("Selected Markets").get_all_values()
            assert len(values) == 4 and values[0][0] == "market_id"
            assert httpx.get(told["geoblock_url"]).json()["blocked"] is False


def test_a_file_that_no_exchange_wrote_is_left_alone(tmp_path: Path) -> None:
    """Whoever names the key of a real account by mistake keeps it."""
    path = tmp_path / "google.json"
    for text in ('{"type": "service_account", "client_email": "me@real.iam.gserviceaccount.com"}', "hi", "[1]"):
        path.write_text(text)
        assert "left alone" in refusal("exchange", "--service-account", str(path))
        assert path.read_text() == text
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert "cannot be written" in refusal("exchange", "--service-account", str(tmp_path / "link"))
    assert "cannot be written" in refusal("exchange", "--service-account", str(tmp_path / "no" / "a.json"))


def test_it_listens_on_loopback_only() -> None:
    assert "loopback" in refusal("exchange", "--host", "0.0.0.0")
    assert "loopback" in refusal("exchange", "--host", "10.0.0.1")
    assert "not an address" in refusal("exchange", "--host", "example.org")
    with running("--markets", "1", "--host", "localhost") as (_, told):
        assert told["clob_url"].startswith("http://127.0.0.1:")


@pytest.mark.parametrize("stdout", ["/dev/full", "closed"])
def test_a_line_nobody_can_read_ends_it_with_one_sentence(stdout: str) -> None:
    where = ">&-" if stdout == "closed" else f"> {stdout}"
    command = f"{' '.join(PROGRAM)} exchange --markets 1 {where}"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S)
    assert done.returncode == 3 and len(done.stderr.splitlines()) == 1 and "stdout" in done.stderr


def test_an_interrupt_while_it_starts_ends_it() -> None:
    """At whatever moment: by the signal before it serves, in order afterwards; never ignored."""
    for wait_s in (0.0, 0.05, 0.1, 0.2, 0.3):
        with started("exchange", "--markets", "1", env=dict(os.environ)) as process:
            assert process.stderr
            try:
                process.wait(wait_s)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
            code, told = process.wait(PATIENCE_S), process.stderr.read()
            of_python = code == 1 and "Fatal Python error: init_" in told  # before any line of ours
            assert of_python or code in (0, -signal.SIGINT, 130), told


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert port in refusal("exchange", "--port", port)
    assert "70000" in refusal("exchange", "--port", "70000")


def test_flags_that_would_be_ignored_are_refused() -> None:
    assert "--mode" in refusal("--mode", "paper", "exchange")
    assert "--no-ui" in refusal("--no-ui", "exchange")
    assert "--recording" in refusal("exchange", "--gamma", "markets.json")
    assert "--script" in refusal("exchange", "--recording", "session.jsonl", "--script", "faults.toml")
    assert "--seed, --markets" in refusal("exchange", "--recording", "session.jsonl", "--seed", "7", "--markets", "2")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("faults.toml", '[[fault]]\nat = 1\ndo = "freeze"\nseconds = 4\n', ["faults.toml:4:", "seconds"]),
        ("faults.toml", '[[fault]]\nat = 1\ndo = "frieze"\n', ["faults.toml:3:", "freeze"]),
        ("faults.py", "def script(faults):\n    faults.add('freeze', at=-1)\n", ["faults.py:2:", "at:"]),
    ],
)
def test_a_malformed_script_names_line_and_key_and_nothing_starts(
    tmp_path: Path, name: str, text: str, told: list[str]
) -> None:
    path = tmp_path / name
    path.write_text(text)
    said = refusal("exchange", "--script", str(path))
    assert all(part in said for part in told), said


def test_what_a_script_prints_does_not_spoil_the_line(tmp_path: Path) -> None:
    path = tmp_path / "faults.py"
    path.write_text("print('loading')\ndef script(faults):\n    print('arming')\n    faults.add('drop', at=9)\n")
    with running("--markets", "1", "--script", str(path)) as (process, told):
        assert told["chain_id"] == 137
        process.terminate()
        assert process.stderr and process.stderr.read() == "loading\narming\n"


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        ("--speed", "1e9", "1,000"),
        ("--speed", "nan", "1,000"),
        ("--cash", "0", "0.01"),
        ("--markets", "64", "63"),
        ("--port", "x", "65535"),
        ("--profile", "loud", "busy"),
        ("--seed", "x", "seed"),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_the_bounds(flag: str, value: str, told: str) -> None:
    said = refusal("exchange", flag, value)
    assert flag in said and told in said


def test_a_script_acts_in_the_process(tmp_path: Path) -> None:
    """The request it waits for meets it; the next does not."""
    path = tmp_path / "faults.toml"
    path.write_text('[[fault]]\ndo = "http"\non = "request:GET /time"\nstatus = 502\nbody = "html"\n')
    with running("--markets", "1", "--script", str(path)) as (_, told):
        answers = [httpx.get(told["clob_url"] + "/time") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [502, 200]
        assert "<html" in answers[0].text
