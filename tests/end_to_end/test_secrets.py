"""A canary: its key, API secret and passphrase are looked for in everything that leaves the program."""

import base64
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from core.clock import SystemClock
from core.config import Settings
from core.exchange.auth import KeyRing
from core.kill import stored
from core.venue.credentials import Secret, Wallet
from core.venue.gateway_polymarket import PolymarketGateway
from tests.end_to_end.program import (
    CANARY_KEY,
    PATIENCE_S,
    ROOT,
    Exchange,
    address_of,
    database,
    exchange,
    last_json,
    live_environment,
    run,
    started,
    wait_for_orders,
)
from tests.end_to_end.terminal import terminal

SEED = 13
LIVE = ("--mode", "live")
RAW = CANARY_KEY.removeprefix("0x")


@pytest.fixture(scope="module")
def venue() -> Iterator[Exchange]:
    """An exchange whose API secrets follow from its seed, so that they can be looked for."""
    with exchange("--seed", str(SEED), "--markets", "2") as running:
        yield running


def canaries() -> list[bytes]:
    """Every spelling of every secret."""
    api = KeyRing(SEED).create(address_of(CANARY_KEY), 0)
    assert api is not None
    raw = bytes.fromhex(RAW)
    texts = [RAW, RAW.upper(), str(int.from_bytes(raw)), repr(raw)[2:-1], api.secret, api.passphrase]
    texts += [base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), api.secret.rstrip("=")]
    texts += [base64.b64encode(text.encode()).decode().rstrip("=") for text in (CANARY_KEY, RAW)]
    return [text.encode() for text in texts] + [raw]


def assert_clean(what: str, content: bytes) -> None:
    """No canary in it; a failure does not print it either."""
    found = [number for number, canary in enumerate(canaries()) if canary in content]
    assert not found, f"{what} holds spelling {found} of a secret"


def assert_files_clean(home: Path, *, was_begun: bool = True) -> None:
    """Every file below a directory, the database of a session that was begun with its logs included.

    One may hold the API credentials, and not the key: what a kill without a session cancels with. Nobody else reads it.
    """
    files = [path for path in home.rglob("*") if path.is_file()]
    assert any(path.name == "mm_state.db" for path in files) == was_begun
    for path in files:
        content = path.read_bytes()
        if path.name == stored.NAME:
            assert path.stat().st_mode & 0o077 == 0
            api = stored.decode(content).api
            for secret in (api.secret.reveal(), api.passphrase.reveal()):
                content = content.replace(secret.encode(), b"")
        assert_clean(str(path), content)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


async def test_the_canaries_are_the_real_ones(venue: Exchange) -> None:
    """If the exchange made other secrets than the ones looked for, the other tests would prove nothing."""
    urls = {name: url for name, url in venue.urls.items() if name.endswith("_url")}
    wallet = Wallet(Secret(CANARY_KEY), address_of(CANARY_KEY))
    gateway = PolymarketGateway(Settings(mode="live", **urls), wallet, SystemClock(), lambda sign: None)
    await gateway.open()
    held = gateway.credentials
    await gateway.close()
    assert {held.secret.reveal().encode(), held.passphrase.reveal().encode()} <= set(canaries())


def test_a_normal_run_shows_nothing(tmp_path: Path, venue: Exchange) -> None:
    """Output, report, log, database with journal, and the metrics page while it trades."""
    port = free_port()
    env = live_environment(tmp_path, venue, METRICS_PORT=str(port))
    with started(*LIVE, "--no-ui", "--json", env=env) as process:
        wait_for_orders(database(env, "live"))
        page = httpx.get(f"http://127.0.0.1:{port}/metrics")
        assert "mm_open_orders" in page.text
        assert_clean("metrics", page.content)
        assert_files_clean(tmp_path)
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0 and last_json(out)["orders_placed"] > 0
    assert_clean("output", (out + err).encode())
    assert_files_clean(tmp_path)


