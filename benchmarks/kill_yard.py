"""A whole session with its watchdog, quoting at an exchange in another process that tells everything it is sent.

Between session and exchange stands a relay that notes when each request's first bytes come, on the clock that all
processes of a machine share. The session runs on a thread of its own, as in the program; this process plays its main
thread.
"""

import asyncio
import hashlib
import logging
import math
import multiprocessing
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

from core.clock import SystemClock
from core.config import Settings
from core.events import OperatorCommand
from core.exchange.api.server import RunningExchange, build_host
from core.exchange.faults.script import read_toml
from core.exchange.signing import address_of_key
from core.kill.switch import KillSwitch
from core.runtime.compose import composer
from core.runtime.host import SessionHost
from core.runtime.logs import Redactor
from core.runtime.places import Places
from core.runtime.session import Session
from core.units import MICRO, Usd
from core.venue.wallets import wallets_of

KEY: Final = hashlib.sha256(b"kill yard").hexdigest()
ADDRESS: Final = wallets_of(address_of_key(bytes.fromhex(KEY)), 0)[0]
CASH: Final = Usd(5_000 * MICRO)
PATIENCE_SEC: Final = 30.0
LOOK_SEC: Final = 0.002
_fork: Final = multiprocessing.get_context("fork")
_now: Final = SystemClock().monotonic
Result = TypeVar("Result")


class Request(NamedTuple):
    """What came from the session or its watchdog."""

    at_s: float
    """When its first bytes were there, seconds of the shared clock."""
    what: str
    """Method and path."""

    @property
    def places(self) -> bool:
        """It creates orders."""
        return self.what in ("POST /order", "POST /orders")

    @property
    def cancels(self) -> bool:
        """It cancels orders."""
        return self.what.startswith("DELETE ")


def until(holds: Callable[[], object], what: str, patience_s: float = PATIENCE_SEC) -> float:
    """Wait for something, looking often; returns how long it took, seconds.

    Raises:
        TimeoutError: it did not come.
    """
    begun = _now()
    while not holds():
        if _now() - begun > patience_s:
            raise TimeoutError(what)
        time.sleep(LOOK_SEC)
    return _now() - begun


class Venue:
    """The exchange beside."""

    def __init__(self, line: Connection, tap: Connection, urls: dict[str, Any]) -> None:
        self.urls = urls
        self._line = line
        self._tap = tap

    def wire(self, since_s: float) -> list[Request]:
        """What came since a moment, oldest first."""
        self._tap.send("wire")
        return [request for request in self._tap.recv() if request.at_s >= since_s]

    def open_orders(self) -> int:
        """Orders of ours that are in the book or may still get there."""
        count: int = self._ask("open")
        return count

    def arm(self, fault: str) -> None:
        """Let something go wrong from now on, in the words of a script (docs/exchange-scripts.md)."""
        self._ask("arm", f"[[fault]]\n{fault}\n")

    def _ask(self, *question: str) -> Any:
        self._line.send(question)
        return self._line.recv()


@contextmanager
def venue_beside(markets: int = 2, profile: str = "busy") -> Iterator[Venue]:
    """An exchange with a crowd, in a process of its own; begin it before any thread."""
    with _child(_serve, markets, profile) as line:
        urls = line.recv()
        with _child(_relay, urls["clob_url"]) as tap:
            yield Venue(line, tap, {**urls, "clob_url": tap.recv()})


