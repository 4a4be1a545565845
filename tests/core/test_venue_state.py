"""What the venue lets us do, as far as it has told, and when nothing may be taken for granted any more."""

from typing import Any

import pytest

from core.events import BudgetSeen, HeartbeatSeen, VenueSeen
from core.risk.heartbeat import NO_NEW_SEC, PRESUMED_DEAD_SEC
from core.venue_state import VenueState
from tests.builders import notes

BEAT = HeartbeatSeen(acknowledged=True)
MISSED = HeartbeatSeen(acknowledged=False, detail="timeout")


def test_a_venue_without_heartbeats_is_quoted_at_from_the_start() -> None:
    assert VenueState(needs_heartbeat=False).trouble(0.0) == ""


def test_nothing_is_placed_before_the_first_heartbeat_is_acknowledged_nor_long_after_the_last() -> None:
    venue = VenueState(needs_heartbeat=True)
    assert venue.trouble(0.0) == "no heartbeat is acknowledged yet"
    venue.take_beat(MISSED, 1.0)
    assert venue.trouble(1.0) == "no heartbeat is acknowledged yet: timeout"
    venue.take_beat(BEAT, 2.0)
    assert venue.trouble(2.0 + NO_NEW_SEC - 0.1) == ""
    venue.take_beat(MISSED, 10.0)
    assert venue.trouble(2.0 + NO_NEW_SEC) == f"no heartbeat acknowledged for {NO_NEW_SEC:.0f} s: timeout"


def test_heartbeat_that_fails_is_told_once_and_again_when_it_works() -> None:
    venue = VenueState(needs_heartbeat=True)
    told = [notes(venue.take_beat(beat, at)[0]) for at, beat in enumerate([BEAT, MISSED, MISSED, BEAT, BEAT])]
    assert told == ["", "heartbeat: timeout", "", "heartbeats are acknowledged again", ""]


@pytest.mark.parametrize("is_awake", [True, False])
def test_silence_in_which_the_venue_may_have_cancelled_everything_is_told_with_the_next_heartbeat(
    is_awake: bool,
) -> None:
    """Also when nobody looked meanwhile, because the machine slept (reliability.md 4.7)."""
    venue = VenueState(needs_heartbeat=True)
    assert venue.take_beat(BEAT, 0.0)[1] is False, "before the first there was nothing to cancel"
    assert not venue.presumes_dead(PRESUMED_DEAD_SEC - 0.1)
    if is_awake:
        assert venue.presumes_dead(PRESUMED_DEAD_SEC)
        assert not venue.presumes_dead(PRESUMED_DEAD_SEC + 1), "told once"
    assert venue.take_beat(MISSED, PRESUMED_DEAD_SEC + 2)[1] is False
    assert venue.take_beat(BEAT, PRESUMED_DEAD_SEC + 3)[1] is True
    assert venue.take_beat(BEAT, PRESUMED_DEAD_SEC + 8)[1] is False, "once is enough"
    assert venue.presumes_dead(3 * PRESUMED_DEAD_SEC), "and the next silence counts anew"


def test_heartbeats_a_little_late_begin_nothing_anew() -> None:
    venue = VenueState(needs_heartbeat=True)
    for at in (0.0, PRESUMED_DEAD_SEC - 0.1, 2 * PRESUMED_DEAD_SEC - 0.2):
        assert venue.take_beat(BEAT, at)[1] is False


@pytest.mark.parametrize(
    ("mode", "words", "severity", "is_out"),
    [
        ("RESTARTING", "the venue is restarting: 425", "warning", True),
        ("CANCEL_ONLY", "the venue takes only cancels: 425", "warning", False),
        ("DISABLED", "the venue has disabled trading: 425", "alarm", True),
        ("POST_ONLY", "", "info", False),
    ],
)
def test_mode_forbids_what_it_forbids_and_is_told_once(mode: Any, words: str, severity: str, is_out: bool) -> None:
    """All our orders are post-only, so a post-only period changes nothing (polymarket-api.md 10.3)."""
    venue = VenueState(needs_heartbeat=False)
    [note], is_back = venue.take_mode(VenueSeen(mode, "425"), 5.0)
    assert (venue.trouble(6.0), note.severity, venue.is_out, is_back) == (words, severity, is_out, False)  # type: ignore[union-attr]
    assert venue.take_mode(VenueSeen(mode, "425 again"), 7.0) == ([], False)
    assert (venue.mode_since_s, venue.mode_detail) == (5.0, "425 again")


@pytest.mark.parametrize("before", ["RESTARTING", "DISABLED", "CANCEL_ONLY", "POST_ONLY"])
@pytest.mark.parametrize("after", ["NORMAL", "POST_ONLY", "CANCEL_ONLY", "RESTARTING", "DISABLED"])
def test_only_the_end_of_an_outage_makes_everything_doubtful(before: Any, after: Any) -> None:
    venue = VenueState(needs_heartbeat=False)
    venue.take_mode(VenueSeen(before), 1.0)
    is_back = venue.take_mode(VenueSeen(after), 2.0)[1]
    outages = ("RESTARTING", "DISABLED")
    assert is_back == (before in outages and after not in outages)


def test_shortage_of_the_buckets_is_told_when_it_begins_and_when_it_ends() -> None:
    venue = VenueState(needs_heartbeat=False)
    told = [venue.take_budget(BudgetSeen(short)) for short in ("cancels are short", "orders are short", "", "")]
    assert [notes(actions) for actions in told] == [
        "cancels are short",
        "",
        "the signer's buckets are full enough again",
        "",
    ]
    assert venue.trouble(0.0) == "", "a shortage holds back, it forbids nothing"
