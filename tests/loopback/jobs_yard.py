"""One wallet's inventory operations at an exchange, on a clock that jumps, with a journal that outlives them."""

import asyncio
import hashlib
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from unittest.mock import patch

from core.clock import ManualClock
from core.config import Settings
from core.events import JobSeen, KnownJob
from core.exchange import auth as auth_module
from core.exchange.api import host as host_module
from core.exchange.api.host import Host
from core.exchange.api.server import RunningExchange
from core.exchange.crowd.participants import Population
from core.exchange.exchange import Exchange
from core.exchange.faults.script import read_toml
from core.exchange.lifecycle import price_of
from core.exchange.plots import PLOTS
from core.exchange.signing import address_of_key
from core.jobs.effects import Effect
from core.jobs.job import FINAL_STATES, Job, JobKind
from core.jobs.jobs import Jobs
from core.jobs.planning import Plan, Purse, Stock
from core.portfolio.books import Books
from core.runtime.operations import Chain, Operations
from core.units import MICRO, OUTCOMES, Shares, Usd
from core.venue.credentials import RelayerKey, Secret, Wallet
from core.venue.gateway_polymarket import PolymarketGateway
from core.venue.onchain import OnChain
from core.venue.wallets import wallets_of
from tests.loopback.jumping import jumping_runner

KEY: Final = hashlib.sha256(b"inventory operations").hexdigest()
EOA: Final = wallets_of(address_of_key(bytes.fromhex(KEY)), 0)[0]
KINDS: Final = {"EOA": 0, "PROXY": 1, "SAFE": 2, "WALLET": 3, "BEACON": 3}
"""Signature types. A deposit wallet of the newer form is one whose nonce the relayer does not tell by the signer."""
CASH: Final = Usd(1_000 * MICRO)
CHAIR: Final = tuple(number for number, plot in enumerate(PLOTS) if plot.event == PLOTS[-1].event)
V2: Final = next(number for number, plot in enumerate(PLOTS) if plot.version == "v2")
MARKETS: Final = (0, V2, *CHAIR)
"""A plain market, one of Protocol V2, and an event of three outcomes that are all listed."""
PULSE_MS: Final = 200
NO_TLS: Final = ssl.create_default_context()
PATIENCE_SEC: Final = 4_000.0


class Journal:
    """What is on the disk: everything emitted up to the last commit, as the store would give it back."""

    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self.rows: list[tuple[JobSeen, tuple[Effect, ...]]] = []
        """Committed: what became of jobs, and what was booked for it."""
        self.pending: list[tuple[JobSeen, tuple[Effect, ...]]] = []
        self.commits = 0
        self.hold: Callable[[int], Coroutine[Any, Any, None]] | None = None
        """Called at each commit with its number, before anything is on the disk."""

    async def commit(self) -> None:
        self.commits += 1
        if self.hold is not None:
            await self.hold(self.commits)
        self.rows += self.pending
        self.pending = []

    def known(self) -> list[KnownJob]:
        """Jobs that are not over."""
        found = []
        for job in self.jobs.values():
            told = [seen for seen, _ in self.rows if seen.job_id == job.job_id]
            if told and told[-1].state in FINAL_STATES:
                continue
            found.append(
                KnownJob(
                    job=job,
                    state=told[-1].state if told else "planned",
                    transaction_id=next((seen.transaction_id for seen in reversed(told) if seen.transaction_id), ""),
                    transaction=next((seen.transaction for seen in reversed(told) if seen.transaction), ""),
                    baseline=next((seen.baseline for seen in reversed(told) if seen.baseline), None),
                )
            )
        return found


class Counting:
    """A chain that counts what it is asked to send, and may lose its tongue at any step."""

    def __init__(self, chain: OnChain) -> None:
        self.inner = chain
        self.sends = 0
        self.looks = 0

    async def send(self, job: Job, leaving: Any) -> Any:
        self.sends += 1
        return await self.inner.send(job, leaving)

    async def look(self, job: Job, transaction_id: str, transaction: str) -> Any:
        self.looks += 1
        return await self.inner.look(job, transaction_id, transaction)

    async def refresh(self, job: Job) -> None:
        await self.inner.refresh(job)