@contextmanager
def _child(work: Callable[..., None], *arguments: Any) -> Iterator[Connection]:
    """A process that answers over a line."""
    line, theirs = _fork.Pipe()
    process = _fork.Process(target=work, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        yield line
    finally:
        process.kill()
        process.join()


class Yard:
    """A session at a venue; it begins with :meth:`start`."""

    def __init__(self, root: Path, venue: Venue, **settings: Any) -> None:
        self.venue = venue
        self.places = Places(root, "live")
        self.places.claim()
        self.switch = KillSwitch.open(self.places.directory, SystemClock())
        self.latched_s = 0.0
        """When a pull in this process last had its latch on the disk; 0 before."""
        self._pull, self.switch.pull = self.switch.pull, self._timed_pull  # type: ignore[method-assign]
        chosen: dict[str, Any] = {
            "mode": "live", "metrics_port": 0, "min_liquidity": 0.0, "min_weekly_volume": 0.0, "min_trend": 0.0,
            "mm_score_min": 0.0, "quote_debounce_ms": 50, "repeat_fills": 0, "markout_stop_ticks": 0.0,
            "streak_fills": 0, "daily_loss_limit_pct": 100.0, "loss_kill_pct": 0.0, "drawdown_limit_pct": 0.0,
        }  # fmt: skip
        self._settings = {**chosen, **venue.urls, **settings}
        self._root = root
        self.session: Session
        self.host: SessionHost

    def start(self) -> None:
        """Begin, and wait until quotes rest."""
        self.begin()
        self.until_quoting()

    def begin(self) -> None:
        """Begin, and wait until the session has its loop."""
        painted = threading.Event()
        painted.set()
        environment = {"PK": KEY, "BROWSER_ADDRESS": ADDRESS, "XDG_STATE_HOME": str(self._root / "home")}
        markets = tuple(self._settings.pop("markets", ()))
        ready = threading.Event()

        def make() -> Session:
            settings = Settings(**{**self._settings, "markets": markets})
            compose = composer(environment, painted)
            self.session = Session(
                settings, self.places, SystemClock(), Redactor(), compose, "0", lambda: 0.0, None, self.switch,
                guarded=True,
            )  # fmt: skip
            ready.set()
            return self.session

        self.host = SessionHost(make, self.switch)
        self.host.start()
        ready.wait(PATIENCE_SEC)

    def end(self) -> None:
        """The ordered end, and nothing stays."""
        self.host.stop("quit")
        self.host.wait(PATIENCE_SEC)
        self.places.release()

    def call(self, act: Callable[[], Result]) -> Result:
        """Do something on the session's loop; returns what it gives."""
        done: list[Result] = []
        said = threading.Event()

        def there() -> None:
            done.append(act())
            said.set()

        self.later(there)
        said.wait(PATIENCE_SEC)
        return done[0]

    def later(self, act: Callable[[], object]) -> None:
        """Have something done on the session's loop, without waiting for it."""
        assert self.host._loop is not None
        self.host._loop.call_soon_threadsafe(act)

    def until_quoting(self) -> None:
        """Wait until orders of ours rest."""
        until(lambda: self.host.ended or self.venue.open_orders() >= 2, f"no quotes: {self.why()}")
        if self.host.ended:
            raise TimeoutError(f"the session has ended: {self.host.outcome().sentence}")

    def why(self) -> str:
        """What the console would show of markets that are not quoted."""
        view = self.session.view
        return "" if view is None else ", ".join(market.blocked_by for market in view.markets)

    def until_zero(self, patience_s: float = PATIENCE_SEC) -> float:
        """Wait until the killer has verified that nothing is open; returns how long that took."""

        def is_verified() -> bool:
            report = self.switch.report
            return report is not None and report.verified

        return until(is_verified, f"zero was not verified: {self.switch.report}", patience_s)

    def rearm(self) -> None:
        """Re-arm as an operator does, as soon as the conditions hold."""
        command = OperatorCommand(act="rearm", reason="the next run")
        told = self.call(lambda: self.session.command(command))
        until_s = _now() + PATIENCE_SEC
        while not told.done:
            if _now() > until_s:
                raise TimeoutError(f"not re-armed: {told.text}")
            time.sleep(0.05)
            told = self.call(lambda: self.session.command(command))

    def _timed_pull(self, by: str, reason: str) -> bool:
        done = self._pull(by, reason)
        if done:
            self.latched_s = _now()
        return done


# Other processes of the machine


class Helper:
    """A process that pulls the switch of a directory, or holds its database locked, when it is told to."""

    def __init__(self, directory: Path, database: Path) -> None:
        self._line, theirs = _fork.Pipe()
        self._process = _fork.Process(target=_help, args=(theirs, directory, database), daemon=True)
        self._process.start()
        theirs.close()
        self._line.recv()

    def pull(self) -> None:
        """Begin to pull; :meth:`answer` tells when it was done."""
        self._line.send("pull")

    def lock(self) -> None:
        """Lock the database until :meth:`unlock`."""
        self._line.send("lock")
        self.answer()

    def unlock(self) -> None:
        """Let go of the database."""
        self._line.send("unlock")
        self.answer()

    def answer(self) -> float:
        """When the last request was carried out, seconds of the shared clock."""
        at_s: float = self._line.recv()
        return at_s

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


def _help(line: Connection, directory: Path, database: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    switch = KillSwitch.open(directory, SystemClock())
    db: sqlite3.Connection | None = None
    line.send(_now())
    while True:
        match line.recv():
            case "pull":
                switch.pull("shell", "asked for")
            case "lock":
                db = sqlite3.connect(database, isolation_level=None, timeout=30.0)
                db.execute("BEGIN IMMEDIATE")
            case "unlock" if db is not None:
                db.close()
        line.send(_now())


# The venue


def _serve(line: Connection, markets: int, profile: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable()  # requests that a kill cuts short are what is to be seen here
    asyncio.run(_serve_for_ever(line, markets, profile))


async def _serve_for_ever(line: Connection, markets: int, profile: Any) -> None:
    host = build_host(seed=1, markets=markets, auto_cash=CASH, profile=profile, clock=SystemClock())
    host.intake.limits.tier_of[ADDRESS.lower()] = "Elite"

    def open_orders() -> int:  # the crowd has no API keys
        orders = host.exchange.engine.orders.values()
        return sum(order.status in ("LIVE", "DELAYED") and order.new.owner != "" for order in orders)

    def answer() -> None:
        match line.recv():
            case ("open",):
                line.send(open_orders())
            case ("arm", fault):
                host.director.arm(read_toml(fault, "yard", at_once=True), from_now=True)
                host.catch_up()
                line.send(None)

    async with RunningExchange(host) as running:
        urls = {name: url for name, url in running.urls.items() if isinstance(url, str)}
        line.send({**urls, "markets": tuple(host.exchange.listings)})
        asyncio.get_running_loop().add_reader(line.fileno(), answer)
        await running.wait()


def _relay(line: Connection, upstream: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_relay_for_ever(line, upstream))


async def _relay_for_ever(line: Connection, upstream: str) -> None:
    """A process of its own, which has nothing else to do, so that its times are true."""
    wire: list[Request] = []
    clob, loop = urlsplit(upstream), asyncio.get_running_loop()

    def answer() -> None:
        line.recv()
        line.send(wire)

    relay = await loop.create_server(lambda: _Relay(str(clob.hostname), int(clob.port or 0), wire), "127.0.0.1", 0)
    line.send(f"http://127.0.0.1:{relay.sockets[0].getsockname()[1]}")
    loop.add_reader(line.fileno(), answer)
    await relay.serve_forever()


class _Relay(asyncio.Protocol):
    """Passes a connection on, and notes when the bytes of a request came."""

    def __init__(self, host: str, port: int, wire: list[Request]) -> None:
        self._host, self._port, self._wire = host, port, wire
        self._down: asyncio.Transport
        self._up: asyncio.Transport | None = None
        self._kept = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._down = transport
        self._opening = asyncio.create_task(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        self._up, _ = await loop.create_connection(lambda: _Upstream(self._down), self._host, self._port)
        self._up.write(self._kept)

    def data_received(self, data: bytes) -> None:
        if data.startswith((b"POST ", b"DELETE ", b"GET ")):
            words = data.split(b" ", 2)
            self._wire.append(Request(_now(), f"{words[0].decode()} {words[1].decode()}"))
        if self._up is None:
            self._kept += data
        else:
            self._up.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._up is not None:
            self._up.close()


class _Upstream(asyncio.Protocol):
    """The exchange's side of a relayed connection."""

    def __init__(self, down: asyncio.Transport) -> None:
        self._down = down

    def data_received(self, data: bytes) -> None:
        self._down.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._down.close()


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that so large a share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]
