"""Rewards and rebates of a running engine: the venue's flags beside our reckoning, and what fills may bring back."""

from collections.abc import Sequence

import pytest

from core.actions import Action, Note, ReadScoring
from core.config import Settings
from core.events import ScoringSeen
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
