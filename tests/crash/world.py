"""The exchange that outlives the session: a lively crowd, an account of ours, and the truth about it."""

import asyncio
import hashlib
import math
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

import msgspec

from core.exchange.api.host import Host
from core.exchange.api.server import RunningExchange
from core.exchange.crowd.participants import Population
from core.exchange.exchange import Exchange
from core.exchange.faults.script import read_toml
from core.exchange.orders import NewOrder, Order
from core.exchange.settlement import Delays
from core.exchange.signing import address_of_key
from core.units import MICRO, Outcome, Shares, Usd
from core.venue.wallets import wallets_of
from tests.crash.mortal import Job, Told
from tests.crash.quick import QuickClock

FACTOR = 4.0
"""How much faster than the machine's the time of exchange and session passes."""
CASH = Usd(5_000 * MICRO)
DELAYS = Delays(mined=(500, 4_000), confirmed=(500, 4_000))
TRADE_GAP_SEC = 0.4
"""Between two trades of strangers with us."""
PROJECT = Path(__file__).parents[2]
START = """
import sys, types
sys.path.insert(0, sys.argv[1])
tests = sys.modules["tests"] = types.ModuleType("tests")
tests.__path__ = [sys.argv[1] + "/tests"]
from tests.crash.nursery import main
main()
"""
"""A dependency installs a package named ``tests`` of its own, which would be found before ours."""

Key = tuple[str, str]
"""Trade and order."""


