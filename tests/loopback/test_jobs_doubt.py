"""Operations whose answer never comes, whose program dies, or whose relayer is gone: never done twice, never lost.

Programs die at every ninth step; with ``POLYMM_SEEDS`` set to anything, at every step.
"""

import asyncio
import os
import types
from collections.abc import Coroutine, Generator
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from polymarket._internal.actions.relayer import gasless

from core.events import JobSeen
from core.exchange.chain.transactions import Transaction
from core.jobs import evidence
from core.jobs.evidence import GIVE_UP_SEC
from core.jobs.job import Job
from core.runtime.operations import Operations
from core.units import MICRO, Shares
from tests.loopback.jobs_yard import CASH, KINDS, Yard, in_yard, states

RELAYED = ("PROXY", "SAFE", "WALLET")
STRIDE = 9
CUTS = [
    (kind, first)
    for number, kind in enumerate(KINDS)
    for first in (range(1, STRIDE + 1) if os.environ.get("POLYMM_SEEDS") else (number + 1,))
]
"""Kind of wallet, and the first step at which its program dies."""
LOST = 'do = "blackhole"\non = "request:POST */submit"\nthen = "cut"\nmoment = '


@pytest.mark.parametrize("kind", RELAYED)
def test_an_answer_that_is_lost_is_found_by_nonce_and_balances(kind: str) -> None:
    """The relayer took it, and its name for it is unknown for ever: once the nonce is used the balances tell."""

    async def play(yard: Yard) -> None:
        market = yard.markets[0]
        assert (await yard.done("split", market, 30)).state == "confirmed"
        yard.arm(LOST + '"after"')
        seen = await yard.done("merge", market, 12)
        assert (seen.state, seen.transaction_id) == ("confirmed", "") and "as planned" in seen.detail
        assert "unknown" in states(yard.told)
        yard.agrees()

    in_yard(play, kind)


@pytest.mark.parametrize("arrives", [True, False])
def test_a_wallet_whose_nonce_is_not_told_is_judged_once_its_deadline_has_passed(arrives: bool) -> None:
    """The relayer told another wallet's nonce, the client signed anew, and then the answer was lost."""

    async def play(yard: Yard) -> None:
        market = yard.markets[0]
        assert (await yard.done("split", market, 30)).state == "confirmed"
        yard.arm(f'{LOST}"{"after" if arrives else "before"}"\nnth = 2')
        seen = await yard.done("merge", market, 12)
        assert seen.baseline is not None and seen.baseline.nonce is None
        assert seen.state == ("confirmed" if arrives else "failed") and "deadline has passed" in seen.detail
        yard.agrees()

    in_yard(play, "BEACON")


@pytest.mark.parametrize("kind", RELAYED)
def test_what_never_arrived_is_not_done_and_says_so_in_the_end(kind: str) -> None:
    """Until then what it takes stays reserved, and nothing else begins."""

    async def play(yard: Yard) -> None:
        market = yard.markets[0]
        yard.arm(LOST + '"before"')
        began = yard.clock.monotonic()
        yard.start("split", market, 30)
        await yard.until("unknown")
        assert yard.jobs.reserved_cash == 30 * MICRO
        busy = yard.jobs.plan("split", market, Shares(MICRO), yard.stocks(), yard.purse(), yard.clock.unix())
        assert "under way" in busy.why  # type: ignore[union-attr]
        seen = await yard.over()
        assert seen.state == "failed" and ("deadline" in seen.detail or "is free after 30 minutes" in seen.detail)
        assert yard.clock.monotonic() - began < GIVE_UP_SEC + 60 and yard.chain.sends == 1
        yard.agrees()
        assert (await yard.done("split", market, 30)).state == "confirmed", "the wallet goes on"
        yard.agrees()

    in_yard(play, kind)


@pytest.mark.parametrize("arrives", [True, False])
def test_an_own_transaction_whose_answer_is_lost_is_found_by_its_hash(arrives: bool) -> None:
    """The hash was written down before the first byte left."""

    async def play(yard: Yard) -> None:
        market = yard.markets[0]
        assert (await yard.done("split", market, 30)).state == "confirmed"
        connection = yard.chain.inner._client._ctx.rpc._transport._client  # type: ignore[union-attr]

        async def lose(message: httpx.Request | httpx.Response) -> None:
            request = message if isinstance(message, httpx.Request) else message.request
            if b"eth_sendRawTransaction" in request.content:
                raise httpx.ReadError("lost")

        connection.event_hooks["response" if arrives else "request"].append(lose)
        seen = await yard.done("merge", market, 12)
        assert seen.state == ("confirmed" if arrives else "failed"), seen.detail
        assert len(seen.transaction) == 66 and yard.chain.sends == 2
        yard.agrees()

    in_yard(play, "EOA")


def test_a_hash_that_is_never_told_is_not_needed() -> None:
    async def play(yard: Yard) -> None:
        with patch.object(Transaction, "sent", property(lambda self: False)):
            seen = await yard.done("split", yard.markets[0], 30)
        assert (seen.state, seen.transaction) == ("confirmed", "") and seen.transaction_id
        yard.agrees()

    in_yard(play)


