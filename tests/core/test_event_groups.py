"""Markets of one event in the engine: fair values that fit together, bids that sum to a dollar at most, one risk."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.desk import WAITS
from core.events import CancelAnswered
from core.orders.order import State
from core.quoting.groups import GroupView
from core.units import MICRO
from tests.builders import NOON, Driver, VenueBook, a_market, laws, shares
from tests.core.test_desk_stance import unproven

NAMES = ("0x" + "a1" * 32, "0x" + "b2" * 32, "0x" + "c3" * 32)


def event(*mids: int, size: int = 0, group: str = "0xgroup", **over: Any) -> Driver:
    """An engine that makes one market a mid, all of one event."""
    books = []
    for index, mid in enumerate(mids):
        item = a_market(
            market=NAMES[index],
            yes=f"{index}1",
            no=f"{index}2",
            neg_risk=True,
            group=group,
            group_size=size,
            end_unix=NOON + 90 * 86_400,
        )
        books.append(VenueBook(item, mid))
    return Driver(*books, **over)


def view_of(driver: Driver) -> GroupView:
    view = driver.engine.groups.view(driver.desk)
    assert view is not None
    return view


def dearest(driver: Driver, name: str) -> int:
    """Micro-dollars of the dearest own bid at risk."""
    orders = [order for order in driver.orders(market=name) if order.side == "bid"]
    return max((order.yes_price for order in orders), default=0) * 10_000


def test_fair_values_of_a_complete_event_go_half_way_to_a_dollar() -> None:
    """46 and 60 cents sum to six too much: each comes down by half of half of that."""
    driver = event(46, 60, size=2).quoting()
    driver.pass_time(3.0)
    assert view_of(driver).reason == "" and view_of(driver).fair_sum == pytest.approx(1.06)
    shifts = [driver.engine.desks[name].plan.pricing.group_shift for name in NAMES[:2]]  # type: ignore[union-attr]
    assert sum(shifts) == pytest.approx(-0.03)
    assert all(shift < 0 for shift in shifts)


@pytest.mark.parametrize(
    ("size", "group", "over"),
    [(0, "0xgroup", {}), (3, "0xgroup", {}), (2, "", {}), (2, "0xgroup", {"group_project_frac": 0.0})],
)
def test_fair_values_stay_where_another_outcome_may_win(size: int, group: str, over: dict[str, Any]) -> None:
    """Open-ended, not all made, no group at all, switched off."""
    driver = event(46, 60, size=size, group=group, **over).quoting()
    driver.pass_time(3.0)
    for name in NAMES[:2]:
        pricing = driver.engine.desks[name].plan.pricing  # type: ignore[union-attr]
        assert pricing is not None and pricing.group_shift == 0


@laws(25)
@given(st.lists(st.integers(20, 75), min_size=2, max_size=3), st.sampled_from([0, 2, 3]), st.data())
def test_own_bids_of_an_event_never_sum_to_more_than_a_dollar(mids: list[int], size: int, data: st.DataObject) -> None:
    """Whatever the books do: a set that costs more than it can pay is a sure loss."""
    driver = event(*mids, size=size, k_vol=0.0, k_fee_ticks=0.0).quoting()
    for _ in range(4):
        book = data.draw(st.sampled_from(driver.books))
        tick = min(book.asks) - 1 if data.draw(st.booleans()) else max(book.bids) - 1
        if tick not in (*book.bids, *book.asks):
            driver.send(book.set("bid", tick, 500))
        driver.pass_time(5.0)
        driver.answer()
        driver.answer_cancels()
        assert sum(dearest(driver, name) for name in NAMES[: len(mids)]) <= MICRO


def test_an_event_counts_once_in_the_cap_over_all_markets() -> None:
    """Bids of three outcomes: their YES are worth something in one market only, their NO worth nothing in one only."""
    driver = event(30, 30, 30, size=3).quoting()
    driver.pass_time(3.0)
    view = view_of(driver)
    desks = [driver.engine.desks[name] for name in NAMES]
    alone = sum(desk.worst_exposure for desk in desks)
    assert 0 < view.exposure < alone


def test_a_fill_is_part_of_the_events_risk_at_once() -> None:
    driver = event(46, 50, size=2).quoting()
    driver.pass_time(3.0)
    driver.answer()
    before = view_of(driver)
    order = next(order for order in driver.orders(market=NAMES[0]) if order.side == "bid")
    driver.fill(order)
    driver.pass_time(2.0)
    assert driver.engine.desks[NAMES[0]].inventory.net == order.size > shares(5)
    assert view_of(driver).exposure != before.exposure


def test_what_is_held_of_an_event_pays_by_outcome() -> None:
    """YES of one outcome is lost in every other; told against what it cost."""
    driver = event(46, 50, size=2).quoting()
    driver.pass_time(3.0)
    driver.answer()
    order = next(order for order in driver.orders(market=NAMES[0]) if order.side == "bid")
    driver.fill(order)
    risk = driver.engine.groups.risk(driver.engine.desks[NAMES[1]])
    assert risk is not None and driver.engine.desks[NAMES[0]].inventory.net == order.size
    cost = order.size * order.price * 10_000 // MICRO
    assert (risk.worst, risk.best) == (-cost, order.size - cost)
    assert event(46).quoting().engine.groups.risk(event(46).desk) is None


def test_the_cap_over_all_markets_holds_with_events_and_comes_to_rest() -> None:
    """What one market has just placed counts before the next one decides; else all are pulled, for ever in turn."""
    books = []
    for number in range(24):
        item = a_market(
            market="0x" + f"{number:02d}" * 32,
            yes=f"{number}1",
            no=f"{number}2",
            neg_risk=True,
            group=f"g{number // 2}",
            group_size=2,
            end_unix=NOON + 90 * 86_400,
        )
        books.append(VenueBook(item, 54 if number % 2 else 46))
    driver = Driver(*books)
    driver.feeds()
    driver.account(500_000)
    for book in books:
        driver.send(book.book("YES"))
        driver.send(book.book("NO"))
    for _ in range(12):
        driver.pass_time(0.5)
        driver.answer()
        driver.answer_cancels()
        desks = list(driver.engine.desks.values())
        for desk in desks:
            driver.engine.groups.refresh(desk, driver.now)
        seen = {desk.instrument.group: driver.engine.groups.view(desk) for desk in desks}
        assert sum(view.exposure for view in seen.values() if view) <= 0.30 * 500_000 * MICRO + len(books)
    assert driver.engine.orders.counts.cancels < 30


def test_an_event_whose_markets_are_paused_ties_up_no_risk() -> None:
    driver = event(46, 50, size=2).quoting()
    driver.pass_time(3.0)
    driver.answer()
    for name in NAMES[:2]:
        driver.command("pause", name)
    for name in NAMES[:2]:
        for order in driver.orders(State.CANCEL_SENT, market=name):
            driver.send(CancelAnswered(order_id=order.order_id, outcome="cancelled"))
    driver.pass_time(3.0)
    stranger = event(46, group="").desk
    assert driver.engine.groups.exposure_of_others(stranger, driver.now) == 0


def test_a_moments_doubt_in_one_market_moves_no_quote_of_another() -> None:
    """The desk in doubt holds still; its siblings would lose their places for nothing."""
    driver = event(46, 58, size=2).quoting()
    driver.pass_time(5.0)
    shift = driver.engine.desks[NAMES[0]].group.shift
    book = driver.books[1]
    driver.send(unproven(book.set("bid", 50, 7)))
    driver.engine.groups.refresh(driver.engine.desks[NAMES[0]], driver.now)
    assert driver.engine.desks[NAMES[1]].data_trouble in WAITS
    assert shift and driver.engine.desks[NAMES[0]].group.shift == pytest.approx(shift, rel=0.1)
