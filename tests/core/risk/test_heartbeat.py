"""The chain of heartbeats: pace, resynchronisation, retries, forks."""

import math
from typing import Literal

import pytest

from core.errors import InvariantBroken
from core.events import HeartbeatSeen
from core.risk.heartbeat import FORKED, FORKED_SEC, PERIOD_SEC, RESEND_SEC, RETRY_SEC, HeartbeatChain

Status = Literal["ok", "mismatch", "failed"]


def beat(
    chain: HeartbeatChain, status: Status, heartbeat_id: str = "", *, sent: float, took: float = 0.1
) -> HeartbeatSeen:
    chain.send(sent)
    return chain.answered(status, heartbeat_id, "", sent + took)


def armed() -> HeartbeatChain:
    """A chain whose first beat was acknowledged at 0.1, with the id ``a``."""
    chain = HeartbeatChain()
    beat(chain, "ok", "a", sent=0.0)
    return chain


def test_the_first_beat_has_no_id_and_is_due_at_once() -> None:
    """The venue's chain begins with an empty id; nothing is armed before it answers."""
    chain = HeartbeatChain()
    assert chain.due_s <= 0.0 and not chain.is_armed
    assert chain.send(0.0) == ""
    assert chain.answered("ok", "a", "", 0.2) == HeartbeatSeen(acknowledged=True)
    assert chain.is_armed


def test_beats_are_chained_and_paced_from_the_send() -> None:
    """Paced from the answer, a slow venue would stretch the period towards its own deadline."""
    chain = armed()
    assert chain.due_s == PERIOD_SEC
    assert chain.send(5.0) == "a"
    chain.answered("ok", "b", "", 7.5)
    assert chain.due_s == 10.0 and chain.send(10.0) == "b"


def test_two_beats_are_never_in_flight() -> None:
    """The second would carry a used id and look like a fork."""
    chain = HeartbeatChain()
    chain.send(0.0)
    assert chain.due_s == math.inf
    with pytest.raises(InvariantBroken):
        chain.send(1.0)


def test_a_mismatch_is_answered_with_the_expected_id_within_a_second() -> None:
    """reliability.md X23: one foreign id is no failure."""
    chain = armed()
    seen = beat(chain, "mismatch", "x", sent=5.0)
    assert not seen.acknowledged and not seen.forked
    assert chain.due_s == pytest.approx(5.1 + RESEND_SEC) and RESEND_SEC < 1.0
    assert chain.send(5.6) == "x"
    assert chain.answered("ok", "y", "", 5.7).acknowledged and not chain.is_forked


@pytest.mark.parametrize("between", [False, True])
def test_foreign_ids_again_and_again_are_a_fork(between: bool) -> None:
    """reliability.md X24: in a row, or on each beat with an accepted resend between."""
    chain, now, forked = armed(), 5.0, False
    for turn in range(FORKED):
        forked = beat(chain, "mismatch", f"x{turn}", sent=now).forked
        assert forked == (turn == FORKED - 1)
        if between and not forked:
            beat(chain, "ok", f"y{turn}", sent=now + 0.6)
        now += 5.6
    assert chain.is_forked and chain.due_s == math.inf
    with pytest.raises(InvariantBroken):
        chain.send(now)


def test_foreign_ids_far_apart_are_no_fork() -> None:
    """A kill of the session for three oddities of a day would cost more than it saves."""
    chain = armed()
    for turn in range(3 * FORKED):
        sent = 5.0 + turn * (FORKED_SEC / (FORKED - 1) + 1)
        assert not beat(chain, "mismatch", f"x{turn}", sent=sent).forked
        beat(chain, "ok", f"y{turn}", sent=sent + 1)


def test_a_mismatch_after_a_lost_answer_is_our_own_doing() -> None:
    """The beat was accepted and its answer lost: the id that the venue expects now is ours."""
    chain = armed()
    for turn in range(3 * FORKED):
        beat(chain, "failed", sent=5.0 + 2 * turn)
        assert not beat(chain, "mismatch", f"x{turn}", sent=6.0 + 2 * turn).forked
    assert not chain.is_forked


def test_the_chain_of_an_earlier_session_is_taken_over() -> None:
    """The venue never forgets an armed key, so a restart begins with a mismatch."""
    chain = HeartbeatChain()
    assert not beat(chain, "mismatch", "old", sent=0.0).forked
    assert chain.send(0.6) == "old"
    assert not chain.is_armed


def test_a_mismatch_without_an_id_begins_the_chain_anew() -> None:
    """The expected id may be empty (polymarket-api.md 4.3)."""
    chain = armed()
    beat(chain, "mismatch", "", sent=5.0)
    assert chain.send(5.6) == ""


def test_failures_are_retried_faster_than_the_period_and_keep_the_id() -> None:
    """1, 2, 4 s: two lost beats must not become a dead-man's cancel."""
    chain, pauses, now = armed(), list[float](), 5.0
    for _ in range(4):
        assert chain.send(now) == "a"
        seen = chain.answered("failed", "", "HTTP 500", now)
        assert seen == HeartbeatSeen(acknowledged=False, detail="HTTP 500")
        pauses.append(chain.due_s - now)
        now = chain.due_s
    assert pauses == [*RETRY_SEC, RETRY_SEC[-1]]
    beat(chain, "ok", "b", sent=now)
    beat(chain, "failed", sent=now + 5, took=0.0)
    assert chain.due_s == now + 5 + RETRY_SEC[0], "a success starts the pauses anew"
