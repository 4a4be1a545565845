"""The daily loss limit."""

from core.risk.loss import DAY_SEC, ConfirmedLoss, DailyLoss, LossState
from core.units import Usd
from tests.core.quoting.arrange import usd

MIDNIGHT = 20_000.0 * DAY_SEC
NO_FLOW = Usd(0)


def test_limit_is_per_cent_of_the_days_opening_equity() -> None:
    loss = DailyLoss(1.0)
    marks = [loss.mark(MIDNIGHT + n, usd(equity), NO_FLOW) for n, equity in enumerate((1000, 990.01, 990, 1000))]
    assert [mark.is_latched for mark in marks] == [False, False, True, True]
    assert [mark.is_over for mark in marks] == [False, False, True, False]


def test_flows_are_no_profit_and_the_first_mark_ignores_them() -> None:
    loss = DailyLoss(1.0)
    loss.mark(MIDNIGHT, usd(1000), usd(500))
    assert loss.mark(MIDNIGHT + 1, usd(1200), usd(200)).loss == 0.0
    assert loss.mark(MIDNIGHT + 2, usd(700), usd(-500)).loss == 0.0


def test_latch_survives_a_restart_and_clears_with_the_day() -> None:
    loss = DailyLoss(1.0)
    loss.mark(MIDNIGHT, usd(1000), NO_FLOW)
    loss.mark(MIDNIGHT + 1, usd(900), NO_FLOW)
    again = DailyLoss(1.0, loss.state)
    assert loss.state == LossState(20_000, usd(1000), NO_FLOW, True)
    assert again.mark(MIDNIGHT + 2, usd(1000), NO_FLOW).is_latched
    assert not again.mark(MIDNIGHT + DAY_SEC, usd(900), NO_FLOW).is_latched


def test_clock_that_steps_back_does_not_start_a_new_day() -> None:
    loss = DailyLoss(1.0)
    loss.mark(MIDNIGHT, usd(1000), NO_FLOW)
    assert loss.mark(MIDNIGHT - 5, usd(900), NO_FLOW) == loss.mark(MIDNIGHT + 1, usd(900), NO_FLOW)
    assert loss.state is not None and loss.state.day == 20_000


def test_a_latch_stays_whatever_the_marks_say() -> None:
    loss = DailyLoss(1.0)
    loss.mark(MIDNIGHT, usd(1000), NO_FLOW)
    loss.latch()
    assert loss.mark(MIDNIGHT + 1, usd(1000), NO_FLOW).is_latched


def test_nothing_to_lose_means_no_new_risk() -> None:
    mark = DailyLoss(1.0).mark(MIDNIGHT, usd(0), NO_FLOW)
    assert (mark.loss, mark.is_latched) == (0.0, True)


def latches(*marks: tuple[float, float]) -> list[bool]:
    loss = ConfirmedLoss(DailyLoss(1.0))
    loss.mark(MIDNIGHT, usd(1000), NO_FLOW)
    return [loss.mark(MIDNIGHT + t, usd(equity), NO_FLOW).is_latched for t, equity in marks]


def test_one_absurd_mark_does_not_trip_the_limit() -> None:
    assert latches((1, 10), (2, 1000), (3, 1000)) == [False, False, False]


def test_two_bad_marks_count_only_a_second_apart_and_without_a_good_one_between() -> None:
    assert latches((1, 900), (1.9, 900), (2, 900), (3, 1000)) == [False, False, True, True]
    assert latches((1, 900), (1.5, 1000), (2, 900), (3, 900)) == [False, False, False, True]


def test_flow_of_an_unconfirmed_mark_is_not_lost() -> None:
    loss = ConfirmedLoss(DailyLoss(1.0))
    loss.mark(MIDNIGHT, usd(1000), NO_FLOW)
    loss.mark(MIDNIGHT + 1, usd(400), usd(-500))
    assert loss.mark(MIDNIGHT + 2, usd(500), NO_FLOW).loss == 0.0