class Yard:
    """An exchange, a wallet at it, and one life of our program after another."""

    def __init__(self, running: RunningExchange, clock: ManualClock, kind: str, rpc_key: str = "") -> None:
        self.host = running.host
        self.exchange = running.host.exchange
        self.clock = clock
        self.kind = kind
        self.wallet = wallets_of(EOA, KINDS[kind])[-1 if kind == "BEACON" else 0]
        urls = {k: url for k, url in running.urls.items() if isinstance(url, str)}
        if rpc_key:
            urls["rpc_url"] += f"?key={rpc_key}"
        self.settings = Settings(**urls)
        self.markets = list(self.exchange.listings)
        self.journal = Journal()
        self.books: dict[str, Books] = {}
        """Ours: the fold of every effect, through all lives."""
        self.told: list[JobSeen] = []
        self.jobs = Jobs()
        self.chain: Counting
        self._task: asyncio.Task[None] | None = None
        self._operations: Operations

    # Lives

    async def begin(self) -> None:
        """A program starts: it takes over what the journal knows."""
        wallet = Wallet(Secret("0x" + KEY), self.wallet)
        gateway = PolymarketGateway(self.settings, wallet, self.clock, lambda sign: None)
        await gateway.open()
        key = None if self.kind == "EOA" else RelayerKey(Secret("any"), EOA)
        self.chain = Counting(OnChain(self.settings, wallet.private_key, gateway.account, key, self.clock))
        await gateway.close()
        self.jobs, self.books = Jobs(), {market: Books() for market in (*self.markets, "")}
        for _, effects in self.journal.rows:
            self._book(effects)
        known = self.journal.known()
        left = self.jobs.recover(known, len(self.journal.jobs) + 1, ())
        chain: Chain = self.chain
        self._operations = Operations(chain, self.clock, self._emit, self.journal.commit)
        self._operations.recover(known)
        self._task = asyncio.create_task(self._operations.lanes()[0][1])
        for job in left:
            self._operations.take(job)

    async def kill(self) -> None:
        """The program is gone at once: what was not on the disk is lost, and so is what its books said since."""
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError, ExceptionGroup):
            await self._task
        self.journal.pending = []
        await self.chain.inner.close()

    def _emit(self, seen: JobSeen) -> None:
        """The engine's and the journal's step: state and effects go to the disk together."""
        self.told.append(seen)
        effects = self.jobs.take(seen, self.clock.monotonic(), self.clock.unix())
        self.journal.pending.append((seen, effects))
        self._book(effects)

    def _book(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            assert self.books[effect.market].apply(effect.entry) is None

    # Acts

    def plan(self, kind: JobKind, market: str, size: float = 0) -> Plan:
        made = self.jobs.plan(kind, market, Shares(round(size * MICRO)), self.stocks(), self.purse(), self.clock.unix())
        assert isinstance(made, Plan), made
        return made

    def start(self, kind: JobKind, market: str, size: float = 0) -> Plan:
        """Plan and send; returns the preview."""
        plan = self.plan(kind, market, size)
        job = self.jobs.start(plan, "operator", "asked for", self.clock.unix())
        self.journal.jobs[job.job_id] = job
        self._operations.take(job)
        return plan

    async def over(self) -> JobSeen:
        """The end of what is under way."""
        began = self.clock.monotonic()
        while self.jobs.under_way is not None:
            assert self.clock.monotonic() - began < PATIENCE_SEC, f"still {self.jobs.under_way.state}"
            assert self._task is not None
            if self._task.done():
                self._task.result()
            await asyncio.sleep(1.0)
        return self.told[-1]

    async def until(self, state: str) -> None:
        """What is under way has come so far."""
        began = self.clock.monotonic()
        while self.told[-1:] == [] or self.told[-1].state != state:
            assert self.clock.monotonic() - began < PATIENCE_SEC, f"never {state}"
            await asyncio.sleep(0.02)

    async def done(self, kind: JobKind, market: str, size: float = 0) -> JobSeen:
        """Start it and wait for its end."""
        self.start(kind, market, size)
        return await self.over()

    def arm(self, *faults: str) -> None:
        """Add faults in the script's words, each the lines of one table."""
        text = "".join(f"[[fault]]\n{fault}\n" for fault in faults)
        self.host.director.arm(read_toml(text, "test", at_once=True), from_now=True)

    # Truth

    def balances(self) -> tuple[int, dict[tuple[str, str], int]]:
        """Cash and tokens of the wallet by the exchange's own ledger, which adds up."""
        self.exchange.ledger.check()
        account = self.exchange.ledger.account(self.wallet)
        return account.cash, {(m, o): account.tokens.get((m, o), 0) for m in self.markets for o in OUTCOMES}

    def agrees(self) -> None:
        """Our books and the exchange's ledger are one to the micro-dollar."""
        cash, tokens = self.balances()
        assert all(each.check() == "" for each in self.books.values())
        assert cash * MICRO == CASH * MICRO + sum(each.average.cash for each in self.books.values())
        ours = {(m, o): getattr(self.books[m].average, o.lower()).shares for m in self.markets for o in OUTCOMES}
        assert ours == tokens

    def purse(self) -> Purse:
        inner = self.chain.inner
        cash = Usd(CASH + sum(each.average.cash for each in self.books.values()) // MICRO)
        return Purse(venue="demo", cash=cash, route=inner.route, obstacle=inner.obstacle)

    def stocks(self) -> dict[str, Stock]:
        found = {}
        for market, listing in self.exchange.listings.items():
            book, result = self.books[market].average, self.exchange.results.get(market)
            found[market] = Stock(
                market=market,
                yes_token=listing.instrument.yes_token,
                no_token=listing.instrument.no_token,
                yes=book.yes.shares,
                no=book.no.shares,
                fair=Usd(400_000),
                payout=None if result is None else price_of(result, "YES"),
                neg_risk=listing.instrument.neg_risk,
                group=listing.neg_risk_market_id,
                group_size=len(CHAIR) if listing.neg_risk_market_id else 0,
                group_index=int(listing.question_id[-2:], 16) if listing.neg_risk_market_id else None,
            )
        return found


@asynccontextmanager
async def yard_at(clock: ManualClock, kind: str, rpc_key: str = "") -> AsyncIterator[Yard]:
    exchange = Exchange(seed=1, markets=MARKETS, now_ms=int(clock.unix() * 1000), auto_cash=CASH)
    host = Host(exchange, Population(exchange, paused=True), clock)
    async with RunningExchange(host) as running:
        yard = Yard(running, clock, kind, rpc_key)
        yard.exchange.admit(yard.wallet)
        await yard.begin()
        try:
            yield yard
        finally:
            await yard.kill()


def in_yard(play: Callable[[Yard], Coroutine[Any, Any, None]], kind: str = "WALLET", rpc_key: str = "") -> None:
    """Play a scene: the wallet has the exchange's cash and nothing else; the node's address may hold a key."""
    clock = ManualClock(unix=time.time())

    async def scene() -> None:
        async with yard_at(clock, kind, rpc_key) as yard:
            await play(yard)

    with (
        jumping_runner(clock) as runner,
        patch.object(host_module, "PULSE_MS", PULSE_MS),
        patch.object(ssl, "create_default_context", lambda *arguments, **options: NO_TLS),
        patch.object(auth_module, "CLOCK_SLACK_S", 10_000),  # the official client stamps with the machine's clock
    ):
        runner.run(scene())


def states(told: Sequence[JobSeen]) -> list[str]:
    """How far it came, step by step."""
    return [seen.state for seen in told]
