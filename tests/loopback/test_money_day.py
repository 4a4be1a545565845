"""A day of an account, with all that can happen to its money: our book is the exchange's ledger to the micro-dollar.

``POLYMM_SEEDS=200`` runs all seeds, ``POLYMM_SEEDS=17-18`` some of them; by default a few run. Each seed is one account
on an exchange of three busy markets: three lives of a session around midnight UTC, one of which ends by a cut.
"""

import asyncio
import hashlib
import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch

import pytest

from core.clock import ManualClock
from core.exchange import auth as auth_module
from core.exchange import rewards as rewards_module
from core.exchange.api.host import Host
from core.exchange.api.server import RunningExchange
from core.exchange.crowd.participants import Population
from core.exchange.exchange import Exchange
from core.exchange.lifecycle import Result, payout_of
from core.exchange.orders import NewOrder, Trade
from core.exchange.rewards import day_of, next_midnight
from core.exchange.settlement import Delays, Spoiling
from core.portfolio.ledger import Pico, usd_of
from core.runtime import session as session_module
from core.store.changes import Changes
from core.units import MICRO, OUTCOMES, OrderSide, Outcome, Shares, Ticks, Usd
from polymm_tui.reporting import Choice, read_report
from tests.loopback.dealings import ADDRESS, CASH, MEMORY, Dealings
from tests.loopback.jumping import jumping_runner
from tests.loopback.pauses import seldom_looks

MARKETS: Final = (0, 2, 4)
DELAYS: Final = Delays(mined=(500, 6_000), confirmed=(500, 30_000))
ROUNDS: Final = 4
BUSY_SEC: Final = 0.7
"""How long the crowd trades at a time."""
BEFORE_MIDNIGHT_SEC: Final = 400.0
PATIENCE_SEC: Final = 1_500.0
ROUNDING: Final = 20
"""Micro-dollars that trades were rounded by and that a deposit seen in the same balance took along."""
SAMPLES_A_DAY: Final = 20
"""So few minutes make a day of rewards here."""


def seeds(asked: str) -> range:
    """The seeds that were asked for; a few without."""
    first, is_span, last = asked.rpartition("-")
    if not asked:
        return range(3)
    return range(int(first), int(last) + 1) if is_span else range(int(last))


