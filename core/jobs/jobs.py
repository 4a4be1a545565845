"""All inventory operations of one account: what may begin, what is under way, what it holds back, and how it ended.

Pure. The engine hands in facts and events, and books the effects it gets back; transactions are
:mod:`core.runtime.operations`' business. One job at a time is under way for the wallet: its transactions have nonces,
and a transaction of unknown outcome is told from others only while none follows it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from core.events import JobSeen, KnownJob
from core.jobs.effects import Effect, effects_of
from core.jobs.job import FINAL_STATES, Job, JobKind, JobState
from core.jobs.planning import (
    WITHOUT_CHAIN,
    Plan,
    Purse,
    Refused,
    Stock,
    at_utc,
    plan_convert,
    plan_merge,
    plan_redeem,
    plan_split,
)
from core.units import MICRO, Outcome, Shares, Usd

AUTO_PAUSE_SEC: Final = 600.0
"""Until a market whose pairs could not be merged is tried again by itself."""
KEPT: Final = 50
"""Jobs that are over and still shown."""
PATIENCE_SEC: Final = 600.0
"""For how long after its start a job is left to its own evidence, unless that says ``unknown``."""
_RANKS: Final[dict[JobState, int]] = {"planned": 0, "sending": 1, "unknown": 2, "sent": 2, "mined": 3}
"""How far a job has come: what is told late does not take it back."""


class TrackedJob(msgspec.Struct, frozen=True, gc=False):
    """One job as people see it."""

    job: Job
    state: JobState
    transaction_id: str
    """The relayer's name for it; "" where there is none."""
    transaction: str
    """Hash; "" until it is known."""
    detail: str
    """Why, for people; may hold foreign text."""

    @property
    def is_over(self) -> bool:
        """It is confirmed, failed or refused."""
        return self.state in FINAL_STATES


