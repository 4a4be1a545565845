"""When clock, journal and loop of the session forbid new orders."""

import pytest

from core.events import ClockSeen, JournalSeen, LoopSeen
from core.risk.vitals import Vitals


@pytest.mark.parametrize(
    ("skew_s", "severity", "forbids"),
    [(0.9, None, False), (1.0, None, False), (-1.2, "warning", False), (3.0, "warning", False), (-3.1, "alarm", True)],
)
def test_a_clock_that_is_off_warns_and_then_forbids(skew_s: float, severity: str | None, forbids: bool) -> None:
    vitals = Vitals()
    notes = vitals.take_clock(ClockSeen(skew_s))
    assert [note.severity for note in notes] == ([severity] if severity else [])
    assert bool(vitals.clock) == forbids
    assert vitals.take_clock(ClockSeen(skew_s)) == [], "it is told once"
    assert len(vitals.take_clock(ClockSeen(0.0))) == bool(severity)
    assert vitals.clock == ""


def test_a_clock_says_which_way_it_is_off() -> None:
    vitals = Vitals()
    vitals.take_clock(ClockSeen(-4.25))
    assert vitals.clock == "our clock is 4.2 s behind the venue's"


def test_nobody_asked_means_nothing() -> None:
    assert (Vitals().clock, Vitals().journal, Vitals().lag(0.0)) == ("", "", "")


def test_a_journal_that_waits_for_the_disk_forbids_and_then_kills() -> None:
    vitals = Vitals()
    assert vitals.take_journal(JournalSeen(1.9)) == [] and vitals.journal == ""
    (note,) = vitals.take_journal(JournalSeen(2.0))
    assert note.severity == "alarm"
    assert vitals.journal == "the journal has been waiting for the disk for 2 s"
    assert vitals.take_journal(JournalSeen(4.9)) == [] and not vitals.kills
    assert vitals.take_journal(JournalSeen(5.0)) == [] and vitals.kills
    assert len(vitals.take_journal(JournalSeen(0.0))) == 1 and vitals.journal == ""


def test_a_loop_that_stood_still_wants_every_book_proven_anew() -> None:
    vitals = Vitals()
    assert len(vitals.take_loop(LoopSeen(1.4), 100.0)) == 1
    assert vitals.lag(99.9) == "the loop stood still for 1.4 s: waiting for a fresh book"
    assert vitals.lag(100.1), "what came at once had waited in the socket"
    assert vitals.lag(100.3) == ""
