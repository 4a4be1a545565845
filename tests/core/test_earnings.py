"""Rewards and rebates of a running engine: the venue's flags beside our reckoning, and what fills may bring back."""

from collections.abc import Sequence

import pytest

from core.actions import Action, Note, ReadScoring
from core.config import Settings
from core.earnings import DAY_SEC, MOST_SEC, SAMPLE_SEC, Earnings, Estimate
from core.events import OperatorCommand, OrderSeen, ScoringSeen
from core.lab.simulation import Onlooker, Simulation
from core.market.fees import FeeSchedule
from core.orders.order import State
from core.quoting.scoring import SCORING_SEC
from tests.builders import Driver, VenueBook, a_market, notes, shares


def a_programme(**over: object) -> VenueBook:
    """A market that pays 40 dollars a day for 20 shares within 4.5 cents."""
    terms = {"reward_min_size": shares(20), "reward_max_spread_cents": 4.5, "reward_daily_usd": 40.0}
    return VenueBook(a_market(**terms | over))  # type: ignore[arg-type]


def test_the_venue_is_asked_about_all_resting_orders_at_once_and_seldom() -> None:
    driver = Driver(a_programme()).quoting()
    driver.actions.clear()
    driver.pass_time(4 * SCORING_SEC)
    questions = [action for action in driver.actions if isinstance(action, ReadScoring)]
    assert 3 <= len(questions) <= 5
    resting = [order.order_id for order in driver.orders(State.LIVE)]
    assert sorted(questions[-1].order_ids) == sorted(resting) and len(resting) > 1


@pytest.mark.parametrize("missing", ["reward_min_size", "reward_max_spread_cents"])
def test_without_a_programme_nobody_is_asked(missing: str) -> None:
    driver = Driver(a_programme(**{missing: None})).quoting()
    driver.pass_time(4 * SCORING_SEC)
    assert not [action for action in driver.actions if isinstance(action, ReadScoring)]
    assert driver.engine.earnings.estimate(driver.desk, driver.now) is None


def test_orders_that_should_score_and_do_not_are_told_after_the_second_answer() -> None:
    """One answer may cross a move of the midpoint; two half a minute apart are a programme that changed."""
    driver = Driver(a_programme()).quoting()
    driver.pass_time(5.0)
    found = driver.engine.earnings.estimate(driver.desk, driver.now)
    assert found is not None and any(score.reason == "ok" for score in found.orders)
    said_no = ScoringSeen(scoring=tuple((score.order_id, False) for score in found.orders))
    assert notes(driver.send(said_no)) == ""
    (note,) = (action for action in driver.send(said_no) if isinstance(action, Note))
    assert note.severity == "warning" and "should score" in note.text
    assert notes(driver.send(said_no)) == "", "told once"
    said_yes = ScoringSeen(scoring=tuple((score.order_id, True) for score in found.orders))
    assert notes(driver.send(said_yes)) == ""
    assert driver.engine.earnings.scoring.flag(found.orders[0].order_id) is True


def test_worth_of_an_order_is_what_its_market_would_earn_less_without_it() -> None:
    """And fills count at the markouts they had: an order that earns rewards may cost more than it brings."""
    driver = Driver(a_programme()).quoting()
    driver.pass_time(5.0)
    earnings, desk = driver.engine.earnings, driver.desk
    found = earnings.estimate(desk, driver.now)
    assert found is not None and found.usd_per_day is not None
    before = earnings.worth(desk, found, driver.now)
    scoring = [score for score in found.orders if score.points > 0.0]
    assert len(before) == len(scoring) > 1
    assert all(0.0 < one.value.reward < found.usd_per_day and one.value.trading == 0.0 for one in before)
    first = next(order for order in driver.orders(State.LIVE) if (order.side, order.layer) == ("bid", 0))
    driver.fill(first, size=5)
    driver.pass_time(3.0)
    again = earnings.estimate(desk, driver.now)
    assert again is not None
    [traded] = [one for one in earnings.worth(desk, again, driver.now) if (one.side, one.layer) == ("bid", 0)]
    assert traded.value.trading > 0.0, "bought below the fair value, which stood still"


def test_an_answer_about_orders_that_are_gone_changes_nothing() -> None:
    driver = Driver(a_programme()).quoting()
    assert driver.send(ScoringSeen(scoring=(("stranger", False),))) == []


def test_a_fill_may_bring_a_rebate_and_a_voided_one_takes_it_back() -> None:
    """100 shares at 45 cents, rate 0.04, a quarter: 24.75 cents."""
    driver = Driver(a_programme(fees=FeeSchedule(rate=40_000, rebate=250_000))).quoting()
    order = max((o for o in driver.orders() if o.side == "bid"), key=lambda o: o.yes_price)
    driver.fill(order, 100, trade="one")
    price = order.yes_price / 100
    rebates = driver.engine.earnings.rebates
    assert rebates[driver.desk.market] == pytest.approx(0.25 * 0.04 * price * (1 - price) * 100)
    driver.fill(order, 100, settlement="failed", trade="one")
    assert rebates[driver.desk.market] == pytest.approx(0)


def test_a_market_whose_fees_nobody_told_promises_no_rebate() -> None:
    driver = Driver(a_programme()).quoting()
    driver.fill(next(o for o in driver.orders() if o.side == "bid"), 10)
    assert driver.engine.earnings.rebates == {}