class World:
    """An exchange with an account of ours, and strangers who take our orders."""

    def __init__(self, seed: int, root: Path, *, markets: int = 2, paused: bool = False) -> None:
        self.clock = QuickClock(FACTOR, time.time(), time.monotonic())
        now_ms = int(self.clock.unix() * 1000)
        self.exchange = Exchange(seed=seed, markets=markets, now_ms=now_ms, auto_cash=CASH, delays=DELAYS)
        self.population = Population(self.exchange, profile="lively", paused=paused)
        self.host = Host(self.exchange, self.population, self.clock)
        self.running = RunningExchange(self.host)
        self.root = root
        self.database = root / "live" / "mm_state.db"
        self.key = hashlib.sha256(f"crash/{seed}".encode()).hexdigest()
        self.address = wallets_of(address_of_key(bytes.fromhex(self.key)), 0)[0]
        self.dice = random.Random(f"strangers/{seed}")
        self.unjournaled: list[str] = []
        """Orders that came in without a row in the journal."""
        self._watch_arrivals()

    def job(self, point: str = "", nth: int = 1, patience_s: float = 40.0, **settings: Any) -> Job:
        """A life of a session on this account."""
        clock = self.clock
        return Job(
            root=str(self.root),
            urls={name: url for name, url in self.running.urls.items() if isinstance(url, str)},
            markets=tuple(self.exchange.listings),
            key=self.key,
            address=self.address,
            factor=clock.factor,
            unix_s=clock.unix_s,
            origin_s=clock.origin_s,
            seed=1,
            point=point,
            nth=nth,
            patience_s=patience_s,
            settings=settings,
        )

    def arm(self, fault: str) -> None:
        """Let something go wrong from now on, in the words of a script."""
        self.host.director.arm(read_toml(f"[[fault]]\n{fault}\n", "test", at_once=True), from_now=True)
        self.host.catch_up()

    # The truth

    def holdings(self, known_unix_s: float = math.inf) -> dict[str, tuple[int, int]]:
        """Micro-shares of YES and of NO by market: settled ones, and what unsettled trades bring and take.

        Trades that failed after ``known_unix_s`` count as unsettled.
        """
        held = {market: {"YES": 0, "NO": 0} for market in self.exchange.listings}
        for (market, outcome), tokens in self.exchange.ledger.account(self.address).tokens.items():
            held[market][outcome] += tokens
        for trade in self.exchange.trades.values():
            is_news = trade.status == "FAILED" and trade.updated_ms > known_unix_s * 1000
            if trade.status in ("MATCHED", "RETRYING") or is_news:
                for move in trade.movements:
                    if move.account == self.address.lower():
                        held[trade.market][move.outcome] += move.tokens
        return {market: (each["YES"], each["NO"]) for market, each in held.items()}

    def open_orders(self) -> list[Order]:
        """Our orders in the book."""
        return self.exchange.engine.open_orders(self.address.lower())

    def fills(self, *, failed: bool) -> set[Key]:
        """Our parts of all trades, or of those that did not fail."""
        ours = self.address.lower()
        found: set[Key] = set()
        for trade in self.exchange.trades.values():
            if trade.status == "FAILED" and not failed:
                continue
            orders = [trade.taker, *(fill.order for fill in trade.fills)]
            found |= {(trade.trade_id, order.new.order_id) for order in orders if order.new.account == ours}
        return found

    def received(self) -> list[str]:
        """Ids of all orders that ever came in from us."""
        return [each.order_id for each in self.exchange.received]

    # Strangers

    @contextmanager
    def strangers(self) -> Iterator[None]:
        """People who trade with our orders, as long as the context lasts."""
        task = asyncio.create_task(self._trade_often())
        try:
            yield
        finally:
            task.cancel()

    async def _trade_often(self) -> None:
        while True:
            await asyncio.sleep(TRADE_GAP_SEC)
            self.trade_with_us()

    def trade_with_us(self) -> bool:
        """Somebody sells to one of our bids or buys from one of our asks, a part of it or all."""
        orders = self.open_orders()
        if not orders:
            return False
        order = self.dice.choice(orders)
        wanted = max(1, int(order.remaining / MICRO * self.dice.choice((0.25, 0.5, 1.0)))) * MICRO
        self._take(order, Shares(wanted))
        self.host.flush()
        return True

    def _take(self, order: Order, wanted: Shares) -> None:
        """Take so much of an order, and all that is before it in the queue."""
        new: NewOrder = order.new
        before, outcome = order.matched, new.outcome
        for _ in range(20):
            if order.status != "LIVE" or order.matched - before >= wanted:
                return
            side = "SELL" if new.side == "BUY" else "BUY"
            self._force(new.market, outcome, side, wanted)

    def _force(self, market: str, outcome: Outcome, side: Any, size: Shares) -> None:
        self.exchange.force_trade(market, outcome, side, size, self.host.now_ms())

    def _watch_arrivals(self) -> None:
        """Look into the journal at the moment when an order comes in: its intent must be there by then."""
        note = self.exchange.note_received

        def noted(owner: str, order_id: str, error: str, order: NewOrder | None = None) -> None:
            if order_id and not rows(self.database, "SELECT 1 FROM orders WHERE order_id = ?", order_id):
                self.unjournaled.append(order_id)
            note(owner, order_id, error, order)

        self.exchange.note_received = noted  # type: ignore[method-assign]


def rows(database: Path, query: str, *values: Any) -> list[Any]:
    """What a reader sees who is not the writer: committed rows only."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        return db.execute(query, values).fetchall()


class Nursery:
    """The process that lives are forked from."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, str(PROJECT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert "ready" in self._read()

    async def life(self, job: Job, on_told: Callable[[Told], None], on_born: Callable[[int], None]) -> int:
        """Let a session live until it ends; returns its exit status, negative when a signal ended it.

        ``on_told`` is called while the session stands still.
        """
        self._write(msgspec.json.encode(job))
        pid = int((await asyncio.to_thread(self._read))["pid"])
        try:
            on_born(pid)
            while "told" in (message := await asyncio.to_thread(self._read)):
                on_told(msgspec.convert(message["told"], Told))
                self._write(b"")
            return int(message["status"])
        except BaseException:
            kill(pid)
            while "status" not in self._read():
                """What it has told before its end is not of interest any more."""
            raise

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the nursery has died"
        return dict(msgspec.json.decode(line))

    def _write(self, line: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()


def kill(pid: int) -> None:
    """The end without a word; a process that has ended already is let be."""
    with suppress(ProcessLookupError):
        os.kill(pid, SIGKILL)


def ask_to_end(pid: int) -> None:
    """The ordered end."""
    with suppress(ProcessLookupError):
        os.kill(pid, SIGTERM)
