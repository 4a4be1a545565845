"""The way back of a lost book: bounded, ever slower, and never given up."""

import math

from core.market.recovery import Durations, Recovery


def climb(recovery: Recovery, until_s: float) -> list[tuple[float, str]]:
    """Every step and its time while nothing helps."""
    steps = []
    while recovery.due_s <= until_s:
        now = recovery.due_s
        steps.append((now, recovery.step(now)))
    return steps


def test_a_loss_is_read_at_once_then_subscribed_again_then_connected_anew() -> None:
    recovery = Recovery()
    recovery.begin(100.0)
    assert [step for _, step in climb(recovery, 112.9)] == [
        *("read", "read", "read"),
        *("resubscribe", "read", "reconnect", "read"),
    ]


def test_it_goes_on_ever_more_slowly_and_never_stops() -> None:
    """A market that cannot be read all night must not cost a request a second, nor be forgotten."""
    recovery = Recovery()
    recovery.begin(0.0)
    steps = climb(recovery, 3_600.0)
    first, last = [t for t, _ in steps if t < 60], [t for t, _ in steps if t >= 3_540]
    assert len(first) > 2 * len(last) > 0
    assert len(steps) < 3_600 / 12
    assert {step for t, step in steps if t > 3_000} == {"read", "resubscribe", "reconnect"}


def test_a_first_book_is_given_time() -> None:
    recovery = Recovery()
    recovery.expect(10.0)
    assert recovery.due_s == 13.0
    assert recovery.step(13.0) == "read"


def test_a_freeze_begins_with_the_subscription_and_the_second_with_the_socket() -> None:
    recovery = Recovery()
    recovery.thaw(10.0)
    assert recovery.step(10.0) == "resubscribe"
    recovery.done(11.0)
    recovery.thaw(300.0)
    assert recovery.step(300.0) == "reconnect"
    recovery.done(301.0)
    recovery.thaw(2_000.0)
    assert recovery.step(2_000.0) == "resubscribe", "an hour later it is the first again"


def test_it_knows_how_long_it_took() -> None:
    recovery = Recovery()
    recovery.begin(10.0)
    recovery.step(10.0)
    recovery.begin(10.5)
    assert recovery.done(12.0) == 2.0, "a loss within a recovery does not start the clock again"
    assert (recovery.last_s, recovery.due_s) == (2.0, math.inf)
    assert recovery.done(13.0) is None


def test_a_first_book_is_no_recovery_but_one_after_an_outage_is() -> None:
    recovery = Recovery()
    recovery.expect(10.0)
    assert recovery.done(10.1) is None
    recovery.wait(20.0)
    assert recovery.due_s == math.inf
    recovery.expect(25.0)
    assert recovery.done(26.0) == 6.0, "the outage counts"


def test_durations_are_counted_below_their_bounds() -> None:
    durations = Durations()
    for seconds in (0.05, 0.1, 0.3, 700.0):
        durations.add(seconds)
    assert durations.counts == [2, 0, 1, 0, 0, 0, 0, 0, 0, 1]
    assert durations.sum_s == 700.45
