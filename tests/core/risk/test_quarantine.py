"""Closed markets: how long, why, and who opens them."""

from hypothesis import given
from hypothesis import strategies as st

from core.risk.quarantine import COOL_OFF_SEC, FAILURES, FAILURES_SEC, Quarantine
from tests.builders import laws


def test_failed_trade_rests_its_market_alone_for_a_minute() -> None:
    quarantine = Quarantine()
    assert quarantine.failed("a", 100.0) is False
    assert (
        quarantine.why("a", 100.0) == quarantine.why("a", 100.0 + COOL_OFF_SEC - 0.1) == "quarantined: a trade failed"
    )
    assert quarantine.why("a", 100.0 + COOL_OFF_SEC) == "" == quarantine.why("b", 100.0)


def test_third_failure_within_an_hour_closes_for_good_and_the_operator_opens_again() -> None:
    quarantine = Quarantine()
    assert [quarantine.failed("a", at) for at in (0.0, 1_800.0, FAILURES_SEC)] == [False, False, True]
    assert "3 trades failed within an hour" in quarantine.why("a", 1e9)
    quarantine.release("a")
    assert quarantine.why("a", FAILURES_SEC) == ""
    assert quarantine.failed("a", FAILURES_SEC + 1) is False, "and counts anew"


def test_failures_that_are_further_apart_do_not_add_up() -> None:
    quarantine = Quarantine()
    assert not any(quarantine.failed("a", at * FAILURES_SEC / 2 + at) for at in range(12))


def test_longer_closure_stays_with_its_reason() -> None:
    quarantine = Quarantine()
    quarantine.close("a", "a contradiction")
    quarantine.failed("a", 5.0)
    assert quarantine.why("a", 1e9) == "quarantined: a contradiction"
    quarantine.close("b", "for a moment", 10.0)
    quarantine.close("b", "longer", 20.0)
    quarantine.close("b", "shorter", 15.0)
    assert [quarantine.why("b", at) for at in (5.0, 19.9, 20.0)] == ["quarantined: longer"] * 2 + [""]


def test_releasing_a_market_that_is_open_does_nothing() -> None:
    quarantine = Quarantine()
    quarantine.release("a")
    assert quarantine.why("a", 0.0) == ""


@laws(200)
@given(st.lists(st.floats(0.0, 3 * FAILURES_SEC), min_size=1, max_size=12))
def test_a_market_is_closed_for_good_exactly_when_so_many_failed_within_an_hour(times: list[float]) -> None:
    quarantine, times = Quarantine(), sorted(times)
    told = [quarantine.failed("a", at) for at in times]
    for number, at in enumerate(times):
        before = times[max(0, number - FAILURES + 1)]
        assert told[number] == (number >= FAILURES - 1 and at - before <= FAILURES_SEC)
    assert (quarantine.why("a", times[-1] + 1e6) != "") == any(told)
    assert quarantine.why("a", times[-1]) != ""


@laws(200)
@given(st.lists(st.floats(0.0, 3 * FAILURES_SEC), max_size=8), st.integers(0, 8), st.floats(0.0, FAILURES_SEC))
def test_a_restart_changes_nothing(times: list[float], before: int, pause: float) -> None:
    """What an earlier session was told counts as if this one had been told."""
    times, ahead = sorted(times), 1_000_000.0
    straight, second = Quarantine(), Quarantine()
    straight.close("b", "a contradiction")
    for at in times:
        straight.failed("a", at)
    told = times[:before]
    now = (told or [0.0])[-1]
    second.restore([("b", "a contradiction")], [("a", at + ahead) for at in told], now, now + ahead)
    for at in times[before:]:
        second.failed("a", at)
    for market in ("a", "b"):
        assert bool(straight.why(market, now + pause)) == bool(second.why(market, now + pause))


def test_a_clock_that_was_set_back_makes_no_closure_longer() -> None:
    quarantine = Quarantine()
    quarantine.restore([], [("a", 5_000.0)], 100.0, 1_000.0)
    assert [quarantine.why("a", 100.0 + at) != "" for at in (0.0, COOL_OFF_SEC)] == [True, False]
