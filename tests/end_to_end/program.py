"""The real program and the real exchange as processes, and how to wait for what they do."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, "-m", "polymm_tui")
PATIENCE_S = 30.0
"""Longest wait for anything; only a failing test ever waits so long."""
CANARY_KEY = "0x" + "c0ffee11" * 8
"""A key that nobody may ever see again outside of the environment."""

Seen = TypeVar("Seen")


def environment(home: Path, **settings: str) -> dict[str, str]:
    """This process's environment without a developer's settings, everything kept under ``home``."""
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL", "TMPDIR")}
    places = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "POLYMM_STATE_DIR": str(home / "state")}
    return {**inherited, **places, "METRICS_PORT": "0", "TERM": "xterm-256color", **settings}


def run(*arguments: str, env: dict[str, str], **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run the program to its end."""
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, **options}
    return subprocess.run(
        [*PROGRAM, *arguments], cwd=ROOT, env=env, text=True, timeout=PATIENCE_S, check=False, **options
    )


@contextmanager
def started(*arguments: str, env: dict[str, str], **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """The program running; killed at the end if a test left it alive."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    process = subprocess.Popen([*PROGRAM, *arguments], cwd=ROOT, env=env, text=True, **options)
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def wait_for(condition: Callable[[], Seen], what: str, patience_s: float = PATIENCE_S) -> Seen:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + patience_s
    while not (seen := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)
    return seen


def database(env: dict[str, str], mode: str = "demo") -> Path:
    """Where a run keeps its database."""
    return Path(env["POLYMM_STATE_DIR"]) / mode / "mm_state.db"


def rows(path: Path, query: str) -> list[dict[str, Any]]:
    """Rows of a database, also while the program writes to it; none while it has no tables yet."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as db:
        db.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in db.execute(query)]
        except sqlite3.OperationalError:
            return []


def wait_for_orders(path: Path, least: int = 4) -> None:
    """Until so many orders rest in the book."""
    query = "SELECT 1 FROM orders WHERE state = 'LIVE'"
    wait_for(lambda: len(rows(path, query)) >= least, f"{least} live orders in {path}")


def last_json(stdout: str) -> dict[str, Any]:
    """The object on the last line."""
    told = json.loads(stdout.splitlines()[-1])
    assert isinstance(told, dict)
    return told


class Exchange:
    """An exchange process and its ledger."""

    def __init__(self, process: "subprocess.Popen[str]", urls: dict[str, Any]) -> None:
        self.process = process
        self.urls = urls

    @property
    def settings(self) -> dict[str, str]:
        """Environment that points the program here."""
        return {f"POLYMM_{name.upper()}": url for name, url in self.urls.items() if name.endswith("_url")} | {
            "POLYGON_RPC_URL": self.urls["rpc_url"]
        }

    def markets(self) -> list[dict[str, Any]]:
        """Gamma's list."""
        listed: list[dict[str, Any]] = httpx.get(self.urls["gamma_url"] + "/markets").json()
        return listed

    def market_ids(self) -> list[str]:
        """Condition ids."""
        return [market["conditionId"] for market in self.markets()]

    def sheet(self) -> list[list[Any]]:
        """Rows of its market list, the header first."""
        [rows] = httpx.get(f"{self.urls['clob_url']}/_exchange/sheet").json()["tabs"].values()
        return list(rows)

    def ledger(self) -> dict[str, Any]:
        """Ground truth about everybody from outside."""
        answer = httpx.get(self.urls["clob_url"] + "/_exchange/ledger?accounts=outside")
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def open_orders(self, address: str = "") -> list[str]:
        """Orders from outside that rest now, of one account or of all."""
        accounts = self.ledger()["accounts"]
        return [order for one in accounts if address in ("", one["address"]) for order in one["open_orders"]]

    def admin(self, what: str, body: dict[str, Any]) -> Any:
        """One of the interventions."""
        answer = httpx.post(f"{self.urls['clob_url']}/_exchange/{what}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def add_faults(self, rules: str) -> None:
        """Let more go wrong from now on; TOML as in docs/exchange-scripts.md."""
        answer = httpx.post(f"{self.urls['clob_url']}/_exchange/faults", content=rules)
        assert answer.status_code == 200, answer.text

    def faults(self) -> dict[str, Any]:
        """Every rule, what is going on, and the log of when which rule did what."""
        told: dict[str, Any] = httpx.get(f"{self.urls['clob_url']}/_exchange/faults").json()
        return told


@contextmanager
def exchange(*arguments: str) -> Iterator[Exchange]:
    """An exchange that outlives the program under test."""
    process = subprocess.Popen(
        [sys.executable, "-m", "core.exchange", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    with process:
        try:
            yield Exchange(process, json.loads(process.stdout.readline()))
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def live_environment(home: Path, venue: Exchange, key: str = CANARY_KEY, **settings: str) -> dict[str, str]:
    """Live mode against a local exchange, confirmed, with the canary's key."""
    names = {"PK": key, "BROWSER_ADDRESS": address_of(key), "POLYMM_CONFIRM_LIVE": "yes"}
    return environment(home, **venue.settings, **names, **{"POLYMM_MARKETS": ",".join(venue.market_ids()), **settings})


def address_of(key: str) -> str:
    """The account of a key."""
    from eth_account import Account

    return str(Account.from_key(key).address)


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port