def test_an_engine_that_dies_with_the_key_on_its_lips_shows_nothing(tmp_path: Path, venue: Exchange) -> None:
    """The worst place for a secret is the text of an exception: traceback, event log, journal, last line."""
    env = live_environment(tmp_path, venue, PYTHONPATH=str(ROOT))
    script = str(Path(__file__).with_name("fail_with_the_key.py"))
    done = subprocess.run(
        [sys.executable, script, *LIVE, "--no-ui", "--json"], cwd=ROOT, env=env, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 15, done.stderr
    assert "cannot sign with ***" in done.stderr and "Traceback" in done.stderr
    assert "zero open orders verified" in done.stderr.splitlines()[-1]
    assert_clean("output", (done.stdout + done.stderr).encode())
    assert_files_clean(tmp_path)
    assert venue.open_orders(address_of(CANARY_KEY)) == []


@pytest.mark.parametrize("script", ["crash_a_widget.py", "fail_with_the_key.py"])
def test_a_crash_in_a_terminal_shows_nothing(tmp_path: Path, venue: Exchange, script: str) -> None:
    """Textual's report of a crash prints local variables; and the event log shows an engine's last words."""
    env = live_environment(tmp_path, venue)
    with terminal(tmp_path, env, *LIVE, "--json", program=str(Path(__file__).with_name(script))) as shown:
        assert shown.wait_exit() == 15
        assert_clean("screen", shown.screen().replace("\n", "").encode())
    sent = (tmp_path / "raw").read_bytes()
    assert len(sent) > 1000
    assert_clean("bytes sent to the terminal", sent)
    assert_files_clean(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [RAW[:-1], RAW + "0", "0x" + RAW + "\n" + RAW, base64.b64encode(bytes.fromhex(RAW)).decode(), "0x0x" + RAW[2:]],
    ids=["short", "long", "two lines", "base64", "double prefix"],
)
def test_a_key_that_is_none_is_refused_without_being_shown(tmp_path: Path, venue: Exchange, wrong: str) -> None:
    """A slip of the clipboard must not end up in a log; and it ends with its own exit code."""
    env = {**live_environment(tmp_path, venue), "PK": wrong}
    done = run(*LIVE, "--no-ui", "--json", env=env)
    assert done.returncode == 13 and "PK" in done.stderr.splitlines()[-1]
    assert_clean("output", (done.stdout + done.stderr).encode())
    for part in (RAW[4:40], RAW[2:30]):
        assert part not in done.stderr + done.stdout
    assert_files_clean(tmp_path, was_begun=False)


def test_refused_credentials_end_with_their_own_code(tmp_path: Path, venue: Exchange) -> None:
    """The venue knows the key no more: said in one line, without the key, nothing traded."""
    with refusing() as url:
        env = {**live_environment(tmp_path, venue), "POLYMM_CLOB_URL": url}
        done = run(*LIVE, "--no-ui", "--json", env=env)
    assert done.returncode == 13, done.stderr
    assert "credentials" in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
    told = last_json(done.stdout)
    assert told["exit_reason"].startswith("not started: the venue refuses the API credentials")
    assert next(check["name"] for check in told["checks"] if check["level"] == "fail") == "credentials"
    assert_clean("output", (done.stdout + done.stderr).encode())
    assert_files_clean(tmp_path, was_begun=False)


@contextmanager
def refusing() -> Iterator[str]:
    """A venue that refuses whatever is asked with credentials, and repeats what it was told."""
    public = {"/ok": "OK", "/version": {"version": 2}}

    class Refuse(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = public | {"/time": int(time.time())}
            refusal = {"error": "Unauthorized/Invalid api key", "you": dict(self.headers)}
            body = json.dumps(known.get(self.path, refusal)).encode()
            self.send_response(200 if self.path in known else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_DELETE = do_GET

        def log_message(self, *arguments: object) -> None:
            """Keep quiet."""

    server = HTTPServer(("127.0.0.1", 0), Refuse)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
