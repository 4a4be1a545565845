"""Carries inventory operations out: each is written down, sent once, and looked after until its end is known.

What becomes of a job is told to the engine, and is on the disk before anything follows from it. So whatever kills the
program, a restart finds what was planned (nothing had left), what was being sent (nonce and balances from before tell
whether it happened) or what was sent (its name at the relayer or its hash tells).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, Protocol

import msgspec

from core.clock import Clock
from core.events import JobSeen, KnownJob
from core.jobs.evidence import Look, Verdict, judge
from core.jobs.job import FINAL_STATES, Baseline, Job, JobState
from core.runtime.inbox import Inbox
from core.venue.sending import Leaving, Sent

PACE_SEC: Final = 2.0
"""Between two looks at a job, as the official client has it (polymarket-api.md 11)."""
BRISK_SEC: Final = 120.0
"""How long after its sending a job is looked at with that pace."""
SLOW_SEC: Final = 20.0
"""The pace from then on."""
SILENCE_SEC: Final = 120.0
"""How long relayer and chain may show nothing at all until the job is of unknown outcome."""


class Chain(Protocol):
    """What sends and looks: :class:`core.venue.onchain.OnChain`."""

    async def send(self, job: Job, leaving: Leaving) -> Sent:
        """Send a job's transaction once; every doubt is ``unknown``, never an exception."""
        ...

    async def look(self, job: Job, transaction_id: str, transaction: str) -> Look:
        """What relayer and chain show of a job that may have been sent."""
        ...

    async def refresh(self, job: Job) -> None:
        """Have the venue read the balances again that a job has changed."""
        ...


class Operations:
    """The jobs of one session."""

    def __init__(
        self,
        chain: Chain,
        clock: Clock,
        emit: Callable[[JobSeen], object],
        commit: Callable[[], Awaitable[None]],
    ) -> None:
        """Nothing moves until the lane is run.

        Args:
            chain: where transactions go.
            clock: of patience and evidence.
            emit: takes what becomes of a job, for engine and journal in one step.
            commit: returns when everything that was emitted so far is in the journal.
        """
        self._chain = chain
        self._clock = clock
        self._emit = emit
        self._commit = commit
        self._jobs = Inbox[int, Job]()
        self._known: dict[int, KnownJob] = {}
        """Of earlier sessions, and not taken up yet."""
        self._begun: set[int] = set()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        """Carrying out or looking after, by job."""

    def recover(self, known: Sequence[KnownJob]) -> None:
        """Take note of the jobs of earlier sessions: when they are taken they are looked after, never sent again."""
        self._known = {each.job.job_id: each for each in known}

    def take(self, job: Job) -> None:
        """Carry a job out, or look after one of an earlier session; one that was taken before changes nothing."""
        if job.job_id not in self._begun:
            self._begun.add(job.job_id)
            self._jobs.put(job.job_id, job)

    def end(self, seen: JobSeen) -> None:
        """Tell a job's end that somebody else knows (:meth:`core.jobs.jobs.Jobs.end`), and look after it no more."""
        if task := self._tasks.get(seen.job_id):
            task.cancel()
        self._emit(seen)

    def lanes(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """The one lane by name; it runs until it is cancelled."""
        return [("operations", self._run())]

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                await self._jobs.wait()
                for job in self._jobs.take().values():
                    task = group.create_task(self._carry_out(job), name=f"job {job.job_id}")
                    self._tasks[job.job_id] = task

    async def _carry_out(self, job: Job) -> None:
        known = self._known.pop(job.job_id, None)
        if known is None:
            await self._commit()
            errand = _Errand(job)
            await self._send(errand)
        else:
            errand = _Errand(job, known.state, known.transaction_id, known.transaction, known.baseline)
            if known.state == "planned":
                await self._tell(errand.seen("refused", detail="not sent: the program ended before it could be"))
        await self._follow(errand)
        if errand.state == "confirmed":
            await self._chain.refresh(job)

    async def _send(self, errand: "_Errand") -> None:
        async def leaving(baseline: Baseline, transaction: str) -> None:
            errand.baseline = baseline
            await self._tell(errand.seen("sending", transaction=transaction))

        sent = await self._chain.send(errand.job, leaving)
        seen = errand.seen(
            sent.state, transaction_id=sent.transaction_id, transaction=sent.transaction, detail=sent.detail
        )
        await self._tell(msgspec.structs.replace(seen, retry_s=sent.retry_s))

    async def _follow(self, errand: "_Errand") -> None:
        """Look at a job until its end is known."""
        began_s = heard_s = self._clock.monotonic()
        while errand.state not in FINAL_STATES:
            look = await self._chain.look(errand.job, errand.transaction_id, errand.transaction)
            now = self._clock.monotonic()
            verdict = judge(errand.job, errand.baseline, look, self._clock.unix())
            if verdict is not None:
                heard_s = now
            elif now - heard_s >= SILENCE_SEC:
                verdict = Verdict("unknown", f"neither relayer nor chain say anything for {now - heard_s:.0f} s")
            is_news = verdict is not None and (verdict.state, look.transaction) != (errand.state, errand.transaction)
            if verdict is not None and is_news:
                seen = errand.seen(verdict.state, transaction=look.transaction, detail=verdict.detail)
                await self._tell(msgspec.structs.replace(seen, amount=verdict.amount))
            if errand.state not in FINAL_STATES:
                await asyncio.sleep(PACE_SEC if now - began_s < BRISK_SEC else SLOW_SEC)

    async def _tell(self, seen: JobSeen) -> None:
        """Tell what became of a job; returns when it is on the disk."""
        self._emit(seen)
        await self._commit()


class _Errand:
    """One job and what is known of its way."""

    __slots__ = ("baseline", "job", "state", "transaction", "transaction_id")

    def __init__(
        self,
        job: Job,
        state: JobState = "planned",
        transaction_id: str = "",
        transaction: str = "",
        baseline: Baseline | None = None,
    ) -> None:
        self.job = job
        self.state = state
        self.transaction_id = transaction_id
        self.transaction = transaction
        self.baseline = baseline

    def seen(self, state: JobState, *, transaction_id: str = "", transaction: str = "", detail: str = "") -> JobSeen:
        """Note how far the job has come; returns what is to be told of it."""
        self.state = state
        self.transaction_id = transaction_id or self.transaction_id
        self.transaction = transaction or self.transaction
        return JobSeen(
            job_id=self.job.job_id,
            state=state,
            transaction_id=self.transaction_id,
            transaction=self.transaction,
            detail=detail,
            baseline=self.baseline,
        )
