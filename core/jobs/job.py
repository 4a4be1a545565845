"""What an inventory operation is: its effect, its way to the chain, and how far it has come."""

from typing import Final, Literal

import msgspec

from core.units import Outcome, Shares, Usd

JobKind = Literal["split", "merge", "redeem", "convert"]
JobState = Literal["planned", "sending", "sent", "mined", "confirmed", "failed", "refused", "unknown"]
"""``planned``: in the journal, nothing has left. ``sending``: bytes may have left, no answer yet. ``sent``: the relayer
or the node took it. ``mined``: in a block. ``confirmed``, ``failed`` (reverted, never mined, or a redemption that paid
nothing) and ``refused`` (not taken: quota, busy wallet, no funds) are final. ``unknown``: nobody can tell yet; its
shares and cash stay reserved."""
FINAL_STATES: Final[frozenset[JobState]] = frozenset({"confirmed", "failed", "refused"})
Route = Literal["relayer", "own gas"]


class Leg(msgspec.Struct, frozen=True, gc=False):
    """By how much a job changes what is held of one token."""

    market: str
    outcome: Outcome
    token: str
    change: Shares
    """Micro-shares, negative when they leave."""
    price: Usd = Usd(0)
    """Micro-dollars a share at which they are entered or given away: of a split the token's fair value, of a
    redemption what it pays, of a conversion the transfer price; 0 of a merge."""


class Job(msgspec.Struct, frozen=True):
    """One operation, never changed: what becomes of it is told apart (:class:`core.events.JobSeen`)."""

    job_id: int
    """Rises through all sessions of the database."""
    kind: JobKind
    market: str
    """Condition id; of a conversion the first of its markets."""
    size: Shares
    """Pairs split or merged, NO sets converted, or what is redeemed of both tokens together; micro-shares."""
    legs: tuple[Leg, ...]
    """Of a redemption: everything that is held."""
    cash: Usd
    """Expected change of cash, micro-dollars; the payout's own word counts in the end."""
    route: Route
    by: str
    """``operator``, or ``auto`` for a merge above the threshold."""
    reason: str
    created_unix: float
    neg_risk: bool = False
    group: str = ""
    """Of a conversion: the neg-risk market id that its outcomes share."""
    index_set: int = 0
    """Of a conversion: bit i stands for outcome i whose NO is given (polymarket-api.md 11)."""
    foreign_cash: Usd = Usd(0)
    """Of a redemption: the part of ``cash`` that is paid for shares which are not in our book."""


class Baseline(msgspec.Struct, frozen=True):
    """What the chain said just before a job was sent: what its outcome is judged by."""

    nonce: int | None
    """Of the wallet's next transaction, which is this job's: no two with the same are ever carried out. None where the
    relayer tells another than the wallet's."""
    unix: float
    """When the job was sent, seconds."""
    cash: Usd | None = None
    """None where it could not be read."""
    holdings: tuple[Shares, ...] | None = None
    """Of the tokens of the job's legs, in their order."""
    deadline_unix: float | None = None
    """When the transaction expires by itself, seconds; None when it does not."""
