"""The lanes that only ask: single orders, the account, its balances, which orders score, and what questions pay.

They share one budget of requests, of which the lesser lanes leave a part untouched, so that evidence of an order's fate
never waits behind a routine read (reliability.md 4.9). During a restart of the venue none is of use, and all wait. A
question that is asked again while its answer is under way waits, and is asked once more after it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from core.actions import AccountSection, ReadAccount, ReadOrder, ReadPayouts, ReadScoring
from core.clock import Clock
from core.events import Event
from core.risk.budget import Meter, Rate
from core.runtime.inbox import Inbox
from core.venue.gateway import Gateway

SCORING_BATCH: Final = 100
SCORING_GAP_SEC: Final = 1.0
"""Least time between two questions which orders score; they are about nothing urgent."""
RESTART_LOOK_SEC: Final = 0.25
"""Pause between looks whether a restart is over."""
READS: Final = Rate(per_s=20.0, burst=100.0)
"""Requests; the venue allows 50 a second of each kind (polymarket-api.md 10.1). A round of balances, a request a token,
keeps its own pace where it is sent, and counts as one here."""
LEFT_BY_ACCOUNT: Final = 30.0
"""What reads of the account leave to those of single orders."""
LEFT_BY_SCORING: Final = 60.0
PUBLIC: Final[frozenset[AccountSection]] = frozenset({"positions", "index", "activity", "chain"})
PAYOUT_BATCH: Final = 20
"""Questions asked about at a time: up to three requests each to the chain's node, and one to the catalogue."""


class Inquiries:
    """Six lanes of :class:`core.runtime.courier.Courier`; each runs until it is cancelled."""

    def __init__(
        self,
        gateway: Gateway,
        clock: Clock,
        emit: Callable[[Event], None],
        tokens: Callable[[], Sequence[str]],
        is_restarting: Callable[[], bool],
    ) -> None:
        """Nothing is asked until the lanes are run.

        Args:
            gateway: who is asked.
            clock: of the budget.
            emit: takes answers.
            tokens: whose balances and positions are read.
            is_restarting: the venue answers nobody now.
        """
        self._gateway = gateway
        self._clock = clock
        self._emit = emit
        self._tokens = tokens
        self._is_restarting = is_restarting
        self._orders = Inbox[str, ReadOrder]()
        self._sections = Inbox[AccountSection, int]()
        """``after_unix`` by section, of what the CLOB tells."""
        self._public = Inbox[AccountSection, int]()
        """The same of the Data API and the chain, whose slowness must not hold up the CLOB's word."""
        self._balances = Inbox[AccountSection, None]()
        """Apart from the other sections, which a round of many tokens would hold up."""
        self._scorings = Inbox[str, None]()
        self._payouts = Inbox[str, None]()
        self._budget = Meter(READS)

    def take(self, action: ReadOrder | ReadAccount | ReadScoring | ReadPayouts) -> None:
        """Put a question on its lane; one that waits there already is not asked twice."""
        match action:
            case ReadOrder():
                self._orders.put(action.order_id, action)
            case ReadAccount():
                for section in action.sections:
                    if section == "balances":
                        self._balances.put(section, None)
                        continue
                    lane = self._public if section in PUBLIC else self._sections
                    waiting = lane.get(section)
                    after = action.after_unix if waiting is None else min(waiting, action.after_unix)
                    lane.put(section, after)
            case ReadScoring():
                for order_id in action.order_ids:
                    self._scorings.put(order_id, None)
            case ReadPayouts():
                for market in action.markets:
                    self._payouts.put(market, None)

    def lanes(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """Every lane's work by name, highest priority first."""
        return [
            ("evidence", self._run_orders()),
            ("account-reads", self._run_sections(self._sections)),
            ("public-reads", self._run_sections(self._public)),
            ("balances", self._run_balances()),
            ("scoring", self._run_scorings()),
            ("payouts", self._run_payouts()),
        ]

    async def _run_orders(self) -> None:
        while True:
            await self._orders.wait()
            await self._turn(1, 0)
            for order_id in self._orders.take(1):
                seen = await self._gateway.read_order(order_id)
                if seen is not None:
                    self._emit(seen)

    async def _run_sections(self, lane: Inbox[AccountSection, int]) -> None:
        while True:
            await lane.wait()
            for section, after_unix in lane.take(1).items():
                await self._read(section, after_unix)

    async def _read(self, section: AccountSection, after_unix: int) -> None:
        await self._turn(1, LEFT_BY_ACCOUNT)
        match section:
            case "orders":
                self._emit(await self._gateway.open_orders())
            case "trades":
                self._emit(await self._gateway.trades_since(after_unix))
            case "positions":
                self._emit(await self._gateway.positions(self._tokens()))
            case "index":
                self._emit(await self._gateway.indexed_trades(after_unix))
            case "activity":
                self._emit(await self._gateway.activity(after_unix))
            case "chain":
                mined = await self._gateway.chain(self._tokens())
                if mined is not None:
                    self._emit(mined)

    async def _run_balances(self) -> None:
        while True:
            await self._balances.wait()
            await self._turn(1, LEFT_BY_ACCOUNT)
            self._balances.take()
            self._emit(await self._gateway.balances(self._tokens()))

    async def _run_scorings(self) -> None:
        while True:
            await self._scorings.wait()
            await self._turn(1, LEFT_BY_SCORING)
            seen = await self._gateway.read_scoring(list(self._scorings.take(SCORING_BATCH)))
            if seen is not None:
                self._emit(seen)
            await asyncio.sleep(SCORING_GAP_SEC)

    async def _run_payouts(self) -> None:
        """Asked of other services than the venue's: only a restart of the venue makes them wait."""
        while True:
            await self._payouts.wait()
            await self._turn(1, LEFT_BY_SCORING)
            for seen in await self._gateway.payouts(list(self._payouts.take(PAYOUT_BATCH))):
                self._emit(seen)

    async def _turn(self, requests: int, left: float) -> None:
        """Wait until so many requests fit into the budget with ``left`` to spare and the venue is there."""
        while True:
            wait_s = self._budget.wait_s(requests + left, self._clock.monotonic())
            if self._is_restarting():
                wait_s = RESTART_LOOK_SEC
            if wait_s <= 0:
                break
            await asyncio.sleep(wait_s)
        self._budget.take(requests, self._clock.monotonic())
