"""Killed at any moment and started again: before the first new order everything is as the exchange's ledger says.

``POLYMM_SEEDS=200`` runs all seeds, ``POLYMM_SEEDS=17-18`` some of them; by default a few run. Each seed is one account
on one exchange with a crowd that trades: a first life dies at a point, some seeds kill the second during its recovery,
and the last one must know every fill exactly once, have no order or only those it knows, and have sent nothing before.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from tests.crash.mortal import ENDING, Told
from tests.crash.quick import QuickLoop
from tests.crash.world import Nursery, World, ask_to_end, kill, rows

LIFE_SEC: Final = 14.0
"""The session's own time after which a life ends that has not come to its point."""
LOG_SHOWN: Final = 8_000
"""Characters of the sessions' log that a failure shows."""
TRADING_SEC: Final = 3.0
"""How long the last life trades before it is asked to end."""
HELD_SEC: Final = 0.5
"""Longest that some markets hold an order that would trade at once."""
NEWS_SEC: Final = 4.0
"""Until a word of the exchange has reached the session for certain, a second on a machine that is busy."""
DEAD_SEC: Final = (0.0, 3.0)
"""Least and most between a death and the next life."""


def seeds(asked: str) -> range:
    """The seeds that were asked for; a few of all kinds without."""
    first, is_span, last = asked.rpartition("-")
    if not asked:
        return range(0, 200, 37)
    return range(int(first), int(last) + 1) if is_span else range(int(last))


class Death(msgspec.Struct, frozen=True):
    """Where a life ends."""

    point: str
    most: int = 1
    """It dies at one of this many first passings."""
    fault: str = ""
    """What the exchange does to the request that is under way, for the request's number."""


def lost(method: str, path: str, moment: str) -> str:
    """A request that comes in and is never answered."""
    return f'do = "blackhole"\non = "request:{method} {path}"\nnth = {{nth}}\nmoment = "{moment}"'


FIRST: Final = (
    Death("sign:before", 8),
    Death("OrderSigned:after", 8),
    Death("commit of orders:before", 8),
    Death("commit of orders:after", 8),
    Death("post:before", 6),
    Death("post:during", 6, lost("POST", "/orders", "before")),
    Death("post:during", 6, lost("POST", "/orders", "after")),
    Death("post:after", 6),
    Death("OrderAnswered:after", 8),
    Death("OrderSeen:before", 12),
    Death("OrderSeen:after", 12),
    Death("cancel:before", 4),
    Death("cancel:during", 4, lost("DELETE", "/orders", "before")),
    Death("cancel:during", 4, lost("DELETE", "/orders", "after")),
    Death("cancel:after", 4),
    Death("CancelAnswered:after", 6),
    Death("FillSeen:before", 12),
    Death("FillSeen:after", 12),
    Death("commit of fills:before", 6),
    Death("commit of fills:after", 6),
    Death("Woken:before", 60),
    Death(ENDING + "StopRequested:after"),
    Death(ENDING + "cancel:before"),
    Death(ENDING + "cancel:during"),
    Death(ENDING + "open_orders:after", 2),
)
"""Where the first life dies."""
SECOND: Final = (
    Death("Recovered:before"),
    Death("Recovered:after"),
    Death("open_orders:before", 2),
    Death("open_orders:after", 2),
    Death("OpenOrdersRead:after", 2),
    Death("trades_since:after", 2),
    Death("TradesRead:before", 2),
    Death("TradesRead:after", 2),
    Death("balances:after"),
    Death("BalancesRead:after"),
    Death("read_order:after", 2),
    Death("cancel:before"),
    Death("cancel_all:before"),
    Death("cancel_all:after"),
    Death("CancelAnswered:after", 3),
    Death("commit of fills:before"),
    Death("commit of fills:after"),
    Death("heartbeat:before"),
    Death("HeartbeatSeen:after"),
    Death("post:before"),
)
"""Where a second life dies, in the middle of its recovery; one that does not come to it lives on."""
HINDRANCES: Final = (
    'do = "http"\nstatus = 500\nrequest = "GET /data/*"\nfor = 4',
    'do = "blackhole"\nrequest = "GET /data/*"\nfor = 4',
    'do = "omit_page"\nlist = "orders"\nfor = 4',
    'do = "omit_page"\nlist = "trades"\nfor = 4',
    'do = "omit_page"\nlist = "trades"\nlost = "rest"\nkeep = 3\nfor = 4',
    'do = "stale_balance"\nshows = "zero"\nfor = 4',
    'do = "stale_positions"\nshows = "empty"\nfor = 40',
    'do = "mute_user"\nfor = 10',
    'do = "restart"\nseconds = 5.0\non = "request:GET /data/orders"',
    'do = "restart"\nseconds = 5.0\nkeep_orders = false\non = "request:GET /data/orders"',
    'do = "http"\nstatus = 500\nrequest = "DELETE *"\nfor = 4',
)
"""What the exchange does while a session recovers."""


