"""What a confirmed job does to the account's book: its lines, each known by a key that comes once."""

import msgspec

from core.jobs.job import Job
from core.jobs.planning import paid_for
from core.portfolio.entries import Convert, Entry, Flow, Merge, Redeem, Split
from core.units import Shares, Usd, micro_text


class Effect(msgspec.Struct, frozen=True):
    """One line to book."""

    market: str
    key: str
    entry: Entry
    text: str


def effects_of(job: Job, amount: Usd | None) -> tuple[Effect, ...]:
    """The lines of a confirmed job, in order.

    Args:
        job: as it was planned.
        amount: what a redemption paid in all, micro-dollars; None when nobody saw it, then it is what was planned.
    """
    text = f"{job.kind} {job.job_id} by {job.by}: {job.reason}"
    key = f"job {job.job_id}"
    if job.kind == "split":
        return (Effect(job.market, f"{key} {job.market}", Split(size=job.size, price=job.legs[0].price), text),)
    if job.kind == "merge":
        return (Effect(job.market, f"{key} {job.market}", Merge(size=job.size), text),)
    if job.kind == "convert":
        return tuple(
            Effect(
                leg.market,
                f"{key} {leg.market}",
                Convert(outcome=leg.outcome, size=leg.change, price=leg.price),
                text,
            )
            for leg in job.legs
        )
    return _redeemed(job, key, text, job.cash if amount is None else amount)


def _redeemed(job: Job, key: str, text: str, amount: Usd) -> tuple[Effect, ...]:
    """Each token for what it pays; the rest was paid for shares that are not in our book, known or not.

    What was paid short of that is with the token that pays the most, and so is what the contract rounded.
    """
    amounts = [*(paid_for(leg) for leg in job.legs), job.foreign_cash]
    largest = max(range(len(job.legs)), key=amounts.__getitem__, default=len(job.legs))
    rest = amount - job.cash
    at = largest if rest <= len(job.legs) else len(job.legs)
    amounts[at] = Usd(amounts[at] + rest)
    made = [
        Effect(
            leg.market,
            f"{key} {leg.market} {leg.outcome}",
            Redeem(outcome=leg.outcome, size=Shares(-leg.change), amount=paid),
            text,
        )
        for leg, paid in zip(job.legs, amounts[:-1], strict=True)
    ]
    if foreign := amounts[-1]:
        words = f"{text}; {micro_text(foreign)} dollars were paid for shares that are not in our book"
        made.append(Effect("", f"{key} {job.market} foreign", Flow(amount=foreign), words))
    return tuple(made)
