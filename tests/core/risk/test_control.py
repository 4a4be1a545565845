"""Control states: the strictest wins, each source keeps to its own, and timers outlive clocks and restarts."""

from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.risk.control import ACTIVE, RESUMABLE, STEP_SEC, Control, Controls, Source, allows_orders, strictest
from core.units import SIDES, Side
from core.views import ControlState
from tests.builders import laws

RISING: tuple[ControlState, ...] = ("ACTIVE", "REDUCE_ONLY", "PAUSED", "CANCEL_ONLY", "KILLED")
NOW, UNIX = 1_000.0, 1_800_000_000.0


def held(controls: Controls) -> list[tuple[str, str, Source, ControlState]]:
    return [(one.market, one.side, one.source, one.state) for one in controls.held()]


def a_control(state: ControlState = "PAUSED", market: str = "", side: Any = "", source: Source = "operator") -> Control:
    return Control(state, "why", source, author="jo", market=market, side=side)


def test_strictest_state_wins_whatever_the_order() -> None:
    for few in permutations(RISING, 3):
        wanted = max(few, key=RISING.index)
        assert strictest(*(Control(state, state) for state in few)) == Control(wanted, wanted)


def test_first_of_equally_strict_states_gives_the_reason() -> None:
    assert strictest(Control("PAUSED", "all"), Control("PAUSED", "market")).reason == "all"


@pytest.mark.parametrize("state", RISING)
def test_orders_are_allowed_in_the_two_mildest_states_only(state: ControlState) -> None:
    assert allows_orders(state) == (state in ("ACTIVE", "REDUCE_ONLY"))


def test_of_everything_that_concerns_an_order_the_strictest_holds() -> None:
    """All, one market, one side of all, one side of a market: each order is asked by market and side."""
    controls = Controls()
    controls.set(a_control("REDUCE_ONLY"), NOW, UNIX)
    controls.set(a_control("PAUSED", "m"), NOW, UNIX)
    controls.set(a_control("CANCEL_ONLY", "", "bid"), NOW, UNIX)
    controls.set(a_control("KILLED", "n", "ask"), NOW, UNIX)
    told = {(market, side): controls.of_side(market, side).state for market, side in product("mno", SIDES)}
    assert told == {
        ("m", "bid"): "CANCEL_ONLY", ("m", "ask"): "PAUSED", ("n", "bid"): "CANCEL_ONLY", ("n", "ask"): "KILLED",
        ("o", "bid"): "CANCEL_ONLY", ("o", "ask"): "REDUCE_ONLY",
    }  # fmt: skip
    whole = [controls.of_all().state, *(controls.of(market).state for market in "mno")]
    assert whole == ["REDUCE_ONLY", "PAUSED", "REDUCE_ONLY", "REDUCE_ONLY"], "what is one side's is not the market's"


def test_sources_do_not_touch_each_other() -> None:
    """What a protection lifts leaves an operator's pause where it is, and the other way round."""
    controls = Controls()
    controls.set(a_control("PAUSED", "m"), NOW, UNIX)
    controls.set(a_control("PAUSED", "m", source="markout"), NOW, UNIX)
    controls.set(a_control("REDUCE_ONLY", "", source="loss"), NOW, UNIX)
    assert controls.lift(["markout"], NOW, UNIX, market="m") == 1
    assert held(controls) == [("m", "", "operator", "PAUSED"), ("", "", "loss", "REDUCE_ONLY")]
    assert controls.lift(RESUMABLE, NOW, UNIX) == 0, "nobody's resume ends a loss"
    assert controls.lift(RESUMABLE, NOW, UNIX, market="m", side="bid") == 0, "a side is not its market"
    assert controls.lift(RESUMABLE, NOW, UNIX, market="m") == 1
    assert controls.of("m").state == "REDUCE_ONLY"


def test_a_state_says_itself_who_and_why() -> None:
    assert a_control("REDUCE_ONLY").words == "reduce-only: why, by jo"
    assert Control("PAUSED", "lunch").words == "paused: lunch"
    assert Control("PAUSED", author="jo", market="m", side="ask").told == "asks paused: by jo"
    assert a_control(side="bid").told == "all markets bids paused: why, by jo"


def test_a_timer_ends_by_the_monotonic_clock_whatever_the_wall_clock_says() -> None:
    """Somebody sets the machine's clock an hour ahead, then two back: a pause of a minute lasts a minute."""
    controls = Controls()
    controls.set(a_control(), NOW, UNIX, 60.0)
    assert controls.next_s() == NOW + 60.0
    for later, step in ((10.0, 3_600.0), (30.0, -7_200.0), (59.0, 0.0)):
        assert controls.expire(NOW + later, UNIX + later + step) == []
        assert controls.left_s(controls.held()[0], NOW + later) == 60.0 - later
    assert [one.state for one in controls.expire(NOW + 60.0, UNIX)] == ["PAUSED"]
    assert (controls.of_all(), controls.next_s()) == (ACTIVE, float("inf"))