class Case:
    """One seed."""

    def __init__(self, seed: int, nursery: Nursery, root: Path) -> None:
        self.dice = random.Random(f"deaths/{seed}")
        self.world = World(seed, root)
        self.first = FIRST[seed % len(FIRST)]
        self.second = SECOND[seed // 2 % len(SECOND)] if seed % 2 else None
        self.adopts = seed % 4 == 2
        self.fails = seed % 5 == 3
        """Some trades never settle."""
        self.hindrance = HINDRANCES[seed // 3 % len(HINDRANCES)] if seed % 3 == 1 else ""
        self.died: list[str] = []
        """How each life ended."""
        self._nursery = nursery

    async def run(self) -> None:
        """All lives, and what must hold."""
        async with self.world.running:
            if self.fails:
                self.world.arm('do = "settle"\nhow = "fail"\nevery = 3.0\ntimes = 2')
            await self._life(self.first)
            if self.second is not None:
                await self._life(self.second)
            await self._last_life()

    async def _life(self, death: Death) -> None:
        """Live until the point comes, or until the time is over."""
        world, nth = self.world, self.dice.randint(1, death.most)
        if death.fault:
            world.arm(death.fault.format(nth=nth))
        before = len(world.exchange.received)
        ends = death.point.startswith(ENDING)
        pids: list[int] = []
        timers: list[asyncio.TimerHandle] = []
        loop = asyncio.get_running_loop()

        def told(told: Told) -> None:
            if told.why == "ends":
                self._compare_end(told)
                return
            self._compare(told, before)
            if ends:
                timers.append(loop.call_later(TRADING_SEC, ask_to_end, pids[0]))

        def born(pid: int) -> None:
            pids.append(pid)
            timers.append(loop.call_later(LIFE_SEC, kill, pid))

        with world.strangers():
            status = await self._nursery.life(world.job(death.point, nth, **self._policy()), told, born)
            # an end in order may be over before it comes to the point
            assert status == -9 or (ends and status == 0), f"a life ended by itself: {status}"
            in_time = timers[0].when() > loop.time()
            for timer in timers:
                timer.cancel()
            self.died.append(death.point if in_time and status == -9 else "")
            await asyncio.sleep(self.dice.uniform(*DEAD_SEC))

    async def _last_life(self) -> None:
        world = self.world
        before, tellings, loop = len(world.exchange.received), list[Told](), asyncio.get_running_loop()
        if self.adopts:  # what rests may be filled at any moment, which no picture of it could show
            world.population.pause(True)
            await asyncio.sleep(HELD_SEC)
        pids: list[int] = []
        if self.hindrance:
            world.arm(self.hindrance)

        def told(told: Told) -> None:
            tellings.append(told)
            if told.why == "ends":
                self._compare_end(told)
                return
            self._compare(told, before)
            world.population.pause(False)
            loop.call_later(TRADING_SEC, ask_to_end, pids[0])

        status = await self._nursery.life(world.job(**self._policy()), told, pids.append)
        assert status == 0, f"the last life ended with {status}"
        assert [told.why for told in tellings[1:]] == ["ends"]
        self._compare_journal()

    def _compare(self, told: Told, received: int) -> None:
        """Before the first new order."""
        world = self.world
        assert told.recovering == "", told.orders
        self._compare_holdings(told)
        resting = {order.new.order_id: order.status for order in world.open_orders()}
        assert [order for order in resting if order not in told.orders] == [], "an order rests that is not known"
        gone = {order: state for order, state in told.orders.items() if order not in resting}
        assert [state for state in gone.values() if not state.startswith("CANCEL_SENT")] == [], "an order is gone"
        assert self.adopts or not told.orders
        assert world.received()[received:] == [], "an order was sent before all was known"

    def _compare_end(self, told: Told) -> None:
        """After an end in order."""
        self._compare_holdings(told)
        assert not self.world.open_orders() and not told.orders

    def _compare_holdings(self, told: Told) -> None:
        """A failure of a moment before it told, or since, may be on its way to the session."""
        assert told.foreign == {}, "nobody else deals on this account"
        assert told.holdings in (self.world.holdings(), self.world.holdings(told.unix_s - NEWS_SEC))

    def _compare_journal(self) -> None:
        """Nothing lost, nothing doubled, nothing sent that was not written down before."""
        world = self.world
        fills = Counter((trade, order) for trade, order in rows(world.database, "SELECT trade_id, order_id FROM fills"))
        assert world.fills(failed=False) <= set(fills) <= world.fills(failed=True)
        assert max(fills.values(), default=1) == 1
        assert world.unjournaled == []
        orders = Counter(order for (order,) in rows(world.database, "SELECT order_id FROM orders WHERE order_id != ''"))
        assert set(world.received()) <= set(orders), "an intent has had two orders"
        assert max(orders.values(), default=1) == 1
        assert max(Counter(world.received()).values(), default=1) == 1

    def _policy(self) -> dict[str, Any]:
        return {"adopt_orders": True} if self.adopts else {}


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.mark.parametrize("seed", seeds(os.environ.get("POLYMM_SEEDS", "")))
def test_a_killed_session_knows_everything_before_it_trades_again(seed: int, nursery: Nursery, tmp_path: Path) -> None:
    case = Case(seed, nursery, tmp_path)
    with asyncio.Runner(loop_factory=lambda: QuickLoop(case.world.clock)) as runner:
        try:
            runner.run(case.run())
        except AssertionError:
            print((tmp_path / "life.log").read_text()[-LOG_SHOWN:])
            raise
        finally:
            print(f"seed {seed}: {case.first}, {case.second}: died at {case.died}")
            print(f"adopts={case.adopts} fails={case.fails} hindrance={case.hindrance!r}")


def test_adopted_orders_stay_where_they_are_in_the_queue(nursery: Nursery, tmp_path: Path) -> None:
    """On a market that stands still: what rested before the death rests after it, and nothing was cancelled or sent."""
    world = World(1, tmp_path, paused=True)

    async def lives() -> None:
        async with world.running:
            await nursery.life(world.job("Woken:before", 60), lambda told: None, lambda pid: None)
            resting = [order.new.order_id for order in world.open_orders()]
            assert len(resting) >= 2
            tellings: list[Told] = []
            pids: list[int] = []

            def told(told: Told) -> None:
                tellings.append(told)
                if told.why != "ends":
                    assert told.recovering == "" and told.orders.keys() == set(resting)
                    assert [order.new.order_id for order in world.open_orders()] == resting
                    assert told.why == "waits" and "cancel:before" not in told.passed
                    ask_to_end(pids[0])

            job = world.job(patience_s=12.0, adopt_orders=True)
            assert await nursery.life(job, told, pids.append) == 0
            assert len(tellings) == 2 and not world.open_orders()

    with asyncio.Runner(loop_factory=lambda: QuickLoop(world.clock)) as runner:
        runner.run(lives())