def sampled(driver: Driver, seconds: float, unix: float = 1_000.0, step_s: float = 1.0) -> Earnings:
    """Earnings of their own beside a driver's engine, sampled every so often; nothing moves meanwhile."""
    earnings = Earnings(driver.engine.desks, driver.engine.orders)
    for n in range(round(seconds / step_s) + 1):
        earnings.sample(driver.now + n * step_s, unix + n * step_s)
    return earnings


def test_estimates_add_up_what_rests_minute_by_minute() -> None:
    """An hour at the present share, whatever the pace of the samples: share of the pool times time."""
    driver = Driver(a_programme()).quoting()
    driver.pass_time(5.0)
    found = driver.engine.earnings.estimate(driver.desk, driver.now)
    assert found is not None and found.usd_per_day
    for step_s in (0.7, 1.0, 59.0, 61.0):
        earnings = sampled(driver, 3_600.0, step_s=step_s)
        [estimate] = earnings.take_estimates()
        assert (estimate.day, estimate.market, estimate.rebate) == (0, driver.desk.market, 0)
        assert 3_600 - 2 * SAMPLE_SEC <= estimate.sampled_s <= 3_601
        expected = found.usd_per_day * estimate.sampled_s / DAY_SEC * 1e6
        assert isinstance(estimate.reward, int) and estimate.reward == pytest.approx(expected, abs=60)
        assert earnings.take_estimates() == [], "only what came since"


def test_a_day_begins_at_midnight_utc() -> None:
    driver = Driver(a_programme()).quoting()
    earnings = sampled(driver, 1_200.0, unix=3 * DAY_SEC - 600.0)
    first, second = earnings.take_estimates()
    assert (first.day, second.day) == (2, 3)
    assert first.sampled_s == pytest.approx(600, abs=61) and second.sampled_s == pytest.approx(600, abs=61)


def test_time_that_nobody_looked_at_is_not_guessed() -> None:
    """A machine that slept, or a session that stood still."""
    driver = Driver(a_programme()).quoting()
    earnings = sampled(driver, 36_000.0, step_s=3_600.0)
    assert sum(each.sampled_s for each in earnings.take_estimates()) == 10 * MOST_SEC


def test_without_orders_or_a_known_pool_nothing_is_sampled() -> None:
    silent = Driver(a_programme())
    untold = Driver(a_programme(reward_daily_usd=None)).quoting()
    assert sampled(silent, 600.0).take_estimates() == [] == sampled(untold, 600.0).take_estimates()
    paused = Driver(a_programme()).quoting()
    paused.send(OperatorCommand(act="pause_all"))
    paused.pass_time(10.0)
    for order in paused.orders():
        paused.send(OrderSeen(order_id=order.order_id, status="cancelled", matched=shares(0)))
    assert paused.orders() == [] == sampled(paused, 600.0).take_estimates(), "there would be a midpoint"


def test_many_markets_take_turns_within_the_minute() -> None:
    driver = Driver(*(a_programme(market=f"0x{n:064x}", yes=f"{n}1", no=f"{n}2") for n in range(1, 4))).quoting()
    earnings = Earnings(driver.engine.desks, driver.engine.orders)
    counts = []
    for n in range(62):
        earnings.sample(driver.now + n, 1_000.0 + n)
        counts.append(len(earnings.take_estimates()))
    assert max(counts) == 1 and sum(counts) == 3


def test_rebates_count_for_the_day_of_their_fill_and_failed_ones_are_taken_back() -> None:
    driver = Driver(a_programme(fees=FeeSchedule(rate=40_000, rebate=250_000))).quoting()
    order = max((o for o in driver.orders() if o.side == "bid"), key=lambda o: o.yes_price)
    driver.fill(order, 100, trade="one")
    price = order.yes_price / 100
    [tracked] = driver.engine.orders.book.open_in(driver.desk.market)
    expected = round(0.25 * 0.04 * price * (1 - price) * 100 * 1e6)
    day = int(tracked.fill.unix // DAY_SEC)
    taken = [each for each in driver.engine.earnings.take_estimates() if each.rebate]
    assert [(each.day, each.rebate) for each in taken] == [(day, expected)]
    driver.fill(order, 100, settlement="failed", trade="one")
    assert Estimate(day, driver.desk.market, 0, -expected, 0.0) in driver.engine.earnings.take_estimates()  # type: ignore[arg-type]


def test_beside_a_whole_exchange_our_reckoning_and_its_flags_agree() -> None:
    """Ten minutes of other makers, fills and moves: no false alarm, and nearly all flags as reckoned at that moment."""
    alarms: list[str] = []

    class Listener(Onlooker):
        def acted(self, actions: Sequence[Action]) -> None:
            alarms.extend(action.text for action in actions if isinstance(action, Note) and "score" in action.text)

    simulation = Simulation(Settings(), seed=3, onlooker=Listener())
    agreed, disputed = 0, 0
    for _ in range(60):
        simulation.run(10)
        engine = simulation.engine
        (desk,) = engine.desks.values()
        found = engine.earnings.estimate(desk, simulation.now_s)
        assert found is not None
        for score in found.orders:
            same = simulation.exchange.is_scoring(score.order_id) is (score.reason == "ok")
            agreed, disputed = agreed + same, disputed + (not same)
    assert agreed > 100 and disputed < agreed / 20 and alarms == []