class Jobs:
    """The jobs of one account.

    Example::

        match jobs.plan("merge", market, Shares(0), stocks, purse, unix):
            case Refused() as refused: ...
            case Plan() as plan: action = SendJob(jobs.start(plan, "operator", "asked for", unix))
        for effect in jobs.take(seen, now, unix): ...
    """

    def __init__(self) -> None:
        self._jobs: dict[int, TrackedJob] = {}
        """By id, oldest first; those that are over are forgotten in time."""
        self._next = 1
        self._transactions: set[str] = set()
        """Hashes of all jobs of the account, in lower case."""
        self._quota_until_unix = -math.inf
        self._auto_at_s: dict[str, float] = {}
        """When a market's pairs may be merged by themselves again, monotonic seconds."""

    # What may be done

    def plan(
        self, kind: JobKind, market: str, size: Shares, stocks: Mapping[str, Stock], purse: Purse, unix: float
    ) -> Plan | Refused:
        """What an operation would do now, or why it cannot be done.

        Args:
            kind: of operation.
            market: condition id.
            size: micro-shares; 0 means all that is free, except of a split. A redemption always takes everything.
            stocks: by market; of a conversion all markets of the event.
            purse: of the account.
            unix: seconds.
        """
        stock = stocks.get(market)
        if stock is None:
            return Refused("the market is not known")
        route = purse.route
        if (refused := self.forbidden(purse, unix)) is not None or route is None:
            return refused or Refused(purse.obstacle or "transactions cannot be sent")
        if size < 0:
            return Refused("a size is not negative")
        free_cash = Usd(max(0, purse.cash - purse.buying - self.reserved_cash))
        match kind:
            case "split":
                return plan_split(stock, size, purse, route, self.free, free_cash)
            case "merge":
                return plan_merge(stock, size, route, self.free, free_cash)
            case "redeem":
                return plan_redeem(stock, route, self.free, free_cash)
            case "convert":
                return plan_convert(stock, size, stocks, route, self.free, free_cash)

    def auto(
        self, stocks: Mapping[str, Stock], purse: Purse, least: Shares, now: float, unix: float
    ) -> tuple[Plan, str] | None:
        """The merge that is due by itself, largest first, and why; None when none is (market-making.md 1.11).

        Pairs are merged from ``least`` on when cash is scarce, or the market is idle. They are in no sell, so that no
        quote changes.

        Args:
            stocks: by market.
            purse: of the account.
            least: pairs, micro-shares.
            now: monotonic seconds.
            unix: seconds.
        """
        if self.forbidden(purse, unix) is not None:
            return None
        due = [
            (pairs, stock)
            for stock in stocks.values()
            if (purse.is_scarce or stock.is_idle)
            and stock.payout is None
            and (pairs := min(self.free(stock, "YES"), self.free(stock, "NO"))) >= least
            and now >= self._auto_at_s.get(stock.market, -math.inf)
        ]
        for _, stock in sorted(due, key=lambda each: (-each[0], each[1].market)):
            plan = self.plan("merge", stock.market, Shares(0), stocks, purse, unix)
            if isinstance(plan, Plan):
                return plan, "cash is scarce" if purse.is_scarce else "the market is idle"
        return None

    def auto_redeem(self, stocks: Mapping[str, Stock], purse: Purse, now: float, unix: float) -> Plan | None:
        """The redemption that is due by itself, the first that pays; None when none is (market-making.md 3.5).

        Args:
            stocks: by market.
            purse: of the account.
            now: monotonic seconds.
            unix: seconds.
        """
        for stock in stocks.values():
            is_ours = stock.yes or stock.no  # what is not ours is redeemed with it, and never for its own sake
            if stock.payout is None or not is_ours or now < self._auto_at_s.get(stock.market, -math.inf):
                continue
            plan = self.plan("redeem", stock.market, Shares(0), stocks, purse, unix)
            if isinstance(plan, Plan) and plan.cash >= MICRO:
                return plan
        return None

    def free(self, stock: Stock, outcome: Outcome) -> Shares:
        """Shares of one token that nothing else may take: settled, in no sell and in no job."""
        reserved = self.reserved(stock.market, outcome)
        return Shares(max(0, stock.held(outcome) - stock.selling(outcome) - reserved))

    def forbidden(self, purse: Purse, unix: float) -> Refused | None:
        """Why nothing may begin at all; ``unix`` in seconds."""
        if purse.venue in WITHOUT_CHAIN:
            return Refused(f"nothing goes to the chain in {purse.venue}")
        if purse.route is None:
            return Refused(purse.obstacle or "transactions cannot be sent")
        if (view := self.under_way) is not None:
            what = f"job {view.job.job_id} ({view.job.kind}, {view.state}) is under way for this wallet"
            return Refused(f"{what}: one at a time")
        if unix < self._quota_until_unix:
            until = self._quota_until_unix
            return Refused(f"the relayer's quota is used up until {at_utc(until)}", until)
        return None

    # What is under way

    @property
    def under_way(self) -> TrackedJob | None:
        """The oldest job that is not over."""
        return next((view for view in self._jobs.values() if not view.is_over), None)

    def reserved(self, market: str, outcome: Outcome) -> Shares:
        """Shares that jobs under way may take, micro-shares; they are in our book until the job is confirmed."""
        return Shares(
            sum(
                -leg.change
                for view in self._jobs.values()
                if not view.is_over
                for leg in view.job.legs
                if leg.change < 0 and (leg.market, leg.outcome) == (market, outcome)
            )
        )

    @property
    def reserved_cash(self) -> Usd:
        """Cash that jobs under way may take, micro-dollars."""
        return Usd(sum(max(0, -view.job.cash) for view in self._jobs.values() if not view.is_over))

    def touches(self, market: str) -> bool:
        """Whether a job under way changes what is held in a market: its balances say little meanwhile."""
        return any(
            market in (view.job.market, *(leg.market for leg in view.job.legs))
            for view in self._jobs.values()
            if not view.is_over
        )

    @property
    def touches_cash(self) -> bool:
        """Whether a job under way changes the cash."""
        return any(view.job.cash for view in self._jobs.values() if not view.is_over)

    def start(self, plan: Plan, by: str, reason: str, unix: float) -> Job:
        """Take a plan up: from now on it reserves what it takes, and is to be sent.

        Args:
            plan: just made; it is not checked again.
            by: ``operator`` or ``auto``.
            reason: for people.
            unix: seconds.
        """
        job = plan.job(self._next, by, reason, unix)
        self._next += 1
        self._jobs[job.job_id] = TrackedJob(job, "planned", "", "", "")
        self._forget()
        return job

    def take(self, seen: JobSeen, now: float, unix: float) -> tuple[Effect, ...]:
        """Note what became of a job; returns what is to be booked, once, when it is confirmed.

        What ended stays ended; a job that nobody knows changes nothing.

        Args:
            seen: what is told.
            now: monotonic seconds.
            unix: seconds.
        """
        view = self._jobs.get(seen.job_id)
        if view is None or view.is_over:
            return ()
        is_late = seen.state not in FINAL_STATES and _RANKS[seen.state] < _RANKS[view.state]
        self._jobs[seen.job_id] = TrackedJob(
            job=view.job,
            state=view.state if is_late else seen.state,
            transaction_id=seen.transaction_id or view.transaction_id,
            transaction=seen.transaction or view.transaction,
            detail=seen.detail or view.detail,
        )
        if seen.transaction:
            self._transactions.add(seen.transaction.lower())
        if seen.retry_s is not None:
            self._quota_until_unix = unix + seen.retry_s
        if seen.state in FINAL_STATES and view.job.by == "auto":
            self._auto_at_s[view.job.market] = now + AUTO_PAUSE_SEC
        return effects_of(view.job, seen.amount) if seen.state == "confirmed" else ()

    def end(self, job_id: int, state: str, who: str, unix: float) -> JobSeen | Refused:
        """What is to be told of a job that an operator ends, because no evidence ever will: it goes the way of every
        :class:`core.events.JobSeen`, so that its effects are booked as planned, or none.

        A word that is wrong is a difference to the balances afterwards, found and booked like any other.

        Args:
            job_id: of a job that is under way.
            state: ``confirmed`` or ``failed``.
            who: says so.
            unix: seconds.
        """
        view = self._jobs.get(job_id)
        if view is None or view.is_over:
            return Refused(f"job {job_id} is not under way")
        until = view.job.created_unix + PATIENCE_SEC
        if view.state != "unknown" and unix < until:
            return Refused(f"job {job_id} is {view.state}: its end may still be seen, until {at_utc(until)}", until)
        detail = f"{who} says so; it was {view.state}"
        match state:
            case "confirmed" | "failed":
                return JobSeen(job_id=job_id, state=state, detail=detail)
        return Refused(f"confirmed or failed? Not {state or 'nothing'}")

    def recover(self, known: Sequence[KnownJob], next_job: int, transactions: Iterable[str]) -> list[Job]:
        """Take over what earlier sessions left; returns the jobs that are to be followed up, oldest first.

        Args:
            known: jobs that were not over.
            next_job: number of the next one.
            transactions: hashes of all jobs that there ever were, in lower case.
        """
        self._transactions.update(transactions)
        self._next = max(self._next, next_job, *(each.job.job_id + 1 for each in known), 1)
        for each in known:
            view = TrackedJob(each.job, each.state, each.transaction_id, each.transaction, "of an earlier session")
            self._jobs[each.job.job_id] = view
        return [each.job for each in known if each.state not in FINAL_STATES]

    def find(self, job_id: int) -> TrackedJob | None:
        """A job that is under way, or was lately."""
        return self._jobs.get(job_id)

    def is_ours(self, transaction: str) -> bool:
        """Whether a transaction, by its hash in lower case, is of one of our jobs."""
        return transaction in self._transactions

    def views(self) -> tuple[TrackedJob, ...]:
        """All that are under way and the last that are over, newest first."""
        return tuple(reversed(self._jobs.values()))

    def _forget(self) -> None:
        over: Iterable[int] = [job_id for job_id, view in self._jobs.items() if view.is_over][:-KEPT]
        for job_id in over:
            del self._jobs[job_id]