class Day:
    """One account, one exchange, and one session after the other."""

    def __init__(self, seed: int, root: Path, clock: ManualClock, running: RunningExchange) -> None:
        self.dice = random.Random(f"day/{seed}")
        self.root = root
        self.clock = clock
        self.running = running
        self.host = running.host
        self.exchange = running.host.exchange
        self.markets = list(self.exchange.listings)
        self.life: Dealings
        self.signed: list[str] = []
        """Ids of all orders of all lives."""
        self.flows = int(CASH)
        """Micro-dollars that came from outside, less those that went."""
        self.manual: list[str] = []
        """Ids of orders that somebody else sent."""
        self.redeems = self.dice.random() < 0.5
        """The session redeems by itself."""
        self.done: Counter[str] = Counter()
        self.decided, self.halved, self.lasting = self.dice.sample(self.markets, 3)
        """The market that ends at YES or NO, the one that ends at 50/50, and the one that goes on."""
        self.untouched = [(market, outcome) for market in self.markets for outcome in OUTCOMES]
        """Tokens in which nobody else has dealt."""
        self.dice.shuffle(self.untouched)
        self.acts = [(self.dice.randrange(6), act) for act in (self.pay_in, self.pay_out, self.meddle, self.meddle)]
        """What others do on the account, and at which moment."""

    # Lives

    async def begin(self) -> None:
        """A session starts."""
        self.life = Dealings(
            self.root,
            self.clock,
            self.running,
            markets=tuple(self.markets),
            merge_min_shares=1.0,
            auto_redeem=self.redeems,
        )
        self.life.signed = self.signed
        await self.life.begin()
        await self.until(lambda: self.engine.books.is_begun and not self.engine.reconciliation.recovering(), "start")

    async def end(self) -> None:
        """A session ends in order."""
        outcome = await self.life.end()
        assert (outcome.exit_code, outcome.verified) == (0, True), outcome.sentence

    async def cut(self) -> None:
        """A session is gone at once: what is not on the disk is lost, and nobody cleans up at the venue."""
        session, run = self.life.session, self.life._run
        assert run is not None and session._parts is not None

        async def never(changes: Changes) -> None:
            await asyncio.Event().wait()

        session._store.write = never  # type: ignore[method-assign]
        tasks = [run, *session._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if session._wake is not None:
            session._wake.cancel()
        await session._store._close()
        await session._control.close()
        await session._parts.gateway.close()
        await session._parts.close()
        session.places.release()

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Let time pass until a condition holds."""
        deadline = self.clock.monotonic() + PATIENCE_SEC
        while not condition():
            run = self.life._run
            assert run is None or not run.done(), f"the session has ended: {run.result()}"
            assert self.clock.monotonic() < deadline, what
            await asyncio.sleep(0.5)

    @property
    def engine(self) -> Any:
        return self.life.session.engine

    # What happens

    async def trade(self) -> None:
        """The crowd trades for a while, and strangers take odd parts of our orders."""
        for _ in range(ROUNDS):
            self.host.population.pause(False)
            await self.life.pass_time(BUSY_SEC)
            self.host.population.pause(True)
            for order in self.life.resting():
                if self.dice.random() < 0.4:
                    side: OrderSide = "SELL" if order.new.side == "BUY" else "BUY"
                    size = Shares(self.dice.randrange(1_000_000, 9_999_999))
                    self.exchange.force_trade(order.new.market, order.new.outcome, side, size, self.host.now_ms())
            self.host.flush()

    def spoil(self) -> None:
        """Some of the next trades fail, are tried again, or take long."""
        for _ in range(self.dice.randrange(1, 3)):
            how: Spoiling = self.dice.choice(("fail", "retry"))
            self.exchange.settlement.spoil(how, self.dice.randrange(1, 3), None, self.dice.randrange(0, 3))

    async def settled(self) -> None:
        """Every trade is confirmed or has failed."""
        trades = self.exchange.trades
        await self.until(lambda: all(one.status in ("CONFIRMED", "FAILED") for one in trades.values()), "settling")

    def meddle(self) -> None:
        """Somebody else deals on the account: buys, or sells shares of ours."""
        owner = self.exchange.received[-1].owner if self.dice.random() < 0.5 else "somebody"
        market, outcome = self.untouched.pop()
        if self.exchange.is_over(market):
            return
        account = self.exchange.ledger.account(ADDRESS)
        free = account.free_tokens((market, outcome)) - account.active_tokens.get((market, outcome), 0)
        side: OrderSide = "SELL" if market == self.lasting and free > 6_000_000 and self.dice.random() < 0.5 else "BUY"
        size = Shares(self.dice.randrange(5_000_000, free if side == "SELL" else 20_000_000))
        order_id = "0x" + hashlib.sha256(f"manual {len(self.manual)}".encode()).hexdigest()
        self.manual.append(order_id)
        grid = self.exchange.engine.instrument(market).grid
        price = Ticks(grid.k - 1 if side == "BUY" else 1)
        report = self.exchange.place(
            NewOrder(order_id, ADDRESS.lower(), owner, market, outcome, side, price, size, "FAK")
        )
        self.host.flush()
        self.done[f"manual {side.lower()}"] += report.trade is not None

    def others_act(self, moment: int) -> None:
        """What others do on the account at one of the day's moments."""
        for due, act in self.acts:
            if due == moment:
                act()

    def pay_in(self) -> None:
        amount = Usd(self.dice.randrange(1_000_000, 90_000_000))
        self.exchange.deposit(ADDRESS, amount)
        self.flows += amount
        self.done["deposit"] += 1

    def pay_out(self) -> None:
        amount = Usd(self.dice.randrange(1_000_000, 90_000_000))
        self.exchange.ledger.deposit(ADDRESS, Usd(-amount))
        self.exchange.history.moved(ADDRESS, "WITHDRAWAL", "", Shares(0), amount, self.exchange.now_ms)
        self.flows -= amount
        self.done["withdrawal"] += 1

    async def job(self, act: str, market: str, amount: float = 0.0, *, wait: bool = True) -> None:
        """The operator asks for an operation; it is begun, and over if it is waited for."""
        jobs = self.engine.inventory.jobs
        before = jobs._next

        def begun() -> bool:
            if jobs._next == before and jobs.under_way is None:
                self.life.command(act, market=market, amount=amount)
            return bool(jobs._next > before)

        await self.until(begun, f"{act} never began")
        if wait:
            await self.until(lambda: jobs.under_way is None, f"{act} is never over")

    def resolve(self, market: str, result: Result) -> None:
        """A question is decided for good."""
        self.exchange.resolve(market, result)
        self.host.flush()

    async def redeem(self, market: str, *, by_us: bool) -> None:
        """What a market pays is claimed, by our own job or by the AutoRedeemer; somebody else's shares go along."""
        if not by_us:
            self.exchange.auto_redeem(market)
            self.done["redeemed by the venue"] += 1
        elif self.redeems:
            await self.until(lambda: self.is_redeemed(market), "it never redeemed by itself")
        else:
            await self.job("redeem", market)

    def is_redeemed(self, market: str) -> bool:
        """The market is resolved, and the account has nothing of it any more."""
        tokens = self.exchange.ledger.account(ADDRESS).tokens
        return market in self.exchange.results and not any(tokens.get((market, outcome)) for outcome in OUTCOMES)

    def told(self) -> str:
        """What has happened, for people."""
        states = Counter(trade.status for trade in self.exchange.trades.values())
        jobs = Counter(
            f"{kind} by {who}: {state}" for kind, who, state in self.rows("SELECT kind, by, state FROM jobs")
        )
        return f"trades {dict(states)}, jobs {dict(jobs)}, others {dict(self.done)}"

    # Truth

    def rows(self, query: str) -> list[Any]:
        """What is on the disk."""
        with closing(sqlite3.connect(f"file:{self.life.session.places.database}?mode=ro", uri=True)) as db:
            return db.execute(query).fetchall()

    def bought(self) -> Counter[tuple[str, Outcome]]:
        """Shares that somebody else has bought, by market and token."""
        found: Counter[tuple[str, Outcome]] = Counter()
        for trade in self._manual_trades():
            move = trade.movements[-1]
            if move.tokens > 0:  # what was sold was ours
                found[trade.market, move.outcome] += move.tokens
        return found

    def foreign(self) -> Counter[tuple[str, Outcome]]:
        """Those of them that are there: a redemption takes all."""
        return Counter({token: size for token, size in self.bought().items() if not self.is_redeemed(token[0])})

    def flowed(self) -> int:
        """Micro-dollars that our book must take for deposits less withdrawals."""
        moves = [trade.movements[-1] for trade in self._manual_trades()]
        gone = self.bought() - self.foreign()
        paid = sum(payout_of(self.exchange.results[m], o, Shares(size)) for (m, o), size in gone.items())
        return self.flows + sum(move.cash - move.fee for move in moves) + paid

    def _manual_trades(self) -> list[Trade]:
        known = self.exchange.trades.values()
        return [one for one in known if one.taker.new.order_id in self.manual and one.status != "FAILED"]

    def found(self) -> Pico:
        """What shares that left without a trade of ours had cost, negative."""
        rows = self.rows("SELECT size_micro, price_micro_usd FROM entries WHERE kind = 'found'")
        return Pico(sum(size * price for size, price in rows))

    def paid(self) -> int:
        """Micro-dollars of rewards and rebates."""
        rewards, days = self.exchange.rewards, [day_of(self.host.now_ms() - ago) for ago in (0, 86_400_000)]
        return sum(sum(told(ADDRESS, day).values()) for day in days for told in (rewards.earned, rewards.rebates))

    def differences(self) -> list[str]:
        """Where our book and the exchange's ledger are not one."""
        self.exchange.ledger.check()
        came = usd_of(Pico(self.engine.books.portfolio.flows - self.found()))
        account, portfolio = self.exchange.ledger.account(ADDRESS), self.engine.books.portfolio
        found, foreign = [], self.foreign()
        if portfolio.check():
            found.append(portfolio.check())
        if self.engine.books.trouble:
            found.append(self.engine.books.trouble)
        for market in self.markets:
            ledger = portfolio.position(market).ledger
            for outcome, held in zip(OUTCOMES, (ledger.yes.shares, ledger.no.shares), strict=True):
                there = account.tokens.get((market, outcome), 0) - foreign[market, outcome]
                if held != there:
                    found.append(f"{market[:8]} {outcome}: {held}, the exchange's {there}")
        if usd_of(portfolio.cash) != account.cash:
            found.append(f"cash {usd_of(portfolio.cash)}, the exchange's {account.cash}")
        for name, ours, theirs in (
            ("flows", came, self.flowed()),
            ("income", usd_of(portfolio.income), self.paid()),
        ):
            if abs(ours - theirs) > ROUNDING:
                found.append(f"{name} {ours}, the exchange's {theirs}")
        return found

    async def agrees(self, when: str) -> None:
        """In the end, our book and the ledger are one."""
        await self.settled()
        try:
            await self.until(lambda: not self.differences(), "")
        except AssertionError:
            raise AssertionError(f"{when}: {self.differences()}") from None

    def report_agrees(self) -> None:
        """The report of everything is the exchange's wallet: its parts add up to what the wallet has gained."""
        database = self.life.session.places.database
        report = read_report(database, Choice(), self.clock.unix(), lambda *_: None)
        assert report.agrees, report.checks
        account, foreign = self.exchange.ledger.account(ADDRESS), self.foreign()
        marks = {one.market: one.mark_micro_usd for one in report.positions}
        assert report.equity is not None
        value = 0
        for market in self.markets:
            yes, no = (account.tokens.get((market, o), 0) - foreign[market, o] for o in OUTCOMES)
            if yes or no:
                mark = marks[market]
                assert mark is not None
                value += yes * mark + no * (MICRO - mark)
        flows, parts = report.equity.flows_micro_usd, report.total.parts
        exact = flows * MICRO + (self.found() - flows * MICRO + MICRO // 2) % MICRO - MICRO // 2
        gained = account.cash * MICRO + value - exact
        total = parts.total_micro_usd
        assert abs(total * MICRO - gained) <= MICRO, (total, gained)
        assert report.equity.end_cash_micro_usd == account.cash
        assert abs(flows - report.equity.found_micro_usd - self.flowed()) <= ROUNDING
        assert parts.rebates_micro_usd + parts.rewards_micro_usd == self.paid()
        for rows in (report.by_market, report.by_day, report.by_side, report.by_layer):
            assert sum(row.parts.total_micro_usd for row in rows) == total
            for row in (report.total, *rows):
                one = row.parts
                assert one.total_micro_usd == (
                    one.spread_micro_usd + one.adverse_micro_usd + one.carry_micro_usd + one.unknown_micro_usd
                    - one.fees_micro_usd + one.rebates_micro_usd + one.rewards_micro_usd + one.other_income_micro_usd
                )  # fmt: skip


async def a_day(day: Day) -> None:
    """What happens to the account, in three lives."""
    dice, job = day.dice, day.job
    decided, halved = day.decided, day.halved
    midnight = day.clock.unix() + BEFORE_MIDNIGHT_SEC

    await day.begin()
    await day.life.until_resting()
    day.spoil()
    await day.trade()
    await job("split", halved, dice.randrange(2_000, 4_000) / 100)
    day.life.command("pause", market=halved)  # shares in sells are not merged
    await job("merge", halved, dice.randrange(100, 500) / 100)
    day.life.command("resume", market=halved)
    day.spoil()
    await day.trade()
    day.others_act(0)
    day.life.command("pause", market=day.lasting)  # pairs of an idle market are merged
    await day.trade()
    if dice.random() < 0.5:
        await day.agrees("in the first life")
    if dice.random() < 0.5:
        await job("split", day.lasting, 12.34, wait=False)
        await day.life.pass_time(dice.uniform(0, 6))
    await day.end()
    await asyncio.sleep(dice.uniform(1, 30))
    day.others_act(1)
    if dice.random() < 0.3:
        await asyncio.sleep(midnight - day.clock.unix() + 1)

    await day.begin()
    day.life.command("resume", market=day.lasting)
    day.others_act(2)
    day.spoil()
    await day.trade()
    if day.clock.unix() < midnight:
        await asyncio.sleep(midnight - day.clock.unix() + 1)
    await day.trade()
    day.others_act(3)
    await job("split", halved, dice.randrange(2_000, 4_000) / 100)
    await day.trade()
    day.resolve(halved, "HALF")
    redeem_early = dice.random() < 0.5
    if redeem_early:
        await day.settled()
        await day.redeem(halved, by_us=True)
    day.spoil()
    await day.trade()
    await job("split", decided, dice.randrange(2_000, 4_000) / 100, wait=False)
    await day.life.pass_time(dice.uniform(0, 6))
    day.host.population.pause(False)
    await day.life.pass_time(dice.uniform(0, 1))
    await day.cut()
    await asyncio.sleep(dice.uniform(0, 1))
    day.host.population.pause(True)
    day.others_act(4)
    resolved_meanwhile = dice.random() < 0.3
    if resolved_meanwhile:
        day.resolve(decided, dice.choice(("YES", "NO")))
    await asyncio.sleep(dice.uniform(0, 30))

    await day.begin()
    await day.trade()
    if not resolved_meanwhile:
        day.resolve(decided, dice.choice(("YES", "NO")))
    day.others_act(5)
    if dice.random() < 0.5:
        await day.agrees("in the third life")
    await day.settled()
    if not redeem_early:
        await day.redeem(halved, by_us=dice.random() < 0.5)
    await day.redeem(decided, by_us=dice.random() < 0.5)
    await day.agrees("in the end")
    await day.end()
    day.report_agrees()


def play(seed: int) -> None:
    """Live through the day of a seed."""
    clock = ManualClock(unix=next_midnight(int(time.time() * 1000)) / 1000 - BEFORE_MIDNIGHT_SEC)

    async def scene(root: Path) -> None:
        now_ms = int(clock.unix() * 1000)
        exchange = Exchange(seed=seed, markets=MARKETS, now_ms=now_ms, auto_cash=CASH, delays=DELAYS)
        host = Host(exchange, Population(exchange, profile="busy", paused=True), clock)
        async with RunningExchange(host) as running:
            day = Day(seed, root, clock, running)
            begun = time.process_time()
            try:
                await a_day(day)
            finally:
                life = getattr(day, "life", None)
                if life is not None and life._run is not None and not life._run.done():
                    await day.cut()
                print(f"seed {seed}: {day.told()}; {time.process_time() - begun:.1f} s of CPU")

    with (
        TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as root,
        jumping_runner(clock) as runner,
        seldom_looks(lively=False),
        patch.object(session_module, "VIEW_SEC", 1.0),
        patch.object(auth_module, "CLOCK_SLACK_S", 10_000_000),
        patch.object(rewards_module, "SAMPLES_A_DAY", SAMPLES_A_DAY),
        patch.object(rewards_module, "LEAST_PAID", Usd(20_000)),
    ):
        runner.run(scene(Path(root)))


@pytest.mark.parametrize("seed", seeds(os.environ.get("POLYMM_SEEDS", "")))
def test_a_day_adds_up(seed: int) -> None:
    play(seed)
