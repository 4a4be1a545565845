"""What became of a job that has been sent, judged by what relayer and chain show; pure.

In order of authority: the relayer's own word, the receipt, then the wallet's nonce with its balances. A nonce is used
once: while it is free the job has not happened, and once something else has used it, or its deadline has passed, the
job never will. Where nobody can tell the job is ``unknown`` and says why (reliability.md 4.3).
"""

from typing import Final

import msgspec

from core.jobs.job import Baseline, Job, JobState
from core.units import Shares, Usd, micro_text

CONFIRMATIONS: Final = 5
"""Blocks on top of an own transaction's until it is taken as final: 10 s on Polygon, whose finality takes less."""
DEADLINE_SLACK_SEC: Final = 60.0
"""How long after its deadline a transaction may still be seen in a block."""
GIVE_UP_SEC: Final = 1_800.0
"""How long nonce and hash may show nothing of a sent job until it counts as never carried out: whatever is sent
next has its nonce, so that the two can never both happen."""
SETTLE_SEC: Final = 60.0
"""How long reads may be older than what they are read for."""

_STATES: Final[dict[str, JobState]] = {
    "STATE_NEW": "sent",
    "STATE_EXECUTED": "sent",
    "STATE_MINED": "mined",
    "STATE_CONFIRMED": "confirmed",
    "STATE_FAILED": "failed",
    "STATE_INVALID": "failed",
}
"""The relayer's words (polymarket-api.md 11)."""


class Look(msgspec.Struct, frozen=True):
    """What relayer and chain show of one job; None and "" where they could not be asked, or know nothing."""

    relayer: str = ""
    """The relayer's state of its transaction."""
    error: str = ""
    """The relayer's reason; foreign text."""
    transaction: str = ""
    """Hash."""
    is_success: bool | None = None
    """Of the transaction's receipt: carried out, or reverted."""
    depth: int = 0
    """Blocks from the receipt's to the newest, that one included."""
    received: Usd | None = None
    """Cash that the transaction brought, micro-dollars."""
    nonce: int | None = None
    """Of the wallet's next transaction by what is mined."""
    pending: int | None = None
    """The same with what waits in the node's pool."""
    cash: Usd | None = None
    holdings: tuple[Shares, ...] | None = None
    """Of the tokens of the job's legs, in their order."""


class Verdict(msgspec.Struct, frozen=True):
    """How far a job has come by the evidence."""

    state: JobState
    detail: str = ""
    amount: Usd | None = None
    """Of a confirmed redemption: what was paid."""


def judge(job: Job, baseline: Baseline | None, look: Look, unix: float) -> Verdict | None:
    """What a look proves; None when it shows nothing at all.

    Args:
        job: as it was sent.
        baseline: from before it was sent; None when nothing was asked.
        look: what is seen now.
        unix: seconds.
    """
    amount = look.received if job.kind == "redeem" else None
    if state := _STATES.get(look.relayer):
        return _confirmed(job, amount) if state == "confirmed" else Verdict(state, look.error)
    if look.is_success is not None:
        if not look.is_success:
            return Verdict("failed", "the transaction reverted: nothing has changed")
        if look.depth >= CONFIRMATIONS:
            return _confirmed(job, amount)
        return Verdict("mined")
    if baseline is None:
        return None
    if baseline.deadline_unix is not None and unix > baseline.deadline_unix + DEADLINE_SLACK_SEC:
        return _over(job, baseline, look, unix, "its deadline has passed")
    if baseline.nonce is None or look.nonce is None:
        return None
    if look.nonce > baseline.nonce:
        return _over(job, baseline, look, unix, f"nonce {baseline.nonce} is used")
    return _free(baseline.nonce, look, unix - baseline.unix)


def _confirmed(job: Job, amount: Usd | None) -> Verdict:
    """Of a transaction that was carried out; a redemption of tokens that are gone succeeds too, and pays nothing."""
    if job.cash > 0 and amount == 0:
        return Verdict("failed", "it paid nothing: somebody else redeemed the tokens before")
    return Verdict("confirmed", "", amount)


def _free(nonce: int, look: Look, age_s: float) -> Verdict:
    """Of a nonce that nothing has used yet."""
    if look.pending is not None and look.pending > nonce:
        return Verdict("sent", "waits in the node's pool")
    if age_s > GIVE_UP_SEC:
        return Verdict("failed", f"never carried out: nonce {nonce} is free after {age_s / 60:.0f} minutes")
    return Verdict("unknown", f"nobody knows it, and nonce {nonce} is still free: not carried out so far")


def _over(job: Job, baseline: Baseline, look: Look, unix: float, what: str) -> Verdict:
    """Of a transaction that cannot happen any more, and may have: the balances tell, where nothing else moved them."""
    moves = _moves(job, baseline, look)
    if not moves:
        return Verdict("unknown", f"{what}, and the balances cannot be compared")
    if all(moved == planned for _, moved, planned in moves):
        return Verdict("confirmed", f"{what} and every balance moved as planned")
    if unix - baseline.unix <= SETTLE_SEC:
        return Verdict("unknown", f"{what}; the balances may be older")
    if not any(moved for _, moved, _ in moves):
        return Verdict("failed", f"{what} and no balance moved: it reverted, or never happened")
    shown = ", ".join(f"{name} {micro_text(moved)} of {micro_text(planned)}" for name, moved, planned in moves)
    return Verdict("unknown", f"{what}, and balances moved otherwise: {shown}")


def _moves(job: Job, baseline: Baseline, look: Look) -> list[tuple[str, int, int]]:
    """What moved since the baseline, and what was to move: (name, micro-units, micro-units); empty when unread.

    A redemption takes every token there is, those that are not in our book too; of those alone only cash is known.
    """
    if not job.legs:
        if baseline.cash is None or look.cash is None:
            return []
        return [("cash", look.cash - baseline.cash, job.cash)]
    if baseline.holdings is None or look.holdings is None:
        return []
    return [
        (leg.outcome, after - before, -before if job.kind == "redeem" else leg.change)
        for leg, before, after in zip(job.legs, baseline.holdings, look.holdings, strict=True)
    ]