def test_a_relayer_that_is_gone_costs_patience_and_nothing_else() -> None:
    """Down before sending: refused, nothing has left. Down afterwards: of unknown outcome, until it is back."""

    async def play(yard: Yard) -> None:
        market = yard.markets[0]
        await yard.done("split", market, 30)
        yard.arm('do = "http"\nrequest = "* /relayer/*"\nstatus = 503\nbody = "html"\nfor = 30')
        seen = await yard.done("merge", market, 5)
        assert seen.state == "refused" and seen.detail.startswith("not sent")
        await asyncio.sleep(40)
        yard.start("merge", market, 5)
        await yard.until("sent")
        yard.arm('do = "http"\nrequest = "* /relayer/*"\nstatus = 503\nbody = "html"\nfor = 400')
        await yard.until("unknown")
        assert "for 1" in yard.told[-1].detail and "neither relayer nor chain" in yard.told[-1].detail
        assert (await yard.over()).state == "confirmed"
        yard.agrees()

    in_yard(play)


def test_a_status_that_says_nothing_leaves_the_outcome_open() -> None:
    """An edge network answers in the relayer's place after the relayer took it."""

    async def play(yard: Yard) -> None:
        market = yard.markets[0]
        await yard.done("split", market, 30)
        yard.arm('do = "http"\non = "request:POST */submit"\nstatus = 502\nbody = "html"')
        seen = await yard.done("merge", market, 5)
        assert seen.state == "failed" and "unknown" in states(yard.told), "it was never carried out"
        yard.agrees()

    in_yard(play)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_what_an_operator_ends_is_not_looked_after_any_more(is_restarted: bool) -> None:
    """What comes out later is told to nobody: it is the balances' business."""

    async def play(yard: Yard) -> None:
        market = yard.markets[0]
        yard.arm(LOST + '"before"')
        yard.start("split", market, 30)
        await yard.until("unknown")
        if is_restarted:
            await yard.kill()
            await yard.begin()
            await asyncio.sleep(1)
        seen = yard.jobs.end(1, "failed", "operator", yard.clock.unix())
        assert isinstance(seen, JobSeen)
        yard._operations.end(seen)
        assert yard.jobs.under_way is None and yard.told[-1] == seen
        looks, told = yard.chain.looks, len(yard.told)
        await asyncio.sleep(GIVE_UP_SEC + 60)
        assert (yard.chain.looks, len(yard.told)) == (looks, told)
        assert (await yard.done("split", market, 30)).state == "confirmed", "the lane goes on"
        yard.agrees()

    in_yard(play)


class Cut(Exception):
    """The program is gone."""


class Knife:
    """Ends the carrying out of the next job at its n-th step, as if the process had been killed there."""

    def __init__(self) -> None:
        self.at = 0
        self.steps = 0

    def __call__(self, work: Coroutine[Any, Any, None]) -> Any:
        self.steps = 0
        return self._steps(work)

    @types.coroutine
    def _steps(self, work: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
        answer: Any = None
        problem: BaseException | None = None
        while True:
            self.steps += 1
            if self.steps == self.at:
                problem = asyncio.CancelledError()
            try:
                wanted = work.send(answer) if problem is None else work.throw(problem)
            except StopIteration:
                return
            except asyncio.CancelledError as error:
                raise Cut from error
            answer, problem = None, None
            try:
                answer = yield wanted
            except BaseException as error:  # noqa: BLE001 - handed in where it belongs
                problem = error


@pytest.mark.parametrize(("kind", "first"), CUTS)
def test_a_program_that_dies_at_any_step_does_nothing_twice_and_loses_nothing(kind: str, first: int) -> None:
    """Cut at every ninth step of a job and started again, until one comes through uncut."""
    knife, carry_out = Knife(), Operations._carry_out

    async def carried(self: Operations, job: Job) -> None:
        await knife(carry_out(self, job))

    async def play(yard: Yard) -> None:
        market = yard.markets[0]
        await yard.done("split", market, 200)
        ends = set[str]()
        with (
            patch.object(Operations, "_carry_out", carried),
            patch.object(evidence, "GIVE_UP_SEC", 30.0),  # the exchange's relayer and node need five
            patch.object(gasless, "_DEPOSIT_WALLET_DEADLINE_S", 30),
        ):
            for step in range(first, 400, STRIDE):
                knife.at = step
                before = yard.balances()[0]
                plan = yard.start("split" if step % 2 else "merge", market, 1)
                while yard.jobs.under_way is not None and knife.steps < step:  # noqa: ASYNC110 - steps have no event
                    await asyncio.sleep(0.05)
                was_cut = knife.steps >= step
                knife.at = 0
                await yard.kill()
                await yard.begin()
                seen = await yard.over() if yard.jobs.under_way is not None else yard.told[-1]
                ends.add(seen.state)
                moved = yard.balances()[0] - before
                assert moved == (plan.cash if seen.state == "confirmed" else 0), (step, seen)
                yard.agrees()
                if not was_cut:
                    break
            assert step > 15 and ends >= {"confirmed", "refused"}, (step, ends)

    in_yard(play, kind)


def test_a_job_that_is_told_twice_is_carried_out_once() -> None:
    async def play(yard: Yard) -> None:
        plan = yard.start("split", yard.markets[0], 30)
        job = next(iter(yard.journal.jobs.values()))
        for _ in range(3):
            yard._operations.take(job)
        await yard.over()
        yard._operations.take(job)
        await asyncio.sleep(60)
        assert yard.chain.sends == 1 and yard.balances()[0] == CASH + plan.cash
        yard.agrees()

    in_yard(play)
