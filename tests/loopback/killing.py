"""An exchange in a process of its own with orders of ours, a directory with a switch, and watchdogs to let loose."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx

from core.children import child_environment
from core.clock import SystemClock
from core.exchange import signing
from core.exchange.auth import Credentials
from core.kill import stored
from core.kill.stored import KillCredentials
from core.kill.switch import KillSwitch
from core.kill.watchdog import READY
from core.venue.credentials import ApiCredentials, Secret
from tests.loopback.test_exchange_process import started
from tests.loopback.venue import Trader, Venue

PATIENCE_S = 20.0
CLOCK = SystemClock()


def until(holds: Callable[[], Any], patience_s: float = PATIENCE_S) -> float:
    """Wait for something, looking often; returns how long it took."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < patience_s, "it did not come"
        time.sleep(0.002)
    return time.monotonic() - begun


def kill_credentials(clob_url: str, keys: Credentials) -> KillCredentials:
    """What a session would keep of an account of the exchange room."""
    api = ApiCredentials(Secret(keys.api_key), Secret(keys.secret), Secret(keys.passphrase))
    return KillCredentials(clob_url=clob_url, address=keys.address, api=api)


class Account:
    """The account that an exchange process hands out, and what it has there."""

    def __init__(self, urls: dict[str, Any]) -> None:
        self.url: str = urls["clob_url"]
        told = urls["credentials"]
        self.keys = Credentials(told["apiKey"], told["secret"], told["passphrase"], urls["address"].lower(), 0)
        self.credentials = kill_credentials(self.url, self.keys)
        self._private_key: str = urls["private_key"]
        self._market = httpx.get(urls["gamma_url"] + "/markets").json()[0]

    def place(self, number: int) -> None:
        """Let so many bids rest."""
        asyncio.run(self._place(number))

    async def _place(self, number: int) -> None:
        token = json.loads(self._market["clobTokenIds"])[0]
        domain = signing.domain_of(token, neg_risk=self._market["negRisk"])
        async with httpx.AsyncClient() as http:
            exchange = SimpleNamespace(now_ms=int(time.time() * 1000), by_token={})
            venue = SimpleNamespace(exchange=exchange, http=http, urls={"clob_url": self.url})
            trader = Trader(cast(Venue, venue), self.keys, self._private_key)
            for _ in range(number):
                order = trader.order(token, 100_000, 10_000_000, domain=domain)
                answer = await trader.send("POST", "/order", trader.body(order))
                assert answer.status_code == 200 and not answer.json()["errorMsg"], answer.text

    def open_orders(self) -> int:
        """How many the exchange itself says are open."""
        ledger = httpx.get(self.url + "/_exchange/ledger?accounts=outside").json()
        return sum(order["status"] == "LIVE" for order in ledger["orders"])


@contextmanager
def account_running(orders: int, *arguments: str) -> Iterator[Account]:
    """An exchange process with so many open orders of one account."""
    with started("--paused", "--markets", "1", *arguments) as (_, urls):
        account = Account(urls)
        account.place(orders)
        yield account


class Watched:
    """A watchdog on its directory, with this process in the session's place."""

    def __init__(self, directory: Path, credentials: KillCredentials, first_word: bytes) -> None:
        self.switch = KillSwitch.open(directory, CLOCK)
        self.switch.page.beat_session(CLOCK.monotonic())
        stored.store(directory, credentials)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "core.kill", str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment(),
            start_new_session=True,
        )
        assert self.process.stdin and self.process.stdout and self.process.stderr
        self.stdin, self.stdout, self.stderr = self.process.stdin, self.process.stdout, self.process.stderr
        self.stdin.write(stored.encode(credentials))
        self.stdin.flush()
        assert self.stdout.readline() == first_word
        self._said = b"", b""

    def beat(self) -> None:
        self.switch.page.beat_session(CLOCK.monotonic())

    def verified(self) -> bool:
        report = self.switch.report
        return report is not None and report.verified

    def end(self) -> tuple[int, bytes, bytes]:
        """Kill it if it still runs; its status and all it has said."""
        if self.process.poll() is None:
            self.process.kill()
        if not self.stdin.closed:
            self.stdin.close()
        status = self.process.wait(PATIENCE_S)
        if not self.stdout.closed:
            self._said = self.stdout.read(), self.stderr.read()
            self.stdout.close()
            self.stderr.close()
            self.switch.close()
        return status, *self._said


@contextmanager
def watched(directory: Path, credentials: KillCredentials, first_word: bytes = READY) -> Iterator[Watched]:
    """A watchdog that runs, and whose first word was this one."""
    directory.chmod(0o700)
    watching = Watched(directory, credentials, first_word)
    try:
        yield watching
    finally:
        watching.end()