def test_a_state_set_again_gets_its_new_timer_or_none() -> None:
    """The last word of a source on a scope counts, also when it is milder or has no end."""
    controls = Controls()
    controls.set(a_control("PAUSED"), NOW, UNIX, 10.0)
    controls.set(a_control("REDUCE_ONLY"), NOW, UNIX)
    assert controls.expire(NOW + 60, UNIX + 60) == []
    assert controls.of_all().state == "REDUCE_ONLY"


@pytest.mark.parametrize(("away_s", "left_s"), [(0.0, 60.0), (20.0, 40.0), (60.0, 0.0), (9e9, 0.0), (-9e9, 60.0)])
def test_a_restart_goes_on_with_what_is_left_of_a_timer(away_s: float, left_s: float) -> None:
    """The monotonic clock begins anew; a wall clock set back makes no timer longer than it was."""
    before, after = Controls(), Controls()
    before.set(a_control(), NOW, UNIX, 60.0)
    after.restore(before.take_changes(), 5.0, UNIX + away_s)
    assert after.left_s(after.held()[0], 5.0) == left_s
    assert bool(after.expire(5.0, UNIX + away_s)) == (left_s == 0.0)


@pytest.mark.parametrize("step_s", [-86_400.0, 86_400.0])
def test_a_wall_clock_that_was_set_costs_a_timer_nothing_over_a_restart(step_s: float) -> None:
    """Half a minute is left; the clock is set by a day, the session notes it, and the next one goes on from there."""
    before, after = Controls(), Controls()
    before.set(a_control(), NOW, UNIX, 60.0)
    before.keep_time(NOW + 30.0, UNIX + 30.0 + step_s)
    before.keep_time(NOW + 30.0 + STEP_SEC / 2, UNIX + 30.0 + step_s)  # no step, only a late look
    rows = before.take_changes()
    assert len(rows) == 2
    after.restore(rows[-1:], 0.0, UNIX + step_s + 40.0)
    assert after.left_s(after.held()[0], 0.0) == 20.0


def test_what_was_set_since_the_start_is_newer_than_what_is_restored() -> None:
    """An operator may act before the journal is read."""
    controls = Controls()
    controls.set(a_control("REDUCE_ONLY", "m"), NOW, UNIX)
    controls.restore([a_control("PAUSED", "m"), a_control("PAUSED", "n")], NOW, UNIX)
    assert held(controls) == [("n", "", "operator", "PAUSED"), ("m", "", "operator", "REDUCE_ONLY")]


def test_lifting_what_does_not_hold_is_no_change() -> None:
    """No row is written for it."""
    controls = Controls()
    controls.set(a_control("ACTIVE"), NOW, UNIX)
    assert controls.lift(RESUMABLE, NOW, UNIX) == 0
    assert not controls.has_changes


SCOPES = st.tuples(
    st.sampled_from(["", "m", "n"]), st.sampled_from(["", *SIDES]), st.sampled_from([*RESUMABLE, "loss"])
)
STEPS = st.lists(
    st.tuples(SCOPES, st.sampled_from(RISING), st.none() | st.floats(0.5, 50.0), st.floats(0.0, 30.0)), max_size=30
)


@laws(200)
@given(STEPS, st.integers(0, 30), st.floats(-1e6, 1e6))
def test_a_restart_at_any_moment_changes_no_answer(steps: list[Any], at: int, began: float) -> None:
    """Replaying the last row of each scope gives the same states with the same time left, however they came about."""
    controls, rows, now = Controls(), {}, NOW
    for number, ((market, side, source), state, for_s, wait_s) in enumerate(steps):
        controls.set(Control(state, str(number), source, market=market, side=side), now, UNIX + now, for_s)
        now += wait_s
        controls.expire(now, UNIX + now)
        rows |= {row.scope: row for row in controls.take_changes()}
        if number == at:
            left = [row for row in rows.values() if row.state != "ACTIVE"]
            restored = Controls()
            restored.restore(left, began, UNIX + now)
            shift = began - now
            assert {one.scope: one for one in restored.held()} == {one.scope: one for one in controls.held()}
            for one in restored.held():
                ours, theirs = restored.left_s(one, now + shift), controls.left_s(one, now)
                assert (ours is None) == (theirs is None) and abs((ours or 0.0) - (theirs or 0.0)) < 1e-3
            sides: list[tuple[str, Side]] = [(market, side) for market in ("m", "n") for side in SIDES]
            assert [restored.of_side(*one).state for one in sides] == [controls.of_side(*one).state for one in sides]
