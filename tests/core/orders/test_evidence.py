"""What proves that an order is not at the venue, and what does not (reliability.md 4.3)."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.orders.evidence import APART_SEC, READS_WANTED, RECENT_GUARD_SEC, Evidence
from tests.builders import laws

SENT = 100.0
FIRST = SENT + RECENT_GUARD_SEC
"""Earliest moment to ask something that counts."""
SECOND = FIRST + APART_SEC


def complete() -> Evidence:
    """All but one step of a proof: two reads by id and the list; the trades are missing."""
    evidence = Evidence(SENT)
    evidence.absent(FIRST)
    evidence.absent(SECOND)
    evidence.unlisted(SECOND)
    return evidence


def test_two_reads_a_list_and_the_trades_are_a_proof() -> None:
    evidence = complete()
    assert evidence.wants_lists and not evidence.proves_absence
    evidence.traded(SECOND)
    assert evidence.proves_absence and not evidence.wants_lists
    assert evidence.words() == "read 2 of 2, not listed, trades read"


@pytest.mark.parametrize("asked_s", [SENT - 50, SENT, FIRST - 0.01])
def test_what_was_asked_too_early_says_nothing(asked_s: float) -> None:
    """The order may have been on its way still."""
    evidence = Evidence(SENT)
    evidence.absent(asked_s)
    assert (evidence.absences, evidence.counts(asked_s)) == (0, False)


@pytest.mark.parametrize("again_s", [FIRST, FIRST + APART_SEC - 0.01, FIRST - 1])
def test_two_reads_close_together_are_one(again_s: float) -> None:
    evidence = Evidence(SENT)
    evidence.absent(FIRST)
    evidence.absent(again_s)
    assert evidence.absences == 1


@pytest.mark.parametrize("take", [Evidence.unlisted, Evidence.traded])
@pytest.mark.parametrize(("reads", "asked_s"), [(0, SECOND + 9), (1, SECOND + 9), (2, SECOND - 0.01)])
def test_lists_count_only_after_the_reads(take: Callable[[Evidence, float], None], reads: int, asked_s: float) -> None:
    """An order that landed late may be filled between a list and a read; the list has to be the last word."""
    evidence = Evidence(SENT)
    for number in range(reads):
        evidence.absent(FIRST + number * APART_SEC)
    take(evidence, asked_s)
    assert (evidence.is_unlisted, evidence.is_traded) == (False, False)


def test_nobody_asks_for_lists_before_the_reads() -> None:
    """Lists are dear: each walks all pages."""
    evidence = Evidence(SENT)
    evidence.absent(FIRST)
    assert not evidence.wants_lists
    assert evidence.words() == "read 1 of 2, list wanted, trades wanted"


@laws(300)
@given(st.lists(st.tuples(st.sampled_from(["absent", "unlisted", "traded"]), st.floats(90.0, 130.0)), max_size=14))
def test_a_proof_is_never_had_for_less(asked: list[tuple[str, float]]) -> None:
    """In whatever order answers come, late ones included: the law is told by the moments of asking alone."""
    evidence = Evidence(SENT)
    for kind, asked_s in asked:
        getattr(evidence, kind)(asked_s)
    if not evidence.proves_absence:
        return
    reads = [at for kind, at in asked if kind == "absent" and at >= FIRST]
    assert len(reads) >= READS_WANTED and max(reads) - min(reads) >= APART_SEC
    for kind in ("unlisted", "traded"):
        assert any(at >= min(reads) + APART_SEC for name, at in asked if name == kind)
