"""What an operator asked of one market's quotes: bounds, fading, ends, and what replaces what."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import OperatorCommand
from core.quoting.adjust import (
    LONGEST_S,
    SHIFT_LIMIT,
    SIZE_LIMIT,
    STEP,
    WIDEN_LIMIT,
    AdjustmentRefused,
    Adjustments,
    adjusted,
)

NOW = 1_000.0
NONE = Adjustments()


def after(*commands: dict[str, Any], now: float = NOW) -> Adjustments:
    """What is in force after commands given at one moment."""
    adjustments = NONE
    for command in commands:
        adjustments = adjusted(adjustments, OperatorCommand(**command), now, 1000)
    return adjustments


def test_without_adjustments_nothing_changes_and_nothing_is_due() -> None:
    assert NONE.at(NOW) == (0.0, 0.0, "both", 1.0, math.inf)
    assert NONE.words(NOW) == "no adjustments"


def test_kinds_add_up_to_one_stance() -> None:
    both = after(
        {"act": "widen", "amount": 2.0}, {"act": "shift", "amount": -3.0}, {"act": "one_side", "sides": "ask"},
        {"act": "size", "amount": 0.5},
    )  # fmt: skip
    assert both.at(NOW + 5) == (2.0, -3.0, "ask", 0.5, math.inf)


def test_widening_steps_from_what_is_left_and_others_replace() -> None:
    assert after({"act": "widen"}, {"act": "widen"}, {"act": "tighten", "amount": 0.5}).at(NOW).widen_ticks == 1.5
    assert after({"act": "shift", "amount": 4.0}, {"act": "shift", "amount": -1.0}).at(NOW).shift_ticks == -1.0
    assert after({"act": "size", "amount": 0.5}, {"act": "size", "amount": 2.0}).at(NOW).size_factor == 2.0
    assert after({"act": "one_side", "sides": "bid"}, {"act": "one_side", "sides": "ask"}).at(NOW).sides == "ask"


def test_another_grid_keeps_the_dollars() -> None:
    """Three cents wider stay three cents when the tick becomes a tenth of one."""
    adjustments = adjusted(Adjustments(), OperatorCommand(act="widen", amount=3.0), 0.0, 1000)
    adjustments = adjusted(adjustments, OperatorCommand(act="size", amount=0.5), 0.0, 1000).onto(10.0)
    assert adjustments.at(1.0)[:4] == (30.0, 0.0, "both", 0.5)


def test_tightening_what_has_faded_takes_off_what_is_left_of_it() -> None:
    wide = after({"act": "widen", "amount": 4.0, "half_life_s": 10.0})
    once_less = adjusted(wide, OperatorCommand(act="tighten"), NOW + 10, 1000)
    assert once_less.at(NOW + 10).widen_ticks == pytest.approx(1.0)
    assert once_less.at(NOW + 20).widen_ticks == pytest.approx(0.5), "it fades as before"


def test_a_widening_brings_its_own_times_or_keeps_those_in_force() -> None:
    wide = after({"act": "widen", "amount": 4.0, "for_s": 60.0})
    kept = adjusted(wide, OperatorCommand(act="widen"), NOW + 30, 1000)
    assert (kept.at(NOW + 59).widen_ticks, kept.at(NOW + 60).widen_ticks) == (5.0, 0.0)
    renewed = adjusted(wide, OperatorCommand(act="widen", for_s=60.0), NOW + 30, 1000)
    assert (renewed.at(NOW + 89).widen_ticks, renewed.at(NOW + 90).widen_ticks) == (5.0, 0.0)


def test_an_end_comes_at_its_time_and_is_announced() -> None:
    short = after({"act": "one_side", "sides": "bid", "for_s": 30.0}, {"act": "size", "amount": 0.0, "for_s": 20.0})
    assert short.at(NOW) == (0.0, 0.0, "bid", 0.0, NOW + 20)
    assert short.at(NOW + 20) == (0.0, 0.0, "bid", 1.0, NOW + 30)
    assert short.at(NOW + 30) == (0.0, 0.0, "both", 1.0, math.inf)
    assert short.pruned(NOW + 20).in_force == short.in_force[:1]
    assert short.pruned(NOW) is short
    assert short.pruned(NOW + 30) == NONE


def test_half_of_the_way_to_neutral_is_gone_after_a_half_life() -> None:
    fading = after(
        {"act": "widen", "amount": 4.0, "half_life_s": 10.0}, {"act": "shift", "amount": -8.0, "half_life_s": 5.0},
        {"act": "size", "amount": 0.2, "half_life_s": 10.0},
    )  # fmt: skip
    at = fading.at(NOW + 10)
    assert (at.widen_ticks, at.shift_ticks, at.size_factor) == pytest.approx((2.0, -2.0, 0.6))
    assert fading.at(NOW + 10_000) == (0.0, 0.0, "both", 1.0, math.inf), "what has faded to nothing is over"


def test_reset_ends_everything() -> None:
    assert after({"act": "widen"}, {"act": "one_side", "sides": "bid"}, {"act": "reset"}) == NONE


def test_what_changes_nothing_is_not_kept() -> None:
    assert after({"act": "widen"}, {"act": "tighten"}) == NONE
    assert after({"act": "one_side", "sides": "bid"}, {"act": "one_side"}) == NONE
    assert after({"act": "size", "amount": 0.5}, {"act": "size"}) == NONE
    assert after({"act": "shift", "amount": 0.0}) == NONE


def test_words_tell_kind_amount_fading_and_what_is_left() -> None:
    text = after(
        {"act": "widen", "amount": 2.5, "half_life_s": 60.0}, {"act": "shift", "amount": -3.0, "for_s": 120.0},
        {"act": "one_side", "sides": "ask"}, {"act": "size", "amount": 0.5},
    ).words(NOW + 20)  # fmt: skip
    assert text == ("half-spread +1.984 ticks, halves every 60 s; fair -3 ticks, 100 s left; ask only; sizes x0.5")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("act", ["widen", "tighten", "shift", "size"])
def test_no_number_is_refused(act: Any, bad: float) -> None:
    for payload in ({"amount": bad}, {"half_life_s": bad}, {"for_s": bad}):
        with pytest.raises(AdjustmentRefused):
            after({"act": act, **payload})


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ({"act": "widen", "amount": -1.0}, "0 .. 40 ticks"),
        ({"act": "widen", "amount": WIDEN_LIMIT + 0.1}, "-20 .. 20 ticks"),
        ({"act": "tighten", "amount": WIDEN_LIMIT + 0.1}, "-20 .. 20 ticks"),
        ({"act": "shift", "amount": SHIFT_LIMIT + 1}, "-50 .. 50 ticks"),
        ({"act": "shift", "amount": -SHIFT_LIMIT - 1}, "-50 .. 50 ticks"),
        ({"act": "size", "amount": SIZE_LIMIT + 1}, "0 .. 5, not 6"),
        ({"act": "size", "amount": -0.1}, "0 .. 5"),
        ({"act": "widen", "half_life_s": 0.0}, "half-life must be above 0"),
        ({"act": "widen", "half_life_s": LONGEST_S * 2}, "at most"),
        ({"act": "size", "for_s": -1.0}, "holds for must be above 0"),
        ({"act": "one_side", "sides": "bid", "half_life_s": 5.0}, "cannot fade"),
        ({"act": "pause"}, "adjusts no quotes"),
    ],
)
def test_out_of_bounds_is_refused_with_what_is_allowed(command: dict[str, Any], hint: str) -> None:
    with pytest.raises(AdjustmentRefused, match=hint):
        after(command)


def test_refused_steps_leave_what_is_in_force() -> None:
    wide = after({"act": "widen", "amount": WIDEN_LIMIT})
    with pytest.raises(AdjustmentRefused, match="the widening in force"):
        adjusted(wide, OperatorCommand(act="widen"), NOW, 1000)
    assert wide.at(NOW).widen_ticks == WIDEN_LIMIT


times = st.none() | st.floats(0.1, LONGEST_S)
commands = st.one_of(
    st.builds(lambda act, amount, half, until: OperatorCommand(act=act, amount=amount, half_life_s=half, for_s=until),
              st.sampled_from(["widen", "tighten"]), st.floats(0, 2 * WIDEN_LIMIT), times, times),
    st.builds(lambda amount, half, until: OperatorCommand(act="shift", amount=amount, half_life_s=half, for_s=until),
              st.floats(-SHIFT_LIMIT, SHIFT_LIMIT), times, times),
    st.builds(lambda sides, until: OperatorCommand(act="one_side", sides=sides, for_s=until),
              st.sampled_from(["both", "bid", "ask"]), times),
    st.builds(lambda amount, half, until: OperatorCommand(act="size", amount=amount, half_life_s=half, for_s=until),
              st.floats(0, SIZE_LIMIT), times, times),
    st.just(OperatorCommand(act="reset")),
)  # fmt: skip
steps = st.lists(st.tuples(st.floats(0, 1_000), commands), max_size=8)


def run(history: list[tuple[float, OperatorCommand]], *, from_no: bool = False) -> tuple[Adjustments, float]:
    """Adjustments and time after commands; ``from_no`` gives them as seen by somebody who quotes NO."""
    adjustments, now = NONE, NOW
    for wait, command in history:
        now += wait
        try:
            adjustments = adjusted(adjustments, _as_no(command) if from_no else command, now, 1000)
        except AdjustmentRefused:
            continue
    return adjustments, now


def _as_no(command: OperatorCommand) -> OperatorCommand:
    amount = -command.amount if command.act == "shift" else command.amount
    other: dict[str, Any] = {"both": "both", "bid": "ask", "ask": "bid"}
    return OperatorCommand(
        act=command.act, amount=amount, sides=other[command.sides], half_life_s=command.half_life_s, for_s=command.for_s
    )


@given(steps, st.floats(0, 10_000))
def test_bounds_hold_after_any_history_and_at_any_time(history: Any, later: float) -> None:
    adjustments, now = run(history)
    at = adjustments.at(now + later)
    assert abs(at.widen_ticks) <= WIDEN_LIMIT and abs(at.shift_ticks) <= SHIFT_LIMIT
    assert 0.0 <= at.size_factor <= SIZE_LIMIT
    assert len({each.what for each in adjustments.in_force}) == len(adjustments.in_force)
    assert adjustments.pruned(now + later).at(now + later) == at


@given(steps, st.floats(0, 10_000))
def test_seen_from_no_the_same_acts_mirror(history: Any, later: float) -> None:
    (yes, now), (no, _) = run(history), run(history, from_no=True)
    ours, theirs = yes.at(now + later), no.at(now + later)
    assert theirs.widen_ticks == ours.widen_ticks
    assert theirs.shift_ticks == -ours.shift_ticks
    assert theirs.size_factor == ours.size_factor
    assert theirs.next_change_s == ours.next_change_s
    assert {ours.sides, theirs.sides} in ({"both"}, {"bid", "ask"})


@given(steps, st.floats(0, 1_000), st.floats(0.0, 1.0))
def test_between_now_and_the_next_change_nothing_moves_by_more_than_a_step(
    history: Any, later: float, part: float
) -> None:
    adjustments, now = run(history)
    before = adjustments.at(now + later)
    assert before.next_change_s > now + later
    if before.next_change_s == math.inf:
        return
    between = adjustments.at(now + later + part * 0.999 * (before.next_change_s - now - later))
    assert between.sides == before.sides
    for name in ("widen_ticks", "shift_ticks", "size_factor"):
        assert abs(getattr(between, name) - getattr(before, name)) <= STEP + 1e-9


def test_going_back_is_never_too_much() -> None:
    """A widening that a finer grid made ten times as many ticks can be taken off step by step."""
    wide = adjusted(Adjustments(), OperatorCommand(act="widen", amount=10.0), NOW, 100).onto(10.0)
    less = adjusted(wide, OperatorCommand(act="tighten", amount=10.0), NOW, 1000)
    assert less.at(NOW).widen_ticks == 90.0
    with pytest.raises(AdjustmentRefused):
        adjusted(wide, OperatorCommand(act="widen", amount=1.0), NOW, 1000)


def test_no_adjustment_is_wider_than_the_grid() -> None:
    """It would leave the market without quotes and with a reason that nobody understands."""
    with pytest.raises(AdjustmentRefused, match="-10"):
        adjusted(Adjustments(), OperatorCommand(act="shift", amount=11.0), NOW, 10)
