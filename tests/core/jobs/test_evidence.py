"""What became of a job that was sent, judged by what relayer and chain show: every pair of signs has one reading."""

from typing import Any

import msgspec
import pytest

from core.jobs.evidence import (
    CONFIRMATIONS,
    DEADLINE_SLACK_SEC,
    GIVE_UP_SEC,
    SETTLE_SEC,
    Look,
    judge,
)
from core.jobs.job import Baseline, Job, JobKind, Leg
from core.units import MICRO, Shares, Usd

SENT = 1_790_000_000.0
BEFORE = (Shares(30 * MICRO), Shares(25 * MICRO))
DONE = (Shares(10 * MICRO), Shares(5 * MICRO))


def job(kind: JobKind = "merge") -> Job:
    change = Shares(-20 * MICRO)
    legs = (Leg(market="m", outcome="YES", token="1", change=change), Leg("m", "NO", "2", change))
    return Job(
        job_id=1, kind=kind, market="m", size=Shares(20 * MICRO), legs=legs, cash=Usd(20 * MICRO), route="relayer",
        by="operator", reason="asked for", created_unix=SENT,
    )  # fmt: skip


def judged(after_s: float = 5.0, kind: JobKind = "merge", deadline_s: float | None = None, **look: Any) -> Any:
    deadline = None if deadline_s is None else SENT + deadline_s
    baseline = Baseline(nonce=4, unix=SENT, cash=Usd(0), holdings=BEFORE, deadline_unix=deadline)
    verdict = judge(job(kind), baseline, Look(**look), SENT + after_s)
    return None if verdict is None else (verdict.state, verdict.amount, verdict.detail)


def state(after_s: float = 5.0, **look: Any) -> str | None:
    found = judged(after_s, **look)
    return None if found is None else found[0]


@pytest.mark.parametrize(
    ("word", "means"),
    [
        ("STATE_NEW", "sent"),
        ("STATE_EXECUTED", "sent"),
        ("STATE_MINED", "mined"),
        ("STATE_CONFIRMED", "confirmed"),
        ("STATE_FAILED", "failed"),
        ("STATE_INVALID", "failed"),
    ],
)
def test_the_relayers_word_counts_first(word: str, means: str) -> None:
    """Even where nonce and balances would say something else, because they are read at other moments."""
    assert state(relayer=word, nonce=4, holdings=BEFORE, error="reverted") == means


def test_a_word_nobody_knows_says_nothing() -> None:
    assert judged(relayer="STATE_DREAMING") is None


def test_a_receipt_counts_when_it_is_deep_enough() -> None:
    assert state(is_success=False, depth=1) == "failed"
    assert state(is_success=True, depth=CONFIRMATIONS - 1) == "mined"
    assert state(is_success=True, depth=CONFIRMATIONS) == "confirmed"


def test_only_a_redemption_has_an_amount_of_its_own() -> None:
    told = {"relayer": "STATE_CONFIRMED", "received": Usd(7)}
    assert judged(kind="redeem", **told) == ("confirmed", Usd(7), "")
    assert judged(kind="merge", **told) == ("confirmed", None, "")


def test_while_the_nonce_is_free_it_has_not_happened() -> None:
    """It may still, until its deadline; without one until nothing will send it any more."""
    assert state(nonce=4, pending=5) == "sent"
    assert judged(nonce=4)[2] == "nobody knows it, and nonce 4 is still free: not carried out so far"
    assert state(600.0 + DEADLINE_SLACK_SEC, deadline_s=600.0, nonce=4) == "unknown"
    late = 600.1 + DEADLINE_SLACK_SEC
    assert state(late, deadline_s=600.0, nonce=4, holdings=BEFORE) == "failed"
    assert state(late, deadline_s=600.0, holdings=DONE) == "confirmed", "whatever the relayer's nonce is of"
    assert state(late, deadline_s=600.0) == "unknown"
    assert state(GIVE_UP_SEC, nonce=4, holdings=BEFORE) == "unknown"
    assert state(GIVE_UP_SEC + 1, nonce=4, holdings=BEFORE) == "failed"


def test_once_the_nonce_is_used_the_balances_tell() -> None:
    """All moved as planned, none moved, or otherwise: then nobody can tell, and both numbers are shown."""
    assert state(nonce=5, holdings=DONE) == "confirmed"
    assert state(SETTLE_SEC, nonce=5, holdings=BEFORE) == "unknown", "the balances may be read before the nonce"
    assert state(SETTLE_SEC + 1, nonce=5, holdings=BEFORE) == "failed"
    assert state(nonce=5) == "unknown"
    assert judged(SETTLE_SEC + 1, nonce=5, holdings=(DONE[0], BEFORE[1])) == (
        "unknown", None, "nonce 4 is used, and balances moved otherwise: YES -20 of -20, NO 0 of -20",
    )  # fmt: skip


def test_a_redemption_that_paid_nothing_was_somebody_elses() -> None:
    """The AutoRedeemer was faster: the contract succeeds with no tokens, and books must not say that they were lost."""
    for look in ({"relayer": "STATE_CONFIRMED"}, {"is_success": True, "depth": CONFIRMATIONS}):
        assert judged(kind="redeem", received=Usd(0), **look) == (
            "failed", None, "it paid nothing: somebody else redeemed the tokens before",
        )  # fmt: skip
        assert judged(kind="redeem", received=None, **look)[0] == "confirmed", "nobody saw what it paid"  # type: ignore[arg-type]
        assert judged(kind="merge", received=Usd(0), **look)[0] == "confirmed"  # type: ignore[arg-type]


def test_a_redemption_takes_shares_along_that_are_not_ours() -> None:
    """It is over when no token is left, whatever part of them is in our book; of foreign shares alone cash tells."""
    gone = (Shares(0), Shares(0))
    assert judged(kind="redeem", nonce=5, holdings=gone)[0] == "confirmed"
    assert judged(SETTLE_SEC + 1, "redeem", nonce=5, holdings=BEFORE)[0] == "failed"
    assert judged(SETTLE_SEC + 1, "redeem", nonce=5, holdings=DONE)[0] == "unknown"
    foreign = msgspec.structs.replace(job("redeem"), legs=())
    baseline = Baseline(nonce=4, unix=SENT, cash=Usd(7), holdings=())
    for cash, state_ in (
        (Usd(7 + 20 * MICRO), "confirmed"),
        (Usd(7), "failed"),
        (Usd(8), "unknown"),
        (None, "unknown"),
    ):
        verdict = judge(foreign, baseline, Look(nonce=5, cash=cash, holdings=()), SENT + SETTLE_SEC + 1)
        assert verdict is not None and verdict.state == state_


def test_no_sign_at_all_is_no_verdict() -> None:
    assert judged() is None and judged(holdings=DONE) is None
    assert judge(job(), None, Look(nonce=9, holdings=DONE), SENT) is None
